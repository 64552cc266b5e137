/* UTF-8 for the places where text comes in unchecked: query strings and path
 * segments. JSON bodies are checked by their parser; lengths in characters are
 * counted here for all of them.
 */
#include "utf8.h"

/* The bytes that follow a lead byte, the bits the lead holds and the smallest
 * character the form may be used for (RFC 3629, section 3). */
static int lead(unsigned char byte, apr_int32_t *bits, apr_int32_t *least)
{
    if (byte >= 0xc2 && byte <= 0xdf) {
        *bits = byte & 0x1f;
        *least = 0x80;
        return 1;
    }
    if (byte >= 0xe0 && byte <= 0xef) {
        *bits = byte & 0x0f;
        *least = 0x800;
        return 2;
    }
    if (byte >= 0xf0 && byte <= 0xf4) {
        *bits = byte & 0x07;
        *least = 0x10000;
        return 3;
    }
    return 0;
}

apr_int32_t alloy_utf8_next(const char **ptext)
{
    const unsigned char *byte = (const unsigned char *)*ptext;
    apr_int32_t point, least;
    int i, more;

    if (*byte < 0x80) {
        *ptext += *byte != 0;
        return *byte;
    }
    more = lead(*byte, &point, &least);
    if (!more) {
        return -1;
    }
    for (i = 1; i <= more; i++) {
        if ((byte[i] & 0xc0) != 0x80) {
            return -1;
        }
        point = (point << 6) | (byte[i] & 0x3f);
    }
    if (point < least || point > 0x10ffff
        || (point >= 0xd800 && point <= 0xdfff)) {
        return -1;
    }
    *ptext += more + 1;
    return point;
}

int alloy_utf8_valid(const char *text)
{
    apr_int32_t point;

    do {
        point = alloy_utf8_next(&text);
    } while (point > 0);
    return point == 0;
}

apr_size_t alloy_utf8_prefix(const char *text, int limit)
{
    const char *end = text;

    while (limit-- > 0 && alloy_utf8_next(&end) > 0) {
        continue;
    }
    return (apr_size_t)(end - text);
}
