-- The statements of the test's plugin.

-- fragment: probe_columns
b.id, b.project_id, b.label, b.kind, b.reading, b.version, b.created_at,
       b.updated_at

-- name: probe_find_id :many
SELECT b.id, b.org_id, b.project_id, b.label, 1 AS rank
  FROM unnest(:orgs::uuid[]) AS mine (org_id)
  JOIN probe b ON b.org_id = mine.org_id AND b.id = :ref

-- name: probe_create :one
WITH parent AS (
    SELECT p.org_id, p.id FROM project p
     WHERE p.org_id = :org AND p.id = :project AND p.deleted_at IS NULL
), made AS (
    INSERT INTO probe (org_id, id, project_id, label, kind)
    SELECT parent.org_id, :new_probe, parent.id, :label, :kind FROM parent
        ON CONFLICT (org_id, project_id, label) DO NOTHING
    RETURNING *
)
SELECT @probe_columns@,
       CASE WHEN b.id IS NULL THEN 'label_taken' END AS _refusal
  FROM parent
  LEFT JOIN made b ON true

-- name: probe_list :page
SELECT @probe_columns@, b.created_at AS _at, b.id AS _id
  FROM probe b
 WHERE b.org_id = :org
   AND b.project_id = (SELECT p.id FROM project p
                        WHERE p.org_id = :org AND p.id = :project
                          AND p.deleted_at IS NULL)
   AND (b.created_at, b.id)
       < ((SELECT coalesce(:after_at::timestamptz, 'infinity')),
          (SELECT coalesce(:after_id::uuid,
                           'ffffffff-ffff-ffff-ffff-ffffffffffff')))
 ORDER BY b.created_at DESC, b.id DESC
 LIMIT :limit

-- name: probe_get :one
SELECT @probe_columns@ FROM probe b WHERE b.org_id = :org AND b.id = :probe

-- name: probe_delete :exec
DELETE FROM probe b WHERE b.org_id = :org AND b.id = :probe

-- name: probe_measure :one
UPDATE probe b SET reading = alloy.probe_reading(:value)
 WHERE b.org_id = :org AND b.id = :probe
RETURNING @probe_columns@

-- Keys of a project -----------------------------------------------------------

-- name: probe_setting_write :one
WITH kept AS (
    INSERT INTO probe_setting AS s (org_id, project_id, color, room)
    SELECT :org, p.id, :probe_color, :probe_room FROM project p
     WHERE p.org_id = :org AND p.id = :id
       AND :probe_color::text IS DISTINCT FROM 'none'
        ON CONFLICT (org_id, project_id) DO UPDATE
       SET color = CASE WHEN :probe_color? THEN excluded.color ELSE s.color END,
           room = CASE WHEN :probe_room? THEN excluded.room ELSE s.room END
    RETURNING s.project_id
)
SELECT CASE WHEN kept.project_id IS NULL THEN 'no_color' END AS _refusal
  FROM (SELECT) one
  LEFT JOIN kept ON true

-- name: probe_setting_read :many
SELECT i.id, s.color AS probe_color, s.room AS probe_room
  FROM unnest(:ids::uuid[]) AS i (id)
  LEFT JOIN LATERAL (
    SELECT s.color, s.room
      FROM unnest(:orgs::uuid[]) AS mine (org_id)
      JOIN probe_setting s
        ON s.org_id = mine.org_id AND s.project_id = i.id) s ON true

-- Moves of a ticket -----------------------------------------------------------

-- name: probe_color_facts :one
SELECT s.color
  FROM ticket t
  JOIN probe_setting s ON s.org_id = :org AND s.project_id = t.project_id
 WHERE t.org_id = :org AND t.id = :ticket

-- name: probe_color_facts_many :many
SELECT t.id, s.color
  FROM ticket t
  JOIN probe_setting s ON s.org_id = :org AND s.project_id = t.project_id
 WHERE t.org_id = :org AND t.id = ANY (:ids::uuid[])

-- Whoever counts a project's tickets holds the project.
-- name: probe_room_lock :exec
SELECT p.id
  FROM ticket t
  JOIN project p ON p.org_id = :org AND p.id = t.project_id
 WHERE t.org_id = :org AND t.id = :ticket
   FOR NO KEY UPDATE OF p

-- name: probe_room_facts :one
SELECT s.room,
       (SELECT count(*) FROM ticket x
         WHERE x.org_id = :org AND x.project_id = t.project_id
           AND x.status = 'InProgress' AND x.id <> t.id
           AND x.deleted_at IS NULL) AS taken
  FROM ticket t
  JOIN probe_setting s ON s.org_id = :org AND s.project_id = t.project_id
 WHERE t.org_id = :org AND t.id = :ticket

-- name: probe_unfilled :one
SELECT :nobody::text AS label
