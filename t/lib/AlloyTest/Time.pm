package AlloyTest::Time;

# An organization whose people log time, for tests of the finance plugin:
#
#   my $office = AlloyTest::Time->new($server);
#   my ($ada, $admin, $mia, $bob, $viewer) = $office->people;
#
# and short ways to make entries there. An entry is of the ticket WEB-1 unless
# "on" names another one.

use strict;
use warnings;

sub new {
    my ($class, $server) = @_;
    my $ada = $server->register(name => 'Ada Owner');
    my $org = $server->org($ada, name => 'Acme');
    my $self = bless { server => $server, org => $org, ada => $ada }, $class;
    $self->{rest} = [ map { $server->member(org => $org->{id}, by => $ada,
        role => $_->[0], name => $_->[1]) } [ Admin => 'Amy Admin' ],
        [ Member => 'Mia Member' ], [ Member => 'Bob Member' ],
        [ Viewer => 'Vic Viewer' ] ];
    $self->{web} = $self->project('WEB');
    $self->{ticket} = $server->ticket($ada, 'WEB', title => 'Wireframes');
    return $self;
}

sub people { return $_[0]{ada}, @{ $_[0]{rest} } }

# A project that all are in.
sub project {
    my ($self, $key, %fields) = @_;
    my ($server, $ada) = @$self{qw(server ada)};
    my $project = $server->must(201, $server->post('/projects', {
        org_id => $self->{org}{id}, name => "Project $key", key => $key,
        %fields }, token => $ada));
    $server->must(201, $server->post("/projects/$key/members",
        { user_id => $_->{user_id} }, token => $ada)) for @{ $self->{rest} };
    return $project;
}

# A draft, by whom and with what.
sub entry {
    my ($self, $who, %fields) = @_;
    my $on = delete $fields{on} // 'WEB-1';
    return $self->{server}->must(201, $self->{server}->post(
        "/tickets/$on/time-entries", \%fields, token => $who));
}

# The answer to submitting, approving, rejecting, adjusting it.
sub act {
    my ($self, $who, $entry, $verb, $body) = @_;
    return $self->{server}->post("/time-entries/$entry->{id}/$verb", $body,
        token => $who);
}

sub submitted {
    my ($self, $who, %fields) = @_;
    return $self->{server}->must(200, $self->act($who,
        $self->entry($who, %fields), 'submit'));
}

# By the Admin.
sub approved {
    my ($self, @entry) = @_;
    return $self->{server}->must(200, $self->act($self->{rest}[0],
        $self->submitted(@entry), 'approve'));
}

# As it is in the database.
sub row {
    my ($self, $id) = @_;
    return $self->{server}->rows('SELECT *, work_date::text AS work_date,
        day::text AS day FROM alloy.time_entry WHERE id = ?', $id)->[0];
}

# Of somebody, or everybody's.
sub rate {
    my ($self, $cents, $from, $whose) = @_;
    return $self->{server}->must(201, $self->{server}->post(
        "/orgs/$self->{org}{slug}/labor-rates", { rate_cents => $cents,
            effective_date => $from, user_id => $whose && $whose->{email} },
        token => $self->{rest}[0]));
}

1;
