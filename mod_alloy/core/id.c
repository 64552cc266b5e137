/* Ids of tenant rows. The text form is read and written by tables: the JSON
 * writer formats several ids for each row of a list. Random bits come straight
 * from the kernel, so that threads share no state and a fork repeats nothing.
 */
#include "id.h"
#include "secret.h"

#include <string.h>

#include <apr_time.h>

#define DIGITS_OF(x)                                                           \
    x "0" x "1" x "2" x "3" x "4" x "5" x "6" x "7" x "8" x "9" x "a" x "b" x \
      "c" x "d" x "e" x "f"

/* The two digits of byte b stand at 2 * b. */
static const char digits[] =
    DIGITS_OF("0") DIGITS_OF("1") DIGITS_OF("2") DIGITS_OF("3")
    DIGITS_OF("4") DIGITS_OF("5") DIGITS_OF("6") DIGITS_OF("7")
    DIGITS_OF("8") DIGITS_OF("9") DIGITS_OF("a") DIGITS_OF("b")
    DIGITS_OF("c") DIGITS_OF("d") DIGITS_OF("e") DIGITS_OF("f");

/* Where the digits of each byte stand in the text, and where the hyphens. */
static const unsigned char places[ALLOY_ID_SIZE] = {
    0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34
};
static const unsigned char hyphens[4] = { 8, 13, 18, 23 };

/* Version and variant over bytes whose other bits are already random, and the
 * time in front of them (RFC 9562, figure 11). */
static void stamp(alloy_id_t *id, unsigned shard)
{
    apr_uint64_t ms = (apr_uint64_t)apr_time_as_msec(apr_time_now());
    int i;

    for (i = 5; i >= 0; i--) {
        id->bytes[i] = (unsigned char)(ms & 0xff);
        ms >>= 8;
    }
    id->bytes[6] = (unsigned char)(0x70 | ((shard >> 8) & 0x0f));
    id->bytes[7] = (unsigned char)(shard & 0xff);
    id->bytes[8] = (unsigned char)(0x80 | (id->bytes[8] & 0x3f));
}

apr_status_t alloy_id_make(alloy_id_t *id, unsigned shard)
{
    apr_status_t rv = alloy_secret_random(id->bytes + 8, 8);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    stamp(id, shard);
    return APR_SUCCESS;
}

apr_status_t alloy_id_make_org(alloy_id_t *id)
{
    apr_status_t rv = alloy_secret_random(id->bytes + 6, 10);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    stamp(id, alloy_id_shard(id));
    return APR_SUCCESS;
}

unsigned alloy_id_shard(const alloy_id_t *id)
{
    return ((unsigned)(id->bytes[6] & 0x0f) << 8) | id->bytes[7];
}

/* The value of a hexadecimal digit, or -1. */
static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

int alloy_id_parse(alloy_id_t *id, const char *text)
{
    int i;

    if (strnlen(text, ALLOY_ID_TEXT + 1) != ALLOY_ID_TEXT) {
        return 0;
    }
    for (i = 0; i < 4; i++) {
        if (text[hyphens[i]] != '-') {
            return 0;
        }
    }
    for (i = 0; i < ALLOY_ID_SIZE; i++) {
        int high = digit_value(text[places[i]]);
        int low = digit_value(text[places[i] + 1]);

        if (high < 0 || low < 0) {
            return 0;
        }
        id->bytes[i] = (unsigned char)(high << 4 | low);
    }
    return 1;
}

void alloy_id_format(const alloy_id_t *id, char text[ALLOY_ID_TEXT + 1])
{
    int i;

    for (i = 0; i < ALLOY_ID_SIZE; i++) {
        memcpy(text + places[i], digits + 2 * id->bytes[i], 2);
    }
    for (i = 0; i < 4; i++) {
        text[hyphens[i]] = '-';
    }
    text[ALLOY_ID_TEXT] = '\0';
}
