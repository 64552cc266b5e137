# Reports on money: what the guide prints, and 100,000 entries against sums made
# here, one by one, in whole numbers.
# plugin: finance
use strict;
use warnings;
use utf8;
use lib 't/lib';

use AlloyTest;
use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use Math::BigInt;
use Test::More;

my $server = AlloyTest->start;
my $admin = $server->dbh('admin');
my $ada = $server->register(name => 'Ada Owner');
my $org = $server->org($ada, name => 'Acme');
my $mia = $server->member(org => $org->{id}, by => $ada, role => 'Member',
    name => 'Mia Member');
my (%project, %ticket);
for my $key (qw(WEB APP OPS)) {
    $project{$key} = $server->project($ada, org_id => $org->{id}, key => $key,
        name => $key eq 'APP' ? '=APP("x", 1)' : "Project $key");
    $ticket{$key} = $server->ticket($ada, $project{$key}{id})->{id};
}

sub get {
    my ($path, $query, %option) = @_;
    return $server->get($path, token => $ada, query => $query, %option);
}

sub look { return $server->must(200, get(@_)) }

# Frozen entries straight into the table: [key, date, minutes, rate, activity,
# type, phase, funded, probable, amount unless it is the rule's, currency].
my @COLUMNS = qw(key date minutes rate activity type phase funded probable amount
    currency);

sub amount {
    use integer;
    my ($entry) = @_;
    return undef unless defined $entry->{rate};
    my $size = (2 * abs($entry->{minutes}) * $entry->{rate} + 60) / 120;
    return $entry->{minutes} < 0 ? -$size : $size;
}

my ($rate_id) = $admin->selectrow_array(q{INSERT INTO alloy.labor_rate (org_id,
    id, rate_cents, currency, effective_date, created_by)
    VALUES (?, alloy.new_id(?), 1, 'USD', '2000-01-01', ?) RETURNING id}, undef,
    ($org->{id}) x 2, $ada->{user_id});

sub load {
    my @entries = @_;
    for (@entries) {
        $_->{amount} //= amount($_);
        $_->{currency} //= 'USD';
    }
    my $json = JSON::PP->new->ascii;
    $admin->do('SET session_replication_role = replica');
    while (my @some = splice @entries, 0, 20_000) {
        my $text = $json->encode([ map { my $e = $_; +{
            (map { $_ => defined $e->{$_} ? "$e->{$_}" : undef } @COLUMNS),
            project => $project{ $e->{key} }{id},
            ticket => $ticket{ $e->{key} } } } @some ]);
        $admin->do(q{INSERT INTO alloy.time_entry (org_id, id, project_id,
            ticket_id, user_id, work_date, day, minutes, activity, status,
            decided_at, decided_by, rate_id, rate_cents, amount_cents, currency,
            capitalization_type, development_phase, funding_authorized,
            completion_probable, adjusts, created_by)
            SELECT ?, n.id, r.project, r.ticket, ?, r.date, r.date, r.minutes,
                   r.activity, 'Approved', now(), ?,
                   CASE WHEN r.rate IS NOT NULL THEN ?::uuid END, r.rate,
                   r.amount, r.currency, r.type, r.phase, r.funded, r.probable,
                   CASE WHEN r.minutes < 0 THEN n.id END, ?
              FROM jsonb_to_recordset(?::jsonb) AS r (
                   project uuid, ticket uuid, date date, minutes int,
                   rate bigint, activity text, type text, phase text,
                   funded bool, probable bool, amount bigint, currency text)
             CROSS JOIN LATERAL (SELECT alloy.new_id(?) AS id, r.date) n},
            undef, $org->{id}, ($ada->{user_id}) x 2, $rate_id,
            $ada->{user_id}, $text, $org->{id});
    }
    $admin->do('SET session_replication_role = origin');
    return;
}

# ---- the guide ----------------------------------------------------------------

subtest 'as the guide prints it' => sub {
    my $is = look('/reports/capitalization', { period => '2026-04' });
    is_deeply([ @$is{qw(period projects currency scope policy)} ],
        [ '2026-04', [], 'USD', 'all', 'us-gaap-350-40' ], 'no time yet');
    load({ key => 'WEB', date => '2026-04-30', minutes => 100, rate => 9_999,
        activity => 'Development', type => 'Capex', phase => 'AppDevelopment' },
        { key => 'WEB', date => '2026-04-01', minutes => 61, rate => undef,
        activity => 'Meeting', type => 'Capex', phase => 'AppDevelopment' });
    my ($web) = @{ look('/reports/capitalization',
        { period => '2026-04' })->{projects} };
    is_deeply($web, { project_id => $project{WEB}{id}, project_key => 'WEB',
        project_name => 'Project WEB', currency => 'USD',
        capitalization_type => 'Capex', development_phase => 'AppDevelopment',
        total_minutes => 161, total_hours => 2.68, total_amount_cents => 16_665,
        capitalized_cents => 16_665, expensed_cents => 0,
        unrated_minutes => 61, unrated_hours => 1.02, activities => [
            { activity => 'Development', minutes => 100, hours => 1.67,
                amount_cents => 16_665, capitalized_cents => 16_665,
                expensed_cents => 0, unrated_minutes => 0 },
            { activity => 'Meeting', minutes => 61, hours => 1.02,
                amount_cents => 0, capitalized_cents => 0, expensed_cents => 0,
                unrated_minutes => 61 } ] }, 'and with time');
    $server->must(200, $server->patch('/projects/WEB',
        { budget_cents => 100_000, budget_period => 'Quarterly' },
        token => $ada));
    my ($budget) = @{ look('/reports/capitalization', { period => '2026-05',
        include_budget => 'true' })->{projects} };
    is($budget, undef, 'a budget alone is no project of the period');
    ($budget) = @{ look('/reports/capitalization', { period => '2026-04',
        include_budget => 'true' })->{projects} };
    is_deeply([ @$budget{qw(budget_cents spent_cents budget_remaining_cents
        budget_utilization_pct)} ], [ 100_000, 16_665, 83_335, 16.67 ],
        'the budget, as asked for');
    is_deeply([ @{ look('/tickets/WEB-1/cost', {}) }{qw(entries minutes hours
        unrated_minutes amount_cents currency project_budget_cents)} ],
        [ 2, 161, 2.68, 61, 16_665, 'USD', 100_000 ], 'of one ticket');
    my $csv = get('/reports/capitalization/export', { period => '2026-04' });
    my ($head) = split /\r\n/, $csv->body;
    is($head, 'period,project_id,project_key,project_name,cost_center_id,'
        . 'capitalization_type,development_phase,activity,minutes,hours,'
        . 'currency,amount_cents,capitalized_cents,expensed_cents', 'the names');
    is($csv->type, 'text/csv', 'as CSV');
    is($csv->header('Content-Disposition'),
        'attachment; filename="capitalization-2026-04.csv"', 'as a file');
    is(@{ $csv->csv }, 3, 'a line each, none for totals');
    is(get('/reports/capitalization', { period => '2026-04' },
        headers => { Accept => 'text/csv' })->body, $csv->body, 'by Accept');
    is_problem(get('/reports/capitalization', { period => $_ }), 422,
        'validation_failed', errors => { period => 'format' })
        for '2026-13', '2026-00', '2026-Q5', '2026-Q0', '26-04x', '0000';
};

# ---- at random ------------------------------------------------------------------

my @ACTIVITIES = qw(Development Design Testing Planning Maintenance Training
    Meeting Other);
my %TREATS = (
    'us-gaap-350-40' => sub { ($_[0]{phase} // '') eq 'AppDevelopment' },
    'us-gaap-2025-06' => sub { $_[0]{funded} && $_[0]{probable} },
    'ias-38' => sub { ($_[0]{phase} // '') eq 'AppDevelopment'
        && $_[0]{funded} && $_[0]{probable} },
);

sub capitalized {
    my ($policy, $entry) = @_;
    return ($entry->{type} // '') eq 'Capex'
        && $entry->{activity} !~ /^(?:Training|Maintenance)$/
        && $TREATS{$policy}->($entry);
}

sub pick { return $_[ rand @_ ] }

my @random;
srand 20240229;
for (1 .. 100_000) {
    push @random, { key => pick(qw(WEB APP OPS)),
        date => sprintf('2024-02-%02d', 1 + rand 29),
        minutes => rand() < 0.02 ? -1 - int rand 1440 : 1 + int rand 1440,
        rate => rand() < 0.05 ? undef : int rand 1_000_000,
        activity => pick(@ACTIVITIES), type => pick('Capex', 'Opex', undef),
        phase => pick(qw(Preliminary AppDevelopment PostImplementation), undef),
        map { $_ => pick('true', 'false', undef) } qw(funded probable) };
}
load(@random);
$_->{funded} = ($_->{funded} // '') eq 'true',
    $_->{probable} = ($_->{probable} // '') eq 'true' for @random;
$admin->do('VACUUM (ANALYZE) alloy.time_entry');

# {key activity => {minutes, unrated, amount, capitalized}}
sub expected {
    my ($policy) = @_;
    my %sum;
    for my $entry (@random) {
        my $sum = $sum{"$entry->{key} $entry->{activity}"}
            //= { map { $_ => 0 } qw(minutes unrated amount capitalized) };
        $sum->{minutes} += $entry->{minutes};
        $sum->{unrated} += $entry->{minutes} unless defined $entry->{rate};
        $sum->{amount} += $entry->{amount} // 0;
        $sum->{capitalized} += $entry->{amount} // 0
            if capitalized($policy, $entry);
    }
    return { map { my $s = $sum{$_};
        $_ => join ' ', map {"$_"} @$s{qw(minutes unrated amount capitalized)},
            $s->{amount} - $s->{capitalized} } keys %sum };
}

for my $policy (sort keys %TREATS) {
    subtest "100,000 entries under $policy" => sub {
        my $expected = expected($policy);
        my $json = look('/reports/capitalization', { period => '2024-02',
            policy => $policy });
        is_deeply({ map { my $p = $_; map { ("$p->{project_key} $_->{activity}"
            => join ' ', @$_{qw(minutes unrated_minutes amount_cents
            capitalized_cents expensed_cents)}) } @{ $p->{activities} } }
            @{ $json->{projects} } }, $expected, 'JSON');
        is_deeply([ map { my $p = $_; "@$p{qw(total_minutes total_amount_cents
            capitalized_cents expensed_cents)}" } @{ $json->{projects} } ],
            [ map { my $p = $_; my @sum = (0) x 4;
                for my $a (@{ $p->{activities} }) {
                    my @of = @$a{qw(minutes amount_cents capitalized_cents
                        expensed_cents)};
                    $sum[$_] += $of[$_] for 0 .. 3;
                } "@sum" } @{ $json->{projects} } ], 'whose parts add up');
        my ($head, @rows) = @{ get('/reports/capitalization/export',
            { period => '2024-02', policy => $policy })->csv };
        my %at = map { $head->[$_] => $_ } 0 .. $#$head;
        is_deeply({ map { my $r = $_;
            join(' ', @$r[ @at{qw(project_key activity)} ]) => join ' ',
            @$r[ @at{qw(minutes amount_cents capitalized_cents
            expensed_cents)} ] } @rows },
            { map { $_ => $expected->{$_} =~ s/^(\S+) \S+/$1/r }
                keys %$expected }, 'CSV');
        is((grep { $_->[ $at{project_key} ] eq 'APP' } @rows)[0]
            [ $at{project_name} ], q{'=APP("x", 1)}, 'no formula');
    };
}

subtest 'sealed' => sub {
    my $expected = expected('us-gaap-350-40');
    my $pack = $server->must(201, $server->post('/reports/capitalization/packs',
        { period => '2024-02', org_id => $org->{id} }, token => $ada));
    my $at = "/reports/capitalization/packs/$pack->{id}";
    my $document = get("$at/document")->body;
    is(sha256_hex($document), $pack->{sha256}, 'its SHA-256');
    is(length $document, $pack->{bytes}, 'its length');
    my @lines = map { JSON::PP->new->utf8->decode($_) } split /\n/, $document;
    my %of = map { my $id = $_->{id} // ''; $id => $_->{key} }
        grep { $_->{line} eq 'project' } @lines;
    is(scalar(grep { $_->{line} eq 'entry' } @lines), 100_000, 'each entry');
    is_deeply({ map { ("$of{ $_->{project_id} } $_->{activity}" => join ' ',
        @$_{qw(minutes unrated_minutes amount_cents capitalized_cents
        expensed_cents)}) } grep { $_->{line} eq 'figure' } @lines },
        $expected, 'the same figures');
    my $check = look("$at/verify");
    is_deeply([ @$check{qw(verified document_intact figures_intact
        entries_intact entries differences_total)} ],
        [ (JSON::PP::true) x 4, 100_000, 0 ], 'verified');
    is_deeply(look($at), $pack, 'shown again');
    is(look("/orgs/$org->{id}/report-packs")->{items}[0]{id}, $pack->{id},
        'listed');

    # Time that is approved later, an entry that was changed past all guards.
    load({ key => 'WEB', date => '2024-02-29', minutes => 1, rate => 60,
        activity => 'Other' });
    my ($some) = grep { $_->{line} eq 'entry' && $_->{amount_cents} } @lines;
    $admin->do('SET session_replication_role = replica');
    $admin->do('UPDATE alloy.time_entry SET amount_cents = amount_cents + 1
        WHERE id = ?', undef, $some->{id});
    $check = look("$at/verify");
    is_deeply([ @$check{qw(verified document_intact figures_intact
        entries_intact differences_total)} ], [ JSON::PP::false,
        (JSON::PP::true) x 2, JSON::PP::false, 2 ], 'what is different now');
    is_deeply([ sort map {"$_->{what} $_->{change}"}
        @{ $check->{differences} } ], [ 'entry added', 'entry changed' ], 'how');
    my ($changed) = grep { $_->{change} eq 'changed' }
        @{ $check->{differences} };
    is($changed->{found}{amount_cents} - $changed->{sealed}{amount_cents}, 1,
        'by how much');
    $admin->do('UPDATE alloy.time_entry SET amount_cents = amount_cents - 1
        WHERE id = ?', undef, $some->{id});
    $admin->do(q{DELETE FROM alloy.time_entry WHERE org_id = ?
        AND work_date = '2024-02-29' AND amount_cents = 1 AND minutes = 1
        AND rate_cents = 60}, undef, $org->{id});
    ok(look("$at/verify")->{verified}, 'nothing, when that is undone');
    $admin->do(q{UPDATE alloy.report_pack SET content = replace(content,
        '"Training"', '"Testing"') WHERE id = ?}, undef, $pack->{id});
    $admin->do('SET session_replication_role = origin');
    $check = look("$at/verify");
    is_deeply([ @$check{qw(verified document_intact figures_intact)} ],
        [ (JSON::PP::false) x 2, undef ], 'a document that was changed');
    is_problem($server->post('/reports/capitalization/packs',
        { period => '2024-02', org_id => $org->{id} }, token => $mia), 403,
        'forbidden');
    is_problem($server->get("$at/document", token => $mia), 403, 'forbidden');
};

# ---- borders ---------------------------------------------------------------------

subtest 'days, quarters, years' => sub {
    my $n = 0;
    load(map { { key => 'OPS', date => $_, minutes => 2 ** $n++, rate => 60,
        activity => 'Other' } } qw(2019-12-31 2020-01-01 2020-02-29 2020-03-31
        2020-04-01 2020-06-30 2020-07-01 2020-12-31), '2021-01-01');
    my %minutes = (2019 => 1, 2020 => 254, 2021 => 256, '2020-02' => 4,
        '2020-Q1' => 14, '2020-Q2' => 48, '2020-q3' => 64, '2020-Q4' => 128,
        '2020-03' => 8, '2020-04' => 16, '2020-12' => 128, '2019-02' => 0);
    for my $period (sort keys %minutes) {
        my ($ops) = @{ look('/reports/capitalization',
            { period => $period })->{projects} };
        is($ops ? $ops->{total_minutes} : 0, $minutes{$period}, "in $period");
        is($ops ? $ops->{total_amount_cents} : 0, $minutes{$period},
            "$period in cents");
    }
    is(look('/reports/capitalization', { period => '2020',
        as_of => '2020-12-31' })->{projects}[0], undef, 'before approval');
};

subtest 'sums that are too large' => sub {
    my $half = Math::BigInt->new(2) ** 62;
    load(map { { key => 'OPS', date => '2010-01-01', minutes => 60, rate => 1,
        activity => 'Other', amount => $_ } } $half, $half - 1);
    my $answer = get('/reports/capitalization', { period => '2010' });
    like($answer->body, qr/"total_amount_cents":9223372036854775807,/,
        'the largest is right');
    like(get('/reports/capitalization/export', { period => '2010' })->body,
        qr/,9223372036854775807,0,9223372036854775807\r\n/, 'also as CSV');
    load({ key => 'OPS', date => '2010-01-02', minutes => 60, rate => 1,
        activity => 'Other', amount => 1 });
    is_problem(get($_, { period => '2010' }), 409, 'invalid_state',
        detail => qr/9223372036854775807/) for '/reports/capitalization',
        '/reports/capitalization/export', '/reports/time';
    is_problem($server->post('/reports/capitalization/packs', {
        period => '2010', org_id => $org->{id} }, token => $ada), 409,
        'invalid_state');
};

# ---- who sees what -------------------------------------------------------------------

subtest 'what a Member sees' => sub {
    my %query = (period => '2024-02', org_id => $org->{id});
    my $is = $server->must(200, $server->get('/reports/capitalization',
        token => $mia, query => \%query));
    is_deeply([ @$is{qw(scope projects)} ], [ 'visible', [] ],
        'only his projects');
    $server->must(201, $server->post('/projects/OPS/members',
        { user_id => $mia->{user_id} }, token => $ada));
    $is = $server->must(200, $server->get('/reports/capitalization',
        token => $mia, query => { %query, include_budget => 'true' }));
    is(join(' ', map { $_->{project_key} } @{ $is->{projects} }), 'OPS',
        'his one');
    ok($is->{projects}[0]{total_minutes}, 'its time');
    is_deeply([ map { $is->{projects}[0]{$_} } qw(total_amount_cents
        capitalized_cents expensed_cents spent_cents) ], [ (undef) x 4 ],
        'no amounts');
    is_deeply([ map { @$_{qw(amount_cents capitalized_cents)} }
        @{ $is->{projects}[0]{activities} } ], [ (undef) x 16 ],
        'nor of activities');
    my @cells = map { $_->[11] } @{ $server->get(
        '/reports/capitalization/export', token => $mia,
        query => \%query)->csv };
    is(join('', @cells), 'amount_cents', 'nor in the table');
    is(look('/reports/time', { %query })->{data}[0]{user_name}, 'Ada Owner',
        'people by name');
    is($server->must(200, $server->get('/reports/time', token => $mia,
        query => \%query))->{data}[0]{amount_cents}, undef, 'nor of people');
    $server->must(200, $server->patch("/orgs/$org->{id}",
        { finance_visibility => 'all' }, token => $ada));
    ok($server->must(200, $server->get('/reports/capitalization',
        token => $mia, query => \%query))->{projects}[0]{total_amount_cents},
        'amounts, where the organization shows them');
};

subtest 'what was deleted' => sub {
    my %before = map { $_->{project_key} => $_->{total_amount_cents} }
        @{ look('/reports/capitalization', { period => '2024-02' })
            ->{projects} };
    $server->must(204, $server->request('DELETE', "/tickets/$ticket{WEB}",
        token => $ada));
    $server->must(204, $server->request('DELETE', '/projects/APP',
        token => $ada));
    is_deeply({ map { $_->{project_key} => $_->{total_amount_cents} }
        @{ look('/reports/capitalization', { period => '2024-02' })
            ->{projects} } }, \%before, 'stays in the report');
};

# ---- time, budgets, tickets --------------------------------------------------------------

subtest 'time by groups' => sub {
    my %query = (period => '2020');
    my $by = sub { my %more = @_; map { "$_->{date} $_->{minutes}" }
        @{ look('/reports/time', { %query, %more })->{data} } };
    is_deeply([ $by->(group_by => 'month') ], [ '2020-01-01 2', '2020-02-01 4',
        '2020-03-01 8', '2020-04-01 16', '2020-06-01 32', '2020-07-01 64',
        '2020-12-01 128' ], 'by month');
    is(($by->(group_by => 'week'))[0], '2019-12-30 2', 'by week');
    my ($row) = @{ look('/reports/time', { %query, group_by => 'ticket' })
        ->{data} };
    is_deeply([ @$row{qw(ticket_key minutes hours amount_cents)} ],
        [ 'OPS-1', 254, 4.23, 254 ], 'by ticket');
    is_problem(get('/reports/time', { from => '2020-01-01' }), 422,
        'validation_failed', errors => { period => 'required' });
};

subtest 'budgets' => sub {
    $server->must(200, $server->patch('/projects/OPS', { budget_cents => 1000,
        budget_period => 'Quarterly' }, token => $ada));
    my ($ops) = grep { $_->{project_key} eq 'OPS' }
        @{ look('/reports/budget', { date => '2020-05-01' })->{projects} };
    is_deeply([ @$ops{qw(first_day last_day spent_cents budget_remaining_cents
        budget_utilization_pct)} ], [ '2020-04-01', '2020-06-30', 16, 984,
        1.6 ], 'within the quarter');
    my $data = look('/projects/OPS/reports/budget',
        { date => '2020-05-01' })->{data};
    is(@$data, 91, 'a row for each day');
    is_deeply([ map { $data->[$_]{spent_cents} } 0, 30, 31 ],
        [ 16, 16, undef ], 'until today');
    is($data->[-1]{even_cents}, 1000, 'an even pace');
    my $svg = get('/projects/OPS/reports/budget.svg',
        { date => '2020-05-01' });
    is($svg->type, 'image/svg+xml', 'as a chart');
    like($svg->body, qr/<title[^>]*>Budget: Project OPS</, 'with its title');
};

done_testing;
