/*
 * A ticket's way from status to status: moving it, and telling where it can
 * go. What a move may be is decided here and by hooks, for PATCH as well.
 */
#include "resources.h"

#include <apr_strings.h>

#include "sql/ticket.h"

static const alloy_field_t status_fields[] = {
    { "name", ALLOY_TEXT, 0, "A status of the ticket's workflow." },
    { "category", ALLOY_WORD, 0, "What the status means.",
      alloy_category_words },
    { "allowed", ALLOY_BOOL, 0, "Whether the ticket can go there now." },
    { "why", ALLOY_TEXT, ALLOY_NULLABLE, "Why it can't; null when it can." },
    { "path", ALLOY_TEXT, ALLOY_MANY, "The shortest way there, status by "
      "status; empty when there is none." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t status_shape = { "TransitionStatus", status_fields };

static const alloy_field_t transitions_fields[] = {
    { "current", ALLOY_TEXT, 0, "The status the ticket is in." },
    { "statuses", ALLOY_JSON, ALLOY_MANY, "All statuses in workflow order.",
      NULL, &status_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t transitions_shape = {
    "Transitions", transitions_fields
};

static const alloy_param_t transition_params[] = {
    ALLOY_TICKET_PARAM,
    { .name = "status", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED,
      .least = 1, .most = 100,
      .help = "Where it goes: a status of its workflow, in any letter case." },
    ALLOY_PARAMS_END
};

static const alloy_param_t ticket_params[] = {
    ALLOY_TICKET_PARAM,
    ALLOY_PARAMS_END
};

/* ---- deciding ---------------------------------------------------------------- */

const char *const *alloy_split_lines(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *lines = apr_array_make(pool, 8, sizeof(char *));
    char *state, *line;

    for (line = apr_strtok(apr_pstrdup(pool, text ? text : ""), "\n", &state); line;
         line = apr_strtok(NULL, "\n", &state)) {
        APR_ARRAY_PUSH(lines, const char *) = line;
    }
    APR_ARRAY_PUSH(lines, const char *) = NULL;
    return (const char *const *)lines->elts;
}

static alloy_problem_t *unknown_status(const alloy_facts_t *facts,
                                       const char *status)
{
    apr_pool_t *pool = alloy_call_pool(facts->call);
    const char *there = alloy_row_text(facts->row, "statuses");
    const char *detail = apr_psprintf(pool, "The ticket's workflow has no "
                                      "status \"%s\"; use one of allowed.",
                                      status);

    return alloy_problem_at(alloy_problem(facts->call,
                                          &alloy_validation_failed, "%s",
                                          detail),
                            "/status", "unknown_status", detail,
                            alloy_split_lines(there, pool));
}

alloy_problem_t *alloy_move_decide(const alloy_facts_t *facts)
{
    const char *status = alloy_text(facts->call, "status");
    const char *to_status = alloy_row_text(facts->row, "to_status");

    if (alloy_row_int(facts->row, "archived")) {
        return alloy_problem(facts->call, &alloy_invalid_state,
                             "The project is archived and its tickets can't be "
                             "changed; PATCH it with archived false first.");
    }
    if (status && !to_status) {
        return unknown_status(facts, status);
    }
    alloy_bind(facts->call, "to_status", to_status);
    alloy_bind(facts->call, "rules", alloy_row_text(facts->row, "rules"));
    return NULL;
}

static const alloy_guarded_t transition_guarded = {
    .action = "ticket_transition",
    .lock = &sql_ticket_lock,
    .read = &sql_ticket_move_read,
    .decide = alloy_move_decide,
    .write = &sql_ticket_transition,
};

/* ---- the table --------------------------------------------------------------- */

const alloy_operation_t alloy_transition_operations[] = {
    {
        .id = "ticket_transition",
        .method = ALLOY_POST,
        .path = "/tickets/{ticket}/transition",
        .tool = "transition_ticket",
        .noun = "tickets",
        .summary = "Moves a ticket to another status.",
        .help = "Moving it to the status it is in changes nothing. closed_at "
                "is set on entering a status of the category done and cleared "
                "on leaving.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_LISTED,
        .params = transition_params,
        .answer = &alloy_ticket_shape,
        .guarded = &transition_guarded,
        .many = &alloy_ticket_update_many,
    },
    {
        .id = "ticket_transitions",
        .method = ALLOY_GET,
        .path = "/tickets/{ticket}/transitions",
        .tool = "explain_transitions",
        .noun = "tickets",
        .summary = "Tells to which statuses a ticket can go, why not to the "
                   "others, and the shortest way to each.",
        .role = ALLOY_VIEWER,
        .params = ticket_params,
        .answer = &transitions_shape,
        .steps = { &sql_ticket_transitions },
    },
    ALLOY_OPERATIONS_END
};
