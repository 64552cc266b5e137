-- What the statements of workflows call. Re-applied after every migration run.

-- The shortest way to each status that can be reached from one, by transitions
-- open to these roles: breadth first, each status looked at once. Of two ways of
-- one length it takes the one through the earlier transitions.
CREATE OR REPLACE FUNCTION alloy.workflow_ways(org uuid, workflow uuid,
                                               start text, mine text[])
    RETURNS TABLE (status text, path text[])
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    names text[] := ARRAY[start];
    ways  text[] := ARRAY['[]'];
    place integer := 1;
    next  text;
BEGIN
    WHILE place <= cardinality(names) LOOP
        FOR next IN
            SELECT x.to_status FROM alloy.workflow_transition x
             WHERE x.org_id = org AND x.workflow_id = workflow
               AND x.from_status = names[place]
               AND (x.roles = '{}' OR x.roles && mine)
             ORDER BY x.position
        LOOP
            IF next <> ALL (names) THEN
                names := names || next;
                ways := ways || (ways[place]::jsonb || to_jsonb(next))::text;
            END IF;
        END LOOP;
        place := place + 1;
    END LOOP;
    RETURN QUERY
        SELECT n.name, ARRAY(SELECT jsonb_array_elements_text(n.way::jsonb))
          FROM unnest(names, ways) AS n (name, way);
END
$$;
COMMENT ON FUNCTION alloy.workflow_ways(uuid, uuid, text, text[]) IS
    'Shortest ways through a workflow from one of its statuses';
REVOKE ALL ON FUNCTION alloy.workflow_ways(uuid, uuid, text, text[])
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION alloy.workflow_ways(uuid, uuid, text, text[])
    TO alloy_app;
