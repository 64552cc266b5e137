/**
 * @file lane.h
 * @brief Flushes that share a round trip.
 *
 * A lane has a few seats. Whoever comes while a seat is free leads: he takes a
 * connection and all who wait, sends everything with one Sync, reads what
 * comes back and leaves; the first of those who came meanwhile leads next.
 * Since a Sync is one transaction, whatever fails undoes its company's work as
 * well: who failed is then sent alone, the others once more.
 */
#ifndef ALLOY_CORE_LANE_H
#define ALLOY_CORE_LANE_H

#include "flight.h"
#include "job.h"

typedef struct alloy_lane_t alloy_lane_t;

/** For reads or for writes; SEATS round trips at a time, at least one. Lives
 *  as long as DB. */
apr_status_t alloy_lane_make(alloy_lane_t **plane, alloy_db_t *db,
                             alloy_use_e use, int seats);

/** May statements with FLAGS go in company?  Only with settings of their own,
 *  or they would see what their neighbours may. */
int alloy_lane_fits(const alloy_enter_t *enter, unsigned flags);

/**
 * Send FLIGHT in company.  Results are there only when it committed.
 * @return 0 when it had no effect and is to be sent alone, with a normal
 *         `enter`: it failed, waited too long or is too large
 */
int alloy_lane_run(alloy_outcome_e *outcome, alloy_lane_t *lane,
                   alloy_flight_t *flight, const alloy_enter_t *enter,
                   alloy_db_fault_t *fault);

/** Add what LANE has carried to SUM. */
void alloy_lane_count(alloy_lane_t *lane, alloy_db_shared_t *sum);

#endif
