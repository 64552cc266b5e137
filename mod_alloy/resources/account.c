/*
 * The caller's own account: who he is, his name, his password; and one-time
 * codes for members who lost theirs.
 */
#include "resources.h"

#include "sql/account.h"
#include "sql/session.h"

#define RESET_PREFIX "alloy_reset_"
#define CODE_LIMIT   200        /* characters; longer ones are none of ours */

/* ---- answers --------------------------------------------------------------- */

static const char *const token_kinds[] = { "session", "api_key", NULL };

static const alloy_field_t membership_fields[] = {
    { "org_id", ALLOY_UUID, 0, "The organization." },
    { "name", ALLOY_TEXT, 0, "What people call it." },
    { "slug", ALLOY_TEXT, 0, "Its short name." },
    { "role", ALLOY_WORD, 0, "The caller's role there.", alloy_role_words },
    { "is_personal", ALLOY_BOOL, 0, "Whether it came with the account." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t membership_shape = {
    "OwnMembership", membership_fields
};

static const alloy_field_t token_fields[] = {
    { "kind", ALLOY_WORD, 0, "What the caller came with.", token_kinds },
    { "name", ALLOY_TEXT, ALLOY_NULLABLE, "Name of the key." },
    { "scopes", ALLOY_TEXT, ALLOY_MANY, "What it may be used for; * is "
      "everything." },
    { "project_ids", ALLOY_UUID, ALLOY_MANY | ALLOY_NULLABLE,
      "The only projects it sees; null: all that the user sees." },
    { "read_only", ALLOY_BOOL, 0, "Whether it may change nothing." },
    { "max_writes", ALLOY_INT, ALLOY_NULLABLE, "How many changes it may make "
      "in its life; null: any number." },
    { "writes_used", ALLOY_INT, ALLOY_NULLABLE, "How many of them are spent." },
    { "expires_at", ALLOY_INSTANT, ALLOY_NULLABLE, "When the key expires." },
    { "on_behalf_of", ALLOY_TEXT, ALLOY_NULLABLE, "For whom it acts." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t token_shape = { "OwnToken", token_fields };

static const alloy_field_t me_fields[] = {
    { "user_id", ALLOY_UUID, 0, "The caller." },
    { "email", ALLOY_TEXT, 0, "His e-mail address." },
    { "display_name", ALLOY_TEXT, 0, "What others see." },
    { "org_id", ALLOY_UUID, ALLOY_NULLABLE, "The organization that is meant "
      "where none is named." },
    { "role", ALLOY_WORD, ALLOY_NULLABLE, "His role there.",
      alloy_role_words },
    { "default_org_id", ALLOY_UUID, ALLOY_NULLABLE, "The one he chose to be "
      "meant." },
    { "memberships", ALLOY_JSON, ALLOY_MANY, "Organizations he belongs to, as "
      "far as the token reaches.", .shape = &membership_shape },
    { "token", ALLOY_JSON, 0, "What the token of this request may do.",
      .shape = &token_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t me_shape = { "Me", me_fields };

static const alloy_field_t code_fields[] = {
    { "user_id", ALLOY_UUID, 0, "Whose password it resets." },
    { "code", ALLOY_TEXT, ALLOY_NULLABLE, "For POST /auth/reset, once; shown "
      "only here, null in a repeated answer." },
    { "expires_at", ALLOY_INSTANT, 0, "Until when it works." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t code_shape = { "ResetCode", code_fields };

/* ---- input ----------------------------------------------------------------- */

static const alloy_param_t no_params[] = { ALLOY_PARAMS_END };

static const alloy_param_t update_params[] = {
    { .name = "display_name", .type = ALLOY_TEXT, .least = 1, .most = 200,
      .format = &alloy_format_person, .help = "What others see; without @." },
    { .name = "default_org_id", .type = ALLOY_REF, .flags = ALLOY_NULLABLE,
      .resource = &alloy_org_resource,
      .help = "Id or slug of the organization that is meant where none is "
              "named; null: none." },
    ALLOY_PARAMS_END
};

#define NEW_PASSWORD_PARAM \
    { .name = "new", .type = ALLOY_TEXT, \
      .flags = ALLOY_REQUIRED | ALLOY_SECRET, .least = 1, .most = 1024, \
      .format = &alloy_format_password, \
      .help = "The new password: 8 to 1024 bytes." }

static const alloy_param_t password_params[] = {
    { .name = "current", .type = ALLOY_TEXT,
      .flags = ALLOY_REQUIRED | ALLOY_SECRET, .least = 1, .most = 1024,
      .help = "The present password." },
    NEW_PASSWORD_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t reset_params[] = {
    { .name = "code", .type = ALLOY_TEXT,
      .flags = ALLOY_REQUIRED | ALLOY_SECRET, .least = 1, .most = CODE_LIMIT,
      .help = "The one-time code." },
    NEW_PASSWORD_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t offer_params[] = {
    { .name = "org", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .help = "Id or slug of the organization.",
      .resource = &alloy_org_resource },
    { .name = "user", .type = ALLOY_REF,
      .flags = ALLOY_REQUIRED | ALLOY_STRICT, .within = "org",
      .help = "Id or e-mail address of the member.",
      .resource = &alloy_person_resource },
    ALLOY_PARAMS_END
};

static const alloy_refusal_t offer_refusals[] = {
    { "elsewhere", &alloy_forbidden, NULL,
      "This person also belongs to another organization, which a new password "
      "would open as well; ask the administrator of this server." },
    ALLOY_REFUSALS_END
};

/* ---- passwords ------------------------------------------------------------- */

static alloy_problem_t *fault_at(alloy_call_t *call, const char *where,
                                 const char *code, const char *detail)
{
    return alloy_problem_at(
        alloy_problem(call, &alloy_validation_failed, "%s", detail), where,
        code, detail, NULL);
}

static alloy_problem_t *check_current(alloy_call_t *call,
                                      const alloy_row_t *row)
{
    int wait = alloy_throttled(call) ? (int)alloy_row_int(row, "wait") : 0;
    int same;

    if (wait) {
        return alloy_problem_retry(
            alloy_problem(call, &alloy_rate_limited,
                          "There were too many failed attempts; try again in "
                          "%d seconds.", wait), wait);
    }
    ALLOY_TRY(alloy_password_check(call, alloy_text(call, "current"),
                                   alloy_row_text(row, "password_hash"),
                                   &same));
    if (same) {
        return NULL;
    }
    alloy_bind(call, "email", alloy_row_text(row, "email"));
    alloy_bind(call, "throttled", alloy_throttled(call) ? "t" : "f");
    ALLOY_TRY(alloy_run_apart(call, &sql_auth_login_failed));
    return fault_at(call, "/current", "wrong",
                    "This is not your present password.");
}

static alloy_problem_t *set_password(alloy_call_t *call, const char *seen)
{
    const alloy_row_t *row;
    const char *encoded;

    ALLOY_TRY(alloy_password_hash(call, alloy_text(call, "new"), &encoded));
    alloy_bind(call, "seen_hash", seen);
    alloy_bind(call, "password_hash", encoded);
    ALLOY_TRY(alloy_fetch(call, &sql_auth_password_set, &row));
    if (!row || !alloy_row_int(row, "changed")) {
        return fault_at(call, "/current", "wrong",
                        "The password was changed by somebody else just now.");
    }
    return NULL;
}

/* Not by a key: it may be in a script's configuration. */
static alloy_problem_t *run_password(alloy_call_t *call)
{
    const alloy_row_t *row;

    if (alloy_call_key(call)) {
        return alloy_problem(call, &alloy_forbidden,
                             "An API key can't change the password; sign in "
                             "and use that access token.");
    }
    ALLOY_TRY(alloy_fetch(call, &sql_auth_password, &row));
    if (!row || alloy_row_is_null(row, "password_hash")) {
        return alloy_problem(call, &alloy_invalid_state,
                             "This account has no password; whoever signs "
                             "you in keeps it.");
    }
    ALLOY_TRY(check_current(call, row));
    return set_password(call, alloy_row_text(row, "password_hash"));
}

/* ---- reset codes ----------------------------------------------------------- */

static alloy_problem_t *run_offer(alloy_call_t *call)
{
    const char *code, *hash;
    const alloy_row_t *row;

    ALLOY_TRY(alloy_token_make(call, RESET_PREFIX, &code, &hash));
    alloy_bind(call, "code_hash", hash);
    ALLOY_TRY(alloy_fetch(call, &sql_auth_reset_make, &row));
    if (!row) {
        return alloy_problem(call, &alloy_not_found,
                             "There is no such member in this organization.");
    }
    alloy_answer_text(call, "code", code);
    return alloy_answer_row(call, row);
}

static alloy_problem_t *refuse_code(alloy_call_t *call)
{
    return fault_at(call, "/code", "unknown",
                    "This code does not work: it is unknown, used or expired. "
                    "Ask for another.");
}

/* The code is looked at before the password is hashed: hashing is for those
 * who have one. */
static alloy_problem_t *run_reset(alloy_call_t *call)
{
    const char *hash = alloy_token_hash(call, RESET_PREFIX,
                                        alloy_text(call, "code"));
    const char *encoded;
    const alloy_row_t *row;

    if (!hash) {
        return refuse_code(call);
    }
    alloy_bind(call, "code_hash", hash);
    ALLOY_TRY(alloy_fetch(call, &sql_auth_reset_user, &row));
    if (!row || alloy_row_is_null(row, "user_id")) {
        return refuse_code(call);
    }
    ALLOY_TRY(alloy_password_hash(call, alloy_text(call, "new"), &encoded));
    alloy_bind(call, "password_hash", encoded);
    ALLOY_TRY(alloy_fetch(call, &sql_auth_reset_use, &row));
    return row && alloy_row_int(row, "changed") ? NULL : refuse_code(call);
}

/* ---- the table ------------------------------------------------------------- */

const alloy_operation_t alloy_account_operations[] = {
    {
        .id = "auth_me",
        .method = ALLOY_GET,
        .path = "/auth/me",
        .tool = "whoami",
        .noun = "auth",
        .summary = "Shows who the caller is, his organizations and roles, and "
                   "what his token may do.",
        .role = ALLOY_SIGNED_IN,
        .flags = ALLOY_ANY_SCOPE | ALLOY_LISTED,
        .params = no_params,
        .answer = &me_shape,
        .steps = { &sql_auth_me },
    },
    {
        .id = "auth_me_update",
        .method = ALLOY_PATCH,
        .path = "/auth/me",
        .noun = "auth",
        .summary = "Changes the caller's display name or default "
                   "organization.",
        .role = ALLOY_SIGNED_IN,
        .flags = ALLOY_ACCOUNT,
        .params = update_params,
        .answer = &me_shape,
        .steps = { &sql_auth_me_update, &sql_auth_me },
    },
    {
        .id = "auth_password",
        .method = ALLOY_POST,
        .path = "/auth/password",
        .noun = "auth",
        .summary = "Changes the caller's password and ends his other "
                   "sessions.",
        .help = "API keys stay; an API key can't do this.",
        .role = ALLOY_SIGNED_IN,
        .params = password_params,
        .run = run_password,
    },
    {
        .id = "auth_reset_offer",
        .method = ALLOY_POST,
        .path = "/orgs/{org}/members/{user}/reset",
        .noun = "members",
        .summary = "Makes a one-time code by which a member sets a new "
                   "password.",
        .help = "Only for somebody who belongs to no other organization; an "
                "empty personal one does not count. The code works for 24 "
                "hours and replaces earlier ones. Alloy sends no mail: pass "
                "it on.",
        .role = ALLOY_OWNER,
        .flags = ALLOY_REVEALS,
        .params = offer_params,
        .answer = &code_shape,
        .run = run_offer,
        .refusals = offer_refusals,
    },
    {
        .id = "auth_reset",
        .method = ALLOY_POST,
        .path = "/auth/reset",
        .noun = "auth",
        .summary = "Sets a new password by a one-time code and ends all "
                   "sessions.",
        .role = ALLOY_PUBLIC,
        .params = reset_params,
        .run = run_reset,
    },
    ALLOY_OPERATIONS_END
};
