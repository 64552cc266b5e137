# Reports as JSON and as charts: who gets which, what the figures are, and that
# a chart is well-formed, says what it shows, and runs nothing.
use strict;
use warnings;
use utf8;
use lib 't/lib';

use AlloyTest;
use Test::More;

my $SVG = 'image/svg+xml';
my $server = AlloyTest->start;
my $admin = $server->dbh('admin');
my $ada = $server->register(name => 'Ada Owner');
my $org = $server->org($ada, name => 'Acme');
$server->project($ada, org_id => $org->{id}, key => 'WEB',
    name => 'Website "Redesign" & <more>');
my $written = 0;

sub get {
    my ($path, $accept, %query) = @_;
    return $server->get($path, token => $ada, query => \%query,
        defined $accept ? (headers => { Accept => $accept }) : ());
}

sub look { return $server->must(200, get($_[0], undef, @_[ 1 .. $#_ ])) }

# What was written since the last time was written at that time, noon.
sub on {
    my ($date) = @_;
    $admin->do('UPDATE alloy.sprint_scope SET at = ?::timestamptz
        WHERE seq > ?', undef, "$date 12:00Z", $written);
    ($written) = $admin->selectrow_array('SELECT max(seq)
        FROM alloy.sprint_scope');
    return;
}

sub move {
    my ($ticket, $status) = @_;
    $server->must(200, $server->post("/tickets/$ticket/transition",
        { status => $status }, token => $ada));
    return;
}

# Three sprints of a week each, the last one still active.
my @sprints;
for my $n (0 .. 2) {
    my $day = sub { sprintf '2026-03-%02d', 1 + 7 * $n + $_[0] };
    my $sprint = $server->must(201, $server->post('/projects/WEB/sprints', {
        name => "Sprint & <$n> „Ende“", start_date => $day->(0),
        end_date => $day->(6) }, token => $ada));
    push @sprints, $sprint->{id};
    my @tickets = map { $server->ticket($ada, 'WEB',
        sprint_id => $sprint->{id})->{id} } 0 .. 3 + $n;
    $admin->do('UPDATE alloy.ticket SET points_half = 5 WHERE id = ?', undef,
        $tickets[0]);
    on($day->(0));
    $server->must(200, $server->post("/sprints/$sprint->{id}/start", undef,
        token => $ada));
    move($tickets[0], 'InProgress');
    on($day->(1));
    move($tickets[$_], 'Done') for 0, 1 + $n;
    on($day->(3));
    $admin->do('UPDATE alloy.sprint SET started_at = ?, created_at = ?
        WHERE id = ?', undef, ($day->(0) . ' 13:00Z') x 2, $sprint->{id});
    next if $n == 2;
    $server->must(200, $server->post("/sprints/$sprint->{id}/complete", undef,
        token => $ada));
    $admin->do('UPDATE alloy.sprint SET completed_at = ? WHERE id = ?', undef,
        $day->(6) . ' 11:00Z', $sprint->{id});
    on($day->(6));
}

my %PATH = (map({ $_ => "/projects/WEB/reports/$_" } qw(velocity burnup flow)),
    burndown => "/sprints/$sprints[2]/burndown");
my %RANGE = (velocity => {}, burndown => {},
    map { $_ => { from => '2026-03-01', to => '2026-03-21' } }
        qw(burnup flow));

# ---- figures ------------------------------------------------------------------

subtest 'velocity' => sub {
    my $is = look($PATH{velocity});
    is_deeply([ map { [ @{$_}{qw(sprint_id number committed completed)} ] }
        @{ $is->{data} } ], [ [ $sprints[0], 1, 4, 2 ],
        [ $sprints[1], 2, 5, 2 ] ], 'completed sprints, the oldest first');
    is($is->{average}, 2, 'the average');
    is_deeply([ map { [ @{$_}{qw(committed completed)} ] }
        @{ look($PATH{velocity}, unit => 'points')->{data} } ],
        [ [ 2.5, 2.5 ], [ 2.5, 2.5 ] ], 'in points');
    is(@{ look($PATH{velocity}, limit => 1)->{data} }, 1, 'the last ones');
    is_deeply([ map { $_->{number} } @{ look($PATH{velocity},
        as_of => '2026-03-08')->{data} } ], [1], 'as it was');
    $server->project($ada, org_id => $org->{id}, key => 'EMPTY');
    is_deeply([ @{ look('/projects/EMPTY/reports/velocity') }{
        qw(data average)} ], [ [], undef ], 'of a project without sprints');
};

subtest 'burn-up and flow' => sub {
    my %range = %{ $RANGE{flow} };
    my $flow = look($PATH{flow}, %range)->{data};
    is(@$flow, 21, 'a row for every day');
    is_deeply([ map { [ @{ $flow->[$_] }{qw(date todo in_progress done)} ] }
        0, 1, 3, 6, 7, 20 ], [ [ '2026-03-01', 4, 0, 0 ],
        [ '2026-03-02', 3, 1, 0 ], [ '2026-03-04', 2, 0, 2 ],
        [ '2026-03-07', 2, 0, 2 ], [ '2026-03-08', 7, 0, 2 ],
        [ '2026-03-21', 9, 0, 6 ] ], 'what stood where');
    my $burnup = look($PATH{burnup}, %range)->{data};
    is_deeply([ map { [ @{ $burnup->[$_] }{qw(total completed)} ] } 0, 3, 20 ],
        [ [ 4, 0 ], [ 4, 2 ], [ 15, 6 ] ], 'all and done');
    is_deeply([ map { $_->{done} } @{ look($PATH{flow}, %range,
        as_of => '2026-03-03', to => '2026-03-05')->{data} } ],
        [ 0, 0, 0, undef, undef ], 'as it was');
    is(@{ look($PATH{flow})->{data} }, 30, 'thirty days if nothing is said');
    is_problem(get($PATH{flow}, undef, from => '2026-03-02',
        to => '2026-03-01'), 422, 'validation_failed',
        errors => { from => 'backwards' });
    is_problem(get($PATH{burnup}, undef, from => '2020-01-01'), 422,
        'validation_failed', errors => { from => 'too_long' });
    my $other = $server->register;
    is_problem($server->get($PATH{$_}, token => $other), 404, 'not_found')
        for sort keys %PATH;
};

# ---- which of the two ------------------------------------------------------------

subtest 'what Accept asks for' => sub {
    my %wants = (
        $SVG => $SVG, 'image/*' => $SVG, '*/*' => 'application/json',
        'application/json' => 'application/json',
        "$SVG;q=0.5, application/json" => 'application/json',
        "$SVG, application/json;q=0.9" => $SVG,
        'image/avif,image/webp,image/svg+xml,image/*,*/*;q=0.8' => $SVG,
        'text/html,application/xhtml+xml,*/*;q=0.8' => 'application/json',
        'IMAGE/SVG+XML' => $SVG, 'text/csv' => 'text/csv',
        "text/csv;q=0.5, $SVG;q=0.6" => $SVG,
        "text/*, $SVG;q=0.6" => 'text/csv',
    );
    for my $accept (sort keys %wants) {
        my $answer = get($PATH{burndown}, $accept);
        is($answer->type, $wants{$accept}, $accept);
        like($answer->header('Vary'), qr/Accept/, 'caches are told');
    }
    is_problem(get($PATH{burndown}, $_), 406, 'not_acceptable',
        detail => qr{image/svg\+xml}) for 'text/html', "$SVG;q=0";
    is_problem(get("/sprints/$sprints[2]", $SVG), 406, 'not_acceptable');
    is(get("$PATH{$_}.svg")->type, $SVG, "$_.svg") for sort keys %PATH;
    is_problem(get("$PATH{flow}.svg", undef, from => '2020-01-01'), 422,
        'validation_failed');
};

# ---- tables ------------------------------------------------------------------------

subtest 'tables' => sub {
    for my $name (sort keys %PATH) {
        my $answer = get($PATH{$name}, 'text/csv', %{ $RANGE{$name} });
        my ($head, @rows) = @{ $answer->csv };
        my $data = look($PATH{$name}, %{ $RANGE{$name} })->{data};
        is_deeply([ sort @$head ], [ sort keys %{ $data->[0] } ],
            "$name: a column for each key");
        is_deeply([ map { my $row = $_;
            +{ map { $head->[$_] => $row->[$_] } 0 .. $#$head } } @rows ],
            [ map { my $day = $_; +{ map { $_ => $day->{$_} // '' }
                keys %$day } } @$data ], "$name: the same figures");
        like($answer->header('Content-Disposition'),
            qr/\Aattachment; filename="$name-[\w.-]+\.csv"\z/, 'a file');
    }
    my $empty = get('/projects/EMPTY/reports/velocity', 'text/csv');
    is(@{ $empty->csv }, 1, 'without rows a line of names');
};

subtest 'cells that look like formulas' => sub {
    my %cell = map({ $_ => "'$_" } '=1+1', '+1', '-1', '@SUM(A1)', "\t=1",
        "\r=1", ' =1', "\x{ff1d}1"), map({ $_ => $_ } 'a=1', '1-1',
        'say "a, b"', "two\r\nlines", ' x', "\x{fc}n\x{ef}code");
    for my $name (sort keys %cell) {
        $admin->do('UPDATE alloy.sprint SET name = ? WHERE id = ?', undef,
            $name, $sprints[0]);
        is(get($PATH{velocity}, 'text/csv')->csv->[1][2], $cell{$name},
            $name =~ s/[^!-~]/ /gr);
    }
};

# ---- charts ----------------------------------------------------------------------

# Elements in order; dies unless the text is well-formed as far as charts go.
sub elements {
    my ($text) = @_;
    my (@open, @seen);
    while ($text =~ /\G(?:[^<&]|&(?:amp|lt|gt|quot);)*(<[^<>]*>|\z)/gc) {
        my $tag = $1 or last;
        if ($tag =~ m{^</(\w+)>$}) {
            die "$tag closes nothing\n" unless pop(@open) eq $1;
        } elsif ($tag =~ m{^<(\w+)((?: [\w:-]+="[^"<]*")*)(/?)>$}) {
            my ($name, $pairs, $empty) = ($1, $2, $3);
            push @seen, { name => $name, $pairs =~ / ([\w:-]+)="([^"]*)"/g };
            push @open, $name unless $empty;
        } else {
            die "$tag is no tag\n";
        }
    }
    die "$open[-1] is not closed\n" if @open;
    die "text after the end\n" if (pos($text) // 0) < length $text;
    return @seen;
}

sub chart_ok {
    my ($answer, $name) = @_;
    my $text = $answer->body;
    utf8::decode($text) or return ok(0, "$name is no UTF-8");
    my @elements = eval { elements($text) };
    ok(!$@ && @elements, "$name is well-formed") or return diag($@);
    my %svg = %{ $elements[0] };
    is_deeply([ @svg{qw(name xmlns role viewBox aria-labelledby)} ],
        [ 'svg', 'http://www.w3.org/2000/svg', 'img', '0 0 640 400',
            'chart-title chart-text' ], "$name is a picture with a name");
    my %ids = map { $_->{id} ? ($_->{id} => $_->{name}) : () } @elements;
    is_deeply(\%ids, { 'chart-title' => 'title', 'chart-text' => 'desc' },
        "$name has title and description");
    ok(!(grep { $_->{name} =~ /script|foreignObject|image|use|a$/
        || grep {/^on|href/} keys %$_ } @elements), "$name runs nothing");
    unlike($text, qr/\@import|url\(|javascript:/, "$name loads nothing");
    like($text, qr/prefers-color-scheme:dark/, "$name knows the dark");
    my @far = grep { my $e = $_; grep { defined $e->{$_}
        && ($e->{$_} < 0 || $e->{$_} > 640) } qw(x y x1 x2 y1 y2 cx cy) }
        @elements;
    ok(!@far, "$name stays on its paper");
    return $text;
}

subtest 'every chart' => sub {
    for my $name (sort keys %PATH) {
        my $text = chart_ok(get("$PATH{$name}.svg", undef,
            %{ $RANGE{$name} }), $name);
        my $of = $name eq 'burndown' ? 'Sprint &amp; &lt;2&gt; „Ende“'
            : 'Website &quot;Redesign&quot; &amp; &lt;more&gt;';
        like($text, qr/<title[^>]*>[\w -]+: \Q$of\E</, "$name names its object");
        like($text, qr/>Tickets</, "$name says what it counts");
        like(get("$PATH{$name}.svg", undef, unit => 'points')->body,
            qr/>Points</, "$name in points");
    }
    like(get("$PATH{burndown}.svg")->body, qr/, 4 of 6 tickets remain\./,
        'the description has the figures');
};

subtest 'charts of nothing and of odd things' => sub {
    chart_ok(get("/projects/EMPTY/reports/$_.svg"), "an empty $_")
        for qw(velocity burnup flow);
    my $one = sub { $server->must(201, $server->post(
        '/projects/EMPTY/sprints', { name => $_[0], start_date => $_[1],
        end_date => $_[2] }, token => $ada))->{id} };
    chart_ok(get('/sprints/' . $one->('One day', ('2026-03-01') x 2)
        . '/burndown.svg'), 'one day');
    chart_ok(get('/sprints/' . $one->('To come', ('2126-03-01') x 2)
        . '/burndown.svg'), 'a day to come');
    chart_ok(get('/sprints/' . $one->('ein sehr langer Name, ' x 8,
        '2026-01-01', '2026-12-31') . '/burndown.svg'),
        'a long name and a year') =~ /<text class="title"[^>]*>([^<]*)</;
    is(length $1, 43, 'the visible title is cut');
    chart_ok(get('/sprints/' . $one->("Ende \x{1f680}\x{fffe}",
        '2026-01-01', '2026-01-31') . '/burndown.svg'), 'odd letters');
};

done_testing;
