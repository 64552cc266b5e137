/* Cursors: they come back as they were, for their own query only, and every
 * changed one is refused.
 */
#include "suite.h"

#include "../mod_alloy/core/cursor.h"

#include <string.h>

#include <apr_strings.h>

#define QUERY "ticket_list|/projects/WEB/tickets|status=Done"

static apr_pool_t *pool;

static void setup(void)
{
    apr_pool_create(&pool, NULL);
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

START_TEST(cursors_come_back)
{
    static const apr_int64_t times[] = {
        0, 1, -1, APR_INT64_C(1774944000123456), APR_INT64_MAX, APR_INT64_MIN
    };
    apr_size_t i;

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        alloy_cursor_t made, read;
        const char *text;

        made.at = times[i];
        ck_assert_int_eq(alloy_id_make(&made.id, 7), APR_SUCCESS);
        text = alloy_cursor_write(&made, QUERY, pool);
        ck_assert_uint_eq(strlen(text), 44);
        ck_assert_uint_eq(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkl"
                                 "mnopqrstuvwxyz0123456789-_"), 44);
        ck_assert(alloy_cursor_read(&read, text, QUERY, pool));
        ck_assert(read.at == made.at);
        ck_assert_mem_eq(&read.id, &made.id, sizeof(made.id));
        ck_assert(!alloy_cursor_read(&read, text, QUERY "|", pool));
        ck_assert(!alloy_cursor_read(&read, text, "", pool));
    }
}
END_TEST

START_TEST(version_and_hash_are_checked)
{
    alloy_cursor_t made = { 5 }, read;
    const char *text = alloy_cursor_write(&made, QUERY, pool);
    int i;

    /* 9 bytes are 12 characters */
    for (i = 0; i < 12; i++) {
        char *changed = apr_pstrdup(pool, text);

        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        ck_assert_msg(!alloy_cursor_read(&read, changed, QUERY, pool), "%d", i);
    }
}
END_TEST

START_TEST(other_texts_are_refused)
{
    alloy_cursor_t made = { 5 }, read;
    const char *text = alloy_cursor_write(&made, QUERY, pool);
    apr_size_t length = strlen(text);

    ck_assert(!alloy_cursor_read(&read, "", QUERY, pool));
    ck_assert(!alloy_cursor_read(&read, "x", QUERY, pool));
    ck_assert(!alloy_cursor_read(&read, apr_pstrmemdup(pool, text, length - 1),
                                 QUERY, pool));
    ck_assert(!alloy_cursor_read(&read, apr_pstrcat(pool, text, "A", NULL),
                                 QUERY, pool));
    ck_assert(!alloy_cursor_read(&read, apr_pstrcat(pool, text + 1, "=", NULL),
                                 QUERY, pool));
    ck_assert(!alloy_cursor_read(&read, apr_pstrcat(pool, text + 1, "+", NULL),
                                 QUERY, pool));
}
END_TEST

static Suite *cursor_suite(void)
{
    Suite *suite = suite_create("cursor");
    TCase *tests = tcase_create("cursor");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, cursors_come_back);
    tcase_add_test(tests, version_and_hash_are_checked);
    tcase_add_test(tests, other_texts_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}

ALLOY_SUITE(cursor_suite);
