/**
 * @file workflows.h
 * @brief What the parts of the workflows plugin know of each other.  All of it
 * is static and constant.
 */
#ifndef ALLOY_WORKFLOWS_H
#define ALLOY_WORKFLOWS_H

#include "alloy.h"

/** Workflows themselves (workflow.c) and their replay (simulate.c). */
extern const alloy_operation_t workflows_operations[];
extern const alloy_operation_t workflows_simulate_operations[];

/** Writing them (edit.c). */
extern alloy_run_fn workflows_create, workflows_update, workflows_delete;

/** Their say in moves of tickets (rules.c). */
extern const alloy_hook_t workflows_transition_hook, workflows_update_hook;
/** explain_transitions as the rules have it. */
extern const alloy_extension_t workflows_explain;

#endif
