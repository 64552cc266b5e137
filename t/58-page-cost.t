# What a page costs: as many SQL statements with 200 rows as with one, in every
# list of /openapi.json. PostgreSQL itself says what it was asked.
use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Lists;
use Test::More;

my $MOST = 200;

my $server = AlloyTest->start(own => 1);
my $ada = $server->register(name => 'Ada Owner');
my $org = $server->org($ada, name => 'Acme');
my $lists = AlloyTest::Lists->new(server => $server, by => $ada,
    place => { org => $org->{id}, by => $ada,
        host => $server->register(name => 'Sam Stranger') });
my $log = $server->{cluster}->dir . '/postgres/log';

# ---- what was asked ---------------------------------------------------------

sub settings {
    my (%set) = @_;
    my $admin = $server->dbh('admin');
    $admin->do("ALTER SYSTEM SET $_ = '$set{$_}'") for sort keys %set;
    $admin->do('SELECT pg_reload_conf()');
    # Backends read it when they are next idle, the log's reader has no way to
    # ask them but to see them obey.
    wait_for { statements(sub { ask_once() }) } 'statements are logged';
    return;
}

sub ask_once {
    return $server->must(200, $server->get('/projects', token => $ada,
        query => { limit => 1 }));
}

# Names of the statements that were executed during RUN, in order, without the
# number that a connection adds; one without a name is "statement". Parsing and
# binding of the same are not counted.
sub statements {
    my ($run) = @_;
    my $from = -s $log;
    $run->();
    open my $in, '<', $log or die "$log: $!";
    seek $in, $from, 0;
    return map { /^alloy_app LOG:  (?:execute (\w+?)(?:_\d+)?:|(statement):)/
        ? $1 // $2 : () } <$in>;
}

# The fewest of some tries: a thread of httpd's own asks now and then, too.
sub cost {
    my ($list, $path, %query) = @_;
    my @fewest;
    for (1 .. 3) {
        my $page;
        my @asked = statements(sub { $page = $server->must(200,
            $lists->page($list, $path, %query)) });
        die "nothing was logged\n" unless @asked;
        is(scalar @{ $page->{items} }, $query{limit}, 'a page of '
            . $query{limit}) or return;
        @fewest = @asked if !@fewest || @asked < @fewest;
    }
    return @fewest;
}

# ---- lists ------------------------------------------------------------------

my @lists = $lists->all;
cmp_ok(scalar @lists, '>=', 15, 'there are lists');
my %path = map { $_->{id} => $lists->path_of($_) } @lists;
# Until the page is full: lists have rows in common.
for my $list (@lists) {
    my $page;
    do {
        $page = $server->must(200,
            $lists->page($list, $path{ $list->{id} }, limit => $MOST));
        $lists->add($list) for @{ $page->{items} } .. $MOST - 1;
    } while @{ $page->{items} } < $MOST;
}
settings(log_statement => 'all', log_line_prefix => '%u ');

for my $list (@lists) {
    subtest $list->{id} => sub {
        my $path = $path{ $list->{id} };
        my @more = ({}, { include_total => 'true' });
        push @more, { sort => 'updated_at' } if $list->{query}{sort};
        for my $more (@more) {
            my @one = cost($list, $path, limit => 1, %$more);
            my @all = cost($list, $path, limit => $MOST, %$more);
            is("@all", "@one", "$MOST rows take what one takes: @one");
            cmp_ok(scalar @one, '<=', 5 + keys %$more, 'and that is little');
        }
    };
}

done_testing;
