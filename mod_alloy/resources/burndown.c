/*
 * A sprint day by day: what was in it, what was done, what remained; as JSON,
 * as a table or as a chart.
 */
#include "resources.h"

#include <apr_strings.h>

#include "report.h"
#include "sql/report.h"

static const alloy_field_t day_fields[] = {
    { "date", ALLOY_DATE, 0, "A day in the organization's time zone." },
    { "total", ALLOY_HALF, ALLOY_NULLABLE, "All work in the sprint at its end; "
      "null for a day to come." },
    { "completed", ALLOY_HALF, ALLOY_NULLABLE, "The part that was done." },
    { "remaining", ALLOY_HALF, ALLOY_NULLABLE, "The part that was not." },
    { "added", ALLOY_HALF, ALLOY_NULLABLE, "What came into the sprint on this "
      "day, re-estimates included." },
    { "removed", ALLOY_HALF, ALLOY_NULLABLE, "What went out of it." },
    { "ideal", ALLOY_HALF, ALLOY_NULLABLE, "What would remain if the work "
      "planned at first ended evenly on end_date; null without one." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t day_shape = { "BurndownDay", day_fields };

static const alloy_field_t burndown_fields[] = {
    { "sprint_id", ALLOY_UUID, 0, "The sprint." },
    { "unit", ALLOY_WORD, 0, "What the figures count.", alloy_unit_words },
    { "data", ALLOY_JSON, ALLOY_MANY, "One row for every day from start_date "
      "to end_date, or to the completion if that was later.", NULL,
      &day_shape },
    { "forecast", ALLOY_DATE, ALLOY_NULLABLE, "The day on which the work ends "
      "at the pace so far, or ended; null when that can't be told." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t burndown_shape = { "Burndown", burndown_fields };

static const alloy_param_t burndown_params[] = {
    ALLOY_SPRINT_PARAMS,
    ALLOY_UNIT_PARAM,
    ALLOY_AS_OF_PARAM,
    ALLOY_PARAMS_END
};

static void answer_days(alloy_call_t *call, const alloy_rows_t *rows)
{
    alloy_out_t *out = alloy_out(call);

    alloy_out_begin(out, '{');
    alloy_report_members(call, "sprint_id", rows, &day_shape, "date");
    if (alloy_shows(call, "forecast")) {
        alloy_out_key(out, "forecast");
        alloy_out_text(out, alloy_row_text(alloy_rows_get(rows, 0),
                                           "forecast"));
    }
    alloy_out_end(out);
}

/* Where the work stands on the last day that is known. */
static const char *standing(alloy_call_t *call, const alloy_rows_t *rows)
{
    apr_pool_t *pool = alloy_call_pool(call);
    const alloy_row_t *known = NULL;
    int i;

    for (i = 0; i < alloy_rows_count(rows); i++) {
        if (!alloy_row_is_null(alloy_rows_get(rows, i), "total")) {
            known = alloy_rows_get(rows, i);
        }
    }
    if (!known) {
        return "The sprint has not begun.";
    }
    return apr_psprintf(pool, "On %s, %s of %s %s remain.",
                        alloy_row_text(known, "date"),
                        alloy_report_number(known, "remaining", pool),
                        alloy_report_number(known, "total", pool),
                        alloy_text(call, "unit"));
}

static void answer_chart(alloy_call_t *call, const alloy_rows_t *rows)
{
    apr_pool_t *pool = alloy_call_pool(call);
    const char *name = alloy_row_text(alloy_rows_get(rows, 0), "name");
    alloy_chart_series_t series[] = {
        { "Ideal", ALLOY_CHART_PLAN,
          alloy_report_values(rows, "ideal_hundredths", 1, pool) },
        { "Scope", ALLOY_CHART_SCOPE,
          alloy_report_values(rows, "total", 50, pool) },
        { "Remaining", ALLOY_CHART_WORK,
          alloy_report_values(rows, "remaining", 50, pool) },
    };
    alloy_chart_t chart = {
        .kind = ALLOY_CHART_LINES,
        .title = apr_pstrcat(pool, "Burndown: ", name, NULL),
        .text = apr_pstrcat(pool, "Work remaining in the sprint at the end of "
                            "each day, beside all its work and an even pace. ",
                            standing(call, rows), NULL),
        .unit = alloy_report_unit(call),
        .count = alloy_rows_count(rows),
        .labels = alloy_report_labels(rows, "date", pool),
        .nseries = 3,
        .series = series,
    };

    alloy_report_draw(call, &chart);
}

static alloy_problem_t *run_burndown(alloy_call_t *call)
{
    const alloy_rows_t *rows;

    ALLOY_TRY(alloy_run(call, &sql_burndown_days, &rows));
    if (!alloy_rows_count(rows)) {
        return alloy_missing(call);
    }
    if (alloy_wants_csv(call)) {
        return alloy_report_table(call, "burndown", "name", rows, &day_shape,
                                  "date");
    }
    if (alloy_wants_chart(call)) {
        answer_chart(call, rows);
    }
    else {
        answer_days(call, rows);
    }
    return NULL;
}

const alloy_operation_t alloy_burndown_operations[] = {
    {
        .id = "sprint_burndown",
        .method = ALLOY_GET,
        .path = "/sprints/{sprint}/burndown",
        .tool = "get_sprint_burndown",
        .noun = "sprints",
        .summary = "Tells day by day how much work a sprint had, and how much "
                   "of it remained.",
        .help = "A past day never changes: figures come from a history that is "
                "written with every change. Answers a chart to Accept: "
                "image/svg+xml and a table to Accept: text/csv.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_CHART | ALLOY_CSV | ALLOY_LISTED,
        .params = burndown_params,
        .answer = &burndown_shape,
        .run = run_burndown,
    },
    {
        .id = "sprint_burndown_chart",
        .method = ALLOY_GET,
        .path = "/sprints/{sprint}/burndown.svg",
        .noun = "sprints",
        .summary = "Draws a sprint's burndown as SVG.",
        .role = ALLOY_VIEWER,
        .params = burndown_params,
        .run = run_burndown,
        .document = ALLOY_CHART_TYPE,
    },
    ALLOY_OPERATIONS_END
};
