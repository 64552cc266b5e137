/**
 * @file pool.h
 * @brief Who may use which connection, and for how long one waits for it.
 *
 * Callers take, give and drop; the connector thread alone opens and closes.
 * The one mutex is never held during network work.  All times here are of a
 * monotonic clock (alloy_pool_now), so that setting the clock hurts nobody.
 */
#ifndef ALLOY_CORE_POOL_H
#define ALLOY_CORE_POOL_H

#include <apr_dbd.h>
#include <apr_hash.h>
#include <apr_pools.h>
#include <apr_time.h>
#include <libpq-fe.h>

#include "db.h"

typedef struct alloy_pool_t alloy_pool_t;

/** What a connection is wanted for.  Whatever may take long gets only a share,
 *  so that many who wait for one lock leave something to those who read:
 *  writes and slow statements together three quarters, slow ones alone half
 *  of all connections, and at least one. */
typedef enum { ALLOY_USE_READ, ALLOY_USE_WRITE, ALLOY_USE_SLOW } alloy_use_e;

/** One connection, always in pipeline mode.  Whoever took it owns it. */
typedef struct alloy_connection_t {
    struct alloy_connection_t *next; /* in the pool's lists */
    apr_pool_t *pool;                /* its own, with an allocator of its own */
    apr_dbd_t *handle;               /* apr_dbd opened it and closes it */
    PGconn *pg;
    apr_hash_t *prepared; /* exchange.c: statements it knows */
    unsigned generation;  /* see alloy_pool_renew */
    alloy_use_e use;      /* what it was taken for */
    int ended;            /* of no more use: to be closed */
    int doubtful;         /* a commit did not wait for its standby */
} alloy_connection_t;

/** Microseconds of a clock that nobody sets. */
apr_time_t alloy_pool_now(void);

/** LIMIT connections, none of them open.  Lives as long as P. */
apr_status_t alloy_pool_make(alloy_pool_t **ppool, int limit, apr_pool_t *p);

/**
 * Take a connection that is alive, waiting until UNTIL for one.
 * @param p  for what waiting needs, a few bytes
 * @return APR_TIMEUP: none was free in time.  APR_EGENERAL: there is none and
 *         the database can't be reached, or the child is about to end
 */
apr_status_t alloy_pool_take(alloy_connection_t **pconnection,
                             alloy_pool_t *pool, alloy_use_e use,
                             apr_time_t until, apr_pool_t *p);
/** Give back.  One that has ended or is inside a transaction is closed. */
void alloy_pool_give(alloy_pool_t *pool, alloy_connection_t *connection);
/** May the next one have CONNECTION without its being given back before? */
int alloy_pool_is_good(alloy_pool_t *pool,
                       const alloy_connection_t *connection);
/** CONNECTION has plans of another schema: it and all that are as old are
 *  replaced, each when nobody uses it. */
void alloy_pool_renew(alloy_pool_t *pool, alloy_connection_t *connection);

/* ---- for the connector thread ------------------------------------------- */

/** An idle connection, alive or not; NULL when there is none. */
alloy_connection_t *alloy_pool_take_idle(alloy_pool_t *pool);
/** Replace the idle ones that are dead before somebody needs them. */
void alloy_pool_check_idle(alloy_pool_t *pool);
/** How many should be opened now. */
int alloy_pool_missing(alloy_pool_t *pool);
/** A new connection, idle from now on. */
void alloy_pool_add(alloy_pool_t *pool, alloy_connection_t *connection);
/** Opening failed.  @return how often in a row; from ALLOY_POOL_BREAK on
 *  nobody waits for a first connection. */
int alloy_pool_failed(alloy_pool_t *pool);
#define ALLOY_POOL_BREAK 3
/** The list of those to close, which are nobody's any more; NULL: none. */
alloy_connection_t *alloy_pool_dropped(alloy_pool_t *pool);
/** Sleep until UNTIL or until there is something to open or to close.
 *  @return 0 when the thread should end. */
int alloy_pool_sleep(alloy_pool_t *pool, apr_time_t until);
/** Make alloy_pool_sleep return soon. */
void alloy_pool_wake(alloy_pool_t *pool);

/** Nobody gets a connection any more, and the connector ends. */
void alloy_pool_stop(alloy_pool_t *pool);
/** Wait for connections in use until UNTIL; then all idle ones are dropped. */
void alloy_pool_drain(alloy_pool_t *pool, apr_time_t until);

/** Fills in reachable, connections, idle, waiting. */
void alloy_pool_state(alloy_pool_t *pool, alloy_db_state_t *state);

#endif
