/**
 * @file reports.h
 * @brief What the reports of the finance plugin share: their parameters, and the
 * period they are about.
 */
#ifndef ALLOY_FINANCE_REPORTS_H
#define ALLOY_FINANCE_REPORTS_H

#include "alloy_report.h"
#include "finance.h"

#define FINANCE_PERIOD_PARAM FINANCE_MAYBE_PERIOD_PARAM(ALLOY_REQUIRED)
#define FINANCE_MAYBE_PERIOD_PARAM(wanted) \
    { .name = "period", .type = ALLOY_TEXT, .flags = wanted, \
      .least = 4, .most = 7, .format = &finance_period_format, \
      .help = "A month (2026-04), a quarter (2026-Q2) or a year (2026), of " \
              "days on which work was done." }
#define FINANCE_ORG_PARAM \
    { .name = "org_id", .type = ALLOY_REF, .flags = ALLOY_HOME, \
      .resource = &alloy_org_resource, \
      .help = "Only this organization, by id or slug." }
#define FINANCE_PROJECT_PARAM \
    { .name = "project", .type = ALLOY_REF, .resource = &alloy_project_resource, \
      .within = "org", .help = "Only this project, by id, key or name." }
#define FINANCE_AS_OF_PARAM \
    { .name = "as_of", .type = ALLOY_TEXT, .least = 1, .most = 40, \
      .format = &alloy_format_moment, \
      .help = "Only what was approved by then: an RFC 3339 instant, or a date " \
              "for that day's end." }

/** The policies; their rules are in the view capitalization_rule. */
extern const char *const finance_policy_words[];
#define FINANCE_POLICY_PARAM \
    { .name = "policy", .type = ALLOY_WORD, .words = finance_policy_words, \
      .fallback = "us-gaap-350-40", \
      .help = "The rules that decide what is capitalized." }

/** Bind :first_day and :last_day of parameter period. */
void finance_bind_period(alloy_call_t *call);

/** What is refused with code too_large. */
#define FINANCE_TOO_LARGE_DETAIL \
    "The amounts add up to more than 9223372036854775807 cents; ask for a " \
    "shorter period or for one project."
#define FINANCE_TOO_LARGE \
    { "too_large", &alloy_invalid_state, NULL, FINANCE_TOO_LARGE_DETAIL }

/** Tables of operations. */
extern const alloy_operation_t finance_capitalization_operations[],
    finance_time_report_operations[], finance_budget_operations[],
    finance_pack_operations[];

/** A sealed report, for paths and the change log. */
extern const alloy_resource_t finance_pack_resource;

#endif
