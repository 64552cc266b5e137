package Bench::Cluster;

# The PostgreSQL that is measured: a cluster that stays on disk, so that a
# million tickets are loaded once. What differs from PostgreSQL's defaults is
# in settings() and holds for both sides of each comparison alike.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Path qw(make_path remove_tree);
use parent 'AlloyTest::Cluster';

my $ROOT = $AlloyTest::Cluster::ROOT;

sub settings {
    return <<'END';
fsync = on
synchronous_commit = on
full_page_writes = on
shared_buffers = 2GB
random_page_cost = 1.1
max_wal_size = 8GB
checkpoint_timeout = 30min
END
}

# dir: an absolute path; size: tickets.
sub new {
    my ($class, %self) = @_;
    my $self = bless { %self, bin => AlloyTest::Cluster::bin() }, $class;
    my $dir = $self->{dir};
    make_path("$dir/postgres", "$dir/socket");
    chmod 0755, $dir;
    if ($> == 0) {
        my (undef, undef, $uid, $gid) = getpwnam 'postgres';
        chown $uid, $gid, "$dir/postgres", "$dir/socket";
    }
    $self->_clear_leftovers;
    $self->_make unless -e "$dir/postgres/data/PG_VERSION";
    AlloyTest::Cluster::_append("$dir/postgres/data/bench.conf", settings(),
        'new');
    $self->start;
    return $self;
}

sub _make {
    my ($self) = @_;
    $self->_initdb;
    AlloyTest::Cluster::_append(
        "$self->{dir}/postgres/data/postgresql.conf", "include 'bench.conf'\n");
    return;
}

# Servers of a run that was killed, if they are still what they were.
sub _clear_leftovers {
    my ($self) = @_;
    my $dir = $self->{dir};
    for my $file (glob("$dir/server-*/run/httpd.pid"),
        "$dir/postgres/data/postmaster.pid") {
        my ($pid) = (_slurp($file) // '') =~ /^(\d+)/ or next;
        next if index(_slurp("/proc/$pid/cmdline") // '', $dir) < 0;
        kill 'INT', $pid;
        for (1 .. 300) {
            last unless -d "/proc/$pid";
            select undef, undef, undef, 0.1;
        }
        die "process $pid, left over from another run, does not end\n"
            if -d "/proc/$pid";
    }
    remove_tree(glob "$dir/server-*");
    return;
}

sub _slurp {
    my ($file) = @_;
    open my $in, '<', $file or return;
    local $/;
    return <$in>;
}

# ---- the database -----------------------------------------------------------

# Reuses the one of an earlier run if the schema, the loader and the size are
# the same; says whether it had to be made.
sub load {
    my ($self) = @_;
    my $made = "$self->{dir}/made";
    my $wanted = $self->_wanted;
    return 0 if (_slurp($made) // '') eq $wanted;
    unlink $made;
    my $admin = $self->connect('postgres', 'postgres');
    $admin->do('SET client_min_messages = warning');
    $admin->do('DROP DATABASE IF EXISTS alloy WITH (FORCE)');
    $admin->do('CREATE DATABASE alloy');
    $admin->disconnect;
    local $ENV{STATE} = "$self->{dir}/state";
    local $ENV{ALLOY_DATABASE_URL} = $self->url('alloy');
    AlloyTest::Cluster::_run("$ROOT/conf/alloyctl", 'migrate');
    $self->psql('-v', "size=$self->{size}", '-f', "$ROOT/t/bench/load.sql");
    AlloyTest::Cluster::_append($made, $wanted, 'new');
    return 1;
}

sub _wanted {
    my ($self) = @_;
    my @files = ("$ROOT/t/bench/load.sql", glob("$ROOT/sql/*.sql"),
        glob("$ROOT/sql/{migrations,functions}/*.sql"),
        glob("$ROOT/plugins/*/sql/*.sql"),
        glob("$ROOT/plugins/*/sql/{migrations,functions}/*.sql"));
    return join('', map { sha256_hex(_slurp($_) // '') . " $_\n" } @files)
        . "size $self->{size}\n";
}

sub psql {
    my ($self, @arguments) = @_;
    AlloyTest::Cluster::_run("$self->{bin}/psql", '-X', '-q',
        '-v', 'ON_ERROR_STOP=1', '-d', $self->conninfo('alloy', 'postgres'),
        @arguments);
    return;
}

# Takes back what creating runs made, so that each begins with the same tables.
# Counters stay where they are: a number is never given twice.
sub clean {
    my ($self) = @_;
    $self->psql('-c', $_) for
        "SET session_replication_role = replica;
         DELETE FROM alloy.ticket_text x USING alloy.ticket t
          WHERE (t.org_id, t.id) = (x.org_id, x.ticket_id)
            AND t.created_at >= '2026-01-01';
         DELETE FROM alloy.ticket WHERE created_at >= '2026-01-01';
         DELETE FROM bench.ticket WHERE created_at >= '2026-01-01';
         TRUNCATE alloy.change",
        'VACUUM ANALYZE alloy.ticket', 'VACUUM ANALYZE alloy.ticket_text',
        'VACUUM ANALYZE bench.ticket',
        'VACUUM alloy.project', 'VACUUM alloy.change', 'CHECKPOINT';
    return;
}

1;
