-- The feed: the change log as its reader may see it, page by page. A cursor is
-- a snapshot, and a read is what is visible in a new one and was not in that:
-- seq alone would lose rows, the order of transactions would turn histories
-- around.

-- What every page says besides its rows, whether it has any or not. The version
-- belongs to the snapshot: a caller whose access changed before it was taken and
-- after the settings were sent is noticed by it.
-- fragment: change_head
(SELECT f.epoch || '.' || d.oid AS epoch, pg_current_snapshot()::text AS snapshot,
        definer.principal_version(:me) AS reader
   FROM feed f, pg_database d
  WHERE d.datname = current_database()) head

-- fragment: change_columns
head.epoch, head.snapshot, head.reader, c.seq, c.at, c.change_id,
       c.actor AS actor_id, u.display_name AS actor_name, c.on_behalf_of,
       c.client, c.client_name, c.request_id, c.operation, c.entity_type,
       c.entity_id, c.org_id, c.project_id, c.parent_id, c.version, c.fields,
       c.before, c.after

-- Types nobody declared are for Admins (5), like those that say so.
-- fragment: change_readable
coalesce((:needs::jsonb ->> c.entity_type)::int, 5) <= mine.rank
               AND (:project::uuid IS NULL OR c.project_id = :project)

-- The first page of a read: few rows, found by their transactions. OFFSET 0
-- keeps the planner from reading the whole log in the order wanted instead.
-- name: change_since :many
SELECT @change_columns@
  FROM @change_head@
  LEFT JOIN LATERAL (
    SELECT c.*
      FROM unnest(:orgs::uuid[], :ranks::int[]) AS mine (org_id, rank)
     CROSS JOIN LATERAL (
        SELECT c.* FROM (
            SELECT c.* FROM change c
             WHERE c.org_id = mine.org_id
               AND c.xid >= (SELECT pg_snapshot_xmin(:old::text::pg_snapshot))
               AND NOT pg_visible_in_snapshot(c.xid, :old::text::pg_snapshot)
               AND @change_readable@
            OFFSET 0) c
         ORDER BY c.seq
         LIMIT :limit::int) c
     ORDER BY c.seq
     LIMIT :limit::int) c ON true
  LEFT JOIN identity.person u ON u.id = c.actor
 ORDER BY c.seq

-- The pages after it, and all of a read from the beginning, which has no end of
-- its own yet (:new is NULL): from a place in the log on, nearly every row fits.
-- name: change_rest :many :custom
SELECT @change_columns@
  FROM @change_head@
  LEFT JOIN LATERAL (
    SELECT c.*
      FROM unnest(:orgs::uuid[], :ranks::int[]) AS mine (org_id, rank)
     CROSS JOIN LATERAL (
        SELECT c.* FROM change c
         WHERE c.org_id = mine.org_id AND c.seq > :last::bigint
           AND NOT pg_visible_in_snapshot(c.xid, :old::text::pg_snapshot)
           AND pg_visible_in_snapshot(c.xid,
               coalesce(:new::text::pg_snapshot, pg_current_snapshot()))
           AND @change_readable@
         ORDER BY c.seq
         LIMIT :limit::int) c
     ORDER BY c.seq
     LIMIT :limit::int) c ON true
  LEFT JOIN identity.person u ON u.id = c.actor
 ORDER BY c.seq

-- Between two snapshots, of the organizations and the project asked for.
-- name: change_sight :one
SELECT coalesce(json_agg(s.project_id) FILTER (WHERE NOT s.gained), '[]') AS lost,
       coalesce(json_agg(s.project_id) FILTER (WHERE s.gained), '[]') AS gained,
       count(*) AS total
  FROM definer.sight_changed(:was::text::pg_snapshot,
                             :since::text::pg_snapshot, :my_key) s
 WHERE (:only_org::uuid IS NULL OR s.org_id = :only_org)
   AND (:project::uuid IS NULL OR s.project_id = :project)
