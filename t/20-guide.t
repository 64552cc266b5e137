# The guide for project managers, played as it is printed: these paths, these
# bodies, these answers. "..." stands for any value; an answer may have more
# keys than printed, never fewer.
use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use JSON::PP ();
use Test::More;

my $json = JSON::PP->new->allow_nonref->canonical;
my $server = AlloyTest->start;
my $pm = $server->register(name => 'Paula Manager');
my %is = (USER_ID => $pm->{user_id});

# ---- the guide's shapes -----------------------------------------------------

# Sentences about what differs; none when GOT is as printed.
sub differences {
    my ($got, $printed, $where) = @_;
    if (ref $printed eq 'HASH') {
        return "$where is no object" unless ref $got eq 'HASH';
        return map {
            exists $got->{$_} ? differences($got->{$_}, $printed->{$_},
                "$where/$_") : "$where/$_ is missing"
        } sort keys %$printed;
    }
    if (ref $printed eq 'ARRAY') {
        return "$where is no array" unless ref $got eq 'ARRAY';
        return "$where is empty" if @$printed && !@$got;
        return map { differences($got->[$_], $printed->[0], "$where/$_") }
            $printed->[0] ? 0 .. $#$got : ();
    }
    return if $printed eq '...';
    my ($is, $should) = map { $json->encode($_) } $got, $printed;
    return $is eq $should ? () : "$where is $is, not $should";
}

# METHOD PATH, the body or undef, the answer as printed; $NAME is filled in.
sub plays {
    my ($status, $call, $body, $printed) = @_;
    s/\$([A-Z_]+)/$is{$1} \/\/ die "no $1"/ge for $call, $body // ();
    my ($method, $path) = split ' ', $call;
    utf8::decode($printed);
    my $answer = $server->request($method, $path, token => $pm,
        defined $body ? (body => $body, type => 'application/json') : ());
    my @differ = $answer->status == $status
        ? differences($answer->json, $json->decode($printed), '')
        : 'the status is ' . $answer->status;
    ok(!@differ, $call) or diag(join "\n", @differ, $answer->text);
    return $answer->json;
}

# ---- 12, the first step -----------------------------------------------------

$is{ORG_ID} = plays(201, 'POST /orgs', '{"name": "Website Makers"}',
    '{"id": "...", "name": "Website Makers"}')->{id};

# ---- 2. Creating and Configuring a Project ----------------------------------

$is{PROJECT_ID} = plays(201, 'POST /projects', '{
"name": "Website Redesign",
"key": "WEB",
"org_id": "$ORG_ID"
}', '{
"id": "...",
"org_id": "...",
"name": "Website Redesign",
"key": "WEB",
"created_at": "...",
"updated_at": "..."
}')->{id};

plays(200, 'PATCH /projects/$PROJECT_ID', '{
"budget_cents": 5000000,
"capitalization_type": "Capex",
"development_phase": "AppDevelopment"
}', '{
"id": "...",
"org_id": "...",
"name": "...",
"key": "...",
"budget_cents": 5000000,
"capitalization_type": "Capex",
"development_phase": "AppDevelopment",
"created_at": "...",
"updated_at": "..."
}');

# ---- 3. Building Your Team --------------------------------------------------

my $invite = plays(201, 'POST /orgs/$ORG_ID/invites', '{
"email": "designer-pm@example.com",
"role": "Member",
"created_by": "$USER_ID"
}', '{
"id": "...",
"invite_code": "...",
"invite_link": "...",
"email": "designer-pm@example.com",
"role": "Member",
"expires_at": "..."
}');

my $designer = $server->register(email => 'designer-pm@example.com',
    name => 'Dora Designer', invite_code => $invite->{invite_code});
{
    local $is{USER_ID} = $designer->{user_id};
    plays(201, 'POST /projects/$PROJECT_ID/members', '{
"user_id": "$USER_ID"
}', '{
"project_id": "...",
"user_id": "...",
"created_at": "..."
}');
}

my $members = plays(200, 'GET /projects/$PROJECT_ID/members', undef, '[
{
"project_id": "...",
"user_id": "...",
"created_at": "..."
}
]');
is_deeply([ sort map { $_->{user_id} } @$members ],
    [ sort $pm->{user_id}, $designer->{user_id} ], 'both are on the project');

# ---- 4. Managing the Backlog ------------------------------------------------

$is{TICKET_ID} = plays(201, 'POST /projects/$PROJECT_ID/tickets', '{
"title": "Design homepage wireframes",
"description": "Create wireframes for the new homepage layout",
"priority": "High",
"reporter_id": "$USER_ID"
}', '{
"id": "...",
"project_id": "...",
"ticket_number": "...",
"title": "Design homepage wireframes",
"description": "Create wireframes for the new homepage layout",
"status": "...",
"priority": "High",
"reporter_id": "...",
"created_at": "...",
"updated_at": "..."
}')->{id};

plays(200, 'PATCH /tickets/$TICKET_ID', '{
"assignee_id": "$USER_ID"
}', '{
"id": "...",
"project_id": "...",
"ticket_number": "...",
"title": "...",
"status": "...",
"priority": "...",
"assignee_id": "...",
"reporter_id": "...",
"created_at": "...",
"updated_at": "..."
}');

plays(200, 'GET /projects/$PROJECT_ID/tickets?priority=High&limit=5', undef, '{
"items": [
{
"id": "...",
"project_id": "...",
"ticket_number": "...",
"title": "...",
"status": "...",
"priority": "High",
"assignee_id": "...",
"reporter_id": "...",
"created_at": "...",
"updated_at": "..."
}
],
"next_cursor": "..."
}');

# ---- 5. Organizing with Labels and Tags -------------------------------------

$is{LABEL_ID} = plays(201, 'POST /orgs/$ORG_ID/labels', '{
"name": "frontend",
"color": "#3B82F6"
}', '{
"id": "...",
"org_id": "...",
"name": "frontend",
"color": "#3B82F6",
"created_at": "...",
"updated_at": "..."
}')->{id};

plays(200, 'POST /tickets/$TICKET_ID/labels/$LABEL_ID', undef, '[
{
"id": "...",
"org_id": "...",
"name": "...",
"color": "...",
"created_at": "...",
"updated_at": "..."
}
]');

plays(200, 'PUT /orgs/$ORG_ID/ticket/$TICKET_ID/tags', '{
"tags": [{"key": "quarter", "value": "Q2"}, {"key": "blocker", "value": "launch"}]
}', '[
{
"id": "...",
"entity_type": "...",
"entity_id": "...",
"key": "...",
"value": "...",
"created_at": "..."
}
]');

# ---- 6. Setting Up Workflows ------------------------------------------------

if (grep { $_ eq 'workflows' } AlloyTest::Plugins::names()) {
    my $flow = '
"name": "PM Standard Flow",
"statuses": [
{"name": "Backlog", "category": "todo"},
{"name": "Ready", "category": "todo"},
{"name": "InProgress", "category": "in_progress"},
{"name": "Review", "category": "in_progress"},
{"name": "Done", "category": "done"}
],
"transitions": [
{"from": "Backlog", "to": "Ready"},
{"from": "Ready", "to": "InProgress"},
{"from": "InProgress", "to": "Review"},
{"from": "Review", "to": "Done"},
{"from": "Review", "to": "InProgress"}
],
"enforcement": "strict"';
    my $made = plays(201, 'POST /orgs/$ORG_ID/workflows', "{$flow}",
        '{"id": "...", "org_id": "...", "created_at": "...",
          "updated_at": "..."}');
    my $sent = $json->decode("{$flow}");
    for my $list (qw(statuses transitions)) {
        my @keys = sort keys %{ $sent->{$list}[0] };
        is_deeply([ map { my $row = $_; +{ map { $_ => $row->{$_} } @keys } }
            @{ $made->{$list} } ], $sent->{$list}, "$list in the order sent");
    }
    is_deeply([ @$made{qw(name enforcement)} ],
        [ 'PM Standard Flow', 'strict' ], 'as sent');
    $is{WORKFLOW_ID} = $made->{id};
    my $project = plays(200, 'PATCH /projects/$PROJECT_ID', '{
"workflow_id": "$WORKFLOW_ID"
}', '{
"id": "...",
"org_id": "...",
"name": "Website Redesign",
"key": "WEB",
"workflow_id": "...",
"created_at": "...",
"updated_at": "..."
}');
    is($project->{workflow_id}, $made->{id}, 'assigned');
} else {
    diag('6: without the plugin workflows');
}

# ---- 7. Sprint Planning and Execution ---------------------------------------

$is{SPRINT_ID} = plays(201, 'POST /projects/$PROJECT_ID/sprints', '{
"name": "Sprint 1 — Homepage Launch",
"goal": "Ship the new homepage design to production",
"start_date": "2026-04-01",
"end_date": "2026-04-15"
}', '{
"id": "...",
"project_id": "...",
"name": "Sprint 1 — Homepage Launch",
"goal": "Ship the new homepage design to production",
"start_date": "2026-04-01",
"end_date": "2026-04-15",
"status": "Planned",
"created_at": "...",
"updated_at": "..."
}')->{id};

plays(200, 'POST /sprints/$SPRINT_ID/start', undef, '{
"id": "...",
"project_id": "...",
"name": "Sprint 1 — Homepage Launch",
"goal": "Ship the new homepage design to production",
"start_date": "2026-04-01",
"end_date": "2026-04-15",
"status": "Active",
"created_at": "...",
"updated_at": "..."
}');

my $burndown = plays(200, 'GET /sprints/$SPRINT_ID/burndown', undef, '{
"sprint_id": "...",
"data": "..."
}');
is(@{ $burndown->{data} }, 15, 'a row for every day of the sprint');

# ---- 8. Tracking Progress and Status ----------------------------------------

plays(200, 'GET /projects/$PROJECT_ID/tickets?limit=5', undef, '{
"items": [
{
"id": "...",
"project_id": "...",
"ticket_number": "...",
"title": "...",
"status": "...",
"priority": "...",
"reporter_id": "...",
"created_at": "...",
"updated_at": "..."
}
],
"next_cursor": "..."
}');

for my $filter ('status=Backlog', 'priority=High',
    "assignee_id=$pm->{user_id}") {
    my $page = plays(200, "GET /projects/WEB/tickets?$filter", undef,
        '{"items": [{"id": "..."}], "next_cursor": "..."}');
    is(@{ $page->{items} }, 1, "$filter finds the ticket");
}
is(@{ plays(200, 'GET /projects/WEB/tickets?status=InProgress', undef,
    '{"items": [], "next_cursor": "..."}')->{items} }, 0,
    'status=InProgress finds none');

plays(200, 'GET /projects/WEB/summary', undef, '{
"by_status": [{"status": "...", "count": "..."}],
"active_sprints": [{"id": "...", "name": "Sprint 1 — Homepage Launch"}]
}');

# ---- 10. Communicating with Comments ----------------------------------------

plays(201, 'POST /tickets/$TICKET_ID/comments', '{
"body": "Wireframes approved by stakeholders. Moving to development.",
"author_id": "$USER_ID"
}', '{
"id": "...",
"ticket_id": "...",
"author_id": "...",
"body": "Wireframes approved by stakeholders. Moving to development.",
"created_at": "...",
"updated_at": "..."
}');

plays(200, 'GET /tickets/$TICKET_ID/comments?limit=10', undef, '{
"items": [
{
"id": "...",
"ticket_id": "...",
"author_id": "...",
"body": "...",
"created_at": "...",
"updated_at": "..."
}
],
"next_cursor": "..."
}');

done_testing;
