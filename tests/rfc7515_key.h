/* The P-256 key of RFC 7515, appendix A.3, as the RFC prints it and as PEM.
 * Published, hence worthless: tests only.
 */
#ifndef ALLOY_TESTS_RFC7515_KEY_H
#define ALLOY_TESTS_RFC7515_KEY_H

#define RFC7515_JWK                                                   \
    "{\"kty\":\"EC\",\"crv\":\"P-256\","                              \
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","          \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\","          \
    "\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}"

#define RFC7515_PEM                                                        \
    "-----BEGIN PRIVATE KEY-----\n"                                        \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"   \
    "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"   \
    "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"           \
    "-----END PRIVATE KEY-----\n"

/* Its thumbprint (RFC 7638), computed by another implementation. */
#define RFC7515_NAME "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"

#endif
