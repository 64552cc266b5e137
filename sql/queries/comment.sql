-- Comments on tickets.

-- fragment: comment_columns
c.id, c.ticket_id, c.author_id, c.body, c.mentions, c.version, c.created_at,
       c.updated_at

-- The ticket t, not deleted and not in a deleted project.
-- fragment: comment_parent
FROM ticket t
         CROSS JOIN LATERAL (
            SELECT p.archived FROM project p
             WHERE p.org_id = :org AND p.id = t.project_id
               AND p.deleted_at IS NULL
             LIMIT 1) p
         WHERE t.org_id = :org AND t.id = :ticket AND t.deleted_at IS NULL

-- A comment goes with its ticket.
-- fragment: comment_target
c.org_id = :org AND c.id = :comment AND c.deleted_at IS NULL
   AND t.org_id = :org AND t.id = c.ticket_id AND t.deleted_at IS NULL
   AND p.org_id = :org AND p.id = c.project_id AND p.deleted_at IS NULL

-- name: comment_find_id :many
SELECT c.id, c.org_id, c.project_id, p.key || '-' || t.ticket_number AS label,
       1 AS rank
  FROM unnest(:orgs::uuid[]) AS mine (org_id)
  JOIN comment c ON c.org_id = mine.org_id AND c.id = :ref
  JOIN ticket t ON t.org_id = mine.org_id AND t.id = c.ticket_id
  JOIN project p ON p.org_id = mine.org_id AND p.id = c.project_id
 WHERE c.deleted_at IS NULL AND t.deleted_at IS NULL AND p.deleted_at IS NULL

-- name: comment_add :one
WITH parent AS (
    SELECT t.id, t.project_id, p.archived
          @comment_parent@
), c AS (
    INSERT INTO comment (org_id, id, project_id, ticket_id, author_id, body,
                         mentions)
    SELECT :org, :new_comment, parent.project_id, parent.id, :author_id, :body,
           alloy.mentions(:org, parent.project_id, :body)
      FROM parent
     WHERE :author_id_words::text[] IS NULL AND NOT parent.archived
    RETURNING *
)
SELECT @comment_columns@,
       CASE WHEN parent.archived THEN 'archived'
            WHEN c.id IS NULL THEN 'author_required' END AS _refusal
  FROM parent
  LEFT JOIN c ON true

-- The sub-selects keep the comparison in the index condition: a bare coalesce
-- counts as leaky.
-- name: comment_list :page
SELECT @comment_columns@, c.created_at AS _at, c.id AS _id
  FROM comment c
 WHERE c.org_id = :org
   AND c.ticket_id = (SELECT t.id
          @comment_parent@)
   AND c.deleted_at IS NULL
   AND (c.created_at, c.id)
       > ((SELECT coalesce(:after_at::timestamptz, '-infinity')),
          (SELECT coalesce(:after_id::uuid,
                           '00000000-0000-0000-0000-000000000000')))
 ORDER BY c.created_at, c.id
 LIMIT :limit

-- name: comment_update :one
UPDATE comment c
   SET body = CASE WHEN :body? THEN :body ELSE c.body END,
       mentions = CASE WHEN :body? THEN alloy.mentions(:org, c.project_id, :body)
           ELSE c.mentions END
  FROM ticket t, project p
 WHERE @comment_target@ AND c.author_id = :me
RETURNING @comment_columns@

-- name: comment_delete :exec
UPDATE comment c SET deleted_at = clock_timestamp()
  FROM ticket t, project p
 WHERE @comment_target@
   AND (c.author_id = :me OR c.org_id = ANY (:admin_orgs::uuid[]))
