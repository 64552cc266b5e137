-- Tickets: the work itself, its lists and its moves.

-- A ticket t with its project p and its status s.
-- fragment: ticket_columns
t.id, t.project_id, p.key || '-' || t.ticket_number AS key, t.ticket_number,
       t.title, t.description, t.type, t.status, s.category, t.priority,
       t.reporter_id, t.assignee_id, t.sprint_id, t.parent_id,
       t.points_half AS points, t.due_date, t.version, t.created_at,
       t.updated_at, t.closed_at

-- Labels and all else that is joined is looked up by primary key, one by one:
-- left to itself, the planner reads all an organization has.
-- fragment: ticket_labels
CASE WHEN t.labels = '{}' THEN '[]' ELSE (
           SELECT coalesce(json_agg(l.shown ORDER BY l.folded), '[]')
             FROM unnest(t.labels) AS has (id)
            CROSS JOIN LATERAL (
               SELECT l.folded, alloy.label_json(l) AS shown FROM label l
                WHERE l.org_id = t.org_id AND l.id = has.id
                LIMIT 1) l) END AS labels

-- The labels asked for, held so that none is deleted before the ticket has them.
-- fragment: ticket_held
SELECT l.id
      FROM unnest(:labels::uuid[]) AS named (id)
     CROSS JOIN LATERAL (
        SELECT l.id FROM label l
         WHERE l.org_id = :org AND l.id = named.id
         LIMIT 1
           FOR KEY SHARE) l

-- fragment: ticket_joins
CROSS JOIN LATERAL (
    SELECT p.key FROM project p
     WHERE p.org_id = t.org_id AND p.id = t.project_id AND p.deleted_at IS NULL
     LIMIT 1) p
 CROSS JOIN LATERAL (
    SELECT (SELECT s.category FROM workflow_status s
             WHERE s.org_id = t.org_id AND s.workflow_id = t.workflow_id
               AND s.name = t.status) AS category) s

-- fragment: ticket_target
t.org_id = :org AND t.id = :ticket AND t.deleted_at IS NULL

-- fragment: ticket_in_project
p.org_id = :org AND p.id = t.project_id AND p.deleted_at IS NULL

-- References ------------------------------------------------------------------

-- name: ticket_find_id :many
SELECT t.id, t.org_id, t.project_id, p.key || '-' || t.ticket_number AS label,
       1 AS rank
  FROM unnest(:orgs::uuid[]) AS mine (org_id)
  JOIN ticket t ON t.org_id = mine.org_id AND t.id = :ref
  JOIN project p ON p.org_id = mine.org_id AND p.id = t.project_id
 WHERE t.deleted_at IS NULL AND p.deleted_at IS NULL

-- "WEB-5" in any letter case; whatever is no key finds nothing.
-- name: ticket_find_name :many
WITH wanted AS MATERIALIZED (
    SELECT upper(split_part(:ref, '-', 1)) AS key,
           CASE WHEN :ref::text ~ '^[A-Za-z][A-Za-z0-9]{1,9}-[1-9][0-9]{0,17}$'
                THEN split_part(:ref, '-', 2)::bigint END AS number
)
SELECT t.id, t.org_id, t.project_id, p.key || '-' || t.ticket_number AS label,
       1 AS rank
  FROM wanted
 CROSS JOIN unnest(:orgs::uuid[]) AS mine (org_id)
 CROSS JOIN LATERAL (
    SELECT p.id, p.key FROM project p
     WHERE p.org_id = mine.org_id AND p.key = wanted.key
       AND p.deleted_at IS NULL
     LIMIT 1) p
  JOIN ticket t
    ON t.org_id = mine.org_id AND t.project_id = p.id
   AND t.ticket_number = wanted.number AND t.deleted_at IS NULL
 LIMIT 20

-- Making one ------------------------------------------------------------------

-- The status asked for in the workflow of project p, or its first.
-- fragment: ticket_first_status
SELECT s.name, s.category
          FROM workflow_status s
         WHERE s.org_id = :org AND s.workflow_id = p.workflow_id
           AND (:status::text IS NULL OR lower(s.name) = lower(:status))
         ORDER BY s.name = :status DESC, s.position, s.name
         LIMIT 1

-- The sprint asked for, if it takes tickets. Locked where one enters, so that it
-- is not completed meanwhile.
-- fragment: ticket_open_sprint
SELECT FROM sprint g
         WHERE g.org_id = :org AND g.id = :sprint_id::uuid
           AND g.deleted_at IS NULL AND g.status <> 'Completed'

-- The counter's row is the last one to be locked and what the status is looked
-- up by: a number is taken only together with its ticket, and no ticket enters
-- a workflow its project has just left. Of a project that changed while the
-- counter was waited for, the old state is seen below: it explains nothing.
-- name: ticket_create :one :counts=project
WITH held AS (
    @ticket_held@
), counted AS (
    UPDATE project p SET ticket_counter = p.ticket_counter + 1
     WHERE p.org_id = :org AND p.id = :project AND p.deleted_at IS NULL
       AND NOT p.archived AND :reporter_id_words::text[] IS NULL
       AND EXISTS (
        @ticket_first_status@)
       AND (:sprint_id::uuid IS NULL OR EXISTS (
        @ticket_open_sprint@
           AND g.project_id = p.id
           FOR SHARE))
    RETURNING p.id, p.workflow_id, p.ticket_counter
), t AS (
    INSERT INTO ticket (org_id, id, project_id, ticket_number, workflow_id,
                        title, description, type, status, priority,
                        reporter_id, assignee_id, sprint_id, parent_id,
                        points_half, due_date, labels, closed_at)
    SELECT :org, :new_ticket, p.id, p.ticket_counter, p.workflow_id, :title,
           :description, :type, first.name, :priority, :reporter_id,
           :assignee_id, :sprint_id::uuid, :parent_id, :points, :due_date,
           CASE WHEN :labels::uuid[] IS NULL THEN '{}'
                ELSE ARRAY(SELECT DISTINCT id FROM held ORDER BY id) END,
           CASE WHEN first.category = 'done' THEN clock_timestamp() END
      FROM counted p
     CROSS JOIN LATERAL (
        @ticket_first_status@) first
    RETURNING *
), said AS (
    INSERT INTO comment (org_id, id, project_id, ticket_id, author_id, body,
                         mentions)
    SELECT :org, :new_comment, t.project_id, t.id, :me, :comment,
           alloy.mentions(:org, t.project_id, :comment)
      FROM t
     WHERE :comment::text IS NOT NULL
)
SELECT @ticket_columns@,
       @ticket_labels@,
       CASE WHEN t.id IS NOT NULL THEN NULL
            WHEN :reporter_id_words::text[] IS NOT NULL
            THEN 'reporter_required'
            WHEN p.archived THEN 'archived'
            WHEN NOT EXISTS (
        @ticket_first_status@) THEN 'unknown_status'
            WHEN :sprint_id::uuid IS NOT NULL AND NOT EXISTS (
        @ticket_open_sprint@) THEN 'sprint_completed'
            ELSE 'project_changed' END AS _refusal,
       CASE WHEN t.id IS NULL THEN (
           SELECT string_agg(s.name, E'\n' ORDER BY s.position, s.name)
             FROM workflow_status s
            WHERE s.org_id = :org AND s.workflow_id = p.workflow_id)
            END AS _allowed
  FROM project p
  LEFT JOIN t ON true
  LEFT JOIN workflow_status s
    ON s.org_id = :org AND s.workflow_id = t.workflow_id AND s.name = t.status
 WHERE p.org_id = :org AND p.id = :project AND p.deleted_at IS NULL

-- The same without status, comment, reporter_id, sprint, plans and labels, as
-- most tickets are made: one look for each thing it needs and none for reasons.
-- Where it makes no ticket, it takes no number either, and the statement above
-- says why. (Of an EXISTS the planner makes a table of all the organization's
-- statuses.)
-- name: ticket_create_plain :one :within :counts=project
WITH counted AS (
    UPDATE project p SET ticket_counter = p.ticket_counter + 1
     WHERE p.org_id = :org AND p.id = :project AND p.deleted_at IS NULL
       AND NOT p.archived
       AND (SELECT true FROM workflow_status s
             WHERE s.org_id = :org AND s.workflow_id = p.workflow_id
             LIMIT 1)
    RETURNING p.id, p.key, p.workflow_id, p.ticket_counter
), first AS MATERIALIZED (
    SELECT p.*, s.name, s.category
      FROM counted p
     CROSS JOIN LATERAL (
        SELECT s.name, s.category
          FROM workflow_status s
         WHERE s.org_id = :org AND s.workflow_id = p.workflow_id
         ORDER BY s.position, s.name
         LIMIT 1) s
), t AS (
    INSERT INTO ticket (org_id, id, project_id, ticket_number, workflow_id,
                        title, description, type, status, priority,
                        reporter_id, assignee_id, closed_at)
    SELECT :org, :new_ticket, p.id, p.ticket_counter, p.workflow_id, :title,
           :description, :type, p.name, :priority, :reporter_id, :assignee_id,
           CASE WHEN p.category = 'done' THEN clock_timestamp() END
      FROM first p
    RETURNING *
)
SELECT @ticket_columns@, '[]'::json AS labels
  FROM t
 CROSS JOIN first p
 CROSS JOIN LATERAL (SELECT p.category) s

-- Reading ---------------------------------------------------------------------

-- name: ticket_get :one
SELECT @ticket_columns@,
       @ticket_labels@
  FROM ticket t
 @ticket_joins@
 WHERE @ticket_target@

-- name: ticket_show_many :many
SELECT @ticket_columns@,
       @ticket_labels@
  FROM unnest(:ids::uuid[]) AS shown (id)
 CROSS JOIN LATERAL (
    SELECT * FROM ticket t
     WHERE t.org_id = :org AND t.id = shown.id AND t.deleted_at IS NULL
     LIMIT 1) t
 @ticket_joins@

-- Did this change c of ticket t happen by then? It is logged a moment after the
-- row was stamped; of the last one both are known.
-- fragment: ticket_happened
(c.at <= :as_of::timestamptz
                OR (c.version = t.version
                    AND t.updated_at <= :as_of::timestamptz))

-- A ticket of today with every later change undone: of each field the first one
-- of them tells what was before, of long texts as well. A status may be gone
-- since, its category with it.
-- name: ticket_get_as_of :one
SELECT @ticket_columns@,
       @ticket_labels@
  FROM (
    SELECT past.*
      FROM ticket t
     CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_object_agg(f.key, f.value ORDER BY c.seq DESC),
                        '{}') AS fields
          FROM change c, jsonb_each(c.before) f
         WHERE c.org_id = :org AND c.entity_type = 'ticket'
           AND c.entity_id = t.id AND NOT @ticket_happened@) was
     CROSS JOIN LATERAL (
        SELECT coalesce(max(c.version), 1) AS version,
               coalesce(max(c.at), t.created_at) AS at
          FROM change c
         WHERE c.org_id = :org AND c.entity_type = 'ticket'
           AND c.entity_id = t.id AND @ticket_happened@) last
     CROSS JOIN LATERAL jsonb_populate_record(t, was.fields
        || jsonb_build_object('version', last.version, 'updated_at',
                              CASE WHEN last.version = t.version
                                   THEN t.updated_at ELSE last.at END)) past
     WHERE @ticket_target@ AND t.created_at <= :as_of::timestamptz) t
 CROSS JOIN LATERAL (
    SELECT p.key FROM project p
     WHERE p.org_id = :org AND p.id = t.project_id AND p.deleted_at IS NULL
     LIMIT 1) p
  LEFT JOIN LATERAL (
    SELECT s.category FROM workflow_status s
     WHERE s.org_id = :org AND s.workflow_id = t.workflow_id
       AND s.name = t.status
     LIMIT 1) known ON true
 CROSS JOIN LATERAL (
    SELECT coalesce(known.category, CASE WHEN t.closed_at IS NULL
                                    THEN 'in_progress' ELSE 'done' END)
               AS category) s
 WHERE t.deleted_at IS NULL

-- fragment: ticket_page
t.deleted_at IS NULL AND @sort_after@

-- Tickets of one person alone come from their index in its order; a list of
-- people loses it.
-- fragment: ticket_one_person
coalesce(cardinality(:assignee_id::uuid[]), 0) = 1
                 AND :assignee_id_words::text[] IS NULL

-- What every list of tickets may be filtered by.
-- fragment: ticket_filters
(:priority::text[] IS NULL OR t.priority = ANY (:priority::text[]))
       AND (:type::text[] IS NULL OR t.type = ANY (:type::text[]))
       AND CASE WHEN :assignee_id::uuid[] IS NULL THEN true
                WHEN @ticket_one_person@
                THEN t.assignee_id = (:assignee_id::uuid[])[1]
                ELSE t.assignee_id = ANY (:assignee_id::uuid[])
                     OR (:assignee_id_words::text[] IS NOT NULL
                         AND t.assignee_id IS NULL) END
       AND (:reporter_id::uuid[] IS NULL
            OR t.reporter_id = ANY (:reporter_id::uuid[]))
       AND (:parent::uuid[] IS NULL OR t.parent_id = ANY (:parent::uuid[])
            OR (:parent_words::text[] IS NOT NULL AND t.parent_id IS NULL))
       AND (:label::uuid[] IS NULL
            OR t.labels && :label::uuid[]
            OR (:label_words::text[] IS NOT NULL AND t.labels = '{}'))
       AND (:tag::text[] IS NULL
            OR EXISTS (SELECT FROM tag g
                        WHERE g.org_id = t.org_id AND g.entity_type = 'ticket'
                          AND g.entity_id = t.id
                          AND (g.key = ANY (:tag::text[])
                               OR g.key || ':' || g.value
                                  = ANY (:tag::text[]))))
       AND (:due_after::date IS NULL OR t.due_date > :due_after::date)
       AND (:due_before::date IS NULL OR t.due_date < :due_before::date)
       AND (:created_after::timestamptz IS NULL
            OR t.created_at > :created_after::timestamptz)
       AND (:created_before::timestamptz IS NULL
            OR t.created_at < :created_before::timestamptz)
       AND (:updated_after::timestamptz IS NULL
            OR t.updated_at > :updated_after::timestamptz)
       AND (:updated_before::timestamptz IS NULL
            OR t.updated_at < :updated_before::timestamptz)

-- The project and the statuses of its workflow, which is that of each of its
-- tickets, are read once; a join would look for them as often as there are
-- tickets, or lose their order. As one object of names the statuses are searched
-- by a comparison or two; a list of rows would be read anew for each ticket.
-- name: ticket_list_all :page :within
-- sorts: t -created_at created_at -updated_at updated_at
WITH home AS MATERIALIZED (
    SELECT p.id, p.key, p.workflow_id FROM project p
     WHERE p.org_id = :org AND p.id = :project AND p.deleted_at IS NULL
), statuses AS MATERIALIZED (
    SELECT jsonb_object_agg(s.name, s.category) AS categories
      FROM workflow_status s
     WHERE s.org_id = :org
       AND s.workflow_id = (SELECT p.workflow_id FROM home p)
)
SELECT @ticket_columns@,
       @ticket_labels@,
       @sort_key@ AS _at, t.id AS _id
  FROM ticket t
 CROSS JOIN LATERAL (SELECT (SELECT p.key FROM home p) AS key) p
 CROSS JOIN LATERAL (
    SELECT (SELECT s.categories FROM statuses s) ->> t.status AS category) s
 WHERE t.org_id = :org AND t.project_id = (SELECT p.id FROM home p)
   AND @ticket_page@
 @sort_order@
 LIMIT :limit

-- Statuses and categories are turned into the names tickets have, in the
-- project's own spelling.
-- name: ticket_list :page :custom
-- sorts: t -created_at created_at -updated_at updated_at
SELECT @ticket_columns@,
       @ticket_labels@,
       @sort_key@ AS _at, t.id AS _id
  FROM (
    SELECT * FROM ticket t
     WHERE t.org_id = :org
       AND t.project_id = (SELECT p.id FROM project p
                            WHERE p.org_id = :org AND p.id = :project
                              AND p.deleted_at IS NULL)
       AND @ticket_page@
       AND ((:status::text[] IS NULL AND :category::text[] IS NULL)
            OR t.status = ANY (ARRAY(
               SELECT s.name FROM workflow_status s
                WHERE s.org_id = :org
                  AND s.workflow_id = (SELECT p.workflow_id FROM project p
                                        WHERE p.org_id = :org
                                          AND p.id = :project)
                  AND (:status::text[] IS NULL
                       OR lower(s.name) IN (SELECT lower(named)
                                              FROM unnest(:status::text[])
                                                   AS named))
                  AND (:category::text[] IS NULL
                       OR s.category = ANY (:category::text[])))))
       AND (:sprint::uuid[] IS NULL OR t.sprint_id = ANY (:sprint::uuid[])
            OR (:sprint_words::text[] IS NOT NULL AND t.sprint_id IS NULL))
       AND @ticket_filters@
     @sort_order@
     LIMIT :limit) t
 @ticket_joins@
 @sort_order@
 LIMIT :limit

-- Changing --------------------------------------------------------------------

-- name: ticket_lock :exec :locks=ticket
SELECT t.id FROM ticket t
 WHERE @ticket_target@
   FOR NO KEY UPDATE

-- Parents are serialized by the organization, which is locked first: of two who
-- put two tickets below each other, the second sees what the first did.
-- name: ticket_update_lock :exec :locks=ticket
WITH tree AS MATERIALIZED (
    SELECT o.org_id FROM organization o
     WHERE o.org_id = :org AND :parent_id::uuid IS NOT NULL
       FOR NO KEY UPDATE
)
SELECT t.id FROM ticket t
 WHERE @ticket_target@ AND (SELECT count(*) FROM tree) < 2
   FOR NO KEY UPDATE

-- What a move is decided from: where the ticket is, which status of its
-- workflow was asked for (NULL: none has this name), which there are, and which
-- version of the workflow says so.
-- fragment: ticket_move_facts
t.id, t.project_id, t.workflow_id, t.version, t.status, p.archived,
       CASE WHEN :status::text IS NOT NULL THEN (
           SELECT w.version FROM workflow w
            WHERE w.org_id = :org AND w.id = t.workflow_id) END AS rules,
       (SELECT s.name FROM workflow_status s
         WHERE s.org_id = :org AND s.workflow_id = t.workflow_id
           AND lower(s.name) = lower(:status::text)
         ORDER BY s.name = :status DESC, s.position
         LIMIT 1) AS to_status,
       (SELECT string_agg(s.name, E'\n' ORDER BY s.position, s.name)
          FROM workflow_status s
         WHERE s.org_id = :org AND s.workflow_id = t.workflow_id) AS statuses

-- name: ticket_move_read :one
SELECT @ticket_move_facts@
  FROM ticket t
  CROSS JOIN LATERAL (
    SELECT p.* FROM project p WHERE @ticket_in_project@ LIMIT 1) p
 WHERE @ticket_target@

-- name: ticket_update_read :one
SELECT @ticket_move_facts@,
       CASE WHEN :parent_id::uuid IS NULL THEN false
            ELSE definer.ticket_is_below(:org, :parent_id::uuid, t.id)
            END AS loops,
       :sprint_id::uuid IS DISTINCT FROM t.sprint_id
       AND :sprint_id::uuid IS NOT NULL AND NOT EXISTS (
        @ticket_open_sprint@) AS sprint_completed
  FROM ticket t
  CROSS JOIN LATERAL (
    SELECT p.* FROM project p WHERE @ticket_in_project@ LIMIT 1) p
 WHERE @ticket_target@

-- The workflow a move was decided by is still the same. Its status is held as the
-- ticket's foreign key holds it a moment later: one that is being taken out of
-- the workflow is gone here, and an error there.
-- fragment: ticket_ruled
(:to_status::text IS NULL
            OR ((SELECT w.version FROM workflow w
                  WHERE w.org_id = :org AND w.id = t.workflow_id)
                = :rules::bigint
                AND (SELECT true FROM workflow_status s
                      WHERE s.org_id = :org AND s.workflow_id = t.workflow_id
                        AND s.name = :to_status::text
                        FOR KEY SHARE)))

-- Leaving the category done opens a ticket again; moves within it don't.
-- fragment: ticket_closed_at
CASE WHEN :to_status::text IS NULL THEN t.closed_at
                WHEN EXISTS (SELECT FROM workflow_status s
                              WHERE s.org_id = :org
                                AND s.workflow_id = t.workflow_id
                                AND s.name = :to_status::text
                                AND s.category = 'done')
                THEN coalesce(t.closed_at, clock_timestamp()) END

-- name: ticket_update :one :locks=ticket
WITH held AS (
    @ticket_held@
), t AS (
    UPDATE ticket t
       SET title = CASE WHEN :title? THEN :title ELSE t.title END,
           description = CASE WHEN :description? THEN :description
               ELSE t.description END,
           type = CASE WHEN :type? THEN :type ELSE t.type END,
           priority = CASE WHEN :priority? THEN :priority ELSE t.priority END,
           assignee_id = CASE WHEN :assignee_id? THEN :assignee_id
               ELSE t.assignee_id END,
           reporter_id = CASE WHEN :reporter_id? THEN :reporter_id
               ELSE t.reporter_id END,
           sprint_id = CASE WHEN :sprint_id? THEN :sprint_id::uuid
               ELSE t.sprint_id END,
           parent_id = CASE WHEN :parent_id? THEN :parent_id
               ELSE t.parent_id END,
           points_half = CASE WHEN :points? THEN :points
               ELSE t.points_half END,
           due_date = CASE WHEN :due_date? THEN :due_date
               ELSE t.due_date END,
           labels = CASE WHEN :labels?
               THEN ARRAY(SELECT DISTINCT id FROM held ORDER BY id)
               ELSE t.labels END,
           status = coalesce(:to_status::text, t.status),
           closed_at = @ticket_closed_at@
     WHERE @ticket_target@ AND t.version = :seen
       AND @ticket_ruled@
       AND (NOT :sprint_id? OR :sprint_id::uuid IS NULL
            OR t.sprint_id = :sprint_id::uuid OR EXISTS (
        @ticket_open_sprint@
           AND g.project_id = t.project_id
           FOR SHARE))
    RETURNING t.*
)
SELECT @ticket_columns@,
       @ticket_labels@
  FROM t
 @ticket_joins@

-- name: ticket_transition :one :locks=ticket
WITH t AS (
    UPDATE ticket t
       SET status = :to_status::text,
           closed_at = @ticket_closed_at@
     WHERE @ticket_target@ AND t.version = :seen
       AND @ticket_ruled@
    RETURNING t.*
)
SELECT @ticket_columns@,
       @ticket_labels@
  FROM t
 @ticket_joins@

-- A status is reached in one step from any other: no rules, no detours.
-- name: ticket_transitions :one
SELECT t.status AS current,
       (SELECT json_agg(json_build_object(
                   'name', s.name, 'category', s.category,
                   'allowed', s.name <> t.status,
                   'why', CASE WHEN s.name = t.status
                          THEN 'The ticket is in this status already.' END,
                   'path', CASE WHEN s.name = t.status THEN '{}'
                           ELSE ARRAY[s.name] END)
               ORDER BY s.position, s.name)
          FROM workflow_status s
         WHERE s.org_id = :org AND s.workflow_id = t.workflow_id) AS statuses
  FROM ticket t
  CROSS JOIN LATERAL (
    SELECT p.* FROM project p WHERE @ticket_in_project@ LIMIT 1) p
 WHERE @ticket_target@

-- name: ticket_delete :exec :locks=ticket
UPDATE ticket t SET deleted_at = clock_timestamp()
  FROM project p
 WHERE @ticket_in_project@ AND @ticket_target@

-- Sprints ---------------------------------------------------------------------

-- Run behind sprint_lock. All of them enter, or none.
-- name: ticket_enter_sprint :many
WITH there AS (
    SELECT s.id, s.project_id, s.status, p.archived
      FROM sprint s
     CROSS JOIN LATERAL (
        SELECT p.archived FROM project p
         WHERE p.org_id = :org AND p.id = s.project_id
           AND p.deleted_at IS NULL
         LIMIT 1) p
     WHERE s.org_id = :org AND s.id = :sprint AND s.deleted_at IS NULL
), wanted AS (
    SELECT * FROM ticket t
     WHERE t.org_id = :org AND t.id = ANY (:tickets::uuid[])
       AND t.deleted_at IS NULL
), judged AS (
    SELECT there.id,
           CASE WHEN there.archived THEN 'archived'
                WHEN there.status = 'Completed' THEN 'completed'
                WHEN EXISTS (SELECT FROM wanted
                              WHERE wanted.project_id <> there.project_id)
                THEN 'other_project' END AS refusal
      FROM there
), moved AS (
    UPDATE ticket t SET sprint_id = judged.id
      FROM judged
     WHERE t.org_id = :org AND t.id = ANY (:tickets::uuid[])
       AND t.deleted_at IS NULL AND judged.refusal IS NULL
       AND t.sprint_id IS DISTINCT FROM judged.id
    RETURNING t.*
), held AS (
    SELECT * FROM moved
    UNION ALL
    SELECT * FROM wanted
     WHERE NOT EXISTS (SELECT FROM moved WHERE moved.id = wanted.id)
), t AS (
    SELECT held.* FROM held CROSS JOIN judged WHERE judged.refusal IS NULL
), shown AS (
    SELECT @ticket_columns@,
           @ticket_labels@
      FROM t
     @ticket_joins@
)
SELECT shown.*, judged.refusal AS _refusal
  FROM judged
  LEFT JOIN shown ON true
 ORDER BY shown.ticket_number

-- name: ticket_leave_sprint :exec
UPDATE ticket t SET sprint_id = NULL
  FROM project p
 WHERE @ticket_in_project@ AND @ticket_target@ AND t.sprint_id = :sprint
