# The guide's way to work with MCP: its tools by name, with the arguments people
# say, as the same people who use REST.
# plugin: mcp

use strict;
use warnings;
use utf8;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Mcp;
use JSON::PP ();
use Test::More;

binmode Test::More->builder->$_, ':encoding(UTF-8)'
    for qw(output failure_output todo_output);

my $server = AlloyTest->start;
my $ada = $server->register(name => 'Ada');
my $mcp = AlloyTest::Mcp->new($server, $ada);

# ---- the tools of the guide ----------------------------------------------------

my $project = $mcp->must('create_project', name => 'Website Redesign',
    key => 'WEB');
is($project->{key}, 'WEB', 'create_project');

my $bob = $server->member(org => $ada->{org_id}, by => $ada, name => 'Bob',
    role => 'Member');
$mcp->must('add_project_member', project => 'WEB', user => $bob->{email});

my $ticket = $mcp->must('create_ticket', project => 'WEB',
    title => 'Design homepage wireframes', priority => 'urgent',
    assignee => 'Bob');
is($ticket->{key}, 'WEB-1', 'create_ticket');
is($ticket->{priority}, 'Critical', 'words in any spelling REST takes');
is($server->must(200, $server->get('/tickets/WEB-1', token => $ada))
    ->{assignee_id}, $bob->{user_id}, 'the assignee was found by name');

$mcp->must('assign_ticket', ticket => 'WEB-1', assignee => 'me');
is($server->must(200, $server->get('/tickets/WEB-1', token => $ada))
    ->{assignee_id}, $ada->{user_id}, 'assign_ticket');

is($mcp->must('transition_ticket', ticket => 'web-1', status => 'inprogress')
    ->{status}, 'InProgress', 'transition_ticket');

$mcp->must('create_sprint', project => 'WEB',
    name => 'Sprint 1 — Homepage Launch', start_date => '2026-04-01',
    end_date => '2026-04-14');
$mcp->must('add_sprint_tickets', project => 'WEB', sprint => 'Sprint 1',
    tickets => ['WEB-1']);
is($mcp->must('start_sprint', project => 'WEB',
    sprint => 'Sprint 1 — Homepage Launch')->{status}, 'Active',
    'start_sprint');
my $burndown = $mcp->must('get_sprint_burndown', project => 'WEB',
    sprint => '1');
is($burndown->{unit}, 'tickets', 'get_sprint_burndown');
is($burndown->{data}[0]{date}, '2026-04-01', 'day by day');

my $summary = $mcp->must('get_project_summary', project => 'WEB');
my ($moving) = grep { $_->{status} eq 'InProgress' } @{ $summary->{by_status} };
is($moving->{count}, 1, 'get_project_summary counts tickets by status');
is(scalar @{ $summary->{active_sprints} }, 1, 'and names active sprints');

my $comment = $mcp->must('add_comment', ticket => 'WEB-1',
    body => 'Design approved, start coding');
is($comment->{body}, 'Design approved, start coding', 'add_comment');

my $tags = $mcp->must('set_tags', ticket => 'WEB-1',
    tags => [ { key => 'quarter', value => 'Q2' } ]);
is($tags->{items}[0]{key}, 'quarter', 'set_tags');
$mcp->must('set_tags', ticket => 'WEB-1', tags => [ { key => 'risk' } ]);
is_deeply([ sort map { $_->{key} }
    @{ $mcp->must('get_tags', ticket => 'WEB-1')->{items} } ],
    [ 'quarter', 'risk' ], 'a tool adds to the tags there are');
is_deeply($mcp->must('get_tags', entity_type => 'project', entity => 'WEB'),
    { items => [] }, 'a kind and a thing do as well');

# ---- arguments as people and as REST say them -------------------------------------

is($mcp->must('update_ticket', ticket => 'WEB-1', assignee_id => 'Bob',
    due_date => '2026-05-01')->{key}, 'WEB-1', 'names of REST are understood');
my $twice = $mcp->refused('update_ticket', ticket => 'WEB-1',
    assignee_id => 'Bob', assignee => 'Bob');
is($twice->{errors}[0]{code}, 'repeated', 'but not both at once');
my $unknown = $mcp->refused('update_ticket', ticket => 'WEB-1', colour => 1);
is($unknown->{code}, 'validation_failed', 'an unknown argument');
is($unknown->{errors}[0]{pointer}, '/colour', 'is pointed at');
is_deeply([ map { $_->{pointer} }
    @{ $mcp->refused('create_ticket', project => 'WEB')->{errors} } ],
    ['/title'], 'so is one that is missing');
is($mcp->refused('get_ticket')->{errors}[0]{pointer}, '/ticket',
    'also one that stands in a path of REST');
is($mcp->refused('assign_ticket', ticket => 'WEB-1')->{errors}[0]{pointer},
    '/assignee', 'a tool asks for what it is there for');
is($mcp->refused('assign_ticket', ticket => 'WEB-1', assignee => 'me',
    title => 'x')->{errors}[0]{pointer}, '/title', 'and takes nothing else');
$mcp->must('assign_ticket', ticket => 'WEB-1', assignee => undef);
is($server->must(200, $server->get('/tickets/WEB-1', token => $ada))
    ->{assignee_id}, undef, 'null gives it to nobody');

my $dry = $mcp->must('delete_ticket', ticket => 'WEB-1',
    dry_run => JSON::PP::true);
is($dry->{key}, 'WEB-1', 'a delete that is only tried shows the ticket');
status_is($server->get('/tickets/WEB-1', token => $ada), 200);
$mcp->must('create_ticket', project => 'WEB', title => 'Short-lived');
is_deeply($mcp->must('delete_ticket', ticket => 'WEB-2'), {},
    'nothing to say is an empty object');

# ---- lists ------------------------------------------------------------------------

$mcp->must('add_comment', ticket => 'WEB-1', body => "Number $_") for 1 .. 24;
my $page = $mcp->must('list_comments', ticket => 'WEB-1');
is(scalar @{ $page->{items} }, 20, 'a page of a tool has 20 rows');
my $rest = $mcp->must('list_comments', ticket => 'WEB-1',
    cursor => $page->{next_cursor});
is(scalar @{ $rest->{items} }, 5, 'the cursor leads to the rest');
is(scalar @{ $mcp->must('list_comments', ticket => 'WEB-1', limit => 2)
    ->{items} }, 2, 'limit');

# ---- organizations ----------------------------------------------------------------

$server->org($ada, name => 'Second', slug => "second-$$");
$mcp->must('create_project', name => 'Other', key => 'OTH',
    org => "second-$$");
$server->ticket($ada, 'OTH');
$mcp->must('set_tags', ticket => 'OTH-1', tags => [ { key => 'there' } ]);
is(@{ $mcp->must('get_tags', ticket => 'OTH-1')->{items} }, 1,
    'a thing tells the organization');
is($mcp->must('list_labels', org => "second-$$")->{has_more},
    JSON::PP::false, 'an organization that is named');

# ---- the same rights as in REST -----------------------------------------------------

my $mallory = $server->register(name => 'Mallory');
my $stranger = AlloyTest::Mcp->new($server, $mallory);
for my $id ('WEB-1', $ticket->{id}) {
    is($stranger->refused('get_ticket', ticket => $id)->{code}, 'not_found',
        'a stranger does not find a ticket');
    is($stranger->refused('transition_ticket', ticket => $id,
        status => 'Done')->{code}, 'not_found', 'nor can he move it');
}
is($stranger->refused('create_ticket', project => $project->{id},
    title => 'x')->{code}, 'not_found', 'nor add one');

my $eve = $server->member(org => $ada->{org_id}, by => $ada, name => 'Eve',
    role => 'Viewer');
$server->must(201, $server->post('/projects/WEB/members',
    { user_id => $eve->{user_id} }, token => $ada));
my $viewer = AlloyTest::Mcp->new($server, $eve);
is($viewer->must('get_ticket', ticket => 'WEB-1')->{key}, 'WEB-1',
    'a Viewer reads');
for my $write ([ create_ticket => project => 'WEB', title => 'x' ],
    [ add_comment => ticket => 'WEB-1', body => 'x' ],
    [ transition_ticket => ticket => 'WEB-1', status => 'Done' ],
    [ start_sprint => project => 'WEB', sprint => '1' ],
    [ set_tags => ticket => 'WEB-1', tags => [] ]) {
    my ($tool, %arguments) = @$write;
    is($viewer->refused($tool, %arguments)->{code}, 'forbidden',
        "a Viewer can't $tool");
}

# ---- the change log -----------------------------------------------------------------

my $modern = AlloyTest::Mcp->new($server, $ada, revision => '2026-07-28');
$modern->must('add_comment', ticket => 'WEB-1', body => 'from the new era');
my $changes = $server->must(200, $server->get('/changes', token => $ada,
    query => { limit => 200 }));
my ($last) = grep { ($_->{client_name} // '') eq 'tester/1' }
    @{ $changes->{items} };
is($last->{client}, 'mcp', 'the change log knows the front');
is($last->{operation}, 'comment_add', 'and the operation');

# ---- tokens -------------------------------------------------------------------------

my $nobody = $server->request('POST', 'root:/mcp',
    json => $mcp->message('ping'));
is_problem($nobody, 401, 'unauthorized');
like($nobody->header('WWW-Authenticate'),
    qr{resource_metadata="http://[^"]+/\.well-known/oauth-protected-resource/mcp"},
    'a caller without a token is told where to look');
like($server->get('/auth/me')->header('WWW-Authenticate'),
    qr{resource_metadata=}, 'by REST too');
for my $path ('/mcp', '') {
    my $about = $server->get("root:/.well-known/oauth-protected-resource$path");
    status_is($about, 200);
    like($about->json->{resource}, qr{/mcp$}, 'the resource');
    ok(@{ $about->json->{authorization_servers} }, 'who gives tokens');
}

my $key = $server->must(201, $server->post('/auth/api-keys',
    { name => 'reader', read_only => JSON::PP::true }, token => $ada));
my $reader = AlloyTest::Mcp->new($server, $key->{key});
my $tools = $reader->tools;
ok($tools->{get_ticket} && !$tools->{create_ticket},
    'a key that may only read is shown what reads');
is($reader->refused('add_comment', ticket => 'WEB-1', body => 'x')->{code},
    'scope_missing', 'and refused the rest');
$server->must(204, $server->delete("/auth/api-keys/$key->{id}",
    token => $ada));
for my $method ('ping', 'tools/list') {
    is_problem($reader->ask($method), 401, 'unauthorized',
        name => "a key that was deleted can't $method");
}
is_problem($reader->ask('tools/call', { name => 'whoami' }), 401,
    'unauthorized');

done_testing;
