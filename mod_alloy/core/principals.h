/**
 * @file principals.h
 * @brief The per-child cache of principals, and how one is read from a row.
 */
#ifndef ALLOY_CORE_PRINCIPALS_H
#define ALLOY_CORE_PRINCIPALS_H

#include "identity.h"

typedef struct alloy_principals_t alloy_principals_t;

/** Room for SLOTS (a power of two) principals; ends with POOL. */
apr_status_t alloy_principals_make(alloy_principals_t **pcache, int slots,
                                   apr_pool_t *pool);

/** The principal kept under a token's digest, or NULL.  It is kept alive
 *  until POOL is cleared, whatever happens to the cache. */
const alloy_principal_t *alloy_principals_find(
    alloy_principals_t *cache,
    const unsigned char digest[ALLOY_SECRET_DIGEST], apr_pool_t *pool);

/** Keep a copy; what shared its slot is forgotten. */
void alloy_principals_keep(alloy_principals_t *cache,
                           const unsigned char digest[ALLOY_SECRET_DIGEST],
                           const alloy_principal_t *principal);

/** Read the first row of definer.principal_of_*; EXPIRES is the token's own
 *  end (0: none).  Lives in POOL and as long as RESULT. */
const alloy_principal_t *alloy_principal_read(const alloy_result_t *result,
                                              apr_time_t expires,
                                              apr_pool_t *pool);

#endif
