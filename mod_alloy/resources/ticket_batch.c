/*
 * POST /tickets/batch: changes, moves and deletions of many tickets, sent to
 * the database together.
 */
#include "resources.h"

#define OPERATIONS_LIMIT 1000

const char *const alloy_ticket_actions[] = {
    "update", "transition", "delete", NULL
};

static const alloy_param_t element = {
    .name = "operation", .type = ALLOY_OBJECT, .inner = alloy_ticket_element,
    .help = "A ticket and what becomes of it."
};

static const alloy_param_t batch_params[] = {
    { .name = "atomic", .type = ALLOY_BOOL,
      .help = "All or nothing, which is the default; false: what can be done "
              "is done, and each has a result of its own." },
    { .name = "action", .type = ALLOY_WORD, .words = alloy_ticket_actions,
      .fallback = "update",
      .help = "What to do with tickets whose operation does not say it." },
    { .name = "operations", .type = ALLOY_LIST, .flags = ALLOY_REQUIRED,
      .inner = &element, .least = 1, .most = OPERATIONS_LIMIT,
      .help = "The tickets, each with what an update of it, or a transition, "
              "would be sent." },
    ALLOY_PARAMS_END
};

static const alloy_field_t result_fields[] = {
    { "ticket", ALLOY_TEXT, 0, "The ticket as the operation named it." },
    { "status", ALLOY_INT, 0, "The status its own request would have got." },
    { "body", ALLOY_JSON, ALLOY_NULLABLE, "The ticket after the operation, "
      "the problem that refused it, or null after a deletion." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t result_shape = {
    "TicketBatchResult", result_fields
};

static const alloy_field_t batch_fields[] = {
    { "results", ALLOY_JSON, ALLOY_MANY, "One for each operation, in order.",
      NULL, &result_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t batch_shape = { "TicketBatch", batch_fields };

static const char *const moves[] = { "action", "transition", NULL };

static const alloy_tool_t batch_tools[] = {
    { .name = "batch_transition",
      .summary = "Moves up to a thousand tickets to another status each.",
      .fixed = moves },
    ALLOY_TOOLS_END
};

const alloy_operation_t alloy_ticket_batch_operations[] = {
    {
        .id = "ticket_batch",
        .method = ALLOY_POST,
        .path = "/tickets/batch",
        .tool = "batch_update_tickets",
        .tools = batch_tools,
        .noun = "tickets",
        .summary = "Changes, moves or deletes up to a thousand tickets at "
                   "once.",
        .help = "One transaction and one change id. Each operation needs what "
                "its own request would need; a ticket may be named more than "
                "once, its operations are done in order. Where one is at "
                "fault nothing is changed, and pointers such as "
                "/operations/17/status say which; with atomic false the "
                "others are done. Input that could be no operation at all is "
                "refused in both cases.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_TRANSACTION | ALLOY_NESTS,
        .params = batch_params,
        .answer = &batch_shape,
        .run = alloy_many_run,
    },
    ALLOY_OPERATIONS_END
};
