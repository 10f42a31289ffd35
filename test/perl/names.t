#!/usr/bin/perl -T
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# What the adapter answers without asking: names of volumes, features, formats.
use strict;
use warnings;

use lib qw(test/perl/lib perl);
use Scalar::Util qw(tainted);
use Test::More;

use PVE::Storage;
use PVE::Storage::Custom::PureStoragePlugin;

my $plugin = 'PVE::Storage::Custom::PureStoragePlugin';
my $TAINT = substr($0, 0, 0);

{
    no warnings 'redefine';
    *PVEWarden::ArrayCall::call = sub { die "arrayd was asked\n" };
}

for my $case (
    ['vm-100-disk-0', 100], ['vm-100-disk-12', 100], ['vm-7-cloudinit', 7],
    ['vm-100-state-before_upgrade-2', 100], ['vm-100-fleece-0', 100], ['vm-999999999-disk-0', 999999999],
    ['base-100-disk-0', 100, 1],
) {
    my ($name, $vmid, $base) = @$case;
    my @got = $plugin->parse_volname("$name$TAINT");
    is_deeply(\@got, ['images', $name, $vmid, undef, undef, $base // '', 'raw'], $name);
    ok(!grep({ tainted($_) } @got), "$name: untainted");
}
for my $name (
    '', 'vm-100', 'vm-100-', 'vm--disk-0', 'vm-x-disk-0', 'tmp-100-x', 'subvol-100-disk-0',
    'vm-100-disk-0.raw', 'vm-100-disk-0.snap-a', '100/vm-100-disk-0', 'vg/vm-100-disk-0',
    'vm-100-disk-0 ', "vm-100-disk-0\n", 'vm-100-disk:0', "vm-100-disk-\x{e4}", 'base-1-disk-0/vm-2-disk-0',
) {
    ok(!eval { $plugin->parse_volname($name); 1 }, "not ours: '$name'");
    like($@, qr/\Aunable to parse FlashArray volume name/, '... and said');
}

# Proxmox' names of what can be asked, by base, current state, snapshot.
my %features = (
    snapshot => '011', clone => '101', template => '010', copy => '111', sparseinit => '110',
    rename => '010', replicate => '000', nonsense => '000',
);
for my $feature (sort keys %features) {
    my @asked = (['base-1-disk-0'], ['vm-1-disk-0'], ['vm-1-disk-0', 's1']);
    my $got = join('', map { $plugin->volume_has_feature({}, $feature, 'pure', @$_) ? 1 : 0 } @asked);
    is($got, $features{$feature}, "$feature of a base, a volume, a snapshot");
}
is($plugin->volume_snapshot_needs_fsfreeze(), 1, 'file systems are frozen for a snapshot');

my @volume = ({}, 'pure', 'vm-1-disk-0');
for my $formats (qw(volume_export_formats volume_import_formats)) {
    is_deeply([$plugin->$formats(@volume, undef, undef, 0)], ['raw+size'], $formats);
    is_deeply([$plugin->$formats(@volume, undef, undef, 1)], [], "$formats: no snapshots");
    is_deeply([$plugin->$formats(@volume, undef, 'base', 0)], [], "$formats: no increments");
}
is_deeply([$plugin->volume_export_formats(@volume, 's1', undef, 0)], [], 'a snapshot is not exported');
is_deeply([$plugin->volume_import_formats(@volume, 's1', undef, 0)], ['raw+size'],
    'but what another storage sends from one is taken');

done_testing();
