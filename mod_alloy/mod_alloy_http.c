/*
 * From httpd's request to the engine's and back: which requests are ours,
 * their bodies within limits, the answer as one brigade.
 */
#include "mod_alloy.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <http_protocol.h>
#include <http_request.h>

#include "core/limits.h"
#include "core/problem.h"
#include "core/utf8.h"

#define HANDLER "alloy"
#define NO_PROXY "no-proxy" /* keeps a ProxyPass of / from our paths */
#define ID_NOTE "alloy-request-id"
#define FIRST_ROOM 4096    /* bytes for a body of unknown length */
#define READ_AT_ONCE 65536 /* bytes asked of the input filters */
#define WORTH_READING                                                          \
    16384 /* bytes of a body nobody wanted, so that the
                                 * connection can be used again */

/** What we keep with a request of ours. */
typedef struct {
    int root;      /* one of the paths at the server's root */
    int body_read; /* to its end */
    int answered;  /* an input filter did: AP_FILTER_ERROR */
} visit_t;

/* ---- which requests are ours --------------------------------------------- */

int alloy_http_below(const char *uri, const char *prefix)
{
    size_t length = strlen(prefix);

    return *uri == '/' && !strncmp(uri, prefix, length)
           && (!uri[length] || uri[length] == '/' || !length);
}

static const alloy_place_t *place_of(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &alloy_module);
}

static visit_t *visit_of(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &alloy_module);
}

/** Paths at the root are those of operations that say so. */
static int is_root_path(const alloy_server_t *own, const char *uri)
{
    int i, count = alloy_registry_count(own->registry);

    for (i = 0; i < count; i++) {
        const alloy_operation_t *row = alloy_registry_op(own->registry, i)->row;

        if ((row->flags & ALLOY_ROOT) && !strcmp(row->path, uri)) {
            return 1;
        }
    }
    return 0;
}

static int is_at_place(const request_rec *r, const alloy_server_t *own)
{
    const alloy_place_t *place = place_of(r);

    return place->on > 0 && !strcmp(place->prefix, own->prefix)
           && alloy_http_below(r->uri, own->prefix);
}

static void begin_visit(request_rec *r, int root)
{
    visit_t *visit = apr_pcalloc(r->pool, sizeof(*visit));

    visit->root = root;
    ap_set_module_config(r->request_config, &alloy_module, visit);
    if (!r->log_id) {
        r->log_id = alloy_http_request_id(r);
    }
    apr_table_setn(r->subprocess_env, NO_PROXY, "1");
    alloy_error_mute_documents(r, 1);
}

void alloy_http_claim(request_rec *r)
{
    begin_visit(r, 0);
}

static void end_visit(request_rec *r)
{
    ap_set_module_config(r->request_config, &alloy_module, NULL);
    apr_table_unset(r->subprocess_env, NO_PROXY);
    alloy_error_mute_documents(r, 0);
}

/** Before httpd has looked at the path's encoding: when it refuses that, the
 *  refusal is in our form as well. */
static int expect_request(request_rec *r)
{
    const alloy_server_t *own = alloy_config_of(r->server);

    if (own->prefix && alloy_http_below(r->uri, own->prefix)) {
        begin_visit(r, 0);
    }
    return DECLINED;
}

/** The first hook that knows the request's <Location>. */
static int claim_request(request_rec *r)
{
    const alloy_server_t *own = alloy_config_of(r->server);
    int at_place;

    if (!own->prefix) {
        return DECLINED;
    }
    at_place = is_at_place(r, own);
    if (at_place && visit_of(r)) {
        return DECLINED;
    }
    if (visit_of(r)) {
        end_visit(r);
    }
    if (at_place) {
        begin_visit(r, 0);
    } else if (own->settings[ALLOY_SET_ROOT_PATHS] > 0
               && is_root_path(own, r->uri)) {
        begin_visit(r, 1);
    }
    return DECLINED;
}

/** mod_rewrite may send a path of ours to another place, or the other way.  It
 *  leaves parsed_uri alone, whose path the URI is before that. */
static int follow_rewriting(request_rec *r)
{
    const alloy_server_t *own = alloy_config_of(r->server);

    if (!own->prefix || r->uri == r->parsed_uri.path) {
        return DECLINED;
    }
    if (visit_of(r)) {
        end_visit(r);
    }
    if (alloy_http_below(r->uri, own->prefix)) {
        begin_visit(r, 0);
    }
    return DECLINED;
}

/** Redirects come before; here the path would become a file's.  Its name has
 *  no suffix that mod_mime knows, so that it adds no filter of its own. */
static int translate_name(request_rec *r)
{
    if (!visit_of(r) || r->proxyreq) {
        return DECLINED;
    }
    r->filename = apr_pstrdup(r->pool, "alloy:");
    return OK;
}

/** There is no file to look for, even if an Alias named one. */
static int map_to_storage(request_rec *r)
{
    if (translate_name(r) != OK) {
        return DECLINED;
    }
    r->handler = HANDLER;
    return OK;
}

/* ---- the request id ------------------------------------------------------ */

const char *alloy_http_request_id(request_rec *r)
{
    const char *id = apr_table_get(r->notes, ID_NOTE);

    if (id) {
        return id;
    }
    id = apr_table_get(r->headers_in, "X-Request-Id");
    if (!id || !alloy_request_id_fits(id)) {
        id = alloy_request_id_make(r->pool);
    }
    apr_table_setn(r->notes, ID_NOTE, id);
    return id;
}

/** version-traceid-parentid-flags (W3C Trace Context, section 3.2.2) */
static int is_traceparent(const char *text)
{
    static const char form[] = "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-"
                               "hhhhhhhhhhhhhhhh-hh";
    size_t i;

    for (i = 0; form[i]; i++) {
        if (form[i] == 'h' ? !strchr("0123456789abcdef", text[i]) || !text[i]
                           : text[i] != form[i]) {
            return 0;
        }
    }
    return !text[i] && strncmp(text, "ff", 2)
           && strncmp(text + 3, "00000000000000000000000000000000", 32)
           && strncmp(text + 36, "0000000000000000", 16);
}

static void note_trace(request_rec *r)
{
    const char *trace = apr_table_get(r->headers_in, "traceparent");

    if (trace && is_traceparent(trace)) {
        apr_table_setn(r->notes, "alloy-traceparent", trace);
    }
}

/* ---- bodies -------------------------------------------------------------- */

typedef struct {
    char *bytes;
    apr_size_t length, room, limit; /* room: without the NUL at the end */
    int ended;
} body_t;

static apr_status_t append(body_t *body, const char *bytes, apr_size_t length,
                           apr_pool_t *pool)
{
    if (length > body->limit - body->length) {
        return APR_ENOSPC;
    }
    if (length > body->room - body->length) {
        apr_size_t room = body->room * 2;
        char *grown;

        if (room < body->length + length) {
            room = body->length + length;
        }
        grown = apr_palloc(pool, room + 1);
        memcpy(grown, body->bytes, body->length);
        body->bytes = grown;
        body->room = room;
    }
    memcpy(body->bytes + body->length, bytes, length);
    body->length += length;
    return APR_SUCCESS;
}

static apr_status_t append_brigade(body_t *body, apr_bucket_brigade *brigade,
                                   apr_pool_t *pool)
{
    apr_bucket *bucket;

    for (bucket = APR_BRIGADE_FIRST(brigade);
         bucket != APR_BRIGADE_SENTINEL(brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        const char *bytes;
        apr_size_t length;
        apr_status_t status;

        if (APR_BUCKET_IS_EOS(bucket)) {
            body->ended = 1;
            return APR_SUCCESS;
        }
        if (APR_BUCKET_IS_METADATA(bucket)) {
            continue;
        }
        status = apr_bucket_read(bucket, &bytes, &length, APR_BLOCK_READ);
        if (status == APR_SUCCESS) {
            status = append(body, bytes, length, pool);
        }
        if (status != APR_SUCCESS) {
            return status;
        }
    }
    return APR_SUCCESS;
}

static apr_status_t read_to_end(body_t *body, request_rec *r)
{
    apr_bucket_brigade *brigade =
        apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_status_t status = APR_SUCCESS;

    while (!body->ended && status == APR_SUCCESS) {
        status = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES,
                                APR_BLOCK_READ, READ_AT_ONCE);
        if (status == APR_SUCCESS) {
            status = append_brigade(body, brigade, r->pool);
        }
        apr_brigade_cleanup(brigade);
    }
    apr_brigade_destroy(brigade);
    return status;
}

static alloy_problem_t *refuse_length(request_rec *r, apr_size_t limit)
{
    r->connection->keepalive = AP_CONN_CLOSE;
    return alloy_problem_make(
        r->pool, &alloy_payload_too_large,
        "This operation takes bodies of at most %" APR_SIZE_T_FMT
        " bytes: send less.",
        limit);
}

static alloy_problem_t *explain_failure(request_rec *r, apr_status_t status,
                                        apr_size_t limit)
{
    int http = ap_map_http_request_error(status, HTTP_BAD_REQUEST);

    r->connection->keepalive = AP_CONN_CLOSE;
    if (http == AP_FILTER_ERROR) {
        visit_of(r)->answered = 1;
    } else {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, status, r,
                      "AL0310: the body could not be read");
    }
    if (http == HTTP_REQUEST_ENTITY_TOO_LARGE) {
        return refuse_length(r, limit);
    }
    if (http == HTTP_REQUEST_TIME_OUT) {
        return alloy_problem_make(r->pool, &alloy_request_timeout,
                                  "The body did not arrive in time: send the "
                                  "request again over a faster connection.");
    }
    return alloy_problem_make(r->pool, &alloy_bad_request,
                              "The body ended too early or is not framed as "
                              "HTTP says: send the request again with a "
                              "correct Content-Length or chunked.");
}

/** alloy_request_t's `body`. */
static alloy_problem_t *read_body(void *baton, const char **bytes,
                                  apr_size_t *length, apr_size_t limit)
{
    request_rec *r = baton;
    const char *field = apr_table_get(r->headers_in, "Content-Length");
    apr_off_t declared = 0;
    body_t body = { .limit = limit };
    apr_status_t status;

    if (field && !ap_parse_strict_length(&declared, field)) {
        return explain_failure(r, APR_EGENERAL, limit);
    }
    if (declared > (apr_off_t)limit) {
        return refuse_length(r, limit);
    }
    body.room = field ? (apr_size_t)declared : FIRST_ROOM;
    body.bytes = apr_palloc(r->pool, body.room + 1);
    status = read_to_end(&body, r);
    if (status != APR_SUCCESS) {
        return explain_failure(r, status, limit);
    }
    visit_of(r)->body_read = 1;
    body.bytes[body.length] = '\0';
    *bytes = body.bytes;
    *length = body.length;
    return NULL;
}

/** httpd reads what is left of a body before the next request of the
 *  connection.  Where that may be much, or the client still waits for leave
 *  to send it, the connection ends instead. */
static void leave_body(request_rec *r)
{
    const char *field = apr_table_get(r->headers_in, "Content-Length");
    apr_off_t declared = 0;

    if (visit_of(r)->body_read || !ap_request_has_body(r)) {
        return;
    }
    if (r->expecting_100 || !field || !ap_parse_strict_length(&declared, field)
        || declared > WORTH_READING) {
        r->connection->keepalive = AP_CONN_CLOSE;
    }
}

/* ---- the answer ---------------------------------------------------------- */

static void note(request_rec *r, const char *name, const char *value)
{
    if (value) {
        apr_table_setn(r->notes, name, value);
    }
}

void alloy_http_put_header(request_rec *r, const alloy_answer_t *answer)
{
    apr_table_t *fields = r->headers_out;

    r->status = answer->status;
    r->status_line = NULL;
    r->content_encoding = NULL; /* mod_mime may have guessed */
    r->content_languages = NULL;
    ap_set_content_type_ex(r, answer->type, 1);
    if (answer->headers) {
        fields = apr_table_overlay(r->pool, answer->headers, fields);
        r->headers_out = fields;
    }
    apr_table_setn(fields, "X-Request-Id", alloy_http_request_id(r));
    apr_table_setn(fields, "X-Content-Type-Options", "nosniff");
    if (!apr_table_get(fields, "Cache-Control")) {
        apr_table_setn(fields, "Cache-Control", "no-store");
    }
    if (!AP_STATUS_IS_HEADER_ONLY(answer->status)) {
        ap_set_content_length(r, answer->type ? (apr_off_t)answer->length : 0);
    }
    note(r, "alloy-operation", answer->op ? answer->op->row->id : NULL);
    note(r, "alloy-user", answer->user);
    note(r, "alloy-org", answer->org);
    note(r, "alloy-code", answer->code);
}

/** The status is sent as it is and the handler says OK: a handler that
 *  returned it would let ErrorDocument choose the body. */
int alloy_http_send(request_rec *r, const alloy_answer_t *answer)
{
    apr_bucket_alloc_t *buckets = r->connection->bucket_alloc;
    apr_bucket_brigade *brigade = apr_brigade_create(r->pool, buckets);
    apr_status_t status;

    if (visit_of(r)->answered) {
        return AP_FILTER_ERROR;
    }
    leave_body(r);
    alloy_http_put_header(r, answer);
    if (answer->type && answer->length
        && !AP_STATUS_IS_HEADER_ONLY(answer->status)) {
        APR_BRIGADE_INSERT_TAIL(brigade,
                                apr_bucket_pool_create(answer->body,
                                                       answer->length, r->pool,
                                                       buckets));
    }
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(buckets));
    status = ap_pass_brigade(r->output_filters, brigade);
    if (status != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, status, r,
                      "AL0311: the client did not take the answer");
    }
    return OK;
}

/* ---- the request --------------------------------------------------------- */

static const char *read_header(void *baton, const char *name)
{
    const request_rec *r = baton;

    return apr_table_get(r->headers_in, name);
}

/** What is kept with each change: no more than a name's worth, and no bytes the
 *  database would refuse (field values may be any: RFC 9110, section 5.5). */
static const char *read_client_name(const request_rec *r)
{
    const char *agent = apr_table_get(r->headers_in, "User-Agent");

    return agent ? apr_pstrmemdup(r->pool, agent,
                                  alloy_utf8_prefix(agent, ALLOY_NAME_LIMIT))
                 : NULL;
}

void alloy_http_describe(alloy_request_t *request, request_rec *r)
{
    memset(request, 0, sizeof(*request));
    request->pool = r->pool;
    request->method = r->method ? r->method : "";
    request->path = "/";
    request->accept = apr_table_get(r->headers_in, "Accept");
    request->address = r->useragent_ip;
    request->client = "rest";
    request->client_name = read_client_name(r);
    request->request_id = alloy_http_request_id(r);
    request->server = r->server;
    request->baton = r;
    request->body = read_body;
    request->header = read_header;
}

/** The path as httpd's own rules saw it, encoded again: what a <Location>
 *  allowed is what the engine routes, whatever way it was written. */
static const char *path_below(request_rec *r, const char *prefix)
{
    const char *path = r->uri + strlen(prefix);

    return *path ? ap_os_escape_path(r->pool, path, 1) : "/";
}

/** httpd drops Content-Length where Transfer-Encoding stands as well and marks
 *  the connection; nothing else marks one of HTTP/1 that early.  Such a pair
 *  is how requests are smuggled (RFC 9112, section 11.2). */
static int is_framed_twice(const request_rec *r)
{
    return r->proto_num < HTTP_VERSION(2, 0)
           && r->connection->keepalive == AP_CONN_CLOSE && !r->main && !r->prev
           && apr_table_get(r->headers_in, "Transfer-Encoding");
}

static const alloy_problem_t *find_fault(request_rec *r,
                                         const alloy_server_t *own)
{
    if (is_framed_twice(r)) {
        return alloy_problem_make(r->pool, &alloy_bad_request,
                                  "The request has both Content-Length and "
                                  "Transfer-Encoding: send one of them.");
    }
    if (!own->engine) {
        return alloy_problem_make(r->pool, &alloy_unavailable,
                                  "The service could not start: try again "
                                  "later, and tell its administrator.");
    }
    return NULL;
}

static int answer_request(request_rec *r)
{
    const alloy_server_t *own = alloy_config_of(r->server);
    const visit_t *visit = visit_of(r);
    const alloy_problem_t *fault;
    alloy_answer_t answer = { 0 };
    alloy_request_t request;

    if (!visit || r->proxyreq || !(visit->root || is_at_place(r, own))) {
        return DECLINED;
    }
    note_trace(r);
    alloy_http_describe(&request, r);
    request.root = visit->root;
    request.path = path_below(r, request.root ? "" : own->prefix);
    request.query = r->args;
    request.authorization = apr_table_get(r->headers_in, "Authorization");
    request.content_type = apr_table_get(r->headers_in, "Content-Type");
    fault = find_fault(r, own);
    if (fault) {
        alloy_engine_refuse(&answer, &own->config, &request, fault);
    } else {
        alloy_engine_run(&answer, own->engine, &request);
    }
    return alloy_http_send(r, &answer);
}

void alloy_http_hooks(void)
{
    static const char *const before[] = { "mod_rewrite.c", NULL };
    static const char *const after[] = { "mod_proxy.c", NULL };

    ap_hook_post_read_request(expect_request, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_translate_name(claim_request, NULL, NULL,
                               APR_HOOK_REALLY_FIRST);
    ap_hook_translate_name(follow_rewriting, before, after, APR_HOOK_FIRST);
    ap_hook_translate_name(translate_name, NULL, NULL, APR_HOOK_LAST);
    ap_hook_map_to_storage(map_to_storage, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_handler(answer_request, NULL, NULL, APR_HOOK_FIRST);
}
