/**
 * @file compatible.h
 * @brief Is the database's schema one this module and its plugins can serve?
 * The connector thread looks (schema_check.c); calls only read what it saw.
 */
#ifndef ALLOY_CORE_COMPATIBLE_H
#define ALLOY_CORE_COMPATIBLE_H

#include "engine.h"

/** Tell the connector thread which components are needed, and since when. */
void alloy_compatible_expect(alloy_engine_t *engine, apr_pool_t *pool);

/** schema_mismatch when it has looked and it does not fit; operations at the
 *  server's root (health) are answered all the same. */
alloy_problem_t *alloy_compatible_check(const alloy_engine_t *engine,
                                        const alloy_op_t *op,
                                        apr_pool_t *pool);

#endif
