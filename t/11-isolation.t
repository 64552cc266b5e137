# Isolation, history and versions by direct SQL as alloy_app: what the database
# does when no module stands before it. A new tenant table needs a row in
# @FIXTURE.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use AlloyTest;

my $server = AlloyTest->start;
my $admin  = $server->dbh('admin');

# Two organizations; the first has a project the caller sees and one he doesn't.
my %ID = (
    me      => '01900000-0000-7000-8000-0000000000a1',
    other   => '01900000-0000-7000-8000-0000000000a2',
    a       => '01900000-0000-7abc-8000-000000000001',
    b       => '01900000-0000-7def-8000-000000000002',
    nobody  => '01900000-0000-7fff-8000-000000000003',
    aflow   => '01900000-0000-7abc-8000-00000000000f',
    bflow   => '01900000-0000-7def-8000-00000000000f',
    seen    => '01900000-0000-7abc-8000-000000000011',
    hidden  => '01900000-0000-7abc-8000-000000000012',
    foreign => '01900000-0000-7def-8000-000000000013',
);

# Rows of every tenant table: [table, columns as SQL, scope]. {org} and so on
# are filled in for each place; scope "project" rows lie below a project.
my @FIXTURE = (
    ['organization', q{(org_id, name, slug) VALUES ('{org}', '{tag}', '{tag}')},
        'org'],
    ['membership', q{(org_id, user_id, role) VALUES ('{org}', '{me}', 'Owner')},
        'org'],
    ['invite', q{(org_id, id, email, role, created_by, expires_at) VALUES
        ('{org}', '{flow}', 'i@example.org', 'Member', '{me}',
         clock_timestamp())}, 'org'],
    ['workflow', q{(org_id, id, name, is_default) VALUES
        ('{org}', '{flow}', 'Default', true)}, 'org'],
    ['workflow_status', q{(org_id, workflow_id, name, category, position)
        VALUES ('{org}', '{flow}', 'Backlog', 'todo', 1)}, 'org'],
    ['workflow_transition', q{(org_id, workflow_id, from_status, to_status,
        position) VALUES ('{org}', '{flow}', 'Backlog', 'Backlog', 1)}, 'org'],
    ['project', q{(org_id, id, key, name, workflow_id, created_by) VALUES
        ('{org}', '{project}', '{key}', 'P', '{flow}', '{me}')}, 'project'],
    ['project_member', q{(org_id, project_id, user_id) VALUES
        ('{org}', '{project}', '{me}')}, 'project'],
    ['ticket', q{(org_id, id, project_id, ticket_number, workflow_id, title,
        status, reporter_id) VALUES ('{org}', '{ticket}', '{project}', 1,
        '{flow}', 'T', 'Backlog', '{me}')}, 'project'],
    ['sprint', q{(org_id, id, project_id, number, name) VALUES
        ('{org}', '{ticket}', '{project}', 1, 'S')}, 'project'],
    ['comment', q{(org_id, id, project_id, ticket_id, author_id, body) VALUES
        ('{org}', '{ticket}', '{project}', '{ticket}', '{me}', 'C')},
        'project'],
    ['label', q{(org_id, id, name, folded, color) VALUES
        ('{org}', '{flow}', 'L', 'l', '#FFFFFF')}, 'org'],
    ['team', q{(org_id, id, name, folded) VALUES
        ('{org}', '{flow}', 'T', 't')}, 'org'],
    ['team_member', q{(org_id, team_id, user_id) VALUES
        ('{org}', '{flow}', '{me}')}, 'org'],
    ['ticket_link', q{(org_id, id, project_id, source_id, target_id, type,
        created_by) VALUES ('{org}', '{ticket}', '{project}', '{ticket}',
        '{ticket}', 'relates', '{me}')}, 'project'],
    ['ticket_watcher', q{(org_id, project_id, ticket_id, user_id) VALUES
        ('{org}', '{project}', '{ticket}', '{me}')}, 'project'],
    ['tag', q{(org_id, id, entity_type, entity_id, project_id, key, value)
        VALUES ('{org}', '{ticket}', 'ticket', '{ticket}', '{project}', 'k',
        'v')}, 'project'],
    AlloyTest::Plugins::facts('fixture'),
);

sub strings {
    my ($dbh, $sql, @bind) = @_;
    return @{ $dbh->selectcol_arrayref($sql, undef, @bind) };
}

# Settings of a call, local to the transaction that $run runs in; rolled back
# unless $keep.
sub as_caller {
    my ($dbh, $settings, $run, $keep) = @_;
    $dbh->begin_work;
    my $answer = eval {
        $dbh->do(q{SELECT set_config('alloy.' || ?, ?, true)}, undef, $_,
            $settings->{$_}) for sort keys %$settings;
        $run->();
    };
    my $fault = $@ && 'SQLSTATE ' . $dbh->state . " $@";
    $keep && !$fault ? $dbh->commit : $dbh->rollback;
    die $fault if $fault;
    return $answer;
}

sub sqlstate_of {
    my ($dbh, $run) = @_;
    return '00000' if eval { $run->(); 1 };
    return $@ =~ /^SQLSTATE (\w{5})/ ? $1 : $dbh->state;
}

# The fixture is written the way the module writes: as alloy_app, with settings.
my $app = $server->dbh('app');

sub call_of { return { me => $ID{me}, orgs => "{$_[0]}", all => $_[1] // '',
        projects => $_[2] // '' } }

sub fill {
    my ($org, $flow, $project, $key, $only) = @_;
    my %fill = (org => $org, flow => $flow, project => $project, key => $key,
        tag => lc $key, me => $ID{me});
    ($fill{ticket} = $project) =~ s/..$/7/;
    $fill{ticket} .= substr $project, -1;
    as_caller($app, call_of($org, "{$org}"), sub {
        for my $row (grep { !$only || $_->[2] eq $only } @FIXTURE) {
            my $sql = $row->[1] =~ s/\{(\w+)\}/$fill{$1}/gr;
            $app->do("INSERT INTO alloy.$row->[0] $sql");
        }
    }, 'keep');
}

my @never = strings($app, "SELECT current_setting('alloy.orgs', true) IS NULL");
my $TABLES = $admin->selectall_arrayref(q{
    SELECT c.oid, 'alloy.' || c.relname AS name, c.relname
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = 'alloy'::regnamespace AND c.relkind = 'r'
       AND a.attname = 'org_id'
     ORDER BY 1}, { Slice => {} });
my %scope = ((map { $_->[0] => $_->[2] } @FIXTURE), change => 'both',
    sprint_scope => 'project',
    ticket_text => 'project');       # made from tickets

sub rows_of {
    my ($table) = @_;
    return (strings($app, "SELECT count(*) FROM $table->{name}"))[0];
}

subtest 'a session that never sent a setting sees nothing' => sub {
    ok($never[0], 'it is such a session');
    $admin->do(q{INSERT INTO identity.user (id, email, email_folded, display_name)
        VALUES (?, ?, ?, ?)}, undef, @$_) for
        [$ID{me}, 'me@example.org', 'me@example.org', 'Me'],
        [$ID{other}, 'other@example.org', 'other@example.org', 'Other'];
    my $bare = $server->new_dbh('app');
    fill($ID{a}, $ID{aflow}, $ID{seen}, 'SEEN');
    fill($ID{a}, $ID{aflow}, $ID{hidden}, 'HIDE', 'project');
    fill($ID{b}, $ID{bflow}, $ID{foreign}, 'FORE');
    for my $table (@$TABLES) {
        my ($count) = strings($bare, "SELECT count(*) FROM $table->{name}");
        is($count, 0, $table->{name});
    }
};

# What each caller must see of a table's rows, and may do to them.
sub check_case {
    my ($name, $settings, $expect) = @_;
    subtest $name => sub {
        for my $table (@$TABLES) {
            my $scope = $scope{ $table->{relname} };
            ok($scope, "$table->{name} has a row in the fixture") or next;
            my $count = as_caller($app, $settings, sub { rows_of($table) });
            $scope eq 'both'
                ? cmp_ok($count, $expect->{both} ? '>' : '==', 0, "$table->{name} rows")
                : is($count, $expect->{$scope}, "$table->{name} rows");
            check_update($table, $settings, $expect->{$scope});
            check_delete($table, $settings, $expect->{$scope});
            check_insert($table, $settings) if !$expect->{$scope};
        }
    };
}

sub check_update {
    my ($table, $settings, $expect) = @_;
    my ($column) = strings($admin, q{
        SELECT attname FROM pg_attribute WHERE attrelid = ? AND attnum > 0
           AND NOT attisdropped
           AND has_column_privilege('alloy_app', attrelid, attnum, 'UPDATE')
         LIMIT 1}, $table->{oid}) or return;
    my $count = as_caller($app, $settings, sub {
        $app->do("UPDATE $table->{name} SET $column = $column") });
    is($count + 0, $expect, "$table->{name} updates");
}

sub check_delete {
    my ($table, $settings, $expect) = @_;
    my ($may) = strings($admin,
        q{SELECT has_table_privilege('alloy_app', ?::oid, 'DELETE')}, $table->{oid});
    my $count;
    my $state = sqlstate_of($app, sub { as_caller($app, $settings,
        sub { $count = $app->do("DELETE FROM $table->{name}") + 0 }) });
    return is($state, '42501', "$table->{name} refuses to delete") if !$may;
    # Other rows may hold on to those it sees; that is no business of the fence.
    return is($state, '23503', "$table->{name} sees its rows") if !defined $count;
    is($count, $expect, "$table->{name} deletes");
}

# A row as it is, sent again: the fence speaks before the primary key does.
sub check_insert {
    my ($table, $settings) = @_;
    return if $table->{relname} =~ /^(?:change|sprint_scope)$/;
    my $row = $admin->selectrow_hashref(
        "SELECT * FROM $table->{name} WHERE org_id = ? LIMIT 1", undef, $ID{a});
    my @names = sort keys %$row;
    my $sql = sprintf 'INSERT INTO %s (%s) VALUES (%s)', $table->{name},
        join(', ', map { qq{"$_"} } @names), join ', ', ('?') x @names;
    my $state = sqlstate_of($app, sub { as_caller($app, $settings,
        sub { $app->do($sql, undef, @$row{@names}) }) });
    is($state, '42501', "$table->{name} refuses a row beyond the fence");
}

check_case('empty settings', { me => '', orgs => '', all => '', projects => '' },
    { org => 0, project => 0, both => 0 });
check_case('another organization', call_of($ID{nobody}, "{$ID{nobody}}"),
    { org => 0, project => 0, both => 0 });
check_case('an organization without its projects', call_of($ID{a}),
    { org => 1, project => 0, both => 1 });
check_case('projects without their organization',
    { me => $ID{me}, orgs => '', all => "{$ID{a}}", projects => "{$ID{seen}}" },
    { org => 0, project => 0, both => 0 });
check_case('one project', call_of($ID{a}, '', "{$ID{seen}}"),
    { org => 1, project => 1, both => 1 });
check_case('every project', call_of($ID{a}, "{$ID{a}}"),
    { org => 1, project => 2, both => 1 });
check_case('more projects than a setting holds', call_of($ID{a}, '', '*'),
    { org => 1, project => 2, both => 1 });
check_case('the star of somebody without projects',
    { %{ call_of($ID{a}, '', '*') }, me => $ID{other} },
    { org => 1, project => 0, both => 1 });

subtest 'history of a hidden project is hidden' => sub {
    my $hidden = sub { (strings($app, q{SELECT count(*) FROM change
        WHERE project_id = ?}, $ID{hidden}))[0] };
    is(as_caller($app, call_of($ID{a}, '', "{$ID{seen}}"), $hidden), 0, 'hidden');
    cmp_ok(as_caller($app, call_of($ID{a}, "{$ID{a}}"), $hidden), '>', 0, 'seen');
};

subtest 'names of colleagues' => sub {
    my $names = sub { [strings($app, 'SELECT display_name FROM person ORDER BY 1')] };
    is_deeply(as_caller($app, { me => $ID{other}, orgs => '' }, $names), ['Other'],
        'a stranger sees himself');
    is_deeply(as_caller($app, { me => $ID{other}, orgs => "{$ID{a}}" }, $names),
        ['Me', 'Other'], 'a colleague sees his colleagues');
    is(sqlstate_of($app, sub { $app->do('SELECT password_hash FROM identity.user') }),
        '42501', 'nobody sees a password');
};

subtest 'a row can not refer to another tenant\'s' => sub {
    my $ticket = sub {
        my ($dbh, $settings) = @_;
        return sqlstate_of($dbh, sub { as_caller($dbh, $settings, sub {
            $dbh->do(q{INSERT INTO alloy.ticket (org_id, id, project_id,
                ticket_number, workflow_id, title, status, reporter_id) VALUES
                (?, ?, ?, 9, ?, 'T', 'Backlog', ?)}, undef,
                @ID{qw(a aflow foreign aflow me)}) }) });
    };
    is($ticket->($app, call_of($ID{a}, '', "{$ID{seen}}")), '42501',
        'a project, by the fence');
    is($ticket->($app, call_of($ID{a}, "{$ID{a}}")), '23503',
        'nor by the foreign key, for whoever sees every project');
    is($ticket->($admin, {}), '23503', 'whatever the rights');
    is(sqlstate_of($admin, sub { $admin->do(q{INSERT INTO alloy.workflow (org_id, id,
        name) VALUES (?, alloy.new_id(?), 'W')}, undef, $ID{a}, $ID{b}) }), '23514',
        'an id carries the bits of its organization');
    is(sqlstate_of($admin, sub { $admin->do(qq{INSERT INTO alloy.project (org_id, id,
        key, name, workflow_id, created_by) VALUES (?, $_->[0], ?, 'P', ?, ?)},
        undef, $ID{a}, $ID{ $_->[1] }, $_->[2], @ID{qw(aflow me)}) }), '23514',
        $_->[3]) for
        ['alloy.new_id(?)', 'b', 'NEW', 'a project\'s as well'],
        ['alloy.new_id(?)', 'a', 'new', 'nor is it made with another kind of key'];
    for my $bad (q(key = 'web'), q(name = ''), 'budget_cents = -1',
        q(budget_period = 'Daily'), q(capitalization_type = 'Mixed'),
        q(development_phase = 'Dream'), 'amortization_months = 0',
        q(description = repeat('x', 65537)),
        q(cost_center_id = repeat('x', 201))) {
        is(sqlstate_of($admin, sub { $admin->do(
            "UPDATE alloy.project SET $bad WHERE id = ?", undef, $ID{seen}) }),
            '23514', "no project has $bad");
    }
    is(sqlstate_of($admin, sub { $admin->do('TRUNCATE alloy.comment') }), '0A000',
        'nobody truncates');
};

subtest 'versions and history' => sub {
    my $settings = { %{ call_of($ID{a}, "{$ID{a}}") },
        call => qq({$ID{nobody},"Ann, of \\"Ops\\"",rest,curl,r-1,op}) };
    my $state = sub { $app->selectrow_hashref(q{SELECT version, updated_at::text
        FROM ticket WHERE project_id = ?}, undef, $ID{seen}) };
    my $last = sub { $app->selectrow_hashref(q{SELECT *, fields::text AS names,
        before::text, after::text FROM change WHERE xid = pg_current_xact_id()
        ORDER BY seq DESC LIMIT 1}) };
    my $change = sub {
        my ($sql) = @_;
        return as_caller($app, $settings, sub {
            my $before = $state->();
            $app->do($sql);
            return [$before, $state->(), $last->()];
        }, 'keep');
    };
    my $where = "WHERE project_id = '$ID{seen}'";
    my ($old, $new, $row) = @{ $change->("UPDATE ticket SET title = title $where") };
    is_deeply($new, $old, 'an update without effect is no change');
    is($row, undef, 'and leaves no trace');

    ($old, $new, $row) = @{ $change->("UPDATE ticket SET title = 'U', priority = 'Low',
        description = 'long' $where") };
    is($new->{version}, $old->{version} + 1, 'a change raises the version');
    isnt($new->{updated_at}, $old->{updated_at}, 'and the stamp');
    is($row->{names}, '{title,priority,description}', 'its fields are named');
    is($row->{before}, '{"title": "T", "priority": "Medium", "description": null}',
        'former values are kept');
    is($row->{after}, '{"title": "U", "priority": "Low"}',
        'new ones too, without the long text');
    is_deeply([@$row{qw(change_id actor on_behalf_of client client_name request_id
        operation entity_type version project_id)}], [$ID{nobody}, $ID{me},
        'Ann, of "Ops"', 'rest', 'curl', 'r-1', 'op', 'ticket', $new->{version},
        $ID{seen}], 'the row says who, how and where');

    ($old, $new, $row) = @{ $change->("UPDATE ticket SET version = version + 5 $where") };
    is($new->{version}, $old->{version} + 1, 'a version can be raised, by one');
    is($row, undef, 'which shows in what raised it');

    ($old, $new, $row) = @{ $change->(
        "UPDATE project SET ticket_counter = ticket_counter + 1 WHERE id = '$ID{seen}'") };
    is($row, undef, 'a ticket number is no change of the project');
    is((strings($admin, 'SELECT version FROM alloy.project WHERE id = ?', $ID{seen}))[0],
        1, 'nor a version');
    ($old, $new, $row) = @{ $change->(
        "UPDATE project SET name = 'Q' WHERE id = '$ID{seen}'") };
    is("$row->{entity_type} $row->{names} $row->{version}", 'project {name} 2',
        'a new name is both');
    ($old, $new, $row) = @{ $change->("UPDATE comment SET deleted_at = now() $where") };
    is("$row->{entity_type} $row->{names}", 'comment {deleted_at}',
        'a deletion is a change of deleted_at');
    like($row->{parent_id}, qr/71$/, 'a comment\'s row leads to its ticket');
    ($old, $new, $row) = @{ $change->("DELETE FROM project_member $where") };
    is($row->{before}, qq({"user_id": "$ID{me}"}), 'what is gone is kept');
};

subtest 'principals' => sub {
    my $version = sub { (strings($app, 'SELECT definer.principal_version(?)',
        $ID{me}))[0] };
    my $raised = sub {
        my ($what, $dbh, $by, $sql, @bind) = @_;
        my $before = $version->();
        as_caller($dbh, call_of($ID{a}, "{$ID{a}}"),
            sub { $dbh->do($sql, undef, @bind) }, 'keep');
        is($version->() - $before, $by, $what);
    };
    my ($session, $key) = map { "01900000-0000-7000-8000-0000000000b$_" } 1, 2;
    $raised->('a session', $admin, 0, 'INSERT INTO identity.session (id, user_id)
        VALUES (?, ?)', $session, $ID{me});
    $raised->('a key', $admin, 0, q{INSERT INTO identity.api_key (id, user_id, hash,
        hint, name, project_ids, max_writes) VALUES (?, ?, '\x01', 'h', 'k', ?, 2)},
        $key, $ID{me}, [$ID{hidden}, $ID{foreign}, $ID{nobody}]);
    $raised->('use of both', $app, 0, 'SELECT mark_used(ARRAY[?::uuid], ARRAY[?::uuid])',
        $session, $key);
    $raised->('a role', $app, 1, q{UPDATE membership SET role = 'Member'
        WHERE user_id = ?}, $ID{me});
    $raised->('the same role', $app, 0, q{UPDATE membership SET role = 'Member'
        WHERE user_id = ?}, $ID{me});
    $raised->('a project', $app, 1, 'INSERT INTO project_member (org_id, project_id,
        user_id) VALUES (?, ?, ?)', $ID{a}, $ID{seen}, $ID{me});
    $raised->('leaving it', $app, 1, 'DELETE FROM project_member WHERE project_id = ?',
        $ID{seen});
    $raised->('its visibility', $app, 1,
        q{UPDATE organization SET project_visibility = 'org'});
    $raised->('its currency', $app, 0, q{UPDATE organization SET currency = 'EUR'});
    $raised->('a password', $admin, 1, q{UPDATE identity.user SET password_hash = 'x'
        WHERE id = ?}, $ID{me});

    my $who = $app->selectrow_hashref('SELECT * FROM principal_of_session(?)', undef,
        $session);
    is_deeply([@$who{qw(user_id version email org_ids org_slugs org_roles org_all
        projects project_limited)}], [$ID{me}, $version->(), 'me@example.org',
        [$ID{a}, $ID{b}], ['seen', 'fore'], ['Member', 'Owner'], [1, 1], [], 0],
        'a session tells who calls, without any setting');
    $who = $app->selectrow_hashref(q{SELECT * FROM principal_of_key('\x01')});
    is_deeply([@$who{qw(key_id org_all project_limited max_writes)}, [sort
        @{ $who->{projects} }]], [$key, [0, 0], 1, 2, [$ID{hidden}, $ID{foreign}]],
        'a key never sees more than its list, nor what its user does not');
    $app->do('SELECT key_spend(?)', undef, $key) for 1 .. 2;
    is(sqlstate_of($app, sub { $app->do('SELECT key_spend(?)', undef, $key) }), 'AL001',
        'a key writes as often as it may');
    $raised->('a revoked key', $admin, 1, 'UPDATE identity.api_key
        SET revoked_at = clock_timestamp() WHERE id = ?', $key);
    $raised->('an ended session', $admin, 1, 'UPDATE identity.session
        SET ended_at = clock_timestamp() WHERE id = ?', $session);
    is_deeply([strings($app, q{SELECT user_id FROM principal_of_key('\x01')
        UNION ALL SELECT user_id FROM principal_of_session(?)}, $session)], [],
        'and neither is anybody any more');
};

subtest 'refusals are row counts' => sub {
    my $insert = sub {
        my ($slug) = @_;
        return as_caller($app, call_of($ID{nobody}), sub { $app->do(q{INSERT INTO
            organization (org_id, name, slug) VALUES (?, 'N', ?)}, undef,
            $ID{nobody}, $slug) + 0 });
    };
    is($insert->('seen'), 0, 'a taken slug');
    is($insert->('free'), 1, 'a free one');
    is_deeply([strings($app, q{SELECT slug_free(s, NULL)
        FROM unnest('{seen,free}'::text[]) s})], [0, 1], 'the second look tells why');
    is(as_caller($app, call_of($ID{a}), sub { $app->do(q{UPDATE organization
        SET slug = 'fore'}) + 0 }), 0, 'another\'s slug');
    $admin->do(q{INSERT INTO identity.affiliation (user_id, org_id, live)
        SELECT ?, gen_random_uuid(), true FROM generate_series(1, 200)}, undef,
        $ID{other});
    is(as_caller($app, call_of($ID{a}), sub { $app->do(q{INSERT INTO membership
        (org_id, user_id, role) VALUES (?, ?, 'Viewer')}, undef, $ID{a}, $ID{other})
        + 0 }), 0, 'one organization too many');
    is_deeply([strings($app, 'SELECT membership_room(?)', $ID{other})], [0],
        'the second look tells why');
};

subtest 'functions work without a setting' => sub {
    as_caller($app, { me => '', orgs => '' }, sub {
        $app->do(q{SELECT idempotency_keep('p', 'o', 'k', '\x01', 201, NULL, '\x02')});
        is_deeply([strings($app, q{SELECT status FROM idempotency_find('p', 'o', 'k')})],
            [201], 'an answer is found again');
        is_deeply([strings($app, 'SELECT sweep(10)')], [0], 'nothing has expired');
    });
    as_caller($app, call_of($ID{nobody}), sub {
        $app->do(q{INSERT INTO organization (org_id, name, slug)
            VALUES (?, 'N', 'nobody')}, undef, $ID{nobody});
        my $id = $ID{nobody} =~ s/3$/f/r;
        $app->do('SELECT workflow_make_default(?, ?)', undef, $ID{nobody}, $id);
        is_deeply([strings($app, 'SELECT name FROM workflow_status WHERE org_id = ?
            ORDER BY position', $ID{nobody})],
            [qw(Backlog Todo InProgress InReview Done Cancelled)],
            'a new organization has its workflow');
    });
    is_deeply([strings($app, q{SELECT timezone_known(z) FROM unnest(
        '{UTC,Europe/Berlin,FOO+3,Nowhere/Land,"x y"}'::text[]) WITH ORDINALITY
        AS u (z, n) ORDER BY n})], [1, 1, 0, 0, 0], 'time zones are told apart');
};

done_testing;
