# Every statement that is compiled in: it can be prepared by httpd's role, its
# plan finds rows of tenants by an index that names the organization, and a page
# reads and sorts no more than a page. Writing statements are planned, not run.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use AlloyTest;
use AlloyTest::Statements;
use JSON::PP ();
use Test::More;

my $LIMIT = 51;         # what the engine asks for to answer 50
my $ORGS  = 3;          # organizations of the caller

# What is not as it should be, and why it may be so: "statement: fault", where
# the fault is the beginning of one of those below.
my %EXCEPTION = (
    'schema_versions: reads all of alloy.schema_' =>
        'a few rows, of no tenant, looked at when a connection opens',
    'user_find_name: reads' =>
        'the people of one organization; under a policy no index finds a prefix',
    'member_set_role: reads all rows of alloy.membership' =>
        'looks for another Owner among the people of one organization',
    'member_remove: reads all rows of alloy.membership' =>
        'looks for another Owner among the people of one organization',
    'label_find_name: reads' =>
        'the labels of one organization; under a policy no index finds a prefix',
    'label_untie: reads all rows of alloy.ticket' =>
        'a label is on any of the tickets of one organization',
    'team_find_name: reads' =>
        'the teams of one organization; under a policy no index finds a prefix',
    'project_find_name: reads' =>
        'the projects of the caller; under a policy no index finds a prefix',
    'sprint_find_name: reads' =>
        'the sprints of the caller, where no project is named',
    'project_member_list: reads' => 'answers a whole list, 1000 at most',
    'project_update_read: reads' =>
        'counts the tickets that stand in the way of another workflow',
    'activity_list: sorts' =>
        'changes of one ticket, which an index gives in order of version',
    'activity_list: reads' =>
        'changes of one ticket, which an index gives in order of version',
    (map { ("$_: reads all of alloy.feed" => 'has one row',
            "$_: reads all of pg_catalog.pg_database" => 'looks for this one') }
        qw(change_since change_rest)),
    'ticket_get_as_of: reads' =>
        'changes of one ticket, which an index gives in order of version',
    AlloyTest::Plugins::facts('exceptions'),
);
my %excused;

my $server = AlloyTest->start(httpd => 0);
my $admin  = $server->dbh('admin');
my $app    = $server->dbh('app');

# ---- data -------------------------------------------------------------------

# 4000 organizations, one of them large. Everything that has a date is spread
# over the same year, so that one cursor is in the middle of every list.
sub id {
    my ($org, $kind, $number) = @_;
    return sprintf '01900000-0000-7%03x-8%03x-%012x', $org, $kind, $number;
}

# {id org kind number} and {at number of} in SQL.
sub fill {
    my ($sql) = @_;
    my $hex = sub { "lpad(to_hex($_[0]), $_[1], '0')" };
    $sql =~ s/\{id (\S+) (\S+) (\S+)\}/"format('01900000-0000-7%s-8%s-%s', "
        . join(', ', $hex->($1, 3), $hex->($2, 3), $hex->($3, 12))
        . ')::uuid'/ge;
    $sql =~ s/\{at (\S+) (\S+)\}/
        "(timestamptz '2025-01-01' + interval '365 days' * $1 \/ $2)"/ge;
    return $sql;
}

my @DATA = split /;\n/, fill(<<'END');
INSERT INTO identity.user (id, email, email_folded, display_name)
SELECT {id 0 1 n}, format('u%s@example.org', n), format('u%s@example.org', n),
       'User ' || n FROM generate_series(1, 2000) n;
INSERT INTO identity.principal (user_id) SELECT id FROM identity.user;
INSERT INTO alloy.organization (org_id, name, slug, created_at)
SELECT {id o 0 0}, 'Organization ' || o, 'o' || o, {at o 4000}
  FROM generate_series(1, 4000) o;
INSERT INTO alloy.membership (org_id, user_id, role, created_at, removed_at)
SELECT {id o 0 0}, {id 0 1 n}, CASE WHEN n < 3 THEN 'Owner' ELSE 'Member' END,
       {at n 2000}, CASE WHEN n % 10 = 9 THEN now() END
  FROM generate_series(1, 400) o, generate_series(1, 2000) n
 WHERE (o = 1 AND n <= 500) OR (n + 7 * o) % 400 < 5 OR (n = 1 AND o <= 3);
INSERT INTO alloy.membership (org_id, user_id, role, created_at)
SELECT {id o 0 0}, {id 0 1 (1+o%2000)}, 'Owner', {at o 4000}
  FROM generate_series(401, 4000) o;
INSERT INTO alloy.workflow (org_id, id, name, is_default)
SELECT {id o 0 0}, {id o 2 w}, 'Workflow ' || w, w = 1
  FROM generate_series(1, 4000) o, generate_series(1, 2) w;
INSERT INTO alloy.workflow_status (org_id, workflow_id, name, category, position)
SELECT w.org_id, w.id, s.name, s.category, s.position
  FROM alloy.workflow w, (VALUES ('Backlog', 'todo', 1),
       ('In Progress', 'in_progress', 2), ('Review', 'in_progress', 3),
       ('Done', 'done', 4)) AS s (name, category, position);
INSERT INTO alloy.workflow_transition (org_id, workflow_id, from_status,
                                       to_status, position)
SELECT f.org_id, f.workflow_id, f.name, t.name, t.position
  FROM alloy.workflow_status f JOIN alloy.workflow_status t
    ON t.org_id = f.org_id AND t.workflow_id = f.workflow_id
   AND t.name <> f.name
 WHERE f.org_id < {id 400 0 0};
INSERT INTO alloy.project (org_id, id, key, name, workflow_id, ticket_counter,
                           created_by, created_at)
SELECT {id o 0 0}, {id o 3 p}, 'P' || p, 'Project ' || p, {id o 2 1}, 6000,
       {id 0 1 1}, {at p 500}
  FROM generate_series(1, 400) o, generate_series(1, 500) p
 WHERE o = 1 OR p <= 3 OR p BETWEEN 249 AND 251;
INSERT INTO alloy.project_member (org_id, project_id, user_id)
SELECT m.org_id, p.id, m.user_id
  FROM alloy.membership m JOIN alloy.project p ON p.org_id = m.org_id
 WHERE right(p.id::text, 4) = '0001' OR right(m.user_id::text, 4) = '0001';
INSERT INTO alloy.ticket (org_id, id, project_id, ticket_number, workflow_id,
                          title, status, priority, type, reporter_id,
                          assignee_id, created_at, updated_at, due_date,
                          labels)
SELECT {id o 0 0}, {id o 4 (p*65536+n)}, {id o 3 p}, n, {id o 2 1},
       'Ticket ' || n,
       (ARRAY['Backlog', 'In Progress', 'Review', 'Done'])[1 + n % 4],
       (ARRAY['Critical', 'High', 'Medium', 'Low'])[1 + n % 4],
       (ARRAY['Task', 'Bug', 'Story'])[1 + n % 3], {id 0 1 1},
       CASE WHEN n % 3 = 0 THEN {id 0 1 (1+n%50)} END, {at n 6000},
       {at n 6000},
       CASE WHEN n % 5 = 0 THEN date '2025-06-01' END,
       CASE WHEN n % 3 = 0 THEN ARRAY[{id o 7 (1+n%20)}, {id o 7 (2+n%20)}]
            ELSE '{}' END
  FROM (SELECT 1 AS o, 1 AS p, 6000 AS most
        UNION ALL SELECT 1, p, 100 FROM generate_series(2, 40) p
        UNION ALL SELECT o, p, 12 FROM generate_series(2, 400) o,
                                       generate_series(1, 2) p) made
 CROSS JOIN generate_series(1, most) n;
INSERT INTO alloy.sprint (org_id, id, project_id, number, name, start_date,
                          end_date, status, started_at, completed_at,
                          created_at)
SELECT {id o 0 0}, {id o 7 (p*65536+n)}, {id o 3 p}, n, 'Sprint ' || n,
       '2025-06-01', '2025-06-14', s.status,
       CASE WHEN s.status <> 'Planned' THEN {at n 500} END,
       CASE WHEN s.status = 'Completed' THEN {at n 500} END, {at n 500}
  FROM generate_series(1, 400) o, generate_series(1, 40) p,
       generate_series(1, 500) n,
       LATERAL (SELECT (ARRAY['Planned', 'Active', 'Completed'])
                [CASE WHEN n < 490 THEN 3 WHEN n < 492 THEN 2 ELSE 1 END]
                AS status) s
 WHERE (o = 1 AND p = 1) OR (o = 1 AND n <= 3) OR (p <= 2 AND n <= 3);
UPDATE alloy.ticket SET sprint_id = {id 1 7 (65536+490)}
 WHERE org_id = {id 1 0 0} AND project_id = {id 1 3 1} AND ticket_number <= 100;
INSERT INTO alloy.sprint_scope (org_id, project_id, sprint_id, ticket_id, at,
                                in_scope, category)
SELECT t.org_id, t.project_id, t.sprint_id, t.id, t.created_at, true, 'todo'
  FROM alloy.ticket t;
INSERT INTO alloy.label (org_id, id, name, folded, color, created_at)
SELECT {id o 0 0}, {id o 7 n}, 'Label ' || n, 'label ' || n, '#000000',
       {at n 500}
  FROM generate_series(1, 400) o, generate_series(1, 500) n
 WHERE o = 1 OR n <= 20;
INSERT INTO alloy.team (org_id, id, name, folded, created_at)
SELECT {id o 0 0}, {id o 8 n}, 'Team ' || n, 'team ' || n, {at n 500}
  FROM generate_series(1, 400) o, generate_series(1, 500) n
 WHERE o = 1 OR n <= 20;
INSERT INTO alloy.team_member (org_id, team_id, user_id)
SELECT t.org_id, t.id, m.user_id
  FROM alloy.team t JOIN alloy.membership m ON m.org_id = t.org_id
 WHERE right(t.id::text, 1) = right(m.user_id::text, 1);
INSERT INTO alloy.ticket_link (org_id, id, project_id, source_id, target_id,
                               type, created_by, created_at)
SELECT t.org_id, alloy.new_id(t.org_id), t.project_id, t.id, o.id, 'relates',
       {id 0 1 1}, o.created_at
  FROM alloy.ticket t
  JOIN alloy.ticket o ON o.org_id = t.org_id AND o.project_id = t.project_id
 WHERE CASE WHEN t.id = {id 1 4 65537} THEN o.ticket_number <= 500
       ELSE o.ticket_number = 1 + t.ticket_number % 12 END;
INSERT INTO alloy.ticket_watcher (org_id, project_id, ticket_id, user_id)
SELECT t.org_id, t.project_id, t.id, {id 0 1 1} FROM alloy.ticket t;
INSERT INTO alloy.tag (org_id, id, entity_type, entity_id, project_id, key,
                       value, created_at)
SELECT t.org_id, alloy.new_id(t.org_id), 'ticket', t.id, t.project_id,
       'key' || n, 'value', t.created_at
  FROM alloy.ticket t
 CROSS JOIN generate_series(1, 2) n
 WHERE t.ticket_number % 3 = 0;
INSERT INTO alloy.comment (org_id, id, project_id, ticket_id, author_id, body,
                           created_at)
SELECT t.org_id, alloy.new_id(t.org_id), t.project_id, t.id,
       {id 0 1 1}, 'Comment ' || n, {at n 500}
  FROM alloy.ticket t
 CROSS JOIN generate_series(1, CASE WHEN t.id = {id 1 4 65537} THEN 500
                                    ELSE 1 END) n;
INSERT INTO alloy.invite (org_id, id, email, role, created_by, expires_at,
                          created_at, revoked_at)
SELECT {id o 0 0}, {id o 6 n}, format('i%s@example.org', n), 'Member',
       {id 0 1 1}, {at n 500}, {at n 500},
       CASE WHEN n % 2 = 0 THEN now() END
  FROM generate_series(1, 400) o, generate_series(1, 500) n
 WHERE o = 1 OR n <= 30;
INSERT INTO alloy.change (org_id, actor, entity_type, entity_id, project_id,
                          version, operation)
SELECT t.org_id, {id 0 1 1}, 'ticket', t.id, t.project_id, n, 'ticket_update'
  FROM alloy.ticket t
 CROSS JOIN generate_series(1, CASE WHEN t.id = {id 1 4 65537} THEN 1000
                                    ELSE 1 END) n;
INSERT INTO alloy.change (org_id, actor, entity_type, entity_id, project_id,
                          parent_id, version, operation)
SELECT c.org_id, {id 0 1 1}, 'comment', c.id, c.project_id, c.ticket_id, 1,
       'comment_add'
  FROM alloy.comment c;
END
$admin->do('SET session_replication_role = replica');
$admin->do($_) for @DATA, map { fill($_) } AlloyTest::Plugins::facts('data');
$admin->do('SET session_replication_role = origin');
$admin->do('VACUUM (ANALYZE)');

my ($middle) = $admin->selectrow_array(q{
    SELECT (lpad(to_hex(max(seq) / 2), 32, '0'))::uuid FROM alloy.change});
my %ORG = (1 => id(1, 0, 0), 2 => id(2, 0, 0), 3 => id(3, 0, 0));
my $orgs = '{' . join(',', map { $ORG{$_} } 1 .. $ORGS) . '}';
my %CALLER = (me => id(0, 1, 1), orgs => $orgs, all => "{$ORG{1}}",
    projects => '{' . join(',', id(2, 3, 1), id(3, 3, 1)) . '}', call => '');

# ---- parameters -------------------------------------------------------------

# What a call of a member has in any case.
my %GIVEN = (
    me => $CALLER{me}, user => $CALLER{me}, org => $ORG{1}, orgs => $orgs,
    admin_orgs => "{$ORG{1}}", owner_orgs => "{$ORG{1}}", limit => $LIMIT,
    project => id(1, 3, 1), ticket => id(1, 4, 65536 + 1),
    comment => id(1, 5, 1), invite => id(1, 6, 1), seen => 1,
    sprint => id(1, 7, 65536 + 490),
    label => id(1, 7, 1), entity => id(1, 4, 65536 + 3), key => 'key1',
    team => id(1, 8, 1),
    version => 1, all => $CALLER{all}, projects => $CALLER{projects},
    call => '', timeout => '5000', plan => 'auto',
);
# A reader of the feed who has read everything.
my %FEED = (old => $admin->selectrow_array('SELECT pg_current_snapshot()'),
    ranks => '{6,6,6}', needs => '{"ticket":2}');
@GIVEN{qw(old was since ranks needs)} = @FEED{qw(old old old ranks needs)};
$GIVEN{last} = 20000;
%GIVEN = (%GIVEN, AlloyTest::Plugins::facts('given'));
# A batch of two.
my @batch = map { id(1, 4, 65536 + $_) } 1, 2;
$GIVEN{ids} = '{' . join(',', @batch) . '}';
$GIVEN{refs} = '{P1-1,P1-2}';
$GIVEN{count} = 2;
$GIVEN{rows} = '[' . join(',', map {
    qq({"ticket": "$_", "seen": "1", "status": "todo", "to_status": "Todo",
        "title?": "t", "title": "x", "labels?": "t", "sprint_id?": "t",
        "labels": "{${\id(1, 7, 1)}}", "parent_id": "${\id(1, 4, 3)}",
        "sprint_id": "${\id(1, 7, 65536 + 490)}"}) } @batch) . ']';
my %CURSOR = (after_at => '2025-07-02 12:00:00Z', after_id => $middle);

# Plausible values for the rest: what is optional in one call is given in
# another.
my %FILTER = (
    ref => id(1, 4, 65536 + 1), q => 'ticket 5999', within => $ORG{1},
    status => 'Backlog',
    category => 'todo', priority => 'High', type => 'Bug',
    created_after => '2025-02-01Z', created_before => '2025-11-01Z',
    updated_after => '2020-01-01Z', updated_before => '2030-01-01Z',
    new => $FEED{old},
    assignee_id => id(0, 1, 1), reporter_id => id(0, 1, 1),
    as_of => '2025-07-01', unit => 'tickets', from => '2025-06-01',
    to => '2025-06-30', start_date => '2025-06-01',
    sprint_id => id(1, 7, 65536 + 490),
    label => id(1, 7, 1), labels => id(1, 7, 1), entity_type => 'ticket',
    tags => '[{"key": "key1"}]', mode => 'add', value => 'value',
    AlloyTest::Plugins::facts('filter'),
);
my %TYPICAL = (
    uuid => $CALLER{me}, text => 'x', boolean => 'true', bytea => '\x00',
    bigint => '1', integer => '1', smallint => '1', date => '2025-07-01',
    'timestamp with time zone' => '2025-07-01Z', json => '{}', jsonb => '{}',
    interval => '1 day',
);

# A name may stand for the thing itself here and for a list to choose from there.
sub given {
    my ($name, $type) = @_;
    my $value = $GIVEN{$name} // return;
    return if $type =~ /\[\]$/ && $value !~ /^\{/;
    return if $type eq 'uuid' && $value !~ /^0190/;
    return $value;
}

sub typical {
    my ($name, $type) = @_;
    my $given = given($name, $type);
    return $given if defined $given;
    my $array = $type =~ s/\[\]$//;
    my $value = $FILTER{$name} // $GIVEN{$name};
    $value = undef if defined $value && $type eq 'uuid' && $value !~ /^0190/;
    $value //= $TYPICAL{$type}
        // die "no typical value for :$name of type $type; add one\n";
    return $array ? qq({"$value"}) : $value;
}

# The three typical sets: nothing optional, everything, everything further on.
my %SET = (
    'first page' => sub { scalar given(@_) },
    'next page'  => sub { scalar(given(@_)) // $CURSOR{ $_[0] } },
    'filtered'   => sub { $CURSOR{ $_[0] } // typical(@_) },
);

# The values of one set in the statement's order; "name?" follows the name.
sub values_of {
    my ($statement, $set) = @_;
    my @types = @{ $statement->{types} };
    return map {
        my $type = shift @types;
        /^(.*)\?$/ ? ($set eq 'filtered' ? 'true' : 'false')
            : $SET{$set}->($_, $type);
    } @{ $statement->{params} };
}

# ---- preparing --------------------------------------------------------------

my @statements = AlloyTest::Statements->all;
cmp_ok(scalar @statements, '>=', 60, 'there are statements to look at');

# Types of what the engine fills by itself; an input's types are its own.
my %TYPE = (
    limit => qr/^(?:bigint|integer)$/, after_at => qr/^timestamp with time zone$/,
    (map { $_ => qr/^uuid$/ } qw(me org after_id change_id my_session my_key
        within)),
    (map { $_ => qr/^uuid\[\]$/ } qw(orgs admin_orgs owner_orgs ids)),
    (map { $_ => qr/^text$/ } qw(operation client_name address)),
);

sub type_wanted {
    my ($statement, $name) = @_;
    # What comes before every transaction passes settings on as texts.
    return if $statement->{noun} eq 'engine';
    return $TYPE{$name} if $TYPE{$name};
    return qr/^boolean$/ if $name =~ /\?$/;
    return qr/^text\[\]$/ if $name =~ /_words$/;
    return qr/^uuid$/ if $name =~ /^new_/;
    return;
}

# Faults of a statement as sentences that begin with what %EXCEPTION names.
sub prepare {
    my ($statement) = @_;
    eval {
        $app->do("PREPARE $statement->{name} AS $statement->{text}", undef);
        1;
    } or return "can't be prepared: " . $app->errstr;
    my ($types) = $app->selectrow_array(
        'SELECT parameter_types::text[] FROM pg_prepared_statements '
            . 'WHERE name = ?', undef, $statement->{name});
    $statement->{types} = $types;
    my @names = @{ $statement->{params} };
    return 'has another number of parameters than its text'
        if @$types != @names;
    return map {
        my $wanted = type_wanted($statement, $names[$_]);
        $wanted && $types->[$_] !~ $wanted
            ? ":$names[$_] is of type $types->[$_], not $wanted" : ();
    } 0 .. $#names;
}

# ---- plans ------------------------------------------------------------------

my %TENANT = map { $_ => 1 } @{ $admin->selectcol_arrayref(q{
    SELECT n.nspname || '.' || c.relname
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id'
     WHERE c.relkind = 'r' AND n.nspname NOT IN ('identity')
       AND n.nspname !~ '^pg_'}) };
my %INDEX = map { $_->{index} => $_ } @{ $admin->selectall_arrayref(q{
    SELECT x.relname AS index, n.nspname || '.' || c.relname AS table,
           i.indnkeyatts AS columns
      FROM pg_index i
      JOIN pg_class x ON x.oid = i.indexrelid
      JOIN pg_class c ON c.oid = i.indrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace}, { Slice => {} }) };

# The plan as alloy_app, inside a call of the member above.
sub plan_of {
    my ($statement, $set, $mode, $run) = @_;
    my $values = join ', ',
        map { defined $_ ? $app->quote($_) : 'NULL' } values_of($statement, $set);
    my $options = $run ? ', ANALYZE, TIMING off' : '';
    $app->begin_work;
    my $plan = eval {
        $app->do("SET LOCAL plan_cache_mode = force_${mode}_plan");
        $app->do('SELECT set_config(?, ?, true)', undef, "alloy.$_",
            $CALLER{$_}) for sort keys %CALLER;
        my ($text) = $app->selectrow_array(
            "EXPLAIN (FORMAT JSON, VERBOSE$options) EXECUTE $statement->{name}"
                . ($values eq '' ? '' : " ($values)"));
        JSON::PP->new->decode($text)->[0]{Plan};
    };
    my $fault = $@;
    $app->rollback;
    die "$statement->{name}, $set: $fault" unless $plan;
    if ($ENV{ALLOY_TEST_STATEMENT}) {
        diag("$set: ", JSON::PP->new->pretty->canonical->encode($plan));
    }
    return $plan;
}

sub walk {
    my ($node, $visit) = @_;
    $visit->($node);
    walk($_, $visit) for @{ $node->{Plans} || [] };
    return;
}

# A scan of a tenant's table goes by an index that names one organization. The
# look at who is a colleague is the policy's own, bounded by the caller's
# organizations and the person's id.
sub scan_fault {
    my ($node) = @_;
    my $type = $node->{'Node Type'};
    return "reads all of $node->{Schema}.$node->{'Relation Name'}"
        if $type eq 'Seq Scan';
    my $index = $INDEX{ $node->{'Index Name'} // '' } or return;
    return unless $TENANT{ $index->{table} };
    my $condition = $node->{'Index Cond'} // 'nothing';
    return if $condition =~ /\borg_id = (?!ANY\b)/;
    return if $index->{table} eq 'alloy.membership'
        && $condition =~ /\borg_id = ANY.*\buser_id = "?user/;
    return "finds rows of $index->{table} by $condition, not by one org_id";
}

# What writes a row must find it by more than its organization. Statements that
# read are run instead, and their rows counted.
sub width_fault {
    my ($node) = @_;
    my $index = $INDEX{ $node->{'Index Name'} // '' } or return;
    return if $index->{columns} == 1 || !$TENANT{ $index->{table} };
    my $condition = $node->{'Index Cond'} // 'nothing';
    return if $condition =~ / AND /;
    return "reads all rows of $index->{table} with $condition";
}

sub plan_faults {
    my ($statement, $plan) = @_;
    my %faults;
    walk($plan, sub {
        $faults{$_} = 1 for scan_fault($_[0]),
            $statement->{write} ? width_fault($_[0]) : ();
    });
    return sort keys %faults;
}

# Rows a node gave back and threw away, all of its runs together.
sub rows_seen {
    my ($node) = @_;
    my $rows = $node->{'Actual Rows'};
    $rows += $node->{$_} // 0 for 'Rows Removed by Filter',
        'Rows Removed by Index Recheck';
    return $rows * $node->{'Actual Loops'};
}

sub sort_fault {
    my ($node) = @_;
    return unless $node->{'Node Type'} =~ /Sort$/;
    my $rows = 0;
    $rows += $_->{'Actual Rows'} * $_->{'Actual Loops'} for @{ $node->{Plans} };
    return $rows > $LIMIT * $ORGS ? "sorts $rows rows" : ();
}

sub read_fault {
    my ($node) = @_;
    my $table = $node->{'Relation Name'} or return;
    my $rows = rows_seen($node);
    return $rows > 2 * $LIMIT * $ORGS ? "reads $rows rows of $table" : ();
}

# A page costs what a page holds, wherever it is in the list: the keyset is part
# of the index condition, and nothing longer is sorted. With a filter given, rows
# are passed over until enough fit.
sub run_faults {
    my ($statement, $set, $mode) = @_;
    my $is_page = $statement->{mode} eq 'page';
    my %faults;
    walk(plan_of($statement, $set, $mode, 'run'), sub {
        $faults{$_} = 1 for $is_page ? sort_fault($_[0]) : (),
            $is_page && $set eq 'filtered' ? () : read_fault($_[0]);
    });
    return map {"$_, $set"} sort keys %faults;
}

# :custom statements are planned anew for every call.
sub all_faults {
    my ($statement) = @_;
    my @faults = prepare($statement);
    return @faults if grep {/^can't be prepared/} @faults;
    my $mode = $statement->{custom} ? 'custom' : 'generic';
    my @sets = sort keys %SET;
    push @faults, map { plan_faults($statement, $_) }
        map { plan_of($statement, $_, $mode) }
        $statement->{custom} ? @sets : 'filtered';
    push @faults, 'is a :page and writes'
        if $statement->{mode} eq 'page' && $statement->{write};
    push @faults, map { run_faults($statement, $_, $mode) } @sets
        unless $statement->{write} || $statement->{slow};
    my %seen;
    return grep { !$seen{$_}++ } @faults;
}

sub is_excused {
    my ($statement, $fault) = @_;
    my @known = grep { index("$statement->{name}: $fault", $_) == 0 }
        keys %EXCEPTION;
    $excused{$_} = 1 for @known;
    return scalar @known;
}

# One alone, with its plans: ALLOY_TEST_STATEMENT=ticket_list prove ...
my $only = $ENV{ALLOY_TEST_STATEMENT};
@statements = grep { !$only || $_->{name} eq $only } @statements;
for my $statement (@statements) {
    my @faults = grep { !is_excused($statement, $_) } all_faults($statement);
    ok(!@faults, "$statement->{name} ($statement->{file})");
    diag("  it $_") for @faults;
}
is_deeply([grep { !$only && !$excused{$_} } sort keys %EXCEPTION], [],
    'each exception is still needed');

done_testing;
