/**
 * @file log.h
 * @brief The error log, seen from the engine: the module plugs in httpd's,
 * unit tests their own.
 */
#ifndef ALLOY_CORE_LOG_H
#define ALLOY_CORE_LOG_H

#include <stdarg.h>

#include <apr_errno.h>
#include <apr_pools.h>

/* the levels of syslog, as httpd's */
#define ALLOY_LOG_ERROR 3
#define ALLOY_LOG_WARN  4
#define ALLOY_LOG_INFO  6
#define ALLOY_LOG_DEBUG 7

/** STATUS may be 0.  The writer must be callable from any thread. */
typedef void alloy_log_write_fn(void *baton, int level, apr_status_t status,
                                const char *line);

/** Set before threads start.  WRITE NULL: nothing is logged. */
void alloy_log_set(alloy_log_write_fn *write, void *baton, int level);

/** FMT begins with a stable tag, "AL0123: ".  Never a secret. */
void alloy_log(int level, apr_status_t status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
