package AlloyTest::Mcp;

# A client of the Model Context Protocol: one person, one revision.

use strict;
use warnings;

use JSON::PP ();

my $META = 'io.modelcontextprotocol';
my $MODERN = '2026-07-28';
my $number = 0;

# server: AlloyTest's; who: a person or a token. More: revision ('2025-11-25'),
# place ('/mcp').
sub new {
    my ($class, $server, $who, %option) = @_;
    return bless { server => $server, who => $who, revision => '2025-11-25',
        place => '/mcp', %option }, $class;
}

# Every revision that is spoken.
sub revisions { return qw(2026-07-28 2025-11-25 2025-06-18 2025-03-26) }

sub is_modern { return $_[0]{revision} eq $MODERN }

sub meta {
    my ($self) = @_;
    return { "$META/protocolVersion" => $self->{revision},
        "$META/clientCapabilities" => {},
        "$META/clientInfo" => { name => 'tester', version => '1' } };
}

# The message of a request, as this revision wants it.
sub message {
    my ($self, $method, $params) = @_;
    my %params = %{ $params || {} };
    $params{_meta} = { %{ $self->meta }, %{ $params{_meta} || {} } }
        if $self->is_modern;
    return { jsonrpc => '2.0', id => ++$number, method => $method,
        params => \%params };
}

sub headers {
    my ($self, $message) = @_;
    my %headers = (Accept => 'application/json, text/event-stream',
        'MCP-Protocol-Version' => $self->{revision});
    if ($self->is_modern && ref $message eq 'HASH') {
        my $params = $message->{params} || {};
        my $name = $params->{name} // $params->{uri};
        $headers{'Mcp-Method'} = $message->{method};
        $headers{'Mcp-Name'} = $name if defined $name;
    }
    return \%headers;
}

# Sends a message, or several, as they are; the answer of HTTP.
sub post {
    my ($self, $message, %option) = @_;
    my %headers = (%{ $self->headers($message) },
        %{ delete $option{headers} || {} });
    delete @headers{ grep { !defined $headers{$_} } keys %headers };
    return $self->{server}->request('POST', "root:$self->{place}",
        token => $self->{who}, json => $message, headers => \%headers, %option);
}

# A request's answer of HTTP.
sub ask {
    my ($self, $method, $params, %option) = @_;
    return $self->post($self->message($method, $params), %option);
}

# A request's result; the test ends if there is none.
sub result {
    my ($self, @request) = @_;
    my $answer = $self->ask(@request);
    my $said = eval { $answer->json };
    die "no result: " . $answer->text . "\n"
        unless $answer->status == 200 && $said && $said->{result};
    return $said->{result};
}

# An error of JSON-RPC: {code, message, data}.
sub error {
    my ($self, @request) = @_;
    my $answer = $self->ask(@request);
    my $said = eval { $answer->json };
    die "no error: " . $answer->text . "\n" unless $said && $said->{error};
    return $said->{error};
}

# What a tool answers: its result as a whole.
sub call {
    my ($self, $tool, %arguments) = @_;
    return $self->result('tools/call',
        { name => $tool, arguments => \%arguments });
}

# What a tool answers when it succeeds; the test ends if not.
sub must {
    my ($self, $tool, %arguments) = @_;
    my $result = $self->call($tool, %arguments);
    die "$tool refused: $result->{content}[0]{text}\n" if $result->{isError};
    return data($result);
}

# The problem of a tool that is refused; the test ends if it is not.
sub refused {
    my ($self, $tool, %arguments) = @_;
    my $result = $self->call($tool, %arguments);
    die "$tool was not refused: $result->{content}[0]{text}\n"
        unless $result->{isError};
    return data($result);
}

# structuredContent, or the text where the revision has none.
sub data {
    my ($result) = @_;
    return $result->{structuredContent}
        // JSON::PP->new->decode($result->{content}[0]{text});
}

# {name => tool} of all pages.
sub tools {
    my ($self) = @_;
    my (%tools, $cursor);
    do {
        my $page = $self->result('tools/list',
            { defined $cursor ? (cursor => $cursor) : () });
        $tools{ $_->{name} } = $_ for @{ $page->{tools} };
        $cursor = $page->{nextCursor};
    } while defined $cursor;
    return \%tools;
}

1;
