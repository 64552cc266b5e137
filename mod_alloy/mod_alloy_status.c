/*
 * A section in mod_status's page: how this child's pools of database
 * connections are doing.  /healthz and its like are operations, not here.
 */
#include "mod_alloy.h"

#include <apr_optional_hooks.h>

#include <http_main.h>
#include <http_protocol.h>
#include <mod_status.h>

/** Lines "Key: value" for programs (?auto). */
static void print_lines(request_rec *r, const alloy_server_t *own,
                        const alloy_db_state_t *state)
{
    alloy_db_shared_t shared = { 0 };

    if (own->engine) {
        alloy_db_shared(own->engine->db, &shared);
    }
    ap_rprintf(r,
               "AlloyAPI: %s%s\n"
               "AlloyConnections: %d\n"
               "AlloyConnectionsIdle: %d\n"
               "AlloyCallsWaiting: %d\n"
               "AlloyDatabaseReachable: %d\n"
               "AlloySchemaFits: %d\n"
               "AlloyMigration: %d\n",
               own->config.base_url, own->config.prefix, state->connections,
               state->idle, state->waiting, state->reachable,
               state->schema_fits, state->migration);
    ap_rprintf(r,
               "AlloyCallsShared: %" APR_UINT64_T_FMT "\n"
               "AlloySharedRoundTrips: %" APR_UINT64_T_FMT "\n"
               "AlloySharedFailures: %" APR_UINT64_T_FMT "\n",
               shared.calls, shared.trips, shared.failures);
}

static void print_row(request_rec *r, const alloy_server_t *own,
                      const alloy_db_state_t *state)
{
    ap_rprintf(r,
               "<tr><td>%s%s</td><td>%s</td><td>%d</td><td>%d</td>"
               "<td>%d</td><td>%d%s</td></tr>\n",
               ap_escape_html(r->pool, own->config.base_url),
               ap_escape_html(r->pool, own->config.prefix),
               state->reachable ? "reachable" : "not reachable",
               state->connections, state->idle, state->waiting,
               state->migration,
               state->schema_fits ? "" : " (does not fit this module)");
}

static int print_status(request_rec *r, int flags)
{
    server_rec *server = NULL;
    int lines = flags & AP_STATUS_SHORT;

    if (!lines) {
        ap_rputs("<hr>\n<h2>Alloy, in the child that made this page</h2>\n"
                 "<table>\n<tr><th>API</th><th>Database</th>"
                 "<th>Connections</th><th>Idle</th><th>Calls waiting</th>"
                 "<th>Migration</th></tr>\n",
                 r);
    }
    while ((server = alloy_config_next(ap_server_conf, server))) {
        const alloy_server_t *own = alloy_config_of(server);
        alloy_db_state_t state = { 0 };

        if (own->engine) {
            alloy_db_state(own->engine->db, &state);
        }
        (lines ? print_lines : print_row)(r, own, &state);
    }
    if (!lines) {
        ap_rputs("</table>\n", r);
    }
    return OK;
}

void alloy_status_hooks(void)
{
    APR_OPTIONAL_HOOK(ap, status_hook, print_status, NULL, NULL,
                      APR_HOOK_MIDDLE);
}
