# What /openapi.json says is complete, and it is true: everything the tests
# before this one were answered is as it declares, and no operation went
# untested. Run by itself it can only look at the first.

use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Description;
use JSON::PP;
use Test::More;

my $server = AlloyTest->start;
my $answer = $server->get('root:/openapi.json');
status_is($answer, 200);
my $document = $answer->json;
my $description = AlloyTest::Description->new($document);
my @operations = $description->operations;

# ---- complete ---------------------------------------------------------------

# Sentences, or nothing.
sub none {
    my ($name, @faults) = @_;
    ok(!@faults, $name) or diag(join "\n", @faults);
    return;
}

# Values that there are more than once.
sub repeated {
    my %count;
    $count{$_}++ for @_;
    return map {"$_ is there $count{$_} times"}
        grep { $count{$_} > 1 } sort keys %count;
}

# Every object of a document, with where it is.
sub each_object {
    my ($look, $node, $place) = @_;
    if (ref $node eq 'ARRAY') {
        return map { each_object($look, $node->[$_], "$place/$_") } 0 .. $#$node;
    }
    return unless ref $node eq 'HASH';
    return ($look->($node, $place),
        map { each_object($look, $node->{$_}, "$place/$_") } sort keys %$node);
}

subtest 'the document' => sub {
    like($document->{openapi}, qr/^3\.1\.\d+$/, 'OpenAPI 3.1');
    ok(length $document->{info}{$_}, "it has a $_") for qw(title version);
    ok(@{ $document->{servers} || [] }, 'it says where the server is');
    is($document->{components}{securitySchemes}{bearer}{scheme}
        // [ values %{ $document->{components}{securitySchemes} } ]->[0]{scheme},
        'bearer', 'and how one signs in');
    ok(@operations > 40, @operations . ' operations');
    none('operation ids are unique',
        repeated(map { $_->{operationId} } @operations));
    none('tools are unique',
        repeated(grep {defined} map { $_->{'x-tool'} } @operations));
    none('references lead somewhere', each_object(sub {
        my ($node, $place) = @_;
        return unless defined $node->{'$ref'} && !ref $node->{'$ref'};
        return eval { $description->schema->resolve($node->{'$ref'}); 1 } ? ()
            : "$place: $@";
    }, $document, ''));
    none('what is required is declared', each_object(sub {
        my ($node, $place) = @_;
        return unless ref $node->{required} eq 'ARRAY'
            && ref $node->{properties} eq 'HASH';
        return map {"$place requires $_"}
            grep { !$node->{properties}{$_} } @{ $node->{required} };
    }, $document, ''));
};

sub path_faults {
    my ($operation) = @_;
    my @named = sort $operation->{path} =~ /\{([^}]*)\}/g;
    my @declared = sort map { $_->{name} }
        grep { $_->{in} eq 'path' } @{ $operation->{parameters} || [] };
    return ("@named" eq "@declared" ? () : "declares {@declared}",
        map {"{$_->{name}} is not required"}
        grep { $_->{in} eq 'path' && !$_->{required} }
        @{ $operation->{parameters} || [] });
}

sub parameter_faults {
    my ($operation) = @_;
    return map {
        my $parameter = $_;
        map {"$parameter->{name} has no $_"}
            grep { !$parameter->{$_} } qw(in schema description)
    } @{ $operation->{parameters} || [] };
}

# The body of an answer: everything but "done" and documents of other types.
sub response_faults {
    my ($operation) = @_;
    my %responses = %{ $operation->{responses} || {} };
    my @good = grep {/^2/} keys %responses;
    my @faults = @good ? () : 'declares no success';
    for my $status (sort keys %responses) {
        my $response = $responses{$status};
        $response = $description->schema->resolve($response->{'$ref'})
            if $response->{'$ref'};
        my @types = sort keys %{ $response->{content} || {} };
        push @faults, "$status has no description"
            unless $response->{description};
        push @faults, "$status has a body" if $status eq '204' && @types;
        push @faults, "$status has no body"
            if !@types && $status !~ /^(?:204|304)$/;
        push @faults, map {"$status has no schema for $_"}
            grep { m{[/+]json$} && !$response->{content}{$_}{schema} } @types;
        push @faults, "$status is no problem but \"@types\""
            if $status =~ /^[45]/ && "@types" ne 'application/problem+json';
    }
    return @faults;
}

sub text_faults {
    my ($operation) = @_;
    my $role = $operation->{'x-role'} // 'none';
    my $public = $role eq 'public';
    my $open = $operation->{security} && !@{ $operation->{security} };
    return ((map {"has no $_"} grep { !$operation->{$_} }
            qw(operationId summary tags responses)),
        $role =~ /^(?:public|signed_in|Viewer|Reporter|Member|Admin|Owner)$/
            ? () : "needs the role $role",
        !$public && !$operation->{responses}{401} ? 'declares no 401' : (),
        !$public && $open ? 'says that it is public' : (),
        $operation->{requestBody} && !$operation->{responses}{422}
            ? 'has a body, but no 422' : (),
        $operation->{method} eq 'GET' && $operation->{requestBody}
            ? 'is a GET with a body' : ());
}

subtest 'every operation' => sub {
    for my $operation (@operations) {
        none("$operation->{method} $operation->{path}",
            text_faults($operation), path_faults($operation),
            parameter_faults($operation), response_faults($operation));
    }
};

# ---- true -------------------------------------------------------------------

my (%tested, %fault);
my $answers = 0;

# A server describes what it has loaded.
my %described = (join(' ', $server->{httpd}->plugins) => $description);

sub description_with {
    my ($plugins) = @_;
    return $described{$plugins} //= do {
        my $other = AlloyTest->start(plugins => [ split / /, $plugins ]);
        AlloyTest::Description->new($other->get('root:/openapi.json')->json);
    };
}

sub look_at {
    my ($seen) = @_;
    my $description = description_with($seen->{plugins});
    my $operation = $description->operation($seen->{method}, $seen->{path})
        or return;
    $answers++;
    my $name = "$operation->{method} $operation->{path}";
    $tested{$name} = 1 if $seen->{status} < 400;
    my $data = eval { JSON::PP->new->allow_nonref->decode($seen->{body} // '') };
    for my $what ($description->faults($operation, $seen, $data)) {
        $fault{"$name, $seen->{status}: $what"}
            //= "$seen->{file}: " . ($seen->{body} // 'no text');
    }
    return;
}

SKIP: {
    skip 'only "make test" has answers of other files', 3
        unless $ENV{ALLOY_TEST_RUN};
    for my $file (glob "$ENV{ALLOY_TEST_RUN}/answers-*.jsonl") {
        open my $in, '<', $file or die "$file: $!";
        while (my $line = <$in>) {
            look_at(JSON::PP->new->utf8->decode($line));
        }
    }
    ok($answers, 'there are answers to look at');
    ok(!%fault, "all $answers answers are as declared");
    diag("$_\n    $fault{$_}") for sort keys %fault;

    skip 'only a run of all files can tell what is untested', 1
        unless $ENV{ALLOY_TEST_WHOLE};
    my @untested = grep { !$tested{$_} }
        map {"$_->{method} $_->{path}"} @operations;
    none('every operation succeeded at least once', @untested);
}

done_testing;
