/* Fuzz target: bodies. What the parser takes must be JSON again when it is
 * written, and must read as the same; then it goes through parameters of every
 * type, whose texts must be what the database can read.
 */
#include "../../mod_alloy/core/json.h"
#include "../../mod_alloy/core/param.h"
#include "../../mod_alloy/core/output.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const words[] = { "High", "Low", NULL };
static const alloy_param_t label = { .name = "label", .type = ALLOY_REF };
static const alloy_param_t inner[] = {
    { .name = "name", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED, .most = 9 },
    { .name = "level", .type = ALLOY_WORD, .words = words, .fallback = "Low" },
    { .name = "labels", .type = ALLOY_LIST, .inner = &label },
    ALLOY_PARAMS_END
};
static const alloy_param_t element = {
    .name = "status", .type = ALLOY_OBJECT, .inner = inner
};
static const alloy_param_t rows[] = {
    { .name = "t", .type = ALLOY_TEXT, .least = 1, .most = 20 },
    { .name = "m", .type = ALLOY_TEXT,
      .flags = ALLOY_NULLABLE | ALLOY_MULTILINE },
    { .name = "i", .type = ALLOY_INT, .least = -5, .most = 5 },
    { .name = "b", .type = ALLOY_BOOL },
    { .name = "u", .type = ALLOY_UUID },
    { .name = "d", .type = ALLOY_DATE },
    { .name = "a", .type = ALLOY_INSTANT },
    { .name = "w", .type = ALLOY_WORD, .words = words },
    { .name = "r", .type = ALLOY_REF },
    { .name = "h", .type = ALLOY_HALF },
    { .name = "l", .type = ALLOY_LIST, .inner = &label },
    { .name = "s", .type = ALLOY_LIST, .inner = &element },
    { .name = "o", .type = ALLOY_OBJECT },
    { .name = "e", .type = ALLOY_TEXT, .format = &alloy_format_email },
    { .name = "z", .type = ALLOY_TEXT, .format = &alloy_format_timezone },
};
#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

/* Stops the run, so that the fuzzer keeps the input. */
static void expect(int truth)
{
    if (!truth) {
        abort();
    }
}

static void write_again(const alloy_json_t *value, apr_pool_t *pool)
{
    const char *text = alloy_json_write(value, pool);
    const alloy_json_t *again;

    expect(!alloy_json_parse(&again, text, strlen(text), pool));
    expect(!strcmp(text, alloy_json_write(again, pool)));
}

static void check_value(const alloy_param_t *param, const alloy_value_t *value,
                        apr_pool_t *pool)
{
    const alloy_json_t *json;

    if (!value->text) {
        return;
    }
    if (param->type == ALLOY_OBJECT || param->inner == &element) {
        expect(!alloy_json_parse(&json, value->text, strlen(value->text),
                                 pool));
    }
    if (param->type == ALLOY_LIST && param->inner == &label) {
        expect(value->text[0] == '{'
               && value->text[strlen(value->text) - 1] == '}');
    }
}

static void read_params(const alloy_json_t *body, apr_pool_t *pool)
{
    const alloy_param_t *params[ROWS];
    alloy_input_t input = { params, ROWS, 1 };
    alloy_problem_t *problem;
    alloy_paging_t paging;
    alloy_value_t *values;
    int i;

    for (i = 0; i < ROWS; i++) {
        params[i] = &rows[i];
    }
    input.body = body;
    problem = alloy_params_read(&values, &paging, &input, pool);
    if (problem) {
        alloy_out_t *out = alloy_out_make(pool, 0);
        const alloy_json_t *document;

        alloy_problem_write(out, problem, "https://x.example", "r");
        expect(!alloy_json_parse(&document, out->bytes, out->length, pool));
        return;
    }
    for (i = 0; i < ROWS; i++) {
        check_value(&rows[i], &values[i], pool);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const alloy_json_t *value;
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (!alloy_json_parse(&value, (const char *)data, size, pool)) {
        write_again(value, pool);
        read_params(value, pool);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
