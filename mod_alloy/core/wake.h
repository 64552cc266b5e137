/**
 * @file wake.h
 * @brief Who waits for changes of an organization, and what wakes him: commits
 * of this process at once, those of others by LISTEN and NOTIFY.
 *
 * A wake-up may be lost, and may come for nothing; whoever waits looks again
 * once a second anyway.  No transaction that writes calls NOTIFY, which would
 * make every commit of the cluster wait for the one before it: a thread of its
 * own tells the others, at most once in 20 ms, on a connection of its own.
 */
#ifndef ALLOY_CORE_WAKE_H
#define ALLOY_CORE_WAKE_H

#include "db.h"

typedef struct alloy_wake_t alloy_wake_t;

/** Starts the thread; does not wait for the database.  At most WAITERS wait at
 *  once.  POOL's pre-cleanup stops it. */
apr_status_t alloy_wake_make(alloy_wake_t **pwake, alloy_db_t *db, int waiters,
                             apr_pool_t *pool);

/** A commit has changed something of ORG (an id as text, NULL: who knows). */
void alloy_wake_mark(alloy_wake_t *wake, const char *org);

/** May one more wait?  If so, alloy_wake_leave() must follow. */
int alloy_wake_enter(alloy_wake_t *wake);
void alloy_wake_leave(alloy_wake_t *wake);

/** A number that is another one after a change of one of the COUNT
 *  organizations; to be taken before one looks for changes. */
unsigned alloy_wake_state(alloy_wake_t *wake, const char *const *orgs,
                          int count);
/** Wait until that number is another one than STATE, at most until UNTIL (of
 *  alloy_pool_now's clock).  @return 0 when the child is about to end. */
int alloy_wake_wait(alloy_wake_t *wake, unsigned state,
                    const char *const *orgs, int count, apr_time_t until);

/** Nobody waits from now on. */
void alloy_wake_stop(alloy_wake_t *wake);

#endif
