-- Who a token stands for. Run in public calls: nothing is verified yet.

-- name: principal_of_session :one
SELECT user_id, version, email, display_name, default_org_id, session_id,
       key_id, NULL::uuid AS key_org_id, false AS project_limited, scopes, read_only, max_writes, expires_at, on_behalf_of,
       org_ids, org_slugs, org_roles, org_all, org_personal, projects
  FROM definer.principal_of_session(:session)

-- name: principal_of_key :one
SELECT user_id, version, email, display_name, default_org_id, session_id,
       key_id, key_org_id, project_limited, scopes, read_only, max_writes, expires_at, on_behalf_of,
       org_ids, org_slugs, org_roles, org_all, org_personal, projects
  FROM definer.principal_of_key(:hash)

-- name: key_spend :exec :write
SELECT definer.key_spend(:key)

-- For :count writes in one transaction.
-- name: key_spend_many :exec :write
SELECT definer.key_spend(:key) FROM generate_series(1, :count::integer)
