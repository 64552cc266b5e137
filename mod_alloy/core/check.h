/**
 * @file check.h
 * @brief The rules of one value by its parameter's row, whether it came as
 * text or as a number.
 */
#ifndef ALLOY_CORE_CHECK_H
#define ALLOY_CORE_CHECK_H

#include "../alloy.h"

#define ALLOY_REF_LIMIT 500     /* characters of a reference as written */

/** A check and what came of it. */
typedef struct {
    const alloy_param_t *param;
    apr_pool_t *pool;
    const char *text;           /* in: as sent, UTF-8; out: canonical */
    apr_int64_t number;         /* INT, BOOL, HALF; INSTANT: microseconds
                                 * since 1970 */
    const char *code;           /* of the objection, when there is one */
    const char *detail;
    const char *const *allowed;
} alloy_check_t;

/** Check TEXT as a value of the parameter's type: a single one, even where
 *  the parameter is repeatable.  @return 1, or 0 with an objection. */
int alloy_check_text(alloy_check_t *check);

/** Check NUMBER, of an INT or (doubled) of a HALF, against the parameter's
 *  limits and make its text.  @return 1, or 0 with an objection. */
int alloy_check_number(alloy_check_t *check);

/** Object.  @return 0. */
int alloy_check_object(alloy_check_t *check, const char *code,
                       const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
