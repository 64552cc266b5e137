/**
 * @file engine.h
 * @brief What one child process has for one configured API, and the entry
 * point of every front.
 */
#ifndef ALLOY_CORE_ENGINE_H
#define ALLOY_CORE_ENGINE_H

#include "config.h"
#include "db.h"
#include "identity.h"
#include "registry.h"
#include "route.h"
#include "wake.h"

typedef struct alloy_engine_t {
    const alloy_config_t *config;
    const alloy_registry_t *registry;
    const alloy_router_t *router;
    alloy_db_t *db;
    alloy_wake_t *wake;
    alloy_identity_t *identity;
    alloy_secret_hasher_t *hasher;
    apr_time_t started;
} alloy_engine_t;

/** Per child, after the fork; starts the connector thread.  Does not wait. */
apr_status_t alloy_engine_make(alloy_engine_t **pengine,
                               const alloy_config_t *config,
                               const alloy_registry_t *registry,
                               apr_pool_t *pool);

/** The child takes no new requests: those that wait are answered now. */
void alloy_engine_stop(alloy_engine_t *engine);

/** A request in the terms of no front.  Texts live as long as POOL. */
typedef struct {
    apr_pool_t *pool;
    const char *method;         /* "GET", as sent */
    const char *path;           /* below the prefix, percent-encoded, "/..." */
    const char *query;          /* raw, or NULL */
    const char *authorization;  /* the header's value, or NULL */
    const char *content_type;   /* or NULL */
    const char *accept;         /* or NULL */
    const char *address;        /* of the caller, for the log and throttling */
    const char *client;         /* "rest", "mcp", "import" */
    const char *client_name;    /* User-Agent or the like, or NULL: UTF-8, at
                                 * most ALLOY_NAME_LIMIT characters */
    const char *request_id;     /* always set; the front checked or made it */
    int root;                   /* a path at the server's root: only ROOT
                                 * operations exist */
    const struct alloy_tool_use_t *tool;    /* arguments.h: the operation is
                                 * called as this tool; method, path, query and
                                 * body count for nothing.  NULL: it is not */
    const struct json_t *arguments;         /* its input: an object, or NULL */
    const void *server;         /* httpd's server_rec, or NULL; never looked
                                 * into: for plugins */
    void *baton;
    /** A header field's value, or NULL. */
    const char *(*header)(void *baton, const char *name);
    /** Read the whole body, at most LIMIT bytes; called at most once.
     *  Problems: payload_too_large, request_timeout, bad_request. */
    alloy_problem_t *(*body)(void *baton, const char **bytes,
                             apr_size_t *length, apr_size_t limit);
} alloy_request_t;

typedef struct {
    int status;
    const char *type;           /* NULL: no body */
    const char *body;
    apr_size_t length;
    apr_table_t *headers;       /* Location, Allow, Retry-After, ... */
    const alloy_op_t *op;       /* NULL: no operation was found */
    const char *user, *org;     /* for the access log, or NULL */
    const char *code;           /* of the problem, or NULL */
} alloy_answer_t;

/** A header field of the request, or NULL; fronts need not have any. */
const char *alloy_request_header(const alloy_request_t *request,
                                 const char *name);

/** Run a request to its end; never fails, the answer may be a problem. */
void alloy_engine_run(alloy_answer_t *answer, alloy_engine_t *engine,
                      const alloy_request_t *request);

/** Run the operation of REQUEST->tool, likewise. */
void alloy_engine_run_tool(alloy_answer_t *answer, alloy_engine_t *engine,
                           const alloy_request_t *request);

/** A problem as an answer, for faults a front met by itself. */
void alloy_engine_refuse(alloy_answer_t *answer, const alloy_config_t *config,
                         const alloy_request_t *request,
                         const alloy_problem_t *problem);

/** A request id of our own (UUIDv7 as text). */
const char *alloy_request_id_make(apr_pool_t *pool);
/** 1 to 128 of [A-Za-z0-9._-]? */
int alloy_request_id_fits(const char *text);

#endif
