# What ties tickets to others: parents, links, watchers; and their points and due
# dates. No way round leads back, whatever is hidden and whoever is quick.
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
my ($web, $app) = map { project($_) } qw(WEB APP);
$server->project($ada, org_id => $org, key => 'HID');
my $ABSENT = '01900000-0000-7000-8000-000000000000';

sub project {
    my ($key) = @_;
    my $made = $server->project($ada, org_id => $org, key => $key);
    $server->must(201, $server->post("/projects/$key/members",
        { user_id => $_->{user_id} }, token => $ada))
        for @who{qw(Member Reporter Viewer)};
    return $made;
}

sub ticket { return $server->ticket($ada, shift // 'WEB', @_) }

sub look { return $server->must(200, $server->get("/tickets/$_[0]",
    token => $ada)) }

sub change {
    my ($by, $ticket, %fields) = @_;
    return $server->patch("/tickets/$ticket", \%fields, token => $by);
}

sub changes {
    my ($type, $id) = @_;
    return map { { %$_, map { $_->[0] => defined $_->[1]
        ? JSON::PP->new->decode($_->[1]) : undef } [ before => $_->{before} ],
        [ after => $_->{after} ] } } @{ $server->rows('SELECT change_id,
        actor, operation, parent_id, project_id, fields, before, after
        FROM alloy.change WHERE entity_type = ? AND entity_id = ?
        ORDER BY seq', $type, $id) };
}

# ---- points and due dates -----------------------------------------------------

subtest 'points and due dates' => sub {
    my $is = $server->must(201, $server->post('/projects/WEB/tickets',
        { title => 'Planned', points => 2.5, due_date => '2026-05-01' },
        token => $who{Member}));
    is_deeply([ @{$is}{qw(points due_date)} ], [ 2.5, '2026-05-01' ],
        'as they were sent');
    is_deeply($server->rows('SELECT points_half, due_date FROM alloy.ticket
        WHERE id = ?', $is->{id}), [ { points_half => 5,
        due_date => '2026-05-01' } ], 'in its row');
    my $new = change($who{Member}, $is->{id}, points => 1000,
        due_date => undef)->json;
    is_deeply([ @{$new}{qw(points due_date version)} ], [ 1000, undef, 2 ],
        'changed and cleared');
    is(change($ada, $is->{id}, points => 0)->json->{points}, 0, 'nought');
    is(change($ada, $is->{id}, points => undef)->json->{points}, undef,
        'is not nothing');
    is_problem(change($ada, $is->{id}, points => $_), 422,
        'validation_failed', errors => ['/points'])
        for 0.25, -0.5, 1000.5, '3';
    is_problem(change($ada, $is->{id}, due_date => $_), 422,
        'validation_failed', errors => ['/due_date'])
        for '2026-02-30', '2026-05-01T00:00:00Z', 'soon';
    is_problem($server->post('/projects/WEB/tickets', { title => 'x',
        points => 1, due_date => '2026-05-01', parent_id => $is->{id} },
        token => $who{Reporter}), 403, 'forbidden', detail => qr/Member/);
    is_deeply(look($is->{id}), { %$new, points => undef, version => 4,
        updated_at => look($is->{id})->{updated_at} }, 'nothing else');
};

# ---- parents ------------------------------------------------------------------

subtest 'parents' => sub {
    my $epic = ticket('APP', type => 'Epic');
    my $is = $server->must(201, $server->post('/projects/WEB/tickets',
        { title => 'Part', parent_id => lc $epic->{key} },
        token => $who{Member}));
    is($is->{parent_id}, $epic->{id}, 'of another project, by key');
    my $other = ticket();
    my $answer = change($who{Member}, $is->{id}, parent_id => $other->{id});
    status_is($answer, 200);
    is($answer->json->{parent_id}, $other->{id}, 'another one');
    my (undef, $log) = changes(ticket => $is->{id});
    is_deeply([ @{$log}{qw(change_id fields before after)} ],
        [ $answer->header('Alloy-Change-Id'), ['parent_id'],
        { parent_id => $epic->{id} }, { parent_id => $other->{id} } ],
        'the log');
    is(change($ada, $is->{id}, parent_id => 'none')->json->{parent_id},
        undef, 'none');
    is(change($ada, $is->{id}, parent_id => undef)->json->{version}, 3,
        'twice is once');
    my $hidden = ticket('HID');
    is_problem(change($who{Member}, $is->{id}, parent_id => $_), 422,
        'validation_failed', errors => { '/parent_id' => 'not_found' })
        for $hidden->{id}, $hidden->{key}, $ABSENT;
    my $theirs = $server->ticket($stranger, $server->project($stranger)
        ->{id});
    is_problem(change($ada, $is->{id}, parent_id => $theirs->{id}), 422,
        'validation_failed', errors => ['/parent_id']);
};

subtest 'no ticket is above itself' => sub {
    my ($top, $middle, $bottom) = map { ticket() } 1 .. 3;
    my $hidden = ticket('HID');
    my $under = sub { change($ada, $_[0]{id}, parent_id => $_[1]{id}) };
    is_problem($under->($top, $top), 409, 'invalid_state',
        errors => { '/parent_id' => 'cycle' });
    status_is($under->($middle, $top), 200);
    status_is($under->($hidden, $middle), 200);
    status_is($under->($bottom, $hidden), 200);
    is_problem($under->($top, $_), 409, 'invalid_state',
        errors => { '/parent_id' => 'cycle' }) for $middle, $bottom;
    is_problem(change($who{Member}, $top->{id},
        parent_id => $bottom->{key}, title => 'New'), 409, 'invalid_state',
        name => 'also over one the caller can\'t see');
    is_deeply(look($top->{id}), $top, 'it is as it was');
    status_is($under->($bottom, $top), 200, 'up the same tree');
};

subtest 'two under each other at once' => sub {
    for my $round (1 .. 8) {
        my @is = map { ticket() } 1 .. 3;
        my @answers = together(map { my $n = $_; sub { change(
            $n % 2 ? $ada : $who{Member}, $is[$n]{id},
            parent_id => $is[ ($n + 1) % 3 ]{id}) } } 0 .. 2);
        is_deeply([ sort map { $_->status } @answers ], [ 200, 200, 409 ],
            'the one that would close the circle is refused');
        is(scalar(grep { defined look($_->{id})->{parent_id} } @is), 2,
            'and has no parent');
    }
};

# ---- links --------------------------------------------------------------------

sub link_up {
    my ($from, $type, $to, $by) = @_;
    return $server->post("/tickets/$from->{id}/links",
        { type => $type, ticket_id => $to->{key} }, token => $by // $ada);
}

sub links { return [ map { "$_->{direction} $_->{type} $_->{key}" } @{
    $server->must(200, $server->get("/tickets/$_[0]{id}/links",
    token => $_[1] // $ada))->{items} } ] }

subtest 'linking' => sub {
    my ($one, $two) = (ticket(), ticket('APP', title => 'Other'));
    my $answer = link_up($one, 'Blocks', $two, $who{Member});
    status_is($answer, 201);
    my %is = %{ $answer->json };
    my $id = delete $is{id};
    like(delete $is{created_at}, qr/\.\d{6}Z$/, 'created_at');
    is_deeply(\%is, { type => 'blocks', direction => 'outward',
        ticket_id => $two->{id}, key => $two->{key}, title => 'Other',
        status => 'Backlog', created_by => $who{Member}{user_id} },
        'the other ticket, from here');
    my $again = link_up($one, 'blocks', $two);
    status_is($again, 200);
    is_deeply($again->json, $answer->json, 'the same again is the same');
    is_deeply([ links($one), links($two) ], [ ["outward blocks $two->{key}"],
        ["inward blocks $one->{key}"] ], 'seen from both ends');
    my ($log) = changes(ticket_link => $id);
    is_deeply([ @{$log}{qw(change_id operation parent_id project_id after)} ],
        [ $answer->header('Alloy-Change-Id'), 'link_create', $one->{id},
        $web->{id}, { source_id => $one->{id}, target_id => $two->{id},
        type => 'blocks', created_by => $who{Member}{user_id} } ], 'the log');
    status_is(link_up($two, 'relates', $one), 201);
    $again = link_up($one, 'relates', $two);
    status_is($again, 200, 'relating is the same both ways');
    is($again->json->{direction}, 'inward', 'told from where it is');
    is_deeply(links($one), [ "inward relates $two->{key}",
        "outward blocks $two->{key}" ], 'newest first');
    my $page = $server->must(200, $server->get("/tickets/$one->{id}/links",
        query => { limit => 1 }, token => $ada));
    is_deeply([ map { $_->{id} } @{ $server->must(200, $server->get(
        "/tickets/$one->{id}/links", query => { limit => 1,
        cursor => $page->{next_cursor} }, token => $ada))->{items} } ],
        [$id], 'page by page');
    is_problem($server->delete("/tickets/$one->{id}/links/$id",
        token => $who{Viewer}), 403, 'forbidden');
    status_is($server->delete("/tickets/$two->{id}/links/$id",
        token => $who{Member}), 204, 'deleted from the other end');
    is_problem($server->delete("/tickets/$one->{id}/links/$id",
        token => $ada), 404, 'not_found');
    is((changes(ticket_link => $id))[-1]{before}{type}, 'blocks', 'logged');
    is(look($one->{id})->{version}, 1, 'a ticket shows no links');
};

subtest 'links that can not be' => sub {
    my ($one, $two, $three) = map { ticket() } 1 .. 3;
    is_problem(link_up($one, 'blocks', $one), 422, 'validation_failed',
        errors => { '/ticket_id' => 'itself' });
    is_problem(link_up($one, 'annoys', $two), 422, 'validation_failed',
        errors => ['/type']);
    is_problem($server->post("/tickets/$one->{id}/links", {}, token => $ada),
        422, 'validation_failed', errors => { '/type' => 'required',
        '/ticket_id' => 'required' });
    is_problem($server->post("/tickets/$one->{id}/links",
        { type => 'blocks', ticket_id => $_ }, token => $ada), 422,
        'validation_failed', errors => ['/ticket_id']) for $ABSENT, 'none';
    link_up($one, 'blocks', $two);
    link_up($two, 'blocks', $three);
    is_problem(link_up($_->[0], 'blocks', $_->[1]), 409, 'invalid_state',
        errors => { '/ticket_id' => 'cycle' }) for [ $two, $one ],
        [ $three, $one ];
    status_is(link_up($three, 'duplicates', $one), 201, 'another type may');
    status_is(link_up($one, 'blocks', $three), 201, 'forwards as well');
    is_deeply(links($one), [ "outward blocks $three->{key}",
        "inward duplicates $three->{key}", "outward blocks $two->{key}" ],
        'these there are');
};

subtest 'links out of sight' => sub {
    my ($is, $hidden, $end) = (ticket(), ticket('HID'), ticket());
    link_up($is, 'blocks', $hidden);
    link_up($hidden, 'blocks', $end);
    link_up($is, 'relates', $end);
    is(@{ links($is) }, 2, 'the Owner sees both');
    is_deeply([ map { links($_, $who{Member}) } $is, $end ],
        [ ["outward relates $end->{key}"], ["inward relates $is->{key}"] ],
        'others those whose other end they see');
    is_problem(link_up($is, 'relates', $hidden, $who{Member}), 422,
        'validation_failed', errors => { '/ticket_id' => 'not_found' });
    is_problem(link_up($end, 'blocks', $is, $who{Member}), 409,
        'invalid_state', name => 'a chain counts all the same');
    my ($link) = grep { $_->{type} eq 'blocks' } @{ $server->must(200,
        $server->get("/tickets/$is->{id}/links", token => $ada))->{items} };
    is_problem($server->delete("/tickets/$is->{id}/links/$link->{id}",
        token => $who{Member}), 404, 'not_found');
    is_problem($server->delete("/tickets/$end->{id}/links/$link->{id}",
        token => $ada), 404, 'not_found', name => 'not of a third ticket');
    is_problem($_, 404, 'not_found') for link_up($is, 'relates', $end,
        $stranger), $server->get("/tickets/$is->{id}/links",
        token => $stranger);
    is_problem(link_up($is, 'duplicates', $end, $who{$_}), 403, 'forbidden')
        for qw(Viewer Reporter);
    $server->must(204, $server->delete("/tickets/$end->{id}",
        token => $ada));
    is_deeply(links($is), ["outward blocks $hidden->{key}"],
        'nor to what is deleted');
};

subtest 'three block each other at once' => sub {
    for my $round (1 .. 5) {
        my @is = map { ticket() } 1 .. 3;
        my @answers = together(map { my $n = $_; sub { link_up($is[$n],
            'blocks', $is[ ($n + 1) % 3 ]) } } 0 .. 2);
        is_deeply([ sort map { $_->status } @answers ], [ 201, 201, 409 ],
            'one is refused');
        @answers = together(map { my $n = $_; sub { link_up(
            $is[ $n % 2 ], 'relates', $is[ ($n + 1) % 2 ]) } } 1 .. 4);
        is_deeply([ sort map { $_->status } @answers ],
            [ 200, 200, 200, 201 ], 'one relation is made');
    }
};

# ---- watchers -----------------------------------------------------------------

subtest 'watching' => sub {
    my $is = ticket();
    my $path = "/tickets/$is->{id}/watchers";
    my $answer = $server->post($path, undef, token => $who{Viewer});
    status_is($answer, 201);
    my %got = %{ $answer->json };
    like(delete $got{created_at}, qr/\.\d{6}Z$/, 'created_at');
    is_deeply(\%got, { ticket_id => $is->{id},
        user_id => $who{Viewer}{user_id}, email => $who{Viewer}{email},
        display_name => 'Rita Viewer' }, 'oneself');
    my $again = $server->post($path, { user_id => 'me' },
        token => $who{Viewer});
    status_is($again, 200);
    is_deeply($again->json, $answer->json, 'twice is once');
    is_problem($server->post($path, { user_id => 'Rita Member' },
        token => $who{$_}), 403, 'forbidden', detail => qr/Member/)
        for qw(Viewer Reporter);
    status_is($server->post($path, { user_id => 'Rita Reporter' },
        token => $who{Member}), 201, 'a Member speaks for others');
    my $list = sub { [ map { $_->{display_name} } @{ $server->must(200,
        $server->get($path, token => $who{Reporter})) } ] };
    is_deeply($list->(), [ 'Rita Viewer', 'Rita Reporter' ],
        'in order of coming');
    my ($log) = grep { $_->{parent_id} eq $is->{id} }
        changes(ticket_watcher => $who{Viewer}{user_id});
    is_deeply([ @{$log}{qw(change_id operation after)} ],
        [ $answer->header('Alloy-Change-Id'), 'watcher_add',
        { ticket_id => $is->{id}, user_id => $who{Viewer}{user_id} } ],
        'the log');
    is_problem($server->delete("$path/$who{Reporter}{user_id}",
        token => $who{Viewer}), 403, 'forbidden', detail => qr/Member/);
    status_is($server->delete("$path/me", token => $who{Viewer}), 204);
    is_problem($server->delete("$path/me", token => $who{Viewer}), 404,
        'not_found');
    status_is($server->delete("$path/$who{Reporter}{email}",
        token => $who{Member}), 204);
    is_deeply($list->(), [], 'nobody is left');
    is(look($is->{id})->{version}, 1, 'the ticket is as it was');
};

subtest 'who can not watch' => sub {
    my ($is, $hidden) = (ticket(), ticket('HID'));
    is_problem($server->post("/tickets/$hidden->{id}/watchers",
        { user_id => $who{Member}{user_id} }, token => $ada), 422,
        'validation_failed', errors => { '/user_id' => 'sees_nothing' });
    status_is($server->post("/tickets/$hidden->{id}/watchers",
        { user_id => $who{Admin}{user_id} }, token => $ada), 201);
    is_problem($server->post("/tickets/$is->{id}/watchers",
        { user_id => $_ }, token => $ada), 422, 'validation_failed',
        errors => ['/user_id']) for $stranger->{user_id}, 'none';
    is_problem($_, 404, 'not_found') for map { (
        $server->post("/tickets/$_->[0]{id}/watchers", undef,
            token => $_->[1]),
        $server->get("/tickets/$_->[0]{id}/watchers", token => $_->[1]),
        $server->delete("/tickets/$_->[0]{id}/watchers/me",
            token => $_->[1]) ) } [ $is, $stranger ],
        [ $hidden, $who{Member} ];
    my $person = $server->member(org => $org, by => $ada, role => 'Admin');
    $server->must(201, $server->post("/tickets/$is->{id}/watchers", undef,
        token => $person));
    $server->must(204, $server->delete("/orgs/acme/members/me",
        token => $person));
    is_deeply($server->must(200, $server->get("/tickets/$is->{id}/watchers",
        token => $ada)), [], 'who leaves watches nothing');
    my @answers = together(map { sub { $server->post(
        "/tickets/$is->{id}/watchers", undef, token => $who{Member}) } }
        1 .. 6);
    is_deeply([ sort map { $_->status } @answers ], [ (200) x 5, 201 ],
        'six at once: one is first');
};

done_testing;
