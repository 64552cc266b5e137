/*
 * The Apache module: its record, what happens when the configuration has been
 * read and when a child starts, and the collection of plugins.
 */
#include "mod_alloy.h"

#include <stdlib.h>

#include <apr_strings.h>

#include <ap_mpm.h>
#include <ap_provider.h>
#include <http_main.h>
#include <mpm_common.h>

#include "core/json.h"
#include "core/log.h"

#define RATES "alloy-rates"    /* where the process keeps them */

extern const alloy_plugin_t alloy_core_plugin; /* resources/core.c */

/** A sentence for the admin: plain on the terminal at start and with -t. */
static int refuse(server_rec *server, const char *tag, const char *sentence)
{
    ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, 0, server, "%s: %s",
                 tag, sentence);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* ---- plugins ------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    const ap_list_provider_names_t *left = a, *right = b;

    return strcmp(left->provider_name, right->provider_name);
}

/** A plugin of another version of the group would be passed over in silence. */
static const char *check_versions(apr_pool_t *pool)
{
    apr_array_header_t *groups = ap_list_provider_groups(pool);
    int i;

    for (i = 0; i < groups->nelts; i++) {
        const ap_list_provider_groups_t *group =
            &APR_ARRAY_IDX(groups, i, ap_list_provider_groups_t);
        const ap_list_provider_names_t *name;

        if (strcmp(group->provider_group, ALLOY_PLUGIN_GROUP)
            || !strcmp(group->provider_version, ALLOY_PLUGIN_VERSION)) {
            continue;
        }
        name = (const ap_list_provider_names_t *)ap_list_provider_names(
                   pool, ALLOY_PLUGIN_GROUP, group->provider_version)
                   ->elts;
        return apr_psprintf(pool,
                            "The plugin \"%s\" registered for version "
                            "%s of Alloy's plugins, this is version %s: build "
                            "it against this Alloy's alloy.h.",
                            name->provider_name, group->provider_version,
                            ALLOY_PLUGIN_VERSION);
    }
    return NULL;
}

/** The core's record, then the plugins' by name: the order of LoadModule
 *  lines makes no difference. */
static const alloy_plugin_t *const *list_plugins(apr_pool_t *pool)
{
    apr_array_header_t *names = ap_list_provider_names(pool, ALLOY_PLUGIN_GROUP,
                                                       ALLOY_PLUGIN_VERSION);
    const alloy_plugin_t **plugins = apr_pcalloc(pool, (names->nelts + 2)
                                                           * sizeof(*plugins));
    int i;

    qsort(names->elts, names->nelts, sizeof(ap_list_provider_names_t),
          compare_names);
    plugins[0] = &alloy_core_plugin;
    for (i = 0; i < names->nelts; i++) {
        plugins[i + 1] = ap_lookup_provider(
            ALLOY_PLUGIN_GROUP,
            APR_ARRAY_IDX(names, i, ap_list_provider_names_t).provider_name,
            ALLOY_PLUGIN_VERSION);
    }
    return plugins;
}

/* ---- the configuration has been read ------------------------------------- */

/** All that can be wrong without a database is said here, where -t gets to. */
static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                        server_rec *main_server)
{
    alloy_registry_t *registry;
    server_rec *server = NULL;
    const char *fault;

    fault = check_versions(ptemp);
    if (fault) {
        return refuse(main_server, "AL0300", fault);
    }
    fault = alloy_registry_make(&registry, list_plugins(pconf), pconf);
    if (fault) {
        return refuse(main_server, "AL0301", fault);
    }
    while ((server = alloy_config_next(main_server, server))) {
        fault = alloy_config_settle(server, registry, pconf, ptemp);
        if (fault) {
            return refuse(server, "AL0302", fault);
        }
    }
    return OK;
}

/** The engine's lines become lines of httpd's error log. */
static void write_log(void *baton, int level, apr_status_t status,
                      const char *line)
{
    ap_log_error(APLOG_MARK, level, status, (server_rec *)baton, "%s", line);
}

static apr_status_t stop_log(void *unused)
{
    alloy_log_set(NULL, NULL, 0);
    return APR_SUCCESS;
}

/** One table of rates for the life of the server. */
static apr_status_t share_rates(server_rec *main_server)
{
    apr_pool_t *forever = main_server->process->pool;
    server_rec *server = NULL;
    void *rate = NULL;

    apr_pool_userdata_get(&rate, RATES, forever);
    if (!rate) {
        apr_status_t status = alloy_rate_make((alloy_rate_t **)&rate, forever);

        if (status != APR_SUCCESS) {
            return status;
        }
        apr_pool_userdata_setn(rate, RATES, NULL, forever);
    }
    while ((server = alloy_config_next(main_server, server))) {
        alloy_config_of(server)->config.rate = rate;
    }
    return APR_SUCCESS;
}

static int finish_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                         server_rec *main_server)
{
    apr_status_t status = share_rates(main_server);

    if (status != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, status, main_server,
                     "AL0304: no shared memory for the rate limits");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    alloy_json_init();
    alloy_log_set(write_log, main_server,
                  ap_get_server_module_loglevel(main_server,
                                                APLOG_MODULE_INDEX));
    apr_pool_cleanup_register(pconf, NULL, stop_log, apr_pool_cleanup_null);
    return OK;
}

/** Half of the threads may wait for changes, all hosts together. */
static int count_waiters(server_rec *main_server)
{
    server_rec *server = NULL;
    int threads = 0, hosts = 0;

    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    while ((server = alloy_config_next(main_server, server))) {
        hosts++;
    }
    return hosts ? threads / 2 / hosts : 0;
}

/** A child that can't have an engine still serves the other hosts. */
static void start_child(apr_pool_t *pchild, server_rec *main_server)
{
    server_rec *server = NULL;
    int waiters = count_waiters(main_server);

    while ((server = alloy_config_next(main_server, server))) {
        alloy_server_t *own = alloy_config_of(server);
        apr_status_t status;

        own->config.waiters = waiters;
        status = alloy_engine_make(&own->engine, &own->config, own->registry,
                                   pchild);
        if (status != APR_SUCCESS) {
            own->engine = NULL;
            ap_log_error(APLOG_MARK, APLOG_ERR, status, server,
                         "AL0303: the API at %s%s can't start in this child "
                         "and answers 503 here; the lines before this one say "
                         "why",
                         own->config.base_url, own->config.prefix);
        }
    }
}

/** Its threads end when they have answered: nobody waits for changes now. */
static void stop_child(apr_pool_t *pchild, int graceful)
{
    server_rec *server = NULL;

    while ((server = alloy_config_next(ap_server_conf, server))) {
        alloy_server_t *own = alloy_config_of(server);

        if (own->engine) {
            alloy_engine_stop(own->engine);
        }
    }
}

static void register_hooks(apr_pool_t *pool)
{
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(finish_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(start_child, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(stop_child, NULL, NULL, APR_HOOK_MIDDLE);
    alloy_http_hooks();
    alloy_error_hooks();
    alloy_status_hooks();
    alloy_keepalive_hooks();
}

module alloy_module = {
    STANDARD20_MODULE_STUFF,
    alloy_config_place_make,
    alloy_config_place_merge,
    alloy_config_server_make,
    alloy_config_server_merge,
    alloy_config_directives,
    register_hooks,
#ifdef AP_MODULE_FLAG_NONE
    AP_MODULE_FLAG_NONE,
#endif
};
