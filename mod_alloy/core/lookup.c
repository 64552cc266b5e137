/*
 * Looking references up: one flush for all of them, the best match of each,
 * the same words for whatever can't be seen.
 */
#include "refer.h"

#include <string.h>

#include <apr_strings.h>

#include "limits.h"

#define ORG "org"
#define NAME_LIMIT 500

int alloy_refer_in_path(const alloy_call_t *call, int index)
{
    return call->op->segment[index] >= 0;
}

/* ---- not there ------------------------------------------------------------- */

/* The same words whether it is nowhere, in another tenant or out of sight. */
static alloy_problem_t *not_found(alloy_call_t *call,
                                  const alloy_param_t *param,
                                  const char *text, const char *where)
{
    const char *detail = apr_psprintf(call->pool,
        "There is no %s %.200s that you can see; check its id or name.",
        param->resource->name, text);

    if (!where) {
        return alloy_problem(call, &alloy_not_found, "%s", detail);
    }
    return alloy_problem_at(
        alloy_problem(call, &alloy_validation_failed,
                      "A reference in the request leads nowhere; see errors."),
        where, "not_found", detail, NULL);
}

alloy_problem_t *alloy_refer_lost(alloy_call_t *call, const alloy_pending_t *pending)
{
    return not_found(call, pending->param, pending->value->text,
                     pending->path ? NULL : pending->value->where);
}

int alloy_refer_can_find(const alloy_resource_t *resource, const char *text)
{
    alloy_id_t id;

    return strlen(text) <= NAME_LIMIT
           && (alloy_id_parse(&id, text) ? resource->find_id != NULL
                                         : resource->find_name != NULL);
}

/* ---- look-ups --------------------------------------------------------------- */

static const char *find_value(alloy_call_t *call, const char *name,
                              const char *ref, const char *within)
{
    int found;

    if (!strcmp(name, "ref")) {
        return ref;
    }
    if (!strcmp(name, "within")) {
        return within;
    }
    if (!strcmp(name, "orgs")) {
        return alloy_access_orgs(call, ALLOY_VIEWER);
    }
    return alloy_bind_value(call, name, &found);
}

int alloy_refer_param(const alloy_call_t *call, const char *name)
{
    int i;

    for (i = 0; i < call->op->nparams; i++) {
        if (!strcmp(call->op->params[i]->name, name)) {
            return i;
        }
    }
    return -1;
}

const char *alloy_refer_within(const alloy_call_t *call,
                               const alloy_param_t *param)
{
    const alloy_value_t *value;
    const char *parent;
    alloy_id_t id;
    int index;

    if (!param->within || !strcmp(param->within, ORG)) {
        return call->org_id;
    }
    index = alloy_refer_param(call, param->within);
    if (index < 0) {
        return call->org_id;
    }
    value = &call->values[index];
    if (value->items) {
        value = value->count == 1 ? value->items : NULL;
    }
    parent = value ? value->text : NULL;
    return parent && alloy_id_parse(&id, parent) ? parent : NULL;
}

static void find_step(alloy_step_t *step, alloy_call_t *call,
                      const alloy_param_t *param, const char *ref)
{
    const alloy_resource_t *resource = param->resource;
    alloy_id_t id;
    const alloy_statement_t *statement = alloy_id_parse(&id, ref)
        ? resource->find_id : resource->find_name;
    const char **values = apr_pcalloc(call->pool, sizeof(*values)
                                      * (statement->nparams + 1));
    int i;

    for (i = 0; i < statement->nparams; i++) {
        values[i] = find_value(call, statement->params[i], ref,
                               alloy_refer_within(call, param));
    }
    step->statement = statement;
    step->values = values;
}

/* ---- reading what was found --------------------------------------------------- */

static int in_default_org(const alloy_call_t *call, const alloy_row_t *row)
{
    const char *org = alloy_row_text(row, "org_id");

    return org && call->principal->default_org
           && !strcmp(org, call->principal->default_org);
}

void alloy_refer_candidate(alloy_out_t *out, const char *id, const char *label)
{
    alloy_out_begin(out, '{');
    alloy_out_key(out, "id");
    alloy_out_text(out, id);
    alloy_out_key(out, "label");
    alloy_out_text(out, label);
    alloy_out_end(out);
}

static alloy_problem_t *ambiguous(alloy_call_t *call, const alloy_pending_t *pending,
                                  const alloy_rows_t *rows)
{
    alloy_problem_t *problem = alloy_problem(call, &alloy_ambiguous_reference,
        "%.200s means more than one %s; name one by its id.",
        pending->value->text, pending->param->resource->name);
    alloy_out_t *out = alloy_out_make(call->pool, 1024);
    int i;

    alloy_out_begin(out, '[');
    for (i = 0; i < rows->count && i < ALLOY_CANDIDATES; i++) {
        alloy_refer_candidate(out, alloy_row_text(&rows->rows[i], "id"),
                              alloy_row_text(&rows->rows[i], "label"));
    }
    alloy_out_end(out);
    problem = alloy_problem_member(problem, "candidates",
                                   apr_pstrmemdup(call->pool, out->bytes,
                                                  out->length));
    return pending->path ? problem
        : alloy_problem_at(problem, pending->value->where, "ambiguous",
                           "Name one by its id.", NULL);
}

/* The one with the lowest rank; among equals the one of the default
 * organization; NULL when that leaves several. */
static const alloy_row_t *choose(const alloy_call_t *call,
                                 const alloy_rows_t *rows)
{
    const alloy_row_t *best = NULL;
    int equals = 0, i;

    for (i = 0; i < rows->count; i++) {
        const alloy_row_t *row = &rows->rows[i];
        apr_int64_t rank = alloy_row_int(row, "rank");
        apr_int64_t lowest = best ? alloy_row_int(best, "rank") : rank + 1;

        if (rank < lowest) {
            best = row;
            equals = 1;
        }
        else if (rank == lowest) {
            int mine = in_default_org(call, row);
            int held = in_default_org(call, best);

            best = mine ? row : best;
            equals = mine == held ? equals + 1 : 1;
        }
    }
    return equals == 1 ? best : NULL;
}

static const alloy_membership_t *org_by_text(const alloy_call_t *call,
                                             const char *text)
{
    int i;

    for (i = 0; text && i < call->principal->norgs; i++) {
        if (!strcmp(call->principal->orgs[i].org_text, text)) {
            return &call->principal->orgs[i];
        }
    }
    return NULL;
}

alloy_problem_t *alloy_refer_take(alloy_call_t *call,
                                  const alloy_pending_t *pending,
                                  const alloy_rows_t *rows, int anchor)
{
    const alloy_row_t *row = choose(call, rows);

    if (!row) {
        return ambiguous(call, pending, rows);
    }
    pending->value->text = alloy_row_text(row, "id");
    if (pending->param->resource_param) {
        alloy_bind(call, apr_pstrcat(call->pool, pending->param->name,
                                     ALLOY_PROJECT_SUFFIX, NULL),
                   alloy_row_text(row, "project_id"));
    }
    if (anchor) {
        const alloy_membership_t *org =
            org_by_text(call, alloy_row_text(row, "org_id"));

        if (!org) {
            return alloy_refer_lost(call, pending);
        }
        alloy_refer_take_org(call, org);
    }
    return NULL;
}

/* References of the body and the query that lead nowhere are told together. */
static alloy_problem_t *add_lost(alloy_call_t *call, alloy_problem_t *problem,
                                 const alloy_pending_t *pending)
{
    alloy_problem_t *lost = alloy_refer_lost(call, pending);

    if (!problem) {
        return lost;
    }
    return alloy_problem_at(problem, lost->faults->where, lost->faults->code,
                            lost->faults->detail, NULL);
}

static int lost_in_path(const alloy_pending_t *pending,
                        const alloy_result_t *result)
{
    return pending->path && !alloy_result_rows(result);
}

alloy_problem_t *alloy_refer_find(alloy_call_t *call,
                                  const alloy_pending_t *pending,
                                  const alloy_rows_t **prows)
{
    const alloy_result_t *result = NULL;
    alloy_step_t step;

    find_step(&step, call, pending->param, pending->value->text);
    ALLOY_TRY(alloy_call_flush(call, ALLOY_VIEWER, &step, 1, &result));
    *prows = alloy_rows_make(result, call->pool);
    return NULL;
}

alloy_problem_t *alloy_refer_look_up(alloy_call_t *call,
                                     alloy_pending_t *pending, int count,
                                     int anchor)
{
    alloy_step_t *steps = apr_palloc(call->pool, sizeof(*steps) * count);
    const alloy_result_t **results = apr_pcalloc(call->pool,
                                                 sizeof(*results) * count);
    alloy_problem_t *problem = NULL;
    int i;

    if (call->parent && call->parent->memo) {
        return alloy_many_look_up(call, pending, count, anchor);
    }
    for (i = 0; i < count; i++) {
        find_step(&steps[i], call, pending[i].param, pending[i].value->text);
    }
    ALLOY_TRY(alloy_call_flush(call, ALLOY_VIEWER, steps, count, results));
    for (i = 0; i < count; i++) {
        if (lost_in_path(&pending[i], results[i])) {
            return alloy_refer_lost(call, &pending[i]);
        }
        if (!alloy_result_rows(results[i])) {
            problem = add_lost(call, problem, &pending[i]);
            continue;
        }
        ALLOY_TRY(alloy_refer_take(call, &pending[i],
                                   alloy_rows_make(results[i], call->pool),
                                   anchor));
    }
    return problem;
}

/* ---- what people call it ------------------------------------------------------ */

alloy_problem_t *alloy_refer_labels(alloy_call_t *call,
                                    const alloy_resource_t *resource,
                                    const char *const *ids, int count,
                                    const char **labels)
{
    alloy_param_t param = { .name = resource->name, .resource = resource };
    alloy_step_t *steps = apr_palloc(call->pool, sizeof(*steps) * count);
    const alloy_result_t **results = apr_pcalloc(call->pool,
                                                 sizeof(*results) * count);
    int i;

    for (i = 0; i < count; i++) {
        find_step(&steps[i], call, &param, ids[i]);
    }
    ALLOY_TRY(alloy_call_flush(call, ALLOY_VIEWER, steps, count, results));
    for (i = 0; i < count; i++) {
        const alloy_rows_t *rows = alloy_rows_make(results[i], call->pool);

        labels[i] = rows->count ? alloy_row_text(&rows->rows[0], "label")
                                : NULL;
    }
    return NULL;
}
