package AlloyTest::Together;

# Requests of several clients at the same time.
#
#   my @answers = together(sub { $server->post(...) }, sub { ... });
#
# Each sub runs in a process of its own, with a connection of its own, and
# returns an answer; all begin at the same moment. The answers come in the
# order of the subs.

use strict;
use warnings;

use AlloyTest::Answer;
use Exporter qw(import);
use JSON::PP ();
use POSIX ();

our @EXPORT = qw(together);

my $json = JSON::PP->new->utf8;

sub together {
    my @subs = @_;
    pipe my $gate, my $opener or die "pipe: $!";
    my @running = map { _begin($_, $gate, $opener) } @subs;
    close $gate;
    close $opener;      # the end of file is the starting signal
    return map { _end($_) } @running;
}

sub _begin {
    my ($sub, $gate, $opener) = @_;
    pipe my $read, my $write or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid) {
        close $write;
        return { pid => $pid, read => $read };
    }
    close $_ for $read, $opener;
    sysread $gate, my $byte, 1;
    my $answer = eval { $sub->() };
    my %told = $answer
        ? map { $_ => $answer->{$_} } qw(method path status headers body)
        : (fault => "$@");
    # The body is bytes; JSON carries characters.
    print {$write} $json->encode(\%told);
    close $write;
    POSIX::_exit(0);
}

sub _end {
    my ($running) = @_;
    local ($/, $?);
    my $text = readline $running->{read};
    waitpid $running->{pid}, 0;
    my $told = $json->decode($text);
    die $told->{fault} if defined $told->{fault};
    return AlloyTest::Answer->new(%$told);
}

1;
