/*
 * Invites: asking somebody into an organization, and joining by the code he
 * was sent. The code is shown once and stored as its hash.
 */
#include "resources.h"

#include <apr_strings.h>

#include "sql/invite.h"

#define CODE_PREFIX "alloy_invite_"
#define CODE_LIMIT  200         /* characters; longer ones are none of ours */

static const char *const status_words[] = {
    "pending", "accepted", "revoked", "expired", NULL
};

/* ---- answers --------------------------------------------------------------- */

#define INVITE_FIELDS \
    { "id", ALLOY_UUID, 0, "Identifies the invite." }, \
    { "org_id", ALLOY_UUID, 0, "The organization it opens." }, \
    { "email", ALLOY_TEXT, 0, "The only address that can accept it." }, \
    { "role", ALLOY_WORD, 0, "The role it gives.", alloy_role_words }, \
    { "status", ALLOY_WORD, 0, "Whether it still works (pending), or why " \
      "not.", status_words }, \
    { "created_by", ALLOY_UUID, 0, "Who invites." }, \
    { "expires_at", ALLOY_INSTANT, 0, "Until when it can be accepted." }, \
    { "accepted_by", ALLOY_UUID, ALLOY_NULLABLE, "Who accepted it." }, \
    { "accepted_at", ALLOY_INSTANT, ALLOY_NULLABLE, "When." }, \
    { "revoked_at", ALLOY_INSTANT, ALLOY_NULLABLE, "When it was taken " \
      "back." }, \
    { "created_at", ALLOY_INSTANT, 0, "When it was made." }

static const alloy_field_t invite_fields[] = {
    INVITE_FIELDS,
    ALLOY_FIELDS_END
};

static const alloy_shape_t invite_shape = { "Invite", invite_fields };

static const alloy_field_t new_invite_fields[] = {
    INVITE_FIELDS,
    { "invite_code", ALLOY_TEXT, ALLOY_NULLABLE, "What the invited person "
      "accepts with; shown only here, null in a repeated answer." },
    { "invite_link", ALLOY_TEXT, ALLOY_NULLABLE, "A link that shows what the invite is "
      "for; to accept, POST to it with /accept at its end." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t new_invite_shape = {
    "NewInvite", new_invite_fields
};

static const alloy_field_t offer_fields[] = {
    { "org_id", ALLOY_UUID, 0, "The organization it opens." },
    { "org_name", ALLOY_TEXT, 0, "What people call it." },
    { "email", ALLOY_TEXT, 0, "The only address that can accept it." },
    { "role", ALLOY_WORD, 0, "The role it gives.", alloy_role_words },
    { "expires_at", ALLOY_INSTANT, 0, "Until when it can be accepted." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t offer_shape = { "InviteOffer", offer_fields };

static const alloy_field_t joined_fields[] = {
    { "org_id", ALLOY_UUID, 0, "The organization joined." },
    { "org_name", ALLOY_TEXT, 0, "What people call it." },
    { "slug", ALLOY_TEXT, 0, "Its short name." },
    { "user_id", ALLOY_UUID, 0, "Who joined: the caller." },
    { "role", ALLOY_WORD, 0, "His role there.", alloy_role_words },
    ALLOY_FIELDS_END
};

static const alloy_shape_t joined_shape = { "JoinedOrganization",
                                            joined_fields };

/* ---- input ----------------------------------------------------------------- */

#define ORG_PARAM \
    { .name = "org", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id or slug of the organization.", \
      .resource = &alloy_org_resource }

static const alloy_param_t create_params[] = {
    ORG_PARAM,
    { .name = "email", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED,
      .format = &alloy_format_email, .least = 3, .most = 320,
      .help = "Who is invited; nobody else can accept." },
    { .name = "role", .type = ALLOY_WORD, .words = alloy_role_words,
      .fallback = "Member",
      .help = "The role he gets, at most the caller's own." },
    { .name = "created_by", .type = ALLOY_REF,
      .flags = ALLOY_SELF | ALLOY_STRICT, .within = "org",
      .resource = &alloy_person_resource,
      .help = "Who invites; the caller when left out." },
    ALLOY_PARAMS_END
};

static const alloy_param_t list_params[] = {
    ORG_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t revoke_params[] = {
    ORG_PARAM,
    { .name = "invite", .type = ALLOY_UUID, .flags = ALLOY_REQUIRED,
      .help = "Id of the invite." },
    ALLOY_PARAMS_END
};

static const alloy_param_t code_params[] = {
    { .name = "code", .type = ALLOY_TEXT,
      .flags = ALLOY_REQUIRED | ALLOY_SECRET, .least = 1, .most = CODE_LIMIT,
      .help = "The code of the invite." },
    ALLOY_PARAMS_END
};

static const alloy_refusal_t create_refusals[] = {
    { "role_above", &alloy_forbidden, "/role",
      "Nobody can give a role above his own; choose a lower one." },
    { "already_member", &alloy_already_exists, "/email",
      "Whoever has this e-mail address is a member already." },
    ALLOY_REFUSALS_END
};

static const alloy_refusal_t revoke_refusals[] = {
    { "accepted", &alloy_invalid_state, NULL,
      "The invite was accepted; remove the member instead." },
    ALLOY_REFUSALS_END
};

#define UNKNOWN \
    "This invite does not work: it is unknown, used, revoked or expired. " \
    "Ask for another."

static const alloy_refusal_t accept_refusals[] = {
    { "invite_unknown", &alloy_not_found, NULL, UNKNOWN },
    { "invite_mismatch", &alloy_invite_mismatch, NULL,
      "The invite is for another e-mail address; sign in with that one." },
    { "already_member", &alloy_already_exists, NULL,
      "You are a member of this organization already." },
    { "too_many", &alloy_invalid_state, NULL,
      "You are in 200 organizations, which is the most; leave one first." },
    ALLOY_REFUSALS_END
};

/* ---- what takes C: codes --------------------------------------------------- */

static alloy_problem_t *run_create(alloy_call_t *call)
{
    const char *code, *hash;
    const alloy_row_t *row;

    ALLOY_TRY(alloy_token_make(call, CODE_PREFIX, &code, &hash));
    alloy_bind(call, "hash", hash);
    ALLOY_TRY(alloy_fetch(call, &sql_invite_create, &row));
    if (!row) {
        return alloy_problem(call, &alloy_not_found,
                             "The organization is not there any more.");
    }
    alloy_answer_text(call, "invite_code", code);
    alloy_answer_text(call, "invite_link",
                      alloy_url(call, apr_pstrcat(alloy_call_pool(call),
                                                  "/invites/", code, NULL)));
    return alloy_answer_row(call, row);
}

/* A code that can't be one of ours is as unknown as a wrong one. */
static alloy_problem_t *answer_by_code(alloy_call_t *call,
                                       const alloy_statement_t *statement)
{
    const char *hash = alloy_token_hash(call, CODE_PREFIX,
                                        alloy_text(call, "code"));
    const alloy_row_t *row = NULL;

    if (hash) {
        alloy_bind(call, "hash", hash);
        ALLOY_TRY(alloy_fetch(call, statement, &row));
    }
    if (!row) {
        return alloy_problem(call, &alloy_not_found, UNKNOWN);
    }
    return alloy_answer_row(call, row);
}

static alloy_problem_t *run_get(alloy_call_t *call)
{
    return answer_by_code(call, &sql_invite_get);
}

static alloy_problem_t *run_accept(alloy_call_t *call)
{
    return answer_by_code(call, &sql_invite_accept);
}

/* ---- the table ------------------------------------------------------------- */

const alloy_operation_t alloy_invite_operations[] = {
    {
        .id = "invite_create",
        .method = ALLOY_POST,
        .path = "/orgs/{org}/invites",
        .tool = "create_invite",
        .noun = "invites",
        .summary = "Invites somebody into an organization by e-mail address.",
        .help = "Alloy sends no mail: pass the link or the code on. It works "
                "once, within seven days, for that address only.",
        .role = ALLOY_ADMIN,
        .flags = ALLOY_CREATES | ALLOY_REVEALS,
        .params = create_params,
        .answer = &new_invite_shape,
        .run = run_create,
        .refusals = create_refusals,
    },
    {
        .id = "invite_list",
        .method = ALLOY_GET,
        .path = "/orgs/{org}/invites",
        .tool = "list_invites",
        .noun = "invites",
        .summary = "Lists an organization's invites, newest first, without "
                   "their codes.",
        .role = ALLOY_ADMIN,
        .params = list_params,
        .answer = &invite_shape,
        .steps = { &sql_invite_list },
    },
    {
        .id = "invite_revoke",
        .method = ALLOY_DELETE,
        .path = "/orgs/{org}/invites/{invite}",
        .tool = "revoke_invite",
        .noun = "invites",
        .summary = "Takes an invite back, so that nobody can accept it.",
        .role = ALLOY_ADMIN,
        .params = revoke_params,
        .steps = { &sql_invite_revoke },
        .refusals = revoke_refusals,
    },
    {
        .id = "invite_get",
        .method = ALLOY_GET,
        .path = "/invites/{code}",
        .noun = "invites",
        .summary = "Shows whoever has its code what an invite is for.",
        .role = ALLOY_PUBLIC,
        .params = code_params,
        .answer = &offer_shape,
        .run = run_get,
    },
    {
        .id = "invite_accept",
        .method = ALLOY_POST,
        .path = "/invites/accept",
        .tool = "accept_invite",
        .noun = "invites",
        .summary = "Makes the caller a member of the organization that "
                   "invited him.",
        .role = ALLOY_SIGNED_IN,
        .flags = ALLOY_ACCOUNT,
        .params = code_params,
        .answer = &joined_shape,
        .run = run_accept,
        .refusals = accept_refusals,
    },
    {
        .id = "invite_accept_link",
        .method = ALLOY_POST,
        .path = "/invites/{code}/accept",
        .noun = "invites",
        .summary = "Accepts an invite by its link: the same as "
                   "invite_accept.",
        .role = ALLOY_SIGNED_IN,
        .flags = ALLOY_ACCOUNT,
        .params = code_params,
        .answer = &joined_shape,
        .run = run_accept,
        .refusals = accept_refusals,
    },
    ALLOY_OPERATIONS_END
};
