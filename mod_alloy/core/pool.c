/* The connections of a child: a list of idle ones, a queue of who waits, and
 * a list of those the connector thread shall close. Waiting is bounded, and
 * while the database is away nobody waits for a first connection at all.
 */
#include "pool.h"

#include <poll.h>
#include <time.h>

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

/* A connection that comes free goes to whoever is awake: that saves a switch
 * of threads. One who has waited this long is served before newcomers. */
#define PATIENCE apr_time_from_msec(20)

/* So many reads at once are never too many. */
#define READS_LEAST 8

typedef struct waiter_t {
    struct waiter_t *next;
    apr_thread_cond_t *cond;
    apr_time_t since;
    alloy_use_e use;
} waiter_t;

struct alloy_pool_t {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *work; /* the connector sleeps here */
    apr_thread_cond_t *returned;
    alloy_connection_t *idle; /* the last one used first: its plans and the
                                 * server's caches are warm */
    alloy_connection_t *dropped;
    waiter_t *waiters; /* the longest waiting first */
    int limit, open, nidle, nwaiting;
    int slow, slow_limit; /* taken, and how many may be */
    int long_ones, long_limit; /* writes and slow ones */
    int read_limit; /* more at once only get in each other's way: they wait
                     * for processors, writes for the disk */
    int failures; /* in a row */
    unsigned generation;
    int due; /* the connector has been woken */
    int stopping;
};

apr_time_t alloy_pool_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return apr_time_make(now.tv_sec, now.tv_nsec / 1000);
}

apr_status_t alloy_pool_make(alloy_pool_t **ppool, int limit, apr_pool_t *p)
{
    alloy_pool_t *pool = apr_pcalloc(p, sizeof(*pool));
    apr_status_t rv;

    pool->limit = limit > 0 ? limit : 1;
    pool->slow_limit = pool->limit > 1 ? pool->limit / 2 : 1;
    pool->long_limit = pool->limit > 1 ? pool->limit - (pool->limit + 3) / 4
                                       : 1;
    pool->read_limit = pool->limit / 2 > READS_LEAST ? pool->limit / 2
                                                     : READS_LEAST;
    rv = apr_thread_mutex_create(&pool->mutex, APR_THREAD_MUTEX_DEFAULT, p);
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&pool->work, p);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&pool->returned, p);
    }
    *ppool = pool;
    return rv;
}

/* ---- with the mutex held ------------------------------------------------- */

static void wake_connector(alloy_pool_t *pool)
{
    pool->due = 1;
    apr_thread_cond_signal(pool->work);
}

static int may_run(const alloy_pool_t *pool, alloy_use_e use)
{
    if (use == ALLOY_USE_READ) {
        return pool->open - pool->nidle - pool->long_ones < pool->read_limit;
    }
    return pool->long_ones < pool->long_limit
           && (use == ALLOY_USE_WRITE || pool->slow < pool->slow_limit);
}

static void count_use(alloy_pool_t *pool, alloy_use_e use, int change)
{
    pool->slow += use == ALLOY_USE_SLOW ? change : 0;
    pool->long_ones += use == ALLOY_USE_READ ? 0 : change;
}

static waiter_t *next_waiter(const alloy_pool_t *pool)
{
    waiter_t *waiter = pool->waiters;

    while (waiter && !may_run(pool, waiter->use)) {
        waiter = waiter->next;
    }
    return waiter;
}

static void wake_waiter(alloy_pool_t *pool)
{
    waiter_t *waiter = pool->idle ? next_waiter(pool) : NULL;

    if (waiter) {
        apr_thread_cond_signal(waiter->cond);
    }
}

static alloy_connection_t *pop_idle(alloy_pool_t *pool)
{
    alloy_connection_t *connection = pool->idle;

    if (connection) {
        pool->idle = connection->next;
        pool->nidle--;
        connection->next = NULL;
    }
    return connection;
}

static void push_idle(alloy_pool_t *pool, alloy_connection_t *connection)
{
    connection->next = pool->idle;
    pool->idle = connection;
    pool->nidle++;
    wake_waiter(pool);
}

static void drop(alloy_pool_t *pool, alloy_connection_t *connection)
{
    connection->next = pool->dropped;
    pool->dropped = connection;
    pool->open--;
    wake_connector(pool);
}

/* ME is NULL for somebody who has just come. */
static alloy_connection_t *pop_for(alloy_pool_t *pool, alloy_use_e use,
                                   const waiter_t *me)
{
    const waiter_t *first;
    alloy_connection_t *connection;

    if (!pool->idle || !may_run(pool, use)) {
        return NULL;
    }
    first = next_waiter(pool);
    if (first && first != me && alloy_pool_now() - first->since > PATIENCE) {
        return NULL;
    }
    connection = pop_idle(pool);
    connection->use = use;
    count_use(pool, use, 1);
    return connection;
}

static int is_hopeless(const alloy_pool_t *pool)
{
    return pool->stopping
           || (!pool->open && pool->failures >= ALLOY_POOL_BREAK);
}

static void wake_all(alloy_pool_t *pool)
{
    waiter_t *waiter;

    for (waiter = pool->waiters; waiter; waiter = waiter->next) {
        apr_thread_cond_signal(waiter->cond);
    }
}

static void queue_up(alloy_pool_t *pool, waiter_t *me)
{
    waiter_t **last = &pool->waiters;

    while (*last) {
        last = &(*last)->next;
    }
    *last = me;
    pool->nwaiting++;
}

static void leave_queue(alloy_pool_t *pool, waiter_t *me)
{
    waiter_t **link = &pool->waiters;

    while (*link != me) {
        link = &(*link)->next;
    }
    *link = me->next;
    pool->nwaiting--;
    wake_waiter(pool);
}

static apr_status_t wait_for(alloy_connection_t **pconnection,
                             alloy_pool_t *pool, waiter_t *me, apr_time_t until)
{
    apr_status_t rv = APR_SUCCESS;

    queue_up(pool, me);
    while (!(*pconnection = pop_for(pool, me->use, me))) {
        apr_interval_time_t left = until - alloy_pool_now();

        if (is_hopeless(pool)) {
            rv = APR_EGENERAL;
            break;
        }
        if (left <= 0) {
            rv = APR_TIMEUP;
            break;
        }
        apr_thread_cond_timedwait(me->cond, pool->mutex, left);
    }
    leave_queue(pool, me);
    return rv;
}

/* ---- callers ------------------------------------------------------------- */

static apr_status_t take_any(alloy_connection_t **pconnection,
                             alloy_pool_t *pool, alloy_use_e use,
                             apr_time_t until, apr_pool_t *p)
{
    waiter_t me = { NULL, NULL, 0, use };
    apr_status_t rv = APR_SUCCESS;

    apr_thread_mutex_lock(pool->mutex);
    *pconnection = pool->stopping ? NULL : pop_for(pool, use, NULL);
    if (!*pconnection) {
        me.since = alloy_pool_now();
        rv = is_hopeless(pool) ? APR_EGENERAL
                               : apr_thread_cond_create(&me.cond, p);
        if (rv == APR_SUCCESS) {
            rv = wait_for(pconnection, pool, &me, until);
        }
    }
    apr_thread_mutex_unlock(pool->mutex);
    if (me.cond) {
        apr_thread_cond_destroy(me.cond);
    }
    return rv;
}

/* The server has nothing to say to an idle connection but its end. Reading
 * twice finds the end of the stream behind a last message. */
static int is_alive(alloy_connection_t *connection)
{
    struct pollfd socket = { PQsocket(connection->pg), POLLIN, 0 };

    while (!connection->ended && poll(&socket, 1, 0) > 0) {
        if (!PQconsumeInput(connection->pg)) {
            return 0;
        }
        (void)PQisBusy(connection->pg);
    }
    return !connection->ended && PQstatus(connection->pg) == CONNECTION_OK;
}

apr_status_t alloy_pool_take(alloy_connection_t **pconnection,
                             alloy_pool_t *pool, alloy_use_e use,
                             apr_time_t until, apr_pool_t *p)
{
    apr_status_t rv;

    for (;;) {
        rv = take_any(pconnection, pool, use, until, p);
        if (rv != APR_SUCCESS || is_alive(*pconnection)) {
            return rv;
        }
        (*pconnection)->ended = 1;
        alloy_pool_give(pool, *pconnection);
    }
}

static int is_usable(const alloy_connection_t *connection)
{
    return !connection->ended && PQstatus(connection->pg) == CONNECTION_OK
           && PQtransactionStatus(connection->pg) == PQTRANS_IDLE;
}

int alloy_pool_is_good(alloy_pool_t *pool,
                       const alloy_connection_t *connection)
{
    int good = is_usable(connection);

    apr_thread_mutex_lock(pool->mutex);
    good = good && connection->generation == pool->generation
           && !pool->stopping;
    apr_thread_mutex_unlock(pool->mutex);
    return good;
}

void alloy_pool_give(alloy_pool_t *pool, alloy_connection_t *connection)
{
    int usable = is_usable(connection);

    apr_thread_mutex_lock(pool->mutex);
    count_use(pool, connection->use, -1);
    connection->use = ALLOY_USE_READ;
    if (usable && connection->generation == pool->generation) {
        push_idle(pool, connection);
    } else {
        drop(pool, connection);
        wake_waiter(pool); /* its share is free even if it is not */
    }
    if (pool->stopping) {
        apr_thread_cond_signal(pool->returned);
    }
    apr_thread_mutex_unlock(pool->mutex);
}

void alloy_pool_renew(alloy_pool_t *pool, alloy_connection_t *connection)
{
    alloy_connection_t *idle;

    apr_thread_mutex_lock(pool->mutex);
    if (connection->generation == pool->generation) {
        pool->generation++;
        while ((idle = pop_idle(pool))) {
            drop(pool, idle);
        }
    }
    apr_thread_mutex_unlock(pool->mutex);
}

/* ---- the connector thread ------------------------------------------------ */

alloy_connection_t *alloy_pool_take_idle(alloy_pool_t *pool)
{
    alloy_connection_t *connection;

    apr_thread_mutex_lock(pool->mutex);
    connection = pop_idle(pool);
    apr_thread_mutex_unlock(pool->mutex);
    return connection;
}

/* Looking is a poll and, where something came, a read that does not wait; but
 * it is no work for inside the mutex, so the list is taken off for a moment
 * one by one from its cold end. */
static alloy_connection_t *take_coldest(alloy_pool_t *pool)
{
    alloy_connection_t **link = &pool->idle;
    alloy_connection_t *connection = NULL;

    apr_thread_mutex_lock(pool->mutex);
    while (*link && (*link)->next) {
        link = &(*link)->next;
    }
    connection = *link;
    if (connection) {
        *link = NULL;
        pool->nidle--;
    }
    apr_thread_mutex_unlock(pool->mutex);
    return connection;
}

void alloy_pool_check_idle(alloy_pool_t *pool)
{
    int left = pool->limit;

    while (left-- > 0) {
        alloy_connection_t *connection = take_coldest(pool);

        if (!connection) {
            return;
        }
        connection->ended |= !is_alive(connection);
        alloy_pool_give(pool, connection);
    }
}

int alloy_pool_missing(alloy_pool_t *pool)
{
    int missing;

    apr_thread_mutex_lock(pool->mutex);
    missing = pool->stopping ? 0 : pool->limit - pool->open;
    apr_thread_mutex_unlock(pool->mutex);
    return missing;
}

void alloy_pool_add(alloy_pool_t *pool, alloy_connection_t *connection)
{
    apr_thread_mutex_lock(pool->mutex);
    connection->generation = pool->generation;
    pool->failures = 0;
    pool->open++;
    push_idle(pool, connection);
    apr_thread_mutex_unlock(pool->mutex);
}

int alloy_pool_failed(alloy_pool_t *pool)
{
    int failures;

    apr_thread_mutex_lock(pool->mutex);
    failures = ++pool->failures;
    if (is_hopeless(pool)) {
        wake_all(pool);
    }
    apr_thread_mutex_unlock(pool->mutex);
    return failures;
}

alloy_connection_t *alloy_pool_dropped(alloy_pool_t *pool)
{
    alloy_connection_t *list;

    apr_thread_mutex_lock(pool->mutex);
    list = pool->dropped;
    pool->dropped = NULL;
    apr_thread_mutex_unlock(pool->mutex);
    return list;
}

int alloy_pool_sleep(alloy_pool_t *pool, apr_time_t until)
{
    int go_on;

    apr_thread_mutex_lock(pool->mutex);
    while (!pool->due && !pool->stopping) {
        apr_interval_time_t left = until - alloy_pool_now();

        if (left <= 0) {
            break;
        }
        apr_thread_cond_timedwait(pool->work, pool->mutex, left);
    }
    pool->due = 0;
    go_on = !pool->stopping;
    apr_thread_mutex_unlock(pool->mutex);
    return go_on;
}

void alloy_pool_wake(alloy_pool_t *pool)
{
    apr_thread_mutex_lock(pool->mutex);
    wake_connector(pool);
    apr_thread_mutex_unlock(pool->mutex);
}

void alloy_pool_stop(alloy_pool_t *pool)
{
    apr_thread_mutex_lock(pool->mutex);
    pool->stopping = 1;
    wake_connector(pool);
    wake_all(pool);
    apr_thread_mutex_unlock(pool->mutex);
}

void alloy_pool_drain(alloy_pool_t *pool, apr_time_t until)
{
    alloy_connection_t *idle;
    apr_interval_time_t left;

    apr_thread_mutex_lock(pool->mutex);
    while (pool->open > pool->nidle && (left = until - alloy_pool_now()) > 0) {
        apr_thread_cond_timedwait(pool->returned, pool->mutex, left);
    }
    while ((idle = pop_idle(pool))) {
        drop(pool, idle);
    }
    apr_thread_mutex_unlock(pool->mutex);
}

void alloy_pool_state(alloy_pool_t *pool, alloy_db_state_t *state)
{
    apr_thread_mutex_lock(pool->mutex);
    state->reachable = pool->open > 0 || pool->failures < ALLOY_POOL_BREAK;
    state->connections = pool->open;
    state->idle = pool->nidle;
    state->waiting = pool->nwaiting;
    apr_thread_mutex_unlock(pool->mutex);
}
