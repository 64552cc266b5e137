/*
 * A batch of one noun: its operations are read as single ones would be, put
 * into waves in which no two concern each other, and run wave by wave.
 */
#include "many.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "convention.h"
#include "log.h"
#include "part.h"
#include "sql/principal.h"

#define ACTION "action"
#define OPERATIONS "operations"

const char *alloy_many_id(const alloy_many_item_t *item)
{
    return item->call->values[item->target].text;
}

/* ---- reading the operations ------------------------------------------------------ */

static int element_index(const alloy_many_batch_t *batch, const char *name)
{
    int i;

    for (i = 0; batch->element[i].name; i++) {
        if (!strcmp(batch->element[i].name, name)) {
            return i;
        }
    }
    return -1;
}

/* The element's own action, or the batch's. */
static const char *action_of(const alloy_many_batch_t *batch,
                             const alloy_many_item_t *item)
{
    const char *own = item->values[element_index(batch, ACTION)].text;

    return own ? own : alloy_text(batch->call, ACTION);
}

/* "ticket" and "update": ticket_update. */
static const alloy_op_t *op_of(const alloy_many_batch_t *batch,
                               const alloy_many_item_t *item)
{
    const char *id = apr_pstrcat(batch->call->pool, batch->element->name, "_",
                                 action_of(batch, item), NULL);

    return alloy_registry_find(batch->call->engine->registry, id);
}

/* Values are changed while they are resolved, and a batch may run twice. */
static void copy_value(alloy_value_t *copy, const alloy_value_t *sent,
                       apr_pool_t *pool)
{
    *copy = *sent;
    if (sent->items && sent->count) {
        copy->items = apr_pmemdup(pool, sent->items,
                                  sizeof(*sent->items) * sent->count);
    }
}

static alloy_problem_t *fault_at(alloy_many_batch_t *batch,
                                 alloy_problem_t *problem,
                                 const char *where, const char *code,
                                 const char *detail)
{
    if (!problem) {
        problem = alloy_problem(batch->call, &alloy_validation_failed,
                                "An operation of the batch can't be one; see "
                                "errors.");
    }
    return alloy_problem_at(problem, where, code, detail, NULL);
}

static const char *place(const alloy_many_batch_t *batch, int index,
                         const char *name)
{
    return apr_psprintf(batch->call->pool, "/" OPERATIONS "/%d/%s", index,
                        name);
}

/* Keys that only other actions take. */
static alloy_problem_t *check_keys(alloy_many_batch_t *batch,
                                   const alloy_many_item_t *item,
                                   const alloy_op_t *op,
                                   alloy_problem_t *problem)
{
    int i;

    for (i = 0; batch->element[i].name; i++) {
        const char *name = batch->element[i].name;

        if (item->values[i].given && strcmp(name, ACTION)
            && alloy_op_param(op, name) < 0) {
            problem = fault_at(batch, problem, place(batch, item->index, name),
                               "unknown",
                               apr_psprintf(batch->call->pool, "The action %s "
                                            "takes no %s; take it out.",
                                            action_of(batch, item), name));
        }
    }
    return problem;
}

static alloy_problem_t *take_values(alloy_many_batch_t *batch,
                                    alloy_many_item_t *item,
                                    alloy_problem_t *problem)
{
    alloy_call_t *call = item->call;
    int i;

    call->values = apr_pcalloc(call->pool, sizeof(*call->values)
                               * (call->op->nparams + 1));
    for (i = 0; i < call->op->nparams; i++) {
        const alloy_param_t *param = call->op->params[i];
        int found = element_index(batch, param->name);

        if (found >= 0) {
            copy_value(&call->values[i], &item->values[found], call->pool);
        }
        if ((param->flags & ALLOY_REQUIRED) && !call->values[i].given) {
            problem = fault_at(batch, problem,
                               place(batch, item->index, param->name),
                               "required", "This is required.");
        }
    }
    return problem;
}

static alloy_problem_t *read_item(alloy_many_batch_t *batch,
                                  alloy_many_item_t *item,
                                  alloy_problem_t *problem)
{
    alloy_call_t *call = batch->call;
    const alloy_op_t *op = op_of(batch, item);
    alloy_route_t *route = apr_pcalloc(call->pool, sizeof(*route));

    if (!op || !op->row->many) {
        alloy_log(ALLOY_LOG_ERROR, 0, "AL0190: %s has an action that is no "
                  "operation of many", call->op->row->id);
        return alloy_problem(call, &alloy_internal, "The server met a fault of "
                             "its own; report it with the request id.");
    }
    route->op = op;
    item->call = alloy_part_make(call, call->request, route, &item->answer);
    item->target = alloy_op_param(op, batch->element->name);
    item->named = item->values[0].text;
    problem = check_keys(batch, item, op, problem);
    return take_values(batch, item, problem);
}

static alloy_problem_t *read_items(alloy_many_batch_t *batch)
{
    const alloy_value_t *list = alloy_call_value(batch->call, OPERATIONS);
    const alloy_param_t *const *params = batch->call->op->params;
    alloy_problem_t *problem = NULL;
    int i;

    batch->element = params[alloy_op_param(batch->call->op, OPERATIONS)]
        ->inner->inner;
    batch->count = list->count;
    batch->items = apr_pcalloc(batch->call->pool, sizeof(*batch->items)
                               * (list->count + 1));
    for (i = 0; i < batch->count; i++) {
        batch->items[i].index = i;
        batch->items[i].values = list->items[i].items;
        problem = read_item(batch, &batch->items[i], problem);
    }
    return problem;
}

/* ---- waves -------------------------------------------------------------------------- */

/* Decided from rows that others of the batch may be changing. */
static int stands_alone(const alloy_many_item_t *item)
{
    const alloy_guarded_t *guarded = item->call->op->row->guarded;

    return guarded && (alloy_guarded_counts(item->call->op)
                       || (guarded->locked && guarded->locked(item->call)));
}

/* A wave holds nothing twice, and what stands alone has one of its own; as
 * many operations as possible share one. */
static void make_waves(alloy_many_batch_t *batch)
{
    apr_hash_t *last = apr_hash_make(batch->call->pool);
    int base = 0, i;

    batch->waves = 0;
    for (i = 0; i < batch->count; i++) {
        alloy_many_item_t *item = &batch->items[i];
        const int *before;

        if (item->problem) {
            continue;
        }
        before = apr_hash_get(last, alloy_many_id(item), APR_HASH_KEY_STRING);
        item->wave = before && *before >= base ? *before + 1 : base;
        if (stands_alone(item)) {
            item->wave = batch->waves;
            base = item->wave + 1;
        }
        if (item->wave >= batch->waves) {
            batch->waves = item->wave + 1;
        }
        apr_hash_set(last, alloy_many_id(item), APR_HASH_KEY_STRING,
                     &item->wave);
    }
}

/* ---- running them --------------------------------------------------------------------- */

static int any_refused(const alloy_many_batch_t *batch)
{
    int i;

    for (i = 0; i < batch->count; i++) {
        if (batch->items[i].problem) {
            return 1;
        }
    }
    return 0;
}

static int go_together(const alloy_many_item_t *a, const alloy_many_item_t *b)
{
    return a->call->op == b->call->op
           && !strcmp(a->call->org_id, b->call->org_id);
}

/* All of the wave that go together with the first one still waiting. */
static int take_set(alloy_many_item_t **waiting, int *pcount,
                    alloy_many_item_t **set)
{
    int taken = 0, kept = 0, i;

    for (i = 0; i < *pcount; i++) {
        if (!taken || go_together(set[0], waiting[i])) {
            set[taken++] = waiting[i];
        }
        else {
            waiting[kept++] = waiting[i];
        }
    }
    *pcount = kept;
    return taken;
}

static alloy_problem_t *run_wave(alloy_many_batch_t *batch, int wave,
                                 alloy_many_item_t **waiting)
{
    alloy_many_item_t **set = waiting + batch->count;
    int count = 0, i;

    for (i = 0; i < batch->count; i++) {
        if (!batch->items[i].problem && batch->items[i].wave == wave) {
            waiting[count++] = &batch->items[i];
        }
    }
    while (count && !(batch->atomic && any_refused(batch))) {
        int taken = take_set(waiting, &count, set);

        ALLOY_TRY(alloy_many_write(batch, set, taken));
    }
    return NULL;
}

static alloy_problem_t *run_waves(alloy_many_batch_t *batch)
{
    alloy_many_item_t **room = apr_palloc(batch->call->pool, sizeof(*room)
                                          * 2 * (batch->count + 1));
    int wave;

    for (wave = 0; wave < batch->waves; wave++) {
        ALLOY_TRY(run_wave(batch, wave, room));
    }
    return NULL;
}

/* ---- refusals --------------------------------------------------------------------------- */

/* What is at fault, seen from the batch. */
static void name_faults(alloy_many_batch_t *batch, alloy_many_item_t *item)
{
    alloy_problem_t *problem = item->problem;
    alloy_fault_t *fault = problem->faults;
    int is_target = problem->kind == &alloy_not_found;

    for (; fault; fault = fault->next) {
        if (strncmp(fault->where, "/" OPERATIONS "/", 12)) {
            fault->where = place(batch, item->index, fault->where
                                 + (*fault->where == '/'));
        }
    }
    if (!problem->faults) {
        item->problem = alloy_problem_at(
            problem, is_target ? place(batch, item->index,
                                       batch->element->name)
                               : apr_psprintf(batch->call->pool, "/"
                                              OPERATIONS "/%d", item->index),
            problem->kind->code, problem->detail, NULL);
    }
}

static alloy_problem_t *with_index(alloy_problem_t *problem,
                                   const alloy_many_item_t *item,
                                   apr_pool_t *pool)
{
    return alloy_problem_member(problem, "operation",
                                apr_psprintf(pool, "{\"index\":%d}",
                                             item->index));
}

/* The first refusal, with the faults of all others of its kind. */
static alloy_problem_t *first_refusal(alloy_many_batch_t *batch)
{
    alloy_problem_t *first = NULL;
    int i;

    for (i = 0; i < batch->count; i++) {
        alloy_problem_t *problem = batch->items[i].problem;
        const alloy_fault_t *fault;

        if (!problem) {
            continue;
        }
        name_faults(batch, &batch->items[i]);
        if (!first) {
            first = with_index(problem, &batch->items[i], batch->call->pool);
            continue;
        }
        for (fault = problem->kind == first->kind ? problem->faults : NULL;
             fault; fault = fault->next) {
            first = alloy_problem_at(first, fault->where, fault->code,
                                     fault->detail, fault->allowed);
        }
    }
    return first;
}

/* ---- results ------------------------------------------------------------------------------ */

static void refuse_items(alloy_many_batch_t *batch)
{
    int i;

    for (i = 0; i < batch->count; i++) {
        alloy_many_item_t *item = &batch->items[i];

        if (item->problem) {
            name_faults(batch, item);
            alloy_engine_refuse(&item->answer, batch->call->engine->config,
                                batch->call->request, item->problem);
        }
    }
}

static void write_result(alloy_out_t *out, const alloy_many_batch_t *batch,
                         const alloy_many_item_t *item)
{
    alloy_out_begin(out, '{');
    alloy_out_key(out, batch->element->name);
    alloy_out_text(out, item->named);
    alloy_out_key(out, "status");
    alloy_out_int(out, item->answer.status);
    alloy_out_key(out, "body");
    if (item->answer.body) {
        alloy_out_raw(out, item->answer.body, item->answer.length);
        out->after_key = 0;
    }
    else {
        alloy_out_text(out, NULL);
    }
    alloy_out_end(out);
}

static void write_results(alloy_many_batch_t *batch)
{
    alloy_out_t *out = alloy_out(batch->call);
    int i;

    refuse_items(batch);
    alloy_out_begin(out, '{');
    alloy_out_key(out, "results");
    alloy_out_begin(out, '[');
    for (i = 0; i < batch->count; i++) {
        write_result(out, batch, &batch->items[i]);
    }
    alloy_out_end(out);
    alloy_convention_mark(batch->call, out);
    alloy_out_end(out);
}

/* A key with a budget pays for each that happens. */
static alloy_problem_t *spend(alloy_many_batch_t *batch)
{
    alloy_call_t *call = batch->call;
    int count = 0, i;

    call->spent = 1;
    for (i = 0; i < batch->count; i++) {
        count += !batch->items[i].problem;
    }
    if (!call->principal->budgeted || !count) {
        return NULL;
    }
    alloy_bind(call, "key", call->principal->key);
    alloy_bind(call, "count", apr_itoa(call->pool, count));
    return alloy_run(call, &sql_key_spend_many, NULL);
}

alloy_problem_t *alloy_many_run(alloy_call_t *call)
{
    alloy_many_batch_t *batch = apr_pcalloc(call->pool, sizeof(*batch));

    batch->call = call;
    batch->atomic = alloy_int(call, "atomic") || !alloy_given(call, "atomic");
    ALLOY_TRY(read_items(batch));
    ALLOY_TRY(alloy_many_resolve(batch));
    if (!batch->atomic || !any_refused(batch)) {
        ALLOY_TRY(alloy_many_lock(batch));
        make_waves(batch);
        ALLOY_TRY(run_waves(batch));
    }
    if (batch->atomic && any_refused(batch)) {
        return first_refusal(batch);
    }
    ALLOY_TRY(spend(batch));
    write_results(batch);
    return NULL;
}
