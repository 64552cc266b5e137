/* One operation in the words of OpenAPI: what it takes, what it answers, how it
 * may fail. All of it follows from the row and its parameters; nothing is said
 * by hand for a single operation.
 */
#include "openapi_op.h"

#include <ctype.h>
#include <string.h>

#include <apr_strings.h>

#include "call.h"
#include "limits.h"
#include "media.h"
#include "output.h"
#include "path.h"
#include "problem.h"
#include "schema_json.h"

/* The engine's own parameters of every page. */
static const alloy_param_t paging[] = {
    { .name = "limit",
      .type = ALLOY_INT,
      .least = 1,
      .most = ALLOY_PAGE_LIMIT,
      .help = "How many rows a page has at most." },
    { .name = "cursor",
      .type = ALLOY_TEXT,
      .least = 1,
      .most = ALLOY_NAME_LIMIT,
      .help = "The `next_cursor` of the page before; the other parameters "
              "must be the same." },
    ALLOY_PARAMS_END
};

/* ---- Headers ------------------------------------------------------------- */

static void answer_headers_write(alloy_out_t *out, const alloy_op_t *op,
                                 int status)
{
    alloy_out_key(out, "headers");
    alloy_out_begin(out, '{');
    alloy_openapi_request_id(out);
    if (op->writes && alloy_openapi_has_caller(op)) {
        alloy_openapi_header(out, "Alloy-Change-Id",
                             "The id of the change in the "
                             "change log.");
    }
    if (op->row->location && status == 201) {
        alloy_openapi_header(out, "Location", "The address of what was made.");
    }
    alloy_out_end(out);
}

/* ---- Answers ------------------------------------------------------------- */

static void rows_write(alloy_out_t *out, const alloy_shape_t *shape)
{
    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "type", "array");
    alloy_out_key(out, "items");
    alloy_schema_ref(out, shape->name);
    alloy_out_end(out);
}

static void page_write(alloy_out_t *out, const alloy_shape_t *shape)
{
    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "type", "object");
    alloy_out_key(out, "properties");
    alloy_out_begin(out, '{');
    alloy_out_key(out, "items");
    rows_write(out, shape);
    alloy_out_key(out, "next_cursor");
    alloy_out_json(out, "{\"type\":[\"string\",\"null\"],\"description\":"
                        "\"Where the next page begins; null on the last.\"}");
    alloy_out_key(out, "has_more");
    alloy_out_json(out, "{\"type\":\"boolean\"}");
    alloy_out_end(out);
    alloy_out_key(out, "required");
    alloy_out_json(out, "[\"items\",\"next_cursor\",\"has_more\"]");
    alloy_out_end(out);
}

static void content_write(alloy_out_t *out, const alloy_op_t *op)
{
    const alloy_media_t *media;

    alloy_out_key(out, "content");
    alloy_out_begin(out, '{');
    alloy_out_key(out, "application/json");
    alloy_out_begin(out, '{');
    alloy_out_key(out, "schema");
    if (alloy_openapi_is_page(op)) {
        page_write(out, op->answer);
    } else if (alloy_openapi_mode_is(op, ALLOY_SQL_MANY)) {
        rows_write(out, op->answer);
    } else {
        alloy_schema_ref(out, op->answer->name);
    }
    alloy_out_end(out);
    for (media = alloy_media; media->type; media++) {
        if (op->row->flags & media->flag) {
            alloy_out_key(out, media->type);
            alloy_out_json(out, "{}");
        }
    }
    alloy_out_end(out);
}

static void document_write(alloy_out_t *out, const char *type)
{
    alloy_out_key(out, "content");
    alloy_out_begin(out, '{');
    alloy_out_key(out, type);
    alloy_out_json(out, strcmp(type, "application/json")
                        ? "{}" : "{\"schema\":{\"type\":\"object\"}}");
    alloy_out_end(out);
}

/* A GET without a shape answers a document its function makes. */
static int is_document(const alloy_op_t *op)
{
    return op->row->run && op->row->method == ALLOY_GET && !op->answer;
}

/* A DELETE that is only tried answers what it would have removed. */
static int shows_prior(const alloy_op_t *op)
{
    return op->row->method == ALLOY_DELETE && !op->answer
           && alloy_op_param(op, "dry_run") >= 0;
}

/* One thing, which the caller may have already. */
static int is_tagged(const alloy_op_t *op)
{
    return op->row->method == ALLOY_GET && op->answer
           && !alloy_openapi_is_page(op)
           && !alloy_openapi_mode_is(op, ALLOY_SQL_MANY);
}

static const char *answer_help(const alloy_op_t *op, int status)
{
    if (status == 304) {
        return "If-None-Match has the ETag of what there is.";
    }
    if (status == 200 && shows_prior(op)) {
        return "With dry_run: what would have been removed.";
    }
    if (!op->answer) {
        return status == 204 ? "Done; there is nothing to answer."
                             : "A document of its own.";
    }
    if (status == 201) {
        return "What was made.";
    }
    if (alloy_openapi_is_page(op)) {
        return "A page.";
    }
    return alloy_openapi_mode_is(op, ALLOY_SQL_MANY) ? "All of them."
                                                     : "The answer.";
}

static void answer_write(alloy_out_t *out, const alloy_op_t *op, int status)
{
    alloy_out_key(out, apr_itoa(out->pool, status));
    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "description", answer_help(op, status));
    answer_headers_write(out, op, status);
    if (op->answer && status != 304) {
        content_write(out, op);
    }
    else if (op->row->document) {
        document_write(out, op->row->document);
    }
    else if (status == 200) {
        document_write(out, "application/json");
    }
    alloy_out_end(out);
}

/* A statement that tells by _created whether it made the row has two ways to
 * succeed. */
static int answers_with(const alloy_op_t *op, int status)
{
    int makes = op->row->flags & ALLOY_CREATES;
    int has_content = op->answer || is_document(op);

    switch (status) {
    case 200:
        return makes ? op->last && strstr(op->last->text, "_created")
                     : has_content || shows_prior(op);
    case 201:
        return makes;
    case 304:
        return is_tagged(op);
    default:
        return !makes && !has_content;
    }
}

static void responses_write(alloy_out_t *out, const alloy_op_t *op)
{
    static const int statuses[] = { 200, 201, 204, 304 };
    apr_size_t i;

    alloy_out_key(out, "responses");
    alloy_out_begin(out, '{');
    for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (answers_with(op, statuses[i])) {
            answer_write(out, op, statuses[i]);
        }
    }
    alloy_openapi_failures(out, op);
    alloy_out_end(out);
}

/* ---- Input --------------------------------------------------------------- */

static void param_write(alloy_out_t *out, const alloy_param_t *param,
                        const char *place)
{
    int required = *place == 'p' || (param->flags & ALLOY_REQUIRED);

    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "name", param->name);
    alloy_schema_pair(out, "in", place);
    if (param->help) {
        alloy_schema_pair(out, "description", param->help);
    }
    if (required) {
        alloy_out_key(out, "required");
        alloy_out_bool(out, 1);
    }
    alloy_out_key(out, "schema");
    alloy_schema_value(out, param);
    alloy_out_end(out);
}

static void place_write(alloy_out_t *out, const alloy_op_t *op,
                        alloy_place_e place)
{
    int i;

    for (i = 0; i < op->nparams; i++) {
        if (alloy_op_place(op, i) == place) {
            param_write(out, op->params[i],
                        place == ALLOY_PLACE_PATH ? "path" : "query");
        }
    }
}

static void field_write(alloy_out_t *out, const char *name, const char *help)
{
    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "name", name);
    alloy_schema_pair(out, "in", "header");
    alloy_schema_pair(out, "description", help);
    alloy_out_key(out, "schema");
    alloy_out_json(out, "{\"type\":\"string\"}");
    alloy_out_end(out);
}

static void fields_write(alloy_out_t *out, const alloy_op_t *op)
{
    if (op->row->method == ALLOY_POST && alloy_openapi_has_caller(op)) {
        field_write(out, "Idempotency-Key",
                    "Makes it safe to send the request again: the answer is "
                    "kept for a day.");
    }
    if (alloy_openapi_is_conditional(op)) {
        field_write(out, "If-Match",
                    "The ETag of what was read: refuses the write when "
                    "somebody else changed the same meanwhile.");
    }
    if (is_tagged(op)) {
        field_write(out, "If-None-Match", "The ETag of what was read before.");
    }
}

static void params_write(alloy_out_t *out, const alloy_op_t *op)
{
    const alloy_param_t *param;

    alloy_out_key(out, "parameters");
    alloy_out_begin(out, '[');
    place_write(out, op, ALLOY_PLACE_PATH);
    place_write(out, op, ALLOY_PLACE_QUERY);
    for (param = paging; alloy_openapi_is_page(op) && param->name; param++) {
        param_write(out, param, "query");
    }
    fields_write(out, op);
    alloy_out_end(out);
}

static void media_write(alloy_out_t *out, const alloy_op_t *op,
                        const char *type)
{
    alloy_out_key(out, type);
    alloy_out_begin(out, '{');
    alloy_out_key(out, "schema");
    alloy_schema_ref(out, op->row->id);
    alloy_out_end(out);
}

static int body_is_required(const alloy_op_t *op)
{
    int i;

    for (i = 0; i < op->nparams; i++) {
        if ((op->params[i]->flags & ALLOY_REQUIRED)
            && alloy_op_place(op, i) == ALLOY_PLACE_BODY) {
            return 1;
        }
    }
    return 0;
}

static void body_write(alloy_out_t *out, const alloy_op_t *op)
{
    if (!alloy_openapi_has_body(op)) {
        return;
    }
    alloy_out_key(out, "requestBody");
    alloy_out_begin(out, '{');
    if (body_is_required(op)) {
        alloy_out_key(out, "required");
        alloy_out_bool(out, 1);
    }
    alloy_out_key(out, "content");
    alloy_out_begin(out, '{');
    media_write(out, op, "application/json");
    if (op->row->method == ALLOY_PATCH) {
        media_write(out, op, "application/merge-patch+json");
    }
    alloy_out_end(out);
    alloy_out_end(out);
}

/* ---- Sentences ----------------------------------------------------------- */

static const char *role_word(const alloy_op_t *op)
{
    if (op->row->role == ALLOY_PUBLIC) {
        return "public";
    }
    return op->row->role == ALLOY_SIGNED_IN ? "signed_in"
                                            : alloy_role_name(op->row->role);
}

static const char *role_help(const alloy_op_t *op, apr_pool_t *pool)
{
    const char *own = op->row->own_note;

    if (op->row->role == ALLOY_PUBLIC) {
        return "Needs no token.";
    }
    if (op->row->role == ALLOY_SIGNED_IN) {
        return "Needs a valid token, whatever the role.";
    }
    return apr_pstrcat(pool, "Needs the role ", alloy_role_name(op->row->role),
                       op->row->role < ALLOY_OWNER ? " or a higher one" : "",
                       own ? "; open to " : "", own ? own : "",
                       own ? " as well." : ".", NULL);
}

/* Roles from Admin on have one scope for all nouns. */
static const char *scope_help(const alloy_op_t *op, apr_pool_t *pool)
{
    if (!alloy_openapi_has_caller(op)
        || (op->row->flags & ALLOY_ANY_SCOPE)) {
        return "";
    }
    if (op->row->role >= ALLOY_ADMIN) {
        return " An API key needs the scope `admin`.";
    }
    return apr_pstrcat(pool, " An API key needs the scope `", op->row->noun,
                       op->writes ? ":write`." : ":read`.", NULL);
}

static const char *values_help(const alloy_op_t *op, apr_pool_t *pool)
{
    const char *help = "";
    int i;

    for (i = 0; i < op->nparams; i++) {
        if (op->params[i]->role > op->row->role) {
            help = apr_pstrcat(pool, help, " Sending `", op->params[i]->name,
                               "` needs the role ",
                               alloy_role_name(op->params[i]->role), ".", NULL);
        }
    }
    return help;
}

static const char *refusals_help(const alloy_op_t *op, apr_pool_t *pool)
{
    const alloy_refusal_t *refusal = op->refusals;
    const char *help = refusal && refusal->code ? "\n\nIt is refused with:\n"
                                                : "";

    for (; refusal && refusal->code; refusal++) {
        help = apr_psprintf(pool, "%s\n- %d `%s`: %s", help,
                            refusal->kind->status, refusal->kind->code,
                            refusal->detail);
    }
    return help;
}

static const char *op_help(const alloy_op_t *op, apr_pool_t *pool)
{
    const char *help = op->row->help;

    return apr_pstrcat(pool, help ? help : "", help ? "\n\n" : "",
                       role_help(op, pool), scope_help(op, pool),
                       values_help(op, pool), refusals_help(op, pool), NULL);
}

/* A title has no full stop. */
static const char *titled(const char *summary, apr_pool_t *pool)
{
    apr_size_t length = strlen(summary);

    if (length && summary[length - 1] == '.') {
        length--;
    }
    return apr_pstrmemdup(pool, summary, length);
}

/* ---- All of it ----------------------------------------------------------- */

static const char *method_key(const alloy_op_t *op, apr_pool_t *pool)
{
    char *key = apr_pstrdup(pool, alloy_method_name(op->row->method));
    char *at;

    for (at = key; *at; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    return key;
}

/* Tools that are this operation with something settled beforehand. */
static void more_tools_write(alloy_out_t *out, const alloy_tool_t *tool)
{
    if (!tool) {
        return;
    }
    alloy_out_key(out, "x-more-tools");
    alloy_out_begin(out, '{');
    for (; tool->name; tool++) {
        alloy_schema_pair(out, tool->name, tool->summary);
    }
    alloy_out_end(out);
}

void alloy_openapi_op(alloy_out_t *out, const alloy_op_t *op)
{
    alloy_out_key(out, method_key(op, out->pool));
    alloy_out_begin(out, '{');
    alloy_schema_pair(out, "operationId", op->row->id);
    alloy_schema_pair(out, "summary", titled(op->row->summary, out->pool));
    alloy_schema_pair(out, "description", op_help(op, out->pool));
    alloy_out_key(out, "tags");
    alloy_out_begin(out, '[');
    alloy_out_text(out, op->row->noun);
    alloy_out_end(out);
    if (!alloy_openapi_has_caller(op)) {
        alloy_out_key(out, "security");
        alloy_out_json(out, "[]");
    }
    params_write(out, op);
    body_write(out, op);
    responses_write(out, op);
    alloy_schema_pair(out, "x-role", role_word(op));
    if (op->row->tool) {
        alloy_schema_pair(out, "x-tool", op->row->tool);
    }
    more_tools_write(out, op->row->tools);
    alloy_out_end(out);
}
