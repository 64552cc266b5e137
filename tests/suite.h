/* How a file of unit tests reports for duty. Each test_<x>.c ends with
 * ALLOY_SUITE(<x>_suite), the runner finds it: there is no list to add to.
 * Every test runs with APR initialized; it makes its own pools.
 */
#ifndef ALLOY_TESTS_SUITE_H
#define ALLOY_TESTS_SUITE_H

#include <check.h>

typedef Suite *alloy_suite_fn(void);

/* Puts the function's address into a section that the linker gathers from all
 * files, between __start_alloy_suites and __stop_alloy_suites. */
#define ALLOY_SUITE(make)                                 \
    static alloy_suite_fn *const make##_entry             \
        __attribute__((used, section("alloy_suites"))) = make

#endif
