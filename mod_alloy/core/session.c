/* Transactions with C between their statements: BEGIN, settings, steps one by
 * one, and COMMIT, whose tag is the proof. Whoever forgets one has it rolled
 * back with his pool.
 */
#include "db.h"

#include <string.h>

#include <apr_strings.h>

#include "flight.h"

#define WHOLE 4 /* write deadlines a session may last */
#define ROLLBACK_DEADLINE apr_time_from_sec(1)

struct alloy_session_t {
    alloy_db_t *db;
    alloy_connection_t *connection; /* NULL: lost */
    apr_pool_t *pool;
    apr_time_t deadline;
    unsigned limits; /* flags whose limits are in force */
};

static const alloy_statement_t begin = { .name = "begin",
                                         .mode = ALLOY_SQL_EXEC,
                                         .text = "BEGIN" };
static const alloy_statement_t commit = { .name = "commit",
                                          .mode = ALLOY_SQL_EXEC,
                                          .text = "COMMIT" };
static const alloy_statement_t rollback = { .name = "rollback",
                                            .mode = ALLOY_SQL_EXEC,
                                            .text = "ROLLBACK" };

/* ---- ending ---------------------------------------------------------------- */

static void give_back(alloy_session_t *session)
{
    if (session->connection) {
        alloy_pool_give(session->db->pool, session->connection);
        session->connection = NULL;
    }
}

static alloy_exchange_e run_steps(alloy_session_t *session,
                                  alloy_exchange_t *exchange,
                                  alloy_db_fault_t *fault)
{
    memset(fault, 0, sizeof(*fault));
    exchange->fault = fault;
    exchange->pool = session->pool;
    exchange->prepare = session->db->config.prepare;
    if (exchange->deadline > session->deadline) {
        exchange->deadline = session->deadline;
    }
    return alloy_exchange_run(exchange, session->connection);
}

static apr_status_t forget(void *baton)
{
    alloy_session_t *session = baton;
    const alloy_step_t step = { &rollback, NULL };
    alloy_db_fault_t fault;
    PGresult *result = NULL;
    alloy_exchange_t exchange = { .steps = &step,
                                  .count = 1,
                                  .results = &result };

    if (!session->connection) {
        return APR_SUCCESS;
    }
    /* The session's own deadline may have passed: this is not for the caller */
    session->deadline = alloy_pool_now() + ROLLBACK_DEADLINE;
    exchange.deadline = session->deadline;
    run_steps(session, &exchange, &fault);
    PQclear(result);
    give_back(session);
    return APR_SUCCESS;
}

void alloy_db_rollback(alloy_session_t *session)
{
    apr_pool_cleanup_run(session->pool, session, forget);
}

/* ---- beginning ------------------------------------------------------------- */

alloy_outcome_e alloy_db_begin(alloy_session_t **psession, alloy_db_t *db,
                               const alloy_enter_t *enter,
                               alloy_db_fault_t *fault, apr_pool_t *pool)
{
    alloy_session_t *session = apr_pcalloc(pool, sizeof(*session));
    alloy_flight_t flight;
    alloy_step_t *steps = alloy_flight_make(&flight, db, 2, 0, pool);
    alloy_outcome_e outcome;

    *psession = NULL;
    steps[0].statement = &begin;
    steps[0].values = NULL;
    alloy_flight_enter(&steps[1], db, enter, ALLOY_SQL_WRITE, pool);
    flight.enter = 1;
    flight.use = ALLOY_USE_WRITE;
    flight.wait = db->config.write_wait;
    session->db = db;
    session->pool = pool;
    outcome = alloy_flight_run(&flight, fault, &session->connection);
    if (outcome != ALLOY_DB_COMMITTED) {
        forget(session);
        return outcome;
    }
    alloy_exchange_clear(&flight.exchange);
    session->deadline = alloy_pool_now() + WHOLE * db->config.write_deadline;
    session->limits = ALLOY_SQL_WRITE;
    apr_pool_cleanup_register(pool, session, forget, apr_pool_cleanup_null);
    *psession = session;
    return ALLOY_DB_COMMITTED;
}

/* ---- steps ----------------------------------------------------------------- */

/* Whatever went wrong, nothing is committed: COMMIT has not been sent. */
static alloy_outcome_e read_end(alloy_session_t *session, alloy_exchange_e end)
{
    if (end == ALLOY_EXCHANGE_DONE) {
        return ALLOY_DB_COMMITTED;
    }
    if (session->connection->ended) {
        give_back(session);
    }
    return ALLOY_DB_ABORTED;
}

static alloy_outcome_e refuse(alloy_db_fault_t *fault)
{
    memset(fault, 0, sizeof(*fault));
    fault->message = "the connection of this transaction was lost before";
    return ALLOY_DB_ABORTED;
}

alloy_outcome_e alloy_db_step(alloy_session_t *session,
                              const alloy_step_t *step,
                              const alloy_result_t **presult,
                              alloy_db_fault_t *fault)
{
    unsigned flags = step->statement->flags | ALLOY_SQL_WRITE;
    alloy_flight_t flight;
    alloy_step_t *steps;
    alloy_outcome_e outcome;
    int last = session->limits != flags;

    *presult = NULL;
    if (!session->connection) {
        return refuse(fault);
    }
    steps = alloy_flight_make(&flight, session->db, last + 1, flags,
                              session->pool);
    alloy_flight_limits(&steps[0], session->db, flags, session->pool);
    steps[last] = *step;
    outcome = read_end(session, run_steps(session, &flight.exchange, fault));
    if (outcome == ALLOY_DB_COMMITTED) {
        session->limits = flags;
        *presult = alloy_result_of(flight.exchange.results[last],
                                   session->pool);
        flight.exchange.results[last] = NULL;
    }
    alloy_exchange_clear(&flight.exchange);
    return outcome;
}

alloy_outcome_e alloy_db_enter(alloy_session_t *session,
                               const alloy_enter_t *enter,
                               alloy_db_fault_t *fault)
{
    alloy_flight_t flight;
    alloy_step_t *steps;
    alloy_outcome_e outcome;

    if (!session->connection) {
        return refuse(fault);
    }
    steps = alloy_flight_make(&flight, session->db, 1, ALLOY_SQL_WRITE,
                              session->pool);
    alloy_flight_enter(&steps[0], session->db, enter, session->limits,
                       session->pool);
    outcome = read_end(session, run_steps(session, &flight.exchange, fault));
    if (outcome == ALLOY_DB_COMMITTED
        && alloy_flight_is_stale(flight.exchange.results[0])) {
        fault->stale = 1;
        outcome = ALLOY_DB_ABORTED;
    }
    alloy_exchange_clear(&flight.exchange);
    return outcome;
}

/* ---- commit ---------------------------------------------------------------- */

/* The server commits before it answers COMMIT: here even the session's end in
 * place of the answer leaves open what happened. A transaction that had failed
 * answers ROLLBACK, as if that were success. */
static alloy_outcome_e read_commit(const alloy_exchange_t *exchange,
                                   alloy_exchange_e end)
{
    switch (end) {
    case ALLOY_EXCHANGE_DONE:
        if (strcmp(PQcmdStatus(exchange->results[0]), "COMMIT")) {
            return ALLOY_DB_ABORTED;
        }
        return exchange->doubtful ? ALLOY_DB_UNKNOWN : ALLOY_DB_COMMITTED;
    case ALLOY_EXCHANGE_REFUSED:
        return exchange->fatal ? ALLOY_DB_UNKNOWN : ALLOY_DB_ABORTED;
    case ALLOY_EXCHANGE_UNSENT:
        return ALLOY_DB_ABORTED;
    default:
        return ALLOY_DB_UNKNOWN;
    }
}

alloy_outcome_e alloy_db_commit(alloy_session_t *session,
                                alloy_db_fault_t *fault)
{
    alloy_flight_t flight;
    alloy_step_t *steps;
    alloy_outcome_e outcome;

    apr_pool_cleanup_kill(session->pool, session, forget);
    if (!session->connection) {
        return refuse(fault);
    }
    steps = alloy_flight_make(&flight, session->db, 1, ALLOY_SQL_WRITE,
                              session->pool);
    steps[0].statement = &commit;
    steps[0].values = NULL;
    outcome = read_commit(&flight.exchange,
                          run_steps(session, &flight.exchange, fault));
    alloy_exchange_clear(&flight.exchange);
    give_back(session);
    return outcome;
}
