package Bench::Requests;

# What is asked over HTTP: by whom, in which words. The ids are those that
# t/bench/load.sql makes.

use strict;
use warnings;

use Compress::Zlib qw(crc32);
use Digest::SHA qw(sha256_hex);
use Exporter qw(import);
use JSON::PP ();

our @EXPORT_OK = qw(id token make_keys write_requests);

my @ORGS = 101 .. 110;
# A person of each organization by role, as load.sql numbers them.
my %PERSON = (Owner => 0, Admin => 1, Member => 2);
my @BASE62 = (0 .. 9, 'A' .. 'Z', 'a' .. 'z');

sub id {
    my ($kind, $org, $number) = @_;
    my $digits = sprintf '%015d', 100_000_000_000_000 + $number;
    return sprintf '0190%s-0000-7%d-8%s-%s', $kind, $org,
        substr($digits, 0, 3), substr $digits, 3;
}

# An API key as the module makes them, but always the same one.
sub token {
    my ($org, $role) = @_;
    my $token = 'alloy_live_' . sprintf 'BENCH%026d%d', $org, $PERSON{$role};
    my ($sum, $digits) = (crc32($token), '');
    for (1 .. 6) {
        $digits = $BASE62[$sum % 62] . $digits;
        $sum = int $sum / 62;
    }
    return $token . $digits;
}

sub make_keys {
    my ($dbh) = @_;
    my $insert = $dbh->prepare('INSERT INTO identity.api_key '
        . '(id, user_id, hash, hint, name) '
        . q(VALUES (?, ?, decode(?, 'hex'), 'alloy_live_BENCH', 'bench')));
    for my $org (@ORGS) {
        for my $role (sort keys %PERSON) {
            my $person = id('b000', $org, $PERSON{$role});
            $insert->execute($person, $person, sha256_hex(token($org, $role)));
        }
    }
    return;
}

my %make = (
    one => sub {
        my ($size, $role) = @_;
        my $stride = $size / 10_000;
        return map {
            my $org = $_;
            map {
                my $ticket
                    = id('e000', $org, $_ * $stride + $_ % $stride);
                [ GET => "/tickets/$ticket", token($org, $role) ];
            } 0 .. 999;
        } @ORGS;
    },
    page => sub {
        my ($size, $role) = @_;
        return map { [ GET => "$_->[0]?limit=50", $_->[1] ] } _lists($role);
    },
    search => sub {
        my ($size, $role) = @_;
        return map {
            my $org = $_;
            map { [ GET => "/tickets?limit=50&q=invoices+$_",
                token($org, $role) ] } 100 .. 999;
        } @ORGS;
    },
    create => sub {
        my ($size, $role) = @_;
        return map { [ POST => @$_, _body() ] } _lists($role);
    },
    hot => sub {
        my ($size, $role) = @_;
        return [ POST => @{ (_lists($role))[0] }, _body() ];
    },
);

sub _lists {
    my ($role) = @_;
    return map {
        my $org = $_;
        map { [ '/projects/' . id('d000', $org, $_) . '/tickets',
            token($org, $role) ] } 0 .. 9;
    } @ORGS;
}

# The same words as in insert.pgbench.
sub _body {
    return JSON::PP->new->canonical->encode({
        title => 'Design the wireframes of the new start page',
        description => 'Three proposals, one of them for narrow screens. The '
            . 'colours are those of the brochure; the texts come from sales '
            . 'and are to be taken as they are. Show them to the customer '
            . 'before anything is built.',
        type => 'Task', priority => 'High' });
}

# A file for requests.lua; answers the requests: [method, path, token, body].
sub write_requests {
    my ($file, $kind, $size, $role) = @_;
    my @requests = $make{$kind}->($size, $role);
    open my $out, '>', $file or die "$file: $!";
    print {$out} join(' ', $_->[0], "/api/v1$_->[1]", @$_[ 2 .. $#$_ ]), "\n"
        for @requests;
    close $out or die "$file: $!";
    return @requests;
}

1;
