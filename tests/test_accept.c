/* The field Accept: which of two types a client would rather have.
 */
#include "suite.h"

#include "../mod_alloy/core/accept.h"

#define CHART "image/svg+xml"
#define JSON "application/json"

static int prefers(const char *accept)
{
    return alloy_accept_prefers(accept, CHART, JSON);
}

START_TEST(the_higher_weight_wins)
{
    ck_assert(prefers("image/svg+xml, application/json;q=0.9"));
    ck_assert(!prefers("image/svg+xml;q=0.899, application/json;q=0.9"));
    ck_assert(prefers("application/json;q=0.01;x=y , image/svg+xml;q=0.011"));
    ck_assert(prefers("text/html,IMAGE/SVG+XML ; q=1.000"));
    ck_assert(prefers("image/svg+xml;charset=utf-8;Q=0.5, */*;q=0.4"));
}
END_TEST

START_TEST(among_equals_the_exact_name_wins)
{
    ck_assert(prefers("image/svg+xml, */*"));
    ck_assert(prefers("*/*, image/*"));
    ck_assert(!prefers("image/svg+xml, application/json"));
    ck_assert(!prefers("*/*"));
    ck_assert(!prefers("application/*, image/*"));
}
END_TEST

START_TEST(nothing_is_wanted_that_is_not_named)
{
    ck_assert(!prefers(NULL));
    ck_assert(!prefers(""));
    ck_assert(!prefers(" ,, "));
    ck_assert(!prefers("image/svg"));
    ck_assert(!prefers("image/svg+xmlx"));
    ck_assert(!prefers("image/svg+xml;q=0"));
    ck_assert(!prefers("image/svg+xml;q=0.0, image/*"));
    ck_assert(!prefers("image"));
    ck_assert(!prefers(";q="));
}
END_TEST

static Suite *accept_suite(void)
{
    Suite *suite = suite_create("accept");
    TCase *tcase = tcase_create("preference");

    tcase_add_test(tcase, the_higher_weight_wins);
    tcase_add_test(tcase, among_equals_the_exact_name_wins);
    tcase_add_test(tcase, nothing_is_wanted_that_is_not_named);
    suite_add_tcase(suite, tcase);
    return suite;
}

ALLOY_SUITE(accept_suite);
