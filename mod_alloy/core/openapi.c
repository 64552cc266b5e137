/* /openapi.json: the operation table in the words of OpenAPI 3.1. Everything
 * is written in the table's order, so that the same table gives the same bytes
 * and a changed document means a changed API.
 */
#include "openapi.h"

#include <string.h>

#include <apr_strings.h>

#include "openapi_op.h"
#include "output.h"
#include "path.h"
#include "problem.h"
#include "schema_json.h"

#define DOCUMENT_BYTES (256 * 1024) /* first guess of the size */

static const char about[] =
    "Project management over HTTP: organizations, projects, tickets and what "
    "belongs to them.\n\n"
    "Wherever an id is asked for, a key or name will do: `WEB-5` for a ticket, "
    "an e-mail address for a person. Words such as statuses and roles are "
    "accepted in any letter case. Keys and parameters that are not described "
    "here are refused. Lists come in pages: pass `next_cursor` as `cursor` to "
    "read on. Every failure is a problem document (RFC 9457) whose `type` is "
    "the address of an explanation.";

static const char problem_schema[] =
    "{\"type\":\"object\","
    "\"description\":\"What went wrong, and what to do about it.\","
    "\"properties\":{"
    "\"type\":{\"type\":\"string\",\"format\":\"uri\","
    "\"description\":\"The address of an explanation.\"},"
    "\"title\":{\"type\":\"string\",\"description\":\"A few words.\"},"
    "\"status\":{\"type\":\"integer\",\"description\":\"The HTTP status.\"},"
    "\"detail\":{\"type\":\"string\","
    "\"description\":\"A sentence about this very case.\"},"
    "\"code\":{\"type\":\"string\","
    "\"description\":\"The name of the problem, for programs.\"},"
    "\"request_id\":{\"type\":\"string\","
    "\"description\":\"The X-Request-Id of this answer.\"},"
    "\"errors\":{\"type\":\"array\","
    "\"description\":\"Every input that is at fault.\","
    "\"items\":{\"type\":\"object\",\"properties\":{"
    "\"pointer\":{\"type\":\"string\","
    "\"description\":\"Where in the body, as a JSON pointer.\"},"
    "\"parameter\":{\"type\":\"string\","
    "\"description\":\"The name of a query parameter.\"},"
    "\"code\":{\"type\":\"string\"},"
    "\"detail\":{\"type\":\"string\"},"
    "\"allowed\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},"
    "\"description\":\"The values that are accepted.\"}},"
    "\"required\":[\"code\",\"detail\"]}}},"
    "\"required\":[\"type\",\"title\",\"status\",\"code\"]}";

/* ---- Head ---------------------------------------------------------------- */

static void info_write(alloy_out_t *out, const char *version)
{
    alloy_out_key(out, "info");
    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "title", "Alloy");
    alloy_schema_pair(out, "version", version);
    alloy_schema_pair(out, "description", about);
    alloy_out_key(out, "license");
    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "name", "Apache License 2.0");
    alloy_schema_pair(out, "identifier", "Apache-2.0");
    alloy_out_end(out);
    alloy_out_end(out);
}

static void servers_write(alloy_out_t *out, const char *base)
{
    alloy_out_key(out, "servers");
    alloy_out_begin(out, '[');
    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "url", base);
    alloy_out_end(out);
    alloy_out_end(out);
    alloy_out_key(out, "security");
    alloy_out_json(out, "[{\"bearer\":[]}]");
}

/* ---- Tags ---------------------------------------------------------------- */

static const alloy_op_t *shown_op(const alloy_registry_t *registry, int index)
{
    const alloy_op_t *op = alloy_registry_op(registry, index);

    return (op->row->flags & ALLOY_HIDDEN) ? NULL : op;
}

static int noun_is_new(const alloy_registry_t *registry, int index)
{
    const char *noun = alloy_registry_op(registry, index)->row->noun;
    int i;

    for (i = 0; i < index; i++) {
        const alloy_op_t *op = shown_op(registry, i);

        if (op && strcmp(op->row->noun, noun) == 0) {
            return 0;
        }
    }
    return 1;
}

/* "api-keys" reads as "api keys". */
static const char *spaced(const char *noun, apr_pool_t *pool)
{
    char *text = apr_pstrdup(pool, noun);
    char *at;

    for (at = text; *at; at++) {
        if (*at == '-' || *at == '_') {
            *at = ' ';
        }
    }
    return text;
}

static void tags_write(alloy_out_t *out, const alloy_registry_t *registry)
{
    int i;

    alloy_out_key(out, "tags");
    alloy_out_begin(out, '[');
    for (i = 0; i < alloy_registry_count(registry); i++) {
        const alloy_op_t *op = shown_op(registry, i);

        if (!op || !noun_is_new(registry, i)) {
            continue;
        }
        alloy_out_begin(out, '{');
        alloy_schema_pair(out, "name", op->row->noun);
        alloy_schema_pair(out, "description",
                          apr_pstrcat(out->pool, "Everything about ",
                                      spaced(op->row->noun, out->pool), ".",
                                      NULL));
        alloy_out_end(out);
    }
    alloy_out_end(out);
}

/* ---- Paths --------------------------------------------------------------- */

static const alloy_op_t *op_at(const alloy_registry_t *registry, int from,
                               const char *path, int method)
{
    int i;

    for (i = from; i < alloy_registry_count(registry); i++) {
        const alloy_op_t *op = shown_op(registry, i);

        if (op && strcmp(op->row->path, path) == 0
            && (method < 0 || (int)op->row->method == method)) {
            return op;
        }
    }
    return NULL;
}

static void path_write(alloy_out_t *out, const alloy_registry_t *registry,
                       const char *path)
{
    int method;

    alloy_out_key(out, path);
    alloy_out_begin(out, '{');
    for (method = 0; method < ALLOY_METHODS; method++) {
        const alloy_op_t *op = op_at(registry, 0, path, method);

        if (op) {
            alloy_openapi_op(out, op);
        }
    }
    alloy_out_end(out);
}

static void paths_write(alloy_out_t *out, const alloy_registry_t *registry)
{
    int i;

    alloy_out_key(out, "paths");
    alloy_out_begin(out, '{');
    for (i = 0; i < alloy_registry_count(registry); i++) {
        const alloy_op_t *op = shown_op(registry, i);

        if (op && op_at(registry, 0, op->row->path, -1) == op) {
            path_write(out, registry, op->row->path);
        }
    }
    alloy_out_end(out);
}

/* ---- Answers and bodies by name ------------------------------------------ */

/* A name's fields over all operations: plugins may add keys to some of them
 * only, and those are then not to be relied upon. */
typedef struct {
    const char *name;
    apr_array_header_t *fields; /* of alloy_field_t */
} variant_t;

static alloy_field_t *field_find(const variant_t *variant, const char *name)
{
    alloy_field_t *fields = (alloy_field_t *)variant->fields->elts;
    int i;

    for (i = 0; i < variant->fields->nelts; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static int shape_has(const alloy_shape_t *shape, const char *name)
{
    const alloy_field_t *field;

    for (field = shape->fields; field->name; field++) {
        if (strcmp(field->name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

static void variant_add(variant_t *variant, const alloy_shape_t *shape)
{
    int is_first = variant->fields->nelts == 0;
    alloy_field_t *fields;
    const alloy_field_t *field;
    int i;

    for (field = shape->fields; field->name; field++) {
        if (!field_find(variant, field->name)) {
            alloy_field_t *copy = apr_array_push(variant->fields);

            *copy = *field;
            copy->flags |= is_first ? 0 : ALLOY_ANSWERED;
        }
    }
    fields = (alloy_field_t *)variant->fields->elts;
    for (i = 0; i < variant->fields->nelts; i++) {
        if (!shape_has(shape, fields[i].name)) {
            fields[i].flags |= ALLOY_ANSWERED;
        }
    }
}

/* Visit SHAPE and what is inside it. */
static void shapes_gather(apr_array_header_t *variants,
                          const alloy_shape_t *shape)
{
    variant_t *variant = NULL;
    const alloy_field_t *field;
    int i;

    for (i = 0; i < variants->nelts; i++) {
        variant_t *other = &APR_ARRAY_IDX(variants, i, variant_t);

        if (strcmp(other->name, shape->name) == 0) {
            variant = other;
        }
    }
    if (!variant) {
        variant = apr_array_push(variants);
        variant->name = shape->name;
        variant->fields = apr_array_make(variants->pool, 16,
                                         sizeof(alloy_field_t));
    }
    variant_add(variant, shape);
    for (field = shape->fields; field->name; field++) {
        if (field->shape) {
            shapes_gather(variants, field->shape);
        }
    }
}

static void shapes_write(alloy_out_t *out, const alloy_registry_t *registry)
{
    apr_array_header_t *variants = apr_array_make(out->pool, 32,
                                                  sizeof(variant_t));
    int i;

    for (i = 0; i < alloy_registry_count(registry); i++) {
        const alloy_op_t *op = shown_op(registry, i);

        if (op && op->answer) {
            shapes_gather(variants, op->answer);
        }
    }
    for (i = 0; i < variants->nelts; i++) {
        const variant_t *variant = &APR_ARRAY_IDX(variants, i, variant_t);
        alloy_shape_t shape = { .name = variant->name };

        apr_array_push(variant->fields); /* zeroed: ends the list */
        shape.fields = (const alloy_field_t *)variant->fields->elts;
        alloy_out_key(out, shape.name);
        alloy_schema_component(out, &shape);
    }
}

static void bodies_write(alloy_out_t *out, const alloy_registry_t *registry)
{
    int i;

    for (i = 0; i < alloy_registry_count(registry); i++) {
        const alloy_op_t *op = shown_op(registry, i);

        if (op && alloy_openapi_has_body(op)) {
            alloy_out_key(out, op->row->id);
            alloy_schema_body(out, op);
        }
    }
}

/* ---- Components ---------------------------------------------------------- */

static int status_happens(const alloy_registry_t *registry, int status)
{
    int i;

    for (i = 0; i < alloy_registry_count(registry); i++) {
        const alloy_op_t *op = shown_op(registry, i);

        if (op && alloy_openapi_fails(op, status)) {
            return 1;
        }
    }
    return 0;
}

static void responses_write(alloy_out_t *out, const alloy_registry_t *registry)
{
    int status;

    alloy_out_key(out, "responses");
    alloy_out_begin(out, '{');
    for (status = 400; status < 600; status++) {
        if (status_happens(registry, status)) {
            alloy_openapi_failure(out, registry, status);
        }
    }
    alloy_out_end(out);
}

static void components_write(alloy_out_t *out, const alloy_registry_t *registry)
{
    alloy_out_key(out, "components");
    alloy_out_begin(out, '{');
    alloy_out_key(out, "securitySchemes");
    alloy_out_json(out, "{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\","
                        "\"description\":\"An access token or an API key.\"}}");
    alloy_out_key(out, "schemas");
    alloy_out_begin(out, '{');
    shapes_write(out, registry);
    bodies_write(out, registry);
    alloy_out_key(out, "Problem");
    alloy_out_json(out, problem_schema);
    alloy_out_end(out);
    responses_write(out, registry);
    alloy_out_end(out);
}

const char *alloy_openapi_write(const alloy_registry_t *registry,
                                const char *base, const char *version,
                                apr_pool_t *pool)
{
    alloy_out_t *out = alloy_out_make(pool, DOCUMENT_BYTES);

    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "openapi", "3.1.1");
    info_write(out, version);
    servers_write(out, base);
    tags_write(out, registry);
    paths_write(out, registry);
    components_write(out, registry);
    alloy_out_end(out);
    alloy_out_raw(out, "", 1);
    return out->bytes;
}
