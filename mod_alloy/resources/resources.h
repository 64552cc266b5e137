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
/** A ticket as every operation that has one to show answers it. */
extern const alloy_shape_t alloy_ticket_shape;
/** A label, by itself and in the tickets that carry it. */
extern const alloy_shape_t alloy_label_shape;
/** A long text by people, Markdown as typed: at most 64 KiB in UTF-8. */
extern const alloy_format_t alloy_markdown_format;
/** Decide a move from the row of ticket_move_read: binds to_status, the wanted
 *  status in its workflow's own spelling (NULL: none was asked for).
 *  Problems: validation_failed at /status, with the names there are. */
extern alloy_decide_fn alloy_move_decide;

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
