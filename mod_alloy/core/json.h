/**
 * @file json.h
 * @brief Reading JSON: the one place that knows jansson.  Strict by design:
 * duplicate keys, NUL, bad UTF-8, a byte order mark, trailing text and depth
 * over ALLOY_JSON_DEPTH are refused (RFC 8259, RFC 7493).
 */
#ifndef ALLOY_CORE_JSON_H
#define ALLOY_CORE_JSON_H

#include <apr_pools.h>

#include "problem.h"

typedef struct json_t alloy_json_t;

typedef enum {
    ALLOY_JSON_NULL, ALLOY_JSON_BOOL, ALLOY_JSON_INT, ALLOY_JSON_REAL,
    ALLOY_JSON_TEXT, ALLOY_JSON_ARRAY, ALLOY_JSON_MAP
} alloy_json_e;

/** Seed the hash before threads start. */
void alloy_json_init(void);

/** Parse; the value lives as long as POOL.  Problem: malformed_json with the
 *  line, column and what was wrong in our own words. */
alloy_problem_t *alloy_json_parse(const alloy_json_t **pvalue,
                                  const char *bytes, apr_size_t length,
                                  apr_pool_t *pool);

alloy_json_e alloy_json_type(const alloy_json_t *value);
int alloy_json_true(const alloy_json_t *value);
apr_int64_t alloy_json_int(const alloy_json_t *value);
double alloy_json_real(const alloy_json_t *value);
const char *alloy_json_text(const alloy_json_t *value, apr_size_t *length);
apr_size_t alloy_json_count(const alloy_json_t *value);
const alloy_json_t *alloy_json_at(const alloy_json_t *array, apr_size_t index);
const alloy_json_t *alloy_json_get(const alloy_json_t *map, const char *key);

/** Visit each key; stop when EACH returns 0. */
typedef int alloy_json_each_fn(void *baton, const char *key,
                               const alloy_json_t *value);
void alloy_json_each(const alloy_json_t *map, alloy_json_each_fn *each,
                     void *baton);

/** Compact JSON text. */
const char *alloy_json_write(const alloy_json_t *value, apr_pool_t *pool);

#endif
