# A plugin as somebody outside writes it: compiled by apxs against alloy.h alone,
# its statements embedded by sql/embed.awk, its tables made by alloyctl. What it
# adds is served as if it were the core's own, what is wrong with it is said by
# "apache2 -t", and its hooks hold under parallel clients in both forms.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use AlloyTest;
use AlloyTest::Cluster;
use AlloyTest::Together;
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp ();
use POSIX ();
use Test::More;

my $ROOT   = $AlloyTest::Cluster::ROOT;
my $APACHE = $ENV{HTTPD} || '/usr/sbin/apache2';
my $APXS   = $ENV{APXS} || 'apxs';
my $CLIENTS = 16;
my $ROOM    = 5;
my $owner = $$;
my $dir = File::Temp::tempdir('alloy-plugin-XXXXXX', TMPDIR => 1);
chmod 0755, $dir;

END {
    local $?;
    system 'rm', '-rf', $dir if $$ == $owner && !$ENV{ALLOY_TEST_KEEP};
}

# ---- building ---------------------------------------------------------------

sub run {
    my (@command) = @_;
    my $pid = open my $out, '-|';
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }
    my $text = do { local $/; <$out> } // '';
    close $out;
    return ($? >> 8, $text);
}

sub must_run {
    my ($status, $text) = run(@_);
    die "failed: @_\n$text" if $status;
    return $text;
}

# What an installation offers to plugins: headers, and the awk script.
make_path("$dir/include", "$dir/source/sql");
copy($_, "$dir/include") or die $! for glob "$ROOT/mod_alloy/alloy*.h";
for my $kind (qw(c h)) {
    open my $out, '>', "$dir/source/sql/probe.$kind" or die $!;
    print {$out} must_run('awk', '-v', "output=$kind", '-f',
        "$ROOT/sql/embed.awk", "$ROOT/t/plugin/sql/queries/probe.sql");
    close $out or die $!;
}

# Compiles the plugin with some of the PROBE_* macros; the path of the module.
sub build {
    my (@macros) = @_;
    my $name = join '_', 'plugin', map {lc} @macros;
    my $folder = "$dir/$name";
    make_path("$folder/sql");
    copy("$ROOT/t/plugin/mod_alloy_probe.c", $folder) or die $!;
    copy("$dir/source/sql/probe.$_", "$folder/sql") or die $! for qw(c h);
    my $flags = '-Wc,-Wall -Wc,-Wextra -Wc,-Werror -Wc,-Wno-unused-parameter '
        . '-Wc,-Wno-missing-field-initializers';
    must_run('sh', '-c', "cd $folder && $APXS -c $flags -I $folder "
        . "-I $dir/include " . join(' ', map {"-D $_"} @macros)
        . ' mod_alloy_probe.c sql/probe.c');
    return "$folder/.libs/mod_alloy_probe.so";
}

my $module = build();
my $load = sub { qq(LoadModule alloy_probe_module "$_[0]"\n) };

# ---- the tables come later --------------------------------------------------

# A tree whose plugins/ holds this plugin, for alloyctl to look at.
sub migrate {
    my ($server) = @_;
    make_path("$dir/tree/conf", "$dir/tree/plugins/probe", "$dir/state");
    copy("$ROOT/conf/alloyctl", "$dir/tree/conf/alloyctl") or die $!;
    chmod 0755, "$dir/tree/conf/alloyctl";
    symlink "$ROOT/sql", "$dir/tree/sql";
    symlink "$ROOT/t/plugin/sql", "$dir/tree/plugins/probe/sql";
    local $ENV{STATE} = "$dir/state";
    local $ENV{PLUGINS} = 'probe';
    local $ENV{ALLOY_DATABASE_URL}
        = $server->{cluster}->url($server->database);
    return must_run("$dir/tree/conf/alloyctl", 'migrate');
}

my $server = AlloyTest->start(plugins => [], children => 4,
    conf => $load->($module));
my $ada;

subtest 'without its tables the host says what to do, and heals' => sub {
    $server->expect_log(qr/AL0106: The schema of "probe" is at version 0/);
    # Each child looks for itself, after it has started.
    wait_for { $server->all_answer('/auth/me', 503) } 'requests are refused';
    is_problem($server->get('/auth/me'), 503, 'schema_mismatch',
        detail => qr/"probe".*`alloyctl migrate`/);
    is($server->get('root:/readyz')->status, 503, 'it is not ready');
    migrate($server);
    wait_for { $server->all_answer('root:/readyz', 200) }
        'it is ready after the migration, without a restart';
    $ada = $server->register(name => 'Ada');
    ok($ada->{token}, 'and serves');
};

# A token is for the host that gave it.
sub sign_in {
    my ($at) = @_;
    $ada->{token} = $at->must(200, $at->post('/auth/login', {
        email => $ada->{email}, password => $ada->{password} }))
        ->{access_token};
    return;
}

# ---- what it adds -----------------------------------------------------------

my $project = $server->project($ada, key => 'WEB', name => 'Web');

subtest 'its operations' => sub {
    my $made = $server->post('/projects/WEB/probes', { label => 'Attic' },
        token => $ada);
    status_is($made, 201);
    my $probe = $made->json;
    is_deeply({ map { $_ => $probe->{$_} } qw(project_id label kind reading) },
        { project_id => $project->{id}, label => 'Attic', kind => 'Heat',
            reading => undef }, 'made, with the fallback');
    is($made->header('Location'), "/api/v1/probes/$probe->{id}",
        'its Location');
    is(substr($probe->{id}, 15, 3), substr($project->{id}, 15, 3),
        'its id carries the shard');
    is_problem($server->post('/projects/WEB/probes', { label => 'Attic' },
        token => $ada), 409, 'already_exists',
        errors => { '/label' => 'label_taken' });
    is_problem($server->post('/projects/WEB/probes',
        { label => 'Cellar', kind => 'Sound' }, token => $ada), 422,
        'validation_failed', errors => { '/kind' => 'not_allowed' });
    $server->must(201, $server->post('/projects/WEB/probes',
        { label => "Room $_", kind => 'light' }, token => $ada)) for 1 .. 3;
    my $page = $server->must(200, $server->get('/projects/WEB/probes',
        token => $ada, query => { limit => 3 }));
    is_deeply([map { $_->{label} } @{ $page->{items} }],
        ['Room 3', 'Room 2', 'Room 1'], 'a page, newest first');
    $page = $server->must(200, $server->get('/projects/WEB/probes',
        token => $ada, query => { limit => 3,
            cursor => $page->{next_cursor} }));
    is_deeply([map { $_->{label} } @{ $page->{items} }], ['Attic'],
        'and the next');
    is_deeply($server->must(200, $server->get("/probes/$probe->{id}",
        token => $ada)), $probe, 'shown by its id');

    my $measure = "/probes/$probe->{id}/measure";
    is($server->must(200, $server->post($measure, { value => 42 },
        token => $ada))->{reading}, 42, 'an operation in C');
    is_problem($server->post($measure, { value => 101 }, token => $ada), 409,
        'probe_overflow', most => 100);
    is_problem($server->post($measure, { value => 13 }, token => $ada), 422,
        'probe_superstition');
    is($server->must(200, $server->get("/probes/$probe->{id}",
        token => $ada))->{reading}, 42, 'a refusal was rolled back');
    is_deeply([map { $_->{operation} } @{ $server->rows(q{
        SELECT operation FROM alloy.change WHERE entity_type = 'probe'
           AND entity_id = ? ORDER BY seq}, $probe->{id}) }],
        ['probe_create', 'probe_measure'], 'history was written');

    status_is($server->delete("/probes/$probe->{id}", token => $ada), 204);
    is_problem($server->get("/probes/$probe->{id}", token => $ada), 404,
        'not_found');
};

subtest 'its operations obey the core\'s rules' => sub {
    my $probe = $server->must(201, $server->post('/projects/WEB/probes',
        { label => 'Hall' }, token => $ada));
    my $viewer = $server->member(org => $ada->{org_id}, by => $ada,
        role => 'Viewer');
    my $bob = $server->register(name => 'Bob');
    is_problem($server->get("/probes/$probe->{id}"), 401, 'unauthorized');
    is_problem($server->get("/probes/$probe->{id}", token => $bob), 404,
        'not_found');
    is_problem($server->get("/probes/$probe->{id}", token => $viewer), 404,
        'not_found', name => 'a project one is not in is not seen');
    $server->must(201, $server->post('/projects/WEB/members',
        { user_id => $viewer->{user_id} }, token => $ada));
    status_is($server->get("/probes/$probe->{id}", token => $viewer), 200);
    is_problem($server->post('/projects/WEB/probes', { label => 'Roof' },
        token => $viewer), 403, 'forbidden');
    is_problem($server->delete("/probes/$probe->{id}", token => $viewer), 403,
        'forbidden');
    is_problem($server->post("/probes/$probe->{id}/measure", { value => 1 },
        token => $viewer), 403, 'forbidden');
    is_problem($server->patch("/probes/$probe->{id}", {}, token => $ada), 405,
        'method_not_allowed');
};

subtest 'its keys of a project' => sub {
    my $got = $server->must(200, $server->get('/projects/WEB', token => $ada));
    ok(exists $got->{probe_color} && !defined $got->{probe_color},
        'there from the first, as null');
    $got = $server->must(200, $server->patch('/projects/WEB',
        { name => 'Wide', probe_color => 'green', probe_room => 7 },
        token => $ada));
    is_deeply([@$got{qw(name probe_color probe_room)}], ['Wide', 'green', 7],
        'written with the project\'s own and answered');
    $got = $server->must(200, $server->patch('/projects/WEB',
        { probe_color => 'blue' }, token => $ada));
    is_deeply([@$got{qw(name probe_color probe_room)}], ['Wide', 'blue', 7],
        'what is not sent stays');
    $got = $server->must(200, $server->patch('/projects/WEB',
        { probe_room => undef }, token => $ada));
    is_deeply([@$got{qw(probe_color probe_room)}], ['blue', undef],
        'null clears');
    $server->project($ada, key => 'APP');
    my %color = map { $_->{key} => $_->{probe_color} } @{ $server->must(200,
        $server->get('/projects', token => $ada))->{items} };
    is_deeply(\%color, { WEB => 'blue', APP => undef }, 'in a list as well');
    is_problem($server->patch('/projects/WEB', { probe_room => 0 },
        token => $ada), 422, 'validation_failed',
        errors => { '/probe_room' => 'too_small' });
    is_problem($server->patch('/projects/WEB', { name => 'Lost',
        probe_color => 'none' }, token => $ada), 422, 'validation_failed',
        errors => { '/probe_color' => 'no_color' });
    is($server->must(200, $server->get('/projects/WEB', token => $ada))->{name},
        'Wide', 'its refusal takes the project\'s own change back');
};

subtest 'its part of /openapi.json' => sub {
    my $api = $server->must(200, $server->get('root:/openapi.json'));
    my $paths = $api->{paths};
    is_deeply([sort grep {/probe/} keys %$paths], ['/probes/{probe}',
        '/probes/{probe}/measure', '/projects/{project}/probes'], 'its paths');
    is($paths->{'/projects/{project}/probes'}{post}{operationId},
        'probe_create', 'its operation');
    my $schemas = $api->{components}{schemas};
    is_deeply($schemas->{project_update}{properties}{probe_color}{type},
        ['string', 'null'], 'its keys in the input');
    is_deeply($schemas->{Project}{properties}{probe_room}{type},
        ['integer', 'null'], 'its keys in the answer');
    my $text = JSON::PP->new->encode($api->{components}{responses});
    like($text, qr/`$_`/, "its problem $_")
        for qw(probe_overflow probe_superstition probe_red probe_full);
    like($paths->{'/projects/{project}'}{patch}{description},
        qr/"none" is no color/, 'its refusals');
};

# ---- without it -------------------------------------------------------------

subtest 'without it nothing of it is there' => sub {
    my $plain = AlloyTest->start(plugins => [], with => $server);
    sign_in($plain);
    is_problem($plain->get('/projects/WEB/probes', token => $ada), 404,
        'not_found');
    is_problem($plain->patch('/projects/WEB', { probe_color => 'red' },
        token => $ada), 422, 'validation_failed',
        errors => { '/probe_color' => 'unknown' });
    my $got = $plain->must(200, $plain->get('/projects/WEB', token => $ada));
    ok(!grep({/probe/} keys %$got), 'no key of it is answered');
    unlike($plain->get('root:/openapi.json')->body, qr/probe/,
        'the description does not know it');
    refusals($plain);
};

# ---- hooks ------------------------------------------------------------------

sub fresh_project {
    my ($at, $key, %keys) = @_;
    $at->project($ada, key => $key);
    $at->must(200, $at->patch("/projects/$key", \%keys, token => $ada));
    return;
}

# The two ways to move a ticket.
sub move {
    my ($at, $ticket, $way, $status) = @_;
    return $way eq 'PATCH'
        ? $at->patch("/tickets/$ticket->{key}", { status => $status },
            token => $ada)
        : $at->post("/tickets/$ticket->{key}/transition",
            { status => $status }, token => $ada);
}

sub status_of {
    my ($at, $ticket) = @_;
    return $at->must(200,
        $at->get("/tickets/$ticket->{key}", token => $ada))->{status};
}

sub hooks_decide {
    my ($at, $key) = @_;
    fresh_project($at, $key, probe_color => 'red', probe_room => 1);
    for my $way (qw(PATCH transition)) {
        my $ticket = $at->ticket($ada, $key);
        is_problem(move($at, $ticket, $way, 'done'), 409, 'probe_red',
            detail => qr/red/, name => "$way: refused in a red project");
        is(status_of($at, $ticket), $ticket->{status}, 'nothing was written');
        is_problem(move($at, $ticket, $way, 'Nowhere'), 422,
            'validation_failed', errors => { '/status' => 'unknown_status' },
            name => "$way: the owner's own rules come first");
        status_is(move($at, $ticket, $way, 'InProgress'), 200,
            "$way: other moves pass");
        my $second = $at->ticket($ada, $key);
        is_problem(move($at, $second, $way, 'inprogress'), 409, 'probe_full',
            room => 1, name => "$way: the second finds no room");
        status_is($at->patch("/tickets/$second->{key}", { title => 'Waits' },
            token => $ada), 200, 'what is no move is none of its business');
        $at->must(200, $at->patch("/projects/$key", { probe_color => 'blue' },
            token => $ada));
        status_is(move($at, $ticket, $way, 'Done'), 200,
            "$way: no longer red, no longer refused");
        $at->must(200, $at->patch("/projects/$key", { probe_color => 'red' },
            token => $ada));
    }
    return;
}

# Each ticket of a batch is asked about, and those that count see what those
# before them did.
sub hooks_in_batches {
    my ($at, $key) = @_;
    fresh_project($at, $key, probe_color => 'red', probe_room => 1);
    my @keys = map { $at->ticket($ada, $key)->{key} } 1 .. 3;
    my $batch = sub {
        my ($operations, %more) = @_;
        return $at->post('/tickets/batch', { operations => $operations, %more },
            token => $ada);
    };
    for my $action (qw(update transition)) {
        my @go = (action => $action);
        is_problem($batch->([{ ticket => $keys[0], status => 'Todo' },
            { ticket => $keys[1], status => 'Done' }], @go), 409, 'probe_red',
            name => "$action: one is refused", detail => qr/red/);
        is_problem($batch->([map { { ticket => $_, status => 'InProgress' } }
            @keys], @go), 409, 'probe_full', room => 1,
            name => "$action: there is room for one");
        is_deeply([map { status_of($at, { key => $_ }) } @keys],
            ['Backlog', 'Backlog', 'Backlog'], 'none was moved');
    }
    my $answer = $batch->([map { { ticket => $_, status => 'InProgress' } }
        @keys], atomic => json_false());
    is_deeply([map { $_->{status} } @{ $answer->json->{results} }],
        [200, 409, 409], 'the first finds room');
    return;
}

# Versions are what compare-and-set compares: each try reads anew.
sub hooks_race {
    my ($at, $key) = @_;
    fresh_project($at, $key, probe_color => 'blue');
    my $ticket = $at->ticket($ada, $key);
    my @answers = together(map {
        my $number = $_;
        sub {
            $number % 2 ? move($at, $ticket, 'transition', 'InReview')
                : $at->patch("/tickets/$ticket->{key}",
                    { title => "Title $number" }, token => $ada);
        };
    } 1 .. 8);
    is(scalar(grep { $_->status != 200 } @answers), 0,
        'eight writers of one ticket all come through')
        or diag(map { $_->text } grep { $_->status != 200 } @answers);
    my $end = $at->must(200, $at->get("/tickets/$ticket->{key}",
        token => $ada));
    is($end->{status}, 'InReview', 'the moves were kept');
    like($end->{title}, qr/^Title \d$/, 'and a title');
    return;
}

subtest 'hooks, in the locked form' => sub {
    sign_in($server);
    hooks_decide($server, 'LOCK');
    hooks_in_batches($server, 'SETS');
    hooks_race($server, 'LORA');
};

subtest 'hooks, in compare-and-set' => sub {
    my $at = AlloyTest->start(plugins => [], with => $server,
        conf => $load->(build('PROBE_COUNTS_NOT')));
    sign_in($at);
    hooks_decide($at, 'CAS');
    hooks_race($at, 'CARA');
};

subtest 'a hook that counts is never outrun' => sub {
    sign_in($server);
    for my $round (1 .. 3) {
        my $key = "ROOM$round";
        fresh_project($server, $key, probe_room => $ROOM);
        my @tickets = map { $server->ticket($ada, $key) } 1 .. $CLIENTS;
        my @answers = together(map {
            my ($ticket, $way) = ($tickets[$_],
                $_ % 2 ? 'PATCH' : 'transition');
            sub { move($server, $ticket, $way, 'InProgress') };
        } 0 .. $#tickets);
        my %count;
        $count{ $_->status . ' ' . ($_->status == 200 ? '' : $_->json->{code}) }
            ++ for @answers;
        is_deeply(\%count, { '200 ' => $ROOM,
            '409 probe_full' => $CLIENTS - $ROOM },
            "$CLIENTS at once: exactly $ROOM get in");
        is($server->rows(q{SELECT count(*) AS n FROM alloy.ticket
            WHERE project_id = (SELECT id FROM alloy.project WHERE key = ?)
              AND status = 'InProgress'}, $key)->[0]{n}, $ROOM,
            'and the database says so');
    }
};

# ---- refused ----------------------------------------------------------------

# Configurations that "apache2 -t" must refuse, with a sentence.
sub refusals {
    my ($plain) = @_;
    my %variant = (
        PROBE_MAJOR => qr/plugin probe: it was built for version 2\.0 of /,
        PROBE_ID => qr/plugin probe: operation ticket_get: the id is taken by /,
        PROBE_PATH => qr/plugin probe: operation wrong: GET \S+ is served by /,
        PROBE_TOOL => qr/plugin probe: operation wrong: the tool get_probe is /,
        PROBE_UNDECLARED => qr/plugin probe: operation wrong: .*\{place\}/,
        PROBE_UNFILLED => qr/plugin probe: operation wrong: .*:nobody/,
        PROBE_LOCKS_ONLY => qr/plugin probe: hook of ticket_transition: a .lock /,
        PROBE_NO_RESOURCE => qr/plugin probe: operation wrong: .*probe.*resource/,
    );
    for my $macro (sort keys %variant) {
        my ($status, $text) = check_config($plain, 'behind', build($macro));
        isnt($status, 0, "$macro is refused");
        like($text, $variant{$macro}, 'with a sentence');
    }
    my ($status, $text) = check_config($plain, 'before', $module);
    isnt($status, 0, 'a plugin before the core is refused');
    like($text, qr/undefined symbol: alloy_/, 'by the linker');
    ($status, $text) = check_config($plain, 'behind', $module);
    is($status, 0, 'the right one in the right place is not') or diag($text);
    return;
}

# "apache2 -t" with the module behind the core's line or before it.
sub check_config {
    my ($plain, $place, $plugin) = @_;
    my $from = $plain->dir . '/httpd.conf';
    open my $in, '<', $from or die "$from: $!";
    my $conf = do { local $/; <$in> };
    my $line = $load->($plugin);
    $conf =~ s/^(LoadModule alloy_module .*\n)/
        $place eq 'behind' ? $1 . $line : $line . $1/me or die "no module\n";
    open my $out, '>', "$dir/check.conf" or die $!;
    print {$out} $conf;
    close $out or die $!;
    local %ENV = (%ENV, AlloyTest::Httpd::environment($plain->dir));
    return run($APACHE, '-t', '-f', "$dir/check.conf");
}

done_testing;
