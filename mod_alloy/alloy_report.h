/**
 * @file alloy_report.h
 * @brief What reports need besides alloy.h: operations whose function writes
 * the answer by hand, as JSON, as a chart or as a table.
 */
#ifndef ALLOY_ALLOY_REPORT_H
#define ALLOY_ALLOY_REPORT_H

#include "alloy.h"
#include "alloy_chart.h"

/** The type of a chart: what an operation with ALLOY_CHART answers besides
 *  JSON, or the .document of one that answers nothing else. */
#define ALLOY_CHART_TYPE "image/svg+xml"

/** The type of a table: what an operation with ALLOY_CSV answers besides JSON,
 *  or the .document of one that answers nothing else. */
#define ALLOY_CSV_TYPE "text/csv"

/** A moment people write: an RFC 3339 instant, or a date, which has exactly ten
 *  characters. */
extern ALLOY_DECLARE_DATA const alloy_format_t alloy_format_moment;

/** Does the caller want a chart?  In an operation with ALLOY_CHART: when his
 *  Accept prefers one to JSON. */
ALLOY_DECLARE(int) alloy_wants_chart(const alloy_call_t *call);

/** Does he want a table?  Likewise, of an operation with ALLOY_CSV. */
ALLOY_DECLARE(int) alloy_wants_csv(const alloy_call_t *call);

/**
 * Answer with the first COUNT of ROWS as CSV (RFC 4180): a line of names, then
 * a line for each row, with a cell for each field of SHAPE, which is empty for
 * NULL.  A text that a spreadsheet would take for a formula begins with an
 * apostrophe.  NAME is that of the file, without ".csv"; any text will do.
 * A code in column _refusal of the first row is the answer instead.
 */
ALLOY_DECLARE(alloy_problem_t *) alloy_answer_csv(alloy_call_t *call,
                                                  const alloy_rows_t *rows,
                                                  int count,
                                                  const alloy_shape_t *shape,
                                                  const char *name)
    __attribute__((warn_unused_result));

/** Does the caller want this KEY of the answer (`fields`)?  The engine asks
 *  for rows it writes itself; whoever writes by alloy_out() asks. */
ALLOY_DECLARE(int) alloy_shows(const alloy_call_t *call, const char *key);

/** Write the members of SHAPE that the caller wants, from ROW's columns, into
 *  the object of the answer that is open. */
ALLOY_DECLARE(void) alloy_out_shown(alloy_call_t *call, const alloy_row_t *row,
                                    const alloy_shape_t *shape);

/** The problem of an operation whose statement found nothing: not_found, or
 *  forbidden where the caller's role is what is missing. */
ALLOY_DECLARE(alloy_problem_t *) alloy_missing(alloy_call_t *call)
    __attribute__((warn_unused_result));

#endif
