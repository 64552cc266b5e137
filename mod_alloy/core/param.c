/* A call's input: which of its parameters is read from where, and what else
 * was sent that nobody asked for. The values themselves are value.c's.
 */
#include "param.h"
#include "check.h"
#include "limits.h"
#include "query.h"
#include "value.h"

#include <string.h>

#include <apr_strings.h>

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

typedef struct {
    alloy_reader_t reader;
    const alloy_input_t *input;
    alloy_query_t query;
    int lost;                   /* the path can't name anything */
} input_t;

/* What every page understands besides its own parameters. */
static const alloy_param_t paging_limit = {
    .name = "limit", .type = ALLOY_INT, .least = 1, .most = ALLOY_PAGE_LIMIT,
    .fallback = TEXT(ALLOY_PAGE_DEFAULT)
};
static const alloy_param_t paging_cursor = {
    .name = "cursor", .type = ALLOY_TEXT, .least = 1, .most = ALLOY_NAME_LIMIT
};
const alloy_param_t *const alloy_paging_params[] = {
    [ALLOY_PAGING_LIMIT] = &paging_limit,
    [ALLOY_PAGING_CURSOR] = &paging_cursor,
    NULL
};

static int is_in_body(const alloy_input_t *input, const alloy_param_t *param)
{
    if (param->flags & ALLOY_IN_BODY) {
        return 1;
    }
    return input->reads_body && !(param->flags & ALLOY_IN_QUERY);
}

static int is_in_path(const alloy_input_t *input, int index)
{
    return input->path && input->path[index];
}

static const alloy_param_t *find_paging(const alloy_input_t *input,
                                        const char *name)
{
    const alloy_param_t *const *param = alloy_paging_params;

    while (*param && strcmp((*param)->name, name)) {
        param++;
    }
    return input->paged ? *param : NULL;
}

/* Is NAME read from the body (or else from the query)? */
static int knows(const alloy_input_t *input, const char *name, int in_body)
{
    const alloy_param_t *paging = find_paging(input, name);
    int i;

    if (paging && is_in_body(input, paging) == in_body) {
        return 1;
    }
    for (i = 0; i < input->count; i++) {
        if (!is_in_path(input, i) && !strcmp(input->params[i]->name, name)) {
            return is_in_body(input, input->params[i]) == in_body;
        }
    }
    return 0;
}

static int knows_key(const void *baton, const char *key)
{
    return knows(baton, key, 1);
}

static void check_body(input_t *in)
{
    const alloy_json_t *body = in->input->body;

    if (!body) {
        return;
    }
    if (alloy_json_type(body) != ALLOY_JSON_MAP) {
        alloy_reader_fault(&in->reader, "", "type",
                           "The body must be a JSON object.", NULL);
        return;
    }
    alloy_value_check_keys(&in->reader, body, "", knows_key, in->input);
}

static void check_query(input_t *in)
{
    const char *name, *detail;
    int i;

    for (i = 0; i < in->query.count; i++) {
        name = in->query.pairs[i].name;
        if (knows(in->input, name, 0)) {
            continue;
        }
        detail = knows(in->input, name, 1)
            ? "This belongs into the body, not into the query."
            : "There is no such query parameter here. Take it out, or check "
              "its spelling.";
        alloy_reader_fault(&in->reader, name, "unknown", detail, NULL);
    }
}

/* Nothing can be found by a path whose segment does not have the form of its
 * parameter: not a fault of the input, there is just no such address. */
static void read_path(input_t *in, alloy_value_t *value,
                      const alloy_param_t *param, const char *segment)
{
    alloy_check_t check = {
        .param = param, .pool = in->reader.pool, .text = segment
    };

    value->given = 1;
    value->where = param->name;
    if (!alloy_check_text(&check)) {
        in->lost = 1;
        return;
    }
    value->text = check.text;
    value->number = check.number;
}

static void read_query(input_t *in, alloy_value_t *value,
                       const alloy_param_t *param)
{
    const char *texts[ALLOY_QUERY_LIMIT];
    int i, count = 0;

    value->where = param->name;
    for (i = 0; i < in->query.count; i++) {
        if (!strcmp(in->query.pairs[i].name, param->name)) {
            texts[count++] = in->query.pairs[i].value;
        }
    }
    if (count == 0) {
        alloy_value_read_none(&in->reader, value, param);
    }
    else if (count == 1) {
        alloy_value_read_text(&in->reader, value, param, texts[0]);
    }
    else if (param->type == ALLOY_LIST || (param->flags & ALLOY_MANY)) {
        alloy_value_read_texts(&in->reader, value, param, texts, count);
    }
    else {
        value->given = 1;
        alloy_reader_fault(&in->reader, param->name, "repeated",
                           "This can be given only once.", NULL);
    }
}

/* SEGMENT is NULL when the path does not name the parameter. */
static void read_one(input_t *in, alloy_value_t *value,
                     const alloy_param_t *param, const char *segment)
{
    if (segment) {
        read_path(in, value, param, segment);
    }
    else if (is_in_body(in->input, param)) {
        alloy_value_read_member(&in->reader, value, param, in->input->body,
                                "");
    }
    else {
        read_query(in, value, param);
    }
}

static void read_paging(input_t *in, alloy_paging_t *paging)
{
    alloy_value_t limit, cursor;

    memset(&limit, 0, sizeof(limit));
    memset(&cursor, 0, sizeof(cursor));
    if (in->input->paged) {
        read_one(in, &limit, &paging_limit, NULL);
        read_one(in, &cursor, &paging_cursor, NULL);
    }
    paging->limit = limit.text ? (int)limit.number : ALLOY_PAGE_DEFAULT;
    paging->cursor = cursor.text;
}

static alloy_problem_t *conclude(const input_t *in)
{
    if (in->lost) {
        return alloy_problem_make(in->reader.pool, &alloy_not_found,
                                  "There is no such thing that you can see; "
                                  "check the names in the path.");
    }
    return alloy_reader_conclude(&in->reader);
}

alloy_problem_t *alloy_params_read(alloy_value_t **pvalues,
                                   alloy_paging_t *paging,
                                   const alloy_input_t *input,
                                   apr_pool_t *pool)
{
    input_t in = { { pool, NULL }, input };
    alloy_value_t *values;
    int i;

    *pvalues = values = apr_pcalloc(pool, sizeof(*values)
                                    * ((apr_size_t)input->count + 1));
    ALLOY_TRY(alloy_query_read(&in.query, input->query, pool));
    check_body(&in);
    if (in.reader.problem && in.reader.problem->faults
        && !*in.reader.problem->faults->where) {
        return in.reader.problem;
    }
    for (i = 0; i < input->count; i++) {
        read_one(&in, &values[i], input->params[i],
                 input->path ? input->path[i] : NULL);
    }
    read_paging(&in, paging);
    check_query(&in);
    return conclude(&in);
}
