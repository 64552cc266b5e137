-- Where approved time went, and what it cost: by people, projects, tickets,
-- activities and dates; of one ticket.

-- One row for each group, of this month when no days are named; a report without time is one row without minutes.
-- name: time_report :many :custom :slow
WITH days AS MATERIALIZED (
    SELECT coalesce(:first_day::date, m.month) AS first_day,
           coalesce(:last_day::date,
                    (m.month + interval '1 month')::date - 1) AS last_day
      FROM (SELECT date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')
                   ::date AS month) m
), scope AS MATERIALIZED (
    SELECT o.org_id, o.finance_visibility = 'all'
           OR o.org_id = ANY (:admin_orgs::uuid[]) AS shows,
           coalesce(o.org_id = ANY (nullif(current_setting('alloy.all', true),
                                           '')::uuid[]), false) AS whole
      FROM unnest(:orgs::uuid[]) AS mine (org_id)
     CROSS JOIN LATERAL (
        SELECT * FROM organization o WHERE o.org_id = mine.org_id LIMIT 1) o
), summed AS MATERIALIZED (
    SELECT scope.org_id, scope.shows, e.currency,
           CASE WHEN 'user' = ANY (:group_by::text[]) THEN e.user_id END
               AS user_id,
           CASE WHEN 'project' = ANY (:group_by::text[])
                  OR 'ticket' = ANY (:group_by::text[]) THEN e.project_id END
               AS project_id,
           CASE WHEN 'ticket' = ANY (:group_by::text[]) THEN e.ticket_id END
               AS ticket_id,
           CASE WHEN 'activity' = ANY (:group_by::text[]) THEN e.activity END
               AS activity,
           CASE WHEN 'day' = ANY (:group_by::text[]) THEN e.work_date
                WHEN 'week' = ANY (:group_by::text[])
                THEN date_trunc('week', e.work_date)::date
                WHEN 'month' = ANY (:group_by::text[])
                THEN date_trunc('month', e.work_date)::date END AS date,
           sum(e.minutes)::bigint AS minutes,
           coalesce(sum(e.minutes) FILTER (WHERE e.rate_cents IS NULL), 0)
               ::bigint AS unrated_minutes,
           coalesce(sum(e.amount_cents), 0) AS amount_cents
      FROM scope
     CROSS JOIN LATERAL (
        SELECT * FROM time_entry e
         WHERE e.org_id = scope.org_id AND e.status = 'Approved'
           AND e.work_date >= (SELECT days.first_day FROM days)
           AND e.work_date <= (SELECT days.last_day FROM days)
           AND (:project::uuid IS NULL OR e.project_id = :project::uuid)
           AND (:user::uuid IS NULL OR e.user_id = :user::uuid)) e
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
), total AS (
    SELECT coalesce(sum(s.minutes), 0)::bigint AS minutes,
           round(coalesce(sum(s.minutes), 0) * 5 / 3.0)::bigint AS hours,
           CASE WHEN count(DISTINCT s.currency) = 1 THEN min(s.currency) END
               AS currency,
           CASE WHEN count(DISTINCT s.currency) <= 1
                 AND coalesce(sum(abs(s.amount_cents)), 0)
                     <= 9223372036854775807
                 AND (SELECT bool_and(scope.shows) FROM scope)
                THEN coalesce(sum(s.amount_cents), 0)::bigint END
               AS amount_cents,
           CASE WHEN coalesce(sum(abs(s.amount_cents)), 0)
                     > 9223372036854775807 THEN 'too_large'
                WHEN count(*) > 10000 THEN 'too_many' END AS refusal
      FROM summed s
)
SELECT days.first_day, days.last_day,
       CASE WHEN (SELECT bool_and(scope.whole) FROM scope) THEN 'all'
            ELSE 'visible' END AS scope,
       total.minutes AS total_minutes, total.hours AS total_hours,
       total.currency AS total_currency,
       total.amount_cents AS total_amount_cents,
       total.refusal AS _refusal,
       s.user_id, person.display_name AS user_name, s.project_id,
       p.key AS project_key, p.name AS project_name, s.ticket_id,
       p.key || '-' || t.ticket_number AS ticket_key, s.activity, s.date,
       s.minutes, round(s.minutes * 5 / 3.0)::bigint AS hours,
       s.unrated_minutes, s.currency,
       CASE WHEN s.shows AND total.refusal IS NULL
            THEN s.amount_cents::bigint END AS amount_cents
  FROM total
 CROSS JOIN days
  LEFT JOIN summed s ON total.refusal IS NULL
  LEFT JOIN LATERAL (
    SELECT * FROM project p
     WHERE p.org_id = s.org_id AND p.id = s.project_id LIMIT 1) p ON true
  LEFT JOIN LATERAL (
    SELECT * FROM ticket t
     WHERE t.org_id = s.org_id AND t.id = s.ticket_id LIMIT 1) t ON true
  LEFT JOIN LATERAL (
    SELECT * FROM identity.person i WHERE i.id = s.user_id LIMIT 1) person
    ON true
 ORDER BY s.date, p.key, t.ticket_number, person.display_name, s.user_id,
          s.activity, s.currency

-- name: ticket_cost :one
SELECT t.id AS ticket_id, p.key || '-' || t.ticket_number AS ticket_key,
       c.currency, c.minutes, round(c.minutes * 5 / 3.0)::bigint AS hours,
       c.unrated_minutes,
       CASE WHEN o.shows AND c.currencies <= 1 AND c.fits
            THEN c.amount_cents::bigint END AS amount_cents,
       c.entries, p.budget_cents AS project_budget_cents,
       CASE WHEN NOT c.fits THEN 'too_large' END AS _refusal
  FROM ticket t
 CROSS JOIN LATERAL (
    SELECT * FROM project p
     WHERE p.org_id = :org AND p.id = t.project_id AND p.deleted_at IS NULL
     LIMIT 1) p
 CROSS JOIN LATERAL (
    SELECT o.currency, o.finance_visibility = 'all'
           OR o.org_id = ANY (:admin_orgs::uuid[]) AS shows
      FROM organization o WHERE o.org_id = :org LIMIT 1) o
 CROSS JOIN LATERAL (
    SELECT count(*) AS entries, count(DISTINCT e.currency) AS currencies,
           CASE WHEN count(DISTINCT e.currency) <= 1
                THEN coalesce(min(e.currency), o.currency) END AS currency,
           coalesce(sum(e.minutes), 0)::bigint AS minutes,
           coalesce(sum(e.minutes) FILTER (WHERE e.rate_cents IS NULL), 0)
               ::bigint AS unrated_minutes,
           coalesce(sum(e.amount_cents), 0) AS amount_cents,
           coalesce(abs(sum(e.amount_cents)), 0) <= 9223372036854775807 AS fits
      FROM time_entry e
     WHERE e.org_id = :org AND e.ticket_id = t.id AND e.status = 'Approved'
       AND e.deleted_at IS NULL) c
 WHERE t.org_id = :org AND t.id = :ticket AND t.deleted_at IS NULL
