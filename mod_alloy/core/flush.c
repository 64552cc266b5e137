/*
 * A call's way to the database and back: settings first, outcomes turned into
 * problems. What the server said goes to the log, never to the caller.
 */
#include "call.h"

#include <string.h>

#include <apr_strings.h>

#include "limits.h"
#include "log.h"
#include "sql/principal.h"

#define RETRY_SECONDS 1

/* ---- faults as problems --------------------------------------------------- */

static alloy_problem_t *no_database(alloy_call_t *call)
{
    return alloy_problem_unreachable(call->pool);
}

static alloy_problem_t *too_busy(alloy_call_t *call)
{
    return alloy_problem_retry(
        alloy_problem(call, &alloy_unavailable,
                      "The database took too long, for instance because "
                      "others were changing the same things; nothing was "
                      "changed. Try again after the time in Retry-After."),
        RETRY_SECONDS);
}

static alloy_problem_t *unknown(alloy_call_t *call, int writes)
{
    if (!writes) {
        return no_database(call);
    }
    return alloy_problem_retry(
        alloy_problem(call, &alloy_outcome_unknown,
                      "The change was sent to the database and no answer "
                      "came. Look whether it happened before you repeat it."),
        RETRY_SECONDS);
}

static alloy_problem_t *our_fault(alloy_call_t *call)
{
    return alloy_problem(call, &alloy_internal,
                         "The server met a fault of its own; nothing was "
                         "changed. Report it with the request id.");
}

static alloy_problem_t *exists(alloy_call_t *call)
{
    return alloy_problem(call, &alloy_already_exists,
                         "Something with the same name or key is there "
                         "already; choose another.");
}

static alloy_problem_t *in_use(alloy_call_t *call)
{
    if (call->op->row->method == ALLOY_DELETE) {
        return alloy_problem(call, &alloy_in_use,
                             "Other things still refer to this; remove or "
                             "move them first.");
    }
    return alloy_problem(call, &alloy_validation_failed,
                         "Something the request refers to is not there (any "
                         "more); look it up again.");
}

/* SQLSTATE classes (PostgreSQL, appendix A). OURS: a bug of ours as well. */
static const struct {
    const char *prefix;
    alloy_problem_t *(*problem)(alloy_call_t *call);
    int ours;
    int conflict;
} classes[] = {
    { "23505", exists, 1 },
    { "23503", in_use, 0 },
    { "40", too_busy, 0, 1 },
    { "55P03", too_busy, 0, 1 },
    { "57014", too_busy, 0 },
    { "57", no_database, 0 },
    { "08", no_database, 0 },
    { "53", no_database, 0 },
    { "25P03", no_database, 0 },
    { "25006", no_database, 0 },
};

static int is_schema_fault(const char *sqlstate)
{
    return !strcmp(sqlstate, "42P01") || !strcmp(sqlstate, "42703")
           || !strcmp(sqlstate, "42883") || !strcmp(sqlstate, "3F000");
}

static alloy_problem_t *schema_fault(alloy_call_t *call)
{
    return alloy_problem_retry(
        alloy_problem(call, &alloy_schema_mismatch,
                      "The database has another schema than this server "
                      "needs; its administrator must run `alloyctl "
                      "migrate`."), RETRY_SECONDS);
}

static void log_fault(const alloy_call_t *call, const alloy_db_fault_t *fault)
{
    alloy_log(ALLOY_LOG_ERROR, 0, "AL0020: %s [%s]: statement %s failed with "
              "%s: %s", call->op->row->id, call->request->request_id,
              fault->statement ? fault->statement : "?", fault->sqlstate,
              fault->message ? fault->message : "no message");
}

static alloy_problem_t *aborted(alloy_call_t *call,
                                const alloy_db_fault_t *fault)
{
    const alloy_problem_kind_t *kind =
        alloy_registry_sqlstate(call->engine->registry, fault->sqlstate);
    apr_size_t i;

    if (kind) {
        return alloy_problem(call, kind, "%s", kind->help);
    }
    if (!*fault->sqlstate) {
        return no_database(call);
    }
    for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (!strncmp(fault->sqlstate, classes[i].prefix,
                     strlen(classes[i].prefix))) {
            (call->parent ? call->parent : call)->conflict |=
                classes[i].conflict;
            if (classes[i].ours) {
                log_fault(call, fault);
            }
            return classes[i].problem(call);
        }
    }
    log_fault(call, fault);
    return is_schema_fault(fault->sqlstate) ? schema_fault(call)
                                            : our_fault(call);
}

/* Those who wait for changes of the organization look now; of calls without one
 * they hear when they look anyway. */
static void tell_waiters(const alloy_call_t *call, int writes)
{
    const char *org = call->org_id ? call->org_id : call->touched;

    if (writes && org && call->engine->wake) {
        alloy_wake_mark(call->engine->wake, *org ? org : NULL);
    }
}

static void touch(alloy_call_t *owner, const char *org)
{
    if (org) {
        owner->touched = !owner->touched || !strcmp(owner->touched, org)
                         ? org : "";
    }
}

static alloy_problem_t *read_outcome(alloy_call_t *call,
                                     alloy_outcome_e outcome,
                                     const alloy_db_fault_t *fault, int writes)
{
    if (fault->stale) {
        call->stale = 1;
        return no_database(call);
    }
    switch (outcome) {
    case ALLOY_DB_COMMITTED:
        call->verified = 1;
        tell_waiters(call, writes);
        return NULL;
    case ALLOY_DB_ABORTED:
        return aborted(call, fault);
    case ALLOY_DB_NOT_STARTED:
        return no_database(call);
    case ALLOY_DB_UNKNOWN:
    default:
        return unknown(call, writes);
    }
}

/* What `enter` would set, as one text to compare. */
static const char *settings_name(const alloy_enter_t *enter, apr_pool_t *pool)
{
    return apr_pstrcat(pool, enter->version ? enter->version : "", "|",
                       enter->orgs, "|", enter->all, "|", enter->projects,
                       "|", enter->call ? enter->call : "", NULL);
}

/* ---- one flush ------------------------------------------------------------ */

static int writes_any(const alloy_step_t *steps, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        if (steps[i].statement->flags & ALLOY_SQL_WRITE) {
            return 1;
        }
    }
    return 0;
}

/* Whose transaction it is: that of the outermost call. */
static alloy_call_t *owner_of(alloy_call_t *call)
{
    while (call->parent) {
        call = call->parent;
    }
    return call;
}

/* In an open transaction, which may have other settings: those of the
 * operation, while a reference is looked up with the least. */
static alloy_problem_t *settle(alloy_call_t *call, alloy_role_e role)
{
    alloy_call_t *owner = owner_of(call);
    alloy_db_fault_t fault = { "" };
    const char *wanted;
    alloy_enter_t enter;
    alloy_problem_t *problem;

    touch(owner, call->org_id);
    alloy_access_enter(&enter, call, role, 1);
    wanted = settings_name(&enter, call->pool);
    if (owner->settled && !strcmp(owner->settled, wanted)) {
        return NULL;
    }
    problem = read_outcome(call, alloy_db_enter(call->session, &enter, &fault),
                           &fault, 0);
    owner->settled = problem ? NULL : wanted;
    return problem;
}

static alloy_problem_t *flush_within(alloy_call_t *call, alloy_role_e role,
                                     const alloy_step_t *steps, int count,
                                     const alloy_result_t **results)
{
    int i;

    ALLOY_TRY(settle(call, role));
    for (i = 0; i < count; i++) {
        alloy_db_fault_t fault = { "" };
        alloy_outcome_e outcome = alloy_db_step(call->session, &steps[i],
                                                &results[i], &fault);

        ALLOY_TRY(read_outcome(call, outcome, &fault, 0));
    }
    return NULL;
}

/* The id of the only project whose rows are looked at; NULL: there may be
 * others, as with several steps. */
static const char *only_project(const alloy_step_t *steps, int count)
{
    const char *const *params = count == 1 ? steps[0].statement->params : NULL;
    int i;

    if (!params || !(steps[0].statement->flags & ALLOY_SQL_WITHIN)) {
        return NULL;
    }
    for (i = 0; i < steps[0].statement->nparams; i++) {
        if (!strcmp(params[i], "project")) {
            return steps[0].values[i];
        }
    }
    return NULL;
}

/* In a transaction of its own, whatever else is open. */
static alloy_problem_t *flush_apart(alloy_call_t *call, alloy_role_e role,
                                    const alloy_step_t *steps, int count,
                                    const alloy_result_t **results)
{
    int writes = writes_any(steps, count);
    alloy_db_fault_t fault = { "" };
    alloy_enter_t enter;
    alloy_outcome_e outcome;

    alloy_access_enter(&enter, call, role, writes);
    alloy_access_narrow(&enter, only_project(steps, count), call->pool);
    outcome = alloy_db_flush(call->engine->db, &enter, steps, count, results,
                             &fault, call->pool);
    return read_outcome(call, outcome, &fault, writes);
}

alloy_problem_t *alloy_call_flush(alloy_call_t *call, alloy_role_e role,
                                  const alloy_step_t *steps, int count,
                                  const alloy_result_t **results)
{
    return call->session ? flush_within(call, role, steps, count, results)
                         : flush_apart(call, role, steps, count, results);
}

alloy_problem_t *alloy_call_verify(alloy_call_t *call)
{
    const alloy_result_t *none = NULL;

    return alloy_call_flush(call, ALLOY_SIGNED_IN, NULL, 0, &none);
}

/* ---- transactions with C between the statements --------------------------- */

alloy_problem_t *alloy_call_begin(alloy_call_t *call)
{
    alloy_db_fault_t fault = { "" };
    alloy_enter_t enter;
    alloy_outcome_e outcome;

    alloy_access_enter(&enter, call, call->op->row->role, 1);
    outcome = alloy_db_begin(&call->session, call->engine->db, &enter, &fault,
                             call->pool);
    if (outcome != ALLOY_DB_COMMITTED) {
        call->session = NULL;
    }
    call->settled = settings_name(&enter, call->pool);
    return read_outcome(call, outcome, &fault, 0);
}

/* What a key with a budget pays; the last lock of its transaction. */
alloy_problem_t *alloy_call_spend(alloy_call_t *call)
{
    const alloy_result_t *ignored = NULL;

    if (call->spent || call->replayed || !call->op->writes || !call->principal
        || !call->principal->budgeted) {
        return NULL;
    }
    alloy_bind(call, "key", call->principal->key);
    return alloy_call_step(call, &sql_key_spend, &ignored);
}

alloy_problem_t *alloy_call_commit(alloy_call_t *call)
{
    alloy_db_fault_t fault = { "" };
    alloy_problem_t *problem = alloy_call_spend(call);
    alloy_outcome_e outcome;

    if (problem) {
        alloy_call_rollback(call);
        return problem;
    }
    outcome = alloy_db_commit(call->session, &fault);
    call->session = NULL;
    return read_outcome(call, outcome, &fault, 1);
}

void alloy_call_rollback(alloy_call_t *call)
{
    if (call->session) {
        alloy_db_rollback(call->session);
        call->session = NULL;
    }
}

/* A step inside the transaction, or a transaction of its own. */
alloy_problem_t *alloy_call_step(alloy_call_t *call,
                                 const alloy_statement_t *statement,
                                 const alloy_result_t **presult)
{
    alloy_step_t step;

    ALLOY_TRY(alloy_bind_step(&step, call, statement));
    return alloy_call_flush(call, call->op->row->role, &step, 1, presult);
}

alloy_problem_t *alloy_call_renew(alloy_call_t *call)
{
    const alloy_principal_t *renewed = NULL;
    alloy_db_fault_t fault = { "" };
    alloy_enter_t enter;

    alloy_access_enter(&enter, call, ALLOY_SIGNED_IN, 1);
    call->settled = NULL;
    if (alloy_db_enter(call->session, &enter, &fault) == ALLOY_DB_COMMITTED) {
        return NULL;
    }
    if (!fault.stale) {
        return aborted(call, &fault);
    }
    ALLOY_TRY(alloy_identity_renew(&renewed, call->engine->identity,
                                   call->session,
                                   call->request->authorization, call->pool));
    call->principal = renewed;
    return NULL;
}

ALLOY_DECLARE(alloy_problem_t *) alloy_run(alloy_call_t *call,
                                           const alloy_statement_t *statement,
                                           const alloy_rows_t **prows)
{
    const alloy_result_t *result = NULL;

    ALLOY_TRY(alloy_call_step(call, statement, &result));
    if (prows) {
        *prows = alloy_rows_make(result, call->pool);
    }
    return NULL;
}

ALLOY_DECLARE(alloy_problem_t *) alloy_run_apart(alloy_call_t *call,
                                    const alloy_statement_t *statement)
{
    const alloy_result_t *ignored = NULL;
    alloy_step_t step;

    ALLOY_TRY(alloy_bind_step(&step, call, statement));
    return flush_apart(call, call->op->row->role, &step, 1, &ignored);
}

ALLOY_DECLARE(alloy_problem_t *) alloy_fetch(alloy_call_t *call,
                                             const alloy_statement_t *statement,
                                             const alloy_row_t **prow)
{
    const alloy_rows_t *rows;

    ALLOY_TRY(alloy_run(call, statement, &rows));
    *prow = rows->count ? &rows->rows[0] : NULL;
    return NULL;
}
