#!/usr/bin/perl
# httpd's own ends and beginnings: a child that is killed, graceful restarts
# under load, how long stopping takes; and that what one child changed about a
# caller's rights is true in all of them with the very next request.

use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Load;
use AlloyTest::Raw;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);

my $ROUNDS = $ENV{ALLOY_FAULT_ROUNDS} || 1;
my $SLOW = $ENV{ALLOY_TEST_WRAP} || $ENV{ALLOY_TEST_PRELOAD} ? 4 : 1;

# The connection ended before a byte of an answer came.
my $CLOSED = qr/^no answer: (?:write: |read: [^"]*""\n)/;

my $server = AlloyTest->start(children => 4);
my $ada = $server->register(name => 'Ada');

sub pause { select undef, undef, undef, $_[0] }

sub load {
    my (%option) = @_;
    my $key = $server->project($ada)->{key};
    $server->ticket($ada, $key);
    my $load = AlloyTest::Load->start($server, $ada, $key, %option);
    pause(0.3);
    return $load;
}

# Answers with faults, after looking whether the database agrees with all.
sub faulty {
    my ($load, $records, $name) = @_;
    my @lost = $load->lost_or_doubled(@$records);
    is(scalar @lost, 0, "$name: nothing lost, doubled or skipped");
    diag($_) for splice @lost, 0, 5;
    my @faulty = grep { defined $_->{fault} } @$records;
    note(sprintf '%s: %d answers, %d of them not as wished', $name,
        scalar @$records, scalar @faulty);
    return @faulty;
}

# ---- a child is killed ------------------------------------------------------

# Only those whose connection it had notice; another child takes its place.
sub killed_child {
    my $clients = 6;
    my $load = load(clients => [ ('mixed') x $clients ]);
    my @children = @{ $server->pids->{children} };
    for my $child (@children) {
        kill 'KILL', $child;
        wait_for {
            my @now = @{ $server->pids->{children} };
            @now == @children && !grep { $_ == $child } @now;
        } 'another child takes its place';
        pause(0.1);
    }
    my @records = $load->stop;
    my @faulty = faulty($load, \@records, 'children are killed');
    cmp_ok(scalar @faulty, '<=', $clients * @children,
        'each client notices each end once at most');
    is(scalar(grep { $_->{fault} !~ $CLOSED } @faulty), 0,
        'and only by a connection that ends');
    my ($longest) = sort { $b <=> $a } map { $_->{took} } @records;
    cmp_ok($longest, '<', 1.5 * $SLOW, 'the others go on');
    return;
}

# The end comes between commit and answer, for all the client knows: he asks
# again under the same key.
sub killed_before_the_answer {
    my $server = AlloyTest->start(children => 1);
    my $ada  = $server->register(name => 'Ada');
    my $key  = $server->project($ada)->{key};
    my $path = "/projects/$key/tickets";
    my @once = (headers => { 'Idempotency-Key' => 'unanswered' });
    my $made = sub { $server->rows(q{SELECT count(*) AS n FROM alloy.ticket
        WHERE title = 'Unanswered'})->[0]{n} };
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $server->port) or die "connect: $!";
    print {$socket} raw_request('POST', "/api/v1$path", {
        Authorization => "Bearer $ada->{token}",
        'Content-Type' => 'application/json',
        'Idempotency-Key' => 'unanswered' }, '{"title":"Unanswered"}');
    $socket->flush;
    wait_for { $made->() } 'it is committed';
    my ($child) = @{ $server->pids->{children} };
    kill 'KILL', $child;
    close $socket;
    wait_for {
        my @now = @{ $server->pids->{children} };
        @now && !grep { $_ == $child } @now;
    } 'another child takes its place';
    my $again = $server->post($path, { title => 'Unanswered' },
        token => $ada, @once);
    status_is($again, 201);
    is($again->header('Idempotency-Replayed'), 'true', 'the stored answer');
    is($again->json->{key}, "$key-1", 'tells what was made');
    is($made->(), 1, 'once');
    return;
}

# ---- graceful restarts ------------------------------------------------------

sub graceful {
    my ($name, %option) = @_;
    my $load = load(clients => [ ('mixed') x 5 ], %option);
    for (1 .. 5) {
        $server->restart('graceful');
        pause(0.4);
    }
    my @records = $load->stop;
    my ($longest) = sort { $b <=> $a } map { $_->{took} } @records;
    note(sprintf 'longest answer %d ms', 1000 * $longest);
    return faulty($load, \@records, $name);
}

# A client that sends on a kept connection may meet its end; whoever takes one
# for each request never does.
sub graceful_restarts {
    my @failed = graceful('graceful, a connection for each request',
        keep_alive => 0);
    is(scalar @failed, 0, 'no request fails');
    diag($_->{fault}) for splice @failed, 0, 5;
    my @closed = graceful('graceful, kept connections');
    my @other = grep { $_->{fault} !~ $CLOSED } @closed;
    is(scalar @other, 0, 'a kept connection is closed at worst');
    diag($_->{fault}) for splice @other, 0, 5;
    return;
}

# ---- how long stopping takes ------------------------------------------------

sub seconds_to_end {
    my ($signal) = @_;
    my $pid = $server->{httpd}->pid;
    my $at = time;
    kill $signal, $pid;
    wait_for { $server->{httpd}->_has_ended } "SIG$signal ends it", 15;
    my $took = time - $at;
    $server->start_again;
    status_is($server->get('/auth/me', token => $ada), 200, 'and it is back');
    delete $server->{client}{handle};   # closes the connection
    return $took;
}

# httpd looks once a second whether its children have ended gracefully, and
# gives a client that does not close its connection two seconds.
sub stopping {
    delete $server->{client}{handle};
    my %limit = (TERM => 10, WINCH => 15);
    for my $signal (sort keys %limit) {
        my $took = seconds_to_end($signal);
        note(sprintf 'SIG%s: %d ms', $signal, 1000 * $took);
        cmp_ok($took, '<', $limit{$signal} * $SLOW, 'the end comes soon');
    }
    return;
}

# ---- rights -----------------------------------------------------------------

# How the next 200 requests are answered, each on a connection of its own, so
# that all children are among those who answer: {status => count}.
sub next_answers {
    my ($token, $path) = @_;
    my $request = "GET /api/v1$path HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        . "Authorization: Bearer $token\r\nConnection: close\r\n\r\n";
    my %seen;
    for (1 .. 200) {
        my ($status) = $server->raw($request) =~ m{^HTTP/1\.1 (\d+)};
        $seen{ $status // 'none' }++;
    }
    return \%seen;
}

sub rights {
    my $org = $server->org($ada);
    my $bob = $server->member(org => $org->{id}, by => $ada, role => 'Admin');
    my $path = "/orgs/$org->{id}/invites";
    my $role = sub {
        $server->must(200, $server->patch(
            "/orgs/$org->{id}/members/$bob->{user_id}",
            { role => $_[0] }, token => $ada));
    };
    is_deeply(next_answers($bob->{token}, $path), { 200 => 200 },
        'every child knows an Admin');
    $role->('Viewer');
    is_deeply(next_answers($bob->{token}, $path), { 403 => 200 },
        'no child takes him for one afterwards');
    $role->('Admin');
    is_deeply(next_answers($bob->{token}, $path), { 200 => 200 },
        'or refuses him when he is one again');
    return;
}

sub revoked {
    my $eve = $server->register(name => 'Eve');
    my $key = $server->must(201, $server->post('/auth/api-keys',
        { name => 'robot' }, token => $eve));
    my ($id, $secret) = @$key{qw(id key)};
    is_deeply(next_answers($secret, '/auth/me'), { 200 => 200 },
        'every child knows a key');
    $server->must(204, $server->delete("/auth/api-keys/$id", token => $eve));
    is_deeply(next_answers($secret, '/auth/me'), { 401 => 200 },
        'none takes it when it has been revoked');
    is_deeply(next_answers($eve->{token}, '/auth/me'), { 200 => 200 },
        'every child knows a session');
    $server->must(204, $server->post('/auth/logout', undef,
        token => $eve));
    is_deeply(next_answers($eve->{token}, '/auth/me'), { 401 => 200 },
        'none takes its token when it has ended');
    return;
}

# ---- scheduling -------------------------------------------------------------

# Those that serve requests give way to others (AlloyGiveWay): their class is
# SCHED_BATCH, field 41 of proc(5)'s stat.
sub gives_way {
    for my $child (@{ $server->pids->{children} }) {
        my %policies;
        for my $file (glob "/proc/$child/task/*/stat") {
            open my $in, '<', $file or next;
            my ($fields) = <$in> =~ /.*\) (.*)/;
            $policies{ (split ' ', $fields)[38] }++;
        }
        is_deeply([ keys %policies ], [3], 'all threads of a child give way');
    }
    return;
}

# ---- run --------------------------------------------------------------------

for my $round (1 .. $ROUNDS) {
    note("round $round") if $ROUNDS > 1;
    killed_child();
    killed_before_the_answer();
    graceful_restarts();
    stopping();
    rights();
    revoked();
    gives_way();
}
done_testing;
