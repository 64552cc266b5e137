# The feed of changes: nothing is missed and nothing comes twice, whatever
# writers and readers do; who may read what; lost and gained access; waiting.
use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

my $WRITERS = 16;
my $SLOW = $ENV{ALLOY_TEST_WRAP} || $ENV{ALLOY_TEST_PRELOAD} ? 4 : 1;

my $server = AlloyTest->start(own => 1, children => 2);
my $ada = $server->register(name => 'Ada Owner');
my $org = $server->org($ada, name => 'Acme', slug => 'acme');
my %who = (Owner => $ada);
for my $role (qw(Admin Member Reporter Viewer)) {
    $who{$role} = $server->member(org => $org->{id}, by => $ada,
        role => $role, name => "Rita $role");
}
my %project = map { $_ => $server->project($ada, org_id => $org->{id},
    key => $_) } qw(WEB OPS);

sub pause { select undef, undef, undef, $_[0]; return }

sub join_project {
    my ($key, $person) = @_;
    $server->must(201, $server->post("/projects/$key/members",
        { user_id => $person->{user_id} }, token => $ada));
    return;
}

sub leave_project {
    my ($key, $person) = @_;
    $server->must(204, $server->delete(
        "/projects/$key/members/$person->{user_id}", token => $ada));
    return;
}

# One page, of the organization unless the query says otherwise.
sub page {
    my ($person, %query) = @_;
    my $path = delete $query{path} // '/changes';
    $query{org_id} //= 'acme' if $path eq '/changes';
    delete $query{org_id} if ($query{org_id} // '') eq '';
    return $server->must(200, $server->get($path, token => $person,
        query => \%query));
}

sub now_of { my ($person, @more) = @_;
    return page($person, after => 'now', @more)->{next_cursor} }

# All items from a cursor (or the beginning) on, and the cursor behind them.
sub walk {
    my ($person, %query) = @_;
    my @items;
    while (1) {
        my $page = page($person, %query);
        push @items, @{ $page->{items} };
        $query{after} = $page->{next_cursor};
        return (\@items, $query{after}) unless $page->{has_more};
    }
}

sub logged {
    my ($where, @bind) = @_;
    return [map { $_->{seq} } @{ $server->rows("SELECT seq FROM alloy.change
        WHERE org_id = ? AND $where ORDER BY seq", $org->{id}, @bind) }];
}

# Runs CODE in a process of its own; answers a sub that waits for what it gave.
sub meanwhile {
    my ($code) = @_;
    pipe my $read, my $write or die $!;
    my $pid = fork // die $!;
    if (!$pid) {
        close $read;
        my $told = eval { $code->() } // { fault => "$@" };
        print {$write} JSON::PP->new->utf8->encode($told);
        close $write;
        POSIX::_exit(0);
    }
    close $write;
    return sub {
        local ($/, $?);
        my $text = readline $read;
        waitpid $pid, 0;
        my $told = JSON::PP->new->utf8->decode($text);
        die $told->{fault} if defined $told->{fault};
        return $told;
    };
}

# A page that is waited for, with the seconds it took.
sub waiting {
    my ($person, %query) = @_;
    return meanwhile(sub {
        my $from = time;
        my $answer = $server->get('/changes', token => $person,
            query => { org_id => 'acme', %query });
        return { status => $answer->status, took => time - $from,
            page => $answer->json };
    });
}

# ---- pages ------------------------------------------------------------------

subtest 'pages and cursors' => sub {
    my $ticket = $server->ticket($ada, 'WEB', title => 'One');
    my ($all, $cursor) = walk($ada);
    is_deeply([map { $_->{seq} } @$all], logged('true'),
        'an Owner reads the whole log, in order');
    my ($made) = grep { $_->{entity_id} eq $ticket->{id} } @$all;
    is_deeply({ map { $_ => $made->{$_} } qw(operation entity_type project_id
        org_id actor_id actor_name client fields before version) },
        { operation => 'ticket_create', entity_type => 'ticket',
            project_id => $project{WEB}{id}, org_id => $org->{id},
            actor_id => $ada->{user_id}, actor_name => 'Ada Owner',
            client => 'rest', fields => [], before => undef, version => 1 },
        'a change with everything that is known of it');
    is($made->{after}{title}, 'One', 'and what it made');
    my ($paged) = walk($ada, limit => 3);
    is_deeply($paged, $all, 'pages of three are the same');
    is_deeply((walk($ada, after => $cursor))[0], [], 'nothing is behind it');

    $server->must(200, $server->patch('/tickets/WEB-1', { title => 'Two' },
        token => $ada));
    $server->must(204, $server->delete('/tickets/WEB-1', token => $ada));
    my ($since, $later) = walk($ada, after => $cursor);
    is_deeply([map { $_->{operation} } @$since],
        [qw(ticket_update ticket_delete)], 'an update and a deletion since');
    is_deeply($since->[1]{fields}, ['deleted_at'], 'which says so');
    is_deeply((walk($ada, after => $cursor))[0], $since,
        'the same cursor answers the same');
    my $end = page($ada, after => $later);
    ok(delete $end->{next_cursor}, 'at the end there is a cursor');
    is_deeply($end, { items => [], has_more => json_false }, 'and nothing');
    is_deeply([sort keys %{ page($ada, fields => 'items,has_more') }],
        [qw(has_more items)], 'fields');
};

subtest 'one project' => sub {
    my %of = (path => '/projects/OPS/changes');
    my ($before, $cursor) = walk($ada, %of);
    $server->ticket($ada, 'WEB');
    my $ticket = $server->ticket($ada, 'OPS');
    my ($items) = walk($ada, %of, after => $cursor);
    is_deeply([map { $_->{entity_id} } @$items], [$ticket->{id}],
        'only what happens in it');
    is_deeply([map { $_->{seq} } @$before, @$items],
        logged('project_id = ?', $project{OPS}{id}), 'and all of that');
    is_problem($server->get('/projects/OPS/changes', token => $who{Viewer}),
        404, 'not_found');
    is_problem($server->get("/projects/$project{OPS}{id}/changes",
        token => $who{Viewer}), 404, 'not_found');
};

subtest 'input' => sub {
    my $cursor = now_of($ada);
    my $refused = sub {
        my ($what, $person, $path, %query) = @_;
        is_problem($server->get($path, token => $person, query => \%query),
            422, 'validation_failed', errors => { after => 'foreign_cursor' });
    };
    my %acme = (org_id => 'acme');
    $refused->('another caller', $who{Admin}, '/changes', %acme,
        after => $cursor);
    $refused->('another filter', $ada, '/changes', after => $cursor);
    $refused->('another feed', $ada, '/projects/WEB/changes',
        after => $cursor);
    $refused->('rubbish', $ada, '/changes', %acme, after => $_)
        for 'x', 'nowhere', $cursor . 'AAAA', substr($cursor, 0, 20),
            '=' x 44, 'A' x 4000;
    is_problem($server->get('/changes', token => $ada,
        query => { wait => 61, limit => 0 }), 422, 'validation_failed',
        errors => { wait => 'too_large', limit => 'too_small' });
    is_problem($server->get('/changes'), 401, 'unauthorized');
    my $plain = do { (my $text = $cursor) =~ tr/-_/+\//;
        require MIME::Base64; MIME::Base64::decode_base64($text . '==') };
    for my $forged ('1/2/3', '9:5:', '5:9:9', '5:9:4', '5:9:7,6', '0:1:',
        '5:9:7,', '5:99999999999999999999:', 'x', "5:9:\0") {
        (my $bytes = $plain) =~ s{\d+:\d+:[\d,]*}{$forged};
        my $text = MIME::Base64::encode_base64($bytes, '');
        $text =~ tr{+/}{-_};
        $text =~ s/=+$//;
        $refused->("forged: $forged", $ada, '/changes', %acme,
            after => $text);
    }
};

# ---- rights -----------------------------------------------------------------

subtest 'roles' => sub {
    join_project(WEB => $_) for @who{qw(Member Reporter Viewer)};
    my $invites = logged(q{entity_type = 'invite'});
    my $hidden = logged('project_id = ?', $project{OPS}{id});
    ok(@$invites && @$hidden, 'there is something to leave out');
    my ($all) = walk($who{Admin});
    is_deeply([map { $_->{seq} } @$all], logged('true'),
        'an Admin reads everything');
    my %out = map { $_ => 1 } @$invites, @$hidden;
    for my $role (qw(Member Reporter Viewer)) {
        my ($items) = walk($who{$role});
        is_deeply([map { $_->{seq} } @$items],
            [grep { !$out{$_} } @{ logged('true') }],
            "a $role: no invites, nothing of other projects");
    }
    my $stranger = $server->register(name => 'Sam Stranger');
    is_problem($server->get('/changes', token => $stranger,
        query => { org_id => 'acme' }), 422, 'validation_failed');
    my ($own) = walk($stranger, org_id => '');
    ok(!(grep { $_->{org_id} eq $org->{id} } @$own), 'a stranger: nothing');
};

# What the first item of the next page says, and the rest of it.
sub sight {
    my ($person, $cursor, %query) = @_;
    my ($items, $next) = walk($person, after => $cursor, %query);
    my $first = @$items && $items->[0]{operation} eq 'access'
        ? shift @$items : undef;
    $_[1] = $next;
    return $first && { map { $_ => [sort @{ $first->{$_} }] } qw(lost gained) };
}

subtest 'access lost and gained' => sub {
    my $member = $who{Member};
    my $cursor = now_of($member);
    my %is = map { $_ => $project{$_}{id} } qw(WEB OPS);
    join_project(OPS => $member);
    is_deeply(sight($member, $cursor), { lost => [], gained => [$is{OPS}] },
        'a project more');
    is(sight($member, $cursor), undef, 'which is said once');
    leave_project($_ => $member) for qw(WEB OPS);
    is_deeply(sight($member, $cursor), { gained => [],
        lost => [sort values %is] }, 'none left');
    join_project(WEB => $member);
    leave_project(WEB => $member);
    is(sight($member, $cursor), undef, 'there and back is nothing');
    my $own = $server->project($member, org_id => $org->{id}, key => 'OWN');
    my ($items) = walk($member, after => $cursor);
    is_deeply([map { $_->{operation} } @$items], [('project_create') x 2],
        'a project one makes is no gain, its changes are there');
    $cursor = now_of($member);
    my $seen = $server->project($ada, org_id => $org->{id}, key => 'NEW');
    $server->must(200, $server->patch('/orgs/acme',
        { project_visibility => 'org' }, token => $ada));
    is_deeply(sight($member, $cursor), { lost => [],
        gained => [sort values %is] },
        'visibility of the whole organization; what is new is no gain');
    $server->must(200, $server->patch('/orgs/acme',
        { project_visibility => 'members' }, token => $ada));
    is_deeply(sight($member, $cursor), { gained => [],
        lost => [sort values %is, $seen->{id}] }, 'and no more');
    my $path = "/orgs/acme/members/$member->{user_id}";
    $server->must(200, $server->patch($path, { role => 'Admin' },
        token => $ada));
    is_deeply(sight($member, $cursor), { lost => [],
        gained => [sort values %is, $seen->{id}] }, 'a higher role');
    $server->must(200, $server->patch($path, { role => 'Member' },
        token => $ada));
    sight($member, $cursor);

    join_project(WEB => $member);
    my $filtered = now_of($member, path => '/projects/WEB/changes');
    my $everywhere = now_of($member, org_id => '');
    sight($member, $cursor);
    $server->must(204, $server->delete($path, token => $ada));
    is_deeply(sight($member, $everywhere, org_id => ''), { gained => [],
        lost => [sort $is{WEB}, $own->{id}] }, 'out of the organization');
    is_problem($server->get('/projects/WEB/changes', token => $member,
        query => { after => $filtered }), 404, 'not_found');
    is_problem($server->get('/changes', token => $member,
        query => { after => $cursor, org_id => 'acme' }),
        422, 'validation_failed');
};

subtest 'access that changes in the middle of a read' => sub {
    my $viewer = $who{Viewer};
    join_project(OPS => $viewer);
    my $cursor = now_of($viewer);
    $server->ticket($ada, $_) for qw(WEB OPS) x 4;
    my $page = page($viewer, after => $cursor, limit => 3);
    is(scalar @{ $page->{items} }, 3, 'the first page');
    leave_project(OPS => $viewer);
    my ($rest) = walk($viewer, after => $page->{next_cursor}, limit => 2);
    is_deeply($rest->[0], { operation => 'access', gained => [],
        lost => [$project{OPS}{id}] }, 'the next one begins with the loss');
    my @left = grep { $_->{operation} ne 'access' } @$rest;
    is_deeply([sort map { $_->{project_id} // '' } @left],
        [($project{WEB}{id}) x 2], 'and has only what is left');
};

subtest 'a key of one project' => sub {
    my $key = $server->must(201, $server->post('/auth/api-keys',
        { name => 'reader', org_id => $org->{id}, scopes => ['changes:read'],
            project_ids => [$project{WEB}{id}] }, token => $ada));
    my ($items, $cursor) = walk($key->{key});
    is_deeply([grep { $_ ne $project{WEB}{id} }
        map { $_->{project_id} // () } @$items], [], 'nothing of others');
    is(sight($key->{key}, $cursor), undef, 'and no loss of others');
};

# ---- many writers -----------------------------------------------------------

# Writes with a connection of its own until the file is gone: transactions that
# have an id long before they write, that write several rows, that give up.
sub write_until {
    my ($gone, $number, @tickets) = @_;
    srand 1000 + $number;
    my $dbh = $server->new_dbh('admin');
    while (-e $gone) {
        $dbh->begin_work;
        $dbh->do('SELECT pg_current_xact_id()');
        pause(rand 0.05) if rand() < 0.5;
        for my $ticket (map { $tickets[rand @tickets] } 0 .. rand 3) {
            $dbh->do('SET LOCAL lock_timeout = 100');
            last if !eval {
                $dbh->do('UPDATE alloy.ticket SET title = ? WHERE id = ?',
                    undef, "by $number at " . time, $ticket);
                1;
            };
            pause(rand 0.02) if rand() < 0.2;
        }
        eval { rand() < 0.9 ? $dbh->commit : $dbh->rollback; 1 }
            or $dbh->rollback;
    }
    return {};
}

# Reads on and on; each page is one line of the file, with the cursor behind it.
sub read_into {
    my ($file, $start) = @_;
    my $cursor = $start;
    if (open my $in, '<', $file) {
        my @lines = grep {/\n$/} <$in>;
        $cursor = JSON::PP::decode_json($lines[-1])->{next} if @lines;
        truncate $file, do { my $size = 0; $size += length for @lines; $size };
    }
    open my $out, '>>', $file or die $!;
    while (1) {
        my $page = page($ada, after => $cursor, limit => 1 + int rand 20,
            rand() < 0.3 ? (wait => 1) : ());
        $cursor = $page->{next_cursor};
        next unless @{ $page->{items} };
        syswrite $out, JSON::PP::encode_json({ next => $cursor,
            items => [map { [@$_{qw(seq entity_id version)}] }
                @{ $page->{items} }] }) . "\n";
    }
}

sub begin_reader {
    my ($file, $start, $number) = @_;
    my $pid = fork // die $!;
    return $pid if $pid;
    srand $number;
    eval { read_into($file, $start) };
    print STDERR "reader: $@" if $@;
    POSIX::_exit(0);
}

subtest "$WRITERS writers, a reader that is killed again and again" => sub {
    my $gone = $server->dir . '/writing';
    my $file = $server->dir . '/read';
    my @tickets = map { $server->ticket($ada, 'WEB')->{id} } 1 .. 6;
    open my $touch, '>', $gone or die $!;
    my $idle = $server->{cluster}->connect('postgres', 'postgres');
    $idle->begin_work;
    $idle->do('SELECT pg_current_xact_id()');
    my $from = $server->rows('SELECT max(seq) AS seq FROM alloy.change')
        ->[0]{seq};
    my $start = now_of($ada);
    my @writers = map { my $n = $_;
        meanwhile(sub { write_until($gone, $n, @tickets) }) } 1 .. $WRITERS;
    my $reader = begin_reader($file, $start, 1);
    my $kill = sub { kill KILL => $reader; waitpid $reader, 0; return };
    for my $round (2 .. 25) {
        pause(0.05 + rand 0.35);
        $kill->();
        $reader = begin_reader($file, $start, $round);
    }
    unlink $gone;
    $_->() for @writers;
    my $last = logged('seq > ?', $from);
    my @read;
    my $done = eval { wait_for {
        open my $in, '<', $file or return;
        @read = map { @{ JSON::PP::decode_json($_)->{items} } }
            grep {/\n$/} <$in>;
        @read >= @$last;
    } 'the reader has all', 20 * $SLOW; 1 };
    $kill->();
    $idle->rollback;
    local $? = 0;
    cmp_ok(scalar @$last, '>', 200, 'there was something to read');
    my %times;
    $times{ $_->[0] }++ for @read;
    is_deeply([grep { $times{$_} > 1 } sort keys %times], [],
        'nothing came twice');
    is_deeply([grep { !$times{$_} } @$last], [], 'nothing was missed');
    my (%version, @inverted);
    for my $item (@read) {
        my ($seq, $entity, $version) = @$item;
        push @inverted, $seq if ($version{$entity} // 0) >= $version;
        $version{$entity} = $version;
    }
    is_deeply(\@inverted, [], 'each ticket in its order');
    my @jumps = grep { $read[$_][0] < $read[$_ - 1][0] } 1 .. $#read;
    note scalar(@read), ' changes read, ', scalar(@jumps),
        ' places where seq alone would have lost some';
    ok(scalar @jumps, 'transactions did overtake each other');
};

# ---- waiting ----------------------------------------------------------------

subtest 'waiting' => sub {
    my $cursor = now_of($ada);
    my $from = time;
    is_deeply(page($ada, after => $cursor, wait => 1)->{items}, [],
        'nothing happens');
    cmp_ok(time - $from, '>=', 0.9, 'for a second');
    my @took;
    for (1 .. 8) {
        $cursor = now_of($ada);
        my $answer = waiting($ada, after => $cursor, wait => 30);
        pause(0.2);
        my $at = time;
        $server->ticket($ada, 'WEB', title => 'Awaited');
        my $told = $answer->();
        push @took, time - $at;
        is($told->{page}{items}[0]{after}{title}, 'Awaited', 'it comes');
    }
    my ($median) = (sort { $a <=> $b } @took)[4];
    note sprintf 'answered after %.0f ms, at most %.0f', 1000 * $median,
        1000 * (sort { $b <=> $a } @took)[0];
    cmp_ok((sort { $b <=> $a } @took)[0], '<', 5 * $SLOW, 'soon');

    $cursor = now_of($ada);
    my $answer = waiting($ada, after => $cursor, wait => 30);
    pause(0.2);
    $server->dbh('admin')->do('UPDATE alloy.ticket SET title = ?
        WHERE id = (SELECT id FROM alloy.ticket WHERE org_id = ?
                    AND deleted_at IS NULL LIMIT 1)', undef, 'By hand',
        $org->{id});
    my $told = $answer->();
    is($told->{page}{items}[0]{after}{title}, 'By hand',
        'what nobody tells of is found as well');
    cmp_ok($told->{took}, '<', 5 * $SLOW, 'soon');
};

subtest 'the other child' => sub {
    # with two children every second waiter is in the other one
    my $cursor = now_of($ada);
    my @answers = map { waiting($ada, after => $cursor, wait => 30) } 1 .. 6;
    pause(0.5);
    my $at = time;
    $server->ticket($ada, 'WEB', title => 'For all');
    my @told = map { $_->() } @answers;
    is(scalar(grep { $_->{page}{items}[0]{after}{title} eq 'For all' } @told),
        6, 'all of them hear of it');
    note sprintf 'all within %.0f ms', 1000 * (time - $at);
    cmp_ok(time - $at, '<', 5 * $SLOW, 'soon');
};

subtest 'a waiter holds no connection' => sub {
    my $cursor = now_of($ada);
    my @answers = map { waiting($ada, after => $cursor, wait => 4) } 1 .. 10;
    pause(0.5);
    my ($busy, $looks) = (0, 0);
    my $until = time + 2;
    while (time < $until) {
        my $row = $server->rows(q{SELECT count(*) FILTER
            (WHERE state <> 'idle') AS busy, count(*) FILTER
            (WHERE state = 'idle in transaction') AS open
            FROM pg_stat_activity WHERE usename = 'alloy_app'
             AND datname = ?}, $server->database)->[0];
        is($row->{open}, 0, 'no transaction is open') if $row->{open};
        $busy += $row->{busy};
        $looks++;
        pause(0.05);
    }
    cmp_ok($busy, '<', 10 * $looks / 4, 'connections are idle meanwhile');
    is_deeply([map { $_->()->{status} } @answers], [(200) x 10], 'answered');
};

subtest 'more waiters than may wait' => sub {
    my $small = AlloyTest->start(with => $server, children => 1,
        conf => "ThreadsPerChild 8\n");
    my $key = $server->must(201, $server->post('/auth/api-keys',
        { name => 'waiter', org_id => $org->{id} }, token => $ada))->{key};
    my $cursor = now_of($key);
    my $wait = sub {
        my ($seconds) = @_;
        return meanwhile(sub {
            my $from = time;
            my $answer = $small->get('/changes', token => $key, query =>
                { org_id => 'acme', after => $cursor, wait => $seconds });
            return { status => $answer->status, took => time - $from };
        });
    };
    my @answers = map { $wait->(3) } 1 .. 7;
    my @told = map { $_->() } @answers;
    is_deeply([map { $_->{status} } @told], [(200) x 7], 'all are answered');
    is(scalar(grep { $_->{took} > 2.5 } @told), 4, 'half of the threads wait');
    is(scalar(grep { $_->{took} < 1.5 } @told), 3, 'the others do not');
    my $answer = $wait->(30);
    pause(0.5);
    $small->restart('graceful');
    my $told = $answer->();
    is($told->{status}, 200, 'a graceful restart');
    cmp_ok($told->{took}, '<', 4 * $SLOW, 'ends the waiting');
    $small->stop;
};

subtest 'PostgreSQL restarts meanwhile' => sub {
    $server->expect_log(qr/AL0102/);
    my $cursor = now_of($ada);
    my $answer = waiting($ada, after => $cursor, wait => 40);
    pause(0.5);
    $server->postgres_stop('fast');
    pause(1);
    $server->postgres_start;
    wait_for {
        $server->get('/tickets', token => $ada)->status;
        $server->post('/projects/WEB/tickets', { title => 'Afterwards' },
            token => $ada)->status == 201;
    } 'service again', 20;
    my $told = $answer->();
    is($told->{status}, 200, 'the waiter is answered');
    is($told->{page}{items}[0]{after}{title}, 'Afterwards',
        'with what happened afterwards');
    cmp_ok($told->{took}, '<', 15 * $SLOW, 'soon');
};

# ---- after a restore --------------------------------------------------------

subtest 'a restore' => sub {
    my $cursor = now_of($ada);
    $server->dbh('owner')->do('CALL alloy.restart_feed()');
    is_problem($server->get('/changes', token => $ada,
        query => { org_id => 'acme', after => $cursor }), 410,
        'cursor_expired');
    my ($all, $next) = walk($ada);
    is_deeply([map { $_->{seq} } @$all], logged('true'),
        'the log can be read from its beginning');
    my $ticket = $server->ticket($ada, 'WEB');
    is_deeply([map { $_->{entity_id} }
        @{ (walk($ada, after => $next))[0] }], [$ticket->{id}],
        'and on from there');
};

done_testing;
