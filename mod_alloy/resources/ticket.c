/*
 * Tickets: making, reading, changing and deleting one, and a project's list of
 * them. How a ticket moves from status to status is in transition.c.
 */
#include "resources.h"

#include <string.h>

#include <apr_strings.h>

#include "sql/search.h"
#include "sql/ticket.h"
#include "sql/ticket_set.h"

#define MARKDOWN_LIMIT 65536    /* bytes, as the tables have it */
#define LABELS_LIMIT 50         /* of a ticket; also in label.sql */

const char *const alloy_type_words[] = {
    "Task", "Bug", "Story", "Epic", NULL
};

const char *const alloy_priority_aliases[] = { "Urgent", "Critical", NULL };
static const char *const reserved[] = { "none", NULL };

/* ---- entity type ----------------------------------------------------------- */

const alloy_resource_t alloy_ticket_resource = {
    .name = "ticket",
    .table = "alloy.ticket",
    .read = ALLOY_VIEWER,
    .sharded = 1,
    .find_id = &sql_ticket_find_id,
    .find_name = &sql_ticket_find_name,
    .find_many = &sql_ticket_set_find,
    .reserved = reserved,
};

/* ---- answers --------------------------------------------------------------- */

static const alloy_field_t warning_fields[] = {
    { "code", ALLOY_TEXT, 0, "Which rule, as the change log marks it." },
    { "detail", ALLOY_TEXT, 0, "The same as a sentence." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t warning_shape = { "Warning", warning_fields };

static const alloy_field_t ticket_fields[] = {
    { "id", ALLOY_UUID, 0, "Identifies the ticket for ever." },
    { "project_id", ALLOY_UUID, 0, "The project it belongs to." },
    { "key", ALLOY_TEXT, 0, "What people call it, such as WEB-5; accepted "
      "wherever the id is." },
    { "ticket_number", ALLOY_INT, 0, "Counts the project's tickets from 1; "
      "never used again." },
    { "title", ALLOY_TEXT, 0, "What is to be done, in one line." },
    { "description", ALLOY_TEXT, ALLOY_NULLABLE, "The same at length, as "
      "Markdown." },
    { "type", ALLOY_WORD, 0, "What kind of work it is.", alloy_type_words },
    { "status", ALLOY_TEXT, 0, "Where it stands: a status of the project's "
      "workflow." },
    { "category", ALLOY_WORD, 0, "What the status means.",
      alloy_category_words },
    { "priority", ALLOY_WORD, 0, "How much it matters.",
      alloy_priority_words },
    { "reporter_id", ALLOY_UUID, 0, "Who asked for it.", NULL, NULL,
      &alloy_user_resource },
    { "assignee_id", ALLOY_UUID, ALLOY_NULLABLE, "Who works on it.", NULL,
      NULL, &alloy_user_resource },
    { "sprint_id", ALLOY_UUID, ALLOY_NULLABLE, "The sprint it is planned for; "
      "null: none, it is in the backlog." },
    { "parent_id", ALLOY_UUID, ALLOY_NULLABLE, "The ticket it is a part of." },
    { "points", ALLOY_HALF, ALLOY_NULLABLE, "How big it is, in half steps." },
    { "due_date", ALLOY_DATE, ALLOY_NULLABLE, "The day it must be done by." },
    { "labels", ALLOY_JSON, ALLOY_MANY, "The labels it carries, by name.",
      NULL, &alloy_label_shape },
    { "version", ALLOY_INT, 0, "Raised by every change, one of its labels "
      "included." },
    { "created_at", ALLOY_INSTANT, 0, "When it was made." },
    { "updated_at", ALLOY_INSTANT, 0, "When it was changed last." },
    { "closed_at", ALLOY_INSTANT, ALLOY_NULLABLE, "When it entered a status of "
      "the category done; null while it is open." },
    { "warnings", ALLOY_JSON, ALLOY_MANY | ALLOY_ANSWERED, "Rules this change "
      "broke without being refused; absent when there are none.", NULL,
      &warning_shape },
    ALLOY_FIELDS_END
};

static const char *const ticket_compact[] = {
    "id", "key", "title", "type", "status", "priority", "assignee", "due_date",
    "points", "updated_at", NULL
};

const alloy_shape_t alloy_ticket_shape = {
    "Ticket", ticket_fields, ticket_compact
};

/* ---- input ----------------------------------------------------------------- */

/* Declared limits count characters; the tables count bytes. */
static const char *check_markdown(const char **value, apr_pool_t *pool)
{
    apr_size_t size = strlen(*value);

    if (size <= MARKDOWN_LIMIT) {
        return NULL;
    }
    return apr_psprintf(pool, "This has %" APR_SIZE_T_FMT " bytes and may have "
                        "at most %d; letters beyond ASCII take two to four.",
                        size, MARKDOWN_LIMIT);
}

const alloy_format_t alloy_markdown_format = {
    .name = "markdown", .check = check_markdown
};

#define PROJECT_PARAM \
    { .name = "project", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id, key or name of the project.", \
      .resource = &alloy_project_resource }

#define TITLE_PARAM(flag) \
    { .name = "title", .type = ALLOY_TEXT, .flags = flag, .least = 1, \
      .most = 500, .help = "What is to be done, in one line." }

#define DESCRIPTION_PARAM \
    { .name = "description", .type = ALLOY_TEXT, \
      .flags = ALLOY_NULLABLE | ALLOY_MULTILINE, .most = MARKDOWN_LIMIT, \
      .format = &alloy_markdown_format, \
      .help = "The same at length, as Markdown; at most 64 KiB." }

#define TYPE_PARAM(absent) \
    { .name = "type", .type = ALLOY_WORD, .words = alloy_type_words, \
      .fallback = absent, .help = "What kind of work it is." }

#define PRIORITY_PARAM(absent) \
    { .name = "priority", .type = ALLOY_WORD, \
      .words = alloy_priority_words, .aliases = alloy_priority_aliases, \
      .fallback = absent, .help = "How much it matters; Urgent is Critical." }

#define STATUS_PARAM(needs, text) \
    { .name = "status", .type = ALLOY_TEXT, .least = 1, .most = 100, \
      .role = needs, .help = text }

#define ASSIGNEE_PARAM(needs) \
    { .name = "assignee_id", .type = ALLOY_REF, .flags = ALLOY_NULLABLE, \
      .resource = &alloy_user_resource, .within = "org", .role = needs, \
      .help = "Who works on it: id, e-mail address, display name, me, or " \
              "none." }

#define SPRINT_PARAM(parent, needs) \
    { .name = "sprint_id", .type = ALLOY_REF, .flags = ALLOY_NULLABLE, \
      .resource = &alloy_sprint_resource, .within = parent, .role = needs, \
      .help = "The sprint it is planned for, one of its project: id, number, " \
              "name, active (the only active one), or backlog for none." }

static const alloy_param_t label_param[] = {
    { .name = "label", .type = ALLOY_REF, .resource = &alloy_label_resource,
      .within = "org", .help = "Id or name of a label." },
    ALLOY_PARAMS_END
};

#define LABELS_PARAM(text) \
    { .name = "labels", .type = ALLOY_LIST, .most = LABELS_LIMIT, \
      .inner = label_param, .help = text }

/* What plans are made of. */
#define PLAN_PARAMS(needs) \
    { .name = "parent_id", .type = ALLOY_REF, .flags = ALLOY_NULLABLE, \
      .resource = &alloy_ticket_resource, .role = needs, \
      .help = "Id or key of the ticket it is a part of, of any project of " \
              "the organization." }, \
    { .name = "points", .type = ALLOY_HALF, .flags = ALLOY_NULLABLE, \
      .least = 0, .most = 1000, .role = needs, \
      .help = "How big it is: 0 to 1000 in steps of one half." }, \
    { .name = "due_date", .type = ALLOY_DATE, .flags = ALLOY_NULLABLE, \
      .role = needs, .help = "The day it must be done by." }

static const alloy_param_t create_params[] = {
    PROJECT_PARAM,
    TITLE_PARAM(ALLOY_REQUIRED),
    DESCRIPTION_PARAM,
    TYPE_PARAM("Task"),
    PRIORITY_PARAM("Medium"),
    STATUS_PARAM(ALLOY_MEMBER, "A status of the project's workflow, in any "
                 "letter case; its first one when left out."),
    { .name = "reporter_id", .type = ALLOY_REF, .flags = ALLOY_SELF,
      .resource = &alloy_user_resource, .within = "org",
      .help = "Who asked for it; the caller when left out, somebody else only "
              "by an Admin." },
    ASSIGNEE_PARAM(ALLOY_MEMBER),
    SPRINT_PARAM("project", ALLOY_MEMBER),
    PLAN_PARAMS(ALLOY_MEMBER),
    LABELS_PARAM("Ids or names of the labels it gets."),
    { .name = "comment", .type = ALLOY_TEXT, .flags = ALLOY_MULTILINE,
      .least = 1, .most = MARKDOWN_LIMIT, .format = &alloy_markdown_format,
      .help = "The first comment, as Markdown." },
    ALLOY_PARAMS_END
};

/* All that can be changed. */
#define CHANGE_PARAMS \
    TITLE_PARAM(0), \
    DESCRIPTION_PARAM, \
    TYPE_PARAM(NULL), \
    PRIORITY_PARAM(NULL), \
    STATUS_PARAM(0, "Where it goes: a status of its workflow, in any letter " \
                 "case; the rules of a transition hold."), \
    { .name = "reporter_id", .type = ALLOY_REF, .role = ALLOY_ADMIN, \
      .resource = &alloy_user_resource, .within = "org", \
      .help = "Who asked for it: id, e-mail address, display name, or me." }, \
    ASSIGNEE_PARAM(0), \
    SPRINT_PARAM("ticket", 0), \
    PLAN_PARAMS(0), \
    LABELS_PARAM("Ids or names of all labels it has from now on.")

static const alloy_param_t update_params[] = {
    ALLOY_TICKET_PARAM,
    CHANGE_PARAMS,
    ALLOY_PARAMS_END
};

const alloy_param_t alloy_ticket_element[] = {
    ALLOY_TICKET_PARAM,
    { .name = "action", .type = ALLOY_WORD, .words = alloy_ticket_actions,
      .help = "What to do with this one, where it differs from the rest." },
    CHANGE_PARAMS,
    ALLOY_PARAMS_END
};

static const char *const assign_asks[] = { "assignee_id", NULL };
static const char *const assign_takes[] = { NULL };

static const alloy_tool_t update_tools[] = {
    { .name = "assign_ticket", .required = assign_asks, .only = assign_takes,
      .summary = "Gives a ticket to a person, or to none." },
    ALLOY_TOOLS_END
};

static const alloy_param_t ticket_params[] = {
    ALLOY_TICKET_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t get_params[] = {
    ALLOY_TICKET_PARAM,
    { .name = "as_of", .type = ALLOY_INSTANT,
      .help = "Answer the ticket as it was at this instant; 404 when it was "
              "not there then." },
    ALLOY_PARAMS_END
};

static const alloy_param_t list_params[] = {
    PROJECT_PARAM,
    ALLOY_WORDS_PARAM,
    ALLOY_TICKET_FILTERS,
    { .name = "sprint", .type = ALLOY_REF, .flags = ALLOY_MANY,
      .resource = &alloy_sprint_resource, .within = "project",
      .help = "Only tickets of this sprint: id, number, name, active (the "
              "only active one), or none for the backlog." },
    ALLOY_PARAMS_END
};

/* ---- changing one ------------------------------------------------------------ */

static const alloy_refusal_t create_refusals[] = {
    { "unknown_status", &alloy_validation_failed, "/status",
      "The project's workflow has no status of this name; use one of "
      "allowed." },
    { "reporter_required", &alloy_validation_failed, "/reporter_id",
      "Somebody must have asked for the ticket; leave reporter_id out or name "
      "a member." },
    { "archived", &alloy_invalid_state, NULL,
      "The project is archived and takes no new tickets; PATCH it with "
      "archived false first." },
    { "project_changed", &alloy_invalid_state, NULL,
      "The project was changed at this very moment; look at it and try "
      "again." },
    { "sprint_completed", &alloy_invalid_state, "/sprint_id",
      "The sprint is completed and takes no more tickets; name another "
      "sprint, or backlog." },
    ALLOY_REFUSALS_END
};

/* What makes a new ticket more than a row. */
static const char *const create_extras[] = {
    "status", "comment", "reporter_id", "sprint_id", "parent_id", "points",
    "due_date", "labels", NULL
};

static alloy_problem_t *sprint_completed(const alloy_facts_t *facts)
{
    static const char detail[] = "The sprint is completed and takes no more "
                                 "tickets; name another sprint, or backlog.";

    return alloy_problem_at(alloy_problem(facts->call, &alloy_invalid_state,
                                          "%s", detail),
                            "/sprint_id", "sprint_completed", detail, NULL);
}

static alloy_problem_t *cycle(alloy_call_t *call)
{
    static const char detail[] = "This ticket is the parent of that one "
                                 "already, perhaps over others between them; "
                                 "choose another.";

    return alloy_problem_at(alloy_problem(call, &alloy_invalid_state, "%s",
                                          detail),
                            "/parent_id", "cycle", detail, NULL);
}

static alloy_problem_t *decide_update(const alloy_facts_t *facts)
{
    static const char detail[] = "Somebody must have asked for the ticket; "
                                 "name a member.";

    if (alloy_given(facts->call, "reporter_id")
        && !alloy_text(facts->call, "reporter_id")) {
        return alloy_problem_at(alloy_problem(facts->call,
                                              &alloy_validation_failed, "%s",
                                              detail),
                                "/reporter_id", "reporter_required", detail,
                                NULL);
    }
    if (alloy_row_int(facts->row, "sprint_completed")) {
        return sprint_completed(facts);
    }
    if (alloy_row_int(facts->row, "loops")) {
        return cycle(facts->call);
    }
    return alloy_move_decide(facts);
}

/* A parent is decided from tickets that others may be moving. */
static int has_parent(const alloy_call_t *call)
{
    return alloy_text(call, "parent_id") != NULL;
}

static const alloy_guarded_t update_guarded = {
    .action = "ticket_update",
    .locked = has_parent,
    .lock = &sql_ticket_update_lock,
    .read = &sql_ticket_update_read,
    .decide = decide_update,
    .write = &sql_ticket_update,
};

const alloy_many_t alloy_ticket_update_many = {
    .lock = &sql_ticket_set_lock,
    .read = &sql_ticket_set_read,
    .write = &sql_ticket_set_update,
    .show = &sql_ticket_show_many,
};

static const alloy_many_t delete_many = {
    .lock = &sql_ticket_set_lock,
    .read = &sql_ticket_set_read,
    .write = &sql_ticket_set_delete,
};

/* ---- the table --------------------------------------------------------------- */

const alloy_operation_t alloy_ticket_operations[] = {
    {
        .id = "ticket_create",
        .method = ALLOY_POST,
        .path = "/projects/{project}/tickets",
        .tool = "create_ticket",
        .noun = "tickets",
        .summary = "Creates a ticket in a project.",
        .help = "Everything can be said at once, a first comment included. A "
                "Reporter may send title, description, type, priority, "
                "labels and comment; the rest needs the role Member.",
        .role = ALLOY_REPORTER,
        .flags = ALLOY_CREATES | ALLOY_LISTED,
        .params = create_params,
        .answer = &alloy_ticket_shape,
        .steps = { &sql_ticket_create },
        .plain = &sql_ticket_create_plain,
        .plain_without = create_extras,
        .location = "/tickets/{id}",
        .refusals = create_refusals,
    },
    {
        .id = "ticket_list",
        .method = ALLOY_GET,
        .path = "/projects/{project}/tickets",
        .noun = "tickets",
        .summary = "Lists a project's tickets, newest first.",
        .help = "Filters that are given must all fit; a filter that is given "
                "several times fits when one of its values does.",
        .role = ALLOY_VIEWER,
        .params = list_params,
        .answer = &alloy_ticket_shape,
        .steps = { &sql_ticket_list },
        .plain = &sql_ticket_list_all,
        .key = "q",
        .keyed = &sql_ticket_list_words,
    },
    {
        .id = "ticket_get",
        .method = ALLOY_GET,
        .path = "/tickets/{ticket}",
        .tool = "get_ticket",
        .uri = "alloy://tickets/{ticket}",
        .noun = "tickets",
        .summary = "Answers one ticket, as it is or as it was.",
        .help = "as_of looks at the past with the rights of today.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_LISTED,
        .params = get_params,
        .answer = &alloy_ticket_shape,
        .steps = { &sql_ticket_get },
        .past = &sql_ticket_get_as_of,
    },
    {
        .id = "ticket_update",
        .method = ALLOY_PATCH,
        .path = "/tickets/{ticket}",
        .tool = "update_ticket",
        .tools = update_tools,
        .noun = "tickets",
        .summary = "Changes the fields that are sent and no others.",
        .help = "null clears what can be empty. A status obeys the workflow, "
                "as in a transition; reporter_id needs the role Admin; labels "
                "are replaced as a whole. A parent must not make a cycle. "
                "What changes nothing leaves the version as it is.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_LISTED,
        .params = update_params,
        .answer = &alloy_ticket_shape,
        .guarded = &update_guarded,
        .many = &alloy_ticket_update_many,
    },
    {
        .id = "ticket_delete",
        .method = ALLOY_DELETE,
        .path = "/tickets/{ticket}",
        .tool = "delete_ticket",
        .noun = "tickets",
        .summary = "Deletes a ticket with its comments.",
        .help = "Its number is never used again.",
        .role = ALLOY_ADMIN,
        .params = ticket_params,
        .steps = { &sql_ticket_delete },
        .many = &delete_many,
    },
    ALLOY_OPERATIONS_END
};
