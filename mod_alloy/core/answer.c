/*
 * Results as answers: one object, a bare array, a page, nothing; refusals a
 * statement spoke itself; texts that are in no column.
 */
#include "call.h"

#include <string.h>

#include <apr_strings.h>

#include "../alloy_report.h"
#include "convention.h"
#include "cursor.h"
#include "limits.h"
#include "log.h"

#define JSON_TYPE "application/json"
#define ROW_BYTES 768           /* a guess that saves growing the buffer */

/* ---- refusals --------------------------------------------------------------- */

/* The column _allowed, one value a line, as a list. */
static const char *const *allowed_of(alloy_call_t *call,
                                     const alloy_result_t *result)
{
    int column = alloy_result_column(result, "_allowed");
    const char *text = column < 0 ? NULL
        : alloy_out_cell_text(result, 0, column, call->pool);
    apr_array_header_t *list = apr_array_make(call->pool, 8, sizeof(char *));
    char *state, *line;

    if (!text) {
        return NULL;
    }
    for (line = apr_strtok(apr_pstrdup(call->pool, text), "\n", &state); line;
         line = apr_strtok(NULL, "\n", &state)) {
        APR_ARRAY_PUSH(list, const char *) = line;
    }
    APR_ARRAY_PUSH(list, const char *) = NULL;
    return (const char *const *)list->elts;
}

static alloy_problem_t *refusal_problem(alloy_call_t *call, const char *code,
                                        const char *const *allowed)
{
    const alloy_refusal_t *refusal = call->op->refusals;

    for (; refusal && refusal->code; refusal++) {
        if (!strcmp(refusal->code, code)) {
            alloy_problem_t *problem = alloy_problem(call, refusal->kind, "%s",
                                                     refusal->detail);

            return refusal->where
                ? alloy_problem_at(problem, refusal->where, refusal->code,
                                   refusal->detail, allowed)
                : problem;
        }
    }
    alloy_log(ALLOY_LOG_ERROR, 0, "AL0030: %s has no refusal %s",
              call->op->row->id, code);
    return alloy_problem(call, &alloy_internal,
                         "The server met a fault of its own; report it with "
                         "the request id.");
}

alloy_problem_t *alloy_answer_refusal(alloy_call_t *call,
                                      const alloy_result_t *result)
{
    int column = alloy_result_column(result, "_refusal");
    const char *code;

    if (column < 0 || !alloy_result_rows(result)) {
        return NULL;
    }
    code = alloy_out_cell_text(result, 0, column, call->pool);
    return code ? refusal_problem(call, code, allowed_of(call, result)) : NULL;
}

/* ---- nothing there ------------------------------------------------------------ */

alloy_problem_t *alloy_answer_nothing(alloy_call_t *call)
{
    if (call->principal) {
        ALLOY_TRY(alloy_refer_look_again(call));
    }
    if (call->op->row->own_note) {
        return alloy_access_refuse(call);
    }
    return alloy_problem(call, &alloy_not_found,
                         "There is no such thing that you can see; check the "
                         "ids in the path.");
}

/* ---- one row --------------------------------------------------------------------- */

static void add_extra(alloy_call_t *call, const char *key, const char *value,
                      int number)
{
    if (call->nextras == (int)(sizeof(call->extras)
                               / sizeof(call->extras[0]))) {
        alloy_log(ALLOY_LOG_ERROR, 0, "AL0031: %s adds too many keys",
                  call->op->row->id);
        return;
    }
    call->extras[call->nextras].name = key;
    call->extras[call->nextras].value = value;
    call->extras[call->nextras++].number = number;
}

static const alloy_bound_t *find_extra(const alloy_call_t *call,
                                       const char *name)
{
    int i;

    for (i = 0; i < call->nextras; i++) {
        if (!strcmp(call->extras[i].name, name)) {
            return &call->extras[i];
        }
    }
    return NULL;
}

static void write_extras(alloy_out_t *out, const alloy_call_t *call)
{
    int i;

    for (i = 0; i < call->nextras; i++) {
        alloy_out_key(out, call->extras[i].name);
        if (call->extras[i].number) {
            alloy_out_json(out, call->extras[i].value);
        }
        else {
            alloy_out_text(out, call->extras[i].value);
        }
    }
}

/* The operation's shape, as far as it comes from the row. */
static const alloy_shape_t *row_shape(const alloy_call_t *call)
{
    const alloy_shape_t *whole = call->op->row->answer;
    alloy_shape_t *shape;
    alloy_field_t *fields;
    int count = 0, kept = 0, i;

    if (!call->nextras) {
        return alloy_convention_cut(call, whole);
    }
    while (whole->fields[count].name) {
        count++;
    }
    shape = apr_pcalloc(call->pool, sizeof(*shape));
    fields = apr_pcalloc(call->pool, sizeof(*fields) * (count + 1));
    for (i = 0; i < count; i++) {
        if (!find_extra(call, whole->fields[i].name)) {
            fields[kept++] = whole->fields[i];
        }
    }
    shape->name = whole->name;
    shape->fields = fields;
    return alloy_convention_cut(call, shape);
}

/* A row with everything that belongs to it. */
static void write_row(alloy_call_t *call, const alloy_result_t *result,
                      int row, const alloy_mapping_t *mapping)
{
    alloy_out_t *out = call->out;

    if (!call->added && !call->nextras) {
        alloy_out_mapped(out, result, row, mapping);
        return;
    }
    alloy_out_begin(out, '{');
    alloy_out_members(out, result, row, mapping);
    write_extras(out, call);
    if (call->added) {
        alloy_extend_append(call, out, result, row);
    }
    alloy_out_end(out);
}

/* What an entity tag is made of. */
static void note_version(alloy_call_t *call, const alloy_result_t *result,
                         int row)
{
    int column = alloy_result_column(result, "version");

    call->single = 1;
    call->version = column < 0 ? NULL
        : alloy_out_cell_text(result, row, column, call->pool);
    if (alloy_convention_dry(call)) {
        add_extra(call, "dry_run", "true", 1);
    }
}

static alloy_problem_t *write_object(alloy_call_t *call,
                                     const alloy_result_t *result, int row)
{
    alloy_out_t *out = alloy_out(call);

    if (!result) {
        alloy_out_begin(out, '{');
        write_extras(out, call);
        alloy_out_end(out);
        return NULL;
    }
    ALLOY_TRY(call->session ? alloy_extend_write(call, result, row) : NULL);
    ALLOY_TRY(alloy_extend_read(call, result, row + 1));
    note_version(call, result, row);
    write_row(call, result, row,
              alloy_out_map(result, row_shape(call), call->pool));
    return NULL;
}

/* "/tickets/{id}" with the answer's own values. */
static void write_location(alloy_call_t *call, const alloy_result_t *result,
                           int row)
{
    const char *pattern = call->op->row->location;
    const char *open, *shut, *path = "";

    while ((open = strchr(pattern, '{')) && (shut = strchr(open, '}'))) {
        const char *name = apr_pstrmemdup(call->pool, open + 1,
                                          shut - open - 1);
        int column = alloy_result_column(result, name);
        const char *value = column < 0 ? NULL
            : alloy_out_cell_text(result, row, column, call->pool);

        path = apr_pstrcat(call->pool, path,
                           apr_pstrmemdup(call->pool, pattern, open - pattern),
                           value ? value : "", NULL);
        pattern = shut + 1;
    }
    apr_table_setn(call->answer->headers, "Location",
                   apr_pstrcat(call->pool, call->engine->config->prefix, path,
                               pattern, NULL));
}

static void answer_created(alloy_call_t *call, const alloy_result_t *result)
{
    int column = alloy_result_column(result, "_created");
    const char *created = column < 0 ? "t"
        : alloy_out_cell_text(result, 0, column, call->pool);

    if (!created || *created != 't') {
        call->answer->status = 200;
    }
    if (call->op->row->location) {
        write_location(call, result, 0);
    }
}

static alloy_problem_t *answer_one(alloy_call_t *call,
                                   const alloy_result_t *result)
{
    if (!alloy_result_rows(result)) {
        return alloy_answer_nothing(call);
    }
    ALLOY_TRY(alloy_answer_refusal(call, result));
    if (!call->op->answer) {
        call->answer->status = 204;
        return NULL;
    }
    ALLOY_TRY(write_object(call, result, 0));
    if (call->op->row->flags & ALLOY_CREATES) {
        answer_created(call, result);
    }
    return NULL;
}

/* ---- several rows ------------------------------------------------------------------ */

/* An empty list under an id nobody checked may mean that the id is not there. */
static alloy_problem_t *check_parent(alloy_call_t *call, int rows)
{
    return rows == 0 && call->assumed ? alloy_refer_look_again(call) : NULL;
}

static alloy_problem_t *write_rows(alloy_call_t *call,
                                   const alloy_result_t *result, int rows)
{
    alloy_out_t *out = alloy_out(call);
    const alloy_mapping_t *mapping = alloy_out_map(
        result, alloy_convention_cut(call, call->op->row->answer),
        call->pool);
    int i;

    ALLOY_TRY(alloy_extend_read(call, result, rows));
    alloy_out_begin(out, '[');
    for (i = 0; i < rows; i++) {
        write_row(call, result, i, mapping);
    }
    alloy_out_end(out);
    return NULL;
}

static alloy_problem_t *answer_many(alloy_call_t *call,
                                    const alloy_result_t *result)
{
    int rows = alloy_result_rows(result);

    ALLOY_TRY(check_parent(call, rows));
    ALLOY_TRY(alloy_answer_refusal(call, result));
    return write_rows(call, result, rows);
}

/* ---- pages --------------------------------------------------------------------------- */

/* The same for each page of one walk, and for nobody else's. */
static const char *walk_name(const alloy_call_t *call)
{
    const char *text = apr_pstrcat(call->pool, call->op->row->id, "|",
                                   call->principal ? call->principal->user
                                                   : "", NULL);
    int i;

    for (i = 0; i < call->op->nparams; i++) {
        const alloy_value_t *value = &call->values[i];

        if ((value->text || value->word)
            && !alloy_convention_is(call->op->params[i])) {
            text = apr_pstrcat(call->pool, text, "|",
                               call->op->params[i]->name, "=",
                               value->text ? value->text : value->word, NULL);
        }
    }
    return text;
}

alloy_problem_t *alloy_page_begin(alloy_call_t *call)
{
    const char *sent = call->paging.cursor;
    alloy_out_t *at = alloy_out_make(call->pool, 64);
    alloy_cursor_t cursor;
    char *id = apr_palloc(call->pool, ALLOY_ID_TEXT + 1);

    alloy_bind(call, "after_at", NULL);
    alloy_bind(call, "after_id", NULL);
    if (!sent) {
        return NULL;
    }
    if (!alloy_cursor_read(&cursor, sent, walk_name(call), call->pool)) {
        return alloy_problem_at(
            alloy_problem(call, &alloy_validation_failed,
                          "The cursor is not one of this query; start again "
                          "without cursor."),
            "cursor", "foreign_cursor",
            "Use the next_cursor of a page of the same query.", NULL);
    }
    alloy_out_instant(at, cursor.at);
    alloy_id_format(&cursor.id, id);
    alloy_bind(call, "after_at", apr_pstrmemdup(call->pool, at->bytes,
                                                at->length));
    alloy_bind(call, "after_id", id);
    return NULL;
}

static const char *next_cursor(const alloy_call_t *call,
                               const alloy_result_t *result, int row)
{
    alloy_row_t last = { result, row, call->pool };
    const char *id = alloy_row_text(&last, "_id");
    alloy_cursor_t cursor;

    cursor.at = alloy_row_int(&last, "_at");
    if (!id || !alloy_id_parse(&cursor.id, id)) {
        return NULL;
    }
    return alloy_cursor_write(&cursor, walk_name(call), call->pool);
}

static void write_link(alloy_call_t *call, const char *cursor)
{
    const alloy_request_t *request = call->request;
    const char *query = request->query ? request->query : "";
    const char *rest = "";
    char *state, *part;
    char *copy = apr_pstrdup(call->pool, query);

    for (part = apr_strtok(copy, "&", &state); part;
         part = apr_strtok(NULL, "&", &state)) {
        if (strncmp(part, "cursor=", 7)) {
            rest = apr_pstrcat(call->pool, rest, part, "&", NULL);
        }
    }
    apr_table_setn(call->answer->headers, "Link",
                   apr_psprintf(call->pool, "<%s%s%s?%scursor=%s>; rel=\"next\"",
                                call->engine->config->base_url,
                                call->engine->config->prefix, request->path,
                                rest, cursor));
}

/* All of the list, by the page's own statement without cursor. */
static alloy_problem_t *write_total(alloy_call_t *call, alloy_out_t *out)
{
    const alloy_row_t *row = NULL;
    apr_int64_t total;

    alloy_bind(call, "after_at", NULL);
    alloy_bind(call, "after_id", NULL);
    alloy_bind(call, "limit", apr_itoa(call->pool, ALLOY_TOTAL_LIMIT + 1));
    ALLOY_TRY(alloy_fetch(call, call->chosen->count, &row));
    total = row ? alloy_row_int(row, "total") : 0;
    alloy_out_key(out, "total");
    alloy_out_int(out, total > ALLOY_TOTAL_LIMIT ? ALLOY_TOTAL_LIMIT : total);
    if (total > ALLOY_TOTAL_LIMIT) {
        alloy_out_key(out, "total_is");
        alloy_out_text(out, "at_least");
    }
    return NULL;
}

static alloy_problem_t *answer_page(alloy_call_t *call,
                                    const alloy_result_t *result)
{
    int rows = alloy_result_rows(result);
    int more = rows > call->paging.limit;
    const char *cursor;
    alloy_out_t *out;

    ALLOY_TRY(check_parent(call, rows));
    rows = more ? call->paging.limit : rows;
    cursor = more ? next_cursor(call, result, rows - 1) : NULL;
    call->out = out = alloy_out_make(call->pool, 256 + ROW_BYTES
                                     * (apr_size_t)rows);
    alloy_out_begin(out, '{');
    alloy_out_key(out, "items");
    ALLOY_TRY(write_rows(call, result, rows));
    alloy_out_key(out, "next_cursor");
    alloy_out_text(out, cursor);
    alloy_out_key(out, "has_more");
    alloy_out_bool(out, more);
    ALLOY_TRY(alloy_convention_counts(call) ? write_total(call, out) : NULL);
    alloy_out_end(out);
    if (cursor) {
        write_link(call, cursor);
    }
    return NULL;
}

/* ---- nothing to say --------------------------------------------------------------------- */

static alloy_problem_t *answer_none(alloy_call_t *call,
                                    const alloy_result_t *result)
{
    ALLOY_TRY(alloy_answer_refusal(call, result));
    if (!alloy_result_rows(result) && alloy_result_touched(result) < 1) {
        return alloy_answer_nothing(call);
    }
    call->answer->status = 204;
    return NULL;
}

alloy_problem_t *alloy_answer_result(alloy_call_t *call,
                                     const alloy_statement_t *statement,
                                     const alloy_result_t *result)
{
    switch (statement->mode) {
    case ALLOY_SQL_ONE:
        return answer_one(call, result);
    case ALLOY_SQL_MANY:
        return answer_many(call, result);
    case ALLOY_SQL_PAGE:
        return answer_page(call, result);
    case ALLOY_SQL_EXEC:
    default:
        return answer_none(call, result);
    }
}

/* ---- by hand ---------------------------------------------------------------------------- */

ALLOY_DECLARE(void) alloy_answer_text(alloy_call_t *call, const char *key,
                                      const char *value)
{
    add_extra(call, key, value, 0);
}

ALLOY_DECLARE(void) alloy_answer_int(alloy_call_t *call, const char *key,
                                     apr_int64_t value)
{
    add_extra(call, key, apr_psprintf(call->pool, "%" APR_INT64_T_FMT, value),
              1);
}

void alloy_answer_json(alloy_call_t *call, const char *key, const char *json)
{
    add_extra(call, key, json, 1);
}

ALLOY_DECLARE(void) alloy_answer_status(alloy_call_t *call, int status)
{
    call->answer->status = status;
}

ALLOY_DECLARE(void) alloy_answer_document(alloy_call_t *call, const char *type,
                                          const char *body, apr_size_t length)
{
    call->answer->type = type;
    call->answer->body = body;
    call->answer->length = length;
}

ALLOY_DECLARE(alloy_problem_t *) alloy_answer_row(alloy_call_t *call,
                                                  const alloy_row_t *row)
{
    if (row) {
        ALLOY_TRY(alloy_answer_refusal(call, row->result));
    }
    call->answered = row;
    ALLOY_TRY(write_object(call, row ? row->result : NULL,
                           row ? row->index : 0));
    if (row && call->op->row->location) {
        write_location(call, row->result, row->index);
    }
    return NULL;
}

ALLOY_DECLARE(alloy_problem_t *) alloy_missing(alloy_call_t *call)
{
    return alloy_answer_nothing(call);
}

ALLOY_DECLARE(alloy_out_t *) alloy_out(alloy_call_t *call)
{
    if (!call->out) {
        call->out = alloy_out_make(call->pool, 1024);
    }
    return call->out;
}

ALLOY_DECLARE(void) alloy_out_row(alloy_out_t *out, const alloy_row_t *row,
                                  const alloy_shape_t *shape)
{
    alloy_out_mapped(out, row->result, row->index,
                     alloy_out_map(row->result, shape, row->pool));
}

ALLOY_DECLARE(void) alloy_out_shown(alloy_call_t *call, const alloy_row_t *row,
                                    const alloy_shape_t *shape)
{
    alloy_out_members(alloy_out(call), row->result, row->index,
                      alloy_out_map(row->result,
                                    alloy_convention_cut(call, shape),
                                    call->pool));
}
