/* From method and path to an operation. The tree is made once from the table;
 * a request is cut into segments and walks it, and only the texts of its
 * parameters are copied.
 */
#include "route.h"

#include <string.h>

#include <apr_strings.h>

/* A segment at its place in the tree. */
typedef struct alloy_node_t node_t;
struct alloy_node_t {
    const char *literal; /* NULL: a parameter */
    apr_size_t length;
    node_t *parent;   /* NULL: the root */
    node_t *next;     /* further literals under the same parent */
    node_t *literals; /* first child with a text of its own */
    node_t *param;    /* child that takes any text, or NULL */
    const alloy_op_t *ops[ALLOY_METHODS];
    unsigned methods;
};

struct alloy_router_t {
    node_t root;
};

/* ---- Making the tree ----------------------------------------------------- */

static node_t *literal_find(const node_t *parent, const alloy_part_t *part)
{
    node_t *node;

    for (node = parent->literals; node; node = node->next) {
        if (node->length == part->length
            && memcmp(node->literal, part->text, part->length) == 0) {
            return node;
        }
    }
    return NULL;
}

static node_t *child_make(node_t *parent, const alloy_part_t *part,
                          apr_pool_t *pool)
{
    int is_param = alloy_part_is_param(part);
    node_t *node = is_param ? parent->param : literal_find(parent, part);

    if (node) {
        return node;
    }
    node = apr_pcalloc(pool, sizeof(*node));
    node->parent = parent;
    if (is_param) {
        parent->param = node;
        return node;
    }
    node->literal = apr_pstrmemdup(pool, part->text, part->length);
    node->length = part->length;
    node->next = parent->literals;
    parent->literals = node;
    return node;
}

static void op_add(alloy_router_t *router, const alloy_op_t *op,
                   apr_pool_t *pool)
{
    node_t *node = &router->root;
    alloy_path_t path;
    int i;

    /* the registry has refused every path that can't be split */
    if (!alloy_path_split(&path, op->row->path)) {
        return;
    }
    for (i = 0; i < path.count; i++) {
        node = child_make(node, &path.parts[i], pool);
    }
    node->ops[op->row->method] = op;
    node->methods |= 1u << op->row->method;
}

alloy_router_t *alloy_router_make(const alloy_registry_t *registry,
                                  apr_pool_t *pool)
{
    alloy_router_t *router = apr_pcalloc(pool, sizeof(*router));
    int i;

    for (i = 0; i < alloy_registry_count(registry); i++) {
        op_add(router, alloy_registry_op(registry, i), pool);
    }
    return router;
}

/* ---- Reading a path ------------------------------------------------------ */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}

/* RFC 3986, section 2.1; a NUL would end the text early, so it has no place. */
static int part_decode(alloy_part_t *part, apr_pool_t *pool)
{
    const char *from = part->text;
    const char *end = from + part->length;
    char *text = apr_palloc(pool, part->length + 1);
    char *to = text;

    while (from < end) {
        int high, low;

        if (*from != '%') {
            *to++ = *from++;
            continue;
        }
        high = (end - from > 2) ? hex_value(from[1]) : -1;
        low = (end - from > 2) ? hex_value(from[2]) : -1;
        if (high < 0 || low < 0 || high + low == 0) {
            return 0;
        }
        *to++ = (char)(high << 4 | low);
        from += 3;
    }
    *to = '\0';
    part->text = text;
    part->length = (apr_size_t)(to - text);
    return 1;
}

static int path_read(alloy_path_t *path, const char *text, apr_pool_t *pool)
{
    int i;

    if (!alloy_path_split(path, text)) {
        return 0;
    }
    for (i = 0; i < path->count; i++) {
        alloy_part_t *part = &path->parts[i];

        if (memchr(part->text, '%', part->length) && !part_decode(part, pool)) {
            return 0;
        }
    }
    return 1;
}

/* Where the path ends in the tree. A literal that leads nowhere gives way to
 * the parameter beside it: a project may be called "search". */
static const node_t *path_walk(const node_t *node, const alloy_path_t *path,
                               int index)
{
    const node_t *child, *end;

    if (index == path->count) {
        return node->methods ? node : NULL;
    }
    child = literal_find(node, &path->parts[index]);
    end = child ? path_walk(child, path, index + 1) : NULL;
    if (!end && node->param) {
        end = path_walk(node->param, path, index + 1);
    }
    return end;
}

/* ---- Answering ----------------------------------------------------------- */

static void segments_fill(alloy_route_t *route, const node_t *node,
                          const alloy_path_t *path, apr_pool_t *pool)
{
    int i;

    route->count = path->count;
    for (i = path->count - 1; i >= 0; i--, node = node->parent) {
        const alloy_part_t *part = &path->parts[i];

        route->segments[i] = node->literal ? node->literal
                                           : apr_pstrmemdup(pool, part->text,
                                                            part->length);
    }
}

static void method_pick(alloy_route_t *route, const node_t *node,
                        const char *method)
{
    int i;

    route->head = strcmp(method, "HEAD") == 0;
    route->options = strcmp(method, "OPTIONS") == 0;
    if (route->head) {
        route->op = node->ops[ALLOY_GET];
        return;
    }
    for (i = 0; i < ALLOY_METHODS; i++) {
        if (strcmp(method, alloy_method_name((alloy_method_e)i)) == 0) {
            route->op = node->ops[i];
        }
    }
}

void alloy_route_find(alloy_route_t *route, const alloy_router_t *router,
                      const char *method, const char *path, apr_pool_t *pool)
{
    const node_t *node;
    alloy_path_t cut;

    memset(route, 0, sizeof(*route));
    if (!path_read(&cut, path, pool)) {
        return;
    }
    node = path_walk(&router->root, &cut, 0);
    if (!node) {
        return;
    }
    route->methods = node->methods;
    segments_fill(route, node, &cut, pool);
    method_pick(route, node, method);
}

const char *alloy_route_allow(unsigned methods, apr_pool_t *pool)
{
    static const struct {
        unsigned bit; /* 0: always */
        const char *name;
    } words[] = { { 1u << ALLOY_DELETE, "DELETE, " },
                  { 1u << ALLOY_GET, "GET, HEAD, " },
                  { 0, "OPTIONS, " },
                  { 1u << ALLOY_PATCH, "PATCH, " },
                  { 1u << ALLOY_POST, "POST, " },
                  { 1u << ALLOY_PUT, "PUT, " } };
    const char *list = "";
    apr_size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i].bit == 0 || (methods & words[i].bit)) {
            list = apr_pstrcat(pool, list, words[i].name, NULL);
        }
    }
    return apr_pstrmemdup(pool, list, strlen(list) - 2);
}
