/* Does somebody fill every parameter of a statement? What C binds at run time
 * can't be seen in a table, so only statements no C comes before are checked.
 */
#include "registry_check.h"

#include <string.h>

#include <apr_strings.h>

#include "path.h"

#define NEW_PREFIX "new_"
#define WORDS_SUFFIX "_words"

/* What the call itself knows; see alloy_statement_t. */
static const char *const call_names[] = {
    "me",         "org",        "orgs",    "admin_orgs",
    "owner_orgs", "change_id",  "address", "client_name",
    "operation",  "my_session", "my_key",  NULL
};

static const char *const page_names[] = { "limit", "after_at", "after_id",
                                          NULL };

const char *const alloy_many_names[] = { "ids", "rows", "org", "orgs", "me",
                                         "operation", "change_id",
                                         "admin_orgs", "owner_orgs", NULL };

static int list_has(const char *const *names, const char *name)
{
    for (; *names; names++) {
        if (strcmp(*names, name) == 0) {
            return 1;
        }
    }
    return 0;
}

/* `title`, `title?`, `sprint_words` of a reference, and `entity_project` of one
 * whose resource is a matter of the request. */
static int input_has(const alloy_op_t *op, const char *name)
{
    apr_size_t length = strlen(name);
    int i;

    for (i = 0; i < op->nparams; i++) {
        const alloy_param_t *param = op->params[i];
        apr_size_t own = strlen(param->name);

        if (length < own || memcmp(name, param->name, own) != 0) {
            continue;
        }
        if (name[own] == '\0' || strcmp(name + own, "?") == 0
            || (param->type == ALLOY_REF
                && strcmp(name + own, WORDS_SUFFIX) == 0)
            || (param->resource_param
                && strcmp(name + own, ALLOY_PROJECT_SUFFIX) == 0)) {
            return 1;
        }
    }
    return 0;
}

static int is_new_id(const char *name)
{
    apr_size_t prefix = sizeof(NEW_PREFIX) - 1;

    return strncmp(name, NEW_PREFIX, prefix) == 0
           && alloy_name_fits(name + prefix, strlen(name + prefix));
}

static int name_is_filled(const alloy_op_t *op,
                          const alloy_statement_t *statement, const char *name)
{
    return input_has(op, name) || list_has(call_names, name) || is_new_id(name)
           || (statement->mode == ALLOY_SQL_PAGE && list_has(page_names, name));
}

static const char *refuse(const alloy_check_t *check,
                          const alloy_statement_t *statement, const char *name)
{
    return alloy_check_refuse(check, "nothing fills :%s of the statement %s",
                              name, statement->name);
}

const char *alloy_check_fills(const alloy_check_t *check, const alloy_op_t *op,
                              const alloy_statement_t *statement,
                              const char *also)
{
    int i;

    for (i = 0; statement && i < statement->nparams; i++) {
        const char *name = statement->params[i];

        if (!name_is_filled(op, statement, name)
            && !(also && strcmp(also, name) == 0)) {
            return refuse(check, statement, name);
        }
    }
    return NULL;
}

const char *alloy_check_fills_only(const alloy_check_t *check,
                                   const alloy_statement_t *statement,
                                   const char *const *names)
{
    int i;

    for (i = 0; statement && i < statement->nparams; i++) {
        if (!list_has(names, statement->params[i])) {
            return refuse(check, statement, statement->params[i]);
        }
    }
    return NULL;
}

const char *alloy_check_op_fills(const alloy_check_t *check,
                                 const alloy_op_t *op)
{
    const alloy_operation_t *row = op->row;
    int i;

    for (i = 0; i < ALLOY_STEPS_MAX; i++) {
        ALLOY_CHECK(alloy_check_fills(check, op, row->steps[i], NULL));
    }
    ALLOY_CHECK(alloy_check_fills(check, op, row->plain, NULL));
    ALLOY_CHECK(alloy_check_fills(check, op, row->past, NULL));
    ALLOY_CHECK(alloy_check_fills(check, op, row->keyed, NULL));
    if (!row->guarded) {
        return NULL;
    }
    ALLOY_CHECK(alloy_check_fills(check, op, row->guarded->lock, NULL));
    return alloy_check_fills(check, op, row->guarded->read, NULL);
}
