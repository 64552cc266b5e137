/* Flushes and sessions against a server that behaves: results, settings,
 * errors, what is tried again, and large amounts.
 */
#include "database.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#define MIB (1024 * 1024)
#define STEPS 40

static const char *cell(const alloy_result_t *result, const char *column)
{
    int length = 0;
    const char *text = alloy_result_cell(result, 0,
                                         alloy_result_column(result, column),
                                         &length);

    return text && (int)strlen(text) == length ? text : "(null)";
}

static void check_settings(alloy_db_t *db, apr_pool_t *p)
{
    alloy_enter_t enter = test_enter();
    alloy_step_t step = { &test_settings, NULL };
    const alloy_result_t *result;
    alloy_db_fault_t fault;

    enter.orgs = "{01890000-0000-7000-8000-00000000000a}";
    enter.call = "{a,b}";
    test_ok(alloy_db_flush(db, &enter, &step, 1, &result, &fault, p)
                == ALLOY_DB_COMMITTED,
            "settings are sent");
    test_ok(!strcmp(cell(result, "me"), USER), "me");
    test_ok(!strcmp(cell(result, "orgs"), enter.orgs), "orgs");
    test_ok(!strcmp(cell(result, "projects"), "*"), "projects");
    test_ok(!strcmp(cell(result, "call"), "{a,b}"), "call");
    test_ok(!strcmp(cell(result, "plan"), "force_custom_plan"), "plan");
    test_ok(!strcmp(cell(result, "timeout"), "1350ms"), "timeout: %s",
            cell(result, "timeout"));
    test_ok(!alloy_result_cell(result, 0,
                               alloy_result_column(result, "nothing"), NULL),
            "NULL is NULL");
    test_ok(alloy_result_column(result, "none") == -1, "no such column");
    test_ok(alloy_result_columns(result) == 8
                && !strcmp(alloy_result_name(result, 0), "me")
                && alloy_result_type(result, 0) == 25,
            "names and types");
}

static void check_public(alloy_db_t *db, apr_pool_t *p)
{
    alloy_enter_t nobody = { .user = NULL };
    alloy_step_t step = { &test_settings, NULL };
    const alloy_result_t *result;
    alloy_db_fault_t fault;

    alloy_db_flush(db, &nobody, &step, 1, &result, &fault, p);
    test_ok(result && !strcmp(cell(result, "me"), "")
                && !strcmp(cell(result, "orgs"), "")
                && !strcmp(cell(result, "call"), ""),
            "nobody's settings are empty, whoever came before");
}

static void check_stale(alloy_db_t *db, apr_pool_t *p)
{
    alloy_enter_t enter = test_enter();
    alloy_step_t step = { &test_settings, NULL };
    const alloy_result_t *result;
    alloy_db_fault_t fault;
    alloy_session_t *session;

    enter.version = "6";
    test_ok(alloy_db_flush(db, &enter, &step, 1, &result, &fault, p)
                    == ALLOY_DB_ABORTED
                && fault.stale && !result,
            "an older version is stale, and its results are gone");
    test_ok(alloy_db_begin(&session, db, &enter, &fault, p) == ALLOY_DB_ABORTED
                && fault.stale && !session,
            "no session begins with it");
    enter.version = "7";
    test_ok(alloy_db_flush(db, &enter, NULL, 0, &result, &fault, p)
                    == ALLOY_DB_COMMITTED
                && !fault.stale,
            "verifying alone needs no step");
}

static void check_errors(alloy_db_t *db, apr_pool_t *p)
{
    const char *first[] = { "1", "one" };
    const char *second[] = { "2", "two" };
    const char *nothing[] = { "2", NULL };
    const char *range[] = { "0", "100" };
    alloy_step_t steps[] = { { &test_insert, second },
                             { &test_insert, first },
                             { &test_one, NULL } };
    alloy_enter_t enter = test_enter();
    const alloy_result_t *results[3], *result;
    alloy_db_fault_t fault;

    test_ok(test_run(db, &test_insert, first, &result, &fault, p)
                    == ALLOY_DB_COMMITTED
                && alloy_result_touched(result) == 1,
            "a row is written");
    test_ok(alloy_db_flush(db, &enter, steps, 3, results, &fault, p)
                == ALLOY_DB_ABORTED,
            "a second one with the same key is refused");
    test_ok(!strcmp(fault.sqlstate, "23505") && fault.constraint
                && !strcmp(fault.constraint, "note_pkey")
                && !strcmp(fault.statement, "test_insert") && !results[0]
                && !results[1] && !results[2],
            "by name, without results");
    test_run(db, &test_count, range, &result, &fault, p);
    test_ok(test_int(result) == 1, "and the statement before it is undone");
    test_ok(alloy_result_touched(result) == -1, "a SELECT touches nothing");
    test_ok(test_run(db, &test_insert, nothing, NULL, &fault, p)
                == ALLOY_DB_COMMITTED,
            "NULL is a value");
}

static void check_retries(alloy_db_t *db, int prepare, apr_pool_t *p)
{
    const char *conflict[] = { "40001", "3" };
    const char *forbidden[] = { "42501", "2" };
    alloy_db_fault_t fault;
    const alloy_result_t *result;
    int i;

    test_cluster("sql", "ALTER SEQUENCE alloy.tries RESTART");
    test_ok(test_run(db, &test_flaky, conflict, NULL, &fault, p)
                == ALLOY_DB_COMMITTED,
            "the third try gets through");
    test_cluster("sql", "ALTER SEQUENCE alloy.tries RESTART");
    test_ok(test_run(db, &test_flaky, forbidden, NULL, &fault, p)
                    == ALLOY_DB_ABORTED
                && !strcmp(fault.sqlstate, "42501"),
            "what won't pass is not tried again");
    for (i = 0; i < 8; i++) {
        test_run(db, &test_changing, NULL, &result, &fault, p);
    }
    test_cluster("sql", "ALTER TABLE alloy.changing ADD b int");
    test_ok(test_run(db, &test_changing, NULL, &result, &fault, p)
                    == ALLOY_DB_COMMITTED
                && alloy_result_columns(result) == 2,
            "plans of an older schema are replaced");
    test_cluster("sql", "ALTER TABLE alloy.changing DROP b");
    if (prepare) {
        test_run(db, &test_deallocate, NULL, NULL, &fault, p);
        test_ok(test_run(db, &test_one, NULL, &result, &fault, p)
                        == ALLOY_DB_COMMITTED
                    && test_int(result) == 1,
                "forgotten statements are prepared again");
    }
}

static void check_amounts(int prepare, apr_pool_t *p)
{
    alloy_db_config_t config = test_config(1);
    apr_pool_t *pool;
    alloy_db_t *db;
    alloy_enter_t enter = test_enter();
    char *large = apr_palloc(p, MIB + 1);
    const char *values[1];
    alloy_step_t steps[STEPS];
    const alloy_result_t *results[STEPS];
    alloy_db_fault_t fault;
    int i, length = 0, right = 0;

    config.prepare = prepare;
    config.read_deadline = apr_time_from_sec(20); /* sanitizers copy */
    config.read_wait = apr_time_from_sec(2);
    db = test_open_as(&config, &pool);
    memset(large, 'x', MIB);
    large[MIB] = '\0';
    values[0] = large;
    for (i = 0; i < STEPS; i++) {
        steps[i].statement = &test_echo;
        steps[i].values = values;
    }
    test_ok(alloy_db_flush(db, &enter, steps, STEPS, results, &fault, p)
                == ALLOY_DB_COMMITTED,
            "%d MiB there and back in one flush", STEPS);
    for (i = 0; i < STEPS && results[i]; i++) {
        alloy_result_cell(results[i], 0, 0, &length);
        right += length == MIB;
    }
    test_ok(right == STEPS, "all of it");
    test_close(pool);
}

static void check_schema(alloy_db_t *db)
{
    static const char *const components[] = { "core", "finance" };
    static const int versions[] = { 2, 1 }, later[] = { 2, 2 },
                     earlier[] = { 1, 1 };
    alloy_db_state_t state;

    alloy_db_expect(db, components, versions, 2);
    apr_sleep(200000);
    alloy_db_state(db, &state);
    test_ok(state.schema_fits && state.migration == 2 && state.reachable,
            "the schema fits");
    alloy_db_expect(db, components, later, 2);
    apr_sleep(200000);
    alloy_db_state(db, &state);
    test_ok(!state.schema_fits && strstr(state.schema_fault, "finance"),
            "a plugin's is too old: %s", state.schema_fault);
    test_cluster("sql", "INSERT INTO alloy.schema_range VALUES ('core', 2)");
    alloy_db_expect(db, components, earlier, 2);
    apr_sleep(200000);
    alloy_db_state(db, &state);
    test_ok(!state.schema_fits && strstr(state.schema_fault, "no longer"),
            "the server is too old: %s", state.schema_fault);
    test_cluster("sql", "DELETE FROM alloy.schema_range;"
                        " ALTER TABLE alloy.schema_migration RENAME TO away");
    alloy_db_expect(db, components, versions, 2);
    apr_sleep(200000);
    alloy_db_state(db, &state);
    test_ok(!state.schema_fits, "there is none: %s", state.schema_fault);
    test_cluster("sql", "ALTER TABLE alloy.away RENAME TO schema_migration");
    apr_sleep(6000000);
    alloy_db_state(db, &state);
    test_ok(state.schema_fits && !state.schema_fault, "and it heals");
}

static void run_basics(int prepare, int lanes)
{
    alloy_db_config_t config = test_config(3);
    apr_pool_t *pool, *p;
    alloy_db_t *db;

    config.prepare = prepare;
    config.read_lanes = config.write_lanes = lanes;
    db = test_open_as(&config, &pool);
    test_await(db, 3);
    apr_pool_create(&p, NULL);
    check_settings(db, p);
    check_public(db, p);
    check_stale(db, p);
    check_errors(db, p);
    check_retries(db, prepare, p);
    check_amounts(prepare, p);
    if (prepare && lanes) {
        check_schema(db);
    }
    apr_pool_destroy(p);
    test_close(pool);
    test_cluster("sql", "TRUNCATE alloy.note");
}

void test_basics(void)
{
    run_basics(1, 1);
    run_basics(0, 1);
    run_basics(1, 0);
}

/* ---- sessions ---------------------------------------------------------------- */

static int count(alloy_db_t *db, const char *from, const char *to,
                 apr_pool_t *p)
{
    const char *range[] = { from, to };
    const alloy_result_t *result = NULL;

    test_run(db, &test_count, range, &result, NULL, p);
    return test_int(result);
}

static alloy_session_t *begin(alloy_db_t *db, apr_pool_t *p)
{
    alloy_enter_t enter = test_enter();
    alloy_session_t *session;
    alloy_db_fault_t fault;

    enter.call = "{s}";
    test_ok(alloy_db_begin(&session, db, &enter, &fault, p)
                == ALLOY_DB_COMMITTED,
            "a session begins");
    return session;
}

static alloy_outcome_e insert(alloy_session_t *session, const char *id)
{
    const char *values[] = { id, "session" };
    alloy_step_t step = { &test_insert, values };
    const alloy_result_t *result;
    alloy_db_fault_t fault;

    return alloy_db_step(session, &step, &result, &fault);
}

static void check_steps(alloy_db_t *db, apr_pool_t *p)
{
    const char *second[] = { "0.1" };
    alloy_step_t settings = { &test_settings, NULL };
    alloy_step_t slow = { &test_sleep_slow, second };
    alloy_enter_t enter = test_enter();
    alloy_session_t *session = begin(db, p);
    const alloy_result_t *result;
    alloy_db_fault_t fault;

    test_ok(insert(session, "10") == ALLOY_DB_COMMITTED, "a step");
    test_ok(count(db, "10", "20", p) == 0, "nobody else sees it yet");
    test_ok(alloy_db_step(session, &settings, &result, &fault)
                    == ALLOY_DB_COMMITTED
                && !strcmp(cell(result, "call"), "{s}")
                && !strcmp(cell(result, "plan"), "force_custom_plan")
                && !strcmp(cell(result, "timeout"), "2250ms"),
            "its settings and a custom plan");
    enter.orgs = "{01890000-0000-7000-8000-00000000000a}";
    test_ok(alloy_db_enter(session, &enter, &fault) == ALLOY_DB_COMMITTED,
            "other settings");
    alloy_db_step(session, &settings, &result, &fault);
    test_ok(!strcmp(cell(result, "orgs"), enter.orgs), "are in force");
    test_ok(alloy_db_step(session, &slow, &result, &fault)
                == ALLOY_DB_COMMITTED,
            "a slow step");
    test_ok(alloy_db_commit(session, &fault) == ALLOY_DB_COMMITTED, "commit");
    test_ok(count(db, "10", "20", p) == 1, "everybody sees it");
}

static void check_ends(alloy_db_t *db, apr_pool_t *p)
{
    alloy_session_t *session = begin(db, p);
    apr_pool_t *child;
    alloy_db_fault_t fault;

    insert(session, "11");
    alloy_db_rollback(session);
    test_ok(count(db, "10", "20", p) == 1, "rolled back");
    apr_pool_create(&child, p);
    session = begin(db, child);
    insert(session, "12");
    apr_pool_destroy(child);
    test_ok(count(db, "10", "20", p) == 1, "forgotten");
    session = begin(db, p);
    insert(session, "13");
    test_ok(insert(session, "10") == ALLOY_DB_ABORTED, "an error");
    test_ok(insert(session, "14") == ALLOY_DB_ABORTED, "ends it");
    test_ok(alloy_db_commit(session, &fault) == ALLOY_DB_ABORTED,
            "and COMMIT tells");
    test_ok(count(db, "10", "20", p) == 1, "nothing of it is there");
}

static void check_end_by_server(alloy_db_t *db, apr_pool_t *p)
{
    alloy_session_t *session = begin(db, p);
    alloy_db_fault_t fault;

    insert(session, "15");
    test_cluster("sql", "SELECT pg_terminate_backend(pid) FROM "
                        "pg_stat_activity WHERE state = 'idle in transaction'");
    test_ok(insert(session, "16") == ALLOY_DB_ABORTED, "its server ends");
    test_ok(insert(session, "17") == ALLOY_DB_ABORTED, "no step after that");
    test_ok(alloy_db_commit(session, &fault) == ALLOY_DB_ABORTED,
            "no commit after that");
    session = begin(db, p);
    insert(session, "18");
    test_cluster("sql", "SELECT pg_terminate_backend(pid) FROM "
                        "pg_stat_activity WHERE state = 'idle in transaction'");
    test_ok(alloy_db_commit(session, &fault) == ALLOY_DB_UNKNOWN,
            "ended at COMMIT: unknown");
    test_ok(count(db, "10", "20", p) == 1, "nothing of it is there");
}

void test_sessions(void)
{
    apr_pool_t *pool, *p;
    alloy_db_t *db = test_open(3, 1, &pool);
    alloy_db_state_t state;

    apr_pool_create(&p, NULL);
    check_steps(db, p);
    check_ends(db, p);
    check_end_by_server(db, p);
    test_ok(test_await(db, 3) >= 0, "all connections are there");
    apr_sleep(100000); /* the connector looks at the new one first */
    alloy_db_state(db, &state);
    test_ok(state.idle == 3, "and idle (%d)", state.idle);
    apr_pool_destroy(p);
    test_close(pool);
    test_cluster("sql", "TRUNCATE alloy.note");
}
