/*
 * The core's record: every noun of this folder, and the engine's own pages and
 * statements, in the form in which plugins introduce themselves.
 */
#include "resources.h"

#include "sql/account.h"
#include "sql/activity.h"
#include "sql/api_key.h"
#include "sql/change.h"
#include "sql/comment.h"
#include "sql/engine.h"
#include "sql/invite.h"
#include "sql/label.h"
#include "sql/link.h"
#include "sql/member.h"
#include "sql/org.h"
#include "sql/precondition.h"
#include "sql/principal.h"
#include "sql/project.h"
#include "sql/repeat.h"
#include "sql/report.h"
#include "sql/search.h"
#include "sql/session.h"
#include "sql/sprint.h"
#include "sql/tag.h"
#include "sql/team.h"
#include "sql/ticket.h"
#include "sql/ticket_set.h"

/* The newest file in sql/migrations. */
#define SCHEMA 70

const char *const alloy_role_words[] = {
    "Owner", "Admin", "Member", "Reporter", "Viewer", NULL
};

const char *const alloy_category_words[] = {
    "todo", "in_progress", "done", NULL
};

const char *const alloy_priority_words[] = {
    "Critical", "High", "Medium", "Low", NULL
};

static const alloy_operation_t *const operations[] = {
    alloy_about_operations,
    alloy_batch_operations,
    alloy_account_operations,
    alloy_session_operations,
    alloy_api_key_operations,
    alloy_org_operations,
    alloy_member_operations,
    alloy_invite_operations,
    alloy_project_operations,
    alloy_ticket_operations,
    alloy_search_operations,
    alloy_ticket_batch_operations,
    alloy_transition_operations,
    alloy_comment_operations,
    alloy_activity_operations,
    alloy_sprint_operations,
    alloy_board_operations,
    alloy_burndown_operations,
    alloy_report_operations,
    alloy_change_operations,
    alloy_label_operations,
    alloy_ticket_label_operations,
    alloy_tag_operations,
    alloy_team_operations,
    alloy_team_member_operations,
    alloy_link_operations,
    alloy_watcher_operations,
    NULL
};

static const alloy_statement_t *const *const statements[] = {
    sql_engine_statements,
    sql_principal_statements,
    sql_precondition_statements,
    sql_repeat_statements,
    sql_account_statements,
    sql_session_statements,
    sql_api_key_statements,
    sql_org_statements,
    sql_member_statements,
    sql_invite_statements,
    sql_project_statements,
    sql_ticket_statements,
    sql_search_statements,
    sql_ticket_set_statements,
    sql_comment_statements,
    sql_activity_statements,
    sql_sprint_statements,
    sql_report_statements,
    sql_change_statements,
    sql_label_statements,
    sql_tag_statements,
    sql_team_statements,
    sql_link_statements,
    NULL
};

static const alloy_resource_t *const resources[] = {
    &alloy_org_resource,
    &alloy_user_resource,
    &alloy_person_resource,
    &alloy_project_resource,
    &alloy_workflow_resource,
    &alloy_ticket_resource,
    &alloy_comment_resource,
    &alloy_sprint_resource,
    &alloy_change_resource,
    &alloy_log_organization,
    &alloy_log_membership,
    &alloy_log_invite,
    &alloy_log_project_member,
    &alloy_log_workflow_status,
    &alloy_log_workflow_transition,
    &alloy_label_resource,
    &alloy_team_resource,
    &alloy_link_resource,
    &alloy_log_tag,
    &alloy_log_team_member,
    &alloy_log_ticket_watcher,
    NULL
};

const alloy_plugin_t alloy_core_plugin = {
    ALLOY_PLUGIN_INIT,
    .name = "core",
    .schema = SCHEMA,
    .operations = operations,
    .statements = statements,
    .resources = resources,
};
