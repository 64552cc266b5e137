-- Periods: months whose time is settled.

-- fragment: period_columns
c.id, c.org_id, to_char(c.first_day, 'YYYY-MM') AS period, c.first_day,
       c.last_day, c.closed_by, c.closed_at

-- fragment: period_begun
alloy.period_last(:period) < date_trunc('month',
           alloy.today(:org)::timestamp) + interval '1 month'

-- Run behind time_lock_alone. Months that are closed already stay as they are;
-- one that has not begun by the organization's calendar closes nothing.
-- name: period_close :exec
INSERT INTO period_close (org_id, id, first_day, last_day, closed_by)
SELECT :org, alloy.new_id(:org), m.first_day::date,
       (m.first_day + interval '1 month')::date - 1, :me
  FROM generate_series(alloy.period_first(:period)::timestamp,
                       alloy.period_last(:period)::timestamp,
                       interval '1 month') AS m (first_day)
 WHERE @period_begun@
    ON CONFLICT DO NOTHING

-- fragment: period_months
FROM period_close c
 WHERE c.org_id = :org
   AND c.first_day BETWEEN alloy.period_first(:period)
                       AND alloy.period_last(:period)

-- name: period_closed :one
SELECT :period::text AS period, alloy.period_first(:period) AS first_day,
       alloy.period_last(:period) AS last_day, m.closed_at, m.months,
       CASE WHEN NOT (@period_begun@) THEN 'not_begun' END AS _refusal
  FROM (
    SELECT max(c.closed_at) AS closed_at,
           json_agg(json_build_object(
               'period', to_char(c.first_day, 'YYYY-MM'),
               'closed_by', c.closed_by,
               'closed_at', alloy.instant_text(c.closed_at))
               ORDER BY c.first_day) AS months
      @period_months@) m

-- name: period_list :page
SELECT @period_columns@, c.first_day::timestamptz AS _at, c.id AS _id
  FROM period_close c
 WHERE c.org_id = :org
   AND c.first_day < (SELECT coalesce(:after_at::timestamptz,
                                      'infinity'))::date
 ORDER BY c.first_day DESC
 LIMIT :limit
