/**
 * @file param.h
 * @brief Reading a call's input by its declared parameters: path, query and
 * body, every fault reported at once by JSON pointer or parameter name.
 */
#ifndef ALLOY_CORE_PARAM_H
#define ALLOY_CORE_PARAM_H

#include "../alloy.h"
#include "json.h"
#include "problem.h"

typedef struct alloy_value_t alloy_value_t;

/** What the caller sent for one parameter. */
struct alloy_value_t {
    int given;                  /* sent, be it null */
    const char *text;           /* canonical, ready to bind; NULL: absent or
                                 * null.  REF: as written until resolved,
                                 * then the id.  LIST of scalars and MANY: an
                                 * array literal of PostgreSQL.  OBJECT and
                                 * LIST of OBJECT: JSON text */
    apr_int64_t number;         /* INT, BOOL, HALF, HUNDREDTH */
    const char *where;          /* pointer or name, for faults */
    int count;                  /* LIST and MANY: the single values; OBJECT:
                                 * those of .inner, in its order */
    alloy_value_t *items;
    const alloy_json_t *json;   /* as it came in a body, or NULL */
    const char *word;           /* REF: the reserved word it was; text is then
                                 * NULL.  Set when references are resolved */
};

/** Where the values come from. */
typedef struct {
    const alloy_param_t *const *params; /* COUNT merged rows of the operation */
    int count;
    int reads_body;             /* POST, PUT, PATCH (or an IN_BODY parameter):
                                 * parameters without a flag are in the body */
    const char *const *path;    /* per parameter: the decoded path segment, or
                                 * NULL when the path does not name it */
    const char *query;          /* raw query string, or NULL */
    const alloy_json_t *body;   /* an object, or NULL for an empty body */
    int paged;                  /* limit, cursor are understood as well */
} alloy_input_t;

/** Of a page; see ALLOY_SQL_PAGE. */
typedef struct {
    int limit;
    const char *cursor;         /* as sent, or NULL */
} alloy_paging_t;

enum { ALLOY_PAGING_LIMIT, ALLOY_PAGING_CURSOR };

/** What every page understands besides its own parameters; ended by NULL. */
extern const alloy_param_t *const alloy_paging_params[];

/**
 * Read and check everything.  *PVALUES has INPUT->count entries.
 * Problems: bad_request (a query that can't be decoded), not_found (a path
 * segment that is no value of its parameter's type), validation_failed with
 * every fault.  References are only checked for their form.
 */
alloy_problem_t *alloy_params_read(alloy_value_t **pvalues,
                                   alloy_paging_t *paging,
                                   const alloy_input_t *input,
                                   apr_pool_t *pool);

/** Check one text by a parameter's row (limits, words, format); used for
 *  tools and tests as well.  @return NULL or a sentence; *VALUE may change. */
const char *alloy_param_check_text(const alloy_param_t *param,
                                   const char **value, apr_pool_t *pool);

/** COUNT texts as an array literal of PostgreSQL, quoted where needed. */
const char *alloy_array_literal(const char *const *texts, int count,
                                apr_pool_t *pool);

/** Make the text of a LIST, a MANY or an OBJECT anew from its items, after
 *  references in them were resolved. */
void alloy_value_retext(alloy_value_t *value, const alloy_param_t *param,
                        apr_pool_t *pool);

/** Is TEXT one of the parameter's words in any letter case?  The canonical
 *  spelling, or NULL. */
const char *alloy_word_find(const char *const *words,
                            const char *const *aliases, const char *text);

#endif
