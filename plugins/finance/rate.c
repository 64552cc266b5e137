/*
 * Labor rates: what an hour of somebody costs from a day on. A rate is never
 * changed; another day gets another one.
 */
#include "finance.h"

#include "sql/rate.h"
#include "sql/time_entry.h"

/* A day's worth of it in cents, and what is added up from that, fits 64 bits. */
#define RATE_LIMIT APR_INT64_C(1000000000000)

static const alloy_field_t rate_fields[] = {
    { "id", ALLOY_UUID, 0, "Identifies the rate for ever." },
    { "org_id", ALLOY_UUID, 0, "The organization." },
    { "user_id", ALLOY_UUID, ALLOY_NULLABLE, "Whose hours; null: of everybody "
      "who has no rate of his own on that day." },
    { "rate_cents", ALLOY_INT, 0, "Cents per hour." },
    { "currency", ALLOY_TEXT, 0, "The organization's when the rate was set." },
    { "effective_date", ALLOY_DATE, 0, "The first day it holds, until the day "
      "of the next one." },
    { "created_by", ALLOY_UUID, 0, "Who set it." },
    { "created_at", ALLOY_INSTANT, 0, "When." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t rate_shape = { "LaborRate", rate_fields };

#define ORG_PARAM \
    { .name = "org", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id or slug of the organization.", \
      .resource = &alloy_org_resource }

static const alloy_param_t create_params[] = {
    ORG_PARAM,
    { .name = "user_id", .type = ALLOY_REF,
      .flags = ALLOY_NULLABLE | ALLOY_STRICT,
      .resource = &alloy_person_resource, .within = "org",
      .help = "Id or e-mail address of whose hours it is for; null or left "
              "out: of everybody who has none of his own." },
    { .name = "rate_cents", .type = ALLOY_INT, .flags = ALLOY_REQUIRED,
      .least = 0, .most = RATE_LIMIT, .help = "Cents per hour." },
    { .name = "effective_date", .type = ALLOY_DATE,
      .help = "The first day it holds; today when left out." },
    ALLOY_PARAMS_END
};

static const alloy_param_t list_params[] = {
    ORG_PARAM,
    { .name = "user_id", .type = ALLOY_REF, .flags = ALLOY_STRICT,
      .resource = &alloy_person_resource, .within = "org",
      .help = "Only rates of this person." },
    ALLOY_PARAMS_END
};

static const alloy_refusal_t create_refusals[] = {
    { "day_taken", &alloy_already_exists, "/effective_date",
      "There is a rate from this day on already, and rates never change; let "
      "the new one begin on another day." },
    FINANCE_PERIOD_CLOSED("/effective_date"),
    ALLOY_REFUSALS_END
};

const alloy_operation_t finance_rate_operations[] = {
    {
        .id = "labor_rate_create",
        .method = ALLOY_POST,
        .path = "/orgs/{org}/labor-rates",
        .tool = "set_labor_rate",
        .noun = "labor_rates",
        .summary = "Sets what an hour of somebody, or of everybody, costs from "
                   "a day on.",
        .help = "Time that is approved already keeps the rate it was approved "
                "with, also where the day lies before it.",
        .role = ALLOY_ADMIN,
        .flags = ALLOY_CREATES,
        .params = create_params,
        .answer = &rate_shape,
        .steps = { &sql_time_lock_alone, &sql_rate_create },
        .refusals = create_refusals,
    },
    {
        .id = "labor_rate_list",
        .method = ALLOY_GET,
        .path = "/orgs/{org}/labor-rates",
        .tool = "list_labor_rates",
        .noun = "labor_rates",
        .summary = "Lists labor rates, the latest set first.",
        .role = ALLOY_ADMIN,
        .params = list_params,
        .answer = &rate_shape,
        .steps = { &sql_rate_list },
    },
    ALLOY_OPERATIONS_END
};
