/* Fuzz target: cursors. One that is taken must be the one that would be
 * written for what it says.
 */
#include "../../mod_alloy/core/cursor.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#define QUERY "ticket_list|/projects/WEB/tickets"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    alloy_cursor_t cursor;
    const char *text;
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    text = apr_pstrmemdup(pool, (const char *)data, size);
    if (alloy_cursor_read(&cursor, text, QUERY, pool)
        && strcmp(text, alloy_cursor_write(&cursor, QUERY, pool)) != 0) {
        abort();
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
