/*
 * References of a batch: what is named by path is found for all operations at
 * once, anything else is looked up once for each different thing named.
 */
#include "many.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "id.h"
#include "refer.h"

struct alloy_memo_t {
    apr_hash_t *found;          /* key -> alloy_rows_t * */
    apr_hash_t *projects;       /* id of a thing -> id of its project */
};

/* ---- remembering ------------------------------------------------------------- */

static const alloy_statement_t *finder(const alloy_pending_t *pending)
{
    alloy_id_t id;

    return alloy_id_parse(&id, pending->value->text)
           ? pending->param->resource->find_id
           : pending->param->resource->find_name;
}

static const char *path_key(const alloy_statement_t *find, const char *ref,
                            apr_pool_t *pool)
{
    return apr_pstrcat(pool, find->name, "|path|", ref, NULL);
}

/* What is looked for within a thing is looked for within its project. */
static const char *key_of(const alloy_call_t *call,
                          const alloy_pending_t *pending)
{
    const alloy_memo_t *memo = call->parent->memo;
    const char *within = alloy_refer_within(call, pending->param);
    const char *project = within ? apr_hash_get(memo->projects, within,
                                                APR_HASH_KEY_STRING) : NULL;

    return apr_pstrcat(call->pool, finder(pending)->name, "|",
                       call->org_id ? call->org_id : "", "|",
                       project ? project : within ? within : "", "|",
                       pending->value->text, NULL);
}

static alloy_problem_t *find(alloy_call_t *call,
                             const alloy_pending_t *pending,
                             const alloy_rows_t **prows)
{
    apr_hash_t *found = call->parent->memo->found;
    const char *key = path_key(finder(pending), pending->value->text,
                               call->pool);

    *prows = pending->path ? apr_hash_get(found, key, APR_HASH_KEY_STRING)
                           : NULL;
    if (*prows) {
        return NULL;
    }
    key = key_of(call, pending);
    *prows = apr_hash_get(found, key, APR_HASH_KEY_STRING);
    if (*prows) {
        return NULL;
    }
    ALLOY_TRY(alloy_refer_find(call, pending, prows));
    apr_hash_set(found, key, APR_HASH_KEY_STRING, *prows);
    return NULL;
}

static alloy_problem_t *add_lost(alloy_call_t *call, alloy_problem_t *problem,
                                 const alloy_pending_t *pending)
{
    alloy_problem_t *lost = alloy_refer_lost(call, pending);

    return problem && lost->faults
        ? alloy_problem_at(problem, lost->faults->where, lost->faults->code,
                           lost->faults->detail, NULL) : lost;
}

alloy_problem_t *alloy_many_look_up(alloy_call_t *call,
                                    alloy_pending_t *pending, int count,
                                    int anchor)
{
    alloy_problem_t *problem = NULL;
    int i;

    for (i = 0; i < count; i++) {
        const alloy_rows_t *rows = NULL;

        ALLOY_TRY(find(call, &pending[i], &rows));
        if (rows->count) {
            ALLOY_TRY(alloy_refer_take(call, &pending[i], rows, anchor));
        }
        else if (pending[i].path) {
            return alloy_refer_lost(call, &pending[i]);
        }
        else {
            problem = add_lost(call, problem, &pending[i]);
        }
    }
    return problem;
}

/* ---- what the operations are about ---------------------------------------------- */

/** Different texts, ids and others apart. */
typedef struct {
    apr_hash_t *seen;
    apr_array_header_t *ids, *names;
} refs_t;

/* Ids in their one spelling, so that one thing is one text. */
static void add_ref(refs_t *refs, alloy_value_t *value, apr_pool_t *pool)
{
    alloy_id_t id;
    int is_id = alloy_id_parse(&id, value->text);

    if (is_id) {
        char *text = apr_palloc(pool, ALLOY_ID_TEXT + 1);

        alloy_id_format(&id, text);
        value->text = text;
    }
    if (!apr_hash_get(refs->seen, value->text, APR_HASH_KEY_STRING)) {
        apr_hash_set(refs->seen, value->text, APR_HASH_KEY_STRING, value);
        APR_ARRAY_PUSH(is_id ? refs->ids : refs->names, const char *)
            = value->text;
    }
}

static void collect_refs(refs_t *refs, alloy_many_batch_t *batch,
                         apr_pool_t *pool)
{
    int i;

    refs->seen = apr_hash_make(pool);
    refs->ids = apr_array_make(pool, batch->count, sizeof(char *));
    refs->names = apr_array_make(pool, batch->count, sizeof(char *));
    for (i = 0; i < batch->count; i++) {
        alloy_many_item_t *item = &batch->items[i];
        alloy_value_t *value = &item->call->values[item->target];

        if (alloy_refer_can_find(batch->element->resource, value->text)) {
            add_ref(refs, value, pool);
        }
    }
}

static alloy_rows_t *no_rows(int room, apr_pool_t *pool)
{
    alloy_rows_t *rows = apr_pcalloc(pool, sizeof(*rows));

    rows->rows = apr_palloc(pool, sizeof(*rows->rows) * (room + 1));
    return rows;
}

/* Nothing found, until something is. */
static void expect(alloy_memo_t *memo, const alloy_statement_t *statement,
                   const apr_array_header_t *texts, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < texts->nelts; i++) {
        apr_hash_set(memo->found,
                     path_key(statement, APR_ARRAY_IDX(texts, i, const char *),
                              pool),
                     APR_HASH_KEY_STRING, no_rows(0, pool));
    }
}

static void append(alloy_memo_t *memo, const char *key, alloy_row_t row,
                   apr_pool_t *pool)
{
    const alloy_rows_t *old = apr_hash_get(memo->found, key,
                                           APR_HASH_KEY_STRING);
    int count = old ? old->count : 0;
    alloy_rows_t *rows = no_rows(count + 1, pool);

    if (count) {
        memcpy(rows->rows, old->rows, sizeof(*rows->rows) * count);
    }
    rows->rows[count] = row;
    rows->count = count + 1;
    apr_hash_set(memo->found, key, APR_HASH_KEY_STRING, rows);
}

/* By what it was called, and by its id for those who look again. */
static void remember(alloy_memo_t *memo, const alloy_resource_t *resource,
                     const alloy_row_t *row, apr_pool_t *pool)
{
    const char *ref = alloy_row_text(row, "ref");
    const char *id = alloy_row_text(row, "id");
    const char *by_id = path_key(resource->find_id, id, pool);

    if (strcmp(ref, id)) {
        append(memo, path_key(resource->find_name, ref, pool), *row, pool);
    }
    if (!strcmp(ref, id) || !apr_hash_get(memo->found, by_id,
                                          APR_HASH_KEY_STRING)) {
        append(memo, by_id, *row, pool);
    }
    apr_hash_set(memo->projects, id, APR_HASH_KEY_STRING,
                 alloy_row_text(row, "project_id"));
}

static const char *literal(const apr_array_header_t *texts, apr_pool_t *pool)
{
    return alloy_array_literal((const char *const *)texts->elts, texts->nelts,
                               pool);
}

static alloy_problem_t *find_targets(alloy_many_batch_t *batch)
{
    alloy_call_t *call = batch->call;
    const alloy_resource_t *resource = batch->element->resource;
    const alloy_result_t *result = NULL;
    const alloy_rows_t *rows;
    alloy_step_t step;
    refs_t refs;
    int i;

    collect_refs(&refs, batch, call->pool);
    alloy_bind(call, "refs", literal(refs.names, call->pool));
    alloy_bind(call, "ids", literal(refs.ids, call->pool));
    alloy_bind(call, "orgs", alloy_access_orgs(call, ALLOY_VIEWER));
    ALLOY_TRY(alloy_bind_step(&step, call, resource->find_many));
    ALLOY_TRY(alloy_call_flush(call, ALLOY_VIEWER, &step, 1, &result));
    rows = alloy_rows_make(result, call->pool);
    expect(call->memo, resource->find_id, refs.ids, call->pool);
    expect(call->memo, resource->find_name, refs.names, call->pool);
    for (i = 0; i < rows->count; i++) {
        remember(call->memo, resource, &rows->rows[i], call->pool);
    }
    return NULL;
}

/* ---- one by one, without asking the database twice -------------------------------- */

static alloy_problem_t *resolve(alloy_many_item_t *item)
{
    ALLOY_TRY(alloy_access_check_token(item->call));
    ALLOY_TRY(alloy_refer_resolve(item->call));
    ALLOY_TRY(item->call->org ? NULL : alloy_answer_nothing(item->call));
    return alloy_access_check_values(item->call);
}

/* Whatever belongs to the item is its own; the rest ends the batch. */
static int is_fatal(const alloy_problem_t *problem)
{
    return problem && problem->kind->status >= 500;
}

alloy_problem_t *alloy_many_resolve(alloy_many_batch_t *batch)
{
    alloy_call_t *call = batch->call;
    int i;

    call->memo = apr_pcalloc(call->pool, sizeof(*call->memo));
    call->memo->found = apr_hash_make(call->pool);
    call->memo->projects = apr_hash_make(call->pool);
    ALLOY_TRY(find_targets(batch));
    for (i = 0; i < batch->count; i++) {
        alloy_many_item_t *item = &batch->items[i];

        item->problem = resolve(item);
        call->conflict |= item->call->conflict;
        call->stale |= item->call->stale;
        if (is_fatal(item->problem)) {
            return item->problem;
        }
    }
    return NULL;
}
