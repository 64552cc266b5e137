package AlloyTest::Run;

# prove -PAlloyTest::Run: one PostgreSQL cluster for all test files of a run.
# Each file still has a database and a httpd of its own.

use strict;
use warnings;

use AlloyTest::Cluster;

my $cluster;

sub load {
    my ($class, $prove) = @_;
    $cluster = AlloyTest::Cluster->new;
    $ENV{ALLOY_TEST_RUN} = $cluster->dir;
    # Whether this run can say what no file has tested.
    my @files = @{ $prove->{app_prove}->argv };
    $ENV{ALLOY_TEST_WHOLE} = "@files" =~ m{^t/?$} ? 1 : '';
    $SIG{INT} = $SIG{TERM} = sub { exit 130 };
    return 1;
}

END { $cluster->end if $cluster }

1;
