/*
 * Rate limits. A slot holds when its owner will have used up what he sent: a
 * single number, moved by compare-and-swap, so that nothing is locked and a
 * child that dies leaves nothing behind.
 */
#include "rate.h"

#include <apr_atomic.h>
#include <apr_shm.h>
#include <apr_time.h>

#define SLOTS 65536u            /* a power of two */
#define PROBES 8
#define WINDOW apr_time_from_sec(60)
#define FNV_BASIS APR_UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME APR_UINT64_C(0x100000001b3)

typedef struct {
    volatile apr_uint64_t owner;        /* 0: free */
    volatile apr_uint64_t full;         /* microseconds since 1970 */
} slot_t;

struct alloy_rate_t {
    slot_t *slots;
};

apr_status_t alloy_rate_make(alloy_rate_t **prate, apr_pool_t *pool)
{
    alloy_rate_t *rate = apr_pcalloc(pool, sizeof(*rate));
    apr_shm_t *memory;
    apr_status_t status = apr_shm_create(&memory, sizeof(slot_t) * SLOTS,
                                         NULL, pool);

    if (status != APR_SUCCESS) {
        return status;
    }
    rate->slots = apr_shm_baseaddr_get(memory);
    *prate = rate;
    return APR_SUCCESS;
}

static apr_uint64_t owner_of(char kind, const char *who)
{
    apr_uint64_t hash = (FNV_BASIS ^ (unsigned char)kind) * FNV_PRIME;

    for (; *who; who++) {
        hash = (hash ^ (unsigned char)*who) * FNV_PRIME;
    }
    return hash ? hash : 1;
}

/* The owner's slot; without one, that of whoever was away longest. Two that
 * take the same slot at once share a limit for a moment. */
static slot_t *slot_of(alloy_rate_t *rate, apr_uint64_t owner)
{
    slot_t *oldest = NULL;
    unsigned i;

    for (i = 0; i < PROBES; i++) {
        slot_t *slot = &rate->slots[(owner + i) & (SLOTS - 1)];

        if (apr_atomic_read64(&slot->owner) == owner) {
            return slot;
        }
        if (!oldest
            || apr_atomic_read64(&slot->full)
                   < apr_atomic_read64(&oldest->full)) {
            oldest = slot;
        }
    }
    apr_atomic_set64(&oldest->full, 0);
    apr_atomic_set64(&oldest->owner, owner);
    return oldest;
}

static int seconds(apr_interval_time_t time)
{
    return (int)((time + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC);
}

void alloy_rate_count(alloy_quota_t *quota, alloy_rate_t *rate, char kind,
                      const char *who, int limit)
{
    slot_t *slot = slot_of(rate, owner_of(kind, who));
    apr_interval_time_t cost = WINDOW / limit, used;
    apr_uint64_t now = (apr_uint64_t)apr_time_now(), before, after;

    quota->limit = limit;
    quota->retry = 0;
    do {
        before = apr_atomic_read64(&slot->full);
        after = (before > now ? before : now) + (apr_uint64_t)cost;
        used = (apr_interval_time_t)(after - now);
        if (used > WINDOW) {
            quota->remaining = 0;
            quota->reset = seconds(used - cost);
            quota->retry = seconds(used - WINDOW);
            return;
        }
    } while (apr_atomic_cas64(&slot->full, after, before) != before);
    quota->remaining = (int)((WINDOW - used) / cost);
    quota->reset = seconds(used);
}
