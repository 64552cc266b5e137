/*
 * Fronts: whoever speaks another protocol than REST gets the same pipeline,
 * with a tool's name and its arguments instead of a method and a path.
 */
#include "front.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "call.h"
#include "limits.h"
#include "path.h"
#include "utf8.h"

#define JSON_TYPE "application/json"
#define PROBLEM_TYPE "application/problem+json"

ALLOY_DECLARE(const char *) alloy_problem_detail(const alloy_problem_t *problem)
{
    return problem->detail;
}

ALLOY_DECLARE(void) alloy_front_client_name(alloy_front_t *front,
                                            const char *name)
{
    front->request.client_name =
        apr_pstrmemdup(front->request.pool, name,
                       alloy_utf8_prefix(name, ALLOY_NAME_LIMIT));
}

ALLOY_DECLARE(const char *) alloy_front_base_url(const alloy_front_t *front)
{
    return front->config->base_url;
}

ALLOY_DECLARE(const char *) alloy_front_version(const alloy_front_t *front)
{
    return front->config->version;
}

ALLOY_DECLARE(alloy_problem_t *) alloy_front_body(alloy_front_t *front,
                                                  const char **bytes,
                                                  apr_size_t *length)
{
    return front->request.body(front->request.baton, bytes, length,
                               front->config->body_limit);
}

/* ---- answers ------------------------------------------------------------------ */

static int is_type(const alloy_answer_t *answer, const char *type)
{
    return answer->type && !strcmp(answer->type, type);
}

/* Tools answer objects: bare arrays and documents are put into one. */
static void wrap(alloy_front_answer_t *answer, const alloy_answer_t *from,
                 apr_pool_t *pool)
{
    alloy_out_t *out = alloy_out_make(pool, from->length + 64);

    alloy_out_begin(out, '{');
    if (is_type(from, JSON_TYPE)) {
        alloy_out_key(out, "items");
        alloy_out_raw(out, from->body, from->length);
    }
    else if (from->type) {
        alloy_out_key(out, "type");
        alloy_out_text(out, from->type);
        alloy_out_key(out, "text");
        alloy_out_text(out, apr_pstrmemdup(pool, from->body, from->length));
    }
    alloy_out_end(out);
    answer->json = alloy_out_bytes(out, &answer->length);
}

static void take_answer(alloy_front_answer_t *answer, alloy_front_t *front,
                        const alloy_answer_t *from)
{
    answer->status = from->status;
    answer->headers = from->headers;
    answer->code = from->code;
    answer->detail = NULL;
    if (from->body && from->length && *from->body == '{'
        && (is_type(from, JSON_TYPE) || is_type(from, PROBLEM_TYPE))) {
        answer->json = from->body;
        answer->length = from->length;
    }
    else {
        wrap(answer, from, front->request.pool);
    }
    front->operation = from->op && from->op->index >= 0 ? from->op->row->id
                                                        : NULL;
    front->user = from->user;
    front->org = from->org;
    front->code = from->code;
}

ALLOY_DECLARE(void) alloy_front_refuse(alloy_front_t *front,
                                       alloy_front_answer_t *answer,
                                       const alloy_problem_t *problem)
{
    alloy_answer_t refused;

    memset(&refused, 0, sizeof(refused));
    alloy_engine_refuse(&refused, front->config, &front->request, problem);
    take_answer(answer, front, &refused);
    answer->detail = problem->detail;
}

ALLOY_DECLARE(alloy_problem_t *) alloy_front_problem(
    alloy_front_t *front, const alloy_problem_kind_t *kind, const char *detail)
{
    return alloy_problem_make(front->request.pool, kind, "%s", detail);
}

static int refuse_without_engine(alloy_front_t *front,
                                 alloy_front_answer_t *answer)
{
    if (front->engine) {
        return 0;
    }
    alloy_front_refuse(front, answer,
                       alloy_problem_make(front->request.pool,
                                          &alloy_unavailable,
                                          "The service could not start: try "
                                          "again later, and tell its "
                                          "administrator."));
    return 1;
}

/* ---- who calls ---------------------------------------------------------------- */

/* No operation of anybody's: it asks whether the token still holds. */
static alloy_problem_t *look_at_caller(alloy_call_t *call)
{
    alloy_front_t *front = call->request->baton;

    ALLOY_TRY(alloy_call_verify(call));
    front->principal = call->principal;
    return NULL;
}

static const alloy_operation_t caller_row = {
    .id = "caller", .method = ALLOY_GET, .path = "/", .noun = "caller",
    .role = ALLOY_SIGNED_IN, .flags = ALLOY_ANY_SCOPE | ALLOY_ROOT,
    .run = look_at_caller,
};

static const alloy_extension_t *const no_extensions[] = { NULL };
static const alloy_hook_t *const no_hooks[] = { NULL };

static const alloy_op_t caller_op = {
    .row = &caller_row, .extensions = no_extensions, .hooks = no_hooks,
    .anchor = -1, .index = -1
};

ALLOY_DECLARE(void) alloy_front_recognize(alloy_front_t *front,
                                          alloy_front_answer_t *answer)
{
    const alloy_principal_t *ignored = NULL;
    alloy_problem_t *problem;
    int cached;

    if (refuse_without_engine(front, answer)) {
        return;
    }
    problem = alloy_identity_read(&ignored, front->engine->identity,
                                  front->request.authorization, 0, &cached,
                                  front->request.pool);
    if (problem) {
        alloy_front_refuse(front, answer, problem);
        return;
    }
    memset(answer, 0, sizeof(*answer));
    answer->status = 200;
}

ALLOY_DECLARE(void) alloy_front_identify(alloy_front_t *front,
                                         alloy_front_answer_t *answer)
{
    static const alloy_tool_use_t use = { &caller_op, "caller", NULL, 0 };
    alloy_request_t request = front->request;
    alloy_answer_t from;

    front->principal = NULL;
    if (refuse_without_engine(front, answer)) {
        return;
    }
    request.baton = front;
    request.header = NULL;
    request.body = NULL;
    request.tool = &use;
    alloy_engine_run_tool(&from, front->engine, &request);
    take_answer(answer, front, &from);
}

alloy_call_t *alloy_front_look(alloy_front_t *front,
                               const alloy_request_t *request)
{
    alloy_call_t *call = apr_pcalloc(request->pool, sizeof(*call));
    alloy_problem_t *problem;

    call->pool = request->pool;
    call->engine = front->engine;
    call->request = request;
    call->op = &caller_op;
    call->answer = apr_pcalloc(request->pool, sizeof(*call->answer));
    problem = alloy_identity_read(&call->principal, front->engine->identity,
                                  request->authorization, 0, &call->cached,
                                  request->pool);
    return problem ? NULL : call;
}

/* ---- tools -------------------------------------------------------------------- */

ALLOY_DECLARE(int) alloy_front_call(alloy_front_t *front,
                                    alloy_front_answer_t *answer,
                                    const char *name,
                                    const alloy_json_t *arguments)
{
    alloy_request_t request = front->request;
    alloy_tool_use_t use = { NULL, name, NULL, 0 };
    alloy_answer_t from;
    int fits, again;

    if (refuse_without_engine(front, answer)) {
        return 1;
    }
    use.op = alloy_registry_tool(front->engine->registry, name);
    if (!use.op) {
        return 0;
    }
    use.settled = alloy_op_tool(use.op, name);
    request.method = alloy_method_name(use.op->row->method);
    request.path = use.op->row->path;
    request.header = NULL;
    request.body = NULL;
    request.accept = NULL;
    request.tool = &use;
    request.arguments = arguments;
    do {
        alloy_engine_run_tool(&from, front->engine, &request);
        take_answer(answer, front, &from);
        fits = from.status < 400 ? alloy_fit(front, answer, &request) : 0;
        again = fits && !use.most;
        use.most = fits;
    } while (again);
    return 1;
}

/* "create_ticket" as "Create ticket". */
static const char *title_of(const char *name, apr_pool_t *pool)
{
    char *title = apr_pstrdup(pool, name), *at;

    *title = (char)apr_toupper(*title);
    for (at = title; *at; at++) {
        if (*at == '_') {
            *at = ' ';
        }
    }
    return title;
}

static void add_tool(apr_array_header_t *tools, const alloy_op_t *op,
                     const char *name, const alloy_tool_t *settled)
{
    alloy_front_tool_t *tool = apr_array_push(tools);
    alloy_tool_use_t *use = apr_pcalloc(tools->pool, sizeof(*use));
    const alloy_operation_t *row = op->row;
    int makes = (row->flags & ALLOY_CREATES) != 0;

    use->op = op;
    use->name = name;
    use->settled = settled;
    tool->use = use;
    tool->name = name;
    tool->title = title_of(name, tools->pool);
    tool->summary = settled ? settled->summary : row->summary;
    tool->help = settled ? NULL : row->help;
    tool->uri = settled ? settled->uri : row->uri;
    tool->noun = row->noun;
    tool->listed = (row->flags & ALLOY_LISTED) != 0;
    tool->reads = !op->writes;
    tool->destroys = op->writes && (row->method != ALLOY_POST
                                    || (row->flags & ALLOY_OVERWRITES));
    tool->repeats = !makes || (row->flags & ALLOY_REPEATS);
}

static int may_call(const alloy_front_t *front, const alloy_op_t *op)
{
    const alloy_principal_t *principal = front->principal;
    int i;

    if (!principal || !alloy_access_token_allows(principal, op)) {
        return 0;
    }
    for (i = 0; i < principal->norgs; i++) {
        if (alloy_access_suffices(&principal->orgs[i], op->row->role)) {
            return 1;
        }
    }
    return op->row->role <= ALLOY_SIGNED_IN;
}

ALLOY_DECLARE(int) alloy_front_tools(alloy_front_t *front,
                                     const alloy_front_tool_t **ptools)
{
    const alloy_registry_t *registry = front->engine->registry;
    apr_array_header_t *tools = apr_array_make(front->request.pool, 100,
                                               sizeof(alloy_front_tool_t));
    int i, count = alloy_registry_count(registry);

    for (i = 0; i < count; i++) {
        const alloy_op_t *op = alloy_registry_op(registry, i);
        const alloy_tool_t *more = op->row->tools;

        if (!may_call(front, op)) {
            continue;
        }
        if (op->row->tool) {
            add_tool(tools, op, op->row->tool, NULL);
        }
        for (; more && more->name; more++) {
            add_tool(tools, op, more->name, more);
        }
    }
    *ptools = (const alloy_front_tool_t *)tools->elts;
    return tools->nelts;
}

ALLOY_DECLARE(void) alloy_front_input(alloy_out_t *out,
                                      const alloy_front_tool_t *tool)
{
    alloy_tool_input(out, tool->use);
}

ALLOY_DECLARE(void) alloy_front_output(alloy_out_t *out,
                                       const alloy_front_tool_t *tool)
{
    alloy_tool_output(out, tool->use);
}
