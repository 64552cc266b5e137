# Rate limits: per token and per address, over all children and over a graceful
# restart; what is left stands in every answer.
use strict;
use warnings;

use Test::More;

use AlloyTest;

my $server = AlloyTest->start(children => 3,
    conf => "AlloyRateLimit token 7\nAlloyRateLimit address 1000\n");
my $ann = $server->register(email => 'ann@example.com', name => 'Ann');
my $bob = $server->register(email => 'bob@example.com', name => 'Bob');

# Registering in these tests asks once who it is.
subtest 'a token has so many, whichever child it meets' => sub {
    for my $left (reverse 0 .. 5) {
        my $answer = $server->get('/auth/me', token => $ann->{token},
            headers => { Connection => 'close' });
        is($answer->status, 200, 'answered');
        is($answer->header('RateLimit-Policy'), '"default";q=7;w=60',
            'the policy');
        like($answer->header('RateLimit'), qr/^"default";r=$left;t=\d+$/,
            "$left left");
    }
    my $answer = $server->get('/auth/me', token => $ann->{token});
    is_problem($answer, 429, 'rate_limited');
    like($answer->header('Retry-After'), qr/^([1-9]|10)$/,
        'one flows back every ten seconds');
    like($answer->header('RateLimit'), qr/^"default";r=0;/, 'none left');
    is($server->post('/orgs', { name => 'Refused' }, token => $ann->{token})
            ->status, 429, 'writes as well');
    is_deeply($server->rows(
        'SELECT 1 FROM alloy.organization WHERE name = ?', 'Refused'), [],
        'which did nothing');
};

subtest 'others are not concerned' => sub {
    my $answer = $server->get('/auth/me', token => $bob->{token});
    is($answer->status, 200, 'another token');
    my $public = $server->get('/healthz');
    is($public->status, 200, 'no token');
    like($public->header('RateLimit-Policy'), qr/;q=1000;/,
        'counts for the address');
};

subtest 'a graceful restart forgets nothing' => sub {
    $server->restart('graceful');
    is($server->get('/auth/me', token => $ann->{token})->status, 429,
        'still too many');
};

done_testing;
