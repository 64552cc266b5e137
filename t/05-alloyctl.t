# alloyctl, as "make start" and its like call it: a server of its own in a folder
# of its own, the calls it prints, and what it says when something is wrong.
use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP qw(decode_json);
use Test::More;

my $folder = tempdir('alloy-ctl-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $folder;
my $port = free_port();

sub free_port {
    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
        or die "no port: $!";
    return $socket->sockport;
}

# What it says, and its exit status.
sub alloyctl {
    my ($command, %option) = @_;
    my $state = $option{state} // "$folder/state";
    local $ENV{STATE} = $state;
    local $ENV{PORT}  = $option{port} // $port;
    my $input = $option{input} // '';
    open my $in, '>', "$folder/input" or die "$folder/input: $!";
    print {$in} $input;
    close $in;
    my $said = `conf/alloyctl $command < $folder/input 2>&1`;
    return ($said, $? >> 8);
}

my ($said, $status) = alloyctl('start');
is($status, 0, 'it starts') or BAIL_OUT($said);
like($said, qr{^Alloy runs at http://127\.0\.0\.1:$port/api/v1$}m,
    'it says where');

subtest 'the calls it prints work as printed, one after the other' => sub {
    my ($calls) = $said =~ /^(BASE_URL=.*)/ms;
    my @calls = split /\n\n/, $calls;
    is(scalar @calls, 5, 'five of them');
    $_ .= "\necho; echo '--'" for @calls;
    open my $out, '>', "$folder/calls" or die "$folder/calls: $!";
    print {$out} join("\n", @calls), "\n";
    close $out;
    my @answers = map { /\{/ ? decode_json($_) : () }
        split /^--$/m, `bash $folder/calls`;
    is(scalar @answers, 4, 'four answers beside the token');
    is($answers[0]{display_name}, 'You', 'who one is');
    is($answers[1]{key}, 'WEB', 'a project');
    is($answers[2]{key}, 'WEB-1', 'a ticket');
    is($answers[3]{items}[0]{title}, 'Design homepage wireframes', 'a list');
};

subtest 'what it says when something is in the way' => sub {
    ($said, $status) = alloyctl('start');
    isnt($status, 0, 'started twice');
    like($said, qr/already runs from .*make stop/, 'and what to do');
    ($said, $status) = alloyctl('start', state => "$folder/other");
    isnt($status, 0, 'a taken port');
    like($said, qr/port $port .* is taken .*PORT=/, 'and what to do');
    ($said, $status) = alloyctl('start', state => "$folder/other",
        port => 'http');
    isnt($status, 0, 'no port at all');
    ($said, $status) = alloyctl('status');
    is($status, 0, 'none of it disturbed the one that runs');
    like($said, qr/^ready +yes$/m, 'which is ready');
    like($said, qr/^migrations +core: (\d+) of \1 applied$/m,
        'with every migration');
    ($said, $status) = alloyctl('migrate');
    is($status, 0, 'migrating again changes nothing');
};

subtest 'the first user is made only once' => sub {
    my $input = "root\@example.com\nRoot\nAcme\ncorrect horse battery\n";
    ($said, $status) = alloyctl('create-admin', input => $input);
    isnt($status, 0, 'somebody has registered before');
    like($said, qr/refused/, 'so it is refused');
};

($said, $status) = alloyctl('stop');
is($status, 0, 'it stops');
ok(!IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port"), 'nobody listens');

subtest 'an empty server gets its administrator' => sub {
    ($said, $status) = alloyctl('start', state => "$folder/new");
    is($status, 0, 'a server') or diag $said;
    my $input = "root\@example.com\nRoot\nAcme\ncorrect horse battery\n";
    ($said, $status) = alloyctl('create-admin', state => "$folder/new",
        input => $input);
    is($status, 0, 'its first user') or diag $said;
    like($said, qr/root\@example\.com .*Acme/, 'who owns an organization');
    my $answer = `curl -s http://127.0.0.1:$port/api/v1/auth/login \\
        -H 'Content-Type: application/json' \\
        -d '{"email":"root\@example.com","password":"correct horse battery"}'`;
    is(decode_json($answer)->{token_type}, 'Bearer', 'and signs in');
    (undef, $status) = alloyctl('stop', state => "$folder/new");
    is($status, 0, 'gone');
};

done_testing;

END { local $?; alloyctl('stop', state => $_) for "$folder/state", "$folder/new" }
