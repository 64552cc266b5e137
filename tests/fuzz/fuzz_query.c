/* Fuzz target: query strings, read by parameters of every type. A text that is
 * taken must be UTF-8 and must be taken again as it was written.
 */
#include "../../mod_alloy/core/limits.h"
#include "../../mod_alloy/core/param.h"
#include "../../mod_alloy/core/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const words[] = { "High", "Low", NULL };
static const alloy_param_t rows[] = {
    { .name = "t", .type = ALLOY_TEXT, .most = 20 },
    { .name = "i", .type = ALLOY_INT, .least = -5 },
    { .name = "b", .type = ALLOY_BOOL },
    { .name = "u", .type = ALLOY_UUID },
    { .name = "d", .type = ALLOY_DATE },
    { .name = "a", .type = ALLOY_INSTANT },
    { .name = "w", .type = ALLOY_WORD, .flags = ALLOY_MANY, .words = words },
    { .name = "r", .type = ALLOY_REF, .flags = ALLOY_MANY },
    { .name = "s", .type = ALLOY_TEXT, .format = &alloy_format_slug },
    { .name = "k", .type = ALLOY_TEXT, .format = &alloy_format_project_key },
    { .name = "c", .type = ALLOY_TEXT, .format = &alloy_format_currency },
    { .name = "n", .type = ALLOY_TEXT, .format = &alloy_format_name },
    { .name = "e", .type = ALLOY_TEXT, .format = &alloy_format_email },
};
#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

/* Stops the run, so that the fuzzer keeps the input. */
static void expect(int truth)
{
    if (!truth) {
        abort();
    }
}

static void check_value(const alloy_param_t *param, const alloy_value_t *value,
                        apr_pool_t *pool)
{
    const char *again = value->text;

    if (!again) {
        return;
    }
    expect(alloy_utf8_valid(again));
    if (!(param->flags & ALLOY_MANY)) {
        expect(!alloy_param_check_text(param, &again, pool));
        expect(!strcmp(again, value->text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const alloy_param_t *params[ROWS];
    alloy_input_t input = { params, ROWS, 0 };
    alloy_paging_t paging;
    alloy_value_t *values;
    apr_pool_t *pool;
    int i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (i = 0; i < ROWS; i++) {
        params[i] = &rows[i];
    }
    input.query = apr_pstrmemdup(pool, (const char *)data, size);
    input.paged = 1;
    if (!alloy_params_read(&values, &paging, &input, pool)) {
        expect(paging.limit >= 1 && paging.limit <= ALLOY_PAGE_LIMIT);
        for (i = 0; i < ROWS; i++) {
            check_value(&rows[i], &values[i], pool);
        }
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
