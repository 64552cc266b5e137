/*
 * Budgets and what approved time took of them: a list of projects, and one
 * project over time, as JSON, as a table or as a chart.
 */
#include "reports.h"

#include <apr_strings.h>

#include "sql/budget.h"

/* ---- answers ------------------------------------------------------------------ */

static const alloy_field_t project_fields[] = {
    { "project_id", ALLOY_UUID, 0, "A project." },
    { "project_key", ALLOY_TEXT, 0, "Its key." },
    { "project_name", ALLOY_TEXT, 0, "Its name." },
    { "currency", ALLOY_TEXT, 0, "The organization's." },
    { "budget_cents", ALLOY_INT, ALLOY_NULLABLE, "Its budget." },
    { "budget_period", ALLOY_TEXT, ALLOY_NULLABLE, "What it is for: Monthly, "
      "Quarterly, Annual, Total." },
    { "first_day", ALLOY_DATE, ALLOY_NULLABLE, "Where that period began; null "
      "for all time." },
    { "last_day", ALLOY_DATE, ALLOY_NULLABLE, "Where it ends." },
    { "date", ALLOY_DATE, 0, "The day up to which time counts." },
    { "minutes", ALLOY_INT, 0, "Approved time, exactly." },
    { "hours", ALLOY_HUNDREDTH, 0, "The same in hours." },
    { "uncounted_minutes", ALLOY_INT, 0, "The part that had no rate, or one in "
      "another currency: it is not in spent_cents." },
    { "spent_cents", ALLOY_INT, ALLOY_NULLABLE, "What approved time cost; null "
      "for those who may not see amounts." },
    { "budget_remaining_cents", ALLOY_INT, ALLOY_NULLABLE, "What is left; "
      "below zero when it is overdrawn." },
    { "budget_utilization_pct", ALLOY_HUNDREDTH, ALLOY_NULLABLE, "The part "
      "that is spent, in percent." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t project_shape = { "BudgetProject", project_fields };

#define SCOPE_FIELD \
    { "scope", ALLOY_TEXT, 0, "all: every project of the organizations " \
      "covered; visible: those the caller sees." }

static const alloy_field_t head_fields[] = { SCOPE_FIELD, ALLOY_FIELDS_END };

static const alloy_shape_t head_shape = { "BudgetReportHead", head_fields };

static const alloy_field_t report_fields[] = {
    SCOPE_FIELD,
    { "projects", ALLOY_JSON, ALLOY_MANY, "Those that have a budget, by key.",
      NULL, &project_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t report_shape = { "BudgetReport", report_fields };

static const alloy_field_t day_fields[] = {
    { "date", ALLOY_DATE, 0, "A day; of long periods, the last of several." },
    { "spent_cents", ALLOY_INT, ALLOY_NULLABLE, "What approved time had cost "
      "at its end; null for a day to come, and for those who may not see "
      "amounts." },
    { "even_cents", ALLOY_INT, ALLOY_NULLABLE, "The part of the budget that an "
      "even pace would have spent; null without budget or end." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t day_shape = { "BudgetDay", day_fields };

#define BURN_FIELDS \
    { "project_id", ALLOY_UUID, 0, "The project." }, \
    { "currency", ALLOY_TEXT, 0, "The organization's." }, \
    { "budget_cents", ALLOY_INT, ALLOY_NULLABLE, "Its budget." }, \
    { "budget_period", ALLOY_TEXT, ALLOY_NULLABLE, "What it is for." }

static const alloy_field_t burn_head_fields[] = {
    BURN_FIELDS, ALLOY_FIELDS_END
};

static const alloy_shape_t burn_head_shape = {
    "ProjectBudgetHead", burn_head_fields
};

static const alloy_field_t burn_fields[] = {
    BURN_FIELDS,
    { "data", ALLOY_JSON, ALLOY_MANY, "Day by day through the budget's period.",
      NULL, &day_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t burn_shape = { "ProjectBudget", burn_fields };

/* ---- input ---------------------------------------------------------------------- */

#define DATE_PARAM \
    { .name = "date", .type = ALLOY_DATE, \
      .help = "The day up to which time counts, and whose month, quarter or " \
              "year is meant; today when left out." }

static const alloy_param_t report_params[] = {
    FINANCE_ORG_PARAM,
    FINANCE_PROJECT_PARAM,
    DATE_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t burn_params[] = {
    { .name = "project", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .help = "Id, key or name of the project.",
      .resource = &alloy_project_resource },
    DATE_PARAM,
    ALLOY_PARAMS_END
};

/* ---- what both share --------------------------------------------------------------- */

static void write_rows(alloy_call_t *call, const alloy_rows_t *rows, int count,
                       const char *key, const alloy_shape_t *shape)
{
    alloy_out_t *out = alloy_out(call);
    int i;

    if (!alloy_shows(call, key)) {
        return;
    }
    alloy_out_key(out, key);
    alloy_out_begin(out, '[');
    for (i = 0; i < count; i++) {
        alloy_out_row(out, alloy_rows_get(rows, i), shape);
    }
    alloy_out_end(out);
}

static alloy_problem_t *check_size(alloy_call_t *call, const alloy_rows_t *rows)
{
    return alloy_row_is_null(alloy_rows_get(rows, 0), "_refusal") ? NULL
        : alloy_problem(call, &alloy_invalid_state, "%s",
                        FINANCE_TOO_LARGE_DETAIL);
}

/* ---- projects ------------------------------------------------------------------------ */

static alloy_problem_t *run_report(alloy_call_t *call)
{
    const alloy_rows_t *rows;
    int count;

    ALLOY_TRY(alloy_run(call, &sql_budget_report, &rows));
    ALLOY_TRY(check_size(call, rows));
    count = alloy_row_is_null(alloy_rows_get(rows, 0), "project_id")
        ? 0 : alloy_rows_count(rows);
    if (alloy_wants_csv(call)) {
        return alloy_answer_csv(call, rows, count, &project_shape, "budget");
    }
    alloy_out_begin(alloy_out(call), '{');
    alloy_out_shown(call, alloy_rows_get(rows, 0), &head_shape);
    write_rows(call, rows, count, "projects", &project_shape);
    alloy_out_end(alloy_out(call));
    return NULL;
}

/* ---- one project over time --------------------------------------------------------------- */

/* As a chart has it: nothing below zero, nothing larger than it has room for. */
static apr_int64_t fit(apr_int64_t cents)
{
    return cents < 0 ? 0 : cents > ALLOY_CHART_MOST ? ALLOY_CHART_MOST : cents;
}

static const apr_int64_t *values_of(const alloy_rows_t *rows,
                                    const char *column, apr_pool_t *pool)
{
    int count = alloy_rows_count(rows), i;
    apr_int64_t *values = apr_palloc(pool, sizeof(*values) * (count + 1));

    for (i = 0; i < count; i++) {
        const alloy_row_t *row = alloy_rows_get(rows, i);

        values[i] = alloy_row_is_null(row, column)
            ? ALLOY_CHART_GAP : fit(alloy_row_int(row, column));
    }
    return values;
}

static const char *const *labels_of(const alloy_rows_t *rows, apr_pool_t *pool)
{
    int count = alloy_rows_count(rows), i;
    const char **labels = apr_pcalloc(pool, sizeof(*labels) * (count + 1));

    for (i = 0; i < count; i++) {
        labels[i] = alloy_row_text(alloy_rows_get(rows, i), "date");
    }
    return labels;
}

static void draw_burn(alloy_call_t *call, const alloy_rows_t *rows)
{
    apr_pool_t *pool = alloy_call_pool(call);
    const alloy_row_t *first = alloy_rows_get(rows, 0);
    apr_size_t length;
    alloy_chart_series_t series[] = {
        { "Spent", ALLOY_CHART_WORK, values_of(rows, "spent_cents", pool) },
        { "Budget", ALLOY_CHART_SCOPE, values_of(rows, "budget_cents", pool) },
        { "Even pace", ALLOY_CHART_PLAN, values_of(rows, "even_cents", pool) },
    };
    alloy_chart_t chart = {
        .kind = ALLOY_CHART_LINES,
        .title = apr_pstrcat(pool, "Budget: ",
                             alloy_row_text(first, "project_name"), NULL),
        .text = "What approved time had cost at the end of each day, beside "
                "the budget and an even pace.",
        .unit = alloy_row_text(first, "currency"),
        .count = alloy_rows_count(rows),
        .labels = labels_of(rows, pool),
        .nseries = 3,
        .series = series,
    };
    const char *drawn = alloy_chart_draw(&chart, &length, pool);

    alloy_answer_document(call, ALLOY_CHART_TYPE, drawn, length);
}

static alloy_problem_t *run_burn(alloy_call_t *call)
{
    const alloy_rows_t *rows;

    ALLOY_TRY(alloy_run(call, &sql_budget_days, &rows));
    if (!alloy_rows_count(rows)) {
        return alloy_missing(call);
    }
    ALLOY_TRY(check_size(call, rows));
    if (alloy_wants_csv(call)) {
        return alloy_answer_csv(call, rows, alloy_rows_count(rows), &day_shape,
                                apr_pstrcat(alloy_call_pool(call), "budget-",
                                            alloy_row_text(alloy_rows_get(rows,
                                                                          0),
                                                           "project_key"),
                                            NULL));
    }
    if (alloy_wants_chart(call)) {
        draw_burn(call, rows);
        return NULL;
    }
    alloy_out_begin(alloy_out(call), '{');
    alloy_out_shown(call, alloy_rows_get(rows, 0), &burn_head_shape);
    write_rows(call, rows, alloy_rows_count(rows), "data", &day_shape);
    alloy_out_end(alloy_out(call));
    return NULL;
}

/* ---- the table ------------------------------------------------------------------------ */

static const alloy_refusal_t refusals[] = {
    FINANCE_TOO_LARGE,
    ALLOY_REFUSALS_END
};

const alloy_operation_t finance_budget_operations[] = {
    {
        .id = "budget_report",
        .method = ALLOY_GET,
        .path = "/reports/budget",
        .noun = "reports",
        .summary = "Tells what approved time took of the projects' budgets.",
        .help = "Of a monthly, quarterly or annual budget, the period that "
                "holds the date counts; of others, all time up to it. Answers "
                "a table to Accept: text/csv.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_SPREADS | ALLOY_CSV,
        .params = report_params,
        .answer = &report_shape,
        .run = run_report,
        .refusals = refusals,
    },
    {
        .id = "report_budget",
        .method = ALLOY_GET,
        .path = "/projects/{project}/reports/budget",
        .noun = "reports",
        .summary = "Tells day by day what a project had spent of its budget.",
        .help = "Answers a chart to Accept: image/svg+xml and a table to "
                "Accept: text/csv.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_CHART | ALLOY_CSV,
        .params = burn_params,
        .answer = &burn_shape,
        .run = run_burn,
        .refusals = refusals,
    },
    {
        .id = "report_budget_chart",
        .method = ALLOY_GET,
        .path = "/projects/{project}/reports/budget.svg",
        .noun = "reports",
        .summary = "Draws a project's spending and its budget as SVG.",
        .role = ALLOY_VIEWER,
        .params = burn_params,
        .run = run_burn,
        .document = ALLOY_CHART_TYPE,
        .refusals = refusals,
    },
    ALLOY_OPERATIONS_END
};
