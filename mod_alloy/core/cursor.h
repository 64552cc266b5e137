/**
 * @file cursor.h
 * @brief Keyset cursors: opaque to callers, bound to the query they came from.
 */
#ifndef ALLOY_CORE_CURSOR_H
#define ALLOY_CORE_CURSOR_H

#include <apr_pools.h>

#include "id.h"

/** The sort key of the last row of a page. */
typedef struct {
    apr_int64_t at;             /* microseconds since 1970 */
    alloy_id_t id;
} alloy_cursor_t;

/** QUERY is a text that is the same for every page of one walk (operation,
 *  path, filters, caller); only a hash of it goes into the cursor. */
const char *alloy_cursor_write(const alloy_cursor_t *cursor, const char *query,
                               apr_pool_t *pool);

/** @return 0 when TEXT is no cursor of QUERY, else 1. */
int alloy_cursor_read(alloy_cursor_t *cursor, const char *text,
                      const char *query, apr_pool_t *pool);

#endif
