/**
 * @file output.h
 * @brief Writing JSON: one growing buffer in a pool; rows straight from
 * PostgreSQL's binary results (PostgreSQL 15, chapter 55, binary formats).
 */
#ifndef ALLOY_CORE_OUTPUT_H
#define ALLOY_CORE_OUTPUT_H

#include "../alloy_front.h"
#include "db.h"

#define ALLOY_OUT_DEPTH 40

struct alloy_out_t {
    apr_pool_t *pool;
    char *bytes;
    apr_size_t length, room;
    int depth;
    char open[ALLOY_OUT_DEPTH]; /* the brackets that are open */
    char first[ALLOY_OUT_DEPTH];        /* nothing written in it yet */
    int after_key;
};

/** Which columns of RESULT fill which fields of SHAPE: made once a result. */
typedef struct alloy_mapping_t alloy_mapping_t;
alloy_mapping_t *alloy_out_map(const alloy_result_t *result,
                               const alloy_shape_t *shape, apr_pool_t *pool);

/** The row as '{...}', fields in the shape's order. */
void alloy_out_mapped(alloy_out_t *out, const alloy_result_t *result, int row,
                      const alloy_mapping_t *mapping);

/** The same fields without the brackets, into the object that is open. */
void alloy_out_members(alloy_out_t *out, const alloy_result_t *result, int row,
                       const alloy_mapping_t *mapping);

/** A cell as canonical text (not JSON), by its column's type: uuid, text,
 *  int2/4/8, bool (t, f), timestamptz (RFC 3339, microseconds, Z), date,
 *  json, arrays as their PostgreSQL literal.  NULL for NULL. */
const char *alloy_out_cell_text(const alloy_result_t *result, int row,
                                int column, apr_pool_t *pool);

/** Append microseconds since 1970 as RFC 3339 UTC ("2026-04-01T08:00:00.000000Z"),
 *  27 bytes; years 0001 to 9999. */
void alloy_out_instant(alloy_out_t *out, apr_int64_t micros);

/** Append raw bytes; for engine files only. */
void alloy_out_raw(alloy_out_t *out, const char *bytes, apr_size_t length);

#endif
