-- What happened to one entity since a caller read it. The change log knows most
-- entities by the words references use.

-- fragment: entity
c.org_id = :org
   AND c.entity_type = CASE :entity_type::text WHEN 'org' THEN 'organization'
                                               WHEN 'person' THEN 'membership'
                                               ELSE :entity_type END
   AND c.entity_id = :entity

-- The newest version that is not this call's own work.
-- name: precondition_version :one
SELECT c.version
  FROM change c
 WHERE @entity@ AND c.change_id IS DISTINCT FROM :change_id::uuid
 ORDER BY c.version DESC NULLS LAST
 LIMIT 1

-- The fields that changed after version :base, by the names callers know them by:
-- what each was then, and is now (NULL for long texts, of which the log keeps only
-- what was). Points are kept in halves.
-- name: precondition_changes :many
SELECT CASE f.field WHEN 'points_half' THEN 'points' ELSE f.field END AS field,
       CASE WHEN f.field = 'points_half' AND jsonb_typeof(f.base) = 'number'
            THEN to_jsonb(trim_scale(f.base::text::numeric / 2))
            ELSE f.base END AS base,
       CASE WHEN f.field = 'points_half' AND jsonb_typeof(f.theirs) = 'number'
            THEN to_jsonb(trim_scale(f.theirs::text::numeric / 2))
            ELSE f.theirs END AS theirs
  FROM (
    SELECT f.field,
           (array_agg(c.before -> f.field ORDER BY c.version))[1] AS base,
           (array_agg(c.after -> f.field ORDER BY c.version DESC))[1] AS theirs
      FROM change c
     CROSS JOIN LATERAL unnest(c.fields) AS f (field)
     WHERE @entity@ AND c.version > :base
     GROUP BY f.field) f
