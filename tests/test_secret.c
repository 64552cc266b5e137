/* Digests and text forms against published vectors; opaque tokens: what is
 * made is taken, and nothing that differs from it.
 */
#include "suite.h"

#include "../mod_alloy/core/secret.h"

#include <string.h>

#include <apr_strings.h>

#define BASE62 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* The checksum was computed by another implementation. */
#define KNOWN "alloy_live_0123456789ABCDEFGHIJKLMNOPQRSTUV0oMVF1"

static apr_pool_t *pool;

static void make_pool(void)
{
    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
}

static void destroy_pool(void)
{
    apr_pool_destroy(pool);
}

/* ---- bytes -------------------------------------------------------------- */

START_TEST(digest_of_the_standards_examples)
{
    unsigned char digest[ALLOY_SECRET_DIGEST];

    alloy_secret_sha256(digest, "abc", 3);
    ck_assert_str_eq(
        alloy_secret_hex(digest, sizeof(digest), pool),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    alloy_secret_sha256(digest, NULL, 0);
    ck_assert_str_eq(
        alloy_secret_hex(digest, sizeof(digest), pool),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

START_TEST(random_bytes_fill_the_buffer)
{
    unsigned char bytes[1024];
    apr_size_t zeros = 0;
    apr_size_t i;

    memset(bytes, 0, sizeof(bytes));
    ck_assert_int_eq(alloy_secret_random(bytes, sizeof(bytes)), APR_SUCCESS);
    for (i = 0; i < sizeof(bytes); i++) {
        zeros += bytes[i] == 0;
    }
    ck_assert_uint_lt(zeros, 40); /* 4 are expected */
    ck_assert_int_eq(alloy_secret_random(bytes, 0), APR_SUCCESS);
}
END_TEST

START_TEST(same_compares_all_bytes)
{
    ck_assert(alloy_secret_same("abcd", "abcd", 4));
    ck_assert(!alloy_secret_same("abcd", "abce", 4));
    ck_assert(!alloy_secret_same("abcd", "bbcd", 4));
    ck_assert(alloy_secret_same("abcd", "abce", 3));
    ck_assert(alloy_secret_same("a", "b", 0));
}
END_TEST

START_TEST(erase_leaves_zeros)
{
    char secret[] = "password";
    const char zeros[sizeof(secret)] = { 0 };

    alloy_secret_erase(secret, sizeof(secret));
    ck_assert_mem_eq(secret, zeros, sizeof(secret));
    alloy_secret_erase(NULL, 0);
}
END_TEST

/* RFC 4648, section 10, without padding; and what base64 writes otherwise. */
static const struct {
    const char *bytes;
    const char *text;
} vectors[] = {
    { "", "" },         { "f", "Zg" },         { "fo", "Zm8" },
    { "foo", "Zm9v" },  { "foob", "Zm9vYg" },  { "fooba", "Zm9vYmE" },
    { "foobar", "Zm9vYmFy" }, { "\xfb\xff\xfe", "-__-" },
    { "\xff\xef", "_-8" }
};

START_TEST(base64url_of_the_rfcs_examples)
{
    apr_size_t length = strlen(vectors[_i].bytes);
    unsigned char *bytes;
    apr_size_t size;

    ck_assert_str_eq(alloy_secret_base64url(vectors[_i].bytes, length, pool),
                     vectors[_i].text);
    ck_assert_int_eq(
        alloy_secret_base64url_read(&bytes, &size, vectors[_i].text,
                                    strlen(vectors[_i].text), pool),
        APR_SUCCESS);
    ck_assert_uint_eq(size, length);
    ck_assert_str_eq((const char *)bytes, vectors[_i].bytes);
}
END_TEST

/* Padding, the other alphabet, spaces, half a byte, unused bits set. */
static const char *const not_base64url[] = {
    "Zg==", "+//+", "Zm 9", "Zm9v\n", "Z", "Zm9vY", "Zh", "Zm9", "Zm9vYmF\xc3"
};

START_TEST(other_texts_are_no_base64url)
{
    unsigned char *bytes;
    apr_size_t size;

    ck_assert_int_eq(
        alloy_secret_base64url_read(&bytes, &size, not_base64url[_i],
                                    strlen(not_base64url[_i]), pool),
        APR_EINVAL);
}
END_TEST

START_TEST(every_byte_survives_base64url)
{
    unsigned char all[256];
    unsigned char *bytes;
    const char *text;
    apr_size_t size;
    unsigned i;

    for (i = 0; i < 256; i++) {
        all[i] = (unsigned char)(255 - i);
    }
    text = alloy_secret_base64url(all, sizeof(all), pool);
    ck_assert_int_eq(alloy_secret_base64url_read(&bytes, &size, text,
                                                 strlen(text), pool),
                     APR_SUCCESS);
    ck_assert_uint_eq(size, sizeof(all));
    ck_assert_mem_eq(bytes, all, sizeof(all));
}
END_TEST

/* ---- opaque tokens ------------------------------------------------------ */

static const struct {
    alloy_secret_kind_e kind;
    const char *word;
} kinds[] = {
    { ALLOY_SECRET_LIVE, "alloy_live_" },
    { ALLOY_SECRET_TEST, "alloy_test_" },
    { ALLOY_SECRET_REFRESH, "alloy_refresh_" },
    { ALLOY_SECRET_INVITE, "alloy_invite_" },
    { ALLOY_SECRET_RESET, "alloy_reset_" }
};

START_TEST(a_made_token_is_taken)
{
    apr_size_t word = strlen(kinds[_i].word);
    alloy_secret_kind_e kind = ALLOY_SECRET_LIVE;
    const char *text;

    ck_assert_int_eq(alloy_secret_token_make(&text, kinds[_i].kind, pool),
                     APR_SUCCESS);
    ck_assert_int_eq(strncmp(text, kinds[_i].word, word), 0);
    ck_assert_uint_eq(strlen(text), word + 38);
    ck_assert_uint_eq(strspn(text + word, BASE62), 38);
    ck_assert(alloy_secret_token_check(&kind, text));
    ck_assert_int_eq(kind, kinds[_i].kind);
}
END_TEST

START_TEST(the_checksum_is_crc32_in_base_62)
{
    alloy_secret_kind_e kind;

    ck_assert(alloy_secret_token_check(&kind, KNOWN));
    ck_assert_int_eq(kind, ALLOY_SECRET_LIVE);
}
END_TEST

START_TEST(one_other_character_is_refused)
{
    apr_size_t i;

    for (i = 0; i < sizeof(KNOWN) - 1; i++) {
        char text[] = KNOWN;
        alloy_secret_kind_e kind;
        const char *other;

        for (other = BASE62 "_-= \xff"; *other != '\0'; other++) {
            text[i] = *other;
            ck_assert_int_eq(alloy_secret_token_check(&kind, text),
                             *other == KNOWN[i]);
        }
    }
}
END_TEST

START_TEST(another_length_is_refused)
{
    alloy_secret_kind_e kind;
    apr_size_t i;

    for (i = 0; i < sizeof(KNOWN) - 1; i++) {
        ck_assert(!alloy_secret_token_check(
            &kind, apr_pstrmemdup(pool, KNOWN, i)));
    }
    ck_assert(!alloy_secret_token_check(&kind, KNOWN "0"));
    ck_assert(!alloy_secret_token_check(&kind, " " KNOWN));
    ck_assert(!alloy_secret_token_check(&kind, KNOWN "\n"));
}
END_TEST

START_TEST(another_kinds_word_is_refused)
{
    alloy_secret_kind_e kind;

    ck_assert(!alloy_secret_token_check(
        &kind, "alloy_test_0123456789ABCDEFGHIJKLMNOPQRSTUV0oMVF1"));
}
END_TEST

/* 62 characters, 320 of each expected: chi-squared with 61 degrees of freedom
 * passes 130 once in a million runs; taking bytes modulo 62 would give the
 * first eight a quarter more, and some 130 more. */
START_TEST(characters_are_equally_likely)
{
    unsigned counts[128] = { 0 };
    double sum = 0;
    const char *c;
    int i;

    for (i = 0; i < 620; i++) {
        const char *text;

        ck_assert_int_eq(
            alloy_secret_token_make(&text, ALLOY_SECRET_LIVE, pool),
            APR_SUCCESS);
        for (c = text + 11; c < text + 11 + 32; c++) {
            counts[(unsigned char)*c]++;
        }
    }
    for (c = BASE62; *c != '\0'; c++) {
        double off = counts[(unsigned char)*c] - 320.0;

        sum += off * off / 320.0;
    }
    ck_assert_double_lt(sum, 130.0);
}
END_TEST

static Suite *secret_suite(void)
{
    Suite *suite = suite_create("secret");
    TCase *bytes = tcase_create("bytes");
    TCase *tokens = tcase_create("tokens");

    tcase_add_checked_fixture(bytes, make_pool, destroy_pool);
    tcase_add_test(bytes, digest_of_the_standards_examples);
    tcase_add_test(bytes, random_bytes_fill_the_buffer);
    tcase_add_test(bytes, same_compares_all_bytes);
    tcase_add_test(bytes, erase_leaves_zeros);
    tcase_add_loop_test(bytes, base64url_of_the_rfcs_examples, 0,
                        sizeof(vectors) / sizeof(vectors[0]));
    tcase_add_loop_test(bytes, other_texts_are_no_base64url, 0,
                        sizeof(not_base64url) / sizeof(not_base64url[0]));
    tcase_add_test(bytes, every_byte_survives_base64url);
    tcase_add_checked_fixture(tokens, make_pool, destroy_pool);
    tcase_add_loop_test(tokens, a_made_token_is_taken, 0,
                        sizeof(kinds) / sizeof(kinds[0]));
    tcase_add_test(tokens, the_checksum_is_crc32_in_base_62);
    tcase_add_test(tokens, one_other_character_is_refused);
    tcase_add_test(tokens, another_length_is_refused);
    tcase_add_test(tokens, another_kinds_word_is_refused);
    tcase_add_test(tokens, characters_are_equally_likely);
    suite_add_tcase(suite, bytes);
    suite_add_tcase(suite, tokens);
    return suite;
}

ALLOY_SUITE(secret_suite);
