-- Organizations, members, invites: the functions behind these nouns.
-- Re-applied at every migration, after sql/functions/identity.sql.

-- A new organization for somebody who is signed in. Nothing is made when he has
-- no room for another membership, the time zone is unknown, or the slug taken.
CREATE OR REPLACE FUNCTION alloy.organization_create(org uuid, workflow uuid,
    owner uuid, org_name text, org_slug text, org_currency text, zone text,
    projects text, finances text)
    RETURNS text LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT definer.membership_reserve(owner)
       OR NOT alloy.timezone_known(coalesce(zone, 'UTC')) THEN
        RETURN NULL;
    END IF;
    RETURN alloy.organization_found(org, workflow, owner, org_name, org_slug,
                                    org_currency, false, zone, projects,
                                    finances);
END
$$;
COMMENT ON FUNCTION alloy.organization_create(uuid, uuid, uuid, text, text, text,
    text, text, text) IS
    'Makes an organization; its slug, NULL when it could not be made';

-- Joining by an invite's code. From here on the caller acts in the organization
-- that let him in, behind its fence like anybody. A refusal writes nothing.
CREATE OR REPLACE FUNCTION alloy.invite_accept(code bytea)
    RETURNS TABLE (org_id uuid, org_name text, slug text, user_id uuid,
                   role text, _refusal text)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    me     uuid := nullif(current_setting('alloy.me', true), '')::uuid;
    opened record;
BEGIN
    SELECT * INTO opened FROM definer.invite_take(code);
    IF opened.refusal IS NULL THEN
        PERFORM alloy.act_as(me, ARRAY[opened.org_id]);
        INSERT INTO alloy.membership (org_id, user_id, role)
        VALUES (opened.org_id, me, opened.role)
            ON CONFLICT ON CONSTRAINT membership_pkey DO UPDATE
               SET role = excluded.role, removed_at = NULL;
        UPDATE alloy.invite i
           SET accepted_by = me, accepted_at = clock_timestamp()
         WHERE i.org_id = opened.org_id AND i.id = opened.invite_id;
    END IF;
    RETURN QUERY SELECT opened.org_id, opened.org_name, opened.slug, me,
                        opened.role, opened.refusal;
END
$$;
COMMENT ON FUNCTION alloy.invite_accept(bytea) IS
    'Makes the caller a member by an invite''s code, or says why not';

REVOKE ALL ON FUNCTION
    alloy.invite_accept(bytea),
    alloy.organization_create(uuid, uuid, uuid, text, text, text, text, text,
                              text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    alloy.invite_accept(bytea),
    alloy.organization_create(uuid, uuid, uuid, text, text, text, text, text,
                              text)
    TO alloy_app;

-- Definer functions: past every fence, so each one names whom it looks for --------

SET ROLE alloy_definer;

-- Whoever asks joins it with the members of his organizations; a comparison in
-- his own statement would read them all, because lower() is not leakproof.
CREATE OR REPLACE FUNCTION definer.user_by_email(mail text) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT id FROM identity.user WHERE email_folded = lower(mail)
$$;
COMMENT ON FUNCTION definer.user_by_email(text) IS
    'The user with an e-mail address; NULL: nobody';

-- Holds the user's principal until the transaction ends, so that the count stays
-- true until the membership is there.
CREATE OR REPLACE FUNCTION definer.membership_reserve(whom uuid) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM identity.principal WHERE user_id = whom FOR NO KEY UPDATE;
    RETURN definer.membership_room(whom);
END
$$;
COMMENT ON FUNCTION definer.membership_reserve(uuid) IS
    'Whether a user can join another organization, until the commit';

-- Whoever may write in the organization may have made the invite.
CREATE OR REPLACE FUNCTION definer.invite_code_keep(code bytea, org uuid,
                                                    invite uuid)
    RETURNS uuid LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO identity.invite_code (hash, org_id, invite_id)
    SELECT code, org, invite
     WHERE org = ANY (nullif(current_setting('alloy.orgs', true), '')::uuid[])
    RETURNING invite_id
$$;
COMMENT ON FUNCTION definer.invite_code_keep(bytea, uuid, uuid) IS
    'Keeps a new invite''s code, hashed';

CREATE OR REPLACE FUNCTION definer.invite_by_code(code bytea)
    RETURNS TABLE (org_id uuid, org_name text, email text, role text,
                   expires_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT i.org_id, o.name, i.email, i.role, i.expires_at
      FROM identity.invite_code c
      JOIN alloy.invite i ON i.org_id = c.org_id AND i.id = c.invite_id
      JOIN alloy.organization o ON o.org_id = i.org_id
     WHERE c.hash = code AND i.accepted_at IS NULL AND i.revoked_at IS NULL
       AND i.expires_at > clock_timestamp() AND o.deleted_at IS NULL
$$;
COMMENT ON FUNCTION definer.invite_by_code(bytea) IS
    'What an invite that still works is for';

-- The invite and the caller are locked before they are looked at: of two who send
-- the same code the second finds it used, and of two codes he sends at once the
-- second finds him a member.
CREATE OR REPLACE FUNCTION definer.invite_take(code bytea)
    RETURNS TABLE (org_id uuid, invite_id uuid, org_name text, slug text,
                   role text, refusal text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    me    uuid := definer.me();
    room  boolean;
    mail  text;
    asked record;
BEGIN
    SELECT c.org_id, c.invite_id INTO asked
      FROM identity.invite_code c WHERE c.hash = code;
    PERFORM FROM alloy.invite i
      WHERE i.org_id = asked.org_id AND i.id = asked.invite_id
        FOR NO KEY UPDATE;
    room := definer.membership_reserve(me);
    SELECT i.org_id, asked.invite_id, i.org_name, o.slug, i.role, i.email
      INTO org_id, invite_id, org_name, slug, role, mail
      FROM definer.invite_by_code(code) i
      JOIN alloy.organization o ON o.org_id = i.org_id;
    refusal := CASE
        WHEN mail IS NULL THEN 'invite_unknown'
        WHEN NOT EXISTS (SELECT FROM identity.user u
                          WHERE u.id = me AND u.email_folded = lower(mail))
        THEN 'invite_mismatch'
        WHEN EXISTS (SELECT FROM alloy.membership m
                      WHERE m.org_id = asked.org_id AND m.user_id = me
                        AND m.removed_at IS NULL)
        THEN 'already_member'
        WHEN NOT room THEN 'too_many' END;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION definer.invite_take(bytea) IS
    'Whether the caller can accept an invite, and what it opens';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA definer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    definer.user_by_email(text),
    definer.membership_reserve(uuid),
    definer.invite_code_keep(bytea, uuid, uuid),
    definer.invite_by_code(bytea),
    definer.invite_take(bytea)
    TO alloy_app;

SET ROLE alloy_owner;
