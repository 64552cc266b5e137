/*
 * Undoing one call: each thing it changed gets the opposite operation, as a
 * part of this call, so that every rule and right of that one holds.
 */
#include "feed.h"

#include <string.h>

#include <apr_strings.h>

#include "convention.h"
#include "part.h"
#include "sql/change.h"

/** What undoes one thing; rows of change_plan. */
typedef struct {
    const char *type, *entity, *action, *body;
} step_t;

/* Entity types with operations of their own, and what brings a deleted one
 * back: the opposite of the operation that deletes, with its rights. */
static const struct {
    const char *type, *path;
    const alloy_statement_t *restore;
} kinds[] = {
    { "ticket", "/tickets/", &sql_change_restore_ticket },
    { "project", "/projects/", &sql_change_restore_project },
    { "comment", "/comments/", &sql_change_restore_comment },
};

static int kind_of(const step_t *step)
{
    int i, count = (int)(sizeof(kinds) / sizeof(kinds[0]));

    for (i = 0; i < count && strcmp(kinds[i].type, step->type); i++) {
        continue;
    }
    return i;
}

/* ---- what stands in the way ------------------------------------------------------ */

static alloy_problem_t *no_way_back(alloy_call_t *call, const char *type)
{
    return alloy_problem(call, &alloy_invalid_state,
                         "This call changed a %s, which can't be undone this "
                         "way; change it back by hand.", type);
}

static alloy_problem_t *partly_hidden(alloy_call_t *call)
{
    return alloy_problem(call, &alloy_forbidden,
                         "This call also changed something you can't see; "
                         "somebody who sees all of it can undo it.");
}

/* Everything that moved since, or NULL when nothing did. */
static const char *list_moved(alloy_call_t *call, const alloy_rows_t *plan)
{
    alloy_out_t *out = alloy_out_make(call->pool, 512);
    int found = 0, i;

    alloy_out_begin(out, '[');
    for (i = 0; i < alloy_rows_count(plan); i++) {
        const alloy_row_t *row = alloy_rows_get(plan, i);
        const char *fields = alloy_row_text(row, "moved");

        if (!fields) {
            continue;
        }
        found++;
        alloy_out_begin(out, '{');
        alloy_out_key(out, "entity_type");
        alloy_out_text(out, alloy_row_text(row, "entity_type"));
        alloy_out_key(out, "entity_id");
        alloy_out_text(out, alloy_row_text(row, "entity_id"));
        alloy_out_key(out, "fields");
        alloy_out_json(out, fields);
        alloy_out_end(out);
    }
    alloy_out_end(out);
    return found ? apr_pstrmemdup(call->pool, out->bytes, out->length) : NULL;
}

static alloy_problem_t *check_plan(alloy_call_t *call,
                                   const alloy_rows_t *plan)
{
    const char *moved = list_moved(call, plan);
    int i;

    for (i = 0; i < alloy_rows_count(plan); i++) {
        const alloy_row_t *row = alloy_rows_get(plan, i);

        if (!strcmp(alloy_row_text(row, "action"), "refuse")) {
            return no_way_back(call, alloy_row_text(row, "entity_type"));
        }
    }
    if (!moved) {
        return NULL;
    }
    return alloy_problem_member(
        alloy_problem(call, &alloy_invalid_state,
                      "What this call changed was changed again since: moved "
                      "lists the fields. Undo the later calls first, or change "
                      "the fields by hand."), "moved", moved);
}

/* ---- one thing ----------------------------------------------------------------------- */

static alloy_problem_t *give_body(void *baton, const char **bytes,
                                  apr_size_t *length, apr_size_t limit)
{
    const step_t *step = baton;

    *bytes = step->body ? step->body : "";
    *length = strlen(*bytes);
    return NULL;
}

/* The call of the opposite operation, not run yet. */
static alloy_call_t *make_part(alloy_call_t *call, step_t *step,
                               const char *method)
{
    alloy_request_t *request = apr_pmemdup(call->pool, call->request,
                                           sizeof(*request));
    alloy_route_t *route = apr_palloc(call->pool, sizeof(*route));
    alloy_answer_t *answer = apr_pcalloc(call->pool, sizeof(*answer));
    alloy_call_t *part;

    request->tool = NULL;
    request->method = method;
    request->path = apr_pstrcat(call->pool, kinds[kind_of(step)].path,
                                step->entity, NULL);
    request->query = NULL;
    request->content_type = "application/json";
    request->baton = step;
    request->body = give_body;
    request->header = NULL;
    alloy_route_find(route, call->engine->router, method, request->path,
                     call->pool);
    part = alloy_part_make(call, request, route, answer);
    part->logged_as = call->op->row->id;
    return part;
}

/* A value of then that is none of today: a status that is gone, a person. */
static alloy_problem_t *as_state(alloy_call_t *call, alloy_problem_t *problem)
{
    const char *detail = problem && problem->faults ? problem->faults->detail
                                                    : NULL;

    if (!problem || problem->kind->status != 422) {
        return problem;
    }
    return alloy_problem(call, &alloy_invalid_state,
                         "It can't be as it was any more. %s",
                         detail ? detail : "");
}

static alloy_problem_t *restore(alloy_call_t *call, step_t *step)
{
    alloy_call_t *part = make_part(call, step, "DELETE");
    const alloy_result_t *result = NULL;

    ALLOY_TRY(alloy_access_check_token(part));
    if (!alloy_access_suffices(call->org, part->op->row->role)) {
        part->org = call->org;
        return alloy_access_refuse(part);
    }
    alloy_bind(call, "entity", step->entity);
    ALLOY_TRY(alloy_call_step(call, kinds[kind_of(step)].restore, &result));
    if (alloy_result_touched(result) < 1) {
        part->org = call->org;
        return alloy_access_refuse(part);
    }
    return NULL;
}

static alloy_problem_t *undo(alloy_call_t *call, step_t *step)
{
    int updates = !strcmp(step->action, "update");

    if (!strcmp(step->action, "restore")) {
        return restore(call, step);
    }
    return as_state(call, alloy_call_run(make_part(call, step, updates
                                                   ? "PATCH" : "DELETE")));
}

/* ---- all of it ------------------------------------------------------------------------- */

static void write_step(alloy_out_t *out, const step_t *step)
{
    alloy_out_begin(out, '{');
    alloy_out_key(out, "entity_type");
    alloy_out_text(out, step->type);
    alloy_out_key(out, "entity_id");
    alloy_out_text(out, step->entity);
    alloy_out_key(out, "action");
    alloy_out_text(out, step->action);
    alloy_out_end(out);
}

static alloy_problem_t *undo_all(alloy_call_t *call, const alloy_rows_t *plan)
{
    alloy_out_t *out = alloy_out_make(call->pool, 1024);
    int i;

    alloy_out_begin(out, '{');
    alloy_out_key(out, "change_id");
    alloy_out_text(out, alloy_call_change_id(call));
    alloy_out_key(out, "reverts");
    alloy_out_text(out, alloy_text(call, "change"));
    alloy_out_key(out, "items");
    alloy_out_begin(out, '[');
    for (i = 0; i < alloy_rows_count(plan); i++) {
        const alloy_row_t *row = alloy_rows_get(plan, i);
        step_t *step = apr_pcalloc(call->pool, sizeof(*step));

        step->type = alloy_row_text(row, "entity_type");
        step->entity = alloy_row_text(row, "entity_id");
        step->action = alloy_row_text(row, "action");
        step->body = alloy_row_text(row, "body");
        ALLOY_TRY(undo(call, step));
        write_step(out, step);
    }
    alloy_out_end(out);
    alloy_convention_mark(call, out);
    alloy_out_end(out);
    call->out = out;
    return NULL;
}

alloy_problem_t *alloy_revert_run(alloy_call_t *call)
{
    const alloy_row_t *locked = NULL;
    const alloy_rows_t *plan = NULL;

    ALLOY_TRY(alloy_fetch(call, &sql_change_lock, &locked));
    if (locked && alloy_row_int(locked, "hidden")) {
        return partly_hidden(call);
    }
    ALLOY_TRY(alloy_run(call, &sql_change_plan, &plan));
    ALLOY_TRY(check_plan(call, plan));
    return undo_all(call, plan);
}
