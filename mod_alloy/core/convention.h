/**
 * @file convention.h
 * @brief What every operation understands without saying so: `fields`,
 * `dry_run`, `include_total`, `sort`, entity tags, preconditions, repeated requests.
 */
#ifndef ALLOY_CORE_CONVENTION_H
#define ALLOY_CORE_CONVENTION_H

#include "call.h"

#define ALLOY_CONVENTIONS_MAX 5 /* parameters added to one operation */

/** Parameters the registry adds to an operation's own: which, depends on the
 *  row alone. @return NULL-terminated. */
const alloy_param_t *const *alloy_convention_params(
    const alloy_operation_t *row, apr_pool_t *pool);

/** Is it one of those, and no filter of the operation's? */
int alloy_convention_is(const alloy_param_t *param);

/** Is it `sort`, which is no filter either, but part of what a page is? */
int alloy_convention_sorts(const alloy_param_t *param);

/** The statement that gives PAGE's rows in the order the caller asked for:
 *  PAGE itself when he asked for none, 422 when it has no such order. */
alloy_problem_t *alloy_convention_sort(alloy_call_t *call,
                                       const alloy_statement_t *page,
                                       const alloy_statement_t **pstatement);

/** Is it the one that makes answers smaller? */
int alloy_convention_cuts(const alloy_param_t *param);

/** `fields` against the operation's shape: 422 for a name it has not. */
alloy_problem_t *alloy_convention_check_fields(alloy_call_t *call);

/** SHAPE cut to the fields the caller asked for; SHAPE itself when he asked
 *  for none. */
const alloy_shape_t *alloy_convention_cut(const alloy_call_t *call,
                                          const alloy_shape_t *shape);

int alloy_convention_dry(const alloy_call_t *call);
/** Into the object that is open: "dry_run": true, where the call is only
 *  tried. */
void alloy_convention_mark(const alloy_call_t *call, alloy_out_t *out);
int alloy_convention_counts(const alloy_call_t *call);

/** The row a DELETE is about to remove, as the GET of the same path shows it,
 *  into the answer. */
alloy_problem_t *alloy_convention_show_prior(alloy_call_t *call);

/* finish.c */
/** Status, entity tag and headers of a success; may be called again. */
void alloy_finish(alloy_call_t *call);

/* precondition.c: If-Match (RFC 9110, section 13.1.1) */
int alloy_precondition_given(const alloy_call_t *call);
/** Run the operation if what it changes is still as the caller saw it, or was
 *  changed elsewhere in fields he does not send. */
alloy_problem_t *alloy_precondition_run(alloy_call_t *call);

/* repeat.c: Idempotency-Key */
int alloy_repeat_given(const alloy_call_t *call);
/** Run the operation and keep its answer in the same transaction, or give the
 *  answer that is kept. */
alloy_problem_t *alloy_repeat_run(alloy_call_t *call);

#endif
