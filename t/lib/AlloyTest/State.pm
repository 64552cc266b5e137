package AlloyTest::State;

# What is in the database, as one fingerprint a table: for tests that say that
# nothing was changed.
#
#   unchanged { $server->post(...) } $server, 'a refused call';

use strict;
use warnings;

use Exporter qw(import);
use Test::More;

our @EXPORT = qw(unchanged state_of changed_tables);

# Written besides what a call is about: when something was used last.
my @BESIDES = qw(last_used_at);

# {table => fingerprint} of everything tenants and people have.
sub state_of {
    my ($server) = @_;
    my @tables = map { $_->{name} } @{ $server->rows(q{
        SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
         WHERE schemaname IN ('alloy', 'identity') ORDER BY 1}) };
    my $columns = join ', ', map {"'$_'"} @BESIDES;
    my $sql = join ' UNION ALL ', map { qq{
        SELECT '$_' AS name, md5(string_agg(line, E'\n' ORDER BY line)) AS print
          FROM (SELECT (to_jsonb(t) - ARRAY[$columns])::text AS line
                  FROM $_ t) lines} } @tables;
    return { map { $_->{name} => $_->{print} // '' } @{ $server->rows($sql) } };
}

# Names of the tables in which two states differ.
sub changed_tables {
    my ($before, $after) = @_;
    return grep { ($before->{$_} // '') ne ($after->{$_} // '') }
        sort keys %{ { %$before, %$after } };
}

# The code leaves the database as it was; answers what the code answers.
sub unchanged (&$;$) {
    my ($code, $server, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $before = state_of($server);
    my $answer = $code->();
    my @changed = changed_tables($before, state_of($server));
    ok(!@changed, ($name // 'refused') . ': nothing is changed')
        or diag("changed: @changed");
    return $answer;
}

1;
