-- Teams and who is in them.

-- fragment: team_columns
t.id, t.org_id, t.name, t.description, t.version, t.created_at, t.updated_at

-- fragment: team_target
t.org_id = :org AND t.id = :team

-- The organizations to look in: the call's own, or all of the caller's.
-- fragment: team_orgs
unnest(CASE WHEN :within::uuid IS NULL THEN :orgs::uuid[]
                   ELSE ARRAY[:within::uuid] END) AS mine (org_id)

-- References ------------------------------------------------------------------

-- name: team_find_id :many
SELECT t.id, t.org_id, NULL::uuid AS project_id, t.name AS label, 1 AS rank
  FROM @team_orgs@
  JOIN team t ON t.org_id = mine.org_id AND t.id = :ref

-- name: team_find_name :many
SELECT t.id, t.org_id, NULL::uuid AS project_id, t.name AS label,
       CASE WHEN t.folded = lower(:ref) THEN 1 ELSE 2 END AS rank
  FROM @team_orgs@
  JOIN team t ON t.org_id = mine.org_id
 WHERE starts_with(t.folded, lower(:ref))
 ORDER BY rank, label
 LIMIT 20

-- Teams -----------------------------------------------------------------------

-- Behind org_lock, like team_update: of two who want the same name the second
-- sees the first.
-- name: team_create :one
WITH parent AS (
    SELECT o.org_id FROM organization o
     WHERE o.org_id = :org AND o.deleted_at IS NULL
), made AS (
    INSERT INTO team (org_id, id, name, folded, description)
    SELECT parent.org_id, :new_team, :name, lower(:name), :description
      FROM parent
        ON CONFLICT DO NOTHING
    RETURNING *
)
SELECT @team_columns@,
       CASE WHEN t.id IS NULL THEN 'name_taken' END AS _refusal
  FROM parent
  LEFT JOIN made t ON true

-- A bare coalesce counts as leaky, which keeps the comparison out of the index
-- condition behind a policy; a sub-select does not.
-- name: team_list :page
SELECT @team_columns@, t.created_at AS _at, t.id AS _id
  FROM team t
 WHERE t.org_id = :org
   AND (t.created_at, t.id)
       < ((SELECT coalesce(:after_at::timestamptz, 'infinity')),
          (SELECT coalesce(:after_id::uuid,
                           'ffffffff-ffff-ffff-ffff-ffffffffffff')))
 ORDER BY t.created_at DESC, t.id DESC
 LIMIT :limit

-- name: team_get :one
SELECT @team_columns@
  FROM team t
 WHERE @team_target@

-- name: team_update :one
WITH there AS (
    SELECT t.id, EXISTS (SELECT FROM team x
                          WHERE x.org_id = :org
                            AND x.folded = lower(:name::text)
                            AND x.id <> t.id) AS taken
      FROM team t
     WHERE @team_target@
), changed AS (
    UPDATE team t
       SET name = CASE WHEN :name? THEN :name::text ELSE t.name END,
           folded = CASE WHEN :name? THEN lower(:name::text)
               ELSE t.folded END,
           description = CASE WHEN :description? THEN :description
               ELSE t.description END
      FROM there
     WHERE @team_target@ AND NOT there.taken
    RETURNING t.*
)
SELECT @team_columns@,
       CASE WHEN there.taken THEN 'name_taken' END AS _refusal
  FROM there
  LEFT JOIN changed t ON true
 WHERE there.taken OR t.id IS NOT NULL

-- Who is in it, goes by the foreign key.
-- name: team_delete :exec
DELETE FROM team t
 WHERE @team_target@

-- Members ---------------------------------------------------------------------

-- name: team_lock :exec
SELECT t.id FROM team t
 WHERE @team_target@
   FOR NO KEY UPDATE

-- Behind team_lock: of two who add the same person, the second sees him.
-- name: team_member_add :one
WITH parent AS (
    SELECT t.org_id, t.id, m.user_id
      FROM team t
      LEFT JOIN membership m ON m.org_id = :org AND m.user_id = :user_id
                            AND m.removed_at IS NULL
     WHERE @team_target@
), added AS (
    INSERT INTO team_member (org_id, team_id, user_id)
    SELECT parent.org_id, parent.id, parent.user_id FROM parent
     WHERE parent.user_id IS NOT NULL
        ON CONFLICT DO NOTHING
    RETURNING team_id, created_at
)
SELECT parent.id AS team_id, parent.user_id, u.email, u.display_name,
       coalesce(added.created_at, there.created_at) AS created_at,
       added.team_id IS NOT NULL AS _created,
       CASE WHEN parent.user_id IS NULL THEN 'no_person' END AS _refusal
  FROM parent
  LEFT JOIN identity.person u ON u.id = parent.user_id
  LEFT JOIN added ON true
  LEFT JOIN team_member there
    ON there.org_id = :org AND there.team_id = parent.id
   AND there.user_id = parent.user_id

-- name: team_member_list :many
SELECT m.team_id, m.user_id, u.email, u.display_name, m.created_at
  FROM team_member m
  JOIN identity.person u ON u.id = m.user_id
 WHERE m.org_id = :org AND m.team_id = :team
 ORDER BY m.created_at, m.user_id
 LIMIT 1000

-- name: team_member_remove :exec
DELETE FROM team_member m
 WHERE m.org_id = :org AND m.team_id = :team AND m.user_id = :user
