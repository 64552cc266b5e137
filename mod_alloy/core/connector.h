/**
 * @file connector.h
 * @brief The thread that opens, checks and closes a child's connections and
 * looks whether the schema fits; and what it shares with db.c and session.c.
 */
#ifndef ALLOY_CORE_CONNECTOR_H
#define ALLOY_CORE_CONNECTOR_H

#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "pool.h"

struct alloy_db_t {
    alloy_db_config_t config;
    const char *read_timeout, *write_timeout, *slow_timeout;
    /* the server's own, in milliseconds, shorter
                                 * than ours: its answer is the better one */
    alloy_pool_t *pool;
    struct alloy_lane_t *reads, *writes; /* NULL: everybody travels alone */
    apr_pool_t *memory; /* the connector's, and parent of connections' */

    /* the connector's alone */
    const apr_dbd_driver_t *driver;
    const char *params; /* of apr_dbd_open_ex */
    apr_thread_t *thread;
    int complete; /* all connections are open */
    apr_time_t next_open, next_look, next_check;
    apr_hash_t *sentences; /* every schema_fault ever said */

    apr_thread_mutex_t *mutex; /* for what follows */
    const char *const *components;
    const int *versions;
    int ncomponents;
    int asked; /* check the schema now */
    int migration, schema_fits;
    const char *schema_fault;
};

/** Needs config, pool and mutex; fills in the rest and starts the thread. */
apr_status_t alloy_connector_start(alloy_db_t *db);

/** Stop and join it; within 3 seconds even if the database is silent. */
void alloy_connector_stop(alloy_db_t *db);

/** A pool with an allocator of its own, so that threads don't meet in one. */
apr_status_t alloy_connector_pool(apr_pool_t **pp, apr_pool_t *parent);

/** Compare the schema with what DB expects.  Needs an idle connection.
 *  @return 0 when there was none or no answer came */
int alloy_schema_check(alloy_db_t *db);

#endif
