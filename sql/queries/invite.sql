-- Invites: who may join an organization. Codes are kept, hashed, elsewhere.

-- now(), not clock_timestamp(): a volatile column keeps the list from using the
-- order of an index.
-- fragment: invite_columns
i.id, i.org_id, i.email, i.role,
       CASE WHEN i.accepted_at IS NOT NULL THEN 'accepted'
            WHEN i.revoked_at IS NOT NULL THEN 'revoked'
            WHEN i.expires_at <= now() THEN 'expired'
            ELSE 'pending' END AS status,
       i.created_by, i.expires_at, i.accepted_by, i.accepted_at,
       i.revoked_at, i.created_at

-- fragment: role_rank
array_position('{Viewer,Reporter,Member,Admin,Owner}'::text[],

-- name: invite_create :one :write
WITH asked AS (
    SELECT o.org_id,
           CASE WHEN @role_rank@ :role::text) > @role_rank@ caller.role)
                THEN 'role_above'
                WHEN EXISTS (SELECT FROM membership m
                              WHERE m.org_id = :org AND m.removed_at IS NULL
                                AND m.user_id = (SELECT
                                        definer.user_by_email(:email)))
                THEN 'already_member' END AS refusal
      FROM organization o
      JOIN membership caller
        ON caller.org_id = o.org_id AND caller.user_id = :me
       AND caller.removed_at IS NULL
     WHERE o.org_id = :org AND o.deleted_at IS NULL
), made AS (
    INSERT INTO invite (org_id, id, email, role, created_by, expires_at)
    SELECT asked.org_id, :new_invite::uuid, :email::text, :role::text,
           :created_by::uuid, clock_timestamp() + interval '7 days'
      FROM asked WHERE asked.refusal IS NULL
    RETURNING *
)
SELECT @invite_columns@,
       CASE WHEN i.id IS NOT NULL
            THEN definer.invite_code_keep(:hash::bytea, i.org_id, i.id)
       END AS _kept,
       asked.refusal AS _refusal
  FROM asked
  LEFT JOIN made i ON true

-- name: invite_list :page
SELECT @invite_columns@, i.created_at AS _at, i.id AS _id
  FROM invite i
 WHERE i.org_id = :org
   AND (i.created_at, i.id)
       < ((SELECT coalesce(:after_at::timestamptz, 'infinity')),
          (SELECT coalesce(:after_id::uuid,
                           'ffffffff-ffff-ffff-ffff-ffffffffffff')))
 ORDER BY i.created_at DESC, i.id DESC
 LIMIT :limit

-- name: invite_revoke :one
WITH found AS (
    SELECT i.id, i.accepted_at IS NOT NULL AS accepted
      FROM invite i
     WHERE i.org_id = :org AND i.id = :invite AND i.revoked_at IS NULL
       FOR NO KEY UPDATE
), gone AS (
    UPDATE invite i SET revoked_at = clock_timestamp()
      FROM found
     WHERE i.org_id = :org AND i.id = found.id AND NOT found.accepted
)
SELECT CASE WHEN found.accepted THEN 'accepted' END AS _refusal FROM found

-- For whoever holds the code: he is no member yet.
-- name: invite_get :one
SELECT org_id, org_name, email, role, expires_at
  FROM definer.invite_by_code(:hash)

-- name: invite_accept :one :write
SELECT org_id, org_name, slug, user_id, role, _refusal
  FROM alloy.invite_accept(:hash)
