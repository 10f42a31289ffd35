# SPDX-License-Identifier: AGPL-3.0-or-later
package PVE::SectionConfig;

# Stand-in: what registering plugins and joining their properties does, in the way of versions
# that share one space of properties and of those that can give a plugin its own.
use strict;
use warnings;

sub register {
    my ($class) = @_;
    my $all = $class->private();
    my $type = $class->type();
    die "duplicate plugin registration (type = $type)" if $all->{plugins}->{$type};
    $all->{plugindata}->{$type} = $class->plugindata();
    $all->{plugins}->{$type} = $class;
}

sub lookup {
    my ($class, $type) = @_;
    return $class->private()->{plugins}->{$type} // die "unknown section type '$type'\n";
}

sub init {
    my ($class) = @_;
    my $all = $class->private();
    my %base = %{ $all->{propertyList} };
    my %shared = %base;
    my %own;
    for my $type (sort keys %{ $all->{plugins} }) {
        my $data = $all->{plugindata}->{$type};
        my $private = $data->{'isolate-properties'} || $all->{propertyIsolation};
        my $shown = $private ? $data->{'expose-properties'} : 1;
        my $properties = $all->{plugins}->{$type}->properties();
        for my $name (keys %$properties) {
            $own{$type}->{$name} = 1 if $private;
            next if ref($shown) ? !$shown->{$name} : !$shown;
            die "duplicate property '$name'" if $shared{$name};
            $shared{$name} = 1;
        }
    }
    for my $type (sort keys %{ $all->{plugins} }) {
        my $private = $own{$type};
        my $used = $all->{plugins}->{$type}->options();
        for my $name (keys %$used) {
            my $there = $private ? $private->{$name} || $base{$name} : $shared{$name};
            die "undefined property '$name' of '$type'" if !$there;
        }
    }
}

1;
