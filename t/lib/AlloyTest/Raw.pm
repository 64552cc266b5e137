package AlloyTest::Raw;

# Requests as bytes, for what no client would send, and several on one
# connection.
#
#   my @answers = raw_answers($server, "GET / HTTP/1.1\r\n...");
#
# More bytes are sent one after the other, each when something was answered to
# those before.

use strict;
use warnings;

use AlloyTest::Answer;
use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use Time::HiRes ();

our @EXPORT = qw(raw_answers raw_request);

my $PATIENCE = 10;      # seconds

# A request with what every one needs: ('GET', '/api/v1/orgs', {Name => value
# or [values]}, body). undef as a value leaves the field out.
sub raw_request {
    my ($method, $path, $fields, $body) = @_;
    my %fields = (Host => '127.0.0.1', Connection => 'close',
        defined $body ? ('Content-Length' => length $body) : (),
        %{ $fields || {} });
    my $lines = join '', map {
        my $name = $_;
        map {"$name: $_\r\n"} ref $fields{$name} ? @{ $fields{$name} }
            : $fields{$name}
    } grep { defined $fields{$_} } sort keys %fields;
    return "$method $path HTTP/1.1\r\n$lines\r\n" . ($body // '');
}

# Everything that was answered until the server closed the connection.
sub raw_answers {
    my ($server, @parts) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $server->port, Timeout => $PATIENCE)
        or die "connect: $!";
    local $SIG{PIPE} = 'IGNORE';
    my $text = '';
    while (@parts) {
        print {$socket} shift @parts;
        $socket->flush;
        _read_some($socket, \$text) or last if @parts;
    }
    1 while _read_some($socket, \$text);
    return _answers($text);
}

# False at the end; a server that says nothing more is a fault.
sub _read_some {
    my ($socket, $text) = @_;
    IO::Select->new($socket)->can_read($PATIENCE)
        or die "neither an answer nor an end after $PATIENCE seconds\n";
    return sysread $socket, $$text, 65536, length $$text;
}

sub _answers {
    my ($text) = @_;
    my @answers;
    while ($text =~ s{^HTTP/1\.[01] (\d+)[^\r\n]*\r\n(.*?\r\n)??\r\n}{}s) {
        my ($status, $lines, %headers) = ($1, $2 // '');
        push @{ $headers{ lc $1 } }, $2
            while $lines =~ /^([^:\r\n]+):[ \t]*([^\r\n]*)/gm;
        my $length = $status =~ /^(?:1\d\d|204|304)$/ ? 0
            : $headers{'content-length'}[0] // length $text;
        push @answers, AlloyTest::Answer->new(method => 'raw', path => '',
            status => $status, body => substr($text, 0, $length, ''),
            headers => { map { $_ => @{ $headers{$_} } > 1 ? $headers{$_}
                : $headers{$_}[0] } keys %headers });
    }
    push @answers, AlloyTest::Answer->new(method => 'raw', path => '',
        status => 0, body => $text, headers => {}) if length $text;
    return @answers;
}

1;
