/* From steps to an outcome: settings first, a connection, the round trip, and
 * another one when the first surely had no effect. This is the only place
 * that decides what is tried again.
 */
#include "flight.h"

#include <stddef.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "limits.h"
#include "sql/engine.h"

#define MARGIN_LEAST apr_time_from_msec(100) /* the server is late at times */
#define PAUSE_LEAST apr_time_from_msec(5) /* before a lock again */
#define PAUSE_SPREAD apr_time_from_msec(45)

/* ---- settings -------------------------------------------------------------- */

const char *alloy_flight_timeout(apr_interval_time_t left, apr_pool_t *pool)
{
    apr_interval_time_t margin = left / 10 > MARGIN_LEAST ? left / 10
                                                          : MARGIN_LEAST;
    apr_int64_t milliseconds;

    milliseconds = apr_time_as_msec(margin < left / 2 ? left - margin
                                                      : left / 2);
    return apr_psprintf(pool, "%" APR_INT64_T_FMT,
                        milliseconds > 0 ? milliseconds : 1);
}

/* All that an enter statement may ask for, found by its parameters' names. */
typedef struct {
    alloy_enter_t given;
    const char *timeout;
    const char *plan;
} settings_t;

static const struct {
    const char *name;
    size_t offset;
} settings[] = {
    { "user", offsetof(settings_t, given.user) },
    { "version", offsetof(settings_t, given.version) },
    { "orgs", offsetof(settings_t, given.orgs) },
    { "all", offsetof(settings_t, given.all) },
    { "projects", offsetof(settings_t, given.projects) },
    { "call", offsetof(settings_t, given.call) },
    { "timeout", offsetof(settings_t, timeout) },
    { "plan", offsetof(settings_t, plan) },
};

static const char *find_setting(const settings_t *all, const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (!strcmp(settings[i].name, name)) {
            return *(const char *const *)((const char *)all
                                          + settings[i].offset);
        }
    }
    return NULL;
}

static void fill_step(alloy_step_t *step, const alloy_statement_t *statement,
                      settings_t *all, apr_pool_t *pool)
{
    const char **values = apr_palloc(pool, sizeof(*values)
                                               * (statement->nparams + 1));
    int i;

    for (i = 0; i < statement->nparams; i++) {
        values[i] = find_setting(all, statement->params[i]);
    }
    step->statement = statement;
    step->values = values;
}

static void set_limits(settings_t *all, const alloy_db_t *db, unsigned flags)
{
    all->plan = flags & ALLOY_SQL_CUSTOM ? "force_custom_plan"
                                         : "force_generic_plan";
    all->timeout = flags & ALLOY_SQL_SLOW    ? db->slow_timeout
                   : flags & ALLOY_SQL_WRITE ? db->write_timeout
                                             : db->read_timeout;
}

static const alloy_statement_t *choose_enter(const alloy_enter_t *enter,
                                             unsigned flags)
{
    int custom = (flags & ALLOY_SQL_CUSTOM) != 0;

    if (!enter->user) {
        return &sql_enter_public;
    }
    if (enter->call && flags & ALLOY_FLIGHT_SHARED) {
        return &sql_enter_call_shared;
    }
    if (enter->call) {
        return custom ? &sql_enter_call_custom : &sql_enter_call;
    }
    if (flags & ALLOY_SQL_SLOW && !custom) {
        return &sql_enter_limited;
    }
    return custom ? &sql_enter_custom : &sql_enter;
}

void alloy_flight_enter(alloy_step_t *step, const alloy_db_t *db,
                        const alloy_enter_t *enter, unsigned flags,
                        apr_pool_t *pool)
{
    settings_t all = { *enter };

    set_limits(&all, db, flags);
    fill_step(step, choose_enter(enter, flags), &all, pool);
}

void alloy_flight_limits(alloy_step_t *step, const alloy_db_t *db,
                         unsigned flags, apr_pool_t *pool)
{
    settings_t all = { { NULL } };

    set_limits(&all, db, flags);
    fill_step(step, &sql_enter_limits, &all, pool);
}

int alloy_flight_is_stale(const PGresult *entered)
{
    return PQntuples(entered) != 1 || PQgetlength(entered, 0, 0) != 1
           || !*PQgetvalue(entered, 0, 0);
}

/* ---- outcomes -------------------------------------------------------------- */

static int is_any(const char *sqlstate, const char *const *list)
{
    while (*list && strcmp(*list, sqlstate)) {
        list++;
    }
    return *list != NULL;
}

/* Another transaction was in the way (PostgreSQL's documentation, 13.5). */
int alloy_flight_is_conflict(const char *sqlstate)
{
    static const char *const states[] = { "40001", "40P01", "55P03", NULL };

    return is_any(sqlstate, states);
}

/* The schema changed under a prepared statement, or a pooler gave us another
 * session than the one that knows it. */
static int is_outdated(const char *sqlstate)
{
    static const char *const states[] = { "0A000", "26000", NULL };

    return is_any(sqlstate, states);
}

int alloy_flight_is_outdated(const alloy_exchange_t *exchange)
{
    return exchange->prepare && is_outdated(exchange->fault->sqlstate);
}

static int entered_stale(const alloy_flight_t *flight)
{
    const PGresult *entered = flight->exchange.results[flight->enter];

    return entered && alloy_flight_is_stale(entered);
}

static alloy_outcome_e read_end(const alloy_flight_t *flight,
                                alloy_exchange_e end)
{
    switch (end) {
    case ALLOY_EXCHANGE_DONE:
        if (flight->exchange.doubtful && flight->flags & ALLOY_SQL_WRITE) {
            return ALLOY_DB_UNKNOWN;
        }
        flight->exchange.fault->stale = entered_stale(flight);
        return flight->exchange.fault->stale ? ALLOY_DB_ABORTED
                                             : ALLOY_DB_COMMITTED;
    case ALLOY_EXCHANGE_REFUSED:
        /* a statement that needs the caller's settings may have failed for
         * want of them */
        flight->exchange.fault->stale = entered_stale(flight);
        return ALLOY_DB_ABORTED;
    case ALLOY_EXCHANGE_UNSENT:
        return ALLOY_DB_NOT_STARTED;
    default:
        return ALLOY_DB_UNKNOWN;
    }
}

/* Again only what surely had no effect: reads, what was not sent, and what the
 * server refused for a reason that passes. */
static int is_worth_another(const alloy_flight_t *flight, alloy_exchange_e end)
{
    const alloy_exchange_t *exchange = &flight->exchange;

    switch (end) {
    case ALLOY_EXCHANGE_UNSENT:
        return 1;
    case ALLOY_EXCHANGE_LOST:
        return !(flight->flags & ALLOY_SQL_WRITE);
    case ALLOY_EXCHANGE_REFUSED:
        return exchange->fatal
               || alloy_flight_is_conflict(exchange->fault->sqlstate)
               || alloy_flight_is_outdated(exchange);
    default:
        return 0;
    }
}

/* ---- the way --------------------------------------------------------------- */

alloy_step_t *alloy_flight_make(alloy_flight_t *flight, alloy_db_t *db,
                                int count, unsigned flags, apr_pool_t *pool)
{
    const alloy_db_config_t *config = &db->config;
    int writes = (flags & ALLOY_SQL_WRITE) != 0;
    apr_interval_time_t deadline = flags & ALLOY_SQL_SLOW ? ALLOY_FLIGHT_SLOW
                                   : writes ? config->write_deadline
                                            : config->read_deadline;
    alloy_step_t *steps = apr_palloc(pool, sizeof(*steps) * count);

    memset(flight, 0, sizeof(*flight));
    flight->db = db;
    flight->flags = flags;
    flight->use = flags & ALLOY_SQL_SLOW ? ALLOY_USE_SLOW
                  : writes               ? ALLOY_USE_WRITE
                                         : ALLOY_USE_READ;
    flight->wait = writes ? config->write_wait : config->read_wait;
    flight->exchange.steps = steps;
    flight->exchange.count = count;
    flight->exchange.prepare = config->prepare;
    flight->exchange.deadline = alloy_pool_now() + deadline;
    flight->least = deadline / 20;
    flight->exchange.results = apr_pcalloc(pool, sizeof(PGresult *) * count);
    flight->exchange.pool = pool;
    return steps;
}

apr_status_t alloy_flight_take(alloy_connection_t **pconnection,
                               const alloy_flight_t *flight)
{
    apr_time_t until = alloy_pool_now() + flight->wait;
    apr_time_t last = flight->exchange.deadline - flight->least;

    if (until > last) {
        until = last;
    }
    return alloy_pool_take(pconnection, flight->db->pool, flight->use, until,
                           flight->exchange.pool);
}

/* Waiting and earlier tries may have used much of the time. The server must
 * still give up before we do, or a refusal would become an unknown outcome. */
static void shorten_limit(const alloy_flight_t *flight)
{
    const alloy_exchange_t *exchange = &flight->exchange;
    const alloy_step_t *enter = &exchange->steps[flight->enter];
    const char **values = (const char **)enter->values; /* fill_step's */
    apr_interval_time_t left = exchange->deadline - alloy_pool_now();
    int i;

    if (left > 19 * flight->least) {
        return; /* the usual limit will do */
    }
    for (i = 0; i < enter->statement->nparams; i++) {
        if (!strcmp(enter->statement->params[i], "timeout")) {
            values[i] = alloy_flight_timeout(left, exchange->pool);
        }
    }
}

static alloy_outcome_e try_once(alloy_flight_t *flight, int *again,
                                alloy_connection_t **pkept)
{
    alloy_exchange_t *exchange = &flight->exchange;
    alloy_connection_t *connection;
    alloy_exchange_e end;
    alloy_outcome_e outcome;

    *again = 0;
    if (alloy_flight_take(&connection, flight) != APR_SUCCESS) {
        return ALLOY_DB_NOT_STARTED;
    }
    shorten_limit(flight);
    end = alloy_exchange_run(exchange, connection);
    outcome = read_end(flight, end);
    *again = is_worth_another(flight, end);
    if (end == ALLOY_EXCHANGE_REFUSED && alloy_flight_is_outdated(exchange)) {
        alloy_pool_renew(flight->db->pool, connection);
    }
    if (outcome != ALLOY_DB_COMMITTED) {
        alloy_exchange_clear(exchange);
    }
    if (pkept && (outcome == ALLOY_DB_COMMITTED
                  || (end == ALLOY_EXCHANGE_DONE && exchange->fault->stale))) {
        *pkept = connection;
    } else {
        alloy_pool_give(flight->db->pool, connection);
    }
    return outcome;
}

/* Two who were in each other's way should not meet again at once. */
static void pause_a_little(void)
{
    unsigned char random[2] = { 0, 0 };

    apr_generate_random_bytes(random, sizeof(random));
    apr_sleep(PAUSE_LEAST
              + PAUSE_SPREAD * (random[0] * 256 + random[1]) / 65536);
}

alloy_outcome_e alloy_flight_run(alloy_flight_t *flight,
                                 alloy_db_fault_t *fault,
                                 alloy_connection_t **pkept)
{
    alloy_exchange_t *exchange = &flight->exchange;
    alloy_outcome_e outcome;
    int tries = 0;
    int again;

    exchange->fault = fault;
    for (;;) {
        memset(fault, 0, sizeof(*fault));
        exchange->at = exchange->refused = exchange->fatal = 0;
        outcome = try_once(flight, &again, pkept);
        if (!again || ++tries > ALLOY_RETRIES
            || alloy_pool_now() >= exchange->deadline - flight->least) {
            return outcome;
        }
        if (alloy_flight_is_conflict(fault->sqlstate)) {
            pause_a_little();
        }
    }
}
