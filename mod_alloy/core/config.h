/**
 * @file config.h
 * @brief What an admin configured, in the engine's terms; filled by the
 * module's directives (conf/alloy.conf explains each).
 */
#ifndef ALLOY_CORE_CONFIG_H
#define ALLOY_CORE_CONFIG_H

#include "../alloy.h"
#include "db.h"
#include "rate.h"
#include "secret.h"

typedef struct {
    alloy_db_config_t db;
    alloy_registration_e registration;
    const char *base_url;       /* "https://host", no slash at the end */
    const char *prefix;         /* "/api/v1": where the API lives below it */
    apr_size_t body_limit;      /* bytes */
    apr_int64_t access_lifetime, refresh_lifetime;      /* seconds */
    int hashers;                /* passwords hashed at once in a child */
    int throttle;
    int token_rate, address_rate;       /* requests a minute; 0: no limit */
    alloy_rate_t *rate;         /* counts them, for all children */
    int waiters;                /* threads of a child that may wait for changes
                                 * at once; set when it starts */
    alloy_secret_keys_t *keys;  /* sign and verify access tokens */
    const char *version;        /* of the module */
    const char *resource_metadata;      /* the URL that a 401 names (RFC 9728,
                                 * section 5.1), or NULL */
} alloy_config_t;

#endif
