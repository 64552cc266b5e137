/*
 * The pipeline of a call: input, references, rights, statements, answer. Every
 * front and every operation goes this way.
 */
#include "call.h"

#include <string.h>

#include <apr_strings.h>

#include "arguments.h"
#include "convention.h"
#include "limits.h"
#include "log.h"

/* ---- what operations may ask of their call ----------------------------------- */

ALLOY_DECLARE(apr_pool_t *) alloy_call_pool(const alloy_call_t *call)
{
    return call->pool;
}

ALLOY_DECLARE(const char *) alloy_call_user(const alloy_call_t *call)
{
    return call->principal ? call->principal->user : NULL;
}

ALLOY_DECLARE(const char *) alloy_call_org(const alloy_call_t *call)
{
    return call->org_id;
}

ALLOY_DECLARE(alloy_role_e) alloy_call_role(const alloy_call_t *call)
{
    return call->org ? call->org->role : ALLOY_PUBLIC;
}

ALLOY_DECLARE(const char *) alloy_call_session(const alloy_call_t *call)
{
    return call->principal ? call->principal->session : NULL;
}

ALLOY_DECLARE(const char *) alloy_call_key(const alloy_call_t *call)
{
    return call->principal ? call->principal->key : NULL;
}

ALLOY_DECLARE(const void *) alloy_call_server(const alloy_call_t *call)
{
    return call->request->server;
}

const alloy_value_t *alloy_call_value(const alloy_call_t *call,
                                      const char *name)
{
    int i;

    for (i = 0; call->values && i < call->op->nparams; i++) {
        if (!strcmp(call->op->params[i]->name, name)) {
            return &call->values[i];
        }
    }
    alloy_log(ALLOY_LOG_ERROR, 0, "AL0040: %s declares no parameter %s",
              call->op->row->id, name);
    return NULL;
}

ALLOY_DECLARE(const char *) alloy_text(const alloy_call_t *call,
                                       const char *name)
{
    const alloy_value_t *value = alloy_call_value(call, name);

    return value ? value->text : NULL;
}

ALLOY_DECLARE(apr_int64_t) alloy_int(const alloy_call_t *call,
                                     const char *name)
{
    const alloy_value_t *value = alloy_call_value(call, name);

    return value && value->text ? value->number : 0;
}

ALLOY_DECLARE(int) alloy_given(const alloy_call_t *call, const char *name)
{
    const alloy_value_t *value = alloy_call_value(call, name);

    return value ? value->given : 0;
}

ALLOY_DECLARE(int) alloy_offers(const alloy_call_t *call,
                                const char *operation)
{
    return alloy_registry_find(call->engine->registry, operation) != NULL;
}

const char *alloy_call_change_id(alloy_call_t *call)
{
    if (call->parent) {
        call->change_id = alloy_call_change_id(call->parent);
    }
    if (!call->change_id) {
        alloy_id_t id;
        char *text = apr_palloc(call->pool, ALLOY_ID_TEXT + 1);

        alloy_id_make(&id, call->shard);
        alloy_id_format(&id, text);
        call->change_id = text;
    }
    return call->change_id;
}

/* ---- input --------------------------------------------------------------------- */

static int is_type(const char *sent, const char *type)
{
    apr_size_t length = strlen(type);

    return sent && !strncasecmp(sent, type, length)
           && (sent[length] == '\0' || sent[length] == ';'
               || sent[length] == ' ');
}

static alloy_problem_t *check_type(alloy_call_t *call)
{
    const char *sent = call->request->content_type;
    int merges = call->op->row->method == ALLOY_PATCH;

    if (is_type(sent, "application/json")
        || (merges && is_type(sent, "application/merge-patch+json"))) {
        return NULL;
    }
    return alloy_problem(call, &alloy_unsupported_media_type,
                         "Send the body as application/json%s, with that "
                         "Content-Type.",
                         merges ? " or application/merge-patch+json" : "");
}

static alloy_problem_t *parse_body(alloy_call_t *call, const char *bytes,
                                   apr_size_t length)
{
    ALLOY_TRY(check_type(call));
    ALLOY_TRY(alloy_json_parse(&call->body, bytes, length, call->pool));
    if (alloy_json_type(call->body) == ALLOY_JSON_MAP) {
        return NULL;
    }
    return alloy_problem_at(
        alloy_problem(call, &alloy_validation_failed,
                      "The body must be a JSON object."),
        "", "type", "Send an object: {...}.", NULL);
}

static alloy_problem_t *read_body(alloy_call_t *call)
{
    apr_size_t limit = call->engine->config->body_limit, length = 0;
    const char *bytes = NULL;

    if (!call->op->reads_body || call->body_read || !call->request->body
        || call->request->tool) {
        return NULL;
    }
    if (!call->principal && limit > ALLOY_PUBLIC_BODY_LIMIT) {
        limit = ALLOY_PUBLIC_BODY_LIMIT;
    }
    ALLOY_TRY(call->request->body(call->request->baton, &bytes, &length,
                                  limit));
    call->body_read = 1;
    call->body_bytes = bytes;
    call->body_length = length;
    return length ? parse_body(call, bytes, length) : NULL;
}

static alloy_problem_t *read_input(alloy_call_t *call)
{
    const alloy_op_t *op = call->op;
    const char **path = apr_pcalloc(call->pool, sizeof(*path)
                                    * (op->nparams + 1));
    alloy_input_t input = { op->params, op->nparams, op->reads_body };
    int i;

    if (call->request->tool) {
        return alloy_arguments_read(&call->values, &call->paging,
                                    call->request->tool,
                                    call->request->arguments, call->pool);
    }
    for (i = 0; i < op->nparams; i++) {
        path[i] = op->segment[i] < 0 ? NULL
                                     : call->route->segments[op->segment[i]];
    }
    input.path = path;
    input.query = call->request->query;
    input.body = call->body;
    input.paged = op->last && op->last->mode == ALLOY_SQL_PAGE;
    return alloy_params_read(&call->values, &call->paging, &input, call->pool);
}

/* ---- the three kinds of operation ------------------------------------------------ */

static int is_given(const alloy_call_t *call, int index)
{
    const alloy_param_t *param = call->op->params[index];

    return call->op->segment[index] < 0 && call->values[index].given
           && !alloy_convention_is(param) && !alloy_convention_sorts(param);
}

static int is_any(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name)) {
        names++;
    }
    return *names != NULL;
}

static int plain_will_do(const alloy_call_t *call)
{
    const alloy_operation_t *row = call->op->row;
    int i;

    for (i = 0; row->plain && i < call->op->nparams; i++) {
        if (is_given(call, i)
            && (!row->plain_without
                || is_any(call->op->params[i]->name, row->plain_without))) {
            return 0;
        }
    }
    return row->plain != NULL;
}

/* The last step, or what the operation has in its place. */
static const alloy_statement_t *choose(const alloy_call_t *call)
{
    const alloy_operation_t *row = call->op->row;

    if (row->past && alloy_text(call, "as_of")) {
        return row->past;
    }
    if (call->op->instead) {
        return call->op->instead;
    }
    if (row->key && alloy_given(call, row->key)) {
        return row->keyed;
    }
    return plain_will_do(call) ? row->plain : call->op->last;
}

/* All in one flush, or one by one in the transaction that is open; LAST stands
 * for the step that answers. */
static alloy_problem_t *send_steps(const alloy_result_t **panswer,
                                   alloy_call_t *call,
                                   const alloy_statement_t *last)
{
    const alloy_operation_t *row = call->op->row;
    const alloy_result_t *results[ALLOY_STEPS_MAX] = { NULL };
    alloy_step_t steps[ALLOY_STEPS_MAX];
    int count = 0, answers = 0;

    for (; count < ALLOY_STEPS_MAX && row->steps[count]; count++) {
        const alloy_statement_t *statement = row->steps[count];

        if (statement == call->op->last) {
            answers = count;
            statement = last;
        }
        ALLOY_TRY(call->session
                  ? alloy_call_step(call, statement, &results[count])
                  : alloy_bind_step(&steps[count], call, statement));
    }
    if (!call->session) {
        ALLOY_TRY(alloy_call_flush(call, row->role, steps, count, results));
    }
    *panswer = results[answers];
    return NULL;
}

/* A plain statement does the work; why there was none to do, the other says. */
static alloy_problem_t *run_steps(alloy_call_t *call)
{
    const alloy_statement_t *last = call->op->last, *statement;
    const alloy_result_t *answer = NULL;

    call->chosen = statement = choose(call);
    if (last->mode == ALLOY_SQL_PAGE) {
        ALLOY_TRY(alloy_convention_sort(call, call->chosen, &statement));
        ALLOY_TRY(alloy_page_begin(call));
    }
    ALLOY_TRY(send_steps(&answer, call, statement));
    if (statement == call->op->row->plain && last->mode == ALLOY_SQL_ONE
        && !alloy_result_rows(answer)) {
        ALLOY_TRY(send_steps(&answer, call, last));
    }
    return alloy_answer_result(call, last, answer);
}

static void forget_try(alloy_call_t *call)
{
    call->out = NULL;
    call->nextras = 0;
    call->added = NULL;
    call->single = 0;
    call->version = NULL;
    call->answered = NULL;
    call->finished = call->replayed = 0;
    call->conflict = 0;
    call->warned = NULL;
    call->warnings = NULL;
}

static alloy_problem_t *run_transaction(alloy_call_t *call, alloy_run_fn *run)
{
    alloy_problem_t *problem;

    ALLOY_TRY(alloy_call_begin(call));
    problem = run(call);
    if (problem || alloy_convention_dry(call)) {
        alloy_call_rollback(call);
        return problem;
    }
    return alloy_call_commit(call);
}

/* Deadlocks and the like: the whole transaction again. */
alloy_problem_t *alloy_call_transact(alloy_call_t *call, alloy_run_fn *run)
{
    alloy_problem_t *problem;
    int tries = 0;

    do {
        forget_try(call);
        problem = run_transaction(call, run);
    } while (problem && call->conflict && ++tries < ALLOY_RETRIES);
    return problem;
}

/* A key with a budget pays for each write in the write's own transaction, and
 * not for one that is refused. */
static int pays(const alloy_call_t *call)
{
    return call->op->writes && call->principal && call->principal->budgeted;
}

alloy_problem_t *alloy_call_run_own(alloy_call_t *call)
{
    const alloy_operation_t *row = call->op->row;

    if (row->run) {
        return row->run(call);
    }
    return row->guarded ? alloy_guarded_run(call) : run_steps(call);
}

/* The real thing, which is rolled back; a DELETE shows what it removed. */
static alloy_problem_t *run_dry(alloy_call_t *call)
{
    int removes = call->op->row->method == ALLOY_DELETE;

    ALLOY_TRY(removes ? alloy_convention_show_prior(call) : NULL);
    ALLOY_TRY(alloy_precondition_given(call) ? alloy_precondition_run(call)
                                             : alloy_call_run_own(call));
    if (removes && call->out) {
        call->answer->status = 200;
    }
    return NULL;
}

static alloy_problem_t *run_operation(alloy_call_t *call)
{
    if (call->parent) {         /* in its transaction already */
        return alloy_call_run_own(call);
    }
    if (alloy_convention_dry(call)) {
        return alloy_call_transact(call, run_dry);
    }
    if (alloy_repeat_given(call)) {
        return alloy_call_transact(call, alloy_repeat_run);
    }
    if (alloy_precondition_given(call)) {
        return alloy_call_transact(call, alloy_precondition_run);
    }
    return pays(call) || alloy_extend_writes(call)
           || (call->op->row->flags & ALLOY_TRANSACTION)
           || alloy_guarded_counts(call->op)
           ? alloy_call_transact(call, alloy_call_run_own) : alloy_call_run_own(call);
}

/* What an earlier run with an outdated principal worked out. */
static void forget_run(alloy_call_t *call)
{
    call->nbinds = 0;
    call->nids = 0;
    call->change_id = NULL;
    call->org = NULL;
    call->org_id = NULL;
    call->shard = 0;
    call->assumed = 0;
}

alloy_problem_t *alloy_call_run(alloy_call_t *call)
{
    forget_try(call);
    forget_run(call);
    if (call->principal) {
        ALLOY_TRY(alloy_access_check_token(call));
    }
    ALLOY_TRY(read_body(call));
    ALLOY_TRY(read_input(call));
    ALLOY_TRY(alloy_convention_check_fields(call));
    ALLOY_TRY(alloy_refer_resolve(call));
    ALLOY_TRY(alloy_access_check_values(call));
    return run_operation(call);
}
