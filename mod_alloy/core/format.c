/* Rules for texts beyond length: e-mail addresses, slugs, keys, names. A check
 * may put the canonical spelling in place of the one that was sent; what it
 * objects is a sentence with the value and what would be accepted instead.
 */
#include "../alloy_report.h"
#include "id.h"
#include "instant.h"
#include "secret.h"
#include "utf8.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#define EMAIL_LIMIT 254         /* RFC 5321, section 4.5.3.1.3, less <> */
#define EMAIL_LOCAL_LIMIT 64    /* section 4.5.3.1.1 */
#define LABEL_LIMIT 63          /* RFC 1035, section 2.3.4 */
#define SLUG_LIMIT 63
#define KEY_LEAST 2
#define KEY_LIMIT 10
#define ZONE_LIMIT 64
#define QUOTE_LIMIT 60          /* characters of a value shown in a sentence */

static int is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static int is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_alnum(char c)
{
    return is_lower(c) || is_upper(c) || is_digit(c);
}

static char to_lower(char c)
{
    return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

static char to_upper(char c)
{
    return is_lower(c) ? (char)(c - 'a' + 'A') : c;
}

/* A copy with each byte changed; bytes beyond ASCII stay. */
static char *convert(const char *text, char (*to)(char), apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text);
    char *at;

    for (at = copy; *at; at++) {
        *at = to(*at);
    }
    return copy;
}

/* The sentence with the value, cut to a length one can read. */
static const char *refuse(const char *value, const char *rule,
                          apr_pool_t *pool)
{
    apr_size_t size = alloy_utf8_prefix(value, QUOTE_LIMIT);

    return apr_pstrcat(pool, "\"", apr_pstrmemdup(pool, value, size),
                       value[size] ? "..." : "", "\" ", rule, NULL);
}

/* Dots stand alone and between others; the rest is what an unquoted local
 * part may have (RFC 5322, section 3.2.3). */
static int fits_local(const char *text, apr_size_t length)
{
    static const char marks[] = "!#$%&'*+/=?^_`{|}~-";
    apr_size_t i;

    if (length < 1 || length > EMAIL_LOCAL_LIMIT
        || text[0] == '.' || text[length - 1] == '.') {
        return 0;
    }
    for (i = 0; i < length; i++) {
        if (text[i] == '.' ? text[i + 1] == '.'
                           : !is_alnum(text[i]) && !strchr(marks, text[i])) {
            return 0;
        }
    }
    return 1;
}

static int fits_label(const char *text, apr_size_t length)
{
    apr_size_t i;

    if (length < 1 || length > LABEL_LIMIT
        || text[0] == '-' || text[length - 1] == '-') {
        return 0;
    }
    for (i = 0; i < length; i++) {
        if (!is_alnum(text[i]) && text[i] != '-') {
            return 0;
        }
    }
    return 1;
}

static int fits_domain(const char *text)
{
    const char *dot;

    while ((dot = strchr(text, '.'))) {
        if (!fits_label(text, (apr_size_t)(dot - text))) {
            return 0;
        }
        text = dot + 1;
    }
    return fits_label(text, strlen(text));
}

static const char *check_email(const char **value, apr_pool_t *pool)
{
    const char *at = strchr(*value, '@');

    if (!at || strlen(*value) > EMAIL_LIMIT
        || !fits_local(*value, (apr_size_t)(at - *value))
        || !fits_domain(at + 1)) {
        return refuse(*value, "is not an e-mail address. One looks like "
                              "name@example.com.", pool);
    }
    *value = apr_pstrcat(pool, apr_pstrmemdup(pool, *value,
                                              (apr_size_t)(at - *value)),
                         convert(at, to_lower, pool), NULL);
    return NULL;
}

static const char *check_slug(const char **value, apr_pool_t *pool)
{
    const char *slug = convert(*value, to_lower, pool);

    if (strlen(slug) > SLUG_LIMIT || !fits_label(slug, strlen(slug))) {
        return refuse(*value, "is not a slug. Use 1 to 63 of a-z, 0-9 and -, "
                              "with no - at either end.", pool);
    }
    *value = slug;
    return NULL;
}

static const char *check_project_key(const char **value, apr_pool_t *pool)
{
    const char *key = convert(*value, to_upper, pool);
    apr_size_t i, length = strlen(key);
    int fits = length >= KEY_LEAST && length <= KEY_LIMIT && is_upper(key[0]);

    for (i = 1; fits && i < length; i++) {
        fits = is_upper(key[i]) || is_digit(key[i]);
    }
    if (!fits) {
        return refuse(*value, "is not a project key. Use 2 to 10 of A-Z and "
                              "0-9, the first one a letter.", pool);
    }
    *value = key;
    return NULL;
}

static const char *check_currency(const char **value, apr_pool_t *pool)
{
    const char *code = convert(*value, to_upper, pool);

    if (strlen(code) != 3 || !is_upper(code[0]) || !is_upper(code[1])
        || !is_upper(code[2])) {
        return refuse(*value, "is not a currency. Use the three letters of "
                              "ISO 4217, such as EUR.", pool);
    }
    *value = code;
    return NULL;
}

/* Area/City, with one more part at most before the city. */
static int fits_zone(const char *text)
{
    apr_size_t length = strlen(text);
    int slashes = 0;
    const char *at;

    if (length > ZONE_LIMIT || !is_upper(text[0]) || text[length - 1] == '/') {
        return 0;
    }
    for (at = text; *at; at++) {
        if (*at == '/') {
            slashes++;
        }
        if (*at == '/' ? at[1] == '/' : !is_alnum(*at) && !strchr("_+-", *at)) {
            return 0;
        }
    }
    return slashes == 1 || slashes == 2;
}

static const char *check_timezone(const char **value, apr_pool_t *pool)
{
    if (!apr_cstr_casecmp(*value, "UTC")) {
        *value = "UTC";
        return NULL;
    }
    if (!fits_zone(*value)) {
        return refuse(*value, "is not a time zone. Use a name of the tz "
                              "database, such as Europe/Berlin, or UTC.",
                      pool);
    }
    return NULL;
}

static int is_blank(const char *text)
{
    return !text[strspn(text, " \t\r\n")];
}

static const char *check_line(const char **value, apr_pool_t *pool)
{
    if (is_blank(*value) || strpbrk(*value, "\r\n")) {
        return "This must be one line of text, and not blank.";
    }
    return NULL;
}

/* A name that could be read as an id or as a word with a meaning of its own
 * could never be referred to. */
static const char *check_name(const char **value, apr_pool_t *pool)
{
    const char *objection = check_line(value, pool);
    alloy_id_t id;

    if (objection) {
        return objection;
    }
    if (alloy_id_parse(&id, *value)) {
        return refuse(*value, "looks like an id, so nothing can be named so.",
                      pool);
    }
    if (!apr_cstr_casecmp(*value, "none")) {
        return refuse(*value, "means \"no one\" wherever a name is asked for, "
                              "so nothing can be named so.", pool);
    }
    return NULL;
}

/* People are also found by e-mail and by "me". */
static const char *check_person(const char **value, apr_pool_t *pool)
{
    const char *objection = check_name(value, pool);

    if (objection) {
        return objection;
    }
    if (strchr(*value, '@')) {
        return refuse(*value, "has an @ in it, which tells e-mail addresses "
                              "from names. Leave it out.", pool);
    }
    if (!apr_cstr_casecmp(*value, "me")) {
        return refuse(*value, "means the caller wherever a person is asked "
                              "for, so nobody can be named so.", pool);
    }
    return NULL;
}

/* The sentence never shows the value. */
static const char *check_password(const char **value, apr_pool_t *pool)
{
    apr_size_t length = strlen(*value);

    return length < ALLOY_SECRET_PASSWORD_MIN
           || length > ALLOY_SECRET_PASSWORD_MAX
        ? "A password has 8 to 1024 bytes (letters beyond ASCII take two to "
          "four)."
        : NULL;
}

/* Where a time is asked for and a day is one: the day's end. */
static const char *check_moment(const char **value, apr_pool_t *pool)
{
    apr_int64_t ignored;

    if (alloy_date_read(&ignored, *value)
        || alloy_instant_read(&ignored, *value)) {
        return NULL;
    }
    return refuse(*value, "is no moment. Write an instant like "
                          "2026-04-01T08:00:00Z, or a date like 2026-04-01.",
                  pool);
}

const alloy_format_t alloy_format_email = {
    .name = "email", .check = check_email
};
const alloy_format_t alloy_format_slug = {
    .name = "slug", .check = check_slug,
    .pattern = "^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"
};
const alloy_format_t alloy_format_project_key = {
    .name = "project-key", .check = check_project_key,
    .pattern = "^[A-Za-z][A-Za-z0-9]{1,9}$"
};
const alloy_format_t alloy_format_currency = {
    .name = "currency", .check = check_currency,
    .pattern = "^[A-Za-z]{3}$"
};
const alloy_format_t alloy_format_timezone = {
    .name = "timezone", .check = check_timezone,
    .pattern = "^(?:[Uu][Tt][Cc]|"
        "[A-Z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){1,2})$"
};
const alloy_format_t alloy_format_name = {
    .name = "name", .check = check_name
};
const alloy_format_t alloy_format_line = {
    .name = "line", .check = check_line
};
const alloy_format_t alloy_format_person = {
    .name = "person-name", .check = check_person
};
const alloy_format_t alloy_format_moment = {
    .name = "moment", .check = check_moment,
    .pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ].*)?$"
};
const alloy_format_t alloy_format_password = {
    .name = "password", .check = check_password
};
