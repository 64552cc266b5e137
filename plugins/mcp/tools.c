/*
 * Tools: which there are for this caller, and calling one.
 */
#include "mcp.h"

#include <apr_lib.h>
#include <apr_strings.h>

#define PAGE_BYTES 24000            /* of a list; further ones by the cursor */
#define ALL "all"

/* ---- which are shown ------------------------------------------------------------ */

/* Is NOUN one of "tickets,sprints"? */
static int lists(const char *list, const char *noun)
{
    apr_size_t length = strlen(noun);

    while (list) {
        apr_size_t own = strcspn(list, ",");

        if (own == length && !strncmp(list, noun, length)) {
            return 1;
        }
        list = list[own] ? list + own + 1 : NULL;
    }
    return 0;
}

static int is_shown(const mcp_call_t *call, const alloy_front_tool_t *tool)
{
    if (call->read_only && !tool->reads) {
        return 0;
    }
    if (!call->toolsets) {
        return tool->listed;
    }
    return lists(call->toolsets, ALL) || lists(call->toolsets, tool->noun);
}

/* ---- one tool ------------------------------------------------------------------- */

static void write_hint(alloy_out_t *out, const char *name, int value)
{
    alloy_out_key(out, name);
    alloy_out_bool(out, value);
}

/* What a tool does stays within Alloy: none has an open world. */
static void write_hints(alloy_out_t *out, const alloy_front_tool_t *tool)
{
    alloy_out_key(out, "annotations");
    alloy_out_begin(out, '{');
    write_hint(out, "readOnlyHint", tool->reads);
    write_hint(out, "destructiveHint", tool->destroys);
    write_hint(out, "idempotentHint", tool->repeats);
    write_hint(out, "openWorldHint", 0);
    alloy_out_end(out);
}

static void write_tool(const mcp_call_t *call, alloy_out_t *out,
                       const alloy_front_tool_t *tool)
{
    int structured = (call->revision->flags & MCP_STRUCTURED) != 0;

    alloy_out_begin(out, '{');
    alloy_out_key(out, "name");
    alloy_out_text(out, tool->name);
    if (structured) {
        alloy_out_key(out, "title");
        alloy_out_text(out, tool->title);
    }
    alloy_out_key(out, "description");
    alloy_out_text(out, tool->summary);
    alloy_out_key(out, "inputSchema");
    alloy_front_input(out, tool);
    if (structured) {
        alloy_out_key(out, "outputSchema");
        alloy_front_output(out, tool);
    }
    write_hints(out, tool);
    alloy_out_end(out);
}

/* ---- the list -------------------------------------------------------------------- */

/* The cursor is the name of the last tool of the page before. */
static const mcp_error_t *find_start(const mcp_call_t *call,
                                     const alloy_front_tool_t *tools, int count,
                                     int *start)
{
    const char *cursor = mcp_param(call, "cursor");
    int i = 0;

    *start = 0;
    if (!cursor) {
        return NULL;
    }
    while (i < count && strcmp(tools[i].name, cursor)) {
        i++;
    }
    *start = i + 1;
    return i < count ? NULL
                     : mcp_error(call, MCP_BAD_PARAMS, 400, "The cursor is not "
                                 "one of this list; start without it.");
}

static void write_page(const mcp_call_t *call, alloy_out_t *out,
                       const alloy_front_tool_t *tools, int count)
{
    apr_size_t used = 0, length;
    const char *last = NULL;
    int i;

    alloy_out_begin(out, '[');
    for (i = 0; i < count; i++) {
        alloy_out_t *one = alloy_out_make(call->pool, 1024);
        const char *text;

        if (!is_shown(call, &tools[i])) {
            continue;
        }
        write_tool(call, one, &tools[i]);
        text = alloy_out_bytes(one, &length);
        used += length + 1;
        if (last && used > PAGE_BYTES) {
            break;
        }
        alloy_out_json(out, text);
        last = tools[i].name;
    }
    alloy_out_end(out);
    if (i < count) {
        alloy_out_key(out, "nextCursor");
        alloy_out_text(out, last);
    }
}

const mcp_error_t *mcp_tools_list(mcp_call_t *call, alloy_out_t *out)
{
    const mcp_error_t *error = mcp_identify(call);
    const alloy_front_tool_t *tools;
    int count, start;

    if (error) {
        return error;
    }
    count = alloy_front_tools(call->front, &tools);
    error = find_start(call, tools, count, &start);
    if (error) {
        return error;
    }
    alloy_out_key(out, "tools");
    write_page(call, out, tools + start, count - start);
    return NULL;
}

/* ---- calling one ------------------------------------------------------------------ */

/* The same twice: for programs, and for those who know only text. */
static void write_answer(const mcp_call_t *call, alloy_out_t *out,
                         const alloy_front_answer_t *answer)
{
    const char *text = apr_pstrmemdup(call->pool, answer->json,
                                      answer->length);

    alloy_out_key(out, "content");
    alloy_out_begin(out, '[');
    alloy_out_begin(out, '{');
    alloy_out_key(out, "type");
    alloy_out_text(out, "text");
    alloy_out_key(out, "text");
    alloy_out_text(out, text);
    alloy_out_end(out);
    alloy_out_end(out);
    if (call->revision->flags & MCP_STRUCTURED) {
        alloy_out_key(out, "structuredContent");
        alloy_out_json(out, text);
    }
    alloy_out_key(out, "isError");
    alloy_out_bool(out, answer->status >= 400);
}

static const mcp_error_t *unknown_tool(const mcp_call_t *call,
                                       const char *name)
{
    return mcp_error(call, MCP_BAD_PARAMS, 400, "There is no tool %.100s "
                     "here; tools/list has those there are.", name);
}

/* Where only reading is offered, other tools are not there. */
static const mcp_error_t *check_offered(mcp_call_t *call, const char *name)
{
    const alloy_front_tool_t *tools;
    const mcp_error_t *error;
    int i, count;

    if (!call->read_only) {
        return NULL;
    }
    error = mcp_identify(call);
    if (error) {
        return error;
    }
    count = alloy_front_tools(call->front, &tools);
    for (i = 0; i < count; i++) {
        if (!strcmp(tools[i].name, name) && tools[i].reads) {
            return NULL;
        }
    }
    return unknown_tool(call, name);
}

const mcp_error_t *mcp_tools_call(mcp_call_t *call, alloy_out_t *out)
{
    const char *name = mcp_param(call, "name");
    const alloy_json_t *arguments = call->params
        ? alloy_json_get(call->params, "arguments") : NULL;
    alloy_front_answer_t answer;
    const mcp_error_t *error;

    if (!name) {
        return mcp_error(call, MCP_BAD_PARAMS, 400,
                         "params must have the name of a tool.");
    }
    if (arguments && alloy_json_type(arguments) != ALLOY_JSON_MAP) {
        return mcp_error(call, MCP_BAD_PARAMS, 400,
                         "arguments must be an object.");
    }
    error = check_offered(call, name);
    if (error) {
        return error;
    }
    if (!alloy_front_call(call->front, &answer, name, arguments)) {
        return unknown_tool(call, name);
    }
    if (answer.status == HTTP_UNAUTHORIZED) {
        return mcp_refuse(call, &answer);
    }
    write_answer(call, out, &answer);
    return NULL;
}
