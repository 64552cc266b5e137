# Comments: who says, changes and deletes them, whom they mention; and a
# ticket's activity, which is its part of the change log.
use strict;
use warnings;
use utf8;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Together;
use Test::More;

my $server = AlloyTest->start(children => 2);
my $ada = $server->register(name => 'Ada Owner', email => 'Ada@Example.com');
my $stranger = $server->register(name => 'Sam Stranger');
my $org = $server->org($ada, name => 'Acme', slug => 'acme');
my %who = (Owner => $ada);
for my $role (qw(Admin Member Reporter Viewer)) {
    $who{$role} = $server->member(org => $org->{id}, by => $ada,
        role => $role, name => "Rita $role");
}
my $web = $server->project($ada, org_id => $org->{id}, key => 'WEB',
    name => 'Website');
$server->must(201, $server->post('/projects/WEB/members',
    { user_id => $_->{user_id} }, token => $ada))
    for @who{qw(Member Reporter Viewer)};
my $ticket = $server->ticket($ada, 'WEB', title => 'Talked about');

sub say_to {
    my ($by, $body, %more) = @_;
    return $server->post("/tickets/$ticket->{id}/comments",
        { body => $body, %more }, token => $by);
}

sub comments {
    my ($of, %query) = @_;
    return $server->must(200, $server->get("/tickets/$of/comments",
        token => $ada, query => \%query));
}

# All pages of a list.
sub walk {
    my ($path, %query) = @_;
    my (@items, $cursor);
    do {
        my $page = $server->must(200, $server->get($path, token => $ada,
            query => { %query, $cursor ? (cursor => $cursor) : () }));
        push @items, @{ $page->{items} };
        $cursor = $page->{next_cursor};
    } while $cursor;
    return @items;
}

# ---- comments ---------------------------------------------------------------

my $first;

subtest 'saying something' => sub {
    my $body = "Wireframes *approved*.\r\n\n\t- ünïcode \x{1f680} <b>\"x\"</b>\n";
    my $answer = say_to($who{Reporter}, $body);
    status_is($answer, 201);
    $first = $answer->json;
    my %is = %$first;
    delete @is{qw(id created_at updated_at)};
    is_deeply(\%is, { ticket_id => $ticket->{id}, body => $body,
        author_id => $who{Reporter}{user_id}, mentions => [], version => 1 },
        'as it was typed');
    is_deeply($server->rows(q{SELECT actor, operation, entity_type, parent_id,
        project_id FROM alloy.change WHERE entity_id = ? AND change_id = ?},
        $first->{id}, $answer->header('Alloy-Change-Id')),
        [ { actor => $who{Reporter}{user_id}, operation => 'comment_add',
            entity_type => 'comment', parent_id => $ticket->{id},
            project_id => $web->{id} } ], 'it is in the log');
    is(say_to($ada, 'For her', author_id => $who{Member}{email})
        ->json->{author_id}, $who{Member}{user_id},
        'an Admin says it for somebody');
    status_is($server->post("/tickets/$ticket->{key}/comments",
        { body => 'x', author_id => $who{Member}{user_id} },
        token => $who{Member}), 201, 'naming oneself');
};

subtest 'refusals' => sub {
    is_problem(say_to($who{Viewer}, 'x'), 403, 'forbidden');
    is_problem(say_to($who{Member}, 'x', author_id => $ada->{user_id}), 403,
        'forbidden', errors => ['/author_id'], detail => qr/Admin/);
    is_problem(say_to($ada, 'x', author_id => 'none'), 422,
        'validation_failed', errors => { '/author_id' => 'author_required' });
    is_problem(say_to($ada, 'x', author_id => $stranger->{user_id}), 422,
        'validation_failed', errors => ['/author_id']);
    is_problem(say_to($ada, ' '), 422, 'validation_failed',
        errors => { '/body' => 'blank' });
    is_problem(say_to($ada, undef), 422, 'validation_failed',
        errors => ['/body']);
    is_problem(say_to($ada, "\x{20ac}" x 22_000), 422, 'validation_failed',
        errors => ['/body'], name => '66,000 bytes are too many');
    status_is(say_to($ada, 'x' x 65_536), 201, '65,536 are not');
    is_problem(say_to($ada, 'x', id => 1), 422, 'validation_failed',
        errors => { '/id' => 'unknown' });
    is_problem(say_to($stranger, 'x'), 404, 'not_found');
    is_problem($server->get("/tickets/$ticket->{id}/comments",
        token => $stranger), 404, 'not_found');
};

subtest 'mentions' => sub {
    my $got = say_to($ada, "\@$who{Member}{email}, (\@ADA\@example.COM) and "
        . "\@$who{Member}{email} again. \@nobody\@example.com; "
        . "mail $who{Viewer}{email} or x\@$who{Admin}{email}, but not "
        . "\@$stranger->{email}!")->json;
    is_deeply($got->{mentions}, [ sort $who{Member}{user_id},
        $ada->{user_id} ], 'members behind an @, each once');
    my $new = $server->patch("/comments/$got->{id}",
        { body => "Rather \@$who{Viewer}{email}." }, token => $ada)->json;
    is_deeply($new->{mentions}, [ $who{Viewer}{user_id} ],
        'they change with the text');
    $server->project($ada, org_id => $org->{id}, key => 'OWN');
    my $own = $server->ticket($ada, 'OWN', comment => "\@$who{Member}{email}");
    my $said = $server->must(201, $server->post('/tickets/OWN-1/comments',
        { body => "\@$who{Member}{email} \@$who{Admin}{email}" },
        token => $ada));
    is_deeply($said->{mentions}, [ $who{Admin}{user_id} ],
        'but only those who see the project');
    is_deeply($server->rows('SELECT DISTINCT mentions FROM alloy.comment
        WHERE ticket_id = ? AND id <> ?', $own->{id}, $said->{id}),
        [{ mentions => [] }], 'also with the ticket');
    $server->must(200, $server->patch("/orgs/$org->{id}",
        { project_visibility => 'org' }, token => $ada));
    my $seen = $server->must(200, $server->patch("/comments/$said->{id}",
        { body => "\@$who{Member}{email}, \@$who{Reporter}{email}" },
        token => $ada));
    is_deeply($seen->{mentions}, [ $who{Member}{user_id} ],
        'or the organization, which no Reporter does');
    $server->must(200, $server->patch("/orgs/$org->{id}",
        { project_visibility => 'members' }, token => $ada));
};

subtest 'changing one' => sub {
    my $answer = $server->patch("/comments/$first->{id}", { body => 'Better' },
        token => $who{Reporter});
    status_is($answer, 200);
    is_deeply($answer->json, { %$first, body => 'Better', version => 2,
        updated_at => $answer->json->{updated_at} }, 'the new text');
    my $log = $server->rows(q{SELECT fields, before, after FROM alloy.change
        WHERE entity_id = ? AND version = 2}, $first->{id})->[0];
    is_deeply($log->{fields}, ['body'], 'the log names the field');
    like($log->{before}, qr/Wireframes/, 'and keeps the old text');
    is($server->patch("/comments/$first->{id}", $_,
        token => $who{Reporter})->json->{version}, 2, 'no change, no version')
        for {}, { body => 'Better' };
    is_problem($server->patch("/comments/$first->{id}", { body => 'Mine' },
        token => $who{$_}), 403, 'forbidden', detail => qr/author/)
        for qw(Owner Admin Member);
    is_problem($server->patch("/comments/$first->{id}", { body => 'Mine' },
        token => $who{Viewer}), 403, 'forbidden');
    is_problem($server->patch("/comments/$first->{id}", { body => undef },
        token => $who{Reporter}), 422, 'validation_failed',
        errors => ['/body']);
    is_problem($server->patch("/comments/$first->{id}", { body => 'x' },
        token => $stranger), 404, 'not_found');
    is_problem($server->patch("/comments/$_", { body => 'x' },
        token => $ada), 404, 'not_found')
        for 'WEB-1', $ticket->{id}, '01900000-0000-7000-8000-000000000000';
};

subtest 'deleting one' => sub {
    my $by_member = say_to($who{Member}, 'Mine')->json;
    my $by_reporter = say_to($who{Reporter}, 'Mine')->json;
    is_problem($server->delete("/comments/$by_member->{id}",
        token => $who{Reporter}), 403, 'forbidden', detail => qr/author/);
    is_problem($server->delete("/comments/$by_member->{id}",
        token => $stranger), 404, 'not_found');
    status_is($server->delete("/comments/$by_reporter->{id}",
        token => $who{Reporter}), 204, 'the author');
    status_is($server->delete("/comments/$by_member->{id}",
        token => $who{Admin}), 204, 'an Admin');
    is_problem($server->delete("/comments/$by_member->{id}", token => $ada),
        404, 'not_found');
    is_problem($server->patch("/comments/$by_member->{id}", { body => 'x' },
        token => $who{Member}), 404, 'not_found');
    my %gone = map { $_->{id} => 1 } $by_member, $by_reporter;
    is(scalar(grep { $gone{ $_->{id} } }
        @{ comments($ticket->{id})->{items} }), 0, 'neither is listed');
};

subtest 'oldest first, page by page' => sub {
    my $long = $server->ticket($ada, 'WEB', title => 'Long');
    my @ids = map { $server->must(201, $server->post(
        "/tickets/$long->{id}/comments", { body => "Number $_" },
        token => $ada))->{id} } 1 .. 12;
    is_deeply([ map { $_->{id} } @{ comments($long->{key})->{items} } ],
        \@ids, 'in the order they were said');
    my $page = comments($long->{id}, limit => 5);
    is(scalar @{ $page->{items} }, 5, 'a page');
    ok($page->{has_more} && $page->{next_cursor}, 'and more');
    my $late = $server->must(201, $server->post("/tickets/$long->{id}/comments",
        { body => 'Late' }, token => $ada))->{id};
    $server->delete("/comments/$ids[4]", token => $ada);
    my $next = comments($long->{id}, limit => 100,
        cursor => $page->{next_cursor});
    is_deeply([ map { $_->{id} } @{ $next->{items} } ],
        [ @ids[ 5 .. 11 ], $late ], 'the next page begins where it ended');
    is($next->{next_cursor}, undef, 'that was all');
    is_problem($server->get("/tickets/$ticket->{id}/comments",
        token => $ada, query => { cursor => $page->{next_cursor} }), 422,
        'validation_failed', errors => { cursor => undef });
    my $none = $server->ticket($ada, 'WEB', title => 'Silent');
    is_deeply(comments($none->{id}), { items => [], next_cursor => undef,
        has_more => json_false }, 'nothing said');
};

# ---- activity ---------------------------------------------------------------

subtest 'what happened to a ticket' => sub {
    my $is = $server->must(201, $server->post('/projects/WEB/tickets',
        { title => 'Watched', comment => 'Hello' }, token => $who{Member},
        headers => { 'X-Request-Id' => 'made-here' }));
    my $moved = $server->post("/tickets/$is->{id}/transition",
        { status => 'Done' }, token => $ada);
    $server->patch("/tickets/$is->{id}", { description => 'Text' },
        token => $who{Member});
    $server->patch("/tickets/$is->{id}", { description => 'New text' },
        token => $who{Member});
    my ($said) = @{ comments($is->{id})->{items} };
    $server->delete("/comments/$said->{id}", token => $ada);

    my $answer = $server->get("/tickets/$is->{key}/activity",
        token => $who{Viewer});
    status_is($answer, 200);
    my @items = @{ $answer->json->{items} };
    is_deeply([ map { join ' ', @{$_}{qw(operation entity_type)},
        sort @{ $_->{fields} } } @items ], [
        'ticket_create ticket',
        'ticket_create comment',
        'ticket_transition ticket closed_at status',
        'ticket_update ticket description',
        'ticket_update ticket description',
        'comment_delete comment deleted_at' ], 'oldest first');
    my ($made, $hello, $move, $set, $reset) = @items;
    is_deeply([ @{$made}{qw(actor_id actor_name client request_id entity_id
        version before on_behalf_of)} ], [ $who{Member}{user_id},
        'Rita Member', 'rest', 'made-here', $is->{id}, 1, undef, undef ],
        'who made it, how');
    is($made->{after}{title}, 'Watched', 'and what');
    is($hello->{change_id}, $made->{change_id}, 'one call, one change');
    is_deeply([ $move->{change_id}, $move->{actor_name},
        $move->{before}{status}, $move->{after}{status} ],
        [ $moved->header('Alloy-Change-Id'), 'Ada Owner', 'Backlog', 'Done' ],
        'who moved it from where to where');
    is_deeply([ $set->{before}, $reset->{before}, $reset->{after} ],
        [ { description => undef }, { description => 'Text' }, {} ],
        'of long texts the old one');
    my @walked = walk("/tickets/$is->{id}/activity", limit => 2);
    is_deeply(\@walked, \@items, 'page by page the same');
    my @seq = map { $_->{seq} } @items;
    is_deeply(\@seq, [ sort { $a <=> $b } @seq ], 'in the order of the log');
    is_problem($server->get("/tickets/$is->{id}/activity",
        token => $stranger), 404, 'not_found');
};

subtest 'many write while one reads' => sub {
    my $is = $server->ticket($ada, 'WEB', title => 'Busy');
    together(map {
        my $n = $_;
        $n % 2 ? sub { $server->post("/tickets/$is->{id}/comments",
                    { body => "C$n" }, token => $ada) }
               : sub { $server->patch("/tickets/$is->{id}",
                    { title => "Busy $n" }, token => $who{Member}) }
    } 1 .. 16);
    my @items = walk("/tickets/$is->{id}/activity", limit => 3);
    my %seen;
    $seen{ $_->{seq} }++ for @items;
    is(scalar @items, 17, 'each change is there');
    is(scalar keys %seen, 17, 'once');
    is_deeply([ map { $_->{version} } grep { $_->{entity_type} eq 'ticket' }
        @items ], [ 1 .. 9 ], 'the ticket\'s versions in order');
};

subtest 'a name stays when its owner is gone' => sub {
    my $is = $server->ticket($who{Member}, 'WEB', title => 'Left behind');
    status_is($server->delete(
        "/orgs/$org->{id}/members/$who{Member}{user_id}", token => $ada), 204);
    is($server->get("/tickets/$is->{id}/activity", token => $ada)
        ->json->{items}[0]{actor_name}, 'Rita Member', 'in history');
    is(look_reporter($is->{id}), $who{Member}{user_id}, 'and on the ticket');
    is_problem($server->get("/tickets/$is->{id}", token => $who{Member}), 404,
        'not_found');
};

sub look_reporter {
    my ($id) = @_;
    return $server->get("/tickets/$id", token => $ada)->json->{reporter_id};
}

done_testing;
