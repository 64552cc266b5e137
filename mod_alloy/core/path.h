/**
 * @file path.h
 * @brief Paths and methods as rows of the operation table write them, and
 * what the registry and the router both have to know of their form.
 */
#ifndef ALLOY_CORE_PATH_H
#define ALLOY_CORE_PATH_H

#include "../alloy.h"

#define ALLOY_SEGMENTS_MAX 12 /* of one path */
#define ALLOY_METHODS 5       /* of alloy_method_e */

/** What stands between two slashes: a slice of the path it came from. */
typedef struct {
    const char *text;  /* not ended by a NUL */
    apr_size_t length; /* at least 1 */
} alloy_part_t;

typedef struct {
    int count;
    alloy_part_t parts[ALLOY_SEGMENTS_MAX];
} alloy_path_t;

/** Cut TEXT at its slashes.  0: no slash in front, one at the end, nothing
 *  between two, or more than ALLOY_SEGMENTS_MAX parts. */
int alloy_path_split(alloy_path_t *path, const char *text);

/** Is the part a parameter, "{ticket}"? */
int alloy_part_is_param(const alloy_part_t *part);
/** Is it the parameter NAME? */
int alloy_part_names(const alloy_part_t *part, const char *name);

/** The name of the parameter, or NULL when the part is none. */
const char *alloy_part_param(const alloy_part_t *part, apr_pool_t *pool);

/** NULL when PATH, from a row, has only parts that are "{name}" or made of
 *  unreserved characters (RFC 3986, section 2.3), no name twice; else a
 *  sentence. */
const char *alloy_path_fault(const char *path, apr_pool_t *pool);

/** The path with every parameter's name left out: two of the same form match
 *  the same requests. */
const char *alloy_path_form(const char *path, apr_pool_t *pool);

/** [a-z][a-z0-9_]*, LENGTH bytes? */
int alloy_name_fits(const char *text, apr_size_t length);

/** "GET" */
const char *alloy_method_name(alloy_method_e method);

#endif
