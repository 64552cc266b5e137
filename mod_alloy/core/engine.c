/*
 * The engine: what a child process has, and a request from its first look at
 * the path to its answer.
 */
#include "call.h"

#include <string.h>

#include <apr_strings.h>

#include "arguments.h"
#include "compatible.h"
#include "convention.h"
#include "limits.h"
#include "log.h"
#include "media.h"

#define FRESH_TRIES 3

apr_status_t alloy_engine_make(alloy_engine_t **pengine,
                               const alloy_config_t *config,
                               const alloy_registry_t *registry,
                               apr_pool_t *pool)
{
    alloy_engine_t *engine = apr_pcalloc(pool, sizeof(*engine));
    apr_status_t status;

    engine->config = config;
    engine->registry = registry;
    engine->router = alloy_router_make(registry, pool);
    engine->started = apr_time_now();
    status = alloy_secret_hasher_make(&engine->hasher, config->hashers, pool);
    if (!status) {
        status = alloy_db_make(&engine->db, &config->db, pool);
    }
    if (!status) {
        status = alloy_wake_make(&engine->wake, engine->db, config->waiters,
                                 pool);
    }
    if (!status) {
        alloy_compatible_expect(engine, pool);
        status = alloy_identity_make(&engine->identity, engine->db, config,
                                     pool);
    }
    *pengine = engine;
    return status;
}

void alloy_engine_stop(alloy_engine_t *engine)
{
    alloy_wake_stop(engine->wake);
}

const char *alloy_request_id_make(apr_pool_t *pool)
{
    char *text = apr_palloc(pool, ALLOY_ID_TEXT + 1);
    alloy_id_t id;

    alloy_id_make_org(&id);
    alloy_id_format(&id, text);
    return text;
}

int alloy_request_id_fits(const char *text)
{
    apr_size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "abcdefghijklmnopqrstuvwxyz"
                                     "0123456789._-");

    return length > 0 && length <= ALLOY_REQUEST_ID_LIMIT && !text[length];
}

const char *alloy_request_header(const alloy_request_t *request,
                                 const char *name)
{
    return request->header ? request->header(request->baton, name) : NULL;
}

/* ---- answers ---------------------------------------------------------------------- */

static const char *base_of(const alloy_config_t *config, apr_pool_t *pool)
{
    return apr_pstrcat(pool, config->base_url, config->prefix, NULL);
}

/* RFC 6750, section 3, and RFC 9728, section 5.1. */
static void challenge(alloy_answer_t *answer, const alloy_config_t *config,
                      const alloy_request_t *request)
{
    const char *metadata = config->resource_metadata;

    apr_table_setn(answer->headers, "WWW-Authenticate",
                   apr_pstrcat(request->pool, "Bearer realm=\"alloy\"",
                               request->authorization
                               ? ", error=\"invalid_token\"" : "",
                               metadata ? ", resource_metadata=\"" : NULL,
                               metadata, "\"", NULL));
}

void alloy_engine_refuse(alloy_answer_t *answer, const alloy_config_t *config,
                         const alloy_request_t *request,
                         const alloy_problem_t *problem)
{
    alloy_out_t *out = alloy_out_make(request->pool, 512);

    alloy_problem_write(out, problem, base_of(config, request->pool),
                        request->request_id);
    answer->status = problem->kind->status;
    answer->code = problem->kind->code;
    answer->type = "application/problem+json";
    answer->body = out->bytes;
    answer->length = out->length;
    if (!answer->headers) {
        answer->headers = apr_table_make(request->pool, 4);
    }
    apr_table_unset(answer->headers, "Location");
    apr_table_unset(answer->headers, "Link");
    if (problem->retry_after) {
        apr_table_setn(answer->headers, "Retry-After",
                       apr_itoa(request->pool, problem->retry_after));
    }
    if (answer->status == 401) {
        challenge(answer, config, request);
    }
}

/* ---- one run after another --------------------------------------------------------- */

static alloy_problem_t *identify(alloy_call_t *call, int fresh)
{
    const alloy_operation_t *row = call->op->row;
    alloy_problem_t *problem;

    if (row->role == ALLOY_PUBLIC
        && !((row->flags & ALLOY_TOKEN_READ)
             && call->request->authorization)) {
        return NULL;
    }
    problem = alloy_identity_read(&call->principal, call->engine->identity,
                                  call->request->authorization, fresh,
                                  &call->cached, call->pool);
    if (problem) {
        call->principal = NULL;
        return row->role == ALLOY_PUBLIC && problem->kind->status == 401
               ? NULL : problem;
    }
    call->answer->user = call->principal->user;
    return NULL;
}

/* A reference in a body or query that led nowhere. */
static int names_lost(const alloy_problem_t *problem)
{
    return problem->faults && !strcmp(problem->faults->code, "not_found");
}

/* Fields of draft-ietf-httpapi-ratelimit-headers: the policy and what is left
 * of it. */
static alloy_problem_t *count_request(alloy_call_t *call, char kind,
                                      const char *who, int limit)
{
    apr_table_t *headers = call->answer->headers;
    alloy_quota_t quota;

    if (!limit || !who || !call->engine->config->rate) {
        return NULL;
    }
    alloy_rate_count(&quota, call->engine->config->rate, kind, who, limit);
    apr_table_setn(headers, "RateLimit-Policy",
                   apr_psprintf(call->pool, "\"default\";q=%d;w=60",
                                quota.limit));
    apr_table_setn(headers, "RateLimit",
                   apr_psprintf(call->pool, "\"default\";r=%d;t=%d",
                                quota.remaining, quota.reset));
    if (!quota.retry) {
        return NULL;
    }
    return alloy_problem_retry(
        alloy_problem(call, &alloy_rate_limited,
                      "More than %d requests came within a minute; go on "
                      "after the time in Retry-After.", limit), quota.retry);
}

/* Once a request, whatever it takes to answer it. */
static alloy_problem_t *count_caller(alloy_call_t *call)
{
    const alloy_config_t *config = call->engine->config;
    const alloy_principal_t *principal = call->principal;

    if (call->counted) {
        return NULL;
    }
    call->counted = 1;
    ALLOY_TRY(count_request(call, 'a', call->request->address,
                            config->address_rate));
    return principal
        ? count_request(call, 't', principal->key ? principal->key
                                                  : principal->session,
                        config->token_rate)
        : NULL;
}

static int is_refusal(const alloy_problem_t *problem)
{
    int status = problem->kind->status;

    return status == 401 || status == 403 || status == 404
           || problem->kind == &alloy_ambiguous_reference
           || names_lost(problem);
}

/* No refusal is given on the word of the cache alone. */
static alloy_problem_t *confirm(alloy_call_t *call, alloy_problem_t *problem)
{
    alloy_problem_t *other;

    if (!problem || call->stale || !call->principal || call->verified
        || !is_refusal(problem)) {
        return problem;
    }
    other = alloy_call_verify(call);
    return other ? other : problem;
}

static alloy_problem_t *run_current(alloy_call_t *call)
{
    alloy_problem_t *problem;
    int tries = 0;

    do {
        call->stale = call->verified = 0;
        call->answer->status = call->op->row->flags & ALLOY_CREATES ? 201
                                                                    : 200;
        ALLOY_TRY(identify(call, tries > 0));
        ALLOY_TRY(count_caller(call));
        problem = confirm(call, alloy_call_run(call));
    } while (call->stale && ++tries < FRESH_TRIES);
    return problem;
}

/* ---- before there is a call ----------------------------------------------------------- */

static alloy_problem_t *no_path(const alloy_request_t *request)
{
    return alloy_problem_make(request->pool, &alloy_not_found,
                              "There is nothing at this path; /openapi.json "
                              "lists what there is.");
}

static alloy_problem_t *wrong_method(alloy_answer_t *answer,
                                     const alloy_route_t *route,
                                     const alloy_request_t *request)
{
    const char *allow = alloy_route_allow(route->methods, request->pool);

    apr_table_setn(answer->headers, "Allow", allow);
    return alloy_problem_make(request->pool, &alloy_method_not_allowed,
                              "This path does not know the method %.20s; "
                              "it knows %s.", request->method, allow);
}

static int accepts_json(const char *accept)
{
    return !accept || !*accept || strstr(accept, "*/*")
           || strstr(accept, "application/*") || strstr(accept, "json");
}

static int accepts_answer(const alloy_operation_t *row, const char *accept)
{
    return accepts_json(accept)
           || strcmp(alloy_media_choose(row, accept), ALLOY_JSON_TYPE);
}

static alloy_problem_t *check_request(alloy_answer_t *answer,
                                      const alloy_engine_t *engine,
                                      const alloy_request_t *request,
                                      const alloy_route_t *route)
{
    if (!route->methods
        || (request->root && route->op
            && !(route->op->row->flags & ALLOY_ROOT))) {
        return no_path(request);
    }
    if (!route->op) {
        return wrong_method(answer, route, request);
    }
    if (route->op->row->answer
        && !accepts_answer(route->op->row, request->accept)) {
        return alloy_problem_make(request->pool, &alloy_not_acceptable,
                                  "This operation answers %s%s; say so in "
                                  "Accept, or leave it out.",
                                  alloy_media_list(route->op->row,
                                                   request->pool),
                                  alloy_media_varies(route->op->row) ? ""
                                                                     : " only");
    }
    return alloy_compatible_check(engine, route->op, request->pool);
}

static void run_call(alloy_answer_t *answer, alloy_engine_t *engine,
                     const alloy_request_t *request,
                     const alloy_route_t *route)
{
    alloy_call_t *call = apr_pcalloc(request->pool, sizeof(*call));
    alloy_problem_t *problem;

    call->pool = request->pool;
    call->engine = engine;
    call->request = request;
    call->op = route->op;
    call->route = route;
    call->answer = answer;
    problem = run_current(call);
    answer->org = call->org_id;
    if (problem) {
        alloy_engine_refuse(answer, engine->config, request, problem);
        return;
    }
    alloy_finish(call);
}

void alloy_engine_run(alloy_answer_t *answer, alloy_engine_t *engine,
                      const alloy_request_t *request)
{
    alloy_problem_t *problem;
    alloy_route_t route;

    memset(answer, 0, sizeof(*answer));
    answer->headers = apr_table_make(request->pool, 8);
    alloy_route_find(&route, engine->router, request->method, request->path,
                     request->pool);
    answer->op = route.op;
    if (route.options && route.methods) {
        answer->status = 204;
        apr_table_setn(answer->headers, "Allow",
                       alloy_route_allow(route.methods, request->pool));
        return;
    }
    problem = check_request(answer, engine, request, &route);
    if (problem) {
        alloy_engine_refuse(answer, engine->config, request, problem);
        return;
    }
    run_call(answer, engine, request, &route);
}

void alloy_engine_run_tool(alloy_answer_t *answer, alloy_engine_t *engine,
                           const alloy_request_t *request)
{
    const alloy_op_t *op = request->tool->op;
    alloy_problem_t *problem = alloy_compatible_check(engine, op,
                                                      request->pool);
    alloy_route_t route;

    memset(answer, 0, sizeof(*answer));
    memset(&route, 0, sizeof(route));
    answer->headers = apr_table_make(request->pool, 8);
    answer->op = route.op = op;
    if (problem) {
        alloy_engine_refuse(answer, engine->config, request, problem);
        return;
    }
    run_call(answer, engine, request, &route);
}
