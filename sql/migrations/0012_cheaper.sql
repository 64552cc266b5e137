-- What each write pays, made cheaper without letting anything else through.
-- Expressions of CHECK constraints are read from
-- the catalogue and planned again by every statement that writes; the body of a
-- PL/pgSQL function once per session.

-- Ids ------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION alloy.same_shard(org_id uuid, id uuid)
    RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN substring(uuid_send(org_id), 7, 2) = substring(uuid_send(id), 7, 2);
END
$$;

-- Tickets --------------------------------------------------------------------

-- NULL passes, as it does in a CHECK; NOT NULL is the columns' own.
CREATE FUNCTION alloy.ticket_fits(ticket_number bigint, title text,
                                  description text, type text, priority text,
                                  parent_id uuid, id uuid, points_half integer)
    RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN ticket_number > 0
       AND char_length(title) BETWEEN 1 AND 500
       AND octet_length(description) <= 65536
       AND type IN ('Task', 'Bug', 'Story', 'Epic')
       AND priority IN ('Critical', 'High', 'Medium', 'Low')
       AND parent_id <> id
       AND points_half BETWEEN 0 AND 2000;
END
$$;
COMMENT ON FUNCTION alloy.ticket_fits(bigint, text, text, text, text, uuid,
    uuid, integer) IS
    'Which values a ticket may have, as one CHECK constraint';
GRANT EXECUTE ON FUNCTION alloy.ticket_fits(bigint, text, text, text, text,
    uuid, uuid, integer) TO alloy_app, alloy_definer;

ALTER TABLE alloy.ticket
    DROP CONSTRAINT ticket_check1,
    DROP CONSTRAINT ticket_description_check,
    DROP CONSTRAINT ticket_points_half_check,
    DROP CONSTRAINT ticket_priority_check,
    DROP CONSTRAINT ticket_ticket_number_check,
    DROP CONSTRAINT ticket_title_check,
    DROP CONSTRAINT ticket_type_check,
    ADD CONSTRAINT ticket_fits CHECK (
        alloy.ticket_fits(ticket_number, title, description, type, priority,
                          parent_id, id, points_half));

-- Projects -------------------------------------------------------------------

-- Each new ticket updates its project, which is then checked as a whole.
CREATE FUNCTION alloy.project_fits(
    key text, name text, description text, budget_cents bigint,
    budget_period text, capitalization_type text, development_phase text,
    cost_center_id text, amortization_months integer)
    RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN key ~ '^[A-Z][A-Z0-9]{1,9}$'
       AND char_length(name) BETWEEN 1 AND 200
       AND octet_length(description) <= 65536
       AND budget_cents >= 0
       AND budget_period IN ('Monthly', 'Quarterly', 'Annual', 'Total')
       AND capitalization_type IN ('Capex', 'Opex')
       AND development_phase IN ('Preliminary', 'AppDevelopment',
                                 'PostImplementation')
       AND char_length(cost_center_id) <= 200
       AND amortization_months > 0;
END
$$;
COMMENT ON FUNCTION alloy.project_fits(text, text, text, bigint, text, text,
    text, text, integer) IS
    'Which values a project may have, as one CHECK constraint';
GRANT EXECUTE ON FUNCTION alloy.project_fits(text, text, text, bigint, text,
    text, text, text, integer) TO alloy_app, alloy_definer;

ALTER TABLE alloy.project
    DROP CONSTRAINT project_amortization_months_check,
    DROP CONSTRAINT project_budget_cents_check,
    DROP CONSTRAINT project_budget_period_check,
    DROP CONSTRAINT project_capitalization_type_check,
    DROP CONSTRAINT project_cost_center_id_check,
    DROP CONSTRAINT project_description_check,
    DROP CONSTRAINT project_development_phase_check,
    DROP CONSTRAINT project_key_check,
    DROP CONSTRAINT project_name_check,
    ADD CONSTRAINT project_fits CHECK (
        alloy.project_fits(key, name, description, budget_cents, budget_period,
                           capitalization_type, development_phase,
                           cost_center_id, amortization_months));

-- Statistics -----------------------------------------------------------------

-- The planner takes org_id and project_id for independent and expects a tenth of
-- a project's rows where an organization has ten projects.
CREATE STATISTICS alloy.ticket_places (dependencies, ndistinct)
    ON org_id, project_id FROM alloy.ticket;
