/*
 * Guarded writes: read, decide in C, write - as compare-and-set or under a
 * lock. The decisions can't tell which form runs them.
 */
#include "call.h"

#include <stdarg.h>

#include <apr_strings.h>

#include "limits.h"
#include "output.h"

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

/* ---- warnings ---------------------------------------------------------------- */

ALLOY_DECLARE(void) alloy_warn(alloy_call_t *call, const char *code,
                               const char *fmt, ...)
{
    va_list args;

    if (!call->warnings) {
        call->warnings = alloy_out_make(call->pool, 256);
        alloy_out_begin(call->warnings, '[');
    }
    call->warned = call->warned
        ? apr_pstrcat(call->pool, call->warned, ",", code, NULL) : code;
    alloy_out_begin(call->warnings, '{');
    alloy_out_key(call->warnings, "code");
    alloy_out_text(call->warnings, code);
    alloy_out_key(call->warnings, "detail");
    va_start(args, fmt);
    alloy_out_text(call->warnings, apr_pvsprintf(call->pool, fmt, args));
    va_end(args);
    alloy_out_end(call->warnings);
}

const char *alloy_guarded_warnings(const alloy_call_t *call)
{
    return call->warnings
        ? apr_pstrcat(call->pool,
                      apr_pstrmemdup(call->pool, call->warnings->bytes,
                                     call->warnings->length), "]", NULL)
        : NULL;
}

/* ---- deciding ---------------------------------------------------------------- */

/* Only true while others wait, and nobody does. */
static int hooks_must_lock(alloy_call_t *call, const reading_t *reading)
{
    alloy_facts_t facts = { call, &reading->row->rows[0], NULL };
    int i;

    for (i = 0; call->op->hooks[i]; i++) {
        facts.facts = reading->facts[i];
        if (call->op->hooks[i]->must_lock
            && call->op->hooks[i]->must_lock(&facts)) {
            return 1;
        }
    }
    return 0;
}

alloy_problem_t *alloy_guarded_decide(alloy_call_t *call,
                                      const alloy_row_t *row,
                                      const alloy_rows_t *const *facts)
{
    const alloy_guarded_t *guarded = call->op->row->guarded;
    alloy_facts_t asked = { call, row, NULL };
    int i;

    call->warned = NULL;
    call->warnings = NULL;
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

/* ---- compare and set --------------------------------------------------------- */

/* *PRESULT stays without rows when the row changed in between, and NULL when
 * only the locked form will do. */
static alloy_problem_t *try_once(alloy_call_t *call,
                                 const alloy_result_t **presult)
{
    reading_t reading = { NULL };

    *presult = NULL;
    ALLOY_TRY(read_all(call, &reading));
    if (!reading.row->count) {
        return alloy_answer_nothing(call);
    }
    if (!call->session && hooks_must_lock(call, &reading)) {
        return NULL;
    }
    ALLOY_TRY(alloy_guarded_decide(call, &reading.row->rows[0],
                                   reading.facts));
    return alloy_call_step(call, call->op->row->guarded->write, presult);
}

static alloy_problem_t *compare_and_set(alloy_call_t *call,
                                        const alloy_result_t **presult)
{
    int tries;

    for (tries = 0; tries < TRIES; tries++) {
        ALLOY_TRY(try_once(call, presult));
        if (!*presult || alloy_result_rows(*presult)) {
            return NULL;
        }
    }
    *presult = NULL;
    return NULL;
}

/* ---- locked ------------------------------------------------------------------ */

/* Something the decision was made from is held by no lock: once more. */
static alloy_problem_t *overtaken(alloy_call_t *call)
{
    alloy_call_t *owner = call->parent ? call->parent : call;

    owner->conflict = 1;
    return alloy_problem_retry(
        alloy_problem(call, &alloy_unavailable,
                      "Others were changing the same things; nothing was "
                      "changed. Try again."), 1);
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
    ALLOY_TRY(try_once(call, presult));
    return alloy_result_rows(*presult) ? NULL : overtaken(call);
}

/* In somebody's transaction, or once more in one of its own. */
alloy_problem_t *alloy_guarded_run(alloy_call_t *call)
{
    const alloy_result_t *result = NULL;

    if (call->session) {
        ALLOY_TRY(lock_and_try(call, &result));
    }
    else if (!must_lock(call)) {
        ALLOY_TRY(compare_and_set(call, &result));
    }
    if (!result) {
        return alloy_call_transact(call, alloy_guarded_run);
    }
    if (call->warnings) {
        alloy_answer_json(call, "warnings", alloy_guarded_warnings(call));
    }
    return alloy_answer_result(call, call->op->row->guarded->write, result);
}
