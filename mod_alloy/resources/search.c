/*
 * Searching tickets, in all projects and organizations the caller sees: by
 * words, by key, by the filters every list of tickets has.
 */
#include "resources.h"

#include "sql/search.h"

/* Across projects there are many. */
static const char *const sprint_words[] = { "active", NULL };

static const alloy_param_t search_params[] = {
    ALLOY_WORDS_PARAM,
    { .name = "org_id", .type = ALLOY_REF, .flags = ALLOY_HOME,
      .resource = &alloy_org_resource,
      .help = "Only this organization: id or slug." },
    { .name = "project", .type = ALLOY_REF, .flags = ALLOY_MANY,
      .resource = &alloy_project_resource,
      .help = "Only this project: id, key or name." },
    ALLOY_TICKET_FILTERS,
    { .name = "sprint", .type = ALLOY_REF, .flags = ALLOY_MANY,
      .resource = &alloy_sprint_resource, .within = "project",
      .words = sprint_words,
      .help = "Only tickets of this sprint: id, name, within one project also "
              "the number; active for every active one, none for backlogs." },
    ALLOY_PARAMS_END
};

static const char *const mine_fixed[] = { "assignee_id", "me", NULL };

static const char *const mine_takes[] = {
    "project", "status", "category", "priority", "sprint", "fields", NULL
};

static const alloy_tool_t search_tools[] = {
    { .name = "get_my_tickets", .fixed = mine_fixed, .only = mine_takes,
      .uri = "alloy://me/tickets",
      .summary = "Finds the tickets that are assigned to the caller." },
    ALLOY_TOOLS_END
};

const alloy_operation_t alloy_search_operations[] = {
    {
        .id = "ticket_search",
        .method = ALLOY_GET,
        .path = "/tickets",
        .tool = "search_tickets",
        .tools = search_tools,
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
        .flags = ALLOY_SPREADS | ALLOY_LISTED,
        .params = search_params,
        .answer = &alloy_ticket_shape,
        .steps = { &sql_ticket_search },
        .key = "q",
        .keyed = &sql_ticket_search_words,
    },
    ALLOY_OPERATIONS_END
};
