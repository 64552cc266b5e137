/* Tests of the connection pool against a real server and its faults: what the
 * files of this folder share. The program speaks TAP.
 */
#ifndef ALLOY_TESTS_DB_DATABASE_H
#define ALLOY_TESTS_DB_DATABASE_H

#include <apr_pools.h>
#include <apr_time.h>

#include "../../mod_alloy/core/db.h"

#define USER "01890000-0000-7000-8000-000000000001"

extern const alloy_statement_t test_one, test_settings, test_insert, test_pid,
    test_echo, test_sleep, test_sleep_write, test_sleep_slow, test_flaky,
    test_changing, test_deallocate, test_count;

/* One line of TAP; OK is returned. */
int test_ok(int ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Runs tests/db/cluster. @return its exit code */
int test_cluster(const char *verb, const char *argument);
/* Monotonic, in milliseconds. */
long test_now(void);

/* A database of its own in a pool of its own; test_close ends both. */
alloy_db_t *test_open(int connections, int prepare, apr_pool_t **ppool);
alloy_db_t *test_open_as(const alloy_db_config_t *config, apr_pool_t **ppool);
alloy_db_config_t test_config(int connections);
void test_close(apr_pool_t *pool);
/* Wait until CONNECTIONS are open. @return milliseconds, -1: 5 s were over */
long test_await(alloy_db_t *db, int connections);

/* One statement with up to three values, as user (or NULL: public). */
alloy_outcome_e test_run(alloy_db_t *db, const alloy_statement_t *statement,
                         const char *const *values,
                         const alloy_result_t **presult,
                         alloy_db_fault_t *fault, apr_pool_t *pool);
int test_int(const alloy_result_t *result);
alloy_enter_t test_enter(void);
const char *test_outcome(alloy_outcome_e outcome);

/* the tests */
void test_basics(void);
void test_sessions(void);
void test_waiting(void);
void test_lanes(void);
void test_faults(void);
void test_load(void);

#endif
