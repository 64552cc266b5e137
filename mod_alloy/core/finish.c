/*
 * The end of a success: its status, its entity tag, its headers. Done inside
 * the transaction when the answer is kept for a repeated request.
 */
#include "convention.h"

#include <string.h>

#include <apr_strings.h>

#include "media.h"

#define FNV_BASIS APR_UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME APR_UINT64_C(0x100000001b3)

static int ordinary_status(const alloy_op_t *op)
{
    return op->row->flags & ALLOY_CREATES ? 201 : 200;
}

static void take_body(alloy_call_t *call)
{
    alloy_answer_t *answer = call->answer;

    if (call->out && answer->status != 204 && !answer->body) {
        answer->type = "application/json";
        answer->body = call->out->bytes;
        answer->length = call->out->length;
    }
    if (!answer->body && answer->status == ordinary_status(call->op)) {
        answer->status = 204;
    }
}

/* FNV-1a over eight bytes at a time, whose upper half is folded into the lower
 * one because products carry upwards only: tells representations of one
 * version apart (other fields, another role's view), and need not withstand
 * anybody. */
static apr_uint64_t hash_of(const char *bytes, apr_size_t length)
{
    apr_uint64_t hash = FNV_BASIS ^ length;
    apr_uint64_t word;

    for (; length >= sizeof(word); length -= sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        hash = (hash ^ word) * FNV_PRIME;
        hash ^= hash >> 32;
        bytes += sizeof(word);
    }
    for (; length; length--) {
        hash = (hash ^ (unsigned char)*bytes++) * FNV_PRIME;
    }
    return hash;
}

static const char *tag_of(const alloy_call_t *call)
{
    return apr_psprintf(call->pool, "\"%s-%016" APR_UINT64_T_HEX_FMT "\"",
                        call->version ? call->version : "0",
                        hash_of(call->answer->body, call->answer->length));
}

/* A tag as it came, without what mod_deflate and mod_brotli append; LENGTH of
 * it counts. */
static int same_tag(const char *sent, apr_size_t length, const char *tag)
{
    apr_size_t own = strlen(tag) - 1;   /* without the closing quote */

    if (length > 2 && !strncmp(sent, "W/", 2)) {
        sent += 2;
        length -= 2;
    }
    return length > own && !strncmp(sent, tag, own)
           && (sent[own] == '"' || sent[own] == '-');
}

static int is_known(const char *sent, const char *tag)
{
    while (sent && *sent) {
        apr_size_t length;

        sent += strspn(sent, ", \t");
        length = strcspn(sent, ", \t");
        if ((length == 1 && *sent == '*') || same_tag(sent, length, tag)) {
            return 1;
        }
        sent += length;
    }
    return 0;
}

static void write_tag(alloy_call_t *call)
{
    alloy_answer_t *answer = call->answer;
    int reads = call->op->row->method == ALLOY_GET;
    const char *tag;

    if (!answer->body || !call->single || (!reads && !call->version)
        || alloy_convention_dry(call)) {
        return;
    }
    tag = tag_of(call);
    apr_table_setn(answer->headers, "ETag", tag);
    if (!reads) {
        return;
    }
    apr_table_setn(answer->headers, "Cache-Control", "private, no-cache");
    if (is_known(alloy_request_header(call->request, "If-None-Match"), tag)) {
        answer->status = 304;
        answer->type = NULL;
        answer->body = NULL;
        answer->length = 0;
    }
}

static void write_headers(alloy_call_t *call)
{
    apr_table_t *headers = call->answer->headers;

    if (alloy_convention_dry(call)) {
        apr_table_setn(headers, "Dry-Run", "true");
        apr_table_unset(headers, "Location");
    }
    else if (call->change_id && call->op->writes) {
        apr_table_setn(headers, "Alloy-Change-Id", call->change_id);
    }
    if (alloy_media_varies(call->op->row)) {
        apr_table_mergen(headers, "Vary", "Accept");
    }
    if (call->op->row->flags & ALLOY_REVEALS) {
        apr_table_setn(headers, "Cache-Control", "no-store");
    }
}

void alloy_finish(alloy_call_t *call)
{
    if (call->finished) {
        return;
    }
    call->finished = 1;
    take_body(call);
    write_tag(call);
    write_headers(call);
}
