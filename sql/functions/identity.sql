-- Registration, throttling, and the pieces that session.sql, my_account.sql and
-- my_key.sql share. Re-applied at every migration, after sql/functions.sql and
-- before those, which come later in the alphabet.
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA definer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    definer.register(uuid, uuid, text, text, text, bytea, integer, bytea, text,
                     text),
    definer.setup_needed(),
    definer.onboard(uuid, uuid, text, text, text, bytea, integer, uuid, text,
                    text, text)
    TO alloy_app;

SET ROLE alloy_owner;
