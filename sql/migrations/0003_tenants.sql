-- Organizations, who belongs to them, who is invited.

CREATE TABLE alloy.organization (
    org_id             uuid        PRIMARY KEY,
    name               text        NOT NULL
                       CHECK (char_length(name) BETWEEN 1 AND 200),
    slug               text        NOT NULL
                       CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    currency           text        NOT NULL DEFAULT 'USD'
                       CHECK (currency ~ '^[A-Z]{3}$'),
    timezone           text        NOT NULL DEFAULT 'UTC',
    project_visibility text        NOT NULL DEFAULT 'members'
                       CHECK (project_visibility IN ('members', 'org')),
    finance_visibility text        NOT NULL DEFAULT 'admins'
                       CHECK (finance_visibility IN ('admins', 'all')),
    is_personal        boolean     NOT NULL DEFAULT false,
    version            bigint      NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at         timestamptz
);
COMMENT ON TABLE alloy.organization IS
    'A tenant. Its row also serializes rules over its members and ticket trees';
COMMENT ON COLUMN alloy.organization.timezone IS
    'A day of this organization begins and ends there';

CREATE TABLE alloy.membership (
    org_id     uuid        NOT NULL REFERENCES alloy.organization,
    user_id    uuid        NOT NULL REFERENCES identity.user,
    role       text        NOT NULL
               CHECK (role IN ('Owner', 'Admin', 'Member', 'Reporter', 'Viewer')),
    version    bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    removed_at timestamptz,
    PRIMARY KEY (org_id, user_id)
);
COMMENT ON COLUMN alloy.membership.removed_at IS
    'Memberships are never deleted: tickets refer to them, history names them';

CREATE TABLE alloy.invite (
    org_id      uuid        NOT NULL REFERENCES alloy.organization,
    id          uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    email       text        NOT NULL,
    role        text        NOT NULL
                CHECK (role IN ('Owner', 'Admin', 'Member', 'Reporter', 'Viewer')),
    created_by  uuid        NOT NULL,
    accepted_by uuid,
    accepted_at timestamptz,
    revoked_at  timestamptz,
    expires_at  timestamptz NOT NULL,
    version     bigint      NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, created_by) REFERENCES alloy.membership,
    FOREIGN KEY (org_id, accepted_by) REFERENCES alloy.membership
);
CREATE INDEX invite_newest ON alloy.invite (org_id, created_at DESC, id DESC);
COMMENT ON TABLE alloy.invite IS
    'Its code is kept, hashed, in identity.invite_code';

CALL alloy.fence('alloy.organization');
CALL alloy.fence('alloy.membership');
CALL alloy.fence('alloy.invite');
CALL alloy.keep_version('alloy.organization');
CALL alloy.keep_version('alloy.membership');
CALL alloy.keep_version('alloy.invite');

-- What definer functions see of tenants: enough to tell who somebody is and what
-- an invite offers. They lock an invite, which takes the UPDATE right; the rows of
-- whoever accepts it are written behind the fence.
GRANT SELECT ON alloy.organization, alloy.membership TO alloy_definer;
CREATE POLICY definer ON alloy.organization FOR SELECT TO alloy_definer
    USING (true);
CREATE POLICY definer ON alloy.membership FOR SELECT TO alloy_definer
    USING (true);
GRANT SELECT, UPDATE (accepted_by, accepted_at) ON alloy.invite TO alloy_definer;
CREATE POLICY definer ON alloy.invite TO alloy_definer
    USING (true) WITH CHECK (true);
GRANT INSERT ON alloy.change TO alloy_definer;
CREATE POLICY definer ON alloy.change FOR INSERT TO alloy_definer
    WITH CHECK (true);

-- Colleagues: whoever is or was in an organization of this call. Membership's own
-- fence applies inside the sub-select. Whether a caller may see an organization
-- was decided when alloy.orgs was sent.
CREATE POLICY colleague ON identity.user FOR SELECT TO alloy_app
    USING (id = (SELECT nullif(current_setting('alloy.me', true), '')::uuid)
           -- no EXISTS: that may be answered by reading all the members
           OR (SELECT true FROM alloy.membership m
                WHERE m.org_id = ANY ((SELECT nullif(current_setting(
                          'alloy.orgs', true), '')::uuid[])::uuid[])
                  AND m.user_id = "user".id
                LIMIT 1));

SET LOCAL ROLE alloy_definer;

-- A taken slug makes the row vanish from the statement (no row is affected)
-- instead of failing it: an error would abort whoever shares the transaction.
CREATE FUNCTION definer.take_slug() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO identity.slug (slug, org_id) VALUES (NEW.slug, NEW.org_id)
        ON CONFLICT DO NOTHING;
    IF NOT EXISTS (SELECT FROM identity.slug
                    WHERE slug = NEW.slug AND org_id = NEW.org_id) THEN
        RETURN NULL;
    END IF;
    DELETE FROM identity.slug
     WHERE org_id = NEW.org_id AND slug <> NEW.slug;
    RETURN NEW;
END
$$;

CREATE FUNCTION definer.release_slug() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM identity.slug WHERE org_id = OLD.org_id;
    RETURN NULL;
END
$$;

CREATE FUNCTION definer.raise_principals_of_org() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM definer.raise_principals(ARRAY(
        SELECT user_id FROM alloy.membership
         WHERE org_id = OLD.org_id AND removed_at IS NULL));
    RETURN NULL;
END
$$;

-- Every list of a caller's organizations travels with each of his calls, so it
-- is bounded. The principal's row is locked first: the count that follows has a
-- newer snapshot, and two invitations accepted at once can't both be the last.
-- No row is affected when there is no room, as with a slug.
CREATE FUNCTION definer.limit_memberships() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM identity.principal
      WHERE user_id = NEW.user_id FOR NO KEY UPDATE;
    IF (SELECT count(*) FROM identity.affiliation
         WHERE user_id = NEW.user_id AND live
           AND org_id <> NEW.org_id) >= 200 THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION definer.membership_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    users uuid[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO identity.affiliation (user_id, org_id, live)
            SELECT user_id, org_id, removed_at IS NULL FROM new_rows
            ON CONFLICT (user_id, org_id) DO UPDATE SET live = excluded.live;
        users := ARRAY(SELECT user_id FROM new_rows);
    ELSIF TG_OP = 'UPDATE' THEN
        users := ARRAY(
            SELECT n.user_id FROM old_rows o JOIN new_rows n USING (org_id, user_id)
             WHERE (o.role, o.removed_at IS NULL)
                   IS DISTINCT FROM (n.role, n.removed_at IS NULL));
        UPDATE identity.affiliation a
           SET live = n.removed_at IS NULL
          FROM new_rows n
         WHERE a.user_id = n.user_id AND a.org_id = n.org_id
           AND a.live <> (n.removed_at IS NULL);
    ELSE
        DELETE FROM identity.affiliation a USING old_rows o
         WHERE a.user_id = o.user_id AND a.org_id = o.org_id;
        users := ARRAY(SELECT user_id FROM old_rows);
    END IF;
    IF users <> '{}' THEN
        PERFORM definer.raise_principals(users);
    END IF;
    RETURN NULL;
END
$$;

GRANT EXECUTE
   ON FUNCTION definer.take_slug(), definer.release_slug(),
               definer.raise_principals_of_org(), definer.limit_memberships(),
               definer.membership_changed()
   TO alloy_owner;
SET LOCAL ROLE alloy_owner;

CREATE TRIGGER take_slug BEFORE INSERT OR UPDATE OF slug ON alloy.organization
    FOR EACH ROW EXECUTE FUNCTION definer.take_slug();
CREATE TRIGGER release_slug AFTER DELETE ON alloy.organization
    FOR EACH ROW EXECUTE FUNCTION definer.release_slug();
CREATE TRIGGER raise_principals AFTER UPDATE ON alloy.organization
    FOR EACH ROW WHEN ((OLD.slug, OLD.project_visibility, OLD.is_personal,
                        OLD.deleted_at IS NULL)
                       IS DISTINCT FROM
                       (NEW.slug, NEW.project_visibility, NEW.is_personal,
                        NEW.deleted_at IS NULL))
    EXECUTE FUNCTION definer.raise_principals_of_org();

CREATE TRIGGER limit_memberships BEFORE INSERT ON alloy.membership
    FOR EACH ROW WHEN (NEW.removed_at IS NULL)
    EXECUTE FUNCTION definer.limit_memberships();
CREATE TRIGGER limit_memberships_again BEFORE UPDATE ON alloy.membership
    FOR EACH ROW WHEN (OLD.removed_at IS NOT NULL AND NEW.removed_at IS NULL)
    EXECUTE FUNCTION definer.limit_memberships();
CREATE TRIGGER membership_inserted AFTER INSERT ON alloy.membership
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION definer.membership_changed();
CREATE TRIGGER membership_updated AFTER UPDATE ON alloy.membership
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION definer.membership_changed();
CREATE TRIGGER membership_deleted AFTER DELETE ON alloy.membership
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
    EXECUTE FUNCTION definer.membership_changed();

CALL alloy.log_changes('alloy.organization', 'organization',
    '{name,slug,currency,timezone,project_visibility,finance_visibility,
      is_personal,deleted_at}', entity_id => 'org_id');
CALL alloy.log_changes('alloy.membership', 'membership', '{role,removed_at}',
    entity_id => 'user_id');
CALL alloy.log_changes('alloy.invite', 'invite',
    '{email,role,created_by,accepted_by,accepted_at,revoked_at,expires_at}');
