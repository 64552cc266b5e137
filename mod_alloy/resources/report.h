/**
 * @file report.h
 * @brief What the reports share: their parameters, and the way from rows with
 * figures in halves to JSON and to charts.
 */
#ifndef ALLOY_REPORT_H
#define ALLOY_REPORT_H

#include "alloy_report.h"

/** What a report counts. */
extern const char *const alloy_unit_words[];

#define ALLOY_UNIT_PARAM \
    { .name = "unit", .type = ALLOY_WORD, .words = alloy_unit_words, \
      .fallback = "tickets", .help = "What to count: tickets, or their " \
                                     "points." }
#define ALLOY_AS_OF_PARAM \
    { .name = "as_of", .type = ALLOY_TEXT, .least = 1, .most = 40, \
      .format = &alloy_format_moment, \
      .help = "What it showed then: an RFC 3339 instant, or a date for that " \
              "day's end." }

/** Members of the answer, each unless the caller left it out of `fields`: ID
 *  and its column of the first row; what is counted; the rows as "data", in
 *  SHAPE, none when the first one has NULL in column PRESENT. */
void alloy_report_members(alloy_call_t *call, const char *id,
                          const alloy_rows_t *rows,
                          const alloy_shape_t *shape, const char *present);
/** A column of figures times FACTOR, in hundredths; gaps for NULL. */
const apr_int64_t *alloy_report_values(const alloy_rows_t *rows,
                                       const char *column, int factor,
                                       apr_pool_t *pool);
/** A column of texts, one for each row. */
const char *const *alloy_report_labels(const alloy_rows_t *rows,
                                       const char *column, apr_pool_t *pool);
/** A figure in halves as people write it: "2.5". */
const char *alloy_report_number(const alloy_row_t *row, const char *column,
                                apr_pool_t *pool);
/** What the vertical axis counts: "Tickets" or "Points". */
const char *alloy_report_unit(const alloy_call_t *call);
/** Answer with ROWS as a table in SHAPE, in a file named after WHAT and column
 *  NAME; none of them when the first one has NULL in column PRESENT. */
alloy_problem_t *alloy_report_table(alloy_call_t *call, const char *what,
                                    const char *name,
                                    const alloy_rows_t *rows,
                                    const alloy_shape_t *shape,
                                    const char *present);
/** Answer with CHART. */
void alloy_report_draw(alloy_call_t *call, const alloy_chart_t *chart);

#endif
