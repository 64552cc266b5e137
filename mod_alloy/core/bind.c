/*
 * Filling a statement's parameters: by name, from what was bound, from the
 * operation's input, from the call itself.
 */
#include "call.h"

#include <string.h>

#include <apr_strings.h>

#include "limits.h"
#include "log.h"

#define NEW_PREFIX "new_"
#define WORDS_SUFFIX "_words"

static const char *find_bound(const alloy_bound_t *bound, int count,
                              const char *name, int *found)
{
    int i;

    for (i = 0; i < count; i++) {
        if (!strcmp(bound[i].name, name)) {
            *found = 1;
            return bound[i].value;
        }
    }
    return NULL;
}

ALLOY_DECLARE(void) alloy_bind(alloy_call_t *call, const char *name,
                               const char *value)
{
    int i;

    for (i = 0; i < call->nbinds; i++) {
        if (!strcmp(call->binds[i].name, name)) {
            call->binds[i].value = value;
            return;
        }
    }
    if (call->nbinds == ALLOY_BINDS_MAX) {
        alloy_log(ALLOY_LOG_ERROR, 0, "AL0001: %s binds more than %d values",
                  call->op->row->id, ALLOY_BINDS_MAX);
        return;
    }
    call->binds[call->nbinds].name = name;
    call->binds[call->nbinds++].value = value;
}

/* A new organization brings a shard of its own, which everything made with it
 * shares; all else takes the shard of the call's organization. */
static const char *make_id(alloy_call_t *call, const char *noun)
{
    alloy_id_t id;
    char *text = apr_palloc(call->pool, 37);

    if (!strcmp(noun, "org")) {
        alloy_id_make_org(&id);
        call->shard = alloy_id_shard(&id);
    }
    else {
        alloy_id_make(&id, call->shard);
    }
    alloy_id_format(&id, text);
    return text;
}

ALLOY_DECLARE(const char *) alloy_call_new_id(alloy_call_t *call,
                                              const char *noun)
{
    int found = 0;
    const char *id = find_bound(call->ids, call->nids, noun, &found);

    if (found) {
        return id;
    }
    id = make_id(call, noun);
    if (call->nids < (int)(sizeof(call->ids) / sizeof(call->ids[0]))) {
        call->ids[call->nids].name = noun;
        call->ids[call->nids++].value = id;
    }
    else {
        alloy_log(ALLOY_LOG_ERROR, 0, "AL0002: %s makes too many ids",
                  call->op->row->id);
    }
    return id;
}

static const char *words_of(const alloy_value_t *value, apr_pool_t *pool)
{
    const char *words[ALLOY_MANY_LIMIT];
    const alloy_value_t *items = value->items ? value->items : value;
    int nitems = value->items ? value->count : 1;
    int count = 0, i;

    for (i = 0; i < nitems && count < ALLOY_MANY_LIMIT; i++) {
        if (items[i].word) {
            words[count++] = items[i].word;
        }
    }
    return count ? alloy_array_literal(words, count, pool) : NULL;
}

/* `name`, `name?` or `name_words` of a parameter of the operation. */
static const char *input_value(const alloy_call_t *call, const char *name,
                               int *found)
{
    apr_size_t length = strlen(name);
    int asks = length > 1 && name[length - 1] == '?';
    int i;

    for (i = 0; i < call->op->nparams; i++) {
        const alloy_param_t *param = call->op->params[i];
        apr_size_t own = strlen(param->name);

        if (strncmp(param->name, name, own)) {
            continue;
        }
        *found = 1;
        if (own == length) {
            return call->values[i].text;
        }
        if (asks && own == length - 1) {
            return call->values[i].given ? "t" : "f";
        }
        if (!strcmp(name + own, WORDS_SUFFIX)) {
            return words_of(&call->values[i], call->pool);
        }
        *found = 0;
    }
    return NULL;
}

static const char *limit_value(const alloy_call_t *call)
{
    return apr_itoa(call->pool, call->paging.limit + 1);
}

static const char *me_value(const alloy_call_t *call)
{
    return call->principal ? call->principal->user : NULL;
}

static const char *orgs_value(const alloy_call_t *call)
{
    return alloy_access_orgs(call, call->op->row->role);
}

static const char *admin_orgs_value(const alloy_call_t *call)
{
    return alloy_access_orgs(call, ALLOY_ADMIN);
}

static const char *owner_orgs_value(const alloy_call_t *call)
{
    return alloy_access_orgs(call, ALLOY_OWNER);
}

static const char *org_value(const alloy_call_t *call)
{
    return call->org_id;
}

static const char *address_value(const alloy_call_t *call)
{
    return call->request->address;
}

static const char *client_value(const alloy_call_t *call)
{
    return call->request->client_name;
}

static const char *operation_value(const alloy_call_t *call)
{
    return call->op->row->id;
}

static const char *my_session_value(const alloy_call_t *call)
{
    return call->principal ? call->principal->session : NULL;
}

static const char *my_key_value(const alloy_call_t *call)
{
    return call->principal ? call->principal->key : NULL;
}

static const struct {
    const char *name;
    const char *(*value)(const alloy_call_t *call);
} context[] = {
    { "me", me_value },
    { "org", org_value },
    { "orgs", orgs_value },
    { "limit", limit_value },
    { "admin_orgs", admin_orgs_value },
    { "owner_orgs", owner_orgs_value },
    { "address", address_value },
    { "client_name", client_value },
    { "operation", operation_value },
    { "my_session", my_session_value },
    { "my_key", my_key_value },
};

static const char *context_value(alloy_call_t *call, const char *name,
                                 int *found)
{
    apr_size_t i;

    *found = 1;
    for (i = 0; i < sizeof(context) / sizeof(context[0]); i++) {
        if (!strcmp(context[i].name, name)) {
            return context[i].value(call);
        }
    }
    if (!strncmp(name, NEW_PREFIX, sizeof(NEW_PREFIX) - 1)) {
        return alloy_call_new_id(call, name + sizeof(NEW_PREFIX) - 1);
    }
    if (!strcmp(name, "change_id")) {
        return alloy_call_change_id(call);
    }
    *found = 0;
    return NULL;
}

const char *alloy_bind_value(alloy_call_t *call, const char *name, int *found)
{
    const char *value;

    *found = 0;
    value = find_bound(call->binds, call->nbinds, name, found);
    if (!*found && call->values) {
        value = input_value(call, name, found);
    }
    return *found ? value : context_value(call, name, found);
}

alloy_problem_t *alloy_bind_step(alloy_step_t *step, alloy_call_t *call,
                                 const alloy_statement_t *statement)
{
    const char **values = apr_pcalloc(call->pool, sizeof(*values)
                                      * (statement->nparams + 1));
    int i, found;

    for (i = 0; i < statement->nparams; i++) {
        values[i] = alloy_bind_value(call, statement->params[i], &found);
        if (!found) {
            alloy_log(ALLOY_LOG_ERROR, 0, "AL0003: %s: nothing fills :%s of %s",
                      call->op->row->id, statement->params[i],
                      statement->name);
            return alloy_problem(call, &alloy_internal,
                                 "The server met a fault of its own; repeat "
                                 "the request or report it with its id.");
        }
    }
    step->statement = statement;
    step->values = values;
    return NULL;
}
