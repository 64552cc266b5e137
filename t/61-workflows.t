# Workflows: what a strict, a relaxed and an idle one do to moves on every way,
# under parallel clients and edits, and what is left of them without the plugin.
# plugin: workflows
use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Together;
use Test::More;

my $server = AlloyTest->start(children => 2);
my $ada = $server->register(name => 'Ada Owner');
my $org = $server->org($ada, name => 'Acme')->{id};
my $bob = $server->member(org => $org, by => $ada, role => 'Member');
my @STATUSES = map { { name => $_->[0], category => $_->[1] } }
    [ 'Backlog', 'todo' ], [ 'Ready', 'todo' ], [ 'Doing', 'in_progress' ],
    [ 'Review', 'in_progress' ], [ 'Done', 'done' ];
my @WAYS = map { { from => $_->[0], to => $_->[1] } } [qw(Backlog Ready)],
    [qw(Ready Doing)], [qw(Doing Review)], [qw(Review Done)],
    [qw(Review Doing)];
my %LISTED = map { ("$_->{from} $_->{to}" => 1) } @WAYS;
my $number = 0;

sub flow {
    my (%more) = @_;
    return $server->must(201, $server->post("/orgs/$org/workflows", {
        name => 'Flow ' . ++$number, statuses => \@STATUSES,
        transitions => \@WAYS, enforcement => 'strict', %more },
        token => $ada));
}

# A project that follows a new workflow.
sub place {
    my (%more) = @_;
    my $flow = flow(%more);
    my $project = $server->project($ada, org_id => $org,
        key => 'W' . ++$number, workflow_id => $flow->{id});
    $server->must(201, $server->post("/projects/$project->{id}/members",
        { user_id => $bob->{user_id} }, token => $ada));
    return ($flow, $project->{key});
}

sub ticket { my ($key, %more) = @_; return $server->ticket($ada, $key, %more) }

sub edit {
    my ($flow, %fields) = @_;
    return $server->patch("/workflows/$flow->{id}", \%fields, token => $ada);
}

my %WAY = (
    PATCH => sub { $server->patch("/tickets/$_[0]{key}",
        { status => $_[1] }, token => $_[2] // $ada) },
    transition => sub { $server->post("/tickets/$_[0]{key}/transition",
        { status => $_[1] }, token => $_[2] // $ada) },
);

sub move { return $WAY{transition}->(@_) }

sub now {
    my ($ticket) = @_;
    return $server->must(200, $server->get("/tickets/$ticket->{key}",
        token => $ada))->{status};
}

sub explained {
    my ($ticket) = @_;
    return { map { $_->{name} => $_ } @{ $server->must(200, $server->get(
        "/tickets/$ticket->{key}/transitions", token => $ada))->{statuses} } };
}

# ---- modes ------------------------------------------------------------------

subtest 'strict' => sub {
    my ($flow, $key) = place();
    for my $way (sort keys %WAY) {
        my $ticket = ticket($key);
        is_problem($WAY{$way}->($ticket, 'Done'), 409, 'invalid_transition',
            from => 'Backlog', to => 'Done', allowed => ['Ready'],
            name => "$way: a move that is not listed");
        is(now($ticket), 'Backlog', 'nothing changed');
        is_problem($WAY{$way}->($ticket, 'Nowhere'), 422, 'validation_failed',
            errors => { '/status' => 'unknown_status' });
        is($server->must(200, $WAY{$way}->($ticket, 'backlog'))->{version},
            $ticket->{version}, "$way: the same status is no move");
        $server->must(200, $WAY{$way}->($ticket, $_)) for 'ready', 'Doing';
        is(now($ticket), 'Doing', "$way: listed moves, in any letter case");
    }
    my $ticket = ticket($key);
    my @steps = map { { method => 'POST', body => { status => $_ },
        path => "/tickets/$ticket->{key}/transition" } } qw(Ready Done);
    is_problem($server->post('/batch', { operations => \@steps },
        token => $ada), 409, 'invalid_transition', from => 'Ready',
        name => 'a batch sees its own moves');
    is(now($ticket), 'Backlog', 'and is all or nothing');
    my $moved = move($ticket, 'Ready')->header('Alloy-Change-Id');
    is_problem($server->post("/changes/$moved/revert", undef, token => $ada),
        409, 'invalid_transition', name => 'nor does a revert go back');
    my $way = explained($ticket);
    is_deeply([ map { $way->{$_}{allowed} ? 1 : 0 } map { $_->{name} }
        @STATUSES ], [ 0, 0, 1, 0, 0 ], 'explained');
    is_deeply($way->{Done}{path}, [qw(Doing Review Done)], 'the shortest way');
    like($way->{Done}{why}, qr/Ready to Done/, 'and why not at once');
    is_deeply($way->{Backlog}{path}, [], 'no way back');
    is(ticket($key, status => 'review')->{status}, 'Review',
        'a new ticket begins anywhere');
};

subtest 'relaxed' => sub {
    my ($flow, $key) = place(enforcement => 'relaxed');
    for my $way (sort keys %WAY) {
        my $ticket = ticket($key);
        my $got = $server->must(200, $WAY{$way}->($ticket, 'Done'));
        is($got->{status}, 'Done', "$way: it happens");
        is_deeply([ map { $_->{code} } @{ $got->{warnings} } ],
            ['transition_not_listed'], 'with a warning');
        is_deeply($server->rows(q{SELECT warnings FROM alloy.change
            WHERE entity_id = ? ORDER BY seq}, $ticket->{id}),
            [ { warnings => undef },
                { warnings => ['transition_not_listed'] } ],
            'and a mark in the log');
        is_deeply([ map { $_->{warnings} } @{ $server->must(200, $server->get(
            "/tickets/$ticket->{key}/activity", token => $ada))->{items} } ],
            [ [], ['transition_not_listed'] ], 'shown');
        $got = $server->must(200, $WAY{$way}->(ticket($key), 'Ready'));
        ok(!exists $got->{warnings}, "$way: none for what is listed");
    }
};

subtest 'none' => sub {
    my ($flow, $key) = place(enforcement => 'none');
    my $ticket = ticket($key);
    ok(!exists $server->must(200, move($ticket, $_))->{warnings}, "to $_")
        for qw(Done Backlog Review);
    ok(explained($ticket)->{Done}{allowed}, 'explained');
};

subtest 'roles and required fields' => sub {
    my ($flow, $key) = place(transitions => [
        { from => 'Backlog', to => 'Ready', roles => ['Admin'] },
        { from => 'Backlog', to => 'Doing',
            required_fields => [qw(assignee_id points)] } ]);
    my $ticket = ticket($key);
    is_problem(move($ticket, 'Ready', $bob), 403, 'forbidden',
        detail => qr/Admin/, rule => 'role_missing');
    status_is(move($ticket, 'Ready'), 200, 'the Owner is an Admin');
    $ticket = ticket($key, points => 3);
    is_problem(move($ticket, 'Doing', $bob), 409, 'invalid_transition',
        missing => ['assignee_id']);
    my $patch = sub { $server->patch("/tickets/$ticket->{key}",
        { status => 'Doing', @_ }, token => $bob) };
    is_problem($patch->(assignee_id => 'me', points => undef), 409,
        'invalid_transition', missing => ['points']);
    status_is($patch->(assignee_id => 'me'), 200,
        'what comes with the move counts');
};

# ---- many at once -----------------------------------------------------------

# Every move in the log must be listed by WAYS.
sub unlisted {
    my ($key, $listed) = @_;
    return grep { !$listed->{$_} } map {"$_->{f} $_->{t}"} @{ $server->rows(q{
        SELECT c.before ->> 'status' AS f, c.after ->> 'status' AS t
          FROM alloy.change c JOIN alloy.project p ON p.id = c.project_id
         WHERE p.key = ? AND 'status' = ANY (c.fields) ORDER BY c.seq}, $key) };
}

subtest '32 clients race for one ticket' => sub {
    my ($flow, $key) = place();
    my $ticket = ticket($key);
    my @names = map { $_->{name} } @STATUSES;
    my $moved = 0;
    for my $round (1 .. 3) {
        my @answers = together(map {
            my $to = $names[ ($_ + $round) % @names ];
            my $way = $_ % 2 ? 'PATCH' : 'transition';
            sub { $WAY{$way}->($ticket, $to) }
        } 1 .. 32);
        my @odd = grep { $_->status != 200 && $_->status != 409 } @answers;
        ok(!@odd, 'each is legal or refused') or diag($_->text) for @odd;
        $moved++ for grep { $_->status == 200 } @answers;
    }
    is_deeply([ unlisted($key, \%LISTED) ], [], 'no illegal move is logged');
    my ($last) = @{ $server->rows(q{SELECT after ->> 'status' AS s
        FROM alloy.change WHERE entity_id = ? AND 'status' = ANY (fields)
        ORDER BY version DESC LIMIT 1}, $ticket->{id}) };
    is(now($ticket), $last->{s}, 'the last one is where it is');
    cmp_ok($moved, '>=', 1, "$moved moves or stays");
};

subtest '16 clients into a limited status' => sub {
    my @limited = map { { %$_, $_->{name} eq 'Ready'
        ? (wip_limit => 3) : () } } @STATUSES;
    my ($flow, $key) = place(statuses => \@limited);
    my @tickets = map { ticket($key) } 1 .. 16;
    my @answers = together(map {
        my $ticket = $_;
        my $way = $ticket->{ticket_number} % 2 ? 'PATCH' : 'transition';
        sub { $WAY{$way}->($ticket, 'Ready') }
    } @tickets);
    is(scalar(grep { $_->status == 200 } @answers), 3, 'three get in');
    is_problem($_, 409, 'invalid_transition', rule => 'wip_limit')
        for grep { $_->status != 200 } @answers;
    my ($out) = grep { now($_) eq 'Ready' } @tickets;
    $server->must(200, move($out, 'Doing'));
    my ($in) = grep { now($_) eq 'Backlog' } @tickets;
    status_is(move($in, 'Ready'), 200, 'one out, one in');
};

subtest 'edits meanwhile' => sub {
    my ($flow, $key) = place();
    my @tickets = map { ticket($key) } 1 .. 12;
    my @answers = together((map {
        my $ticket = $_;
        sub { move($ticket, 'Ready') }
    } @tickets), sub { edit($flow, transitions => [ @WAYS[ 1 .. 4 ] ]) });
    my $edit = pop @answers;
    status_is($edit, 200, 'the edit');
    ok(!(grep { $_->status != 200 && $_->status != 409 } @answers),
        'moves are decided by one or the other');
    is_problem(move(ticket($key), 'Ready'), 409, 'invalid_transition',
        allowed => [], name => 'after the answer only by the new one');
    my @left = map { ticket($key) } 1 .. 8;
    edit($flow, transitions => \@WAYS);
    my @kept = grep { $_->{name} ne 'Ready' } @STATUSES;
    @answers = together((map {
        my $ticket = $_;
        sub { move($ticket, 'Ready') }
    } @left), sub { edit($flow, statuses => \@kept,
        status_map => { Ready => 'Doing' }) });
    status_is(pop @answers, 200, 'a status goes');
    ok(!(grep { $_->status !~ /^(?:200|409|422)$/ } @answers),
        'moves into it happened before or find it gone')
        or diag(map { $_->text } @answers);
    is($server->rows(q{SELECT count(*) AS n FROM alloy.ticket
        WHERE workflow_id = ? AND status = 'Ready'}, $flow->{id})->[0]{n}, 0,
        'no ticket is left in it');
};

subtest 'batches of tickets' => sub {
    my @limited = map { { %$_, $_->{name} eq 'Ready'
        ? (wip_limit => 2) : () } } @STATUSES;
    my ($flow, $key) = place(statuses => \@limited);
    my @tickets = map { ticket($key) } 1 .. 5;
    my $batch = sub {
        my ($atomic, @moves) = @_;
        return $server->post('/tickets/batch', { atomic => $atomic,
            action => 'transition', operations => [ map { {
                ticket => $_->[0]{key}, status => $_->[1] } } @moves ] },
            token => $ada);
    };
    is_problem($batch->(json_true, [ $tickets[0], 'Ready' ],
        [ $tickets[1], 'Done' ]), 409, 'invalid_transition', from => 'Backlog',
        name => 'one move is not listed');
    is_problem($batch->(json_true, map { [ $_, 'Ready' ] } @tickets), 409,
        'invalid_transition', rule => 'wip_limit',
        name => 'each counts those before it');
    is_deeply([ map { now($_) } @tickets ], [ ('Backlog') x 5 ],
        'nothing was changed');
    my $got = $server->must(200, $batch->(json_false,
        map { [ $_, 'Ready' ] } @tickets));
    is(scalar(grep { now($_) eq 'Ready' } @tickets), 2,
        'one by one, two get in') or diag(explain($got));
    edit($flow, enforcement => 'relaxed', statuses => \@STATUSES);
    my @fresh = map { ticket($key) } 1 .. 3;
    $got = $server->must(200, $batch->(json_true, [ $fresh[0], 'Ready' ],
        [ $fresh[1], 'Done' ], [ $fresh[2], 'Review' ]));
    is_deeply($server->rows(q{SELECT t.status, c.warnings
          FROM alloy.change c JOIN alloy.ticket t ON t.id = c.entity_id
         WHERE t.id = ANY (?) AND 'status' = ANY (c.fields)
         ORDER BY t.ticket_number}, [ map { $_->{id} } @fresh ]),
        [ { status => 'Ready', warnings => undef }, map { { status => $_,
            warnings => ['transition_not_listed'] } } qw(Done Review) ],
        'each is marked by itself');
    is_deeply([ map { scalar @{ $_->{body}{warnings} || [] } }
        @{ $got->{results} } ], [ 0, 1, 1 ], 'and warned of');
};

# ---- editing, switching, deleting ---------------------------------------------

subtest 'stranded tickets' => sub {
    my ($flow, $key) = place();
    my $ticket = ticket($key, status => 'Review');
    ticket($key, status => 'Review');
    my @short = @STATUSES[ 0, 4 ];
    is_problem(edit($flow, statuses => \@short), 409, 'invalid_state',
        stranded => [ { status => 'Review', count => 2 } ]);
    is_problem(edit($flow, statuses => \@short,
        status_map => { Review => 'Gone', Nix => 'Done' }), 422,
        'validation_failed', errors => { '/status_map/Nix' => 'unknown_status',
            '/status_map/Review' => 'unknown_status' });
    my $got = $server->must(200, edit($flow, statuses => \@short,
        status_map => { review => 'done' }));
    is_deeply([ map { $_->{name} } @{ $got->{statuses} } ],
        [qw(Backlog Done)], 'the new ones');
    is(now($ticket), 'Done', 'tickets follow');
    ok($server->get("/tickets/$ticket->{key}", token => $ada)->json
        ->{closed_at}, 'closed by it');
    my $other = flow(statuses => [ { name => 'Fin', category => 'done' },
        { name => 'Backlog', category => 'todo' } ], transitions => []);
    my $switch = sub { $server->patch("/projects/$key",
        { workflow_id => $other->{id}, @_ }, token => $ada) };
    is_problem($switch->(), 409, 'invalid_state',
        stranded => [ { status => 'Done', count => 2 } ]);
    status_is($switch->(status_map => { Done => 'Fin' }), 200);
    is(now($ticket), 'Fin', 'a project takes its tickets along');
};

subtest 'input, names, deleting' => sub {
    my $flow = flow();
    is_problem($server->post("/orgs/$org/workflows", { name => $flow->{name},
        statuses => \@STATUSES }, token => $ada), 409, 'already_exists',
        errors => { '/name' => 'name_taken' });
    is_problem($server->post("/orgs/$org/workflows", { name => 'Bad',
        statuses => [ @STATUSES, { name => 'DONE', category => 'done' } ],
        transitions => [ { from => 'Ready', to => 'Nix' } ] }, token => $ada),
        422, 'validation_failed', errors => {
            '/statuses/5/name' => 'repeated',
            '/transitions/0/to' => 'unknown_status' });
    my ($used, $key) = place();
    is_problem($server->delete("/workflows/$used->{id}", token => $ada), 409,
        'in_use', projects => [$key]);
    status_is($server->delete("/workflows/$flow->{id}", token => $ada), 204);
    is_problem($server->get("/workflows/$flow->{id}", token => $ada), 404,
        'not_found');
    my ($default) = grep { $_->{is_default} } @{ $server->must(200,
        $server->get("/orgs/$org/workflows", token => $ada))->{items} };
    is_problem($server->delete("/workflows/$default->{id}", token => $ada),
        409, 'invalid_state', detail => qr/is_default/);
    is($server->must(200, edit($default, enforcement => 'relaxed'))
        ->{enforcement}, 'relaxed', 'the Default can be edited');
    my $alone = $server->org($ada, name => 'Alone')->{id};
    my ($only) = @{ $server->must(200, $server->get("/orgs/$alone/workflows",
        token => $ada))->{items} };
    is_problem($server->delete("/workflows/$only->{id}", token => $ada), 409,
        'invalid_state', detail => qr/last/);
};

subtest 'simulating' => sub {
    my ($flow, $key) = place(enforcement => 'none');
    my @tickets = map { ticket($key) } 1 .. 6;
    my %count;
    for my $ticket (@tickets) {
        my $at = 'Backlog';
        for my $step (1 .. 5) {
            my $to = $STATUSES[ ($ticket->{ticket_number} * 7 + $step * 3)
                % @STATUSES ]{name};
            $server->must(200, move($ticket, $to));
            $count{"$at $to"}++ if $at ne $to;
            $at = $to;
        }
    }
    my $got = $server->must(200, $server->post(
        "/workflows/$flow->{id}/simulate", undef, token => $bob));
    my %legal = map { ("$_->{from} $_->{to}" => $_->{legal} ? 1 : 0) }
        @{ $got->{items} };
    is_deeply({ map { ("$_->{from} $_->{to}" => $_->{count}) }
        @{ $got->{items} } }, \%count, 'every move is counted');
    is_deeply(\%legal, { map { $_ => $LISTED{$_} // 0 } keys %count },
        'and judged as a simple model does');
    is($got->{legal} + $got->{illegal}, $got->{moves}, 'sums');
};

# ---- without the plugin -------------------------------------------------------

subtest 'unloaded and loaded again' => sub {
    my ($flow, $key) = place();
    my $ticket = ticket($key);
    my $plain = AlloyTest->start(plugins => [], with => $server);
    my $token = $plain->must(200, $plain->post('/auth/login', {
        email => $ada->{email}, password => $ada->{password} }))
        ->{access_token};
    is_problem($plain->get("/workflows/$flow->{id}", token => $token), 404,
        'not_found', name => 'its paths are gone');
    is($plain->must(200, $plain->post("/tickets/$ticket->{key}/transition",
        { status => 'Done' }, token => $token))->{status}, 'Done',
        'any move is free');
    is_problem($plain->patch("/projects/$key", { workflow_id => 'Default' },
        token => $token), 422, 'validation_failed',
        errors => { '/workflow_id' => 'fixed' });
    is_deeply($server->must(200, $server->get("/workflows/$flow->{id}",
        token => $ada)), $flow, 'its data is untouched');
    is_problem(move($ticket, 'Backlog'), 409, 'invalid_transition',
        name => 'and where it is loaded, its rules hold');
};

done_testing;
