# What every operation understands: fields, dry runs, entity tags, If-Match with
# merge and three sides, Idempotency-Key, totals.
use strict;
use warnings;

use Test::More;

use AlloyTest;
use AlloyTest::Together;

my $server = AlloyTest->start;
my $ann    = $server->register(email => 'ann@example.com', name => 'Ann');
my $token  = $ann->{token};

sub call {
    my ($method, $path, $body, %headers) = @_;
    return $server->request($method, $path, token => $token,
        headers => \%headers, defined $body ? (json => $body) : ());
}

sub count_of {
    my ($table) = @_;
    return $server->dbh('admin')->selectrow_array("SELECT count(*) FROM $table");
}

my $project = call(POST => '/projects', { name => 'Web', key => 'WEB' })->json;
my $ticket  = call(POST => '/projects/WEB/tickets', { title => 'One' })->json;

subtest 'fields keep exactly those keys' => sub {
    my $one = call(GET => '/tickets/WEB-1?fields=key,title');
    is_deeply($one->json, { key => 'WEB-1', title => 'One' }, 'of one');
    my $page = call(GET => '/projects/WEB/tickets?fields=status');
    is_deeply($page->json->{items}, [{ status => 'Backlog' }], 'of a page');
    is_problem(call(GET => '/tickets/WEB-1?fields=key,nonsense'), 422,
        'validation_failed', errors => ['fields']);
};

subtest 'lists can be counted' => sub {
    call(POST => '/projects/WEB/tickets', { title => "Number $_" }) for 2 .. 5;
    my $page = call(GET => '/projects/WEB/tickets?limit=2&include_total=true');
    is($page->json->{total}, 5, 'all of them');
    ok(!exists $page->json->{total_is}, 'and no more');
    is(scalar @{ $page->json->{items} }, 2, 'on a page of two');
    my $cursor = $page->json->{next_cursor};
    my $next = call(GET =>
        "/projects/WEB/tickets?limit=2&include_total=true&cursor=$cursor");
    is($next->json->{total}, 5, 'the same on the next page');
    is($next->json->{items}[0]{title}, 'Number 3', 'which goes on');
};

subtest 'a dry run is the real thing, undone' => sub {
    my $changes = count_of('alloy.change');
    my $made = call(POST => '/projects/WEB/tickets?dry_run=true',
        { title => 'Never' });
    is($made->status, 201, 'its status');
    is($made->json->{title}, 'Never', 'its answer');
    ok($made->json->{dry_run}, 'which says so');
    is($made->header('Dry-Run'), 'true', 'as the header does');
    ok(!$made->header('Location'), 'nowhere to be found');
    ok(!$made->header('Alloy-Change-Id'), 'no change');
    my $moved = call(PATCH => '/tickets/WEB-1?dry_run=true',
        { status => 'Done' });
    is($moved->json->{status}, 'Done', 'a move');
    my $gone = call(DELETE => '/tickets/WEB-1?dry_run=true');
    is($gone->status, 200, 'a DELETE answers');
    is($gone->json->{title}, 'One', 'what it would remove');
    ok($gone->json->{dry_run}, 'and says so');
    is_problem(call(PATCH => '/tickets/WEB-1?dry_run=true',
        { status => 'Nowhere' }), 422, 'validation_failed',
        errors => ['/status']);
    is_problem(call(POST => '/auth/api-keys?dry_run=true', { name => 'k' }),
        422, 'validation_failed', errors => ['dry_run']);
    is(count_of('alloy.change'), $changes, 'nothing was written');
    is(call(GET => '/tickets/WEB-1')->json->{status}, 'Backlog',
        'nothing has moved');
    is(call(POST => '/projects/WEB/tickets', { title => 'Six' })
            ->json->{ticket_number}, 6, 'no number was lost');
};

subtest 'entity tags' => sub {
    my $one = call(GET => '/tickets/WEB-1');
    my $tag = $one->header('ETag');
    like($tag, qr/^"1-[0-9a-f]{16}"$/, 'version and hash');
    my $same = call(GET => '/tickets/WEB-1', undef, 'If-None-Match' => $tag);
    is($same->status, 304, 'not modified');
    is($same->body, '', 'no body');
    is($same->header('ETag'), $tag, 'the tag again');
    (my $zipped = $tag) =~ s/"$/-gzip"/;
    is(call(GET => '/tickets/WEB-1', undef,
        'If-None-Match' => qq("x", W/$zipped))->status, 304,
        'also weak, compressed, in a list');
    is(call(GET => '/tickets/WEB-1?fields=key', undef,
        'If-None-Match' => $tag)->status, 200, 'another representation');
};

subtest 'If-Match: merge what does not clash, show what does' => sub {
    my $read = call(GET => '/tickets/WEB-2')->header('ETag');
    call(PATCH => '/tickets/WEB-2', { priority => 'High' });
    my $merged = call(PATCH => '/tickets/WEB-2', { title => 'Mine' },
        'If-Match' => $read);
    is($merged->status, 200, 'other fields: merged');
    is_deeply([@{ $merged->json }{qw(title priority)}], ['Mine', 'High'],
        'both changes stand');
    my $clash = call(PATCH => '/tickets/WEB-2',
        { title => 'Yours', priority => 'Low' }, 'If-Match' => $read);
    is_problem($clash, 412, 'version_conflict');
    is_deeply($clash->json->{base},
        { title => 'Number 2', priority => 'Medium' }, 'base');
    is_deeply($clash->json->{theirs}, { title => 'Mine', priority => 'High' },
        'theirs');
    is_deeply($clash->json->{yours}, { title => 'Yours', priority => 'Low' },
        'yours');
    is(call(GET => '/tickets/WEB-2')->json->{title}, 'Mine', 'nothing changed');
    call(PATCH => '/tickets/WEB-2', { points => 2.5 });
    $clash = call(PATCH => '/tickets/WEB-2', { points => 3.5 },
        'If-Match' => $read);
    is_problem($clash, 412, 'version_conflict');
    is_deeply([@{ $clash->json }{qw(base theirs yours)}],
        [map { { points => $_ } } undef, 2.5, 3.5],
        'points are called what callers call them');
    is_problem(call(DELETE => '/tickets/WEB-2', undef, 'If-Match' => $read),
        412, 'version_conflict');
    is_problem(call(PATCH => '/tickets/WEB-2', { title => 'x' },
        'If-Match' => '"nonsense"'), 412, 'version_conflict');
    is(call(PATCH => '/tickets/WEB-2', { title => 'Any' }, 'If-Match' => '*')
            ->status, 200, 'any version will do');
    my $now = call(GET => '/projects/WEB')->header('ETag');
    is(call(PATCH => '/projects/WEB', { description => 'x' },
        'If-Match' => $now)->status, 200, 'a project likewise');
    is_problem(call(PATCH => '/projects/WEB', { description => 'y' },
        'If-Match' => $now), 412, 'version_conflict');
    is(call(DELETE => '/tickets/WEB-2', undef,
        'If-Match' => call(GET => '/tickets/WEB-2')->header('ETag'))->status,
        204, 'deleted as it was seen');
};

subtest 'a request repeated under a key happens once' => sub {
    my %key = ('Idempotency-Key' => 'k-1');
    my $before = count_of('alloy.ticket');
    my $first  = call(POST => '/projects/WEB/tickets', { title => 'Once' }, %key);
    my $second = call(POST => '/projects/WEB/tickets', { title => 'Once' }, %key);
    is($first->status, 201, 'made');
    ok(!$first->header('Idempotency-Replayed'), 'the first is no repetition');
    is($second->status, 201, 'the same status');
    is($second->body, $first->body, 'the same body');
    is($second->header($_), $first->header($_), "the same $_")
        for qw(Location Alloy-Change-Id ETag);
    is($second->header('Idempotency-Replayed'), 'true', 'and says so');
    is(count_of('alloy.ticket'), $before + 1, 'one ticket');
    is_problem(call(POST => '/projects/WEB/tickets', { title => 'Other' },
        %key), 422, 'idempotency_mismatch');
    is_problem(call(POST => '/projects/WEB/tickets', { title => 'x' },
        'Idempotency-Key' => 'a b'), 422, 'validation_failed');
    # a refusal is not kept
    my %other = ('Idempotency-Key' => 'k-2');
    is(call(POST => '/projects/WEB/tickets', { title => '' }, %other)->status,
        422, 'refused');
    is(call(POST => '/projects/WEB/tickets', { title => 'Good' }, %other)
            ->status, 201, 'the key is still free');
    # secrets are shown once
    my %secret = ('Idempotency-Key' => 'k-3');
    my $shown = call(POST => '/auth/api-keys', { name => 'robot' }, %secret);
    is($shown->status, 201, 'a key is made');
    my $again = call(POST => '/auth/api-keys', { name => 'robot' }, %secret);
    is($again->json->{id}, $shown->json->{id}, 'the same key');
    is($again->json->{key}, undef, 'without its secret');
    unlike(join('', map { $_ // '' } @{ $server->dbh('admin')
                ->selectcol_arrayref('SELECT convert_from(body, $$UTF8$$)
                                        FROM identity.idempotency') }),
        qr/alloy_live_\w{20}/, 'which is nowhere stored');
    # somebody else's keys are his own
    my $bob = $server->register(email => 'bob@example.com', name => 'Bob');
    is($server->post('/orgs', { name => 'Bobs' }, token => $bob->{token},
        headers => {%key})->status, 201, 'another caller, the same key');
};

subtest 'sixteen at once, one ticket' => sub {
    my $before = count_of('alloy.ticket');
    my @answers = together(map { sub {
        call(POST => '/projects/WEB/tickets', { title => 'Race' },
            'Idempotency-Key' => 'race');
    } } 1 .. 16);
    my %status;
    $status{ $_->status }++ for @answers;
    is(($status{201} // 0) + ($status{409} // 0), 16,
        'made, repeated, or still running') or diag explain \%status;
    is(count_of('alloy.ticket'), $before + 1, 'one ticket');
};

done_testing;
