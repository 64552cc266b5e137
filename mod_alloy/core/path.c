/* Paths of the operation table: cut into parts, checked for their form, and
 * compared without the names of their parameters. Requests are cut by the same
 * function, so that both sides agree on what a segment is.
 */
#include "path.h"

#include <string.h>

#include <apr_strings.h>

int alloy_path_split(alloy_path_t *path, const char *text)
{
    path->count = 0;
    if (*text != '/') {
        return 0;
    }
    while (*text == '/') {
        alloy_part_t *part;

        if (path->count == ALLOY_SEGMENTS_MAX) {
            return 0;
        }
        part = &path->parts[path->count++];
        part->text = ++text;
        part->length = strcspn(text, "/");
        if (part->length == 0) {
            return 0;
        }
        text += part->length;
    }
    return 1;
}

int alloy_part_is_param(const alloy_part_t *part)
{
    return part->length > 2 && part->text[0] == '{'
           && part->text[part->length - 1] == '}';
}

int alloy_part_names(const alloy_part_t *part, const char *name)
{
    apr_size_t length = strlen(name);

    return alloy_part_is_param(part) && part->length == length + 2
           && memcmp(part->text + 1, name, length) == 0;
}

const char *alloy_part_param(const alloy_part_t *part, apr_pool_t *pool)
{
    if (!alloy_part_is_param(part)) {
        return NULL;
    }
    return apr_pstrmemdup(pool, part->text + 1, part->length - 2);
}

int alloy_name_fits(const char *text, apr_size_t length)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    apr_size_t i;

    if (length == 0 || !memchr(letters, *text, sizeof(letters) - 1)) {
        return 0;
    }
    for (i = 1; i < length; i++) {
        if (!memchr(letters, text[i], sizeof(letters) - 1)
            && !(text[i] >= '0' && text[i] <= '9') && text[i] != '_') {
            return 0;
        }
    }
    return 1;
}

static int part_fits(const alloy_part_t *part)
{
    static const char unreserved[] = "abcdefghijklmnopqrstuvwxyz"
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-._~";

    if (alloy_part_is_param(part)) {
        return alloy_name_fits(part->text + 1, part->length - 2);
    }
    return strspn(part->text, unreserved) >= part->length;
}

/* A name twice would need one value at two places. */
static int part_is_repeated(const alloy_path_t *path, int index)
{
    const alloy_part_t *part = &path->parts[index];
    int i;

    for (i = 0; alloy_part_is_param(part) && i < index; i++) {
        if (path->parts[i].length == part->length
            && memcmp(path->parts[i].text, part->text, part->length) == 0) {
            return 1;
        }
    }
    return 0;
}

const char *alloy_path_fault(const char *text, apr_pool_t *pool)
{
    alloy_path_t path;
    int i;

    if (!alloy_path_split(&path, text)) {
        return apr_psprintf(pool,
                            "the path \"%s\" must begin with a slash, "
                            "not end with one, have no empty segment and at "
                            "most %d of them",
                            text, ALLOY_SEGMENTS_MAX);
    }
    for (i = 0; i < path.count; i++) {
        const char *part = apr_pstrmemdup(pool, path.parts[i].text,
                                          path.parts[i].length);

        if (!part_fits(&path.parts[i])) {
            return apr_psprintf(pool,
                                "the path \"%s\" has the segment "
                                "\"%s\"; write plain text or {name}",
                                text, part);
        }
        if (part_is_repeated(&path, i)) {
            return apr_psprintf(pool, "the path \"%s\" names %s twice", text,
                                part);
        }
    }
    return NULL;
}

const char *alloy_path_form(const char *path, apr_pool_t *pool)
{
    char *form = apr_palloc(pool, strlen(path) + 1);
    char *end = form;

    while (*path) {
        *end++ = *path;
        path += (*path == '{') ? strcspn(path, "}") : 1;
    }
    *end = '\0';
    return form;
}

const char *alloy_method_name(alloy_method_e method)
{
    static const char *const names[ALLOY_METHODS] = {
        [ALLOY_GET] = "GET",
        [ALLOY_POST] = "POST",
        [ALLOY_PUT] = "PUT",
        [ALLOY_PATCH] = "PATCH",
        [ALLOY_DELETE] = "DELETE"
    };

    return names[method];
}
