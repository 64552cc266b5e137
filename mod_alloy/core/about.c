/*
 * What the server tells about itself: whether it lives and is ready, its
 * version, its operations and problems as documents.
 */
#include "call.h"

#include <string.h>

#include <apr_strings.h>

#include "docs.h"
#include "openapi.h"

#define NOUN "server"

/* ---- addresses ------------------------------------------------------------- */

ALLOY_DECLARE(const char *) alloy_url(const alloy_call_t *call,
                                      const char *path)
{
    const alloy_config_t *config = call->engine->config;

    return apr_pstrcat(call->pool, config->base_url, config->prefix, path,
                       NULL);
}

/* ---- health ---------------------------------------------------------------- */

static alloy_problem_t *run_live(alloy_call_t *call)
{
    alloy_out_t *out = alloy_out(call);

    alloy_out_begin(out, '{');
    alloy_out_key(out, "status");
    alloy_out_text(out, "ok");
    alloy_out_end(out);
    return NULL;
}

static alloy_problem_t *run_ready(alloy_call_t *call)
{
    alloy_db_state_t state;

    alloy_db_state(call->engine->db, &state);
    if (!state.reachable) {
        return alloy_problem_retry(
            alloy_problem(call, &alloy_unavailable,
                          "The database can't be reached."), 1);
    }
    if (!state.schema_fits) {
        return alloy_problem_retry(
            alloy_problem(call, &alloy_schema_mismatch, "%s",
                          state.schema_fault ? state.schema_fault
                          : "The database's schema was not looked at yet."),
            1);
    }
    return run_live(call);
}

static void write_plugins(alloy_out_t *out, const alloy_engine_t *engine)
{
    const alloy_plugin_t *const *plugin =
        alloy_registry_plugins(engine->registry);

    alloy_out_key(out, "plugins");
    alloy_out_begin(out, '[');
    for (; *plugin; plugin++) {
        alloy_out_text(out, (*plugin)->name);
    }
    alloy_out_end(out);
}

/* For callers with a token: versions help attackers more than strangers. */
static void write_details(alloy_out_t *out, const alloy_engine_t *engine,
                          const alloy_db_state_t *state)
{
    alloy_out_key(out, "version");
    alloy_out_text(out, engine->config->version);
    alloy_out_key(out, "database");
    alloy_out_text(out, !state->reachable ? "unreachable"
                        : state->schema_fits ? "ready" : "other schema");
    alloy_out_key(out, "migration_version");
    alloy_out_int(out, state->migration);
    alloy_out_key(out, "uptime_seconds");
    alloy_out_int(out, apr_time_sec(apr_time_now() - engine->started));
    write_plugins(out, engine);
}

static alloy_problem_t *run_health(alloy_call_t *call)
{
    alloy_out_t *out = alloy_out(call);
    alloy_db_state_t state;

    alloy_db_state(call->engine->db, &state);
    alloy_out_begin(out, '{');
    alloy_out_key(out, "status");
    alloy_out_text(out, state.reachable && state.schema_fits ? "ok"
                                                             : "degraded");
    alloy_out_key(out, "service");
    alloy_out_text(out, "alloy");
    alloy_out_key(out, "db_healthy");
    alloy_out_bool(out, state.reachable && state.schema_fits);
    if (alloy_call_user(call)) {
        write_details(out, call->engine, &state);
    }
    alloy_out_end(out);
    return NULL;
}

/* ---- documents ------------------------------------------------------------- */

static void answer_text(alloy_call_t *call, const char *type, const char *text)
{
    alloy_answer_document(call, type, text, strlen(text));
}

static alloy_problem_t *run_openapi(alloy_call_t *call)
{
    const alloy_engine_t *engine = call->engine;

    answer_text(call, call->op->row->document,
                alloy_openapi_write(engine->registry, alloy_url(call, ""),
                                    engine->config->version, call->pool));
    return NULL;
}

static alloy_problem_t *run_docs(alloy_call_t *call)
{
    answer_text(call, "text/html; charset=utf-8",
                alloy_docs_write(call->engine->registry, alloy_url(call, ""),
                                 call->pool));
    return NULL;
}

static void write_kind(alloy_out_t *out, const alloy_call_t *call,
                       const alloy_problem_kind_t *kind)
{
    alloy_out_begin(out, '{');
    alloy_out_key(out, "type");
    alloy_out_text(out, alloy_url(call, apr_pstrcat(call->pool, "/problems/",
                                                    kind->code, NULL)));
    alloy_out_key(out, "code");
    alloy_out_text(out, kind->code);
    alloy_out_key(out, "title");
    alloy_out_text(out, kind->title);
    alloy_out_key(out, "status");
    alloy_out_int(out, kind->status);
    alloy_out_key(out, "help");
    alloy_out_text(out, kind->help);
    alloy_out_end(out);
}

static alloy_problem_t *run_problem_list(alloy_call_t *call)
{
    const alloy_problem_kind_t *const *kind =
        alloy_registry_kinds(call->engine->registry);
    alloy_out_t *out = alloy_out(call);

    alloy_out_begin(out, '{');
    alloy_out_key(out, "problems");
    alloy_out_begin(out, '[');
    for (; *kind; kind++) {
        write_kind(out, call, *kind);
    }
    alloy_out_end(out);
    alloy_out_end(out);
    return NULL;
}

static alloy_problem_t *run_problem_get(alloy_call_t *call)
{
    const char *code = alloy_text(call, "code");
    const alloy_problem_kind_t *kind =
        alloy_registry_kind(call->engine->registry, code);

    if (!kind) {
        return alloy_problem(call, &alloy_not_found,
                             "There is no problem %s; /problems lists them.",
                             code);
    }
    write_kind(alloy_out(call), call, kind);
    return NULL;
}

/* ---- shapes and parameters ------------------------------------------------- */

static const char *const live_words[] = { "ok", NULL };
static const char *const health_words[] = { "ok", "degraded", NULL };
static const char *const database_words[] = {
    "ready", "other schema", "unreachable", NULL
};

static const alloy_field_t live_fields[] = {
    { "status", ALLOY_WORD, 0, "It answers.", live_words },
    ALLOY_FIELDS_END
};

static const alloy_shape_t live_shape = { "Live", live_fields };

static const alloy_field_t health_fields[] = {
    { "status", ALLOY_WORD, 0, "Whether requests can be served.",
      health_words },
    { "service", ALLOY_TEXT, 0, "The name of this service." },
    { "db_healthy", ALLOY_BOOL, 0, "The database answers and has the right "
      "schema." },
    { "version", ALLOY_TEXT, ALLOY_ANSWERED, "Of this server." },
    { "database", ALLOY_WORD, ALLOY_ANSWERED, "How the database is.",
      database_words },
    { "migration_version", ALLOY_INT, ALLOY_ANSWERED, "The newest migration "
      "the database has." },
    { "uptime_seconds", ALLOY_INT, ALLOY_ANSWERED, "Age of the process that "
      "answers." },
    { "plugins", ALLOY_TEXT, ALLOY_ANSWERED | ALLOY_MANY, "What is loaded." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t health_shape = { "Health", health_fields };

static const alloy_field_t kind_fields[] = {
    { "type", ALLOY_TEXT, 0, "The type of such a problem, a URL." },
    { "code", ALLOY_TEXT, 0, "Its name for programs." },
    { "title", ALLOY_TEXT, 0, "Its name for people." },
    { "status", ALLOY_INT, 0, "The HTTP status it comes with." },
    { "help", ALLOY_TEXT, 0, "What it means and what to do." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t kind_shape = { "ProblemKind", kind_fields };

static const alloy_field_t kinds_fields[] = {
    { "problems", ALLOY_JSON, ALLOY_MANY, "All kinds.", NULL, &kind_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t kinds_shape = { "ProblemKinds", kinds_fields };

static const alloy_param_t problem_params[] = {
    { .name = "code", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED,
      .least = 1, .most = 100, .help = "The code of a problem." },
    ALLOY_PARAMS_END
};

/* ---- the table ------------------------------------------------------------- */

const alloy_operation_t alloy_about_operations[] = {
    {
        .id = "healthz",
        .method = ALLOY_GET,
        .path = "/healthz",
        .noun = NOUN,
        .summary = "Says that the server lives, without asking the database.",
        .role = ALLOY_PUBLIC,
        .flags = ALLOY_ROOT,
        .answer = &live_shape,
        .run = run_live,
    },
    {
        .id = "readyz",
        .method = ALLOY_GET,
        .path = "/readyz",
        .noun = NOUN,
        .summary = "Says whether requests can be served: 200, or 503 with the "
                   "reason.",
        .role = ALLOY_PUBLIC,
        .flags = ALLOY_ROOT,
        .answer = &live_shape,
        .run = run_ready,
    },
    {
        .id = "health",
        .method = ALLOY_GET,
        .path = "/health",
        .noun = NOUN,
        .summary = "Says how the server is; with a token, in detail.",
        .role = ALLOY_PUBLIC,
        .flags = ALLOY_ROOT | ALLOY_TOKEN_READ,
        .answer = &health_shape,
        .run = run_health,
    },
    {
        .id = "openapi",
        .method = ALLOY_GET,
        .path = "/openapi.json",
        .noun = NOUN,
        .summary = "Describes this API as an OpenAPI 3.1 document.",
        .role = ALLOY_PUBLIC,
        .flags = ALLOY_ROOT,
        .run = run_openapi,
        .document = "application/json",
    },
    {
        .id = "docs",
        .method = ALLOY_GET,
        .path = "/docs",
        .noun = NOUN,
        .summary = "Describes this API as a page for people.",
        .role = ALLOY_PUBLIC,
        .run = run_docs,
        .document = "text/html",
    },
    {
        .id = "problem_list",
        .method = ALLOY_GET,
        .path = "/problems",
        .noun = NOUN,
        .summary = "Lists every kind of problem this API answers with.",
        .role = ALLOY_PUBLIC,
        .answer = &kinds_shape,
        .run = run_problem_list,
    },
    {
        .id = "problem_get",
        .method = ALLOY_GET,
        .path = "/problems/{code}",
        .noun = NOUN,
        .summary = "Explains one kind of problem.",
        .role = ALLOY_PUBLIC,
        .params = problem_params,
        .answer = &kind_shape,
        .run = run_problem_get,
    },
    ALLOY_OPERATIONS_END
};
