/* Waiting, and a server that ends, freezes or refuses: what callers are told,
 * how long it takes, and how it heals.
 */
#include "database.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* ---- one call in a thread of its own ------------------------------------------- */

typedef struct {
    alloy_db_t *db;
    const alloy_statement_t *statement;
    const char *values[3];
    alloy_outcome_e outcome;
    alloy_db_fault_t fault;
    char sqlstate[6];
    long took;
    pthread_t thread;
} job_t;

static void *run_job(void *baton)
{
    job_t *job = baton;
    long start = test_now();
    apr_pool_t *p;

    apr_pool_create(&p, NULL);
    job->outcome = test_run(job->db, job->statement, job->values, NULL,
                            &job->fault, p);
    job->took = test_now() - start;
    memcpy(job->sqlstate, job->fault.sqlstate, sizeof(job->sqlstate));
    apr_pool_destroy(p);
    return NULL;
}

static void start(job_t *job)
{
    pthread_create(&job->thread, NULL, run_job, job);
}

static void join(job_t *job)
{
    pthread_join(job->thread, NULL);
}

static job_t make_job(alloy_db_t *db, const alloy_statement_t *statement,
                      const char *first, const char *second, const char *third)
{
    job_t job = { .db = db,
                  .statement = statement,
                  .values = { first, second, third } };

    return job;
}

static void report(const job_t *job, int ok, const char *what)
{
    test_ok(ok, "%s: %s %s after %ld ms", what, test_outcome(job->outcome),
            job->sqlstate, job->took);
}

/* A read that must succeed, and how fast. */
static void check_read(alloy_db_t *db, long limit, const char *what)
{
    job_t job = make_job(db, &test_one, NULL, NULL, NULL);

    run_job(&job);
    report(&job, job.outcome == ALLOY_DB_COMMITTED && job.took <= limit, what);
}

/* Milliseconds until reads succeed. */
static long await_reads(alloy_db_t *db, long limit)
{
    long begun = test_now();
    apr_pool_t *p;

    apr_pool_create(&p, NULL);
    while (test_run(db, &test_one, NULL, NULL, NULL, p) != ALLOY_DB_COMMITTED
           && test_now() - begun < limit) {
        apr_sleep(5000);
    }
    apr_pool_destroy(p);
    return test_now() - begun;
}

/* ---- waiting ------------------------------------------------------------------ */

static void check_gate(void)
{
    apr_pool_t *pool;
    alloy_db_t *db = test_open(1, 1, &pool);
    job_t first = make_job(db, &test_sleep, "1.2", NULL, NULL);
    job_t second = make_job(db, &test_one, NULL, NULL, NULL);
    job_t third = make_job(db, &test_insert, "1", "x", NULL);
    job_t late = make_job(db, &test_sleep, "5", NULL, NULL);
    job_t lock = make_job(db, &test_sleep_slow, "2", NULL, NULL);

    start(&first);
    apr_sleep(100000);
    start(&second);
    start(&third);
    join(&second);
    join(&third);
    join(&first);
    report(&first, first.outcome == ALLOY_DB_COMMITTED, "the first");
    report(&second,
           second.outcome == ALLOY_DB_NOT_STARTED && second.took >= 245
               && second.took < 350,
           "a read waits 250 ms");
    report(&third,
           third.outcome == ALLOY_DB_NOT_STARTED && third.took >= 990
               && third.took < 1100,
           "a write waits 1 s");
    run_job(&late);
    report(&late,
           late.outcome == ALLOY_DB_UNKNOWN && late.took >= 1495
               && late.took < 1700,
           "a short read is given up at its deadline");
    run_job(&lock);
    report(&lock, lock.outcome == ALLOY_DB_COMMITTED,
           "a slow statement may take longer");
    test_close(pool);
}

static void check_slow_share(void)
{
    apr_pool_t *pool;
    alloy_db_t *db = test_open(2, 1, &pool);
    job_t first = make_job(db, &test_sleep_slow, "1", NULL, NULL);
    job_t second = make_job(db, &test_sleep_slow, "0", NULL, NULL);

    start(&first);
    apr_sleep(100000);
    check_read(db, 100, "a read beside a slow statement");
    run_job(&second);
    report(&second,
           second.outcome == ALLOY_DB_NOT_STARTED && second.took >= 245,
           "slow ones don't get all connections");
    check_read(db, 100, "a read beside two of them");
    join(&first);
    report(&first, first.outcome == ALLOY_DB_COMMITTED, "the first");
    test_close(pool);
}

void test_waiting(void)
{
    check_gate();
    check_slow_share();
}

/* ---- no server ---------------------------------------------------------------- */

static void check_nobody_there(void)
{
    alloy_db_config_t config = test_config(2);
    apr_pool_t *pool;
    alloy_db_t *db;
    alloy_db_state_t state;
    job_t job;

    config.conninfo = "postgresql://alloy_app:secret@127.0.0.1:1/postgres";
    db = test_open_as(&config, &pool);
    apr_sleep(300000);
    job = make_job(db, &test_insert, "1", "x", NULL);
    run_job(&job);
    report(&job, job.outcome == ALLOY_DB_NOT_STARTED && job.took < 20,
           "nobody listens: refused at once");
    alloy_db_state(db, &state);
    test_ok(!state.reachable, "and the state says so");
    test_close(pool);
    apr_pool_create(&pool, NULL);
    config.conninfo = "password=secret nonsense";
    test_ok(alloy_db_make(&db, &config, pool) == APR_EINVAL,
            "a connection string that can't be read");
    apr_pool_destroy(pool);
}

static void check_full(void)
{
    apr_pool_t *pool, *other;
    alloy_db_t *big = test_open(33, 1, &other);
    alloy_db_config_t config = test_config(8);
    alloy_db_t *db = test_open_as(&config, &pool);
    alloy_db_state_t state;

    apr_sleep(600000);
    alloy_db_state(db, &state);
    test_ok(state.connections == 2 && state.reachable,
            "the server is full: %d of 8 are open", state.connections);
    check_read(db, 100, "and serve");
    test_close(other);
    test_ok(test_await(db, 8) >= 0, "the others follow");
    (void)big;
    test_close(pool);
}

/* ---- sessions end --------------------------------------------------------------- */

static const char terminate[] =
    "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
    " WHERE usename = 'alloy_app'";

static void check_ended_sessions(void)
{
    apr_pool_t *pool;
    alloy_db_t *db = test_open(4, 1, &pool);
    job_t reader = make_job(db, &test_sleep, "0.4", NULL, NULL);
    job_t writer = make_job(db, &test_sleep_write, "30", "x", "0.4");
    const char *range[] = { "30", "31" };
    const alloy_result_t *result;
    apr_pool_t *p;

    test_cluster("sql", terminate);
    check_read(db, 250, "all idle sessions were ended");
    test_await(db, 4);
    start(&reader);
    start(&writer);
    apr_sleep(150000);
    test_cluster("sql", terminate);
    join(&reader);
    join(&writer);
    report(&reader, reader.outcome == ALLOY_DB_COMMITTED, "a read is resent");
    report(&writer, writer.outcome == ALLOY_DB_COMMITTED,
           "a write that was ended before its answer as well");
    apr_pool_create(&p, NULL);
    test_run(db, &test_count, range, &result, NULL, p);
    test_ok(test_int(result) == 1, "it happened once");
    apr_pool_destroy(p);
    test_close(pool);
}

static void check_crash(void)
{
    apr_pool_t *pool;
    alloy_db_t *db = test_open(4, 1, &pool);
    job_t writer = make_job(db, &test_sleep_write, "31", "x", "0.6");
    long back;

    start(&writer);
    apr_sleep(150000);
    test_cluster("kill-session", NULL);
    join(&writer);
    report(&writer, writer.outcome == ALLOY_DB_UNKNOWN,
           "a write in a cluster that crashes");
    back = await_reads(db, 10000);
    test_ok(back < 3000, "reads again after %ld ms", back);
    test_close(pool);
}

static void check_restart(const char *mode)
{
    apr_pool_t *pool;
    alloy_db_t *db = test_open(4, 1, &pool);
    job_t job = make_job(db, &test_one, NULL, NULL, NULL);
    long back;

    test_cluster("stop", mode);
    apr_sleep(700000);
    run_job(&job);
    report(&job, job.outcome == ALLOY_DB_NOT_STARTED && job.took < 150,
           "the server is stopped");
    test_cluster("start", NULL);
    back = await_reads(db, 10000);
    test_ok(back < 1000, "%s: reads again after %ld ms", mode, back);
    test_ok(test_await(db, 4) >= 0, "all connections are back");
    test_close(pool);
}

/* ---- silence -------------------------------------------------------------------- */

static void check_frozen_sessions(void)
{
    apr_pool_t *pool;
    alloy_db_t *db = test_open(2, 1, &pool);
    job_t reader = make_job(db, &test_sleep, "0", NULL, NULL);
    job_t writer = make_job(db, &test_insert, "40", "x", NULL);
    long back;

    test_cluster("freeze-sessions", NULL);
    start(&reader);
    start(&writer);
    join(&reader);
    join(&writer);
    report(&reader, reader.outcome == ALLOY_DB_UNKNOWN && reader.took < 1700,
           "a read on a frozen session");
    report(&writer, writer.outcome == ALLOY_DB_UNKNOWN && writer.took < 2700,
           "a write on a frozen session");
    back = await_reads(db, 5000);
    test_ok(back < 300, "new sessions serve after %ld ms", back);
    test_cluster("thaw-sessions", NULL);
    test_close(pool);
}

/* More than the socket takes: most of it is still here when time is up. */
static void check_frozen_amounts(void)
{
    apr_pool_t *pool, *p;
    alloy_db_t *db = test_open(1, 1, &pool);
    char *large;
    job_t writer;

    apr_pool_create(&p, NULL);
    large = apr_palloc(p, 8 * 1024 * 1024 + 1);
    memset(large, 'x', 8 * 1024 * 1024);
    large[8 * 1024 * 1024] = '\0';
    test_cluster("freeze-sessions", NULL);
    writer = make_job(db, &test_insert, "41", large, NULL);
    run_job(&writer);
    report(&writer, writer.outcome == ALLOY_DB_UNKNOWN && writer.took < 2700,
           "8 MiB for a frozen session");
    check_read(db, 300, "it is closed without waiting");
    test_cluster("thaw-sessions", NULL);
    apr_pool_destroy(p);
    test_close(pool);
}

static void check_frozen_postmaster(void)
{
    apr_pool_t *pool;
    alloy_db_t *db = test_open(4, 1, &pool);
    job_t reader = make_job(db, &test_one, NULL, NULL, NULL);
    int i;

    test_cluster("freeze", NULL);
    for (i = 0; i < 3; i++) {
        check_read(db, 50, "the postmaster is frozen, sessions are not");
    }
    test_cluster("freeze-sessions", NULL);
    run_job(&reader);
    report(&reader, reader.outcome == ALLOY_DB_UNKNOWN && reader.took < 1700,
           "all is frozen");
    run_job(&reader);
    report(&reader, reader.outcome == ALLOY_DB_UNKNOWN && reader.took < 1700,
           "while one is being opened, the others are tried");
    test_close(pool);
    test_cluster("thaw", NULL);
    test_cluster("thaw-sessions", NULL);
}

/* ---- replication ----------------------------------------------------------------- */

static void check_standby(void)
{
    apr_pool_t *pool;
    alloy_db_t *db = test_open(2, 1, &pool);
    job_t writer = make_job(db, &test_insert, "50", "x", NULL);

    test_cluster("sql", "ALTER SYSTEM SET synchronous_standby_names = 'none'");
    test_cluster("sql", "SELECT pg_reload_conf()");
    apr_sleep(300000);
    start(&writer);
    apr_sleep(500000);
    test_cluster("sql", "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                        " WHERE wait_event = 'SyncRep'");
    join(&writer);
    report(&writer, writer.outcome == ALLOY_DB_UNKNOWN && writer.took < 2400,
           "the wait for the standby was cancelled");
    check_read(db, 100, "a read waits for no standby");
    test_cluster("sql", "ALTER SYSTEM RESET synchronous_standby_names");
    test_cluster("sql", "SELECT pg_reload_conf()");
    test_close(pool);
}

void test_faults(void)
{
    check_nobody_there();
    check_full();
    check_ended_sessions();
    check_restart("fast");
    check_restart("immediate");
    check_crash();
    check_frozen_sessions();
    check_frozen_amounts();
    check_frozen_postmaster();
    check_standby();
    test_cluster("sql", "TRUNCATE alloy.note");
}
