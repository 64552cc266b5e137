/*
 * Comments on tickets: Markdown kept as it was typed, with the people it
 * mentions.
 */
#include "resources.h"

#include "sql/comment.h"

#define BODY_LIMIT 65536        /* characters; the format counts bytes */

const alloy_resource_t alloy_comment_resource = {
    .name = "comment",
    .table = "alloy.comment",
    .read = ALLOY_VIEWER,
    .sharded = 1,
    .find_id = &sql_comment_find_id,
};

static const alloy_field_t comment_fields[] = {
    { "id", ALLOY_UUID, 0, "Identifies the comment for ever." },
    { "ticket_id", ALLOY_UUID, 0, "The ticket it is about." },
    { "author_id", ALLOY_UUID, 0, "Who said it." },
    { "body", ALLOY_TEXT, 0, "What was said, as Markdown." },
    { "mentions", ALLOY_UUID, ALLOY_MANY, "People who see the project and "
      "whose addresses it mentions (@ann@example.com)." },
    { "version", ALLOY_INT, 0, "Raised by every change." },
    { "created_at", ALLOY_INSTANT, 0, "When it was said." },
    { "updated_at", ALLOY_INSTANT, 0, "When it was changed last." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t comment_shape = { "Comment", comment_fields };

#define COMMENT_PARAM \
    { .name = "comment", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id of the comment.", .resource = &alloy_comment_resource }

#define BODY_PARAM(flag) \
    { .name = "body", .type = ALLOY_TEXT, \
      .flags = ALLOY_MULTILINE | (flag), .least = 1, .most = BODY_LIMIT, \
      .format = &alloy_markdown_format, \
      .help = "What is said, as Markdown; @ann@example.com mentions " \
              "somebody." }

static const alloy_param_t add_params[] = {
    ALLOY_TICKET_PARAM,
    BODY_PARAM(ALLOY_REQUIRED),
    { .name = "author_id", .type = ALLOY_REF, .flags = ALLOY_SELF,
      .resource = &alloy_user_resource, .within = "org",
      .help = "Who says it; the caller when left out, somebody else only by "
              "an Admin." },
    ALLOY_PARAMS_END
};

static const alloy_param_t ticket_params[] = {
    ALLOY_TICKET_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t update_params[] = {
    COMMENT_PARAM,
    BODY_PARAM(0),
    ALLOY_PARAMS_END
};

static const alloy_param_t comment_params[] = {
    COMMENT_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_refusal_t add_refusals[] = {
    { "author_required", &alloy_validation_failed, "/author_id",
      "Somebody must say it; leave author_id out or name a member." },
    { "archived", &alloy_invalid_state, NULL,
      "The project is archived and takes no more comments; PATCH it with "
      "archived false first." },
    ALLOY_REFUSALS_END
};

const alloy_operation_t alloy_comment_operations[] = {
    {
        .id = "comment_add",
        .method = ALLOY_POST,
        .path = "/tickets/{ticket}/comments",
        .tool = "add_comment",
        .noun = "comments",
        .summary = "Adds a comment to a ticket.",
        .role = ALLOY_REPORTER,
        .flags = ALLOY_CREATES | ALLOY_LISTED,
        .params = add_params,
        .answer = &comment_shape,
        .steps = { &sql_comment_add },
        .refusals = add_refusals,
    },
    {
        .id = "comment_list",
        .method = ALLOY_GET,
        .path = "/tickets/{ticket}/comments",
        .tool = "list_comments",
        .noun = "comments",
        .summary = "Lists a ticket's comments, oldest first.",
        .role = ALLOY_VIEWER,
        .flags = ALLOY_LISTED,
        .params = ticket_params,
        .answer = &comment_shape,
        .steps = { &sql_comment_list },
    },
    {
        .id = "comment_update",
        .method = ALLOY_PATCH,
        .path = "/comments/{comment}",
        .tool = "update_comment",
        .noun = "comments",
        .summary = "Changes one's own comment.",
        .role = ALLOY_REPORTER,
        .params = update_params,
        .answer = &comment_shape,
        .steps = { &sql_comment_update },
        .own_note = "the author",
    },
    {
        .id = "comment_delete",
        .method = ALLOY_DELETE,
        .path = "/comments/{comment}",
        .tool = "delete_comment",
        .noun = "comments",
        .summary = "Deletes one's own comment; an Admin deletes any.",
        .role = ALLOY_REPORTER,
        .params = comment_params,
        .steps = { &sql_comment_delete },
        .own_note = "the author or an Admin",
    },
    ALLOY_OPERATIONS_END
};
