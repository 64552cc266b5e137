/* Rows of a database's answer as JSON, straight from the binary format
 * (PostgreSQL 15, chapter 55.7 and src/backend/utils/adt's send functions):
 * big-endian integers, 16 bytes of a uuid, microseconds since 2000.
 */
#include "cell.h"
#include "id.h"
#include "log.h"
#include "param.h"

#include <string.h>

#include <apr_strings.h>

#define FIXED_ROOM 64           /* bytes, more than a fixed-size value takes */
#define FIRST_USER_TYPE 16384   /* OIDs of enums and of extensions' types */
#define ARRAY_HEADER 12         /* dimensions, null flag, element type */
#define ARRAY_DIMENSION 8       /* length, lower bound */

/* Append a value in JSON. FIXED_ROOM bytes are free when it is called. */
typedef void write_fn(alloy_out_t *out, const char *bytes, int length);

/* The same as text of a PostgreSQL parameter. */
typedef const char *text_fn(const char *bytes, int length, apr_pool_t *pool);

typedef struct {
    unsigned oid;
    write_fn *write;
    text_fn *text;
} type_t;

typedef struct {
    const char *key;            /* ,"name":  without an end */
    int key_length;
    int column;                 /* -1: always null */
    write_fn *write;
} slot_t;

struct alloy_mapping_t {
    int count;
    int last;                   /* column found; -1: none yet */
    slot_t *slots;
};

static const type_t *find_type(unsigned oid);

apr_size_t alloy_int_write(char *text, apr_int64_t value)
{
    apr_uint64_t rest = value < 0 ? 0 - (apr_uint64_t)value
                                  : (apr_uint64_t)value;
    char digits[ALLOY_INT_SIZE];
    char *at = digits + sizeof(digits);
    apr_size_t length;

    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0) {
        *--at = '-';
    }
    length = (apr_size_t)(digits + sizeof(digits) - at);
    memcpy(text, at, length);
    return length;
}

/* ---- Values ------------------------------------------------------------- */

/* Big-endian two's complement of 1, 2, 4 or 8 bytes. */
static apr_int64_t read_int(const char *bytes, int length)
{
    apr_uint64_t value = *bytes & 0x80 ? ~APR_UINT64_C(0) : 0;
    int i;

    for (i = 0; i < length; i++) {
        value = (value << 8) | (unsigned char)bytes[i];
    }
    return (apr_int64_t)value;
}

static void write_null(alloy_out_t *out, const char *bytes, int length)
{
    alloy_out_raw(out, "null", 4);
}

static void write_int(alloy_out_t *out, const char *bytes, int length)
{
    out->length += alloy_int_write(out->bytes + out->length,
                                   read_int(bytes, length));
}

/* A number kept doubled: 5 is 2.5. */
static void write_half(alloy_out_t *out, const char *bytes, int length)
{
    apr_int64_t doubled = read_int(bytes, length);

    if (doubled == -1) {
        alloy_out_raw(out, "-0.5", 4);
        return;
    }
    out->length += alloy_int_write(out->bytes + out->length, doubled / 2);
    if (doubled % 2) {
        alloy_out_raw(out, ".5", 2);
    }
}

/* A number kept times one hundred: 133 is 1.33, -50 is -0.5. */
static void write_hundredth(alloy_out_t *out, const char *bytes, int length)
{
    apr_int64_t kept = read_int(bytes, length);
    apr_uint64_t size = kept < 0 ? 0 - (apr_uint64_t)kept : (apr_uint64_t)kept;
    int rest = (int)(size % 100);

    alloy_out_raw(out, "-", kept < 0);
    alloy_out_reserve(out, FIXED_ROOM);
    out->length += alloy_int_write(out->bytes + out->length,
                                   (apr_int64_t)(size / 100));
    if (rest) {
        char digits[3] = { '.', (char)('0' + rest / 10),
                           (char)('0' + rest % 10) };

        alloy_out_raw(out, digits, rest % 10 ? 3 : 2);
    }
}

static void write_bool(alloy_out_t *out, const char *bytes, int length)
{
    alloy_out_raw(out, *bytes ? "true" : "false", *bytes ? 4 : 5);
}

static void write_uuid(alloy_out_t *out, const char *bytes, int length)
{
    char *at = out->bytes + out->length;
    alloy_id_t id;

    memcpy(id.bytes, bytes, ALLOY_ID_SIZE);
    at[0] = '"';
    alloy_id_format(&id, at + 1);
    at[1 + ALLOY_ID_TEXT] = '"';
    out->length += ALLOY_ID_TEXT + 2;
}

/* The infinities, and years of five digits, are no instant of RFC 3339. The
 * bounds keep the shift of the epoch from overflowing. */
static int format_instant(char *text, const char *bytes)
{
    const apr_int64_t bound = APR_INT64_C(1) << 62;
    apr_int64_t micros = read_int(bytes, 8);

    return micros > -bound && micros < bound
        && alloy_instant_write(text, micros
                               + ALLOY_DAYS_2000 * ALLOY_DAY_MICROS);
}

static int format_date(char *text, const char *bytes)
{
    return alloy_date_write(text, read_int(bytes, 4) + ALLOY_DAYS_2000);
}

static void write_quoted(alloy_out_t *out, int fits, int size)
{
    if (!fits) {
        alloy_out_raw(out, "null", 4);
        return;
    }
    out->bytes[out->length] = '"';
    out->bytes[out->length + 1 + size] = '"';
    out->length += size + 2;
}

static void write_instant(alloy_out_t *out, const char *bytes, int length)
{
    write_quoted(out, format_instant(out->bytes + out->length + 1, bytes),
                 ALLOY_INSTANT_SIZE);
}

static void write_date(alloy_out_t *out, const char *bytes, int length)
{
    write_quoted(out, format_date(out->bytes + out->length + 1, bytes),
                 ALLOY_DATE_SIZE);
}

static void write_text(alloy_out_t *out, const char *bytes, int length)
{
    alloy_out_string(out, bytes, (apr_size_t)length);
}

/* PostgreSQL's own blanks between keys and values are left out. */
static void write_json(alloy_out_t *out, const char *bytes, int length)
{
    const char *end = bytes + length;
    int quoted = 0;
    char *to;

    alloy_out_reserve(out, (apr_size_t)length);
    to = out->bytes + out->length;
    for (; bytes < end; bytes++) {
        if (quoted && *bytes == '\\' && bytes + 1 < end) {
            *to++ = *bytes++;
        }
        else if (*bytes == '"') {
            quoted = !quoted;
        }
        if (quoted || (*bytes != ' ' && *bytes != '\n')) {
            *to++ = *bytes;
        }
    }
    out->length = (apr_size_t)(to - out->bytes);
}

/* A byte with the version of the format stands before the text. */
static void write_jsonb(alloy_out_t *out, const char *bytes, int length)
{
    write_json(out, bytes + 1, length - 1);
}

static const char *text_int(const char *bytes, int length, apr_pool_t *pool)
{
    char digits[ALLOY_INT_SIZE];

    return apr_pstrmemdup(pool, digits,
                          alloy_int_write(digits, read_int(bytes, length)));
}

static const char *text_bool(const char *bytes, int length, apr_pool_t *pool)
{
    return *bytes ? "t" : "f";
}

static const char *text_uuid(const char *bytes, int length, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, ALLOY_ID_TEXT + 1);
    alloy_id_t id;

    memcpy(id.bytes, bytes, ALLOY_ID_SIZE);
    alloy_id_format(&id, text);
    return text;
}

/* What RFC 3339 can't write, PostgreSQL still reads. */
static const char *text_instant(const char *bytes, int length,
                                apr_pool_t *pool)
{
    char text[ALLOY_INSTANT_SIZE];

    if (!format_instant(text, bytes)) {
        return *bytes & 0x80 ? "-infinity" : "infinity";
    }
    return apr_pstrmemdup(pool, text, sizeof(text));
}

static const char *text_date(const char *bytes, int length, apr_pool_t *pool)
{
    char text[ALLOY_DATE_SIZE];

    if (!format_date(text, bytes)) {
        return *bytes & 0x80 ? "-infinity" : "infinity";
    }
    return apr_pstrmemdup(pool, text, sizeof(text));
}

static const char *text_text(const char *bytes, int length, apr_pool_t *pool)
{
    return apr_pstrmemdup(pool, bytes, (apr_size_t)length);
}

static const char *text_jsonb(const char *bytes, int length, apr_pool_t *pool)
{
    return apr_pstrmemdup(pool, bytes + 1, (apr_size_t)length - 1);
}

static const char *text_bytea(const char *bytes, int length, apr_pool_t *pool)
{
    static const char digits[] = "0123456789abcdef";
    char *text = apr_palloc(pool, 2 * (apr_size_t)length + 3);
    char *at = text;
    int i;

    *at++ = '\\';
    *at++ = 'x';
    for (i = 0; i < length; i++) {
        *at++ = digits[(unsigned char)bytes[i] >> 4];
        *at++ = digits[(unsigned char)bytes[i] & 0x0f];
    }
    *at = '\0';
    return text;
}

/* ---- Arrays ------------------------------------------------------------- */

typedef struct {
    const type_t *type;
    int count;
    const char *at, *end;
} elements_t;

/* Arrays of one dimension, and empty ones; 0 for others. */
static int read_header(elements_t *elements, const char *bytes, int length)
{
    apr_int64_t dimensions = length < ARRAY_HEADER ? -1 : read_int(bytes, 4);

    if (dimensions < 0 || dimensions > 1
        || (dimensions == 1 && length < ARRAY_HEADER + ARRAY_DIMENSION)) {
        return 0;
    }
    elements->type = find_type((unsigned)read_int(bytes + 8, 4));
    elements->count = dimensions ? (int)read_int(bytes + ARRAY_HEADER, 4) : 0;
    elements->at = bytes + ARRAY_HEADER + dimensions * ARRAY_DIMENSION;
    elements->end = bytes + length;
    return elements->type && elements->count >= 0
        && elements->count <= (length - ARRAY_HEADER) / 4;
}

static int open_array(elements_t *elements, const char *bytes, int length)
{
    int fits = read_header(elements, bytes, length);

    if (!fits) {
        alloy_log(ALLOY_LOG_ERROR, 0, "AL0402: a column is an array of more "
                  "than one dimension or of a type that is not read");
    }
    return fits;
}

/* The next element; *PLENGTH is -1 for NULL. */
static const char *next_element(elements_t *elements, int *plength)
{
    const char *bytes = elements->at + 4;

    *plength = -1;
    if (elements->end - elements->at < 4) {
        return NULL;
    }
    *plength = (int)read_int(elements->at, 4);
    elements->at = bytes;
    if (*plength < 0 || *plength > elements->end - bytes) {
        *plength = -1;
        return NULL;
    }
    elements->at = bytes + *plength;
    return bytes;
}

static void write_array(alloy_out_t *out, const char *bytes, int length)
{
    elements_t elements;
    const char *element;
    int i, size;

    if (!open_array(&elements, bytes, length)) {
        alloy_out_raw(out, "null", 4);
        return;
    }
    alloy_out_raw(out, "[", 1);
    for (i = 0; i < elements.count; i++) {
        element = next_element(&elements, &size);
        alloy_out_reserve(out, FIXED_ROOM);
        if (i > 0) {
            out->bytes[out->length++] = ',';
        }
        (element ? elements.type->write : write_null)(out, element, size);
    }
    alloy_out_raw(out, "]", 1);
}

static const char *text_array(const char *bytes, int length, apr_pool_t *pool)
{
    elements_t elements;
    const char **texts, *element;
    int i, size;

    if (!open_array(&elements, bytes, length)) {
        return NULL;
    }
    texts = apr_pcalloc(pool, sizeof(*texts) * (elements.count + 1));
    for (i = 0; i < elements.count; i++) {
        element = next_element(&elements, &size);
        texts[i] = element ? elements.type->text(element, size, pool) : NULL;
    }
    return alloy_array_literal(texts, elements.count, pool);
}

/* ---- Rows --------------------------------------------------------------- */

static slot_t *add_slot(alloy_mapping_t *mapping, const alloy_field_t *field,
                        apr_pool_t *pool)
{
    slot_t *slot = &mapping->slots[mapping->count++];
    apr_size_t length = strlen(field->name);
    char *key = apr_palloc(pool, length + 4);

    memcpy(key, ",\"", 2);
    memcpy(key + 2, field->name, length);
    memcpy(key + 2 + length, "\":", 2);
    slot->key = key;
    slot->key_length = (int)length + 4;
    slot->column = -1;
    slot->write = write_null;
    return slot;
}

static write_fn *find_writer(const alloy_field_t *field, unsigned oid)
{
    const type_t *type = find_type(oid);

    if (!type || !type->write) {
        alloy_log(ALLOY_LOG_ERROR, 0, "AL0403: column %s is of type %u, which "
                  "is not answered: cast it in the statement", field->name,
                  oid);
        return write_null;
    }
    if (field->type == ALLOY_HALF && type->write == write_int) {
        return write_half;
    }
    if (field->type == ALLOY_HUNDREDTH && type->write == write_int) {
        return write_hundredth;
    }
    return type->write;
}

static void map_field(alloy_mapping_t *mapping, const alloy_result_t *result,
                      const alloy_shape_t *shape, int index, apr_pool_t *pool)
{
    const alloy_field_t *field = &shape->fields[index];
    int column = alloy_result_column_after(result, field->name, mapping->last);
    slot_t *slot;

    if (column < 0 && (field->flags & ALLOY_ANSWERED)) {
        return;
    }
    if (column < 0 && !(field->flags & ALLOY_NULLABLE)) {
        alloy_log(ALLOY_LOG_ERROR, 0, "AL0404: no column for %s of %s",
                  field->name, shape->name);
    }
    slot = add_slot(mapping, field, pool);
    if (column >= 0) {
        mapping->last = slot->column = column;
        slot->write = find_writer(field, alloy_result_type(result, column));
    }
}

alloy_mapping_t *alloy_out_map(const alloy_result_t *result,
                               const alloy_shape_t *shape, apr_pool_t *pool)
{
    alloy_mapping_t *mapping = apr_pcalloc(pool, sizeof(*mapping));
    int i, count = 0;

    while (shape->fields[count].name) {
        count++;
    }
    mapping->last = -1;
    mapping->slots = apr_pcalloc(pool, sizeof(*mapping->slots) * (count + 1));
    for (i = 0; i < count; i++) {
        map_field(mapping, result, shape, i, pool);
    }
    return mapping;
}

/* The fields of a row; COMMA: one stands before the first already. */
static void write_fields(alloy_out_t *out, const alloy_result_t *result,
                         int row, const alloy_mapping_t *mapping, int comma)
{
    int i, length = 0;
    const char *bytes;
    const slot_t *slot;

    for (i = 0; i < mapping->count; i++) {
        slot = &mapping->slots[i];
        bytes = slot->column < 0 ? NULL
            : alloy_result_cell(result, row, slot->column, &length);
        alloy_out_reserve(out, (apr_size_t)slot->key_length + FIXED_ROOM);
        memcpy(out->bytes + out->length, slot->key + !comma,
               (apr_size_t)(slot->key_length - !comma));
        out->length += (apr_size_t)(slot->key_length - !comma);
        comma = 1;
        (bytes ? slot->write : write_null)(out, bytes, length);
    }
}

void alloy_out_mapped(alloy_out_t *out, const alloy_result_t *result, int row,
                      const alloy_mapping_t *mapping)
{
    alloy_out_separate(out);
    alloy_out_raw(out, "{", 1);
    write_fields(out, result, row, mapping, 0);
    alloy_out_raw(out, "}", 1);
}

void alloy_out_members(alloy_out_t *out, const alloy_result_t *result, int row,
                       const alloy_mapping_t *mapping)
{
    char *first = &out->first[out->depth - 1];

    write_fields(out, result, row, mapping, !*first);
    *first = *first && !mapping->count;
}

const char *alloy_out_cell_text(const alloy_result_t *result, int row,
                                int column, apr_pool_t *pool)
{
    const type_t *type = find_type(alloy_result_type(result, column));
    int length;
    const char *bytes = alloy_result_cell(result, row, column, &length);

    if (!bytes) {
        return NULL;
    }
    if (!type) {
        alloy_log(ALLOY_LOG_ERROR, 0, "AL0405: column %s is of type %u, which "
                  "is not read: cast it in the statement",
                  alloy_result_name(result, column),
                  alloy_result_type(result, column));
        return NULL;
    }
    return type->text(bytes, length, pool);
}

void alloy_out_number(alloy_out_t *out, const alloy_result_t *result, int row,
                      int column, const alloy_field_t *field)
{
    int length;
    const char *bytes = alloy_result_cell(result, row, column, &length);

    if (bytes) {
        alloy_out_reserve(out, FIXED_ROOM);
        find_writer(field, alloy_result_type(result, column))(out, bytes,
                                                              length);
    }
}

/* OIDs of src/include/catalog/pg_type.dat; they are constant. */
static const type_t types[] = {
    { 2950, write_uuid, text_uuid },
    { 25, write_text, text_text },              /* text */
    { 1184, write_instant, text_instant },      /* timestamptz */
    { 23, write_int, text_int },                /* int4 */
    { 20, write_int, text_int },                /* int8 */
    { 16, write_bool, text_bool },
    { 1082, write_date, text_date },
    { 3802, write_jsonb, text_jsonb },
    { 114, write_json, text_text },             /* json */
    { 21, write_int, text_int },                /* int2 */
    { 1043, write_text, text_text },            /* varchar */
    { 1042, write_text, text_text },            /* bpchar */
    { 19, write_text, text_text },              /* name */
    { 705, write_text, text_text },             /* unknown: a bare literal */
    { 2278, write_null, text_text },            /* void */
    { 17, NULL, text_bytea },
    { 1009, write_array, text_array },          /* text[] */
    { 1015, write_array, text_array },          /* varchar[] */
    { 2951, write_array, text_array },          /* uuid[] */
    { 1005, write_array, text_array },          /* int2[] */
    { 1007, write_array, text_array },          /* int4[] */
    { 1016, write_array, text_array },          /* int8[] */
    { 1000, write_array, text_array },          /* bool[] */
    { 1182, write_array, text_array },          /* date[] */
    { 1185, write_array, text_array },          /* timestamptz[] */
};

/* Enums and citext travel as text. */
static const type_t user_type = { 0, write_text, text_text };

static const type_t *find_type(unsigned oid)
{
    apr_size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].oid == oid) {
            return &types[i];
        }
    }
    return oid >= FIRST_USER_TYPE ? &user_type : NULL;
}
