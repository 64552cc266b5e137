/* Flushes in company: everybody sees and does his own, and a neighbour who
 * fails, waits or leaves is nobody's concern.
 */
#include "database.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#define FOLLOWERS 8
#define ATTEMPTS 40 /* until those who came together travel together */

#define WHO                                                                    \
    "now()::text AS at, current_setting('alloy.me', true) AS me,"              \
    " current_setting('alloy.orgs', true) AS orgs,"                            \
    " current_setting('alloy.all', true) AS all,"                              \
    " current_setting('alloy.projects', true) AS projects,"                    \
    " coalesce(current_setting('alloy.call', true), '') AS call"

static const char *const id_only[] = { "id", NULL };
static const char *const id_and_times[] = { "id", "times", NULL };

static const alloy_statement_t who = { .name = "who",
                                       .mode = ALLOY_SQL_ONE,
                                       .text = "SELECT " WHO };
static const alloy_statement_t sign = { .name = "sign",
                                        .mode = ALLOY_SQL_ONE,
                                        .flags = ALLOY_SQL_WRITE,
                                        .nparams = 1,
                                        .params = id_only,
                                        .text = "INSERT INTO note VALUES"
                                                " ($1::bigint, 'signed')"
                                                " RETURNING " WHO };
static const alloy_statement_t alter = { .name = "alter",
                                         .mode = ALLOY_SQL_ONE,
                                         .flags = ALLOY_SQL_WRITE,
                                         .nparams = 1,
                                         .params = id_only,
                                         .locks = "id",
                                         .text = "UPDATE note SET body = 'x'"
                                                 " WHERE id = $1::bigint"
                                                 " RETURNING " WHO };
static const alloy_statement_t total = { .name = "total",
                                         .mode = ALLOY_SQL_ONE,
                                         .nparams = 2,
                                         .params = id_and_times,
                                         .text = "SELECT count(*)::int FROM"
                                                 " note WHERE id >= $1::bigint"
                                                 " AND id < $2::bigint" };

/* ---- one call in a thread of its own ---------------------------------------- */

typedef struct {
    alloy_db_t *db;
    const alloy_statement_t *statement;
    const char *values[3];
    alloy_enter_t enter;
    apr_pool_t *pool; /* its results' */
    alloy_outcome_e outcome;
    alloy_db_fault_t fault;
    const alloy_result_t *result;
    int done;
    pthread_t thread;
} call_t;

static void *run_call(void *baton)
{
    call_t *call = baton;
    alloy_step_t step = { call->statement, call->values };

    call->outcome = alloy_db_flush(call->db, &call->enter, &step, 1,
                                   &call->result, &call->fault, call->pool);
    __atomic_store_n(&call->done, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void start(call_t *call, alloy_db_t *db,
                  const alloy_statement_t *statement)
{
    call->db = db;
    call->statement = statement;
    call->done = 0;
    call->result = NULL;
    apr_pool_create(&call->pool, NULL);
    if (!call->enter.user) {
        call->enter = test_enter();
    }
    call->enter.call = statement->flags & ALLOY_SQL_WRITE ? "{call}" : NULL;
    pthread_create(&call->thread, NULL, run_call, call);
}

static void join(call_t *call)
{
    pthread_join(call->thread, NULL);
}

static int is_done(call_t *call)
{
    return __atomic_load_n(&call->done, __ATOMIC_ACQUIRE);
}

static void forget(call_t *calls, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        apr_pool_destroy(calls[i].pool);
    }
}

static const char *cell(const call_t *call, const char *column)
{
    const char *text = NULL;

    if (call->result && alloy_result_rows(call->result)) {
        text = alloy_result_cell(call->result, 0,
                                 alloy_result_column(call->result, column),
                                 NULL);
    }
    return text ? text : "(none)";
}

/* ---- company ------------------------------------------------------------------ */

/* One seat for reads and one for writes. */
static alloy_db_t *open_narrow(apr_pool_t **ppool)
{
    alloy_db_config_t config = test_config(4);
    alloy_db_t *db;

    config.read_lanes = config.write_lanes = 1;
    db = test_open_as(&config, ppool);
    test_await(db, 4);
    return db;
}

/* Somebody takes the seat for a while; the others come meanwhile and wait for
 * it. CALLS know their statements already. */
static void run_together(alloy_db_t *db, call_t *calls, int count)
{
    int writes = (calls[0].statement->flags & ALLOY_SQL_WRITE) != 0;
    call_t first = { .values = { "0.06" } };
    int i;

    if (writes) {
        first.values[0] = "90";
        first.values[1] = "first";
        first.values[2] = "0.06";
        test_cluster("sql", "DELETE FROM alloy.note WHERE id = 90");
    }
    start(&first, db, writes ? &test_sleep_write : &test_sleep);
    apr_sleep(10000);
    for (i = 0; i < count; i++) {
        start(&calls[i], db, calls[i].statement);
    }
    for (i = 0; i < count; i++) {
        join(&calls[i]);
    }
    join(&first);
    forget(&first, 1);
}

/* How many of them were in one transaction with the first. */
static int companions(const call_t *calls, int count)
{
    int same = 0, i;

    for (i = 0; i < count; i++) {
        same += !strcmp(cell(&calls[0], "at"), cell(&calls[i], "at"));
    }
    return same;
}

/* ---- whose settings ------------------------------------------------------------- */

static void describe(call_t *call, int number, apr_pool_t *p)
{
    call->enter = test_enter();
    call->enter.orgs = apr_psprintf(p, "{01890000-0000-7000-8000-0000000000%02d}",
                                    number);
    call->enter.all = number % 2 ? call->enter.orgs : "";
    call->enter.projects = number % 3 ? "" : "*";
}

static int has_own(const call_t *call)
{
    return call->outcome == ALLOY_DB_COMMITTED
           && !strcmp(cell(call, "me"), USER)
           && !strcmp(cell(call, "orgs"), call->enter.orgs)
           && !strcmp(cell(call, "all"), call->enter.all)
           && !strcmp(cell(call, "projects"), call->enter.projects)
           && !strcmp(cell(call, "call"),
                      call->enter.call ? call->enter.call : "");
}

static int repeat_reads(alloy_db_t *db, call_t *calls, int *own, int *stale)
{
    int attempt, shared = 0, i;

    for (attempt = 0; attempt < ATTEMPTS && shared < FOLLOWERS - 1; attempt++) {
        run_together(db, calls, FOLLOWERS);
        shared = companions(calls, FOLLOWERS);
        for (i = 0; i < FOLLOWERS; i++) {
            *own += i == 3 || has_own(&calls[i]);
        }
        *stale += calls[3].outcome == ALLOY_DB_ABORTED && calls[3].fault.stale
                  && !calls[3].result;
        forget(calls, FOLLOWERS);
        *own -= FOLLOWERS;
        *stale -= 1;
    }
    return shared;
}

static void check_settings(void)
{
    call_t calls[FOLLOWERS] = { { .db = NULL } };
    apr_pool_t *pool, *p;
    alloy_db_t *db = open_narrow(&pool);
    int own = 0, stale = 0, shared, i;

    apr_pool_create(&p, NULL);
    for (i = 0; i < FOLLOWERS; i++) {
        calls[i].statement = &who;
        describe(&calls[i], i, p);
    }
    calls[3].enter.version = "6";
    shared = repeat_reads(db, calls, &own, &stale);
    test_ok(shared == FOLLOWERS - 1, "%d reads shared a transaction", shared);
    test_ok(own == 0, "each with his own settings");
    test_ok(stale == 0, "but one who was stale, and he alone");
    apr_pool_destroy(p);
    test_close(pool);
}

/* ---- who fails -------------------------------------------------------------------- */

static void number_writes(call_t *calls, const alloy_statement_t *statement,
                          int from, apr_pool_t *p)
{
    int i;

    for (i = 0; i < FOLLOWERS; i++) {
        calls[i].statement = statement;
        calls[i].values[0] = apr_itoa(p, from + i);
        describe(&calls[i], i, p);
    }
}

static int count_notes(alloy_db_t *db, const char *from, const char *to,
                       apr_pool_t *p)
{
    const char *range[] = { from, to };
    const alloy_result_t *result = NULL;

    test_run(db, &total, range, &result, NULL, p);
    return test_int(result);
}

#define FAILS 5

/* In a database of its own, since users who fail are remembered. @return how
 * many of the others were written in one transaction after all */
static int fail_once(int from, int *right, int *told, apr_pool_t *p)
{
    call_t calls[FOLLOWERS] = { { .db = NULL } };
    apr_pool_t *pool;
    alloy_db_t *db = open_narrow(&pool);
    int together, i;

    number_writes(calls, &sign, from, p);
    calls[FAILS].values[0] = "200";
    run_together(db, calls, FOLLOWERS);
    for (i = 0; i < FOLLOWERS; i++) {
        *right += i != FAILS && has_own(&calls[i]);
    }
    *told += calls[FAILS].outcome == ALLOY_DB_ABORTED
             && !strcmp(calls[FAILS].fault.sqlstate, "23505")
             && !strcmp(calls[FAILS].fault.statement, "sign");
    together = companions(calls, FOLLOWERS);
    *right -= count_notes(db, calls[0].values[0], "300", p);
    forget(calls, FOLLOWERS);
    test_close(pool);
    return together;
}

static void check_failure(void)
{
    int right = 0, told = 0, together = 0, attempt;
    alloy_db_shared_t shared;
    const char *there[] = { "200" };
    apr_pool_t *pool, *p;
    alloy_db_t *db = open_narrow(&pool);

    apr_pool_create(&p, NULL);
    test_run(db, &sign, there, NULL, NULL, p);
    test_run(db, &sign, there, NULL, NULL, p);
    alloy_db_shared(db, &shared);
    test_ok(shared.calls == 2 && shared.trips == 2 && shared.failures == 1,
            "calls are counted, and a failure");
    for (attempt = 0; attempt < 10 && together < FOLLOWERS - 1; attempt++) {
        together = fail_once(201 + attempt * FOLLOWERS, &right, &told, p);
    }
    test_ok(together == FOLLOWERS - 1,
            "%d neighbours of a failure stay together", together);
    test_ok(right == 0, "each of them is written once");
    test_ok(told == attempt, "the one who failed learns why");
    apr_pool_destroy(p);
    test_close(pool);
}

/* Whoever failed is not let in again for a while: he is done while the seat is
 * still taken. */
static void check_penalty(void)
{
    apr_pool_t *pool, *p;
    alloy_db_t *db = open_narrow(&pool);
    const char *twice[] = { "300" };
    int attempt, apart = 0;

    apr_pool_create(&p, NULL);
    test_run(db, &sign, twice, NULL, NULL, p);
    test_run(db, &sign, twice, NULL, NULL, p);
    for (attempt = 0; attempt < ATTEMPTS && !apart; attempt++) {
        call_t first = { .values = { "0.09" } };
        call_t second = { .values = { apr_itoa(p, 301 + attempt) } };

        first.values[0] = apr_itoa(p, 901 + attempt);
        first.values[1] = "x";
        first.values[2] = "0.09";
        start(&first, db, &test_sleep_write);
        start(&second, db, &sign);
        join(&second);
        apart = !is_done(&first);
        join(&first);
        forget(&first, 1);
        forget(&second, 1);
    }
    test_ok(apart, "who failed waits for nobody and nobody for him");
    apr_pool_destroy(p);
    test_close(pool);
}

/* ---- who waits for a lock --------------------------------------------------------- */

static void check_lock(void)
{
    call_t calls[FOLLOWERS] = { { .db = NULL } };
    call_t blocked = { .values = { "400" } };
    apr_pool_t *pool, *p;
    alloy_db_t *db = open_narrow(&pool);
    alloy_enter_t enter = test_enter();
    const char *id[] = { "400" };
    alloy_step_t step = { &alter, id };
    const alloy_result_t *result;
    alloy_session_t *session;
    alloy_db_fault_t fault;
    int written = 0, i;

    apr_pool_create(&p, NULL);
    test_run(db, &sign, id, NULL, NULL, p);
    enter.call = "{s}";
    alloy_db_begin(&session, db, &enter, &fault, p);
    alloy_db_step(session, &step, &result, &fault);
    number_writes(calls, &sign, 401, p);
    start(&blocked, db, &alter);
    run_together(db, calls, FOLLOWERS);
    for (i = 0; i < FOLLOWERS; i++) {
        written += has_own(&calls[i]);
    }
    test_ok(written == FOLLOWERS && !is_done(&blocked),
            "a lock stops only him who needs it");
    test_ok(alloy_db_commit(session, &fault) == ALLOY_DB_COMMITTED, "it ends");
    join(&blocked);
    test_ok(blocked.outcome == ALLOY_DB_COMMITTED, "and he goes on: %s %s",
            test_outcome(blocked.outcome), blocked.fault.sqlstate);
    forget(calls, FOLLOWERS);
    forget(&blocked, 1);
    apr_pool_destroy(p);
    test_close(pool);
}

/* ---- the order of locks ------------------------------------------------------------ */

typedef struct {
    alloy_db_t *db;
    int number, failed;
    pthread_t thread;
} writer_t;

static void *run_writer(void *baton)
{
    writer_t *writer = baton;
    apr_pool_t *p;
    int i;

    apr_pool_create(&p, NULL);
    for (i = 0; i < 60; i++) {
        int row = (writer->number * 7 + i * (writer->number % 2 ? 1 : 3)) % 5;
        const char *id[] = { apr_itoa(p, 500 + row) };
        alloy_db_fault_t fault;

        writer->failed += test_run(writer->db, &alter, id, NULL, &fault, p)
                          != ALLOY_DB_COMMITTED;
        apr_pool_clear(p);
    }
    apr_pool_destroy(p);
    return NULL;
}

static const alloy_statement_t deadlocks = {
    .name = "deadlocks",
    .mode = ALLOY_SQL_ONE,
    .text = "SELECT sum(deadlocks)::int FROM pg_stat_database"
};

/* Two processes and many who want the same few rows. */
static void check_order(void)
{
    writer_t writers[2 * FOLLOWERS];
    apr_pool_t *pools[2], *p;
    alloy_db_t *dbs[2];
    const alloy_result_t *result;
    int before, failed = 0, i;

    apr_pool_create(&p, NULL);
    dbs[0] = open_narrow(&pools[0]);
    dbs[1] = open_narrow(&pools[1]);
    test_cluster("sql", "INSERT INTO alloy.note SELECT i, 'row' FROM"
                        " generate_series(500, 504) i");
    test_run(dbs[0], &deadlocks, NULL, &result, NULL, p);
    before = test_int(result);
    for (i = 0; i < 2 * FOLLOWERS; i++) {
        writers[i].db = dbs[i % 2];
        writers[i].number = i;
        writers[i].failed = 0;
        pthread_create(&writers[i].thread, NULL, run_writer, &writers[i]);
    }
    for (i = 0; i < 2 * FOLLOWERS; i++) {
        pthread_join(writers[i].thread, NULL);
        failed += writers[i].failed;
    }
    test_run(dbs[0], &deadlocks, NULL, &result, NULL, p);
    test_ok(failed == 0 && test_int(result) == before,
            "batches that want the same rows: %d failed, %d deadlocks", failed,
            test_int(result) - before);
    apr_pool_destroy(p);
    test_close(pools[0]);
    test_close(pools[1]);
}

/* ---- silence ------------------------------------------------------------------------ */

static void check_silence(void)
{
    call_t calls[FOLLOWERS] = { { .db = NULL } };
    apr_pool_t *pool, *p;
    alloy_db_t *db = open_narrow(&pool);
    long begun, took;
    int unknown = 0, i;

    apr_pool_create(&p, NULL);
    number_writes(calls, &sign, 600, p);
    test_cluster("freeze-sessions", NULL);
    begun = test_now();
    for (i = 0; i < FOLLOWERS; i++) {
        start(&calls[i], db, i % 2 ? &who : &sign);
    }
    for (i = 0; i < FOLLOWERS; i++) {
        join(&calls[i]);
        unknown += calls[i].outcome == ALLOY_DB_UNKNOWN
                   || calls[i].outcome == ALLOY_DB_NOT_STARTED;
    }
    took = test_now() - begun;
    test_ok(unknown == FOLLOWERS && took < 3500,
            "nobody hears of a frozen server: all leave after %ld ms", took);
    test_cluster("thaw-sessions", NULL);
    test_ok(test_await(db, 4) >= 0, "it is replaced");
    forget(calls, FOLLOWERS);
    number_writes(calls, &sign, 620, p);
    run_together(db, calls, FOLLOWERS);
    for (i = 0, unknown = 0; i < FOLLOWERS; i++) {
        unknown += !has_own(&calls[i]);
    }
    test_ok(unknown == 0, "and all is as before");
    forget(calls, FOLLOWERS);
    apr_pool_destroy(p);
    test_close(pool);
}

/* Values that are too large for company, and a batch of many large ones. */
static void check_amounts(void)
{
    call_t calls[FOLLOWERS] = { { .db = NULL } };
    apr_pool_t *pool, *p;
    alloy_db_t *db = open_narrow(&pool);
    int right = 0, i, length = 0;

    apr_pool_create(&p, NULL);
    for (i = 0; i < FOLLOWERS; i++) {
        int size = i ? 60000 : 3000000;
        char *text = apr_palloc(p, (apr_size_t)size + 1);

        memset(text, 'a' + i, (apr_size_t)size);
        text[size] = '\0';
        calls[i].statement = &test_echo;
        calls[i].values[0] = text;
    }
    run_together(db, calls, FOLLOWERS);
    for (i = 0; i < FOLLOWERS; i++) {
        const char *text = calls[i].result
                               ? alloy_result_cell(calls[i].result, 0, 0,
                                                   &length)
                               : NULL;

        right += text && length == (int)strlen(calls[i].values[0])
                 && !memcmp(text, calls[i].values[0], (size_t)length);
    }
    test_ok(right == FOLLOWERS, "large values come back to their owners");
    forget(calls, FOLLOWERS);
    apr_pool_destroy(p);
    test_close(pool);
}

void test_lanes(void)
{
    check_settings();
    check_failure();
    check_penalty();
    check_lock();
    check_order();
    check_silence();
    check_amounts();
    test_cluster("sql", "TRUNCATE alloy.note");
}
