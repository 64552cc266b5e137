-- Tickets: what is asked beyond the fence. Re-applied at every migration.

SET ROLE alloy_definer;

-- Tells of tickets that can't be seen no more than that they are between two
-- that can. UNION stops at a cycle, should there ever be one.
CREATE OR REPLACE FUNCTION definer.ticket_is_below(org uuid, ticket uuid,
                                                   above uuid)
    RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE chain (id) AS (
        SELECT ticket
        UNION
        SELECT t.parent_id
          FROM chain
          JOIN alloy.ticket t ON t.org_id = org AND t.id = chain.id
         WHERE t.parent_id IS NOT NULL
    )
    SELECT EXISTS (SELECT FROM chain WHERE id = above)
$$;
COMMENT ON FUNCTION definer.ticket_is_below(uuid, uuid, uuid) IS
    'Whether one ticket is another or has it among its parents';

CREATE OR REPLACE FUNCTION definer.ticket_leads_to(org uuid, kind text,
                                                   ticket uuid, other uuid)
    RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE chain (id) AS (
        SELECT ticket
        UNION
        SELECT k.target_id
          FROM chain
          JOIN alloy.ticket_link k
            ON k.org_id = org AND k.source_id = chain.id AND k.type = kind
    )
    SELECT EXISTS (SELECT FROM chain WHERE id = other)
$$;
COMMENT ON FUNCTION definer.ticket_leads_to(uuid, text, uuid, uuid) IS
    'Whether links of one type lead from one ticket to another';

REVOKE ALL ON FUNCTION
    definer.ticket_is_below(uuid, uuid, uuid),
    definer.ticket_leads_to(uuid, text, uuid, uuid)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    definer.ticket_is_below(uuid, uuid, uuid),
    definer.ticket_leads_to(uuid, text, uuid, uuid)
    TO alloy_app;

SET ROLE alloy_owner;
