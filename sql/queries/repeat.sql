-- Repeated requests. The lock is for those that come while the first is under
-- way: they are told so instead of waiting. A user's sessions share what is kept;
-- a key has its own, because it may see less than he does.

-- fragment: repeater
coalesce(:my_key::uuid, :me::uuid)::text

-- name: repeat_lock :one
SELECT pg_try_advisory_xact_lock(
           hashtextextended(@repeater@ || ' ' || :operation || ' ' || :repeat_key,
                            0))
       AS locked

-- name: repeat_find :one
SELECT i.status, i.headers, convert_from(i.body, 'UTF8') AS body,
       i.body_hash = :repeat_hash AS same
  FROM definer.idempotency_find(@repeater@, :operation, :repeat_key) i

-- name: repeat_keep :exec :write
SELECT definer.idempotency_keep(@repeater@, :operation, :repeat_key,
           :repeat_hash,
           :repeat_status::integer, :repeat_headers::jsonb,
           convert_to(:repeat_body, 'UTF8'))
