/* Leaders and followers: who sends whose statements, and what everybody is
 * told when something goes wrong on the way.
 */
#include "lane.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#define BATCH_JOBS 32
#define BATCH_SIZE (256 * 1024) /* bytes of values */
#define JOB_SIZE (64 * 1024)

/* Who has waited this long for a seat goes alone: a seat may be stuck behind a
 * silent server. */
#define PATIENCE apr_time_from_msec(100)

/* So many jobs of a batch may fail before all are sent one by one. */
#define FAILURES 3

/* Who failed is sent alone for a while, or each of his mistakes would be paid
 * for by everybody; shorter when others were in his way, who come and go.
 * Users share these places by their hash. */
#define PENALTY apr_time_from_sec(10)
#define PENALTY_OF_CONFLICT apr_time_from_sec(1)
#define PENALTIES 64

struct alloy_lane_t {
    alloy_db_t *db;
    alloy_use_e use;
    apr_thread_mutex_t *mutex;
    int seats; /* free ones */
    alloy_job_t *first, **last;
    apr_time_t penalties[PENALTIES]; /* until when */
    alloy_db_shared_t count;
};

typedef struct {
    alloy_job_t *jobs[BATCH_JOBS];
    int count;
    apr_size_t size;
} batch_t;

apr_status_t alloy_lane_make(alloy_lane_t **plane, alloy_db_t *db,
                             alloy_use_e use, int seats)
{
    alloy_lane_t *lane = apr_pcalloc(db->memory, sizeof(*lane));

    lane->db = db;
    lane->use = use;
    lane->seats = seats;
    lane->last = &lane->first;
    *plane = lane;
    return apr_thread_mutex_create(&lane->mutex, APR_THREAD_MUTEX_DEFAULT,
                                   db->memory);
}

/* ---- the queue, with the mutex held ----------------------------------------- */

static void queue_up(alloy_lane_t *lane, alloy_job_t *job)
{
    alloy_job_share(job);
    job->place = ALLOY_JOB_QUEUED;
    *lane->last = job;
    lane->last = &job->next;
}

/* LINK is where the queue points to the job that leaves. */
static alloy_job_t *take_out(alloy_lane_t *lane, alloy_job_t **link)
{
    alloy_job_t *job = *link;

    *link = job->next;
    if (!job->next) {
        lane->last = link;
    }
    job->next = NULL;
    return job;
}

static void leave_queue(alloy_lane_t *lane, alloy_job_t *job)
{
    alloy_job_t **link = &lane->first;

    while (*link != job) {
        link = &(*link)->next;
    }
    take_out(lane, link);
    job->place = ALLOY_JOB_GONE;
    alloy_job_leave(job);
}

static apr_time_t *penalty_of(alloy_lane_t *lane, const alloy_job_t *job)
{
    return &lane->penalties[job->user % PENALTIES];
}

/* ---- a batch ----------------------------------------------------------------- */

/* By order of locks; those alike stay in the order in which they came. */
static void add_job(batch_t *batch, alloy_job_t *job)
{
    int i = batch->count++;

    while (i > 0 && alloy_job_precedes(job, batch->jobs[i - 1])) {
        batch->jobs[i] = batch->jobs[i - 1];
        i--;
    }
    batch->jobs[i] = job;
    batch->size += job->size;
}

static int has_room(const batch_t *batch, const alloy_job_t *job, int share)
{
    int same = 0, i;

    for (i = 0; i < batch->count; i++) {
        same += batch->jobs[i]->tenant == job->tenant;
    }
    return same < share && batch->count < BATCH_JOBS
           && batch->size + job->size <= BATCH_SIZE;
}

/* As many as came, but no tenant more than a quarter until the others are in. */
static void collect(batch_t *batch, alloy_lane_t *lane)
{
    static const int shares[] = { BATCH_JOBS / 4, BATCH_JOBS };
    size_t i;

    apr_thread_mutex_lock(lane->mutex);
    for (i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        alloy_job_t **link = &lane->first;

        while (*link && batch->count < BATCH_JOBS) {
            if (has_room(batch, *link, shares[i])) {
                (*link)->place = ALLOY_JOB_TAKEN;
                add_job(batch, take_out(lane, link));
            } else {
                link = &(*link)->next;
            }
        }
    }
    lane->count.calls += (apr_uint64_t)batch->count;
    lane->count.trips++;
    apr_thread_mutex_unlock(lane->mutex);
}

/* What is still to be sent, as one flight. */
static void load(alloy_exchange_t *exchange, const batch_t *batch)
{
    alloy_step_t *steps;
    int i;

    exchange->count = exchange->at = exchange->refused = exchange->fatal = 0;
    for (i = 0; i < batch->count; i++) {
        const alloy_job_t *job = batch->jobs[i];

        if (job->end == ALLOY_JOB_PENDING) {
            exchange->count += job->count;
            if (exchange->deadline < job->deadline) {
                exchange->deadline = job->deadline;
            }
        }
    }
    steps = apr_palloc(exchange->pool, sizeof(*steps) * exchange->count);
    exchange->steps = steps;
    exchange->results = apr_pcalloc(exchange->pool, sizeof(PGresult *)
                                                        * exchange->count);
    for (i = 0; i < batch->count; i++) {
        const alloy_job_t *job = batch->jobs[i];

        if (job->end == ALLOY_JOB_PENDING) {
            memcpy(steps, job->steps, sizeof(*steps) * job->count);
            steps += job->count;
        }
    }
}

static void unload(const batch_t *batch, const alloy_exchange_t *exchange)
{
    PGresult **results = exchange->results;
    int i;

    for (i = 0; i < batch->count; i++) {
        alloy_job_t *job = batch->jobs[i];

        if (job->end == ALLOY_JOB_PENDING) {
            memcpy(job->results, results, sizeof(*results) * job->count);
            results += job->count;
            job->end = alloy_flight_is_stale(job->results[0])
                           ? ALLOY_JOB_STALE
                           : ALLOY_JOB_COMMITTED;
        }
    }
}

static void end_all(const batch_t *batch, alloy_job_end_e end)
{
    int i;

    for (i = 0; i < batch->count; i++) {
        if (batch->jobs[i]->end == ALLOY_JOB_PENDING) {
            batch->jobs[i]->end = end;
        }
    }
}

/* Whose statement failed; NULL when it was none. */
static alloy_job_t *find_failed(const batch_t *batch,
                                const alloy_exchange_t *exchange)
{
    int behind = 0, i;

    for (i = 0; i < batch->count; i++) {
        alloy_job_t *job = batch->jobs[i];

        if (job->end == ALLOY_JOB_PENDING) {
            behind += job->count;
            if (exchange->failed < behind) {
                return job;
            }
        }
    }
    return NULL;
}

static void penalize(alloy_lane_t *lane, const alloy_job_t *job,
                     const char *sqlstate)
{
    apr_interval_time_t penalty = alloy_flight_is_conflict(sqlstate)
                                      ? PENALTY_OF_CONFLICT
                                      : PENALTY;

    apr_thread_mutex_lock(lane->mutex);
    *penalty_of(lane, job) = alloy_pool_now() + penalty;
    lane->count.failures++;
    apr_thread_mutex_unlock(lane->mutex);
}

/* @return whether the others are worth another try. */
static int set_apart(alloy_lane_t *lane, const batch_t *batch,
                     const alloy_exchange_t *exchange,
                     alloy_connection_t *connection)
{
    alloy_job_t *failed = exchange->fatal ? NULL
                                          : find_failed(batch, exchange);

    if (!failed) {
        return 0;
    }
    failed->end = ALLOY_JOB_ALONE;
    if (alloy_flight_is_outdated(exchange)) {
        alloy_pool_renew(lane->db->pool, connection);
    } else {
        penalize(lane, failed, exchange->fault->sqlstate);
    }
    return alloy_pool_now() < exchange->deadline;
}

/* As alloy_flight_run() decides for one: again only what had no effect. */
static alloy_job_end_e read_end(const alloy_lane_t *lane,
                                const alloy_exchange_t *exchange,
                                alloy_exchange_e end)
{
    int writes = lane->use == ALLOY_USE_WRITE;

    switch (end) {
    case ALLOY_EXCHANGE_DONE:
        return exchange->doubtful && writes ? ALLOY_JOB_UNKNOWN
                                            : ALLOY_JOB_COMMITTED;
    case ALLOY_EXCHANGE_REFUSED:
    case ALLOY_EXCHANGE_UNSENT:
        return ALLOY_JOB_ALONE;
    case ALLOY_EXCHANGE_LOST:
        return writes ? ALLOY_JOB_UNKNOWN : ALLOY_JOB_ALONE;
    default:
        return ALLOY_JOB_UNKNOWN;
    }
}

static void send_batch(alloy_lane_t *lane, const batch_t *batch,
                       alloy_connection_t *connection, apr_pool_t *pool)
{
    alloy_db_fault_t fault;
    alloy_exchange_t exchange = { .prepare = lane->db->config.prepare,
                                  .fault = &fault,
                                  .pool = pool };
    alloy_job_end_e end;
    int failures = 0, again;

    do {
        memset(&fault, 0, sizeof(fault));
        load(&exchange, batch);
        if (!exchange.count) {
            return;
        }
        end = read_end(lane, &exchange,
                       alloy_exchange_run(&exchange, connection));
        if (end == ALLOY_JOB_COMMITTED) {
            unload(batch, &exchange);
            return;
        }
        alloy_exchange_clear(&exchange);
        again = exchange.refused
                && set_apart(lane, batch, &exchange, connection)
                && ++failures < FAILURES;
    } while (again);
    end_all(batch, end);
}

/* ---- leading ------------------------------------------------------------------- */

static void post(alloy_job_t *job)
{
    sem_post(&job->news);
    alloy_job_leave(job);
}

/* To whoever waits longest, with CONNECTION if it is of use; else it is free
 * again. */
static void pass_seat(alloy_lane_t *lane, alloy_connection_t *connection)
{
    int good = connection && alloy_pool_is_good(lane->db->pool, connection);
    alloy_job_t *next = NULL;

    apr_thread_mutex_lock(lane->mutex);
    if (lane->first) {
        next = take_out(lane, &lane->first);
        next->place = ALLOY_JOB_LEADS;
        next->connection = good ? connection : NULL;
    } else {
        lane->seats++;
    }
    apr_thread_mutex_unlock(lane->mutex);
    if (next) {
        post(next);
    }
    if (connection && !(next && good)) {
        alloy_pool_give(lane->db->pool, connection);
    }
}

static void end_batch(const batch_t *batch, const alloy_job_t *me)
{
    int i;

    for (i = 0; i < batch->count; i++) {
        if (batch->jobs[i] != me) {
            post(batch->jobs[i]);
        }
    }
}

static void lead(alloy_lane_t *lane, alloy_job_t *me,
                 const alloy_flight_t *flight)
{
    alloy_connection_t *connection = me->connection;
    batch_t batch = { .count = 0 };

    if (!connection
        && alloy_flight_take(&connection, flight) != APR_SUCCESS) {
        me->end = ALLOY_JOB_UNSENT;
        pass_seat(lane, NULL);
        return;
    }
    add_job(&batch, me);
    collect(&batch, lane);
    send_batch(lane, &batch, connection, flight->exchange.pool);
    pass_seat(lane, connection);
    end_batch(&batch, me);
}

/* ---- following ------------------------------------------------------------------ */

/* @return 0 when nobody told what became of it. */
static int await_turn(alloy_lane_t *lane, alloy_job_t *job)
{
    if (alloy_job_await(job, alloy_pool_now() + PATIENCE)) {
        return 1;
    }
    apr_thread_mutex_lock(lane->mutex);
    if (job->place == ALLOY_JOB_QUEUED) {
        leave_queue(lane, job);
    }
    apr_thread_mutex_unlock(lane->mutex);
    switch (job->place) {
    case ALLOY_JOB_GONE:
        return 0;
    case ALLOY_JOB_LEADS: /* the seat is ours, the news is on its way */
        return alloy_job_await(job, APR_INT64_MAX);
    default:
        return alloy_job_await(job, job->deadline);
    }
}

typedef enum { LEADS, FOLLOWS, ALONE } part_e;

static part_e join(alloy_lane_t *lane, alloy_job_t *job)
{
    part_e part = FOLLOWS;

    apr_thread_mutex_lock(lane->mutex);
    if (*penalty_of(lane, job) && *penalty_of(lane, job) > alloy_pool_now()) {
        part = ALONE;
    } else if (lane->seats) {
        lane->seats--;
        part = LEADS;
    } else {
        queue_up(lane, job);
    }
    apr_thread_mutex_unlock(lane->mutex);
    return part;
}

static alloy_job_end_e follow(alloy_lane_t *lane, alloy_job_t *job,
                              alloy_flight_t *flight)
{
    if (!await_turn(lane, job)) {
        if (job->place == ALLOY_JOB_GONE) {
            flight->wait -= flight->wait > PATIENCE ? PATIENCE : 0;
            return ALLOY_JOB_ALONE;
        }
        return ALLOY_JOB_UNKNOWN;
    }
    if (job->place == ALLOY_JOB_LEADS) {
        lead(lane, job, flight);
    }
    return job->end;
}

static alloy_job_end_e run_job(alloy_lane_t *lane, alloy_job_t *job,
                               alloy_flight_t *flight)
{
    switch (join(lane, job)) {
    case ALONE:
        return ALLOY_JOB_ALONE;
    case LEADS:
        lead(lane, job, flight);
        return job->end;
    default:
        return follow(lane, job, flight);
    }
}

/* ---- the way in ------------------------------------------------------------------ */

int alloy_lane_fits(const alloy_enter_t *enter, unsigned flags)
{
    unsigned alone = ALLOY_SQL_CUSTOM | ALLOY_SQL_SLOW;
    int writes = (flags & ALLOY_SQL_WRITE) != 0;

    return enter->user && !(flags & alone) && writes == (enter->call != NULL);
}

static unsigned hash(const char *text)
{
    apr_ssize_t length = APR_HASH_KEY_STRING;

    return apr_hashfunc_default(text, &length);
}

static void take_results(alloy_flight_t *flight, alloy_job_t *job)
{
    memcpy(flight->exchange.results, job->results,
           sizeof(*job->results) * job->count);
    memset(job->results, 0, sizeof(*job->results) * job->count);
}

int alloy_lane_run(alloy_outcome_e *outcome, alloy_lane_t *lane,
                   alloy_flight_t *flight, const alloy_enter_t *enter,
                   alloy_db_fault_t *fault)
{
    static const alloy_outcome_e outcomes[] = {
        [ALLOY_JOB_COMMITTED] = ALLOY_DB_COMMITTED,
        [ALLOY_JOB_STALE] = ALLOY_DB_ABORTED,
        [ALLOY_JOB_UNSENT] = ALLOY_DB_NOT_STARTED,
        [ALLOY_JOB_UNKNOWN] = ALLOY_DB_UNKNOWN,
        [ALLOY_JOB_ALONE] = ALLOY_DB_NOT_STARTED,
    };
    const alloy_exchange_t *exchange = &flight->exchange;
    alloy_job_end_e end;
    alloy_job_t *job;

    if (alloy_job_size(exchange->steps, exchange->count) > JOB_SIZE
        || !(job = alloy_job_make(exchange->steps, exchange->count))) {
        return 0;
    }
    job->deadline = exchange->deadline;
    job->tenant = hash(enter->orgs);
    job->user = hash(enter->user);
    memset(fault, 0, sizeof(*fault));
    end = run_job(lane, job, flight);
    if (end == ALLOY_JOB_COMMITTED) {
        take_results(flight, job);
    }
    alloy_job_leave(job);
    fault->stale = end == ALLOY_JOB_STALE;
    *outcome = outcomes[end];
    return end != ALLOY_JOB_ALONE;
}

void alloy_lane_count(alloy_lane_t *lane, alloy_db_shared_t *sum)
{
    apr_thread_mutex_lock(lane->mutex);
    sum->calls += lane->count.calls;
    sum->trips += lane->count.trips;
    sum->failures += lane->count.failures;
    apr_thread_mutex_unlock(lane->mutex);
}
