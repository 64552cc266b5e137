/*
 * The reference page at /docs: every operation with its parameters and its
 * answer, grouped by noun, in plain HTML that needs nothing else.
 */
#include "docs.h"

#include <string.h>

#include <apr_escape.h>
#include <apr_strings.h>

#include "call.h"
#include "path.h"

#define PAGE_BYTES (128 * 1024) /* a guess that saves growing the buffer */

static void put(alloy_out_t *out, const char *html)
{
    alloy_out_raw(out, html, strlen(html));
}

/* Text of the table; the only way into the page for what is not markup. */
static void put_text(alloy_out_t *out, const char *text)
{
    put(out, apr_pescape_entity(out->pool, text, 0));
}

static void put_element(alloy_out_t *out, const char *element,
                        const char *text)
{
    put(out, apr_pstrcat(out->pool, "<", element, ">", NULL));
    put_text(out, text);
    put(out, apr_pstrcat(out->pool, "</", element, ">", NULL));
}

/* ---- tables ---------------------------------------------------------------- */

static const char *type_name(alloy_type_e type)
{
    static const char *const names[] = {
        [ALLOY_TEXT] = "text", [ALLOY_INT] = "integer",
        [ALLOY_BOOL] = "true or false", [ALLOY_UUID] = "id",
        [ALLOY_DATE] = "date", [ALLOY_INSTANT] = "instant",
        [ALLOY_WORD] = "word", [ALLOY_REF] = "id or name",
        [ALLOY_LIST] = "list", [ALLOY_OBJECT] = "object",
        [ALLOY_HALF] = "number in half steps", [ALLOY_JSON] = "object",
        [ALLOY_HUNDREDTH] = "number with two decimals",
    };

    return names[type];
}

static const char *list_words(const char *const *words, apr_pool_t *pool)
{
    const char *list = "";

    for (; words && *words; words++) {
        list = apr_pstrcat(pool, list, *list ? ", " : "", *words, NULL);
    }
    return list;
}

static void put_row(alloy_out_t *out, const char *name, const char *type,
                    const char *const *words, const char *help)
{
    put(out, "<tr><td><code>");
    put_text(out, name);
    put(out, "</code></td><td>");
    put_text(out, type);
    put(out, "</td><td>");
    put_text(out, help ? help : "");
    if (words) {
        put(out, " <small>One of ");
        put_text(out, list_words(words, out->pool));
        put(out, ".</small>");
    }
    put(out, "</td></tr>\n");
}

static const char *place_name(alloy_place_e place)
{
    return place == ALLOY_PLACE_PATH ? "path"
        : place == ALLOY_PLACE_QUERY ? "query" : "body";
}

static void put_params(alloy_out_t *out, const alloy_op_t *op)
{
    int i;

    put(out, "<table><caption>Input</caption>\n");
    for (i = 0; i < op->nparams; i++) {
        const alloy_param_t *param = op->params[i];

        put_row(out, param->name,
                apr_pstrcat(out->pool, type_name(param->type), ", ",
                            place_name(alloy_op_place(op, i)),
                            param->flags & ALLOY_REQUIRED ? ", required" : "",
                            NULL), param->words, param->help);
    }
    put(out, "</table>\n");
}

static void put_fields(alloy_out_t *out, const alloy_op_t *op)
{
    const alloy_field_t *field = op->answer->fields;
    int paged = op->last && op->last->mode == ALLOY_SQL_PAGE;

    put(out, paged ? "<table><caption>Each of the answer's items</caption>\n"
                   : "<table><caption>Answer</caption>\n");
    for (; field->name; field++) {
        put_row(out, field->name,
                apr_pstrcat(out->pool,
                            field->flags & ALLOY_MANY ? "list" :
                            type_name(field->type),
                            field->flags & ALLOY_NULLABLE ? " or null" : "",
                            NULL), field->words, field->help);
    }
    put(out, "</table>\n");
}

/* ---- operations ------------------------------------------------------------ */

static void put_facts(alloy_out_t *out, const alloy_op_t *op)
{
    const alloy_operation_t *row = op->row;
    const char *tools = alloy_op_tools(op, out->pool);

    put(out, "<p><small>");
    if (row->role >= ALLOY_VIEWER) {
        put_text(out, apr_pstrcat(out->pool, "Least role: ",
                                  alloy_role_name(row->role), ". ", NULL));
    }
    else {
        put_text(out, row->role == ALLOY_PUBLIC ? "Needs no token. "
                                                : "Needs a token. ");
    }
    if (tools) {
        put_text(out, apr_pstrcat(out->pool, "As a tool: ", tools, ".", NULL));
    }
    put(out, "</small></p>\n");
}

static void put_operation(alloy_out_t *out, const alloy_op_t *op)
{
    const alloy_operation_t *row = op->row;

    put(out, apr_pstrcat(out->pool, "<section id=\"", row->id, "\">\n<h3>",
                         NULL));
    put_element(out, "code", apr_pstrcat(out->pool,
                                         alloy_method_name(row->method), " ",
                                         row->path, NULL));
    put(out, "</h3>\n");
    put_element(out, "p", row->summary);
    if (row->help) {
        put_element(out, "p", row->help);
    }
    put_facts(out, op);
    if (op->nparams) {
        put_params(out, op);
    }
    if (op->answer) {
        put_fields(out, op);
    }
    put(out, "</section>\n");
}

static int is_shown(const alloy_op_t *op)
{
    return !(op->row->flags & ALLOY_HIDDEN);
}

/* Is it the first shown one of its noun? */
static int begins_noun(const alloy_registry_t *registry, int index)
{
    const char *noun = alloy_registry_op(registry, index)->row->noun;
    int i;

    for (i = 0; i < index; i++) {
        const alloy_op_t *op = alloy_registry_op(registry, i);

        if (is_shown(op) && !strcmp(op->row->noun, noun)) {
            return 0;
        }
    }
    return is_shown(alloy_registry_op(registry, index));
}

static void put_noun(alloy_out_t *out, const alloy_registry_t *registry,
                     const char *noun)
{
    int i;

    put(out, apr_pstrcat(out->pool, "<h2 id=\"noun-", noun, "\">", noun,
                         "</h2>\n", NULL));
    for (i = 0; i < alloy_registry_count(registry); i++) {
        const alloy_op_t *op = alloy_registry_op(registry, i);

        if (is_shown(op) && !strcmp(op->row->noun, noun)) {
            put_operation(out, op);
        }
    }
}

static void put_contents(alloy_out_t *out, const alloy_registry_t *registry)
{
    int i;

    put(out, "<nav>");
    for (i = 0; i < alloy_registry_count(registry); i++) {
        const char *noun = alloy_registry_op(registry, i)->row->noun;

        if (begins_noun(registry, i)) {
            put(out, apr_pstrcat(out->pool, "<a href=\"#noun-", noun, "\">",
                                 noun, "</a> ", NULL));
        }
    }
    put(out, "</nav>\n");
}

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>Alloy's API</title>\n<style>\n"
    "body{font:16px/1.5 sans-serif;max-width:60em;margin:0 auto;padding:1em;"
    "color-scheme:light dark}\n"
    "section{border-top:1px solid #8886;margin:1em 0}\n"
    "table{border-collapse:collapse;width:100%;margin:1em 0}\n"
    "caption{text-align:left;font-weight:bold}\n"
    "td{border-bottom:1px solid #8883;padding:.2em .6em .2em 0;"
    "vertical-align:top}\n"
    "td:first-child,td:nth-child(2){white-space:nowrap}\n"
    "</style>\n</head>\n<body>\n<h1>Alloy's API</h1>\n";

const char *alloy_docs_write(const alloy_registry_t *registry,
                             const char *base, apr_pool_t *pool)
{
    alloy_out_t *out = alloy_out_make(pool, PAGE_BYTES);
    int i;

    put(out, head);
    put(out, "<p>Everything lives below <code>");
    put_text(out, base);
    put(out, "</code>, takes and answers JSON, and needs the field "
        "<code>Authorization: Bearer ...</code> unless it says otherwise. "
        "For programs there is <a href=\"openapi.json\">openapi.json</a>; "
        "what can go wrong is explained under <a href=\"problems\">problems"
        "</a>.</p>\n");
    put_contents(out, registry);
    for (i = 0; i < alloy_registry_count(registry); i++) {
        if (begins_noun(registry, i)) {
            put_noun(out, registry, alloy_registry_op(registry, i)->row->noun);
        }
    }
    put(out, "</body>\n</html>\n");
    return apr_pstrmemdup(pool, out->bytes, out->length);
}
