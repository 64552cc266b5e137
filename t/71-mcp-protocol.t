# The Model Context Protocol in every revision: handshake and discovery, lists,
# errors, what the header must say, and input nobody should send.
# plugin: mcp

use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Mcp;
use JSON::PP ();
use Test::More;

my $server = AlloyTest->start;
my $ada = $server->register(name => 'Ada');
my $META = 'io.modelcontextprotocol';
$server->project($ada, key => 'WEB');

sub client { return AlloyTest::Mcp->new($server, $ada, @_) }

# An answer of HTTP that carries an error of JSON-RPC.
sub is_error {
    my ($answer, $status, $code, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $error = eval { $answer->json->{error} } || {};
    return ok($answer->status == $status && ($error->{code} // 0) == $code
        && length($error->{message} // ''), $name) || diag($answer->text);
}

# ---- beginning --------------------------------------------------------------------

for my $revision (grep { $_ ne '2026-07-28' } AlloyTest::Mcp->revisions) {
    my $hello = client(revision => $revision)->result('initialize',
        { protocolVersion => $revision, capabilities => {},
            clientInfo => { name => 'tester', version => '1' } });
    is($hello->{protocolVersion}, $revision, "$revision is spoken");
    ok($hello->{capabilities}{tools} && $hello->{serverInfo}{version}
        && $hello->{instructions}, 'it says what it is');
}
is(client()->result('initialize', { protocolVersion => '1999-01-01',
    capabilities => {}, clientInfo => { name => 'x', version => '1' } })
    ->{protocolVersion}, '2025-11-25', 'another one gets the newest');

my $modern = client(revision => '2026-07-28');
my $about = $modern->result('server/discover');
is_deeply($about->{supportedVersions}, [ AlloyTest::Mcp->revisions ],
    'server/discover lists the revisions');
is($about->{resultType}, 'complete', 'a result says that it is complete');
is($about->{_meta}{"$META/serverInfo"}{name}, 'alloy', 'and whose it is');
like($about->{ttlMs}, qr/^[0-9]+$/, 'and for how long');
is($about->{cacheScope}, 'private', 'and for whom');

# ---- the same tools in every revision -----------------------------------------------

my %guide = map { $_ => 1 } qw(get_project_summary create_ticket assign_ticket
    transition_ticket start_sprint get_sprint_burndown search_tickets
    get_my_tickets add_comment set_tags create_project);

for my $revision (AlloyTest::Mcp->revisions) {
    my $mcp = client(revision => $revision);
    my $answer = $mcp->ask('tools/list');
    my $list = $answer->json->{result};
    my %listed = map { $_->{name} => $_ } @{ $list->{tools} };
    is_deeply([ grep { !$listed{$_} } sort keys %guide ], [],
        "$revision: the guide's tools are listed");
    ok(length($answer->body) <= 24_000, 'in at most 24 KB')
        || diag(length $answer->body);
    ok(!exists $list->{nextCursor}, 'on one page');
    is($mcp->ask('tools/list')->json->{result}{tools}[0]{name},
        $list->{tools}[0]{name}, 'in the same order again');
    is(exists $listed{create_ticket}{outputSchema} ? 1 : 0,
        $revision eq '2025-03-26' ? 0 : 1, 'outputSchema where it is known');
    my $made = $mcp->call('create_ticket', project => 'WEB', title => 'x');
    is(exists $made->{structuredContent} ? 1 : 0,
        $revision eq '2025-03-26' ? 0 : 1, 'so with structuredContent');
    like(AlloyTest::Mcp::data($made)->{key}, qr/^WEB-/, 'a call');
    is_deeply(JSON::PP->new->decode($made->{content}[0]{text}),
        AlloyTest::Mcp::data($made), 'text says the same');
    my $refused = $mcp->call('get_ticket', ticket => 'WEB-99');
    ok($refused->{isError}, 'a refusal is a result');
    is(AlloyTest::Mcp::data($refused)->{code}, 'not_found', 'with its problem');
    is($mcp->error('tools/call', { name => 'no_such_tool' })->{code}, -32602,
        'an unknown tool is an error');
}

# ---- hints ---------------------------------------------------------------------------

my $every = client(place => '/mcp/x/all')->tools;
ok(keys %$every > 60, 'every tool in the set "all"');
for my $name (sort keys %$every) {
    my $tool = $every->{$name};
    is_deeply([ sort keys %{ $tool->{annotations} } ],
        [qw(destructiveHint idempotentHint openWorldHint readOnlyHint)],
        "$name states all hints");
    is($tool->{inputSchema}{type}, 'object', "$name takes an object");
}
my %paths = %{ $server->must(200, $server->get('/openapi.json'))->{paths} };
for my $path (map { values %$_ } values %paths) {
    next unless ref $path eq 'HASH' && $path->{'x-tool'};
    my ($method) = map { my $item = $_;
        grep { ref $item->{$_} eq 'HASH' && $item->{$_} == $path } keys %$item }
        values %paths;
    my $hints = $every->{ $path->{'x-tool'} }{annotations};
    is($hints->{readOnlyHint} ? 1 : 0, $method eq 'get' ? 1 : 0,
        "$path->{'x-tool'} reads or writes as it says");
    ok($hints->{destructiveHint}, "$path->{'x-tool'} says that it destroys")
        if $method eq 'delete';
}

# What a tool says to repeat without harm leaves no second trace.
my $carol = $server->member(org => $ada->{org_id}, by => $ada);
my %again = (
    add_project_member => { project => 'WEB', user => $carol->{email} },
    update_ticket => { ticket => 'WEB-1', title => 'Again' },
    transition_ticket => { ticket => 'WEB-1', status => 'Done' },
    link_tickets => { ticket => 'WEB-1', other => 'WEB-2', type => 'blocks' },
    set_tags => { ticket => 'WEB-1', tags => [ { key => 'a' } ] },
);
for my $name (sort keys %again) {
    ok($every->{$name}{annotations}{idempotentHint}, "$name may be repeated");
    client()->must($name, %{ $again{$name} });
    my $count = sub { $server->rows('SELECT count(*) FROM alloy.change')
        ->[0]{count} };
    my $before = $count->();
    client()->must($name, %{ $again{$name} });
    is($count->(), $before, 'the second time nothing changes');
}

# ---- other places -----------------------------------------------------------------------

my $tickets = client(place => '/mcp/x/tickets')->tools;
ok($tickets->{delete_ticket} && !$tickets->{create_project},
    'a set has the tools of its noun');
my $readers = client(place => '/mcp/readonly')->tools;
is(scalar(grep { !$_->{annotations}{readOnlyHint} } values %$readers), 0,
    'only what reads, where only reading is offered');
is(client(place => '/mcp/readonly')->error('tools/call',
    { name => 'create_ticket', arguments => {} })->{code}, -32602,
    'the rest is not there');
is(client(place => '/mcp/readonly')->must('get_ticket', ticket => 'WEB-1')
    ->{key}, 'WEB-1', 'what reads is');
is_problem(client(place => '/mcp/other')->ask('ping'), 404, 'not_found');
for my $method (qw(GET DELETE PUT)) {
    my $answer = $server->request($method, 'root:/mcp', token => $ada);
    is_problem($answer, 405, 'method_not_allowed');
    is($answer->header('Allow'), 'POST', 'POST is allowed');
}

# ---- resources ------------------------------------------------------------------------

my $mallory = $server->register(name => 'Mallory');
my $sprint = $server->must(201, $server->post('/projects/WEB/sprints',
    { name => 'First' }, token => $ada));
for my $revision (AlloyTest::Mcp->revisions) {
    my $mcp = client(revision => $revision);
    my $missing = $revision eq '2026-07-28' ? -32602 : -32002;
    is_deeply([ map { $_->{uri} }
        @{ $mcp->result('resources/list')->{resources} } ],
        ['alloy://me/tickets'], "$revision: resources");
    is_deeply([ sort map { $_->{uriTemplate} } @{
        $mcp->result('resources/templates/list')->{resourceTemplates} } ],
        [ 'alloy://projects/{project}', 'alloy://sprints/{sprint}',
            'alloy://tickets/{ticket}' ], 'and templates of more');
    for my $uri ('alloy://projects/WEB', 'alloy://tickets/WEB-1',
        "alloy://sprints/$sprint->{id}", 'alloy://me/tickets') {
        my ($one) = @{ $mcp->result('resources/read', { uri => $uri })
            ->{contents} };
        is($one->{uri}, $uri, "$uri can be read");
        like($one->{text}, qr/^\{/, 'as JSON');
        next if $uri =~ /me/;
        my $error = AlloyTest::Mcp->new($server, $mallory,
            revision => $revision)->error('resources/read', { uri => $uri });
        is($error->{code}, $missing, 'but not by a stranger');
        is($error->{data}{uri}, $uri, 'who is told what is not there');
    }
    is($mcp->error('resources/read', { uri => $_ })->{code}, $missing,
        "no resource: $_") for 'alloy://tickets/WEB-99', 'alloy://tickets/',
        'alloy://tickets/WEB-1/x', 'alloy://tickets/%zz', 'file:///etc/passwd';
}

# ---- messages -------------------------------------------------------------------------------

my $legacy = client();
is_deeply($legacy->result('ping'), {}, 'ping');
is_deeply($legacy->result('logging/setLevel', { level => 'info' }), {},
    'logging/setLevel');
is($legacy->error('logging/setLevel', { level => 'loud' })->{code}, -32602,
    'a level that is none');
is($legacy->error('no/such')->{code}, -32601, 'no such method');
status_is($legacy->post({ jsonrpc => '2.0',
    method => 'notifications/initialized' }), 202);
status_is($legacy->post({ jsonrpc => '2.0', id => 1, result => {} }), 202);
my $old = client(revision => '2025-03-26');
my $batch = $old->post([ $old->message('ping'), $old->message('tools/list'),
    { jsonrpc => '2.0', method => 'notifications/initialized' } ]);
is(scalar @{ $batch->json }, 2, 'a batch, where there are batches');
status_is($old->post([ { jsonrpc => '2.0', method => 'notifications/x' } ]),
    202);
is_error($old->post([]), 400, -32600, 'an empty batch');
is_error($legacy->post([ $legacy->message('ping') ]), 400, -32600,
    'a batch, where there are none');
is_error($legacy->ask('ping', {},
    headers => { 'MCP-Protocol-Version' => '2099-01-01' }), 400, -32600,
    'a revision in the header that is not spoken');

# ---- what no client should send ----------------------------------------------------------------

my %bytes = ('{' => -32700, '' => -32700, 'null' => -32600, '"x"' => -32600,
    '{"jsonrpc":"1.0","id":1,"method":"ping"}' => -32600,
    '{"jsonrpc":"2.0","id":1,"method":7}' => -32600,
    '{"jsonrpc":"2.0","id":null,"method":"ping"}' => -32600,
    '{"jsonrpc":"2.0","id":1.5,"method":"ping"}' => -32600,
    '{"jsonrpc":"2.0","id":{},"method":"ping"}' => -32600,
    '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}' => -32700,
    '{"jsonrpc":"2.0","id":"' . 'x' x 300 . '","method":"ping"}' => -32600,
    '[' x 5000 => -32700, "{\"a\":\"\xff\"}" => -32700);
for my $body (sort keys %bytes) {
    is_error($server->request('POST', 'root:/mcp', token => $ada,
        body => $body, type => 'application/json'), 400, $bytes{$body},
        'refused: ' . substr $body, 0, 44);
}
for my $params ([], 'x', 1, { name => 7 }, {},
    { name => 'whoami', arguments => [] }, { name => 'whoami', arguments => 1 },
    { name => 'whoami', _meta => [] }) {
    my $message = { jsonrpc => '2.0', id => 1, method => 'tools/call',
        params => $params };
    is($legacy->post($message)->json->{error}{code}, -32602,
        'wrong params: ' . JSON::PP->new->canonical->allow_nonref
            ->encode($params));
}
is_problem($server->request('POST', 'root:/mcp', token => $ada,
    body => '{}', type => 'text/plain'), 415, 'unsupported_media_type');
is_problem($server->request('POST', 'root:/mcp', token => $ada,
    body => 'x' x 1_100_000, type => 'application/json'), 413,
    'payload_too_large');
for my $wrong ({ ticket => 7 }, { ticket => [] }, { ticket => {} },
    { ticket => undef }, { ticket => 'x' x 2000 }) {
    ok(client()->call('get_ticket', %$wrong)->{isError},
        'a wrong argument is refused');
}

# ---- pages of elsewhere -------------------------------------------------------------------------

my %from = ('http://evil.example.com' => 403, 'null' => 403,
    'http://localhost.evil.example.com' => 403, 'http://localhost:3000' => 200,
    'http://127.0.0.1' => 200, $server->base => 200);
for my $origin (sort keys %from) {
    status_is($legacy->ask('ping', {}, headers => { Origin => $origin }),
        $from{$origin}, "Origin: $origin");
}
like($server->raw("POST /mcp HTTP/1.1\r\nHost: evil.example.com\r\n"
    . "Content-Length: 2\r\nConnection: close\r\n\r\n{}"),
    qr{^HTTP/1\.1 403 }, 'a name that is not ours, on this machine');

# ---- the revision without handshake ----------------------------------------------------------------

for my $gone (qw(initialize ping logging/setLevel resources/subscribe)) {
    is_error($modern->ask($gone), 404, -32601, "$gone is no more");
}
my %header = ('MCP-Protocol-Version' => '2025-11-25', 'Mcp-Method' => 'ping',
    'Mcp-Name' => 'get_ticket');
for my $field (sort keys %header) {
    for my $value (undef, $header{$field}, '=?base64?!!!?=') {
        is_error($modern->ask('tools/call', { name => 'whoami' },
            headers => { $field => $value }), 400, -32020,
            "$field: " . ($value // 'none'));
    }
}
for my $value (' whoami ', '=?base64?d2hvYW1p?=') {
    ok(!$modern->ask('tools/call', { name => 'whoami' },
        headers => { 'Mcp-Name' => $value })->json->{result}{isError},
        "Mcp-Name: $value");
}
my $message = $modern->message('tools/list');
$message->{params}{_meta}{"$META/protocolVersion"} = '2030-01-01';
is_error($modern->post($message), 400, -32020, 'a revision but in the header');
my $answer = $modern->post($message,
    headers => { 'MCP-Protocol-Version' => '2030-01-01' });
is_error($answer, 400, -32022, 'a revision to come');
is_deeply($answer->json->{error}{data}, { requested => '2030-01-01',
    supported => [ AlloyTest::Mcp->revisions ] }, 'says what is spoken');
$message = $modern->message('tools/list');
delete $message->{params}{_meta}{"$META/clientCapabilities"};
is_error($modern->post($message), 400, -32602, 'without capabilities');
is_error($modern->post({ jsonrpc => '2.0', id => 1, method => 'tools/list' }),
    400, -32602, 'without a revision in the message');

done_testing;
