/*
 * The feed of changes: everything that happens in an organization or a project,
 * for programs that keep up with it.
 */
#include "resources.h"

#include "sql/change.h"

#define WAIT_LIMIT 60           /* seconds */

/* ---- entity types ------------------------------------------------------------ */

/* One call, as Alloy-Change-Id names it. Its id carries no organization's bits
 * when the call began without one. */
const alloy_resource_t alloy_change_resource = {
    .name = "change",
    .table = "alloy.change",
    .read = ALLOY_VIEWER,
    .find_id = &sql_change_find_id,
};

#define LOGGED(word, relation, role) \
    { .name = word, .table = relation, .read = role }

const alloy_resource_t alloy_log_organization =
    LOGGED("organization", "alloy.organization", ALLOY_VIEWER);
const alloy_resource_t alloy_log_membership =
    LOGGED("membership", "alloy.membership", ALLOY_VIEWER);
const alloy_resource_t alloy_log_invite =
    LOGGED("invite", "alloy.invite", ALLOY_ADMIN);
const alloy_resource_t alloy_log_project_member =
    LOGGED("project_member", "alloy.project_member", ALLOY_VIEWER);
const alloy_resource_t alloy_log_workflow_status =
    LOGGED("workflow_status", "alloy.workflow_status", ALLOY_VIEWER);
const alloy_resource_t alloy_log_workflow_transition =
    LOGGED("workflow_transition", "alloy.workflow_transition", ALLOY_VIEWER);

/* ---- answers ------------------------------------------------------------------- */

/* A change has all keys but the last two; what tells of the reader's own access
 * has only operation and these. */
static const alloy_field_t change_fields[] = {
    { "seq", ALLOY_INT, ALLOY_ANSWERED, "Place in the change log: ascending "
      "within one read, and for any one entity." },
    { "at", ALLOY_INSTANT, ALLOY_ANSWERED, "When it happened." },
    { "change_id", ALLOY_UUID, ALLOY_ANSWERED | ALLOY_NULLABLE, "The call that "
      "did it, answered as Alloy-Change-Id." },
    { "actor_id", ALLOY_UUID, ALLOY_ANSWERED | ALLOY_NULLABLE, "Who did it." },
    { "actor_name", ALLOY_TEXT, ALLOY_ANSWERED | ALLOY_NULLABLE, "His name "
      "today." },
    { "on_behalf_of", ALLOY_TEXT, ALLOY_ANSWERED | ALLOY_NULLABLE, "On whose "
      "behalf, as his API key says." },
    { "client", ALLOY_TEXT, ALLOY_ANSWERED | ALLOY_NULLABLE, "The way it came: "
      "rest, mcp or import." },
    { "client_name", ALLOY_TEXT, ALLOY_ANSWERED | ALLOY_NULLABLE, "The program "
      "that sent it." },
    { "request_id", ALLOY_TEXT, ALLOY_ANSWERED | ALLOY_NULLABLE, "X-Request-Id "
      "of the call." },
    { "operation", ALLOY_TEXT, ALLOY_NULLABLE, "The operation that was called; "
      "access: what the reader himself may see has changed." },
    { "entity_type", ALLOY_TEXT, ALLOY_ANSWERED, "What changed: ticket, "
      "comment, project and so on." },
    { "entity_id", ALLOY_UUID, ALLOY_ANSWERED, "Which one." },
    { "org_id", ALLOY_UUID, ALLOY_ANSWERED, "Its organization." },
    { "project_id", ALLOY_UUID, ALLOY_ANSWERED | ALLOY_NULLABLE, "Its "
      "project." },
    { "parent_id", ALLOY_UUID, ALLOY_ANSWERED | ALLOY_NULLABLE, "What it is "
      "on: a comment's ticket." },
    { "version", ALLOY_INT, ALLOY_ANSWERED | ALLOY_NULLABLE, "Its version since "
      "then." },
    { "fields", ALLOY_TEXT, ALLOY_ANSWERED | ALLOY_MANY, "Names of what "
      "changed; empty when it was made or is gone." },
    { "before", ALLOY_JSON, ALLOY_ANSWERED | ALLOY_NULLABLE, "The changed "
      "fields as they were; null when it was made." },
    { "after", ALLOY_JSON, ALLOY_ANSWERED | ALLOY_NULLABLE, "The changed fields "
      "as they are since; long texts are left out." },
    { "warnings", ALLOY_TEXT, ALLOY_ANSWERED | ALLOY_MANY, "Codes of rules it "
      "broke without being refused." },
    { "lost", ALLOY_UUID, ALLOY_ANSWERED | ALLOY_MANY, "Projects the reader "
      "can't see any more: drop everything below them." },
    { "gained", ALLOY_UUID, ALLOY_ANSWERED | ALLOY_MANY, "Projects he can see "
      "now: read them afresh, the feed does not repeat what happened there "
      "before." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t change_shape = { "Change", change_fields };

static const alloy_field_t page_fields[] = {
    { "items", ALLOY_JSON, ALLOY_MANY, "What happened, oldest first.", NULL,
      &change_shape },
    { "next_cursor", ALLOY_TEXT, 0, "Send it as after to go on from here, at "
      "once or at any time later." },
    { "has_more", ALLOY_BOOL, 0, "Whether more is waiting already." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t page_shape = { "ChangePage", page_fields };

static const char *const action_words[] = {
    "update", "remove", "restore", NULL
};

static const alloy_field_t undone_fields[] = {
    { "entity_type", ALLOY_TEXT, 0, "What it is: ticket, project, comment." },
    { "entity_id", ALLOY_UUID, 0, "Which one." },
    { "action", ALLOY_WORD, 0, "What was done to it: its fields are as they "
      "were, it is deleted, or it is there again.", action_words },
    ALLOY_FIELDS_END
};

static const alloy_shape_t undone_shape = { "Undone", undone_fields };

static const alloy_field_t reversal_fields[] = {
    { "change_id", ALLOY_UUID, 0, "This call, which can be undone itself." },
    { "reverts", ALLOY_UUID, 0, "The call that was undone." },
    { "items", ALLOY_JSON, ALLOY_MANY, "What was done, the last thing first.",
      NULL, &undone_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t reversal_shape = { "Reversal", reversal_fields };

/* ---- input --------------------------------------------------------------------- */

#define READER_PARAMS \
    { .name = "after", .type = ALLOY_TEXT, .least = 1, .most = 64000, \
      .help = "next_cursor of the page before; now: from here on; left out: " \
              "from the beginning." }, \
    { .name = "wait", .type = ALLOY_INT, .least = 0, .most = WAIT_LIMIT, \
      .fallback = "0", \
      .help = "Seconds to wait for something to happen when there is " \
              "nothing yet." }, \
    { .name = "limit", .type = ALLOY_INT, .least = 1, .most = 200, \
      .fallback = "50", .help = "How many items at most." }

static const alloy_param_t list_params[] = {
    { .name = "org_id", .type = ALLOY_REF, .flags = ALLOY_HOME,
      .resource = &alloy_org_resource,
      .help = "Only what happens in this organization: id or slug." },
    READER_PARAMS,
    ALLOY_PARAMS_END
};

static const alloy_param_t project_params[] = {
    { .name = "project", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .resource = &alloy_project_resource,
      .help = "Id, key or name of the project." },
    READER_PARAMS,
    ALLOY_PARAMS_END
};

static const alloy_param_t revert_params[] = {
    { .name = "change", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .resource = &alloy_change_resource,
      .help = "What Alloy-Change-Id said in the answer of the call; change_id "
              "in its activity." },
    ALLOY_PARAMS_END
};

#define FEED_HELP \
    "Follow next_cursor for ever: nothing is left out and nothing comes " \
    "twice, deletions included, and the changes of any one thing come in " \
    "their order. A cursor is one reader's and one filter's. When projects " \
    "came into sight or went out of it, the page begins with an item whose " \
    "operation is access. 410 after a restore of the database: read " \
    "everything afresh."

/* ---- the table ------------------------------------------------------------------- */

const alloy_operation_t alloy_change_operations[] = {
    {
        .id = "change_list",
        .method = ALLOY_GET,
        .path = "/changes",
        .tool = "list_changes",
        .noun = "changes",
        .summary = "Tells what happened since a cursor, oldest first, and "
                   "waits for it if asked to.",
        .help = FEED_HELP,
        .role = ALLOY_VIEWER,
        .flags = ALLOY_SPREADS,
        .params = list_params,
        .answer = &page_shape,
        .run = alloy_feed_run,
    },
    {
        .id = "project_change_list",
        .method = ALLOY_GET,
        .path = "/projects/{project}/changes",
        .noun = "changes",
        .summary = "Tells what happened in a project since a cursor, oldest "
                   "first.",
        .help = FEED_HELP,
        .role = ALLOY_VIEWER,
        .params = project_params,
        .answer = &page_shape,
        .run = alloy_feed_run,
    },
    {
        .id = "change_revert",
        .method = ALLOY_POST,
        .path = "/changes/{change}/revert",
        .tool = "revert_change",
        .noun = "changes",
        .summary = "Undoes what one call did to tickets, projects and "
                   "comments.",
        .help = "Fields get the values they had before, what was made is "
                "deleted, what was deleted is there again. Each step needs the "
                "role and the scope of the opposite operation and obeys its "
                "rules. When something moved since, nothing is done and moved "
                "lists it. This is a change as well and can be undone.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_TRANSACTION | ALLOY_LISTED | ALLOY_OVERWRITES,
        .params = revert_params,
        .answer = &reversal_shape,
        .run = alloy_revert_run,
    },
    ALLOY_OPERATIONS_END
};
