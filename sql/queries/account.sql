-- The caller's own account, and reset codes for those who lost their password.

-- The organization spoken of when none is named: the token's, the chosen one,
-- the only one besides the personal one, the personal one.
-- name: auth_me :one
WITH mine AS MATERIALIZED (
    SELECT m.org_id, o.name, o.slug, m.role, o.is_personal
      FROM unnest(:orgs::uuid[]) AS my (org_id)
     CROSS JOIN LATERAL (
        SELECT s.org_id, s.role FROM membership s
         WHERE s.org_id = my.org_id AND s.user_id = :me
           AND s.removed_at IS NULL) m
     CROSS JOIN LATERAL (
        SELECT g.name, g.slug, g.is_personal FROM organization g
         WHERE g.org_id = my.org_id AND g.deleted_at IS NULL) o
)
SELECT a.user_id, a.email, a.display_name, home.org_id, home.role,
       (SELECT mine.org_id FROM mine WHERE mine.org_id = a.default_org_id)
           AS default_org_id,
       (SELECT coalesce(json_agg(json_build_object(
                   'org_id', mine.org_id, 'name', mine.name, 'slug', mine.slug,
                   'role', mine.role, 'is_personal', mine.is_personal)
                   ORDER BY mine.is_personal, mine.name, mine.org_id), '[]')
          FROM mine) AS memberships,
       a.token
  FROM definer.my_account(:my_key) a
  LEFT JOIN LATERAL (
    SELECT m.org_id, m.role
      FROM (SELECT mine.*, CASE
                WHEN mine.org_id = a.key_org_id THEN 1
                WHEN mine.org_id = a.default_org_id THEN 2
                WHEN mine.is_personal THEN 4
                WHEN (SELECT count(*) FROM mine WHERE NOT is_personal) = 1
                    THEN 3 END AS rank
              FROM mine) m
     WHERE m.rank IS NOT NULL
     ORDER BY m.rank, m.org_id
     LIMIT 1) home ON true

-- name: auth_me_update :exec :write
SELECT definer.my_account_update(:display_name?, :display_name,
                                 :default_org_id?, :default_org_id)

-- name: auth_password :one
SELECT email, password_hash, wait FROM definer.my_password(:address)

-- name: auth_password_set :one :write
SELECT definer.my_password_set(:seen_hash, :password_hash, :my_session,
                               :address, :client_name) AS changed

-- name: auth_reset_make :one :write
SELECT user_id, expires_at, _refusal
  FROM definer.reset_make(:org, :user, :code_hash, :address, :client_name)

-- name: auth_reset_user :one
SELECT definer.reset_user(:code_hash) AS user_id

-- name: auth_reset_use :one :write
SELECT definer.reset_use(:code_hash, :password_hash, :address, :client_name)
    AS changed
