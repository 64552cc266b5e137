/* Dates and instants: every day of the calendar both ways, and the grammar of
 * RFC 3339.
 */
#include "suite.h"

#include "../mod_alloy/core/instant.h"

#include <stdio.h>
#include <string.h>

static int is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* The calendar counted on its fingers. */
START_TEST(every_day_is_read_and_written)
{
    static const int lengths[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };
    char text[ALLOY_DATE_SIZE + 1] = "", expected[32];
    apr_int64_t days = -719162, read;
    int year, month, day;

    for (year = 1; year <= 9999; year++) {
        for (month = 1; month <= 12; month++) {
            int length = lengths[month - 1] + (month == 2 && is_leap(year));

            for (day = 1; day <= length; day++, days++) {
                snprintf(expected, sizeof(expected), "%04d-%02d-%02d", year,
                         month, day);
                ck_assert(alloy_date_write(text, days));
                if (memcmp(text, expected, ALLOY_DATE_SIZE)
                    || !alloy_date_read(&read, expected) || read != days) {
                    ck_abort_msg("%s is not %s", expected, text);
                }
            }
        }
    }
    ck_assert_int_eq(days, 2932897);
    ck_assert(!alloy_date_write(text, days));
    ck_assert(!alloy_date_write(text, -719163));
}
END_TEST

START_TEST(what_is_no_date_is_refused)
{
    static const char *const cases[] = {
        "", "2026", "2026-1-01", "2026-00-01", "2026-13-01", "2026-01-00",
        "2026-01-32", "2026-02-29", "1900-02-29", "2026-04-31", "0000-01-01",
        "2026-01-01 ", " 2026-01-01", "2026-01-01T00:00:00Z", "20260101",
        "2026/01/01", "-026-01-01", "+026-01-01", "2026-0a-01"
    };
    apr_int64_t days;
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_msg(!alloy_date_read(&days, cases[i]), "%s", cases[i]);
    }
    ck_assert(alloy_date_read(&days, "2000-02-29"));
}
END_TEST

START_TEST(instants_become_utc_with_microseconds)
{
    static const struct {
        const char *text, *canonical;
    } cases[] = {
        { "2026-04-01T08:00:00Z", "2026-04-01T08:00:00.000000Z" },
        { "2026-04-01t08:00:00z", "2026-04-01T08:00:00.000000Z" },
        { "2026-04-01T08:00:00.5Z", "2026-04-01T08:00:00.500000Z" },
        { "2026-04-01T08:00:00.123456789Z", "2026-04-01T08:00:00.123456Z" },
        { "2026-04-01T00:30:00+01:00", "2026-03-31T23:30:00.000000Z" },
        { "2026-12-31T23:30:00-00:45", "2027-01-01T00:15:00.000000Z" },
        { "2026-04-01T00:00:00-23:59", "2026-04-01T23:59:00.000000Z" },
        { "2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z" },
        { "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z" },
        { "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z" },
        { "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z" },
        { "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z" },
    };
    char text[ALLOY_INSTANT_SIZE + 1] = "";
    apr_int64_t micros;
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_msg(alloy_instant_read(&micros, cases[i].text), "%s",
                      cases[i].text);
        ck_assert(alloy_instant_write(text, micros));
        ck_assert_str_eq(text, cases[i].canonical);
    }
    ck_assert(alloy_instant_read(&micros, "2001-09-09T01:46:40Z"));
    ck_assert(micros == APR_INT64_C(1000000000000000));
}
END_TEST

START_TEST(what_is_no_instant_is_refused)
{
    static const char *const cases[] = {
        "", "2026-04-01", "2026-04-01T08:00:00", "2026-04-01 08:00:00Z",
        "2026-04-01T24:00:00Z", "2026-04-01T08:60:00Z",
        "2026-04-01T08:00:61Z", "2026-04-01T08:00Z", "2026-04-01T08:00:00.Z",
        "2026-04-01T08:00:00+0100", "2026-04-01T08:00:00+1:00",
        "2026-04-01T08:00:00+24:00", "2026-04-01T08:00:00+01:60",
        "2026-04-01T08:00:00Zx", "2026-04-01T08:00:00 01:00",
        "2026-02-30T08:00:00Z", "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:60Z"
    };
    apr_int64_t micros;
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_msg(!alloy_instant_read(&micros, cases[i]), "%s", cases[i]);
    }
}
END_TEST

static Suite *instant_suite(void)
{
    Suite *suite = suite_create("instant");
    TCase *tests = tcase_create("instant");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_day_is_read_and_written);
    tcase_add_test(tests, what_is_no_date_is_refused);
    tcase_add_test(tests, instants_become_utc_with_microseconds);
    tcase_add_test(tests, what_is_no_instant_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}

ALLOY_SUITE(instant_suite);
