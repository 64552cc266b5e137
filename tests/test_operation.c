/* What the registry refuses about a single operation and its parameters, with
 * the sentence that a plugin's author reads.
 */
#include "suite.h"

#include <string.h>

#include <apr_strings.h>

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

static void expect_row(const alloy_operation_t *row, const char *why)
{
    const char *fault = toy_row_refusal(row, pool);

    ck_assert_msg(fault != NULL, "not refused: %s", why);
    ck_assert_str_eq(fault, apr_pstrcat(pool, "plugin finance: operation ",
                                        row->id, ": ", why, NULL));
}

START_TEST(a_sound_row_is_not_refused)
{
    alloy_operation_t row = toy_sound_row(NULL);

    ck_assert_ptr_null(toy_row_refusal(&row, pool));
}
END_TEST

/* ---- Operations -------------------------------------------------- */

START_TEST(ids_paths_and_tools_are_unique)
{
    alloy_operation_t row = toy_sound_row(NULL);

    row.id = "book_get";
    expect_row(&row, "the id is taken by plugin toy already");
    row = toy_sound_row(NULL);
    row.path = "/door";
    row.method = ALLOY_GET;
    expect_row(&row, "GET /door is served by door of plugin toy already");
    row.path = "/books/{id}";
    row.method = ALLOY_GET;
    expect_row(&row, "GET /books/{id} is served by book_get of plugin toy "
                     "already");
    row.method = ALLOY_PUT;
    expect_row(&row, "the path /books/{id} is spelled /books/{book} by "
                     "book_get of plugin toy; name its parameters alike");
    row = toy_sound_row(NULL);
    row.tool = "get_book";
    expect_row(&row, "the tool get_book is there already, by book_get of "
                     "plugin toy");
    row.tool = "get-book";
    expect_row(&row, "the tool name \"get-book\" must begin with a small "
                     "letter and have only small letters, digits and _");
}
END_TEST

START_TEST(more_tools_settle_parameters)
{
    static const char *const none[] = { "stranger", NULL };
    static const char *const titles[] = { "title", NULL };
    static const char *const fixed[] = { "title", "Dune", NULL };
    static const char *const open[] = { "title", NULL, NULL };
    static const alloy_param_t params[] = { { .name = "title",
                                              .type = ALLOY_TEXT },
                                            ALLOY_PARAMS_END };
    alloy_tool_t tools[] = { { .name = "tell_title", .summary = "Tells it." },
                             ALLOY_TOOLS_END };
    alloy_operation_t row = toy_sound_row(NULL);

    row.params = params;
    row.tools = tools;
    tools[0].required = titles;
    ck_assert_ptr_null(toy_row_refusal(&row, pool));
    tools[0].fixed = fixed;
    expect_row(&row, "the tool tell_title fixes title and takes it as well");
    tools[0].fixed = open;
    expect_row(&row, "the tool tell_title must fix parameters of the "
                     "operation, each with a value; title is none");
    tools[0].fixed = NULL;
    tools[0].only = none;
    expect_row(&row, "the tool tell_title speaks of stranger, which is no "
                     "parameter of the operation");
    tools[0].summary = NULL;
    expect_row(&row, "the tool tell_title needs a .summary");
    tools[0].name = "get_book";
    expect_row(&row, "the tool get_book is there already, by book_get of "
                     "plugin toy");
}
END_TEST

START_TEST(rows_are_complete)
{
    alloy_operation_t row = toy_sound_row(NULL);

    row.id = "timeLog";
    ck_assert_str_eq(toy_row_refusal(&row, pool),
                     "plugin finance: operation timeLog: "
                     "the operation name \"timeLog\" must begin with a "
                     "small letter and have only small letters, digits and _");
    row = toy_sound_row(NULL);
    row.path = NULL;
    expect_row(&row, ".method and .path must be set");
    row.path = "/times/";
    expect_row(&row, "the path \"/times/\" must begin with a slash, not end "
                     "with one, have no empty segment and at most 12 of them");
    row = toy_sound_row(NULL);
    row.noun = NULL;
    expect_row(&row, ".noun and .summary must be set");
    row.noun = "Times";
    expect_row(&row, "the noun \"Times\" can't be part of a scope; use small "
                     "letters, digits, _ and -");
    row = toy_sound_row(NULL);
    row.creates = "ticket";
    expect_row(&row, ".creates is \"ticket\"; only org and project join the "
                     "call's settings");
    row.creates = "project";
    ck_assert_ptr_null(toy_row_refusal(&row, pool));
}
END_TEST

START_TEST(one_way_to_run)
{
    static const alloy_guarded_t empty = { .action = "x" };
    alloy_operation_t row = toy_sound_row(NULL);

    row.run = NULL;
    expect_row(&row, "exactly one of .steps, .guarded and .run must be set; "
                     "0 are");
    row.run = toy_run;
    row.guarded = &empty;
    expect_row(&row, "exactly one of .steps, .guarded and .run must be set; "
                     "2 are");
    row.run = NULL;
    expect_row(&row, "a guarded write needs .lock, .read and .write");
    row.flags = ALLOY_TRANSACTION;
    expect_row(&row, "ALLOY_TRANSACTION is for .run; steps and guarded writes "
                     "are one transaction already");
}
END_TEST

START_TEST(steps_are_in_order)
{
    static const alloy_statement_t exec = { .name = "x",
                                            .mode = ALLOY_SQL_EXEC,
                                            .text = "SELECT 1" };
    static const alloy_statement_t page = { .name = "p",
                                            .mode = ALLOY_SQL_PAGE,
                                            .text = "SELECT 2" };
    static const char *const strangers[] = { "stranger", NULL };
    static const alloy_sort_t sorts[] = { { "-title", &page },
                                          { NULL, NULL } };
    static const alloy_statement_t sortable = { .name = "s",
                                                .mode = ALLOY_SQL_PAGE,
                                                .text = "SELECT 2",
                                                .sorts = sorts };
    static const alloy_param_t words[] = { { .name = "q",
                                             .type = ALLOY_TEXT },
                                           ALLOY_PARAMS_END };
    alloy_operation_t row = toy_sound_row(NULL);

    row.run = NULL;
    row.steps[0] = &exec;
    ck_assert_ptr_null(toy_row_refusal(&row, pool));
    row.steps[2] = &exec;
    expect_row(&row, "the step before x is missing");
    row.steps[2] = NULL;
    row.answer = &toy_book_shape;
    expect_row(&row, ".answer is set, but the statement x is :exec and "
                     "answers nothing");
    row.steps[0] = &page;
    row.plain = &exec;
    expect_row(&row, "the statement x in .plain and the last step it stands "
                     "for must both be :page, or both :one and the only "
                     "step");
    row.plain = &page;
    ck_assert_ptr_null(toy_row_refusal(&row, pool));
    row.plain_without = strangers;
    expect_row(&row, "no parameter is called stranger, as .plain_without says");
    row.plain_without = NULL;
    row.keyed = &page;
    row.key = "q";
    expect_row(&row, ".keyed needs a parameter of the operation in .key, and "
                     "the other way round");
    row.params = words;
    ck_assert_ptr_null(toy_row_refusal(&row, pool));
    row.plain = &sortable;
    expect_row(&row, "the statement s in .plain and the last step it stands "
                     "for must be sortable alike");
    row.plain = NULL;
    row.keyed = NULL;
    row.key = NULL;
    row.params = NULL;
    row.answer = NULL;
    expect_row(&row, "the statement p answers rows, but .answer is not set");
    row.steps[1] = &exec;
    expect_row(&row, "the step p answers a page and must be the last");
}
END_TEST

START_TEST(plain_statements_lose_nothing)
{
    static const char *const names[] = { "note", NULL };
    static const char *const asked[] = { "note?", NULL };
    static const alloy_param_t input[] = {
        { .name = "note", .type = ALLOY_TEXT, .most = 9, .help = "A note." },
        ALLOY_PARAMS_END
    };
    static const alloy_statement_t full = { .name = "full",
                                            .mode = ALLOY_SQL_ONE,
                                            .nparams = 1,
                                            .params = asked,
                                            .text = "SELECT 1" };
    static const alloy_statement_t plain = { .name = "plain",
                                             .mode = ALLOY_SQL_ONE,
                                             .text = "SELECT 2" };
    alloy_operation_t row = toy_sound_row(input);

    row.run = NULL;
    row.answer = &toy_book_shape;
    row.steps[0] = &full;
    row.plain = &plain;
    row.plain_without = names;
    ck_assert_ptr_null(toy_row_refusal(&row, pool));
    row.plain_without = names + 1;
    expect_row(&row, "the statement plain does not read note; name it in "
                     ".plain_without");
}
END_TEST

START_TEST(statement_parameters_are_filled)
{
    static const alloy_param_t input[] = {
        { .name = "book", .type = ALLOY_REF, .resource = &toy_book },
        ALLOY_PARAMS_END
    };
    static const char *const names[] = {
        "book",       "book?",     "book_words", "new_time",    "me",
        "my_session", "my_key",    "org",        "orgs",        "admin_orgs",
        "owner_orgs", "change_id", "address",    "client_name", "operation",
        "limit",      NULL
    };
    alloy_statement_t statement = { .name = "x",
                                    .mode = ALLOY_SQL_EXEC,
                                    .text = "SELECT 1",
                                    .nparams = 15,
                                    .params = names };
    alloy_operation_t row = toy_sound_row(input);

    row.run = NULL;
    row.steps[0] = &statement;
    ck_assert_ptr_null(toy_row_refusal(&row, pool));
    statement.nparams = 16;
    expect_row(&row, "nothing fills :limit of the statement x");
    statement.mode = ALLOY_SQL_PAGE;
    row.answer = &toy_book_shape;
    ck_assert_ptr_null(toy_row_refusal(&row, pool));
    row.params = NULL;
    expect_row(&row, "nothing fills :book of the statement x");
    statement.nparams = ALLOY_PARAMS_MAX + 1;
    expect_row(&row, "the statement x has 49 parameters; at most 48 are "
                     "possible");
}
END_TEST

START_TEST(guarded_reads_are_filled_and_writes_left_to_c)
{
    static const alloy_param_t input[] = {
        { .name = "book", .type = ALLOY_REF, .resource = &toy_book },
        ALLOY_PARAMS_END
    };
    alloy_guarded_t guarded = toy_book_update;
    alloy_operation_t row = toy_sound_row(input);

    row.run = NULL;
    row.guarded = &guarded;
    ck_assert_ptr_null(toy_row_refusal(&row, pool));
    row.params = NULL;
    expect_row(&row, "nothing fills :book of the statement toy_book_lock");
    guarded.read = &toy_book_search;
    row.params = input;
    expect_row(&row, "in a guarded write toy_book_search must be :one, and "
                     "toy_book_lock and toy_book_write no :page");
}
END_TEST

START_TEST(answers_are_checked)
{
    static const alloy_field_t twice[] = {
        { "id", ALLOY_UUID, 0, NULL, NULL, NULL },
        { "id", ALLOY_UUID, 0, NULL, NULL, NULL },
        ALLOY_FIELDS_END
    };
    static const alloy_field_t wordless[] = {
        { "kind", ALLOY_WORD, 0, NULL, NULL, NULL }, ALLOY_FIELDS_END
    };
    alloy_shape_t shape = { "Time", twice };
    alloy_operation_t row = toy_sound_row(NULL);

    row.answer = &shape;
    expect_row(&row, "the answer has the key id twice");
    shape.fields = wordless;
    expect_row(&row, "the key kind of Time is an ALLOY_WORD without .words");
    shape.fields = twice + 1;
    shape.name = "Book";
    expect_row(&row, "there are two shapes named Book; use one for both or "
                     "give them different names");
    shape.name = "Problem";
    expect_row(&row, "\"Problem\" is no name for a shape; begin with a "
                     "capital, use letters and digits; Problem is taken");
    shape.name = "Time";
    row.location = "/times/{id}";
    ck_assert_ptr_null(toy_row_refusal(&row, pool));
    row.location = "/times/{key}";
    expect_row(&row, ".location names {key}, but the answer has no such key");
    row.location = "times";
    expect_row(&row, ".location \"times\" is no path");
}
END_TEST

static const alloy_shape_t knot;
static const alloy_field_t knot_fields[] = { { "knot", ALLOY_JSON, 0, NULL,
                                               NULL, &knot },
                                             ALLOY_FIELDS_END };
static const alloy_shape_t knot = { "Knot", knot_fields };

START_TEST(shapes_do_not_contain_themselves)
{
    alloy_operation_t row = toy_sound_row(NULL);

    row.answer = &knot;
    expect_row(&row, "the shape Knot has no name, no fields or too many "
                     "shapes inside each other");
}
END_TEST

START_TEST(refusals_are_checked)
{
    static const alloy_problem_kind_t stray = {
        .code = "stray", .status = 409, .title = "T", .help = "H"
    };
    alloy_refusal_t refusals[] = { { "a", &alloy_in_use, NULL, "It is used." },
                                   { "b", &alloy_in_use, NULL, "It is used." },
                                   ALLOY_REFUSALS_END };
    alloy_operation_t row = toy_sound_row(NULL);

    row.refusals = refusals;
    ck_assert_ptr_null(toy_row_refusal(&row, pool));
    refusals[1].code = "a";
    expect_row(&row, "the refusal a is there twice");
    refusals[1].kind = &stray;
    expect_row(&row, "the refusal a is of the kind stray, which no plugin "
                     "lists in .problems");
    refusals[0].detail = NULL;
    expect_row(&row, "the refusal a needs a kind and a detail");
}
END_TEST

/* ---- Parameters -------------------------------------------------- */

/* One parameter of POST /times/{time} by .run; NULL when it is fine. */
static const char *param_refusal(alloy_param_t param, alloy_method_e method)
{
    const alloy_param_t input[] = { { .name = "time", .type = ALLOY_TEXT },
                                    param,
                                    ALLOY_PARAMS_END };
    const int shadows = param.name && strcmp(param.name, "time") == 0;
    alloy_operation_t row = { .id = "time_log",
                              .method = method,
                              .path = "/times/{time}",
                              .noun = "times",
                              .summary = "Log time.",
                              .role = ALLOY_MEMBER,
                              .params = input + (shadows ? 1 : 0),
                              .run = toy_run };
    const char *fault = toy_row_refusal(&row, pool);
    const char *start = "plugin finance: operation time_log: ";

    if (!fault) {
        return "";
    }
    ck_assert_int_eq(strncmp(fault, start, strlen(start)), 0);
    return fault + strlen(start);
}

#define REFUSED(sentence, how, ...)                                            \
    ck_assert_str_eq(param_refusal((alloy_param_t){ __VA_ARGS__ }, how),       \
                     sentence)

START_TEST(path_parameters_are_checked)
{
    alloy_operation_t row = toy_sound_row(NULL);

    row.path = "/times/{ticket}";
    expect_row(&row, "the path names {ticket}, but no parameter of that name "
                     "is declared");
    REFUSED("", ALLOY_POST, .name = "time", .type = ALLOY_UUID);
    REFUSED("the parameter time is part of the path and can't be null; leave "
            "out ALLOY_NULLABLE",
            ALLOY_POST, .name = "time", .flags = ALLOY_NULLABLE);
    REFUSED("the parameter time is part of the path; leave out "
            "ALLOY_IN_QUERY, ALLOY_IN_BODY and ALLOY_MANY",
            ALLOY_POST, .name = "time", .flags = ALLOY_IN_QUERY);
    REFUSED("the parameter time is an ALLOY_LIST without .inner, or an "
            "ALLOY_OBJECT whose .inner is empty",
            ALLOY_POST, .name = "time", .type = ALLOY_LIST);
}
END_TEST

START_TEST(types_get_what_they_need)
{
    static const char *const words[] = { "One", "Two", NULL };
    static const char *const odd[] = { "Three", "Drei", NULL };
    static const alloy_param_t inner[] = {
        { .name = "Bad", .type = ALLOY_TEXT }, ALLOY_PARAMS_END
    };

    REFUSED("the parameter x is an ALLOY_WORD without .words", ALLOY_POST,
            .name = "x", .type = ALLOY_WORD);
    REFUSED("", ALLOY_POST, .name = "x", .type = ALLOY_WORD, .words = words);
    REFUSED("the parameter x has an alias that stands for none of its words; "
            "write pairs of alias and word",
            ALLOY_POST, .name = "x", .type = ALLOY_WORD, .words = words,
            .aliases = odd);
    REFUSED("the parameter x has a fallback that is none of its words",
            ALLOY_POST, .name = "x", .type = ALLOY_WORD, .words = words,
            .fallback = "Three");
    REFUSED("the parameter x is an ALLOY_JSON, which is for answers only",
            ALLOY_POST, .name = "x", .type = ALLOY_JSON);
    REFUSED("the parameter name \"Bad\" must begin with a small letter "
            "and have only small letters, digits and _",
            ALLOY_POST, .name = "x", .type = ALLOY_OBJECT, .inner = inner);
    REFUSED("the parameter x has .most below .least", ALLOY_POST, .name = "x",
            .type = ALLOY_INT, .least = 2, .most = 1);
    REFUSED("the parameter x is required and has a fallback all the same",
            ALLOY_POST, .name = "x", .flags = ALLOY_REQUIRED, .fallback = "y");
    REFUSED("the parameter x has a flag that only an ALLOY_REF may have",
            ALLOY_POST, .name = "x", .flags = ALLOY_SELF);
}
END_TEST

START_TEST(references_are_checked)
{
    static const alloy_resource_t stray = { .name = "stray",
                                            .table = "stray",
                                            .find_id = &toy_book_get };
    static const alloy_param_t input[] = {
        { .name = "book", .type = ALLOY_REF, .resource = &toy_book },
        ALLOY_PARAMS_END
    };
    alloy_operation_t row = toy_sound_row(input);

    REFUSED("the parameter x is an ALLOY_REF without .resource", ALLOY_POST,
            .name = "x", .type = ALLOY_REF);
    REFUSED("the parameter x refers to the resource stray, which no plugin "
            "lists in .resources",
            ALLOY_POST, .name = "x", .type = ALLOY_REF, .resource = &stray);
    REFUSED("the parameter x has a .resource_param, which must name an "
            "ALLOY_WORD of the operation and stands instead of .resource, not "
            "inside a list or an object", ALLOY_POST,
            .name = "x", .type = ALLOY_REF, .resource_param = "kind");
    REFUSED("the parameter x is ALLOY_UNIQUE, which only a member of an "
            "object in a list can be", ALLOY_POST,
            .name = "x", .type = ALLOY_TEXT, .flags = ALLOY_UNIQUE);
    REFUSED("the parameter x is looked up within room, but no parameter of "
            "that name is declared",
            ALLOY_POST, .name = "x", .type = ALLOY_REF, .resource = &toy_book,
            .within = "room");
    REFUSED("", ALLOY_POST, .name = "x", .type = ALLOY_REF,
            .resource = &toy_book, .within = "time");
    ck_assert_ptr_null(toy_row_refusal(&row, pool));
    row.role = ALLOY_PUBLIC;
    expect_row(&row, "the parameter book is a reference, but the operation is "
                     "public: without a caller nothing can be looked up");
}
END_TEST

START_TEST(places_are_checked)
{
    static const alloy_param_t inner[] = { { .type = ALLOY_TEXT } };

    REFUSED("the parameter x is flagged ALLOY_IN_QUERY and ALLOY_IN_BODY",
            ALLOY_POST, .name = "x", .flags = ALLOY_IN_QUERY | ALLOY_IN_BODY);
    REFUSED("the parameter x is read from the body, which a GET has not",
            ALLOY_GET, .name = "x", .flags = ALLOY_IN_BODY);
    REFUSED("the parameter x is read from the body, where several values are "
            "an ALLOY_LIST",
            ALLOY_POST, .name = "x", .flags = ALLOY_MANY);
    REFUSED("the parameter x is read from the query and can't be a list or "
            "an object; use ALLOY_MANY for several values",
            ALLOY_GET, .name = "x", .type = ALLOY_LIST, .inner = inner);
    REFUSED("", ALLOY_POST, .name = "x", .type = ALLOY_LIST, .inner = inner);
    REFUSED("the parameter x is a secret and would show up in logs as part of "
            "the query; use ALLOY_IN_BODY",
            ALLOY_DELETE, .name = "x", .flags = ALLOY_SECRET);
    REFUSED("", ALLOY_DELETE, .name = "x",
            .flags = ALLOY_SECRET | ALLOY_IN_BODY);
}
END_TEST

START_TEST(a_delete_with_a_body_leaves_nothing_open)
{
    static const alloy_param_t input[] = {
        { .name = "confirm", .type = ALLOY_TEXT, .flags = ALLOY_IN_BODY },
        { .name = "force", .type = ALLOY_BOOL },
        ALLOY_PARAMS_END
    };
    alloy_operation_t row = toy_sound_row(NULL);

    row.method = ALLOY_DELETE;
    row.params = input;
    expect_row(&row, "the parameter force belongs to a DELETE with a body; "
                     "say ALLOY_IN_QUERY or ALLOY_IN_BODY");
}
END_TEST

START_TEST(names_are_unique_and_few)
{
    alloy_param_t input[ALLOY_OP_PARAMS_MAX + 2];
    alloy_operation_t row = toy_sound_row(NULL);
    int i;

    memset(input, 0, sizeof(input));
    for (i = 0; i <= ALLOY_OP_PARAMS_MAX; i++) {
        input[i].name = apr_psprintf(pool, "p%d", i);
    }
    row.params = input;
    expect_row(&row, "42 parameters, added ones included, are more than 40");
    /* dry_run is one of them */
    input[ALLOY_OP_PARAMS_MAX - 1].name = NULL;
    ck_assert_ptr_null(toy_row_refusal(&row, pool));
    input[1].name = "p0";
    expect_row(&row, "the parameter p0 is declared twice");
    input[0].name = "limit";
    input[1].name = NULL;
    ck_assert_ptr_null(toy_row_refusal(&row, pool));
    row.run = NULL;
    row.steps[0] = &toy_shelf_list;
    row.answer = &toy_book_shape;
    expect_row(&row, "the parameter limit is the engine's own in an operation "
                     "that answers pages");
}
END_TEST

/* ---- The suite ----------------------------------------------------------- */

static Suite *operation_suite(void)
{
    Suite *suite = suite_create("operation");
    TCase *tests = tcase_create("operation");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_sound_row_is_not_refused);
    tcase_add_test(tests, ids_paths_and_tools_are_unique);
    tcase_add_test(tests, more_tools_settle_parameters);
    tcase_add_test(tests, rows_are_complete);
    tcase_add_test(tests, one_way_to_run);
    tcase_add_test(tests, steps_are_in_order);
    tcase_add_test(tests, plain_statements_lose_nothing);
    tcase_add_test(tests, statement_parameters_are_filled);
    tcase_add_test(tests, guarded_reads_are_filled_and_writes_left_to_c);
    tcase_add_test(tests, answers_are_checked);
    tcase_add_test(tests, shapes_do_not_contain_themselves);
    tcase_add_test(tests, refusals_are_checked);
    tcase_add_test(tests, path_parameters_are_checked);
    tcase_add_test(tests, types_get_what_they_need);
    tcase_add_test(tests, references_are_checked);
    tcase_add_test(tests, places_are_checked);
    tcase_add_test(tests, a_delete_with_a_body_leaves_nothing_open);
    tcase_add_test(tests, names_are_unique_and_few);
    suite_add_tcase(suite, tests);
    return suite;
}

ALLOY_SUITE(operation_suite);
