# HTTP around the API: methods, headers, framing, what httpd itself refuses,
# what an administrator can and can't configure.
use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Raw;
use AlloyTest::State;
use JSON::PP ();
use Cwd ();
use Test::More;

my $server = AlloyTest->start;
my $ada = $server->register(name => 'Ada Owner');
my $org = $server->org($ada, name => 'Acme');
$server->project($ada, org_id => $org->{id}, key => 'WEB');
my $ticket = $server->ticket($ada, 'WEB', title => 'Wireframes');
my $ORGS = '/api/v1/orgs';
my %AUTH = (Authorization => "Bearer $ada->{token}");
my @seen;       # all that was answered, for the last look

sub answers {
    my @answers = raw_answers(@_);
    push @seen, @answers;
    return @answers;
}

# The one answer to bytes.
sub answer {
    my ($where, @bytes) = @_;
    my @answers = answers($where, @bytes);
    is(scalar @answers, 1, 'one request, one answer')
        or diag(join "\n", map { $_->text } @answers);
    return $answers[0];
}

sub asks { return answer($server, raw_request(@_)) }

# ---- methods ----------------------------------------------------------------

subtest 'HEAD' => sub {
    my $get = $server->get("/tickets/WEB-1", token => $ada);
    my $head = $server->head("/tickets/WEB-1", token => $ada);
    status_is($head, 200);
    is($head->body, '', 'no body');
    is($head->header($_), $get->header($_), "the $_ of GET")
        for qw(Content-Type Content-Length Cache-Control);
    my $lost = $server->head('/tickets/WEB-9', token => $ada);
    status_is($lost, 404);
    is($lost->body, '', 'no body either');
    is($lost->type, 'application/problem+json', 'a problem without its text');
    status_is($server->head("/orgs/$org->{id}"), 401);
    status_is($server->head('/auth/login'), 405);
};

subtest 'OPTIONS and wrong methods' => sub {
    my %allow = (
        '/tickets/WEB-1' => 'DELETE, GET, HEAD, OPTIONS, PATCH',
        '/orgs'          => 'GET, HEAD, OPTIONS, POST',
        '/auth/login'    => 'OPTIONS, POST',
        '/healthz'       => 'GET, HEAD, OPTIONS',
    );
    unchanged {
        for my $path (sort keys %allow) {
            my $options = $server->options($path);
            status_is($options, 204);
            is($options->header('Allow'), $allow{$path}, "Allow of $path");
            is($options->body, '', 'and nothing else');
            my %known = map { $_ => 1 } split /, /, $allow{$path};
            for my $method (grep { !$known{$_} } qw(GET POST PUT PATCH DELETE
                PROPFIND LOCK REPORT BREW get)) {
                my $answer = asks($method, "/api/v1$path", \%AUTH);
                is_problem($answer, 405, 'method_not_allowed',
                    name => "$method $path");
                is($answer->header('Allow'), $allow{$path},
                    'with what is allowed');
            }
        }
        is_problem(asks('TRACE', $ORGS, \%AUTH), 405, 'method_not_allowed',
            name => 'TRACE');
        is_problem(asks('CONNECT', $ORGS, \%AUTH), 400, 'bad_request',
            name => 'CONNECT wants a host, not a path');
    } $server;
    is_problem($server->options('/nothing'), 404, 'not_found');
};

# ---- paths ------------------------------------------------------------------

subtest 'paths that lead nowhere' => sub {
    for my $path ('', '/', '/nothing', '/orgs/', '/orgs//', '/orgs/x/y/z',
        '/ORGS', '/orgs.json', '/tickets/WEB-1/', '/tickets/WEB-1;a=b',
        '/../v1/nothing', '/tickets/..%2f..%2fetc%2fpasswd') {
        my $answer = asks('GET', "/api/v1$path", \%AUTH);
        is_problem($answer, 404, 'not_found', name => "/api/v1$path");
    }
    is(asks('GET', $_, \%AUTH)->json->{key}, 'WEB-1', $_)
        for '/api/v1/tickets/WEB-1', '/api/v1/tickets/%57%45B-1',
        '/api/v1/tickets/WEB%2D1', '/api/v1/x/../tickets/WEB-1',
        '/api/v1/%74ickets/WEB-1', '/api/v1//tickets///WEB-1';
    for my $path ('/api/v1/tickets/%', '/api/v1/tickets/%zz',
        '/api/v1/tickets/%4') {
        is_problem(asks('GET', $path, \%AUTH), 400, 'bad_request',
            name => $path);
    }
    is_problem(asks('GET', '/api/v1/tickets/%00', \%AUTH), 404, 'not_found');
    $server->expect_log(qr/AH10244: invalid URI path/,
        qr/AH01630: client denied by server configuration/);
    for my $path ('/', '/api', '/api/v2/orgs', '/api/v1x/orgs', '/etc/passwd',
        '/api/v1/../v2/orgs', '/api/v1/%2e%2e/%2e%2e/etc/passwd') {
        my $answer = asks('GET', $path, \%AUTH);
        status_is($answer, 403, "$path is not ours");
        isnt($answer->type, 'application/problem+json', 'and has no problem');
    }
};

subtest 'at the root of the server' => sub {
    status_is($server->get("root:$_"), 200)
        for qw(/healthz /readyz /health /openapi.json);
    status_is($server->get("root:$_"), 403)
        for qw(/docs /problems /orgs /healthz/ /healthz/x);
    is_problem($server->post('root:/healthz', {}), 405, 'method_not_allowed');
    my ($inside, $root) = map { $server->get($_)->json }
        '/openapi.json', 'root:/openapi.json';
    is_deeply($root, $inside, 'the same document');
};

# ---- headers ----------------------------------------------------------------

subtest 'X-Request-Id' => sub {
    my $made = qr/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f-]{17}$/;
    my %own = ('a' => 1, 'Az0._-' => 1, 'x' x 128 => 1, 'x' x 129 => 0,
        '' => 0, 'a b' => 0, 'a,b' => 0, "a\xe4" => 0, 'a"b' => 0,
        'a<b>' => 0, '../x' => 0);
    for my $id (sort keys %own) {
        for my $path ("/tickets/WEB-1", '/tickets/WEB-9', '/nothing') {
            my $answer = asks('GET', "/api/v1$path",
                { %AUTH, 'X-Request-Id' => $id });
            my $got = $answer->header('X-Request-Id');
            $own{$id} ? is($got, $id, "$path: it is the caller's")
                : like($got, $made, "$path: \"$id\" is replaced");
            is($answer->json->{request_id}, $got, 'the same in the problem')
                if $answer->status != 200;
        }
    }
    my %ids = map { asks('GET', '/api/v1/healthz')->header('X-Request-Id') => 1 }
        1 .. 5;
    is(keys %ids, 5, 'each request has its own');
    $server->must(200, $server->patch('/tickets/WEB-1', { title => 'Named' },
        token => $ada, headers => { 'X-Request-Id' => 'my-own-id' }));
    is($server->rows(q{SELECT request_id FROM alloy.change ORDER BY seq DESC
        LIMIT 1})->[0]{request_id}, 'my-own-id', 'it is in the change log');
};

subtest 'what every answer has' => sub {
    my %answers = (
        'an object'  => $server->get('/tickets/WEB-1', token => $ada),
        'a list'     => $server->get('/orgs', token => $ada),
        'a problem'  => $server->get('/nothing'),
        'a document' => $server->get('/openapi.json'),
    );
    for my $name (sort keys %answers) {
        my $answer = $answers{$name};
        is($answer->header('Content-Length'), length $answer->body,
            "$name: Content-Length");
        is($answer->header('X-Content-Type-Options'), 'nosniff',
            "$name: nosniff");
        ok($answer->header('Cache-Control'), "$name: Cache-Control");
        ok($answer->header('X-Request-Id'), "$name: X-Request-Id");
        ok(!defined $answer->header($_), "$name: no $_")
            for qw(Transfer-Encoding Set-Cookie Access-Control-Allow-Origin
            X-Powered-By);
    }
    my $nothing = $server->delete("/tickets/$ticket->{id}", token => $ada);
    status_is($nothing, 204);
    ok(!defined $nothing->header($_), "204 without $_")
        for qw(Content-Length Content-Type);
    ok($nothing->header('Alloy-Change-Id'), 'but with the id of the change');
    $ticket = $server->ticket($ada, 'WEB');
};

subtest 'WWW-Authenticate' => sub {
    my %why = (
        ''                         => qr/^Bearer realm="[^"]+"(?:, resource_metadata="[^"]+")?$/,
        'Bearer nonsense'          => qr/^Bearer .*error="invalid_token"/,
        "Basic YWRhOnNlY3JldA=="   => qr/^Bearer /,
        'Bearer'                   => qr/^Bearer /,
        'Bearer '                  => qr/^Bearer /,
        "Bearer $ada->{token}x"    => qr/error="invalid_token"/,
        "Bearer $ada->{token} x"   => qr/error="invalid_token"/,
        "Token $ada->{token}"      => qr/^Bearer /,
        'Bearer ' . 'x' x 7000     => qr/error="invalid_token"/,
    );
    for my $sent (sort keys %why) {
        my $answer = asks('GET', $ORGS, { Authorization =>
            length $sent ? $sent : undef });
        is_problem($answer, 401, 'unauthorized', name => substr $sent, 0, 40);
        like($answer->header('WWW-Authenticate'), $why{$sent},
            'what it asks for');
    }
    status_is(asks('GET', $ORGS, { Authorization => "bearer $ada->{token}" }),
        200, 'the scheme in any letter case');
    is_problem(asks('GET', "$ORGS?access_token=$ada->{token}"), 401,
        'unauthorized', name => 'no token in the query');
};

subtest 'Accept' => sub {
    status_is($server->get('/orgs', token => $ada, headers => { Accept => $_ }),
        200, "Accept: $_") for '*/*', 'application/json', 'application/*',
        'text/html, application/json;q=0.1', 'application/problem+json, */*';
    is_problem($server->get('/orgs', token => $ada,
        headers => { Accept => $_ }), 406, 'not_acceptable',
        name => "Accept: $_") for 'text/html', 'image/*';
};

# ---- bodies and connections -------------------------------------------------

my $LOGIN = '/api/v1/auth/login';
my %JSON = ('Content-Type' => 'application/json');
my $WRONG = '{"email":"nobody@example.com","password":"wrong password"}';

# After the first request of a connection a second one is sent: how many
# answers there are tells whether the connection was kept, and the second tells
# whether it is still in step.
sub keeps {
    my ($first, $status, $kept, $name) = @_;
    my @answers = answers($server, $first . raw_request('GET', $ORGS, \%AUTH));
    my @wanted = ($status, $kept ? 200 : ());
    is_deeply([ map { $_->status } @answers ], \@wanted, $name)
        or diag(join "\n", map { $_->text } @answers);
    return;
}

subtest 'connections after a refused body' => sub {
    my %keep = (%JSON, Connection => 'keep-alive');
    my $post = sub {
        my ($path, $body, %more) = @_;
        return raw_request('POST', $path, { %keep, %more }, $body);
    };
    keeps($post->($LOGIN, $WRONG), 401, 1, 'a body that was read');
    keeps($post->($LOGIN, '{'), 400, 0, 'httpd ends a connection after 400');
    keeps($post->($ORGS, '{"name":"X"}'), 401, 1,
        'a short body that was not read');
    keeps($post->('/api/v1/nothing', '{"name":"X"}'), 404, 1,
        'a short body for nothing');
    keeps(raw_request('GET', $ORGS, { %keep, %AUTH },
        "GET $ORGS HTTP/1.1\r\n\r\n"), 200, 1, 'a request as the body of a GET');
    keeps($post->($LOGIN, 'x' x 100_000), 413, 0, 'a long body, refused');
    keeps($post->($ORGS, 'x' x 100_000), 401, 0, 'a long body, not read');
    my $chunks = join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
        ('x' x 8000) x 5;
    keeps(raw_request('POST', $LOGIN, { %keep,
        'Transfer-Encoding' => 'chunked' }) . $chunks . "0\r\n\r\n", 413, 0,
        'many chunks, refused');
    keeps(raw_request('POST', $LOGIN, { %keep, 'Transfer-Encoding' =>
        'chunked' }) . sprintf("%x\r\n%s\r\n0\r\n\r\n", length $WRONG, $WRONG),
        401, 1, 'chunks that were read');
    keeps(raw_request('POST', $LOGIN, { %keep,
        'Transfer-Encoding' => 'chunked' }) . "zz\r\n$WRONG\r\n0\r\n\r\n", 400,
        0, 'chunks of no size');
};

subtest 'Expect: 100-continue' => sub {
    my %expect = (%JSON, Expect => '100-continue');
    my @read = answers($server, raw_request('POST', $LOGIN,
        { %expect, 'Content-Length' => length $WRONG }), $WRONG);
    is_deeply([ map { $_->status } @read ], [ 100, 401 ],
        'a body that is wanted');
    for my $case (
        [ $LOGIN, 100_000, 413 ], [ $ORGS, 1000, 401 ],
        [ '/api/v1/nothing', 1000, 404 ], [ '/api/v1/tickets', 1000, 405 ]) {
        my ($path, $length, $status) = @$case;
        my @refused = answers($server, raw_request('POST', $path,
            { %expect, 'Content-Length' => $length }));
        is_deeply([ map { $_->status } @refused ], [$status],
            "$path refuses it before it is sent");
    }
    is_problem(answer($server, raw_request('GET', $ORGS,
        { %AUTH, Expect => 'miracles' })), 417, 'bad_request',
        name => 'another expectation');
};

subtest 'a body that does not come' => sub {
    my $request = raw_request('POST', $LOGIN, { %JSON,
        'Content-Length' => 100 });
    my $text = $server->raw($request . '{"email"');
    like($text, qr{^HTTP/1.1 400 .*"code":"bad_request"}s,
        'the end comes too early');
};

# ---- what is no HTTP --------------------------------------------------------

subtest 'malformed requests' => sub {
    my $get = "GET $ORGS HTTP/1.1\r\n";
    my $host = "Host: 127.0.0.1\r\n";
    my %malformed = (
        'an unknown version'      => "GET $ORGS HTTP/9.9x\r\n$host\r\n",
        'no version'              => "GET $ORGS\r\n\r\n",
        'two spaces'              => "GET  $ORGS HTTP/1.1\r\n$host\r\n",
        'a tab'                   => "GET\t$ORGS\tHTTP/1.1\r\n$host\r\n",
        'a space in the path'     => "GET $ORGS/a b HTTP/1.1\r\n$host\r\n",
        'a NUL in the path'       => "GET $ORGS/\0 HTTP/1.1\r\n$host\r\n",
        'a control character'     => "GET $ORGS/\x01 HTTP/1.1\r\n$host\r\n",
        'no host'                 => "$get\r\n",
        'two hosts'               => "$get${host}Host: example.com\r\n\r\n",
        'an empty header name'    => "$get$host: x\r\n\r\n",
        'a header without colon'  => "$get${host}Nonsense\r\n\r\n",
        'a space before a colon'  => "$get${host}X-A : b\r\n\r\n",
        'a NUL in a header'       => "$get${host}X-A: a\0b\r\n\r\n",
        'a folded first header'   => "$get X-A: b\r\n$host\r\n",
        'a host with a slash'     => "${get}Host: a/b\r\n\r\n",
    );
    unchanged {
        for my $name (sort keys %malformed) {
            my ($answer) = answers($server, $malformed{$name});
            is_problem($answer, 400, 'bad_request', name => $name);
            is($answer->header('Connection'), 'close',
                'and the connection ends');
        }
    } $server;
    is_problem(asks('GET', $ORGS, { Authorization =>
        [ ($AUTH{Authorization}) x 2 ] }), 401, 'unauthorized',
        name => 'two Authorizations are none');
};

subtest 'framed twice' => sub {
    my $inner = "POST $ORGS HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        . "Authorization: Bearer $ada->{token}\r\n"
        . "Content-Type: application/json\r\nContent-Length: 19\r\n\r\n"
        . '{"name":"Smuggled"}';
    my $body = "0\r\n\r\n";
    my %twice = (
        'both lengths' => { 'Content-Length' => length "$body$inner",
            'Transfer-Encoding' => 'chunked' },
        'a length and chunks of none' => { 'Content-Length' => length $body,
            'Transfer-Encoding' => 'chunked' },
        'two lengths' => { 'Content-Length' => [ 5, 6 ] },
        'two lengths in one' => { 'Content-Length' => '5, 6' },
        'a length that is none' => { 'Content-Length' => '5x' },
        'a negative length' => { 'Content-Length' => '-5' },
        'a length with a sign' => { 'Content-Length' => '+5' },
        'a length beyond all' => { 'Content-Length' => '9' x 30 },
        'an unknown encoding' => { 'Transfer-Encoding' => 'xchunked' },
        'chunked, but not last' => { 'Transfer-Encoding' => 'chunked, gzip' },
        'identity' => { 'Transfer-Encoding' => 'identity',
            'Content-Length' => 5 },
    );
    my $before = @{ $server->rows('SELECT FROM alloy.organization') };
    for my $name (sort keys %twice) {
        my @answers = answers($server, raw_request('POST', $ORGS, { %JSON,
            %AUTH, Connection => 'keep-alive', %{ $twice{$name} } })
            . $body . $inner);
        is(scalar @answers, 1, "$name: nothing behind it is a request");
        like($answers[0]->status, qr/^(?:400|411|413|501)$/, 'it is refused')
            or diag($answers[0]->text);
        is($answers[0]->type, 'application/problem+json', 'with a problem');
        is($answers[0]->header('Connection'), 'close', 'and is the last one');
    }
    is(@{ $server->rows('SELECT FROM alloy.organization') }, $before,
        'nothing was smuggled in');
};

subtest 'too long' => sub {
    my %long = (
        'a long query' => [ "$ORGS?q=" . 'x' x 9000, {}, 414, 'uri_too_long' ],
        'a long path' => [ "$ORGS/" . 'x' x 9000, {}, 414, 'uri_too_long' ],
        'a long header' => [ $ORGS, { 'X-Long' => 'x' x 9000 }, 431,
            'headers_too_large' ],
        'many headers' => [ $ORGS, { map { ("X-$_" => 1) } 1 .. 200 }, 431,
            'headers_too_large' ],
    );
    for my $name (sort keys %long) {
        my ($path, $fields, $status, $code) = @{ $long{$name} };
        my ($answer) = answers($server, raw_request('GET', $path,
            { %AUTH, %$fields }));
        is_problem($answer, $status, $code, name => $name);
    }
    is_problem(asks('GET', "$ORGS?q=" . 'x' x 7000, \%AUTH), 422,
        'validation_failed', errors => { q => 'unknown' },
        name => 'shorter ones are read');
};

# ---- what an administrator configures ---------------------------------------

my $second = AlloyTest->start(httpd => 0);
my $database = $second->{cluster}->conninfo($second->database, 'alloy_app');
my $hostile = AlloyTest->start(with => $server, conf => <<"END");
ErrorDocument 400 "<html>hostile</html>"
ErrorDocument 401 "<html>hostile</html>"
ErrorDocument 403 /hostile.html
ErrorDocument 404 /hostile.html
ErrorDocument 405 /api/v1/healthz
ErrorDocument 406 "<html>hostile</html>"
ErrorDocument 413 https://example.com/hostile
ErrorDocument 414 "<html>hostile</html>"
ErrorDocument 415 "<html>hostile</html>"
ErrorDocument 422 /hostile.html
ErrorDocument 500 "<html>hostile</html>"
ErrorDocument 503 "<html>hostile</html>"
AlloyRootPaths off
<VirtualHost 127.0.0.1:\${ALLOY_PORT}>
    ServerName one.example.com
</VirtualHost>
<VirtualHost 127.0.0.1:\${ALLOY_PORT}>
    ServerName two.example.com
    AlloyDatabase "$database"
    AlloyRootPaths on
</VirtualHost>
END

# A key is known to both servers; an access token is of one base URL.
my $key = $server->must(201, $server->post('/auth/api-keys', { name => 'K' },
    token => $ada))->{key};
my %KEY = (Authorization => "Bearer $key");
my %READ_ONLY = (Authorization => 'Bearer ' . $server->must(201,
    $server->post('/auth/api-keys', { name => 'R', read_only => json_true },
        token => $ada))->{key});
$hostile->expect_log(qr/AH10244: invalid URI path/,
    qr/AH01630: client denied by server configuration/);

subtest 'ErrorDocument' => sub {
    my %is = (
        401 => [ 'GET', '/orgs', {} ],
        403 => [ 'PATCH', "/orgs/$org->{id}", \%READ_ONLY, '{}' ],
        404 => [ 'GET', '/nothing', \%KEY ],
        405 => [ 'DELETE', '/orgs', \%KEY ],
        406 => [ 'GET', '/orgs', { %KEY, Accept => 'text/html' } ],
        413 => [ 'POST', '/auth/login', \%JSON, 'x' x 20_000 ],
        415 => [ 'POST', '/orgs', { %KEY, 'Content-Type' => 'text/plain' },
            '{"name":"X"}' ],
        422 => [ 'POST', '/orgs', { %KEY, %JSON }, '{}' ],
        400 => [ 'POST', '/orgs', { %KEY, %JSON }, '{' ],
    );
    my %code = (401 => 'unauthorized', 403 => 'scope_missing', 404 => 'not_found',
        405 => 'method_not_allowed', 406 => 'not_acceptable',
        413 => 'payload_too_large', 415 => 'unsupported_media_type',
        422 => 'validation_failed', 400 => 'malformed_json');
    for my $status (sort keys %is) {
        my ($method, $path, @rest) = @{ $is{$status} };
        my ($answer) = answers($hostile,
            raw_request($method, "/api/v1$path", @rest));
        is_problem($answer, $status, $code{$status}, name => "our $status");
    }
    my ($encoded) = answers($hostile, raw_request('GET', '/api/v1/a%2Fb'));
    is_problem($encoded, 404, 'not_found', name => 'httpd\'s own on our paths');
    my ($bad) = answers($hostile, raw_request('GET', '/api/v1/%zz'));
    is_problem($bad, 400, 'bad_request', name => 'its 400 to a path of ours');
    my ($theirs) = answers($hostile, raw_request('GET', '/elsewhere'));
    status_is($theirs, 403, 'elsewhere');
    isnt($theirs->type, 'application/problem+json', 'is not ours to answer');
};

subtest 'AlloyRootPaths' => sub {
    for my $path (qw(/healthz /readyz /health /openapi.json)) {
        my %status = ('one.example.com' => 403, 'two.example.com' => 200);
        for my $host (sort keys %status) {
            my ($root) = answers($hostile,
                raw_request('GET', $path, { Host => $host }));
            status_is($root, $status{$host}, "$path of $host");
            my ($below) = answers($hostile,
                raw_request('GET', "/api/v1$path", { Host => $host }));
            status_is($below, 200, "the same below the prefix");
        }
    }
};

subtest 'two hosts, two databases' => sub {
    my $call = sub {
        my ($host, $method, $path, $token, $json) = @_;
        my ($answer) = answers($hostile, raw_request($method, "/api/v1$path",
            { Host => $host, %JSON,
                $token ? (Authorization => "Bearer $token") : () },
            $json ? JSON::PP->new->utf8->encode($json) : undef));
        return $answer;
    };
    my %new = (email => 'two@example.com', display_name => 'Two',
        password => 'a password of two');
    my $made = $call->('two.example.com', 'POST', '/auth/register', undef,
        \%new);
    status_is($made, 201);
    my $token = $made->json->{access_token};
    is($call->('two.example.com', 'GET', '/auth/me', $token)->json->{email},
        'two@example.com', 'the second host knows its user');
    is_problem($call->('one.example.com', 'GET', '/auth/me', $token), 401,
        'unauthorized', name => 'the first does not');
    is_problem($call->('one.example.com', 'POST', '/auth/login', undef,
        { email => $new{email}, password => $new{password} }), 401,
        'unauthorized', name => 'nor his password');
    is_problem($call->('two.example.com', 'GET', '/auth/me', $ada->{token}),
        401, 'unauthorized', name => 'nor the second a user of the first');
    my $own = $call->('one.example.com', 'POST', '/auth/login', undef,
        { email => $ada->{email}, password => $ada->{password} });
    status_is($own, 200);
    is_problem($call->('two.example.com', 'GET', '/auth/me',
        $own->json->{access_token}), 401, 'unauthorized',
        name => 'nor one who signed in at the first');
    status_is($call->('one.example.com', 'GET', '/orgs', $key), 200,
        'a key works where it was made');
    is_problem($call->('two.example.com', 'GET', '/orgs', $key), 401,
        'unauthorized', name => 'and nowhere else');
    is($second->rows('SELECT count(*) AS n FROM identity.user')->[0]{n}, 1,
        'the second database has one user');
    is($second->rows(q{SELECT count(*) AS n FROM identity.user WHERE email =
        'two@example.com'})->[0]{n}, 1, 'that one');
    like($made->json->{access_token}, qr/^[\w-]+\.[\w-]+\.[\w-]+$/,
        'a signed token');
    my ($foreign) = answers($hostile, raw_request('GET', '/api/v1/nothing',
        { Host => 'evil.example.org' }));
    unlike($foreign->body, qr/evil/, 'no answer repeats a foreign Host');
};

# ---- configurations that are refused ----------------------------------------

subtest 'apache2 -t' => sub {
    my $httpd = $server->{httpd};
    my ($accepted, $text) = $httpd->judges;
    ok($accepted, 'the configuration of the tests is accepted')
        or diag($text);
    my $place = sub { "<Location \"$_[0]\">\nAlloy on\n</Location>\n" };
    my @wrong = (
        [ 'AlloyDatabaseConnections 0', qr/"0".*from 1 to 1000/ ],
        [ 'AlloyDatabaseConnections many', qr/"many".*whole number/ ],
        [ 'AlloyDatabaseConnections 5x', qr/"5x"/ ],
        [ 'AlloyDatabaseConnections -1', qr/"-1"/ ],
        [ 'AlloyDatabaseTimeout 0', qr/"0".*milliseconds/ ],
        [ 'AlloyDatabaseTimeout 10 9999999', qr/"9999999"/ ],
        [ 'AlloyDatabaseTimeout', qr/takes 1-2 arguments/ ],
        [ 'AlloyDatabaseWait soon', qr/"soon"/ ],
        [ 'AlloyDatabaseLanes -1', qr/"-1".*from 0 to 100/ ],
        [ 'AlloyGiveWay perhaps', qr/On or Off/ ],
        [ 'AlloyDatabasePrepare maybe', qr/On or Off/ ],
        [ 'AlloyDatabase "no connection string"',
            qr/connection string.*postgresql:/ ],
        [ 'AlloyDatabase ""', qr/connection string/ ],
        [ 'AlloyDatabase "host=\'open"', qr/connection string/ ],
        [ 'AlloyTokenKey /nowhere/key.pem', qr{/nowhere/key\.pem can't be read} ],
        [ 'AlloyTokenKey /etc/passwd', qr{/etc/passwd is not .*P-256} ],
        [ 'AlloyTokenKey /usr/bin/perl', qr{/usr/bin/perl is too long} ],
        [ 'AlloyTokenKey "${ALLOY_STATE}/keys/token.pem"', qr/same key twice/ ],
        [ 'AlloyRegistration everybody',
            qr/"everybody".*open.*invite_only.*disabled/ ],
        [ 'AlloyBaseURL example.com', qr/"example\.com".*https:/ ],
        [ 'AlloyBaseURL https://example.com/', qr/slash at the end/ ],
        [ 'AlloyBaseURL ftp://example.com', qr/"ftp:/ ],
        [ 'AlloyBaseURL https://me@example.com', qr/AlloyBaseURL/ ],
        [ 'AlloyBodyLimit 10', qr/"10".*bytes/ ],
        [ 'AlloyAccessTokenLifetime 1', qr/"1".*seconds/ ],
        [ 'AlloyRefreshTokenLifetime 1', qr/"1".*seconds/ ],
        [ 'AlloyPasswordHashers 0', qr/"0".*passwords/ ],
        [ 'AlloyThrottle sometimes', qr/On or Off/ ],
        [ 'AlloyRootPaths perhaps', qr/On or Off/ ],
        [ 'AlloyNonsense on', qr/Invalid command 'AlloyNonsense'/ ],
        [ 'Alloy on', qr/not allowed|belongs into a <Location>/ ],
        [ $place->('/other'), qr{"/other" already.*"/api/v1".*one place} ],
        [ $place->('/api/v1/'), qr/<Location>/ ],
        [ $place->('/a b'), qr/<Location>/ ],
        [ "<LocationMatch \"^/x\">\nAlloy on\n</LocationMatch>",
            qr/<Location>/ ],
        [ "<Directory \"/srv\">\nAlloy on\n</Directory>", qr/<Location>/ ],
    );
    for my $case (@wrong) {
        my ($lines, $sentence) = @$case;
        my ($fine, $said) = $httpd->judges(conf => "$lines\n");
        my $name = $lines =~ s/\s*\n\s*/ /gr;
        ok(!$fine, "refused: $name");
        like($said, $sentence, 'and says why');
        unlike($said, qr/no connection string|password=/,
            'but not what may be a secret');
    }
};

# ---- a last look ------------------------------------------------------------

subtest 'nothing leaks' => sub {
    my $folder = Cwd::getcwd();
    for my $answer (@seen) {
        my $body = $answer->type eq 'application/problem+json'
            ? $answer->body : '';
        unlike($body, qr{SELECT |INSERT |relation "|alloy\.\w+ |libpq|/tmp/
            |/usr/|/etc/|\Q$folder\E/|\.c:\d|0x[0-9a-f]{6,}|Apache/}xi,
            'no SQL, no path, no version') or last;
        my $name = $answer->header('Server') // 'Apache';
        is($name, 'Apache', 'Server says no version') or last;
    }
    ok(@seen > 150, 'of ' . @seen . ' answers');
};

done_testing;
