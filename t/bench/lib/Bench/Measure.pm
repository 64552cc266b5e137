package Bench::Measure;

# One run of pgbench or of wrk, and what it cost. A result:
#   rate        per second
#   p50, p99    microseconds
#   count       answers, transactions
#   httpd, postgres, client   CPU, microseconds for each of them
#   errors      sentences

use strict;
use warnings;

use Exporter qw(import);
use POSIX ();

our @EXPORT_OK = qw(pgbench wrk);

my $TICK = 1_000_000 / POSIX::sysconf(POSIX::_SC_CLK_TCK());

# ---- CPU --------------------------------------------------------------------

# A process's own ticks, and those of its children that have ended.
sub _ticks {
    my ($pid) = @_;
    open my $in, '<', "/proc/$pid/stat" or return (0, 0);
    my ($fields) = (<$in> // '') =~ /.*\) (.*)/ or return (0, 0);
    my @field = split ' ', $fields;
    return ($field[11] + $field[12], $field[13] + $field[14]);
}

# All ticks of a server: parent, children, and children it had.
sub _server_ticks {
    my ($pid) = @_;
    my ($own, $ended) = _ticks($pid);
    my $sum = $own + $ended;
    open my $in, '<', "/proc/$pid/task/$pid/children" or return $sum;
    $sum += (_ticks($_))[0] for split ' ', <$in> // '';
    return $sum;
}

sub _cpu {
    my ($servers) = @_;
    my (undef, undef, $user, $system) = times;
    return { client => ($user + $system) * 1_000_000,
        map { $_ => _server_ticks($servers->{$_}) * $TICK } keys %$servers };
}

# Runs a command, answers its output and the CPU that went by.
sub _run {
    my ($servers, @command) = @_;
    my $before = _cpu($servers);
    my $pid = open my $out, '-|' // die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }
    my $output = do { local $/; <$out> } // '';
    my $ended = close $out;
    my $after = _cpu($servers);
    die "failed: @command\n$output" unless $ended;
    return ($output,
        { map { $_ => $after->{$_} - $before->{$_} } keys %$after });
}

sub _result {
    my ($count, $cpu, %more) = @_;
    my %per = map { $_ => $count ? $cpu->{$_} / $count : 0 } keys %$cpu;
    return { %per, %more, count => $count };
}

# ---- pgbench ----------------------------------------------------------------

# cluster, servers, script, clients, seconds, set => {variable => value}
sub pgbench {
    my (%run) = @_;
    my $cluster = $run{cluster};
    my $log = "$cluster->{dir}/pgbench";
    unlink glob "$log.*";
    my ($output, $cpu) = _run($run{servers}, "$cluster->{bin}/pgbench", '-n',
        '-M', 'prepared', '-c', $run{clients}, '-j', 2, '-T', $run{seconds},
        '-f', $run{script}, '-l', "--log-prefix=$log", '--sampling-rate=0.05',
        (map { ('-D', "$_=$run{set}{$_}") } sort keys %{ $run{set} }),
        $cluster->conninfo('alloy', 'postgres'));
    my ($rate) = $output =~ /^tps = ([\d.]+)/m
        or die "pgbench said no rate:\n$output";
    my ($count) = $output =~ /transactions actually processed: (\d+)/;
    my ($failed) = $output =~ /failed transactions: (\d+)/;
    my @times = sort { $a <=> $b } map { _times($_) } glob "$log.*";
    unlink glob "$log.*";
    return _result($count, $cpu, rate => $rate,
        p50 => $times[ @times / 2 ] // 0, p99 => $times[ @times * 0.99 ] // 0,
        errors => [ $failed ? "pgbench: $failed transactions failed" : () ]);
}

sub _times {
    my ($file) = @_;
    open my $in, '<', $file or return;
    return map { (split)[2] } <$in>;
}

# ---- wrk --------------------------------------------------------------------

# servers, script (requests.lua), requests (a file), port, clients, seconds
sub wrk {
    my (%run) = @_;
    my ($output, $cpu) = _run($run{servers}, 'wrk', '-t1', "-c$run{clients}",
        "-d$run{seconds}s", '--timeout', '10s', '-s', $run{script},
        "http://127.0.0.1:$run{port}", '--', $run{requests});
    my ($line) = $output =~ /^RESULT (.*)/m
        or die "wrk said no result:\n$output";
    my %got = $line =~ /(\w+)=(\d+)/g;
    my @errors;
    push @errors, "wrk: $got{refused} of $got{requests} answers were refusals"
        if $got{refused};
    push @errors, "wrk: $got{broken} connections or answers broke"
        if $got{broken};
    push @errors, 'wrk: no answers' unless $got{requests};
    return _result($got{requests}, $cpu, p50 => $got{p50}, p99 => $got{p99},
        rate => $got{requests} / $got{microseconds} * 1_000_000,
        errors => \@errors);
}

1;
