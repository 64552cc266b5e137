/*
 * The revisions of the protocol that are spoken here. The next one is a row of
 * this table, and rows of the table of methods in rpc.c.
 */
#include "mcp.h"

const mcp_revision_t mcp_revisions[] = {
    { "2026-07-28", MCP_MODERN | MCP_STRUCTURED },
    { "2025-11-25", MCP_STRUCTURED },
    { "2025-06-18", MCP_STRUCTURED },
    { "2025-03-26", MCP_BATCHES },
    { NULL, 0 }
};

const mcp_revision_t *mcp_revision_find(const char *name)
{
    const mcp_revision_t *revision = mcp_revisions;

    while (name && revision->name && strcmp(revision->name, name)) {
        revision++;
    }
    return name && revision->name ? revision : NULL;
}

const mcp_revision_t *mcp_revision_newest_legacy(void)
{
    const mcp_revision_t *revision = mcp_revisions;

    while (revision->flags & MCP_MODERN) {
        revision++;
    }
    return revision;
}
