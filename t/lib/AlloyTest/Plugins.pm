package AlloyTest::Plugins;

# The plugins of this run, and what tests that walk over everything must know of
# them: plugins/<name>/t/facts.pl answers a hash of the lists it adds rows to.
#   definer_rights  [...]         of 10-catalogue.t
#   fixture         [[...], ...]  of 11-isolation.t
#   least           {id => role}  of 15-roles.t
#   make, body      {...}         of AlloyTest::Walk
#   add             {...}         of AlloyTest::Lists; gets (server, place)
#   data            [sql, ...], given, filter, exceptions {...}
#                                 of 91-statements.t

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);

my $ROOT = abs_path(dirname(__FILE__) . '/../../..');
my %LISTS = map { $_ => 1 } qw(definer_rights fixture least make body add data
    given filter exceptions);
my @facts;

# Those of the tree, or what PLUGINS names of them.
sub names {
    my @names = map { m{/plugins/([^/]+)/} }
        glob "$ROOT/plugins/*/mod_alloy_*.c";
    my $chosen = $ENV{PLUGINS} // return @names;
    return grep { " $chosen " =~ / \Q$_\E / } @names;
}

# All plugins' rows of one list, flat: pairs, where the list is a hash.
sub facts {
    my ($list) = @_;
    die "there is no list \"$list\"\n" unless $LISTS{$list};
    @facts = map { _read("$ROOT/plugins/$_/t/facts.pl") } names() unless @facts;
    return map { ref $_ eq 'HASH' ? %$_ : @$_ } grep {$_} map { $_->{$list} }
        @facts;
}

sub _read {
    my ($file) = @_;
    return {} unless -e $file;
    my $facts = do $file;
    die "$file: ", $@ || $! || 'no hash', "\n" unless ref $facts eq 'HASH';
    for my $list (keys %$facts) {
        die "$file: there is no list \"$list\"\n" unless $LISTS{$list};
    }
    return $facts;
}

1;
