# SPDX-License-Identifier: AGPL-3.0-or-later
package PVE::Storage::Plugin;

# Stand-in: what the adapter inherits or calls.
use strict;
use warnings;

use base qw(PVE::SectionConfig);

our @SHARED_STORAGE = ('nfs');
our @LOCKED; # the storages that cluster_lock_storage() was called for
our $IN_LOCK = 0;

my $all;

sub reset_all {
    $all = {
        propertyList => { map { $_ => {} } qw(type storage nodes content disable shared format) },
    };
}
reset_all();

sub private {
    return $all;
}

sub properties {
    return {};
}

sub options {
    return {};
}

sub plugindata {
    return {};
}

sub cluster_lock_storage {
    my ($class, $storeid, $shared, $timeout, $code, @args) = @_;
    die "the lock of a storage that is not shared\n" if !$shared;
    push @LOCKED, $storeid;
    local $IN_LOCK = 1;
    return $code->(@args);
}

sub read_common_header($) {
    my ($fh) = @_;
    my $got = sysread($fh, my $header, 8);
    die "import: no size found in export header, aborting.\n" if ($got // 0) != 8;
    return unpack('Q<', $header);
}

1;
