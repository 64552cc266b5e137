/*
 * Tags: keys with values, made by being used, on anything that has an entity
 * type. Which one is in the path, and finds what is tagged.
 */
#include "resources.h"

#include <string.h>

#include <apr_strings.h>

#include "sql/tag.h"

#define KEY_LIMIT 64

static const char *const entity_types[] = {
    "project", "ticket", "user", "team", "time_entry", "sprint", NULL
};

static const char *const modes[] = { "replace", "add", NULL };

const alloy_resource_t alloy_log_tag = {
    .name = "tag", .table = "alloy.tag", .read = ALLOY_VIEWER
};

/* ---- answers --------------------------------------------------------------- */

#define TAG_FIELDS \
    { "id", ALLOY_UUID, 0, "Identifies the tag for ever." }, \
    { "entity_type", ALLOY_WORD, 0, "What kind of thing it is on.", \
      entity_types }, \
    { "entity_id", ALLOY_UUID, 0, "What it is on." }, \
    { "key", ALLOY_TEXT, 0, "Its key; once on each thing." }, \
    { "value", ALLOY_TEXT, 0, "Its value, perhaps empty." }, \
    { "created_at", ALLOY_INSTANT, 0, "When its key was first set." }

static const alloy_field_t tag_fields[] = {
    TAG_FIELDS,
    ALLOY_FIELDS_END
};

static const alloy_shape_t tag_shape = { "Tag", tag_fields };

static const alloy_field_t found_fields[] = {
    TAG_FIELDS,
    { "label", ALLOY_TEXT, 0, "What it is on, as people call it: a ticket's or "
      "project's key, a name." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t found_shape = { "FoundTag", found_fields };

/* ---- input ----------------------------------------------------------------- */

static const char *check_key(const char **value, apr_pool_t *pool)
{
    apr_size_t length = strlen(*value);

    if (length < 1 || length > KEY_LIMIT
        || strspn(*value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                          "abcdefghijklmnopqrstuvwxyz0123456789._-")
           != length) {
        return apr_psprintf(pool, "\"%.60s\" is not a tag's key. Use 1 to 64 "
                            "letters of A-Z and a-z, digits, dots, hyphens "
                            "and underscores.", *value);
    }
    return NULL;
}

static const alloy_format_t key_format = {
    .name = "tag-key", .pattern = "^[A-Za-z0-9._-]{1,64}$", .check = check_key
};

#define ORG_PARAM \
    { .name = "org", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id or slug of the organization.", \
      .resource = &alloy_org_resource }

#define ENTITY_PARAMS \
    ORG_PARAM, \
    { .name = "entity_type", .type = ALLOY_WORD, .flags = ALLOY_REQUIRED, \
      .words = entity_types, .help = "What kind of thing is meant." }, \
    { .name = "entity", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .resource_param = "entity_type", .within = "org", \
      .help = "Which one." }

#define KEY_PARAM(text) \
    { .name = "key", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED, \
      .format = &key_format, .help = text }

static const alloy_param_t tag_params[] = {
    { .name = "key", .type = ALLOY_TEXT,
      .flags = ALLOY_REQUIRED | ALLOY_UNIQUE, .format = &key_format,
      .help = "Letters, digits, dots, hyphens and underscores; once in the "
              "list." },
    { .name = "value", .type = ALLOY_TEXT, .most = 200,
      .help = "Empty when left out." },
    ALLOY_PARAMS_END
};

static const alloy_param_t tag_param[] = {
    { .name = "tag", .type = ALLOY_OBJECT, .inner = tag_params,
      .help = "A key with its value." },
    ALLOY_PARAMS_END
};

static const alloy_param_t set_params[] = {
    ENTITY_PARAMS,
    { .name = "tags", .type = ALLOY_LIST, .flags = ALLOY_REQUIRED, .most = 50,
      .inner = tag_param, .help = "Keys and values." },
    { .name = "mode", .type = ALLOY_WORD, .words = modes,
      .fallback = "replace", .tool_fallback = "add",
      .help = "replace: these and no others; add: the others stay." },
    ALLOY_PARAMS_END
};

static const alloy_param_t entity_params[] = {
    ENTITY_PARAMS,
    ALLOY_PARAMS_END
};

static const alloy_param_t delete_params[] = {
    ENTITY_PARAMS,
    KEY_PARAM("The tag's key."),
    ALLOY_PARAMS_END
};

static const alloy_param_t search_params[] = {
    ORG_PARAM,
    KEY_PARAM("Tags with this key."),
    { .name = "value", .type = ALLOY_TEXT, .most = 200,
      .help = "Only those with this value." },
    { .name = "entity_type", .type = ALLOY_WORD, .words = entity_types,
      .help = "Only those on this kind of thing." },
    ALLOY_PARAMS_END
};

static const alloy_refusal_t set_refusals[] = {
    { "too_many", &alloy_invalid_state, NULL,
      "One thing has 50 tags at most; delete some first, or replace them." },
    ALLOY_REFUSALS_END
};

/* ---- the table --------------------------------------------------------------- */

const alloy_operation_t alloy_tag_operations[] = {
    {
        .id = "tag_set",
        .method = ALLOY_PUT,
        .path = "/orgs/{org}/{entity_type}/{entity}/tags",
        .tool = "set_tags",
        .noun = "tags",
        .summary = "Sets the tags of a ticket, project, person, team, sprint "
                   "or time entry, and answers all it has.",
        .help = "A tag that stays keeps its id. Sending the same set again "
                "changes nothing.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_LISTED,
        .params = set_params,
        .answer = &tag_shape,
        .steps = { &sql_tag_lock, &sql_tag_set, &sql_tag_list_set },
        .refusals = set_refusals,
    },
    {
        .id = "tag_list",
        .method = ALLOY_GET,
        .path = "/orgs/{org}/{entity_type}/{entity}/tags",
        .tool = "get_tags",
        .noun = "tags",
        .summary = "Lists the tags of one thing by key.",
        .role = ALLOY_VIEWER,
        .params = entity_params,
        .answer = &tag_shape,
        .steps = { &sql_tag_list },
    },
    {
        .id = "tag_delete",
        .method = ALLOY_DELETE,
        .path = "/orgs/{org}/{entity_type}/{entity}/tags/{key}",
        .tool = "delete_tag",
        .noun = "tags",
        .summary = "Takes a tag off a thing.",
        .role = ALLOY_MEMBER,
        .params = delete_params,
        .steps = { &sql_tag_delete },
    },
    {
        .id = "tag_search",
        .method = ALLOY_GET,
        .path = "/orgs/{org}/tags/search",
        .tool = "search_by_tag",
        .noun = "tags",
        .summary = "Finds what has a tag, the latest tagged first.",
        .role = ALLOY_VIEWER,
        .params = search_params,
        .answer = &found_shape,
        .steps = { &sql_tag_search },
    },
    ALLOY_OPERATIONS_END
};
