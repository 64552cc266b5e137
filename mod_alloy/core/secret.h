/* Everything that needs cryptography: random bytes, digests, comparison,
 * opaque tokens (secret.c), passwords (password.c), signed access tokens
 * (token.c). OpenSSL, argon2 and cjose stay inside those three files.
 *
 * Unless said otherwise: no argument may be NULL, texts are NUL-terminated,
 * what is returned lives as long as the pool given last, and every function
 * may be called by several threads at once.
 */
#ifndef ALLOY_SECRET_H
#define ALLOY_SECRET_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

/* ---- bytes -------------------------------------------------------------- */

#define ALLOY_SECRET_DIGEST 32 /* bytes of a SHA-256 digest */

/* Fills `size` bytes from the kernel's generator. Fails only when the kernel
 * has none to give; the buffer must not be used then. */
apr_status_t alloy_secret_random(void *bytes, apr_size_t size);

/* The SHA-256 digest of `size` bytes; `data` may be NULL when size is 0. */
void alloy_secret_sha256(unsigned char digest[ALLOY_SECRET_DIGEST],
                         const void *data, apr_size_t size);

/* Are `size` bytes the same? 1 or 0, in a time that does not tell where they
 * differ. */
int alloy_secret_same(const void *a, const void *b, apr_size_t size);

/* Overwrites `size` bytes in a way no compiler leaves out. For passwords and
 * private keys that outlive their use. NULL is allowed when size is 0. */
void alloy_secret_erase(void *bytes, apr_size_t size);

/* Lower case hexadecimal text of `size` bytes. */
const char *alloy_secret_hex(const void *data, apr_size_t size,
                             apr_pool_t *pool);

/* Base64url without padding (RFC 4648, section 5; RFC 7515, section 2). */
const char *alloy_secret_base64url(const void *data, apr_size_t size,
                                   apr_pool_t *pool);

/* Reads `length` characters of base64url. APR_EINVAL for padding, any other
 * character, an impossible length, or unused bits that are not zero, so that
 * different texts are different bytes. A NUL follows the *size bytes. */
apr_status_t alloy_secret_base64url_read(unsigned char **data,
                                         apr_size_t *size, const char *text,
                                         apr_size_t length, apr_pool_t *pool);

/* ---- opaque tokens ------------------------------------------------------ */

/* What an opaque token is for. Its text begins with the word given here. */
typedef enum {
    ALLOY_SECRET_LIVE,    /* alloy_live_     an API key */
    ALLOY_SECRET_TEST,    /* alloy_test_     an API key for trying out */
    ALLOY_SECRET_REFRESH, /* alloy_refresh_  a session's refresh token */
    ALLOY_SECRET_INVITE,  /* alloy_invite_   the code of an invitation */
    ALLOY_SECRET_RESET    /* alloy_reset_    the code of a password reset */
} alloy_secret_kind_e;

/* Makes a token: the word of its kind, 32 random characters 0-9 A-Z a-z (190
 * bits), 6 characters of checksum. Show it once; keep alloy_secret_sha256()
 * of the text. Fails as alloy_secret_random() does. */
apr_status_t alloy_secret_token_make(const char **text,
                                     alloy_secret_kind_e kind,
                                     apr_pool_t *pool);

/* Is the text a whole token, with the right checksum? Returns 1 and its kind,
 * or 0 for a text nobody ever got from us (a typing error, a truncated copy,
 * another program's token): no look-up is needed to refuse it. The checksum
 * is no secret: 1 does not mean that the token exists. */
int alloy_secret_token_check(alloy_secret_kind_e *kind, const char *text);

/* ---- passwords ---------------------------------------------------------- */

/* Lengths of a password in bytes. Callers check them; nothing here does. */
#define ALLOY_SECRET_PASSWORD_MIN 8
#define ALLOY_SECRET_PASSWORD_MAX 1024

/* Lets so many threads hash at once and so many more wait for their turn: one
 * hash takes 19 MiB and some 25 ms of a core, and anyone may ask for one. */
typedef struct alloy_secret_hasher_t alloy_secret_hasher_t;

/* Makes a hasher for `slots` hashes at once (0: as many as there are cores)
 * and four times as many waiting. It lives as long as the pool; no call may be
 * under way when that is destroyed. One per process is the idea. */
apr_status_t alloy_secret_hasher_make(alloy_secret_hasher_t **hasher,
                                      unsigned slots, apr_pool_t *pool);

/* Makes the text to keep for a password: argon2id, m=19456 KiB, t=2, p=1 (the
 * OWASP password storage cheat sheet's least), with a salt of its own.
 * APR_EAGAIN at once when slots and queue are full: answer 429. Otherwise
 * waits for a slot. Other failures (memory, random bytes) are ours. */
apr_status_t alloy_secret_password_make(const char **encoded,
                                        alloy_secret_hasher_t *hasher,
                                        const char *password,
                                        apr_pool_t *pool);

/* Does the password belong to the text? Sets *matches to 1 or 0. `encoded`
 * NULL (there is no such user, or he has no password) takes as long as any
 * other and never matches. APR_EAGAIN as above; APR_EINVAL when `encoded` is
 * not an argon2id text (*matches is 0). */
apr_status_t alloy_secret_password_check(int *matches,
                                         alloy_secret_hasher_t *hasher,
                                         const char *encoded,
                                         const char *password);

/* Was the text made with other parameters than today's? 1: make a new one at
 * the next login, while the password is at hand. */
int alloy_secret_password_outdated(const char *encoded);

/* ---- access tokens ------------------------------------------------------ */

#define ALLOY_SECRET_ACCESS_MAX 2048 /* characters of an access token */
#define ALLOY_SECRET_ACCESS_SKEW 30  /* seconds clocks may disagree by */

/* Signing keys and the names this installation signs under. Constant once
 * made, shared by all threads. */
typedef struct alloy_secret_keys_t alloy_secret_keys_t;

/* What an access token says (RFC 7519, section 4.1). */
typedef struct alloy_secret_claims_t {
    const char *subject;   /* sub: id of the user */
    const char *session;   /* sid: id of the session */
    apr_time_t issued_at;  /* iat: the token carries whole seconds */
    apr_time_t expires_at; /* exp: likewise */
} alloy_secret_claims_t;

/* Why a token was refused, or that it was not. */
typedef enum {
    ALLOY_SECRET_ACCESS_OK,
    ALLOY_SECRET_ACCESS_MALFORMED,      /* not a token of the kind we make */
    ALLOY_SECRET_ACCESS_UNKNOWN_KEY,    /* signed by a key not in the ring */
    ALLOY_SECRET_ACCESS_BAD_SIGNATURE,  /* forged or damaged */
    ALLOY_SECRET_ACCESS_WRONG_ISSUER,   /* made for another installation */
    ALLOY_SECRET_ACCESS_WRONG_AUDIENCE, /* meant for another service */
    ALLOY_SECRET_ACCESS_NOT_YET_VALID,  /* issued in the future */
    ALLOY_SECRET_ACCESS_EXPIRED         /* 401 token_expired: refresh it */
} alloy_secret_access_e;

/* Makes a new P-256 private key in PEM (PKCS #8), for a ring's first start. */
apr_status_t alloy_secret_key_make(const char **pem, apr_pool_t *pool);

/* Makes a ring of the private keys in `pems` (const char *, each the PEM of
 * one P-256 key, unencrypted; at least one). The first signs, all verify: to
 * rotate, put a new one first and drop the last when its tokens have expired.
 * `issuer` and `audience` (copied) go into each token and are required of
 * each. APR_EINVAL when an entry is no such key, is there twice, or none is
 * given; *keys is unset then. Released with the pool. */
apr_status_t alloy_secret_keys_make(alloy_secret_keys_t **keys,
                                    const apr_array_header_t *pems,
                                    const char *issuer, const char *audience,
                                    apr_pool_t *pool);

/* The name of the key at `index` (0: the one that signs): its JWK thumbprint
 * (RFC 7638), 43 characters. NULL past the last. Lives as long as the ring. */
const char *alloy_secret_keys_name(const alloy_secret_keys_t *keys,
                                   unsigned index);

/* Makes an access token: a JWS in compact form (RFC 7515), ES256, of type
 * at+jwt (RFC 9068). APR_EINVAL when a time is outside the years 1970..9999, a
 * text is not UTF-8, or the token would pass ALLOY_SECRET_ACCESS_MAX. */
apr_status_t alloy_secret_access_make(const char **text,
                                      const alloy_secret_keys_t *keys,
                                      const alloy_secret_claims_t *claims,
                                      apr_pool_t *pool);

/* Reads an access token as of `now`. Anything but OK leaves *claims unset, and
 * nothing it says has any meaning. The header must be what
 * alloy_secret_access_make() writes: alg ES256, typ at+jwt, a kid of the ring,
 * and no other member (so neither jku, jwk, x5u nor crit is ever looked at).
 * The signature is checked before any claim. */
alloy_secret_access_e alloy_secret_access_read(
    const alloy_secret_claims_t **claims, const alloy_secret_keys_t *keys,
    const char *text, apr_time_t now, apr_pool_t *pool);

#endif
