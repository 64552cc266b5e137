-- What every new ticket pays for its number and its history, made cheaper
-- without letting anything else through.

-- Projects -------------------------------------------------------------------

-- Conditions of triggers and CHECK constraints are read from the catalogue anew
-- by each statement that updates the table, whatever it updates; the columns a
-- trigger is for are compared at once. A statement that does nothing but count
-- names none of them.
CREATE PROCEDURE alloy.spare_counter(t regclass, counter text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    others text := (SELECT string_agg(quote_ident(attname), ', '
                                      ORDER BY attnum)
                      FROM pg_attribute
                     WHERE attrelid = t AND attnum > 0 AND NOT attisdropped
                       AND attname <> counter);
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER raise_version '
        'BEFORE UPDATE OF %s ON %s '
        'FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.* '
        'AND OLD.%3$I = NEW.%3$I) EXECUTE FUNCTION alloy.raise_version()',
        others, t, counter);
    EXECUTE format('CREATE OR REPLACE TRIGGER log_update '
        'AFTER UPDATE OF %s ON %s '
        'FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.* '
        'AND OLD.%3$I = NEW.%3$I) EXECUTE FUNCTION definer.%4$I()',
        others, t, counter,
        (SELECT 'log_' || relname FROM pg_class WHERE oid = t));
END
$$;
COMMENT ON PROCEDURE alloy.spare_counter(regclass, text) IS
    'Keeps version and history out of updates of the counter; to be called '
    'again after keep_version, log_changes or a new column';
CALL alloy.spare_counter('alloy.project', 'ticket_counter');

CREATE FUNCTION alloy.refuse_project() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'new row for relation "project" violates check constraint '
        '"project_fits"'
        USING ERRCODE = 'check_violation', SCHEMA = 'alloy', TABLE = 'project',
              CONSTRAINT = 'project_fits';
END
$$;

-- In place of CHECK constraints, with the same conditions; keys never change.
CREATE TRIGGER project_fits
    BEFORE INSERT OR UPDATE OF org_id, id, key, name, description, budget_cents,
        budget_period, capitalization_type, development_phase, cost_center_id,
        amortization_months ON alloy.project
    FOR EACH ROW WHEN (
        NOT alloy.same_shard(NEW.org_id, NEW.id)
        OR NOT alloy.project_fits(NEW.key, NEW.name, NEW.description,
            NEW.budget_cents, NEW.budget_period, NEW.capitalization_type,
            NEW.development_phase, NEW.cost_center_id,
            NEW.amortization_months))
    EXECUTE FUNCTION alloy.refuse_project();
ALTER TABLE alloy.project
    DROP CONSTRAINT project_check,
    DROP CONSTRAINT project_fits;

-- Sprints --------------------------------------------------------------------

SET LOCAL ROLE alloy_definer;

-- One look for each new ticket. Of a join the planner, who expects a thousand
-- new ones, makes a table of everybody's statuses.
CREATE OR REPLACE FUNCTION definer.scope_inserted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO alloy.sprint_scope (org_id, project_id, sprint_id, ticket_id,
                                    at, in_scope, points_half, category)
    SELECT n.org_id, n.project_id, n.sprint_id, n.id, clock_timestamp(),
           n.deleted_at IS NULL, n.points_half, s.category
      FROM new_rows n
     CROSS JOIN LATERAL (
        SELECT s.category FROM alloy.workflow_status s
         WHERE s.org_id = n.org_id AND s.workflow_id = n.workflow_id
           AND s.name = n.status
         LIMIT 1) s;
    RETURN NULL;
END
$$;

SET LOCAL ROLE alloy_owner;
