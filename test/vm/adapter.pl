#!/usr/bin/perl -T
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# The Perl adapter as Proxmox' daemons run it (taint mode on, one process, call after call), with
# stand-ins for Proxmox' own modules. A line "STORAGE METHOD ARG..." from the first pipe, "-" for
# undef; one line back into the second: "ok RESULT" or "no SENTENCE".
use strict;
use warnings;

use lib qw(test/perl/lib perl);

use PVE::Storage;
use PVE::Storage::Custom::PureStoragePlugin;

my $plugin = 'PVE::Storage::Custom::PureStoragePlugin';
my %common = (type => 'purestorage', shared => 1, content => { images => 1 }, check_ssl => 0);

# As storage.cfg has them, given in the environment: ID KEY=VALUE...; ...
my %section;
for my $line (split(/\s*;\s*/, $ENV{SECTIONS} // '')) {
    my ($storeid, @values) = split(' ', $line);
    $section{$storeid} = { %common, map { split(/=/, $_, 2) } @values };
}

sub with_file {
    my ($mode, $path, $code) = @_;
    open(my $fh, $mode, $path) or die "$path: $!\n";
    my $result = $code->($fh);
    close($fh);
    return $result;
}

my %method = (
    alloc => sub { my ($s, $c, $vmid, $name, $kib) = @_;
        $plugin->alloc_image($s, $c, $vmid, 'raw', $name, $kib) },
    free => sub { my ($s, $c, $volume) = @_; $plugin->free_image($s, $c, $volume, 0, 'raw') },
    clone => sub { my ($s, $c, $volume, $vmid, $snap) = @_;
        $plugin->clone_image($c, $s, $volume, $vmid, $snap) },
    base => sub { my ($s, $c, $volume) = @_; $plugin->create_base($s, $c, $volume) },
    rename => sub { my ($s, $c, $volume, $vmid, $target) = @_;
        $plugin->rename_volume($c, $s, $volume, $vmid, $target) },
    path => sub { my ($s, $c, $volume, $snap) = @_; scalar($plugin->path($c, $volume, $s, $snap)) },
    activate => sub { my ($s, $c, $volume, $snap) = @_;
        $plugin->activate_volume($s, $c, $volume, $snap, {}) },
    deactivate => sub { my ($s, $c, $volume, $snap) = @_;
        $plugin->deactivate_volume($s, $c, $volume, $snap, {}) },
    size => sub { my ($s, $c, $volume) = @_;
        scalar($plugin->volume_size_info($c, $s, $volume, 10)) },
    resize => sub { my ($s, $c, $volume, $size) = @_;
        $plugin->volume_resize($c, $s, $volume, $size, 1) },
    snapshot => sub { my ($s, $c, $volume, $snap) = @_;
        $plugin->volume_snapshot($c, $s, $volume, $snap) },
    rollback => sub { my ($s, $c, $volume, $snap) = @_;
        $plugin->volume_rollback_is_possible($c, $s, $volume, $snap, []);
        $plugin->volume_snapshot_rollback($c, $s, $volume, $snap) },
    unsnapshot => sub { my ($s, $c, $volume, $snap) = @_;
        $plugin->volume_snapshot_delete($c, $s, $volume, $snap) },
    snapshots => sub { my ($s, $c, $volume) = @_;
        join(' ', sort keys %{ $plugin->volume_snapshot_info($c, $s, $volume) }) },
    list => sub { my ($s, $c) = @_;
        join(' ', sort map { $_->{volid} } @{ $plugin->list_images($s, $c) }) },
    export => sub { my ($s, $c, $volume, $file) = @_;
        with_file('>', $file, sub { $plugin->volume_export($c, $s, $_[0], $volume, 'raw+size') }) },
    import => sub { my ($s, $c, $volume, $file) = @_;
        with_file('<', $file, sub { $plugin->volume_import($c, $s, $_[0], $volume, 'raw+size') }) },
);

my ($asked, $answered) = map { m/\A(.*)\z/s } @ARGV;
open(my $in, '<', $asked) or die "$asked: $!";
open(my $out, '>', $answered) or die "$answered: $!";
$out->autoflush(1);
while (my $line = <$in>) {
    my ($storeid, $method, @args) = map { m/\A(.*)\z/s ? $1 : () } split(' ', $line);
    @args = map { $_ eq '-' ? undef : $_ } @args;
    my $result = eval { $method{$method}->($storeid, $section{$storeid}, @args) // '' };
    my $text = $@ eq '' ? "ok $result" : "no $@";
    $text =~ s/\s*\n\s*/ /g;
    print $out "$text\n";
}
