/*
 * JSON schemas of tools. Models read them with every conversation, so they say
 * what can be sent and no more: limits are told by the problem that meets them,
 * and /openapi.json has them all.
 */
#include "front.h"

#include <string.h>

#include <apr_strings.h>

#include "convention.h"
#include "openapi.h"
#include "schema_json.h"

#define HELP_LENGTH 40          /* characters that may have several clauses */

static void value_write(alloy_out_t *out, const alloy_param_t *param,
                        const char *help);

/* ---- single values ------------------------------------------------------------ */

static const char *type_of(const alloy_param_t *param)
{
    switch (param->type) {
    case ALLOY_INT:
        return "integer";
    case ALLOY_HALF:
    case ALLOY_HUNDREDTH:
        return "number";
    case ALLOY_BOOL:
        return "boolean";
    case ALLOY_LIST:
        return "array";
    case ALLOY_OBJECT:
        return "object";
    default:
        return "string";
    }
}

static void type_write(alloy_out_t *out, const char *type, const char *other)
{
    alloy_out_key(out, "type");
    if (!other) {
        alloy_out_text(out, type);
        return;
    }
    alloy_out_begin(out, '[');
    alloy_out_text(out, type);
    alloy_out_text(out, other);
    alloy_out_end(out);
}

static void words_write(alloy_out_t *out, const alloy_param_t *param)
{
    const char *const *word;

    alloy_out_key(out, "enum");
    alloy_out_begin(out, '[');
    for (word = param->words; *word; word++) {
        alloy_out_text(out, *word);
    }
    if (param->flags & ALLOY_NULLABLE) {
        alloy_out_text(out, NULL);
    }
    alloy_out_end(out);
}

static void format_write(alloy_out_t *out, const alloy_param_t *param)
{
    if (param->type == ALLOY_DATE) {
        alloy_schema_pair(out, "format", "date");
    }
    if (param->type == ALLOY_INSTANT) {
        alloy_schema_pair(out, "format", "date-time");
    }
}

/* ---- objects ------------------------------------------------------------------ */

static void inner_write(alloy_out_t *out, const alloy_param_t *inner)
{
    const alloy_param_t *param;
    int required = 0;

    alloy_out_key(out, "properties");
    alloy_out_begin(out, '{');
    for (param = inner; param->name; param++) {
        alloy_out_key(out, param->name);
        value_write(out, param, NULL);
        required |= param->flags & ALLOY_REQUIRED;
    }
    alloy_out_end(out);
    if (!required) {
        return;
    }
    alloy_out_key(out, "required");
    alloy_out_begin(out, '[');
    for (param = inner; param->name; param++) {
        if (param->flags & ALLOY_REQUIRED) {
            alloy_out_text(out, param->name);
        }
    }
    alloy_out_end(out);
}

/* One value stands for a list of one. */
static void many_write(alloy_out_t *out, const alloy_param_t *param)
{
    type_write(out, type_of(param), "array");
    if (param->type == ALLOY_WORD) {
        alloy_out_key(out, "items");
        alloy_out_begin(out, '{');
        words_write(out, param);
        alloy_out_end(out);
    }
}

static void single_write(alloy_out_t *out, const alloy_param_t *param)
{
    type_write(out, type_of(param),
               param->flags & ALLOY_NULLABLE ? "null" : NULL);
    format_write(out, param);
    if (param->type == ALLOY_WORD) {
        words_write(out, param);
    }
    if (param->type == ALLOY_LIST) {
        alloy_out_key(out, "items");
        value_write(out, param->inner, NULL);
    }
    if (param->type == ALLOY_OBJECT && param->inner) {
        inner_write(out, param->inner);
    }
}

static void value_write(alloy_out_t *out, const alloy_param_t *param,
                        const char *help)
{
    alloy_out_begin(out, '{');
    if (param->flags & ALLOY_MANY) {
        many_write(out, param);
    }
    else {
        single_write(out, param);
    }
    if (help) {
        alloy_schema_pair(out, "description", help);
    }
    alloy_out_end(out);
}

/* ---- arguments ---------------------------------------------------------------- */

/* Each kind of thing is an argument of its own. */
static void kinds_write(alloy_out_t *out, const char *const *kinds)
{
    for (; *kinds; kinds++) {
        alloy_out_key(out, *kinds);
        alloy_out_json(out, "{\"type\":\"string\"}");
    }
}

/* The first thing that is said of a parameter: the rest is for those who look
 * it up. */
static const char *short_help(const alloy_param_t *param, apr_pool_t *pool)
{
    apr_size_t length, clause;

    if (alloy_convention_is(param) || !param->help) {
        return NULL;
    }
    length = strcspn(param->help, ".:;");
    clause = strcspn(param->help, ",");
    if (length > HELP_LENGTH && clause < length && clause > HELP_LENGTH / 2) {
        length = clause;
    }
    return apr_pstrmemdup(pool, param->help, length);
}

static void argument_write(alloy_out_t *out, const alloy_tool_use_t *use,
                           int index)
{
    const alloy_param_t *param = use->op->params[index];
    const char *const *kinds = alloy_argument_kinds(use->op, index);

    if (kinds) {
        kinds_write(out, kinds);
    }
    alloy_out_key(out, alloy_argument_name(param, out->pool));
    value_write(out, param, short_help(param, out->pool));
}

static void paging_write(alloy_out_t *out, const alloy_tool_use_t *use)
{
    const alloy_param_t *const *param = alloy_paging_params;

    if (!use->op->last || use->op->last->mode != ALLOY_SQL_PAGE) {
        return;
    }
    for (; *param; param++) {
        alloy_out_key(out, (*param)->name);
        value_write(out, *param, NULL);
    }
}

static void needed_write(alloy_out_t *out, const alloy_tool_use_t *use)
{
    int i, begun = 0;

    for (i = 0; i < use->op->nparams; i++) {
        if (!alloy_argument_taken(use, i) || !alloy_argument_needed(use, i)) {
            continue;
        }
        if (!begun++) {
            alloy_out_key(out, "required");
            alloy_out_begin(out, '[');
        }
        alloy_out_text(out, alloy_argument_name(use->op->params[i],
                                                out->pool));
    }
    if (begun) {
        alloy_out_end(out);
    }
}

/* What every tool understands is said once, by the front: but for what keeps
 * answers small. */
static int is_worth_saying(const alloy_tool_use_t *use, int index)
{
    const alloy_param_t *param = use->op->params[index];

    return !alloy_convention_is(param) || alloy_convention_cuts(param);
}

void alloy_tool_input(alloy_out_t *out, const alloy_tool_use_t *use)
{
    int i;

    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "type", "object");
    alloy_out_key(out, "properties");
    alloy_out_begin(out, '{');
    for (i = 0; i < use->op->nparams; i++) {
        if (alloy_argument_taken(use, i) && is_worth_saying(use, i)) {
            argument_write(out, use, i);
        }
    }
    paging_write(out, use);
    alloy_out_end(out);
    needed_write(out, use);
    alloy_out_end(out);
}

/* ---- answers ------------------------------------------------------------------ */

static int is_list(const alloy_op_t *op)
{
    return op->last && (op->last->mode == ALLOY_SQL_PAGE
                        || op->last->mode == ALLOY_SQL_MANY);
}

/* An object; a list has items. Which keys there are depends on `fields`. */
void alloy_tool_output(alloy_out_t *out, const alloy_tool_use_t *use)
{
    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "type", "object");
    if (is_list(use->op)) {
        alloy_out_key(out, "properties");
        alloy_out_json(out, "{\"items\":{\"type\":\"array\"}}");
        alloy_out_key(out, "required");
        alloy_out_json(out, "[\"items\"]");
    }
    alloy_out_end(out);
}
