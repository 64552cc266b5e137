-- What happened to a ticket, from the change log.

-- fragment: activity_from
FROM change c
     WHERE c.org_id = :org
       AND c.seq > (SELECT coalesce(('x' || right(
               replace(:after_id::uuid::text, '-', ''), 16))::bit(64)::bigint, 0))

-- Rows of the ticket itself and of what lies below it (comments), as they were
-- written. A cursor holds an instant and an id; the place in the log is enough,
-- written as the id's last digits.
-- name: activity_list :page
WITH t AS (
    SELECT t.id
      FROM ticket t
      JOIN project p ON p.org_id = :org AND p.id = t.project_id
     WHERE t.org_id = :org AND t.id = :ticket
       AND t.deleted_at IS NULL AND p.deleted_at IS NULL
), own AS (
    SELECT c.* @activity_from@
       AND c.entity_type = 'ticket' AND c.entity_id = (SELECT id FROM t)
     ORDER BY c.seq
     LIMIT :limit
), below AS (
    SELECT c.* @activity_from@
       AND c.parent_id = (SELECT id FROM t)
     ORDER BY c.seq
     LIMIT :limit
)
SELECT c.seq, c.at, c.change_id, c.actor AS actor_id,
       u.display_name AS actor_name, c.on_behalf_of, c.client, c.client_name,
       c.request_id, c.operation, c.entity_type, c.entity_id, c.version,
       c.fields, c.before, c.after, coalesce(c.warnings, '{}') AS warnings,
       c.at AS _at,
       lpad(to_hex(c.seq), 32, '0')::uuid AS _id
  FROM (SELECT * FROM own UNION ALL SELECT * FROM below) c
  LEFT JOIN identity.person u ON u.id = c.actor
 ORDER BY c.seq
 LIMIT :limit
