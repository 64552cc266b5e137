/*
 * Errors that are httpd's own (a header too large, a body too long, a request
 * another module refused) on our paths: the same problem documents as the
 * engine's, whatever ErrorDocument says.
 */
#include "mod_alloy.h"

#include <apr_strings.h>

#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

#include "core/problem.h"

#define FILTER "ALLOY_PROBLEM"

/** What to say to a status of httpd's. */
typedef struct {
    int status;
    const alloy_problem_kind_t *kind;
    const char *detail;
} saying_t;

static const saying_t sayings[] = {
    { HTTP_BAD_REQUEST, &alloy_bad_request,
      "The request is not valid HTTP: correct its request line, its header and "
      "the framing of its body." },
    { HTTP_UNAUTHORIZED, &alloy_unauthorized,
      "This server asks for credentials before Alloy does: send those that "
      "WWW-Authenticate names." },
    { HTTP_FORBIDDEN, &alloy_forbidden,
      "This server's own rules do not let this request in: ask its "
      "administrator." },
    { HTTP_NOT_FOUND, &alloy_not_found,
      "There is nothing at this path. An encoded slash (%2F) is not allowed in "
      "a path: use the id instead of the name." },
    { HTTP_METHOD_NOT_ALLOWED, &alloy_method_not_allowed,
      "This server does not allow the method: use one of those in Allow." },
    { HTTP_NOT_ACCEPTABLE, &alloy_not_acceptable,
      "Nothing here has a type that Accept asks for: accept "
      "application/json." },
    { HTTP_REQUEST_TIME_OUT, &alloy_request_timeout,
      "The request did not arrive in time: send it again." },
    { HTTP_REQUEST_ENTITY_TOO_LARGE, &alloy_payload_too_large,
      "The body is longer than this server takes: send less." },
    { HTTP_REQUEST_URI_TOO_LARGE, &alloy_uri_too_long,
      "The request line is longer than this server takes: shorten the query "
      "or split the request." },
    { HTTP_UNSUPPORTED_MEDIA_TYPE, &alloy_unsupported_media_type,
      "This server does not take the body's type: send application/json." },
    { HTTP_TOO_MANY_REQUESTS, &alloy_rate_limited,
      "Too many requests: wait before the next one." },
    { HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, &alloy_headers_too_large,
      "The header is larger than this server takes: send fewer or shorter "
      "fields." },
    { HTTP_INTERNAL_SERVER_ERROR, &alloy_internal,
      "The server met a fault of its own: its error log has it under this "
      "request id." },
    { HTTP_SERVICE_UNAVAILABLE, &alloy_unavailable,
      "The server can't answer now: try again later." },
};

/** A status without a kind of its own borrows the code of the nearest. */
static const saying_t *borrow_saying(int status, apr_pool_t *pool)
{
    alloy_problem_kind_t *kind = apr_pmemdup(pool,
                                             status >= 500 ? &alloy_internal
                                                           : &alloy_bad_request,
                                             sizeof(*kind));
    saying_t *saying = apr_pcalloc(pool, sizeof(*saying));

    kind->status = status;
    kind->title = ap_get_status_line(status) + 4;
    saying->status = status;
    saying->kind = kind;
    saying->detail = "The server refused the request before Alloy saw it: "
                     "the title says what is wrong with it.";
    return saying;
}

static const saying_t *find_saying(int status, apr_pool_t *pool)
{
    apr_size_t i;

    for (i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++) {
        if (sayings[i].status == status) {
            return &sayings[i];
        }
    }
    return borrow_saying(status, pool);
}

/** httpd says 400 to a header over its limits; only its note tells. */
static int true_status(request_rec *r)
{
    const char *why = apr_table_get(r->notes, "error-notes");

    if (r->status == HTTP_BAD_REQUEST && why && strstr(why, "header field")
        && strstr(why, "limit")) {
        return HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
    }
    return r->status;
}

static void make_answer(alloy_answer_t *answer, request_rec *r)
{
    const saying_t *saying = find_saying(true_status(r), r->pool);
    alloy_request_t request;

    memset(answer, 0, sizeof(*answer));
    alloy_http_describe(&request, r);
    alloy_engine_refuse(answer, &alloy_config_of(r->server)->config, &request,
                        alloy_problem_make(r->pool, saying->kind, "%s",
                                           saying->detail));
    if (apr_table_get(r->headers_out, "WWW-Authenticate")) {
        apr_table_unset(answer->headers, "WWW-Authenticate");
    }
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r,
                  "AL0320: status %d of httpd's own becomes a problem",
                  answer->status);
}

static int find_eos(apr_bucket_brigade *brigade)
{
    apr_bucket *bucket;

    for (bucket = APR_BRIGADE_FIRST(brigade);
         bucket != APR_BRIGADE_SENTINEL(brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        if (APR_BUCKET_IS_EOS(bucket)) {
            return 1;
        }
    }
    return 0;
}

/** Swallows httpd's page and, at its end, sends ours. */
static apr_status_t replace_page(ap_filter_t *filter,
                                 apr_bucket_brigade *brigade)
{
    apr_bucket_alloc_t *buckets = filter->c->bucket_alloc;
    request_rec *r = filter->r;
    alloy_answer_t answer;
    int ended = find_eos(brigade);

    apr_brigade_cleanup(brigade);
    if (!ended) {
        return APR_SUCCESS;
    }
    make_answer(&answer, r);
    alloy_http_put_header(r, &answer);
    APR_BRIGADE_INSERT_TAIL(brigade,
                            apr_bucket_pool_create(answer.body, answer.length,
                                                   r->pool, buckets));
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(buckets));
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, brigade);
}

/** Where the request was going to.  One that httpd could not read has no URI
 *  yet, but the beginning of its line. */
static const char *aimed_at(const request_rec *r)
{
    const char *space;

    if (r->uri) {
        return r->uri;
    }
    space = r->the_request ? strchr(r->the_request, ' ') : NULL;
    return space ? apr_pstrmemdup(r->pool, space + 1, strcspn(space + 1, " ?"))
                 : "";
}

static void insert_filter(request_rec *r)
{
    const alloy_server_t *own = alloy_config_of(r->server);

    if (r->status < 400 || r->proxyreq || !own->prefix) {
        return;
    }
    if (ap_get_module_config(r->request_config, &alloy_module)
        || alloy_http_below(aimed_at(r), own->prefix)) {
        ap_add_output_filter(FILTER, NULL, r, r->connection);
    }
}

/** An empty text for every error: httpd prefers it to an ErrorDocument, which
 *  may be another path, and the filter above replaces it. */
void alloy_error_mute_documents(request_rec *r, int mute)
{
    char *nothing = apr_pstrdup(r->pool, "\"");
    core_request_config *core = ap_get_core_module_config(r->request_config);
    char **texts = apr_pcalloc(r->pool, RESPONSE_CODES * sizeof(*texts));
    int i;

    for (i = ap_index_of_response(HTTP_BAD_REQUEST); i < RESPONSE_CODES; i++) {
        texts[i] = nothing;
    }
    core->response_code_strings = mute ? texts : NULL;
}

void alloy_error_hooks(void)
{
    ap_register_output_filter(FILTER, replace_page, NULL, AP_FTYPE_RESOURCE);
    ap_hook_insert_error_filter(insert_filter, NULL, NULL, APR_HOOK_MIDDLE);
}
