/*
 * The cache of principals: a direct-mapped table under striped locks, its
 * entries immutable, counted, each one block of memory.
 */
#include "principals.h"

#include <stdlib.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_thread_mutex.h>

#define STRIPES 64

/* One block: this, then everything the principal points to. */
typedef struct {
    unsigned char digest[ALLOY_SECRET_DIGEST];
    volatile apr_uint32_t users;
    alloy_principal_t principal;
} entry_t;

struct alloy_principals_t {
    entry_t **slots;
    unsigned mask;
    apr_thread_mutex_t *locks[STRIPES];
};

/* ---- one block ------------------------------------------------------------------- */

/* Hands out pieces of a block; without one it only adds up their sizes. */
typedef struct {
    char *block;
    apr_size_t used;
} arena_t;

static void *take(arena_t *arena, const void *bytes, apr_size_t size)
{
    void *place = arena->block ? arena->block + arena->used : NULL;

    if (place && size) {
        memcpy(place, bytes, size);
    }
    arena->used += (size + 7) & ~(apr_size_t)7;
    return place;
}

static const char *take_text(arena_t *arena, const char *text)
{
    return text ? take(arena, text, strlen(text) + 1) : NULL;
}

static void take_orgs(arena_t *arena, alloy_principal_t *to,
                      const alloy_principal_t *from)
{
    alloy_membership_t *orgs = take(arena, from->orgs,
                                    sizeof(*orgs) * from->norgs);
    int i;

    for (i = 0; i < from->norgs; i++) {
        const char *slug = take_text(arena, from->orgs[i].slug);

        if (orgs) {
            orgs[i].slug = slug;
        }
    }
    to->orgs = orgs;
}

static void take_scopes(arena_t *arena, alloy_principal_t *to,
                        const alloy_principal_t *from)
{
    const char **scopes;
    int count = 0, i;

    if (!from->scopes) {
        return;
    }
    while (from->scopes[count]) {
        count++;
    }
    scopes = take(arena, from->scopes, sizeof(*scopes) * (count + 1));
    for (i = 0; i < count; i++) {
        const char *scope = take_text(arena, from->scopes[i]);

        if (scopes) {
            scopes[i] = scope;
        }
    }
    to->scopes = scopes;
}

static void copy(arena_t *arena, alloy_principal_t *to,
                 const alloy_principal_t *from)
{
    *to = *from;
    to->email = take_text(arena, from->email);
    to->display_name = take_text(arena, from->display_name);
    to->default_org = take_text(arena, from->default_org);
    to->session = take_text(arena, from->session);
    to->key = take_text(arena, from->key);
    to->on_behalf_of = take_text(arena, from->on_behalf_of);
    to->projects = take(arena, from->projects,
                        sizeof(*from->projects) * from->nprojects);
    take_orgs(arena, to, from);
    take_scopes(arena, to, from);
}

static entry_t *entry_make(const unsigned char *digest,
                           const alloy_principal_t *principal)
{
    arena_t arena = { NULL, 0 };
    alloy_principal_t ignored;
    entry_t *entry;

    copy(&arena, &ignored, principal);
    entry = calloc(1, sizeof(*entry) + arena.used);
    if (!entry) {
        return NULL;
    }
    arena.block = (char *)(entry + 1);
    arena.used = 0;
    copy(&arena, &entry->principal, principal);
    memcpy(entry->digest, digest, sizeof(entry->digest));
    entry->users = 1;
    return entry;
}

static apr_status_t entry_leave(void *data)
{
    entry_t *entry = data;

    if (entry && !apr_atomic_dec32(&entry->users)) {
        free(entry);
    }
    return APR_SUCCESS;
}

/* ---- the table -------------------------------------------------------------------- */

static apr_status_t cache_end(void *data)
{
    alloy_principals_t *cache = data;
    unsigned i;

    for (i = 0; i <= cache->mask; i++) {
        entry_leave(cache->slots[i]);
    }
    return APR_SUCCESS;
}

apr_status_t alloy_principals_make(alloy_principals_t **pcache, int slots,
                                   apr_pool_t *pool)
{
    alloy_principals_t *cache = apr_pcalloc(pool, sizeof(*cache));
    int i;

    cache->mask = slots - 1;
    cache->slots = apr_pcalloc(pool, sizeof(*cache->slots) * slots);
    for (i = 0; i < STRIPES; i++) {
        apr_status_t status = apr_thread_mutex_create(&cache->locks[i],
            APR_THREAD_MUTEX_DEFAULT, pool);

        if (status) {
            return status;
        }
    }
    apr_pool_cleanup_register(pool, cache, cache_end, apr_pool_cleanup_null);
    *pcache = cache;
    return APR_SUCCESS;
}

static unsigned slot_of(const alloy_principals_t *cache,
                        const unsigned char *digest)
{
    unsigned value;

    memcpy(&value, digest, sizeof(value));
    return value & cache->mask;
}

const alloy_principal_t *alloy_principals_find(
    alloy_principals_t *cache,
    const unsigned char digest[ALLOY_SECRET_DIGEST], apr_pool_t *pool)
{
    unsigned slot = slot_of(cache, digest);
    entry_t *entry;

    apr_thread_mutex_lock(cache->locks[slot % STRIPES]);
    entry = cache->slots[slot];
    if (entry && alloy_secret_same(entry->digest, digest,
                                   sizeof(entry->digest))) {
        apr_atomic_inc32(&entry->users);
    }
    else {
        entry = NULL;
    }
    apr_thread_mutex_unlock(cache->locks[slot % STRIPES]);
    if (!entry) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, entry, entry_leave, apr_pool_cleanup_null);
    return &entry->principal;
}

void alloy_principals_keep(alloy_principals_t *cache,
                           const unsigned char digest[ALLOY_SECRET_DIGEST],
                           const alloy_principal_t *principal)
{
    unsigned slot = slot_of(cache, digest);
    entry_t *entry = entry_make(digest, principal), *old;

    apr_thread_mutex_lock(cache->locks[slot % STRIPES]);
    old = cache->slots[slot];
    cache->slots[slot] = entry;
    apr_thread_mutex_unlock(cache->locks[slot % STRIPES]);
    entry_leave(old);
}
