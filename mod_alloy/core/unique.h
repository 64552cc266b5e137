/**
 * @file unique.h
 * @brief The rule of ALLOY_UNIQUE, for the reader of lists.
 */
#ifndef ALLOY_CORE_UNIQUE_H
#define ALLOY_CORE_UNIQUE_H

#include "value.h"

/** Add a fault ("repeated") for each element of LIST with the same text in a
 *  member of ELEMENT that is ALLOY_UNIQUE as an element before it. */
void alloy_unique_check(alloy_reader_t *reader, const alloy_value_t *list,
                        const alloy_param_t *element);

#endif
