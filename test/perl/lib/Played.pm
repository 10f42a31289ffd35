# SPDX-License-Identifier: AGPL-3.0-or-later
package Played;

# Plays arrayd and the program on a machine that has neither, and keeps what they were asked.
use strict;
use warnings;

use File::Temp ();
use IO::Socket::UNIX ();
use JSON ();
use POSIX ();

use PVEWarden::ArrayCall ();

my $json = JSON->new->utf8->canonical->allow_nonref;

sub new {
    my ($class) = @_;
    my $self = bless({ dir => File::Temp->newdir() }, $class);
    $PVEWarden::ArrayCall::SOCKET = "$self->{dir}/arrayd.sock";
    $PVEWarden::ArrayCall::PROGRAM = "$self->{dir}/pvewarden";
    return $self;
}

# Listens, and for each connection writes @pieces: texts, seconds to wait (numbers), 'hang'. First
# may be 'deaf', which reads nothing, or 'unrecorded', which reads and keeps nothing.
sub serve {
    my ($self, @pieces) = @_;
    $self->stop();
    my $listener = IO::Socket::UNIX->new(Local => $PVEWarden::ArrayCall::SOCKET, Listen => 8)
        or die "listen: $!";
    $self->{pid} = fork() // die "fork: $!";
    return if $self->{pid};
    while (my $client = $listener->accept()) {
        eval { $self->converse($client, @pieces) };
    }
    POSIX::_exit(0);
}

sub converse {
    my ($self, $client, @pieces) = @_;
    my $manner = @pieces && $pieces[0] =~ m/\A(?:deaf|unrecorded)\z/ ? shift(@pieces) : '';
    my $line = $manner eq 'deaf' ? undef : scalar(<$client>);
    $self->record($line) if $manner eq '';
    for my $piece (@pieces) {
        sleep(1000) if $piece eq 'hang';
        if ($piece =~ m/\A[0-9.]+\z/) {
            select(undef, undef, undef, $piece);
        } else {
            syswrite($client, $piece);
        }
    }
}

sub record {
    my ($self, $line) = @_;
    open(my $fh, '>>', "$self->{dir}/requests") or die "requests: $!";
    print $fh $line;
    close($fh);
}

# What was asked since the last time, decoded.
sub requests {
    my ($self) = @_;
    open(my $fh, '<', "$self->{dir}/requests") or return ();
    my @requests = map { $json->decode($_) } <$fh>;
    unlink("$self->{dir}/requests");
    return @requests;
}

# The program: a shell script; $SELF is the folder of what is recorded.
sub program {
    my ($self, $script) = @_;
    open(my $fh, '>', $PVEWarden::ArrayCall::PROGRAM) or die "program: $!";
    print $fh "#!/bin/sh\nSELF='$self->{dir}'\n$script\n";
    close($fh);
    chmod(0755, $PVEWarden::ArrayCall::PROGRAM);
}

sub no_program {
    unlink($PVEWarden::ArrayCall::PROGRAM);
}

sub file {
    my ($self, $name) = @_;
    open(my $fh, '<', "$self->{dir}/$name") or return undef;
    local $/;
    return scalar(<$fh>);
}

sub stop {
    my ($self) = @_;
    my $pid = delete($self->{pid}) or return;
    local ($?, $!);
    kill('KILL', $pid);
    waitpid($pid, 0);
    unlink($PVEWarden::ArrayCall::SOCKET);
}

sub DESTROY {
    my ($self) = @_;
    $self->stop();
}

# A reply of arrayd as it stands in the contract.
sub ok {
    my ($result, @log) = @_;
    return $json->encode({ ok => JSON::true(), result => $result, log => \@log }) . "\n";
}

sub refused {
    my ($error, $code, @log) = @_;
    return $json->encode({ ok => JSON::false(), error => $error, code => $code, log => \@log }) . "\n";
}

1;
