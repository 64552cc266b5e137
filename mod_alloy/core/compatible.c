/*
 * The schema's version: what is expected comes from the plugins' records, what
 * is there from the connector thread, which looks again and again.
 */
#include "compatible.h"

#include "problem.h"

#define RETRY_SECONDS 5

void alloy_compatible_expect(alloy_engine_t *engine, apr_pool_t *pool)
{
    const alloy_plugin_t *const *plugins =
        alloy_registry_plugins(engine->registry);
    const char **names;
    int *versions;
    int count = 0, i;

    while (plugins[count]) {
        count++;
    }
    names = apr_palloc(pool, sizeof(*names) * (count + 1));
    versions = apr_palloc(pool, sizeof(*versions) * (count + 1));
    for (i = 0; i < count; i++) {
        names[i] = plugins[i]->name;
        versions[i] = plugins[i]->schema;
    }
    alloy_db_expect(engine->db, names, versions, count);
}

alloy_problem_t *alloy_compatible_check(const alloy_engine_t *engine,
                                        const alloy_op_t *op, apr_pool_t *pool)
{
    alloy_db_state_t state;

    if (op->row->flags & ALLOY_ROOT) {
        return NULL;
    }
    alloy_db_state(engine->db, &state);
    if (!state.reachable || state.schema_fits || !state.schema_fault) {
        return NULL;
    }
    return alloy_problem_retry(
        alloy_problem_make(pool, &alloy_schema_mismatch, "%s",
                           state.schema_fault), RETRY_SECONDS);
}
