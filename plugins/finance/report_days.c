/*
 * The days of a report's period: a month, a quarter or a year. Days are those of
 * work_date, so no time zone has a part in it.
 */
#include "reports.h"

#include <string.h>

#include <apr_strings.h>

static int read_digits(const char *text, int count)
{
    int value = 0;

    for (; count > 0; count--, text++) {
        value = 10 * value + (*text - '0');
    }
    return value;
}

/* First and last month, 1 to 12, of a period whose form was checked. */
static void read_months(const char *period, int *pfirst, int *plast)
{
    *pfirst = 1;
    *plast = 12;
    if (period[4] && period[5] == 'Q') {
        *plast = 3 * (period[6] - '0');
        *pfirst = *plast - 2;
    }
    else if (period[4]) {
        *pfirst = *plast = read_digits(period + 5, 2);
    }
}

static int days_of(int year, int month)
{
    static const int days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };
    int leaps = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leaps);
}

void finance_bind_period(alloy_call_t *call)
{
    apr_pool_t *pool = alloy_call_pool(call);
    const char *period = alloy_text(call, "period");
    int year = read_digits(period, 4), first, last;

    read_months(period, &first, &last);
    alloy_bind(call, "first_day",
               apr_psprintf(pool, "%04d-%02d-01", year, first));
    alloy_bind(call, "last_day",
               apr_psprintf(pool, "%04d-%02d-%02d", year, last,
                            days_of(year, last)));
}
