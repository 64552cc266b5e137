/* The front of the database: one flush per call, and what is known of the
 * connections. The work is in flight.c, exchange.c, pool.c and connector.c.
 */
#include "db.h"

#include <string.h>

#include <apr_strings.h>

#include "lane.h"

/* ---- making ---------------------------------------------------------------- */

static apr_status_t stop(void *baton)
{
    alloy_connector_stop(baton);
    return APR_SUCCESS;
}

static alloy_db_t *copy_config(const alloy_db_config_t *config,
                               apr_pool_t *memory)
{
    alloy_db_t *db = apr_pcalloc(memory, sizeof(*db));

    db->memory = memory;
    db->config = *config;
    db->config.conninfo = apr_pstrdup(memory, config->conninfo);
    if (db->config.connections < 1) {
        db->config.connections = 1;
    }
    db->read_timeout = alloy_flight_timeout(config->read_deadline, memory);
    db->write_timeout = alloy_flight_timeout(config->write_deadline, memory);
    db->slow_timeout = alloy_flight_timeout(ALLOY_FLIGHT_SLOW, memory);
    return db;
}

static apr_status_t make_lanes(alloy_db_t *db)
{
    const alloy_db_config_t *config = &db->config;
    apr_status_t rv = APR_SUCCESS;

    if (config->read_lanes > 0) {
        rv = alloy_lane_make(&db->reads, db, ALLOY_USE_READ,
                             config->read_lanes);
    }
    if (rv == APR_SUCCESS && config->write_lanes > 0) {
        rv = alloy_lane_make(&db->writes, db, ALLOY_USE_WRITE,
                             config->write_lanes);
    }
    return rv;
}

apr_status_t alloy_db_make(alloy_db_t **pdb, const alloy_db_config_t *config,
                           apr_pool_t *pool)
{
    apr_pool_t *memory;
    alloy_db_t *db;
    apr_status_t rv = alloy_connector_pool(&memory, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    db = copy_config(config, memory);
    rv = apr_thread_mutex_create(&db->mutex, APR_THREAD_MUTEX_DEFAULT, memory);
    if (rv == APR_SUCCESS) {
        rv = alloy_pool_make(&db->pool, db->config.connections, memory);
    }
    if (rv == APR_SUCCESS) {
        rv = make_lanes(db);
    }
    if (rv == APR_SUCCESS) {
        rv = alloy_connector_start(db);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_pre_cleanup_register(pool, db, stop);
    *pdb = db;
    return APR_SUCCESS;
}

/* ---- one flush ------------------------------------------------------------- */

static unsigned all_flags(const alloy_step_t *steps, int count)
{
    unsigned flags = 0;
    int i;

    for (i = 0; i < count; i++) {
        flags |= steps[i].statement->flags;
    }
    return flags;
}

/* @return 0: not in company, nothing has happened yet. */
static int share(alloy_outcome_e *outcome, alloy_flight_t *flight,
                 const alloy_enter_t *enter, alloy_step_t *first,
                 alloy_db_fault_t *fault)
{
    alloy_lane_t *lane = flight->use == ALLOY_USE_WRITE ? flight->db->writes
                                                        : flight->db->reads;

    if (!lane || !alloy_lane_fits(enter, flight->flags)) {
        return 0;
    }
    alloy_flight_enter(first, flight->db, enter,
                       flight->flags | ALLOY_FLIGHT_SHARED,
                       flight->exchange.pool);
    return alloy_lane_run(outcome, lane, flight, enter, fault);
}

alloy_outcome_e alloy_db_flush(alloy_db_t *db, const alloy_enter_t *enter,
                               const alloy_step_t *steps, int count,
                               const alloy_result_t **presults,
                               alloy_db_fault_t *fault, apr_pool_t *pool)
{
    unsigned flags = all_flags(steps, count);
    alloy_flight_t flight;
    alloy_step_t *sent = alloy_flight_make(&flight, db, count + 1, flags, pool);
    alloy_outcome_e outcome;
    int i;

    for (i = 0; i < count; i++) {
        sent[i + 1] = steps[i];
        presults[i] = NULL;
    }
    if (!share(&outcome, &flight, enter, &sent[0], fault)) {
        alloy_flight_enter(&sent[0], db, enter, flags, pool);
        outcome = alloy_flight_run(&flight, fault, NULL);
    }
    if (outcome == ALLOY_DB_COMMITTED) {
        PQclear(flight.exchange.results[0]);
        for (i = 0; i < count; i++) {
            presults[i] = alloy_result_of(flight.exchange.results[i + 1], pool);
        }
    }
    return outcome;
}

/* ---- what is known --------------------------------------------------------- */

void alloy_db_state(alloy_db_t *db, alloy_db_state_t *state)
{
    alloy_pool_state(db->pool, state);
    apr_thread_mutex_lock(db->mutex);
    state->migration = db->migration;
    state->schema_fits = db->schema_fits;
    state->schema_fault = db->schema_fault;
    apr_thread_mutex_unlock(db->mutex);
}

void alloy_db_shared(alloy_db_t *db, alloy_db_shared_t *shared)
{
    memset(shared, 0, sizeof(*shared));
    if (db->reads) {
        alloy_lane_count(db->reads, shared);
    }
    if (db->writes) {
        alloy_lane_count(db->writes, shared);
    }
}

void alloy_db_expect(alloy_db_t *db, const char *const *components,
                     const int *versions, int count)
{
    apr_thread_mutex_lock(db->mutex);
    db->components = components;
    db->versions = versions;
    db->ncomponents = count;
    db->asked = 1;
    apr_thread_mutex_unlock(db->mutex);
    alloy_pool_wake(db->pool);
}
