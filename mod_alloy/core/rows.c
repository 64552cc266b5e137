/*
 * Rows as operations with a function of their own see them: columns by name,
 * values as text or integers.
 */
#include "call.h"

#include <string.h>

#include "log.h"

#define OID_BOOL        16
#define OID_INT8        20
#define OID_INT2        21
#define OID_INT4        23
#define OID_TIMESTAMPTZ 1184

/* 2000-01-01, where PostgreSQL counts from, in microseconds since 1970 */
#define EPOCH_2000 APR_INT64_C(946684800000000)

const alloy_rows_t *alloy_rows_make(const alloy_result_t *result,
                                    apr_pool_t *pool)
{
    alloy_rows_t *rows = apr_pcalloc(pool, sizeof(*rows));
    int i;

    rows->count = result ? alloy_result_rows(result) : 0;
    rows->rows = apr_palloc(pool, sizeof(*rows->rows) * (rows->count + 1));
    for (i = 0; i < rows->count; i++) {
        rows->rows[i].result = result;
        rows->rows[i].index = i;
        rows->rows[i].pool = pool;
    }
    return rows;
}

ALLOY_DECLARE(int) alloy_rows_count(const alloy_rows_t *rows)
{
    return rows->count;
}

ALLOY_DECLARE(const alloy_row_t *) alloy_rows_get(const alloy_rows_t *rows,
                                                  int index)
{
    return &rows->rows[index];
}

static int find_column(const alloy_row_t *row, const char *column)
{
    int found = alloy_result_column(row->result, column);

    if (found < 0) {
        alloy_log(ALLOY_LOG_ERROR, 0, "AL0010: a statement has no column %s",
                  column);
    }
    return found;
}

ALLOY_DECLARE(const char *) alloy_row_text(const alloy_row_t *row,
                                           const char *column)
{
    int found = find_column(row, column);

    return found < 0 ? NULL : alloy_out_cell_text(row->result, row->index,
                                                  found, row->pool);
}

/* Integers come in network byte order, of any of the widths we read. */
static apr_int64_t read_integer(const char *cell, int length)
{
    const unsigned char *bytes = (const unsigned char *)cell;
    apr_uint64_t value = bytes[0] & 0x80 ? ~(apr_uint64_t)0 : 0;
    int i;

    for (i = 0; i < length; i++) {
        value = value << 8 | bytes[i];
    }
    return (apr_int64_t)value;
}

ALLOY_DECLARE(apr_int64_t) alloy_row_int(const alloy_row_t *row,
                                         const char *column)
{
    int found = find_column(row, column), length = 0;
    const char *cell = found < 0 ? NULL
        : alloy_result_cell(row->result, row->index, found, &length);

    if (!cell) {
        return 0;
    }
    switch (alloy_result_type(row->result, found)) {
    case OID_BOOL:
        return cell[0] != 0;
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
        return read_integer(cell, length);
    case OID_TIMESTAMPTZ:
        return read_integer(cell, length) + EPOCH_2000;
    default:
        alloy_log(ALLOY_LOG_ERROR, 0, "AL0011: column %s is no integer",
                  column);
        return 0;
    }
}

ALLOY_DECLARE(int) alloy_row_is_null(const alloy_row_t *row,
                                     const char *column)
{
    int found = find_column(row, column), length;

    return found < 0 || !alloy_result_cell(row->result, row->index, found,
                                           &length);
}
