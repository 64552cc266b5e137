-- The caller's own account and password, and reset codes.
-- Re-applied at every migration, after sql/functions/identity.sql, which holds the
-- pieces these are made of.

SET ROLE alloy_definer;

-- The caller himself --------------------------------------------------------------

CREATE OR REPLACE FUNCTION definer.my_account(key uuid)
    RETURNS TABLE (user_id uuid, email text, display_name text,
                   default_org_id uuid, key_org_id uuid, token json)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT u.id, u.email, u.display_name, u.default_org_id, k.org_id,
           json_build_object(
               'kind', CASE WHEN k.id IS NULL THEN 'session' ELSE 'api_key' END,
               'name', k.name,
               'scopes', coalesce(k.scopes, '{*}'),
               'project_ids', k.project_ids,
               'read_only', coalesce(k.read_only, false),
               'max_writes', k.max_writes,
               'writes_used', k.writes_used,
               'expires_at', to_char(k.expires_at AT TIME ZONE 'UTC',
                                     'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'on_behalf_of', k.on_behalf_of)
      FROM identity.user u
      LEFT JOIN identity.api_key k ON k.id = key AND k.user_id = u.id
     WHERE u.id = definer.me()
$$;
COMMENT ON FUNCTION definer.my_account(uuid) IS
    'The caller, and what the token he came with may do';

CREATE OR REPLACE FUNCTION definer.my_account_update(names boolean, person text,
                                                     homes boolean, home uuid)
    RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    UPDATE identity.user
       SET display_name = CASE WHEN names THEN person ELSE display_name END,
           default_org_id = CASE WHEN homes THEN home ELSE default_org_id END
     WHERE id = definer.me()
$$;
COMMENT ON FUNCTION definer.my_account_update(boolean, text, boolean, uuid) IS
    'Changes those of the caller''s fields that are flagged';

CREATE OR REPLACE FUNCTION definer.my_password(address text)
    RETURNS TABLE (email text, password_hash text, wait integer)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT u.email, u.password_hash,
           definer.throttle_wait(u.email_folded, address)
      FROM identity.user u WHERE u.id = definer.me()
$$;
COMMENT ON FUNCTION definer.my_password(text) IS
    'What the caller''s password is checked against';

-- seen: the hash the current password was checked against. Locks are taken in the
-- order user, sessions, principal (by the triggers), as everywhere.
CREATE OR REPLACE FUNCTION definer.my_password_set(seen text, fresh text,
    kept uuid, address text, client text)
    RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    mail  text;
    ended bigint;
BEGIN
    SELECT email_folded INTO mail FROM identity.user
     WHERE id = definer.me() AND password_hash = seen
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    ended := definer.close_sessions(definer.me(), kept);
    UPDATE identity.user SET password_hash = fresh WHERE id = definer.me();
    UPDATE identity.reset_code SET used_at = clock_timestamp()
     WHERE user_id = definer.me() AND used_at IS NULL;
    DELETE FROM identity.throttle WHERE key = 'account ' || mail;
    PERFORM definer.note(definer.me(), 'password_changed', address, client,
                         jsonb_build_object('sessions_ended', ended));
    RETURN true;
END
$$;
COMMENT ON FUNCTION definer.my_password_set(text, text, uuid, text, text) IS
    'Sets a new password and ends all sessions but one; false: changed meanwhile';

-- Reset codes ---------------------------------------------------------------------

-- May an Owner of this organization give somebody a new password? Only when it
-- opens nothing but this organization. A personal one counts as soon as there is
-- a project or another person in it.
CREATE OR REPLACE FUNCTION definer.belongs_only_to(whom uuid, org uuid)
    RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM alloy.membership m
                    WHERE m.org_id = org AND m.user_id = whom
                      AND m.removed_at IS NULL)
       AND NOT EXISTS (
        SELECT FROM identity.affiliation a
          JOIN alloy.organization o ON o.org_id = a.org_id
         WHERE a.user_id = whom AND a.live AND a.org_id <> org
           AND o.deleted_at IS NULL
           AND (NOT o.is_personal
                OR EXISTS (SELECT FROM alloy.project p
                            WHERE p.org_id = a.org_id)
                OR EXISTS (SELECT FROM alloy.membership m
                            WHERE m.org_id = a.org_id AND m.user_id <> whom
                              AND m.removed_at IS NULL)))
$$;

CREATE OR REPLACE FUNCTION definer.reset_make(org uuid, whom uuid, code bytea,
                                              address text, client text)
    RETURNS TABLE (user_id uuid, expires_at timestamptz, _refusal text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    until timestamptz := clock_timestamp() + interval '24 hours';
BEGIN
    IF NOT EXISTS (SELECT FROM alloy.membership m
                    WHERE m.org_id = org AND m.user_id = definer.me()
                      AND m.role = 'Owner' AND m.removed_at IS NULL)
       OR NOT EXISTS (SELECT FROM alloy.membership m
                       WHERE m.org_id = org AND m.user_id = whom
                         AND m.removed_at IS NULL) THEN
        RETURN;
    END IF;
    IF NOT definer.belongs_only_to(whom, org) THEN
        RETURN QUERY SELECT whom, NULL::timestamptz, 'elsewhere';
        RETURN;
    END IF;
    UPDATE identity.reset_code r SET used_at = clock_timestamp()
     WHERE r.user_id = whom AND r.used_at IS NULL;
    INSERT INTO identity.reset_code (hash, user_id, expires_at, org_id,
                                     created_by)
    VALUES (code, whom, until, org, definer.me());
    PERFORM definer.note(whom, 'reset_offered', address, client,
                         jsonb_build_object('by', definer.me(),
                                            'org_id', org));
    RETURN QUERY SELECT whom, until, NULL::text;
END
$$;
COMMENT ON FUNCTION definer.reset_make(uuid, uuid, bytea, text, text) IS
    'Keeps a one-time code by which a member can set a new password';

CREATE OR REPLACE FUNCTION definer.reset_user(code bytea) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.user_id
      FROM identity.reset_code r
      JOIN identity.user u ON u.id = r.user_id AND u.disabled_at IS NULL
     WHERE r.hash = code AND r.used_at IS NULL
       AND r.expires_at > clock_timestamp()
       AND (r.org_id IS NULL OR definer.belongs_only_to(r.user_id, r.org_id))
$$;
COMMENT ON FUNCTION definer.reset_user(bytea) IS
    'Whom a reset code is for; NULL when it is wrong, used or expired';

CREATE OR REPLACE FUNCTION definer.reset_use(code bytea, fresh text,
                                             address text, client text)
    RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    whom uuid;
    mail text;
BEGIN
    PERFORM FROM identity.reset_code WHERE hash = code FOR UPDATE;
    whom := definer.reset_user(code);
    IF whom IS NULL THEN
        RETURN false;
    END IF;
    SELECT email_folded INTO mail FROM identity.user
     WHERE id = whom FOR NO KEY UPDATE;
    PERFORM definer.note(whom, 'reset', address, client,
                         jsonb_build_object('sessions_ended',
                             definer.close_sessions(whom, NULL)));
    UPDATE identity.user SET password_hash = fresh WHERE id = whom;
    UPDATE identity.reset_code SET used_at = clock_timestamp()
     WHERE hash = code;
    DELETE FROM identity.throttle WHERE key = 'account ' || mail;
    RETURN true;
END
$$;
COMMENT ON FUNCTION definer.reset_use(bytea, text, text, text) IS
    'Sets the password a reset code was made for and ends every session';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA definer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    definer.my_account(uuid),
    definer.my_account_update(boolean, text, boolean, uuid),
    definer.my_password(text),
    definer.my_password_set(text, text, uuid, text, text),
    definer.reset_make(uuid, uuid, bytea, text, text),
    definer.reset_user(bytea),
    definer.reset_use(bytea, text, text, text)
    TO alloy_app;

SET ROLE alloy_owner;
