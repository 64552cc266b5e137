# Teams: groups of members, who may make them, who is in them, what is left of
# somebody who leaves the organization.
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
my $org = $server->org($ada, name => 'Acme', slug => 'acme')->{id};
my %who = (Owner => $ada);
for my $role (qw(Admin Member Reporter Viewer)) {
    $who{$role} = $server->member(org => $org, by => $ada, role => $role,
        name => "Rita $role");
}

sub team {
    my ($name, %more) = @_;
    return $server->must(201, $server->post('/orgs/acme/teams',
        { name => $name, %more }, token => $ada));
}

sub add {
    my ($team, $user, $by) = @_;
    return $server->post("/teams/$team/members", { user_id => $user },
        token => $by // $ada);
}

sub members { return [ map { $_->{user_id} } @{ $server->must(200,
    $server->get("/teams/$_[0]/members", token => $who{Viewer})) } ] }

sub changes {
    my ($type, $id) = @_;
    return map { { %$_, map { $_->[0] => defined $_->[1]
        ? JSON::PP->new->decode($_->[1]) : undef } [ before => $_->{before} ],
        [ after => $_->{after} ] } } @{ $server->rows('SELECT change_id,
        actor, operation, fields, before, after, version FROM alloy.change
        WHERE entity_type = ? AND entity_id = ? ORDER BY seq', $type, $id) };
}

subtest 'making, reading, changing' => sub {
    my $answer = $server->post("/orgs/$org/teams", { name => 'Élan',
        description => "Two\nlines" }, token => $who{Admin});
    status_is($answer, 201);
    my $is = $answer->json;
    like($answer->header('Location'), qr{/orgs/$org/teams/$is->{id}$},
        'Location');
    like($is->{$_}, qr/^\d{4}-\d\d-\d\dT[\d:]+\.\d{6}Z$/, $_)
        for qw(created_at updated_at);
    is_deeply({ map { $_ => $is->{$_} } qw(org_id name description version) },
        { org_id => $org, name => 'Élan', description => "Two\nlines",
        version => 1 }, 'all fields');
    is_deeply($server->must(200, $server->get("/orgs/acme/teams/$_",
        token => $who{Viewer})), $is, "found as $_")
        for $is->{id}, '%C3%89LAN', '%C3%A9l';
    my $new = $server->must(200, $server->patch("/orgs/acme/teams/$is->{id}",
        { name => 'ÉLAN', description => undef }, token => $who{Admin}));
    is_deeply($new, { %$is, name => 'ÉLAN', description => undef,
        version => 2, updated_at => $new->{updated_at} }, 'changed');
    my ($made, $log) = changes(team => $is->{id});
    is_deeply([ $made->{change_id}, $made->{after}, $log->{actor},
        $log->{before}, $log->{after}, $log->{version} ],
        [ $answer->header('Alloy-Change-Id'), { name => 'Élan' },
        $who{Admin}{user_id}, { name => 'Élan', description => "Two\nlines" },
        { name => 'ÉLAN' }, 2 ], 'the log');
    is_problem($server->post('/orgs/acme/teams', { name => 'élan' },
        token => $ada), 409, 'already_exists',
        errors => { '/name' => 'name_taken' });
    my $other = team('Other');
    is_problem($server->patch("/orgs/acme/teams/$other->{id}",
        { name => 'élan' }, token => $ada), 409, 'already_exists',
        errors => { '/name' => 'name_taken' });
    is_problem($server->post('/orgs/acme/teams', { name => 'None', lead => 1 },
        token => $ada), 422, 'validation_failed', errors => [qw(/name
        /lead)]);
    my $page = $server->must(200, $server->get('/orgs/acme/teams',
        query => { limit => 1 }, token => $who{Viewer}));
    is_deeply([ $page->{items}, $page->{has_more} ], [ [$other], json_true ],
        'newest first');
    is_deeply($server->must(200, $server->get('/orgs/acme/teams',
        query => { limit => 1, cursor => $page->{next_cursor} },
        token => $who{Viewer}))->{items}, [$new], 'page by page');
};

subtest 'members' => sub {
    my $team = team('Crew');
    my $answer = add($team->{id}, 'Rita Member');
    status_is($answer, 201);
    my $is = $answer->json;
    is_deeply([ @{$is}{qw(team_id user_id email display_name)} ],
        [ $team->{id}, $who{Member}{user_id}, $who{Member}{email},
        'Rita Member' ], 'who it is');
    my $again = add('crew', $who{Member}{email});
    status_is($again, 200);
    is_deeply($again->json, $is, 'adding twice is the same row');
    status_is(add($team->{id}, 'me'), 201);
    is_deeply(members($team->{id}), [ map { $_->{user_id} } $who{Member},
        $ada ], 'in order of joining');
    my ($log) = changes(team_member => $who{Member}{user_id});
    is_deeply([ @{$log}{qw(change_id operation before after)} ],
        [ $answer->header('Alloy-Change-Id'), 'team_member_add', undef,
        { team_id => $team->{id}, user_id => $who{Member}{user_id} } ],
        'the log');
    is_problem(add($team->{id}, $_), 422, 'validation_failed',
        errors => ['/user_id']) for $stranger->{user_id}, 'none', 'nobody';
    is_problem($server->post("/teams/$team->{id}/members", {},
        token => $ada), 422, 'validation_failed',
        errors => { '/user_id' => 'required' });
    status_is($server->delete("/teams/$team->{id}/members/me",
        token => $ada), 204);
    is_problem($server->delete("/teams/$team->{id}/members/me",
        token => $ada), 404, 'not_found');
    my @answers = together(map { sub { add($team->{id}, 'Rita Viewer') } }
        1 .. 6);
    is_deeply([ sort map { $_->status } @answers ], [ (200) x 5, 201 ],
        'six at once: one is first');
    is_deeply(members($team->{id}), [ map { $_->{user_id} } @who{qw(Member
        Viewer)} ], 'and nobody is there twice');
    my $tags = $server->must(200, $server->put('/orgs/acme/team/crew/tags',
        { tags => [ { key => 'on', value => 'call' } ] }, token => $ada));
    is($tags->[0]{entity_id}, $team->{id}, 'a team has tags');
    is($server->must(200, $server->get('/orgs/acme/tags/search',
        query => { key => 'on' }, token => $ada))->{items}[0]{label}, 'Crew',
        'by which it is found');
};

subtest 'who may' => sub {
    my $team = team('Guarded');
    my ($path, $in) = ("/orgs/acme/teams/$team->{id}",
        "/teams/$team->{id}/members");
    for my $role (qw(Viewer Reporter Member)) {
        my $by = $who{$role};
        is_problem($_, 403, 'forbidden', detail => qr/Admin/) for
            $server->post('/orgs/acme/teams', { name => 'x' }, token => $by),
            $server->patch($path, { name => 'x' }, token => $by),
            $server->delete($path, token => $by),
            add($team->{id}, 'me', $by),
            $server->delete("$in/$ada->{user_id}", token => $by);
    }
    is_problem($_, 404, 'not_found') for
        $server->get('/orgs/acme/teams', token => $stranger),
        $server->get($path, token => $stranger),
        $server->get($in, token => $stranger),
        $server->patch($path, { name => 'x' }, token => $stranger),
        $server->delete($path, token => $stranger),
        add($team->{id}, 'me', $stranger);
    is_deeply($server->must(200, $server->get($path, token => $ada)), $team,
        'nothing changed');
    is_deeply(members($team->{id}), [], 'nobody came');
};

subtest 'the end' => sub {
    my $team = team('Short');
    my $person = $server->member(org => $org, by => $ada, role => 'Admin');
    add($team->{id}, $person->{user_id});
    add($team->{id}, 'me');
    status_is($server->delete("/orgs/acme/members/$person->{user_id}",
        token => $ada), 204);
    is_deeply(members($team->{id}), [ $ada->{user_id} ],
        'who leaves the organization leaves its teams');
    my $answer = $server->delete('/orgs/acme/teams/short',
        token => $who{Admin});
    status_is($answer, 204);
    is_problem($server->get($_, token => $ada), 404, 'not_found') for
        "/orgs/acme/teams/$team->{id}", "/teams/$team->{id}/members";
    is_deeply($server->rows('SELECT count(*) AS n FROM alloy.team_member
        WHERE team_id = ?', $team->{id}), [ { n => 0 } ], 'its list is gone');
    my $log = (changes(team_member => $ada->{user_id}))[-1];
    is_deeply([ $log->{change_id}, $log->{before}{team_id}, $log->{after} ],
        [ $answer->header('Alloy-Change-Id'), $team->{id}, undef ],
        'which the log tells');
    team('SHORT');
};

done_testing;
