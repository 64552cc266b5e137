/*
 * If-Match: a write on condition that nobody else changed what it changes.
 * What changed since is read from the change log, so that changes of other
 * fields merge and clashes can be told with all three sides.
 */
#include "convention.h"

#include <string.h>

#include <apr_strings.h>

#include "sql/precondition.h"

#define ANY "*"

/* The last thing the path names is what the call changes. */
static int target_of(const alloy_call_t *call)
{
    const alloy_op_t *op = call->op;
    int target = -1, i;

    for (i = 0; i < op->nparams; i++) {
        if (op->params[i]->type == ALLOY_REF && op->segment[i] >= 0
            && (target < 0 || op->segment[i] > op->segment[target])) {
            target = i;
        }
    }
    return target;
}

int alloy_precondition_given(const alloy_call_t *call)
{
    const char *sent = alloy_request_header(call->request, "If-Match");
    int target = target_of(call);

    return sent && strcmp(sent, ANY) && call->op->writes && call->principal
           && !(call->op->row->flags & ALLOY_CREATES) && target >= 0
           && call->op->params[target]->resource;
}

/* The version in "7-0123456789abcdef"; NULL for what we never gave. */
static const char *version_of(const char *sent, apr_pool_t *pool)
{
    apr_size_t digits;

    if (*sent != '"') {
        return NULL;
    }
    digits = strspn(sent + 1, "0123456789");
    return digits && digits < 19 && sent[1 + digits] == '-'
           ? apr_pstrmemdup(pool, sent + 1, digits) : NULL;
}

/* ---- clashes -------------------------------------------------------------------- */

static int sends(const alloy_call_t *call, const char *name,
                 const alloy_value_t **pvalue)
{
    int i;

    for (i = 0; i < call->op->nparams; i++) {
        if (call->op->segment[i] < 0 && call->values[i].given
            && !strcmp(call->op->params[i]->name, name)) {
            *pvalue = &call->values[i];
            return 1;
        }
    }
    return 0;
}

static int sends_anything(const alloy_call_t *call)
{
    int i;

    for (i = 0; i < call->op->nparams; i++) {
        if (call->op->segment[i] < 0 && call->values[i].given
            && !alloy_convention_is(call->op->params[i])) {
            return 1;
        }
    }
    return 0;
}

static void write_side(alloy_out_t *out, const alloy_row_t *row,
                       const char *column)
{
    const char *json = alloy_row_text(row, column);

    alloy_out_json(out, json ? json : "null");
}

/* Numbers and lists as they were sent; texts in their one spelling, with names
 * as the ids they stand for. */
static void write_sent(alloy_out_t *out, const alloy_value_t *value,
                       apr_pool_t *pool)
{
    alloy_json_e type = value->json ? alloy_json_type(value->json)
                                    : ALLOY_JSON_TEXT;

    if (type == ALLOY_JSON_TEXT || type == ALLOY_JSON_NULL) {
        alloy_out_text(out, value->text);
    }
    else {
        alloy_out_json(out, alloy_json_write(value->json, pool));
    }
}

/* The rows are the fields that changed; those the call sends clash. */
static alloy_problem_t *find_clash(alloy_call_t *call,
                                   const alloy_rows_t *rows)
{
    alloy_out_t *sides[3];
    const alloy_value_t *value = NULL;
    alloy_problem_t *problem;
    static const char *const names[] = { "base", "theirs", "yours" };
    int clashes = 0, i, k;

    for (k = 0; k < 3; k++) {
        sides[k] = alloy_out_make(call->pool, 256);
        alloy_out_begin(sides[k], '{');
    }
    for (i = 0; i < alloy_rows_count(rows); i++) {
        const alloy_row_t *row = alloy_rows_get(rows, i);
        const char *field = alloy_row_text(row, "field");

        if (!sends(call, field, &value)) {
            continue;
        }
        clashes++;
        for (k = 0; k < 3; k++) {
            alloy_out_key(sides[k], field);
        }
        write_side(sides[0], row, "base");
        write_side(sides[1], row, "theirs");
        write_sent(sides[2], value, call->pool);
    }
    if (!clashes) {
        return NULL;
    }
    problem = alloy_problem(call, &alloy_version_conflict,
        "Somebody else changed the same fields meanwhile. Compare base, "
        "theirs and yours, and send what is right with the new ETag.");
    for (k = 0; k < 3; k++) {
        alloy_out_end(sides[k]);
        problem = alloy_problem_member(problem, names[k],
                                       apr_pstrmemdup(call->pool,
                                                      sides[k]->bytes,
                                                      sides[k]->length));
    }
    return problem;
}

static alloy_problem_t *outdated(alloy_call_t *call)
{
    return alloy_problem(call, &alloy_version_conflict,
                         "This was changed since you read it; read it again "
                         "and send the new ETag.");
}

/* ---- the write -------------------------------------------------------------------- */

/* What the log does not know of is as it was made. */
static alloy_problem_t *read_version(alloy_call_t *call, apr_int64_t *version)
{
    const alloy_row_t *row = NULL;

    ALLOY_TRY(alloy_fetch(call, &sql_precondition_version, &row));
    *version = row && !alloy_row_is_null(row, "version")
               ? alloy_row_int(row, "version") : 1;
    return NULL;
}

static alloy_problem_t *check_base(alloy_call_t *call, const char *base,
                                   apr_int64_t version)
{
    const alloy_rows_t *rows;

    if (!base || apr_strtoi64(base, NULL, 10) > version) {
        return outdated(call);
    }
    if (apr_strtoi64(base, NULL, 10) == version) {
        return NULL;
    }
    if (!sends_anything(call)) {
        return outdated(call);
    }
    alloy_bind(call, "base", base);
    ALLOY_TRY(alloy_run(call, &sql_precondition_changes, &rows));
    return find_clash(call, rows);
}

alloy_problem_t *alloy_precondition_run(alloy_call_t *call)
{
    const char *sent = alloy_request_header(call->request, "If-Match");
    int target = target_of(call);
    apr_int64_t before, after;

    alloy_bind(call, "entity_type", call->op->params[target]->resource->name);
    alloy_bind(call, "entity", call->values[target].text);
    ALLOY_TRY(read_version(call, &before));
    ALLOY_TRY(check_base(call, version_of(sent, call->pool), before));
    ALLOY_TRY(alloy_call_run_own(call));
    ALLOY_TRY(read_version(call, &after));
    if (after != before) {
        /* somebody came between the look and the write: look again */
        call->conflict = 1;
        return outdated(call);
    }
    return NULL;
}
