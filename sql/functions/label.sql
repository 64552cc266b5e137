-- Labels: how tickets show them. Re-applied at every migration.

-- Becomes part of the statement that calls it. Instants in the one form that
-- all answers have.
CREATE OR REPLACE FUNCTION alloy.instant_text(at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
COMMENT ON FUNCTION alloy.instant_text(timestamptz) IS
    'An instant as answers write it, for columns of JSON';

CREATE OR REPLACE FUNCTION alloy.label_json(l alloy.label) RETURNS json
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN json_build_object('id', l.id, 'org_id', l.org_id, 'name', l.name,
        'color', l.color, 'version', l.version,
        'created_at', alloy.instant_text(l.created_at),
        'updated_at', alloy.instant_text(l.updated_at));
COMMENT ON FUNCTION alloy.label_json(alloy.label) IS
    'A label as it stands in its tickets';

REVOKE ALL ON FUNCTION
    alloy.instant_text(timestamptz),
    alloy.label_json(alloy.label)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    alloy.instant_text(timestamptz),
    alloy.label_json(alloy.label)
    TO alloy_app;
