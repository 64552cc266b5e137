-- Accounts, sessions, tokens, API keys: the functions behind these nouns.
-- Re-applied at every migration, after sql/functions.sql.
--
-- A call nobody signed carries alloy.me = '': functions named my_... then find
-- nobody and do nothing. Refusals are a column, because a refusal that is an
-- error would undo what must stay (a counted failure) and abort its neighbours.
-- That is why everything that can be refused is asked before the first row is
-- written.

-- Plain functions: the caller's rights and fences ---------------------------------

-- A slug from a name; suffixed by the caller when it is taken.
CREATE OR REPLACE FUNCTION alloy.slug_of(name text, fallback text) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN s IN ('', 'none', 'me')
                  OR s ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                THEN fallback ELSE s END
      FROM trim(BOTH '-' FROM left(trim(BOTH '-' FROM
               regexp_replace(lower(name), '[^a-z0-9]+', '-', 'g')), 50)) AS s
$$;
COMMENT ON FUNCTION alloy.slug_of(text, text) IS
    'A slug made of a name; fallback when no letter or digit is left';

-- An organization with its Owner and its Default workflow. Without a slug of
-- the caller's choice one is found: part of the id makes it unique, because
-- counting upwards would tell strangers how many bear that name.
CREATE OR REPLACE FUNCTION alloy.organization_found(org uuid, workflow uuid,
    owner uuid, org_name text, org_slug text, org_currency text,
    personal boolean, zone text DEFAULT NULL, projects text DEFAULT NULL,
    finances text DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base   text := alloy.slug_of(org_name, 'org');
    suffix text := md5(org::text);
    taken  text;
BEGIN
    FOREACH taken IN ARRAY CASE WHEN org_slug IS NOT NULL THEN ARRAY[org_slug]
        ELSE ARRAY[base, base || '-' || left(suffix, 6),
                   left(base, 30) || '-' || suffix] END
    LOOP
        INSERT INTO alloy.organization (org_id, name, slug, currency, is_personal,
                                        timezone, project_visibility,
                                        finance_visibility)
        VALUES (org, org_name, taken, coalesce(org_currency, 'USD'), personal,
                coalesce(zone, 'UTC'), coalesce(projects, 'members'),
                coalesce(finances, 'admins'));
        IF FOUND THEN
            INSERT INTO alloy.membership (org_id, user_id, role)
            VALUES (org, owner, 'Owner');
            PERFORM alloy.workflow_make_default(org, workflow);
            RETURN taken;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION alloy.organization_found(uuid, uuid, uuid, text, text, text,
    boolean, text, text, text) IS
    'Makes an organization with Owner and workflow; its slug, NULL when taken';

-- Nobody is signed in when somebody registers: from here on the new user acts.
CREATE OR REPLACE FUNCTION alloy.act_as(whom uuid, orgs uuid[]) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT set_config('alloy.me', whom::text, true),
           set_config('alloy.orgs', orgs::text, true),
           set_config('alloy.all', orgs::text, true)
$$;

-- Registration as one statement. The identity's part is a definer function; all
-- rows of organizations are written behind the fence like anybody's.
CREATE OR REPLACE FUNCTION alloy.register(new_user uuid, new_session uuid,
    new_org uuid, new_workflow uuid, mail text, person text, password text,
    refresh bytea, lifetime integer, invite bytea, address text, client text)
    RETURNS TABLE (user_id uuid, email text, display_name text, org_id uuid,
                   _refusal text)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    joined record;
BEGIN
    SELECT * INTO joined
      FROM definer.register(new_user, new_session, mail, person, password,
                            refresh, lifetime, invite, address, client);
    IF joined.refusal IS NULL THEN
        PERFORM alloy.act_as(new_user,
                             array_remove(ARRAY[new_org, joined.org_id], NULL));
        PERFORM alloy.organization_found(new_org, new_workflow, new_user, person,
                                         NULL, NULL, true);
        INSERT INTO alloy.membership (org_id, user_id, role)
        SELECT joined.org_id, new_user, joined.role
         WHERE joined.org_id IS NOT NULL;
        UPDATE alloy.invite i
           SET accepted_by = new_user, accepted_at = clock_timestamp()
         WHERE i.org_id = joined.org_id AND i.id = joined.invite_id;
    END IF;
    RETURN QUERY SELECT new_user, mail, person, new_org, joined.refusal;
END
$$;
COMMENT ON FUNCTION alloy.register(uuid, uuid, uuid, uuid, text, text, text,
    bytea, integer, bytea, text, text) IS
    'A new user with a personal organization, a session, perhaps an invite';

-- Setting a server up: the first user, his own organization and a shared one.
CREATE OR REPLACE FUNCTION alloy.onboard(new_user uuid, new_session uuid,
    new_org uuid, new_workflow uuid, mail text, person text, password text,
    refresh bytea, lifetime integer, org_name text, org_slug text,
    org_currency text, address text, client text)
    RETURNS TABLE (user_id uuid, email text, display_name text, org_id uuid,
                   slug text, _refusal text)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    refusal  text;
    made     text;
    personal uuid := alloy.new_id(overlay(gen_random_uuid()::text
                                          PLACING '7' FROM 15)::uuid);
BEGIN
    refusal := definer.onboard(new_user, new_session, mail, person, password,
                               refresh, lifetime, new_org, org_slug, address,
                               client);
    IF refusal IS NULL THEN
        PERFORM alloy.act_as(new_user, ARRAY[new_org, personal]);
        made := alloy.organization_found(new_org, new_workflow, new_user,
                                         org_name, org_slug, org_currency, false);
        PERFORM alloy.organization_found(personal, alloy.new_id(personal),
                                         new_user, person, NULL, org_currency,
                                         true);
    END IF;
    RETURN QUERY SELECT new_user, mail, person, new_org, made, refusal;
END
$$;
COMMENT ON FUNCTION alloy.onboard(uuid, uuid, uuid, uuid, text, text, text,
    bytea, integer, text, text, text, text, text) IS
    'The first user and the first organization, once';

REVOKE ALL ON FUNCTION
    alloy.slug_of(text, text),
    alloy.organization_found(uuid, uuid, uuid, text, text, text, boolean, text,
                             text, text),
    alloy.act_as(uuid, uuid[]),
    alloy.register(uuid, uuid, uuid, uuid, text, text, text, bytea, integer,
                   bytea, text, text),
    alloy.onboard(uuid, uuid, uuid, uuid, text, text, text, bytea, integer,
                  text, text, text, text, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    alloy.slug_of(text, text),
    alloy.organization_found(uuid, uuid, uuid, text, text, text, boolean, text,
                             text, text),
    alloy.act_as(uuid, uuid[]),
    alloy.new_id(uuid),
    alloy.register(uuid, uuid, uuid, uuid, text, text, text, bytea, integer,
                   bytea, text, text),
    alloy.onboard(uuid, uuid, uuid, uuid, text, text, text, bytea, integer,
                  text, text, text, text, text)
    TO alloy_app;

-- Definer functions: past every fence, so each one names whom it looks for --------

SET ROLE alloy_definer;

-- Pieces of the functions below; alloy_app can't call them.

CREATE OR REPLACE FUNCTION definer.me() RETURNS uuid
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT nullif(current_setting('alloy.me', true), '')::uuid
$$;

CREATE OR REPLACE FUNCTION definer.note(whom uuid, what text, address text,
                                        client text, detail jsonb DEFAULT '{}')
    RETURNS void LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO identity.event (user_id, kind, address, client, detail)
    VALUES (whom, what, address, left(client, 200), detail)
$$;

CREATE OR REPLACE FUNCTION definer.open_session(whom uuid, session uuid,
    refresh bytea, lifetime integer, address text, client text)
    RETURNS void LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO identity.session (id, user_id, client, address)
    VALUES (session, whom, left(client, 200), address);
    INSERT INTO identity.refresh_token (hash, session_id, user_id, expires_at)
    VALUES (refresh, session, whom,
            clock_timestamp() + lifetime * interval '1 second')
$$;

-- Always in the order of the ids, so that two callers don't wait for each other.
CREATE OR REPLACE FUNCTION definer.close_sessions(whom uuid, kept uuid)
    RETURNS bigint LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp AS $$
    WITH closed AS (
        UPDATE identity.session s SET ended_at = clock_timestamp()
          FROM (SELECT id FROM identity.session
                 WHERE user_id = whom AND ended_at IS NULL
                   AND id IS DISTINCT FROM kept
                 ORDER BY id FOR NO KEY UPDATE) l
         WHERE s.id = l.id
        RETURNING 1)
    SELECT count(*) FROM closed
$$;

-- Throttling. An account is slowed down from the fifth failure on, an address,
-- behind which a whole office may sit, from the fiftieth; doubling up to fifteen
-- minutes, forgotten after an hour without a failure. The account's key is the
-- e-mail as typed: whether somebody has it makes no difference.

CREATE OR REPLACE FUNCTION definer.throttle_wait(mail text, address text)
    RETURNS integer LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(max(ceil(extract(epoch
               FROM blocked_until - clock_timestamp()))), 0)::integer
      FROM identity.throttle
     WHERE key IN ('account ' || mail, 'address ' || address)
       AND blocked_until > clock_timestamp()
$$;

CREATE OR REPLACE FUNCTION definer.throttle_count(what text, free integer)
    RETURNS void LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    counted integer;
BEGIN
    INSERT INTO identity.throttle AS t (key, failures) VALUES (what, 1)
        ON CONFLICT (key) DO UPDATE
           SET failures = CASE WHEN t.last_at < clock_timestamp()
                                                - interval '1 hour' THEN 1
                               ELSE t.failures + 1 END,
               last_at = clock_timestamp()
    RETURNING failures INTO counted;
    IF counted >= free THEN
        UPDATE identity.throttle
           SET blocked_until = clock_timestamp()
               + least(2 ^ least(counted - free, 20), 900)
                 * interval '1 second'
         WHERE key = what;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION definer.throttle_fail(mail text, address text)
    RETURNS void LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT definer.throttle_count('account ' || mail, 5),
           definer.throttle_count('address ' || address, 50)
$$;

-- Locks an account's count and tells how long it is blocked: guesses sent at
-- the same time are judged one after the other, so a burst gains nothing.
CREATE OR REPLACE FUNCTION definer.throttle_lock(mail text) RETURNS integer
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM identity.throttle
      WHERE key = 'account ' || mail FOR UPDATE;
    RETURN definer.throttle_wait(mail, NULL);
END
$$;

-- Registration --------------------------------------------------------------------

CREATE OR REPLACE FUNCTION definer.add_user(whom uuid, session uuid, mail text,
    person text, password text, refresh bytea, lifetime integer, address text,
    client text)
    RETURNS boolean LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO identity.user (id, email, email_folded, display_name,
                               password_hash)
    VALUES (whom, mail, lower(mail), person, password)
        ON CONFLICT (email_folded) DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM definer.open_session(whom, session, refresh, lifetime, address,
                                 client);
    PERFORM definer.note(whom, 'register', address, client);
    RETURN true;
END
$$;

-- The invite is locked before it is looked at: a code works once. The e-mail is
-- not verified by it, because whoever invites has seen the code as well.
CREATE OR REPLACE FUNCTION definer.register(whom uuid, session uuid, mail text,
    person text, password text, refresh bytea, lifetime integer, invite bytea,
    address text, client text)
    RETURNS TABLE (refusal text, org_id uuid, invite_id uuid, role text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    code   record;
    opened record;
BEGIN
    IF invite IS NOT NULL THEN
        SELECT c.org_id, c.invite_id INTO code
          FROM identity.invite_code c WHERE c.hash = invite;
        PERFORM FROM alloy.invite i
          WHERE i.org_id = code.org_id AND i.id = code.invite_id
            FOR NO KEY UPDATE;
        SELECT i.email, i.role INTO opened
          FROM definer.invite_by_code(invite) i;
        IF opened.email IS NULL THEN
            RETURN QUERY SELECT 'invite_unknown', NULL::uuid, NULL::uuid,
                                NULL::text;
            RETURN;
        ELSIF lower(opened.email) <> lower(mail) THEN
            RETURN QUERY SELECT 'invite_mismatch', NULL::uuid, NULL::uuid,
                                NULL::text;
            RETURN;
        END IF;
    END IF;
    IF NOT definer.add_user(whom, session, mail, person, password, refresh,
                            lifetime, address, client) THEN
        RETURN QUERY SELECT 'email_taken', NULL::uuid, NULL::uuid, NULL::text;
    ELSIF invite IS NULL THEN
        RETURN QUERY SELECT NULL::text, NULL::uuid, NULL::uuid, NULL::text;
    ELSE
        RETURN QUERY SELECT NULL::text, code.org_id, code.invite_id, opened.role;
    END IF;
END
$$;
COMMENT ON FUNCTION definer.register(uuid, uuid, text, text, text, bytea,
    integer, bytea, text, text) IS
    'Makes a user with a session; tells which organization the invite opens';

CREATE OR REPLACE FUNCTION definer.setup_needed() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT NOT EXISTS (SELECT FROM identity.setup)
       AND NOT EXISTS (SELECT FROM identity.user)
$$;
COMMENT ON FUNCTION definer.setup_needed() IS
    'Whether this server has nobody yet';

-- The lock makes a second one wait and then see that it came too late. The slug
-- is taken here, before the user is made, because afterwards nothing may fail.
CREATE OR REPLACE FUNCTION definer.onboard(whom uuid, session uuid, mail text,
    person text, password text, refresh bytea, lifetime integer, org uuid,
    org_slug text, address text, client text)
    RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('alloy onboard', 0));
    IF EXISTS (SELECT FROM identity.setup)
       OR EXISTS (SELECT FROM identity.user) THEN
        RETURN 'done';
    END IF;
    IF org_slug IS NOT NULL THEN
        INSERT INTO identity.slug (slug, org_id) VALUES (org_slug, org)
            ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            RETURN 'slug_taken';
        END IF;
    END IF;
    IF NOT definer.add_user(whom, session, mail, person, password, refresh,
                            lifetime, address, client) THEN
        DELETE FROM identity.slug WHERE org_id = org;
        RETURN 'done';
    END IF;
    INSERT INTO identity.setup (user_id) VALUES (whom);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION definer.onboard(uuid, uuid, text, text, text, bytea, integer,
    uuid, text, text, text) IS
    'Makes the first user, once; NULL or the reason why not';

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

-- seen: the hash the current password was checked against.
CREATE OR REPLACE FUNCTION definer.my_password_set(seen text, fresh text,
    kept uuid, address text, client text)
    RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    mail  text;
    ended bigint;
BEGIN
    UPDATE identity.user SET password_hash = fresh
     WHERE id = definer.me() AND password_hash = seen
    RETURNING email_folded INTO mail;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    ended := definer.close_sessions(definer.me(), kept);
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
    UPDATE identity.user SET password_hash = fresh WHERE id = whom
    RETURNING email_folded INTO mail;
    UPDATE identity.reset_code SET used_at = clock_timestamp()
     WHERE hash = code;
    DELETE FROM identity.throttle WHERE key = 'account ' || mail;
    PERFORM definer.note(whom, 'reset', address, client,
                         jsonb_build_object('sessions_ended',
                             definer.close_sessions(whom, NULL)));
    RETURN true;
END
$$;
COMMENT ON FUNCTION definer.reset_use(bytea, text, text, text) IS
    'Sets the password a reset code was made for and ends every session';

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

-- API keys ------------------------------------------------------------------------

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
    definer.register(uuid, uuid, text, text, text, bytea, integer, bytea, text,
                     text),
    definer.setup_needed(),
    definer.onboard(uuid, uuid, text, text, text, bytea, integer, uuid, text,
                    text, text),
    definer.login_facts(text, text),
    definer.login_failed(text, boolean, text, text),
    definer.login(uuid, text, boolean, uuid, bytea, integer, text, text),
    definer.refresh(bytea, bytea, integer, text, text),
    definer.logout(uuid, bytea, text, text),
    definer.my_account(uuid),
    definer.my_account_update(boolean, text, boolean, uuid),
    definer.my_password(text),
    definer.my_password_set(text, text, uuid, text, text),
    definer.reset_make(uuid, uuid, bytea, text, text),
    definer.reset_user(bytea),
    definer.reset_use(bytea, text, text, text),
    definer.my_sessions(integer, timestamptz, uuid),
    definer.my_session_end(uuid, text, text),
    definer.my_events(integer, uuid),
    definer.my_key_make(uuid, uuid, bytea, text, text, uuid, text[], uuid[],
                        boolean, bigint, timestamptz, text, text, text),
    definer.my_keys(uuid, integer, timestamptz, uuid),
    definer.my_key_revoke(uuid, uuid, text, text)
    TO alloy_app;

SET ROLE alloy_owner;
