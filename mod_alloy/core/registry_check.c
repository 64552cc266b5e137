/* What an operation must fulfil to be served. The faults found here are the
 * sentences a plugin's author reads when httpd refuses to start, so each says
 * what to change.
 */
#include "registry_check.h"

#include <stdarg.h>
#include <string.h>

#include <apr_strings.h>

#include "limits.h"
#include "path.h"

#define SHAPE_DEPTH_MAX 8 /* of shapes inside shapes */

/* ---- Sentences ----------------------------------------------------------- */

const char *alloy_check_refuse(const alloy_check_t *check, const char *fmt, ...)
{
    const char *why;
    va_list args;

    va_start(args, fmt);
    why = apr_pvsprintf(check->pool, fmt, args);
    va_end(args);
    return apr_pstrcat(check->pool, "plugin ", check->plugin, ": ",
                       check->what ? check->what : "", check->what ? ": " : "",
                       why, NULL);
}

const char *alloy_check_name(const alloy_check_t *check, const char *kind,
                             const char *word)
{
    if (!word) {
        return alloy_check_refuse(check, "the %s has no name", kind);
    }
    if (!alloy_name_fits(word, strlen(word))) {
        return alloy_check_refuse(check,
                                  "the %s name \"%s\" must begin with "
                                  "a small letter and have only small "
                                  "letters, digits and _",
                                  kind, word);
    }
    return NULL;
}

int alloy_check_count_params(const alloy_op_t *op, const char *name)
{
    int i, count = 0;

    for (i = 0; i < op->nparams; i++) {
        count += strcmp(op->params[i]->name, name) == 0;
    }
    return count;
}

int alloy_check_count_fields(const alloy_shape_t *shape, const char *name)
{
    const alloy_field_t *field;
    int count = 0;

    for (field = shape->fields; field->name; field++) {
        count += strcmp(field->name, name) == 0;
    }
    return count;
}

/* ---- The path and its parameters ----------------------------------------- */

static const char *path_check(const alloy_check_t *check, const alloy_op_t *op)
{
    alloy_path_t path;
    int i;

    if (!alloy_path_split(&path, op->row->path)) {
        return NULL; /* was refused when the row was added */
    }
    for (i = 0; i < path.count; i++) {
        const char *name = alloy_part_param(&path.parts[i], check->pool);

        if (name && alloy_op_param(op, name) < 0) {
            return alloy_check_refuse(check,
                                      "the path names {%s}, but no "
                                      "parameter of that name is declared",
                                      name);
        }
    }
    return NULL;
}

/* Is there a parameter of this name before it? */
static int is_repeated(const alloy_param_t *params, const alloy_param_t *param)
{
    for (; params != param; params++) {
        if (strcmp(params->name, param->name) == 0) {
            return 1;
        }
    }
    return 0;
}

static const char *params_check(const alloy_check_t *check,
                                const alloy_op_t *op)
{
    const alloy_param_t *param;

    if (op->nparams > ALLOY_OP_PARAMS_MAX) {
        return alloy_check_refuse(check,
                                  "%d parameters, added ones included, "
                                  "are more than %d",
                                  op->nparams, ALLOY_OP_PARAMS_MAX);
    }
    for (param = op->row->params; param && param->name; param++) {
        ALLOY_CHECK(alloy_check_param(check, op, param));
        if (is_repeated(op->row->params, param)) {
            return alloy_check_refuse(check,
                                      "the parameter %s is declared "
                                      "twice",
                                      param->name);
        }
    }
    return path_check(check, op);
}

/* ---- What it runs -------------------------------------------------------- */

static const char *form_check(const alloy_check_t *check,
                              const alloy_operation_t *row)
{
    int forms = (row->steps[0] != NULL) + (row->guarded != NULL)
                + (row->run != NULL);

    if (forms != 1) {
        return alloy_check_refuse(check,
                                  "exactly one of .steps, .guarded and "
                                  ".run must be set; %d are",
                                  forms);
    }
    if ((row->flags & ALLOY_TRANSACTION) && !row->run) {
        return alloy_check_refuse(check, "ALLOY_TRANSACTION is for .run; "
                                         "steps and guarded writes are one "
                                         "transaction already");
    }
    return NULL;
}

static const char *steps_check(const alloy_check_t *check,
                               const alloy_operation_t *row)
{
    int i;

    for (i = 1; i < ALLOY_STEPS_MAX && row->steps[0]; i++) {
        if (!row->steps[i]) {
            continue;
        }
        if (!row->steps[i - 1]) {
            return alloy_check_refuse(check, "the step before %s is missing",
                                      row->steps[i]->name);
        }
        if (row->steps[i - 1]->mode == ALLOY_SQL_PAGE) {
            return alloy_check_refuse(check,
                                      "the step %s answers a page and "
                                      "must be the last",
                                      row->steps[i - 1]->name);
        }
    }
    return NULL;
}

static const char *instead_check(const alloy_check_t *check,
                                 const alloy_op_t *op,
                                 const alloy_statement_t *statement,
                                 const char *place)
{
    if (!statement) {
        return NULL;
    }
    if (!op->row->steps[0] || statement->mode != op->last->mode
        || (statement->mode != ALLOY_SQL_PAGE
            && (statement->mode != ALLOY_SQL_ONE || op->row->steps[1]))) {
        return alloy_check_refuse(check,
                                  "the statement %s in %s and the last "
                                  "step it stands for must both be :page, or "
                                  "both :one and the only step",
                                  statement->name, place);
    }
    if (!statement->sorts != !op->last->sorts) {
        return alloy_check_refuse(check,
                                  "the statement %s in %s and the last "
                                  "step it stands for must be sortable alike",
                                  statement->name, place);
    }
    return NULL;
}

/* As :name, :name? or :name_words. */
static int reads(const alloy_statement_t *statement, const char *name)
{
    apr_size_t length = strlen(name);
    int i;

    for (i = 0; i < statement->nparams; i++) {
        const char *param = statement->params[i];

        if (!strncmp(param, name, length)
            && (!param[length] || !strcmp(param + length, "?")
                || !strcmp(param + length, "_words"))) {
            return 1;
        }
    }
    return 0;
}

static int is_named(const char *const *names, const char *name)
{
    while (*names && strcmp(*names, name)) {
        names++;
    }
    return *names != NULL;
}

/* What the step would do with a parameter must not get lost. */
static const char *plain_without_check(const alloy_check_t *check,
                                       const alloy_op_t *op)
{
    const char *const *without = op->row->plain_without;
    const char *const *name;
    int i;

    for (name = without; *name; name++) {
        if (alloy_op_param(op, *name) < 0) {
            return alloy_check_refuse(check, "no parameter is called %s, as "
                                             ".plain_without says",
                                      *name);
        }
    }
    for (i = 0; i < op->nparams; i++) {
        const char *param = op->params[i]->name;

        if (reads(op->last, param) && !reads(op->row->plain, param)
            && !is_named(without, param)) {
            return alloy_check_refuse(check, "the statement %s does not read "
                                             "%s; name it in .plain_without",
                                      op->row->plain->name, param);
        }
    }
    return NULL;
}

static const char *plain_check(const alloy_check_t *check, const alloy_op_t *op)
{
    const alloy_operation_t *row = op->row;

    ALLOY_CHECK(instead_check(check, op, row->plain, ".plain"));
    ALLOY_CHECK(instead_check(check, op, row->keyed, ".keyed"));
    if (!row->key != !row->keyed
        || (row->key && alloy_op_param(op, row->key) < 0)) {
        return alloy_check_refuse(check, ".keyed needs a parameter of the "
                                         "operation in .key, and the other "
                                         "way round");
    }
    return row->plain && row->plain_without ? plain_without_check(check, op)
                                            : NULL;
}

static const char *past_check(const alloy_check_t *check, const alloy_op_t *op)
{
    const alloy_statement_t *past = op->row->past;

    if (past
        && (!op->row->steps[0] || past->mode != op->last->mode
            || alloy_op_param(op, "as_of") < 0)) {
        return alloy_check_refuse(check,
                                  "the statement %s in .past needs a "
                                  "parameter as_of, and a last step that "
                                  "answers as it does",
                                  past->name);
    }
    return NULL;
}

static const char *guarded_check(const alloy_check_t *check,
                                 const alloy_guarded_t *guarded)
{
    if (!guarded) {
        return NULL;
    }
    if (!guarded->lock || !guarded->read || !guarded->write) {
        return alloy_check_refuse(check, "a guarded write needs .lock, .read "
                                         "and .write");
    }
    if (guarded->lock->mode == ALLOY_SQL_PAGE
        || guarded->read->mode != ALLOY_SQL_ONE
        || guarded->write->mode == ALLOY_SQL_PAGE) {
        return alloy_check_refuse(check,
                                  "in a guarded write %s must be :one, "
                                  "and %s and %s no :page",
                                  guarded->read->name, guarded->lock->name,
                                  guarded->write->name);
    }
    return alloy_check_name(check, "action", guarded->action);
}

/* Everything a call sends, whoever it belongs to. */
static int statements_count(const alloy_op_t *op)
{
    const alloy_extension_t *const *added;
    const alloy_hook_t *const *hook;
    int i, count = op->row->guarded ? 3 : 0;

    for (i = 0; i < ALLOY_STEPS_MAX && op->row->steps[i]; i++) {
        count++;
    }
    for (added = op->extensions; *added; added++) {
        count += ((*added)->write != NULL) + ((*added)->read != NULL);
    }
    for (hook = op->hooks; *hook; hook++) {
        count += ((*hook)->facts != NULL) + ((*hook)->lock != NULL);
    }
    return count;
}

static int hooks_count(const alloy_op_t *op)
{
    int count = 0;

    while (op->hooks[count]) {
        count++;
    }
    return count;
}

static const char *statements_check(const alloy_check_t *check,
                                    const alloy_op_t *op)
{
    ALLOY_CHECK(form_check(check, op->row));
    ALLOY_CHECK(steps_check(check, op->row));
    ALLOY_CHECK(plain_check(check, op));
    ALLOY_CHECK(past_check(check, op));
    ALLOY_CHECK(guarded_check(check, op->row->guarded));
    if (hooks_count(op) > ALLOY_HOOKS_LIMIT) {
        return alloy_check_refuse(check,
                                  "%d hooks have a say in it; at most %d are "
                                  "possible", hooks_count(op),
                                  ALLOY_HOOKS_LIMIT);
    }
    if (statements_count(op) > ALLOY_OP_STATEMENTS_MAX) {
        return alloy_check_refuse(check,
                                  "a call sends %d statements, those "
                                  "of hooks and extensions included; at most "
                                  "%d are possible",
                                  statements_count(op),
                                  ALLOY_OP_STATEMENTS_MAX);
    }
    return alloy_check_op_fills(check, op);
}

/* ---- What it answers ----------------------------------------------------- */

static const char *fields_check(const alloy_check_t *check,
                                const alloy_shape_t *shape, int depth)
{
    const alloy_field_t *field;

    if (depth == SHAPE_DEPTH_MAX || !shape->name || !shape->fields) {
        return alloy_check_refuse(check,
                                  "the shape %s has no name, no fields "
                                  "or too many shapes inside each other",
                                  shape->name ? shape->name : "?");
    }
    for (field = shape->fields; field->name; field++) {
        ALLOY_CHECK(alloy_check_name(check, "key", field->name));
        if (field->type == ALLOY_WORD && !field->words) {
            return alloy_check_refuse(check,
                                      "the key %s of %s is an "
                                      "ALLOY_WORD without .words",
                                      field->name, shape->name);
        }
        if (field->shape) {
            ALLOY_CHECK(fields_check(check, field->shape, depth + 1));
        }
    }
    return NULL;
}

const char *alloy_check_shape(const alloy_check_t *check,
                              const alloy_shape_t *shape)
{
    return fields_check(check, shape, 0);
}

/* Location is filled from the answer's keys. */
static const char *location_check(const alloy_check_t *check,
                                  const alloy_op_t *op)
{
    alloy_path_t path;
    int i;

    if (!op->row->location) {
        return NULL;
    }
    if (alloy_path_fault(op->row->location, check->pool)
        || !alloy_path_split(&path, op->row->location)) {
        return alloy_check_refuse(check, ".location \"%s\" is no path",
                                  op->row->location);
    }
    for (i = 0; i < path.count; i++) {
        const char *name = alloy_part_param(&path.parts[i], check->pool);

        if (name
            && (!op->answer || !alloy_check_count_fields(op->answer, name))) {
            return alloy_check_refuse(check,
                                      ".location names {%s}, but the "
                                      "answer has no such key",
                                      name);
        }
    }
    return NULL;
}

static const char *answer_check(const alloy_check_t *check,
                                const alloy_op_t *op)
{
    const alloy_field_t *field;

    if (op->last && !op->answer
        && (op->last->mode == ALLOY_SQL_PAGE
            || op->last->mode == ALLOY_SQL_MANY)) {
        return alloy_check_refuse(check,
                                  "the statement %s answers rows, but "
                                  ".answer is not set",
                                  op->last->name);
    }
    if (op->row->steps[0] && op->answer && op->last->mode == ALLOY_SQL_EXEC) {
        return alloy_check_refuse(check,
                                  ".answer is set, but the statement "
                                  "%s is :exec and answers nothing",
                                  op->last->name);
    }
    for (field = op->row->answer ? op->row->answer->fields : NULL;
         field && field->name; field++) {
        if (alloy_check_count_fields(op->row->answer, field->name) > 1) {
            return alloy_check_refuse(check, "the answer has the key %s twice",
                                      field->name);
        }
    }
    return location_check(check, op);
}

/* How many refusals of an operation, added ones included, have this code. */
static int refusals_of(const alloy_op_t *op, const char *code)
{
    const alloy_refusal_t *refusal = op->refusals;
    int count = 0;

    for (; refusal->code; refusal++) {
        count += strcmp(refusal->code, code) == 0;
    }
    return count;
}

const char *alloy_check_refusals(const alloy_check_t *check,
                                 const alloy_op_t *op,
                                 const alloy_refusal_t *refusals)
{
    const alloy_refusal_t *refusal;

    for (refusal = refusals; refusal && refusal->code; refusal++) {
        if (!refusal->kind || !refusal->detail) {
            return alloy_check_refuse(check,
                                      "the refusal %s needs a kind and "
                                      "a detail",
                                      refusal->code);
        }
        if (alloy_registry_kind(check->registry, refusal->kind->code)
            != refusal->kind) {
            return alloy_check_refuse(check,
                                      "the refusal %s is of the kind "
                                      "%s, which no plugin lists in .problems",
                                      refusal->code, refusal->kind->code);
        }
    }
    for (refusal = refusals; refusal && refusal->code; refusal++) {
        if (refusals_of(op, refusal->code) > 1) {
            return alloy_check_refuse(check, "the refusal %s is there twice",
                                      refusal->code);
        }
    }
    return NULL;
}

/* ---- All of it ----------------------------------------------------------- */

static const char *row_check(const alloy_check_t *check,
                             const alloy_operation_t *row)
{
    if (!row->noun || !row->summary || !*row->noun || !*row->summary) {
        return alloy_check_refuse(check, ".noun and .summary must be set");
    }
    if (strspn(row->noun, "abcdefghijklmnopqrstuvwxyz0123456789_-")
        != strlen(row->noun)) {
        return alloy_check_refuse(check,
                                  "the noun \"%s\" can't be part of a "
                                  "scope; use small letters, digits, _ and -",
                                  row->noun);
    }
    if (row->role > ALLOY_OWNER) {
        return alloy_check_refuse(check, "the role %d does not exist",
                                  (int)row->role);
    }
    if (row->creates && strcmp(row->creates, "org") != 0
        && strcmp(row->creates, "project") != 0) {
        return alloy_check_refuse(check,
                                  ".creates is \"%s\"; only org and "
                                  "project join the call's settings",
                                  row->creates);
    }
    return NULL;
}

const char *alloy_check_op(const alloy_check_t *check, const alloy_op_t *op)
{
    ALLOY_CHECK(row_check(check, op->row));
    ALLOY_CHECK(params_check(check, op));
    ALLOY_CHECK(statements_check(check, op));
    ALLOY_CHECK(answer_check(check, op));
    ALLOY_CHECK(alloy_check_tools(check, op));
    return alloy_check_refusals(check, op, op->row->refusals);
}
