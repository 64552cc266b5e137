-- Projects: what tickets live in, who sees them, how they stand.

-- fragment: project_columns
p.id, p.org_id, p.key, p.name, p.description, p.workflow_id, p.budget_cents,
       p.budget_period, p.capitalization_type, p.development_phase,
       p.cost_center_id, p.amortization_months, p.archived,
       p.single_active_sprint, p.created_by, p.version, p.created_at,
       p.updated_at

-- A bare coalesce counts as leaky, which keeps the comparison out of the index
-- condition behind a policy; a sub-select does not.
-- fragment: project_newest
(p.created_at, p.id)
       < ((SELECT coalesce(:after_at::timestamptz, 'infinity')),
          (SELECT coalesce(:after_id::uuid,
                           'ffffffff-ffff-ffff-ffff-ffffffffffff')))

-- fragment: project_target
p.org_id = :org AND p.id = :project AND p.deleted_at IS NULL

-- References ------------------------------------------------------------------

-- name: project_find_id :many
SELECT p.id, p.org_id, p.id AS project_id, p.key AS label, 1 AS rank
  FROM unnest(:orgs::uuid[]) AS mine (org_id)
  JOIN project p ON p.org_id = mine.org_id AND p.id = :ref
 WHERE p.deleted_at IS NULL

-- Names are only read when no key fits, be it a deleted project's; and what is
-- spelled like a key is never the beginning of a name: a second DELETE must not
-- meet another project.
-- name: project_find_name :many
WITH by_key AS MATERIALIZED (
    SELECT p.id, p.org_id, p.key AS label, 1 AS rank, p.deleted_at
      FROM unnest(:orgs::uuid[]) AS mine (org_id)
      JOIN project p ON p.org_id = mine.org_id AND p.key = upper(:ref)
), by_name AS (
    SELECT p.id, p.org_id, p.key || ' ' || p.name AS label,
           CASE WHEN lower(p.name) = lower(:ref) THEN 2 ELSE 3 END AS rank
      FROM unnest(:orgs::uuid[]) AS mine (org_id)
      JOIN project p ON p.org_id = mine.org_id
     WHERE p.deleted_at IS NULL AND NOT EXISTS (SELECT FROM by_key)
       AND (lower(p.name) = lower(:ref)
            OR (starts_with(lower(p.name), lower(:ref))
                AND :ref !~ '^[A-Z][A-Z0-9]{1,9}$'))
)
SELECT f.id, f.org_id, f.id AS project_id, f.label, f.rank
  FROM (SELECT id, org_id, label, rank FROM by_key WHERE deleted_at IS NULL
        UNION ALL
        SELECT * FROM by_name) f
 ORDER BY f.rank, f.label
 LIMIT 20

-- name: workflow_find_id :many
SELECT w.id, w.org_id, NULL::uuid AS project_id, w.name AS label, 1 AS rank
  FROM unnest(CASE WHEN :within::uuid IS NULL THEN :orgs::uuid[]
                   ELSE ARRAY[:within::uuid] END) AS mine (org_id)
  JOIN workflow w ON w.org_id = mine.org_id AND w.id = :ref

-- name: workflow_find_name :many
SELECT w.id, w.org_id, NULL::uuid AS project_id, w.name AS label,
       CASE WHEN lower(w.name) = lower(:ref) THEN 1 ELSE 2 END AS rank
  FROM unnest(CASE WHEN :within::uuid IS NULL THEN :orgs::uuid[]
                   ELSE ARRAY[:within::uuid] END) AS mine (org_id)
  JOIN workflow w ON w.org_id = mine.org_id
 WHERE starts_with(lower(w.name), lower(:ref))
 ORDER BY rank, label
 LIMIT 20

-- Projects --------------------------------------------------------------------

-- Whoever makes a project is in it.
-- name: project_create :one
WITH parent AS (
    SELECT o.org_id, coalesce(:workflow_id::uuid, w.id) AS workflow_id
      FROM organization o
      JOIN workflow w ON w.org_id = o.org_id AND w.is_default
     WHERE o.org_id = :org AND o.deleted_at IS NULL
), made AS (
    INSERT INTO project (org_id, id, key, name, description, workflow_id,
                         budget_cents, budget_period, capitalization_type,
                         development_phase, cost_center_id,
                         amortization_months, archived,
                         single_active_sprint, created_by)
    SELECT parent.org_id, :new_project::uuid, :key::text, :name::text,
           :description::text, parent.workflow_id, :budget_cents::bigint,
           :budget_period::text, :capitalization_type::text,
           :development_phase::text, :cost_center_id::text,
           :amortization_months::integer, coalesce(:archived::boolean, false),
           coalesce(:single_active_sprint::boolean, false), :me::uuid
      FROM parent
        ON CONFLICT (org_id, key) DO NOTHING
    RETURNING *
), joined AS (
    INSERT INTO project_member (org_id, project_id, user_id)
    SELECT made.org_id, made.id, made.created_by FROM made
)
SELECT @project_columns@,
       CASE WHEN p.id IS NULL THEN 'key_taken' END AS _refusal
  FROM parent
  LEFT JOIN made p ON true

-- name: project_list :page :custom
SELECT @project_columns@, p.created_at AS _at, p.id AS _id
  FROM unnest(:orgs::uuid[]) AS mine (org_id)
 CROSS JOIN LATERAL (
    SELECT * FROM project p
     WHERE p.org_id = mine.org_id AND p.deleted_at IS NULL
       AND (:archived::boolean IS NULL OR p.archived = :archived::boolean)
       AND @project_newest@
     ORDER BY p.created_at DESC, p.id DESC
     LIMIT :limit) p
 ORDER BY p.created_at DESC, p.id DESC
 LIMIT :limit

-- name: project_list_all :page
SELECT @project_columns@, p.created_at AS _at, p.id AS _id
  FROM unnest(:orgs::uuid[]) AS mine (org_id)
 CROSS JOIN LATERAL (
    SELECT * FROM project p
     WHERE p.org_id = mine.org_id AND p.deleted_at IS NULL
       AND @project_newest@
     ORDER BY p.created_at DESC, p.id DESC
     LIMIT :limit) p
 ORDER BY p.created_at DESC, p.id DESC
 LIMIT :limit

-- name: project_get :one
SELECT @project_columns@
  FROM project p
 WHERE @project_target@

-- Held while something depends on its members or its workflow.
-- name: project_lock :exec
SELECT p.id FROM project p
 WHERE @project_target@
   FOR NO KEY UPDATE

-- Whoever takes a project to another workflow holds it, that workflow, and all of
-- its tickets: nobody moves one meanwhile.
-- name: project_update_lock :exec
WITH p AS MATERIALIZED (
    SELECT p.id, p.workflow_id FROM project p
     WHERE @project_target@
       FOR NO KEY UPDATE
), rules AS MATERIALIZED (
    SELECT w.id
      FROM p
     CROSS JOIN LATERAL (
        SELECT w.id FROM workflow w
         WHERE w.org_id = :org AND w.id = :workflow_id::uuid
           AND w.id <> p.workflow_id
         LIMIT 1
           FOR SHARE) w
)
SELECT p.id, (SELECT count(*) FROM (
    SELECT t.id FROM ticket t
     WHERE t.org_id = :org AND t.project_id = p.id
       AND (SELECT count(*) FROM rules) > 0
     ORDER BY t.id
       FOR NO KEY UPDATE) t) AS tickets
  FROM p

-- The statuses of project p, each with the one that is meant by it in the
-- workflow asked for: what status_map says, or the same name.
-- fragment: project_mapping
SELECT s.name, s.position, w.name AS target, w.category
      FROM workflow_status s
      LEFT JOIN LATERAL (
        SELECT m.value FROM jsonb_each_text(:status_map::jsonb) m
         WHERE lower(m.key) = lower(s.name)
         ORDER BY m.key = s.name DESC
         LIMIT 1) m ON true
      LEFT JOIN LATERAL (
        SELECT w.name, w.category FROM workflow_status w
         WHERE w.org_id = :org AND w.workflow_id = :workflow_id::uuid
           AND lower(w.name) = lower(coalesce(m.value, s.name))
         ORDER BY w.name = coalesce(m.value, s.name) DESC, w.position
         LIMIT 1) w ON true
     WHERE s.org_id = :org AND s.workflow_id = (
        SELECT p.workflow_id FROM project p WHERE @project_target@)

-- A key as a part of a JSON pointer (RFC 6901).
-- fragment: json_pointer
replace(replace(f.key, '~', '~0'), '/', '~1')

-- What stands in the way of another workflow: tickets without a status there,
-- and names in status_map that are in neither workflow.
-- name: project_update_read :one
WITH mapping AS MATERIALIZED (
    @project_mapping@
       AND :workflow_id::uuid IS NOT NULL
), lost AS (
    SELECT m.name, m.position, t.count
      FROM mapping m
     CROSS JOIN LATERAL (
        SELECT count(*) FROM ticket t
         WHERE t.org_id = :org AND t.project_id = :project
           AND t.status = m.name AND t.deleted_at IS NULL) t
     WHERE m.target IS NULL AND t.count > 0
)
SELECT p.version,
       :workflow_id::uuid IS DISTINCT FROM p.workflow_id
       AND :workflow_id::uuid IS NOT NULL AS leaves,
       CASE WHEN :workflow_id::uuid <> p.workflow_id THEN (
           SELECT json_agg(json_build_object('status', l.name, 'count', l.count)
                           ORDER BY l.position)
             FROM lost l) END AS stranded,
       (SELECT string_agg(@json_pointer@, E'\n' ORDER BY f.key)
          FROM jsonb_each_text(:status_map::jsonb) f
         WHERE NOT EXISTS (SELECT FROM mapping m
                            WHERE lower(m.name) = lower(f.key))) AS unknown_from,
       (SELECT string_agg(@json_pointer@, E'\n' ORDER BY f.key)
          FROM jsonb_each_text(:status_map::jsonb) f
         WHERE NOT EXISTS (
            SELECT FROM workflow_status w
             WHERE w.org_id = :org AND w.workflow_id = :workflow_id::uuid
               AND lower(w.name) = lower(f.value))) AS unknown_to,
       (SELECT string_agg(w.name, E'\n' ORDER BY w.position, w.name)
          FROM workflow_status w
         WHERE w.org_id = :org AND w.workflow_id = :workflow_id::uuid)
           AS statuses
  FROM project p
 WHERE @project_target@

-- Tickets follow their project to another workflow, deleted ones as well: to a
-- status of the same meaning, or, if nobody said which, to the first.
-- name: project_update :one
WITH mapping AS MATERIALIZED (
    SELECT m.name, coalesce(m.target, f.name) AS target,
           coalesce(m.category, f.category) AS category
      FROM (
    @project_mapping@
       AND :workflow_id::uuid IS NOT NULL) m
     CROSS JOIN LATERAL (
        SELECT f.name, f.category FROM workflow_status f
         WHERE f.org_id = :org AND f.workflow_id = :workflow_id::uuid
         ORDER BY f.position, f.name
         LIMIT 1) f
), p AS (
    UPDATE project p
       SET name = CASE WHEN :name? THEN :name ELSE p.name END,
           description = CASE WHEN :description? THEN :description
               ELSE p.description END,
           workflow_id = CASE WHEN :workflow_id? THEN :workflow_id::uuid
               ELSE p.workflow_id END,
           budget_cents = CASE WHEN :budget_cents? THEN :budget_cents
               ELSE p.budget_cents END,
           budget_period = CASE WHEN :budget_period? THEN :budget_period
               ELSE p.budget_period END,
           capitalization_type = CASE WHEN :capitalization_type?
               THEN :capitalization_type ELSE p.capitalization_type END,
           development_phase = CASE WHEN :development_phase?
               THEN :development_phase ELSE p.development_phase END,
           cost_center_id = CASE WHEN :cost_center_id? THEN :cost_center_id
               ELSE p.cost_center_id END,
           amortization_months = CASE WHEN :amortization_months?
               THEN :amortization_months ELSE p.amortization_months END,
           archived = CASE WHEN :archived? THEN :archived ELSE p.archived END,
           single_active_sprint = CASE WHEN :single_active_sprint?
               THEN :single_active_sprint ELSE p.single_active_sprint END
     WHERE @project_target@ AND p.version = :seen
    RETURNING p.*
), moved AS (
    UPDATE ticket t
       SET workflow_id = p.workflow_id, status = m.target,
           closed_at = CASE WHEN m.category = 'done'
               THEN coalesce(t.closed_at, clock_timestamp()) END
      FROM p, mapping m
     WHERE t.org_id = :org AND t.project_id = :project AND t.status = m.name
       AND t.workflow_id <> p.workflow_id
)
SELECT @project_columns@ FROM p

-- name: project_delete :exec
UPDATE project p SET deleted_at = clock_timestamp()
 WHERE @project_target@

-- Members -----------------------------------------------------------------------

-- Run behind project_lock: of two who add the same person, the second sees him.
-- The membership is held: who is being removed has his projects removed behind it.
-- name: project_member_add :one
WITH parent AS (
    SELECT p.org_id, p.id, m.user_id
      FROM project p
      JOIN membership m ON m.org_id = p.org_id AND m.user_id = :user_id
     WHERE @project_target@ AND m.removed_at IS NULL
       FOR SHARE OF m
), added AS (
    INSERT INTO project_member (org_id, project_id, user_id)
    SELECT parent.org_id, parent.id, parent.user_id FROM parent
        ON CONFLICT DO NOTHING
    RETURNING project_id, created_at
)
SELECT parent.id AS project_id, parent.user_id, u.email, u.display_name,
       coalesce(added.created_at, there.created_at) AS created_at,
       added.project_id IS NOT NULL AS _created
  FROM parent
  JOIN identity.person u ON u.id = parent.user_id
  LEFT JOIN added ON true
  LEFT JOIN project_member there
    ON there.org_id = :org AND there.project_id = parent.id
   AND there.user_id = parent.user_id

-- name: project_member_list :many
SELECT m.project_id, m.user_id, u.email, u.display_name, m.created_at
  FROM project p
  JOIN project_member m ON m.org_id = p.org_id AND m.project_id = p.id
  JOIN identity.person u ON u.id = m.user_id
 WHERE @project_target@
 ORDER BY m.created_at, m.user_id
 LIMIT 1000

-- name: project_member_remove :exec
DELETE FROM project_member m
 USING project p
 WHERE @project_target@
   AND m.org_id = :org AND m.project_id = :project AND m.user_id = :user

-- Summary -----------------------------------------------------------------------

-- Tickets are read once; everything else adds up the counts.
-- name: project_summary :one :slow
WITH p AS (
    SELECT p.org_id, p.id, p.key, p.name, p.workflow_id,
           (now() AT TIME ZONE o.timezone)::date AS today
      FROM project p
      JOIN organization o ON o.org_id = p.org_id
     WHERE @project_target@
), counted AS MATERIALIZED (
    SELECT t.status, t.priority, t.assignee_id, count(*) AS n,
           count(*) FILTER (WHERE t.due_date < (SELECT today FROM p)) AS late
      FROM ticket t
     WHERE t.org_id = :org AND t.project_id = :project
       AND t.deleted_at IS NULL
     GROUP BY t.status, t.priority, t.assignee_id
), status AS MATERIALIZED (
    SELECT s.name, s.category, s.position,
           coalesce(sum(c.n), 0)::bigint AS n,
           coalesce(sum(c.late), 0)::bigint AS late
      FROM p
      JOIN workflow_status s
        ON s.org_id = p.org_id AND s.workflow_id = p.workflow_id
      LEFT JOIN counted c ON c.status = s.name
     GROUP BY s.name, s.category, s.position
)
SELECT p.id AS project_id, p.key, p.name,
       (SELECT coalesce(sum(n), 0)::bigint FROM counted) AS total,
       (SELECT coalesce(json_agg(json_build_object('status', name,
                   'category', category, 'count', n)
                   ORDER BY position, name), '[]')
          FROM status) AS by_status,
       (SELECT json_agg(json_build_object('category', k.category, 'count',
                   (SELECT coalesce(sum(s.n), 0)::bigint FROM status s
                     WHERE s.category = k.category)) ORDER BY k.position)
          FROM (VALUES ('todo', 1), ('in_progress', 2), ('done', 3))
               AS k (category, position)) AS by_category,
       (SELECT json_agg(json_build_object('priority', k.priority, 'count',
                   (SELECT coalesce(sum(c.n), 0)::bigint FROM counted c
                     WHERE c.priority = k.priority)) ORDER BY k.position)
          FROM (VALUES ('Critical', 1), ('High', 2), ('Medium', 3),
                       ('Low', 4)) AS k (priority, position)) AS by_priority,
       (SELECT coalesce(json_agg(json_build_object('assignee_id',
                   a.assignee_id, 'display_name', u.display_name, 'count', a.n)
                   ORDER BY a.n DESC, u.display_name, a.assignee_id), '[]')
          FROM (SELECT assignee_id, sum(n)::bigint AS n FROM counted
                 GROUP BY assignee_id) a
          LEFT JOIN identity.person u ON u.id = a.assignee_id) AS by_assignee,
       (SELECT coalesce(sum(late), 0)::bigint FROM status
         WHERE category <> 'done') AS overdue,
       (SELECT coalesce(json_agg(json_build_object('id', s.id, 'name', s.name)
                   ORDER BY s.number), '[]')
          FROM sprint s
         WHERE s.org_id = :org AND s.project_id = p.id AND s.status = 'Active'
           AND s.deleted_at IS NULL) AS active_sprints
  FROM p
