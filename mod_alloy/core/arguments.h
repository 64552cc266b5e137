/**
 * @file arguments.h
 * @brief Reading a tool's input: one object of arguments instead of path, query
 * and body, named as people speak of things.
 */
#ifndef ALLOY_CORE_ARGUMENTS_H
#define ALLOY_CORE_ARGUMENTS_H

#include "param.h"
#include "registry.h"

/** One tool of an operation. */
typedef struct alloy_tool_use_t {
    const alloy_op_t *op;
    const char *name;
    const alloy_tool_t *settled;    /* NULL: nothing is settled beforehand */
    int most;                       /* rows, whatever is asked for; 0: as
                                     * asked */
} alloy_tool_use_t;

/** How many bytes an answer may have: every tool's argument. */
extern const alloy_param_t alloy_argument_bytes;

/** What the argument of PARAM is called: a reference by its noun alone. */
const char *alloy_argument_name(const alloy_param_t *param, apr_pool_t *pool);

/** Does the tool take parameter INDEX at all? */
int alloy_argument_taken(const alloy_tool_use_t *use, int index);

/** Must it be given?  Not so an organization that the default rule finds, or a
 *  thing that may be named by its kind. */
int alloy_argument_needed(const alloy_tool_use_t *use, int index);

/** The kinds of thing a reference may be to: each is an argument of its own,
 *  which stands for the kind and the reference.  NULL: it has its one kind. */
const char *const *alloy_argument_kinds(const alloy_op_t *op, int index);

/** As alloy_params_read(), from the object MAP (NULL: an empty one).  Faults
 *  point into it. */
alloy_problem_t *alloy_arguments_read(alloy_value_t **pvalues,
                                      alloy_paging_t *paging,
                                      const alloy_tool_use_t *use,
                                      const alloy_json_t *map,
                                      apr_pool_t *pool);

#endif
