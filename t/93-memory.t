#!/usr/bin/perl
# A child that has answered 20,000 requests of many kinds is no larger than one
# that has answered the first few thousand, and holds no more files.

use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Load;
use POSIX ();
use Test::More;

my $SLOW = $ENV{ALLOY_TEST_WRAP} || $ENV{ALLOY_TEST_PRELOAD};
my $REQUESTS = $ENV{ALLOY_MEMORY_REQUESTS} || ($SLOW ? 4_000 : 20_000);
my $WARM = $SLOW ? 2_000 : 5_000;
my $CLIENTS = 8;
my $GROWTH = 8 * 1024;      # kB

plan skip_all => 'a sanitizer keeps what was freed'
    if ($ENV{ALLOY_TEST_PRELOAD} // '') =~ /asan|tsan/;

my $server = AlloyTest->start(children => 1);
my @people = map { $server->register } 1 .. 4;
for my $person (@people) {
    $person->{project} = $server->project($person)->{key};
    $server->ticket($person, $person->{project});
}

# ---- requests ---------------------------------------------------------------

# What client number NUMBER asks in turn TURN: [what, body, token?].
my @ASKS = (
    sub { ["GET /tickets/$_[0]{project}-1"] },
    sub { ["GET /projects/$_[0]{project}/tickets?limit=20&include_total=true"] },
    sub { ["POST /projects/$_[0]{project}/tickets",
        qq({"title":"$_[1] \\u00e4\\ud83d\\ude00","description":")
            . 'long ' x 200 . '"}'] },
    sub { ['GET /auth/me'] },
    sub { ["PATCH /tickets/$_[0]{project}-1",
        qq({"title":"changed $_[1]","priority":"High"})] },
    sub { ["POST /tickets/$_[0]{project}-1/comments",
        qq({"body":"comment $_[1]"})] },
    sub { ["GET /tickets/$_[0]{project}-999999"] },
    sub { ["POST /projects/$_[0]{project}/tickets",
        '{"titel":"x","type":"nothing","priority":7}'] },
    sub { ["POST /projects/$_[0]{project}/tickets", '{"title":'] },
    sub { ['GET /auth/me', undef, "wrong$_[1]"] },
    sub { ['GET /openapi.json'] },
    sub { ["GET /tickets/$_[0]{project}-1/activity"] },
    sub { ['GET /projects?limit=5'] },
    sub { ["DELETE /nothing/here/$_[1]"] },
);

sub run_client {
    my ($number, $count) = @_;
    my $person = $people[ $number % @people ];
    my $client = AlloyTest::Load->new(server => $server);
    for my $turn (1 .. $count) {
        my ($what, $body, $token)
            = @{ $ASKS[ $turn % @ASKS ]->($person, "$number-$turn") };
        $client = AlloyTest::Load->new(server => $server)
            if $turn % 50 == 0;
        $client->{token} = $token // $person->{token};
        my $got = $client->ask($what, $body);
        return "$what: $got->{status} $got->{content}"
            if $got->{status} >= 500;
    }
    return '';
}

# All clients at once; sentences about what went wrong.
sub ask_all {
    my ($count) = @_;
    my @running = map {
        my $number = $_;
        my $pid = open(my $out, '-|') // die "fork: $!";
        if (!$pid) {
            syswrite STDOUT, run_client($number, $count / $CLIENTS);
            POSIX::_exit(0);
        }
        $out;
    } 1 .. $CLIENTS;
    local $?;
    return grep {length} map { local $/; my $said = readline $_; close $_;
        $said // '' } @running;
}

# ---- the child --------------------------------------------------------------

sub size {
    my ($pid) = @{ $server->pids->{children} };
    open my $in, '<', "/proc/$pid/status" or die "child $pid: $!";
    my ($size) = join('', <$in>) =~ /^VmRSS:\s+(\d+) kB/m;
    my @files = glob "/proc/$pid/fd/*";
    return { pid => $pid, kb => $size, files => scalar @files };
}

is_deeply([ ask_all($WARM) ], [], "$WARM requests to warm up");
my $before = size();
is_deeply([ ask_all($REQUESTS) ], [], "$REQUESTS requests");
my $after = size();
is($after->{pid}, $before->{pid}, 'the child is the same');
note(sprintf '%d kB, then %d kB: %+.1f bytes a request; %d files, then %d',
    $before->{kb}, $after->{kb},
    1024 * ($after->{kb} - $before->{kb}) / $REQUESTS,
    $before->{files}, $after->{files});
cmp_ok($after->{kb} - $before->{kb}, '<', $GROWTH, 'it has not grown');
cmp_ok($after->{files}, '<=', $before->{files} + $CLIENTS,
    'it holds no more files');

done_testing;
