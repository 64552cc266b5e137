/*
 * What happened to a ticket: its part of the change log, with the names of
 * those who did it.
 */
#include "resources.h"

#include "sql/activity.h"

static const alloy_field_t activity_fields[] = {
    { "seq", ALLOY_INT, 0, "Place in the change log." },
    { "at", ALLOY_INSTANT, 0, "When it happened." },
    { "change_id", ALLOY_UUID, ALLOY_NULLABLE, "The call that did it, answered "
      "as Alloy-Change-Id." },
    { "actor_id", ALLOY_UUID, ALLOY_NULLABLE, "Who did it." },
    { "actor_name", ALLOY_TEXT, ALLOY_NULLABLE, "His name today." },
    { "on_behalf_of", ALLOY_TEXT, ALLOY_NULLABLE, "On whose behalf, as his "
      "API key says." },
    { "client", ALLOY_TEXT, ALLOY_NULLABLE, "The way it came: rest, mcp or "
      "import." },
    { "client_name", ALLOY_TEXT, ALLOY_NULLABLE, "The program that sent it." },
    { "request_id", ALLOY_TEXT, ALLOY_NULLABLE, "X-Request-Id of the call." },
    { "operation", ALLOY_TEXT, ALLOY_NULLABLE, "The operation that was "
      "called." },
    { "entity_type", ALLOY_TEXT, 0, "What changed: ticket, comment." },
    { "entity_id", ALLOY_UUID, 0, "Which one." },
    { "version", ALLOY_INT, ALLOY_NULLABLE, "Its version since then." },
    { "fields", ALLOY_TEXT, ALLOY_MANY, "Names of what changed; empty when it "
      "was made or is gone." },
    { "before", ALLOY_JSON, ALLOY_NULLABLE, "The changed fields as they were; "
      "null when it was made." },
    { "after", ALLOY_JSON, ALLOY_NULLABLE, "The changed fields as they are "
      "since; long texts are left out." },
    { "warnings", ALLOY_TEXT, ALLOY_MANY, "Codes of rules it broke without "
      "being refused." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t activity_shape = { "Activity", activity_fields };

static const alloy_param_t activity_params[] = {
    ALLOY_TICKET_PARAM,
    ALLOY_PARAMS_END
};

const alloy_operation_t alloy_activity_operations[] = {
    {
        .id = "activity_list",
        .method = ALLOY_GET,
        .path = "/tickets/{ticket}/activity",
        .tool = "get_ticket_activity",
        .noun = "tickets",
        .summary = "Tells what happened to a ticket and its comments, oldest "
                   "first: who, on whose behalf, by what client, before and "
                   "after.",
        .role = ALLOY_VIEWER,
        .params = activity_params,
        .answer = &activity_shape,
        .steps = { &sql_activity_list },
    },
    ALLOY_OPERATIONS_END
};
