package Bench::Report;

# Medians of the rounds, and what they were compared with.

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(median print_machine print_table);

sub median {
    my (@values) = sort { $a <=> $b } @_;
    return 0 unless @values;
    return @values % 2 ? $values[ @values / 2 ]
        : ($values[ @values / 2 - 1 ] + $values[ @values / 2 ]) / 2;
}

sub print_machine {
    my ($cluster, $role, $children) = @_;
    my ($model) = _read('/proc/cpuinfo') =~ /^model name\s*: (.*)/m;
    my $processors = () = _read('/proc/cpuinfo') =~ /^processor/mg;
    my ($version) = `$cluster->{bin}/postgres --version` =~ /([\d.]+)/;
    my ($httpd) = `/usr/sbin/apache2 -v` =~ m{Apache/([\d.]+)};
    my ($load) = split ' ', _read('/proc/loadavg');
    printf "%d x %s; PostgreSQL %s, httpd %s (event, processes: %d)\n",
        $processors, $model // 'processor', $version // '?', $httpd // '?',
        $children;
    printf "%d tickets in 100 projects of 10 organizations; callers: %s\n",
        $cluster->{size}, $role;
    print "The load is $load: something else runs, the figures are worth "
        . "little.\n" if $load > 0.7;
    print "\n";
    return;
}

sub _read {
    my ($file) = @_;
    open my $in, '<', $file or return '';
    local $/;
    return <$in> // '';
}

# cases: [{name, against, target, runs => [results]}]. A ratio is taken within
# each round; its median is shown.
sub print_table {
    my (@cases) = @_;
    my %by_name = map { $_->{name} => $_ } @cases;
    printf "%-28s %9s %17s %7s %7s %8s %8s  %s\n", '', 'per', 'least-most',
        'of the', 'p50', 'p99', 'CPU us', '';
    printf "%-28s %9s %17s %7s %7s %8s %6s %5s %6s\n", '', 'second', '',
        'ceiling', 'us', 'us', 'httpd', 'pg', 'client';
    _print_case($_, $by_name{ $_->{against} // '' }) for @cases;
    print "\n";
    _print_target($_, $by_name{ $_->{against} }) for grep { $_->{target} } @cases;
    return;
}

sub _ratio {
    my ($case, $against) = @_;
    return median(map { $case->{runs}[$_]{rate} / $against->{runs}[$_]{rate} }
        0 .. $#{ $case->{runs} });
}

sub _print_case {
    my ($case, $against) = @_;
    my @runs = @{ $case->{runs} };
    my @rates = sort { $a <=> $b } map { $_->{rate} } @runs;
    my %of = map {
        my $what = $_;
        $what => median(map { $_->{$what} // 0 } @runs);
    } qw(p50 p99 httpd postgres client);
    printf "%-28s %9.0f %17s %7s %7.0f %8.0f %6s %5.1f %6.1f\n",
        $case->{name}, median(@rates),
        sprintf('%.0f-%.0f', $rates[0], $rates[-1]),
        $against ? sprintf('%.3f', _ratio($case, $against)) : '',
        $of{p50}, $of{p99}, $of{httpd} ? sprintf('%.1f', $of{httpd}) : '',
        $of{postgres}, $of{client};
    return;
}

sub _print_target {
    my ($case, $against) = @_;
    my $ratio = _ratio($case, $against);
    printf "%s: %.3f of %s; aimed at: %.2f%s\n", $case->{name}, $ratio,
        $against->{name}, $case->{target},
        $ratio < $case->{target} ? ' - missed' : '';
    return;
}

1;
