/**
 * @file cell.h
 * @brief PostgreSQL's binary values as text: the part of output.h that
 * output.c and cell.c share.
 */
#ifndef ALLOY_CORE_CELL_H
#define ALLOY_CORE_CELL_H

#include "instant.h"
#include "output.h"

#define ALLOY_INT_SIZE 20       /* characters of the longest 64-bit integer */

/** Room for MORE further bytes. */
void alloy_out_grow(alloy_out_t *out, apr_size_t more);

static inline void alloy_out_reserve(alloy_out_t *out, apr_size_t more)
{
    if (out->room - out->length < more) {
        alloy_out_grow(out, more);
    }
}

/** The comma before the next value, where one is due. */
void alloy_out_separate(alloy_out_t *out);

/** A JSON string with its quotes; no comma. */
void alloy_out_string(alloy_out_t *out, const char *text, apr_size_t length);

/** Decimal, no NUL; the characters written, at most ALLOY_INT_SIZE. */
apr_size_t alloy_int_write(char *text, apr_int64_t value);

/** The cell as a JSON number, by what FIELD makes of its column; nothing for
 *  NULL. */
void alloy_out_number(alloy_out_t *out, const alloy_result_t *result, int row,
                      int column, const alloy_field_t *field);

#endif
