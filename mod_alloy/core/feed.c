/*
 * The feed of changes: what became visible since the reader's snapshot, in the
 * order of the log, and waiting for it without a connection.
 */
#include "feed.h"

#include <string.h>

#include <apr_strings.h>

#include "call.h"
#include "convention.h"
#include "limits.h"
#include "pool.h"
#include "sql/change.h"
#include "wake.h"

#define BEGINNING "1:1:"        /* a snapshot before everything */
#define LOOK apr_time_from_sec(1)       /* as often, whatever wakes us */
#define PAUSE apr_time_from_msec(50)     /* between two looks of one reader */
#define OPERATION "operation"

/* ---- where the reader is ----------------------------------------------------- */

static const char *text_or(const char *text, const char *other)
{
    return text ? text : other;
}

/* The filter is the organization in one operation, the project in the other. */
static const char *filter_of(const alloy_call_t *call, const char *name)
{
    return alloy_op_param(call->op, name) < 0 ? NULL : alloy_text(call, name);
}

static const char *binding_of(const alloy_call_t *call)
{
    return apr_pstrcat(call->pool, call->op->row->id, "|",
                       call->principal->user, "|",
                       text_or(call->principal->key, ""), "|",
                       text_or(filter_of(call, "org_id"), ""), "|",
                       text_or(filter_of(call, "project"), ""), NULL);
}

static alloy_problem_t *foreign_cursor(alloy_call_t *call)
{
    return alloy_problem_at(
        alloy_problem(call, &alloy_validation_failed,
                      "The cursor in after is not one of this caller and this "
                      "filter; use the next_cursor of a page of the same feed, "
                      "now, or leave it out to begin anew."),
        "after", "foreign_cursor",
        "Use the next_cursor of a page of the same feed.", NULL);
}

static alloy_problem_t *read_place(alloy_call_t *call,
                                   alloy_feed_place_t *place)
{
    const char *after = alloy_text(call, "after");

    memset(place, 0, sizeof(*place));
    place->last = "0";
    if (!after) {
        place->old = BEGINNING;
        return NULL;
    }
    if (!strcmp(after, "now")) {
        return NULL;
    }
    return alloy_feed_cursor_read(place, after, binding_of(call), call->pool)
           ? NULL : foreign_cursor(call);
}

/* ---- what he may read ---------------------------------------------------------- */

/* {"ticket": 2, ...}: the role each entity type needs. */
static const char *needs_of(const alloy_call_t *call)
{
    const alloy_plugin_t *const *plugin =
        alloy_registry_plugins(call->engine->registry);
    alloy_out_t *out = alloy_out_make(call->pool, 512);

    alloy_out_begin(out, '{');
    for (; *plugin; plugin++) {
        const alloy_resource_t *const *resource = (*plugin)->resources;

        for (; resource && *resource; resource++) {
            alloy_out_key(out, (*resource)->name);
            alloy_out_int(out, (*resource)->read);
        }
    }
    alloy_out_end(out);
    return apr_pstrmemdup(call->pool, out->bytes, out->length);
}

/* His organizations in this call, and his role in each. @return how many */
static int list_orgs(const alloy_call_t *call, const char **orgs,
                     const char **ranks)
{
    const alloy_principal_t *principal = call->principal;
    int count = 0, i;

    for (i = 0; i < principal->norgs; i++) {
        const alloy_membership_t *org = &principal->orgs[i];

        if ((!call->org || call->org == org) && org->role >= ALLOY_VIEWER) {
            ranks[count] = apr_itoa(call->pool, (int)org->role);
            orgs[count++] = org->org_text;
        }
    }
    return count;
}

static const char *const *bind_rights(alloy_call_t *call, int *count)
{
    apr_size_t room = sizeof(char *) * (call->principal->norgs + 1);
    const char **orgs = apr_palloc(call->pool, room);
    const char **ranks = apr_palloc(call->pool, room);

    *count = list_orgs(call, orgs, ranks);
    alloy_bind(call, "orgs", alloy_array_literal(orgs, *count, call->pool));
    alloy_bind(call, "ranks", alloy_array_literal(ranks, *count, call->pool));
    alloy_bind(call, "needs", needs_of(call));
    alloy_bind(call, "only_org", call->org_id);
    alloy_bind(call, "project", filter_of(call, "project"));
    alloy_bind(call, "limit",
               apr_itoa(call->pool, (int)alloy_int(call, "limit") + 1));
    return orgs;
}

/* ---- one read -------------------------------------------------------------------- */

/* A page, and where the reader is after it. */
typedef struct {
    const alloy_result_t *result;
    int rows;                   /* without the one that says there is more */
    int more;
    const alloy_row_t *sight;   /* what he lost and gained, or NULL */
    alloy_feed_place_t next;
} page_t;

static alloy_problem_t *expired(alloy_call_t *call)
{
    return alloy_problem(call, &alloy_cursor_expired,
                         "The database was restored since this cursor was "
                         "given. Read everything afresh, then follow the feed "
                         "from after=now.");
}

/* His rights were others when the snapshot was taken: all of it again. */
static alloy_problem_t *outdated(alloy_call_t *call)
{
    call->stale = 1;
    return alloy_problem_retry(
        alloy_problem(call, &alloy_unavailable,
                      "Your access is changing at this very moment; try "
                      "again."), 1);
}

static alloy_problem_t *read_rows(alloy_call_t *call,
                                  const alloy_feed_place_t *place,
                                  page_t *page)
{
    int rest = place->new || (place->old && !strcmp(place->old, BEGINNING));
    alloy_row_t head = { NULL, 0, call->pool };
    const char *seq;
    int limit = (int)alloy_int(call, "limit");

    alloy_bind(call, "old", place->old);
    alloy_bind(call, "new", place->new);
    alloy_bind(call, "last", place->last);
    ALLOY_TRY(alloy_call_step(call, rest ? &sql_change_rest : &sql_change_since,
                              &page->result));
    head.result = page->result;
    page->next.epoch = alloy_row_text(&head, "epoch");
    page->next.reader = alloy_row_text(&head, "reader");
    page->next.sight = alloy_row_text(&head, "snapshot");
    seq = alloy_row_text(&head, "seq");
    page->rows = seq ? alloy_result_rows(page->result) : 0;
    page->more = page->rows > limit;
    page->rows -= page->more;
    return NULL;
}

static alloy_problem_t *check_head(alloy_call_t *call,
                                   const alloy_feed_place_t *place,
                                   const page_t *page)
{
    if (!page->next.reader
        || strcmp(page->next.reader, call->principal->version)) {
        return outdated(call);
    }
    return place->epoch && strcmp(place->epoch, page->next.epoch)
           ? expired(call) : NULL;
}

/* A read ends in the snapshot it was made in, and the next begins there. */
static void move_on(const alloy_call_t *call, const alloy_feed_place_t *place,
                    page_t *page)
{
    const char *now = place->new ? place->new : page->next.sight;
    alloy_row_t last = { page->result, page->rows - 1, call->pool };

    page->next.old = page->more ? place->old : now;
    page->next.new = page->more ? now : NULL;
    page->next.last = page->more ? alloy_row_text(&last, "seq") : "0";
}

static alloy_problem_t *read_sight(alloy_call_t *call,
                                   const alloy_feed_place_t *place,
                                   page_t *page)
{
    const alloy_row_t *row = NULL;

    page->sight = NULL;
    if (!place->reader || !strcmp(place->reader, page->next.reader)) {
        return NULL;
    }
    alloy_bind(call, "was", place->sight);
    alloy_bind(call, "since", page->next.sight);
    ALLOY_TRY(alloy_fetch(call, &sql_change_sight, &row));
    if (row && alloy_row_int(row, "total")) {
        page->sight = row;
    }
    return NULL;
}

static alloy_problem_t *read_page(alloy_call_t *call,
                                  const alloy_feed_place_t *place,
                                  page_t *page)
{
    ALLOY_TRY(read_rows(call, place, page));
    ALLOY_TRY(check_head(call, place, page));
    move_on(call, place, page);
    if (!page->rows && call->assumed) {
        ALLOY_TRY(alloy_refer_look_again(call));
    }
    return read_sight(call, place, page);
}

/* ---- waiting ----------------------------------------------------------------------- */

static int is_answer(const page_t *page)
{
    return page->rows || page->sight;
}

/* The database is away: nothing is lost by waiting on. */
static int can_wait_on(const alloy_call_t *call, const alloy_problem_t *problem)
{
    return !call->stale && problem->kind == &alloy_unavailable;
}

static apr_time_t sooner(apr_time_t one, apr_time_t other)
{
    return one < other ? one : other;
}

/* An organization in which much happens that he may not read wakes him often. */
static void pause_since(apr_time_t look)
{
    apr_interval_time_t left = look + PAUSE - alloy_pool_now();

    if (left > 0) {
        apr_sleep(left);
    }
}

/* From an empty PAGE on; PAGE stays what it was while no other can be read.
 * The first look comes at once: something may have happened since PAGE. */
static alloy_problem_t *wait_for_page(alloy_call_t *call, page_t *page,
                                      const char *const *orgs, int count)
{
    alloy_wake_t *wake = call->engine->wake;
    unsigned state = alloy_wake_state(wake, orgs, count) - 1;
    apr_time_t look = 0;

    while (!is_answer(page) && alloy_pool_now() < call->wait_until) {
        page_t next = *page;
        alloy_problem_t *problem;

        if (!alloy_wake_wait(wake, state, orgs, count,
                             sooner(alloy_pool_now() + LOOK,
                                    call->wait_until))) {
            return NULL;
        }
        pause_since(look);
        look = alloy_pool_now();
        state = alloy_wake_state(wake, orgs, count);
        problem = read_page(call, &page->next, &next);
        if (!problem) {
            *page = next;
        }
        else if (!can_wait_on(call, problem)) {
            return problem;
        }
    }
    return NULL;
}

/* A caller who is read anew while he waits does not wait longer for it. Inside
 * a batch nobody waits: its transaction is open. */
static int wants_to_wait(alloy_call_t *call)
{
    apr_int64_t seconds = call->session ? 0 : alloy_int(call, "wait");

    if (!call->wait_until && seconds) {
        call->wait_until = alloy_pool_now() + apr_time_from_sec(seconds);
    }
    return seconds > 0;
}

static alloy_problem_t *wait_if_asked(alloy_call_t *call, page_t *page,
                                      const char *const *orgs, int count)
{
    alloy_problem_t *problem;

    if (!wants_to_wait(call) || is_answer(page)
        || !alloy_wake_enter(call->engine->wake)) {
        return NULL;
    }
    problem = wait_for_page(call, page, orgs, count);
    alloy_wake_leave(call->engine->wake);
    return problem;
}

/* ---- the answer ---------------------------------------------------------------------- */

static void write_sight(alloy_out_t *out, const alloy_row_t *row)
{
    alloy_out_begin(out, '{');
    alloy_out_key(out, OPERATION);
    alloy_out_text(out, "access");
    alloy_out_key(out, "lost");
    alloy_out_json(out, alloy_row_text(row, "lost"));
    alloy_out_key(out, "gained");
    alloy_out_json(out, alloy_row_text(row, "gained"));
    alloy_out_end(out);
}

static void write_items(alloy_call_t *call, const page_t *page,
                        const alloy_shape_t *shape)
{
    alloy_out_t *out = alloy_out(call);
    const alloy_mapping_t *mapping = alloy_out_map(page->result, shape,
                                                   call->pool);
    int i;

    alloy_out_begin(out, '[');
    if (page->sight) {
        write_sight(out, page->sight);
    }
    for (i = 0; i < page->rows; i++) {
        alloy_out_mapped(out, page->result, i, mapping);
    }
    alloy_out_end(out);
}

/* The keys of the operation's shape, or those of them that were asked for. */
static void write_page(alloy_call_t *call, const page_t *page)
{
    const alloy_field_t *field =
        alloy_convention_cut(call, call->op->row->answer)->fields;
    alloy_out_t *out = alloy_out(call);

    alloy_out_begin(out, '{');
    for (; field->name; field++) {
        alloy_out_key(out, field->name);
        if (field->shape) {
            write_items(call, page, field->shape);
        }
        else if (field->type == ALLOY_BOOL) {
            alloy_out_bool(out, page->more);
        }
        else {
            alloy_out_text(out, alloy_feed_cursor_write(&page->next,
                                                        binding_of(call),
                                                        call->pool));
        }
    }
    alloy_out_end(out);
}

alloy_problem_t *alloy_feed_run(alloy_call_t *call)
{
    alloy_feed_place_t place;
    const char *const *orgs;
    page_t page = { NULL };
    int count;

    ALLOY_TRY(read_place(call, &place));
    orgs = bind_rights(call, &count);
    ALLOY_TRY(read_page(call, &place, &page));
    ALLOY_TRY(wait_if_asked(call, &page, orgs, count));
    write_page(call, &page);
    return NULL;
}
