# SPDX-License-Identifier: AGPL-3.0-or-later
package PVEWarden::ArrayCall;

# One request to arrayd and its one reply: docs/array.md, 1 and 4. It runs inside Proxmox' own
# daemons and tasks, so it keeps to itself: their alarm(), their child handlers, their $? and $! are
# as they were afterwards, nothing is written to stdout, and waiting is done with select() against
# the monotonic clock.
use strict;
use warnings;

use Errno qw(EAGAIN EINTR);
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use JSON ();
use POSIX ();
use Socket qw(PF_UNIX SOCK_STREAM pack_sockaddr_un);
use Time::HiRes qw(CLOCK_MONOTONIC clock_gettime);

use PVE::SafeSyslog ();

our $SOCKET = '/run/pvewarden/array/arrayd.sock';
our $PROGRAM = '/usr/sbin/pvewarden';

my $CONNECT_S = 2;
my $REPLY_MAX = 64 << 20;

my $coder = JSON->new->utf8->canonical->allow_nonref;

# What administrators have filtered their logs for since before pvewarden.
my %PREFIX = (debug => 'Debug', info => 'Info', warning => 'Warning', error => 'Error');
my %PRIORITY = (debug => 'debug', info => 'info', warning => 'warning', error => 'err');

# Returns the reply: {ok, result} or {ok, error, code}; dies when there is none. $wait: seconds.
sub call {
    my ($request, $wait) = @_;

    # Died in there, it would end a script that does not catch it with the status 0 of its $?.
    my ($reply, $error) = kept(sub { exchange($request, $wait) });
    die $error if $error ne '';
    return $reply;
}

# attempt() that leaves $? and $! as they are.
sub kept {
    my ($code) = @_;
    local ($?, $!) = (0, 0);
    return attempt($code);
}

sub exchange {
    my ($request, $wait) = @_;

    my $line = $coder->encode($request) . "\n";
    local $SIG{PIPE} = 'IGNORE';
    my $until = now() + $wait;
    my $socket = connect_arrayd();
    my $text = $socket ? ask_arrayd($socket, $line, $until) : run_program($line, $until);
    my $reply = read_reply($text);
    log_lines($reply->{log});
    return $reply;
}

sub now {
    return clock_gettime(CLOCK_MONOTONIC);
}

# undef: nobody took the call, and nothing was sent.
sub connect_arrayd {
    my $address = pack_sockaddr_un($SOCKET);
    my $until = now() + $CONNECT_S;
    while (1) {
        socket(my $socket, PF_UNIX, SOCK_STREAM, 0) or return undef;
        unblock($socket);
        return $socket if connect($socket, $address);
        # EAGAIN: the queue of those who wait to be accepted is full.
        return undef if ($! != EAGAIN && $! != EINTR) || now() >= $until;
        select(undef, undef, undef, 0.01);
    }
}

sub unblock {
    my ($fh) = @_;
    fcntl($fh, F_SETFL, fcntl($fh, F_GETFL, 0) | O_NONBLOCK);
}

sub ask_arrayd {
    my ($socket, $line, $until) = @_;
    send_all('arrayd', $socket, $line, $until);
    return receive('arrayd', $socket, $until);
}

# One line. $who is for the sentences.
sub receive {
    my ($who, $in, $until) = @_;

    my $text = '';
    while (index($text, "\n") < 0) {
        wait_for($who, $in, 0, $until);
        my $got = sysread($in, $text, 65536, length($text));
        next if !defined($got) && ($! == EAGAIN || $! == EINTR);
        die lost($who, "its answer ends in the middle") if !$got && length($text);
        die lost($who, "it ended without an answer") if !$got;
        die lost($who, "its answer is longer than $REPLY_MAX bytes") if length($text) > $REPLY_MAX;
    }
    return $text;
}

sub send_all {
    my ($who, $out, $line, $until) = @_;

    my $sent = 0;
    while ($sent < length($line)) {
        wait_for($who, $out, 1, $until);
        my $n = syswrite($out, $line, length($line) - $sent, $sent);
        next if !defined($n) && ($! == EAGAIN || $! == EINTR);
        # It may have said why before it closed: reading tells.
        return if !defined($n);
        $sent += $n;
    }
}

sub wait_for {
    my ($who, $fh, $to_write, $until) = @_;

    while (1) {
        my $left = $until - now();
        die lost($who, "it did not answer in time") if $left <= 0;
        my $bits = '';
        vec($bits, fileno($fh), 1) = 1;
        my ($read, $write) = $to_write ? (undef, $bits) : ($bits, undef);
        my $ready = select($read, $write, undef, $left);
        return if $ready > 0;
    }
}

# The request is never sent again: only the caller knows whether asking twice is right.
sub lost {
    my ($who, $what) = @_;
    return "no answer from $who: $what. What was asked for may have been done: see"
        . " 'pvewarden array status' and 'journalctl -u pvewarden-array.service'\n";
}

# Without arrayd the program answers by itself.
sub run_program {
    my ($line, $until) = @_;

    die "neither arrayd ($SOCKET) nor $PROGRAM is there: is the package pvewarden installed?\n"
        if !-x $PROGRAM;
    pipe(my $request_in, my $request_out) or die "no pipe: $!\n";
    pipe(my $reply_in, my $reply_out) or die "no pipe: $!\n";
    my $pid = fork() // die "cannot start $PROGRAM: $!\n";
    become_program($request_in, $reply_out) if !$pid;
    close($request_in);
    close($reply_out);
    unblock($_) for ($request_out, $reply_in);
    my $who = "'pvewarden array call'";
    my ($text, $error) = attempt(sub {
        send_all($who, $request_out, $line, $until);
        close($request_out);
        return receive($who, $reply_in, $until);
    });
    close($reply_in);
    end_child($pid, $error ne '');
    die $error if $error ne '';
    return $text;
}

# Its value and why it died ('' if it did not); the caller's $@ stays.
sub attempt {
    my ($code) = @_;
    local $@;
    my $value = eval { $code->() };
    return ($value, $@);
}

# In the child; does not return, and runs no END block of the daemon that it is a copy of.
sub become_program {
    my ($in, $out) = @_;

    eval {
        $SIG{$_} = 'DEFAULT' for qw(PIPE CHLD ALRM);
        # Where a daemon has closed its 0, $in is it already: pipes take the lowest numbers.
        POSIX::dup2(fileno($in), 0) // POSIX::_exit(126);
        POSIX::dup2(fileno($out), 1) // POSIX::_exit(126);
        %ENV = (PATH => '/usr/sbin:/usr/bin:/sbin:/bin');
        no warnings 'exec';
        exec({$PROGRAM} $PROGRAM, 'array', 'call');
    };
    POSIX::_exit(127);
}

# One that failed us is ended; one that answered ends by itself. Neither is waited for long: it
# may be in the kernel, where no signal reaches it.
sub end_child {
    my ($pid, $failed) = @_;

    for my $signal ($failed ? ('TERM', 'KILL') : (undef)) {
        kill($signal, $pid) if $signal;
        my $until = now() + 1;
        while (now() < $until) {
            # -1: the daemon's own handler was quicker.
            return if waitpid($pid, POSIX::WNOHANG()) != 0;
            select(undef, undef, undef, 0.002);
        }
    }
}

sub read_reply {
    my ($text) = @_;

    my ($reply) = attempt(sub { $coder->decode($text) });
    die "the answer of pvewarden is not one line of JSON\n"
        if ref($reply) ne 'HASH' || !defined($reply->{ok}) || $text !~ m/\A[^\n]*\n\z/;
    die "the answer of pvewarden has neither a result nor an error\n"
        if !($reply->{ok} ? exists($reply->{result}) : length($reply->{error} // ''));
    return $reply;
}

sub log_lines {
    my ($lines) = @_;

    for my $line (ref($lines) eq 'ARRAY' ? @$lines : ()) {
        my ($level, $text) = ref($line) eq 'ARRAY' ? @$line : ();
        next if !defined($text) || !$PREFIX{ $level // '' };
        $text =~ s/\s*\n\s*/ /g;
        utf8::encode($text);
        PVE::SafeSyslog::syslog($PRIORITY{$level}, '%s', "$PREFIX{$level} :: $text");
        warn "$PREFIX{$level} :: $text\n" if $level eq 'warning';
    }
}

1;
