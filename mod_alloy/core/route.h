/**
 * @file route.h
 * @brief From method and path to an operation: a tree of segments, built once,
 * walked without allocation.  Literal segments win over parameters.
 */
#ifndef ALLOY_CORE_ROUTE_H
#define ALLOY_CORE_ROUTE_H

#include "path.h"
#include "registry.h"

typedef struct alloy_router_t alloy_router_t;

typedef struct {
    const alloy_op_t *op;                     /* NULL: see methods */
    const char *segments[ALLOY_SEGMENTS_MAX]; /* decoded, by index */
    int count;
    unsigned methods; /* bits (1 << alloy_method_e) the path has; 0:
                                 * no such path */
    int head;         /* HEAD of a GET */
    int options;      /* OPTIONS: answer Allow */
} alloy_route_t;

/** The tree of every operation of the registry, hidden ones as well. */
alloy_router_t *alloy_router_make(const alloy_registry_t *registry,
                                  apr_pool_t *pool);

/** PATH begins with '/' and is still percent-encoded (encoded slashes stay in
 *  their segment); a trailing slash, an empty segment, bad encoding or NUL is
 *  no path of ours. */
void alloy_route_find(alloy_route_t *route, const alloy_router_t *router,
                      const char *method, const char *path, apr_pool_t *pool);

/** "GET, HEAD, OPTIONS, PATCH" for METHODS. */
const char *alloy_route_allow(unsigned methods, apr_pool_t *pool);

#endif
