/**
 * @file accept.h
 * @brief Which of two media types a request would rather have (RFC 9110,
 * section 12.5.1).
 */
#ifndef ALLOY_CORE_ACCEPT_H
#define ALLOY_CORE_ACCEPT_H

/**
 * Would a client that sent ACCEPT (NULL: nothing) rather have TYPE than OTHER?
 * Its weight must be higher, or the same and TYPE named more exactly.
 */
int alloy_accept_prefers(const char *accept, const char *type,
                         const char *other);

#endif
