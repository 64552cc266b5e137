# POST /tickets/batch: many tickets changed, moved and deleted by a few
# statements, under the rules each of them has by itself.
use strict;
use warnings;

use Test::More;

use AlloyTest;
use AlloyTest::State;
use AlloyTest::Together;

my $server = AlloyTest->start(own => 1);
my $ann    = $server->register(email => 'ann@example.com', name => 'Ann');
my $org    = $server->post('/orgs', { name => 'Acme' }, token => $ann)->json;

sub joined {
    my ($email, $role) = @_;
    my $invite = $server->post("/orgs/$org->{id}/invites",
        { email => $email, role => $role }, token => $ann)->json;
    return $server->register(email => $email, name => (split /@/, $email)[0],
        invite_code => $invite->{invite_code} // $invite->{code});
}

my $bob = joined('bob@example.com', 'Member');
my $rey = joined('rey@example.com', 'Reporter');
my $web = $server->post('/projects',
    { name => 'Web', key => 'WEB', org_id => $org->{id} }, token => $ann)->json;
my $hid = $server->post('/projects',
    { name => 'Hidden', key => 'HID', org_id => $org->{id} },
    token => $ann)->json;
for my $person ($bob, $rey) {
    $server->post('/projects/WEB/members', { user_id => $person->{user_id} },
        token => $ann);
}
$server->ticket($ann, 'WEB', title => "Ticket $_") for 1 .. 12;
$server->ticket($ann, 'HID', title => 'Out of sight');
$server->post("/orgs/$org->{id}/labels", { name => $_ }, token => $ann)
    for qw(red blue);

sub batch {
    my ($operations, %more) = @_;
    my $caller  = delete $more{caller}  // $ann;
    my $query   = delete $more{query}   // '';
    my $headers = delete $more{headers} // {};
    return $server->post("/tickets/batch$query",
        { operations => $operations, %more },
        token => ref $caller ? $caller->{token} : $caller,
        headers => $headers);
}

sub ticket {
    my ($key) = @_;
    return $server->get("/tickets/$key", token => $ann)->json;
}

sub logged {
    my ($answer) = @_;
    return $server->rows('SELECT operation, entity_type, count(*)::int AS rows,
        min(actor::text) AS actor FROM alloy.change WHERE change_id = ?
        GROUP BY 1, 2 ORDER BY 1, 2', $answer->header('Alloy-Change-Id'));
}

subtest 'changes, moves and deletions in one request' => sub {
    my $sprint = $server->post('/projects/WEB/sprints', { name => 'Sprint 1',
        start_date => '2026-04-01', end_date => '2026-04-14' },
        token => $ann)->json;
    my $second = ticket('WEB-2');
    my $answer = batch([
        { ticket => 'WEB-1', title => 'One', assignee_id => 'bob@example.com',
            labels => ['red', 'Blue'], points => 2.5, priority => 'urgent',
            due_date => '2026-05-01' },
        { ticket => uc $second->{id}, sprint_id => 'Sprint 1',
            description => "a \"quote\"\nand a line" },
        { ticket => 'web-3', action => 'transition', status => 'inprogress' },
        { ticket => 'WEB-4', action => 'delete' },
        { ticket => 'WEB-5', status => 'Done', assignee_id => 'me' },
        { ticket => 'WEB-6' },
    ]);
    status_is($answer, 200);
    my @results = @{ $answer->json->{results} };
    is_deeply([map { $_->{status} } @results], [200, 200, 200, 204, 200, 200],
        'each as by itself');
    is_deeply([map { $_->{ticket} } @results], ['WEB-1', $second->{id},
        'web-3', 'WEB-4', 'WEB-5', 'WEB-6'], 'by the names they were given');
    is($results[3]{body}, undef, 'a deletion says no more');
    my %one = %{ $results[0]{body} };
    is_deeply([@one{qw(title assignee_id points priority due_date version)}],
        ['One', $bob->{user_id}, 2.5, 'Critical', '2026-05-01', 2],
        'every kind of field');
    is_deeply([map { $_->{name} } @{ $one{labels} }], ['blue', 'red'],
        'labels by name');
    is($results[1]{body}{sprint_id}, $sprint->{id}, 'a sprint by name');
    is($results[1]{body}{description}, "a \"quote\"\nand a line", 'text');
    is($results[2]{body}{status}, 'InProgress', 'moved');
    ok($results[4]{body}{closed_at}, 'closed');
    is($results[5]{body}{version}, 1, 'nothing said, nothing changed');
    is_deeply($results[$_ - 1]{body}, ticket("WEB-$_"), "WEB-$_ is so")
        for 1, 2, 3, 5, 6;
    is($server->get('/tickets/WEB-4', token => $ann)->status, 404, 'deleted');
    is_deeply(logged($answer), [
        map { +{ operation => $_->[0], entity_type => 'ticket',
            rows => $_->[1], actor => $ann->{user_id} } }
            ['ticket_delete', 1], ['ticket_transition', 1],
            ['ticket_update', 3]], 'one change id, a row for each ticket');
};

subtest 'one action for all' => sub {
    my $answer = batch([map { { ticket => "WEB-$_", status => 'Todo' } } 6, 7],
        action => 'transition');
    is_deeply([map { $_->{body}{status} } @{ $answer->json->{results} }],
        ['Todo', 'Todo'], 'moved');
    is_problem(batch([{ ticket => 'WEB-6', title => 'x', status => 'Done' },
        { ticket => 'WEB-7' }], action => 'transition'),
        422, 'validation_failed', errors => {
            '/operations/0/title' => 'unknown',
            '/operations/1/status' => 'required' });
};

subtest 'all or nothing, and which one it was' => sub {
    unchanged {
        is_problem(batch([{ ticket => 'WEB-1', title => 'x' },
            { ticket => 'WEB-2', status => 'Nowhere' },
            { ticket => 'WEB-3', sprint_id => 'Sprint 9' },
            { ticket => 'WEB-5', assignee_id => 'nobody@example.com' }]),
            422, 'validation_failed', errors => {
                '/operations/2/sprint_id' => 'not_found',
                '/operations/3/assignee_id' => 'not_found' });
        my $answer = batch([{ ticket => 'WEB-1', title => 'x' },
            { ticket => 'WEB-2', status => 'Nowhere' }]);
        is_problem($answer, 422, 'validation_failed',
            errors => { '/operations/1/status' => 'unknown_status' });
        is_deeply($answer->json->{operation}, { index => 1 }, 'its index');
        is_problem(batch([{ ticket => 'WEB-1', title => 'x' },
            { ticket => 'WEB-999' }]), 404, 'not_found',
            errors => { '/operations/1/ticket' => 'not_found' });
        is_problem(batch([{ ticket => 'WEB-1', title => '' },
            { ticket => 'WEB-2', points => 'many' }, { title => 'x' }]),
            422, 'validation_failed', errors => ['/operations/0/title',
                '/operations/1/points', '/operations/2/ticket']);
        is_problem(batch([]), 422, 'validation_failed',
            errors => ['/operations']);
        is_problem(batch([map { { ticket => 'WEB-1' } } 0 .. 1000]), 422,
            'validation_failed', errors => ['/operations']);
        is_problem(batch([{ ticket => 'WEB-1', title => 'x' },
            { ticket => 'WEB-2', reporter_id => undef }]), 422,
            'validation_failed', errors => ['/operations/1/reporter_id']);
    } $server, 'nothing was changed';
};

subtest 'each by itself' => sub {
    my $answer = batch([{ ticket => 'WEB-6', title => 'Six' },
        { ticket => 'WEB-999', title => 'x' },
        { ticket => 'WEB-7', status => 'Nowhere' },
        { ticket => 'WEB-8', action => 'delete' }], atomic => json_false());
    status_is($answer, 200);
    my @results = @{ $answer->json->{results} };
    is_deeply([map { $_->{status} } @results], [200, 404, 422, 204],
        'what could be done was done');
    is($results[1]{body}{code}, 'not_found', 'a problem');
    is($results[2]{body}{errors}[0]{pointer}, '/operations/2/status',
        'and where');
    is(ticket('WEB-6')->{title}, 'Six', 'done');
    is($server->get('/tickets/WEB-8', token => $ann)->status, 404, 'deleted');
};

subtest 'the same ticket several times, parents in a row' => sub {
    my $answer = batch([
        { ticket => 'WEB-9', title => 'first' },
        { ticket => 'WEB-10', parent_id => 'WEB-9' },
        { ticket => 'WEB-9', title => 'second', status => 'Done' },
        { ticket => 'WEB-9', status => 'Todo' },
    ]);
    status_is($answer, 200);
    is_deeply([map { $_->{body}{version} } @{ $answer->json->{results} }],
        [2, 2, 3, 4], 'in order');
    my $nine = ticket('WEB-9');
    is_deeply([@$nine{qw(title status closed_at)}], ['second', 'Todo', undef],
        'the last word');
    unchanged {
        is_problem(batch([{ ticket => 'WEB-11', parent_id => 'WEB-12' },
            { ticket => 'WEB-12', parent_id => 'WEB-11' }]), 409,
            'invalid_state', errors => { '/operations/1/parent_id' => 'cycle' });
    } $server, 'no cycle within a batch';
};

subtest 'rights are those of each' => sub {
    is_problem(batch([{ ticket => 'WEB-1', title => 'x' },
        { ticket => 'HID-1', title => 'x' }], caller => $bob), 404,
        'not_found', errors => { '/operations/1/ticket' => 'not_found' });
    my $hidden = ticket('HID-1')->{id};
    is_problem(batch([{ ticket => $hidden, title => 'x' }], caller => $bob),
        404, 'not_found', errors => { '/operations/0/ticket' => 'not_found' });
    is_problem(batch([{ ticket => 'WEB-1', action => 'delete' }],
        caller => $bob), 403, 'forbidden', errors => ['/operations/0']);
    is_problem(batch([{ ticket => 'WEB-1', title => 'x' }], caller => $rey),
        403, 'forbidden');
    is_problem(batch([{ ticket => 'WEB-1', reporter_id => 'me' }],
        caller => $bob), 403, 'forbidden',
        errors => { '/operations/0/reporter_id' => 'forbidden' });
    my $eve = $server->register(email => 'eve@example.com', name => 'Eve');
    is_problem(batch([{ ticket => ticket('WEB-1')->{id}, title => 'x' }],
        caller => $eve), 404, 'not_found');
    my $mixed = batch([{ ticket => 'WEB-1', title => 'By Bob' },
        { ticket => 'HID-1', title => 'x' }], caller => $bob,
        atomic => json_false());
    is_deeply([map { $_->{status} } @{ $mixed->json->{results} }], [200, 404],
        'what he sees');
    is(ticket('HID-1')->{title}, 'Out of sight', 'and nothing else');
};

subtest 'keys: their scopes, their projects, their budget' => sub {
    my $key = sub {
        return $server->post('/auth/api-keys', { name => 'k',
            org_id => $org->{id}, @_ }, token => $ann)->json->{key};
    };
    is_problem(batch([{ ticket => 'HID-1', title => 'x' }],
        caller => $key->(project_ids => ['WEB'])), 404, 'not_found');
    is_problem(batch([{ ticket => 'WEB-1', action => 'delete' }],
        caller => $key->(scopes => ['tickets:write'])), 403, 'scope_missing');
    is_problem(batch([{ ticket => 'WEB-1', title => 'x' }],
        caller => $key->(scopes => ['tickets:read'])), 403, 'scope_missing');
    my $two = $key->(max_writes => 2);
    is_problem(batch([map { { ticket => "WEB-$_", points => 1 } } 1 .. 3],
        caller => $two), 403, 'write_budget_spent');
    is(ticket('WEB-1')->{points}, 2.5, 'nothing happened');
    status_is(batch([map { { ticket => "WEB-$_", points => 1 } } 1, 2],
        caller => $two), 200);
    is_problem(batch([{ ticket => 'WEB-1', points => 2 }], caller => $two),
        403, 'write_budget_spent');
};

subtest 'organizations in one batch' => sub {
    my $other = $server->post('/orgs', { name => 'Beta' }, token => $ann)->json;
    $server->post('/projects', { name => 'Beta', key => 'BETA',
        org_id => $other->{id} }, token => $ann);
    $server->ticket($ann, 'BETA', title => 'Of another');
    my $answer = batch([{ ticket => 'BETA-1', title => 'b' },
        { ticket => 'WEB-1', title => 'a' }]);
    status_is($answer, 200);
    is_deeply([map { $_->{body}{title} } @{ $answer->json->{results} }],
        ['b', 'a'], 'both');
    is_problem(batch([{ ticket => 'BETA-1', assignee_id => 'bob@example.com' }]),
        422, 'validation_failed',
        errors => { '/operations/0/assignee_id' => 'not_found' });
};

subtest 'tried, and repeated' => sub {
    my $dry;
    unchanged {
        $dry = batch([{ ticket => 'WEB-1', title => 'Dry' }],
            query => '?dry_run=true');
    } $server, 'tried';
    is($dry->header('Dry-Run'), 'true', 'and says so');
    is($dry->json->{dry_run}, json_true(), 'twice');
    is($dry->json->{results}[0]{body}{title}, 'Dry', 'its answer');
    my @once = ([{ ticket => 'WEB-1', title => 'Once' }],
        headers => { 'Idempotency-Key' => 'b' });
    my $first = batch(@once);
    my $again = batch(@once);
    is($again->body, $first->body, 'the same answer again');
    is($again->header('Idempotency-Replayed'), 'true', 'which was kept');
    is(ticket('WEB-1')->{version}, $first->json->{results}[0]{body}{version},
        'changed once');
};

subtest 'in a batch of anything, and undone' => sub {
    my $op = sub { return { method => $_[0], path => $_[1], body => $_[2] } };
    my $answer = $server->post('/batch', { operations => [
        $op->(PATCH => '/tickets/WEB-1', { title => 'Before' }),
        $op->(POST => '/tickets/batch', { operations => [
            { ticket => 'BETA-1', title => 'Within' },
            { ticket => 'WEB-1', title => 'Within' },
            { ticket => 'WEB-2', action => 'delete' }] }),
        $op->(PATCH => '/tickets/WEB-1', { priority => 'Low' }),
    ] }, token => $ann);
    status_is($answer, 200);
    is_deeply([map { $_->{status} } @{ $answer->json->{results} }],
        [200, 200, 200], 'done');
    is_deeply([@{ ticket('WEB-1') }{qw(title priority)}], ['Within', 'Low'],
        'in order');
    is_deeply([map { [@$_{qw(operation rows)}] } @{ logged($answer) }],
        [['ticket_delete', 1], ['ticket_update', 4]], 'by what each was');
    is_problem($server->post('/batch', { operations => [
        $op->(PATCH => '/tickets/WEB-1', { title => 'x' }),
        $op->(POST => '/tickets/batch', { operations => [
            { ticket => 'WEB-1' }, { ticket => 'WEB-3', title => '' }] })] },
        token => $ann), 422, 'validation_failed',
        errors => ['/operations/1/body/operations/1/title']);
    my $batch = batch([{ ticket => 'WEB-1', title => 'Wrong' },
        { ticket => 'WEB-3', action => 'delete' }]);
    status_is($server->post('/changes/' . $batch->header('Alloy-Change-Id')
        . '/revert', undef, token => $ann), 200);
    is(ticket('WEB-1')->{title}, 'Within', 'as it was');
    status_is($server->get('/tickets/WEB-3', token => $ann), 200, 'there');
};

subtest 'two batches over the same tickets, in opposite order' => sub {
    my @keys = map {"WEB-$_"} 1, 3, 5, 6, 7, 9 .. 12;
    my @answers = together(map {
        my ($n, @order) = ($_, $_ % 2 ? @keys : reverse @keys);
        sub { batch([map { { ticket => $_, title => "by $n" } } @order]) }
    } 1 .. 6);
    is_deeply([map { $_->status } @answers], [(200) x 6], 'all were done');
    my %titles = map { ticket($_)->{title} => 1 } @keys;
    is(scalar keys %titles, 1, 'one after the other');
};

# Names of the statements of the transaction of a call.
sub statements {
    my ($run) = @_;
    my $log  = $server->{cluster}->dir . '/postgres/log';
    my $from = -s $log;
    $run->();
    open my $in, '<', $log or die "$log: $!";
    seek $in, $from, 0;
    my (@names, $pid);
    while (<$in>) {
        my ($who, $what) = /\[(\d+)\] LOG:  execute (\S+?)(?:_\d+)?: / or next;
        $pid //= $who if $what eq 'begin';
        next if !$pid || $who != $pid;
        push @names, $what;
        last if $what eq 'commit';
    }
    return join ' ', @names;
}

subtest 'a thousand take no more statements than two' => sub {
    my $admin = $server->dbh('admin');
    my $project = $server->post('/projects', { name => 'Big', key => 'BIG',
        org_id => $org->{id} }, token => $ann)->json;
    for my $hundred (0 .. 9) {
        status_is($server->post('/batch', { operations => [
            map { { method => 'POST', path => '/projects/BIG/tickets',
                body => { title => "Big $_" } } } 1 .. 100 ] },
            token => $ann), 200) if !$hundred;
    }
    $admin->do(q{UPDATE alloy.project SET ticket_counter = 1000
        WHERE key = 'BIG'});
    $admin->do(q{
        INSERT INTO alloy.ticket (org_id, id, project_id, ticket_number,
            workflow_id, title, type, status, priority, reporter_id)
        SELECT t.org_id, overlay(t.id::text PLACING
                   lpad(to_hex(n), 8, '0') FROM 29 FOR 8)::uuid,
               t.project_id, n, t.workflow_id, 'Big ' || n, t.type, t.status,
               t.priority, t.reporter_id
          FROM alloy.ticket t CROSS JOIN generate_series(101, 1000) n
         WHERE t.project_id = (SELECT id FROM alloy.project WHERE key = 'BIG')
           AND t.ticket_number = 1});
    $admin->do('ANALYZE alloy.ticket');
    $admin->do('ALTER DATABASE ' . $server->database
        . q{ SET log_statement = 'all'});
    $server->restart;
    my $change = sub {
        my ($n, $title) = @_;
        return [map { { ticket => "BIG-$_", title => "$title $_",
            status => 'InProgress', assignee_id => 'bob@example.com',
            sprint_id => undef, labels => ['red'] } } 1 .. $n];
    };
    batch($change->(1, 'warm'));
    my ($answer, @counts);
    push @counts, statements(sub { batch($change->(2, 'two')) });
    push @counts, statements(sub { $answer = batch($change->(1000, 'all')) });
    status_is($answer, 200);
    is($counts[1], $counts[0], "a thousand as two: $counts[0]");
    like($counts[0], qr/ticket_set_update/, 'which were seen');
    is_deeply($server->rows(q{SELECT count(*)::int AS n FROM alloy.ticket t
        WHERE title = 'all ' || ticket_number AND status = 'InProgress'
          AND cardinality(labels) = 1}), [{ n => 1000 }], 'all of them');
    is_deeply(logged($answer), [{ operation => 'ticket_update',
        entity_type => 'ticket', rows => 1000, actor => $ann->{user_id} }],
        'and a row of history for each');
    my @deleted = statements(sub { $answer = batch([map { {
        ticket => "BIG-$_" } } 1 .. 500], action => 'delete') });
    status_is($answer, 200);
    is($deleted[0], 'begin enter_call ticket_set_find enter_call '
        . 'ticket_set_lock ticket_set_read ticket_set_delete commit',
        'nor does deleting');
};

done_testing;
