#!/usr/bin/perl
# The connection pool against a real PostgreSQL and its faults: restarts, ended
# and frozen sessions, a full server. The tests themselves are tests/db/*.c;
# they need a cluster of their own, since they stop and freeze it.
use strict;
use warnings;

use File::Temp qw(tempdir);

my $program = ($ENV{BUILD} // 'build') . '/check-database';
my $cluster = 'tests/db/cluster';

-x $program or die "There is no $program: run `make $program`.\n";
my $directory = tempdir('alloy-test-db-XXXXXX', TMPDIR => 1);
chmod 0755, $directory;
my $owner = $$;

sub remove {
    if ($$ == $owner && -d $directory) {
        local $?;
        system $cluster, $directory, 'remove';
    }
}
$SIG{$_} = sub { remove(); exit 1 } for qw(INT TERM HUP);
END { remove() }

system($cluster, $directory, 'make') == 0 or die "No cluster was made.\n";
$ENV{ALLOY_CLUSTER} = $cluster;
system $program, $directory, @ARGV;
exit($? ? 1 : 0);
