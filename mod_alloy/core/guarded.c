/*
 * Guarded writes: read, decide in C, write - as compare-and-set or under a
 * lock. The decisions can't tell which form runs them.
 */
#include "call.h"

#include <string.h>

#include "limits.h"

#define TRIES 3

/* The row concerned and each hook's facts, as one reading found them. */
typedef struct {
    const alloy_rows_t *row;
    const alloy_rows_t *facts[ALLOY_HOOKS_LIMIT];
} reading_t;

static int must_lock(const alloy_call_t *call)
{
    const alloy_guarded_t *guarded = call->op->row->guarded;

    return guarded->locked && guarded->locked(call);
}

int alloy_guarded_counts(const alloy_op_t *op)
{
    int i;

    for (i = 0; op->hooks[i]; i++) {
        if (op->hooks[i]->counts) {
            return 1;
        }
    }
    return op->row->guarded && op->row->guarded->counts;
}

/* The statements of one reading: the row's, then those of hooks with facts. */
static int list_reads(const alloy_call_t *call,
                      const alloy_statement_t *list[ALLOY_HOOKS_LIMIT + 1])
{
    const alloy_op_t *op = call->op;
    int count = 0, i;

    list[count++] = op->row->guarded->read;
    for (i = 0; op->hooks[i]; i++) {
        if (op->hooks[i]->facts) {
            list[count++] = op->hooks[i]->facts;
        }
    }
    return count;
}

static void take_reading(reading_t *reading, const alloy_call_t *call,
                         const alloy_result_t *const *results)
{
    int next = 1, i;

    reading->row = alloy_rows_make(results[0], call->pool);
    for (i = 0; call->op->hooks[i]; i++) {
        reading->facts[i] = call->op->hooks[i]->facts
            ? alloy_rows_make(results[next++], call->pool) : NULL;
    }
}

static alloy_problem_t *read_all(alloy_call_t *call, reading_t *reading)
{
    const alloy_statement_t *list[ALLOY_HOOKS_LIMIT + 1];
    const alloy_result_t *results[ALLOY_HOOKS_LIMIT + 1] = { NULL };
    alloy_step_t steps[ALLOY_HOOKS_LIMIT + 1];
    int count = list_reads(call, list), i;

    for (i = 0; i < count; i++) {
        ALLOY_TRY(call->session
                  ? alloy_call_step(call, list[i], &results[i])
                  : alloy_bind_step(&steps[i], call, list[i]));
    }
    if (!call->session) {
        ALLOY_TRY(alloy_call_flush(call, call->op->row->role, steps, count,
                                   results));
    }
    take_reading(reading, call, results);
    return NULL;
}

alloy_problem_t *alloy_guarded_decide(alloy_call_t *call,
                                      const alloy_row_t *row,
                                      const alloy_rows_t *const *facts)
{
    const alloy_guarded_t *guarded = call->op->row->guarded;
    alloy_facts_t asked = { call, row, NULL };
    int i;

    if (guarded->decide) {
        ALLOY_TRY(guarded->decide(&asked));
    }
    for (i = 0; call->op->hooks[i]; i++) {
        asked.facts = facts[i];
        ALLOY_TRY(call->op->hooks[i]->before(&asked));
    }
    alloy_bind(call, "seen", alloy_row_text(row, "version"));
    return NULL;
}

/* *PRESULT stays without rows when the row changed in between. */
static alloy_problem_t *try_once(alloy_call_t *call,
                                 const alloy_result_t **presult)
{
    reading_t reading = { NULL };

    ALLOY_TRY(read_all(call, &reading));
    if (!reading.row->count) {
        return alloy_answer_nothing(call);
    }
    ALLOY_TRY(alloy_guarded_decide(call, &reading.row->rows[0],
                                   reading.facts));
    return alloy_call_step(call, call->op->row->guarded->write, presult);
}

/* What stands for many rows is locked before one of them, by everybody. */
static alloy_problem_t *lock_and_try(alloy_call_t *call,
                                     const alloy_result_t **presult)
{
    const alloy_result_t *ignored = NULL;
    int i;

    for (i = 0; call->op->hooks[i]; i++) {
        if (call->op->hooks[i]->lock) {
            ALLOY_TRY(alloy_call_step(call, call->op->hooks[i]->lock,
                                      &ignored));
        }
    }
    ALLOY_TRY(alloy_call_step(call, call->op->row->guarded->lock, &ignored));
    return try_once(call, presult);
}

static alloy_problem_t *run_locked(alloy_call_t *call,
                                   const alloy_result_t **presult)
{
    alloy_problem_t *problem;

    if (call->session) {        /* somebody else's transaction */
        return lock_and_try(call, presult);
    }
    ALLOY_TRY(alloy_call_begin(call));
    problem = lock_and_try(call, presult);
    if (problem) {
        alloy_call_rollback(call);
        return problem;
    }
    return alloy_call_commit(call);
}

alloy_problem_t *alloy_guarded_run(alloy_call_t *call)
{
    const alloy_result_t *result = NULL;
    int locked = call->session || alloy_guarded_counts(call->op)
                 || must_lock(call);
    int tries;

    for (tries = 0; !locked && tries < TRIES; tries++) {
        ALLOY_TRY(try_once(call, &result));
        if (alloy_result_rows(result)) {
            break;
        }
        result = NULL;
    }
    if (!result) {
        ALLOY_TRY(run_locked(call, &result));
    }
    return alloy_answer_result(call, call->op->row->guarded->write, result);
}
