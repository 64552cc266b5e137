/*
 * The Apache module: where MCP is served, which requests are its own, and
 * whether they may be: who asks, from which page, and in what form.
 */
#include "mcp.h"

#include <apr_strings.h>
#include <apr_uri.h>

#include <ap_provider.h>

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#define TOOLSETS "/x/"
#define READ_ONLY "/readonly"

/** What a request of ours asks for. */
typedef struct {
    const char *below;              /* the path below the <Location>'s */
    int metadata;
} visit_t;

/* ---- directives ------------------------------------------------------------------ */

static void *make_server(apr_pool_t *pool, server_rec *server)
{
    return apr_pcalloc(pool, sizeof(mcp_server_t));
}

static void *merge_server(apr_pool_t *pool, void *base_data, void *own_data)
{
    const mcp_server_t *base = base_data, *own = own_data;
    mcp_server_t *merged = apr_pmemdup(pool, own, sizeof(*own));

    merged->path = own->path ? own->path : base->path;
    merged->origins = own->origins ? own->origins : base->origins;
    merged->issuers = own->issuers ? own->issuers : base->issuers;
    return merged;
}

static void *make_place(apr_pool_t *pool, char *path)
{
    mcp_place_t *place = apr_pcalloc(pool, sizeof(*place));

    place->on = -1;
    return place;
}

static void *merge_place(apr_pool_t *pool, void *base, void *own)
{
    return ((const mcp_place_t *)own)->on >= 0 ? own : base;
}

static mcp_server_t *server_of(const server_rec *server)
{
    return ap_get_module_config(server->module_config, &alloy_mcp_module);
}

static const char *set_place(cmd_parms *cmd, void *data, int on)
{
    mcp_server_t *own = server_of(cmd->server);
    mcp_place_t *place = data;
    size_t length = cmd->path ? strlen(cmd->path) : 0;

    place->on = on;
    place->path = cmd->path;
    if (!on) {
        return NULL;
    }
    if (length < 2 || *cmd->path != '/' || cmd->path[length - 1] == '/') {
        return "AlloyMcp on belongs into a <Location> with a plain path and no "
               "slash at its end, such as <Location /mcp>.";
    }
    if (own->path && strcmp(own->path, cmd->path)) {
        return apr_psprintf(cmd->pool, "AlloyMcp is on at \"%s\" already and "
                            "can't be at \"%s\" as well: a host has one place "
                            "for it.", own->path, cmd->path);
    }
    own->path = cmd->path;
    return NULL;
}

static const char *add_url(apr_array_header_t **list, cmd_parms *cmd,
                           const char *url)
{
    apr_uri_t parts;

    if (apr_uri_parse(cmd->pool, url, &parts) != APR_SUCCESS || !parts.scheme
        || !parts.hostname || !*parts.hostname) {
        return apr_psprintf(cmd->pool, "%s can't be \"%s\": write scheme and "
                            "host, such as https://login.example.com.",
                            cmd->cmd->name, url);
    }
    if (!*list) {
        *list = apr_array_make(cmd->pool, 2, sizeof(const char *));
    }
    APR_ARRAY_PUSH(*list, const char *) = url;
    return NULL;
}

static const char *add_origin(cmd_parms *cmd, void *place, const char *url)
{
    return add_url(&server_of(cmd->server)->origins, cmd, url);
}

static const char *add_issuer(cmd_parms *cmd, void *place, const char *url)
{
    return add_url(&server_of(cmd->server)->issuers, cmd, url);
}

static const command_rec directives[] = {
    AP_INIT_FLAG("AlloyMcp", set_place, NULL, ACCESS_CONF,
                 "serves MCP below this <Location>"),
    AP_INIT_ITERATE("AlloyMcpOrigin", add_origin, NULL, RSRC_CONF,
                    "origins of web pages that may call, besides our own"),
    AP_INIT_ITERATE("AlloyMcpAuthorizationServer", add_issuer, NULL, RSRC_CONF,
                    "who gives tokens for this server"),
    { NULL }
};

/* ---- which requests are ours ------------------------------------------------------- */

static visit_t *visit_of(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &alloy_mcp_module);
}

static int is_metadata(const mcp_server_t *own, const char *uri)
{
    size_t length = strlen(MCP_WELL_KNOWN);

    return own->path && !strncmp(uri, MCP_WELL_KNOWN, length)
           && (!uri[length] || !strcmp(uri + length, own->path));
}

static const char *path_below(const request_rec *r)
{
    const mcp_place_t *place = ap_get_module_config(r->per_dir_config,
                                                    &alloy_mcp_module);
    size_t length = place->on > 0 ? strlen(place->path) : 0;

    return length && !strncmp(r->uri, place->path, length)
           && (!r->uri[length] || r->uri[length] == '/')
           ? r->uri + length : NULL;
}

static int claim_request(request_rec *r)
{
    const mcp_server_t *own = server_of(r->server);
    const char *below = path_below(r);
    int metadata = is_metadata(own, r->uri);
    visit_t *visit;

    if (!below && !metadata) {
        return DECLINED;
    }
    visit = apr_pcalloc(r->pool, sizeof(*visit));
    visit->below = below;
    visit->metadata = metadata;
    ap_set_module_config(r->request_config, &alloy_mcp_module, visit);
    alloy_front_claim(r);
    return DECLINED;
}

/* ---- may they be answered ----------------------------------------------------------- */

/* "localhost:8080" is "localhost"; "[::1]:8080" is "[::1]". */
static const char *host_of(const char *field, apr_pool_t *pool)
{
    const char *end = *field == '[' ? strchr(field, ']') : NULL;

    return end ? apr_pstrmemdup(pool, field, end + 1 - field)
               : apr_pstrmemdup(pool, field, strcspn(field, ":"));
}

static int is_loopback_name(const char *host)
{
    return !ap_cstr_casecmp(host, "localhost") || !strcmp(host, "127.0.0.1")
           || !strcmp(host, "[::1]");
}

static const char *authority_of(const char *url)
{
    const char *at = strstr(url, "://");

    return at ? at + 3 : "";
}

/* A page elsewhere may have made a browser call an address of this machine
 * under a name of its own (DNS rebinding): there, the name must be known. */
static int is_host_allowed(const mcp_call_t *call)
{
    const char *field = apr_table_get(call->r->headers_in, "Host");
    const char *local = call->r->connection->local_ip;
    const char *own = authority_of(alloy_front_base_url(call->front));
    const char *host;

    if (!field || (strncmp(local, "127.", 4) && strcmp(local, "::1"))) {
        return 1;
    }
    host = host_of(field, call->pool);
    return is_loopback_name(host)
           || !ap_cstr_casecmp(host, host_of(own, call->pool))
           || !ap_cstr_casecmp(host, call->r->server->server_hostname
                                     ? call->r->server->server_hostname : "");
}

static int is_origin_allowed(const mcp_call_t *call)
{
    const char *origin = apr_table_get(call->r->headers_in, "Origin");
    const apr_array_header_t *more = server_of(call->r->server)->origins;
    int i;

    if (!origin || !ap_cstr_casecmp(origin, alloy_front_base_url(call->front))
        || is_loopback_name(host_of(authority_of(origin), call->pool))) {
        return 1;
    }
    for (i = 0; more && i < more->nelts; i++) {
        if (!ap_cstr_casecmp(origin, APR_ARRAY_IDX(more, i, const char *))) {
            return 1;
        }
    }
    return 0;
}

/* ---- problems of HTTP --------------------------------------------------------------- */

static int send_problem(mcp_call_t *call, const alloy_problem_t *problem)
{
    alloy_front_answer_t answer;

    alloy_front_refuse(call->front, &answer, problem);
    if (call->headers) {
        answer.headers = apr_table_overlay(call->pool, answer.headers,
                                           call->headers);
    }
    return alloy_front_send(call->front, answer.status, answer.headers,
                            "application/problem+json", answer.json,
                            answer.length);
}

static int send_kind(mcp_call_t *call, const alloy_problem_kind_t *kind,
                     const char *detail)
{
    return send_problem(call, alloy_front_problem(call->front, kind, detail));
}

static int is_json(const char *type)
{
    apr_size_t length = strlen(MCP_JSON);

    return type && !ap_cstr_casecmpn(type, MCP_JSON, length)
           && (!type[length] || strchr("; ", type[length]));
}

const mcp_error_t *mcp_refuse(mcp_call_t *call,
                              const alloy_front_answer_t *answer)
{
    call->refused = answer->json;
    call->refused_length = answer->length;
    call->headers = answer->headers;
    return mcp_error(call, MCP_INVALID, answer->status, "The caller is "
                     "refused.");
}

const mcp_error_t *mcp_identify(mcp_call_t *call)
{
    alloy_front_answer_t answer;

    alloy_front_identify(call->front, &answer);
    return answer.status < 400 ? NULL : mcp_refuse(call, &answer);
}

/* ---- answering ---------------------------------------------------------------------- */

/* "/x/tickets,sprints" and "/readonly", also one after the other. */
static int read_place(mcp_call_t *call, const char *below)
{
    apr_size_t length = strlen(READ_ONLY);

    if (!strncmp(below, READ_ONLY, length)
        && (!below[length] || below[length] == '/')) {
        call->read_only = 1;
        below += length;
    }
    if (!strncmp(below, TOOLSETS, strlen(TOOLSETS))) {
        call->toolsets = below + strlen(TOOLSETS);
        return *call->toolsets && !strchr(call->toolsets, '/');
    }
    return !*below || !strcmp(below, "/");
}

static int answer_post(mcp_call_t *call)
{
    alloy_front_answer_t known;
    alloy_problem_t *problem;
    const char *bytes;
    apr_size_t length;

    alloy_front_recognize(call->front, &known);
    if (known.status >= 400) {
        return alloy_front_send(call->front, known.status, known.headers,
                                "application/problem+json", known.json,
                                known.length);
    }
    if (!is_json(apr_table_get(call->r->headers_in, "Content-Type"))) {
        return send_kind(call, &alloy_unsupported_media_type,
                         "Send the message as application/json, with that "
                         "Content-Type.");
    }
    problem = alloy_front_body(call->front, &bytes, &length);
    return problem ? send_problem(call, problem)
                   : mcp_rpc_answer(call, bytes, length);
}

static int answer_place(mcp_call_t *call, const char *below)
{
    if (!is_host_allowed(call) || !is_origin_allowed(call)) {
        return send_kind(call, &alloy_forbidden,
                         "Web pages of this origin may not call this server; "
                         "its administrator can let them with "
                         "AlloyMcpOrigin.");
    }
    if (!read_place(call, below)) {
        return send_kind(call, &alloy_not_found,
                         "There is nothing at this path: tools are served "
                         "here, below /x/ and at /readonly.");
    }
    if (call->r->method_number != M_POST) {
        call->headers = apr_table_make(call->pool, 1);
        apr_table_setn(call->headers, "Allow", "POST");
        return send_kind(call, &alloy_method_not_allowed,
                         "Messages come by POST; there is no stream to GET "
                         "and no session to DELETE.");
    }
    return answer_post(call);
}

static int answer_request(request_rec *r)
{
    const visit_t *visit = visit_of(r);
    mcp_call_t *call;

    if (!visit || r->proxyreq) {
        return DECLINED;
    }
    call = apr_pcalloc(r->pool, sizeof(*call));
    call->r = r;
    call->pool = r->pool;
    call->front = alloy_front_make(r, "mcp");
    if (!call->front) {
        return DECLINED;
    }
    return visit->metadata
           ? mcp_metadata_answer(call->front, server_of(r->server), r->pool)
           : answer_place(call, visit->below);
}

/* ---- start ------------------------------------------------------------------------------ */

static int finish_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                         server_rec *main_server)
{
    server_rec *server;

    for (server = main_server; server; server = server->next) {
        const mcp_server_t *own = server_of(server);

        if (own->path) {
            alloy_front_metadata(server, apr_pstrcat(pconf, MCP_WELL_KNOWN,
                                                     own->path, NULL));
        }
    }
    return OK;
}

static void register_hooks(apr_pool_t *pool)
{
    static const alloy_plugin_t plugin = { ALLOY_PLUGIN_INIT, .name = "mcp" };

    ap_register_provider(pool, ALLOY_PLUGIN_GROUP, "mcp", ALLOY_PLUGIN_VERSION,
                         &plugin);
    ap_hook_post_config(finish_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_translate_name(claim_request, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(answer_request, NULL, NULL, APR_HOOK_MIDDLE);
}

module alloy_mcp_module = {
    STANDARD20_MODULE_STUFF,
    make_place, merge_place, make_server, merge_server, directives,
    register_hooks
};
