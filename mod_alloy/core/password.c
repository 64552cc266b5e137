/* Passwords: argon2id behind a bound. A hash is made to be dear (19 MiB and
 * some 25 ms of a core), and strangers may ask for one, so that only so many
 * are under way at once, a few wait, and the rest are told to come back.
 */
#include "secret.h"

#include <string.h>
#include <unistd.h>

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <argon2.h>

#define MEMORY 19456 /* KiB */
#define PASSES 2
#define LANES 1
#define SALT 16 /* bytes, RFC 9106, section 3.1 */
#define HASH 32 /* bytes */

#define QUEUE_PER_SLOT 4

/* How each text of today's parameters begins, and how long it is: base64 of
 * SALT and HASH without padding, with a '$' between. */
#define PREFIX "$argon2id$v=19$m=19456,t=2,p=1$"
#define ENCODED (sizeof(PREFIX) - 1 + 22 + 1 + 43)

/* Stands in for the text of a user who does not exist, so that looking him up
 * costs what any other costs. No password is known for it, and none would
 * help: what it says is not listened to. */
static const char nobody[] =
    PREFIX "bm9ib2R5IGlzIGhvbWUuIQ$"
           "c29tZSB0aGlydHktdHdvIGJ5dGVzIG9mIG5vdGhpbmc";

struct alloy_secret_hasher_t {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *freed; /* signalled for each slot given back */
    unsigned slots;
    unsigned running; /* at most slots */
    unsigned waiting; /* at most slots * QUEUE_PER_SLOT */
};

apr_status_t alloy_secret_hasher_make(alloy_secret_hasher_t **hasher,
                                      unsigned slots, apr_pool_t *pool)
{
    alloy_secret_hasher_t *made = apr_pcalloc(pool, sizeof(*made));
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    apr_status_t rv;

    made->slots = slots > 0 ? slots : cores > 0 ? (unsigned)cores : 1;
    rv = apr_thread_mutex_create(&made->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_thread_cond_create(&made->freed, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *hasher = made;
    return APR_SUCCESS;
}

/* Waits for a slot: APR_SUCCESS with the slot taken, APR_EAGAIN when too many
 * wait already. A newcomer may overtake one who was woken and is not back yet;
 * with hashes this short nobody waits long for it. */
static apr_status_t take_slot(alloy_secret_hasher_t *hasher)
{
    apr_status_t rv = APR_SUCCESS;

    apr_thread_mutex_lock(hasher->mutex);
    if (hasher->running >= hasher->slots) {
        if (hasher->waiting >= hasher->slots * QUEUE_PER_SLOT) {
            apr_thread_mutex_unlock(hasher->mutex);
            return APR_EAGAIN;
        }
        hasher->waiting++;
        while (hasher->running >= hasher->slots && rv == APR_SUCCESS) {
            rv = apr_thread_cond_wait(hasher->freed, hasher->mutex);
        }
        hasher->waiting--;
    }
    if (rv == APR_SUCCESS) {
        hasher->running++;
    }
    apr_thread_mutex_unlock(hasher->mutex);
    return rv;
}

static void give_slot(alloy_secret_hasher_t *hasher)
{
    apr_thread_mutex_lock(hasher->mutex);
    hasher->running--;
    apr_thread_cond_signal(hasher->freed);
    apr_thread_mutex_unlock(hasher->mutex);
}

/* What an answer of argon2 means to our callers. */
static apr_status_t status_of(int answer)
{
    switch (answer) {
    case ARGON2_OK:
        return APR_SUCCESS;
    case ARGON2_MEMORY_ALLOCATION_ERROR:
        return APR_ENOMEM;
    default:
        return APR_EINVAL;
    }
}

apr_status_t alloy_secret_password_make(const char **encoded,
                                        alloy_secret_hasher_t *hasher,
                                        const char *password,
                                        apr_pool_t *pool)
{
    unsigned char salt[SALT];
    char *text = apr_palloc(pool, ENCODED + 1);
    apr_status_t rv = alloy_secret_random(salt, sizeof(salt));
    int answer;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = take_slot(hasher);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    answer = argon2id_hash_encoded(PASSES, MEMORY, LANES, password,
                                   strlen(password), salt, sizeof(salt), HASH,
                                   text, ENCODED + 1);
    give_slot(hasher);
    if (answer == ARGON2_OK) {
        *encoded = text;
    }
    return status_of(answer);
}

apr_status_t alloy_secret_password_check(int *matches,
                                         alloy_secret_hasher_t *hasher,
                                         const char *encoded,
                                         const char *password)
{
    apr_status_t rv;
    int answer;

    *matches = 0;
    rv = take_slot(hasher);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    answer = argon2id_verify(encoded != NULL ? encoded : nobody, password,
                             strlen(password));
    give_slot(hasher);
    if (answer == ARGON2_VERIFY_MISMATCH) {
        return APR_SUCCESS;
    }
    *matches = answer == ARGON2_OK && encoded != NULL;
    return status_of(answer);
}

int alloy_secret_password_outdated(const char *encoded)
{
    return strncmp(encoded, PREFIX, sizeof(PREFIX) - 1) != 0
           || strlen(encoded) != ENCODED;
}
