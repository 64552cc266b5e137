# Everything the tests before this one were answered is what /openapi.json
# declares, and no operation went untested.

use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Description;
use JSON::PP;
use Test::More;

plan skip_all => 'looks at a whole run: make test'
    unless $ENV{ALLOY_TEST_RUN};

my $server = AlloyTest->start;
my $answer = $server->get('root:/openapi.json');
status_is($answer, 200);
my $description = AlloyTest::Description->new($answer->json);

my (%tested, %fault);
my $answers = 0;
for my $file (glob "$ENV{ALLOY_TEST_RUN}/answers-*.jsonl") {
    open my $in, '<', $file or die "$file: $!";
    while (my $line = <$in>) {
        look_at(JSON::PP->new->utf8->decode($line));
    }
}

sub look_at {
    my ($seen) = @_;
    my $operation = $description->operation($seen->{method}, $seen->{path})
        or return;
    $answers++;
    my $name = "$operation->{method} $operation->{path}";
    $tested{$name} = 1 if $seen->{status} < 400;
    my $data = eval { JSON::PP->new->allow_nonref->decode($seen->{body} // '') };
    for my $what ($description->faults($operation, $seen, $data)) {
        $fault{"$name, $seen->{status}: $what"} //= $seen->{body};
    }
    return;
}

ok($answers, 'there are answers to look at');
ok(!%fault, "all $answers answers are as declared");
diag("$_\n    $fault{$_}") for sort keys %fault;

SKIP: {
    skip 'only a run of all files can tell what is untested', 1
        unless $ENV{ALLOY_TEST_WHOLE};
    my @untested = grep { !$tested{$_} }
        map {"$_->{method} $_->{path}"} $description->operations;
    ok(!@untested, 'every operation succeeded at least once');
    diag("never succeeded: $_") for @untested;
}

done_testing;
