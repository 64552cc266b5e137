# Labels: an organization's own, and those its tickets carry; and tags on
# anything. What the rows and the change log hold, who may, and many at once.
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
my $web = $server->project($ada, org_id => $org, key => 'WEB');
$server->must(201, $server->post('/projects/WEB/members',
    { user_id => $_->{user_id} }, token => $ada))
    for @who{qw(Member Reporter Viewer)};
my $INSTANT = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

sub label {
    my ($name, %more) = @_;
    return $server->must(201, $server->post('/orgs/acme/labels',
        { name => $name, %more }, token => $ada));
}

sub ticket { return $server->ticket($ada, 'WEB', @_) }

sub look { return $server->must(200, $server->get("/tickets/$_[0]",
    token => $ada)) }

sub attach {
    my ($ticket, $label, $by) = @_;
    return $server->post("/tickets/$ticket/labels/$label", undef,
        token => $by // $ada);
}

sub names { return [ map { $_->{name} } @{ $_[0] } ] }

sub json_of { return defined $_[0] ? JSON::PP->new->decode($_[0]) : undef }

# The log of one thing, oldest first.
sub changes {
    my ($type, $id) = @_;
    return @{ $server->rows('SELECT change_id, actor, operation, parent_id,
        project_id, fields, before, after, version FROM alloy.change
        WHERE entity_type = ? AND entity_id = ? ORDER BY seq', $type, $id) };
}

# ---- labels -----------------------------------------------------------------

subtest 'making one' => sub {
    my $answer = $server->post("/orgs/$org/labels",
        { name => 'frontend', color => '#3b82f6' }, token => $who{Member});
    status_is($answer, 201);
    my %is = %{ $answer->json };
    like(delete $is{$_}, $INSTANT, $_) for qw(created_at updated_at);
    my $id = delete $is{id};
    like($answer->header('Location'), qr{/orgs/$org/labels/$id$}, 'Location');
    is_deeply(\%is, { org_id => $org, name => 'frontend', version => 1,
        color => '#3B82F6' }, 'the color in capitals');
    my ($log, @more) = changes(label => $id);
    is(scalar @more, 0, 'one row in the log');
    is_deeply([ @{$log}{qw(change_id actor operation before)},
        json_of($log->{after}) ], [ $answer->header('Alloy-Change-Id'),
        $who{Member}{user_id}, 'label_create', undef,
        { name => 'frontend', color => '#3B82F6' } ], 'which says all');
    like(label('plain')->{color}, qr/^#[0-9A-F]{6}$/, 'a color of ours');
    for my $name ('frontend', 'FrontEnd') {
        is_problem($server->post('/orgs/acme/labels', { name => $name },
            token => $ada), 409, 'already_exists',
            errors => { '/name' => 'name_taken' });
    }
    is_problem($server->post('/orgs/acme/labels', { name => 'none',
        color => 'red', size => 3 }, token => $ada), 422, 'validation_failed',
        errors => [qw(/name /color /size)]);
    is_problem($server->post('/orgs/acme/labels', {}, token => $ada), 422,
        'validation_failed', errors => { '/name' => 'required' });
};

subtest 'reading, changing, listing' => sub {
    my $is = label('Résumé');
    is_deeply($server->must(200, $server->get("/orgs/acme/labels/$_",
        token => $who{Viewer})), $is, 'found as ' . $_)
        for $is->{id}, 'R%C3%A9sum%C3%A9', 'r%C3%A9su';
    my $answer = $server->patch("/orgs/acme/labels/$is->{id}",
        { name => 'RÉSUMÉ', color => '#abcdef' }, token => $who{Member});
    status_is($answer, 200);
    is_deeply($answer->json, { %$is, name => 'RÉSUMÉ', color => '#ABCDEF',
        version => 2, updated_at => $answer->json->{updated_at} },
        'its own name in another case is no clash');
    is_problem($server->patch("/orgs/acme/labels/$is->{id}",
        { name => 'FRONTEND' }, token => $ada), 409, 'already_exists',
        errors => { '/name' => 'name_taken' });
    status_is($server->patch("/orgs/acme/labels/$is->{id}", {},
        token => $ada), 200);
    my (undef, @log) = changes(label => $is->{id});
    is(scalar @log, 1, 'what changes nothing is not in the log');
    is_deeply([ sort @{ $log[0]{fields} } ], [qw(color name)], 'the rest is');
    my $first = $server->must(200, $server->get('/orgs/acme/labels',
        query => { limit => 2 }, token => $who{Viewer}));
    my $next = $server->must(200, $server->get('/orgs/acme/labels',
        query => { limit => 2, cursor => $first->{next_cursor} },
        token => $who{Viewer}));
    is_deeply([ map { names($_->{items}) } $first, $next ],
        [ [qw(RÉSUMÉ plain)], ['frontend'] ], 'newest first');
    ok($first->{has_more} && !$next->{has_more}, 'two pages');
};

subtest 'who may' => sub {
    my $is = label('guarded');
    my $path = "/orgs/acme/labels/$is->{id}";
    for my $role (qw(Viewer Reporter)) {
        is_problem($server->post('/orgs/acme/labels', { name => 'x' },
            token => $who{$role}), 403, 'forbidden', detail => qr/Member/);
        is_problem($server->patch($path, { name => 'x' },
            token => $who{$role}), 403, 'forbidden');
    }
    is_problem($server->delete($path, token => $who{Member}), 403,
        'forbidden', detail => qr/Admin/);
    for my $call ([ get => '/orgs/acme/labels' ], [ get => $path ],
        [ delete => $path ]) {
        my ($method, $where) = @$call;
        is_problem($server->$method($where, token => $stranger), 404,
            'not_found');
    }
    is_problem($server->patch($path, { name => 'x' }, token => $stranger),
        404, 'not_found');
    is_problem($server->get("/orgs/$stranger->{org_id}/labels/$is->{id}",
        token => $stranger), 404, 'not_found',
        name => 'not through an organization of one\'s own either');
    is_deeply($server->must(200, $server->get($path, token => $ada)), $is,
        'it is as it was');
};

# ---- labels of tickets --------------------------------------------------------

subtest 'on and off' => sub {
    my ($red, $blue) = map { label($_) } 'red', 'Blue';
    my $is = ticket(title => 'Labelled');
    my $answer = attach($is->{key}, $red->{id}, $who{Member});
    status_is($answer, 200);
    is_deeply($answer->json, [$red], 'the label as it is');
    my $both = attach($is->{id}, 'blue');
    is_deeply($both->json, [ $blue, $red ], 'all it has, by name');
    my $now = look($is->{id});
    is_deeply($now->{labels}, [ $blue, $red ], 'the ticket shows them');
    is_deeply($server->must(200, $server->get('/tickets', token => $ada,
        query => { q => $is->{key} }))->{items}[0], $now,
        'and a list that names no organization does');
    is($now->{version}, 3, 'each is a new version');
    cmp_ok($now->{updated_at}, 'gt', $is->{updated_at}, 'at a new time');
    is_deeply(attach($is->{id}, 'red')->json, [ $blue, $red ], 'again');
    is(look($is->{id})->{version}, 3, 'is nothing new');
    is_deeply($server->must(200, $server->get("/tickets/$is->{id}/labels",
        token => $who{Viewer})), [ $blue, $red ], 'the list');

    my (undef, $log) = changes(ticket => $is->{id});
    is_deeply([ @{$log}{qw(change_id actor operation project_id version
        fields)}, map { json_of($_) } @{$log}{qw(before after)} ],
        [ $answer->header('Alloy-Change-Id'), $who{Member}{user_id},
        'ticket_label_add', $web->{id}, 2, ['labels'], { labels => [] },
        { labels => [ $red->{id} ] } ], 'the log');
    my $gone = $server->delete("/tickets/$is->{key}/labels/RED",
        token => $who{Member});
    status_is($gone, 204);
    is_deeply(names(look($is->{id})->{labels}), ['Blue'], 'one is off');
    is(look($is->{id})->{version}, 4, 'which is a version');
    is_problem($server->delete("/tickets/$is->{key}/labels/red",
        token => $ada), 404, 'not_found');
    status_is($server->delete("/tickets/$is->{key}/labels/$blue->{id}",
        token => $ada), 204);
    is_deeply(look($is->{id})->{labels}, [], 'both are');
    is_deeply($server->rows('SELECT labels FROM alloy.ticket
        WHERE id = ?', $is->{id}), [ { labels => [] } ], 'in its row, too');
    my $activity = $server->must(200, $server->get(
        "/tickets/$is->{id}/activity", token => $ada))->{items};
    is_deeply([ map { $_->{operation} } @$activity ], [qw(ticket_create
        ticket_label_add ticket_label_add ticket_label_remove
        ticket_label_remove)], 'its activity tells it');
};

subtest 'on and off: who may, and what is not there' => sub {
    my $is = ticket();
    my $label = label('private');
    is_problem(attach($is->{id}, $label->{id}, $who{$_}), 403, 'forbidden')
        for qw(Viewer Reporter);
    is_problem(attach($is->{id}, $label->{id}, $stranger), 404, 'not_found');
    my $absent = $label->{id} =~ s/.{12}$/000000000000/r;
    is_problem(attach($is->{id}, $absent), 404, 'not_found');
    is_problem(attach($is->{id}, 'no-such'), 404, 'not_found');
    is_problem(attach($is->{id} =~ s/.{12}$/000000000000/r, $label->{id}),
        404, 'not_found');
    attach($is->{id}, 'private');
    is_problem(attach($is->{id}, $absent), 404, 'not_found');
    $server->must(201, $server->post("/orgs/$stranger->{org_id}/labels",
        { name => 'theirs' }, token => $stranger));
    my ($theirs) = @{ $server->must(200, $server->get(
        "/orgs/$stranger->{org_id}/labels", token => $stranger))->{items} };
    is_problem(attach($is->{id}, $theirs->{id}), 404, 'not_found',
        name => 'a label of others');
    is_problem($server->get("/tickets/$is->{id}/labels", token => $stranger),
        404, 'not_found');
    is(look($is->{id})->{version}, 2, 'nothing changed');
};

subtest 'all at once' => sub {
    my ($one, $two, $three) = map { label($_) } qw(alpha beta gamma);
    my $is = $server->must(201, $server->post('/projects/WEB/tickets',
        { title => 'Full', labels => [ 'BETA', $one->{id}, 'beta' ],
          priority => 'Low' }, token => $who{Reporter}));
    is_deeply([ $is->{labels}, $is->{version} ], [ [ $one, $two ], 1 ],
        'a Reporter may, by id or name, once each');
    is_deeply(look($is->{id}), $is, 'they are there');
    my $answer = $server->patch("/tickets/$is->{id}",
        { labels => [ 'gamma', 'beta' ], title => 'Fuller' },
        token => $who{Member});
    status_is($answer, 200);
    is_deeply([ @{ $answer->json }{qw(labels title version)} ],
        [ [ $two, $three ], 'Fuller', 2 ], 'replaced as a whole');
    my ($made, $log) = changes(ticket => $is->{id});
    my $set = sub { [ sort map { $_->{id} } @_ ] };
    is_deeply([ json_of($made->{after})->{labels}, map {
        json_of($log->{$_})->{labels} } qw(before after) ],
        [ $set->($one, $two), $set->($one, $two), $set->($two, $three) ],
        'the log has each set, in order of id');
    $answer = $server->patch("/tickets/$is->{id}",
        { labels => [ 'BETA', $three->{id} ] }, token => $ada);
    is($answer->json->{version}, 2, 'the same set is no change');
    is_deeply($server->patch("/tickets/$is->{id}", { labels => [] },
        token => $ada)->json->{labels}, [], 'none');
    is(look($is->{id})->{version}, 3, 'is a change');
    is_problem($server->post('/projects/WEB/tickets', { title => 'x',
        labels => [ 'beta', 'nope', 'nope2' ] }, token => $ada), 422,
        'validation_failed', errors => { '/labels/1' => 'not_found',
        '/labels/2' => 'not_found' });
    is_problem($server->patch("/tickets/$is->{id}", { labels => undef },
        token => $ada), 422, 'validation_failed', errors => ['/labels']);
    is_problem($server->patch("/tickets/$is->{id}", { labels => 'beta' },
        token => $ada), 422, 'validation_failed', errors => ['/labels']);
};

subtest 'labels and If-Match' => sub {
    my $is = ticket();
    my $seen = $server->get("/tickets/$is->{id}", token => $ada)
        ->header('ETag');
    attach($is->{id}, 'alpha');
    my $patch = sub { $server->patch("/tickets/$is->{id}", {@_},
        token => $ada, headers => { 'If-Match' => $seen }) };
    my $merged = $patch->(title => 'Merged');
    status_is($merged, 200);
    is_deeply([ $merged->json->{title}, names($merged->json->{labels}) ],
        [ 'Merged', ['alpha'] ], 'a title merges with a label');
    is_problem($patch->(labels => ['beta']), 412, 'version_conflict');
    is_deeply(names(look($is->{id})->{labels}), ['alpha'],
        'labels clash with a label');
};

subtest 'labels as they were' => sub {
    my $is = ticket(labels => ['alpha']);
    my ($then) = $server->rows(q{SELECT alloy.instant_text(
        clock_timestamp()) AS now})->[0]{now};
    my $change = attach($is->{id}, 'beta')->header('Alloy-Change-Id');
    is_deeply(names($server->must(200, $server->get("/tickets/$is->{id}",
        query => { as_of => $then }, token => $ada))->{labels}), ['alpha'],
        'as of then');
    $server->must(200, $server->post("/changes/$change/revert", undef,
        token => $ada));
    is_deeply(names(look($is->{id})->{labels}), ['alpha'],
        'a revert takes it off');
};

subtest 'fifty and no more' => sub {
    my @labels = map { label("n$_") } 1 .. 51;
    my $is = ticket(labels => [ map { $_->{id} } @labels[ 0 .. 47 ] ]);
    is_problem($server->patch("/tickets/$is->{id}",
        { labels => [ map { $_->{id} } @labels ] }, token => $ada), 422,
        'validation_failed', errors => { '/labels' => 'too_many' });
    my @answers = together(map { my $l = $labels[$_]{id};
        sub { attach($is->{id}, $l) } } 48 .. 50);
    is_deeply([ sort map { $_->status } @answers ], [ 200, 200, 409 ],
        'three at once: two fit');
    is(@{ look($is->{id})->{labels} }, 50, 'fifty are there');
    my ($refused) = grep { $_->status == 409 } @answers;
    is_problem($refused, 409, 'invalid_state', detail => qr/50/);
};

subtest 'lists' => sub {
    my $list = $server->project($ada, org_id => $org, key => 'LST');
    my ($red, $blue) = map { label("list $_") } qw(red blue);
    my @tickets = map { $server->ticket($ada, 'LST', labels => $_) }
        [ $red->{id} ], [ $blue->{id} ], [ $red->{id}, $blue->{id} ], [];
    my $find = sub { [ map { $_->{ticket_number} } @{ $server->must(200,
        $server->get('/projects/LST/tickets', token => $ada,
        query => { label => $_[0] }))->{items} } ] };
    is_deeply($server->must(200, $server->get('/projects/LST/tickets',
        token => $ada))->{items}, [ reverse @tickets ],
        'a list shows labels as the ticket does');
    is_deeply($find->('list red'), [ 3, 1 ], 'by name');
    is_deeply($find->($blue->{id}), [ 3, 2 ], 'by id');
    is_deeply($find->([ 'list red', 'list blue' ]), [ 3, 2, 1 ], 'or');
    is_deeply($find->('none'), [4], 'none');
    is_deeply($find->([ 'none', 'list blue' ]), [ 4, 3, 2 ], 'none or one');
    is_problem($server->get('/projects/LST/tickets', token => $ada,
        query => { label => 'nowhere' }), 422, 'validation_failed',
        errors => { label => 'not_found' });
    is_problem($server->get('/projects/LST/tickets', token => $ada,
        query => { label => 'list' }), 409, 'ambiguous_reference');

    my $answer = $server->delete("/orgs/acme/labels/$red->{id}",
        token => $who{Admin});
    status_is($answer, 204);
    is_deeply([ map { [ names($_->{labels}), $_->{version} ] } @{
        $server->must(200, $server->get('/projects/LST/tickets',
        token => $ada))->{items} } ], [ [ [], 1 ], [ ['list blue'], 2 ],
        [ ['list blue'], 1 ], [ [], 2 ] ],
        'a deleted label leaves its tickets, which change');
    is(scalar(grep { $_->{change_id} eq $answer->header('Alloy-Change-Id') }
        changes(label => $red->{id}), map { changes(ticket => $_->{id}) }
        @tickets), 3, 'all of it one change');
    is_problem($server->get("/orgs/acme/labels/$red->{id}", token => $ada),
        404, 'not_found');
    status_is($server->post('/orgs/acme/labels', { name => 'List Red' },
        token => $ada), 201, 'its name is free');
};

subtest 'many at once' => sub {
    my $is = ticket();
    my @labels = map { label("busy $_") } 1 .. 8;
    my @answers = together(map { my $l = $_->{id};
        sub { attach($is->{id}, $l) } } @labels, @labels);
    is_deeply([ map { $_->status } @answers ], [ (200) x 16 ], 'all succeed');
    is(look($is->{id})->{version}, 9, 'each label counts once');
    my @made = together(map { sub { $server->post('/orgs/acme/labels',
        { name => 'Same' }, token => $ada) } } 1 .. 6);
    is_deeply([ sort map { $_->status } @made ], [ 201, (409) x 5 ],
        'one name, one label');
    my $other = label('other');
    @made = together((map { my $n = $_; sub { $server->patch(
        "/orgs/acme/labels/$n->{id}", { name => 'contended' },
        token => $ada) } } @labels[ 0 .. 3 ]), sub { $server->post(
        '/orgs/acme/labels', { name => 'Contended' }, token => $ada) });
    is(scalar(grep { $_->status < 300 } @made), 1,
        'nor do two become one by renaming');
    @made = together((map { my $l = $_->{id}; (sub { attach($is->{id}, $l) },
        sub { $server->delete("/orgs/acme/labels/$l", token => $ada) }) }
        @labels), sub { attach($is->{id}, $other->{id}) });
    ok(!(grep { $_->status >= 500 } @made), 'attaching what is deleted')
        or diag(map { $_->text } grep { $_->status >= 500 } @made);
    is_deeply(names(look($is->{id})->{labels}), ['other'], 'comes to an end');
};

# ---- tags ---------------------------------------------------------------------

sub set {
    my ($where, $tags, %more) = @_;
    my $by = delete $more{by} // $ada;
    return $server->put("/orgs/acme/$where/tags", { tags => $tags, %more },
        token => $by);
}

sub tags { return [ map { { key => $_->{key}, value => $_->{value} } }
    @{ $_[0] } ] }

subtest 'a set of tags' => sub {
    my $is = ticket();
    my $answer = set("ticket/$is->{id}", [ { key => 'quarter', value => 'Q2' },
        { key => 'blocker' } ], by => $who{Member});
    status_is($answer, 200);
    my $first = $answer->json;
    is_deeply([ map { { %$_, id => 1, created_at => $_->{created_at} =~
        $INSTANT ? 1 : 0 } } @$first ], [ { id => 1, entity_type => 'ticket',
        entity_id => $is->{id}, key => 'blocker', value => '',
        created_at => 1 }, { id => 1, entity_type => 'ticket',
        entity_id => $is->{id}, key => 'quarter', value => 'Q2',
        created_at => 1 } ], 'all of it, by key');
    is(substr($first->[0]{id}, 14, 4), substr($org, 14, 4), 'shards');
    is_deeply($server->rows('SELECT project_id FROM alloy.tag WHERE id = ?',
        $first->[0]{id}), [ { project_id => $web->{id} } ],
        'it is behind its project\'s fence');
    is_deeply(set("Ticket/$is->{key}", [ { key => 'blocker', value => '' },
        { key => 'quarter', value => 'Q2' } ])->json, $first,
        'the same again, by key and in any order');
    is(scalar(map { changes(tag => $_->{id}) } @$first), 2,
        'changes nothing');
    my $next = set("ticket/$is->{id}", [ { key => 'quarter', value => 'Q3' },
        { key => 'new', value => 'wörd 1:2' } ])->json;
    is_deeply(tags($next), [ { key => 'new', value => 'wörd 1:2' },
        { key => 'quarter', value => 'Q3' } ], 'another set replaces it');
    is_deeply([ @{ $next->[1] }{qw(id created_at)} ],
        [ @{ $first->[1] }{qw(id created_at)} ], 'a key keeps its id');
    my @log = changes(tag => $first->[1]{id});
    is_deeply([ $log[0]{change_id}, $log[0]{parent_id},
        json_of($log[1]{before}), json_of($log[1]{after}) ],
        [ $answer->header('Alloy-Change-Id'), $is->{id}, { value => 'Q2' },
        { value => 'Q3' } ], 'the log');
    is_deeply([ map { $_->{operation} } changes(tag => $first->[0]{id}) ],
        [qw(tag_set tag_set)], 'also of what went');
    is_deeply(tags(set("ticket/$is->{id}", [ { key => 'more' } ],
        mode => 'ADD')->json), [ { key => 'more', value => '' },
        @{ tags($next) } ], 'add keeps the others');
    my $path = "/orgs/acme/ticket/$is->{id}/tags";
    status_is($server->delete("$path/new", token => $who{Member}), 204);
    is_problem($server->delete("$path/new", token => $ada), 404,
        'not_found');
    is_deeply(tags($server->must(200, $server->get($path,
        token => $who{Viewer}))), [ { key => 'more', value => '' },
        { key => 'quarter', value => 'Q3' } ], 'the list');
    is_deeply(set("ticket/$is->{id}", [])->json, [], 'none');
};

subtest 'tags: faults' => sub {
    my $is = ticket();
    is_problem(set("ticket/$is->{id}", [ { key => 'a' }, { key => 'b' },
        { key => 'a' } ]), 422, 'validation_failed',
        errors => { '/tags/2/key' => 'repeated' });
    is_problem(set("ticket/$is->{id}", [ { key => 'a' }, { key => 'a' } ]),
        422, 'validation_failed', errors => { '/tags/1/key' => 'repeated' });
    is_problem(set("ticket/$is->{id}", [ { key => 'a b' }, { value => 'x' },
        { key => 'x' x 65 }, { key => 'k', value => 'x' x 201, more => 1 } ],
        mode => 'merge'), 422, 'validation_failed', errors => [qw(/tags/0/key
        /tags/1/key /tags/2/key /tags/3/value /tags/3/more /mode)]);
    is_problem($server->put("/orgs/acme/ticket/$is->{id}/tags", {},
        token => $ada), 422, 'validation_failed',
        errors => { '/tags' => 'required' });
    is_problem(set("ticket/$is->{id}", [ map { { key => "k$_" } } 1 .. 51 ]),
        422, 'validation_failed', errors => { '/tags' => 'too_many' });
    status_is(set("ticket/$is->{id}", [ map { { key => "k$_" } } 1 .. 49 ]),
        200);
    is_problem(set("ticket/$is->{id}", [ { key => 'a' }, { key => 'b' } ],
        mode => 'add'), 409, 'invalid_state', detail => qr/50/);
    is(@{ set("ticket/$is->{id}", [ { key => 'a' }, { key => 'k1' } ],
        mode => 'add')->json }, 50, 'fifty fit');
};

subtest 'tags on everything' => sub {
    my %id = (project => $web->{id}, user => $who{Viewer}{user_id});
    my %name = (project => 'WEB', user => $who{Viewer}{email});
    for my $type (sort keys %id) {
        my $made = set("$type/$name{$type}", [ { key => 'on', value => $type }
            ])->json;
        is_deeply([ @{ $made->[0] }{qw(entity_type entity_id value)} ],
            [ $type, $id{$type}, $type ], "a $type");
        is_deeply($server->must(200, $server->get(
            "/orgs/acme/$type/$id{$type}/tags", token => $who{Viewer})),
            $made, 'by its id');
    }
    is_deeply(set('user/me', [])->json, [], 'oneself');
    is_problem($server->get("/orgs/acme/$_/tags", token => $ada), 404,
        'not_found') for 'ticket/NOPE-1', 'ticket/none', 'user/none', 'time_entry/x', 'comment/x',
        "project/$who{Viewer}{user_id}", "user/$stranger->{user_id}",
        'ticket/01900000-0000-7000-8000-000000000000';
};

subtest 'tags: who may' => sub {
    my $is = ticket();
    my $where = "ticket/$is->{id}";
    set($where, [ { key => 'kept' } ]);
    is_problem(set($where, [], by => $who{$_}), 403, 'forbidden')
        for qw(Viewer Reporter);
    is_problem($server->delete("/orgs/acme/$where/tags/kept",
        token => $who{Reporter}), 403, 'forbidden');
    for my $path ("/orgs/acme/$where", "/orgs/$stranger->{org_id}/$where") {
        is_problem($server->put("$path/tags", { tags => [] },
            token => $stranger), 404, 'not_found');
        is_problem($server->get("$path/tags", token => $stranger), 404,
            'not_found');
        is_problem($server->delete("$path/tags/kept", token => $stranger),
            404, 'not_found');
    }
    $server->project($ada, org_id => $org, key => 'HID');
    my $hidden = $server->ticket($ada, 'HID');
    set("ticket/$hidden->{id}", [ { key => 'kept' } ]);
    is_problem(set("ticket/$hidden->{id}", [], by => $who{Member}), 404,
        'not_found');
    is_deeply(tags($server->must(200, $server->get("/orgs/acme/$where/tags",
        token => $who{Viewer}))), [ { key => 'kept', value => '' } ],
        'nothing changed');
    my $search = sub { [ map { $_->{label} } @{ $server->must(200,
        $server->get('/orgs/acme/tags/search', token => $_[0],
        query => { key => 'kept' }))->{items} } ] };
    is_deeply([ map { $search->($_) } $ada, $who{Member} ],
        [ [ 'HID-1', $is->{key} ], [ $is->{key} ] ],
        'a search finds what one sees');
    is_problem($server->get('/orgs/acme/tags/search',
        query => { key => 'kept' }, token => $stranger), 404, 'not_found');
};

subtest 'finding by tags' => sub {
    my $tagged = $server->project($ada, org_id => $org, key => 'TAG');
    my @tickets = map { $server->ticket($ada, 'TAG') } 1 .. 4;
    set("ticket/$tickets[0]{id}", [ { key => 'area', value => 'web' } ]);
    set("ticket/$tickets[1]{id}", [ { key => 'area', value => 'db' },
        { key => 'hot' } ]);
    set("ticket/$tickets[2]{id}", [ { key => 'hot' } ]);
    set('project/TAG', [ { key => 'area', value => 'web' } ]);
    my $search = sub { [ map { "$_->{entity_type} $_->{label} $_->{value}" }
        @{ $server->must(200, $server->get('/orgs/acme/tags/search',
        token => $ada, query => {@_}))->{items} } ] };
    is_deeply($search->(key => 'area'), [ 'project TAG web',
        'ticket TAG-2 db', 'ticket TAG-1 web' ], 'by key, the latest first');
    is_deeply($search->(key => 'area', value => 'web'), [ 'project TAG web',
        'ticket TAG-1 web' ], 'and value');
    is_deeply($search->(key => 'area', entity_type => 'ticket'),
        [ 'ticket TAG-2 db', 'ticket TAG-1 web' ], 'and kind');
    my $page = $server->must(200, $server->get('/orgs/acme/tags/search',
        token => $ada, query => { key => 'area', limit => 2 }));
    is_deeply([ map { $_->{label} } @{ $server->must(200,
        $server->get('/orgs/acme/tags/search', token => $ada, query => {
        key => 'area', limit => 2, cursor => $page->{next_cursor} }))
        ->{items} } ], ['TAG-1'], 'page by page');
    is_problem($server->get('/orgs/acme/tags/search', token => $ada), 422,
        'validation_failed', errors => { key => 'required' });
    my $list = sub { [ map { $_->{ticket_number} } @{ $server->must(200,
        $server->get('/projects/TAG/tickets', token => $ada,
        query => { tag => $_[0] }))->{items} } ] };
    is_deeply($list->('area'), [ 2, 1 ], 'tickets by key');
    is_deeply($list->('area:db'), [2], 'by key and value');
    is_deeply($list->([ 'area:web', 'hot' ]), [ 3, 2, 1 ], 'by either');
    is_deeply($list->('cold'), [], 'by none');
    $server->must(204, $server->delete("/tickets/$tickets[0]{id}",
        token => $ada));
    is_deeply($search->(key => 'area', entity_type => 'ticket'),
        ['ticket TAG-2 db'], 'what is deleted is not found');
};

subtest 'two set the same tags at once' => sub {
    my $is = ticket();
    for my $round (1 .. 5) {
        my @answers = together(map { my $n = $_; sub {
            set("ticket/$is->{id}", [ map { { key => "k$_", value => "$n" } }
                1 .. 3, $n + 3 ]) } } 1 .. 6);
        is_deeply([ map { $_->status } @answers ], [ (200) x 6 ], 'all may');
        my $end = $server->must(200, $server->get(
            "/orgs/acme/ticket/$is->{id}/tags", token => $ada));
        is_deeply([ scalar @$end, scalar keys %{{ map { $_->{value} => 1 }
            @$end }} ], [ 4, 1 ], 'one set is there, as it was sent');
    }
};

done_testing;
