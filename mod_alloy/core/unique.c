/* Lists of things that are told apart by one of their members: two with the
 * same text there are a fault of the second.
 */
#include "unique.h"

#include <string.h>

#include <apr_strings.h>

/* Is the member INDEX of element LAST that of one before it? */
static int is_repeated(const alloy_value_t *list, int last, int index)
{
    const char *text = list->items[last].items[index].text;
    int i;

    for (i = 0; text && i < last; i++) {
        const alloy_value_t *other = list->items[i].items;

        if (other && other[index].text && !strcmp(other[index].text, text)) {
            return 1;
        }
    }
    return 0;
}

static void check_member(alloy_reader_t *reader, const alloy_value_t *list,
                         int index)
{
    int i;

    for (i = 1; i < list->count && !alloy_reader_full(reader); i++) {
        const alloy_value_t *members = list->items[i].items;

        if (members && is_repeated(list, i, index)) {
            alloy_reader_fault(reader, members[index].where, "repeated",
                               apr_psprintf(reader->pool, "\"%.60s\" is in "
                                            "the list already; each may be "
                                            "there once.",
                                            members[index].text), NULL);
        }
    }
}

void alloy_unique_check(alloy_reader_t *reader, const alloy_value_t *list,
                        const alloy_param_t *element)
{
    int i;

    if (element->type != ALLOY_OBJECT || !element->inner) {
        return;
    }
    for (i = 0; element->inner[i].name; i++) {
        if (element->inner[i].flags & ALLOY_UNIQUE) {
            check_member(reader, list, i);
        }
    }
}
