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

done_testing;
