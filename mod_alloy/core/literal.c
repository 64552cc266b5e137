/* Arrays in the form PostgreSQL reads (its documentation, 8.15.2): {a,"b c"}.
 * Elements are quoted only where they must be, as array_out does.
 */
#include "param.h"

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
