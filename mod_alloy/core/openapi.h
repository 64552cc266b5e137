/**
 * @file openapi.h
 * @brief /openapi.json (3.1), written from the operation table; and the JSON
 * schemas of parameters and shapes, for tools as well.
 */
#ifndef ALLOY_CORE_OPENAPI_H
#define ALLOY_CORE_OPENAPI_H

#include "registry.h"

/** The whole document; BASE is the URL of the API.  Same table, same bytes. */
const char *alloy_openapi_write(const alloy_registry_t *registry,
                                const char *base, const char *version,
                                apr_pool_t *pool);

/** The JSON schema (2020-12) of a parameter's value. */
void alloy_schema_param(alloy_out_t *out, const alloy_param_t *param);
/** The JSON schema of an answer, nested shapes inline. */
void alloy_schema_shape(alloy_out_t *out, const alloy_shape_t *shape);

#endif
