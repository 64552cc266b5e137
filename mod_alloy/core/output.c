/* The JSON stream: a buffer that grows in a pool, and the commas between what
 * is put into it. Rows of a database's answer are written by cell.c.
 */
#include "output.h"
#include "cell.h"
#include "log.h"

#include <string.h>

#include <apr_strings.h>

#define LEAST_ROOM 256          /* bytes */

/* What follows the backslash of a character that can't stand in a string as
 * it is; 'u' stands for the form with four digits (RFC 8259, section 7). */
static const char escapes[256] = {
    ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
    ['"'] = '"', ['\\'] = '\\',
    [0x00] = 'u', [0x01] = 'u', [0x02] = 'u', [0x03] = 'u', [0x04] = 'u',
    [0x05] = 'u', [0x06] = 'u', [0x07] = 'u', [0x0b] = 'u', [0x0e] = 'u',
    [0x0f] = 'u', [0x10] = 'u', [0x11] = 'u', [0x12] = 'u', [0x13] = 'u',
    [0x14] = 'u', [0x15] = 'u', [0x16] = 'u', [0x17] = 'u', [0x18] = 'u',
    [0x19] = 'u', [0x1a] = 'u', [0x1b] = 'u', [0x1c] = 'u', [0x1d] = 'u',
    [0x1e] = 'u', [0x1f] = 'u'
};

ALLOY_DECLARE(alloy_out_t *) alloy_out_make(apr_pool_t *pool,
                                            apr_size_t expected)
{
    alloy_out_t *out = apr_pcalloc(pool, sizeof(*out));

    out->pool = pool;
    out->room = expected > LEAST_ROOM ? expected : LEAST_ROOM;
    out->bytes = apr_palloc(pool, out->room);
    return out;
}

ALLOY_DECLARE(const char *) alloy_out_bytes(const alloy_out_t *out,
                                            apr_size_t *length)
{
    if (length) {
        *length = out->length;
    }
    return apr_pstrmemdup(out->pool, out->bytes, out->length);
}

void alloy_out_grow(alloy_out_t *out, apr_size_t more)
{
    apr_size_t room = out->room;
    char *bytes;

    while (room - out->length < more) {
        room *= 2;
    }
    bytes = apr_palloc(out->pool, room);
    memcpy(bytes, out->bytes, out->length);
    out->bytes = bytes;
    out->room = room;
}

void alloy_out_raw(alloy_out_t *out, const char *bytes, apr_size_t length)
{
    alloy_out_reserve(out, length);
    memcpy(out->bytes + out->length, bytes, length);
    out->length += length;
}

/* The comma before a value or a key, unless it is the first or belongs to a
 * key that was just written. */
void alloy_out_separate(alloy_out_t *out)
{
    int level = out->depth - 1;

    if (out->after_key) {
        out->after_key = 0;
        return;
    }
    if (level < 0 || level >= ALLOY_OUT_DEPTH) {
        return;
    }
    if (!out->first[level]) {
        alloy_out_raw(out, ",", 1);
    }
    out->first[level] = 0;
}

void alloy_out_begin(alloy_out_t *out, char open)
{
    alloy_out_separate(out);
    alloy_out_raw(out, &open, 1);
    if (out->depth < ALLOY_OUT_DEPTH) {
        out->open[out->depth] = open;
        out->first[out->depth] = 1;
    }
    else {
        alloy_log(ALLOY_LOG_ERROR, 0, "AL0400: an answer nests more than %d "
                  "levels, and is no JSON therefore", ALLOY_OUT_DEPTH);
    }
    out->depth++;
}

void alloy_out_end(alloy_out_t *out)
{
    if (out->depth == 0) {
        alloy_log(ALLOY_LOG_ERROR, 0, "AL0401: an answer ends more objects or "
                  "arrays than it begins");
        return;
    }
    out->depth--;
    if (out->depth < ALLOY_OUT_DEPTH) {
        alloy_out_raw(out, out->open[out->depth] == '{' ? "}" : "]", 1);
    }
}

/* How many of the first bytes can stand as they are. Eight at a time: a byte
 * has its high bit set in `found` when it, or one before it, needs escaping. */
static apr_size_t plain_run(const char *text, apr_size_t length)
{
    const apr_uint64_t ones = APR_UINT64_C(0x0101010101010101);
    const apr_uint64_t highs = APR_UINT64_C(0x8080808080808080);
    apr_uint64_t word, quote, slash, found;
    apr_size_t i = 0;

    for (; i + 8 <= length; i += 8) {
        memcpy(&word, text + i, 8);
        quote = word ^ (ones * '"');
        slash = word ^ (ones * '\\');
        found = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote)
            | ((slash - ones) & ~slash);
        if (found & highs) {
            break;
        }
    }
    while (i < length && !escapes[(unsigned char)text[i]]) {
        i++;
    }
    return i;
}

static void write_escape(alloy_out_t *out, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    char *at = out->bytes + out->length;

    at[0] = '\\';
    at[1] = escapes[byte];
    if (at[1] != 'u') {
        out->length += 2;
        return;
    }
    at[2] = at[3] = '0';
    at[4] = digits[byte >> 4];
    at[5] = digits[byte & 0x0f];
    out->length += 6;
}

void alloy_out_string(alloy_out_t *out, const char *text, apr_size_t length)
{
    apr_size_t run;

    alloy_out_reserve(out, length + 2);
    out->bytes[out->length++] = '"';
    while (length > 0) {
        run = plain_run(text, length);
        memcpy(out->bytes + out->length, text, run);
        out->length += run;
        text += run;
        length -= run;
        if (length > 0) {
            alloy_out_reserve(out, length + 7);
            write_escape(out, (unsigned char)*text++);
            length--;
        }
    }
    out->bytes[out->length++] = '"';
}

void alloy_out_key(alloy_out_t *out, const char *key)
{
    alloy_out_separate(out);
    alloy_out_string(out, key, strlen(key));
    alloy_out_raw(out, ":", 1);
    out->after_key = 1;
}

void alloy_out_text(alloy_out_t *out, const char *value)
{
    alloy_out_separate(out);
    if (value) {
        alloy_out_string(out, value, strlen(value));
    }
    else {
        alloy_out_raw(out, "null", 4);
    }
}

void alloy_out_int(alloy_out_t *out, apr_int64_t value)
{
    alloy_out_separate(out);
    alloy_out_reserve(out, ALLOY_INT_SIZE);
    out->length += alloy_int_write(out->bytes + out->length, value);
}

void alloy_out_bool(alloy_out_t *out, int value)
{
    alloy_out_separate(out);
    alloy_out_raw(out, value ? "true" : "false", value ? 4 : 5);
}

void alloy_out_json(alloy_out_t *out, const char *json)
{
    alloy_out_separate(out);
    alloy_out_raw(out, json, strlen(json));
}

void alloy_out_instant(alloy_out_t *out, apr_int64_t micros)
{
    alloy_out_reserve(out, ALLOY_INSTANT_SIZE);
    if (!alloy_instant_write(out->bytes + out->length, micros)) {
        alloy_out_raw(out, "null", 4);
        return;
    }
    out->length += ALLOY_INSTANT_SIZE;
}
