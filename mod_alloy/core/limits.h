/**
 * @file limits.h
 * @brief Every limit of the engine, with its unit.  What an admin may change
 * is only a default here (see conf/alloy.conf).
 */
#ifndef ALLOY_CORE_LIMITS_H
#define ALLOY_CORE_LIMITS_H

#define ALLOY_BODY_LIMIT        (1024 * 1024)   /* bytes of a request body */
#define ALLOY_PUBLIC_BODY_LIMIT (16 * 1024)     /* where no token is asked for */
#define ALLOY_JSON_DEPTH        32              /* nested arrays and objects */
#define ALLOY_JSON_VALUES       100000          /* values in one body */
#define ALLOY_TEXT_LIMIT        65536           /* characters, if not declared */
#define ALLOY_NAME_LIMIT        200             /* characters of a name */
#define ALLOY_QUERY_LIMIT       200             /* parameters in a query */
#define ALLOY_MANY_LIMIT        100             /* values of a repeatable one */
#define ALLOY_FAULTS_LIMIT      50              /* listed in one problem */
#define ALLOY_PAGE_DEFAULT      50              /* rows */
#define ALLOY_TOOL_PAGE_DEFAULT "20"            /* rows, as a fallback */
#define ALLOY_PAGE_LIMIT        200             /* rows */
#define ALLOY_TOTAL_LIMIT       10000   /* rows counted for include_total */
#define ALLOY_ARRAY_LIMIT       1000            /* rows of a bare array */
#define ALLOY_CANDIDATES        20              /* of an ambiguous reference */
#define ALLOY_REQUEST_ID_LIMIT  128             /* characters */
#define ALLOY_ORGS_LIMIT        200             /* memberships of a user */
#define ALLOY_PROJECTS_LIMIT    500             /* listed in a setting */
#define ALLOY_PRINCIPALS        4096            /* cached in a child */
#define ALLOY_HOOKS_LIMIT       8               /* in one guarded write */
#define ALLOY_RETRIES           3               /* of an aborted transaction */

#endif
