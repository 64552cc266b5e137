# Answers of tools are read by models: short unless asked for more, with names
# beside ids, without what nobody sees, and cut where they would be too long.
# plugin: mcp

use strict;
use warnings;
use utf8;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Mcp;
use Test::More;

my $server = AlloyTest->start;
my $ada = $server->register(name => 'Ada');
my $mcp = AlloyTest::Mcp->new($server, $ada);
$server->project($ada, key => 'WEB');
my $bob = $server->member(org => $ada->{org_id}, by => $ada, name => 'Bob');
$server->must(201, $server->post('/projects/WEB/members',
    { user_id => $bob->{user_id} }, token => $ada));
$server->ticket($ada, 'WEB', title => "Ticket $_", description => 'word ' x 50,
    $_ % 2 ? (assignee_id => $bob->{user_id}) : ()) for 1 .. 40;

# ---- short ------------------------------------------------------------------------

my $page = $mcp->must('search_tickets', project => 'WEB', limit => 2);
is_deeply([ sort keys %{ $page->{items}[0] } ],
    [qw(assignee due_date id key points priority status title type
        updated_at)], 'a row of a list tells the most');
is_deeply([ map { $_->{assignee} } @{ $page->{items} } ], [ undef, 'Bob' ],
    'people by name');
is($mcp->must('update_ticket', ticket => 'WEB-1', title => 'New')->{assignee},
    'Bob', 'what was changed likewise');
is_deeply($mcp->must('search_tickets', project => 'WEB', limit => 1,
    fields => 'key,description')->{items},
    [ { key => 'WEB-40', description => 'word ' x 50 } ],
    'fields has exactly those keys');
my $whole = $mcp->must('get_ticket', ticket => 'WEB-1');
ok(exists $whole->{description} && exists $whole->{version},
    'one thing is told as a whole');
is($whole->{assignee}, 'Bob', 'with names');
is($whole->{reporter}, 'Ada', 'of all the people');
is($mcp->refused('search_tickets', fields => 'colour')->{code},
    'validation_failed', 'a field there is not');

$server->must(204, $server->delete("/orgs/$ada->{org_id}/members/"
    . $bob->{user_id}, token => $ada));
is($mcp->must('get_ticket', ticket => 'WEB-1')->{assignee} // 'none',
    $server->must(200, $server->get('/tickets/WEB-1', token => $ada))
        ->{assignee_id} // 'none', 'one who left is an id, not nobody');

# ---- cut ------------------------------------------------------------------------------

my (%seen, $cursor, $pages);
do {
    my $part = $mcp->must('search_tickets', project => 'WEB', limit => 40,
        max_bytes => 2500, defined $cursor ? (cursor => $cursor) : ());
    $seen{ $_->{key} }++ for @{ $part->{items} };
    $cursor = $part->{next_cursor};
    ok($part->{truncated}, 'a list that was cut says so') if defined $cursor;
    cmp_ok(length JSON::PP->new->utf8->encode($part), '<', 2800,
        'and is as short as it should be');
    $pages++;
} while (defined $cursor && $pages < 40);
is(scalar(keys %seen), 40, 'its cursor leads to all the rest');
is(scalar(grep { $_ > 1 } values %seen), 0, 'once each');
ok(!exists $page->{truncated}, 'a whole list does not say so');

$server->must(200, $server->patch('/tickets/WEB-2',
    { description => 'wörd ' x 8000 }, token => $ada));
my $long = $mcp->must('get_ticket', ticket => 'WEB-2');
ok($long->{truncated}, 'one thing that is too long says so as well');
cmp_ok(length $long->{description}, '<', 10_000, 'its texts are cut');
ok(!$mcp->must('get_ticket', ticket => 'WEB-2', max_bytes => 100_000)
    ->{truncated}, 'unless more is asked for');
for my $wrong (10, 'x', 99_999_999) {
    is($mcp->refused('search_tickets', max_bytes => $wrong)->{errors}[0]
        {pointer}, '/max_bytes', "max_bytes can't be $wrong");
}

# ---- what nobody sees ---------------------------------------------------------------------

my $hidden = "a\x{200b}b\x{202e}c\x{feff}d\x{e0041}e\x{ad}f\n\x{1F468}\x{200d}";
$server->must(201, $server->post('/tickets/WEB-3/comments',
    { body => $hidden }, token => $ada));
is($mcp->must('list_comments', ticket => 'WEB-3')->{items}[0]{body},
    "abcdef\n\x{1F468}\x{200d}", 'what nobody sees is not told');
is($server->must(200, $server->get('/tickets/WEB-3/comments', token => $ada))
    ->{items}[0]{body}, $hidden, 'it is kept as it was typed');

done_testing;
