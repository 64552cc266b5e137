-- What a period's approved time costs and how much of it is capitalized. Time
-- stays in reports when its ticket or its project is deleted. Sums are numeric
-- until it is sure that they fit 64 bits.

-- The organizations a report covers, what its reader may see of each, and the
-- moment it is as of; of a day it is the end, there.
-- fragment: capital_scope
SELECT o.org_id, o.currency,
           o.finance_visibility = 'all'
           OR o.org_id = ANY (:admin_orgs::uuid[]) AS shows,
           coalesce(o.org_id = ANY (nullif(current_setting('alloy.all', true),
                                           '')::uuid[]), false) AS whole,
           CASE WHEN :as_of::text IS NULL THEN 'infinity'::timestamptz
                WHEN length(:as_of) = 10
                THEN (left(:as_of, 10)::date + 1)::timestamp
                     AT TIME ZONE o.timezone - interval '1 microsecond'
                ELSE :as_of::timestamptz END AS moment
      FROM unnest(:orgs::uuid[]) AS mine (org_id)
     CROSS JOIN LATERAL (
        SELECT * FROM organization o WHERE o.org_id = mine.org_id LIMIT 1) o

-- fragment: capital_entries
SELECT e.*
      FROM scope
     CROSS JOIN LATERAL (
        SELECT * FROM time_entry e
         WHERE e.org_id = scope.org_id AND e.status = 'Approved'
           AND e.work_date >= (SELECT :first_day::date)
           AND e.work_date <= (SELECT :last_day::date)
           AND e.decided_at <= scope.moment
           AND (:project::uuid IS NULL OR e.project_id = :project::uuid)) e

-- fragment: capital_rules
SELECT r.* FROM capitalization_rule r
     WHERE r.policy = :policy
       AND r.version = (SELECT max(version) FROM capitalization_rule
                         WHERE policy = :policy)

-- Entries of which the same is true are treated alike: they are added up before
-- rules are asked. Wants the tables entry and rule.
-- fragment: capital_figures
fact AS MATERIALIZED (
    SELECT e.org_id, e.project_id, e.currency, e.activity,
           e.capitalization_type, e.development_phase, e.funding_authorized,
           e.completion_probable, e.cost_center_id, sum(e.minutes) AS minutes,
           coalesce(sum(e.minutes) FILTER (WHERE e.rate_cents IS NULL), 0)
               AS unrated_minutes,
           coalesce(sum(e.amount_cents), 0) AS amount_cents
      FROM entry e
     GROUP BY e.org_id, e.project_id, e.currency, e.activity,
              e.capitalization_type, e.development_phase, e.funding_authorized,
              e.completion_probable, e.cost_center_id
), treated AS (
    SELECT f.*, CASE WHEN r.treatment = 'capitalize' THEN f.amount_cents ELSE 0
                     END AS capitalized_cents
      FROM fact f
      LEFT JOIN LATERAL (
        SELECT r.treatment FROM rule r
         WHERE (r.activities IS NULL OR f.activity = ANY (r.activities))
           AND (r.capitalization_type IS NULL
                OR r.capitalization_type = f.capitalization_type)
           AND (r.development_phase IS NULL
                OR r.development_phase = f.development_phase)
           AND (r.funding_authorized IS NULL
                OR r.funding_authorized = f.funding_authorized)
           AND (r.completion_probable IS NULL
                OR r.completion_probable = f.completion_probable)
         ORDER BY r.rule
         LIMIT 1) r ON true
), figure AS MATERIALIZED (
    SELECT t.org_id, t.project_id, t.currency, t.activity,
           CASE WHEN count(DISTINCT t.cost_center_id) = 1
                 AND count(t.cost_center_id) = count(*)
                THEN min(t.cost_center_id) END AS cost_center_id,
           CASE WHEN count(DISTINCT t.capitalization_type) = 1
                 AND count(t.capitalization_type) = count(*)
                THEN min(t.capitalization_type) END AS capitalization_type,
           CASE WHEN count(DISTINCT t.development_phase) = 1
                 AND count(t.development_phase) = count(*)
                THEN min(t.development_phase) END AS development_phase,
           sum(t.minutes)::bigint AS minutes,
           sum(t.unrated_minutes)::bigint AS unrated_minutes,
           sum(t.amount_cents) AS amount_cents,
           sum(t.capitalized_cents) AS capitalized_cents,
           sum(t.amount_cents) - sum(t.capitalized_cents) AS expensed_cents
      FROM treated t
     GROUP BY t.org_id, t.project_id, t.currency, t.activity
), fits AS (
    SELECT coalesce(sum(abs(f.amount_cents)), 0) <= 9223372036854775807 AS fits
      FROM fact f
)

-- The period of its budget that holds the report's last day, and what was spent
-- of it until then. Wants project and figure columns as j.
-- fragment: capital_budget
SELECT p.budget_cents,
               CASE WHEN s.shows THEN spent.cents END AS spent_cents,
               CASE WHEN s.shows THEN p.budget_cents - spent.cents END
                   AS budget_remaining_cents,
               CASE WHEN s.shows AND p.budget_cents > 0
                    THEN trim_scale(round(spent.cents * 100 / p.budget_cents,
                                          2)) END AS budget_utilization_pct
          FROM (
            SELECT coalesce(sum(e.amount_cents), 0) AS cents
              FROM time_entry e
             WHERE e.org_id = s.org_id AND e.project_id = p.id
               AND e.status = 'Approved' AND e.currency = s.currency_of
               AND e.decided_at <= s.moment
               AND e.work_date <= (SELECT :last_day::date)
               AND e.work_date >= CASE p.budget_period
                   WHEN 'Monthly' THEN date_trunc('month', :last_day::date)::date
                   WHEN 'Quarterly'
                   THEN date_trunc('quarter', :last_day::date)::date
                   WHEN 'Annual' THEN date_trunc('year', :last_day::date)::date
                   ELSE '-infinity'::date END) spent

-- The whole report as one row.
-- name: capitalization_report :one :custom :slow
WITH scope AS MATERIALIZED (
    @capital_scope@
), entry AS (
    @capital_entries@
), rule AS MATERIALIZED (
    @capital_rules@
), @capital_figures@, summed AS (
    SELECT f.org_id, f.project_id, f.currency,
           CASE WHEN count(DISTINCT f.capitalization_type) = 1
                 AND count(f.capitalization_type) = count(*)
                THEN min(f.capitalization_type) END AS capitalization_type,
           CASE WHEN count(DISTINCT f.development_phase) = 1
                 AND count(f.development_phase) = count(*)
                THEN min(f.development_phase) END AS development_phase,
           sum(f.minutes) AS minutes, sum(f.unrated_minutes) AS unrated_minutes,
           sum(f.amount_cents) AS amount_cents,
           sum(f.capitalized_cents) AS capitalized_cents,
           sum(f.expensed_cents) AS expensed_cents,
           json_agg(json_build_object(
               'activity', f.activity, 'minutes', f.minutes,
               'hours', trim_scale(round(f.minutes / 60.0, 2)),
               'amount_cents', CASE WHEN scope.shows THEN f.amount_cents END,
               'capitalized_cents',
               CASE WHEN scope.shows THEN f.capitalized_cents END,
               'expensed_cents',
               CASE WHEN scope.shows THEN f.expensed_cents END,
               'unrated_minutes', f.unrated_minutes) ORDER BY f.activity)
               AS activities
      FROM figure f
      JOIN scope ON scope.org_id = f.org_id
     GROUP BY f.org_id, f.project_id, f.currency
), listed AS (
    SELECT p.key, f.project_id, f.currency,
           CASE WHEN :include_budget::boolean
                THEN (to_jsonb(j) || to_jsonb(b))::json
                ELSE to_json(j) END AS project
      FROM summed f
     CROSS JOIN LATERAL (
        SELECT scope.*, f.currency AS currency_of FROM scope
         WHERE scope.org_id = f.org_id) s
     CROSS JOIN LATERAL (
        SELECT * FROM project p
         WHERE p.org_id = f.org_id AND p.id = f.project_id LIMIT 1) p
     CROSS JOIN LATERAL (
        SELECT p.id AS project_id, p.name AS project_name,
               p.key AS project_key, f.currency, f.capitalization_type,
               f.development_phase, f.minutes AS total_minutes,
               trim_scale(round(f.minutes / 60.0, 2)) AS total_hours,
               CASE WHEN s.shows THEN f.amount_cents END AS total_amount_cents,
               CASE WHEN s.shows THEN f.capitalized_cents END
                   AS capitalized_cents,
               CASE WHEN s.shows THEN f.expensed_cents END AS expensed_cents,
               f.unrated_minutes,
               trim_scale(round(f.unrated_minutes / 60.0, 2)) AS unrated_hours,
               f.activities) j
      LEFT JOIN LATERAL (
        @capital_budget@
         WHERE :include_budget::boolean) b ON true
)
SELECT :period::text AS period, :first_day::date AS first_day,
       :last_day::date AS last_day,
       (SELECT CASE WHEN count(DISTINCT c.currency) = 1 THEN min(c.currency) END
          FROM (SELECT l.currency FROM listed l
                UNION ALL
                SELECT scope.currency FROM scope
                 WHERE NOT EXISTS (SELECT FROM listed)) c) AS currency,
       :policy::text AS policy, (SELECT max(version) FROM rule) AS policy_version,
       CASE WHEN (SELECT bool_and(scope.whole) FROM scope) THEN 'all'
            ELSE 'visible' END AS scope,
       coalesce((SELECT json_agg(l.project
                                 ORDER BY l.key, l.project_id, l.currency)
                   FROM listed l), '[]'::json) AS projects,
       CASE WHEN NOT fits.fits THEN 'too_large' END AS _refusal
  FROM fits

-- The same figures, a row for each project and activity.
-- name: capitalization_rows :many :custom :slow
WITH scope AS MATERIALIZED (
    @capital_scope@
), entry AS (
    @capital_entries@
), rule AS MATERIALIZED (
    @capital_rules@
), @capital_figures@
SELECT :period::text AS period, p.id AS project_id, p.key AS project_key,
       p.name AS project_name, f.cost_center_id, f.capitalization_type,
       f.development_phase, f.activity, f.minutes,
       round(f.minutes * 5 / 3.0)::bigint AS hours, f.currency,
       CASE WHEN scope.shows AND fits.fits THEN f.amount_cents::bigint END
           AS amount_cents,
       CASE WHEN scope.shows AND fits.fits THEN f.capitalized_cents::bigint END
           AS capitalized_cents,
       CASE WHEN scope.shows AND fits.fits THEN f.expensed_cents::bigint END
           AS expensed_cents,
       CASE WHEN NOT fits.fits THEN 'too_large' END AS _refusal
  FROM figure f
 CROSS JOIN fits
  JOIN scope ON scope.org_id = f.org_id
 CROSS JOIN LATERAL (
    SELECT * FROM project p
     WHERE p.org_id = f.org_id AND p.id = f.project_id LIMIT 1) p
 ORDER BY p.key, p.id, f.currency, f.activity

-- name: capitalization_policies :many
SELECT r.policy, r.version,
       json_agg(json_build_object(
           'rule', r.rule, 'activities', r.activities,
           'capitalization_type', r.capitalization_type,
           'development_phase', r.development_phase,
           'funding_authorized', r.funding_authorized,
           'completion_probable', r.completion_probable,
           'treatment', r.treatment, 'reason', r.reason) ORDER BY r.rule)
           AS rules
  FROM capitalization_rule r
 GROUP BY r.policy, r.version
 ORDER BY r.policy, r.version

-- Sealed reports ----------------------------------------------------------------

-- A pack is one document of lines, each a JSON object that says in "line" what it
-- is. The same fragments write lines when a report is sealed and when it is
-- compared with what there is, so that equal facts are equal bytes.

-- fragment: pack_instant
'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'

-- fragment: pack_entry
SELECT 'entry' AS line, e.id, e.project_id, e.ticket_id, e.user_id,
               e.work_date, e.minutes, e.activity, e.adjusts, e.rate_id,
               e.rate_cents, e.currency, e.amount_cents, e.capitalization_type,
               e.development_phase, e.funding_authorized, e.completion_probable,
               e.cost_center_id,
               to_char(e.submitted_at AT TIME ZONE 'UTC', @pack_instant@)
                   AS submitted_at,
               to_char(e.decided_at AT TIME ZONE 'UTC', @pack_instant@)
                   AS decided_at,
               e.decided_by

-- fragment: pack_rate
SELECT 'rate' AS line, r.id, r.user_id, r.rate_cents, r.currency,
               r.effective_date

-- fragment: pack_figure
SELECT 'figure' AS line, f.project_id, f.currency, f.activity,
               f.capitalization_type, f.development_phase, f.cost_center_id,
               f.minutes, f.unrated_minutes, f.amount_cents,
               f.capitalized_cents, f.expensed_cents

-- fragment: pack_columns
k.id, k.org_id, k.period, k.policy, k.policy_version, k.sha256,
       octet_length(k.content)::bigint AS bytes, k.created_by, k.created_at

-- Whoever seals or reads a report of all of an organization must see all of it.
-- fragment: pack_whole
:org::uuid = ANY (nullif(current_setting('alloy.all', true), '')::uuid[])

-- What is sealed is what one look at the database saw.
-- name: pack_seal :one :slow
WITH home AS MATERIALIZED (
    SELECT o.org_id, o.name, o.slug, clock_timestamp() AS now,
           coalesce(@pack_whole@, false) AS whole,
           (SELECT count(*) FROM period_close c
             WHERE c.org_id = :org AND c.first_day >= :first_day::date
               AND c.last_day <= :last_day::date)
           = (SELECT count(*) FROM generate_series(:first_day::date,
                :last_day::date, interval '1 month')) AS closed
      FROM organization o
     WHERE o.org_id = :org AND o.deleted_at IS NULL
), entry AS MATERIALIZED (
    SELECT e.* FROM time_entry e
     WHERE e.org_id = :org AND e.status = 'Approved'
       AND e.work_date >= :first_day::date AND e.work_date <= :last_day::date
), rule AS MATERIALIZED (
    @capital_rules@
), @capital_figures@, refused AS (
    SELECT CASE WHEN NOT home.whole THEN 'partial'
                WHEN NOT fits.fits THEN 'too_large'
                WHEN (SELECT count(*) FROM entry) > 500000 THEN 'too_many'
                END AS refusal
      FROM home
     CROSS JOIN fits
), line AS (
    SELECT 1 AS part, '' AS place, row_to_json(x)::text AS line
      FROM home
     CROSS JOIN LATERAL (
        SELECT 'pack' AS line, 1 AS format, home.org_id, home.name, home.slug,
               :period::text AS period, :first_day::date AS first_day,
               :last_day::date AS last_day, home.closed,
               :policy::text AS policy,
               (SELECT max(rule.version) FROM rule) AS policy_version,
               (SELECT count(*) FROM entry) AS entries,
               to_char(home.now AT TIME ZONE 'UTC', @pack_instant@)
                   AS sealed_at,
               :me::uuid AS sealed_by) x
    UNION ALL
    SELECT 2, lpad(rule.rule::text, 4, '0'), row_to_json(x)::text
      FROM rule
     CROSS JOIN LATERAL (
        SELECT 'rule' AS line, rule.rule, rule.activities,
               rule.capitalization_type, rule.development_phase,
               rule.funding_authorized, rule.completion_probable,
               rule.treatment, rule.reason) x
    UNION ALL
    SELECT 3, p.id::text, row_to_json(x)::text
      FROM (SELECT DISTINCT fact.project_id AS id FROM fact) d
     CROSS JOIN LATERAL (
        SELECT * FROM project p
         WHERE p.org_id = :org AND p.id = d.id LIMIT 1) p
     CROSS JOIN LATERAL (
        SELECT 'project' AS line, p.id, p.key, p.name) x
    UNION ALL
    SELECT 4, r.id::text, row_to_json(x)::text
      FROM (SELECT DISTINCT entry.rate_id AS id FROM entry) d
      JOIN labor_rate r ON r.org_id = :org AND r.id = d.id
     CROSS JOIN LATERAL (@pack_rate@) x
    UNION ALL
    SELECT 5, e.id::text, row_to_json(x)::text
      FROM entry e
     CROSS JOIN LATERAL (@pack_entry@) x
    UNION ALL
    SELECT 6, f.project_id || f.currency || f.activity, row_to_json(x)::text
      FROM figure f
     CROSS JOIN LATERAL (@pack_figure@) x
), document AS MATERIALIZED (
    SELECT string_agg(line.line || E'\n', ''
                      ORDER BY line.part, line.place COLLATE "C") AS content
      FROM line
     WHERE (SELECT refused.refusal IS NULL FROM refused)
), k AS (
    INSERT INTO report_pack (org_id, id, period, policy, policy_version, sha256,
                             content, created_by, created_at)
    SELECT :org, :new_pack, :period, :policy,
           (SELECT max(rule.version) FROM rule),
           encode(sha256(convert_to(d.content, 'UTF8')), 'hex'), d.content,
           :me, home.now
      FROM document d
     CROSS JOIN home
     WHERE d.content IS NOT NULL
    RETURNING *
)
SELECT @pack_columns@, refused.refusal AS _refusal
  FROM refused
  LEFT JOIN k ON true

-- name: pack_find_id :many
SELECT k.id, k.org_id, NULL::uuid AS project_id, k.period AS label, 1 AS rank
  FROM unnest(:orgs::uuid[]) AS mine (org_id)
  JOIN report_pack k ON k.org_id = mine.org_id AND k.id = :ref

-- name: pack_list :page
SELECT @pack_columns@, k.created_at AS _at, k.id AS _id
  FROM report_pack k
 WHERE k.org_id = :org
   AND (k.created_at, k.id)
       < ((SELECT coalesce(:after_at::timestamptz, 'infinity')),
          (SELECT coalesce(:after_id::uuid,
                           'ffffffff-ffff-ffff-ffff-ffffffffffff')))
 ORDER BY k.created_at DESC, k.id DESC
 LIMIT :limit

-- name: pack_get :one
SELECT @pack_columns@
  FROM report_pack k WHERE k.org_id = :org AND k.id = :pack

-- name: pack_document :one :slow
SELECT CASE WHEN @pack_whole@ THEN k.content END AS content,
       CASE WHEN @pack_whole@ THEN NULL ELSE 'partial' END AS _refusal
  FROM report_pack k WHERE k.org_id = :org AND k.id = :pack

-- What a line s is about.
-- fragment: pack_name
CASE WHEN s.line ->> 'line' = 'figure'
                        THEN concat_ws(' ', s.line ->> 'project_id',
                                       s.line ->> 'currency',
                                       s.line ->> 'activity')
                        ELSE s.line ->> 'id' END

-- First the bytes; when they are what was sealed, the figures out of the entries
-- and rules in them, and each entry and rate against the one there is.
-- name: pack_verify :one :slow
WITH pack AS MATERIALIZED (
    SELECT k.id, k.period, k.policy, k.policy_version, k.sha256, k.content,
           coalesce(@pack_whole@, false) AS whole,
           encode(sha256(convert_to(k.content, 'UTF8')), 'hex') = k.sha256
               AS intact
      FROM report_pack k
     WHERE k.org_id = :org AND k.id = :pack
), sealed AS MATERIALIZED (
    SELECT l.line::jsonb AS line
      FROM pack
     CROSS JOIN LATERAL string_to_table(pack.content, E'\n') AS l (line)
     WHERE pack.intact AND pack.whole AND l.line <> ''
), head AS MATERIALIZED (
    SELECT (line ->> 'first_day')::date AS first_day,
           (line ->> 'last_day')::date AS last_day
      FROM sealed WHERE line ->> 'line' = 'pack'
), entry AS MATERIALIZED (
    SELECT :org::uuid AS org_id, r.*
      FROM sealed
     CROSS JOIN LATERAL jsonb_to_record(sealed.line) AS r (
        id uuid, project_id uuid, minutes integer, activity text,
        rate_cents bigint, currency text, amount_cents bigint,
        capitalization_type text, development_phase text,
        funding_authorized boolean, completion_probable boolean,
        cost_center_id text)
     WHERE sealed.line ->> 'line' = 'entry'
), rule AS MATERIALIZED (
    SELECT r.*
      FROM sealed
     CROSS JOIN LATERAL jsonb_to_record(sealed.line) AS r (
        rule integer, activities text[], capitalization_type text,
        development_phase text, funding_authorized boolean,
        completion_probable boolean, treatment text)
     WHERE sealed.line ->> 'line' = 'rule'
), @capital_figures@, now AS MATERIALIZED (
    SELECT to_jsonb(x) AS line
      FROM figure f
     CROSS JOIN LATERAL (@pack_figure@) x
    UNION ALL
    SELECT to_jsonb(x)
      FROM time_entry e
     CROSS JOIN LATERAL (@pack_entry@) x
     WHERE e.org_id = :org AND e.status = 'Approved'
       AND e.work_date >= (SELECT head.first_day FROM head)
       AND e.work_date <= (SELECT head.last_day FROM head)
    UNION ALL
    SELECT to_jsonb(x)
      FROM sealed
      JOIN labor_rate r
        ON r.org_id = :org AND r.id = (sealed.line ->> 'id')::uuid
     CROSS JOIN LATERAL (@pack_rate@) x
     WHERE sealed.line ->> 'line' = 'rate'
), difference AS MATERIALIZED (
    SELECT coalesce(a.what, b.what) AS what, coalesce(a.name, b.name) AS name,
           CASE WHEN a.what IS NULL THEN 'added' WHEN b.what IS NULL
                THEN 'removed' ELSE 'changed' END AS change,
           a.line - 'line' AS sealed, b.line - 'line' AS found
      FROM (SELECT s.line ->> 'line' AS what, @pack_name@ AS name, s.line
              FROM sealed s
             WHERE s.line ->> 'line' IN ('entry', 'rate', 'figure')) a
      FULL JOIN (SELECT s.line ->> 'line' AS what, @pack_name@ AS name, s.line
                   FROM now s) b
        ON a.what = b.what AND a.name = b.name
     WHERE a.line IS DISTINCT FROM b.line
    UNION ALL
    SELECT 'amount', e.id::text, 'changed',
           jsonb_build_object('amount_cents', e.amount_cents),
           jsonb_build_object('amount_cents',
                              round(e.minutes::numeric * e.rate_cents / 60))
      FROM entry e
     WHERE e.amount_cents <> round(e.minutes::numeric * e.rate_cents / 60)
    UNION ALL
    SELECT 'document', pack.id::text, 'changed', to_jsonb(pack.sha256),
           to_jsonb(encode(sha256(convert_to(pack.content, 'UTF8')), 'hex'))
      FROM pack WHERE NOT pack.intact
)
SELECT pack.id, pack.period, pack.policy, pack.policy_version, pack.sha256,
       NOT EXISTS (SELECT FROM difference) AS verified,
       pack.intact AS document_intact,
       CASE WHEN pack.intact THEN NOT EXISTS (
            SELECT FROM difference d WHERE d.what IN ('figure', 'amount'))
            END AS figures_intact,
       CASE WHEN pack.intact THEN NOT EXISTS (
            SELECT FROM difference d WHERE d.what IN ('entry', 'rate'))
            END AS entries_intact,
       (SELECT count(*) FROM entry) AS entries,
       (SELECT count(*) FROM difference) AS differences_total,
       coalesce((SELECT json_agg(json_build_object('what', d.what,
                    'id', d.name, 'change', d.change, 'sealed', d.sealed,
                    'found', d.found) ORDER BY d.what, d.name)
                   FROM (SELECT * FROM difference d
                          ORDER BY d.what, d.name LIMIT 100) d), '[]'::json)
           AS differences,
       CASE WHEN NOT pack.whole THEN 'partial' END AS _refusal
  FROM pack
