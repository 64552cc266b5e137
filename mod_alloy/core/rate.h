/**
 * @file rate.h
 * @brief How many requests a token or an address may send: the generic cell
 * rate algorithm over memory that all children share.
 */
#ifndef ALLOY_CORE_RATE_H
#define ALLOY_CORE_RATE_H

#include <apr_pools.h>

typedef struct alloy_rate_t alloy_rate_t;

/** What a request met. */
typedef struct {
    int limit;                  /* requests a minute */
    int remaining;              /* that may follow at once */
    int reset;                  /* seconds until all of them may again */
    int retry;                  /* 0: it may pass; else seconds to wait */
} alloy_quota_t;

/** Memory for all children; before the fork.  It must outlive a graceful
 *  restart, so POOL is the process's. */
apr_status_t alloy_rate_make(alloy_rate_t **prate, apr_pool_t *pool);

/** Count a request of WHO (KIND keeps tokens and addresses apart) against
 *  LIMIT requests a minute, which may also come all at once. */
void alloy_rate_count(alloy_quota_t *quota, alloy_rate_t *rate, char kind,
                      const char *who, int limit);

#endif
