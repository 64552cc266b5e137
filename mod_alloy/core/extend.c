/*
 * Keys that plugins add to other people's operations: written in the same
 * transaction, read for all rows of an answer at once, put behind their own.
 */
#include "call.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#define ID "id"

struct alloy_added_t {
    const alloy_result_t *result;
    const alloy_mapping_t *mapping;
    apr_hash_t *rows;           /* id -> row number + 1 */
    alloy_added_t *next;
};

static int is_given(const alloy_call_t *call, const alloy_extension_t *added)
{
    const alloy_param_t *param;

    for (param = added->params; param && param->name; param++) {
        if (alloy_given(call, param->name)) {
            return 1;
        }
    }
    return 0;
}

/* What a write's keys are read by belongs to its transaction as well: the write
 * may have changed what its caller is known to see. */
int alloy_extend_writes(const alloy_call_t *call)
{
    int i;

    for (i = 0; call->op->extensions[i]; i++) {
        const alloy_extension_t *added = call->op->extensions[i];

        if ((added->write && is_given(call, added))
            || (added->read && call->op->writes)) {
            return 1;
        }
    }
    return 0;
}

static void bind_id(alloy_call_t *call, const alloy_result_t *result, int row)
{
    int column = alloy_result_column(result, ID);

    alloy_bind(call, ID, column < 0 ? NULL
               : alloy_out_cell_text(result, row, column, call->pool));
}

alloy_problem_t *alloy_extend_write(alloy_call_t *call,
                                    const alloy_result_t *result, int row)
{
    const alloy_result_t *written = NULL;
    int i;

    if (alloy_extend_writes(call)) {
        bind_id(call, result, row);
    }
    for (i = 0; call->op->extensions[i]; i++) {
        const alloy_extension_t *added = call->op->extensions[i];

        if (added->write && is_given(call, added)) {
            ALLOY_TRY(alloy_call_step(call, added->write, &written));
            ALLOY_TRY(alloy_answer_refusal(call, written));
        }
    }
    return NULL;
}

/* ---- answers ---------------------------------------------------------------------- */

static const char *ids_of(const alloy_call_t *call,
                          const alloy_result_t *result, int count)
{
    int column = alloy_result_column(result, ID), i;
    const char **ids = apr_palloc(call->pool, sizeof(*ids) * (count + 1));

    if (column < 0) {
        return NULL;
    }
    for (i = 0; i < count; i++) {
        ids[i] = alloy_out_cell_text(result, i, column, call->pool);
    }
    return alloy_array_literal(ids, count, call->pool);
}

static apr_hash_t *index_rows(const alloy_result_t *result, apr_pool_t *pool)
{
    apr_hash_t *rows = apr_hash_make(pool);
    int column = alloy_result_column(result, ID), i;

    for (i = 0; column >= 0 && i < alloy_result_rows(result); i++) {
        int *number = apr_palloc(pool, sizeof(*number));

        *number = i + 1;
        apr_hash_set(rows, alloy_out_cell_text(result, i, column, pool),
                     APR_HASH_KEY_STRING, number);
    }
    return rows;
}

static alloy_problem_t *read_one(alloy_call_t *call,
                                 const alloy_extension_t *extension)
{
    alloy_added_t *added = apr_pcalloc(call->pool, sizeof(*added));
    alloy_shape_t *shape = apr_pcalloc(call->pool, sizeof(*shape));

    ALLOY_TRY(alloy_call_step(call, extension->read, &added->result));
    shape->name = extension->operation;
    shape->fields = extension->fields;
    added->mapping = alloy_out_map(added->result, shape, call->pool);
    added->rows = index_rows(added->result, call->pool);
    added->next = call->added;
    call->added = added;
    return NULL;
}

alloy_problem_t *alloy_extend_read(alloy_call_t *call,
                                   const alloy_result_t *result, int count)
{
    const char *ids = NULL;
    int i;

    for (i = 0; call->op->extensions[i]; i++) {
        if (!call->op->extensions[i]->read) {
            continue;
        }
        if (!ids) {
            ids = ids_of(call, result, count);
            alloy_bind(call, "ids", ids);
        }
        ALLOY_TRY(ids ? read_one(call, call->op->extensions[i]) : NULL);
    }
    return NULL;
}

void alloy_extend_append(const alloy_call_t *call, alloy_out_t *out,
                         const alloy_result_t *result, int row)
{
    const alloy_added_t *added;
    const char *id;

    id = alloy_out_cell_text(result, row, alloy_result_column(result, ID),
                             call->pool);
    for (added = call->added; added; added = added->next) {
        const int *number = apr_hash_get(added->rows, id, APR_HASH_KEY_STRING);

        if (number) {
            alloy_out_members(out, added->result, *number - 1,
                              added->mapping);
        }
    }
}
