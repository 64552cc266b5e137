-- Time worked, what an hour of it costs, what was true of a project when, closed
-- periods, sealed reports.

-- What costs are made from ----------------------------------------------------

-- What an hour of somebody costs from a day on. Rows come and never change: a
-- correction is a later day's row, and what was frozen names the row it used.
CREATE TABLE alloy.labor_rate (
    org_id         uuid        NOT NULL REFERENCES alloy.organization,
    id             uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    user_id        uuid,
    rate_cents     bigint      NOT NULL
                   CHECK (rate_cents BETWEEN 0 AND 1000000000000),
    currency       text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    effective_date date        NOT NULL,
    created_by     uuid        NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    UNIQUE NULLS NOT DISTINCT (org_id, user_id, effective_date),
    FOREIGN KEY (org_id, user_id) REFERENCES alloy.membership,
    FOREIGN KEY (org_id, created_by) REFERENCES alloy.membership
);
CREATE INDEX labor_rate_newest
    ON alloy.labor_rate (org_id, created_at DESC, id DESC);
COMMENT ON COLUMN alloy.labor_rate.user_id IS
    'NULL: whoever has no rate of his own on that day';
COMMENT ON COLUMN alloy.labor_rate.currency IS
    'The organization''s when the rate was set';

-- What is true of a project from a day on. The two that are columns of the
-- project as well are kept here by its triggers, below.
CREATE TABLE alloy.project_fact (
    org_id         uuid        NOT NULL,
    id             uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    project_id     uuid        NOT NULL,
    kind           text        NOT NULL,
    value          text,
    effective_date date        NOT NULL,
    follows        uuid        CHECK (follows = project_id),
    created_by     uuid,
    version        bigint      NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, project_id, kind, effective_date),
    FOREIGN KEY (org_id, project_id) REFERENCES alloy.project,
    CONSTRAINT project_fact_fits CHECK (CASE kind
        WHEN 'capitalization_type' THEN value IN ('Capex', 'Opex')
        WHEN 'development_phase' THEN value IN
            ('Preliminary', 'AppDevelopment', 'PostImplementation')
        WHEN 'funding_authorized' THEN value IN ('true', 'false')
        WHEN 'completion_probable' THEN value IN ('true', 'false')
        ELSE false END)
);
COMMENT ON COLUMN alloy.project_fact.value IS
    'NULL: from that day on nothing is said';
COMMENT ON COLUMN alloy.project_fact.follows IS
    'The project, whose column was changed: this row came with that, and whoever '
    'undoes that undoes this. NULL: said by itself';
COMMENT ON COLUMN alloy.project_fact.effective_date IS
    '-infinity: from the beginning, for what a project was before anybody said';

CREATE TABLE alloy.project_finance (
    org_id             uuid NOT NULL,
    project_id         uuid NOT NULL,
    budget_enforcement text NOT NULL
                       CHECK (budget_enforcement IN ('none', 'warn', 'block')),
    PRIMARY KEY (org_id, project_id),
    FOREIGN KEY (org_id, project_id) REFERENCES alloy.project
);
COMMENT ON COLUMN alloy.project_finance.budget_enforcement IS
    'What happens when time is approved that the budget doesn''t cover';

-- Time ------------------------------------------------------------------------

CREATE TABLE alloy.time_entry (
    org_id              uuid        NOT NULL,
    id                  uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    project_id          uuid        NOT NULL,
    ticket_id           uuid        NOT NULL,
    user_id             uuid        NOT NULL,
    work_date           date        NOT NULL,
    day                 date        NOT NULL,
    minutes             integer     NOT NULL,
    activity            text        NOT NULL CHECK (activity IN
                        ('Development', 'Design', 'Testing', 'Planning',
                         'Maintenance', 'Training', 'Meeting', 'Other')),
    work_location       text        CHECK (char_length(work_location) <= 200),
    description         text        CHECK (char_length(description) <= 4000),
    adjusts             uuid,
    status              text        NOT NULL DEFAULT 'Draft' CHECK (status IN
                        ('Draft', 'Submitted', 'Approved', 'Rejected')),
    reject_reason       text        CHECK (char_length(reject_reason) <= 1000),
    submitted_at        timestamptz,
    decided_at          timestamptz,
    decided_by          uuid,
    rate_id             uuid,
    rate_cents          bigint,
    amount_cents        bigint,
    currency            text,
    capitalization_type text,
    development_phase   text,
    funding_authorized  boolean,
    completion_probable boolean,
    cost_center_id      text,
    created_by          uuid        NOT NULL,
    version             bigint      NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at          timestamptz,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, project_id) REFERENCES alloy.project,
    FOREIGN KEY (org_id, ticket_id) REFERENCES alloy.ticket,
    FOREIGN KEY (org_id, user_id) REFERENCES alloy.membership,
    FOREIGN KEY (org_id, created_by) REFERENCES alloy.membership,
    FOREIGN KEY (org_id, decided_by) REFERENCES alloy.membership,
    FOREIGN KEY (org_id, rate_id) REFERENCES alloy.labor_rate,
    FOREIGN KEY (org_id, adjusts) REFERENCES alloy.time_entry,
    CONSTRAINT time_entry_minutes CHECK (CASE WHEN adjusts IS NULL
        THEN minutes BETWEEN 1 AND 1440 AND day = work_date
        ELSE minutes BETWEEN -1440 AND 1440 AND minutes <> 0 END),
    CONSTRAINT time_entry_frozen CHECK (
        (rate_id IS NULL) = (rate_cents IS NULL)
        AND (rate_cents IS NULL) = (amount_cents IS NULL)
        AND CASE WHEN status = 'Approved'
            THEN decided_at IS NOT NULL AND decided_by IS NOT NULL
                 AND currency IS NOT NULL AND deleted_at IS NULL
            ELSE rate_id IS NULL AND currency IS NULL
                 AND capitalization_type IS NULL AND development_phase IS NULL
            END)
);
COMMENT ON TABLE alloy.time_entry IS
    'Work on a ticket. What approval froze is never written again';
COMMENT ON COLUMN alloy.time_entry.work_date IS
    'The day it is booked on: its period is the one of this day';
COMMENT ON COLUMN alloy.time_entry.day IS
    'The day whose 24 hours it fills: work_date, or the day of what it adjusts';
COMMENT ON COLUMN alloy.time_entry.adjusts IS
    'The approved entry this one corrects, by more or by less; it takes that '
    'one''s rate and facts';
COMMENT ON COLUMN alloy.time_entry.rate_cents IS
    'From here on frozen by approval: what was in force on work_date. NULL: '
    'nobody had set a rate';

CREATE INDEX time_entry_newest
    ON alloy.time_entry (org_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX time_entry_user
    ON alloy.time_entry (org_id, user_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX time_entry_project
    ON alloy.time_entry (org_id, project_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX time_entry_ticket
    ON alloy.time_entry (org_id, ticket_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX time_entry_day ON alloy.time_entry (org_id, user_id, day)
    WHERE deleted_at IS NULL;
CREATE INDEX time_entry_adjusts ON alloy.time_entry (org_id, adjusts)
    WHERE adjusts IS NOT NULL AND deleted_at IS NULL;
-- Reports: a period's approved time, of the organization and of one project.
CREATE INDEX time_entry_approved ON alloy.time_entry (org_id, work_date)
    WHERE status = 'Approved';
CREATE INDEX time_entry_spent ON alloy.time_entry (org_id, project_id, work_date)
    INCLUDE (minutes, amount_cents)
    WHERE status = 'Approved';

-- Periods and reports ---------------------------------------------------------

-- One row for each closed month; a quarter is three. That there is none yet is
-- what a writer relies on, and nobody can lock a row that is not there: writers
-- share an advisory lock of the organization, closing takes it alone.
CREATE TABLE alloy.period_close (
    org_id    uuid        NOT NULL REFERENCES alloy.organization,
    id        uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    first_day date        NOT NULL
              CHECK (first_day = date_trunc('month', first_day)::date),
    last_day  date        NOT NULL
              CHECK (last_day = (first_day + interval '1 month')::date - 1),
    closed_by uuid        NOT NULL,
    closed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, first_day),
    FOREIGN KEY (org_id, closed_by) REFERENCES alloy.membership
);

CREATE TABLE alloy.report_pack (
    org_id         uuid        NOT NULL REFERENCES alloy.organization,
    id             uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    period         text        NOT NULL
                   CHECK (period ~ '^[0-9]{4}(-(0[1-9]|1[0-2]|Q[1-4]))?$'),
    policy         text        NOT NULL,
    policy_version integer     NOT NULL,
    sha256         text        NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    content        text        NOT NULL,
    created_by     uuid        NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, created_by) REFERENCES alloy.membership
);
CREATE INDEX report_pack_newest
    ON alloy.report_pack (org_id, created_at DESC, id DESC);
COMMENT ON COLUMN alloy.report_pack.content IS
    'The document as it was sealed; sha256 is of its UTF-8';

-- Fences, versions, history ---------------------------------------------------

CALL alloy.fence('alloy.labor_rate');
CALL alloy.fence('alloy.project_fact', 'project_id');
CALL alloy.fence('alloy.project_finance', 'project_id');
CALL alloy.fence('alloy.time_entry', 'project_id');
CALL alloy.fence('alloy.period_close');
CALL alloy.fence('alloy.report_pack');

CALL alloy.keep_version('alloy.project_fact');
CALL alloy.keep_version('alloy.time_entry');

CALL alloy.log_changes('alloy.labor_rate', 'labor_rate',
    '{user_id,rate_cents,currency,effective_date,created_by}');
CALL alloy.log_changes('alloy.project_fact', 'project_fact',
    '{kind,value,effective_date,created_by}', project_id => 'project_id',
    parent_id => 'follows');
CALL alloy.log_changes('alloy.project_finance', 'project_finance',
    '{budget_enforcement}', entity_id => 'project_id',
    project_id => 'project_id');
CALL alloy.log_changes('alloy.time_entry', 'time_entry',
    '{ticket_id,user_id,work_date,minutes,activity,work_location,description,
      adjusts,status,reject_reason,submitted_at,decided_at,decided_by,rate_id,
      rate_cents,amount_cents,currency,capitalization_type,development_phase,
      funding_authorized,completion_probable,cost_center_id,created_by,
      deleted_at}', project_id => 'project_id');
CALL alloy.log_changes('alloy.period_close', 'period_close',
    '{first_day,last_day,closed_by}');
CALL alloy.log_changes('alloy.report_pack', 'report_pack',
    '{period,policy,policy_version,sha256,created_by}');

-- What is only ever added.
DO $$
DECLARE
    t       text;
    columns text;
BEGIN
    FOREACH t IN ARRAY '{labor_rate,period_close,report_pack}'::text[] LOOP
        SELECT string_agg(quote_ident(attname), ', ') INTO columns
          FROM pg_attribute
         WHERE attrelid = ('alloy.' || t)::regclass
           AND attnum > 0 AND NOT attisdropped;
        EXECUTE format('REVOKE UPDATE (%s) ON alloy.%I FROM alloy_app',
                       columns, t);
    END LOOP;
END
$$;

-- Rules of the tables themselves ----------------------------------------------

-- Statements refuse this in words; here is what an auditor can rely on.
CREATE FUNCTION alloy.refuse_thaw() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'time entry % is approved and never changes', OLD.id
        USING ERRCODE = 'integrity_constraint_violation',
              HINT = 'Correct it by an adjusting entry.';
END
$$;
REVOKE ALL ON FUNCTION alloy.refuse_thaw() FROM PUBLIC;
CREATE TRIGGER refuse_thaw BEFORE UPDATE ON alloy.time_entry
    FOR EACH ROW WHEN (OLD.status = 'Approved' AND OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION alloy.refuse_thaw();

-- The first value a project is given was true from its beginning; another one is
-- from today on, by the organization's calendar. Nothing is written when the
-- facts say so already.
CREATE FUNCTION alloy.keep_fact(org uuid, project uuid, what text, former text,
                                latter text)
    RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    today   date := (SELECT (clock_timestamp() AT TIME ZONE o.timezone)::date
                       FROM alloy.organization o WHERE o.org_id = org);
    caller  uuid := nullif(current_setting('alloy.me', true), '')::uuid;
    known   boolean;
    current text;
BEGIN
    SELECT true, f.value INTO known, current
      FROM alloy.project_fact f
     WHERE f.org_id = org AND f.project_id = project AND f.kind = what
       AND f.effective_date <= today
     ORDER BY f.effective_date DESC
     LIMIT 1;
    IF known AND current IS NOT DISTINCT FROM latter THEN
        RETURN;
    END IF;
    IF NOT coalesce(known, false) THEN
        INSERT INTO alloy.project_fact (org_id, id, project_id, kind, value,
                                        effective_date, follows, created_by)
        VALUES (org, alloy.new_id(org), project, what,
                coalesce(former, latter), '-infinity', project, caller);
        IF former IS NULL THEN
            RETURN;
        END IF;
    END IF;
    INSERT INTO alloy.project_fact AS f (org_id, id, project_id, kind, value,
                                         effective_date, follows, created_by)
    VALUES (org, alloy.new_id(org), project, what, latter, today, project,
            caller)
        ON CONFLICT (org_id, project_id, kind, effective_date) DO UPDATE
       SET value = excluded.value, follows = excluded.follows,
           created_by = excluded.created_by;
END
$$;
COMMENT ON FUNCTION alloy.keep_fact(uuid, uuid, text, text, text) IS
    'Dates a change of a project''s column of this name';
REVOKE ALL ON FUNCTION alloy.keep_fact(uuid, uuid, text, text, text)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION alloy.keep_fact(uuid, uuid, text, text, text)
   TO alloy_app;

CREATE FUNCTION alloy.keep_facts() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.capitalization_type IS DISTINCT FROM OLD.capitalization_type THEN
        PERFORM alloy.keep_fact(NEW.org_id, NEW.id, 'capitalization_type',
            OLD.capitalization_type, NEW.capitalization_type);
    END IF;
    IF NEW.development_phase IS DISTINCT FROM OLD.development_phase THEN
        PERFORM alloy.keep_fact(NEW.org_id, NEW.id, 'development_phase',
            OLD.development_phase, NEW.development_phase);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION alloy.keep_facts() FROM PUBLIC;

-- Only for what names these columns: a ticket's number, which every new ticket
-- counts up, asks nothing.
CREATE TRIGGER keep_facts_first AFTER INSERT ON alloy.project
    FOR EACH ROW WHEN (num_nonnulls(NEW.capitalization_type,
                                    NEW.development_phase) > 0)
    EXECUTE FUNCTION alloy.keep_facts();
CREATE TRIGGER keep_facts
    AFTER UPDATE OF capitalization_type, development_phase ON alloy.project
    FOR EACH ROW WHEN ((OLD.capitalization_type, OLD.development_phase)
                       IS DISTINCT FROM
                       (NEW.capitalization_type, NEW.development_phase))
    EXECUTE FUNCTION alloy.keep_facts();

-- Projects that were there before.
ALTER TABLE alloy.project NO FORCE ROW LEVEL SECURITY;
ALTER TABLE alloy.project_fact NO FORCE ROW LEVEL SECURITY;
INSERT INTO alloy.project_fact (org_id, id, project_id, kind, value,
                                effective_date, follows)
SELECT p.org_id, alloy.new_id(p.org_id), p.id, k.kind, k.value, '-infinity', p.id
  FROM alloy.project p
 CROSS JOIN LATERAL (
    VALUES ('capitalization_type', p.capitalization_type),
           ('development_phase', p.development_phase)) AS k (kind, value)
 WHERE k.value IS NOT NULL;
ALTER TABLE alloy.project_fact FORCE ROW LEVEL SECURITY;
ALTER TABLE alloy.project FORCE ROW LEVEL SECURITY;

-- Definer functions: a day is full with time one may not see -------------------

GRANT SELECT (org_id, id, user_id, day, minutes, status, deleted_at)
   ON alloy.time_entry TO alloy_definer;
CREATE POLICY definer ON alloy.time_entry FOR SELECT TO alloy_definer
    USING (true);
