/**
 * @file many.h
 * @brief Batches of one noun: many single operations whose references, locks,
 * readings and writes are sent for all of them at once (alloy_many_t).
 */
#ifndef ALLOY_CORE_MANY_H
#define ALLOY_CORE_MANY_H

#include "call.h"

/** One operation of the batch. */
typedef struct {
    int index;
    const char *named;          /* its thing, as it was named */
    const alloy_value_t *values;        /* as sent: those of the element */
    alloy_call_t *call;         /* the single operation's own call */
    int target;                 /* the parameter that is its thing */
    alloy_problem_t *problem;   /* why it does not happen, or NULL */
    int wave;                   /* run with all others of the same wave */
    const alloy_row_t *row;     /* what it is decided from */
    const alloy_rows_t *facts[8];       /* of its operation's hooks */
    alloy_answer_t answer;
} alloy_many_item_t;

typedef struct {
    alloy_call_t *call;         /* the batch's */
    const alloy_param_t *element;       /* parameters of one operation */
    alloy_many_item_t *items;
    int count;
    int atomic;
    int waves;
} alloy_many_batch_t;

/** The function of such an operation: parameters atomic, action and operations,
 *  whose elements are objects that begin with a reference to their thing and
 *  have an action of their own as well.  <thing>_<action> is the operation. */
extern alloy_run_fn alloy_many_run;

/** The id of the item's thing; what was named, until it is resolved. */
const char *alloy_many_id(const alloy_many_item_t *item);

/* many_refer.c */
/**
 * Resolve the references of all items and check the caller's rights to each:
 * what can't be done gets its problem.
 * @return a problem of the batch as a whole.
 */
alloy_problem_t *alloy_many_resolve(alloy_many_batch_t *batch);

/* many_write.c */
/** Lock the things of all items that have no problem, and what their hooks
 *  need locked. */
alloy_problem_t *alloy_many_lock(alloy_many_batch_t *batch);
/** Read, decide and write COUNT items of one operation in one organization. */
alloy_problem_t *alloy_many_write(alloy_many_batch_t *batch,
                                  alloy_many_item_t **items, int count);

#endif
