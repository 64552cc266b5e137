package AlloyTest::Walk;

# Every operation of /openapi.json as a request that can succeed, for tests
# that go through all of them. A new operation usually needs nothing here; one
# with a path parameter or a required key of a new kind needs a row in %MAKE,
# one that wants more than its required keys a row in %BODY.

use strict;
use warnings;

use AlloyTest::Plugins;

my $number = 0;

# Makes what a path parameter or a key refers to: (server, place), to its id.
# A place says where: org, by (an Owner), people who join new projects.
my %MAKE = (
    org     => sub { $_[1]{org} },
    org_id  => sub { $_[1]{org} },
    project => \&_project,
    ticket  => sub {
        my ($server, $place) = @_;
        return $server->ticket($place->{by}, id($server, $place, 'project'))
            ->{id};
    },
    comment => sub {
        my ($server, $place) = @_;
        my $ticket = id($server, $place, 'ticket');
        return $server->must(201, $server->post("/tickets/$ticket/comments",
            { body => 'A comment' }, token => $place->{author}
            // $place->{by}))->{id};
    },
    change => \&_change,
    sprint => sub {
        my ($server, $place) = @_;
        my $project = id($server, $place, 'project');
        return $server->must(201, $server->post("/projects/$project/sprints",
            { name => 'A sprint' }, token => $place->{by}))->{id};
    },
    ticket_id => sub {
        my ($server, $place) = @_;
        return $server->ticket($place->{by}, id($server, $place, 'project'))
            ->{id};
    },
    link => sub {
        my ($server, $place) = @_;
        my $ticket = id($server, $place, 'ticket');
        my $other = $server->ticket($place->{by},
            id($server, $place, 'project'))->{id};
        return $server->must(201, $server->post("/tickets/$ticket/links",
            { type => 'relates', ticket_id => $other },
            token => $place->{by}))->{id};
    },
    team => sub {
        my ($server, $place) = @_;
        return $server->must(201, $server->post(
            "/orgs/$place->{org}/teams", { name => _name() },
            token => $place->{by}))->{id};
    },
    entity_type => sub {'ticket'},
    entity      => sub { id($_[0], $_[1], 'ticket') },
    key         => sub {
        my ($server, $place) = @_;
        my $ticket = id($server, $place, 'ticket');
        my $key = 'key' . ++$number;
        $server->must(200, $server->request('PUT',
            "/orgs/$place->{org}/ticket/$ticket/tags",
            json => { tags => [ { key => $key } ], mode => 'add' },
            token => $place->{by}));
        return $key;
    },
    label => sub {
        my ($server, $place) = @_;
        my $label = $server->must(201, $server->post(
            "/orgs/$place->{org}/labels", { name => _name() },
            token => $place->{by}))->{id};
        return $label unless $place->{ticket};
        $server->must(200, $server->post(
            "/tickets/$place->{ticket}/labels/$label", undef,
            token => $place->{by}));
        return $label;
    },
    user => sub {
        my ($server, $place) = @_;
        my $person = $server->member(org => $place->{org}, by => $place->{by},
            role => 'Member');
        my $project = $place->{project} or return $person->{user_id};
        $server->must(201, $server->post("/projects/$project/members",
            { user_id => $person->{user_id} }, token => $place->{by}));
        return $person->{user_id};
    },
    user_id => sub { id($_[0], $_[1], 'user') },
    invite  => sub {
        my ($server, $place) = @_;
        return $server->must(201, $server->post("/orgs/$place->{org}/invites",
            { email => _email() }, token => $place->{by}))->{id};
    },
    AlloyTest::Plugins::facts('make'),
);

# Bodies, where "all required keys" isn't it: (server, place, caller). Path
# parameters of the operation's own go into {path}.
my %BODY = (
    api_key_delete => sub {
        my ($server, $place, $caller) = @_;
        return { path => { id => $server->must(201, $server->post(
            '/auth/api-keys', { name => 'To be deleted' },
            token => $place->{owns} // $caller))->{id} } };
    },
    session_end => sub {
        my ($server, $place, $caller) = @_;
        my $person = $place->{owns} // $caller;
        my $token = login($server, $person)->{access_token};
        my ($newest) = @{ $server->must(200, $server->get('/auth/sessions',
            token => $token))->{items} };
        return { path => { id => $newest->{id} } };
    },
    change_revert => sub { { path => { change => _change(@_) } } },
    auth_password => sub {
        my ($server, $place, $caller) = @_;
        return { json => { current => $caller->{password},
            new => $caller->{password} } };
    },
    auth_me_update => sub { { json => { display_name => _name() } } },
    batch          => sub { { json => { operations => [
        { method => 'GET', path => '/auth/me' }] } } },
    org_create     => sub { { json => { name => _name() } } },
    org_update     => sub { { json => { name => _name() } } },
    org_delete     => sub {
        my ($server, $place, $caller) = @_;
        return { path => { org => $place->{doomed}{id} },
            json => { confirm => $place->{doomed}{slug} } };
    },
    project_create => sub {
        my ($server, $place) = @_;
        return { json => { org_id => $place->{org}, name => _name(),
            key => _key() } };
    },
    project_update    => sub { { json => { name => _name() } } },
    ticket_update     => sub { { json => { title => _name() } } },
    ticket_transition => sub {
        { json => { status => ++$number % 2 ? 'Todo' : 'InProgress' } }
    },
    sprint_update     => sub { { json => { name => _name() } } },
    sprint_start      => sub { { path => { sprint => _sprint(@_) } } },
    sprint_complete   => sub {
        my ($server, $place) = @_;
        my $sprint = _sprint(@_);
        $server->must(200, $server->post("/sprints/$sprint/start", undef,
            token => $place->{by}));
        return { path => { sprint => $sprint }, json => {} };
    },
    sprint_ticket_add => sub {
        my ($server, $place) = @_;
        return { json => { tickets => [ id($server, $place, 'ticket') ] } };
    },
    sprint_ticket_remove => sub {
        my ($server, $place) = @_;
        my ($sprint, $ticket) = map { id($server, $place, $_) }
            qw(sprint ticket);
        $server->must(200, $server->post("/sprints/$sprint/tickets",
            { tickets => [$ticket] }, token => $place->{by}));
        return {};
    },
    team_member_remove => sub {
        my ($server, $place) = @_;
        my ($team, $user) = map { id($server, $place, $_) } qw(team user);
        $server->post("/teams/$team/members", { user_id => $user },
            token => $place->{by});
        return {};
    },
    watcher_remove => sub {
        my ($server, $place) = @_;
        my ($ticket, $user) = map { id($server, $place, $_) }
            qw(ticket user);
        $server->post("/tickets/$ticket/watchers", { user_id => $user },
            token => $place->{by});
        return {};
    },
    team_update     => sub { { json => { name => _name() } } },
    tag_set         => sub { { json => { tags => [ { key => _key() } ] } } },
    label_create    => sub { { json => { name => _name() } } },
    label_update    => sub { { json => { name => _name() } } },
    comment_update  => sub { { json => { body => _name() } } },
    member_set_role => sub { { json => { role => 'Member' } } },
    invite_create   => sub { { json => { email => _email() } } },
    invite_accept   => sub {
        { json => { code => _code(@_) } }
    },
    invite_accept_link => sub { { path => { code => _code(@_) } } },
    AlloyTest::Plugins::facts('body'),
);

# A change that can be undone, once.
sub _change {
    my ($server, $place) = @_;
    my $ticket = id($server, $place, 'ticket');
    return $server->patch("/tickets/$ticket", { title => _name() },
        token => $place->{by})->header('Alloy-Change-Id');
}

sub _name  { return 'Name ' . ++$number . " of $$" }
sub _key   { return 'W' . ++$number }
sub _email { return 'walk' . ++$number . ".$$\@example.com" }

sub _project {
    my ($server, $place) = @_;
    my $project = $server->project($place->{by}, org_id => $place->{org},
        key => _key());
    for my $person (@{ $place->{people} || [] }) {
        $server->must(201, $server->post("/projects/$project->{id}/members",
            { user_id => $person->{user_id} }, token => $place->{by}));
    }
    return $project->{id};
}

# A sprint of its own: one is started only once.
sub _sprint {
    my ($server, $place) = @_;
    return $MAKE{sprint}->($server, $place);
}

# An invite for the caller into an organization he is not in.
sub _code {
    my ($server, $place, $caller) = @_;
    my $host = $place->{host};
    my $org = $server->org($host);
    return $server->must(201, $server->post("/orgs/$org->{id}/invites",
        { email => $caller->{email} }, token => $host))->{invite_code};
}

sub login {
    my ($server, $person) = @_;
    return $server->must(200, $server->post('/auth/login',
        { email => $person->{email}, password => $person->{password} }));
}

# ---- the table --------------------------------------------------------------

sub new {
    my ($class, $server) = @_;
    my $document = $server->must(200, $server->get('root:/openapi.json'));
    my $self = bless { server => $server, document => $document }, $class;
    for my $path (sort keys %{ $document->{paths} }) {
        my $methods = $document->{paths}{$path};
        push @{ $self->{operations} },
            map { $self->_operation($path, $_, $methods->{$_}) }
            grep { ref $methods->{$_} eq 'HASH' } sort keys %$methods;
    }
    return $self;
}

sub _operation {
    my ($self, $path, $method, $row) = @_;
    my $body = ($row->{requestBody}{content} || {})->{'application/json'};
    return { id => $row->{operationId}, method => uc $method, path => $path,
        role => $row->{'x-role'}, noun => $row->{tags}[0],
        names => [ $path =~ /\{(\w+)\}/g ],
        query => { map { $_->{name} => $_->{schema} }
            grep { $_->{in} eq 'query' } @{ $row->{parameters} || [] } },
        asks => [ map { $_->{name} } grep { $_->{in} eq 'query'
            && $_->{required} } @{ $row->{parameters} || [] } ],
        body => $body ? $self->_schema($body->{schema}) : undef };
}

sub _schema {
    my ($self, $schema) = @_;
    my ($name) = ($schema->{'$ref'} // '') =~ m{^#/components/schemas/(.*)$};
    return defined $name ? $self->{document}{components}{schemas}{$name}
        : $schema;
}

# {id, method, path, role, noun, names of path parameters, query, body} each.
sub operations { return @{ $_[0]{operations} } }

# By its id; NULL when no loaded plugin has it.
sub operation {
    my ($self, $id) = @_;
    my ($found) = grep { $_->{id} eq $id } $self->operations;
    return $found;
}

# Is it about something below a project, so that who sees that matters?
sub in_project {
    my ($operation) = @_;
    return scalar grep {/^(?:project|ticket|comment|sprint|time_entry)$/}
        @{ $operation->{names} };
}

# ---- requests ---------------------------------------------------------------

# The id of a thing of this place: what stands there, else a new one, which
# stands there from now on unless the place is to be used up.
sub id {
    my ($server, $place, $name) = @_;
    return $place->{$name} if defined $place->{$name};
    my $make = $MAKE{$name}
        or die "no row for \"$name\" in \%MAKE of AlloyTest::Walk\n";
    my $id = $make->($server, $place);
    $place->{$name} = $id;
    return $id;
}

# A request that can succeed: {method, path => {name => value}, query, json}.
sub request {
    my ($self, $operation, $place, $caller) = @_;
    my $server = $self->{server};
    my $more = $BODY{ $operation->{id} };
    my $own = $more ? $more->($server, $place, $caller) : {};
    my %path = map { $_ => $own->{path}{$_} // id($server, $place, $_) }
        @{ $operation->{names} };
    my $json = $own->{json};
    my $body = $operation->{body};
    if (!$json && $body) {
        $json = { map { $_ => $self->_value($place, $_,
            $body->{properties}{$_}) } @{ $body->{required} || [] } };
    }
    my %query = map { $_ => $self->_value($place, $_,
        $operation->{query}{$_}) } @{ $operation->{asks} };
    return { method => $operation->{method}, pattern => $operation->{path},
        path => \%path, query => \%query, json => $json };
}

my %SAMPLE = (
    date          => sub {'2026-04-01'},
    'date-time'   => sub {'2026-04-01T08:00:00Z'},
    email         => \&_email,
    'project-key' => \&_key,
    period        => sub {'2026-04'},
);

sub _value {
    my ($self, $place, $name, $schema) = @_;
    return id($self->{server}, $place, $name) if $MAKE{$name};
    $schema = $self->_schema($schema);
    my $type = ref $schema->{type} ? $schema->{type}[0] : $schema->{type};
    return $schema->{enum}[0] if $schema->{enum};
    return $schema->{minimum} // 1 if $type =~ /^(?:integer|number)$/;
    return \1 if $type eq 'boolean';
    return [ map { $self->_value($place, $name, $schema->{items}) }
        1 .. ($schema->{minItems} // 1) ] if $type eq 'array';
    return { map { $_ => $self->_value($place, $_, $schema->{properties}{$_}) }
        @{ $schema->{required} || [] } } if $type eq 'object';
    return ($SAMPLE{ $schema->{format} // '' } // \&_name)->();
}

sub send {
    my ($self, $request, $token) = @_;
    my $path = $request->{pattern} =~ s/\{(\w+)\}/$request->{path}{$1}/gr;
    return $self->{server}->request($request->{method}, $path,
        defined $token ? (token => $token) : (),
        $request->{query} ? (query => $request->{query}) : (),
        $request->{json} ? (json => $request->{json}) : ());
}

1;
