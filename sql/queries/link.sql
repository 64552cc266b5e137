-- Links between tickets, and who watches a ticket.

-- The ticket of the path, not deleted and not in a deleted project.
-- fragment: link_ticket
t.org_id = :org AND t.id = :ticket AND t.deleted_at IS NULL
   AND (SELECT true FROM project p
         WHERE p.org_id = :org AND p.id = t.project_id
           AND p.deleted_at IS NULL
         LIMIT 1)

-- The other end of the link k, o: a row only when the caller sees it.
-- fragment: link_other
CROSS JOIN LATERAL (
    SELECT o.id, o.title, o.status, p.key || '-' || o.ticket_number AS key
      FROM ticket o
     CROSS JOIN LATERAL (
        SELECT p.key FROM project p
         WHERE p.org_id = :org AND p.id = o.project_id
           AND p.deleted_at IS NULL
         LIMIT 1) p
     WHERE o.org_id = :org AND o.id = k.other AND o.deleted_at IS NULL
     LIMIT 1) o

-- fragment: link_columns
k.id, k.type, k.direction, o.id AS ticket_id, o.key, o.title, o.status,
       k.created_by, k.created_at

-- Links -----------------------------------------------------------------------

-- name: link_find_id :many
SELECT k.id, k.org_id, k.project_id, k.type AS label, 1 AS rank
  FROM unnest(:orgs::uuid[]) AS mine (org_id)
  JOIN ticket_link k ON k.org_id = mine.org_id AND k.id = :ref

-- Behind org_lock, which serializes chains. Whichever way round, two tickets
-- relate to each other once.
-- name: link_create :one
WITH ends AS (
    SELECT t.id AS source, t.project_id, o.id AS target
      FROM ticket t
      LEFT JOIN ticket o
        ON o.org_id = :org AND o.id = :ticket_id::uuid AND o.deleted_at IS NULL
       AND (SELECT true FROM project p
             WHERE p.org_id = :org AND p.id = o.project_id
               AND p.deleted_at IS NULL
             LIMIT 1)
     WHERE @link_ticket@
), there AS (
    SELECT k.id, k.type, k.created_by, k.created_at,
           CASE WHEN k.source_id = ends.source THEN 'outward' ELSE 'inward'
                END AS direction,
           ends.target AS other
      FROM ends
      JOIN ticket_link k
        ON k.org_id = :org AND k.type = :type::text
       AND k.source_id = ends.source AND k.target_id = ends.target
    UNION ALL
    SELECT k.id, k.type, k.created_by, k.created_at, 'inward', ends.target
      FROM ends
      JOIN ticket_link k
        ON k.org_id = :org AND k.type = 'relates' AND :type::text = 'relates'
       AND k.source_id = ends.target AND k.target_id = ends.source
), asked AS (
    SELECT ends.*,
           CASE WHEN ends.target IS NULL THEN 'no_ticket'
                WHEN ends.target = ends.source THEN 'itself'
                WHEN :type::text <> 'relates'
                     AND definer.ticket_leads_to(:org, :type, ends.target,
                                                 ends.source)
                THEN 'cycle' END AS refusal
      FROM ends
), made AS (
    INSERT INTO ticket_link AS k (org_id, id, project_id, source_id, target_id,
                                  type, created_by)
    SELECT :org, :new_link, asked.project_id, asked.source, asked.target,
           :type, :me
      FROM asked
     WHERE asked.refusal IS NULL AND NOT EXISTS (SELECT FROM there)
    RETURNING k.id, k.type, k.created_by, k.created_at,
              'outward' AS direction, k.target_id AS other
), k AS (
    SELECT made.*, true AS created FROM made
    UNION ALL
    SELECT there.id, there.type, there.created_by, there.created_at,
           there.direction, there.other, false
      FROM there
)
SELECT @link_columns@, k.created AS _created,
       CASE WHEN k.id IS NULL THEN asked.refusal END AS _refusal
  FROM asked
  LEFT JOIN (k
 @link_other@) ON true

-- From both ends, each in its index's order; those whose other end is out of
-- sight are passed over.
-- fragment: link_newest
(k.created_at, k.id)
           < ((SELECT coalesce(:after_at::timestamptz, 'infinity')),
              (SELECT coalesce(:after_id::uuid,
                               'ffffffff-ffff-ffff-ffff-ffffffffffff')))

-- fragment: link_order
ORDER BY k.created_at DESC, k.id DESC
     LIMIT :limit

-- name: link_list :page
WITH here AS (
    SELECT t.id FROM ticket t
     WHERE @link_ticket@
), outward AS (
    SELECT @link_columns@
      FROM (SELECT k.*, 'outward' AS direction, k.target_id AS other
              FROM ticket_link k
             WHERE k.org_id = :org AND k.source_id = (SELECT id FROM here)
               AND @link_newest@) k
     @link_other@
     @link_order@
), inward AS (
    SELECT @link_columns@
      FROM (SELECT k.*, 'inward' AS direction, k.source_id AS other
              FROM ticket_link k
             WHERE k.org_id = :org AND k.target_id = (SELECT id FROM here)
               AND @link_newest@) k
     @link_other@
     @link_order@
)
SELECT k.*, k.created_at AS _at, k.id AS _id
  FROM (SELECT * FROM outward UNION ALL SELECT * FROM inward) k
 @link_order@

-- Of either end; the other one must be in sight.
-- name: link_delete :exec
DELETE FROM ticket_link d
 USING ticket t, ticket o
 WHERE @link_ticket@
   AND d.org_id = :org AND d.id = :link
   AND t.id IN (d.source_id, d.target_id)
   AND o.org_id = :org
   AND o.id = CASE WHEN d.source_id = t.id THEN d.target_id
              ELSE d.source_id END

-- Watchers --------------------------------------------------------------------

-- Whom the call is about and whether the caller may speak for him.
-- fragment: watcher_asked
SELECT t.project_id, t.id, m.user_id,
           CASE WHEN m.user_id <> :me
                     AND caller.role NOT IN ('Owner', 'Admin', 'Member')
                THEN 'needs_member' END AS refusal
      FROM ticket t
      JOIN membership caller
        ON caller.org_id = :org AND caller.user_id = :me
       AND caller.removed_at IS NULL

-- Who doesn't see the ticket can't watch it.  Run behind ticket_lock: of two who
-- add the same person, the second sees him.
-- name: watcher_add :one
WITH asked AS (
    @watcher_asked@
      JOIN membership m
        ON m.org_id = :org
       AND m.user_id = (SELECT coalesce(:user_id::uuid, :me))
       AND m.removed_at IS NULL
     WHERE @link_ticket@
), facts AS (
    SELECT asked.project_id, asked.id, asked.user_id,
           coalesce(asked.refusal,
                    CASE WHEN :user_id_words::text[] IS NOT NULL
                    THEN 'no_person'
                    WHEN asked.user_id <> :me AND NOT EXISTS (
                        SELECT FROM membership m
                          JOIN organization o ON o.org_id = :org
                         WHERE m.org_id = :org AND m.user_id = asked.user_id
                           AND (m.role IN ('Owner', 'Admin')
                                OR (o.project_visibility = 'org'
                                    AND m.role IN ('Member', 'Viewer'))
                                OR EXISTS (
                                    SELECT FROM project_member x
                                     WHERE x.org_id = :org
                                       AND x.project_id = asked.project_id
                                       AND x.user_id = asked.user_id)))
                    THEN 'sees_nothing' END) AS refusal
      FROM asked
), added AS (
    INSERT INTO ticket_watcher (org_id, project_id, ticket_id, user_id)
    SELECT :org, facts.project_id, facts.id, facts.user_id
      FROM facts
     WHERE facts.refusal IS NULL
        ON CONFLICT DO NOTHING
    RETURNING ticket_id, created_at
)
SELECT facts.id AS ticket_id, facts.user_id, u.email, u.display_name,
       coalesce(added.created_at, there.created_at) AS created_at,
       added.ticket_id IS NOT NULL AS _created, facts.refusal AS _refusal
  FROM facts
  JOIN identity.person u ON u.id = facts.user_id
  LEFT JOIN added ON true
  LEFT JOIN ticket_watcher there
    ON there.org_id = :org AND there.ticket_id = facts.id
   AND there.user_id = facts.user_id

-- name: watcher_list :many
SELECT w.ticket_id, w.user_id, u.email, u.display_name, w.created_at
  FROM ticket_watcher w
  JOIN identity.person u ON u.id = w.user_id
 WHERE w.org_id = :org
   AND w.ticket_id = (SELECT t.id FROM ticket t
                       WHERE @link_ticket@)
 ORDER BY w.created_at, w.user_id
 LIMIT 1000

-- name: watcher_remove :one
WITH asked AS (
    @watcher_asked@
      JOIN ticket_watcher m
        ON m.org_id = :org AND m.ticket_id = t.id AND m.user_id = :user
     WHERE @link_ticket@
), gone AS (
    DELETE FROM ticket_watcher w
     USING asked
     WHERE w.org_id = :org AND w.ticket_id = asked.id
       AND w.user_id = asked.user_id AND asked.refusal IS NULL
)
SELECT asked.refusal AS _refusal FROM asked
