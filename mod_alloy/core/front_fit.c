/*
 * Answers that fit: a model reads every character of them. Rows are cut to what
 * a list is for, people get their names, characters nobody sees (which may hide
 * instructions) are taken out, and what is too long says that it was cut.
 */
#include "front.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "call.h"
#include "json.h"
#include "refer.h"

#define BYTES_DEFAULT 20000
#define IDS_AT_ONCE 40          /* look-ups in one flush */
#define ID_SUFFIX "_id"
#define ITEMS "items"
#define FIELDS "fields"

/** One answer being made to fit. */
typedef struct {
    alloy_front_t *front;
    const alloy_request_t *request;
    const alloy_op_t *op;
    const alloy_json_t *answer;
    alloy_out_t *out;
    apr_size_t limit;           /* bytes */
    apr_hash_t *labels;         /* by id; "": not looked up yet */
    apr_size_t longest;         /* bytes a text may have; 0: any */
    int cut;
} fit_t;

apr_size_t alloy_fit_limit(const alloy_json_t *arguments)
{
    const alloy_json_t *sent = arguments
        ? alloy_json_get(arguments, alloy_argument_bytes.name) : NULL;

    return sent && alloy_json_type(sent) == ALLOY_JSON_INT
           ? (apr_size_t)alloy_json_int(sent) : BYTES_DEFAULT;
}

/* ---- characters nobody sees ------------------------------------------------------ */

static const struct {
    unsigned first, last;
} unseen[] = {
    { 0x00, 0x08 }, { 0x0b, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad },
    { 0x61c, 0x61c }, { 0x180e, 0x180e }, { 0x200b, 0x200b },
    { 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
    { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
};

/* The character at AT, which is valid UTF-8; LENGTH: its bytes. */
static unsigned decode(const unsigned char *at, int *length)
{
    unsigned code = at[0];
    int i;

    *length = code < 0x80 ? 1 : code < 0xe0 ? 2 : code < 0xf0 ? 3 : 4;
    if (*length > 1) {
        code &= 0xffu >> (*length + 1);
    }
    for (i = 1; i < *length; i++) {
        code = code << 6 | (at[i] & 0x3f);
    }
    return code;
}

static int is_unseen(unsigned code)
{
    apr_size_t i;

    for (i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++) {
        if (code >= unseen[i].first && code <= unseen[i].last) {
            return 1;
        }
    }
    return 0;
}

/* At most MOST bytes of TEXT, 0: all, in whole characters. */
static const char *seen_of(const char *text, apr_size_t most, int *cut,
                           apr_pool_t *pool)
{
    char *seen = apr_palloc(pool, strlen(text) + 1), *to = seen;
    int length;

    for (; *text; text += length) {
        unsigned code = decode((const unsigned char *)text, &length);

        if (most && (apr_size_t)(to - seen) + length > most) {
            *cut = 1;
            break;
        }
        if (!is_unseen(code)) {
            memcpy(to, text, length);
            to += length;
        }
    }
    *to = '\0';
    return seen;
}

/* ---- values ---------------------------------------------------------------------- */

static void write_value(fit_t *fit, const alloy_json_t *value);

static int write_member(void *baton, const char *key,
                        const alloy_json_t *value)
{
    fit_t *fit = baton;

    alloy_out_key(fit->out, key);
    write_value(fit, value);
    return 1;
}

static void write_text(fit_t *fit, const char *text)
{
    int cut = 0;

    text = seen_of(text, fit->longest, &cut, fit->out->pool);
    fit->cut |= cut;
    alloy_out_text(fit->out, cut ? apr_pstrcat(fit->out->pool, text,
                                               " [cut]", NULL) : text);
}

static void write_value(fit_t *fit, const alloy_json_t *value)
{
    apr_size_t i;

    switch (alloy_json_type(value)) {
    case ALLOY_JSON_TEXT:
        write_text(fit, alloy_json_text(value, NULL));
        break;
    case ALLOY_JSON_MAP:
        alloy_out_begin(fit->out, '{');
        alloy_json_each(value, write_member, fit);
        alloy_out_end(fit->out);
        break;
    case ALLOY_JSON_ARRAY:
        alloy_out_begin(fit->out, '[');
        for (i = 0; i < alloy_json_count(value); i++) {
            write_value(fit, alloy_json_at(value, i));
        }
        alloy_out_end(fit->out);
        break;
    default:
        alloy_out_json(fit->out, alloy_json_write(value, fit->out->pool));
        break;
    }
}

/* ---- names beside ids -------------------------------------------------------------- */

/* "assignee_id" without what makes it an id. */
static const char *noun_of(const alloy_field_t *field, apr_pool_t *pool)
{
    return apr_pstrmemdup(pool, field->name,
                          strlen(field->name) - strlen(ID_SUFFIX));
}

static const char *id_in(const alloy_json_t *row, const alloy_field_t *field)
{
    const alloy_json_t *value = alloy_json_get(row, field->name);

    return value && alloy_json_type(value) == ALLOY_JSON_TEXT
           ? alloy_json_text(value, NULL) : NULL;
}

static void note_ids(fit_t *fit, const alloy_json_t *row,
                     const alloy_resource_t *resource)
{
    const alloy_field_t *field = fit->op->row->answer->fields;

    for (; field->name; field++) {
        const char *id = field->resource == resource ? id_in(row, field)
                                                     : NULL;

        if (id && !apr_hash_get(fit->labels, id, APR_HASH_KEY_STRING)) {
            apr_hash_set(fit->labels, id, APR_HASH_KEY_STRING, "");
        }
    }
}

static void look_up(fit_t *fit, alloy_call_t *call,
                    const alloy_resource_t *resource, const char *const *ids,
                    int count)
{
    const char *labels[IDS_AT_ONCE] = { NULL };
    alloy_problem_t *problem = alloy_refer_labels(call, resource, ids, count,
                                                  labels);
    int i;

    for (i = 0; i < count; i++) {
        const char *label = problem ? NULL : labels[i];

        /* one who left has no name for the caller: his id remains */
        apr_hash_set(fit->labels, ids[i], APR_HASH_KEY_STRING,
                     label ? label : ids[i]);
    }
}

/* All ids that were noted and not looked up yet. */
static void look_up_noted(fit_t *fit, const alloy_resource_t *resource)
{
    alloy_call_t *call = alloy_front_look(fit->front, fit->request);
    const char *ids[IDS_AT_ONCE];
    apr_array_header_t *noted = apr_array_make(fit->out->pool, 20,
                                               sizeof(const char *));
    apr_hash_index_t *at = apr_hash_first(fit->out->pool, fit->labels);
    int i, count = 0;

    for (; at; at = apr_hash_next(at)) {
        if (!*(const char *)apr_hash_this_val(at)) {
            APR_ARRAY_PUSH(noted, const char *) = apr_hash_this_key(at);
        }
    }
    for (i = 0; call && i < noted->nelts; i++) {
        ids[count++] = APR_ARRAY_IDX(noted, i, const char *);
        if (count == IDS_AT_ONCE || i + 1 == noted->nelts) {
            look_up(fit, call, resource, ids, count);
            count = 0;
        }
    }
}

static const alloy_json_t *items_of(const fit_t *fit)
{
    const alloy_json_t *items = alloy_json_get(fit->answer, ITEMS);

    return items && alloy_json_type(items) == ALLOY_JSON_ARRAY ? items : NULL;
}

static void find_labels(fit_t *fit)
{
    const alloy_field_t *field = fit->op->row->answer->fields;
    const alloy_json_t *items = items_of(fit);
    apr_size_t i;

    for (; field->name; field++) {
        if (!field->resource) {
            continue;
        }
        for (i = 0; items && i < alloy_json_count(items); i++) {
            note_ids(fit, alloy_json_at(items, i), field->resource);
        }
        if (!items) {
            note_ids(fit, fit->answer, field->resource);
        }
        look_up_noted(fit, field->resource);
    }
}

static void write_label(fit_t *fit, const alloy_field_t *field,
                        const alloy_json_t *row)
{
    const char *id = id_in(row, field);
    const char *label = id ? apr_hash_get(fit->labels, id,
                                          APR_HASH_KEY_STRING) : NULL;

    if (!alloy_json_get(row, field->name)) {
        return;
    }
    alloy_out_key(fit->out, noun_of(field, fit->out->pool));
    if (id) {
        write_text(fit, label && *label ? label : id);
    }
    else {
        alloy_out_text(fit->out, NULL);
    }
}

/* ---- rows ---------------------------------------------------------------------------- */

static int is_fields_given(const fit_t *fit)
{
    const alloy_json_t *arguments = fit->request->arguments;

    return arguments && alloy_json_get(arguments, FIELDS);
}

static int is_list(const alloy_op_t *op)
{
    return op->last && (op->last->mode == ALLOY_SQL_PAGE
                        || op->last->mode == ALLOY_SQL_MANY);
}

static const char *const *compact_of(const fit_t *fit)
{
    const alloy_op_t *op = fit->op;

    return !is_fields_given(fit) && (is_list(op) || op->writes)
           ? op->row->answer->compact : NULL;
}

static void write_key(fit_t *fit, const char *key, const alloy_json_t *row)
{
    const alloy_field_t *field = fit->op->row->answer->fields;
    const alloy_json_t *value = alloy_json_get(row, key);
    apr_size_t length = strlen(key);

    if (value) {
        write_member(fit, key, value);
        return;
    }
    for (; field->name; field++) {
        if (field->resource && !strncmp(field->name, key, length)
            && !strcmp(field->name + length, ID_SUFFIX)) {
            write_label(fit, field, row);
        }
    }
}

static void write_row(fit_t *fit, const alloy_json_t *row)
{
    const char *const *key = compact_of(fit);
    const alloy_field_t *field = fit->op->row->answer->fields;

    alloy_out_begin(fit->out, '{');
    for (; key && *key; key++) {
        write_key(fit, *key, row);
    }
    if (!compact_of(fit)) {
        alloy_json_each(row, write_member, fit);
        for (; field->name && !is_fields_given(fit); field++) {
            if (field->resource) {
                write_label(fit, field, row);
            }
        }
    }
    if (compact_of(fit) && alloy_json_get(row, "dry_run")) {
        write_key(fit, "dry_run", row);
    }
    if (fit->cut && !is_list(fit->op)) {
        alloy_out_key(fit->out, "truncated");
        alloy_out_bool(fit->out, 1);
    }
    alloy_out_end(fit->out);
}

/* ---- lists ---------------------------------------------------------------------------- */

static int write_rest(void *baton, const char *key, const alloy_json_t *value)
{
    return strcmp(key, ITEMS) ? write_member(baton, key, value) : 1;
}

/* @return how many rows were written. */
static int write_list(fit_t *fit, const alloy_json_t *items)
{
    apr_size_t count = alloy_json_count(items), i;

    alloy_out_begin(fit->out, '{');
    alloy_out_key(fit->out, ITEMS);
    alloy_out_begin(fit->out, '[');
    for (i = 0; i < count && (!i || fit->out->length < fit->limit); i++) {
        apr_size_t before = fit->out->length;
        alloy_out_t saved = *fit->out;

        write_row(fit, alloy_json_at(items, i));
        if (i && fit->out->length > fit->limit) {
            char *bytes = fit->out->bytes;
            apr_size_t room = fit->out->room;

            *fit->out = saved;
            fit->out->bytes = bytes;
            fit->out->room = room;
            fit->out->length = before;
            break;
        }
    }
    alloy_out_end(fit->out);
    alloy_json_each(fit->answer, write_rest, fit);
    if (i < count || fit->request->tool->most || fit->cut) {
        alloy_out_key(fit->out, "truncated");
        alloy_out_bool(fit->out, 1);
    }
    alloy_out_end(fit->out);
    return (int)i;
}

static void write_single(fit_t *fit)
{
    write_row(fit, fit->answer);
    if (fit->out->length > fit->limit) {
        fit->longest = fit->limit / 4;
        fit->out->length = 0;
        fit->out->depth = 0;
        fit->out->after_key = 0;
        write_row(fit, fit->answer);
    }
}

int alloy_fit(alloy_front_t *front, alloy_front_answer_t *answer,
              const alloy_request_t *request)
{
    fit_t fit = { front, request, request->tool->op };
    const alloy_json_t *items;
    int written = 0;

    if (!fit.op->row->answer || fit.op->row->document
        || alloy_json_parse(&fit.answer, answer->json, answer->length,
                            request->pool)) {
        return 0;
    }
    fit.out = alloy_out_make(request->pool, answer->length);
    fit.limit = alloy_fit_limit(request->arguments);
    fit.labels = apr_hash_make(request->pool);
    items = is_list(fit.op) ? items_of(&fit) : NULL;
    if (!is_fields_given(&fit)) {
        find_labels(&fit);
    }
    if (items) {
        written = write_list(&fit, items);
    }
    else {
        write_single(&fit);
    }
    answer->json = alloy_out_bytes(fit.out, &answer->length);
    return items && fit.op->last->mode == ALLOY_SQL_PAGE
           && written < (int)alloy_json_count(items) ? written : 0;
}
