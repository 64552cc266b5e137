# Rules that must hold by whatever side door a request comes: a header that makes
# it a transaction, somebody else's transaction at the same moment, many projects.
use strict;
use warnings;

use POSIX ();
use Test::More;

use AlloyTest;
use AlloyTest::Plugins;
use AlloyTest::Raw;

my $server = AlloyTest->start(conf => "AlloyThrottle on\n");
my $ann    = $server->register(email => 'ann@example.com', name => 'Ann',
    password => 'correct horse battery');

sub make_key {
    return $server->post('/auth/api-keys', { name => 'robot', @_ },
        token => $ann)->json;
}

# The status of a request that has to wait for a transaction of $dbh's.
sub behind {
    my ($dbh, $request) = @_;
    my $pid = open(my $out, '-|') // die "fork: $!";
    if (!$pid) {
        print $request->()->status;
        STDOUT->flush;
        POSIX::_exit(0);
    }
    wait_for { $dbh->selectrow_array(q{SELECT count(*) FROM pg_locks
        WHERE NOT granted AND database = (SELECT oid FROM pg_database
                                          WHERE datname = current_database())
        OR NOT granted AND locktype = 'transactionid'}) } 'it waits';
    $dbh->commit;
    return readline $out;
}

subtest 'wrong passwords count, whatever is sent beside them' => sub {
    my $failures = sub {
        return $server->rows(q{SELECT coalesce(sum(failures), 0) AS n
            FROM identity.throttle WHERE key = 'account ann@example.com'}
            )->[0]{n};
    };
    my %guess = (current => 'a wrong password', new => 'another password 1');
    my $tries = 0;
    for my $extra ({}, { headers => { 'Idempotency-Key' => 'guess' } },
        { query => { dry_run => 'true' } }) {
        is_problem($server->post('/auth/password', {%guess}, token => $ann,
            %$extra), 422, 'validation_failed', errors => ['/current']);
        is($failures->(), ++$tries, 'counted');
    }
    $server->post('/batch', { operations => [ { id => 'a', method => 'POST',
        path => '/auth/password', body => {%guess} } ] }, token => $ann);
    is($failures->(), ++$tries, 'counted in a batch');
};

subtest 'If-Match on a member' => sub {
    my $org = $server->org($ann, name => 'Acme');
    my $bob = $server->member(by => $ann, org => $org->{id}, role => 'Member', name => 'Bob');
    my $path = "/orgs/$org->{id}/members/$bob->{email}";
    my $first = $server->patch($path, { role => 'Viewer' }, token => $ann);
    my $tag = $first->header('ETag');
    ok($tag, 'a tag');
    status_is($server->patch($path, { role => 'Reporter' }, token => $ann,
        headers => { 'If-Match' => $tag }), 200);
    is_problem($server->patch($path, { role => 'Admin' }, token => $ann,
        headers => { 'If-Match' => $tag }), 412, 'version_conflict');
};

subtest 'a repeated request costs no second write' => sub {
    my $key = make_key(max_writes => 1);
    my %once = (token => $key->{key}, headers => { 'Idempotency-Key' => 'b' });
    status_is($server->post('/projects', { name => 'P', key => 'PAY' }, %once),
        201);
    my $again = $server->post('/projects', { name => 'P', key => 'PAY' }, %once);
    status_is($again, 201);
    is($again->header('Idempotency-Replayed'), 'true', 'as it was answered');
    is($server->rows('SELECT writes_used FROM identity.api_key WHERE id = ?',
        $key->{id})->[0]{writes_used}, 1, 'one write');
};

subtest 'a key is not told what a wider token was answered' => sub {
    $server->project($ann, key => 'WEB');
    $server->project($ann, key => 'SEC');
    my %once = (headers => { 'Idempotency-Key' => 'wide' });
    my $secret = $server->post('/projects/SEC/tickets', { title => 'Secret' },
        token => $ann, %once)->json;
    my $project = $secret->{project_id};
    $server->post("/projects/$project/tickets", { title => 'Secret' },
        token => $ann, headers => { 'Idempotency-Key' => 'wide2' });
    my $key = make_key(project_ids => ['WEB']);
    is_problem($server->post("/projects/$project/tickets",
        { title => 'Secret' }, token => $key->{key},
        headers => { 'Idempotency-Key' => 'wide2' }), 404, 'not_found');
};

subtest 'bytes in User-Agent' => sub {
    my ($answer) = raw_answers($server, raw_request('POST',
        '/api/v1/projects/WEB/tickets', { Authorization => "Bearer $ann->{token}",
        'Content-Type' => 'application/json',
        'User-Agent' => "caf\xe9" . ('x' x 3000) }, '{"title":"Bytes"}'));
    status_is($answer, 201);
    ok(length($server->rows(q{SELECT client_name FROM alloy.change
        WHERE entity_type = 'ticket' ORDER BY seq DESC LIMIT 1}
        )->[0]{client_name}) <= 200, 'shortened');
};

subtest 'a ticket made while its project changes workflow' => sub {
    plan skip_all => 'without the plugin workflows'
        unless grep { $_ eq 'workflows' } AlloyTest::Plugins::names();
    my $flow = $server->project($ann, key => 'FLOW');
    my $org  = $flow->{org_id};
    my $dbh  = $server->new_dbh('admin');
    my ($other) = $dbh->selectrow_array(q{INSERT INTO alloy.workflow
        (org_id, id, name) VALUES (?, alloy.new_id(?), 'Short') RETURNING id},
        undef, $org, $org);
    $dbh->do(q{INSERT INTO alloy.workflow_status (org_id, workflow_id, name,
        category, position) VALUES (?, ?, 'Backlog', 'todo', 1),
        (?, ?, 'Done', 'done', 2)}, undef, ($org, $other) x 2);
    $dbh->begin_work;
    $dbh->do(q{UPDATE alloy.project SET ticket_counter = ticket_counter + 1
        WHERE id = ?}, undef, $flow->{id});
    $dbh->do(q{INSERT INTO alloy.ticket (org_id, id, project_id, ticket_number,
        workflow_id, title, status, reporter_id)
        VALUES (?, alloy.new_id(?), ?, 1, ?, 'Late', 'Backlog', ?)}, undef,
        $org, $org, $flow->{id}, $flow->{workflow_id}, $ann->{user_id});
    my $patched = behind($dbh, sub { $server->patch('/projects/FLOW',
        { workflow_id => $other }, token => $ann) });
    is($patched, 200, 'changed');
    is($server->rows('SELECT workflow_id FROM alloy.ticket
        WHERE project_id = ?', $flow->{id})->[0]{workflow_id}, $other,
        'follows its project');
};

subtest 'more projects than a setting holds' => sub {
    my $org = $server->org($ann, name => 'Many');
    my $bob = $server->member(by => $ann, org => $org->{id}, role => 'Member', name => 'Bill');
    $server->dbh('admin')->do(q{
        WITH w AS (SELECT id FROM alloy.workflow WHERE org_id = $1),
        p AS (INSERT INTO alloy.project (org_id, id, key, name, workflow_id,
                                        created_by)
              SELECT $1, alloy.new_id($1), 'K' || n, 'P' || n, w.id, $2
                FROM w, generate_series(1, 501) n RETURNING org_id, id)
        INSERT INTO alloy.project_member (org_id, project_id, user_id)
        SELECT org_id, id, $2 FROM p}, undef, $org->{id}, $bob->{user_id});
    status_is($server->get('/projects/K501', token => $bob), 200);
    my $made = $server->post('/projects', { name => 'One more', key => 'MORE',
        org_id => $org->{id} }, token => $bob);
    status_is($made, 201);
    status_is($server->get('/projects/MORE', token => $bob), 200);
};

subtest 'a caller who has changed costs no connection' => sub {
    my $sessions = sub {
        return map { $_->{pid} } @{ $server->rows(q{SELECT pid
            FROM pg_stat_activity WHERE usename = 'alloy_app'
            AND datname = current_database()}) };
    };
    my $change = sub {
        my ($number) = @_;
        status_is($server->patch('/auth/me', { display_name => "Ann $number" },
            token => $ann), 200);
        status_is($server->post('/orgs', { name => "Org $number" },
            token => $ann, headers => { 'Idempotency-Key' => "org$number" }),
            201);
    };
    my @before = $sessions->();
    $change->($_) for 1 .. 4;
    my %now = map { $_ => 1 } $sessions->();
    is_deeply([ grep { !$now{$_} } @before ], [], 'all are still there');
};

done_testing;
