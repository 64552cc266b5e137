/*
 * Projects: their fields, their members, how their tickets stand. The finance
 * fields are plain data here; a plugin gives them meaning.
 */
#include "resources.h"

#include <string.h>

#include <apr_strings.h>

#include "sql/project.h"

#define DESCRIPTION_BYTES 65536

static const char *const budget_periods[] = {
    "Monthly", "Quarterly", "Annual", "Total", NULL
};

static const char *const capitalization_types[] = { "Capex", "Opex", NULL };

static const char *const development_phases[] = {
    "Preliminary", "AppDevelopment", "PostImplementation", NULL
};

static const char *const reserved[] = { "none", NULL };

/* ---- entity types ---------------------------------------------------------- */

const alloy_resource_t alloy_project_resource = {
    .name = "project",
    .table = "alloy.project",
    .read = ALLOY_VIEWER,
    .sharded = 1,
    .find_id = &sql_project_find_id,
    .find_name = &sql_project_find_name,
    .reserved = reserved,
};

const alloy_resource_t alloy_workflow_resource = {
    .name = "workflow",
    .table = "alloy.workflow",
    .read = ALLOY_VIEWER,
    .sharded = 1,
    .find_id = &sql_workflow_find_id,
    .find_name = &sql_workflow_find_name,
    .reserved = reserved,
    .whole = 1,
};

/* ---- answers --------------------------------------------------------------- */

static const alloy_field_t project_fields[] = {
    { "id", ALLOY_UUID, 0, "Identifies the project for ever." },
    { "org_id", ALLOY_UUID, 0, "The organization it belongs to." },
    { "key", ALLOY_TEXT, 0, "Begins the keys of its tickets; unique in the "
      "organization; accepted wherever the id is." },
    { "name", ALLOY_TEXT, 0, "What people call it." },
    { "description", ALLOY_TEXT, ALLOY_NULLABLE, "What it is about, as "
      "Markdown." },
    { "workflow_id", ALLOY_UUID, 0, "The workflow its tickets follow." },
    { "budget_cents", ALLOY_INT, ALLOY_NULLABLE, "Its budget in cents of the "
      "organization's currency." },
    { "budget_period", ALLOY_WORD, ALLOY_NULLABLE, "The time the budget is "
      "for.", budget_periods },
    { "capitalization_type", ALLOY_WORD, ALLOY_NULLABLE, "How its costs are "
      "booked.", capitalization_types },
    { "development_phase", ALLOY_WORD, ALLOY_NULLABLE, "The stage it is in, "
      "which decides what can be capitalized.", development_phases },
    { "cost_center_id", ALLOY_TEXT, ALLOY_NULLABLE, "The cost center that "
      "pays, as the accounting system names it." },
    { "amortization_months", ALLOY_INT, ALLOY_NULLABLE, "Months over which "
      "capitalized costs are written off." },
    { "archived", ALLOY_BOOL, 0, "It is finished: tickets can be read, "
      "found, labelled and deleted, but not made, edited, moved or commented "
      "on, and no sprint is made." },
    { "single_active_sprint", ALLOY_BOOL, 0, "At most one of its sprints can "
      "be active at a time." },
    { "created_by", ALLOY_UUID, 0, "The user who made it." },
    { "version", ALLOY_INT, 0, "Raised by every change." },
    { "created_at", ALLOY_INSTANT, 0, "When it was made." },
    { "updated_at", ALLOY_INSTANT, 0, "When it was changed last." },
    ALLOY_FIELDS_END
};

static const char *const project_compact[] = {
    "id", "org_id", "key", "name", "description", "archived", "budget_cents",
    "capitalization_type", "development_phase", NULL
};

static const alloy_shape_t project_shape = {
    "Project", project_fields, project_compact
};

static const alloy_field_t member_fields[] = {
    { "project_id", ALLOY_UUID, 0, "The project." },
    { "user_id", ALLOY_UUID, 0, "Who is in it." },
    { "email", ALLOY_TEXT, 0, "His e-mail address." },
    { "display_name", ALLOY_TEXT, 0, "His name." },
    { "created_at", ALLOY_INSTANT, 0, "Since when he is in it." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t member_shape = { "ProjectMember", member_fields };

static const alloy_field_t status_count_fields[] = {
    { "status", ALLOY_TEXT, 0, "A status of the project's workflow." },
    { "category", ALLOY_WORD, 0, "What the status means.",
      alloy_category_words },
    { "count", ALLOY_INT, 0, "Tickets in it." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t status_count_shape = {
    "StatusCount", status_count_fields
};

static const alloy_field_t category_count_fields[] = {
    { "category", ALLOY_WORD, 0, "What a status means.",
      alloy_category_words },
    { "count", ALLOY_INT, 0, "Tickets in statuses of this category." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t category_count_shape = {
    "CategoryCount", category_count_fields
};

static const alloy_field_t priority_count_fields[] = {
    { "priority", ALLOY_WORD, 0, "A priority.", alloy_priority_words },
    { "count", ALLOY_INT, 0, "Tickets of this priority." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t priority_count_shape = {
    "PriorityCount", priority_count_fields
};

static const alloy_field_t assignee_count_fields[] = {
    { "assignee_id", ALLOY_UUID, ALLOY_NULLABLE, "A user; null: nobody." },
    { "display_name", ALLOY_TEXT, ALLOY_NULLABLE, "His name." },
    { "count", ALLOY_INT, 0, "Tickets assigned to him." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t assignee_count_shape = {
    "AssigneeCount", assignee_count_fields
};

static const alloy_field_t active_sprint_fields[] = {
    { "id", ALLOY_UUID, 0, "The sprint." },
    { "name", ALLOY_TEXT, 0, "Its name." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t active_sprint_shape = {
    "ActiveSprint", active_sprint_fields
};

static const alloy_field_t summary_fields[] = {
    { "project_id", ALLOY_UUID, 0, "The project." },
    { "key", ALLOY_TEXT, 0, "Its key." },
    { "name", ALLOY_TEXT, 0, "Its name." },
    { "total", ALLOY_INT, 0, "All its tickets." },
    { "by_status", ALLOY_JSON, ALLOY_MANY, "Counts in workflow order, empty "
      "statuses included.", NULL, &status_count_shape },
    { "by_category", ALLOY_JSON, ALLOY_MANY, "Counts by what the status "
      "means.", NULL, &category_count_shape },
    { "by_priority", ALLOY_JSON, ALLOY_MANY, "Counts from Critical to Low.",
      NULL, &priority_count_shape },
    { "by_assignee", ALLOY_JSON, ALLOY_MANY, "Counts by assignee, the busiest "
      "first.", NULL, &assignee_count_shape },
    { "overdue", ALLOY_INT, 0, "Tickets not done whose due date has passed." },
    { "active_sprints", ALLOY_JSON, ALLOY_MANY, "Sprints that run now.", NULL,
      &active_sprint_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t summary_shape = { "ProjectSummary", summary_fields };

/* ---- input ----------------------------------------------------------------- */

static const char *check_description(const char **value, apr_pool_t *pool)
{
    return strlen(*value) <= DESCRIPTION_BYTES ? NULL
        : "This has more than 65536 bytes; shorten it.";
}

static const alloy_format_t format_description = {
    .name = "markdown", .check = check_description
};

#define PROJECT_PARAM \
    { .name = "project", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id, key or name of the project.", \
      .resource = &alloy_project_resource }

/* What can be set from the beginning and changed later. */
#define PROJECT_SETTINGS \
    { .name = "description", .type = ALLOY_TEXT, \
      .flags = ALLOY_NULLABLE | ALLOY_MULTILINE, \
      .format = &format_description, \
      .help = "What it is about, as Markdown; at most 64 KiB." }, \
    { .name = "budget_cents", .type = ALLOY_INT, .flags = ALLOY_NULLABLE, \
      .least = 0, .most = APR_INT64_C(9000000000000000), \
      .help = "Budget in cents of the organization's currency." }, \
    { .name = "budget_period", .type = ALLOY_WORD, .flags = ALLOY_NULLABLE, \
      .words = budget_periods, .help = "The time the budget is for." }, \
    { .name = "capitalization_type", .type = ALLOY_WORD, \
      .flags = ALLOY_NULLABLE, .words = capitalization_types, \
      .help = "How its costs are booked." }, \
    { .name = "development_phase", .type = ALLOY_WORD, \
      .flags = ALLOY_NULLABLE, .words = development_phases, \
      .help = "The stage it is in." }, \
    { .name = "cost_center_id", .type = ALLOY_TEXT, .flags = ALLOY_NULLABLE, \
      .least = 1, .most = 200, .format = &alloy_format_line, \
      .help = "The cost center that pays." }, \
    { .name = "amortization_months", .type = ALLOY_INT, \
      .flags = ALLOY_NULLABLE, .least = 1, .most = 1200, \
      .help = "Months over which capitalized costs are written off." }, \
    { .name = "archived", .type = ALLOY_BOOL, \
      .help = "Whether it is finished and its tickets are left as they " \
              "are; false opens it again." }, \
    { .name = "single_active_sprint", .type = ALLOY_BOOL, \
      .help = "Whether at most one of its sprints can be active at a time." }

#define WORKFLOW_PARAM(least_role, text) \
    { .name = "workflow_id", .type = ALLOY_REF, .role = least_role, \
      .resource = &alloy_workflow_resource, .within = "org", .help = text }

static const alloy_param_t create_params[] = {
    { .name = "org_id", .type = ALLOY_REF, .flags = ALLOY_HOME,
      .resource = &alloy_org_resource,
      .help = "Id or slug of the organization; may be left out when it is "
              "clear which one is meant." },
    { .name = "name", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED,
      .least = 1, .most = 200, .format = &alloy_format_name,
      .help = "What people call it." },
    { .name = "key", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED,
      .format = &alloy_format_project_key,
      .help = "2 to 10 letters and digits that begin the keys of its "
              "tickets; can't be changed later." },
    WORKFLOW_PARAM(0, "Id or name of the workflow its tickets follow; Default "
                   "when left out."),
    PROJECT_SETTINGS,
    ALLOY_PARAMS_END
};

static const alloy_param_t list_params[] = {
    { .name = "org_id", .type = ALLOY_REF, .flags = ALLOY_HOME,
      .resource = &alloy_org_resource,
      .help = "Only projects of this organization." },
    { .name = "archived", .type = ALLOY_BOOL,
      .help = "Only archived projects (true) or only others (false); both "
              "when left out." },
    ALLOY_PARAMS_END
};

static const alloy_param_t project_params[] = {
    PROJECT_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t update_params[] = {
    PROJECT_PARAM,
    { .name = "name", .type = ALLOY_TEXT, .least = 1, .most = 200,
      .format = &alloy_format_name, .help = "What people call it." },
    /* Or else whoever may move tickets could go round the rules for moves. */
    WORKFLOW_PARAM(ALLOY_ADMIN, "Id or name of the workflow its tickets follow "
                   "from now on, for an Admin to say; it must have every "
                   "status they are in, or status_map says which is meant."),
    { .name = "status_map", .type = ALLOY_OBJECT,
      .help = "With another workflow_id: names of statuses the tickets are in, "
              "each with the status of the new workflow that takes its "
              "place; letter case aside." },
    PROJECT_SETTINGS,
    ALLOY_PARAMS_END
};

static const alloy_param_t member_add_params[] = {
    PROJECT_PARAM,
    { .name = "user_id", .type = ALLOY_REF,
      .flags = ALLOY_REQUIRED | ALLOY_STRICT,
      .resource = &alloy_person_resource, .within = "org",
      .help = "Id or e-mail address of a member of the organization, or "
              "me." },
    ALLOY_PARAMS_END
};

static const alloy_param_t member_remove_params[] = {
    PROJECT_PARAM,
    { .name = "user", .type = ALLOY_REF,
      .flags = ALLOY_REQUIRED | ALLOY_STRICT,
      .resource = &alloy_person_resource, .within = "org",
      .help = "Id or e-mail address of the user, or me." },
    ALLOY_PARAMS_END
};

/* ---- changing one ------------------------------------------------------------ */

/* Each name in LINES (one a line) is at fault. */
static alloy_problem_t *unknown_statuses(const alloy_facts_t *facts,
                                         const char *lines, int in_new)
{
    static const char *const details[] = {
        "The project's workflow has no such status; take it out.",
        "The new workflow has no status of this name; use one of allowed."
    };
    apr_pool_t *pool = alloy_call_pool(facts->call);
    const char *const *names = alloy_split_lines(lines, pool);
    const char *const *there = alloy_split_lines(
        alloy_row_text(facts->row, "statuses"), pool);
    alloy_problem_t *problem = alloy_problem(
        facts->call, &alloy_validation_failed,
        "status_map leads from statuses of the project's workflow to those of "
        "the new one.");

    for (; *names; names++) {
        problem = alloy_problem_at(
            problem, apr_pstrcat(pool, "/status_map/", *names, NULL),
            "unknown_status", details[in_new], in_new ? there : NULL);
    }
    return problem;
}

static alloy_problem_t *decide_map(const alloy_facts_t *facts)
{
    static const char detail[] = "Send workflow_id with it: it says what "
                                 "becomes of tickets in another workflow.";
    const char *unknown;

    if (!alloy_given(facts->call, "workflow_id")) {
        return alloy_problem_at(alloy_problem(facts->call,
                                              &alloy_validation_failed, "%s",
                                              detail),
                                "/status_map", "needs_workflow", detail, NULL);
    }
    if (!alloy_row_int(facts->row, "leaves")) {
        return NULL;
    }
    unknown = alloy_row_text(facts->row, "unknown_from");
    if (unknown) {
        return unknown_statuses(facts, unknown, 0);
    }
    unknown = alloy_row_text(facts->row, "unknown_to");
    return unknown ? unknown_statuses(facts, unknown, 1) : NULL;
}

static alloy_problem_t *keeps_workflow(const alloy_facts_t *facts)
{
    static const char detail[] = "This server has no workflows to choose "
                                 "from; leave workflow_id out.";

    return alloy_problem_at(alloy_problem(facts->call,
                                          &alloy_validation_failed, "%s",
                                          detail),
                            "/workflow_id", "fixed", detail, NULL);
}

/* A ticket in a status the new workflow has not would be lost to its board.
 * Where workflows can't be edited, projects keep theirs. */
static alloy_problem_t *decide_update(const alloy_facts_t *facts)
{
    const char *stranded;
    alloy_problem_t *problem;

    if (alloy_row_int(facts->row, "leaves")
        && !alloy_offers(facts->call, "workflow_update")) {
        return keeps_workflow(facts);
    }
    if (alloy_text(facts->call, "status_map")) {
        ALLOY_TRY(decide_map(facts));
    }
    stranded = alloy_row_text(facts->row, "stranded");
    if (!stranded) {
        return NULL;
    }
    problem = alloy_problem(facts->call, &alloy_invalid_state,
                            "Tickets are in statuses that this workflow has "
                            "not; stranded lists them. Say in status_map "
                            "where they go, or move them first.");
    return alloy_problem_member(problem, "stranded", stranded);
}

static const alloy_guarded_t update_guarded = {
    .action = "project_update",
    .lock = &sql_project_update_lock,
    .read = &sql_project_update_read,
    .decide = decide_update,
    .write = &sql_project_update,
    .counts = 1,    /* tickets, which go with it to another workflow: a new one
                     * raises the counter and not the version */
};

static const alloy_refusal_t create_refusals[] = {
    { "key_taken", &alloy_already_exists, "/key",
      "Another project of this organization has this key, or had it and was "
      "deleted; choose another." },
    ALLOY_REFUSALS_END
};

/* ---- the table --------------------------------------------------------------- */

const alloy_operation_t alloy_project_operations[] = {
    {
        .id = "project_create",
        .method = ALLOY_POST,
        .path = "/projects",
        .tool = "create_project",
        .noun = "projects",
        .summary = "Creates a project, with the caller as its first member.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_CREATES | ALLOY_LISTED,
        .params = create_params,
        .answer = &project_shape,
        .steps = { &sql_project_create },
        .creates = "project",
        .location = "/projects/{id}",
        .refusals = create_refusals,
    },
    {
        .id = "project_list",
        .method = ALLOY_GET,
        .path = "/projects",
        .tool = "list_projects",
        .noun = "projects",
        .summary = "Lists the projects the caller sees, newest first.",
        .help = "Covers all of the caller's organizations unless org_id names "
                "one.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_SPREADS | ALLOY_LISTED,
        .params = list_params,
        .answer = &project_shape,
        .steps = { &sql_project_list },
        .plain = &sql_project_list_all,
    },
    {
        .id = "project_get",
        .method = ALLOY_GET,
        .path = "/projects/{project}",
        .tool = "get_project",
        .uri = "alloy://projects/{project}",
        .noun = "projects",
        .summary = "Answers one project.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_LISTED,
        .params = project_params,
        .answer = &project_shape,
        .steps = { &sql_project_get },
    },
    {
        .id = "project_update",
        .method = ALLOY_PATCH,
        .path = "/projects/{project}",
        .tool = "update_project",
        .noun = "projects",
        .summary = "Changes the fields that are sent and no others.",
        .help = "null clears a field that can be empty. Another workflow is "
                "accepted when it has every status the project's tickets are "
                "in, or status_map says which takes its place; else 409 with "
                "stranded, the statuses left over and how many tickets are in "
                "each. Where workflows can't be edited, workflow_id keeps its "
                "value. The key never changes.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_LISTED,
        .params = update_params,
        .answer = &project_shape,
        .guarded = &update_guarded,
    },
    {
        .id = "project_delete",
        .method = ALLOY_DELETE,
        .path = "/projects/{project}",
        .tool = "delete_project",
        .noun = "projects",
        .summary = "Deletes a project with its tickets.",
        .help = "Its key stays taken. Approved time stays in reports.",
        .role = ALLOY_ADMIN,
        .params = project_params,
        .steps = { &sql_project_delete },
    },
    {
        .id = "project_member_add",
        .method = ALLOY_POST,
        .path = "/projects/{project}/members",
        .tool = "add_project_member",
        .noun = "projects",
        .summary = "Lets a member of the organization see and work in a "
                   "project.",
        .help = "Adding somebody twice changes nothing and answers 200.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_CREATES | ALLOY_LISTED | ALLOY_REPEATS,
        .params = member_add_params,
        .answer = &member_shape,
        .steps = { &sql_project_lock, &sql_project_member_add },
    },
    {
        .id = "project_member_list",
        .method = ALLOY_GET,
        .path = "/projects/{project}/members",
        .tool = "list_project_members",
        .noun = "projects",
        .summary = "Lists who is in a project, the longest there first.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_LISTED,
        .params = project_params,
        .answer = &member_shape,
        .steps = { &sql_project_member_list },
    },
    {
        .id = "project_member_remove",
        .method = ALLOY_DELETE,
        .path = "/projects/{project}/members/{user}",
        .tool = "remove_project_member",
        .noun = "projects",
        .summary = "Takes somebody out of a project.",
        .role = ALLOY_MEMBER,
        .params = member_remove_params,
        .steps = { &sql_project_member_remove },
    },
    {
        .id = "project_summary",
        .method = ALLOY_GET,
        .path = "/projects/{project}/summary",
        .tool = "get_project_summary",
        .noun = "projects",
        .summary = "Tells how a project stands: ticket counts by status, "
                   "priority and assignee, what is overdue, which sprints "
                   "run.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_LISTED,
        .params = project_params,
        .answer = &summary_shape,
        .steps = { &sql_project_summary },
    },
    ALLOY_OPERATIONS_END
};
