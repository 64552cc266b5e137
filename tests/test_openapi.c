/* /openapi.json: that it is JSON, that it is always the same, and that it says
 * what the table says, down to the schemas.
 */
#include "suite.h"

#include <stdlib.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_strings.h>

#include "../mod_alloy/core/json.h"
#include "../mod_alloy/core/openapi.h"
#include "../mod_alloy/core/output.h"
#include "toy.h"

static apr_pool_t *pool;
static const alloy_json_t *document;

static const char *write_document(void)
{
    return alloy_openapi_write(toy_registry(pool), "https://alloy.test/api/v1",
                               "1.2.3", pool);
}

static const alloy_json_t *parse(const char *text)
{
    const alloy_json_t *value = NULL;
    alloy_problem_t *problem = alloy_json_parse(&value, text, strlen(text),
                                                pool);

    ck_assert_msg(problem == NULL, "no JSON: %s",
                  problem ? problem->detail : "");
    return value;
}

static void set_up(void)
{
    apr_pool_create(&pool, NULL);
    alloy_json_init();
    document = parse(write_document());
}

static void tear_down(void)
{
    apr_pool_destroy(pool);
}

/* What stands at PATH, keys and indexes parted by blanks; NULL: nothing. */
static const alloy_json_t *at(const char *path)
{
    const alloy_json_t *value = document;
    char *rest = apr_pstrdup(pool, path);
    char *key;

    while (value && (key = apr_strtok(rest, " ", &rest))) {
        value = alloy_json_type(value) == ALLOY_JSON_ARRAY
                    ? alloy_json_at(value, (apr_size_t)apr_atoi64(key))
                    : alloy_json_get(value, key);
        if (!rest) {
            break;
        }
    }
    return value;
}

static void expect(const char *path, const char *json)
{
    const alloy_json_t *value = at(path);

    ck_assert_msg(value != NULL, "nothing at %s", path);
    ck_assert_str_eq(alloy_json_write(value, pool), json);
}

#define BOOKS "paths /books/{book} "
#define SHELVES "paths /orgs/{org}/shelves "

START_TEST(same_table_same_bytes)
{
    ck_assert_str_eq(write_document(), write_document());
}
END_TEST

START_TEST(head_says_what_it_is)
{
    expect("openapi", "\"3.1.1\"");
    expect("info title", "\"Alloy\"");
    expect("info version", "\"1.2.3\"");
    expect("info license identifier", "\"Apache-2.0\"");
    expect("servers", "[{\"url\":\"https://alloy.test/api/v1\"}]");
    expect("security", "[{\"bearer\":[]}]");
    expect("components securitySchemes bearer scheme", "\"bearer\"");
    expect("tags 0 name", "\"shelves\"");
    expect("tags 2 name", "\"doors\"");
    ck_assert_uint_eq(alloy_json_count(at("tags")), 3);
}
END_TEST

START_TEST(operations_are_under_their_paths)
{
    expect(BOOKS "get operationId", "\"book_get\"");
    expect(BOOKS "get summary", "\"Read a book\"");
    expect(BOOKS "delete summary", "\"Burn a book\"");
    expect(BOOKS "patch tags", "[\"books\"]");
    expect(BOOKS "patch x-role", "\"Member\"");
    expect(BOOKS "patch x-tool", "\"update_book\"");
    expect("paths /books/search get x-role", "\"signed_in\"");
    expect("paths /door get security", "[]");
    expect("paths /door get x-role", "\"public\"");
    ck_assert_ptr_null(at(BOOKS "get security"));
    ck_assert_ptr_null(at("paths /door get x-tool"));
    ck_assert_ptr_null(at("paths /cellar"));
}
END_TEST

START_TEST(descriptions_tell_who_may_and_what_is_refused)
{
    expect(BOOKS "patch description",
           "\"Needs the role Member or a higher one; open to its owner as "
           "well. An API key needs the scope `books:write`. Sending `kind` "
           "needs the role Admin.\\n\\nIt is refused with:\\n\\n"
           "- 423 `lent`: Somebody has the book; wait.\"");
    expect(BOOKS "delete description",
           "\"Needs the role Owner. An API key needs the scope `admin`.\"");
    expect(SHELVES "get description",
           "\"Needs the role Viewer or a higher one. An API key needs the "
           "scope `shelves:read`.\"");
    expect("paths /door get description", "\"Needs no token.\"");
}
END_TEST

START_TEST(parameters_stand_where_they_are_read)
{
    expect(SHELVES "get parameters 0 name", "\"org\"");
    expect(SHELVES "get parameters 0 in", "\"path\"");
    expect(SHELVES "get parameters 0 required", "true");
    expect(SHELVES "get parameters 1 in", "\"query\"");
    expect(SHELVES "get parameters 1 schema",
           "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"enum\":"
           "[\"Novel\",\"Poetry\"]},\"maxItems\":100}");
    expect(SHELVES "get parameters 2 name", "\"fields\"");
    expect(SHELVES "get parameters 3 name", "\"limit\"");
    expect(SHELVES "get parameters 4 name", "\"cursor\"");
    ck_assert_uint_eq(alloy_json_count(at(SHELVES "get parameters")), 5);
    expect(BOOKS "patch parameters 1 name", "\"dry_run\"");
    expect(BOOKS "patch parameters 2 name", "\"If-Match\"");
    expect(BOOKS "patch parameters 2 in", "\"header\"");
    ck_assert_uint_eq(alloy_json_count(at(BOOKS "patch parameters")), 3);
    expect(BOOKS "get parameters 0 schema",
           "{\"type\":\"string\",\"format\":\"uuid\"}");
    expect("paths /books/search get parameters 0 required", "true");
    expect("paths /books/search get parameters 1 schema default", "\"Novel\"");
    ck_assert_ptr_null(at("paths /books/search get parameters 1 required"));
}
END_TEST

START_TEST(bodies_are_strict)
{
    expect(SHELVES "post requestBody required", "true");
    expect(SHELVES "post requestBody content application/json schema",
           "{\"$ref\":\"#/components/schemas/shelf_create\"}");
    expect("components schemas shelf_create required", "[\"name\"]");
    expect("components schemas shelf_create additionalProperties", "false");
    expect("components schemas shelf_create properties books",
           "{\"type\":\"array\",\"maxItems\":20,\"items\":{\"type\":"
           "\"object\",\"additionalProperties\":false,\"properties\":{"
           "\"title\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":80,"
           "\"description\":\"Its title.\"},\"pages\":{\"type\":\"integer\","
           "\"format\":\"int64\",\"minimum\":1,\"maximum\":9999}},"
           "\"required\":[\"title\"]},"
           "\"description\":\"What stands on it.\"}");
    ck_assert_ptr_null(at("components schemas shelf_create properties org"));
    ck_assert_ptr_null(at(BOOKS "patch requestBody required"));
    ck_assert_ptr_nonnull(at(BOOKS "patch requestBody content "
                                   "application/merge-patch+json schema"));
    expect(BOOKS "delete requestBody required", "true");
    expect("components schemas book_delete properties confirm writeOnly",
           "true");
    ck_assert_ptr_null(at("paths /books/{book}/lend post requestBody"));
}
END_TEST

START_TEST(values_have_their_limits)
{
    expect("components schemas book_update properties shelf",
           "{\"type\":[\"string\",\"null\"],\"minLength\":1,"
           "\"maxLength\":500,\"description\":\"Where it stands. An id, or a "
           "key or name.\"}");
    expect("components schemas book_update properties weight",
           "{\"type\":\"number\",\"multipleOf\":0.5,\"minimum\":1,"
           "\"maximum\":41,\"default\":1.5,"
           "\"description\":\"In pounds.\"}");
    expect("components schemas book_update properties kind enum",
           "[\"Novel\",\"Poetry\",null]");
    expect("components schemas shelf_create properties name format",
           "\"name\"");
    /* added by the other plugin */
    expect("components schemas book_update properties stamp enum",
           "[\"Red\",\"Blue\",null]");
}
END_TEST

START_TEST(answers_are_pages_arrays_objects_or_nothing)
{
    expect(SHELVES "get responses 200 content application/json schema "
                   "properties items",
           "{\"type\":\"array\",\"items\":"
           "{\"$ref\":\"#/components/schemas/Shelf\"}}");
    expect(SHELVES "get responses 200 content application/json schema "
                   "required",
           "[\"items\",\"next_cursor\",\"has_more\"]");
    expect("paths /books/search get responses 200 content application/json "
           "schema type",
           "\"array\"");
    expect(BOOKS "get responses 200 content application/json schema",
           "{\"$ref\":\"#/components/schemas/Book\"}");
    ck_assert_ptr_nonnull(at(SHELVES "post responses 201 headers Location"));
    ck_assert_ptr_nonnull(at(SHELVES "post responses 200 content"));
    ck_assert_ptr_null(at(SHELVES "post responses 200 headers Location"));
    ck_assert_ptr_nonnull(at(BOOKS "delete responses 204"));
    /* what would be removed, when it is only tried */
    ck_assert_ptr_nonnull(at(BOOKS "delete responses 200 content"));
    ck_assert_ptr_nonnull(at(BOOKS "get responses 304"));
    ck_assert_ptr_null(at(BOOKS "get responses 304 content"));
    ck_assert_ptr_null(at(SHELVES "get responses 304"));
    ck_assert_ptr_null(at(BOOKS "delete responses 204 content"));
    ck_assert_ptr_nonnull(at("paths /door get responses 200"));
    ck_assert_ptr_nonnull(at(BOOKS "get responses 200 headers X-Request-Id"));
}
END_TEST

START_TEST(shapes_are_open_and_named)
{
    expect("components schemas Book properties reader",
           "{\"anyOf\":[{\"$ref\":\"#/components/schemas/Person\"},"
           "{\"type\":\"null\"}],\"description\":\"Who has it.\"}");
    expect("components schemas Book properties authors",
           "{\"type\":\"array\",\"items\":"
           "{\"$ref\":\"#/components/schemas/Person\"},"
           "\"description\":\"Who wrote it.\"}");
    expect("components schemas Book properties owner",
           "{\"$ref\":\"#/components/schemas/Person\","
           "\"description\":\"Who bought it.\"}");
    expect("components schemas Book properties shelf_id",
           "{\"type\":[\"string\",\"null\"],\"format\":\"uuid\","
           "\"description\":\"Where it stands.\"}");
    expect("components schemas Book properties extra", "{}");
    expect("components schemas Book properties tags items",
           "{\"type\":\"string\"}");
    ck_assert_ptr_null(at("components schemas Book additionalProperties"));
    /* the search does not answer the stamp, so nobody may rely on it */
    ck_assert_ptr_nonnull(at("components schemas Book properties stamp"));
    expect("components schemas Book required",
           "[\"id\",\"shelf_id\",\"kind\",\"lent_at\",\"weight\",\"tags\","
           "\"reader\",\"authors\",\"owner\"]");
}
END_TEST

START_TEST(failures_are_those_that_can_happen)
{
    expect(BOOKS "get responses 404",
           "{\"$ref\":\"#/components/responses/NotFound\"}");
    expect(BOOKS "patch responses 423",
           "{\"$ref\":\"#/components/responses/Status423\"}");
    ck_assert_ptr_nonnull(at(BOOKS "patch responses 415"));
    ck_assert_ptr_null(at(BOOKS "get responses 415"));
    ck_assert_ptr_null(at(BOOKS "get responses 423"));
    ck_assert_ptr_null(at("paths /door get responses 401"));
    ck_assert_ptr_null(at("paths /door get responses 404"));
    ck_assert_ptr_nonnull(at("paths /door get responses 422"));
    ck_assert_ptr_nonnull(at(SHELVES "get responses 410"));
    ck_assert_ptr_nonnull(at(BOOKS "patch responses 412"));
    ck_assert_ptr_null(at(SHELVES "post responses 412"));
    ck_assert_ptr_null(at("components responses PreconditionRequired"));
    ck_assert_ptr_nonnull(at(BOOKS "get responses 406"));
    ck_assert_ptr_nonnull(at("components responses Unauthorized headers "
                             "WWW-Authenticate"));
    expect("components responses Status423 description",
           "\"One of these problems:\\n\\n- `lent`: The book is lent\"");
    expect("components responses NotFound content application/problem+json "
           "schema",
           "{\"$ref\":\"#/components/schemas/Problem\"}");
}
END_TEST

START_TEST(tools_get_schemas_of_one_piece)
{
    alloy_out_t *out = alloy_out_make(pool, 0);
    const char *text;

    alloy_schema_shape(out, &toy_book_shape);
    alloy_out_raw(out, "", 1);
    text = out->bytes;
    ck_assert_ptr_null(strstr(text, "$ref"));
    document = parse(text);
    expect("properties reader type", "[\"object\",\"null\"]");
    expect("properties authors items required", "[\"id\",\"name\"]");
    out = alloy_out_make(pool, 0);
    alloy_schema_param(out, &toy_plugin.operations[0][1].params[1]);
    alloy_out_raw(out, "", 1);
    document = parse(out->bytes);
    expect("maxLength", "40");
    expect("description", "\"What it is called.\"");
}
END_TEST

/* For a look at the document, and for linters: ALLOY_OPENAPI names a file. */
START_TEST(document_can_be_looked_at)
{
    const char *name = getenv("ALLOY_OPENAPI");
    const char *text = write_document();
    apr_size_t length = strlen(text);
    apr_file_t *file;

    if (!name) {
        return;
    }
    ck_assert_int_eq(apr_file_open(&file, name,
                                   APR_WRITE | APR_CREATE | APR_TRUNCATE,
                                   APR_OS_DEFAULT, pool),
                     APR_SUCCESS);
    ck_assert_int_eq(apr_file_write_full(file, text, length, NULL),
                     APR_SUCCESS);
    apr_file_close(file);
}
END_TEST

static Suite *openapi_suite(void)
{
    Suite *suite = suite_create("openapi");
    TCase *tests = tcase_create("openapi");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, same_table_same_bytes);
    tcase_add_test(tests, head_says_what_it_is);
    tcase_add_test(tests, operations_are_under_their_paths);
    tcase_add_test(tests, descriptions_tell_who_may_and_what_is_refused);
    tcase_add_test(tests, parameters_stand_where_they_are_read);
    tcase_add_test(tests, bodies_are_strict);
    tcase_add_test(tests, values_have_their_limits);
    tcase_add_test(tests, answers_are_pages_arrays_objects_or_nothing);
    tcase_add_test(tests, shapes_are_open_and_named);
    tcase_add_test(tests, failures_are_those_that_can_happen);
    tcase_add_test(tests, tools_get_schemas_of_one_piece);
    tcase_add_test(tests, document_can_be_looked_at);
    suite_add_tcase(suite, tests);
    return suite;
}

ALLOY_SUITE(openapi_suite);
