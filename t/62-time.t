# Time entries from draft to approval: by what is answered and what the database
# holds, and by many at once.
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
my ($web, $ticket) = @$office{qw(web ticket)};

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
    my $row = $office->row($entry->{id});
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
    is($office->entry($bob, minutes => 1)->{work_date}, $today,
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
    my $entry = $office->entry($mia, minutes => 30, work_date => '2026-03-04');
    my $path = "/time-entries/$entry->{id}";
    is_problem($server->get($path, token => $bob), 403, 'forbidden',
        detail => qr/the person whose time it is/);
    is_problem($server->patch($path, { minutes => 5 }, token => $bob), 403,
        'forbidden');
    is_problem($server->delete($path, token => $bob), 403, 'forbidden');
    is_problem($office->act($bob, $entry, 'submit'), 403, 'forbidden');
    is_problem($server->get($path, token => $viewer), 403, 'forbidden');
    is_problem($server->post('/tickets/WEB-1/time-entries', { minutes => 5,
        user_id => $bob->{user_id} }, token => $mia), 403, 'forbidden');
    is($office->row($entry->{id})->{minutes}, 30, 'nothing of it happened');
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
    my $entry = $office->entry($mia, minutes => 1400, work_date => '2026-03-05');
    is_problem($server->post('/tickets/WEB-1/time-entries', { minutes => 41,
        work_date => '2026-03-05' }, token => $mia), 409, 'invalid_state',
        detail => qr/1440 minutes/);
    my $rest = $office->entry($mia, minutes => 40, work_date => '2026-03-05');
    is_problem($server->patch("/time-entries/$rest->{id}", { hours => 0.7 },
        token => $mia), 409, 'invalid_state');
    is($server->must(200, $server->patch("/time-entries/$rest->{id}",
        { minutes => 39 }, token => $mia))->{minutes}, 39, 'less is fine');
    $server->must(200, $office->act($mia, $entry, 'submit'));
    $server->must(200, $office->act($admin, $entry, 'reject', { reason => 'No' }));
    my $again = $office->entry($mia, minutes => 1401, work_date => '2026-03-05');
    is_problem($server->patch("/time-entries/$entry->{id}",
        { description => 'x' }, token => $mia), 409, 'invalid_state',
        name => 'rejected time leaves room, which may be taken when it returns');
    status_is($server->delete("/time-entries/$again->{id}", token => $mia), 204);
    $server->must(200, $server->patch("/time-entries/$entry->{id}",
        { description => 'x' }, token => $mia));

    $office->project('HID');
    $server->ticket($ada, 'HID', title => 'Hidden');
    $office->entry($mia, on => 'HID-1', minutes => 1430, work_date => '2026-03-06');
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

subtest 'from draft to approval' => sub {
    my $entry = $office->entry($mia, minutes => 60, work_date => '2026-03-10');
    is_problem($office->act($admin, $entry, 'approve'), 409, 'invalid_state',
        detail => qr/Draft/);
    is_problem($office->act($admin, $entry, 'reject', { reason => 'x' }), 409,
        'invalid_state');
    my $in = $server->must(200, $office->act($mia, $entry, 'submit'));
    is($in->{status}, 'Submitted', 'handed in');
    ok($in->{submitted_at}, 'at some time');
    is_problem($office->act($mia, $entry, 'submit'), 409, 'invalid_state');
    is_problem($office->act($mia, $entry, 'approve'), 403, 'forbidden');
    is_problem($office->act($mia, $entry, 'reject', { reason => 'x' }), 403, 'forbidden');
    is($server->must(200, $server->patch("/time-entries/$entry->{id}",
        { activity => 'Testing' }, token => $mia))->{status}, 'Draft',
        'what is changed must be handed in again');
    $server->must(200, $office->act($mia, $entry, 'submit'));
    is_problem($office->act($admin, $entry, 'reject'), 422, 'validation_failed',
        errors => { '/reason' => 'required' });
    my $back = $server->must(200, $office->act($admin, $entry, 'reject',
        { reason => 'Which page?' }));
    is("@$back{qw(status reject_reason decided_by)}",
        "Rejected Which page? $admin->{user_id}", 'rejected, with the reason');
    is_problem($office->act($admin, $entry, 'approve'), 409, 'invalid_state');
    is_problem($office->act($mia, $entry, 'submit'), 409, 'invalid_state');
    my $draft = $server->must(200, $server->patch("/time-entries/$entry->{id}",
        { description => 'The first' }, token => $mia));
    is_deeply([ @$draft{qw(status reject_reason decided_by submitted_at)} ],
        [ 'Draft', undef, undef, undef ], 'an edit makes it a draft');
    $server->must(200, $office->act($mia, $entry, 'submit'));
    my $done = $server->must(200, $office->act($admin, $entry, 'approve'));
    is_deeply([ @$done{qw(status decided_by rate_cents amount_cents currency
        warnings)} ], [ 'Approved', $admin->{user_id}, undef, undef, 'USD',
        [] ], 'approved, without a rate');
    for my $try (
        sub { $server->patch("/time-entries/$entry->{id}", { minutes => 1 },
            token => $admin) },
        sub { $server->delete("/time-entries/$entry->{id}", token => $admin) },
        sub { $office->act($admin, $entry, 'approve') },
        sub { $office->act($admin, $entry, 'reject', { reason => 'x' }) },
        sub { $office->act($mia, $entry, 'submit') }) {
        is_problem($try->(), 409, 'invalid_state');
    }
    is($office->row($entry->{id})->{minutes}, 60, 'it stays as it is');
    ok(!eval { $server->dbh('admin')->do('UPDATE alloy.time_entry
        SET minutes = 1 WHERE id = ?', undef, $entry->{id}) },
        'not even an administrator changes it by a slip');
    my $own = $office->submitted($admin, minutes => 10, work_date => '2026-03-10');
    is_problem($office->act($admin, $own, 'approve'), 403, 'forbidden',
        detail => qr/Nobody approves his own time/);
    $server->must(200, $office->act($ada, $own, 'approve'));
    my $gone = $office->entry($mia, minutes => 5, work_date => '2026-03-10');
    status_is($server->delete("/time-entries/$gone->{id}", token => $mia), 204);
    is_problem($server->get("/time-entries/$gone->{id}", token => $mia), 404,
        'not_found');
};

subtest 'corrections' => sub {
    $office->rate(12345, '2026-01-01', $mia);
    my $entry = $office->approved($mia, minutes => 50, work_date => '2026-03-25',
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
    $server->must(200, $office->act($mia, $less, 'submit'));
    my $rest = $server->must(201, $server->post(
        "/time-entries/$entry->{id}/adjust", { minutes => -30,
            work_date => '2026-04-02' }, token => $mia));
    $server->must(200, $office->act($mia, $rest, 'submit'));
    my @done = map { $server->must(200, $office->act($admin, $_, 'approve')) }
        $less, $rest;
    is($done[0]{rate_cents}, $entry->{rate_cents}, 'at the rate of then');
    is($entry->{amount_cents} + $done[0]{amount_cents}
        + $done[1]{amount_cents}, 0, 'what is taken back comes to nothing');
    is_problem($server->post("/time-entries/$less->{id}/adjust",
        { minutes => 1 }, token => $mia), 409, 'invalid_state');
    my $draft = $office->entry($mia, minutes => 1, work_date => '2026-03-25');
    is_problem($server->post("/time-entries/$draft->{id}/adjust",
        { minutes => 1 }, token => $mia), 409, 'invalid_state');
};

subtest 'many at once' => sub {
    my @entries = map { $office->submitted($bob, minutes => 10,
        work_date => sprintf '2026-01-%02d', $_) } 1 .. 4;
    my $own = $office->submitted($admin, minutes => 10, work_date => '2026-01-05');
    my $draft = $office->entry($bob, minutes => 10, work_date => '2026-01-06');
    my $nothing = $draft->{id} =~ s/.{4}$/dead/r;
    my @ids = (map { $_->{id} } @entries[ 0, 1 ], $own, $draft);
    my $batch = sub { $server->post('/time-entries/batch-approve',
        { org_id => $org->{id}, @_ }, token => $admin) };
    is_problem($batch->(ids => \@ids), 403, 'forbidden',
        errors => { '/ids/2' => 'forbidden', '/ids/3' => 'invalid_state' });
    is($office->row($ids[0])->{status}, 'Submitted', 'all or none');
    my $some = $server->must(200, $batch->(ids => [ @ids, $nothing ],
        atomic => json_false));
    is_deeply([ @$some{qw(approved refused)}, map { $_->{code} }
        @{ $some->{items} } ], [ 2, 3, undef, undef, 'forbidden',
        'invalid_state', 'not_found' ], 'each for itself');
    is(join(' ', map { $office->row($_)->{status} } @ids),
        'Approved Approved Submitted Draft', 'and so in the database');
    is($server->must(200, $batch->(ids => [ map { $_->{id} }
        @entries[ 2, 3 ] ]))->{approved}, 2, 'all');
    is($server->rows(q{SELECT count(DISTINCT change_id)::int AS n
        FROM alloy.change WHERE operation = 'time_entry_approve_many'})
        ->[0]{n}, 2, 'one change each');

    my $entry = $office->submitted($bob, minutes => 10, work_date => '2026-01-07');
    my @answers = together(map { my $who = $_; sub { $office->act($who, $entry,
        'approve') } } ($admin, $ada) x 4);
    is(join(' ', sort map { $_->status } @answers),
        '200 409 409 409 409 409 409 409', 'eight approvals: one wins');
    is_deeply([ map { $_->{fields} } @{ $server->rows(q{SELECT count(*)::int
        AS fields FROM alloy.change WHERE entity_id = ?
           AND after ->> 'status' = 'Approved'}, $entry->{id}) } ], [1],
        'once in the history');
    my $torn = $office->submitted($bob, minutes => 10, work_date => '2026-01-08');
    @answers = together(map { my $n = $_; sub { $n % 2
        ? $office->act($admin, $torn, 'approve')
        : $server->patch("/time-entries/$torn->{id}", { minutes => 11 },
            token => $bob) } } 1 .. 8);
    my $row = $office->row($torn->{id});
    my $won = grep { $_->status == 200 && $_->json->{status} eq 'Approved' }
        @answers;
    ok($row->{status} eq 'Approved' ? $row->{minutes} == 10 && $won == 1
        : $row->{status} eq 'Draft' && $row->{minutes} == 11 && !$won,
        'approved as it was handed in, or changed and not approved');
};

subtest 'what becomes of the ticket' => sub {
    my $project = $office->project('DEL');
    my $gone = $server->ticket($ada, 'DEL', title => 'Gone');
    my $kept = $office->approved($mia, on => 'DEL-1', minutes => 5,
        work_date => '2026-05-11');
    my $draft = $office->entry($mia, on => 'DEL-1', minutes => 5,
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
    my $entry = $office->entry($mia, minutes => 5, work_date => '2026-05-12');
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
    is($office->row($entry->{id})->{status}, 'Draft', 'and not done');
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
    my $entry = $office->submitted($admin, minutes => 5, work_date => '2026-05-13');
    is_problem($office->act($admin, $entry, 'approve'), 403, 'forbidden');
    is($lenient->must(200, $lenient->post("/time-entries/$entry->{id}/approve",
        undef, token => $token))->{decided_by}, $admin->{user_id},
        'approved by himself');
};

done_testing;
