/* A round trip in libpq's pipeline mode, never blocking: it reads while it
 * writes, so that full buffers on both sides can't stop it, and leaves at its
 * deadline (PostgreSQL's documentation, chapter 34.5).
 */
#include "exchange.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include <apr_strings.h>

#define BINARY 1

typedef enum { ABSENT, SENT, READY } knows_e;

/* A statement as one connection knows it. */
typedef struct alloy_prepared_t {
    const alloy_statement_t *statement;
    const char *name;
    knows_e state;
} alloy_prepared_t;

/* ---- a new connection ---------------------------------------------------- */

static int has_field(const PGresult *result, int field, const char *text)
{
    const char *value = PQresultErrorField(result, field);

    return value && !strcmp(value, text);
}

static int is_fatal(const PGresult *result)
{
    return has_field(result, PG_DIAG_SEVERITY_NONLOCALIZED, "FATAL")
           || has_field(result, PG_DIAG_SEVERITY_NONLOCALIZED, "PANIC");
}

/* Two notices matter. An idle connection hears of its end by one. And whoever
 * cancels the wait for a synchronous standby lets COMMIT succeed with a mere
 * warning; the function that says so is named the same in every language. */
static void read_notice(void *baton, const PGresult *result)
{
    alloy_connection_t *connection = baton;

    connection->ended |= is_fatal(result);
    connection->doubtful |= has_field(result, PG_DIAG_SOURCE_FUNCTION,
                                      "SyncRepWaitForLSN");
}

int alloy_exchange_prepare(alloy_connection_t *connection)
{
    connection->prepared = apr_hash_make(connection->pool);
    PQsetNoticeReceiver(connection->pg, read_notice, connection);
    return PQsetnonblocking(connection->pg, 1) == 0
           && PQenterPipelineMode(connection->pg);
}

/* ---- sending ------------------------------------------------------------- */

/* Two plugins may name their statements alike: the number keeps them apart. */
static alloy_prepared_t *find_prepared(alloy_connection_t *connection,
                                       const alloy_statement_t *statement)
{
    alloy_prepared_t *prepared = apr_hash_get(connection->prepared, &statement,
                                              sizeof(statement));

    if (!prepared) {
        prepared = apr_pcalloc(connection->pool, sizeof(*prepared));
        prepared->statement = statement;
        prepared->name = apr_psprintf(connection->pool, "%s_%u",
                                      statement->name,
                                      apr_hash_count(connection->prepared));
        apr_hash_set(connection->prepared, &prepared->statement,
                     sizeof(prepared->statement), prepared);
    }
    return prepared;
}

static int send_step(alloy_exchange_t *exchange, alloy_connection_t *connection,
                     int index)
{
    const alloy_step_t *step = &exchange->steps[index];
    const alloy_statement_t *statement = step->statement;
    alloy_prepared_t *prepared;

    if (!exchange->prepare) {
        return PQsendQueryParams(connection->pg, statement->text,
                                 statement->nparams, NULL, step->values, NULL,
                                 NULL, BINARY);
    }
    prepared = find_prepared(connection, statement);
    if (prepared->state == ABSENT) {
        if (!PQsendPrepare(connection->pg, prepared->name, statement->text, 0,
                           NULL)) {
            return 0;
        }
        prepared->state = SENT;
        exchange->parses[index] = prepared;
    }
    return PQsendQueryPrepared(connection->pg, prepared->name,
                               statement->nparams, step->values, NULL, NULL,
                               BINARY);
}

static int send_steps(alloy_exchange_t *exchange,
                      alloy_connection_t *connection)
{
    int i;

    for (i = 0; i < exchange->count; i++) {
        if (!send_step(exchange, connection, i)) {
            return 0;
        }
    }
    return 1;
}

/* ---- answers ------------------------------------------------------------- */

static void note_fault(alloy_exchange_t *exchange, const PGresult *result)
{
    alloy_db_fault_t *fault = exchange->fault;
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *constraint = PQresultErrorField(result,
                                                PG_DIAG_CONSTRAINT_NAME);

    apr_cpystrn(fault->sqlstate, PQresultErrorField(result, PG_DIAG_SQLSTATE),
                sizeof(fault->sqlstate));
    fault->message = apr_pstrdup(exchange->pool, message ? message : "");
    fault->constraint = apr_pstrdup(exchange->pool, constraint);
    exchange->failed = exchange->at;
    fault->statement = exchange->at < exchange->count
                           ? exchange->steps[exchange->at].statement->name
                           : NULL;
}

/* An error in place of a statement's answer means that the transaction ends
 * without effect, even when it is the session's last word: answers come in
 * order, and the commit's is Sync's. In place of Sync's an error does so too,
 * but the session's end does not. */
static int read_error(alloy_exchange_t *exchange, const PGresult *result)
{
    if (!PQresultErrorField(result, PG_DIAG_SQLSTATE)) {
        return 0; /* libpq's own: the connection is gone */
    }
    if (!exchange->refused) {
        note_fault(exchange, result);
    }
    if (is_fatal(result)) {
        exchange->fatal = 1;
        exchange->refused |= exchange->at < exchange->count;
        return 0;
    }
    exchange->refused = 1;
    return 1;
}

static void accept_answer(alloy_exchange_t *exchange, PGresult *result)
{
    alloy_prepared_t *prepared = exchange->parses[exchange->at];

    if (prepared) {
        prepared->state = READY;
        exchange->parses[exchange->at] = NULL;
        PQclear(result);
        return;
    }
    exchange->results[exchange->at++] = result;
}

/* After an error the server skips to Sync; libpq still tells off each. */
static void skip_answer(alloy_exchange_t *exchange)
{
    alloy_prepared_t *prepared;

    if (exchange->at >= exchange->count) {
        return;
    }
    prepared = exchange->parses[exchange->at];
    if (prepared) {
        prepared->state = ABSENT;
        exchange->parses[exchange->at] = NULL;
        return;
    }
    exchange->at++;
}

typedef enum { MORE, FINISHED, BROKEN } progress_e;

static progress_e read_answer(alloy_exchange_t *exchange, PGresult *result)
{
    progress_e progress = MORE;

    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        if (exchange->at < exchange->count) {
            accept_answer(exchange, result);
            return MORE;
        }
        progress = BROKEN;
        break;
    case PGRES_PIPELINE_SYNC:
        progress = FINISHED;
        break;
    case PGRES_PIPELINE_ABORTED:
        skip_answer(exchange);
        break;
    default:
        progress = read_error(exchange, result) ? MORE : BROKEN;
        skip_answer(exchange);
        break;
    }
    PQclear(result);
    return progress;
}

/* What libpq holds already. A gap (NULL) follows each answer; two in a row
 * mean that it has lost the thread. */
static progress_e read_answers(alloy_exchange_t *exchange, PGconn *pg)
{
    int gaps = 0;

    while (PQstatus(pg) == CONNECTION_BAD || !PQisBusy(pg)) {
        PGresult *result = PQgetResult(pg);
        progress_e progress;

        if (!result && ++gaps > 1) {
            return BROKEN;
        }
        if (!result) {
            continue;
        }
        gaps = 0;
        progress = read_answer(exchange, result);
        if (progress != MORE) {
            return progress;
        }
    }
    return MORE;
}

/* ---- the round trip ------------------------------------------------------ */

/* @return 0 when nothing moved before the deadline. */
static int wait_for_socket(PGconn *pg, int unsent, apr_time_t deadline)
{
    struct pollfd socket = { PQsocket(pg), POLLIN, 0 };
    int ready;

    if (unsent) {
        socket.events |= POLLOUT;
    }
    do {
        apr_interval_time_t left = deadline - alloy_pool_now();

        if (left <= 0) {
            return 0;
        }
        ready = poll(&socket, 1, (int)((left + 999) / 1000));
    } while (ready == 0 || (ready < 0 && errno == EINTR));
    return 1;
}

static alloy_exchange_e receive(alloy_exchange_t *exchange, PGconn *pg)
{
    for (;;) {
        int unsent = PQflush(pg);
        progress_e progress = read_answers(exchange, pg);

        if (progress == FINISHED) {
            return exchange->at == exchange->count ? ALLOY_EXCHANGE_DONE
                                                   : ALLOY_EXCHANGE_LOST;
        }
        if (progress == BROKEN) {
            return ALLOY_EXCHANGE_LOST;
        }
        if (!wait_for_socket(pg, unsent > 0, exchange->deadline)) {
            return ALLOY_EXCHANGE_SILENT;
        }
        if (!PQconsumeInput(pg) && PQstatus(pg) != CONNECTION_BAD) {
            return ALLOY_EXCHANGE_LOST;
        }
    }
}

/* A statement whose Parse was not answered is prepared anew next time. */
static void forget_unanswered(alloy_exchange_t *exchange)
{
    int i;

    for (i = 0; i < exchange->count; i++) {
        if (exchange->parses[i]) {
            exchange->parses[i]->state = ABSENT;
        }
    }
}

alloy_exchange_e alloy_exchange_run(alloy_exchange_t *exchange,
                                    alloy_connection_t *connection)
{
    alloy_exchange_e end;

    exchange->parses = apr_pcalloc(exchange->pool, sizeof(*exchange->parses)
                                                       * (exchange->count + 1));
    connection->doubtful = 0;
    if (!send_steps(exchange, connection)) {
        end = ALLOY_EXCHANGE_UNSENT;
    } else if (!PQpipelineSync(connection->pg)) {
        end = ALLOY_EXCHANGE_LOST;
    } else {
        end = receive(exchange, connection->pg);
    }
    forget_unanswered(exchange);
    connection->ended |= end != ALLOY_EXCHANGE_DONE;
    exchange->doubtful = connection->doubtful;
    return exchange->refused ? ALLOY_EXCHANGE_REFUSED : end;
}

void alloy_exchange_clear(alloy_exchange_t *exchange)
{
    int i;

    for (i = 0; i < exchange->count; i++) {
        PQclear(exchange->results[i]);
        exchange->results[i] = NULL;
    }
}
