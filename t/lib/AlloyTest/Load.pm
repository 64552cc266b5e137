package AlloyTest::Load;

# Clients that go on reading and creating tickets while something goes wrong,
# and what may be said about their answers afterwards.
#
#   my $load = AlloyTest::Load->start($server, $person, 'WEB',
#       clients => [qw(mixed mixed read write)]);
#   ...
#   my @records = $load->stop;
#
# A client is a process of its own. With keep_alive => 0 it takes a connection
# for each request. A record is {at, took, kind, status, code, title, number,
# fault}: "kind" is read or write, times are seconds, "status" is 599 when no
# answer came, and "fault" says what is wrong with an answer.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Time::HiRes ();

my $json = JSON::PP->new->utf8->canonical;
my $loads = 0;

# Words of PostgreSQL or its client library: no caller must ever read them.
our $DATABASE_TEXT = qr/FATAL|ERROR:|SQLSTATE|libpq|postgres|alloy_app
    |server\ closed|terminating|relation\ "|\.s\.PGSQL|connection\ to\ server
    |\btimeout\ expired|SELECT\s/xi;

# One client in this process, for its "ask": server, token, keep_alive.
sub new {
    my ($class, %self) = @_;
    return bless { keep_alive => 1, %self }, $class;
}

sub start {
    my ($class, $server, $person, $project, %option) = @_;
    my $self = $class->new(server => $server, token => $person->{token},
        project => $project, %option, name => 'load' . ++$loads, pids => []);
    $self->{files} = $server->dir . "/$self->{name}";
    pipe my $stop, $self->{stop} or die "pipe: $!";
    my $number = 0;
    for my $kind (@{ $self->{clients} || [ ('mixed') x 4 ] }) {
        $self->_fork($stop, $kind, ++$number);
    }
    return $self;
}

sub _fork {
    my ($self, $stop, $kind, $number) = @_;
    my $pid = fork // die "fork: $!";
    if ($pid) {
        push @{ $self->{pids} }, $pid;
        return;
    }
    $SIG{INT} = $SIG{TERM} = 'DEFAULT';
    close $self->{stop};        # else its end would never be seen
    eval { $self->_run($stop, $kind, $number); 1 } or warn $@;
    POSIX::_exit(0);
}

# ---- a client ---------------------------------------------------------------

sub _run {
    my ($self, $stop, $kind, $number) = @_;
    open my $out, '>', "$self->{files}.$number" or die "$self->{files}: $!";
    my $turn = 0;
    until (_is_ended($stop)) {
        $turn++;
        my $does = $kind eq 'mixed' ? (qw(read write))[ $turn % 2 ] : $kind;
        my $record = $does eq 'read' ? $self->_read($turn)
            : $self->_create("$self->{name} $number-$turn");
        syswrite $out, $json->encode($record) . "\n";
        # Refusals come at once: nobody learns more from millions of them.
        select undef, undef, undef,
            $record->{status} < 300 ? ($self->{pause} // 0.005) : 0.02;
    }
    return;
}

sub _is_ended {
    my ($stop) = @_;
    my $bits = '';
    vec($bits, fileno $stop, 1) = 1;
    return select $bits, undef, undef, 0;
}

sub _read {
    my ($self, $turn) = @_;
    my $path = $turn % 5 ? "/tickets/$self->{project}-1"
        : "/projects/$self->{project}/tickets?limit=5";
    return $self->_send('read', "GET $path");
}

sub _create {
    my ($self, $title) = @_;
    my $record = $self->_send('write',
        "POST /projects/$self->{project}/tickets",
        $json->encode({ title => $title }));
    $record->{title} = $title;
    return $record;
}

sub _send {
    my ($self, $kind, $what, $body) = @_;
    my $at = Time::HiRes::time();
    my $got = $self->ask($what, $body);
    my $data = eval { $json->decode($got->{content}) };
    return { at => $at, took => Time::HiRes::time() - $at, kind => $kind,
        status => $got->{status}, code => $data->{code},
        number => $data->{ticket_number},
        fault => scalar _fault($kind, $got, $data) };
}

# ---- HTTP -------------------------------------------------------------------
#
# HTTP::Tiny sends head and body of a POST apart, and then the system waits 40
# ms between them; it also repeats requests by itself, which would hide things.

# WHAT is "GET /path"; answers {status, headers, content}.
sub ask {
    my ($self, $what, $body) = @_;
    my ($method, $path) = split ' ', $what;
    my $request = join "\r\n", "$method /api/v1$path HTTP/1.1",
        'Host: 127.0.0.1', "Authorization: Bearer $self->{token}",
        $self->{keep_alive} ? () : 'Connection: close',
        defined $body ? ('Content-Type: application/json',
            'Content-Length: ' . length $body) : (), '', $body // '';
    # The server may close an idle connection at any time.
    delete $self->{socket} if $self->{socket} && _is_ended($self->{socket});
    my $got = eval { $self->_exchange($request) }
        // { status => 599, headers => {}, content => $@ };
    delete $self->{socket} if $got->{status} == 599 || !$self->{keep_alive}
        || ($got->{headers}{connection} // '') =~ /close/i;
    return $got;
}

sub _exchange {
    my ($self, $request) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my $socket = $self->{socket} //= IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $self->{server}->port,
        Timeout => 5) // die "connect: $!\n";
    defined syswrite $socket, $request or die "write: $!\n";
    my $text = '';
    _more($socket, \$text) until $text =~ /\r\n\r\n/;
    my ($head, $content) = split /\r\n\r\n/, $text, 2;
    my ($status) = $head =~ m{^HTTP/1\.1 (\d{3})} or die "no HTTP: $head\n";
    my %headers = map { /^([^:]+):\s*(.*)/ ? (lc $1 => $2) : () }
        split /\r\n/, $head;
    my $length = $headers{'content-length'} // die "no length: $head\n";
    _more($socket, \$content) while length $content < $length;
    return { status => $status, headers => \%headers, content => $content };
}

sub _more {
    my ($socket, $text) = @_;
    my $bits = '';
    vec($bits, fileno $socket, 1) = 1;
    select $bits, undef, undef, 20 or die "no answer in 20 seconds\n";
    my $got = sysread $socket, $$text, 65536, length $$text;
    die 'read: ' . ($got // $!) . " after \"$$text\"\n" unless $got;
    return;
}

# ---- what answers are worth -------------------------------------------------

# What is wrong with an answer, whatever happens to the server: undef if nothing.
sub _fault {
    my ($kind, $got, $data) = @_;
    return "no answer: $got->{content}" if $got->{status} == 599;
    return "words of the database: $got->{content}"
        if $got->{content} =~ $DATABASE_TEXT;
    return if $got->{status} == ($kind eq 'read' ? 200 : 201)
        && ref $data eq 'HASH';
    return "status $got->{status}: $got->{content}" if $got->{status} != 503;
    return "503 without Retry-After: $got->{content}"
        unless ($got->{headers}{'retry-after'} // '') =~ /^[1-9]\d*$/;
    return "503 that is no problem: $got->{content}"
        unless ($got->{headers}{'content-type'} // '')
        =~ m{^application/problem\+json} && ($data->{status} // 0) == 503;
    my $codes = $kind eq 'read' ? qr/^unavailable$/
        : qr/^(?:unavailable|outcome_unknown)$/;
    return "503 with the code $data->{code}: $got->{content}"
        unless $data->{code} =~ $codes;
    return;
}

# ---- the records ------------------------------------------------------------

# Lets every client finish its request; answers what they saw, in order.
sub stop {
    my ($self) = @_;
    close delete $self->{stop};
    local $?;
    waitpid $_, 0 for @{ $self->{pids} };
    my @records;
    for my $file (glob "$self->{files}.*") {
        open my $in, '<', $file or die "$file: $!";
        push @records, map { $json->decode($_) } <$in>;
        close $in;
        unlink $file;
    }
    return sort { $a->{at} <=> $b->{at} } @records;
}

# A client that was started but whose test died must not go on for ever.
sub DESTROY {
    my ($self) = @_;
    close delete $self->{stop} if $self->{stop};
    return;
}

# What the answers say that the database does not, and the other way round:
# sentences, none when all is well. The project is the load's own.
sub lost_or_doubled {
    my ($self, @records) = @_;
    my $server = $self->{server};
    my ($project) = @{ $server->rows('SELECT id, org_id, ticket_counter
        FROM alloy.project WHERE key = ?', $self->{project}) };
    my $rows = $server->rows('SELECT t.title, t.ticket_number AS number,
            (SELECT count(*) FROM alloy.change c
              WHERE c.org_id = t.org_id AND c.entity_type = \'ticket\'
                AND c.entity_id = t.id) AS changes
        FROM alloy.ticket t WHERE t.org_id = ? AND t.project_id = ?
        ORDER BY t.ticket_number', @$project{qw(org_id id)});
    my @faults;
    my %row;
    for my $row (@$rows) {
        push @faults, "\"$row->{title}\" is there twice"
            if $row{ $row->{title} };
        $row{ $row->{title} } = $row;
        push @faults, "\"$row->{title}\" has $row->{changes} changes logged"
            if $row->{changes} != 1;
    }
    my @numbers = map { $_->{number} } @$rows;
    push @faults, 'numbers are not 1 to ' . @numbers
        if "@numbers" ne join ' ', 1 .. @numbers;
    push @faults, "the counter is at $project->{ticket_counter}, not "
        . @numbers if $project->{ticket_counter} != @numbers;
    for my $record (grep { $_->{title} } @records) {
        push @faults, _disagreement($record, $row{ $record->{title} });
    }
    return @faults;
}

sub _disagreement {
    my ($record, $row) = @_;
    if ($record->{status} == 201) {
        return "\"$record->{title}\" was acknowledged and is lost" if !$row;
        return "\"$record->{title}\" is number $row->{number}, not "
            . "$record->{number}" if $row->{number} != $record->{number};
    }
    elsif ($row && ($record->{code} // '') eq 'unavailable') {
        return "\"$record->{title}\" was refused and is there";
    }
    return;
}

1;
