-- What the engine itself says to the database: the caller's settings, which go
-- before the statements of every transaction, and the look at the schema.
--
-- All settings are the transaction's own, so that no connection remembers a
-- caller. A principal whose version has moved on gets empty ones: under row
-- level security his statements then find nothing. OFFSET 0 keeps the planner
-- from asking for the version once per setting.

-- fragment: verified
(SELECT EXISTS (SELECT FROM identity.principal
                 WHERE user_id = :user::uuid
                   AND version = :version::bigint) AS ok OFFSET 0) AS v

-- One column says it all: what set_config answers is thrown away unsent. None of
-- them answers NULL, and the arguments of a function are all evaluated, whatever
-- the others are.
-- fragment: settings
nullif(v.ok, false),
set_config('alloy.me', CASE WHEN v.ok THEN (:user::uuid)::text ELSE '' END,
           true),
set_config('alloy.orgs', CASE WHEN v.ok THEN :orgs ELSE '' END, true),
set_config('alloy.all', CASE WHEN v.ok THEN :all ELSE '' END, true),
set_config('alloy.projects', CASE WHEN v.ok THEN :projects ELSE '' END, true)

-- fragment: limit
set_config('statement_timeout', :timeout, true)

-- fragment: call
set_config('alloy.call', :call, true)

-- fragment: custom
set_config('plan_cache_mode', 'force_custom_plan', true)

-- Short reads go without a limit of their own, since setting one costs a tenth
-- of such a read: the role's default ends them at last.
-- name: enter :one
SELECT num_nulls(@settings@) = 0 AS ok FROM @verified@;

-- name: enter_limited :one
SELECT num_nulls(@settings@, @limit@) = 0 AS ok FROM @verified@;

-- name: enter_custom :one
SELECT num_nulls(@settings@, @limit@, @custom@) = 0 AS ok FROM @verified@;

-- name: enter_call :one
SELECT num_nulls(@settings@, @limit@, @call@) = 0 AS ok FROM @verified@;

-- Whoever makes others wait, because they share his transaction, does not wait
-- for locks himself.
-- name: enter_call_shared :one
SELECT num_nulls(@settings@, @limit@, @call@,
                 set_config('lock_timeout', '100ms', true)) = 0 AS ok
  FROM @verified@;

-- name: enter_call_custom :one
SELECT num_nulls(@settings@, @limit@, @call@, @custom@) = 0 AS ok FROM @verified@;

-- Nobody in particular: registering, signing in, the engine's own look-ups.
-- name: enter_public :one
SELECT true AS ok, set_config('alloy.me', '', true),
       set_config('alloy.orgs', '', true), set_config('alloy.all', '', true),
       set_config('alloy.projects', '', true),
       set_config('statement_timeout', :timeout, true),
       set_config('alloy.call', coalesce(:call, ''), true),
       set_config('plan_cache_mode', :plan, true);

-- Within a transaction, before a statement that needs other limits.
-- name: enter_limits :one
SELECT set_config('statement_timeout', :timeout, true),
       set_config('plan_cache_mode', :plan, true);

-- To the other processes, in a transaction that does nothing else (core/wake.c).
-- name: wake_tell :exec
SELECT pg_notify('alloy_change', :organizations::text);

-- name: schema_versions :many
SELECT m.component, max(m.version)::int4 AS version,
       coalesce(max(r.oldest), 0)::int4 AS oldest
  FROM alloy.schema_migration m
  LEFT JOIN alloy.schema_range r ON r.component = m.component
 GROUP BY m.component;
