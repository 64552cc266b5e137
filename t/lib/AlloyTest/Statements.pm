package AlloyTest::Statements;

# The statements that are compiled into the module and its plugins, as the build
# makes them: sql/embed.awk numbers the parameters and decides what writes, and
# what it prints is read here.

use strict;
use warnings;

use AlloyTest::Cluster;
use AlloyTest::Plugins;

my $ROOT = $AlloyTest::Cluster::ROOT;

# In order of files: {name, noun, file, mode, custom, write, slow, params, text}.
sub all {
    my ($class) = @_;
    my @files = map { glob "$ROOT/$_/queries/*.sql" } 'sql',
        map {"plugins/$_/sql"} AlloyTest::Plugins::names();
    return map { $class->of_file($_) } @files;
}

sub of_file {
    my ($class, $file) = @_;
    open my $in, '-|', 'awk', '-v', 'output=c', '-f', "$ROOT/sql/embed.awk",
        $file or die "awk: $!";
    my $c = do { local $/; <$in> };
    close $in or die "sql/embed.awk does not like $file\n";
    my ($noun) = $file =~ m{([^/]+)\.sql$};
    $file =~ s{^\Q$ROOT\E/}{};
    my @found;
    while ($c =~ /^const alloy_statement_t sql_(\w+) = \{\n(.*?)^\};/gms) {
        my ($name, $members) = ($1, $2);
        push @found, { name => $name, noun => $noun, file => $file,
            _members($members) };
    }
    die "no statement in $file\n" unless @found;
    return @found;
}

sub _members {
    my ($c) = @_;
    my ($mode) = $c =~ /\.mode = ALLOY_SQL_(\w+)/;
    my ($flags) = $c =~ /\.flags = (.*),/;
    my ($params) = $c =~ /\.params = \(const char \*const\[\]\)\{ (.*)NULL \}/;
    my ($text) = $c =~ /\.text =\n(.*)/s;
    return (mode => lc $mode, params => [ $params =~ /"([^"]*)"/g ],
        (map { $_ => scalar $flags =~ /\U$_/ } qw(custom write slow)),
        text => join '', map { _unquote($_) } $text =~ /"((?:[^"\\]|\\.)*)"/g);
}

sub _unquote {
    my ($text) = @_;
    my %is = (n => "\n", t => "\t");
    return $text =~ s/\\(.)/$is{$1} \/\/ $1/ger;
}

1;
