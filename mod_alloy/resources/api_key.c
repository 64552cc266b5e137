/*
 * API keys: tokens for programs, as wide as whoever makes one chooses and
 * never wider than the token he makes it with. Shown once, stored as a hash.
 */
#include "resources.h"

#include <string.h>

#include <apr_strings.h>

#include "sql/api_key.h"

#define LIVE_PREFIX "alloy_live_"
#define TEST_PREFIX "alloy_test_"
#define HINT_LENGTH 15          /* the prefix and four characters */

/* ---- answers --------------------------------------------------------------- */

#define KEY_FIELDS \
    { "id", ALLOY_UUID, 0, "Identifies the key." }, \
    { "name", ALLOY_TEXT, 0, "What it is for." }, \
    { "hint", ALLOY_TEXT, 0, "The key's first characters." }, \
    { "test", ALLOY_BOOL, 0, "Whether it is marked as one for trying out." }, \
    { "org_id", ALLOY_UUID, ALLOY_NULLABLE, "The only organization it " \
      "reaches; null: all of the user's." }, \
    { "scopes", ALLOY_TEXT, ALLOY_MANY, "What it may be used for." }, \
    { "project_ids", ALLOY_UUID, ALLOY_MANY | ALLOY_NULLABLE, \
      "The only projects it sees; null: all that the user sees." }, \
    { "read_only", ALLOY_BOOL, 0, "Whether it may change nothing." }, \
    { "max_writes", ALLOY_INT, ALLOY_NULLABLE, "How many changes it may make " \
      "in its life; null: any number." }, \
    { "writes_used", ALLOY_INT, 0, "How many of them are spent." }, \
    { "expires_at", ALLOY_INSTANT, ALLOY_NULLABLE, "Until when it works; " \
      "null: until it is deleted." }, \
    { "on_behalf_of", ALLOY_TEXT, ALLOY_NULLABLE, "For whom it acts; stands " \
      "in the change log." }, \
    { "created_at", ALLOY_INSTANT, 0, "When it was made." }, \
    { "last_used_at", ALLOY_INSTANT, ALLOY_NULLABLE, "When it was last used, " \
      "to about a minute." }

static const alloy_field_t key_fields[] = {
    KEY_FIELDS,
    ALLOY_FIELDS_END
};

static const alloy_shape_t key_shape = { "ApiKey", key_fields };

static const alloy_field_t new_key_fields[] = {
    KEY_FIELDS,
    { "key", ALLOY_TEXT, ALLOY_NULLABLE, "The key itself, for the header "
      "Authorization: Bearer; shown only here, null in a repeated answer." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t new_key_shape = { "NewApiKey", new_key_fields };

/* ---- input ----------------------------------------------------------------- */

/* "tickets:read", "tickets:write", "admin", "*" */
static const char *check_scope(const char **value, apr_pool_t *pool)
{
    const char *text = *value;
    apr_size_t noun = strspn(text, "abcdefghijklmnopqrstuvwxyz_");

    if (!strcmp(text, "*") || !strcmp(text, "admin")
        || (noun && (!strcmp(text + noun, ":read")
                     || !strcmp(text + noun, ":write")))) {
        return NULL;
    }
    return "A scope is a noun with :read or :write, such as tickets:read, or "
           "admin, or *.";
}

static const alloy_format_t scope_format = {
    .name = "scope", .check = check_scope,
    .pattern = "^(?:\\*|admin|[a-z_]+:(?:read|write))$"
};

static const alloy_param_t scope_param[] = {
    { .name = "scope", .type = ALLOY_TEXT, .least = 1, .most = 60,
      .format = &scope_format, .help = "One scope." },
    ALLOY_PARAMS_END
};

static const alloy_param_t project_param[] = {
    { .name = "project", .type = ALLOY_REF,
      .resource = &alloy_project_resource,
      .help = "Id or key of a project." },
    ALLOY_PARAMS_END
};

static const alloy_param_t no_params[] = { ALLOY_PARAMS_END };

static const alloy_param_t create_params[] = {
    { .name = "name", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED,
      .least = 1, .most = 200, .format = &alloy_format_line,
      .help = "What the key is for." },
    { .name = "org_id", .type = ALLOY_REF, .flags = ALLOY_NULLABLE,
      .resource = &alloy_org_resource,
      .help = "Id or slug of the only organization it is to reach." },
    { .name = "scopes", .type = ALLOY_LIST, .least = 1, .most = 100,
      .inner = scope_param,
      .help = "What it may be used for: <noun>:read, <noun>:write (which "
              "includes reading), admin, or * for everything, the default." },
    { .name = "project_ids", .type = ALLOY_LIST, .flags = ALLOY_NULLABLE,
      .least = 1, .most = 500, .inner = project_param,
      .help = "The only projects it is to see; what concerns the whole "
              "organization and needs an Admin is closed to it." },
    { .name = "read_only", .type = ALLOY_BOOL,
      .help = "Whether it may change nothing." },
    { .name = "max_writes", .type = ALLOY_INT, .flags = ALLOY_NULLABLE,
      .least = 1, .most = 1000000000,
      .help = "How many changes it may make in its life." },
    { .name = "expires_at", .type = ALLOY_INSTANT, .flags = ALLOY_NULLABLE,
      .help = "Until when it is to work." },
    { .name = "on_behalf_of", .type = ALLOY_TEXT, .flags = ALLOY_NULLABLE,
      .least = 1, .most = 200, .format = &alloy_format_line,
      .help = "For whom it acts; stands in the change log." },
    { .name = "test", .type = ALLOY_BOOL, .fallback = "false",
      .help = "Marks the key as one for trying out (alloy_test_...)." },
    ALLOY_PARAMS_END
};

static const alloy_param_t delete_params[] = {
    { .name = "id", .type = ALLOY_UUID, .flags = ALLOY_REQUIRED,
      .help = "Id of the key." },
    ALLOY_PARAMS_END
};

static const alloy_refusal_t create_refusals[] = {
    { "expires_early", &alloy_validation_failed, "/expires_at",
      "This time is past; choose a later one." },
    { "projects_elsewhere", &alloy_validation_failed, "/project_ids",
      "Not all of these projects belong to the key's organization; leave out "
      "those that don't, or org_id." },
    { "wider_org", &alloy_forbidden, "/org_id",
      "An API key makes no key wider than itself: this one reaches one "
      "organization only, so name that one." },
    { "wider_scopes", &alloy_forbidden, "/scopes",
      "An API key makes no key wider than itself: it has not all of these "
      "scopes." },
    { "wider_projects", &alloy_forbidden, "/project_ids",
      "An API key makes no key wider than itself: it does not see all of "
      "these projects." },
    { "wider_read_only", &alloy_forbidden, "/read_only",
      "An API key makes no key wider than itself: it may only read." },
    { "other_behalf", &alloy_forbidden, "/on_behalf_of",
      "An API key speaks for nobody else than the key that makes it: leave "
      "this out." },
    { "wider_expiry", &alloy_forbidden, "/expires_at",
      "An API key makes no key wider than itself: it expires earlier." },
    { "wider_writes", &alloy_forbidden, "/max_writes",
      "An API key makes no key wider than itself: give max_writes, fewer than "
      "this one has left; they are taken from it." },
    ALLOY_REFUSALS_END
};

/* ---- making one ------------------------------------------------------------ */

static alloy_problem_t *run_create(alloy_call_t *call)
{
    const char *prefix = alloy_int(call, "test") ? TEST_PREFIX : LIVE_PREFIX;
    const char *key, *hash;
    const alloy_row_t *row;

    ALLOY_TRY(alloy_token_make(call, prefix, &key, &hash));
    alloy_bind(call, "key_hash", hash);
    alloy_bind(call, "key_hint",
               apr_pstrmemdup(alloy_call_pool(call), key, HINT_LENGTH));
    ALLOY_TRY(alloy_fetch(call, &sql_api_key_create, &row));
    if (!row) {
        return alloy_problem(call, &alloy_unauthorized,
                             "This token does not work any more; sign in "
                             "again.");
    }
    alloy_answer_text(call, "key", key);
    return alloy_answer_row(call, row);
}

/* ---- the table ------------------------------------------------------------- */

const alloy_operation_t alloy_api_key_operations[] = {
    {
        .id = "api_key_create",
        .method = ALLOY_POST,
        .path = "/auth/api-keys",
        .tool = "create_api_key",
        .noun = "api_keys",
        .summary = "Makes an API key for the caller and shows it this once.",
        .help = "An API key makes no key wider than itself; what is left out "
                "is as narrow as its own. A budget of writes is handed on, "
                "not multiplied.",
        .role = ALLOY_SIGNED_IN,
        .flags = ALLOY_CREATES | ALLOY_REVEALS,
        .params = create_params,
        .answer = &new_key_shape,
        .run = run_create,
        .refusals = create_refusals,
    },
    {
        .id = "api_key_list",
        .method = ALLOY_GET,
        .path = "/auth/api-keys",
        .tool = "list_api_keys",
        .noun = "api_keys",
        .summary = "Lists the caller's API keys, newest first, without the "
                   "keys themselves.",
        .role = ALLOY_SIGNED_IN,
        .params = no_params,
        .answer = &key_shape,
        .steps = { &sql_api_key_list },
    },
    {
        .id = "api_key_delete",
        .method = ALLOY_DELETE,
        .path = "/auth/api-keys/{id}",
        .tool = "delete_api_key",
        .noun = "api_keys",
        .summary = "Ends one of the caller's API keys at once.",
        .role = ALLOY_SIGNED_IN,
        .params = delete_params,
        .steps = { &sql_api_key_delete },
    },
    ALLOY_OPERATIONS_END
};
