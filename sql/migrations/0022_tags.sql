-- Tags: keys with values on things of any kind. One table for all: what a tag is
-- on is found by its entity type's own statements, so nothing refers to it here.

CREATE TABLE alloy.tag (
    org_id      uuid        NOT NULL REFERENCES alloy.organization,
    id          uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    entity_type text        NOT NULL CHECK (entity_type ~ '^[a-z][a-z_]*$'),
    entity_id   uuid        NOT NULL,
    project_id  uuid,
    key         text        NOT NULL
                CHECK (key ~ '^[A-Za-z0-9._-]{1,64}$'),
    value       text        NOT NULL CHECK (char_length(value) <= 200),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, entity_type, entity_id, key),
    FOREIGN KEY (org_id, project_id) REFERENCES alloy.project
);
CREATE INDEX tag_key ON alloy.tag (org_id, key, created_at DESC, id DESC);
COMMENT ON COLUMN alloy.tag.project_id IS
    'The project of what it is on, for the fence; NULL: it is in none';

CALL alloy.fence('alloy.tag', 'project_id', deletable => true,
    nullable_project => true);
CALL alloy.log_changes('alloy.tag', 'tag',
    '{entity_type,entity_id,key,value}', project_id => 'project_id',
    parent_id => 'entity_id');

-- A call makes one id by itself; a set of tags needs many.
GRANT EXECUTE ON FUNCTION alloy.new_id(uuid) TO alloy_app;
