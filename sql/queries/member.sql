-- Members of organizations, and how people are found.

-- fragment: member_columns
m.user_id, u.email, u.display_name, m.role, m.version, m.created_at,
       m.updated_at, m.removed_at

-- References ------------------------------------------------------------------

-- The organizations to look in: the call's own, or all of the caller's.
-- fragment: user_orgs
unnest(CASE WHEN :within::uuid IS NULL THEN :orgs::uuid[]
                   ELSE ARRAY[:within::uuid] END) AS mine (org_id)

-- name: user_find_id :many
SELECT DISTINCT ON (u.id) u.id, m.org_id, NULL::uuid AS project_id,
       u.display_name AS label, 1 AS rank
  FROM @user_orgs@
  JOIN membership m ON m.org_id = mine.org_id AND m.user_id = :ref
  JOIN identity.person u ON u.id = m.user_id
 WHERE m.removed_at IS NULL

-- fragment: by_email
SELECT DISTINCT ON (u.id) u.id, m.org_id, NULL::uuid AS project_id,
       u.email AS label, 1 AS rank
  FROM @user_orgs@
  JOIN membership m ON m.org_id = mine.org_id
   AND m.user_id = (SELECT definer.user_by_email(:ref))
  JOIN identity.person u ON u.id = m.user_id
 WHERE m.removed_at IS NULL

-- An @ tells addresses from names.
-- name: user_find_name :many
WITH by_email AS (
    @by_email@
), by_name AS (
    SELECT DISTINCT ON (u.id) u.id, m.org_id, NULL::uuid AS project_id,
           u.display_name || ' <' || u.email || '>' AS label,
           CASE WHEN lower(u.display_name) = lower(:ref) THEN 2 ELSE 3 END
               AS rank
      FROM @user_orgs@
      JOIN membership m ON m.org_id = mine.org_id
      JOIN identity.person u ON u.id = m.user_id
     WHERE m.removed_at IS NULL AND strpos(:ref, '@') = 0
       AND starts_with(lower(u.display_name), lower(:ref))
)
SELECT f.* FROM (SELECT * FROM by_email UNION ALL SELECT * FROM by_name) f
 ORDER BY f.rank, f.label
 LIMIT 20

-- name: person_find_email :many
@by_email@

-- Members ---------------------------------------------------------------------

-- name: member_list :page :custom
SELECT @member_columns@, m.created_at AS _at, m.user_id AS _id
  FROM membership m
  JOIN identity.person u ON u.id = m.user_id
 WHERE m.org_id = :org
   AND (m.removed_at IS NOT NULL) = coalesce(:removed::boolean, false)
   AND (m.created_at, m.user_id)
       < ((SELECT coalesce(:after_at::timestamptz, 'infinity')),
          (SELECT coalesce(:after_id::uuid,
                           'ffffffff-ffff-ffff-ffff-ffffffffffff')))
 ORDER BY m.created_at DESC, m.user_id DESC
 LIMIT :limit

-- Serializes whatever depends on who else is an Owner: the statement behind it
-- sees what others did while this one waited.
-- name: org_lock :exec
SELECT o.org_id FROM organization o
 WHERE o.org_id = :org
   FOR NO KEY UPDATE

-- The member, the caller's own role as it is now, and whether an Owner is left
-- without him.
-- fragment: member_facts
SELECT m.user_id, m.role, caller.role AS caller_role,
           EXISTS (SELECT FROM membership x
                    WHERE x.org_id = :org AND x.user_id <> m.user_id
                      AND x.role = 'Owner' AND x.removed_at IS NULL)
               AS another_owner
      FROM membership m
      JOIN membership caller
        ON caller.org_id = :org AND caller.user_id = :me
       AND caller.removed_at IS NULL
     WHERE m.org_id = :org AND m.user_id = :user AND m.removed_at IS NULL

-- name: member_set_role :one
WITH facts AS (
    @member_facts@
), asked AS (
    SELECT f.user_id,
           CASE WHEN f.caller_role NOT IN ('Owner', 'Admin')
                THEN 'needs_admin'
                WHEN 'Owner' IN (f.role, :role::text)
                     AND f.caller_role <> 'Owner'
                THEN 'needs_owner'
                WHEN f.role = 'Owner' AND :role::text <> 'Owner'
                     AND NOT f.another_owner
                THEN 'last_owner' END AS refusal
      FROM facts f
), changed AS (
    UPDATE membership m SET role = :role
      FROM asked
     WHERE m.org_id = :org AND m.user_id = asked.user_id
       AND asked.refusal IS NULL
    RETURNING m.*
)
SELECT @member_columns@, asked.refusal AS _refusal
  FROM asked
  JOIN identity.person u ON u.id = asked.user_id
  LEFT JOIN changed m ON true

-- Somebody else is removed by the rights of an Admin, which a key may lack.
-- His projects and keys go with him: the table's trigger sees to that.
-- name: member_remove :one
WITH facts AS (
    @member_facts@
), asked AS (
    SELECT f.user_id,
           CASE WHEN f.user_id <> :me
                     AND (f.caller_role NOT IN ('Owner', 'Admin')
                          OR :org <> ALL (:admin_orgs::uuid[]))
                THEN 'needs_admin'
                WHEN f.role = 'Owner' AND f.caller_role <> 'Owner'
                THEN 'needs_owner'
                WHEN f.role = 'Owner' AND NOT f.another_owner
                THEN 'last_owner' END AS refusal
      FROM facts f
), gone AS (
    UPDATE membership m SET removed_at = clock_timestamp()
      FROM asked
     WHERE m.org_id = :org AND m.user_id = asked.user_id
       AND asked.refusal IS NULL
)
SELECT asked.refusal AS _refusal FROM asked
