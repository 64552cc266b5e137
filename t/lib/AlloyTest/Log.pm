package AlloyTest::Log;

# httpd's error log as a part of the test: every line of level warn or worse
# that was not announced is a fault, and so is an announced one that did not
# come, a crash, and whatever a sanitizer or valgrind wrote.

use strict;
use warnings;

sub new {
    my ($class, $dir) = @_;
    return bless { dir => $dir, expected => [] }, $class;
}

sub expect {
    my ($self, @patterns) = @_;
    push @{ $self->{expected} }, map { { pattern => $_, seen => 0 } } @patterns;
    return;
}

sub lines {
    my ($self) = @_;
    open my $in, '<', "$self->{dir}/log/error.log" or return;
    return <$in>;
}

sub count {
    my ($self, $pattern) = @_;
    return scalar grep { $_ =~ $pattern } $self->lines;
}

# Sentences about all that is wrong; none when all is well.
sub faults {
    my ($self) = @_;
    my @faults;
    for my $line ($self->lines) {
        next unless _is_bad($line);
        my @known = grep { $line =~ $_->{pattern} } @{ $self->{expected} };
        $_->{seen}++ for @known;
        push @faults, "unexpected in the error log: $line" unless @known;
    }
    push @faults, map {"announced, but not in the error log: $_->{pattern}\n"}
        grep { !$_->{seen} } @{ $self->{expected} };
    return (@faults, $self->_reports);
}

# A crash is logged as a notice only. Lines without the usual beginning come
# from libraries that write to the standard error output.
sub _is_bad {
    my ($line) = @_;
    return 1 if $line =~ /exit signal|core dump/;
    return 0 if $line =~ /^\s*$/;
    return 1 unless $line =~ /^\[[^\]]*\] \[[\w-]*:(\w+)\]/;
    return $1 =~ /^(?:warn|error|crit|alert|emerg)$/;
}

sub _reports {
    my ($self) = @_;
    my @faults;
    for my $file (glob("$self->{dir}/report.*"), glob("$self->{dir}/core*")) {
        next unless -s $file;
        open my $in, '<', $file or next;
        my $text = $file =~ m{/report} ? join '', <$in> : '';
        push @faults, "$file: $text\n";
    }
    return @faults;
}

1;
