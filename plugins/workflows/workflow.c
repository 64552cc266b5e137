/*
 * Workflows: their shape, what is sent to make or change one, and the table of
 * their operations. What happens to tickets meanwhile is in edit.c.
 */
#include "workflows.h"

#include "sql/workflow.h"

#define STATUSES_LIMIT 50
#define TRANSITIONS_LIMIT 500

static const char *const enforcement_words[] = {
    "strict", "relaxed", "none", NULL
};

static const char *const category_words[] = {
    "todo", "in_progress", "done", NULL
};

/* Roles that can move a ticket at all. */
static const char *const role_words[] = { "Owner", "Admin", "Member", NULL };

/* What a ticket can do without, and a transition can ask for. */
static const char *const field_words[] = {
    "assignee_id", "description", "due_date", "labels", "parent_id", "points",
    "sprint_id", NULL
};

/* ---- answers --------------------------------------------------------------- */

static const alloy_field_t status_fields[] = {
    { "name", ALLOY_TEXT, 0, "What people call it." },
    { "category", ALLOY_WORD, 0, "What it means to boards, burndowns and "
      "counts.", category_words },
    { "wip_limit", ALLOY_INT, ALLOY_NULLABLE, "How many tickets of a project "
      "may be in it at a time; null: any number." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t status_shape = { "WorkflowStatus", status_fields };

static const alloy_field_t transition_fields[] = {
    { "from", ALLOY_TEXT, 0, "The status it leads from." },
    { "to", ALLOY_TEXT, 0, "The status it leads to." },
    { "required_fields", ALLOY_WORD, ALLOY_MANY, "What a ticket must have to "
      "go this way.", field_words },
    { "roles", ALLOY_WORD, ALLOY_MANY, "Who may move a ticket this way, higher "
      "roles included; empty: every Member.", role_words },
    ALLOY_FIELDS_END
};

static const alloy_shape_t transition_shape = {
    "WorkflowTransition", transition_fields
};

static const alloy_field_t workflow_fields[] = {
    { "id", ALLOY_UUID, 0, "Identifies the workflow for ever." },
    { "org_id", ALLOY_UUID, 0, "The organization it belongs to." },
    { "name", ALLOY_TEXT, 0, "What people call it; unique in the organization, "
      "letter case aside." },
    { "statuses", ALLOY_JSON, ALLOY_MANY, "Its statuses in the order of the "
      "board; a new ticket begins in the first.", NULL, &status_shape },
    { "transitions", ALLOY_JSON, ALLOY_MANY, "The moves it lists.", NULL,
      &transition_shape },
    { "enforcement", ALLOY_WORD, 0, "What happens to a move that breaks its "
      "rules: it is refused (strict), it happens with a warning (relaxed), or "
      "nobody looks (none).", enforcement_words },
    { "is_default", ALLOY_BOOL, 0, "Whether new projects get it." },
    { "version", ALLOY_INT, 0, "Raised by every change." },
    { "created_at", ALLOY_INSTANT, 0, "When it was made." },
    { "updated_at", ALLOY_INSTANT, 0, "When it was changed last." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t workflow_shape = { "Workflow", workflow_fields };

/* ---- input ----------------------------------------------------------------- */

#define ORG_PARAM \
    { .name = "org", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id or slug of the organization.", \
      .resource = &alloy_org_resource }

#define WORKFLOW_PARAM \
    { .name = "workflow", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id or name of the workflow.", \
      .resource = &alloy_workflow_resource, .within = "org" }

static const alloy_param_t status_members[] = {
    { .name = "name", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED, .least = 1,
      .most = 100, .format = &alloy_format_line,
      .help = "What people call it; once in the workflow, letter case "
              "aside." },
    { .name = "category", .type = ALLOY_WORD, .flags = ALLOY_REQUIRED,
      .words = category_words,
      .help = "What it means to boards, burndowns and counts." },
    { .name = "wip_limit", .type = ALLOY_INT, .flags = ALLOY_NULLABLE,
      .least = 1, .most = 100000,
      .help = "How many tickets of a project may be in it at a time." },
    ALLOY_PARAMS_END
};

static const alloy_param_t status_param[] = {
    { .name = "status", .type = ALLOY_OBJECT, .inner = status_members,
      .help = "One status." },
    ALLOY_PARAMS_END
};

static const alloy_param_t field_param[] = {
    { .name = "field", .type = ALLOY_WORD, .words = field_words,
      .help = "A key of a ticket." },
    ALLOY_PARAMS_END
};

static const alloy_param_t role_param[] = {
    { .name = "role", .type = ALLOY_WORD, .words = role_words,
      .help = "A role in the organization." },
    ALLOY_PARAMS_END
};

#define STATUS_NAME(key, text) \
    { .name = key, .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED, .least = 1, \
      .most = 100, .help = text }

static const alloy_param_t transition_members[] = {
    STATUS_NAME("from", "Name of the status it leads from."),
    STATUS_NAME("to", "Name of the status it leads to."),
    { .name = "required_fields", .type = ALLOY_LIST, .most = 10,
      .inner = field_param,
      .help = "What a ticket must have to go this way." },
    { .name = "roles", .type = ALLOY_LIST, .most = 10, .inner = role_param,
      .help = "Who may move a ticket this way, higher roles included; every "
              "Member when empty or left out." },
    ALLOY_PARAMS_END
};

static const alloy_param_t transition_param[] = {
    { .name = "transition", .type = ALLOY_OBJECT, .inner = transition_members,
      .help = "One move." },
    ALLOY_PARAMS_END
};

#define NAME_PARAM(flag) \
    { .name = "name", .type = ALLOY_TEXT, .flags = flag, .least = 1, \
      .most = 200, .format = &alloy_format_name, \
      .help = "What people call it; unique in the organization, letter case " \
              "aside." }

#define STATUSES_PARAM(flag, text) \
    { .name = "statuses", .type = ALLOY_LIST, .flags = flag, .least = 1, \
      .most = STATUSES_LIMIT, .inner = status_param, .help = text }

#define TRANSITIONS_PARAM(absent, text) \
    { .name = "transitions", .type = ALLOY_LIST, .most = TRANSITIONS_LIMIT, \
      .fallback = absent, .inner = transition_param, .help = text }

#define ENFORCEMENT_PARAM(absent) \
    { .name = "enforcement", .type = ALLOY_WORD, .words = enforcement_words, \
      .fallback = absent, \
      .help = "What happens to a move that breaks the rules: strict refuses " \
              "it, relaxed lets it happen with a warning, none does not " \
              "look." }

#define DEFAULT_PARAM \
    { .name = "is_default", .type = ALLOY_BOOL, \
      .help = "true: new projects get this one from now on. Another one is " \
              "made the default by the same; false changes nothing." }

static const alloy_param_t create_params[] = {
    ORG_PARAM,
    NAME_PARAM(ALLOY_REQUIRED),
    STATUSES_PARAM(ALLOY_REQUIRED, "Its statuses in the order of the board; a "
                   "new ticket begins in the first."),
    TRANSITIONS_PARAM("[]", "The moves it lists; a move to the same status is "
                      "none and always possible."),
    ENFORCEMENT_PARAM("none"),
    DEFAULT_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t org_params[] = {
    ORG_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t workflow_params[] = {
    WORKFLOW_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t update_params[] = {
    WORKFLOW_PARAM,
    NAME_PARAM(0),
    STATUSES_PARAM(0, "All statuses it has from now on, in their order."),
    TRANSITIONS_PARAM(NULL, "All moves it lists from now on. When left out, "
                      "they stay: between the statuses that took the place of "
                      "others, and without those of statuses that are gone."),
    { .name = "status_map", .type = ALLOY_OBJECT,
      .help = "With statuses: names of old ones, each with the new one that "
              "takes its place and its tickets; letter case aside. One of the "
              "same name needs no mention." },
    ENFORCEMENT_PARAM(NULL),
    DEFAULT_PARAM,
    ALLOY_PARAMS_END
};

/* ---- the table --------------------------------------------------------------- */

const alloy_operation_t workflows_operations[] = {
    {
        .id = "workflow_create",
        .method = ALLOY_POST,
        .path = "/orgs/{org}/workflows",
        .tool = "create_workflow",
        .noun = "workflows",
        .summary = "Creates a workflow: statuses, the moves between them, and "
                   "how strictly they are meant.",
        .help = "A project follows it when its workflow_id says so. A new "
                "ticket may begin in any of its statuses, in the first if none "
                "is named; the rules are for moves.",
        .role = ALLOY_ADMIN,
        .flags = ALLOY_CREATES | ALLOY_TRANSACTION,
        .params = create_params,
        .answer = &workflow_shape,
        .run = workflows_create,
        .location = "/workflows/{id}",
    },
    {
        .id = "workflow_list",
        .method = ALLOY_GET,
        .path = "/orgs/{org}/workflows",
        .tool = "list_workflows",
        .noun = "workflows",
        .summary = "Lists an organization's workflows, newest first.",
        .role = ALLOY_VIEWER,
        .params = org_params,
        .answer = &workflow_shape,
        .steps = { &sql_workflow_list },
    },
    {
        .id = "workflow_get",
        .method = ALLOY_GET,
        .path = "/workflows/{workflow}",
        .tool = "get_workflow",
        .noun = "workflows",
        .summary = "Answers one workflow.",
        .role = ALLOY_VIEWER,
        .params = workflow_params,
        .answer = &workflow_shape,
        .steps = { &sql_workflow_get },
    },
    {
        .id = "workflow_update",
        .method = ALLOY_PATCH,
        .path = "/workflows/{workflow}",
        .tool = "update_workflow",
        .noun = "workflows",
        .summary = "Changes a workflow, also one that projects follow.",
        .help = "Tickets in a status that goes must be told where to by "
                "status_map; else nothing is changed and the answer is 409 "
                "with stranded, the statuses and how many tickets are in "
                "each. Moves under way are decided by the one or the other "
                "workflow, never by a mixture.",
        .role = ALLOY_ADMIN,
        .flags = ALLOY_TRANSACTION,
        .params = update_params,
        .answer = &workflow_shape,
        .run = workflows_update,
    },
    {
        .id = "workflow_delete",
        .method = ALLOY_DELETE,
        .path = "/workflows/{workflow}",
        .tool = "delete_workflow",
        .noun = "workflows",
        .summary = "Deletes a workflow that no project follows.",
        .help = "409 with projects, their keys, while some do. The last one "
                "and the one that new projects get stay as well.",
        .role = ALLOY_ADMIN,
        .flags = ALLOY_TRANSACTION,
        .params = workflow_params,
        .run = workflows_delete,
    },
    ALLOY_OPERATIONS_END
};
