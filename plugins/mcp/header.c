/*
 * Fields of the header that repeat what the message says, so that others on
 * the way can read it (revision 2026-07-28, Streamable HTTP). They must say the
 * same, or somebody on the way was told another story.
 */
#include "mcp.h"

#include <apr_base64.h>
#include <apr_strings.h>

#define ENCODED "=?base64?"
#define ENCODED_END "?="

static const char *trim(const char *value, apr_pool_t *pool)
{
    apr_size_t length;

    value += strspn(value, " \t");
    length = strlen(value);
    while (length && strchr(" \t", value[length - 1])) {
        length--;
    }
    return apr_pstrmemdup(pool, value, length);
}

static int is_base64(const char *text, apr_size_t length)
{
    apr_size_t used = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz0123456789+/");

    if (length % 4) {
        return 0;
    }
    while (used < length && text[used] == '=' && length - used <= 2) {
        used++;
    }
    return used == length;
}

/* NULL when it is encoded, and badly. */
static const char *decode(const char *value, apr_pool_t *pool)
{
    apr_size_t begin = strlen(ENCODED), end = strlen(ENCODED_END);
    apr_size_t length = strlen(value);
    const char *inner;
    char *text;
    int used;

    if (length < begin + end || strncmp(value, ENCODED, begin)
        || strcmp(value + length - end, ENCODED_END)) {
        return value;
    }
    inner = apr_pstrmemdup(pool, value + begin, length - begin - end);
    if (!is_base64(inner, strlen(inner))) {
        return NULL;
    }
    text = apr_palloc(pool, apr_base64_decode_len(inner) + 1);
    used = apr_base64_decode(text, inner);
    text[used] = '\0';
    return text;
}

static const mcp_error_t *check_field(const mcp_call_t *call, const char *field,
                                      const char *said)
{
    const char *value = apr_table_get(call->r->headers_in, field);

    if (!value) {
        return mcp_error(call, MCP_HEADER, 400, "The header lacks %s, which "
                         "must repeat what the message says.", field);
    }
    value = decode(trim(value, call->pool), call->pool);
    if (!value || !said || strcmp(value, said)) {
        return mcp_error(call, MCP_HEADER, 400, "%s in the header and the "
                         "message don't say the same.", field);
    }
    return NULL;
}

const mcp_error_t *mcp_header_check(const mcp_call_t *call, const char *version,
                                    const char *named_by)
{
    const mcp_error_t *error = check_field(call, "MCP-Protocol-Version",
                                           version);

    if (!error) {
        error = check_field(call, "Mcp-Method", call->method);
    }
    if (!error && named_by) {
        error = check_field(call, "Mcp-Name", mcp_param(call, named_by));
    }
    return error;
}
