# Searching tickets: by words, by key, by filters, in all organizations; who
# finds what, how fresh it is, what plans do; and lists in other orders.
use strict;
use warnings;
use utf8;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Statements;
use POSIX ();
use Test::More;

my $BULK = 20_000;

my $server = AlloyTest->start(children => 2);
my $ada = $server->register(name => 'Ada Owner');
my $eve = $server->register(name => 'Eve Elsewhere');
my $org = $server->org($ada, name => 'Acme', slug => 'acme');
my $foreign = $server->org($eve, name => 'Other', slug => 'other');
my $bob = $server->member(org => $org->{id}, by => $ada, role => 'Member',
    name => 'Bob');
my $web = $server->project($ada, org_id => $org->{id}, key => 'WEB',
    name => 'Website');
my $hid = $server->project($ada, org_id => $org->{id}, key => 'HID',
    name => 'Hidden');
$server->project($eve, org_id => $foreign->{id}, key => 'WEB',
    name => 'Website');
$server->must(201, $server->post('/projects/WEB/members',
    { user_id => $bob->{user_id} }, token => $ada));

sub search {
    my ($by, %query) = @_;
    return $server->must(200, $server->get('/tickets', token => $by,
        query => \%query))->{items};
}

sub keys_of { return join ' ', map { $_->{key} } @_ }

# "WEB-1 WEB-2", as found by Ada unless it is said who.
sub finds {
    my ($q, $keys, $name, %query) = @_;
    my $by = delete $query{by} || $ada;
    is(keys_of(@{ search($by, q => $q, %query) }), $keys, $name // $q);
    return;
}

# ---- words ------------------------------------------------------------------

my @made = map { $server->ticket($ada, 'WEB', %$_) } (
    { title => 'Pagination is failing', description => 'The list of invoices '
        . 'stops after a timeout.' },
    { title => 'Timeouts while paginating reports', type => 'Bug',
        priority => 'High', assignee_id => $bob->{user_id} },
    { title => 'Überweisungen prüfen', description => 'see WEB-1' },
    { title => 'To do', status => 'Done' });
my $secret = $server->ticket($ada, 'HID', title => 'Secret timeout');
my $hers = $server->ticket($eve, 'WEB', title => 'Timeout of pagination');

subtest 'words' => sub {
    finds('pagination', 'WEB-2 WEB-1', 'stems: pagination, paginating');
    finds('fails', 'WEB-1', 'stems: fails, failing');
    finds('FAILED invoice', 'WEB-1', 'all of them, of title and description');
    finds('invoice reports', '', 'all of them, not one');
    finds('invoice or reports', 'WEB-2 WEB-1', 'or');
    finds('timeout -invoices', 'HID-1 WEB-2', 'without');
    finds('"list of invoices"', 'WEB-1', 'a phrase');
    finds('"invoices of list"', '', 'in this order');
    finds('"timeouts while paginating"', 'WEB-2', 'which may have stop words');
    finds('pagin', 'WEB-2 WEB-1', 'the beginning of a word');
    finds('invoice pagina', 'WEB-1', 'of the last one');
    finds("pagina$_", 'WEB-2 WEB-1', "pagina$_") for qw(t ti tio te);
    finds($_, 'WEB-2', $_) for qw(repo report);
    finds("stop$_", 'WEB-1', "stop$_") for qw(p pi ping);
    finds($_, '', $_) for qw(pagination2 reposit stopa timet fain);
    finds('invoi pagination', '', 'not of another');
    finds('rep', 'WEB-2', 'three letters');
    finds('überw', 'WEB-3', 'beyond ASCII');
    finds('PRÜFEN', 'WEB-3', 'in any case');
    finds('to do', 'WEB-4', 'stop words alone are words');
    finds('nothing', '');
};

subtest 'keys' => sub {
    finds('WEB-1', 'WEB-1 WEB-3', 'the ticket itself, then who mentions it');
    finds(' web-1 ', 'WEB-1 WEB-3', 'in any case');
    finds('WEB-2', 'WEB-2');
    finds('WEB-99', '', 'none');
    finds('WEB-0', '', 'none has 0');
    finds('WEB-999999999999999999', '', 'nor so many');
    finds('HID-1', '', 'not what he does not see', by => $bob);
    my $page = $server->must(200, $server->get('/tickets', token => $ada,
        query => { q => 'WEB-1', limit => 1 }));
    is(keys_of(@{ $page->{items} }), 'WEB-1', 'the first page');
    is(keys_of(@{ search($ada, q => 'WEB-1', limit => 1,
        cursor => $page->{next_cursor}) }), 'WEB-3', 'the second');
};

subtest 'who finds what' => sub {
    finds('timeout', 'HID-1 WEB-2 WEB-1', 'an Owner all of hers');
    finds('timeout', 'WEB-2 WEB-1', 'a member what he sees', by => $bob);
    is_deeply([ map { $_->{id} } @{ search($eve, q => 'timeout') } ],
        [ $hers->{id} ], 'another organization its own');
    is_deeply(search($bob, q => 'secret'), [], 'a hidden one is not there');
    $server->must(200, $server->patch("/tickets/$secret->{id}",
        { assignee_id => 'Bob' }, token => $ada));
    is(keys_of(@{ search($bob, assignee_id => 'me') }), 'WEB-2',
        'nor among his own');
    is(keys_of(@{ search($ada, assignee_id => 'Bob') }), 'HID-1 WEB-2',
        'where others see it');
    $server->must(200, $server->patch("/tickets/$secret->{id}",
        { assignee_id => undef }, token => $ada));
    is_deeply([ map { $_->{key} } @{ search($bob) } ],
        [qw(WEB-4 WEB-3 WEB-2 WEB-1)], 'nor without words');
    my $key = $server->must(201, $server->post('/auth/api-keys',
        { name => 'only HID', org_id => $org->{id}, scopes => ['*'],
            project_ids => [ $hid->{id} ] }, token => $ada))->{key};
    finds('timeout', 'HID-1', 'a key what it is for', by => $key);
    is(keys_of(@{ search($key) }), 'HID-1', 'also without words');
    is_problem($server->get('/tickets', token => $key,
        query => { project => 'WEB' }), 422, 'validation_failed',
        errors => ['project']);
    is_problem($server->get('/tickets'), 401, 'unauthorized');
    is_problem($server->get('/tickets', token => $ada,
        query => { org_id => 'other' }), 422, 'validation_failed',
        errors => ['org_id']);
};

subtest 'filters' => sub {
    my %case = (
        'project' => [ { project => 'HID' }, 'HID-1' ],
        'two projects' => [ { project => [qw(HID WEB)], category => 'done' },
            'WEB-4' ],
        'status' => [ { status => 'done' }, 'WEB-4' ],
        'category' => [ { category => [qw(todo done)], q => 'to do' },
            'WEB-4' ],
        'type' => [ { type => 'bug' }, 'WEB-2' ],
        'priority' => [ { priority => [qw(High Low)] }, 'WEB-2' ],
        'assignee' => [ { assignee_id => 'Bob' }, 'WEB-2' ],
        'nobody\'s' => [ { assignee_id => 'none', q => 'timeout' },
            'HID-1 WEB-1' ],
        'reporter' => [ { reporter_id => $bob->{user_id} }, '' ],
        'organization' => [ { org_id => 'acme', q => 'pagination' },
            'WEB-2 WEB-1' ],
        'words and project' => [ { q => 'timeout', project => 'WEB' },
            'WEB-2 WEB-1' ],
        'created' => [ { created_after => $made[1]{created_at},
            created_before => $secret->{created_at} }, 'WEB-4 WEB-3' ],
        'words and created' => [ { q => 'timeout',
            created_after => $made[1]{created_at} }, 'HID-1' ],
        'updated' => [ { updated_before => $made[1]{updated_at} }, 'WEB-1' ],
        'key and filter' => [ { q => 'WEB-1', type => 'Bug' }, '' ],
        'parent' => [ { parent => 'WEB-1' }, '' ],
        'no part' => [ { parent => 'none', q => 'timeout' },
            'HID-1 WEB-2 WEB-1' ],
        'any priority or none\'s' => [ { priority => 'high',
            assignee_id => [qw(none Bob)], project => 'WEB' }, 'WEB-2' ],
        'the caller\'s' => [ { assignee_id => 'me' }, '' ],
        'two statuses' => [ { status => [qw(DONE InReview)] }, 'WEB-4' ],
    );
    is(keys_of(@{ search($ada, %{ $case{$_}[0] }) }), $case{$_}[1], $_)
        for sort keys %case;
    $server->dbh('admin')->do(
        'UPDATE alloy.ticket SET parent_id = ? WHERE id = ?', undef,
        $made[0]{id}, $made[2]{id});
    is(keys_of(@{ search($ada, parent => 'WEB-1') }), 'WEB-3', 'a part');
    is_problem($server->get('/tickets', token => $ada, query => $_), 422,
        'validation_failed', errors => [ keys %$_ ],
        name => 'refused: ' . join ' ', %$_)
        for { q => '' }, { q => 'x' x 501 }, { project => 'NOPE' },
            { parent => 'WEB-77' }, { category => 'open' }, { query => 'x' },
            { sort => 'title' }, { sort => 'relevance' };
};

# What a ticket carries, is planned for and is due on.
subtest 'filters by what is beside a ticket' => sub {
    my @at = map { "/tickets/$_->{id}" } @made;
    $server->must(201, $server->post("/orgs/acme/labels", { name => $_ },
        token => $ada)) for qw(urgent later);
    my %sprint = map { my ($name, $key) = @$_;
        $name => $server->must(201, $server->post("/projects/$key/sprints",
            { name => $name, start_date => '2026-01-05',
                end_date => '2026-01-16' }, token => $ada))->{id} }
        [ 'Sprint 1' => 'WEB' ], [ 'Sprint 2' => 'WEB' ], [ Solo => 'HID' ];
    $server->must(200, $server->post("/sprints/$sprint{$_}/start", {},
        token => $ada)) for 'Sprint 1', 'Solo';
    my @change = ({ labels => ['urgent'], sprint_id => $sprint{'Sprint 1'},
            due_date => '2026-02-01' },
        { labels => [qw(urgent later)], sprint_id => $sprint{'Sprint 2'},
            due_date => '2026-02-28' }, { labels => ['later'] });
    $server->must(200, $server->patch($at[$_], $change[$_], token => $ada))
        for 0 .. $#change;
    $server->must(200, $server->patch("/tickets/$secret->{id}",
        { sprint_id => $sprint{Solo} }, token => $ada));
    $server->must(200, $server->put("/orgs/acme/ticket/WEB-2/tags",
        { tags => [ { key => 'area', value => 'api' }, { key => 'hot' } ] },
        token => $ada));
    my %case = (
        'label' => [ { label => 'urgent' }, 'WEB-2 WEB-1' ],
        'one of two labels' => [ { label => [qw(urgent later)] },
            'WEB-3 WEB-2 WEB-1' ],
        'no label' => [ { label => 'none', project => 'WEB' }, 'WEB-4' ],
        'a label or none' => [ { label => [qw(none later)], project => 'WEB' },
            'WEB-4 WEB-3 WEB-2' ],
        'tag' => [ { tag => 'area' }, 'WEB-2' ],
        'tag with its value' => [ { tag => 'area:api' }, 'WEB-2' ],
        'tag with another' => [ { tag => 'area:web' }, '' ],
        'one of two tags' => [ { tag => [qw(none-such hot)] }, 'WEB-2' ],
        'sprint by name' => [ { sprint => 'Sprint 1', project => 'WEB' },
            'WEB-1' ],
        'sprint by number' => [ { sprint => '2', project => 'WEB' }, 'WEB-2' ],
        'sprint by a name that only one has' => [ { sprint => 'Solo' },
            'HID-1' ],
        'sprint by id' => [ { sprint => $sprint{'Sprint 2'} }, 'WEB-2' ],
        'no sprint' => [ { sprint => 'none' }, 'WEB-4 WEB-3' ],
        'active and words' => [ { sprint => 'active', q => 'timeout' },
            'HID-1 WEB-1' ],
        'due' => [ { due_after => '2026-02-01' }, 'WEB-2' ],
        'due before' => [ { due_before => '2026-02-28' }, 'WEB-1' ],
        'words and label' => [ { q => 'timeouts', label => 'later' },
            'WEB-2' ],
    );
    is(keys_of(@{ search($ada, %{ $case{$_}[0] }) }), $case{$_}[1], $_)
        for sort keys %case;
    is(keys_of(@{ search($ada, sprint => 'active') }), 'HID-1 WEB-1',
        'active: in every project');
    is(keys_of(@{ search($bob, sprint => 'active') }), 'WEB-1',
        'and no other than one sees');
    my $list = sub { keys_of(@{ $server->must(200, $server->get(
        '/projects/WEB/tickets', token => $ada, query => {@_}))->{items} }) };
    for my $name (sort keys %case) {
        my ($query, $keys) = @{ $case{$name} };
        my %query = %$query;
        next if ($query{sprint} // '') =~ /Solo/;
        delete $query{project};
        is($list->(%query), join(' ', grep { /^WEB/ } split / /, $keys),
            "a project's: $name");
    }
    is($list->(q => 'WEB-1'), 'WEB-1 WEB-3', 'by key');
    is($list->(q => 'HID-1'), '', 'not another project\'s');
    is($list->(q => 'timeout', sort => 'relevance'), 'WEB-2 WEB-1',
        'best first');
    is_problem($server->get('/tickets', token => $ada, query => $_), 422,
        'validation_failed', errors => [ keys %$_ ],
        name => 'refused: ' . join ' ', %$_)
        for { sprint => 'Sprint 9' }, { label => 'nope' },
            { due_after => 'soon' }, { tag => '' };
    $server->must(200, $server->patch($at[$_], { labels => [],
        sprint_id => undef, due_date => undef }, token => $ada)) for 0 .. 2;
};

subtest 'what is shown' => sub {
    my $page = $server->must(200, $server->get('/tickets', token => $ada,
        query => { q => 'pagination', fields => 'key,title',
            include_total => 'true' }));
    is_deeply($page->{items}, [ map { { key => "WEB-$_",
        title => $made[ $_ - 1 ]{title} } } 2, 1 ], 'the fields asked for');
    is($page->{total}, 2, 'and how many there are');
    my ($whole) = @{ search($ada, q => 'WEB-2') };
    is_deeply($whole, $server->must(200, $server->get('/tickets/WEB-2',
        token => $ada)), 'else the whole ticket');
    is($server->must(200, $server->get('/tickets', token => $bob,
        query => { include_total => 'true', limit => 1 }))->{total}, 4,
        'counted as far as one sees');
};

# ---- freshness --------------------------------------------------------------

subtest 'at once' => sub {
    my $ticket = $server->ticket($ada, 'WEB', title => 'Zebra',
        comment => 'Walrus');
    my $at = "/tickets/$ticket->{id}";
    finds('zebra walrus', 'WEB-5', 'made with a comment');
    $server->must(200, $server->patch($at, { title => 'Giraffe',
        description => 'long neck' }, token => $ada));
    finds('zebra', '', 'an old title');
    finds('giraffe necks walrus', 'WEB-5', 'the new one, all parts of it');
    my $said = $server->must(201, $server->post("$at/comments",
        { body => 'Look at the okapi' }, token => $ada));
    finds('giraffe okapi', 'WEB-5', 'a comment');
    $server->must(200, $server->patch("/comments/$said->{id}",
        { body => 'Look at the tapir' }, token => $ada));
    finds('okapi', '', 'not as it was');
    finds('tapir giraffe', 'WEB-5', 'as it is');
    status_is($server->delete("/comments/$said->{id}", token => $ada), 204);
    finds('tapir', '', 'deleted');
    finds('walrus', 'WEB-5', 'the other is left');
    $server->must(200, $server->patch($at, { description => undef },
        token => $ada));
    finds('neck', '', 'a description that is cleared');
    status_is($server->delete($at, token => $ada), 204);
    finds('giraffe', '', 'a deleted ticket');
    is_deeply($server->rows('SELECT part FROM alloy.ticket_text
        WHERE ticket_id = ?', $ticket->{id}), [], 'nothing of it is kept');
    $server->dbh('admin')->do('UPDATE alloy.ticket SET deleted_at = NULL
        WHERE id = ?', undef, $ticket->{id});
    finds('giraffe walrus', 'WEB-5', 'one that is brought back');
    my $project = $server->project($ada, org_id => $org->{id}, key => 'TMP');
    $server->ticket($ada, 'TMP', title => 'Ibex', assignee_id => 'me');
    finds('ibex', 'TMP-1');
    status_is($server->delete('/projects/TMP', token => $ada), 204);
    finds('ibex', '', 'with its project');
    is(scalar(grep { $_->{key} eq 'TMP-1' } @{ search($ada) }), 0,
        'nor without words');
    is_deeply(search($ada, assignee_id => 'me'), [], 'nor among her own');
    finds('TMP-1', '', 'nor by key');
};

subtest 'two at once' => sub {
    my $ticket = $server->ticket($ada, 'WEB', title => 'Heron');
    my $one = $server->new_dbh('admin');
    my $say = sub {
        my ($dbh, $body) = @_;
        $dbh->do('INSERT INTO alloy.comment (org_id, id, project_id, ticket_id,
            author_id, body) VALUES (?, alloy.new_id(?), ?, ?, ?, ?)', undef,
            $org->{id}, $org->{id}, $web->{id}, $ticket->{id}, $ada->{user_id},
            $body);
    };
    $say->($one, 'first stork');
    $one->begin_work;
    $say->($one, 'second crane');
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $one->{InactiveDestroy} = 1;
        my $dbh = $server->new_dbh('admin');
        my $done = eval {
            $dbh->do('SET application_name = waiter');
            $dbh->do(q{UPDATE alloy.comment SET body = 'first ibis'
                WHERE ticket_id = ? AND body = 'first stork'}, undef,
                $ticket->{id});
            1;
        };
        $dbh->disconnect;
        POSIX::_exit(!$done);
    }
    wait_for { $server->rows(q{SELECT 1 FROM pg_stat_activity
        WHERE application_name = 'waiter' AND wait_event_type = 'Lock'})->[0] }
        'the change waits for the comment';
    $one->commit;
    waitpid $pid, 0;
    is($?, 0, 'it was made');
    finds('heron ibis crane', $ticket->{key}, 'both are found');
    finds('stork', '', 'the former text is not');
};

# ---- input ------------------------------------------------------------------

subtest 'whatever is typed' => sub {
    my @typed = ("'", '"', '\\', '%', '_', ':*', '!', '!!', '&', '|', '()',
        '((', '<->', "' OR 1=1 --", "'; DROP TABLE alloy.ticket; --",
        '"unfinished phrase', '-', '--', '-"', '-timeout', 'or', 'or or',
        'or timeout', 'timeout or', "a'b\\c", "\\'", '$$', '$1', ':q', '${x}',
        '{}', '<b>', 'a:b:*&!c', "pagin':*", '* * *', '"" "" ""', 'not',
        "\x{0130}\x{1f680}", "e\x{301}", '٣', '中文字', 'x' x 500,
        "\x{1f680}" x 500, '- ' x 250, '"' x 499, '(' x 500, 'WEB-', '-1',
        'WEB-5-6', 'http://x.y/z?a=b', 'a@b.c', '1.5e10', 'WEB-00001',
        'pagination:', '"pagination', 'timeout timeout timeout');
    binmode $_, ':encoding(UTF-8)' for map { Test::More->builder->$_ }
        qw(output failure_output);
    for my $q (@typed) {
        my $answer = $server->get('/tickets', token => $bob,
            query => { q => $q });
        ok($answer->status == 200 || $answer->status == 422
            && $q =~ /^\s*$/, "200: $q")
            or diag($answer->body);
        is(scalar(grep { $_->{key} =~ /^HID/ } @{ $answer->json->{items} }),
            0, 'nothing hidden') if $answer->status == 200;
    }
    finds('timeout -', 'HID-1 WEB-2 WEB-1', 'a minus alone');
    finds('"timeout', 'HID-1 WEB-2 WEB-1', 'a phrase without end');
};

# Words of every length whose two forms differ: the most a text can make.
subtest 'long texts' => sub {
    my @letters = ('a' .. 'z');
    my $number = 0;
    my $word = sub {
        my $n = $number++;
        return join '', map { my $l = $letters[ $n % 26 ];
            $n = int($n / 26); $l } 1 .. 3;
    };
    my $text = sub {
        my ($size, $text) = ($_[0], '');
        $text .= $word->() . 's-' . $word->() . "s\n"
            while length($text) < $size - 10;
        return $text;
    };
    my $ticket = $server->ticket($ada, 'WEB', title => 'Longest',
        description => $text->(65_536));
    my $say = sub { $server->must(201, $server->post(
        "/tickets/$ticket->{id}/comments", { body => $_[0] },
        token => $ada)) };
    my @said = map { $say->($text->($_) . ' porcupine' . $_) }
        30_000, 30_001, 65_500, 65_501, 10;
    finds("porcupine$_ ", $ticket->{key}, "porcupine$_")
        for 30_000, 30_001, 65_500, 65_501, 10;
    $server->must(200, $server->patch("/comments/$said[0]{id}",
        { body => 'short capybara' }, token => $ada));
    finds("porcupine$_ ", $ticket->{key}, "porcupine$_, read anew")
        for 30_001, 65_500, 65_501, 10;
    finds('longest capybara', $ticket->{key}, 'beside the title');
    status_is($server->delete("/comments/$_->{id}", token => $ada), 204)
        for @said;
    is_deeply([ map { $_->{part} } @{ $server->rows('SELECT part
        FROM alloy.ticket_text WHERE ticket_id = ?', $ticket->{id}) } ], [0],
        'no part is left over');
};

# ---- many -------------------------------------------------------------------

# Alternately of both tenants' WEB, every tenth in HID; one in a hundred is rare.
sub fill {
    my $admin = $server->dbh('admin');
    $admin->do(q{INSERT INTO alloy.ticket (org_id, id, project_id,
        ticket_number, workflow_id, title, status, reporter_id, created_at,
        updated_at)
        SELECT p.org_id, alloy.new_id(p.org_id), p.id, 1000 + i, p.workflow_id,
        'Bulk common ' || i || CASE WHEN i % 100 = 0 THEN ' rarely' ELSE '' END,
        'Done', p.created_by, now() - interval '1 day' - i * interval '1 minute',
        now() - interval '2 days' + i * interval '1 second'
        FROM generate_series(1, ?) i
        JOIN alloy.project p ON p.deleted_at IS NULL AND CASE WHEN i % 10 = 0
            AND i % 20 > 0 THEN p.key = 'HID'
            WHEN i % 2 = 0 THEN p.key = 'WEB' AND p.org_id = ?
            ELSE p.key = 'WEB' AND p.org_id = ? END}, undef, $BULK,
        $foreign->{id}, $org->{id});
    $admin->do('VACUUM ANALYZE alloy.ticket');
    $admin->do('VACUUM ANALYZE alloy.ticket_text');
    return;
}

sub pages {
    my ($path, %query) = @_;
    my (@items, $cursor);
    do {
        my $page = $server->must(200, $server->get($path, token => $ada,
            query => { limit => 50, %query,
                $cursor ? (cursor => $cursor) : () }));
        push @items, @{ $page->{items} };
        $cursor = $page->{next_cursor};
    } while $cursor;
    return @items;
}

sub is_sorted {
    my ($name, $count, $sort, @items) = @_;
    my ($down, $key) = $sort =~ /^(-?)(\w+)$/;
    my @at = map { "$_->{$key} $_->{id}" } @items;
    my @sorted = sort @at;
    @sorted = reverse @sorted if $down;
    is_deeply(\@at, \@sorted, "$name in order of $sort");
    my %seen;
    is(scalar(grep { !$seen{ $_->{id} }++ } @items), $count,
        "$name: each once");
    return;
}

subtest 'pages of many' => sub {
    fill();
    my ($rare) = map { $_->{n} } @{ $server->rows(q{SELECT count(*) AS n
        FROM alloy.ticket WHERE org_id = ? AND title LIKE '%rarely'},
        $org->{id}) };
    is($rare, 0, 'the rare ones are the other tenant\'s');
    is_deeply(search($ada, q => 'rarely'), [], 'who alone finds them');
    is(scalar @{ search($eve, q => 'rare', limit => 200) }, $BULK / 100,
        'all of them, by a beginning');
    my $common = $server->must(200, $server->get('/tickets', token => $ada,
        query => { q => 'common', limit => 1, include_total => 'true' }));
    is_deeply([ @$common{qw(total total_is)} ], [ 10_000, 'at_least' ],
        'counted');
    is($server->must(200, $server->get('/tickets', token => $eve,
        query => { q => 'rarely', include_total => 'true' }))->{total},
        $BULK / 100, 'counted with words, not without');
    my $some = 'common 119';        # 119, 119x, 119xx
    my @found = pages('/tickets', q => $some);
    is_sorted('words', scalar @found, '-created_at', @found);
    cmp_ok(scalar @found, '>', 50, 'more than a page');
    for my $sort (qw(created_at -created_at updated_at -updated_at)) {
        is_sorted('words', scalar @found, $sort,
            pages('/tickets', q => $some, sort => $sort));
        is_sorted('a project', 1000, $sort,
            (pages('/projects/HID/tickets', sort => $sort,
                limit => 200))[ 0 .. 999 ]);
        is_sorted('all', 120, $sort, (pages_of('/tickets', 4, limit => 30,
            sort => $sort)));
        is_sorted('filtered', 120, $sort, (pages_of('/tickets', 4, limit => 30,
            sort => $sort, status => 'done')));
    }
    is(scalar(pages('/projects/HID/tickets', sort => 'updated_at',
        limit => 200)), 1001, 'as many as there are');
};

# The first COUNT pages.
sub pages_of {
    my ($path, $count, %query) = @_;
    my (@items, $cursor);
    for (1 .. $count) {
        my $page = $server->must(200, $server->get($path, token => $ada,
            query => { %query, $cursor ? (cursor => $cursor) : () }));
        push @items, @{ $page->{items} };
        $cursor = $page->{next_cursor};
    }
    return @items;
}

subtest 'relevance' => sub {
    my @tickets = map { $server->ticket($ada, 'WEB', %$_) }
        { title => 'Platypus' }, { title => 'x', description => 'platypus' },
        { title => 'y', comment => 'platypus' };
    my @keys = map { $_->{key} } @tickets;
    finds('platypus', join(' ', reverse @keys), 'newest first');
    finds('platypus', join(' ', @keys), 'best first', sort => 'relevance');
    is(keys_of(pages('/tickets', q => 'platypus', sort => 'relevance',
        limit => 1)), join(' ', @keys), 'page by page');
    my $cursor = $server->must(200, $server->get('/tickets', token => $ada,
        query => { q => 'platypus', limit => 1 }))->{next_cursor};
    is_problem($server->get('/tickets', token => $ada, query => { limit => 1,
        cursor => $cursor, %$_ }), 422, 'validation_failed',
        errors => ['cursor'])
        for { q => 'platypu' }, {}, { q => 'platypus', sort => 'relevance' },
            { q => 'platypus', sort => 'created_at' };
};

# ---- plans ------------------------------------------------------------------

# The lines of a plan, as Bob, or as the owner of everything.
sub plan_as {
    my ($dbh, $sql, @values) = @_;
    $sql =~ s/\?/$dbh->quote(shift @values)/ge;
    my %is = (me => $bob->{user_id}, orgs => "{$org->{id}}", all => '',
        projects => "{$web->{id}}");
    $dbh->begin_work;
    $dbh->do(q{SELECT set_config('alloy.' || ?, ?, true)}, undef, $_, $is{$_})
        for sort keys %is;
    my $lines = $dbh->selectcol_arrayref($sql);
    $dbh->rollback;
    return join "\n", @$lines;
}

subtest 'plans' => sub {
    my $admin = $server->dbh('admin');
    my $body = $admin->selectrow_array(q{SELECT prosrc FROM pg_proc
        WHERE proname = 'search_tickets'});
    $body =~ s/\bx\.org_id = org\b/x.org_id = '$org->{id}'/;
    $body =~ s/\borg = ANY/'$org->{id}'::uuid = ANY/g;
    $body =~ s/\bquery\b/alloy.search_query('common 1111')/g;
    $body =~ s/\branked\b/false/g;
    my $definer = $server->new_dbh('admin');
    $definer->do('SET ROLE alloy_definer');
    $definer->do(q{SET search_path = pg_catalog});
    my $ours = 'EXECUTE ON FUNCTION alloy.search_query(text), '
        . 'alloy.search_beginning(text)';
    $admin->do("GRANT $ours TO alloy_definer");
    my $plan = plan_as($definer, "EXPLAIN $body");
    $admin->do("REVOKE $ours FROM alloy_definer");
    like($plan, qr/Bitmap Index Scan on ticket_text_document/,
        'words are found by the index');
    like($plan, qr/Index Cond: .*org_id = .*document @@/,
        'of one organization');
    my ($statement) = grep { $_->{name} eq 'ticket_search_words' }
        AlloyTest::Statements->all;
    my %value = (orgs => "{$org->{id}}", q => 'common 1111', limit => 51);
    my $app = $server->new_dbh('app');
    $app->do("PREPARE words AS $statement->{text}");
    $app->do('SET plan_cache_mode = force_generic_plan');
    my $with = 'EXECUTE words (' . join(', ', map { defined $value{$_}
        ? $app->quote($value{$_}) : 'NULL' } @{ $statement->{params} }) . ')';
    $plan = plan_as($app, "EXPLAIN $with");
    unlike($plan, qr/Seq Scan/, 'nothing is read from end to end');
    like($plan, qr/Index Scan using ticket_pkey/, 'tickets by their ids');
    $plan = plan_as($app, q{EXPLAIN SELECT x.ticket_id
          FROM alloy.ticket_text x
         WHERE x.org_id = ? AND x.document @@ alloy.search_query(?)},
        $org->{id}, 'common 1111');
    unlike($plan, qr/Index Cond: .*document @@/,
        'without the function the fence keeps words out of the index');
};

done_testing;
