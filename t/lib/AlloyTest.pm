package AlloyTest;

# Black-box tests of Alloy: a real httpd, a real PostgreSQL, and what tests
# need to talk to them. See t/README.md.

use strict;
use warnings;

use AlloyTest::Answer;
use AlloyTest::Cluster;
use AlloyTest::Httpd;
use AlloyTest::Plugins;
use Exporter ();
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes ();

our @ISA = ('Exporter');
our @EXPORT = qw(is_problem wait_for status_is json_true json_false);

my $PREFIX = '/api/v1';
my $PASSWORD = 'correct horse battery staple';
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my (@servers, $people);

$SIG{INT} = $SIG{TERM} = sub { exit 130 };

# A file that says "# plugin: finance" in its first comment is about that plugin,
# and has nothing to say without it.
sub import {
    my ($class) = @_;
    if (open my $in, '<', $0) {
        while (defined(my $line = <$in>) && $. < 30) {
            last unless $line =~ /^#/;
            my ($name) = $line =~ /^# plugin: (\w+)$/ or next;
            plan(skip_all => "without the plugin $name")
                unless grep { $_ eq $name } AlloyTest::Plugins::names();
        }
    }
    return $class->export_to_level(1, @_);
}

# ---- servers ----------------------------------------------------------------

# A database and a httpd. Options:
#   conf      more configuration of the server
#   location  more configuration inside the API's <Location>
#   children  httpd processes (1)
#   plugins   [names] of the plugins to load (all of this run)
#   own       true: a PostgreSQL cluster of its own, which may be stopped
#   with      another server, to share its database
#   httpd     0: only a database
sub start {
    my ($class, %option) = @_;
    my $with = delete $option{with};
    my $httpd = delete $option{httpd} // 1;
    my $own = delete $option{own};
    my $self = bless { options => \%option }, $class;
    $self->{cluster} = $with ? $with->{cluster}
        : $own ? AlloyTest::Cluster->new : AlloyTest::Cluster->shared;
    $self->{own} = $own;
    $self->{database} = $with ? $with->{database}
        : "alloy_${$}_" . (1 + @servers);
    $self->{cluster}->make_database($self->{database}) unless $with;
    push @servers, $self;
    return $self unless $httpd;
    $self->{httpd} = AlloyTest::Httpd->new(
        dir => $self->{cluster}->dir,
        database => $self->{cluster}->conninfo($self->{database}, 'alloy_app'),
        $with ? (like => $with->{httpd}) : (), %option);
    $self->_connect;
    return $self;
}

# HTTP::Tiny writes header and body apart, and the kernel keeps the second back
# for 40 ms unless it is told not to.
{
    no warnings 'redefine';
    my $connect = \&HTTP::Tiny::Handle::connect;
    *HTTP::Tiny::Handle::connect = sub {
        my $handle = $connect->(@_);
        setsockopt $handle->{fh}, IPPROTO_TCP, TCP_NODELAY, 1;
        return $handle;
    };
}

# A new client: connections of before a restart are of no use.
sub _connect {
    my ($self) = @_;
    $self->{client} = HTTP::Tiny->new(timeout => 60, max_redirect => 0,
        keep_alive => 1, proxy => undef, http_proxy => undef,
        agent => 'alloy-test');
    return;
}

# 'graceful', or all at once.
sub restart {
    my ($self, $how) = @_;
    $self->{httpd}->restart($how);
    $self->_connect;
    return;
}

# Ends httpd; its error log is still looked at in the end.
sub stop {
    my ($self) = @_;
    $self->{httpd}->stop;
    return;
}

# Starts httpd again after stop, on the same port.
sub start_again {
    my ($self) = @_;
    $self->{httpd}->start;
    $self->_connect;
    return;
}

# Only of a cluster of one's own: others use the shared one. 'fast' or
# 'immediate', which is a crash.
sub postgres_stop {
    my ($self, $how) = @_;
    die "start(own => 1) first\n" unless $self->{own};
    delete $self->{handles};
    $self->{cluster}->stop($how);
    return;
}

sub postgres_start {
    my ($self) = @_;
    die "start(own => 1) first\n" unless $self->{own};
    $self->{cluster}->start;
    return;
}

# {httpd} and {postgres}: the main processes; {children}: [...] of httpd.
sub pids {
    my ($self) = @_;
    return { httpd => $self->{httpd}->pid, postgres => $self->{cluster}->pid,
        children => [ $self->{httpd}->children ] };
}

sub port { return $_[0]{httpd}->port }
sub dir  { return $_[0]{httpd}->dir }
sub base { return 'http://127.0.0.1:' . $_[0]->port }
sub database { return $_[0]{database} }

# Lines of httpd's error log.
sub log_lines { return $_[0]{httpd}->log->lines }

# Announces lines of level warn or worse; each pattern must come at least once.
sub expect_log {
    my ($self, @patterns) = @_;
    $self->{httpd}->log->expect(@patterns);
    return;
}

# ---- the database -----------------------------------------------------------

# A DBI handle as 'app' (httpd's role), 'owner' or 'admin'.
sub dbh {
    my ($self, $who) = @_;
    $who //= 'admin';
    my $dbh = $self->{handles}{$who};
    return $dbh if $dbh && $dbh->ping;
    my %role = (app => 'alloy_app', owner => 'postgres', admin => 'postgres',
        backup => 'alloy_backup');
    $dbh = $self->{cluster}->connect($self->{database},
        $role{$who} // die "dbh: app, owner, backup or admin, not $who\n");
    $dbh->do('SET ROLE alloy_owner') if $who eq 'owner';
    return $self->{handles}{$who} = $dbh;
}

# A connection nobody else has, for tests of two that meet.
sub new_dbh {
    my ($self, $who) = @_;
    local $self->{handles} = {};
    return $self->dbh($who);
}

# Rows as the administrator sees them, that is, all: [{column => value}].
sub rows {
    my ($self, $sql, @bind) = @_;
    return $self->dbh('admin')->selectall_arrayref($sql, { Slice => {} },
        @bind);
}

# ---- requests ---------------------------------------------------------------
#
# Paths are below /api/v1; "root:/healthz" is at the server's root. Options:
#   token    an access token or key, or a person made by register
#   headers  {name => value}
#   query    {name => value or [values]}
#   json     Perl data to send; body, type: bytes to send, and what they are

sub get     { my ($self, $path, @o) = @_; $self->request('GET', $path, @o) }
sub head    { my ($self, $path, @o) = @_; $self->request('HEAD', $path, @o) }
sub options { my ($self, $path, @o) = @_; $self->request('OPTIONS', $path, @o) }
sub delete  { my ($self, $path, @o) = @_; $self->request('DELETE', $path, @o) }

# The second argument is the body as Perl data; undef sends none.
# Does every child answer a GET with this status? Nobody can choose the child
# that a connection comes to, so many are asked.
sub all_answer {
    my ($self, $path, $status) = @_;
    for (1 .. 10 * (@{ $self->pids->{children} } || 1)) {
        return 0 if $self->get($path, headers => { Connection => 'close' })
            ->status != $status;
    }
    return 1;
}

sub post  { my ($self, @o) = @_; $self->_send('POST', @o) }
sub patch { my ($self, @o) = @_; $self->_send('PATCH', @o) }
sub put   { my ($self, @o) = @_; $self->_send('PUT', @o) }

sub _send {
    my ($self, $method, $path, $data, %option) = @_;
    $option{json} = $data if defined $data;
    return $self->request($method, $path, %option);
}

sub request {
    my ($self, $method, $path, %option) = @_;
    my %headers = %{ $option{headers} || {} };
    if (defined(my $token = $option{token})) {
        $token = $token->{token} if ref $token;
        $headers{Authorization} = "Bearer $token";
    }
    my $body = $option{body};
    if (exists $option{json}) {
        $body = $json->encode($option{json});
        $headers{'Content-Type'} = 'application/json';
    }
    $headers{'Content-Type'} = $option{type} if defined $option{type};
    my $got = $self->{client}->request($method,
        $self->url($path, $option{query}),
        { headers => \%headers, defined $body ? (content => $body) : () });
    die "no answer to $method $path: $got->{content}\n"
        if $got->{status} == 599;
    my $answer = AlloyTest::Answer->new(method => $method, path => $path,
        status => $got->{status}, headers => $got->{headers},
        body => $got->{content} // '', server => $self);
    $self->_record($answer, $option{query});
    return $answer;
}

# The whole address of a path.
sub url {
    my ($self, $path, $query) = @_;
    my $url = $path =~ /^https?:/ ? $path
        : $path =~ /^root:(.*)/s ? $self->base . $1
        : $self->base . "$PREFIX$path";
    return $url unless $query && %$query;
    my @pairs;
    for my $name (sort keys %$query) {
        my $value = $query->{$name};
        push @pairs, map { _escape($name) . '=' . _escape($_) }
            ref $value ? @$value : $value;
    }
    return $url . ($url =~ /\?/ ? '&' : '?') . join '&', @pairs;
}

sub _escape {
    my ($text) = @_;
    utf8::encode($text);
    $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge;
    return $text;
}

# Sends bytes as they are on a connection of their own; answers all that came
# until the server closed it.
sub raw {
    my ($self, $bytes) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->port, Timeout => 10) or die "connect: $!";
    local $SIG{PIPE} = 'IGNORE';
    print {$socket} $bytes;
    $socket->flush;
    $socket->shutdown(1);
    local $/;
    return scalar <$socket>;
}

# Everything that was answered, for the last file of the run to look at.
sub _record {
    my ($self, $answer, $query) = @_;
    $self->{record} //= do {
        open my $out, '>>', $self->{cluster}->dir . "/answers-$$.jsonl"
            or die "answers: $!";
        $out->autoflush(1);
        $out;
    };
    my $url = $self->url($answer->path, $query);
    return unless $url =~ m{^\Q${\ $self->base}\E(/.*)$}s;
    my $body = $answer->body;
    print { $self->{record} } $json->encode({
        method => $answer->method, path => $1, status => 0 + $answer->status,
        type => $answer->type, file => $0,
        plugins => join(' ', $self->{httpd}->plugins),
        utf8::decode($body) ? (body => $body) : () }), "\n";
    return;
}

# ---- makers -----------------------------------------------------------------

# Data of an answer that must have this status; the test ends if not.
sub must {
    my ($self, $status, $answer) = @_;
    die 'expected ' . $status . ', got: ' . $answer->text . "\n"
        unless $answer->status == $status;
    return length $answer->body ? $answer->json : undef;
}

# A new person: {token, refresh, user_id, org_id, email, name, password}.
sub register {
    my ($self, %who) = @_;
    my $number = ++$people;
    my $email = $who{email} // "person$number.$$\@example.com";
    my $name = $who{name} // "Person $number of $$";
    my $got = $self->must(201, $self->post('/auth/register', {
        email => $email, password => $who{password} // $PASSWORD,
        display_name => $name,
        $who{invite_code} ? (invite_code => $who{invite_code}) : () }));
    my $me = $self->must(200,
        $self->get('/auth/me', token => $got->{access_token}));
    return { token => $got->{access_token}, refresh => $got->{refresh_token},
        user_id => $got->{user_id}, org_id => $me->{org_id}, email => $email,
        name => $name, password => $who{password} // $PASSWORD };
}

# A new person who joined an organization: org (an id), by (an Admin), role.
sub member {
    my ($self, %who) = @_;
    my ($org, $by, $role) = delete @who{qw(org by role)};
    $who{email} //= 'member' . ++$people . ".$$\@example.com";
    my $invite = $self->must(201, $self->post("/orgs/$org/invites",
        { email => $who{email}, role => $role || 'Member' }, token => $by));
    my $person = $self->register(%who, invite_code => $invite->{invite_code});
    $person->{org_id} = $org;
    return $person;
}

# Each makes one, for a person, and answers what the server answered.
sub org {
    my ($self, $person, %fields) = @_;
    $fields{name} //= 'Organization ' . ++$people . " of $$";
    return $self->must(201, $self->post('/orgs', \%fields, token => $person));
}

sub project {
    my ($self, $person, %fields) = @_;
    my $number = ++$people;
    $fields{name} //= "Project $number";
    $fields{key} //= "P$number";
    $fields{org_id} //= $person->{org_id} if ref $person;
    return $self->must(201,
        $self->post('/projects', \%fields, token => $person));
}

# project: an id or a key.
sub ticket {
    my ($self, $person, $project, %fields) = @_;
    $fields{title} //= 'Ticket ' . ++$people;
    return $self->must(201, $self->post("/projects/$project/tickets",
        \%fields, token => $person));
}

# ---- assertions -------------------------------------------------------------

sub json_true  { return JSON::PP::true }
sub json_false { return JSON::PP::false }

# The status alone says little: use it before looking at the answer.
sub status_is {
    my ($answer, $status, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $name //= $answer->method . ' ' . $answer->path . " answers $status";
    return ok($answer->status == $status, $name)
        || diag($answer->text);
}

# A problem (RFC 9457) in all its parts. More:
#   errors => {'/title' => 'required', limit => 'out_of_range'}
#             exactly these places, pointers or parameters, with these codes;
#             undef as a code stands for any
#   errors => ['/title', ...]      the same without codes
#   detail => qr/.../              anything else: members of the problem
sub is_problem {
    my ($answer, $status, $code, %more) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $name = delete $more{name}
        // $answer->method . ' ' . $answer->path . " is $status $code";
    my @faults = _problem_faults($answer, $status, $code, \%more);
    return ok(1, $name) unless @faults;
    ok(0, $name);
    diag($_) for @faults, $answer->text;
    return 0;
}

sub _problem_faults {
    my ($answer, $status, $code, $more) = @_;
    my @faults;
    push @faults, 'the status is ' . $answer->status
        if $answer->status != $status;
    push @faults, 'the type is "' . $answer->type . '"'
        if $answer->type ne 'application/problem+json';
    my $problem = eval { $answer->json };
    return (@faults, 'the body is no JSON object')
        unless ref $problem eq 'HASH';
    push @faults, map {"\"$_\" is missing"}
        grep { !length($problem->{$_} // '') }
        qw(type title status detail code request_id);
    push @faults, 'code is ' . ($problem->{code} // 'missing')
        if ($problem->{code} // '') ne $code;
    push @faults, 'status in the body differs'
        if ($problem->{status} // 0) != $answer->status;
    push @faults, 'type does not end in /problems/' . $code
        if ($problem->{type} // '') !~ m{/problems/\Q$code\E$};
    push @faults, 'request_id is not the one of X-Request-Id'
        if ($problem->{request_id} // '')
        ne ($answer->header('X-Request-Id') // '');
    push @faults, 'detail is no sentence'
        if ($problem->{detail} // '') !~ /^.{10,}[.?!]$/s;
    push @faults, 'no WWW-Authenticate'
        if $answer->status == 401 && !$answer->header('WWW-Authenticate');
    my $errors = delete $more->{errors};
    push @faults, _error_faults($problem->{errors}, $errors) if $errors;
    push @faults, map { _member_fault($problem, $_, $more->{$_}) }
        sort keys %$more;
    return @faults;
}

sub _error_faults {
    my ($got, $wanted) = @_;
    return 'errors is no array' unless ref $got eq 'ARRAY';
    my %wanted = ref $wanted eq 'HASH' ? %$wanted
        : map { $_ => undef } @$wanted;
    my @faults;
    my %got = map { ($_->{pointer} // $_->{parameter} // '?') => $_ } @$got;
    push @faults, map {"no error at $_"} grep { !$got{$_} } sort keys %wanted;
    push @faults, map {"an error at $_"}
        grep { !exists $wanted{$_} } sort keys %got;
    for my $place (grep { $got{$_} && defined $wanted{$_} } sort keys %wanted) {
        push @faults, "the error at $place is $got{$place}{code}"
            if $got{$place}{code} ne $wanted{$place};
    }
    push @faults, map {"the error at $_ has no detail"}
        grep { !length($got{$_}{detail} // '') } sort keys %got;
    return @faults;
}

sub _member_fault {
    my ($problem, $name, $wanted) = @_;
    my $got = $problem->{$name};
    return "no member $name" unless exists $problem->{$name};
    if (ref $wanted eq 'Regexp') {
        return $got =~ $wanted ? () : "$name is \"$got\"";
    }
    my ($is, $should) = map { $json->encode($_) } $got, $wanted;
    return $is eq $should ? () : "$name is $is";
}

# wait_for { condition } 'what', seconds: asks again and again until the
# condition holds (10 seconds), and is a test of its own.
sub wait_for (&$;$) {
    my ($condition, $what, $seconds) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $until = Time::HiRes::time() + ($seconds // 10);
    my $value = $condition->();
    while (!$value && Time::HiRes::time() < $until) {
        select undef, undef, undef, 0.02;
        $value = $condition->();
    }
    ok($value, $what);
    return $value;
}

# ---- the end ----------------------------------------------------------------

# After the tests: the servers end, and their logs have the last word.
END {
    my $status = $?;
    my @faults;
    for my $server (@servers) {
        delete $server->{handles};
        my $httpd = $server->{httpd} or next;
        $httpd->stop;
        push @faults, $httpd->log->faults;
    }
    for my $server (@servers) {
        if ($server->{own}) {
            $server->{cluster}->end;
        } else {
            eval { $server->{cluster}->drop_database($server->{database}) };
        }
    }
    diag($_) for @faults;
    $? = $status || (@faults ? 1 : 0);
}

1;
