/* Results: libpq's, owned by the caller's pool. Values stay where libpq put
 * them and in the form the server sent.
 */
#include "db.h"

#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

struct alloy_result_t {
    PGresult *pg;
};

static apr_status_t clear(void *baton)
{
    PQclear(baton);
    return APR_SUCCESS;
}

const alloy_result_t *alloy_result_of(void *pgresult, apr_pool_t *pool)
{
    alloy_result_t *result = apr_palloc(pool, sizeof(*result));

    result->pg = pgresult;
    apr_pool_cleanup_register(pool, pgresult, clear, apr_pool_cleanup_null);
    return result;
}

int alloy_result_rows(const alloy_result_t *result)
{
    return PQntuples(result->pg);
}

int alloy_result_columns(const alloy_result_t *result)
{
    return PQnfields(result->pg);
}

const char *alloy_result_name(const alloy_result_t *result, int column)
{
    return PQfname(result->pg, column);
}

unsigned alloy_result_type(const alloy_result_t *result, int column)
{
    return PQftype(result->pg, column);
}

/* Not PQfnumber, which copies the name and folds its case each time. */
int alloy_result_column(const alloy_result_t *result, const char *name)
{
    int column = PQnfields(result->pg) - 1;

    while (column >= 0 && strcmp(PQfname(result->pg, column), name)) {
        column--;
    }
    return column;
}

int alloy_result_column_after(const alloy_result_t *result, const char *name,
                              int after)
{
    int count = PQnfields(result->pg);
    int column = after + 1;
    int i;

    for (i = 0; i < count; i++, column++) {
        if (column >= count) {
            column = 0;
        }
        if (!strcmp(PQfname(result->pg, column), name)) {
            return column;
        }
    }
    return -1;
}

const char *alloy_result_cell(const alloy_result_t *result, int row, int column,
                              int *length)
{
    int size = PQgetlength(result->pg, row, column);

    if (length) {
        *length = size;
    }
    if (!size && PQgetisnull(result->pg, row, column)) {
        return NULL; /* whose length is 0, but not it alone */
    }
    return PQgetvalue(result->pg, row, column);
}

long alloy_result_touched(const alloy_result_t *result)
{
    static const char *const tags[] = { "INSERT ", "UPDATE ", "DELETE ",
                                        "MERGE " };
    const char *tag = PQcmdStatus(result->pg);
    size_t i;

    for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        if (!strncmp(tag, tags[i], strlen(tags[i]))) {
            return strtol(PQcmdTuples(result->pg), NULL, 10);
        }
    }
    return -1;
}
