/* Two small plugins for the tests of what reads the operation table: "toy"
 * lends books from shelves, "stamps" adds to it as a plugin does.
 */
#ifndef ALLOY_TESTS_TOY_H
#define ALLOY_TESTS_TOY_H

#include "../mod_alloy/core/registry.h"

extern const alloy_plugin_t toy_plugin, toy_stamps;
extern const alloy_resource_t toy_shelf, toy_book, toy_org;
extern const alloy_statement_t toy_book_get, toy_book_search, toy_shelf_list,
    toy_book_write, toy_book_lock;
extern const alloy_shape_t toy_book_shape;
extern const alloy_guarded_t toy_book_update;

alloy_problem_t *toy_run(alloy_call_t *call);
alloy_problem_t *toy_decide(const alloy_facts_t *facts);

/* The registry of both; fails the test when they are refused. */
alloy_registry_t *toy_registry(apr_pool_t *pool);

/* What the registry says when PLUGIN comes after "toy"; NULL: nothing. */
const char *toy_refusal(const alloy_plugin_t *plugin, apr_pool_t *pool);
/* The same for ROW as the only operation of a plugin "finance". */
const char *toy_row_refusal(const alloy_operation_t *row, apr_pool_t *pool);
/* An operation with PARAMS and nothing wrong about it. */
alloy_operation_t toy_sound_row(const alloy_param_t *params);

#endif
