/**
 * @file alloy.h
 * @brief All that resources and plugins may know about Alloy's engine.
 *
 * Whoever adds a feature describes it in constant tables: statements (made
 * from .sql files), parameters, shapes, operations.  The engine reads these
 * tables to route, to check input, to authorize, to isolate tenants, to write
 * JSON and to publish /openapi.json, so that nothing has to be said twice.
 *
 * Memory: what a function hands out lives in the call's pool and ends with
 * the call.  Tables must be static and constant: httpd reads its
 * configuration twice and forks afterwards.
 * Errors: a function that can fail returns an alloy_problem_t *; NULL means
 * that it did not fail.
 */
#ifndef ALLOY_H
#define ALLOY_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "alloy_types.h"
#include "alloy_operation.h"
#include "alloy_call.h"

#endif /* ALLOY_H */
