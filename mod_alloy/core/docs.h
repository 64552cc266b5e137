/**
 * @file docs.h
 * @brief The operation table as a page for people.
 */
#ifndef ALLOY_CORE_DOCS_H
#define ALLOY_CORE_DOCS_H

#include "registry.h"

/** A whole HTML page without scripts or anything to load; BASE is the URL of
 *  the API.  Hidden operations are left out. */
const char *alloy_docs_write(const alloy_registry_t *registry,
                             const char *base, apr_pool_t *pool);

#endif
