/**
 * @file value.h
 * @brief From what a body or a query holds to an alloy_value_t; what
 * param.c and value.c share.
 */
#ifndef ALLOY_CORE_VALUE_H
#define ALLOY_CORE_VALUE_H

#include "json.h"
#include "param.h"

/** Reading one call's input; PROBLEM gathers the faults, NULL: none yet. */
typedef struct {
    apr_pool_t *pool;
    alloy_problem_t *problem;
} alloy_reader_t;

/** Add a fault.  ALLOWED may be NULL. */
void alloy_reader_fault(alloy_reader_t *reader, const char *where,
                        const char *code, const char *detail,
                        const char *const *allowed);

/** No more faults would be listed. */
int alloy_reader_full(const alloy_reader_t *reader);

/** All faults together, or NULL: there was none. */
alloy_problem_t *alloy_reader_conclude(const alloy_reader_t *reader);

/** VALUE->where is set before each of these. */
void alloy_value_read_text(alloy_reader_t *reader, alloy_value_t *value,
                           const alloy_param_t *param, const char *text);
void alloy_value_read_texts(alloy_reader_t *reader, alloy_value_t *value,
                            const alloy_param_t *param,
                            const char *const *texts, int count);
/** It was not sent: a fault when required, else the fallback. */
void alloy_value_read_none(alloy_reader_t *reader, alloy_value_t *value,
                           const alloy_param_t *param);

/** The member of MAP (NULL: an empty one) named as the parameter; sets
 *  VALUE->where, below the pointer PARENT. */
void alloy_value_read_member(alloy_reader_t *reader, alloy_value_t *value,
                             const alloy_param_t *param,
                             const alloy_json_t *map, const char *parent);

/** A fault for each key of MAP that KNOWS answers 0 for. */
typedef int alloy_knows_fn(const void *baton, const char *key);
void alloy_value_check_keys(alloy_reader_t *reader, const alloy_json_t *map,
                            const char *parent, alloy_knows_fn *knows,
                            const void *baton);

/** What each element of a LIST, or of one with ALLOY_MANY, is described by. */
const alloy_param_t *alloy_value_element(const alloy_param_t *param);

#endif
