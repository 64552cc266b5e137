package AlloyTest::Httpd;

# One httpd with Alloy on a free port of 127.0.0.1, in a folder of its own.
# ALLOY_TEST_PRELOAD: libraries to load first (make asan);
# ALLOY_TEST_WRAP: a command to start httpd with (make valgrind).

use strict;
use warnings;

use AlloyTest::Cluster;
use AlloyTest::Log;
use AlloyTest::Plugins;
use HTTP::Tiny;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time);

my $ROOT = $AlloyTest::Cluster::ROOT;
my $BUILD = $ENV{BUILD} || 'build';
$BUILD = "$ROOT/$BUILD" unless $BUILD =~ m{^/};
my $APACHE = $ENV{HTTPD} || '/usr/sbin/apache2';
my $number = 0;

# dir: of the cluster; database: connection string; conf, location: more
# configuration; children: processes; like: a httpd whose key to use.
sub new {
    my ($class, %self) = @_;
    my $self = bless \%self, $class;
    $self->{dir} .= "/server-$$-" . ++$number;
    mkdir "$self->{dir}$_" or die "$self->{dir}$_: $!"
        for '', '/log', '/run', '/keys';
    # A child that gave up root's rights must be able to leave a report.
    chmod 01777, $self->{dir};
    $self->{log} = AlloyTest::Log->new($self->{dir});
    $self->_make_key;
    $self->start;
    return $self;
}

# Hosts that share users share the key.
sub _make_key {
    my ($self) = @_;
    my $key = "$self->{dir}/keys/token.pem";
    return symlink "$self->{like}{dir}/keys/token.pem", $key if $self->{like};
    system(qw(openssl genpkey -quiet -algorithm EC -pkeyopt),
        'ec_paramgen_curve:P-256', '-out', $key) == 0
        or die "openssl made no key\n";
    return;
}

sub dir  { return $_[0]{dir} }
sub port { return $_[0]{port} }
sub log  { return $_[0]{log} }
sub pid  { return $_[0]{pid} }

# ---- starting and stopping --------------------------------------------------

# Another program may take the free port before httpd does: then once more.
sub start {
    my ($self) = @_;
    for my $try (1 .. 3) {
        $self->{port} = _free_port() if !$self->{port} || $try > 1;
        $self->_write_conf;
        $self->_launch;
        return if $self->_comes_up;
        last unless $self->log->count(qr/Address already in use/);
        unlink "$self->{dir}/log/error.log";
    }
    my @log = $self->log->lines;
    die "httpd did not start:\n", @log > 20 ? @log[ -20 .. -1 ] : @log;
}

sub _free_port {
    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
        or die "no free port: $!";
    return $socket->sockport;
}

sub _write_conf {
    my ($self) = @_;
    my $children = $self->{children} || 1;
    my %define = (
        ALLOY_STATE    => qq("$self->{dir}"),
        ALLOY_PORT     => $self->{port},
        ALLOY_DATABASE => qq("$self->{database}"),
        ALLOY_CHILDREN => $children,
        ALLOY_WORKERS  => 64 * $children,
    );
    $define{ALLOY_USER} = 'www-data' if $> == 0;
    my $conf = join '', map {"Define $_ $define{$_}\n"} sort keys %define;
    $conf .= qq(LoadModule alloy_module "$BUILD/mod_alloy.so"\n);
    for my $name ($self->plugins) {
        $conf .= qq(LoadModule alloy_${name}_module )
            . qq("$BUILD/mod_alloy_$name.so"\n);
    }
    $self->_write('httpd.conf', $conf . qq(Include "$ROOT/conf/httpd.conf"\n));
    # Tests guess passwords all the time.
    $self->_write('server.conf', "AlloyThrottle off\n" . ($self->{conf} // ''));
    $self->_write('location.conf', $self->{location} // '');
    return;
}

# What "apache2 -t" says to a configuration: (accepted, text). It is this
# httpd's own with other lines in the places of conf and location.
# Nothing is started.
sub judges {
    my ($self, %conf) = @_;
    my $dir = "$self->{dir}/judged";
    mkdir $dir;
    mkdir "$dir/$_" for qw(log run);
    symlink "$self->{dir}/keys", "$dir/keys";
    my $other = bless { %$self, plugins => [ $self->plugins ], %conf,
        dir => $dir }, ref $self;
    $other->_write_conf;
    local %ENV = (%ENV, environment($self->{dir}));
    open my $out, '-|', $APACHE, '-t', '-f', "$dir/httpd.conf", '-E',
        "$dir/said" or die "$APACHE: $!";
    my $text = do { local $/; <$out> } // '';
    my $accepted = close $out;
    if (open my $said, '<', "$dir/said") {
        local $/;
        $text .= <$said> // '';
        unlink "$dir/said";
    }
    return ($accepted, $text);
}

# The plugins of this run; "plugins" chooses some.
sub plugins {
    my ($self) = @_;
    return @{ $self->{plugins} } if $self->{plugins};
    return AlloyTest::Plugins::names();
}

sub _write {
    my ($self, $name, $text) = @_;
    open my $out, '>', "$self->{dir}/$name" or die "$name: $!";
    print {$out} $text;
    close $out or die "$name: $!";
    return;
}

# What httpd needs in its environment to load a module that was built with
# sanitizers; their reports go to DIR. What httpd itself does is not under test:
# leaks are not looked for.
sub environment {
    my ($dir) = @_;
    my $libraries = $ENV{ALLOY_TEST_PRELOAD} or return;
    return (LD_PRELOAD => join(' ', split ' ', $libraries),
        ASAN_OPTIONS => "detect_leaks=0:log_path=$dir/report.asan",
        TSAN_OPTIONS => "log_path=$dir/report.tsan",
        UBSAN_OPTIONS => "print_stacktrace=1:log_path=$dir/report.ubsan");
}

sub _launch {
    my ($self) = @_;
    my $dir = $self->{dir};
    $self->{pid} = fork // die "fork: $!";
    return if $self->{pid};
    open STDIN, '<', '/dev/null';
    open STDERR, '>>', "$dir/log/error.log";
    open STDOUT, '>&', \*STDERR;
    # Ctrl-C is for the test, which then stops httpd in order.
    setpgrp;
    delete @ENV{ grep {/^PG/} keys %ENV };
    my @wrap = split ' ', $ENV{ALLOY_TEST_WRAP} // '';
    push @wrap, "--log-file=$dir/report.%p" if @wrap && $wrap[0] eq 'valgrind';
    %ENV = (%ENV, environment($dir));
    exec @wrap, $APACHE, '-f', "$dir/httpd.conf", '-DFOREGROUND'
        or POSIX::_exit(127);
}

sub _comes_up {
    my ($self) = @_;
    my $until = time + ($ENV{ALLOY_TEST_WRAP} ? 120 : 20);
    while (time < $until) {
        return 0 if $self->_has_ended;
        return 1 if $self->answers;
        select undef, undef, undef, 0.02;
    }
    return 0;
}

# Does it answer at all?
sub answers {
    my ($self) = @_;
    my $answer = HTTP::Tiny->new(timeout => 5, proxy => undef)
        ->get("http://127.0.0.1:$self->{port}/healthz");
    return $answer->{status} != 599;
}

sub _has_ended {
    my ($self) = @_;
    return 1 unless $self->{pid};
    local $?;
    return 0 if waitpid($self->{pid}, POSIX::WNOHANG()) == 0;
    $self->{pid} = 0;
    return 1;
}

# graceful: requests under way are finished; otherwise all at once.
sub restart {
    my ($self, $how) = @_;
    my $before = $self->log->count(qr/resuming normal operations/);
    kill(($how // '') eq 'graceful' ? 'USR1' : 'HUP', $self->{pid});
    my $until = time + 30;
    while (time < $until) {
        die "httpd ended instead of restarting\n" if $self->_has_ended;
        return if $self->log->count(qr/resuming normal operations/) > $before
            && $self->answers;
        select undef, undef, undef, 0.05;
    }
    die "httpd did not restart within 30 seconds\n";
}

sub stop {
    my ($self) = @_;
    for my $signal ('TERM', 'KILL') {
        last if $self->_has_ended;
        kill $signal, $self->{pid};
        my $until = time + 15;
        while (time < $until && !$self->_has_ended) {
            select undef, undef, undef, 0.02;
        }
    }
    return;
}

# The processes that serve.
sub children {
    my ($self) = @_;
    open my $in, '<', "/proc/$self->{pid}/task/$self->{pid}/children"
        or return;
    return split ' ', <$in> // '';
}

1;
