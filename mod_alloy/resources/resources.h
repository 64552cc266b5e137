/**
 * @file resources.h
 * @brief What the core's nouns know of each other: words and shapes that
 * several use, and their operation tables for the core's record in core.c.
 * All of it is static and constant.
 */
#ifndef ALLOY_RESOURCES_H
#define ALLOY_RESOURCES_H

#include "alloy.h"

/** Links between tickets; only their own operations refer to them. */
extern const alloy_resource_t alloy_link_resource;
/** Sprints: an id; within a project also the number, the name, the beginning of
 *  the name, or active. */
extern const alloy_resource_t alloy_sprint_resource;

/** Roles in an organization as they are spelled, highest first. */
extern const char *const alloy_role_words[];
/** What a status means to boards and counts, in that order. */
extern const char *const alloy_category_words[];
extern const char *const alloy_priority_words[];
/** What becomes of a sprint, in that order. */
extern const char *const alloy_sprint_words[];
extern const char *const alloy_type_words[];
extern const char *const alloy_priority_aliases[];

/** The ticket in the path of an operation. */
#define ALLOY_TICKET_PARAM \
    { .name = "ticket", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id or key of the ticket, such as WEB-5.", \
      .resource = &alloy_ticket_resource }
/** The sprint in the path of an operation, and the project in which a name is
 *  looked for. */
#define ALLOY_SPRINT_PARAMS \
    { .name = "sprint", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id of the sprint; where project is given, also its number, " \
              "its name, the beginning of its name, or active.", \
      .resource = &alloy_sprint_resource, .within = "project" }, \
    { .name = "project", .type = ALLOY_REF, .flags = ALLOY_IN_QUERY, \
      .help = "The project in which a sprint of this name is meant: id, key " \
              "or name.", \
      .resource = &alloy_project_resource }

#define ALLOY_PERSON_FILTER(key, text) \
    { .name = key, .type = ALLOY_REF, .flags = ALLOY_MANY, \
      .resource = &alloy_user_resource, .within = "org", .help = text }

#define ALLOY_INSTANT_FILTER(key, text) \
    { .name = key, .type = ALLOY_INSTANT, .help = text }

/** Full text, as every list of tickets takes it. A word of more than 2046 bytes
 *  would be an error to PostgreSQL. */
#define ALLOY_WORDS_PARAM \
    { .name = "q", .type = ALLOY_TEXT, .least = 1, .most = 500, \
      .tool_name = "query", \
      .help = "Words of the title, the description or the comments, or a " \
              "key. All must be there; \"a phrase\", or and -without are " \
              "understood, and the last word may be the beginning of one." }

/** What every list of tickets can be filtered by, as rows of its table: those
 *  of the fragment ticket_filters in sql/queries/ticket.sql, and the two about
 *  statuses, which each list reads in its own way. A row for `sprint` is beside
 *  it, because across projects there are many active ones. */
#define ALLOY_TICKET_FILTERS \
    { .name = "status", .type = ALLOY_TEXT, .flags = ALLOY_MANY, .least = 1, \
      .most = 100, .help = "Only tickets in this status; any letter case." }, \
    { .name = "category", .type = ALLOY_WORD, .flags = ALLOY_MANY, \
      .words = alloy_category_words, \
      .help = "Only tickets whose status means this." }, \
    { .name = "priority", .type = ALLOY_WORD, .flags = ALLOY_MANY, \
      .words = alloy_priority_words, .aliases = alloy_priority_aliases, \
      .help = "Only tickets of this priority." }, \
    { .name = "type", .type = ALLOY_WORD, .flags = ALLOY_MANY, \
      .words = alloy_type_words, .help = "Only this kind of work." }, \
    ALLOY_PERSON_FILTER("assignee_id", "Only tickets of this person; me, or " \
                        "none for those of nobody."), \
    ALLOY_PERSON_FILTER("reporter_id", "Only tickets this person asked for, " \
                        "or me."), \
    { .name = "parent", .type = ALLOY_REF, .flags = ALLOY_MANY, \
      .resource = &alloy_ticket_resource, \
      .help = "Only parts of this ticket: id or key; none for those that " \
              "are no part of another." }, \
    { .name = "label", .type = ALLOY_REF, .flags = ALLOY_MANY, \
      .resource = &alloy_label_resource, .within = "org", \
      .help = "Only tickets with this label; none for those without any." }, \
    { .name = "tag", .type = ALLOY_TEXT, .flags = ALLOY_MANY, .least = 1, \
      .most = 265, .help = "Only tickets with a tag of this key, or of this " \
                           "key:value." }, \
    { .name = "due_after", .type = ALLOY_DATE, \
      .help = "Only tickets due on a later day than this." }, \
    { .name = "due_before", .type = ALLOY_DATE, \
      .help = "Only tickets due on an earlier day than this." }, \
    ALLOY_INSTANT_FILTER("created_after", \
                         "Only tickets made later than this."), \
    ALLOY_INSTANT_FILTER("created_before", \
                         "Only tickets made earlier than this."), \
    ALLOY_INSTANT_FILTER("updated_after", \
                         "Only tickets changed later than this."), \
    ALLOY_INSTANT_FILTER("updated_before", \
                         "Only tickets last changed earlier than this.")

/** A ticket as every operation that has one to show answers it. */
extern const alloy_shape_t alloy_ticket_shape;
/** A label, by itself and in the tickets that carry it. */
extern const alloy_shape_t alloy_label_shape;
/** A long text by people, Markdown as typed: at most 64 KiB in UTF-8. */
extern const alloy_format_t alloy_markdown_format;
/** Decide a move from the row of ticket_move_read: binds to_status, the wanted
 *  status in its workflow's own spelling (NULL: none was asked for), and rules,
 *  the workflow's version.  Problems: invalid_state in an archived project;
 *  validation_failed at /status, with the names there are. */
extern alloy_decide_fn alloy_move_decide;
/** The lines of TEXT (NULL: none), ended by NULL; from POOL. */
const char *const *alloy_split_lines(const char *text, apr_pool_t *pool);

/** What the operations of a batch of tickets say. */
extern const alloy_param_t alloy_ticket_element[];
/** What they may do: the rest of the id of ticket_update and the like. */
extern const char *const alloy_ticket_actions[];
/** Changing and moving many tickets at once. */
extern const alloy_many_t alloy_ticket_update_many;
/** Runs a batch of one noun (core/many.c): parameters action, atomic and
 *  operations, whose elements begin with what the operation is about. */
extern alloy_run_fn alloy_many_run;

extern const alloy_operation_t alloy_ticket_batch_operations[];
extern const alloy_operation_t alloy_about_operations[];
extern const alloy_operation_t alloy_batch_operations[];
extern const alloy_operation_t alloy_account_operations[];
extern const alloy_operation_t alloy_session_operations[];
extern const alloy_operation_t alloy_api_key_operations[];
extern const alloy_operation_t alloy_org_operations[];
extern const alloy_operation_t alloy_member_operations[];
extern const alloy_operation_t alloy_invite_operations[];
extern const alloy_operation_t alloy_project_operations[];
extern const alloy_operation_t alloy_ticket_operations[];
extern const alloy_operation_t alloy_search_operations[];
extern const alloy_operation_t alloy_transition_operations[];
extern const alloy_operation_t alloy_comment_operations[];
extern const alloy_operation_t alloy_activity_operations[];
extern const alloy_operation_t alloy_sprint_operations[];
extern const alloy_operation_t alloy_board_operations[];
extern const alloy_operation_t alloy_burndown_operations[];
extern const alloy_operation_t alloy_report_operations[];
extern const alloy_operation_t alloy_change_operations[];
/** A page of the feed, and undoing a call (core/feed.c, core/revert.c). */
extern alloy_run_fn alloy_feed_run, alloy_revert_run;
extern const alloy_resource_t alloy_change_resource;
/** Entity types of the change log that nothing refers to. */
extern const alloy_resource_t alloy_log_organization, alloy_log_membership,
    alloy_log_invite, alloy_log_project_member, alloy_log_workflow_status,
    alloy_log_workflow_transition, alloy_log_tag, alloy_log_team_member,
    alloy_log_ticket_watcher;
extern const alloy_operation_t alloy_label_operations[];
extern const alloy_operation_t alloy_ticket_label_operations[];
extern const alloy_operation_t alloy_tag_operations[];
extern const alloy_operation_t alloy_team_operations[];
extern const alloy_operation_t alloy_team_member_operations[];
extern const alloy_operation_t alloy_link_operations[];
extern const alloy_operation_t alloy_watcher_operations[];

/** The core described as a plugin. */
extern const alloy_plugin_t alloy_core_plugin;

#endif
