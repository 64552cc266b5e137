/* The canonical text of lists and objects: an array literal where a statement
 * takes one, else JSON. What value.c has read goes through here once all of its
 * parts are known.
 */
#include "value.h"
#include "output.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

static int must_quote(const char *text)
{
    return !*text || text[strcspn(text, "{},\"\\ \t\n\r\v\f")]
        || !apr_cstr_casecmp(text, "null");
}

static char *write_element(char *at, const char *text)
{
    if (!text || !must_quote(text)) {
        text = text ? text : "NULL";
        memcpy(at, text, strlen(text));
        return at + strlen(text);
    }
    *at++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            *at++ = '\\';
        }
        *at++ = *text;
    }
    *at++ = '"';
    return at;
}

const char *alloy_array_literal(const char *const *texts, int count,
                                apr_pool_t *pool)
{
    apr_size_t room = 3;
    char *literal, *at;
    int i;

    for (i = 0; i < count; i++) {
        room += texts[i] ? 2 * strlen(texts[i]) + 3 : 5;
    }
    literal = at = apr_palloc(pool, room);
    *at++ = '{';
    for (i = 0; i < count; i++) {
        if (i > 0) {
            *at++ = ',';
        }
        at = write_element(at, texts[i]);
    }
    *at++ = '}';
    *at = '\0';
    return literal;
}

static void write_value(alloy_out_t *out, const alloy_param_t *param,
                        const alloy_value_t *value);

static void write_object(alloy_out_t *out, const alloy_param_t *param,
                         const alloy_value_t *value)
{
    int i;

    if (!param->inner) {
        alloy_out_json(out, value->text);
        return;
    }
    alloy_out_begin(out, '{');
    for (i = 0; i < value->count; i++) {
        if (value->items[i].given || value->items[i].text) {
            alloy_out_key(out, param->inner[i].name);
            write_value(out, &param->inner[i], &value->items[i]);
        }
    }
    alloy_out_end(out);
}

static void write_list(alloy_out_t *out, const alloy_param_t *inner,
                       const alloy_value_t *value)
{
    int i;

    alloy_out_begin(out, '[');
    for (i = 0; i < value->count; i++) {
        write_value(out, inner, &value->items[i]);
    }
    alloy_out_end(out);
}

static void write_value(alloy_out_t *out, const alloy_param_t *param,
                        const alloy_value_t *value)
{
    if (!value->text) {
        alloy_out_text(out, NULL);
        return;
    }
    switch (param->type) {
    case ALLOY_OBJECT:
        write_object(out, param, value);
        break;
    case ALLOY_LIST:
        write_list(out, param->inner, value);
        break;
    case ALLOY_INT:
    case ALLOY_HALF:
    case ALLOY_HUNDREDTH:
        alloy_out_int(out, value->number);
        break;
    case ALLOY_BOOL:
        alloy_out_bool(out, (int)value->number);
        break;
    default:
        alloy_out_text(out, value->text);
        break;
    }
}

static const char *list_literal(const alloy_value_t *value, apr_pool_t *pool)
{
    const char **texts = apr_palloc(pool, sizeof(*texts)
                                    * ((apr_size_t)value->count + 1));
    int i;

    for (i = 0; i < value->count; i++) {
        texts[i] = value->items[i].text;
    }
    return alloy_array_literal(texts, value->count, pool);
}

/* The row of each element: a repeatable parameter's is its own. */
const alloy_param_t *alloy_value_element(const alloy_param_t *param)
{
    return param->type == ALLOY_LIST ? param->inner : param;
}

static int is_json(const alloy_param_t *param)
{
    alloy_type_e type = alloy_value_element(param)->type;

    return param->type == ALLOY_OBJECT || type == ALLOY_OBJECT
        || type == ALLOY_LIST;
}

void alloy_value_retext(alloy_value_t *value, const alloy_param_t *param,
                        apr_pool_t *pool)
{
    alloy_out_t *out;

    if (!value->items) {
        return;
    }
    if (!is_json(param)) {
        value->text = list_literal(value, pool);
        return;
    }
    out = alloy_out_make(pool, 0);
    value->text = "";           /* not null */
    write_value(out, param, value);
    value->text = apr_pstrmemdup(pool, out->bytes, out->length);
}
