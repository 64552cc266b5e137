/**
 * @file mcp.h
 * @brief The Model Context Protocol over HTTP: what the bridge's files share.
 *
 * The bridge knows the protocol and nothing of what the tools are about: those
 * come from Alloy's operations (alloy_front.h).  Everything lives as long as
 * the request; nothing is remembered from one request to the next.
 */
#ifndef MCP_H
#define MCP_H

#include <httpd.h>
#include <http_config.h>

#include "alloy_front.h"

extern ALLOY_DECLARE_DATA module alloy_mcp_module;

#define MCP_JSON "application/json"
#define MCP_WELL_KNOWN "/.well-known/oauth-protected-resource"

/** Of a (virtual) host. */
typedef struct {
    const char *path;               /* of the <Location>, or NULL: none */
    apr_array_header_t *origins;    /* const char *: allowed besides its own */
    apr_array_header_t *issuers;    /* const char *: authorization servers */
} mcp_server_t;

/** Of a <Location>. */
typedef struct {
    int on;                         /* -1: not given */
    const char *path;
} mcp_place_t;

/* ---- revisions of the protocol (revision.c) ---------------------------------- */
/** What a revision can do. */
#define MCP_MODERN     0x1u         /* no handshake: each request says all */
#define MCP_STRUCTURED 0x2u         /* structuredContent, outputSchema, title */
#define MCP_BATCHES    0x4u         /* several messages in an array */

typedef struct {
    const char *name;               /* "2025-11-25" */
    unsigned flags;
} mcp_revision_t;

/** All of them, the newest first; ended by a NULL name. */
extern const mcp_revision_t mcp_revisions[];

/** NULL: not spoken here.  NAME may be NULL. */
const mcp_revision_t *mcp_revision_find(const char *name);
/** The newest that begins with `initialize`. */
const mcp_revision_t *mcp_revision_newest_legacy(void);

/* ---- one message ---------------------------------------------------------------- */
/** An error of JSON-RPC, with the HTTP status it has in the modern era. */
typedef struct {
    int code;
    int status;
    const char *message;
    const char *data;               /* JSON text, or NULL */
} mcp_error_t;

#define MCP_PARSE          (-32700)
#define MCP_INVALID        (-32600)
#define MCP_NO_METHOD      (-32601)
#define MCP_BAD_PARAMS     (-32602)
#define MCP_INTERNAL       (-32603)
#define MCP_NO_RESOURCE    (-32002) /* before 2026-07-28 */
#define MCP_HEADER         (-32020)
#define MCP_UNSUPPORTED    (-32022)

/** One request over HTTP, and the message of it that is being answered. */
typedef struct {
    request_rec *r;
    apr_pool_t *pool;
    alloy_front_t *front;
    const char *toolsets;           /* "tickets,sprints", "all"; NULL: the
                                     * usual ones */
    int read_only;

    const mcp_revision_t *revision;
    const alloy_json_t *params;     /* an object, or NULL */
    const alloy_json_t *meta;       /* params._meta, an object, or NULL */
    const char *method;
    const char *id;                 /* as JSON; NULL: it is a notification */

    int status;                     /* of the response */
    apr_table_t *headers;
    const char *refused;            /* a whole body instead of any message's:
                                     * the caller is unknown */
    apr_size_t refused_length;
} mcp_call_t;

/** An error with a sentence for people. */
const mcp_error_t *mcp_error(const mcp_call_t *call, int code, int status,
                             const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/** A text of `params`, or NULL. */
const char *mcp_param(const mcp_call_t *call, const char *name);

/** The caller must be known: NULL, or the error that stands for it after the
 *  response was refused as a whole. */
const mcp_error_t *mcp_identify(mcp_call_t *call);
/** The response is ANSWER, a refusal of the caller. */
const mcp_error_t *mcp_refuse(mcp_call_t *call,
                              const alloy_front_answer_t *answer);

/** Answers a method: writes the members of the result, which is open. */
typedef const mcp_error_t *mcp_method_fn(mcp_call_t *call, alloy_out_t *out);

/* rpc.c: read BYTES, answer what they ask */
int mcp_rpc_answer(mcp_call_t *call, const char *bytes, apr_size_t length);

/* header.c: do the header's fields say what the message says? */
const mcp_error_t *mcp_header_check(const mcp_call_t *call, const char *version,
                                    const char *named_by);

/* server.c, tools.c */
mcp_method_fn mcp_initialize, mcp_ping, mcp_discover, mcp_set_level;
mcp_method_fn mcp_tools_list, mcp_tools_call;
/* resources.c */
mcp_method_fn mcp_resources_list, mcp_templates_list, mcp_resources_read;

/* metadata.c: RFC 9728 */
int mcp_metadata_answer(alloy_front_t *front, const mcp_server_t *server,
                        apr_pool_t *pool);

#endif
