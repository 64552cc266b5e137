package AlloyTest::Answer;

# One answer of the server.

use strict;
use warnings;

use Encode qw(decode FB_CROAK LEAVE_SRC);
use JSON::PP ();

sub new {
    my ($class, %self) = @_;
    return bless \%self, $class;
}

sub status { return $_[0]{status} }
sub body   { return $_[0]{body} }
sub method { return $_[0]{method} }
sub path   { return $_[0]{path} }

# A header that came several times is one text, joined by ", ".
sub header {
    my ($self, $name) = @_;
    my $value = $self->{headers}{ lc $name };
    return ref $value ? join ', ', @$value : $value;
}

sub headers { return $_[0]{headers} }

# The media type without its parameters.
sub type {
    my ($self) = @_;
    my $type = lc($self->header('Content-Type') // '');
    $type =~ s/\s*;.*//s;
    return $type;
}

# The body as Perl data; dies when it is no JSON.
sub json {
    my ($self) = @_;
    return $self->{json} if exists $self->{json};
    my $json = eval { JSON::PP->new->utf8->allow_nonref->decode($self->{body}) };
    die "no JSON in the answer to " . $self->text . "\n" if $@;
    return $self->{json} = $json;
}

# The body as a list of lists of cells, by RFC 4180; dies when it is no CSV.
sub csv {
    my ($self) = @_;
    my $csv = decode('UTF-8', $self->{body} // '', FB_CROAK | LEAVE_SRC);
    my @lines;
    while ($csv =~ /\G((?:"(?:[^"]|"")*+"|[^"\r\n])*+)\r\n/gc) {
        my $line = $1;
        push @lines, [ map { s/\A"(.*)"\z/$1/sr =~ s/""/"/gr }
            $line =~ /(?:\A|,)("(?:[^"]|"")*"|[^",]*)/g ];
    }
    die "no CSV in the answer to " . $self->text . "\n"
        if !@lines || pos($csv) != length $csv;
    return \@lines;
}

# For people: what was asked and what came.
sub text {
    my ($self) = @_;
    my $body = $self->{body} // '';
    $body = substr($body, 0, 1000) . '...' if length $body > 1000;
    return "$self->{method} $self->{path}: $self->{status}\n$body";
}

1;
