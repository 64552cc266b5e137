/* The memory of a flush that travels with others: one block, which belongs to
 * its caller and to whoever sends it, and goes with the last of them. No pool
 * will do: they end with one request, on one thread.
 */
#include "job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_atomic.h>

/* ---- making ---------------------------------------------------------------- */

apr_size_t alloy_job_size(const alloy_step_t *steps, int count)
{
    apr_size_t size = 0;
    int i, k;

    for (i = 0; i < count; i++) {
        for (k = 0; k < steps[i].statement->nparams; k++) {
            size += steps[i].values[k] ? strlen(steps[i].values[k]) + 1 : 0;
        }
    }
    return size;
}

static apr_size_t count_values(const alloy_step_t *steps, int count)
{
    apr_size_t sum = 0;
    int i;

    for (i = 0; i < count; i++) {
        sum += (apr_size_t)steps[i].statement->nparams;
    }
    return sum;
}

/* Pointers first, then the texts they point to: nothing needs padding. */
static void copy_steps(alloy_job_t *job, const alloy_step_t *steps)
{
    alloy_step_t *copies = (alloy_step_t *)(job + 1);
    const char **values;
    char *text;
    int i, k;

    job->results = (PGresult **)(copies + job->count);
    values = (const char **)(job->results + job->count);
    text = (char *)(values + count_values(steps, job->count));
    for (i = 0; i < job->count; i++) {
        copies[i].statement = steps[i].statement;
        copies[i].values = values;
        for (k = 0; k < steps[i].statement->nparams; k++, values++) {
            apr_size_t length;

            if (!steps[i].values[k]) {
                continue; /* calloc's zero is NULL */
            }
            length = strlen(steps[i].values[k]) + 1;
            *values = memcpy(text, steps[i].values[k], length);
            text += length;
        }
    }
    job->steps = copies;
}

static const char *value_of(const alloy_step_t *step, const char *name)
{
    int i;

    for (i = 0; i < step->statement->nparams; i++) {
        if (!strcmp(step->statement->params[i], name)) {
            return step->values[i];
        }
    }
    return NULL;
}

/* The last lock a job takes decides about its place: counters come last. */
static void find_locks(alloy_job_t *job)
{
    int i;

    job->locks = "";
    for (i = 0; i < job->count; i++) {
        const alloy_statement_t *statement = job->steps[i].statement;
        const char *id = statement->locks
                             ? value_of(&job->steps[i], statement->locks)
                             : NULL;
        int counts = (statement->flags & ALLOY_SQL_COUNTS) != 0;

        if (id && counts >= job->counts) {
            job->locks = id;
            job->counts = counts;
        }
    }
}

alloy_job_t *alloy_job_make(const alloy_step_t *steps, int count)
{
    apr_size_t size = alloy_job_size(steps, count);
    alloy_job_t *job = calloc(1, sizeof(*job)
                                     + count * (sizeof(alloy_step_t)
                                                + sizeof(PGresult *))
                                     + count_values(steps, count)
                                           * sizeof(char *)
                                     + size);

    if (!job) {
        return NULL;
    }
    job->owners = 1;
    job->count = count;
    job->size = size;
    sem_init(&job->news, 0, 0);
    copy_steps(job, steps);
    find_locks(job);
    return job;
}

/* ---- owners ---------------------------------------------------------------- */

void alloy_job_share(alloy_job_t *job)
{
    apr_atomic_inc32(&job->owners);
}

void alloy_job_leave(alloy_job_t *job)
{
    int i;

    if (apr_atomic_dec32(&job->owners)) {
        return;
    }
    for (i = 0; i < job->count; i++) {
        PQclear(job->results[i]);
    }
    sem_destroy(&job->news);
    free(job);
}

/* ---- waiting --------------------------------------------------------------- */

int alloy_job_await(alloy_job_t *job, apr_time_t until)
{
    struct timespec at = { (time_t)apr_time_sec(until),
                           (long)apr_time_usec(until) * 1000 };
    int failed;

    do {
        failed = sem_clockwait(&job->news, CLOCK_MONOTONIC, &at);
    } while (failed && errno == EINTR);
    return !failed;
}

int alloy_job_precedes(const alloy_job_t *a, const alloy_job_t *b)
{
    return a->counts != b->counts ? a->counts < b->counts
                                  : strcmp(a->locks, b->locks) < 0;
}
