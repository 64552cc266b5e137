/**
 * @file call.h
 * @brief The inside of a call, for the engine's own files: identity, values,
 * references, settings, flushes, answer.
 */
#ifndef ALLOY_CORE_CALL_H
#define ALLOY_CORE_CALL_H

#include "engine.h"
#include "output.h"
#include "param.h"
#include "problem.h"

#define ALLOY_BINDS_MAX 32

/** A name with its value: alloy_bind(), new ids, texts added to an answer. */
typedef struct {
    const char *name;
    const char *value;
    int number;                 /* the value is a JSON number */
} alloy_bound_t;

struct alloy_row_t {
    const alloy_result_t *result;
    int index;
    apr_pool_t *pool;
};

struct alloy_rows_t {
    int count;
    alloy_row_t *rows;
};

typedef struct alloy_added_t alloy_added_t;     /* extend.c */
typedef struct alloy_memo_t alloy_memo_t;       /* many_refer.c */

struct alloy_call_t {
    apr_pool_t *pool;
    alloy_engine_t *engine;
    const alloy_request_t *request;
    const alloy_op_t *op;
    const alloy_route_t *route;
    alloy_answer_t *answer;

    const alloy_principal_t *principal; /* NULL: public */
    int cached;                 /* he came from the cache ... */
    int verified;               /* ... and a flush has confirmed him */
    int stale;                  /* a flush found another version: run again */
    int counted;                /* against the rate limits */
    int conflict;               /* a step met a deadlock or the like: the
                                 * transaction may be run again */

    const alloy_json_t *body;   /* parsed once, kept over a second run */
    int body_read;
    const char *body_bytes;     /* as they came */
    apr_size_t body_length;
    alloy_value_t *values;      /* parallel to op->params */
    alloy_paging_t paging;
    const alloy_statement_t *chosen;    /* whose rows the page is, see .plain */

    const alloy_membership_t *org;      /* the call's organization, or NULL */
    const char *org_id;         /* its id, also of one that is being made */
    unsigned shard;             /* of new ids */
    int assumed;                /* an id in the path was taken at its word:
                                 * nothing found needs a second look */

    alloy_bound_t binds[ALLOY_BINDS_MAX];
    int nbinds;
    alloy_bound_t ids[8];       /* new_<noun> */
    int nids;
    const char *change_id;
    apr_time_t wait_until;      /* of alloy_pool_now's clock; 0: not set; kept
                                 * over a second run */
    alloy_session_t *session;   /* of an ALLOY_TRANSACTION operation */
    const char *settled;        /* the settings it has now */
    alloy_call_t *parent;       /* the batch this call is a part of, or NULL */
    alloy_memo_t *memo;         /* what the parts' references found, or NULL */
    int spent;                  /* the parts paid for themselves */
    const char *touched;        /* organization of the parts so far; "": of
                                 * several, NULL: of none */
    const char *logged_as;      /* an operation's id for the change log, NULL:
                                 * its own */

    alloy_out_t *out;
    alloy_bound_t extras[8];    /* alloy_answer_text() */
    int nextras;
    alloy_added_t *added;       /* what plugins add to the answer's rows */
    int single;                 /* the answer is one thing ... */
    const char *version;        /* ... of this version, or NULL */
    const alloy_row_t *answered;        /* the row of alloy_answer_row() */
    const char *warned;         /* codes of its warnings with commas, NULL:
                                 * none */
    alloy_out_t *warnings;      /* the same as a JSON array, still open */
    int finished;
    int replayed;               /* the answer is one kept earlier: nothing is
                                 * written */
};

/* call.c: the pipeline from input to answer */
alloy_problem_t *alloy_call_run(alloy_call_t *call);
/** Run RUN in a transaction, again where a deadlock or the like ended it. */
alloy_problem_t *alloy_call_transact(alloy_call_t *call, alloy_run_fn *run);
/** The value of a declared parameter; NULL and a log line for others. */
const alloy_value_t *alloy_call_value(const alloy_call_t *call,
                                      const char *name);
/** The operation itself, without what is done around it. */
alloy_problem_t *alloy_call_run_own(alloy_call_t *call);
const char *alloy_call_change_id(alloy_call_t *call);

/* access.c: what the caller may, as settings */
alloy_problem_t *alloy_access_check_token(alloy_call_t *call);
/** May his token, whatever his roles, be used for the operation? */
int alloy_access_token_allows(const alloy_principal_t *principal,
                              const alloy_op_t *op);
alloy_problem_t *alloy_access_check_values(alloy_call_t *call);
int alloy_access_suffices(const alloy_membership_t *org, alloy_role_e role);
/** Settings for ROLE, narrowed to the call's organization when it has one. */
void alloy_access_enter(alloy_enter_t *enter, alloy_call_t *call,
                        alloy_role_e role, int writes);
/** Narrow them to PROJECT (an id) if it is one of those listed. */
void alloy_access_narrow(alloy_enter_t *enter, const char *project,
                         apr_pool_t *pool);
/** Ids of all organizations where the role is at least ROLE, as an array
 *  literal; only the call's own when it has one. */
const char *alloy_access_orgs(const alloy_call_t *call, alloy_role_e role);
alloy_problem_t *alloy_access_refuse(alloy_call_t *call);
const char *alloy_role_name(alloy_role_e role);

/* refer.c: references */
alloy_problem_t *alloy_refer_resolve(alloy_call_t *call);
/** Nothing was found by an id of the path: not there (404), or there and the
 *  role does not suffice (403)?  NULL when everything named is there and the
 *  role suffices. */
alloy_problem_t *alloy_refer_look_again(alloy_call_t *call);

/* bind.c: statement parameters */
alloy_problem_t *alloy_bind_step(alloy_step_t *step, alloy_call_t *call,
                                 const alloy_statement_t *statement);
const char *alloy_bind_value(alloy_call_t *call, const char *name, int *found);

/* flush.c: to the database and back, outcomes as problems */
alloy_problem_t *alloy_call_flush(alloy_call_t *call, alloy_role_e role,
                                  const alloy_step_t *steps, int count,
                                  const alloy_result_t **results);
alloy_problem_t *alloy_call_begin(alloy_call_t *call);
alloy_problem_t *alloy_call_commit(alloy_call_t *call);
void alloy_call_rollback(alloy_call_t *call);
alloy_problem_t *alloy_call_step(alloy_call_t *call,
                                 const alloy_statement_t *statement,
                                 const alloy_result_t **presult);
/** Pay for one write of a key with a budget, in the transaction. */
alloy_problem_t *alloy_call_spend(alloy_call_t *call);
/** The principal as the transaction's own changes have made him. */
alloy_problem_t *alloy_call_renew(alloy_call_t *call);
/** Ask whether a cached principal is still the current one. */
alloy_problem_t *alloy_call_verify(alloy_call_t *call);

/* extend.c: keys that plugins add */
/** Is there something of a plugin in the transaction: a key to be written, or
 *  those to be read after a write? */
int alloy_extend_writes(const alloy_call_t *call);
/** Write it for the thing that ROW of RESULT shows. */
alloy_problem_t *alloy_extend_write(alloy_call_t *call,
                                    const alloy_result_t *result, int row);
/** Read what plugins add to the first COUNT rows of RESULT. */
alloy_problem_t *alloy_extend_read(alloy_call_t *call,
                                   const alloy_result_t *result, int count);
/** Put it into the object of ROW, which is open. */
void alloy_extend_append(const alloy_call_t *call, alloy_out_t *out,
                         const alloy_result_t *result, int row);

/* guarded.c */
alloy_problem_t *alloy_guarded_run(alloy_call_t *call);
/** Does a hook of the operation count, so that only the locked form will do? */
int alloy_guarded_counts(const alloy_op_t *op);
/** Ask the write's own decision and its hooks about ROW; FACTS are the hooks',
 *  in their order.  Binds :seen. */
alloy_problem_t *alloy_guarded_decide(alloy_call_t *call,
                                      const alloy_row_t *row,
                                      const alloy_rows_t *const *facts);

/** What the hooks of the last decision warned of, as JSON; NULL: nothing. */
const char *alloy_guarded_warnings(const alloy_call_t *call);

/* answer.c: results as answers */
/** Read the cursor of a page, if one was sent, into :after_at and :after_id. */
alloy_problem_t *alloy_page_begin(alloy_call_t *call);
alloy_problem_t *alloy_answer_result(alloy_call_t *call,
                                     const alloy_statement_t *statement,
                                     const alloy_result_t *result);
/** The statement found nothing: 404, or 403 when it is there. */
alloy_problem_t *alloy_answer_nothing(alloy_call_t *call);
/** Give a key of the answer a complete JSON text. */
void alloy_answer_json(alloy_call_t *call, const char *key, const char *json);
/** The problem of a _refusal column, or NULL. */
alloy_problem_t *alloy_answer_refusal(alloy_call_t *call,
                                      const alloy_result_t *result);

/* rows.c */
const alloy_rows_t *alloy_rows_make(const alloy_result_t *result,
                                    apr_pool_t *pool);

#endif
