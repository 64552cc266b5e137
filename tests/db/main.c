/* The program of the database tests: main DIRECTORY [TEST...]. DIRECTORY holds
 * a cluster made by tests/db/cluster; without names all tests run.
 */
#include "database.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <arpa/inet.h>

#include "../../mod_alloy/core/log.h"

static const char *directory, *tool;
static int tests, failures;

#define STATEMENT(variable, sqlmode, sqlflags, n, sql)                         \
    const alloy_statement_t variable = { .name = #variable,                    \
                                         .mode = sqlmode,                      \
                                         .flags = sqlflags,                    \
                                         .nparams = n,                         \
                                         .text = sql }

STATEMENT(test_one, ALLOY_SQL_ONE, 0, 0, "SELECT 1 AS one");
STATEMENT(test_settings, ALLOY_SQL_ONE, ALLOY_SQL_CUSTOM, 0,
          "SELECT current_setting('alloy.me', true) AS me,"
          " current_setting('alloy.orgs', true) AS orgs,"
          " current_setting('alloy.all', true) AS all,"
          " current_setting('alloy.projects', true) AS projects,"
          " current_setting('alloy.call', true) AS call,"
          " current_setting('plan_cache_mode') AS plan,"
          " current_setting('statement_timeout') AS timeout,"
          " NULL::text AS nothing");
STATEMENT(test_insert, ALLOY_SQL_EXEC, ALLOY_SQL_WRITE, 2,
          "INSERT INTO note (id, body) VALUES ($1::bigint, $2::text)");
STATEMENT(test_pid, ALLOY_SQL_ONE, 0, 0, "SELECT pg_backend_pid() AS pid");
STATEMENT(test_echo, ALLOY_SQL_ONE, 0, 1, "SELECT $1::text AS echo");
STATEMENT(test_sleep, ALLOY_SQL_ONE, 0, 1,
          "SELECT 1 FROM pg_sleep($1::float8)");
STATEMENT(test_sleep_write, ALLOY_SQL_EXEC, ALLOY_SQL_WRITE, 3,
          "INSERT INTO note SELECT $1::bigint, $2::text"
          " FROM pg_sleep($3::float8)");
STATEMENT(test_sleep_slow, ALLOY_SQL_ONE, ALLOY_SQL_SLOW, 1,
          "SELECT 1 FROM pg_sleep($1::float8)");
STATEMENT(test_flaky, ALLOY_SQL_ONE, ALLOY_SQL_WRITE, 2,
          "SELECT flaky($1::text, $2::int)");
STATEMENT(test_changing, ALLOY_SQL_MANY, 0, 0, "SELECT * FROM changing");
STATEMENT(test_deallocate, ALLOY_SQL_EXEC, 0, 0, "DEALLOCATE ALL");
STATEMENT(test_count, ALLOY_SQL_ONE, 0, 2,
          "SELECT count(*)::int FROM note"
          " WHERE id >= $1::bigint AND id < $2::bigint");

/* ---- TAP ------------------------------------------------------------------- */

int test_ok(int ok, const char *fmt, ...)
{
    va_list args;

    printf("%sok %d - ", ok ? "" : "not ", ++tests);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
    failures += !ok;
    return ok;
}

static void diagnose(void *baton, int level, apr_status_t status,
                     const char *line)
{
    printf("# %ld level %d: %s\n", test_now() % 100000, level, line);
    fflush(stdout);
}

/* ---- the server ------------------------------------------------------------- */

int test_cluster(const char *verb, const char *argument)
{
    char command[4096];

    snprintf(command, sizeof(command), "'%s' '%s' '%s' \"%s\"", tool, directory,
             verb, argument ? argument : "");
    return system(command);
}

long test_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- databases --------------------------------------------------------------- */

alloy_db_config_t test_config(int connections)
{
    static char conninfo[1024];
    alloy_db_config_t config = { .conninfo = conninfo,
                                 .connections = connections,
                                 .prepare = 1,
                                 .read_lanes = 3,
                                 .write_lanes = 1,
                                 .read_deadline = apr_time_from_msec(1500),
                                 .write_deadline = apr_time_from_msec(2500),
                                 .read_wait = apr_time_from_msec(250),
                                 .write_wait = apr_time_from_msec(1000) };

    snprintf(conninfo, sizeof(conninfo),
             "host='%s' user=alloy_app dbname=postgres", directory);
    return config;
}

alloy_db_t *test_open_as(const alloy_db_config_t *config, apr_pool_t **ppool)
{
    alloy_db_t *db = NULL;

    apr_pool_create(ppool, NULL);
    test_ok(alloy_db_make(&db, config, *ppool) == APR_SUCCESS, "db is made");
    return db;
}

alloy_db_t *test_open(int connections, int prepare, apr_pool_t **ppool)
{
    alloy_db_config_t config = test_config(connections);
    alloy_db_t *db;

    config.prepare = prepare;
    db = test_open_as(&config, ppool);
    test_ok(test_await(db, connections) >= 0, "%d connections are open",
            connections);
    return db;
}

void test_close(apr_pool_t *pool)
{
    long start = test_now();

    apr_pool_destroy(pool);
    test_ok(test_now() - start < 3000, "the end comes within 3 s (%ld ms)",
            test_now() - start);
}

long test_await(alloy_db_t *db, int connections)
{
    long start = test_now();
    alloy_db_state_t state;

    while (test_now() - start < 5000) {
        alloy_db_state(db, &state);
        if (state.connections == connections) {
            return test_now() - start;
        }
        apr_sleep(2000);
    }
    return -1;
}

/* ---- statements --------------------------------------------------------------- */

alloy_enter_t test_enter(void)
{
    alloy_enter_t enter = { .user = USER,
                            .version = "7",
                            .orgs = "{}",
                            .all = "{}",
                            .projects = "*",
                            .call = NULL };

    return enter;
}

alloy_outcome_e test_run(alloy_db_t *db, const alloy_statement_t *statement,
                         const char *const *values,
                         const alloy_result_t **presult,
                         alloy_db_fault_t *fault, apr_pool_t *pool)
{
    alloy_enter_t enter = test_enter();
    alloy_step_t step = { statement, values };
    const alloy_result_t *ignored;
    alloy_db_fault_t own;

    enter.call = statement->flags & ALLOY_SQL_WRITE ? "{test}" : NULL;
    return alloy_db_flush(db, &enter, &step, 1, presult ? presult : &ignored,
                          fault ? fault : &own, pool);
}

int test_int(const alloy_result_t *result)
{
    const char *cell = result ? alloy_result_cell(result, 0, 0, NULL) : NULL;
    apr_uint32_t number = 0;

    if (cell) {
        memcpy(&number, cell, sizeof(number));
    }
    return cell ? (int)ntohl(number) : -1;
}

const char *test_outcome(alloy_outcome_e outcome)
{
    static const char *const names[] = { "committed", "aborted", "not started",
                                         "unknown" };

    return names[outcome];
}

/* ---- the program --------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*run)(void);
} all[] = {
    { "basics", test_basics },   { "sessions", test_sessions },
    { "waiting", test_waiting }, { "lanes", test_lanes },
    { "faults", test_faults },   { "load", test_load },
};

static int is_wanted(const char *name, int argc, char **argv)
{
    int i;

    for (i = 2; i < argc; i++) {
        if (!strcmp(argv[i], name)) {
            return 1;
        }
    }
    return argc <= 2;
}

int main(int argc, char **argv)
{
    size_t i;

    if (argc < 2 || !getenv("ALLOY_CLUSTER")) {
        fprintf(stderr,
                "usage: ALLOY_CLUSTER=tests/db/cluster %s DIRECTORY "
                "[TEST...]\n",
                argv[0]);
        return 2;
    }
    directory = argv[1];
    tool = getenv("ALLOY_CLUSTER");
    apr_initialize();
    alloy_log_set(diagnose, NULL, ALLOY_LOG_DEBUG);
    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (is_wanted(all[i].name, argc, argv)) {
            printf("# %s\n", all[i].name);
            all[i].run();
        }
    }
    printf("1..%d\n", tests);
    apr_terminate();
    return failures != 0;
}
