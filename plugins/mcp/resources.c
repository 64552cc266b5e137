/*
 * Resources: what can be read under an address of its own. Each is a tool that
 * reads, called with what its address names.
 */
#include "mcp.h"

#include <apr_escape.h>
#include <apr_strings.h>

/* ---- lists ------------------------------------------------------------------------ */

static int is_template(const alloy_front_tool_t *tool)
{
    return strchr(tool->uri, '{') != NULL;
}

static void write_pair(alloy_out_t *out, const char *key, const char *text)
{
    alloy_out_key(out, key);
    alloy_out_text(out, text);
}

static void write_one(const mcp_call_t *call, alloy_out_t *out,
                      const alloy_front_tool_t *tool)
{
    alloy_out_begin(out, '{');
    write_pair(out, is_template(tool) ? "uriTemplate" : "uri", tool->uri);
    write_pair(out, "name", tool->name);
    if (call->revision->flags & MCP_STRUCTURED) {
        write_pair(out, "title", tool->title);
    }
    write_pair(out, "description", tool->summary);
    write_pair(out, "mimeType", MCP_JSON);
    alloy_out_end(out);
}

static const mcp_error_t *write_list(mcp_call_t *call, alloy_out_t *out,
                                     const char *key, int templates)
{
    const mcp_error_t *error = mcp_identify(call);
    const alloy_front_tool_t *tools;
    int i, count;

    if (error) {
        return error;
    }
    count = alloy_front_tools(call->front, &tools);
    alloy_out_key(out, key);
    alloy_out_begin(out, '[');
    for (i = 0; i < count; i++) {
        if (tools[i].uri && is_template(&tools[i]) == templates) {
            write_one(call, out, &tools[i]);
        }
    }
    alloy_out_end(out);
    return NULL;
}

const mcp_error_t *mcp_resources_list(mcp_call_t *call, alloy_out_t *out)
{
    return write_list(call, out, "resources", 0);
}

const mcp_error_t *mcp_templates_list(mcp_call_t *call, alloy_out_t *out)
{
    return write_list(call, out, "resourceTemplates", 1);
}

/* ---- reading one --------------------------------------------------------------------- */

static const mcp_error_t *not_there(const mcp_call_t *call, const char *uri)
{
    int modern = (call->revision->flags & MCP_MODERN) != 0;
    mcp_error_t *error = apr_pmemdup(call->pool,
        mcp_error(call, modern ? MCP_BAD_PARAMS : MCP_NO_RESOURCE, 400,
                  "There is no resource %.200s that you can see.", uri),
        sizeof(*error));
    alloy_out_t *out = alloy_out_make(call->pool, 256);

    alloy_out_begin(out, '{');
    write_pair(out, "uri", uri);
    alloy_out_end(out);
    error->data = alloy_out_bytes(out, NULL);
    return error;
}

/* The one name in the address, as an argument; NULL: URI is not of TOOL's. */
static const char *arguments_of(const mcp_call_t *call,
                                const alloy_front_tool_t *tool, const char *uri)
{
    apr_size_t length = strcspn(tool->uri, "{");
    const char *name = tool->uri + length, *value;
    alloy_out_t *out;

    if (strncmp(tool->uri, uri, length)) {
        return NULL;
    }
    if (!*name) {
        return uri[length] ? NULL : "{}";
    }
    value = apr_punescape_url(call->pool, uri + length, "/", NULL, 0);
    if (!value || !*value || strchr(value, '/')) {
        return NULL;
    }
    out = alloy_out_make(call->pool, 256);
    alloy_out_begin(out, '{');
    alloy_out_key(out, apr_pstrmemdup(call->pool, name + 1,
                                      strcspn(name, "}") - 1));
    alloy_out_text(out, value);
    alloy_out_end(out);
    return alloy_out_bytes(out, NULL);
}

static const alloy_front_tool_t *find_tool(const mcp_call_t *call,
                                           const char *uri,
                                           const alloy_json_t **parguments)
{
    const alloy_front_tool_t *tools;
    int i, count = alloy_front_tools(call->front, &tools);

    for (i = 0; i < count; i++) {
        const char *text = tools[i].uri ? arguments_of(call, &tools[i], uri)
                                        : NULL;

        if (text && !alloy_json_parse(parguments, text, strlen(text),
                                      call->pool)) {
            return &tools[i];
        }
    }
    return NULL;
}

static void write_content(const mcp_call_t *call, alloy_out_t *out,
                          const char *uri, const alloy_front_answer_t *answer)
{
    alloy_out_key(out, "contents");
    alloy_out_begin(out, '[');
    alloy_out_begin(out, '{');
    write_pair(out, "uri", uri);
    write_pair(out, "mimeType", MCP_JSON);
    write_pair(out, "text", apr_pstrmemdup(call->pool, answer->json,
                                           answer->length));
    alloy_out_end(out);
    alloy_out_end(out);
}

const mcp_error_t *mcp_resources_read(mcp_call_t *call, alloy_out_t *out)
{
    const char *uri = mcp_param(call, "uri");
    const mcp_error_t *error = mcp_identify(call);
    const alloy_json_t *arguments = NULL;
    const alloy_front_tool_t *tool;
    alloy_front_answer_t answer;

    if (error) {
        return error;
    }
    if (!uri) {
        return mcp_error(call, MCP_BAD_PARAMS, 400,
                         "params must have the uri of a resource.");
    }
    tool = find_tool(call, uri, &arguments);
    if (!tool || !alloy_front_call(call->front, &answer, tool->name,
                                   arguments)) {
        return not_there(call, uri);
    }
    if (answer.status == HTTP_UNAUTHORIZED) {
        return mcp_refuse(call, &answer);
    }
    if (answer.status >= 500 || answer.status == HTTP_TOO_MANY_REQUESTS) {
        return mcp_error(call, MCP_INTERNAL, answer.status,
                         "The resource can't be read now: try again later.");
    }
    if (answer.status >= 400) {
        return not_there(call, uri);
    }
    write_content(call, out, uri, &answer);
    return NULL;
}
