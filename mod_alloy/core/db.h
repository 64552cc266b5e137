/**
 * @file db.h
 * @brief The seam to PostgreSQL: a call hands over its steps and gets
 * results.  Who shares a connection with whom is this side's business.
 *
 * Nothing waits without a deadline.  A deadline frees the caller, not the
 * connection: the connection goes to the connector thread, which closes it.
 */
#ifndef ALLOY_CORE_DB_H
#define ALLOY_CORE_DB_H

#include <apr_pools.h>
#include <apr_time.h>

#include "../alloy.h"

typedef struct alloy_db_t alloy_db_t;
typedef struct alloy_result_t alloy_result_t;

typedef struct {
    const char *conninfo;       /* libpq's, or a postgresql:// URL */
    int connections;            /* per child, at least 1 */
    apr_interval_time_t read_deadline, write_deadline;  /* of a whole flush */
    apr_interval_time_t read_wait, write_wait;  /* for a free connection */
    int prepare;                /* 0: unnamed statements, for poolers */
    int read_lanes, write_lanes;    /* connections that short reads, and
                                 * writes, share; 0: each has one to itself */
} alloy_db_config_t;

/** How a transaction ended. */
typedef enum {
    ALLOY_DB_COMMITTED,
    ALLOY_DB_ABORTED,           /* the server refused: sqlstate says why */
    ALLOY_DB_NOT_STARTED,       /* nothing was sent: no connection in time */
    ALLOY_DB_UNKNOWN            /* sent, and no answer came; also for reads */
} alloy_outcome_e;

/** Why it did not commit.  Never shown to a caller as it is. */
typedef struct {
    char sqlstate[6];           /* "" when there is none */
    const char *message;        /* the server's words, for the log */
    const char *constraint;     /* name, or NULL */
    const char *statement;      /* name of the one that failed, or NULL */
    int stale;                  /* enter found another version: the
                                 * principal must be read anew */
} alloy_db_fault_t;

/** What `enter` sends before everything else.  All texts; "" when empty. */
typedef struct {
    const char *user;           /* uuid, or NULL: public, nothing verified */
    const char *version;        /* of the principal, decimal */
    const char *orgs, *all, *projects;  /* array literals; projects may be "*" */
    const char *call;           /* text[] literal for the change log, or NULL */
} alloy_enter_t;

typedef struct {
    const alloy_statement_t *statement;
    const char *const *values;  /* one per parameter, text format; NULL: NULL */
} alloy_step_t;

/** Make the pool and start the connector thread (per child, after the fork).
 *  Does not wait for the database.  POOL's pre-cleanup stops it. */
apr_status_t alloy_db_make(alloy_db_t **pdb, const alloy_db_config_t *config,
                           apr_pool_t *pool);

/**
 * One flush, one implicit transaction: enter, the steps, Sync.  The outcome
 * is COMMITTED only when Sync's answer came with no error before it.  Others
 * may share the transaction: what they may see and do stays theirs, and their
 * errors don't reach the caller.
 * A write is one when a statement says so; it gets the write deadlines and,
 * after it was sent, is never sent again here.  Reads that met a dead
 * connection, and whatever was not started or was aborted by 40001, 40P01 or
 * 55P03, are tried again, bounded and jittered.
 * @param presults  COUNT results, valid as long as POOL; NULL ones for steps
 *                  that answered nothing
 */
alloy_outcome_e alloy_db_flush(alloy_db_t *db, const alloy_enter_t *enter,
                               const alloy_step_t *steps, int count,
                               const alloy_result_t **presults,
                               alloy_db_fault_t *fault, apr_pool_t *pool);

/** A transaction with C between its statements, on one connection. */
typedef struct alloy_session_t alloy_session_t;
alloy_outcome_e alloy_db_begin(alloy_session_t **psession, alloy_db_t *db,
                               const alloy_enter_t *enter,
                               alloy_db_fault_t *fault, apr_pool_t *pool);
/** COMMITTED here means only that the statement succeeded. */
alloy_outcome_e alloy_db_step(alloy_session_t *session,
                              const alloy_step_t *step,
                              const alloy_result_t **presult,
                              alloy_db_fault_t *fault);
/** New settings for the steps that follow (another organization's right). */
alloy_outcome_e alloy_db_enter(alloy_session_t *session,
                               const alloy_enter_t *enter,
                               alloy_db_fault_t *fault);
/** Proof is the tag COMMIT.  The session is gone afterwards. */
alloy_outcome_e alloy_db_commit(alloy_session_t *session,
                                alloy_db_fault_t *fault);
void alloy_db_rollback(alloy_session_t *session);

/** Wrap a libpq PGresult, which is cleared with POOL. */
const alloy_result_t *alloy_result_of(void *pgresult, apr_pool_t *pool);

/* results: columns in binary format, values as the server sent them */
int alloy_result_rows(const alloy_result_t *result);
int alloy_result_columns(const alloy_result_t *result);
const char *alloy_result_name(const alloy_result_t *result, int column);
/** PostgreSQL's type OID of a column. */
unsigned alloy_result_type(const alloy_result_t *result, int column);
/** -1 when there is no such column. */
int alloy_result_column(const alloy_result_t *result, const char *name);
/** Likewise, looking first behind column AFTER (-1: at the first one): who
 *  asks for columns in their order finds each at once. */
int alloy_result_column_after(const alloy_result_t *result, const char *name,
                              int after);
/** NULL for SQL's NULL. */
const char *alloy_result_cell(const alloy_result_t *result, int row,
                              int column, int *length);
/** Rows an INSERT, UPDATE or DELETE touched; -1 for others. */
long alloy_result_touched(const alloy_result_t *result);

/** What the connector thread knows, without asking the database. */
typedef struct {
    int reachable;              /* the breaker is closed */
    int migration;              /* newest of component 'core'; 0 unknown */
    int schema_fits;            /* every component is in its range; taken for
                                 * granted until the first look */
    const char *schema_fault;   /* sentence, or NULL; static or in the db's pool */
    int connections, idle, waiting;
} alloy_db_state_t;
void alloy_db_state(alloy_db_t *db, alloy_db_state_t *state);

/** Of the calls that shared round trips since the start: how many there were,
 *  in how many round trips, and how many of them failed there. */
typedef struct {
    apr_uint64_t calls, trips, failures;
} alloy_db_shared_t;
void alloy_db_shared(alloy_db_t *db, alloy_db_shared_t *shared);

/** The components a schema must have, before alloy_db_make's thread checks:
 *  COUNT names and the version each needs.  Kept, not copied. */
void alloy_db_expect(alloy_db_t *db, const char *const *components,
                     const int *versions, int count);

#endif
