/* Ids of tenant rows: UUIDv7 (RFC 9562, section 5.7) whose twelve rand_a bits
 * are the shard of the organization the row belongs to, so that an id alone
 * narrows down where its row can be.
 */
#ifndef ALLOY_ID_H
#define ALLOY_ID_H

#include <apr.h>
#include <apr_errno.h>

#define ALLOY_ID_SIZE 16      /* bytes of an id, as PostgreSQL sends a uuid */
#define ALLOY_ID_TEXT 36      /* characters of its text, without the NUL */
#define ALLOY_ID_SHARDS 4096u /* shards are 0 .. ALLOY_ID_SHARDS - 1 */

/* An id in network byte order; a plain value: copied, compared by memcmp.
 * Byte order is order of creation, to the millisecond. */
typedef struct alloy_id_t {
    unsigned char bytes[ALLOY_ID_SIZE];
} alloy_id_t;

/* Makes a new id in `shard` (higher bits than its twelve are ignored).
 * Thread-safe, takes no lock. Fails only when the kernel gives no random
 * bytes; then `id` is unspecified and must not be used. */
apr_status_t alloy_id_make(alloy_id_t *id, unsigned shard);

/* Makes the id of a new organization, in a shard chosen at random. Everything
 * the organization will own takes alloy_id_shard() of this id. Fails as
 * alloy_id_make() does. */
apr_status_t alloy_id_make_org(alloy_id_t *id);

/* The shard of an id: 0 .. ALLOY_ID_SHARDS - 1. Meaningless, but harmless,
 * for an id that is not a UUIDv7. */
unsigned alloy_id_shard(const alloy_id_t *id);

/* Reads the text of a UUID of any version: 8-4-4-4-12 hexadecimal digits in
 * either case, nothing before, between or after. Returns 1, or 0 when `text`
 * (not NULL, NUL-terminated) is anything else; then `id` is unspecified. */
int alloy_id_parse(alloy_id_t *id, const char *text);

/* Writes the text of `id` in lower case, with a NUL. */
void alloy_id_format(const alloy_id_t *id, char text[ALLOY_ID_TEXT + 1]);

#endif
