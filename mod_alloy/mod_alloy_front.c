/*
 * What other fronts need of httpd's side: which host a request is for, its
 * body, and the fields every answer of Alloy has.
 */
#include "mod_alloy.h"

#include <apr_strings.h>

#include "core/front.h"

ALLOY_DECLARE(void) alloy_front_claim(request_rec *r)
{
    alloy_http_claim(r);
}

ALLOY_DECLARE(void) alloy_front_metadata(server_rec *server, const char *path)
{
    alloy_config_t *config = &alloy_config_of(server)->config;

    if (config->base_url) {
        config->resource_metadata =
            apr_pstrcat(server->process->pconf, config->base_url, path, NULL);
    }
}

ALLOY_DECLARE(alloy_front_t *) alloy_front_make(request_rec *r,
                                                const char *client)
{
    const alloy_server_t *own = alloy_config_of(r->server);
    alloy_front_t *front = apr_pcalloc(r->pool, sizeof(*front));

    if (!own->prefix) {
        return NULL;
    }
    alloy_http_describe(&front->request, r);
    front->request.client = client;
    front->request.authorization =
        apr_table_get(r->headers_in, "Authorization");
    front->engine = own->engine;
    front->config = &own->config;
    front->connection = r;
    return front;
}

ALLOY_DECLARE(int) alloy_front_send(alloy_front_t *front, int status,
                                    apr_table_t *headers, const char *type,
                                    const char *bytes, apr_size_t length)
{
    alloy_answer_t answer = { .status = status,
                              .type = type,
                              .body = bytes,
                              .length = type ? length : 0,
                              .headers = headers,
                              .user = front->user,
                              .org = front->org,
                              .code = front->code };
    request_rec *r = front->connection;

    if (front->operation) {
        apr_table_setn(r->notes, "alloy-operation", front->operation);
    }
    return alloy_http_send(r, &answer);
}
