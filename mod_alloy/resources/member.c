/*
 * Members of organizations: who they are, their roles, their leaving; and
 * people as something other nouns refer to.
 */
#include "resources.h"

#include "sql/member.h"

static const char *const user_reserved[] = { "me", "none", NULL };
static const char *const person_reserved[] = { "me", NULL };

const alloy_resource_t alloy_user_resource = {
    .name = "user",
    .table = "identity.user",
    .read = ALLOY_VIEWER,
    .find_id = &sql_user_find_id,
    .find_name = &sql_user_find_name,
    .reserved = user_reserved,
};

const alloy_resource_t alloy_person_resource = {
    .name = "person",
    .table = "identity.user",
    .read = ALLOY_VIEWER,
    .find_id = &sql_user_find_id,
    .find_name = &sql_person_find_email,
    .reserved = person_reserved,
};

static const alloy_field_t member_fields[] = {
    { "user_id", ALLOY_UUID, 0, "Who it is." },
    { "email", ALLOY_TEXT, 0, "His e-mail address." },
    { "display_name", ALLOY_TEXT, 0, "His name." },
    { "role", ALLOY_WORD, 0, "What he may do here.", alloy_role_words },
    { "version", ALLOY_INT, 0, "Raised by every change." },
    { "created_at", ALLOY_INSTANT, 0, "When he first became a member." },
    { "updated_at", ALLOY_INSTANT, 0, "When his membership was changed "
      "last." },
    { "removed_at", ALLOY_INSTANT, ALLOY_NULLABLE, "When he left; null for "
      "a member." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t member_shape = { "Member", member_fields };

#define ORG_PARAM \
    { .name = "org", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id or slug of the organization.", \
      .resource = &alloy_org_resource }

#define USER_PARAM \
    { .name = "user", .type = ALLOY_REF, \
      .flags = ALLOY_REQUIRED | ALLOY_STRICT, \
      .resource = &alloy_person_resource, .within = "org", \
      .help = "Id or e-mail address of the member, or me." }

static const alloy_param_t list_params[] = {
    ORG_PARAM,
    { .name = "removed", .type = ALLOY_BOOL,
      .help = "true: those who are no members any more, instead of those who "
              "are." },
    ALLOY_PARAMS_END
};

static const alloy_param_t set_role_params[] = {
    ORG_PARAM,
    USER_PARAM,
    { .name = "role", .type = ALLOY_WORD, .flags = ALLOY_REQUIRED,
      .words = alloy_role_words, .help = "What he may do from now on." },
    ALLOY_PARAMS_END
};

static const alloy_param_t remove_params[] = {
    ORG_PARAM,
    USER_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_refusal_t refusals[] = {
    { "needs_admin", &alloy_forbidden, NULL,
      "Changing other members needs the role Admin in this organization." },
    { "needs_owner", &alloy_forbidden, NULL,
      "Making an Owner, and changing one, needs the role Owner in this "
      "organization." },
    { "last_owner", &alloy_invalid_state, NULL,
      "He is the last Owner; make somebody else an Owner first." },
    ALLOY_REFUSALS_END
};

const alloy_operation_t alloy_member_operations[] = {
    {
        .id = "member_list",
        .method = ALLOY_GET,
        .path = "/orgs/{org}/members",
        .tool = "list_members",
        .noun = "members",
        .summary = "Lists the members of an organization with their roles, "
                   "newest first.",
        .role = ALLOY_VIEWER,
        .params = list_params,
        .answer = &member_shape,
        .steps = { &sql_member_list },
    },
    {
        .id = "member_set_role",
        .method = ALLOY_PATCH,
        .path = "/orgs/{org}/members/{user}",
        .tool = "set_member_role",
        .noun = "members",
        .summary = "Gives a member another role.",
        .help = "Making an Owner, or changing one, needs the role Owner; the "
                "last Owner stays one.",
        .role = ALLOY_ADMIN,
        .params = set_role_params,
        .answer = &member_shape,
        .steps = { &sql_org_lock, &sql_member_set_role },
        .refusals = refusals,
    },
    {
        .id = "member_remove",
        .method = ALLOY_DELETE,
        .path = "/orgs/{org}/members/{user}",
        .tool = "remove_member",
        .noun = "members",
        .summary = "Ends somebody's membership, or the caller's own.",
        .help = "An Admin removes others, everybody can leave; an Owner is "
                "removed by an Owner, the last one by nobody. Projects and "
                "API keys of this organization go with the membership, the "
                "name stays in history.",
        .role = ALLOY_VIEWER,
        .params = remove_params,
        .steps = { &sql_org_lock, &sql_member_remove },
        .refusals = refusals,
    },
    ALLOY_OPERATIONS_END
};
