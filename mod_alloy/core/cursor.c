/* Keyset cursors. A cursor is 33 bytes in base64url: a version, eight bytes of
 * a hash of the query it belongs to, and the sort key. It is no secret and no
 * right: a forged one finds what the caller may see anyway.
 */
#include "cursor.h"
#include "secret.h"

#include <string.h>

#define VERSION 1
#define HASH_SIZE 8
#define AT_SIZE 8
#define HASH_AT 1
#define AT_AT (HASH_AT + HASH_SIZE)
#define ID_AT (AT_AT + AT_SIZE)
#define CURSOR_SIZE (ID_AT + ALLOY_ID_SIZE)
#define CURSOR_TEXT 44          /* characters of CURSOR_SIZE bytes */

static void hash_query(unsigned char *hash, const char *query)
{
    unsigned char digest[ALLOY_SECRET_DIGEST];

    alloy_secret_sha256(digest, query, strlen(query));
    memcpy(hash, digest, HASH_SIZE);
}

const char *alloy_cursor_write(const alloy_cursor_t *cursor, const char *query,
                               apr_pool_t *pool)
{
    unsigned char bytes[CURSOR_SIZE];
    apr_uint64_t at = (apr_uint64_t)cursor->at;
    int i;

    bytes[0] = VERSION;
    hash_query(bytes + HASH_AT, query);
    for (i = AT_SIZE - 1; i >= 0; i--) {
        bytes[AT_AT + i] = (unsigned char)(at & 0xff);
        at >>= 8;
    }
    memcpy(bytes + ID_AT, cursor->id.bytes, ALLOY_ID_SIZE);
    return alloy_secret_base64url(bytes, sizeof(bytes), pool);
}

int alloy_cursor_read(alloy_cursor_t *cursor, const char *text,
                      const char *query, apr_pool_t *pool)
{
    unsigned char hash[HASH_SIZE], *bytes;
    apr_size_t size;
    apr_uint64_t at = 0;
    int i;

    if (strlen(text) != CURSOR_TEXT
        || alloy_secret_base64url_read(&bytes, &size, text, CURSOR_TEXT, pool)
        || size != CURSOR_SIZE || bytes[0] != VERSION) {
        return 0;
    }
    hash_query(hash, query);
    if (memcmp(hash, bytes + HASH_AT, HASH_SIZE) != 0) {
        return 0;
    }
    for (i = 0; i < AT_SIZE; i++) {
        at = (at << 8) | bytes[AT_AT + i];
    }
    cursor->at = (apr_int64_t)at;
    memcpy(cursor->id.bytes, bytes + ID_AT, ALLOY_ID_SIZE);
    return 1;
}
