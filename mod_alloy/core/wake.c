/* Waking those who wait for changes. Commits count up a number for their
 * organization; a thread tells other processes on a connection of its own, and
 * hears there what they tell.
 */
#include "wake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <apr_signal.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "connector.h"
#include "log.h"
#include "sql/engine.h"

#define CHANNEL "alloy_change"  /* also in sql/queries/engine.sql */
#define SLOTS 256               /* organizations that share one wake together */
#define NAMED 64                /* organizations in one NOTIFY; more: all */
#define ORG_TEXT 36
#define PAUSE apr_time_from_msec(20)    /* between two NOTIFY */
#define RETRY apr_time_from_sec(1)      /* of the connection */
#define PATIENCE apr_time_from_sec(2)   /* with a server that says nothing */

struct alloy_wake_t {
    apr_thread_mutex_t *mutex;  /* for what follows */
    apr_thread_cond_t *changed;
    unsigned slots[SLOTS], all;
    int waiting, most, stopping;
    int marked, overflown;
    char marks[NAMED][ORG_TEXT + 1];

    alloy_db_t *db;             /* the thread's alone */
    apr_thread_t *thread;
    PGconn *pg;
    int told[2];                /* a pipe: there is something to send */
    apr_time_t next_open, next_send;
};

/* ---- numbers, with the mutex held --------------------------------------------- */

static unsigned *slot_of(alloy_wake_t *wake, const char *org)
{
    apr_ssize_t length = ORG_TEXT;

    return &wake->slots[apr_hashfunc_default(org, &length) % SLOTS];
}

static void count(alloy_wake_t *wake, const char *org)
{
    if (org) {
        (*slot_of(wake, org))++;
    }
    else {
        wake->all++;
    }
    if (wake->waiting) {
        apr_thread_cond_broadcast(wake->changed);
    }
}

static int is_marked(const alloy_wake_t *wake, const char *org)
{
    int i;

    for (i = 0; i < wake->marked; i++) {
        if (!memcmp(wake->marks[i], org, ORG_TEXT)) {
            return 1;
        }
    }
    return 0;
}

/* @return 1 when the thread has to be told, which only the first one does. */
static int remember(alloy_wake_t *wake, const char *org)
{
    int first = !wake->marked && !wake->overflown;

    if (wake->overflown || (org && is_marked(wake, org))) {
        return 0;
    }
    if (!org || wake->marked == NAMED) {
        wake->overflown = 1;
    }
    else {
        memcpy(wake->marks[wake->marked++], org, ORG_TEXT);
    }
    return first;
}

static unsigned sum(alloy_wake_t *wake, const char *const *orgs, int norgs)
{
    unsigned state = wake->all;
    int i;

    for (i = 0; i < norgs; i++) {
        state += *slot_of(wake, orgs[i]);
    }
    return state;
}

/* ---- those who write and those who wait ---------------------------------------- */

static void tell_thread(alloy_wake_t *wake)
{
    /* a full pipe tells it as well */
    ssize_t ignored = write(wake->told[1], "", 1);

    (void)ignored;
}

void alloy_wake_mark(alloy_wake_t *wake, const char *org)
{
    int first;

    if (org && strlen(org) != ORG_TEXT) {
        org = NULL;
    }
    apr_thread_mutex_lock(wake->mutex);
    count(wake, org);
    first = remember(wake, org);
    apr_thread_mutex_unlock(wake->mutex);
    if (first) {
        tell_thread(wake);
    }
}

int alloy_wake_enter(alloy_wake_t *wake)
{
    int fits;

    apr_thread_mutex_lock(wake->mutex);
    fits = !wake->stopping && wake->waiting < wake->most;
    wake->waiting += fits;
    apr_thread_mutex_unlock(wake->mutex);
    return fits;
}

void alloy_wake_leave(alloy_wake_t *wake)
{
    apr_thread_mutex_lock(wake->mutex);
    wake->waiting--;
    apr_thread_mutex_unlock(wake->mutex);
}

unsigned alloy_wake_state(alloy_wake_t *wake, const char *const *orgs,
                          int norgs)
{
    unsigned state;

    apr_thread_mutex_lock(wake->mutex);
    state = sum(wake, orgs, norgs);
    apr_thread_mutex_unlock(wake->mutex);
    return state;
}

int alloy_wake_wait(alloy_wake_t *wake, unsigned state,
                    const char *const *orgs, int norgs, apr_time_t until)
{
    apr_interval_time_t left;
    int goes_on;

    apr_thread_mutex_lock(wake->mutex);
    while (!wake->stopping && sum(wake, orgs, norgs) == state
           && (left = until - alloy_pool_now()) > 0) {
        apr_thread_cond_timedwait(wake->changed, wake->mutex, left);
    }
    goes_on = !wake->stopping;
    apr_thread_mutex_unlock(wake->mutex);
    return goes_on;
}

void alloy_wake_stop(alloy_wake_t *wake)
{
    apr_thread_mutex_lock(wake->mutex);
    wake->stopping = 1;
    apr_thread_cond_broadcast(wake->changed);
    apr_thread_mutex_unlock(wake->mutex);
    tell_thread(wake);
}

/* ---- the connection -------------------------------------------------------------- */

static int is_stopping(alloy_wake_t *wake)
{
    int stopping;

    apr_thread_mutex_lock(wake->mutex);
    stopping = wake->stopping;
    apr_thread_mutex_unlock(wake->mutex);
    return stopping;
}

/* Until there is something to read or, of the pipe, something to send. */
static void sleep_until(alloy_wake_t *wake, apr_time_t until, int pipe)
{
    apr_interval_time_t left = until - alloy_pool_now();
    struct pollfd files[2] = {
        { .fd = pipe ? wake->told[0] : -1, .events = POLLIN },
        { .fd = wake->pg ? PQsocket(wake->pg) : -1, .events = POLLIN },
    };

    if (left > 0) {
        poll(files, 2, (int)((left + 999) / 1000));
    }
}

static void drop(alloy_wake_t *wake)
{
    PQfinish(wake->pg);
    wake->pg = NULL;
    wake->next_open = alloy_pool_now() + RETRY;
}

/* Read answers until one is complete. */
static int await_answer(alloy_wake_t *wake)
{
    apr_time_t until = alloy_pool_now() + PATIENCE;
    PGresult *result;
    int fine = 1;

    while (PQisBusy(wake->pg)) {
        if (alloy_pool_now() >= until) {
            return 0;
        }
        sleep_until(wake, until, 0);
        if (!PQconsumeInput(wake->pg)) {
            return 0;
        }
    }
    while ((result = PQgetResult(wake->pg))) {
        fine &= PQresultStatus(result) != PGRES_FATAL_ERROR;
        PQclear(result);
    }
    return fine;
}

static int say(alloy_wake_t *wake, const char *sql, const char *payload)
{
    return PQsendQueryParams(wake->pg, sql, payload ? 1 : 0, NULL, &payload,
                             NULL, NULL, 0)
           && await_answer(wake);
}

static void count_all(alloy_wake_t *wake)
{
    apr_thread_mutex_lock(wake->mutex);
    count(wake, NULL);
    apr_thread_mutex_unlock(wake->mutex);
}

/* Not to httpd's error output: what ends this connection ends the others. */
static void ignore_notice(void *unused, const char *message)
{
}

/* Whatever was told while nobody listened is lost: everybody looks for himself. */
static void open_connection(alloy_wake_t *wake)
{
    wake->pg = PQconnectdb(wake->db->params);
    PQsetNoticeProcessor(wake->pg, ignore_notice, NULL);
    if (PQstatus(wake->pg) != CONNECTION_OK
        || !say(wake, "SET synchronous_commit = off", NULL)
        || !say(wake, "LISTEN " CHANNEL, NULL)) {
        alloy_log(ALLOY_LOG_DEBUG, 0, "AL0500: no connection to hear of "
                  "changes by; trying again: %s", PQerrorMessage(wake->pg));
        drop(wake);
        return;
    }
    count_all(wake);
}

/* ---- hearing and telling ---------------------------------------------------------- */

/* "" is everything, else ids with a comma after each but the last. */
static void hear_one(alloy_wake_t *wake, const char *payload)
{
    apr_size_t length = strlen(payload), at;

    apr_thread_mutex_lock(wake->mutex);
    if (length < ORG_TEXT) {
        count(wake, NULL);
    }
    for (at = 0; at + ORG_TEXT <= length; at += ORG_TEXT + 1) {
        count(wake, payload + at);
    }
    apr_thread_mutex_unlock(wake->mutex);
}

static void hear(alloy_wake_t *wake)
{
    PGnotify *heard;

    if (!PQconsumeInput(wake->pg)) {
        drop(wake);
        return;
    }
    while ((heard = PQnotifies(wake->pg))) {
        if (heard->be_pid != PQbackendPID(wake->pg)) {
            hear_one(wake, heard->extra);
        }
        PQfreemem(heard);
    }
}

/* @return 0 when there is nothing to tell. */
static int take_marks(alloy_wake_t *wake, char *payload, apr_size_t size)
{
    int something, i;
    char *end = payload;

    apr_thread_mutex_lock(wake->mutex);
    something = wake->marked || wake->overflown;
    *end = '\0';
    for (i = 0; i < wake->marked && !wake->overflown; i++) {
        end += apr_snprintf(end, size - (end - payload), "%s%.*s",
                            i ? "," : "", ORG_TEXT, wake->marks[i]);
    }
    wake->marked = wake->overflown = 0;
    apr_thread_mutex_unlock(wake->mutex);
    return something;
}

static void tell(alloy_wake_t *wake)
{
    char payload[NAMED * (ORG_TEXT + 1) + 1], bytes[64];

    while (read(wake->told[0], bytes, sizeof(bytes)) > 0) {
        continue;
    }
    if (!wake->pg || !take_marks(wake, payload, sizeof(payload))) {
        return;
    }
    wake->next_send = alloy_pool_now() + PAUSE;
    if (!say(wake, sql_wake_tell.text, payload)) {
        drop(wake);
    }
}

/* ---- the thread --------------------------------------------------------------------- */

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *baton)
{
    alloy_wake_t *wake = baton;

    apr_setup_signal_thread();  /* signals are the server's business */
    while (!is_stopping(wake)) {
        apr_time_t now = alloy_pool_now();

        if (!wake->pg && now >= wake->next_open) {
            open_connection(wake);
        }
        if (wake->pg) {
            hear(wake);
        }
        if (now >= wake->next_send) {
            tell(wake);
        }
        /* in the pause after one NOTIFY the next ones are collected */
        now = alloy_pool_now();
        sleep_until(wake, now < wake->next_send ? wake->next_send : now + RETRY,
                    now >= wake->next_send);
    }
    if (wake->pg) {
        drop(wake);
    }
    return NULL;
}

static apr_status_t end(void *baton)
{
    alloy_wake_t *wake = baton;
    apr_status_t ignored;

    alloy_wake_stop(wake);
    apr_thread_join(&ignored, wake->thread);
    close(wake->told[0]);
    close(wake->told[1]);
    return APR_SUCCESS;
}

static apr_status_t make_locks(alloy_wake_t *wake, apr_pool_t *memory)
{
    apr_status_t rv = apr_thread_mutex_create(&wake->mutex,
                                              APR_THREAD_MUTEX_DEFAULT, memory);

    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&wake->changed, memory);
    }
    if (rv == APR_SUCCESS && pipe2(wake->told, O_NONBLOCK | O_CLOEXEC)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    return rv;
}

apr_status_t alloy_wake_make(alloy_wake_t **pwake, alloy_db_t *db, int waiters,
                             apr_pool_t *pool)
{
    apr_pool_t *memory;
    alloy_wake_t *wake;
    apr_status_t rv = alloy_connector_pool(&memory, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    wake = apr_pcalloc(memory, sizeof(*wake));
    wake->db = db;
    wake->most = waiters;
    rv = make_locks(wake, memory);
    if (rv == APR_SUCCESS) {
        rv = apr_thread_create(&wake->thread, NULL, run, wake, memory);
    }
    if (rv == APR_SUCCESS) {
        apr_pool_pre_cleanup_register(pool, wake, end);
        *pwake = wake;
    }
    return rv;
}
