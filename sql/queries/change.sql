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
       c.before, c.after, coalesce(c.warnings, '{}') AS warnings

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
-- For a reader who may see little of it, the way to the next page may be long.
-- name: change_rest :many :custom :slow
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

-- Undoing one call ---------------------------------------------------------------

-- name: change_find_id :many
SELECT c.change_id AS id, c.org_id, NULL::uuid AS project_id,
       min(c.operation) AS label, 1 AS rank
  FROM unnest(:orgs::uuid[]) AS mine (org_id)
  JOIN change c ON c.org_id = mine.org_id AND c.change_id = :ref
 GROUP BY c.change_id, c.org_id
 LIMIT 20

-- What the call changed stays as it is until this one has ended. A statement of
-- its own: what a statement sees is older than the lock it waited for.
-- name: change_lock :one
WITH changed AS MATERIALIZED (
    SELECT DISTINCT c.entity_type, c.entity_id FROM change c
     WHERE c.org_id = :org AND c.change_id = :change
), tickets AS MATERIALIZED (
    SELECT t.id FROM changed c
      JOIN ticket t ON t.org_id = :org AND t.id = c.entity_id
     WHERE c.entity_type = 'ticket'
     ORDER BY t.id
       FOR NO KEY UPDATE OF t
), comments AS MATERIALIZED (
    SELECT s.id FROM changed c
      JOIN comment s ON s.org_id = :org AND s.id = c.entity_id
     WHERE c.entity_type = 'comment'
     ORDER BY s.id
       FOR NO KEY UPDATE OF s
), projects AS MATERIALIZED (
    SELECT p.id FROM changed c
      JOIN project p ON p.org_id = :org AND p.id = c.entity_id
     WHERE c.entity_type = 'project'
     ORDER BY p.id
       FOR NO KEY UPDATE OF p
)
SELECT (SELECT count(*) FROM tickets) + (SELECT count(*) FROM comments)
     + (SELECT count(*) FROM projects) AS locked,
       definer.change_is_hidden(:org, :change) AS hidden

-- What has to be done for each thing the call changed, the last one first: the
-- net effect of all of its rows, since a batch may change one thing twice.
--   update   send body as a PATCH           remove   send a DELETE
--   restore  take back deleted_at           refuse   no way back is known
-- "moved" lists the fields that are not any more as the call left them: of long
-- texts the next change tells how that was. What lies below something the call
-- made goes with it; what follows from other fields does by itself, and so does a
-- row whose parent is the project: a change of the project wrote it.
-- name: change_plan :many
WITH said AS MATERIALIZED (
    SELECT c.* FROM change c
     WHERE c.org_id = :org AND c.change_id = :change
), net AS MATERIALIZED (
    SELECT s.entity_type, s.entity_id, bool_or(s.before IS NULL) AS made,
           min(s.project_id::text)::uuid AS project_id,
           min(s.parent_id::text)::uuid AS parent_id, max(s.seq) AS last
      FROM said s
     GROUP BY s.entity_type, s.entity_id
), undone AS (
    SELECT n.*, coalesce(b.before, '{}') AS before,
           coalesce(a.after, '{}') AS after,
           coalesce(to_jsonb(t), to_jsonb(p), to_jsonb(k), '{}') AS now
      FROM net n
     CROSS JOIN LATERAL (
        SELECT jsonb_object_agg(f.key, f.value ORDER BY s.seq DESC) AS before
          FROM said s, jsonb_each(s.before) f
         WHERE s.entity_type = n.entity_type AND s.entity_id = n.entity_id) b
     CROSS JOIN LATERAL (
        SELECT jsonb_object_agg(f.key, f.value ORDER BY s.seq) AS after
          FROM said s, jsonb_each(s.after) f
         WHERE s.entity_type = n.entity_type AND s.entity_id = n.entity_id) a
      LEFT JOIN ticket t
        ON n.entity_type = 'ticket' AND t.org_id = :org AND t.id = n.entity_id
      LEFT JOIN project p
        ON n.entity_type = 'project' AND p.org_id = :org AND p.id = n.entity_id
      LEFT JOIN comment k
        ON n.entity_type = 'comment' AND k.org_id = :org AND k.id = n.entity_id
     WHERE NOT EXISTS (
        SELECT FROM net m
         WHERE m.made AND m.entity_id <> n.entity_id
           AND ((m.entity_type = 'project' AND m.entity_id = n.project_id)
                OR (m.entity_type = 'ticket' AND m.entity_id = n.parent_id)))
       AND NOT EXISTS (
        SELECT FROM net m
         WHERE m.entity_type = 'project' AND m.entity_id = n.parent_id)
), planned AS (
    SELECT u.*,
           CASE WHEN u.entity_type NOT IN ('ticket', 'project', 'comment')
                THEN 'refuse'
                WHEN u.made THEN 'remove'
                WHEN u.before ? 'deleted_at'
                THEN CASE WHEN u.before ->> 'deleted_at' IS NULL
                          THEN 'restore' ELSE 'remove' END
                ELSE 'update' END AS action,
           u.before - '{deleted_at,closed_at,mentions}'::text[]
                    - CASE u.entity_type WHEN 'ticket' THEN 'workflow_id'
                           ELSE '' END AS fields
      FROM undone u
)
SELECT p.entity_type, p.entity_id, p.action,
       (SELECT jsonb_object_agg(
                   CASE f.key WHEN 'points_half' THEN 'points' ELSE f.key END,
                   CASE WHEN f.key = 'points_half'
                             AND jsonb_typeof(f.value) = 'number'
                        THEN to_jsonb(f.value::text::numeric / 2)
                        ELSE f.value END)
          FROM jsonb_each(p.fields) f)::text AS body,
       (SELECT to_json(array_agg(DISTINCT f.name)) FROM (
            SELECT jsonb_object_keys(CASE WHEN p.made THEN p.after
                                          ELSE p.fields END)
            UNION ALL
            SELECT unnest(c.fields) FROM change c
             WHERE p.made AND c.org_id = :org AND c.seq > p.last
               AND c.entity_type = p.entity_type AND c.entity_id = p.entity_id
            UNION ALL
            SELECT 'deleted_at'
        ) f (name)
         WHERE p.action <> 'refuse'
           AND p.now -> f.name IS DISTINCT FROM CASE
               WHEN f.name = 'deleted_at'
               THEN coalesce(p.after -> f.name, 'null')
               WHEN p.action <> 'restore'
               THEN coalesce(p.after -> f.name, (
                   SELECT c.before -> f.name FROM change c
                    WHERE c.org_id = :org AND c.entity_type = p.entity_type
                      AND c.entity_id = p.entity_id AND c.seq > p.last
                      AND c.before ? f.name
                    ORDER BY c.seq
                    LIMIT 1), p.now -> f.name)
               ELSE p.now -> f.name END)::text AS moved
  FROM planned p
 WHERE p.action <> 'update' OR p.fields <> '{}'
 ORDER BY p.last DESC

-- name: change_restore_ticket :exec
UPDATE ticket t SET deleted_at = NULL
 WHERE t.org_id = :org AND t.id = :entity::uuid

-- name: change_restore_project :exec
UPDATE project p SET deleted_at = NULL
 WHERE p.org_id = :org AND p.id = :entity::uuid

-- Its author or an Admin may delete it, and so take that back.
-- name: change_restore_comment :exec
UPDATE comment k SET deleted_at = NULL
 WHERE k.org_id = :org AND k.id = :entity::uuid
   AND (k.author_id = :me OR k.org_id = ANY (:admin_orgs::uuid[]))
