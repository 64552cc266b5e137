/*
 * What ties a ticket to others and to people: links between tickets, and who
 * watches one.
 */
#include "resources.h"

#include "sql/link.h"
#include "sql/member.h"
#include "sql/ticket.h"

static const char *const link_types[] = {
    "blocks", "relates", "duplicates", NULL
};

static const char *const directions[] = { "outward", "inward", NULL };

const alloy_resource_t alloy_link_resource = {
    .name = "ticket_link",
    .table = "alloy.ticket_link",
    .read = ALLOY_VIEWER,
    .sharded = 1,
    .find_id = &sql_link_find_id,
};

const alloy_resource_t alloy_log_ticket_watcher = {
    .name = "ticket_watcher", .table = "alloy.ticket_watcher", .read = ALLOY_VIEWER
};

/* ---- answers --------------------------------------------------------------- */

static const alloy_field_t link_fields[] = {
    { "id", ALLOY_UUID, 0, "Identifies the link for ever." },
    { "type", ALLOY_WORD, 0, "What the link means.", link_types },
    { "direction", ALLOY_WORD, 0, "outward: this ticket blocks or duplicates "
      "the other; inward: the other does so to this one. Relating is the same "
      "both ways.", directions },
    { "ticket_id", ALLOY_UUID, 0, "The other ticket." },
    { "key", ALLOY_TEXT, 0, "Its key." },
    { "title", ALLOY_TEXT, 0, "Its title." },
    { "status", ALLOY_TEXT, 0, "Where it stands." },
    { "created_by", ALLOY_UUID, 0, "Who linked them." },
    { "created_at", ALLOY_INSTANT, 0, "When." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t link_shape = { "TicketLink", link_fields };

static const alloy_field_t watcher_fields[] = {
    { "ticket_id", ALLOY_UUID, 0, "The ticket." },
    { "user_id", ALLOY_UUID, 0, "Who watches it." },
    { "email", ALLOY_TEXT, 0, "His e-mail address." },
    { "display_name", ALLOY_TEXT, 0, "His name." },
    { "created_at", ALLOY_INSTANT, 0, "Since when." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t watcher_shape = { "Watcher", watcher_fields };

/* ---- input ----------------------------------------------------------------- */

static const alloy_param_t link_params[] = {
    ALLOY_TICKET_PARAM,
    { .name = "type", .type = ALLOY_WORD, .flags = ALLOY_REQUIRED,
      .words = link_types,
      .help = "What this ticket does to the other one." },
    { .name = "ticket_id", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .resource = &alloy_ticket_resource, .tool_name = "other",
      .help = "Id or key of the other ticket." },
    ALLOY_PARAMS_END
};

static const alloy_param_t ticket_params[] = {
    ALLOY_TICKET_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t unlink_params[] = {
    ALLOY_TICKET_PARAM,
    { .name = "link", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .resource = &alloy_link_resource, .help = "Id of the link." },
    ALLOY_PARAMS_END
};

static const alloy_param_t watch_params[] = {
    ALLOY_TICKET_PARAM,
    { .name = "user_id", .type = ALLOY_REF, .resource = &alloy_user_resource,
      .within = "org",
      .help = "Who watches it; the caller when left out, somebody else only "
              "by a Member." },
    ALLOY_PARAMS_END
};

static const alloy_param_t unwatch_params[] = {
    ALLOY_TICKET_PARAM,
    { .name = "user", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .resource = &alloy_user_resource, .within = "org",
      .help = "Who stops watching: id, e-mail address, display name, or me." },
    ALLOY_PARAMS_END
};

static const alloy_refusal_t link_refusals[] = {
    { "no_ticket", &alloy_validation_failed, "/ticket_id",
      "A link needs another ticket; name one that you can see." },
    { "itself", &alloy_validation_failed, "/ticket_id",
      "A ticket can't be linked to itself; name another one." },
    { "cycle", &alloy_invalid_state, "/ticket_id",
      "The other ticket leads back to this one by links of this type, perhaps "
      "over others between them; delete one of those first." },
    ALLOY_REFUSALS_END
};

#define NEEDS_MEMBER \
    { "needs_member", &alloy_forbidden, NULL, \
      "Speaking for somebody else needs the role Member in this " \
      "organization." }

static const alloy_refusal_t watch_refusals[] = {
    NEEDS_MEMBER,
    { "no_person", &alloy_validation_failed, "/user_id",
      "Somebody must watch it; leave user_id out or name a member." },
    { "sees_nothing", &alloy_validation_failed, "/user_id",
      "He can't see this ticket; add him to its project first." },
    ALLOY_REFUSALS_END
};

static const alloy_refusal_t unwatch_refusals[] = {
    NEEDS_MEMBER,
    ALLOY_REFUSALS_END
};

/* ---- the tables -------------------------------------------------------------- */

const alloy_operation_t alloy_link_operations[] = {
    {
        .id = "link_create",
        .method = ALLOY_POST,
        .path = "/tickets/{ticket}/links",
        .tool = "link_tickets",
        .noun = "tickets",
        .summary = "Links a ticket to another one.",
        .help = "blocks and duplicates have a direction and must not lead "
                "back. A link that is there already is answered with 200.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_CREATES | ALLOY_LISTED | ALLOY_REPEATS,
        .params = link_params,
        .answer = &link_shape,
        .steps = { &sql_org_lock, &sql_link_create },
        .refusals = link_refusals,
    },
    {
        .id = "link_list",
        .method = ALLOY_GET,
        .path = "/tickets/{ticket}/links",
        .tool = "list_ticket_links",
        .noun = "tickets",
        .summary = "Lists a ticket's links in both directions, newest first.",
        .help = "Links to tickets the caller can't see are left out.",
        .role = ALLOY_VIEWER,
        .params = ticket_params,
        .answer = &link_shape,
        .steps = { &sql_link_list },
    },
    {
        .id = "link_delete",
        .method = ALLOY_DELETE,
        .path = "/tickets/{ticket}/links/{link}",
        .tool = "unlink_tickets",
        .noun = "tickets",
        .summary = "Deletes a link, from either of its tickets.",
        .role = ALLOY_MEMBER,
        .params = unlink_params,
        .steps = { &sql_link_delete },
    },
    ALLOY_OPERATIONS_END
};

const alloy_operation_t alloy_watcher_operations[] = {
    {
        .id = "watcher_add",
        .method = ALLOY_POST,
        .path = "/tickets/{ticket}/watchers",
        .tool = "watch_ticket",
        .noun = "tickets",
        .summary = "Lets the caller, or somebody else, watch a ticket.",
        .help = "Who watches it already is answered with 200.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_CREATES | ALLOY_REPEATS,
        .params = watch_params,
        .answer = &watcher_shape,
        .steps = { &sql_ticket_lock, &sql_watcher_add },
        .refusals = watch_refusals,
    },
    {
        .id = "watcher_list",
        .method = ALLOY_GET,
        .path = "/tickets/{ticket}/watchers",
        .tool = "list_watchers",
        .noun = "tickets",
        .summary = "Lists who watches a ticket, the longest first.",
        .role = ALLOY_VIEWER,
        .params = ticket_params,
        .answer = &watcher_shape,
        .steps = { &sql_watcher_list },
    },
    {
        .id = "watcher_remove",
        .method = ALLOY_DELETE,
        .path = "/tickets/{ticket}/watchers/{user}",
        .tool = "unwatch_ticket",
        .noun = "tickets",
        .summary = "Ends the caller's, or somebody else's, watching.",
        .role = ALLOY_VIEWER,
        .params = unwatch_params,
        .steps = { &sql_watcher_remove },
        .refusals = unwatch_refusals,
    },
    ALLOY_OPERATIONS_END
};
