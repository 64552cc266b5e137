#!/usr/bin/perl
# A PostgreSQL that ends, crashes, freezes or refuses, while several clients
# read and write: what they are answered meanwhile, how soon they are served
# again, and that every acknowledged ticket is there, once.
#
#   make faults     the same in many rounds; ALLOY_FAULT_ROUNDS says how many

use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Load;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

my $ROUNDS = $ENV{ALLOY_FAULT_ROUNDS} || 1;
my $SLOW = $ENV{ALLOY_TEST_WRAP} || $ENV{ALLOY_TEST_PRELOAD} ? 4 : 1;

# Seconds an answer may take: the database's time for a call as configured, the
# reference in a create's path being a read before the write, and slack.
my %WITHIN = (read => 2 + 0.6 * $SLOW, write => 2 + 5 + 0.6 * $SLOW);

my $server = AlloyTest->start(own => 1, children => 2,
    conf => "AlloyDatabaseConnections 8\n");
my $ada = $server->register(name => 'Ada');
my $cluster = $server->{cluster};
my %total = (acknowledged => 0, refused => 0, unknown => 0, records => 0);
my @figures;

# ---- tools ------------------------------------------------------------------

sub pause { select undef, undef, undef, $_[0] }

# The pids of what serves connections of httpd, the busiest first.
sub backends {
    return map { $_->{pid} } @{ $server->rows(q{SELECT pid
        FROM pg_stat_activity WHERE usename = 'alloy_app'
        ORDER BY query_start DESC NULLS LAST}) };
}

# Every process of the cluster, its first one first.
sub all_processes {
    my $postmaster = $cluster->pid;
    open my $in, '<', "/proc/$postmaster/task/$postmaster/children" or die $!;
    return $postmaster, split ' ', <$in>;
}

# Milliseconds until a read and a write succeed.
sub await_service {
    my ($project) = @_;
    my $from = time;
    my $until = $from + 10 * $SLOW;
    my $get = sub { $server->get("/tickets/$project-1", token => $ada) };
    my $post = sub { $server->post("/projects/$project/tickets",
        { title => "service $from " . time }, token => $ada) };
    for my $ask ($get, $post) {
        until ($ask->()->status < 300) {
            return if time > $until;
            pause(0.01);
        }
    }
    return 1000 * (time - $from);
}

# One fault under load. BREAK does the damage and leaves it as long as it
# wants; HEAL ends it. Options: clients; serves => 1: reads go on all the time;
# back => seconds until service (1 is what is expected, 5 what is demanded).
sub fault {
    my ($name, $break, $heal, %option) = @_;
    my $key = $server->project($ada)->{key};
    $server->ticket($ada, $key);
    wait_for { $server->all_answer('root:/readyz', 200) } "$name: it is ready";
    my $load = AlloyTest::Load->start($server, $ada, $key,
        clients => $option{clients} || [qw(mixed mixed mixed read write)]);
    pause(0.4);
    my $broken = time;
    my $state = $break->($key);
    $heal->($state);
    my $healed = time;
    my $back = await_service($key);
    pause(0.3);
    my @records = $load->stop;
    subtest $name => sub {
        ok(defined $back && $back < 5000 * $SLOW, 'service again')
            or diag(defined $back ? "after $back ms" : 'never');
        check_answers(\@records, $broken, $healed, \%option);
        my @faults = $load->lost_or_doubled(@records);
        is(scalar @faults, 0, 'nothing lost, doubled or skipped');
        diag($_) for splice @faults, 0, 10;
    };
    note_figures($name, $back // -1, $healed, @records);
    return @records;
}

sub check_answers {
    my ($records, $broken, $healed, $option) = @_;
    my @before = grep { $_->{at} + $_->{took} < $broken } @$records;
    my @during = grep { $_->{at} >= $broken && $_->{at} < $healed } @$records;
    ok(scalar(grep { $_->{status} == 201 } @before), 'it worked before');
    ok(!(grep { $_->{status} >= 400 } @before), 'without a refusal');
    ok(scalar @during, 'there were requests during the fault');
    my @wrong = map { "$_->{kind}: $_->{fault}" }
        grep { defined $_->{fault} } @$records;
    is(scalar @wrong, 0, 'every answer is a success or a 503 in order');
    diag($_) for splice @wrong, 0, 5;
    for my $kind (sort keys %WITHIN) {
        my ($longest) = sort { $b <=> $a }
            map { $_->{took} } grep { $_->{kind} eq $kind } @$records;
        cmp_ok($longest // 0, '<=', $option->{$kind} // $WITHIN{$kind},
            "no $kind waits beyond its time");
    }
    my @reads = grep { $_->{kind} eq 'read' } @during;
    ok(@reads && !(grep { $_->{status} != 200 } @reads),
        'all reads succeed meanwhile') if $option->{serves};
    return;
}

sub note_figures {
    my ($name, $back, $healed, @records) = @_;
    my %seen;
    for my $record (@records) {
        $seen{ $record->{code} // $record->{status} }++;
        $total{records}++;
        $total{acknowledged}++ if $record->{status} == 201;
        $total{refused}++ if ($record->{code} // '') eq 'unavailable';
        $total{unknown}++ if ($record->{code} // '') eq 'outcome_unknown';
    }
    my ($last) = sort { $b <=> $a } map { $_->{at} + $_->{took} - $healed }
        grep { $_->{status} == 503 } @records;
    my ($longest) = sort { $b <=> $a } map { $_->{took} } @records;
    note(sprintf '%-22s again after %4d ms, last refusal %s, longest %4d ms: %s',
        $name, $back, defined $last ? sprintf '%+5d ms', 1000 * $last : 'none',
        1000 * $longest, join ', ', map {"$seen{$_} x $_"} sort keys %seen);
    return;
}

# ---- the faults -------------------------------------------------------------

# A database that is away is one line, however long it lasts.
my $AWAY = qr/AL0102: the database refuses further connections or can't/;

sub restarts {
    for my $how (qw(fast immediate)) {
        fault("stopped: $how",
            sub { $server->postgres_stop($how); pause(0.8) },
            sub { $server->postgres_start });
    }
    return;
}

# PostgreSQL ends every session and recovers when one is killed.
sub crash {
    fault('a session is killed',
        sub {
            my ($pid) = backends();
            $server->dbh->disconnect;   # it would be ended as well
            kill 'KILL', $pid;
            pause(0.1);
        },
        sub { });
    return;
}

sub frozen_session {
    my @records = fault('a session is frozen',
        sub { my ($pid) = backends(); kill 'STOP', $pid; pause(3); $pid },
        sub { kill 'CONT', $_[0] });
    my $served = grep { $_->{status} < 300 } @records;
    cmp_ok($served, '>', 0.5 * @records, 'the others serve meanwhile');
    return;
}

# Longer than every deadline: whoever has sent a write learns no more.
sub frozen_cluster {
    fault('everything is frozen',
        sub { my @all = all_processes(); kill 'STOP', @all; pause(6); \@all },
        sub { kill 'CONT', @{ $_[0] } },
        clients => [ ('write') x 12, ('read') x 2 ]);
    return;
}

sub terminated {
    my $terminate = q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE usename = 'alloy_app'};
    fault('all sessions are ended',
        sub { for (1 .. 6) { $server->rows($terminate); pause(0.25) } },
        sub { });
    return;
}

# Others hold every connection that PostgreSQL allows. httpd would be quicker
# to take back what it loses, so it is held still meanwhile.
sub full {
    my $take_all = sub {
        my @children = @{ $server->pids->{children} };
        kill 'STOP', @children;
        $server->rows(q{SELECT pg_terminate_backend(pid, 2000)
            FROM pg_stat_activity WHERE usename = 'alloy_app'});
        my @held;
        while (my $dbh = eval { $server->new_dbh('app') }) { push @held, $dbh }
        kill 'CONT', @children;
        pause(1);
        return \@held;
    };
    my @records = fault('no connection is left', $take_all,
        sub { $_->disconnect for @{ $_[0] } });
    ok(scalar(grep { ($_->{code} // '') eq 'unavailable' } @records),
        'requests were refused');
    return;
}

# More writers than connections wait for one row.
sub locked {
    my @records = fault('a project is locked', sub {
        my ($key) = @_;
        my $other = $server->new_dbh('admin');
        $other->begin_work;
        $other->do('SELECT FROM alloy.project WHERE key = ? FOR UPDATE', undef,
            $key);
        pause(7);
        return $other;
    }, sub { $_[0]->rollback },
        clients => [ ('write') x 20, ('read') x 3 ], serves => 1);
    my @refused = grep { $_->{kind} eq 'write' && $_->{status} == 503 } @records;
    cmp_ok(scalar @refused, '>=', 20, 'every writer is told');
    is(scalar(grep { $_->{code} eq 'outcome_unknown' } @refused), 0,
        'and knows that nothing was written');
    return;
}

# ---- the wrong schema -------------------------------------------------------

# Each child looks for itself, once in five seconds, and tells the log.
sub all_noticed {
    my ($tag, $before) = @_;
    return $server->{httpd}->log->count(qr/$tag/)
        == $before + @{ $server->pids->{children} };
}

# Every operation says what the administrator must do, and so does the probe.
sub mismatch {
    my ($name, $sentence, $break, $heal) = @_;
    subtest $name => sub {
        my $key = $server->project($ada)->{key};
        my ($bad, $good) = map { $server->{httpd}->log->count($_) }
            qr/AL0106/, qr/AL0107/;
        $break->();
        my $at = time;
        wait_for { all_noticed('AL0106', $bad) } 'it is noticed';
        note(sprintf 'noticed after %.1f s', time - $at);
        my $answer = $server->get("/projects/$key", token => $ada);
        is_problem($answer, 503, 'schema_mismatch', detail => $sentence);
        ok($answer->header('Retry-After'), 'with Retry-After');
        is_problem($server->post("/projects/$key/tickets", { title => 'x' },
            token => $ada), 503, 'schema_mismatch');
        is($server->get('root:/healthz')->status, 200, 'it lives');
        is($server->get('root:/readyz')->status, 503, 'and is not ready');
        $heal->();
        $at = time;
        wait_for { all_noticed('AL0107', $good) } 'it heals by itself', 5;
        note(sprintf 'healed after %.1f s', time - $at);
        is($server->get('root:/readyz')->status, 200, 'and is ready');
        status_is($server->get("/projects/$key", token => $ada), 200);
    };
    return;
}

sub schema {
    my ($range) = @{ $server->rows(q{SELECT oldest FROM alloy.schema_range
        WHERE component = 'core'}) };
    $server->expect_log(
        qr/AL0106: The schema of "core" is at version \d+ and this/,
        qr/AL0106: The schema of "core" \(version \d+\) no longer serves/,
        qr/AL0020: project\w+ \[.*\]: statement \w+ failed with 42703/);
    mismatch('migrations are missing', qr/run `alloyctl migrate`/,
        sub { $server->rows(q{WITH gone AS (UPDATE alloy.schema_migration
            SET component = 'core-away' WHERE component = 'core' RETURNING 1)
            SELECT count(*) FROM gone}) },
        sub { $server->rows(q{WITH back AS (UPDATE alloy.schema_migration
            SET component = 'core' WHERE component = 'core-away' RETURNING 1)
            SELECT count(*) FROM back}) });
    my $set = sub { $server->dbh->do(q{UPDATE alloy.schema_range
        SET oldest = ? WHERE component = 'core'}, undef, $_[0]) };
    mismatch('the database is too new', qr/install the newer server/,
        sub { $set->(10_000) }, sub { $set->($range->{oldest}) });
    renamed();
    return;
}

# What the look at the versions can't see, a statement meets.
sub renamed {
    my $key = $server->project($ada)->{key};
    my $rename = 'ALTER TABLE alloy.project RENAME COLUMN';
    $server->dbh->do("$rename description TO elsewhere");
    my $answer = $server->get("/projects/$key", token => $ada);
    is_problem($answer, 503, 'schema_mismatch', detail => qr/alloyctl migrate/,
        name => 'a column is missing');
    unlike($answer->body, qr/elsewhere|column|42703/, 'which is not told');
    $server->dbh->do("$rename elsewhere TO description");
    status_is($server->get("/projects/$key", token => $ada), 200,
        'the column is back');
    return;
}

# ---- no database at the beginning -------------------------------------------

sub absent {
    subtest 'started without a database' => sub {
        my $key = $server->project($ada)->{key};
        $server->stop;
        $server->postgres_stop('fast');
        my $at = time;
        $server->start_again;
        cmp_ok(time - $at, '<', 5 * $SLOW, 'httpd comes up');
        is($server->get('root:/healthz')->status, 200, 'and lives');
        wait_for { $server->get('root:/readyz')->status == 503 }
            'but is not ready';
        for my $answer ($server->get("/projects/$key", token => $ada),
            $server->post("/projects/$key/tickets", { title => 'x' },
                token => $ada)) {
            is_problem($answer, 503, 'unavailable');
            ok($answer->header('Retry-After'), 'with Retry-After');
            unlike($answer->body, $AlloyTest::Load::DATABASE_TEXT,
                'without words of the database');
        }
        $server->postgres_start;
        $at = time;
        wait_for { $server->get("/projects/$key", token => $ada)->status
            == 200 } 'it heals', 5;
        note(sprintf 'healed after %d ms', 1000 * (time - $at));
    };
    return;
}

# ---- run --------------------------------------------------------------------

# Few connections, so that they can be exhausted; httpd takes 16.
$server->dbh->do('ALTER SYSTEM SET max_connections = 40');
$server->expect_log($AWAY);
$server->postgres_stop('fast');
wait_for { $server->{httpd}->log->count($AWAY) } 'the log says it is away';
$server->postgres_start;
wait_for { $server->all_answer('root:/readyz', 200) } 'the cluster is ready';

my %fault = (restarts => \&restarts, crash => \&crash,
    frozen_session => \&frozen_session, frozen_cluster => \&frozen_cluster,
    terminated => \&terminated, full => \&full, locked => \&locked,
    schema => \&schema, absent => \&absent);
my @names = @ARGV ? @ARGV
    : qw(restarts crash frozen_session frozen_cluster terminated full locked
        schema absent);
for my $round (1 .. $ROUNDS) {
    note("round $round") if $ROUNDS > 1;
    $fault{$_}->() for @names;
}
note(join ', ', map {"$total{$_} $_"} sort keys %total);
done_testing;
