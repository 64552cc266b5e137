/**
 * @file schema_json.h
 * @brief JSON schemas (2020-12) as /openapi.json wants them: what repeats is a
 * $ref to #/components/schemas.
 */
#ifndef ALLOY_CORE_SCHEMA_JSON_H
#define ALLOY_CORE_SCHEMA_JSON_H

#include "openapi.h"

/** The schema of a parameter's value, without the help: a parameter of the
 *  path or query says that outside of its schema. */
void alloy_schema_value(alloy_out_t *out, const alloy_param_t *param);

/** The object of those of OP's parameters that are read from the body. */
void alloy_schema_body(alloy_out_t *out, const alloy_op_t *op);

/** {"$ref": "#/components/schemas/NAME"} */
void alloy_schema_ref(alloy_out_t *out, const char *name);

/** As alloy_schema_shape(), nested shapes by $ref. */
void alloy_schema_component(alloy_out_t *out, const alloy_shape_t *shape);

/** A key and its text. */
void alloy_schema_pair(alloy_out_t *out, const char *key, const char *text);

#endif
