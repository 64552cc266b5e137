/* Input: where parameters are read from, what each type takes, and that every
 * fault is found at its place.
 */
#include "suite.h"

#include "../mod_alloy/core/limits.h"
#include "../mod_alloy/core/param.h"

#include <string.h>

#include <apr_strings.h>

static const char *const priorities[] = { "High", "Medium", "Low", NULL };
static const char *const urgencies[] = { "Urgent", "High", NULL };

static const alloy_param_t status_inner[] = {
    { .name = "name", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED,
      .least = 1, .most = 20 },
    { .name = "level", .type = ALLOY_WORD, .words = priorities,
      .fallback = "Medium" },
    { .name = "points", .type = ALLOY_HALF, .flags = ALLOY_NULLABLE },
    { .name = "labels", .type = ALLOY_LIST,
      .inner = &(const alloy_param_t){ .name = "label", .type = ALLOY_REF } },
    { .name = "final", .type = ALLOY_BOOL },
    ALLOY_PARAMS_END
};
static const alloy_param_t status_row = {
    .name = "status", .type = ALLOY_OBJECT, .inner = status_inner
};
static const alloy_param_t label_row = { .name = "label", .type = ALLOY_REF };

static const alloy_param_t rows[] = {
    { .name = "title", .type = ALLOY_TEXT, .least = 1, .most = 5 },
    { .name = "notes", .type = ALLOY_TEXT,
      .flags = ALLOY_NULLABLE | ALLOY_MULTILINE },
    { .name = "count", .type = ALLOY_INT, .least = 1, .most = 10 },
    { .name = "any", .type = ALLOY_INT },
    { .name = "done", .type = ALLOY_BOOL },
    { .name = "id", .type = ALLOY_UUID },
    { .name = "due", .type = ALLOY_DATE, .flags = ALLOY_NULLABLE },
    { .name = "at", .type = ALLOY_INSTANT },
    { .name = "priority", .type = ALLOY_WORD, .words = priorities,
      .aliases = urgencies, .fallback = "medium" },
    { .name = "assignee_id", .type = ALLOY_REF, .flags = ALLOY_NULLABLE },
    { .name = "points", .type = ALLOY_HALF, .most = 1000 },
    { .name = "labels", .type = ALLOY_LIST, .most = 3, .inner = &label_row },
    { .name = "statuses", .type = ALLOY_LIST, .least = 1,
      .inner = &status_row },
    { .name = "free", .type = ALLOY_OBJECT },
    { .name = "email", .type = ALLOY_TEXT, .format = &alloy_format_email },
    { .name = "password", .type = ALLOY_TEXT, .flags = ALLOY_SECRET,
      .least = 8, .most = 100, .format = &alloy_format_slug },
    { .name = "dry_run", .type = ALLOY_BOOL, .flags = ALLOY_IN_QUERY },
    { .name = "hours", .type = ALLOY_HUNDREDTH, .most = 24 },
};
#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

static const alloy_param_t must[] = {
    { .name = "title", .type = ALLOY_TEXT, .flags = ALLOY_REQUIRED },
    { .name = "reason", .type = ALLOY_TEXT, .flags = ALLOY_IN_BODY },
    { .name = "q", .type = ALLOY_TEXT },
    { .name = "level", .type = ALLOY_WORD, .flags = ALLOY_MANY,
      .words = priorities },
    { .name = "who", .type = ALLOY_REF, .flags = ALLOY_MANY },
};
#define MUST ((int)(sizeof(must) / sizeof(must[0])))

static apr_pool_t *pool;
static alloy_value_t *values;
static alloy_paging_t paging;
static const char *segments[ROWS];
static int paged;

static void setup(void)
{
    apr_pool_create(&pool, NULL);
    memset(segments, 0, sizeof(segments));
    paged = 0;
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

static alloy_problem_t *read_rows(const alloy_param_t *table, int count,
                                  int reads_body, const char *query,
                                  const char *body)
{
    const alloy_param_t *params[ROWS];
    alloy_input_t input = { params, count, reads_body, segments, query };
    int i;

    for (i = 0; i < count; i++) {
        params[i] = &table[i];
    }
    input.paged = paged;
    if (body) {
        ck_assert_ptr_null(alloy_json_parse(&input.body, body, strlen(body),
                                            pool));
    }
    return alloy_params_read(&values, &paging, &input, pool);
}

static alloy_problem_t *read_body(const char *body)
{
    return read_rows(rows, ROWS, 1, NULL, body);
}

static const alloy_value_t *value_of(const char *name)
{
    int i = 0;

    while (strcmp(rows[i].name, name)) {
        i++;
    }
    return &values[i];
}

/* The body is taken, and NAME reads as TEXT. */
static const alloy_value_t *takes(const char *body, const char *name,
                                  const char *text)
{
    alloy_problem_t *problem = read_body(body);
    const alloy_value_t *value = value_of(name);

    ck_assert_msg(!problem, "%s: %s", body, problem ? problem->detail : "");
    ck_assert_int_eq(value->given, 1);
    ck_assert_pstr_eq(value->text, text);
    return value;
}

static const alloy_fault_t *find_fault(const alloy_problem_t *problem,
                                       const char *where)
{
    const alloy_fault_t *fault = problem->faults;

    while (fault && strcmp(fault->where, where)) {
        fault = fault->next;
    }
    return fault;
}

/* Exactly one fault, at WHERE, of CODE. */
static const alloy_fault_t *has_fault(const alloy_problem_t *problem,
                                      const char *where, const char *code)
{
    const alloy_fault_t *fault;

    ck_assert_msg(problem != NULL, "%s %s: no problem", where, code);
    ck_assert_ptr_eq(problem->kind, &alloy_validation_failed);
    fault = find_fault(problem, where);
    ck_assert_msg(fault != NULL, "%s: %s", where, problem->detail);
    ck_assert_str_eq(fault->code, code);
    ck_assert_int_eq(problem->nfaults, 1);
    ck_assert_int_eq(fault->detail[strlen(fault->detail) - 1], '.');
    return fault;
}

static const alloy_fault_t *refuses(const char *body, const char *where,
                                    const char *code)
{
    return has_fault(read_body(body), where, code);
}

START_TEST(absent_is_not_given)
{
    ck_assert_ptr_null(read_body(NULL));
    ck_assert_int_eq(value_of("title")->given, 0);
    ck_assert_ptr_null(value_of("title")->text);
    ck_assert_str_eq(value_of("title")->where, "/title");
    ck_assert_int_eq(value_of("priority")->given, 0);
    ck_assert_str_eq(value_of("priority")->text, "Medium");
    ck_assert_ptr_null(read_body("{}"));
}
END_TEST

START_TEST(null_clears_what_may_be_null)
{
    takes("{\"notes\":null}", "notes", NULL);
    takes("{\"due\":null}", "due", NULL);
    refuses("{\"title\":null}", "/title", "null");
    refuses("{\"labels\":null}", "/labels", "null");
    refuses("{\"labels\":[null]}", "/labels/0", "null");
}
END_TEST

START_TEST(texts_are_counted_in_characters)
{
    takes("{\"title\":\"\xc3\xa9\xf0\x9f\x98\x80\\u00e9xx\"}", "title",
          "\xc3\xa9\xf0\x9f\x98\x80\xc3\xa9xx");
    takes("{\"title\":\" x \"}", "title", " x ");
    takes("{\"notes\":\"\"}", "notes", "");
    takes("{\"notes\":\"a\\n\\tb\\r\\n\"}", "notes", "a\n\tb\r\n");
    refuses("{\"title\":\"123456\"}", "/title", "too_long");
    refuses("{\"title\":\"\"}", "/title", "too_short");
    refuses("{\"title\":\" \\u00a0\"}", "/title", "blank");
    refuses("{\"title\":5}", "/title", "type");
    refuses("{\"title\":[\"x\"]}", "/title", "type");
    refuses("{\"title\":{}}", "/title", "type");
    refuses("{\"title\":true}", "/title", "type");
}
END_TEST

START_TEST(unseen_characters_are_refused)
{
    static const char *const lines[] = {
        "\\n", "\\t", "\\r", "\\u0001", "\\u001f", "\\u007f", "\\u0085",
        "\\u202a", "\\u202e", "\\u2066", "\\u2069", "\\u200b", "\\u200e",
        "\\u200f", "\\ufeff", "\\u2028"
    };
    apr_size_t i;

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        refuses(apr_pstrcat(pool, "{\"title\":\"a", lines[i], "\"}", NULL),
                "/title", "characters");
    }
    takes("{\"title\":\"a\\u200db\"}", "title", "a\xe2\x80\x8d" "b");
    takes("{\"notes\":\"\\u200f\"}", "notes", "\xe2\x80\x8f");
    refuses("{\"notes\":\"\\u0007\"}", "/notes", "characters");
    refuses("{\"assignee_id\":\"a\\nb\"}", "/assignee_id", "characters");
}
END_TEST

START_TEST(numbers_are_whole_and_in_range)
{
    ck_assert(takes("{\"count\":10}", "count", "10")->number == 10);
    takes("{\"any\":-9223372036854775808}", "any", "-9223372036854775808");
    takes("{\"any\":0}", "any", "0");
    refuses("{\"count\":0}", "/count", "too_small");
    refuses("{\"count\":11}", "/count", "too_large");
    refuses("{\"count\":1.0}", "/count", "type");
    refuses("{\"count\":\"5\"}", "/count", "type");
    refuses("{\"count\":true}", "/count", "type");
    ck_assert(takes("{\"done\":true}", "done", "true")->number == 1);
    ck_assert(takes("{\"done\":false}", "done", "false")->number == 0);
    refuses("{\"done\":1}", "/done", "type");
    refuses("{\"done\":\"true\"}", "/done", "type");
}
END_TEST

START_TEST(halves_are_kept_doubled)
{
    ck_assert(takes("{\"points\":3}", "points", "6")->number == 6);
    ck_assert(takes("{\"points\":2.5}", "points", "5")->number == 5);
    ck_assert(takes("{\"points\":2.0}", "points", "4")->number == 4);
    takes("{\"points\":1000}", "points", "2000");
    takes("{\"points\":0}", "points", "0");
    refuses("{\"points\":1000.5}", "/points", "too_large");
    refuses("{\"points\":-0.5}", "/points", "too_small");
    refuses("{\"points\":2.25}", "/points", "type");
    takes("{\"hours\":0.57}", "hours", "57");
    refuses("{\"hours\":24.01}", "/hours", "too_large");
    refuses("{\"hours\":0.125}", "/hours", "type");
    refuses("{\"points\":1e300}", "/points", "type");
    refuses("{\"points\":\"3\"}", "/points", "type");
}
END_TEST

START_TEST(forms_become_canonical)
{
    takes("{\"id\":\"0198C0DE-7ABC-7def-8123-456789ABCDEF\"}", "id",
          "0198c0de-7abc-7def-8123-456789abcdef");
    refuses("{\"id\":\"0198c0de\"}", "/id", "format");
    takes("{\"due\":\"2028-02-29\"}", "due", "2028-02-29");
    refuses("{\"due\":\"2026-02-29\"}", "/due", "format");
    takes("{\"at\":\"2026-04-01T01:00:00+02:00\"}", "at",
          "2026-03-31T23:00:00.000000Z");
    refuses("{\"at\":\"2026-04-01\"}", "/at", "format");
    takes("{\"email\":\"a@B.C\"}", "email", "a@b.c");
    refuses("{\"email\":\"a\"}", "/email", "format");
    takes("{\"assignee_id\":\"0198C0DE-7ABC-7def-8123-456789ABCDEF\"}",
          "assignee_id", "0198c0de-7abc-7def-8123-456789abcdef");
    takes("{\"assignee_id\":\"Ann B\"}", "assignee_id", "Ann B");
    refuses("{\"assignee_id\":\"\"}", "/assignee_id", "too_short");
    refuses("{\"assignee_id\":7}", "/assignee_id", "type");
}
END_TEST

START_TEST(words_fit_in_any_letter_case)
{
    const alloy_fault_t *fault;

    takes("{\"priority\":\"LOW\"}", "priority", "Low");
    takes("{\"priority\":\"urgent\"}", "priority", "High");
    fault = refuses("{\"priority\":\"Lowest\"}", "/priority", "not_allowed");
    ck_assert_ptr_eq(fault->allowed, priorities);
    ck_assert_str_eq(fault->detail,
                     "\"Lowest\" is not one of High, Medium, Low.");
    refuses("{\"priority\":\"\"}", "/priority", "not_allowed");
}
END_TEST

START_TEST(secrets_are_not_repeated)
{
    const alloy_fault_t *fault = refuses("{\"password\":\"Hunter 2!!\"}",
                                         "/password", "format");

    ck_assert_ptr_null(strstr(fault->detail, "unter"));
}
END_TEST

START_TEST(lists_become_array_literals)
{
    const alloy_value_t *value = takes("{\"labels\":[\"bug\",\"a, b\","
                                       "\"q\\\"\\\\\"]}", "labels",
                                       "{bug,\"a, b\",\"q\\\"\\\\\"}");

    ck_assert_int_eq(value->count, 3);
    ck_assert_str_eq(value->items[1].text, "a, b");
    ck_assert_str_eq(value->items[1].where, "/labels/1");
    takes("{\"labels\":[]}", "labels", "{}");
    takes("{\"labels\":[\"NULL\",\"{}\"]}", "labels", "{\"NULL\",\"{}\"}");
    refuses("{\"labels\":[\"a\",\"b\",\"c\",\"d\"]}", "/labels", "too_many");
    refuses("{\"labels\":\"bug\"}", "/labels", "type");
    refuses("{\"labels\":[\"a\",5]}", "/labels/1", "type");
    refuses("{\"statuses\":[]}", "/statuses", "too_few");
}
END_TEST

START_TEST(objects_become_checked_json)
{
    const alloy_value_t *value;

    takes("{\"statuses\":[{\"name\":\"A\\\"\",\"level\":\"LOW\","
          "\"points\":1.5,\"final\":true,\"labels\":[\"x\"]},"
          "{\"name\":\"B\",\"points\":null}]}", "statuses",
          "[{\"name\":\"A\\\"\",\"level\":\"Low\",\"points\":3,"
          "\"labels\":[\"x\"],\"final\":true},"
          "{\"name\":\"B\",\"level\":\"Medium\",\"points\":null}]");
    value = takes("{\"free\":{ \"b\":[1, {}], \"a\":null }}", "free",
                  "{\"b\":[1,{}],\"a\":null}");
    ck_assert_ptr_nonnull(value->json);
    refuses("{\"free\":[]}", "/free", "type");
    refuses("{\"statuses\":[{\"name\":\"A\"},{\"level\":\"Low\"}]}",
            "/statuses/1/name", "required");
    refuses("{\"statuses\":[{\"name\":\"A\",\"nome\":1}]}",
            "/statuses/0/nome", "unknown");
    refuses("{\"statuses\":[{\"name\":\"A\",\"labels\":[7]}]}",
            "/statuses/0/labels/0", "type");
    refuses("{\"statuses\":[[]]}", "/statuses/0", "type");
}
END_TEST

START_TEST(texts_are_made_anew_from_items)
{
    alloy_value_t *value;

    takes("{\"labels\":[\"bug\",\"ui\"]}", "labels", "{bug,ui}");
    value = (alloy_value_t *)value_of("labels");
    value->items[0].text = "id 1";
    alloy_value_retext(value, &rows[11], pool);
    ck_assert_str_eq(value->text, "{\"id 1\",ui}");

    takes("{\"statuses\":[{\"name\":\"A\"}]}", "statuses",
          "[{\"name\":\"A\",\"level\":\"Medium\"}]");
    value = (alloy_value_t *)value_of("statuses");
    value->items[0].items[0].text = "Z";
    alloy_value_retext(value, &rows[12], pool);
    ck_assert_str_eq(value->text, "[{\"name\":\"Z\",\"level\":\"Medium\"}]");
}
END_TEST

START_TEST(unknown_keys_are_pointed_at)
{
    refuses("{\"titel\":\"x\"}", "/titel", "unknown");
    refuses("{\"a/b~c\":1}", "/a~1b~0c", "unknown");
    refuses("{\"\":1}", "/", "unknown");
    refuses("{\"dry_run\":true}", "/dry_run", "unknown");
    refuses("[]", "", "type");
    refuses("\"x\"", "", "type");
}
END_TEST

START_TEST(all_faults_come_at_once)
{
    alloy_problem_t *problem = read_rows(rows, ROWS, 1, "x=1&dry_run=maybe",
        "{\"title\":\"\",\"count\":99,\"zzz\":1,\"labels\":[1,2]}");

    ck_assert_int_eq(problem->nfaults, 7);
    ck_assert_ptr_nonnull(strstr(problem->detail, "7 values"));
    ck_assert_ptr_nonnull(find_fault(problem, "/title"));
    ck_assert_ptr_nonnull(find_fault(problem, "/count"));
    ck_assert_ptr_nonnull(find_fault(problem, "/zzz"));
    ck_assert_ptr_nonnull(find_fault(problem, "/labels/0"));
    ck_assert_ptr_nonnull(find_fault(problem, "/labels/1"));
    ck_assert_ptr_nonnull(find_fault(problem, "x"));
    ck_assert_ptr_nonnull(find_fault(problem, "dry_run"));
}
END_TEST

START_TEST(faults_are_limited)
{
    const char *body = "{\"k\":1";
    alloy_problem_t *problem;
    int i;

    for (i = 0; i < 80; i++) {
        body = apr_psprintf(pool, "%s,\"k%d\":1", body, i);
    }
    problem = read_body(apr_pstrcat(pool, body, "}", NULL));
    ck_assert_int_eq(problem->nfaults, ALLOY_FAULTS_LIMIT);
    ck_assert_ptr_nonnull(strstr(problem->detail, "At least"));
}
END_TEST

START_TEST(queries_have_their_own_forms)
{
    ck_assert_ptr_null(read_rows(rows, ROWS, 0, "count=7&done=1&points=2.50"
                                 "&title=a+b&due=2026-04-01&labels=x"
                                 "&labels=y%2Cz&any=-0012", NULL));
    ck_assert_str_eq(value_of("count")->text, "7");
    ck_assert_str_eq(value_of("done")->text, "true");
    ck_assert(value_of("done")->number == 1);
    ck_assert_str_eq(value_of("points")->text, "5");
    ck_assert_str_eq(value_of("title")->text, "a b");
    ck_assert_str_eq(value_of("title")->where, "title");
    ck_assert_str_eq(value_of("labels")->text, "{x,\"y,z\"}");
    ck_assert_str_eq(value_of("any")->text, "-12");
    has_fault(read_rows(rows, ROWS, 0, "count=7&count=8", NULL), "count",
              "repeated");
    has_fault(read_rows(rows, ROWS, 0, "cuont=7", NULL), "cuont", "unknown");
    has_fault(read_rows(rows, ROWS, 0, "count=", NULL), "count", "type");
    has_fault(read_rows(rows, ROWS, 0, "count=1e1", NULL), "count", "type");
    has_fault(read_rows(rows, ROWS, 0, "any=9223372036854775808", NULL),
              "any", "type");
    has_fault(read_rows(rows, ROWS, 0, "points=2.51", NULL), "points", "type");
    has_fault(read_rows(rows, ROWS, 0, "done=yes", NULL), "done", "type");
    ck_assert_ptr_nonnull(strstr(has_fault(read_rows(rows, ROWS, 0,
        "at=2026-04-01T08:00:00+02:00", NULL), "at", "format")->detail,
        "%2B"));
    ck_assert_ptr_nonnull(strstr(has_fault(read_rows(rows, ROWS, 1, "title=x",
        NULL), "title", "unknown")->detail, "body"));
    ck_assert_ptr_eq(read_rows(rows, ROWS, 0, "title=%ff", NULL)->kind,
                     &alloy_bad_request);
}
END_TEST

START_TEST(flags_say_where_a_parameter_is)
{
    ck_assert_ptr_null(read_rows(must, MUST, 0, "title=x",
                                 "{\"reason\":\"y\"}"));
    ck_assert_str_eq(values[1].text, "y");
    ck_assert_str_eq(values[1].where, "/reason");
    ck_assert_ptr_null(read_rows(rows, ROWS, 1, "dry_run=true", NULL));
    ck_assert_str_eq(value_of("dry_run")->text, "true");
    has_fault(read_rows(must, MUST, 0, NULL, NULL), "title", "required");
    has_fault(read_rows(must, MUST, 1, NULL, "{}"), "/title", "required");
    has_fault(read_rows(must, MUST, 1, NULL, NULL), "/title", "required");
}
END_TEST

START_TEST(repeatable_parameters_are_lists)
{
    char many[8 * (ALLOY_MANY_LIMIT + 1) + 16] = "title=x";
    int i;

    ck_assert_ptr_null(read_rows(must, MUST, 0, "title=x&level=low&level=HIGH"
                                 "&who=me", NULL));
    ck_assert_str_eq(values[3].text, "{Low,High}");
    ck_assert_int_eq(values[3].count, 2);
    ck_assert_str_eq(values[4].text, "{me}");
    has_fault(read_rows(must, MUST, 0, "title=x&level=low&level=odd", NULL),
              "level", "not_allowed");
    ck_assert_ptr_null(read_rows(must, MUST, 1, NULL, "{\"title\":\"x\","
                                 "\"level\":\"low\",\"who\":[\"a\",\"b\"]}"));
    ck_assert_str_eq(values[3].text, "{Low}");
    ck_assert_str_eq(values[4].text, "{a,b}");
    has_fault(read_rows(must, MUST, 1, NULL,
                        "{\"title\":\"x\",\"who\":[[\"a\"]]}"),
              "/who/0", "type");
    for (i = 0; i < ALLOY_MANY_LIMIT + 1; i++) {
        apr_cpystrn(many + strlen(many), "&who=a", 8);
    }
    has_fault(read_rows(must, MUST, 0, many, NULL), "who", "too_many");
}
END_TEST

START_TEST(paths_are_read_or_lead_nowhere)
{
    segments[0] = "WEB";
    segments[8] = "urgent";
    ck_assert_ptr_null(read_rows(rows, ROWS, 1, NULL, NULL));
    ck_assert_str_eq(values[0].text, "WEB");
    ck_assert_str_eq(values[8].text, "High");
    has_fault(read_rows(rows, ROWS, 1, NULL, "{\"title\":\"x\"}"), "/title",
              "unknown");
    segments[8] = NULL;
    segments[5] = "no-id";
    ck_assert_ptr_eq(read_rows(rows, ROWS, 1, NULL, "{\"zz\":1}")->kind,
                     &alloy_not_found);
    segments[5] = NULL;
    segments[9] = "\xff";
    ck_assert_ptr_eq(read_rows(rows, ROWS, 1, NULL, NULL)->kind,
                     &alloy_not_found);
}
END_TEST

START_TEST(pages_understand_limit_and_cursor)
{
    has_fault(read_rows(rows, ROWS, 0, "limit=5", NULL), "limit", "unknown");
    paged = 1;
    ck_assert_ptr_null(read_rows(rows, ROWS, 0, NULL, NULL));
    ck_assert_int_eq(paging.limit, ALLOY_PAGE_DEFAULT);
    ck_assert_ptr_null(paging.cursor);
    ck_assert_ptr_null(read_rows(rows, ROWS, 0, "limit=200&cursor=abc", NULL));
    ck_assert_int_eq(paging.limit, 200);
    ck_assert_str_eq(paging.cursor, "abc");
    ck_assert_ptr_null(read_rows(rows, ROWS, 1, NULL,
                                 "{\"limit\":7,\"cursor\":\"x\"}"));
    ck_assert_int_eq(paging.limit, 7);
    has_fault(read_rows(rows, ROWS, 0, "limit=0", NULL), "limit", "too_small");
    has_fault(read_rows(rows, ROWS, 0, "limit=201", NULL), "limit",
              "too_large");
    has_fault(read_rows(rows, ROWS, 0, "limit=x", NULL), "limit", "type");
    has_fault(read_rows(rows, ROWS, 0, "limit=1&limit=2", NULL), "limit",
              "repeated");
    has_fault(read_rows(rows, ROWS, 0, "cursor=", NULL), "cursor",
              "too_short");
}
END_TEST

START_TEST(single_texts_are_checked_by_a_row)
{
    const char *value = "urgent";

    ck_assert_ptr_null(alloy_param_check_text(&rows[8], &value, pool));
    ck_assert_str_eq(value, "High");
    value = "x";
    ck_assert_ptr_nonnull(alloy_param_check_text(&rows[8], &value, pool));
    ck_assert_str_eq(value, "x");
}
END_TEST

START_TEST(lists_tell_their_elements_apart)
{
    static const alloy_param_t inner[] = {
        { .name = "key", .type = ALLOY_TEXT,
          .flags = ALLOY_REQUIRED | ALLOY_UNIQUE },
        { .name = "value", .type = ALLOY_TEXT },
        ALLOY_PARAMS_END
    };
    static const alloy_param_t element = {
        .name = "tag", .type = ALLOY_OBJECT, .inner = inner
    };
    static const alloy_param_t table[] = {
        { .name = "tags", .type = ALLOY_LIST, .inner = &element }
    };
    alloy_problem_t *problem = read_rows(table, 1, 1, NULL,
        "{\"tags\":[{\"key\":\"a\",\"value\":\"1\"},{\"key\":\"b\","
        "\"value\":\"1\"},{\"key\":\"a\"},{\"key\":\"A\"},{},7]}");

    ck_assert_int_eq(problem->nfaults, 3);
    ck_assert_str_eq(find_fault(problem, "/tags/2/key")->code, "repeated");
    ck_assert_str_eq(find_fault(problem, "/tags/4/key")->code, "required");
    ck_assert_str_eq(find_fault(problem, "/tags/5")->code, "type");
    ck_assert_ptr_null(read_rows(table, 1, 1, NULL,
        "{\"tags\":[{\"key\":\"a\"},{\"key\":\"A\"}]}"));
}
END_TEST

static Suite *param_suite(void)
{
    const TTest *const all[] = {
        absent_is_not_given, null_clears_what_may_be_null,
        texts_are_counted_in_characters, unseen_characters_are_refused,
        numbers_are_whole_and_in_range, halves_are_kept_doubled,
        forms_become_canonical, words_fit_in_any_letter_case,
        secrets_are_not_repeated, lists_become_array_literals,
        objects_become_checked_json, texts_are_made_anew_from_items,
        unknown_keys_are_pointed_at, all_faults_come_at_once,
        faults_are_limited, queries_have_their_own_forms,
        flags_say_where_a_parameter_is, repeatable_parameters_are_lists,
        paths_are_read_or_lead_nowhere, pages_understand_limit_and_cursor,
        single_texts_are_checked_by_a_row, lists_tell_their_elements_apart
    };
    Suite *suite = suite_create("param");
    TCase *tests = tcase_create("param");
    apr_size_t i;

    tcase_add_checked_fixture(tests, setup, teardown);
    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tcase_add_test(tests, all[i]);
    }
    suite_add_tcase(suite, tests);
    return suite;
}

ALLOY_SUITE(param_suite);
