-- Many tickets at once, for batches: what ticket.sql does to one. Objects of :rows
-- have the parameters of the statement for one, as texts; a key that one has not
-- is NULL.

-- Keys are looked up by their projects, of which there are few.
-- name: ticket_set_find :many
WITH named AS MATERIALIZED (
    SELECT wanted.ref, upper(split_part(wanted.ref, '-', 1)) AS key,
           CASE WHEN wanted.ref
                     ~ '^[A-Za-z][A-Za-z0-9]{1,9}-[1-9][0-9]{0,17}$'
                THEN split_part(wanted.ref, '-', 2)::bigint END AS number
      FROM unnest(:refs::text[]) AS wanted (ref)
), homes AS MATERIALIZED (
    SELECT p.*
      FROM (SELECT DISTINCT named.key FROM named) keys
     CROSS JOIN unnest(:orgs::uuid[]) AS mine (org_id)
     CROSS JOIN LATERAL (
        SELECT p.org_id, p.id, p.key FROM project p
         WHERE p.org_id = mine.org_id AND p.key = keys.key
           AND p.deleted_at IS NULL
         LIMIT 1) p
)
SELECT named.ref, t.id, p.org_id, p.id AS project_id,
       p.key || '-' || named.number AS label, 1 AS rank
  FROM named
  JOIN homes p ON p.key = named.key
 CROSS JOIN LATERAL (
    SELECT t.id FROM ticket t
     WHERE t.org_id = p.org_id AND t.project_id = p.id
       AND t.ticket_number = named.number AND t.deleted_at IS NULL
     LIMIT 1) t
UNION ALL
SELECT wanted.id::text, wanted.id, mine.org_id, t.project_id,
       p.key || '-' || t.ticket_number, 1
  FROM unnest(:ids::uuid[]) AS wanted (id)
 CROSS JOIN unnest(:orgs::uuid[]) AS mine (org_id)
 CROSS JOIN LATERAL (
    SELECT t.project_id, t.ticket_number FROM ticket t
     WHERE t.org_id = mine.org_id AND t.id = wanted.id
       AND t.deleted_at IS NULL
     LIMIT 1) t
 CROSS JOIN LATERAL (
    SELECT p.key FROM project p
     WHERE p.org_id = mine.org_id AND p.id = t.project_id
       AND p.deleted_at IS NULL
     LIMIT 1) p

-- fragment: set_target
t.org_id = :org AND t.id = ANY (:ids::uuid[]) AND t.deleted_at IS NULL

-- Where parents change, the organization is locked first, as for one.
-- name: ticket_set_lock :exec
WITH tree AS MATERIALIZED (
    SELECT o.org_id FROM organization o
     WHERE o.org_id = :org
       AND EXISTS (SELECT FROM json_to_recordset(:rows::json)
                               AS w (parent_id uuid)
                    WHERE w.parent_id IS NOT NULL)
       FOR NO KEY UPDATE
)
SELECT t.id FROM ticket t
 WHERE @set_target@ AND (SELECT count(*) FROM tree) < 2
 ORDER BY t.id
   FOR NO KEY UPDATE

-- name: ticket_set_read :many
SELECT t.id, t.project_id, t.workflow_id, t.version, t.status, p.archived,
       (SELECT r.version FROM workflow r
         WHERE r.org_id = :org AND r.id = t.workflow_id) AS rules,
       (SELECT s.name FROM workflow_status s
         WHERE s.org_id = :org AND s.workflow_id = t.workflow_id
           AND lower(s.name) = lower(w.status)
         ORDER BY s.name = w.status DESC, s.position
         LIMIT 1) AS to_status,
       (SELECT string_agg(s.name, E'\n' ORDER BY s.position, s.name)
          FROM workflow_status s
         WHERE s.org_id = :org AND s.workflow_id = t.workflow_id) AS statuses,
       CASE WHEN w.parent_id IS NULL THEN false
            ELSE definer.ticket_is_below(:org, w.parent_id, t.id) END AS loops,
       w.sprint_id IS DISTINCT FROM t.sprint_id
       AND w.sprint_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM sprint g
         WHERE g.org_id = :org AND g.id = w.sprint_id
           AND g.deleted_at IS NULL
           AND g.status <> 'Completed') AS sprint_completed
  FROM json_to_recordset(:rows::json) AS w (
       ticket uuid, status text, parent_id uuid, sprint_id uuid)
 CROSS JOIN LATERAL (
    SELECT * FROM ticket t
     WHERE t.org_id = :org AND t.id = w.ticket AND t.deleted_at IS NULL
       AND t.id = ANY (:ids::uuid[])
     LIMIT 1) t
 CROSS JOIN LATERAL (
    SELECT p.archived FROM project p
     WHERE p.org_id = :org AND p.id = t.project_id AND p.deleted_at IS NULL
     LIMIT 1) p

-- Labels are held so that none is deleted before a ticket has it; leaving the
-- category done opens a ticket again.
-- name: ticket_set_update :many
WITH w AS MATERIALIZED (
    SELECT *
      FROM json_to_recordset(:rows::json) AS w (
           ticket uuid, seen bigint, to_status text,
           "title?" boolean, title text,
           "description?" boolean, description text,
           "type?" boolean, type text,
           "priority?" boolean, priority text,
           "assignee_id?" boolean, assignee_id uuid,
           "reporter_id?" boolean, reporter_id uuid,
           "sprint_id?" boolean, sprint_id uuid,
           "parent_id?" boolean, parent_id uuid,
           "points?" boolean, points integer,
           "due_date?" boolean, due_date date,
           "labels?" boolean, labels uuid[])
), held AS MATERIALIZED (
    SELECT l.id
      FROM (SELECT DISTINCT has.id FROM w
             CROSS JOIN unnest(w.labels) AS has (id)) named
     CROSS JOIN LATERAL (
        SELECT l.id FROM label l
         WHERE l.org_id = :org AND l.id = named.id
         LIMIT 1
           FOR KEY SHARE) l
)
UPDATE ticket t
   SET title = CASE WHEN w."title?" THEN w.title ELSE t.title END,
       description = CASE WHEN w."description?" THEN w.description
           ELSE t.description END,
       type = CASE WHEN w."type?" THEN w.type ELSE t.type END,
       priority = CASE WHEN w."priority?" THEN w.priority ELSE t.priority END,
       assignee_id = CASE WHEN w."assignee_id?" THEN w.assignee_id
           ELSE t.assignee_id END,
       reporter_id = CASE WHEN w."reporter_id?" THEN w.reporter_id
           ELSE t.reporter_id END,
       sprint_id = CASE WHEN w."sprint_id?" THEN w.sprint_id
           ELSE t.sprint_id END,
       parent_id = CASE WHEN w."parent_id?" THEN w.parent_id
           ELSE t.parent_id END,
       points_half = CASE WHEN w."points?" THEN w.points
           ELSE t.points_half END,
       due_date = CASE WHEN w."due_date?" THEN w.due_date ELSE t.due_date END,
       labels = CASE WHEN w."labels?"
           THEN ARRAY(SELECT DISTINCT h.id FROM held h
                       WHERE h.id = ANY (w.labels) ORDER BY h.id)
           ELSE t.labels END,
       status = coalesce(w.to_status, t.status),
       closed_at = CASE WHEN w.to_status IS NULL THEN t.closed_at
           WHEN (SELECT s.category FROM workflow_status s
                  WHERE s.org_id = :org AND s.workflow_id = t.workflow_id
                    AND s.name = w.to_status) = 'done'
           THEN coalesce(t.closed_at, clock_timestamp()) END
  FROM w
 WHERE @set_target@ AND t.id = w.ticket AND t.version = w.seen
   AND (w."sprint_id?" IS NOT TRUE OR w.sprint_id IS NULL
        OR t.sprint_id = w.sprint_id OR EXISTS (
        SELECT FROM sprint g
         WHERE g.org_id = :org AND g.id = w.sprint_id
           AND g.deleted_at IS NULL AND g.status <> 'Completed'
           AND g.project_id = t.project_id
           FOR SHARE))
RETURNING t.id

-- name: ticket_set_delete :many
UPDATE ticket t SET deleted_at = clock_timestamp()
 WHERE @set_target@
RETURNING t.id
