/**
 * @file part.h
 * @brief Operations that run inside another one's call: in its transaction, for
 * its caller, with their own rights and rules.
 */
#ifndef ALLOY_CORE_PART_H
#define ALLOY_CORE_PART_H

#include "call.h"

/**
 * A call inside CALL, which must be in a transaction; alloy_call_run() runs it.
 * All but CALL must live as long as its pool.
 */
alloy_call_t *alloy_part_make(alloy_call_t *call,
                              const alloy_request_t *request,
                              const alloy_route_t *route,
                              alloy_answer_t *answer);

#endif
