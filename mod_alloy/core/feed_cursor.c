/* Cursors of the feed: eight bytes of a hash of whom and what they belong to,
 * then the place as text, all in base64url. One that was forged shows nobody
 * more than he may see, but must not reach PostgreSQL as no snapshot.
 */
#include "feed.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "secret.h"

#define HASH_SIZE 8
#define PARTS 6
#define DIGITS 18               /* of a number that fits into 63 bits */
#define CURSOR_LIMIT (6 * ALLOY_FEED_SNAPSHOT)

static void hash_binding(unsigned char *hash, const char *binding)
{
    unsigned char digest[ALLOY_SECRET_DIGEST];

    alloy_secret_sha256(digest, binding, strlen(binding));
    memcpy(hash, digest, HASH_SIZE);
}

/* ---- writing --------------------------------------------------------------- */

/* What is as it nearly always is takes no room: nothing in progress, and the
 * last look at the reader's rights made in the snapshot that is behind him. */
const char *alloy_feed_cursor_write(const alloy_feed_place_t *place,
                                    const char *binding, apr_pool_t *pool)
{
    const char *text = apr_pstrcat(pool, place->epoch, "/", place->reader, "/",
                                   strcmp(place->sight, place->old)
                                       ? place->sight : "",
                                   "/", place->old, "/",
                                   place->new ? place->new : "", "/",
                                   place->new ? place->last : "", NULL);
    apr_size_t length = strlen(text);
    unsigned char *bytes = apr_palloc(pool, HASH_SIZE + length);

    hash_binding(bytes, binding);
    memcpy(bytes + HASH_SIZE, text, length);
    return alloy_secret_base64url(bytes, HASH_SIZE + length, pool);
}

/* ---- reading --------------------------------------------------------------- */

/* @return what follows the digits, or NULL when it is no number in range. */
static const char *read_number(const char *text, apr_int64_t *number)
{
    const char *end = text;

    *number = 0;
    while (apr_isdigit(*end) && end - text < DIGITS) {
        *number = *number * 10 + (*end++ - '0');
    }
    return end > text && !apr_isdigit(*end) ? end : NULL;
}

/* The rules of PostgreSQL's pg_snapshot_in(): xmin:xmax:xip,xip,... in order,
 * all of them between the first two. */
static int is_snapshot(const char *text)
{
    apr_int64_t least, most, before, number;

    if (strlen(text) > ALLOY_FEED_SNAPSHOT
        || !(text = read_number(text, &least)) || *text++ != ':'
        || !(text = read_number(text, &most)) || *text++ != ':'
        || least < 1 || least > most) {
        return 0;
    }
    for (before = least; *text; before = number) {
        text = read_number(text, &number);
        if (!text || number < before || number >= most
            || (*text && (*text != ',' || !text[1]))) {
            return 0;
        }
        text += *text == ',';
    }
    return 1;
}

static int is_number(const char *text)
{
    apr_int64_t number;
    const char *end = read_number(text, &number);

    return end && !*end;
}

static int fill_place(alloy_feed_place_t *place, char *const *parts)
{
    place->epoch = parts[0];
    place->reader = parts[1];
    place->old = parts[3];
    place->sight = *parts[2] ? parts[2] : parts[3];
    place->new = *parts[4] ? parts[4] : NULL;
    place->last = place->new ? parts[5] : "0";
    return is_number(place->reader) && is_snapshot(place->old)
           && is_snapshot(place->sight)
           && (!place->new || is_snapshot(place->new))
           && is_number(place->last);
}

int alloy_feed_cursor_read(alloy_feed_place_t *place, const char *text,
                           const char *binding, apr_pool_t *pool)
{
    unsigned char hash[HASH_SIZE], *bytes;
    char *parts[PARTS], *copy;
    apr_size_t size, length = strlen(text);
    int count = 0;

    if (length > CURSOR_LIMIT
        || alloy_secret_base64url_read(&bytes, &size, text, length, pool)
        || size <= HASH_SIZE) {
        return 0;
    }
    hash_binding(hash, binding);
    if (memcmp(hash, bytes, HASH_SIZE) != 0
        || memchr(bytes + HASH_SIZE, '\0', size - HASH_SIZE)) {
        return 0;
    }
    copy = apr_pstrmemdup(pool, (char *)bytes + HASH_SIZE, size - HASH_SIZE);
    for (; copy && count < PARTS; count++) {
        parts[count] = copy;
        copy = strchr(copy, '/');
        if (copy) {
            *copy++ = '\0';
        }
    }
    return count == PARTS && !copy && fill_place(place, parts);
}
