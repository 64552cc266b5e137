/* Values: single ones, lists and objects, from JSON and from text. What the
 * database reads as json is written again from the checked values, so that it
 * sees canonical spellings and no key that was not declared.
 */
#include "value.h"
#include "check.h"
#include "limits.h"
#include "unique.h"

#include <string.h>

#include <apr_strings.h>

#define HALF_BOUND 4503599627370496.0   /* 2^52: a double still has halves */
#define HUNDREDTH_BOUND 1e13            /* and here thousandths */

static void read_json(alloy_reader_t *reader, alloy_value_t *value,
                      const alloy_param_t *param, const alloy_json_t *json);

/* ---- Places --------------------------------------------------------------- */

/* A key as a part of a JSON pointer (RFC 6901, section 3). */
static const char *point_at(const char *parent, const char *key,
                            apr_pool_t *pool)
{
    char *text, *at;

    if (!key[strcspn(key, "~/")]) {
        return apr_pstrcat(pool, parent, "/", key, NULL);
    }
    text = at = apr_palloc(pool, 2 * strlen(key) + 1);
    for (; *key; key++) {
        if (*key == '~' || *key == '/') {
            *at++ = '~';
        }
        *at++ = *key == '~' ? '0' : *key == '/' ? '1' : *key;
    }
    *at = '\0';
    return apr_pstrcat(pool, parent, "/", text, NULL);
}

/* ---- Single values ------------------------------------------------------ */

static const char *name_of(const alloy_json_t *json)
{
    static const char *const names[] = {
        [ALLOY_JSON_NULL] = "null",
        [ALLOY_JSON_BOOL] = "true or false",
        [ALLOY_JSON_INT] = "a number",
        [ALLOY_JSON_REAL] = "a number with a decimal point",
        [ALLOY_JSON_TEXT] = "a string",
        [ALLOY_JSON_ARRAY] = "an array",
        [ALLOY_JSON_MAP] = "an object"
    };

    return names[alloy_json_type(json)];
}

static int object_to_type(alloy_check_t *check, const char *wanted,
                          const alloy_json_t *json)
{
    return alloy_check_object(check, "type", "This must be %s, not %s.",
                              wanted, name_of(json));
}

static int check_bool(alloy_check_t *check, const alloy_json_t *json)
{
    if (alloy_json_type(json) != ALLOY_JSON_BOOL) {
        return object_to_type(check, "true or false", json);
    }
    check->number = alloy_json_true(json);
    check->text = check->number ? "true" : "false";
    return 1;
}

static int check_int(alloy_check_t *check, const alloy_json_t *json)
{
    if (alloy_json_type(json) != ALLOY_JSON_INT) {
        return object_to_type(check, "a whole number", json);
    }
    check->number = alloy_json_int(json);
    return alloy_check_number(check);
}

static int check_half(alloy_check_t *check, const alloy_json_t *json)
{
    alloy_json_e type = alloy_json_type(json);
    double number = 2 * alloy_json_real(json);

    if (type != ALLOY_JSON_INT && type != ALLOY_JSON_REAL) {
        return object_to_type(check, "a number", json);
    }
    if (number < -HALF_BOUND || number > HALF_BOUND
        || number != (double)(apr_int64_t)number) {
        return alloy_check_object(check, "type", "This must be a number in "
                                  "steps of one half, such as 2.5.");
    }
    check->number = (apr_int64_t)number;
    return alloy_check_number(check);
}

/* What was written with two decimals is no exact double. */
static int check_hundredth(alloy_check_t *check, const alloy_json_t *json)
{
    alloy_json_e type = alloy_json_type(json);
    double number = 100 * alloy_json_real(json);
    int fits = number > -HUNDREDTH_BOUND && number < HUNDREDTH_BOUND;

    if (type != ALLOY_JSON_INT && type != ALLOY_JSON_REAL) {
        return object_to_type(check, "a number", json);
    }
    check->number = (apr_int64_t)(fits ? number + (number < 0 ? -0.5 : 0.5) : 0);
    number -= (double)check->number;
    return number > -0.001 && number < 0.001 ? alloy_check_number(check)
        : alloy_check_object(check, "type", "This must be a number of two "
                             "decimals at most, such as 1.25.");
}

static int check_single(alloy_check_t *check, const alloy_json_t *json)
{
    switch (check->param->type) {
    case ALLOY_BOOL:
        return check_bool(check, json);
    case ALLOY_INT:
        return check_int(check, json);
    case ALLOY_HALF:
        return check_half(check, json);
    case ALLOY_HUNDREDTH:
        return check_hundredth(check, json);
    default:
        break;
    }
    if (alloy_json_type(json) != ALLOY_JSON_TEXT) {
        return object_to_type(check, "a string", json);
    }
    check->text = alloy_json_text(json, NULL);
    return alloy_check_text(check);
}

static void take(alloy_reader_t *reader, alloy_value_t *value,
                 const alloy_check_t *check, int accepted)
{
    if (!accepted) {
        alloy_reader_fault(reader, value->where, check->code, check->detail,
                           check->allowed);
        return;
    }
    value->text = check->text;
    value->number = check->number;
}

static void read_single_text(alloy_reader_t *reader, alloy_value_t *value,
                             const alloy_param_t *param, const char *text)
{
    alloy_check_t check = {
        .param = param, .pool = reader->pool, .text = text
    };

    value->given = 1;
    take(reader, value, &check, alloy_check_text(&check));
}

static void read_single(alloy_reader_t *reader, alloy_value_t *value,
                        const alloy_param_t *param, const alloy_json_t *json)
{
    alloy_check_t check = { .param = param, .pool = reader->pool };

    take(reader, value, &check, check_single(&check, json));
}

/* ---- Lists and objects -------------------------------------------------- */

static void make_items(alloy_value_t *value, int count, apr_pool_t *pool)
{
    value->count = count;
    value->items = apr_pcalloc(pool, sizeof(*value->items)
                               * ((apr_size_t)count + 1));
}

static apr_int64_t most_items(const alloy_param_t *param)
{
    if (param->type != ALLOY_LIST) {
        return ALLOY_MANY_LIMIT;
    }
    return param->most ? param->most : ALLOY_ARRAY_LIMIT;
}

static int check_count(alloy_reader_t *reader, const alloy_value_t *value,
                       const alloy_param_t *param, apr_size_t count)
{
    apr_int64_t least = param->type == ALLOY_LIST ? param->least : 0;
    apr_int64_t most = most_items(param);
    int few = (apr_int64_t)count < least;

    if (!few && (apr_int64_t)count <= most) {
        return 1;
    }
    alloy_reader_fault(reader, value->where, few ? "too_few" : "too_many",
                       apr_psprintf(reader->pool, "This has %" APR_SIZE_T_FMT
                                    " entries and %s %" APR_INT64_T_FMT ".",
                                    count, few ? "needs at least"
                                               : "may have at most",
                                    few ? least : most), NULL);
    return 0;
}

static void read_array(alloy_reader_t *reader, alloy_value_t *value,
                       const alloy_param_t *param, const alloy_json_t *json)
{
    apr_size_t count = alloy_json_count(json);
    int i;

    if (!check_count(reader, value, param, count)) {
        return;
    }
    make_items(value, (int)count, reader->pool);
    for (i = 0; i < value->count && !alloy_reader_full(reader); i++) {
        value->items[i].where = apr_psprintf(reader->pool, "%s/%d",
                                             value->where, i);
        read_json(reader, &value->items[i], alloy_value_element(param),
                  alloy_json_at(json, (apr_size_t)i));
    }
    alloy_unique_check(reader, value, alloy_value_element(param));
    alloy_value_retext(value, param, reader->pool);
}

static void read_list(alloy_reader_t *reader, alloy_value_t *value,
                      const alloy_param_t *param, const alloy_json_t *json)
{
    alloy_check_t check = { .param = param, .pool = reader->pool };

    if (alloy_json_type(json) != ALLOY_JSON_ARRAY) {
        take(reader, value, &check, object_to_type(&check, "an array", json));
        return;
    }
    read_array(reader, value, param, json);
}

static int knows_inner(const void *baton, const char *key)
{
    const alloy_param_t *inner = baton;

    while (inner->name && strcmp(inner->name, key)) {
        inner++;
    }
    return inner->name != NULL;
}

static void read_members(alloy_reader_t *reader, alloy_value_t *value,
                         const alloy_param_t *param, const alloy_json_t *json)
{
    int i, count = 0;

    while (param->inner[count].name) {
        count++;
    }
    make_items(value, count, reader->pool);
    alloy_value_check_keys(reader, json, value->where, knows_inner,
                           param->inner);
    for (i = 0; i < count; i++) {
        alloy_value_read_member(reader, &value->items[i], &param->inner[i],
                                json, value->where);
    }
    alloy_value_retext(value, param, reader->pool);
}

static void read_object(alloy_reader_t *reader, alloy_value_t *value,
                        const alloy_param_t *param, const alloy_json_t *json)
{
    alloy_check_t check = { .param = param, .pool = reader->pool };

    if (alloy_json_type(json) != ALLOY_JSON_MAP) {
        take(reader, value, &check, object_to_type(&check, "an object", json));
        return;
    }
    if (!param->inner) {
        value->text = alloy_json_write(json, reader->pool);
        return;
    }
    read_members(reader, value, param, json);
}

/* One value stands for a list of one where the parameter is repeatable. */
static void read_one_of_many(alloy_reader_t *reader, alloy_value_t *value,
                             const alloy_param_t *param,
                             const alloy_json_t *json)
{
    make_items(value, 1, reader->pool);
    value->items->where = value->where;
    value->items->given = 1;
    read_single(reader, value->items, param, json);
    alloy_value_retext(value, param, reader->pool);
}

/* Elements of a repeatable parameter come here with its own row: an array in
 * an array falls through to the single values, which refuse it. */
static void read_value(alloy_reader_t *reader, alloy_value_t *value,
                       const alloy_param_t *param, const alloy_json_t *json)
{
    if (param->type == ALLOY_LIST) {
        read_list(reader, value, param, json);
    }
    else if (param->type == ALLOY_OBJECT) {
        read_object(reader, value, param, json);
    }
    else {
        read_single(reader, value, param, json);
    }
}

static void read_json(alloy_reader_t *reader, alloy_value_t *value,
                      const alloy_param_t *param, const alloy_json_t *json)
{
    value->given = 1;
    value->json = json;
    if (alloy_json_type(json) != ALLOY_JSON_NULL) {
        read_value(reader, value, param, json);
    }
    else if (!(param->flags & ALLOY_NULLABLE)) {
        alloy_reader_fault(reader, value->where, "null", "This must not be "
                           "null. Leave the key out, or give it a value.",
                           NULL);
    }
}

/* ---- What param.c asks for ---------------------------------------------- */

void alloy_value_read_texts(alloy_reader_t *reader, alloy_value_t *value,
                            const alloy_param_t *param,
                            const char *const *texts, int count)
{
    int i;

    value->given = 1;
    if (!check_count(reader, value, param, (apr_size_t)count)) {
        return;
    }
    make_items(value, count, reader->pool);
    for (i = 0; i < count; i++) {
        value->items[i].where = value->where;
        read_single_text(reader, &value->items[i], alloy_value_element(param),
                         texts[i]);
    }
    alloy_value_retext(value, param, reader->pool);
}

void alloy_value_read_text(alloy_reader_t *reader, alloy_value_t *value,
                           const alloy_param_t *param, const char *text)
{
    if (param->type == ALLOY_LIST || (param->flags & ALLOY_MANY)) {
        alloy_value_read_texts(reader, value, param, &text, 1);
        return;
    }
    read_single_text(reader, value, param, text);
}

void alloy_value_read_none(alloy_reader_t *reader, alloy_value_t *value,
                           const alloy_param_t *param)
{
    if (param->flags & ALLOY_REQUIRED) {
        alloy_reader_fault(reader, value->where, "required",
                           "This is required.", NULL);
        return;
    }
    if (!param->fallback) {
        return;
    }
    if (param->type == ALLOY_LIST || param->type == ALLOY_OBJECT) {
        value->text = param->fallback;
        return;
    }
    alloy_value_read_text(reader, value, param, param->fallback);
    value->given = 0;
}

void alloy_value_read_member(alloy_reader_t *reader, alloy_value_t *value,
                             const alloy_param_t *param,
                             const alloy_json_t *map, const char *parent)
{
    const alloy_json_t *json = map ? alloy_json_get(map, param->name) : NULL;

    value->where = point_at(parent, param->name, reader->pool);
    if (!json) {
        alloy_value_read_none(reader, value, param);
        return;
    }
    if (!(param->flags & ALLOY_MANY)
        || alloy_json_type(json) == ALLOY_JSON_NULL) {
        read_json(reader, value, param, json);
        return;
    }
    value->given = 1;
    value->json = json;
    (alloy_json_type(json) == ALLOY_JSON_ARRAY
     ? read_array : read_one_of_many)(reader, value, param, json);
}

typedef struct {
    alloy_reader_t *reader;
    const char *parent;
    alloy_knows_fn *knows;
    const void *baton;
} keys_t;

static int check_key(void *baton, const char *key, const alloy_json_t *json)
{
    keys_t *keys = baton;

    if (!keys->knows(keys->baton, key)) {
        alloy_reader_fault(keys->reader,
                           point_at(keys->parent, key, keys->reader->pool),
                           "unknown", "There is no such key here. Take it out, "
                           "or check its spelling.", NULL);
    }
    return !alloy_reader_full(keys->reader);
}

void alloy_value_check_keys(alloy_reader_t *reader, const alloy_json_t *map,
                            const char *parent, alloy_knows_fn *knows,
                            const void *baton)
{
    keys_t keys = { reader, parent, knows, baton };

    alloy_json_each(map, check_key, &keys);
}
