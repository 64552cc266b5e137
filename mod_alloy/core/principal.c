/*
 * A principal from the row that describes it: scalars by name, memberships and
 * projects from PostgreSQL's binary arrays (chapter 55, array_send).
 */
#include <string.h>

#include <apr_strings.h>

#include "call.h"
#include "limits.h"
#include "log.h"
#include "principals.h"

#define ARRAY_HEADER 20         /* dimensions, nulls, type, length, lower bound */

/* Walks a one-dimensional array. */
typedef struct {
    const unsigned char *at, *end;
    int count;
} array_t;

static int read_int(const unsigned char *bytes)
{
    return (int)((unsigned)bytes[0] << 24 | (unsigned)bytes[1] << 16
                 | (unsigned)bytes[2] << 8 | bytes[3]);
}

static void array_begin(array_t *array, const alloy_result_t *result,
                        const char *column)
{
    int length = 0;
    const char *cell = alloy_result_cell(result, 0,
        alloy_result_column(result, column), &length);

    memset(array, 0, sizeof(*array));
    if (cell && length > ARRAY_HEADER) {
        array->at = (const unsigned char *)cell;
        array->end = array->at + length;
        array->count = read_int(array->at + 12);
        array->at += ARRAY_HEADER;
    }
}

/* The next element, or NULL for one that is null or past the end. */
static const char *array_next(array_t *array, int *length)
{
    const unsigned char *bytes = array->at + 4;

    if (array->end - array->at < 4) {
        return NULL;
    }
    *length = read_int(array->at);
    array->at = *length < 0 ? bytes : bytes + *length;
    return *length < 0 ? NULL : (const char *)bytes;
}

static alloy_role_e role_of(const char *text, int length)
{
    alloy_role_e role;

    for (role = ALLOY_OWNER; role >= ALLOY_VIEWER; role--) {
        const char *name = alloy_role_name(role);

        if ((int)strlen(name) == length && !memcmp(name, text, length)) {
            return role;
        }
    }
    return ALLOY_PUBLIC;
}

static void read_orgs(alloy_principal_t *principal,
                      const alloy_result_t *result, apr_pool_t *pool)
{
    array_t ids, slugs, roles, alls, personals;
    alloy_membership_t *orgs;
    const char *cell;
    int length = 0, i;

    array_begin(&ids, result, "org_ids");
    array_begin(&slugs, result, "org_slugs");
    array_begin(&roles, result, "org_roles");
    array_begin(&alls, result, "org_all");
    array_begin(&personals, result, "org_personal");
    orgs = apr_pcalloc(pool, sizeof(*orgs) * (ids.count + 1));
    for (i = 0; i < ids.count; i++) {
        cell = array_next(&ids, &length);
        memcpy(&orgs[i].org, cell, sizeof(orgs[i].org));
        alloy_id_format(&orgs[i].org, orgs[i].org_text);
        cell = array_next(&slugs, &length);
        orgs[i].slug = cell ? apr_pstrmemdup(pool, cell, length) : "";
        cell = array_next(&roles, &length);
        orgs[i].role = cell ? role_of(cell, length) : ALLOY_PUBLIC;
        cell = array_next(&alls, &length);
        orgs[i].all = cell && *cell;
        cell = array_next(&personals, &length);
        orgs[i].personal = cell && *cell;
    }
    principal->orgs = orgs;
    principal->norgs = ids.count;
}

static void read_projects(alloy_principal_t *principal,
                          const alloy_result_t *result, apr_pool_t *pool)
{
    array_t ids;
    alloy_id_t *projects;
    int length, i;

    array_begin(&ids, result, "projects");
    projects = apr_palloc(pool, sizeof(*projects) * (ids.count + 1));
    for (i = 0; i < ids.count; i++) {
        const char *cell = array_next(&ids, &length);

        memcpy(&projects[i], cell, sizeof(projects[i]));
    }
    principal->projects = projects;
    principal->nprojects = ids.count;
}

static const char *const *read_scopes(const alloy_result_t *result,
                                      apr_pool_t *pool)
{
    int column = alloy_result_column(result, "scopes"), length, i;
    const char **scopes;
    array_t array;

    if (!alloy_result_cell(result, 0, column, &length)) {
        return NULL;
    }
    array_begin(&array, result, "scopes");
    scopes = apr_pcalloc(pool, sizeof(*scopes) * (array.count + 1));
    for (i = 0; i < array.count; i++) {
        const char *cell = array_next(&array, &length);

        scopes[i] = apr_pstrmemdup(pool, cell ? cell : "", cell ? length : 0);
    }
    return scopes;
}

static apr_time_t earlier(apr_time_t a, apr_time_t b)
{
    if (!a || !b) {
        return a ? a : b;
    }
    return a < b ? a : b;
}

const alloy_principal_t *alloy_principal_read(const alloy_result_t *result,
                                              apr_time_t expires,
                                              apr_pool_t *pool)
{
    alloy_principal_t *principal = apr_pcalloc(pool, sizeof(*principal));
    alloy_row_t row = { result, 0, pool };

    apr_cpystrn(principal->user, alloy_row_text(&row, "user_id"),
                sizeof(principal->user));
    apr_cpystrn(principal->version, alloy_row_text(&row, "version"),
                sizeof(principal->version));
    principal->email = alloy_row_text(&row, "email");
    principal->display_name = alloy_row_text(&row, "display_name");
    principal->default_org = alloy_row_text(&row, "default_org_id");
    principal->session = alloy_row_text(&row, "session_id");
    principal->key = alloy_row_text(&row, "key_id");
    principal->on_behalf_of = alloy_row_text(&row, "on_behalf_of");
    principal->scopes = principal->key ? read_scopes(result, pool) : NULL;
    principal->read_only = (int)alloy_row_int(&row, "read_only");
    principal->budgeted = !alloy_row_is_null(&row, "max_writes");
    principal->narrow = (int)alloy_row_int(&row, "project_limited");
    principal->partial = principal->narrow
                         || !alloy_row_is_null(&row, "key_org_id");
    principal->expires = earlier(expires, alloy_row_int(&row, "expires_at"));
    read_orgs(principal, result, pool);
    read_projects(principal, result, pool);
    return principal;
}
