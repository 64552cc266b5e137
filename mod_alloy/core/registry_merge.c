/* An operation as the engine uses it: its own row and what plugins add to it,
 * with the facts that would else be looked up again for every request. Nothing
 * is checked here; what is wrong stays wrong until the checks find it.
 */
#include "registry_check.h"

#include <string.h>

#include "convention.h"
#include "path.h"

static int params_count(const alloy_param_t *params)
{
    int count = 0;

    while (params && params[count].name) {
        count++;
    }
    return count;
}

static void params_append(const alloy_param_t **list, int *count,
                          const alloy_param_t *params)
{
    for (; params && params->name; params++) {
        list[(*count)++] = params;
    }
}

static void params_merge(alloy_op_t *op, apr_pool_t *pool)
{
    int count = params_count(op->row->params);
    const alloy_extension_t *const *added;
    const alloy_param_t *const *common = alloy_convention_params(op->row,
                                                                 pool);
    const alloy_param_t **list;

    for (added = op->extensions; *added; added++) {
        count += params_count((*added)->params);
    }
    count += ALLOY_CONVENTIONS_MAX;
    list = apr_pcalloc(pool, sizeof(*list) * (count + 1));
    op->nparams = 0;
    params_append(list, &op->nparams, op->row->params);
    for (added = op->extensions; *added; added++) {
        params_append(list, &op->nparams, (*added)->params);
    }
    for (; *common; common++) {
        list[op->nparams++] = *common;
    }
    op->params = list;
}

static int fields_count(const alloy_field_t *fields)
{
    int count = 0;

    while (fields && fields[count].name) {
        count++;
    }
    return count;
}

static alloy_field_t *fields_append(alloy_field_t *end,
                                    const alloy_field_t *fields)
{
    int count = fields_count(fields);

    if (count) {
        memcpy(end, fields, sizeof(*fields) * count);
    }
    return end + count;
}

static void answer_merge(alloy_op_t *op, apr_pool_t *pool)
{
    const alloy_shape_t *own = op->row->answer;
    const alloy_extension_t *const *added;
    int count, ours;
    alloy_shape_t *shape;
    alloy_field_t *fields, *end;

    op->answer = own;
    if (!own) {
        return;
    }
    ours = count = fields_count(own->fields);
    for (added = op->extensions; *added; added++) {
        count += fields_count((*added)->fields);
    }
    if (count == ours) {
        return;
    }
    fields = apr_pcalloc(pool, sizeof(*fields) * (count + 1));
    end = fields_append(fields, own->fields);
    for (added = op->extensions; *added; added++) {
        end = fields_append(end, (*added)->fields);
    }
    shape = apr_pcalloc(pool, sizeof(*shape));
    shape->name = own->name;
    shape->fields = fields;
    op->answer = shape;
}

static int refusals_count(const alloy_refusal_t *refusals)
{
    int count = 0;

    while (refusals && refusals[count].code) {
        count++;
    }
    return count;
}

static alloy_refusal_t *refusals_append(alloy_refusal_t *end,
                                        const alloy_refusal_t *refusals)
{
    int count = refusals_count(refusals);

    if (count) {
        memcpy(end, refusals, sizeof(*refusals) * count);
    }
    return end + count;
}

static void refusals_merge(alloy_op_t *op, apr_pool_t *pool)
{
    int count = refusals_count(op->row->refusals);
    const alloy_extension_t *const *added;
    alloy_refusal_t *list, *end;

    for (added = op->extensions; *added; added++) {
        count += refusals_count((*added)->refusals);
    }
    list = apr_pcalloc(pool, sizeof(*list) * (count + 1));
    end = refusals_append(list, op->row->refusals);
    for (added = op->extensions; *added; added++) {
        end = refusals_append(end, (*added)->refusals);
    }
    op->refusals = list;
}

static int segment_of(const alloy_path_t *path, const char *name)
{
    int i;

    for (i = 0; i < path->count; i++) {
        if (alloy_part_names(&path->parts[i], name)) {
            return i;
        }
    }
    return -1;
}

static void segments_find(alloy_op_t *op, apr_pool_t *pool)
{
    alloy_path_t path;
    int i;

    op->segment = apr_pcalloc(pool, sizeof(*op->segment) * (op->nparams + 1));
    if (!alloy_path_split(&path, op->row->path)) {
        path.count = 0;
    }
    for (i = 0; i < op->nparams; i++) {
        op->segment[i] = segment_of(&path, op->params[i]->name);
    }
}

static int anchor_find(const alloy_op_t *op)
{
    int i, anchor = -1;

    for (i = 0; i < op->nparams; i++) {
        if (op->params[i]->type == ALLOY_REF && op->segment[i] >= 0
            && (anchor < 0 || op->segment[i] < op->segment[anchor])) {
            anchor = i;
        }
    }
    for (i = 0; anchor < 0 && i < op->nparams; i++) {
        if (op->params[i]->flags & ALLOY_HOME) {
            anchor = i;
        }
    }
    return anchor;
}

static int body_is_read(const alloy_op_t *op)
{
    int i;

    if (op->row->method == ALLOY_POST || op->row->method == ALLOY_PUT
        || op->row->method == ALLOY_PATCH) {
        return 1;
    }
    for (i = 0; i < op->nparams; i++) {
        if (op->params[i]->flags & ALLOY_IN_BODY) {
            return 1;
        }
    }
    return 0;
}

static int something_is_written(const alloy_op_t *op)
{
    const alloy_extension_t *const *added;
    int i;

    if (op->row->method != ALLOY_GET) {
        return 1;
    }
    for (i = 0; i < ALLOY_STEPS_MAX && op->row->steps[i]; i++) {
        if (op->row->steps[i]->flags & ALLOY_SQL_WRITE) {
            return 1;
        }
    }
    for (added = op->extensions; *added; added++) {
        if ((*added)->write) {
            return 1;
        }
    }
    return 0;
}

static const alloy_statement_t *last_find(const alloy_operation_t *row)
{
    const alloy_statement_t *last = row->guarded ? row->guarded->write : NULL;
    int i;

    for (i = 0; i < ALLOY_STEPS_MAX && row->steps[i]; i++) {
        last = row->steps[i];
    }
    return last;
}

static const alloy_statement_t *instead_find(const alloy_op_t *op)
{
    const alloy_extension_t *const *added;

    for (added = op->extensions; *added; added++) {
        if ((*added)->instead) {
            return (*added)->instead;
        }
    }
    return NULL;
}

void alloy_op_resolve(alloy_op_t *op, apr_pool_t *pool)
{
    params_merge(op, pool);
    answer_merge(op, pool);
    refusals_merge(op, pool);
    segments_find(op, pool);
    op->anchor = anchor_find(op);
    op->reads_body = body_is_read(op);
    op->writes = something_is_written(op);
    op->last = last_find(op->row);
    op->instead = instead_find(op);
}
