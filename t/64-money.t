# Labor rates, dated facts, budgets and closed periods: what approval freezes, to
# the cent, and what nothing changes any more.
# plugin: finance
use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Time;
use AlloyTest::Together;
use Test::More;

my $server = AlloyTest->start(children => 2);
my $office = AlloyTest::Time->new($server);
my ($ada, $admin, $mia, $bob, $viewer) = $office->people;
my $org = $office->{org};

subtest 'rates, and what approval freezes' => sub {
    is_problem($server->post("/orgs/$org->{slug}/labor-rates",
        { rate_cents => 1 }, token => $mia), 403, 'forbidden');
    my $everybody = $office->rate(6000, '2026-01-01');
    is_deeply([ @$everybody{qw(user_id rate_cents currency effective_date
        created_by)} ], [ undef, 6000, 'USD', '2026-01-01',
        $admin->{user_id} ], 'everybody\'s rate');
    $office->rate(9999, '2026-03-15', $mia);
    $office->rate(12345, '2026-03-20', $mia);
    is_problem($server->post("/orgs/$org->{slug}/labor-rates",
        { rate_cents => 1, effective_date => '2026-03-20',
            user_id => $mia->{user_id} }, token => $admin), 409,
        'already_exists', errors => { '/effective_date' => 'day_taken' });
    is_problem($server->post("/orgs/$org->{slug}/labor-rates",
        { rate_cents => 1, effective_date => '2026-01-01' }, token => $admin),
        409, 'already_exists');
    for my $body ({ rate_cents => -1 }, { rate_cents => 1_000_000_000_001 },
        {}, { rate_cents => 1.5 }) {
        is_problem($server->post("/orgs/$org->{slug}/labor-rates", $body,
            token => $admin), 422, 'validation_failed');
    }
    is_deeply([ map { $_->{rate_cents} } @{ $server->must(200, $server->get(
        "/orgs/$org->{slug}/labor-rates", query => { user_id => $mia->{email} },
        token => $admin))->{items} } ], [ 12345, 9999 ], 'versions, listed');

    # minutes, day, rate, amount: half up, in integers
    my @cases = ([ 60, '2026-03-14', 6000, 6000 ], [ 1, '2026-03-15', 9999, 167 ],
        [ 3, '2026-03-16', 9999, 500 ], [ 7, '2026-03-20', 12345, 1440 ],
        [ 90, '2026-03-21', 12345, 18518 ], [ 2, '2026-03-22', 12345, 412 ]);
    my %frozen;
    for (@cases) {
        my ($minutes, $day, $rate, $amount) = @$_;
        my $done = $office->approved($mia, minutes => $minutes, work_date => $day);
        is_deeply([ @$done{qw(rate_cents amount_cents currency)} ],
            [ $rate, $amount, 'USD' ], "$minutes minutes on $day");
        $frozen{ $done->{id} } = $amount;
    }
    $office->rate(1, '2026-03-14', $mia);
    is_deeply({ map { $_->{id} => $_->{amount_cents} } @{ $server->rows(
        'SELECT id, amount_cents FROM alloy.time_entry WHERE id = ANY (?)',
        [ keys %frozen ]) } }, \%frozen, 'a later rate changes none of them');
    my ($one) = keys %frozen;
    is($server->must(200, $server->get("/time-entries/$one", token => $mia))
        ->{amount_cents}, undef, 'amounts are for Admins');
    my $visible = sub { $server->must(200, $server->patch("/orgs/$org->{slug}",
        { finance_visibility => $_[0] }, token => $ada)) };
    $visible->('all');
    is($server->must(200, $server->get("/time-entries/$one", token => $mia))
        ->{amount_cents}, $frozen{$one}, 'or for all, where it says so');
    $visible->('admins');
    my $top = $office->rate(1_000_000_000_000, '2026-04-29', $bob);
    is($office->approved($bob, minutes => 1440, work_date => '2026-04-30')
        ->{amount_cents}, 24_000_000_000_000, 'a day of the highest rate');
};

subtest 'facts in force on the day' => sub {
    my $app = $office->project('APP', capitalization_type => 'Opex');
    $server->ticket($ada, 'APP', title => 'A');
    my $facts = sub { [ map { [ @$_{qw(kind value effective_date)} ] }
        @{ $server->must(200, $server->get('/projects/APP/facts',
            token => $viewer)) } ] };
    is_deeply($facts->(), [ [ 'capitalization_type', 'Opex', undef ] ],
        'what a project is made with holds from its beginning');
    my $then = $office->submitted($mia, on => 'APP-1', minutes => 5,
        work_date => '2026-02-10');
    $server->must(200, $server->patch('/projects/APP', { capitalization_type =>
        'Capex', development_phase => 'AppDevelopment' }, token => $ada));
    my $old = $server->must(200, $office->act($admin, $then, 'approve'));
    is("@$old{qw(capitalization_type development_phase)}", 'Opex AppDevelopment',
        'the new type begins today, the first phase with the project');
    my $new = $office->approved($mia, on => 'APP-1', minutes => 5);
    is($new->{capitalization_type}, 'Capex', 'time of today has the new one');

    is_problem($server->put('/projects/APP/facts', { funding_authorized =>
        json_true }, token => $mia), 403, 'forbidden');
    $server->must(200, $server->put('/projects/APP/facts', {
        effective_date => '2026-02-15', development_phase =>
        'PostImplementation', funding_authorized => json_true },
        token => $admin));
    $server->must(200, $server->put('/projects/APP/facts', {
        effective_date => '2026-02-20', development_phase => 'Preliminary',
        completion_probable => json_true }, token => $admin));
    is($server->must(200, $server->get('/projects/APP', token => $ada))
        ->{development_phase}, 'Preliminary', 'the project shows today\'s');
    my %on = map { my $day = $_; my $done = $office->approved($mia, on => 'APP-1',
        minutes => 5, work_date => $day); $day => join ' ',
        map { $_ // '-' } @$done{qw(capitalization_type development_phase
            funding_authorized completion_probable)} }
        qw(2026-02-14 2026-02-15 2026-02-19 2026-02-20);
    is_deeply(\%on, { '2026-02-14' => 'Opex AppDevelopment - -',
        '2026-02-15' => 'Opex PostImplementation 1 -',
        '2026-02-19' => 'Opex PostImplementation 1 -',
        '2026-02-20' => 'Opex Preliminary 1 1' }, 'each day its own');
    is_problem($server->put('/projects/APP/facts', { effective_date =>
        '2999-01-01', development_phase => 'Preliminary' }, token => $admin),
        422, 'validation_failed', errors => { '/effective_date' => 'not_yet' });
    my $before = $facts->();
    my $change = $server->patch('/projects/APP', { capitalization_type =>
        'Opex' }, token => $ada)->header('Alloy-Change-Id');
    $server->must(200, $server->post("/changes/$change/revert", undef,
        token => $ada));
    is_deeply($facts->(), $before, 'a change of the project is undone with '
        . 'its facts');
};

subtest 'budgets' => sub {
    my $made = $office->project('BUD', budget_cents => 10_000, budget_period =>
        'Monthly', budget_enforcement => 'block');
    is($made->{budget_enforcement}, 'block', 'said when it is made');
    is($server->must(200, $server->get('/projects/WEB', token => $ada))
        ->{budget_enforcement}, 'none', 'none, where nobody said');
    $server->ticket($ada, 'BUD', title => 'B');
    my $hour = sub { $office->submitted($admin, on => 'BUD-1', minutes => $_[0],
        work_date => $_[1]) };
    $server->must(200, $office->act($ada, $hour->(60, '2026-04-01'), 'approve'));
    my $second = $hour->(60, '2026-04-02');
    is_problem($office->act($ada, $second, 'approve'), 409, 'budget_exceeded',
        detail => qr/6000 cents.*12000.*budget of 10000/);
    is($office->row($second->{id})->{status}, 'Submitted', 'it stays submitted');
    $server->must(200, $office->act($ada, $hour->(60, '2026-05-02'), 'approve'));
    $server->must(200, $server->patch('/projects/BUD', { budget_enforcement =>
        'warn' }, token => $ada));
    my $warned = $server->must(200, $office->act($ada, $second, 'approve'));
    is($warned->{status}, 'Approved', 'warned, and approved');
    is($warned->{warnings}[0]{code}, 'budget_exceeded', 'the warning says so');
    $server->must(200, $server->patch('/projects/BUD', { budget_enforcement =>
        'block', budget_period => 'Total', budget_cents => 30_000 },
        token => $ada));
    my @entries = map { $hour->(20, sprintf '2026-06-%02d', $_) } 1 .. 10;
    my @answers = together(map { my $entry = $_; sub { $office->act($ada, $entry,
        'approve') } } @entries);
    my %count;
    $count{ $_->status }++ for @answers;
    is_deeply(\%count, { 200 => 6, 409 => 4 }, 'ten at once: six are paid for');
    is($server->rows(q{SELECT sum(amount_cents)::bigint AS n
        FROM alloy.time_entry WHERE project_id = ? AND status = 'Approved'},
        $made->{id})->[0]{n}, 30_000, 'to the cent');
};

subtest 'closed periods' => sub {
    my $open = $office->submitted($mia, minutes => 30, work_date => '2025-11-30');
    my $draft = $office->entry($mia, minutes => 30, work_date => '2025-10-01');
    my $paid = $office->approved($mia, minutes => 30, work_date => '2025-12-31');
    my $later = $office->entry($mia, minutes => 30, work_date => '2026-05-20');
    my $close = sub { $server->post("/orgs/$org->{slug}/periods/$_[0]/close",
        undef, token => $_[1] // $ada) };
    is_problem($close->('2025-11', $admin), 403, 'forbidden',
        detail => qr/Owner/);
    is_problem($close->($_), 404, 'not_found', name => "$_ is no period")
        for qw(2025-13 2025-Q5 25-01 0000);
    is_problem($close->('2999'), 409, 'invalid_state');
    my $done = $server->must(200, $close->('2025-q4'));
    is_deeply([ @$done{qw(period first_day last_day)}, map { $_->{period} }
        @{ $done->{months} } ], [qw(2025-Q4 2025-10-01 2025-12-31
        2025-10 2025-11 2025-12)], 'a quarter is three months');
    is_deeply($server->must(200, $close->('2025-Q4')), $done,
        'closing it again changes nothing');
    is_deeply([ map { $_->{period} } @{ $server->must(200, $server->get(
        "/orgs/$org->{slug}/periods", token => $viewer))->{items} } ],
        [qw(2025-12 2025-11 2025-10)], 'listed');
    my $rates = "/orgs/$org->{slug}/labor-rates";
    my @tries = (
        [ 'logging', sub { $server->post('/tickets/WEB-1/time-entries',
            { minutes => 1, work_date => '2025-12-31' }, token => $mia) } ],
        [ 'changing', sub { $server->patch("/time-entries/$draft->{id}",
            { minutes => 1 }, token => $mia) } ],
        [ 'moving out', sub { $server->patch("/time-entries/$draft->{id}",
            { work_date => '2026-05-01' }, token => $mia) } ],
        [ 'moving in', sub { $server->patch("/time-entries/$later->{id}",
            { work_date => '2025-10-31' }, token => $mia) } ],
        [ 'deleting', sub { $server->delete("/time-entries/$draft->{id}",
            token => $mia) } ],
        [ 'submitting', sub { $office->act($mia, $draft, 'submit') } ],
        [ 'approving', sub { $office->act($admin, $open, 'approve') } ],
        [ 'rejecting', sub { $office->act($admin, $open, 'reject',
            { reason => 'x' }) } ],
        [ 'adjusting', sub { $server->post("/time-entries/$paid->{id}/adjust",
            { minutes => -1, work_date => '2025-12-31' }, token => $mia) } ],
        [ 'a rate', sub { $server->post($rates, { rate_cents => 5,
            effective_date => '2025-12-01' }, token => $admin) } ],
        [ 'a fact', sub { $server->put('/projects/WEB/facts',
            { funding_authorized => json_true, effective_date =>
                '2025-12-01' }, token => $admin) } ],
        [ 'approving many', sub { $server->post('/time-entries/batch-approve',
            { org_id => $org->{id}, ids => [ $open->{id} ] },
            token => $admin) } ],
    );
    is_problem($_->[1]->(), 409, 'period_closed', name => "$_->[0] is refused")
        for @tries;
    is($office->row($draft->{id})->{minutes}, 30, 'nothing was changed');
    my $fix = $server->must(201, $server->post(
        "/time-entries/$paid->{id}/adjust", { minutes => -30,
            work_date => '2026-05-03' }, token => $mia));
    $server->must(200, $office->act($mia, $fix, 'submit'));
    is($server->must(200, $office->act($admin, $fix, 'approve'))->{status}, 'Approved',
        'approved time is corrected in a later period');
    ok(!eval { $server->dbh('app')->do('UPDATE alloy.period_close
        SET closed_by = closed_by') }, 'a closing is never changed');

    # Whoever came first, no time is approved that the closing did not see.
    my @entries = map { $office->submitted($bob, minutes => 5,
        work_date => sprintf '2025-08-%02d', $_) } 1 .. 9;
    my @answers = together((map { my $entry = $_; sub { $office->act($admin, $entry,
        'approve') } } @entries), sub { $close->('2025-08') });
    my $end = pop @answers;
    status_is($end, 200);
    my $at = $end->json->{closed_at};
    is($server->rows(q{SELECT count(*)::int AS n FROM alloy.time_entry
        WHERE work_date BETWEEN '2025-08-01' AND '2025-08-31'
          AND status = 'Approved' AND decided_at > ?::timestamptz}, $at)
        ->[0]{n}, 0, 'nothing is approved after it was closed');
    is(scalar(grep { $_->status == 200 } @answers),
        $server->rows(q{SELECT count(*)::int AS n FROM alloy.time_entry
            WHERE work_date BETWEEN '2025-08-01' AND '2025-08-31'
              AND status = 'Approved'})->[0]{n}, 'who was told so, was');
};

done_testing;
