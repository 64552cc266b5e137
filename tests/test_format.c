/* Formats: what they take, in which spelling, and that refusals are sentences.
 */
#include "suite.h"

#include "../mod_alloy/alloy.h"

#include <string.h>

#include <apr_strings.h>

typedef struct {
    const alloy_format_t *format;
    const char *value;
    const char *taken;          /* NULL: refused */
} case_t;

#define SIXTY "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const case_t cases[] = {
    { &alloy_format_email, "Ann.B+x@Example.COM", "Ann.B+x@example.com" },
    { &alloy_format_email, "a@b", "a@b" },
    { &alloy_format_email, "o'neil@x-y.example", "o'neil@x-y.example" },
    { &alloy_format_email, SIXTY "aaaa@b.c", SIXTY "aaaa@b.c" },
    { &alloy_format_email, SIXTY "aaaaa@b.c", NULL },
    { &alloy_format_email, "a@" SIXTY "aaa.c", "a@" SIXTY "aaa.c" },
    { &alloy_format_email, "a@" SIXTY "aaaa.c", NULL },
    { &alloy_format_email, "a@" SIXTY "." SIXTY "." SIXTY "." SIXTY ".abcdefgh",
      "a@" SIXTY "." SIXTY "." SIXTY "." SIXTY ".abcdefgh" },
    { &alloy_format_email,
      "a@" SIXTY "." SIXTY "." SIXTY "." SIXTY ".abcdefghi", NULL },
    { &alloy_format_email, "", NULL },
    { &alloy_format_email, "a", NULL },
    { &alloy_format_email, "@b.c", NULL },
    { &alloy_format_email, "a@", NULL },
    { &alloy_format_email, "a@b@c", NULL },
    { &alloy_format_email, "a b@c.d", NULL },
    { &alloy_format_email, "a@b c.d", NULL },
    { &alloy_format_email, " a@b.c", NULL },
    { &alloy_format_email, "a@b.c\n", NULL },
    { &alloy_format_email, "a@b..c", NULL },
    { &alloy_format_email, "a@.b", NULL },
    { &alloy_format_email, "a@b.", NULL },
    { &alloy_format_email, "a@-b.c", NULL },
    { &alloy_format_email, "a@b-.c", NULL },
    { &alloy_format_email, "a..b@c.d", NULL },
    { &alloy_format_email, ".a@c.d", NULL },
    { &alloy_format_email, "a.@c.d", NULL },
    { &alloy_format_email, "<a@c.d>", NULL },
    { &alloy_format_email, "\xc3\xa4@c.d", NULL },

    { &alloy_format_slug, "Acme-2", "acme-2" },
    { &alloy_format_slug, "a", "a" },
    { &alloy_format_slug, SIXTY "abc", SIXTY "abc" },
    { &alloy_format_slug, SIXTY "abcd", NULL },
    { &alloy_format_slug, "", NULL },
    { &alloy_format_slug, "-a", NULL },
    { &alloy_format_slug, "a-", NULL },
    { &alloy_format_slug, "a_b", NULL },
    { &alloy_format_slug, "a b", NULL },

    { &alloy_format_project_key, "web", "WEB" },
    { &alloy_format_project_key, "A1", "A1" },
    { &alloy_format_project_key, "ABCDEFGHIJ", "ABCDEFGHIJ" },
    { &alloy_format_project_key, "ABCDEFGHIJK", NULL },
    { &alloy_format_project_key, "A", NULL },
    { &alloy_format_project_key, "1A", NULL },
    { &alloy_format_project_key, "A-B", NULL },
    { &alloy_format_project_key, "", NULL },

    { &alloy_format_currency, "eur", "EUR" },
    { &alloy_format_currency, "EURO", NULL },
    { &alloy_format_currency, "E1R", NULL },
    { &alloy_format_currency, "", NULL },

    { &alloy_format_timezone, "utc", "UTC" },
    { &alloy_format_timezone, "Europe/Berlin", "Europe/Berlin" },
    { &alloy_format_timezone, "America/Argentina/Buenos_Aires",
      "America/Argentina/Buenos_Aires" },
    { &alloy_format_timezone, "Etc/GMT+5", "Etc/GMT+5" },
    { &alloy_format_timezone, "Berlin", NULL },
    { &alloy_format_timezone, "EST5EDT", NULL },
    { &alloy_format_timezone, "Europe/", NULL },
    { &alloy_format_timezone, "/Europe", NULL },
    { &alloy_format_timezone, "Europe//Berlin", NULL },
    { &alloy_format_timezone, "../etc/passwd", NULL },
    { &alloy_format_timezone, "A/B/C/D", NULL },
    { &alloy_format_timezone, "", NULL },

    { &alloy_format_name, "Website", "Website" },
    { &alloy_format_name, "Backlog", "Backlog" },
    { &alloy_format_name, "None", NULL },
    { &alloy_format_name, "0198c0de-7abc-7def-8123-456789ABCDEF", NULL },
    { &alloy_format_name, "  ", NULL },
    { &alloy_format_name, "a\nb", NULL },

    { &alloy_format_line, "None of it", "None of it" },
    { &alloy_format_line, "a\rb", NULL },
    { &alloy_format_line, "", NULL },
};

START_TEST(formats_take_and_refuse)
{
    const case_t *one = &cases[_i];
    const char *value = one->value, *sentence;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    sentence = one->format->check(&value, pool);
    if (one->taken) {
        ck_assert_msg(!sentence, "%s: %s", one->value, sentence);
        ck_assert_str_eq(value, one->taken);
    }
    else {
        ck_assert_msg(sentence != NULL, "%s was taken for %s", one->value,
                      one->format->name);
        ck_assert_int_eq(sentence[strlen(sentence) - 1], '.');
        ck_assert_ptr_eq(value, one->value);
    }
    apr_pool_destroy(pool);
}
END_TEST

static Suite *format_suite(void)
{
    Suite *suite = suite_create("format");
    TCase *tests = tcase_create("format");

    tcase_add_loop_test(tests, formats_take_and_refuse, 0,
                        (int)(sizeof(cases) / sizeof(cases[0])));
    suite_add_tcase(suite, tests);
    return suite;
}

ALLOY_SUITE(format_suite);
