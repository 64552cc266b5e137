/* Reading JSON. What jansson would take time or memory to find out, the depth
 * and the number of values, is counted in one pass over the bytes before; what
 * it says is put into our own words, because its own quote the input.
 */
#include "json.h"
#include "limits.h"

#include <apr_strings.h>
#include <jansson.h>

/* What a first look at a text finds. */
typedef struct {
    int depth;                  /* deepest nesting */
    int values;                 /* at most, if it is JSON at all */
} extent_t;

typedef struct {
    enum json_error_code code;
    const char *words;
} reason_t;

static const reason_t reasons[] = {
    { json_error_invalid_utf8, "the bytes there are not UTF-8" },
    { json_error_premature_end_of_input, "the text ends too soon" },
    { json_error_end_of_input_expected,
      "there is more text behind the end of the value" },
    { json_error_null_character, "the character U+0000 is not accepted" },
    { json_error_null_byte_in_key, "the character U+0000 is not accepted" },
    { json_error_duplicate_key, "a key stands there for the second time" },
    { json_error_numeric_overflow,
      "the number there does not fit into 64 bits" },
    { json_error_invalid_syntax, "this is not JSON's syntax" },
};

void alloy_json_init(void)
{
    json_object_seed(0);
}

/* Past the string whose opening quote is at BYTES[AT]. */
static apr_size_t skip_string(const char *bytes, apr_size_t length,
                              apr_size_t at)
{
    for (at++; at < length && bytes[at] != '"'; at++) {
        if (bytes[at] == '\\') {
            at++;
        }
    }
    return at;
}

/* Every value but the first of its container follows a comma. */
static extent_t measure(const char *bytes, apr_size_t length)
{
    extent_t extent = { 0, 1 };
    apr_size_t i;
    int depth = 0;

    for (i = 0; i < length; i++) {
        switch (bytes[i]) {
        case '"':
            i = skip_string(bytes, length, i);
            break;
        case '[':
        case '{':
            extent.values++;
            if (++depth > extent.depth) {
                extent.depth = depth;
            }
            break;
        case ']':
        case '}':
            depth--;
            break;
        case ',':
            extent.values++;
            break;
        }
    }
    return extent;
}

static alloy_problem_t *check_extent(const char *bytes, apr_size_t length,
                                     apr_pool_t *pool)
{
    extent_t extent;

    if (length >= 3 && bytes[0] == '\xef' && bytes[1] == '\xbb'
        && bytes[2] == '\xbf') {
        return alloy_problem_make(pool, &alloy_malformed_json,
                                  "The body begins with a byte order mark. "
                                  "Send plain UTF-8 without one.");
    }
    extent = measure(bytes, length);
    if (extent.depth > ALLOY_JSON_DEPTH) {
        return alloy_problem_make(pool, &alloy_malformed_json,
                                  "The body nests arrays and objects %d deep, "
                                  "and at most %d is accepted.",
                                  extent.depth, ALLOY_JSON_DEPTH);
    }
    if (extent.values > ALLOY_JSON_VALUES) {
        return alloy_problem_make(pool, &alloy_malformed_json,
                                  "The body has more than %d values. Send it "
                                  "in smaller parts.", ALLOY_JSON_VALUES);
    }
    return NULL;
}

static const char *find_words(enum json_error_code code)
{
    apr_size_t i;

    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].code == code) {
            return reasons[i].words;
        }
    }
    return "it could not be read";
}

static apr_status_t release(void *value)
{
    json_decref(value);
    return APR_SUCCESS;
}

ALLOY_DECLARE(alloy_problem_t *) alloy_json_parse(const alloy_json_t **pvalue,
                                  const char *bytes, apr_size_t length,
                                  apr_pool_t *pool)
{
    json_error_t error;
    json_t *value;

    *pvalue = NULL;
    ALLOY_TRY(check_extent(bytes, length, pool));
    value = json_loadb(bytes, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                       &error);
    if (!value) {
        return alloy_problem_make(pool, &alloy_malformed_json,
                                  "The body is not acceptable JSON: line %d, "
                                  "column %d: %s.", error.line,
                                  error.column > 0 ? error.column : 1,
                                  find_words(json_error_code(&error)));
    }
    apr_pool_cleanup_register(pool, value, release, apr_pool_cleanup_null);
    *pvalue = value;
    return NULL;
}

ALLOY_DECLARE(alloy_json_e) alloy_json_type(const alloy_json_t *value)
{
    static const alloy_json_e types[] = {
        [JSON_NULL] = ALLOY_JSON_NULL,
        [JSON_TRUE] = ALLOY_JSON_BOOL,
        [JSON_FALSE] = ALLOY_JSON_BOOL,
        [JSON_INTEGER] = ALLOY_JSON_INT,
        [JSON_REAL] = ALLOY_JSON_REAL,
        [JSON_STRING] = ALLOY_JSON_TEXT,
        [JSON_ARRAY] = ALLOY_JSON_ARRAY,
        [JSON_OBJECT] = ALLOY_JSON_MAP
    };

    return types[json_typeof(value)];
}

ALLOY_DECLARE(int) alloy_json_true(const alloy_json_t *value)
{
    return json_is_true(value);
}

ALLOY_DECLARE(apr_int64_t) alloy_json_int(const alloy_json_t *value)
{
    return json_integer_value(value);
}

ALLOY_DECLARE(double) alloy_json_real(const alloy_json_t *value)
{
    return json_number_value(value);
}

ALLOY_DECLARE(const char *) alloy_json_text(const alloy_json_t *value, apr_size_t *length)
{
    if (length) {
        *length = json_string_length(value);
    }
    return json_string_value(value);
}

ALLOY_DECLARE(apr_size_t) alloy_json_count(const alloy_json_t *value)
{
    return json_is_array(value) ? json_array_size(value)
                                : json_object_size(value);
}

ALLOY_DECLARE(const alloy_json_t *) alloy_json_at(const alloy_json_t *array, apr_size_t index)
{
    return json_array_get(array, index);
}

ALLOY_DECLARE(const alloy_json_t *) alloy_json_get(const alloy_json_t *map, const char *key)
{
    return json_object_get(map, key);
}

/* jansson's iterators are not const, though nothing is changed by them. */
void alloy_json_each(const alloy_json_t *map, alloy_json_each_fn *each,
                     void *baton)
{
    json_t *object = (json_t *)map;
    void *at = json_object_iter(object);

    while (at) {
        if (!each(baton, json_object_iter_key(at),
                  json_object_iter_value(at))) {
            return;
        }
        at = json_object_iter_next(object, at);
    }
}

ALLOY_DECLARE(const char *) alloy_json_write(const alloy_json_t *value, apr_pool_t *pool)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    size_t size = json_dumpb(value, NULL, 0, flags);
    char *text = apr_palloc(pool, size + 1);

    json_dumpb(value, text, size, flags);
    text[size] = '\0';
    return text;
}
