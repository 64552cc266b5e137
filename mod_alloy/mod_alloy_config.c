/*
 * Directives: what an admin writes, checked word by word, inherited from the
 * main server by virtual hosts, and turned into the engine's configuration.
 * conf/alloy.conf explains each to the reader.
 */
#include "mod_alloy.h"

#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include <ap_listen.h>

#include "core/limits.h"

#define KEY_FILE_LIMIT 16384             /* bytes of a private key in PEM */
#define LONGEST_WAIT APR_INT64_C(600000) /* milliseconds */
#define DAY APR_INT64_C(86400)           /* seconds */

/** What a setting may be, and what it is when nobody says. */
typedef struct {
    apr_int64_t least, most, fallback;
    const char *unit; /* NULL: a switch or a word */
} rule_t;

static const rule_t rules[ALLOY_SETTINGS] = {
    [ALLOY_SET_CONNECTIONS] = { 1, 1000, 16, "connections" },
    [ALLOY_SET_READ_DEADLINE] = { 1, LONGEST_WAIT, 2000, "milliseconds" },
    [ALLOY_SET_WRITE_DEADLINE] = { 1, LONGEST_WAIT, 5000, "milliseconds" },
    [ALLOY_SET_READ_WAIT] = { 1, LONGEST_WAIT, 250, "milliseconds" },
    [ALLOY_SET_WRITE_WAIT] = { 1, LONGEST_WAIT, 1000, "milliseconds" },
    [ALLOY_SET_READ_LANES] = { 0, 100, 3, "connections" },
    [ALLOY_SET_WRITE_LANES] = { 0, 100, 1, "connections" },
    [ALLOY_SET_PREPARE] = { 0, 1, 1, NULL },
    [ALLOY_SET_REGISTRATION] = { 0, 2, ALLOY_INVITE_ONLY, NULL },
    [ALLOY_SET_BODY_LIMIT] = { 1024, 1 << 30, ALLOY_BODY_LIMIT, "bytes" },
    [ALLOY_SET_ACCESS_LIFETIME] = { 60, DAY, 900, "seconds" },
    [ALLOY_SET_REFRESH_LIFETIME] = { 3600, 366 * DAY, 30 * DAY, "seconds" },
    [ALLOY_SET_HASHERS] = { 1, 1024, 0, "passwords at once" },
    [ALLOY_SET_THROTTLE] = { 0, 1, 1, NULL },
    [ALLOY_SET_ROOT_PATHS] = { 0, 1, 0, NULL },
    [ALLOY_SET_KEEPALIVE_WAIT] = { 0, 1000, 5, "milliseconds" },
    [ALLOY_SET_GIVE_WAY] = { 0, 1, 1, NULL },
    [ALLOY_SET_TOKEN_RATE] = { 0, 1000000, 0, "requests a minute" },
    [ALLOY_SET_ADDRESS_RATE] = { 0, 1000000, 0, "requests a minute" },
};

alloy_server_t *alloy_config_of(const server_rec *server)
{
    return ap_get_module_config(server->module_config, &alloy_module);
}

/* ---- directives ---------------------------------------------------------- */

static const char *read_number(apr_int64_t *number, const cmd_parms *cmd,
                               const rule_t *rule, const char *word)
{
    char *end;

    *number = apr_strtoi64(word, &end, 10);
    if (apr_isdigit(*word) && !*end && *number >= rule->least
        && *number <= rule->most) {
        return NULL;
    }
    return apr_psprintf(cmd->pool,
                        "%s can't be \"%s\": write a whole number "
                        "of %s from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT
                        ".",
                        cmd->cmd->name, word, rule->unit, rule->least,
                        rule->most);
}

static const char *set_number(cmd_parms *cmd, void *place, const char *word)
{
    const rule_t *rule = cmd->info;

    return read_number(&alloy_config_of(cmd->server)->settings[rule - rules],
                       cmd, rule, word);
}

/** For reads and, in the setting that follows, for writes. */
static const char *set_pair(cmd_parms *cmd, void *place, const char *reads,
                             const char *writes)
{
    const rule_t *rule = cmd->info;
    apr_int64_t *settings =
        &alloy_config_of(cmd->server)->settings[rule - rules];
    const char *fault = read_number(&settings[0], cmd, &rule[0], reads);

    if (fault || !writes) {
        return fault;
    }
    return read_number(&settings[1], cmd, &rule[1], writes);
}

static const char *set_switch(cmd_parms *cmd, void *place, int on)
{
    const rule_t *rule = cmd->info;

    alloy_config_of(cmd->server)->settings[rule - rules] = on;
    return NULL;
}

/** Whose requests are counted, and how many may come in a minute. */
static const char *set_rate(cmd_parms *cmd, void *place, const char *whose,
                            const char *word)
{
    int which = !ap_cstr_casecmp(whose, "token") ? ALLOY_SET_TOKEN_RATE
                                                 : ALLOY_SET_ADDRESS_RATE;

    if (which == ALLOY_SET_ADDRESS_RATE && ap_cstr_casecmp(whose, "address")) {
        return apr_psprintf(cmd->pool,
                            "%s can't be of \"%s\": write token or address, "
                            "and the requests a minute.",
                            cmd->cmd->name, whose);
    }
    return read_number(&alloy_config_of(cmd->server)->settings[which], cmd,
                       &rules[which], word);
}

static const char *set_registration(cmd_parms *cmd, void *place,
                                    const char *word)
{
    static const char *const words[] = {
        [ALLOY_OPEN] = "open",
        [ALLOY_INVITE_ONLY] = "invite_only",
        [ALLOY_DISABLED] = "disabled",
    };
    int i;

    for (i = ALLOY_OPEN; i <= ALLOY_DISABLED; i++) {
        if (!ap_cstr_casecmp(word, words[i])) {
            alloy_config_of(cmd->server)->settings[ALLOY_SET_REGISTRATION] = i;
            return NULL;
        }
    }
    return apr_psprintf(cmd->pool,
                        "%s can't be \"%s\": write open, "
                        "invite_only or disabled.",
                        cmd->cmd->name, word);
}

/** After a value of a connection string: past its end, or NULL when a quote
 *  is never closed. */
static const char *skip_value(const char *at)
{
    char quote = *at == '\'' ? '\'' : 0;

    for (at += quote != 0; *at; at++) {
        if (*at == '\\' && at[1]) {
            at++;
        } else if (quote ? *at == quote : apr_isspace(*at)) {
            return at + (quote != 0);
        }
    }
    return quote ? NULL : at;
}

/** Has TEXT the form of a connection string (PostgreSQL 15, chapter 34.1.1)?
 *  The words in it are libpq's to judge. */
static int looks_like_conninfo(const char *text)
{
    const char *at = text;

    if (!strncmp(text, "postgresql://", 13)
        || !strncmp(text, "postgres://", 11)) {
        return 1;
    }
    while (apr_isspace(*at)) {
        at++;
    }
    while (at && *at) {
        size_t name = strspn(at, "abcdefghijklmnopqrstuvwxyz_");

        at += name;
        at += strspn(at, " \t");
        if (!name || *at++ != '=') {
            return 0;
        }
        at = skip_value(at + strspn(at, " \t"));
        while (at && apr_isspace(*at)) {
            at++;
        }
    }
    return at && *text;
}

/** The value may hold a password: it is in no message, and mod_info, which
 *  prints the configuration's own words, finds others. */
static const char *set_database(cmd_parms *cmd, void *place, const char *text)
{
    ((ap_directive_t *)cmd->directive)->args = "\"(not shown)\"";
    if (!looks_like_conninfo(text)) {
        return "AlloyDatabase takes a connection string of PostgreSQL in "
               "quotes: \"host=/run/postgresql dbname=alloy user=alloy_app\" "
               "or \"postgresql://alloy_app@db.example.com/alloy\".";
    }
    alloy_config_of(cmd->server)->database = text;
    return NULL;
}

static const char *add_key_file(cmd_parms *cmd, void *place, const char *name)
{
    alloy_server_t *own = alloy_config_of(cmd->server);
    const char *path = ap_server_root_relative(cmd->pool, name);

    if (!path) {
        return apr_psprintf(cmd->pool,
                            "AlloyTokenKey can't be \"%s\": that is "
                            "no path of a file.",
                            name);
    }
    if (!own->key_files) {
        own->key_files = apr_array_make(cmd->pool, 2, sizeof(const char *));
    }
    APR_ARRAY_PUSH(own->key_files, const char *) = path;
    return NULL;
}

static const char *set_base_url(cmd_parms *cmd, void *place, const char *url)
{
    apr_uri_t parts;

    if (apr_uri_parse(cmd->pool, url, &parts) != APR_SUCCESS || !parts.scheme
        || (strcmp(parts.scheme, "http") && strcmp(parts.scheme, "https"))
        || !parts.hostname || !*parts.hostname || parts.user || parts.path
        || parts.query || parts.fragment) {
        return apr_psprintf(cmd->pool,
                            "AlloyBaseURL can't be \"%s\": write "
                            "scheme and host, and a port if it needs one, "
                            "without a slash at the end, such as "
                            "https://alloy.example.com.",
                            url);
    }
    alloy_config_of(cmd->server)->base_url = url;
    return NULL;
}

/** Only what every spelling of a path keeps: below it, httpd's <Location> and
 *  we must agree. */
static int is_plain_path(const char *path)
{
    const char *at;

    if (!strcmp(path, "/")) {
        return 1;
    }
    for (at = path; *at; at++) {
        if (*at == '/' ? !apr_isalnum(at[1])
                       : !apr_isalnum(*at) && !strchr("-._~", *at)) {
            return 0;
        }
    }
    return *path == '/';
}

/** Neither <LocationMatch> nor <Location ~ ...>, <Directory>, <If>. */
static int is_location(const ap_directive_t *section)
{
    return section && !ap_cstr_casecmp(section->directive, "<Location")
           && *section->args != '~';
}

static const char *set_place(cmd_parms *cmd, void *data, int on)
{
    const ap_directive_t *section = cmd->directive->parent;
    alloy_server_t *own = alloy_config_of(cmd->server);
    alloy_place_t *place = data;

    place->on = on;
    if (!on) {
        return NULL;
    }
    if (!is_location(section) || !is_plain_path(cmd->path)) {
        return "Alloy on belongs into a <Location> with a plain path and no "
               "slash at its end, such as <Location /api/v1>.";
    }
    place->prefix = strcmp(cmd->path, "/") ? cmd->path : "";
    if (own->prefix && strcmp(own->prefix, place->prefix)) {
        return apr_psprintf(cmd->pool,
                            "Alloy is on at \"%s\" already and can't "
                            "be at \"%s\" as well: a host has one place for "
                            "it.",
                            *own->prefix ? own->prefix : "/", cmd->path);
    }
    own->prefix = place->prefix;
    return NULL;
}

/* ---- inheritance --------------------------------------------------------- */

void *alloy_config_server_make(apr_pool_t *pool, server_rec *server)
{
    alloy_server_t *own = apr_pcalloc(pool, sizeof(*own));
    int i;

    for (i = 0; i < ALLOY_SETTINGS; i++) {
        own->settings[i] = -1;
    }
    return own;
}

void *alloy_config_server_merge(apr_pool_t *pool, void *base_data,
                                void *own_data)
{
    const alloy_server_t *base = base_data, *own = own_data;
    alloy_server_t *merged = apr_pcalloc(pool, sizeof(*merged));
    int i;

    merged->database = own->database ? own->database : base->database;
    merged->base_url = own->base_url ? own->base_url : base->base_url;
    merged->prefix = own->prefix ? own->prefix : base->prefix;
    merged->key_files = own->key_files ? own->key_files : base->key_files;
    for (i = 0; i < ALLOY_SETTINGS; i++) {
        merged->settings[i] = own->settings[i] >= 0 ? own->settings[i]
                                                    : base->settings[i];
    }
    return merged;
}

void *alloy_config_place_make(apr_pool_t *pool, char *path)
{
    alloy_place_t *place = apr_pcalloc(pool, sizeof(*place));

    place->on = -1;
    return place;
}

void *alloy_config_place_merge(apr_pool_t *pool, void *base_data,
                               void *own_data)
{
    return ((const alloy_place_t *)own_data)->on >= 0 ? own_data : base_data;
}

server_rec *alloy_config_next(server_rec *main_server, server_rec *server)
{
    const alloy_server_t *shared = alloy_config_of(main_server);

    for (server = server ? server->next : main_server; server;
         server = server->next) {
        const alloy_server_t *own = alloy_config_of(server);

        if (own->prefix && (server == main_server || own != shared)) {
            return server;
        }
    }
    return NULL;
}

/* ---- the engine's terms -------------------------------------------------- */

static apr_int64_t setting(const alloy_server_t *own, alloy_setting_e which)
{
    apr_int64_t value = own->settings[which];

    return value >= 0 ? value : rules[which].fallback;
}

static apr_interval_time_t wait_setting(const alloy_server_t *own,
                                        alloy_setting_e which)
{
    return setting(own, which) * 1000;
}

/** What the host listens on: the port of its address, else the first Listen.
 *  NULL when it listens on nothing that is ours to see. */
static const ap_listen_rec *find_listener(const server_rec *server)
{
    apr_port_t port = server->addrs ? server->addrs->host_port : 0;
    const ap_listen_rec *listener, *found = NULL;

    for (listener = ap_listeners; listener; listener = listener->next) {
        if (!port || listener->bind_addr->port == port) {
            found = listener; /* the first one comes last */
        }
    }
    return found;
}

/** ServerName and port, as links to this host would have them.  mod_ssl says
 *  "https" only of connections; before there are any, the scheme follows from
 *  ServerName or from the protocol of Listen. */
static const char *default_url(const server_rec *server, apr_pool_t *pool)
{
    const ap_listen_rec *listener = find_listener(server);
    apr_port_t port = server->port ? server->port
                      : listener   ? listener->bind_addr->port
                                   : 0;
    int secure = port == DEFAULT_HTTPS_PORT
                 || (listener && listener->protocol
                     && !strcmp(listener->protocol, "https"));
    const char *scheme = server->server_scheme ? server->server_scheme
                         : secure              ? "https"
                                               : "http";
    const char *name = server->server_hostname ? server->server_hostname
                                               : "localhost";

    if (!port
        || port
               == (strcmp(scheme, "https") ? DEFAULT_HTTP_PORT
                                           : DEFAULT_HTTPS_PORT)) {
        return apr_pstrcat(pool, scheme, "://", name, NULL);
    }
    return apr_psprintf(pool, "%s://%s:%u", scheme, name, port);
}

static const char *read_key_file(const char **pem, const char *path,
                                 apr_pool_t *pool)
{
    char *text = apr_palloc(pool, KEY_FILE_LIMIT);
    apr_size_t length = 0;
    apr_file_t *file;
    apr_status_t status;
    char reason[120];

    status = apr_file_open(&file, path, APR_FOPEN_READ, 0, pool);
    if (status == APR_SUCCESS) {
        status = apr_file_read_full(file, text, KEY_FILE_LIMIT, &length);
        apr_file_close(file);
    }
    if (status != APR_SUCCESS && !APR_STATUS_IS_EOF(status)) {
        return apr_psprintf(pool,
                            "The token key %s can't be read (%s): "
                            "correct AlloyTokenKey or the rights of the file.",
                            path, apr_strerror(status, reason, sizeof(reason)));
    }
    if (length == KEY_FILE_LIMIT) {
        return apr_psprintf(pool,
                            "The token key %s is too long to be a "
                            "private key in PEM: correct AlloyTokenKey.",
                            path);
    }
    text[length] = '\0';
    *pem = text;
    return NULL;
}

/** One key at a time first, so that the message can name the file. */
static const char *check_key(const char *pem, const char *path,
                             apr_pool_t *pool)
{
    apr_array_header_t *pems = apr_array_make(pool, 1, sizeof(const char *));
    alloy_secret_keys_t *keys;

    APR_ARRAY_PUSH(pems, const char *) = pem;
    if (alloy_secret_keys_make(&keys, pems, "check", "check", pool)
        == APR_SUCCESS) {
        return NULL;
    }
    return apr_psprintf(pool,
                        "The token key %s is not an unencrypted private "
                        "key for P-256 in PEM: make one with \"openssl genpkey "
                        "-algorithm EC -pkeyopt ec_paramgen_curve:P-256\".",
                        path);
}

static const char *settle_keys(alloy_server_t *own, apr_pool_t *pool,
                               apr_pool_t *scratch)
{
    alloy_config_t *config = &own->config;
    apr_array_header_t *pems = apr_array_make(scratch, own->key_files->nelts,
                                              sizeof(const char *));
    int i;

    for (i = 0; i < own->key_files->nelts; i++) {
        const char *path = APR_ARRAY_IDX(own->key_files, i, const char *);
        const char *pem = NULL;
        const char *fault = read_key_file(&pem, path, scratch);

        if (!fault) {
            fault = check_key(pem, path, scratch);
        }
        if (fault) {
            return fault;
        }
        APR_ARRAY_PUSH(pems, const char *) = pem;
    }
    if (alloy_secret_keys_make(&config->keys, pems, config->base_url,
                               apr_pstrcat(pool, config->base_url,
                                           config->prefix, NULL),
                               pool)
        != APR_SUCCESS) {
        return "AlloyTokenKey names the same key twice: remove one of them.";
    }
    return NULL;
}

static void settle_database(alloy_db_config_t *db, const alloy_server_t *own)
{
    db->conninfo = own->database;
    db->connections = (int)setting(own, ALLOY_SET_CONNECTIONS);
    db->read_deadline = wait_setting(own, ALLOY_SET_READ_DEADLINE);
    db->write_deadline = wait_setting(own, ALLOY_SET_WRITE_DEADLINE);
    db->read_wait = wait_setting(own, ALLOY_SET_READ_WAIT);
    db->write_wait = wait_setting(own, ALLOY_SET_WRITE_WAIT);
    db->prepare = (int)setting(own, ALLOY_SET_PREPARE);
    db->read_lanes = (int)setting(own, ALLOY_SET_READ_LANES);
    db->write_lanes = (int)setting(own, ALLOY_SET_WRITE_LANES);
}

const char *alloy_config_settle(const server_rec *server,
                                const alloy_registry_t *registry,
                                apr_pool_t *pool, apr_pool_t *scratch)
{
    alloy_server_t *own = alloy_config_of(server);
    alloy_config_t *config = &own->config;

    config->base_url = own->base_url ? own->base_url
                                     : default_url(server, pool);
    config->prefix = own->prefix;
    if (!own->database || !own->key_files) {
        return apr_psprintf(pool,
                            "Alloy is on at %s%s, but there is no %s for "
                            "it: add the directive to the server or the "
                            "virtual host.",
                            config->base_url, config->prefix,
                            own->database ? "AlloyTokenKey" : "AlloyDatabase");
    }
    settle_database(&config->db, own);
    config->registration = (alloy_registration_e)
        setting(own, ALLOY_SET_REGISTRATION);
    config->body_limit = (apr_size_t)setting(own, ALLOY_SET_BODY_LIMIT);
    config->access_lifetime = setting(own, ALLOY_SET_ACCESS_LIFETIME);
    config->refresh_lifetime = setting(own, ALLOY_SET_REFRESH_LIFETIME);
    config->hashers = (int)setting(own, ALLOY_SET_HASHERS);
    config->throttle = (int)setting(own, ALLOY_SET_THROTTLE);
    config->token_rate = (int)setting(own, ALLOY_SET_TOKEN_RATE);
    config->address_rate = (int)setting(own, ALLOY_SET_ADDRESS_RATE);
    config->version = ALLOY_VERSION;
    own->settings[ALLOY_SET_ROOT_PATHS] = setting(own, ALLOY_SET_ROOT_PATHS);
    own->settings[ALLOY_SET_KEEPALIVE_WAIT] =
        setting(own, ALLOY_SET_KEEPALIVE_WAIT);
    own->settings[ALLOY_SET_GIVE_WAY] = setting(own, ALLOY_SET_GIVE_WAY);
    own->registry = registry;
    return settle_keys(own, pool, scratch);
}

/* ---- the table ----------------------------------------------------------- */

#define RULE(which) ((void *)&rules[ALLOY_SET_##which])

const command_rec alloy_config_directives[] = {
    AP_INIT_FLAG("Alloy", set_place, NULL, ACCESS_CONF,
                 "on: the API lives below the path of this <Location>"),
    AP_INIT_TAKE1("AlloyDatabase", set_database, NULL, RSRC_CONF,
                  "connection string of the PostgreSQL database"),
    AP_INIT_TAKE1("AlloyDatabaseConnections", set_number, RULE(CONNECTIONS),
                  RSRC_CONF, "connections each child keeps open"),
    AP_INIT_TAKE12("AlloyDatabaseTimeout", set_pair, RULE(READ_DEADLINE),
                   RSRC_CONF, "milliseconds a read, and a write, may take"),
    AP_INIT_TAKE12("AlloyDatabaseWait", set_pair, RULE(READ_WAIT), RSRC_CONF,
                   "milliseconds a read, and a write, wait for a connection"),
    AP_INIT_TAKE2("AlloyRateLimit", set_rate, NULL, RSRC_CONF,
                  "token or address, and how many requests a minute it has"),
    AP_INIT_TAKE1("AlloyKeepAliveWait", set_number, RULE(KEEPALIVE_WAIT),
                  RSRC_CONF,
                  "milliseconds a thread waits for its client's next request"),
    AP_INIT_FLAG("AlloyGiveWay", set_switch, RULE(GIVE_WAY), RSRC_CONF,
                 "on: threads that wake up let others finish first"),
    AP_INIT_TAKE12("AlloyDatabaseLanes", set_pair, RULE(READ_LANES), RSRC_CONF,
                   "connections that short reads, and writes, share"),
    AP_INIT_FLAG("AlloyDatabasePrepare", set_switch, RULE(PREPARE), RSRC_CONF,
                 "off: no prepared statements, for connection poolers"),
    AP_INIT_TAKE1("AlloyTokenKey", add_key_file, NULL, RSRC_CONF,
                  "file with a private key; the first one signs, all verify"),
    AP_INIT_TAKE1("AlloyRegistration", set_registration, NULL, RSRC_CONF,
                  "who may register: open, invite_only, disabled"),
    AP_INIT_TAKE1("AlloyBaseURL", set_base_url, NULL, RSRC_CONF,
                  "scheme and host that people reach this server at"),
    AP_INIT_TAKE1("AlloyBodyLimit", set_number, RULE(BODY_LIMIT), RSRC_CONF,
                  "bytes a request's body may have"),
    AP_INIT_TAKE1("AlloyAccessTokenLifetime", set_number, RULE(ACCESS_LIFETIME),
                  RSRC_CONF, "seconds an access token is valid"),
    AP_INIT_TAKE1("AlloyRefreshTokenLifetime", set_number,
                  RULE(REFRESH_LIFETIME), RSRC_CONF,
                  "seconds a session lives without being used"),
    AP_INIT_TAKE1("AlloyPasswordHashers", set_number, RULE(HASHERS), RSRC_CONF,
                  "passwords a child checks at once; default: its cores"),
    AP_INIT_FLAG("AlloyThrottle", set_switch, RULE(THROTTLE), RSRC_CONF,
                 "slow down failed logins"),
    AP_INIT_FLAG("AlloyRootPaths", set_switch, RULE(ROOT_PATHS), RSRC_CONF,
                 "on: /healthz and its like at the server's root as well"),
    { NULL }
};
