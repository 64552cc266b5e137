/**
 * @file instant.h
 * @brief Dates and instants without the C library's time functions: proleptic
 * Gregorian calendar, UTC, microseconds, years 0001 to 9999.
 */
#ifndef ALLOY_CORE_INSTANT_H
#define ALLOY_CORE_INSTANT_H

#include <apr.h>

#define ALLOY_DATE_SIZE 10      /* "2026-04-01" */
#define ALLOY_INSTANT_SIZE 27   /* "2026-04-01T08:00:00.000000Z" */

#define ALLOY_DAYS_2000 10957   /* from 1970-01-01 to 2000-01-01 */
#define ALLOY_DAY_MICROS APR_INT64_C(86400000000)

/** Days since 1970-01-01 of YYYY-MM-DD in TEXT, nothing behind it.
 *  @return 1, or 0 when TEXT is no date of the calendar. */
int alloy_date_read(apr_int64_t *days, const char *text);

/** Microseconds since 1970 of an RFC 3339 date-time (section 5.6) with any
 *  offset; finer fractions are cut off.  @return 1, or 0. */
int alloy_instant_read(apr_int64_t *micros, const char *text);

/** Write ALLOY_DATE_SIZE characters, no NUL; 0 when DAYS is out of range. */
int alloy_date_write(char *text, apr_int64_t days);

/** Write ALLOY_INSTANT_SIZE characters, no NUL; 0 when out of range. */
int alloy_instant_write(char *text, apr_int64_t micros);

#endif
