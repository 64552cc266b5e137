/*
 * Making a call inside another one: a part of a batch, or of what undoes a
 * change.
 */
#include "part.h"

alloy_call_t *alloy_part_make(alloy_call_t *call,
                              const alloy_request_t *request,
                              const alloy_route_t *route,
                              alloy_answer_t *answer)
{
    alloy_call_t *part = apr_pcalloc(call->pool, sizeof(*part));

    answer->headers = apr_table_make(call->pool, 4);
    answer->status = route->op->row->flags & ALLOY_CREATES ? 201 : 200;
    part->pool = call->pool;
    part->engine = call->engine;
    part->request = request;
    part->op = route->op;
    part->route = route;
    part->answer = answer;
    part->principal = call->principal;
    part->session = call->session;
    part->parent = call;
    part->verified = 1;
    return part;
}
