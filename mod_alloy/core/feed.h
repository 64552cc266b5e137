/**
 * @file feed.h
 * @brief The feed of changes: cursors that hold snapshots, pages of the change
 * log, and waiting for the next change.
 */
#ifndef ALLOY_CORE_FEED_H
#define ALLOY_CORE_FEED_H

#include "../alloy.h"

#define ALLOY_FEED_SNAPSHOT 8000        /* characters of one, more is refused */

/**
 * Where a reader is.  Snapshots are texts as PostgreSQL writes them
 * (pg_snapshot: "10:20:10,14"), NULL where there is none.
 */
typedef struct {
    const char *epoch;          /* of the database, which a restore changes */
    const char *reader;         /* version of the caller's access ... */
    const char *sight;          /* ... and the snapshot it was true in */
    const char *old;            /* what was visible in it is behind him */
    const char *new;            /* of the read in progress, or NULL */
    const char *last;           /* seq of its last row; "0" when NEW is NULL */
} alloy_feed_place_t;

/** BINDING is the same for all cursors of one reader and one filter. */
const char *alloy_feed_cursor_write(const alloy_feed_place_t *place,
                                    const char *binding, apr_pool_t *pool);
/** @return 0 when TEXT is no cursor of BINDING; PostgreSQL will take every
 *  snapshot of one that is. */
int alloy_feed_cursor_read(alloy_feed_place_t *place, const char *text,
                           const char *binding, apr_pool_t *pool);

/** Runs change_revert. */
alloy_problem_t *alloy_revert_run(alloy_call_t *call);

/** Runs change_list and project_change_list. */
alloy_problem_t *alloy_feed_run(alloy_call_t *call);

#endif
