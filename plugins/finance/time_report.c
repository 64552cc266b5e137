/*
 * Where approved time went: a report by whatever it is to be grouped by, and the
 * cost of one ticket.
 */
#include "reports.h"

#include <string.h>

#include "sql/time_report.h"

static const char *const group_words[] = {
    "user", "project", "ticket", "activity", "day", "week", "month", NULL
};

/* ---- answers ------------------------------------------------------------------ */

static const alloy_field_t row_fields[] = {
    { "date", ALLOY_DATE, ALLOY_NULLABLE, "Grouped by day: the day; by week "
      "or month: its first." },
    { "project_id", ALLOY_UUID, ALLOY_NULLABLE, "Grouped by project or ticket: "
      "the project. Null stands for what is not grouped by." },
    { "project_key", ALLOY_TEXT, ALLOY_NULLABLE, "Its key." },
    { "project_name", ALLOY_TEXT, ALLOY_NULLABLE, "Its name." },
    { "ticket_id", ALLOY_UUID, ALLOY_NULLABLE, "Grouped by ticket: the "
      "ticket." },
    { "ticket_key", ALLOY_TEXT, ALLOY_NULLABLE, "Its key." },
    { "user_id", ALLOY_UUID, ALLOY_NULLABLE, "Grouped by user: who worked." },
    { "user_name", ALLOY_TEXT, ALLOY_NULLABLE, "His name." },
    { "activity", ALLOY_TEXT, ALLOY_NULLABLE, "Grouped by activity: what kind "
      "of work." },
    { "minutes", ALLOY_INT, 0, "Approved time, exactly." },
    { "hours", ALLOY_HUNDREDTH, 0, "The same in hours, half up to two "
      "decimals." },
    { "unrated_minutes", ALLOY_INT, 0, "The part for which there was no "
      "rate." },
    { "currency", ALLOY_TEXT, 0, "What its cents are cents of; groups with two "
      "are two rows." },
    { "amount_cents", ALLOY_INT, ALLOY_NULLABLE, "What it cost; null for those "
      "who may not see amounts." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t row_shape = { "TimeReportRow", row_fields };

#define HEAD_FIELDS \
    { "first_day", ALLOY_DATE, 0, "The first day that counts." }, \
    { "last_day", ALLOY_DATE, 0, "The last one." }, \
    { "scope", ALLOY_TEXT, 0, "all: every project of the organizations " \
      "covered; visible: those the caller sees." }, \
    { "total_minutes", ALLOY_INT, 0, "All of it." }, \
    { "total_hours", ALLOY_HUNDREDTH, 0, "The same in hours." }, \
    { "total_currency", ALLOY_TEXT, ALLOY_NULLABLE, "Of all amounts; null " \
      "when there are several, or no rows." }, \
    { "total_amount_cents", ALLOY_INT, ALLOY_NULLABLE, "What all of it cost; " \
      "null with several currencies." }

static const alloy_field_t head_fields[] = { HEAD_FIELDS, ALLOY_FIELDS_END };

static const alloy_shape_t head_shape = { "TimeReportHead", head_fields };

static const alloy_field_t report_fields[] = {
    HEAD_FIELDS,
    { "data", ALLOY_JSON, ALLOY_MANY, "One row for each group.", NULL,
      &row_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t report_shape = { "TimeReport", report_fields };

static const alloy_field_t cost_fields[] = {
    { "ticket_id", ALLOY_UUID, 0, "The ticket." },
    { "ticket_key", ALLOY_TEXT, 0, "Its key." },
    { "currency", ALLOY_TEXT, ALLOY_NULLABLE, "What the cents are cents of; "
      "null when entries have several." },
    { "entries", ALLOY_INT, 0, "How many are approved." },
    { "minutes", ALLOY_INT, 0, "Approved time, exactly." },
    { "hours", ALLOY_HUNDREDTH, 0, "The same in hours." },
    { "unrated_minutes", ALLOY_INT, 0, "The part for which there was no "
      "rate." },
    { "amount_cents", ALLOY_INT, ALLOY_NULLABLE, "What it cost; null for those "
      "who may not see amounts, and with several currencies." },
    { "project_budget_cents", ALLOY_INT, ALLOY_NULLABLE, "The budget of its "
      "project, to compare." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t cost_shape = { "TicketCost", cost_fields };

/* ---- input ---------------------------------------------------------------------- */

static const alloy_param_t report_params[] = {
    FINANCE_MAYBE_PERIOD_PARAM(0),
    { .name = "from", .type = ALLOY_DATE,
      .help = "Instead of a period: its first day." },
    { .name = "to", .type = ALLOY_DATE,
      .help = "Instead of a period: its last day." },
    FINANCE_ORG_PARAM,
    FINANCE_PROJECT_PARAM,
    { .name = "user", .type = ALLOY_REF, .resource = &alloy_user_resource,
      .help = "Only this person's time: me, an id, an e-mail address or a "
              "name." },
    { .name = "group_by", .type = ALLOY_WORD, .flags = ALLOY_MANY,
      .words = group_words,
      .help = "What has rows of its own: user and project when left out. Of "
              "day, week and month the first one counts." },
    ALLOY_PARAMS_END
};

static const alloy_param_t cost_params[] = {
    { .name = "ticket", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .help = "Id or key of the ticket.", .resource = &alloy_ticket_resource },
    ALLOY_PARAMS_END
};

/* ---- the report -------------------------------------------------------------------- */

static alloy_problem_t *bind_days(alloy_call_t *call)
{
    const char *first = alloy_text(call, "from"), *last = alloy_text(call, "to");

    if (alloy_text(call, "period") && !first && !last) {
        finance_bind_period(call);
        return NULL;
    }
    if (!alloy_text(call, "period") && !first == !last) {
        alloy_bind(call, "first_day", first);
        alloy_bind(call, "last_day", last);
        return NULL;
    }
    return alloy_problem_at(
        alloy_problem(call, &alloy_validation_failed,
                      "Say which days: either period, or both from and to; "
                      "or neither, for this month."),
        "period", "required", "Send either period, or both from and to.", NULL);
}

/* Without time there is one row, of which only the head means something. */
static void answer_rows(alloy_call_t *call, const alloy_rows_t *rows, int count)
{
    alloy_out_t *out = alloy_out(call);
    int i;

    alloy_out_begin(out, '{');
    alloy_out_shown(call, alloy_rows_get(rows, 0), &head_shape);
    if (alloy_shows(call, "data")) {
        alloy_out_key(out, "data");
        alloy_out_begin(out, '[');
        for (i = 0; i < count; i++) {
            alloy_out_row(out, alloy_rows_get(rows, i), &row_shape);
        }
        alloy_out_end(out);
    }
    alloy_out_end(out);
}

static alloy_problem_t *refuse(alloy_call_t *call, const char *code)
{
    if (!strcmp(code, "too_large")) {
        return alloy_problem(call, &alloy_invalid_state, "%s",
                             FINANCE_TOO_LARGE_DETAIL);
    }
    return alloy_problem_at(
        alloy_problem(call, &alloy_validation_failed,
                      "There are more than 10000 groups; group by less, or ask "
                      "for fewer days."),
        "group_by", code, "Group by less, or ask for fewer days.", NULL);
}

static alloy_problem_t *run_report(alloy_call_t *call)
{
    const alloy_rows_t *rows;
    const char *refusal;
    int count;

    ALLOY_TRY(bind_days(call));
    if (!alloy_given(call, "group_by")) {
        alloy_bind(call, "group_by", "{user,project}");
    }
    ALLOY_TRY(alloy_run(call, &sql_time_report, &rows));
    refusal = alloy_row_text(alloy_rows_get(rows, 0), "_refusal");
    if (refusal) {
        return refuse(call, refusal);
    }
    count = alloy_row_is_null(alloy_rows_get(rows, 0), "minutes")
        ? 0 : alloy_rows_count(rows);
    if (alloy_wants_csv(call)) {
        return alloy_answer_csv(call, rows, count, &row_shape, "time");
    }
    answer_rows(call, rows, count);
    return NULL;
}

/* ---- the table ------------------------------------------------------------------------ */

static const alloy_refusal_t refusals[] = {
    FINANCE_TOO_LARGE,
    ALLOY_REFUSALS_END
};

const alloy_operation_t finance_time_report_operations[] = {
    {
        .id = "time_report",
        .method = ALLOY_GET,
        .path = "/reports/time",
        .tool = "get_time_report",
        .noun = "reports",
        .summary = "Tells where approved time went, by people, projects, "
                   "tickets, activities or dates.",
        .help = "Send period, or from and to; neither means this month. Hours are for everybody, amounts "
                "for Owners and Admins, and for others where the "
                "organization's finance_visibility is all. Answers a table to "
                "Accept: text/csv.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_SPREADS | ALLOY_CSV,
        .params = report_params,
        .answer = &report_shape,
        .run = run_report,
        .refusals = refusals,
    },
    {
        .id = "ticket_cost",
        .method = ALLOY_GET,
        .path = "/tickets/{ticket}/cost",
        .noun = "reports",
        .summary = "Tells how much approved time a ticket took and what it "
                   "cost.",
        .role = ALLOY_VIEWER,
        .params = cost_params,
        .answer = &cost_shape,
        .steps = { &sql_ticket_cost },
        .refusals = refusals,
    },
    ALLOY_OPERATIONS_END
};
