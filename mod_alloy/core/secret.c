/* Random bytes, digests, text forms of bytes, and opaque tokens.
 * Random bytes come from the kernel at each call: no state that a fork could
 * repeat, no lock, and 300 ns where they are needed.
 */
#include "secret.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#define BODY 32    /* random characters of an opaque token */
#define CHECKSUM 6 /* enough of base 62 for 32 bits */

/* ---- bytes -------------------------------------------------------------- */

apr_status_t alloy_secret_random(void *bytes, apr_size_t size)
{
    unsigned char *next = bytes;

    while (size > 0) {
        ssize_t got = getrandom(next, size, 0);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return APR_FROM_OS_ERROR(errno);
        }
        next += got;
        size -= (apr_size_t)got;
    }
    return APR_SUCCESS;
}

void alloy_secret_sha256(unsigned char digest[ALLOY_SECRET_DIGEST],
                         const void *data, apr_size_t size)
{
    SHA256(size > 0 ? data : "", size, digest);
}

int alloy_secret_same(const void *a, const void *b, apr_size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}

void alloy_secret_erase(void *bytes, apr_size_t size)
{
    if (size > 0) {
        OPENSSL_cleanse(bytes, size);
    }
}

const char *alloy_secret_hex(const void *data, apr_size_t size,
                             apr_pool_t *pool)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = data;
    char *text = apr_palloc(pool, 2 * size + 1);
    apr_size_t i;

    for (i = 0; i < size; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 0x0f];
    }
    text[2 * size] = '\0';
    return text;
}

/* ---- base64url ---------------------------------------------------------- */

static const char base64url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const char *alloy_secret_base64url(const void *data, apr_size_t size,
                                   apr_pool_t *pool)
{
    const unsigned char *bytes = data;
    char *text = apr_palloc(pool, size / 3 * 4 + 5);
    char *out = text;
    unsigned bits = 0;
    int held = 0; /* how many of the bits are not written yet */
    apr_size_t i;

    for (i = 0; i < size; i++) {
        bits = (bits << 8 | bytes[i]) & 0x3fff;
        for (held += 8; held >= 6; held -= 6) {
            *out++ = base64url[bits >> (held - 6) & 0x3f];
        }
    }
    if (held > 0) {
        *out++ = base64url[bits << (6 - held) & 0x3f];
    }
    *out = '\0';
    return text;
}

/* The six bits a character stands for, or -1. */
static int base64url_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '-') {
        return 62;
    }
    return c == '_' ? 63 : -1;
}

apr_status_t alloy_secret_base64url_read(unsigned char **data,
                                         apr_size_t *size, const char *text,
                                         apr_size_t length, apr_pool_t *pool)
{
    unsigned char *bytes = apr_palloc(pool, length / 4 * 3 + 3);
    apr_size_t count = 0;
    unsigned bits = 0;
    int held = 0;
    apr_size_t i;

    if (length % 4 == 1) {
        return APR_EINVAL;
    }
    for (i = 0; i < length; i++) {
        int value = base64url_value(text[i]);

        if (value < 0) {
            return APR_EINVAL;
        }
        bits = (bits << 6 | (unsigned)value) & 0x3fff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[count++] = (unsigned char)(bits >> held & 0xff);
        }
    }
    if ((bits & ((1u << held) - 1)) != 0) {
        return APR_EINVAL;
    }
    bytes[count] = '\0';
    *data = bytes;
    *size = count;
    return APR_SUCCESS;
}

/* ---- opaque tokens ------------------------------------------------------ */

static const char base62[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static const struct {
    const char *word;
    apr_size_t length;
} kinds[] = {
    [ALLOY_SECRET_LIVE] = { "alloy_live_", sizeof("alloy_live_") - 1 },
    [ALLOY_SECRET_TEST] = { "alloy_test_", sizeof("alloy_test_") - 1 },
    [ALLOY_SECRET_REFRESH] = { "alloy_refresh_",
                               sizeof("alloy_refresh_") - 1 },
    [ALLOY_SECRET_INVITE] = { "alloy_invite_", sizeof("alloy_invite_") - 1 },
    [ALLOY_SECRET_RESET] = { "alloy_reset_", sizeof("alloy_reset_") - 1 }
};

/* CRC-32 as in Ethernet and zip (ISO 3309, reflected), half a byte a step. */
static apr_uint32_t crc32_of(const char *text, apr_size_t length)
{
    static const apr_uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
        0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c
    };
    apr_uint32_t crc = 0xffffffff;
    apr_size_t i;

    for (i = 0; i < length; i++) {
        crc ^= (unsigned char)text[i];
        crc = crc >> 4 ^ table[crc & 0x0f];
        crc = crc >> 4 ^ table[crc & 0x0f];
    }
    return ~crc;
}

static void write_checksum(char out[CHECKSUM], const char *text,
                           apr_size_t length)
{
    apr_uint32_t crc = crc32_of(text, length);
    int i;

    for (i = CHECKSUM - 1; i >= 0; i--) {
        out[i] = base62[crc % 62];
        crc /= 62;
    }
}

/* Fills `out` with characters of base 62, each equally likely: a byte of 248
 * or more is thrown away, since 256 is no multiple of 62. */
static apr_status_t write_random(char *out, apr_size_t length)
{
    unsigned char bytes[2 * BODY];
    apr_size_t count = 0;

    while (count < length) {
        apr_status_t rv = alloy_secret_random(bytes, sizeof(bytes));
        apr_size_t i;

        if (rv != APR_SUCCESS) {
            return rv;
        }
        for (i = 0; i < sizeof(bytes) && count < length; i++) {
            if (bytes[i] < 4 * 62) {
                out[count++] = base62[bytes[i] % 62];
            }
        }
    }
    alloy_secret_erase(bytes, sizeof(bytes));
    return APR_SUCCESS;
}

apr_status_t alloy_secret_token_make(const char **text,
                                     alloy_secret_kind_e kind,
                                     apr_pool_t *pool)
{
    apr_size_t word = kinds[kind].length;
    char *token = apr_palloc(pool, word + BODY + CHECKSUM + 1);
    apr_status_t rv = write_random(token + word, BODY);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    memcpy(token, kinds[kind].word, word);
    write_checksum(token + word + BODY, token, word + BODY);
    token[word + BODY + CHECKSUM] = '\0';
    *text = token;
    return APR_SUCCESS;
}

/* The kind whose word the text begins with, or -1. */
static int find_kind(const char *text)
{
    int kind;

    for (kind = 0; kind < (int)(sizeof(kinds) / sizeof(kinds[0])); kind++) {
        if (strncmp(text, kinds[kind].word, kinds[kind].length) == 0) {
            return kind;
        }
    }
    return -1;
}

int alloy_secret_token_check(alloy_secret_kind_e *kind, const char *text)
{
    char checksum[CHECKSUM];
    int found = find_kind(text);
    apr_size_t word;

    if (found < 0) {
        return 0;
    }
    word = kinds[found].length;
    if (strnlen(text, word + BODY + CHECKSUM + 1) != word + BODY + CHECKSUM
        || strspn(text + word, base62) != BODY + CHECKSUM) {
        return 0;
    }
    write_checksum(checksum, text, word + BODY);
    if (memcmp(checksum, text + word + BODY, CHECKSUM) != 0) {
        return 0;
    }
    *kind = (alloy_secret_kind_e)found;
    return 1;
}
