/*
 * Sticky keep-alive: the thread that answered a request waits a few
 * milliseconds for the next one on the same connection. Handing the connection
 * to the listener and back costs more than most requests (AlloyKeepAliveWait).
 * And whether threads that wake up interrupt others (AlloyGiveWay).
 */
#include "mod_alloy.h"

#include <apr_atomic.h>
#include <apr_portable.h>

#include <ap_mpm.h>
#include <http_connection.h>
#include <http_ssl.h>
#include <util_filter.h>

#include <poll.h>
#include <sched.h>

/** Of a connection whose thread is in keep_serving(). */
typedef struct {
    int serving;
} stay_t;

/* Of a child's threads, so many may wait for their clients; the rest is there
 * for connections that have none yet. */
#define WAITING_OF(threads) ((threads) * 3 / 4)

/** Write what is left without waiting. @return 0 when something stays. */
static int is_written(conn_rec *c)
{
    ap_filter_t *last = c->output_filters;

    while (last->next) {
        last = last->next;
    }
    return last->frec->filter_func.out_func(last, NULL) == APR_SUCCESS
           && !c->data_in_output_filters;
}

static int comes_soon(conn_rec *c, int milliseconds)
{
    struct pollfd socket = { .events = POLLIN };
    apr_os_sock_t number;

    if (c->data_in_input_filters) {
        return 1;
    }
    if (apr_os_sock_get(&number, ap_get_conn_socket(c)) != APR_SUCCESS) {
        return 0;
    }
    socket.fd = number;
    return poll(&socket, 1, milliseconds) == 1;
}

/** Is the connection still a good one, and a thread to spare for it? */
static int may_stay(conn_rec *c, const alloy_server_t *own)
{
    return c->cs->state == CONN_STATE_WRITE_COMPLETION && !c->aborted
           && c->keepalive == AP_CONN_KEEPALIVE
           && (int)apr_atomic_read32(&own->child->staying)
                  <= own->child->most_staying
           && is_written(c);
}

static void serve_on(conn_rec *c, const alloy_server_t *own, stay_t *stay)
{
    int wait = (int)own->settings[ALLOY_SET_KEEPALIVE_WAIT];

    stay->serving = 1;
    ap_run_process_connection(c);
    while (may_stay(c, own) && comes_soon(c, wait)) {
        c->cs->state = CONN_STATE_PROCESSING;
        ap_run_process_connection(c);
    }
    stay->serving = 0;
}

/** Only plain HTTP/1: what TLS has read already, poll() can't see, and the
 *  streams of HTTP/2 have no socket of their own. */
static int is_plain(conn_rec *c)
{
    return c->cs && !c->master && !ap_ssl_conn_is_ssl(c)
           && c->cs->state == CONN_STATE_PROCESSING;
}

static int keep_serving(conn_rec *c)
{
    const alloy_server_t *own = alloy_config_of(c->base_server);
    stay_t *stay = ap_get_module_config(c->conn_config, &alloy_module);

    if (!own->prefix || !own->child
        || own->settings[ALLOY_SET_KEEPALIVE_WAIT] <= 0
        || (stay && stay->serving) || !is_plain(c)) {
        return DECLINED;
    }
    if (!stay) {
        stay = apr_pcalloc(c->pool, sizeof(*stay));
        ap_set_module_config(c->conn_config, &alloy_module, stay);
    }
    apr_atomic_inc32(&own->child->staying);
    serve_on(c, own, stay);
    apr_atomic_dec32(&own->child->staying);
    return OK;
}

/** The threads of the child, which come later, inherit it. Nothing depends on
 *  its being allowed. */
static void give_way(apr_pool_t *pchild, server_rec *main_server)
{
    const struct sched_param none = { 0 };
    server_rec *server = NULL;
    int asked = 0;

    while ((server = alloy_config_next(main_server, server))) {
        asked |= alloy_config_of(server)->settings[ALLOY_SET_GIVE_WAY] > 0;
    }
    if (asked && sched_getscheduler(0) == SCHED_OTHER) {
        sched_setscheduler(0, SCHED_BATCH, &none);
    }
}

/** Counted per child, for all its hosts together. */
static void count_threads(apr_pool_t *pchild, server_rec *main_server)
{
    alloy_child_t *child = apr_pcalloc(pchild, sizeof(*child));
    server_rec *server;
    int threads = 0;

    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    child->most_staying = WAITING_OF(threads);
    for (server = main_server; server; server = server->next) {
        alloy_config_of(server)->child = child;
    }
}

void alloy_keepalive_hooks(void)
{
    /* the last one serves; before it, others may take the connection */
    static const char *const after[] = { "http_core.c", NULL };

    ap_hook_child_init(count_threads, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(give_way, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_process_connection(keep_serving, NULL, after,
                               APR_HOOK_REALLY_LAST);
}
