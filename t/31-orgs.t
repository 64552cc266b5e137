# Organizations, members, invites: every operation with its refusals, who may
# do what, and two who do it at the same time.
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
my $org = $server->org($ada, name => 'Acme & Söhne', currency => 'eur',
    timezone => 'Europe/Berlin');
my $ORG = "/orgs/$org->{id}";
my %who = (Owner => $ada);
for my $role (qw(Admin Member Reporter Viewer)) {
    $who{$role} = $server->member(org => $org->{id}, by => $ada,
        role => $role, name => "Rita $role");
}

sub role_of {
    my ($user) = @_;
    my ($row) = @{ $server->rows(q{
        SELECT role, removed_at FROM alloy.membership
         WHERE org_id = ? AND user_id = ?}, $org->{id}, $user) };
    return $row && !$row->{removed_at} ? $row->{role} : undef;
}

# ---- organizations ----------------------------------------------------------

subtest 'creating one' => sub {
    is($org->{name}, 'Acme & Söhne', 'the name as sent');
    like($org->{slug}, qr/^[a-z0-9-]+$/, 'a slug is made');
    is($org->{currency}, 'EUR', 'the currency in capitals');
    is($org->{timezone}, 'Europe/Berlin', 'the time zone');
    is($org->{project_visibility}, 'members', 'default visibility of projects');
    is($org->{finance_visibility}, 'admins', 'default visibility of amounts');
    is($org->{is_personal}, json_false, 'not personal');
    is($org->{role}, 'Owner', 'its maker is the Owner');
    is($org->{version}, 1, 'one write, one version');

    my $answer = $server->post('/orgs', { name => 'Next Inc' }, token => $ada);
    status_is($answer, 201);
    my $made = $answer->json;
    like($answer->header('Location'), qr{/orgs/$made->{id}$}, 'Location');
    is_deeply($server->get("/orgs/$made->{id}", token => $ada)->json, $made,
        'what was answered is what is there');
    is($made->{slug}, 'next-inc', 'a slug made from the name');
    my $change = $answer->header('Alloy-Change-Id');
    my $log = $server->rows(q{SELECT entity_type, actor, operation, request_id
        FROM alloy.change WHERE org_id = ? AND change_id = ?
         AND entity_type = 'organization'}, $made->{id}, $change);
    is_deeply($log, [ { entity_type => 'organization', actor => $ada->{user_id},
        operation => 'org_create',
        request_id => $answer->header('X-Request-Id') } ], 'it is in the log');
    is($server->rows(q{SELECT count(*) AS n FROM alloy.workflow_status
        WHERE org_id = ?}, $made->{id})->[0]{n}, 6, 'with a Default workflow');

    my $twin = $server->org($stranger, name => 'Next Inc');
    isnt($twin->{slug}, 'next-inc', 'a derived slug gets out of the way');
    is_problem($server->post('/orgs', { name => 'X', slug => 'next-inc' },
        token => $ada), 409, 'already_exists',
        errors => { '/slug' => 'slug_taken' });
    is_problem($server->post('/orgs', { name => 'X',
        timezone => 'Europe/Atlantis' }, token => $ada),
        422, 'validation_failed',
        errors => { '/timezone' => 'timezone_unknown' });
    is_problem($server->post('/orgs', { slug => 'No Slug', currency => 'EURO',
        project_visibility => 'nobody', planet => 'Mars' }, token => $ada),
        422, 'validation_failed', errors => [ '/name', '/slug', '/currency',
        '/project_visibility', '/planet' ]);
    is_problem($server->post('/orgs', { name => 'X' }), 401, 'unauthorized');
};

subtest 'a slug belongs to one' => sub {
    my @answers = together(map {
        my $by = $_;
        sub { $server->post('/orgs', { name => 'Race', slug => 'race' },
            token => $by) }
    } $ada, $stranger, $ada, $stranger);
    is_deeply([ sort map { $_->status } @answers ], [ 201, 409, 409, 409 ],
        'of four at once one gets it');
};

subtest 'at most 200 memberships' => sub {
    my $busy = $server->register(name => 'Busy Bee');
    $server->dbh('admin')->do(q{
        INSERT INTO identity.affiliation (user_id, org_id, live)
        SELECT ?, gen_random_uuid(), true FROM generate_series(1, 198)},
        undef, $busy->{user_id});
    my @answers = together(map { sub {
        $server->post('/orgs', { name => 'One more' }, token => $busy)
    } } 1 .. 3);
    is_deeply([ sort map { $_->status } @answers ], [ 201, 409, 409 ],
        'three at once, room for one');
    my ($full) = grep { $_->status == 409 } @answers;
    is($full->json->{code}, 'invalid_state', 'the others are told so');
    is($server->rows(q{SELECT count(*) AS n FROM alloy.organization o
        WHERE NOT EXISTS (SELECT FROM alloy.membership m
                           WHERE m.org_id = o.org_id)})->[0]{n}, 0,
        'no organization is left without a member');
};

subtest 'listing and reading' => sub {
    my $list = $server->get('/orgs', token => $ada)->json;
    my @created = map { $_->{created_at} } @{ $list->{items} };
    is_deeply(\@created, [ reverse sort @created ], 'newest first');
    is_deeply([ grep { $_->{is_personal} } @{ $list->{items} } ],
        [ grep { $_->{id} eq $ada->{org_id} } @{ $list->{items} } ],
        'one of them is personal');
    my @walked;
    my $cursor;
    do {
        my $page = $server->get('/orgs', token => $ada, query => { limit => 1,
            $cursor ? (cursor => $cursor) : () })->json;
        push @walked, map { $_->{id} } @{ $page->{items} };
        $cursor = $page->{next_cursor};
    } while ($cursor);
    is_deeply(\@walked, [ map { $_->{id} } @{ $list->{items} } ],
        'page by page the same');

    is($server->get("/orgs/$org->{slug}", token => $who{Viewer})->json->{role},
        'Viewer', 'by its slug; the role is the caller\'s own');
    my $foreign = $server->get($ORG, token => $stranger);
    is_problem($foreign, 404, 'not_found');
    my $absent = $server->get('/orgs/0190f0f0-0000-7000-8000-000000000000',
        token => $stranger);
    (my $detail = $foreign->json->{detail}) =~
        s/\Q$org->{id}\E/0190f0f0-0000-7000-8000-000000000000/;
    is($detail, $absent->json->{detail},
        'another tenant\'s answers like none at all');
};

subtest 'changing' => sub {
    is_problem($server->patch($ORG, { name => 'Mine' }, token => $who{$_}),
        403, 'forbidden', detail => qr/Owner/) for qw(Admin Member Viewer);
    is_problem($server->patch($ORG, { name => 'Mine' }, token => $stranger),
        404, 'not_found');
    my $answer = $server->patch($ORG, { name => 'Acme', slug => 'acme',
        project_visibility => 'ORG', timezone => 'Asia/Tokyo' },
        token => $ada);
    status_is($answer, 200);
    my $changed = $answer->json;
    is_deeply({ map { $_ => $changed->{$_} } qw(name slug project_visibility
        timezone currency version) }, { name => 'Acme', slug => 'acme',
        project_visibility => 'org', timezone => 'Asia/Tokyo',
        currency => 'EUR', version => 2 }, 'what was sent, nothing else');
    is($server->patch($ORG, { name => 'Acme' }, token => $ada)
        ->json->{version}, 2, 'the same again is no new version');
    is($server->patch($ORG, {}, token => $ada)->json->{version}, 2,
        'nor is nothing');
    is_problem($server->patch($ORG, { slug => 'next-inc' }, token => $ada),
        409, 'already_exists', errors => { '/slug' => 'slug_taken' });
    is_problem($server->patch($ORG, { timezone => 'Europe/Atlantis' },
        token => $ada), 422, 'validation_failed',
        errors => { '/timezone' => 'timezone_unknown' });
    is_problem($server->patch($ORG, { name => undef }, token => $ada),
        422, 'validation_failed', errors => ['/name']);
    is_problem($server->patch($ORG, { is_personal => json_true },
        token => $ada), 422, 'validation_failed', errors => ['/is_personal']);
    is($server->get($ORG, token => $ada)->json->{slug}, 'acme',
        'a refusal changes nothing');
};

subtest 'deleting' => sub {
    my $gone = $server->org($ada, name => 'Short-lived', slug => 'short');
    my $path = "/orgs/$gone->{id}";
    my $admin = $server->member(org => $gone->{id}, by => $ada,
        role => 'Admin');
    is_problem($server->request('DELETE', $path, token => $ada,
        json => { confirm => 'other' }), 422, 'validation_failed',
        errors => { '/confirm' => 'confirm_differs' });
    is_problem($server->delete($path, token => $ada), 422,
        'validation_failed', errors => ['/confirm']);
    is_problem($server->request('DELETE', $path, token => $admin,
        json => { confirm => 'short' }), 403, 'forbidden');
    is_problem($server->request('DELETE', $path, token => $stranger,
        json => { confirm => 'short' }), 404, 'not_found');
    my $personal = $server->get("/orgs/$ada->{org_id}", token => $ada)->json;
    is_problem($server->request('DELETE', "/orgs/$personal->{id}",
        token => $ada, json => { confirm => $personal->{slug} }),
        409, 'invalid_state', detail => qr/personal/);
    my $answer = $server->request('DELETE', $path, token => $ada,
        json => { confirm => 'short' });
    status_is($answer, 204);
    is($answer->body, '', 'nothing to say');
    is_problem($server->get($path, token => $_), 404, 'not_found')
        for $ada, $admin;
    is(scalar(grep { $_->{id} eq $gone->{id} }
        @{ $server->get('/orgs', token => $ada)->json->{items} }), 0,
        'it is in no list');
    ok($server->rows('SELECT deleted_at FROM alloy.organization
        WHERE org_id = ?', $gone->{id})->[0]{deleted_at},
        'but can be brought back');
};

# ---- invites ----------------------------------------------------------------

sub invite {
    my ($email, %more) = @_;
    my $by = delete $more{by} // $ada;
    return $server->post("$ORG/invites", { email => $email, %more },
        token => $by);
}

subtest 'inviting' => sub {
    my $answer = invite('Guest@Example.com', role => 'reporter');
    status_is($answer, 201);
    my $made = $answer->json;
    is($made->{role}, 'Reporter', 'the role as it is spelled');
    is($made->{created_by}, $ada->{user_id}, 'the caller invites');
    is($made->{status}, 'pending', 'it can be accepted');
    like($made->{invite_code}, qr/^alloy_invite_\w{32,}$/, 'a code');
    like($made->{invite_link}, qr{^http://.*/invites/\Q$made->{invite_code}\E$},
        'a link');
    like($answer->header('Cache-Control'), qr/no-store/, 'for nobody\'s cache');
    my $row = $server->rows('SELECT i.*, extract(epoch FROM expires_at -
        created_at) AS life FROM alloy.invite i WHERE id = ?', $made->{id})->[0];
    is(int($row->{life} / 3600 + 0.5), 7 * 24, 'seven days');
    is($server->rows(q{SELECT count(*) AS n FROM identity.invite_code
        WHERE invite_id = ? AND hash = sha256(?)}, $made->{id},
        $made->{invite_code})->[0]{n}, 1, 'the code is stored as its hash');
    is($server->rows(q{SELECT count(*) AS n FROM alloy.change
        WHERE entity_id = ? AND (after::text LIKE '%alloy_invite_%')},
        $made->{id})->[0]{n}, 0, 'and is not in the log');

    my $page = $server->get("$ORG/invites", token => $who{Admin})->json;
    my ($listed) = grep { $_->{id} eq $made->{id} } @{ $page->{items} };
    ok($listed, 'it is in the list');
    ok(!exists $listed->{invite_code}, 'without its code');
    is(scalar(grep { $_->{status} eq 'accepted' } @{ $page->{items} }), 4,
        'beside those that were accepted');

    my $offer = $server->get("/invites/$made->{invite_code}");
    status_is($offer, 200);
    is_deeply({ map { $_ => $offer->json->{$_} } qw(org_name email role) },
        { org_name => 'Acme', email => 'Guest@example.com',
        role => 'Reporter' }, 'whoever has the code sees what it is for');
    is_problem($server->get('/invites/alloy_invite_nonsense'), 404,
        'not_found');
};

subtest 'who may invite whom' => sub {
    is_problem(invite('x@example.com', by => $who{$_}), 403, 'forbidden')
        for qw(Member Reporter Viewer);
    is_problem(invite('x@example.com', by => $stranger), 404, 'not_found');
    is_problem(invite('x@example.com', by => $who{Admin}, role => 'Owner'),
        403, 'forbidden', errors => { '/role' => 'role_above' });
    status_is(invite('x@example.com', by => $who{Admin}, role => 'Admin'), 201);
    status_is(invite('y@example.com', created_by => $who{Admin}{email}), 201,
        'in another\'s name');
    is_problem(invite('y@example.com', created_by => $stranger->{user_id}),
        422, 'validation_failed', errors => ['/created_by']);
    is_problem(invite('y@example.com', created_by => 'Rita Admin'),
        422, 'validation_failed', errors => ['/created_by'],
        name => 'a display name does not decide about rights');
    is_problem(invite(uc $who{Member}{email}), 409, 'already_exists',
        errors => { '/email' => 'already_member' });
    is_problem(invite('no address', role => 'King'), 422, 'validation_failed',
        errors => [ '/email', '/role' ]);
    is_problem($server->get("$ORG/invites", token => $who{Member}), 403,
        'forbidden');
};

sub join_by {
    my ($code, $by) = @_;
    return $server->post('/invites/accept', { code => $code }, token => $by);
}

subtest 'accepting' => sub {
    my $guest = $server->register(email => 'late@example.com');
    my $made = $server->must(201, invite('Late@Example.com',
        role => 'Viewer'));
    my $before = $server->get($ORG, token => $guest);
    is_problem($before, 404, 'not_found');
    is_problem(join_by($made->{invite_code}, $stranger), 403,
        'invite_mismatch');
    is_problem(join_by('alloy_invite_nonsense', $guest), 404, 'not_found');
    is_problem($server->post('/invites/accept',
        { code => $made->{invite_code} }), 401, 'unauthorized');
    my $answer = $server->post("/invites/$made->{invite_code}/accept", undef,
        token => $guest);
    status_is($answer, 200);
    is_deeply($answer->json, { org_id => $org->{id}, org_name => 'Acme',
        slug => 'acme', user_id => $guest->{user_id}, role => 'Viewer' },
        'by the link');
    is($server->get($ORG, token => $guest)->json->{role}, 'Viewer',
        'the very next request knows');
    is_problem(join_by($made->{invite_code}, $guest), 404, 'not_found',
        name => 'once only');
    my $row = $server->rows('SELECT accepted_by FROM alloy.invite
        WHERE id = ?', $made->{id})->[0];
    is($row->{accepted_by}, $guest->{user_id}, 'it says by whom');
    is_problem($server->delete("$ORG/invites/$made->{id}", token => $ada),
        409, 'invalid_state');
};

subtest 'one invite, several who send it' => sub {
    my $guest = $server->register(email => 'race@example.com');
    my $made = $server->must(201, invite('race@example.com'));
    my @answers = together(map { sub { join_by($made->{invite_code}, $guest) } }
        1 .. 4);
    is_deeply([ sort map { $_->status } @answers ], [ 200, 404, 404, 404 ],
        'it works once');
    my @codes = map { $server->must(201, invite('two@example.com',
        role => $_))->{invite_code} } qw(Member Viewer);
    my $two = $server->register(email => 'two@example.com');
    @answers = together(map { my $code = $_; sub { join_by($code, $two) } }
        @codes);
    is_deeply([ sort map { $_->status } @answers ], [ 200, 409 ],
        'of two invites one makes a member');
};

subtest 'revoked and expired' => sub {
    my $guest = $server->register(email => 'never@example.com');
    my $made = $server->must(201, invite('never@example.com'));
    is_problem($server->delete("$ORG/invites/$made->{id}",
        token => $who{Member}), 403, 'forbidden');
    status_is($server->delete("$ORG/invites/$made->{id}",
        token => $who{Admin}), 204);
    is_problem($server->delete("$ORG/invites/$made->{id}", token => $ada),
        404, 'not_found');
    is_problem(join_by($made->{invite_code}, $guest), 404, 'not_found');
    my $old = $server->must(201, invite('never@example.com'));
    $server->dbh('admin')->do('UPDATE alloy.invite
        SET expires_at = clock_timestamp() WHERE id = ?', undef, $old->{id});
    is_problem(join_by($old->{invite_code}, $guest), 404, 'not_found');
    is_problem($server->get("/invites/$old->{invite_code}"), 404, 'not_found');
    my %status = map { $_->{id} => $_->{status} }
        @{ $server->get("$ORG/invites", token => $ada,
            query => { limit => 200 })->json->{items} };
    is_deeply([ @status{ $made->{id}, $old->{id} } ], [qw(revoked expired)],
        'the list says why');
    is_problem($server->delete("$ORG/invites/none-such", token => $ada),
        404, 'not_found');
    my $other = $server->org($stranger);
    is_problem($server->delete("/orgs/$other->{id}/invites/$old->{id}",
        token => $stranger), 404, 'not_found',
        name => 'not through another organization');
};

# ---- members ----------------------------------------------------------------

subtest 'listing members' => sub {
    my $page = $server->get("$ORG/members", token => $who{Viewer},
        query => { limit => 200 })->json;
    my %roles = map { $_->{user_id} => $_->{role} } @{ $page->{items} };
    is($roles{ $who{$_}{user_id} }, $_, "the $_ is one") for sort keys %who;
    my ($owner) = grep { $_->{user_id} eq $ada->{user_id} }
        @{ $page->{items} };
    is_deeply([ @$owner{qw(email display_name removed_at)} ],
        [ $ada->{email}, 'Ada Owner', undef ], 'with name and address');
    is_problem($server->get("$ORG/members", token => $stranger), 404,
        'not_found');
};

sub set_role {
    my ($by, $user, $role) = @_;
    return $server->patch("$ORG/members/$user", { role => $role },
        token => $by);
}

subtest 'roles' => sub {
    my $member = $who{Member}{user_id};
    is_problem(set_role($who{$_}, $member, 'Viewer'), 403, 'forbidden')
        for qw(Member Reporter Viewer);
    is_problem(set_role($stranger, $member, 'Viewer'), 404, 'not_found');
    my $answer = set_role($who{Admin}, $who{Member}{email}, 'reporter');
    status_is($answer, 200);
    is($answer->json->{role}, 'Reporter', 'an Admin changes a Member');
    is($server->get($ORG, token => $who{Member})->json->{role}, 'Reporter',
        'the very next request knows');
    is(set_role($ada, $member, 'Reporter')->json->{version},
        $answer->json->{version}, 'the same again is no new version');
    status_is(set_role($ada, $member, 'Member'), 200);
    is_problem(set_role($who{Admin}, $member, 'Owner'), 403, 'forbidden',
        detail => qr/Owner/);
    is_problem(set_role($who{Admin}, $ada->{user_id}, 'Viewer'), 403,
        'forbidden', detail => qr/Owner/);
    is_problem(set_role($ada, 'me', 'Admin'), 409, 'invalid_state',
        detail => qr/last Owner/);
    is_problem(set_role($ada, $stranger->{user_id}, 'Viewer'), 404,
        'not_found');
    is_problem(set_role($ada, 'Rita%20Member', 'Viewer'), 404, 'not_found',
        name => 'a display name does not decide about rights');
    is_problem(set_role($ada, $member, 'King'), 422, 'validation_failed',
        errors => ['/role']);
    is(role_of($member), 'Member', 'a refusal changes nothing');
};

subtest 'two Owners demote each other' => sub {
    for my $round (1 .. 4) {
        my $eve = $server->member(org => $org->{id}, by => $ada,
            role => 'Owner');
        my @answers = together(
            sub { set_role($ada, $eve->{user_id}, 'Member') },
            sub { set_role($eve, $ada->{user_id}, 'Member') });
        my @owners = grep { (role_of($_->{user_id}) // '') eq 'Owner' }
            $ada, $eve;
        is(@owners, 1, "round $round: one is left");
        is_deeply([ sort map { $_->status } @answers ], [ 200, 403 ],
            'the other is refused');
        set_role($eve, $ada->{user_id}, 'Owner') if $owners[0] == $eve;
        status_is($server->delete("$ORG/members/$eve->{user_id}",
            token => $ada), 204);
    }
};

subtest 'two Owners leave at once' => sub {
    my $shared = $server->org($ada);
    my $eve = $server->member(org => $shared->{id}, by => $ada,
        role => 'Owner');
    my @answers = together(map {
        my $by = $_;
        sub { $server->delete("/orgs/$shared->{id}/members/me", token => $by) }
    } $ada, $eve);
    is_deeply([ sort map { $_->status } @answers ], [ 204, 409 ],
        'one leaves, one stays');
};

subtest 'leaving and being removed' => sub {
    my $leo = $server->member(org => $org->{id}, by => $ada, name => 'Leo');
    my $project = $server->project($ada, org_id => $org->{id}, key => 'LEO');
    status_is($server->post("/projects/$project->{id}/members",
        { user_id => $leo->{user_id} }, token => $ada), 201);
    my $key = $server->must(201, $server->post('/auth/api-keys',
        { name => 'bound', org_id => $org->{id} }, token => $leo));
    my $path = "$ORG/members/$leo->{user_id}";
    is_problem($server->delete($path, token => $who{$_}), 403, 'forbidden')
        for qw(Member Reporter Viewer);
    is_problem($server->delete("$ORG/members/$ada->{user_id}",
        token => $who{Admin}), 403, 'forbidden');
    is_problem($server->delete("$ORG/members/me", token => $ada), 409,
        'invalid_state');
    status_is($server->delete($path, token => $who{Admin}), 204);
    is_problem($server->get($ORG, token => $leo), 404, 'not_found',
        name => 'the very next request knows');
    is($server->get('/orgs', token => $key->{key})->status, 401,
        'his key of this organization is dead');
    is($server->rows('SELECT count(*) AS n FROM alloy.project_member
        WHERE org_id = ? AND user_id = ?', $org->{id}, $leo->{user_id})
        ->[0]{n}, 0, 'he is in no project');
    is_problem($server->delete($path, token => $ada), 404, 'not_found');
    my ($was) = grep { $_->{user_id} eq $leo->{user_id} }
        @{ $server->get("$ORG/members", token => $ada,
            query => { removed => 'true', limit => 200 })->json->{items} };
    is($was->{display_name}, 'Leo', 'his name stays');
    ok($was->{removed_at}, 'and when he left');

    my $again = $server->must(201, invite($leo->{email}, role => 'Viewer'));
    status_is(join_by($again->{invite_code}, $leo), 200);
    is(role_of($leo->{user_id}), 'Viewer', 'he may come back');
    is_problem($server->get("/projects/$project->{id}/members",
        token => $who{Reporter}), 404, 'not_found');
    status_is($server->delete("$ORG/members/me", token => $leo), 204,
        'a Viewer leaves by himself');
};

done_testing;
