/**
 * @file mod_alloy.h
 * @brief What the files that talk to httpd share: the configuration of a
 * server, of a place in it, and the hooks each file brings.  Nothing below
 * core/ or resources/ sees this header.
 */
#ifndef MOD_ALLOY_H
#define MOD_ALLOY_H

#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include "core/engine.h"

#define ALLOY_VERSION "1.0.0"

extern ALLOY_DECLARE_DATA module alloy_module;
APLOG_USE_MODULE(alloy);

/** Settings that are numbers, switches or words; rows of a table of rules. */
typedef enum {
    ALLOY_SET_CONNECTIONS,
    ALLOY_SET_READ_DEADLINE,
    ALLOY_SET_WRITE_DEADLINE, /* follows the one for reads */
    ALLOY_SET_READ_WAIT,
    ALLOY_SET_WRITE_WAIT, /* likewise */
    ALLOY_SET_READ_LANES,
    ALLOY_SET_WRITE_LANES, /* likewise */
    ALLOY_SET_PREPARE,
    ALLOY_SET_REGISTRATION,
    ALLOY_SET_BODY_LIMIT,
    ALLOY_SET_ACCESS_LIFETIME,
    ALLOY_SET_REFRESH_LIFETIME,
    ALLOY_SET_HASHERS,
    ALLOY_SET_THROTTLE,
    ALLOY_SET_ROOT_PATHS,
    ALLOY_SET_KEEPALIVE_WAIT,
    ALLOY_SET_GIVE_WAY,
    ALLOY_SET_TOKEN_RATE,
    ALLOY_SET_ADDRESS_RATE,
    ALLOY_SETTINGS
} alloy_setting_e;

/** Of a child process: connections whose thread stays with them. */
typedef struct {
    volatile apr_uint32_t staying;
    int most_staying;
} alloy_child_t;

/**
 * Of a (virtual) host.  Lives in pconf; a host without a directive of ours
 * shares the main server's.
 */
typedef struct {
    /* as written; NULL and -1: not given */
    const char *database, *base_url;
    const char *prefix;            /* of the <Location> with `Alloy on`; "" for
                                 * the whole host; NULL: no API here */
    apr_array_header_t *key_files; /* const char *: full paths */
    apr_int64_t settings[ALLOY_SETTINGS];

    /* worked out by alloy_config_settle() */
    alloy_config_t config;
    const alloy_registry_t *registry;
    alloy_engine_t *engine; /* this child's; NULL: could not be made */
    alloy_child_t *child;   /* this child's, for all hosts the same one */
} alloy_server_t;

/** Of a <Location>. */
typedef struct {
    int on;             /* -1: not given */
    const char *prefix; /* as alloy_server_t's */
} alloy_place_t;

/* mod_alloy_config.c */
extern const command_rec alloy_config_directives[];
void *alloy_config_server_make(apr_pool_t *pool, server_rec *server);
void *alloy_config_server_merge(apr_pool_t *pool, void *base, void *own);
void *alloy_config_place_make(apr_pool_t *pool, char *path);
void *alloy_config_place_merge(apr_pool_t *pool, void *base, void *own);

/**
 * Turn what was written for SERVER into the engine's terms, with REGISTRY.
 * Reads the key files, asks no database.
 * @return NULL, or a sentence for the admin (never with a secret in it)
 */
const char *alloy_config_settle(const server_rec *server,
                                const alloy_registry_t *registry,
                                apr_pool_t *pool, apr_pool_t *scratch);

/** The next host after SERVER (NULL: the first) that has an API of its own,
 *  or NULL: hosts that share the main server's are passed over. */
server_rec *alloy_config_next(server_rec *main_server, server_rec *server);

/** The configuration of the host that REQUEST or another record belongs to. */
alloy_server_t *alloy_config_of(const server_rec *server);

/* mod_alloy_http.c, mod_alloy_error.c, mod_alloy_status.c */
void alloy_http_hooks(void);
void alloy_error_hooks(void);
void alloy_status_hooks(void);

/* mod_alloy_keepalive.c */
void alloy_keepalive_hooks(void);

/** Is URI the path PREFIX or below it? */
int alloy_http_below(const char *uri, const char *prefix);

/** The id of a request: its X-Request-Id when that fits, else one of ours;
 *  the same whenever asked, and in the request's notes. */
const char *alloy_http_request_id(request_rec *r);

/** R is another front's: ours but for its handler. */
void alloy_http_claim(request_rec *r);

/** Send ANSWER; what the handler returns. */
int alloy_http_send(request_rec *r, const alloy_answer_t *answer);

/** Describe R to the engine, all but what only an operation needs. */
void alloy_http_describe(alloy_request_t *request, request_rec *r);

/** Put the header of ANSWER on R: status, type, length, fields, notes. */
void alloy_http_put_header(request_rec *r, const alloy_answer_t *answer);

/** Keep ErrorDocument away from R, which is ours; or not, after all. */
void alloy_error_mute_documents(request_rec *r, int mute);

#endif
