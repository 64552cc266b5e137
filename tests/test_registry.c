/* The registry: what it works out of the tables, and every refusal with the
 * sentence that a plugin's author reads.
 */
#include "suite.h"

#include <string.h>

#include <apr_strings.h>

#include "../mod_alloy/core/limits.h"
#include "../mod_alloy/core/problem.h"
#include "toy.h"

static apr_pool_t *pool;

static void set_up(void)
{
    apr_pool_create(&pool, NULL);
}

static void tear_down(void)
{
    apr_pool_destroy(pool);
}

static void expect(const alloy_plugin_t *plugin, const char *sentence)
{
    const char *fault = toy_refusal(plugin, pool);

    ck_assert_msg(fault != NULL, "not refused: %s", sentence);
    ck_assert_str_eq(fault, sentence);
}

/* ---- What is worked out -------------------------------------------------- */

START_TEST(operations_are_found)
{
    alloy_registry_t *registry = toy_registry(pool);
    const alloy_op_t *op = alloy_registry_find(registry, "book_get");

    ck_assert_int_eq(alloy_registry_count(registry), 9);
    ck_assert_ptr_eq(alloy_registry_op(registry, op->index), op);
    ck_assert_ptr_eq(alloy_registry_tool(registry, "get_book"), op);
    ck_assert_ptr_eq(op->plugin, &toy_plugin);
    ck_assert_ptr_null(alloy_registry_find(registry, "book"));
    ck_assert_ptr_null(alloy_registry_tool(registry, "book_get"));
    ck_assert_ptr_eq(alloy_registry_resource(registry, "book"), &toy_book);
    ck_assert_ptr_eq(alloy_registry_plugins(registry)[1], &toy_stamps);
}
END_TEST

START_TEST(problems_are_the_cores_and_the_plugins)
{
    alloy_registry_t *registry = toy_registry(pool);
    const alloy_problem_kind_t *const *kinds = alloy_registry_kinds(registry);
    int count = 0;

    while (alloy_problem_kinds[count]) {
        ck_assert_ptr_eq(kinds[count], alloy_problem_kinds[count]);
        count++;
    }
    ck_assert_str_eq(kinds[count]->code, "lent");
    ck_assert_ptr_null(kinds[count + 1]);
    ck_assert_ptr_eq(alloy_registry_kind(registry, "lent"), kinds[count]);
    ck_assert_ptr_eq(alloy_registry_sqlstate(registry, "TO001"), kinds[count]);
    ck_assert_ptr_eq(alloy_registry_kind(registry, "not_found"),
                     &alloy_not_found);
    ck_assert_ptr_null(alloy_registry_sqlstate(registry, "23505"));
}
END_TEST

START_TEST(places_and_anchors)
{
    alloy_registry_t *registry = toy_registry(pool);
    const alloy_op_t *op = alloy_registry_find(registry, "book_update");
    int book = alloy_op_param(op, "book");

    ck_assert_int_eq(op->anchor, book);
    ck_assert_int_eq(op->segment[book], 1);
    ck_assert_int_eq(op->segment[0], -1);
    ck_assert_int_eq(alloy_op_place(op, book), ALLOY_PLACE_PATH);
    ck_assert_int_eq(alloy_op_place(op, 0), ALLOY_PLACE_BODY);
    op = alloy_registry_find(registry, "shelf_list");
    ck_assert_int_eq(alloy_op_place(op, 1), ALLOY_PLACE_QUERY);
    ck_assert_int_eq(op->reads_body, 0);
    op = alloy_registry_find(registry, "book_delete");
    ck_assert_int_eq(alloy_op_place(op, 1), ALLOY_PLACE_BODY);
    ck_assert_int_eq(op->reads_body, 1);
    ck_assert_int_eq(alloy_op_param(op, "title"), -1);
    op = alloy_registry_find(registry, "door");
    ck_assert_int_eq(op->anchor, -1);
    ck_assert_int_eq(op->nparams, 0);
}
END_TEST

START_TEST(home_is_the_anchor_when_the_path_has_none)
{
    static const alloy_param_t params[] = {
        { .name = "book", .type = ALLOY_REF, .resource = &toy_book },
        { .name = "org_id",
          .type = ALLOY_REF,
          .flags = ALLOY_HOME,
          .resource = &toy_org },
        ALLOY_PARAMS_END
    };
    const alloy_operation_t table[] = { toy_sound_row(params),
                                        ALLOY_OPERATIONS_END };
    const alloy_operation_t *const tables[] = { table, NULL };
    const alloy_plugin_t plugin = { ALLOY_PLUGIN_INIT, .name = "finance",
                                    .operations = tables };
    const alloy_plugin_t *const plugins[] = { &toy_plugin, &plugin, NULL };
    alloy_registry_t *registry;

    ck_assert_ptr_null(alloy_registry_make(&registry, plugins, pool));
    ck_assert_int_eq(alloy_registry_find(registry, "time_log")->anchor, 1);
}
END_TEST

START_TEST(writes_and_last_statements)
{
    alloy_registry_t *registry = toy_registry(pool);
    const alloy_op_t *op = alloy_registry_find(registry, "book_update");

    ck_assert_int_eq(op->writes, 1);
    ck_assert_ptr_eq(op->last, &toy_book_write);
    op = alloy_registry_find(registry, "book_get");
    ck_assert_int_eq(op->writes, 0);
    ck_assert_ptr_eq(op->last, &toy_book_get);
    op = alloy_registry_find(registry, "book_lend");
    ck_assert_int_eq(op->writes, 1);
    ck_assert_ptr_null(op->last);
}
END_TEST

START_TEST(additions_are_merged)
{
    alloy_registry_t *registry = toy_registry(pool);
    const alloy_op_t *op = alloy_registry_find(registry, "book_update");

    ck_assert_int_eq(op->nparams, 7);
    ck_assert_str_eq(op->params[5]->name, "stamp");
    ck_assert_str_eq(op->params[6]->name, "dry_run");
    ck_assert_str_eq(op->answer->name, "Book");
    ck_assert_str_eq(op->answer->fields[10].name, "stamp");
    ck_assert_ptr_null(op->answer->fields[11].name);
    ck_assert_str_eq(op->extensions[0]->operation, "book_update");
    ck_assert_ptr_null(op->extensions[1]);
    ck_assert_str_eq(op->hooks[0]->action, "book_update");
    ck_assert_ptr_null(op->hooks[1]);
    op = alloy_registry_find(registry, "book_search");
    ck_assert_ptr_eq(op->answer, &toy_book_shape);
    ck_assert_ptr_null(op->extensions[0]);
    ck_assert_ptr_null(op->hooks[0]);
}
END_TEST

/* ---- Refused plugins ----------------------------------------------------- */

START_TEST(other_versions_are_refused)
{
    alloy_plugin_t plugin = { ALLOY_PLUGIN_INIT, .name = "finance" };

    ck_assert_ptr_null(toy_refusal(&plugin, pool));
    plugin.major = ALLOY_API_MAJOR + 1;
    ck_assert_str_eq(toy_refusal(&plugin, pool),
                     "plugin finance: it was built for "
                     "version 2.0 of Alloy's API, this is 1.0; build it "
                     "again");
    plugin.major = ALLOY_API_MAJOR;
    plugin.minor = ALLOY_API_MINOR + 1;
    ck_assert_ptr_nonnull(toy_refusal(&plugin, pool));
    plugin.minor = ALLOY_API_MINOR;
    plugin.size--;
    ck_assert_ptr_nonnull(
        strstr(toy_refusal(&plugin, pool), "ALLOY_PLUGIN_INIT"));
}
END_TEST

START_TEST(plugins_need_names_of_their_own)
{
    alloy_plugin_t plugin = { ALLOY_PLUGIN_INIT, .name = "toy" };

    expect(&plugin, "plugin toy: there are two plugins of this name");
    plugin.name = "Fin-ance";
    expect(&plugin,
           "plugin Fin-ance: the plugin name \"Fin-ance\" must "
           "begin with a small letter and have only small letters, digits and "
           "_");
    plugin.name = NULL;
    expect(&plugin, "plugin ?: the plugin has no name");
    plugin.name = "finance";
    plugin.schema = -1;
    expect(&plugin, "plugin finance: .schema is -1; it is the number of the "
                    "newest migration, or 0");
}
END_TEST

static void expect_kind(const alloy_problem_kind_t *kind, const char *why)
{
    const alloy_problem_kind_t *const kinds[] = { kind, NULL };
    const alloy_plugin_t plugin = { ALLOY_PLUGIN_INIT, .name = "finance",
                                    .problems = kinds };

    expect(&plugin, apr_pstrcat(pool, "plugin finance: ", why, NULL));
}

START_TEST(problems_are_checked)
{
    alloy_problem_kind_t kind = {
        .code = "lent", .status = 409, .title = "T", .help = "H"
    };

    expect_kind(&kind, "the problem code lent is taken already");
    kind.code = "broke";
    kind.sqlstate = "TO001";
    expect_kind(&kind, "the problems lent and broke share the SQLSTATE TO001");
    kind.sqlstate = "TO1";
    expect_kind(&kind, "the problem broke needs a status of 400 to 599, a "
                       "title, a help text and, if any, a SQLSTATE of five "
                       "characters");
    kind.code = "Broke";
    expect_kind(&kind,
                "the problem code name \"Broke\" must begin with a "
                "small letter and have only small letters, digits and _");
}
END_TEST

START_TEST(statements_of_one_name_are_one_text)
{
    static const alloy_statement_t other = { .name = "toy_book_get",
                                             .mode = ALLOY_SQL_ONE,
                                             .text = "SELECT 99" };
    static const alloy_statement_t same = { .name = "toy_book_get",
                                            .mode = ALLOY_SQL_ONE,
                                            .text = "SELECT 3" };
    const alloy_statement_t *list[] = { &other, NULL };
    const alloy_statement_t *const *const tables[] = { list, NULL };
    const alloy_plugin_t plugin = { ALLOY_PLUGIN_INIT, .name = "finance",
                                    .statements = tables };

    expect(&plugin, "plugin finance: there is another statement toy_book_get "
                    "with a different text");
    list[0] = &same;
    ck_assert_ptr_null(toy_refusal(&plugin, pool));
}
END_TEST

START_TEST(resources_are_checked)
{
    alloy_resource_t resource = { .name = "book" };
    const alloy_resource_t *const list[] = { &resource, NULL };
    const alloy_plugin_t plugin = { ALLOY_PLUGIN_INIT, .name = "finance",
                                    .resources = list };

    expect(&plugin, "plugin finance: the resource book is there already");
    resource.name = "cost";
    expect(&plugin, "plugin finance: resource cost: .table must be set");
    resource.table = "cost";
    resource.find_id = &toy_book_get;
    expect(&plugin, "plugin finance: resource cost: nothing fills :book of "
                    "the statement toy_book_get");
}
END_TEST

/* ---- Refused additions --------------------------------------------------- */

static void expect_extension(const alloy_extension_t *extension,
                             const char *why)
{
    const alloy_extension_t *const list[] = { extension, NULL };
    const alloy_plugin_t plugin = { ALLOY_PLUGIN_INIT, .name = "finance",
                                    .extensions = list };

    expect(&plugin, apr_pstrcat(pool, "plugin finance: extension of ",
                                extension->operation, ": ", why, NULL));
}

START_TEST(extensions_are_checked)
{
    static const alloy_field_t fields[] = {
        { "id", ALLOY_UUID, 0, NULL, NULL, NULL }, ALLOY_FIELDS_END
    };
    static const alloy_param_t input[] = {
        { .name = "title", .type = ALLOY_TEXT }, ALLOY_PARAMS_END
    };
    alloy_extension_t extension = { .operation = "book_burn" };

    expect_extension(&extension, "there is no such operation");
    extension.operation = "book_update";
    extension.params = input;
    expect_extension(&extension, "the input has the key title already");
    extension.params = NULL;
    extension.fields = fields;
    expect_extension(&extension,
                     "keys are added to the answer, which needs "
                     "an operation with .answer and a statement in .read");
    extension.read = &toy_book_get;
    expect_extension(&extension, "the answer has the key id already");
    extension.fields = NULL;
    extension.write = &toy_book_search;
    expect_extension(&extension, "nothing fills :text of the statement "
                                 "toy_book_search");
    extension.operation = "book_delete";
    extension.fields = fields;
    expect_extension(&extension,
                     "keys are added to the answer, which needs "
                     "an operation with .answer and a statement in .read");
}
END_TEST

START_TEST(hooks_are_checked)
{
    alloy_hook_t hook = { .action = "book_burn", .before = toy_decide };
    const alloy_hook_t *const list[] = { &hook, NULL };
    const alloy_plugin_t plugin = { ALLOY_PLUGIN_INIT, .name = "finance",
                                    .hooks = list };

    expect(&plugin, "plugin finance: hook of book_burn: no guarded write has "
                    "this action");
    hook.action = "book_update";
    ck_assert_ptr_null(toy_refusal(&plugin, pool));
    hook.facts = &toy_book_search;
    expect(&plugin, "plugin finance: hook of book_update: nothing fills :text "
                    "of the statement toy_book_search");
    hook.facts = NULL;
    hook.before = NULL;
    expect(&plugin, "plugin finance: hook of book_update: .before must be "
                    "set");
}
END_TEST

START_TEST(hooks_of_one_write_are_few)
{
    static const alloy_hook_t hook = { .action = "book_update",
                                       .before = toy_decide };
    const alloy_hook_t *list[ALLOY_HOOKS_LIMIT + 2] = { NULL };
    const alloy_plugin_t plugin = { ALLOY_PLUGIN_INIT, .name = "finance",
                                    .hooks = list };
    int i;

    for (i = 0; i < ALLOY_HOOKS_LIMIT; i++) {
        list[i] = &hook;
    }
    ck_assert_ptr_null(toy_refusal(&plugin, pool));
    list[i] = &hook;
    expect(&plugin, "plugin toy: operation book_update: 9 hooks have a say in "
                    "it; at most 8 are possible");
}
END_TEST

START_TEST(statements_of_one_call_are_few)
{
    static const alloy_hook_t hook = { .action = "book_update",
                                       .facts = &toy_book_get,
                                       .before = toy_decide,
                                       .counts = 1,
                                       .lock = &toy_book_lock };
    const alloy_hook_t *list[ALLOY_HOOKS_LIMIT] = { NULL };
    const alloy_plugin_t plugin = { ALLOY_PLUGIN_INIT, .name = "finance",
                                    .hooks = list };
    int i;

    for (i = 0; i < (ALLOY_OP_STATEMENTS_MAX - 3) / 2; i++) {
        list[i] = &hook;
    }
    ck_assert_ptr_null(toy_refusal(&plugin, pool));
    list[i] = &hook;
    expect(&plugin,
           "plugin toy: operation book_update: a call sends 17 "
           "statements, those of hooks and extensions included; at most 16 "
           "are possible");
}
END_TEST

/* ---- The suite ----------------------------------------------------------- */

static TCase *results(void)
{
    TCase *tests = tcase_create("results");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, operations_are_found);
    tcase_add_test(tests, problems_are_the_cores_and_the_plugins);
    tcase_add_test(tests, places_and_anchors);
    tcase_add_test(tests, home_is_the_anchor_when_the_path_has_none);
    tcase_add_test(tests, writes_and_last_statements);
    tcase_add_test(tests, additions_are_merged);
    return tests;
}

static TCase *plugins(void)
{
    TCase *tests = tcase_create("plugins");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, other_versions_are_refused);
    tcase_add_test(tests, plugins_need_names_of_their_own);
    tcase_add_test(tests, problems_are_checked);
    tcase_add_test(tests, statements_of_one_name_are_one_text);
    tcase_add_test(tests, resources_are_checked);
    tcase_add_test(tests, extensions_are_checked);
    tcase_add_test(tests, hooks_are_checked);
    tcase_add_test(tests, hooks_of_one_write_are_few);
    tcase_add_test(tests, statements_of_one_call_are_few);
    return tests;
}

static Suite *registry_suite(void)
{
    Suite *suite = suite_create("registry");

    suite_add_tcase(suite, results());
    suite_add_tcase(suite, plugins());
    return suite;
}

ALLOY_SUITE(registry_suite);
