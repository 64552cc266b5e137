-- Reports from the history of tickets: burndown, velocity, burn-up, flow. All
-- figures are in halves: points come in half steps, a ticket counts two.

-- The moment a report is as of; of a day it is the end, in the organization's
-- time zone. The future is not known.
-- fragment: report_moment
least(clock_timestamp(),
             CASE WHEN :as_of::text IS NULL THEN 'infinity'::timestamptz
                  WHEN length(:as_of) = 10
                  THEN (left(:as_of, 10)::date + 1)::timestamp
                       AT TIME ZONE o.timezone - interval '1 microsecond'
                  ELSE :as_of::timestamptz END)

-- How much a ticket's row h of the history counts.
-- fragment: report_weight
CASE WHEN NOT h.in_scope THEN 0
                WHEN :unit::text = 'points' THEN coalesce(h.points_half, 0)
                ELSE 2 END

-- Dates a sprint had at that moment: the log keeps what they were before a
-- later change.
-- fragment: report_plan
LEFT JOIN LATERAL (
        SELECT c.before FROM change c
         WHERE c.org_id = :org AND c.entity_type = 'sprint'
           AND c.entity_id = s.id AND c.at > m.moment
           AND 'start_date' = ANY (c.fields)
         ORDER BY c.version
         LIMIT 1) moved_start ON true
      LEFT JOIN LATERAL (
        SELECT c.before FROM change c
         WHERE c.org_id = :org AND c.entity_type = 'sprint'
           AND c.entity_id = s.id AND c.at > m.moment
           AND 'end_date' = ANY (c.fields)
         ORDER BY c.version
         LIMIT 1) moved_end ON true
     CROSS JOIN LATERAL (
        SELECT CASE WHEN moved_start.before IS NULL THEN s.start_date
                    ELSE (moved_start.before ->> 'start_date')::date END
                   AS start_date,
               CASE WHEN moved_end.before IS NULL THEN s.end_date
                    ELSE (moved_end.before ->> 'end_date')::date END
                   AS end_date,
               CASE WHEN s.started_at <= m.moment THEN s.started_at END
                   AS started_at,
               CASE WHEN s.completed_at <= m.moment THEN s.completed_at END
                   AS completed_at) plan
     CROSS JOIN LATERAL (
        SELECT coalesce(plan.start_date,
                        (plan.started_at AT TIME ZONE o.timezone)::date,
                        (s.created_at AT TIME ZONE o.timezone)::date)
                   AS first_day,
               least(m.moment, plan.completed_at) AS cutoff) began

-- What was planned: the scope at the end of the first day, or at the start if
-- the sprint was started later.
-- fragment: report_commitment
least(began.cutoff,
             greatest((began.first_day + 1)::timestamp AT TIME ZONE o.timezone
                      - interval '1 microsecond',
                      plan.started_at))

-- One row for each day. A ticket's state on a day is the last one before its
-- end; what came and went on the day is the difference to the day before, ticket
-- by ticket. A completed sprint stays as it was at its completion.
-- name: burndown_days :many :slow
WITH s AS MATERIALIZED (
    SELECT s.id, s.name, o.timezone AS zone, m.moment, began.cutoff,
           began.first_day, plan.end_date, plan.started_at, plan.completed_at,
           (m.moment AT TIME ZONE o.timezone)::date AS today,
           least(greatest(began.first_day,
                          (plan.completed_at AT TIME ZONE o.timezone)::date,
                          CASE WHEN plan.end_date IS NOT NULL
                               THEN plan.end_date
                               WHEN plan.completed_at IS NULL
                               THEN (m.moment AT TIME ZONE o.timezone)::date
                               END),
                 began.first_day + 3660) AS last_day,
           @report_commitment@ AS committed_at
      FROM sprint s
      JOIN project p ON p.org_id = :org AND p.id = s.project_id
      JOIN organization o ON o.org_id = :org
     CROSS JOIN LATERAL (SELECT @report_moment@ AS moment OFFSET 0) m
      @report_plan@
     WHERE s.org_id = :org AND s.id = :sprint AND s.deleted_at IS NULL
       AND p.deleted_at IS NULL
), day AS MATERIALIZED (
    SELECT i, s.first_day + i - 1 AS date,
           least((s.first_day + i)::timestamp AT TIME ZONE s.zone
                 - interval '1 microsecond', s.cutoff) AS upto,
           (s.first_day + i - 1)::timestamp AT TIME ZONE s.zone > s.moment
               AS ahead
      FROM s
     CROSS JOIN generate_series(0, s.last_day - s.first_day + 1) AS i
), step AS MATERIALIZED (
    SELECT h.ticket_id, h.at, @report_weight@ AS weight,
           h.category = 'done' AS done,
           lead(h.at, 1, 'infinity') OVER (
               PARTITION BY h.ticket_id ORDER BY h.at, h.seq) AS until
      FROM sprint_scope h
     WHERE h.org_id = :org AND h.sprint_id = :sprint
       AND h.at <= (SELECT s.cutoff FROM s)
), stood AS (
    SELECT day.i, step.weight, step.done,
           step.weight - lag(step.weight, 1, 0) OVER (
               PARTITION BY step.ticket_id ORDER BY day.i) AS delta
      FROM day
      JOIN step ON step.at <= day.upto AND step.until > day.upto
     WHERE NOT day.ahead
), figure AS MATERIALIZED (
    SELECT i, sum(weight)::bigint AS total,
           sum(CASE WHEN done THEN weight ELSE 0 END)::bigint AS completed,
           sum(greatest(delta, 0))::bigint AS added,
           sum(greatest(-delta, 0))::bigint AS removed
      FROM stood
     GROUP BY i
), at_last AS (
    SELECT coalesce(sum(weight), 0)::bigint AS total,
           coalesce(sum(weight) FILTER (WHERE done), 0)::bigint AS completed
      FROM step
     WHERE step.until = 'infinity'
), planned AS (
    SELECT coalesce(sum(step.weight), 0)::bigint AS total
      FROM step
      JOIN s ON step.at <= s.committed_at AND step.until > s.committed_at
), forecast AS (
    SELECT CASE WHEN l.total = 0 THEN NULL
                WHEN l.total = l.completed
                THEN s.first_day + coalesce((
                     SELECT max(f.i) FROM figure f
                      WHERE f.i > 0 AND f.total > f.completed), 0)
                WHEN s.started_at IS NULL OR s.completed_at IS NOT NULL
                  OR l.completed = 0 OR pace.elapsed < 1
                  OR (l.total - l.completed) * pace.elapsed / l.completed
                     > 3660 THEN NULL
                ELSE s.today + ceil((l.total - l.completed) * pace.elapsed
                                    / l.completed::numeric)::integer END AS date
      FROM s
     CROSS JOIN at_last l
     CROSS JOIN LATERAL (
        SELECT s.today + 1
               - greatest(s.first_day,
                          (s.started_at AT TIME ZONE s.zone)::date)
                   AS elapsed) pace
)
SELECT s.id AS sprint_id, s.name, day.date, known.total, known.completed,
       known.total - known.completed AS remaining, known.added, known.removed,
       to_json(trim_scale(line.ideal)) AS ideal,
       round(line.ideal * 100)::bigint AS ideal_hundredths,
       forecast.date AS forecast
  FROM s
 CROSS JOIN forecast
 CROSS JOIN planned
  JOIN day ON day.i > 0
  LEFT JOIN figure f ON f.i = day.i
 CROSS JOIN LATERAL (
    SELECT CASE WHEN NOT day.ahead THEN coalesce(f.total, 0) END AS total,
           CASE WHEN NOT day.ahead THEN coalesce(f.completed, 0) END
               AS completed,
           CASE WHEN NOT day.ahead THEN coalesce(f.added, 0) END AS added,
           CASE WHEN NOT day.ahead THEN coalesce(f.removed, 0) END
               AS removed) known
 CROSS JOIN LATERAL (
    SELECT CASE WHEN s.end_date IS NULL THEN NULL
                WHEN day.date >= s.end_date THEN 0
                ELSE round(planned.total / 2.0 * (s.end_date - day.date)
                           / (s.end_date - s.first_day), 2) END AS ideal) line
 ORDER BY day.i

-- The project, and the moment and the time zone of a report on it.
-- fragment: report_project
SELECT p.id, p.name, o.timezone AS zone, m.moment,
           (m.moment AT TIME ZONE o.timezone)::date AS today
      FROM project p
      JOIN organization o ON o.org_id = :org
     CROSS JOIN LATERAL (SELECT @report_moment@ AS moment OFFSET 0) m
     WHERE p.org_id = :org AND p.id = :project AND p.deleted_at IS NULL

-- A sprint's tickets as they were at one moment.
-- fragment: report_state
SELECT DISTINCT ON (h.ticket_id) @report_weight@ AS weight, h.category
          FROM sprint_scope h
         WHERE h.org_id = :org AND h.sprint_id = s.id

-- The last completed sprints, the oldest first; one row without a sprint when
-- there is none.
-- name: report_velocity :many :slow
WITH p AS MATERIALIZED (
    @report_project@
), chosen AS (
    SELECT s.id FROM sprint s
     WHERE s.org_id = :org AND s.project_id = (SELECT p.id FROM p)
       AND s.deleted_at IS NULL AND s.status = 'Completed'
       AND s.completed_at <= (SELECT p.moment FROM p)
     ORDER BY s.completed_at DESC
     LIMIT :limit
), measured AS (
    SELECT s.id, s.number, s.name, plan.start_date, plan.end_date,
           s.completed_at, committed.total AS committed,
           completed.total AS completed
      FROM chosen
      JOIN sprint s ON s.org_id = :org AND s.id = chosen.id
      JOIN organization o ON o.org_id = :org
     CROSS JOIN LATERAL (SELECT @report_moment@ AS moment OFFSET 0) m
      @report_plan@
     CROSS JOIN LATERAL (
        SELECT coalesce(sum(state.weight), 0)::bigint AS total
          FROM (@report_state@
                   AND h.at <= @report_commitment@
                 ORDER BY h.ticket_id, h.at DESC, h.seq DESC) state) committed
     CROSS JOIN LATERAL (
        SELECT coalesce(sum(state.weight), 0)::bigint AS total
          FROM (@report_state@
                   AND h.at <= s.completed_at
                 ORDER BY h.ticket_id, h.at DESC, h.seq DESC) state
         WHERE state.category = 'done') completed
)
SELECT p.id AS project_id, p.name AS project_name, v.id AS sprint_id, v.number,
       '#' || v.number AS label, v.name, v.start_date, v.end_date,
       v.committed, v.completed,
       to_json(trim_scale(round(avg(v.completed) OVER () / 2, 2))) AS average
  FROM p
  LEFT JOIN measured v ON true
 ORDER BY v.completed_at

-- How much work there is on each day, by what its status means: each change of a
-- ticket takes its old state off the day's sums and adds the new one.
-- name: report_days :many :slow
WITH p AS MATERIALIZED (
    SELECT project.*, range.first_day, range.last_day,
           CASE WHEN range.last_day < range.first_day THEN 'backwards'
                WHEN range.last_day - range.first_day > 366 THEN 'too_long'
                END AS refusal
      FROM (@report_project@) project
     CROSS JOIN LATERAL (
        SELECT coalesce(:from::date,
                        coalesce(:to::date, project.today) - 29) AS first_day,
               coalesce(:to::date, project.today) AS last_day) range
), step AS (
    SELECT h.at, h.category, @report_weight@ AS weight,
           lag(h.category) OVER before AS old_category,
           lag(@report_weight@) OVER before AS old_weight
      FROM sprint_scope h
     WHERE h.org_id = :org AND h.project_id = (SELECT p.id FROM p)
       AND h.at <= (SELECT p.moment FROM p)
    WINDOW before AS (PARTITION BY h.ticket_id ORDER BY h.at, h.seq)
), moved AS (
    SELECT greatest((step.at AT TIME ZONE p.zone)::date, p.first_day) AS date,
           x.category, x.weight
      FROM step
     CROSS JOIN p
     CROSS JOIN LATERAL (
        VALUES (step.category, step.weight),
               (step.old_category, -step.old_weight)) x (category, weight)
), net AS (
    SELECT date, sum(weight) FILTER (WHERE category = 'todo') AS todo,
           sum(weight) FILTER (WHERE category = 'in_progress') AS in_progress,
           sum(weight) FILTER (WHERE category = 'done') AS done
      FROM moved
     GROUP BY date
), summed AS (
    SELECT p.first_day + i AS date,
           sum(coalesce(net.todo, 0)) OVER days::bigint AS todo,
           sum(coalesce(net.in_progress, 0)) OVER days::bigint AS in_progress,
           sum(coalesce(net.done, 0)) OVER days::bigint AS done,
           p.first_day + i > p.today AS ahead
      FROM p
     CROSS JOIN generate_series(0, p.last_day - p.first_day) AS i
      LEFT JOIN net ON net.date = p.first_day + i
     WHERE p.refusal IS NULL
    WINDOW days AS (ORDER BY i)
)
SELECT p.id AS project_id, p.name, p.refusal, d.date,
       CASE WHEN NOT d.ahead THEN d.todo + d.in_progress + d.done END AS total,
       CASE WHEN NOT d.ahead THEN d.todo END AS todo,
       CASE WHEN NOT d.ahead THEN d.in_progress END AS in_progress,
       CASE WHEN NOT d.ahead THEN d.done END AS done,
       CASE WHEN NOT d.ahead THEN d.done END AS completed
  FROM p
  LEFT JOIN summed d ON true
 ORDER BY d.date
