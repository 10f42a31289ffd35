# SPDX-License-Identifier: AGPL-3.0-or-later
package PVE::Storage::Custom::PureStoragePlugin;

# Storage type `purestorage`: volumes of Pure Storage FlashArrays. This file is what Proxmox VE
# sees of `pvewarden array`: tables (properties, options, features, the form of a volume's name)
# and, for every method that needs an array or a device, one request and one reply (docs/array.md).
# What an administrator has to know is in pvewarden-array(8).
use strict;
use warnings;

use JSON ();
use POSIX ();

use PVE::INotify ();
use PVE::Storage::Plugin;
use PVE::Tools ();
use PVEWarden::ArrayCall ();

use base qw(PVE::Storage::Plugin);

my $TYPE = 'purestorage';
my ($API_MIN, $API_MAX) = (9, 15);

push @PVE::Storage::Plugin::SHARED_STORAGE, $TYPE
    if !grep { $_ eq $TYPE } @PVE::Storage::Plugin::SHARED_STORAGE;

# Seconds that a reply is waited for: 5 more than the method's own deadline (docs/array.md, 4).
# Under Proxmox' storage lock that is less than the 60 after which Proxmox cuts it.
my $WAIT_LOCKED = 55;
my $WAIT_ELSE = 35;
my %WAIT = (
    (map { $_ => $WAIT_LOCKED } qw(alloc free clone create_base rename)),
    activate => 65,
    deactivate => 50,
    status => 9,
    check_connection => 9,
    size => 15,
    path => 15,
);

# What values from outside look like; the first group is what passes. In a name a dot would mean a
# snapshot on the array, a slash another volume group. A path is one that udev makes, or the one of a
# volume that the array does not have.
my $NAME = qr/\A((vm|base)-([0-9]+)-[A-Za-z0-9_-]+)\z/;
my $SNAPSHOT = qr/\A([A-Za-z0-9_-]+)\z/;
my $NUMBER = qr/\A([0-9]+)\z/;
my $PATH = qr{\A((?:/dev|/run/pvewarden/array/(?:named|absent))/[A-Za-z0-9/._:-]+)\z};
my $WORD = qr/\A(\S+)\z/;
my $ANY = qr/\A(.*)\z/s;

# ---- what Proxmox asks when it loads us ----

# A plugin that says another number than Proxmox' own is warned about at every command, and one that
# says more is not loaded. All of 9 to 15 is served by the same methods.
sub api {
    my $theirs = PVE::Storage->can('APIVER') ? PVE::Storage::APIVER() : $API_MAX;
    return $API_MIN if $theirs < $API_MIN;
    return $theirs < $API_MAX ? $theirs : $API_MAX;
}

sub type {
    return $TYPE;
}

sub plugindata {
    my $data = {
        content => [{ images => 1, rootdir => 1, none => 1 }, { images => 1 }],
        format => [{ raw => 1 }, 'raw'],
        'sensitive-properties' => { token => 1 },
    };
    $data->{'isolate-properties'} = 1 if others_isolate();
    return $data;
}

# Newer versions of Proxmox can give each plugin its own space of properties. The first plugin that
# asks for one changes the API for the storages of ALL types: `type` becomes mandatory in updates,
# and `pvesm set` without it fails unless pve-storage itself is ready for that. So we follow where
# another one (Proxmox' own are registered first) went before, and never lead.
sub others_isolate {
    my $private = PVE::Storage::Plugin->private();
    my $data = $private->{plugindata} // {};
    return $private->{propertyIsolation}
        || grep { $_ ne $TYPE && $data->{$_}->{'isolate-properties'} } keys %$data;
}

my %PROPERTIES = (
    address => {
        description => "Address of the array's management interface, https://NAME."
            . " Several arrays (ActiveCluster): separated by commas.",
        type => 'string',
    },
    token => {
        description => "API token; for several arrays as many, separated by commas, in the order of"
            . " 'address'. Kept in /etc/pve/priv where Proxmox VE supports that.",
        type => 'string',
    },
    vgname => { description => "Volume group.", type => 'string', format => 'pve-storage-vgname' },
    podname => {
        description => "Pod that the volumes are in. Not together with 'vgname'.",
        type => 'string',
    },
    vnprefix => { description => "What volume names begin with on the array.", type => 'string' },
    hgsuffix => {
        description => "Suffix of this node's host object on the array: NODE-SUFFIX.",
        type => 'string',
        default => '',
    },
    protocol => {
        description => "How volumes are reached: iscsi, fc or nvme.",
        type => 'string',
        default => 'iscsi',
    },
    # No boolean: storage.cfg refuses the `yes` that people were told to write, and goes on without
    # the line, that is without verification.
    check_ssl => { description => "Verify the array's TLS certificate (0 or 1).", type => 'string' },
    token_ttl => {
        description => "Seconds that a session is used.",
        type => 'integer',
        default => 3600,
    },
    debug => {
        description => "What is logged: 0 nothing more, 1 calls, 2 requests too, 3 everything.",
        type => 'integer',
        minimum => 0,
        maximum => 3,
        default => 0,
    },
    pgroup_sync => {
        description => "Read from older configurations; not acted on.",
        type => 'boolean',
    },
    pgroup_sync_interval => {
        description => "Read from older configurations; not acted on.",
        type => 'integer',
    },
    'purestorage-hostgroup' => {
        description => "Host group that volumes are connected to, instead of this node's host.",
        type => 'string',
    },
    'purestorage-quota' => {
        description => "Provisioned size that allocation keeps to: bytes, or with K, M, G, T.",
        type => 'string',
    },
    'purestorage-iops' => {
        description => "Limit of new volumes, operations per second.",
        type => 'integer',
        minimum => 1,
    },
    'purestorage-bandwidth' => {
        description => "Limit of new volumes, bytes per second.",
        type => 'string',
    },
    'purestorage-multipath' => {
        description => "Use volumes through multipathd.",
        type => 'boolean',
        default => 1,
    },
    bwlimit => {
        description => "I/O bandwidth limits of migration, clone, restore and move, in KiB/s.",
        type => 'string',
        format => 'bwlimit',
    },
);

# One name that two plugins declare takes ALL of PVE's storage down, since SectionConfig dies then,
# outside of any eval; so does one that is used and declared by none. Names as plain as `address`
# and `token` are fixed by the configurations that exist. So we declare exactly what nobody else
# does, whoever else is installed, and take their declaration for the rest. (`vgname` is LVM's and
# `bwlimit` the folders', unless each plugin has a space of its own.)
sub properties {
    my $elsewhere = declared_elsewhere();
    return { map { $_ => $PROPERTIES{$_} } grep { !$elsewhere->{$_} } keys %PROPERTIES };
}

# Those that are there before any plugin adds its own.
my %BASE = map { $_ => 1 } keys %{ PVE::Storage::Plugin->private()->{propertyList} // {} };
our $asking = 0;

sub declared_elsewhere {
    my $all = PVE::Storage::Plugin->private();
    my ($plugins, $data) = map { $all->{$_} // {} } qw(plugins plugindata);
    my %found = %BASE;
    return \%found if $all->{propertyIsolation} || $data->{$TYPE}->{'isolate-properties'};
    # Another one may ask us the same question.
    return \%found if $asking;
    local $asking = 1;
    for my $type (grep { $_ ne $TYPE } keys %$plugins) {
        my $private = $data->{$type}->{'isolate-properties'};
        my $shown = $private ? $data->{$type}->{'expose-properties'} : 1;
        my $properties = eval { $plugins->{$type}->properties() } // {};
        my @shown = grep { ref($shown) eq 'HASH' ? $shown->{$_} : $shown } keys %$properties;
        @found{@shown} = (1) x @shown;
    }
    return \%found;
}

# check_config() stays Proxmox' own: it also runs at every reading of storage.cfg, where to die
# would lose the whole section. What fits together is checked by the hooks.
sub options {
    my @names = (keys %PROPERTIES, qw(nodes disable content format));
    return { (map { $_ => { optional => 1 } } @names), address => {} };
}

# ---- one request, one reply ----

sub ask {
    my ($storeid, $scfg, $method, $args, $secrets) = @_;

    my ($debug) = ($ENV{PURESTORAGE_DEBUG} // '') =~ m/\A([0-3])\z/;
    my $request = {
        schema => 'pvewarden.array.call/1',
        method => $method,
        storage => $storeid,
        node => PVE::INotify::nodename(),
        config => plain_section($scfg),
        debug => int($debug // 0),
        args => $args,
    };
    $request->{secrets} = $secrets if $secrets && %$secrets;
    return PVEWarden::ArrayCall::call($request, $WAIT{$method} // $WAIT_ELSE);
}

sub result_of {
    my ($reply) = @_;
    return $reply->{result} if $reply->{ok};
    my $error = "$reply->{error}";
    chomp($error);
    die "$error\n";
}

sub call {
    return result_of(ask(@_));
}

# Values become the strings that storage.cfg has; what other code has noted in the hash (keys that
# begin with _) is not configuration.
sub plain_section {
    my ($scfg) = @_;
    return { map { $_ => plain($scfg->{$_}) }
            grep { !m/\A_/ && defined($scfg->{$_}) } keys %$scfg };
}

sub plain {
    my ($value) = @_;
    return { map { $_ => plain($value->{$_}) } keys %$value } if ref($value) eq 'HASH';
    return [map { plain($_) } @$value] if ref($value) eq 'ARRAY';
    return defined($value) ? "$value" : undef;
}

sub flag {
    my ($value) = @_;
    return $value ? JSON::true() : JSON::false();
}

# The args of a volume, and of one of its snapshots.
sub volume {
    my ($volname, $snap) = @_;
    return { volname => $volname, length($snap // '') ? (snap => $snap) : () };
}

# Proxmox' daemons run with -T: what came from outside passes here on its way to them.
sub take {
    my ($what, $form, $value) = @_;
    return $1 if defined($value) && !ref($value) && $value =~ $form;
    $value = defined($value) ? "'$value'" : 'missing';
    die "the answer of pvewarden makes no sense: $what is $value\n";
}

sub take_number {
    my ($what, $value) = @_;
    return int(take($what, $NUMBER, $value));
}

sub take_optional {
    my ($what, $value) = @_;
    return defined($value) ? take_number($what, $value) : undef;
}

sub take_volname {
    return take('volname', $NAME, @_);
}

sub take_path {
    my ($result) = @_;
    my $path = ref($result) eq 'HASH' ? $result->{path} : undef;
    return take('path', $PATH, $path);
}

# ---- storages ----

# What the hook has found out goes into the section that Proxmox writes after it.
sub merge_config {
    my ($section, $result) = @_;

    my $found = ref($result) eq 'HASH' ? $result->{config} // {} : {};
    $section->{$_} = take($_, $ANY, $found->{$_}) for grep { $PROPERTIES{$_} } keys %$found;
    return undef;
}

sub on_add_hook {
    my ($class, $storeid, $scfg, %sensitive) = @_;
    return merge_config($scfg, call($storeid, $scfg, 'on_add', {}, secrets(\%sensitive)));
}

sub on_update_hook_full {
    my ($class, $storeid, $scfg, $update, $delete, $sensitive) = @_;

    my $args = { update => plain_section($update), delete => [map { "$_" } @{ $delete // [] }] };
    delete($args->{update}->{type}); # Proxmox adds it; it never changes
    return merge_config($update,
        call($storeid, $scfg, 'on_update', $args, secrets($sensitive // {})));
}

# Before version 13 of the API: without the section and without what is deleted.
sub on_update_hook {
    my ($class, $storeid, $update, %sensitive) = @_;

    my $scfg = PVE::Storage::storage_config(PVE::Storage::config(), $storeid);
    my @delete = grep { !defined($sensitive{$_}) } keys %sensitive;
    return $class->on_update_hook_full($storeid, $scfg, $update, \@delete, \%sensitive);
}

sub on_delete_hook {
    my ($class, $storeid, $scfg) = @_;
    call($storeid, $scfg, 'on_delete', {});
    return undef;
}

sub secrets {
    my ($sensitive) = @_;
    return defined($sensitive->{token}) ? { token => "$sensitive->{token}" } : {};
}

sub check_connection {
    my ($class, $storeid, $scfg) = @_;
    return call($storeid, $scfg, 'check_connection', {}) ? 1 : 0;
}

# Proxmox asks check_connection() just before, at every command and every 10 s.
sub activate_storage {
    return 1;
}

sub deactivate_storage {
    return 1;
}

sub status {
    my ($class, $storeid, $scfg, $cache) = @_;

    my $result = call($storeid, $scfg, 'status', {});
    my ($total, $avail, $used) = map { take_number($_, $result->{$_}) } qw(total avail used);
    return ($total, $avail, $used, $result->{active} ? 1 : 0);
}

sub get_identity {
    my ($class, $scfg, $storeid) = @_;
    return take('identity', $WORD, call($storeid, $scfg, 'identity', {}));
}

# ---- volumes ----

sub parse_volname {
    my ($class, $volname) = @_;

    my ($name, $kind, $vmid) = $volname =~ $NAME
        or die "unable to parse FlashArray volume name '$volname'\n";
    return ('images', $name, $vmid, undef, undef, $kind eq 'base', 'raw');
}

# What the path is, not whether the device is there: PVE 8 builds QEMU's command line before it
# activates volumes.
sub path {
    my ($class, $scfg, $volname, $storeid, $snapname) = @_;
    return $class->filesystem_path($scfg, $volname, $snapname, $storeid);
}

sub filesystem_path {
    my ($class, $scfg, $volname, $snapname, $storeid) = @_;

    my ($vtype, $name, $vmid) = $class->parse_volname($volname);
    die "the path of '$volname' can only be told with its storage\n" if !defined($storeid);
    my $result = call($storeid, $scfg, 'path', volume($name, $snapname));
    my $path = take_path($result);
    return wantarray ? ($path, $vmid, $vtype) : $path;
}

# Unlike Proxmox' own this does not look at the device, which need not be there yet.
sub qemu_blockdev_options {
    my ($class, $scfg, $storeid, $volname, $machine_version, $options) = @_;

    my $path = $class->path($scfg, $volname, $storeid, $options->{'snapshot-name'});
    return { driver => 'host_device', filename => $path };
}

sub activate_volume {
    my ($class, $storeid, $scfg, $volname, $snapname, $cache, $hints) = @_;
    $class->map_volume($storeid, $scfg, $volname, $snapname, $hints);
    return 1;
}

sub deactivate_volume {
    my ($class, $storeid, $scfg, $volname, $snapname, $cache) = @_;
    return $class->unmap_volume($storeid, $scfg, $volname, $snapname);
}

# Containers and TPM state use what this returns; it may be the first to ask (resize of a stopped
# container), so it brings the device as activate_volume() does.
sub map_volume {
    my ($class, $storeid, $scfg, $volname, $snapname, $hints) = @_;

    my $args = volume($volname, $snapname);
    $args->{hints} = { map { $_ => flag($hints->{$_}) } keys %$hints } if $hints && %$hints;
    return take_path(call($storeid, $scfg, 'activate', $args));
}

sub unmap_volume {
    my ($class, $storeid, $scfg, $volname, $snapname) = @_;
    call($storeid, $scfg, 'deactivate', volume($volname, $snapname));
    return 1;
}

sub list_images {
    my ($class, $storeid, $scfg, $vmid, $vollist, $cache) = @_;

    my $args = {};
    $args->{vmid} = int($vmid) if defined($vmid);
    if ($vollist) {
        $args->{volumes} = [map { m/\A\Q$storeid\E:(.+)\z/ ? "$1" : () } @$vollist];
        return [] if !@{ $args->{volumes} };
    }
    my $list = call($storeid, $scfg, 'list', $args);
    die "the answer of pvewarden makes no sense: no list of volumes\n" if ref($list) ne 'ARRAY';
    return [map { image($storeid, $_) } @$list];
}

sub image {
    my ($storeid, $volume) = @_;

    my $image = {
        volid => "$storeid:" . take_volname($volume->{volname}),
        vmid => take('vmid', $NUMBER, $volume->{vmid}),
        format => 'raw',
        size => take_number('size', $volume->{size}),
    };
    for my $key (grep { defined($volume->{$_}) } qw(used ctime)) {
        $image->{$key} = take_number($key, $volume->{$key});
    }
    return $image;
}

# $size in KiB
sub alloc_image {
    my ($class, $storeid, $scfg, $vmid, $fmt, $name, $size) = @_;
    return take_volname(result_of(ask_alloc($storeid, $scfg, $vmid, $fmt, $name, $size)));
}

sub ask_alloc {
    my ($storeid, $scfg, $vmid, $fmt, $name, $size) = @_;

    die "unsupported format '$fmt': volumes of a FlashArray are raw\n" if $fmt ne 'raw';
    # Proxmox divides bytes by 1024 and may hand over half a KiB.
    my $args = { vmid => int($vmid), size_kib => POSIX::ceil($size) };
    $args->{name} = $name if length($name // '');
    return ask($storeid, $scfg, 'alloc', $args);
}

# No CODE for later: when this returns, name and device are gone, and what refuses (a device that is
# open) is said to who asked. Nothing that takes long is left for a worker.
sub free_image {
    my ($class, $storeid, $scfg, $volname, $isBase, $format) = @_;
    call($storeid, $scfg, 'free', volume($volname));
    return undef;
}

sub clone_image {
    my ($class, $scfg, $storeid, $volname, $vmid, $snap) = @_;
    return take_volname(
        call($storeid, $scfg, 'clone', { %{ volume($volname, $snap) }, vmid => int($vmid) }));
}

sub create_base {
    my ($class, $storeid, $scfg, $volname) = @_;
    return take_volname(call($storeid, $scfg, 'create_base', volume($volname)));
}

sub rename_volume {
    my ($class, $scfg, $storeid, $source, $vmid, $target) = @_;

    my $args = volume($source);
    $args->{vmid} = int($vmid) if defined($vmid);
    $args->{target} = $target if length($target // '');
    return "$storeid:" . take_volname(call($storeid, $scfg, 'rename', $args));
}

sub volume_size_info {
    my ($class, $scfg, $storeid, $volname, $timeout) = @_;

    my $args = volume($volname);
    $args->{timeout} = int($timeout) if $timeout;
    my $result = call($storeid, $scfg, 'size', $args);
    my $size = take_number('size', $result->{size});
    return $size if !wantarray;
    my ($used, $ctime) = map { take_optional($_, $result->{$_}) } qw(used ctime);
    return ($size, 'raw', $used, undef, $ctime);
}

sub volume_resize {
    my ($class, $scfg, $storeid, $volname, $size, $running, $snapname) = @_;

    die "a snapshot of a FlashArray volume cannot be resized\n" if length($snapname // '');
    my $args = { volname => $volname, size => int($size), running => flag($running) };
    call($storeid, $scfg, 'resize', $args);
    return 1;
}

sub get_volume_attribute {
    my ($class, $scfg, $storeid, $volname, $attribute) = @_;

    return undef if $attribute !~ m/\A(?:notes|protected)\z/;
    my $args = { volname => $volname, name => $attribute };
    my $value = call($storeid, $scfg, 'attribute_get', $args);
    return defined($value) ? take($attribute, $ANY, "$value") : undef;
}

sub update_volume_attribute {
    my ($class, $scfg, $storeid, $volname, $attribute, $value) = @_;

    die "attribute '$attribute' is not supported for storage type '$TYPE'\n"
        if $attribute !~ m/\A(?:notes|protected)\z/;
    my $args = { volname => $volname, name => $attribute, value => plain($value) };
    call($storeid, $scfg, 'attribute_set', $args);
    return undef;
}

# ---- snapshots ----

# The array's snapshot has what the file system has written by then.
sub volume_snapshot_needs_fsfreeze {
    return 1;
}

sub volume_snapshot {
    my ($class, $scfg, $storeid, $volname, $snap) = @_;
    call($storeid, $scfg, 'snapshot', volume($volname, $snap));
    return undef;
}

sub volume_snapshot_delete {
    my ($class, $scfg, $storeid, $volname, $snap, $running) = @_;
    call($storeid, $scfg, 'snapshot_delete', volume($volname, $snap));
    return undef;
}

# Snapshots of an array are independent of each other: none is ever in the way ($blockers).
sub volume_rollback_is_possible {
    my ($class, $scfg, $storeid, $volname, $snap, $blockers) = @_;
    call($storeid, $scfg, 'rollback_possible', volume($volname, $snap));
    return 1;
}

sub volume_snapshot_rollback {
    my ($class, $scfg, $storeid, $volname, $snap) = @_;
    call($storeid, $scfg, 'rollback', volume($volname, $snap));
    return undef;
}

sub volume_snapshot_info {
    my ($class, $scfg, $storeid, $volname) = @_;

    my $result = call($storeid, $scfg, 'snapshot_info', volume($volname));
    my $info = {};
    for my $snap (keys %$result) {
        my $found = $result->{$snap};
        $info->{ take('snapshot', $SNAPSHOT, $snap) } = {
            id => take('id', $WORD, $found->{id}),
            timestamp => take_number('timestamp', $found->{timestamp}),
            'virtual-size' => take_number('virtual-size', $found->{'virtual-size'}),
        };
    }
    return $info;
}

sub rename_snapshot {
    die "snapshots of FlashArray volumes cannot be renamed\n";
}

my %FEATURES = (
    snapshot => { current => 1, snap => 1 },
    clone => { base => 1, snap => 1 },
    template => { current => 1 },
    copy => { base => 1, current => 1, snap => 1 },
    sparseinit => { base => 1, current => 1 },
    rename => { current => 1 },
);

sub volume_has_feature {
    my ($class, $scfg, $feature, $storeid, $volname, $snapname, $running, $opts) = @_;

    my $isBase = ($class->parse_volname($volname))[5];
    my $key = $snapname ? 'snap' : $isBase ? 'base' : 'current';
    return ($FEATURES{$feature} // {})->{$key};
}

# ---- a volume as a stream: 8 bytes of size, then its data ----

sub volume_export_formats {
    my ($class, $scfg, $storeid, $volname, $snapshot, $base_snapshot, $with_snapshots) = @_;
    return () if defined($snapshot) || defined($base_snapshot) || $with_snapshots;
    return ('raw+size');
}

sub volume_import_formats {
    my ($class, $scfg, $storeid, $volname, $snapshot, $base_snapshot, $with_snapshots) = @_;
    return () if defined($base_snapshot) || $with_snapshots;
    return ('raw+size');
}

sub volume_export {
    my ($class, $scfg, $storeid, $fh, $volname, $format, $snapshot, $base_snapshot, $with_snapshots)
        = @_;

    my @formats = $class->volume_export_formats(
        $scfg, $storeid, $volname, $snapshot, $base_snapshot, $with_snapshots);
    die "a FlashArray volume can only be exported as 'raw+size', without snapshots\n"
        if !grep { $_ eq $format } @formats;
    my $device = $class->map_volume($storeid, $scfg, $volname);
    my $size = $class->volume_size_info($scfg, $storeid, $volname, 10);
    PVE::Tools::run_command(
        [$PVEWarden::ArrayCall::PROGRAM, 'array', 'export', $device, $size],
        output => '>&' . fileno($fh),
    );
    return undef;
}

sub volume_import {
    my ($class, $scfg, $storeid, $fh, $volname, $format, $snapshot, $base_snapshot,
        $with_snapshots, $allow_rename) = @_;

    my @formats = $class->volume_import_formats(
        $scfg, $storeid, $volname, $snapshot, $base_snapshot, $with_snapshots);
    die "a FlashArray volume can only be imported as 'raw+size', without snapshots\n"
        if !grep { $_ eq $format } @formats;
    my $size = take_number('size', PVE::Storage::Plugin::read_common_header($fh));
    my $kib = int(($size + 1023) / 1024);
    my $allocated = locked($class, $storeid, $scfg,
        sub { alloc_for_import($class, $storeid, $scfg, $volname, $kib, $allow_rename) });
    my $is_base = ($class->parse_volname($volname))[5];
    my $imported = eval {
        fill($class, $storeid, $scfg, $fh, $allocated, $size);
        return $allocated if !$is_base;
        # Whole by now: what breaks off before leaves no volume that looks like a template's.
        return locked($class, $storeid, $scfg,
            sub { $class->create_base($storeid, $scfg, $allocated) });
    };
    if (my $error = $@) {
        my $free = sub { $class->free_image($storeid, $scfg, $allocated, 0, 'raw') };
        eval { locked($class, $storeid, $scfg, $free) };
        warn $@ if $@;
        die $error;
    }
    return "$storeid:$imported";
}

sub locked {
    my ($class, $storeid, $scfg, $code) = @_;
    return $class->cluster_lock_storage($storeid, $scfg->{shared}, undef, $code);
}

sub alloc_for_import {
    my ($class, $storeid, $scfg, $volname, $kib, $allow_rename) = @_;

    my (undef, $name, $vmid, undef, undef, $is_base) = $class->parse_volname($volname);
    my $reply = $is_base
        ? ask_alloc_of_base($class, $storeid, $scfg, $vmid, $name, $kib)
        : ask_alloc($storeid, $scfg, $vmid, 'raw', $name, $kib);
    if (!$reply->{ok} && ($reply->{code} // '') eq 'EEXIST' && $allow_rename) {
        warn "volume '$storeid:$name' already exists - importing with a different name\n";
        $reply = ask_alloc($storeid, $scfg, $vmid, 'raw', undef, $kib);
    }
    return take_volname(result_of($reply));
}

# A template's disk is filled as its guest's and becomes the template's then. That its name is taken is
# said before the data comes.
sub ask_alloc_of_base {
    my ($class, $storeid, $scfg, $vmid, $name, $kib) = @_;

    my $there = $class->list_images($storeid, $scfg, undef, ["$storeid:$name"]);
    return { ok => 0, code => 'EEXIST', error => "volume '$storeid:$name' already exists" } if @$there;
    return ask_alloc($storeid, $scfg, $vmid, 'raw', $name =~ s/\Abase-/vm-/r, $kib);
}

sub fill {
    my ($class, $storeid, $scfg, $fh, $volname, $size) = @_;

    my $device = $class->map_volume($storeid, $scfg, $volname);
    # A new volume reads zeros: those of the stream need not be written.
    PVE::Tools::run_command(
        [$PVEWarden::ArrayCall::PROGRAM, qw(array import --sparse --size), $size, $device],
        input => '<&' . fileno($fh),
    );
    # The data is there; a mapping that stays is no reason to throw it away.
    eval { $class->unmap_volume($storeid, $scfg, $volname) };
    warn $@ if $@;
}

1;
