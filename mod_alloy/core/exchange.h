/**
 * @file exchange.h
 * @brief One round trip on one connection: statements, Sync, their answers.
 */
#ifndef ALLOY_CORE_EXCHANGE_H
#define ALLOY_CORE_EXCHANGE_H

#include "pool.h"

/** What is known of the statements when it is over. */
typedef enum {
    ALLOY_EXCHANGE_DONE,    /* Sync was answered, no error before it */
    ALLOY_EXCHANGE_REFUSED, /* an error: nothing of it has an effect */
    ALLOY_EXCHANGE_UNSENT,  /* Sync was not sent: no effect either */
    ALLOY_EXCHANGE_LOST,    /* the connection ended, answers are missing */
    ALLOY_EXCHANGE_SILENT   /* answers are missing at the deadline */
} alloy_exchange_e;

/** The caller fills in the first part, the rest begins as zero. */
typedef struct {
    const alloy_step_t *steps;
    int count;
    int prepare;             /* 0: unnamed statements */
    apr_time_t deadline;     /* of alloy_pool_now's clock */
    PGresult **results;      /* COUNT, NULL at first; the caller clears */
    alloy_db_fault_t *fault; /* the first error's; texts from POOL */
    apr_pool_t *pool;

    struct alloy_prepared_t **parses; /* per step: its Parse is not answered */
    int at;                           /* the step whose answer comes next */
    int refused;
    int failed;   /* the step of the first error; COUNT: Sync */
    int fatal;    /* the error was the session's end */
    int doubtful; /* committed here, perhaps not on a standby */
} alloy_exchange_t;

/** Parameters are copied into the connection before anything is sent: nothing
 *  of the caller is looked at after the return.  A connection that is of no
 *  more use is marked as ended. */
alloy_exchange_e alloy_exchange_run(alloy_exchange_t *exchange,
                                    alloy_connection_t *connection);

void alloy_exchange_clear(alloy_exchange_t *exchange);

/** Make a new connection ready: pipeline mode, notices. */
int alloy_exchange_prepare(alloy_connection_t *connection);

#endif
