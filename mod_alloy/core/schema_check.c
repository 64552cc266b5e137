/* Does the database hold the schema this module was built for? Asked by the
 * connector thread, so that a migration heals a server without a restart and
 * no request pays for the question.
 */
#include "connector.h"

#include <arpa/inet.h>
#include <string.h>

#include <apr_strings.h>

#include "exchange.h"
#include "log.h"
#include "sql/engine.h"

#define PATIENCE apr_time_from_sec(1)
#define CORE "core"

static int read_int(const PGresult *result, int row, int column)
{
    apr_uint32_t number;

    memcpy(&number, PQgetvalue(result, row, column), sizeof(number));
    return (int)ntohl(number);
}

/* A component's row, or -1. */
static int find_row(const PGresult *result, const char *component)
{
    int row;

    for (row = PQntuples(result) - 1; row >= 0; row--) {
        if (!strcmp(PQgetvalue(result, row, 0), component)) {
            return row;
        }
    }
    return -1;
}

/* NEEDED is the version this module knows. A newer schema serves it too, until
 * a migration says in schema_range that it has taken something away. */
static const char *find_fault(const PGresult *result, const char *component,
                              int needed, apr_pool_t *p)
{
    int row = find_row(result, component);
    int version = row < 0 ? 0 : read_int(result, row, 1);

    if (version < needed) {
        return apr_psprintf(p,
                            "The schema of \"%s\" is at version %d and this "
                            "server needs %d: run `alloyctl migrate`.",
                            component, version, needed);
    }
    if (row >= 0 && read_int(result, row, 2) > needed) {
        return apr_psprintf(p,
                            "The schema of \"%s\" (version %d) no longer "
                            "serves servers that know only version %d: "
                            "install the newer server.",
                            component, version, needed);
    }
    return NULL;
}

static const char *compare(alloy_db_t *db, const PGresult *result,
                           apr_pool_t *p)
{
    const char *fault = NULL;
    int i;

    apr_thread_mutex_lock(db->mutex);
    for (i = 0; i < db->ncomponents && !fault; i++) {
        fault = find_fault(result, db->components[i], db->versions[i], p);
    }
    apr_thread_mutex_unlock(db->mutex);
    return fault;
}

/* Callers keep the sentence as long as they like, so none is ever freed; each
 * is kept once. */
static const char *keep(alloy_db_t *db, const char *sentence)
{
    const char *kept = apr_hash_get(db->sentences, sentence,
                                    APR_HASH_KEY_STRING);

    if (!kept) {
        kept = apr_pstrdup(db->memory, sentence);
        apr_hash_set(db->sentences, kept, APR_HASH_KEY_STRING, kept);
    }
    return kept;
}

static void publish(alloy_db_t *db, int migration, const char *fault)
{
    const char *kept = fault ? keep(db, fault) : NULL;
    int changed;

    apr_thread_mutex_lock(db->mutex);
    changed = db->schema_fault != kept;
    db->migration = migration;
    db->schema_fits = !kept;
    db->schema_fault = kept;
    apr_thread_mutex_unlock(db->mutex);
    if (changed && kept) {
        alloy_log(ALLOY_LOG_ERROR, 0,
                  "AL0106: %s Until then requests are "
                  "answered 503.",
                  kept);
    } else if (changed) {
        alloy_log(ALLOY_LOG_INFO, 0, "AL0107: the schema fits, at version %d",
                  migration);
    }
}

static void read_versions(alloy_db_t *db, const PGresult *result, apr_pool_t *p)
{
    int core = find_row(result, CORE);

    publish(db, core < 0 ? 0 : read_int(result, core, 1),
            compare(db, result, p));
}

/* Missing tables or rights to read them: it is no schema of ours, or none at
 * all. Other refusals (out of memory, shutting down) say nothing about it. */
static int is_missing(const char *sqlstate)
{
    return !strncmp(sqlstate, "42", 2) || !strcmp(sqlstate, "3F000");
}

static int ask(alloy_db_t *db, alloy_connection_t *connection, apr_pool_t *p)
{
    const alloy_step_t step = { &sql_schema_versions, NULL };
    alloy_db_fault_t fault = { "" };
    PGresult *result = NULL;
    alloy_exchange_t exchange = { .steps = &step,
                                  .count = 1,
                                  .prepare = db->config.prepare,
                                  .deadline = alloy_pool_now() + PATIENCE,
                                  .results = &result,
                                  .fault = &fault,
                                  .pool = p };
    alloy_exchange_e end = alloy_exchange_run(&exchange, connection);

    alloy_pool_give(db->pool, connection);
    if (end == ALLOY_EXCHANGE_DONE) {
        read_versions(db, result, p);
    } else if (end == ALLOY_EXCHANGE_REFUSED && is_missing(fault.sqlstate)) {
        publish(db, 0,
                "The database has no schema that this server can read: "
                "run `alloyctl migrate`.");
        end = ALLOY_EXCHANGE_DONE;
    }
    alloy_exchange_clear(&exchange);
    return end == ALLOY_EXCHANGE_DONE;
}

int alloy_schema_check(alloy_db_t *db)
{
    alloy_connection_t *connection = alloy_pool_take_idle(db->pool);
    apr_pool_t *p;
    int answered = 0;

    if (!connection) {
        return 0;
    }
    if (apr_pool_create(&p, db->memory) != APR_SUCCESS) {
        alloy_pool_give(db->pool, connection);
        return 0;
    }
    answered = ask(db, connection, p);
    apr_pool_destroy(p);
    return answered;
}
