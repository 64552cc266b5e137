# What the catalogue must say for tenants to stay apart: policies, keys, rights,
# functions. A new right of alloy_definer needs a line in @DEFINER_RIGHTS.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use AlloyTest;

my $server = AlloyTest->start;
my $admin  = $server->dbh('admin');

# Everything alloy_definer may do, apart from its own schema: a function that
# needs more must ask for it here, where a reviewer sees it.
my @DEFINER_RIGHTS = sort split /\n\s*/, <<'END' =~ s/^\s+|\s+$//gr;
    alloy.change INSERT
    alloy.change SELECT
    alloy.comment SELECT
    alloy.invite SELECT
    alloy.invite UPDATE (accepted_at,accepted_by)
    alloy.membership SELECT
    alloy.organization SELECT
    alloy.project SELECT
    alloy.project_member DELETE
    alloy.project_member SELECT
    alloy.sprint_scope INSERT
    alloy.team_member DELETE
    alloy.team_member SELECT
    alloy.ticket SELECT
    alloy.ticket SELECT (id,org_id,parent_id)
    alloy.ticket_link SELECT
    alloy.ticket_text DELETE
    alloy.ticket_text INSERT
    alloy.ticket_text SELECT
    alloy.ticket_text UPDATE (document,size)
    alloy.ticket_watcher DELETE
    alloy.ticket_watcher SELECT
    alloy.workflow_status SELECT
    identity.affiliation DELETE
    identity.affiliation INSERT
    identity.affiliation SELECT
    identity.affiliation UPDATE
    identity.api_key INSERT
    identity.api_key SELECT
    identity.api_key UPDATE
    identity.event INSERT
    identity.event SELECT
    identity.external INSERT
    identity.external SELECT
    identity.idempotency DELETE
    identity.idempotency INSERT
    identity.idempotency SELECT
    identity.idempotency UPDATE
    identity.invite_code DELETE
    identity.invite_code INSERT
    identity.invite_code SELECT
    identity.invite_code UPDATE
    identity.principal INSERT
    identity.principal SELECT
    identity.principal UPDATE
    identity.refresh_token DELETE
    identity.refresh_token INSERT
    identity.refresh_token SELECT
    identity.refresh_token UPDATE
    identity.reset_code DELETE
    identity.reset_code INSERT
    identity.reset_code SELECT
    identity.reset_code UPDATE
    identity.session INSERT
    identity.session SELECT
    identity.session UPDATE
    identity.setup INSERT
    identity.setup SELECT
    identity.slug DELETE
    identity.slug INSERT
    identity.slug SELECT
    identity.slug UPDATE
    identity.throttle DELETE
    identity.throttle INSERT
    identity.throttle SELECT
    identity.throttle UPDATE
    identity.user INSERT
    identity.user SELECT
    identity.user UPDATE
    policy alloy.change a
    policy alloy.change r
    policy alloy.comment r
    policy alloy.invite *
    policy alloy.membership r
    policy alloy.organization r
    policy alloy.project r
    policy alloy.project_member d
    policy alloy.project_member r
    policy alloy.sprint_scope a
    policy alloy.team_member *
    policy alloy.ticket r
    policy alloy.ticket_link r
    policy alloy.ticket_text *
    policy alloy.ticket_watcher *
    policy alloy.workflow_status r
    policy identity.user *
END
@DEFINER_RIGHTS = sort @DEFINER_RIGHTS,
    AlloyTest::Plugins::facts('definer_rights');

sub strings {
    my ($dbh, $sql, @bind) = @_;
    return @{ $dbh->selectcol_arrayref($sql, undef, @bind) };
}

# A check whose query names the offenders: none is right.
sub none {
    my ($what, $sql, @bind) = @_;
    is_deeply([strings($admin, $sql, @bind)], [], $what);
}

my $TENANT = q{
    SELECT c.oid, n.nspname || '.' || c.relname AS name, c.relname
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'identity'
       AND n.nspname !~ '^pg_|^information_schema'
       AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
                    AND a.attname = 'org_id' AND NOT a.attisdropped)};
my $OURS = q{n.nspname IN ('alloy', 'identity', 'definer')};

subtest 'roles and sessions' => sub {
    none 'no role passes row level security or makes roles', q{
        SELECT rolname FROM pg_roles WHERE rolname LIKE 'alloy\_%'
           AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)};
    none 'alloy_owner and alloy_definer do not log in', q{
        SELECT rolname FROM pg_roles WHERE rolcanlogin
           AND rolname IN ('alloy_owner', 'alloy_definer')};
    none 'no membership is inherited into a role of ours', q{
        SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
         WHERE r.rolname IN ('alloy_app', 'alloy_backup', 'alloy_definer')
            OR (r.rolname = 'alloy_owner' AND r.rolinherit)};
    none 'alloy_app owns nothing', q{
        SELECT classid::regclass || ' ' || objid FROM pg_shdepend
         WHERE refclassid = 'pg_authid'::regclass AND deptype = 'o'
           AND refobjid = 'alloy_app'::regrole};
    my %want = (search_path => 'alloy, identity, definer', TimeZone => 'UTC',
        jit => 'off', max_parallel_workers_per_gather => '0',
        default_transaction_isolation => 'read committed',
        idle_in_transaction_session_timeout => '10s', statement_timeout => '30s');
    my %set = map { split /=/, $_, 2 } strings($admin, q{
        SELECT unnest(setconfig) FROM pg_db_role_setting s
          JOIN pg_database d ON d.oid = s.setdatabase
         WHERE d.datname = current_database()
           AND s.setrole = 'alloy_app'::regrole});
    is($set{$_}, $want{$_}, "$_ is a setting of alloy_app") for sort keys %want;
};

subtest 'shape of tenant tables' => sub {
    cmp_ok(scalar(() = strings($admin, "SELECT name FROM ($TENANT) t")), '>=',
        11, 'there are tenant tables to look at');
    none 'row level security is enabled and forced', qq{
        SELECT name FROM ($TENANT) t JOIN pg_class c USING (oid)
         WHERE NOT (c.relrowsecurity AND c.relforcerowsecurity)};
    none 'each has a policy for app and owner with the same WITH CHECK', qq{
        SELECT name FROM ($TENANT) t WHERE NOT EXISTS (
            SELECT FROM pg_policy p WHERE p.polrelid = t.oid
               AND p.polname = 'tenant' AND p.polcmd = '*'
               AND p.polroles @> ARRAY['alloy_app'::regrole::oid,
                                       'alloy_owner'::regrole::oid]
               AND pg_get_expr(polqual, polrelid)
                   = pg_get_expr(polwithcheck, polrelid))};
    none 'app and owner have no other policy', qq{
        SELECT name || ' ' || p.polname FROM ($TENANT) t
          JOIN pg_policy p ON p.polrelid = t.oid
         WHERE p.polname <> 'tenant' AND p.polroles && ARRAY[0::oid,
               'alloy_app'::regrole::oid, 'alloy_owner'::regrole::oid]};
    my %text;
    $text{$_->[1]}{$_->[0]} = 1 for @{ $admin->selectall_arrayref(qq{
        SELECT relname, regexp_replace(pg_get_expr(p.polqual, p.polrelid),
                        '\\((id|project_id) (= ANY|IS NULL)', '(PROJECT \\2', 'g')
          FROM ($TENANT) t JOIN pg_policy p ON p.polrelid = t.oid
         WHERE p.polname = 'tenant'}) };
    cmp_ok(scalar keys %text, '<=', 3, 'policies have one of three texts');
    none 'a table with a project is fenced by it', qq{
        SELECT relname FROM ($TENANT) t JOIN pg_policy p ON p.polrelid = t.oid
         WHERE p.polname = 'tenant'
           AND (relname = 'project' OR EXISTS (
                SELECT FROM pg_attribute a WHERE a.attrelid = t.oid
                   AND a.attname = 'project_id' AND NOT a.attisdropped))
           AND pg_get_expr(p.polqual, p.polrelid) !~ 'alloy\\.projects'};
    none 'org_id is the first column of every index', qq{
        SELECT i.indexrelid::regclass::text FROM ($TENANT) t
          JOIN pg_index i ON i.indrelid = t.oid
          LEFT JOIN pg_attribute a
            ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
         WHERE a.attname IS DISTINCT FROM 'org_id'};
    none 'each has a primary key', qq{
        SELECT name FROM ($TENANT) t WHERE NOT EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indisprimary)};
    none 'foreign keys carry the organization along', qq{
        SELECT t.name || ' ' || k.conname FROM ($TENANT) t
          JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f'
          JOIN pg_class f ON f.oid = k.confrelid
         WHERE f.relnamespace <> 'identity'::regnamespace
           AND (SELECT ARRAY[a.attname, r.attname]::text[] FROM pg_attribute a,
                       pg_attribute r
                 WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
                   AND r.attrelid = k.confrelid AND r.attnum = k.confkey[1])
               IS DISTINCT FROM '{org_id,org_id}'};
    none 'no type whose comparison would not use an index under a policy', qq{
        SELECT name || '.' || a.attname FROM ($TENANT) t
          JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0
                             AND NOT a.attisdropped
          JOIN pg_type y ON y.oid = a.atttypid
         WHERE y.typtype = 'e' OR y.typname IN ('numeric', 'money')};
    none 'nothing waits for the commit: no deferrable constraint or trigger', q{
        SELECT conname FROM pg_constraint WHERE condeferrable
        UNION ALL SELECT tgname FROM pg_trigger
                   WHERE tgdeferrable OR tginitdeferred};
    none 'rows can be written to the log and seen by a backup', qq{
        SELECT name FROM ($TENANT) t   -- history; words, made from others
         WHERE relname NOT IN ('change', 'sprint_scope', 'ticket_text')
           AND (SELECT count(*) FROM pg_trigger g WHERE g.tgrelid = t.oid
                   AND g.tgname IN ('log_insert', 'log_update', 'log_delete')) < 3
        UNION ALL
        SELECT name FROM ($TENANT) t
         WHERE NOT has_table_privilege('alloy_backup', oid, 'SELECT')
            OR NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.oid
                              AND p.polname = 'backup' AND p.polcmd = 'r')};
    none 'a version is raised by a trigger', qq{
        SELECT name FROM ($TENANT) t
          JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = 'version'
         WHERE relname <> 'change' AND NOT EXISTS (
               SELECT FROM pg_trigger g WHERE g.tgrelid = t.oid
                  AND g.tgname = 'raise_version')};
    # A column that was added later would change without a version or history.
    none 'triggers told their columns know all but the counter', qq{
        SELECT name || '.' || a.attname || ' ' || g.tgname FROM ($TENANT) t
          JOIN pg_trigger g ON g.tgrelid = t.oid AND g.tgattr <> ''
           AND g.tgname IN ('raise_version', 'log_update')
          JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0
           AND NOT a.attisdropped AND a.attnum <> ALL (g.tgattr)
         WHERE a.attname <> 'ticket_counter'};
};

subtest 'rights' => sub {
    none 'alloy_app can truncate nothing', qq{
        SELECT c.relname FROM pg_class c JOIN pg_namespace n
            ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND $OURS
           AND has_table_privilege('alloy_app', c.oid,
                                   'TRUNCATE, REFERENCES, TRIGGER')};
    none 'the change log and the words of tickets can only be read', q{
        SELECT t || ' ' || p
          FROM unnest('{alloy.change,alloy.ticket_text}'::text[]) t,
               unnest('{INSERT,UPDATE,DELETE}'::text[]) p
         WHERE has_table_privilege('alloy_app', t, p)
            OR (p <> 'DELETE' AND has_any_column_privilege('alloy_app', t, p))};
    is_deeply([strings($admin, q{
        SELECT c.relname || '.' || a.attname || ' ' || p
          FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
         CROSS JOIN unnest('{SELECT,INSERT,UPDATE}'::text[]) p
         WHERE c.relnamespace = 'identity'::regnamespace AND c.relkind = 'r'
           AND has_column_privilege('alloy_app', c.oid, a.attnum, p)
         ORDER BY 1})],
        ['principal.user_id SELECT', 'principal.version SELECT',
         'user.display_name SELECT', 'user.email SELECT', 'user.id SELECT'],
        'of identity, alloy_app sees versions and names and nothing else');
    none 'keys and organizations of rows can not be changed', qq{
        SELECT name || '.' || a.attname FROM ($TENANT) t
          JOIN pg_attribute a ON a.attrelid = t.oid
           AND a.attname IN ('org_id', 'id', 'project_id')
         WHERE has_column_privilege('alloy_app', t.oid, a.attnum, 'UPDATE')};
    is_deeply([strings($admin, qq{
        SELECT n.nspname || '.' || c.relname || ' ' || x.privilege_type
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
               aclexplode(c.relacl) x
         WHERE x.grantee = 'alloy_definer'::regrole AND $OURS
        UNION ALL
        SELECT n.nspname || '.' || c.relname || ' ' || x.privilege_type || ' ('
               || string_agg(a.attname, ',' ORDER BY a.attname) || ')'
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_attribute a ON a.attrelid = c.oid,
               aclexplode(a.attacl) x
         WHERE x.grantee = 'alloy_definer'::regrole AND $OURS
         GROUP BY n.nspname, c.relname, x.privilege_type
        UNION ALL
        SELECT 'policy ' || polrelid::regclass || ' ' || polcmd::text FROM pg_policy
         WHERE 'alloy_definer'::regrole = ANY (polroles)
         ORDER BY 1}) ], [map { s/identity\.user/identity."user"/r =~
            s/^identity\."user" /identity.user /r } @DEFINER_RIGHTS],
        'alloy_definer has exactly the rights listed above');
    none 'no right of anybody is PUBLIC\'s', qq{
        SELECT c.relname FROM pg_class c JOIN pg_namespace n
            ON n.oid = c.relnamespace, aclexplode(c.relacl) x
         WHERE $OURS AND x.grantee = 0
        UNION ALL
        SELECT nspname::text FROM pg_namespace n, aclexplode(n.nspacl) x
         WHERE ($OURS OR nspname = 'public') AND x.grantee = 0
        UNION ALL
        SELECT p.proname FROM pg_proc p JOIN pg_namespace n
            ON n.oid = p.pronamespace,
               aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
         WHERE $OURS AND x.grantee = 0};
    # One that is called by the others alone runs with their rights already.
    none 'definer functions: owner, security, pinned search_path', q{
        SELECT p.oid::regprocedure::text FROM pg_proc p
         WHERE p.pronamespace = 'definer'::regnamespace
           AND (NOT (p.prosecdef
                     OR NOT has_function_privilege('alloy_app', p.oid, 'EXECUTE'))
                OR p.proowner <> 'alloy_definer'::regrole
                OR NOT coalesce(p.proconfig, '{}')
                       @> '{"search_path=pg_catalog, pg_temp"}')};
    none 'no other function runs with rights other than its caller\'s', q{
        SELECT p.oid::regprocedure::text FROM pg_proc p
         WHERE p.prosecdef AND p.pronamespace <> 'definer'::regnamespace};
    none 'functions of ours pin their search_path', q{
        SELECT p.oid::regprocedure::text FROM pg_proc p
         WHERE p.pronamespace IN ('alloy'::regnamespace, 'identity'::regnamespace)
           AND p.prosqlbody IS NULL
           AND NOT coalesce(p.proconfig, '{}')
               @> '{"search_path=pg_catalog, pg_temp"}'};
    none 'views show what their reader may see', qq{
        SELECT c.relname FROM pg_class c JOIN pg_namespace n
            ON n.oid = c.relnamespace
         WHERE c.relkind IN ('v', 'm') AND $OURS
           AND NOT coalesce(c.reloptions, '{}') @> '{security_invoker=true}'};
};

done_testing;
