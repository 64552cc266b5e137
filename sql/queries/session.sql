-- Setting up, registration, signing in and out: what opens and ends sessions.

-- name: onboard_status :one
SELECT definer.setup_needed() AS needs_setup

-- name: onboard :one :write
SELECT user_id, email, display_name, org_id, slug AS org_slug, _refusal
  FROM alloy.onboard(:new_user, :new_session, :new_org, :new_workflow, :email,
                     :display_name, :password_hash, :refresh_hash, :lifetime,
                     :org_name, :org_slug, :currency, :address, :client_name)

-- name: auth_register :one :write
SELECT user_id, email, display_name, org_id, _refusal
  FROM alloy.register(:new_user, :new_session, :new_org, :new_workflow, :email,
                      :display_name, :password_hash, :refresh_hash, :lifetime,
                      :invite_hash, :address, :client_name)

-- name: auth_login_facts :one
SELECT user_id, password_hash, wait
  FROM definer.login_facts(:email, :address)

-- name: auth_login_failed :exec :write
SELECT definer.login_failed(:email, :throttled, :address, :client_name)

-- name: auth_login :one :write
SELECT user_id, email, display_name, wait
  FROM definer.login(:user, :password_hash, :throttled, :new_session,
                     :refresh_hash, :lifetime, :address, :client_name)

-- name: auth_refresh :one :write
SELECT user_id, email, display_name, session_id
  FROM definer.refresh(:sent_hash, :refresh_hash, :lifetime, :address,
                       :client_name)

-- name: auth_logout :exec :write
SELECT definer.logout(:session, :sent_hash, :address, :client_name)

-- name: session_list :page
SELECT s.id, s.created_at, s.last_used_at, s.client, s.address,
       s.id IS NOT DISTINCT FROM :my_session AS current,
       s.created_at AS _at, s.id AS _id
  FROM definer.my_sessions(:limit, :after_at, :after_id) s

-- name: session_end :exec :write
SELECT FROM definer.my_session_end(:id, :address, :client_name)

-- Events come in the order of their ids, which hold the time.
-- name: auth_event_list :page
SELECT e.id, e.at, e.kind, e.address, e.client, e.detail,
       e.at AS _at, e.id AS _id
  FROM definer.my_events(:limit, :after_id) e
