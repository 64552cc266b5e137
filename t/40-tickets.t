# Tickets: making, reading, changing, moving and deleting them; what the row and
# the change log hold afterwards; who may; and many who do it at once.
use strict;
use warnings;
use utf8;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Together;
use JSON::PP ();
use Test::More;

my $server = AlloyTest->start(children => 2);
my $ada = $server->register(name => 'Ada Owner');
my $stranger = $server->register(name => 'Sam Stranger');
my $org = $server->org($ada, name => 'Acme', slug => 'acme');
my %who = (Owner => $ada);
for my $role (qw(Admin Member Reporter Viewer)) {
    $who{$role} = $server->member(org => $org->{id}, by => $ada,
        role => $role, name => "Rita $role");
}
my $web = project('WEB');
my @STATUSES = qw(Backlog Todo InProgress InReview Done Cancelled);

# A project everybody of %who is in.
sub project {
    my ($key) = @_;
    my $made = $server->project($ada, org_id => $org->{id}, key => $key,
        name => "Project $key");
    $server->must(201, $server->post("/projects/$made->{id}/members",
        { user_id => $_->{user_id} }, token => $ada))
        for @who{qw(Member Reporter Viewer)};
    return $made;
}

sub create {
    my ($by, %fields) = @_;
    return $server->post('/projects/WEB/tickets', \%fields, token => $by);
}

sub change {
    my ($by, $ticket, %fields) = @_;
    return $server->patch("/tickets/$ticket", \%fields, token => $by);
}

sub move {
    my ($by, $ticket, $status) = @_;
    return $server->post("/tickets/$ticket/transition", { status => $status },
        token => $by);
}

sub look { return $server->must(200, $server->get("/tickets/$_[0]",
    token => $ada)) }

sub row { return $server->rows('SELECT * FROM alloy.ticket WHERE id = ?',
    $_[0])->[0] }

# The ticket's part of the log, oldest first.
sub changes {
    my ($id) = @_;
    return @{ $server->rows(q{SELECT change_id, actor, client, operation,
        version, fields, before, after, request_id FROM alloy.change
        WHERE entity_type = 'ticket' AND entity_id = ? ORDER BY seq}, $id) };
}

sub counter { return $server->rows('SELECT ticket_counter AS n
    FROM alloy.project WHERE id = ?', $web->{id})->[0]{n} }

sub json_of { return JSON::PP->new->decode($_[0]) }

# ---- making -----------------------------------------------------------------

subtest 'everything at once' => sub {
    my $answer = create($who{Member}, title => 'Design wireframes',
        description => "# Why\n\nBecause \"ünïcode\" \x{1f680}\n",
        type => 'story', priority => 'urgent', status => 'inprogress',
        assignee_id => 'Rita Admin', comment => "First!\n");
    status_is($answer, 201);
    my %is = %{ $answer->json };
    like($answer->header('Location'), qr{/tickets/$is{id}$}, 'Location');
    is(substr($is{id}, 14, 4), substr($org->{id}, 14, 4),
        'its id tells its organization\'s shard');
    like(delete $is{$_}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, $_)
        for qw(created_at updated_at);
    my $id = delete $is{id};
    is_deeply(\%is, { project_id => $web->{id}, key => 'WEB-1',
        ticket_number => 1, title => 'Design wireframes',
        description => "# Why\n\nBecause \"ünïcode\" \x{1f680}\n",
        type => 'Story', status => 'InProgress', category => 'in_progress',
        priority => 'Critical', reporter_id => $who{Member}{user_id},
        assignee_id => $who{Admin}{user_id}, sprint_id => undef,
        parent_id => undef, points => undef, due_date => undef, labels => [],
        version => 1,
        closed_at => undef }, 'all fields, in their own spelling');

    my ($made, @more) = changes($id);
    is(scalar @more, 0, 'one row in the log');
    is_deeply([ @{$made}{qw(change_id actor client operation version before
        fields request_id)} ], [ $answer->header('Alloy-Change-Id'),
        $who{Member}{user_id}, 'rest', 'ticket_create', 1, undef, [],
        $answer->header('X-Request-Id') ], 'it says who did what how');
    my $after = json_of($made->{after});
    is_deeply([ @{$after}{qw(title status priority ticket_number)} ],
        [ 'Design wireframes', 'InProgress', 'Critical', 1 ], 'and what');
    is_deeply($server->rows('SELECT c.ticket_id, c.project_id, c.author_id,
        c.body, l.change_id, l.parent_id FROM alloy.comment c
        JOIN alloy.change l ON l.entity_id = c.id WHERE c.ticket_id = ?', $id),
        [ { ticket_id => $id, project_id => $web->{id},
            author_id => $who{Member}{user_id}, body => "First!\n",
            change_id => $answer->header('Alloy-Change-Id'),
            parent_id => $id } ], 'the comment belongs to the same change');
};

subtest 'what is left out' => sub {
    my $is = create($who{Reporter}, title => 'Bare')->json;
    is_deeply([ @{$is}{qw(key description type status category priority
        assignee_id reporter_id closed_at)} ], [ 'WEB-2', undef, 'Task',
        'Backlog', 'todo', 'Medium', undef, $who{Reporter}{user_id}, undef ],
        'defaults, the first status and the caller');
    my $done = create($ada, title => 'Old', status => 'DONE',
        reporter_id => $who{Viewer}{email})->json;
    ok($done->{closed_at}, 'one that begins as done is closed');
    is($done->{reporter_id}, $who{Viewer}{user_id},
        'an Admin may name who asked');
    is(create($who{Member}, title => 'Self', assignee_id => 'me',
        reporter_id => 'me')->json->{assignee_id}, $who{Member}{user_id},
        'me is the caller');
};

subtest 'faults in the input, all at once' => sub {
    my $count = counter();
    is_problem(create($ada), 422, 'validation_failed',
        errors => { '/title' => 'required' });
    is_problem(create($ada, title => "two\nlines", type => 'Wish',
        priority => 'Soon', description => 7, status => '', sprint => 'x'),
        422, 'validation_failed', errors => [ map {"/$_"} qw(title type
        priority description status sprint) ]);
    is_problem(create($ada, title => '   '), 422, 'validation_failed',
        errors => { '/title' => 'blank' });
    is_problem(create($ada, title => 'x' x 501), 422, 'validation_failed',
        errors => { '/title' => 'too_long' });
    status_is(create($ada, title => "\x{1f680}" x 500,
        description => 'x' x 65536), 201, 'limits count characters');
    is_problem(create($ada, title => 'x', description => "\x{20ac}" x 30000),
        422, 'validation_failed', errors => ['/description'],
        name => 'a long text is measured in bytes');
    is_problem(create($ada, title => 'x', assignee_id => 'nobody@example.com'),
        422, 'validation_failed', errors => ['/assignee_id']);
    is_problem(create($ada, title => 'x', assignee_id => $stranger->{user_id}),
        422, 'validation_failed', errors => ['/assignee_id']);
    is_problem(create($ada, title => 'x', reporter_id => 'none'),
        422, 'validation_failed',
        errors => { '/reporter_id' => 'reporter_required' });
    my $answer = create($ada, title => 'x', status => 'Someday');
    is_problem($answer, 422, 'validation_failed',
        errors => { '/status' => 'unknown_status' });
    is_deeply($answer->json->{errors}[0]{allowed}, \@STATUSES,
        'the names there are, in workflow order');
    is(counter(), $count + 1, 'refused ones take no number');
};

subtest 'who may' => sub {
    is_problem(create($who{Viewer}, title => 'x'), 403, 'forbidden',
        detail => qr/Reporter/);
    is_problem(create($who{Reporter}, title => 'x', status => 'Todo'),
        403, 'forbidden', errors => ['/status'], detail => qr/Member/);
    is_problem(create($who{Reporter}, title => 'x', assignee_id => 'me'),
        403, 'forbidden', errors => ['/assignee_id']);
    is_problem(create($who{$_}, title => 'x',
        reporter_id => $ada->{user_id}), 403, 'forbidden',
        errors => ['/reporter_id'], detail => qr/Admin/)
        for qw(Reporter Member);
    status_is(create($who{Reporter}, title => 'x', description => 'y',
        type => 'Bug', priority => 'Low', comment => 'z',
        reporter_id => $who{Reporter}{user_id}), 201,
        'what a Reporter may send');
    my $theirs = create($stranger, title => 'x');
    is_problem($theirs, 404, 'not_found');
    is_problem($server->post("/projects/$_/tickets", { title => 'x' },
        token => $who{Reporter}), 404, 'not_found')
        for 'NOPE', '01900000-0000-7000-8000-000000000000';
    $server->project($ada, org_id => $org->{id}, key => 'HID', name => 'Hid');
    is_problem($server->post('/projects/HID/tickets', { title => 'x' },
        token => $who{Member}), 404, 'not_found',
        name => 'a project one is not in is not there');
    is_problem($server->post('/projects/WEB/tickets', { title => 'x' }), 401,
        'unauthorized');
};

subtest 'an archived project' => sub {
    my $old = project('OLD');
    my $busy = project('OLDER');
    my $made = $server->ticket($ada, 'OLDER');
    $server->must(200, $server->patch("/projects/$_", { archived => json_true },
        token => $ada)) for qw(OLD OLDER);
    my %refused = (token => $ada);
    is_problem($_, 409, 'invalid_state', detail => qr/archived/) for
        $server->patch('/tickets/OLDER-1', { title => 'x' }, %refused),
        $server->post('/tickets/OLDER-1/transition', { status => 'Done' },
            %refused),
        $server->post('/tickets/OLDER-1/comments', { body => 'x' }, %refused),
        $server->post('/tickets/batch', { operations => [
            { ticket => 'OLDER-1', title => 'x' }] }, %refused);
    is_deeply($server->get('/tickets/OLDER-1', token => $ada)->json, $made,
        'its tickets stay as they are');
    $server->must(200, $server->patch('/projects/OLDER',
        { archived => json_false }, token => $ada));
    status_is($server->patch('/tickets/OLDER-1', { title => 'x' }, %refused),
        200, 'opened again');
    is_problem($server->post('/projects/OLD/tickets', { title => 'x' },
        token => $ada), 409, 'invalid_state', detail => qr/archived/);
    is($server->rows('SELECT count(*) AS n FROM alloy.ticket
        WHERE project_id = ?', $old->{id})->[0]{n}, 0, 'takes no ticket');
};

subtest 'fifty at once are 1 to 50' => sub {
    my $busy = project('BUSY');
    my @by = @who{qw(Owner Admin Member Reporter)};
    for my $round (0, 1) {
        my @answers = together(map {
            my $n = $_;
            sub { $server->post('/projects/BUSY/tickets',
                { title => "T$n", comment => "C$n" }, token => $by[$n % 4]) }
        } 1 .. 25);
        is_deeply([ sort { $a <=> $b } map { $_->json->{ticket_number} }
            @answers ], [ 1 + 25 * $round .. 25 + 25 * $round ],
            'no gap, none twice');
    }
    is_deeply($server->rows('SELECT count(*) AS tickets, (SELECT count(*)
        FROM alloy.comment WHERE project_id = $1) AS comments, (SELECT
        ticket_counter FROM alloy.project WHERE id = $1) AS counter,
        (SELECT version FROM alloy.project WHERE id = $1) AS version
        FROM alloy.ticket WHERE project_id = $1', $busy->{id}),
        [ { tickets => 50, comments => 50, counter => 50, version => 1 } ],
        'all are there, and the project is as it was');
};

# ---- reading ----------------------------------------------------------------

subtest 'by id and by key' => sub {
    my $is = create($ada, title => 'Find me')->json;
    for my $name ($is->{id}, uc $is->{id}, $is->{key}, lc $is->{key}) {
        is_deeply(look($name), $is, "$name is the ticket");
    }
    status_is($server->get("/tickets/$is->{key}", token => $who{$_}), 200,
        "$_ reads it") for qw(Admin Member Reporter Viewer);
    is_problem($server->get("/tickets/$_", token => $ada), 404, 'not_found')
        for qw(WEB-0 WEB-99999 WEB- WEB-1x NOPE-1 WEB-999999999999999999999),
        'WEB', '01900000-0000-7000-8000-000000000000';
};

subtest 'a stranger can tell nothing' => sub {
    my $is = create($ada, title => 'Secret')->json;
    my $absent = $is->{id} =~ s/.{12}$/000000000000/r;
    my %text;
    for my $name ($is->{id}, $absent, $is->{key}, 'NOPE-1') {
        my $answer = $server->get("/tickets/$name", token => $stranger);
        is_problem($answer, 404, 'not_found');
        my %problem = %{ $answer->json };
        delete $problem{request_id};
        $problem{$_} =~ s/\Q$name\E/it/gi for grep { defined $problem{$_} }
            qw(detail instance);
        $text{ join '|', map {"$_=$problem{$_}"} sort keys %problem }++;
    }
    is(scalar keys %text, 1, 'foreign and absent ones read the same')
        or diag(join "\n", sort keys %text);
    is_problem(change($stranger, $is->{id}, title => 'Mine'), 404,
        'not_found');
    is_problem(move($stranger, $is->{id}, 'Done'), 404, 'not_found');
    is_problem($server->delete("/tickets/$is->{id}", token => $stranger), 404,
        'not_found');
    is_deeply(look($is->{id}), $is, 'and change nothing');
};

subtest 'the same key in two organizations' => sub {
    my $other = $server->org($ada, name => 'Other', slug => 'other');
    $server->project($ada, org_id => $other->{id}, key => 'WEB',
        name => 'Web too');
    my $answer = $server->get('/projects/WEB', token => $ada);
    is_problem($answer, 409, 'ambiguous_reference');
    my ($theirs) = map { $_->{id} } grep { $_->{id} ne $web->{id} }
        @{ $answer->json->{candidates} };
    my $twin = $server->must(201, $server->post("/projects/$theirs/tickets",
        { title => 'Twin' }, token => $ada));
    is($twin->{key}, 'WEB-1', 'numbers begin anew');
    $answer = $server->get('/tickets/web-1', token => $ada);
    is_problem($answer, 409, 'ambiguous_reference');
    is_deeply([ map { $_->{label} } @{ $answer->json->{candidates} } ],
        [ 'WEB-1', 'WEB-1' ], 'both are named');
    $server->must(200, $server->patch('/auth/me',
        { default_org_id => $other->{id} }, token => $ada));
    is(look('WEB-1')->{id}, $twin->{id}, 'the default organization wins');
    $server->must(200, $server->patch('/auth/me',
        { default_org_id => $org->{id} }, token => $ada));
    isnt(look('WEB-1')->{id}, $twin->{id}, 'whichever it is');
};

# ---- changing ---------------------------------------------------------------

subtest 'the fields that are sent and no others' => sub {
    my $old = create($ada, title => 'Before', description => 'Old text',
        priority => 'Low')->json;
    my $answer = change($who{Member}, $old->{key}, title => 'After',
        description => undef, priority => 'HIGH', type => 'Bug',
        assignee_id => $who{Viewer}{email});
    status_is($answer, 200);
    my $new = $answer->json;
    cmp_ok($new->{updated_at}, 'gt', $old->{updated_at}, 'updated_at moved');
    is_deeply($new, { %$old, title => 'After', description => undef,
        priority => 'High', type => 'Bug',
        assignee_id => $who{Viewer}{user_id}, version => 2,
        updated_at => $new->{updated_at} }, 'the answer');
    is_deeply(look($old->{id}), $new, 'is what is there');
    my (undef, $log) = changes($old->{id});
    is_deeply([ @{$log}{qw(change_id actor operation version)},
        [ sort @{ $log->{fields} } ] ], [ $answer->header('Alloy-Change-Id'),
        $who{Member}{user_id}, 'ticket_update', 2,
        [qw(assignee_id description priority title type)] ], 'the log');
    is_deeply(json_of($log->{before}), { title => 'Before', priority => 'Low',
        description => 'Old text', type => 'Task', assignee_id => undef },
        'before');
    is_deeply(json_of($log->{after}), { title => 'After', priority => 'High',
        type => 'Bug', assignee_id => $who{Viewer}{user_id} },
        'after, without the long text');
    is(change($ada, $old->{key}, assignee_id => 'none')->json->{assignee_id},
        undef, 'none is nobody');
    is(change($ada, $old->{key}, reporter_id => 'Rita Member')
        ->json->{reporter_id}, $who{Member}{user_id}, 'an Admin, a reporter');
};

subtest 'nothing changes' => sub {
    my $old = create($ada, title => 'Same', status => 'Todo')->json;
    for my $fields ({}, { title => 'Same' }, { status => 'todo' },
        { title => 'Same', priority => 'medium', assignee_id => undef }) {
        my $answer = change($ada, $old->{id}, %$fields);
        status_is($answer, 200);
        is_deeply($answer->json, $old, 'the ticket is as it was');
    }
    is(scalar changes($old->{id}), 1, 'and the log says nothing');
};

subtest 'refused changes' => sub {
    my $is = create($ada, title => 'Fixed')->json;
    is_problem(change($ada, $is->{id}, title => undef, type => undef,
        id => 'x', ticket_number => 7, status => ''), 422,
        'validation_failed', errors => [ map {"/$_"} qw(title type id
        ticket_number status) ]);
    is_problem(change($ada, $is->{id}, reporter_id => 'none'), 422,
        'validation_failed', errors => { '/reporter_id' => undef });
    my $answer = change($ada, $is->{id}, title => 'New', status => 'Nowhere');
    is_problem($answer, 422, 'validation_failed',
        errors => { '/status' => 'unknown_status' });
    is_deeply($answer->json->{errors}[0]{allowed}, \@STATUSES, 'allowed');
    is_problem(change($who{Member}, $is->{id},
        reporter_id => $who{Member}{user_id}), 403, 'forbidden',
        errors => ['/reporter_id']);
    is_problem(change($who{$_}, $is->{id}, title => 'x'), 403, 'forbidden',
        detail => qr/Member/) for qw(Reporter Viewer);
    is_problem($server->request('PATCH', "/tickets/$is->{id}", token => $ada,
        body => '[]', type => 'application/merge-patch+json'), 422,
        'validation_failed');
    is_deeply(look($is->{id}), $is, 'the ticket is as it was');
};

subtest 'two change different fields at once' => sub {
    my $is = create($ada, title => 'Both')->json;
    for my $n (1 .. 5) {
        my @answers = together(
            sub { change($ada, $is->{id}, title => "Title $n") },
            sub { change($who{Member}, $is->{id}, description => "D $n") },
            sub { change($who{Admin}, $is->{id},
                priority => $n % 2 ? 'High' : 'Low') });
        is_deeply([ map { $_->status } @answers ], [ 200, 200, 200 ],
            'all three succeed');
    }
    my $end = look($is->{id});
    is_deeply([ @{$end}{qw(title description priority version)} ],
        [ 'Title 5', 'D 5', 'High', 16 ], 'none is lost');
};

# ---- moving -----------------------------------------------------------------

subtest 'from status to status' => sub {
    my $is = create($ada, title => 'Traveller')->json;
    my $answer = move($who{Member}, $is->{key}, 'inreview');
    status_is($answer, 200);
    is_deeply([ @{ $answer->json }{qw(status category version closed_at)} ],
        [ 'InReview', 'in_progress', 2, undef ], 'any letter case');
    my (undef, $log) = changes($is->{id});
    is_deeply([ @{$log}{qw(change_id operation fields)} ],
        [ $answer->header('Alloy-Change-Id'), 'ticket_transition',
        ['status'] ], 'the log');
    is_deeply([ json_of($log->{before}), json_of($log->{after}) ],
        [ { status => 'Backlog' }, { status => 'InReview' } ], 'from, to');

    my $closed = move($ada, $is->{id}, 'Done')->json;
    ok($closed->{closed_at}, 'done closes it');
    my $again = move($ada, $is->{id}, 'done')->json;
    is_deeply($again, $closed, 'the same status again is nothing');
    is(change($ada, $is->{id}, status => 'Cancelled')->json->{closed_at},
        $closed->{closed_at}, 'it stays closed since then');
    is(change($ada, $is->{id}, title => 'Ended')->json->{closed_at},
        $closed->{closed_at}, 'whatever else changes');
    is(change($ada, $is->{id}, status => 'Todo')->json->{closed_at}, undef,
        'and is open when it leaves');
    ok(change($ada, $is->{id}, status => 'done')->json->{closed_at},
        'a PATCH closes it as well');
};

subtest 'refused moves' => sub {
    my $is = create($ada, title => 'Stays')->json;
    my $answer = move($ada, $is->{id}, 'Limbo "1"');
    is_problem($answer, 422, 'validation_failed',
        errors => { '/status' => 'unknown_status' });
    is_deeply($answer->json->{errors}[0]{allowed}, \@STATUSES, 'allowed');
    is_problem($server->post("/tickets/$is->{id}/transition", {},
        token => $ada), 422, 'validation_failed',
        errors => { '/status' => 'required' });
    is_problem(move($who{$_}, $is->{id}, 'Done'), 403, 'forbidden')
        for qw(Reporter Viewer);
    is_deeply(look($is->{id}), $is, 'the ticket is as it was');
};

subtest 'where it can go' => sub {
    my $is = create($ada, title => 'Wanderer', status => 'Todo')->json;
    my $answer = $server->get("/tickets/$is->{key}/transitions",
        token => $who{Viewer});
    status_is($answer, 200);
    my $got = $answer->json;
    is($got->{current}, 'Todo', 'where it is');
    is_deeply([ map { $_->{name} } @{ $got->{statuses} } ], \@STATUSES,
        'all statuses in workflow order');
    is_deeply($got->{statuses}[4], { name => 'Done', category => 'done',
        allowed => json_true, why => undef, path => ['Done'] },
        'each in one step');
    my $here = $got->{statuses}[1];
    ok(!$here->{allowed} && length $here->{why} && !@{ $here->{path} },
        'but not where it is already');
    is_problem($server->get("/tickets/$is->{id}/transitions",
        token => $stranger), 404, 'not_found');
};

subtest 'sixteen move it at once' => sub {
    my $is = create($ada, title => 'Contended')->json;
    my $moves = 0;
    for my $round (1 .. 4) {
        my @to = map { $STATUSES[ ($_ + $round) % 6 ] } 1 .. 16;
        my @answers = together(map {
            my $n = $_;
            $n % 3
                ? sub { move($ada, $is->{id}, $to[$n]) }
                : sub { change($who{Member}, $is->{id}, status => $to[$n]) }
        } 0 .. 15);
        is_deeply([ map { $_->status } @answers ], [ (200) x 16 ],
            'each one happens');
        is_deeply([ map { $_->json->{status} } @answers ], \@to,
            'and is answered as it was asked for');
    }
    my ($made, @log) = changes($is->{id});
    my ($status, $version) = ('Backlog', 1);
    my @broken = grep {
        my ($from, $to) = map { json_of($_) } @{$_}{qw(before after)};
        my $fault = $from->{status} ne $status || $_->{version} != $version + 1;
        ($status, $version) = ($to->{status}, $_->{version});
        $fault;
    } @log;
    is(scalar @broken, 0, 'each begins where the one before ended');
    my $end = look($is->{id});
    is_deeply([ @{$end}{qw(status version)} ], [ $status, $version ],
        'and the last one is where it is');
    is(!!$end->{closed_at}, $end->{category} eq 'done', 'closed if done');
};

# ---- deleting ---------------------------------------------------------------

subtest 'deleting one' => sub {
    my $is = create($ada, title => 'Goes', comment => 'with it')->json;
    is_problem($server->delete("/tickets/$is->{id}", token => $who{$_}), 403,
        'forbidden', detail => qr/Admin/) for qw(Member Reporter Viewer);
    my $answer = $server->delete("/tickets/$is->{key}", token => $who{Admin});
    status_is($answer, 204);
    is($answer->body, '', 'nothing to say');
    for my $by ($ada, $who{Viewer}, $stranger) {
        is_problem($server->get("/tickets/$is->{$_}", token => $by), 404,
            'not_found') for qw(id key);
    }
    is_problem(change($ada, $is->{id}, title => 'x'), 404, 'not_found');
    is_problem(move($ada, $is->{id}, 'Done'), 404, 'not_found');
    is_problem($server->delete("/tickets/$is->{id}", token => $ada), 404,
        'not_found');
    is_problem($server->get("/tickets/$is->{id}/$_", token => $ada), 404,
        'not_found') for qw(transitions comments activity);
    my ($log) = (changes($is->{id}))[-1];
    is_deeply([ @{$log}{qw(operation change_id fields)} ], [ 'ticket_delete',
        $answer->header('Alloy-Change-Id'), ['deleted_at'] ], 'the log');
    ok(row($is->{id})->{deleted_at}, 'its row stays');
    is(create($ada, title => 'Next')->json->{ticket_number},
        $is->{ticket_number} + 1, 'its number is not used again');
};

subtest 'a deleted project takes its tickets along' => sub {
    project('GONE');
    my $is = $server->ticket($ada, 'GONE', title => 'Along');
    status_is($server->delete('/projects/GONE', token => $ada), 204);
    is_problem($server->get("/tickets/$is->{$_}", token => $ada), 404,
        'not_found') for qw(id key);
    is_problem(change($ada, $is->{id}, title => 'x'), 404, 'not_found');
    is_problem(move($ada, $is->{id}, 'Done'), 404, 'not_found');
    is_problem($server->delete("/tickets/$is->{id}", token => $ada), 404,
        'not_found');
    is(row($is->{id})->{version}, 1, 'and nobody changes them');
};

done_testing;
