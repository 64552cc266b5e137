/**
 * @file registry.h
 * @brief The operation table, resolved: every plugin's record checked, added
 * fields merged, paths compiled.  Made in httpd's check_config, read-only
 * afterwards.
 */
#ifndef ALLOY_CORE_REGISTRY_H
#define ALLOY_CORE_REGISTRY_H

#include <apr_hash.h>

#include "../alloy.h"

#define ALLOY_OP_PARAMS_MAX 40     /* of one operation, added ones included */
#define ALLOY_OP_STATEMENTS_MAX 16 /* one call of it sends, all plugins' */
#define ALLOY_PROJECT_SUFFIX "_project" /* see resource_param of alloy.h */

/** Where a parameter's value is read from. */
typedef enum {
    ALLOY_PLACE_PATH,
    ALLOY_PLACE_QUERY,
    ALLOY_PLACE_BODY
} alloy_place_e;

/** An operation with what the engine worked out for it. */
typedef struct {
    const alloy_operation_t *row;
    const alloy_plugin_t *plugin;
    const alloy_param_t *const *params; /* own and added; NPARAMS */
    int nparams;
    int *segment; /* per parameter: index of its path segment, or -1 */
    int reads_body;
    const alloy_statement_t *last; /* whose rows are the answer, or NULL */
    const alloy_statement_t *instead; /* a plugin's, for that one, or NULL */
    int writes; /* some statement or the method changes something */
    const alloy_shape_t *answer; /* with added fields, or NULL */
    const alloy_refusal_t *refusals; /* own and added; ended by a NULL code */
    /* both NULL-terminated and perhaps empty; hooks of its guarded write */
    const alloy_extension_t *const *extensions;
    const alloy_hook_t *const *hooks;
    /* the parameter that tells the organization: the first REF of the path,
     * else the one with ALLOY_HOME; -1: none */
    int anchor;
    int index; /* 0 .. count-1, for counters */
} alloy_op_t;

typedef struct alloy_registry_t alloy_registry_t;

/**
 * Resolve PLUGINS (NULL-terminated, the core first).
 * @return NULL, or a sentence that names the plugin and the fault: another API
 * version, an id, a method and path, a tool, a problem code, a resource or a
 * statement in two rows, a path parameter that is not declared, a statement
 * parameter nobody fills, a REF without resource, more than one of steps,
 * guarded and run (or none), an extension or hook of an unknown operation.
 */
const char *alloy_registry_make(alloy_registry_t **pregistry,
                                const alloy_plugin_t *const *plugins,
                                apr_pool_t *pool);

/** Where parameter INDEX of the operation is read from. */
alloy_place_e alloy_op_place(const alloy_op_t *op, int index);
/** The index of the parameter NAME, or -1. */
int alloy_op_param(const alloy_op_t *op, const char *name);
/** What TOOL settles beforehand; NULL: nothing, it is the operation's own. */
const alloy_tool_t *alloy_op_tool(const alloy_op_t *op, const char *tool);
/** The names of all its tools, for people; NULL: none. */
const char *alloy_op_tools(const alloy_op_t *op, apr_pool_t *pool);

int alloy_registry_count(const alloy_registry_t *registry);
const alloy_op_t *alloy_registry_op(const alloy_registry_t *registry,
                                    int index);
const alloy_op_t *alloy_registry_find(const alloy_registry_t *registry,
                                      const char *id);
const alloy_op_t *alloy_registry_tool(const alloy_registry_t *registry,
                                      const char *tool);
const alloy_problem_kind_t *alloy_registry_kind(
    const alloy_registry_t *registry, const char *code);
/** The kind a SQLSTATE raised by a function stands for, or NULL. */
const alloy_problem_kind_t *alloy_registry_sqlstate(
    const alloy_registry_t *registry, const char *sqlstate);
const alloy_resource_t *alloy_registry_resource(
    const alloy_registry_t *registry, const char *name);
/** Kinds in order, for /problems; NULL-terminated. */
const alloy_problem_kind_t *const *alloy_registry_kinds(
    const alloy_registry_t *registry);
/** Plugins as given, NULL-terminated. */
const alloy_plugin_t *const *alloy_registry_plugins(
    const alloy_registry_t *registry);

#endif
