-- Labels of an organization, and which tickets carry them.

-- fragment: label_columns
l.id, l.org_id, l.name, l.color, l.version, l.created_at, l.updated_at

-- fragment: label_target
l.org_id = :org AND l.id = :label

-- The organizations to look in: the call's own, or all of the caller's.
-- fragment: label_orgs
unnest(CASE WHEN :within::uuid IS NULL THEN :orgs::uuid[]
                   ELSE ARRAY[:within::uuid] END) AS mine (org_id)

-- References ------------------------------------------------------------------

-- name: label_find_id :many
SELECT l.id, l.org_id, NULL::uuid AS project_id, l.name AS label, 1 AS rank
  FROM @label_orgs@
  JOIN label l ON l.org_id = mine.org_id AND l.id = :ref

-- name: label_find_name :many
SELECT l.id, l.org_id, NULL::uuid AS project_id, l.name AS label,
       CASE WHEN l.folded = lower(:ref) THEN 1 ELSE 2 END AS rank
  FROM @label_orgs@
  JOIN label l ON l.org_id = mine.org_id
 WHERE starts_with(l.folded, lower(:ref))
 ORDER BY rank, label
 LIMIT 20

-- Labels ----------------------------------------------------------------------

-- Behind org_lock, like label_update: of two who want the same name the second
-- sees the first.
-- name: label_create :one
WITH parent AS (
    SELECT o.org_id FROM organization o
     WHERE o.org_id = :org AND o.deleted_at IS NULL
), made AS (
    INSERT INTO label (org_id, id, name, folded, color)
    SELECT parent.org_id, :new_label, :name, lower(:name), :color FROM parent
        ON CONFLICT DO NOTHING
    RETURNING *
)
SELECT @label_columns@,
       CASE WHEN l.id IS NULL THEN 'name_taken' END AS _refusal
  FROM parent
  LEFT JOIN made l ON true

-- A bare coalesce counts as leaky, which keeps the comparison out of the index
-- condition behind a policy; a sub-select does not.
-- name: label_list :page
SELECT @label_columns@, l.created_at AS _at, l.id AS _id
  FROM label l
 WHERE l.org_id = :org
   AND (l.created_at, l.id)
       < ((SELECT coalesce(:after_at::timestamptz, 'infinity')),
          (SELECT coalesce(:after_id::uuid,
                           'ffffffff-ffff-ffff-ffff-ffffffffffff')))
 ORDER BY l.created_at DESC, l.id DESC
 LIMIT :limit

-- name: label_get :one
SELECT @label_columns@
  FROM label l
 WHERE @label_target@

-- name: label_update :one
WITH there AS (
    SELECT l.id, EXISTS (SELECT FROM label x
                          WHERE x.org_id = :org
                            AND x.folded = lower(:name::text)
                            AND x.id <> l.id) AS taken
      FROM label l
     WHERE @label_target@
), changed AS (
    UPDATE label l
       SET name = CASE WHEN :name? THEN :name::text ELSE l.name END,
           folded = CASE WHEN :name? THEN lower(:name::text)
               ELSE l.folded END,
           color = CASE WHEN :color? THEN :color ELSE l.color END
      FROM there
     WHERE @label_target@ AND NOT there.taken
    RETURNING l.*
)
SELECT @label_columns@,
       CASE WHEN there.taken THEN 'name_taken' END AS _refusal
  FROM there
  LEFT JOIN changed l ON true
 WHERE there.taken OR l.id IS NOT NULL

-- Whoever is about to put it on a ticket has finished, or finds it gone.
-- name: label_lock :exec
SELECT l.id FROM label l
 WHERE @label_target@
   FOR UPDATE

-- Reads all tickets of the organization: labels are deleted seldom and shown with
-- every ticket.
-- name: label_untie :exec
UPDATE ticket t SET labels = array_remove(t.labels, :label)
 WHERE t.org_id = :org AND :label = ANY (t.labels)

-- name: label_delete :exec
DELETE FROM label l
 WHERE @label_target@

-- Of tickets ------------------------------------------------------------------

-- The ticket t, not deleted and not in a deleted project.
-- fragment: label_ticket
t.org_id = :org AND t.id = :ticket AND t.deleted_at IS NULL
   AND (SELECT true FROM project p
         WHERE p.org_id = :org AND p.id = t.project_id
           AND p.deleted_at IS NULL
         LIMIT 1)

-- One by one: left to itself, the planner reads all labels there are.
-- fragment: label_of_ticket
FROM ticket t
 CROSS JOIN unnest(t.labels) AS has (id)
 CROSS JOIN LATERAL (
    SELECT * FROM label l
     WHERE l.org_id = :org AND l.id = has.id
     LIMIT 1) l
 WHERE @label_ticket@

-- name: ticket_label_list :many
SELECT @label_columns@
  @label_of_ticket@
 ORDER BY l.folded

-- Behind ticket_lock, so that the count is true; the label is held, so that it
-- is not deleted before the ticket has it.
-- name: ticket_label_add :exec :locks=ticket
WITH held AS (
    SELECT l.id FROM label l
     WHERE @label_target@
       FOR KEY SHARE
)
UPDATE ticket t
   SET labels = ARRAY(SELECT id FROM unnest(t.labels || held.id) AS has (id)
                       ORDER BY id)
  FROM held
 WHERE @label_ticket@
   AND held.id <> ALL (t.labels) AND cardinality(t.labels) < 50

-- What the ticket has after ticket_label_add: nothing when there is no such
-- label.
-- name: ticket_label_added :many
SELECT @label_columns@,
       CASE WHEN :label <> ALL (t.labels) THEN 'too_many' END AS _refusal
  @label_of_ticket@
   AND EXISTS (SELECT FROM label there
                WHERE there.org_id = :org AND there.id = :label)
 ORDER BY l.folded

-- name: ticket_label_remove :exec :locks=ticket
UPDATE ticket t SET labels = array_remove(t.labels, :label)
 WHERE @label_ticket@ AND :label = ANY (t.labels)
