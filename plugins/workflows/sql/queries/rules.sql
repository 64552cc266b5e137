-- The rules of workflows, for moves of tickets: what each status says to a ticket
-- that wants to go there, and what a workflow would have said to moves of the
-- past.

-- Roles the caller speaks for; whoever moves tickets is a Member.
-- fragment: rules_mine
CASE WHEN :org::uuid = ANY (:owner_orgs::uuid[])
            THEN '{Owner,Admin,Member,Reporter,Viewer}'::text[]
            WHEN :org::uuid = ANY (:admin_orgs::uuid[])
            THEN '{Admin,Member,Reporter,Viewer}'
            ELSE '{Member,Reporter,Viewer}' END

-- Each status s of the workflow of ticket t, which has the fields of has, with
-- the transition x that leads there and the first rule that forbids it. Others of
-- a batch may be ahead of it.
-- fragment: rules_judged
SELECT s.name, s.category, s.position, s.wip_limit, s.name = t.status AS here,
           coalesce(lacks.fields, '{}') AS missing,
           CASE WHEN s.name = t.status THEN NULL
                WHEN x.to_status IS NULL THEN 'transition_not_listed'
                WHEN x.roles <> '{}' AND NOT x.roles && @rules_mine@
                THEN 'role_missing'
                WHEN lacks.fields IS NOT NULL THEN 'fields_missing'
                WHEN s.wip_limit <= full_up.count THEN 'wip_limit' END AS code,
           CASE WHEN s.name = t.status
                THEN 'The ticket is in this status already.'
                WHEN x.to_status IS NULL
                THEN format('The workflow does not lead from %s to %s.',
                            t.status, s.name)
                WHEN x.roles <> '{}' AND NOT x.roles && @rules_mine@
                THEN format('From %s to %s a ticket is moved by the role %s.',
                            t.status, s.name,
                            array_to_string(x.roles, ' or '))
                WHEN lacks.fields IS NOT NULL
                THEN format('On the way from %s to %s a ticket must have %s; '
                            'set it first.', t.status, s.name,
                            array_to_string(lacks.fields, ' and '))
                WHEN s.wip_limit <= full_up.count
                THEN format('%s holds %s tickets already, and %s at most; '
                            'move one on first.', s.name, full_up.count,
                            s.wip_limit) END AS why
      FROM workflow_status s
      LEFT JOIN LATERAL (
        SELECT x.to_status, x.roles, x.required_fields
          FROM workflow_transition x
         WHERE x.org_id = :org AND x.workflow_id = t.workflow_id
           AND x.from_status = t.status AND x.to_status = s.name
         LIMIT 1) x ON true
      LEFT JOIN LATERAL (
        SELECT array_agg(f.name) AS fields FROM unnest(x.required_fields)
               AS f (name)
         WHERE f.name <> ALL (has.fields)) lacks ON true
      LEFT JOIN LATERAL (
        SELECT count(*) + CASE WHEN has.ahead = '{}' THEN 0
               ELSE cardinality(array_positions(has.ahead, lower(s.name))) END
               AS count
          FROM ticket o
         WHERE o.org_id = :org AND o.project_id = t.project_id
           AND o.status = s.name AND o.deleted_at IS NULL
           AND s.wip_limit IS NOT NULL) full_up ON true
     WHERE s.org_id = :org AND s.workflow_id = t.workflow_id

-- What ticket t has of what can be required.
-- fragment: rules_has
SELECT array_remove(ARRAY[
               CASE WHEN t.assignee_id IS NOT NULL THEN 'assignee_id' END,
               CASE WHEN t.description <> '' THEN 'description' END,
               CASE WHEN t.due_date IS NOT NULL THEN 'due_date' END,
               CASE WHEN t.labels <> '{}' THEN 'labels' END,
               CASE WHEN t.parent_id IS NOT NULL THEN 'parent_id' END,
               CASE WHEN t.points_half IS NOT NULL THEN 'points' END,
               CASE WHEN t.sprint_id IS NOT NULL THEN 'sprint_id' END], NULL)
               AS fields, '{}'::text[] AS ahead

-- What it will have after a PATCH.
-- fragment: rules_will_have
SELECT array_remove(ARRAY[
               CASE WHEN CASE WHEN :assignee_id? THEN :assignee_id::uuid
                         ELSE t.assignee_id END IS NOT NULL
                    THEN 'assignee_id' END,
               CASE WHEN CASE WHEN :description? THEN :description::text
                         ELSE t.description END <> '' THEN 'description' END,
               CASE WHEN CASE WHEN :due_date? THEN :due_date::date
                         ELSE t.due_date END IS NOT NULL THEN 'due_date' END,
               CASE WHEN CASE WHEN :labels? THEN :labels::uuid[]
                         ELSE t.labels END <> '{}' THEN 'labels' END,
               CASE WHEN CASE WHEN :parent_id? THEN :parent_id::uuid
                         ELSE t.parent_id END IS NOT NULL THEN 'parent_id' END,
               CASE WHEN CASE WHEN :points? THEN :points::integer
                         ELSE t.points_half END IS NOT NULL THEN 'points' END,
               CASE WHEN CASE WHEN :sprint_id? THEN :sprint_id::uuid
                         ELSE t.sprint_id END IS NOT NULL
                    THEN 'sprint_id' END], NULL) AS fields,
           '{}'::text[] AS ahead

-- The ticket and the rules it is under, if there are any and it is to be moved.
-- fragment: rules_moved
ticket t
 CROSS JOIN LATERAL (
    SELECT w.enforcement FROM workflow w
     WHERE w.org_id = :org AND w.id = t.workflow_id
       AND w.enforcement <> 'none'
     LIMIT 1) w

-- fragment: rules_target
t.org_id = :org AND t.id = :ticket AND t.deleted_at IS NULL

-- fragment: rules_facts
w.enforcement, s.name, s.wip_limit, s.here, s.code, s.why,
       to_json(s.missing) AS missing, to_json(s.name) AS quoted,
       to_json(t.status) AS quoted_from

-- name: rules_transition_facts :many
SELECT @rules_facts@
  FROM @rules_moved@
 CROSS JOIN LATERAL (
        @rules_has@) has
 CROSS JOIN LATERAL (
    @rules_judged@) s
 WHERE @rules_target@ AND :status::text IS NOT NULL
 ORDER BY s.position, s.name

-- name: rules_update_facts :many
SELECT @rules_facts@
  FROM @rules_moved@
 CROSS JOIN LATERAL (
        @rules_will_have@) has
 CROSS JOIN LATERAL (
    @rules_judged@) s
 WHERE @rules_target@ AND :status::text IS NOT NULL
 ORDER BY s.position, s.name

-- Whoever counts a project's tickets holds the project; and the workflow stays
-- as it is, for moves that can't be tried again by themselves.
-- name: rules_lock :exec
WITH rules AS MATERIALIZED (
    SELECT w.id FROM ticket t
     CROSS JOIN LATERAL (
        SELECT w.id FROM workflow w
         WHERE w.org_id = :org AND w.id = t.workflow_id
         LIMIT 1
           FOR SHARE) w
     WHERE @rules_target@ AND :status::text IS NOT NULL
)
SELECT p.id
  FROM ticket t
 CROSS JOIN rules
 CROSS JOIN LATERAL (
    SELECT p.id FROM project p
     WHERE p.org_id = :org AND p.id = t.project_id
       AND (SELECT true FROM workflow_status s
             WHERE s.org_id = :org AND s.workflow_id = rules.id
               AND lower(s.name) = lower(:status::text)
               AND s.wip_limit IS NOT NULL
             LIMIT 1)
     LIMIT 1
       FOR NO KEY UPDATE) p
 WHERE @rules_target@

-- The same for a batch ---------------------------------------------------------

-- Statuses that tickets before this one go to, in its project: they are full a
-- little earlier for it. Only asked where there is a limit.
-- fragment: rules_ahead
CASE WHEN (SELECT true FROM workflow_status l
                       WHERE l.org_id = :org AND l.workflow_id = t.workflow_id
                         AND l.wip_limit IS NOT NULL
                       LIMIT 1)
                THEN ARRAY(SELECT lower(v.status) FROM moved v
                            WHERE v.place < w.place
                              AND v.project_id = t.project_id
                              AND lower(v.status) <> lower(v.now))
                ELSE '{}' END AS ahead

-- What row w of a batch leaves ticket t with.
-- fragment: rules_will_have_many
SELECT array_remove(ARRAY[
               CASE WHEN CASE WHEN w."assignee_id?" THEN w.assignee_id
                         ELSE t.assignee_id END IS NOT NULL
                    THEN 'assignee_id' END,
               CASE WHEN CASE WHEN w."description?" THEN w.description
                         ELSE t.description END <> '' THEN 'description' END,
               CASE WHEN CASE WHEN w."due_date?" THEN w.due_date
                         ELSE t.due_date END IS NOT NULL THEN 'due_date' END,
               CASE WHEN CASE WHEN w."labels?" THEN w.labels
                         ELSE t.labels END <> '{}' THEN 'labels' END,
               CASE WHEN CASE WHEN w."parent_id?" THEN w.parent_id
                         ELSE t.parent_id END IS NOT NULL THEN 'parent_id' END,
               CASE WHEN CASE WHEN w."points?" THEN w.points
                         ELSE t.points_half END IS NOT NULL THEN 'points' END,
               CASE WHEN CASE WHEN w."sprint_id?" THEN w.sprint_id
                         ELSE t.sprint_id END IS NOT NULL
                    THEN 'sprint_id' END], NULL) AS fields,
           @rules_ahead@

-- Rows of the batch that are to move a ticket, each with the ticket.
-- fragment: rules_rows
SELECT r.*, t.project_id, t.workflow_id, t.status AS now
      FROM sent r
     CROSS JOIN LATERAL (
        SELECT t.project_id, t.workflow_id, t.status FROM ticket t
         WHERE t.org_id = :org AND t.id = r.ticket
           AND t.id = ANY (:ids::uuid[]) AND t.deleted_at IS NULL
         LIMIT 1) t
     WHERE r.status IS NOT NULL

-- fragment: rules_facts_many
SELECT t.id, r.enforcement, s.name, s.wip_limit, s.here, s.code, s.why,
       to_json(s.missing) AS missing, to_json(s.name) AS quoted,
       to_json(t.status) AS quoted_from
  FROM moved w
 CROSS JOIN LATERAL (
    SELECT * FROM ticket t
     WHERE t.org_id = :org AND t.id = w.ticket
     LIMIT 1) t
 CROSS JOIN LATERAL (
    SELECT r.enforcement FROM workflow r
     WHERE r.org_id = :org AND r.id = t.workflow_id
       AND r.enforcement <> 'none'
     LIMIT 1) r

-- name: rules_transition_facts_many :many
WITH sent AS MATERIALIZED (
    SELECT r.ticket, r.status, r.place
      FROM ROWS FROM (json_to_recordset(:rows::json)
                      AS (ticket uuid, status text))
           WITH ORDINALITY AS r (ticket, status, place)
), moved AS MATERIALIZED (
    @rules_rows@
)
@rules_facts_many@
 CROSS JOIN LATERAL (
    SELECT mine.fields, @rules_ahead@
      FROM (
        @rules_has@) mine) has
 CROSS JOIN LATERAL (
    @rules_judged@) s
 ORDER BY w.place, s.position, s.name

-- name: rules_update_facts_many :many
WITH sent AS MATERIALIZED (
    SELECT r.*
      FROM ROWS FROM (json_to_recordset(:rows::json) AS (
               ticket uuid, status text,
               "assignee_id?" boolean, assignee_id uuid,
               "description?" boolean, description text,
               "due_date?" boolean, due_date date,
               "labels?" boolean, labels uuid[],
               "parent_id?" boolean, parent_id uuid,
               "points?" boolean, points integer,
               "sprint_id?" boolean, sprint_id uuid))
           WITH ORDINALITY AS r (ticket, status,
               "assignee_id?", assignee_id, "description?", description,
               "due_date?", due_date, "labels?", labels,
               "parent_id?", parent_id, "points?", points,
               "sprint_id?", sprint_id, place)
), moved AS MATERIALIZED (
    @rules_rows@
)
@rules_facts_many@
 CROSS JOIN LATERAL (
        @rules_will_have_many@) has
 CROSS JOIN LATERAL (
    @rules_judged@) s
 ORDER BY w.place, s.position, s.name

-- name: rules_lock_many :exec
WITH sent AS MATERIALIZED (
    SELECT * FROM json_to_recordset(:rows::json)
                  AS r (ticket uuid, status text)
), moved AS MATERIALIZED (
    @rules_rows@
), rules AS MATERIALIZED (
    SELECT f.id
      FROM (SELECT DISTINCT m.workflow_id FROM moved m
             ORDER BY m.workflow_id) d
     CROSS JOIN LATERAL (
        SELECT f.id FROM workflow f
         WHERE f.org_id = :org AND f.id = d.workflow_id
         LIMIT 1
           FOR SHARE) f
), limited AS MATERIALIZED (
    SELECT DISTINCT m.project_id FROM moved m
     WHERE (SELECT true FROM workflow_status s
             WHERE s.org_id = :org AND s.workflow_id = m.workflow_id
               AND lower(s.name) = lower(m.status)
               AND s.wip_limit IS NOT NULL
             LIMIT 1)
     ORDER BY m.project_id
), projects AS MATERIALIZED (
    SELECT p.id
      FROM limited
     CROSS JOIN LATERAL (
        SELECT p.id FROM project p
         WHERE p.org_id = :org AND p.id = limited.project_id
         LIMIT 1
           FOR NO KEY UPDATE) p
)
SELECT (SELECT count(*) FROM rules) AS rules,
       (SELECT count(*) FROM projects) AS projects

-- Every status with why not and the shortest way there. Where nothing is
-- enforced, any status is one step away.
-- name: rules_explain :one
SELECT t.status AS current,
       (SELECT json_agg(json_build_object(
                   'name', s.name, 'category', s.category,
                   'allowed', NOT s.here AND (s.code IS NULL
                                              OR w.enforcement <> 'strict'),
                   'why', CASE WHEN s.here OR w.enforcement = 'strict'
                          THEN s.why END,
                   'path', CASE WHEN s.here THEN '{}'
                           WHEN w.enforcement <> 'strict' THEN ARRAY[s.name]
                           ELSE coalesce(y.path, '{}') END)
               ORDER BY s.position, s.name)
          FROM (
    @rules_judged@) s
          LEFT JOIN alloy.workflow_ways(:org, t.workflow_id, t.status,
                                        @rules_mine@) y ON y.status = s.name)
           AS statuses
  FROM ticket t
 CROSS JOIN LATERAL (
    SELECT p.id FROM project p
     WHERE p.org_id = :org AND p.id = t.project_id AND p.deleted_at IS NULL
     LIMIT 1) p
 CROSS JOIN LATERAL (
    SELECT w.enforcement FROM workflow w
     WHERE w.org_id = :org AND w.id = t.workflow_id
     LIMIT 1) w
 CROSS JOIN LATERAL (
        @rules_has@) has
 WHERE @rules_target@

-- The past --------------------------------------------------------------------

-- Moves that people made, as the log has them, of the projects of the workflow or
-- of one project. Not those that came with a change of the workflow itself.
-- name: rules_simulate :one :slow
WITH moves AS MATERIALIZED (
    SELECT c.entity_id, c.seq, c.at, c.before ->> 'status' AS from_status,
           c.after ->> 'status' AS to_status
      FROM project p
     CROSS JOIN LATERAL (
        SELECT c.* FROM change c
         WHERE c.org_id = :org AND c.project_id = p.id
           AND c.entity_type = 'ticket' AND 'status' = ANY (c.fields)
           AND 'workflow_id' <> ALL (c.fields)
           AND c.operation IS DISTINCT FROM 'workflow_update'
           AND (:moved_after::timestamptz IS NULL
                OR c.at > :moved_after::timestamptz)
           AND (:moved_before::timestamptz IS NULL
                OR c.at < :moved_before::timestamptz)) c
     WHERE p.org_id = :org AND p.deleted_at IS NULL
       AND CASE WHEN :project_id::uuid IS NULL THEN p.workflow_id = :workflow
                ELSE p.id = :project_id::uuid END
), kinds AS MATERIALIZED (
    SELECT m.from_status, m.to_status, count(*) AS count,
           min(m.at) AS first_at, max(m.at) AS last_at,
           (array_agg(m.entity_id ORDER BY m.seq))[1:5] AS examples
      FROM moves m
     GROUP BY m.from_status, m.to_status
), judged AS MATERIALIZED (
    SELECT k.*,
           CASE WHEN f.name IS NULL OR t.name IS NULL THEN 'unknown_status'
                WHEN NOT EXISTS (
                    SELECT FROM workflow_transition x
                     WHERE x.org_id = :org AND x.workflow_id = :workflow
                       AND x.from_status = f.name AND x.to_status = t.name)
                THEN 'transition_not_listed' END AS code
      FROM kinds k
      LEFT JOIN workflow_status f
        ON f.org_id = :org AND f.workflow_id = :workflow
       AND f.name = k.from_status
      LEFT JOIN workflow_status t
        ON t.org_id = :org AND t.workflow_id = :workflow
       AND t.name = k.to_status
)
SELECT w.id AS workflow_id, w.version AS workflow_version,
       (SELECT count(DISTINCT m.entity_id) FROM moves m) AS tickets,
       (SELECT count(*) FROM moves) AS moves,
       (SELECT coalesce(sum(j.count), 0)::bigint FROM judged j
         WHERE j.code IS NULL) AS legal,
       (SELECT coalesce(sum(j.count), 0)::bigint FROM judged j
         WHERE j.code IS NOT NULL) AS illegal,
       (SELECT coalesce(json_agg(json_build_object(
                   'from', j.from_status, 'to', j.to_status, 'count', j.count,
                   'legal', j.code IS NULL, 'code', j.code,
                   'first_at', to_char(j.first_at AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                   'last_at', to_char(j.last_at AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                   'tickets', j.examples)
                   ORDER BY j.code IS NULL, j.count DESC, j.from_status,
                            j.to_status), '[]')
          FROM judged j) AS items
  FROM workflow w
 WHERE w.org_id = :org AND w.id = :workflow
