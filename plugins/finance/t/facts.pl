# What the tests that walk over everything must know of the finance plugin.
use strict;
use warnings;

{
    definer_rights => [
        'alloy.time_entry SELECT '
            . '(day,deleted_at,id,minutes,org_id,status,user_id)',
        'policy alloy.time_entry r',
    ],

    fixture => [
        ['labor_rate', q{(org_id, id, user_id, rate_cents, currency,
            effective_date, created_by) VALUES ('{org}', '{flow}', '{me}', 100,
            'USD', '2026-01-01', '{me}')}, 'org'],
        ['project_fact', q{(org_id, id, project_id, kind, value,
            effective_date) VALUES ('{org}', '{ticket}', '{project}',
            'funding_authorized', 'true', '2026-01-01')}, 'project'],
        ['project_finance', q{(org_id, project_id, budget_enforcement) VALUES
            ('{org}', '{project}', 'none')}, 'project'],
        ['time_entry', q{(org_id, id, project_id, ticket_id, user_id,
            work_date, day, minutes, activity, created_by) VALUES ('{org}',
            '{ticket}', '{project}', '{ticket}', '{me}', '2026-01-01',
            '2026-01-01', 60, 'Other', '{me}')}, 'project'],
        ['period_close', q{(org_id, id, first_day, last_day, closed_by) VALUES
            ('{org}', '{flow}', '2025-01-01', '2025-01-31', '{me}')}, 'org'],
        ['report_pack', q{(org_id, id, period, policy, policy_version, sha256,
            content, created_by) VALUES ('{org}', '{flow}', '2025-01', 'p', 1,
            repeat('0', 64), '', '{me}')}, 'org'],
    ],
};
