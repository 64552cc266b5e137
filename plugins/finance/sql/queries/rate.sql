-- What an hour costs: versions that begin on a day.

-- fragment: rate_columns
r.id, r.org_id, r.user_id, r.rate_cents, r.currency, r.effective_date,
       r.created_by, r.created_at

-- Run behind time_lock_alone: no time is approved meanwhile.
-- name: rate_create :one
WITH parent AS (
    SELECT o.org_id, o.currency, w.effective_date,
           CASE WHEN (SELECT true FROM period_close c
                       WHERE c.org_id = :org AND c.first_day = (
                             SELECT date_trunc('month', w.effective_date
                                                        ::timestamp)::date)
                       LIMIT 1)
                THEN 'period_closed' END AS refusal
      FROM organization o
     CROSS JOIN LATERAL (
        SELECT coalesce(:effective_date::date, alloy.today(:org))
            AS effective_date) w
     WHERE o.org_id = :org AND o.deleted_at IS NULL
), r AS (
    INSERT INTO labor_rate (org_id, id, user_id, rate_cents, currency,
                            effective_date, created_by)
    SELECT :org, :new_labor_rate, :user_id::uuid, :rate_cents,
           parent.currency, parent.effective_date, :me
      FROM parent
     WHERE parent.refusal IS NULL
        ON CONFLICT DO NOTHING
    RETURNING *
)
SELECT @rate_columns@,
       CASE WHEN parent.refusal IS NOT NULL THEN parent.refusal
            WHEN r.id IS NULL THEN 'day_taken' END AS _refusal
  FROM parent
  LEFT JOIN r ON true

-- name: rate_list :page :custom
SELECT @rate_columns@, r.created_at AS _at, r.id AS _id
  FROM labor_rate r
 WHERE r.org_id = :org
   AND (:user_id::uuid IS NULL OR r.user_id = :user_id::uuid)
   AND (r.created_at, r.id)
       < ((SELECT coalesce(:after_at::timestamptz, 'infinity')),
          (SELECT coalesce(:after_id::uuid,
                           'ffffffff-ffff-ffff-ffff-ffffffffffff')))
 ORDER BY r.created_at DESC, r.id DESC
 LIMIT :limit
