package AlloyTest::Cluster;

# A scratch PostgreSQL cluster in a folder of its own, reached by a unix socket
# only. A keeper process ends it, ends every httpd that still runs from the
# folder, and removes the folder as soon as whoever made it is gone, however
# that happened.

use strict;
use warnings;

use Cwd qw(abs_path);
use DBI;
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use File::Temp ();
use POSIX ();

our $ROOT = abs_path(dirname(__FILE__) . '/../../..');

my $shared;

# The cluster all test files of one "make test" use; a file that is run alone
# makes its own.
sub shared {
    my ($class) = @_;
    return $shared if $shared;
    return $shared = $class->new unless $ENV{ALLOY_TEST_RUN};
    return $shared = bless { dir => $ENV{ALLOY_TEST_RUN}, bin => bin() },
        $class;
}

sub new {
    my ($class) = @_;
    my $dir = File::Temp::tempdir('alloy-test-XXXXXX', TMPDIR => 1,
        CLEANUP => 0);
    chmod 0755, $dir;
    my $self = bless { dir => $dir, bin => bin() }, $class;
    mkdir "$dir/$_" or die "$dir/$_: $!" for qw(postgres socket);
    if ($> == 0) {
        my (undef, undef, $uid, $gid) = getpwnam 'postgres';
        chown $uid, $gid, "$dir/postgres", "$dir/socket";
    }
    $self->_keep;
    $self->_initdb;
    $self->start;
    return $self;
}

sub dir { return $_[0]{dir} }

# PostgreSQL's programs, the newest.
sub bin {
    my ($newest) = sort { $b <=> $a }
        map { m{/(\d+)/bin/postgres$} ? $1 : () }
        glob '/usr/lib/postgresql/*/bin/postgres';
    die "PostgreSQL is not installed; run: make install-packages\n"
        unless $newest;
    return "/usr/lib/postgresql/$newest/bin";
}

# ---- the server -------------------------------------------------------------

sub _as_postgres {
    my ($self, @command) = @_;
    my @become = $> == 0
        ? qw(setpriv --reuid=postgres --regid=postgres --init-groups) : ();
    _run(@become, 'env', '-i', "PATH=$ENV{PATH}", 'LC_ALL=C.UTF-8', @command);
    return;
}

sub _run {
    my (@command) = @_;
    my $output = File::Temp->new;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>&', $output;
        open STDERR, '>&', $output;
        exec @command or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    return unless $?;
    seek $output, 0, 0;
    local $/;
    die "failed: @command\n" . <$output>;
}

sub _initdb {
    my ($self) = @_;
    my $data = "$self->{dir}/postgres/data";
    $self->_as_postgres("$self->{bin}/initdb", "--pgdata=$data", '--no-sync',
        '--username=postgres', '--encoding=UTF8', '--locale=C.UTF-8',
        '--auth=peer');
    my $me = getpwuid $>;
    _append("$data/pg_hba.conf", "local all all peer map=test\n", 'new');
    _append("$data/pg_ident.conf", map {"test $_\n"} "$me postgres",
        "$me alloy_app", "$me alloy_backup", 'www-data alloy_app',
        $me eq 'postgres' ? () : 'postgres postgres');
    # fsync off: these servers are killed, the machine is not.
    _append("$data/postgresql.conf", <<"END");
listen_addresses = ''
unix_socket_directories = '$self->{dir}/socket'
unix_socket_permissions = 0777
fsync = off
max_connections = 200
shared_buffers = 64MB
timezone = 'UTC'
log_timezone = 'UTC'
END
    return;
}

sub _append {
    my ($file, @lines) = @_;
    my $new = $lines[-1] eq 'new' && pop @lines;
    open my $out, $new ? '>' : '>>', $file or die "$file: $!";
    print {$out} @lines;
    close $out or die "$file: $!";
    return;
}

sub start {
    my ($self) = @_;
    $self->_as_postgres("$self->{bin}/pg_ctl", '-D',
        "$self->{dir}/postgres/data", '-w', '-t', 60, '-l',
        "$self->{dir}/postgres/log", 'start');
    return;
}

sub stop {
    my ($self, $how) = @_;
    $self->_as_postgres("$self->{bin}/pg_ctl", '-D',
        "$self->{dir}/postgres/data", '-w', '-m', $how || 'fast', 'stop');
    return;
}

sub pid {
    my ($self) = @_;
    open my $in, '<', "$self->{dir}/postgres/data/postmaster.pid" or return;
    chomp(my $pid = <$in>);
    return $pid;
}

# ---- databases --------------------------------------------------------------

# Connection string of libpq for one role.
sub conninfo {
    my ($self, $database, $user) = @_;
    return "host=$self->{dir}/socket dbname=$database user=$user";
}

sub connect {
    my ($self, $database, $user) = @_;
    return DBI->connect(
        "dbi:Pg:host=$self->{dir}/socket;dbname=$database", $user, '',
        { RaiseError => 1, PrintError => 0, AutoCommit => 1,
            AutoInactiveDestroy => 1, pg_enable_utf8 => 1 });
}

# A database with Alloy's schema and nothing in it.
sub make_database {
    my ($self, $name) = @_;
    open my $lock, '>', "$self->{dir}/template.lock" or die $!;
    flock $lock, LOCK_EX;
    $self->_make_template unless -e "$self->{dir}/template";
    my $dbh = $self->connect('postgres', 'postgres');
    $dbh->do("CREATE DATABASE $name TEMPLATE alloy_template");
    $dbh->disconnect;
    # Rights and settings per database are not copied with it.
    $self->_bootstrap($name);
    return;
}

sub drop_database {
    my ($self, $name) = @_;
    my $dbh = $self->connect('postgres', 'postgres');
    $dbh->do("DROP DATABASE IF EXISTS $name WITH (FORCE)");
    $dbh->disconnect;
    return;
}

sub url {
    my ($self, $name) = @_;
    return "postgresql:///$name?host=$self->{dir}/socket&user=postgres";
}

sub _bootstrap {
    my ($self, $name) = @_;
    _run("$self->{bin}/psql", '-X', '-q', '-d',
        $self->conninfo($name, 'postgres'), '-f', "$ROOT/sql/bootstrap.sql");
    return;
}

sub _make_template {
    my ($self) = @_;
    my $dbh = $self->connect('postgres', 'postgres');
    $dbh->do('CREATE DATABASE alloy_template');
    $dbh->disconnect;
    local $ENV{STATE} = "$self->{dir}/template-state";
    local $ENV{ALLOY_DATABASE_URL} = $self->url('alloy_template');
    _run("$ROOT/conf/alloyctl", 'migrate');
    _append("$self->{dir}/template", "made\n");
    return;
}

# ---- the keeper -------------------------------------------------------------

# Waits until the other end of a pipe closes: the kernel does that for a
# process that ends, even for one that is killed.
sub _keep {
    my ($self) = @_;
    pipe my $read, my $write or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid) {
        close $read;
        $self->{keeper} = { pipe => $write, pid => $pid, of => $$ };
        return;
    }
    close $write;
    setpgrp;
    local $SIG{INT} = local $SIG{HUP} = local $SIG{TERM} = 'IGNORE';
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';
    sysread $read, my $byte, 1;
    _clear($self->{dir});
    POSIX::_exit(0);
}

sub _clear {
    my ($dir) = @_;
    my @pids = map { _pid($_) } glob("$dir/server-*/run/httpd.pid"),
        "$dir/postgres/data/postmaster.pid";
    # SIGINT is PostgreSQL's fast shutdown, and ends httpd at once.
    for my $signal (qw(INT INT KILL)) {
        @pids = grep { -d "/proc/$_" } @pids or last;
        kill $signal, @pids;
        for (1 .. 50) {
            last unless grep { -d "/proc/$_" } @pids;
            select undef, undef, undef, 0.1;
        }
    }
    remove_tree($dir) unless $ENV{ALLOY_TEST_KEEP};
    return;
}

# The number in a pid file, if it is one of ours: its command line or working
# folder names the scratch folder.
sub _pid {
    my ($file) = @_;
    open my $in, '<', $file or return;
    my $pid = <$in> // return;
    return unless $pid =~ /^(\d+)$/;
    $pid = $1;
    my ($dir) = $file =~ m{^(.*?/alloy-test-[^/]+)};
    open my $command, '<', "/proc/$pid/cmdline" or return;
    local $/;
    return index(<$command> // '', $dir) >= 0 ? $pid : ();
}

# Ends the keeper's wait and waits for its work.
sub end {
    my ($self) = @_;
    my $keeper = delete $self->{keeper} or return;
    return unless $keeper->{of} == $$;
    close $keeper->{pipe};
    local $?;
    waitpid $keeper->{pid}, 0;
    print STDERR "# kept: $self->{dir}\n" if $ENV{ALLOY_TEST_KEEP};
    return;
}

END { $shared->end if $shared }

1;
