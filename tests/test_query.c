/* Query strings and the UTF-8 in them: strict decoding, and a refusal that
 * names the parameter.
 */
#include "suite.h"

#include "../mod_alloy/core/limits.h"
#include "../mod_alloy/core/query.h"
#include "../mod_alloy/core/utf8.h"

#include <string.h>

#include <apr_strings.h>

static apr_pool_t *pool;

static void setup(void)
{
    apr_pool_create(&pool, NULL);
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

START_TEST(names_and_values_are_decoded)
{
    alloy_query_t query;

    ck_assert_ptr_null(alloy_query_read(&query, "&a=1&&b%5B=x+y%2B%c3%A9&c&d="
                                        "&e==&a=2;f=3&", pool));
    ck_assert_int_eq(query.count, 6);
    ck_assert_str_eq(query.pairs[0].name, "a");
    ck_assert_str_eq(query.pairs[0].value, "1");
    ck_assert_str_eq(query.pairs[1].name, "b[");
    ck_assert_str_eq(query.pairs[1].value, "x y+\xc3\xa9");
    ck_assert_str_eq(query.pairs[2].name, "c");
    ck_assert_str_eq(query.pairs[2].value, "");
    ck_assert_str_eq(query.pairs[3].value, "");
    ck_assert_str_eq(query.pairs[4].value, "=");
    ck_assert_str_eq(query.pairs[5].value, "2;f=3");
}
END_TEST

START_TEST(no_query_is_no_parameters)
{
    alloy_query_t query;

    ck_assert_ptr_null(alloy_query_read(&query, NULL, pool));
    ck_assert_int_eq(query.count, 0);
    ck_assert_ptr_null(alloy_query_read(&query, "", pool));
    ck_assert_int_eq(query.count, 0);
}
END_TEST

START_TEST(what_cant_be_decoded_is_refused_by_name)
{
    static const char *const values[] = {
        "%", "%4", "%4g", "%g4", "%%41", "%00", "%ff", "%c3", "%c0%80",
        "%ed%a0%80", "%f4%90%80%80", "\xff", "%u0041", "%-1", "% 1"
    };
    alloy_query_t query;
    apr_size_t i;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        alloy_problem_t *problem = alloy_query_read(&query,
            apr_pstrcat(pool, "a=1&title=", values[i], "&b=2", NULL), pool);

        ck_assert_msg(problem != NULL, "%s", values[i]);
        ck_assert_ptr_eq(problem->kind, &alloy_bad_request);
        ck_assert_ptr_nonnull(strstr(problem->detail, "title"));
        ck_assert_ptr_nonnull(alloy_query_read(&query, values[i], pool));
    }
}
END_TEST

START_TEST(too_many_parameters_are_refused)
{
    char *raw = apr_pcalloc(pool, 2 * ALLOY_QUERY_LIMIT + 3);
    alloy_query_t query;
    int i;

    for (i = 0; i < ALLOY_QUERY_LIMIT; i++) {
        memcpy(raw + 2 * i, "a&", 2);
    }
    raw[2 * ALLOY_QUERY_LIMIT - 1] = '\0';
    ck_assert_ptr_null(alloy_query_read(&query, raw, pool));
    ck_assert_int_eq(query.count, ALLOY_QUERY_LIMIT);
    raw[2 * ALLOY_QUERY_LIMIT - 1] = '&';
    raw[2 * ALLOY_QUERY_LIMIT] = 'b';
    ck_assert_ptr_nonnull(alloy_query_read(&query, raw, pool));
}
END_TEST

static int encode(char *text, unsigned point)
{
    if (point < 0x80) {
        text[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        text[0] = (char)(0xc0 | (point >> 6));
        text[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        text[0] = (char)(0xe0 | (point >> 12));
        text[1] = (char)(0x80 | ((point >> 6) & 0x3f));
        text[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    text[0] = (char)(0xf0 | (point >> 18));
    text[1] = (char)(0x80 | ((point >> 12) & 0x3f));
    text[2] = (char)(0x80 | ((point >> 6) & 0x3f));
    text[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

START_TEST(every_character_is_read)
{
    unsigned point;

    for (point = 1; point < 0x120000; point++) {
        char text[8] = "";
        const char *at = text;
        int fits = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
        int size = encode(text, point);

        if (alloy_utf8_next(&at) != (fits ? (int)point : -1)
            || at != text + (fits ? size : 0)) {
            ck_abort_msg("U+%04X", point);
        }
    }
}
END_TEST

START_TEST(prefixes_end_between_characters)
{
    ck_assert_uint_eq(alloy_utf8_prefix("a\xc3\xa9z", 2), 3);
    ck_assert_uint_eq(alloy_utf8_prefix("a\xc3\xa9z", 9), 4);
    ck_assert_uint_eq(alloy_utf8_prefix("a\xc3", 9), 1);
    ck_assert_uint_eq(alloy_utf8_prefix("", 9), 0);
    ck_assert(!alloy_utf8_valid("\xe0\x80\xaf"));
    ck_assert(!alloy_utf8_valid("\xf0\x80\x80\xaf"));
    ck_assert(!alloy_utf8_valid("\xe2\x82"));
    ck_assert(alloy_utf8_valid("\xe2\x82\xac"));
}
END_TEST

static Suite *query_suite(void)
{
    Suite *suite = suite_create("query");
    TCase *tests = tcase_create("query");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, names_and_values_are_decoded);
    tcase_add_test(tests, no_query_is_no_parameters);
    tcase_add_test(tests, what_cant_be_decoded_is_refused_by_name);
    tcase_add_test(tests, too_many_parameters_are_refused);
    tcase_add_test(tests, every_character_is_read);
    tcase_add_test(tests, prefixes_end_between_characters);
    suite_add_tcase(suite, tests);
    return suite;
}

ALLOY_SUITE(query_suite);
