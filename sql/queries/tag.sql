-- Tags of whatever has an entity type.

-- fragment: tag_columns
g.id, g.entity_type, g.entity_id, g.key, g.value, g.created_at

-- fragment: tag_target
g.org_id = :org AND g.entity_type = :entity_type AND g.entity_id = :entity

-- What the caller sent.
-- fragment: tag_sent
json_to_recordset(:tags::json) AS sent (key text, value text)

-- Of two who set the tags of the same thing the second sees what the first did.
-- name: tag_lock :exec :write
SELECT pg_advisory_xact_lock(hashtextextended(:entity::uuid::text, 0))

-- Nothing at all is written when there would be too many; tag_list_set finds out
-- from what is missing.
-- name: tag_set :exec
WITH sent AS MATERIALIZED (
    SELECT sent.key, coalesce(sent.value, '') AS value FROM @tag_sent@
), gone AS (
    DELETE FROM tag g
     WHERE @tag_target@ AND :mode::text = 'replace'
       AND NOT EXISTS (SELECT FROM sent WHERE sent.key = g.key)
), fits AS (
    SELECT (SELECT count(*) FROM sent)
           + CASE WHEN :mode::text = 'add' THEN (
               SELECT count(*) FROM tag g
                WHERE @tag_target@
                  AND NOT EXISTS (SELECT FROM sent WHERE sent.key = g.key))
             ELSE 0 END <= 50 AS fits
)
INSERT INTO tag AS g (org_id, id, entity_type, entity_id, project_id, key,
                      value)
SELECT :org, alloy.new_id(:org), :entity_type, :entity,
       :entity_project::uuid, sent.key, sent.value
  FROM sent, fits
 WHERE fits.fits
    ON CONFLICT (org_id, entity_type, entity_id, key) DO UPDATE
       SET value = excluded.value
     WHERE g.value <> excluded.value

-- name: tag_list_set :many
SELECT @tag_columns@,
       CASE WHEN EXISTS (
               SELECT FROM @tag_sent@
                WHERE NOT EXISTS (SELECT FROM tag x
                                   WHERE x.org_id = :org
                                     AND x.entity_type = :entity_type
                                     AND x.entity_id = :entity
                                     AND x.key = sent.key))
            THEN 'too_many' END AS _refusal
  FROM tag g
 WHERE @tag_target@
 ORDER BY g.key

-- name: tag_list :many
SELECT @tag_columns@
  FROM tag g
 WHERE @tag_target@
 ORDER BY g.key

-- name: tag_delete :exec
DELETE FROM tag g
 WHERE @tag_target@ AND g.key = :key

-- What a tag is on, as people call it; NULL when it is not there any more. Kinds
-- that only a plugin knows have no name here.
-- fragment: tag_label
CASE g.entity_type
           WHEN 'ticket' THEN (
               SELECT p.key || '-' || t.ticket_number
                 FROM ticket t
                CROSS JOIN LATERAL (
                   SELECT p.key FROM project p
                    WHERE p.org_id = :org AND p.id = t.project_id
                      AND p.deleted_at IS NULL
                    LIMIT 1) p
                WHERE t.org_id = :org AND t.id = g.entity_id
                  AND t.deleted_at IS NULL)
           WHEN 'project' THEN (
               SELECT p.key FROM project p
                WHERE p.org_id = :org AND p.id = g.entity_id
                  AND p.deleted_at IS NULL)
           WHEN 'user' THEN (
               SELECT u.display_name
                 FROM membership m
                 JOIN identity.person u ON u.id = m.user_id
                WHERE m.org_id = :org AND m.user_id = g.entity_id
                  AND m.removed_at IS NULL)
           WHEN 'team' THEN (
               SELECT t.name FROM team t
                WHERE t.org_id = :org AND t.id = g.entity_id)
           ELSE g.entity_id::text END

-- The sub-selects keep the comparison in the index condition: a bare coalesce
-- counts as leaky.
-- name: tag_search :page :custom
SELECT @tag_columns@, named.label, g.created_at AS _at, g.id AS _id
  FROM tag g
 CROSS JOIN LATERAL (SELECT @tag_label@ AS label OFFSET 0) named
 WHERE g.org_id = :org AND g.key = :key
   AND (:value::text IS NULL OR g.value = :value::text)
   AND (:entity_type::text IS NULL OR g.entity_type = :entity_type::text)
   AND (g.created_at, g.id)
       < ((SELECT coalesce(:after_at::timestamptz, 'infinity')),
          (SELECT coalesce(:after_id::uuid,
                           'ffffffff-ffff-ffff-ffff-ffffffffffff')))
   AND named.label IS NOT NULL
 ORDER BY g.created_at DESC, g.id DESC
 LIMIT :limit
