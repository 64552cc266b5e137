/*
 * POST /batch: several operations in one request. Each goes the way of a
 * request of its own, but in the batch's transaction, with the rights the
 * earlier ones left, and may refer to their answers.
 */
#include "batch.h"

#include <string.h>

#include <apr_strings.h>

#include "convention.h"
#include "json.h"
#include "part.h"

#define ITEMS_MAX 1000

/* The order of item_params. */
enum { ITEM_ID, ITEM_METHOD, ITEM_PATH, ITEM_BODY };

/** One operation of the batch, and what it answered. */
typedef struct {
    int index;
    const char *id;             /* its name in the batch, or NULL */
    const alloy_value_t *values;
    const char *body;           /* as sent on, or NULL */
    alloy_answer_t answer;
    const alloy_json_t *result; /* the answer's body, or NULL */
    int ran;                    /* its faults are its own request's */
} item_t;

typedef struct {
    item_t *items;
    int count;
} batch_t;

/* ---- references to earlier answers ------------------------------------------- */

/* "{a.id}" is key id of the answer of operation a; anything else is itself. */
static int is_reference(const char *text)
{
    apr_size_t length = strlen(text);

    return length > 4 && text[0] == '{' && text[length - 1] == '}'
           && strchr(text, '.');
}

static alloy_problem_t *unknown_reference(alloy_call_t *call,
                                          const item_t *item,
                                          const char *text, const char *part)
{
    return alloy_problem_at(
        alloy_problem(call, &alloy_validation_failed,
                      "A reference of the batch leads to no earlier answer."),
        apr_psprintf(call->pool, "/operations/%d/%s", item->index, part),
        "unknown_reference",
        apr_psprintf(call->pool, "%.100s is no key of an earlier operation's "
                     "answer; write {id.key}.", text), NULL);
}

static alloy_problem_t *resolve(alloy_call_t *call, const batch_t *batch,
                                const item_t *item, const char *part,
                                const char **ptext)
{
    const char *dot = strchr(*ptext, '.');
    const char *name = apr_pstrmemdup(call->pool, *ptext + 1,
                                      dot - *ptext - 1);
    const char *key = apr_pstrmemdup(call->pool, dot + 1, strlen(dot) - 2);
    int i;

    for (i = 0; i < item->index; i++) {
        const item_t *earlier = &batch->items[i];
        const alloy_json_t *value = earlier->id && earlier->result
            && !strcmp(earlier->id, name)
            ? alloy_json_get(earlier->result, key) : NULL;

        if (value && alloy_json_type(value) == ALLOY_JSON_TEXT) {
            *ptext = alloy_json_text(value, NULL);
            return NULL;
        }
    }
    return unknown_reference(call, item, *ptext, part);
}

/* Whole segments of the path, before its query. */
static alloy_problem_t *resolve_path(alloy_call_t *call, const batch_t *batch,
                                     const item_t *item, const char **ppath)
{
    char *rest = apr_pstrdup(call->pool, *ppath), *state, *segment;
    const char *path = "";

    for (segment = apr_strtok(rest, "/", &state); segment;
         segment = apr_strtok(NULL, "/", &state)) {
        const char *text = segment;

        if (is_reference(text)) {
            ALLOY_TRY(resolve(call, batch, item, "path", &text));
        }
        path = apr_pstrcat(call->pool, path, "/", text, NULL);
    }
    *ppath = path;
    return NULL;
}

/** Writing a body with its references resolved. */
typedef struct {
    alloy_call_t *call;
    const batch_t *batch;
    const item_t *item;
    const alloy_op_t *op;
    alloy_out_t *out;
    alloy_problem_t *problem;
} rewrite_t;

static int refers(const alloy_op_t *op, const char *key)
{
    int i;

    for (i = 0; i < op->nparams; i++) {
        const alloy_param_t *param = op->params[i];

        if (!strcmp(param->name, key)) {
            return param->type == ALLOY_REF
                   || (param->type == ALLOY_LIST
                       && param->inner->type == ALLOY_REF);
        }
    }
    return 0;
}

static void write_value(rewrite_t *rewrite, const char *part,
                        const alloy_json_t *value)
{
    const char *text;

    if (alloy_json_type(value) != ALLOY_JSON_TEXT
        || !is_reference(alloy_json_text(value, NULL))) {
        alloy_out_json(rewrite->out, alloy_json_write(value,
                                                      rewrite->call->pool));
        return;
    }
    text = alloy_json_text(value, NULL);
    if (!rewrite->problem) {
        rewrite->problem = resolve(rewrite->call, rewrite->batch,
                                   rewrite->item, part, &text);
    }
    alloy_out_text(rewrite->out, text);
}

static int rewrite_key(void *baton, const char *key, const alloy_json_t *value)
{
    rewrite_t *rewrite = baton;
    const char *part = apr_pstrcat(rewrite->call->pool, "body/", key, NULL);
    apr_size_t i;

    alloy_out_key(rewrite->out, key);
    if (!refers(rewrite->op, key)) {
        alloy_out_json(rewrite->out, alloy_json_write(value,
                                                      rewrite->call->pool));
        return 1;
    }
    if (alloy_json_type(value) != ALLOY_JSON_ARRAY) {
        write_value(rewrite, part, value);
        return 1;
    }
    alloy_out_begin(rewrite->out, '[');
    for (i = 0; i < alloy_json_count(value); i++) {
        write_value(rewrite, part, alloy_json_at(value, i));
    }
    alloy_out_end(rewrite->out);
    return 1;
}

static alloy_problem_t *resolve_body(alloy_call_t *call, const batch_t *batch,
                                     item_t *item, const alloy_op_t *op)
{
    const alloy_json_t *body = item->values[ITEM_BODY].json;
    rewrite_t rewrite = { call, batch, item, op };

    if (!body || alloy_json_type(body) != ALLOY_JSON_MAP) {
        return NULL;
    }
    rewrite.out = alloy_out_make(call->pool, 1024);
    alloy_out_begin(rewrite.out, '{');
    alloy_json_each(body, rewrite_key, &rewrite);
    alloy_out_end(rewrite.out);
    item->body = apr_pstrmemdup(call->pool, rewrite.out->bytes,
                                rewrite.out->length);
    return rewrite.problem;
}

/* ---- one operation -------------------------------------------------------------- */

static alloy_problem_t *give_body(void *baton, const char **bytes,
                                  apr_size_t *length, apr_size_t limit)
{
    const item_t *item = baton;

    *bytes = item->body ? item->body : "";
    *length = strlen(*bytes);
    return NULL;
}

static const char *below_prefix(const alloy_call_t *call, const char *path)
{
    const char *prefix = call->engine->config->prefix;
    apr_size_t length = strlen(prefix);

    return length && !strncmp(path, prefix, length) && path[length] == '/'
           ? path + length : path;
}

static alloy_problem_t *make_request(alloy_request_t *request,
                                     alloy_call_t *call, const batch_t *batch,
                                     item_t *item)
{
    const char *path = below_prefix(call, item->values[ITEM_PATH].text);
    const char *query = strchr(path, '?');

    *request = *call->request;
    request->method = item->values[ITEM_METHOD].text;
    request->tool = NULL;
    request->query = query ? query + 1 : NULL;
    request->path = query ? apr_pstrmemdup(call->pool, path, query - path)
                          : path;
    request->content_type = "application/json";
    request->baton = item;
    request->body = give_body;
    request->header = NULL;
    return resolve_path(call, batch, item, &request->path);
}

static int may_be_in_batch(const alloy_call_t *call, const alloy_op_t *op)
{
    return op && op != call->op && op->row->role != ALLOY_PUBLIC
           && !(op->row->flags & ALLOY_REVEALS) && !op->row->document;
}

static alloy_problem_t *not_in_batch(alloy_call_t *call, const item_t *item)
{
    return alloy_problem_at(
        alloy_problem(call, &alloy_validation_failed,
                      "An operation of the batch can't be run in one."),
        apr_psprintf(call->pool, "/operations/%d/path", item->index),
        "not_in_batch", "There is no such method and path for a batch: "
        "sign-in, secrets and batches themselves have requests of their own.",
        NULL);
}

static alloy_problem_t *run_route(alloy_call_t *call, item_t *item,
                                  const alloy_request_t *request,
                                  const alloy_route_t *route)
{
    alloy_call_t *inner = alloy_part_make(call, request, route, &item->answer);
    alloy_problem_t *problem = alloy_call_run(inner);

    item->ran = 1;
    call->conflict |= inner->conflict;
    call->stale |= inner->stale;
    ALLOY_TRY(problem);
    ALLOY_TRY(alloy_call_spend(inner));
    alloy_finish(inner);
    return item->answer.body
        ? alloy_json_parse(&item->result, item->answer.body,
                           item->answer.length, call->pool) : NULL;
}

static alloy_problem_t *run_item(alloy_call_t *call, const batch_t *batch,
                                 item_t *item)
{
    alloy_request_t *request = apr_palloc(call->pool, sizeof(*request));
    alloy_route_t *route = apr_palloc(call->pool, sizeof(*route));

    ALLOY_TRY(alloy_call_renew(call));
    ALLOY_TRY(make_request(request, call, batch, item));
    alloy_route_find(route, call->engine->router, request->method,
                     request->path, call->pool);
    if (!may_be_in_batch(call, route->op)) {
        return not_in_batch(call, item);
    }
    ALLOY_TRY(resolve_body(call, batch, item, route->op));
    return run_route(call, item, request, route);
}

/* ---- all of them ------------------------------------------------------------------- */

/* Faults point into the batch; the operation at fault is named. */
static alloy_problem_t *name_item(alloy_call_t *call, alloy_problem_t *problem,
                                  const item_t *item)
{
    alloy_out_t *out = alloy_out_make(call->pool, 256);
    alloy_fault_t *fault;

    for (fault = item->ran ? problem->faults : NULL; fault;
         fault = fault->next) {
        fault->where = apr_psprintf(call->pool, "/operations/%d/%s%s",
                                    item->index,
                                    *fault->where == '/' ? "body" : "path",
                                    *fault->where == '/' ? fault->where : "");
    }
    alloy_out_begin(out, '{');
    alloy_out_key(out, "index");
    alloy_out_int(out, item->index);
    alloy_out_key(out, "id");
    alloy_out_text(out, item->id);
    alloy_out_end(out);
    return alloy_problem_member(problem, "operation",
                                apr_pstrmemdup(call->pool, out->bytes,
                                               out->length));
}

static void write_result(alloy_out_t *out, const item_t *item)
{
    alloy_out_begin(out, '{');
    alloy_out_key(out, "id");
    alloy_out_text(out, item->id);
    alloy_out_key(out, "status");
    alloy_out_int(out, item->answer.status);
    alloy_out_key(out, "body");
    if (item->answer.body) {
        alloy_out_raw(out, item->answer.body, item->answer.length);
        out->after_key = 0;
    }
    else {
        alloy_out_text(out, NULL);
    }
    alloy_out_end(out);
}

static void write_results(alloy_call_t *call, const batch_t *batch)
{
    alloy_out_t *out = alloy_out(call);
    int i;

    alloy_out_begin(out, '{');
    alloy_out_key(out, "results");
    alloy_out_begin(out, '[');
    for (i = 0; i < batch->count; i++) {
        write_result(out, &batch->items[i]);
    }
    alloy_out_end(out);
    alloy_convention_mark(call, out);
    alloy_out_end(out);
}

static batch_t *read_batch(alloy_call_t *call)
{
    const alloy_value_t *list = alloy_call_value(call, "operations");
    batch_t *batch = apr_pcalloc(call->pool, sizeof(*batch));
    int i;

    batch->count = list->count;
    batch->items = apr_pcalloc(call->pool, sizeof(*batch->items)
                               * (list->count + 1));
    for (i = 0; i < list->count; i++) {
        batch->items[i].index = i;
        batch->items[i].values = list->items[i].items;
        batch->items[i].id = list->items[i].items[ITEM_ID].text;
    }
    return batch;
}

static alloy_problem_t *run_all(alloy_call_t *call)
{
    batch_t *batch = read_batch(call);
    int i;

    for (i = 0; i < batch->count; i++) {
        alloy_problem_t *problem = run_item(call, batch, &batch->items[i]);

        if (problem) {
            return name_item(call, problem, &batch->items[i]);
        }
    }
    write_results(call, batch);
    return NULL;
}

/* Each in a transaction of its own; a refusal is that one's result. */
static alloy_problem_t *run_each(alloy_call_t *call)
{
    batch_t *batch = read_batch(call);
    int i;

    for (i = 0; i < batch->count; i++) {
        item_t *item = &batch->items[i];
        alloy_problem_t *problem;

        ALLOY_TRY(alloy_call_begin(call));
        problem = run_item(call, batch, item);
        if (!problem) {
            problem = alloy_call_commit(call);
        }
        else {
            alloy_call_rollback(call);
        }
        if (problem) {
            item->result = NULL;
            alloy_engine_refuse(&item->answer, call->engine->config,
                                call->request, problem);
        }
    }
    write_results(call, batch);
    return NULL;
}

static alloy_problem_t *run_batch(alloy_call_t *call)
{
    call->spent = 1;
    if (alloy_int(call, "atomic") || !alloy_given(call, "atomic")) {
        return call->session ? run_all(call)
                             : alloy_call_transact(call, run_all);
    }
    if (call->session) {
        return alloy_problem_at(
            alloy_problem(call, &alloy_validation_failed,
                          "A batch that is tried, or repeated under a key, "
                          "must be atomic."),
            "/atomic", "needs_atomic",
            "Send true, or leave out dry_run and Idempotency-Key.", NULL);
    }
    return run_each(call);
}

/* ---- the table ---------------------------------------------------------------------- */

static const char *const method_words[] = {
    "GET", "POST", "PUT", "PATCH", "DELETE", NULL
};

static const alloy_param_t item_params[] = {
    [ITEM_ID] = { .name = "id", .type = ALLOY_TEXT, .least = 1, .most = 100,
        .help = "A name for later operations to refer to its answer by." },
    [ITEM_METHOD] = { .name = "method", .type = ALLOY_WORD,
        .flags = ALLOY_REQUIRED, .words = method_words,
        .help = "The method of the request." },
    [ITEM_PATH] = { .name = "path", .type = ALLOY_TEXT,
        .flags = ALLOY_REQUIRED, .least = 1, .most = 2000,
        .help = "Its path below the API's, with its query; {a.id} as a "
                "segment is the id in the answer of operation a." },
    [ITEM_BODY] = { .name = "body", .type = ALLOY_OBJECT,
        .help = "Its body; {a.id} as the whole value of a reference is the "
                "id in the answer of operation a." },
    ALLOY_PARAMS_END
};

static const alloy_param_t item_param = {
    .name = "operation", .type = ALLOY_OBJECT, .inner = item_params,
    .help = "One operation."
};

static const alloy_param_t batch_params[] = {
    { .name = "atomic", .type = ALLOY_BOOL,
      .help = "All or nothing, which is the default; false: each by itself, "
              "with a result of its own." },
    { .name = "operations", .type = ALLOY_LIST, .flags = ALLOY_REQUIRED,
      .inner = &item_param, .least = 1, .most = ITEMS_MAX,
      .help = "What to do, in this order." },
    ALLOY_PARAMS_END
};

static const alloy_field_t result_fields[] = {
    { "id", ALLOY_TEXT, ALLOY_NULLABLE, "The operation's name, if it has "
      "one." },
    { "status", ALLOY_INT, 0, "The status its own request would have got." },
    { "body", ALLOY_JSON, ALLOY_NULLABLE, "The answer's body." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t result_shape = { "BatchResult", result_fields };

static const alloy_field_t batch_fields[] = {
    { "results", ALLOY_JSON, ALLOY_MANY, "One for each operation, in order.",
      NULL, &result_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t batch_shape = { "Batch", batch_fields };

const alloy_operation_t alloy_batch_operations[] = {
    {
        .id = "batch",
        .method = ALLOY_POST,
        .path = "/batch",
        .noun = "batch",
        .summary = "Runs several operations in one request.",
        .help = "In one transaction, unless atomic is false. Each needs the "
                "role and the scope its own request needs.",
        .role = ALLOY_SIGNED_IN,
        .flags = ALLOY_ANY_SCOPE | ALLOY_NESTS,
        .params = batch_params,
        .answer = &batch_shape,
        .run = run_batch,
    },
    ALLOY_OPERATIONS_END
};
