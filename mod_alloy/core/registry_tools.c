/* The tools of an operation: its own, and those that stand for the same call
 * with something settled beforehand. Each has a name that no other tool has and
 * speaks of parameters the operation has.
 */
#include "registry_check.h"

#include <string.h>

#include <apr_strings.h>

/* ---- Into the index ------------------------------------------------------ */

static const char *tool_add(const alloy_check_t *check,
                            alloy_registry_t *registry, const alloy_op_t *op,
                            const char *tool)
{
    const alloy_op_t *there;

    ALLOY_CHECK(alloy_check_name(check, "tool", tool));
    there = alloy_registry_tool(registry, tool);
    if (there) {
        return alloy_check_refuse(check, "the tool %s is there already, by %s "
                                         "of plugin %s",
                                  tool, there->row->id, there->plugin->name);
    }
    alloy_index_add(registry->by_tool, tool, op);
    return NULL;
}

const char *alloy_tools_add(const alloy_check_t *check,
                            alloy_registry_t *registry, const alloy_op_t *op)
{
    const alloy_tool_t *tool = op->row->tools;

    if (op->row->tool) {
        ALLOY_CHECK(tool_add(check, registry, op, op->row->tool));
    }
    for (; tool && tool->name; tool++) {
        ALLOY_CHECK(tool_add(check, registry, op, tool->name));
    }
    return NULL;
}

/* ---- What it settles ----------------------------------------------------- */

static int is_named(const char *const *names, const char *name, int step)
{
    for (; names && *names; names += step) {
        if (!strcmp(*names, name)) {
            return 1;
        }
    }
    return 0;
}

static const char *names_check(const alloy_check_t *check,
                               const alloy_op_t *op, const alloy_tool_t *tool,
                               const char *const *names)
{
    for (; names && *names; names++) {
        if (alloy_op_param(op, *names) < 0) {
            return alloy_check_refuse(check, "the tool %s speaks of %s, which "
                                             "is no parameter of the operation",
                                      tool->name, *names);
        }
        if (is_named(tool->fixed, *names, 2)) {
            return alloy_check_refuse(check, "the tool %s fixes %s and takes "
                                             "it as well",
                                      tool->name, *names);
        }
    }
    return NULL;
}

static const char *fixed_check(const alloy_check_t *check, const alloy_op_t *op,
                               const alloy_tool_t *tool)
{
    const char *const *pair = tool->fixed;

    for (; pair && *pair; pair += 2) {
        if (alloy_op_param(op, *pair) < 0 || !pair[1]) {
            return alloy_check_refuse(check, "the tool %s must fix parameters "
                                             "of the operation, each with a "
                                             "value; %s is none",
                                      tool->name, *pair);
        }
    }
    return NULL;
}

const char *alloy_check_tools(const alloy_check_t *check, const alloy_op_t *op)
{
    const alloy_tool_t *tool = op->row->tools;

    for (; tool && tool->name; tool++) {
        if (!tool->summary) {
            return alloy_check_refuse(check, "the tool %s needs a .summary",
                                      tool->name);
        }
        ALLOY_CHECK(fixed_check(check, op, tool));
        ALLOY_CHECK(names_check(check, op, tool, tool->required));
        ALLOY_CHECK(names_check(check, op, tool, tool->only));
    }
    return NULL;
}

/* ---- Reading ------------------------------------------------------------- */

const alloy_tool_t *alloy_op_tool(const alloy_op_t *op, const char *tool)
{
    const alloy_tool_t *more = op->row->tools;

    while (more && more->name && strcmp(more->name, tool) != 0) {
        more++;
    }
    return more && more->name ? more : NULL;
}

const char *alloy_op_tools(const alloy_op_t *op, apr_pool_t *pool)
{
    const alloy_tool_t *more = op->row->tools;
    const char *names = op->row->tool;

    for (; more && more->name; more++) {
        names = names ? apr_pstrcat(pool, names, ", ", more->name, NULL)
                      : more->name;
    }
    return names;
}
