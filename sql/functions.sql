-- Functions that statements call. Re-applied at every migration, so each is
-- CREATE OR REPLACE; what triggers and policies hang on is made by migrations.
-- A function whose arguments or columns change is dropped in a migration first.

-- Plain functions: the caller's rights and fences ---------------------------------------

-- The workflow every organization starts with. The id is made by the caller,
-- whose alloy.orgs names the organization.
CREATE OR REPLACE FUNCTION alloy.workflow_make_default(org uuid, workflow uuid)
    RETURNS uuid LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    WITH made AS (
        INSERT INTO alloy.workflow (org_id, id, name, enforcement, is_default)
        VALUES (org, workflow, 'Default', 'none', true)
        RETURNING org_id, id
    ), filled AS (
        INSERT INTO alloy.workflow_status (org_id, workflow_id, name, category,
                                           position)
        SELECT made.org_id, made.id, s.name, s.category, s.position
          FROM made, (VALUES ('Backlog', 'todo', 1),
                             ('Todo', 'todo', 2),
                             ('InProgress', 'in_progress', 3),
                             ('InReview', 'in_progress', 4),
                             ('Done', 'done', 5),
                             ('Cancelled', 'done', 6)
                     ) AS s (name, category, position)
    )
    SELECT id FROM made
$$;
COMMENT ON FUNCTION alloy.workflow_make_default(uuid, uuid) IS
    'Makes a new organization''s Default workflow; answers its id';

-- PostgreSQL also takes POSIX rules ("FOO+3"), which no client knows.
CREATE OR REPLACE FUNCTION alloy.timezone_known(zone text) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF zone !~ '^[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+)*$' THEN
        RETURN false;
    END IF;
    PERFORM now() AT TIME ZONE zone;
    RETURN true;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION alloy.timezone_known(text) IS
    'Whether this is the name of a time zone, as organization.timezone takes it';

GRANT EXECUTE ON FUNCTION alloy.workflow_make_default(uuid, uuid),
                          alloy.timezone_known(text)
   TO alloy_app;

-- Definer functions: past every fence, so each one names whom it looks for -------------

SET ROLE alloy_definer;

-- What one statement can tell about a caller. Everything comes from the caller's
-- snapshot (the function is STABLE), so the version fits the rest.
--
-- key_org and key_projects are a key's limits, NULL for a session. org_all is
-- false for every organization when a key lists projects; projects then are
-- those of its list that the user really sees. At most 501 projects: one more
-- than travel in a setting tells that there are more.
CREATE OR REPLACE FUNCTION definer.principal_access(whom uuid, key_org uuid,
                                                    key_projects uuid[])
    RETURNS TABLE (version bigint, email text, display_name text,
                   default_org_id uuid, org_ids uuid[], org_slugs text[],
                   org_roles text[], org_all boolean[], org_personal boolean[],
                   projects uuid[])
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH org AS MATERIALIZED (
        SELECT o.org_id, o.slug, m.role, o.is_personal,
               m.role IN ('Owner', 'Admin')
               OR (o.project_visibility = 'org'
                   AND m.role IN ('Member', 'Viewer')) AS sees_all
          FROM identity.affiliation a
          JOIN alloy.membership m
            ON m.org_id = a.org_id AND m.user_id = a.user_id
          JOIN alloy.organization o ON o.org_id = a.org_id
         WHERE a.user_id = whom AND a.live
           AND m.removed_at IS NULL AND o.deleted_at IS NULL
           AND (key_org IS NULL OR a.org_id = key_org)
    ), listed AS (
        SELECT m.project_id
          FROM org
          JOIN alloy.project_member m
            ON m.org_id = org.org_id AND m.user_id = whom
         WHERE key_projects IS NULL AND NOT org.sees_all
        UNION ALL
        SELECT p.id
          FROM org
          JOIN alloy.project p
            ON p.org_id = org.org_id AND p.id = ANY (key_projects)
         WHERE org.sees_all
            OR EXISTS (SELECT FROM alloy.project_member m
                        WHERE m.org_id = p.org_id AND m.project_id = p.id
                          AND m.user_id = whom)
        LIMIT 501
    )
    SELECT pr.version, u.email, u.display_name, u.default_org_id,
           o.ids, o.slugs, o.roles, o.sees_all, o.personal,
           ARRAY(SELECT project_id FROM listed)
      FROM identity.user u
      JOIN identity.principal pr ON pr.user_id = u.id
     CROSS JOIN (
        SELECT coalesce(array_agg(org_id ORDER BY org_id), '{}') AS ids,
               coalesce(array_agg(slug ORDER BY org_id), '{}') AS slugs,
               coalesce(array_agg(role ORDER BY org_id), '{}') AS roles,
               coalesce(array_agg(sees_all AND key_projects IS NULL
                                  ORDER BY org_id), '{}') AS sees_all,
               coalesce(array_agg(is_personal ORDER BY org_id), '{}') AS personal
          FROM org) o
     WHERE u.id = whom AND u.disabled_at IS NULL
$$;
COMMENT ON FUNCTION definer.principal_access(uuid, uuid, uuid[]) IS
    'Name, organizations, roles and projects of a user; for the two below';

CREATE OR REPLACE FUNCTION definer.principal_of_session(session uuid)
    RETURNS TABLE (user_id uuid, version bigint, email text, display_name text,
                   default_org_id uuid, session_id uuid, key_id uuid,
                   key_org_id uuid, scopes text[], read_only boolean,
                   max_writes bigint, writes_used bigint,
                   expires_at timestamptz, on_behalf_of text,
                   project_limited boolean, org_ids uuid[], org_slugs text[],
                   org_roles text[], org_all boolean[], org_personal boolean[],
                   projects uuid[])
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.user_id, a.version, a.email, a.display_name, a.default_org_id,
           s.id, NULL::uuid, NULL::uuid, NULL::text[], false,
           NULL::bigint, NULL::bigint, NULL::timestamptz, NULL::text,
           false, a.org_ids, a.org_slugs, a.org_roles, a.org_all,
           a.org_personal, a.projects
      FROM identity.session s
     CROSS JOIN LATERAL definer.principal_access(s.user_id, NULL, NULL) a
     WHERE s.id = session AND s.ended_at IS NULL
$$;
COMMENT ON FUNCTION definer.principal_of_session(uuid) IS
    'The caller behind a session; no row when it has ended';

CREATE OR REPLACE FUNCTION definer.principal_of_key(key_hash bytea)
    RETURNS TABLE (user_id uuid, version bigint, email text, display_name text,
                   default_org_id uuid, session_id uuid, key_id uuid,
                   key_org_id uuid, scopes text[], read_only boolean,
                   max_writes bigint, writes_used bigint,
                   expires_at timestamptz, on_behalf_of text,
                   project_limited boolean, org_ids uuid[], org_slugs text[],
                   org_roles text[], org_all boolean[], org_personal boolean[],
                   projects uuid[])
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT k.user_id, a.version, a.email, a.display_name, a.default_org_id,
           NULL::uuid, k.id, k.org_id, k.scopes, k.read_only,
           k.max_writes, k.writes_used, k.expires_at, k.on_behalf_of,
           k.project_ids IS NOT NULL, a.org_ids, a.org_slugs, a.org_roles,
           a.org_all, a.org_personal, a.projects
      FROM identity.api_key k
     CROSS JOIN LATERAL definer.principal_access(k.user_id, k.org_id,
                                                 k.project_ids) a
     WHERE k.hash = key_hash AND k.revoked_at IS NULL
       AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
$$;
COMMENT ON FUNCTION definer.principal_of_key(bytea) IS
    'The caller behind an API key; no row when it is revoked or expired';

CREATE OR REPLACE FUNCTION definer.principal_version(whom uuid) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT version FROM identity.principal WHERE user_id = whom
$$;
COMMENT ON FUNCTION definer.principal_version(uuid) IS
    'What a cached principal is compared with; NULL: no such user';

-- Part of the write's own transaction: an aborted write gives its count back.
CREATE OR REPLACE FUNCTION definer.key_spend(key uuid) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE identity.api_key SET writes_used = writes_used + 1
     WHERE id = key AND max_writes IS NOT NULL AND writes_used < max_writes;
    IF NOT FOUND AND EXISTS (SELECT FROM identity.api_key
                              WHERE id = key AND max_writes IS NOT NULL) THEN
        RAISE EXCEPTION 'the write budget of this key is spent'
            USING ERRCODE = 'AL001';
    END IF;
END
$$;
COMMENT ON FUNCTION definer.key_spend(uuid) IS
    'Counts one write of a key; SQLSTATE AL001 when its budget is spent';

CREATE OR REPLACE FUNCTION definer.mark_used(sessions uuid[], keys uuid[])
    RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    UPDATE identity.session SET last_used_at = clock_timestamp()
     WHERE id = ANY (sessions) AND ended_at IS NULL;
    UPDATE identity.api_key SET last_used_at = clock_timestamp()
     WHERE id = ANY (keys) AND revoked_at IS NULL
$$;
COMMENT ON FUNCTION definer.mark_used(uuid[], uuid[]) IS
    'Stamps last_used_at; sent in the background, never by a request';

-- For the second look, after a write affected no row: was it the slug, the room?
CREATE OR REPLACE FUNCTION definer.slug_free(wanted text, org uuid)
    RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT EXISTS (SELECT FROM identity.slug
                        WHERE slug = wanted AND org_id IS DISTINCT FROM org)
$$;
COMMENT ON FUNCTION definer.slug_free(text, uuid) IS
    'Whether this organization (NULL: a new one) can have the slug';

CREATE OR REPLACE FUNCTION definer.membership_room(whom uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) < 200 FROM identity.affiliation
     WHERE user_id = whom AND live
$$;
COMMENT ON FUNCTION definer.membership_room(uuid) IS
    'Whether a user can join another organization';

-- Repeated requests. The caller holds the advisory lock of this key.
CREATE OR REPLACE FUNCTION definer.idempotency_find(who text, what text,
                                                    request_key text)
    RETURNS TABLE (body_hash bytea, status integer, headers jsonb, body bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT i.body_hash, i.status, i.headers, i.body
      FROM identity.idempotency i
     WHERE i.principal = who AND i.operation = what AND i.key = request_key
       AND i.created_at > clock_timestamp() - interval '24 hours'
$$;
COMMENT ON FUNCTION definer.idempotency_find(text, text, text) IS
    'The answer stored under an Idempotency-Key within 24 hours';

CREATE OR REPLACE FUNCTION definer.idempotency_keep(who text, what text,
    request_key text, request_hash bytea, answer_status integer,
    answer_headers jsonb, answer_body bytea)
    RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO identity.idempotency
        (principal, operation, key, body_hash, status, headers, body)
    VALUES (who, what, request_key, request_hash, answer_status,
            coalesce(answer_headers, '{}'), answer_body)
    -- Only an expired one can be there: a fresh one would have been answered.
    ON CONFLICT (principal, operation, key) DO UPDATE
       SET body_hash = excluded.body_hash, status = excluded.status,
           headers = excluded.headers, body = excluded.body,
           created_at = excluded.created_at
$$;
COMMENT ON FUNCTION definer.idempotency_keep(text, text, text, bytea, integer,
    jsonb, bytea) IS 'Stores a committed answer under an Idempotency-Key';

-- Nothing reads these rows any more. In slices: the caller repeats while the
-- answer is the limit or more, so no transaction is long.
CREATE OR REPLACE FUNCTION definer.sweep(slice integer) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    WITH answers AS (
        DELETE FROM identity.idempotency
         WHERE ctid = ANY (ARRAY(
               SELECT ctid FROM identity.idempotency
                WHERE created_at < clock_timestamp() - interval '24 hours'
                LIMIT slice))
        RETURNING 1
    ), tokens AS (
        DELETE FROM identity.refresh_token
         WHERE ctid = ANY (ARRAY(
               SELECT ctid FROM identity.refresh_token
                WHERE expires_at < clock_timestamp() - interval '1 day'
                LIMIT slice))
        RETURNING 1
    ), failures AS (
        DELETE FROM identity.throttle
         WHERE ctid = ANY (ARRAY(
               SELECT ctid FROM identity.throttle
                WHERE last_at < clock_timestamp() - interval '1 day'
                  AND (blocked_until IS NULL
                       OR blocked_until < clock_timestamp())
                LIMIT slice))
        RETURNING 1
    ), codes AS (
        DELETE FROM identity.reset_code
         WHERE ctid = ANY (ARRAY(
               SELECT ctid FROM identity.reset_code
                WHERE expires_at < clock_timestamp() - interval '1 day'
                LIMIT slice))
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM answers) + (SELECT count(*) FROM tokens)
         + (SELECT count(*) FROM failures) + (SELECT count(*) FROM codes)
$$;
COMMENT ON FUNCTION definer.sweep(integer) IS
    'Deletes what has expired, at most so many rows of each kind';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA definer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    definer.principal_of_session(uuid),
    definer.principal_of_key(bytea),
    definer.principal_version(uuid),
    definer.key_spend(uuid),
    definer.mark_used(uuid[], uuid[]),
    definer.slug_free(text, uuid),
    definer.membership_room(uuid),
    definer.idempotency_find(text, text, text),
    definer.idempotency_keep(text, text, text, bytea, integer, jsonb, bytea),
    definer.sweep(integer)
    TO alloy_app;

SET ROLE alloy_owner;
