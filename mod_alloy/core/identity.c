/*
 * Bearer tokens: checked for form and signature here, for life in the
 * database. What the database said is kept in principals.c's cache.
 */
#include "identity.h"

#include <string.h>

#include <apr_strings.h>

#include "limits.h"
#include "log.h"
#include "principals.h"
#include "sql/principal.h"
#include "problem.h"

#define SCHEME "Bearer"

struct alloy_identity_t {
    alloy_db_t *db;
    const alloy_config_t *config;
    alloy_principals_t *cache;
};

/* A token that is well formed; what to ask the database. */
typedef struct {
    unsigned char digest[ALLOY_SECRET_DIGEST];
    const alloy_statement_t *statement;
    const char *argument;
    apr_time_t expires;         /* an access token's own; 0: none */
} token_t;

apr_status_t alloy_identity_make(alloy_identity_t **pidentity, alloy_db_t *db,
                                 const alloy_config_t *config,
                                 apr_pool_t *pool)
{
    alloy_identity_t *identity = apr_pcalloc(pool, sizeof(*identity));

    identity->db = db;
    identity->config = config;
    *pidentity = identity;
    return alloy_principals_make(&identity->cache, ALLOY_PRINCIPALS, pool);
}

/* ---- refusals ------------------------------------------------------------------ */

static alloy_problem_t *no_token(apr_pool_t *pool)
{
    return alloy_problem_make(pool, &alloy_unauthorized,
                              "Send an access token or an API key: "
                              "Authorization: Bearer <token>.");
}

static alloy_problem_t *bad_token(apr_pool_t *pool)
{
    return alloy_problem_make(pool, &alloy_unauthorized,
                              "The token is not valid (any more). Sign in "
                              "again, or use another API key.");
}

static alloy_problem_t *expired(apr_pool_t *pool)
{
    return alloy_problem_make(pool, &alloy_token_expired,
                              "The access token has expired. Get a new one "
                              "by POST /auth/refresh.");
}

/* ---- the token itself ------------------------------------------------------------ */

static const char *bearer_of(const char *authorization)
{
    apr_size_t length = sizeof(SCHEME) - 1;

    if (!authorization || strncasecmp(authorization, SCHEME, length)
        || authorization[length] != ' ') {
        return NULL;
    }
    authorization += length;
    while (*authorization == ' ') {
        authorization++;
    }
    return *authorization ? authorization : NULL;
}

static alloy_problem_t *read_access(token_t *token, const char *text,
                                    const alloy_config_t *config,
                                    apr_pool_t *pool)
{
    const alloy_secret_claims_t *claims;
    alloy_id_t id;

    switch (alloy_secret_access_read(&claims, config->keys, text,
                                     apr_time_now(), pool)) {
    case ALLOY_SECRET_ACCESS_OK:
        break;
    case ALLOY_SECRET_ACCESS_EXPIRED:
        return expired(pool);
    default:
        return bad_token(pool);
    }
    if (!alloy_id_parse(&id, claims->session)) {
        return bad_token(pool);
    }
    token->statement = &sql_principal_of_session;
    token->argument = claims->session;
    token->expires = claims->expires_at;
    return NULL;
}

static alloy_problem_t *read_token(token_t *token, const char *text,
                                   const alloy_config_t *config,
                                   apr_pool_t *pool)
{
    alloy_secret_kind_e kind;

    if (strncmp(text, "alloy_", 6)) {
        return read_access(token, text, config, pool);
    }
    if (!alloy_secret_token_check(&kind, text)
        || (kind != ALLOY_SECRET_LIVE && kind != ALLOY_SECRET_TEST)) {
        return bad_token(pool);
    }
    token->statement = &sql_principal_of_key;
    token->argument = apr_pstrcat(pool, "\\x",
                                  alloy_secret_hex(token->digest,
                                                   sizeof(token->digest),
                                                   pool), NULL);
    return NULL;
}

/* ---- from the database -------------------------------------------------------------- */

static alloy_problem_t *ask(const alloy_principal_t **pprincipal,
                            alloy_identity_t *identity, const token_t *token,
                            apr_pool_t *pool)
{
    const char *values[1];
    alloy_step_t step = { token->statement, values };
    const alloy_result_t *result = NULL;
    alloy_db_fault_t fault = { "" };
    alloy_enter_t nobody = { NULL, NULL, "", "", "", NULL };
    alloy_outcome_e outcome;

    values[0] = token->argument;
    outcome = alloy_db_flush(identity->db, &nobody, &step, 1, &result, &fault,
                             pool);
    if (outcome == ALLOY_DB_ABORTED && *fault.sqlstate) {
        alloy_log(ALLOY_LOG_ERROR, 0, "AL0050: %s failed with %s: %s",
                  token->statement->name, fault.sqlstate,
                  fault.message ? fault.message : "no message");
    }
    if (outcome != ALLOY_DB_COMMITTED) {
        return alloy_problem_unreachable(pool);
    }
    if (!alloy_result_rows(result)) {
        return bad_token(pool);
    }
    *pprincipal = alloy_principal_read(result, token->expires, pool);
    return NULL;
}

static int is_past(const alloy_principal_t *principal)
{
    return principal->expires && principal->expires <= apr_time_now();
}

alloy_problem_t *alloy_identity_read(const alloy_principal_t **pprincipal,
                                     alloy_identity_t *identity,
                                     const char *authorization, int fresh,
                                     int *pcached, apr_pool_t *pool)
{
    const char *text = bearer_of(authorization);
    token_t token = { { 0 } };

    *pcached = 0;
    if (!text) {
        return no_token(pool);
    }
    alloy_secret_sha256(token.digest, text, strlen(text));
    if (!fresh) {
        *pprincipal = alloy_principals_find(identity->cache, token.digest,
                                            pool);
        if (*pprincipal && !is_past(*pprincipal)) {
            *pcached = 1;
            return NULL;
        }
    }
    ALLOY_TRY(read_token(&token, text, identity->config, pool));
    ALLOY_TRY(ask(pprincipal, identity, &token, pool));
    alloy_principals_keep(identity->cache, token.digest, *pprincipal);
    return NULL;
}

alloy_problem_t *alloy_identity_renew(const alloy_principal_t **pprincipal,
                                      alloy_identity_t *identity,
                                      alloy_session_t *session,
                                      const char *authorization,
                                      apr_pool_t *pool)
{
    const char *text = bearer_of(authorization);
    const alloy_result_t *result = NULL;
    alloy_db_fault_t fault = { "" };
    token_t token = { { 0 } };
    alloy_step_t step;

    if (!text) {
        return no_token(pool);
    }
    alloy_secret_sha256(token.digest, text, strlen(text));
    ALLOY_TRY(read_token(&token, text, identity->config, pool));
    step.statement = token.statement;
    step.values = &token.argument;
    if (alloy_db_step(session, &step, &result, &fault)
        != ALLOY_DB_COMMITTED) {
        return alloy_problem_unreachable(pool);
    }
    if (!alloy_result_rows(result)) {
        return bad_token(pool);
    }
    *pprincipal = alloy_principal_read(result, token.expires, pool);
    return NULL;
}
