-- Labels of organizations, and those that tickets carry.

CREATE TABLE alloy.label (
    org_id     uuid        NOT NULL REFERENCES alloy.organization,
    id         uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    name       text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    folded     text        NOT NULL CHECK (folded = lower(name)),
    color      text        NOT NULL CHECK (color ~ '^#[0-9A-F]{6}$'),
    version    bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, folded)
);
CREATE INDEX label_newest ON alloy.label (org_id, created_at DESC, id DESC);
COMMENT ON COLUMN alloy.label.folded IS
    'What makes two names the same; a column because an index on a function of '
    'the name could not be used under a policy';

-- A ticket's labels are part of its row: a page of tickets looks nowhere else to
-- know that there are none, and the log has the set before and after as it has
-- any other field. No foreign key can stand for the elements; who puts a label on
-- holds its row until the end of his transaction, who deletes one takes it off
-- all tickets before.
ALTER TABLE alloy.ticket
    ADD COLUMN labels uuid[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN alloy.ticket.labels IS
    'Ids of its labels, in order of id; at most 50, as statements see to';

CALL alloy.fence('alloy.label', deletable => true);
CALL alloy.fence('alloy.ticket', 'project_id');
CALL alloy.keep_version('alloy.label');
CALL alloy.log_changes('alloy.label', 'label', '{name,color}');
CALL alloy.log_changes('alloy.ticket', 'ticket',
    '{ticket_number,workflow_id,title,type,status,priority,reporter_id,
      assignee_id,parent_id,sprint_id,points_half,due_date,labels,closed_at,
      deleted_at}',
    '{description}', project_id => 'project_id');
