-- Who people are and how they prove it. No organization owns these rows: alloy_app
-- reaches them through definer functions, apart from two narrow exceptions
-- (principal's version, names of colleagues).

CREATE TABLE identity.user (
    id             uuid        PRIMARY KEY,
    email          text        NOT NULL
                   CHECK (char_length(email) BETWEEN 3 AND 320),
    email_folded   text        NOT NULL UNIQUE,
    display_name   text        NOT NULL
                   CHECK (char_length(display_name) BETWEEN 1 AND 200),
    password_hash  text,
    email_verified boolean     NOT NULL DEFAULT false,
    default_org_id uuid,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    disabled_at    timestamptz
);
COMMENT ON COLUMN identity.user.email_folded IS
    'E-mail in lower case, as the module folds it: the same person once';
COMMENT ON COLUMN identity.user.password_hash IS
    'argon2id in PHC form; NULL: this user has no password';

-- What a process caches about a caller holds while this number stands still.
CREATE TABLE identity.principal (
    user_id uuid   PRIMARY KEY REFERENCES identity.user,
    version bigint NOT NULL DEFAULT 1
) WITH (fillfactor = 70);
COMMENT ON TABLE identity.principal IS
    'Raised whenever anything a cached principal was made of changes';

-- Which organizations a user was ever in, found by the user. Tenant tables have
-- org_id first everywhere, so they can't be asked that.
CREATE TABLE identity.affiliation (
    user_id uuid    NOT NULL REFERENCES identity.user,
    org_id  uuid    NOT NULL,
    live    boolean NOT NULL,
    PRIMARY KEY (user_id, org_id)
);
COMMENT ON TABLE identity.affiliation IS
    'Mirror of alloy.membership by user, kept by its trigger';

CREATE TABLE identity.slug (
    slug   text PRIMARY KEY
           CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    org_id uuid NOT NULL
);
CREATE INDEX slug_org ON identity.slug (org_id);
COMMENT ON TABLE identity.slug IS
    'Slugs are unique across tenants; kept by the trigger of organization';

CREATE TABLE identity.session (
    id           uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES identity.user,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz,
    client       text,
    address      text
);
CREATE INDEX session_user_id ON identity.session (user_id, created_at)
    WHERE ended_at IS NULL;

CREATE TABLE identity.refresh_token (
    hash       bytea       PRIMARY KEY,
    session_id uuid        NOT NULL REFERENCES identity.session,
    user_id    uuid        NOT NULL REFERENCES identity.user,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    spent_at   timestamptz,
    successor  bytea
);
CREATE INDEX refresh_token_session ON identity.refresh_token (session_id);
CREATE INDEX refresh_token_expires ON identity.refresh_token (expires_at);
COMMENT ON TABLE identity.refresh_token IS
    'A family is a session''s tokens; a spent one names the one that replaced it';

CREATE TABLE identity.api_key (
    id           uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES identity.user,
    hash         bytea       NOT NULL UNIQUE,
    hint         text        NOT NULL,
    name         text        NOT NULL
                 CHECK (char_length(name) BETWEEN 1 AND 200),
    org_id       uuid,
    scopes       text[]      NOT NULL DEFAULT '{*}',
    -- More than the settings of a call carry would have to be looked up in
    -- project_member, which knows nothing of keys.
    project_ids  uuid[]      CHECK (cardinality(project_ids) BETWEEN 1 AND 500),
    read_only    boolean     NOT NULL DEFAULT false,
    max_writes   bigint      CHECK (max_writes >= 0),
    writes_used  bigint      NOT NULL DEFAULT 0,
    expires_at   timestamptz,
    on_behalf_of text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at timestamptz,
    revoked_at   timestamptz
) WITH (fillfactor = 80);
CREATE INDEX api_key_user_id ON identity.api_key (user_id, created_at);
COMMENT ON COLUMN identity.api_key.hash IS 'SHA-256 of the key';
COMMENT ON COLUMN identity.api_key.hint IS
    'Beginning of the key, by which its owner recognizes it';
COMMENT ON COLUMN identity.api_key.project_ids IS
    'NULL: whatever the user sees; otherwise never more than these';

CREATE TABLE identity.external (
    issuer     text        NOT NULL,
    subject    text        NOT NULL,
    user_id    uuid        NOT NULL REFERENCES identity.user,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX external_user_id ON identity.external (user_id);

CREATE TABLE identity.event (
    id      bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    user_id uuid        REFERENCES identity.user,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind    text        NOT NULL,
    address text,
    client  text,
    detail  jsonb       NOT NULL DEFAULT '{}'
);
CREATE INDEX event_user_id ON identity.event (user_id, id);
COMMENT ON TABLE identity.event IS
    'Sign-ins, keys, passwords: what happened, never a secret';

CREATE TABLE identity.throttle (
    key           text        PRIMARY KEY,
    failures      integer     NOT NULL DEFAULT 0,
    last_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    blocked_until timestamptz
) WITH (fillfactor = 70);
COMMENT ON TABLE identity.throttle IS
    'Failed attempts by account and by address';

CREATE TABLE identity.reset_code (
    hash       bytea       PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES identity.user,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX reset_code_user_id ON identity.reset_code (user_id);

CREATE TABLE identity.invite_code (
    hash      bytea PRIMARY KEY,
    org_id    uuid  NOT NULL,
    invite_id uuid  NOT NULL
);
CREATE INDEX invite_code_invite ON identity.invite_code (org_id, invite_id);
COMMENT ON TABLE identity.invite_code IS
    'Leads from a code to its invite: whoever holds one is no member yet';

CREATE TABLE identity.idempotency (
    principal  text        NOT NULL,
    operation  text        NOT NULL,
    key        text        NOT NULL,
    body_hash  bytea       NOT NULL,
    status     integer     NOT NULL,
    headers    jsonb       NOT NULL DEFAULT '{}',
    body       bytea,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (principal, operation, key)
);
CREATE INDEX idempotency_created_at ON identity.idempotency (created_at);
COMMENT ON TABLE identity.idempotency IS
    'Committed answers by Idempotency-Key, for 24 hours';

CREATE TABLE identity.setup (
    done    boolean     PRIMARY KEY DEFAULT true CHECK (done),
    user_id uuid        NOT NULL REFERENCES identity.user,
    at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE identity.setup IS
    'At most one row: its primary key decides who set this server up';

-- Rights ---------------------------------------------------------------------------

GRANT SELECT ON ALL TABLES IN SCHEMA identity TO alloy_backup;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA identity TO alloy_backup;

GRANT SELECT, INSERT, UPDATE
   ON identity.user, identity.principal, identity.session, identity.api_key
   TO alloy_definer;
GRANT SELECT, INSERT, UPDATE, DELETE
   ON identity.affiliation, identity.slug, identity.refresh_token,
      identity.throttle, identity.reset_code, identity.invite_code,
      identity.idempotency
   TO alloy_definer;
GRANT SELECT, INSERT
   ON identity.external, identity.event, identity.setup
   TO alloy_definer;

GRANT SELECT ON identity.principal TO alloy_app;
-- The name of everybody the caller has to do with; never the rest of the row.
-- The policy that says who that is needs alloy.membership: next migration.
GRANT SELECT (id, email, display_name) ON identity.user TO alloy_app;
ALTER TABLE identity.user ENABLE ROW LEVEL SECURITY;
CREATE POLICY definer ON identity.user TO alloy_definer
    USING (true) WITH CHECK (true);
CREATE POLICY backup ON identity.user FOR SELECT TO alloy_backup USING (true);

CREATE TRIGGER set_updated_at BEFORE UPDATE ON identity.user
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION alloy.set_updated_at();

-- Principals' versions ---------------------------------------------------------------

-- These triggers fire inside writes of alloy_app, which may not touch principals.
SET LOCAL ROLE alloy_definer;

-- Always in the order of the ids, so that two writers don't wait for each other.
CREATE FUNCTION definer.raise_principals(users uuid[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE identity.principal p
       SET version = p.version + 1
      FROM (SELECT user_id FROM identity.principal
             WHERE user_id = ANY (users)
             ORDER BY user_id FOR NO KEY UPDATE) l
     WHERE p.user_id = l.user_id
$$;

CREATE FUNCTION definer.make_principal() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO identity.principal (user_id) VALUES (NEW.id);
    RETURN NULL;
END
$$;

CREATE FUNCTION definer.raise_principal_of_user() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE identity.principal SET version = version + 1
     WHERE user_id = OLD.id;
    RETURN NULL;
END
$$;

CREATE FUNCTION definer.raise_principal_of_row() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE identity.principal SET version = version + 1
     WHERE user_id = OLD.user_id;
    RETURN NULL;
END
$$;

GRANT EXECUTE
   ON FUNCTION definer.make_principal(), definer.raise_principal_of_user(),
               definer.raise_principal_of_row()
   TO alloy_owner;
SET LOCAL ROLE alloy_owner;

CREATE TRIGGER make_principal AFTER INSERT ON identity.user
    FOR EACH ROW EXECUTE FUNCTION definer.make_principal();
CREATE TRIGGER raise_principal AFTER UPDATE ON identity.user
    FOR EACH ROW WHEN ((OLD.email, OLD.display_name, OLD.password_hash,
                        OLD.email_verified, OLD.default_org_id, OLD.disabled_at)
                       IS DISTINCT FROM
                       (NEW.email, NEW.display_name, NEW.password_hash,
                        NEW.email_verified, NEW.default_org_id, NEW.disabled_at))
    EXECUTE FUNCTION definer.raise_principal_of_user();
-- A new session or key is in nobody's cache yet, and using one changes nothing.
CREATE TRIGGER raise_principal AFTER UPDATE ON identity.session
    FOR EACH ROW WHEN (OLD.ended_at IS DISTINCT FROM NEW.ended_at)
    EXECUTE FUNCTION definer.raise_principal_of_row();
CREATE TRIGGER raise_principal AFTER UPDATE ON identity.api_key
    FOR EACH ROW WHEN ((OLD.org_id, OLD.scopes, OLD.project_ids, OLD.read_only,
                        OLD.max_writes, OLD.expires_at, OLD.on_behalf_of,
                        OLD.revoked_at)
                       IS DISTINCT FROM
                       (NEW.org_id, NEW.scopes, NEW.project_ids, NEW.read_only,
                        NEW.max_writes, NEW.expires_at, NEW.on_behalf_of,
                        NEW.revoked_at))
    EXECUTE FUNCTION definer.raise_principal_of_row();
CREATE TRIGGER raise_principal_gone AFTER DELETE ON identity.session
    FOR EACH ROW EXECUTE FUNCTION definer.raise_principal_of_row();
CREATE TRIGGER raise_principal_gone AFTER DELETE ON identity.api_key
    FOR EACH ROW EXECUTE FUNCTION definer.raise_principal_of_row();
