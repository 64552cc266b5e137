-- Comments: whom a text mentions. Re-applied at every migration.

-- "@ann@example.com" mentions whoever has this address and belongs to the
-- organization. Most texts have no @ and cost nothing more than looking.
CREATE OR REPLACE FUNCTION alloy.mentions(org uuid, body text) RETURNS uuid[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN position('@' IN body) = 0 THEN '{}'::uuid[]
           ELSE ARRAY(
               SELECT m.user_id
                 FROM alloy.membership m
                 JOIN identity.person u ON u.id = m.user_id
                WHERE m.org_id = org AND m.removed_at IS NULL
                  AND lower(u.email) IN (
                      SELECT lower(found[1])
                        FROM regexp_matches(body,
                             '(?:^|[^[:alnum:]._%+-])@'
                             '([[:alnum:]._%+-]+@[[:alnum:]-]+'
                             '(?:\.[[:alnum:]-]+)+)', 'g') AS r (found))
                ORDER BY m.user_id) END
$$;
COMMENT ON FUNCTION alloy.mentions(uuid, text) IS
    'Members of the organization whose addresses a text mentions, in order of id';

-- Of these, those who see the project.
CREATE OR REPLACE FUNCTION alloy.mentions(org uuid, project uuid, body text)
    RETURNS uuid[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN position('@' IN body) = 0 THEN '{}'::uuid[]
           ELSE ARRAY(
               SELECT m.user_id
                 FROM unnest(alloy.mentions(org, body)) AS named (id)
                 JOIN alloy.membership m
                   ON m.org_id = org AND m.user_id = named.id
                 JOIN alloy.organization o ON o.org_id = org
                WHERE m.role IN ('Owner', 'Admin')
                   OR (o.project_visibility = 'org'
                       AND m.role IN ('Member', 'Viewer'))
                   OR EXISTS (SELECT FROM alloy.project_member x
                               WHERE x.org_id = org
                                 AND x.project_id = project
                                 AND x.user_id = m.user_id)
                ORDER BY m.user_id) END
$$;
COMMENT ON FUNCTION alloy.mentions(uuid, uuid, text) IS
    'Those whose addresses a text mentions and who see the project';

REVOKE ALL ON FUNCTION alloy.mentions(uuid, text),
    alloy.mentions(uuid, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION alloy.mentions(uuid, text),
    alloy.mentions(uuid, uuid, text) TO alloy_app;
