# SPDX-License-Identifier: AGPL-3.0-or-later
package PVE::SafeSyslog;

# Stand-in: keeps what was logged.
use strict;
use warnings;

our @LINES;

sub syslog {
    my ($level, $format, @args) = @_;
    push @LINES, "$level " . sprintf($format, @args);
}

1;
