/* Reading JSON: what is refused and in which words, and that nothing of the
 * input gets into them.
 */
#include "suite.h"

#include "../mod_alloy/core/json.h"
#include "../mod_alloy/core/limits.h"

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

static const alloy_json_t *take(const char *text)
{
    const alloy_json_t *value;
    alloy_problem_t *problem = alloy_json_parse(&value, text, strlen(text),
                                                pool);

    ck_assert_msg(!problem, "%s: %s", text, problem ? problem->detail : "");
    return value;
}

static const char *refuse(const char *text, apr_size_t length)
{
    const alloy_json_t *value;
    alloy_problem_t *problem = alloy_json_parse(&value, text, length, pool);

    ck_assert_msg(problem != NULL, "was taken: %s", text);
    ck_assert_ptr_null(value);
    ck_assert_ptr_eq(problem->kind, &alloy_malformed_json);
    return problem->detail;
}

START_TEST(every_type_is_told_apart)
{
    const alloy_json_t *map = take("{\"n\":null,\"t\":true,\"f\":false,"
                                   "\"i\":-9223372036854775808,\"r\":2.5,"
                                   "\"s\":\"\\u00e9\\ud83d\\ude00\","
                                   "\"a\":[1,2],\"m\":{}}");
    apr_size_t length;

    ck_assert_int_eq(alloy_json_type(map), ALLOY_JSON_MAP);
    ck_assert_uint_eq(alloy_json_count(map), 8);
    ck_assert_int_eq(alloy_json_type(alloy_json_get(map, "n")),
                     ALLOY_JSON_NULL);
    ck_assert_int_eq(alloy_json_type(alloy_json_get(map, "f")),
                     ALLOY_JSON_BOOL);
    ck_assert_int_eq(alloy_json_true(alloy_json_get(map, "t")), 1);
    ck_assert_int_eq(alloy_json_true(alloy_json_get(map, "f")), 0);
    ck_assert_int_eq(alloy_json_type(alloy_json_get(map, "i")),
                     ALLOY_JSON_INT);
    ck_assert(alloy_json_int(alloy_json_get(map, "i")) == APR_INT64_MIN);
    ck_assert_int_eq(alloy_json_type(alloy_json_get(map, "r")),
                     ALLOY_JSON_REAL);
    ck_assert(alloy_json_real(alloy_json_get(map, "r")) == 2.5);
    ck_assert_str_eq(alloy_json_text(alloy_json_get(map, "s"), &length),
                     "\xc3\xa9\xf0\x9f\x98\x80");
    ck_assert_uint_eq(length, 6);
    ck_assert_uint_eq(alloy_json_count(alloy_json_get(map, "a")), 2);
    ck_assert(alloy_json_int(alloy_json_at(alloy_json_get(map, "a"), 1)) == 2);
    ck_assert_ptr_null(alloy_json_get(map, "x"));
}
END_TEST

START_TEST(written_json_is_compact_and_in_order)
{
    ck_assert_str_eq(alloy_json_write(take(" { \"z\" : [ 1 , \"\\n/\" ] ,"
                                           " \"a\" : null } "), pool),
                     "{\"z\":[1,\"\\n/\"],\"a\":null}");
    ck_assert_str_eq(alloy_json_write(take("\"x\""), pool), "\"x\"");
}
END_TEST

START_TEST(faults_have_line_column_and_words)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        { "", "ends too soon" },
        { "   ", "ends too soon" },
        { "{\"a\":1", "ends too soon" },
        { "[1,2,", "ends too soon" },
        { "{\"a\":1}x", "more text behind" },
        { "{} {}", "more text behind" },
        { "{'a':1}", "not JSON's syntax" },
        { "{\"a\":01}", "not JSON's syntax" },
        { "{\"a\":1,}", "not JSON's syntax" },
        { "[NaN]", "not JSON's syntax" },
        { "// x\n{}", "not JSON's syntax" },
        { "[\"a\nb\"]", "not JSON's syntax" },
        { "[\"\\ud800\"]", "not JSON's syntax" },
        { "[\"\\ude00\\ud83d\"]", "not JSON's syntax" },
        { "[\"\\u0000\"]", "U+0000" },
        { "{\"a\\u0000b\":1}", "U+0000" },
        { "{\"a\":1,\"a\":2}", "second time" },
        { "{\"a\":1,\"\\u0061\":2}", "second time" },
        { "[9223372036854775808]", "64 bits" },
        { "[-9223372036854775809]", "64 bits" },
        { "[1e999]", "64 bits" },
        { "[\"\xff\"]", "not UTF-8" },
        { "[\"\xc0\x80\"]", "not UTF-8" },
        { "[\"\xed\xa0\x80\"]", "not UTF-8" },
        { "\xef\xbb\xbf{}", "byte order mark" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *detail = refuse(cases[i].text, strlen(cases[i].text));

        ck_assert_msg(strstr(detail, cases[i].words) != NULL, "%s: %s",
                      cases[i].text, detail);
    }
    ck_assert_ptr_nonnull(strstr(refuse("{\n \"a\": tru\n}", 13), "line 2, "));
}
END_TEST

START_TEST(a_nul_byte_is_refused)
{
    refuse("[1]\0", 4);
    refuse("[\"a\0b\"]", 7);
}
END_TEST

START_TEST(words_never_quote_the_input)
{
    char *text = apr_palloc(pool, 5001);

    memset(text, 'q', 5000);
    text[5000] = '\0';
    ck_assert_ptr_null(strstr(refuse(text, 5000), "qq"));
    ck_assert_ptr_null(strstr(refuse("{\"hunter2\" 5}", 13), "hunter2"));
    ck_assert_ptr_null(strstr(refuse("{\"k\":1,\"k\":2}", 13), "\"k\""));
}
END_TEST

static const char *nested(int depth)
{
    char *text = apr_pcalloc(pool, 2 * (apr_size_t)depth + 1);

    memset(text, '[', (apr_size_t)depth);
    memset(text + depth, ']', (apr_size_t)depth);
    return text;
}

START_TEST(depth_is_limited)
{
    const char *many = nested(100000);

    take(nested(ALLOY_JSON_DEPTH));
    ck_assert_ptr_nonnull(strstr(refuse(nested(ALLOY_JSON_DEPTH + 1),
                                        2 * (ALLOY_JSON_DEPTH + 1)),
                                 "nests"));
    refuse(many, strlen(many));
    refuse(many, 100000);
    take("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[\"]");
}
END_TEST

START_TEST(the_number_of_values_is_limited)
{
    apr_size_t length = 2 * (ALLOY_JSON_VALUES - 1) + 1;
    char *text = apr_palloc(pool, length + 3);
    apr_size_t i;

    text[0] = '[';
    for (i = 1; i < length; i += 2) {
        text[i] = '1';
        text[i + 1] = ',';
    }
    text[length - 1] = ']';
    text[length] = '\0';
    ck_assert_uint_eq(alloy_json_count(take(text)), ALLOY_JSON_VALUES - 1);
    memcpy(text + length - 1, ",1]", 3);
    ck_assert_ptr_nonnull(strstr(refuse(text, length + 2), "more than"));
}
END_TEST

static int stop_at_b(void *baton, const char *key, const alloy_json_t *value)
{
    apr_array_header_t *seen = baton;

    APR_ARRAY_PUSH(seen, const char *) = key;
    return strcmp(key, "b");
}

START_TEST(visiting_stops_when_told)
{
    apr_array_header_t *seen = apr_array_make(pool, 4, sizeof(char *));

    alloy_json_each(take("{\"a\":1,\"b\":2,\"c\":3}"), stop_at_b, seen);
    ck_assert_int_eq(seen->nelts, 2);
}
END_TEST

static Suite *json_suite(void)
{
    Suite *suite = suite_create("json");
    TCase *tests = tcase_create("json");

    alloy_json_init();
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, every_type_is_told_apart);
    tcase_add_test(tests, written_json_is_compact_and_in_order);
    tcase_add_test(tests, faults_have_line_column_and_words);
    tcase_add_test(tests, a_nul_byte_is_refused);
    tcase_add_test(tests, words_never_quote_the_input);
    tcase_add_test(tests, depth_is_limited);
    tcase_add_test(tests, the_number_of_values_is_limited);
    tcase_add_test(tests, visiting_stops_when_told);
    suite_add_tcase(suite, tests);
    return suite;
}

ALLOY_SUITE(json_suite);
