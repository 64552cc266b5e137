/* The tables of the two plugins declared in toy.h. They use what real ones use:
 * pages, guarded writes, references, nested shapes, extensions and hooks.
 */
#include "toy.h"

#include <check.h>

#include "../mod_alloy/core/problem.h"

#define STATEMENT(id, how, what, list, words)                                  \
    const alloy_statement_t id = { .name = #id,                                \
                                   .mode = how,                                \
                                   .flags = what,                              \
                                   .nparams = sizeof(list) / sizeof(list[0])   \
                                              - 1,                             \
                                   .params = list,                             \
                                   .text = words }

/* ---- Statements ---------------------------------------------------------- */

static const char *const none[] = { NULL };
static const char *const find_params[] = { "ref", "orgs", NULL };
static const char *const list_params[] = { "org",      "kind",     "limit",
                                           "after_at", "after_id", NULL };
static const char *const plain_params[] = { "org", "limit", "after_at",
                                            "after_id", NULL };
static const char *const create_params[] = { "new_shelf", "org",       "name",
                                             "books",     "change_id", NULL };
static const char *const book_params[] = { "book", NULL };
static const char *const write_params[] = { "book", "title", "title?",
                                            "seen", "shelf", NULL };
static const char *const search_params[] = { "text", "kind", "me", NULL };
static const char *const ids_params[] = { "ids", NULL };
static const char *const stamp_params[] = { "id", "stamp", NULL };

static STATEMENT(toy_find, ALLOY_SQL_MANY, 0, find_params, "SELECT $1, $2");
STATEMENT(toy_shelf_list, ALLOY_SQL_PAGE, ALLOY_SQL_CUSTOM, list_params,
          "SELECT 1");
static STATEMENT(toy_shelf_plain, ALLOY_SQL_PAGE, 0, plain_params, "SELECT 2");
static STATEMENT(toy_shelf_create, ALLOY_SQL_ONE, ALLOY_SQL_WRITE,
                 create_params, "INSERT ... RETURNING id, true AS _created");
STATEMENT(toy_book_get, ALLOY_SQL_ONE, 0, book_params, "SELECT 3");
STATEMENT(toy_book_lock, ALLOY_SQL_EXEC, 0, book_params, "SELECT 4");
STATEMENT(toy_book_write, ALLOY_SQL_ONE, ALLOY_SQL_WRITE, write_params,
          "UPDATE 5");
STATEMENT(toy_book_search, ALLOY_SQL_MANY, ALLOY_SQL_SLOW, search_params,
          "SELECT 6");
static STATEMENT(toy_book_delete, ALLOY_SQL_EXEC, ALLOY_SQL_WRITE, book_params,
                 "DELETE 7");
static STATEMENT(toy_stamp_count, ALLOY_SQL_ONE, 0, none, "SELECT 8");
static STATEMENT(toy_stamp_read, ALLOY_SQL_MANY, 0, ids_params, "SELECT 9");
static STATEMENT(toy_stamp_write, ALLOY_SQL_EXEC, ALLOY_SQL_WRITE, stamp_params,
                 "UPDATE 10");

static const alloy_statement_t *const statements[] = {
    &toy_find,        &toy_shelf_list,
    &toy_shelf_plain, &toy_shelf_create,
    &toy_book_get,    &toy_book_lock,
    &toy_book_write,  &toy_book_search,
    &toy_book_delete, NULL
};
static const alloy_statement_t *const *const statement_tables[] = { statements,
                                                                    NULL };

/* ---- Resources, shapes, parameters --------------------------------------- */

const alloy_resource_t toy_org = { .name = "org",
                                   .table = "toy.org",
                                   .read = ALLOY_VIEWER,
                                   .find_id = &toy_find,
                                   .find_name = &toy_find };
const alloy_resource_t toy_shelf = { .name = "shelf",
                                     .table = "toy.shelf",
                                     .read = ALLOY_VIEWER,
                                     .find_id = &toy_find,
                                     .find_name = &toy_find };
const alloy_resource_t toy_book = { .name = "book",
                                    .table = "toy.book",
                                    .read = ALLOY_VIEWER,
                                    .find_id = &toy_find };

static const alloy_resource_t *const resources[] = { &toy_org, &toy_shelf,
                                                     &toy_book, NULL };

static const char *const kinds[] = { "Novel", "Poetry", NULL };
static const char *const kind_aliases[] = { "Verse", "Poetry", NULL };

static const alloy_field_t person_fields[] = {
    { "id", ALLOY_UUID, 0, "Whose.", NULL, NULL },
    { "name", ALLOY_TEXT, 0, NULL, NULL, NULL },
    ALLOY_FIELDS_END
};
static const alloy_shape_t person = { "Person", person_fields };

static const alloy_field_t book_fields[] = {
    { "id", ALLOY_UUID, 0, "The book.", NULL, NULL },
    { "shelf_id", ALLOY_REF, ALLOY_NULLABLE, "Where it stands.", NULL, NULL },
    { "kind", ALLOY_WORD, ALLOY_NULLABLE, "What it is.", kinds, NULL },
    { "lent_at", ALLOY_INSTANT, ALLOY_NULLABLE, "Since when.", NULL, NULL },
    { "weight", ALLOY_HALF, 0, "In pounds.", NULL, NULL },
    { "tags", ALLOY_TEXT, ALLOY_MANY, "Words.", NULL, NULL },
    { "reader", ALLOY_JSON, ALLOY_NULLABLE, "Who has it.", NULL, &person },
    { "authors", ALLOY_JSON, ALLOY_MANY, "Who wrote it.", NULL, &person },
    { "owner", ALLOY_JSON, 0, "Who bought it.", NULL, &person },
    { "extra", ALLOY_JSON, ALLOY_ANSWERED, NULL, NULL, NULL },
    ALLOY_FIELDS_END
};
const alloy_shape_t toy_book_shape = { "Book", book_fields };

static const alloy_field_t shelf_fields[] = {
    { "id", ALLOY_UUID, 0, NULL, NULL, NULL },
    { "name", ALLOY_TEXT, 0, NULL, NULL, NULL },
    ALLOY_FIELDS_END
};
static const alloy_shape_t shelf = { "Shelf", shelf_fields };

static const alloy_param_t shelf_book[] = {
    { .name = "title",
      .type = ALLOY_TEXT,
      .flags = ALLOY_REQUIRED,
      .least = 1,
      .most = 80,
      .help = "Its title." },
    { .name = "pages", .type = ALLOY_INT, .least = 1, .most = 9999 },
    ALLOY_PARAMS_END
};
static const alloy_param_t shelf_books[] = { { .type = ALLOY_OBJECT,
                                               .inner = shelf_book } };

static const alloy_param_t list_input[] = { { .name = "org",
                                              .type = ALLOY_REF,
                                              .resource = &toy_org,
                                              .help = "The organization." },
                                            { .name = "kind",
                                              .type = ALLOY_WORD,
                                              .flags = ALLOY_MANY,
                                              .words = kinds,
                                              .aliases = kind_aliases,
                                              .help = "Only these kinds." },
                                            ALLOY_PARAMS_END };
static const alloy_param_t create_input[] = { { .name = "org",
                                                .type = ALLOY_REF,
                                                .resource = &toy_org,
                                                .help = "The organization." },
                                              { .name = "name",
                                                .type = ALLOY_TEXT,
                                                .flags = ALLOY_REQUIRED,
                                                .least = 1,
                                                .most = 40,
                                                .format = &alloy_format_name,
                                                .help = "What it is called." },
                                              { .name = "books",
                                                .type = ALLOY_LIST,
                                                .most = 20,
                                                .inner = shelf_books,
                                                .help = "What stands on it." },
                                              ALLOY_PARAMS_END };
static const alloy_param_t book_input[] = { { .name = "book",
                                              .type = ALLOY_REF,
                                              .resource = &toy_book,
                                              .help = "The book." },
                                            ALLOY_PARAMS_END };
static const alloy_param_t update_input[] = {
    { .name = "title", .type = ALLOY_TEXT, .most = 80, .help = "Its title." },
    { .name = "shelf",
      .type = ALLOY_REF,
      .flags = ALLOY_NULLABLE,
      .resource = &toy_shelf,
      .within = "org",
      .help = "Where it stands." },
    { .name = "weight",
      .type = ALLOY_HALF,
      .least = 1,
      .most = 41,
      .fallback = "1.5",
      .help = "In pounds." },
    { .name = "kind",
      .type = ALLOY_WORD,
      .flags = ALLOY_NULLABLE,
      .words = kinds,
      .role = ALLOY_ADMIN,
      .help = "What it is." },
    { .name = "book",
      .type = ALLOY_REF,
      .resource = &toy_book,
      .help = "The book." },
    ALLOY_PARAMS_END
};
static const alloy_param_t delete_input[] = {
    { .name = "book",
      .type = ALLOY_REF,
      .resource = &toy_book,
      .help = "The book." },
    { .name = "confirm",
      .type = ALLOY_TEXT,
      .flags = ALLOY_IN_BODY | ALLOY_REQUIRED | ALLOY_SECRET,
      .help = "Its title once more." },
    ALLOY_PARAMS_END
};
static const alloy_param_t search_input[] = { { .name = "text",
                                                .type = ALLOY_TEXT,
                                                .flags = ALLOY_REQUIRED,
                                                .least = 1,
                                                .most = 100,
                                                .help = "What to look for." },
                                              { .name = "kind",
                                                .type = ALLOY_WORD,
                                                .words = kinds,
                                                .fallback = "Novel",
                                                .help = "Only this kind." },
                                              ALLOY_PARAMS_END };

/* ---- Operations ---------------------------------------------------------- */

alloy_problem_t *toy_run(alloy_call_t *call)
{
    return NULL;
}

alloy_problem_t *toy_decide(const alloy_facts_t *facts)
{
    return NULL;
}

const alloy_guarded_t toy_book_update = { .action = "book_update",
                                          .lock = &toy_book_lock,
                                          .read = &toy_book_get,
                                          .decide = toy_decide,
                                          .write = &toy_book_write };

static const alloy_problem_kind_t toy_lent = { .code = "lent",
                                               .status = 423,
                                               .title = "The book is lent",
                                               .help = "Wait until it is back.",
                                               .sqlstate = "TO001" };
static const alloy_problem_kind_t *const problems[] = { &toy_lent, NULL };

static const alloy_refusal_t update_refusals[] = {
    { "lent", &toy_lent, NULL, "Somebody has the book; wait." },
    ALLOY_REFUSALS_END
};

static const alloy_operation_t shelf_operations[] = {
    { .id = "shelf_list",
      .method = ALLOY_GET,
      .path = "/orgs/{org}/shelves",
      .tool = "list_shelves",
      .noun = "shelves",
      .summary = "List shelves.",
      .role = ALLOY_VIEWER,
      .params = list_input,
      .answer = &shelf,
      .steps = { &toy_shelf_list },
      .plain = &toy_shelf_plain },
    { .id = "shelf_create",
      .method = ALLOY_POST,
      .path = "/orgs/{org}/shelves",
      .tool = "create_shelf",
      .noun = "shelves",
      .summary = "Put up a shelf.",
      .help = "It is empty at first.",
      .role = ALLOY_MEMBER,
      .flags = ALLOY_CREATES,
      .params = create_input,
      .answer = &shelf,
      .steps = { &toy_shelf_create },
      .location = "/shelves/{id}" },
    ALLOY_OPERATIONS_END
};
static const alloy_operation_t book_operations[] = {
    { .id = "book_get",
      .method = ALLOY_GET,
      .path = "/books/{book}",
      .tool = "get_book",
      .noun = "books",
      .summary = "Read a book",
      .role = ALLOY_VIEWER,
      .params = book_input,
      .answer = &toy_book_shape,
      .steps = { &toy_book_get } },
    { .id = "book_search",
      .method = ALLOY_GET,
      .path = "/books/search",
      .noun = "books",
      .summary = "Look for books.",
      .role = ALLOY_SIGNED_IN,
      .params = search_input,
      .answer = &toy_book_shape,
      .steps = { &toy_book_search } },
    { .id = "book_update",
      .method = ALLOY_PATCH,
      .path = "/books/{book}",
      .tool = "update_book",
      .noun = "books",
      .summary = "Change a book.",
      .role = ALLOY_MEMBER,
      .params = update_input,
      .answer = &toy_book_shape,
      .guarded = &toy_book_update,
      .own_note = "its owner",
      .refusals = update_refusals },
    { .id = "book_delete",
      .method = ALLOY_DELETE,
      .path = "/books/{book}",
      .noun = "books",
      .summary = "Burn a book.",
      .role = ALLOY_OWNER,
      .params = delete_input,
      .steps = { &toy_book_delete } },
    { .id = "book_lend",
      .method = ALLOY_POST,
      .path = "/books/{book}/lend",
      .noun = "books",
      .summary = "Lend a book.",
      .role = ALLOY_MEMBER,
      .flags = ALLOY_TRANSACTION,
      .params = book_input,
      .run = toy_run },
    { .id = "door",
      .method = ALLOY_GET,
      .path = "/door",
      .noun = "doors",
      .summary = "Is it open?",
      .role = ALLOY_PUBLIC,
      .run = toy_run },
    { .id = "cellar",
      .method = ALLOY_GET,
      .path = "/cellar",
      .noun = "doors",
      .summary = "Not for all.",
      .role = ALLOY_PUBLIC,
      .flags = ALLOY_HIDDEN,
      .run = toy_run },
    ALLOY_OPERATIONS_END
};
static const alloy_operation_t *const operations[] = { shelf_operations,
                                                       book_operations, NULL };

const alloy_plugin_t toy_plugin = { ALLOY_PLUGIN_INIT,
                                    .name = "toy",
                                    .schema = 1,
                                    .operations = operations,
                                    .statements = statement_tables,
                                    .problems = problems,
                                    .resources = resources };

/* ---- What the second plugin adds ----------------------------------------- */

static const char *const stamps[] = { "Red", "Blue", NULL };

static const alloy_field_t stamp_fields[] = {
    { "stamp", ALLOY_WORD, ALLOY_NULLABLE, "Its stamp.", stamps, NULL },
    ALLOY_FIELDS_END
};
static const alloy_param_t stamp_input[] = { { .name = "stamp",
                                               .type = ALLOY_WORD,
                                               .flags = ALLOY_NULLABLE,
                                               .words = stamps,
                                               .help = "Its stamp." },
                                             ALLOY_PARAMS_END };
static const alloy_extension_t on_get = { .operation = "book_get",
                                          .fields = stamp_fields,
                                          .read = &toy_stamp_read };
static const alloy_extension_t on_update = { .operation = "book_update",
                                             .params = stamp_input,
                                             .fields = stamp_fields,
                                             .write = &toy_stamp_write,
                                             .read = &toy_stamp_read };
static const alloy_extension_t *const extensions[] = { &on_get, &on_update,
                                                       NULL };
static const alloy_hook_t before_update = { .action = "book_update",
                                            .facts = &toy_stamp_count,
                                            .counts = 1,
                                            .before = toy_decide };
static const alloy_hook_t *const hooks[] = { &before_update, NULL };

const alloy_plugin_t toy_stamps = { ALLOY_PLUGIN_INIT, .name = "stamps",
                                    .extensions = extensions, .hooks = hooks };

alloy_registry_t *toy_registry(apr_pool_t *pool)
{
    static const alloy_plugin_t *const both[] = { &toy_plugin, &toy_stamps,
                                                  NULL };
    alloy_registry_t *registry;
    const char *fault = alloy_registry_make(&registry, both, pool);

    ck_assert_msg(fault == NULL, "%s", fault);
    return registry;
}

const char *toy_refusal(const alloy_plugin_t *plugin, apr_pool_t *pool)
{
    const alloy_plugin_t *const plugins[] = { &toy_plugin, plugin, NULL };
    alloy_registry_t *registry;
    const char *fault = alloy_registry_make(&registry, plugins, pool);

    ck_assert_int_eq(fault == NULL, registry != NULL);
    return fault;
}

const char *toy_row_refusal(const alloy_operation_t *row, apr_pool_t *pool)
{
    const alloy_operation_t table[] = { *row, ALLOY_OPERATIONS_END };
    const alloy_operation_t *const tables[] = { table, NULL };
    const alloy_plugin_t plugin = { ALLOY_PLUGIN_INIT, .name = "finance",
                                    .operations = tables };

    return toy_refusal(&plugin, pool);
}

alloy_operation_t toy_sound_row(const alloy_param_t *params)
{
    alloy_operation_t row = { .id = "time_log",
                              .method = ALLOY_POST,
                              .path = "/times",
                              .noun = "times",
                              .summary = "Log time.",
                              .role = ALLOY_MEMBER,
                              .params = params,
                              .run = toy_run };

    return row;
}
