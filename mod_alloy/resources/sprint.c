/*
 * Sprints: planning, starting and completing them, and which tickets are in
 * them. What they look like day by day is in board.c and burndown.c.
 */
#include "resources.h"

#include <apr_cstr.h>
#include <apr_strings.h>

#include "sql/sprint.h"
#include "sql/ticket.h"

#define GOAL_LIMIT 65536        /* characters; the format counts bytes */
#define TICKETS_AT_ONCE 200

const char *const alloy_sprint_words[] = {
    "Planned", "Active", "Completed", NULL
};

/* "active" is a reserved name too, but one that is looked up. */
static const char *const reserved[] = { "none", "backlog", NULL };

const alloy_resource_t alloy_sprint_resource = {
    .name = "sprint",
    .table = "alloy.sprint",
    .read = ALLOY_VIEWER,
    .sharded = 1,
    .find_id = &sql_sprint_find_id,
    .find_name = &sql_sprint_find_name,
    .reserved = reserved,
};

/* ---- answers --------------------------------------------------------------- */

static const alloy_field_t sprint_fields[] = {
    { "id", ALLOY_UUID, 0, "Identifies the sprint for ever." },
    { "project_id", ALLOY_UUID, 0, "The project it belongs to." },
    { "number", ALLOY_INT, 0, "Counts the project's sprints from 1; never "
      "used again." },
    { "name", ALLOY_TEXT, 0, "What people call it." },
    { "goal", ALLOY_TEXT, ALLOY_NULLABLE, "What it is about." },
    { "start_date", ALLOY_DATE, ALLOY_NULLABLE, "Its first day." },
    { "end_date", ALLOY_DATE, ALLOY_NULLABLE, "Its last day, as planned." },
    { "status", ALLOY_WORD, 0, "Planned, then Active, then Completed.",
      alloy_sprint_words },
    { "started_at", ALLOY_INSTANT, ALLOY_NULLABLE, "When it was started." },
    { "completed_at", ALLOY_INSTANT, ALLOY_NULLABLE, "When it was "
      "completed." },
    { "version", ALLOY_INT, 0, "Raised by every change." },
    { "created_at", ALLOY_INSTANT, 0, "When it was made." },
    { "updated_at", ALLOY_INSTANT, 0, "When it was changed last." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t sprint_shape = { "Sprint", sprint_fields };

/* ---- input ----------------------------------------------------------------- */

static const char *check_name(const char **value, apr_pool_t *pool)
{
    const char *objection = alloy_format_name.check(value, pool);

    if (objection) {
        return objection;
    }
    if (!apr_cstr_casecmp(*value, "active")
        || !apr_cstr_casecmp(*value, "backlog")) {
        return apr_psprintf(pool, "\"%s\" has a meaning of its own wherever a "
                            "sprint is asked for, so no sprint can be named "
                            "so.", *value);
    }
    return NULL;
}

static const alloy_format_t name_format = {
    .name = "name", .check = check_name
};

#define PROJECT_PARAM \
    { .name = "project", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id, key or name of the project.", \
      .resource = &alloy_project_resource }

#define NAME_PARAM(flag) \
    { .name = "name", .type = ALLOY_TEXT, .flags = flag, .least = 1, \
      .most = 200, .format = &name_format, \
      .help = "What people call it; not active or backlog." }

#define PLAN_PARAMS \
    { .name = "goal", .type = ALLOY_TEXT, \
      .flags = ALLOY_NULLABLE | ALLOY_MULTILINE, .most = GOAL_LIMIT, \
      .format = &alloy_markdown_format, .help = "What it is about." }, \
    { .name = "start_date", .type = ALLOY_DATE, .flags = ALLOY_NULLABLE, \
      .help = "Its first day." }, \
    { .name = "end_date", .type = ALLOY_DATE, .flags = ALLOY_NULLABLE, \
      .help = "Its last day; not before start_date and at most 366 days " \
              "after it." }

static const alloy_param_t create_params[] = {
    PROJECT_PARAM,
    NAME_PARAM(ALLOY_REQUIRED),
    PLAN_PARAMS,
    ALLOY_PARAMS_END
};

static const alloy_param_t list_params[] = {
    PROJECT_PARAM,
    { .name = "status", .type = ALLOY_WORD, .flags = ALLOY_MANY,
      .words = alloy_sprint_words, .help = "Only sprints in this status." },
    ALLOY_PARAMS_END
};

static const alloy_param_t sprint_params[] = {
    ALLOY_SPRINT_PARAMS,
    ALLOY_PARAMS_END
};

static const alloy_param_t update_params[] = {
    ALLOY_SPRINT_PARAMS,
    NAME_PARAM(0),
    PLAN_PARAMS,
    ALLOY_PARAMS_END
};

static const alloy_param_t complete_params[] = {
    ALLOY_SPRINT_PARAMS,
    { .name = "move_incomplete_to", .type = ALLOY_REF, .fallback = "backlog",
      .resource = &alloy_sprint_resource, .within = "sprint",
      .help = "Where tickets go that are not done: a sprint of the same "
              "project, or backlog." },
    ALLOY_PARAMS_END
};

static const alloy_param_t ticket_reference = {
    .type = ALLOY_REF, .resource = &alloy_ticket_resource,
    .help = "Id or key of a ticket."
};

static const alloy_param_t enter_params[] = {
    ALLOY_SPRINT_PARAMS,
    { .name = "tickets", .type = ALLOY_LIST, .flags = ALLOY_REQUIRED,
      .least = 1, .most = TICKETS_AT_ONCE, .inner = &ticket_reference,
      .help = "Ids or keys of tickets of the sprint's project." },
    ALLOY_PARAMS_END
};

static const alloy_param_t leave_params[] = {
    ALLOY_SPRINT_PARAMS,
    ALLOY_TICKET_PARAM,
    ALLOY_PARAMS_END
};

/* ---- refusals ---------------------------------------------------------------- */

#define BACKWARDS "A sprint ends on the day it starts or later; choose a " \
                  "later end_date."
#define TOO_LONG "A sprint has at most 366 days; choose an earlier end_date."

static const alloy_refusal_t create_refusals[] = {
    { "backwards", &alloy_validation_failed, "/end_date", BACKWARDS },
    { "too_long", &alloy_validation_failed, "/end_date", TOO_LONG },
    { "archived", &alloy_invalid_state, NULL,
      "The project is archived and takes no new sprints; PATCH it with "
      "archived false first." },
    ALLOY_REFUSALS_END
};

static const alloy_refusal_t start_refusals[] = {
    { "not_planned", &alloy_invalid_state, NULL,
      "Only a planned sprint can be started; this one is active or completed "
      "already." },
    { "another_active", &alloy_invalid_state, NULL,
      "The project has one active sprint at a time and another one is active; "
      "complete that first, or PATCH the project with single_active_sprint "
      "false." },
    ALLOY_REFUSALS_END
};

static const alloy_refusal_t complete_refusals[] = {
    { "not_active", &alloy_invalid_state, NULL,
      "Only an active sprint can be completed; start it first, or leave it if "
      "it is completed already." },
    { "target_completed", &alloy_invalid_state, "/move_incomplete_to",
      "The sprint for unfinished tickets is completed itself; name another "
      "one, or backlog." },
    { "target_same", &alloy_validation_failed, "/move_incomplete_to",
      "Unfinished tickets can't stay in the sprint that ends; name another "
      "one, or backlog." },
    ALLOY_REFUSALS_END
};

static const alloy_refusal_t enter_refusals[] = {
    { "archived", &alloy_invalid_state, NULL,
      "The project is archived and its sprints take no more tickets; PATCH it "
      "with archived false first." },
    { "completed", &alloy_invalid_state, NULL,
      "The sprint is completed and takes no more tickets; name another "
      "sprint." },
    { "other_project", &alloy_validation_failed, "/tickets",
      "A sprint holds tickets of its own project; leave the others out." },
    ALLOY_REFUSALS_END
};

/* ---- changing one ------------------------------------------------------------ */

static alloy_problem_t *date_problem(const alloy_facts_t *facts,
                                     const char *code, const char *detail)
{
    return alloy_problem_at(alloy_problem(facts->call,
                                          &alloy_validation_failed, "%s",
                                          detail),
                            "/end_date", code, detail, NULL);
}

/* What a completed sprint achieved in its days is history. */
static alloy_problem_t *decide_update(const alloy_facts_t *facts)
{
    const alloy_row_t *row = facts->row;

    if (alloy_row_int(row, "backwards")) {
        return date_problem(facts, "backwards", BACKWARDS);
    }
    if (alloy_row_int(row, "too_long")) {
        return date_problem(facts, "too_long", TOO_LONG);
    }
    if (alloy_row_int(row, "settled")) {
        return alloy_problem(facts->call, &alloy_invalid_state,
                             "The sprint is completed, so its dates are "
                             "history; leave start_date and end_date out.");
    }
    return NULL;
}

static const alloy_guarded_t update_guarded = {
    .action = "sprint_update",
    .lock = &sql_sprint_lock,
    .read = &sql_sprint_update_read,
    .decide = decide_update,
    .write = &sql_sprint_update,
};

/* ---- the table --------------------------------------------------------------- */

const alloy_operation_t alloy_sprint_operations[] = {
    {
        .id = "sprint_create",
        .method = ALLOY_POST,
        .path = "/projects/{project}/sprints",
        .tool = "create_sprint",
        .noun = "sprints",
        .summary = "Plans a sprint in a project.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_CREATES | ALLOY_LISTED,
        .params = create_params,
        .answer = &sprint_shape,
        .steps = { &sql_sprint_project_lock, &sql_sprint_create },
        .location = "/sprints/{id}",
        .refusals = create_refusals,
    },
    {
        .id = "sprint_list",
        .method = ALLOY_GET,
        .path = "/projects/{project}/sprints",
        .tool = "list_sprints",
        .noun = "sprints",
        .summary = "Lists a project's sprints, newest first.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_LISTED,
        .params = list_params,
        .answer = &sprint_shape,
        .steps = { &sql_sprint_list },
        .plain = &sql_sprint_list_all,
    },
    {
        .id = "sprint_get",
        .method = ALLOY_GET,
        .path = "/sprints/{sprint}",
        .tool = "get_sprint",
        .uri = "alloy://sprints/{sprint}",
        .noun = "sprints",
        .summary = "Answers one sprint.",
        .role = ALLOY_VIEWER,
        .params = sprint_params,
        .answer = &sprint_shape,
        .steps = { &sql_sprint_get },
    },
    {
        .id = "sprint_update",
        .method = ALLOY_PATCH,
        .path = "/sprints/{sprint}",
        .tool = "update_sprint",
        .noun = "sprints",
        .summary = "Changes the fields that are sent and no others.",
        .help = "null clears goal, start_date and end_date. The dates of a "
                "completed sprint don't change any more.",
        .role = ALLOY_MEMBER,
        .params = update_params,
        .answer = &sprint_shape,
        .guarded = &update_guarded,
    },
    {
        .id = "sprint_delete",
        .method = ALLOY_DELETE,
        .path = "/sprints/{sprint}",
        .tool = "delete_sprint",
        .noun = "sprints",
        .summary = "Deletes a sprint; its tickets go back to the backlog.",
        .role = ALLOY_ADMIN,
        .params = sprint_params,
        .steps = { &sql_sprint_lock, &sql_sprint_delete },
    },
    {
        .id = "sprint_start",
        .method = ALLOY_POST,
        .path = "/sprints/{sprint}/start",
        .tool = "start_sprint",
        .noun = "sprints",
        .summary = "Starts a planned sprint.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_LISTED,
        .params = sprint_params,
        .answer = &sprint_shape,
        .steps = { &sql_sprint_lock, &sql_sprint_start_lock,
                   &sql_sprint_start },
        .refusals = start_refusals,
    },
    {
        .id = "sprint_complete",
        .method = ALLOY_POST,
        .path = "/sprints/{sprint}/complete",
        .tool = "complete_sprint",
        .noun = "sprints",
        .summary = "Completes an active sprint.",
        .help = "Tickets that are not done go to the sprint named by "
                "move_incomplete_to, or back to the backlog; its burndown "
                "keeps showing them as what remained.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_LISTED | ALLOY_OVERWRITES,
        .params = complete_params,
        .answer = &sprint_shape,
        .steps = { &sql_sprint_lock, &sql_sprint_complete },
        .refusals = complete_refusals,
    },
    {
        .id = "sprint_ticket_add",
        .method = ALLOY_POST,
        .path = "/sprints/{sprint}/tickets",
        .tool = "add_sprint_tickets",
        .noun = "sprints",
        .summary = "Puts tickets of the project into a sprint.",
        .help = "All of them or none; those in another sprint leave it. "
                "Tickets that are there already stay, and are answered too.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_LISTED | ALLOY_OVERWRITES,
        .params = enter_params,
        .answer = &alloy_ticket_shape,
        .steps = { &sql_sprint_lock, &sql_ticket_enter_sprint },
        .refusals = enter_refusals,
    },
    {
        .id = "sprint_ticket_remove",
        .method = ALLOY_DELETE,
        .path = "/sprints/{sprint}/tickets/{ticket}",
        .tool = "remove_sprint_ticket",
        .noun = "sprints",
        .summary = "Takes a ticket out of a sprint, back to the backlog.",
        .role = ALLOY_MEMBER,
        .params = leave_params,
        .steps = { &sql_ticket_leave_sprint },
    },
    ALLOY_OPERATIONS_END
};
