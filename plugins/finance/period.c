/*
 * Periods: closing one means that nothing dated in it changes any more.
 */
#include "finance.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "sql/period.h"
#include "sql/time_entry.h"

const alloy_problem_kind_t finance_period_closed = {
    .code = "period_closed", .status = 409,
    .title = "The period is closed",
    .help = "Time, rates and facts dated in a closed period don't change any "
        "more, so that its reports stay what they were. Log the time on a day "
        "of an open period; correct an approved entry by an adjusting one "
        "(POST /time-entries/{id}/adjust), which is booked in an open period."
};

/* ---- how periods are written --------------------------------------------------- */

/* COUNT digits at AT, as a number; -1: other characters. */
static int read_digits(const char *at, int count)
{
    int number = 0;

    for (; count > 0; count--, at++) {
        if (!apr_isdigit(*at)) {
            return -1;
        }
        number = number * 10 + (*at - '0');
    }
    return number;
}

/* "-04" or "-Q2" or nothing. */
static int is_part(const char *at)
{
    int number;

    if (!*at) {
        return 1;
    }
    if (*at++ != '-') {
        return 0;
    }
    if (*at == 'Q' || *at == 'q') {
        number = read_digits(at + 1, 1);
        return number >= 1 && number <= 4 && !at[2];
    }
    number = read_digits(at, 2);
    return number >= 1 && number <= 12 && !at[2];
}

static const char *check_period(const char **value, apr_pool_t *pool)
{
    char *text = apr_pstrdup(pool, *value);

    if (read_digits(text, 4) < 1 || !is_part(text + 4)) {
        return apr_psprintf(pool, "\"%.40s\" is no period. Write a month as "
                            "2026-04, a quarter as 2026-Q2, a year as 2026.",
                            *value);
    }
    if (text[4] && apr_isalpha(text[5])) {
        text[5] = (char)apr_toupper(text[5]);
    }
    *value = text;
    return NULL;
}

const alloy_format_t finance_period_format = {
    .name = "period", .pattern = "^[0-9]{4}(-([01][0-9]|[Qq][1-4]))?$",
    .check = check_period
};

/* ---- closing ------------------------------------------------------------------- */

static const alloy_field_t month_fields[] = {
    { "period", ALLOY_TEXT, 0, "A month, as YYYY-MM." },
    { "closed_by", ALLOY_UUID, 0, "Who closed it." },
    { "closed_at", ALLOY_INSTANT, 0, "When." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t month_shape = { "ClosedMonth", month_fields };

static const alloy_field_t closed_fields[] = {
    { "period", ALLOY_TEXT, 0, "The period that was named." },
    { "first_day", ALLOY_DATE, 0, "Its first day." },
    { "last_day", ALLOY_DATE, 0, "Its last day." },
    { "closed_at", ALLOY_INSTANT, 0, "When the last of its months was "
      "closed." },
    { "months", ALLOY_JSON, ALLOY_MANY, "Its months, all closed.", NULL,
      &month_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t closed_shape = { "ClosedPeriod", closed_fields };

static const alloy_field_t period_fields[] = {
    { "id", ALLOY_UUID, 0, "Identifies the closing of the month." },
    { "org_id", ALLOY_UUID, 0, "The organization." },
    { "period", ALLOY_TEXT, 0, "The month, as YYYY-MM." },
    { "first_day", ALLOY_DATE, 0, "Its first day." },
    { "last_day", ALLOY_DATE, 0, "Its last day." },
    { "closed_by", ALLOY_UUID, 0, "Who closed it." },
    { "closed_at", ALLOY_INSTANT, 0, "When." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t period_shape = { "PeriodClose", period_fields };

#define ORG_PARAM \
    { .name = "org", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id or slug of the organization.", \
      .resource = &alloy_org_resource }

static const alloy_param_t close_params[] = {
    ORG_PARAM,
    { .name = "period", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED,
      .format = &finance_period_format,
      .help = "A month (2026-04), a quarter (2026-Q2) or a year (2026)." },
    ALLOY_PARAMS_END
};

static const alloy_param_t list_params[] = { ORG_PARAM, ALLOY_PARAMS_END };

static const alloy_refusal_t close_refusals[] = {
    { "not_begun", &alloy_invalid_state, NULL,
      "A part of this period has not begun; close the months that have." },
    ALLOY_REFUSALS_END
};

const alloy_operation_t finance_period_operations[] = {
    {
        .id = "period_close",
        .method = ALLOY_POST,
        .path = "/orgs/{org}/periods/{period}/close",
        .tool = "close_period",
        .noun = "periods",
        .summary = "Closes a month, quarter or year for good: nothing dated "
                   "in it changes any more.",
        .help = "Months that are closed already stay as they are. There is no "
                "way to open a period again; approved time is corrected by "
                "adjusting entries in a later one.",
        .role = ALLOY_OWNER,
        .params = close_params,
        .answer = &closed_shape,
        .steps = { &sql_time_lock_alone, &sql_period_close,
                   &sql_period_closed },
        .refusals = close_refusals,
    },
    {
        .id = "period_list",
        .method = ALLOY_GET,
        .path = "/orgs/{org}/periods",
        .tool = "list_closed_periods",
        .noun = "periods",
        .summary = "Lists the closed months, the latest month first.",
        .role = ALLOY_VIEWER,
        .params = list_params,
        .answer = &period_shape,
        .steps = { &sql_period_list },
    },
    ALLOY_OPERATIONS_END
};
