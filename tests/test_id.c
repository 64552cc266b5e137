/* Ids: version, variant, shard and time of what is made, and that reading is
 * strict and the inverse of writing.
 */
#include "suite.h"

#include "../mod_alloy/core/id.h"

#include <string.h>

#include <apr_time.h>

#define TEXT "0198c0de-7abc-7def-8123-456789abcdef"

/* The milliseconds an id was made at. */
static apr_int64_t time_of(const alloy_id_t *id)
{
    apr_int64_t ms = 0;
    int i;

    for (i = 0; i < 6; i++) {
        ms = ms << 8 | id->bytes[i];
    }
    return ms;
}

START_TEST(made_ids_are_version_7_of_their_shard)
{
    unsigned shard;

    for (shard = 0; shard < ALLOY_ID_SHARDS; shard++) {
        alloy_id_t id;

        ck_assert_int_eq(alloy_id_make(&id, shard), APR_SUCCESS);
        ck_assert_uint_eq(id.bytes[6] >> 4, 7);
        ck_assert_uint_eq(id.bytes[8] >> 6, 2);
        ck_assert_uint_eq(alloy_id_shard(&id), shard);
    }
}
END_TEST

START_TEST(higher_bits_of_a_shard_are_ignored)
{
    alloy_id_t id;

    ck_assert_int_eq(alloy_id_make(&id, 0xffff1abc), APR_SUCCESS);
    ck_assert_uint_eq(id.bytes[6], 0x7a);
    ck_assert_uint_eq(alloy_id_shard(&id), 0xabc);
}
END_TEST

START_TEST(made_ids_carry_the_time)
{
    apr_int64_t before = apr_time_as_msec(apr_time_now());
    alloy_id_t first;
    alloy_id_t second;

    ck_assert_int_eq(alloy_id_make(&first, 5), APR_SUCCESS);
    do {
        ck_assert_int_eq(alloy_id_make(&second, 5), APR_SUCCESS);
    } while (time_of(&second) == time_of(&first));
    ck_assert_int_ge(time_of(&first), before);
    ck_assert_int_le(time_of(&second), apr_time_as_msec(apr_time_now()));
    ck_assert_int_lt(memcmp(&first, &second, sizeof(first)), 0);
}
END_TEST

START_TEST(ids_of_one_millisecond_differ)
{
    alloy_id_t ids[64];
    int i;
    int k;

    for (i = 0; i < 64; i++) {
        ck_assert_int_eq(alloy_id_make(&ids[i], 9), APR_SUCCESS);
        for (k = 0; k < i; k++) {
            ck_assert_int_ne(memcmp(&ids[i].bytes[8], &ids[k].bytes[8], 8), 0);
        }
    }
}
END_TEST

START_TEST(organizations_spread_over_the_shards)
{
    unsigned char seen[ALLOY_ID_SHARDS] = { 0 };
    unsigned shards = 0;
    int i;

    for (i = 0; i < 4096; i++) {
        alloy_id_t id;
        unsigned shard;

        ck_assert_int_eq(alloy_id_make_org(&id), APR_SUCCESS);
        ck_assert_uint_eq(id.bytes[6] >> 4, 7);
        ck_assert_uint_eq(id.bytes[8] >> 6, 2);
        shard = alloy_id_shard(&id);
        shards += !seen[shard];
        seen[shard] = 1;
    }
    /* 2589 are expected; a tenth fewer would take longer than we have. */
    ck_assert_uint_gt(shards, 2330);
}
END_TEST

START_TEST(text_is_read_and_written)
{
    const unsigned char bytes[ALLOY_ID_SIZE] = {
        0x01, 0x98, 0xc0, 0xde, 0x7a, 0xbc, 0x7d, 0xef,
        0x81, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef
    };
    alloy_id_t id;
    char text[ALLOY_ID_TEXT + 1];

    ck_assert(alloy_id_parse(&id, TEXT));
    ck_assert_mem_eq(id.bytes, bytes, sizeof(bytes));
    ck_assert_uint_eq(alloy_id_shard(&id), 0xdef);
    alloy_id_format(&id, text);
    ck_assert_str_eq(text, TEXT);
}
END_TEST

START_TEST(upper_case_is_read)
{
    alloy_id_t id;
    char text[ALLOY_ID_TEXT + 1];

    ck_assert(alloy_id_parse(&id, "0198C0DE-7ABC-7dEF-8123-456789ABCDEF"));
    alloy_id_format(&id, text);
    ck_assert_str_eq(text, TEXT);
}
END_TEST

START_TEST(every_byte_survives)
{
    int value;

    for (value = 0; value < 256; value++) {
        alloy_id_t id;
        alloy_id_t again;
        char text[ALLOY_ID_TEXT + 1];

        memset(&id, value, sizeof(id));
        alloy_id_format(&id, text);
        ck_assert(alloy_id_parse(&again, text));
        ck_assert_mem_eq(&id, &again, sizeof(id));
    }
}
END_TEST

static const char *const refused[] = {
    "",
    "0198c0de",
    "0198c0de-7abc-7def-8123-456789abcde",
    "0198c0de-7abc-7def-8123-456789abcdef0",
    "0198c0de-7abc-7def-8123-456789abcdeg",
    "0198c0de-7abc-7def-8123-456789abcde ",
    " 198c0de-7abc-7def-8123-456789abcdef",
    "0198c0de7abc-7def-8123-456789abcdef0",
    "0198c0de-7abc-7def-8123+456789abcdef",
    "0198c0de-7abc-7def-81234-56789abcdef",
    "0198c0de7abc7def8123456789abcdef0000",
    "{198c0de-7abc-7def-8123-456789abcde}",
    "0198c0de-7abc-7def-8123-456789abcd\xc3\xa9",
    "------------------------------------"
};

START_TEST(other_texts_are_refused)
{
    alloy_id_t id;

    ck_assert_msg(!alloy_id_parse(&id, refused[_i]), "\"%s\" was taken",
                  refused[_i]);
}
END_TEST

static Suite *id_suite(void)
{
    Suite *suite = suite_create("id");
    TCase *made = tcase_create("made");
    TCase *text = tcase_create("text");

    tcase_add_test(made, made_ids_are_version_7_of_their_shard);
    tcase_add_test(made, higher_bits_of_a_shard_are_ignored);
    tcase_add_test(made, made_ids_carry_the_time);
    tcase_add_test(made, ids_of_one_millisecond_differ);
    tcase_add_test(made, organizations_spread_over_the_shards);
    tcase_add_test(text, text_is_read_and_written);
    tcase_add_test(text, upper_case_is_read);
    tcase_add_test(text, every_byte_survives);
    tcase_add_loop_test(text, other_texts_are_refused, 0,
                        sizeof(refused) / sizeof(refused[0]));
    suite_add_tcase(suite, made);
    suite_add_tcase(suite, text);
    return suite;
}

ALLOY_SUITE(id_suite);
