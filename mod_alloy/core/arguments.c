/*
 * A tool's arguments. They are the operation's parameters, wherever a request
 * would have them, under the names people use; REST's names work as well.
 */
#include "arguments.h"

#include <string.h>

#include <apr_strings.h>

#include "convention.h"
#include "limits.h"
#include "value.h"

#define ID_SUFFIX "_id"
#define ORG "org"

const alloy_param_t alloy_argument_bytes = {
    .name = "max_bytes", .type = ALLOY_INT, .least = 1000, .most = 1000000
};

/** Reading one call's arguments. */
typedef struct {
    alloy_reader_t reader;
    const alloy_tool_use_t *use;
    const alloy_json_t *map;
} input_t;

/* ---- names ------------------------------------------------------------------ */

static int is_reference(const alloy_param_t *param)
{
    return param->type == ALLOY_REF;
}

const char *alloy_argument_name(const alloy_param_t *param, apr_pool_t *pool)
{
    apr_size_t length = strlen(param->name);
    apr_size_t suffix = sizeof(ID_SUFFIX) - 1;

    if (param->tool_name) {
        return param->tool_name;
    }
    if (is_reference(param) && length > suffix
        && !strcmp(param->name + length - suffix, ID_SUFFIX)) {
        return apr_pstrmemdup(pool, param->name, length - suffix);
    }
    return param->name;
}

static int is_any(const char *name, const char *const *names)
{
    while (names && *names && strcmp(*names, name)) {
        names++;
    }
    return names && *names;
}

static const char *value_fixed(const alloy_tool_use_t *use, const char *name)
{
    const char *const *pair = use->settled ? use->settled->fixed : NULL;

    for (; pair && *pair; pair += 2) {
        if (!strcmp(*pair, name)) {
            return pair[1];
        }
    }
    return NULL;
}

/* ---- what a tool takes ------------------------------------------------------- */

static int is_asked(const alloy_tool_use_t *use, int index)
{
    const alloy_param_t *param = use->op->params[index];

    return use->op->segment[index] >= 0 || (param->flags & ALLOY_REQUIRED)
           || (use->settled && is_any(param->name, use->settled->required));
}

int alloy_argument_taken(const alloy_tool_use_t *use, int index)
{
    const alloy_param_t *param = use->op->params[index];
    const alloy_tool_t *settled = use->settled;

    if (value_fixed(use, param->name)) {
        return 0;
    }
    return !settled || !settled->only || is_asked(use, index)
           || alloy_convention_is(param) || is_any(param->name, settled->only);
}

const char *const *alloy_argument_kinds(const alloy_op_t *op, int index)
{
    const char *by = op->params[index]->resource_param;
    int kind = by ? alloy_op_param(op, by) : -1;

    return kind < 0 ? NULL : op->params[kind]->words;
}

/* The reference whose kind parameter INDEX tells, or -1. */
static int told_by(const alloy_op_t *op, int index)
{
    int i;

    for (i = 0; i < op->nparams; i++) {
        const char *by = op->params[i]->resource_param;

        if (by && !strcmp(by, op->params[index]->name)) {
            return i;
        }
    }
    return -1;
}

static int is_default_org(const alloy_op_t *op, int index)
{
    const alloy_param_t *param = op->params[index];

    return index == op->anchor && param->resource
           && !strcmp(param->resource->name, ORG);
}

int alloy_argument_needed(const alloy_tool_use_t *use, int index)
{
    return is_asked(use, index) && !is_default_org(use->op, index)
           && !alloy_argument_kinds(use->op, index)
           && told_by(use->op, index) < 0;
}

static const alloy_param_t *find_paging(const input_t *in, const char *name)
{
    const alloy_statement_t *last = in->use->op->last;
    const alloy_param_t *const *param = alloy_paging_params;

    while (*param && strcmp((*param)->name, name)) {
        param++;
    }
    return last && last->mode == ALLOY_SQL_PAGE ? *param : NULL;
}

static int knows_key(const void *baton, const char *key)
{
    const input_t *in = baton;
    int i;

    for (i = 0; i < in->use->op->nparams; i++) {
        const alloy_param_t *param = in->use->op->params[i];

        if (alloy_argument_taken(in->use, i)
            && (!strcmp(param->name, key)
                || !strcmp(alloy_argument_name(param, in->reader.pool), key)
                || is_any(key, alloy_argument_kinds(in->use->op, i)))) {
            return 1;
        }
    }
    return find_paging(in, key) || !strcmp(key, alloy_argument_bytes.name);
}

/* ---- values ------------------------------------------------------------------- */

static int is_sent(const input_t *in, const char *name)
{
    return in->map && alloy_json_get(in->map, name);
}

/* The kind whose name is an argument, or NULL. */
static const char *kind_sent(const input_t *in, const char *const *kinds)
{
    while (kinds && *kinds && !is_sent(in, *kinds)) {
        kinds++;
    }
    return kinds ? *kinds : NULL;
}

/* The key parameter INDEX is read from. */
static const char *key_of(const input_t *in, int index)
{
    const alloy_param_t *param = in->use->op->params[index];
    const char *name = alloy_argument_name(param, in->reader.pool);
    const char *kind;

    if (is_sent(in, name)) {
        return name;
    }
    if (is_sent(in, param->name)) {
        return param->name;
    }
    kind = kind_sent(in, alloy_argument_kinds(in->use->op, index));
    return kind ? kind : name;
}

static void refuse_twice(input_t *in, const alloy_param_t *param)
{
    const char *name = alloy_argument_name(param, in->reader.pool);

    if (strcmp(name, param->name) && is_sent(in, name)
        && is_sent(in, param->name)) {
        alloy_reader_fault(&in->reader,
                           apr_pstrcat(in->reader.pool, "/", param->name,
                                       NULL),
                           "repeated", apr_psprintf(in->reader.pool,
                                                    "This is the same as %s; "
                                                    "give one of them.", name),
                           NULL);
    }
}

static void read_settled(input_t *in, alloy_value_t *value,
                         const alloy_param_t *param, const char *text)
{
    value->where = apr_pstrcat(in->reader.pool, "/", param->name, NULL);
    alloy_value_read_text(&in->reader, value, param, text);
}

static void read_argument(input_t *in, alloy_value_t *value, int index)
{
    const alloy_op_t *op = in->use->op;
    alloy_param_t param = *op->params[index];
    const char *fixed = value_fixed(in->use, param.name);
    int told = told_by(op, index);

    if (!fixed && told >= 0 && !is_sent(in, param.name)) {
        fixed = kind_sent(in, alloy_argument_kinds(op, told));
    }
    if (fixed) {
        read_settled(in, value, op->params[index], fixed);
        return;
    }
    refuse_twice(in, op->params[index]);
    param.name = key_of(in, index);
    param.flags &= ~ALLOY_REQUIRED;
    if (is_asked(in->use, index) && !is_default_org(op, index)) {
        param.flags |= ALLOY_REQUIRED;
    }
    if (param.tool_fallback) {
        param.fallback = param.tool_fallback;
    }
    alloy_value_read_member(&in->reader, value, &param,
                            alloy_argument_taken(in->use, index) ? in->map
                                                                 : NULL, "");
}

/* A page of a tool is shorter than REST's: it is read by a model. */
static void read_paging(input_t *in, alloy_paging_t *paging)
{
    alloy_param_t limit = *alloy_paging_params[ALLOY_PAGING_LIMIT];
    alloy_value_t values[2];

    memset(values, 0, sizeof(values));
    limit.fallback = ALLOY_TOOL_PAGE_DEFAULT;
    if (find_paging(in, limit.name)) {
        alloy_value_read_member(&in->reader, &values[0], &limit, in->map, "");
        alloy_value_read_member(&in->reader, &values[1],
                                alloy_paging_params[ALLOY_PAGING_CURSOR],
                                in->map, "");
    }
    paging->limit = values[0].text ? (int)values[0].number
                                   : ALLOY_PAGE_DEFAULT;
    paging->cursor = values[1].text;
    if (in->use->most && paging->limit > in->use->most) {
        paging->limit = in->use->most;
    }
}

/* Checked here; what makes answers fit reads it. */
static void check_bytes(input_t *in)
{
    alloy_value_t ignored;

    memset(&ignored, 0, sizeof(ignored));
    alloy_value_read_member(&in->reader, &ignored, &alloy_argument_bytes,
                            in->map, "");
}

alloy_problem_t *alloy_arguments_read(alloy_value_t **pvalues,
                                      alloy_paging_t *paging,
                                      const alloy_tool_use_t *use,
                                      const alloy_json_t *map,
                                      apr_pool_t *pool)
{
    input_t in = { { pool, NULL }, use, map };
    int i;

    *pvalues = apr_pcalloc(pool, sizeof(**pvalues)
                           * ((apr_size_t)use->op->nparams + 1));
    if (map) {
        alloy_value_check_keys(&in.reader, map, "", knows_key, &in);
    }
    for (i = 0; i < use->op->nparams; i++) {
        read_argument(&in, &(*pvalues)[i], i);
    }
    read_paging(&in, paging);
    check_bytes(&in);
    return alloy_reader_conclude(&in.reader);
}
