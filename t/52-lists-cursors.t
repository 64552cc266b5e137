# Every list of /openapi.json, page by page: nothing twice, nothing left out,
# also when rows are added meanwhile; and a cursor is good for its own list.
use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Lists;
use Test::More;

my $server = AlloyTest->start;
my $ada = $server->register(name => 'Ada Owner');
my $stranger = $server->register(name => 'Sam Stranger');
my $org = $server->org($ada, name => 'Acme');
my $place = { org => $org->{id}, by => $ada, host => $stranger };
my $lists = AlloyTest::Lists->new(server => $server, place => $place,
    by => $ada);
my @lists = $lists->all;

my %OLDEST_FIRST = map { $_ => 1 } qw(comment_list activity_list);

# What tells one row from another.
sub mark { return $_[0]{id} // $_[0]{seq} // $_[0]{user_id} // die 'no id' }

# All marks, in pages of LIMIT; after the first page BETWEEN is called.
sub walk_pages {
    my ($list, $limit, $between) = @_;
    my ($cursor, @marks);
    do {
        my $answer = page($list, limit => $limit,
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

my %path = map { $_->{id} => $lists->path_of($_) } @lists;
my %list = map { $_->{id} => $_ } @lists;

sub page {
    my ($id, %query) = @_;
    return $lists->page($list{$id}, $path{$id}, %query);
}

for my $list (@lists) {
    subtest $list->{id} => sub {
        $lists->add($list) for 1 .. 4;
        my $all = $server->must(200, page($list->{id}, limit => 200));
        my @all = map { mark($_) } @{ $all->{items} };
        my %seen;
        ok(!(grep { $seen{$_}++ } @all), 'no row is there twice');
        cmp_ok(scalar @all, '>=', 4, @all . ' rows');
        my @at = map { $_->{at} // $_->{created_at} // $_->{first_day} } @{ $all->{items} };
        @at = reverse @at if $OLDEST_FIRST{ $list->{id} };
        is_deeply(\@at, [ reverse sort @at ], 'in their order');
        is_deeply([ walk_pages($list->{id}, $_) ], \@all, "the same in pages of $_")
            for 1, 2, 3, scalar @all;
        my @meanwhile = walk_pages($list->{id}, 1,
            sub { $lists->add($list) for 1 .. 2 });
        my %before = map { $_ => 1 } @all;
        is_deeply([ grep { $before{$_} } @meanwhile ], \@all,
            'the same while rows are added');
    };
}

subtest 'the next page by Link' => sub {
    my $first = page('ticket_list', limit => 2, priority => 'Medium');
    my ($link) = $first->header('Link') =~ /^<([^>]+)>/;
    my $next = page('ticket_list', limit => 2, priority => 'Medium',
        cursor => $first->json->{next_cursor});
    is_deeply($server->get($link, token => $ada)->json, $next->json,
        'leads where the cursor leads, with all parameters');
};

subtest 'cursors of other lists' => sub {
    my %cursor = map { $_ => page($_, limit => 1)->json->{next_cursor} }
        sort keys %path;
    for my $own (sort keys %path) {
        is_problem(page($own, cursor => $cursor{$_}), 422,
            'validation_failed', errors => { cursor => 'foreign_cursor' },
            name => "$own with a cursor of $_")
            for grep { $_ ne $own } sort keys %path;
    }
};

done_testing;
