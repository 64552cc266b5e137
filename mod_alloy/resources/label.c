/*
 * Labels: an organization's colored words, and which of them a ticket carries.
 * Tickets show theirs; giving all at once is in ticket.c.
 */
#include "resources.h"

#include <string.h>

#include <apr_strings.h>

#include "sql/label.h"
#include "sql/member.h"
#include "sql/ticket.h"

#define COLOR_LENGTH 7          /* "#3B82F6" */

static const char *const reserved[] = { "none", NULL };

const alloy_resource_t alloy_label_resource = {
    .name = "label",
    .table = "alloy.label",
    .read = ALLOY_VIEWER,
    .sharded = 1,
    .find_id = &sql_label_find_id,
    .find_name = &sql_label_find_name,
    .reserved = reserved,
};

/* ---- answers --------------------------------------------------------------- */

static const alloy_field_t label_fields[] = {
    { "id", ALLOY_UUID, 0, "Identifies the label for ever." },
    { "org_id", ALLOY_UUID, 0, "The organization it belongs to." },
    { "name", ALLOY_TEXT, 0, "What people call it; unique in the organization, "
      "letter case aside." },
    { "color", ALLOY_TEXT, 0, "Its color as #RRGGBB." },
    { "version", ALLOY_INT, 0, "Raised by every change." },
    { "created_at", ALLOY_INSTANT, 0, "When it was made." },
    { "updated_at", ALLOY_INSTANT, 0, "When it was changed last." },
    ALLOY_FIELDS_END
};

const alloy_shape_t alloy_label_shape = { "Label", label_fields };

/* ---- input ----------------------------------------------------------------- */

static const char *check_color(const char **value, apr_pool_t *pool)
{
    char *color = apr_pstrdup(pool, *value), *at;

    if (strlen(color) != COLOR_LENGTH || color[0] != '#'
        || strspn(color + 1, "0123456789ABCDEFabcdef") != COLOR_LENGTH - 1) {
        return apr_psprintf(pool, "\"%.60s\" is not a color. Write # and six "
                            "hexadecimal digits, such as #3B82F6.", *value);
    }
    for (at = color; *at; at++) {
        if (*at >= 'a' && *at <= 'f') {
            *at = (char)(*at - 'a' + 'A');
        }
    }
    *value = color;
    return NULL;
}

static const alloy_format_t color_format = {
    .name = "color", .pattern = "^#[0-9A-Fa-f]{6}$", .check = check_color
};

#define ORG_PARAM \
    { .name = "org", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id or slug of the organization.", \
      .resource = &alloy_org_resource }

#define LABEL_PARAM \
    { .name = "label", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id or name of the label.", \
      .resource = &alloy_label_resource, .within = "org" }

#define NAME_PARAM(flag) \
    { .name = "name", .type = ALLOY_TEXT, .flags = flag, .least = 1, \
      .most = 100, .format = &alloy_format_name, \
      .help = "What people call it; unique in the organization, letter case " \
              "aside." }

#define COLOR_PARAM(absent) \
    { .name = "color", .type = ALLOY_TEXT, .format = &color_format, \
      .fallback = absent, \
      .help = "# and six hexadecimal digits, in any letter case." }

static const alloy_param_t create_params[] = {
    ORG_PARAM,
    NAME_PARAM(ALLOY_REQUIRED),
    COLOR_PARAM("#6B7280"),
    ALLOY_PARAMS_END
};

static const alloy_param_t org_params[] = {
    ORG_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t label_params[] = {
    ORG_PARAM,
    LABEL_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t update_params[] = {
    ORG_PARAM,
    LABEL_PARAM,
    NAME_PARAM(0),
    COLOR_PARAM(NULL),
    ALLOY_PARAMS_END
};

static const alloy_param_t ticket_params[] = {
    ALLOY_TICKET_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t ticket_label_params[] = {
    ALLOY_TICKET_PARAM,
    LABEL_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_refusal_t name_refusals[] = {
    { "name_taken", &alloy_already_exists, "/name",
      "The organization has a label of this name, letter case aside; use that "
      "one or choose another name." },
    ALLOY_REFUSALS_END
};

static const alloy_refusal_t add_refusals[] = {
    { "too_many", &alloy_invalid_state, NULL,
      "The ticket has 50 labels already; take one off first." },
    ALLOY_REFUSALS_END
};

/* ---- the tables -------------------------------------------------------------- */

const alloy_operation_t alloy_label_operations[] = {
    {
        .id = "label_create",
        .method = ALLOY_POST,
        .path = "/orgs/{org}/labels",
        .tool = "create_label",
        .noun = "labels",
        .summary = "Creates a label for an organization's tickets.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_CREATES,
        .params = create_params,
        .answer = &alloy_label_shape,
        .steps = { &sql_org_lock, &sql_label_create },
        .location = "/orgs/{org_id}/labels/{id}",
        .refusals = name_refusals,
    },
    {
        .id = "label_list",
        .method = ALLOY_GET,
        .path = "/orgs/{org}/labels",
        .tool = "list_labels",
        .noun = "labels",
        .summary = "Lists an organization's labels, newest first.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_LISTED,
        .params = org_params,
        .answer = &alloy_label_shape,
        .steps = { &sql_label_list },
    },
    {
        .id = "label_get",
        .method = ALLOY_GET,
        .path = "/orgs/{org}/labels/{label}",
        .tool = "get_label",
        .noun = "labels",
        .summary = "Answers one label.",
        .role = ALLOY_VIEWER,
        .params = label_params,
        .answer = &alloy_label_shape,
        .steps = { &sql_label_get },
    },
    {
        .id = "label_update",
        .method = ALLOY_PATCH,
        .path = "/orgs/{org}/labels/{label}",
        .tool = "update_label",
        .noun = "labels",
        .summary = "Changes a label's name or color.",
        .role = ALLOY_MEMBER,
        .params = update_params,
        .answer = &alloy_label_shape,
        .steps = { &sql_org_lock, &sql_label_update },
        .refusals = name_refusals,
    },
    {
        .id = "label_delete",
        .method = ALLOY_DELETE,
        .path = "/orgs/{org}/labels/{label}",
        .tool = "delete_label",
        .noun = "labels",
        .summary = "Deletes a label and takes it off all tickets.",
        .role = ALLOY_ADMIN,
        .params = label_params,
        .steps = { &sql_label_lock, &sql_label_untie, &sql_label_delete },
    },
    ALLOY_OPERATIONS_END
};

const alloy_operation_t alloy_ticket_label_operations[] = {
    {
        .id = "ticket_label_add",
        .method = ALLOY_POST,
        .path = "/tickets/{ticket}/labels/{label}",
        .tool = "add_ticket_label",
        .noun = "tickets",
        .summary = "Puts a label on a ticket and answers all it has.",
        .help = "A label that is there already changes nothing.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_LISTED,
        .params = ticket_label_params,
        .answer = &alloy_label_shape,
        .steps = { &sql_ticket_lock, &sql_ticket_label_add,
                   &sql_ticket_label_added },
        .refusals = add_refusals,
    },
    {
        .id = "ticket_label_list",
        .method = ALLOY_GET,
        .path = "/tickets/{ticket}/labels",
        .tool = "list_ticket_labels",
        .noun = "tickets",
        .summary = "Lists a ticket's labels by name.",
        .role = ALLOY_VIEWER,
        .params = ticket_params,
        .answer = &alloy_label_shape,
        .steps = { &sql_ticket_label_list },
    },
    {
        .id = "ticket_label_remove",
        .method = ALLOY_DELETE,
        .path = "/tickets/{ticket}/labels/{label}",
        .tool = "remove_ticket_label",
        .noun = "tickets",
        .summary = "Takes a label off a ticket.",
        .role = ALLOY_MEMBER,
        .params = ticket_label_params,
        .steps = { &sql_ticket_lock, &sql_ticket_label_remove },
    },
    ALLOY_OPERATIONS_END
};
