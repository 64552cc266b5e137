-- What the test's plugin keeps: probes, and two settings of a project.

CREATE TABLE alloy.probe (
    org_id     uuid        NOT NULL,
    id         uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    project_id uuid        NOT NULL,
    label      text        NOT NULL CHECK (char_length(label) BETWEEN 1 AND 100),
    kind       text        NOT NULL CHECK (kind IN ('Heat', 'Light')),
    reading    bigint,
    version    bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, project_id, label),
    FOREIGN KEY (org_id, project_id) REFERENCES alloy.project
);
CREATE INDEX probe_newest
    ON alloy.probe (org_id, project_id, created_at DESC, id DESC);

CREATE TABLE alloy.probe_setting (
    org_id     uuid   NOT NULL,
    project_id uuid   NOT NULL,
    color      text,
    room       bigint CHECK (room > 0),
    PRIMARY KEY (org_id, project_id),
    FOREIGN KEY (org_id, project_id) REFERENCES alloy.project
);
COMMENT ON COLUMN alloy.probe_setting.room IS
    'How many tickets of the project may be in progress at a time';

CALL alloy.fence('alloy.probe', 'project_id', deletable => true);
CALL alloy.fence('alloy.probe_setting', 'project_id');
CALL alloy.keep_version('alloy.probe');
CALL alloy.log_changes('alloy.probe', 'probe', '{label,kind,reading}',
    project_id => 'project_id');
CALL alloy.log_changes('alloy.probe_setting', 'probe_setting', '{color,room}',
    entity_id => 'project_id', project_id => 'project_id');

-- A rule the database speaks of by a SQLSTATE of the plugin's own.
CREATE FUNCTION alloy.probe_reading(value bigint) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF value = 13 THEN
        RAISE EXCEPTION 'no probe reads 13' USING ERRCODE = 'AP001';
    END IF;
    RETURN value;
END
$$;
REVOKE ALL ON FUNCTION alloy.probe_reading(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION alloy.probe_reading(bigint) TO alloy_app;
