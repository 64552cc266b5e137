/* Many threads read and write while the server is restarted, crashes, freezes
 * and loses sessions. Then the books are compared: what was said to be
 * committed is there once, what was said to have had no effect is not.
 */
#include "database.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#define THREADS 32
#define ROUNDS 1                /* of all faults, ten seconds each */
#define ROWS 1000000 /* ids a thread may use */

typedef struct {
    alloy_db_t *db;
    int number;
    volatile int *stop;
    unsigned char *told; /* outcome of each id, plus one */
    int written;
    long outcomes[4], reads[4];
    long longest;
    pthread_t thread;
} client_t;

static alloy_outcome_e write_in_session(client_t *client,
                                        const char *const *values,
                                        apr_pool_t *p)
{
    alloy_enter_t enter = test_enter();
    alloy_step_t step = { &test_insert, values };
    const alloy_result_t *result;
    alloy_session_t *session;
    alloy_db_fault_t fault;
    alloy_outcome_e outcome = alloy_db_begin(&session, client->db, &enter,
                                             &fault, p);

    if (outcome != ALLOY_DB_COMMITTED) {
        return ALLOY_DB_NOT_STARTED; /* BEGIN alone has no effect */
    }
    outcome = alloy_db_step(session, &step, &result, &fault);
    if (outcome != ALLOY_DB_COMMITTED) {
        alloy_db_rollback(session);
        return ALLOY_DB_ABORTED;
    }
    return alloy_db_commit(session, &fault);
}

static void write_one(client_t *client, apr_pool_t *p)
{
    int id = client->written++;
    const char *values[2];
    alloy_outcome_e outcome;

    values[0] = apr_psprintf(p, "%d", 1000 + client->number * ROWS + id);
    values[1] = "load";
    outcome = id % 4 == 3
                  ? write_in_session(client, values, p)
                  : test_run(client->db, &test_insert, values, NULL, NULL, p);
    client->told[id] = (unsigned char)(outcome + 1);
    client->outcomes[outcome]++;
}

static void *run_client(void *baton)
{
    client_t *client = baton;
    apr_pool_t *p;

    apr_pool_create(&p, NULL);
    while (!__atomic_load_n(client->stop, __ATOMIC_RELAXED)
           && client->written < ROWS) {
        long start = test_now();

        write_one(client, p);
        client->reads[test_run(client->db, &test_one, NULL, NULL, NULL, p)]++;
        if (test_now() - start > client->longest) {
            client->longest = test_now() - start;
        }
        apr_pool_clear(p);
        apr_sleep(2000);
    }
    apr_pool_destroy(p);
    return NULL;
}

/* ---- the books -------------------------------------------------------------- */

static const alloy_statement_t test_ids = {
    .name = "test_ids",
    .mode = ALLOY_SQL_MANY,
    .nparams = 2,
    .text = "SELECT (id - $1::bigint)::int FROM note WHERE id >= $1::bigint"
            " AND id < $2::bigint ORDER BY id"
};

static void compare(client_t *client, int *lost, int *ghosts)
{
    apr_pool_t *p;
    const alloy_result_t *result = NULL;
    unsigned char *there;
    const char *range[2];
    int i;

    apr_pool_create(&p, NULL);
    range[0] = apr_psprintf(p, "%d", 1000 + client->number * ROWS);
    range[1] = apr_psprintf(p, "%d", 1000 + (client->number + 1) * ROWS);
    there = apr_pcalloc(p, ROWS);
    test_run(client->db, &test_ids, range, &result, NULL, p);
    for (i = 0; result && i < alloy_result_rows(result); i++) {
        const unsigned char *cell = (const unsigned char *)
            alloy_result_cell(result, i, 0, NULL);

        there[cell[1] << 16 | cell[2] << 8 | cell[3]] = 1;
    }
    for (i = 0; i < client->written; i++) {
        int told = client->told[i] - 1;

        *lost += told == ALLOY_DB_COMMITTED && !there[i];
        *ghosts += (told == ALLOY_DB_ABORTED || told == ALLOY_DB_NOT_STARTED)
                   && there[i];
    }
    *lost += !result;
    apr_pool_destroy(p);
}

static void close_books(client_t *clients)
{
    long writes[4] = { 0 }, reads[4] = { 0 }, longest = 0;
    int lost = 0, ghosts = 0, i, k;

    for (i = 0; i < THREADS; i++) {
        compare(&clients[i], &lost, &ghosts);
        for (k = 0; k < 4; k++) {
            writes[k] += clients[i].outcomes[k];
            reads[k] += clients[i].reads[k];
        }
        if (clients[i].longest > longest) {
            longest = clients[i].longest;
        }
    }
    test_ok(lost == 0, "%ld acknowledged writes are there (%d are not)",
            writes[0], lost);
    test_ok(ghosts == 0,
            "%ld aborted and %ld not started ones are not (%d "
            "are); %ld unknown",
            writes[1], writes[2], ghosts, writes[3]);
    test_ok(reads[0] > 0,
            "reads: %ld served, %ld aborted, %ld not started, "
            "%ld without an answer; longest pair %ld ms",
            reads[0], reads[1], reads[2], reads[3], longest);
}

/* ---- the faults --------------------------------------------------------------- */

static void restart(const char *mode)
{
    test_cluster("stop", mode);
    test_cluster("start", NULL);
}

static void make_trouble(void)
{
    int i;

    for (i = 0; i < ROUNDS; i++) {
        apr_sleep(700000);
        restart("fast");
        apr_sleep(700000);
        restart("immediate");
        apr_sleep(700000);
        test_cluster("sql", "SELECT pg_terminate_backend(pid) FROM "
                            "pg_stat_activity WHERE usename = 'alloy_app'");
        apr_sleep(700000);
        test_cluster("kill-session", NULL);
        apr_sleep(1500000);
        test_cluster("freeze-sessions", NULL);
        apr_sleep(4000000);
        test_cluster("thaw-sessions", NULL);
    }
    apr_sleep(700000);
}

void test_load(void)
{
    client_t *clients = calloc(THREADS, sizeof(*clients));
    apr_pool_t *pool;
    alloy_db_t *db = test_open(8, 1, &pool);
    volatile int stop = 0;
    int i;

    for (i = 0; i < THREADS; i++) {
        clients[i].db = db;
        clients[i].number = i;
        clients[i].stop = &stop;
        clients[i].told = calloc(ROWS, 1);
        pthread_create(&clients[i].thread, NULL, run_client, &clients[i]);
    }
    make_trouble();
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (i = 0; i < THREADS; i++) {
        pthread_join(clients[i].thread, NULL);
    }
    test_ok(test_await(db, 8) >= 0, "all connections are back");
    apr_sleep(500000); /* what was sent and abandoned ends by itself */
    close_books(clients);
    for (i = 0; i < THREADS; i++) {
        free(clients[i].told);
    }
    free(clients);
    test_close(pool);
    test_cluster("sql", "TRUNCATE alloy.note");
}
