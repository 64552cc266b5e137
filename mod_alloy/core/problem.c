/* Problems: their making, their document (RFC 9457) and, at the end, the table
 * of all kinds the core knows. The help texts are what people read who follow
 * the `type` of an answer to /problems/{code}.
 */
#include "problem.h"
#include "limits.h"

#include <apr_strings.h>

static alloy_problem_t *make(apr_pool_t *pool,
                             const alloy_problem_kind_t *kind,
                             const char *detail)
{
    alloy_problem_t *problem = apr_pcalloc(pool, sizeof(*problem));

    problem->kind = kind;
    problem->detail = detail;
    problem->faults_end = &problem->faults;
    problem->members_end = &problem->members;
    problem->pool = pool;
    return problem;
}

alloy_problem_t *alloy_problem_make(apr_pool_t *pool,
                                    const alloy_problem_kind_t *kind,
                                    const char *fmt, ...)
{
    const char *detail;
    va_list args;

    va_start(args, fmt);
    detail = apr_pvsprintf(pool, fmt, args);
    va_end(args);
    return make(pool, kind, detail);
}

alloy_problem_t *alloy_problem_unreachable(apr_pool_t *pool)
{
    return alloy_problem_retry(
        alloy_problem_make(pool, &alloy_unavailable,
                           "The database can't be reached right now; nothing "
                           "was changed. Try again after the time in "
                           "Retry-After."), 1);
}

alloy_problem_t *alloy_problem(alloy_call_t *call,
                               const alloy_problem_kind_t *kind,
                               const char *fmt, ...)
{
    apr_pool_t *pool = alloy_call_pool(call);
    const char *detail;
    va_list args;

    va_start(args, fmt);
    detail = apr_pvsprintf(pool, fmt, args);
    va_end(args);
    return make(pool, kind, detail);
}

alloy_problem_t *alloy_problem_at(alloy_problem_t *problem, const char *where,
                                  const char *code, const char *detail,
                                  const char *const *allowed)
{
    alloy_fault_t *fault;

    if (problem->nfaults >= ALLOY_FAULTS_LIMIT) {
        return problem;
    }
    fault = apr_pcalloc(problem->pool, sizeof(*fault));
    fault->where = apr_pstrdup(problem->pool, where);
    fault->code = apr_pstrdup(problem->pool, code);
    fault->detail = apr_pstrdup(problem->pool, detail);
    fault->allowed = allowed;
    *problem->faults_end = fault;
    problem->faults_end = &fault->next;
    problem->nfaults++;
    return problem;
}

alloy_problem_t *alloy_problem_member(alloy_problem_t *problem,
                                      const char *name, const char *json)
{
    alloy_member_t *member = apr_pcalloc(problem->pool, sizeof(*member));

    member->name = apr_pstrdup(problem->pool, name);
    member->json = apr_pstrdup(problem->pool, json);
    *problem->members_end = member;
    problem->members_end = &member->next;
    return problem;
}

alloy_problem_t *alloy_problem_retry(alloy_problem_t *problem, int seconds)
{
    problem->retry_after = seconds;
    return problem;
}

static void write_key(alloy_out_t *out, const char *key, const char *value)
{
    alloy_out_key(out, key);
    alloy_out_text(out, value);
}

static void write_allowed(alloy_out_t *out, const char *const *allowed)
{
    alloy_out_key(out, "allowed");
    alloy_out_begin(out, '[');
    for (; *allowed; allowed++) {
        alloy_out_text(out, *allowed);
    }
    alloy_out_end(out);
}

static void write_fault(alloy_out_t *out, const alloy_fault_t *fault)
{
    int in_body = !*fault->where || *fault->where == '/';

    alloy_out_begin(out, '{');
    write_key(out, in_body ? "pointer" : "parameter", fault->where);
    write_key(out, "code", fault->code);
    write_key(out, "detail", fault->detail);
    if (fault->allowed) {
        write_allowed(out, fault->allowed);
    }
    alloy_out_end(out);
}

static void write_faults(alloy_out_t *out, const alloy_fault_t *fault)
{
    alloy_out_key(out, "errors");
    alloy_out_begin(out, '[');
    for (; fault; fault = fault->next) {
        write_fault(out, fault);
    }
    alloy_out_end(out);
}

void alloy_problem_write(alloy_out_t *out, const alloy_problem_t *problem,
                         const char *base, const char *request_id)
{
    const alloy_problem_kind_t *kind = problem->kind;
    const alloy_member_t *member;

    alloy_out_begin(out, '{');
    write_key(out, "type", apr_pstrcat(problem->pool, base, "/problems/",
                                       kind->code, NULL));
    write_key(out, "title", kind->title);
    alloy_out_key(out, "status");
    alloy_out_int(out, kind->status);
    write_key(out, "detail", problem->detail);
    write_key(out, "code", kind->code);
    if (request_id) {
        write_key(out, "request_id", request_id);
    }
    if (problem->faults) {
        write_faults(out, problem->faults);
    }
    for (member = problem->members; member; member = member->next) {
        alloy_out_key(out, member->name);
        alloy_out_json(out, member->json);
    }
    alloy_out_end(out);
}

/* ---- The request could not be understood --------------------------------- */

const alloy_problem_kind_t alloy_malformed_json = {
    .code = "malformed_json", .status = 400,
    .title = "The body is not JSON",
    .help = "The body could not be read as JSON. `detail` names the line and "
        "the column. Common causes are a comma too many, single quotes, a key "
        "that stands twice in one object, a number of more than 64 bits, or a "
        "body that is not UTF-8. Nothing was changed."
};
const alloy_problem_kind_t alloy_bad_request = {
    .code = "bad_request", .status = 400,
    .title = "The request is malformed",
    .help = "Something about the request itself, not about the values in it, "
        "cannot be read: percent-encoding in the address, or a header field. "
        "`detail` says which. Nothing was changed; repeating the same request "
        "will not help."
};
const alloy_problem_kind_t alloy_not_acceptable = {
    .code = "not_acceptable", .status = 406,
    .title = "No such form of the answer",
    .help = "The Accept field asks for a media type this address does not "
        "answer in. Leave the field out, or ask for application/json."
};
const alloy_problem_kind_t alloy_request_timeout = {
    .code = "request_timeout", .status = 408,
    .title = "The request took too long to arrive",
    .help = "The body did not arrive in the time the server waits for one. "
        "Nothing was changed. Send the request again."
};
const alloy_problem_kind_t alloy_payload_too_large = {
    .code = "payload_too_large", .status = 413,
    .title = "The body is too large",
    .help = "The body is larger than this server accepts; `detail` has the "
        "limit. Send the data in several requests."
};
const alloy_problem_kind_t alloy_uri_too_long = {
    .code = "uri_too_long", .status = 414,
    .title = "The address is too long",
    .help = "The request line is longer than the server reads. Ask for fewer "
        "values at once, or send them in several requests."
};
const alloy_problem_kind_t alloy_unsupported_media_type = {
    .code = "unsupported_media_type", .status = 415,
    .title = "The body's type is not supported",
    .help = "The body must be JSON: send Content-Type: application/json. For "
        "PATCH application/merge-patch+json is accepted too. Compressed "
        "bodies are not."
};
const alloy_problem_kind_t alloy_headers_too_large = {
    .code = "headers_too_large", .status = 431,
    .title = "The header fields are too large",
    .help = "The header fields of the request are larger, or more, than the "
        "server reads. A token that was pasted twice or many cookies are the "
        "usual cause."
};

/* ---- Who is calling, and what he may do ---------------------------------- */

const alloy_problem_kind_t alloy_unauthorized = {
    .code = "unauthorized", .status = 401,
    .title = "Signing in is needed",
    .help = "The request has no usable token. Send one as `Authorization: "
        "Bearer <token>`: an access token from signing in, or an API key. A "
        "token that was revoked, or belongs to an account that was closed, is "
        "not usable either."
};
const alloy_problem_kind_t alloy_token_expired = {
    .code = "token_expired", .status = 401,
    .title = "The token has expired",
    .help = "The access token was valid once and has expired. Get a new one "
        "with the refresh token, or sign in again, and repeat the request."
};
const alloy_problem_kind_t alloy_forbidden = {
    .code = "forbidden", .status = 403,
    .title = "Your role does not allow this",
    .help = "You can see the thing, but your role is not enough for what you "
        "asked. `detail` names the role that is. An Owner or Admin of the "
        "organization can change your role, or do it for you."
};
const alloy_problem_kind_t alloy_scope_missing = {
    .code = "scope_missing", .status = 403,
    .title = "The token does not cover this",
    .help = "Your role would allow this, but the token you sent was made for "
        "less. `detail` names the scope that is missing. Use another token, "
        "or make a key that has the scope."
};
const alloy_problem_kind_t alloy_invite_mismatch = {
    .code = "invite_mismatch", .status = 403,
    .title = "The invitation is for somebody else",
    .help = "The invitation was made out to another e-mail address than the "
        "one of your account. Sign in with the invited address, or ask for an "
        "invitation to yours."
};
const alloy_problem_kind_t alloy_write_budget_spent = {
    .code = "write_budget_spent", .status = 403, .sqlstate = "AL001",
    .title = "The key's write budget is spent",
    .help = "The API key may make a limited number of changes, and has made "
        "them all. Nothing was changed by this request. Whoever made the key "
        "can raise its budget or make a new key."
};
const alloy_problem_kind_t alloy_rate_limited = {
    .code = "rate_limited", .status = 429,
    .title = "Too many requests",
    .help = "You, or your address, sent more requests than are allowed in a "
        "span of time. Wait as many seconds as Retry-After says. The fields "
        "RateLimit and RateLimit-Policy of every answer tell how much is left."
};

/* ---- What the request names ---------------------------------------------- */

const alloy_problem_kind_t alloy_not_found = {
    .code = "not_found", .status = 404,
    .title = "Nothing there for you",
    .help = "There is nothing at this address that you can see. It may never "
        "have existed, may have been deleted, or may belong to a project or "
        "an organization you are no member of; which of these is not told."
};
const alloy_problem_kind_t alloy_method_not_allowed = {
    .code = "method_not_allowed", .status = 405,
    .title = "The method is not allowed here",
    .help = "The address exists, but not for this method. The field Allow of "
        "the answer lists those that work."
};
const alloy_problem_kind_t alloy_ambiguous_reference = {
    .code = "ambiguous_reference", .status = 409,
    .title = "The name fits more than one thing",
    .help = "A name in the request fits several things, and the server does "
        "not guess. The answer lists the candidates. Repeat the request with "
        "the id of the one you mean."
};
const alloy_problem_kind_t alloy_cursor_expired = {
    .code = "cursor_expired", .status = 410,
    .title = "The position is no longer known",
    .help = "The position you were reading from no longer exists, as happens "
        "when the database was restored from a backup. Read from the "
        "beginning, and take over what you find there."
};

/* ---- What the request wants ---------------------------------------------- */

const alloy_problem_kind_t alloy_validation_failed = {
    .code = "validation_failed", .status = 422,
    .title = "Some input is not acceptable",
    .help = "The request was understood, but some values in it cannot be "
        "accepted. `errors` lists all of them at once: `pointer` is the place "
        "in the body (RFC 6901), `parameter` the name of a query parameter, "
        "`allowed` the values that would be accepted. Nothing was changed."
};
const alloy_problem_kind_t alloy_already_exists = {
    .code = "already_exists", .status = 409,
    .title = "There is one already",
    .help = "Something that must be unique, such as a key, a slug or a name, "
        "is taken. `errors` names the value. Choose another one, or use the "
        "thing that exists."
};
const alloy_problem_kind_t alloy_invalid_state = {
    .code = "invalid_state", .status = 409,
    .title = "Not possible as things are",
    .help = "The request is fine in itself, but the thing is in a state that "
        "does not allow it: the last Owner cannot leave, a finished sprint "
        "cannot start, a ticket cannot be its own parent. `detail` says what "
        "stands in the way."
};
const alloy_problem_kind_t alloy_invalid_transition = {
    .code = "invalid_transition", .status = 409,
    .title = "The workflow has no such step",
    .help = "The project's workflow does not lead from the ticket's status to "
        "the one you asked for. `allowed` lists the statuses it can move to "
        "now. /tickets/{ticket}/transitions shows the way to all others."
};
const alloy_problem_kind_t alloy_in_use = {
    .code = "in_use", .status = 409,
    .title = "Still in use",
    .help = "The thing cannot be deleted or changed because others refer to "
        "it. `detail` says what they are. Change or remove those first."
};
const alloy_problem_kind_t alloy_version_conflict = {
    .code = "version_conflict", .status = 412,
    .title = "Somebody else was faster",
    .help = "Since you read the version your If-Match names, somebody changed "
        "the same fields. `base`, `yours` and `theirs` show each of them. "
        "Decide which value is right and send it with the current ETag. "
        "Changes to different fields do not conflict: they are merged."
};
const alloy_problem_kind_t alloy_precondition_required = {
    .code = "precondition_required", .status = 428,
    .title = "If-Match is required here",
    .help = "The administrator of this server demands that changes say which "
        "version they start from. Read the thing, and send the ETag of the "
        "answer in If-Match."
};
const alloy_problem_kind_t alloy_idempotency_mismatch = {
    .code = "idempotency_mismatch", .status = 422,
    .title = "The key was used for another request",
    .help = "An Idempotency-Key stands for one request, and this one was used "
        "within a day with another body or address. Use a new key for a new "
        "request."
};
const alloy_problem_kind_t alloy_in_progress = {
    .code = "in_progress", .status = 409,
    .title = "The same request is still running",
    .help = "A request with the same Idempotency-Key has not been answered "
        "yet. Wait a moment and repeat it: you will get its answer."
};

/* ---- The server's own --------------------------------------------------- */

const alloy_problem_kind_t alloy_internal = {
    .code = "internal", .status = 500,
    .title = "A fault of this server",
    .help = "Something went wrong that should not, and it is not your fault. "
        "Nothing was changed. The error log has the cause under the request's "
        "`request_id`: give it to whoever runs the server."
};
const alloy_problem_kind_t alloy_unavailable = {
    .code = "unavailable", .status = 503,
    .title = "Not available at the moment",
    .help = "The database cannot be reached, or is too busy to answer in "
        "time. Nothing was changed. Wait as many seconds as Retry-After says "
        "and send the request again."
};
const alloy_problem_kind_t alloy_schema_mismatch = {
    .code = "schema_mismatch", .status = 503,
    .title = "Server and database are of different versions",
    .help = "The tables in the database are not those this version of the "
        "server works with, as between two steps of an upgrade. Whoever runs "
        "the server must run the migrations. Nothing was changed."
};
const alloy_problem_kind_t alloy_outcome_unknown = {
    .code = "outcome_unknown", .status = 503,
    .title = "It is not known whether this was done",
    .help = "The change was sent to the database, and the connection was lost "
        "before it answered. It may have been made or not. Look, or repeat "
        "the request with the same Idempotency-Key: then it is never made "
        "twice."
};

const alloy_problem_kind_t *const alloy_problem_kinds[] = {
    &alloy_malformed_json, &alloy_bad_request, &alloy_unauthorized,
    &alloy_token_expired, &alloy_forbidden, &alloy_scope_missing,
    &alloy_invite_mismatch, &alloy_write_budget_spent, &alloy_not_found,
    &alloy_method_not_allowed, &alloy_not_acceptable, &alloy_request_timeout,
    &alloy_payload_too_large, &alloy_uri_too_long, &alloy_headers_too_large,
    &alloy_unsupported_media_type, &alloy_already_exists, &alloy_invalid_state,
    &alloy_invalid_transition, &alloy_in_use, &alloy_ambiguous_reference,
    &alloy_in_progress, &alloy_cursor_expired, &alloy_version_conflict,
    &alloy_precondition_required, &alloy_validation_failed,
    &alloy_idempotency_mismatch, &alloy_rate_limited, &alloy_internal,
    &alloy_unavailable, &alloy_schema_mismatch, &alloy_outcome_unknown,
    NULL
};
