-- Bookkeeping of migrations, and the procedures by which every table gets its
-- fence, its version and its history. Later migrations and plugins call them.

CREATE TABLE IF NOT EXISTS alloy.schema_migration (
    component  text        NOT NULL,
    version    integer     NOT NULL CHECK (version > 0),
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (component, version)
);
COMMENT ON TABLE alloy.schema_migration IS
    'One row per applied migration; component is core or a plugin''s name';

-- A migration that takes something away from older modules raises "oldest" in
-- its own transaction: a module that knows less than that answers 503.
CREATE TABLE IF NOT EXISTS alloy.schema_range (
    component text    PRIMARY KEY,
    oldest    integer NOT NULL CHECK (oldest > 0)
);
COMMENT ON TABLE alloy.schema_range IS
    'The lowest schema version a module must know to be served';
INSERT INTO alloy.schema_range (component, oldest) VALUES ('core', 1)
    ON CONFLICT DO NOTHING;
GRANT SELECT ON alloy.schema_migration, alloy.schema_range
   TO alloy_app, alloy_backup;

-- Ids ------------------------------------------------------------------------

-- UUIDv7 keeps 12 bits (rand_a) beside the version; every id of a tenant
-- carries its organization's there, so that any id tells where it lives.
CREATE FUNCTION alloy.same_shard(org_id uuid, id uuid) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN substring(uuid_send(org_id), 7, 2) = substring(uuid_send(id), 7, 2);
COMMENT ON FUNCTION alloy.same_shard(uuid, uuid) IS
    'Whether an id carries the shard bits of its organization';
GRANT EXECUTE ON FUNCTION alloy.same_shard(uuid, uuid)
   TO alloy_app, alloy_definer;

-- The module makes its ids itself; migrations and tests take them from here.
CREATE FUNCTION alloy.new_id(org_id uuid) RETURNS uuid
    LANGUAGE sql VOLATILE
    RETURN encode(
        substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)
                           ::bigint), 3)
        || substring(uuid_send(org_id), 7, 2)
        || substring(uuid_send(gen_random_uuid()), 9), 'hex')::uuid;
COMMENT ON FUNCTION alloy.new_id(uuid) IS
    'A UUIDv7 with the shard bits of the organization';

-- Triggers that every table shares ---------------------------------------------

CREATE FUNCTION alloy.raise_version() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;

CREATE FUNCTION alloy.set_updated_at() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;

CREATE FUNCTION alloy.refuse_truncate() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'table %.% holds tenants'' data and is never truncated',
        TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'feature_not_supported',
              HINT = 'TRUNCATE passes row level security. Delete by org_id.';
END
$$;

-- The fence ----------------------------------------------------------------------

-- Each setting stands in a sub-select, so a statement reads it once and not for
-- each row. A setting that was never sent is NULL, one sent in an earlier
-- transaction of the session is '': both are nobody.
--
-- CASE is for the planner, which would take the fence and a statement's own
-- "org_id = ..." for two independent conditions, expect one row behind any index
-- that begins with org_id, and read a whole organization to find a ticket. It has
-- no guess about a CASE but one half, which leaves the order of indexes alone.
CREATE FUNCTION alloy.fence_condition(project text DEFAULT NULL,
                                      nullable_project boolean DEFAULT false)
    RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $f$
    SELECT $c$CASE WHEN org_id = ANY ((SELECT nullif(current_setting(
        'alloy.orgs', true), '')::uuid[])::uuid[])$c$
        || CASE WHEN project IS NULL THEN '' ELSE format($c$ AND (
        org_id = ANY ((SELECT nullif(current_setting('alloy.all', true),
        '')::uuid[])::uuid[])
        OR %1$I = ANY ((SELECT CASE current_setting('alloy.projects', true)
            WHEN '' THEN NULL
            WHEN '*' THEN definer.my_projects()
            ELSE current_setting('alloy.projects', true)::uuid[]
        END)::uuid[])%2$s)$c$, project,
        CASE WHEN nullable_project THEN format(' OR %I IS NULL', project)
             ELSE '' END) END
        || ' THEN true ELSE false END'
$f$;
COMMENT ON FUNCTION alloy.fence_condition(text, boolean) IS
    'The condition of every tenant policy; project names the project column';

-- Fences one table: isolation for every role, no TRUNCATE, rights of the app.
-- project    column with the project's id when the table lies below projects
-- deletable  rows really go (labels); otherwise they get deleted_at
-- nullable_project  rows without a project are the whole organization's
CREATE PROCEDURE alloy.fence(t regclass, project text DEFAULT NULL,
                             deletable boolean DEFAULT false,
                             nullable_project boolean DEFAULT false)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET client_min_messages = warning AS $$
DECLARE
    condition text := alloy.fence_condition(project, nullable_project);
    mutable   text;
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('DROP POLICY IF EXISTS tenant ON %s', t);
    EXECUTE format('CREATE POLICY tenant ON %s TO alloy_app, alloy_owner '
                   'USING (%s) WITH CHECK (%2$s)', t, condition);
    EXECUTE format('DROP POLICY IF EXISTS backup ON %s', t);
    EXECUTE format('CREATE POLICY backup ON %s FOR SELECT TO alloy_backup '
                   'USING (true)', t);
    EXECUTE format('CREATE OR REPLACE TRIGGER refuse_truncate BEFORE TRUNCATE '
                   'ON %s EXECUTE FUNCTION alloy.refuse_truncate()', t);

    -- Keys never change: a row can't be moved to another tenant or project,
    -- and the change log may join old and new rows by primary key.
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
      INTO mutable
      FROM pg_attribute a
     WHERE a.attrelid = t AND a.attnum > 0 AND NOT a.attisdropped
       AND a.attname NOT IN ('org_id', 'created_at')
       AND a.attname IS DISTINCT FROM project
       AND NOT EXISTS (SELECT FROM pg_index i
                        WHERE i.indrelid = t AND i.indisprimary
                          AND a.attnum = ANY (i.indkey));
    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, alloy_app', t);
    EXECUTE format('GRANT SELECT ON %s TO alloy_backup', t);
    EXECUTE format('GRANT SELECT, INSERT%s ON %s TO alloy_app',
                   CASE WHEN deletable THEN ', DELETE' ELSE '' END, t);
    IF mutable IS NOT NULL THEN
        EXECUTE format('GRANT UPDATE (%s) ON %s TO alloy_app', mutable, t);
    END IF;
END
$$;
COMMENT ON PROCEDURE alloy.fence(regclass, text, boolean, boolean) IS
    'Gives a tenant table its isolation and the app its rights; repeatable';

-- Version and updated_at move when the row does, and only then: the condition
-- is tested before the function is called, and covers columns added later.
-- counter: a column that ticks by itself (a project's ticket numbers); an
-- update that moves it changes nothing else and is no new version.
CREATE PROCEDURE alloy.keep_version(t regclass, counter text DEFAULT NULL)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER raise_version BEFORE UPDATE ON %s '
        'FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*%s) '
        'EXECUTE FUNCTION alloy.raise_version()', t,
        CASE WHEN counter IS NULL THEN ''
             ELSE format(' AND OLD.%1$I = NEW.%1$I', counter) END);
END
$$;
COMMENT ON PROCEDURE alloy.keep_version(regclass, text) IS
    'Raises version and updated_at with every real change; repeatable';

-- The change log -----------------------------------------------------------------

CREATE TABLE alloy.change (
    org_id       uuid        NOT NULL,
    seq          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    xid          xid8        NOT NULL DEFAULT pg_current_xact_id(),
    change_id    uuid,
    actor        uuid,
    on_behalf_of text,
    client       text,
    client_name  text,
    request_id   text,
    operation    text,
    entity_type  text        NOT NULL,
    entity_id    uuid        NOT NULL,
    project_id   uuid,
    parent_id    uuid,
    version      bigint,
    fields       text[]      NOT NULL DEFAULT '{}',
    before       jsonb,
    after        jsonb,
    PRIMARY KEY (org_id, seq)
);
COMMENT ON TABLE alloy.change IS
    'Every change of every entity; appended by triggers, never altered';
COMMENT ON COLUMN alloy.change.xid IS
    'Tells what a snapshot could see: the feed''s cursors are snapshots';
COMMENT ON COLUMN alloy.change.parent_id IS
    'The ticket of a comment and the like: a ticket''s activity shows it';
COMMENT ON COLUMN alloy.change.fields IS
    'Names of the changed columns, empty when a row comes or goes';
-- No foreign keys: history outlives what it tells of, and is written with every
-- write of everybody.
CREATE INDEX change_xid ON alloy.change (org_id, xid, seq);
CREATE INDEX change_entity
    ON alloy.change (org_id, entity_type, entity_id, version);
CREATE INDEX change_change_id ON alloy.change (org_id, change_id);
CREATE INDEX change_project ON alloy.change (org_id, project_id, seq);
CREATE INDEX change_parent ON alloy.change (org_id, parent_id, seq)
    WHERE parent_id IS NOT NULL;

CREATE FUNCTION alloy.log_object(alias text, columns text[]) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'jsonb_build_object('
           || string_agg(format('%L, %s.%I', c, alias, c), ', ') || ')'
      FROM unnest(columns) c
$$;

CREATE FUNCTION alloy.log_names(columns text[], negation text) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'array_remove(ARRAY['
           || string_agg(format('CASE WHEN %sd.%I THEN %L END', negation, c, c),
                         ', ') || ']::text[], NULL)'
      FROM unnest(columns) c
$$;

-- Writes the function and the triggers that log one table, as static SQL.
--
-- t            the table
-- entity_type  the name under which its rows appear in the log
-- columns      logged columns. Never "all": a secret can't slip in
-- long_columns texts of which only the former value is kept (the next state is
--              in the row or in the next change)
-- entity_id, project_id, parent_id  columns (NULL: there is none)
-- counter      see keep_version: updates that move it are not looked at
CREATE PROCEDURE alloy.log_changes(t regclass, entity_type text, columns text[],
                                   long_columns text[] DEFAULT '{}',
                                   entity_id text DEFAULT 'id',
                                   project_id text DEFAULT NULL,
                                   parent_id text DEFAULT NULL,
                                   counter text DEFAULT NULL)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    migrator  text := current_user;
    name      text := (SELECT 'log_' || relname FROM pg_class WHERE oid = t);
    version   text := (SELECT attname FROM pg_attribute
                        WHERE attrelid = t AND attname = 'version');
    logged    text[] := columns || long_columns;
    row_of    text := 'INSERT INTO alloy.change (org_id, change_id, actor, '
        'on_behalf_of, client, client_name, request_id, operation, entity_type, '
        'entity_id, project_id, parent_id, version, fields, before, after) ';
    on_insert text;
    on_update text;
    on_delete text;
    joined    text;
    differ    text;
    -- One row of the log; %1$s is the alias of the row it tells of.
    who       text := format(
        'SELECT %%1$s.org_id, by_change, by_actor, by_behalf, by_client, '
        'by_name, by_request, by_operation, %L, %%1$s.%I, %s, %s, %s',
        entity_type, entity_id,
        coalesce('%1$s.' || quote_ident(project_id), 'NULL'),
        coalesce('%1$s.' || quote_ident(parent_id), 'NULL'),
        coalesce('%1$s.' || quote_ident(version), 'NULL'));
BEGIN
    IF counter IS NULL THEN
        SELECT 'FROM old_rows o JOIN new_rows n ON '
               || string_agg(format('o.%1$I = n.%1$I', a.attname), ' AND ')
          INTO joined
          FROM pg_index i
          JOIN pg_attribute a ON a.attrelid = t AND a.attnum = ANY (i.indkey)
         WHERE i.indrelid = t AND i.indisprimary;
    ELSE
        joined := 'FROM (SELECT (OLD).*) o CROSS JOIN (SELECT (NEW).*) n';
    END IF;
    -- Each pair is compared once, whatever it is used for afterwards.
    SELECT ', LATERAL (SELECT '
           || string_agg(format('o.%1$I IS DISTINCT FROM n.%1$I AS %1$I', c),
                         ', ') || ' OFFSET 0) d'
      INTO differ FROM unnest(logged) c;

    on_insert := row_of || format(who, 'n') || ', ''{}'', NULL, '
        || alloy.log_object('n', columns) || ' FROM new_rows n';
    on_update := row_of || format(who, 'n') || ', '
        || alloy.log_names(logged, '') || ', '
        || alloy.log_object('o', logged) || ' - '
        || alloy.log_names(logged, 'NOT ') || ', '
        || alloy.log_object('n', columns) || ' - '
        || alloy.log_names(columns, 'NOT ') || ' ' || joined || differ
        || ' WHERE ' || (SELECT string_agg(format('d.%I', c), ' OR ')
                           FROM unnest(logged) c);
    on_delete := row_of || format(who, 'o') || ', ''{}'', '
        || alloy.log_object('o', logged) || ', NULL FROM old_rows o';

    EXECUTE 'SET LOCAL ROLE alloy_definer';
    EXECUTE format($f$
CREATE OR REPLACE FUNCTION definer.%I() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    said         text[] := nullif(current_setting('alloy.call', true), '')::text[];
    by_change    uuid := nullif(said[1], '')::uuid;
    by_actor     uuid := nullif(current_setting('alloy.me', true), '')::uuid;
    by_behalf    text := nullif(said[2], '');
    by_client    text := nullif(said[3], '');
    by_name      text := nullif(said[4], '');
    by_request   text := nullif(said[5], '');
    by_operation text := nullif(said[6], '');
BEGIN
    IF TG_OP = 'INSERT' THEN
        %s;
    ELSIF TG_OP = 'UPDATE' THEN
        %s;
    ELSE
        %s;
    END IF;
    RETURN NULL;
END
$body$;$f$, name, on_insert, on_update, on_delete);
    EXECUTE format('COMMENT ON FUNCTION definer.%I() IS %L', name,
                   'Writes the change log of ' || t::text);
    EXECUTE format('GRANT EXECUTE ON FUNCTION definer.%I() TO %I', name,
                   migrator);
    EXECUTE format('SET LOCAL ROLE %I', migrator);

    EXECUTE format('CREATE OR REPLACE TRIGGER log_insert AFTER INSERT ON %s '
        'REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT '
        'EXECUTE FUNCTION definer.%I()', t, name);
    EXECUTE format('CREATE OR REPLACE TRIGGER log_delete AFTER DELETE ON %s '
        'REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT '
        'EXECUTE FUNCTION definer.%I()', t, name);
    IF counter IS NULL THEN
        EXECUTE format('CREATE OR REPLACE TRIGGER log_update AFTER UPDATE ON %s '
            'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows '
            'FOR EACH STATEMENT EXECUTE FUNCTION definer.%I()', t, name);
    ELSE
        EXECUTE format('CREATE OR REPLACE TRIGGER log_update AFTER UPDATE ON %s '
            'FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.* '
            'AND OLD.%2$I = NEW.%2$I) EXECUTE FUNCTION definer.%3$I()',
            t, counter, name);
    END IF;
END
$$;
COMMENT ON PROCEDURE alloy.log_changes(regclass, text, text[], text[], text,
    text, text, text) IS
    'Makes a table write the change log; repeatable';
