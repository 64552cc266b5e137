package AlloyTest::Description;

# The server's /openapi.json, and what answers look like in its light.

use strict;
use warnings;

use AlloyTest::Schema;

my @METHODS = qw(get post put patch delete head options);

sub new {
    my ($class, $document) = @_;
    my $self = bless { document => $document,
        schema => AlloyTest::Schema->new($document) }, $class;
    my ($server) = @{ $document->{servers} || [] };
    ($self->{prefix}) = ($server->{url} // '') =~ m{^(?:https?://[^/]*)?(/.*?)?/?$};
    $self->{prefix} //= '';
    $self->_read_paths;
    return $self;
}

sub schema { return $_[0]{schema} }

# Paths with fewer parameters win: /tickets/batch is no ticket.
sub _read_paths {
    my ($self) = @_;
    my $paths = $self->{document}{paths};
    for my $path (sort keys %$paths) {
        my $pattern = join '[^/]+', map {quotemeta} split /\{[^}]*\}/, $path, -1;
        my $parameters = () = $path =~ /\{/g;
        for my $method (grep { $paths->{$path}{$_} } @METHODS) {
            push @{ $self->{operations} }, { method => uc $method,
                path => $path, pattern => qr/^$pattern$/,
                parameters => $parameters, %{ $paths->{$path}{$method} } };
        }
    }
    @{ $self->{operations} } = sort { $a->{parameters} <=> $b->{parameters} }
        @{ $self->{operations} };
    return;
}

sub operations { return @{ $_[0]{operations} } }

# The operation that a request means, by its whole path; HEAD is its GET. What
# is at the server's root is somebody else's, or below the prefix as well.
sub operation {
    my ($self, $method, $path) = @_;
    $path =~ s/\?.*//s;
    $path =~ s/^\Q$self->{prefix}\E// or return;
    $method = 'GET' if $method eq 'HEAD';
    for my $operation (@{ $self->{operations} }) {
        return $operation
            if $operation->{method} eq $method && $path =~ $operation->{pattern};
    }
    return;
}

# Faults of one recorded answer to OPERATION.
sub faults {
    my ($self, $operation, $answer, $data) = @_;
    my $responses = $operation->{responses} || {};
    my $status = $answer->{status};
    my $response = $responses->{$status}
        // $responses->{ substr($status, 0, 1) . 'XX' } // $responses->{default}
        // return "the status $status is not declared";
    $response = $self->{schema}->resolve($response->{'$ref'})
        if $response->{'$ref'};
    my $content = $response->{content};
    return () if $answer->{method} eq 'HEAD'
        || !$content && !length($answer->{body} // '');
    my $media = $content->{ $answer->{type} }
        // return "the type \"$answer->{type}\" is not declared for $status";
    return () unless $answer->{type} =~ /json$/ && $media->{schema};
    my @faults = $self->{schema}->check($media->{schema}, $data);
    # fields=key,title is a wish for less.
    @faults = grep { !/ is missing$/ } @faults
        if $status < 300 && $answer->{path} =~ /[?&]fields=/;
    return @faults;
}

1;
