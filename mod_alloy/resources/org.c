/*
 * Organizations: making one, looking at one's own, their settings, giving one
 * up. Who belongs to them is in member.c and invite.c.
 */
#include "resources.h"

#include "sql/org.h"

static const char *const project_visibilities[] = { "members", "org", NULL };
static const char *const finance_visibilities[] = { "admins", "all", NULL };

const alloy_resource_t alloy_org_resource = {
    .name = "org",
    .table = "alloy.organization",
    .read = ALLOY_VIEWER,
    .sharded = 1,
    .find_id = &sql_org_find_id,
    .whole = 1,
};

static const alloy_field_t org_fields[] = {
    { "id", ALLOY_UUID, 0, "Identifies the organization for ever." },
    { "name", ALLOY_TEXT, 0, "What people call it." },
    { "slug", ALLOY_TEXT, 0, "Its short name, unique on this server; accepted "
      "wherever its id is." },
    { "currency", ALLOY_TEXT, 0, "ISO 4217 code of all its amounts." },
    { "timezone", ALLOY_TEXT, 0, "Where its days begin and end." },
    { "project_visibility", ALLOY_WORD, 0, "Whether a Member or Viewer sees "
      "the projects he is in (members) or all of them (org).",
      project_visibilities },
    { "finance_visibility", ALLOY_WORD, 0, "Whether Owners and Admins see "
      "amounts (admins) or everybody (all).", finance_visibilities },
    { "is_personal", ALLOY_BOOL, 0, "It was made with a user's account." },
    { "role", ALLOY_WORD, 0, "The caller's role in it.", alloy_role_words },
    { "version", ALLOY_INT, 0, "Raised by every change." },
    { "created_at", ALLOY_INSTANT, 0, "When it was made." },
    { "updated_at", ALLOY_INSTANT, 0, "When it was changed last." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t org_shape = { "Organization", org_fields };

#define ORG_PARAM \
    { .name = "org", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id or slug of the organization.", \
      .resource = &alloy_org_resource }

#define ORG_SETTINGS \
    { .name = "slug", .type = ALLOY_TEXT, .format = &alloy_format_slug, \
      .help = "Short name of small letters, digits and hyphens, unique on " \
              "this server." }, \
    { .name = "currency", .type = ALLOY_TEXT, \
      .format = &alloy_format_currency, \
      .help = "ISO 4217 code of all amounts, such as EUR." }, \
    { .name = "timezone", .type = ALLOY_TEXT, \
      .format = &alloy_format_timezone, \
      .help = "Where its days begin and end, such as Europe/Berlin." }, \
    { .name = "project_visibility", .type = ALLOY_WORD, \
      .words = project_visibilities, \
      .help = "Let Members and Viewers see the projects they are in " \
              "(members) or all of them (org)." }, \
    { .name = "finance_visibility", .type = ALLOY_WORD, \
      .words = finance_visibilities, \
      .help = "Let Owners and Admins see amounts (admins) or everybody " \
              "(all)." }

static const alloy_param_t create_params[] = {
    { .name = "name", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED,
      .least = 1, .most = 200, .format = &alloy_format_name,
      .help = "What people call it." },
    ORG_SETTINGS,
    ALLOY_PARAMS_END
};

static const alloy_param_t update_params[] = {
    ORG_PARAM,
    { .name = "name", .type = ALLOY_TEXT, .least = 1, .most = 200,
      .format = &alloy_format_name, .help = "What people call it." },
    ORG_SETTINGS,
    ALLOY_PARAMS_END
};

static const alloy_param_t get_params[] = {
    ORG_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t delete_params[] = {
    ORG_PARAM,
    { .name = "confirm", .type = ALLOY_TEXT,
      .flags = ALLOY_REQUIRED | ALLOY_IN_BODY, .least = 1, .most = 63,
      .help = "The organization's slug, as proof that it is the one meant." },
    ALLOY_PARAMS_END
};

static const alloy_refusal_t write_refusals[] = {
    { "slug_taken", &alloy_already_exists, "/slug",
      "Another organization has this slug; choose another." },
    { "timezone_unknown", &alloy_validation_failed, "/timezone",
      "There is no such time zone; use a name of the tz database, such as "
      "Europe/Berlin." },
    { "too_many", &alloy_invalid_state, NULL,
      "You are in 200 organizations, which is the most; leave one first." },
    ALLOY_REFUSALS_END
};

static const alloy_refusal_t delete_refusals[] = {
    { "personal", &alloy_invalid_state, NULL,
      "A personal organization lives as long as its user; it can't be "
      "deleted." },
    { "confirm_differs", &alloy_validation_failed, "/confirm",
      "Send the slug of this organization as confirm." },
    ALLOY_REFUSALS_END
};

const alloy_operation_t alloy_org_operations[] = {
    {
        .id = "org_create",
        .method = ALLOY_POST,
        .path = "/orgs",
        .tool = "create_org",
        .noun = "orgs",
        .summary = "Creates an organization, with the caller as its Owner.",
        .help = "Without a slug one is made from the name. The organization "
                "starts with a workflow named Default.",
        .role = ALLOY_SIGNED_IN,
        .flags = ALLOY_CREATES | ALLOY_ACCOUNT,
        .params = create_params,
        .answer = &org_shape,
        .steps = { &sql_org_create, &sql_org_created },
        .creates = "org",
        .location = "/orgs/{id}",
        .refusals = write_refusals,
    },
    {
        .id = "org_list",
        .method = ALLOY_GET,
        .path = "/orgs",
        .tool = "list_orgs",
        .noun = "orgs",
        .summary = "Lists the caller's organizations, newest first.",
        .role = ALLOY_SIGNED_IN,
        .flags = ALLOY_LISTED,
        .answer = &org_shape,
        .steps = { &sql_org_list },
    },
    {
        .id = "org_get",
        .method = ALLOY_GET,
        .path = "/orgs/{org}",
        .tool = "get_org",
        .noun = "orgs",
        .summary = "Answers one organization and the caller's role in it.",
        .role = ALLOY_VIEWER,
        .params = get_params,
        .answer = &org_shape,
        .steps = { &sql_org_get },
    },
    {
        .id = "org_update",
        .method = ALLOY_PATCH,
        .path = "/orgs/{org}",
        .tool = "update_org",
        .noun = "orgs",
        .summary = "Changes an organization's name, slug or settings.",
        .role = ALLOY_OWNER,
        .params = update_params,
        .answer = &org_shape,
        .steps = { &sql_org_update, &sql_org_updated },
        .refusals = write_refusals,
    },
    {
        .id = "org_delete",
        .method = ALLOY_DELETE,
        .path = "/orgs/{org}",
        .noun = "orgs",
        .summary = "Deletes an organization with everything in it.",
        .help = "Send its slug as confirm. For 30 days the server's "
                "administrator can bring it back.",
        .role = ALLOY_OWNER,
        .params = delete_params,
        .steps = { &sql_org_delete },
        .refusals = delete_refusals,
    },
    ALLOY_OPERATIONS_END
};
