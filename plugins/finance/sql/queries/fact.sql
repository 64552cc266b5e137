-- What is true of projects from a day on, and how strict their budgets are.

-- Whether the day is settled, or not there yet.
-- fragment: fact_refusal
CASE WHEN d.effective_date > alloy.today(:org) THEN 'not_yet'
            WHEN (SELECT true FROM period_close c
                   WHERE c.org_id = :org AND c.first_day = (
                         SELECT date_trunc('month', d.effective_date
                                                    ::timestamp)::date)
                   LIMIT 1)
            THEN 'period_closed' END

-- fragment: fact_day
(SELECT coalesce(:effective_date::date, alloy.today(:org))
                    AS effective_date) d

-- Run behind time_lock_alone. fact_list finds out when nothing was to be done.
-- name: fact_set :exec
INSERT INTO project_fact AS f (org_id, id, project_id, kind, value,
                               effective_date, created_by)
SELECT :org, alloy.new_id(:org), p.id, s.kind, s.value, d.effective_date, :me
  FROM project p
 CROSS JOIN LATERAL @fact_day@
 CROSS JOIN LATERAL (
    VALUES ('capitalization_type', :capitalization_type?::boolean,
            :capitalization_type::text),
           ('development_phase', :development_phase?,
            :development_phase::text),
           ('funding_authorized', :funding_authorized?,
            (:funding_authorized::boolean)::text),
           ('completion_probable', :completion_probable?,
            (:completion_probable::boolean)::text)
   ) AS s (kind, given, value)
 WHERE p.org_id = :org AND p.id = :project AND p.deleted_at IS NULL
   AND s.given AND (@fact_refusal@) IS NULL
    ON CONFLICT (org_id, project_id, kind, effective_date) DO UPDATE
   SET value = excluded.value, follows = NULL,
       created_by = excluded.created_by
 WHERE f.value IS DISTINCT FROM excluded.value

-- fragment: fact_of_today
FROM project_fact f
         WHERE f.org_id = :org AND f.project_id = :project
           AND f.effective_date <= alloy.today(:org)

-- The project shows what is in force today.
-- name: fact_follow :exec
UPDATE project p
   SET capitalization_type = now.capitalization_type,
       development_phase = now.development_phase
  FROM (
    SELECT (SELECT f.value @fact_of_today@
               AND f.kind = 'capitalization_type'
             ORDER BY f.effective_date DESC
             LIMIT 1) AS capitalization_type,
           (SELECT f.value @fact_of_today@
               AND f.kind = 'development_phase'
             ORDER BY f.effective_date DESC
             LIMIT 1) AS development_phase) now
 WHERE p.org_id = :org AND p.id = :project AND p.deleted_at IS NULL
   AND (p.capitalization_type, p.development_phase) IS DISTINCT FROM
       (now.capitalization_type, now.development_phase)

-- What was so from the beginning has no day.
-- fragment: fact_columns
f.kind, f.value,
       CASE WHEN f.effective_date > '-infinity' THEN f.effective_date
            END AS effective_date,
       f.created_by, f.updated_at

-- fragment: fact_project
p.org_id = :org AND p.id = :project AND p.deleted_at IS NULL

-- name: fact_list_set :many
SELECT @fact_columns@, @fact_refusal@ AS _refusal
  FROM project p
 CROSS JOIN LATERAL @fact_day@
  LEFT JOIN project_fact f
    ON f.org_id = :org AND f.project_id = p.id
 WHERE @fact_project@
   AND (f.id IS NOT NULL OR (@fact_refusal@) IS NOT NULL)
 ORDER BY f.kind, f.effective_date

-- name: fact_list :many
SELECT @fact_columns@
  FROM project_fact f
 WHERE f.org_id = :org
   AND f.project_id = (SELECT p.id FROM project p WHERE @fact_project@)
 ORDER BY f.kind, f.effective_date
 LIMIT 1000

-- Keys of a project -----------------------------------------------------------

-- name: finance_write :one
INSERT INTO project_finance AS f (org_id, project_id, budget_enforcement)
SELECT :org, p.id, :budget_enforcement FROM project p
 WHERE p.org_id = :org AND p.id = :id
    ON CONFLICT (org_id, project_id) DO UPDATE
   SET budget_enforcement = excluded.budget_enforcement
RETURNING f.project_id

-- name: finance_read :many
SELECT i.id, coalesce(f.budget_enforcement, 'none') AS budget_enforcement
  FROM unnest(:ids::uuid[]) AS i (id)
  LEFT JOIN LATERAL (
    SELECT f.budget_enforcement
      FROM unnest(:orgs::uuid[]) AS mine (org_id)
     CROSS JOIN LATERAL (
        SELECT f.budget_enforcement FROM project_finance f
         WHERE f.org_id = mine.org_id AND f.project_id = i.id
         LIMIT 1) f
     LIMIT 1) f ON true
