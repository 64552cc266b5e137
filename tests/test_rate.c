/*
 * Rate limits: a burst up to the limit, then what flows back with time; owners
 * apart; many threads never more than the limit.
 */
#include "../mod_alloy/core/rate.h"

#include <apr_atomic.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include "suite.h"

static apr_pool_t *pool;
static alloy_rate_t *rate;

static void set_up(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    ck_assert_int_eq(alloy_rate_make(&rate, pool), APR_SUCCESS);
}

static void tear_down(void)
{
    apr_pool_destroy(pool);
    apr_terminate();
}

START_TEST(a_burst_up_to_the_limit)
{
    alloy_quota_t quota;
    int i;

    for (i = 0; i < 5; i++) {
        alloy_rate_count(&quota, rate, 't', "ann", 5);
        ck_assert_int_eq(quota.retry, 0);
        ck_assert_int_eq(quota.limit, 5);
        ck_assert_int_eq(quota.remaining, 4 - i);
    }
    alloy_rate_count(&quota, rate, 't', "ann", 5);
    ck_assert_int_ge(quota.retry, 11);
    ck_assert_int_le(quota.retry, 12);
    ck_assert_int_eq(quota.remaining, 0);
    ck_assert_int_le(quota.reset, 60);
}
END_TEST

START_TEST(owners_and_kinds_are_apart)
{
    alloy_quota_t quota;

    alloy_rate_count(&quota, rate, 't', "ann", 1);
    ck_assert_int_eq(quota.retry, 0);
    alloy_rate_count(&quota, rate, 't', "bob", 1);
    ck_assert_int_eq(quota.retry, 0);
    alloy_rate_count(&quota, rate, 'a', "ann", 1);
    ck_assert_int_eq(quota.retry, 0);
    alloy_rate_count(&quota, rate, 't', "ann", 1);
    ck_assert_int_gt(quota.retry, 0);
}
END_TEST

static volatile apr_uint32_t passed;

static void *APR_THREAD_FUNC hammer(apr_thread_t *thread, void *data)
{
    alloy_quota_t quota;
    int i;

    for (i = 0; i < 1000; i++) {
        alloy_rate_count(&quota, rate, 't', "hammer", 100);
        if (!quota.retry) {
            apr_atomic_inc32(&passed);
        }
    }
    return NULL;
}

START_TEST(threads_never_pass_more_than_the_limit)
{
    apr_thread_t *threads[8];
    apr_status_t status;
    int i;

    for (i = 0; i < 8; i++) {
        ck_assert_int_eq(apr_thread_create(&threads[i], NULL, hammer, NULL,
                                           pool), APR_SUCCESS);
    }
    for (i = 0; i < 8; i++) {
        apr_thread_join(&status, threads[i]);
    }
    /* one more for each 600 ms that went by */
    ck_assert_uint_ge(passed, 100);
    ck_assert_uint_le(passed, 110);
}
END_TEST

static Suite *rate_suite(void)
{
    Suite *suite = suite_create("rate");
    TCase *tests = tcase_create("rate");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_burst_up_to_the_limit);
    tcase_add_test(tests, owners_and_kinds_are_apart);
    tcase_add_test(tests, threads_never_pass_more_than_the_limit);
    suite_add_tcase(suite, tests);
    return suite;
}

ALLOY_SUITE(rate_suite);
