/*
 * What a caller may: scopes of his token, roles in organizations, projects he
 * sees - handed to PostgreSQL as the settings every policy reads.
 */
#include "call.h"

#include <string.h>

#include <apr_strings.h>

#include "limits.h"

static const char *const role_names[] = {
    "none", "none", "Viewer", "Reporter", "Member", "Admin", "Owner"
};

const char *alloy_role_name(alloy_role_e role)
{
    return role_names[role];
}

int alloy_access_suffices(const alloy_membership_t *org, alloy_role_e role)
{
    return org->role >= role;
}

/* ---- scopes -------------------------------------------------------------- */

static int scope_is(const char *scope, const char *noun, const char *verb)
{
    apr_size_t length = strlen(noun);

    return !strncmp(scope, noun, length) && scope[length] == ':'
           && !strcmp(scope + length + 1, verb);
}

/* Writing includes reading; what needs Admin needs the scope of that name. */
static int scope_allows(const char *scope, const alloy_op_t *op)
{
    if (!strcmp(scope, "*")) {
        return 1;
    }
    if (op->row->role >= ALLOY_ADMIN) {
        return !strcmp(scope, "admin");
    }
    return scope_is(scope, op->row->noun, "write")
           || (!op->writes && scope_is(scope, op->row->noun, "read"));
}

static int has_scope(const alloy_principal_t *principal, const alloy_op_t *op)
{
    const char *const *scope = principal->scopes;

    if (!scope || (op->row->flags & ALLOY_ANY_SCOPE)) {
        return 1;
    }
    while (*scope && !scope_allows(*scope, op)) {
        scope++;
    }
    return *scope != NULL;
}

/* Rates, members, closed periods are everybody's in all projects, and who can
 * invite an Admin has all projects. */
static int concerns_all_projects(const alloy_op_t *op)
{
    return op->row->role >= ALLOY_ADMIN && op->anchor >= 0
           && op->segment[op->anchor] >= 0
           && op->params[op->anchor]->resource->whole;
}

int alloy_access_token_allows(const alloy_principal_t *principal,
                              const alloy_op_t *op)
{
    return !(principal->read_only && op->writes) && has_scope(principal, op)
           && !(principal->partial && (op->row->flags & ALLOY_ACCOUNT))
           && !(principal->narrow && concerns_all_projects(op));
}

static alloy_problem_t *check_scopes(alloy_call_t *call)
{
    const alloy_op_t *op = call->op;

    if (has_scope(call->principal, op)) {
        return NULL;
    }
    return alloy_problem(call, &alloy_scope_missing,
                         "This API key has not the scope %s%s that %s needs.",
                         op->row->role >= ALLOY_ADMIN ? "admin"
                                                      : op->row->noun,
                         op->row->role >= ALLOY_ADMIN ? ""
                         : op->writes ? ":write" : ":read", op->row->id);
}

alloy_problem_t *alloy_access_check_token(alloy_call_t *call)
{
    const alloy_principal_t *principal = call->principal;
    const alloy_op_t *op = call->op;

    if (principal->read_only && op->writes) {
        return alloy_problem(call, &alloy_scope_missing,
                             "This API key may only read; %s changes "
                             "something. Use a key that may write.",
                             op->row->id);
    }
    ALLOY_TRY(check_scopes(call));
    if (principal->partial && (op->row->flags & ALLOY_ACCOUNT)) {
        return alloy_problem(call, &alloy_forbidden,
                             "This API key reaches one organization or some "
                             "projects only, and %s concerns all of the "
                             "account. Use a key without these limits.",
                             op->row->id);
    }
    if (principal->narrow && concerns_all_projects(op)) {
        return alloy_problem(call, &alloy_forbidden,
                             "This API key reaches some projects only, and %s "
                             "concerns the whole organization. Use a key "
                             "without this limit.", op->row->id);
    }
    return NULL;
}

/* Does the token carry the caller's rights as an Admin, should he be one? */
static int acts_as_admin(const alloy_call_t *call)
{
    const char *const *scope = call->principal->scopes;

    while (scope && *scope && strcmp(*scope, "*") && strcmp(*scope, "admin")) {
        scope++;
    }
    return !scope || *scope;
}

/* ---- parameters that need more than the operation ------------------------ */

static alloy_problem_t *refuse_value(alloy_call_t *call,
                                     const alloy_value_t *value,
                                     alloy_role_e role)
{
    alloy_problem_t *problem = alloy_problem(call, &alloy_forbidden,
        "Sending %s needs the role %s in this organization; yours is %s.",
        value->where, alloy_role_name(role), alloy_role_name(call->org->role));

    return alloy_problem_at(problem, value->where, "forbidden",
                            apr_psprintf(call->pool, "Needs the role %s.",
                                         alloy_role_name(role)), NULL);
}

static alloy_problem_t *check_role(alloy_call_t *call,
                                   const alloy_value_t *value,
                                   alloy_role_e role)
{
    if (!alloy_access_suffices(call->org, role)) {
        return refuse_value(call, value, role);
    }
    if (role >= ALLOY_ADMIN && !acts_as_admin(call)) {
        return alloy_problem(call, &alloy_scope_missing,
                             "Sending %s takes the rights of an %s, for which "
                             "this API key has not the scope admin.",
                             value->where, alloy_role_name(role));
    }
    return NULL;
}

static int names_another(const alloy_call_t *call, const alloy_value_t *value)
{
    return value->text && strcmp(value->text, call->principal->user);
}

alloy_problem_t *alloy_access_check_values(alloy_call_t *call)
{
    int i;

    if (!call->org) {
        return NULL;
    }
    for (i = 0; i < call->op->nparams; i++) {
        const alloy_param_t *param = call->op->params[i];
        const alloy_value_t *value = &call->values[i];

        if (!value->given) {
            continue;
        }
        if (param->role) {
            ALLOY_TRY(check_role(call, value, param->role));
        }
        if ((param->flags & ALLOY_SELF) && names_another(call, value)) {
            ALLOY_TRY(check_role(call, value, ALLOY_ADMIN));
        }
    }
    return NULL;
}

alloy_problem_t *alloy_access_refuse(alloy_call_t *call)
{
    const alloy_operation_t *row = call->op->row;

    if (call->org && alloy_access_suffices(call->org, row->role)) {
        return alloy_problem(call, &alloy_forbidden,
                             "Only %s may do this.",
                             row->own_note ? row->own_note
                                           : "somebody with a higher role");
    }
    return alloy_problem(call, &alloy_forbidden,
                         "%s needs the role %s in this organization; "
                         "yours is %s.", row->id, alloy_role_name(row->role),
                         call->org ? alloy_role_name(call->org->role)
                                   : "lower");
}

/* ---- settings ------------------------------------------------------------ */

/* '{id,id}' in the making. */
typedef struct {
    char *text;
    apr_size_t length;
} literal_t;

static void literal_begin(literal_t *literal, apr_pool_t *pool, int most)
{
    literal->text = apr_palloc(pool, 3 + 37 * (apr_size_t)most);
    literal->text[0] = '{';
    literal->length = 1;
}

static void literal_add(literal_t *literal, const char *id)
{
    if (literal->length > 1) {
        literal->text[literal->length++] = ',';
    }
    memcpy(literal->text + literal->length, id, 36);
    literal->length += 36;
}

static const char *literal_end(literal_t *literal)
{
    if (literal->length == 1) {
        return "";
    }
    literal->text[literal->length++] = '}';
    literal->text[literal->length] = '\0';
    return literal->text;
}

typedef int accepts_fn(const alloy_membership_t *org);

static int any_org(const alloy_membership_t *org)
{
    return 1;
}

static int sees_all(const alloy_membership_t *org)
{
    return org->all;
}

/* The caller's organizations with at least ROLE that ACCEPTS takes; of those
 * only the call's own when it has one; EXTRA (an id being made) besides. */
static const char *list_orgs(const alloy_call_t *call, alloy_role_e role,
                             accepts_fn *accepts, const char *extra)
{
    const alloy_principal_t *principal = call->principal;
    literal_t literal;
    int i;

    literal_begin(&literal, call->pool, principal->norgs + 1);
    for (i = 0; i < principal->norgs; i++) {
        const alloy_membership_t *org = &principal->orgs[i];

        if ((!call->org || call->org == org) && org->role >= role
            && accepts(org)) {
            literal_add(&literal, org->org_text);
        }
    }
    if (extra) {
        literal_add(&literal, extra);
    }
    return literal_end(&literal);
}

static const char *made(alloy_call_t *call, const char *noun)
{
    const char *creates = call->op->row->creates;

    return creates && !strcmp(creates, noun) ? alloy_call_new_id(call, noun)
                                             : NULL;
}

/* Project ids carry their organization's shard, so a narrowed call sends only
 * those that can be its own. "*" means those the database lists, where one that
 * is being made is not yet: making one goes with as many as were read. */
static const char *list_projects(alloy_call_t *call)
{
    const alloy_principal_t *principal = call->principal;
    const char *extra = made(call, "project");
    literal_t literal;
    char id[37];
    int i;

    if (principal->nprojects > ALLOY_PROJECTS_LIMIT && !extra) {
        return "*";
    }
    literal_begin(&literal, call->pool, principal->nprojects + 1);
    for (i = 0; i < principal->nprojects; i++) {
        const alloy_id_t *project = &principal->projects[i];

        if (!call->org || alloy_id_shard(project) == call->shard) {
            alloy_id_format(project, id);
            literal_add(&literal, id);
        }
    }
    if (extra) {
        literal_add(&literal, extra);
    }
    return literal_end(&literal);
}

const char *alloy_access_orgs(const alloy_call_t *call, alloy_role_e role)
{
    const char *text;

    if (!call->principal || (role >= ALLOY_ADMIN && !acts_as_admin(call))) {
        return "{}";
    }
    text = list_orgs(call, role, any_org, NULL);
    return *text ? text : "{}";
}

static const char *change_literal(alloy_call_t *call)
{
    const char *parts[7];

    parts[0] = alloy_call_change_id(call);
    parts[1] = call->principal && call->principal->on_behalf_of
               ? call->principal->on_behalf_of : "";
    parts[2] = call->request->client;
    parts[3] = call->request->client_name ? call->request->client_name : "";
    parts[4] = call->request->request_id;
    parts[5] = call->logged_as ? call->logged_as : call->op->row->id;
    parts[6] = call->warned;
    return alloy_array_literal(parts, call->warned ? 7 : 6, call->pool);
}

void alloy_access_enter(alloy_enter_t *enter, alloy_call_t *call,
                        alloy_role_e role, int writes)
{
    memset(enter, 0, sizeof(*enter));
    enter->call = writes ? change_literal(call) : NULL;
    enter->orgs = enter->all = enter->projects = "";
    if (!call->principal) {
        return;
    }
    enter->user = call->principal->user;
    enter->version = call->principal->version;
    enter->orgs = list_orgs(call, role, any_org, made(call, "org"));
    enter->all = list_orgs(call, role, sees_all, made(call, "org"));
    enter->projects = list_projects(call);
}

/* PostgreSQL reads the list anew for each table of a statement. */
void alloy_access_narrow(alloy_enter_t *enter, const char *project,
                         apr_pool_t *pool)
{
    if (project && strlen(project) == 36 && enter->projects
        && strstr(enter->projects, project)) {
        enter->projects = apr_pstrcat(pool, "{", project, "}", NULL);
    }
}
