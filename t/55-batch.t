# POST /batch: several operations in one transaction, referring to each other;
# or each by itself.
use strict;
use warnings;

use Test::More;

use AlloyTest;

my $server = AlloyTest->start;
my $ann    = $server->register(email => 'ann@example.com', name => 'Ann');
my $bob    = $server->register(email => 'bob@example.com', name => 'Bob');

sub batch {
    my ($operations, %more) = @_;
    my $caller  = delete $more{caller}  // $ann;
    my $query   = delete $more{query}   // '';
    my $headers = delete $more{headers} // {};
    return $server->post("/batch$query",
        { operations => $operations, %more }, token => $caller->{token},
        headers => $headers);
}

sub op {
    my ($method, $path, $body, $id) = @_;
    return { method => $method, path => $path,
        ($body ? (body => $body) : ()), ($id ? (id => $id) : ()) };
}

sub total { return $server->dbh('admin')
        ->selectrow_array('SELECT count(*) FROM alloy.change') }

subtest 'an organization, a project, tickets: one request, one change' => sub {
    my $answer = batch([
        op(POST => '/orgs', { name => 'Acme' }, 'o'),
        op(POST => '/projects',
            { name => 'Web', key => 'WEB', org_id => '{o.id}' }, 'p'),
        op(POST => '/projects/{p.id}/tickets', { title => 'One' }, 't'),
        op(PATCH => '/tickets/{t.id}', { assignee_id => 'me' }),
        op(POST => '/tickets/{t.key}/comments', { body => '{t.id} stays' }),
        op(GET => '/projects/WEB/tickets?fields=key,assignee_id'),
    ]);
    is($answer->status, 200, 'done');
    my @results = @{ $answer->json->{results} };
    is_deeply([map { $_->{status} } @results],
        [201, 201, 201, 200, 201, 200], 'each as by itself');
    is($results[4]{body}{body}, '{t.id} stays', 'braces in a text are text');
    is_deeply($results[5]{body}{items},
        [{ key => 'WEB-1', assignee_id => $ann->{user_id} }],
        'later ones see what earlier ones did');
    is_deeply($server->rows('SELECT DISTINCT change_id::text AS change_id
            FROM alloy.change WHERE org_id = ?', $results[0]{body}{id}),
        [{ change_id => $answer->header('Alloy-Change-Id') }],
        'one change id');
};

subtest 'all or nothing' => sub {
    my $before = total();
    my $answer = batch([
        op(POST => '/projects/WEB/tickets', { title => 'Two' }),
        op(POST => '/projects/WEB/tickets', { title => '' }, 'bad'),
    ]);
    is_problem($answer, 422, 'validation_failed',
        errors => ['/operations/1/body/title']);
    is_deeply($answer->json->{operation}, { index => 1, id => 'bad' },
        'which one');
    is(total(), $before, 'nothing has changed');
    is_problem(batch([op(PATCH => '/tickets/WEB-9', { title => 'x' })]),
        404, 'not_found');
    is_problem(batch([op(PATCH => '/tickets/{x.id}', { title => 'x' })]),
        422, 'validation_failed', errors => ['/operations/0/path']);
    is_problem(batch([op(POST => '/projects',
        { name => 'x', key => 'XX', org_id => '{later.id}' }),
        op(POST => '/orgs', { name => 'Later' }, 'later')]),
        422, 'validation_failed', errors => ['/operations/0/body/org_id']);
    is_problem(batch([op(POST => '/auth/login', {})]), 422,
        'validation_failed', errors => ['/operations/0/path']);
    is_problem(batch([op(POST => '/batch', {})]), 422, 'validation_failed',
        errors => ['/operations/0/path']);
    is_problem(batch([]), 422, 'validation_failed', errors => ['/operations']);
    is(total(), $before, 'nor by those');
    is($server->post('/projects/WEB/tickets', { title => 'Two' },
        token => $ann->{token})->json->{ticket_number}, 2,
        'no number was lost');
};

subtest 'each by itself' => sub {
    my $answer = batch([
        op(POST => '/projects/WEB/tickets', { title => 'Three' }),
        op(POST => '/projects/NOPE/tickets', { title => 'x' }),
        op(POST => '/projects/WEB/tickets', { title => 'Four' }),
    ], atomic => $server->can('json_false')->());
    is($answer->status, 200, 'the batch was run');
    my @results = @{ $answer->json->{results} };
    is_deeply([map { $_->{status} } @results], [201, 404, 201], 'results');
    is($results[1]{body}{code}, 'not_found', 'the problem of the refused one');
    is($results[2]{body}{key}, 'WEB-4', 'the others happened');
};

subtest 'rights are those of each operation' => sub {
    is_problem(batch([op(GET => '/tickets/WEB-1')], caller => $bob), 404,
        'not_found');
    my $key = $server->post('/auth/api-keys',
        { name => 'two', max_writes => 2 }, token => $ann->{token})->json;
    my %robot = (caller => { token => $key->{key} });
    is_problem(batch([map { op(POST => '/projects/WEB/tickets',
        { title => "Robot $_" }) } 1 .. 3], %robot), 403,
        'write_budget_spent');
    is(batch([map { op(POST => '/projects/WEB/tickets',
        { title => "Robot $_" }) } 1 .. 2], %robot)->status, 200,
        'each write is paid for');
    is_problem(batch([op(POST => '/projects/WEB/tickets',
        { title => 'Robot 4' })], %robot), 403, 'write_budget_spent');
};

subtest 'tried, and repeated' => sub {
    my $before = total();
    my $dry = batch([op(POST => '/projects/WEB/tickets', { title => 'Dry' })],
        query => '?dry_run=true');
    is($dry->status, 200, 'tried');
    ok($dry->json->{dry_run}, 'and says so');
    is($dry->json->{results}[0]{body}{title}, 'Dry', 'its answer');
    is(total(), $before, 'nothing kept');
    my @once = ([op(POST => '/projects/WEB/tickets', { title => 'Once' })],
        headers => { 'Idempotency-Key' => 'b' });
    my $first = batch(@once);
    is(batch(@once)->body, $first->body, 'the same answer again');
    is(total(), $before + 1, 'one ticket');
};

done_testing;
