# Every list of /openapi.json, page by page: nothing twice, nothing left out,
# also when rows are added meanwhile; and a cursor is good for its own list.
use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Walk;
use Test::More;

my $server = AlloyTest->start;
my $walk = AlloyTest::Walk->new($server);
my $ada = $server->register(name => 'Ada Owner');
my $stranger = $server->register(name => 'Sam Stranger');
my $org = $server->org($ada, name => 'Acme');
my $place = { org => $org->{id}, by => $ada, host => $stranger };
my @lists = grep { $_->{method} eq 'GET' && $_->{query}{cursor} }
    $walk->operations;

# What adds a row to a list, where it isn't a POST to the same path.
my %ADD = (
    session_list    => sub { AlloyTest::Walk::login($server, $ada) },
    auth_event_list => sub { AlloyTest::Walk::login($server, $ada) },
    member_list     => sub {
        $server->member(org => $org->{id}, by => $ada)
    },
    link_list => sub {
        my $project = AlloyTest::Walk::id($server, $place, 'project');
        my $other   = $server->ticket($ada, $project)->{id};
        $server->must(201, $server->post("/tickets/$place->{ticket}/links",
            { type => 'relates', ticket_id => $other }, token => $ada));
    },
    tag_search => sub {
        my $project = AlloyTest::Walk::id($server, $place, 'project');
        my $ticket  = $server->ticket($ada, $project)->{id};
        $server->must(200, $server->put(
            "/orgs/$org->{id}/ticket/$ticket/tags",
            { tags => [{ key => 'mark' }] }, token => $ada));
    },
    activity_list => sub {
        $server->must(200, $server->patch("/tickets/$place->{ticket}",
            { title => 'Title ' . rand }, token => $ada))
    },
);
my %MORE = AlloyTest::Plugins::facts('add');
# What is found is made elsewhere.
my %MADE_BY = (ticket_search => 'ticket_create');
my %OLDEST_FIRST = map { $_ => 1 } qw(comment_list activity_list);

sub add {
    my ($list) = @_;
    my $add = $ADD{ $list->{id} };
    return $add->() if $add;
    my $more = $MORE{ $list->{id} };
    return $more->($server, $place) if $more;
    my $made_by = $MADE_BY{ $list->{id} };
    my ($post) = grep { $made_by ? $_->{id} eq $made_by
        : $_->{method} eq 'POST' && $_->{path} eq $list->{path} }
        $walk->operations;
    die "no row for $list->{id} in \%ADD\n" unless $post;
    my $answer = $walk->send($walk->request($post, $place, $ada), $ada);
    $server->must(201, $answer);
    return;
}

sub path_of {
    my ($list) = @_;
    my $request = $walk->request($list, $place, $ada);
    return $request->{pattern} =~ s/\{(\w+)\}/$request->{path}{$1}/gr;
}

sub page {
    my ($path, %query) = @_;
    $query{key} = 'mark' if $path =~ m{/tags/search$};
    return $server->get($path, token => $ada, query => \%query);
}

# What tells one row from another.
sub mark { return $_[0]{id} // $_[0]{seq} // $_[0]{user_id} // die 'no id' }

# All marks, in pages of LIMIT; after the first page BETWEEN is called.
sub walk_pages {
    my ($path, $limit, $between) = @_;
    my ($cursor, @marks);
    do {
        my $answer = page($path, limit => $limit,
            defined $cursor ? (cursor => $cursor) : ());
        my $page = $server->must(200, $answer);
        push @marks, map { mark($_) } @{ $page->{items} };
        page_is_whole($answer, $page, $limit);
        $cursor = $page->{next_cursor};
        $between->() if $between;
        undef $between;
    } while defined $cursor;
    return @marks;
}

# Both ways to tell that there is more say the same.
sub page_is_whole {
    my ($answer, $page, $limit) = @_;
    my $more = defined $page->{next_cursor};
    my $full = $more ? @{ $page->{items} } == $limit
        : @{ $page->{items} } <= $limit;
    my ($link) = ($answer->header('Link') // '') =~ /^<([^>]+)>; rel="next"$/;
    return if $full && !!$page->{has_more} == $more && $more == defined $link
        && (!$more || $link =~ /cursor=\Q$page->{next_cursor}\E/
            && $link =~ /limit=$limit\b/);
    fail('a page says in one way what comes next');
    diag($answer->text, $answer->header('Link') // 'no Link');
    return;
}

my %path = map { $_->{id} => path_of($_) } @lists;

for my $list (@lists) {
    my $path = $path{ $list->{id} };
    subtest $list->{id} => sub {
        add($list) for 1 .. 4;
        my $all = $server->must(200, page($path, limit => 200));
        my @all = map { mark($_) } @{ $all->{items} };
        my %seen;
        ok(!(grep { $seen{$_}++ } @all), 'no row is there twice');
        cmp_ok(scalar @all, '>=', 4, @all . ' rows');
        my @at = map { $_->{at} // $_->{created_at} // $_->{first_day} } @{ $all->{items} };
        @at = reverse @at if $OLDEST_FIRST{ $list->{id} };
        is_deeply(\@at, [ reverse sort @at ], 'in their order');
        is_deeply([ walk_pages($path, $_) ], \@all, "the same in pages of $_")
            for 1, 2, 3, scalar @all;
        my @meanwhile = walk_pages($path, 1, sub { add($list) for 1 .. 2 });
        my %before = map { $_ => 1 } @all;
        is_deeply([ grep { $before{$_} } @meanwhile ], \@all,
            'the same while rows are added');
    };
}

subtest 'the next page by Link' => sub {
    my $first = page($path{ticket_list}, limit => 2, priority => 'Medium');
    my ($link) = $first->header('Link') =~ /^<([^>]+)>/;
    my $next = page($path{ticket_list}, limit => 2, priority => 'Medium',
        cursor => $first->json->{next_cursor});
    is_deeply($server->get($link, token => $ada)->json, $next->json,
        'leads where the cursor leads, with all parameters');
};

subtest 'cursors of other lists' => sub {
    my %cursor = map { $_ => page($path{$_}, limit => 1)->json->{next_cursor} }
        sort keys %path;
    for my $own (sort keys %path) {
        is_problem(page($path{$own}, cursor => $cursor{$_}), 422,
            'validation_failed', errors => { cursor => 'foreign_cursor' },
            name => "$own with a cursor of $_")
            for grep { $_ ne $own } sort keys %path;
    }
};

done_testing;
