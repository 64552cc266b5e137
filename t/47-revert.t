# Undoing a call: what it does to tickets, projects and comments, who may, what
# stands in its way; and tickets as they were at some instant.
use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use Test::More;
use Time::HiRes qw(time);

my $server = AlloyTest->start;
my $ada = $server->register(name => 'Ada Owner');
my $org = $server->org($ada, name => 'Acme', slug => 'acme');
my %who = (Owner => $ada);
for my $role (qw(Admin Member Reporter Viewer)) {
    $who{$role} = $server->member(org => $org->{id}, by => $ada,
        role => $role, name => "Rita $role");
}
$server->project($ada, org_id => $org->{id}, key => 'WEB');
$server->must(201, $server->post('/projects/WEB/members',
    { user_id => $_->{user_id} }, token => $ada))
    for @who{qw(Member Reporter Viewer)};

# The id of the change that this answer's call made.
sub change_of {
    my ($answer) = @_;
    die $answer->text . "\n" if $answer->status >= 300;
    return $answer->header('Alloy-Change-Id');
}

sub revert {
    my ($change, %more) = @_;
    return $server->post("/changes/$change/revert", undef,
        token => $more{by} || $ada, $more{query} ? (query => $more{query}) : ());
}

sub reverted {
    my ($change, %more) = @_;
    return $server->must(200, revert($change, %more));
}

sub ticket { return $server->must(200, $server->get("/tickets/$_[0]",
    token => $ada)) }

sub without { my ($row, @keys) = @_; my %copy = %$row; delete @copy{@keys};
    return \%copy }

sub change { my ($key, %to) = @_; return change_of($server->patch(
    "/tickets/$key", \%to, token => $ada)) }

# ---- tickets ----------------------------------------------------------------

subtest 'fields of a ticket' => sub {
    my $made = $server->ticket($ada, 'WEB', title => 'One',
        description => 'Long ago', assignee_id => $ada->{user_id});
    my $key = $made->{key};
    my $id = change($key, title => 'Two', description => 'Now',
        priority => 'High', assignee_id => undef, status => 'Done');
    my $answer = revert($id, by => $who{Member});
    status_is($answer, 200);
    my $new = $answer->header('Alloy-Change-Id');
    is_deeply($answer->json, { change_id => $new, reverts => $id,
        items => [{ entity_type => 'ticket', entity_id => $made->{id},
            action => 'update' }] }, 'what was done');
    my @moving = qw(version updated_at);
    is_deeply(without(ticket($key), @moving), without($made, @moving),
        'everything is as it was, long texts and closed_at included');
    my $logged = $server->rows('SELECT operation, actor, change_id
        FROM alloy.change WHERE entity_id = ? ORDER BY seq DESC LIMIT 1',
        $made->{id});
    is_deeply($logged, [{ operation => 'change_revert', change_id => $new,
        actor => $who{Member}{user_id} }], 'a change of its own');
    reverted($new);
    is_deeply([@{ ticket($key) }{qw(title description status)}],
        ['Two', 'Now', 'Done'], 'which can be undone');
};

subtest 'overtaken' => sub {
    my $key = $server->ticket($ada, 'WEB', title => 'A',
        description => 'a')->{key};
    my $first = change($key, title => 'B', priority => 'Low',
        description => 'b');
    my $second = change($key, title => 'C', type => 'Bug',
        description => 'c');
    my $before = ticket($key);
    is_problem(revert($first), 409, 'invalid_state', moved => [
        { entity_type => 'ticket', entity_id => $before->{id},
            fields => ['description', 'title'] }]);
    is_deeply(ticket($key), $before, 'nothing was done');
    reverted($second);
    reverted($first);
    is_deeply([@{ ticket($key) }{qw(title priority description type)}],
        ['A', 'Medium', 'a', 'Task'], 'the later one first, then the first');
    my $third = change($key, title => 'D');
    change($key, priority => 'High');
    reverted($third);
    is(ticket($key)->{priority}, 'High', 'other fields do not matter');
    $server->must(204, $server->delete("/tickets/$key", token => $ada));
    is_problem(revert($third), 409, 'invalid_state');
};

subtest 'made and deleted' => sub {
    my $answer = $server->post('/projects/WEB/tickets',
        { title => 'New', comment => 'First' }, token => $ada);
    my $made = change_of($answer);
    my $key = $answer->json->{key};
    my $deleted = reverted($made)->{change_id};
    status_is($server->get("/tickets/$key", token => $ada), 404);
    reverted($deleted);
    is(ticket($key)->{title}, 'New', 'there again');
    is(scalar @{ $server->get("/tickets/$key/comments", token => $ada)
        ->json->{items} }, 1, 'with its comment');
    my $gone = change_of($server->delete("/tickets/$key", token => $ada));
    is_problem(revert($gone, by => $who{Member}), 403, 'forbidden');
    reverted($gone, by => $who{Admin});
    ticket($key);
    is_problem(revert($gone), 409, 'invalid_state');
    change($key, title => 'Worked on');
    is_problem(revert($made), 409, 'invalid_state', moved => [
        { entity_type => 'ticket', entity_id => $answer->json->{id},
            fields => ['title'] }]);
    ticket($key);
};

subtest 'comments' => sub {
    my $key = $server->ticket($ada, 'WEB')->{key};
    my $said = $server->post("/tickets/$key/comments", { body => 'One' },
        token => $who{Member});
    my $id = $said->json->{id};
    my $edited = change_of($server->patch("/comments/$id",
        { body => "Two \@$ada->{email}" }, token => $who{Member}));
    is_problem(revert($edited, by => $ada), 403, 'forbidden');
    reverted($edited, by => $who{Member});
    my $now = $server->get("/tickets/$key/comments", token => $ada)
        ->json->{items}[0];
    is_deeply([@$now{qw(body mentions)}], ['One', []], 'text and mentions');
    my $removed = change_of($server->delete("/comments/$id", token => $ada));
    reverted($removed, by => $who{Member});
    $server->patch("/comments/$id", { body => 'Three' },
        token => $who{Member});
    is_problem(revert(change_of($said), by => $who{Member}), 409,
        'invalid_state', moved => [{ entity_type => 'comment',
            entity_id => $id, fields => ['body'] }]);
    my $fresh = change_of($server->post("/tickets/$key/comments",
        { body => 'Oops' }, token => $who{Member}));
    reverted($fresh, by => $who{Member});
    is(scalar @{ $server->get("/tickets/$key/comments", token => $ada)
        ->json->{items} }, 1, 'unsaid');
};

subtest 'projects' => sub {
    my $made = $server->post('/projects', { org_id => 'acme', name => 'Old',
        key => 'OLD' }, token => $ada);
    my $first = change_of($server->patch('/projects/OLD',
        { name => 'New', description => 'x', budget_cents => 100 },
        token => $ada));
    reverted($first);
    my $row = $server->get('/projects/OLD', token => $ada)->json;
    is_deeply([@$row{qw(name description budget_cents)}],
        ['Old', undef, undef], 'fields');
    my $gone = change_of($server->delete('/projects/OLD', token => $ada));
    is_problem(revert($gone, by => $who{Member}), 404, 'not_found');
    reverted($gone);
    status_is($server->get('/projects/OLD', token => $ada), 200);
    my $other = $server->post('/projects', { org_id => 'acme', name => 'Two',
        key => 'TWO' }, token => $who{Member});
    is_problem(revert(change_of($other), by => $who{Member}), 403,
        'forbidden');
    reverted(change_of($other));
    status_is($server->get('/projects/TWO', token => $ada), 404);
};

subtest 'several things in one call' => sub {
    my @keys = map { $server->ticket($ada, 'WEB', title => "T$_")->{key} }
        1 .. 3;
    my $batch = change_of($server->post('/batch', { operations => [
        { method => 'PATCH', path => "/tickets/$keys[0]",
            body => { title => 'X' } },
        { method => 'PATCH', path => "/tickets/$keys[0]",
            body => { title => 'Y', status => 'Done' } },
        { method => 'DELETE', path => "/tickets/$keys[1]" },
        { method => 'POST', path => "/tickets/$keys[2]/comments",
            body => { body => 'Hi' } },
    ] }, token => $ada));
    my $done = reverted($batch);
    is_deeply([map { $_->{action} } @{ $done->{items} }],
        [qw(remove restore update)], 'each with its opposite, backwards');
    is_deeply([map { ticket($_)->{title} } @keys], [qw(T1 T2 T3)],
        'as before');
    is(ticket($keys[0])->{status}, 'Backlog', 'over two changes of one');

    my $hidden = $server->project($ada, org_id => $org->{id}, key => 'HID');
    my $secret = $server->ticket($ada, 'HID')->{key};
    my $both = change_of($server->post('/batch', { operations => [
        map { { method => 'PATCH', path => "/tickets/$_",
            body => { title => 'Both' } } } $keys[0], $secret ] },
        token => $ada));
    is_problem(revert($both, by => $who{Member}), 403, 'forbidden');
    change($keys[0], title => 'Moved');
    is_problem(revert($both), 409, 'invalid_state');
    is(ticket($secret)->{title}, 'Both', 'all or nothing');
};

subtest 'who and what' => sub {
    my $key = $server->ticket($ada, 'WEB', title => 'A')->{key};
    my $id = change($key, title => 'B');
    is_problem(revert($id, by => $who{$_}), 403, 'forbidden')
        for qw(Reporter Viewer);
    is_problem(revert($id, by => $server->register), 404, 'not_found');
    is_problem(revert('01a20aa2-b5bf-7cc4-8c04-fc94d86a13b4'), 404,
        'not_found');
    is_problem(revert('WEB'), 404, 'not_found');
    is(ticket($key)->{title}, 'B', 'nothing was done');
    my $tried = revert($id, query => { dry_run => 'true' });
    status_is($tried, 200);
    is(ticket($key)->{title}, 'B', 'a dry run');
    my $assigned = change_of($server->patch("/tickets/$key",
        { reporter_id => $who{Member}{user_id} }, token => $ada));
    is_problem(revert($assigned, by => $who{Member}), 403, 'forbidden');
    reverted($assigned, by => $who{Admin});
    my $renamed = change_of($server->patch('/orgs/acme', { name => 'Acme 2' },
        token => $ada));
    is_problem(revert($renamed), 409, 'invalid_state');
    my $read = $server->must(201, $server->post('/auth/api-keys',
        { name => 'k', org_id => $org->{id}, scopes => ['changes:write'] },
        token => $ada))->{key};
    is_problem(revert($id, by => $read), 403, 'scope_missing');
    my $two = $server->must(201, $server->post('/auth/api-keys',
        { name => 'k2', org_id => $org->{id}, max_writes => 1,
            scopes => ['changes:write', 'tickets:write'] },
        token => $ada))->{key};
    reverted($id, by => $two);
    is_problem(revert($id, by => $two), 409, 'invalid_state');
};

# ---- tickets as they were -----------------------------------------------------

sub as_of {
    my ($key, $instant, %more) = @_;
    return $server->get("/tickets/$key", token => $ada,
        query => { as_of => $instant, %more });
}

# The database's clock, which is what the log is stamped with.
sub instant {
    return $server->rows(q{SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC',
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now})->[0]{now};
}

subtest 'as of an instant, over random histories' => sub {
    my $seed = $ENV{ALLOY_TEST_SEED} // time ^ $$;
    srand $seed;
    note "ALLOY_TEST_SEED=$seed";
    my $early = instant();
    my %choices = (title => [qw(A B C D)], description => [undef, qw(a b c), 'x' x 5000],
        type => [qw(Task Bug Story)], priority => [qw(High Low Medium)],
        status => [qw(Backlog Todo InProgress Done Cancelled)],
        assignee_id => [undef, map { $_->{user_id} } @who{qw(Member Admin)}]);
    for my $number (1 .. 4) {
        my $made = $server->ticket($ada, 'WEB', title => 'A');
        my $key = $made->{key};
        my @history = ([instant(), $made]);
        for (1 .. 12) {
            my %to = map { my $of = $choices{$_}; ($_ => $of->[rand @$of]) }
                grep { rand() < 0.4 } keys %choices;
            my $row = $server->must(200, $server->patch("/tickets/$key",
                \%to, token => $ada));
            push @history, [instant(), $row];
        }
        my @wrong = grep {
            my ($then, $row) = @{ $history[$_] };
            my $was = as_of($key, $then)->json;
            $was && !is_deeply(without($was, 'updated_at'),
                without($row, 'updated_at'), "ticket $number, state $_");
        } 0 .. $#history;
        is_deeply(as_of($key, $history[-1][1]{updated_at})->json,
            $history[-1][1], 'at its last change');
        is_problem(as_of($key, $early), 404, 'not_found');
        status_is(as_of($key, $made->{created_at}), 200);
    }
};

subtest 'as of: rights, deletion, input' => sub {
    my $made = $server->ticket($ada, 'WEB', title => 'One');
    my $key = $made->{key};
    my $then = instant();
    my $gone = change_of($server->delete("/tickets/$key", token => $ada));
    is_problem(as_of($key, $then), 404, 'not_found');
    my $between = instant();
    reverted($gone);
    is(as_of($key, $then)->json->{title}, 'One', 'before it was deleted');
    is_problem(as_of($made->{id}, $between), 404, 'not_found');
    is(as_of($key, instant())->json->{title}, 'One', 'after it came back');
    is_deeply(as_of($key, $then, fields => 'title')->json,
        { title => 'One' }, 'fields');
    is_problem(as_of($key, 'yesterday'), 422, 'validation_failed');
    my $stranger = $server->register;
    is_problem($server->get("/tickets/$key", token => $stranger,
        query => { as_of => $then }), 404, 'not_found');
};

done_testing;
