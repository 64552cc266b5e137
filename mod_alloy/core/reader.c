/*
 * What is wrong with one call's input: every fault is gathered, up to a limit,
 * and they are told together.
 */
#include "value.h"

#include <apr_strings.h>

#include "limits.h"

void alloy_reader_fault(alloy_reader_t *reader, const char *where,
                        const char *code, const char *detail,
                        const char *const *allowed)
{
    if (!reader->problem) {
        reader->problem = alloy_problem_make(reader->pool,
                                             &alloy_validation_failed,
                                             "%s: %s", *where ? where : "body",
                                             detail);
    }
    alloy_problem_at(reader->problem, where, code, detail, allowed);
}

int alloy_reader_full(const alloy_reader_t *reader)
{
    return reader->problem && reader->problem->nfaults >= ALLOY_FAULTS_LIMIT;
}

alloy_problem_t *alloy_reader_conclude(const alloy_reader_t *reader)
{
    alloy_problem_t *problem = reader->problem;

    if (problem && problem->nfaults > 1) {
        problem->detail = apr_psprintf(reader->pool, "%s%d values are not "
                                       "acceptable; errors names each of them.",
                                       alloy_reader_full(reader)
                                       ? "At least " : "", problem->nfaults);
    }
    return problem;
}
