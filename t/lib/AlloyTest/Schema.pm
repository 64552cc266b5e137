package AlloyTest::Schema;

# Checks Perl data against the part of JSON Schema 2020-12 that OpenAPI 3.1
# documents use. A keyword it doesn't know is a fault, not a pass.

use strict;
use warnings;

use B ();
use JSON::PP ();
use Scalar::Util qw(looks_like_number);

my %CHECK = (
    type                 => \&_type,
    enum                 => \&_enum,
    const                => sub { _enum($_[0], [ $_[1] ], @_[ 2 .. 4 ]) },
    properties           => \&_properties,
    required             => \&_required,
    additionalProperties => \&_additional,
    minProperties        => \&_size,
    maxProperties        => \&_size,
    items                => \&_items,
    minItems             => \&_size,
    maxItems             => \&_size,
    uniqueItems          => \&_unique,
    minLength            => \&_size,
    maxLength            => \&_size,
    pattern              => \&_pattern,
    minimum              => \&_range,
    maximum              => \&_range,
    exclusiveMinimum     => \&_range,
    exclusiveMaximum     => \&_range,
    multipleOf           => \&_multiple,
    allOf                => \&_all,
    anyOf                => \&_any,
    oneOf                => \&_one,
    not                  => \&_not,
    '$ref'               => \&_ref,
);

# Say something to readers only.
my %SILENT = map { $_ => 1 } qw(format title description default example
    examples deprecated readOnly writeOnly $comment $defs discriminator
    contentMediaType contentEncoding);

# DOCUMENT: where "$ref" begins.
sub new {
    my ($class, $document) = @_;
    return bless { document => $document }, $class;
}

# Faults as sentences with the place as a JSON pointer; none when VALUE fits.
sub check {
    my ($self, $schema, $value, $place) = @_;
    $place //= '';
    return () if JSON::PP::is_bool($schema) && $schema;
    return _at($place) . 'is not allowed' if JSON::PP::is_bool($schema);
    my @faults;
    for my $keyword (sort keys %$schema) {
        next if $SILENT{$keyword} || $keyword =~ /^x-/;
        my $check = $CHECK{$keyword};
        push @faults, $check
            ? $check->($self, $schema->{$keyword}, $value, $place,
                $schema, $keyword)
            : "the schema's keyword \"$keyword\" is not known here";
    }
    return @faults;
}

sub _at { return ($_[0] eq '' ? 'the whole' : $_[0]) . ' ' }

# ---- types ------------------------------------------------------------------

sub type_of {
    my ($value) = @_;
    return 'null' unless defined $value;
    return 'boolean' if JSON::PP::is_bool($value);
    return 'object' if ref $value eq 'HASH';
    return 'array' if ref $value eq 'ARRAY';
    # A decoded number has no text of its own.
    my $flags = B::svref_2object(\$value)->FLAGS;
    return 'string' if $flags & B::SVf_POK();
    return $value == int $value ? 'integer' : 'number';
}

sub _type {
    my ($self, $wanted, $value, $place) = @_;
    my $type = type_of($value);
    for (ref $wanted ? @$wanted : $wanted) {
        return () if $_ eq $type || $_ eq 'number' && $type eq 'integer';
    }
    return _at($place) . "is a $type instead of "
        . join ' or ', ref $wanted ? @$wanted : $wanted;
}

sub _text { return JSON::PP->new->canonical->allow_nonref->encode($_[0]) }

sub _enum {
    my ($self, $wanted, $value, $place) = @_;
    my $text = _text($value);
    return () if grep { _text($_) eq $text } @$wanted;
    return _at($place) . "is $text, not one of " . _text($wanted);
}

# ---- objects ----------------------------------------------------------------

sub _key {
    my ($place, $key) = @_;
    $key =~ s/~/~0/g;
    $key =~ s{/}{~1}g;
    return "$place/$key";
}

sub _properties {
    my ($self, $properties, $value, $place) = @_;
    return () unless ref $value eq 'HASH';
    return map { $self->check($properties->{$_}, $value->{$_},
            _key($place, $_)) }
        grep { exists $value->{$_} } sort keys %$properties;
}

sub _required {
    my ($self, $names, $value, $place) = @_;
    return () unless ref $value eq 'HASH';
    return map { _key($place, $_) . ' is missing' }
        grep { !exists $value->{$_} } @$names;
}

sub _additional {
    my ($self, $rule, $value, $place, $schema) = @_;
    return () unless ref $value eq 'HASH';
    return map { $self->check($rule, $value->{$_}, _key($place, $_)) }
        grep { !exists $schema->{properties}{$_} } sort keys %$value;
}

# ---- arrays, texts, numbers -------------------------------------------------

sub _items {
    my ($self, $schema, $value, $place) = @_;
    return () unless ref $value eq 'ARRAY';
    return map { $self->check($schema, $value->[$_], "$place/$_") }
        0 .. $#$value;
}

sub _unique {
    my ($self, $wanted, $value, $place) = @_;
    return () unless $wanted && ref $value eq 'ARRAY';
    my %seen;
    return (grep { $seen{ _text($_) }++ } @$value)
        ? _at($place) . 'holds a value twice' : ();
}

my %MEASURE = (
    Length     => [ string => sub { length $_[0] } ],
    Items      => [ array  => sub { scalar @{ $_[0] } } ],
    Properties => [ object => sub { scalar keys %{ $_[0] } } ],
);

sub _size {
    my ($self, $limit, $value, $place, $schema, $keyword) = @_;
    my ($side, $what) = $keyword =~ /^(min|max)(.*)/;
    my ($type, $measure) = @{ $MEASURE{$what} };
    return () unless type_of($value) eq $type;
    my $size = $measure->($value);
    return () if $side eq 'min' ? $size >= $limit : $size <= $limit;
    return _at($place) . "has \L$what\E $size, against $keyword $limit";
}

sub _pattern {
    my ($self, $pattern, $value, $place) = @_;
    return () if type_of($value) ne 'string' || $value =~ /$pattern/;
    return _at($place) . "does not match $pattern";
}

my %RANGE = (
    minimum          => sub { $_[0] >= $_[1] },
    maximum          => sub { $_[0] <= $_[1] },
    exclusiveMinimum => sub { $_[0] > $_[1] },
    exclusiveMaximum => sub { $_[0] < $_[1] },
);

sub _is_number { return type_of($_[0]) =~ /^(?:integer|number)$/ }

sub _range {
    my ($self, $limit, $value, $place, $schema, $keyword) = @_;
    return () if !_is_number($value) || $RANGE{$keyword}->($value, $limit);
    return _at($place) . "is $value, against $keyword $limit";
}

sub _multiple {
    my ($self, $step, $value, $place) = @_;
    return () unless _is_number($value);
    my $times = $value / $step;
    return () if abs($times - sprintf '%.0f', $times) < 1e-9;
    return _at($place) . "is $value, no multiple of $step";
}

# ---- combinations -----------------------------------------------------------

sub _all {
    my ($self, $schemas, $value, $place) = @_;
    return map { $self->check($_, $value, $place) } @$schemas;
}

sub _any {
    my ($self, $schemas, $value, $place) = @_;
    my @faults;
    for my $schema (@$schemas) {
        my @these = $self->check($schema, $value, $place) or return ();
        push @faults, @these;
    }
    return (_at($place) . 'fits none of anyOf', @faults);
}

sub _one {
    my ($self, $schemas, $value, $place) = @_;
    my $fits = grep { !$self->check($_, $value, $place) } @$schemas;
    return $fits == 1 ? () : _at($place) . "fits $fits of oneOf";
}

sub _not {
    my ($self, $schema, $value, $place) = @_;
    return $self->check($schema, $value, $place) ? ()
        : _at($place) . 'fits what it must not';
}

sub _ref {
    my ($self, $ref, $value, $place) = @_;
    return $self->check($self->resolve($ref), $value, $place);
}

# What a local reference names.
sub resolve {
    my ($self, $ref) = @_;
    my $node = $self->{document};
    my ($path) = $ref =~ m{^#(?:/(.*))?$} or die "no local \$ref: $ref\n";
    for my $part (split m{/}, $path // '') {
        $part =~ s/~1/\//g;
        $part =~ s/~0/~/g;
        $node = ref $node eq 'HASH' ? $node->{$part} : undef;
        die "\$ref $ref leads nowhere\n" unless defined $node;
    }
    return $node;
}

1;
