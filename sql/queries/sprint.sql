-- Sprints: planning, starting and completing them, and their boards.

-- fragment: sprint_columns
s.id, s.project_id, s.number, s.name, s.goal, s.start_date, s.end_date,
       s.status, s.started_at, s.completed_at, s.version, s.created_at,
       s.updated_at

-- A sprint s that is not deleted and in no deleted project.
-- fragment: sprint_target
s.org_id = :org AND s.id = :sprint AND s.deleted_at IS NULL
   AND (SELECT true FROM project p
         WHERE p.org_id = :org AND p.id = s.project_id
           AND p.deleted_at IS NULL
         LIMIT 1)

-- References --------------------------------------------------------------------

-- What a sprint is looked for within: a project, or the project of a ticket or
-- of another sprint.
-- fragment: sprint_parent
SELECT mine.org_id, :within::uuid AS project_id
      FROM unnest(:orgs::uuid[]) AS mine (org_id)
     WHERE :within::uuid IS NOT NULL
    UNION ALL
    SELECT mine.org_id, t.project_id
      FROM unnest(:orgs::uuid[]) AS mine (org_id)
      JOIN ticket t ON t.org_id = mine.org_id AND t.id = :within::uuid
    UNION ALL
    SELECT mine.org_id, other.project_id
      FROM unnest(:orgs::uuid[]) AS mine (org_id)
      JOIN sprint other
        ON other.org_id = mine.org_id AND other.id = :within::uuid

-- name: sprint_find_id :many
WITH parent AS MATERIALIZED (
    @sprint_parent@
)
SELECT s.id, s.org_id, s.project_id, p.key || ' ' || s.name AS label, 1 AS rank
  FROM unnest(:orgs::uuid[]) AS mine (org_id)
  JOIN sprint s ON s.org_id = mine.org_id AND s.id = :ref
  JOIN project p ON p.org_id = mine.org_id AND p.id = s.project_id
 WHERE s.deleted_at IS NULL AND p.deleted_at IS NULL
   AND (:within::uuid IS NULL
        OR s.project_id IN (SELECT parent.project_id FROM parent))

-- "active", the number, the whole name, the beginning of the name up to the end
-- of a word: in this order. Sprint 1 is the beginning of "Sprint 1 - Launch" and
-- not of "Sprint 10".
-- fragment: sprint_rank
CASE WHEN lower(:ref::text) = 'active' THEN
                CASE WHEN s.status = 'Active' THEN 1 END
            WHEN s.number::text = :ref THEN 2
            WHEN lower(s.name) = lower(:ref) THEN 3
            WHEN lower(left(s.name, length(:ref))) = lower(:ref)
             AND substr(s.name, length(:ref) + 1, 1) !~ '[[:alnum:]_]'
            THEN 4 END

-- name: sprint_find_name :many
WITH parent AS MATERIALIZED (
    @sprint_parent@
), named AS (
    SELECT s.id, s.org_id, s.project_id, s.name, @sprint_rank@ AS rank
      FROM parent
      JOIN sprint s
        ON s.org_id = parent.org_id AND s.project_id = parent.project_id
     WHERE s.deleted_at IS NULL
    UNION ALL
    SELECT s.id, s.org_id, s.project_id, s.name, @sprint_rank@ AS rank
      FROM unnest(:orgs::uuid[]) AS mine (org_id)
      JOIN sprint s ON s.org_id = mine.org_id
     WHERE s.deleted_at IS NULL AND :within::uuid IS NULL
)
SELECT n.id, n.org_id, n.project_id, p.key || ' ' || n.name AS label, n.rank
  FROM named n
  JOIN project p ON p.org_id = n.org_id AND p.id = n.project_id
 WHERE n.rank IS NOT NULL AND p.deleted_at IS NULL
 ORDER BY n.rank, label
 LIMIT 20

-- Making one --------------------------------------------------------------------

-- fragment: sprint_project
p.org_id = :org AND p.id = :project AND p.deleted_at IS NULL

-- Held while a number is given.
-- name: sprint_project_lock :exec
SELECT p.id FROM project p
 WHERE @sprint_project@
   FOR NO KEY UPDATE

-- Run behind sprint_project_lock: of two sprints made at once, the second sees
-- the first one's number. A year is long enough for a sprint, and its days are
-- listed one by one.
-- name: sprint_create :one
WITH parent AS (
    SELECT p.org_id, p.id,
           CASE WHEN p.archived THEN 'archived'
                WHEN :end_date::date < :start_date::date THEN 'backwards'
                WHEN :end_date::date - :start_date::date > 366 THEN 'too_long'
                END AS refusal
      FROM project p
     WHERE @sprint_project@
), s AS (
    INSERT INTO sprint (org_id, id, project_id, number, name, goal, start_date,
                        end_date)
    SELECT parent.org_id, :new_sprint, parent.id,
           coalesce((SELECT max(other.number) FROM sprint other
                      WHERE other.org_id = :org
                        AND other.project_id = :project), 0) + 1,
           :name, :goal, :start_date::date, :end_date::date
      FROM parent
     WHERE parent.refusal IS NULL
    RETURNING *
)
SELECT @sprint_columns@, parent.refusal AS _refusal
  FROM parent
  LEFT JOIN s ON true

-- Reading -------------------------------------------------------------------------

-- name: sprint_get :one
SELECT @sprint_columns@
  FROM sprint s
 WHERE @sprint_target@

-- The sub-selects keep the comparison in the index condition: a bare coalesce
-- counts as leaky.
-- fragment: sprint_page
s.org_id = :org
   AND s.project_id = (SELECT p.id FROM project p WHERE @sprint_project@)
   AND s.deleted_at IS NULL
   AND (s.created_at, s.id)
       < ((SELECT coalesce(:after_at::timestamptz, 'infinity')),
          (SELECT coalesce(:after_id::uuid,
                           'ffffffff-ffff-ffff-ffff-ffffffffffff')))

-- name: sprint_list :page :custom
SELECT @sprint_columns@, s.created_at AS _at, s.id AS _id
  FROM sprint s
 WHERE @sprint_page@
   AND (:status::text[] IS NULL OR s.status = ANY (:status::text[]))
 ORDER BY s.created_at DESC, s.id DESC
 LIMIT :limit

-- name: sprint_list_all :page
SELECT @sprint_columns@, s.created_at AS _at, s.id AS _id
  FROM sprint s
 WHERE @sprint_page@
 ORDER BY s.created_at DESC, s.id DESC
 LIMIT :limit

-- Changing ------------------------------------------------------------------------

-- Held while something depends on the sprint's status.
-- name: sprint_lock :exec
SELECT s.id FROM sprint s
 WHERE @sprint_target@
   FOR NO KEY UPDATE

-- name: sprint_update_read :one
SELECT s.version,
       d.end_date < d.start_date AS backwards,
       d.end_date - d.start_date > 366 AS too_long,
       s.status = 'Completed'
       AND (d.start_date, d.end_date)
           IS DISTINCT FROM (s.start_date, s.end_date) AS settled
  FROM sprint s
 CROSS JOIN LATERAL (
    SELECT CASE WHEN :start_date? THEN :start_date::date
                ELSE s.start_date END AS start_date,
           CASE WHEN :end_date? THEN :end_date::date
                ELSE s.end_date END AS end_date) d
 WHERE @sprint_target@

-- name: sprint_update :one
UPDATE sprint s
   SET name = CASE WHEN :name? THEN :name ELSE s.name END,
       goal = CASE WHEN :goal? THEN :goal ELSE s.goal END,
       start_date = CASE WHEN :start_date? THEN :start_date::date
           ELSE s.start_date END,
       end_date = CASE WHEN :end_date? THEN :end_date::date
           ELSE s.end_date END
 WHERE @sprint_target@ AND s.version = :seen
RETURNING @sprint_columns@

-- Starting ------------------------------------------------------------------------

-- Where a project wants one active sprint, its row serializes the starts.
-- name: sprint_start_lock :exec
SELECT p.id FROM project p
 WHERE p.org_id = :org AND p.single_active_sprint AND p.deleted_at IS NULL
   AND p.id = (SELECT s.project_id FROM sprint s
                WHERE s.org_id = :org AND s.id = :sprint)
   FOR NO KEY UPDATE

-- name: sprint_start :one
WITH there AS (
    SELECT s.id,
           CASE WHEN s.status <> 'Planned' THEN 'not_planned'
                WHEN p.single_active_sprint
                 AND EXISTS (SELECT FROM sprint other
                              WHERE other.org_id = :org
                                AND other.project_id = s.project_id
                                AND other.status = 'Active'
                                AND other.deleted_at IS NULL)
                THEN 'another_active' END AS refusal
      FROM sprint s
     CROSS JOIN LATERAL (
        SELECT p.single_active_sprint FROM project p
         WHERE p.org_id = :org AND p.id = s.project_id
         LIMIT 1) p
     WHERE @sprint_target@
), s AS (
    UPDATE sprint s SET status = 'Active', started_at = clock_timestamp()
      FROM there
     WHERE s.org_id = :org AND s.id = there.id AND there.refusal IS NULL
       AND s.status = 'Planned'
    RETURNING s.*
)
SELECT @sprint_columns@,
       CASE WHEN s.id IS NULL THEN coalesce(there.refusal, 'not_planned')
            END AS _refusal
  FROM there
  LEFT JOIN s ON true

-- Completing ----------------------------------------------------------------------

-- Run behind sprint_lock: tickets that entered while it was waited for are seen.
-- completed_at is taken before the tickets leave, so the sprint's own history
-- ends with the work that was still open in it.
-- name: sprint_complete :one
WITH there AS (
    SELECT s.id, s.status FROM sprint s WHERE @sprint_target@
), target AS (
    SELECT g.id, g.status FROM sprint g
     WHERE g.org_id = :org AND g.id = :move_incomplete_to::uuid
       AND g.deleted_at IS NULL
       FOR SHARE
), judged AS (
    SELECT there.id,
           CASE WHEN there.status <> 'Active' THEN 'not_active'
                WHEN :move_incomplete_to::uuid = there.id THEN 'target_same'
                WHEN :move_incomplete_to::uuid IS NOT NULL
                 AND NOT EXISTS (SELECT FROM target
                                  WHERE target.status <> 'Completed')
                THEN 'target_completed' END AS refusal
      FROM there
), s AS (
    UPDATE sprint s SET status = 'Completed', completed_at = clock_timestamp()
      FROM judged
     WHERE s.org_id = :org AND s.id = judged.id AND judged.refusal IS NULL
       AND s.status = 'Active'
    RETURNING s.*
), moved AS (
    UPDATE ticket t SET sprint_id = :move_incomplete_to::uuid
      FROM s
     WHERE t.org_id = :org AND t.sprint_id = s.id AND t.deleted_at IS NULL
       AND NOT EXISTS (SELECT FROM workflow_status w
                        WHERE w.org_id = :org
                          AND w.workflow_id = t.workflow_id
                          AND w.name = t.status AND w.category = 'done')
)
SELECT @sprint_columns@,
       CASE WHEN s.id IS NULL THEN coalesce(judged.refusal, 'not_active')
            END AS _refusal
  FROM judged
  LEFT JOIN s ON true

-- Its tickets go back to the backlog.
-- name: sprint_delete :exec
WITH s AS (
    UPDATE sprint s SET deleted_at = clock_timestamp()
     WHERE @sprint_target@
    RETURNING s.id
), moved AS (
    UPDATE ticket t SET sprint_id = NULL
      FROM s
     WHERE t.org_id = :org AND t.sprint_id = s.id
)
SELECT s.id FROM s

-- Boards --------------------------------------------------------------------------

-- Columns of the workflow of project p with the tickets of "held"; those in a
-- column are ranked by what matters most.
-- fragment: board_columns
SELECT coalesce(json_agg(json_build_object(
               'status', w.name, 'category', w.category,
               'wip_limit', w.wip_limit, 'count', coalesce(c.n, 0),
               'points', trim_scale(coalesce(c.half, 0) / 2.0),
               'tickets', coalesce(c.tickets, '[]'))
           ORDER BY w.position, w.name), '[]')
          FROM workflow_status w
          LEFT JOIN (
            SELECT h.status, count(*) AS n, sum(h.points_half) AS half,
                   json_agg(json_build_object(
                       'id', h.id, 'key', p.key || '-' || h.ticket_number,
                       'title', h.title, 'type', h.type,
                       'priority', h.priority, 'assignee_id', h.assignee_id,
                       'points', trim_scale(h.points_half / 2.0),
                       'version', h.version)
                       ORDER BY h.place) FILTER (WHERE h.place <= :limit)
                       AS tickets
              FROM held h
             GROUP BY h.status) c ON c.status = w.name
         WHERE w.org_id = :org AND w.workflow_id = p.workflow_id

-- fragment: board_place
row_number() OVER (
           PARTITION BY t.status
           ORDER BY array_position('{Critical,High,Medium,Low}'::text[],
                                   t.priority), t.ticket_number) AS place

-- name: board_sprint :one :slow
WITH held AS MATERIALIZED (
    SELECT t.id, t.ticket_number, t.title, t.type, t.status, t.priority,
           t.assignee_id, t.points_half, t.version, @board_place@
      FROM ticket t
     WHERE t.org_id = :org AND t.sprint_id = :sprint AND t.deleted_at IS NULL
)
SELECT p.id AS project_id, s.id AS sprint_id, s.name,
       (@board_columns@) AS columns
  FROM sprint s
  CROSS JOIN LATERAL (
        SELECT p.* FROM project p
         WHERE p.org_id = :org AND p.id = s.project_id
         LIMIT 1) p
 WHERE @sprint_target@

-- name: board_project :one :slow
WITH held AS MATERIALIZED (
    SELECT t.id, t.ticket_number, t.title, t.type, t.status, t.priority,
           t.assignee_id, t.points_half, t.version, @board_place@
      FROM ticket t
     WHERE t.org_id = :org AND t.project_id = :project AND t.deleted_at IS NULL
)
SELECT p.id AS project_id, NULL::uuid AS sprint_id, p.name,
       (@board_columns@) AS columns
  FROM project p
 WHERE @sprint_project@

-- Boards of then ----------------------------------------------------------------

-- Did this change c of ticket t happen by then? It is logged a moment after the
-- row was stamped; of the last one both are known.
-- fragment: board_happened
(c.at <= :as_of::timestamptz
                OR (c.version = t.version
                    AND t.updated_at <= :as_of::timestamptz))

-- Ticket t as it was: of each field the first later change tells what was before.
-- fragment: board_undone
CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_object_agg(f.key, f.value ORDER BY c.seq DESC),
                        '{}') AS fields
          FROM change c, jsonb_each(c.before) f
         WHERE t.updated_at > :as_of::timestamptz
           AND c.org_id = :org AND c.entity_type = 'ticket'
           AND c.entity_id = t.id AND NOT @board_happened@) was
     CROSS JOIN LATERAL (
        SELECT coalesce(max(c.version), 1) AS version
          FROM change c
         WHERE t.updated_at > :as_of::timestamptz
           AND c.org_id = :org AND c.entity_type = 'ticket'
           AND c.entity_id = t.id AND @board_happened@) last
     CROSS JOIN LATERAL jsonb_populate_record(t, was.fields
        || jsonb_build_object('version',
               CASE WHEN t.updated_at <= :as_of::timestamptz THEN t.version
                    ELSE last.version END)) past
     WHERE t.org_id = :org AND t.created_at <= :as_of::timestamptz

-- Columns as board_columns has them, and one for each status that is gone but
-- had tickets.
-- fragment: board_past_columns
SELECT coalesce(json_agg(json_build_object(
               'status', w.name, 'category', w.category,
               'wip_limit', w.wip_limit, 'count', coalesce(c.n, 0),
               'points', trim_scale(coalesce(c.half, 0) / 2.0),
               'tickets', coalesce(c.tickets, '[]'))
           ORDER BY w.position, w.name), '[]')
          FROM (
            SELECT s.name, s.category, s.wip_limit, s.position
              FROM workflow_status s
             WHERE s.org_id = :org AND s.workflow_id = p.workflow_id
            UNION ALL
            SELECT h.status, CASE WHEN min(h.closed_at) IS NULL
                             THEN 'in_progress' ELSE 'done' END,
                   NULL, 32767
              FROM held h
             WHERE NOT EXISTS (
                SELECT FROM workflow_status s
                 WHERE s.org_id = :org AND s.workflow_id = p.workflow_id
                   AND s.name = h.status)
             GROUP BY h.status) w
          LEFT JOIN (
            SELECT h.status, count(*) AS n, sum(h.points_half) AS half,
                   json_agg(json_build_object(
                       'id', h.id, 'key', p.key || '-' || h.ticket_number,
                       'title', h.title, 'type', h.type,
                       'priority', h.priority, 'assignee_id', h.assignee_id,
                       'points', trim_scale(h.points_half / 2.0),
                       'version', h.version)
                       ORDER BY h.place) FILTER (WHERE h.place <= :limit)
                       AS tickets
              FROM held h
             GROUP BY h.status) c ON c.status = w.name

-- name: board_sprint_as_of :one :slow
WITH held AS MATERIALIZED (
    SELECT t.*, @board_place@
      FROM (
        SELECT past.*
          FROM ticket t
         @board_undone@ AND t.id = ANY (ARRAY(
               SELECT DISTINCT h.ticket_id FROM sprint_scope h
                WHERE h.org_id = :org AND h.sprint_id = :sprint))) t
     WHERE t.sprint_id = :sprint AND t.deleted_at IS NULL
)
SELECT p.id AS project_id, s.id AS sprint_id, s.name,
       (@board_past_columns@) AS columns
  FROM sprint s
  CROSS JOIN LATERAL (
        SELECT p.* FROM project p
         WHERE p.org_id = :org AND p.id = s.project_id
         LIMIT 1) p
 WHERE @sprint_target@ AND s.created_at <= :as_of::timestamptz

-- name: board_project_as_of :one :slow
WITH held AS MATERIALIZED (
    SELECT t.*, @board_place@
      FROM (
        SELECT past.*
          FROM ticket t
         @board_undone@ AND t.project_id = :project) t
     WHERE t.deleted_at IS NULL
)
SELECT p.id AS project_id, NULL::uuid AS sprint_id, p.name,
       (@board_past_columns@) AS columns
  FROM project p
 WHERE @sprint_project@ AND p.created_at <= :as_of::timestamptz
