-- Links between tickets, and who watches them.

-- A link lies in the project of the ticket it starts from. Who doesn't see the
-- other end's project is not shown the link: statements join both.
CREATE TABLE alloy.ticket_link (
    org_id     uuid        NOT NULL,
    id         uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    project_id uuid        NOT NULL,
    source_id  uuid        NOT NULL,
    target_id  uuid        NOT NULL,
    type       text        NOT NULL
               CHECK (type IN ('blocks', 'relates', 'duplicates')),
    created_by uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, source_id, target_id, type),
    FOREIGN KEY (org_id, project_id) REFERENCES alloy.project,
    FOREIGN KEY (org_id, source_id) REFERENCES alloy.ticket,
    FOREIGN KEY (org_id, target_id) REFERENCES alloy.ticket,
    FOREIGN KEY (org_id, created_by) REFERENCES alloy.membership
);
CREATE INDEX ticket_link_source
    ON alloy.ticket_link (org_id, source_id, created_at DESC, id DESC);
CREATE INDEX ticket_link_target
    ON alloy.ticket_link (org_id, target_id, created_at DESC, id DESC);

CREATE TABLE alloy.ticket_watcher (
    org_id     uuid        NOT NULL,
    project_id uuid        NOT NULL,
    ticket_id  uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, ticket_id, user_id),
    FOREIGN KEY (org_id, project_id) REFERENCES alloy.project,
    FOREIGN KEY (org_id, ticket_id) REFERENCES alloy.ticket,
    FOREIGN KEY (org_id, user_id) REFERENCES alloy.membership
);
CREATE INDEX ticket_watcher_user ON alloy.ticket_watcher (org_id, user_id);

CALL alloy.fence('alloy.ticket_link', 'project_id', deletable => true);
CALL alloy.fence('alloy.ticket_watcher', 'project_id', deletable => true);
CALL alloy.log_changes('alloy.ticket_link', 'ticket_link',
    '{source_id,target_id,type,created_by}', project_id => 'project_id',
    parent_id => 'source_id');
CALL alloy.log_changes('alloy.ticket_watcher', 'ticket_watcher',
    '{ticket_id,user_id}', entity_id => 'user_id',
    project_id => 'project_id', parent_id => 'ticket_id');

-- A chain of links is followed beyond what the caller sees, as parents are; and
-- whoever leaves an organization leaves its teams and watches nothing there.
GRANT SELECT ON alloy.ticket_link TO alloy_definer;
CREATE POLICY definer ON alloy.ticket_link FOR SELECT TO alloy_definer
    USING (true);
GRANT SELECT, DELETE ON alloy.team_member, alloy.ticket_watcher
   TO alloy_definer;
CREATE POLICY definer ON alloy.team_member TO alloy_definer USING (true);
CREATE POLICY definer ON alloy.ticket_watcher TO alloy_definer USING (true);

SET LOCAL ROLE alloy_definer;

CREATE FUNCTION definer.membership_left() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM alloy.team_member
     WHERE org_id = NEW.org_id AND user_id = NEW.user_id;
    DELETE FROM alloy.ticket_watcher
     WHERE org_id = NEW.org_id AND user_id = NEW.user_id;
    RETURN NULL;
END
$$;
GRANT EXECUTE ON FUNCTION definer.membership_left() TO alloy_owner;

SET LOCAL ROLE alloy_owner;

CREATE TRIGGER membership_left AFTER UPDATE ON alloy.membership
    FOR EACH ROW WHEN (OLD.removed_at IS NULL AND NEW.removed_at IS NOT NULL)
    EXECUTE FUNCTION definer.membership_left();
