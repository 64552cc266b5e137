/*
 * Boards: the tickets of a sprint or of a whole project in the columns of the
 * workflow.
 */
#include "resources.h"

#include "sql/sprint.h"

static const alloy_field_t card_fields[] = {
    { "id", ALLOY_UUID, 0, "The ticket." },
    { "key", ALLOY_TEXT, 0, "Its key." },
    { "title", ALLOY_TEXT, 0, "What is to be done." },
    { "type", ALLOY_TEXT, 0, "What kind of work it is." },
    { "priority", ALLOY_WORD, 0, "How much it matters.",
      alloy_priority_words },
    { "assignee_id", ALLOY_UUID, ALLOY_NULLABLE, "Who works on it." },
    { "points", ALLOY_HALF, ALLOY_NULLABLE, "How big it is." },
    { "version", ALLOY_INT, 0, "Its version." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t card_shape = { "BoardTicket", card_fields };

static const alloy_field_t column_fields[] = {
    { "status", ALLOY_TEXT, 0, "A status of the project's workflow." },
    { "category", ALLOY_WORD, 0, "What the status means.",
      alloy_category_words },
    { "wip_limit", ALLOY_INT, ALLOY_NULLABLE, "How many tickets it should "
      "hold at most." },
    { "count", ALLOY_INT, 0, "All its tickets." },
    { "points", ALLOY_HALF, 0, "Their points, added up." },
    { "tickets", ALLOY_JSON, ALLOY_MANY, "The first of them, the most "
      "important ones on top.", NULL, &card_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t column_shape = { "BoardColumn", column_fields };

static const alloy_field_t board_fields[] = {
    { "project_id", ALLOY_UUID, 0, "The project." },
    { "sprint_id", ALLOY_UUID, ALLOY_NULLABLE, "The sprint; null: all tickets "
      "of the project." },
    { "name", ALLOY_TEXT, 0, "The sprint's or the project's name." },
    { "columns", ALLOY_JSON, ALLOY_MANY, "In workflow order, empty ones "
      "included.", NULL, &column_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t board_shape = { "Board", board_fields };

#define LIMIT_PARAM \
    { .name = "limit", .type = ALLOY_INT, .least = 1, .most = 200, \
      .fallback = "50", .help = "How many tickets of a column to show; count " \
                                "tells how many there are." }

#define AS_OF_PARAM \
    { .name = "as_of", .type = ALLOY_INSTANT, \
      .help = "Show the board as it was at this instant, with tickets that " \
              "were deleted since and in the columns of today; 404 when it " \
              "was not there then." }

static const alloy_param_t sprint_params[] = {
    ALLOY_SPRINT_PARAMS,
    LIMIT_PARAM,
    AS_OF_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t project_params[] = {
    { .name = "project", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .help = "Id, key or name of the project.",
      .resource = &alloy_project_resource },
    LIMIT_PARAM,
    AS_OF_PARAM,
    ALLOY_PARAMS_END
};

const alloy_operation_t alloy_board_operations[] = {
    {
        .id = "sprint_board",
        .method = ALLOY_GET,
        .path = "/sprints/{sprint}/board",
        .noun = "sprints",
        .summary = "Shows a sprint's tickets in the columns of the workflow.",
        .role = ALLOY_VIEWER,
        .params = sprint_params,
        .answer = &board_shape,
        .steps = { &sql_board_sprint },
        .past = &sql_board_sprint_as_of,
    },
    {
        .id = "project_board",
        .method = ALLOY_GET,
        .path = "/projects/{project}/board",
        .noun = "projects",
        .summary = "Shows a project's tickets in the columns of its workflow.",
        .role = ALLOY_VIEWER,
        .params = project_params,
        .answer = &board_shape,
        .steps = { &sql_board_project },
        .past = &sql_board_project_as_of,
    },
    ALLOY_OPERATIONS_END
};
