/*
 * Idempotency-Key: the first request's answer is kept in its own transaction
 * and given to those that repeat it.
 */
#include "convention.h"

#include <string.h>

#include <apr_strings.h>

#include "json.h"
#include "log.h"
#include "sql/repeat.h"

#define HEADER "Idempotency-Key"
#define KEY_LIMIT 255

int alloy_repeat_given(const alloy_call_t *call)
{
    return call->op->row->method == ALLOY_POST && call->principal
           && !alloy_convention_dry(call)
           && alloy_request_header(call->request, HEADER);
}

static alloy_problem_t *check_key(alloy_call_t *call, const char *key)
{
    apr_size_t length = strlen(key), i;

    for (i = 0; i < length && key[i] > ' ' && key[i] < 127; i++) {
        continue;
    }
    if (length && length <= KEY_LIMIT && i == length) {
        return NULL;
    }
    return alloy_problem_at(
        alloy_problem(call, &alloy_validation_failed,
                      "The Idempotency-Key must be 1 to 255 visible "
                      "characters."),
        HEADER, "format", "Use a random UUID, for instance.", NULL);
}

/* Same path, same query, same body: the same request. */
static const char *request_hash(const alloy_call_t *call)
{
    const alloy_request_t *request = call->request;
    unsigned char digest[ALLOY_SECRET_DIGEST];
    alloy_out_t *out = alloy_out_make(call->pool, call->body_length + 512);

    alloy_out_raw(out, request->path, strlen(request->path) + 1);
    if (request->query) {
        alloy_out_raw(out, request->query, strlen(request->query));
    }
    alloy_out_raw(out, "", 1);
    if (call->body_length) {
        alloy_out_raw(out, call->body_bytes, call->body_length);
    }
    alloy_secret_sha256(digest, out->bytes, out->length);
    return apr_pstrcat(call->pool, "\\x",
                       alloy_secret_hex(digest, sizeof(digest), call->pool),
                       NULL);
}

/* ---- the kept answer -------------------------------------------------------------- */

static int take_header(void *baton, const char *key,
                       const alloy_json_t *value)
{
    alloy_call_t *call = baton;

    if (alloy_json_type(value) == ALLOY_JSON_TEXT) {
        apr_table_set(call->answer->headers, key,
                      alloy_json_text(value, NULL));
    }
    return 1;
}

static alloy_problem_t *replay(alloy_call_t *call, const alloy_row_t *row)
{
    const char *headers = alloy_row_text(row, "headers");
    alloy_answer_t *answer = call->answer;
    const alloy_json_t *parsed;

    ALLOY_TRY(alloy_json_parse(&parsed, headers, strlen(headers),
                               call->pool));
    alloy_json_each(parsed, take_header, call);
    apr_table_setn(answer->headers, "Idempotency-Replayed", "true");
    answer->status = (int)alloy_row_int(row, "status");
    answer->body = alloy_row_text(row, "body");
    if (answer->body) {
        answer->type = "application/json";
        answer->length = strlen(answer->body);
    }
    call->finished = call->replayed = 1;
    return NULL;
}

static int write_header(void *baton, const char *key, const char *value)
{
    alloy_out_key(baton, key);
    alloy_out_text(baton, value);
    return 1;
}

static const char *headers_json(const alloy_call_t *call)
{
    alloy_out_t *out = alloy_out_make(call->pool, 256);

    alloy_out_begin(out, '{');
    apr_table_do(write_header, out, call->answer->headers, "Location", "ETag",
                 "Alloy-Change-Id", NULL);
    alloy_out_end(out);
    return apr_pstrmemdup(call->pool, out->bytes, out->length);
}

/* Texts shown once are not stored: their keys are, with null. */
static void hide_secrets(alloy_call_t *call)
{
    int i;

    for (i = 0; i < call->nextras; i++) {
        if (!call->extras[i].number) {
            call->extras[i].value = NULL;
        }
    }
}

static alloy_problem_t *stored_body(alloy_call_t *call, const char **pbody)
{
    alloy_answer_t *answer = call->answer;
    alloy_out_t *shown = call->out;

    *pbody = answer->body ? apr_pstrmemdup(call->pool, answer->body,
                                           answer->length) : NULL;
    if (!(call->op->row->flags & ALLOY_REVEALS) || !*pbody) {
        return NULL;
    }
    if (!call->answered) {      /* its secret can't be told from the rest */
        alloy_log(ALLOY_LOG_ERROR, 0, "AL0049: %s reveals a secret and must "
                  "answer by alloy_answer_row()", call->op->row->id);
        return alloy_problem(call, &alloy_internal,
                             "Something went wrong here; nothing was changed.");
    }
    call->out = NULL;
    hide_secrets(call);
    ALLOY_TRY(alloy_answer_row(call, call->answered));
    *pbody = apr_pstrmemdup(call->pool, call->out->bytes, call->out->length);
    call->out = shown;
    return NULL;
}

static alloy_problem_t *keep(alloy_call_t *call)
{
    const alloy_result_t *ignored = NULL;
    const char *body;

    alloy_finish(call);
    ALLOY_TRY(stored_body(call, &body));
    alloy_bind(call, "repeat_status", apr_itoa(call->pool,
                                               call->answer->status));
    alloy_bind(call, "repeat_headers", headers_json(call));
    alloy_bind(call, "repeat_body", body);
    return alloy_call_step(call, &sql_repeat_keep, &ignored);
}

/* ---- the request -------------------------------------------------------------------- */

static alloy_problem_t *find_kept(alloy_call_t *call, const alloy_row_t **prow)
{
    const alloy_row_t *row = NULL;

    ALLOY_TRY(alloy_fetch(call, &sql_repeat_lock, &row));
    if (!row || !alloy_row_int(row, "locked")) {
        return alloy_problem_retry(
            alloy_problem(call, &alloy_in_progress,
                          "A request with this Idempotency-Key is still "
                          "running; try again in a moment."), 1);
    }
    ALLOY_TRY(alloy_fetch(call, &sql_repeat_find, prow));
    if (*prow && !alloy_row_int(*prow, "same")) {
        return alloy_problem(call, &alloy_idempotency_mismatch,
                             "This Idempotency-Key was used for another "
                             "request; use a new key for a new request.");
    }
    return NULL;
}

alloy_problem_t *alloy_repeat_run(alloy_call_t *call)
{
    const char *key = alloy_request_header(call->request, HEADER);
    const alloy_row_t *row = NULL;

    ALLOY_TRY(check_key(call, key));
    alloy_bind(call, "repeat_key", key);
    alloy_bind(call, "repeat_hash", request_hash(call));
    ALLOY_TRY(find_kept(call, &row));
    if (row) {
        return replay(call, row);
    }
    ALLOY_TRY(alloy_precondition_given(call) ? alloy_precondition_run(call)
                                             : alloy_call_run_own(call));
    return keep(call);
}
