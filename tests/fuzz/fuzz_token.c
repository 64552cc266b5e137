/* Fuzz target: everything that reads what a stranger sends as a credential or
 * an id. Each input goes to all of them. Beyond not crashing, what is taken
 * must be the one text for what it says.
 */
#include "../../mod_alloy/core/id.h"
#include "../../mod_alloy/core/secret.h"

#include "../rfc7515_key.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_general.h>
#include <apr_strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stops the run, so that the fuzzer keeps the input. */
static void expect(int truth)
{
    if (!truth) {
        abort();
    }
}

static void read_id(const char *text)
{
    char written[ALLOY_ID_TEXT + 1];
    alloy_id_t id;

    if (alloy_id_parse(&id, text)) {
        alloy_id_format(&id, written);
        expect(strcasecmp(text, written) == 0);
    }
}

static void read_base64url(const char *text, apr_pool_t *pool)
{
    unsigned char *bytes;
    apr_size_t size;

    if (alloy_secret_base64url_read(&bytes, &size, text, strlen(text), pool)
        == APR_SUCCESS) {
        expect(strcmp(alloy_secret_base64url(bytes, size, pool), text) == 0);
    }
}

static void read_opaque(const char *text)
{
    alloy_secret_kind_e kind;

    if (alloy_secret_token_check(&kind, text)) {
        expect(strncmp(text, "alloy_", 6) == 0 && kind <= ALLOY_SECRET_RESET);
    }
}

static void read_access(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *pems = apr_array_make(pool, 1, sizeof(const char *));
    const alloy_secret_claims_t *claims = NULL;
    alloy_secret_keys_t *keys;
    alloy_secret_access_e verdict;

    APR_ARRAY_PUSH(pems, const char *) = RFC7515_PEM;
    expect(alloy_secret_keys_make(&keys, pems, "https://alloy.example",
                                  "https://alloy.example/api/v1", pool)
           == APR_SUCCESS);
    verdict = alloy_secret_access_read(&claims, keys, text,
                                       apr_time_from_sec(1760000000), pool);
    expect((verdict == ALLOY_SECRET_ACCESS_OK) == (claims != NULL));
    expect(claims == NULL
           || (claims->subject != NULL && claims->session != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool;
    const char *text;

    expect(apr_initialize() == APR_SUCCESS);
    expect(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    text = apr_pstrmemdup(pool, (const char *)data, size);
    read_id(text);
    read_base64url(text, pool);
    read_opaque(text);
    read_access(text, pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
