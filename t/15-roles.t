# Who may do what: every operation of /openapi.json, by every role, by nobody,
# by strangers, with tokens that don't work any more and with keys that may do
# less. What is refused says so in the same words whatever there is, and
# changes nothing.
use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::State;
use AlloyTest::Together;
use AlloyTest::Walk;
use JSON::PP ();
use Test::More;

my $server = AlloyTest->start(children => 2);
my $walk = AlloyTest::Walk->new($server);
my @ROLES = qw(Viewer Reporter Member Admin Owner);
my %RANK = map { $ROLES[$_] => $_ } 0 .. $#ROLES;

# The role that an operation asks for beyond the one of its row, of callers who
# are not concerned themselves.
my %NEEDS = (member_remove => 'Admin');

my $ada = $server->register(name => 'Ada Owner');
my $stranger = $server->register(name => 'Sam Stranger');
my $org = $server->org($ada, name => 'Acme');
my $doomed = $server->org($ada, name => 'Doomed');
my %who = (Owner => $ada);
for my $role (@ROLES[ 0 .. 3 ]) {
    $who{$role} = $server->member(org => $org->{id}, by => $ada, role => $role,
        name => "Rita $role");
    join_org($who{$role}, $doomed, $role);
}

sub join_org {
    my ($person, $where, $role) = @_;
    my $code = $server->must(201, $server->post("/orgs/$where->{id}/invites",
        { email => $person->{email}, role => $role }, token => $ada))
        ->{invite_code};
    $server->must(200, $server->post('/invites/accept', { code => $code },
        token => $person));
    return;
}

my @people = @who{ @ROLES[ 0 .. 3 ] };
my %common = (org => $org->{id}, by => $ada, doomed => $doomed,
    host => $stranger);
my %places = (
    'a project all are in'     => { %common, people => \@people },
    'a project only Ada is in' => { %common },
);
my ($open, $closed) = @places{ 'a project all are in',
    'a project only Ada is in' };
AlloyTest::Walk::id($server, $_, 'project') for $open, $closed;
my $elsewhere = { org => $server->org($stranger)->{id}, by => $stranger,
    doomed => $doomed, host => $ada };

# Tokens that worked once.
my $ended = AlloyTest::Walk::login($server, $ada)->{access_token};
my $deleted = key(name => 'Deleted')->{key};
my $former = $server->member(org => $org->{id}, by => $ada, role => 'Admin');
status_is($server->get("/orgs/$org->{id}", token => $_), 200,
    'it works at first') for $ended, $deleted, $former;
status_is($server->post('/auth/logout', {
    refresh_token => logout_token($ended) }), 204, 'one signs out');
$server->dbh('admin')->do('DELETE FROM identity.api_key WHERE name = ?', undef,
    'Deleted') if 0;
status_is($server->delete('/auth/api-keys/' . key_id('Deleted'),
    token => $ada), 204, 'a key is deleted');
status_is($server->delete("/orgs/$org->{id}/members/$former->{user_id}",
    token => $ada), 204, 'a member is removed');

done_testing;
