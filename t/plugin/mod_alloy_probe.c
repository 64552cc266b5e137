/*
 * A plugin as somebody outside would write it, for t/60-plugin.t: operations,
 * a resource, problems, keys of a project, a say in a ticket's moves. The
 * PROBE_* macros make the variants that httpd must refuse to start with.
 */
#include <string.h>

#include <httpd.h>
#include <http_config.h>
#include <ap_provider.h>

#include "alloy.h"
#include "sql/probe.h"

#define READING_MAX 100

/* ---- problems --------------------------------------------------------------- */

static const alloy_problem_kind_t probe_overflow = {
    .code = "probe_overflow", .status = 409,
    .title = "The probe reads too much",
    .help = "A reading is at most `most`. Measure less."
};

static const alloy_problem_kind_t probe_superstition = {
    .code = "probe_superstition", .status = 422,
    .title = "A reading nobody believes", .sqlstate = "AP001",
    .help = "The database refuses this reading. Measure again."
};

static const alloy_problem_kind_t probe_red = {
    .code = "probe_red", .status = 409,
    .title = "The project is red",
    .help = "Tickets of a red project can't be done. Give it another color."
};

static const alloy_problem_kind_t probe_full = {
    .code = "probe_full", .status = 409,
    .title = "No room in progress",
    .help = "`room` tickets may be in progress at a time. Finish one first."
};

static const alloy_problem_kind_t *const problems[] = {
    &probe_overflow, &probe_superstition, &probe_red, &probe_full, NULL
};

/* ---- probes ----------------------------------------------------------------- */

static const char *const kinds[] = { "Heat", "Light", NULL };

static const alloy_resource_t probe_resource = {
    .name = "probe",
    .table = "alloy.probe",
    .read = ALLOY_VIEWER,
    .sharded = 1,
    .find_id = &sql_probe_find_id,
};

static const alloy_field_t probe_fields[] = {
    { "id", ALLOY_UUID, 0, "The probe's id." },
    { "project_id", ALLOY_UUID, 0, "The project it is in." },
    { "label", ALLOY_TEXT, 0, "Its name." },
    { "kind", ALLOY_WORD, 0, "What it measures.", kinds },
    { "reading", ALLOY_INT, ALLOY_NULLABLE, "What it read last." },
    { "version", ALLOY_INT, 0, "Raised by every change." },
    { "created_at", ALLOY_INSTANT, 0, "When it was put there." },
    { "updated_at", ALLOY_INSTANT, 0, "When it last changed." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t probe_shape = { "Probe", probe_fields };

#define PROJECT_PARAM \
    { .name = "project", .type = ALLOY_REF, .flags = ALLOY_REQUIRED, \
      .help = "Id or key of the project.", \
      .resource = &alloy_project_resource }

static const alloy_param_t list_params[] = { PROJECT_PARAM, ALLOY_PARAMS_END };

static const alloy_param_t create_params[] = {
    PROJECT_PARAM,
    { .name = "label", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED,
      .least = 1, .most = 100, .help = "Its name, once in the project.",
      .format = &alloy_format_line },
    { .name = "kind", .type = ALLOY_WORD, .words = kinds, .fallback = "Heat",
      .help = "What it measures." },
    ALLOY_PARAMS_END
};

static const alloy_param_t probe_params[] = {
    { .name = "probe", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .help = "Id of the probe.", .resource = &probe_resource },
    ALLOY_PARAMS_END
};

static const alloy_param_t measure_params[] = {
    { .name = "probe", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .help = "Id of the probe.", .resource = &probe_resource },
    { .name = "value", .type = ALLOY_INT, .flags = ALLOY_REQUIRED,
      .least = 0, .most = 1000, .help = "What it reads." },
    ALLOY_PARAMS_END
};

static const alloy_refusal_t create_refusals[] = {
    { "label_taken", &alloy_already_exists, "/label",
      "Another probe of the project has this label; choose another." },
    ALLOY_REFUSALS_END
};

/* The reading is written first: what is refused here was rolled back. */
static alloy_problem_t *measure(alloy_call_t *call)
{
    const alloy_row_t *row;

    ALLOY_TRY(alloy_fetch(call, &sql_probe_measure, &row));
    if (!row) {
        return alloy_problem(call, &alloy_not_found,
                             "There is no such probe; look for it in the "
                             "project's list.");
    }
    if (alloy_row_int(row, "reading") > READING_MAX) {
        return alloy_problem_member(
            alloy_problem(call, &probe_overflow,
                          "%s is more than %d; measure less.",
                          alloy_text(call, "value"), READING_MAX),
            "most", APR_STRINGIFY(READING_MAX));
    }
    return alloy_answer_row(call, row);
}

static const alloy_operation_t operations[] = {
    {
        .id = "probe_create",
        .method = ALLOY_POST,
        .path = "/projects/{project}/probes",
        .tool = "create_probe",
        .noun = "probes",
        .summary = "Puts a probe into a project.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_CREATES,
        .params = create_params,
        .answer = &probe_shape,
        .steps = { &sql_probe_create },
        .location = "/probes/{id}",
        .refusals = create_refusals,
    },
    {
        .id = "probe_list",
        .method = ALLOY_GET,
        .path = "/projects/{project}/probes",
        .tool = "list_probes",
        .noun = "probes",
        .summary = "Lists a project's probes, newest first.",
        .role = ALLOY_VIEWER,
        .params = list_params,
        .answer = &probe_shape,
        .steps = { &sql_probe_list },
    },
    {
        .id = "probe_get",
        .method = ALLOY_GET,
        .path = "/probes/{probe}",
        .tool = "get_probe",
        .noun = "probes",
        .summary = "Shows a probe.",
        .role = ALLOY_VIEWER,
        .params = probe_params,
        .answer = &probe_shape,
        .steps = { &sql_probe_get },
    },
    {
        .id = "probe_measure",
        .method = ALLOY_POST,
        .path = "/probes/{probe}/measure",
        .tool = "measure_probe",
        .noun = "probes",
        .summary = "Writes down what a probe reads.",
        .role = ALLOY_MEMBER,
        .flags = ALLOY_TRANSACTION,
        .params = measure_params,
        .answer = &probe_shape,
        .run = measure,
    },
    {
        .id = "probe_delete",
        .method = ALLOY_DELETE,
        .path = "/probes/{probe}",
        .tool = "delete_probe",
        .noun = "probes",
        .summary = "Takes a probe away.",
        .role = ALLOY_ADMIN,
        .params = probe_params,
        .steps = { &sql_probe_delete },
    },
    ALLOY_OPERATIONS_END
};

/* ---- variants that are wrong ------------------------------------------------ */

#if defined(PROBE_ID)
#define WRONG "ticket_get", ALLOY_GET, "/probes/wrong", "wrong"
#elif defined(PROBE_PATH)
#define WRONG "wrong", ALLOY_GET, "/tickets/{ticket}", "wrong"
#elif defined(PROBE_TOOL)
#define WRONG "wrong", ALLOY_GET, "/probes/wrong", "get_probe"
#elif defined(PROBE_UNDECLARED)
#define WRONG "wrong", ALLOY_GET, "/probes/wrong/{place}", "wrong"
#elif defined(PROBE_NO_RESOURCE)
#define WRONG "wrong", ALLOY_GET, "/probes/{probe}/wrong", "wrong"
#elif defined(PROBE_UNFILLED)
#define WRONG "wrong", ALLOY_GET, "/probes/wrong", "wrong"
#endif

#ifdef PROBE_UNFILLED
#define WRONG_STATEMENT &sql_probe_unfilled
#else
#define WRONG_STATEMENT &sql_probe_get
#endif

#ifdef WRONG
static const alloy_param_t wrong_params[] = {
    { .name = "probe", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .help = "Id of the probe.",
#ifndef PROBE_NO_RESOURCE
      .resource = &probe_resource
#endif
    },
    ALLOY_PARAMS_END
};

static const alloy_operation_t wrong_operations[] = {
    { WRONG, .noun = "probes", .summary = "Must not be served.",
      .role = ALLOY_VIEWER, .params = wrong_params, .answer = &probe_shape,
      .steps = { WRONG_STATEMENT } },
    ALLOY_OPERATIONS_END
};
#endif

/* ---- keys of a project ------------------------------------------------------- */

static const alloy_param_t setting_params[] = {
    { .name = "probe_color", .type = ALLOY_TEXT, .flags = ALLOY_NULLABLE,
      .least = 1, .most = 20, .help = "The project's color." },
    { .name = "probe_room", .type = ALLOY_INT, .flags = ALLOY_NULLABLE,
      .least = 1, .most = 1000,
      .help = "How many of its tickets may be in progress at a time." },
    ALLOY_PARAMS_END
};

static const alloy_field_t setting_fields[] = {
    { "probe_color", ALLOY_TEXT, ALLOY_NULLABLE, "The project's color." },
    { "probe_room", ALLOY_INT, ALLOY_NULLABLE,
      "How many of its tickets may be in progress at a time." },
    ALLOY_FIELDS_END
};

static const alloy_refusal_t setting_refusals[] = {
    { "no_color", &alloy_validation_failed, "/probe_color",
      "\"none\" is no color; send null to have none." },
    ALLOY_REFUSALS_END
};

static const alloy_extension_t update_extension = {
    .operation = "project_update",
    .params = setting_params,
    .fields = setting_fields,
    .write = &sql_probe_setting_write,
    .read = &sql_probe_setting_read,
    .refusals = setting_refusals,
};

static const alloy_extension_t get_extension = {
    .operation = "project_get",
    .fields = setting_fields,
    .read = &sql_probe_setting_read,
};

static const alloy_extension_t list_extension = {
    .operation = "project_list",
    .fields = setting_fields,
    .read = &sql_probe_setting_read,
};

static const alloy_extension_t *const extensions[] = {
    &update_extension, &get_extension, &list_extension, NULL
};

/* ---- moves of a ticket --------------------------------------------------------- */

static int goes_to(const alloy_facts_t *facts, const char *status)
{
    const char *to = alloy_text(facts->call, "status");

    return to && !strcasecmp(to, status);
}

static alloy_problem_t *refuse_red(const alloy_facts_t *facts)
{
    const char *color = alloy_rows_count(facts->facts)
        ? alloy_row_text(alloy_rows_get(facts->facts, 0), "color") : NULL;

    if (!goes_to(facts, "Done") || !color || strcmp(color, "red")) {
        return NULL;
    }
    return alloy_problem(facts->call, &probe_red,
                         "The project is %s: give it another color before "
                         "tickets of it are done.", color);
}

static alloy_problem_t *refuse_full(const alloy_facts_t *facts)
{
    const alloy_row_t *row = alloy_rows_count(facts->facts)
        ? alloy_rows_get(facts->facts, 0) : NULL;

    if (!goes_to(facts, "InProgress") || !row
        || alloy_row_is_null(row, "room")
        || alloy_row_int(row, "taken") < alloy_row_int(row, "room")) {
        return NULL;
    }
    return alloy_problem_member(
        alloy_problem(facts->call, &probe_full,
                      "%s tickets are in progress already; finish one first.",
                      alloy_row_text(row, "taken")),
        "room", alloy_row_text(row, "room"));
}

static const alloy_hook_t red_transition = {
    .action = "ticket_transition",
    .facts = &sql_probe_color_facts,
    .before = refuse_red,
};

static const alloy_hook_t red_update = {
    .action = "ticket_update",
    .facts = &sql_probe_color_facts,
    .facts_many = &sql_probe_color_facts_many,
    .before = refuse_red,
};

/* With one that counts, all hooks of the action run under its lock. */
#if defined(PROBE_COUNTS_NOT)
#define COUNTS .counts = 0
#elif defined(PROBE_LOCKS_ONLY)
#define COUNTS .counts = 0, .lock = &sql_probe_room_lock
#else
#define COUNTS .counts = 1, .lock = &sql_probe_room_lock
#endif

static const alloy_hook_t full_transition = {
    .action = "ticket_transition",
    .facts = &sql_probe_room_facts,
    .before = refuse_full,
    COUNTS,
};

static const alloy_hook_t full_update = {
    .action = "ticket_update",
    .facts = &sql_probe_room_facts,
    .before = refuse_full,
    COUNTS,
};

static const alloy_hook_t *const hooks[] = {
    &red_transition, &red_update, &full_transition, &full_update, NULL
};

/* ---- the record ------------------------------------------------------------------ */

static const alloy_operation_t *const tables[] = {
    operations,
#ifdef WRONG
    wrong_operations,
#endif
    NULL
};

static const alloy_statement_t *const *const statements[] = {
    sql_probe_statements, NULL
};

static const alloy_resource_t *const resources[] = { &probe_resource, NULL };

static const alloy_plugin_t probe_plugin = {
    .size = sizeof(alloy_plugin_t),
#ifdef PROBE_MAJOR
    .major = ALLOY_API_MAJOR + 1,
#else
    .major = ALLOY_API_MAJOR,
#endif
    .minor = ALLOY_API_MINOR,
    .name = "probe",
    .schema = 1,
    .operations = tables,
    .statements = statements,
    .problems = problems,
    .resources = resources,
    .extensions = extensions,
    .hooks = hooks,
};

static void register_hooks(apr_pool_t *pool)
{
    ap_register_provider(pool, ALLOY_PLUGIN_GROUP, "probe",
                         ALLOY_PLUGIN_VERSION, &probe_plugin);
}

ALLOY_DECLARE_DATA module alloy_probe_module = {
    STANDARD20_MODULE_STUFF,
    NULL, NULL, NULL, NULL, NULL,
    register_hooks
};
