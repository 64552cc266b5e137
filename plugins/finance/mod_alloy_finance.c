/*
 * The finance plugin: time worked on tickets, its approval, what an hour costs,
 * closed periods. Here are its record and its directive.
 */
#include <httpd.h>
#include <http_config.h>
#include <ap_provider.h>

#include "finance.h"
#include "reports.h"
#include "sql/budget.h"
#include "sql/capitalization.h"
#include "sql/fact.h"
#include "sql/period.h"
#include "sql/rate.h"
#include "sql/time_entry.h"
#include "sql/time_report.h"

/* The newest file in sql/migrations. */
#define SCHEMA 1

extern ALLOY_DECLARE_DATA module alloy_finance_module;

/* ---- the directive ------------------------------------------------------------- */

/** Of a host. */
typedef struct {
    int self_approval;          /* -1: not given */
} host_t;

static void *make_host(apr_pool_t *pool, server_rec *server)
{
    host_t *host = apr_palloc(pool, sizeof(*host));

    host->self_approval = -1;
    return host;
}

static void *merge_hosts(apr_pool_t *pool, void *base, void *own)
{
    return ((const host_t *)own)->self_approval >= 0 ? own : base;
}

static const char *set_self_approval(cmd_parms *cmd, void *place, int on)
{
    host_t *host = ap_get_module_config(cmd->server->module_config,
                                        &alloy_finance_module);

    host->self_approval = on;
    return NULL;
}

int finance_self_approval(const alloy_call_t *call)
{
    const server_rec *server = alloy_call_server(call);
    const host_t *host = server
        ? ap_get_module_config(server->module_config, &alloy_finance_module)
        : NULL;

    return host && host->self_approval > 0;
}

static const command_rec directives[] = {
    AP_INIT_FLAG("AlloyFinanceSelfApproval", set_self_approval, NULL, RSRC_CONF,
                 "on or off: whether Admins may approve their own time"),
    { NULL }
};

/* ---- the record ---------------------------------------------------------------- */

/* Entity types of the change log that nothing refers to. What an hour costs is
 * for Admins. */
static const alloy_resource_t log_rate = {
    .name = "labor_rate", .table = "alloy.labor_rate", .read = ALLOY_ADMIN
};
static const alloy_resource_t log_fact = {
    .name = "project_fact", .table = "alloy.project_fact", .read = ALLOY_VIEWER
};
static const alloy_resource_t log_finance = {
    .name = "project_finance", .table = "alloy.project_finance",
    .read = ALLOY_VIEWER
};
static const alloy_resource_t log_period = {
    .name = "period_close", .table = "alloy.period_close", .read = ALLOY_VIEWER
};

static const alloy_operation_t *const operations[] = {
    finance_time_entry_operations,
    finance_approval_operations,
    finance_rate_operations,
    finance_period_operations,
    finance_fact_operations,
    finance_capitalization_operations,
    finance_time_report_operations,
    finance_budget_operations,
    finance_pack_operations,
    NULL
};

static const alloy_statement_t *const *const statements[] = {
    sql_time_entry_statements,
    sql_rate_statements,
    sql_period_statements,
    sql_fact_statements,
    sql_capitalization_statements,
    sql_time_report_statements,
    sql_budget_statements,
    NULL
};

static const alloy_problem_kind_t *const problems[] = {
    &finance_period_closed,
    &finance_budget_exceeded,
    NULL
};

static const alloy_resource_t *const resources[] = {
    &finance_time_entry_resource,
    &finance_pack_resource,
    &log_rate,
    &log_fact,
    &log_finance,
    &log_period,
    NULL
};

static const alloy_extension_t *const extensions[] = {
    &finance_project_create,
    &finance_project_update,
    &finance_project_get,
    &finance_project_list,
    NULL
};

static const alloy_plugin_t finance_plugin = {
    ALLOY_PLUGIN_INIT,
    .name = "finance",
    .schema = SCHEMA,
    .operations = operations,
    .statements = statements,
    .problems = problems,
    .resources = resources,
    .extensions = extensions,
};

static void register_hooks(apr_pool_t *pool)
{
    ap_register_provider(pool, ALLOY_PLUGIN_GROUP, "finance",
                         ALLOY_PLUGIN_VERSION, &finance_plugin);
}

ALLOY_DECLARE_DATA module alloy_finance_module = {
    STANDARD20_MODULE_STUFF,
    NULL, NULL, make_host, merge_hosts, directives,
    register_hooks
};
