/* The operation table, resolved. Plugins are taken in one after the other, each
 * name into the index it must be unique in; then every operation is worked out
 * and checked. The result is read-only and shared by all threads.
 */
#include "registry.h"

#include <string.h>

#include <apr_strings.h>

#include "path.h"
#include "problem.h"
#include "registry_check.h"

static const char *owner_of(const alloy_op_t *op, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s of plugin %s", op->row->id, op->plugin->name);
}

/* ---- A plugin's record --------------------------------------------------- */

static const char *version_check(const alloy_check_t *check,
                                 const alloy_plugin_t *plugin)
{
    if (plugin->major != ALLOY_API_MAJOR || plugin->minor > ALLOY_API_MINOR) {
        return alloy_check_refuse(check,
                                  "it was built for version %d.%d of "
                                  "Alloy's API, this is %d.%d; build it again",
                                  plugin->major, plugin->minor, ALLOY_API_MAJOR,
                                  ALLOY_API_MINOR);
    }
    if (plugin->size != sizeof(*plugin)) {
        return alloy_check_refuse(check,
                                  "its record has %lu bytes instead of "
                                  "%lu; begin it with ALLOY_PLUGIN_INIT and "
                                  "build it again",
                                  (unsigned long)plugin->size,
                                  (unsigned long)sizeof(*plugin));
    }
    return NULL;
}

static const char *plugin_check(const alloy_check_t *check,
                                const alloy_registry_t *registry, int index)
{
    const alloy_plugin_t *plugin = registry->plugins[index];
    int i;

    ALLOY_CHECK(version_check(check, plugin));
    ALLOY_CHECK(alloy_check_name(check, "plugin", plugin->name));
    if (plugin->schema < 0) {
        return alloy_check_refuse(check,
                                  ".schema is %d; it is the number of "
                                  "the newest migration, or 0",
                                  plugin->schema);
    }
    for (i = 0; i < index; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): named */
        if (strcmp(registry->plugins[i]->name, plugin->name) == 0) {
            return alloy_check_refuse(check, "there are two plugins of this "
                                             "name");
        }
    }
    return NULL;
}

/* ---- Operations ---------------------------------------------------------- */

static const char *path_add(const alloy_check_t *check,
                            alloy_registry_t *registry, const alloy_op_t *op)
{
    const char *method = alloy_method_name(op->row->method);
    const char *form = alloy_path_form(op->row->path, check->pool);
    const char *key = apr_pstrcat(check->pool, method, " ", form, NULL);
    const alloy_op_t *there;

    if (!alloy_index_add(registry->by_path, key, op)) {
        there = apr_hash_get(registry->by_path, key, APR_HASH_KEY_STRING);
        return alloy_check_refuse(check, "%s %s is served by %s already",
                                  method, op->row->path,
                                  owner_of(there, check->pool));
    }
    there = apr_hash_get(registry->by_form, form, APR_HASH_KEY_STRING);
    if (there && strcmp(there->row->path, op->row->path) != 0) {
        return alloy_check_refuse(check,
                                  "the path %s is spelled %s by %s; "
                                  "name its parameters alike",
                                  op->row->path, there->row->path,
                                  owner_of(there, check->pool));
    }
    alloy_index_add(registry->by_form, form, op);
    return NULL;
}

static const char *op_index(const alloy_check_t *check,
                            alloy_registry_t *registry, const alloy_op_t *op)
{
    if (!alloy_index_add(registry->by_id, op->row->id, op)) {
        const alloy_op_t *there = alloy_registry_find(registry, op->row->id);

        return alloy_check_refuse(check, "the id is taken by plugin %s already",
                                  there->plugin->name);
    }
    ALLOY_CHECK(path_add(check, registry, op));
    return alloy_tools_add(check, registry, op);
}

/* "operation ticket_get: ..." */
static alloy_check_t check_of(const alloy_registry_t *registry,
                              const alloy_plugin_t *plugin, const char *kind,
                              const char *name)
{
    alloy_check_t check = { .registry = registry,
                            .plugin = plugin->name,
                            .pool = registry->pool };

    if (kind) {
        check.what = apr_pstrcat(registry->pool, kind, " ", name, NULL);
    }
    return check;
}

static const char *op_add(alloy_registry_t *registry,
                          const alloy_plugin_t *plugin,
                          const alloy_operation_t *row)
{
    alloy_check_t check = check_of(registry, plugin, "operation", row->id);
    alloy_op_t *op = &registry->ops[registry->count];
    const char *fault;

    ALLOY_CHECK(alloy_check_name(&check, "operation", row->id));
    if (!row->path || row->method > ALLOY_DELETE) {
        return alloy_check_refuse(&check, ".method and .path must be set");
    }
    fault = alloy_path_fault(row->path, registry->pool);
    if (fault) {
        return alloy_check_refuse(&check, "%s", fault);
    }
    op->row = row;
    op->plugin = plugin;
    op->index = registry->count++;
    ALLOY_CHECK(alloy_used_statements_add(&check, registry, row));
    return op_index(&check, registry, op);
}

static const char *ops_add(alloy_registry_t *registry,
                           const alloy_plugin_t *plugin)
{
    const alloy_operation_t *const *table = plugin->operations;
    const alloy_operation_t *row;

    for (; table && *table; table++) {
        for (row = *table; row->id; row++) {
            ALLOY_CHECK(op_add(registry, plugin, row));
        }
    }
    return NULL;
}

static int ops_count(const alloy_plugin_t *const *plugins)
{
    int count = 0;

    for (; *plugins; plugins++) {
        const alloy_operation_t *const *table = (*plugins)->operations;

        for (; table && *table; table++) {
            const alloy_operation_t *row;

            for (row = *table; row->id; row++) {
                count++;
            }
        }
    }
    return count;
}

/* ---- Extensions and hooks ------------------------------------------------ */

static int acts_as(const alloy_op_t *op, const char *action)
{
    return op->row->guarded && op->row->guarded->action && action
           && strcmp(op->row->guarded->action, action) == 0;
}

/* Lists are kept as arrays of pointers until all plugins have spoken. */
static void extensions_collect(alloy_registry_t *registry, alloy_op_t *op)
{
    apr_array_header_t *list = apr_array_make(registry->pool, 2,
                                              sizeof(void *));
    const alloy_plugin_t *const *plugin;

    for (plugin = registry->plugins; *plugin; plugin++) {
        const alloy_extension_t *const *added = (*plugin)->extensions;

        for (; added && *added; added++) {
            if ((*added)->operation
                && strcmp((*added)->operation, op->row->id) == 0) {
                APR_ARRAY_PUSH(list, const alloy_extension_t *) = *added;
            }
        }
    }
    APR_ARRAY_PUSH(list, const alloy_extension_t *) = NULL;
    op->extensions = (const alloy_extension_t *const *)list->elts;
}

static void hooks_collect(alloy_registry_t *registry, alloy_op_t *op)
{
    apr_array_header_t *list = apr_array_make(registry->pool, 2,
                                              sizeof(void *));
    const alloy_plugin_t *const *plugin;

    for (plugin = registry->plugins; *plugin; plugin++) {
        const alloy_hook_t *const *hook = (*plugin)->hooks;

        for (; hook && *hook; hook++) {
            if (acts_as(op, (*hook)->action)) {
                APR_ARRAY_PUSH(list, const alloy_hook_t *) = *hook;
            }
        }
    }
    APR_ARRAY_PUSH(list, const alloy_hook_t *) = NULL;
    op->hooks = (const alloy_hook_t *const *)list->elts;
}

static const char *added_fields_check(const alloy_check_t *check,
                                      alloy_registry_t *registry,
                                      const alloy_op_t *op,
                                      const alloy_extension_t *added)
{
    const alloy_field_t *field = added->fields;

    if (field && (!op->answer || !added->read)) {
        return alloy_check_refuse(check,
                                  "keys are added to the answer, which "
                                  "needs an operation with .answer and a "
                                  "statement in .read");
    }
    for (; field && field->name; field++) {
        if (alloy_check_count_fields(op->answer, field->name) > 1) {
            return alloy_check_refuse(check,
                                      "the answer has the key %s "
                                      "already",
                                      field->name);
        }
        ALLOY_CHECK(alloy_shapes_add(check, registry, field->shape));
    }
    return op->answer ? alloy_check_shape(check, op->answer) : NULL;
}

static const char *instead_check(const alloy_check_t *check,
                                 const alloy_op_t *op,
                                 const alloy_statement_t *instead)
{
    if (!instead) {
        return NULL;
    }
    if (!op->row->steps[0] || instead->mode != op->last->mode) {
        return alloy_check_refuse(check,
                                  "the statement %s in .instead needs an "
                                  "operation with steps, the last of which "
                                  "answers as it does",
                                  instead->name);
    }
    if (op->instead != instead) {
        return alloy_check_refuse(check,
                                  "%s answers instead of the last step "
                                  "already",
                                  op->instead->name);
    }
    return alloy_check_fills(check, op, instead, NULL);
}

static const char *extension_check(const alloy_check_t *check,
                                   alloy_registry_t *registry,
                                   const alloy_extension_t *added)
{
    const alloy_op_t *op = added->operation
                               ? alloy_registry_find(registry, added->operation)
                               : NULL;
    const alloy_param_t *param = added->params;

    if (!op) {
        return alloy_check_refuse(check, "there is no such operation");
    }
    for (; param && param->name; param++) {
        if (alloy_check_count_params(op, param->name) > 1) {
            return alloy_check_refuse(check,
                                      "the input has the key %s "
                                      "already",
                                      param->name);
        }
        ALLOY_CHECK(alloy_check_param(check, op, param));
    }
    ALLOY_CHECK(added_fields_check(check, registry, op, added));
    if (added->write && !op->answer) {
        return alloy_check_refuse(check, "what .write changes is found by the "
                                         "id in the answer, and there is none");
    }
    ALLOY_CHECK(alloy_check_refusals(check, op, added->refusals));
    ALLOY_CHECK(instead_check(check, op, added->instead));
    ALLOY_CHECK(alloy_statement_add(check, registry, added->instead));
    ALLOY_CHECK(alloy_statement_add(check, registry, added->write));
    ALLOY_CHECK(alloy_statement_add(check, registry, added->read));
    if (op->row->run) {
        return NULL; /* C may bind what they need */
    }
    ALLOY_CHECK(alloy_check_fills(check, op, added->write, "id"));
    return alloy_check_fills(check, op, added->read, "ids");
}

static const char *hook_check(const alloy_check_t *check,
                              alloy_registry_t *registry,
                              const alloy_hook_t *hook)
{
    int i, found = 0;

    if (hook->lock && !hook->counts && !hook->must_lock) {
        return alloy_check_refuse(check, "a .lock is taken in the locked form "
                                         "only; set .counts or .must_lock");
    }
    ALLOY_CHECK(alloy_statement_add(check, registry, hook->facts));
    ALLOY_CHECK(alloy_statement_add(check, registry, hook->facts_many));
    ALLOY_CHECK(alloy_statement_add(check, registry, hook->lock));
    ALLOY_CHECK(alloy_statement_add(check, registry, hook->lock_many));
    ALLOY_CHECK(alloy_check_fills_only(check, hook->facts_many,
                                       alloy_many_names));
    ALLOY_CHECK(alloy_check_fills_only(check, hook->lock_many,
                                       alloy_many_names));
    for (i = 0; i < registry->count; i++) {
        if (acts_as(&registry->ops[i], hook->action)) {
            found = 1;
            ALLOY_CHECK(
                alloy_check_fills(check, &registry->ops[i], hook->facts, NULL));
            ALLOY_CHECK(
                alloy_check_fills(check, &registry->ops[i], hook->lock, NULL));
        }
    }
    if (!found || !hook->before) {
        return alloy_check_refuse(check, "%s",
                                  found ? ".before must be set"
                                        : "no guarded write has this action");
    }
    return NULL;
}

static const char *additions_check(alloy_registry_t *registry,
                                   const alloy_plugin_t *plugin)
{
    const alloy_extension_t *const *added = plugin->extensions;
    const alloy_hook_t *const *hook = plugin->hooks;

    for (; added && *added; added++) {
        alloy_check_t check = check_of(registry, plugin, "extension of",
                                       (*added)->operation);

        ALLOY_CHECK(extension_check(&check, registry, *added));
    }
    for (; hook && *hook; hook++) {
        alloy_check_t check = check_of(registry, plugin, "hook of",
                                       (*hook)->action);

        ALLOY_CHECK(hook_check(&check, registry, *hook));
    }
    return NULL;
}

/* ---- All of it ----------------------------------------------------------- */

static alloy_registry_t *registry_create(const alloy_plugin_t *const *plugins,
                                         apr_pool_t *pool)
{
    alloy_registry_t *registry = apr_pcalloc(pool, sizeof(*registry));
    int nkinds = alloy_kinds_count(alloy_problem_kinds);
    const alloy_plugin_t *const *plugin;

    for (plugin = plugins; *plugin; plugin++) {
        nkinds += alloy_kinds_count((*plugin)->problems);
    }
    registry->pool = pool;
    registry->plugins = plugins;
    registry->ops = apr_pcalloc(pool,
                                sizeof(alloy_op_t) * (ops_count(plugins) + 1));
    registry->kinds = apr_pcalloc(pool,
                                  sizeof(*registry->kinds) * (nkinds + 1));
    registry->by_id = apr_hash_make(pool);
    registry->by_tool = apr_hash_make(pool);
    registry->by_path = apr_hash_make(pool);
    registry->by_form = apr_hash_make(pool);
    registry->by_code = apr_hash_make(pool);
    registry->resources = apr_hash_make(pool);
    registry->statements = apr_hash_make(pool);
    registry->shapes = apr_hash_make(pool);
    return registry;
}

static const char *plugin_add(alloy_registry_t *registry, int index)
{
    const alloy_plugin_t *plugin = registry->plugins[index];
    alloy_check_t check = check_of(registry, plugin, NULL, NULL);

    ALLOY_CHECK(alloy_kinds_add(&check, registry, plugin->problems));
    ALLOY_CHECK(alloy_statements_add(&check, registry, plugin->statements));
    ALLOY_CHECK(alloy_resources_add(&check, registry, plugin->resources));
    return ops_add(registry, plugin);
}

static const char *ops_check(alloy_registry_t *registry)
{
    int i;

    for (i = 0; i < registry->count; i++) {
        alloy_op_t *op = &registry->ops[i];
        alloy_check_t check = check_of(registry, op->plugin, "operation",
                                       op->row->id);

        extensions_collect(registry, op);
        hooks_collect(registry, op);
        alloy_op_resolve(op, registry->pool);
        ALLOY_CHECK(alloy_shapes_add(&check, registry, op->row->answer));
        ALLOY_CHECK(alloy_check_op(&check, op));
    }
    for (i = 0; registry->plugins[i]; i++) {
        ALLOY_CHECK(additions_check(registry, registry->plugins[i]));
    }
    return NULL;
}

const char *alloy_registry_make(alloy_registry_t **pregistry,
                                const alloy_plugin_t *const *plugins,
                                apr_pool_t *pool)
{
    alloy_check_t core = { .plugin = "core", .pool = pool };
    alloy_registry_t *registry;
    int i;

    *pregistry = NULL;
    /* records of another version can't be read, so versions come first */
    for (i = 0; plugins[i]; i++) {
        alloy_check_t check = { .plugin = plugins[i]->name ? plugins[i]->name
                                                           : "?",
                                .pool = pool };
        alloy_registry_t names = { .plugins = plugins };

        ALLOY_CHECK(plugin_check(&check, &names, i));
    }
    registry = registry_create(plugins, pool);
    core.registry = registry;
    ALLOY_CHECK(alloy_kinds_add(&core, registry, alloy_problem_kinds));
    for (i = 0; plugins[i]; i++) {
        ALLOY_CHECK(plugin_add(registry, i));
    }
    ALLOY_CHECK(ops_check(registry));
    *pregistry = registry;
    return NULL;
}

/* ---- Looking things up --------------------------------------------------- */

alloy_place_e alloy_op_place(const alloy_op_t *op, int index)
{
    unsigned flags = op->params[index]->flags;

    if (op->segment[index] >= 0) {
        return ALLOY_PLACE_PATH;
    }
    if (flags & ALLOY_IN_QUERY) {
        return ALLOY_PLACE_QUERY;
    }
    if ((flags & ALLOY_IN_BODY)
        || (op->row->method != ALLOY_GET && op->row->method != ALLOY_DELETE)) {
        return ALLOY_PLACE_BODY;
    }
    return ALLOY_PLACE_QUERY;
}

int alloy_op_param(const alloy_op_t *op, const char *name)
{
    int i;

    for (i = 0; i < op->nparams; i++) {
        if (strcmp(op->params[i]->name, name) == 0) {
            return i;
        }
    }
    return -1;
}

int alloy_registry_count(const alloy_registry_t *registry)
{
    return registry->count;
}

const alloy_op_t *alloy_registry_op(const alloy_registry_t *registry, int index)
{
    return &registry->ops[index];
}

const alloy_op_t *alloy_registry_find(const alloy_registry_t *registry,
                                      const char *id)
{
    return apr_hash_get(registry->by_id, id, APR_HASH_KEY_STRING);
}

const alloy_op_t *alloy_registry_tool(const alloy_registry_t *registry,
                                      const char *tool)
{
    return apr_hash_get(registry->by_tool, tool, APR_HASH_KEY_STRING);
}

const alloy_problem_kind_t *alloy_registry_kind(
    const alloy_registry_t *registry, const char *code)
{
    return apr_hash_get(registry->by_code, code, APR_HASH_KEY_STRING);
}

const alloy_problem_kind_t *alloy_registry_sqlstate(
    const alloy_registry_t *registry, const char *sqlstate)
{
    int i;

    for (i = 0; i < registry->nkinds; i++) {
        const char *own = registry->kinds[i]->sqlstate;

        if (own && strcmp(own, sqlstate) == 0) {
            return registry->kinds[i];
        }
    }
    return NULL;
}

const alloy_resource_t *alloy_registry_resource(
    const alloy_registry_t *registry, const char *name)
{
    return apr_hash_get(registry->resources, name, APR_HASH_KEY_STRING);
}

const alloy_problem_kind_t *const *alloy_registry_kinds(
    const alloy_registry_t *registry)
{
    return registry->kinds;
}

const alloy_plugin_t *const *alloy_registry_plugins(
    const alloy_registry_t *registry)
{
    return registry->plugins;
}
