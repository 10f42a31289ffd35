# SPDX-License-Identifier: AGPL-3.0-or-later
package PVE::Storage;

# Stand-in: the API's version and the configuration.
use strict;
use warnings;

our $APIVER = 15;
our $CONFIG = { ids => {} };

sub APIVER {
    return $APIVER;
}

sub config {
    return $CONFIG;
}

sub storage_config {
    my ($config, $storeid) = @_;
    return $config->{ids}->{$storeid} // die "storage '$storeid' does not exist\n";
}

1;
