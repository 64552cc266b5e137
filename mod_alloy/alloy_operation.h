/**
 * @file alloy_operation.h
 * @brief The tables a feature is described in: statements, parameters, shapes,
 * resources, operations, hooks, and the record that hands them over.
 *
 * All of it is constant and static; nothing here runs.  Read through alloy.h.
 */
#ifndef ALLOY_OPERATION_H
#define ALLOY_OPERATION_H

#include <apr_pools.h>

#include "alloy_types.h"

/* ---- Roles --------------------------------------------------------------- */
/**
 * What a caller must be, at least.  VIEWER to OWNER are roles in an
 * organization, each including those before it; the order is the rule.
 */
typedef enum {
    ALLOY_PUBLIC,               /* no token needed, none looked at */
    ALLOY_SIGNED_IN,            /* any valid token */
    ALLOY_VIEWER, ALLOY_REPORTER, ALLOY_MEMBER, ALLOY_ADMIN, ALLOY_OWNER
} alloy_role_e;

/* ---- Problems ------------------------------------------------------------ */
/** One kind of failure: a row of the table of problems (RFC 9457). */
typedef struct {
    const char *code;           /* "invalid_transition": stable */
    int status;                 /* HTTP status */
    const char *title;          /* a few words */
    const char *help;           /* a paragraph for /problems/{code} */
    const char *sqlstate;       /* five characters a function of the database
                                 * raises to mean this kind, or NULL */
} alloy_problem_kind_t;

/** The kinds every operation may use; their texts are in core/problem.c. */
extern ALLOY_DECLARE_DATA const alloy_problem_kind_t
    alloy_malformed_json, alloy_bad_request, alloy_unauthorized,
    alloy_token_expired, alloy_forbidden, alloy_scope_missing,
    alloy_invite_mismatch, alloy_write_budget_spent, alloy_not_found,
    alloy_method_not_allowed, alloy_not_acceptable, alloy_request_timeout,
    alloy_payload_too_large, alloy_uri_too_long, alloy_headers_too_large,
    alloy_unsupported_media_type, alloy_already_exists, alloy_invalid_state,
    alloy_invalid_transition, alloy_in_use, alloy_ambiguous_reference,
    alloy_in_progress, alloy_cursor_expired, alloy_version_conflict,
    alloy_precondition_required, alloy_validation_failed,
    alloy_idempotency_mismatch, alloy_rate_limited, alloy_internal,
    alloy_unavailable, alloy_schema_mismatch, alloy_outcome_unknown;

/* ---- Statements ---------------------------------------------------------- */
/** What a statement's rows mean to the answer. */
typedef enum {
    ALLOY_SQL_EXEC,             /* rows, if any, are not the answer; 204 */
    ALLOY_SQL_ONE,              /* one object; no row means 404 (or 403) */
    ALLOY_SQL_MANY,             /* a bare array */
    ALLOY_SQL_PAGE              /* {items, next_cursor, has_more}; the engine
                                 * gives :limit (one more than asked for) and
                                 * the keyset :after_at (timestamptz, in text)
                                 * and :after_id, and reads columns _at, _id */
} alloy_sql_e;

#define ALLOY_SQL_CUSTOM 0x01u  /* optional filters: wants a custom plan */
#define ALLOY_SQL_WRITE  0x02u  /* changes something */
#define ALLOY_SQL_SLOW   0x04u  /* may take long: report, search */
#define ALLOY_SQL_WITHIN 0x08u  /* of projects' rows, only those of :project */
#define ALLOY_SQL_COUNTS 0x10u  /* takes the lock everybody wants: it comes
                                 * last (see .locks) */

/** A page's rows in another order; .word is what `sort` says: "-created_at". */
typedef struct {
    const char *word;
    const alloy_statement_t *statement;
} alloy_sort_t;

/**
 * A named SQL statement.  Made from sql/queries/<noun>.sql by sql/embed.awk,
 * never by hand.  A parameter `:name` is filled from, in this order:
 *  - what alloy_bind() gave;
 *  - the operation's parameter of that name (`:name?` is true when the caller
 *    gave it, null included; `:name_words` are the reserved words, such as
 *    none, that he wrote where ids are expected: text[], NULL when there are
 *    none);
 *  - the call: me, org (the one organization of the call), orgs (uuid[], all
 *    where the caller's role suffices), admin_orgs, owner_orgs, change_id,
 *    limit, after_at, after_id, address, client_name, operation, my_session
 *    and my_key (what the caller's own token is; one of them is NULL);
 *  - `new_<noun>`: a fresh UUIDv7 in the shard of the call's organization,
 *    the same for all statements of a call.
 * Columns whose name begins with an underscore are for the engine:
 *  _refusal  text: the code of one of the operation's refusals, NULL: none
 *  _allowed  text: with a refusal, the values accepted, one a line
 *  _created  bool: false turns 201 into 200
 *  _at, _id  the sort key of a page's row
 */
struct alloy_statement_t {
    const char *name;
    alloy_sql_e mode;
    unsigned flags;
    int nparams;
    const char *const *params;  /* names of $1, $2, ...; NULL-terminated */
    const char *text;
    const alloy_statement_t *count;     /* PAGE: the same rows counted, column
                                 * total; or NULL */
    const alloy_sort_t *sorts;  /* PAGE: its orders, ended by a NULL word, what
                                 * `sort` may be; or NULL: only its own */
    const char *locks;          /* parameter with the id of the row that it
                                 * changes; NULL: not said */
};

#define ALLOY_PARAMS_MAX 48     /* of one statement */

/* ---- Parameters ---------------------------------------------------------- */
typedef enum {
    ALLOY_TEXT,                 /* UTF-8 without NUL; limits in characters */
    ALLOY_INT,                  /* 64 bits; limits in units */
    ALLOY_BOOL,
    ALLOY_UUID,
    ALLOY_DATE,                 /* YYYY-MM-DD */
    ALLOY_INSTANT,              /* RFC 3339 */
    ALLOY_WORD,                 /* one of .words, any letter case */
    ALLOY_REF,                  /* to a row of .resource: an id or a name */
    ALLOY_LIST,                 /* of what .inner[0] describes */
    ALLOY_OBJECT,               /* of the parameters in .inner */
    ALLOY_HALF,                 /* a number in half steps, kept doubled */
    ALLOY_JSON,                 /* answers only: a json column, see .shape */
    ALLOY_HUNDREDTH             /* a number with two decimals, kept times one
                                 * hundred */
} alloy_type_e;

/**
 * A rule beyond type and length.  CHECK gets the value (checked for type and
 * length before) and may put another spelling of it into *VALUE, from POOL.
 * @return NULL, or a sentence for the caller.
 */
typedef struct {
    const char *name;           /* "email": the format in /openapi.json */
    const char *pattern;        /* an ECMA regular expression for the same
                                 * document, or NULL */
    const char *(*check)(const char **value, apr_pool_t *pool);
} alloy_format_t;

extern ALLOY_DECLARE_DATA const alloy_format_t
    alloy_format_email, alloy_format_slug, alloy_format_project_key,
    alloy_format_currency, alloy_format_timezone, alloy_format_name,
    alloy_format_line, alloy_format_person, alloy_format_password;

#define ALLOY_REQUIRED   0x001u
#define ALLOY_NULLABLE   0x002u /* null is a value: it clears the field */
#define ALLOY_SECRET     0x004u /* never logged, never answered, never stored */
#define ALLOY_IN_QUERY   0x008u /* not in the body of a write */
#define ALLOY_IN_BODY    0x010u /* in the body even of a DELETE */
#define ALLOY_MANY       0x020u /* in a query: repeatable, OR; bound as array */
#define ALLOY_MULTILINE  0x040u /* newline and tab are text */
#define ALLOY_STRICT     0x080u /* REF that decides about rights: no display
                                 * names */
#define ALLOY_SELF       0x100u /* REF to a person: the caller when absent;
                                 * somebody else needs Admin */
#define ALLOY_HOME       0x200u /* REF to the call's organization, where the
                                 * default rule applies when absent; or to what
                                 * tells it, in the place of a path */
#define ALLOY_ANSWERED   0x400u /* shapes: may be absent from an answer */
#define ALLOY_UNIQUE     0x800u /* in a LIST's OBJECT: no two with the same */

/**
 * One parameter.  In the path when the path names it, else in the query of
 * GET and DELETE and in the body of the rest, unless flags say otherwise.
 * Parameters not declared are refused.
 */
struct alloy_param_t {
    const char *name;           /* the same in path, query, body and tool */
    alloy_type_e type;
    unsigned flags;
    const char *help;           /* one sentence */
    apr_int64_t least, most;    /* INT: value; TEXT: characters; LIST: items;
                                 * both 0: the engine's own limits */
    const char *const *words;   /* WORD: NULL-terminated, as answered; REF:
                                 * reserved here, beside the resource's own */
    const char *const *aliases; /* WORD: pairs "Urgent", "Critical", NULL */
    const char *fallback;       /* value when absent, as text, or NULL */
    const alloy_format_t *format;       /* or NULL */
    const alloy_resource_t *resource;   /* REF */
    const char *resource_param; /* REF: instead, the WORD parameter that names
                                 * it; `:name_project`: the row's project */
    const char *within;         /* REF by name: the parameter that holds the
                                 * parent, or "org": the call's organization */
    const alloy_param_t *inner; /* LIST; OBJECT: NULL for any */
    alloy_role_e role;          /* needs more than the operation does, or 0 */
    const char *tool_name;      /* what a tool calls it; NULL: the name, for a
                                 * REF without "_id" */
    const char *tool_fallback;  /* a tool's value when absent; NULL: as in
                                 * .fallback */
};

#define ALLOY_PARAMS_END { .name = NULL }

/* ---- Shapes: what an answer looks like ----------------------------------- */
/** A key of an answer, and the column it comes from (same name). */
typedef struct {
    const char *name;
    alloy_type_e type;
    unsigned flags;             /* ALLOY_NULLABLE, ALLOY_ANSWERED */
    const char *help;
    const char *const *words;   /* WORD */
    const alloy_shape_t *shape; /* JSON: the shape of the object, or of each
                                 * element when flags has ALLOY_MANY */
    const alloy_resource_t *resource;   /* UUID "x_id": of such a row; tools
                                 * answer what people call it as "x" */
} alloy_field_t;

#define ALLOY_FIELDS_END { .name = NULL }

struct alloy_shape_t {
    const char *name;           /* "Ticket" */
    const alloy_field_t *fields;
    const char *const *compact; /* what tools answer of a list's row, and of
                                 * what they changed, unless asked for more;
                                 * NULL: all */
};

/* ---- Resources: what can be referred to ---------------------------------- */
/**
 * An entity type: a kind of row that parameters refer to and the change log
 * speaks of.
 *
 * FIND statements get :ref (what the caller wrote), :within (id of the parent,
 * or NULL), :orgs (every organization the caller belongs to) and :me, and
 * answer id, org_id, project_id (or NULL), label (for a list of candidates)
 * and rank (int: the lowest wins); at most 20 rows.
 */
struct alloy_resource_t {
    const char *name;           /* "ticket"; also the change log's word */
    const char *table;          /* "alloy.ticket" */
    alloy_role_e read;          /* least role to read one */
    int sharded;                /* ids carry their organization's shard bits */
    const alloy_statement_t *find_id;   /* :ref is a UUID; NULL: no parameter
                                         * refers to it */
    const alloy_statement_t *find_name; /* :ref is anything else; or NULL */
    const alloy_statement_t *find_many; /* for batches: those of :refs text[]
                                         * and :ids uuid[], with column ref:
                                         * which one a row is for; or NULL */
    const char *const *reserved;        /* words new names may not be */
    const alloy_statement_t *remove;    /* :id - delete one, or NULL */
    const alloy_statement_t *restore;   /* :id - bring it back, or NULL */
    int whole;                  /* the organization's, in no project: keys for
                                 * some projects use no rights of an Admin on
                                 * what is below it */
};

/** The core's entity types. */
extern ALLOY_DECLARE_DATA const alloy_resource_t
    alloy_org_resource,         /* an id or a slug, among the caller's own */
    alloy_user_resource,        /* an id, an e-mail address, a display name,
                                 * or me */
    alloy_person_resource,      /* the same where it decides about rights: no
                                 * display names, anybody can choose one */
    alloy_project_resource,     /* an id, a key or a name */
    alloy_workflow_resource, alloy_ticket_resource, alloy_comment_resource,
    alloy_label_resource, alloy_team_resource;

/* ---- Guarded writes and hooks --------------------------------------------- */
/** What a decision is made from; rows are NULL where a statement found none. */
typedef struct {
    alloy_call_t *call;
    const alloy_row_t *row;     /* of the guarded write's own read statement */
    const alloy_rows_t *facts;  /* of the hook's statement */
} alloy_facts_t;

/**
 * Decide whether a write may happen: a pure function of FACTS that may bind
 * parameters of the write (alloy_bind) and nothing else, because the engine
 * may ask again.  @return NULL to let it happen.
 */
typedef alloy_problem_t *alloy_decide_fn(const alloy_facts_t *facts);

/**
 * A write that is decided in C between reading and writing.  The engine runs
 * it in one of two forms that the decision can't tell apart:
 *  compare and set   read; decide; write where the version is still :seen
 *                    (at most three times)
 *  locked            BEGIN; lock; read; decide; write; COMMIT - when a hook
 *                    counts, and as the fourth try.
 */
typedef struct {
    const char *action;         /* "ticket_update": what hooks name */
    int (*locked)(const alloy_call_t *call);    /* only so? or NULL */
    const alloy_statement_t *lock;  /* takes the row's lock, answers nothing */
    const alloy_statement_t *read;  /* the row with its column version; no
                                     * row: 404 or 403 */
    alloy_decide_fn *decide;        /* the owner's own rules, or NULL */
    const alloy_statement_t *write; /* answers the row; gets :seen */
    int counts;                     /* looks at other rows: locked form only */
} alloy_guarded_t;

/**
 * A write for many rows at once, as batches run it: in the locked form, with
 * the decision and the hooks of the single write asked for each row.
 * Statements get :ids (uuid[], the rows) and :rows (json: for each row an
 * object with what the parameters of the single lock, read or write would be,
 * under their names and as texts).
 */
typedef struct {
    const alloy_statement_t *lock;  /* in order of id; the same one for all
                                     * writes of a noun */
    const alloy_statement_t *read;  /* id and what the single one answers */
    const alloy_statement_t *write; /* answers id of each row written */
    const alloy_statement_t *show;  /* the answers, for :ids; NULL: none */
} alloy_many_t;

/**
 * A plugin's say in somebody's guarded write.  Facts that are counts of other
 * rows are only true while whoever else would change them waits: .lock takes
 * the row that stands for all of them (a project's, an organization's), in a
 * statement of its own, because what a statement sees is older than the lock
 * it waited for (PostgreSQL's documentation, 13.2.1).  Locks of hooks are
 * taken before the guarded write's own.
 *
 * .before may also let the write happen under protest: alloy_warn().
 */
typedef struct {
    const char *action;
    const alloy_statement_t *facts; /* run with the read, or NULL */
    const alloy_statement_t *facts_many;    /* in a batch, with :ids and :rows
                                     * as in alloy_many_t: what .facts answers
                                     * and id; NULL: .facts, row by row */
    int counts;                     /* facts are counts: locked form only */
    alloy_decide_fn *before;
    const alloy_statement_t *lock;  /* with .counts or .must_lock, or NULL */
    const alloy_statement_t *lock_many;     /* in a batch, with :ids and :rows
                                     * as for .facts_many: locks what .lock
                                     * would; NULL: .lock, row by row */
    int (*must_lock)(const alloy_facts_t *facts);   /* are these facts counts?
                                     * Asked before .before, or NULL */
} alloy_hook_t;

/* ---- Operations ------------------------------------------------------------ */
typedef enum {
    ALLOY_GET, ALLOY_POST, ALLOY_PUT, ALLOY_PATCH, ALLOY_DELETE
} alloy_method_e;

/** A refusal a statement may answer in _refusal. */
typedef struct {
    const char *code;           /* what the column says */
    const alloy_problem_kind_t *kind;
    const char *where;          /* pointer or parameter at fault, or NULL */
    const char *detail;         /* a sentence */
} alloy_refusal_t;

#define ALLOY_CREATES     0x01u /* 201 */
#define ALLOY_TRANSACTION 0x02u /* run: one transaction around the function */
#define ALLOY_REVEALS     0x04u /* answers a secret: no-store, no replay */
#define ALLOY_ROOT        0x08u /* also at the server's root, AlloyRootPaths */
#define ALLOY_SPREADS     0x10u /* no organization named: covers all of the
                                 * caller's, by :orgs */
#define ALLOY_HIDDEN      0x20u /* not in /openapi.json */
#define ALLOY_TOKEN_READ  0x40u /* public, but a good token is read */
#define ALLOY_ANY_SCOPE   0x80u /* for every token, whatever its scopes */
#define ALLOY_NESTS      0x200u /* runs other operations: fails as any may */
#define ALLOY_ACCOUNT    0x400u /* about all of the caller's account: not for
                                 * keys that reach only part of it */
#define ALLOY_LISTED    0x1000u /* its tools are among those models are shown
                                 * unless they ask for others */
#define ALLOY_OVERWRITES 0x2000u /* a POST that may replace or remove something:
                                 * its tools say so */
#define ALLOY_REPEATS   0x4000u /* creates, but once only: sending it again
                                 * changes nothing more */
#define ALLOY_CHART      0x100u /* run: answers JSON or a chart; alloy_report.h */
#define ALLOY_CSV        0x800u /* run: answers JSON or a table; alloy_report.h */

/**
 * One more tool for an operation, with something settled beforehand; whatever
 * is not said here is as in the operation's row.
 */
typedef struct {
    const char *name;           /* "assign_ticket"; NULL ends the list */
    const char *summary;        /* one sentence, for people and models */
    const char *const *fixed;   /* pairs of a parameter, which it does not take,
                                 * and the value it sends instead, as written in
                                 * a query; ended by NULL; or NULL */
    const char *const *required;    /* parameters it asks for, or NULL */
    const char *const *only;    /* of the optional parameters the ones it takes;
                                 * NULL: all */
    const char *uri;            /* as the operation's .uri, or NULL */
} alloy_tool_t;

#define ALLOY_TOOLS_END { .name = NULL }

#define ALLOY_STEPS_MAX 4

/** The code of the operation itself.  NULL: answered. */
typedef alloy_problem_t *alloy_run_fn(alloy_call_t *call);

/**
 * An operation.  Exactly one of steps[0], guarded and run is set.
 *  steps    sent in one flush, one transaction; the answer is that of the last
 *  guarded  see alloy_guarded_t
 *  run      C decides; it answers by alloy_answer_*() or alloy_out()
 */
struct alloy_operation_t {
    const char *id;             /* "ticket_create" */
    alloy_method_e method;
    const char *path;           /* "/projects/{project}/tickets" */
    const char *tool;           /* "create_ticket", or NULL: no tool */
    const alloy_tool_t *tools;  /* more of them, or NULL */
    const char *noun;           /* "tickets": scopes tickets:read, :write; the
                                 * tag in /openapi.json */
    const char *summary;        /* one sentence, for people and models */
    const char *help;           /* more, or NULL */
    alloy_role_e role;          /* at least, in the organization concerned */
    unsigned flags;
    const alloy_param_t *params;
    const alloy_shape_t *answer;        /* NULL: 204 or a document */
    const alloy_statement_t *steps[ALLOY_STEPS_MAX];
    const alloy_statement_t *plain;     /* instead of the last step when none of
                                         * .plain_without was given; a :one
                                         * that answers no row has changed
                                         * nothing, and the step is run */
    const char *const *plain_without;   /* names, ended by NULL; or NULL: all
                                         * but those in the path */
    const char *key;            /* PAGE: when this parameter, "q", is given: */
    const alloy_statement_t *keyed;     /* this instead; both or neither */
    const alloy_guarded_t *guarded;
    const alloy_many_t *many;   /* as a part of a batch, beside guarded or
                                 * steps; or NULL: in none */
    alloy_run_fn *run;
    const char *creates;        /* "org", "project": new_<this> joins the
                                 * call's settings, or NULL */
    const char *location;       /* "/tickets/{id}": from the answer's keys */
    const char *own_note;       /* who else may: "the author", for the 403 */
    const alloy_refusal_t *refusals;    /* ended by a NULL code, or NULL */
    const char *document;       /* media type of the document run answers by
                                 * alloy_answer_document(), or NULL */
    const char *uri;            /* "alloy://tickets/{ticket}": where fronts
                                 * let it be read as a document, with at most
                                 * one argument, the end; or NULL */
    const alloy_statement_t *past;      /* instead of the last step when the
                                         * parameter as_of was given, or NULL */
};

#define ALLOY_OPERATIONS_END { .id = NULL }
#define ALLOY_REFUSALS_END { .code = NULL }

/** Keys a plugin adds to somebody's operation. */
typedef struct {
    const char *operation;          /* id of the operation */
    const alloy_param_t *params;    /* added to its input, or NULL */
    const alloy_field_t *fields;    /* added to its answer, or NULL */
    const alloy_statement_t *write; /* run in the same transaction after the
                                     * operation's own, when one of .params
                                     * was given, or NULL; gets :id, the
                                     * answer's */
    const alloy_statement_t *read;  /* columns id and those of .fields, for
                                     * :ids uuid[]; needed with .fields */
    const alloy_refusal_t *refusals;    /* .write may answer, or NULL */
    const alloy_statement_t *instead;   /* answers instead of the operation's
                                         * last step, in the same shape; one
                                         * plugin's at most, or NULL */
} alloy_extension_t;

/* ---- Plugins --------------------------------------------------------------- */
/**
 * All a plugin is, handed over in its register_hooks function by
 *   ap_register_provider(pool, ALLOY_PLUGIN_GROUP, "name",
 *                        ALLOY_PLUGIN_VERSION, &record);
 * The core describes itself with one as well.  Lists end with NULL.
 */
typedef struct {
    apr_size_t size;            /* ALLOY_PLUGIN_INIT fills these three */
    int major, minor;
    const char *name;           /* "finance"; also the migrations' component */
    int schema;                 /* number of its newest migration; 0: none */
    const alloy_operation_t *const *operations;     /* tables */
    const alloy_statement_t *const *const *statements;  /* tables */
    const alloy_problem_kind_t *const *problems;
    const alloy_resource_t *const *resources;
    const alloy_extension_t *const *extensions;
    const alloy_hook_t *const *hooks;
} alloy_plugin_t;

#define ALLOY_PLUGIN_INIT \
    .size = sizeof(alloy_plugin_t), .major = ALLOY_API_MAJOR, \
    .minor = ALLOY_API_MINOR

#define ALLOY_PLUGIN_GROUP "alloy_plugin"
#define ALLOY_PLUGIN_VERSION "1"

#endif
