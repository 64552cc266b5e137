/* Access tokens: what is made is read, and every other token is refused for
 * its own reason. Forgeries are signed with cjose and the right key, so that
 * it is the rule under test that refuses them, not the signature.
 */
#include "suite.h"

#include "rfc7515_key.h"
#include "../mod_alloy/core/secret.h"

#include <string.h>

#include <apr_strings.h>
#include <cjose/cjose.h>
#include <jansson.h>
#include <openssl/err.h>

#define ISSUER "https://alloy.example"
#define AUDIENCE "https://alloy.example/api/v1"
#define NOW APR_INT64_C(1760000000) /* seconds */
#define LIFE 900

#define HEADER \
    "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"" RFC7515_NAME "\"}"
#define CLAIMS                                                            \
    "\"iss\":\"" ISSUER "\",\"aud\":\"" AUDIENCE "\",\"sub\":\"u\","     \
    "\"sid\":\"s\",\"iat\":1760000000,\"exp\":1760000900"

/* A P-384 key, a secp256k1 key, and a P-256 key whose public half is another
 * key's. */
#define P384_PEM                                                           \
    "-----BEGIN PRIVATE KEY-----\n"                                        \
    "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAqGdtpCQWqC2IcDete\n"   \
    "waIfIv1xq698Rn0A/2jKn5BOBjOT/Uzgg3wbOUpQZaxz8zKhZANiAASflCbjbbJZ\n"   \
    "OPBJQHYlX/YfBe9c52PnWfS2kXeagD1ZrYq+PUcddj/GCyCwiV1041tTT9mv8mg7\n"   \
    "xcEJgjm6Ph22aCqvwWzoIGlFnTklSZtvgB0Ii59mFnYLglBdkA2/A0c=\n"           \
    "-----END PRIVATE KEY-----\n"
#define K256_PEM                                                           \
    "-----BEGIN PRIVATE KEY-----\n"                                        \
    "MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgr1XyOghV8/4GfDNQUE4B\n"   \
    "q7YoZvINO66IZMXa6PQRpvmhRANCAAQzg5av0vcysIefM+ArUCABCetEGwAGYPf5\n"   \
    "b+Lvt6sVt02nxepc/LvtNvOpwKt149ACKgoId9FVT2b4Z4eyr0cp\n"               \
    "-----END PRIVATE KEY-----\n"
#define MISMATCHED_PEM                                                     \
    "-----BEGIN EC PRIVATE KEY-----\n"                                     \
    "MHcCAQEEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBoAoGCCqGSM49\n"   \
    "AwEHoUQDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72b\n"   \
    "focs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"                               \
    "-----END EC PRIVATE KEY-----\n"

static apr_pool_t *pool;
static alloy_secret_keys_t *keys; /* the RFC's key alone */

static apr_status_t make_ring(alloy_secret_keys_t **ring, const char *first,
                              const char *second)
{
    apr_array_header_t *pems = apr_array_make(pool, 2, sizeof(const char *));

    if (first != NULL) {
        APR_ARRAY_PUSH(pems, const char *) = first;
    }
    if (second != NULL) {
        APR_ARRAY_PUSH(pems, const char *) = second;
    }
    return alloy_secret_keys_make(ring, pems, ISSUER, AUDIENCE, pool);
}

static void make_keys(void)
{
    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
    ck_assert_int_eq(make_ring(&keys, RFC7515_PEM, NULL), APR_SUCCESS);
}

static void destroy_keys(void)
{
    ck_assert_uint_eq(ERR_peek_error(), 0); /* nothing left for mod_ssl */
    apr_pool_destroy(pool);
}

static const char *make_token(const alloy_secret_keys_t *ring)
{
    alloy_secret_claims_t claims = { "0198c0de-7abc-7def-8123-456789abcdef",
                                     "0198c0de-0000-7def-8123-456789abcdef",
                                     apr_time_from_sec(NOW),
                                     apr_time_from_sec(NOW + LIFE) };
    const char *text;

    ck_assert_int_eq(alloy_secret_access_make(&text, ring, &claims, pool),
                     APR_SUCCESS);
    return text;
}

/* Reads a token `later` seconds after NOW. */
static alloy_secret_access_e read_token(const char *text, int later)
{
    const alloy_secret_claims_t *claims;

    return alloy_secret_access_read(&claims, keys, text,
                                    apr_time_from_sec(NOW + later), pool);
}

/* Signs any header and claims with the RFC's key. The header is what cjose
 * makes of the JSON: the same members. */
static const char *sign(const char *header, const char *claims)
{
    cjose_jwk_t *jwk = cjose_jwk_import(RFC7515_JWK, strlen(RFC7515_JWK), NULL);
    json_t *members = json_loads(header, 0, NULL);
    cjose_jws_t *jws;
    const char *compact;
    const char *text;

    ck_assert_ptr_nonnull(jwk);
    ck_assert_ptr_nonnull(members);
    jws = cjose_jws_sign(jwk, (cjose_header_t *)members,
                         (const uint8_t *)claims, strlen(claims), NULL);
    ck_assert_ptr_nonnull(jws);
    ck_assert(cjose_jws_export(jws, &compact, NULL));
    text = apr_pstrdup(pool, compact);
    cjose_jws_release(jws);
    json_decref(members);
    cjose_jwk_release(jwk);
    return text;
}

/* ---- keys --------------------------------------------------------------- */

START_TEST(a_keys_name_is_its_thumbprint)
{
    ck_assert_str_eq(alloy_secret_keys_name(keys, 0), RFC7515_NAME);
    ck_assert_ptr_null(alloy_secret_keys_name(keys, 1));
}
END_TEST

static const char *const bad_keys[] = {
    NULL, "", "no key", P384_PEM, K256_PEM, MISMATCHED_PEM,
    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n"
};

START_TEST(other_keys_are_refused)
{
    alloy_secret_keys_t *ring;

    ck_assert_int_eq(make_ring(&ring, bad_keys[_i], NULL), APR_EINVAL);
}
END_TEST

START_TEST(a_key_given_twice_is_refused)
{
    alloy_secret_keys_t *ring;

    ck_assert_int_eq(make_ring(&ring, RFC7515_PEM, RFC7515_PEM), APR_EINVAL);
}
END_TEST

START_TEST(keys_are_rotated)
{
    alloy_secret_keys_t *ring;
    const char *pem;
    const char *token;

    ck_assert_int_eq(alloy_secret_key_make(&pem, pool), APR_SUCCESS);
    ck_assert_int_eq(make_ring(&ring, pem, RFC7515_PEM), APR_SUCCESS);
    ck_assert_str_eq(alloy_secret_keys_name(ring, 1), RFC7515_NAME);
    token = make_token(ring);
    ck_assert_int_eq(read_token(token, 0), ALLOY_SECRET_ACCESS_UNKNOWN_KEY);
    token = make_token(keys);
    keys = ring;
    ck_assert_int_eq(read_token(token, 0), ALLOY_SECRET_ACCESS_OK);
    ck_assert_int_eq(read_token(make_token(ring), 0), ALLOY_SECRET_ACCESS_OK);
}
END_TEST

/* ---- tokens ------------------------------------------------------------- */

START_TEST(a_made_token_is_read)
{
    const alloy_secret_claims_t *claims;

    ck_assert_int_eq(
        alloy_secret_access_read(&claims, keys, make_token(keys),
                                 apr_time_from_sec(NOW), pool),
        ALLOY_SECRET_ACCESS_OK);
    ck_assert_str_eq(claims->subject, "0198c0de-7abc-7def-8123-456789abcdef");
    ck_assert_str_eq(claims->session, "0198c0de-0000-7def-8123-456789abcdef");
    ck_assert_int_eq(claims->issued_at, apr_time_from_sec(NOW));
    ck_assert_int_eq(claims->expires_at, apr_time_from_sec(NOW + LIFE));
}
END_TEST

START_TEST(a_token_lives_from_its_issue_to_its_end)
{
    const char *token = make_token(keys);

    ck_assert_int_eq(read_token(token, -31),
                     ALLOY_SECRET_ACCESS_NOT_YET_VALID);
    ck_assert_int_eq(read_token(token, -30), ALLOY_SECRET_ACCESS_OK);
    ck_assert_int_eq(read_token(token, LIFE + 29), ALLOY_SECRET_ACCESS_OK);
    ck_assert_int_eq(read_token(token, LIFE + 30),
                     ALLOY_SECRET_ACCESS_EXPIRED);
}
END_TEST

START_TEST(claims_that_cant_be_said_are_refused)
{
    const apr_time_t now = apr_time_from_sec(NOW);
    const apr_time_t never = apr_time_from_sec(APR_INT64_C(253402300800));
    char *lengthy = apr_palloc(pool, ALLOY_SECRET_ACCESS_MAX + 1);
    const alloy_secret_claims_t claims[] = {
        { "u", "s", -1, now }, { "u", "s", now, never },
        { "u", "\xff", now, now }, { "u", lengthy, now, now }
    };
    const char *text;
    apr_size_t i;

    memset(lengthy, 's', ALLOY_SECRET_ACCESS_MAX);
    lengthy[ALLOY_SECRET_ACCESS_MAX] = '\0';
    for (i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        ck_assert_int_eq(
            alloy_secret_access_make(&text, keys, &claims[i], pool),
            APR_EINVAL);
    }
}
END_TEST

/* Whichever character is changed, the token is refused: base64url has no two
 * texts for the same bytes. */
START_TEST(one_other_character_is_refused)
{
    const char *token = make_token(keys);
    apr_size_t i;

    for (i = 0; token[i] != '\0'; i++) {
        char *text = apr_pstrdup(pool, token);

        text[i] = text[i] == 'A' ? 'B' : 'A';
        ck_assert_int_ne(read_token(text, 0), ALLOY_SECRET_ACCESS_OK);
    }
}
END_TEST

START_TEST(another_tokens_signature_is_bad)
{
    const char *token = make_token(keys);
    const char *other = sign(HEADER, "{" CLAIMS "}");
    const char *body = apr_pstrmemdup(
        pool, token, (apr_size_t)(strrchr(token, '.') - token));
    const unsigned char nothing[64] = { 0 };
    const char *zeros = alloy_secret_base64url(nothing, 64, pool);

    ck_assert_int_eq(
        read_token(apr_pstrcat(pool, body, strrchr(other, '.'), NULL), 0),
        ALLOY_SECRET_ACCESS_BAD_SIGNATURE);
    ck_assert_int_eq(
        read_token(apr_pstrcat(pool, body, ".", zeros, NULL), 0),
        ALLOY_SECRET_ACCESS_BAD_SIGNATURE);
}
END_TEST

START_TEST(an_unsigned_token_is_refused)
{
    const char *header = "{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\""
                         RFC7515_NAME "\"}";
    const char *claims = "{" CLAIMS "}";
    const char *body = apr_pstrcat(
        pool, alloy_secret_base64url(header, strlen(header), pool), ".",
        alloy_secret_base64url(claims, strlen(claims), pool), ".", NULL);
    const char *token = make_token(keys);

    ck_assert_int_eq(read_token(body, 0), ALLOY_SECRET_ACCESS_MALFORMED);
    ck_assert_int_eq(
        read_token(apr_pstrcat(pool, body, strrchr(token, '.') + 1, NULL), 0),
        ALLOY_SECRET_ACCESS_MALFORMED);
}
END_TEST

static const char *const malformed[] = {
    "", ".", "..", "...", "a.b", "a.b.c", "e30.e30.e30", "alloy_live_x"
};

START_TEST(other_texts_are_malformed)
{
    ck_assert_int_eq(read_token(malformed[_i], 0),
                     ALLOY_SECRET_ACCESS_MALFORMED);
}
END_TEST

START_TEST(parts_too_many_or_too_long_are_malformed)
{
    const char *token = make_token(keys);
    char *lengthy = apr_palloc(pool, 1 << 20);

    memset(lengthy, 'A', (1 << 20) - 1);
    lengthy[(1 << 20) - 1] = '\0';
    ck_assert_int_eq(read_token(lengthy, 0), ALLOY_SECRET_ACCESS_MALFORMED);
    ck_assert_int_eq(read_token(apr_pstrcat(pool, token, ".e30", NULL), 0),
                     ALLOY_SECRET_ACCESS_MALFORMED);
    ck_assert_int_eq(read_token(apr_pstrcat(pool, token, "=", NULL), 0),
                     ALLOY_SECRET_ACCESS_MALFORMED);
    ck_assert_int_eq(read_token(apr_pstrcat(pool, "e30.", token, NULL), 0),
                     ALLOY_SECRET_ACCESS_MALFORMED);
}
END_TEST

/* ---- rightly signed, and yet ------------------------------------------- */

#define ES256 "\"alg\":\"ES256\""
#define AT "\"typ\":\"at+jwt\""
#define KID "\"kid\":\"" RFC7515_NAME "\""

static const struct {
    const char *header;
    alloy_secret_access_e verdict;
} headers[] = {
    { HEADER, ALLOY_SECRET_ACCESS_OK },
    { "{" ES256 "," AT "}", ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" ES256 "," KID "}", ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" ES256 ",\"typ\":\"JWT\"," KID "}", ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" ES256 "," AT ",\"kid\":7}", ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" ES256 "," AT ",\"kid\":\"\"}", ALLOY_SECRET_ACCESS_UNKNOWN_KEY },
    { "{" ES256 "," AT ",\"kid\":\"" RFC7515_NAME "A\"}",
      ALLOY_SECRET_ACCESS_UNKNOWN_KEY },
    { "{" ES256 "," AT "," KID ",\"jku\":\"https://evil.example/keys\"}",
      ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" ES256 "," AT "," KID ",\"x5u\":\"https://evil.example/chain\"}",
      ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" ES256 "," AT "," KID ",\"jwk\":" RFC7515_JWK "}",
      ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" ES256 "," AT "," KID ",\"crit\":[\"exp\"]}",
      ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" ES256 "," AT "," KID ",\"zip\":\"DEF\"}",
      ALLOY_SECRET_ACCESS_MALFORMED },
    { "{\"alg\":\"ES384\"," AT "," KID "}", ALLOY_SECRET_ACCESS_MALFORMED },
    { "{\"alg\":\"ES512\"," AT "," KID "}", ALLOY_SECRET_ACCESS_MALFORMED }
};

START_TEST(only_our_header_is_taken)
{
    ck_assert_int_eq(read_token(sign(headers[_i].header, "{" CLAIMS "}"), 0),
                     headers[_i].verdict);
}
END_TEST

#define ISS "\"iss\":\"" ISSUER "\""
#define AUD "\"aud\":\"" AUDIENCE "\""
#define WHO "\"sub\":\"u\",\"sid\":\"s\""
#define WHEN "\"iat\":1760000000,\"exp\":1760000900"

static const struct {
    const char *claims;
    alloy_secret_access_e verdict;
} said[] = {
    { "{" CLAIMS "}", ALLOY_SECRET_ACCESS_OK },
    { "{" CLAIMS ",\"extra\":[1,{}]}", ALLOY_SECRET_ACCESS_OK },
    { "{" CLAIMS ",\"nbf\":1760000030}", ALLOY_SECRET_ACCESS_OK },
    { "{" CLAIMS ",\"nbf\":1760000031}", ALLOY_SECRET_ACCESS_NOT_YET_VALID },
    { "{" CLAIMS ",\"nbf\":\"now\"}", ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" CLAIMS ",\"sub\":\"other\"}", ALLOY_SECRET_ACCESS_MALFORMED },
    { "[]", ALLOY_SECRET_ACCESS_MALFORMED },
    { "{}", ALLOY_SECRET_ACCESS_MALFORMED },
    { "{", ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" CLAIMS "} ,", ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" AUD "," WHO "," WHEN "}", ALLOY_SECRET_ACCESS_WRONG_ISSUER },
    { "{\"iss\":\"" ISSUER "/\"," AUD "," WHO "," WHEN "}",
      ALLOY_SECRET_ACCESS_WRONG_ISSUER },
    { "{" ISS "," WHO "," WHEN "}", ALLOY_SECRET_ACCESS_WRONG_AUDIENCE },
    { "{" ISS ",\"aud\":\"other\"," WHO "," WHEN "}",
      ALLOY_SECRET_ACCESS_WRONG_AUDIENCE },
    { "{" ISS ",\"aud\":[\"" AUDIENCE "\"]," WHO "," WHEN "}",
      ALLOY_SECRET_ACCESS_WRONG_AUDIENCE },
    { "{" ISS "," AUD ",\"sub\":\"u\"," WHEN "}",
      ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" ISS "," AUD ",\"sub\":1,\"sid\":\"s\"," WHEN "}",
      ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" ISS "," AUD "," WHO ",\"iat\":1760000000}",
      ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" ISS "," AUD "," WHO ",\"iat\":1760000000,\"exp\":1760000900.5}",
      ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" ISS "," AUD "," WHO ",\"iat\":-1,\"exp\":1760000900}",
      ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" ISS "," AUD "," WHO ",\"iat\":0,\"exp\":9223372036854775807}",
      ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" ISS "," AUD "," WHO ",\"iat\":0,\"exp\":92233720368547758080}",
      ALLOY_SECRET_ACCESS_MALFORMED },
    { "{" ISS "," AUD "," WHO ",\"iat\":0,\"exp\":1}",
      ALLOY_SECRET_ACCESS_EXPIRED }
};

START_TEST(only_claims_for_us_and_now_are_taken)
{
    ck_assert_int_eq(read_token(sign(HEADER, said[_i].claims), 0),
                     said[_i].verdict);
}
END_TEST

static void add_keys(Suite *suite)
{
    TCase *tests = tcase_create("keys");

    tcase_add_checked_fixture(tests, make_keys, destroy_keys);
    tcase_add_test(tests, a_keys_name_is_its_thumbprint);
    tcase_add_loop_test(tests, other_keys_are_refused, 0,
                        sizeof(bad_keys) / sizeof(bad_keys[0]));
    tcase_add_test(tests, a_key_given_twice_is_refused);
    tcase_add_test(tests, keys_are_rotated);
    suite_add_tcase(suite, tests);
}

static void add_tokens(Suite *suite)
{
    TCase *tests = tcase_create("tokens");

    tcase_set_timeout(tests, 60); /* under valgrind */
    tcase_add_checked_fixture(tests, make_keys, destroy_keys);
    tcase_add_test(tests, a_made_token_is_read);
    tcase_add_test(tests, a_token_lives_from_its_issue_to_its_end);
    tcase_add_test(tests, claims_that_cant_be_said_are_refused);
    tcase_add_test(tests, one_other_character_is_refused);
    tcase_add_test(tests, another_tokens_signature_is_bad);
    tcase_add_test(tests, an_unsigned_token_is_refused);
    tcase_add_loop_test(tests, other_texts_are_malformed, 0,
                        sizeof(malformed) / sizeof(malformed[0]));
    tcase_add_test(tests, parts_too_many_or_too_long_are_malformed);
    tcase_add_loop_test(tests, only_our_header_is_taken, 0,
                        sizeof(headers) / sizeof(headers[0]));
    tcase_add_loop_test(tests, only_claims_for_us_and_now_are_taken, 0,
                        sizeof(said) / sizeof(said[0]));
    suite_add_tcase(suite, tests);
}

static Suite *token_suite(void)
{
    Suite *suite = suite_create("token");

    add_keys(suite);
    add_tokens(suite);
    return suite;
}

ALLOY_SUITE(token_suite);
