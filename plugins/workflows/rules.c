/*
 * The rules of workflows at work: every write that moves a ticket is decided
 * here, from what the ticket's workflow says to each of its statuses.
 */
#include "workflows.h"

#include <string.h>

#include <apr_strings.h>

#include "sql/rules.h"

/* The status the ticket is to go to; NULL: it stays, or nothing is enforced. */
static const alloy_row_t *find_target(const alloy_facts_t *facts)
{
    const char *to_status = alloy_row_text(facts->row, "to_status");
    int i;

    for (i = 0; to_status && i < alloy_rows_count(facts->facts); i++) {
        const alloy_row_t *row = alloy_rows_get(facts->facts, i);

        if (!strcmp(alloy_row_text(row, "name"), to_status)) {
            return row;
        }
    }
    return NULL;
}

static int is_strict(const alloy_row_t *target)
{
    return !strcmp(alloy_row_text(target, "enforcement"), "strict");
}

/* Where the ticket may go now, in workflow order. */
static const char *list_allowed(const alloy_facts_t *facts)
{
    const char *list = "", *comma = "";
    apr_pool_t *pool = alloy_call_pool(facts->call);
    int i;

    for (i = 0; i < alloy_rows_count(facts->facts); i++) {
        const alloy_row_t *row = alloy_rows_get(facts->facts, i);

        if (!alloy_row_int(row, "here") && alloy_row_is_null(row, "code")) {
            list = apr_pstrcat(pool, list, comma,
                               alloy_row_text(row, "quoted"), NULL);
            comma = ",";
        }
    }
    return apr_pstrcat(pool, "[", list, "]", NULL);
}

/* Who must not go there is forbidden to; else it is the ticket that can't. */
static alloy_problem_t *refuse(const alloy_facts_t *facts,
                               const alloy_row_t *target)
{
    const char *code = alloy_row_text(target, "code");
    const alloy_problem_kind_t *kind = !strcmp(code, "role_missing")
        ? &alloy_forbidden : &alloy_invalid_transition;
    alloy_problem_t *problem = alloy_problem(facts->call, kind, "%s",
                                             alloy_row_text(target, "why"));
    apr_pool_t *pool = alloy_call_pool(facts->call);

    problem = alloy_problem_member(problem, "from",
                                   alloy_row_text(target, "quoted_from"));
    problem = alloy_problem_member(problem, "to",
                                   alloy_row_text(target, "quoted"));
    problem = alloy_problem_member(problem, "allowed", list_allowed(facts));
    problem = alloy_problem_member(problem, "rule",
                                   apr_pstrcat(pool, "\"", code, "\"", NULL));
    return alloy_problem_member(problem, "missing",
                                alloy_row_text(target, "missing"));
}

static alloy_problem_t *decide_move(const alloy_facts_t *facts)
{
    const alloy_row_t *target = find_target(facts);

    if (!target || alloy_row_is_null(target, "code")) {
        return NULL;
    }
    if (is_strict(target)) {
        return refuse(facts, target);
    }
    alloy_warn(facts->call, alloy_row_text(target, "code"), "%s",
               alloy_row_text(target, "why"));
    return NULL;
}

/* A limit that has room now has it only while nobody else moves in. */
static int depends_on_count(const alloy_facts_t *facts)
{
    const alloy_row_t *target = find_target(facts);

    return target && is_strict(target) && !alloy_row_int(target, "here")
           && !alloy_row_is_null(target, "wip_limit")
           && alloy_row_is_null(target, "code");
}

const alloy_hook_t workflows_transition_hook = {
    .action = "ticket_transition",
    .facts = &sql_rules_transition_facts,
    .facts_many = &sql_rules_transition_facts_many,
    .lock = &sql_rules_lock,
    .lock_many = &sql_rules_lock_many,
    .must_lock = depends_on_count,
    .before = decide_move,
};

const alloy_hook_t workflows_update_hook = {
    .action = "ticket_update",
    .facts = &sql_rules_update_facts,
    .facts_many = &sql_rules_update_facts_many,
    .lock = &sql_rules_lock,
    .lock_many = &sql_rules_lock_many,
    .must_lock = depends_on_count,
    .before = decide_move,
};

const alloy_extension_t workflows_explain = {
    .operation = "ticket_transitions",
    .instead = &sql_rules_explain,
};
