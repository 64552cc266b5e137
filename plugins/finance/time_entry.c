/*
 * Time entries: work on tickets, logged by whoever did it, changed until it is
 * approved. What approving does is in approval.c.
 */
#include "finance.h"

#include "sql/time_entry.h"

#define OWN_NOTE "the person whose time it is, or an Admin"

static const char *const activities[] = {
    "Development", "Design", "Testing", "Planning", "Maintenance", "Training",
    "Meeting", "Other", NULL
};

static const char *const statuses[] = {
    "Draft", "Submitted", "Approved", "Rejected", NULL
};

const char *const finance_capitalization_words[] = { "Capex", "Opex", NULL };

const char *const finance_phase_words[] = {
    "Preliminary", "AppDevelopment", "PostImplementation", NULL
};

/* Its costs are in the log: whoever may not read rates reads none there. */
const alloy_resource_t finance_time_entry_resource = {
    .name = "time_entry",
    .table = "alloy.time_entry",
    .read = ALLOY_ADMIN,
    .sharded = 1,
    .find_id = &sql_time_entry_find_id,
};

/* ---- answers --------------------------------------------------------------- */

static const alloy_field_t warning_fields[] = {
    { "code", ALLOY_TEXT, 0, "What it is about: budget_exceeded." },
    { "detail", ALLOY_TEXT, 0, "A sentence that says what happened." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t warning_shape = { "TimeWarning", warning_fields };

static const alloy_field_t entry_fields[] = {
    { "id", ALLOY_UUID, 0, "Identifies the entry for ever." },
    { "org_id", ALLOY_UUID, 0, "The organization." },
    { "project_id", ALLOY_UUID, 0, "The ticket's project." },
    { "ticket_id", ALLOY_UUID, 0, "The ticket that was worked on." },
    { "user_id", ALLOY_UUID, 0, "Who worked." },
    { "work_date", ALLOY_DATE, 0, "The day it is booked on." },
    { "minutes", ALLOY_INT, 0, "How long. Below zero in an entry that takes "
      "time back." },
    { "hours", ALLOY_HUNDREDTH, 0, "The same in hours, rounded half up to two "
      "decimals." },
    { "activity", ALLOY_WORD, 0, "What kind of work.", activities },
    { "work_location", ALLOY_TEXT, ALLOY_NULLABLE, "Where." },
    { "description", ALLOY_TEXT, ALLOY_NULLABLE, "What was done." },
    { "adjusts", ALLOY_UUID, ALLOY_NULLABLE, "The approved entry that this one "
      "corrects." },
    { "status", ALLOY_WORD, 0, "Draft, Submitted, then Approved or Rejected.",
      statuses },
    { "reject_reason", ALLOY_TEXT, ALLOY_NULLABLE, "Why it was rejected." },
    { "submitted_at", ALLOY_INSTANT, ALLOY_NULLABLE, "When it was submitted." },
    { "decided_at", ALLOY_INSTANT, ALLOY_NULLABLE, "When it was approved or "
      "rejected." },
    { "decided_by", ALLOY_UUID, ALLOY_NULLABLE, "By whom." },
    { "rate_cents", ALLOY_INT, ALLOY_NULLABLE, "Cents per hour in force on "
      "work_date, fixed by approval; null when none was set. Shown to Admins, "
      "and to all where finance_visibility is all." },
    { "amount_cents", ALLOY_INT, ALLOY_NULLABLE, "What it costs; fixed by "
      "approval and shown likewise." },
    { "currency", ALLOY_TEXT, ALLOY_NULLABLE, "Of rate and amount, from "
      "approval on." },
    { "capitalization_type", ALLOY_WORD, ALLOY_NULLABLE, "The project's on "
      "work_date, fixed by approval.", finance_capitalization_words },
    { "development_phase", ALLOY_WORD, ALLOY_NULLABLE, "Likewise.",
      finance_phase_words },
    { "funding_authorized", ALLOY_BOOL, ALLOY_NULLABLE, "Likewise." },
    { "completion_probable", ALLOY_BOOL, ALLOY_NULLABLE, "Likewise." },
    { "cost_center_id", ALLOY_TEXT, ALLOY_NULLABLE, "The project's when it was "
      "approved." },
    { "created_by", ALLOY_UUID, 0, "Who wrote it down." },
    { "version", ALLOY_INT, 0, "Raised by every change." },
    { "created_at", ALLOY_INSTANT, 0, "When it was written down." },
    { "updated_at", ALLOY_INSTANT, 0, "When it was changed last." },
    { "warnings", ALLOY_JSON, ALLOY_MANY | ALLOY_ANSWERED, "What approving it "
      "did besides, such as going beyond a budget.", NULL, &warning_shape },
    ALLOY_FIELDS_END
};

const alloy_shape_t finance_time_entry_shape = { "TimeEntry", entry_fields };

/* ---- input ----------------------------------------------------------------- */

/* Several lines by people, with whatever marks their languages need. */
static const char *accept_text(const char **value, apr_pool_t *pool)
{
    return NULL;
}

static const alloy_format_t text_format = {
    .name = "markdown", .check = accept_text
};

#define TICKET_ID_PARAM(flag, text) \
    { .name = "ticket_id", .type = ALLOY_REF, .flags = (flag), \
      .resource = &alloy_ticket_resource, .help = text }

#define LENGTH_PARAMS(least_minutes, least_hours) \
    { .name = "minutes", .type = ALLOY_INT, .least = (least_minutes), \
      .most = 1440, .help = "How long, in minutes; or send hours." }, \
    { .name = "hours", .type = ALLOY_HUNDREDTH, .least = (least_hours), \
      .most = 24, \
      .help = "How long, in hours such as 1.25, kept as minutes; or send " \
              "minutes." }

#define TEXT_PARAMS \
    { .name = "work_location", .type = ALLOY_TEXT, .flags = ALLOY_NULLABLE, \
      .least = 1, .most = 200, .format = &alloy_format_line, \
      .help = "Where the work was done." }, \
    { .name = "description", .type = ALLOY_TEXT, \
      .flags = ALLOY_NULLABLE | ALLOY_MULTILINE, .least = 1, .most = 4000, \
      .format = &text_format, .help = "What was done." }

#define ENTRY_PARAMS \
    LENGTH_PARAMS(1, 0), \
    { .name = "work_date", .type = ALLOY_DATE, \
      .help = "The day; today when left out." }, \
    { .name = "user_id", .type = ALLOY_REF, .flags = ALLOY_SELF, \
      .resource = &alloy_user_resource, .within = "org", \
      .help = "Who worked; the caller when left out, somebody else only by " \
              "an Admin." }, \
    { .name = "activity", .type = ALLOY_WORD, .words = activities, \
      .fallback = "Development", .help = "What kind of work." }, \
    TEXT_PARAMS

static const alloy_param_t add_params[] = {
    { .name = "ticket", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .help = "Id or key of the ticket, such as WEB-5.",
      .resource = &alloy_ticket_resource },
    ENTRY_PARAMS,
    ALLOY_PARAMS_END
};

static const alloy_param_t create_params[] = {
    TICKET_ID_PARAM(ALLOY_REQUIRED | ALLOY_HOME,
                    "Id or key of the ticket, such as WEB-5."),
    ENTRY_PARAMS,
    ALLOY_PARAMS_END
};

static const alloy_param_t list_params[] = {
    { .name = "org_id", .type = ALLOY_REF, .flags = ALLOY_HOME,
      .resource = &alloy_org_resource,
      .help = "Only entries of this organization." },
    { .name = "project", .type = ALLOY_REF, .flags = ALLOY_MANY,
      .resource = &alloy_project_resource, .help = "Only of these projects." },
    { .name = "ticket", .type = ALLOY_REF, .flags = ALLOY_MANY,
      .resource = &alloy_ticket_resource, .help = "Only on these tickets." },
    { .name = "user", .type = ALLOY_REF, .flags = ALLOY_MANY,
      .resource = &alloy_user_resource, .help = "Only of these people." },
    { .name = "status", .type = ALLOY_WORD, .flags = ALLOY_MANY,
      .words = statuses, .help = "Only in these statuses." },
    { .name = "activity", .type = ALLOY_WORD, .flags = ALLOY_MANY,
      .words = activities, .help = "Only work of these kinds." },
    { .name = "from", .type = ALLOY_DATE,
      .help = "Only work of this day and later." },
    { .name = "to", .type = ALLOY_DATE,
      .help = "Only work of this day and earlier." },
    ALLOY_PARAMS_END
};

static const alloy_param_t entry_params[] = {
    FINANCE_TIME_ENTRY_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t update_params[] = {
    FINANCE_TIME_ENTRY_PARAM,
    LENGTH_PARAMS(-1440, -24),
    { .name = "work_date", .type = ALLOY_DATE, .help = "The day." },
    TICKET_ID_PARAM(0, "Another ticket of the same project."),
    { .name = "activity", .type = ALLOY_WORD, .words = activities,
      .help = "What kind of work." },
    TEXT_PARAMS,
    ALLOY_PARAMS_END
};

static const alloy_param_t adjust_params[] = {
    FINANCE_TIME_ENTRY_PARAM,
    LENGTH_PARAMS(-1440, -24),
    { .name = "work_date", .type = ALLOY_DATE,
      .help = "The day of an open period it is booked on; today when left "
              "out." },
    { .name = "description", .type = ALLOY_TEXT,
      .flags = ALLOY_NULLABLE | ALLOY_MULTILINE, .least = 1, .most = 4000,
      .format = &text_format, .help = "Why." },
    ALLOY_PARAMS_END
};

static const alloy_param_t reject_params[] = {
    FINANCE_TIME_ENTRY_PARAM,
    { .name = "reason", .type = ALLOY_TEXT,
      .flags = ALLOY_REQUIRED | ALLOY_MULTILINE, .least = 1, .most = 1000,
      .format = &text_format,
      .help = "What has to be changed before it can be approved." },
    ALLOY_PARAMS_END
};

/* ---- refusals -------------------------------------------------------------- */

#define LENGTH_REFUSALS \
    { "two_lengths", &alloy_validation_failed, "/hours", \
      "Send minutes or hours, not both." }, \
    { "no_length", &alloy_validation_failed, "/minutes", \
      "Send how long it took, as minutes or as hours." }, \
    { "too_short", &alloy_validation_failed, "/minutes", \
      "Work takes a minute at least; only an entry that adjusts an approved " \
      "one can be below zero, and none can be zero." }, \
    { "day_full", &alloy_invalid_state, NULL, \
      "With this the person would have more than 24 hours (1440 minutes) on " \
      "that day; look at his other entries of the day." }

#define BEYOND_REFUSAL \
    { "beyond", &alloy_invalid_state, NULL, \
      "The adjusted entry with all its adjustments must come to 0 to 1440 " \
      "minutes; take back less, or add less." }

#define APPROVED_REFUSAL \
    { "approved", &alloy_invalid_state, NULL, \
      "The entry is approved and never changes again; correct it by an " \
      "adjusting entry (POST /time-entries/{id}/adjust)." }

static const alloy_refusal_t create_refusals[] = {
    LENGTH_REFUSALS,
    { "person_required", &alloy_validation_failed, "/user_id",
      "Somebody must have worked; leave user_id out or name a member." },
    FINANCE_PERIOD_CLOSED("/work_date"),
    ALLOY_REFUSALS_END
};

static const alloy_refusal_t adjust_refusals[] = {
    LENGTH_REFUSALS,
    BEYOND_REFUSAL,
    { "not_approved", &alloy_invalid_state, NULL,
      "Only an approved entry needs adjusting; change this one itself." },
    { "adjusts_itself", &alloy_invalid_state, NULL,
      "This entry adjusts another one; adjust that one once more." },
    FINANCE_PERIOD_CLOSED("/work_date"),
    ALLOY_REFUSALS_END
};

static const alloy_refusal_t update_refusals[] = {
    LENGTH_REFUSALS,
    BEYOND_REFUSAL,
    APPROVED_REFUSAL,
    { "other_project", &alloy_validation_failed, "/ticket_id",
      "The ticket is in another project; delete the entry and log the time "
      "there." },
    FINANCE_PERIOD_CLOSED(NULL),
    ALLOY_REFUSALS_END
};

static const alloy_refusal_t delete_refusals[] = {
    APPROVED_REFUSAL,
    FINANCE_PERIOD_CLOSED(NULL),
    ALLOY_REFUSALS_END
};

static const alloy_refusal_t submit_refusals[] = {
    { "not_draft", &alloy_invalid_state, NULL,
      "Only a draft can be submitted; a rejected entry becomes one when it is "
      "changed." },
    FINANCE_PERIOD_CLOSED(NULL),
    ALLOY_REFUSALS_END
};

static const alloy_refusal_t reject_refusals[] = {
    { "not_submitted", &alloy_invalid_state, NULL,
      "Only a submitted entry can be rejected." },
    FINANCE_PERIOD_CLOSED(NULL),
    ALLOY_REFUSALS_END
};

/* ---- the table --------------------------------------------------------------- */

const alloy_operation_t finance_time_entry_operations[] = {
    {
        .id = "ticket_time_entry_create",
        .method = ALLOY_POST,
        .path = "/tickets/{ticket}/time-entries",
        .tool = "log_time",
        .noun = "time_entries",
        .summary = "Logs time worked on a ticket, as a draft.",
        .help = "Minutes or hours, not both. A person's entries of a day come "
                "to 24 hours at most.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_CREATES | ALLOY_LISTED,
        .params = add_params,
        .answer = &finance_time_entry_shape,
        .steps = { &sql_time_lock, &sql_time_person_lock,
                   &sql_time_entry_add },
        .location = "/time-entries/{id}",
        .refusals = create_refusals,
    },
    {
        .id = "time_entry_create",
        .method = ALLOY_POST,
        .path = "/time-entries",
        .noun = "time_entries",
        .summary = "Logs time worked on the ticket that is named, as a draft.",
        .help = "Minutes or hours, not both. A person's entries of a day come "
                "to 24 hours at most.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_CREATES,
        .params = create_params,
        .answer = &finance_time_entry_shape,
        .steps = { &sql_time_lock, &sql_time_person_lock,
                   &sql_time_entry_create },
        .location = "/time-entries/{id}",
        .refusals = create_refusals,
    },
    {
        .id = "time_entry_list",
        .method = ALLOY_GET,
        .path = "/time-entries",
        .tool = "list_time_entries",
        .noun = "time_entries",
        .summary = "Lists time entries, the latest logged first: one's own, "
                   "for Admins everybody's.",
        .help = "Covers all of the caller's organizations unless org_id names "
                "one.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_SPREADS,
        .params = list_params,
        .answer = &finance_time_entry_shape,
        .steps = { &sql_time_entry_list },
    },
    {
        .id = "time_entry_get",
        .method = ALLOY_GET,
        .path = "/time-entries/{time_entry}",
        .tool = "get_time_entry",
        .noun = "time_entries",
        .summary = "Answers one time entry.",
        .role = ALLOY_MEMBER,
        .params = entry_params,
        .answer = &finance_time_entry_shape,
        .steps = { &sql_time_entry_get },
        .own_note = OWN_NOTE,
    },
    {
        .id = "time_entry_update",
        .method = ALLOY_PATCH,
        .path = "/time-entries/{time_entry}",
        .tool = "update_time_entry",
        .noun = "time_entries",
        .summary = "Changes the fields that are sent and no others.",
        .help = "A submitted or rejected entry becomes a draft again; an "
                "approved one never changes.",
        .role = ALLOY_MEMBER,
        .params = update_params,
        .answer = &finance_time_entry_shape,
        .steps = { &sql_time_lock, &sql_time_entry_lock,
                   &sql_time_entry_person_lock, &sql_time_entry_update },
        .own_note = OWN_NOTE,
        .refusals = update_refusals,
    },
    {
        .id = "time_entry_delete",
        .method = ALLOY_DELETE,
        .path = "/time-entries/{time_entry}",
        .tool = "delete_time_entry",
        .noun = "time_entries",
        .summary = "Deletes an entry that is not approved.",
        .role = ALLOY_MEMBER,
        .params = entry_params,
        .steps = { &sql_time_lock, &sql_time_entry_lock,
                   &sql_time_entry_delete },
        .own_note = OWN_NOTE,
        .refusals = delete_refusals,
    },
    {
        .id = "time_entry_submit",
        .method = ALLOY_POST,
        .path = "/time-entries/{time_entry}/submit",
        .tool = "submit_time_entry",
        .noun = "time_entries",
        .summary = "Hands a draft in for approval.",
        .role = ALLOY_MEMBER,
        .params = entry_params,
        .answer = &finance_time_entry_shape,
        .steps = { &sql_time_lock, &sql_time_entry_lock,
                   &sql_time_entry_submit },
        .own_note = OWN_NOTE,
        .refusals = submit_refusals,
    },
    {
        .id = "time_entry_reject",
        .method = ALLOY_POST,
        .path = "/time-entries/{time_entry}/reject",
        .tool = "reject_time_entry",
        .noun = "time_entries",
        .summary = "Sends a submitted entry back, with a reason.",
        .help = "It counts nowhere until it is changed, which makes it a draft "
                "again.",
        .role = ALLOY_ADMIN,
        .params = reject_params,
        .answer = &finance_time_entry_shape,
        .steps = { &sql_time_lock, &sql_time_entry_lock,
                   &sql_time_entry_reject },
        .refusals = reject_refusals,
    },
    {
        .id = "time_entry_adjust",
        .method = ALLOY_POST,
        .path = "/time-entries/{time_entry}/adjust",
        .tool = "adjust_time_entry",
        .noun = "time_entries",
        .summary = "Corrects an approved entry by another one, of more or less "
                   "time.",
        .help = "The new entry is a draft of the same person, ticket and "
                "activity, booked on a day of an open period. Approved, it "
                "takes the rate and classification of the entry it adjusts; "
                "minus all its minutes takes that back entirely.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_CREATES,
        .params = adjust_params,
        .answer = &finance_time_entry_shape,
        .steps = { &sql_time_lock, &sql_time_entry_person_lock,
                   &sql_time_entry_adjust },
        .location = "/time-entries/{id}",
        .own_note = OWN_NOTE,
        .refusals = adjust_refusals,
    },
    ALLOY_OPERATIONS_END
};
