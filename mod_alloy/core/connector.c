/* The connector thread. It alone opens and closes connections, since both may
 * take as long as a silent server likes; callers only ever meet connections
 * that are open. While the database is away it tries four times a second.
 */
#include "connector.h"

#include <string.h>
#include <sys/socket.h>

#include <apr_allocator.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include "exchange.h"
#include "log.h"

#define RETRY_FIRST apr_time_from_msec(20) /* before the breaker opens */
#define RETRY apr_time_from_msec(250)
#define LOOK apr_time_from_sec(1)  /* at idle connections */
#define CHECK apr_time_from_sec(5) /* of a schema that fits */
#define DRAIN apr_time_from_sec(1) /* for calls under way at the end */

/* ---- memory -------------------------------------------------------------- */

apr_status_t alloy_connector_pool(apr_pool_t **pp, apr_pool_t *parent)
{
    apr_allocator_t *allocator;
    apr_thread_mutex_t *mutex;
    apr_status_t rv = apr_allocator_create(&allocator);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_pool_create_ex(pp, parent, NULL, allocator);
    if (rv != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return rv;
    }
    apr_allocator_owner_set(allocator, *pp);
    rv = apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, *pp);
    if (rv == APR_SUCCESS) {
        apr_allocator_mutex_set(allocator, mutex);
    }
    return rv;
}

/* ---- connection strings --------------------------------------------------- */

static const char *quoted(const char *value, apr_pool_t *p)
{
    char *out = apr_palloc(p, 2 * strlen(value) + 1);
    char *to = out;

    for (; *value; value++) {
        if (*value == '\'' || *value == '\\') {
            *to++ = '\\';
        }
        *to++ = *value;
    }
    *to = '\0';
    return out;
}

/* What we insist on: an answer in time, and text in UTF-8. */
static const char *required(const PQconninfoOption *option)
{
    if (!strcmp(option->keyword, "connect_timeout")) {
        return "2";
    }
    if (!strcmp(option->keyword, "client_encoding")) {
        return "UTF8";
    }
    if (!strcmp(option->keyword, "application_name") && !option->val) {
        return "alloy";
    }
    return option->val;
}

/* @return NULL when CONNINFO can't be read. */
static const char *make_params(const char *conninfo, apr_pool_t *p)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    PQconninfoOption *option;
    const char *params = "";

    if (!options) {
        return NULL;
    }
    for (option = options; option->keyword; option++) {
        const char *value = required(option);

        if (value) {
            params = apr_psprintf(p, "%s%s='%s' ", params, option->keyword,
                                  quoted(value, p));
        }
    }
    PQconninfoFree(options);
    return params;
}

/* ---- opening and closing -------------------------------------------------- */

static apr_status_t open_in(alloy_connection_t *connection, alloy_db_t *db,
                            const char **error)
{
    apr_status_t rv = apr_dbd_open_ex(db->driver, connection->pool, db->params,
                                      &connection->handle, error);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    connection->pg = apr_dbd_native_handle(db->driver, connection->handle);
    if (!alloy_exchange_prepare(connection)) {
        apr_dbd_close(db->driver, connection->handle);
        return APR_EGENERAL;
    }
    return APR_SUCCESS;
}

/* @return NULL, with the reason in WHY. */
static alloy_connection_t *open_connection(alloy_db_t *db, char *why,
                                           apr_size_t size)
{
    alloy_connection_t *connection;
    const char *error = NULL;
    apr_pool_t *p;

    apr_cpystrn(why, "no reason was given", size);
    if (alloy_connector_pool(&p, db->memory) != APR_SUCCESS) {
        return NULL;
    }
    connection = apr_pcalloc(p, sizeof(*connection));
    connection->pool = p;
    if (open_in(connection, db, &error) == APR_SUCCESS) {
        return connection;
    }
    if (error) {
        apr_cpystrn(why, error, size);
    }
    apr_pool_destroy(p);
    return NULL;
}

/* One with answers outstanding is cut off first: libpq would try to send what
 * is still unsent, and the caller has been told that nothing more happens. */
static void close_connection(alloy_db_t *db, alloy_connection_t *connection)
{
    if (connection->ended && PQsocket(connection->pg) >= 0) {
        shutdown(PQsocket(connection->pg), SHUT_RDWR);
    }
    apr_dbd_close(db->driver, connection->handle);
    apr_pool_destroy(connection->pool);
}

static void close_dropped(alloy_db_t *db)
{
    alloy_connection_t *connection = alloy_pool_dropped(db->pool);

    if (connection && db->complete) {
        db->complete = 0;
        alloy_log(ALLOY_LOG_INFO, 0,
                  "AL0100: a connection to the database "
                  "has ended or was given up; opening another");
    }
    while (connection) {
        alloy_connection_t *next = connection->next;

        close_connection(db, connection);
        connection = next;
    }
}

static void report_failure(int failures, const char *error)
{
    if (failures == 1) {
        alloy_log(ALLOY_LOG_INFO, 0,
                  "AL0101: no connection to the database: "
                  "%s",
                  error);
    } else if (failures == ALLOY_POOL_BREAK) {
        alloy_log(ALLOY_LOG_WARN, 0,
                  "AL0102: the database refuses further "
                  "connections or can't be reached, requests that need one "
                  "are answered 503; trying on: %s",
                  error);
    }
}

static void report_success(alloy_db_t *db)
{
    db->complete = 1;
    alloy_log(ALLOY_LOG_INFO, 0,
              "AL0103: all %d connections to the database "
              "are open",
              db->config.connections);
}

/* @return 0 when it failed: the others can wait as well. */
static int open_one(alloy_db_t *db)
{
    char why[512];
    alloy_connection_t *connection = open_connection(db, why, sizeof(why));
    int failures;

    if (connection) {
        alloy_pool_add(db->pool, connection);
        return 1;
    }
    failures = alloy_pool_failed(db->pool);
    report_failure(failures, why);
    db->next_open = alloy_pool_now()
                    + (failures < ALLOY_POOL_BREAK ? RETRY_FIRST : RETRY);
    return 0;
}

static void open_missing(alloy_db_t *db)
{
    int missing;

    if (alloy_pool_now() < db->next_open) {
        return;
    }
    while ((missing = alloy_pool_missing(db->pool)) > 0) {
        if (!open_one(db)) {
            return;
        }
        if (missing == 1) {
            report_success(db);
            db->next_check = 0; /* it may be another database by now */
        }
    }
}

/* ---- the thread ----------------------------------------------------------- */

static int is_asked(alloy_db_t *db)
{
    int asked;

    apr_thread_mutex_lock(db->mutex);
    asked = db->asked;
    db->asked = 0;
    apr_thread_mutex_unlock(db->mutex);
    return asked;
}

static void look_around(alloy_db_t *db)
{
    apr_time_t now = alloy_pool_now();

    if (now >= db->next_look) {
        alloy_pool_check_idle(db->pool);
        db->next_look = now + LOOK;
    }
    if (now >= db->next_check || is_asked(db)) {
        db->next_check = now + (alloy_schema_check(db) && db->schema_fits
                                    ? CHECK : LOOK);
    }
}

static apr_time_t next_turn(const alloy_db_t *db)
{
    apr_time_t next = db->next_look < db->next_check ? db->next_look
                                                     : db->next_check;

    if (alloy_pool_missing(db->pool) && db->next_open < next) {
        next = db->next_open;
    }
    return next;
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *baton)
{
    alloy_db_t *db = baton;

    apr_setup_signal_thread(); /* signals are the server's business */
    do {
        close_dropped(db);
        open_missing(db);
        look_around(db);
    } while (alloy_pool_sleep(db->pool, next_turn(db)));
    db->complete = 0;
    alloy_pool_drain(db->pool, alloy_pool_now() + DRAIN);
    close_dropped(db);
    return NULL;
}

apr_status_t alloy_connector_start(alloy_db_t *db)
{
    apr_status_t rv;

    db->sentences = apr_hash_make(db->memory);
    db->schema_fits = 1;
    db->params = make_params(db->config.conninfo, db->memory);
    if (!db->params) {
        alloy_log(ALLOY_LOG_ERROR, APR_EINVAL,
                  "AL0104: the connection string "
                  "of the database can't be read; write it as libpq wants it, "
                  "\"host=... dbname=...\" or \"postgresql://...\"");
        return APR_EINVAL;
    }
    rv = apr_dbd_init(db->memory);
    if (rv == APR_SUCCESS) {
        rv = apr_dbd_get_driver(db->memory, "pgsql", &db->driver);
    }
    if (rv != APR_SUCCESS) {
        alloy_log(ALLOY_LOG_ERROR, rv,
                  "AL0105: apr_dbd's driver \"pgsql\" "
                  "can't be loaded; install APR-util's PostgreSQL driver "
                  "(Debian: libaprutil1-dbd-pgsql)");
        return rv;
    }
    return apr_thread_create(&db->thread, NULL, run, db, db->memory);
}

void alloy_connector_stop(alloy_db_t *db)
{
    apr_status_t ignored;

    if (db->thread) {
        alloy_pool_stop(db->pool);
        apr_thread_join(&ignored, db->thread);
        db->thread = NULL;
    }
}
