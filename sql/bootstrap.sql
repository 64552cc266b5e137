-- Prepares a database for Alloy: roles, schemas, rights, session defaults.
--
--     psql -X -v app_password=... -d <database> -f sql/bootstrap.sql
--
-- Run by the administrator, connected to the database that is to hold Alloy.
-- Every statement may be repeated. Needed: CREATEROLE and ownership of the
-- database; a superuser can do it all and sets deadlock_timeout as well. A
-- database copied from a template needs this file once more, because what is
-- set per database (rights, ALTER ROLE ... IN DATABASE) is not copied.
--
-- app_password  password of alloy_app. Absent or empty: left as it is (peer
--               authentication, or a password set elsewhere). A SCRAM verifier
--               is taken too, and keeps the clear text out of the server log.
\set ON_ERROR_STOP on
\if :{?app_password}
\else
  \set app_password ''
\endif

BEGIN;
SET LOCAL client_min_messages = warning;

-- Roles belong to the cluster: another database's bootstrap may be making them
-- at this moment, so "already there" is success.
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('alloy_owner',   'NOLOGIN NOINHERIT'),
            ('alloy_definer', 'NOLOGIN NOINHERIT'),
            ('alloy_app',     'LOGIN NOINHERIT'),
            ('alloy_backup',  'LOGIN NOINHERIT')) AS r (name, attributes)
    LOOP
        BEGIN
            IF to_regrole(wanted.name) IS NULL THEN
                EXECUTE format('CREATE ROLE %I %s', wanted.name,
                               wanted.attributes);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END
$$;

-- A role of the same name made by somebody else could void the isolation.
DO $$
DECLARE
    bad text;
BEGIN
    SELECT string_agg(rolname, ', ' ORDER BY rolname) INTO bad
      FROM pg_roles
     WHERE rolname IN ('alloy_owner', 'alloy_definer', 'alloy_app',
                       'alloy_backup')
       AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb
            OR rolreplication
            OR (rolinherit AND rolname = 'alloy_owner')
            OR (rolcanlogin AND rolname IN ('alloy_owner', 'alloy_definer')));
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'role % exists with rights that void Alloy''s isolation',
            bad USING HINT = 'These roles must be NOSUPERUSER NOBYPASSRLS '
            'NOCREATEROLE NOCREATEDB NOREPLICATION; alloy_owner also NOLOGIN '
            'NOINHERIT, alloy_definer NOLOGIN. Alter or drop them and run the '
            'bootstrap again.';
    END IF;
    SELECT string_agg(DISTINCT r.rolname, ', ') INTO bad
      FROM pg_auth_members m
      JOIN pg_roles r ON r.oid = m.member
     WHERE r.rolname IN ('alloy_app', 'alloy_backup');
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'role % is a member of another role', bad
            USING HINT = 'Revoke the membership: what that role may do, '
            'a fault in httpd could do.';
    END IF;
END
$$;

-- The owner becomes the definer only by an explicit SET ROLE: were the
-- membership inherited, the definer's policies would open every fence for
-- migrations as well. The administrator must be able to become the owner.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_auth_members
                    WHERE roleid = 'alloy_definer'::regrole
                      AND member = 'alloy_owner'::regrole) THEN
        GRANT alloy_definer TO alloy_owner;
    END IF;
    IF NOT pg_has_role(current_user, 'alloy_owner', 'MEMBER') THEN
        EXECUTE format('GRANT alloy_owner TO %I', current_user);
    END IF;
EXCEPTION WHEN unique_violation OR duplicate_object THEN
    NULL;
END
$$;

-- Bootstraps of two databases may alter the one role at once; PostgreSQL fails
-- one of them with an internal error, after the other has committed.
SELECT set_config('alloy.app_password', :'app_password', true) IS NULL AS set
\gset
DO $$
DECLARE
    password text := current_setting('alloy.app_password');
BEGIN
    FOR attempt IN 1 .. 20 LOOP
        EXIT WHEN password = '';
        BEGIN
            EXECUTE format('ALTER ROLE alloy_app PASSWORD %L', password);
            EXIT;
        EXCEPTION WHEN internal_error THEN
            IF attempt = 20 THEN
                RAISE;
            END IF;
        END;
    END LOOP;
    PERFORM set_config('alloy.app_password', '', true);
END
$$;

CREATE SCHEMA IF NOT EXISTS alloy AUTHORIZATION alloy_owner;
CREATE SCHEMA IF NOT EXISTS identity AUTHORIZATION alloy_owner;
CREATE SCHEMA IF NOT EXISTS definer AUTHORIZATION alloy_owner;

-- Lets one index hold an organization and words. Anybody who may create in the
-- database may install it; a schema of its own keeps its functions apart.
CREATE SCHEMA IF NOT EXISTS btree_gin;
CREATE EXTENSION IF NOT EXISTS btree_gin SCHEMA btree_gin;

DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO alloy_app, alloy_backup',
                   current_database());
    IF to_regnamespace('public') IS NOT NULL THEN
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
    END IF;
END
$$;

-- Rights on the schemas are given by their owner, so that a later bootstrap by
-- another administrator finds them as they are.
SET LOCAL ROLE alloy_owner;
REVOKE ALL ON SCHEMA alloy, identity, definer FROM PUBLIC;
GRANT USAGE ON SCHEMA alloy, identity, definer
   TO alloy_app, alloy_definer, alloy_backup;
GRANT CREATE ON SCHEMA definer TO alloy_definer;
-- PostgreSQL gives EXECUTE on every new function to PUBLIC. Not here.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
SET LOCAL ROLE alloy_definer;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
RESET ROLE;

-- Session defaults of httpd's role. As settings of the role they hold whatever
-- pooler stands between, which SET would not.
DO $$
DECLARE
    setting record;
BEGIN
    FOR setting IN
        SELECT * FROM (VALUES
            ('search_path', 'alloy, identity, definer'),
            ('timezone', '''UTC'''),
            ('default_transaction_isolation', '''read committed'''),
            -- Upper bounds: the module sets shorter ones where it knows more.
            ('statement_timeout', '''30s'''),
            ('lock_timeout', '''2s'''),
            ('idle_in_transaction_session_timeout', '''10s'''),
            -- Short statements: compiling or starting workers costs more than
            -- either can give back.
            ('jit', 'off'),
            -- Planning costs more than running them, and PostgreSQL's own
            -- choice plans some anew each time. Statements with optional
            -- filters say force_custom_plan themselves.
            ('plan_cache_mode', 'force_generic_plan'),
            ('max_parallel_workers_per_gather', '0')) AS s (name, value)
    LOOP
        EXECUTE format('ALTER ROLE alloy_app IN DATABASE %I SET %s = %s',
                       current_database(), setting.name, setting.value);
    END LOOP;
    -- A deadlock stalls a shared write connection until it is found; only a
    -- superuser may shorten that wait for a role.
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('ALTER ROLE alloy_app IN DATABASE %I '
                       'SET deadlock_timeout = ''100ms''', current_database());
    END IF;
    EXECUTE format('ALTER ROLE alloy_backup IN DATABASE %I '
                   'SET default_transaction_read_only = on',
                   current_database());
END
$$;

COMMIT;
