-- Time entries: work on tickets, until it is approved.

-- fragment: entry_columns
e.id, e.org_id, e.project_id, e.ticket_id, e.user_id, e.work_date, e.minutes,
       CASE WHEN e.minutes < 0 THEN -1 ELSE 1 END
       * ((abs(e.minutes) * 200 + 60) / 120) AS hours,
       e.activity, e.work_location, e.description, e.adjusts, e.status,
       e.reject_reason, e.submitted_at, e.decided_at, e.decided_by,
       CASE WHEN shown.amounts THEN e.rate_cents END AS rate_cents,
       CASE WHEN shown.amounts THEN e.amount_cents END AS amount_cents,
       e.currency, e.capitalization_type, e.development_phase,
       e.funding_authorized, e.completion_probable, e.cost_center_id,
       e.created_by, e.version, e.created_at, e.updated_at

-- Who sees what it costs: Admins, or all where the organization says so.
-- fragment: entry_shown
LEFT JOIN LATERAL (
    SELECT o.org_id = ANY (:admin_orgs::uuid[])
           OR o.finance_visibility = 'all' AS amounts
      FROM organization o
     WHERE o.org_id = e.org_id
     LIMIT 1) shown ON true

-- Approved time stays whatever becomes of the ticket, and so does what corrects
-- it; other time goes with the ticket.
-- fragment: entry_lives
e.deleted_at IS NULL
   AND (e.status = 'Approved' OR e.adjusts IS NOT NULL
        OR (SELECT true FROM ticket t
             WHERE t.org_id = e.org_id AND t.id = e.ticket_id
               AND t.deleted_at IS NULL
               AND (SELECT true FROM project p
                     WHERE p.org_id = e.org_id AND p.id = t.project_id
                       AND p.deleted_at IS NULL
                     LIMIT 1)
             LIMIT 1))

-- fragment: entry_mine
(e.user_id = :me OR e.org_id = ANY (:admin_orgs::uuid[]))

-- fragment: entry_target
e.org_id = :org AND e.id = :time_entry AND @entry_lives@

-- fragment: entry_closed
SELECT true FROM period_close c
                  WHERE c.org_id = :org AND c.first_day
                        = date_trunc('month', e.work_date::timestamp)::date
                  LIMIT 1

-- fragment: wanted_closed
SELECT true FROM period_close c
                  WHERE c.org_id = :org AND c.first_day
                        = (SELECT date_trunc('month', w.work_date::timestamp)::date)
                  LIMIT 1

-- Hours came times one hundred.
-- fragment: hours_as_minutes
(CASE WHEN :hours::bigint < 0 THEN -1 ELSE 1 END
            * ((abs(:hours::bigint) * 6 + 5) / 10))::integer

-- name: time_entry_find_id :many
SELECT e.id, e.org_id, e.project_id, e.work_date::text AS label, 1 AS rank
  FROM unnest(:orgs::uuid[]) AS mine (org_id)
  JOIN time_entry e ON e.org_id = mine.org_id AND e.id = :ref
 WHERE @entry_lives@

-- Locks -----------------------------------------------------------------------

-- Whatever is dated in a period shares this; who closes one, or sets a rate, has
-- it alone. It is taken before all other locks.
-- name: time_lock :exec :write
SELECT pg_advisory_xact_lock_shared(
    hashtextextended('finance ' || :org::uuid::text, 0))

-- name: time_lock_alone :exec :write
SELECT pg_advisory_xact_lock(
    hashtextextended('finance ' || :org::uuid::text, 0))

-- A person's membership stands for the hours of his days: of two who fill the
-- same one, the second sees what the first did.
-- name: time_person_lock :exec
SELECT m.user_id FROM membership m
 WHERE m.org_id = :org AND m.user_id = :user_id
   FOR NO KEY UPDATE

-- name: time_entry_lock :exec
SELECT e.id FROM time_entry e
 WHERE e.org_id = :org AND e.id = :time_entry
   FOR NO KEY UPDATE

-- name: time_entry_person_lock :exec
SELECT m.user_id FROM membership m
 WHERE m.org_id = :org
   AND m.user_id = (SELECT e.user_id FROM time_entry e
                     WHERE e.org_id = :org AND e.id = :time_entry)
   FOR NO KEY UPDATE

-- Making one ------------------------------------------------------------------

-- Run behind time_lock and time_person_lock, as what follows a CTE "target" with
-- the ticket's id.
-- fragment: entry_make
parent AS (
    SELECT t.id, t.project_id, w.work_date, w.minutes,
           CASE WHEN :user_id::uuid IS NULL THEN 'person_required'
                WHEN :minutes? AND :hours? THEN 'two_lengths'
                WHEN w.minutes IS NULL THEN 'no_length'
                WHEN w.minutes < 1 THEN 'too_short'
                WHEN (@wanted_closed@) THEN 'period_closed'
                WHEN definer.minutes_of_day(:org, :user_id::uuid, w.work_date,
                                            NULL) + w.minutes > 1440
                THEN 'day_full' END AS refusal
      FROM target
      JOIN ticket t ON t.org_id = :org AND t.id = target.id
     CROSS JOIN LATERAL (
        SELECT coalesce(:work_date::date, alloy.today(:org)) AS work_date,
               CASE WHEN :hours? THEN @hours_as_minutes@
                    ELSE :minutes::integer END AS minutes) w
     WHERE t.deleted_at IS NULL
       AND (SELECT true FROM project p
             WHERE p.org_id = :org AND p.id = t.project_id
               AND p.deleted_at IS NULL
             LIMIT 1)
), e AS (
    INSERT INTO time_entry (org_id, id, project_id, ticket_id, user_id,
                            work_date, day, minutes, activity, work_location,
                            description, created_by)
    SELECT :org, :new_time_entry, parent.project_id, parent.id,
           :user_id::uuid, parent.work_date, parent.work_date, parent.minutes,
           :activity, :work_location, :description, :me
      FROM parent
     WHERE parent.refusal IS NULL
    RETURNING *
)
SELECT @entry_columns@, parent.refusal AS _refusal
  FROM parent
  LEFT JOIN e ON true
  @entry_shown@

-- name: time_entry_add :one
WITH target AS (
    SELECT :ticket::uuid AS id
), @entry_make@

-- name: time_entry_create :one
WITH target AS (
    SELECT :ticket_id::uuid AS id
), @entry_make@

-- What adjusts an entry already, but for one. Of what is not approved only more
-- where there is to be more, only less where less: the rest may go away again.
-- fragment: entry_settled
(SELECT coalesce(sum(x.minutes), 0) FROM time_entry x
                  WHERE x.org_id = :org AND x.adjusts = was.id
                    AND x.status <> 'Rejected' AND x.deleted_at IS NULL
                    AND (x.status = 'Approved'
                         OR (x.minutes < 0) = (w.minutes < 0))

-- Run behind time_lock and time_entry_person_lock.
-- name: time_entry_adjust :one
WITH was AS (
    SELECT was.*, w.work_date AS to_date, w.minutes AS by_minutes,
           CASE WHEN was.status <> 'Approved' THEN 'not_approved'
                WHEN was.adjusts IS NOT NULL THEN 'adjusts_itself'
                WHEN :minutes? AND :hours? THEN 'two_lengths'
                WHEN w.minutes IS NULL THEN 'no_length'
                WHEN w.minutes = 0 THEN 'too_short'
                WHEN (@wanted_closed@) THEN 'period_closed'
                WHEN was.minutes + w.minutes
                     + @entry_settled@) NOT BETWEEN 0 AND 1440
                THEN 'beyond'
                WHEN definer.minutes_of_day(:org, was.user_id, was.day, NULL)
                     + w.minutes > 1440
                THEN 'day_full' END AS refusal
      FROM time_entry was
     CROSS JOIN LATERAL (
        SELECT coalesce(:work_date::date, alloy.today(:org)) AS work_date,
               CASE WHEN :hours? THEN @hours_as_minutes@
                    ELSE :minutes::integer END AS minutes) w
     WHERE was.org_id = :org AND was.id = :time_entry
       AND was.deleted_at IS NULL
       AND (was.user_id = :me OR was.org_id = ANY (:admin_orgs::uuid[]))
), e AS (
    INSERT INTO time_entry (org_id, id, project_id, ticket_id, user_id,
                            work_date, day, minutes, activity, work_location,
                            description, adjusts, created_by)
    SELECT :org, :new_time_entry, was.project_id, was.ticket_id, was.user_id,
           was.to_date, was.day, was.by_minutes, was.activity,
           was.work_location, :description, was.id, :me
      FROM was
     WHERE was.refusal IS NULL
    RETURNING *
)
SELECT @entry_columns@, was.refusal AS _refusal
  FROM was
  LEFT JOIN e ON true
  @entry_shown@

-- Reading ---------------------------------------------------------------------

-- name: time_entry_get :one
SELECT @entry_columns@
  FROM time_entry e
  @entry_shown@
 WHERE @entry_target@ AND @entry_mine@

-- fragment: entry_filter
@entry_lives@
       AND (e.created_at, e.id)
           < ((SELECT coalesce(:after_at::timestamptz, 'infinity')),
              (SELECT coalesce(:after_id::uuid,
                               'ffffffff-ffff-ffff-ffff-ffffffffffff')))
       AND (:project::uuid[] IS NULL OR e.project_id = ANY (:project::uuid[]))
       AND (:ticket::uuid[] IS NULL OR e.ticket_id = ANY (:ticket::uuid[]))
       AND (:status::text[] IS NULL OR e.status = ANY (:status::text[]))
       AND (:activity::text[] IS NULL OR e.activity = ANY (:activity::text[]))
       AND (:from::date IS NULL OR e.work_date >= :from::date)
       AND (:to::date IS NULL OR e.work_date <= :to::date)

-- fragment: entry_newest
ORDER BY e.created_at DESC, e.id DESC
     LIMIT :limit

-- Everybody's where the caller is Admin, his own elsewhere: an index for each.
-- name: time_entry_list :page :custom
SELECT @entry_columns@, e.created_at AS _at, e.id AS _id
  FROM unnest(:orgs::uuid[]) AS mine (org_id)
 CROSS JOIN LATERAL (
    (SELECT * FROM time_entry e
      WHERE e.org_id = mine.org_id AND mine.org_id = ANY (:admin_orgs::uuid[])
       AND (:user::uuid[] IS NULL OR e.user_id = ANY (:user::uuid[]))
       AND @entry_filter@
     @entry_newest@)
    UNION ALL
    (SELECT * FROM time_entry e
      WHERE e.org_id = mine.org_id AND mine.org_id <> ALL (:admin_orgs::uuid[])
       AND e.user_id = :me
       AND (:user::uuid[] IS NULL OR :me = ANY (:user::uuid[]))
       AND @entry_filter@
     @entry_newest@)) e
  @entry_shown@
 @entry_newest@

-- Changing --------------------------------------------------------------------

-- Run behind time_lock, time_entry_lock and time_entry_person_lock.
-- name: time_entry_update :one
WITH there AS (
    SELECT e.id, w.work_date AS to_date, w.minutes AS to_minutes,
           :minutes? OR :hours? OR :work_date? OR :activity? OR :ticket_id?
           OR :work_location? OR :description? AS edited,
           CASE WHEN e.status = 'Approved' THEN 'approved'
                WHEN (@entry_closed@) OR (@wanted_closed@)
                THEN 'period_closed'
                WHEN :minutes? AND :hours? THEN 'two_lengths'
                WHEN w.minutes = 0 OR (w.minutes < 0 AND e.adjusts IS NULL)
                THEN 'too_short'
                WHEN was.minutes + w.minutes
                     + @entry_settled@
                    AND x.id <> e.id) NOT BETWEEN 0 AND 1440
                THEN 'beyond'
                WHEN definer.minutes_of_day(:org, e.user_id,
                         CASE WHEN e.adjusts IS NULL THEN w.work_date
                              ELSE e.day END, e.id) + w.minutes > 1440
                THEN 'day_full'
                WHEN :ticket_id?
                     AND (SELECT true FROM ticket t
                           WHERE t.org_id = :org AND t.id = :ticket_id
                             AND t.project_id = e.project_id
                             AND t.deleted_at IS NULL
                           LIMIT 1) IS NULL
                THEN 'other_project' END AS refusal
      FROM time_entry e
      LEFT JOIN time_entry was ON was.org_id = :org AND was.id = e.adjusts
     CROSS JOIN LATERAL (
        SELECT CASE WHEN :work_date? THEN :work_date::date
                    ELSE e.work_date END AS work_date,
               CASE WHEN :hours? THEN @hours_as_minutes@
                    WHEN :minutes? THEN :minutes::integer
                    ELSE e.minutes END AS minutes) w
     WHERE @entry_target@ AND @entry_mine@
), e AS (
    UPDATE time_entry e
       SET work_date = there.to_date,
           day = CASE WHEN e.adjusts IS NULL THEN there.to_date
               ELSE e.day END,
           minutes = there.to_minutes,
           activity = CASE WHEN :activity? THEN :activity ELSE e.activity END,
           ticket_id = CASE WHEN :ticket_id? THEN :ticket_id
               ELSE e.ticket_id END,
           work_location = CASE WHEN :work_location? THEN :work_location
               ELSE e.work_location END,
           description = CASE WHEN :description? THEN :description
               ELSE e.description END,
           status = CASE WHEN there.edited THEN 'Draft' ELSE e.status END,
           submitted_at = CASE WHEN there.edited THEN NULL
               ELSE e.submitted_at END,
           decided_at = CASE WHEN there.edited THEN NULL
               ELSE e.decided_at END,
           decided_by = CASE WHEN there.edited THEN NULL
               ELSE e.decided_by END,
           reject_reason = CASE WHEN there.edited THEN NULL
               ELSE e.reject_reason END
      FROM there
     WHERE e.org_id = :org AND e.id = there.id AND there.refusal IS NULL
    RETURNING e.*
)
SELECT @entry_columns@, there.refusal AS _refusal
  FROM there
  LEFT JOIN e ON true
  @entry_shown@

-- The three below are run behind time_lock and time_entry_lock.
-- name: time_entry_delete :one
WITH there AS (
    SELECT e.id,
           CASE WHEN e.status = 'Approved' THEN 'approved'
                WHEN (@entry_closed@) THEN 'period_closed'
                END AS refusal
      FROM time_entry e
     WHERE @entry_target@ AND @entry_mine@
), gone AS (
    UPDATE time_entry e SET deleted_at = clock_timestamp()
      FROM there
     WHERE e.org_id = :org AND e.id = there.id AND there.refusal IS NULL
)
SELECT there.refusal AS _refusal FROM there

-- name: time_entry_submit :one
WITH there AS (
    SELECT e.id,
           CASE WHEN e.status <> 'Draft' THEN 'not_draft'
                WHEN (@entry_closed@) THEN 'period_closed'
                END AS refusal
      FROM time_entry e
     WHERE @entry_target@ AND @entry_mine@
), e AS (
    UPDATE time_entry e
       SET status = 'Submitted', submitted_at = clock_timestamp()
      FROM there
     WHERE e.org_id = :org AND e.id = there.id AND there.refusal IS NULL
    RETURNING e.*
)
SELECT @entry_columns@, there.refusal AS _refusal
  FROM there
  LEFT JOIN e ON true
  @entry_shown@

-- name: time_entry_reject :one
WITH there AS (
    SELECT e.id,
           CASE WHEN e.status <> 'Submitted' THEN 'not_submitted'
                WHEN (@entry_closed@) THEN 'period_closed'
                END AS refusal
      FROM time_entry e
     WHERE @entry_target@
), e AS (
    UPDATE time_entry e
       SET status = 'Rejected', reject_reason = :reason,
           decided_at = clock_timestamp(), decided_by = :me
      FROM there
     WHERE e.org_id = :org AND e.id = there.id AND there.refusal IS NULL
    RETURNING e.*
)
SELECT @entry_columns@, there.refusal AS _refusal
  FROM there
  LEFT JOIN e ON true
  @entry_shown@

-- Approving -------------------------------------------------------------------

-- Run behind time_lock, so that no rate is set meanwhile; in order of id.
-- name: approval_lock :exec
SELECT e.id FROM time_entry e
 WHERE e.org_id = :org AND e.id = ANY (:entries::uuid[])
 ORDER BY e.id
   FOR NO KEY UPDATE

-- A project's approvals come one after the other: each counts what those before
-- it have spent.
-- name: approval_lock_projects :exec :write
SELECT pg_advisory_xact_lock(hashtextextended('budget ' || p.id::text, 0))
  FROM (SELECT DISTINCT e.project_id AS id FROM time_entry e
         WHERE e.org_id = :org AND e.id = ANY (:entries::uuid[])
         ORDER BY 1 OFFSET 0) p

-- The rate in force on the day: one's own before everybody's.
-- fragment: approval_rate
LEFT JOIN LATERAL (
    (SELECT r.id, r.rate_cents, r.currency, 1 AS rank
       FROM labor_rate r
      WHERE r.org_id = :org AND r.user_id = e.user_id
        AND r.effective_date <= e.work_date
      ORDER BY r.effective_date DESC
      LIMIT 1)
    UNION ALL
    (SELECT r.id, r.rate_cents, r.currency, 2 AS rank
       FROM labor_rate r
      WHERE r.org_id = :org AND r.user_id IS NULL
        AND r.effective_date <= e.work_date
      ORDER BY r.effective_date DESC
      LIMIT 1)
     ORDER BY rank
     LIMIT 1) r ON was.id IS NULL

-- What takes part of an approved entry back, or adds to it, costs as that did.
-- fragment: approval_was
LEFT JOIN LATERAL (
    SELECT * FROM time_entry was
     WHERE was.org_id = :org AND was.id = e.adjusts
     LIMIT 1) was ON true

-- What each of :entries would cost, and what its project has spent of the budget
-- of that time.
-- name: approval_read :many
SELECT e.id, e.status, e.user_id, e.project_id, e.work_date,
       e.user_id = :me AS own,
       to_char(e.work_date, 'YYYY-MM') AS period,
       coalesce((@entry_closed@), false) AS closed,
       alloy.time_amount(e.minutes, coalesce(was.rate_cents, r.rate_cents))
           AS amount_cents,
       p.budget_cents, coalesce(f.budget_enforcement, 'none') AS enforcement,
       b.first_day::text AS first_day,
       CASE WHEN f.budget_enforcement <> 'none' AND p.budget_cents IS NOT NULL
            THEN (SELECT least(coalesce(sum(x.amount_cents), 0),
                               9000000000000000000)::bigint
                    FROM time_entry x
                   WHERE x.org_id = :org AND x.project_id = e.project_id
                     AND x.status = 'Approved'
                     AND x.work_date >= b.first_day
                     AND x.work_date <= b.last_day) END AS spent_cents
  FROM time_entry e
  @approval_was@
  @approval_rate@
 CROSS JOIN LATERAL (
    SELECT p.budget_cents, p.budget_period FROM project p
     WHERE p.org_id = :org AND p.id = e.project_id
     LIMIT 1) p
  LEFT JOIN LATERAL (
    SELECT f.budget_enforcement FROM project_finance f
     WHERE f.org_id = :org AND f.project_id = e.project_id
     LIMIT 1) f ON true
 CROSS JOIN LATERAL (
    SELECT CASE p.budget_period
               WHEN 'Monthly' THEN date_trunc('month', e.work_date::timestamp)
               WHEN 'Quarterly'
               THEN date_trunc('quarter', e.work_date::timestamp)
               WHEN 'Annual' THEN date_trunc('year', e.work_date::timestamp)
               ELSE '-infinity' END::date AS first_day,
           CASE p.budget_period
               WHEN 'Monthly'
               THEN date_trunc('month', e.work_date::timestamp)
                    + interval '1 month' - interval '1 day'
               WHEN 'Quarterly'
               THEN date_trunc('quarter', e.work_date::timestamp)
                    + interval '3 months' - interval '1 day'
               WHEN 'Annual'
               THEN date_trunc('year', e.work_date::timestamp)
                    + interval '1 year' - interval '1 day'
               ELSE 'infinity' END::date AS last_day) b
 WHERE e.org_id = :org AND e.id = ANY (:entries::uuid[]) AND @entry_lives@
 ORDER BY e.id

-- fragment: fact_then
FROM project_fact f
             WHERE f.org_id = :org AND f.project_id = e.project_id
               AND f.effective_date <= e.work_date

-- fragment: fact_latest
ORDER BY f.effective_date DESC
             LIMIT 1)

-- Everything that decides what the entry comes to is written on it, and nothing
-- changes it again.
-- name: approval_write :many
WITH frozen AS MATERIALIZED (
    SELECT e.id, coalesce(was.rate_id, r.id) AS rate_id,
           coalesce(was.rate_cents, r.rate_cents) AS rate_cents,
           coalesce(was.currency, r.currency, o.currency) AS currency,
           CASE WHEN was.id IS NOT NULL THEN was.capitalization_type
                ELSE (SELECT f.value @fact_then@
               AND f.kind = 'capitalization_type'
             @fact_latest@ END AS capitalization_type,
           CASE WHEN was.id IS NOT NULL THEN was.development_phase
                ELSE (SELECT f.value @fact_then@
               AND f.kind = 'development_phase'
             @fact_latest@ END AS development_phase,
           CASE WHEN was.id IS NOT NULL THEN was.funding_authorized
                ELSE (SELECT f.value::boolean @fact_then@
               AND f.kind = 'funding_authorized'
             @fact_latest@ END AS funding_authorized,
           CASE WHEN was.id IS NOT NULL THEN was.completion_probable
                ELSE (SELECT f.value::boolean @fact_then@
               AND f.kind = 'completion_probable'
             @fact_latest@ END AS completion_probable,
           CASE WHEN was.id IS NOT NULL THEN was.cost_center_id
                ELSE p.cost_center_id END AS cost_center_id
      FROM time_entry e
      @approval_was@
      @approval_rate@
     CROSS JOIN LATERAL (
        SELECT p.cost_center_id FROM project p
         WHERE p.org_id = :org AND p.id = e.project_id
         LIMIT 1) p
     CROSS JOIN LATERAL (
        SELECT o.currency FROM organization o
         WHERE o.org_id = :org
         LIMIT 1) o
     WHERE e.org_id = :org AND e.id = ANY (:approved::uuid[])
       AND e.status = 'Submitted' AND e.deleted_at IS NULL
), e AS (
    UPDATE time_entry e
       SET status = 'Approved', decided_at = clock_timestamp(),
           decided_by = :me, rate_id = frozen.rate_id,
           rate_cents = frozen.rate_cents,
           amount_cents = alloy.time_amount(e.minutes, frozen.rate_cents),
           currency = frozen.currency,
           capitalization_type = frozen.capitalization_type,
           development_phase = frozen.development_phase,
           funding_authorized = frozen.funding_authorized,
           completion_probable = frozen.completion_probable,
           cost_center_id = frozen.cost_center_id
      FROM frozen
     WHERE e.org_id = :org AND e.id = frozen.id
    RETURNING e.*
)
SELECT @entry_columns@, :warnings::json AS warnings
  FROM e
  @entry_shown@
