#!/usr/bin/perl -T
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Each method as Proxmox calls it: what goes to arrayd, how long its answer is waited for, and what
# Proxmox gets back. Every answer comes in tainted.
use strict;
use warnings;

use lib qw(test/perl/lib perl);
use JSON ();
use Scalar::Util qw(tainted);
use Test::More;

use PVE::Storage;
use PVE::Storage::Custom::PureStoragePlugin;

my $plugin = 'PVE::Storage::Custom::PureStoragePlugin';
my $scfg = {
    type => 'purestorage',
    address => 'https://fa1',
    content => { images => 1 },
    nodes => { pve1 => 1 },
    shared => 1,
    debug => 1,
    _vnprefix => 'noted by somebody',
};
my $config = {
    type => 'purestorage',
    address => 'https://fa1',
    content => { images => '1' },
    nodes => { pve1 => '1' },
    shared => '1',
    debug => '1',
};
my $TAINT = substr($0, 0, 0);
ok(${^TAINT}, 'taint mode is on');
ok(tainted("x$TAINT"), 'and so is what it is tried with');

sub taint {
    my ($value) = @_;
    return { map { $_ => taint($value->{$_}) } keys %$value } if ref($value) eq 'HASH';
    return [map { taint($_) } @$value] if ref($value) eq 'ARRAY';
    return defined($value) && !ref($value) ? "$value$TAINT" : $value;
}

sub clean {
    my ($value) = @_;
    return !grep { !clean($_) } (%$value) if ref($value) eq 'HASH';
    return !grep { !clean($_) } @$value if ref($value) eq 'ARRAY';
    return !tainted($value);
}

my ($request, $wait, $reply);
{
    no warnings 'redefine';
    *PVEWarden::ArrayCall::call = sub { ($request, $wait) = @_; return $reply };
}

# A method and its arguments, the request's method and args, arrayd's result, what comes back.
sub exchange {
    my ($text, $call, $method, $args, $result, $expected, $seconds) = @_;
    ($request, $wait) = ();
    $reply = { ok => 1, result => taint($result) };
    my ($name, @args) = @$call;
    my @got = eval { $plugin->$name(@args) };
    is($@, '', "$text: no error");
    is_deeply(
        $request,
        {
            schema => 'pvewarden.array.call/1',
            method => $method,
            storage => 'pure',
            node => 'pve1',
            config => $config,
            debug => 0,
            args => $args,
        },
        "$text: asked",
    );
    is($wait, $seconds // 35, "$text: waited for");
    is_deeply(\@got, $expected, "$text: answered");
    ok(clean(\@got), "$text: untainted");
}

my ($true, $false) = (JSON::true(), JSON::false());
my $v = 'vm-100-disk-0';
my $dev = '/dev/disk/by-id/dm-uuid-mpath-3624a937096622a35a07e4a33000126d2';
my $nvme = '/dev/disk/by-id/nvme-eui.0096622a35a07e4a24a93733000126d2';

# ---- storages ----
exchange('check_connection', ['check_connection', 'pure', $scfg], 'check_connection', {}, 1, [1], 9);
exchange('not connected', ['check_connection', 'pure', $scfg], 'check_connection', {}, 0, [0], 9);
exchange('status', ['status', 'pure', $scfg, {}], 'status', {},
    { total => 30, used => 10, avail => 20, active => 1 }, [30, 20, 10, 1], 9);
exchange('get_identity', ['get_identity', $scfg, 'pure'], 'identity', {},
    '5f3c0-1,77aa-2', ['5f3c0-1,77aa-2']);
exchange('on_delete_hook', ['on_delete_hook', 'pure', $scfg], 'on_delete', {}, undef, [undef]);
($request) = ();
is($plugin->activate_storage('pure', $scfg, {}), 1, 'activate_storage');
is($plugin->deactivate_storage('pure', $scfg, {}), 1, 'deactivate_storage');
is($request, undef, '... ask nobody');

# ---- volumes ----
exchange('path', ['path', $scfg, $v, 'pure'], 'path', { volname => $v },
    { path => $dev, vmid => 100 }, [$dev, 100, 'images'], 15);
exchange('path of a snapshot', ['path', $scfg, $v, 'pure', 's1'], 'path',
    { volname => $v, snap => 's1' }, { path => $dev, vmid => 100 }, [$dev, 100, 'images'], 15);
my $named = '/run/pvewarden/array/named/pure/vm-100-cloudinit';
exchange('path of a cloud-init drive that is not there yet', ['path', $scfg, 'vm-100-cloudinit', 'pure'],
    'path', { volname => 'vm-100-cloudinit' }, { path => $named, vmid => 100 }, [$named, 100, 'images'], 15);
my $absent = "/run/pvewarden/array/absent/pure/$v";
exchange('path of a volume that is gone has its owner, as Proxmox asks for it to remove the guest',
    ['path', $scfg, $v, 'pure'], 'path', { volname => $v }, { path => $absent, vmid => 100 },
    [$absent, 100, 'images'], 15);
$reply = { ok => 1, result => { path => $dev } };
is(scalar($plugin->path($scfg, $v, 'pure')), $dev, 'path in scalar context');
is(scalar($plugin->filesystem_path($scfg, $v, undef, 'pure')), $dev, 'filesystem_path');
exchange('qemu_blockdev_options',
    ['qemu_blockdev_options', $scfg, 'pure', $v, 'pc', { 'snapshot-name' => 's1' }],
    'path', { volname => $v, snap => 's1' }, { path => $nvme },
    [{ driver => 'host_device', filename => $nvme }], 15);
exchange('activate_volume', ['activate_volume', 'pure', $scfg, $v, undef, {}], 'activate',
    { volname => $v }, { path => $dev }, [1], 65);
exchange('activate_volume with hints',
    ['activate_volume', 'pure', $scfg, $v, 's1', {}, { 'guest-is-windows' => 1 }], 'activate',
    { volname => $v, snap => 's1', hints => { 'guest-is-windows' => $true } },
    { path => $dev }, [1], 65);
exchange('map_volume', ['map_volume', 'pure', $scfg, $v, 's1'], 'activate',
    { volname => $v, snap => 's1' }, { path => $dev }, [$dev], 65);
exchange('deactivate_volume', ['deactivate_volume', 'pure', $scfg, $v, 's1', {}], 'deactivate',
    { volname => $v, snap => 's1' }, undef, [1], 50);
exchange('unmap_volume', ['unmap_volume', 'pure', $scfg, $v], 'deactivate', { volname => $v },
    undef, [1], 50);

my $found = { volname => $v, vmid => 100, size => 1048576, used => 4096, ctime => 1736950000 };
my $image = {
    volid => "pure:$v", vmid => 100, size => 1048576, used => 4096, ctime => 1736950000,
    format => 'raw',
};
exchange('list_images', ['list_images', 'pure', $scfg, undef, undef, {}], 'list', {}, [$found],
    [[$image]]);
exchange('list_images of a guest', ['list_images', 'pure', $scfg, 100], 'list', { vmid => 100 },
    [{ volname => 'base-100-disk-0', vmid => 100, size => 1, used => undef }],
    [[{ volid => 'pure:base-100-disk-0', vmid => 100, size => 1, format => 'raw' }]]);
exchange('list_images by name',
    ['list_images', 'pure', $scfg, undef, ["pure:$v", 'pure2:vm-1-disk-0', 'local:1/x.raw']],
    'list', { volumes => [$v] }, [$found], [[$image]]);
($request) = ();
is_deeply($plugin->list_images('pure', $scfg, undef, ['local:1/x.raw']), [],
    'no volume of this storage is asked for');
is($request, undef, '... so arrayd is not');

exchange('alloc_image', ['alloc_image', 'pure', $scfg, '100', 'raw', undef, '528'], 'alloc',
    { vmid => 100, size_kib => 528 }, $v, [$v], 55);
exchange('alloc_image by name', ['alloc_image', 'pure', $scfg, 100, 'raw', 'vm-100-fleece-0', 1.5],
    'alloc', { vmid => 100, size_kib => 2, name => 'vm-100-fleece-0' }, 'vm-100-fleece-0',
    ['vm-100-fleece-0'], 55);
exchange('free_image', ['free_image', 'pure', $scfg, $v, 0, 'raw'], 'free', { volname => $v },
    undef, [undef], 55);
exchange('clone_image', ['clone_image', $scfg, 'pure', $v, '200', 's1'], 'clone',
    { volname => $v, vmid => 200, snap => 's1' }, 'vm-200-disk-0', ['vm-200-disk-0'], 55);
exchange('clone_image of a template', ['clone_image', $scfg, 'pure', 'base-100-disk-0', 200], 'clone',
    { volname => 'base-100-disk-0', vmid => 200 }, 'vm-200-disk-0', ['vm-200-disk-0'], 55);
exchange('create_base', ['create_base', 'pure', $scfg, $v], 'create_base', { volname => $v },
    'base-100-disk-0', ['base-100-disk-0'], 55);
exchange('rename_volume', ['rename_volume', $scfg, 'pure', $v, 200, undef], 'rename',
    { volname => $v, vmid => 200 }, 'vm-200-disk-0', ['pure:vm-200-disk-0'], 55);
exchange('rename_volume to a name', ['rename_volume', $scfg, 'pure', $v, undef, 'vm-100-disk-7'],
    'rename', { volname => $v, target => 'vm-100-disk-7' }, 'vm-100-disk-7',
    ['pure:vm-100-disk-7'], 55);
exchange('volume_size_info', ['volume_size_info', $scfg, 'pure', $v, 5], 'size',
    { volname => $v, timeout => 5 }, { size => 1048576, used => 4096, ctime => 17 },
    [1048576, 'raw', 4096, undef, 17], 15);
$reply = { ok => 1, result => { size => "1048576$TAINT" } };
my $size = $plugin->volume_size_info($scfg, 'pure', $v);
is($size, 1048576, 'volume_size_info in scalar context');
is_deeply($request->{args}, { volname => $v }, '... without a timeout');
exchange('volume_resize', ['volume_resize', $scfg, 'pure', $v, 2097152, 1], 'resize',
    { volname => $v, size => 2097152, running => $true }, undef, [1]);
exchange('volume_resize of a stopped guest', ['volume_resize', $scfg, 'pure', $v, 2097152, 0],
    'resize', { volname => $v, size => 2097152, running => $false }, undef, [1]);
exchange('notes', ['get_volume_attribute', $scfg, 'pure', $v, 'notes'], 'attribute_get',
    { volname => $v, name => 'notes' }, "two\nlines \x{263a}", ["two\nlines \x{263a}"]);
exchange('no notes', ['get_volume_attribute', $scfg, 'pure', $v, 'notes'], 'attribute_get',
    { volname => $v, name => 'notes' }, undef, [undef]);
exchange('protected', ['update_volume_attribute', $scfg, 'pure', $v, 'protected', 1],
    'attribute_set', { volname => $v, name => 'protected', value => '1' }, undef, [undef]);
exchange('no longer notes', ['update_volume_attribute', $scfg, 'pure', $v, 'notes', undef],
    'attribute_set', { volname => $v, name => 'notes', value => undef }, undef, [undef]);

# ---- snapshots ----
my $snap = { volname => $v, snap => 'a_1' };
exchange('volume_snapshot', ['volume_snapshot', $scfg, 'pure', $v, 'a_1'], 'snapshot', $snap,
    undef, [undef]);
exchange('volume_snapshot_delete', ['volume_snapshot_delete', $scfg, 'pure', $v, 'a_1', 1],
    'snapshot_delete', $snap, undef, [undef]);
my $blockers = [];
exchange('volume_rollback_is_possible',
    ['volume_rollback_is_possible', $scfg, 'pure', $v, 'a_1', $blockers],
    'rollback_possible', $snap, 1, [1]);
is_deeply($blockers, [], '... and nothing is in its way');
exchange('volume_snapshot_rollback', ['volume_snapshot_rollback', $scfg, 'pure', $v, 'a_1'],
    'rollback', $snap, undef, [undef]);
my $info = { a_1 => { id => 'i-1', timestamp => 1736950000, 'virtual-size' => 1048576 } };
exchange('volume_snapshot_info', ['volume_snapshot_info', $scfg, 'pure', $v], 'snapshot_info',
    { volname => $v }, $info, [$info]);

# ---- hooks ----
sub hook {
    my ($name, $found, @args) = @_;
    $reply = { ok => 1, result => taint($found) };
    return $plugin->$name('pure', @args);
}
my $section = { type => 'purestorage', address => 'https://fa1' };
is(hook('on_add_hook', { config => { check_ssl => 1, ids => 'x' } }, $section, token => 'T-1'),
    undef, 'on_add_hook');
is_deeply($request->{secrets}, { token => 'T-1' }, '... hands the token over');
ok(!exists($request->{config}->{token}), '... not as configuration');
is_deeply($section, { type => 'purestorage', address => 'https://fa1', check_ssl => 1 },
    '... and what it found is in the section that Proxmox writes, if it is a property');
ok(clean($section), '... untainted');
hook('on_add_hook', undef, { type => 'purestorage', token => 'T-1' });
ok(!exists($request->{secrets}), 'on_add_hook of a Proxmox without secrets');
is($request->{config}->{token}, 'T-1', '... finds the token in the section');

my $update = { type => 'purestorage', vnprefix => 'x', nodes => { pve2 => 1 } };
hook('on_update_hook_full', { config => { check_ssl => 0 } }, $scfg, $update, ['token', 'vgname'],
    { token => undef });
is_deeply(
    [@{$request}{qw(method config args)}, exists($request->{secrets})],
    [
        'on_update', $config,
        { update => { vnprefix => 'x', nodes => { pve2 => '1' } }, delete => ['token', 'vgname'] }, '',
    ],
    'on_update_hook_full',
);
is($update->{check_ssl}, 0, '... and what it found is written with the update');
hook('on_update_hook_full', undef, $scfg, {}, undef, { token => 'T-2' });
is_deeply($request->{args}, { update => {}, delete => [] }, 'on_update_hook_full with a token only');
is_deeply($request->{secrets}, { token => 'T-2' }, '... which is handed over');

$PVE::Storage::CONFIG = { ids => { pure => $scfg } };
hook('on_update_hook', undef, { vnprefix => 'x' }, token => 'T-2');
is_deeply(
    [@{$request}{qw(config args secrets)}],
    [$config, { update => { vnprefix => 'x' }, delete => [] }, { token => 'T-2' }],
    'on_update_hook before version 13 of the API',
);
hook('on_update_hook', undef, {}, token => undef);
is_deeply($request->{args}->{delete}, ['token'], '... when the token is deleted');

# ---- the caller's environment ----
for my $case (['2', 2], ['9', 0], ['1;x', 0]) {
    local $ENV{PURESTORAGE_DEBUG} = $case->[0];
    hook('check_connection', 1, $scfg);
    is($request->{debug}, $case->[1], "PURESTORAGE_DEBUG=$case->[0]");
}

# is_deeply() takes 1 and '1' for the same; arrayd does not.
$reply = { ok => 1, result => 'vm-100-disk-0' };
$plugin->alloc_image('pure', { %$scfg, debug => 1 }, '100', 'raw', undef, '4096');
my $json = JSON->new->canonical->encode({ map { $_ => $request->{$_} } qw(args config debug) });
like($json, qr/"args":\{"size_kib":4096,"vmid":100\}/, 'numbers are sent as numbers');
like($json, qr/"config":\{"address":"https:[^}]*"images":"1"[^}]*\},"debug":"1"/, 'configuration as text');

# ---- what is refused ----
sub refused {
    my ($text, $expected, $answer, $name, @args) = @_;
    ($request) = ();
    $reply = $answer;
    eval { $plugin->$name(@args) };
    like($@, $expected, $text);
    ok($@ =~ m/[^\n]\n\z/, "$text: one end of line");
}
my $no = { ok => 0, error => 'volume vg/x is not there', code => 'ENOENT' };
refused('an error is what arrayd said', qr/\Avolume vg\/x is not there\n\z/, $no, 'path', $scfg, $v, 'pure');
refused('... with one end of line', qr/\Agone\n\z/, { ok => 0, error => "gone\n" }, 'free_image',
    'pure', $scfg, $v);
my @bad = map { { ok => 1, result => $_ } } (undef, '', {}, [], 'vm-1-disk-0;x', "vm-1-disk-0\n", 'tmp-1-x');
refused('alloc_image: no name of a volume', qr/makes no sense: volname is/, $_, 'alloc_image', 'pure',
    $scfg, 100, 'raw', undef, 1) for @bad;
refused('path: no device', qr/makes no sense: path is/, { ok => 1, result => $_ }, 'path', $scfg, $v,
    'pure') for ('/dev/x', { path => '' }, { path => '/etc/passwd' }, { path => '/dev/a b' },
        { path => '/run/pvewarden/array/arrayd.sock' }, [], undef);
refused('status: no number', qr/makes no sense: avail is '-1'/,
    { ok => 1, result => { total => 1, used => 2, avail => -1, active => 1 } }, 'status', 'pure', $scfg);
refused('list_images: no list', qr/makes no sense: no list/, { ok => 1, result => {} }, 'list_images',
    'pure', $scfg);
refused('list_images: no size', qr/makes no sense: size is missing/,
    { ok => 1, result => [{ volname => $v, vmid => 100 }] }, 'list_images', 'pure', $scfg);
refused('volume_snapshot_info: no time', qr/makes no sense: timestamp/,
    { ok => 1, result => { a => { id => 1, 'virtual-size' => 1 } } }, 'volume_snapshot_info', $scfg,
    'pure', $v);

for my $case (
    ['another format', qr/qcow2/, 'alloc_image', 'pure', $scfg, 100, 'qcow2', undef, 1],
    ['resize of a snapshot', qr/cannot be resized/, 'volume_resize', $scfg, 'pure', $v, 1024, 0, 's'],
    ['rename of a snapshot', qr/cannot be renamed/, 'rename_snapshot', $scfg, 'pure', $v, 's', 't'],
    ['an attribute', qr/'colour' is not supported/, 'update_volume_attribute', $scfg, 'pure', $v, 'colour', 1],
    ['a path without storage', qr/with its storage/, 'filesystem_path', $scfg, $v],
    ['a path of a foreign name', qr/unable to parse/, 'path', $scfg, '100/vm-100-disk-0.raw', 'pure'],
) {
    my ($text, $expected, $name, @args) = @$case;
    refused($text, $expected, { ok => 1 }, $name, @args);
    is($request, undef, "$text: arrayd is not asked");
}
($request) = ();
is($plugin->get_volume_attribute($scfg, 'pure', $v, 'colour'), undef, 'an attribute that we have not');
is($request, undef, '... is not asked for');

done_testing();
