# What the tests that walk over everything must know of the finance plugin.
use strict;
use warnings;

my $number = 0;

sub walk_id { return AlloyTest::Walk::id(@_) }

# A draft of the caller's own, where a caller is known.
sub draft {
    my ($server, $place) = @_;
    my $ticket = walk_id($server, $place, 'ticket');
    return $server->must(201, $server->post("/tickets/$ticket/time-entries",
        { minutes => 1 }, token => $place->{author} // $place->{by}))->{id};
}

sub act {
    my ($server, $who, $entry, $verb) = @_;
    $server->must(200, $server->post("/time-entries/$entry/$verb", undef,
        token => $who));
    return $entry;
}

# Submitted, of somebody who is not the one who decides about it.
sub submitted {
    my ($server, $place, $whose) = @_;
    my $ticket = walk_id($server, $place, 'ticket');
    my $entry = $server->must(201, $server->post(
        "/tickets/$ticket/time-entries", { minutes => 1, user_id => $whose
            // walk_id($server, $place, 'user') }, token => $place->{by}));
    return act($server, $place->{by}, $entry->{id}, 'submit');
}

# Of the caller, or of somebody else where the caller is who approves.
sub approved {
    my ($server, $place, $caller) = @_;
    my $own = $caller->{user_id} eq $place->{by}{user_id} ? undef
        : $caller->{user_id};
    return act($server, $place->{by}, submitted($server, $place, $own),
        'approve');
}

# A day no rate begins on yet.
sub day { return sprintf '%04d-01-01', 1000 + ++$number }

# Ids as 91-statements.t makes them.
sub plan_id {
    my ($org, $kind, $n) = @_;
    return sprintf '01900000-0000-7%03x-8%03x-%012x', $org, $kind, $n;
}

{
    least => {
        (map { $_ => 'Member' } qw(ticket_time_entry_create time_entry_create
            time_entry_get time_entry_update
            time_entry_delete time_entry_submit time_entry_adjust)),
        (map { $_ => 'Admin' } qw(time_entry_reject time_entry_approve
            time_entry_approve_many labor_rate_create labor_rate_list
            project_fact_set)),
        (map { $_ => 'Viewer' } qw(time_entry_list
            project_fact_list period_list capitalization_report
            capitalization_export time_report ticket_cost budget_report
            report_budget report_budget_chart)),
        capitalization_policies => 'signed_in',
        (map { $_ => 'Admin' } qw(report_pack_create report_pack_list
            report_pack_get report_pack_document report_pack_verify)),
        period_close => 'Owner',
    },

    make => {
        time_entry => \&draft,
        period     => sub {'2001-01'},
        pack       => sub {
            my ($server, $place) = @_;
            return $server->must(201, $server->post(
                '/reports/capitalization/packs', { period => '2026-04',
                org_id => $place->{org} }, token => $place->{by}))->{id};
        },
    },

    body => {
        report_pack_create => sub { { json => { period => '2026-04',
            org_id => $_[1]{org} } } },
        ticket_time_entry_create => sub { { json => { minutes => 1 } } },
        time_entry_create        => sub {
            my ($server, $place) = @_;
            return { json => { minutes => 1,
                ticket_id => walk_id($server, $place, 'ticket') } };
        },
        time_entry_update => sub { { json => { minutes => 1 } } },
        time_entry_reject => sub {
            return { path => { time_entry => submitted(@_[ 0, 1 ]) },
                json => { reason => 'Too long' } };
        },
        time_entry_approve => sub {
            return { path => { time_entry => submitted(@_[ 0, 1 ]) } };
        },
        time_entry_approve_many => sub {
            return { json => { org_id => $_[1]{org},
                ids => [ submitted(@_[ 0, 1 ]) ] } };
        },
        time_entry_adjust => sub {
            return { path => { time_entry => approved(@_) },
                json => { minutes => -1 } };
        },
        labor_rate_create => sub { { json => { rate_cents => 100,
            effective_date => day() } } },
        project_fact_set => sub { { json => { funding_authorized =>
            JSON::PP::true() } } },
    },

    add => {
        report_pack_list => sub {
            my ($server, $place) = @_;
            return $server->must(201, $server->post(
                '/reports/capitalization/packs', { period => '2026-04',
                org_id => $place->{org} }, token => $place->{by}));
        },
        period_list => sub {
            my ($server, $place) = @_;
            my $month = sprintf '%04d-01', 1000 + ++$number;
            return $server->must(200, $server->post(
                "/orgs/$place->{org}/periods/$month/close", undef,
                token => $place->{by}))->{months}[0];
        },
    },

    data => [
        q{INSERT INTO alloy.labor_rate (org_id, id, user_id, rate_cents,
                                        currency, effective_date, created_by,
                                        created_at)
          SELECT {id o 0 0}, {id o 17 n}, CASE WHEN n > 10 THEN {id 0 1 (1+n%400)} END,
                 10000 + n, 'USD', date '2020-01-01' + n::integer,
                 {id 0 1 1}, {at n 4000}
            FROM generate_series(1, 400) o, generate_series(1, 4000) n
           WHERE o = 1 OR n < 3},
        q{INSERT INTO alloy.project_fact (org_id, id, project_id, kind, value,
                                          effective_date)
          SELECT {id o 0 0}, {id o 18 (p*16+n)}, {id o 3 p},
                 'capitalization_type', 'Capex',
                 date '2024-01-01' + n::integer
            FROM generate_series(1, 400) o, generate_series(1, 500) p,
                 generate_series(1, 3) n
           WHERE o = 1 OR p <= 3},
        q{INSERT INTO alloy.project_finance (org_id, project_id,
                                             budget_enforcement)
          SELECT p.org_id, p.id, 'block' FROM alloy.project p},
        q{INSERT INTO alloy.time_entry (org_id, id, project_id, ticket_id,
              user_id, work_date, day, minutes, activity, status, created_by,
              created_at, decided_by, decided_at, rate_id, rate_cents,
              amount_cents, currency)
          SELECT t.org_id,
                 overlay(t.id::text PLACING '8010' FROM 20 FOR 4)::uuid,
                 t.project_id, t.id, {id 0 1 (1+t.ticket_number%50)},
                 t.created_at::date, t.created_at::date, 60, 'Development',
                 CASE WHEN done THEN 'Approved' ELSE 'Draft' END, {id 0 1 1},
                 t.created_at, CASE WHEN done THEN {id 0 1 2} END,
                 CASE WHEN done THEN t.created_at END,
                 CASE WHEN done THEN r.id END,
                 CASE WHEN done THEN r.rate_cents END,
                 CASE WHEN done THEN r.rate_cents END,
                 CASE WHEN done THEN 'USD' END
            FROM alloy.ticket t
           CROSS JOIN LATERAL (SELECT t.ticket_number % 2 = 0 AS done) d
            JOIN alloy.labor_rate r ON r.org_id = t.org_id
             AND right(r.id::text, 12) = '000000000001'},
        q{INSERT INTO alloy.period_close (org_id, id, first_day, last_day,
                                          closed_by)
          SELECT {id o 0 0}, {id o 19 n}, m::date,
                 (m + interval '1 month')::date - 1, {id 0 1 1}
            FROM generate_series(1, 400) o, generate_series(1, 60) n
           CROSS JOIN LATERAL (SELECT timestamp '2020-01-01'
                   + (n - 1) * interval '1 month' AS m) d},
        q{INSERT INTO alloy.report_pack (org_id, id, period, policy,
              policy_version, sha256, content, created_by, created_at)
          SELECT {id o 0 0}, {id o 20 n}, '2024-01', 'us-gaap-350-40', 1,
                 repeat('0', 64), repeat('x', 1000), {id 0 1 1}, {at n 500}
            FROM generate_series(1, 400) o, generate_series(1, 500) n
           WHERE o = 1 OR n <= 20},
    ],
    given => {
        time_entry => plan_id(1, 16, 65536 + 1),
        entries    => '{' . plan_id(1, 16, 65536 + 1) . '}',
        approved   => '{' . plan_id(1, 16, 65536 + 1) . '}',
        period     => '2024-01',
        pack       => plan_id(1, 20, 1),
        first_day  => '2025-06-01',
        last_day   => '2025-06-30',
    },
    filter => { activity => 'Development', kind => 'capitalization_type' },
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
