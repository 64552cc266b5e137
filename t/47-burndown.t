# Burndowns: what they say of days, time zones and the past; then random
# histories, made by several clients over faked days, against a model that keeps
# every state there ever was. ALLOY_TEST_SEED repeats a run.
use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Together;
use List::Util qw(max min sum0 shuffle);
use POSIX ();
use Test::More;

my $seed = $ENV{ALLOY_TEST_SEED} // time;
srand $seed;
note "seed $seed";

my $server = AlloyTest->start(children => 2);
my $admin = $server->dbh('admin');
my $ada = $server->register(name => 'Ada Owner');
my $number = 0;

sub ok_of { return $server->must(@_) }

# ---- days -------------------------------------------------------------------

# Epoch seconds of the beginning of a day, DAYS after DATE, in the zone of TZ.
sub day_begins {
    my ($date, $days) = @_;
    my ($y, $m, $d) = split /-/, $date;
    return POSIX::mktime(0, 0, 0, $d + ($days // 0), $m - 1, $y - 1900, 0, 0,
        -1);
}

# The day that is DAYS after DATE; noon is on the same day in any case.
sub day_after {
    my ($date, $days) = @_;
    my ($y, $m, $d) = split /-/, $date;
    return day_of(POSIX::mktime(0, 0, 12, $d + $days, $m - 1, $y - 1900, 0, 0,
        -1));
}

sub day_of { return POSIX::strftime('%Y-%m-%d', localtime $_[0]) }

sub days_between {
    my ($from, $to) = @_;
    return POSIX::floor((day_begins($to) - day_begins($from)) / 86400 + 0.5);
}

sub instant { return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $_[0]) }

sub in_zone {
    my ($zone) = @_;
    $ENV{TZ} = $zone;
    POSIX::tzset();
    my $org = $server->org($ada, name => 'Org ' . ++$number, timezone => $zone);
    my $key = 'B' . ++$number;
    $server->project($ada, org_id => $org->{id}, key => $key);
    return $key;
}

# ---- writing a history --------------------------------------------------------

my $written = 0;

# What was written since the last time was written at this moment.
sub at {
    my ($moment) = @_;
    $admin->do('UPDATE alloy.sprint_scope SET at = to_timestamp(?)
        WHERE seq > ?', undef, $moment, $written);
    $admin->do(q{UPDATE alloy.change SET at = to_timestamp(?)
        WHERE entity_type = 'sprint' AND at > now() - interval '1 day'}, undef,
        $moment);
    ($written) = $admin->selectrow_array('SELECT max(seq)
        FROM alloy.sprint_scope');
    return;
}

sub dated {
    my ($sprint, $column, $moment) = @_;
    $admin->do("UPDATE alloy.sprint SET $column = to_timestamp(?)
        WHERE id = ?", undef, $moment, $sprint);
    return;
}

sub burndown {
    my ($sprint, %query) = @_;
    return $server->must(200, $server->get("/sprints/$sprint/burndown",
        token => $ada, query => \%query));
}

sub sprint {
    my ($key, %fields) = @_;
    return $server->must(201, $server->post("/projects/$key/sprints",
        { name => 'S' . ++$number, %fields }, token => $ada))->{id};
}

sub column { my ($data, $name) = @_; return [ map { $_->{$name} } @$data ] }

# ---- by hand --------------------------------------------------------------------

subtest 'a plain sprint' => sub {
    my $key = in_zone('UTC');
    my $noon = sub { day_begins('2026-04-01', $_[0]) + 43200 };
    my $id = sprint($key, start_date => '2026-04-01', end_date => '2026-04-05');
    my @tickets = map { $server->ticket($ada, $key, sprint_id => $id)->{id} }
        1 .. 4;
    at($noon->(-1));
    ok_of(200, $server->post("/sprints/$id/start", undef, token => $ada));
    dated($id, 'started_at', $noon->(0));
    my $done = sub { ok_of(200, $server->post("/tickets/$_[0]/transition",
        { status => 'Done' }, token => $ada)) };
    $done->($tickets[0]);
    at($noon->(1));
    my $late = $server->ticket($ada, $key, sprint_id => $id)->{id};
    at($noon->(2));
    ok_of(204, $server->delete("/tickets/$tickets[3]", token => $ada));
    $done->($tickets[1]);
    at($noon->(3));
    my $is = burndown($id);
    is_deeply([ sort keys %$is ], [qw(data forecast sprint_id unit)], 'keys');
    is_deeply([ @{$is}{qw(sprint_id unit)} ], [ $id, 'tickets' ], 'of what');
    my %column = (date => [ map {"2026-04-0$_"} 1 .. 5 ],
        total => [ 4, 4, 5, 4, 4 ], completed => [ 0, 1, 1, 2, 2 ],
        remaining => [ 4, 3, 4, 2, 2 ], added => [ 0, 0, 1, 0, 0 ],
        removed => [ 0, 0, 0, 1, 0 ], ideal => [ 4, 3, 2, 1, 0 ]);
    is_deeply(column($is->{data}, $_), $column{$_}, $_) for sort keys %column;
    $is = burndown($id, as_of => instant($noon->(1) - 1));
    is_deeply(column($is->{data}, 'remaining'), [ 4, 4, undef, undef, undef ],
        'as it was before the first was done');
    is_deeply(column($is->{data}, 'ideal'), [ 4, 3, 2, 1, 0 ],
        'the plan goes on');
    is($is->{forecast}, undef, 'nothing done foretells nothing');
    $is = burndown($id, as_of => '2026-04-02');
    is_deeply(column($is->{data}, 'completed'), [ 0, 1, undef, undef, undef ],
        'a date is the end of the day');
    is($is->{forecast}, '2026-04-08', 'three more at one in two days');
    is_deeply([ keys %{ burndown($id, fields => 'forecast') } ], ['forecast'],
        'fields');
    is_problem($server->get("/sprints/$id/burndown", token => $ada,
        query => { as_of => $_ }), 422, 'validation_failed',
        errors => ['as_of'], name => "as of $_") for qw(yesterday 2026-02-30
        2026-04-01T25:00:00Z 2026-04-01T10:00:00);
    is_problem($server->get("/sprints/$id/burndown", token => $ada,
        query => { unit => 'hours' }), 422, 'validation_failed',
        errors => ['unit']);
};

subtest 'days to come, and no dates' => sub {
    my $key = in_zone('UTC');
    my $today = day_of(time);
    my $id = sprint($key, start_date => day_after($today, -1),
        end_date => day_after($today, 2));
    $server->ticket($ada, $key, sprint_id => $id) for 1, 2;
    my $is = burndown($id);
    is_deeply(column($is->{data}, 'total'), [ 0, 2, undef, undef ],
        'what is to come is not known');
    ok(!(grep { !defined } @{ column($is->{data}, 'ideal') }),
        'what is planned is');
    ok_of(200, $server->post("/sprints/$id/start", undef, token => $ada));
    ok_of(200, $server->post("/sprints/$id/complete", undef, token => $ada));
    is_deeply(column(burndown($id)->{data}, 'remaining'),
        [ 0, 2, undef, undef ], 'what was open at its end is what remained');
    $id = sprint($key);
    $is = burndown($id);
    is_deeply([ map { [ @{$_}{qw(date total ideal)} ] } @{ $is->{data} } ],
        [ [ $today, 0, undef ] ], 'without dates: from its making to today');
};

subtest 'what a status means can change' => sub {
    my $key = in_zone('UTC');
    my $today = day_of(time);
    my $id = sprint($key, start_date => $today, end_date => $today);
    $server->ticket($ada, $key, sprint_id => $id, status => 'InReview')
        for 1, 2;
    is(burndown($id)->{data}[0]{completed}, 0, 'a review is no end');
    $admin->do(q{UPDATE alloy.workflow_status w SET category = 'done'
        FROM alloy.project p WHERE p.key = ? AND w.org_id = p.org_id
        AND w.workflow_id = p.workflow_id AND w.name = 'InReview'}, undef,
        $key);
    is(burndown($id)->{data}[0]{completed}, 2, 'until it is one');
};

# ---- at random ------------------------------------------------------------------
#
# The model: every state there ever was, as [moment, {ticket => {...}}], and the
# events of each sprint. It looks at nothing the server says but ids.

package Model {
    use List::Util qw(max min sum0);

    sub new { return bless { states => [ [ 0, {} ] ], sprints => {} },
        $_[0] }

    # A new state, a copy of the last one with tickets changed.
    sub change {
        my ($self, $moment, %tickets) = @_;
        my %state = %{ $self->{states}[-1][1] };
        $state{$_} = { %{ $state{$_} || {} }, %{ $tickets{$_} } }
            for keys %tickets;
        push @{ $self->{states} }, [ $moment, \%state ];
        return;
    }

    sub now { return $_[0]{states}[-1][1] }

    sub state_at {
        my ($self, $moment) = @_;
        my $found = {};
        for my $state (@{ $self->{states} }) {
            last if $state->[0] > $moment;
            $found = $state->[1];
        }
        return $found;
    }

    # {ticket => weight} of what was in a sprint.
    sub scope {
        my ($self, $sprint, $moment, $unit) = @_;
        my $state = $self->state_at($moment);
        return { map { $_ => $unit eq 'points' ? $state->{$_}{half} // 0 : 2 }
            grep { ($state->{$_}{sprint} // '') eq $sprint
                && !$state->{$_}{gone} } keys %$state };
    }

    sub done {
        my ($self, $scope, $moment) = @_;
        my $state = $self->state_at($moment);
        return sum0(map { $scope->{$_} }
            grep { $state->{$_}{done} } keys %$scope);
    }

    # What the plan was: the last of [moment, end].
    sub end_at {
        my ($self, $sprint, $moment) = @_;
        my $plans = $self->{sprints}{$sprint}{ends};
        my ($end) = $plans->[0][1];
        $_->[0] <= $moment and $end = $_->[1] for @$plans;
        return $end;
    }

    sub burndown {
        my ($self, $id, $unit, $as_of) = @_;
        my $sprint = $self->{sprints}{$id};
        my $start = $sprint->{start};
        my $end = $self->end_at($id, $as_of);
        my ($begun, $over) = map { defined $sprint->{$_}
            && $sprint->{$_} <= $as_of ? $sprint->{$_} : undef }
            qw(begun over);
        my $until = defined $over ? $over : $as_of;
        my $last = defined $over ? max_day($end, main::day_of($over)) : $end;
        my $first_ends = main::day_begins($start, 1) - 1;
        my $commit = min($until, max($first_ends, $begun // 0));
        my $planned = sum0(values %{ $self->scope($id, $commit, $unit) });
        my (@rows, $nonzero);
        my $before = $self->scope($id, min($until,
            main::day_begins($start) - 1), $unit);
        my $days = main::days_between($start, $last);
        for my $i (0 .. $days) {
            my $date = main::day_after($start, $i);
            my %row = (date => $date, ideal => $date ge $end ? 0
                : ideal($planned, main::days_between($date, $end),
                    main::days_between($start, $end)));
            if (main::day_begins($start, $i) <= $as_of) {
                my $moment = min($until, main::day_begins($start, $i + 1) - 1);
                my $scope = $self->scope($id, $moment, $unit);
                my $total = sum0(values %$scope);
                my $done = $self->done($scope, $moment);
                my %all = (%$before, %$scope);
                my @deltas = map { ($scope->{$_} // 0) - ($before->{$_} // 0) }
                    keys %all;
                @row{qw(total completed remaining added removed)}
                    = map { $_ / 2 } $total, $done, $total - $done,
                    sum0(grep { $_ > 0 } @deltas),
                    -sum0(grep { $_ < 0 } @deltas);
                $nonzero = $i if $total > $done;
                $before = $scope;
            } else {
                @row{qw(total completed remaining added removed)} = (undef) x 5;
            }
            push @rows, \%row;
        }
        my $scope = $self->scope($id, $until, $unit);
        return { sprint_id => $id, unit => $unit, data => \@rows,
            forecast => forecast($start, $begun, $over, $as_of, $nonzero,
                sum0(values %$scope), $self->done($scope, $until)) };
    }

    sub max_day { return $_[0] gt $_[1] ? $_[0] : $_[1] }

    # Half up to two decimals, in integers.
    sub ideal {
        my ($half, $rest, $all) = @_;
        return 0 if $all == 0;
        my $hundredths = int((2 * $half * 100 * $rest + 2 * $all)
            / (2 * 2 * $all));
        return $hundredths / 100;
    }

    sub forecast {
        my ($start, $begun, $over, $as_of, $nonzero, $total, $done) = @_;
        return undef if !$total;
        return main::day_after($start, defined $nonzero ? $nonzero + 1 : 0)
            if $total == $done;
        return undef if !defined $begun || defined $over || !$done;
        my $today = main::day_of($as_of);
        my $elapsed = main::days_between(max_day($start,
            main::day_of($begun)), $today) + 1;
        return undef if $elapsed < 1;
        return undef if int(($total - $done) * $elapsed / $done) > 3660;
        return main::day_after($today,
            POSIX::ceil(($total - $done) * $elapsed / $done));
    }
}

package main;

my %DONE = (Backlog => 0, Todo => 0, InProgress => 0, InReview => 0, Done => 1,
    Cancelled => 1);
my @STATUSES = sort keys %DONE;

sub one_of { return $_[ rand @_ ] }

# One random step on one ticket: the request, and what it means to the model.
sub step_of {
    my ($model, $key, $ticket) = @_;
    my $is = $model->now->{$ticket};
    my @open = grep { !defined $model->{sprints}{$_}{over} }
        keys %{ $model->{sprints} };
    my $patch = sub { my %fields = @_;
        sub { $server->patch("/tickets/$ticket", \%fields, token => $ada) } };
    my $kind = rand;
    if ($is->{gone}) {
        return [ sql => 'UPDATE alloy.ticket SET deleted_at = NULL
            WHERE id = ?', { gone => 0 } ];
    }
    if ($kind < 0.3) {
        my $status = one_of(@STATUSES);
        return [ call => one_of($patch->(status => $status), sub {
            $server->post("/tickets/$ticket/transition",
                { status => $status }, token => $ada) }),
            { done => $DONE{$status} } ];
    }
    if ($kind < 0.5) {
        my $half = one_of(undef, 0 .. 20);
        return [ sql => 'UPDATE alloy.ticket SET points_half = '
            . ($half // 'NULL') . ' WHERE id = ?', { half => $half } ];
    }
    if ($kind < 0.6) {
        return [ call => sub { $server->delete("/tickets/$ticket",
            token => $ada) }, { gone => 1 } ];
    }
    if ($kind < 0.7) {
        return [ call => defined $is->{sprint} ? sub {
            $server->delete("/sprints/$is->{sprint}/tickets/$ticket",
                token => $ada) } : $patch->(sprint_id => 'none'),
            { sprint => undef } ];
    }
    my $to = one_of(@open) // return;
    return [ call => one_of($patch->(sprint_id => $to), sub {
        $server->post("/sprints/$to/tickets", { tickets => [$ticket] },
            token => $ada) }), { sprint => $to } ];
}

# Steps on several tickets at the same moment, by a client each.
sub burst {
    my ($model, $key, $moment) = @_;
    my @tickets = shuffle(keys %{ $model->now });
    my %meant;
    my @calls;
    for my $ticket (@tickets[ 0 .. min(2, $#tickets) ]) {
        my ($kind, $what, $change) = @{ step_of($model, $key, $ticket) // next };
        $meant{$ticket} = $change;
        if ($kind eq 'sql') {
            $admin->do($what, undef, $ticket);
        } else {
            push @calls, $what;
        }
    }
    my @bad = grep { $_->status >= 300 } @calls > 1 ? together(@calls)
        : map { $_->() } @calls;
    die map { $_->text } @bad if @bad;
    at($moment);
    $model->change($moment, %meant);
    return;
}

sub create {
    my ($model, $key, $moment) = @_;
    my $sprint = one_of(undef, grep { !defined $model->{sprints}{$_}{over} }
        keys %{ $model->{sprints} });
    my $status = one_of(@STATUSES);
    my $made = $server->ticket($ada, $key, status => $status,
        defined $sprint ? (sprint_id => $sprint) : ());
    at($moment);
    $model->change($moment, $made->{id} => { sprint => $sprint,
        done => $DONE{$status}, half => undef, gone => 0 });
    return;
}

sub complete {
    my ($model, $id, $moment) = @_;
    my $to = one_of(undef, grep { $_ ne $id
        && !defined $model->{sprints}{$_}{over} } keys %{ $model->{sprints} });
    ok_of(200, $server->post("/sprints/$id/complete",
        { move_incomplete_to => $to // 'backlog' }, token => $ada));
    dated($id, 'completed_at', $moment - 1);
    at($moment);
    $model->{sprints}{$id}{over} = $moment - 1;
    my $now = $model->now;
    $model->change($moment, map { $_ => { sprint => $to } }
        grep { ($now->{$_}{sprint} // '') eq $id && !$now->{$_}{gone}
            && !$now->{$_}{done} } keys %$now);
    return;
}

# One event in a sprint's life, or another end for it.
sub live {
    my ($model, $id, $moment) = @_;
    my $sprint = $model->{sprints}{$id};
    if (rand() < 0.3 && !defined $sprint->{over}) {
        my $end = day_after($sprint->{start}, int rand 25);
        ok_of(200, $server->patch("/sprints/$id", { end_date => $end },
            token => $ada));
        at($moment);
        push @{ $sprint->{ends} }, [ $moment, $end ];
    } elsif (!defined $sprint->{begun}) {
        ok_of(200, $server->post("/sprints/$id/start", undef, token => $ada));
        dated($id, 'started_at', $moment);
        $sprint->{begun} = $moment;
    } elsif (!defined $sprint->{over} && rand() < 0.4) {
        complete($model, $id, $moment);
    }
    return;
}

sub play {
    my ($model, $key, $start, $steps) = @_;
    my $moment = day_begins($start, -4);
    for my $step (1 .. $steps) {
        # Often a whole number of days, so that midnight is met exactly.
        $moment += 2 + int rand 40_000;
        $moment = day_begins(day_of($moment), 1) + one_of(-1, 0, 1)
            if rand() < 0.1;
        my $kind = rand;
        if ($kind < 0.2 || $step < 6) {
            create($model, $key, $moment);
        } elsif ($kind < 0.85) {
            burst($model, $key, $moment);
        } else {
            live($model, one_of(keys %{ $model->{sprints} }), $moment);
        }
    }
    return $moment;
}

sub same {
    my ($model, $id, $unit, $moment, %query) = @_;
    my $got = burndown($id, unit => $unit, %query);
    my $wanted = $model->burndown($id, $unit, $moment);
    return is_deeply($got, $wanted, "$unit as of " . instant($moment))
        || diag("sprint $id, seed $seed");
}

for my $zone ('UTC', 'Europe/Berlin', 'America/St_Johns', 'Pacific/Apia') {
    subtest "random histories in $zone" => sub {
        my $key = in_zone($zone);
        my $model = Model->new;
        # The clocks of Europe change on the 29th.
        my $start = '2026-03-24';
        for (1 .. 3) {
            my $begin = day_after($start, int rand 4);
            my $end = day_after($begin, int rand 20);
            my $id = sprint($key, start_date => $begin, end_date => $end);
            dated($id, 'created_at', day_begins($start, -5));
            $model->{sprints}{$id} = { start => $begin,
                ends => [ [ 0, $end ] ] };
        }
        at(day_begins($start, -5));
        my $over = play($model, $key, $start, 60);
        for my $id (sort keys %{ $model->{sprints} }) {
            for my $unit (qw(tickets points)) {
                same($model, $id, $unit, time);
                for (1 .. 4) {
                    my $moment = day_begins($start, -4)
                        + int rand($over - day_begins($start, -4));
                    same($model, $id, $unit, $moment,
                        as_of => instant($moment));
                }
                my $date = day_after($start, int rand 20);
                same($model, $id, $unit, day_begins($date, 1) - 1,
                    as_of => $date);
            }
        }
    };
}

done_testing;
