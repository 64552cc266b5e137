/* The rules for single values. Each type has one function that turns the text
 * into its canonical form or says in a sentence what is wrong with it; the
 * table of types at the end is what all fronts go through.
 */
#include "check.h"
#include "id.h"
#include "instant.h"
#include "limits.h"
#include "param.h"
#include "utf8.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#define QUOTE_LIMIT 60          /* characters of a value in a sentence */

typedef int check_fn(alloy_check_t *check);

int alloy_check_object(alloy_check_t *check, const char *code,
                       const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    check->code = code;
    check->detail = apr_pvsprintf(check->pool, fmt, args);
    va_end(args);
    return 0;
}

/* The value for a sentence: cut when it is long, not shown when secret. */
static const char *quote(const alloy_check_t *check)
{
    apr_size_t size = alloy_utf8_prefix(check->text, QUOTE_LIMIT);

    if (check->param->flags & ALLOY_SECRET) {
        return "The value";
    }
    return apr_pstrcat(check->pool, "\"",
                       apr_pstrmemdup(check->pool, check->text, size),
                       check->text[size] ? "..." : "", "\"", NULL);
}

/* ---- Text --------------------------------------------------------------- */

static int is_control(apr_int32_t point)
{
    return point < 0x20 || (point >= 0x7f && point <= 0x9f);
}

/* Characters that are not seen but change how a line is read: they let one
 * name look like another. Joiners stay: scripts and emoji need them. */
static int is_deceptive(apr_int32_t point)
{
    return point == 0x200b || point == 0x200e || point == 0x200f
        || (point >= 0x2028 && point <= 0x202e)
        || (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

static int is_accepted(apr_int32_t point, int multiline)
{
    if (multiline && (point == '\n' || point == '\t' || point == '\r')) {
        return 1;
    }
    return !is_control(point) && (multiline || !is_deceptive(point));
}

static int is_space(apr_int32_t point)
{
    return point == ' ' || (point >= '\t' && point <= '\r') || point == 0xa0
        || point == 0x1680 || (point >= 0x2000 && point <= 0x200d)
        || point == 0x202f || point == 0x205f || point == 0x3000;
}

/* Count the characters, and those one can see; object to what is no text. */
static int count_characters(alloy_check_t *check, int *count, int *visible)
{
    int multiline = (check->param->flags & ALLOY_MULTILINE) != 0;
    const char *at = check->text;
    apr_int32_t point;

    *count = *visible = 0;
    while ((point = alloy_utf8_next(&at)) > 0) {
        ++*count;
        *visible += !is_space(point);
        if (!is_accepted(point, multiline)) {
            return alloy_check_object(check, "characters", "Character %d is "
                                      "U+%04X, which is not accepted here. "
                                      "Take it out.", *count, point);
        }
    }
    if (point < 0) {
        return alloy_check_object(check, "characters", "The bytes behind "
                                  "character %d are not UTF-8.", *count);
    }
    return 1;
}

static int check_length(alloy_check_t *check, apr_int64_t least,
                        apr_int64_t most)
{
    int count, visible;

    if (!count_characters(check, &count, &visible)) {
        return 0;
    }
    if (least > 0 && !visible) {
        return alloy_check_object(check, count ? "blank" : "too_short",
                                  "This must not be %s.",
                                  count ? "blank" : "empty");
    }
    if (count < least) {
        return alloy_check_object(check, "too_short", "This has %d characters "
                                  "and needs at least %" APR_INT64_T_FMT ".",
                                  count, least);
    }
    if (count > most) {
        return alloy_check_object(check, "too_long", "This has %d characters "
                                  "and may have at most %" APR_INT64_T_FMT ".",
                                  count, most);
    }
    return 1;
}

static int check_plain(alloy_check_t *check)
{
    const alloy_param_t *param = check->param;

    return check_length(check, param->least,
                        param->most ? param->most : ALLOY_TEXT_LIMIT);
}

static const char *lower(const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text);
    char *at;

    for (at = copy; *at; at++) {
        if (*at >= 'A' && *at <= 'Z') {
            *at = (char)(*at - 'A' + 'a');
        }
    }
    return copy;
}

static int check_uuid(alloy_check_t *check)
{
    alloy_id_t id;

    if (!alloy_id_parse(&id, check->text)) {
        return alloy_check_object(check, "format", "%s is not an id. Ids look "
                                  "like 01890a5d-ac96-774b-bcce-b302099a8057.",
                                  quote(check));
    }
    check->text = lower(check->text, check->pool);
    return 1;
}

static int check_reference(alloy_check_t *check)
{
    alloy_id_t id;

    if (!check_length(check, 1, ALLOY_REF_LIMIT)) {
        return 0;
    }
    if (alloy_id_parse(&id, check->text)) {
        check->text = lower(check->text, check->pool);
    }
    return 1;
}

/* ---- Words -------------------------------------------------------------- */

const char *alloy_word_find(const char *const *words,
                            const char *const *aliases, const char *text)
{
    for (; *words; words++) {
        if (!apr_cstr_casecmp(*words, text)) {
            return *words;
        }
    }
    for (; aliases && *aliases; aliases += 2) {
        if (!apr_cstr_casecmp(aliases[0], text)) {
            return aliases[1];
        }
    }
    return NULL;
}

static const char *list_words(const char *const *words, apr_pool_t *pool)
{
    const char *list = *words ? *words : "";

    while (*words && *++words) {
        list = apr_pstrcat(pool, list, ", ", *words, NULL);
    }
    return list;
}

static int check_word(alloy_check_t *check)
{
    const alloy_param_t *param = check->param;
    const char *word = alloy_word_find(param->words, param->aliases,
                                       check->text);

    if (!word) {
        check->allowed = param->words;
        return alloy_check_object(check, "not_allowed",
                                  "%s is not one of %s.", quote(check),
                                  list_words(param->words, check->pool));
    }
    check->text = word;
    return 1;
}

/* ---- Numbers ------------------------------------------------------------ */

/* A limit of 0 above a positive or below a negative one is no limit. */
static int is_over(const alloy_param_t *param, apr_int64_t number, int scale)
{
    int limited = param->most != 0 || param->least < 0;

    return limited && number > param->most * scale;
}

static int is_under(const alloy_param_t *param, apr_int64_t number, int scale)
{
    int limited = param->least != 0 || param->most > 0;

    return limited && number < param->least * scale;
}

int alloy_check_number(alloy_check_t *check)
{
    const alloy_param_t *param = check->param;
    int scale = param->type == ALLOY_HALF ? 2
        : param->type == ALLOY_HUNDREDTH ? 100 : 1;

    if (is_over(param, check->number, scale)) {
        return alloy_check_object(check, "too_large", "This is larger than "
                                  "the largest value accepted, %"
                                  APR_INT64_T_FMT ".", param->most);
    }
    if (is_under(param, check->number, scale)) {
        return alloy_check_object(check, "too_small", "This is smaller than "
                                  "the smallest value accepted, %"
                                  APR_INT64_T_FMT ".", param->least);
    }
    check->text = apr_psprintf(check->pool, "%" APR_INT64_T_FMT,
                               check->number);
    return 1;
}

/* Decimal digits with or without a sign, up to BOUND in size; the text behind
 * them, or NULL. */
static const char *read_number(apr_int64_t *number, const char *text,
                               apr_int64_t bound)
{
    int sign = *text == '-' ? -1 : 1;
    const char *at = text + (sign < 0);

    *number = 0;
    if (*at < '0' || *at > '9') {
        return NULL;
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        if (*number > (bound - (*at - '0')) / 10) {
            return NULL;
        }
        *number = *number * 10 + (*at - '0');
    }
    *number *= sign;
    return at;
}

static int check_int(alloy_check_t *check)
{
    const char *end = read_number(&check->number, check->text, APR_INT64_MAX);

    if (!end || *end) {
        return alloy_check_object(check, "type", "%s is not a whole number of "
                                  "64 bits.", quote(check));
    }
    return alloy_check_number(check);
}

/* ".5" and ".0", with any number of zeros behind: 1 or 0 halves; -1: other. */
static int read_half(const char *text)
{
    int half;

    if (!*text) {
        return 0;
    }
    if (text[0] != '.' || (text[1] != '0' && text[1] != '5')) {
        return -1;
    }
    half = text[1] == '5';
    text += 2;
    return text[strspn(text, "0")] ? -1 : half;
}

static int check_half(alloy_check_t *check)
{
    const char *end = read_number(&check->number, check->text,
                                  APR_INT64_MAX / 4);
    int half = end ? read_half(end) : -1;

    if (half < 0) {
        return alloy_check_object(check, "type", "%s is not a number in steps "
                                  "of one half, such as 2.5.", quote(check));
    }
    check->number = 2 * check->number + (check->text[0] == '-' ? -half : half);
    return alloy_check_number(check);
}

/* ".5", ".25" and "", with any number of zeros behind: 50, 25, 0; -1: other. */
static int read_hundredths(const char *text)
{
    int hundredths = 0, worth;

    if (!*text) {
        return 0;
    }
    if (text[0] != '.' || text[1] < '0' || text[1] > '9') {
        return -1;
    }
    text++;
    for (worth = 10; worth > 0 && *text >= '0' && *text <= '9'; worth /= 10) {
        hundredths += worth * (*text++ - '0');
    }
    return text[strspn(text, "0")] ? -1 : hundredths;
}

static int check_hundredth(alloy_check_t *check)
{
    const char *end = read_number(&check->number, check->text,
                                  APR_INT64_MAX / 200);
    int rest = end ? read_hundredths(end) : -1;

    if (rest < 0) {
        return alloy_check_object(check, "type", "%s is not a number of two "
                                  "decimals at most, such as 1.25.",
                                  quote(check));
    }
    check->number = 100 * check->number
                    + (check->text[0] == '-' ? -rest : rest);
    return alloy_check_number(check);
}

static int check_bool(alloy_check_t *check)
{
    static const char *const words[] = { "true", "false", NULL };
    static const char *const digits[] = { "1", "true", "0", "false", NULL };
    const char *word = alloy_word_find(words, digits, check->text);

    if (!word) {
        check->allowed = words;
        return alloy_check_object(check, "type", "%s is neither true nor "
                                  "false.", quote(check));
    }
    check->number = *word == 't';
    check->text = word;
    return 1;
}

/* ---- Time --------------------------------------------------------------- */

static int check_date(alloy_check_t *check)
{
    apr_int64_t days;

    if (!alloy_date_read(&days, check->text)) {
        return alloy_check_object(check, "format", "%s is not a date of the "
                                  "calendar. Write it as YYYY-MM-DD.",
                                  quote(check));
    }
    return 1;
}

/* The '+' of an offset that was not encoded reads as a space in a query. */
static int check_instant(alloy_check_t *check)
{
    char text[ALLOY_INSTANT_SIZE];

    if (!alloy_instant_read(&check->number, check->text)) {
        return alloy_check_object(check, "format", "%s is not an instant. "
                                  "Write it as 2026-04-01T08:00:00Z%s.",
                                  quote(check), strchr(check->text, ' ')
                                  ? ", and a + in a query as %2B" : "");
    }
    alloy_instant_write(text, check->number);
    check->text = apr_pstrmemdup(check->pool, text, sizeof(text));
    return 1;
}

/* ---- All of them -------------------------------------------------------- */

static check_fn *const checks[] = {
    [ALLOY_TEXT] = check_plain,
    [ALLOY_INT] = check_int,
    [ALLOY_BOOL] = check_bool,
    [ALLOY_UUID] = check_uuid,
    [ALLOY_DATE] = check_date,
    [ALLOY_INSTANT] = check_instant,
    [ALLOY_WORD] = check_word,
    [ALLOY_REF] = check_reference,
    [ALLOY_LIST] = check_plain,
    [ALLOY_OBJECT] = check_plain,
    [ALLOY_HALF] = check_half,
    [ALLOY_JSON] = check_plain,
    [ALLOY_HUNDREDTH] = check_hundredth
};

/* A format's sentence may quote the value, so a secret gets one without. */
static int check_format(alloy_check_t *check)
{
    const alloy_format_t *format = check->param->format;
    const char *sentence;

    sentence = format ? format->check(&check->text, check->pool) : NULL;
    if (!sentence) {
        return 1;
    }
    if (check->param->flags & ALLOY_SECRET) {
        return alloy_check_object(check, "format", "The value is not of the "
                                  "format %s.", format->name);
    }
    return alloy_check_object(check, "format", "%s", sentence);
}

int alloy_check_text(alloy_check_t *check)
{
    return checks[check->param->type](check) && check_format(check);
}

const char *alloy_param_check_text(const alloy_param_t *param,
                                   const char **value, apr_pool_t *pool)
{
    alloy_check_t check = { .param = param, .pool = pool, .text = *value };

    if (!alloy_check_text(&check)) {
        return check.detail;
    }
    *value = check.text;
    return NULL;
}
