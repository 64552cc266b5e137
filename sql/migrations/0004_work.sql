-- Workflows, projects, tickets, comments.

CREATE TABLE alloy.workflow (
    org_id      uuid        NOT NULL REFERENCES alloy.organization,
    id          uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    name        text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    enforcement text        NOT NULL DEFAULT 'none'
                CHECK (enforcement IN ('strict', 'relaxed', 'none')),
    is_default  boolean     NOT NULL DEFAULT false,
    version     bigint      NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, name)
);
CREATE UNIQUE INDEX workflow_default ON alloy.workflow (org_id)
    WHERE is_default;
COMMENT ON COLUMN alloy.workflow.is_default IS
    'The one a new project of the organization gets';

CREATE TABLE alloy.workflow_status (
    org_id      uuid    NOT NULL,
    workflow_id uuid    NOT NULL,
    name        text    NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    category    text    NOT NULL
                CHECK (category IN ('todo', 'in_progress', 'done')),
    position    integer NOT NULL,
    wip_limit   integer CHECK (wip_limit > 0),
    PRIMARY KEY (org_id, workflow_id, name),
    FOREIGN KEY (org_id, workflow_id) REFERENCES alloy.workflow
);
COMMENT ON COLUMN alloy.workflow_status.position IS
    'Order of the board''s columns; the lowest is a new ticket''s status';

CREATE TABLE alloy.workflow_transition (
    org_id      uuid    NOT NULL,
    workflow_id uuid    NOT NULL,
    from_status text    NOT NULL,
    to_status   text    NOT NULL,
    position    integer NOT NULL,
    PRIMARY KEY (org_id, workflow_id, from_status, to_status),
    FOREIGN KEY (org_id, workflow_id) REFERENCES alloy.workflow,
    FOREIGN KEY (org_id, workflow_id, from_status)
        REFERENCES alloy.workflow_status,
    FOREIGN KEY (org_id, workflow_id, to_status)
        REFERENCES alloy.workflow_status
);

CREATE TABLE alloy.project (
    org_id              uuid        NOT NULL REFERENCES alloy.organization,
    id                  uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    key                 text        NOT NULL CHECK (key ~ '^[A-Z][A-Z0-9]{1,9}$'),
    name                text        NOT NULL
                        CHECK (char_length(name) BETWEEN 1 AND 200),
    description         text        CHECK (octet_length(description) <= 65536),
    workflow_id         uuid        NOT NULL,
    budget_cents        bigint      CHECK (budget_cents >= 0),
    budget_period       text        CHECK (budget_period IN
                        ('Monthly', 'Quarterly', 'Annual', 'Total')),
    capitalization_type text        CHECK (capitalization_type IN
                        ('Capex', 'Opex')),
    development_phase   text        CHECK (development_phase IN
                        ('Preliminary', 'AppDevelopment', 'PostImplementation')),
    cost_center_id      text        CHECK (char_length(cost_center_id) <= 200),
    amortization_months integer     CHECK (amortization_months > 0),
    archived            boolean     NOT NULL DEFAULT false,
    ticket_counter      bigint      NOT NULL DEFAULT 0,
    created_by          uuid        NOT NULL,
    version             bigint      NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at          timestamptz,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, key),
    FOREIGN KEY (org_id, workflow_id) REFERENCES alloy.workflow,
    FOREIGN KEY (org_id, created_by) REFERENCES alloy.membership
-- Every new ticket writes a new version of this row; room on the page keeps
-- the indexes out of it.
) WITH (fillfactor = 70);
CREATE INDEX project_newest ON alloy.project (org_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX project_workflow ON alloy.project (org_id, workflow_id);
COMMENT ON COLUMN alloy.project.key IS
    'Prefix of ticket keys; a deleted project''s stays taken';
COMMENT ON COLUMN alloy.project.ticket_counter IS
    'Last ticket number given; raised by the creating statement, alone';

CREATE TABLE alloy.project_member (
    org_id     uuid        NOT NULL,
    project_id uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, project_id, user_id),
    FOREIGN KEY (org_id, project_id) REFERENCES alloy.project,
    FOREIGN KEY (org_id, user_id) REFERENCES alloy.membership
);
CREATE INDEX project_member_user
    ON alloy.project_member (org_id, user_id, project_id);

CREATE TABLE alloy.ticket (
    org_id        uuid        NOT NULL,
    id            uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    project_id    uuid        NOT NULL,
    ticket_number bigint      NOT NULL CHECK (ticket_number > 0),
    workflow_id   uuid        NOT NULL,
    title         text        NOT NULL
                  CHECK (char_length(title) BETWEEN 1 AND 500),
    description   text        CHECK (octet_length(description) <= 65536),
    type          text        NOT NULL DEFAULT 'Task'
                  CHECK (type IN ('Task', 'Bug', 'Story', 'Epic')),
    status        text        NOT NULL,
    priority      text        NOT NULL DEFAULT 'Medium'
                  CHECK (priority IN ('Critical', 'High', 'Medium', 'Low')),
    reporter_id   uuid        NOT NULL,
    assignee_id   uuid,
    parent_id     uuid        CHECK (parent_id <> id),
    sprint_id     uuid,
    points_half   integer     CHECK (points_half BETWEEN 0 AND 2000),
    due_date      date,
    version       bigint      NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at     timestamptz,
    deleted_at    timestamptz,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, project_id, ticket_number),
    FOREIGN KEY (org_id, project_id) REFERENCES alloy.project,
    FOREIGN KEY (org_id, workflow_id, status) REFERENCES alloy.workflow_status,
    FOREIGN KEY (org_id, reporter_id) REFERENCES alloy.membership,
    FOREIGN KEY (org_id, assignee_id) REFERENCES alloy.membership,
    FOREIGN KEY (org_id, parent_id) REFERENCES alloy.ticket
);
-- Lists: of a project, of an organization, of a status (boards, counts), of an
-- assignee. Deleted tickets are in none of them.
CREATE INDEX ticket_project_newest
    ON alloy.ticket (org_id, project_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX ticket_newest ON alloy.ticket (org_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX ticket_status
    ON alloy.ticket (org_id, project_id, status, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX ticket_assignee
    ON alloy.ticket (org_id, assignee_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL AND assignee_id IS NOT NULL;
CREATE INDEX ticket_parent ON alloy.ticket (org_id, parent_id)
    WHERE parent_id IS NOT NULL;
-- Is a status of a workflow in use? Also asked by the foreign key when a status
-- is taken out of a workflow.
CREATE INDEX ticket_workflow ON alloy.ticket (org_id, workflow_id, status);
COMMENT ON COLUMN alloy.ticket.points_half IS 'Points in half steps: 5 is 2.5';
COMMENT ON COLUMN alloy.ticket.workflow_id IS
    'Its project''s; here so that a status outside it is impossible';
COMMENT ON COLUMN alloy.ticket.closed_at IS
    'Set by statements when the status enters the category done, else NULL';

CREATE TABLE alloy.comment (
    org_id     uuid        NOT NULL,
    id         uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    project_id uuid        NOT NULL,
    ticket_id  uuid        NOT NULL,
    author_id  uuid        NOT NULL,
    body       text        NOT NULL
               CHECK (octet_length(body) BETWEEN 1 AND 65536),
    mentions   uuid[]      NOT NULL DEFAULT '{}',
    version    bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at timestamptz,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, project_id) REFERENCES alloy.project,
    FOREIGN KEY (org_id, ticket_id) REFERENCES alloy.ticket,
    FOREIGN KEY (org_id, author_id) REFERENCES alloy.membership
);
CREATE INDEX comment_ticket ON alloy.comment (org_id, ticket_id, created_at, id)
    WHERE deleted_at IS NULL;

-- Definer functions read who sees which project ---------------------------------------

GRANT SELECT ON alloy.project, alloy.project_member TO alloy_definer;
CREATE POLICY definer ON alloy.project FOR SELECT TO alloy_definer USING (true);
CREATE POLICY definer ON alloy.project_member FOR SELECT TO alloy_definer
    USING (true);

SET LOCAL ROLE alloy_definer;

-- For callers with more projects than fit into a setting ('*'). Called once per
-- statement by the policies, which can't read project_member themselves: its
-- own policy is among them.
CREATE FUNCTION definer.my_projects() RETURNS uuid[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(m.project_id)
      FROM alloy.project_member m
     WHERE m.org_id = ANY (nullif(current_setting('alloy.orgs', true),
                                  '')::uuid[])
       AND m.user_id = nullif(current_setting('alloy.me', true), '')::uuid
$$;
GRANT EXECUTE ON FUNCTION definer.my_projects() TO alloy_app, alloy_owner;

CREATE FUNCTION definer.project_member_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM definer.raise_principals(ARRAY(SELECT user_id FROM new_rows))
           FROM new_rows LIMIT 1;
    ELSE
        PERFORM definer.raise_principals(ARRAY(SELECT user_id FROM old_rows))
           FROM old_rows LIMIT 1;
    END IF;
    RETURN NULL;
END
$$;
GRANT EXECUTE ON FUNCTION definer.project_member_changed() TO alloy_owner;

SET LOCAL ROLE alloy_owner;

CREATE TRIGGER project_member_inserted AFTER INSERT ON alloy.project_member
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION definer.project_member_changed();
CREATE TRIGGER project_member_deleted AFTER DELETE ON alloy.project_member
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
    EXECUTE FUNCTION definer.project_member_changed();

-- Fences, versions, history -------------------------------------------------------------

CALL alloy.fence('alloy.workflow', deletable => true);
CALL alloy.fence('alloy.workflow_status', deletable => true);
CALL alloy.fence('alloy.workflow_transition', deletable => true);
CALL alloy.fence('alloy.project', 'id');
CALL alloy.fence('alloy.project_member', 'project_id', deletable => true);
CALL alloy.fence('alloy.ticket', 'project_id');
CALL alloy.fence('alloy.comment', 'project_id');
CALL alloy.fence('alloy.change', 'project_id', nullable_project => true);
-- History is read, never written, by anything but its triggers.
REVOKE INSERT ON alloy.change FROM alloy_app;
DO $$
DECLARE
    columns text := (SELECT string_agg(quote_ident(attname), ', ')
                       FROM pg_attribute WHERE attrelid = 'alloy.change'::regclass
                        AND attnum > 0 AND NOT attisdropped);
BEGIN
    EXECUTE format('REVOKE UPDATE (%s) ON alloy.change FROM alloy_app', columns);
END
$$;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA alloy TO alloy_backup;

CALL alloy.keep_version('alloy.workflow');
CALL alloy.keep_version('alloy.project', counter => 'ticket_counter');
CALL alloy.keep_version('alloy.ticket');
CALL alloy.keep_version('alloy.comment');

CALL alloy.log_changes('alloy.workflow', 'workflow',
    '{name,enforcement,is_default}');
CALL alloy.log_changes('alloy.workflow_status', 'workflow_status',
    '{name,category,position,wip_limit}', entity_id => 'workflow_id');
CALL alloy.log_changes('alloy.workflow_transition', 'workflow_transition',
    '{from_status,to_status,position}', entity_id => 'workflow_id');
CALL alloy.log_changes('alloy.project', 'project',
    '{key,name,workflow_id,budget_cents,budget_period,capitalization_type,
      development_phase,cost_center_id,amortization_months,archived,created_by,
      deleted_at}', '{description}', project_id => 'id',
    counter => 'ticket_counter');
CALL alloy.log_changes('alloy.project_member', 'project_member', '{user_id}',
    entity_id => 'user_id', project_id => 'project_id');
CALL alloy.log_changes('alloy.ticket', 'ticket',
    '{ticket_number,workflow_id,title,type,status,priority,reporter_id,
      assignee_id,parent_id,sprint_id,points_half,due_date,closed_at,deleted_at}',
    '{description}', project_id => 'project_id');
CALL alloy.log_changes('alloy.comment', 'comment',
    '{ticket_id,author_id,mentions,deleted_at}', '{body}',
    project_id => 'project_id', parent_id => 'ticket_id');
