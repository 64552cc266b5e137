/**
 * @file front.h
 * @brief The inside of a front's request, for the files that make and use it.
 */
#ifndef ALLOY_CORE_FRONT_H
#define ALLOY_CORE_FRONT_H

#include "../alloy_front.h"
#include "arguments.h"
#include "engine.h"

struct alloy_front_t {
    alloy_engine_t *engine;     /* NULL: this child could not make one */
    const alloy_config_t *config;
    alloy_request_t request;
    const alloy_principal_t *principal; /* NULL: not identified (yet) */
    void *connection;           /* of the front: httpd's request */
    const char *operation, *user, *org, *code;  /* for the access log, or NULL */
};

/** A call of nobody's operation, for look-ups on behalf of the caller; NULL
 *  when he can't be recognized. */
struct alloy_call_t *alloy_front_look(alloy_front_t *front,
                                      const alloy_request_t *request);

/* front_fit.c: answers a model can read */
/** How many bytes the answer may have. */
apr_size_t alloy_fit_limit(const alloy_json_t *arguments);
/** Shorten a success to what a tool tells, with names beside ids and without
 *  characters nobody sees.  @return the number of rows that fit, when they are
 *  a page's and not all do: it must be run again for as many; else 0 */
int alloy_fit(alloy_front_t *front, alloy_front_answer_t *answer,
              const alloy_request_t *request);

/* tool_schema.c */
void alloy_tool_input(alloy_out_t *out, const alloy_tool_use_t *use);
void alloy_tool_output(alloy_out_t *out, const alloy_tool_use_t *use);

#endif
