# Time entries, rates, approval, facts, budgets, closed periods: by what is
# answered and what the database holds, and by many at once.
# plugin: finance
use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Together;
use Test::More;

my $server = AlloyTest->start(children => 2);
my $ada = $server->register(name => 'Ada Owner');
my $org = $server->org($ada, name => 'Acme');
my %who = map { $_ => $server->member(org => $org->{id}, by => $ada,
    role => $_, name => "Mia $_") } qw(Admin Member);
my $bob = $server->member(org => $org->{id}, by => $ada, role => 'Member',
    name => 'Bob');
my $viewer = $server->member(org => $org->{id}, by => $ada, role => 'Viewer',
    name => 'Vic');
my ($admin, $mia) = @who{qw(Admin Member)};

sub project {
    my ($key, %fields) = @_;
    my $project = $server->must(201, $server->post('/projects', {
        org_id => $org->{id}, name => "Project $key", key => $key, %fields },
        token => $ada));
    $server->must(201, $server->post("/projects/$key/members",
        { user_id => $_->{user_id} }, token => $ada))
        for $admin, $mia, $bob, $viewer;
    return $project;
}

my $web = project('WEB');
my $ticket = $server->ticket($ada, 'WEB', title => 'Wireframes');

# An entry, by whom and with what.
sub entry {
    my ($who, %fields) = @_;
    my $on = delete $fields{on} // 'WEB-1';
    return $server->must(201, $server->post("/tickets/$on/time-entries",
        \%fields, token => $who));
}

sub act {
    my ($who, $entry, $verb, $body) = @_;
    return $server->post("/time-entries/$entry->{id}/$verb", $body,
        token => $who);
}

sub submitted {
    my $entry = entry(@_);
    return $server->must(200, act($_[0], $entry, 'submit'));
}

sub approved {
    return $server->must(200, act($admin, submitted(@_), 'approve'));
}

sub row {
    my ($id) = @_;
    return $server->rows('SELECT *, work_date::text AS work_date,
        day::text AS day FROM alloy.time_entry WHERE id = ?', $id)->[0];
}

subtest 'logging time' => sub {
    my $answer = $server->post('/tickets/WEB-1/time-entries',
        { minutes => 90, work_date => '2026-03-02', activity => 'design',
            description => "Boxes\nand arrows" }, token => $mia);
    status_is($answer, 201);
    my $entry = $answer->json;
    is_deeply({ map { $_ => $entry->{$_} } qw(ticket_id project_id user_id
        created_by work_date minutes hours activity description status
        work_location adjusts rate_cents amount_cents currency
        capitalization_type reject_reason submitted_at version) },
        { ticket_id => $ticket->{id}, project_id => $web->{id},
            user_id => $mia->{user_id}, created_by => $mia->{user_id},
            work_date => '2026-03-02', minutes => 90, hours => 1.5,
            activity => 'Design', description => "Boxes\nand arrows",
            status => 'Draft', version => 1, map { $_ => undef }
            qw(work_location adjusts rate_cents amount_cents currency
            capitalization_type reject_reason submitted_at) },
        'what was sent, and what it is from the first');
    like($answer->header('Location'), qr{/time-entries/\Q$entry->{id}\E$},
        'its Location');
    is_deeply($server->must(200, $server->get("/time-entries/$entry->{id}",
        token => $mia)), $entry, 'shown as it was answered');
    my $row = row($entry->{id});
    is("@$row{qw(minutes work_date day status)}", '90 2026-03-02 2026-03-02 Draft',
        'kept as minutes');

    my %minutes = (1.25 => 75, 0.33 => 20, 8 => 480, 0.01 => 1, 0.07 => 4);
    for my $hours (sort keys %minutes) {
        my $got = $server->must(201, $server->post('/time-entries',
            { ticket_id => 'web-1', hours => $hours + 0,
                work_date => '2026-03-03' }, token => $mia));
        is($got->{minutes}, $minutes{$hours}, "$hours hours");
    }
    my $today = $server->rows(q{SELECT alloy.today(?)::text AS day},
        $org->{id})->[0]{day};
    is(entry($bob, minutes => 1)->{work_date}, $today,
        'today, when no day is named');

    my @refused = (
        [{ minutes => 5, hours => 1 }, '/hours', 'two_lengths'],
        [{}, '/minutes', 'no_length'],
        [{ minutes => 0 }, '/minutes', 'too_small'],
        [{ minutes => 1441 }, '/minutes', 'too_large'],
        [{ hours => 24.01 }, '/hours', 'too_large'],
        [{ hours => 0 }, '/minutes', 'too_short'],
        [{ hours => 1.234 }, '/hours', 'type'],
        [{ hours => -1 }, '/hours', 'too_small'],
        [{ minutes => 5, activity => 'Sleep' }, '/activity', 'not_allowed'],
        [{ minutes => 5, work_date => '2026-02-29' }, '/work_date', 'format'],
        [{ minutes => 5, user_id => 'none' }, '/user_id', undef],
    );
    for my $case (@refused) {
        my ($body, $where, $code) = @$case;
        is_problem($server->post('/tickets/WEB-1/time-entries', $body,
            token => $ada), 422, 'validation_failed',
            $code ? (errors => { $where => $code }) : ());
    }
    is_problem($server->post('/time-entries', { ticket_id => 'WEB-99',
        minutes => 5 }, token => $mia), 422, 'validation_failed',
        errors => { '/ticket_id' => 'not_found' });
    is_problem($server->post('/time-entries', { ticket_id => $web->{id},
        minutes => 5 }, token => $mia), 422, 'validation_failed');
    is_problem($server->post('/tickets/WEB-99/time-entries',
        { minutes => 5 }, token => $mia), 404, 'not_found');
};

subtest 'whose time it is' => sub {
    my $entry = entry($mia, minutes => 30, work_date => '2026-03-04');
    my $path = "/time-entries/$entry->{id}";
    is_problem($server->get($path, token => $bob), 403, 'forbidden',
        detail => qr/the person whose time it is/);
    is_problem($server->patch($path, { minutes => 5 }, token => $bob), 403,
        'forbidden');
    is_problem($server->delete($path, token => $bob), 403, 'forbidden');
    is_problem(act($bob, $entry, 'submit'), 403, 'forbidden');
    is_problem($server->get($path, token => $viewer), 403, 'forbidden');
    is_problem($server->post('/tickets/WEB-1/time-entries', { minutes => 5,
        user_id => $bob->{user_id} }, token => $mia), 403, 'forbidden');
    is(row($entry->{id})->{minutes}, 30, 'nothing of it happened');
    my $others = $server->must(201, $server->post('/time-entries',
        { ticket_id => 'WEB-1', minutes => 5, user_id => $bob->{email} },
        token => $admin));
    is("$others->{user_id} $others->{created_by}",
        "$bob->{user_id} $admin->{user_id}", 'an Admin logs for others');
    is($server->must(200, $server->patch($path, { minutes => 31 },
        token => $admin))->{minutes}, 31, 'and changes others\'');

    my $seen = sub {
        my ($who, %query) = @_;
        return join ' ', sort map { $_->{user_id} eq $mia->{user_id} ? 'mia'
            : $_->{user_id} eq $bob->{user_id} ? 'bob' : 'else' }
            @{ $server->must(200, $server->get('/time-entries',
                query => { %query, limit => 200 }, token => $who))->{items} };
    };
    is($seen->($bob), 'bob bob', 'a Member lists his own');
    like($seen->($admin), qr/^bob bob mia/, 'an Admin everybody\'s');
    is($seen->($admin, user => $bob->{user_id}), 'bob bob', 'of one person');
    is($seen->($bob, user => $mia->{user_id}), '', 'not of another');
    is($seen->($admin, from => '2026-03-03', to => '2026-03-03'),
        'mia mia mia mia mia', 'of a day');
    is($seen->($admin, from => '2026-03-01', to => '2026-03-31',
        activity => 'design', project => 'WEB', ticket => 'WEB-1',
        status => 'draft'), 'mia', 'by activity, project, ticket, status');
};

subtest 'a day has 24 hours' => sub {
    my $entry = entry($mia, minutes => 1400, work_date => '2026-03-05');
    is_problem($server->post('/tickets/WEB-1/time-entries', { minutes => 41,
        work_date => '2026-03-05' }, token => $mia), 409, 'invalid_state',
        detail => qr/1440 minutes/);
    my $rest = entry($mia, minutes => 40, work_date => '2026-03-05');
    is_problem($server->patch("/time-entries/$rest->{id}", { hours => 0.7 },
        token => $mia), 409, 'invalid_state');
    is($server->must(200, $server->patch("/time-entries/$rest->{id}",
        { minutes => 39 }, token => $mia))->{minutes}, 39, 'less is fine');
    $server->must(200, act($mia, $entry, 'submit'));
    $server->must(200, act($admin, $entry, 'reject', { reason => 'No' }));
    my $again = entry($mia, minutes => 1401, work_date => '2026-03-05');
    is_problem($server->patch("/time-entries/$entry->{id}",
        { description => 'x' }, token => $mia), 409, 'invalid_state',
        name => 'rejected time leaves room, which may be taken when it returns');
    status_is($server->delete("/time-entries/$again->{id}", token => $mia), 204);
    $server->must(200, $server->patch("/time-entries/$entry->{id}",
        { description => 'x' }, token => $mia));

    project('HID');
    $server->ticket($ada, 'HID', title => 'Hidden');
    entry($mia, on => 'HID-1', minutes => 1430, work_date => '2026-03-06');
    status_is($server->delete("/projects/HID/members/$mia->{user_id}",
        token => $ada), 204);
    is_problem($server->post('/tickets/WEB-1/time-entries', { minutes => 11,
        work_date => '2026-03-06' }, token => $mia), 409, 'invalid_state',
        name => 'time in projects one doesn\'t see any more fills it as well');

    my @answers = together(map { my $n = $_; sub {
        $server->post($n % 2 ? '/time-entries' : '/tickets/WEB-1/time-entries',
            { ($n % 2 ? (ticket_id => 'WEB-1') : ()), minutes => 200,
                work_date => '2026-03-07' }, token => $mia) } } 1 .. 12);
    my %count;
    $count{ $_->status }++ for @answers;
    is_deeply(\%count, { 201 => 7, 409 => 5 }, 'twelve at once: seven fit');
    is($server->rows(q{SELECT sum(minutes)::int AS n FROM alloy.time_entry
        WHERE user_id = ? AND day = '2026-03-07'}, $mia->{user_id})->[0]{n},
        1400, 'and the database says so');
};

sub rate {
    my ($cents, $from, $whose) = @_;
    return $server->must(201, $server->post("/orgs/$org->{slug}/labor-rates",
        { rate_cents => $cents, effective_date => $from,
            user_id => $whose && $whose->{email} }, token => $admin));
}

subtest 'from draft to approval' => sub {
    my $entry = entry($mia, minutes => 60, work_date => '2026-03-10');
    is_problem(act($admin, $entry, 'approve'), 409, 'invalid_state',
        detail => qr/Draft/);
    is_problem(act($admin, $entry, 'reject', { reason => 'x' }), 409,
        'invalid_state');
    my $in = $server->must(200, act($mia, $entry, 'submit'));
    is($in->{status}, 'Submitted', 'handed in');
    ok($in->{submitted_at}, 'at some time');
    is_problem(act($mia, $entry, 'submit'), 409, 'invalid_state');
    is_problem(act($mia, $entry, 'approve'), 403, 'forbidden');
    is_problem(act($mia, $entry, 'reject', { reason => 'x' }), 403, 'forbidden');
    is($server->must(200, $server->patch("/time-entries/$entry->{id}",
        { activity => 'Testing' }, token => $mia))->{status}, 'Draft',
        'what is changed must be handed in again');
    $server->must(200, act($mia, $entry, 'submit'));
    is_problem(act($admin, $entry, 'reject'), 422, 'validation_failed',
        errors => { '/reason' => 'required' });
    my $back = $server->must(200, act($admin, $entry, 'reject',
        { reason => 'Which page?' }));
    is("@$back{qw(status reject_reason decided_by)}",
        "Rejected Which page? $admin->{user_id}", 'rejected, with the reason');
    is_problem(act($admin, $entry, 'approve'), 409, 'invalid_state');
    is_problem(act($mia, $entry, 'submit'), 409, 'invalid_state');
    my $draft = $server->must(200, $server->patch("/time-entries/$entry->{id}",
        { description => 'The first' }, token => $mia));
    is_deeply([ @$draft{qw(status reject_reason decided_by submitted_at)} ],
        [ 'Draft', undef, undef, undef ], 'an edit makes it a draft');
    $server->must(200, act($mia, $entry, 'submit'));
    my $done = $server->must(200, act($admin, $entry, 'approve'));
    is_deeply([ @$done{qw(status decided_by rate_cents amount_cents currency
        warnings)} ], [ 'Approved', $admin->{user_id}, undef, undef, 'USD',
        [] ], 'approved, without a rate');
    for my $try (
        sub { $server->patch("/time-entries/$entry->{id}", { minutes => 1 },
            token => $admin) },
        sub { $server->delete("/time-entries/$entry->{id}", token => $admin) },
        sub { act($admin, $entry, 'approve') },
        sub { act($admin, $entry, 'reject', { reason => 'x' }) },
        sub { act($mia, $entry, 'submit') }) {
        is_problem($try->(), 409, 'invalid_state');
    }
    is(row($entry->{id})->{minutes}, 60, 'it stays as it is');
    ok(!eval { $server->dbh('admin')->do('UPDATE alloy.time_entry
        SET minutes = 1 WHERE id = ?', undef, $entry->{id}) },
        'not even an administrator changes it by a slip');
    my $own = submitted($admin, minutes => 10, work_date => '2026-03-10');
    is_problem(act($admin, $own, 'approve'), 403, 'forbidden',
        detail => qr/Nobody approves his own time/);
    $server->must(200, act($ada, $own, 'approve'));
    my $gone = entry($mia, minutes => 5, work_date => '2026-03-10');
    status_is($server->delete("/time-entries/$gone->{id}", token => $mia), 204);
    is_problem($server->get("/time-entries/$gone->{id}", token => $mia), 404,
        'not_found');
};

subtest 'rates, and what approval freezes' => sub {
    is_problem($server->post("/orgs/$org->{slug}/labor-rates",
        { rate_cents => 1 }, token => $mia), 403, 'forbidden');
    my $everybody = rate(6000, '2026-01-01');
    is_deeply([ @$everybody{qw(user_id rate_cents currency effective_date
        created_by)} ], [ undef, 6000, 'USD', '2026-01-01',
        $admin->{user_id} ], 'everybody\'s rate');
    rate(9999, '2026-03-15', $mia);
    rate(12345, '2026-03-20', $mia);
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
        my $done = approved($mia, minutes => $minutes, work_date => $day);
        is_deeply([ @$done{qw(rate_cents amount_cents currency)} ],
            [ $rate, $amount, 'USD' ], "$minutes minutes on $day");
        $frozen{ $done->{id} } = $amount;
    }
    rate(1, '2026-03-14', $mia);
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
    my $top = rate(1_000_000_000_000, '2026-04-29', $bob);
    is(approved($bob, minutes => 1440, work_date => '2026-04-30')
        ->{amount_cents}, 24_000_000_000_000, 'a day of the highest rate');
};

subtest 'facts in force on the day' => sub {
    my $app = project('APP', capitalization_type => 'Opex');
    $server->ticket($ada, 'APP', title => 'A');
    my $facts = sub { [ map { [ @$_{qw(kind value effective_date)} ] }
        @{ $server->must(200, $server->get('/projects/APP/facts',
            token => $viewer)) } ] };
    is_deeply($facts->(), [ [ 'capitalization_type', 'Opex', undef ] ],
        'what a project is made with holds from its beginning');
    my $then = submitted($mia, on => 'APP-1', minutes => 5,
        work_date => '2026-02-10');
    $server->must(200, $server->patch('/projects/APP', { capitalization_type =>
        'Capex', development_phase => 'AppDevelopment' }, token => $ada));
    my $old = $server->must(200, act($admin, $then, 'approve'));
    is("@$old{qw(capitalization_type development_phase)}", 'Opex AppDevelopment',
        'the new type begins today, the first phase with the project');
    my $new = approved($mia, on => 'APP-1', minutes => 5);
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
    my %on = map { my $day = $_; my $done = approved($mia, on => 'APP-1',
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

subtest 'corrections' => sub {
    my $entry = approved($mia, minutes => 50, work_date => '2026-03-25',
        activity => 'Design');
    is_problem($server->post("/time-entries/$entry->{id}/adjust",
        { minutes => -51 }, token => $mia), 409, 'invalid_state');
    is_problem($server->post("/time-entries/$entry->{id}/adjust",
        { minutes => -1 }, token => $bob), 403, 'forbidden');
    my $less = $server->must(201, $server->post(
        "/time-entries/$entry->{id}/adjust", { hours => -0.33,
            work_date => '2026-04-02', description => 'Lunch' },
        token => $mia));
    is_deeply([ @$less{qw(minutes hours adjusts activity status work_date)} ],
        [ -20, -0.33, $entry->{id}, 'Design', 'Draft', '2026-04-02' ],
        'less, of the same kind');
    is_problem($server->post("/time-entries/$entry->{id}/adjust",
        { minutes => -31 }, token => $mia), 409, 'invalid_state',
        name => 'all corrections together count');
    is_problem($server->patch("/time-entries/$less->{id}", { minutes => -51 },
        token => $mia), 409, 'invalid_state');
    $server->must(200, act($mia, $less, 'submit'));
    my $rest = $server->must(201, $server->post(
        "/time-entries/$entry->{id}/adjust", { minutes => -30,
            work_date => '2026-04-02' }, token => $mia));
    $server->must(200, act($mia, $rest, 'submit'));
    my @done = map { $server->must(200, act($admin, $_, 'approve')) }
        $less, $rest;
    is($done[0]{rate_cents}, $entry->{rate_cents}, 'at the rate of then');
    is($entry->{amount_cents} + $done[0]{amount_cents}
        + $done[1]{amount_cents}, 0, 'what is taken back comes to nothing');
    is_problem($server->post("/time-entries/$less->{id}/adjust",
        { minutes => 1 }, token => $mia), 409, 'invalid_state');
    my $draft = entry($mia, minutes => 1, work_date => '2026-03-25');
    is_problem($server->post("/time-entries/$draft->{id}/adjust",
        { minutes => 1 }, token => $mia), 409, 'invalid_state');
};

subtest 'budgets' => sub {
    my $made = project('BUD', budget_cents => 10_000, budget_period =>
        'Monthly', budget_enforcement => 'block');
    is($made->{budget_enforcement}, 'block', 'said when it is made');
    is($server->must(200, $server->get('/projects/WEB', token => $ada))
        ->{budget_enforcement}, 'none', 'none, where nobody said');
    $server->ticket($ada, 'BUD', title => 'B');
    my $hour = sub { submitted($admin, on => 'BUD-1', minutes => $_[0],
        work_date => $_[1]) };
    $server->must(200, act($ada, $hour->(60, '2026-04-01'), 'approve'));
    my $second = $hour->(60, '2026-04-02');
    is_problem(act($ada, $second, 'approve'), 409, 'budget_exceeded',
        detail => qr/6000 cents.*12000.*budget of 10000/);
    is(row($second->{id})->{status}, 'Submitted', 'it stays submitted');
    $server->must(200, act($ada, $hour->(60, '2026-05-02'), 'approve'));
    $server->must(200, $server->patch('/projects/BUD', { budget_enforcement =>
        'warn' }, token => $ada));
    my $warned = $server->must(200, act($ada, $second, 'approve'));
    is($warned->{status}, 'Approved', 'warned, and approved');
    is($warned->{warnings}[0]{code}, 'budget_exceeded', 'the warning says so');
    $server->must(200, $server->patch('/projects/BUD', { budget_enforcement =>
        'block', budget_period => 'Total', budget_cents => 30_000 },
        token => $ada));
    my @entries = map { $hour->(20, sprintf '2026-06-%02d', $_) } 1 .. 10;
    my @answers = together(map { my $entry = $_; sub { act($ada, $entry,
        'approve') } } @entries);
    my %count;
    $count{ $_->status }++ for @answers;
    is_deeply(\%count, { 200 => 6, 409 => 4 }, 'ten at once: six are paid for');
    is($server->rows(q{SELECT sum(amount_cents)::bigint AS n
        FROM alloy.time_entry WHERE project_id = ? AND status = 'Approved'},
        $made->{id})->[0]{n}, 30_000, 'to the cent');
};

subtest 'many at once' => sub {
    my @entries = map { submitted($bob, minutes => 10,
        work_date => sprintf '2026-01-%02d', $_) } 1 .. 4;
    my $own = submitted($admin, minutes => 10, work_date => '2026-01-05');
    my $draft = entry($bob, minutes => 10, work_date => '2026-01-06');
    my $nothing = $draft->{id} =~ s/.{4}$/dead/r;
    my @ids = (map { $_->{id} } @entries[ 0, 1 ], $own, $draft);
    my $batch = sub { $server->post('/time-entries/batch-approve',
        { org_id => $org->{id}, @_ }, token => $admin) };
    is_problem($batch->(ids => \@ids), 403, 'forbidden',
        errors => { '/ids/2' => 'forbidden', '/ids/3' => 'invalid_state' });
    is(row($ids[0])->{status}, 'Submitted', 'all or none');
    my $some = $server->must(200, $batch->(ids => [ @ids, $nothing ],
        atomic => json_false));
    is_deeply([ @$some{qw(approved refused)}, map { $_->{code} }
        @{ $some->{items} } ], [ 2, 3, undef, undef, 'forbidden',
        'invalid_state', 'not_found' ], 'each for itself');
    is(join(' ', map { row($_)->{status} } @ids),
        'Approved Approved Submitted Draft', 'and so in the database');
    is($server->must(200, $batch->(ids => [ map { $_->{id} }
        @entries[ 2, 3 ] ]))->{approved}, 2, 'all');
    is($server->rows(q{SELECT count(DISTINCT change_id)::int AS n
        FROM alloy.change WHERE operation = 'time_entry_approve_many'})
        ->[0]{n}, 2, 'one change each');

    my $entry = submitted($bob, minutes => 10, work_date => '2026-01-07');
    my @answers = together(map { my $who = $_; sub { act($who, $entry,
        'approve') } } ($admin, $ada) x 4);
    is(join(' ', sort map { $_->status } @answers),
        '200 409 409 409 409 409 409 409', 'eight approvals: one wins');
    is_deeply([ map { $_->{fields} } @{ $server->rows(q{SELECT count(*)::int
        AS fields FROM alloy.change WHERE entity_id = ?
           AND after ->> 'status' = 'Approved'}, $entry->{id}) } ], [1],
        'once in the history');
    my $torn = submitted($bob, minutes => 10, work_date => '2026-01-08');
    @answers = together(map { my $n = $_; sub { $n % 2
        ? act($admin, $torn, 'approve')
        : $server->patch("/time-entries/$torn->{id}", { minutes => 11 },
            token => $bob) } } 1 .. 8);
    my $row = row($torn->{id});
    my $won = grep { $_->status == 200 && $_->json->{status} eq 'Approved' }
        @answers;
    ok($row->{status} eq 'Approved' ? $row->{minutes} == 10 && $won == 1
        : $row->{status} eq 'Draft' && $row->{minutes} == 11 && !$won,
        'approved as it was handed in, or changed and not approved');
};

subtest 'closed periods' => sub {
    my $open = submitted($mia, minutes => 30, work_date => '2025-11-30');
    my $draft = entry($mia, minutes => 30, work_date => '2025-10-01');
    my $paid = approved($mia, minutes => 30, work_date => '2025-12-31');
    my $later = entry($mia, minutes => 30, work_date => '2026-05-20');
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
        [ 'submitting', sub { act($mia, $draft, 'submit') } ],
        [ 'approving', sub { act($admin, $open, 'approve') } ],
        [ 'rejecting', sub { act($admin, $open, 'reject',
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
    is(row($draft->{id})->{minutes}, 30, 'nothing was changed');
    my $fix = $server->must(201, $server->post(
        "/time-entries/$paid->{id}/adjust", { minutes => -30,
            work_date => '2026-05-03' }, token => $mia));
    $server->must(200, act($mia, $fix, 'submit'));
    is($server->must(200, act($admin, $fix, 'approve'))->{status}, 'Approved',
        'approved time is corrected in a later period');
    ok(!eval { $server->dbh('app')->do('UPDATE alloy.period_close
        SET closed_by = closed_by') }, 'a closing is never changed');

    # Whoever came first, no time is approved that the closing did not see.
    my @entries = map { submitted($bob, minutes => 5,
        work_date => sprintf '2025-08-%02d', $_) } 1 .. 9;
    my @answers = together((map { my $entry = $_; sub { act($admin, $entry,
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

subtest 'what becomes of the ticket' => sub {
    my $project = project('DEL');
    my $gone = $server->ticket($ada, 'DEL', title => 'Gone');
    my $kept = approved($mia, on => 'DEL-1', minutes => 5,
        work_date => '2026-05-11');
    my $draft = entry($mia, on => 'DEL-1', minutes => 5,
        work_date => '2026-05-11');
    status_is($server->delete('/tickets/DEL-1', token => $ada), 204);
    is($server->must(200, $server->get("/time-entries/$kept->{id}",
        token => $mia))->{status}, 'Approved', 'approved time stays');
    is_problem($server->get("/time-entries/$draft->{id}", token => $mia), 404,
        'not_found', name => 'other time goes with it');
    status_is($server->delete('/projects/DEL', token => $ada), 204);
    $server->must(200, $server->get("/time-entries/$kept->{id}",
        token => $admin));
};

subtest 'tags, history, repeats' => sub {
    my $entry = entry($mia, minutes => 5, work_date => '2026-05-12');
    my $tags = "/orgs/$org->{slug}/time_entry/$entry->{id}/tags";
    is($server->must(200, $server->put($tags, { tags => [ { key => 'client',
        value => 'x' } ] }, token => $mia))->[0]{entity_type}, 'time_entry',
        'tagged');
    my $got = $server->get("/time-entries/$entry->{id}", token => $mia);
    my %stale = (token => $mia, headers => { 'If-Match' =>
        $got->header('ETag') });
    $server->must(200, $server->patch("/time-entries/$entry->{id}",
        { minutes => 6 }, token => $admin));
    is_problem($server->patch("/time-entries/$entry->{id}", { minutes => 7 },
        %stale), 412, 'version_conflict');
    is($server->must(200, $server->patch("/time-entries/$entry->{id}",
        { description => 'x' }, %stale))->{minutes}, 6, 'or merged');
    my $dry = $server->post("/time-entries/$entry->{id}/submit", undef,
        token => $mia, query => { dry_run => 'true' });
    is($dry->json->{status}, 'Submitted', 'tried');
    is(row($entry->{id})->{status}, 'Draft', 'and not done');
    my $feed = $server->must(200, $server->get('/changes', token => $mia,
        query => { limit => 200, org_id => $org->{id} }));
    ok(!(grep { ($_->{entity_type} // '') =~ /^(?:time_entry|labor_rate)$/ }
        @{ $feed->{items} }), 'rates and costs are in no Member\'s feed');
};

subtest 'one\'s own time, where an administrator allows it' => sub {
    my $lenient = AlloyTest->start(with => $server,
        conf => "AlloyFinanceSelfApproval on\n");
    my $token = $lenient->must(200, $lenient->post('/auth/login',
        { email => $admin->{email}, password => $admin->{password} }))
        ->{access_token};
    my $entry = submitted($admin, minutes => 5, work_date => '2026-05-13');
    is_problem(act($admin, $entry, 'approve'), 403, 'forbidden');
    is($lenient->must(200, $lenient->post("/time-entries/$entry->{id}/approve",
        undef, token => $token))->{decided_by}, $admin->{user_id},
        'approved by himself');
};

done_testing;
