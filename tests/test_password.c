/* Passwords: what is made is recognized, and the hasher's bound holds. The
 * bound is tested without clocks: this file stands in for one function of
 * argon2, and can hold its callers at a gate.
 */
#include "suite.h"

#include "../mod_alloy/core/secret.h"

#include <string.h>

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <argon2.h>

#define SLOTS 2
#define QUEUE (4 * SLOTS)
#define REFUSED 3
#define CALLERS (SLOTS + QUEUE + REFUSED)

/* "password" with salt "somesalt", from argon2's own tests: other parameters
 * than ours, and the other algorithm. */
#define OLD                                                    \
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ"                 \
    "$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
#define OTHER                                                  \
    "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ"                  \
    "$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8"

static apr_pool_t *pool;
static alloy_secret_hasher_t *hasher;

/* What goes on behind the gate, guarded by the mutex. */
static struct {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *changed;
    int closed;
    int inside;  /* threads hashing now */
    int most;    /* the most there ever were */
    int refused; /* callers told to come back */
    int served;
} gate;

/* What argon2 was asked last while there was no gate, and its answer. */
static struct {
    int outdated;
    int answer;
} last;

/* Takes the place of the library's function of that name. */
int argon2id_verify(const char *encoded, const void *password, size_t size)
{
    int waited = 0;

    if (gate.mutex == NULL) {
        last.outdated = alloy_secret_password_outdated(encoded);
        last.answer = argon2_verify(encoded, password, size, Argon2_id);
        return last.answer;
    }
    apr_thread_mutex_lock(gate.mutex);
    gate.inside++;
    gate.most = gate.inside > gate.most ? gate.inside : gate.most;
    while (gate.closed) {
        waited = 1;
        apr_thread_cond_wait(gate.changed, gate.mutex);
    }
    gate.inside--;
    apr_thread_mutex_unlock(gate.mutex);
    return waited ? ARGON2_OK : ARGON2_VERIFY_MISMATCH;
}

static void make_hasher(void)
{
    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
    ck_assert_int_eq(alloy_secret_hasher_make(&hasher, SLOTS, pool),
                     APR_SUCCESS);
}

static void destroy_hasher(void)
{
    memset(&gate, 0, sizeof(gate));
    apr_pool_destroy(pool);
}

START_TEST(a_made_text_knows_its_password)
{
    const char *text;
    const char *again;
    int matches;

    ck_assert_int_eq(
        alloy_secret_password_make(&text, hasher, "correct horse", pool),
        APR_SUCCESS);
    ck_assert_int_eq(strncmp(text, "$argon2id$v=19$m=19456,t=2,p=1$", 31), 0);
    ck_assert(!alloy_secret_password_outdated(text));
    ck_assert_int_eq(
        alloy_secret_password_check(&matches, hasher, text, "correct horse"),
        APR_SUCCESS);
    ck_assert_int_eq(matches, 1);
    ck_assert_int_eq(
        alloy_secret_password_check(&matches, hasher, text, "correct horsf"),
        APR_SUCCESS);
    ck_assert_int_eq(matches, 0);
    ck_assert_int_eq(
        alloy_secret_password_make(&again, hasher, "correct horse", pool),
        APR_SUCCESS);
    ck_assert_str_ne(text, again);
}
END_TEST

START_TEST(the_longest_password_counts_to_its_end)
{
    char password[ALLOY_SECRET_PASSWORD_MAX + 1];
    const char *text;
    int matches;

    memset(password, 'x', ALLOY_SECRET_PASSWORD_MAX);
    password[ALLOY_SECRET_PASSWORD_MAX] = '\0';
    ck_assert_int_eq(
        alloy_secret_password_make(&text, hasher, password, pool),
        APR_SUCCESS);
    password[ALLOY_SECRET_PASSWORD_MAX - 1] = 'y';
    ck_assert_int_eq(
        alloy_secret_password_check(&matches, hasher, text, password),
        APR_SUCCESS);
    ck_assert_int_eq(matches, 0);
}
END_TEST

START_TEST(older_parameters_are_taken_and_outdated)
{
    int matches;

    ck_assert(alloy_secret_password_outdated(OLD));
    ck_assert_int_eq(
        alloy_secret_password_check(&matches, hasher, OLD, "password"),
        APR_SUCCESS);
    ck_assert_int_eq(matches, 1);
}
END_TEST

/* The text that stands for nobody is hashed to the end, with the parameters of
 * everybody else's, and what comes of it does not matter. */
START_TEST(nobody_costs_as_much_as_somebody)
{
    int matches = 1;

    ck_assert_int_eq(
        alloy_secret_password_check(&matches, hasher, NULL, "password"),
        APR_SUCCESS);
    ck_assert_int_eq(matches, 0);
    ck_assert_int_eq(last.outdated, 0);
    ck_assert_int_eq(last.answer, ARGON2_VERIFY_MISMATCH);
}
END_TEST

static const char *const broken[] = {
    "", "password", OTHER, "$argon2id$", "$argon2id$v=19$m=19456,t=2,p=1$"
};

START_TEST(other_texts_are_refused)
{
    int matches = 1;

    ck_assert(alloy_secret_password_outdated(broken[_i]));
    ck_assert_int_eq(alloy_secret_password_check(&matches, hasher, broken[_i],
                                                 "password"),
                     APR_EINVAL);
    ck_assert_int_eq(matches, 0);
}
END_TEST

/* ---- the bound ---------------------------------------------------------- */

static void *APR_THREAD_FUNC call(apr_thread_t *thread, void *baton)
{
    int matches;
    apr_status_t rv =
        alloy_secret_password_check(&matches, hasher, OLD, "password");

    apr_thread_mutex_lock(gate.mutex);
    gate.refused += rv == APR_EAGAIN;
    gate.served += rv == APR_SUCCESS;
    apr_thread_cond_broadcast(gate.changed);
    apr_thread_mutex_unlock(gate.mutex);
    return NULL;
}

/* Nobody gets through the closed gate: as soon as REFUSED callers were told to
 * come back, the others are all inside or in the queue. */
static void wait_for_refusals(void)
{
    apr_thread_mutex_lock(gate.mutex);
    while (gate.refused < REFUSED) {
        apr_thread_cond_wait(gate.changed, gate.mutex);
    }
    ck_assert_int_eq(gate.served, 0);
    gate.closed = 0;
    apr_thread_cond_broadcast(gate.changed);
    apr_thread_mutex_unlock(gate.mutex);
}

START_TEST(no_more_than_the_slots_run_and_the_queue_waits)
{
    apr_thread_t *threads[CALLERS];
    apr_status_t ignored;
    int i;

    apr_thread_mutex_create(&gate.mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    apr_thread_cond_create(&gate.changed, pool);
    gate.closed = 1;
    for (i = 0; i < CALLERS; i++) {
        ck_assert_int_eq(
            apr_thread_create(&threads[i], NULL, call, NULL, pool),
            APR_SUCCESS);
    }
    wait_for_refusals();
    for (i = 0; i < CALLERS; i++) {
        apr_thread_join(&ignored, threads[i]);
    }
    ck_assert_int_eq(gate.refused, REFUSED);
    ck_assert_int_eq(gate.served, SLOTS + QUEUE);
    ck_assert_int_eq(gate.most, SLOTS);
    call(NULL, NULL); /* the slots were given back */
    ck_assert_int_eq(gate.served, SLOTS + QUEUE + 1);
}
END_TEST

START_TEST(no_number_means_the_cores)
{
    alloy_secret_hasher_t *other;
    int matches;

    ck_assert_int_eq(alloy_secret_hasher_make(&other, 0, pool), APR_SUCCESS);
    ck_assert_int_eq(
        alloy_secret_password_check(&matches, other, OLD, "password"),
        APR_SUCCESS);
    ck_assert_int_eq(matches, 1);
}
END_TEST

static Suite *password_suite(void)
{
    Suite *suite = suite_create("password");
    TCase *texts = tcase_create("texts");
    TCase *bound = tcase_create("bound");

    tcase_set_timeout(texts, 60); /* under valgrind */
    tcase_add_checked_fixture(texts, make_hasher, destroy_hasher);
    tcase_add_test(texts, a_made_text_knows_its_password);
    tcase_add_test(texts, the_longest_password_counts_to_its_end);
    tcase_add_test(texts, older_parameters_are_taken_and_outdated);
    tcase_add_test(texts, nobody_costs_as_much_as_somebody);
    tcase_add_loop_test(texts, other_texts_are_refused, 0,
                        sizeof(broken) / sizeof(broken[0]));
    tcase_set_timeout(bound, 60);
    tcase_add_checked_fixture(bound, make_hasher, destroy_hasher);
    tcase_add_test(bound, no_more_than_the_slots_run_and_the_queue_waits);
    tcase_add_test(bound, no_number_means_the_cores);
    suite_add_tcase(suite, texts);
    suite_add_tcase(suite, bound);
    return suite;
}

ALLOY_SUITE(password_suite);
