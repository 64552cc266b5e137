# A project's list of tickets: filters, pages that neither skip nor repeat,
# cursors that belong to one query, what others may see; and plans that don't
# sort.
use strict;
use warnings;
use utf8;
use lib 't/lib';

use AlloyTest;
use POSIX ();
use Test::More;

my $server = AlloyTest->start(children => 2);
my $ada = $server->register(name => 'Ada Owner');
my $stranger = $server->register(name => 'Sam Stranger');
my $org = $server->org($ada, name => 'Acme', slug => 'acme');
my $bob = $server->member(org => $org->{id}, by => $ada, role => 'Member',
    name => 'Bob');
my $web = $server->project($ada, org_id => $org->{id}, key => 'WEB',
    name => 'Website');
$server->must(201, $server->post('/projects/WEB/members',
    { user_id => $bob->{user_id} }, token => $ada));

my @TYPES = qw(Task Bug Story Epic);
my @PRIORITIES = qw(Critical High Medium Low);
my @STATUSES = qw(Backlog Todo InProgress InReview Done Cancelled);
my %CATEGORY = (Backlog => 'todo', Todo => 'todo', InProgress => 'in_progress',
    InReview => 'in_progress', Done => 'done', Cancelled => 'done');
my @all = reverse map {
    $server->ticket($ada, 'WEB', title => "Ticket $_",
        type => $TYPES[ $_ % 4 ], priority => $PRIORITIES[ $_ / 2 % 4 ],
        status => $STATUSES[ $_ % 6 ],
        reporter_id => ($_ % 5 ? $ada : $bob)->{user_id},
        $_ % 3 ? (assignee_id => ($_ % 3 == 1 ? $ada : $bob)->{user_id}) : ())
} 1 .. 30;

sub list {
    my (%query) = @_;
    return $server->must(200, $server->get('/projects/WEB/tickets',
        token => $ada, query => \%query));
}

sub keys_of { return [ map { $_->{key} } @{ $_[0] } ] }

# The list with these filters is what a look at each ticket says.
sub is_filtered {
    my ($name, $query, $fits) = @_;
    my @wanted = grep { $fits->($_) } @all;
    my $got = list(limit => 200, %$query)->{items};
    ok(@wanted && @wanted < @all, "$name: some, not all");
    is_deeply(keys_of($got), keys_of(\@wanted), $name);
    return;
}

# ---- filters ----------------------------------------------------------------

subtest 'newest first, as each is by itself' => sub {
    my $got = list();
    is_deeply($got->{items}, \@all, 'all of them');
    is_deeply([ $got->{next_cursor}, $got->{has_more} ],
        [ undef, json_false ], 'and no more');
    is_deeply($server->must(200, $server->get(
        "/projects/$web->{id}/tickets", token => $bob)), $got,
        'by the project\'s id, for somebody else');
};

subtest 'filters' => sub {
    is_filtered('status', { status => 'done' },
        sub { $_[0]{status} eq 'Done' });
    is_filtered('one of two', { status => [ 'TODO', 'InReview' ] },
        sub { $_[0]{status} =~ /^(Todo|InReview)$/ });
    is_filtered('category', { category => 'In_Progress' },
        sub { $_[0]{category} eq 'in_progress' });
    is_filtered('status and category', { category => 'done',
        status => [ 'Done', 'Todo' ] }, sub { $_[0]{status} eq 'Done' });
    is_filtered('priority', { priority => [ 'urgent', 'low' ] },
        sub { $_[0]{priority} =~ /^(Critical|Low)$/ });
    is_filtered('type', { type => 'bug' }, sub { $_[0]{type} eq 'Bug' });
    is_filtered('assignee me', { assignee_id => 'me' },
        sub { ($_[0]{assignee_id} // '') eq $ada->{user_id} });
    is_filtered('assignee by e-mail', { assignee_id => $bob->{email} },
        sub { ($_[0]{assignee_id} // '') eq $bob->{user_id} });
    is_filtered('nobody\'s', { assignee_id => 'none' },
        sub { !$_[0]{assignee_id} });
    is_filtered('nobody\'s or Bob\'s', { assignee_id => [ 'none', 'Bob' ] },
        sub { ($_[0]{assignee_id} // $bob->{user_id}) eq $bob->{user_id} });
    is_filtered('reporter', { reporter_id => $bob->{user_id} },
        sub { $_[0]{reporter_id} eq $bob->{user_id} });
    my ($late, $early) = map { $_->{created_at} } @all[ 9, 19 ];
    is_filtered('created', { created_after => $early,
        created_before => $late },
        sub { $_[0]{created_at} gt $early && $_[0]{created_at} lt $late });
    is_filtered('updated', { updated_after => $early },
        sub { $_[0]{updated_at} gt $early });
    is_filtered('all together', { category => 'todo', assignee_id => 'me',
        reporter_id => 'me', updated_before => $all[0]{created_at} }, sub {
            $_[0]{category} eq 'todo'
                && ($_[0]{assignee_id} // '') eq $ada->{user_id}
                && $_[0]{reporter_id} eq $ada->{user_id}
                && $_[0]{updated_at} lt $all[0]{created_at} });
    is_deeply(list(status => 'Nowhere')->{items}, [],
        'a status the workflow has not is nobody\'s');
};

subtest 'filters that are none' => sub {
    for my $fault ([ priority => 'Soon' ], [ type => 'Wish' ],
        [ category => 'open' ], [ assignee_id => 'nobody@example.com' ],
        [ assignee_id => $stranger->{user_id} ], [ created_after => 'now' ],
        [ created_before => '2026-04-01' ], [ limit => 0 ], [ limit => 201 ],
        [ limit => 'all' ], [ cursor => 'x' ], [ sprint => 1 ]) {
        my ($name, $value) = @$fault;
        is_problem($server->get('/projects/WEB/tickets', token => $ada,
            query => { $name => $value }), 422, 'validation_failed',
            errors => { $name => undef });
    }
    is_problem($server->get('/projects/WEB/tickets', token => $ada,
        query => { limit => 0, type => 'x', cat => 'y' }), 422,
        'validation_failed', errors => [qw(limit type cat)]);
};

# ---- pages ------------------------------------------------------------------

sub pages {
    my ($limit, $between, %query) = @_;
    my (@seen, $cursor);
    do {
        my $page = list(limit => $limit, %query,
            $cursor ? (cursor => $cursor) : ());
        push @seen, @{ $page->{items} };
        is(!!$page->{next_cursor}, !!$page->{has_more}, 'has_more says so')
            if !!$page->{next_cursor} ne !!$page->{has_more};
        $cursor = $page->{next_cursor};
        $between->() if $between && $cursor;
    } while $cursor;
    return @seen;
}

subtest 'page by page' => sub {
    is_deeply([ pages($_) ], \@all, "in pages of $_") for 1, 7, 30;
    is_deeply([ pages(4, undef, category => 'todo') ],
        [ grep { $_->{category} eq 'todo' } @all ], 'with a filter');
    my $answer = $server->get('/projects/WEB/tickets', token => $ada,
        query => { limit => 10, type => [ 'Bug', 'Task' ] });
    my ($next) = ($answer->header('Link') // '') =~ /<([^>]+)>; rel="next"/;
    ok($next, 'Link leads to the next one') or return;
    $next =~ s{^https?://[^/]+}{root:};
    my $page = $server->must(200, $server->get($next, token => $ada));
    is_deeply([ @{ $answer->json->{items} }, @{ $page->{items} } ],
        [ grep { $_->{type} =~ /Bug|Task/ } @all ], 'with the same filter');
};

subtest 'while others make and delete' => sub {
    my (@made, %gone);
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my $fine = eval {
            for (1 .. 20) {
                my $new = $server->ticket($bob, 'WEB', title => "New $_");
                $server->delete("/tickets/$new->{id}", token => $ada)
                    if $_ % 2;
            }
            1;
        };
        POSIX::_exit(!$fine);
    }
    my @seen = pages(2, sub {
        push @made, $server->ticket($ada, 'WEB', title => 'Between')->{id};
        if (@made == 3) {
            my $key = $all[-1]{key};
            $gone{$key} = $server->delete("/tickets/$key", token => $ada);
        }
    });
    waitpid $pid, 0;
    is($?, 0, 'the other one did all of it');
    my %times;
    $times{ $_->{key} }++ for @seen;
    is(scalar(grep { $_ > 1 } values %times), 0, 'none is seen twice');
    is_deeply([ map { $_->{key} } grep { !$times{ $_->{key} } } @all ],
        [ keys %gone ], 'none is skipped but the one deleted ahead');
    is(scalar(grep { my $id = $_; grep { $_->{id} eq $id } @seen } @made), 0,
        'what is made behind the cursor is not seen');
    pop @all;
};

subtest 'a cursor belongs to its query' => sub {
    my $cursor = list(limit => 5, type => 'Bug')->{next_cursor};
    my @foreign = (
        [ $ada, '/projects/WEB/tickets', {} ],
        [ $ada, '/projects/WEB/tickets', { type => 'Task' } ],
        [ $ada, '/projects/WEB/tickets', { type => 'Bug', status => 'Done' } ],
        [ $bob, '/projects/WEB/tickets', { type => 'Bug' } ],
        [ $ada, '/projects', {} ]);
    for my $place (@foreign) {
        my ($by, $path, $query) = @$place;
        is_problem($server->get($path, token => $by,
            query => { %$query, cursor => $cursor }), 422,
            'validation_failed', errors => { cursor => undef });
    }
    status_is($server->get('/projects/WEB/tickets', token => $ada,
        query => { type => 'bug', cursor => $cursor, limit => 1 }), 200,
        'another size of page is the same query');
};

# ---- what others see --------------------------------------------------------

subtest 'who may' => sub {
    is_problem($server->get('/projects/WEB/tickets', token => $stranger), 404,
        'not_found');
    is_problem($server->get("/projects/$web->{id}/tickets",
        token => $stranger), 404, 'not_found');
    is_problem($server->get('/projects/WEB/tickets'), 401, 'unauthorized');
    my $hid = $server->project($ada, org_id => $org->{id}, key => 'HID');
    is_problem($server->get("/projects/$_/tickets", token => $bob), 404,
        'not_found') for 'HID', $hid->{id};
    is_deeply($server->must(200, $server->get('/projects/HID/tickets',
        token => $ada)), { items => [], next_cursor => undef,
        has_more => json_false }, 'an empty one');
    is_problem($server->get('/projects/HID/tickets', token => $ada,
        query => { type => 'Bug', cursor => 'x' x 44 }), 422,
        'validation_failed');
    status_is($server->delete('/projects/HID', token => $ada), 204);
    is_problem($server->get("/projects/$_/tickets", token => $ada), 404,
        'not_found') for 'HID', $hid->{id};
};

# ---- plans ------------------------------------------------------------------

# The statements as the server sends them, behind the fence, on one of ten
# projects of 4,000 tickets.
subtest 'plans' => sub {
    my $admin = $server->dbh('admin');
    my @projects = ($web->{id}, map { $server->project($ada,
        org_id => $org->{id}, key => "BULK$_")->{id} } 1 .. 9);
    $admin->begin_work;
    $admin->do('SET LOCAL session_replication_role = replica');  # no log
    $admin->do(q{INSERT INTO alloy.ticket (org_id, id, project_id,
        ticket_number, workflow_id, title, status, reporter_id, created_at)
        SELECT p.org_id, alloy.new_id(p.org_id), p.id, 100000 + i,
        p.workflow_id, 'Bulk ' || i, 'Done', p.created_by,
        now() - i * interval '1 minute'
        FROM alloy.project p, generate_series(1, 4000) i
        WHERE p.id = ANY (?)}, undef, \@projects);
    $admin->commit;
    $admin->do('ANALYZE alloy.ticket');
    my ($id, $at) = $admin->selectrow_array(q{SELECT id, created_at
        FROM alloy.ticket WHERE project_id = ? AND ticket_number = 102000},
        undef, $web->{id});
    my %value = (org => $org->{id}, project => $web->{id}, ticket => $id,
        after_at => $at, after_id => $id, limit => 51);
    for my $case ([ 'ticket_list_all', 'generic', 'ticket_project_newest' ],
        [ 'ticket_list', 'custom', 'ticket_project_newest',
            status => '{done}' ],
        [ 'ticket_get', 'generic', 'ticket_pkey' ]) {
        my ($name, $mode, $index, %more) = @$case;
        my $plan = plan_of($name, $mode, { %value, %more });
        like($plan, qr/using $index/, "$name reads by $index");
        unlike($plan, qr/Sort Key/, 'without a sort');
        like($plan, qr/Index Cond: .*created_at, id\) </, 'from the cursor on')
            if $name =~ /list/;
    }
};

# Needs the statement's text, which the build made from the .sql file.
sub plan_of {
    my ($name, $mode, $value) = @_;
    my ($text, @names) = statement($name);
    my $app = $server->dbh('app');
    $app->do("PREPARE plan_$name AS $text");
    $app->begin_work;
    my %is = (me => $ada->{user_id}, orgs => "{$org->{id}}",
        all => "{$org->{id}}", projects => '');
    $app->do(q{SELECT set_config('alloy.' || ?, ?, true)}, undef, $_, $is{$_})
        for sort keys %is;
    $app->do("SET LOCAL plan_cache_mode = force_${mode}_plan");
    my $plan = join "\n", @{ $app->selectcol_arrayref(
        "EXPLAIN EXECUTE plan_$name ("
        . join(', ', map { defined $value->{$_} ? $app->quote($value->{$_})
            : 'NULL' } @names) . ')') };
    $app->rollback;
    return $plan;
}

sub statement {
    my ($name) = @_;
    open my $in, '-|', qw(awk -v output=c -f sql/embed.awk
        sql/queries/ticket.sql) or die "awk: $!";
    local $/;
    my ($row) = readline($in) =~ /sql_$name = \{(.*?)\n\};/s
        or die "no statement $name\n";
    my ($names) = $row =~ /\.params = \(.*?\)\{(.*?)NULL/s;
    my ($text) = $row =~ /\.text =\s*(.*)/s;
    $text = join '', map { s/\\n/\n/gr =~ s/\\(["\\])/$1/gr }
        $text =~ /"((?:[^"\\]|\\.)*)"/g;
    return $text, $names =~ /"([^"]+)"/g;
}

done_testing;
