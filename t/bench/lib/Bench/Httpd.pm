package Bench::Httpd;

# The httpd that is measured. shipped: with conf/httpd.conf as it is.

use strict;
use warnings;

use AlloyTest::Cluster;
use parent 'AlloyTest::Httpd';

sub _write_conf {
    my ($self) = @_;
    $self->SUPER::_write_conf;
    return if $self->{shipped};
    my $file = "$self->{dir}/httpd.conf";
    my $root = $AlloyTest::Cluster::ROOT;
    open my $in, '<', $file or die "$file: $!";
    local $/;
    my $conf = <$in>;
    $conf =~ s{\Q$root/conf/httpd.conf\E}{$root/t/bench/httpd.conf}
        or die "$file does not include conf/httpd.conf\n";
    $self->_write('httpd.conf', $conf);
    return;
}

1;
