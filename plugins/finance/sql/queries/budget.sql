-- Budgets and what approved time took of them.

-- fragment: budget_scope
SELECT o.org_id, o.currency,
           o.finance_visibility = 'all'
           OR o.org_id = ANY (:admin_orgs::uuid[]) AS shows,
           coalesce(o.org_id = ANY (nullif(current_setting('alloy.all', true),
                                           '')::uuid[]), false) AS whole,
           coalesce(:date::date,
                    (clock_timestamp() AT TIME ZONE o.timezone)::date) AS date

-- The budget_period of project p that holds the date of scope s; of a Total, and
-- without one, there is no end.
-- fragment: budget_window
SELECT CASE p.budget_period
               WHEN 'Monthly' THEN date_trunc('month', s.date)::date
               WHEN 'Quarterly' THEN date_trunc('quarter', s.date)::date
               WHEN 'Annual' THEN date_trunc('year', s.date)::date
               END AS first_day,
               CASE p.budget_period
               WHEN 'Monthly'
               THEN (date_trunc('month', s.date) + interval '1 month')::date - 1
               WHEN 'Quarterly'
               THEN (date_trunc('quarter', s.date) + interval '3 months')::date
                    - 1
               WHEN 'Annual'
               THEN (date_trunc('year', s.date) + interval '1 year')::date - 1
               END AS last_day

-- Each project that has a budget, or the one that was asked for; none is one row
-- without a project.
-- name: budget_report :many :custom :slow
WITH scope AS MATERIALIZED (
    @budget_scope@
      FROM unnest(:orgs::uuid[]) AS mine (org_id)
     CROSS JOIN LATERAL (
        SELECT * FROM organization o WHERE o.org_id = mine.org_id LIMIT 1) o
), summed AS MATERIALIZED (
    SELECT p.id AS project_id, p.key AS project_key, p.name AS project_name,
           s.currency, s.shows, p.budget_cents, p.budget_period, s.date,
           w.first_day, w.last_day, spent.cents, spent.minutes,
           spent.uncounted_minutes
      FROM scope s
     CROSS JOIN LATERAL (
        SELECT * FROM project p
         WHERE p.org_id = s.org_id AND p.deleted_at IS NULL
           AND (:project::uuid IS NULL AND p.budget_cents IS NOT NULL
                OR p.id = :project::uuid)) p
     CROSS JOIN LATERAL (@budget_window@) w
     CROSS JOIN LATERAL (
        SELECT coalesce(sum(e.amount_cents)
                        FILTER (WHERE e.currency = s.currency), 0) AS cents,
               coalesce(sum(e.minutes), 0)::bigint AS minutes,
               coalesce(sum(e.minutes) FILTER (WHERE e.rate_cents IS NULL
                            OR e.currency <> s.currency), 0)::bigint
                   AS uncounted_minutes
          FROM time_entry e
         WHERE e.org_id = s.org_id AND e.project_id = p.id
           AND e.status = 'Approved' AND e.work_date <= s.date
           AND e.work_date >= coalesce(w.first_day, '-infinity')) spent
), fits AS (
    SELECT coalesce(max(abs(summed.budget_cents - summed.cents)), 0)
           <= 9223372036854775807
           AND coalesce(max(abs(summed.cents)), 0) <= 9223372036854775807
               AS fits
      FROM summed
)
SELECT CASE WHEN (SELECT bool_and(scope.whole) FROM scope) THEN 'all'
            ELSE 'visible' END AS scope,
       CASE WHEN NOT fits.fits THEN 'too_large' END AS _refusal,
       s.project_id, s.project_key, s.project_name, s.currency, s.budget_cents,
       s.budget_period, s.first_day, s.last_day, s.date,
       s.minutes, round(s.minutes * 5 / 3.0)::bigint AS hours,
       s.uncounted_minutes,
       CASE WHEN s.shows THEN s.cents::bigint END AS spent_cents,
       CASE WHEN s.shows THEN (s.budget_cents - s.cents)::bigint END
           AS budget_remaining_cents,
       to_json(CASE WHEN s.shows AND s.budget_cents > 0
                    THEN trim_scale(round(s.cents * 100 / s.budget_cents, 2))
                    END) AS budget_utilization_pct
  FROM fits
  LEFT JOIN summed s ON fits.fits
 ORDER BY s.project_key, s.project_id

-- One project, point by point through its budget's period: days, or so many of
-- them that there are at most 367 points. What was spent is that until the
-- point's end; of points to come nothing is known.
-- name: budget_days :many :slow
WITH s AS MATERIALIZED (
    @budget_scope@
      FROM organization o WHERE o.org_id = :org
), p AS MATERIALIZED (
    SELECT p.id, p.name, p.key, p.budget_cents, p.budget_period, s.currency,
           s.shows, s.date, w.last_day AS planned_end,
           coalesce(w.first_day, least(s.date, (
               SELECT min(e.work_date) FROM time_entry e
                WHERE e.org_id = :org AND e.project_id = p.id
                  AND e.status = 'Approved'))) AS first_day,
           coalesce(w.last_day, s.date) AS last_day
      FROM project p
     CROSS JOIN s
     CROSS JOIN LATERAL (@budget_window@) w
     WHERE p.org_id = :org AND p.id = :project AND p.deleted_at IS NULL
), point AS MATERIALIZED (
    SELECT i, least(p.first_day + (i + 1) * step.days - 1, p.last_day) AS date,
           step.days
      FROM p
     CROSS JOIN LATERAL (
        SELECT (p.last_day - p.first_day) / 366 + 1 AS days) step
     CROSS JOIN generate_series(0, (p.last_day - p.first_day) / step.days) AS i
), spent AS (
    SELECT (e.work_date - p.first_day) / step.days AS i,
           sum(e.amount_cents) AS cents
      FROM p
     CROSS JOIN (SELECT max(point.days) AS days FROM point) step
      JOIN time_entry e
        ON e.org_id = :org AND e.project_id = :project
       AND e.status = 'Approved' AND e.currency = p.currency
       AND e.work_date >= p.first_day AND e.work_date <= p.date
     GROUP BY 1
), summed AS MATERIALIZED (
    SELECT point.i, point.date,
           sum(coalesce(spent.cents, 0)) OVER (ORDER BY point.i) AS cents
      FROM point
      LEFT JOIN spent ON spent.i = point.i
), fits AS (
    SELECT coalesce(max(abs(summed.cents)), 0) <= 9223372036854775807 AS fits
      FROM summed
)
SELECT p.id AS project_id, p.key AS project_key, p.name AS project_name,
       p.currency, p.budget_cents, p.budget_period,
       CASE WHEN NOT fits.fits THEN 'too_large' END AS _refusal, d.date,
       CASE WHEN p.shows AND fits.fits
             AND (d.date <= p.date OR d.date - p.date
                  < (SELECT max(point.days) FROM point))
            THEN d.cents::bigint END AS spent_cents,
       CASE WHEN p.planned_end IS NOT NULL
            THEN round(p.budget_cents::numeric * (d.date - p.first_day + 1)
                       / (p.planned_end - p.first_day + 1))::bigint END
           AS even_cents
  FROM p
 CROSS JOIN fits
  JOIN summed d ON true
 ORDER BY d.i
