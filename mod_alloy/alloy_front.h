/**
 * @file alloy_front.h
 * @brief What another way into Alloy than REST needs: the operations as tools,
 * run through the same pipeline for the same callers.
 *
 * A front is an Apache module with a handler of its own.  It claims its
 * requests, reads what its protocol says, and calls tools by name; rights,
 * tenants, validation and the change log are the engine's.  Memory: everything
 * lives as long as the request.
 */
#ifndef ALLOY_FRONT_H
#define ALLOY_FRONT_H

#include "alloy.h"

struct request_rec;
struct server_rec;

/** A front's view of one request. */
typedef struct alloy_front_t alloy_front_t;

/* ---- JSON that came in ------------------------------------------------------ */
typedef struct json_t alloy_json_t;

typedef enum {
    ALLOY_JSON_NULL, ALLOY_JSON_BOOL, ALLOY_JSON_INT, ALLOY_JSON_REAL,
    ALLOY_JSON_TEXT, ALLOY_JSON_ARRAY, ALLOY_JSON_MAP
} alloy_json_e;

/** Parse strictly (RFC 7493); the value lives as long as POOL.  Problem:
 *  malformed_json with line and column. */
ALLOY_DECLARE(alloy_problem_t *) alloy_json_parse(const alloy_json_t **pvalue,
                                                  const char *bytes,
                                                  apr_size_t length,
                                                  apr_pool_t *pool);
ALLOY_DECLARE(alloy_json_e) alloy_json_type(const alloy_json_t *value);
ALLOY_DECLARE(int) alloy_json_true(const alloy_json_t *value);
ALLOY_DECLARE(apr_int64_t) alloy_json_int(const alloy_json_t *value);
ALLOY_DECLARE(double) alloy_json_real(const alloy_json_t *value);
/** LENGTH may be NULL. */
ALLOY_DECLARE(const char *) alloy_json_text(const alloy_json_t *value,
                                            apr_size_t *length);
ALLOY_DECLARE(apr_size_t) alloy_json_count(const alloy_json_t *value);
ALLOY_DECLARE(const alloy_json_t *) alloy_json_at(const alloy_json_t *array,
                                                  apr_size_t index);
/** NULL when there is no such key. */
ALLOY_DECLARE(const alloy_json_t *) alloy_json_get(const alloy_json_t *map,
                                                   const char *key);
/** Compact JSON text. */
ALLOY_DECLARE(const char *) alloy_json_write(const alloy_json_t *value,
                                             apr_pool_t *pool);

/** What a problem says to people. */
ALLOY_DECLARE(const char *) alloy_problem_detail(const alloy_problem_t *problem);

/* ---- JSON that goes out ------------------------------------------------------ */
/** A stream of its own, for alloy_out_*(); EXPECTED bytes are a guess. */
ALLOY_DECLARE(alloy_out_t *) alloy_out_make(apr_pool_t *pool,
                                            apr_size_t expected);
/** What has been written so far, ended by NUL. */
ALLOY_DECLARE(const char *) alloy_out_bytes(const alloy_out_t *out,
                                            apr_size_t *length);

/* ---- requests ------------------------------------------------------------------ */
/** R is a front's: no file, no proxy, no ErrorDocument; in a hook of
 *  pre_translate_name. */
ALLOY_DECLARE(void) alloy_front_claim(struct request_rec *r);

/** Answers of the host's REST API that ask for a token name the document at
 *  PATH ("/.well-known/...", RFC 9728); in a hook of post_config. */
ALLOY_DECLARE(void) alloy_front_metadata(struct server_rec *server,
                                         const char *path);

/** CLIENT ("mcp") is the change log's word for this front.  NULL when R's host
 *  has no API. */
ALLOY_DECLARE(alloy_front_t *) alloy_front_make(struct request_rec *r,
                                                const char *client);

/** The body within the host's limit.  Problems: payload_too_large,
 *  request_timeout, bad_request. */
ALLOY_DECLARE(alloy_problem_t *) alloy_front_body(alloy_front_t *front,
                                                  const char **bytes,
                                                  apr_size_t *length);

/** Who calls, for the change log; without it, the User-Agent. */
ALLOY_DECLARE(void) alloy_front_client_name(alloy_front_t *front,
                                            const char *name);

/** The URL people reach the server at, without a slash at the end. */
ALLOY_DECLARE(const char *) alloy_front_base_url(const alloy_front_t *front);
ALLOY_DECLARE(const char *) alloy_front_version(const alloy_front_t *front);

/* ---- calls ------------------------------------------------------------------ */
/** What came of a call. */
typedef struct {
    int status;                 /* as REST would answer; below 400: a success */
    const char *json;           /* an object: the answer, or the problem */
    apr_size_t length;
    apr_table_t *headers;       /* Retry-After, WWW-Authenticate, ... */
    const char *code;           /* the problem's, or NULL */
    const char *detail;         /* the problem's sentence, or NULL */
} alloy_front_answer_t;

/** Does the caller bring a token that can be his?  It may have ended meanwhile:
 *  what is done with it finds out.  ANSWER as below. */
ALLOY_DECLARE(void) alloy_front_recognize(alloy_front_t *front,
                                          alloy_front_answer_t *answer);

/** Is the caller who he says he is?  Counts against his rate.  Then ANSWER's status is 200; else it is
 *  the problem (401, 429, 503). */
ALLOY_DECLARE(void) alloy_front_identify(alloy_front_t *front,
                                         alloy_front_answer_t *answer);

/**
 * Run the tool NAME with ARGUMENTS, an object or NULL.  A bare array is
 * answered as {"items": [...]}, nothing as {}, a document as {"type", "text"}.
 * @return 0 when there is no such tool
 */
ALLOY_DECLARE(int) alloy_front_call(alloy_front_t *front,
                                    alloy_front_answer_t *answer,
                                    const char *name,
                                    const alloy_json_t *arguments);

/** A problem of a front's own; DETAIL is a sentence. */
ALLOY_DECLARE(alloy_problem_t *) alloy_front_problem(
    alloy_front_t *front, const alloy_problem_kind_t *kind, const char *detail);

/** A problem a front met by itself, as an answer. */
ALLOY_DECLARE(void) alloy_front_refuse(alloy_front_t *front,
                                       alloy_front_answer_t *answer,
                                       const alloy_problem_t *problem);

/** Send BYTES as the response, with the fields every answer of Alloy has.
 *  HEADERS may be NULL; TYPE NULL: no body.  @return what the handler
 *  returns */
ALLOY_DECLARE(int) alloy_front_send(alloy_front_t *front, int status,
                                    apr_table_t *headers, const char *type,
                                    const char *bytes, apr_size_t length);

/* ---- tools ------------------------------------------------------------------- */
/** An operation as a tool. */
typedef struct {
    const char *name;
    const char *title;          /* a few words */
    const char *summary;        /* one sentence */
    const char *help;           /* more, or NULL */
    const char *noun;           /* "tickets": a group of tools */
    const char *uri;            /* of the document it answers, with the name of
                                 * an argument in {} as its end; or NULL */
    int listed;                 /* worth showing to whoever asks for no group */
    int reads;                  /* changes nothing */
    int destroys;               /* may remove or overwrite something */
    int repeats;                /* doing it again changes nothing more */
    const struct alloy_tool_use_t *use;
} alloy_front_tool_t;

/**
 * The tools this caller may call, after alloy_front_identify(), always in the
 * same order.  @return their number
 */
ALLOY_DECLARE(int) alloy_front_tools(alloy_front_t *front,
                                     const alloy_front_tool_t **ptools);

/** The JSON schemas of a tool's arguments and of its answer. */
ALLOY_DECLARE(void) alloy_front_input(alloy_out_t *out,
                                      const alloy_front_tool_t *tool);
ALLOY_DECLARE(void) alloy_front_output(alloy_out_t *out,
                                       const alloy_front_tool_t *tool);

#endif
