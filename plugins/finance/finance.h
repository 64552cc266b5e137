/**
 * @file finance.h
 * @brief What the plugin's nouns know of each other, and their operation tables
 * for its record. All of it is static and constant.
 */
#ifndef FINANCE_H
#define FINANCE_H

#include "alloy.h"

/** A change of what lies in a closed period (409). */
extern const alloy_problem_kind_t finance_period_closed;
/** Time that a project's budget doesn't cover (409). */
extern const alloy_problem_kind_t finance_budget_exceeded;

extern const alloy_resource_t finance_time_entry_resource;

/** The refusal of every statement that looks whether a period is closed. */
#define FINANCE_PERIOD_CLOSED(where) \
    { "period_closed", &finance_period_closed, where, \
      "The period of this day is closed, and nothing in it changes any more; " \
      "name a day of an open period, or correct approved time by an adjusting " \
      "entry (POST /time-entries/{id}/adjust)." }

/** A period as people write it: 2026-04, 2026-Q2, 2026. */
extern const alloy_format_t finance_period_format;

/** The time entry in the path of an operation. */
#define FINANCE_TIME_ENTRY_PARAM \
    { .name = "time_entry", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id of the time entry.", \
      .resource = &finance_time_entry_resource }

/** What approving answers, and everything else that shows one entry. */
extern const alloy_shape_t finance_time_entry_shape;

extern const char *const finance_capitalization_words[];
extern const char *const finance_phase_words[];

/** May people approve their own time (AlloyFinanceSelfApproval)? */
int finance_self_approval(const alloy_call_t *call);

extern const alloy_operation_t finance_time_entry_operations[];
extern const alloy_operation_t finance_approval_operations[];
extern const alloy_operation_t finance_rate_operations[];
extern const alloy_operation_t finance_period_operations[];
extern const alloy_operation_t finance_fact_operations[];
extern const alloy_extension_t finance_project_create, finance_project_update,
    finance_project_get, finance_project_list;

#endif
