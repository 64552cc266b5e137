/* Access tokens: JWS in compact form, ES256, signed and verified by cjose.
 * What a token says is JSON, and cjose's own types are jansson's, so that this
 * file is the one exception to jansson being json.c's alone. Header and claims
 * are read here, strictly, before cjose sees a token: it is asked one thing,
 * whether the signature is that key's.
 */
#include "secret.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <cjose/cjose.h>
#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define FIELD 32     /* bytes of a coordinate or private key of P-256 */
#define SIGNATURE 86 /* base64url characters of r and s */
#define TYPE "at+jwt"

/* The first second of the year 10000: no instant is later. */
#define TIME_LIMIT APR_INT64_C(253402300800)

/* A private key in cjose's form, and its thumbprint as its name. */
typedef struct signer_t {
    const char *name;
    cjose_jwk_t *jwk;
} signer_t;

struct alloy_secret_keys_t {
    const char *issuer;
    const char *audience;
    const signer_t *keys;
    unsigned count;
};

/* The three numbers of an EC key, big-endian, in full length. */
typedef struct numbers_t {
    unsigned char d[FIELD];
    unsigned char x[FIELD];
    unsigned char y[FIELD];
} numbers_t;

/* What a token says, before anything of it is believed. */
typedef struct parts_t {
    json_t *header;
    json_t *claims;
} parts_t;

/* ---- keys --------------------------------------------------------------- */

static apr_status_t copy_pem(const char **pem, EVP_PKEY *key, BIO *bio,
                             apr_pool_t *pool)
{
    char *data;
    long size;

    if (PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
        != 1) {
        return APR_ENOMEM;
    }
    size = BIO_get_mem_data(bio, &data);
    *pem = apr_pstrmemdup(pool, data, (apr_size_t)size);
    return APR_SUCCESS;
}

apr_status_t alloy_secret_key_make(const char **pem, apr_pool_t *pool)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_secmem());
    apr_status_t rv = APR_ENOMEM;

    if (key != NULL && bio != NULL) {
        rv = copy_pem(pem, key, bio, pool);
    }
    BIO_free(bio);
    EVP_PKEY_free(key);
    return rv;
}

/* Called for the pass phrase of an encrypted key. There is none, and OpenSSL's
 * own answer would be to ask at the terminal. */
static int no_pass_phrase(char *buffer, int size, int writing, void *baton)
{
    return -1;
}

static EVP_PKEY *read_pem(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key;

    if (bio == NULL) {
        return NULL;
    }
    key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
    BIO_free(bio);
    return key;
}

static int copy_number(unsigned char out[FIELD], const EVP_PKEY *key,
                       const char *name)
{
    BIGNUM *number = NULL;
    int ok;

    if (EVP_PKEY_get_bn_param(key, name, &number) != 1) {
        return 0;
    }
    ok = BN_bn2binpad(number, out, FIELD) == FIELD;
    BN_clear_free(number);
    return ok;
}

/* Is it a P-256 key whose public half belongs to the private one? The check
 * matters: cjose derives the public half anew, our thumbprint would be of the
 * one in the file. */
static int is_sound(EVP_PKEY *key)
{
    char group[32];
    EVP_PKEY_CTX *context;
    int ok;

    if (!EVP_PKEY_is_a(key, "EC")
        || EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1
        || strcmp(group, "prime256v1") != 0) {
        return 0;
    }
    context = EVP_PKEY_CTX_new(key, NULL);
    ok = context != NULL && EVP_PKEY_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    return ok;
}

/* OpenSSL notes each failure in a queue of the thread's, where mod_ssl would
 * take it for one of its own; hence the mark. */
static int read_numbers(numbers_t *numbers, const char *pem)
{
    EVP_PKEY *key;
    int ok;

    ERR_set_mark();
    key = read_pem(pem);
    ok = key != NULL && is_sound(key)
         && copy_number(numbers->d, key, OSSL_PKEY_PARAM_PRIV_KEY)
         && copy_number(numbers->x, key, OSSL_PKEY_PARAM_EC_PUB_X)
         && copy_number(numbers->y, key, OSSL_PKEY_PARAM_EC_PUB_Y);
    EVP_PKEY_free(key);
    ERR_pop_to_mark();
    return ok;
}

/* The digest of the required members, in the order of their names and without
 * spaces (RFC 7638, section 3). */
static const char *thumbprint(const numbers_t *numbers, apr_pool_t *pool)
{
    unsigned char digest[ALLOY_SECRET_DIGEST];
    const char *json;

    json = apr_pstrcat(
        pool, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"",
        alloy_secret_base64url(numbers->x, FIELD, pool), "\",\"y\":\"",
        alloy_secret_base64url(numbers->y, FIELD, pool), "\"}", NULL);
    alloy_secret_sha256(digest, json, strlen(json));
    return alloy_secret_base64url(digest, sizeof(digest), pool);
}

static apr_status_t release_key(void *jwk)
{
    cjose_jwk_release(jwk);
    return APR_SUCCESS;
}

static apr_status_t make_key(signer_t *key, const char *pem, apr_pool_t *pool)
{
    numbers_t numbers;
    cjose_jwk_ec_keyspec spec = { .crv = CJOSE_JWK_EC_P_256,
                                  .d = numbers.d, .dlen = FIELD,
                                  .x = numbers.x, .xlen = FIELD,
                                  .y = numbers.y, .ylen = FIELD };

    if (!read_numbers(&numbers, pem)) {
        alloy_secret_erase(&numbers, sizeof(numbers));
        return APR_EINVAL;
    }
    key->name = thumbprint(&numbers, pool);
    key->jwk = cjose_jwk_create_EC_spec(&spec, NULL);
    alloy_secret_erase(&numbers, sizeof(numbers));
    if (key->jwk == NULL) {
        return APR_ENOMEM;
    }
    apr_pool_cleanup_register(pool, key->jwk, release_key,
                              apr_pool_cleanup_null);
    return APR_SUCCESS;
}

/* The key of that name among the first `count`, or NULL. */
static const signer_t *find_key(const signer_t *keys, unsigned count,
                             const char *name)
{
    unsigned i;

    for (i = 0; i < count; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

apr_status_t alloy_secret_keys_make(alloy_secret_keys_t **keys,
                                    const apr_array_header_t *pems,
                                    const char *issuer, const char *audience,
                                    apr_pool_t *pool)
{
    alloy_secret_keys_t *ring = apr_palloc(pool, sizeof(*ring));
    signer_t *made = apr_pcalloc(pool, sizeof(*made) * (unsigned)pems->nelts);
    int i;

    if (pems->nelts < 1) {
        return APR_EINVAL;
    }
    for (i = 0; i < pems->nelts; i++) {
        const char *pem = APR_ARRAY_IDX(pems, i, const char *);
        apr_status_t rv = make_key(&made[i], pem, pool);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (find_key(made, (unsigned)i, made[i].name) != NULL) {
            return APR_EINVAL;
        }
    }
    ring->issuer = apr_pstrdup(pool, issuer);
    ring->audience = apr_pstrdup(pool, audience);
    ring->keys = made;
    ring->count = (unsigned)pems->nelts;
    *keys = ring;
    return APR_SUCCESS;
}

const char *alloy_secret_keys_name(const alloy_secret_keys_t *keys,
                                   unsigned index)
{
    return index < keys->count ? keys->keys[index].name : NULL;
}

/* ---- making ------------------------------------------------------------- */

static int in_range(json_int_t seconds)
{
    return seconds >= 0 && seconds < TIME_LIMIT;
}

/* The claims as JSON, to be freed with free(); NULL when one can't be said. */
static char *write_claims(const alloy_secret_keys_t *keys,
                          const alloy_secret_claims_t *claims)
{
    json_int_t issued = apr_time_sec(claims->issued_at);
    json_int_t expires = apr_time_sec(claims->expires_at);
    json_t *object;
    char *text;

    if (claims->issued_at < 0 || claims->expires_at < 0 || !in_range(issued)
        || !in_range(expires)) {
        return NULL;
    }
    object = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "iss", keys->issuer,
                       "aud", keys->audience, "sub", claims->subject, "sid",
                       claims->session, "iat", issued, "exp", expires);
    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

static cjose_header_t *make_header(const signer_t *key)
{
    cjose_header_t *header = cjose_header_new(NULL);

    if (header != NULL
        && cjose_header_set(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_ES256, NULL)
        && cjose_header_set(header, "typ", TYPE, NULL)
        && cjose_header_set(header, CJOSE_HDR_KID, key->name, NULL)) {
        return header;
    }
    cjose_header_release(header);
    return NULL;
}

/* Signs `json` with `key`; the token's text is copied into the pool. */
static apr_status_t sign(const char **text, const signer_t *key,
                         const char *json, apr_pool_t *pool)
{
    cjose_header_t *header = make_header(key);
    cjose_jws_t *jws;
    const char *compact = NULL;

    if (header == NULL) {
        return APR_ENOMEM;
    }
    jws = cjose_jws_sign(key->jwk, header, (const uint8_t *)json, strlen(json),
                         NULL);
    cjose_header_release(header);
    if (jws != NULL && cjose_jws_export(jws, &compact, NULL)) {
        *text = apr_pstrdup(pool, compact);
    }
    cjose_jws_release(jws);
    return compact != NULL ? APR_SUCCESS : APR_EGENERAL;
}

apr_status_t alloy_secret_access_make(const char **text,
                                      const alloy_secret_keys_t *keys,
                                      const alloy_secret_claims_t *claims,
                                      apr_pool_t *pool)
{
    char *json = write_claims(keys, claims);
    const char *token = NULL;
    apr_status_t rv;

    if (json == NULL) {
        return APR_EINVAL;
    }
    rv = sign(&token, &keys->keys[0], json, pool);
    free(json);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (strlen(token) > ALLOY_SECRET_ACCESS_MAX) {
        return APR_EINVAL;
    }
    *text = token;
    return APR_SUCCESS;
}

/* ---- reading ------------------------------------------------------------ */

/* Reads a part of a token: an object in base64url, each member once. */
static json_t *read_part(const char *text, apr_size_t length, apr_pool_t *pool)
{
    unsigned char *bytes;
    apr_size_t size;
    json_t *object;

    if (alloy_secret_base64url_read(&bytes, &size, text, length, pool)
        != APR_SUCCESS) {
        return NULL;
    }
    object = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES,
                        NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static int is_string(const json_t *object, const char *name, const char *value)
{
    const char *found = json_string_value(json_object_get(object, name));

    return found != NULL && strcmp(found, value) == 0;
}

/* Is the header one we write? Three members and no fourth: whatever another
 * could ask for (a key of the sender's choice, an extension) is not given. */
static int is_our_header(const json_t *header)
{
    return json_object_size(header) == 3
           && is_string(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_ES256)
           && is_string(header, "typ", TYPE)
           && json_is_string(json_object_get(header, CJOSE_HDR_KID));
}

/* Reads header and claims. Both are to be released whatever is returned. */
static int read_parts(parts_t *parts, const char *text, apr_pool_t *pool)
{
    unsigned char *signature;
    apr_size_t size;
    const char *first;
    const char *second;

    if (strnlen(text, ALLOY_SECRET_ACCESS_MAX + 1) > ALLOY_SECRET_ACCESS_MAX) {
        return 0;
    }
    first = strchr(text, '.');
    second = first != NULL ? strchr(first + 1, '.') : NULL;
    if (second == NULL || strlen(second + 1) != SIGNATURE
        || alloy_secret_base64url_read(&signature, &size, second + 1,
                                       SIGNATURE, pool) != APR_SUCCESS) {
        return 0;
    }
    parts->header = read_part(text, (apr_size_t)(first - text), pool);
    if (parts->header == NULL || !is_our_header(parts->header)) {
        return 0;
    }
    parts->claims = read_part(first + 1, (apr_size_t)(second - first - 1),
                              pool);
    return parts->claims != NULL;
}

static int is_signed_by(const signer_t *key, const char *text)
{
    cjose_jws_t *jws;
    int ok;

    ERR_set_mark();
    jws = cjose_jws_import(text, strlen(text), NULL);
    ok = jws != NULL && cjose_jws_verify(jws, key->jwk, NULL);
    cjose_jws_release(jws);
    ERR_pop_to_mark();
    return ok;
}

/* Reads a NumericDate (RFC 7519, section 2): ours are whole seconds. */
static int read_time(apr_time_t *instant, const json_t *claims,
                     const char *name)
{
    const json_t *value = json_object_get(claims, name);

    if (!json_is_integer(value) || !in_range(json_integer_value(value))) {
        return 0;
    }
    *instant = apr_time_from_sec(json_integer_value(value));
    return 1;
}

/* A text claim copied into the pool, or NULL when there is none. */
static const char *copy_text(const json_t *claims, const char *name,
                             apr_pool_t *pool)
{
    const char *value = json_string_value(json_object_get(claims, name));

    return value != NULL ? apr_pstrdup(pool, value) : NULL;
}

/* Are a signed token's claims for us, and for now? */
static alloy_secret_access_e check_claims(const json_t *object,
                                          const alloy_secret_claims_t *claims,
                                          const alloy_secret_keys_t *keys,
                                          apr_time_t now)
{
    const apr_time_t skew = apr_time_from_sec(ALLOY_SECRET_ACCESS_SKEW);
    apr_time_t not_before = claims->issued_at;

    if (json_object_get(object, "nbf") != NULL
        && !read_time(&not_before, object, "nbf")) {
        return ALLOY_SECRET_ACCESS_MALFORMED;
    }
    if (!is_string(object, "iss", keys->issuer)) {
        return ALLOY_SECRET_ACCESS_WRONG_ISSUER;
    }
    if (!is_string(object, "aud", keys->audience)) {
        return ALLOY_SECRET_ACCESS_WRONG_AUDIENCE;
    }
    if (claims->issued_at > now + skew || not_before > now + skew) {
        return ALLOY_SECRET_ACCESS_NOT_YET_VALID;
    }
    if (now >= claims->expires_at + skew) {
        return ALLOY_SECRET_ACCESS_EXPIRED;
    }
    return ALLOY_SECRET_ACCESS_OK;
}

static alloy_secret_access_e read_claims(const alloy_secret_claims_t **claims,
                                         const json_t *object,
                                         const alloy_secret_keys_t *keys,
                                         apr_time_t now, apr_pool_t *pool)
{
    alloy_secret_claims_t *made = apr_pcalloc(pool, sizeof(*made));
    alloy_secret_access_e verdict;

    made->subject = copy_text(object, "sub", pool);
    made->session = copy_text(object, "sid", pool);
    if (made->subject == NULL || made->session == NULL
        || !read_time(&made->issued_at, object, "iat")
        || !read_time(&made->expires_at, object, "exp")) {
        return ALLOY_SECRET_ACCESS_MALFORMED;
    }
    verdict = check_claims(object, made, keys, now);
    if (verdict == ALLOY_SECRET_ACCESS_OK) {
        *claims = made;
    }
    return verdict;
}

alloy_secret_access_e alloy_secret_access_read(
    const alloy_secret_claims_t **claims, const alloy_secret_keys_t *keys,
    const char *text, apr_time_t now, apr_pool_t *pool)
{
    alloy_secret_access_e verdict = ALLOY_SECRET_ACCESS_MALFORMED;
    parts_t parts = { NULL, NULL };
    const signer_t *key;

    if (!read_parts(&parts, text, pool)) {
        goto done;
    }
    key = find_key(keys->keys, keys->count,
                   json_string_value(
                       json_object_get(parts.header, CJOSE_HDR_KID)));
    if (key == NULL) {
        verdict = ALLOY_SECRET_ACCESS_UNKNOWN_KEY;
        goto done;
    }
    if (!is_signed_by(key, text)) {
        verdict = ALLOY_SECRET_ACCESS_BAD_SIGNATURE;
        goto done;
    }
    verdict = read_claims(claims, parts.claims, keys, now, pool);
done:
    json_decref(parts.header);
    json_decref(parts.claims);
    return verdict;
}
