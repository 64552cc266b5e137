/* Writing JSON: the stream, escaping against a slow and simple writer, and
 * rows from results made by hand in PostgreSQL's binary format.
 */
#include "suite.h"

#include "../mod_alloy/core/json.h"
#include "../mod_alloy/core/output.h"

#include <string.h>

#include <apr_strings.h>
#include <libpq-fe.h>

/* A cell as a string literal with its length; NULL bytes: SQL's NULL. */
typedef struct {
    const char *name;
    unsigned oid;
    const char *bytes;
    int length;
} cell_t;

#define CELL(name, oid, bytes) { name, oid, bytes, (int)sizeof(bytes) - 1 }

static apr_pool_t *pool;
static alloy_out_t *out;

static void setup(void)
{
    apr_pool_create(&pool, NULL);
    out = alloy_out_make(pool, 0);
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

static const char *written(void)
{
    return apr_pstrmemdup(pool, out->bytes, out->length);
}

START_TEST(commas_are_the_writers)
{
    alloy_out_begin(out, '{');
    alloy_out_key(out, "a\"");
    alloy_out_begin(out, '[');
    alloy_out_int(out, 1);
    alloy_out_text(out, NULL);
    alloy_out_begin(out, '{');
    alloy_out_end(out);
    alloy_out_bool(out, 1);
    alloy_out_json(out, "{\"x\":1}");
    alloy_out_end(out);
    alloy_out_key(out, "b");
    alloy_out_text(out, "\t");
    alloy_out_key(out, "c");
    alloy_out_bool(out, 0);
    alloy_out_end(out);
    ck_assert_str_eq(written(), "{\"a\\\"\":[1,null,{},true,{\"x\":1}],"
                     "\"b\":\"\\t\",\"c\":false}");
}
END_TEST

START_TEST(integers_are_exact)
{
    alloy_out_begin(out, '[');
    alloy_out_int(out, 0);
    alloy_out_int(out, -1);
    alloy_out_int(out, 1234567890);
    alloy_out_int(out, APR_INT64_MAX);
    alloy_out_int(out, APR_INT64_MIN);
    alloy_out_end(out);
    ck_assert_str_eq(written(), "[0,-1,1234567890,9223372036854775807,"
                     "-9223372036854775808]");
}
END_TEST

/* Every character at every place of a word of eight bytes. */
START_TEST(every_byte_is_escaped_wherever_it_is)
{
    int byte, place;

    for (byte = 1; byte < 0x80; byte++) {
        for (place = 0; place < 20; place++) {
            char text[32] = "abcdefgh\xc3\xa9ijklmnopqr";
            const alloy_json_t *value;

            text[place] = (char)byte;
            if (place == 8 || place == 9) {
                continue;
            }
            out->length = 0;
            alloy_out_text(out, text);
            ck_assert_ptr_null(alloy_json_parse(&value, out->bytes,
                                                out->length, pool));
            ck_assert_str_eq(alloy_json_text(value, NULL), text);
            ck_assert_uint_eq(out->length, strlen(text) + 2
                              + (byte == '"' || byte == '\\' ? 1u
                                 : byte >= 0x20 ? 0u
                                 : strchr("\b\t\n\f\r", byte) ? 1u : 5u));
        }
    }
}
END_TEST

START_TEST(long_texts_grow_the_buffer)
{
    char *text = apr_palloc(pool, 100001);
    const alloy_json_t *value;
    int i;

    for (i = 0; i < 100000; i++) {
        text[i] = (char)(1 + i % 127);
    }
    text[100000] = '\0';
    alloy_out_text(out, text);
    ck_assert_ptr_null(alloy_json_parse(&value, out->bytes, out->length,
                                        pool));
    ck_assert_str_eq(alloy_json_text(value, NULL), text);
}
END_TEST

START_TEST(too_deep_or_unbalanced_is_no_memory_error)
{
    int i;

    for (i = 0; i < ALLOY_OUT_DEPTH + 5; i++) {
        alloy_out_begin(out, '[');
        alloy_out_int(out, i);
    }
    for (i = 0; i < ALLOY_OUT_DEPTH + 8; i++) {
        alloy_out_end(out);
    }
    ck_assert_int_eq(out->depth, 0);
}
END_TEST

START_TEST(instants_are_written)
{
    alloy_out_instant(out, APR_INT64_C(1774944000123456));
    ck_assert_str_eq(written(), "2026-03-31T08:00:00.123456Z");
}
END_TEST

/* ---- Rows --------------------------------------------------------------- */

static const alloy_result_t *make_result(const cell_t *cells, int count)
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc *columns = apr_pcalloc(pool, sizeof(*columns)
                                        * (apr_size_t)count);
    int i;

    for (i = 0; i < count; i++) {
        columns[i].name = apr_pstrdup(pool, cells[i].name);
        columns[i].typid = cells[i].oid;
        columns[i].format = 1;
    }
    ck_assert(PQsetResultAttrs(result, count, columns));
    for (i = 0; i < count; i++) {
        ck_assert(PQsetvalue(result, 0, i, (char *)cells[i].bytes,
                             cells[i].bytes ? cells[i].length : -1));
    }
    return alloy_result_of(result, pool);
}

static const alloy_field_t fields[] = {
    { .name = "id", .type = ALLOY_UUID },
    { .name = "title", .type = ALLOY_TEXT },
    { .name = "small", .type = ALLOY_INT },
    { .name = "number", .type = ALLOY_INT },
    { .name = "big", .type = ALLOY_INT },
    { .name = "points", .type = ALLOY_HALF },
    { .name = "done", .type = ALLOY_BOOL },
    { .name = "due", .type = ALLOY_DATE, .flags = ALLOY_NULLABLE },
    { .name = "at", .type = ALLOY_INSTANT },
    { .name = "names", .type = ALLOY_LIST },
    { .name = "ids", .type = ALLOY_LIST },
    { .name = "json", .type = ALLOY_JSON },
    { .name = "binary", .type = ALLOY_JSON },
    { .name = "closed_at", .type = ALLOY_INSTANT, .flags = ALLOY_NULLABLE },
    { .name = "nothing", .type = ALLOY_TEXT, .flags = ALLOY_NULLABLE },
    { .name = "secret", .type = ALLOY_TEXT, .flags = ALLOY_ANSWERED },
    ALLOY_FIELDS_END
};
static const alloy_shape_t shape = { "Thing", fields };

#define ID "\x01\x98\xc0\xde\x7a\xbc\x7d\xef\x81\x23\x45\x67\x89\xab\xcd\xef"
#define ID_TEXT "0198c0de-7abc-7def-8123-456789abcdef"

static const cell_t cells[] = {
    CELL("_at", 1184, "\0\0\0\0\0\0\0\0"),
    CELL("id", 2950, ID),
    CELL("title", 25, "a \"b\" \xc3\xa9"),
    CELL("small", 21, "\xff\xfe"),
    CELL("number", 23, "\x00\x01\x00\x00"),
    CELL("big", 20, "\x80\x00\x00\x00\x00\x00\x00\x00"),
    CELL("points", 23, "\x00\x00\x00\x05"),
    CELL("done", 16, "\x01"),
    CELL("due", 1082, "\x00\x00\x25\x80"),
    CELL("at", 1184, "\x00\x00\x00\x00\x00\x00\x00\x01"),
    CELL("names", 1009, "\0\0\0\1" "\0\0\0\1" "\0\0\0\x19" "\0\0\0\3"
         "\0\0\0\1" "\0\0\0\3a,b" "\xff\xff\xff\xff" "\0\0\0\0"),
    CELL("ids", 2951, "\0\0\0\1" "\0\0\0\0" "\0\0\x0b\x86" "\0\0\0\1"
         "\0\0\0\1" "\0\0\0\x10" ID),
    CELL("json", 114, "{\"a\" : 1}"),
    CELL("binary", 3802, "\x01[1, 2]"),
    { "closed_at", 1184, NULL, 0 },
    CELL("unasked", 25, "x"),
};
#define CELLS ((int)(sizeof(cells) / sizeof(cells[0])))

START_TEST(rows_are_written_in_the_order_of_the_shape)
{
    const alloy_result_t *result = make_result(cells, CELLS);
    const alloy_mapping_t *mapping = alloy_out_map(result, &shape, pool);
    static const alloy_field_t few[] = {
        { .name = "title", .type = ALLOY_TEXT },
        { .name = "points", .type = ALLOY_HALF },
        { .name = "nothing", .flags = ALLOY_NULLABLE },
        ALLOY_FIELDS_END
    };
    static const alloy_shape_t part = { "Part", few };
    static const alloy_shape_t empty = { "Empty", &few[3] };

    alloy_out_begin(out, '[');
    alloy_out_mapped(out, result, 0, mapping);
    alloy_out_mapped(out, result, 0, alloy_out_map(result, &part, pool));
    alloy_out_mapped(out, result, 0, alloy_out_map(result, &empty, pool));
    alloy_out_end(out);
    ck_assert_str_eq(written(), "[{\"id\":\"" ID_TEXT "\","
        "\"title\":\"a \\\"b\\\" \xc3\xa9\",\"small\":-2,\"number\":65536,"
        "\"big\":-9223372036854775808,\"points\":2.5,\"done\":true,"
        "\"due\":\"2026-04-14\",\"at\":\"2000-01-01T00:00:00.000001Z\","
        "\"names\":[\"a,b\",null,\"\"],\"ids\":[\"" ID_TEXT "\"],"
        "\"json\":{\"a\":1},\"binary\":[1,2],\"closed_at\":null,"
        "\"nothing\":null},"
        "{\"title\":\"a \\\"b\\\" \xc3\xa9\",\"points\":2.5,\"nothing\":null},"
        "{}]");
}
END_TEST

START_TEST(members_join_the_object_that_is_open)
{
    static const alloy_field_t one[] = {
        { .name = "number", .type = ALLOY_INT }, ALLOY_FIELDS_END
    };
    static const alloy_shape_t part = { "Part", one };
    static const alloy_shape_t empty = { "Empty", &one[1] };
    const alloy_result_t *result = make_result(cells, CELLS);
    const alloy_mapping_t *mapping = alloy_out_map(result, &part, pool);

    alloy_out_begin(out, '{');
    alloy_out_members(out, result, 0, alloy_out_map(result, &empty, pool));
    alloy_out_members(out, result, 0, mapping);
    alloy_out_key(out, "x");
    alloy_out_begin(out, '{');
    alloy_out_key(out, "y");
    alloy_out_int(out, 1);
    alloy_out_members(out, result, 0, mapping);
    alloy_out_end(out);
    alloy_out_end(out);
    ck_assert_str_eq(written(), "{\"number\":65536,"
                     "\"x\":{\"y\":1,\"number\":65536}}");
}
END_TEST

START_TEST(hundredths_are_numbers_with_two_decimals)
{
    static const cell_t some[] = {
        CELL("a", 20, "\0\0\0\0\0\0\0\x85"), CELL("b", 23, "\xff\xff\xff\xce"),
        CELL("c", 21, "\x01\x2c"), CELL("d", 21, "\xff\xff"),
        CELL("e", 20, "\x80\0\0\0\0\0\0\0"), { "f", 20, NULL, 0 },
    };
    static const alloy_field_t named[] = {
        { .name = "a", .type = ALLOY_HUNDREDTH },
        { .name = "b", .type = ALLOY_HUNDREDTH },
        { .name = "c", .type = ALLOY_HUNDREDTH },
        { .name = "d", .type = ALLOY_HUNDREDTH },
        { .name = "e", .type = ALLOY_HUNDREDTH },
        { .name = "f", .type = ALLOY_HUNDREDTH }, ALLOY_FIELDS_END
    };
    static const alloy_shape_t numbers = { "Numbers", named };
    const alloy_result_t *result = make_result(some, 6);

    alloy_out_mapped(out, result, 0, alloy_out_map(result, &numbers, pool));
    ck_assert_str_eq(written(), "{\"a\":1.33,\"b\":-0.5,\"c\":3,\"d\":-0.01,"
                     "\"e\":-92233720368547758.08,\"f\":null}");
}
END_TEST

START_TEST(cells_read_as_text)
{
    static const char *const texts[] = {
        "2000-01-01T00:00:00.000000Z", ID_TEXT, "a \"b\" \xc3\xa9", "-2",
        "65536", "-9223372036854775808", "5", "t", "2026-04-14",
        "2000-01-01T00:00:00.000001Z", "{\"a,b\",NULL,\"\"}",
        "{" ID_TEXT "}", "{\"a\" : 1}", "[1, 2]", NULL, "x"
    };
    const alloy_result_t *result = make_result(cells, CELLS);
    int i;

    for (i = 0; i < CELLS; i++) {
        ck_assert_pstr_eq(alloy_out_cell_text(result, 0, i, pool), texts[i]);
    }
}
END_TEST

START_TEST(odd_values_are_written_as_null_or_what_they_are)
{
    static const cell_t odd[] = {
        CELL("id", 600, "0123456789abcdef"),            /* a point */
        CELL("at", 1184, "\x7f\xff\xff\xff\xff\xff\xff\xff"),
        CELL("due", 1082, "\x80\x00\x00\x00"),
        CELL("title", 20000, "Enum"),
        CELL("points", 21, "\xff\xff"),
        CELL("names", 1009, "\0\0\0\0" "\0\0\0\0" "\0\0\0\x19"),
        CELL("ids", 2951, "\0\0\0\2" "\0\0\0\0" "\0\0\x0b\x86"
             "\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1" "\0\0\0\x10" ID),
        CELL("json", 17, "\x00\xff"),                   /* bytea */
        CELL("big", 1009, "\0\0\0\1" "\0\0\0\0" "\0\0\0\x19" "\0\0\0\1"
             "\0\0\0\1" "\0\0\0\x7f" "x"),              /* cut off */
    };
    const alloy_result_t *result = make_result(odd, 9);

    alloy_out_mapped(out, result, 0, alloy_out_map(result, &shape, pool));
    ck_assert_str_eq(written(), "{\"id\":null,\"title\":\"Enum\","
        "\"small\":null,\"number\":null,\"big\":[null],\"points\":-0.5,"
        "\"done\":null,\"due\":null,\"at\":null,\"names\":[],\"ids\":null,"
        "\"json\":null,\"binary\":null,\"closed_at\":null,\"nothing\":null}");
    ck_assert_str_eq(alloy_out_cell_text(result, 0, 1, pool), "infinity");
    ck_assert_str_eq(alloy_out_cell_text(result, 0, 2, pool), "-infinity");
    ck_assert_str_eq(alloy_out_cell_text(result, 0, 5, pool), "{}");
    ck_assert_str_eq(alloy_out_cell_text(result, 0, 7, pool), "\\x00ff");
    ck_assert_ptr_null(alloy_out_cell_text(result, 0, 0, pool));
}
END_TEST

static Suite *output_suite(void)
{
    Suite *suite = suite_create("output");
    TCase *tests = tcase_create("output");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, commas_are_the_writers);
    tcase_add_test(tests, integers_are_exact);
    tcase_add_test(tests, every_byte_is_escaped_wherever_it_is);
    tcase_add_test(tests, long_texts_grow_the_buffer);
    tcase_add_test(tests, too_deep_or_unbalanced_is_no_memory_error);
    tcase_add_test(tests, instants_are_written);
    tcase_add_test(tests, rows_are_written_in_the_order_of_the_shape);
    tcase_add_test(tests, members_join_the_object_that_is_open);
    tcase_add_test(tests, hundredths_are_numbers_with_two_decimals);
    tcase_add_test(tests, cells_read_as_text);
    tcase_add_test(tests, odd_values_are_written_as_null_or_what_they_are);
    suite_add_tcase(suite, tests);
    return suite;
}

ALLOY_SUITE(output_suite);
