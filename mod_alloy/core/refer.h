/**
 * @file refer.h
 * @brief The parts of resolving references that refer.c, home.c and lookup.c
 * share: what waits for a look-up, and what says that nothing was found.
 */
#ifndef ALLOY_CORE_REFER_H
#define ALLOY_CORE_REFER_H

#include "call.h"

/** A reference that takes a look-up. */
typedef struct {
    const alloy_param_t *param;
    alloy_value_t *value;       /* its text is replaced by the id found */
    int path;                   /* it stands in the path: a 404 if lost */
} alloy_pending_t;

/* refer.c */
/** Where the request names the resource: the same parameter with it. */
alloy_problem_t *alloy_refer_fill(alloy_call_t *call,
                                  const alloy_param_t **pparam);

/* lookup.c */
/** The same words whether it is nowhere, in another tenant or out of sight. */
alloy_problem_t *alloy_refer_lost(alloy_call_t *call,
                                  const alloy_pending_t *pending);
/** One of the things an ambiguous reference may mean. */
void alloy_refer_candidate(alloy_out_t *out, const char *id,
                           const char *label);
/** Can RESOURCE be found by TEXT at all? */
int alloy_refer_can_find(const alloy_resource_t *resource, const char *text);
/** Look COUNT references up in one flush.  ANCHOR: what is found tells the
 *  call's organization. */
alloy_problem_t *alloy_refer_look_up(alloy_call_t *call,
                                     alloy_pending_t *pending, int count,
                                     int anchor);
/** The parent's id: of another parameter, or the call's organization.  NULL
 *  where the parent itself was not found, or where there are several. */
const char *alloy_refer_within(const alloy_call_t *call,
                               const alloy_param_t *param);
/** Look one up: its rows. */
alloy_problem_t *alloy_refer_find(alloy_call_t *call,
                                  const alloy_pending_t *pending,
                                  const alloy_rows_t **prows);
/** Take the best of its rows.  ANCHOR as above. */
alloy_problem_t *alloy_refer_take(alloy_call_t *call,
                                  const alloy_pending_t *pending,
                                  const alloy_rows_t *rows, int anchor);
/** What people call the rows of RESOURCE with COUNT ids, in one flush; NULL
 *  where the caller sees none. */
alloy_problem_t *alloy_refer_labels(alloy_call_t *call,
                                    const alloy_resource_t *resource,
                                    const char *const *ids, int count,
                                    const char **labels);
/** Index of the operation's parameter NAME, or -1. */
int alloy_refer_param(const alloy_call_t *call, const char *name);
int alloy_refer_in_path(const alloy_call_t *call, int index);

/* many_refer.c */
/** As alloy_refer_look_up, for the part of a batch that remembers. */
alloy_problem_t *alloy_many_look_up(alloy_call_t *call,
                                    alloy_pending_t *pending, int count,
                                    int anchor);

/* home.c */
int alloy_refer_is_org(const alloy_param_t *param);
void alloy_refer_take_org(alloy_call_t *call, const alloy_membership_t *org);
/** An organization by id or slug, from the principal. */
alloy_problem_t *alloy_refer_org(alloy_call_t *call,
                                 const alloy_param_t *param,
                                 alloy_value_t *value, int path);
/** Find the call's organization: by the anchor, or by the default rule. */
alloy_problem_t *alloy_refer_home(alloy_call_t *call);

#endif
