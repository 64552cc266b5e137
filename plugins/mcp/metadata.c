/*
 * Where a client finds out who gives tokens for this server (RFC 9728).
 */
#include "mcp.h"

#include <apr_strings.h>

static void write_list(alloy_out_t *out, const char *key,
                       const apr_array_header_t *list)
{
    int i;

    alloy_out_key(out, key);
    alloy_out_begin(out, '[');
    for (i = 0; i < list->nelts; i++) {
        alloy_out_text(out, APR_ARRAY_IDX(list, i, const char *));
    }
    alloy_out_end(out);
}

int mcp_metadata_answer(alloy_front_t *front, const mcp_server_t *server,
                        apr_pool_t *pool)
{
    const char *base = alloy_front_base_url(front);
    alloy_out_t *out = alloy_out_make(pool, 512);
    apr_table_t *headers = apr_table_make(pool, 2);
    apr_size_t length;
    const char *bytes;

    alloy_out_begin(out, '{');
    alloy_out_key(out, "resource");
    alloy_out_text(out, apr_pstrcat(pool, base, server->path, NULL));
    alloy_out_key(out, "resource_name");
    alloy_out_text(out, "Alloy");
    if (server->issuers) {
        write_list(out, "authorization_servers", server->issuers);
    }
    else {
        alloy_out_key(out, "authorization_servers");
        alloy_out_begin(out, '[');
        alloy_out_text(out, base);
        alloy_out_end(out);
    }
    alloy_out_key(out, "bearer_methods_supported");
    alloy_out_json(out, "[\"header\"]");
    alloy_out_end(out);
    bytes = alloy_out_bytes(out, &length);
    apr_table_setn(headers, "Cache-Control", "public, max-age=3600");
    apr_table_setn(headers, "Access-Control-Allow-Origin", "*");
    return alloy_front_send(front, HTTP_OK, headers, MCP_JSON, bytes, length);
}
