/*
 * Rows as CSV (RFC 4180), escaped by libcsv; a text that a spreadsheet would take
 * for a formula gets an apostrophe before it.
 */
#include "call.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <csv.h>

#include "../alloy_report.h"
#include "cell.h"
#include "log.h"

#define LINE_END "\r\n"
#define ROW_BYTES 256           /* a guess that saves growing the buffer */

/* Numbers are written as they are: a sum may be below zero. */
static int is_number(alloy_type_e type)
{
    return type == ALLOY_INT || type == ALLOY_HALF || type == ALLOY_HUNDREDTH;
}

/* What OWASP's "CSV injection" names; programs drop blanks before they look,
 * and fold the full-width forms of these signs. */
static int is_formula(const char *text)
{
    static const char *const wide[] = {
        "\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\xa0"
    };
    unsigned i;

    if (*text == '\t' || *text == '\r' || *text == '\n') {
        return 1;
    }
    text += strspn(text, " ");
    for (i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        if (!strncmp(text, wide[i], 3)) {
            return 1;
        }
    }
    return *text && strchr("=+-@\t\r\n", *text);
}

/* In quotes only where that is needed: there are readers who split at commas. */
static void put_quoted(alloy_out_t *out, const char *text)
{
    apr_size_t length = strlen(text), room = 2 * length + 2;

    if (length && !text[strcspn(text, "\",\r\n")] && *text != ' '
        && text[length - 1] != ' ') {
        alloy_out_raw(out, text, length);
        return;
    }
    alloy_out_reserve(out, room);
    out->length += csv_write(out->bytes + out->length, room, text, length);
}

static void put_text(alloy_out_t *out, const char *text)
{
    put_quoted(out, is_formula(text)
               ? apr_pstrcat(out->pool, "'", text, NULL) : text);
}

/* The name of a file: what a header can hold without quoting (RFC 6266). */
static const char *file_name(const char *name, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, name), *at;

    for (at = copy; *at; at++) {
        if (!(apr_isalnum(*at) && !(*at & 0x80)) && *at != '-' && *at != '.') {
            *at = '_';
        }
    }
    return copy;
}

/* ---- a table ------------------------------------------------------------------ */

static void put_head(alloy_out_t *out, const alloy_shape_t *shape)
{
    const alloy_field_t *field;

    for (field = shape->fields; field->name; field++) {
        alloy_out_raw(out, ",", field > shape->fields);
        put_quoted(out, field->name);
    }
    alloy_out_raw(out, LINE_END, 2);
}

static void put_cell(alloy_out_t *out, const alloy_result_t *result, int row,
                     int column, const alloy_field_t *field)
{
    const char *text;

    if (is_number(field->type)) {
        alloy_out_number(out, result, row, column, field);
        return;
    }
    text = alloy_out_cell_text(result, row, column, out->pool);
    if (text) {
        put_text(out, text);
    }
}

static void put_row(alloy_out_t *out, const alloy_result_t *result, int row,
                    const alloy_shape_t *shape, const int *columns)
{
    int i;

    for (i = 0; shape->fields[i].name; i++) {
        const alloy_field_t *field = &shape->fields[i];

        alloy_out_raw(out, ",", i > 0);
        if (columns[i] >= 0) {
            put_cell(out, result, row, columns[i], field);
        }
    }
    alloy_out_raw(out, LINE_END, 2);
}

static const int *find_columns(const alloy_result_t *result,
                               const alloy_shape_t *shape, apr_pool_t *pool)
{
    int count = 0, *columns, i;

    while (shape->fields[count].name) {
        count++;
    }
    columns = apr_palloc(pool, sizeof(*columns) * (count + 1));
    for (i = 0; i < count; i++) {
        columns[i] = alloy_result_column(result, shape->fields[i].name);
        if (columns[i] < 0) {
            alloy_log(ALLOY_LOG_ERROR, 0, "AL0406: no column for %s of the "
                      "table %s", shape->fields[i].name, shape->name);
        }
    }
    return columns;
}

static void put_rows(alloy_out_t *out, const alloy_rows_t *rows, int count,
                     const alloy_shape_t *shape)
{
    const alloy_result_t *result = alloy_rows_get(rows, 0)->result;
    const int *columns = find_columns(result, shape, out->pool);
    int i;

    for (i = 0; i < count; i++) {
        put_row(out, result, i, shape, columns);
    }
}

ALLOY_DECLARE(alloy_problem_t *) alloy_answer_csv(alloy_call_t *call,
                                                  const alloy_rows_t *rows,
                                                  int count,
                                                  const alloy_shape_t *shape,
                                                  const char *name)
{
    alloy_out_t *out = alloy_out_make(call->pool,
                                      ROW_BYTES * ((apr_size_t)count + 1));

    if (count) {
        ALLOY_TRY(alloy_answer_refusal(call, alloy_rows_get(rows, 0)->result));
    }
    put_head(out, shape);
    if (count) {
        put_rows(out, rows, count, shape);
    }
    apr_table_setn(call->answer->headers, "Content-Disposition",
                   apr_pstrcat(call->pool, "attachment; filename=\"",
                               file_name(name, call->pool), ".csv\"", NULL));
    alloy_answer_document(call, ALLOY_CSV_TYPE "; charset=utf-8", out->bytes,
                          out->length);
    return NULL;
}
