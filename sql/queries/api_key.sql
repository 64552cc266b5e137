-- API keys: what they are and what they may do, never the keys themselves.

-- fragment: api_key_columns
k.id, k.name, k.hint, k.hint LIKE 'alloy\_test\_%' AS test, k.org_id, k.scopes,
k.project_ids, k.read_only, k.max_writes, k.writes_used, k.expires_at,
k.on_behalf_of, k.created_at, k.last_used_at

-- name: api_key_create :one :write
SELECT @api_key_columns@, k._refusal
  FROM definer.my_key_make(:my_key, :new_api_key, :key_hash, :key_hint, :name,
                           :org_id, :scopes, :project_ids, :read_only,
                           :max_writes, :expires_at, :on_behalf_of, :address,
                           :client_name) k

-- name: api_key_list :page
SELECT @api_key_columns@, k.created_at AS _at, k.id AS _id
  FROM definer.my_keys(:my_key, :limit, :after_at, :after_id) k

-- name: api_key_delete :exec :write
SELECT FROM definer.my_key_revoke(:my_key, :id, :address, :client_name)
