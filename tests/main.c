/* The runner of the unit tests: every suite linked in, or those named on the
 * command line. CK_FORK=no keeps all in one process (sanitizers, valgrind),
 * CK_VERBOSITY says how much is told. Fails when there is nothing to run.
 */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>

#include <apr_general.h>

/* Made by the linker; not there at all when no suite is linked in. */
extern alloy_suite_fn *const __start_alloy_suites[] __attribute__((weak));
extern alloy_suite_fn *const __stop_alloy_suites[] __attribute__((weak));

/* Runs one suite, or all when `name` is NULL; returns how many tests ran, and
 * adds the failed ones to *failed. */
static int run(SRunner *runner, const char *name, int *failed)
{
    int before = srunner_ntests_run(runner);

    srunner_run(runner, name, NULL, CK_ENV);
    *failed += srunner_ntests_failed(runner);
    return srunner_ntests_run(runner) - before;
}

static SRunner *make_runner(void)
{
    SRunner *runner = srunner_create(NULL);
    alloy_suite_fn *const *make;

    for (make = __start_alloy_suites; make < __stop_alloy_suites; make++) {
        srunner_add_suite(runner, (*make)());
    }
    return runner;
}

int main(int argc, char **argv)
{
    SRunner *runner;
    int failed = 0;
    int ran = 0;
    int i;

    if (apr_initialize() != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    runner = make_runner();
    for (i = 1; i < argc; i++) {
        ran += run(runner, argv[i], &failed);
    }
    if (argc < 2) {
        ran = run(runner, NULL, &failed);
    }
    srunner_free(runner);
    apr_terminate();
    if (ran == 0) {
        fprintf(stderr, "No test ran: check the suite's name.\n");
        return EXIT_FAILURE;
    }
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
