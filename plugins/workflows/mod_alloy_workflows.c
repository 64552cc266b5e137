/*
 * The plugin "workflows": statuses and transitions of an organization's own,
 * and the rules that moves of tickets obey because of them.
 */
#include "workflows.h"

#include <httpd.h>
#include <http_config.h>
#include <ap_provider.h>

#include "sql/rules.h"
#include "sql/workflow.h"

/* The newest file in sql/migrations. */
#define SCHEMA 1

static const alloy_operation_t *const operations[] = {
    workflows_operations,
    workflows_simulate_operations,
    NULL
};

static const alloy_statement_t *const *const statements[] = {
    sql_workflow_statements,
    sql_rules_statements,
    NULL
};

static const alloy_extension_t *const extensions[] = {
    &workflows_explain, NULL
};

static const alloy_hook_t *const hooks[] = {
    &workflows_transition_hook, &workflows_update_hook, NULL
};

static const alloy_plugin_t workflows_plugin = {
    ALLOY_PLUGIN_INIT,
    .name = "workflows",
    .schema = SCHEMA,
    .operations = operations,
    .statements = statements,
    .extensions = extensions,
    .hooks = hooks,
};

static void register_hooks(apr_pool_t *pool)
{
    ap_register_provider(pool, ALLOY_PLUGIN_GROUP, "workflows",
                         ALLOY_PLUGIN_VERSION, &workflows_plugin);
}

extern ALLOY_DECLARE_DATA module alloy_workflows_module;

module alloy_workflows_module = {
    STANDARD20_MODULE_STUFF,
    NULL, NULL, NULL, NULL, NULL,
    register_hooks
};
