# Corrections of approved time: whatever becomes of those that are not approved,
# no entry and no day comes to more or less than there can be.
# plugin: finance
use strict;
use warnings;
use lib 't/lib';

use AlloyTest;
use AlloyTest::Time;
use Test::More;

my $server = AlloyTest->start;
my $office = AlloyTest::Time->new($server);
my ($ada, $admin, $mia) = $office->people;

sub adjust {
    my ($entry, $minutes) = @_;
    return $office->act($mia, $entry, 'adjust', { minutes => $minutes,
        work_date => '2026-04-02' });
}

sub adjusted { return $server->must(201, adjust(@_)) }

sub approve {
    my ($entry) = @_;
    $server->must(200, $office->act($mia, $entry, 'submit'));
    return $server->must(200, $office->act($admin, $entry, 'approve'));
}

subtest 'time that is to be taken back still fills its day' => sub {
    my @day = (work_date => '2026-03-02');
    my $entry = $office->approved($mia, minutes => 1440, @day);
    my $less = adjusted($entry, -600);
    my $more = sub { $server->post('/tickets/WEB-1/time-entries',
        { minutes => $_[0], @day }, token => $mia) };
    is_problem($more->(1), 409, 'invalid_state',
        name => 'the correction may be deleted again');
    approve($less);
    is_problem($more->(601), 409, 'invalid_state', name => 'approved it makes '
        . 'room, and no more than it took back');
    status_is($more->(600), 201);
};

subtest 'nothing relies on corrections that may go away' => sub {
    my $entry = $office->approved($mia, minutes => 60,
        work_date => '2026-03-03');
    my $more = adjusted($entry, 30);
    is_problem(adjust($entry, -61), 409, 'invalid_state',
        name => 'what is to be added can\'t be taken back');
    my $less = adjusted($entry, -60);
    status_is($server->delete("/time-entries/$more->{id}", token => $mia),
        204);
    approve($less);
    is($server->rows(q{SELECT sum(minutes)::int AS n FROM alloy.time_entry
        WHERE (id = ? OR adjusts = ?) AND status = 'Approved'},
        $entry->{id}, $entry->{id})->[0]{n}, 0, 'nothing is left');
    $more = adjusted($entry, 90);
    is_problem($server->patch("/time-entries/$more->{id}", { minutes => -1 },
        token => $mia), 409, 'invalid_state', name => 'nor does a change');
    approve($more);
    approve(adjusted($entry, -90));
};

subtest 'of a ticket that is gone' => sub {
    $office->project('DEL');
    my $gone = $server->ticket($ada, 'DEL', title => 'Gone');
    my $entry = $office->approved($mia, on => $gone->{key}, minutes => 60,
        work_date => '2026-03-04');
    status_is($server->delete("/tickets/$gone->{key}", token => $ada), 204);
    my $less = adjusted($entry, -60);
    is($server->must(200, $server->get("/time-entries/$less->{id}",
        token => $mia))->{status}, 'Draft', 'shown');
    is(approve($less)->{status}, 'Approved', 'and approved');
};

done_testing;
