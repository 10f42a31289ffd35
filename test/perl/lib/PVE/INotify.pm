# SPDX-License-Identifier: AGPL-3.0-or-later
package PVE::INotify;

# Stand-in.
use strict;
use warnings;

sub nodename {
    return 'pve1';
}

1;
