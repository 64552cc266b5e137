/**
 * @file flight.h
 * @brief Statements on their way: which connection, how often, and how what
 * happened is told.
 */
#ifndef ALLOY_CORE_FLIGHT_H
#define ALLOY_CORE_FLIGHT_H

#include "connector.h"
#include "exchange.h"

/* of a report or search, whatever is configured for the others */
#define ALLOY_FLIGHT_SLOW apr_time_from_sec(30)

/* with a statement's flags: others travel along, so no lock is waited for for
 * long */
#define ALLOY_FLIGHT_SHARED 0x100u

typedef struct {
    alloy_db_t *db;
    alloy_exchange_t exchange;
    unsigned flags;           /* ALLOY_SQL_* of all statements together */
    alloy_use_e use;
    int enter;                /* index of the enter statement */
    apr_interval_time_t wait; /* for a connection */
    apr_interval_time_t least; /* with less than this left nothing is sent */
} alloy_flight_t;

/** Room for COUNT steps; deadlines and waits follow from FLAGS. */
alloy_step_t *alloy_flight_make(alloy_flight_t *flight, alloy_db_t *db,
                                int count, unsigned flags, apr_pool_t *pool);

/** A limit for the server, a little shorter than what is LEFT for us: its
 *  answer is better than none.  Milliseconds, as PostgreSQL reads them. */
const char *alloy_flight_timeout(apr_interval_time_t left, apr_pool_t *pool);

/** The step that sends ENTER's settings before statements with FLAGS. */
void alloy_flight_enter(alloy_step_t *step, const alloy_db_t *db,
                        const alloy_enter_t *enter, unsigned flags,
                        apr_pool_t *pool);

/** The step that gives statements with FLAGS the time they need. */
void alloy_flight_limits(alloy_step_t *step, const alloy_db_t *db,
                         unsigned flags, apr_pool_t *pool);

/** A connection for FLIGHT, within the time it may wait for one. */
apr_status_t alloy_flight_take(alloy_connection_t **pconnection,
                               const alloy_flight_t *flight);

/** Was another transaction in the way, as long as it lasts? */
int alloy_flight_is_conflict(const char *sqlstate);

/** Was it refused because of plans of another schema?  A connection that
 *  prepares anew will do better. */
int alloy_flight_is_outdated(const alloy_exchange_t *exchange);

/**
 * Send, as often as is safe and of use.  Results are there only when it
 * committed.
 * @param pkept  NULL, or where the connection goes for the caller to give
 *               back, when it committed or all there was against it is that
 *               the principal was stale
 */
alloy_outcome_e alloy_flight_run(alloy_flight_t *flight,
                                 alloy_db_fault_t *fault,
                                 alloy_connection_t **pkept);

/** Is this the answer to enter for a principal that has changed since? */
int alloy_flight_is_stale(const PGresult *entered);

#endif
