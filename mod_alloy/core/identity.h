/**
 * @file identity.h
 * @brief Who is calling: bearer tokens, and the per-child cache of principals.
 *
 * A cached principal is a guess until `enter` has verified its version in the
 * call's own flush; no refusal is given from the cache alone.
 */
#ifndef ALLOY_CORE_IDENTITY_H
#define ALLOY_CORE_IDENTITY_H

#include "../alloy.h"
#include "config.h"
#include "id.h"
#include "registry.h"

/** One organization of a principal. */
typedef struct {
    alloy_id_t org;
    char org_text[37];
    const char *slug;
    alloy_role_e role;
    int all;                    /* sees every project */
    int personal;
} alloy_membership_t;

/** A user as one token shows him.  Immutable, shared by threads, counted. */
typedef struct alloy_principal_t {
    char user[37];
    char version[24];           /* decimal, as enter wants it */
    const char *email, *display_name, *default_org;     /* or NULL */
    const char *session, *key;  /* id of the token's own row; one is NULL */
    const char *on_behalf_of;   /* or NULL */
    const char *const *scopes;  /* NULL: everything (a session) */
    int read_only;
    int budgeted;               /* the key has max_writes */
    int partial;                /* the key reaches one organization, or some
                                 * projects, and not the account */
    int narrow;                 /* the key reaches some projects only */
    apr_time_t expires;         /* of the token; 0: never */
    int norgs;
    const alloy_membership_t *orgs;
    int nprojects;              /* more than ALLOY_PROJECTS_LIMIT: not listed */
    const alloy_id_t *projects; /* seen besides those of `all` organizations */
} alloy_principal_t;

typedef struct alloy_identity_t alloy_identity_t;

apr_status_t alloy_identity_make(alloy_identity_t **pidentity, alloy_db_t *db,
                                 const alloy_config_t *config,
                                 apr_pool_t *pool);

/**
 * Read the principal of an Authorization header.  It lives as long as POOL.
 * Problems: unauthorized, token_expired, unavailable.
 * @param fresh  past the cache: the version was found stale
 * @param pcached  set when it came from the cache
 */
alloy_problem_t *alloy_identity_read(const alloy_principal_t **pprincipal,
                                     alloy_identity_t *identity,
                                     const char *authorization, int fresh,
                                     int *pcached, apr_pool_t *pool);

/** Read the principal again inside a transaction, which has changed what he
 *  may; not kept, because it may be rolled back. */
alloy_problem_t *alloy_identity_renew(const alloy_principal_t **pprincipal,
                                      alloy_identity_t *identity,
                                      alloy_session_t *session,
                                      const char *authorization,
                                      apr_pool_t *pool);

#endif
