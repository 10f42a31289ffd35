#!/usr/bin/perl
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# What the adapter adds to a call of Proxmox': whole methods, over the socket to an arrayd that
# answers at once, against the same methods with the reply from memory. The best of CALLS
# each: what else the machine does is not measured.
#
#	bench/array_adapter.pl [CALLS]
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../test/perl/lib", "$FindBin::Bin/../perl";
use JSON ();
use Time::HiRes qw(CLOCK_MONOTONIC clock_gettime);

use Played;
use PVE::Storage;
use PVE::Storage::Custom::PureStoragePlugin;

my $BAR_MS = 2;
my $calls = shift(@ARGV) // 1000;
my $plugin = 'PVE::Storage::Custom::PureStoragePlugin';
my $scfg = {
    type => 'purestorage', address => 'https://fa1.example.com,https://fa2.example.com',
    podname => 'pod', content => { images => 1 }, shared => 1, check_ssl => 1,
};
my $volume = 'vm-100-disk-0';
my $path = { path => '/dev/disk/by-id/dm-uuid-mpath-3624a937096622a35a07e4a33000126d2', vmid => 100 };
my @list = map { {
    volname => "vm-$_-disk-0", vmid => $_, size => 1 << 35, used => 1 << 20, ctime => 1736950000,
} } (100 .. 1099);
my @methods = (
    ['path', $path, sub { $plugin->path($scfg, $volume, 'pure') }],
    ['volume_size_info', { size => 1 << 35 }, sub { $plugin->volume_size_info($scfg, 'pure', $volume, 5) }],
    ['activate_volume', $path, sub { $plugin->activate_volume('pure', $scfg, $volume, undef, {}) }],
    ['status', { total => 9, used => 4, avail => 5, active => 1 },
        sub { my @status = $plugin->status('pure', $scfg, {}) }],
    ['list_images of 1,000 volumes', \@list, sub { $plugin->list_images('pure', $scfg) }, 5],
);

sub best_ms {
    my ($code, $times) = @_;
    my @took;
    for (1 .. $times) {
        my $begun = clock_gettime(CLOCK_MONOTONIC);
        $code->();
        push @took, (clock_gettime(CLOCK_MONOTONIC) - $begun) * 1000;
    }
    @took = sort { $a <=> $b } @took;
    return $took[0];
}

my $played = Played->new();
my $missed = 0;
printf("| %-58s | %12s | %12s | %12s | %9s | met |\n", 'a call of the adapter', 'socket', 'memory',
    'difference', 'bar');
printf("|%s|%s:|%s:|%s:|%s:|-----|\n", '-' x 60, ('-' x 13) x 3, '-' x 10);
for my $case (@methods) {
    my ($name, $result, $code, $share) = @$case;
    my $reply = Played::ok($result);
    $played->serve('unrecorded', $reply);
    my $times = int($calls / ($share // 1)) || 1;
    my $over_socket = best_ms($code, $times);
    my $decoded = JSON->new->utf8->decode($reply);
    no warnings 'redefine';
    local *PVEWarden::ArrayCall::call = sub { return $decoded };
    my $from_memory = best_ms($code, $times);
    my $more = $over_socket - $from_memory;
    my $met = $more <= $BAR_MS;
    $missed++ if !$met;
    printf("| %-58s | %9.3f ms | %9.3f ms | %9.3f ms | %6d ms | %-3s |\n", $name, $over_socket,
        $from_memory, $more, $BAR_MS, $met ? 'yes' : 'NO');
}
exit($missed ? 1 : 0);
