-- API keys: made, listed, revoked.
-- Re-applied at every migration, after sql/functions/identity.sql, which holds the
-- pieces these are made of.

SET ROLE alloy_definer;

-- Is every scope of one set within the other? Writing includes reading.
CREATE OR REPLACE FUNCTION definer.scopes_within(inner_scopes text[],
                                                 outer_scopes text[])
    RETURNS boolean LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT '*' = ANY (outer_scopes)
        OR NOT EXISTS (
           SELECT FROM unnest(inner_scopes) s
            WHERE s <> ALL (outer_scopes)
              AND regexp_replace(s, ':read$', ':write') <> ALL (outer_scopes))
$$;

-- In what a new key would be wider than the one that makes it.
CREATE OR REPLACE FUNCTION definer.key_excess(maker identity.api_key,
                                              made identity.api_key)
    RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN maker.org_id IS NOT NULL
             AND made.org_id IS DISTINCT FROM maker.org_id THEN 'wider_org'
        WHEN NOT definer.scopes_within(made.scopes, maker.scopes)
            THEN 'wider_scopes'
        WHEN maker.project_ids IS NOT NULL
             AND NOT coalesce(made.project_ids <@ maker.project_ids, false)
            THEN 'wider_projects'
        WHEN maker.read_only AND NOT made.read_only THEN 'wider_read_only'
        WHEN maker.on_behalf_of IS NOT NULL
             AND made.on_behalf_of IS DISTINCT FROM maker.on_behalf_of
            THEN 'other_behalf'
        WHEN maker.expires_at IS NOT NULL
             AND coalesce(made.expires_at > maker.expires_at, true)
            THEN 'wider_expiry'
        -- Making a key is a write itself.
        WHEN maker.max_writes IS NOT NULL
             AND coalesce(maker.writes_used + made.max_writes + 1
                          > maker.max_writes, true) THEN 'wider_writes'
        END
$$;

-- What is left out is taken over from the key that makes it. A budget of writes
-- is handed on, not multiplied: the maker's shrinks by as much.
CREATE OR REPLACE FUNCTION definer.my_key_make(maker_id uuid, key_id uuid,
    key_hash bytea, key_hint text, key_name text, org uuid, key_scopes text[],
    projects uuid[], only_reads boolean, writes bigint, until timestamptz,
    behalf text, address text, client text)
    RETURNS TABLE (id uuid, name text, hint text, org_id uuid, scopes text[],
                   project_ids uuid[], read_only boolean, max_writes bigint,
                   writes_used bigint, expires_at timestamptz,
                   on_behalf_of text, created_at timestamptz,
                   last_used_at timestamptz, _refusal text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    maker  identity.api_key;
    made   identity.api_key;
    excess text;
BEGIN
    SELECT k.* INTO maker FROM identity.api_key k
     WHERE k.id = maker_id AND k.user_id = definer.me()
       FOR NO KEY UPDATE;
    IF definer.me() IS NULL OR (maker_id IS NOT NULL AND maker.id IS NULL) THEN
        RETURN;
    END IF;
    made.org_id := coalesce(org, maker.org_id);
    made.scopes := coalesce(key_scopes, maker.scopes, '{*}');
    made.project_ids := coalesce(projects, maker.project_ids);
    made.read_only := coalesce(only_reads, maker.read_only, false);
    made.max_writes := writes;
    made.expires_at := coalesce(until, maker.expires_at);
    made.on_behalf_of := coalesce(behalf, maker.on_behalf_of);
    excess := CASE
        WHEN until <= clock_timestamp() THEN 'expires_early'
        WHEN EXISTS (SELECT FROM unnest(made.project_ids) l
                      WHERE made.org_id IS NOT NULL
                        AND NOT EXISTS (SELECT FROM alloy.project p
                                         WHERE p.org_id = made.org_id
                                           AND p.id = l))
            THEN 'projects_elsewhere'
        WHEN maker.id IS NOT NULL THEN definer.key_excess(maker, made) END;
    IF excess IS NULL THEN
        UPDATE identity.api_key k SET writes_used = k.writes_used + writes
         WHERE k.id = maker.id AND k.max_writes IS NOT NULL;
        INSERT INTO identity.api_key (id, user_id, hash, hint, name, org_id,
                                      scopes, project_ids, read_only,
                                      max_writes, expires_at, on_behalf_of)
        VALUES (key_id, definer.me(), key_hash, key_hint, key_name, made.org_id,
                made.scopes, made.project_ids, made.read_only, made.max_writes,
                made.expires_at, made.on_behalf_of)
        RETURNING * INTO made;
        PERFORM definer.note(definer.me(), 'key_created', address, client,
                             jsonb_build_object('key_id', key_id,
                                                'name', key_name,
                                                'made_by_key', maker.id));
    END IF;
    RETURN QUERY SELECT made.id, made.name, made.hint, made.org_id, made.scopes,
        made.project_ids, made.read_only, made.max_writes, made.writes_used,
        made.expires_at, made.on_behalf_of, made.created_at, made.last_used_at,
        excess;
END
$$;
COMMENT ON FUNCTION definer.my_key_make(uuid, uuid, bytea, text, text, uuid,
    text[], uuid[], boolean, bigint, timestamptz, text, text, text) IS
    'Makes an API key, never wider than the one that asks for it';

-- A key that is bound to an organization knows only of that one's keys.
CREATE OR REPLACE FUNCTION definer.my_keys(maker uuid, most integer,
    after_at timestamptz, after_id uuid)
    RETURNS TABLE (id uuid, name text, hint text, org_id uuid, scopes text[],
                   project_ids uuid[], read_only boolean, max_writes bigint,
                   writes_used bigint, expires_at timestamptz,
                   on_behalf_of text, created_at timestamptz,
                   last_used_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT k.id, k.name, k.hint, k.org_id, k.scopes, k.project_ids, k.read_only,
           k.max_writes, k.writes_used, k.expires_at, k.on_behalf_of,
           k.created_at, k.last_used_at
      FROM identity.api_key k
     WHERE k.user_id = definer.me() AND k.revoked_at IS NULL
       AND (k.created_at, k.id) < (coalesce(after_at, 'infinity'),
                                   coalesce(after_id, k.id))
       AND NOT EXISTS (SELECT FROM identity.api_key b
                        WHERE b.id = maker AND b.org_id IS NOT NULL
                          AND b.org_id IS DISTINCT FROM k.org_id)
     ORDER BY k.created_at DESC, k.id DESC
     LIMIT most
$$;
COMMENT ON FUNCTION definer.my_keys(uuid, integer, timestamptz, uuid) IS
    'The caller''s API keys, newest first';

CREATE OR REPLACE FUNCTION definer.my_key_revoke(maker uuid, key uuid,
                                                 address text, client text)
    RETURNS SETOF uuid LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE identity.api_key k SET revoked_at = clock_timestamp()
     WHERE k.id = key AND k.user_id = definer.me() AND k.revoked_at IS NULL
       AND NOT EXISTS (SELECT FROM identity.api_key b
                        WHERE b.id = maker AND b.org_id IS NOT NULL
                          AND b.org_id IS DISTINCT FROM k.org_id);
    IF FOUND THEN
        PERFORM definer.note(definer.me(), 'key_revoked', address, client,
                             jsonb_build_object('key_id', key));
        RETURN NEXT key;
    END IF;
END
$$;
COMMENT ON FUNCTION definer.my_key_revoke(uuid, uuid, text, text) IS
    'Revokes one of the caller''s API keys; no row when he has no such';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA definer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    definer.my_key_make(uuid, uuid, bytea, text, text, uuid, text[], uuid[],
                        boolean, bigint, timestamptz, text, text, text),
    definer.my_keys(uuid, integer, timestamptz, uuid),
    definer.my_key_revoke(uuid, uuid, text, text)
    TO alloy_app;

SET ROLE alloy_owner;
