/*
 * Approving time: rules that count what a budget has left are decided here,
 * entry by entry, for one and for many alike; the statement then freezes what
 * the entries come to.
 */
#include "finance.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "alloy_report.h"

#include "sql/time_entry.h"

#define BATCH_LIMIT 500

/** Why an entry is not approved, or what has to be said although it is. */
typedef struct {
    const alloy_problem_kind_t *kind;   /* NULL: it is approved */
    const char *detail;                 /* of the problem, or of a warning */
} verdict_t;

/** What is decided in one call: verdicts by id, cents approved by budget. */
typedef struct {
    alloy_call_t *call;
    apr_pool_t *pool;
    apr_hash_t *verdicts;
    apr_hash_t *spent;
    int self_approval;
} session_t;

/* ---- one entry --------------------------------------------------------------- */

/* Of all that is approved in this call, what the entry's budget pays. */
static apr_int64_t *spent_of(session_t *session, const alloy_row_t *row)
{
    const char *budget = apr_pstrcat(session->pool,
                                     alloy_row_text(row, "project_id"), " ",
                                     alloy_row_text(row, "first_day"), NULL);
    apr_int64_t *spent = apr_hash_get(session->spent, budget,
                                      APR_HASH_KEY_STRING);

    if (!spent) {
        spent = apr_pcalloc(session->pool, sizeof(*spent));
        apr_hash_set(session->spent, budget, APR_HASH_KEY_STRING, spent);
    }
    return spent;
}

static void decide_budget(verdict_t *verdict, session_t *session,
                          const alloy_row_t *row)
{
    apr_int64_t amount = alloy_row_int(row, "amount_cents");
    apr_int64_t budget = alloy_row_int(row, "budget_cents");
    apr_int64_t *spent, before;

    if (alloy_row_is_null(row, "spent_cents")) {
        return;                 /* nobody asked for it, or there is no budget */
    }
    spent = spent_of(session, row);
    before = alloy_row_int(row, "spent_cents") + *spent;
    if (amount > 0 && before + amount > budget) {
        verdict->detail = apr_psprintf(session->pool,
            "With these %" APR_INT64_T_FMT " cents the project has spent %"
            APR_INT64_T_FMT " of a budget of %" APR_INT64_T_FMT "; raise "
            "budget_cents, or let budget_enforcement be warn.", amount,
            before + amount, budget);
        if (!strcmp(alloy_row_text(row, "enforcement"), "block")) {
            verdict->kind = &finance_budget_exceeded;
            return;
        }
    }
    *spent += amount;
}

static void refuse(verdict_t *verdict, const alloy_problem_kind_t *kind,
                   const char *detail)
{
    verdict->kind = kind;
    verdict->detail = detail;
}

static verdict_t *decide(session_t *session, const alloy_row_t *row)
{
    verdict_t *verdict = apr_pcalloc(session->pool, sizeof(*verdict));
    const char *status = alloy_row_text(row, "status");

    if (strcmp(status, "Submitted")) {
        refuse(verdict, &alloy_invalid_state,
               apr_psprintf(session->pool, "The entry is %s; only a submitted "
                            "one can be approved.", status));
    }
    else if (alloy_row_int(row, "closed")) {
        refuse(verdict, &finance_period_closed,
               apr_psprintf(session->pool, "%s is closed and nothing in it "
                            "changes any more; let the time be logged on a "
                            "day of an open period.",
                            alloy_row_text(row, "period")));
    }
    else if (alloy_row_int(row, "own") && !session->self_approval) {
        refuse(verdict, &alloy_forbidden, "Nobody approves his own time; ask "
               "another Admin.");
    }
    else {
        decide_budget(verdict, session, row);
    }
    return verdict;
}

/* ---- all of them ------------------------------------------------------------- */

static alloy_problem_t *lock_and_decide(session_t *session,
                                        const char *entries)
{
    alloy_call_t *call = session->call;
    const alloy_rows_t *rows = NULL;
    int i;

    alloy_bind(call, "entries", entries);
    ALLOY_TRY(alloy_run(call, &sql_time_lock, NULL));
    ALLOY_TRY(alloy_run(call, &sql_approval_lock, NULL));
    ALLOY_TRY(alloy_run(call, &sql_approval_lock_projects, NULL));
    ALLOY_TRY(alloy_run(call, &sql_approval_read, &rows));
    for (i = 0; i < alloy_rows_count(rows); i++) {
        const alloy_row_t *row = alloy_rows_get(rows, i);

        apr_hash_set(session->verdicts, alloy_row_text(row, "id"),
                     APR_HASH_KEY_STRING, decide(session, row));
    }
    return NULL;
}

static session_t *begin(alloy_call_t *call)
{
    apr_pool_t *pool = alloy_call_pool(call);
    session_t *session = apr_pcalloc(pool, sizeof(*session));

    session->call = call;
    session->pool = pool;
    session->verdicts = apr_hash_make(pool);
    session->spent = apr_hash_make(pool);
    session->self_approval = finance_self_approval(call);
    return session;
}

/* What the database reads as json: quotes and backslashes are not in it. */
static const char *warnings_of(session_t *session, const verdict_t *verdict)
{
    return verdict->detail
        ? apr_psprintf(session->pool, "[{\"code\":\"budget_exceeded\","
                       "\"detail\":\"%s\"}]", verdict->detail)
        : "[]";
}

static alloy_problem_t *approve(alloy_call_t *call)
{
    session_t *session = begin(call);
    const char *id = alloy_text(call, "time_entry");
    const char *entries = apr_pstrcat(session->pool, "{", id, "}", NULL);
    const alloy_row_t *row = NULL;
    const verdict_t *verdict;

    ALLOY_TRY(lock_and_decide(session, entries));
    verdict = apr_hash_get(session->verdicts, id, APR_HASH_KEY_STRING);
    if (!verdict) {
        return alloy_missing(call);
    }
    if (verdict->kind) {
        return alloy_problem(call, verdict->kind, "%s", verdict->detail);
    }
    alloy_bind(call, "approved", entries);
    alloy_bind(call, "warnings", warnings_of(session, verdict));
    ALLOY_TRY(alloy_fetch(call, &sql_approval_write, &row));
    return alloy_answer_row(call, row);
}

/* ---- many -------------------------------------------------------------------- */

static const verdict_t absent = {
    &alloy_not_found, "There is no such time entry that you can see."
};

static const verdict_t *verdict_of(const session_t *session, const char *id)
{
    const verdict_t *verdict = apr_hash_get(session->verdicts, id,
                                            APR_HASH_KEY_STRING);

    return verdict ? verdict : &absent;
}

/* '{id,id}', which is how a list of ids reads, taken apart. */
static const apr_array_header_t *split_ids(const char *literal,
                                           apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, 16, sizeof(char *));
    char *state, *id;

    for (id = apr_strtok(apr_pstrdup(pool, literal), "{,}", &state); id;
         id = apr_strtok(NULL, "{,}", &state)) {
        APR_ARRAY_PUSH(ids, const char *) = id;
    }
    return ids;
}

/* All refusals at once, each at its place in the list. */
static alloy_problem_t *refuse_all(session_t *session,
                                   const apr_array_header_t *ids)
{
    alloy_problem_t *problem = NULL;
    int i;

    for (i = 0; i < ids->nelts; i++) {
        const verdict_t *verdict =
            verdict_of(session, APR_ARRAY_IDX(ids, i, const char *));

        if (!verdict->kind) {
            continue;
        }
        if (!problem) {
            problem = alloy_problem(session->call, verdict->kind,
                                    "None was approved. %s Leave out what "
                                    "errors lists, or send atomic: false.",
                                    verdict->detail);
        }
        problem = alloy_problem_at(problem,
                                   apr_psprintf(session->pool, "/ids/%d", i),
                                   verdict->kind->code, verdict->detail, NULL);
    }
    return problem;
}

static void write_item(alloy_out_t *out, const char *id,
                       const verdict_t *verdict)
{
    alloy_out_begin(out, '{');
    alloy_out_key(out, "id");
    alloy_out_text(out, id);
    alloy_out_key(out, "approved");
    alloy_out_bool(out, !verdict->kind);
    alloy_out_key(out, "code");
    alloy_out_text(out, verdict->kind ? verdict->kind->code
                        : verdict->detail ? finance_budget_exceeded.code
                                          : NULL);
    alloy_out_key(out, "detail");
    alloy_out_text(out, verdict->detail);
    alloy_out_end(out);
}

static void write_all(session_t *session, const apr_array_header_t *ids,
                      int approved)
{
    alloy_out_t *out = alloy_out(session->call);
    int i;

    alloy_out_begin(out, '{');
    alloy_out_key(out, "approved");
    alloy_out_int(out, approved);
    alloy_out_key(out, "refused");
    alloy_out_int(out, ids->nelts - approved);
    alloy_out_key(out, "items");
    alloy_out_begin(out, '[');
    for (i = 0; i < ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);

        write_item(out, id, verdict_of(session, id));
    }
    alloy_out_end(out);
    alloy_out_end(out);
}

static alloy_problem_t *approve_many(alloy_call_t *call)
{
    session_t *session = begin(call);
    const char *entries = alloy_text(call, "ids");
    const apr_array_header_t *ids = split_ids(entries, session->pool);
    apr_array_header_t *approved = apr_array_make(session->pool, ids->nelts,
                                                  sizeof(char *));
    int i;

    ALLOY_TRY(lock_and_decide(session, entries));
    if (alloy_int(call, "atomic")) {
        ALLOY_TRY(refuse_all(session, ids));
    }
    for (i = 0; i < ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);

        if (!verdict_of(session, id)->kind) {
            APR_ARRAY_PUSH(approved, const char *) = id;
        }
    }
    alloy_bind(call, "approved",
               apr_pstrcat(session->pool, "{",
                           apr_array_pstrcat(session->pool, approved, ','),
                           "}", NULL));
    alloy_bind(call, "warnings", "[]");
    ALLOY_TRY(alloy_run(call, &sql_approval_write, NULL));
    write_all(session, ids, approved->nelts);
    return NULL;
}

/* ---- the table --------------------------------------------------------------- */

static const alloy_field_t item_fields[] = {
    { "id", ALLOY_UUID, 0, "The entry, in the order sent." },
    { "approved", ALLOY_BOOL, 0, "Whether it is approved now, by this call." },
    { "code", ALLOY_TEXT, ALLOY_NULLABLE, "Why not, as the code of a problem; "
      "budget_exceeded where it was approved beyond the budget." },
    { "detail", ALLOY_TEXT, ALLOY_NULLABLE, "The same as a sentence." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t item_shape = { "ApprovalItem", item_fields };

static const alloy_field_t batch_fields[] = {
    { "approved", ALLOY_INT, 0, "How many were approved." },
    { "refused", ALLOY_INT, 0, "How many were not." },
    { "items", ALLOY_JSON, ALLOY_MANY, "What became of each.", NULL,
      &item_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t batch_shape = { "Approvals", batch_fields };

static const alloy_param_t approve_params[] = {
    FINANCE_TIME_ENTRY_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t id_param[] = {
    { .name = "id", .type = ALLOY_UUID, .help = "Id of a time entry." },
    ALLOY_PARAMS_END
};

static const alloy_param_t batch_params[] = {
    { .name = "org_id", .type = ALLOY_REF, .flags = ALLOY_HOME,
      .resource = &alloy_org_resource,
      .help = "Id or slug of the organization; may be left out when it is "
              "clear which one is meant." },
    { .name = "ids", .type = ALLOY_LIST, .flags = ALLOY_REQUIRED, .least = 1,
      .most = BATCH_LIMIT, .inner = id_param, .help = "Submitted entries." },
    { .name = "atomic", .type = ALLOY_BOOL, .fallback = "true",
      .help = "Whether all are approved or none; else each for itself." },
    ALLOY_PARAMS_END
};

const alloy_operation_t finance_approval_operations[] = {
    {
        .id = "time_entry_approve",
        .method = ALLOY_POST,
        .path = "/time-entries/{time_entry}/approve",
        .tool = "approve_time_entry",
        .noun = "time_entries",
        .summary = "Approves a submitted entry and fixes what it costs.",
        .help = "Rate, capitalization type and phase in force on work_date "
                "are kept on the entry; nothing changes them later. Nobody "
                "approves his own time. Where the project's "
                "budget_enforcement is block, time beyond the budget is "
                "refused (budget_exceeded); where it is warn, warnings tells.",
        .role = ALLOY_ADMIN,
        .flags = ALLOY_TRANSACTION,
        .params = approve_params,
        .answer = &finance_time_entry_shape,
        .run = approve,
    },
    {
        .id = "time_entry_approve_many",
        .method = ALLOY_POST,
        .path = "/time-entries/batch-approve",
        .tool = "approve_time_entries",
        .noun = "time_entries",
        .summary = "Approves many submitted entries of an organization.",
        .role = ALLOY_ADMIN,
        .flags = ALLOY_TRANSACTION,
        .params = batch_params,
        .answer = &batch_shape,
        .run = approve_many,
    },
    ALLOY_OPERATIONS_END
};
