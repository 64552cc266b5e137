/*
 * Passwords, opaque tokens and access tokens, as operations ask for them; and
 * the settings that govern who gets them.
 */
#include "call.h"

#include <string.h>

#include <apr_strings.h>

#include "log.h"

static const struct {
    const char *prefix;
    alloy_secret_kind_e kind;
} kinds[] = {
    { "alloy_live_", ALLOY_SECRET_LIVE },
    { "alloy_test_", ALLOY_SECRET_TEST },
    { "alloy_refresh_", ALLOY_SECRET_REFRESH },
    { "alloy_invite_", ALLOY_SECRET_INVITE },
    { "alloy_reset_", ALLOY_SECRET_RESET },
};

ALLOY_DECLARE(alloy_registration_e) alloy_registration(const alloy_call_t *call)
{
    return call->engine->config->registration;
}

ALLOY_DECLARE(const char *) alloy_base_url(const alloy_call_t *call)
{
    return call->engine->config->base_url;
}

ALLOY_DECLARE(apr_int64_t) alloy_refresh_lifetime(const alloy_call_t *call)
{
    return call->engine->config->refresh_lifetime;
}

ALLOY_DECLARE(int) alloy_throttled(const alloy_call_t *call)
{
    return call->engine->config->throttle;
}

static alloy_problem_t *hashing_failed(alloy_call_t *call, apr_status_t status)
{
    if (APR_STATUS_IS_EAGAIN(status)) {
        return alloy_problem_retry(
            alloy_problem(call, &alloy_rate_limited,
                          "Too many people sign in right now; try again in "
                          "a few seconds."), 2);
    }
    alloy_log(ALLOY_LOG_ERROR, status, "AL0060: a password can't be hashed");
    return alloy_problem(call, &alloy_internal,
                         "The server met a fault of its own; report it with "
                         "the request id.");
}

ALLOY_DECLARE(alloy_problem_t *) alloy_password_hash(alloy_call_t *call,
                                                     const char *password,
                                                     const char **encoded)
{
    apr_status_t status = alloy_secret_password_make(encoded,
        call->engine->hasher, password, call->pool);

    return status ? hashing_failed(call, status) : NULL;
}

ALLOY_DECLARE(alloy_problem_t *) alloy_password_check(alloy_call_t *call,
                                                      const char *password,
                                                      const char *encoded,
                                                      int *psame)
{
    apr_status_t status = alloy_secret_password_check(psame,
        call->engine->hasher, encoded, password);

    return status ? hashing_failed(call, status) : NULL;
}

static const char *hash_of(const char *token, apr_pool_t *pool)
{
    unsigned char digest[ALLOY_SECRET_DIGEST];

    alloy_secret_sha256(digest, token, strlen(token));
    return apr_pstrcat(pool, "\\x",
                       alloy_secret_hex(digest, sizeof(digest), pool), NULL);
}

ALLOY_DECLARE(alloy_problem_t *) alloy_token_make(alloy_call_t *call,
                                                  const char *prefix,
                                                  const char **ptoken,
                                                  const char **phash)
{
    apr_status_t status = APR_EINVAL;
    apr_size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!strcmp(kinds[i].prefix, prefix)) {
            status = alloy_secret_token_make(ptoken, kinds[i].kind,
                                             call->pool);
            break;
        }
    }
    if (status) {
        return hashing_failed(call, status);
    }
    *phash = hash_of(*ptoken, call->pool);
    return NULL;
}

ALLOY_DECLARE(const char *) alloy_token_hash(alloy_call_t *call,
                                             const char *prefix,
                                             const char *token)
{
    alloy_secret_kind_e kind;

    if (!token || strncmp(token, prefix, strlen(prefix))
        || !alloy_secret_token_check(&kind, token)) {
        return NULL;
    }
    return hash_of(token, call->pool);
}

ALLOY_DECLARE(alloy_problem_t *) alloy_access_token(alloy_call_t *call,
                                                    const char *user,
                                                    const char *session,
                                                    const char **ptoken,
                                                    apr_int64_t *pseconds)
{
    const alloy_config_t *config = call->engine->config;
    apr_time_t now = apr_time_now();
    alloy_secret_claims_t claims = { user, session, now, 0 };
    apr_status_t status;

    claims.expires_at = now + apr_time_from_sec(config->access_lifetime);
    *pseconds = config->access_lifetime;
    status = alloy_secret_access_make(ptoken, config->keys, &claims,
                                      call->pool);
    return status ? hashing_failed(call, status) : NULL;
}
