/* Routing: which operation a method and a path mean, what the segments are, and
 * everything that is no path of ours.
 */
#include "suite.h"

#include <apr_strings.h>

#include "../mod_alloy/core/route.h"
#include "toy.h"

static apr_pool_t *pool;
static alloy_router_t *router;

static void set_up(void)
{
    apr_pool_create(&pool, NULL);
    router = alloy_router_make(toy_registry(pool), pool);
}

static void tear_down(void)
{
    apr_pool_destroy(pool);
}

static alloy_route_t find(const char *method, const char *path)
{
    alloy_route_t route;

    alloy_route_find(&route, router, method, path, pool);
    return route;
}

static void expect(const char *method, const char *path, const char *id)
{
    alloy_route_t route = find(method, path);

    ck_assert_msg(route.op != NULL, "%s %s was not found", method, path);
    ck_assert_str_eq(route.op->row->id, id);
}

static void expect_none(const char *path)
{
    alloy_route_t route = find("GET", path);

    ck_assert_msg(route.op == NULL && route.methods == 0, "%s was found", path);
}

START_TEST(methods_pick_the_operation)
{
    expect("GET", "/orgs/acme/shelves", "shelf_list");
    expect("POST", "/orgs/acme/shelves", "shelf_create");
    expect("GET", "/books/7", "book_get");
    expect("PATCH", "/books/7", "book_update");
    expect("DELETE", "/books/7", "book_delete");
    expect("POST", "/books/7/lend", "book_lend");
    expect("GET", "/door", "door");
    expect("GET", "/cellar", "cellar");
}
END_TEST

START_TEST(literals_win_and_give_way)
{
    expect("GET", "/books/search", "book_search");
    expect("GET", "/books/Search", "book_get");
    expect("GET", "/books/searches", "book_get");
    expect("GET", "/books/sear%63h", "book_search");
    /* nothing but the book called "search" can be lent */
    expect("POST", "/books/search/lend", "book_lend");
}
END_TEST

START_TEST(segments_are_decoded)
{
    alloy_route_t route = find("GET", "/books/a%2Fb%20%c3%A9%25");

    ck_assert_int_eq(route.count, 2);
    ck_assert_str_eq(route.segments[0], "books");
    ck_assert_str_eq(route.segments[1], "a/b \xc3\xa9%");
    ck_assert_int_eq(route.op->segment[0], 1);
    route = find("GET", "/orgs/a+b;c=d/shelves");
    ck_assert_str_eq(route.segments[1], "a+b;c=d");
    route = find("GET", "/books/{book}");
    ck_assert_str_eq(route.segments[1], "{book}");
}
END_TEST

START_TEST(other_paths_are_not_ours)
{
    static const char *const paths[] = { "",
                                         "*",
                                         "books/7",
                                         "/",
                                         "//",
                                         "/books",
                                         "/books/",
                                         "/books/7/",
                                         "/books//lend",
                                         "//books/7",
                                         "/books/7/lend/now",
                                         "/Books/7",
                                         "/books/%",
                                         "/books/%4",
                                         "/books/%zz",
                                         "/books/%g1",
                                         "/books/7%00",
                                         "/books/%00",
                                         "/orgs/acme",
                                         "/1/2/3/4/5/6/7/8/9/10/11/12/13",
                                         "/orgs/a/b/shelves",
                                         "/door/",
                                         NULL };
    int i;

    for (i = 0; paths[i]; i++) {
        expect_none(paths[i]);
    }
}
END_TEST

START_TEST(wrong_methods_tell_the_right_ones)
{
    alloy_route_t route = find("POST", "/books/7");

    ck_assert_ptr_null(route.op);
    ck_assert_str_eq(alloy_route_allow(route.methods, pool),
                     "DELETE, GET, HEAD, OPTIONS, PATCH");
    route = find("get", "/books/7");
    ck_assert_ptr_null(route.op);
    ck_assert_uint_ne(route.methods, 0);
    route = find("BREW", "/door");
    ck_assert_ptr_null(route.op);
    ck_assert_str_eq(alloy_route_allow(route.methods, pool),
                     "GET, HEAD, OPTIONS");
    ck_assert_str_eq(alloy_route_allow(1u << ALLOY_POST | 1u << ALLOY_PUT,
                                       pool),
                     "OPTIONS, POST, PUT");
}
END_TEST

START_TEST(head_is_a_get_without_the_body)
{
    alloy_route_t route = find("HEAD", "/books/7");

    ck_assert_int_eq(route.head, 1);
    ck_assert_str_eq(route.op->row->id, "book_get");
    route = find("HEAD", "/books/7/lend");
    ck_assert_int_eq(route.head, 1);
    ck_assert_ptr_null(route.op);
    ck_assert_uint_eq(route.methods, 1u << ALLOY_POST);
}
END_TEST

START_TEST(options_has_no_operation)
{
    alloy_route_t route = find("OPTIONS", "/books/7");

    ck_assert_int_eq(route.options, 1);
    ck_assert_ptr_null(route.op);
    ck_assert_uint_ne(route.methods, 0);
}
END_TEST

START_TEST(paths_compare_without_names)
{
    alloy_path_t path;

    ck_assert_str_eq(alloy_path_form("/a/{bc}/d/{e}", pool), "/a/{}/d/{}");
    ck_assert_int_eq(alloy_path_split(&path, "/1/2/3/4/5/6/7/8/9/10/11/12"), 1);
    ck_assert_int_eq(path.count, ALLOY_SEGMENTS_MAX);
    ck_assert_ptr_null(alloy_path_fault("/a-b/{c_1}/D.e", pool));
    ck_assert_ptr_nonnull(alloy_path_fault("/a/{c", pool));
    ck_assert_ptr_nonnull(alloy_path_fault("/a/{}", pool));
    ck_assert_ptr_nonnull(alloy_path_fault("/a/x{c}", pool));
    ck_assert_ptr_nonnull(alloy_path_fault("/a b", pool));
    ck_assert_ptr_nonnull(alloy_path_fault("/{a}/{a}", pool));
    ck_assert_ptr_nonnull(alloy_path_fault("/", pool));
}
END_TEST

static Suite *route_suite(void)
{
    Suite *suite = suite_create("route");
    TCase *tests = tcase_create("route");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, methods_pick_the_operation);
    tcase_add_test(tests, literals_win_and_give_way);
    tcase_add_test(tests, segments_are_decoded);
    tcase_add_test(tests, other_paths_are_not_ours);
    tcase_add_test(tests, wrong_methods_tell_the_right_ones);
    tcase_add_test(tests, head_is_a_get_without_the_body);
    tcase_add_test(tests, options_has_no_operation);
    tcase_add_test(tests, paths_compare_without_names);
    suite_add_tcase(suite, tests);
    return suite;
}

ALLOY_SUITE(route_suite);
