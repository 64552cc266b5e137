# Accounts and sessions: every operation, what it leaves in the database, who
# may not, and those who do it at the same time.
use strict;
use warnings;
use utf8;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Together;
use Test::More;

my $server = AlloyTest->start(children => 2);
my $UUID = qr/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
my @SIGNED_IN = qw(access_token display_name email expires_in refresh_token
    token_type user_id);
my $PASSWORD = 'correct horse battery staple';

sub keys_of { return join ' ', sort keys %{ $_[0] } }

sub login {
    my ($email, $password) = @_;
    return $server->post('/auth/login',
        { email => $email, password => $password // $PASSWORD });
}

sub refresh {
    my ($token) = @_;
    return $server->post('/auth/refresh', { refresh_token => $token });
}

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

# ---- setting up -------------------------------------------------------------

my $first;

subtest 'the first user and organization' => sub {
    my $status = $server->get('/onboard');
    status_is($status, 200);
    is_deeply($status->json, { needs_setup => json_true }, 'nobody is here');

    is_problem($server->post('/onboard', { email => 'x', password => 'short',
        display_name => 'a@b' }), 422, 'validation_failed',
        errors => [ '/email', '/password', '/display_name', '/org_name' ]);

    my @answers = together(map {
        my $n = $_;
        sub { $server->post('/onboard', { email => "root$n\@example.com",
            password => $PASSWORD, display_name => 'Root',
            org_name => 'Root', currency => 'eur' }) }
    } 1 .. 6);
    my @made = grep { $_->status == 201 } @answers;
    is(scalar @made, 1, 'six at once: one is the first');
    is_problem($_, 409, 'invalid_state') for grep { $_->status != 201 } @answers;
    is($server->rows('SELECT count(*) AS n FROM identity.user')->[0]{n}, 1,
        'the others left nothing');

    $first = $made[0]->json;
    is(keys_of($first), join(' ', sort @SIGNED_IN, qw(org_id org_slug)),
        'the keys of the answer');
    is($made[0]->header('Cache-Control'), 'no-store', 'not to be stored');
    is($first->{org_slug}, 'root', 'the organization has the plain slug');
    my $orgs = $server->rows(q{SELECT o.name, o.is_personal, o.currency, m.role,
            (SELECT count(*) FROM alloy.workflow_status s
              WHERE s.org_id = o.org_id) AS statuses
        FROM alloy.organization o JOIN alloy.membership m USING (org_id)
       WHERE m.user_id = ? ORDER BY o.is_personal}, $first->{user_id});
    is_deeply($orgs, [ map { { name => 'Root', is_personal => $_,
        currency => 'EUR', role => 'Owner', statuses => 6 } } 0, 1 ],
        'it and a personal one, each with a workflow');
    is($server->get('/onboard')->json->{needs_setup}, json_false, 'that was it');
    is_problem($server->post('/onboard', { email => 'late@example.com',
        password => $PASSWORD, display_name => 'Late', org_name => 'Late' }),
        409, 'invalid_state');
    is(works($first->{access_token}), '200', 'the first user is signed in');
};

# ---- registration -----------------------------------------------------------

subtest 'registering' => sub {
    my $answer = $server->post('/auth/register', {
        email => 'Ann.Example@EXAMPLE.com', password => 'pässwörd',
        display_name => 'Ann Éxample' }, headers => { 'User-Agent' => 'x' });
    status_is($answer, 201);
    my $ann = $answer->json;
    is(keys_of($ann), join(' ', sort @SIGNED_IN, 'org_id'), 'the keys');
    is($ann->{email}, 'Ann.Example@example.com', 'the e-mail');
    is($ann->{display_name}, 'Ann Éxample', 'the name');
    is($ann->{token_type}, 'Bearer', 'the type');
    ok($ann->{expires_in} > 0, 'a lifetime');
    like($ann->{user_id}, $UUID, 'a UUIDv7');
    like($ann->{refresh_token}, qr/^alloy_refresh_[0-9A-Za-z]{38}$/, 'a token');
    is($answer->header('Cache-Control'), 'no-store', 'not to be stored');
    like($answer->header('Alloy-Change-Id'), $UUID, 'a change id');

    my ($row) = @{ $server->rows('SELECT * FROM identity.user WHERE id = ?',
        $ann->{user_id}) };
    is($row->{email_folded}, 'ann.example@example.com', 'folded');
    like($row->{password_hash}, qr/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/,
        'the password is hashed');
    is($row->{email_verified}, 0, 'nothing proves the address');
    my ($session) = @{ $server->rows(
        'SELECT client, address FROM identity.session WHERE user_id = ?',
        $ann->{user_id}) };
    is_deeply($session, { client => 'x', address => '127.0.0.1' },
        'the session knows its client');
    my $log = $server->rows(q{SELECT DISTINCT actor, operation, change_id
        FROM alloy.change WHERE org_id = ?}, $ann->{org_id});
    is_deeply($log, [ { actor => $ann->{user_id}, operation => 'auth_register',
        change_id => $answer->header('Alloy-Change-Id') } ],
        'the change log names the new user');
    is(events($ann->{user_id}), 'register', 'an event');

    is_problem($server->post('/auth/register', {
        email => 'ANN.example@example.com', password => $PASSWORD,
        display_name => 'Other' }), 409, 'already_exists',
        errors => { '/email' => 'email_taken' });
    is_problem($server->post('/auth/register', { email => 'none',
        password => 'seven77', display_name => $_, planet => 1 }),
        422, 'validation_failed',
        errors => [ '/email', '/password', '/display_name', '/planet' ])
        for 'me', 'None', 'a@b', '01890000-0000-7000-8000-000000000000', ' ',
        'x' x 201;
    is_problem($server->post('/auth/register', { email => 'long@example.com',
        password => 'ü' x 513, display_name => 'Long' }),
        422, 'validation_failed', errors => [ '/password' ]);
    is_problem($server->post('/auth/register', undef), 422, 'validation_failed',
        errors => [ '/email', '/password', '/display_name' ]);

    my @answers = together(map { sub { $server->post('/auth/register', {
        email => 'twice@example.com', password => $PASSWORD,
        display_name => 'Twice' }) } } 1 .. 4);
    is(join(' ', sort map { $_->status } @answers), '201 409 409 409',
        'one e-mail at the same time: one user');
    is($server->rows(q{SELECT count(*) AS n FROM alloy.organization
        WHERE name = 'Twice'})->[0]{n}, 1, 'the refused left nothing');
};

subtest 'modes of registration' => sub {
    my $closed = AlloyTest->start(with => $server,
        conf => "AlloyRegistration disabled\n");
    my $invited = AlloyTest->start(with => $server,
        conf => "AlloyRegistration invite_only\n");
    my %who = (email => 'mode@example.com', password => $PASSWORD,
        display_name => 'Mode');
    is_problem($closed->post('/auth/register', \%who), 403, 'forbidden');
    is_problem($invited->post('/auth/register', \%who), 403, 'forbidden');
    my $org = $server->org($first->{access_token}, name => 'Inviting');
    my $code = $server->must(201, $server->post("/orgs/$org->{id}/invites",
        { email => 'MODE@example.com', role => 'Admin' },
        token => $first->{access_token}))->{invite_code};
    (my $wrong = $code) =~ s/(.)$/$1 eq 'a' ? 'b' : 'a'/e;
    for my $bad ($wrong, 'nonsense', 'alloy_invite_' . 'a' x 38) {
        is_problem($invited->post('/auth/register',
            { %who, invite_code => $bad }), 422, 'validation_failed',
            errors => { '/invite_code' => 'invite_unknown' });
    }
    is_problem($invited->post('/auth/register', { %who,
        email => 'other@example.com', invite_code => $code }),
        403, 'invite_mismatch');
    is_problem($server->post('/auth/register', { %who,
        email => 'twice@example.com', invite_code => $code }),
        403, 'invite_mismatch');
    my $answer = $invited->post('/auth/register', { %who, invite_code => $code });
    status_is($answer, 201);
    my $me = $invited->get('/auth/me', token => $answer->json->{access_token});
    is($me->json->{org_id}, $org->{id}, 'he belongs to who invited him');
    is($me->json->{role}, 'Admin', 'in the role of the invite');
    is(scalar @{ $me->json->{memberships} }, 2, 'and has a personal one');
    is_problem($invited->post('/auth/register', { %who, invite_code => $code }),
        422, 'validation_failed',
        errors => { '/invite_code' => 'invite_unknown' });
};

# ---- signing in and out -----------------------------------------------------

subtest 'signing in' => sub {
    my $bo = $server->register(name => 'Bo', email => 'bo@example.com');
    my $answer = login('BO@Example.com');
    status_is($answer, 200);
    is(keys_of($answer->json), join(' ', sort @SIGNED_IN), 'the keys');
    is($answer->json->{user_id}, $bo->{user_id}, 'the same user');
    is($answer->header('Cache-Control'), 'no-store', 'not to be stored');
    is(works($answer->json->{access_token}), '200', 'the token is good');
    is(works($bo->{token}), '200', 'and the other one still is');

    my @wrong = (login('bo@example.com', 'wrong password'),
        login('nobody@example.com'), login('bo@example.com', 'x'),
        login('no address'));
    is_problem($_, 401, 'unauthorized',
        detail => 'The e-mail address or the password is wrong.') for @wrong;
    is(events($bo->{user_id}), 'register login login_failed login_failed',
        'events');
    my ($user) = @{ $server->rows(
        'SELECT password_hash FROM identity.user WHERE id = ?',
        $bo->{user_id}) };
    $server->dbh('admin')->do(
        'UPDATE identity.user SET disabled_at = now() WHERE id = ?', undef,
        $bo->{user_id});
    is_problem(login('bo@example.com'), 401, 'unauthorized');
    is(works($bo->{token}), '401', 'whoever is disabled is out');
    is_problem(refresh($bo->{refresh}), 401, 'unauthorized');
};

subtest 'rotating refresh tokens' => sub {
    my $cy = $server->register(name => 'Cy');
    my $answer = refresh($cy->{refresh});
    status_is($answer, 200);
    my $one = $answer->json;
    is(keys_of($one), join(' ', sort @SIGNED_IN), 'the keys');
    isnt($one->{refresh_token}, $cy->{refresh}, 'another one');
    is(works($one->{access_token}), '200', 'the access token is good');

    my $again = refresh($cy->{refresh});
    status_is($again, 200, 'sent again at once: the answer was lost');
    my $two = $again->json->{refresh_token};
    isnt($two, $one->{refresh_token}, 'a new successor');
    my $three = refresh($two)->json->{refresh_token};
    ok($three, 'which works');
    is_problem(refresh($cy->{refresh}), 401, 'unauthorized',
        name => 'again, after its successor was used: reuse');
    is_problem(refresh($three), 401, 'unauthorized',
        name => 'the whole family has ended');
    is(works($_), '401', 'no access token works')
        for $cy->{token}, $one->{access_token};
    like(events($cy->{user_id}), qr/refresh_reuse/, 'an event tells it');
    is(works(login($cy->{email})->json->{access_token}), '200',
        'signing in anew works');

    my $late = login($cy->{email})->json;
    my $next = refresh($late->{refresh_token})->json;
    $server->dbh('admin')->do(q{UPDATE identity.refresh_token
        SET spent_at = spent_at - interval '61 seconds'
        WHERE spent_at IS NOT NULL});
    is_problem(refresh($late->{refresh_token}), 401, 'unauthorized',
        name => 'again after more than 60 seconds: reuse');
    is_problem(refresh($next->{refresh_token}), 401, 'unauthorized');

    my $old = login($cy->{email})->json;
    $server->dbh('admin')->do(q{UPDATE identity.refresh_token
        SET expires_at = now() WHERE spent_at IS NULL});
    is_problem(refresh($old->{refresh_token}), 401, 'unauthorized',
        name => 'expired');
    is_problem(refresh($_), 401, 'unauthorized')
        for 'x', 'alloy_refresh_' . '0' x 38;
    is_problem($server->post('/auth/refresh', {}), 422, 'validation_failed',
        errors => { '/refresh_token' => 'required' });

    my $race = login($cy->{email})->json;
    my @answers = together(map { sub { refresh($race->{refresh_token}) } } 1 .. 6);
    is(join(' ', map { $_->status } @answers), join(' ', (200) x 6),
        'six at once: each is answered');
    my $live = $server->rows(q{SELECT count(*) AS n FROM identity.refresh_token t
        JOIN identity.session s ON s.id = t.session_id AND s.ended_at IS NULL
        WHERE t.user_id = ? AND t.spent_at IS NULL
          AND t.expires_at > now()}, $cy->{user_id})->[0]{n};
    is($live, 1, 'and one successor is left');
};

subtest 'signing out' => sub {
    my $di = $server->register(name => 'Di');
    my $two = login($di->{email})->json;
    my $answer = $server->post('/auth/logout', undef, token => $di);
    status_is($answer, 204);
    is($answer->body, '', 'no body');
    is(works($di->{token}), '401', 'the session is over');
    is_problem(refresh($di->{refresh}), 401, 'unauthorized');
    is(works($two->{access_token}), '200', 'the other one is not');
    status_is($server->post('/auth/logout',
        { refresh_token => $two->{refresh_token} }), 204);
    is(works($two->{access_token}), '401', 'by its refresh token');
    status_is($server->post('/auth/logout',
        { refresh_token => $two->{refresh_token} }), 204,
        'what has ended may end again');
    my $three = login($di->{email})->json;
    status_is($server->post('/auth/logout',
        { refresh_token => $three->{refresh_token} },
        token => $two->{access_token}), 204,
        'an access token that has ended does not stand in the way');
    is(works($three->{access_token}), '401', 'of its refresh token');
    status_is($server->post('/auth/logout', { refresh_token => 'x' }), 204);
    is_problem($server->post('/auth/logout', {},
        token => $two->{access_token}), 401, 'unauthorized');
    is_problem($server->post('/auth/logout', {}), 401, 'unauthorized');
    is(events($di->{user_id}), 'register login logout logout login logout',
        'events');
};

# ---- the caller -------------------------------------------------------------

subtest 'who am I' => sub {
    my $ed = $server->register(name => 'Ed');
    my $me = $server->get('/auth/me', token => $ed)->json;
    my $personal = $ed->{org_id};
    is(keys_of($me), join(' ', sort qw(user_id email display_name org_id role
        default_org_id memberships token)), 'the keys');
    is_deeply($me->{token}, { kind => 'session', name => undef,
        scopes => ['*'], project_ids => undef, read_only => json_false,
        max_writes => undef, writes_used => undef, expires_at => undef,
        on_behalf_of => undef }, 'a session may do everything');
    is_deeply([ @$me{qw(org_id role default_org_id)} ],
        [ $personal, 'Owner', undef ], 'alone: the personal one');

    my $a = $server->org($ed, name => 'Alpha');
    $me = $server->get('/auth/me', token => $ed)->json;
    is($me->{org_id}, $a->{id}, 'the only other one');
    my $b = $server->org($ed, name => 'Beta');
    $me = $server->get('/auth/me', token => $ed)->json;
    is($me->{org_id}, $personal, 'two others: the personal one');
    is_deeply([ map { $_->{name} } @{ $me->{memberships} } ],
        [ 'Alpha', 'Beta', 'Ed' ], 'all of them, the personal one last');
    is(keys_of($me->{memberships}[0]), 'is_personal name org_id role slug',
        'the keys of a membership');

    my $answer = $server->patch('/auth/me', { default_org_id => $b->{slug},
        display_name => 'Edward' }, token => $ed);
    status_is($answer, 200);
    is_deeply([ @{ $answer->json }{qw(org_id default_org_id display_name)} ],
        [ $b->{id}, $b->{id}, 'Edward' ], 'a default, by its slug');
    is_deeply($server->get('/auth/me', token => $ed)->json, $answer->json,
        'what was answered is what is there');
    is($server->patch('/auth/me', { default_org_id => undef }, token => $ed)
        ->json->{default_org_id}, undef, 'null clears it');
    is($server->get('/auth/me', token => $ed)->json->{display_name}, 'Edward',
        'and leaves the name alone');
    is_problem($server->patch('/auth/me', { default_org_id => $first->{org_id} },
        token => $ed), 422, 'validation_failed',
        errors => { '/default_org_id' => 'not_found' });
    is_problem($server->patch('/auth/me', { display_name => undef },
        token => $ed), 422, 'validation_failed', errors => ['/display_name']);
    is_problem($server->patch('/auth/me', { email => 'x@example.com' },
        token => $ed), 422, 'validation_failed', errors => ['/email']);
    is_problem($server->get('/auth/me'), 401, 'unauthorized');
    is_problem($server->get('/auth/me', token => $_), 401, 'unauthorized')
        for 'x', "$ed->{token}x", $ed->{refresh};
};

subtest 'a new password' => sub {
    my $fay = $server->register(name => 'Fay');
    my $other = login($fay->{email})->json;
    my $key = make_key($fay->{token})->json->{key};
    is_problem($server->post('/auth/password', { current => 'wrong',
        new => 'another password' }, token => $fay), 422, 'validation_failed',
        errors => { '/current' => 'wrong' });
    is_problem($server->post('/auth/password', { current => $PASSWORD,
        new => 'short' }, token => $fay), 422, 'validation_failed',
        errors => [ '/new' ]);
    is_problem($server->post('/auth/password', { current => $PASSWORD,
        new => 'another password' }, token => $key), 403, 'forbidden');
    is_problem($server->post('/auth/password', { current => $PASSWORD,
        new => 'another password' }), 401, 'unauthorized');
    status_is($server->post('/auth/password', { current => $PASSWORD,
        new => 'another password' }, token => $fay), 204);
    is(works($fay->{token}), '200', 'this session goes on');
    is(works($other->{access_token}), '401', 'others are over');
    is_problem(refresh($other->{refresh_token}), 401, 'unauthorized');
    is(works($key), '200', 'keys stay');
    is_problem(login($fay->{email}), 401, 'unauthorized');
    status_is(login($fay->{email}, 'another password'), 200);
    like(events($fay->{user_id}), qr/login_failed password_changed/, 'events');

    my @answers = together(map { my $n = $_; sub { $server->post(
        '/auth/password', { current => 'another password',
        new => "password number $n" }, token => $fay) } } 1, 2);
    is(join(' ', sort map { $_->status } @answers), '204 422',
        'two at once: one wins');
};

subtest 'sessions and events' => sub {
    my $gil = $server->register(name => 'Gil');
    my @more = map { login($gil->{email})->json } 1 .. 4;
    my $answer = $server->get('/auth/sessions', token => $gil,
        query => { limit => 2 });
    status_is($answer, 200);
    my $page = $answer->json;
    is(scalar @{ $page->{items} }, 2, 'a page');
    is(keys_of($page->{items}[0]), join(' ', sort qw(id created_at last_used_at
        client address current)), 'the keys');
    my @all = @{ $page->{items} };
    while ($page->{has_more}) {
        $page = $server->get('/auth/sessions', token => $gil,
            query => { limit => 2, cursor => $page->{next_cursor} })->json;
        push @all, @{ $page->{items} };
    }
    is(scalar @all, 5, 'all, once');
    is(join(' ', map { 0 + $_->{current} } @all), '0 0 0 0 1',
        'newest first, and this one is marked');

    status_is($server->delete("/auth/sessions/$all[0]{id}", token => $gil), 204);
    is(works($more[3]{access_token}), '401', 'it ends at once');
    is_problem($server->delete("/auth/sessions/$all[0]{id}", token => $gil),
        404, 'not_found');
    is_problem($server->delete("/auth/sessions/$all[1]{id}",
        token => $first->{access_token}), 404, 'not_found',
        name => "somebody else's");
    is_problem($server->delete('/auth/sessions/x', token => $gil),
        404, 'not_found');
    is(works($more[2]{access_token}), '200', 'and is still there');
    is(scalar @{ $server->get('/auth/sessions', token => $gil)->json->{items} },
        4, 'the list knows');

    my @kinds;
    my %query = (limit => 4);
    do {
        $page = $server->get('/auth/events', token => $gil,
            query => \%query)->json;
        push @kinds, map { $_->{kind} } @{ $page->{items} };
        like($_->{id}, $UUID) for @{ $page->{items} };
        $query{cursor} = $page->{next_cursor};
    } while ($page->{has_more});
    is("@kinds", 'session_ended login login login login register',
        'events, newest first, over two pages');
    is(keys_of($page->{items}[0]), 'address at client detail id kind',
        'the keys of an event');
    is_problem($server->get('/auth/events', token => $gil,
        query => { cursor => 'x' }), 422, 'validation_failed',
        errors => ['cursor']);
};

# ---- rights that change -----------------------------------------------------

subtest 'the very next request knows' => sub {
    my $kim = $server->register(name => 'Kim');
    my $org = $server->org($kim, name => 'Kims');
    my $leo = $server->member(org => $org->{id}, by => $kim, role => 'Admin',
        name => 'Leo');
    my $can = sub { join ' ', map { $server->get("/orgs/$org->{id}/invites",
        token => $leo, headers => { Connection => 'close' })->status } 1 .. 6 };
    is($can->(), join(' ', (200) x 6), 'an Admin reads invites on any child');
    status_is($server->patch("/orgs/$org->{id}/members/$leo->{user_id}",
        { role => 'Viewer' }, token => $kim), 200);
    is($can->(), join(' ', (403) x 6), 'a Viewer on none');
    my @members = map { $server->get("/orgs/$org->{id}/members",
        token => $leo)->status } 1 .. 2;
    is("@members", '200 200', 'but the rest');
};

# ---- resetting a password ---------------------------------------------------

subtest 'a one-time code' => sub {
    my $mia = $server->register(name => 'Mia');
    my $org = $server->org($mia, name => 'Mias');
    my $ned = $server->member(org => $org->{id}, by => $mia, role => 'Admin',
        name => 'Ned');
    my $oz = $server->member(org => $org->{id}, by => $mia, name => 'Oz');
    my $path = "/orgs/$org->{id}/members/%s/reset";
    is_problem($server->post(sprintf($path, $oz->{user_id}), undef,
        token => $ned), 403, 'forbidden');
    is_problem($server->post(sprintf($path, $first->{user_id}), undef,
        token => $mia), 404, 'not_found');
    is_problem($server->post(sprintf($path, $oz->{user_id}), undef,
        token => $first->{access_token}), 404, 'not_found');
    my $answer = $server->post(sprintf($path, $oz->{email}), undef,
        token => $mia);
    status_is($answer, 200);
    my $old = $answer->json->{code};
    like($old, qr/^alloy_reset_/, 'a code');
    is(keys_of($answer->json), 'code expires_at user_id', 'the keys');
    is($answer->header('Cache-Control'), 'no-store', 'not to be stored');
    my $code = $server->post(sprintf($path, $oz->{user_id}), undef,
        token => $mia)->json->{code};
    my %new = (new => 'a fresh start');
    is_problem($server->post('/auth/reset', { %new, code => $_ }), 422,
        'validation_failed', errors => { '/code' => 'unknown' })
        for $old, 'x', 'alloy_reset_' . '0' x 38;
    is_problem($server->post('/auth/reset', { code => $code, new => 'short' }),
        422, 'validation_failed', errors => ['/new']);
    status_is(login($oz->{email}), 200, 'nothing has changed so far');

    my @answers = together(map { my $n = $_; sub { $server->post('/auth/reset',
        { code => $code, new => "a fresh start $n" }) } } 1 .. 4);
    is(join(' ', sort map { $_->status } @answers), '204 422 422 422',
        'a code works once');
    is(works($oz->{token}), '401', 'every session is over');
    is_problem(login($oz->{email}), 401, 'unauthorized');
    my ($n) = grep { $answers[ $_ - 1 ]->status == 204 } 1 .. 4;
    status_is(login($oz->{email}, "a fresh start $n"), 200);
    like(events($oz->{user_id}), qr/reset_offered.* reset /, 'events');

    my $late = $server->post(sprintf($path, $oz->{user_id}), undef,
        token => $mia)->json->{code};
    my $in = login($oz->{email}, "a fresh start $n")->json;
    $server->org($in->{access_token}, name => 'Elsewhere');
    is_problem($server->post('/auth/reset', { %new, code => $late }), 422,
        'validation_failed', name => 'not when he has joined another since');
    is_problem($server->post(sprintf($path, $oz->{user_id}), undef,
        token => $mia), 403, 'forbidden', detail => qr/another organization/);
    $server->project($ned->{token}, key => 'MINE', org_id => $server->get(
        '/auth/me', token => $ned)->json->{memberships}[1]{org_id});
    is_problem($server->post(sprintf($path, $ned->{user_id}), undef,
        token => $mia), 403, 'forbidden',
        name => 'a personal organization in use counts');
};

subtest 'too many passwords at once' => sub {
    my $one = AlloyTest->start(with => $server,
        conf => "AlloyPasswordHashers 1\n");
    my $quin = $server->register(name => 'Quin');
    my @answers = together(map { sub { $one->post('/auth/login',
        { email => $quin->{email}, password => $PASSWORD }) } } 1 .. 24);
    my @busy = grep { $_->status == 429 } @answers;
    ok(@busy, 'some are sent away');
    is(scalar(grep { $_->status == 200 } @answers), @answers - @busy,
        'the others get in');
    is_problem($busy[0], 429, 'rate_limited');
    ok($busy[0]->header('Retry-After'), 'and told when to come again');
};

# ---- throttling -------------------------------------------------------------

subtest 'failures slow down further attempts' => sub {
    my $slow = AlloyTest->start(with => $server, children => 2,
        conf => "AlloyThrottle on\n");
    my $pam = $slow->register(name => 'Pam');
    my $try = sub { $slow->post('/auth/login',
        { email => $_[0], password => $_[1] }) };
    for my $email ($pam->{email}, 'nobody.throttled@example.com') {
        my @status = map { $try->($email, 'wrong password')->status } 1 .. 5;
        is("@status", '401 401 401 401 401', 'five may fail');
        my $answer = $try->($email, $PASSWORD);
        is_problem($answer, 429, 'rate_limited');
        like($answer->header('Retry-After'), qr/^[1-9]\d*$/, 'until when');
    }
    $server->dbh('admin')->do(
        'UPDATE identity.throttle SET blocked_until = clock_timestamp()');
    is_problem($try->($pam->{email}, 'wrong password'), 401, 'unauthorized');
    my $wait = $try->($pam->{email}, $PASSWORD)->header('Retry-After');
    ok($wait >= 1 && $wait <= 2, 'the sixth costs twice as long');
    is_problem($slow->post('/auth/password', { current => $PASSWORD,
        new => 'another password' }, token => $pam), 429, 'rate_limited');
    $server->dbh('admin')->do(
        'UPDATE identity.throttle SET blocked_until = clock_timestamp()');
    status_is($try->($pam->{email}, $PASSWORD), 200);
    is($server->rows(q{SELECT count(*) AS n FROM identity.throttle
        WHERE key = ?}, "account $pam->{email}")->[0]{n}, 0,
        'success clears the account');

    # A right guess sent beside wrong ones is judged after them.
    my ($user) = @{ $server->rows(q{SELECT id, email_folded, password_hash
        FROM identity.user WHERE id = ?}, $pam->{user_id}) };
    my $app = $server->dbh('app');
    $app->do('SELECT definer.login_failed(?, true, ?, NULL)', undef,
        $user->{email_folded}, '127.0.0.9') for 1 .. 5;
    my ($blocked) = $app->selectrow_array(q{SELECT wait FROM definer.login(
        ?, ?, true, gen_random_uuid(), '\\x01', 60, '127.0.0.9', NULL)},
        undef, $user->{id}, $user->{password_hash});
    ok($blocked, 'and opens no session');
    is($server->rows(q{SELECT count(*) AS n FROM identity.session
        WHERE user_id = ? AND address = '127.0.0.9'}, $user->{id})->[0]{n}, 0,
        'none');
    is_problem($try->($pam->{email}, $PASSWORD), 429, 'rate_limited');
};

done_testing;
