/**
 * @file registry_check.h
 * @brief What a row of the operation table must fulfil, for the registry's own
 * files.  Every check answers NULL or a sentence that names the plugin.
 */
#ifndef ALLOY_CORE_REGISTRY_CHECK_H
#define ALLOY_CORE_REGISTRY_CHECK_H

#include "registry.h"

struct alloy_registry_t {
    apr_pool_t *pool;
    const alloy_plugin_t *const *plugins;
    alloy_op_t *ops;
    int count;
    const alloy_problem_kind_t **kinds;
    int nkinds;
    apr_hash_t *by_id, *by_tool, *by_path, *by_form; /* of alloy_op_t */
    apr_hash_t *by_code;                             /* of kinds */
    apr_hash_t *resources, *statements, *shapes;     /* by name */
};

/** Whose row is looked at, for the sentence. */
typedef struct {
    const alloy_registry_t *registry;
    const char *plugin;
    const char *what; /* "operation ticket_get", or NULL */
    apr_pool_t *pool;
} alloy_check_t;

/** Return from the current function when EXPR meets a fault. */
#define ALLOY_CHECK(expr)                                                      \
    do {                                                                       \
        const char *alloy_check_fault = (expr);                                \
        if (alloy_check_fault) {                                               \
            return alloy_check_fault;                                          \
        }                                                                      \
    } while (0)

/** "plugin finance: operation time_log: " and the rest. */
const char *alloy_check_refuse(const alloy_check_t *check, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/** WORD must be a small name; KIND says of what ("tool"). */
const char *alloy_check_name(const alloy_check_t *check, const char *kind,
                             const char *word);

/** How many rows of the operation's input, or of its answer, have the name. */
int alloy_check_count_params(const alloy_op_t *op, const char *name);
int alloy_check_count_fields(const alloy_shape_t *shape, const char *name);

/* registry_names.c: into the indexes */
/** Remember VALUE under KEY.  0: another one is there already. */
int alloy_index_add(apr_hash_t *index, const char *key, const void *value);
int alloy_kinds_count(const alloy_problem_kind_t *const *kinds);
const char *alloy_kinds_add(const alloy_check_t *check,
                            alloy_registry_t *registry,
                            const alloy_problem_kind_t *const *kinds);
const char *alloy_statement_add(const alloy_check_t *check,
                                alloy_registry_t *registry,
                                const alloy_statement_t *statement);
const char *alloy_statements_add(const alloy_check_t *check,
                                 alloy_registry_t *registry,
                                 const alloy_statement_t *const *const *tables);
/** Those the operation itself runs. */
const char *alloy_used_statements_add(const alloy_check_t *check,
                                      alloy_registry_t *registry,
                                      const alloy_operation_t *row);
const char *alloy_resources_add(const alloy_check_t *check,
                                alloy_registry_t *registry,
                                const alloy_resource_t *const *resources);
/** SHAPE, which may be NULL, and those inside it. */
const char *alloy_shapes_add(const alloy_check_t *check,
                             alloy_registry_t *registry,
                             const alloy_shape_t *shape);

/* registry_tools.c */
const char *alloy_tools_add(const alloy_check_t *check,
                            alloy_registry_t *registry, const alloy_op_t *op);
const char *alloy_check_tools(const alloy_check_t *check, const alloy_op_t *op);

/* registry_merge.c */
/** Work out OP from its row and its extensions; checks nothing. */
void alloy_op_resolve(alloy_op_t *op, apr_pool_t *pool);

/* registry_params.c */
/** PARAM at its place; also one an extension adds. */
const char *alloy_check_param(const alloy_check_t *check, const alloy_op_t *op,
                              const alloy_param_t *param);

/* registry_fill.c: whether somebody fills a statement's parameters */
const char *alloy_check_op_fills(const alloy_check_t *check,
                                 const alloy_op_t *op);
/** A statement of a hook or an extension, sent with the operation; ALSO is one
 *  more name it gets, or NULL. */
const char *alloy_check_fills(const alloy_check_t *check, const alloy_op_t *op,
                              const alloy_statement_t *statement,
                              const char *also);
/** What statements of alloy_many_t get; NULL-terminated. */
extern const char *const alloy_many_names[];

/** A statement that gets only the NULL-terminated NAMES. */
const char *alloy_check_fills_only(const alloy_check_t *check,
                                   const alloy_statement_t *statement,
                                   const char *const *names);

/** Everything about an operation's own row. */
const char *alloy_check_op(const alloy_check_t *check, const alloy_op_t *op);
/** REFUSALS, of the operation's row or of an extension of it, or NULL. */
const char *alloy_check_refusals(const alloy_check_t *check,
                                 const alloy_op_t *op,
                                 const alloy_refusal_t *refusals);
/** A shape of any operation, nested ones included. */
const char *alloy_check_shape(const alloy_check_t *check,
                              const alloy_shape_t *shape);

#endif
