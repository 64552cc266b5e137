-- Sprints, and the history that burndown and flow are computed from.

CREATE TABLE alloy.sprint (
    org_id       uuid        NOT NULL,
    id           uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    project_id   uuid        NOT NULL,
    number       integer     NOT NULL CHECK (number > 0),
    name         text        NOT NULL
                 CHECK (char_length(name) BETWEEN 1 AND 200),
    goal         text        CHECK (octet_length(goal) <= 65536),
    start_date   date,
    end_date     date        CHECK (end_date >= start_date),
    status       text        NOT NULL DEFAULT 'Planned'
                 CHECK (status IN ('Planned', 'Active', 'Completed')),
    started_at   timestamptz,
    completed_at timestamptz,
    version      bigint      NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at   timestamptz,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, project_id, number),
    FOREIGN KEY (org_id, project_id) REFERENCES alloy.project,
    CHECK ((status = 'Planned') = (started_at IS NULL)),
    CHECK ((status = 'Completed') = (completed_at IS NOT NULL))
);
CREATE INDEX sprint_newest
    ON alloy.sprint (org_id, project_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX sprint_active ON alloy.sprint (org_id, project_id)
    WHERE deleted_at IS NULL AND status = 'Active';
CREATE INDEX sprint_completed
    ON alloy.sprint (org_id, project_id, completed_at DESC)
    WHERE deleted_at IS NULL AND status = 'Completed';
COMMENT ON COLUMN alloy.sprint.number IS
    'Counts the project''s sprints from 1; a deleted one''s is not used again';

ALTER TABLE alloy.ticket
    ADD FOREIGN KEY (org_id, sprint_id) REFERENCES alloy.sprint;
CREATE INDEX ticket_sprint ON alloy.ticket (org_id, sprint_id, status)
    WHERE sprint_id IS NOT NULL;

ALTER TABLE alloy.project
    ADD COLUMN single_active_sprint boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN alloy.project.single_active_sprint IS
    'At most one of its sprints is active at a time';

-- What a ticket was from "at" on: in a sprint or, with NULL, in none; there or
-- not any more; how big; what its status meant. Of the rows of a ticket in a
-- sprint (or of a ticket anywhere in its project) the last one up to a moment
-- tells how it stood then. A ticket that changes sprints leaves first.
CREATE TABLE alloy.sprint_scope (
    org_id      uuid        NOT NULL,
    seq         bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    project_id  uuid        NOT NULL,
    sprint_id   uuid,
    ticket_id   uuid        NOT NULL,
    at          timestamptz NOT NULL,
    in_scope    boolean     NOT NULL,
    points_half integer,
    category    text        NOT NULL
                CHECK (category IN ('todo', 'in_progress', 'done')),
    PRIMARY KEY (org_id, seq)
);
-- No foreign keys: history outlives what it tells of.
CREATE INDEX sprint_scope_sprint
    ON alloy.sprint_scope (org_id, sprint_id, ticket_id, at, seq)
    WHERE sprint_id IS NOT NULL;
CREATE INDEX sprint_scope_project
    ON alloy.sprint_scope (org_id, project_id, ticket_id, at, seq);
COMMENT ON TABLE alloy.sprint_scope IS
    'Every ticket''s way through sprints, sizes and categories; appended by '
    'triggers, never altered';

CALL alloy.fence('alloy.sprint', 'project_id');
CALL alloy.fence('alloy.project', 'id');
CALL alloy.fence('alloy.sprint_scope', 'project_id');
REVOKE INSERT, UPDATE (seq, sprint_id, ticket_id, at, in_scope, points_half,
                       category)
    ON alloy.sprint_scope FROM alloy_app;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA alloy TO alloy_backup;

CALL alloy.keep_version('alloy.sprint');
CALL alloy.log_changes('alloy.sprint', 'sprint',
    '{project_id,number,name,start_date,end_date,status,started_at,
      completed_at,deleted_at}', '{goal}', project_id => 'project_id');
CALL alloy.log_changes('alloy.project', 'project',
    '{key,name,workflow_id,budget_cents,budget_period,capitalization_type,
      development_phase,cost_center_id,amortization_months,archived,
      single_active_sprint,created_by,deleted_at}', '{description}',
    project_id => 'id', counter => 'ticket_counter');

-- Tickets that were there before: nobody recorded when they changed, so they
-- are as they are from their making on, those that are done from their closing.
ALTER TABLE alloy.sprint_scope NO FORCE ROW LEVEL SECURITY;
ALTER TABLE alloy.ticket NO FORCE ROW LEVEL SECURITY;
ALTER TABLE alloy.workflow_status NO FORCE ROW LEVEL SECURITY;
INSERT INTO alloy.sprint_scope (org_id, project_id, ticket_id, at, in_scope,
                                points_half, category)
SELECT t.org_id, t.project_id, t.id, x.at, x.in_scope, t.points_half, x.category
  FROM alloy.ticket t
  JOIN alloy.workflow_status s
    ON s.org_id = t.org_id AND s.workflow_id = t.workflow_id
   AND s.name = t.status
 CROSS JOIN LATERAL (
    VALUES (1, t.created_at, true,
            CASE WHEN t.closed_at IS NULL THEN s.category ELSE 'todo' END),
           (2, t.closed_at, true, s.category),
           (3, t.deleted_at, false, s.category)) x (n, at, in_scope, category)
 WHERE x.at IS NOT NULL
 ORDER BY x.at, x.n;
ALTER TABLE alloy.sprint_scope FORCE ROW LEVEL SECURITY;
ALTER TABLE alloy.ticket FORCE ROW LEVEL SECURITY;
ALTER TABLE alloy.workflow_status FORCE ROW LEVEL SECURITY;

-- Writing it ----------------------------------------------------------------------

GRANT INSERT ON alloy.sprint_scope TO alloy_definer;
CREATE POLICY definer ON alloy.sprint_scope FOR INSERT TO alloy_definer
    WITH CHECK (true);
GRANT SELECT ON alloy.workflow_status, alloy.ticket TO alloy_definer;
CREATE POLICY definer ON alloy.workflow_status FOR SELECT TO alloy_definer
    USING (true);

SET LOCAL ROLE alloy_definer;

CREATE FUNCTION definer.scope_inserted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO alloy.sprint_scope (org_id, project_id, sprint_id, ticket_id,
                                    at, in_scope, points_half, category)
    SELECT n.org_id, n.project_id, n.sprint_id, n.id, clock_timestamp(),
           n.deleted_at IS NULL, n.points_half, s.category
      FROM new_rows n
      JOIN alloy.workflow_status s
        ON s.org_id = n.org_id AND s.workflow_id = n.workflow_id
       AND s.name = n.status;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION definer.scope_inserted() IS
    'Begins the history of new tickets';

-- A move between statuses of one category is no event here.
CREATE FUNCTION definer.scope_updated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moment  timestamptz := clock_timestamp();
    meant   text;
    means   text := (SELECT s.category FROM alloy.workflow_status s
                      WHERE s.org_id = NEW.org_id
                        AND s.workflow_id = NEW.workflow_id
                        AND s.name = NEW.status);
BEGIN
    IF (OLD.sprint_id, OLD.points_half, OLD.deleted_at IS NULL)
       IS NOT DISTINCT FROM
       (NEW.sprint_id, NEW.points_half, NEW.deleted_at IS NULL) THEN
        meant := (SELECT s.category FROM alloy.workflow_status s
                   WHERE s.org_id = OLD.org_id
                     AND s.workflow_id = OLD.workflow_id
                     AND s.name = OLD.status);
        IF means = meant THEN
            RETURN NULL;
        END IF;
    END IF;
    IF OLD.sprint_id IS DISTINCT FROM NEW.sprint_id
       AND OLD.sprint_id IS NOT NULL THEN
        INSERT INTO alloy.sprint_scope (org_id, project_id, sprint_id,
            ticket_id, at, in_scope, points_half, category)
        VALUES (NEW.org_id, NEW.project_id, OLD.sprint_id, NEW.id, moment,
                false, NEW.points_half, means);
    END IF;
    INSERT INTO alloy.sprint_scope (org_id, project_id, sprint_id, ticket_id,
        at, in_scope, points_half, category)
    VALUES (NEW.org_id, NEW.project_id, NEW.sprint_id, NEW.id, moment,
            NEW.deleted_at IS NULL, NEW.points_half, means);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION definer.scope_updated() IS
    'Continues the history of a ticket that moved, grew, ended or came back';

CREATE FUNCTION definer.scope_recategorized() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO alloy.sprint_scope (org_id, project_id, sprint_id, ticket_id,
                                    at, in_scope, points_half, category)
    SELECT t.org_id, t.project_id, t.sprint_id, t.id, clock_timestamp(),
           t.deleted_at IS NULL, t.points_half, NEW.category
      FROM alloy.ticket t
     WHERE t.org_id = NEW.org_id AND t.workflow_id = NEW.workflow_id
       AND t.status = NEW.name;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION definer.scope_recategorized() IS
    'Continues the history of tickets whose status came to mean something else';

GRANT EXECUTE ON FUNCTION definer.scope_inserted(), definer.scope_updated(),
                          definer.scope_recategorized()
   TO alloy_owner;

SET LOCAL ROLE alloy_owner;

CREATE TRIGGER scope_insert AFTER INSERT ON alloy.ticket
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION definer.scope_inserted();
-- By row, because the condition keeps most updates out of the function.
CREATE TRIGGER scope_update AFTER UPDATE ON alloy.ticket
    FOR EACH ROW WHEN ((OLD.sprint_id, OLD.points_half, OLD.workflow_id,
                        OLD.status, OLD.deleted_at IS NULL)
                       IS DISTINCT FROM
                       (NEW.sprint_id, NEW.points_half, NEW.workflow_id,
                        NEW.status, NEW.deleted_at IS NULL))
    EXECUTE FUNCTION definer.scope_updated();
CREATE TRIGGER scope_recategorize AFTER UPDATE ON alloy.workflow_status
    FOR EACH ROW WHEN (OLD.category <> NEW.category)
    EXECUTE FUNCTION definer.scope_recategorized();
