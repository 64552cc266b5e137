/*
 * Sealed reports: a period's figures with every entry, rate and rule behind them
 * in one document, whose SHA-256 is kept beside it.
 */
#include "reports.h"

#include <string.h>

#include "sql/capitalization.h"

#define PACK_TYPE "application/x-ndjson"

const alloy_resource_t finance_pack_resource = {
    .name = "report_pack",
    .table = "alloy.report_pack",
    .read = ALLOY_ADMIN,
    .sharded = 1,
    .find_id = &sql_pack_find_id,
};

/* ---- answers ------------------------------------------------------------------ */

static const alloy_field_t pack_fields[] = {
    { "id", ALLOY_UUID, 0, "The sealed report." },
    { "org_id", ALLOY_UUID, 0, "Its organization." },
    { "period", ALLOY_TEXT, 0, "What it is about." },
    { "policy", ALLOY_WORD, 0, "The rules that decided.",
      finance_policy_words },
    { "policy_version", ALLOY_INT, 0, "Which edition of them." },
    { "sha256", ALLOY_TEXT, 0, "Of the document, in hexadecimal digits." },
    { "bytes", ALLOY_INT, 0, "The document's length." },
    { "created_by", ALLOY_UUID, 0, "Who sealed it." },
    { "created_at", ALLOY_INSTANT, 0, "When." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t pack_shape = { "ReportPack", pack_fields };

static const alloy_field_t difference_fields[] = {
    { "what", ALLOY_TEXT, 0, "document, entry, rate, figure; amount: an "
      "entry's is not its minutes times its rate." },
    { "id", ALLOY_TEXT, 0, "Which one; a figure's project, currency and kind "
      "of work." },
    { "change", ALLOY_TEXT, 0, "changed, removed (only in the document) or "
      "added (only found now)." },
    { "sealed", ALLOY_JSON, ALLOY_NULLABLE, "As it was sealed." },
    { "found", ALLOY_JSON, ALLOY_NULLABLE, "As it is, or comes out." },
    ALLOY_FIELDS_END
};

static const alloy_shape_t difference_shape = {
    "ReportPackDifference", difference_fields
};

static const alloy_field_t verified_fields[] = {
    { "id", ALLOY_UUID, 0, "The sealed report." },
    { "period", ALLOY_TEXT, 0, "What it is about." },
    { "policy", ALLOY_WORD, 0, "The rules that decided.",
      finance_policy_words },
    { "policy_version", ALLOY_INT, 0, "Which edition of them." },
    { "sha256", ALLOY_TEXT, 0, "As it was sealed." },
    { "verified", ALLOY_BOOL, 0, "Whether nothing differs." },
    { "document_intact", ALLOY_BOOL, 0, "Whether the document has its "
      "SHA-256." },
    { "figures_intact", ALLOY_BOOL, ALLOY_NULLABLE, "Whether the entries and "
      "rules in it give its figures; null when it is not intact." },
    { "entries_intact", ALLOY_BOOL, ALLOY_NULLABLE, "Whether the entries and "
      "rates in it are those there are now." },
    { "entries", ALLOY_INT, 0, "How many entries it holds." },
    { "differences_total", ALLOY_INT, 0, "How many there are." },
    { "differences", ALLOY_JSON, ALLOY_MANY, "The first hundred.", NULL,
      &difference_shape },
    ALLOY_FIELDS_END
};

static const alloy_shape_t verified_shape = {
    "ReportPackVerification", verified_fields
};

/* ---- input ---------------------------------------------------------------------- */

static const alloy_param_t seal_params[] = {
    FINANCE_PERIOD_PARAM,
    FINANCE_ORG_PARAM,
    FINANCE_POLICY_PARAM,
    ALLOY_PARAMS_END
};

static const alloy_param_t list_params[] = {
    { .name = "org", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .resource = &alloy_org_resource,
      .help = "Id or slug of the organization." },
    ALLOY_PARAMS_END
};

static const alloy_param_t pack_params[] = {
    { .name = "pack", .type = ALLOY_REF, .flags = ALLOY_REQUIRED,
      .help = "Id of the sealed report.",
      .resource = &finance_pack_resource },
    ALLOY_PARAMS_END
};

/* ---- code ------------------------------------------------------------------------- */

static alloy_problem_t *run_seal(alloy_call_t *call)
{
    const alloy_row_t *row;

    finance_bind_period(call);
    ALLOY_TRY(alloy_fetch(call, &sql_pack_seal, &row));
    return row ? alloy_answer_row(call, row) : alloy_missing(call);
}

static alloy_problem_t *run_document(alloy_call_t *call)
{
    const alloy_row_t *row;
    const char *content;

    ALLOY_TRY(alloy_fetch(call, &sql_pack_document, &row));
    if (!row) {
        return alloy_missing(call);
    }
    content = alloy_row_text(row, "content");
    if (!content) {
        return alloy_answer_row(call, row);
    }
    alloy_answer_document(call, PACK_TYPE, content, strlen(content));
    return NULL;
}

/* ---- the table ------------------------------------------------------------------------ */

#define PARTIAL \
    { "partial", &alloy_forbidden, NULL, \
      "A sealed report holds all of an organization; use a token that is not " \
      "limited to some of its projects." }

static const alloy_refusal_t seal_refusals[] = {
    PARTIAL,
    FINANCE_TOO_LARGE,
    { "too_many", &alloy_invalid_state, NULL,
      "The period has more than 500000 approved entries; seal its months one "
      "by one." },
    ALLOY_REFUSALS_END
};

static const alloy_refusal_t read_refusals[] = {
    PARTIAL,
    ALLOY_REFUSALS_END
};

#define PACKS "/reports/capitalization/packs"

const alloy_operation_t finance_pack_operations[] = {
    {
        .id = "report_pack_create",
        .method = ALLOY_POST,
        .path = PACKS,
        .noun = "reports",
        .summary = "Seals the capitalization report of a period for an "
                   "organization.",
        .help = "One document holds every entry, rate and rule behind the "
                "figures, under one SHA-256. Seal a period after it was "
                "closed: what is approved later shows as a difference.",
        .role = ALLOY_ADMIN,
        .flags = ALLOY_CREATES | ALLOY_TRANSACTION,
        .params = seal_params,
        .answer = &pack_shape,
        .run = run_seal,
        .location = PACKS "/{id}",
        .refusals = seal_refusals,
    },
    {
        .id = "report_pack_list",
        .method = ALLOY_GET,
        .path = "/orgs/{org}/report-packs",
        .noun = "reports",
        .summary = "Lists an organization's sealed reports, newest first.",
        .role = ALLOY_ADMIN,
        .params = list_params,
        .answer = &pack_shape,
        .steps = { &sql_pack_list },
    },
    {
        .id = "report_pack_get",
        .method = ALLOY_GET,
        .path = PACKS "/{pack}",
        .noun = "reports",
        .summary = "Answers what a sealed report is about, and its SHA-256.",
        .role = ALLOY_ADMIN,
        .params = pack_params,
        .answer = &pack_shape,
        .steps = { &sql_pack_get },
    },
    {
        .id = "report_pack_document",
        .method = ALLOY_GET,
        .path = PACKS "/{pack}/document",
        .noun = "reports",
        .summary = "Answers the document of a sealed report, byte for byte.",
        .help = "Each line is a JSON object that says in \"line\" what it is: "
                "pack, rule, project, rate, entry, figure.",
        .role = ALLOY_ADMIN,
        .params = pack_params,
        .run = run_document,
        .document = PACK_TYPE,
        .refusals = read_refusals,
    },
    {
        .id = "report_pack_verify",
        .method = ALLOY_GET,
        .path = PACKS "/{pack}/verify",
        .noun = "reports",
        .summary = "Computes a sealed report again and tells what differs.",
        .help = "From the document alone: its SHA-256, its amounts and "
                "figures. Then each entry and rate in it is compared with the "
                "one there is.",
        .role = ALLOY_ADMIN,
        .params = pack_params,
        .answer = &verified_shape,
        .steps = { &sql_pack_verify },
        .refusals = read_refusals,
    },
    ALLOY_OPERATIONS_END
};
