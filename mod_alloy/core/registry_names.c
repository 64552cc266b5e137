/* What has a name of its own beside operations: problems, statements, resources
 * and shapes. Each goes into an index it must be unique in, and two plugins
 * that use one name for two things are told so.
 */
#include "registry_check.h"

#include <string.h>

#include <apr_strings.h>

int alloy_index_add(apr_hash_t *index, const char *key, const void *value)
{
    const void *there = apr_hash_get(index, key, APR_HASH_KEY_STRING);

    if (there) {
        return there == value;
    }
    apr_hash_set(index, key, APR_HASH_KEY_STRING, value);
    return 1;
}

/* ---- Problems ------------------------------------------------------------ */

static int sqlstate_fits(const char *sqlstate)
{
    return !sqlstate
           || (strlen(sqlstate) == 5
               && strspn(sqlstate, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
                      == 5);
}

static const char *kind_check(const alloy_check_t *check,
                              const alloy_problem_kind_t *kind)
{
    const alloy_problem_kind_t *other =
        kind->sqlstate
            ? alloy_registry_sqlstate(check->registry, kind->sqlstate)
            : NULL;

    ALLOY_CHECK(alloy_check_name(check, "problem code", kind->code));
    if (kind->status < 400 || kind->status > 599 || !kind->title || !kind->help
        || !sqlstate_fits(kind->sqlstate)) {
        return alloy_check_refuse(check,
                                  "the problem %s needs a status of "
                                  "400 to 599, a title, a help text and, if "
                                  "any, a SQLSTATE of five characters",
                                  kind->code);
    }
    if (other && other != kind) {
        return alloy_check_refuse(check,
                                  "the problems %s and %s share the "
                                  "SQLSTATE %s",
                                  other->code, kind->code, kind->sqlstate);
    }
    return NULL;
}

static const char *many_add(const alloy_check_t *check,
                            alloy_registry_t *registry,
                            const alloy_many_t *many)
{
    const alloy_statement_t *all[] = { many->lock, many->read, many->write,
                                       many->show };
    int i;

    if (!many->lock || !many->read || !many->write) {
        return alloy_check_refuse(check, "a write of many needs .lock, .read "
                                         "and .write");
    }
    for (i = 0; i < 4; i++) {
        ALLOY_CHECK(alloy_statement_add(check, registry, all[i]));
        ALLOY_CHECK(alloy_check_fills_only(check, all[i], alloy_many_names));
    }
    return NULL;
}

static const char *kind_add(const alloy_check_t *check,
                            alloy_registry_t *registry,
                            const alloy_problem_kind_t *kind)
{
    if (kind->code
        && apr_hash_get(registry->by_code, kind->code, APR_HASH_KEY_STRING)
               == kind) {
        return NULL; /* the core's own need not be left out */
    }
    ALLOY_CHECK(kind_check(check, kind));
    if (!alloy_index_add(registry->by_code, kind->code, kind)) {
        return alloy_check_refuse(check,
                                  "the problem code %s is taken "
                                  "already",
                                  kind->code);
    }
    registry->kinds[registry->nkinds++] = kind;
    return NULL;
}

const char *alloy_kinds_add(const alloy_check_t *check,
                            alloy_registry_t *registry,
                            const alloy_problem_kind_t *const *kinds)
{
    for (; kinds && *kinds; kinds++) {
        ALLOY_CHECK(kind_add(check, registry, *kinds));
    }
    return NULL;
}

int alloy_kinds_count(const alloy_problem_kind_t *const *kinds)
{
    int count = 0;

    while (kinds && kinds[count]) {
        count++;
    }
    return count;
}

/* ---- Statements ---------------------------------------------------------- */

/* Statements are prepared under their names, so one name is one text. */
const char *alloy_statement_add(const alloy_check_t *check,
                                alloy_registry_t *registry,
                                const alloy_statement_t *statement)
{
    const alloy_statement_t *there;

    if (!statement) {
        return NULL;
    }
    there = apr_hash_get(registry->statements, statement->name,
                         APR_HASH_KEY_STRING);
    if (there && strcmp(there->text, statement->text) != 0) {
        return alloy_check_refuse(check,
                                  "there is another statement %s with "
                                  "a different text",
                                  statement->name);
    }
    if (statement->nparams > ALLOY_PARAMS_MAX) {
        return alloy_check_refuse(check,
                                  "the statement %s has %d parameters; "
                                  "at most %d are possible",
                                  statement->name, statement->nparams,
                                  ALLOY_PARAMS_MAX);
    }
    apr_hash_set(registry->statements, statement->name, APR_HASH_KEY_STRING,
                 statement);
    return NULL;
}

const char *alloy_statements_add(const alloy_check_t *check,
                                 alloy_registry_t *registry,
                                 const alloy_statement_t *const *const *tables)
{
    const alloy_statement_t *const *statement;

    for (; tables && *tables; tables++) {
        for (statement = *tables; *statement; statement++) {
            ALLOY_CHECK(alloy_statement_add(check, registry, *statement));
        }
    }
    return NULL;
}

const char *alloy_used_statements_add(const alloy_check_t *check,
                                      alloy_registry_t *registry,
                                      const alloy_operation_t *row)
{
    int i;

    for (i = 0; i < ALLOY_STEPS_MAX; i++) {
        ALLOY_CHECK(alloy_statement_add(check, registry, row->steps[i]));
    }
    ALLOY_CHECK(alloy_statement_add(check, registry, row->plain));
    ALLOY_CHECK(alloy_statement_add(check, registry, row->past));
    ALLOY_CHECK(alloy_statement_add(check, registry, row->keyed));
    ALLOY_CHECK(row->many ? many_add(check, registry, row->many) : NULL);
    if (!row->guarded) {
        return NULL;
    }
    ALLOY_CHECK(alloy_statement_add(check, registry, row->guarded->lock));
    ALLOY_CHECK(alloy_statement_add(check, registry, row->guarded->read));
    return alloy_statement_add(check, registry, row->guarded->write);
}

/* ---- Resources ----------------------------------------------------------- */

static const char *resource_fills(const alloy_check_t *check,
                                  const alloy_resource_t *resource)
{
    static const char *const find_names[] = { "ref", "within", "orgs", "me",
                                              NULL };
    static const char *const many_names[] = { "refs", "ids", "orgs", "me",
                                              NULL };
    static const char *const change_names[] = {
        "id", "me", "org", "orgs", "change_id", "operation", NULL
    };

    ALLOY_CHECK(alloy_check_fills_only(check, resource->find_id, find_names));
    ALLOY_CHECK(alloy_check_fills_only(check, resource->find_name, find_names));
    ALLOY_CHECK(alloy_check_fills_only(check, resource->find_many, many_names));
    ALLOY_CHECK(alloy_check_fills_only(check, resource->remove, change_names));
    return alloy_check_fills_only(check, resource->restore, change_names);
}

static const char *resource_add(const alloy_check_t *owner,
                                alloy_registry_t *registry,
                                const alloy_resource_t *resource)
{
    alloy_check_t check = *owner;

    ALLOY_CHECK(alloy_check_name(&check, "resource", resource->name));
    if (!alloy_index_add(registry->resources, resource->name, resource)) {
        return alloy_check_refuse(&check, "the resource %s is there already",
                                  resource->name);
    }
    check.what = apr_pstrcat(check.pool, "resource ", resource->name, NULL);
    if (!resource->table) {
        return alloy_check_refuse(&check, ".table must be set");
    }
    ALLOY_CHECK(alloy_statement_add(&check, registry, resource->find_id));
    ALLOY_CHECK(alloy_statement_add(&check, registry, resource->find_name));
    ALLOY_CHECK(alloy_statement_add(&check, registry, resource->find_many));
    ALLOY_CHECK(alloy_statement_add(&check, registry, resource->remove));
    ALLOY_CHECK(alloy_statement_add(&check, registry, resource->restore));
    return resource_fills(&check, resource);
}

const char *alloy_resources_add(const alloy_check_t *check,
                                alloy_registry_t *registry,
                                const alloy_resource_t *const *resources)
{
    for (; resources && *resources; resources++) {
        ALLOY_CHECK(resource_add(check, registry, *resources));
    }
    return NULL;
}

/* ---- Shapes -------------------------------------------------------------- */

static int shape_name_fits(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789";

    return *name >= 'A' && *name <= 'Z' && strspn(name, letters) == strlen(name)
           && strcmp(name, "Problem") != 0;
}

static const char *shape_add(const alloy_check_t *check,
                             alloy_registry_t *registry,
                             const alloy_shape_t *shape)
{
    const alloy_field_t *field;

    if (!shape_name_fits(shape->name)) {
        return alloy_check_refuse(check,
                                  "\"%s\" is no name for a shape; "
                                  "begin with a capital, use letters and "
                                  "digits; Problem is taken",
                                  shape->name);
    }
    if (!alloy_index_add(registry->shapes, shape->name, shape)) {
        return alloy_check_refuse(check,
                                  "there are two shapes named %s; use "
                                  "one for both or give them different names",
                                  shape->name);
    }
    for (field = shape->fields; field->name; field++) {
        if (field->shape) {
            ALLOY_CHECK(shape_add(check, registry, field->shape));
        }
    }
    return NULL;
}

const char *alloy_shapes_add(const alloy_check_t *check,
                             alloy_registry_t *registry,
                             const alloy_shape_t *shape)
{
    if (!shape) {
        return NULL;
    }
    ALLOY_CHECK(alloy_check_shape(check, shape));
    return shape_add(check, registry, shape);
}
