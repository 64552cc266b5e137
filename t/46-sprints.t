# Sprints: planning, starting, completing and deleting them; tickets that come
# and go; what finds a sprint; boards; two clients at once.
use strict;
use warnings;
use utf8;
use lib 't/lib';

use AlloyTest;
use AlloyTest::State;
use AlloyTest::Together;
use JSON::PP ();
use Test::More;

my $server = AlloyTest->start(children => 2);
my $ada = $server->register(name => 'Ada Owner');
my $org = $server->org($ada, name => 'Acme', slug => 'acme');
my %who = (Owner => $ada);
for my $role (qw(Admin Member Reporter Viewer)) {
    $who{$role} = $server->member(org => $org->{id}, by => $ada,
        role => $role, name => "Rita $role");
}
my $web = project('WEB');
my $app = project('APP');

# A project everybody of %who is in.
sub project {
    my ($key, %fields) = @_;
    my $made = $server->project($ada, org_id => $org->{id}, key => $key,
        name => "Project $key", %fields);
    $server->must(201, $server->post("/projects/$made->{id}/members",
        { user_id => $_->{user_id} }, token => $ada))
        for @who{qw(Member Reporter Viewer)};
    return $made;
}

sub planned {
    my ($project, %fields) = @_;
    return $server->must(201, $server->post("/projects/$project/sprints",
        { name => 'Sprint', %fields }, token => $who{Member}));
}

sub post {
    my ($path, $data, $by) = @_;
    return $server->post($path, $data, token => $by // $who{Member});
}

sub look {
    my ($path, %query) = @_;
    return $server->must(200, $server->get($path, token => $who{Viewer},
        query => \%query));
}

sub ticket {
    my ($project, %fields) = @_;
    return $server->ticket($who{Member}, $project, %fields);
}

sub started { return $server->must(200, post("/sprints/$_[0]{id}/start")) }

# ---- planning -----------------------------------------------------------------

my $launch;
subtest 'a sprint is planned' => sub {
    my $answer = post('/projects/WEB/sprints', {
        name => 'Sprint 1 — Homepage Launch', goal => "Ship\nit",
        start_date => '2026-04-01', end_date => '2026-04-15' });
    status_is($answer, 201);
    $launch = $answer->json;
    my %is = %$launch;
    like($answer->header('Location'), qr{/sprints/$is{id}$}, 'Location');
    is(substr($is{id}, 14, 4), substr($org->{id}, 14, 4), 'its shard');
    like(delete $is{$_}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, $_)
        for qw(created_at updated_at);
    delete $is{id};
    is_deeply(\%is, { project_id => $web->{id}, number => 1, version => 1,
        name => 'Sprint 1 — Homepage Launch', goal => "Ship\nit",
        start_date => '2026-04-01', end_date => '2026-04-15',
        status => 'Planned', started_at => undef, completed_at => undef },
        'all fields');
    is_deeply(look("/sprints/$launch->{id}"), $launch, 'it can be looked at');
    my ($change) = @{ $server->rows('SELECT operation, project_id, version
        FROM alloy.change WHERE entity_type = ? AND entity_id = ?', 'sprint',
        $launch->{id}) };
    is_deeply($change, { operation => 'sprint_create', version => 1,
        project_id => $web->{id} }, 'the log has it');
};

subtest 'what a plan must be' => sub {
    is_problem(post('/projects/WEB/sprints', {}), 422, 'validation_failed',
        errors => { '/name' => 'required' });
    is_problem(post('/projects/WEB/sprints', { name => 'S',
        start_date => '2026-04-02', end_date => '2026-04-01' }), 422,
        'validation_failed', errors => { '/end_date' => 'backwards' });
    is_problem(post('/projects/WEB/sprints', { name => 'S',
        start_date => '2026-04-02', end_date => '2028-04-01' }), 422,
        'validation_failed', errors => { '/end_date' => 'too_long' });
    is_problem(post('/projects/WEB/sprints', { name => 'S',
        start_date => '2026-02-30', number => 7 }), 422, 'validation_failed',
        errors => ['/start_date', '/number']);
    is_problem(post('/projects/WEB/sprints', { name => $_ }), 422,
        'validation_failed', errors => ['/name'], name => "not named $_")
        for qw(active BACKLOG none 01900000-0000-7000-8000-000000000000);
    my $one_day = planned('WEB', name => 'One day', start_date => '2026-05-01',
        end_date => '2026-05-01');
    is($one_day->{number}, 2, 'numbers count up');
    my $bare = planned('WEB', name => 'Bare');
    is_deeply([ @{$bare}{qw(goal start_date end_date number)} ],
        [ undef, undef, undef, 3 ], 'a name is enough');
    my ($of_app, $in_app) = (planned('APP'), ticket('APP'));
    is($of_app->{number}, 1, 'each project counts for itself');
    is_deeply([ map { $_->{number} } @{ look('/projects/WEB/sprints')
        ->{items} } ], [ 3, 2, 1 ], 'the list, newest first');
    $server->must(200, $server->patch('/projects/APP', { archived => \1 },
        token => $ada));
    is_problem(post('/projects/APP/sprints', { name => 'S' }), 409,
        'invalid_state');
    is_problem(post("/sprints/$of_app->{id}/tickets", { tickets => [
        $in_app->{id} ] }), 409, 'invalid_state', detail => qr/archived/);
    $server->must(200, $server->patch('/projects/APP', { archived => \0 },
        token => $ada));
};

subtest 'changing a plan' => sub {
    my $is = planned('APP', start_date => '2026-04-01', end_date => '2026-04-10');
    my $patch = sub { $server->patch("/sprints/$is->{id}", { @_ },
        token => $who{Member}) };
    my $answer = $patch->(name => 'Renamed', goal => 'G', end_date => undef);
    is_deeply([ @{ $answer->json }{qw(name goal start_date end_date version)} ],
        [ 'Renamed', 'G', '2026-04-01', undef, 2 ], 'what is sent changes');
    is($patch->(name => 'Renamed')->json->{version}, 2, 'nothing new is none');
    is_problem($patch->(end_date => '2026-03-31'), 422, 'validation_failed',
        errors => { '/end_date' => 'backwards' });
    is_problem($patch->(name => undef), 422, 'validation_failed',
        errors => ['/name']);
    is_problem($patch->(status => 'Active'), 422, 'validation_failed',
        errors => { '/status' => 'unknown' });
};

# ---- its life -------------------------------------------------------------------

subtest 'Planned, Active, Completed' => sub {
    my $is = planned('APP', name => 'Life');
    my $path = "/sprints/$is->{id}";
    is_problem(post("$path/complete"), 409, 'invalid_state');
    my $on = started($is);
    is($on->{status}, 'Active', 'started');
    ok($on->{started_at} && !$on->{completed_at}, 'when');
    is_problem((unchanged { post("$path/start") } $server), 409,
        'invalid_state');
    my $over = $server->must(200, post("$path/complete"));
    is($over->{status}, 'Completed', 'completed');
    ok($over->{completed_at} gt $over->{started_at}, 'when');
    is_problem(post("$path/$_"), 409, 'invalid_state') for qw(start complete);
    is_problem($server->patch($path, { end_date => '2026-01-01' },
        token => $ada), 409, 'invalid_state');
    is($server->must(200, $server->patch($path, { goal => 'Looking back' },
        token => $ada))->{goal}, 'Looking back', 'its texts can change');
    is_deeply([ map { $_->{status} } @{ look('/projects/APP/sprints',
        status => 'completed')->{items} } ], ['Completed'], 'lists by status');
};

subtest 'several at once, or one' => sub {
    my ($one, $two) = map { planned('APP', name => "Par $_") } 1, 2;
    started($_) for $one, $two;
    is(@{ look('/projects/APP/summary')->{active_sprints} }, 2,
        'both are in the summary');
    project('ONE', single_active_sprint => \1);
    ($one, $two) = map { planned('ONE', name => "Par $_") } 1, 2;
    started($one);
    is_problem(post("/sprints/$two->{id}/start"), 409, 'invalid_state',
        detail => qr/one active sprint at a time/);
    is_deeply([ map { $_->{name} } @{ look('/projects/ONE/summary')
        ->{active_sprints} } ], ['Par 1'], 'the summary names it');
    $server->must(200, post("/sprints/$one->{id}/complete"));
    started($two);
};

# ---- tickets ----------------------------------------------------------------------

subtest 'tickets come and go' => sub {
    my ($one, $two) = map { planned('WEB', name => "Go $_") } 1, 2;
    my ($a, $b, $c) = map { ticket('WEB', title => "T$_") } 1 .. 3;
    my $foreign = ticket('APP');
    is($a->{sprint_id}, undef, 'a ticket is in no sprint at first');
    my $answer = post("/sprints/$one->{id}/tickets",
        { tickets => [ $a->{key}, $b->{id} ] });
    status_is($answer, 200);
    is_deeply([ map { [ $_->{key}, $_->{sprint_id}, $_->{version} ] }
        @{ $answer->json } ], [ [ $a->{key}, $one->{id}, 2 ],
        [ $b->{key}, $one->{id}, 2 ] ], 'they are answered');
    is_deeply([ map { $_->{version} } @{ post("/sprints/$one->{id}/tickets",
        { tickets => [ $a->{key}, $c->{key}, $a->{id} ] })->json } ], [ 2, 2 ],
        'one that is there stays as it is');
    my $try = sub { post("/sprints/$two->{id}/tickets",
        { tickets => [ $a->{id}, $foreign->{id} ] }) };
    is_problem((unchanged { $try->() } $server), 422, 'validation_failed',
        errors => { '/tickets' => 'other_project' });
    is_problem(post("/sprints/$two->{id}/tickets", { tickets => [] }), 422,
        'validation_failed', errors => ['/tickets']);
    post("/sprints/$two->{id}/tickets", { tickets => [ $a->{id} ] });
    is(look("/tickets/$a->{id}")->{sprint_id}, $two->{id}, 'it moves over');
    my $leave = sub { $server->delete("/sprints/$_[0]/tickets/$_[1]",
        token => $who{Member}) };
    status_is($leave->($two->{id}, $a->{key}), 204);
    is_problem($leave->($two->{id}, $a->{key}), 404, 'not_found');
    is_problem($leave->($two->{id}, $b->{key}), 404, 'not_found');
    is(look("/tickets/$a->{id}")->{sprint_id}, undef, 'in the backlog again');
    is_problem(post("/sprints/$two->{id}/tickets", { tickets => ['X-1'] }),
        422, 'validation_failed');
};

subtest 'the ticket says so itself' => sub {
    my $one = planned('WEB', name => 'Self one');
    my $made = ticket('WEB', sprint_id => 'self one');
    is($made->{sprint_id}, $one->{id}, 'made in it, by name');
    is_problem(post('/projects/WEB/tickets', { title => 'T',
        sprint_id => $one->{id} }, $who{Reporter}), 403, 'forbidden');
    my $patch = sub { $server->patch("/tickets/$made->{key}",
        { sprint_id => $_[0] }, token => $who{Member}) };
    is($patch->(undef)->json->{sprint_id}, undef, 'null clears');
    is($patch->($one->{number} . '')->json->{sprint_id}, $one->{id},
        'by number');
    is($patch->('BACKLOG')->json->{sprint_id}, undef, 'backlog clears');
    is_problem($patch->('Nowhere'), 422, 'validation_failed',
        errors => { '/sprint_id' => 'not_found' });
    my $other = planned('APP', name => 'Elsewhere');
    is_problem($patch->($other->{$_}), 422, 'validation_failed',
        errors => { '/sprint_id' => 'not_found' },
        name => "not another project's, by $_") for qw(id name);
    is_problem(post('/projects/WEB/tickets', { title => 'T',
        sprint_id => $other->{id} }), 422, 'validation_failed',
        errors => { '/sprint_id' => 'not_found' });
    my $id = $one->{id};
    $patch->($id);
    ticket('WEB', title => 'Idle');
    my $keys = sub { join ' ', sort map { $_->{key} } @{
        look('/projects/WEB/tickets', @_, limit => 200)->{items} } };
    is($keys->(sprint => $id), $made->{key}, 'a list of the sprint');
    is($keys->(sprint => 'Self one'), $made->{key}, 'by name');
    unlike($keys->(sprint => 'none'), qr/\b$made->{key}\b/, 'of none');
    like($keys->(sprint => [ 'none', $id ]), qr/\b$made->{key}\b/, 'of both');
    is_problem($server->get('/projects/WEB/tickets', token => $ada,
        query => { sprint => 'active' }), 422, 'validation_failed',
        errors => { sprint => 'not_found' }, name => 'none is active');
    started($one);
    is($keys->(sprint => 'active'), $made->{key}, 'the active one');
    my ($change) = @{ $server->rows(q{SELECT fields, after FROM alloy.change
        WHERE entity_id = ? ORDER BY seq DESC LIMIT 1}, $made->{id}) };
    is_deeply($change->{fields}, ['sprint_id'], 'the log says so');
    $server->must(200, post("/sprints/$id/complete"));
};

subtest 'completing moves what is not done' => sub {
    my ($from, $to) = map { planned('WEB', name => "Move $_") } 'from', 'to';
    my ($todo, $done, $doing, $gone) = map { ticket('WEB', status => $_,
        sprint_id => $from->{id}) } qw(Backlog Done InProgress Todo);
    status_is($server->delete("/tickets/$gone->{id}", token => $ada), 204);
    started($from);
    my $complete = sub { post("/sprints/$from->{id}/complete", $_[0]) };
    my $bad = planned('APP', name => 'Bad target');
    is_problem($complete->({ move_incomplete_to => $bad->{id} }), 422,
        'validation_failed', errors => ['/move_incomplete_to']);
    is_problem($complete->({ move_incomplete_to => $from->{id} }), 422,
        'validation_failed', errors => ['/move_incomplete_to']);
    my $ended = planned('WEB', name => 'Ended');
    started($ended);
    $server->must(200, post("/sprints/$ended->{id}/complete"));
    my $try = sub { $complete->({ move_incomplete_to => 'Ended' }) };
    is_problem((unchanged { $try->() } $server), 409, 'invalid_state');
    $server->must(200, $complete->({ move_incomplete_to => 'move to' }));
    is_deeply([ map { look("/tickets/$_->{id}")->{sprint_id} } $todo, $done,
        $doing ], [ $to->{id}, $from->{id}, $to->{id} ],
        'only what is done stays');
    is_problem($server->patch("/tickets/$todo->{id}",
        { sprint_id => $from->{id} }, token => $who{Member}), 409,
        'invalid_state', errors => ['/sprint_id']);
    is_problem(post('/projects/WEB/tickets', { title => 'T',
        sprint_id => $from->{id} }), 409, 'invalid_state');
    is_problem(post("/sprints/$from->{id}/tickets",
        { tickets => [ $todo->{id} ] }), 409, 'invalid_state');
    is($server->must(200, $server->patch("/tickets/$done->{id}",
        { sprint_id => $from->{id}, title => 'Still' }, token => $ada))
        ->{title}, 'Still', 'staying in it is no entering');
    started($to);
    $server->must(200, post("/sprints/$to->{id}/complete", {}));
    is(look("/tickets/$todo->{id}")->{sprint_id}, undef,
        'the backlog is the default');
};

subtest 'deleting' => sub {
    my $is = planned('WEB', name => 'Doomed');
    my $ticket = ticket('WEB', sprint_id => $is->{id});
    is_problem($server->delete("/sprints/$is->{id}", token => $who{Member}),
        403, 'forbidden');
    status_is($server->delete("/sprints/$is->{id}", token => $who{Admin}),
        204);
    is_problem($server->get("/sprints/$is->{id}", token => $ada), 404,
        'not_found');
    is_problem($server->delete("/sprints/$is->{id}", token => $ada), 404,
        'not_found');
    is(look("/tickets/$ticket->{id}")->{sprint_id}, undef,
        'its tickets are in the backlog');
    is(planned('WEB')->{number}, $is->{number} + 1, 'its number stays taken');
    ok(!(grep { $_->{id} eq $is->{id} } @{ look('/projects/WEB/sprints',
        limit => 200)->{items} }), 'it is in no list');
};

# ---- names ----------------------------------------------------------------------

subtest 'what finds a sprint' => sub {
    project('FIND');
    my %is = map { $_ => planned('FIND', name => $_) } 'Sprint 1 — Launch',
        'Sprint 10', 'Sprint 2', 'Sprint 2 again', 'Über uns', '7';
    my $find = sub { $server->get("/sprints/$_[0]", token => $who{Viewer},
        query => { project => $_[1] // 'FIND' }) };
    my $name_of = sub { $find->(@_)->json->{name} };
    is($name_of->('Sprint%201'), 'Sprint 1 — Launch',
        'the beginning up to the end of a word');
    is($name_of->('sprint%2010'), 'Sprint 10', 'in any letter case');
    is($name_of->('Sprint%202'), 'Sprint 2', 'a whole name comes first');
    is($name_of->('%C3%BCber'), 'Über uns', 'beyond ASCII');
    is($name_of->('3'), 'Sprint 2', 'a number');
    is_problem($find->('Sprint'), 409, 'ambiguous_reference');
    is_problem($find->('Sprin'), 404, 'not_found', name => 'half a word');
    is_problem($find->('active'), 404, 'not_found', name => 'none active');
    started($is{'Sprint 2'});
    is($name_of->('ACTIVE'), 'Sprint 2', 'the active one');
    started($is{'Sprint 10'});
    my $problem = $find->('active')->json;
    is($problem->{code}, 'ambiguous_reference', 'two are active');
    is_deeply([ sort map { $_->{label} } @{ $problem->{candidates} } ],
        [ 'FIND Sprint 10', 'FIND Sprint 2' ], 'they are named');
    is_problem($find->('Sprint%2010', 'NOPE'), 422, 'validation_failed',
        errors => { project => 'not_found' });
    is_problem($server->get('/sprints/Nothing%20of%20the%20kind',
        token => $ada), 404, 'not_found');
    my $only = $server->get('/sprints/%C3%9Cber%20uns', token => $ada);
    is($only->json->{name}, 'Über uns', 'among all projects, if it is clear');
    is(post('/sprints/Sprint%201/start?project=find')->json->{status},
        'Active', 'for an action too');
};

subtest 'who may' => sub {
    my $secret = $server->project($ada, org_id => $org->{id}, key => 'SECRET');
    my $hidden = $server->must(201, $server->post('/projects/SECRET/sprints',
        { name => 'Hidden' }, token => $ada));
    my $stranger = $server->register(name => 'Sam Stranger');
    for my $path ('', '/board', '/burndown', '/burndown.svg') {
        is_problem($server->get("/sprints/$hidden->{id}$path",
            token => $_->[1]), 404, 'not_found', name => "$path for $_->[0]")
            for [ 'a member', $who{Member} ], [ 'a stranger', $stranger ];
    }
    is_problem(post('/sprints/Hidden/start'), 404, 'not_found');
    my $is = planned('WEB', name => 'Rights');
    is_problem(post("/sprints/$is->{id}/start", undef, $who{$_}), 403,
        'forbidden', name => "$_ starts none") for qw(Viewer Reporter);
    is_problem(post('/projects/WEB/sprints', { name => 'S' }, $who{Reporter}),
        403, 'forbidden');
    is($server->get("/sprints/$is->{id}", token => $who{Reporter})->status,
        200, 'a Reporter looks');
};

# ---- two at once ----------------------------------------------------------------

subtest 'two start one sprint' => sub {
    for my $round (1 .. 5) {
        my $is = planned('WEB', name => "Race $round");
        my @answers = together(map { sub { post("/sprints/$is->{id}/start") } }
            1 .. 4);
        is_deeply([ sort map { $_->status } @answers ],
            [ 200, 409, 409, 409 ], 'one wins');
        $server->must(200, post("/sprints/$is->{id}/complete"));
    }
};

subtest 'two sprints start where one may' => sub {
    project('SOLO', single_active_sprint => \1);
    for my $round (1 .. 5) {
        my @sprints = map { planned('SOLO', name => "Solo $round $_") } 1 .. 3;
        my @answers = together(map { my $id = $_->{id};
            sub { post("/sprints/$id/start") } } @sprints);
        is_deeply([ sort map { $_->status } @answers ], [ 200, 409, 409 ],
            'one wins');
        my ($won) = grep { $_->status == 200 } @answers;
        $server->must(200, post('/sprints/' . $won->json->{id}
            . '/complete'));
    }
};

subtest 'tickets enter while the sprint is completed' => sub {
    for my $round (1 .. 8) {
        my $is = planned('WEB', name => "Shut $round");
        started($is);
        my $ticket = ticket('WEB', title => 'Late');
        my @answers = together(
            sub { post("/sprints/$is->{id}/complete") },
            sub { $server->patch("/tickets/$ticket->{id}",
                { sprint_id => $is->{id} }, token => $who{Member}) },
            sub { post('/projects/WEB/tickets',
                { title => 'New', sprint_id => $is->{id} }) },
            sub { post("/sprints/$is->{id}/tickets",
                { tickets => [ $ticket->{id} ] }) });
        is($answers[0]->status, 200, 'it is completed');
        ok(!(grep { $_->status !~ /^(?:200|201|409)$/ } @answers),
            'the others enter or are refused')
            or diag(join ' ', map { $_->status } @answers);
        is_deeply($server->rows('SELECT t.ticket_number FROM alloy.ticket t
            WHERE t.sprint_id = ?', $is->{id}), [],
            'nothing that is not done is left in it');
    }
};

subtest 'numbers have no gaps' => sub {
    project('NUM');
    my @answers = together(map { my $name = "N $_";
        sub { post('/projects/NUM/sprints', { name => $name }) } } 1 .. 12);
    is_deeply([ sort { $a <=> $b } map { $_->json->{number} } @answers ],
        [ 1 .. 12 ], 'twelve at once');
};

# ---- boards -----------------------------------------------------------------------

subtest 'boards' => sub {
    project('BOARD');
    my $is = planned('BOARD', name => 'Board');
    my ($low, $high) = map { ticket('BOARD', priority => $_, title => $_,
        sprint_id => $is->{id}, assignee_id => 'me') } qw(Low Critical);
    ticket('BOARD', status => 'Done', sprint_id => $is->{id});
    ticket('BOARD', title => 'Outside');
    $server->dbh('admin')->do('UPDATE alloy.ticket SET points_half = 5
        WHERE id = ?', undef, $low->{id});
    my $board = look("/sprints/$is->{id}/board");
    is_deeply([ map { [ @{$_}{qw(status category count points)} ] }
        @{ $board->{columns} } ], [ [ 'Backlog', 'todo', 2, 2.5 ],
        [ 'Todo', 'todo', 0, 0 ], [ 'InProgress', 'in_progress', 0, 0 ],
        [ 'InReview', 'in_progress', 0, 0 ], [ 'Done', 'done', 1, 0 ],
        [ 'Cancelled', 'done', 0, 0 ] ],
        'all columns in workflow order, empty ones too');
    is($board->{sprint_id}, $is->{id}, 'of the sprint');
    my ($first) = @{ $board->{columns}[0]{tickets} };
    is_deeply($first, { id => $high->{id}, key => $high->{key},
        title => 'Critical', type => 'Task', priority => 'Critical',
        assignee_id => $who{Member}{user_id}, points => undef, version => 1 },
        'what matters most is on top');
    is_deeply($board->{columns}[1]{tickets}, [], 'an empty column');
    my $all = look('/projects/BOARD/board', limit => 1);
    is($all->{columns}[0]{count}, 3, 'the project\'s has all tickets');
    is(@{ $all->{columns}[0]{tickets} }, 1, 'and shows as many as asked for');
    is($all->{sprint_id}, undef, 'of no sprint');
    $server->dbh('admin')->do('UPDATE alloy.workflow_status SET wip_limit = 3
        WHERE name = ? AND org_id = ?', undef, 'InProgress', $org->{id});
    is(look("/sprints/$is->{id}/board")->{columns}[2]{wip_limit}, 3,
        'limits show');
};

done_testing;
