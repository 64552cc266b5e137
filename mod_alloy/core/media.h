/**
 * @file media.h
 * @brief The media types an operation can answer in, and which of them a
 * request would rather have (RFC 9110, section 12.5.1).
 */
#ifndef ALLOY_CORE_MEDIA_H
#define ALLOY_CORE_MEDIA_H

#include "../alloy_report.h"

#define ALLOY_JSON_TYPE "application/json"

/** A type besides JSON, and the flag of the operations that answer it. */
typedef struct {
    unsigned flag;
    const char *type;
} alloy_media_t;

/** All there are, ended by a NULL type. */
extern const alloy_media_t alloy_media[];

/** Any of the flags in alloy_media: what is answered depends on Accept. */
int alloy_media_varies(const alloy_operation_t *row);

/** The type to answer a request with, that sent ACCEPT (NULL: nothing); JSON
 *  when nothing else is preferred. */
const char *alloy_media_choose(const alloy_operation_t *row,
                               const char *accept);

/** The types for a sentence: "application/json or text/csv". */
const char *alloy_media_list(const alloy_operation_t *row, apr_pool_t *pool);

#endif
