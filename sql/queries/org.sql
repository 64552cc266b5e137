-- Organizations: the tenants themselves.

-- fragment: org_columns
o.org_id AS id, o.name, o.slug, o.currency, o.timezone,
       o.project_visibility, o.finance_visibility, o.is_personal,
       (SELECT m.role FROM membership m
         WHERE m.org_id = o.org_id AND m.user_id = :me) AS role,
       o.version, o.created_at, o.updated_at

-- The engine finds organizations among the caller's own; this answers the same
-- from the database.
-- name: org_find_id :many
SELECT o.org_id AS id, o.org_id, NULL::uuid AS project_id, o.slug AS label,
       1 AS rank
  FROM organization o
 WHERE o.org_id = :ref::uuid AND o.org_id = ANY (:orgs::uuid[])
   AND o.deleted_at IS NULL

-- name: org_create :exec :write
SELECT alloy.organization_create(:new_org::uuid, :new_workflow::uuid,
           :me::uuid, :name::text, :slug::text, :currency::text,
           :timezone::text, :project_visibility::text,
           :finance_visibility::text)

-- The second look: when nothing was made, why?
-- name: org_created :one
SELECT @org_columns@,
       CASE WHEN o.org_id IS NOT NULL THEN NULL
            WHEN NOT alloy.timezone_known(coalesce(:timezone::text, 'UTC'))
            THEN 'timezone_unknown'
            WHEN NOT definer.membership_room(:me) THEN 'too_many'
            ELSE 'slug_taken' END AS _refusal
  FROM (SELECT :new_org::uuid AS org_id) made
  LEFT JOIN organization o ON o.org_id = made.org_id

-- name: org_list :page
SELECT @org_columns@, o.created_at AS _at, o.org_id AS _id
  FROM unnest(:orgs::uuid[]) AS mine (org_id)
  JOIN organization o ON o.org_id = mine.org_id
 WHERE o.deleted_at IS NULL
   AND (o.created_at, o.org_id)
       < ((SELECT coalesce(:after_at::timestamptz, 'infinity')),
          (SELECT coalesce(:after_id::uuid,
                           'ffffffff-ffff-ffff-ffff-ffffffffffff')))
 ORDER BY o.created_at DESC, o.org_id DESC
 LIMIT :limit

-- name: org_get :one
SELECT @org_columns@
  FROM organization o
 WHERE o.org_id = :org AND o.deleted_at IS NULL

-- A slug that is taken keeps the row as it was: its trigger sees to that.
-- name: org_update :exec
UPDATE organization o
   SET name = CASE WHEN :name? THEN :name ELSE o.name END,
       slug = CASE WHEN :slug? THEN :slug ELSE o.slug END,
       currency = CASE WHEN :currency? THEN :currency ELSE o.currency END,
       timezone = CASE WHEN :timezone? THEN :timezone ELSE o.timezone END,
       project_visibility = CASE WHEN :project_visibility?
           THEN :project_visibility ELSE o.project_visibility END,
       finance_visibility = CASE WHEN :finance_visibility?
           THEN :finance_visibility ELSE o.finance_visibility END
 WHERE o.org_id = :org AND o.deleted_at IS NULL
   AND (:timezone::text IS NULL OR alloy.timezone_known(:timezone))

-- name: org_updated :one
SELECT @org_columns@,
       CASE WHEN :timezone? AND o.timezone <> :timezone::text
            THEN 'timezone_unknown'
            WHEN :slug? AND o.slug <> :slug::text
            THEN 'slug_taken' END AS _refusal
  FROM organization o
 WHERE o.org_id = :org AND o.deleted_at IS NULL

-- name: org_delete :one
WITH found AS (
    SELECT o.org_id,
           CASE WHEN o.is_personal THEN 'personal'
                WHEN o.slug <> lower(:confirm::text)
                THEN 'confirm_differs' END AS refusal
      FROM organization o
     WHERE o.org_id = :org AND o.deleted_at IS NULL
       FOR NO KEY UPDATE
), gone AS (
    UPDATE organization o SET deleted_at = clock_timestamp()
      FROM found
     WHERE o.org_id = :org AND found.refusal IS NULL
)
SELECT found.refusal AS _refusal FROM found
