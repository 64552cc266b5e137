-- Signing in and out, and what a user sees of his sessions and their past.
-- Re-applied at every migration, after sql/functions/identity.sql, which holds the
-- pieces these are made of.

SET ROLE alloy_definer;

-- Signing in and out --------------------------------------------------------------

CREATE OR REPLACE FUNCTION definer.login_facts(mail text, address text)
    RETURNS TABLE (user_id uuid, password_hash text, wait integer)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT u.id, u.password_hash, t.wait
      FROM (SELECT definer.throttle_wait(lower(mail), address) AS wait) t
      LEFT JOIN identity.user u
        ON u.email_folded = lower(mail) AND u.disabled_at IS NULL
$$;
COMMENT ON FUNCTION definer.login_facts(text, text) IS
    'What a password is checked against; always one row';

CREATE OR REPLACE FUNCTION definer.login_failed(mail text, throttled boolean,
                                                address text, client text)
    RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF throttled THEN
        PERFORM definer.throttle_fail(lower(mail), address);
    END IF;
    PERFORM definer.note(id, 'login_failed', address, client)
       FROM identity.user WHERE email_folded = lower(mail);
END
$$;
COMMENT ON FUNCTION definer.login_failed(text, boolean, text, text) IS
    'Counts and notes a wrong password';

-- seen: the hash the password was checked against. When it changed meanwhile,
-- the check says nothing any more: no row.
CREATE OR REPLACE FUNCTION definer.login(whom uuid, seen text,
    throttled boolean, session uuid, refresh bytea, lifetime integer,
    address text, client text)
    RETURNS TABLE (user_id uuid, email text, display_name text, wait integer)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    account record;
    blocked integer := 0;
BEGIN
    -- Locked against a change of password, which ends all sessions: one opened
    -- beside it would survive.
    PERFORM FROM identity.user u WHERE u.id = whom FOR SHARE;
    SELECT u.email, u.email_folded, u.display_name INTO account
      FROM identity.user u
     WHERE u.id = whom AND u.password_hash = seen AND u.disabled_at IS NULL;
    IF account.email IS NULL THEN
        RETURN;
    END IF;
    IF throttled THEN
        blocked := definer.throttle_lock(account.email_folded);
    END IF;
    IF blocked = 0 THEN
        DELETE FROM identity.throttle
         WHERE key = 'account ' || account.email_folded;
        PERFORM definer.open_session(whom, session, refresh, lifetime, address,
                                     client);
        PERFORM definer.note(whom, 'login', address, client,
                             jsonb_build_object('session_id', session));
    END IF;
    RETURN QUERY SELECT whom, account.email, account.display_name, blocked;
END
$$;
COMMENT ON FUNCTION definer.login(uuid, text, boolean, uuid, bytea, integer,
    text, text) IS
    'Opens a session for somebody whose password was right';

-- Rotation (RFC 9700, section 4.14.2). The session's row serializes its family.
-- A spent token is answered again only when the answer seems to have been lost:
-- at once, and while nobody used its successor, which is spent by that. Whoever
-- holds a spent token otherwise may be a thief, and so may the other one: the
-- family ends.
CREATE OR REPLACE FUNCTION definer.refresh(sent bytea, fresh bytea,
    lifetime integer, address text, client text)
    RETURNS TABLE (user_id uuid, email text, display_name text, session_id uuid)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    family uuid := (SELECT t.session_id FROM identity.refresh_token t
                     WHERE t.hash = sent);
    token  record;
BEGIN
    PERFORM FROM identity.session s WHERE s.id = family FOR NO KEY UPDATE;
    SELECT t.user_id, t.spent_at, t.successor, u.email, u.display_name
      INTO token
      FROM identity.refresh_token t
      JOIN identity.session s ON s.id = t.session_id AND s.ended_at IS NULL
      JOIN identity.user u ON u.id = t.user_id AND u.disabled_at IS NULL
     WHERE t.hash = sent AND t.expires_at > clock_timestamp();
    IF token.user_id IS NULL THEN
        RETURN;
    END IF;
    IF token.spent_at IS NOT NULL
       AND (token.spent_at < clock_timestamp() - interval '60 seconds'
            OR NOT EXISTS (SELECT FROM identity.refresh_token t
                            WHERE t.hash = token.successor
                              AND t.spent_at IS NULL)) THEN
        UPDATE identity.session s SET ended_at = clock_timestamp()
         WHERE s.id = family;
        PERFORM definer.note(token.user_id, 'refresh_reuse', address, client,
                             jsonb_build_object('session_id', family));
        RETURN;
    END IF;
    UPDATE identity.refresh_token t
       SET spent_at = coalesce(t.spent_at, clock_timestamp()),
           successor = fresh
     WHERE t.hash IN (sent, token.successor);
    INSERT INTO identity.refresh_token (hash, session_id, user_id, expires_at)
    VALUES (fresh, family, token.user_id,
            clock_timestamp() + lifetime * interval '1 second');
    UPDATE identity.session s SET last_used_at = clock_timestamp()
     WHERE s.id = family;
    RETURN QUERY SELECT token.user_id, token.email, token.display_name, family;
END
$$;
COMMENT ON FUNCTION definer.refresh(bytea, bytea, integer, text, text) IS
    'A new refresh token for one sent; ends the family when it was spent';

CREATE OR REPLACE FUNCTION definer.logout(session uuid, sent bytea,
                                          address text, client text)
    RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ended record;
BEGIN
    FOR ended IN
        SELECT s.id, s.user_id FROM identity.session s
         WHERE s.ended_at IS NULL
           AND ((s.id = session AND s.user_id = definer.me())
                OR s.id = (SELECT t.session_id FROM identity.refresh_token t
                            WHERE t.hash = sent))
         ORDER BY s.id FOR NO KEY UPDATE
    LOOP
        UPDATE identity.session SET ended_at = clock_timestamp()
         WHERE id = ended.id;
        PERFORM definer.note(ended.user_id, 'logout', address, client,
                             jsonb_build_object('session_id', ended.id));
    END LOOP;
END
$$;
COMMENT ON FUNCTION definer.logout(uuid, bytea, text, text) IS
    'Ends the caller''s session and that of a refresh token, where there are any';

-- Sessions and events -------------------------------------------------------------

CREATE OR REPLACE FUNCTION definer.my_sessions(most integer,
    after_at timestamptz, after_id uuid)
    RETURNS TABLE (id uuid, created_at timestamptz, last_used_at timestamptz,
                   client text, address text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.id, s.created_at, s.last_used_at, s.client, s.address
      FROM identity.session s
     WHERE s.user_id = definer.me() AND s.ended_at IS NULL
       AND (s.created_at, s.id) < (coalesce(after_at, 'infinity'),
                                   coalesce(after_id, s.id))
       -- Without a token left it is over, though nobody ended it.
       AND EXISTS (SELECT FROM identity.refresh_token t
                    WHERE t.session_id = s.id AND t.spent_at IS NULL
                      AND t.expires_at > clock_timestamp())
     ORDER BY s.created_at DESC, s.id DESC
     LIMIT most
$$;
COMMENT ON FUNCTION definer.my_sessions(integer, timestamptz, uuid) IS
    'The caller''s live sessions, newest first';

CREATE OR REPLACE FUNCTION definer.my_session_end(session uuid, address text,
                                                  client text)
    RETURNS SETOF uuid LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE identity.session SET ended_at = clock_timestamp()
     WHERE id = my_session_end.session AND user_id = definer.me()
       AND ended_at IS NULL;
    IF FOUND THEN
        PERFORM definer.note(definer.me(), 'session_ended', address, client,
                             jsonb_build_object('session_id', session));
        RETURN NEXT session;
    END IF;
END
$$;
COMMENT ON FUNCTION definer.my_session_end(uuid, text, text) IS
    'Ends one of the caller''s sessions; no row when he has no such';

-- An event's id as callers see it: a UUIDv7 of its time and number, so that the
-- index by number serves the pages.
CREATE OR REPLACE FUNCTION definer.my_events(most integer, after_id uuid)
    RETURNS TABLE (id uuid, at timestamptz, kind text, address text,
                   client text, detail jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM e.at) * 1000)::bigint), 12, '0')
            || '70008' || lpad(to_hex(e.id), 15, '0'))::uuid,
           e.at, e.kind, e.address, e.client, e.detail
      FROM identity.event e
     WHERE e.user_id = definer.me()
       AND e.id < CASE WHEN after_id IS NULL THEN 9223372036854775807
                  ELSE ('x0' || right(replace(after_id::text, '-', ''), 15))
                       ::bit(64)::bigint END
     ORDER BY e.id DESC
     LIMIT most
$$;
COMMENT ON FUNCTION definer.my_events(integer, uuid) IS
    'What happened to the caller''s account, newest first';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA definer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    definer.login_facts(text, text),
    definer.login_failed(text, boolean, text, text),
    definer.login(uuid, text, boolean, uuid, bytea, integer, text, text),
    definer.refresh(bytea, bytea, integer, text, text),
    definer.logout(uuid, bytea, text, text),
    definer.my_sessions(integer, timestamptz, uuid),
    definer.my_session_end(uuid, text, text),
    definer.my_events(integer, uuid)
    TO alloy_app;

SET ROLE alloy_owner;
