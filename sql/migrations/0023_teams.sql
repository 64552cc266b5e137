-- Teams: groups of an organization's members, across projects.

CREATE TABLE alloy.team (
    org_id      uuid        NOT NULL REFERENCES alloy.organization,
    id          uuid        NOT NULL CHECK (alloy.same_shard(org_id, id)),
    name        text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    folded      text        NOT NULL CHECK (folded = lower(name)),
    description text        CHECK (octet_length(description) <= 65536),
    version     bigint      NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, folded)
);
CREATE INDEX team_newest ON alloy.team (org_id, created_at DESC, id DESC);
COMMENT ON COLUMN alloy.team.folded IS 'What makes two names the same';

CREATE TABLE alloy.team_member (
    org_id     uuid        NOT NULL,
    team_id    uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, team_id, user_id),
    FOREIGN KEY (org_id, team_id) REFERENCES alloy.team ON DELETE CASCADE,
    FOREIGN KEY (org_id, user_id) REFERENCES alloy.membership
);
CREATE INDEX team_member_user ON alloy.team_member (org_id, user_id);

CALL alloy.fence('alloy.team', deletable => true);
CALL alloy.fence('alloy.team_member', deletable => true);
CALL alloy.keep_version('alloy.team');
CALL alloy.log_changes('alloy.team', 'team', '{name}', '{description}');
CALL alloy.log_changes('alloy.team_member', 'team_member',
    '{team_id,user_id}', entity_id => 'user_id');
