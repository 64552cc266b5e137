-- What readers of the feed gained and lost sight of. Run as alloy_owner after
-- every migration, like sql/functions.sql.

-- A copy of the database goes its own way.
DO $$
BEGIN
    IF EXISTS (SELECT FROM alloy.feed f
                WHERE f.database <> (SELECT oid FROM pg_database
                                      WHERE datname = current_database())) THEN
        CALL alloy.restart_feed();
    END IF;
END
$$;

SET ROLE alloy_definer;

-- The projects somebody saw in a snapshot: what is there now, with every change
-- undone that the snapshot did not see. Of several, the first one tells what was
-- before. Deleted projects count as seen: that they are deleted is no matter of
-- access.
CREATE OR REPLACE FUNCTION definer.projects_seen(whom uuid, in_sight pg_snapshot)
    RETURNS TABLE (org_id uuid, project_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH member AS MATERIALIZED (
        SELECT m.org_id, coalesce(past.role, m.role) AS role
          FROM identity.affiliation a
          JOIN alloy.membership m
            ON m.org_id = a.org_id AND m.user_id = a.user_id
         CROSS JOIN LATERAL (
            SELECT coalesce(bool_or(c.before IS NULL), false) AS made,
                   (array_agg(c.before ->> 'role' ORDER BY c.seq)
                    FILTER (WHERE c.before ? 'role'))[1] AS role,
                   count(*) FILTER (WHERE c.before ? 'removed_at') > 0 AS moved,
                   (array_agg(c.before ->> 'removed_at' ORDER BY c.seq)
                    FILTER (WHERE c.before ? 'removed_at'))[1] AS removed_at
              FROM alloy.change c
             WHERE c.org_id = m.org_id AND c.entity_type = 'membership'
               AND c.entity_id = m.user_id
               AND NOT pg_visible_in_snapshot(c.xid, in_sight)) AS past
         WHERE a.user_id = whom AND NOT past.made
           AND CASE WHEN past.moved THEN past.removed_at IS NULL
                    ELSE m.removed_at IS NULL END
    ), org AS MATERIALIZED (
        SELECT o.org_id,
               m.role IN ('Owner', 'Admin')
               OR (coalesce(past.visibility, o.project_visibility) = 'org'
                   AND m.role IN ('Member', 'Viewer')) AS sees_all
          FROM member m
          JOIN alloy.organization o ON o.org_id = m.org_id
         CROSS JOIN LATERAL (
            SELECT (array_agg(c.before ->> 'project_visibility' ORDER BY c.seq)
                    FILTER (WHERE c.before ? 'project_visibility'))[1]
                       AS visibility,
                   count(*) FILTER (WHERE c.before ? 'deleted_at') > 0 AS moved,
                   (array_agg(c.before ->> 'deleted_at' ORDER BY c.seq)
                    FILTER (WHERE c.before ? 'deleted_at'))[1] AS deleted_at
              FROM alloy.change c
             WHERE c.org_id = o.org_id AND c.entity_type = 'organization'
               AND c.entity_id = o.org_id
               AND NOT pg_visible_in_snapshot(c.xid, in_sight)) AS past
         WHERE CASE WHEN past.moved THEN past.deleted_at IS NULL
                    ELSE o.deleted_at IS NULL END
    ), moved AS MATERIALIZED (
        SELECT DISTINCT ON (c.org_id, c.project_id)
               c.org_id, c.project_id, c.after IS NULL AS there
          FROM org
          JOIN alloy.change c ON c.org_id = org.org_id
         WHERE c.entity_type = 'project_member' AND c.entity_id = whom
           AND NOT pg_visible_in_snapshot(c.xid, in_sight)
         ORDER BY c.org_id, c.project_id, c.seq
    )
    SELECT p.org_id, p.id
      FROM org
      JOIN alloy.project p ON p.org_id = org.org_id
     WHERE org.sees_all
    UNION ALL
    SELECT m.org_id, m.project_id
      FROM org
      JOIN alloy.project_member m ON m.org_id = org.org_id
     WHERE m.user_id = whom AND NOT org.sees_all
       AND NOT EXISTS (SELECT FROM moved
                        WHERE moved.org_id = m.org_id
                          AND moved.project_id = m.project_id)
    UNION ALL
    SELECT m.org_id, m.project_id
      FROM org
      JOIN moved m ON m.org_id = org.org_id
     WHERE m.there AND NOT org.sees_all
$$;
COMMENT ON FUNCTION definer.projects_seen(uuid, pg_snapshot) IS
    'Projects a user saw in a snapshot; for the function below';

-- One row for each project the caller (with this key, if any) saw in one
-- snapshot and not in the other. What was made in between is no gain: the feed
-- tells of it from its beginning.
CREATE OR REPLACE FUNCTION definer.sight_changed(was pg_snapshot,
                                                 since pg_snapshot, by_key uuid)
    RETURNS TABLE (org_id uuid, project_id uuid, gained boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH me AS MATERIALIZED (
        SELECT nullif(current_setting('alloy.me', true), '')::uuid AS id
    ), seen AS MATERIALIZED (
        SELECT s.* FROM me, definer.projects_seen(me.id, was) s
    ), sees AS MATERIALIZED (
        SELECT s.* FROM me, definer.projects_seen(me.id, since) s
    ), differ AS (
        (SELECT s.*, false AS gained FROM seen s
          EXCEPT SELECT s.*, false FROM sees s)
        UNION ALL
        (SELECT s.*, true FROM sees s EXCEPT SELECT s.*, true FROM seen s)
    )
    SELECT d.org_id, d.project_id, d.gained
      FROM differ d
      JOIN alloy.project p ON p.org_id = d.org_id AND p.id = d.project_id
     WHERE NOT (d.gained AND p.deleted_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM alloy.change c
                        WHERE c.org_id = d.org_id
                          AND c.entity_type = 'project'
                          AND c.entity_id = d.project_id
                          AND c.before IS NULL
                          AND NOT pg_visible_in_snapshot(c.xid, was))
       AND (by_key IS NULL OR EXISTS (
            SELECT FROM identity.api_key k
             WHERE k.id = by_key AND (k.org_id IS NULL OR k.org_id = d.org_id)
               AND (k.project_ids IS NULL
                    OR d.project_id = ANY (k.project_ids))))
$$;
COMMENT ON FUNCTION definer.sight_changed(pg_snapshot, pg_snapshot, uuid) IS
    'Projects the caller lost or gained sight of between two snapshots';

-- Half of what a call did is not undone for somebody who sees only that half.
CREATE OR REPLACE FUNCTION definer.change_is_hidden(of_org uuid, call_id uuid)
    RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM alloy.change c
         WHERE c.org_id = of_org AND c.change_id = call_id
           AND NOT (c.org_id = ANY (nullif(current_setting('alloy.orgs', true),
                                           '')::uuid[])
                    AND (c.project_id IS NULL
                         OR coalesce(c.org_id = ANY (nullif(current_setting(
                                'alloy.all', true), '')::uuid[]), false)
                         OR coalesce(c.project_id = ANY (
                                CASE current_setting('alloy.projects', true)
                                WHEN '' THEN NULL
                                WHEN '*' THEN definer.my_projects()
                                ELSE current_setting('alloy.projects',
                                                     true)::uuid[]
                                END), false))))
$$;
COMMENT ON FUNCTION definer.change_is_hidden(uuid, uuid) IS
    'Whether a call changed something the caller can''t see';

REVOKE ALL ON FUNCTION
    definer.change_is_hidden(uuid, uuid),
    definer.projects_seen(uuid, pg_snapshot),
    definer.sight_changed(pg_snapshot, pg_snapshot, uuid)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    definer.change_is_hidden(uuid, uuid),
    definer.sight_changed(pg_snapshot, pg_snapshot, uuid)
    TO alloy_app;

SET ROLE alloy_owner;
