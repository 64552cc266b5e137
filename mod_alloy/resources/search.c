/*
 * Searching tickets, in all projects and organizations the caller sees: by
 * words, by key, by the filters every list of tickets has.
 */
#include "resources.h"

#include "sql/ticket.h"

/* A word of more than 2046 bytes would be an error to PostgreSQL. */
#define WORDS_LIMIT 500

static const alloy_param_t search_params[] = {
    { .name = "q", .type = ALLOY_TEXT, .least = 1, .most = WORDS_LIMIT,
      .help = "Words of the title, the description or the comments, or a key. "
              "All must be there; \"a phrase\", or and -without are "
              "understood, and the last word may be the beginning of one." },
    { .name = "org_id", .type = ALLOY_REF, .flags = ALLOY_HOME,
      .resource = &alloy_org_resource,
      .help = "Only this organization: id or slug." },
    { .name = "project", .type = ALLOY_REF, .flags = ALLOY_MANY,
      .resource = &alloy_project_resource,
      .help = "Only this project: id, key or name." },
    ALLOY_TICKET_FILTERS,
    { .name = "sprint", .type = ALLOY_REF, .flags = ALLOY_MANY,
      .resource = &alloy_sprint_resource,
      .help = "Only tickets of this sprint: id, name, active (the only active "
              "one), or none for backlogs." },
    { .name = "parent", .type = ALLOY_REF, .flags = ALLOY_MANY,
      .resource = &alloy_ticket_resource,
      .help = "Only parts of this ticket: id or key." },
    ALLOY_PARAMS_END
};

const alloy_operation_t alloy_search_operations[] = {
    {
        .id = "ticket_search",
        .method = ALLOY_GET,
        .path = "/tickets",
        .tool = "search_tickets",
        .noun = "tickets",
        .summary = "Finds tickets across projects and organizations, newest "
                   "first.",
        .help = "With q: what matches its words, among them every change that "
                "was answered before. A ticket whose key was typed comes "
                "first; sort=relevance puts titles before descriptions and "
                "those before comments. Filters that are given must all fit; "
                "a filter that is given several times fits when one of its "
                "values does. Covers all of the caller's organizations unless "
                "org_id names one.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_SPREADS,
        .params = search_params,
        .answer = &alloy_ticket_shape,
        .steps = { &sql_ticket_search },
        .key = "q",
        .keyed = &sql_ticket_search_words,
    },
    ALLOY_OPERATIONS_END
};
