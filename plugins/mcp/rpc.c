/*
 * JSON-RPC: what a body holds, which method answers it, and how. One address
 * serves both eras of the protocol: a message that names its revision in _meta
 * is of the one without handshake.
 */
#include "mcp.h"

#include <apr_strings.h>

#define META "io.modelcontextprotocol/"
#define BATCH_LIMIT 50              /* messages */
#define ID_LIMIT 256                /* bytes of a request's id */

#define LEGACY 0x1u
#define MODERN 0x2u
#define BOTH (LEGACY | MODERN)

/** A method of the protocol. */
typedef struct {
    const char *name;
    unsigned eras;
    mcp_method_fn *run;
    const char *named_by;           /* the parameter that Mcp-Name repeats */
    int cached;                     /* seconds a client may keep the result;
                                     * -1: not at all */
} method_t;

static const method_t methods[] = {
    { "initialize", LEGACY, mcp_initialize, NULL, -1 },
    { "ping", LEGACY, mcp_ping, NULL, -1 },
    { "logging/setLevel", LEGACY, mcp_set_level, NULL, -1 },
    { "server/discover", MODERN, mcp_discover, NULL, 3600 },
    { "tools/list", BOTH, mcp_tools_list, NULL, 60 },
    { "tools/call", BOTH, mcp_tools_call, "name", -1 },
    { "resources/list", BOTH, mcp_resources_list, NULL, 60 },
    { "resources/templates/list", BOTH, mcp_templates_list, NULL, 60 },
    { "resources/read", BOTH, mcp_resources_read, "uri", 0 },
};

/* ---- errors ------------------------------------------------------------------- */

const mcp_error_t *mcp_error(const mcp_call_t *call, int code, int status,
                             const char *fmt, ...)
{
    mcp_error_t *error = apr_pcalloc(call->pool, sizeof(*error));
    va_list args;

    va_start(args, fmt);
    error->code = code;
    error->status = status;
    error->message = apr_pvsprintf(call->pool, fmt, args);
    va_end(args);
    return error;
}

static void write_error(mcp_call_t *call, alloy_out_t *out,
                        const mcp_error_t *error)
{
    alloy_out_key(out, "error");
    alloy_out_begin(out, '{');
    alloy_out_key(out, "code");
    alloy_out_int(out, error->code);
    alloy_out_key(out, "message");
    alloy_out_text(out, error->message);
    if (error->data) {
        alloy_out_key(out, "data");
        alloy_out_json(out, error->data);
    }
    alloy_out_end(out);
    call->status = error->status;
}

static void begin_response(const mcp_call_t *call, alloy_out_t *out)
{
    alloy_out_begin(out, '{');
    alloy_out_key(out, "jsonrpc");
    alloy_out_text(out, "2.0");
    alloy_out_key(out, "id");
    alloy_out_json(out, call->id ? call->id : "null");
}

/* ---- reading a message ---------------------------------------------------------- */

static int is(const alloy_json_t *value, alloy_json_e type)
{
    return value && alloy_json_type(value) == type;
}

static const char *text_of(const alloy_json_t *map, const char *key)
{
    const alloy_json_t *value = is(map, ALLOY_JSON_MAP)
                                ? alloy_json_get(map, key) : NULL;

    return is(value, ALLOY_JSON_TEXT) ? alloy_json_text(value, NULL) : NULL;
}

const char *mcp_param(const mcp_call_t *call, const char *name)
{
    return text_of(call->params, name);
}

static const mcp_error_t *read_id(mcp_call_t *call,
                                  const alloy_json_t *message)
{
    const alloy_json_t *id = alloy_json_get(message, "id");
    const char *text;

    if (!id) {
        return NULL;
    }
    if (!is(id, ALLOY_JSON_TEXT) && !is(id, ALLOY_JSON_INT)) {
        return mcp_error(call, MCP_INVALID, 400,
                         "The id must be a string or a whole number.");
    }
    text = alloy_json_write(id, call->pool);
    if (strlen(text) > ID_LIMIT) {
        return mcp_error(call, MCP_INVALID, 400, "The id is longer than %d "
                         "bytes.", ID_LIMIT);
    }
    call->id = text;
    return NULL;
}

static const mcp_error_t *read_params(mcp_call_t *call,
                                      const alloy_json_t *message)
{
    const alloy_json_t *params = alloy_json_get(message, "params");
    const alloy_json_t *meta;

    if (params && !is(params, ALLOY_JSON_MAP)) {
        return mcp_error(call, MCP_BAD_PARAMS, 400,
                         "params must be an object.");
    }
    call->params = params;
    meta = params ? alloy_json_get(params, "_meta") : NULL;
    if (meta && !is(meta, ALLOY_JSON_MAP)) {
        return mcp_error(call, MCP_BAD_PARAMS, 400,
                         "params._meta must be an object.");
    }
    call->meta = meta;
    return NULL;
}

static const mcp_error_t *read_message(mcp_call_t *call,
                                       const alloy_json_t *message)
{
    const mcp_error_t *error;
    const char *version;

    call->id = call->method = NULL;
    call->params = call->meta = NULL;
    if (!is(message, ALLOY_JSON_MAP)) {
        return mcp_error(call, MCP_INVALID, 400,
                         "A message must be an object.");
    }
    error = read_id(call, message);
    if (error) {
        return error;
    }
    version = text_of(message, "jsonrpc");
    call->method = text_of(message, "method");
    if (!version || strcmp(version, "2.0")
        || (alloy_json_get(message, "method") && !call->method)) {
        return mcp_error(call, MCP_INVALID, 400, "A message has \"jsonrpc\": "
                         "\"2.0\" and a method, which is a string.");
    }
    return read_params(call, message);
}

/* ---- which era ---------------------------------------------------------------- */

static const mcp_error_t *unsupported(const mcp_call_t *call,
                                      const char *requested)
{
    mcp_error_t *error = apr_pmemdup(call->pool,
                                     mcp_error(call, MCP_UNSUPPORTED, 400,
                                               "The revision %.40s is not "
                                               "spoken here.", requested),
                                     sizeof(*error));
    alloy_out_t *out = alloy_out_make(call->pool, 256);
    const mcp_revision_t *revision;

    alloy_out_begin(out, '{');
    alloy_out_key(out, "supported");
    alloy_out_begin(out, '[');
    for (revision = mcp_revisions; revision->name; revision++) {
        alloy_out_text(out, revision->name);
    }
    alloy_out_end(out);
    alloy_out_key(out, "requested");
    alloy_out_text(out, requested);
    alloy_out_end(out);
    error->data = alloy_out_bytes(out, NULL);
    return error;
}

static const mcp_error_t *choose_modern(mcp_call_t *call)
{
    const char *version = text_of(call->meta, META "protocolVersion");
    const mcp_revision_t *revision = mcp_revision_find(version);

    if (!version) {
        return mcp_error(call, MCP_BAD_PARAMS, 400,
                         "_meta's " META "protocolVersion must be a string.");
    }
    if (!revision || !(revision->flags & MCP_MODERN)) {
        const char *field = apr_table_get(call->r->headers_in,
                                          "MCP-Protocol-Version");

        if (field && strcmp(field, version)) {
            return mcp_error(call, MCP_HEADER, 400, "MCP-Protocol-Version in "
                             "the header and the message don't say the same.");
        }
        return unsupported(call, version);
    }
    call->revision = revision;
    return NULL;
}

static const mcp_error_t *choose_legacy(mcp_call_t *call)
{
    const char *version = apr_table_get(call->r->headers_in,
                                        "MCP-Protocol-Version");
    const mcp_revision_t *revision = mcp_revision_find(version);

    if (call->method && !strcmp(call->method, "initialize")) {
        call->revision = mcp_revision_newest_legacy();
        return NULL;
    }
    if (!version) {
        revision = mcp_revision_find("2025-03-26");
    }
    if (!revision) {
        return mcp_error(call, MCP_INVALID, 400, "The revision %.40s in "
                         "MCP-Protocol-Version is not spoken here.", version);
    }
    if (revision->flags & MCP_MODERN) {
        return mcp_error(call, MCP_BAD_PARAMS, 400,
                         "Since revision %s each message names its revision "
                         "in _meta's " META "protocolVersion.", version);
    }
    call->revision = revision;
    return NULL;
}

static const mcp_error_t *choose_revision(mcp_call_t *call)
{
    return call->meta && alloy_json_get(call->meta, META "protocolVersion")
           ? choose_modern(call) : choose_legacy(call);
}

/* ---- answering one ------------------------------------------------------------ */

static const method_t *find_method(const mcp_call_t *call)
{
    unsigned era = call->revision->flags & MCP_MODERN ? MODERN : LEGACY;
    apr_size_t i;

    for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (!strcmp(methods[i].name, call->method)
            && (methods[i].eras & era)) {
            return &methods[i];
        }
    }
    return NULL;
}

static const mcp_error_t *check_modern(const mcp_call_t *call,
                                       const method_t *method)
{
    const mcp_error_t *error =
        mcp_header_check(call, call->revision->name,
                         method ? method->named_by : NULL);
    const alloy_json_t *able = alloy_json_get(call->meta,
                                              META "clientCapabilities");

    if (!error && !is(able, ALLOY_JSON_MAP)) {
        error = mcp_error(call, MCP_BAD_PARAMS, 400, "_meta must have "
                          META "clientCapabilities, an object.");
    }
    return error;
}

/* Kept with each change; said by the client, and never believed. */
static void note_client(mcp_call_t *call)
{
    const alloy_json_t *info = call->meta
        ? alloy_json_get(call->meta, META "clientInfo") : NULL;
    const char *name = text_of(info, "name");
    const char *version = text_of(info, "version");

    if (name) {
        alloy_front_client_name(call->front,
                                version ? apr_pstrcat(call->pool, name, "/",
                                                      version, NULL) : name);
    }
}

static void end_result(const mcp_call_t *call, alloy_out_t *out,
                       const method_t *method)
{
    if (!(call->revision->flags & MCP_MODERN)) {
        return;
    }
    alloy_out_key(out, "resultType");
    alloy_out_text(out, "complete");
    if (method->cached >= 0) {
        alloy_out_key(out, "ttlMs");
        alloy_out_int(out, 1000 * method->cached);
        alloy_out_key(out, "cacheScope");
        alloy_out_text(out, "private");
    }
    alloy_out_key(out, "_meta");
    alloy_out_begin(out, '{');
    alloy_out_key(out, META "serverInfo");
    alloy_out_begin(out, '{');
    alloy_out_key(out, "name");
    alloy_out_text(out, "alloy");
    alloy_out_key(out, "version");
    alloy_out_text(out, alloy_front_version(call->front));
    alloy_out_end(out);
    alloy_out_end(out);
}

static const mcp_error_t *run_method(mcp_call_t *call, alloy_out_t *result)
{
    const method_t *method = find_method(call);
    const mcp_error_t *error;

    if (call->revision->flags & MCP_MODERN) {
        error = check_modern(call, method);
        if (error) {
            return error;
        }
    }
    if (!method) {
        return mcp_error(call, MCP_NO_METHOD, 404, "There is no method "
                         "%.100s in revision %s.", call->method,
                         call->revision->name);
    }
    note_client(call);
    alloy_out_begin(result, '{');
    error = method->run(call, result);
    if (!error) {
        end_result(call, result, method);
        alloy_out_end(result);
    }
    return error;
}

static const mcp_error_t *answer_message(mcp_call_t *call,
                                         const alloy_json_t *message,
                                         alloy_out_t *result)
{
    const mcp_error_t *error = read_message(call, message);

    if (!error) {
        error = choose_revision(call);
    }
    if (error || !call->method || !call->id) {
        return error;               /* others are heard, and need no answer */
    }
    return run_method(call, result);
}

/* Before 2026-07-28 an error of a method is a success of HTTP. */
static int is_for_http(const mcp_call_t *call, const mcp_error_t *error)
{
    return !call->revision || (call->revision->flags & MCP_MODERN)
           || (error->code != MCP_NO_METHOD && error->code != MCP_BAD_PARAMS
               && error->code != MCP_NO_RESOURCE);
}

/* @return 0 when there is nothing to say. */
static int write_answer(mcp_call_t *call, alloy_out_t *out,
                        const alloy_json_t *message)
{
    alloy_out_t *result = alloy_out_make(call->pool, 4096);
    const mcp_error_t *error = answer_message(call, message, result);

    call->status = 200;
    if (!error && (!call->method || !call->id)) {
        return 0;
    }
    begin_response(call, out);
    if (error) {
        write_error(call, out, error);
        call->status = is_for_http(call, error) ? error->status : 200;
    }
    else {
        alloy_out_key(out, "result");
        alloy_out_json(out, alloy_out_bytes(result, NULL));
    }
    alloy_out_end(out);
    return 1;
}

/* ---- the whole body ------------------------------------------------------------- */

static int send_out(mcp_call_t *call, const alloy_out_t *out)
{
    apr_size_t length;
    const char *bytes = alloy_out_bytes(out, &length);

    if (call->refused) {
        return alloy_front_send(call->front, call->status, call->headers,
                                "application/problem+json", call->refused,
                                call->refused_length);
    }
    return alloy_front_send(call->front, call->status, call->headers, MCP_JSON,
                            bytes, length);
}

static int send_error(mcp_call_t *call, const mcp_error_t *error)
{
    alloy_out_t *out = alloy_out_make(call->pool, 256);

    call->id = NULL;
    begin_response(call, out);
    write_error(call, out, error);
    alloy_out_end(out);
    return send_out(call, out);
}

static int send_accepted(mcp_call_t *call)
{
    return alloy_front_send(call->front, 202, call->headers, NULL, NULL, 0);
}

static const mcp_error_t *check_batch(mcp_call_t *call,
                                      const alloy_json_t *batch)
{
    const mcp_error_t *error;

    call->method = NULL;
    error = choose_legacy(call);
    if (!error && !(call->revision->flags & MCP_BATCHES)) {
        error = mcp_error(call, MCP_INVALID, 400, "Revision %s takes one "
                          "message at a time.", call->revision->name);
    }
    if (!error && (alloy_json_count(batch) < 1
                   || alloy_json_count(batch) > BATCH_LIMIT)) {
        error = mcp_error(call, MCP_INVALID, 400, "A batch has 1 to %d "
                          "messages.", BATCH_LIMIT);
    }
    return error;
}

static int answer_batch(mcp_call_t *call, const alloy_json_t *batch)
{
    const mcp_error_t *error = check_batch(call, batch);
    alloy_out_t *out = alloy_out_make(call->pool, 8192);
    apr_size_t i;
    int said = 0;

    if (error) {
        return send_error(call, error);
    }
    alloy_out_begin(out, '[');
    for (i = 0; i < alloy_json_count(batch) && !call->refused; i++) {
        said |= write_answer(call, out, alloy_json_at(batch, i));
    }
    alloy_out_end(out);
    if (!call->refused) {
        call->status = 200;
    }
    return said ? send_out(call, out) : send_accepted(call);
}

int mcp_rpc_answer(mcp_call_t *call, const char *bytes, apr_size_t length)
{
    const alloy_json_t *message = NULL;
    alloy_problem_t *problem = alloy_json_parse(&message, bytes, length,
                                                call->pool);
    alloy_out_t *out = alloy_out_make(call->pool, 4096);

    if (problem) {
        return send_error(call, mcp_error(call, MCP_PARSE, 400, "%s",
                                          alloy_problem_detail(problem)));
    }
    if (is(message, ALLOY_JSON_ARRAY)) {
        return answer_batch(call, message);
    }
    return write_answer(call, out, message) ? send_out(call, out)
                                            : send_accepted(call);
}
