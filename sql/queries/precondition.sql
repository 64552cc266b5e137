-- What happened to one entity since a caller read it. The change log knows the
-- organization by the word organization, everybody else by the resource's.

-- fragment: entity
c.org_id = :org
   AND c.entity_type = CASE :entity_type::text WHEN 'org' THEN 'organization'
                                               ELSE :entity_type END
   AND c.entity_id = :entity

-- name: precondition_version :one
SELECT c.version
  FROM change c
 WHERE @entity@
 ORDER BY c.version DESC NULLS LAST
 LIMIT 1

-- The fields that changed after version :base: what each was then, and is now
-- (NULL for long texts, of which the log keeps only what was).
-- name: precondition_changes :many
SELECT f.field,
       (array_agg(c.before -> f.field ORDER BY c.version))[1] AS base,
       (array_agg(c.after -> f.field ORDER BY c.version DESC))[1] AS theirs
  FROM change c
 CROSS JOIN LATERAL unnest(c.fields) AS f (field)
 WHERE @entity@ AND c.version > :base
 GROUP BY f.field
