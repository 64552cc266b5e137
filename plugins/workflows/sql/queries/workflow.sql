-- Workflows: making, reading, changing and deleting one.

-- fragment: workflow_columns
w.id, w.org_id, w.name, w.enforcement, w.is_default,
       (SELECT coalesce(json_agg(json_build_object('name', s.name, 'category',
                   s.category, 'wip_limit', s.wip_limit)
                   ORDER BY s.position, s.name), '[]')
          FROM workflow_status s
         WHERE s.org_id = :org AND s.workflow_id = w.id) AS statuses,
       (SELECT coalesce(json_agg(json_build_object('from', x.from_status, 'to',
                   x.to_status, 'required_fields', x.required_fields, 'roles',
                   x.roles) ORDER BY x.position, x.from_status, x.to_status),
                   '[]')
          FROM workflow_transition x
         WHERE x.org_id = :org AND x.workflow_id = w.id) AS transitions,
       w.version, w.created_at, w.updated_at

-- fragment: workflow_target
w.org_id = :org AND w.id = :workflow

-- name: workflow_get :one
SELECT @workflow_columns@
  FROM workflow w
 WHERE @workflow_target@

-- A bare coalesce counts as leaky, which keeps the comparison out of the index
-- condition behind a policy; a sub-select does not.
-- name: workflow_list :page
SELECT @workflow_columns@, w.created_at AS _at, w.id AS _id
  FROM workflow w
 WHERE w.org_id = :org
   AND (w.created_at, w.id)
       < ((SELECT coalesce(:after_at::timestamptz, 'infinity')),
          (SELECT coalesce(:after_id::uuid,
                           'ffffffff-ffff-ffff-ffff-ffffffffffff')))
 ORDER BY w.created_at DESC, w.id DESC
 LIMIT :limit

-- Locks -----------------------------------------------------------------------

-- Names, and which one is the default or the last, are the organization's.
-- name: workflow_org_lock :exec
SELECT o.org_id FROM organization o
 WHERE o.org_id = :org AND o.deleted_at IS NULL
   FOR NO KEY UPDATE

-- name: workflow_lock :one
SELECT w.id FROM workflow w
 WHERE @workflow_target@
   FOR NO KEY UPDATE

-- Whoever is about to refer to it has finished, or finds it gone.
-- name: workflow_delete_lock :one
SELECT w.id FROM workflow w
 WHERE @workflow_target@
   FOR UPDATE

-- Statuses that are not among those sent. Tickets on their way into one have
-- arrived, or wait and find it gone.
-- name: workflow_doomed_lock :exec
SELECT s.name FROM workflow_status s
 WHERE s.org_id = :org AND s.workflow_id = :workflow
   AND :statuses::jsonb IS NOT NULL
   AND s.name NOT IN (SELECT n.value ->> 'name'
                        FROM jsonb_array_elements(:statuses::jsonb) n)
 ORDER BY s.name
   FOR UPDATE

-- What is wanted --------------------------------------------------------------

-- The statuses that were sent, or those there are.
-- fragment: workflow_wanted
SELECT n.value ->> 'name' AS name, n.value ->> 'category' AS category,
           (n.value ->> 'wip_limit')::integer AS wip_limit,
           n.position::integer
      FROM jsonb_array_elements(:statuses::jsonb) WITH ORDINALITY
           AS n (value, position)
     UNION ALL
    SELECT s.name, s.category, s.wip_limit, s.position
      FROM workflow_status s
     WHERE s.org_id = :org AND s.workflow_id = :workflow
       AND :statuses::jsonb IS NULL

-- Each status there is, with the wanted one that takes its place: the one that
-- status_map says, or that of the same name.
-- fragment: workflow_mapping
SELECT s.name, s.position, w.name AS target, w.category
      FROM workflow_status s
      LEFT JOIN LATERAL (
        SELECT m.value FROM jsonb_each_text(:status_map::jsonb) m
         WHERE lower(m.key) = lower(s.name)
         ORDER BY m.key = s.name DESC
         LIMIT 1) m ON true
      LEFT JOIN LATERAL (
        SELECT w.name, w.category FROM wanted w
         WHERE lower(w.name) = lower(coalesce(m.value, s.name))
         ORDER BY w.name = coalesce(m.value, s.name) DESC, w.position
         LIMIT 1) w ON true
     WHERE s.org_id = :org AND s.workflow_id = :workflow

-- A key as a part of a JSON pointer (RFC 6901).
-- fragment: json_pointer
replace(replace(f.key, '~', '~0'), '/', '~1')

-- Everything that is wrong with what was sent, beyond types: where, what, and the
-- names there are.
-- name: workflow_faults :many
WITH wanted AS MATERIALIZED (
    @workflow_wanted@
), names AS (
    SELECT string_agg(w.name, E'\n' ORDER BY w.position) AS lines FROM wanted w
), ways AS MATERIALIZED (
    SELECT x.value ->> 'from' AS from_status, x.value ->> 'to' AS to_status,
           x.position - 1 AS place
      FROM jsonb_array_elements(:transitions::jsonb) WITH ORDINALITY
           AS x (value, position)
)
SELECT '/statuses/' || w.position - 1 || '/name' AS pointer,
       'repeated' AS code, NULL AS allowed
  FROM wanted w
 WHERE :statuses::jsonb IS NOT NULL
   AND EXISTS (SELECT FROM wanted v
                WHERE lower(v.name) = lower(w.name)
                  AND v.position < w.position)
 UNION ALL
SELECT '/transitions/' || x.place || '/' || e.key, 'unknown_status', names.lines
  FROM ways x
 CROSS JOIN names
 CROSS JOIN LATERAL (VALUES ('from', x.from_status), ('to', x.to_status))
       AS e (key, name)
 WHERE NOT EXISTS (SELECT FROM wanted w WHERE lower(w.name) = lower(e.name))
 UNION ALL
SELECT '/transitions/' || x.place, 'repeated', NULL
  FROM ways x
 WHERE EXISTS (SELECT FROM ways y
                WHERE y.place < x.place
                  AND lower(y.from_status) = lower(x.from_status)
                  AND lower(y.to_status) = lower(x.to_status))
 UNION ALL
SELECT '/status_map', 'needs_statuses', NULL
 WHERE :status_map::jsonb IS NOT NULL AND :statuses::jsonb IS NULL
 UNION ALL
SELECT '/status_map/' || @json_pointer@, 'unknown_status', NULL
  FROM jsonb_each_text(:status_map::jsonb) f
 WHERE NOT EXISTS (SELECT FROM workflow_status s
                    WHERE s.org_id = :org AND s.workflow_id = :workflow
                      AND lower(s.name) = lower(f.key))
 UNION ALL
SELECT '/status_map/' || @json_pointer@, 'unknown_status', names.lines
  FROM jsonb_each_text(:status_map::jsonb) f
 CROSS JOIN names
 WHERE NOT EXISTS (SELECT FROM wanted w WHERE lower(w.name) = lower(f.value))

-- Whether the name is somebody else's, and live tickets that would be left in a
-- status that is gone.
-- name: workflow_obstacles :one
WITH wanted AS MATERIALIZED (
    @workflow_wanted@
), mapping AS MATERIALIZED (
    @workflow_mapping@
)
SELECT EXISTS (SELECT FROM workflow w
                WHERE w.org_id = :org AND lower(w.name) = lower(:name::text)
                  AND w.id <> :workflow) AS name_taken,
       (SELECT json_agg(json_build_object('status', m.name, 'count', t.count)
                        ORDER BY m.position)
          FROM mapping m
         CROSS JOIN LATERAL (
            SELECT count(*) FROM ticket t
             WHERE t.org_id = :org AND t.workflow_id = :workflow
               AND t.status = m.name AND t.deleted_at IS NULL) t
         WHERE m.target IS NULL AND t.count > 0) AS stranded

-- Writing ---------------------------------------------------------------------

-- The row first, as workflow_update would write it in the end.
-- name: workflow_insert :exec
WITH wanted AS MATERIALIZED (
    @workflow_wanted@
)
INSERT INTO workflow (org_id, id, name, enforcement, statuses, transitions)
SELECT :org, :workflow, :name, :enforcement,
       (SELECT jsonb_agg(jsonb_build_object('name', w.name, 'category',
                   w.category, 'wip_limit', w.wip_limit) ORDER BY w.position)
          FROM wanted w),
       (SELECT coalesce(jsonb_agg(jsonb_build_object('from', f.name, 'to',
                   t.name, 'required_fields',
                   coalesce(nullif(x.value -> 'required_fields', 'null'), '[]'),
                   'roles', coalesce(nullif(x.value -> 'roles', 'null'), '[]'))
                   ORDER BY x.position), '[]')
          FROM jsonb_array_elements(:transitions::jsonb) WITH ORDINALITY
               AS x (value, position)
          JOIN wanted f ON lower(f.name) = lower(x.value ->> 'from')
          JOIN wanted t ON lower(t.name) = lower(x.value ->> 'to'))

-- name: workflow_statuses_keep :exec
INSERT INTO workflow_status AS s (org_id, workflow_id, name, category, position,
                                  wip_limit)
SELECT :org, :workflow, w.name, w.category, w.position, w.wip_limit
  FROM (
    @workflow_wanted@) w
 WHERE :statuses::jsonb IS NOT NULL
    ON CONFLICT (org_id, workflow_id, name) DO UPDATE
   SET category = excluded.category, position = excluded.position,
       wip_limit = excluded.wip_limit

-- Transitions that were sent, or those there are between what their statuses have
-- become; what is not among them goes.
-- name: workflow_transitions_keep :exec
WITH wanted AS MATERIALIZED (
    @workflow_wanted@
), mapping AS MATERIALIZED (
    @workflow_mapping@
), ways AS MATERIALIZED (
    SELECT f.name AS from_status, t.name AS to_status, x.position,
           ARRAY(SELECT jsonb_array_elements_text(
               coalesce(nullif(x.value -> 'required_fields', 'null'), '[]')))
               AS required_fields,
           ARRAY(SELECT jsonb_array_elements_text(
               coalesce(nullif(x.value -> 'roles', 'null'), '[]'))) AS roles
      FROM jsonb_array_elements(:transitions::jsonb) WITH ORDINALITY
           AS x (value, position)
      JOIN wanted f ON lower(f.name) = lower(x.value ->> 'from')
      JOIN wanted t ON lower(t.name) = lower(x.value ->> 'to')
     UNION ALL
    SELECT DISTINCT ON (f.target, t.target) f.target, t.target, x.position,
           x.required_fields, x.roles
      FROM workflow_transition x
      JOIN mapping f ON f.name = x.from_status
      JOIN mapping t ON t.name = x.to_status
     WHERE x.org_id = :org AND x.workflow_id = :workflow
       AND :transitions::jsonb IS NULL
       AND f.target IS NOT NULL AND t.target IS NOT NULL
       AND (f.target <> t.target OR f.name = t.name)
     ORDER BY 1, 2, 3
), gone AS (
    DELETE FROM workflow_transition x
     WHERE x.org_id = :org AND x.workflow_id = :workflow
       AND NOT EXISTS (SELECT FROM ways y
                        WHERE y.from_status = x.from_status
                          AND y.to_status = x.to_status)
)
INSERT INTO workflow_transition (org_id, workflow_id, from_status, to_status,
                                 position, required_fields, roles)
SELECT :org, :workflow, x.from_status, x.to_status,
       row_number() OVER (ORDER BY x.position), x.required_fields, x.roles
  FROM ways x
    ON CONFLICT (org_id, workflow_id, from_status, to_status) DO UPDATE
   SET position = excluded.position, roles = excluded.roles,
       required_fields = excluded.required_fields

-- Tickets follow their status, deleted ones as well: those to the first, where
-- nobody said which.
-- name: workflow_tickets_move :exec
WITH wanted AS MATERIALIZED (
    @workflow_wanted@
), mapping AS MATERIALIZED (
    SELECT m.name, coalesce(m.target, f.name) AS target,
           coalesce(m.category, f.category) AS category
      FROM (
    @workflow_mapping@) m
     CROSS JOIN (SELECT w.name, w.category FROM wanted w
                  ORDER BY w.position
                  LIMIT 1) f
)
UPDATE ticket t
   SET status = m.target,
       closed_at = CASE WHEN m.category = 'done'
           THEN coalesce(t.closed_at, clock_timestamp()) END
  FROM mapping m
 WHERE t.org_id = :org AND t.workflow_id = :workflow AND t.status = m.name
   AND :statuses::jsonb IS NOT NULL
   AND (m.target <> m.name
        OR (m.category = 'done') <> (t.closed_at IS NOT NULL))

-- name: workflow_statuses_drop :exec
DELETE FROM workflow_status s
 WHERE s.org_id = :org AND s.workflow_id = :workflow
   AND :statuses::jsonb IS NOT NULL
   AND s.name NOT IN (SELECT n.value ->> 'name'
                        FROM jsonb_array_elements(:statuses::jsonb) n)

-- Before another one can be the default.
-- name: workflow_undefault :exec
UPDATE workflow w SET is_default = false
 WHERE w.org_id = :org AND w.is_default AND w.id <> :workflow
   AND :is_default::boolean

-- The row says what the others say now: so it has a version and a history.
-- name: workflow_update :exec
UPDATE workflow w
   SET name = coalesce(:name, w.name),
       enforcement = CASE WHEN :enforcement? THEN :enforcement
           ELSE w.enforcement END,
       is_default = w.is_default OR coalesce(:is_default::boolean, false),
       statuses = new.statuses::jsonb, transitions = new.transitions::jsonb
  FROM (SELECT @workflow_columns@ FROM workflow w WHERE @workflow_target@) new
 WHERE @workflow_target@

-- Deleting --------------------------------------------------------------------

-- What still needs the workflow. A deleted project may be restored.
-- name: workflow_users :one
SELECT w.name, w.is_default,
       (SELECT count(*) FROM (SELECT FROM workflow o
                               WHERE o.org_id = :org LIMIT 2) o) = 1 AS last,
       (SELECT json_agg(p.key ORDER BY p.key)
          FROM (SELECT p.key FROM project p
                 WHERE p.org_id = :org AND p.workflow_id = w.id
                   AND p.deleted_at IS NULL
                 ORDER BY p.key
                 LIMIT 50) p) AS projects,
       (SELECT true FROM project p
         WHERE p.org_id = :org AND p.workflow_id = w.id
           AND p.deleted_at IS NOT NULL
         LIMIT 1) AS deleted
  FROM workflow w
 WHERE @workflow_target@

-- name: workflow_delete :exec
WITH ways AS (
    DELETE FROM workflow_transition x
     WHERE x.org_id = :org AND x.workflow_id = :workflow
), statuses AS (
    DELETE FROM workflow_status s
     WHERE s.org_id = :org AND s.workflow_id = :workflow
)
DELETE FROM workflow w
 WHERE @workflow_target@
