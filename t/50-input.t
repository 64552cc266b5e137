# What can be sent and can't be meant: bytes that are no JSON, JSON that is no
# request, values beyond their limits, and texts that look like something else.
# Each has one answer, and nothing is changed.
use strict;
use warnings;
use utf8;
use lib 't/lib';

use AlloyTest;
use AlloyTest::State;
use AlloyTest::Walk;
use Encode qw(encode_utf8);
use JSON::PP ();
use Test::More;

binmode Test::More->builder->$_, ':utf8'
    for qw(output failure_output todo_output);

my $server = AlloyTest->start;
my $ada = $server->register(name => 'Ada Owner');
my $stranger = $server->register(name => 'Sam Stranger');
my $org = $server->org($ada, name => 'Acme');
my $web = $server->project($ada, org_id => $org->{id}, key => 'WEB');
my $app = $server->project($ada, org_id => $org->{id}, key => 'APP');
my $ticket = $server->ticket($ada, 'WEB', title => 'Wireframes');
my $TICKETS = '/projects/WEB/tickets';

# Bytes as the body of a POST that makes a ticket.
sub post_bytes {
    my ($bytes, %option) = @_;
    return $server->request($option{method} // 'POST', $option{path} // $TICKETS,
        token => $ada, body => $bytes, type => $option{type}
        // 'application/json');
}

# Nothing of this is accepted: name => bytes, all with the same answer.
sub refuses {
    my ($status, $code, %bodies) = @_;
    unchanged {
        for my $name (sort keys %bodies) {
            is_problem(post_bytes($bodies{$name}), $status, $code,
                name => $name);
        }
    } $server;
    return;
}

# ---- bytes ------------------------------------------------------------------

subtest 'what is no JSON' => sub {
    refuses(400, 'malformed_json',
        'white space only'          => " \n\t ",
        'a byte order mark'         => qq(\xef\xbb\xbf{"title":"T"}),
        'text behind the end'       => '{"title":"T"} and more',
        'two objects'               => '{"title":"T"}{"title":"U"}',
        'a NUL behind the end'      => qq({"title":"T"}\0),
        'cut off in an object'      => '{"title":"T"',
        'cut off in a string'       => '{"title":"T',
        'cut off in an escape'      => '{"title":"\u00',
        'a comma too many'          => '{"title":"T",}',
        'a missing colon'           => '{"title" "T"}',
        'single quotes'             => q({'title':'T'}),
        'a key without quotes'      => '{title:"T"}',
        'a comment'                 => '{"title":"T"/* so */}',
        'NaN'                       => '{"title":NaN}',
        'Infinity'                  => '{"title":-Infinity}',
        'a leading zero'            => '{"title":01}',
        'a leading plus'            => '{"title":+1}',
        'a hexadecimal number'      => '{"title":0x1}',
        'a point without digits'    => '{"title":1.}',
        'True'                      => '{"title":True}',
        'an unknown escape'         => '{"title":"\x41"}',
        'a line break in a string'  => qq({"title":"a\nb"}),
        'a control character'       => qq({"title":"a\x01b"}),
        'UTF-16'                    => Encode::encode('UTF-16LE',
            '{"title":"T"}'),
        'a form'                    => 'title=T',
    );
};

subtest 'keys that stand there twice' => sub {
    refuses(400, 'malformed_json',
        'in the same spelling'   => '{"title":"A","title":"B"}',
        'with an escape'         => '{"title":"A","t\u0069tle":"B"}',
        'with a capital escape'  => '{"\u0074itle":"A","title":"A"}',
        'null and a value'       => '{"title":null,"title":"B"}',
        'deeper'                 => '{"title":"A","x":{"y":1,"\u0079":2}}',
        'unknown ones'           => '{"title":"A","x":1,"x":1}',
    );
};

subtest 'NUL' => sub {
    refuses(400, 'malformed_json',
        'as it is'        => qq({"title":"a\0b"}),
        'as an escape'    => '{"title":"a\u0000b"}',
        'in a key'        => '{"title":"T","a\u0000b":1}',
        'behind the key'  => '{"title\u0000":"T"}',
        'between tokens'  => qq({"title":\0"T"}),
    );
};

subtest 'what is no UTF-8' => sub {
    my %bytes = (
        '0xFF'                       => "\xff",
        'a continuation alone'       => "\x80",
        'a sequence cut short'       => "\xe2\x82",
        'a slash of two bytes'       => "\xc0\xaf",
        'a slash of three bytes'     => "\xe0\x80\xaf",
        'a NUL of two bytes'         => "\xc0\x80",
        'the first half of a pair'   => "\xed\xa0\x80",
        'the second half of a pair'  => "\xed\xb0\x80",
        'a pair as two sequences'    => "\xed\xa0\xbd\xed\xb8\x80",
        'beyond U+10FFFF'            => "\xf4\x90\x80\x80",
        'a sequence of five bytes'   => "\xf8\x88\x80\x80\x80",
        'Latin 1'                    => "\xe4",
    );
    refuses(400, 'malformed_json',
        (map { $_ => qq({"title":"a$bytes{$_}b"}) } keys %bytes),
        (map { ("$_, in a key" => qq({"title":"T","a$bytes{$_}b":1})) }
            keys %bytes),
        'half a pair as an escape'      => '{"title":"\ud83d"}',
        'the other half as an escape'   => '{"title":"\ude00"}',
        'both halves in wrong order'    => '{"title":"\ude00\ud83d"}',
        'half a pair and a letter'      => '{"title":"\ud83dx"}',
    );
    my $made = $server->must(201, post_bytes('{"title":"\ud83d\ude00 \u00e4"}'));
    is($made->{title}, "\x{1f600} ä", 'a whole pair is a character');
};

subtest 'depth and size of JSON' => sub {
    my $deep = sub { '{"x":' . '[' x ($_[0] - 1) . ']' x ($_[0] - 1) . '}' };
    my $objects = sub { '{"x":' x $_[0] . '1' . '}' x $_[0] };
    unchanged {
        for my $depth (31, 32) {
            is_problem(post_bytes($_->($depth)), 422, 'validation_failed',
                errors => { '/x' => 'unknown', '/title' => 'required' },
                name => "$depth deep is read") for $deep, $objects;
        }
    } $server;
    refuses(400, 'malformed_json',
        'arrays, 33 deep'       => $deep->(33),
        'objects, 33 deep'      => $objects->(33),
        'arrays, 100,000 deep'  => $deep->(100_000),
        'objects, 100,000 deep' => $objects->(100_000),
        'never closed'          => '[' x 500_000,
        'closed only'           => ']' x 500_000,
        'too many values'       => '{"x":[' . '0,' x 100_000 . '0]}',
        'too many keys'         => '{' . join(',', map {"\"k$_\":0"}
            0 .. 60_000) . ',"x":[' . '0,' x 40_000 . '0]}',
    );
    is($server->must(201, post_bytes('{"title":"' . '[{' x 100 . '\\"["}'))
        ->{title}, '[{' x 100 . '"[', 'brackets in a string are text');
};

# ---- bodies -----------------------------------------------------------------

subtest 'a body that is no object' => sub {
    unchanged {
        is_problem(post_bytes($_), 422, 'validation_failed',
            errors => { '' => 'type' }, name => "the body $_")
            for '[]', '[{"title":"T"}]', '"T"', '1', '1.5', 'true', 'null';
        is_problem($server->request('POST', $TICKETS, token => $ada), 422,
            'validation_failed', errors => { '/title' => 'required' },
            name => 'no body');
        is_problem($server->request('POST', $TICKETS, token => $ada,
            body => '', type => 'application/json'), 422, 'validation_failed',
            errors => { '/title' => 'required' }, name => 'an empty body');
    } $server;
};

subtest 'media types' => sub {
    my $body = '{"title":"T"}';
    unchanged {
        is_problem(post_bytes($body, type => $_), 415,
            'unsupported_media_type', name => $_)
            for 'text/plain', 'application/x-www-form-urlencoded',
            'multipart/form-data; boundary=x', 'application/jsonx',
            'application/json-patch+json', 'application/merge-patch+json',
            'text/json', 'json', '*/*', 'application/xml',
            'application/json, text/plain';
        is_problem($server->request('POST', $TICKETS, token => $ada,
            body => $body, type => ''), 415, 'unsupported_media_type',
            name => 'an empty type');
        is_problem(post_bytes($body, path => "/tickets/$ticket->{id}",
            method => 'PATCH', type => 'text/plain'), 415,
            'unsupported_media_type');
    } $server;
    status_is(post_bytes($body, type => $_), 201, $_)
        for 'application/json', 'APPLICATION/JSON',
        'application/json; charset=utf-8', 'application/json;charset=UTF-8';
    status_is(post_bytes($body, path => "/tickets/$ticket->{id}",
        method => 'PATCH', type => $_), 200, "PATCH as $_")
        for 'application/json', 'application/merge-patch+json';
};

subtest 'bodies and their limits' => sub {
    my $million = 1024 * 1024;
    my $padded = sub {
        my ($size) = @_;
        my $body = '{"title":"T","x":1}';
        return $body . ' ' x ($size - length $body);
    };
    my $chunked = sub {
        my ($bytes) = @_;
        my @parts = unpack '(a8000)*', $bytes;
        return sub { shift @parts };
    };
    my %errors = (errors => { '/x' => 'unknown' });
    unchanged {
        is_problem(post_bytes($padded->($million)), 422, 'validation_failed',
            %errors, name => 'a million bytes are read');
        is_problem(post_bytes($chunked->($padded->($million))), 422,
            'validation_failed', %errors, name => 'the same in chunks');
        is_problem(post_bytes($padded->($million + 1)), 413,
            'payload_too_large', name => 'one more is too many');
        is_problem(post_bytes($chunked->($padded->($million + 1))), 413,
            'payload_too_large', name => 'the same in chunks');
        is_problem(post_bytes($padded->(20_000), path => '/auth/login'), 413,
            'payload_too_large', name => 'what is public takes less');
        is_problem($server->request('POST', $TICKETS, type =>
            'application/json', body => $padded->($million + 1)), 401,
            'unauthorized', name => 'without a token none is read');
    } $server;
    status_is($server->get("/tickets/$ticket->{id}", token => $ada), 200,
        'and the connection, or the next one, works');
};

subtest 'a body where none is asked for' => sub {
    unchanged {
        for my $body ('{"title":"T"}', 'GET /api/v1/orgs HTTP/1.1', '{') {
            my $answer = $server->request('GET', "/tickets/$ticket->{id}",
                token => $ada, body => $body, type => 'application/json');
            status_is($answer, 200, 'a body of a GET means nothing');
            is($answer->json->{id}, $ticket->{id}, 'and is no request');
        }
        is_problem($server->request('DELETE', "/tickets/nope", token => $ada,
            body => '{', type => 'application/json'), 404, 'not_found');
    } $server;
};

# ---- values -----------------------------------------------------------------

sub refuses_fields {
    my ($path, $base, @cases) = @_;
    unchanged {
        for (@cases) {
            my ($text, %errors) = @$_;
            my $body = $base . ($base && $text ? ',' : '') . encode_utf8($text);
            is_problem(post_bytes("{$body}", path => $path), 422,
                'validation_failed', errors => \%errors, name => length $text
                > 60 ? substr($text, 0, 60) . '...' : $text);
        }
    } $server;
    return;
}

subtest 'numbers' => sub {
    my $base = '"name":"N","key":"NUM","org_id":"' . $org->{id} . '"';
    my $at = sub {
        my ($value, $code) = @_;
        return [ qq("budget_cents":$value), '/budget_cents' => $code ];
    };
    refuses_fields('/projects', $base, map { $at->(@$_) }
        [ '9223372036854775807', 'too_large' ],
        [ '9000000000000001', 'too_large' ],
        [ '-1', 'too_small' ],
        [ '-9223372036854775808', 'too_small' ],
        [ '1.0', 'type' ], [ '1e3', 'type' ], [ '1E0', 'type' ],
        [ '0.5', 'type' ], [ '-0.0', 'type' ],
        [ '"1"', 'type' ], [ 'true', 'type' ], [ '[1]', 'type' ],
        [ '{}', 'type' ], [ '""', 'type' ]);
    unchanged {
        is_problem(post_bytes(qq({$base,"budget_cents":$_}),
            path => '/projects'), 400, 'malformed_json', name => "beyond: $_")
            for '9223372036854775808', '-9223372036854775809', '1e400',
            '1' x 400;
    } $server;
    my $key = 'NUMA';
    for my $value ('0', '-0', '9000000000000000') {
        my $body = $base =~ s/NUM/$key++/er;
        is($server->must(201, post_bytes(qq({$body,"budget_cents":$value}),
            path => '/projects'))->{budget_cents}, $value + 0,
            "$value is a number");
    }
    my %limits = (0 => 'too_small', 201 => 'too_large', -1 => 'too_small',
        '1.0' => 'type', '1e1' => 'type', '' => 'type', ' 1' => 'type',
        '0x10' => 'type', '99999999999999999999' => 'type', 'ten' => 'type',
        '1;2' => 'type');
    is_problem($server->get($TICKETS, token => $ada, query => { limit => $_ }),
        422, 'validation_failed', errors => { limit => $limits{$_} },
        name => "limit=$_") for sort keys %limits;
};

subtest 'types, null and unknown keys' => sub {
    refuses_fields($TICKETS, '"title":"T"',
        [ '"type":1', '/type' => 'type' ],
        [ '"type":"task2"', '/type' => 'not_allowed' ],
        [ '"type":""', '/type' => 'not_allowed' ],
        [ '"type":null', '/type' => 'null' ],
        [ '"priority":["High"]', '/priority' => 'type' ],
        [ '"description":{"a":1}', '/description' => 'type' ],
        [ '"assignee_id":1', '/assignee_id' => 'type' ],
        [ '"assignee_id":""', '/assignee_id' => 'too_short' ],
        [ '"Title":"T"', '/Title' => 'unknown' ],
        [ '"id":"01890a5d-ac96-774b-bcce-b302099a8057"', '/id' => 'unknown' ],
        [ '"project":"APP"', '/project' => 'unknown' ],
        [ '"org_id":"x"', '/org_id' => 'unknown' ],
        [ '"ticket_number":7', '/ticket_number' => 'unknown' ],
        [ '"":1', '/' => 'unknown' ],
        [ '"a/b~c":1', '/a~1b~0c' => 'unknown' ],
        [ '"__proto__":{}', '/__proto__' => 'unknown' ],
        [ '"schlüssel":1', '/schlüssel' => 'unknown' ]);
};

subtest 'all faults at once' => sub {
    unchanged {
        is_problem(post_bytes('{"title":"","type":"Chore","priority":5,'
            . '"description":[],"colour":"red","size":1}'), 422,
            'validation_failed', detail => qr/6 values/, errors => {
                '/title' => 'too_short', '/type' => 'not_allowed',
                '/priority' => 'type', '/description' => 'type',
                '/colour' => 'unknown', '/size' => 'unknown' });
        is_problem($server->get($TICKETS, token => $ada, query => {
            limit => 0, type => 'Chore', created_after => 'yesterday',
            colour => 'red', cursor => '' }), 422, 'validation_failed',
            errors => { limit => 'too_small', type => 'not_allowed',
                created_after => 'format', colour => 'unknown',
                cursor => 'too_short' });
        my $many = post_bytes('{' . join(',', map {"\"k$_\":1"} 1 .. 500) . '}');
        is_problem($many, 422, 'validation_failed', detail => qr/At least 50/);
        is(scalar @{ $many->json->{errors} }, 50, 'fifty are listed');
        my $answer = post_bytes('{"title":"T","type":"Chore"}');
        is_deeply($answer->json->{errors}[0]{allowed},
            [qw(Task Bug Story Epic)], 'and what would be accepted');
    } $server;
};

subtest 'texts of one line' => sub {
    my %bad = (tab => "\t", 'line feed' => "\n", return => "\r",
        bell => "\x07", escape => "\x1b", delete => "\x7f",
        'next line' => "\x85", 'zero width space' => "\x{200b}",
        'right to left mark' => "\x{200f}", 'line separator' => "\x{2028}",
        'right to left override' => "\x{202e}", 'isolate' => "\x{2066}",
        'byte order mark' => "\x{feff}");
    refuses_fields($TICKETS, '', map { [ '"title":' . JSON::PP->new
        ->allow_nonref->ascii->encode("a$bad{$_}b"), '/title' => 'characters' ]
        } sort keys %bad);
    refuses_fields($TICKETS, '', [ '', '/title' => 'required' ],
        [ '"title":null', '/title' => 'null' ],
        [ '"title":""', '/title' => 'too_short' ],
        [ '"title":"   "', '/title' => 'blank' ],
        [ qq("title":"\x{3000}\x{a0}\x{200d}"), '/title' => 'blank' ],
        [ '"title":"' . 'x' x 501 . '"', '/title' => 'too_long' ],
        [ '"title":"' . "\x{1f600}" x 501 . '"', '/title' => 'too_long' ]);
    for my $title ('x' x 500, "\x{1f600}" x 500, 'é' x 500, "e\x{301}",
        "\x{10ffff}", "עברית", "👩‍🚀 ship it") {
        is($server->must(201, $server->post($TICKETS, { title => $title },
            token => $ada))->{title}, $title, length($title) . ' characters');
    }
};

subtest 'long texts' => sub {
    my %fits = ('65,536 letters' => 'x' x 65536,
        '32,768 of two bytes' => 'é' x 32768,
        '16,384 of four bytes' => "\x{1f600}" x 16384,
        'lines and tabs' => "a\r\n\tb\n", 'none' => '',
        'a right to left mark' => "a\x{200f}b");
    my %not = ('one letter more' => [ 'x' x 65537, 'too_long' ],
        'one more of two bytes' => [ 'é' x 32769, 'format' ],
        'one byte more' => [ 'é' x 32768 . 'x', 'format' ],
        'a character more' => [ 'é' x 65537, 'too_long' ],
        'a bell' => [ "a\x07b", 'characters' ],
        'an escape sequence' => [ "\x1b[2J", 'characters' ],
        'a control of Latin 1' => [ "\x9b", 'characters' ]);
    for my $name (sort keys %fits) {
        my $made = $server->must(201, $server->post($TICKETS, { title => 'T',
            description => $fits{$name} }, token => $ada));
        ok($made->{description} eq $fits{$name}, $name);
        ok($server->get("/tickets/$made->{id}", token => $ada)
            ->json->{description} eq $fits{$name}, "$name, read again");
    }
    unchanged {
        for my $name (sort keys %not) {
            my ($text, $code) = @{ $not{$name} };
            is_problem($server->post($TICKETS, { title => 'T',
                description => $text }, token => $ada), 422,
                'validation_failed', errors => { '/description' => $code },
                name => $name);
            is_problem($server->post("/tickets/$ticket->{id}/comments",
                { body => $text }, token => $ada), 422, 'validation_failed',
                errors => { '/body' => $code }, name => "$name in a comment");
        }
    } $server;
};

# ---- queries and paths ------------------------------------------------------

subtest 'queries' => sub {
    unchanged {
        is_problem($server->get("$TICKETS?$_", token => $ada), 400,
            'bad_request', name => "?$_") for 'status=%zz', 'status=%4',
            'status=%', 'status=%00', 'status=a%00b', 'status=%ff',
            'status=%c0%af', 'status=%ed%a0%80', '%ff=1', 'sta%00tus=Todo',
            join('&', map {"status=$_"} 1 .. 201);
        is_problem($server->get("$TICKETS?$_->[0]", token => $ada), 422,
            'validation_failed', errors => { $_->[1] => $_->[2] },
            name => "?$_->[0]") for
            [ 'limit=1&limit=1', 'limit', 'repeated' ],
            [ 'limit=1&%6cimit=2', 'limit', 'repeated' ],
            [ 'created_after=2026-01-01T00:00:00Z&created_after='
                . '2026-01-01T00:00:00Z', 'created_after', 'repeated' ],
            [ 'Limit=1', 'Limit', 'unknown' ],
            [ 'limit[]=1', 'limit[]', 'unknown' ],
            [ '=1', '', 'unknown' ],
            [ 'limit', 'limit', 'type' ],
            [ 'title=T', 'title', 'unknown' ],
            [ 'project=APP', 'project', 'unknown' ],
            [ join('&', map {"status=$_"} 1 .. 101), 'status', 'too_many' ];
        is_problem($server->post("$TICKETS?title=T", { title => 'T' },
            token => $ada), 422, 'validation_failed',
            errors => { title => 'unknown' },
            name => 'a key of the body in the query');
    } $server;
    status_is($server->get("$TICKETS?status=Todo&status=Done&&&", token => $ada),
        200, 'a filter may be repeated, and nothing is nothing');
    is(@{ $server->must(200, $server->get("$TICKETS?st%61tus=%42acklog&limit=2",
        token => $ada))->{items} }, 2, 'encoded letters are letters');
};

subtest 'paths' => sub {
    unchanged {
        is_problem($server->get("/tickets/$_", token => $ada), 404, 'not_found',
            name => "/tickets/$_") for 'WEB-0', 'WEB-01', 'WEB-99999999999999999999',
            'WEB--1', 'WEB-1%20', '%20WEB-1', 'WEB-1%27', 'WEB-1%3B--',
            '%E2%80%8FWEB-1', '%F0%9F%A6%84', 'null', '0', '*', '%25',
            'x' x 501, 'a' x 3000, '..%5c', '%5Bobject%5D',
            "$ticket->{id}0", substr($ticket->{id}, 0, 35),
            "{$ticket->{id}}";
        is_problem($server->get($_, token => $ada), 404, 'not_found')
            for '/tickets//', '/tickets/WEB-1/nothing', '/Tickets/WEB-1',
            '/projects/WEB%2Ftickets', '/tickets/a%2Fb';
    } $server;
    is($server->must(200, $server->get("/tickets/$_", token => $ada))->{id},
        $ticket->{id}, $_) for 'WEB-1', 'web-1', '%57EB-1', 'WEB%2D1',
        uc $ticket->{id};
};

subtest 'cursors of something else' => sub {
    my $cursor = sub {
        my ($path, $by, %query) = @_;
        return $server->must(200, $server->get($path, token => $by,
            query => { limit => 1, %query }))->{next_cursor}
            // die "$path has one page only\n";
    };
    $server->ticket($ada, 'APP') for 1 .. 2;
    my $theirs = $server->project($stranger, key => 'WEB');
    $server->ticket($stranger, $theirs->{id}) for 1 .. 2;
    my $own = $cursor->($TICKETS, $ada);
    my %foreign = (
        'of another project'      => $cursor->('/projects/APP/tickets', $ada),
        'of another filter'       => $cursor->($TICKETS, $ada,
            status => 'Backlog'),
        'of another list'         => $cursor->('/projects', $ada),
        'of another organization' => $cursor->("/projects/$theirs->{id}/tickets",
            $stranger),
        'garbage'                 => 'garbage',
        'of the right length'     => 'A' x length $own,
        'with a letter more'      => "${own}A",
        'cut'                     => substr($own, 0, -1),
        'with another beginning'  => 'B' . substr($own, 1),
        'SQL'                     => q{' OR 1=1 --},
        'an instant'              => '2026-01-01T00:00:00Z',
        'not of the alphabet'     => '+' x length $own,
    );
    unchanged {
        is_problem($server->get($TICKETS, token => $ada,
            query => { cursor => $foreign{$_} }), 422, 'validation_failed',
            errors => { cursor => 'foreign_cursor' }, name => "a cursor $_")
            for sort keys %foreign;
        is_problem($server->get($TICKETS, token => $ada,
            query => { cursor => 'A' x 1000 }), 422, 'validation_failed',
            errors => { cursor => 'too_long' });
    } $server;
    is_problem($server->get("/projects/$theirs->{id}/tickets", token => $ada,
        query => { cursor => $foreign{'of another organization'} }), 404,
        'not_found', name => 'a cursor is no right');
};

# ---- texts that look like something else ------------------------------------

my $walk = AlloyTest::Walk->new($server);
my $place = { org => $org->{id}, project => $web->{id}, by => $ada,
    host => $stranger, doomed => $org };
my %ODD = (
    'SQL'               => q{'; DROP TABLE alloy.ticket; --},
    'SQL in quotes'     => q{" OR "1"="1},
    'an SQL parameter'  => '$1 :title %s %n',
    'a backslash'       => 'back\\slash\\',
    'markup'            => '<script>alert(1)</script>&amp;',
    'JSON'              => '{"a":[1,null]}',
    'an array of SQL'   => '{NULL,"a"}',
    'emoji'             => "🦄 👩‍🚀",
    'Hebrew'            => 'שלום עולם',
);
my $MARKS = "a\x{200f}b\x{202e}c";

# What the value of a key is taken for: 'text', 'lines' (more than one), or
# something that is none of the above.
sub taken_for {
    my ($operation, $name, $schema) = @_;
    my $format = $schema->{format} // '';
    return 'lines' if $format eq 'markdown';
    return 'secret' if $format eq 'password' || $operation->{id} eq 'auth_login';
    return 'text' if $format =~ /^(?:line|name|person-name)$/;
    return 'other' if $format || $schema->{enum} || $schema->{pattern}
        || $name =~ /(?:_id|_by|^status|^confirm|_to)$/;
    return 'text';
}

# Sends one value for one key of an operation's body.
sub send_value {
    my ($operation, $name, $value) = @_;
    my $request = $walk->request($operation, $place, $ada);
    $request->{json} = { %{ $request->{json} || {} }, $name => $value };
    return $walk->send($request, $operation->{role} eq 'public' ? undef : $ada);
}

sub is_taken {
    my ($operation, $name, $as, $value, $what) = @_;
    # There may be somebody of this name by now.
    $value .= ' of nobody' if $as eq 'other';
    $value .= " by $operation->{id}" if $as eq 'text' && $name eq 'name';
    my $answer = send_value($operation, $name, $value);
    my $title = "$operation->{id}: $what as $name";
    if ($as eq 'other') {
        return is_problem($answer, 422, 'validation_failed',
            errors => ["/$name"], name => $title);
    }
    return ok($answer->status =~ /^(?:20[014]|4\d\d)$/, $title)
        if $as eq 'secret';
    ok($answer->status =~ /^20[01]$/, $title) or return diag($answer->text);
    is($answer->json->{$name}, $value, "$title, as it was sent")
        if exists $answer->json->{$name};
    return;
}

my @bodies = grep { $_->{body} && $_->{id} !~ /^(?:auth_password|onboard)$/ }
    $walk->operations;

for my $operation (@bodies) {
    my $keys = $operation->{body}{properties};
    subtest "every text of $operation->{id}" => sub {
        for my $name (sort keys %$keys) {
            my $type = $keys->{$name}{type};
            next unless grep { $_ eq 'string' } ref $type ? @$type : $type;
            my $as = taken_for($operation, $name, $keys->{$name});
            is_taken($operation, $name, $as, $ODD{$_}, $_) for sort keys %ODD;
            is_taken($operation, $name, $as eq 'text' ? 'other' : $as, $MARKS,
                'marks that hide');
        }
        ok(1, 'no more texts to send');
    };
}

# The same of nothing: by now there are things with these names.
my %NOBODY = map { $_ => "$ODD{$_} of nobody" } keys %ODD;

sub escape {
    return encode_utf8($_[0]) =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;
}

sub odd_path {
    my ($operation, $request) = @_;
    for my $name (@{ $operation->{names} }) {
        for my $what (grep { $NOBODY{$_} !~ m{/} } sort keys %NOBODY) {
            my %odd = (%$request, path => { %{ $request->{path} },
                $name => escape($NOBODY{$what}) });
            is_problem($walk->send(\%odd, $ada), 404, 'not_found',
                name => "$operation->{id}: $what as {$name}");
        }
    }
    return;
}

# Parameters without which there is no answer: what has a form of its own as it
# is asked for, texts so that nothing is found.
sub needed_by {
    my ($operation, $request) = @_;
    return map { $_ => $operation->{query}{$_}{format} ? $request->{query}{$_}
        : 'nothing' } @{ $operation->{asks} || [] };
}

sub odd_query {
    my ($operation, $request) = @_;
    my $path = $request->{pattern} =~ s/\{(\w+)\}/$request->{path}{$1}/gr;
    for my $name (sort keys %{ $operation->{query} }) {
        for my $what (sort keys %NOBODY) {
            my $answer = $server->get($path, token => $ada,
                query => { needed_by($operation, $request),
                    $name => $NOBODY{$what} });
            my $title = "$operation->{id}: $what as $name";
            $answer->status == 200
                ? is_deeply($answer->json->{items}, [], "$title finds nothing")
                : is_problem($answer, 422, 'validation_failed',
                    errors => [$name], name => $title);
        }
    }
    return;
}

subtest 'every path and query' => sub {
    my @cases = map { [ $_, $walk->request($_, $place, $ada) ] }
        grep { $_->{role} ne 'public' } $walk->operations;
    unchanged {
        odd_path(@$_) for @cases;
        odd_query(@$_) for grep { $_->[0]{method} eq 'GET' } @cases;
    } $server;
};

done_testing;
