/*
 * What a workflow would have said to moves that were made: a look into the
 * history before a rule is enforced.
 */
#include "workflows.h"

#include "sql/rules.h"

static const char *const code_words[] = {
    "transition_not_listed", "unknown_status", NULL
};

static const alloy_field_t move_fields[] = {
    { "from", ALLOY_TEXT, 0, "The status tickets were in." },
    { "to", ALLOY_TEXT, 0, "The status they were moved to." },
    { "count", ALLOY_INT, 0, "How often." },
    { "legal", ALLOY_BOOL, 0, "Whether the workflow lists it." },
    { "code", ALLOY_WORD, ALLOY_NULLABLE, "What is wrong with it: the workflow "
      "lists no such transition, or has no such status.", code_words },
    { "first_at", ALLOY_INSTANT, 0, "When it happened first." },
    { "last_at", ALLOY_INSTANT, 0, "When it happened last." },
    { "tickets", ALLOY_UUID, ALLOY_MANY, "The first five tickets it happened "
      "to." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t move_shape = { "SimulatedMove", move_fields };

static const alloy_field_t simulation_fields[] = {
    { "workflow_id", ALLOY_UUID, 0, "The workflow that was asked." },
    { "workflow_version", ALLOY_INT, 0, "As it was then." },
    { "tickets", ALLOY_INT, 0, "Tickets that were moved." },
    { "moves", ALLOY_INT, 0, "Moves that were made." },
    { "legal", ALLOY_INT, 0, "Moves that it lists." },
    { "illegal", ALLOY_INT, 0, "Moves that a strict workflow would have "
      "refused." },
    { "items", ALLOY_JSON, ALLOY_MANY, "The kinds of move, illegal ones first, "
      "then the most frequent.", NULL, &move_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t simulation_shape = {
    "Simulation", simulation_fields
};

static const alloy_param_t simulate_params[] = {
    { .name = "workflow", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .help = "Id or name of the workflow.",
      .resource = &alloy_workflow_resource, .within = "org" },
    { .name = "project_id", .type = ALLOY_REF,
      .resource = &alloy_project_resource, .within = "org",
      .help = "Id, key or name of the project whose history is replayed; all "
              "that follow the workflow when left out." },
    { .name = "moved_after", .type = ALLOY_INSTANT,
      .help = "Only moves later than this." },
    { .name = "moved_before", .type = ALLOY_INSTANT,
      .help = "Only moves earlier than this." },
    ALLOY_PARAMS_END
};

const alloy_operation_t workflows_simulate_operations[] = {
    {
        .id = "workflow_simulate",
        .method = ALLOY_POST,
        .path = "/workflows/{workflow}/simulate",
        .tool = "simulate_workflow",
        .noun = "workflows",
        .summary = "Replays recorded moves of tickets against a workflow.",
        .help = "Of each move that people made, in projects the caller sees, "
                "it tells whether the workflow lists it. Required fields, roles "
                "and limits are not replayed, and nothing is changed.",
        .role = ALLOY_VIEWER,
        .params = simulate_params,
        .answer = &simulation_shape,
        .steps = { &sql_rules_simulate },
    },
    ALLOY_OPERATIONS_END
};
