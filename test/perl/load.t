#!/usr/bin/perl -T
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# How Proxmox takes the adapter in: version of the API, type, properties beside other plugins'.
use strict;
use warnings;

use lib qw(test/perl/lib perl);
use Test::More;

use PVE::Storage;
use PVE::Storage::Custom::PureStoragePlugin;

my $plugin = 'PVE::Storage::Custom::PureStoragePlugin';

# Other plugins, each with what it declares, uses and says of itself.
sub other {
    my ($type, $properties, %more) = @_;
    my $package = "Other::$type";
    no strict 'refs';
    no warnings 'redefine';
    @{"${package}::ISA"} = ('PVE::Storage::Plugin');
    *{"${package}::type"} = sub { $type };
    *{"${package}::properties"} = ref($properties) eq 'CODE'
        ? $properties
        : sub { return { map { $_ => { type => 'string' } } @$properties } };
    *{"${package}::options"} = sub { return { map { $_ => {} } @{ $more{options} // [] } } };
    *{"${package}::plugindata"} = sub { return $more{plugindata} // {} };
    return $package;
}

# Registered in this order, ours last unless it is named.
sub all_of {
    my (@plugins) = @_;
    PVE::Storage::Plugin->reset_all();
    $_->register() for @plugins, $plugin;
    return eval { PVE::Storage::Plugin->init(); 1 } ? '' : "$@";
}

my $lvm = other('lvm', ['vgname']);
my $dir = other('dir', ['bwlimit', 'path']);
my %older = map { $_ => 1 } qw(address token vgname podname vnprefix hgsuffix protocol check_ssl
    token_ttl debug nodes disable content format pgroup_sync pgroup_sync_interval);

for my $version (9 .. 15) {
    local $PVE::Storage::APIVER = $version;
    is($plugin->api(), $version, "version $version of the API is answered with itself");
}
{
    local $PVE::Storage::APIVER = 16;
    is($plugin->api(), 15, 'a newer one with the last that we know');
    local $PVE::Storage::APIVER = 8;
    is($plugin->api(), 9, 'an older one with what makes Proxmox refuse us');
}
is($plugin->type(), 'purestorage', 'type');
is(scalar(grep { $_ eq 'purestorage' } @PVE::Storage::Plugin::SHARED_STORAGE), 1, 'shared');
is_deeply(
    $plugin->plugindata(),
    {
        content => [{ images => 1, rootdir => 1, none => 1 }, { images => 1 }],
        format => [{ raw => 1 }, 'raw'],
        'sensitive-properties' => { token => 1 },
    },
    'what it stores, and the token is a secret',
);

is(all_of($lvm, $dir), '', 'beside the plugins that Proxmox brings');
my $declared = $plugin->properties();
ok(!$declared->{vgname} && !$declared->{bwlimit}, 'vgname and bwlimit stay those of the others');
is(all_of(), '', 'without them too');
ok($plugin->properties()->{vgname}, 'and then vgname is declared here');

my $options = $plugin->options();
ok($options->{$_}, "an older configuration's $_ loads") for sort keys %older;
is_deeply([grep { !$options->{$_}->{optional} } keys %$options], ['address'], 'only the address must be');
is_deeply([grep { $options->{$_}->{fixed} } keys %$options], [], 'all can be changed: tokens rotate');
# Proxmox sets it by the type, and writes into storage.cfg what is set and an option. A node that still has
# the older plugin would warn about that line at every command.
ok(!$options->{shared}, 'storage.cfg gets no line that the older plugin does not know');
my @new = grep { !$older{$_} && $_ ne 'bwlimit' } keys %$options;
is_deeply([grep { !m/\Apurestorage-/ } @new], [], 'what is new has a head of its own');

for my $name (qw(address token protocol debug check_ssl purestorage-quota)) {
    my $rude = other('rude', [$name, 'rude-thing'], options => [$name]);
    is(all_of($lvm, $dir, $rude), '', "another plugin that declares $name takes nothing down");
    ok(!$plugin->properties()->{$name}, "... and its $name is used");
}
{
    our $depth = 0;
    my $deepest = 0;
    my $polite = other('polite', sub {
        local $depth = $depth + 1;
        $deepest = $depth if $depth > $deepest;
        my $ours = $depth > 9 ? {} : $plugin->properties();
        return { polite => {}, $ours->{token} ? () : (token => {}) };
    });
    is(all_of($lvm, $dir, $polite), '', 'another one that asks us first');
    ok($deepest <= 2, '... is not asked in circles');
    my $broken = other('broken', sub { die "no properties\n" });
    PVE::Storage::Plugin->reset_all();
    $_->register() for $lvm, $dir, $broken, $plugin;
    ok(eval { $plugin->properties()->{token} }, 'one that dies when asked does not take us along');
}

ok(!$plugin->plugindata()->{'isolate-properties'}, 'no space of our own where nobody has one');
{
    my %own = (plugindata => { 'isolate-properties' => 1 });
    my $first = other('first', ['token', 'vgname'], %own);
    is(all_of($first, $dir), '', 'a space of our own where another has one');
    ok(PVE::Storage::Plugin->private()->{plugindata}->{purestorage}->{'isolate-properties'}, '... is set');
    my $all = $plugin->properties();
    is_deeply([grep { !$all->{$_} } qw(token vgname bwlimit)], [], '... and holds every name');
    ok(!$all->{nodes}, "... but not those of Proxmox' base");

    PVE::Storage::Plugin->reset_all();
    my $late = other('late', ['token', 'address'],
        plugindata => { 'isolate-properties' => 1, 'expose-properties' => { address => 1 } });
    $_->register() for $lvm, $dir, $plugin, $late;
    ok(eval { PVE::Storage::Plugin->init(); 1 }, 'one that comes later and shows some of its own')
        or diag($@);
    ok($plugin->properties()->{token} && !$plugin->properties()->{address}, '... which we use');

    PVE::Storage::Plugin->reset_all();
    PVE::Storage::Plugin->private()->{propertyIsolation} = 1;
    $_->register() for $lvm, $dir, $plugin;
    ok(eval { PVE::Storage::Plugin->init(); 1 }, 'a Proxmox that gives one to every plugin') or diag($@);
}

done_testing();
