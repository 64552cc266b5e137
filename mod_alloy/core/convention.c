/*
 * Parameters that every operation of a kind has: which fields an answer is to
 * show, whether a write is only tried, how a list is sorted and whether it is
 * counted.
 */
#include "convention.h"

#include "../alloy_report.h"

#include <string.h>

#include <apr_strings.h>

#define FIELDS "fields"
#define DRY_RUN "dry_run"
#define SORT "sort"
#define NAMES_MAX 64

static const alloy_param_t fields_param = {
    .name = FIELDS, .type = ALLOY_TEXT, .flags = ALLOY_IN_QUERY,
    .help = "Keep only these keys of the answer, separated by commas.",
    .least = 1, .most = 1000
};

static const alloy_param_t dry_run_param = {
    .name = DRY_RUN, .type = ALLOY_BOOL, .flags = ALLOY_IN_QUERY,
    .help = "Do everything but keep nothing: answer what would have been "
            "answered."
};

static const alloy_param_t total_param = {
    .name = "include_total", .type = ALLOY_BOOL, .flags = ALLOY_IN_QUERY,
    .help = "Count the whole list, up to 10,000."
};

static const char sort_help[] =
    "The order of the list; - before a name is the largest or latest first.";

static const alloy_statement_t *last_of(const alloy_operation_t *row)
{
    const alloy_statement_t *last = NULL;
    int i;

    for (i = 0; i < ALLOY_STEPS_MAX && row->steps[i]; i++) {
        last = row->steps[i]->mode == ALLOY_SQL_EXEC && last ? last
                                                             : row->steps[i];
    }
    return last;
}

static const char *const *sort_words(const alloy_sort_t *sorts,
                                     apr_pool_t *pool)
{
    const char **words;
    int count = 0;

    while (sorts[count].word) {
        count++;
    }
    words = apr_pcalloc(pool, sizeof(*words) * (count + 1));
    while (count--) {
        words[count] = sorts[count].word;
    }
    return words;
}

/* With all the orders the operation knows, be it only for .keyed. */
static const alloy_param_t *sort_param(const alloy_operation_t *row,
                                       const alloy_statement_t *last,
                                       apr_pool_t *pool)
{
    alloy_param_t *param = apr_pcalloc(pool, sizeof(*param));

    param->name = SORT;
    param->type = ALLOY_WORD;
    param->flags = ALLOY_IN_QUERY;
    param->help = sort_help;
    param->words = sort_words(row->keyed && row->keyed->sorts
                              ? row->keyed->sorts : last->sorts, pool);
    return param;
}

const alloy_param_t *const *alloy_convention_params(
    const alloy_operation_t *row, apr_pool_t *pool)
{
    const alloy_param_t **list = apr_pcalloc(pool, sizeof(*list)
                                             * (ALLOY_CONVENTIONS_MAX + 1));
    const alloy_statement_t *last = last_of(row);
    int count = 0;

    if (row->method == ALLOY_GET && row->answer) {
        list[count++] = &fields_param;
    }
    if (row->method != ALLOY_GET && row->role != ALLOY_PUBLIC
        && !(row->flags & ALLOY_REVEALS)) {
        list[count++] = &dry_run_param;
    }
    if (last && last->mode == ALLOY_SQL_PAGE && last->count) {
        list[count++] = &total_param;
    }
    if (last && last->mode == ALLOY_SQL_PAGE && last->sorts) {
        list[count++] = sort_param(row, last, pool);
    }
    return list;
}

int alloy_convention_is(const alloy_param_t *param)
{
    return param == &fields_param || param == &dry_run_param
           || param == &total_param;
}

int alloy_convention_sorts(const alloy_param_t *param)
{
    return param->help == sort_help;
}

int alloy_convention_cuts(const alloy_param_t *param)
{
    return param == &fields_param;
}

static const alloy_value_t *value_of(const alloy_call_t *call,
                                     const alloy_param_t *param)
{
    int i;

    for (i = 0; call->values && i < call->op->nparams; i++) {
        if (call->op->params[i] == param) {
            return &call->values[i];
        }
    }
    return NULL;
}

static int is_on(const alloy_call_t *call, const alloy_param_t *param)
{
    const alloy_value_t *value = value_of(call, param);

    return value && value->text && value->number;
}

int alloy_convention_dry(const alloy_call_t *call)
{
    return is_on(call, &dry_run_param);
}

void alloy_convention_mark(const alloy_call_t *call, alloy_out_t *out)
{
    if (alloy_convention_dry(call)) {
        alloy_out_key(out, DRY_RUN);
        alloy_out_bool(out, 1);
    }
}

int alloy_convention_counts(const alloy_call_t *call)
{
    return is_on(call, &total_param);
}

/* ---- fields ----------------------------------------------------------------- */

static const char *wanted(const alloy_call_t *call)
{
    const alloy_value_t *value = value_of(call, &fields_param);

    return value ? value->text : NULL;
}

/* Is NAME (LENGTH characters) one of LIST's, between commas? */
static int lists(const char *list, const char *name, apr_size_t length)
{
    while (list) {
        apr_size_t own = strcspn(list, ",");

        if (own == length && !strncmp(list, name, length)) {
            return 1;
        }
        list = list[own] ? list + own + 1 : NULL;
    }
    return 0;
}

ALLOY_DECLARE(int) alloy_shows(const alloy_call_t *call, const char *key)
{
    const char *list = wanted(call);

    return !list || lists(list, key, strlen(key));
}

static int has_field(const alloy_shape_t *shape, const char *name,
                     apr_size_t length)
{
    const alloy_field_t *field;

    for (field = shape->fields; field->name; field++) {
        if (strlen(field->name) == length
            && !strncmp(field->name, name, length)) {
            return 1;
        }
    }
    return 0;
}

static const char *const *names_of(const alloy_shape_t *shape,
                                   apr_pool_t *pool)
{
    const char **names = apr_pcalloc(pool, sizeof(*names) * (NAMES_MAX + 1));
    int i;

    for (i = 0; i < NAMES_MAX && shape->fields[i].name; i++) {
        names[i] = shape->fields[i].name;
    }
    return names;
}

static alloy_problem_t *no_field(alloy_call_t *call, const char *name,
                                 apr_size_t length)
{
    const char *detail = apr_psprintf(call->pool,
        "The answer has no key %.*s; allowed lists those it has.",
        (int)(length < 100 ? length : 100), name);

    return alloy_problem_at(
        alloy_problem(call, &alloy_validation_failed, "%s", detail), FIELDS,
        "unknown_field", detail, names_of(call->op->answer, call->pool));
}

alloy_problem_t *alloy_convention_check_fields(alloy_call_t *call)
{
    const char *list = wanted(call);

    while (list) {
        apr_size_t length = strcspn(list, ",");

        if (!has_field(call->op->answer, list, length)) {
            return no_field(call, list, length);
        }
        list = list[length] ? list + length + 1 : NULL;
    }
    return NULL;
}

const alloy_shape_t *alloy_convention_cut(const alloy_call_t *call,
                                          const alloy_shape_t *shape)
{
    const char *list = wanted(call);
    alloy_shape_t *cut;
    alloy_field_t *fields;
    int count = 0, i;

    if (!list) {
        return shape;
    }
    while (shape->fields[count].name) {
        count++;
    }
    cut = apr_pcalloc(call->pool, sizeof(*cut));
    fields = apr_pcalloc(call->pool, sizeof(*fields) * (count + 1));
    cut->name = shape->name;
    cut->fields = fields;
    for (i = count = 0; shape->fields[i].name; i++) {
        if (lists(list, shape->fields[i].name,
                  strlen(shape->fields[i].name))) {
            fields[count++] = shape->fields[i];
        }
    }
    return cut;
}

/* ---- sort ------------------------------------------------------------------- */

static const char *sort_of(const alloy_call_t *call)
{
    int i;

    for (i = 0; i < call->op->nparams; i++) {
        if (alloy_convention_sorts(call->op->params[i])) {
            return call->values[i].text;
        }
    }
    return NULL;
}

alloy_problem_t *alloy_convention_sort(alloy_call_t *call,
                                       const alloy_statement_t *page,
                                       const alloy_statement_t **pstatement)
{
    const char *word = sort_of(call), *detail;
    const alloy_sort_t *sort = page->sorts;

    *pstatement = page;
    for (; word && sort && sort->word; sort++) {
        if (!strcmp(sort->word, word)) {
            *pstatement = sort->statement;
            return NULL;
        }
    }
    if (!word) {
        return NULL;
    }
    detail = apr_psprintf(call->pool, "Only a list by %s can be sorted by %s; "
                          "send it too, or use one of allowed.",
                          call->op->row->key ? call->op->row->key
                                             : "other parameters", word);
    return alloy_problem_at(
        alloy_problem(call, &alloy_validation_failed, "%s", detail), SORT,
        "not_allowed", detail,
        page->sorts ? sort_words(page->sorts, call->pool) : NULL);
}

/* ---- what a DELETE would remove ----------------------------------------------- */

alloy_problem_t *alloy_convention_show_prior(alloy_call_t *call)
{
    const alloy_result_t *result = NULL;
    const alloy_statement_t *statement;
    alloy_route_t route;

    alloy_route_find(&route, call->engine->router, "GET", call->op->row->path,
                     call->pool);
    statement = route.op ? route.op->last : NULL;
    if (!statement || statement->mode != ALLOY_SQL_ONE || !route.op->answer) {
        return NULL;
    }
    ALLOY_TRY(alloy_call_step(call, statement, &result));
    if (alloy_result_rows(result)) {
        alloy_out_t *out = alloy_out(call);

        alloy_out_begin(out, '{');
        alloy_out_members(out, result, 0,
                          alloy_out_map(result, route.op->row->answer,
                                        call->pool));
        alloy_out_key(out, DRY_RUN);
        alloy_out_bool(out, 1);
        alloy_out_end(out);
    }
    return NULL;
}
