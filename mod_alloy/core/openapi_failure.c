/* How operations fail, in the words of OpenAPI: which problems each may meet,
 * and the answers they share. Which ones follows from the row.
 */
#include "openapi_op.h"

#include <string.h>

#include <apr_strings.h>

#include "output.h"
#include "problem.h"
#include "schema_json.h"

/* ---- What is known about an operation ------------------------------------ */

int alloy_openapi_mode_is(const alloy_op_t *op, alloy_sql_e mode)
{
    return op->last && op->last->mode == mode;
}

int alloy_openapi_is_page(const alloy_op_t *op)
{
    return alloy_openapi_mode_is(op, ALLOY_SQL_PAGE);
}

int alloy_openapi_has_caller(const alloy_op_t *op)
{
    return op->row->role != ALLOY_PUBLIC;
}

int alloy_openapi_has_body(const alloy_op_t *op)
{
    int i;

    for (i = 0; i < op->nparams; i++) {
        if (alloy_op_place(op, i) == ALLOY_PLACE_BODY) {
            return 1;
        }
    }
    return 0;
}

static int is_always(const alloy_op_t *op)
{
    return 1;
}

static int has_ref(const alloy_op_t *op)
{
    int i;

    for (i = 0; i < op->nparams; i++) {
        if (op->params[i]->type == ALLOY_REF) {
            return 1;
        }
    }
    return 0;
}

static int may_be_absent(const alloy_op_t *op)
{
    return strchr(op->row->path, '{') || op->row->guarded
           || alloy_openapi_mode_is(op, ALLOY_SQL_ONE);
}

static int adds(const alloy_op_t *op)
{
    return op->writes && op->row->method != ALLOY_DELETE;
}

static int removes(const alloy_op_t *op)
{
    return op->row->method == ALLOY_DELETE;
}

/* What the path ends in can have been changed by somebody else. */
int alloy_openapi_is_conditional(const alloy_op_t *op)
{
    int i;

    for (i = 0; i < op->nparams; i++) {
        if (op->params[i]->type == ALLOY_REF
            && alloy_op_place(op, i) == ALLOY_PLACE_PATH) {
            return op->writes && alloy_openapi_has_caller(op)
                   && !(op->row->flags & ALLOY_CREATES);
        }
    }
    return 0;
}

static int has_shape(const alloy_op_t *op)
{
    return op->row->answer != NULL;
}

static int takes_secret(const alloy_op_t *op)
{
    int i;

    for (i = 0; i < op->nparams; i++) {
        if (op->params[i]->flags & ALLOY_SECRET) {
            return op->writes;
        }
    }
    return 0;
}

/* Signing in is refused with the status that asks for it. */
static int may_be_unknown(const alloy_op_t *op)
{
    return alloy_openapi_has_caller(op) || takes_secret(op)
           || (op->row->flags & ALLOY_TOKEN_READ);
}

/* ---- Failures ------------------------------------------------------------ */

/* When a problem of the engine may be met; an operation's refusals add to
 * these. */
static const struct {
    const alloy_problem_kind_t *kind;
    int (*happens)(const alloy_op_t *op);
} failures[] = { { &alloy_bad_request, is_always },
                 { &alloy_unauthorized, may_be_unknown },
                 { &alloy_forbidden, alloy_openapi_has_caller },
                 { &alloy_not_found, may_be_absent },
                 { &alloy_not_acceptable, has_shape },
                 { &alloy_ambiguous_reference, has_ref },
                 { &alloy_already_exists, adds },
                 { &alloy_in_use, removes },
                 { &alloy_cursor_expired, alloy_openapi_is_page },
                 { &alloy_version_conflict, alloy_openapi_is_conditional },
                 { &alloy_payload_too_large, alloy_openapi_has_body },
                 { &alloy_unsupported_media_type, alloy_openapi_has_body },
                 { &alloy_validation_failed, is_always },
                 { &alloy_rate_limited, is_always },
                 { &alloy_internal, is_always },
                 { &alloy_unavailable, is_always } };

/* Names of the shared answers; a status without one is named by its number. */
static const struct {
    int status;
    const char *name;
} names[] = { { 400, "BadRequest" },
              { 401, "Unauthorized" },
              { 403, "Forbidden" },
              { 404, "NotFound" },
              { 406, "NotAcceptable" },
              { 409, "Conflict" },
              { 410, "Gone" },
              { 412, "PreconditionFailed" },
              { 413, "ContentTooLarge" },
              { 415, "UnsupportedMediaType" },
              { 422, "UnprocessableContent" },
              { 428, "PreconditionRequired" },
              { 429, "TooManyRequests" },
              { 500, "InternalServerError" },
              { 503, "ServiceUnavailable" } };

int alloy_openapi_fails(const alloy_op_t *op, int status)
{
    const alloy_refusal_t *refusal = op->refusals;
    apr_size_t i;

    for (; refusal && refusal->code; refusal++) {
        if (refusal->kind->status == status) {
            return 1;
        }
    }
    for (i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (failures[i].kind->status == status
            && (failures[i].happens(op) || (op->row->flags & ALLOY_NESTS))) {
            return 1;
        }
    }
    return 0;
}

static const char *failure_name(int status, apr_pool_t *pool)
{
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].status == status) {
            return names[i].name;
        }
    }
    return apr_psprintf(pool, "Status%d", status);
}

/* ---- Headers ------------------------------------------------------------- */

void alloy_openapi_header(alloy_out_t *out, const char *name, const char *help)
{
    alloy_out_key(out, name);
    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "description", help);
    alloy_out_key(out, "schema");
    alloy_out_json(out, "{\"type\":\"string\"}");
    alloy_out_end(out);
}

void alloy_openapi_request_id(alloy_out_t *out)
{
    alloy_openapi_header(out, "X-Request-Id",
                         "The id of this request: yours, or one "
                         "made here.");
}

static void failure_headers_write(alloy_out_t *out, int status)
{
    alloy_out_key(out, "headers");
    alloy_out_begin(out, '{');
    alloy_openapi_request_id(out);
    if (status == alloy_unauthorized.status) {
        alloy_openapi_header(out, "WWW-Authenticate", "How to authenticate.");
    }
    if (status == alloy_rate_limited.status
        || status == alloy_unavailable.status) {
        alloy_openapi_header(out, "Retry-After", "Seconds to wait.");
    }
    alloy_out_end(out);
}

/* "`not_found`: Not found", a line for each kind with this status. */
static const char *failure_help(const alloy_registry_t *registry, int status,
                                apr_pool_t *pool)
{
    const alloy_problem_kind_t *const *kind = alloy_registry_kinds(registry);
    const char *help = "One of these problems:\n";

    for (; *kind; kind++) {
        if ((*kind)->status == status) {
            help = apr_pstrcat(pool, help, "\n- `", (*kind)->code,
                               "`: ", (*kind)->title, NULL);
        }
    }
    return help;
}

void alloy_openapi_failure(alloy_out_t *out, const alloy_registry_t *registry,
                           int status)
{
    alloy_out_key(out, failure_name(status, out->pool));
    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "description",
                      failure_help(registry, status, out->pool));
    failure_headers_write(out, status);
    alloy_out_key(out, "content");
    alloy_out_begin(out, '{');
    alloy_out_key(out, "application/problem+json");
    alloy_out_begin(out, '{');
    alloy_out_key(out, "schema");
    alloy_schema_ref(out, "Problem");
    alloy_out_end(out);
    alloy_out_end(out);
    alloy_out_end(out);
}

void alloy_openapi_failures(alloy_out_t *out, const alloy_op_t *op)
{
    int status;

    for (status = 400; status < 600; status++) {
        if (!alloy_openapi_fails(op, status)) {
            continue;
        }
        alloy_out_key(out, apr_itoa(out->pool, status));
        alloy_out_begin(out, '{');
        alloy_schema_pair(out, "$ref",
                          apr_pstrcat(out->pool, "#/components/responses/",
                                      failure_name(status, out->pool), NULL));
        alloy_out_end(out);
    }
}
