/*
 * The field Accept: how much each media type is wanted. A range that names a
 * type exactly counts before one that names its family, before any type.
 */
#include "accept.h"

#include <string.h>

#include <apr_lib.h>

#define WHOLE 1000              /* a weight of 1: it has three decimals */

/* How well a type is met by the best range for it. */
typedef struct {
    int exactness;              /* 3 the type, 2 its family, 1 any, 0 none */
    int weight;                 /* 0 to WHOLE */
} match_t;

/* ";q=0.8" in the parameters between AT and END; WHOLE when there is none. */
static int read_weight(const char *at, const char *end)
{
    int weight = 0, scale = WHOLE;

    for (; at + 2 < end; at++) {
        if ((at[0] == ';' || at[0] == ' ') && apr_tolower(at[1]) == 'q'
            && at[2] == '=') {
            break;
        }
    }
    if (at + 2 >= end) {
        return WHOLE;
    }
    for (at += 3; at < end && scale > 0; at++) {
        if (apr_isdigit(*at)) {
            weight += (*at - '0') * scale;
            scale /= 10;
        }
        else if (*at != '.') {
            break;
        }
    }
    return weight > WHOLE ? WHOLE : weight;
}

static int exactness_of(const char *range, apr_size_t length,
                        const char *type)
{
    apr_size_t family = (apr_size_t)(strchr(type, '/') - type) + 1;

    if (length == strlen(type) && !strncasecmp(range, type, length)) {
        return 3;
    }
    if (length == family + 1 && range[family] == '*'
        && !strncasecmp(range, type, family)) {
        return 2;
    }
    return length == 3 && !strncmp(range, "*/*", 3);
}

static match_t match_of(const char *accept, const char *type)
{
    match_t best = { 0, 0 };

    while (*accept) {
        const char *range = accept + strspn(accept, " \t,");
        const char *end = range + strcspn(range, ",");
        int exactness = exactness_of(range, strcspn(range, " \t;,"), type);

        if (exactness > best.exactness) {
            best.exactness = exactness;
            best.weight = read_weight(range, end);
        }
        accept = end;
    }
    return best;
}

int alloy_accept_prefers(const char *accept, const char *type,
                         const char *other)
{
    match_t one, two;

    if (!accept) {
        return 0;
    }
    one = match_of(accept, type);
    two = match_of(accept, other);
    return one.weight > two.weight
           || (one.weight && one.weight == two.weight
               && one.exactness > two.exactness);
}
