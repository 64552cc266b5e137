# API keys: what one may do, what it can't give away, and when it ends.
use strict;
use warnings;
use utf8;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Together;
use Digest::SHA ();
use Test::More;

my $server = AlloyTest->start(children => 2);
my $stranger = $server->register(name => 'Stranger');

sub events {
    my ($user) = @_;
    return join ' ', map { $_->{kind} } @{ $server->rows(
        q{SELECT kind FROM identity.event WHERE user_id = ? ORDER BY id},
        $user) };
}

# An access token is good, or not, for every child.
sub works {
    my ($token) = @_;
    my %seen = map { $server->get('/auth/me', token => $token,
        headers => { Connection => 'close' })->status => 1 } 1 .. 4;
    return join ' ', sort keys %seen;
}

# A key made by whoever the token stands for; its answer.
sub make_key {
    my ($token, %fields) = @_;
    return $server->post('/auth/api-keys', { name => 'script', %fields },
        token => $token);
}

subtest 'making API keys' => sub {
    my $hal = $server->register(name => 'Hal');
    my $answer = make_key($hal->{token});
    status_is($answer, 201);
    my $made = $answer->json;
    like($made->{key}, qr/^alloy_live_[0-9A-Za-z]{38}$/, 'the key');
    is($answer->header('Cache-Control'), 'no-store', 'not to be stored');
    my %plain = (name => 'script', hint => substr($made->{key}, 0, 15),
        test => json_false, org_id => undef, scopes => ['*'],
        project_ids => undef, read_only => json_false, max_writes => undef,
        writes_used => 0, expires_at => undef, on_behalf_of => undef,
        last_used_at => undef);
    my %got = %$made;
    delete @got{qw(id key created_at)};
    is_deeply(\%got, \%plain, 'without wishes: as wide as its maker');
    my ($row) = @{ $server->rows(q{SELECT k.*, encode(hash, 'hex') AS digest
        FROM identity.api_key k WHERE id = ?}, $made->{id}) };
    is($row->{digest}, Digest::SHA::sha256_hex($made->{key}), 'kept as a hash');
    unlike(join(' ', map { $_ // '' } values %$row), qr/\Q$made->{key}\E/,
        'and nowhere else');
    is(works($made->{key}), '200', 'it works');
    my $me = $server->get('/auth/me', token => $made->{key})->json;
    is_deeply([ @{ $me->{token} }{qw(kind name)} ], [ 'api_key', 'script' ],
        'whoami says what it is');
    like(make_key($hal->{token}, test => json_true)->json->{key},
        qr/^alloy_test_/, 'one for trying out');

    my $org = $server->org($hal, name => 'Keys');
    my $web = $server->project($hal, key => 'WEB', org_id => $org->{id});
    my $home = $server->project($hal, key => 'HOME', org_id => $hal->{org_id});
    my %wide = (name => 'narrow', org_id => $org->{slug},
        scopes => [ 'projects:read', 'api_keys:write' ],
        project_ids => ['WEB'], read_only => json_false, max_writes => 10,
        expires_at => '2999-01-02T03:04:05+01:00', on_behalf_of => 'Zoë');
    my $narrow = make_key($hal->{token}, %wide)->json;
    is_deeply([ @$narrow{qw(org_id scopes project_ids read_only max_writes
        expires_at on_behalf_of)} ],
        [ $org->{id}, $wide{scopes}, [ $web->{id} ], json_false, 10,
        '2999-01-02T02:04:05.000000Z', 'Zoë' ], 'every limit');
    $me = $server->get('/auth/me', token => $narrow->{key})->json;
    is_deeply([ map { $_->{slug} } @{ $me->{memberships} } ], [ $org->{slug} ],
        'it reaches one organization');
    is($me->{org_id}, $org->{id}, 'and that is the one that is meant');
    is_deeply($me->{token}, { kind => 'api_key', name => 'narrow',
        scopes => $wide{scopes}, project_ids => [ $web->{id} ],
        read_only => json_false, max_writes => 10, writes_used => 0,
        expires_at => $narrow->{expires_at}, on_behalf_of => 'Zoë' },
        'whoami shows the limits');
    status_is($server->get('/projects/WEB', token => $narrow->{key}), 200);
    is_problem($server->get("/projects/$home->{id}", token => $narrow->{key}),
        404, 'not_found');
    is_problem($server->get('/auth/sessions', token => $narrow->{key}),
        403, 'scope_missing');

    my $some = make_key($hal->{token}, org_id => $org->{id},
        project_ids => ['WEB'])->json->{key};
    is_problem($_, 403, 'forbidden', detail => qr/concerns the whole/,
        name => 'a key for some projects makes nobody an Admin of all')
        for $server->post("/orgs/$org->{id}/invites",
                { email => 'mallory@example.com', role => 'Admin' },
                token => $some),
            $server->get("/orgs/$org->{id}/invites", token => $some),
            $server->patch("/orgs/$org->{id}", { name => 'Mine' },
                token => $some),
            $server->post("/orgs/$org->{id}/teams", { name => 'Us' },
                token => $some);
    is($server->rows('SELECT count(*) AS n FROM alloy.invite
        WHERE org_id = ?', $org->{id})->[0]{n}, 0, 'nothing of it happened');
    status_is($server->get("/orgs/$org->{id}/members", token => $some), 200);
    status_is($server->patch('/projects/WEB', { description => 'Ours' },
        token => $some), 200);
    status_is($server->delete('/projects/WEB?dry_run=true', token => $some),
        200, 'of its projects it is as much an Admin as he is');

    is_problem(make_key($hal->{token}, scopes => [ 'tickets', '*' ]),
        422, 'validation_failed', errors => ['/scopes/0']);
    is_problem(make_key($hal->{token}, expires_at => '2001-01-01T00:00:00Z'),
        422, 'validation_failed', errors => { '/expires_at' => 'expires_early' });
    is_problem(make_key($hal->{token}, org_id => $org->{id},
        project_ids => [ $home->{id} ]), 422, 'validation_failed',
        errors => { '/project_ids' => 'projects_elsewhere' });
    is_problem(make_key($hal->{token}, org_id => $stranger->{org_id}),
        422, 'validation_failed', errors => { '/org_id' => 'not_found' });
    is_problem(make_key($hal->{token}, project_ids => [], max_writes => 0,
        name => undef), 422, 'validation_failed',
        errors => [ '/project_ids', '/max_writes', '/name' ]);

    subtest 'a key makes no key wider than itself' => sub {
        my %same = (org_id => $org->{id}, scopes => ['projects:read'],
            project_ids => ['WEB'], max_writes => 3,
            expires_at => '2998-01-01T00:00:00Z');
        my %wider = (
            '/scopes'      => [ ['projects:write'], ['*'], ['admin'] ],
            '/expires_at'  => ['2999-02-01T00:00:00Z'],
            '/max_writes'  => [ 10, undef ],
        );
        for my $where (sort keys %wider) {
            for my $value (@{ $wider{$where} }) {
                is_problem(make_key($narrow->{key}, %same,
                    substr($where, 1) => $value), 403, 'forbidden',
                    detail => qr/no key wider than itself/,
                    errors => [$where]);
            }
        }
        is_problem(make_key($narrow->{key}, %same, org_id => $hal->{org_id}),
            422, 'validation_failed', errors => { '/org_id' => 'not_found' });
        is_problem(make_key($narrow->{key}, %same, project_ids => ['HOME']),
            422, 'validation_failed', errors => ['/project_ids/0']);
        is($server->rows('SELECT writes_used FROM identity.api_key
            WHERE id = ?', $narrow->{id})->[0]{writes_used}, 0,
            'refusals cost nothing');
        my $child = make_key($narrow->{key}, name => 'child', max_writes => 3);
        status_is($child, 201, 'what is left out is as narrow');
        is_deeply([ @{ $child->json }{qw(org_id scopes project_ids
            expires_at on_behalf_of max_writes)} ],
            [ @$narrow{qw(org_id scopes project_ids expires_at on_behalf_of)},
            3 ], 'as its maker');
        is($server->rows('SELECT writes_used FROM identity.api_key
            WHERE id = ?', $narrow->{id})->[0]{writes_used}, 4,
            'the budget is handed on, and making it was a write');
        is_problem(make_key($narrow->{key}, max_writes => 1,
            on_behalf_of => 'Somebody else'), 403, 'forbidden',
            detail => qr/speaks for nobody else/, errors => ['/on_behalf_of']);
        my $reader = make_key($hal->{token}, read_only => json_true)->json;
        is_problem(make_key($reader->{key}), 403, 'scope_missing');
    };
};

subtest 'a key that reaches a part is not for the whole account' => sub {
    my $pat = $server->register(name => 'Pat');
    my $org = $server->must(201, $server->post('/orgs',
        { name => 'Part', slug => 'part' }, token => $pat))->{id};
    my $key = make_key($pat->{token}, org_id => $org)->json->{key};
    my $sessions = $server->rows(q{SELECT count(*) AS n FROM identity.session
        WHERE user_id = ? AND ended_at IS NULL}, $pat->{user_id})->[0]{n};
    is_problem($_->(token => $key), 403, 'forbidden') for
        sub { $server->post('/orgs', { name => 'More' }, @_) },
        sub { $server->get('/auth/sessions', @_) },
        sub { $server->delete('/auth/sessions/01890000-0000-7000-8000-000000000000', @_) },
        sub { $server->get('/auth/events', @_) },
        sub { $server->patch('/auth/me', { display_name => 'Pit' }, @_) },
        sub { $server->post('/invites/accept', { code => 'x' }, @_) };
    is($server->must(200, $server->get('/auth/me', token => $key))
        ->{display_name}, 'Pat', 'nothing was changed');
    is($server->rows(q{SELECT count(*) AS n FROM identity.session
        WHERE user_id = ? AND ended_at IS NULL}, $pat->{user_id})->[0]{n},
        $sessions, 'no session was ended');
};

subtest 'an Admin acts as one by the scope admin only' => sub {
    my $val = $server->register(name => 'Val');
    my $org = $server->must(201, $server->post('/orgs',
        { name => 'Scopes', slug => 'scopes' }, token => $val))->{id};
    my $mia = $server->member(org => $org, by => $val, role => 'Member');
    $server->must(201, $server->post('/projects',
        { org_id => $org, name => 'Scopes', key => 'SCO' }, token => $val));
    $server->must(201, $server->post('/projects/SCO/members',
        { user_id => $mia->{user_id} }, token => $val));
    my $ticket = $server->must(201, $server->post('/projects/SCO/tickets',
        { title => 'T' }, token => $val))->{id};
    my $comment = $server->must(201, $server->post(
        "/tickets/$ticket/comments", { body => 'Mine' }, token => $mia))->{id};
    my $key = make_key($val->{token}, scopes =>
        [qw(members:write comments:write tickets:write)])->json->{key};
    my $admin = make_key($val->{token}, scopes =>
        [qw(members:write comments:write admin)])->json->{key};
    is_problem($server->delete("/comments/$comment", token => $key), 403,
        'forbidden');
    is_problem($server->delete("/orgs/scopes/members/$mia->{user_id}",
        token => $key), 403, 'forbidden');
    is_problem($server->post("/tickets/$ticket/comments",
        { body => 'Hers', author_id => $mia->{user_id} }, token => $key),
        403, 'scope_missing');
    is_deeply([ map { $_->{body} } @{ $server->must(200, $server->get(
        "/tickets/$ticket/comments", token => $val))->{items} } ], ['Mine'],
        'nothing was changed');
    status_is($server->delete("/comments/$comment", token => $admin), 204);
    status_is($server->delete("/orgs/scopes/members/$mia->{user_id}",
        token => $admin), 204);
};

subtest 'listing and deleting API keys' => sub {
    my $ida = $server->register(name => 'Ida');
    my $org = $server->org($ida, name => 'Ida and sons');
    my @made = map { make_key($ida->{token}, name => "key $_",
        $_ == 3 ? (org_id => $org->{id}) : ())->json } 1 .. 3;
    my $page = $server->get('/auth/api-keys', token => $ida,
        query => { limit => 2 })->json;
    is_deeply([ map { $_->{name} } @{ $page->{items} } ], [ 'key 3', 'key 2' ],
        'newest first');
    my %shown = %{ $made[2] };
    delete $shown{key};
    is_deeply($page->{items}[0], \%shown, 'as made, without the key');
    $page = $server->get('/auth/api-keys', token => $ida,
        query => { limit => 2, cursor => $page->{next_cursor} })->json;
    is_deeply([ map { $_->{name} } @{ $page->{items} } ], ['key 1'], 'the rest');
    is_deeply([ map { $_->{name} } @{ $server->get('/auth/api-keys',
        token => $made[2]{key})->json->{items} } ], ['key 3'],
        'a key of one organization knows of its own only');
    is_problem($server->delete("/auth/api-keys/$made[0]{id}",
        token => $made[2]{key}), 404, 'not_found');
    is_problem($server->delete("/auth/api-keys/$made[0]{id}",
        token => $stranger), 404, 'not_found');
    is(works($made[0]{key}), '200', 'it is still there');
    status_is($server->delete("/auth/api-keys/$made[0]{id}", token => $ida),
        204);
    is(works($made[0]{key}), '401', 'the very next request is refused');
    is_problem($server->delete("/auth/api-keys/$made[0]{id}", token => $ida),
        404, 'not_found');
    is(scalar @{ $server->get('/auth/api-keys', token => $ida)->json->{items} },
        2, 'it is no longer listed');
    my $brief = make_key($ida->{token},
        expires_at => '2999-01-01T00:00:00Z')->json;
    is(works($brief->{key}), '200', 'not expired');
    $server->dbh('admin')->do(q{UPDATE identity.api_key
        SET expires_at = clock_timestamp() WHERE id = ?}, undef, $brief->{id});
    is(works($brief->{key}), '401', 'expired');
    like(events($ida->{user_id}), qr/key_created key_revoked key_created$/,
        'events');
};

subtest 'a budget of writes' => sub {
    my $jo = $server->register(name => 'Jo');
    $server->project($jo, key => 'BUD');
    my $key = make_key($jo->{token}, max_writes => 5)->json;
    my @answers = together(map { my $n = $_; sub { $server->post(
        '/projects/BUD/tickets', { title => "Ticket $n" },
        token => $key->{key}) } } 1 .. 8);
    is(scalar(grep { $_->status == 201 } @answers), 5, 'five of eight');
    is_problem($_, 403, 'write_budget_spent')
        for grep { $_->status != 201 } @answers;
    status_is($server->get('/projects/BUD/tickets', token => $key->{key}), 200);
};

done_testing;
