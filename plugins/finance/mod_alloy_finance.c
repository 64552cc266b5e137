/*
 * The finance plugin: time worked on tickets, its approval, what an hour costs,
 * closed periods.
 */
#include <httpd.h>
#include <http_config.h>
#include <ap_provider.h>

#include "alloy.h"

/* The newest file in sql/migrations. */
#define SCHEMA 1

static const alloy_plugin_t finance_plugin = {
    ALLOY_PLUGIN_INIT,
    .name = "finance",
    .schema = SCHEMA,
};

static void register_hooks(apr_pool_t *pool)
{
    ap_register_provider(pool, ALLOY_PLUGIN_GROUP, "finance",
                         ALLOY_PLUGIN_VERSION, &finance_plugin);
}

ALLOY_DECLARE_DATA module alloy_finance_module = {
    STANDARD20_MODULE_STUFF,
    NULL, NULL, NULL, NULL, NULL,
    register_hooks
};
