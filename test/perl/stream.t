#!/usr/bin/perl -T
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Export and import: what is in the stream, in which order arrayd is asked, what a failure leaves.
use strict;
use warnings;

use lib qw(test/perl/lib perl);
use Test::More;

use Played;
use PVE::Storage;
use PVE::Storage::Custom::PureStoragePlugin;
use PVE::Tools;

my $plugin = 'PVE::Storage::Custom::PureStoragePlugin';
my $scfg = { type => 'purestorage', shared => 1 };
my $played = Played->new();
my $dev = '/dev/disk/by-id/dm-uuid-mpath-3624a9370aa';

# Answers by method; each a list that the last one of stays. An asked method is noted with its args,
# and 'L' under Proxmox' lock.
my (@asked, %answers);
{
    no warnings 'redefine';
    *PVEWarden::ArrayCall::call = sub {
        my ($request) = @_;
        my $method = $request->{method};
        push @asked, ($PVE::Storage::Plugin::IN_LOCK ? 'L ' : '')
            . join(' ', $method, map { "$_=$request->{args}->{$_}" } sort keys %{ $request->{args} });
        my $list = $answers{$method} // die "nobody expected $method\n";
        my $answer = @$list > 1 ? shift(@$list) : $list->[0];
        return $answer->{error} ? { ok => 0, %$answer } : { ok => 1, %$answer };
    };
}

sub begin {
    %answers = (
        activate => [{ result => { path => $dev } }],
        deactivate => [{ result => undef }],
        size => [{ result => { size => 6 } }],
        free => [{ result => undef }],
        alloc => [{ result => 'vm-100-disk-0' }],
        @_,
    );
    @asked = @PVE::Tools::RUN = @PVE::Storage::Plugin::LOCKED = ();
}

sub temporary {
    my ($content) = @_;
    open(my $fh, '+>', undef) or die "temporary: $!";
    syswrite($fh, $content // '');
    sysseek($fh, 0, 0);
    return $fh;
}

sub content_of {
    my ($fh) = @_;
    sysseek($fh, 0, 0);
    sysread($fh, my $content, 65536);
    return $content;
}

# ---- export ----
begin();
$played->program('printf "$*" >$SELF/argv; printf HEADERabcdef');
my $out = temporary();
$plugin->volume_export($scfg, 'pure', $out, 'vm-100-disk-0', 'raw+size', undef, undef, 0);
is(content_of($out), 'HEADERabcdef', 'export: what the program writes, and nothing else');
is($played->file('argv'), "array export $dev 6", '... from the device, of the size that the array says');
is_deeply(\@asked, ['activate volname=vm-100-disk-0', 'size timeout=10 volname=vm-100-disk-0'],
    '... of an active volume');
begin();
$played->program('exit 1');
ok(!eval { $plugin->volume_export($scfg, 'pure', temporary(), 'vm-100-disk-0', 'raw+size'); 1 },
    'export that breaks off');
begin();
for my $case (['tar+size'], ['raw+size', 's1'], ['raw+size', undef, 'base'], ['raw+size', undef, undef, 1]) {
    ok(!eval { $plugin->volume_export($scfg, 'pure', temporary(), 'vm-100-disk-0', @$case); 1 },
        'no export of ' . join(' ', map { $_ // '-' } @$case));
    like($@, qr/can only be exported as 'raw\+size'/, '... and said');
}
is_deeply(\@asked, [], '... without asking');

# ---- import ----
sub import_volume {
    my ($header, $rename) = @_;
    my $in = temporary("${header}abcdef");
    return $plugin->volume_import($scfg, 'pure', $in, 'vm-100-disk-0', 'raw+size', undef, undef, 0, $rename);
}
my $six = pack('Q<', 6);
my $imported = 'cat >$SELF/data; printf "$*" >$SELF/argv';

begin();
$played->program($imported);
is(import_volume($six), 'pure:vm-100-disk-0', 'import');
is($played->file('data'), 'abcdef', '... gives the program what follows the header');
is($played->file('argv'), "array import --sparse --size 6 $dev", '... for the device');
is_deeply(
    \@asked,
    [
        'L alloc name=vm-100-disk-0 size_kib=1 vmid=100',
        'activate volname=vm-100-disk-0', 'deactivate volname=vm-100-disk-0',
    ],
    '... of a new volume, made under the lock, whole KiB',
);
is_deeply(\@PVE::Storage::Plugin::LOCKED, ['pure'], '... once');

my $exists = { error => "volume vm-100-disk-0 exists", code => 'EEXIST' };
begin(alloc => [$exists]);
ok(!eval { import_volume($six, 0); 1 }, 'import of a name that is taken');
like($@, qr/\Avolume vm-100-disk-0 exists\n\z/, '... is refused');
is(scalar(@asked), 1, '... and leaves it alone');
begin(alloc => [$exists, { result => 'vm-100-disk-1' }]);
my @warned;
local $SIG{__WARN__} = sub { push @warned, @_ };
is(import_volume($six, 1), 'pure:vm-100-disk-1', '... or gets another, if it may');
is_deeply([@asked[0 .. 1]],
    ['L alloc name=vm-100-disk-0 size_kib=1 vmid=100', 'L alloc size_kib=1 vmid=100'], '... in one lock');
is($asked[2], 'activate volname=vm-100-disk-1', '... and that one is filled');
like($warned[0], qr/already exists - importing with a different name/, '... which is said');
begin(alloc => [{ error => 'quota', code => 'EDQUOT' }]);
ok(!eval { import_volume($six, 1); 1 } && $@ eq "quota\n", 'another reason is not asked about twice');
is(scalar(@asked), 1, '... indeed');

begin();
$played->program('cat >/dev/null; exit 1');
ok(!eval { import_volume($six); 1 }, 'import that breaks off');
is($asked[-1], 'L free volname=vm-100-disk-0', '... frees the volume again, under the lock');
begin(activate => [{ error => 'no path came' }], free => [{ error => 'the array does not answer' }]);
@warned = ();
ok(!eval { import_volume($six); 1 } && $@ eq "no path came\n", '... and says what broke it');
is_deeply(\@warned, ["the array does not answer\n"], '... also when freeing fails');
begin(deactivate => [{ error => 'it is open' }]);
$played->program($imported);
@warned = ();
is(import_volume($six), 'pure:vm-100-disk-0', 'a mapping that stays does not cost the data');
is_deeply(\@warned, ["it is open\n"], '... but is said');
# ---- import of a template's disk ----
sub import_base {
    my ($rename) = @_;
    return $plugin->volume_import($scfg, 'pure', temporary("${six}abcdef"), 'base-100-disk-0', 'raw+size',
        undef, undef, 0, $rename);
}
my @base = (list => [{ result => [] }], create_base => [{ result => 'base-100-disk-0' }]);
begin(@base);
is(import_base(), 'pure:base-100-disk-0', "import of a template's disk");
is($played->file('data'), 'abcdef', '... gives the program what follows the header');
s/ARRAY\(\w+\)/LIST/ for @asked;
is_deeply(
    \@asked,
    [
        'L list volumes=LIST',
        'L alloc name=vm-100-disk-0 size_kib=1 vmid=100',
        'activate volname=vm-100-disk-0', 'deactivate volname=vm-100-disk-0',
        'L create_base volname=vm-100-disk-0',
    ],
    "... as the guest's, and it becomes the template's when it is whole",
);
my $there = { volname => 'base-100-disk-0', vmid => 100, size => 6 };
begin(@base, list => [{ result => [$there] }]);
ok(!eval { import_base(0); 1 } && $@ =~ m/base-100-disk-0' already exists/, '... whose name is taken: refused');
is(scalar(@asked), 1, '... before anything is made');
begin(@base, list => [{ result => [$there] }], alloc => [{ result => 'vm-100-disk-1' }],
    create_base => [{ result => 'base-100-disk-1' }]);
is(import_base(1), 'pure:base-100-disk-1', '... or it gets another, if it may');
is($asked[-1], 'L create_base volname=vm-100-disk-1', '... and that one becomes the template\'s');
begin(@base);
$played->program('cat >/dev/null; exit 1');
ok(!eval { import_base(); 1 }, '... that breaks off');
is_deeply([grep { m/free|create_base/ } @asked], ['L free volname=vm-100-disk-0'], "... leaves no template's");
begin(@base, create_base => [{ error => 'the array does not answer' }]);
$played->program($imported);
ok(!eval { import_base(); 1 } && $@ eq "the array does not answer\n", '... that cannot become one');
is($asked[-1], 'L free volname=vm-100-disk-0', '... goes again');

begin();
ok(!eval { $plugin->volume_import($scfg, 'pure', temporary('abc'), 'vm-100-disk-0', 'raw+size'); 1 },
    'a stream that ends in its header');
is_deeply(\@asked, [], '... makes no volume');
for my $case (['qcow2+size'], ['raw+size', undef, 'base'], ['raw+size', undef, undef, 1]) {
    ok(!eval { $plugin->volume_import($scfg, 'pure', temporary($six), 'vm-100-disk-0', @$case); 1 },
        'no import of ' . join(' ', map { $_ // '-' } @$case));
}
is_deeply(\@asked, [], '... without asking');

done_testing();
