/*
 * The organization a call is about: the one the path leads to, the one that
 * is named, or the default rule's.
 */
#include "refer.h"

#include <string.h>

#include <apr_strings.h>

#include "limits.h"

#define ORG "org"

int alloy_refer_is_org(const alloy_param_t *param)
{
    return !strcmp(param->resource->name, ORG);
}

/* ---- organizations, from the principal ------------------------------------- */

void alloy_refer_take_org(alloy_call_t *call, const alloy_membership_t *org)
{
    call->org = org;
    call->org_id = org->org_text;
    call->shard = alloy_id_shard(&org->org);
}

static const alloy_membership_t *find_org(const alloy_call_t *call,
                                          const char *text)
{
    const alloy_principal_t *principal = call->principal;
    alloy_id_t id;
    int is_id = alloy_id_parse(&id, text), i;

    for (i = 0; i < principal->norgs; i++) {
        const alloy_membership_t *org = &principal->orgs[i];

        if (is_id ? !memcmp(&org->org, &id, sizeof(id))
                  : !strcasecmp(org->slug, text)) {
            return org;
        }
    }
    return NULL;
}

alloy_problem_t *alloy_refer_org(alloy_call_t *call,
                                    const alloy_param_t *param,
                                    alloy_value_t *value, int path)
{
    const alloy_membership_t *org = find_org(call, value->text);

    if (!org) {
        return alloy_refer_lost(call, &(alloy_pending_t){ param, value, path });
    }
    value->text = org->org_text;
    if (path || (param->flags & ALLOY_HOME)) {
        alloy_refer_take_org(call, org);
    }
    return NULL;
}

static alloy_problem_t *which_org(alloy_call_t *call)
{
    alloy_problem_t *problem = alloy_problem(call, &alloy_ambiguous_reference,
        "You belong to several organizations; name the one that is meant "
        "(org_id), or set default_org_id by PATCH /auth/me.");
    alloy_out_t *out = alloy_out_make(call->pool, 1024);
    int i, listed = 0;

    alloy_out_begin(out, '[');
    for (i = 0; i < call->principal->norgs; i++) {
        const alloy_membership_t *org = &call->principal->orgs[i];

        if (org->role >= call->op->row->role
            && listed++ < ALLOY_CANDIDATES) {
            alloy_refer_candidate(out, org->org_text, org->slug);
        }
    }
    alloy_out_end(out);
    return alloy_problem_member(problem, "candidates",
                                apr_pstrmemdup(call->pool, out->bytes,
                                               out->length));
}

/* The default rule: the user's default, the only one besides the personal
 * one where the role suffices, the personal one if there is no other. (A key
 * of one organization has only that one.) */
static alloy_problem_t *default_org(alloy_call_t *call)
{
    const alloy_principal_t *principal = call->principal;
    const alloy_membership_t *personal = NULL, *only = NULL, *chosen = NULL;
    int others = 0, i;

    for (i = 0; i < principal->norgs; i++) {
        const alloy_membership_t *org = &principal->orgs[i];

        if (!alloy_access_suffices(org, call->op->row->role)) {
            continue;
        }
        if (principal->default_org
            && !strcmp(principal->default_org, org->org_text)) {
            chosen = org;
        }
        if (org->personal) {
            personal = org;
        }
        else {
            only = org;
            others++;
        }
    }
    if (!chosen) {
        chosen = others == 1 ? only : others == 0 ? personal : NULL;
    }
    if (!chosen && others == 0) {
        return alloy_access_refuse(call);
    }
    if (!chosen) {
        return which_org(call);
    }
    alloy_refer_take_org(call, chosen);
    return NULL;
}

/* ---- the anchor ------------------------------------------------------------- */

/* Organizations of the caller that an id's shard bits can mean. */
static int shard_orgs(const alloy_call_t *call, const alloy_id_t *id,
                      const alloy_membership_t **pone)
{
    unsigned shard = alloy_id_shard(id);
    int count = 0, i;

    for (i = 0; i < call->principal->norgs; i++) {
        if (alloy_id_shard(&call->principal->orgs[i].org) == shard) {
            *pone = &call->principal->orgs[i];
            count++;
        }
    }
    return count;
}

static alloy_problem_t *resolve_anchor(alloy_call_t *call,
                                       const alloy_param_t *param,
                                       alloy_value_t *value)
{
    int path = alloy_refer_in_path(call, call->op->anchor);
    alloy_pending_t pending = { param, value, path };
    const alloy_membership_t *one = NULL;
    alloy_id_t id;
    char *text;
    int candidates;

    if (!alloy_refer_can_find(param->resource, value->text)) {
        return alloy_refer_lost(call, &pending);
    }
    /* what is not there must be told at its key: no id is taken at its word */
    if (!path || !param->resource->sharded
        || !alloy_id_parse(&id, value->text)) {
        return alloy_refer_look_up(call, &pending, 1, 1);
    }
    candidates = shard_orgs(call, &id, &one);
    if (candidates == 0) {
        return alloy_refer_lost(call, &pending);
    }
    if (candidates > 1) {
        return alloy_refer_look_up(call, &pending, 1, 1);
    }
    text = apr_palloc(call->pool, ALLOY_ID_TEXT + 1);
    alloy_id_format(&id, text);
    value->text = text;
    alloy_refer_take_org(call, one);
    call->assumed = 1;
    return NULL;
}

/* A name in the path may be known only within a parent that is named beside
 * it: the parent is looked up first. */
static alloy_problem_t *resolve_parent(alloy_call_t *call,
                                       const alloy_param_t *param,
                                       const alloy_value_t *value)
{
    int index = param->within ? alloy_refer_param(call, param->within) : -1;
    alloy_pending_t pending;
    alloy_id_t id;

    if (index < 0 || !call->values[index].text
        || alloy_id_parse(&id, value->text)) {
        return NULL;
    }
    pending.param = call->op->params[index];
    pending.value = &call->values[index];
    pending.path = alloy_refer_in_path(call, index);
    if (!alloy_refer_can_find(pending.param->resource, pending.value->text)) {
        return alloy_refer_lost(call, &pending);
    }
    return alloy_refer_look_up(call, &pending, 1, 0);
}

/* A tool need not name the organization of its path: what else the path names
 * tells it, where that can be found without. */
static alloy_problem_t *find_by_others(alloy_call_t *call)
{
    int i;

    for (i = 0; i < call->op->nparams && !call->org; i++) {
        const alloy_param_t *param = call->op->params[i];

        if (param->type != ALLOY_REF || !alloy_refer_in_path(call, i)
            || !call->values[i].text) {
            continue;
        }
        ALLOY_TRY(alloy_refer_fill(call, &param));
        if (param->resource->sharded) {
            ALLOY_TRY(resolve_anchor(call, param, &call->values[i]));
        }
    }
    return NULL;
}

static alloy_problem_t *home_of_tool(alloy_call_t *call, alloy_value_t *value)
{
    ALLOY_TRY(find_by_others(call));
    ALLOY_TRY(call->org ? NULL : default_org(call));
    value->text = call->org_id;
    return NULL;
}

alloy_problem_t *alloy_refer_home(alloy_call_t *call)
{
    int anchor = call->op->anchor;
    const alloy_param_t *param;
    alloy_value_t *value;

    if (anchor < 0) {
        return NULL;
    }
    param = call->op->params[anchor];
    value = &call->values[anchor];
    if (!value->text && alloy_refer_in_path(call, anchor)) {
        return home_of_tool(call, value);
    }
    if (!value->text) {
        return (param->flags & ALLOY_HOME)
               && !(call->op->row->flags & ALLOY_SPREADS)
               ? default_org(call) : NULL;
    }
    if (alloy_refer_is_org(param)) {
        return alloy_refer_org(call, param, value, alloy_refer_in_path(call, anchor));
    }
    ALLOY_TRY(resolve_parent(call, param, value));
    return resolve_anchor(call, param, value);
}

