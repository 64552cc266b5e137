/*
 * Writing workflows: each edit holds the workflow, looks what it would do to
 * names and tickets, and then does all of it or nothing.
 */
#include "workflows.h"

#include <string.h>

#include <apr_strings.h>

#include "alloy_report.h"
#include "sql/workflow.h"

/* ---- what was sent ----------------------------------------------------------- */

static const struct {
    const char *code, *detail;
} faults[] = {
    { "repeated", "The same is in the list already, letter case aside; each "
      "may be there once." },
    { "unknown_status", "There is no status of this name; use one of the "
      "workflow's." },
    { "needs_statuses", "Send statuses with it: it says what becomes of "
      "tickets in those that go." },
};

static const char *detail_of(const char *code)
{
    apr_size_t i = 0;

    while (strcmp(faults[i].code, code)) {
        i++;
    }
    return faults[i].detail;
}

static const char *const *split_lines(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *lines = apr_array_make(pool, 8, sizeof(char *));
    char *state, *line;

    if (!text) {
        return NULL;
    }
    for (line = apr_strtok(apr_pstrdup(pool, text), "\n", &state); line;
         line = apr_strtok(NULL, "\n", &state)) {
        APR_ARRAY_PUSH(lines, const char *) = line;
    }
    APR_ARRAY_PUSH(lines, const char *) = NULL;
    return (const char *const *)lines->elts;
}

static alloy_problem_t *check_input(alloy_call_t *call)
{
    const alloy_rows_t *rows = NULL;
    alloy_problem_t *problem = NULL;
    int i;

    ALLOY_TRY(alloy_run(call, &sql_workflow_faults, &rows));
    for (i = 0; i < alloy_rows_count(rows); i++) {
        const alloy_row_t *row = alloy_rows_get(rows, i);
        const char *code = alloy_row_text(row, "code");

        if (!problem) {
            problem = alloy_problem(call, &alloy_validation_failed,
                                    "Some names of the workflow don't fit "
                                    "together; errors lists them.");
        }
        problem = alloy_problem_at(problem, alloy_row_text(row, "pointer"),
                                   code, detail_of(code),
                                   split_lines(alloy_row_text(row, "allowed"),
                                               alloy_call_pool(call)));
    }
    return problem;
}

static alloy_problem_t *check_obstacles(alloy_call_t *call)
{
    static const char taken[] = "The organization has a workflow of this name, "
                                "letter case aside; choose another.";
    const alloy_row_t *row = NULL;

    ALLOY_TRY(alloy_fetch(call, &sql_workflow_obstacles, &row));
    if (alloy_row_int(row, "name_taken")) {
        return alloy_problem_at(alloy_problem(call, &alloy_already_exists,
                                              "%s", taken),
                                "/name", "name_taken", taken, NULL);
    }
    if (!alloy_row_is_null(row, "stranded")) {
        return alloy_problem_member(
            alloy_problem(call, &alloy_invalid_state,
                          "Tickets are in statuses that would be gone; "
                          "stranded lists them. Say in status_map where they "
                          "go, or move them first."),
            "stranded", alloy_row_text(row, "stranded"));
    }
    return NULL;
}

/* ---- writing it -------------------------------------------------------------- */

/* In this order each row has what it refers to. */
static alloy_problem_t *write_parts(alloy_call_t *call)
{
    static const alloy_statement_t *const parts[] = {
        &sql_workflow_statuses_keep, &sql_workflow_transitions_keep,
        &sql_workflow_tickets_move, &sql_workflow_statuses_drop,
        &sql_workflow_undefault, &sql_workflow_update,
    };
    const alloy_row_t *row = NULL;
    apr_size_t i;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        ALLOY_TRY(alloy_run(call, parts[i], NULL));
    }
    ALLOY_TRY(alloy_fetch(call, &sql_workflow_get, &row));
    return alloy_answer_row(call, row);
}

alloy_problem_t *workflows_create(alloy_call_t *call)
{
    alloy_bind(call, "workflow", alloy_call_new_id(call, "workflow"));
    alloy_bind(call, "status_map", NULL);
    ALLOY_TRY(alloy_run(call, &sql_workflow_org_lock, NULL));
    ALLOY_TRY(check_input(call));
    ALLOY_TRY(check_obstacles(call));
    ALLOY_TRY(alloy_run(call, &sql_workflow_insert, NULL));
    return write_parts(call);
}

alloy_problem_t *workflows_update(alloy_call_t *call)
{
    const alloy_row_t *row = NULL;

    ALLOY_TRY(alloy_run(call, &sql_workflow_org_lock, NULL));
    ALLOY_TRY(alloy_fetch(call, &sql_workflow_lock, &row));
    if (!row) {
        return alloy_missing(call);
    }
    ALLOY_TRY(check_input(call));
    ALLOY_TRY(alloy_run(call, &sql_workflow_doomed_lock, NULL));
    ALLOY_TRY(check_obstacles(call));
    return write_parts(call);
}

/* ---- deleting ---------------------------------------------------------------- */

static alloy_problem_t *refuse_used(alloy_call_t *call, const alloy_row_t *row)
{
    const char *projects = alloy_row_text(row, "projects");

    return alloy_problem_member(
        alloy_problem(call, &alloy_in_use, projects
                      ? "Projects follow this workflow; give them another "
                        "first."
                      : "A deleted project follows this workflow and could be "
                        "restored; it stays."),
        "projects", projects ? projects : "[]");
}

static alloy_problem_t *check_users(alloy_call_t *call)
{
    const alloy_row_t *row = NULL;

    ALLOY_TRY(alloy_fetch(call, &sql_workflow_users, &row));
    if (!alloy_row_is_null(row, "projects")
        || !alloy_row_is_null(row, "deleted")) {
        return refuse_used(call, row);
    }
    if (alloy_row_int(row, "last")) {
        return alloy_problem(call, &alloy_invalid_state,
                             "This is the organization's last workflow; make "
                             "another one first.");
    }
    if (alloy_row_int(row, "is_default")) {
        return alloy_problem(call, &alloy_invalid_state,
                             "New projects get this workflow; PATCH another "
                             "one with is_default first.");
    }
    return NULL;
}

alloy_problem_t *workflows_delete(alloy_call_t *call)
{
    const alloy_row_t *row = NULL;

    ALLOY_TRY(alloy_run(call, &sql_workflow_org_lock, NULL));
    ALLOY_TRY(alloy_fetch(call, &sql_workflow_delete_lock, &row));
    if (!row) {
        return alloy_missing(call);
    }
    ALLOY_TRY(check_users(call));
    return alloy_run(call, &sql_workflow_delete, NULL);
}
