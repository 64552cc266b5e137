/*
 * What finance knows of projects: dated facts, which decide how the time of a
 * day is booked, and how strict the budget is.
 */
#include "finance.h"

#include "sql/fact.h"
#include "sql/time_entry.h"

const alloy_problem_kind_t finance_budget_exceeded = {
    .code = "budget_exceeded", .status = 409,
    .title = "The budget doesn't cover it",
    .help = "The project's approved time would cost more than budget_cents in "
        "its budget_period, and its budget_enforcement is block. Raise the "
        "budget, let budget_enforcement be warn, or leave the time unapproved."
};

static const char *const kinds[] = {
    "capitalization_type", "development_phase", "funding_authorized",
    "completion_probable", NULL
};

static const char *const enforcements[] = { "none", "warn", "block", NULL };

/* ---- facts --------------------------------------------------------------------- */

static const alloy_field_t fact_fields[] = {
    { "kind", ALLOY_WORD, 0, "What it says something about.", kinds },
    { "value", ALLOY_TEXT, ALLOY_NULLABLE, "What is so from that day on; "
      "null: nothing is said." },
    { "effective_date", ALLOY_DATE, ALLOY_NULLABLE, "The first day; null: from "
      "the beginning." },
    { "created_by", ALLOY_UUID, ALLOY_NULLABLE, "Who said it; null: it was so "
      "before anybody kept this." },
    { "updated_at", ALLOY_INSTANT, 0, "When it was said." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t fact_shape = { "ProjectFact", fact_fields };

#define PROJECT_PARAM \
    { .name = "project", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id, key or name of the project.", \
      .resource = &alloy_project_resource }

static const alloy_param_t list_params[] = { PROJECT_PARAM, ALLOY_PARAMS_END };

static const alloy_param_t set_params[] = {
    PROJECT_PARAM,
    { .name = "effective_date", .type = ALLOY_DATE,
      .help = "The first day it is so; today when left out, never later." },
    { .name = "capitalization_type", .type = ALLOY_WORD,
      .flags = ALLOY_NULLABLE, .words = finance_capitalization_words,
      .help = "How its costs are booked." },
    { .name = "development_phase", .type = ALLOY_WORD, .flags = ALLOY_NULLABLE,
      .words = finance_phase_words, .help = "The stage it is in." },
    { .name = "funding_authorized", .type = ALLOY_BOOL,
      .flags = ALLOY_NULLABLE,
      .help = "Whether management has authorized and committed the money." },
    { .name = "completion_probable", .type = ALLOY_BOOL,
      .flags = ALLOY_NULLABLE,
      .help = "Whether it will probably be completed and used as intended." },
    ALLOY_PARAMS_END
};

static const alloy_refusal_t set_refusals[] = {
    { "not_yet", &alloy_validation_failed, "/effective_date",
      "This day has not come yet; say it when it is so." },
    FINANCE_PERIOD_CLOSED("/effective_date"),
    ALLOY_REFUSALS_END
};

const alloy_operation_t finance_fact_operations[] = {
    {
        .id = "project_fact_set",
        .method = ALLOY_PUT,
        .path = "/projects/{project}/facts",
        .tool = "set_project_facts",
        .noun = "projects",
        .summary = "Says what is true of a project from a day on, and answers "
                   "all that was said.",
        .help = "Approving time fixes what was in force on its day. PATCH of "
                "a project's capitalization_type or development_phase does "
                "the same from today on; the first value a project gets holds "
                "from its beginning.",
        .role = ALLOY_ADMIN,
        .params = set_params,
        .answer = &fact_shape,
        .steps = { &sql_time_lock_alone, &sql_fact_set, &sql_fact_follow,
                   &sql_fact_list_set },
        .refusals = set_refusals,
    },
    {
        .id = "project_fact_list",
        .method = ALLOY_GET,
        .path = "/projects/{project}/facts",
        .tool = "list_project_facts",
        .noun = "projects",
        .summary = "Lists what was said of a project, by kind and day.",
        .role = ALLOY_VIEWER,
        .params = list_params,
        .answer = &fact_shape,
        .steps = { &sql_fact_list },
    },
    ALLOY_OPERATIONS_END
};

/* ---- keys of a project ----------------------------------------------------------- */

static const alloy_param_t finance_params[] = {
    { .name = "budget_enforcement", .type = ALLOY_WORD, .words = enforcements,
      .role = ALLOY_ADMIN,
      .help = "What happens when time is approved that the budget doesn't "
              "cover: nothing, a warning, or a refusal; for an Admin to "
              "say." },
    ALLOY_PARAMS_END
};

static const alloy_field_t finance_fields[] = {
    { "budget_enforcement", ALLOY_WORD, 0, "What happens when time is approved "
      "that the budget doesn't cover.", enforcements },
    ALLOY_FIELDS_END
};

const alloy_extension_t finance_project_create = {
    .operation = "project_create",
    .params = finance_params,
    .fields = finance_fields,
    .write = &sql_finance_write,
    .read = &sql_finance_read,
};

const alloy_extension_t finance_project_update = {
    .operation = "project_update",
    .params = finance_params,
    .fields = finance_fields,
    .write = &sql_finance_write,
    .read = &sql_finance_read,
};

const alloy_extension_t finance_project_get = {
    .operation = "project_get",
    .fields = finance_fields,
    .read = &sql_finance_read,
};

const alloy_extension_t finance_project_list = {
    .operation = "project_list",
    .fields = finance_fields,
    .read = &sql_finance_read,
};
