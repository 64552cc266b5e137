package AlloyTest::Lists;

# Every list of /openapi.json that has pages, and how it gets one more row. A new
# list whose rows are made by a POST to its own path needs nothing here.

use strict;
use warnings;

use AlloyTest::Plugins;
use AlloyTest::Walk;

# What adds a row, where it is something else: (self).
my %ADD = (
    session_list    => \&_login,
    auth_event_list => \&_login,
    member_list     => sub {
        my ($self) = @_;
        $self->{server}->member(org => $self->{place}{org}, by => $self->{by});
    },
    link_list => sub {
        my ($self) = @_;
        my $other = $self->_ticket;
        $self->{server}->must(201, $self->{server}->post(
            "/tickets/$self->{place}{ticket}/links",
            { type => 'relates', ticket_id => $other }, token => $self->{by}));
    },
    tag_search => sub {
        my ($self) = @_;
        my $ticket = $self->_ticket;
        $self->{server}->must(200, $self->{server}->put(
            "/orgs/$self->{place}{org}/ticket/$ticket/tags",
            { tags => [ { key => 'mark' } ] }, token => $self->{by}));
    },
    activity_list => sub {
        my ($self) = @_;
        $self->{server}->must(200, $self->{server}->patch(
            "/tickets/$self->{place}{ticket}", { title => 'Title ' . rand },
            token => $self->{by}));
    },
);
my %MORE = AlloyTest::Plugins::facts('add');
# What is found is made elsewhere.
my %MADE_BY = (ticket_search => 'ticket_create');
# What a list must be asked for besides.
my %QUERY = (tag_search => { key => 'mark' });

# server; place, as AlloyTest::Walk has it; by: an Owner of its organization.
sub new {
    my ($class, %self) = @_;
    return bless { %self, walk => AlloyTest::Walk->new($self{server}) },
        $class;
}

# Operations, as AlloyTest::Walk has them.
sub all {
    my ($self) = @_;
    return grep { $_->{method} eq 'GET' && $_->{query}{cursor} }
        $self->{walk}->operations;
}

sub _login {
    my ($self) = @_;
    return AlloyTest::Walk::login($self->{server}, $self->{by});
}

sub _ticket {
    my ($self) = @_;
    my $project
        = AlloyTest::Walk::id($self->{server}, $self->{place}, 'project');
    return $self->{server}->ticket($self->{by}, $project)->{id};
}

sub add {
    my ($self, $list) = @_;
    my $id = $list->{id};
    return $ADD{$id}->($self) if $ADD{$id};
    return $MORE{$id}->($self->{server}, $self->{place}) if $MORE{$id};
    my $made_by = $MADE_BY{$id};
    my ($post) = grep { $made_by ? $_->{id} eq $made_by
        : $_->{method} eq 'POST' && $_->{path} eq $list->{path} }
        $self->{walk}->operations;
    die "no row for $id in \%ADD of AlloyTest::Lists\n" unless $post;
    $self->{server}->must(201, $self->{walk}->send($self->{walk}->request(
        $post, $self->{place}, $self->{by}), $self->{by}));
    return;
}

# In the place.
sub path_of {
    my ($self, $list) = @_;
    my $request
        = $self->{walk}->request($list, $self->{place}, $self->{by});
    return $request->{pattern} =~ s/\{(\w+)\}/$request->{path}{$1}/gr;
}

# The answer to a page of LIST at PATH.
sub page {
    my ($self, $list, $path, %query) = @_;
    return $self->{server}->get($path, token => $self->{by},
        query => { %{ $QUERY{ $list->{id} } || {} }, %query });
}

1;
