# What the tests that walk over everything must know of workflows; see
# AlloyTest::Plugins.
use strict;
use warnings;

my $number = 0;
my $name = sub { 'Flow ' . ++$number . " of $$" };
my $body = sub {
    return { name => $name->(), statuses => [
        { name => 'Open', category => 'todo' },
        { name => 'Closed', category => 'done' } ],
        transitions => [ { from => 'Open', to => 'Closed' } ] };
};

return {
    least => {
        (map { $_ => 'Viewer' } qw(workflow_list workflow_get
            workflow_simulate)),
        (map { $_ => 'Admin' } qw(workflow_create workflow_update
            workflow_delete)),
    },
    make => {
        workflow => sub {
            my ($server, $place) = @_;
            return $server->must(201, $server->post(
                "/orgs/$place->{org}/workflows", $body->(),
                token => $place->{by}))->{id};
        },
    },
    body => {
        workflow_create => sub { { json => $body->() } },
        workflow_update => sub { { json => { name => $name->() } } },
    },
    given => { workflow => '01900000-0000-7001-8002-000000000001' },
    filter => {
        statuses => '[{"name": "Backlog", "category": "todo"}]',
        transitions => '[]', status_map => '{}',
        moved_after => '2025-01-01Z', moved_before => '2026-01-01Z',
    },
    exceptions => {
        'workflow_obstacles: reads' =>
            'counts the tickets that stand in the way of an edit',
        'workflow_users: reads' =>
            'projects that follow the workflow, of which it names fifty',
    },
};
