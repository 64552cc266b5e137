/**
 * @file json.h
 * @brief Reading JSON: the one place that knows jansson.  Strict by design:
 * duplicate keys, NUL, bad UTF-8, a byte order mark, trailing text and depth
 * over ALLOY_JSON_DEPTH are refused (RFC 8259, RFC 7493).
 */
#ifndef ALLOY_CORE_JSON_H
#define ALLOY_CORE_JSON_H

#include "../alloy_front.h"
#include "problem.h"

/** Seed the hash before threads start. */
void alloy_json_init(void);

/** Visit each key; stop when EACH returns 0. */
typedef int alloy_json_each_fn(void *baton, const char *key,
                               const alloy_json_t *value);
void alloy_json_each(const alloy_json_t *map, alloy_json_each_fn *each,
                     void *baton);

#endif
