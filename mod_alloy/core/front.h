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

/* tool_schema.c */
void alloy_tool_input(alloy_out_t *out, const alloy_tool_use_t *use);
void alloy_tool_output(alloy_out_t *out, const alloy_tool_use_t *use);

#endif
