# Projects, their members and their summary: every operation with its refusals,
# who sees what, and two who do it at the same time.
use strict;
use warnings;
use utf8;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Together;
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

sub create {
    my ($by, %fields) = @_;
    return $server->post('/projects', { org_id => $org->{id}, %fields },
        token => $by);
}

# ---- projects ---------------------------------------------------------------

my $web;

subtest 'creating one' => sub {
    my $answer = create($who{Member}, name => 'Website Redesign',
        key => 'web', description => "# Goals\n\n- fast\n",
        budget_cents => 5_000_000, budget_period => 'annual',
        capitalization_type => 'CAPEX', development_phase => 'Preliminary',
        cost_center_id => 'CC-7', amortization_months => 36);
    status_is($answer, 201);
    $web = $answer->json;
    my %is = %$web;
    my $workflow = $server->rows('SELECT id FROM alloy.workflow
        WHERE org_id = ? AND is_default', $org->{id})->[0]{id};
    delete @is{qw(id created_at updated_at)};
    delete $is{budget_enforcement};     # a plugin's
    is_deeply(\%is, { org_id => $org->{id}, key => 'WEB',
        name => 'Website Redesign', description => "# Goals\n\n- fast\n",
        workflow_id => $workflow, budget_cents => 5_000_000,
        budget_period => 'Annual', capitalization_type => 'Capex',
        development_phase => 'Preliminary', cost_center_id => 'CC-7',
        amortization_months => 36, archived => json_false,
        single_active_sprint => json_false,
        created_by => $who{Member}{user_id}, version => 1 },
        'all fields, in their own spelling');
    like($answer->header('Location'), qr{/projects/$web->{id}$}, 'Location');
    is(substr($web->{id}, 14, 4), substr($org->{id}, 14, 4),
        'its id tells its organization\'s shard');
    is_deeply($server->rows('SELECT user_id FROM alloy.project_member
        WHERE org_id = ? AND project_id = ?', $org->{id}, $web->{id}),
        [ { user_id => $who{Member}{user_id} } ], 'its maker is in it');
    is_deeply($server->rows(q{SELECT operation, actor FROM alloy.change
        WHERE entity_type = 'project' AND entity_id = ? AND change_id = ?},
        $web->{id}, $answer->header('Alloy-Change-Id')),
        [ { operation => 'project_create', actor => $who{Member}{user_id} } ],
        'it is in the log');

    my $plain = create($ada, name => 'Bare', key => 'BARE')->json;
    is_deeply([ map { $plain->{$_} } qw(description budget_cents budget_period
        capitalization_type development_phase cost_center_id
        amortization_months) ], [ (undef) x 7 ], 'absent ones are null');
    is(create($ada, name => 'Named', key => 'NAM', workflow_id => 'default')
        ->json->{workflow_id}, $workflow, 'a workflow by its name');
};

subtest 'refusals' => sub {
    is_problem(create($who{$_}, name => 'X', key => 'XX'), 403, 'forbidden')
        for qw(Reporter Viewer);
    is_problem(create($stranger, name => 'X', key => 'XX'), 422,
        'validation_failed', errors => ['/org_id']);
    is_problem(create($ada, name => 'X', key => 'web'), 409,
        'already_exists', errors => { '/key' => 'key_taken' });
    is_problem(create($ada, name => '  ', key => '1A', budget_cents => -1,
        budget_period => 'Daily', capitalization_type => 'Other',
        development_phase => 'Late', amortization_months => 0,
        archived => 'no', id => 'x'), 422, 'validation_failed',
        errors => [ map {"/$_"} qw(name key budget_cents budget_period
        capitalization_type development_phase amortization_months archived
        id) ]);
    is_problem(create($ada), 422, 'validation_failed',
        errors => [ '/name', '/key' ]);
    is_problem(create($ada, name => 'X', key => 'XX',
        workflow_id => 'No such'), 422, 'validation_failed',
        errors => ['/workflow_id']);
    is_problem(create($ada, name => 'X', key => 'XX',
        description => "\x{20ac}" x 30_000), 422, 'validation_failed',
        errors => ['/description']);
    is_problem($server->post('/projects', { name => 'X', key => 'XX' }), 401,
        'unauthorized');
};

subtest 'which organization, when none is named' => sub {
    my $solo = $server->register;
    is($server->must(201, $server->post('/projects',
        { name => 'Mine', key => 'MINE' }, token => $solo))->{org_id},
        $solo->{org_id}, 'the personal one');
    is($server->must(201, $server->post('/projects',
        { name => 'Ours', key => 'OURS' }, token => $who{Member}))->{org_id},
        $org->{id}, 'the only other one');
    $server->org($ada, name => 'Second');
    my $answer = $server->post('/projects', { name => 'X', key => 'XX' },
        token => $ada);
    is_problem($answer, 409, 'ambiguous_reference');
    ok(scalar(grep { $_->{id} eq $org->{id} }
        @{ $answer->json->{candidates} }), 'the candidates are listed');
    is($server->must(201, $server->post('/projects', { name => 'By slug',
        key => 'SLUG', org_id => 'acme' }, token => $ada))->{org_id},
        $org->{id}, 'by its slug');
};

subtest 'a key belongs to one' => sub {
    my @answers = together(map {
        my $by = $_;
        sub { create($by, name => 'Race', key => 'RACE') }
    } $ada, @who{qw(Admin Member)}, $ada);
    is_deeply([ sort map { $_->status } @answers ], [ 201, 409, 409, 409 ],
        'of four at once one gets it');
    is($server->rows(q{SELECT count(*) AS n FROM alloy.project
        WHERE org_id = ? AND key = 'RACE'}, $org->{id})->[0]{n}, 1,
        'there is one');
};

subtest 'reading by any name' => sub {
    for my $name ($web->{id}, uc $web->{id}, 'WEB', 'web', 'Website%20Redesign',
        'website%20re') {
        my $answer = $server->get("/projects/$name", token => $ada);
        status_is($answer, 200);
        is_deeply($answer->json, $web, "$name is the project");
    }
    create($ada, name => 'Website Shop', key => 'SHOP');
    my $answer = $server->get('/projects/websi', token => $ada);
    is_problem($answer, 409, 'ambiguous_reference');
    is_deeply([ sort map { $_->{label} } @{ $answer->json->{candidates} } ],
        [ 'SHOP Website Shop', 'WEB Website Redesign' ],
        'with the candidates');
};

subtest 'who sees it' => sub {
    my $path = "/projects/$web->{id}";
    status_is($server->get($path, token => $who{$_}), 200,
        "$_ sees it") for qw(Owner Admin Member);
    my @blind = (@who{qw(Reporter Viewer)}, $stranger);
    for my $name ($web->{id}, 'WEB') {
        is_problem($server->get("/projects/$name", token => $_), 404,
            'not_found') for @blind;
        is_problem($server->patch("/projects/$name", { name => 'X' },
            token => $stranger), 404, 'not_found');
        is_problem($server->delete("/projects/$name", token => $stranger),
            404, 'not_found');
    }
    is_deeply([ map { $_->{key} } @{ $server->get('/projects',
        token => $who{Viewer})->json->{items} } ], [], 'nor in a list');

    $server->must(200, $server->patch("/orgs/$org->{id}",
        { project_visibility => 'org' }, token => $ada));
    status_is($server->get($path, token => $who{Viewer}), 200,
        'project_visibility org lets a Viewer see it at once');
    is_problem($server->get($path, token => $who{Reporter}), 404,
        'not_found', name => 'a Reporter never');
    is_problem($server->patch($path, { name => 'X' }, token => $who{Viewer}),
        403, 'forbidden', detail => qr/Member/);
    is_problem($server->delete($path, token => $who{Member}), 403,
        'forbidden', detail => qr/Admin/);
    $server->must(200, $server->patch("/orgs/$org->{id}",
        { project_visibility => 'members' }, token => $ada));
    is_problem($server->get($path, token => $who{Viewer}), 404, 'not_found',
        name => 'and taken back at once');
};

subtest 'listing' => sub {
    my $mine = $server->project($ada, org_id => $ada->{org_id}, key => 'OWN');
    my $archived = create($ada, name => 'Old', key => 'OLD',
        archived => json_true)->json;
    my $keys = sub {
        return map { $_->{key} } @{ $server->get('/projects', token => $ada,
            query => {@_})->json->{items} };
    };
    my @all = $keys->(limit => 200);
    is_deeply([ @all[ 0, 1 ] ], [ 'OLD', 'OWN' ],
        'newest first, of all organizations');
    is_deeply([ $keys->(org_id => $ada->{org_id}) ], ['OWN'], 'of one');
    is_deeply([ $keys->(org_id => 'acme', archived => 'true') ], ['OLD'],
        'only archived ones');
    is_deeply([ $keys->(archived => 'false', limit => 200) ],
        [ grep { $_ ne 'OLD' } @all ], 'all others');
    my (@walked, $cursor);
    do {
        my $page = $server->get('/projects', token => $ada, query => {
            limit => 2, $cursor ? (cursor => $cursor) : () })->json;
        push @walked, map { $_->{key} } @{ $page->{items} };
        $cursor = $page->{next_cursor};
        is($page->{has_more}, $cursor ? json_true : json_false, 'has_more');
        create($ada, name => 'Meanwhile', key => 'M' . @walked) if $cursor;
    } while ($cursor);
    is_deeply(\@walked, \@all, 'page by page the same, though others come');
    is_problem($server->get('/projects', token => $ada,
        query => { org_id => $stranger->{org_id} }), 422,
        'validation_failed', errors => ['org_id']);
    is_problem($server->get('/projects', token => $ada,
        query => { colour => 'red' }), 422, 'validation_failed',
        errors => ['colour']);
};

subtest 'changing' => sub {
    my $path = '/projects/WEB';
    my $answer = $server->patch($path, { name => 'Website', budget_cents =>
        undef, development_phase => 'appdevelopment' }, token => $who{Member});
    status_is($answer, 200);
    my $is = $answer->json;
    is_deeply({ map { $_ => $is->{$_} } keys %$web },
        { %$web, name => 'Website', budget_cents => undef,
        development_phase => 'AppDevelopment', version => 2,
        updated_at => $is->{updated_at} }, 'what was sent, nothing else');
    isnt($is->{updated_at}, $web->{updated_at}, 'updated_at moves');
    my $change = $server->rows(q{SELECT fields, before, after, version
        FROM alloy.change WHERE entity_id = ? AND change_id = ?}, $web->{id},
        $answer->header('Alloy-Change-Id'));
    is(@$change, 1, 'one row in the log');
    is_deeply([ sort @{ $change->[0]{fields} } ],
        [ sort qw(name budget_cents development_phase) ],
        'names what was changed');
    is($server->patch($path, { name => 'Website' }, token => $ada)
        ->json->{version}, 2, 'the same again is no new version');
    is($server->request('PATCH', $path, token => $ada,
        type => 'application/merge-patch+json',
        body => '{"archived":true}')->json->{archived}, json_true,
        'as a merge patch');
    $server->must(200, $server->patch($path, { archived => json_false },
        token => $ada));
    is_problem($server->patch($path, { key => 'NEW' }, token => $ada), 422,
        'validation_failed', errors => ['/key']);
    is_problem($server->patch($path, { name => undef, archived => undef,
        workflow_id => undef }, token => $ada), 422, 'validation_failed',
        errors => [ '/name', '/archived', '/workflow_id' ]);
    is_problem($server->patch('/projects/NONE', { name => 'X' },
        token => $ada), 404, 'not_found');
    $web = $server->get($path, token => $ada)->json;
};

subtest 'many change at once' => sub {
    my @fields = ({ name => 'Concurrent' }, { cost_center_id => 'CC-8' },
        { budget_cents => 1 }, { amortization_months => 12 },
        { description => 'Together' }, { capitalization_type => 'Opex' });
    my @answers = together(map {
        my $field = $_;
        sub { $server->patch('/projects/WEB', $field, token => $ada) }
    } @fields);
    is_deeply([ map { $_->status } @answers ], [ (200) x @fields ],
        'everybody succeeds');
    my $is = $server->get('/projects/WEB', token => $ada)->json;
    is_deeply({ map { $_ => $is->{$_} } map { keys %$_ } @fields },
        { map {%$_} @fields }, 'nothing is lost');
    is($is->{version}, $web->{version} + @fields, 'each is a version');
    $web = $is;
};

subtest 'another workflow' => sub {
    my $other = $server->rows(q{
        INSERT INTO alloy.workflow (org_id, id, name)
        SELECT org_id, alloy.new_id(org_id), 'Short'
          FROM alloy.organization WHERE org_id = ?
        RETURNING id}, $org->{id})->[0]{id};
    $server->dbh('admin')->do(q{
        INSERT INTO alloy.workflow_status
            (org_id, workflow_id, name, category, position)
        SELECT ?::uuid, ?::uuid, s.name, s.category, s.position
          FROM (VALUES ('Backlog', 'todo', 1), ('Done', 'done', 2))
               AS s (name, category, position)}, undef, $org->{id}, $other);
    my $project = create($ada, name => 'Flow', key => 'FLOW')->json;
    my $ticket = $server->ticket($ada, $project->{id});
    $server->ticket($ada, $project->{id}, status => 'InProgress');
    my $answer = $server->patch('/projects/FLOW', { workflow_id => 'Short' },
        token => $ada);
    status_is($server->patch('/projects/FLOW', { workflow_id => 'Default' },
        token => $ada), 200);
    return is_problem($answer, 422, 'validation_failed',
        errors => { '/workflow_id' => 'fixed' },
        name => 'keeps its own where none can be edited')
        unless grep { $_ eq 'workflows' } AlloyTest::Plugins::names();
    is_problem($answer, 409, 'invalid_state',
        stranded => [{ status => 'InProgress', count => 1 }]);
    $server->must(204, $server->delete('/tickets/FLOW-2', token => $ada));
    is($server->must(200, $server->patch('/projects/FLOW',
        { workflow_id => 'short' }, token => $ada))->{workflow_id}, $other,
        'when every ticket\'s status is in it');
    is($server->rows('SELECT workflow_id FROM alloy.ticket WHERE id = ?',
        $ticket->{id})->[0]{workflow_id}, $other, 'tickets follow');
    is_deeply([ map { $_->{status} } @{ $server->get('/projects/FLOW/summary',
        token => $ada)->json->{by_status} } ], [qw(Backlog Done)],
        'so does the summary');
};

# ---- members ----------------------------------------------------------------

my $MEMBERS = "/projects/$web->{id}/members";

sub add {
    my ($by, $user) = @_;
    return $server->post($MEMBERS, { user_id => $user }, token => $by);
}

subtest 'members' => sub {
    my $viewer = $who{Viewer};
    my $answer = add($who{Member}, $viewer->{user_id});
    status_is($answer, 201);
    my $made = $answer->json;
    is_deeply({ map { $_ => $made->{$_} } qw(project_id user_id email) },
        { project_id => $web->{id}, user_id => $viewer->{user_id},
        email => $viewer->{email} }, 'who and where');
    status_is($server->get('/projects/WEB', token => $viewer), 200,
        'he sees it with the very next request');
    my $again = add($ada, uc $viewer->{email});
    status_is($again, 200, 'adding him twice');
    is_deeply($again->json, $made, 'is the same row');
    is_deeply([ map { $_->{user_id} }
        @{ $server->get($MEMBERS, token => $viewer)->json } ],
        [ $who{Member}{user_id}, $viewer->{user_id} ],
        'a bare array, the longest there first');

    is_problem(add($viewer, $who{Reporter}{user_id}), 403, 'forbidden');
    is_problem(add($stranger, $stranger->{user_id}), 404, 'not_found');
    is_problem(add($ada, $stranger->{user_id}), 422, 'validation_failed',
        errors => ['/user_id']);
    is_problem(add($ada, 'Rita Reporter'), 422, 'validation_failed',
        errors => ['/user_id'],
        name => 'a display name does not decide about rights');
    is_problem($server->post($MEMBERS, {}, token => $ada), 422,
        'validation_failed', errors => ['/user_id']);
    is_problem($server->get($MEMBERS, token => $_), 404, 'not_found')
        for $stranger, $who{Reporter};

    is_problem($server->delete("$MEMBERS/$viewer->{user_id}",
        token => $stranger), 404, 'not_found');
    is_problem($server->delete("$MEMBERS/$viewer->{user_id}",
        token => $viewer), 403, 'forbidden');
    status_is($server->delete("$MEMBERS/$viewer->{user_id}", token => $ada),
        204);
    is_problem($server->delete("$MEMBERS/$viewer->{user_id}",
        token => $ada), 404, 'not_found');
    is_problem($server->get('/projects/WEB', token => $viewer), 404,
        'not_found', name => 'he sees it no more');
};

subtest 'the same member several times at once' => sub {
    my @answers = together(map { sub {
        add($ada, $who{Reporter}{user_id}) } } 1 .. 4);
    is_deeply([ sort map { $_->status } @answers ], [ 200, 200, 200, 201 ],
        'one makes the row');
    my %rows = map { $_->body => 1 } @answers;
    is(keys %rows, 1, 'all answer it');
};

# ---- summary ----------------------------------------------------------------

subtest 'summary' => sub {
    my $project = create($ada, name => 'Sums', key => 'SUM')->json;
    my $empty = $server->get('/projects/SUM/summary', token => $ada)->json;
    is($empty->{total}, 0, 'nothing yet');
    is_deeply([ map { [ @$_{qw(status category count)} ] }
        @{ $empty->{by_status} } ], [ [ 'Backlog', 'todo', 0 ],
        [ 'Todo', 'todo', 0 ], [ 'InProgress', 'in_progress', 0 ],
        [ 'InReview', 'in_progress', 0 ], [ 'Done', 'done', 0 ],
        [ 'Cancelled', 'done', 0 ] ], 'empty statuses are there, in order');

    my $member = $who{Member}{user_id};
    $server->ticket($ada, 'SUM', priority => 'High', assignee_id => $member);
    $server->ticket($ada, 'SUM', status => 'Done', assignee_id => $member);
    $server->ticket($ada, 'SUM', priority => 'Low');
    my $gone = $server->ticket($ada, 'SUM');
    $server->must(204, $server->delete("/tickets/$gone->{id}",
        token => $ada));
    $server->dbh('admin')->do(q{UPDATE alloy.ticket
        SET due_date = current_date - 2 WHERE project_id = ?}, undef,
        $project->{id});
    my $is = $server->get("/projects/$project->{id}/summary",
        token => $who{Admin})->json;
    is_deeply({ map { $_ => $is->{$_} } qw(project_id key name total overdue
        active_sprints) }, { project_id => $project->{id}, key => 'SUM',
        name => 'Sums', total => 3, overdue => 2, active_sprints => [] },
        'totals; what is done is not overdue; deleted tickets do not count');
    is_deeply({ map { $_->{status} => $_->{count} } @{ $is->{by_status} } },
        { Backlog => 2, Todo => 0, InProgress => 0, InReview => 0, Done => 1,
        Cancelled => 0 }, 'by status');
    is_deeply($is->{by_category}, [ { category => 'todo', count => 2 },
        { category => 'in_progress', count => 0 },
        { category => 'done', count => 1 } ], 'by category');
    is_deeply($is->{by_priority}, [ { priority => 'Critical', count => 0 },
        { priority => 'High', count => 1 },
        { priority => 'Medium', count => 1 },
        { priority => 'Low', count => 1 } ], 'by priority');
    is_deeply($is->{by_assignee}, [ { assignee_id => $member,
        display_name => 'Rita Member', count => 2 },
        { assignee_id => undef, display_name => undef, count => 1 } ],
        'by assignee');
    is_problem($server->get('/projects/SUM/summary', token => $_), 404,
        'not_found') for $stranger, $who{Member};
};

# ---- deleting ---------------------------------------------------------------

subtest 'deleting' => sub {
    $server->ticket($ada, 'WEB', title => 'Goes with it');
    is_problem($server->delete('/projects/WEB', token => $who{Member}), 403,
        'forbidden', detail => qr/Admin/);
    status_is($server->delete('/projects/WEB', token => $who{Admin}), 204);
    for my $path ("/projects/$web->{id}", '/projects/WEB',
        "/projects/$web->{id}/members", "/projects/$web->{id}/summary",
        "/projects/$web->{id}/tickets") {
        is_problem($server->get($path, token => $ada), 404, 'not_found');
    }
    is_problem($server->delete("/projects/$_", token => $ada), 404,
        'not_found', name => "$_ does not mean Website Shop now")
        for qw(WEB web WEBS);
    status_is($server->get('/projects/webs', token => $ada), 200,
        'though the beginning of a name is one');
    is_problem($server->delete("/projects/$web->{id}", token => $ada), 404,
        'not_found');
    is(scalar(grep { $_->{key} eq 'WEB' } @{ $server->get('/projects',
        token => $ada, query => { limit => 200 })->json->{items} }), 0,
        'it is in no list');
    is_problem(create($ada, name => 'Again', key => 'WEB'), 409,
        'already_exists', name => 'its key stays taken');
    ok($server->rows('SELECT deleted_at FROM alloy.project WHERE id = ?',
        $web->{id})->[0]{deleted_at}, 'its row is kept');
};

# ---- what needs no token ----------------------------------------------------

subtest 'about the server' => sub {
    for my $path ('/healthz', 'root:/healthz', '/readyz', 'root:/readyz') {
        my $answer = $server->get($path);
        status_is($answer, 200);
        is_deeply($answer->json, { status => 'ok' }, "$path is ok");
    }
    is_deeply([ sort keys %{ $server->get('/health')->json } ],
        [qw(db_healthy service status)], 'health tells strangers little');
    my $health = $server->get('root:/health', token => $ada)->json;
    is_deeply({ map { $_ => $health->{$_} } qw(status service db_healthy
        database) }, { status => 'ok', service => 'alloy',
        db_healthy => json_true, database => 'ready' }, 'and users more');
    is($health->{migration_version}, $server->rows(q{SELECT max(version) AS n
        FROM alloy.schema_migration WHERE component = 'core'})->[0]{n},
        'the schema\'s version');
    is($health->{plugins}[0], 'core', 'what is loaded');

    my $list = $server->get('/problems')->json->{problems};
    my ($kind) = grep { $_->{code} eq 'invalid_state' } @$list;
    is_deeply($server->get('/problems/invalid_state')->json, $kind,
        'each problem explains itself');
    like($kind->{type}, qr{/api/v1/problems/invalid_state$}, 'by its type');
    is_problem($server->get('/problems/unheard_of'), 404, 'not_found');

    my $docs = $server->get('/docs');
    status_is($docs, 200);
    is($docs->type, 'text/html', 'a page for people');
    like($docs->body, qr{POST /projects/\{project\}/tickets}, 'with operations');
    unlike($docs->body, qr/<script|https?:(?!\/\/127)/, 'that loads nothing');
    like($server->get('root:/openapi.json')->json->{openapi}, qr/^3\.1/,
        'and one for machines');
};

done_testing;
