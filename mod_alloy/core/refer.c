/*
 * References: an id or a name in a request becomes the id of a row the caller
 * may see. The first one of the path tells the call's organization.
 */
#include "refer.h"

#include <string.h>

#include <apr_strings.h>

#define WORD_ME "me"

/* ---- the others -------------------------------------------------------------- */

/* A word that stands for itself: of the resource, or of this parameter. */
static const char *word_of(const alloy_param_t *param, const char *text)
{
    const char *const *reserved = param->resource->reserved;
    const char *word = reserved ? alloy_word_find(reserved, NULL, text) : NULL;

    return !word && param->words ? alloy_word_find(param->words, NULL, text)
                                 : word;
}

/* Words and what the cache knows need no look-up. @return 1: done. */
static int resolve_at_once(alloy_call_t *call, const alloy_param_t *param,
                           alloy_value_t *value)
{
    const char *word = word_of(param, value->text);

    if (word && !strcmp(word, WORD_ME)) {
        value->text = call->principal->user;
        return 1;
    }
    if (word && !param->resource_param) {
        value->word = word;
        value->text = NULL;
        return 1;
    }
    if (!strcmp(param->resource->name, "user") && call->org
        && !strcasecmp(value->text, call->principal->user)) {
        value->text = call->principal->user;
        return 1;
    }
    return 0;
}

static alloy_problem_t *add_pending(alloy_call_t *call,
                                    apr_array_header_t *pendings,
                                    const alloy_param_t *param,
                                    alloy_value_t *value, int path)
{
    alloy_pending_t pending = { param, value, path };
    alloy_id_t id;

    if (!value->text) {
        return NULL;
    }
    if (alloy_refer_is_org(param)) {
        return alloy_refer_org(call, param, value, path);
    }
    if (resolve_at_once(call, param, value)) {
        return NULL;
    }
    if (!alloy_refer_can_find(param->resource, value->text)) {
        return alloy_refer_lost(call, &pending);
    }
    if (path && !param->resource_param && alloy_id_parse(&id, value->text)) {
        call->assumed = 1;      /* the statement itself will find it or not */
        return NULL;
    }
    APR_ARRAY_PUSH(pendings, alloy_pending_t) = pending;
    return NULL;
}

static const alloy_param_t *element_of(const alloy_param_t *param)
{
    if (param->type == ALLOY_REF) {
        return param;
    }
    return param->type == ALLOY_LIST && param->inner
           && param->inner->type == ALLOY_REF ? param->inner : NULL;
}

/* A resource that no loaded plugin has is as absent as any of its rows would
 * be. */
alloy_problem_t *alloy_refer_fill(alloy_call_t *call,
                                  const alloy_param_t **pparam)
{
    const alloy_param_t *param = *pparam;
    const char *word = param->resource_param
                       ? alloy_text(call, param->resource_param) : NULL;
    alloy_param_t *filled;

    if (!word) {
        return NULL;
    }
    alloy_bind(call, apr_pstrcat(call->pool, param->name, ALLOY_PROJECT_SUFFIX,
                                 NULL), NULL);
    filled = apr_pmemdup(call->pool, param, sizeof(*param));
    filled->resource = alloy_registry_resource(call->engine->registry, word);
    if (!filled->resource) {
        return alloy_problem(call, &alloy_not_found, "There is no %s here that "
                             "you can see; check the names in the path.",
                             word);
    }
    *pparam = filled;
    return NULL;
}

static alloy_problem_t *collect(alloy_call_t *call,
                                apr_array_header_t *pendings)
{
    int i, k;

    for (i = 0; i < call->op->nparams; i++) {
        const alloy_param_t *param = element_of(call->op->params[i]);
        alloy_value_t *value = &call->values[i];

        if (!param || i == call->op->anchor) {
            continue;
        }
        ALLOY_TRY(alloy_refer_fill(call, &param));
        if (!value->items) {
            ALLOY_TRY(add_pending(call, pendings, param, value,
                                  alloy_refer_in_path(call, i)));
        }
        for (k = 0; value->items && k < value->count; k++) {
            ALLOY_TRY(add_pending(call, pendings, param, &value->items[k], 0));
        }
    }
    return NULL;
}

/* Lists bind as arrays of the ids that were found. */
static void bind_lists(alloy_call_t *call)
{
    int i, k;

    for (i = 0; i < call->op->nparams; i++) {
        alloy_value_t *value = &call->values[i];
        const char **ids;
        int count = 0;

        if (!element_of(call->op->params[i]) || !value->items) {
            continue;
        }
        ids = apr_palloc(call->pool, sizeof(*ids) * (value->count + 1));
        for (k = 0; k < value->count; k++) {
            if (value->items[k].text) {
                ids[count++] = value->items[k].text;
            }
        }
        value->text = alloy_array_literal(ids, count, call->pool);
    }
}

static int is_value(const alloy_value_t *value, const alloy_value_t *of)
{
    return value == of
           || (of->items && value >= of->items && value < of->items + of->count);
}

/* Those whose parent is itself being looked up wait for the second round. */
static int waits(const alloy_call_t *call, const alloy_pending_t *pending,
                 const apr_array_header_t *pendings)
{
    int index = pending->param->within
                ? alloy_refer_param(call, pending->param->within) : -1, i;

    for (i = 0; index >= 0 && i < pendings->nelts; i++) {
        if (is_value(APR_ARRAY_IDX(pendings, i, alloy_pending_t).value,
                     &call->values[index])) {
            return 1;
        }
    }
    return 0;
}

static alloy_problem_t *resolve_rounds(alloy_call_t *call,
                                       apr_array_header_t *pendings)
{
    apr_array_header_t *now = apr_array_make(call->pool, 4, sizeof(alloy_pending_t));
    apr_array_header_t *later = apr_array_make(call->pool, 4,
                                               sizeof(alloy_pending_t));
    int i;

    for (i = 0; i < pendings->nelts; i++) {
        alloy_pending_t *pending = &APR_ARRAY_IDX(pendings, i, alloy_pending_t);

        APR_ARRAY_PUSH(waits(call, pending, pendings) ? later : now,
                       alloy_pending_t) = *pending;
    }
    if (now->nelts) {
        ALLOY_TRY(alloy_refer_look_up(call, (alloy_pending_t *)now->elts, now->nelts, 0));
    }
    if (later->nelts) {
        ALLOY_TRY(alloy_refer_look_up(call, (alloy_pending_t *)later->elts, later->nelts, 0));
    }
    return NULL;
}

/* People named nowhere are the caller. */
static void fill_selves(alloy_call_t *call)
{
    int i;

    for (i = 0; i < call->op->nparams; i++) {
        if ((call->op->params[i]->flags & ALLOY_SELF)
            && !call->values[i].given) {
            call->values[i].text = call->principal->user;
        }
    }
}

alloy_problem_t *alloy_refer_resolve(alloy_call_t *call)
{
    apr_array_header_t *pendings = apr_array_make(call->pool, 4,
                                                  sizeof(alloy_pending_t));
    alloy_problem_t *problem;

    if (!call->principal) {
        return NULL;
    }
    ALLOY_TRY(alloy_refer_home(call));
    if (call->org && !alloy_access_suffices(call->org, call->op->row->role)) {
        ALLOY_TRY(call->assumed ? alloy_refer_look_again(call) : NULL);
        return alloy_access_refuse(call);
    }
    problem = collect(call, pendings);
    if (!problem) {
        problem = resolve_rounds(call, pendings);
    }
    if (problem && call->assumed) {
        /* whoever can't see what the path names learns nothing of the rest */
        ALLOY_TRY(alloy_refer_look_again(call));
    }
    ALLOY_TRY(problem);
    bind_lists(call);
    fill_selves(call);
    return NULL;
}

alloy_problem_t *alloy_refer_look_again(alloy_call_t *call)
{
    apr_array_header_t *pendings = apr_array_make(call->pool, 2,
                                                  sizeof(alloy_pending_t));
    int i;

    for (i = 0; i < call->op->nparams; i++) {
        const alloy_param_t *param = call->op->params[i];

        if (param->type == ALLOY_REF && alloy_refer_in_path(call, i)
            && param->resource && !alloy_refer_is_org(param)
            && call->values[i].text && alloy_refer_can_find(param->resource,
                                                    call->values[i].text)) {
            alloy_pending_t pending = { param, &call->values[i], 1 };

            APR_ARRAY_PUSH(pendings, alloy_pending_t) = pending;
        }
    }
    if (pendings->nelts) {
        ALLOY_TRY(alloy_refer_look_up(call, (alloy_pending_t *)pendings->elts, pendings->nelts,
                          0));
    }
    return call->org
           && !alloy_access_suffices(call->org, call->op->row->role)
           ? alloy_access_refuse(call) : NULL;
}
