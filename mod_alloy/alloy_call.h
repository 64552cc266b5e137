/**
 * @file alloy_call.h
 * @brief What the function of an operation and a hook may do during a call:
 * problems, parameters' values, statements, answers, secrets.
 *
 * Memory: what a function hands out lives in the call's pool and ends with
 * the call.
 * Errors: a function that can fail returns an alloy_problem_t *; NULL means
 * that it did not fail.  Read through alloy.h.
 */
#ifndef ALLOY_CALL_H
#define ALLOY_CALL_H

#include <apr_pools.h>

#include "alloy_operation.h"

/* ---- Problems ------------------------------------------------------------ */
/**
 * Make a problem.  FMT becomes the `detail`: a sentence that tells the caller
 * what to do next; no SQL, no path, no secret may be in it.
 */
ALLOY_DECLARE(alloy_problem_t *) alloy_problem(alloy_call_t *call,
                                               const alloy_problem_kind_t *kind,
                                               const char *fmt, ...)
    __attribute__((format(printf, 3, 4), warn_unused_result));

/**
 * Name an input that is at fault.  WHERE is a JSON pointer into the body
 * ("/statuses/2/name") or, without the slash, the name of a query parameter.
 * ALLOWED is a NULL-terminated list of accepted values, or NULL.
 * @return PROBLEM, so that calls nest.
 */
ALLOY_DECLARE(alloy_problem_t *) alloy_problem_at(alloy_problem_t *problem,
                                                  const char *where,
                                                  const char *code,
                                                  const char *detail,
                                                  const char *const *allowed);

/**
 * Add a member of its own to the problem document.  JSON is the complete text
 * of its value.  @return PROBLEM.
 */
ALLOY_DECLARE(alloy_problem_t *) alloy_problem_member(alloy_problem_t *problem,
                                                      const char *name,
                                                      const char *json);

/** Say when to try again: Retry-After, in seconds.  @return PROBLEM. */
ALLOY_DECLARE(alloy_problem_t *) alloy_problem_retry(alloy_problem_t *problem,
                                                     int seconds);

/** Return from the current function when EXPR meets a problem. */
#define ALLOY_TRY(expr) \
    do { \
        alloy_problem_t *alloy_try_problem = (expr); \
        if (alloy_try_problem) { \
            return alloy_try_problem; \
        } \
    } while (0)

/**
 * From a hook: let the write happen, but say that it broke a rule.  CODE
 * (stable, letters and underscores) marks the change in the change log, the
 * sentence goes into the answer's `warnings`.
 */
ALLOY_DECLARE(void) alloy_warn(alloy_call_t *call, const char *code,
                               const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- Values of parameters ------------------------------------------------ */
/** The value as canonical text; NULL when absent or null.  A REF reads as
 *  the id of the row, a DATE as YYYY-MM-DD, a LIST or OBJECT as JSON. */
ALLOY_DECLARE(const char *) alloy_text(const alloy_call_t *call, const char *name);
/** The value of an INT, BOOL (1), HALF (doubled) or HUNDREDTH (times 100); 0
 *  when absent. */
ALLOY_DECLARE(apr_int64_t) alloy_int(const alloy_call_t *call, const char *name);
/** Did the caller send it, be it null?  A fallback does not count. */
ALLOY_DECLARE(int) alloy_given(const alloy_call_t *call, const char *name);
/** Is there an operation of this id, of whatever plugin? */
ALLOY_DECLARE(int) alloy_offers(const alloy_call_t *call, const char *operation);

/* ---- Rows ---------------------------------------------------------------- */
/** Columns by name; a name the statement has not is a bug: the text accessor
 *  answers NULL and the error log says so. */
ALLOY_DECLARE(int) alloy_rows_count(const alloy_rows_t *rows);
ALLOY_DECLARE(const alloy_row_t *) alloy_rows_get(const alloy_rows_t *rows,
                                                  int index);
/** As canonical text, in the call's pool; NULL for SQL's NULL. */
ALLOY_DECLARE(const char *) alloy_row_text(const alloy_row_t *row,
                                           const char *column);
/** Integers, booleans (0, 1), instants (microseconds since 1970). */
ALLOY_DECLARE(apr_int64_t) alloy_row_int(const alloy_row_t *row,
                                         const char *column);
ALLOY_DECLARE(int) alloy_row_is_null(const alloy_row_t *row,
                                     const char *column);

/* ---- The call, for operations with a function of their own ---------------- */
ALLOY_DECLARE(apr_pool_t *) alloy_call_pool(const alloy_call_t *call);
/** The caller's user id as text; NULL in a public operation. */
ALLOY_DECLARE(const char *) alloy_call_user(const alloy_call_t *call);
/** The id of the call's one organization, or NULL. */
ALLOY_DECLARE(const char *) alloy_call_org(const alloy_call_t *call);
/** The caller's role in the call's organization; 0 when there is none. */
ALLOY_DECLARE(alloy_role_e) alloy_call_role(const alloy_call_t *call);
/** The fresh id `new_<noun>` of this call, the one statements get. */
ALLOY_DECLARE(const char *) alloy_call_new_id(alloy_call_t *call,
                                              const char *noun);

/** Give a statement parameter a value (NULL: SQL's NULL) for the rest of the
 *  call.  VALUE must live as long as the call. */
ALLOY_DECLARE(void) alloy_bind(alloy_call_t *call, const char *name,
                               const char *value);

/**
 * Run a statement.  In an operation with ALLOY_TRANSACTION it is a step of the
 * call's one transaction, else a transaction of its own, committed on return.
 * PROWS may be NULL.
 */
ALLOY_DECLARE(alloy_problem_t *) alloy_run(alloy_call_t *call,
                                           const alloy_statement_t *statement,
                                           const alloy_rows_t **prows);
/** Run a statement in a transaction of its own, which stays when the call is
 *  refused or only tried: a failed attempt that must be counted. */
ALLOY_DECLARE(alloy_problem_t *) alloy_run_apart(alloy_call_t *call,
                                    const alloy_statement_t *statement);
/** As alloy_run, for at most one row; *PROW is NULL when there is none. */
ALLOY_DECLARE(alloy_problem_t *) alloy_fetch(alloy_call_t *call,
                                             const alloy_statement_t *statement,
                                             const alloy_row_t **prow);

/** Answer with one row, written in the operation's shape.  Keys given by
 *  alloy_answer_text() and alloy_answer_int() before are added. */
ALLOY_DECLARE(alloy_problem_t *) alloy_answer_row(alloy_call_t *call,
                                                  const alloy_row_t *row);
/** Give a key of the answer a text that is in no column: a secret shown once,
 *  a link. */
ALLOY_DECLARE(void) alloy_answer_text(alloy_call_t *call, const char *key,
                                      const char *value);
ALLOY_DECLARE(void) alloy_answer_int(alloy_call_t *call, const char *key,
                                     apr_int64_t value);
/** Another status than the operation's own (201 to 200). */
ALLOY_DECLARE(void) alloy_answer_status(alloy_call_t *call, int status);
/** Answer a document of another type; BODY must live as long as the call. */
ALLOY_DECLARE(void) alloy_answer_document(alloy_call_t *call, const char *type,
                                          const char *body, apr_size_t length);

/* ---- Settings and secrets ------------------------------------------------- */
typedef enum { ALLOY_OPEN, ALLOY_INVITE_ONLY, ALLOY_DISABLED } alloy_registration_e;

/** How people may register (AlloyRegistration). */
ALLOY_DECLARE(alloy_registration_e) alloy_registration(const alloy_call_t *call);
/** The base URL people reach this server at, without a slash at the end; from
 *  the configuration, never from a Host field. */
ALLOY_DECLARE(const char *) alloy_base_url(const alloy_call_t *call);
/** The server_rec of the host that was called, for a plugin with directives of
 *  its own; NULL for a front that is no part of httpd. */
ALLOY_DECLARE(const void *) alloy_call_server(const alloy_call_t *call);
/** The full URL of PATH ("/tickets/..."), a path of the API as in an
 *  operation's row; in the call's pool. */
ALLOY_DECLARE(const char *) alloy_url(const alloy_call_t *call,
                                      const char *path);
/** Seconds a refresh token lives (AlloyRefreshTokenLifetime). */
ALLOY_DECLARE(apr_int64_t) alloy_refresh_lifetime(const alloy_call_t *call);
/** Does AlloyThrottle ask to slow down failed attempts? */
ALLOY_DECLARE(int) alloy_throttled(const alloy_call_t *call);

/** Hash a password (argon2id, encoded form).  429 when too many wait. */
ALLOY_DECLARE(alloy_problem_t *) alloy_password_hash(alloy_call_t *call,
                                                     const char *password,
                                                     const char **encoded);
/** *PSAME tells whether PASSWORD is the one of ENCODED; with ENCODED NULL the
 *  same work is done and the answer is 0. */
ALLOY_DECLARE(alloy_problem_t *) alloy_password_check(alloy_call_t *call,
                                                      const char *password,
                                                      const char *encoded,
                                                      int *psame);
/** Make an opaque token that begins with PREFIX ("alloy_refresh_").  *PHASH
 *  is its hash as a bytea literal, which is all that may be stored. */
ALLOY_DECLARE(alloy_problem_t *) alloy_token_make(alloy_call_t *call,
                                                  const char *prefix,
                                                  const char **ptoken,
                                                  const char **phash);
/** The hash of a token that came in, as a bytea literal; NULL when it can't
 *  be one of ours (wrong prefix or checksum). */
ALLOY_DECLARE(const char *) alloy_token_hash(alloy_call_t *call,
                                             const char *prefix,
                                             const char *token);
/** A signed access token for USER in SESSION; *PSECONDS is its lifetime. */
ALLOY_DECLARE(alloy_problem_t *) alloy_access_token(alloy_call_t *call,
                                                    const char *user,
                                                    const char *session,
                                                    const char **ptoken,
                                                    apr_int64_t *pseconds);
/** What the caller's own token is: the session's or key's id, or NULL. */
ALLOY_DECLARE(const char *) alloy_call_session(const alloy_call_t *call);
ALLOY_DECLARE(const char *) alloy_call_key(const alloy_call_t *call);

/* ---- Output: JSON by hand, where a shape does not reach ------------------- */
/** The stream of the answer's body. */
ALLOY_DECLARE(alloy_out_t *) alloy_out(alloy_call_t *call);
/** OPEN is '{' or '['; the end matches by itself.  Commas are the writer's. */
ALLOY_DECLARE(void) alloy_out_begin(alloy_out_t *out, char open);
ALLOY_DECLARE(void) alloy_out_end(alloy_out_t *out);
ALLOY_DECLARE(void) alloy_out_key(alloy_out_t *out, const char *key);
/** NULL is written as null. */
ALLOY_DECLARE(void) alloy_out_text(alloy_out_t *out, const char *value);
ALLOY_DECLARE(void) alloy_out_int(alloy_out_t *out, apr_int64_t value);
ALLOY_DECLARE(void) alloy_out_bool(alloy_out_t *out, int value);
/** A complete JSON text, written as it is. */
ALLOY_DECLARE(void) alloy_out_json(alloy_out_t *out, const char *json);
/** The row as an object in SHAPE. */
ALLOY_DECLARE(void) alloy_out_row(alloy_out_t *out, const alloy_row_t *row,
                                  const alloy_shape_t *shape);

#endif
