/* Problems: the document, the limit of listed faults, and that the table of
 * kinds is fit to be read by people.
 */
#include "suite.h"

#include "../mod_alloy/core/json.h"
#include "../mod_alloy/core/limits.h"
#include "../mod_alloy/core/output.h"
#include "../mod_alloy/core/problem.h"

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

static const char *document(const alloy_problem_t *problem, const char *id)
{
    alloy_out_t *out = alloy_out_make(pool, 0);

    alloy_problem_write(out, problem, "https://x.example/api/v1", id);
    return apr_pstrmemdup(pool, out->bytes, out->length);
}

START_TEST(the_document_has_all_members_in_order)
{
    static const char *const words[] = { "Low", "High", NULL };
    alloy_problem_t *problem = alloy_problem_make(pool,
        &alloy_validation_failed, "%d values are \"odd\".", 2);

    alloy_problem_at(alloy_problem_at(problem, "/a~1b", "not_allowed",
                                      "No.", words),
                     "limit", "too_large", "Too much.", NULL);
    alloy_problem_member(problem, "candidates", "[{\"id\":1}]");
    ck_assert_str_eq(document(problem, "r-1"),
        "{\"type\":\"https://x.example/api/v1/problems/validation_failed\","
        "\"title\":\"Some input is not acceptable\",\"status\":422,"
        "\"detail\":\"2 values are \\\"odd\\\".\","
        "\"code\":\"validation_failed\",\"request_id\":\"r-1\",\"errors\":["
        "{\"pointer\":\"/a~1b\",\"code\":\"not_allowed\",\"detail\":\"No.\","
        "\"allowed\":[\"Low\",\"High\"]},"
        "{\"parameter\":\"limit\",\"code\":\"too_large\","
        "\"detail\":\"Too much.\"}],\"candidates\":[{\"id\":1}]}");
}
END_TEST

START_TEST(what_is_not_there_is_left_out)
{
    alloy_problem_t *problem = alloy_problem_make(pool, &alloy_not_found,
                                                  "Gone.");
    const char *text = document(problem, NULL);

    ck_assert_ptr_null(strstr(text, "request_id"));
    ck_assert_ptr_null(strstr(text, "errors"));
    ck_assert_ptr_nonnull(strstr(text, "\"status\":404"));
    alloy_problem_at(problem, "", "type", "No object.", NULL);
    ck_assert_ptr_nonnull(strstr(document(problem, NULL), "\"pointer\":\"\""));
}
END_TEST

START_TEST(faults_beyond_the_limit_are_dropped)
{
    alloy_problem_t *problem = alloy_problem_make(pool,
        &alloy_validation_failed, "Much.");
    const alloy_fault_t *fault;
    char where[16] = "/x";
    int i, count = 0;

    for (i = 0; i < ALLOY_FAULTS_LIMIT + 5; i++) {
        where[1] = (char)('a' + i % 26);
        alloy_problem_at(problem, where, "unknown", "No.", NULL);
    }
    for (fault = problem->faults; fault; fault = fault->next) {
        count++;
    }
    ck_assert_int_eq(count, ALLOY_FAULTS_LIMIT);
    ck_assert_int_eq(problem->nfaults, ALLOY_FAULTS_LIMIT);
    ck_assert_str_eq(problem->faults->where, "/a");
}
END_TEST

START_TEST(every_kind_can_be_read)
{
    const alloy_problem_kind_t *const *kind, *const *other;
    int count = 0;

    for (kind = alloy_problem_kinds; *kind; kind++, count++) {
        apr_size_t length = strlen((*kind)->help);

        ck_assert_uint_eq(strspn((*kind)->code, "abcdefghijklmnopqrstuvwxyz_"),
                          strlen((*kind)->code));
        ck_assert_int_ge((*kind)->status, 400);
        ck_assert_int_le((*kind)->status, 599);
        ck_assert_uint_gt(length, 80);
        ck_assert_int_eq((*kind)->help[length - 1], '.');
        ck_assert_ptr_null(strstr((*kind)->help, "  "));
        ck_assert_ptr_null(strchr((*kind)->title, '.'));
        for (other = alloy_problem_kinds; other < kind; other++) {
            ck_assert_str_ne((*kind)->code, (*other)->code);
            ck_assert_str_ne((*kind)->title, (*other)->title);
        }
    }
    ck_assert_int_eq(count, 32);
}
END_TEST

START_TEST(the_document_is_json_whatever_is_in_it)
{
    alloy_problem_t *problem = alloy_problem_make(pool, &alloy_bad_request,
                                                  "\"\\\n\x01\xc3\xa9");
    const char *text;
    const alloy_json_t *value;

    alloy_problem_at(problem, "a\"b", "x", "\t", NULL);
    text = document(problem, "\"");
    ck_assert_ptr_null(alloy_json_parse(&value, text, strlen(text), pool));
    ck_assert_str_eq(alloy_json_text(alloy_json_get(value, "detail"), NULL),
                     "\"\\\n\x01\xc3\xa9");
}
END_TEST

static Suite *problem_suite(void)
{
    Suite *suite = suite_create("problem");
    TCase *tests = tcase_create("problem");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_document_has_all_members_in_order);
    tcase_add_test(tests, what_is_not_there_is_left_out);
    tcase_add_test(tests, faults_beyond_the_limit_are_dropped);
    tcase_add_test(tests, every_kind_can_be_read);
    tcase_add_test(tests, the_document_is_json_whatever_is_in_it);
    suite_add_tcase(suite, tests);
    return suite;
}

ALLOY_SUITE(problem_suite);
