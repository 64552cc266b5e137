/* The query string (RFC 3986, section 3.4, in the form of HTML's forms). A
 * byte that can't be decoded refuses the request: guessing would let a filter
 * mean something else than the caller thinks.
 */
#include "query.h"
#include "limits.h"
#include "utf8.h"

#include <string.h>

#include <apr_strings.h>

/* -1: no hexadecimal digit. */
static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* NULL when the bytes are no percent-encoded UTF-8. */
static const char *decode(const char *raw, apr_size_t length, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, length + 1);
    char *at = text;
    apr_size_t i;
    int high, low;

    for (i = 0; i < length; i++) {
        if (raw[i] != '%') {
            *at++ = raw[i] == '+' ? ' ' : raw[i];
            continue;
        }
        high = i + 2 < length ? digit_value(raw[i + 1]) : -1;
        low = i + 2 < length ? digit_value(raw[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0) {
            return NULL;
        }
        *at++ = (char)(high * 16 + low);
        i += 2;
    }
    *at = '\0';
    return alloy_utf8_valid(text) ? text : NULL;
}

static alloy_problem_t *read_pair(alloy_query_t *query, const char *raw,
                                  apr_size_t length, apr_pool_t *pool)
{
    const char *equals = memchr(raw, '=', length);
    apr_size_t name_length = equals ? (apr_size_t)(equals - raw) : length;
    alloy_pair_t *pair = &query->pairs[query->count++];

    pair->name = decode(raw, name_length, pool);
    if (!pair->name) {
        return alloy_problem_make(pool, &alloy_bad_request,
                                  "The name of parameter number %d of the "
                                  "query cannot be decoded. Write it as "
                                  "percent-encoded UTF-8.", query->count);
    }
    pair->value = !equals ? "" : decode(equals + 1, length - name_length - 1,
                                        pool);
    if (!pair->value) {
        return alloy_problem_make(pool, &alloy_bad_request,
                                  "The value of the query parameter %.100s "
                                  "cannot be decoded. Write it as "
                                  "percent-encoded UTF-8 without NUL.",
                                  pair->name);
    }
    return NULL;
}

static int count_pairs(const char *raw)
{
    int count = 1;

    for (; *raw; raw++) {
        count += *raw == '&';
    }
    return count;
}

alloy_problem_t *alloy_query_read(alloy_query_t *query, const char *raw,
                                  apr_pool_t *pool)
{
    apr_size_t length;

    query->count = 0;
    query->pairs = NULL;
    if (!raw || !*raw) {
        return NULL;
    }
    if (count_pairs(raw) > ALLOY_QUERY_LIMIT) {
        return alloy_problem_make(pool, &alloy_bad_request,
                                  "The query has more than %d parameters.",
                                  ALLOY_QUERY_LIMIT);
    }
    query->pairs = apr_palloc(pool, sizeof(alloy_pair_t) * count_pairs(raw));
    for (;;) {
        length = strcspn(raw, "&");
        if (length > 0) {
            ALLOY_TRY(read_pair(query, raw, length, pool));
        }
        if (!raw[length]) {
            return NULL;
        }
        raw += length + 1;
    }
}
