/**
 * @file batch.h
 * @brief POST /batch, an operation of the engine's own.
 */
#ifndef ALLOY_CORE_BATCH_H
#define ALLOY_CORE_BATCH_H

#include "call.h"

extern const alloy_operation_t alloy_batch_operations[];

#endif
