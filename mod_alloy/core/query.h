/**
 * @file query.h
 * @brief The query string of a URL as names and values, decoded strictly: '+'
 * is a space, %XX must be hexadecimal, the result UTF-8 without NUL.
 */
#ifndef ALLOY_CORE_QUERY_H
#define ALLOY_CORE_QUERY_H

#include "problem.h"

typedef struct {
    const char *name;
    const char *value;          /* "" when there was no '=' */
} alloy_pair_t;

typedef struct {
    int count;
    alloy_pair_t *pairs;        /* in the order they came in */
} alloy_query_t;

/** RAW may be NULL.  Problem: bad_request naming the parameter, also for more
 *  than ALLOY_QUERY_LIMIT of them. */
alloy_problem_t *alloy_query_read(alloy_query_t *query, const char *raw,
                                  apr_pool_t *pool);

#endif
