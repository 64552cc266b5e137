/**
 * @file alloy_chart.h
 * @brief Charts as SVG, drawn here and nowhere else: lines over days, stacked
 * areas over days, bars side by side.  A chart explains itself to people who
 * can't see it, follows the reader's light or dark colours, needs no script,
 * and can be read at 640 and at 320 pixels.  Read through alloy_report.h.
 */
#ifndef ALLOY_ALLOY_CHART_H
#define ALLOY_ALLOY_CHART_H

#include <apr_pools.h>

#include "alloy_types.h"

/** No value: a day to come. */
#define ALLOY_CHART_GAP APR_INT64_MIN

/** The largest value there is room for. */
#define ALLOY_CHART_MOST APR_INT64_C(4000000000000000000)

typedef enum {
    ALLOY_CHART_LINES, ALLOY_CHART_AREAS, ALLOY_CHART_BARS
} alloy_chart_kind_e;

/** The colours there are, by what they are for; each is another shade in the
 *  dark, and a line also differs by its dashes. */
typedef enum {
    ALLOY_CHART_WORK, ALLOY_CHART_PLAN, ALLOY_CHART_SCOPE, ALLOY_CHART_DONE
} alloy_chart_role_e;

typedef struct {
    const char *name;           /* in the legend */
    alloy_chart_role_e role;
    const apr_int64_t *values;  /* one for each label, in hundredths; 0 to
                                 * ALLOY_CHART_MOST, or ALLOY_CHART_GAP */
} alloy_chart_series_t;

typedef struct {
    alloy_chart_kind_e kind;
    const char *title;          /* any text of a person's; cut when long */
    const char *text;           /* what it shows, in sentences */
    const char *unit;           /* "Tickets": what the vertical axis counts;
                                 * cents are hundredths of their currency */
    int count;                  /* of labels, 0 or more */
    const char *const *labels;  /* of the horizontal axis; dates (YYYY-MM-DD)
                                 * are written as "1 Apr" */
    int nseries;                /* 1 to 4; AREAS: the lowest first */
    const alloy_chart_series_t *series;
} alloy_chart_t;

/** The whole document, in POOL; *PLENGTH is its size in bytes. */
ALLOY_DECLARE(const char *) alloy_chart_draw(const alloy_chart_t *chart,
                                             apr_size_t *plength,
                                             apr_pool_t *pool);

#endif
