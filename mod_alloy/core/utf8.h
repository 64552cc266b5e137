/**
 * @file utf8.h
 * @brief Reading UTF-8 strictly (RFC 3629): no overlong forms, no surrogates,
 * nothing over U+10FFFF.
 */
#ifndef ALLOY_CORE_UTF8_H
#define ALLOY_CORE_UTF8_H

#include <apr.h>

/** The character at *PTEXT (NUL-terminated), which moves behind it; 0 at the
 *  end and -1 where the bytes are no character: *PTEXT stays then. */
apr_int32_t alloy_utf8_next(const char **ptext);

/** Is all of TEXT (NUL-terminated) valid?  1 or 0. */
int alloy_utf8_valid(const char *text);

/** The bytes of TEXT that its first LIMIT characters take; all of it when it
 *  has fewer, up to the first byte that is no character. */
apr_size_t alloy_utf8_prefix(const char *text, int limit);

#endif
