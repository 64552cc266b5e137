/**
 * @file problem.h
 * @brief Problems inside the engine: made without a call, written as
 * application/problem+json (RFC 9457).
 */
#ifndef ALLOY_CORE_PROBLEM_H
#define ALLOY_CORE_PROBLEM_H

#include "../alloy.h"

typedef struct alloy_fault_t alloy_fault_t;

/** One input at fault; WHERE begins with '/' or is '' (a JSON pointer), else
 *  it is the name of a query parameter. */
struct alloy_fault_t {
    const char *where;
    const char *code;
    const char *detail;
    const char *const *allowed;
    alloy_fault_t *next;
};

typedef struct alloy_member_t {
    const char *name;
    const char *json;
    struct alloy_member_t *next;
} alloy_member_t;

struct alloy_problem_t {
    const alloy_problem_kind_t *kind;
    const char *detail;
    alloy_fault_t *faults, **faults_end;
    int nfaults;                /* further ones are dropped at the limit */
    alloy_member_t *members, **members_end;
    int retry_after;            /* seconds; 0: no such field */
    apr_pool_t *pool;
};

alloy_problem_t *alloy_problem_make(apr_pool_t *pool,
                                    const alloy_problem_kind_t *kind,
                                    const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** The database gave no answer and nothing was changed: unavailable. */
alloy_problem_t *alloy_problem_unreachable(apr_pool_t *pool);

/** The core's kinds, ended by NULL. */
extern const alloy_problem_kind_t *const alloy_problem_kinds[];

/** The document.  BASE is the URL of the API ("https://host/api/v1"); TYPE
 *  becomes BASE/problems/<code>.  REQUEST_ID may be NULL. */
void alloy_problem_write(alloy_out_t *out, const alloy_problem_t *problem,
                         const char *base, const char *request_id);

#endif
