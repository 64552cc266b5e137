# Random histories against a model that keeps every state there ever was: tickets,
# boards and burndowns as of any moment, and the feed read along. Some writers
# begin their transactions long before they write, one commits long after, and
# another database of the cluster has one open all the time.
# ALLOY_TEST_SEED repeats a run, ALLOY_TEST_SECONDS lets it go on.
use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use List::Util qw(first shuffle sum0);
use Test::More;

my $seed = $ENV{ALLOY_TEST_SEED} // time;
my $ends = time + ($ENV{ALLOY_TEST_SECONDS} // 15);
srand $seed;
diag("ALLOY_TEST_SEED=$seed") if $ENV{ALLOY_TEST_SECONDS};
note "seed $seed";

my %CATEGORY = (Backlog => 'todo', Todo => 'todo', InProgress => 'in_progress',
    InReview => 'in_progress', Done => 'done', Cancelled => 'done');
my @STATUSES = sort keys %CATEGORY;
my @PRIORITIES = qw(Critical High Medium Low);
my @FIELDS = qw(title status priority points assignee_id sprint_id version);

my $server = AlloyTest->start(children => 2);
my $ada = $server->register(name => 'Ada Owner');
my $org = $server->org($ada, name => 'Acme', slug => 'acme');
my $clock = $server->new_dbh('admin');

# Somebody else's transaction, with an id: nothing here may wait for it.
my $idle = $server->{cluster}->connect('postgres', 'postgres');
$idle->begin_work;
$idle->do('SELECT pg_current_xact_id()');

sub now_is { return $clock->selectrow_array(q{SELECT to_char(clock_timestamp()
    AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')}) }
sub one_of { return $_[ rand @_ ] }
sub post   { return $server->post($_[0], $_[1], token => $ada) }
sub patch  { return $server->patch($_[0], $_[1], token => $ada) }
sub erase  { return $server->delete($_[0], token => $ada) }
sub look   { my ($path, %query) = @_;
    return $server->get($path, token => $ada, query => \%query) }

# ---- the model ------------------------------------------------------------------

# {tickets => {id => {field => value}}, over => {sprint => tickets at its end}}
my ($is, @states);
my ($project, @sprints);

# Fields that get the same value change nothing, versions included.
sub change {
    my ($ticket, %fields) = @_;
    my $old = $is->{tickets}{$ticket};
    my @other = grep { ($old->{$_} // '-') ne ($fields{$_} // '-') }
        keys %fields;
    return if !@other;
    $is->{tickets}{$ticket} = { %$old, %fields,
        version => $old->{version} + 1 };
    return;
}

sub remember {
    push @states, { at => now_is(), tickets => { %{ $is->{tickets} } },
        over => { %{ $is->{over} } } };
    return;
}

sub there { my ($state) = @_;
    return grep { !$state->{tickets}{$_}{gone} } sort keys %{ $state->{tickets} } }

# ---- steps ----------------------------------------------------------------------

sub open_sprints { return grep { !$is->{over}{$_} } @sprints }

sub random_fields {
    my %some = (title => 'T' . int rand 1000, status => one_of(@STATUSES),
        priority => one_of(@PRIORITIES), points => one_of(undef, 0, 0.5, 3, 8),
        assignee_id => one_of(undef, $ada->{user_id}),
        sprint_id => one_of(undef, open_sprints()));
    my @keys = (shuffle(keys %some))[ 0 .. rand keys %some ];
    return map { $_ => $some{$_} } @keys;
}

sub create {
    my %fields = (title => 'New', random_fields());
    my $made = $server->must(201, post("/projects/$project->{id}/tickets",
        \%fields));
    $is->{tickets}{ $made->{id} } = { status => 'Backlog', points => undef,
        priority => 'Medium', assignee_id => undef, sprint_id => undef,
        %fields, key => $made->{key}, number => $made->{ticket_number},
        gone => 0, version => 1 };
    return;
}

sub update {
    my $ticket = one_of(there($is)) // return;
    my %fields = random_fields();
    $server->must(200, patch("/tickets/$ticket", \%fields));
    change($ticket, %fields);
    return;
}

sub move {
    my $ticket = one_of(there($is)) // return;
    my $status = one_of(@STATUSES);
    $server->must(200, post("/tickets/$ticket/transition",
        { status => $status }));
    change($ticket, status => $status);
    return;
}

my @deletions;

sub remove {
    my $ticket = one_of(there($is)) // return;
    my $answer = erase("/tickets/$ticket");
    status_is($answer, 204) if $answer->status != 204;
    change($ticket, gone => 1);
    push @deletions, [ $ticket, $answer->header('Alloy-Change-Id') ];
    return;
}

# What was deleted comes back by undoing the deletion.
sub restore {
    my ($ticket, $change) = @{ shift @deletions // return };
    $server->must(200, post("/changes/$change/revert"));
    change($ticket, gone => 0);
    return;
}

sub enter {
    my $sprint = one_of(open_sprints()) // return;
    my @some = grep { defined } (shuffle(there($is)))[ 0 .. 2 ];
    return if !@some;
    $server->must(200, post("/sprints/$sprint/tickets", { tickets => \@some }));
    change($_, sprint_id => $sprint) for @some;
    return;
}

sub leave {
    my $ticket = first { $is->{tickets}{$_}{sprint_id} } shuffle(there($is));
    return if !$ticket;
    my $sprint = $is->{tickets}{$ticket}{sprint_id};
    my $answer = erase("/sprints/$sprint/tickets/$ticket");
    status_is($answer, 204) if $answer->status != 204;
    change($ticket, sprint_id => undef);
    return;
}

sub batch {
    my @some = grep { defined } (shuffle(there($is)))[ 0 .. 4 ];
    return if !@some;
    my @operations = map { rand() < 0.2 ? { ticket => $_, action => 'delete' }
        : { ticket => $_, random_fields() } } @some;
    $server->must(200, post('/tickets/batch', { operations => \@operations }));
    for my $operation (@operations) {
        my %fields = %$operation;
        my $ticket = delete $fields{ticket};
        %fields = (gone => 1) if delete $fields{action};
        change($ticket, %fields);
    }
    return;
}

# Its incomplete tickets go to another sprint, or to none.
sub complete {
    my ($sprint, @other) = shuffle(open_sprints());
    return if !@other || rand() < 0.7;
    my $to = one_of(undef, @other);
    my %before = %{ $is->{tickets} };
    $server->must(200, post("/sprints/$sprint/start"));
    $server->must(200, post("/sprints/$sprint/complete",
        { move_incomplete_to => $to // 'backlog' }));
    $is->{over}{$sprint} = \%before;
    for my $ticket (there($is)) {
        my $now = $is->{tickets}{$ticket};
        change($ticket, sprint_id => $to)
            if ($now->{sprint_id} // '') eq $sprint
            && $CATEGORY{ $now->{status} } ne 'done';
    }
    return;
}

# Writers beside the API, whose transactions begin a while before they write.
my @waiting;

sub begin_early {
    my $dbh = @waiting < 3 ? $server->new_dbh('admin') : return;
    $dbh->begin_work;
    $dbh->do('SELECT pg_current_xact_id()');
    push @waiting, $dbh;
    return;
}

sub write_late {
    my $dbh = shift @waiting // return;
    my $ticket = one_of(there($is));
    if ($ticket) {
        my $half = int rand 20;
        $dbh->do('UPDATE alloy.ticket SET points_half = ? WHERE id = ?', undef,
            $half, $ticket);
        change($ticket, points => $half / 2);
    }
    $dbh->commit;
    $dbh->disconnect;
    return;
}

# One that holds what it wrote: its ticket is nobody else's, and nobody asks for
# it before it is there to be seen.
my $held;

sub hold {
    return if $held;
    my $made = $server->must(201, post('/projects/SIDE/tickets',
        { title => 'Held' }));
    $held = { dbh => $server->new_dbh('admin'), ticket => $made->{id} };
    $held->{dbh}->begin_work;
    $held->{dbh}->do(q{UPDATE alloy.ticket SET title = 'Written' WHERE id = ?},
        undef, $made->{id});
    return;
}

my @side;

sub release {
    my $over = $held // return;
    undef $held;
    $over->{dbh}->commit;
    $over->{dbh}->disconnect;
    push @side, $over->{ticket};
    return;
}

# ---- the feed, read along ---------------------------------------------------------

my ($cursor, %fed, %seen, %version);

# A page is applied; now and then the reader dies before, and reads it again.
sub read_feed {
    my $page = $server->must(200, look('/changes', org_id => 'acme',
        limit => 1 + int rand 40, $cursor ? (after => $cursor) : ()));
    return 1 if rand() < 0.2;
    for my $item (@{ $page->{items} }) {
        my $id = $item->{entity_id} // next;
        ok(0, "change $item->{seq} came twice") if $seen{ $item->{seq} }++;
        next if $item->{entity_type} ne 'ticket';
        ok(0, "a change of $id came late")
            if ($version{$id} // 0) >= $item->{version};
        $version{$id} = $item->{version};
        $fed{$id} = { %{ $fed{$id} || {} }, %{ $item->{after} || {} } };
    }
    $cursor = $page->{next_cursor};
    return $page->{has_more};
}

# ---- comparing ---------------------------------------------------------------------

sub same_tickets {
    my ($state, $where) = @_;
    for my $ticket (sort keys %{ $is->{tickets} }) {
        next if $is->{tickets}{$ticket}{gone};
        my $then = $state->{tickets}{$ticket};
        my $answer = look("/tickets/$ticket", as_of => $state->{at});
        if (!$then || $then->{gone}) {
            is($answer->status, 404, "$where: it was not there")
                if $answer->status != 404;
            next;
        }
        my $got = $server->must(200, $answer);
        return is_deeply({ map { $_ => $got->{$_} } @FIELDS },
            { map { $_ => $then->{$_} } @FIELDS },
            "$where: $then->{key}") if grep { ($got->{$_} // '-')
                ne ($then->{$_} // '-') } @FIELDS;
    }
    return pass("$where: tickets");
}

sub expected_board {
    my ($state, $sprint) = @_;
    my %column = map { $_ => [] } @STATUSES;
    push @{ $column{ $state->{tickets}{$_}{status} } }, $state->{tickets}{$_}
        for grep { !$sprint || ($state->{tickets}{$_}{sprint_id} // '')
            eq $sprint } there($state);
    my %rank = map { $PRIORITIES[$_] => $_ } 0 .. $#PRIORITIES;
    return { map {
        my @cards = sort { $rank{ $a->{priority} } <=> $rank{ $b->{priority} }
            || $a->{number} <=> $b->{number} } @{ $column{$_} };
        $_ => [ scalar @cards, sum0(map { $_->{points} // 0 } @cards),
            map { join ' ', @$_{qw(key title priority version)},
                $_->{points} // '-', $_->{assignee_id} // '-' } @cards ];
    } keys %column };
}

sub board {
    my ($path, $at) = @_;
    my $got = $server->must(200, look($path, as_of => $at, limit => 200));
    return { map {
        my $column = $_;
        $column->{status} => [ $column->{count}, $column->{points},
            map { join ' ', @$_{qw(key title priority version)},
                $_->{points} // '-', $_->{assignee_id} // '-' }
                @{ $column->{tickets} } ];
    } @{ $got->{columns} } };
}

# What the burndown shows for the last day that has begun.
sub burnt {
    my ($sprint, $unit, $at) = @_;
    my $got = $server->must(200, look("/sprints/$sprint/burndown",
        unit => $unit, as_of => $at));
    my ($last) = reverse grep { defined $_->{total} } @{ $got->{data} };
    return [ @$last{qw(total completed remaining)} ];
}

# A sprint that is over stays as it was when it ended.
sub expected_burnt {
    my ($state, $sprint, $unit) = @_;
    my $tickets = $state->{over}{$sprint} // $state->{tickets};
    my @in = grep { ($_->{sprint_id} // '') eq $sprint && !$_->{gone} }
        values %$tickets;
    my $weigh = sub { $unit eq 'points' ? $_[0]{points} // 0 : 1 };
    my $total = sum0(map { $weigh->($_) } @in);
    my $done  = sum0(map { $weigh->($_) }
        grep { $CATEGORY{ $_->{status} } eq 'done' } @in);
    return [ $total, $done, $total - $done ];
}

sub same_then {
    my ($state, $where) = @_;
    same_tickets($state, $where);
    is_deeply(board("/projects/$project->{id}/board", $state->{at}),
        expected_board($state), "$where: the project's board");
    for my $sprint (@sprints) {
        is_deeply(board("/sprints/$sprint/board", $state->{at}),
            expected_board($state, $sprint), "$where: a sprint's board");
        is_deeply(burnt($sprint, $_, $state->{at}),
            expected_burnt($state, $sprint, $_), "$where: burndown in $_")
            for qw(tickets points);
    }
    return;
}

# ---- histories ----------------------------------------------------------------------

$server->project($ada, org_id => $org->{id}, key => 'SIDE');

sub begin {
    my ($round) = @_;
    $project = $server->project($ada, org_id => $org->{id}, key => "P$round");
    my $today = substr now_is(), 0, 10;
    @sprints = map { $server->must(201, post("/projects/P$round/sprints",
        { name => "Sprint $_", start_date => $today }))->{id} } 1 .. 3;
    $is = { tickets => {}, over => {} };
    @states = @deletions = ();
    create() for 1 .. 6;
    remember();
    return;
}

my @STEPS = (\&create, (\&update) x 4, (\&move) x 3, \&remove, \&restore,
    (\&enter) x 2, \&leave, (\&batch) x 2, \&complete, \&begin_early,
    \&write_late, \&hold, \&release);

my $round = 0;
do {
    begin(++$round);
    subtest "history $round" => sub {
        for my $step (1 .. 60) {
            one_of(@STEPS)->();
            remember();
            read_feed() if rand() < 0.5;
        }
        write_late() while @waiting;
        remember();
        my @asked = ($states[-1], (shuffle(@states))[ 0 .. 7 ]);
        same_then($_, "seed $seed, as of $_->{at}") for @asked;
    };
} while time < $ends;

subtest 'the feed' => sub {
    release();
    my $idled = 0;
    $idled = read_feed() ? 0 : $idled + 1 while $idled < 5;
    is_deeply([sort { $a <=> $b } keys %seen], $server->dbh('admin')
        ->selectcol_arrayref('SELECT seq FROM alloy.change WHERE org_id = ?
            AND entity_type <> ? ORDER BY seq', undef, $org->{id}, ''),
        'every change once');
    my $rows = $server->rows('SELECT id, title, status, priority, points_half,
        sprint_id, assignee_id FROM alloy.ticket WHERE org_id = ?', $org->{id});
    my @columns = grep { $_ ne 'id' } keys %{ $rows->[0] };
    is_deeply({ map { my $id = $_->{id}; $id => { map { $_ => $fed{$id}{$_} }
            grep { $_ ne 'title' } @columns } } @$rows },
        { map { my $row = $_; $row->{id} => { map { $_ => $row->{$_} }
            grep { $_ ne 'title' } @columns } } @$rows },
        'whoever applies them has what the database has');
    cmp_ok(scalar @side, '>', 0, 'also of those who held what they wrote');
};

$idle->rollback;
done_testing;
