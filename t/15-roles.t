# Who may do what: every operation of /openapi.json, by every role, by nobody,
# by strangers, with tokens that don't work any more and with keys that may do
# less. What is refused says so in the same words whatever there is, and
# changes nothing.
use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::State;
use AlloyTest::Together;
use AlloyTest::Walk;
use JSON::PP ();
use Test::More;

my $server = AlloyTest->start(children => 2);
my $walk = AlloyTest::Walk->new($server);
my @private = grep { $_->{role} ne 'public' } $walk->operations;
my @ROLES = qw(Viewer Reporter Member Admin Owner);
my %RANK = (signed_in => 0, map { $ROLES[$_] => $_ } 0 .. $#ROLES);

# The role that an operation asks for beyond the one of its row, of callers it
# is not about.
my %NEEDS = (member_remove => 'Admin', watcher_remove => 'Member');

# The least role of each operation, said a second time: one that is missing or
# differs is meant to be seen by a reviewer.
my %LEAST = map { my ($role, @ids) = split; map { $_ => $role } @ids }
    split /\n\n/, <<'END';
public docs health healthz readyz openapi problem_list problem_get
    onboard onboard_status auth_login auth_logout auth_refresh auth_register
    auth_reset invite_get

signed_in auth_me auth_me_update auth_password auth_event_list session_list
    session_end api_key_create api_key_delete api_key_list org_create org_list
    invite_accept invite_accept_link batch

Viewer org_get member_list member_remove project_get project_list
    project_member_list project_summary ticket_get ticket_list ticket_search
    ticket_transitions comment_list activity_list change_list
    project_change_list sprint_get sprint_list
    sprint_board project_board sprint_burndown sprint_burndown_chart
    report_velocity report_velocity_chart report_burnup report_burnup_chart
    report_flow report_flow_chart
    ticket_transitions comment_list activity_list label_list label_get
    ticket_label_list tag_list tag_search team_list team_get team_member_list
    link_list watcher_list watcher_add watcher_remove

Reporter ticket_create comment_add comment_update comment_delete

Member project_create project_update project_member_add project_member_remove
    ticket_batch
    ticket_update ticket_transition change_revert sprint_create
    sprint_update sprint_start sprint_complete
    sprint_ticket_add sprint_ticket_remove
    ticket_update ticket_transition sprint_create sprint_update sprint_start
    sprint_complete sprint_ticket_add sprint_ticket_remove label_create
    label_update ticket_label_add ticket_label_remove tag_set tag_delete
    link_create link_delete

Admin member_set_role invite_create invite_list invite_revoke project_delete
    ticket_delete sprint_delete label_delete team_create team_update
    team_delete team_member_add team_member_remove

Owner org_update org_delete auth_reset_offer
END
%LEAST = (%LEAST, AlloyTest::Plugins::facts('least'));

is($_->{role}, $LEAST{ $_->{id} }, "$_->{id} needs $_->{role}")
    for $walk->operations;

my $ada = $server->register(name => 'Ada Owner');
my $stranger = $server->register(name => 'Sam Stranger');
my $org = $server->org($ada, name => 'Acme');
my $doomed = $server->org($ada, name => 'Doomed');
my %who = (Owner => $ada, map { $_ => joined($_) } @ROLES[ 0 .. 3 ]);

sub joined {
    my ($role) = @_;
    my $person = $server->member(org => $org->{id}, by => $ada, role => $role,
        name => "Rita $role");
    my $code = $server->must(201, $server->post("/orgs/$doomed->{id}/invites",
        { email => $person->{email}, role => $role }, token => $ada));
    $server->must(200, $server->post('/invites/accept',
        { code => $code->{invite_code} }, token => $person));
    return $person;
}

# Two projects of one organization, and a place of somebody else's.
my %common = (org => $org->{id}, by => $ada, host => $stranger,
    doomed => $doomed);
my $open = { %common, people => [ @who{ @ROLES[ 0 .. 3 ] } ] };
my $closed = {%common};
my $elsewhere = { org => $server->org($stranger)->{id}, by => $stranger,
    host => $ada, doomed => $doomed, owns => $stranger };

sub make_key {
    my ($person, %fields) = @_;
    return $server->must(201, $server->post('/auth/api-keys',
        { name => 'A key', %fields }, token => $person));
}

sub visibility {
    my ($which) = @_;
    $server->must(200, $server->patch("/orgs/$org->{id}",
        { project_visibility => $which }, token => $ada));
    return;
}

# What stands in the place is used by all.
sub request_of {
    my ($operation, $place, $caller) = @_;
    return $walk->request($operation, $place, $caller);
}

# One that is meant to succeed: about a comment of the caller's own, and with a
# thing of its own where that is deleted.
sub own_request_of {
    my ($operation, $place, $caller) = @_;
    my %place = (%$place, author => $caller);
    delete @place{qw(comment time_entry)};
    delete $place{ $operation->{names}[-1] // '' }
        if $operation->{method} eq 'DELETE' && $operation->{id} ne 'org_delete';
    return $walk->request($operation, \%place, $caller);
}

# ---- roles ------------------------------------------------------------------

# Where the caller is: does he see the project, by role.
my @SEEN = (
    [ 'a project all are in', $open, 'members', sub {1} ],
    [ 'a project only the Owner is in', $closed, 'members',
        sub { $_[0] =~ /Admin|Owner/ } ],
    [ 'the same, when the organization shows all', $closed, 'org',
        sub { $_[0] ne 'Reporter' } ],
);

for my $case (@SEEN) {
    my ($name, $place, $visibility, $sees) = @$case;
    subtest $name => sub {
        visibility($visibility);
        for my $operation (@private) {
            next if $place == $closed && !AlloyTest::Walk::in_project($operation);
            walk_roles($operation, $place, $sees);
        }
    };
}

sub walk_roles {
    my ($operation, $place, $sees) = @_;
    my $needs = $NEEDS{ $operation->{id} } // $operation->{role};
    my $project = AlloyTest::Walk::in_project($operation);
    my (@refused, @allowed);
    for my $role (@ROLES) {
        my $lost = $project && !$sees->($role);
        push @{ $lost || $RANK{$role} < $RANK{$needs} ? \@refused : \@allowed },
            [ $role, $lost ];
    }
    refuse_roles($operation, $place, $needs, @refused) if @refused;
    for my $role (map { $_->[0] } @allowed) {
        my $request = own_request_of($operation, $place, $who{$role});
        my $answer = $walk->send($request, $who{$role});
        ok($answer->status =~ /^20[014]$/, "$operation->{id} by the $role")
            or diag($answer->text);
    }
    return;
}

sub refuse_roles {
    my ($operation, $place, $needs, @refused) = @_;
    my $request = request_of($operation, $place, $ada);
    unchanged {
        for (@refused) {
            my ($role, $lost) = @$_;
            my $answer = $walk->send($request, $who{$role});
            is_problem($answer, $lost ? (404, 'not_found')
                : (403, 'forbidden', detail => qr/\b$needs\b/),
                name => "$operation->{id}, not by the $role");
        }
    } $server, "$operation->{id} refused";
    return;
}

subtest 'what is said by others' => sub {
    visibility('members');
    my $ticket = AlloyTest::Walk::id($server, $open, 'ticket');
    my $comment = sub {
        $server->must(201, $server->post("/tickets/$ticket/comments",
            { body => 'Mine' }, token => $_[0]))->{id};
    };
    my $mine = $comment->($who{Reporter});
    unchanged {
        is_problem($server->patch("/comments/$mine", { body => 'Not so' },
            token => $who{$_}), 403, 'forbidden', detail => qr/author/,
            name => "no $_ changes it") for qw(Member Admin Owner);
        is_problem($server->delete("/comments/$mine", token => $who{Member}),
            403, 'forbidden', detail => qr/author.*Admin/);
    } $server;
    status_is($server->delete("/comments/$mine", token => $who{Admin}), 204);
    status_is($server->delete('/comments/' . $comment->($who{Reporter}),
        token => $who{Reporter}), 204);
};

subtest 'everybody may leave' => sub {
    for my $role (@ROLES) {
        my $person = $server->member(org => $org->{id}, by => $ada,
            role => $role);
        status_is($server->get("/orgs/$org->{id}", token => $person), 200);
        status_is($server->delete("/orgs/$org->{id}/members/me",
            token => $person), 204, "the $role leaves");
        is_problem($server->get("/orgs/$org->{id}", token => $person), 404,
            'not_found');
    }
};

# ---- no token, or none that works any more ----------------------------------

my $ended = AlloyTest::Walk::login($server, $ada)->{access_token};
my $deleted = make_key($ada);
my $expired = make_key($ada, expires_at => '2099-01-01T00:00:00Z');
my $former = $server->member(org => $org->{id}, by => $ada, role => 'Admin');

subtest 'tokens end at once' => sub {
    for my $token ($ended, $deleted->{key}, $expired->{key}, $former) {
        status_is($server->get("/orgs/$org->{id}", token => $token), 200,
            'it works, and is known to both processes') for 1 .. 4;
    }
    status_is($server->post('/auth/logout', undef, token => $ended), 204);
    status_is($server->delete("/auth/api-keys/$deleted->{id}", token => $ada),
        204);
    $server->dbh('admin')->do(q{UPDATE identity.api_key
        SET expires_at = clock_timestamp() - interval '1 second'
        WHERE id = ?}, undef, $expired->{id});
    status_is($server->delete("/orgs/$org->{id}/members/$former->{user_id}",
        token => $ada), 204);
    my @requests = map { request_of($_, $open, $ada) } @private;
    my %without = (
        'no token'               => [ undef, 'unauthorized' ],
        'a token that is none'   => [ 'alloy_live_nonsense', 'unauthorized' ],
        'the token of a session that ended' => [ $ended, 'unauthorized' ],
        'a deleted key'          => [ $deleted->{key}, 'unauthorized' ],
        'an expired key'         => [ $expired->{key}, 'unauthorized' ],
    );
    for my $name (sort keys %without) {
        my ($token, $code) = @{ $without{$name} };
        unchanged {
            is_problem($walk->send($requests[$_], $token), 401, $code,
                name => "$name: $private[$_]{id}") for 0 .. $#private;
        } $server, $name;
    }
};

subtest 'what is public looks at no token' => sub {
    my @public = grep { $_->{role} eq 'public' && $_->{method} eq 'GET'
        && !@{ $_->{names} } && $_->{path} !~ m{^/health$} } $walk->operations;
    for my $operation (@public) {
        my $path = "$operation->{path}";
        status_is($server->get($path), 200);
        status_is($server->get($path, token => $deleted->{key}), 200,
            "$path with a token that ended");
    }
};

# ---- strangers --------------------------------------------------------------

# All that an answer tells, apart from what the caller has just said himself.
sub told {
    my ($answer, @said) = @_;
    my $body = $answer->body =~ s/"request_id":"[^"]*"/"request_id":""/r;
    $body =~ s/\Q$_\E/what was said/gi for @said;
    return join "\n", $answer->status, $body, join ' ',
        grep { !/^(?:date|content-length|x-request-id)$/ }
        sort keys %{ $answer->headers };
}

# An id like this one, of the same organization, that nothing has.
sub like_id {
    my ($id) = @_;
    return $id =~ s/(.)$/$1 eq '0' ? 1 : 0/er =~ s/.{4}(?=.$)/dead/r;
}

# Replaces some of a request's path by ids that nothing has.
sub same_as_nothing {
    my ($operation, $request, $token, @names) = @_;
    my %lost = (%$request, path => { %{ $request->{path} },
        map { $_ => like_id($request->{path}{$_}) } @names });
    my @said = map { @{ $_->{path} }{@names} } $request, \%lost;
    my $answer = $walk->send($request, $token);
    is_problem($answer, 404, 'not_found',
        name => "$operation->{id}: {@names} is not found");
    is(told($answer, @said), told($walk->send(\%lost, $token), @said),
        "$operation->{id}: as if there were no such {@names}");
    return;
}

# Names of the path that are no references have no twin that nothing has.
sub references { return grep { !/^(?:entity_type|key|period)$/ } @_ }

my @named = grep { @{ $_->{names} } && !grep {/^code$/} @{ $_->{names} } }
    @private;

subtest 'strangers and former members' => sub {
    my @requests = map {
        my %place = (%$open, owns => $ada);
        $walk->request($_, \%place, $ada)
    } @named;
    for my $person ($stranger, $former) {
        unchanged {
            same_as_nothing($named[$_], $requests[$_], $person,
                references(@{ $named[$_]{names} })) for 0 .. $#named;
        } $server, "$person->{name} is refused everything";
    }
};

subtest 'strangers who know a name' => sub {
    my $key = $server->rows('SELECT key FROM alloy.project WHERE id = ?',
        $open->{project})->[0]{key};
    my ($number) = map { $_->{ticket_number} } @{ $server->must(200,
        $server->get("/projects/$key/tickets", token => $ada))->{items} };
    my @names = ([ GET => '/orgs/%s', $org->{slug}, 'no-such-org' ],
        [ DELETE => "/orgs/%s/members/$ada->{email}", $org->{slug},
            'no-such-org' ],
        [ GET => '/projects/%s', $key, 'NONE' ],
        [ GET => '/projects/%s/tickets', $key, 'NONE' ],
        [ GET => '/tickets/%s', "$key-$number", 'NONE-1' ]);
    for (@names) {
        my ($method, $path, @said) = @$_;
        my @told = map { told($server->request($method, sprintf($path, $_),
            token => $stranger), @said) } @said;
        like($told[0], qr/^404/, sprintf "$path is not found", $said[0]);
        is($told[0], $told[1], 'as if there were nothing of that name');
    }
};

subtest 'one name of the path is somebody else\'s' => sub {
    my @cases;
    for my $operation (@named) {
        my $own = $walk->request($operation, { %$open, owns => $ada }, $ada);
        my $foreign = $walk->request($operation, $elsewhere, $stranger);
        push @cases, map { [ $operation, { %$own, path => { %{ $own->{path} },
            $_ => $foreign->{path}{$_} } }, $_ ] }
            grep { $foreign->{path}{$_} ne $own->{path}{$_} }
            references(@{ $operation->{names} });
    }
    unchanged {
        same_as_nothing($_->[0], $_->[1], $ada, $_->[2]) for @cases;
    } $server;
};

# Keys and parameters that refer to something end in _id or _ids.
sub refers {
    my ($name, $schema) = @_;
    return $name =~ /_ids?$/ && !$schema->{format} && !$schema->{pattern};
}

sub foreign_of {
    my ($name) = @_;
    my $what = $name =~ /^(?:org|project|ticket|workflow)/
        ? $name =~ s/_ids?$//r : 'user';
    return $server->rows(q{SELECT workflow_id AS id FROM alloy.project
        WHERE id = ?}, $elsewhere->{project})->[0]{id} if $what eq 'workflow';
    return AlloyTest::Walk::id($server, $elsewhere, $what);
}

subtest 'a key of the body or the query names somebody else\'s' => sub {
    my @cases;
    for my $operation (@private) {
        my %in = (query => $operation->{query},
            json => ($operation->{body} || {})->{properties} || {});
        for my $where (sort keys %in) {
            push @cases, map { [ $operation, $where, $_, foreign_of($_),
                request_of($operation, $open, $ada) ] }
                grep { refers($_, $in{$where}{$_}) } sort keys %{ $in{$where} };
        }
    }
    ok(@cases > 5, 'there are such keys');
    unchanged { refers_to_nothing(@$_) for @cases } $server;
};

sub refers_to_nothing {
    my ($operation, $where, $name, $foreign, $request) = @_;
    my $path = $request->{pattern} =~ s/\{(\w+)\}/$request->{path}{$1}/gr;
    my @ids = ($foreign, like_id($foreign));
    my @answers = map {
        my $value = $name =~ /_ids$/ ? [$_] : $_;
        $server->request($operation->{method}, $path, token => $ada,
            $where eq 'query'
            ? (query => { %{ $request->{query} || {} }, $name => $value })
            : (json => { %{ $request->{json} || {} }, $name => $value }));
    } @ids;
    my $at = $where eq 'query' ? $name : $name =~ /_ids$/ ? "/$name/0"
        : "/$name";
    is_problem($answers[0], 422, 'validation_failed',
        errors => { $at => 'not_found' },
        name => "$operation->{id}: $name of somebody else");
    is(told($answers[0], @ids), told($answers[1], @ids),
        "$operation->{id}: as if there were no such $name");
    return;
}

# ---- API keys ---------------------------------------------------------------

subtest 'a key that may only read' => sub {
    my $key = make_key($ada, read_only => JSON::PP::true)->{key};
    my @requests = map { request_of($_, $open, $ada) } @private;
    unchanged {
        for (0 .. $#private) {
            my $answer = $walk->send($requests[$_], $key);
            my $name = "$private[$_]{id} by a key that may only read";
            $private[$_]{method} eq 'GET' ? status_is($answer, 200, $name)
                : is_problem($answer, 403, 'scope_missing', name => $name);
        }
    } $server, 'reading';
};

# The path and the body lead nowhere: a scope is looked at before them.
sub refused_for_scope {
    my ($operation, $key) = @_;
    my %nothing = (pattern => $operation->{path}, method => $operation->{method},
        path => { map { $_ => 'ffffffff-ffff-7fff-8fff-ffffffffffff' }
            @{ $operation->{names} } },
        json => $operation->{body} ? { no_such_key => 1 } : undef);
    my $answer = $walk->send(\%nothing, $key);
    return $answer->status == 403 && $answer->json->{code} eq 'scope_missing';
}

subtest 'scopes of keys' => sub {
    my %nouns = map { $_->{noun} => 1 } @private;
    my @scopes = ('admin', '*', map { ("$_:read", "$_:write") } sort keys %nouns);
    for my $scope (@scopes) {
        my $key = make_key($ada, scopes => [$scope])->{key};
        my ($noun, $verb) = split /:/, $scope;
        my @wrong;
        for my $operation (grep { $_->{id} !~ /^(?:auth_me|batch)$/ } @private) {
            my $admin = ($RANK{ $operation->{role} } // 0) >= $RANK{Admin};
            my $fits = $scope eq '*' || ($admin ? $scope eq 'admin'
                : $noun eq $operation->{noun}
                && ($verb eq 'write' || $operation->{method} eq 'GET'));
            push @wrong, $operation->{id}
                if refused_for_scope($operation, $key) == !!$fits;
        }
        is("@wrong", '', "$scope is good for what it says");
        status_is($server->get('/auth/me', token => $key), 200,
            "$scope may ask who it is");
    }
};

subtest 'a key of one organization' => sub {
    my $personal = $server->project($ada, key => 'MINE');
    my $key = make_key($ada, org_id => $org->{id})->{key};
    is_deeply([ map { $_->{id} } @{ $server->must(200, $server->get('/orgs',
        token => $key))->{items} } ], [ $org->{id} ], 'it sees that one');
    is_deeply([ grep { $_->{org_id} ne $org->{id} } @{ $server->must(200,
        $server->get('/projects', token => $key))->{items} } ], [],
        'it sees no other\'s projects');
    is_problem($server->get($_, token => $key), 404, 'not_found')
        for "/orgs/$ada->{org_id}", "/projects/$personal->{id}",
        '/projects/MINE';
    unchanged {
        is_problem($server->post('/projects', { key => 'XX', name => 'X',
            org_id => $ada->{org_id} }, token => $key), 422,
            'validation_failed', errors => { '/org_id' => 'not_found' });
        is_problem($server->get('/projects', token => $key,
            query => { org_id => $ada->{org_id} }), 422, 'validation_failed',
            errors => { org_id => 'not_found' });
    } $server;
    is($server->must(201, $server->post('/projects', { key => 'ONLY',
        name => 'Only' }, token => $key))->{org_id}, $org->{id},
        'its organization is the one that is meant');
};

subtest 'a key of some projects' => sub {
    my $key = make_key($ada, project_ids => [ $open->{project} ])->{key};
    my ($in, $out) = map { AlloyTest::Walk::id($server, $_, 'ticket') }
        $open, $closed;
    is_deeply([ map { $_->{id} } @{ $server->must(200,
        $server->get('/projects', token => $key))->{items} } ],
        [ $open->{project} ], 'an Owner\'s key sees that project only');
    status_is($server->get("/tickets/$in", token => $key), 200);
    status_is($server->patch("/tickets/$in", { title => 'By the key' },
        token => $key), 200);
    # What a request needs is made before the state is looked at.
    my @requests = map { [ $_->{id}, request_of($_, $closed, $ada) ] }
        grep { AlloyTest::Walk::in_project($_) } @private;
    unchanged {
        is_problem($walk->send($_->[1], $key), 404, 'not_found',
            name => "$_->[0] in another") for @requests;
    } $server;
};

subtest 'a budget of writes' => sub {
    my $budget = 10;
    my $key = make_key($ada, max_writes => $budget);
    my $tickets = "/projects/$open->{project}/tickets";
    my $title = 'Within the budget';
    is_problem($server->post($tickets, { title => '' }, token => $key->{key}),
        422, 'validation_failed') for 1 .. 3;
    my @answers = map {
        together(map { sub {
            $server->post($tickets, { title => $title }, token => $key->{key})
        } } 1 .. 8)
    } 1 .. 3;
    is(scalar(grep { $_->status == 201 } @answers), $budget,
        'eight at a time write as often as they may, and not once more');
    is_problem($_, 403, 'write_budget_spent', name => 'the others are refused')
        for grep { $_->status != 201 } @answers;
    is($server->rows('SELECT count(*) AS n FROM alloy.ticket WHERE title = ?',
        $title)->[0]{n}, $budget, 'that many are there');
    my ($listed) = grep { $_->{id} eq $key->{id} } @{ $server->must(200,
        $server->get('/auth/api-keys', token => $ada,
            query => { limit => 200 }))->{items} };
    is($listed->{writes_used}, $budget, 'and that many are counted');
    status_is($server->get($tickets, token => $key->{key}), 200,
        'it can still read');
};

done_testing;
