/*
 * Reports on a project's work over time: velocity, burn-up, cumulative flow; as
 * JSON, as tables or as charts.
 */
#include "report.h"

#include <string.h>

#include <apr_strings.h>

#include "resources.h"
#include "sql/report.h"

const char *const alloy_unit_words[] = { "tickets", "points", NULL };

/* ---- what reports share ------------------------------------------------------ */

static int is_empty(const alloy_rows_t *rows, const char *present)
{
    return alloy_row_is_null(alloy_rows_get(rows, 0), present);
}

static void write_data(alloy_out_t *out, const alloy_rows_t *rows,
                       const alloy_shape_t *shape, const char *present)
{
    int i;

    alloy_out_key(out, "data");
    alloy_out_begin(out, '[');
    for (i = 0; i < alloy_rows_count(rows) && !is_empty(rows, present); i++) {
        alloy_out_row(out, alloy_rows_get(rows, i), shape);
    }
    alloy_out_end(out);
}

void alloy_report_members(alloy_call_t *call, const char *id,
                          const alloy_rows_t *rows,
                          const alloy_shape_t *shape, const char *present)
{
    alloy_out_t *out = alloy_out(call);

    if (alloy_shows(call, id)) {
        alloy_out_key(out, id);
        alloy_out_text(out, alloy_row_text(alloy_rows_get(rows, 0), id));
    }
    if (alloy_shows(call, "unit")) {
        alloy_out_key(out, "unit");
        alloy_out_text(out, alloy_text(call, "unit"));
    }
    if (alloy_shows(call, "data")) {
        write_data(out, rows, shape, present);
    }
}

const apr_int64_t *alloy_report_values(const alloy_rows_t *rows,
                                       const char *column, int factor,
                                       apr_pool_t *pool)
{
    int count = alloy_rows_count(rows), i;
    apr_int64_t *values = apr_palloc(pool, sizeof(*values) * (count + 1));

    for (i = 0; i < count; i++) {
        const alloy_row_t *row = alloy_rows_get(rows, i);

        values[i] = alloy_row_is_null(row, column)
            ? ALLOY_CHART_GAP : factor * alloy_row_int(row, column);
    }
    return values;
}

const char *const *alloy_report_labels(const alloy_rows_t *rows,
                                       const char *column, apr_pool_t *pool)
{
    int count = alloy_rows_count(rows), i;
    const char **labels = apr_pcalloc(pool, sizeof(*labels) * (count + 1));

    for (i = 0; i < count; i++) {
        labels[i] = alloy_row_text(alloy_rows_get(rows, i), column);
    }
    return labels;
}

const char *alloy_report_number(const alloy_row_t *row, const char *column,
                                apr_pool_t *pool)
{
    apr_int64_t halves = alloy_row_int(row, column);

    return apr_psprintf(pool, "%" APR_INT64_T_FMT "%s", halves / 2,
                        halves % 2 ? ".5" : "");
}

const char *alloy_report_unit(const alloy_call_t *call)
{
    return strcmp(alloy_text(call, "unit"), "points") ? "Tickets" : "Points";
}

alloy_problem_t *alloy_report_table(alloy_call_t *call, const char *what,
                                    const char *name,
                                    const alloy_rows_t *rows,
                                    const alloy_shape_t *shape,
                                    const char *present)
{
    int count = is_empty(rows, present) ? 0 : alloy_rows_count(rows);

    return alloy_answer_csv(call, rows, count, shape,
                            apr_pstrcat(alloy_call_pool(call), what, "-",
                                        alloy_row_text(alloy_rows_get(rows, 0),
                                                       name), NULL));
}

void alloy_report_draw(alloy_call_t *call, const alloy_chart_t *chart)
{
    apr_size_t length;
    const char *drawn = alloy_chart_draw(chart, &length,
                                         alloy_call_pool(call));

    alloy_answer_document(call, ALLOY_CHART_TYPE, drawn, length);
}

/* ---- answers ------------------------------------------------------------------ */

static const alloy_field_t velocity_sprint_fields[] = {
    { "sprint_id", ALLOY_UUID, 0, "A completed sprint." },
    { "number", ALLOY_INT, 0, "Its number in the project." },
    { "name", ALLOY_TEXT, 0, "Its name." },
    { "start_date", ALLOY_DATE, ALLOY_NULLABLE, "Its first day." },
    { "end_date", ALLOY_DATE, ALLOY_NULLABLE, "Its last day, as planned." },
    { "committed", ALLOY_HALF, 0, "Work in it at the end of its first day, or "
      "when it was started if that was later." },
    { "completed", ALLOY_HALF, 0, "Work that was done when it ended." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t velocity_sprint_shape = {
    "VelocitySprint", velocity_sprint_fields
};

static const alloy_field_t velocity_fields[] = {
    { "project_id", ALLOY_UUID, 0, "The project." },
    { "unit", ALLOY_WORD, 0, "What the figures count.", alloy_unit_words },
    { "data", ALLOY_JSON, ALLOY_MANY, "The last completed sprints, the oldest "
      "first.", NULL, &velocity_sprint_shape },
    { "average", ALLOY_HALF, ALLOY_NULLABLE, "Work completed in a sprint, on "
      "average; null without sprints." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t velocity_shape = { "Velocity", velocity_fields };

static const alloy_field_t burnup_day_fields[] = {
    { "date", ALLOY_DATE, 0, "A day in the organization's time zone." },
    { "total", ALLOY_HALF, ALLOY_NULLABLE, "All work there was at its end; "
      "null for a day to come." },
    { "completed", ALLOY_HALF, ALLOY_NULLABLE, "The part that was done." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t burnup_day_shape = {
    "BurnupDay", burnup_day_fields
};

static const alloy_field_t burnup_fields[] = {
    { "project_id", ALLOY_UUID, 0, "The project." },
    { "unit", ALLOY_WORD, 0, "What the figures count.", alloy_unit_words },
    { "data", ALLOY_JSON, ALLOY_MANY, "One row for every day.", NULL,
      &burnup_day_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t burnup_shape = { "Burnup", burnup_fields };

static const alloy_field_t flow_day_fields[] = {
    { "date", ALLOY_DATE, 0, "A day in the organization's time zone." },
    { "todo", ALLOY_HALF, ALLOY_NULLABLE, "Work not begun at its end; null for "
      "a day to come." },
    { "in_progress", ALLOY_HALF, ALLOY_NULLABLE, "Work in progress." },
    { "done", ALLOY_HALF, ALLOY_NULLABLE, "Work that was done." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t flow_day_shape = { "FlowDay", flow_day_fields };

static const alloy_field_t flow_fields[] = {
    { "project_id", ALLOY_UUID, 0, "The project." },
    { "unit", ALLOY_WORD, 0, "What the figures count.", alloy_unit_words },
    { "data", ALLOY_JSON, ALLOY_MANY, "One row for every day.", NULL,
      &flow_day_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t flow_shape = { "Flow", flow_fields };

/* ---- input ---------------------------------------------------------------------- */

#define PROJECT_PARAM \
    { .name = "project", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id, key or name of the project.", \
      .resource = &alloy_project_resource }

static const alloy_param_t velocity_params[] = {
    PROJECT_PARAM,
    ALLOY_UNIT_PARAM,
    ALLOY_AS_OF_PARAM,
    { .name = "limit", .type = ALLOY_INT, .least = 1, .most = 50,
      .fallback = "10", .help = "How many sprints." },
    ALLOY_PARAMS_END
};

static const alloy_param_t days_params[] = {
    PROJECT_PARAM,
    ALLOY_UNIT_PARAM,
    ALLOY_AS_OF_PARAM,
    { .name = "from", .type = ALLOY_DATE,
      .help = "The first day; 29 days before the last when left out." },
    { .name = "to", .type = ALLOY_DATE,
      .help = "The last day; today when left out." },
    ALLOY_PARAMS_END
};

/* ---- velocity -------------------------------------------------------------------- */

/* A project without completed sprints is one row without a sprint. */
static void answer_velocity(alloy_call_t *call, const alloy_rows_t *rows)
{
    const char *average = alloy_row_text(alloy_rows_get(rows, 0), "average");
    alloy_out_t *out = alloy_out(call);

    alloy_out_begin(out, '{');
    alloy_report_members(call, "project_id", rows, &velocity_sprint_shape,
                         "sprint_id");
    if (alloy_shows(call, "average")) {
        alloy_out_key(out, "average");
        alloy_out_json(out, average ? average : "null");
    }
    alloy_out_end(out);
}

static void draw_velocity(alloy_call_t *call, const alloy_rows_t *rows)
{
    apr_pool_t *pool = alloy_call_pool(call);
    const alloy_row_t *first = alloy_rows_get(rows, 0);
    const char *average = alloy_row_text(first, "average");
    alloy_chart_series_t series[] = {
        { "Committed", ALLOY_CHART_PLAN,
          alloy_report_values(rows, "committed", 50, pool) },
        { "Completed", ALLOY_CHART_DONE,
          alloy_report_values(rows, "completed", 50, pool) },
    };
    alloy_chart_t chart = {
        .kind = ALLOY_CHART_BARS,
        .title = apr_pstrcat(pool, "Velocity: ",
                             alloy_row_text(first, "project_name"), NULL),
        .text = apr_pstrcat(pool, "Work committed to and completed in each "
                            "completed sprint, by its number. ", average
                            ? "Completed on average: " : "There is none yet",
                            average ? average : "", ".", NULL),
        .unit = alloy_report_unit(call),
        .count = is_empty(rows, "sprint_id") ? 0 : alloy_rows_count(rows),
        .labels = alloy_report_labels(rows, "label", pool),
        .nseries = 2,
        .series = series,
    };

    alloy_report_draw(call, &chart);
}

static alloy_problem_t *run_velocity(alloy_call_t *call)
{
    const alloy_rows_t *rows;

    ALLOY_TRY(alloy_run(call, &sql_report_velocity, &rows));
    if (!alloy_rows_count(rows)) {
        return alloy_missing(call);
    }
    if (alloy_wants_csv(call)) {
        return alloy_report_table(call, "velocity", "project_name", rows,
                                  &velocity_sprint_shape, "sprint_id");
    }
    if (alloy_wants_chart(call)) {
        draw_velocity(call, rows);
    }
    else {
        answer_velocity(call, rows);
    }
    return NULL;
}

/* ---- day by day -------------------------------------------------------------------- */

static alloy_problem_t *refuse_range(alloy_call_t *call, const char *code)
{
    const char *detail = !strcmp(code, "backwards")
        ? "The last day is before the first; choose a later to or an earlier "
          "from."
        : "A report covers at most 366 days; choose a later from or an "
          "earlier to.";

    return alloy_problem_at(alloy_problem(call, &alloy_validation_failed, "%s",
                                          detail),
                            alloy_given(call, "from") ? "from" : "to", code,
                            detail, NULL);
}

static alloy_problem_t *read_days(alloy_call_t *call,
                                  const alloy_rows_t **prows)
{
    const char *refusal;

    ALLOY_TRY(alloy_run(call, &sql_report_days, prows));
    if (!alloy_rows_count(*prows)) {
        return alloy_missing(call);
    }
    refusal = alloy_row_text(alloy_rows_get(*prows, 0), "refusal");
    return refusal ? refuse_range(call, refusal) : NULL;
}

static void draw_days(alloy_call_t *call, const alloy_rows_t *rows,
                      alloy_chart_t *chart, const char *what)
{
    apr_pool_t *pool = alloy_call_pool(call);

    chart->title = apr_pstrcat(pool, what, ": ",
                               alloy_row_text(alloy_rows_get(rows, 0),
                                              "name"), NULL);
    chart->unit = alloy_report_unit(call);
    chart->count = alloy_rows_count(rows);
    chart->labels = alloy_report_labels(rows, "date", pool);
    alloy_report_draw(call, chart);
}

static alloy_problem_t *answer_days(alloy_call_t *call,
                                    const alloy_rows_t *rows,
                                    const alloy_shape_t *shape,
                                    const char *what)
{
    if (alloy_wants_csv(call)) {
        return alloy_report_table(call, what, "name", rows, shape, "date");
    }
    alloy_out_begin(alloy_out(call), '{');
    alloy_report_members(call, "project_id", rows, shape, "date");
    alloy_out_end(alloy_out(call));
    return NULL;
}

static alloy_problem_t *run_burnup(alloy_call_t *call)
{
    apr_pool_t *pool = alloy_call_pool(call);
    const alloy_rows_t *rows;
    alloy_chart_series_t series[2];
    alloy_chart_t chart = {
        .kind = ALLOY_CHART_LINES,
        .text = "All work of the project and the part that is done, at the "
                "end of each day.",
        .nseries = 2,
        .series = series,
    };

    ALLOY_TRY(read_days(call, &rows));
    if (!alloy_wants_chart(call)) {
        return answer_days(call, rows, &burnup_day_shape, "burnup");
    }
    series[0] = (alloy_chart_series_t){ "Scope", ALLOY_CHART_SCOPE,
        alloy_report_values(rows, "total", 50, pool) };
    series[1] = (alloy_chart_series_t){ "Completed", ALLOY_CHART_DONE,
        alloy_report_values(rows, "completed", 50, pool) };
    draw_days(call, rows, &chart, "Burn-up");
    return NULL;
}

static alloy_problem_t *run_flow(alloy_call_t *call)
{
    apr_pool_t *pool = alloy_call_pool(call);
    const alloy_rows_t *rows;
    alloy_chart_series_t series[3];
    alloy_chart_t chart = {
        .kind = ALLOY_CHART_AREAS,
        .text = "Work that is done, in progress and not begun at the end of "
                "each day, one upon the other.",
        .nseries = 3,
        .series = series,
    };

    ALLOY_TRY(read_days(call, &rows));
    if (!alloy_wants_chart(call)) {
        return answer_days(call, rows, &flow_day_shape, "flow");
    }
    series[0] = (alloy_chart_series_t){ "Done", ALLOY_CHART_DONE,
        alloy_report_values(rows, "done", 50, pool) };
    series[1] = (alloy_chart_series_t){ "In progress", ALLOY_CHART_WORK,
        alloy_report_values(rows, "in_progress", 50, pool) };
    series[2] = (alloy_chart_series_t){ "To do", ALLOY_CHART_PLAN,
        alloy_report_values(rows, "todo", 50, pool) };
    draw_days(call, rows, &chart, "Cumulative flow");
    return NULL;
}

/* ---- the table ------------------------------------------------------------------------ */

#define CHART_HELP "Answers a chart to Accept: image/svg+xml and a table to " \
                   "Accept: text/csv."

/* The same report at its path, and drawn at its path with ".svg". */
#define REPORT(name, title, sentence, inputs, shape, function) \
    { \
        .id = "report_" name, \
        .method = ALLOY_GET, \
        .path = "/projects/{project}/reports/" name, \
        .noun = "reports", \
        .summary = sentence, \
        .help = CHART_HELP, \
        .role = ALLOY_VIEWER, \
        .flags = ALLOY_CHART | ALLOY_CSV, \
        .params = inputs, \
        .answer = &shape, \
        .run = function, \
    }, \
    { \
        .id = "report_" name "_chart", \
        .method = ALLOY_GET, \
        .path = "/projects/{project}/reports/" name ".svg", \
        .noun = "reports", \
        .summary = "Draws a project's " title " as SVG.", \
        .role = ALLOY_VIEWER, \
        .params = inputs, \
        .run = function, \
        .document = ALLOY_CHART_TYPE, \
    }

const alloy_operation_t alloy_report_operations[] = {
    REPORT("velocity", "velocity",
           "Tells how much work was committed to and completed in the last "
           "sprints.", velocity_params, velocity_shape, run_velocity),
    REPORT("burnup", "burn-up",
           "Tells day by day how much work a project had and how much of it "
           "was done.", days_params, burnup_shape, run_burnup),
    REPORT("flow", "cumulative flow",
           "Tells day by day how much work stood where.", days_params,
           flow_shape, run_flow),
    ALLOY_OPERATIONS_END
};
