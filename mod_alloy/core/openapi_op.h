/**
 * @file openapi_op.h
 * @brief One operation in /openapi.json, and the answers all operations share.
 */
#ifndef ALLOY_CORE_OPENAPI_OP_H
#define ALLOY_CORE_OPENAPI_OP_H

#include "registry.h"

/** "get": {...}, into the path's object. */
void alloy_openapi_op(alloy_out_t *out, const alloy_op_t *op);

/* openapi_failure.c */
/** Does a parameter of OP come from the body?  Its schema is then the one
 *  named like the operation. */
int alloy_openapi_has_body(const alloy_op_t *op);
int alloy_openapi_has_caller(const alloy_op_t *op);
/** Is the answer that of a statement with this mode? */
int alloy_openapi_mode_is(const alloy_op_t *op, alloy_sql_e mode);
int alloy_openapi_is_page(const alloy_op_t *op);
/** Does it obey If-Match? */
int alloy_openapi_is_conditional(const alloy_op_t *op);

/** One header into the object of headers. */
void alloy_openapi_header(alloy_out_t *out, const char *name, const char *help);
/** The header every answer has. */
void alloy_openapi_request_id(alloy_out_t *out);

/** May OP answer the problem status STATUS? */
int alloy_openapi_fails(const alloy_op_t *op, int status);
/** "404": {...} and the others, into the operation's responses. */
void alloy_openapi_failures(alloy_out_t *out, const alloy_op_t *op);
/** "NotFound": {...}, into #/components/responses. */
void alloy_openapi_failure(alloy_out_t *out, const alloy_registry_t *registry,
                           int status);

#endif
