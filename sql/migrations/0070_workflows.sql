-- The history of workflows, and where the log says that a rule was broken.

-- Statuses and transitions are rows of their own, which rules and keys refer to;
-- a workflow's history, and If-Match, want them as two of its fields.
ALTER TABLE alloy.workflow
    ADD COLUMN statuses    jsonb,
    ADD COLUMN transitions jsonb;
COMMENT ON COLUMN alloy.workflow.statuses IS
    'Its statuses after the last edit, for the log; NULL: as it was made';
COMMENT ON COLUMN alloy.workflow.transitions IS
    'Its transitions after the last edit, for the log; NULL: as it was made';
CREATE INDEX workflow_newest ON alloy.workflow (org_id, created_at DESC, id DESC);

CALL alloy.fence('alloy.workflow', deletable => true);
CALL alloy.log_changes('alloy.workflow', 'workflow',
    '{name,enforcement,is_default,statuses,transitions}');

-- Rules that were broken and not enforced: codes, from the call's own settings.
-- A default, so that no function that writes the log has to know of it.
ALTER TABLE alloy.change ADD COLUMN warnings text[];
ALTER TABLE alloy.change ALTER COLUMN warnings SET DEFAULT
    string_to_array((nullif(current_setting('alloy.call', true), '')::text[])[7],
                    ',');
COMMENT ON COLUMN alloy.change.warnings IS
    'Codes of rules this change broke without being refused, or NULL';
