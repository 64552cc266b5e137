/*
 * Teams: named groups of an organization's members, across projects, and who
 * is in them.
 */
#include "resources.h"

#include "sql/member.h"
#include "sql/team.h"

#define DESCRIPTION_LIMIT 65536

static const char *const reserved[] = { "none", NULL };

const alloy_resource_t alloy_team_resource = {
    .name = "team",
    .table = "alloy.team",
    .read = ALLOY_VIEWER,
    .sharded = 1,
    .find_id = &sql_team_find_id,
    .find_name = &sql_team_find_name,
    .reserved = reserved,
    .whole = 1,
};

const alloy_resource_t alloy_log_team_member = {
    .name = "team_member", .table = "alloy.team_member", .read = ALLOY_VIEWER
};

/* ---- answers --------------------------------------------------------------- */

static const alloy_field_t team_fields[] = {
    { "id", ALLOY_UUID, 0, "Identifies the team for ever." },
    { "org_id", ALLOY_UUID, 0, "The organization it belongs to." },
    { "name", ALLOY_TEXT, 0, "What people call it; unique in the organization, "
      "letter case aside." },
    { "description", ALLOY_TEXT, ALLOY_NULLABLE, "What it is for, as "
      "Markdown." },
    { "version", ALLOY_INT, 0, "Raised by every change." },
    { "created_at", ALLOY_INSTANT, 0, "When it was made." },
    { "updated_at", ALLOY_INSTANT, 0, "When it was changed last." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t team_shape = { "Team", team_fields };

static const alloy_field_t member_fields[] = {
    { "team_id", ALLOY_UUID, 0, "The team." },
    { "user_id", ALLOY_UUID, 0, "Who is in it." },
    { "email", ALLOY_TEXT, 0, "His e-mail address." },
    { "display_name", ALLOY_TEXT, 0, "His name." },
    { "created_at", ALLOY_INSTANT, 0, "Since when he is in it." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t member_shape = { "TeamMember", member_fields };

/* ---- input ----------------------------------------------------------------- */

#define ORG_PARAM \
    { .name = "org", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id or slug of the organization.", \
      .resource = &alloy_org_resource }

#define TEAM_PARAM \
    { .name = "team", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id or name of the team.", \
      .resource = &alloy_team_resource, .within = "org" }

#define NAME_PARAM(flag) \
    { .name = "name", .type = ALLOY_TEXT, .flags = flag, .least = 1, \
      .most = 200, .format = &alloy_format_name, \
      .help = "What people call it; unique in the organization, letter case " \
              "aside." }

#define DESCRIPTION_PARAM \
    { .name = "description", .type = ALLOY_TEXT, \
      .flags = ALLOY_NULLABLE | ALLOY_MULTILINE, .most = DESCRIPTION_LIMIT, \
      .format = &alloy_markdown_format, \
      .help = "What it is for, as Markdown; at most 64 KiB." }

static const alloy_param_t create_params[] = {
    ORG_PARAM,
    NAME_PARAM(ALLOY_REQUIRED),
    DESCRIPTION_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t org_params[] = {
    ORG_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t org_team_params[] = {
    ORG_PARAM,
    TEAM_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t update_params[] = {
    ORG_PARAM,
    TEAM_PARAM,
    NAME_PARAM(0),
    DESCRIPTION_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t team_params[] = {
    TEAM_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t member_add_params[] = {
    TEAM_PARAM,
    { .name = "user_id", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .resource = &alloy_user_resource, .within = "org",
      .help = "A member of the organization: id, e-mail address, display name, "
              "or me." },
    ALLOY_PARAMS_END
};

static const alloy_param_t member_remove_params[] = {
    TEAM_PARAM,
    { .name = "user", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .resource = &alloy_user_resource, .within = "org",
      .help = "Who leaves it." },
    ALLOY_PARAMS_END
};

static const alloy_refusal_t name_refusals[] = {
    { "name_taken", &alloy_already_exists, "/name",
      "The organization has a team of this name, letter case aside; choose "
      "another name." },
    ALLOY_REFUSALS_END
};

static const alloy_refusal_t member_refusals[] = {
    { "no_person", &alloy_validation_failed, "/user_id",
      "Somebody must join the team; name a member of the organization." },
    ALLOY_REFUSALS_END
};

/* ---- the tables -------------------------------------------------------------- */

const alloy_operation_t alloy_team_operations[] = {
    {
        .id = "team_create",
        .method = ALLOY_POST,
        .path = "/orgs/{org}/teams",
        .tool = "create_team",
        .noun = "teams",
        .summary = "Creates a team, with nobody in it.",
        .role = ALLOY_ADMIN,
        .flags = ALLOY_CREATES,
        .params = create_params,
        .answer = &team_shape,
        .steps = { &sql_org_lock, &sql_team_create },
        .location = "/orgs/{org_id}/teams/{id}",
        .refusals = name_refusals,
    },
    {
        .id = "team_list",
        .method = ALLOY_GET,
        .path = "/orgs/{org}/teams",
        .tool = "list_teams",
        .noun = "teams",
        .summary = "Lists an organization's teams, newest first.",
        .role = ALLOY_VIEWER,
        .params = org_params,
        .answer = &team_shape,
        .steps = { &sql_team_list },
    },
    {
        .id = "team_get",
        .method = ALLOY_GET,
        .path = "/orgs/{org}/teams/{team}",
        .tool = "get_team",
        .noun = "teams",
        .summary = "Answers one team.",
        .role = ALLOY_VIEWER,
        .params = org_team_params,
        .answer = &team_shape,
        .steps = { &sql_team_get },
    },
    {
        .id = "team_update",
        .method = ALLOY_PATCH,
        .path = "/orgs/{org}/teams/{team}",
        .tool = "update_team",
        .noun = "teams",
        .summary = "Changes a team's name or description.",
        .role = ALLOY_ADMIN,
        .params = update_params,
        .answer = &team_shape,
        .steps = { &sql_org_lock, &sql_team_update },
        .refusals = name_refusals,
    },
    {
        .id = "team_delete",
        .method = ALLOY_DELETE,
        .path = "/orgs/{org}/teams/{team}",
        .tool = "delete_team",
        .noun = "teams",
        .summary = "Deletes a team; its members stay in the organization.",
        .role = ALLOY_ADMIN,
        .params = org_team_params,
        .steps = { &sql_team_delete },
    },
    ALLOY_OPERATIONS_END
};

const alloy_operation_t alloy_team_member_operations[] = {
    {
        .id = "team_member_add",
        .method = ALLOY_POST,
        .path = "/teams/{team}/members",
        .tool = "add_team_member",
        .noun = "teams",
        .summary = "Adds somebody to a team.",
        .help = "Adding somebody twice changes nothing and answers 200.",
        .role = ALLOY_ADMIN,
        .flags = ALLOY_CREATES | ALLOY_REPEATS,
        .params = member_add_params,
        .answer = &member_shape,
        .steps = { &sql_team_lock, &sql_team_member_add },
        .refusals = member_refusals,
    },
    {
        .id = "team_member_list",
        .method = ALLOY_GET,
        .path = "/teams/{team}/members",
        .tool = "list_team_members",
        .noun = "teams",
        .summary = "Lists who is in a team, the longest there first.",
        .role = ALLOY_VIEWER,
        .params = team_params,
        .answer = &member_shape,
        .steps = { &sql_team_member_list },
    },
    {
        .id = "team_member_remove",
        .method = ALLOY_DELETE,
        .path = "/teams/{team}/members/{user}",
        .tool = "remove_team_member",
        .noun = "teams",
        .summary = "Takes somebody out of a team.",
        .role = ALLOY_ADMIN,
        .params = member_remove_params,
        .steps = { &sql_team_member_remove },
    },
    ALLOY_OPERATIONS_END
};
