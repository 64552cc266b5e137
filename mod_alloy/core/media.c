/*
 * The media types an operation can answer in: JSON, and by its flags a chart or
 * a table.
 */
#include "media.h"

#include <string.h>

#include <apr_strings.h>

#include "accept.h"
#include "call.h"

const alloy_media_t alloy_media[] = {
    { ALLOY_CHART, ALLOY_CHART_TYPE },
    { ALLOY_CSV, ALLOY_CSV_TYPE },
    { 0, NULL }
};

int alloy_media_varies(const alloy_operation_t *row)
{
    const alloy_media_t *media = alloy_media;

    while (media->type && !(row->flags & media->flag)) {
        media++;
    }
    return media->type != NULL;
}

const char *alloy_media_choose(const alloy_operation_t *row,
                               const char *accept)
{
    const char *best = ALLOY_JSON_TYPE;
    const alloy_media_t *media;

    for (media = alloy_media; media->type; media++) {
        if ((row->flags & media->flag)
            && alloy_accept_prefers(accept, media->type, best)) {
            best = media->type;
        }
    }
    return best;
}

const char *alloy_media_list(const alloy_operation_t *row, apr_pool_t *pool)
{
    const char *list = ALLOY_JSON_TYPE;
    const alloy_media_t *media;

    for (media = alloy_media; media->type; media++) {
        if (row->flags & media->flag) {
            list = apr_pstrcat(pool, list, " or ", media->type, NULL);
        }
    }
    return list;
}

/* ---- what operations may ask ------------------------------------------------ */

static int wants(const alloy_call_t *call, unsigned flag, const char *type)
{
    const alloy_operation_t *row = call->op->row;

    if (row->document) {
        return !strcmp(row->document, type);
    }
    return (row->flags & flag)
           && !strcmp(alloy_media_choose(row, call->request->accept), type);
}

ALLOY_DECLARE(int) alloy_wants_chart(const alloy_call_t *call)
{
    return wants(call, ALLOY_CHART, ALLOY_CHART_TYPE);
}

ALLOY_DECLARE(int) alloy_wants_csv(const alloy_call_t *call)
{
    return wants(call, ALLOY_CSV, ALLOY_CSV_TYPE);
}
