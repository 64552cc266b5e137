/*
 * What a period's approved time costs and how much of it is capitalized: as
 * JSON, as a table, and the policies that decide.
 */
#include "reports.h"

#include <apr_strings.h>

#include "sql/capitalization.h"

const char *const finance_policy_words[] = {
    "us-gaap-350-40", "us-gaap-2025-06", "ias-38", NULL
};

/* ---- answers ------------------------------------------------------------------ */

static const alloy_field_t activity_fields[] = {
    { "activity", ALLOY_TEXT, 0, "What kind of work." },
    { "minutes", ALLOY_INT, 0, "Time, exactly." },
    { "hours", ALLOY_HUNDREDTH, 0, "The same in hours, half up to two "
      "decimals." },
    { "amount_cents", ALLOY_INT, ALLOY_NULLABLE, "What it cost; null for those "
      "who may not see amounts." },
    { "capitalized_cents", ALLOY_INT, ALLOY_NULLABLE, "The part that is "
      "capitalized." },
    { "expensed_cents", ALLOY_INT, ALLOY_NULLABLE, "The other part." },
    { "unrated_minutes", ALLOY_INT, 0, "Time for which there was no rate." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t activity_shape = {
    "CapitalizationActivity", activity_fields
};

static const alloy_field_t project_fields[] = {
    { "project_id", ALLOY_UUID, 0, "A project with approved time; once for "
      "each currency." },
    { "project_name", ALLOY_TEXT, 0, "Its name." },
    { "project_key", ALLOY_TEXT, 0, "Its key." },
    { "currency", ALLOY_TEXT, 0, "What its cents are cents of." },
    { "capitalization_type", ALLOY_TEXT, ALLOY_NULLABLE, "As frozen by "
      "approval; null when nothing was said or entries differ." },
    { "development_phase", ALLOY_TEXT, ALLOY_NULLABLE, "Likewise." },
    { "total_minutes", ALLOY_INT, 0, "Time, exactly." },
    { "total_hours", ALLOY_HUNDREDTH, 0, "The same in hours." },
    { "total_amount_cents", ALLOY_INT, ALLOY_NULLABLE, "What it cost; null for "
      "those who may not see amounts." },
    { "capitalized_cents", ALLOY_INT, ALLOY_NULLABLE, "The part that is "
      "capitalized under the policy." },
    { "expensed_cents", ALLOY_INT, ALLOY_NULLABLE, "The other part." },
    { "unrated_minutes", ALLOY_INT, 0, "Time for which there was no rate: it "
      "adds nothing to the amounts." },
    { "unrated_hours", ALLOY_HUNDREDTH, 0, "The same in hours." },
    { "budget_cents", ALLOY_INT, ALLOY_NULLABLE | ALLOY_ANSWERED, "With "
      "include_budget: its budget, or null." },
    { "spent_cents", ALLOY_INT, ALLOY_NULLABLE | ALLOY_ANSWERED, "With "
      "include_budget: approved amounts up to the report's last day, within "
      "the budget_period that holds it." },
    { "budget_remaining_cents", ALLOY_INT, ALLOY_NULLABLE | ALLOY_ANSWERED,
      "With include_budget: what is left; below zero when it is overdrawn." },
    { "budget_utilization_pct", ALLOY_HUNDREDTH,
      ALLOY_NULLABLE | ALLOY_ANSWERED, "With include_budget: the part that is "
      "spent, in percent." },
    { "activities", ALLOY_JSON, ALLOY_MANY, "The same by kinds of work.", NULL,
      &activity_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t project_shape = {
    "CapitalizationProject", project_fields
};

static const alloy_field_t report_fields[] = {
    { "period", ALLOY_TEXT, 0, "As asked for." },
    { "first_day", ALLOY_DATE, 0, "Its first day." },
    { "last_day", ALLOY_DATE, 0, "Its last day." },
    { "currency", ALLOY_TEXT, ALLOY_NULLABLE, "Of all amounts; null when "
      "projects have different ones." },
    { "policy", ALLOY_WORD, 0, "The rules that decided.",
      finance_policy_words },
    { "policy_version", ALLOY_INT, 0, "Which edition of them." },
    { "scope", ALLOY_TEXT, 0, "all: every project of the organizations "
      "covered; visible: those the caller sees." },
    { "projects", ALLOY_JSON, ALLOY_MANY, "By key; none without approved "
      "time.", NULL, &project_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t report_shape = {
    "CapitalizationReport", report_fields
};

/* The table: also the names of its columns, in order. */
static const alloy_field_t table_fields[] = {
    { "period", ALLOY_TEXT }, { "project_id", ALLOY_UUID },
    { "project_key", ALLOY_TEXT }, { "project_name", ALLOY_TEXT },
    { "cost_center_id", ALLOY_TEXT }, { "capitalization_type", ALLOY_TEXT },
    { "development_phase", ALLOY_TEXT }, { "activity", ALLOY_TEXT },
    { "minutes", ALLOY_INT }, { "hours", ALLOY_HUNDREDTH },
    { "currency", ALLOY_TEXT }, { "amount_cents", ALLOY_INT },
    { "capitalized_cents", ALLOY_INT }, { "expensed_cents", ALLOY_INT },
    ALLOY_FIELDS_END
};

static const alloy_shape_t table_shape = {
    "CapitalizationTable", table_fields
};

static const alloy_field_t rule_fields[] = {
    { "rule", ALLOY_INT, 0, "Its place: the first whose conditions hold "
      "decides." },
    { "activities", ALLOY_LIST, ALLOY_NULLABLE, "Holds for these kinds of "
      "work; null: for all. Likewise below." },
    { "capitalization_type", ALLOY_TEXT, ALLOY_NULLABLE, "What the project was "
      "meant to be." },
    { "development_phase", ALLOY_TEXT, ALLOY_NULLABLE, "The stage it was in." },
    { "funding_authorized", ALLOY_BOOL, ALLOY_NULLABLE, "Whether its funding "
      "was authorized." },
    { "completion_probable", ALLOY_BOOL, ALLOY_NULLABLE, "Whether its "
      "completion was probable." },
    { "treatment", ALLOY_TEXT, 0, "capitalize or expense." },
    { "reason", ALLOY_TEXT, 0, "Why." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t rule_shape = { "CapitalizationRule", rule_fields };

static const alloy_field_t policy_fields[] = {
    { "policy", ALLOY_WORD, 0, "Its name.", finance_policy_words },
    { "version", ALLOY_INT, 0, "Its edition; reports use the newest." },
    { "rules", ALLOY_JSON, ALLOY_MANY, "Its rules, in order.", NULL,
      &rule_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t policy_shape = {
    "CapitalizationPolicy", policy_fields
};

/* ---- input ---------------------------------------------------------------------- */

static const alloy_param_t report_params[] = {
    FINANCE_PERIOD_PARAM,
    FINANCE_ORG_PARAM,
    FINANCE_PROJECT_PARAM,
    FINANCE_POLICY_PARAM,
    { .name = "include_budget", .type = ALLOY_BOOL, .fallback = "false",
      .help = "Whether to tell of budgets as well." },
    FINANCE_AS_OF_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t export_params[] = {
    FINANCE_PERIOD_PARAM,
    FINANCE_ORG_PARAM,
    FINANCE_PROJECT_PARAM,
    FINANCE_POLICY_PARAM,
    FINANCE_AS_OF_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t no_params[] = { ALLOY_PARAMS_END };

/* ---- both forms -------------------------------------------------------------------- */

static alloy_problem_t *run_table(alloy_call_t *call)
{
    const alloy_rows_t *rows;

    finance_bind_period(call);
    ALLOY_TRY(alloy_run(call, &sql_capitalization_rows, &rows));
    return alloy_answer_csv(call, rows, alloy_rows_count(rows), &table_shape,
                            apr_pstrcat(alloy_call_pool(call),
                                        "capitalization-",
                                        alloy_text(call, "period"), NULL));
}

static alloy_problem_t *run_report(alloy_call_t *call)
{
    const alloy_row_t *row;

    if (alloy_wants_csv(call)) {
        return run_table(call);
    }
    finance_bind_period(call);
    ALLOY_TRY(alloy_fetch(call, &sql_capitalization_report, &row));
    return alloy_answer_row(call, row);
}

/* ---- the table ------------------------------------------------------------------------ */

static const alloy_refusal_t refusals[] = {
    FINANCE_TOO_LARGE,
    ALLOY_REFUSALS_END
};

const alloy_operation_t finance_capitalization_operations[] = {
    {
        .id = "capitalization_report",
        .method = ALLOY_GET,
        .path = "/reports/capitalization",
        .tool = "get_capitalization_report",
        .noun = "reports",
        .summary = "Tells what the approved time of a period cost, and how "
                   "much of it is capitalized.",
        .help = "Only approved time counts, with what approval froze; time on "
                "tickets and projects that were deleted stays in. Amounts are "
                "for Owners and Admins, and for others where the "
                "organization's finance_visibility is all. Covers all of the "
                "caller's organizations unless org_id names one. Answers a "
                "table to Accept: text/csv.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_SPREADS | ALLOY_CSV,
        .params = report_params,
        .answer = &report_shape,
        .run = run_report,
        .refusals = refusals,
    },
    {
        .id = "capitalization_export",
        .method = ALLOY_GET,
        .path = "/reports/capitalization/export",
        .tool = "get_capitalization_export",
        .noun = "reports",
        .summary = "The same report as CSV, a line for each project and kind "
                   "of work.",
        .help = "There is always a line of names and never one of totals. "
                "Facts on which entries differ are empty.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_SPREADS,
        .params = export_params,
        .run = run_table,
        .document = ALLOY_CSV_TYPE,
        .refusals = refusals,
    },
    {
        .id = "capitalization_policies",
        .method = ALLOY_GET,
        .path = "/reports/capitalization/policies",
        .noun = "reports",
        .summary = "Lists the policies with their rules, in every version.",
        .role = ALLOY_SIGNED_IN,
        .params = no_params,
        .answer = &policy_shape,
        .steps = { &sql_capitalization_policies },
    },
    ALLOY_OPERATIONS_END
};
