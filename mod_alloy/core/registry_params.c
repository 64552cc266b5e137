/* What a declared parameter must be: a type with what the type needs, and
 * flags that make sense where the value comes from. A contradiction found here
 * would otherwise be a request nobody can send.
 */
#include "registry_check.h"

#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#define DEPTH_MAX 8 /* of parameters inside parameters */

/* One parameter with where it stands. */
typedef struct {
    const alloy_check_t *check;
    const alloy_op_t *op;
    const alloy_param_t *param;
    const alloy_param_t *siblings; /* of an inner one, or NULL */
    int depth;                     /* 0: not inside another */
} place_t;

static const char *param_check(const place_t *place);

static const char *refuse(const place_t *place, const char *why)
{
    return alloy_check_refuse(place->check, "the parameter %s %s",
                              place->param->name ? place->param->name
                                                 : "without a name",
                              why);
}

/* ---- Words --------------------------------------------------------------- */

static int words_have(const char *const *words, const char *word)
{
    for (; *words; words++) {
        if (strcasecmp(*words, word) == 0) {
            return 1;
        }
    }
    return 0;
}

static const char *word_check(const place_t *place)
{
    const alloy_param_t *param = place->param;
    const char *const *alias = param->aliases;

    if (!param->words || !param->words[0]) {
        return refuse(place, "is an ALLOY_WORD without .words");
    }
    for (; alias && alias[0]; alias += 2) {
        if (!alias[1] || !words_have(param->words, alias[1])) {
            return refuse(place, "has an alias that stands for none of its "
                                 "words; write pairs of alias and word");
        }
    }
    if (param->fallback && !words_have(param->words, param->fallback)) {
        return refuse(place, "has a fallback that is none of its words");
    }
    return NULL;
}

/* ---- References ---------------------------------------------------------- */

static int names_param(const alloy_param_t *params, const char *name)
{
    for (; params && params->name; params++) {
        if (strcmp(params->name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

static const char *within_check(const place_t *place)
{
    const char *within = place->param->within;

    if (!within || strcmp(within, "org") == 0
        || names_param(place->siblings, within)
        || alloy_check_count_params(place->op, within)) {
        return NULL;
    }
    return alloy_check_refuse(place->check,
                              "the parameter %s is looked up "
                              "within %s, but no parameter of that name is "
                              "declared",
                              place->param->name, within);
}

/* The resource is named by the request: by a parameter that is one of some
 * words and stands in no other value. */
static const char *resource_param_check(const place_t *place)
{
    const alloy_op_t *op = place->op;
    int index = alloy_op_param(op, place->param->resource_param);

    if (index < 0 || op->params[index]->type != ALLOY_WORD
        || place->param->resource || place->depth) {
        return refuse(place, "has a .resource_param, which must name an "
                             "ALLOY_WORD of the operation and stands instead "
                             "of .resource, not inside a list or an object");
    }
    if (op->anchor >= 0 && op->params[op->anchor] == place->param) {
        return refuse(place, "has a .resource_param and can't be what tells "
                             "the organization; put another ALLOY_REF before "
                             "it into the path");
    }
    return within_check(place);
}

static const char *ref_check(const place_t *place)
{
    const alloy_resource_t *resource = place->param->resource;

    if (place->param->resource_param) {
        return resource_param_check(place);
    }
    if (!resource) {
        return refuse(place, "is an ALLOY_REF without .resource");
    }
    if (place->op->row->role == ALLOY_PUBLIC) {
        return refuse(place, "is a reference, but the operation is public: "
                             "without a caller nothing can be looked up");
    }
    if (alloy_registry_resource(place->check->registry, resource->name)
        != resource) {
        return alloy_check_refuse(place->check,
                                  "the parameter %s refers to "
                                  "the resource %s, which no plugin lists in "
                                  ".resources",
                                  place->param->name, resource->name);
    }
    if (!resource->find_id) {
        return alloy_check_refuse(place->check,
                                  "the parameter %s refers to "
                                  "the resource %s, which has no .find_id",
                                  place->param->name, resource->name);
    }
    return within_check(place);
}

/* ---- Values in values ---------------------------------------------------- */

static const char *inner_check(const place_t *place)
{
    const alloy_param_t *inner = place->param->inner;
    int is_list = place->param->type == ALLOY_LIST;
    place_t next = *place;

    if (!inner && !is_list) {
        return NULL; /* any object */
    }
    if (!inner || (!is_list && !inner->name)) {
        return refuse(place, "is an ALLOY_LIST without .inner, or an "
                             "ALLOY_OBJECT whose .inner is empty");
    }
    if (place->depth == DEPTH_MAX) {
        return refuse(place, "contains values too deep in each other");
    }
    next.depth++;
    next.siblings = is_list ? NULL : inner;
    for (next.param = inner; is_list || next.param->name; next.param++) {
        ALLOY_CHECK(param_check(&next));
        if (is_list) {
            break; /* only inner[0] describes the elements */
        }
    }
    return NULL;
}

/* ---- Places -------------------------------------------------------------- */

static const char *path_check(const place_t *place)
{
    const alloy_param_t *param = place->param;

    if (param->flags & ALLOY_NULLABLE) {
        return refuse(place, "is part of the path and can't be null; leave "
                             "out ALLOY_NULLABLE");
    }
    if (param->flags & (ALLOY_IN_QUERY | ALLOY_IN_BODY | ALLOY_MANY)) {
        return refuse(place, "is part of the path; leave out ALLOY_IN_QUERY, "
                             "ALLOY_IN_BODY and ALLOY_MANY");
    }
    if (param->type == ALLOY_LIST || param->type == ALLOY_OBJECT) {
        return refuse(place, "is part of the path and can't be a list or an "
                             "object");
    }
    return NULL;
}

static const char *query_check(const place_t *place)
{
    const alloy_param_t *param = place->param;

    if (param->type == ALLOY_LIST || param->type == ALLOY_OBJECT) {
        return refuse(place, "is read from the query and can't be a list or "
                             "an object; use ALLOY_MANY for several values");
    }
    if (param->flags & ALLOY_SECRET) {
        return refuse(place, "is a secret and would show up in logs as part "
                             "of the query; use ALLOY_IN_BODY");
    }
    return NULL;
}

static const char *body_check(const place_t *place)
{
    if (place->op->row->method == ALLOY_GET) {
        return refuse(place, "is read from the body, which a GET has not");
    }
    if (place->param->flags & ALLOY_MANY) {
        return refuse(place, "is read from the body, where several values are "
                             "an ALLOY_LIST");
    }
    return NULL;
}

/* The body of a DELETE is an exception, so nothing is left to a default
 * there: its other parameters would else be looked for in the body. */
static const char *delete_check(const place_t *place)
{
    if (place->op->row->method == ALLOY_DELETE && place->op->reads_body
        && !(place->param->flags & (ALLOY_IN_QUERY | ALLOY_IN_BODY))) {
        return refuse(place, "belongs to a DELETE with a body; say "
                             "ALLOY_IN_QUERY or ALLOY_IN_BODY");
    }
    return NULL;
}

static const char *place_check(const place_t *place)
{
    const unsigned both = ALLOY_IN_QUERY | ALLOY_IN_BODY;
    int index = alloy_op_param(place->op, place->param->name);

    if ((place->param->flags & both) == both) {
        return refuse(place, "is flagged ALLOY_IN_QUERY and ALLOY_IN_BODY");
    }
    switch (alloy_op_place(place->op, index)) {
    case ALLOY_PLACE_PATH:
        return path_check(place);
    case ALLOY_PLACE_QUERY:
        ALLOY_CHECK(delete_check(place));
        return query_check(place);
    default:
        return body_check(place);
    }
}

/* ---- One parameter ------------------------------------------------------- */

static const char *type_check(const place_t *place)
{
    switch (place->param->type) {
    case ALLOY_WORD:
        return word_check(place);
    case ALLOY_REF:
        return ref_check(place);
    case ALLOY_LIST:
    case ALLOY_OBJECT:
        return inner_check(place);
    case ALLOY_JSON:
        return refuse(place, "is an ALLOY_JSON, which is for answers only");
    default:
        return NULL;
    }
}

static const char *flags_check(const place_t *place)
{
    const alloy_param_t *param = place->param;

    if (param->most != 0 && param->most < param->least) {
        return refuse(place, "has .most below .least");
    }
    if ((param->flags & ALLOY_REQUIRED) && param->fallback) {
        return refuse(place, "is required and has a fallback all the same");
    }
    if ((param->flags & ALLOY_UNIQUE) && !place->siblings) {
        return refuse(place, "is ALLOY_UNIQUE, which only a member of an "
                             "object in a list can be");
    }
    if ((param->flags & (ALLOY_STRICT | ALLOY_SELF | ALLOY_HOME))
        && param->type != ALLOY_REF) {
        return refuse(place, "has a flag that only an ALLOY_REF may have");
    }
    if (param->role > ALLOY_OWNER) {
        return refuse(place, "needs a role that does not exist");
    }
    return NULL;
}

static const char *param_check(const place_t *place)
{
    /* what a list holds needs no name */
    if (place->param->name || place->siblings) {
        ALLOY_CHECK(
            alloy_check_name(place->check, "parameter", place->param->name));
    }
    ALLOY_CHECK(flags_check(place));
    return type_check(place);
}

static const char *paging_check(const place_t *place)
{
    const alloy_op_t *op = place->op;

    if (op->last && op->last->mode == ALLOY_SQL_PAGE
        && (strcmp(place->param->name, "limit") == 0
            || strcmp(place->param->name, "cursor") == 0)) {
        return refuse(place, "is the engine's own in an operation that "
                             "answers pages");
    }
    return NULL;
}

const char *alloy_check_param(const alloy_check_t *check, const alloy_op_t *op,
                              const alloy_param_t *param)
{
    place_t place = { .check = check, .op = op, .param = param };

    ALLOY_CHECK(param_check(&place));
    ALLOY_CHECK(paging_check(&place));
    return place_check(&place);
}
