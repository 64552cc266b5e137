/*
 * Sessions: setting up, registration, signing in and out - whatever opens or
 * ends one - and what a user can see of his own.
 */
#include "resources.h"

#include <apr_strings.h>

#include "sql/session.h"

#define REFRESH_PREFIX "alloy_refresh_"
#define INVITE_PREFIX  "alloy_invite_"
#define TOKEN_LIMIT    200      /* characters; longer ones are none of ours */

/* ---- answers --------------------------------------------------------------- */

static const alloy_field_t status_fields[] = {
    { "needs_setup", ALLOY_BOOL, 0, "Whether nobody has an account here yet: "
      "then POST /onboard makes the first one." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t status_shape = { "SetupStatus", status_fields };

#define SIGNED_IN_FIELDS \
    { "user_id", ALLOY_UUID, 0, "Who signed in." }, \
    { "email", ALLOY_TEXT, 0, "His e-mail address." }, \
    { "display_name", ALLOY_TEXT, 0, "What others see." }, \
    { "access_token", ALLOY_TEXT, 0, "For the header Authorization: Bearer." }, \
    { "refresh_token", ALLOY_TEXT, 0, "For POST /auth/refresh, once; the " \
      "answer brings the next one." }, \
    { "expires_in", ALLOY_INT, 0, "Seconds until the access token expires." }, \
    { "token_type", ALLOY_TEXT, 0, "Always Bearer." }

static const alloy_field_t signed_in_fields[] = {
    SIGNED_IN_FIELDS,
    ALLOY_FIELDS_END
};

static const alloy_shape_t signed_in_shape = { "SignedIn", signed_in_fields };

static const alloy_field_t registered_fields[] = {
    SIGNED_IN_FIELDS,
    { "org_id", ALLOY_UUID, 0, "The new user's personal organization." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t registered_shape = {
    "Registered", registered_fields
};

static const alloy_field_t onboarded_fields[] = {
    SIGNED_IN_FIELDS,
    { "org_id", ALLOY_UUID, 0, "The new organization." },
    { "org_slug", ALLOY_TEXT, 0, "Its short name." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t onboarded_shape = { "Onboarded", onboarded_fields };

static const alloy_field_t session_fields[] = {
    { "id", ALLOY_UUID, 0, "Identifies the session." },
    { "created_at", ALLOY_INSTANT, 0, "When somebody signed in." },
    { "last_used_at", ALLOY_INSTANT, 0, "When it was last used, to about a "
      "minute." },
    { "client", ALLOY_TEXT, ALLOY_NULLABLE, "What the client called itself." },
    { "address", ALLOY_TEXT, ALLOY_NULLABLE, "The address it came from." },
    { "current", ALLOY_BOOL, 0, "Whether this request is part of it." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t session_shape = { "Session", session_fields };

static const alloy_field_t event_fields[] = {
    { "id", ALLOY_UUID, 0, "Identifies the event." },
    { "at", ALLOY_INSTANT, 0, "When it happened." },
    { "kind", ALLOY_TEXT, 0, "register, login, login_failed, logout, "
      "refresh_reuse, session_ended, password_changed, reset_offered, reset, "
      "key_created or key_revoked; more may follow." },
    { "address", ALLOY_TEXT, ALLOY_NULLABLE, "The address it came from." },
    { "client", ALLOY_TEXT, ALLOY_NULLABLE, "What the client called itself." },
    { "detail", ALLOY_JSON, 0, "More about it; never a secret." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t event_shape = { "AccountEvent", event_fields };

/* ---- input ----------------------------------------------------------------- */

static const alloy_param_t no_params[] = { ALLOY_PARAMS_END };

#define EMAIL_PARAM \
    { .name = "email", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED, \
      .least = 3, .most = 320, .format = &alloy_format_email, \
      .help = "E-mail address; letter case makes no difference." }

#define NEW_ACCOUNT_PARAMS \
    EMAIL_PARAM, \
    { .name = "password", .type = ALLOY_TEXT, \
      .flags = ALLOY_REQUIRED | ALLOY_SECRET, .least = 1, .most = 1024, \
      .format = &alloy_format_password, \
      .help = "8 to 1024 bytes; any characters." }, \
    { .name = "display_name", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED, \
      .least = 1, .most = 200, .format = &alloy_format_person, \
      .help = "What others see; without @." }

static const alloy_param_t onboard_params[] = {
    NEW_ACCOUNT_PARAMS,
    { .name = "org_name", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED,
      .least = 1, .most = 200, .format = &alloy_format_name,
      .help = "Name of the first organization." },
    { .name = "org_slug", .type = ALLOY_TEXT, .least = 1, .most = 63,
      .format = &alloy_format_slug,
      .help = "Its short name for URLs; made from the name when left out." },
    { .name = "currency", .type = ALLOY_TEXT, .least = 3, .most = 3,
      .format = &alloy_format_currency, .fallback = "USD",
      .help = "The organization's currency (ISO 4217)." },
    ALLOY_PARAMS_END
};

static const alloy_param_t register_params[] = {
    NEW_ACCOUNT_PARAMS,
    { .name = "invite_code", .type = ALLOY_TEXT, .flags = ALLOY_SECRET,
      .least = 1, .most = TOKEN_LIMIT,
      .help = "Joins the organization of an invite for this e-mail address." },
    ALLOY_PARAMS_END
};

/* No rule beyond the length: what is no password is a wrong one. */
static const alloy_param_t login_params[] = {
    { .name = "email", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED,
      .least = 1, .most = 320,
      .help = "E-mail address; letter case makes no difference." },
    { .name = "password", .type = ALLOY_TEXT,
      .flags = ALLOY_REQUIRED | ALLOY_SECRET, .least = 1, .most = 1024,
      .help = "The password." },
    ALLOY_PARAMS_END
};

static const alloy_param_t refresh_params[] = {
    { .name = "refresh_token", .type = ALLOY_TEXT,
      .flags = ALLOY_REQUIRED | ALLOY_SECRET, .least = 1, .most = TOKEN_LIMIT,
      .help = "The newest refresh token of the session." },
    ALLOY_PARAMS_END
};

static const alloy_param_t logout_params[] = {
    { .name = "refresh_token", .type = ALLOY_TEXT, .flags = ALLOY_SECRET,
      .least = 1, .most = TOKEN_LIMIT,
      .help = "Ends the session this token belongs to." },
    ALLOY_PARAMS_END
};

static const alloy_param_t end_params[] = {
    { .name = "id", .type = ALLOY_UUID, .flags = ALLOY_REQUIRED,
      .help = "Id of the session." },
    ALLOY_PARAMS_END
};

static const alloy_refusal_t onboard_refusals[] = {
    { "done", &alloy_invalid_state, NULL,
      "This server is set up already; register or sign in instead." },
    { "slug_taken", &alloy_already_exists, "/org_slug",
      "Another organization has this slug; choose a different one." },
    ALLOY_REFUSALS_END
};

#define INVITE_UNKNOWN \
    "This invite does not work: it is unknown, used, revoked or expired. " \
    "Ask for another."

static const alloy_refusal_t register_refusals[] = {
    { "email_taken", &alloy_already_exists, "/email",
      "Somebody has registered with this e-mail address already; sign in "
      "instead." },
    { "invite_unknown", &alloy_validation_failed, "/invite_code",
      INVITE_UNKNOWN },
    { "invite_mismatch", &alloy_invite_mismatch, "/email",
      "The invite is for another e-mail address; register with that one." },
    ALLOY_REFUSALS_END
};

/* ---- tokens ---------------------------------------------------------------- */

/* A new refresh token: its hash and lifetime for the statement, itself for the
 * answer. */
static alloy_problem_t *add_refresh_token(alloy_call_t *call)
{
    const char *token, *hash;

    ALLOY_TRY(alloy_token_make(call, REFRESH_PREFIX, &token, &hash));
    alloy_bind(call, "refresh_hash", hash);
    alloy_bind(call, "lifetime",
               apr_psprintf(alloy_call_pool(call), "%" APR_INT64_T_FMT,
                            alloy_refresh_lifetime(call)));
    alloy_answer_text(call, "refresh_token", token);
    return NULL;
}

static alloy_problem_t *add_access_token(alloy_call_t *call, const char *user,
                                         const char *session)
{
    const char *token;
    apr_int64_t seconds;

    ALLOY_TRY(alloy_access_token(call, user, session, &token, &seconds));
    alloy_answer_text(call, "access_token", token);
    alloy_answer_int(call, "expires_in", seconds);
    alloy_answer_text(call, "token_type", "Bearer");
    return NULL;
}

/* ---- new accounts ---------------------------------------------------------- */

/* Whatever can fail comes first: the statement is the commit. */
static alloy_problem_t *make_account(alloy_call_t *call,
                                     const alloy_statement_t *statement)
{
    const char *encoded;
    const alloy_row_t *row;

    ALLOY_TRY(alloy_password_hash(call, alloy_text(call, "password"),
                                  &encoded));
    alloy_bind(call, "password_hash", encoded);
    alloy_call_new_id(call, "org");     /* the workflow shares its shard */
    ALLOY_TRY(add_refresh_token(call));
    ALLOY_TRY(add_access_token(call, alloy_call_new_id(call, "user"),
                               alloy_call_new_id(call, "session")));
    ALLOY_TRY(alloy_fetch(call, statement, &row));
    return alloy_answer_row(call, row);
}

/* A server that is set up says so before it hashes anything. */
static alloy_problem_t *run_onboard(alloy_call_t *call)
{
    const alloy_row_t *row;

    ALLOY_TRY(alloy_fetch(call, &sql_onboard_status, &row));
    if (!row || !alloy_row_int(row, "needs_setup")) {
        return alloy_problem(call, &alloy_invalid_state, "%s",
                             onboard_refusals[0].detail);
    }
    return make_account(call, &sql_onboard);
}

static alloy_problem_t *check_registration(alloy_call_t *call)
{
    switch (alloy_registration(call)) {
    case ALLOY_DISABLED:
        return alloy_problem(call, &alloy_forbidden,
                             "Nobody can register here; ask the "
                             "administrator of this server for an account.");
    case ALLOY_INVITE_ONLY:
        return alloy_text(call, "invite_code") ? NULL
            : alloy_problem(call, &alloy_forbidden,
                            "Registration takes an invite; ask an Admin of "
                            "an organization for one and send its code as "
                            "invite_code.");
    case ALLOY_OPEN:
    default:
        return NULL;
    }
}

static alloy_problem_t *run_register(alloy_call_t *call)
{
    const char *code = alloy_text(call, "invite_code");
    const char *hash = NULL;

    ALLOY_TRY(check_registration(call));
    if (code) {
        hash = alloy_token_hash(call, INVITE_PREFIX, code);
        if (!hash) {
            return alloy_problem_at(
                alloy_problem(call, &alloy_validation_failed, INVITE_UNKNOWN),
                "/invite_code", "invite_unknown", INVITE_UNKNOWN, NULL);
        }
    }
    alloy_bind(call, "invite_hash", hash);
    return make_account(call, &sql_auth_register);
}

/* ---- signing in and out ---------------------------------------------------- */

static alloy_problem_t *refuse_login(alloy_call_t *call)
{
    return alloy_problem(call, &alloy_unauthorized,
                         "The e-mail address or the password is wrong.");
}

static alloy_problem_t *refuse_attempt(alloy_call_t *call, apr_int64_t seconds)
{
    return alloy_problem_retry(
        alloy_problem(call, &alloy_rate_limited,
                      "There were too many failed attempts; try again in "
                      "%d seconds.", (int)seconds), (int)seconds);
}

static alloy_problem_t *open_session(alloy_call_t *call, const char *user,
                                     const char *seen)
{
    const alloy_row_t *row;

    alloy_bind(call, "user", user);
    alloy_bind(call, "password_hash", seen);
    ALLOY_TRY(add_refresh_token(call));
    ALLOY_TRY(add_access_token(call, user, alloy_call_new_id(call, "session")));
    ALLOY_TRY(alloy_fetch(call, &sql_auth_login, &row));
    if (!row) {
        return refuse_login(call);
    }
    if (alloy_row_int(row, "wait")) {
        return refuse_attempt(call, alloy_row_int(row, "wait"));
    }
    return alloy_answer_row(call, row);
}

/* Whether there is no such user, he has no password, or it is another one: the
 * same work and the same answer. */
static alloy_problem_t *run_login(alloy_call_t *call)
{
    const alloy_row_t *facts;
    const char *encoded;
    int same;

    ALLOY_TRY(alloy_fetch(call, &sql_auth_login_facts, &facts));
    if (alloy_throttled(call) && alloy_row_int(facts, "wait")) {
        return refuse_attempt(call, alloy_row_int(facts, "wait"));
    }
    encoded = alloy_row_text(facts, "password_hash");
    ALLOY_TRY(alloy_password_check(call, alloy_text(call, "password"), encoded,
                                   &same));
    alloy_bind(call, "throttled", alloy_throttled(call) ? "t" : "f");
    if (!same) {
        ALLOY_TRY(alloy_run_apart(call, &sql_auth_login_failed));
        return refuse_login(call);
    }
    return open_session(call, alloy_row_text(facts, "user_id"), encoded);
}

static alloy_problem_t *run_refresh(alloy_call_t *call)
{
    const char *sent = alloy_token_hash(call, REFRESH_PREFIX,
                                        alloy_text(call, "refresh_token"));
    const alloy_row_t *row = NULL;

    if (sent) {
        alloy_bind(call, "sent_hash", sent);
        ALLOY_TRY(add_refresh_token(call));
        ALLOY_TRY(alloy_fetch(call, &sql_auth_refresh, &row));
    }
    if (!row) {
        return alloy_problem(call, &alloy_unauthorized,
                             "This refresh token does not work: it is "
                             "unknown, used or expired. Sign in again.");
    }
    ALLOY_TRY(add_access_token(call, alloy_row_text(row, "user_id"),
                               alloy_row_text(row, "session_id")));
    return alloy_answer_row(call, row);
}

/* Ending what has ended already is no fault (RFC 7009, section 2.2). */
static alloy_problem_t *run_logout(alloy_call_t *call)
{
    const char *token = alloy_text(call, "refresh_token");
    const char *session = alloy_call_session(call);

    if (!token && !session) {
        return alloy_problem(call, &alloy_unauthorized,
                             "Send the access token of the session that is to "
                             "end, or its refresh_token.");
    }
    alloy_bind(call, "session", session);
    alloy_bind(call, "sent_hash",
               token ? alloy_token_hash(call, REFRESH_PREFIX, token) : NULL);
    return alloy_run(call, &sql_auth_logout, NULL);
}

/* ---- the table ------------------------------------------------------------- */

const alloy_operation_t alloy_session_operations[] = {
    {
        .id = "onboard_status",
        .method = ALLOY_GET,
        .path = "/onboard",
        .noun = "auth",
        .summary = "Tells whether this server still has to be set up.",
        .role = ALLOY_PUBLIC,
        .params = no_params,
        .answer = &status_shape,
        .steps = { &sql_onboard_status },
    },
    {
        .id = "onboard",
        .method = ALLOY_POST,
        .path = "/onboard",
        .noun = "auth",
        .summary = "Makes the first user and the first organization.",
        .help = "Works once, on a server that has no user yet. The user owns "
                "the organization and a personal one besides.",
        .role = ALLOY_PUBLIC,
        .flags = ALLOY_CREATES | ALLOY_REVEALS,
        .params = onboard_params,
        .answer = &onboarded_shape,
        .run = run_onboard,
        .refusals = onboard_refusals,
    },
    {
        .id = "auth_register",
        .method = ALLOY_POST,
        .path = "/auth/register",
        .noun = "auth",
        .summary = "Makes a user with a personal organization and signs in.",
        .help = "The administrator decides whether anybody may register, "
                "only those who were invited, or nobody.",
        .role = ALLOY_PUBLIC,
        .flags = ALLOY_CREATES | ALLOY_REVEALS,
        .params = register_params,
        .answer = &registered_shape,
        .run = run_register,
        .refusals = register_refusals,
    },
    {
        .id = "auth_login",
        .method = ALLOY_POST,
        .path = "/auth/login",
        .noun = "auth",
        .summary = "Signs in with e-mail address and password.",
        .help = "Failed attempts slow down further ones: 429 says how long "
                "to wait.",
        .role = ALLOY_PUBLIC,
        .flags = ALLOY_REVEALS,
        .params = login_params,
        .answer = &signed_in_shape,
        .run = run_login,
    },
    {
        .id = "auth_refresh",
        .method = ALLOY_POST,
        .path = "/auth/refresh",
        .noun = "auth",
        .summary = "Changes a refresh token for new tokens.",
        .help = "A refresh token works once. Sent again within 60 seconds, "
                "while the next one is unused, it is answered again; "
                "otherwise its session ends, because somebody else may have "
                "it.",
        .role = ALLOY_PUBLIC,
        .flags = ALLOY_REVEALS,
        .params = refresh_params,
        .answer = &signed_in_shape,
        .run = run_refresh,
    },
    {
        .id = "auth_logout",
        .method = ALLOY_POST,
        .path = "/auth/logout",
        .noun = "auth",
        .summary = "Ends the session of the access token or refresh token "
                   "that is sent.",
        .role = ALLOY_PUBLIC,
        .flags = ALLOY_TOKEN_READ | ALLOY_ANY_SCOPE,
        .params = logout_params,
        .run = run_logout,
    },
    {
        .id = "session_list",
        .method = ALLOY_GET,
        .path = "/auth/sessions",
        .noun = "auth",
        .summary = "Lists the caller's sessions, newest first.",
        .role = ALLOY_SIGNED_IN,
        .flags = ALLOY_ACCOUNT,
        .params = no_params,
        .answer = &session_shape,
        .steps = { &sql_session_list },
    },
    {
        .id = "session_end",
        .method = ALLOY_DELETE,
        .path = "/auth/sessions/{id}",
        .noun = "auth",
        .summary = "Ends one of the caller's sessions at once.",
        .role = ALLOY_SIGNED_IN,
        .flags = ALLOY_ACCOUNT,
        .params = end_params,
        .steps = { &sql_session_end },
    },
    {
        .id = "auth_event_list",
        .method = ALLOY_GET,
        .path = "/auth/events",
        .noun = "auth",
        .summary = "Lists what happened to the caller's account, newest "
                   "first.",
        .role = ALLOY_SIGNED_IN,
        .flags = ALLOY_ACCOUNT,
        .params = no_params,
        .answer = &event_shape,
        .steps = { &sql_auth_event_list },
    },
    ALLOY_OPERATIONS_END
};
