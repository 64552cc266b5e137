/**
 * @file job.h
 * @brief A flush that travels with others: its own copy of the statements'
 * values and what became of it, so that its caller may leave at any time.
 */
#ifndef ALLOY_CORE_JOB_H
#define ALLOY_CORE_JOB_H

#include <semaphore.h>

#include "pool.h"

/** What became of it. */
typedef enum {
    ALLOY_JOB_PENDING,
    ALLOY_JOB_COMMITTED,
    ALLOY_JOB_STALE,   /* found nothing: its principal has changed since */
    ALLOY_JOB_UNSENT,  /* there was no connection in time */
    ALLOY_JOB_UNKNOWN, /* sent, and no answer came */
    ALLOY_JOB_ALONE    /* had no effect; to be sent without company */
} alloy_job_end_e;

/** Where it is; guarded by the lane's mutex. */
typedef enum {
    ALLOY_JOB_QUEUED,
    ALLOY_JOB_TAKEN, /* in a batch */
    ALLOY_JOB_LEADS, /* its caller sends the next batch */
    ALLOY_JOB_GONE   /* its caller has left the queue */
} alloy_job_place_e;

typedef struct alloy_job_t {
    struct alloy_job_t *next; /* in the queue */
    volatile apr_uint32_t owners;
    sem_t news; /* posted once: when it ends or is to lead */

    const alloy_step_t *steps; /* COUNT, the first one is `enter` */
    PGresult **results;        /* COUNT, once committed */
    int count;
    apr_size_t size;     /* bytes of all values */
    apr_time_t deadline; /* of alloy_pool_now's clock */
    unsigned tenant;     /* a hash of the organizations it may see */
    unsigned user;       /* a hash of who sends it */
    const char *locks;   /* id of the row it locks, "" when not declared */
    int counts;          /* that row is locked after all others */

    alloy_job_place_e place;
    alloy_connection_t *connection; /* one to lead with, or NULL */
    alloy_job_end_e end;            /* read after NEWS */
} alloy_job_t;

/** Bytes of the values of COUNT steps. */
apr_size_t alloy_job_size(const alloy_step_t *steps, int count);

/** A copy of COUNT steps; the caller is its one owner.  NULL: no memory. */
alloy_job_t *alloy_job_make(const alloy_step_t *steps, int count);

/** One owner more. */
void alloy_job_share(alloy_job_t *job);
/** One owner less; the last one's going frees it and its results. */
void alloy_job_leave(alloy_job_t *job);

/** Sleep until there is news.  @return 0: UNTIL came first */
int alloy_job_await(alloy_job_t *job, apr_time_t until);

/** Does A come before B in the order of locks that everybody keeps? */
int alloy_job_precedes(const alloy_job_t *a, const alloy_job_t *b);

#endif
