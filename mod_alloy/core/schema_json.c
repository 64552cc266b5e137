/* JSON schemas of what callers send and get. A parameter's schema is as strict
 * as the reader of parameters; an answer's is open, because a plugin may add
 * keys to it.
 */
#include "schema_json.h"

#include <string.h>

#include <apr_strings.h>

#include "check.h"
#include "limits.h"
#include "output.h"

/* What JSON makes of each type. */
static const struct {
    const char *type;   /* NULL: any */
    const char *format; /* or NULL */
} types[] = { [ALLOY_TEXT] = { "string", NULL },
              [ALLOY_INT] = { "integer", "int64" },
              [ALLOY_BOOL] = { "boolean", NULL },
              [ALLOY_UUID] = { "string", "uuid" },
              [ALLOY_DATE] = { "string", "date" },
              [ALLOY_INSTANT] = { "string", "date-time" },
              [ALLOY_WORD] = { "string", NULL },
              [ALLOY_REF] = { "string", NULL },
              [ALLOY_LIST] = { "array", NULL },
              [ALLOY_OBJECT] = { "object", NULL },
              [ALLOY_HALF] = { "number", NULL },
              [ALLOY_JSON] = { NULL, NULL },
              [ALLOY_HUNDREDTH] = { "number", NULL } };

static void param_write(alloy_out_t *out, const alloy_param_t *param,
                        int helps);
static void members_write(alloy_out_t *out, const alloy_shape_t *shape,
                          int nullable, int refs);

/* ---- Pieces -------------------------------------------------------------- */

void alloy_schema_pair(alloy_out_t *out, const char *key, const char *text)
{
    alloy_out_key(out, key);
    alloy_out_text(out, text);
}

static void write_int(alloy_out_t *out, const char *key, apr_int64_t value)
{
    alloy_out_key(out, key);
    alloy_out_int(out, value);
}

static const char *pointer_to(const char *name, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "#/components/schemas/", name, NULL);
}

void alloy_schema_ref(alloy_out_t *out, const char *name)
{
    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "$ref", pointer_to(name, out->pool));
    alloy_out_end(out);
}

/* "type": "string", or with null as the second one. */
static void type_write(alloy_out_t *out, const char *type, int nullable)
{
    if (!type) {
        return;
    }
    alloy_out_key(out, "type");
    if (!nullable) {
        alloy_out_text(out, type);
        return;
    }
    alloy_out_begin(out, '[');
    alloy_out_text(out, type);
    alloy_out_text(out, "null");
    alloy_out_end(out);
}

static void words_write(alloy_out_t *out, const char *const *words,
                        int nullable)
{
    alloy_out_key(out, "enum");
    alloy_out_begin(out, '[');
    for (; *words; words++) {
        alloy_out_text(out, *words);
    }
    if (nullable) {
        alloy_out_text(out, NULL);
    }
    alloy_out_end(out);
}

/* ---- Limits -------------------------------------------------------------- */

static void text_limits(alloy_out_t *out, const alloy_param_t *param)
{
    if (param->least > 0) {
        write_int(out, "minLength", param->least);
    }
    write_int(out, "maxLength", param->most ? param->most : ALLOY_TEXT_LIMIT);
    if (param->format) {
        alloy_schema_pair(out, "format", param->format->name);
        if (param->format->pattern) {
            alloy_schema_pair(out, "pattern", param->format->pattern);
        }
        return;
    }
    if (param->flags & ALLOY_SECRET) {
        alloy_schema_pair(out, "format", "password");
    }
}

/* As the reader of numbers has it: a limit of 0 above a positive or below a
 * negative one is no limit. */
static void number_limits(alloy_out_t *out, const alloy_param_t *param)
{
    if (param->type == ALLOY_HALF) {
        alloy_out_key(out, "multipleOf");
        alloy_out_json(out, "0.5");
    }
    if (param->least != 0 || param->most > 0) {
        write_int(out, "minimum", param->least);
    }
    if (param->most != 0 || param->least < 0) {
        write_int(out, "maximum", param->most);
    }
}

/* A row found by nothing but its id needs one. Organizations have no statement
 * for names either, because their slugs are among what is known of the caller. */
static int needs_id(const alloy_resource_t *resource)
{
    return resource && !resource->find_name && strcmp(resource->name, "org");
}

static void ref_limits(alloy_out_t *out, const alloy_param_t *param)
{
    if (needs_id(param->resource)) {
        alloy_schema_pair(out, "format", "uuid");
        return;
    }
    write_int(out, "minLength", 1);
    write_int(out, "maxLength", ALLOY_REF_LIMIT);
}

static void list_limits(alloy_out_t *out, const alloy_param_t *param)
{
    if (param->least > 0) {
        write_int(out, "minItems", param->least);
    }
    write_int(out, "maxItems", param->most ? param->most : ALLOY_ARRAY_LIMIT);
    alloy_out_key(out, "items");
    param_write(out, &param->inner[0], 1);
}

/* ---- Objects that are sent ----------------------------------------------- */

static void properties_begin(alloy_out_t *out)
{
    alloy_out_key(out, "additionalProperties");
    alloy_out_bool(out, 0);
    alloy_out_key(out, "properties");
    alloy_out_begin(out, '{');
}

static void object_write(alloy_out_t *out, const alloy_param_t *inner)
{
    const alloy_param_t *param;
    int required = 0;

    properties_begin(out);
    for (param = inner; param->name; param++) {
        alloy_out_key(out, param->name);
        param_write(out, param, 1);
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

void alloy_schema_body(alloy_out_t *out, const alloy_op_t *op)
{
    alloy_param_t list[ALLOY_OP_PARAMS_MAX + 1];
    int i, count = 0;

    for (i = 0; i < op->nparams; i++) {
        if (alloy_op_place(op, i) == ALLOY_PLACE_BODY) {
            list[count++] = *op->params[i];
        }
    }
    memset(&list[count], 0, sizeof(list[count]));
    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "type", "object");
    object_write(out, list);
    alloy_out_end(out);
}

/* ---- Parameters ---------------------------------------------------------- */

static void limits_write(alloy_out_t *out, const alloy_param_t *param)
{
    switch (param->type) {
    case ALLOY_TEXT:
        text_limits(out, param);
        break;
    case ALLOY_INT:
    case ALLOY_HALF:
    case ALLOY_HUNDREDTH:
        number_limits(out, param);
        break;
    case ALLOY_REF:
        ref_limits(out, param);
        break;
    case ALLOY_WORD:
        words_write(out, param->words, param->flags & ALLOY_NULLABLE);
        break;
    case ALLOY_LIST:
        list_limits(out, param);
        break;
    case ALLOY_OBJECT:
        if (param->inner) {
            object_write(out, param->inner);
        }
        break;
    default:
        break;
    }
}

static void fallback_write(alloy_out_t *out, const alloy_param_t *param)
{
    if (!param->fallback) {
        return;
    }
    switch (param->type) {
    case ALLOY_INT:
    case ALLOY_HALF:
    case ALLOY_HUNDREDTH:
        alloy_out_key(out, "default");
        alloy_out_json(out, param->fallback);
        break;
    case ALLOY_BOOL:
        alloy_out_key(out, "default");
        alloy_out_bool(out, *param->fallback == 't' || *param->fallback == '1');
        break;
    case ALLOY_LIST:
    case ALLOY_OBJECT:
        break;
    default:
        alloy_schema_pair(out, "default", param->fallback);
        break;
    }
}

static const char *help_of(const alloy_param_t *param, apr_pool_t *pool)
{
    const char *help = param->help ? param->help : "";
    const char *more = "";

    if (param->type == ALLOY_REF) {
        more = !param->resource || param->resource->find_name
                   ? "An id, or a key or name."
                   : "An id.";
    }
    if (!*help || !*more) {
        return *help ? help : more;
    }
    return apr_pstrcat(pool, help, " ", more, NULL);
}

static void help_add(alloy_out_t *out, const alloy_param_t *param, int helps)
{
    const char *help = help_of(param, out->pool);

    if (helps && *help) {
        alloy_schema_pair(out, "description", help);
    }
}

static void value_write(alloy_out_t *out, const alloy_param_t *param, int helps)
{
    alloy_out_begin(out, '{');
    type_write(out, types[param->type].type, param->flags & ALLOY_NULLABLE);
    if (types[param->type].format) {
        alloy_schema_pair(out, "format", types[param->type].format);
    }
    limits_write(out, param);
    fallback_write(out, param);
    if (param->flags & ALLOY_SECRET) {
        alloy_out_key(out, "writeOnly");
        alloy_out_bool(out, 1);
    }
    help_add(out, param, helps);
    alloy_out_end(out);
}

/* Several values are an array of what one value is. */
static void param_write(alloy_out_t *out, const alloy_param_t *param, int helps)
{
    alloy_param_t one = *param;

    if (!(param->flags & ALLOY_MANY)) {
        value_write(out, param, helps);
        return;
    }
    one.flags &= ~(ALLOY_MANY | ALLOY_NULLABLE);
    one.fallback = NULL;
    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "type", "array");
    alloy_out_key(out, "items");
    value_write(out, &one, 0);
    write_int(out, "maxItems", ALLOY_MANY_LIMIT);
    help_add(out, param, helps);
    alloy_out_end(out);
}

void alloy_schema_param(alloy_out_t *out, const alloy_param_t *param)
{
    param_write(out, param, 1);
}

void alloy_schema_value(alloy_out_t *out, const alloy_param_t *param)
{
    param_write(out, param, 0);
}

/* ---- Answers ------------------------------------------------------------- */

static void field_help_add(alloy_out_t *out, const alloy_field_t *field)
{
    if (field->help) {
        alloy_schema_pair(out, "description", field->help);
    }
}

/* A $ref has no room for null, so such a key is either of two schemas. */
static void ref_write(alloy_out_t *out, const alloy_field_t *field)
{
    const char *name = field->shape->name;

    if (!(field->flags & ALLOY_NULLABLE)) {
        alloy_schema_pair(out, "$ref", pointer_to(name, out->pool));
        return;
    }
    alloy_out_key(out, "anyOf");
    alloy_out_begin(out, '[');
    alloy_schema_ref(out, name);
    alloy_out_json(out, "{\"type\":\"null\"}");
    alloy_out_end(out);
}

static void nested_write(alloy_out_t *out, const alloy_field_t *field, int refs)
{
    alloy_out_begin(out, '{');
    if (refs) {
        ref_write(out, field);
    } else {
        members_write(out, field->shape, field->flags & ALLOY_NULLABLE, 0);
    }
    field_help_add(out, field);
    alloy_out_end(out);
}

static void scalar_write(alloy_out_t *out, const alloy_field_t *field)
{
    int nullable = field->flags & ALLOY_NULLABLE;
    const char *format = field->type == ALLOY_REF ? "uuid"
                                                  : types[field->type].format;

    alloy_out_begin(out, '{');
    type_write(out, types[field->type].type, nullable);
    if (format) {
        alloy_schema_pair(out, "format", format);
    }
    if (field->type == ALLOY_WORD) {
        words_write(out, field->words, nullable);
    }
    field_help_add(out, field);
    alloy_out_end(out);
}

static void array_write(alloy_out_t *out, const alloy_field_t *field, int refs)
{
    alloy_field_t one = *field;

    one.flags = 0;
    one.help = NULL;
    alloy_out_begin(out, '{');
    type_write(out, "array", field->flags & ALLOY_NULLABLE);
    alloy_out_key(out, "items");
    if (field->shape) {
        nested_write(out, &one, refs);
    } else {
        scalar_write(out, &one);
    }
    field_help_add(out, field);
    alloy_out_end(out);
}

static void field_write(alloy_out_t *out, const alloy_field_t *field, int refs)
{
    if (field->flags & ALLOY_MANY) {
        array_write(out, field, refs);
    } else if (field->shape) {
        nested_write(out, field, refs);
    } else {
        scalar_write(out, field);
    }
}

static void answered_write(alloy_out_t *out, const alloy_shape_t *shape)
{
    const alloy_field_t *field;

    alloy_out_key(out, "required");
    alloy_out_begin(out, '[');
    for (field = shape->fields; field->name; field++) {
        if (!(field->flags & ALLOY_ANSWERED)) {
            alloy_out_text(out, field->name);
        }
    }
    alloy_out_end(out);
}

static void members_write(alloy_out_t *out, const alloy_shape_t *shape,
                          int nullable, int refs)
{
    const alloy_field_t *field;

    type_write(out, "object", nullable);
    alloy_out_key(out, "properties");
    alloy_out_begin(out, '{');
    for (field = shape->fields; field->name; field++) {
        alloy_out_key(out, field->name);
        field_write(out, field, refs);
    }
    alloy_out_end(out);
    answered_write(out, shape);
}

void alloy_schema_shape(alloy_out_t *out, const alloy_shape_t *shape)
{
    alloy_out_begin(out, '{');
    members_write(out, shape, 0, 0);
    alloy_out_end(out);
}

void alloy_schema_component(alloy_out_t *out, const alloy_shape_t *shape)
{
    alloy_out_begin(out, '{');
    members_write(out, shape, 0, 1);
    alloy_out_end(out);
}
