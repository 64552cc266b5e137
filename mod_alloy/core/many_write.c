/*
 * Batches and the database: locks, readings and writes of many rows, a
 * statement for all of them; each row is decided by itself.
 */
#include "many.h"

#include <stdlib.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#define ID "id"
#define ORG "org"

/* ---- what the statements get --------------------------------------------------- */

static const char *ids_of(alloy_many_item_t *const *items, int count,
                          apr_pool_t *pool)
{
    const char **ids = apr_palloc(pool, sizeof(*ids) * (count + 1));
    int i;

    for (i = 0; i < count; i++) {
        ids[i] = alloy_many_id(items[i]);
    }
    return alloy_array_literal(ids, count, pool);
}

/* What SINGLE would get for the item; the organization is the statement's. */
static void write_row(alloy_out_t *out, alloy_call_t *call,
                      const alloy_statement_t *single)
{
    int i, found;

    alloy_out_begin(out, '{');
    for (i = 0; i < single->nparams; i++) {
        if (strcmp(single->params[i], ORG)) {
            alloy_out_key(out, single->params[i]);
            alloy_out_text(out, alloy_bind_value(call, single->params[i],
                                                 &found));
        }
    }
    alloy_out_end(out);
}

static const char *rows_of(alloy_many_item_t *const *items, int count,
                           const alloy_statement_t *single, apr_pool_t *pool)
{
    alloy_out_t *out = alloy_out_make(pool, 256 * (apr_size_t)count);
    int i;

    alloy_out_begin(out, '[');
    for (i = 0; i < count; i++) {
        write_row(out, items[i]->call, single);
    }
    alloy_out_end(out);
    return apr_pstrmemdup(pool, out->bytes, out->length);
}

/* A part's statement. What befalls it befalls the batch: it is run again. */
static alloy_problem_t *step(alloy_many_batch_t *batch, alloy_call_t *part,
                             const alloy_statement_t *statement,
                             const alloy_rows_t **prows)
{
    const alloy_result_t *result = NULL;
    alloy_problem_t *problem = alloy_call_step(part, statement, &result);

    batch->call->conflict |= part->conflict;
    batch->call->stale |= part->stale;
    *prows = alloy_rows_make(result, batch->call->pool);
    return problem;
}

/** A statement for some items, and the single one it stands for. */
typedef struct {
    const alloy_statement_t *statement, *single;
    alloy_many_item_t *const *items;
    int count;
} errand_t;

/* As the single operation would be run, for all of them. */
static alloy_problem_t *run(alloy_many_batch_t *batch, const errand_t *errand,
                            const alloy_rows_t **prows)
{
    apr_pool_t *pool = batch->call->pool;
    alloy_call_t *call = apr_pmemdup(pool, errand->items[0]->call,
                                     sizeof(*call));

    alloy_bind(call, "ids", ids_of(errand->items, errand->count, pool));
    alloy_bind(call, "rows", rows_of(errand->items, errand->count,
                                     errand->single, pool));
    return step(batch, call, errand->statement, prows);
}

/* Rows by the id they are about: id -> alloy_rows_t *, which are few each. */
static apr_hash_t *by_id(const alloy_rows_t *rows, apr_pool_t *pool)
{
    apr_hash_t *hash = apr_hash_make(pool);
    int i;

    for (i = 0; i < rows->count; i++) {
        const char *id = alloy_row_text(&rows->rows[i], ID);
        alloy_rows_t *old = apr_hash_get(hash, id, APR_HASH_KEY_STRING);
        alloy_rows_t *all = apr_palloc(pool, sizeof(*all));
        int count = old ? old->count : 0;

        all->count = count + 1;
        all->rows = apr_palloc(pool, sizeof(*all->rows) * (count + 1));
        if (count) {
            memcpy(all->rows, old->rows, sizeof(*all->rows) * count);
        }
        all->rows[count] = rows->rows[i];
        apr_hash_set(hash, id, APR_HASH_KEY_STRING, all);
    }
    return hash;
}

static const alloy_rows_t *rows_for(apr_hash_t *hash,
                                    const alloy_many_item_t *item)
{
    return apr_hash_get(hash, alloy_many_id(item), APR_HASH_KEY_STRING);
}

static const alloy_guarded_t *guarded_of(const alloy_many_item_t *item)
{
    return item->call->op->row->guarded;
}

/* ---- locks ------------------------------------------------------------------------- */

static alloy_problem_t *lock_hook(alloy_many_batch_t *batch,
                                  const alloy_hook_t *hook,
                                  alloy_many_item_t **items, int count)
{
    errand_t errand = { hook->lock_many, hook->lock, items, count };
    const alloy_rows_t *ignored;
    int i;

    if (hook->lock_many) {
        return run(batch, &errand, &ignored);
    }
    for (i = 0; hook->lock && i < count; i++) {
        ALLOY_TRY(step(batch, items[i]->call, hook->lock, &ignored));
    }
    return NULL;
}

static alloy_problem_t *lock_hooks(alloy_many_batch_t *batch,
                                   alloy_many_item_t **items, int count)
{
    const alloy_hook_t *const *hook = items[0]->call->op->hooks;

    for (; *hook; hook++) {
        ALLOY_TRY(lock_hook(batch, *hook, items, count));
    }
    return NULL;
}

static int compare_orgs(const void *a, const void *b)
{
    const alloy_many_item_t *const *left = a, *const *right = b;
    int order = strcmp((*left)->call->org_id, (*right)->call->org_id);

    if (!order) {
        order = (*left)->call->op->index - (*right)->call->op->index;
    }
    return order ? order : (*left)->index - (*right)->index;
}

/* How many from the first on are of its organization, and of its operation. */
static int alike(alloy_many_item_t **items, int count, int same_op)
{
    int i = 1;

    while (i < count
           && !strcmp(items[i]->call->org_id, items[0]->call->org_id)
           && (!same_op || items[i]->call->op == items[0]->call->op)) {
        i++;
    }
    return i;
}

static alloy_problem_t *lock_org(alloy_many_batch_t *batch,
                                 alloy_many_item_t **items, int count)
{
    const alloy_op_t *op = items[0]->call->op;
    const alloy_rows_t *ignored;
    errand_t errand = { op->row->many->lock, op->last, items, count };

    if (guarded_of(items[0])) {
        errand.single = guarded_of(items[0])->lock;
    }
    return run(batch, &errand, &ignored);
}

alloy_problem_t *alloy_many_lock(alloy_many_batch_t *batch)
{
    alloy_many_item_t **items = apr_palloc(batch->call->pool, sizeof(*items)
                                           * (batch->count + 1));
    int count = 0, size, i;

    for (i = 0; i < batch->count; i++) {
        if (!batch->items[i].problem) {
            items[count++] = &batch->items[i];
        }
    }
    qsort(items, count, sizeof(*items), compare_orgs);
    for (i = 0; i < count; i += size) {
        size = alike(items + i, count - i, 1);
        ALLOY_TRY(lock_hooks(batch, items + i, size));
    }
    for (i = 0; i < count; i += size) {
        size = alike(items + i, count - i, 0);
        ALLOY_TRY(lock_org(batch, items + i, size));
    }
    return NULL;
}

/* ---- reading and deciding ------------------------------------------------------------ */

static alloy_problem_t *read_rows(alloy_many_batch_t *batch,
                                  alloy_many_item_t **items, int count)
{
    const alloy_op_t *op = items[0]->call->op;
    errand_t errand = { op->row->many->read, op->last, items, count };
    const alloy_rows_t *rows;
    apr_hash_t *hash;
    int i;

    if (guarded_of(items[0])) {
        errand.single = guarded_of(items[0])->read;
    }
    ALLOY_TRY(run(batch, &errand, &rows));
    hash = by_id(rows, batch->call->pool);
    for (i = 0; i < count; i++) {
        const alloy_rows_t *own = rows_for(hash, items[i]);

        items[i]->row = own ? &own->rows[0] : NULL;
        if (!own) {
            items[i]->problem = alloy_answer_nothing(items[i]->call);
        }
    }
    return NULL;
}

static alloy_problem_t *read_facts(alloy_many_batch_t *batch, int hook,
                                   alloy_many_item_t **items, int count)
{
    const alloy_hook_t *asked = items[0]->call->op->hooks[hook];
    errand_t errand = { asked->facts_many, asked->facts, items, count };
    const alloy_rows_t *rows;
    apr_hash_t *hash = NULL;
    int i;

    if (!asked->facts) {
        return NULL;
    }
    if (asked->facts_many) {
        ALLOY_TRY(run(batch, &errand, &rows));
        hash = by_id(rows, batch->call->pool);
    }
    for (i = 0; i < count; i++) {
        const alloy_rows_t *own = hash ? rows_for(hash, items[i]) : NULL;

        ALLOY_TRY(hash ? NULL
                  : step(batch, items[i]->call, asked->facts, &own));
        items[i]->facts[hook] = own ? own : apr_pcalloc(batch->call->pool,
                                                        sizeof(*own));
    }
    return NULL;
}

static alloy_problem_t *read_all(alloy_many_batch_t *batch,
                                 alloy_many_item_t **items, int count)
{
    int i;

    ALLOY_TRY(read_rows(batch, items, count));
    for (i = 0; items[0]->call->op->hooks[i]; i++) {
        ALLOY_TRY(read_facts(batch, i, items, count));
    }
    return NULL;
}

/* Those that may happen, to the front. @return how many. */
static int decide_all(alloy_many_item_t **items, int count)
{
    int kept = 0, i;

    for (i = 0; i < count; i++) {
        alloy_many_item_t *item = items[i];

        if (!item->problem && guarded_of(item)) {
            item->problem = alloy_guarded_decide(item->call, item->row,
                                                 item->facts);
        }
        if (!item->problem) {
            items[kept++] = item;
        }
    }
    return kept;
}

/* ---- writing and answering --------------------------------------------------------------- */

/* Somebody came between a look and the write, as only rows that were not
 * locked allow: the whole batch again. */
static alloy_problem_t *overtaken(alloy_many_batch_t *batch)
{
    batch->call->conflict = 1;
    return alloy_problem_retry(
        alloy_problem(batch->call, &alloy_unavailable,
                      "Others were changing the same things; nothing was "
                      "changed. Try again after the time in Retry-After."), 1);
}

static alloy_problem_t *write_alike(alloy_many_batch_t *batch,
                                    alloy_many_item_t **items, int count)
{
    const alloy_op_t *op = items[0]->call->op;
    errand_t errand = { op->row->many->write, op->last, items, count };
    const alloy_rows_t *rows;

    ALLOY_TRY(run(batch, &errand, &rows));
    return rows->count == count ? NULL : overtaken(batch);
}

static int warned_alike(const alloy_many_item_t *a, const alloy_many_item_t *b)
{
    const char *left = a->call->warned, *right = b->call->warned;

    return left && right ? !strcmp(left, right) : left == right;
}

/* What the log says of a row is said by the statement: those that broke the same
 * rules go together. */
static alloy_problem_t *write_rows(alloy_many_batch_t *batch,
                                   alloy_many_item_t **items, int count)
{
    apr_size_t size = sizeof(*items) * ((apr_size_t)count + 1);
    alloy_many_item_t **left = apr_pmemdup(batch->call->pool, items,
                                           size - sizeof(*items));
    alloy_many_item_t **group = apr_palloc(batch->call->pool, size);

    while (count) {
        int kept = 0, taken = 0, i;

        for (i = 0; i < count; i++) {
            if (i && !warned_alike(group[0], left[i])) {
                left[kept++] = left[i];
            }
            else {
                group[taken++] = left[i];
            }
        }
        ALLOY_TRY(write_alike(batch, group, taken));
        count = kept;
    }
    return NULL;
}

static void answer_row(alloy_many_item_t *item, const alloy_call_t *asked,
                       const alloy_row_t *row, const alloy_mapping_t *mapping)
{
    alloy_out_t *out = alloy_out_make(asked->pool, 768);

    alloy_out_begin(out, '{');
    alloy_out_members(out, row->result, row->index, mapping);
    alloy_extend_append(asked, out, row->result, row->index);
    if (item->call->warnings) {
        alloy_out_key(out, "warnings");
        alloy_out_json(out, alloy_guarded_warnings(item->call));
    }
    alloy_out_end(out);
    item->answer.body = out->bytes;
    item->answer.length = out->length;
}

static alloy_problem_t *show_rows(alloy_many_batch_t *batch,
                                  alloy_many_item_t **items, int count)
{
    const alloy_op_t *op = items[0]->call->op;
    errand_t errand = { op->row->many->show, op->last, items, count };
    alloy_call_t *asked = items[0]->call;
    const alloy_mapping_t *mapping;
    const alloy_rows_t *rows;
    apr_hash_t *hash;
    int i;

    ALLOY_TRY(run(batch, &errand, &rows));
    if (rows->count != count) {
        return overtaken(batch);
    }
    ALLOY_TRY(alloy_extend_read(asked, rows->rows[0].result, count));
    mapping = alloy_out_map(rows->rows[0].result, op->row->answer,
                            asked->pool);
    hash = by_id(rows, asked->pool);
    for (i = 0; i < count; i++) {
        const alloy_rows_t *own = rows_for(hash, items[i]);

        if (!own) {
            return overtaken(batch);
        }
        answer_row(items[i], asked, &own->rows[0], mapping);
    }
    return NULL;
}

alloy_problem_t *alloy_many_write(alloy_many_batch_t *batch,
                                  alloy_many_item_t **items, int count)
{
    const alloy_many_t *many = items[0]->call->op->row->many;
    int i;

    ALLOY_TRY(read_all(batch, items, count));
    count = decide_all(items, count);
    if (!count) {
        return NULL;
    }
    ALLOY_TRY(write_rows(batch, items, count));
    for (i = 0; i < count; i++) {
        items[i]->answer.status = many->show ? 200 : 204;
    }
    return many->show ? show_rows(batch, items, count) : NULL;
}
