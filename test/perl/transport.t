#!/usr/bin/perl -T
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# One request, one reply, with an arrayd that answers well, badly, slowly, or not at all.
use strict;
use warnings;

use lib qw(test/perl/lib perl);
use Fcntl qw(F_GETFD);
use IO::Socket::UNIX ();
use POSIX ();
use Socket qw(PF_UNIX SOCK_STREAM pack_sockaddr_un);
use Test::More;
use Time::HiRes qw(alarm);

use Played;
use PVE::SafeSyslog;
use PVE::Storage;
use PVE::Storage::Custom::PureStoragePlugin;

my $plugin = 'PVE::Storage::Custom::PureStoragePlugin';
my $played = Played->new();
my $now = \&PVEWarden::ArrayCall::now;
my $no_answer = qr/\Ano answer from arrayd: /;

# What reaches stdout from here on is not the tests' own.
open(my $tap, '>&', \*STDOUT) or die "dup: $!";
Test::More->builder->output($tap);
my $stdout_name = "$played->{dir}/stdout";
open(STDOUT, '>', $stdout_name) or die "stdout: $!";

sub ask {
    my ($wait, $request) = @_;
    my $reply = eval { PVEWarden::ArrayCall::call($request // { method => 'x' }, $wait // 5) };
    return ($reply, $@);
}

# ---- answers ----
my $long = 'n' x 300_000;
$played->serve(Played::ok({ text => "\x{263a}", list => [1, undef] }));
my ($reply, $error) = ask(5, { method => 'x', text => "\x{263a}$long", n => int('7'), none => undef });
is($error, '', 'an answer');
is_deeply($reply->{result}, { text => "\x{263a}", list => [1, undef] }, '... as it was sent');
is_deeply([$played->requests()], [{ method => 'x', text => "\x{263a}$long", n => 7, none => undef }],
    '... to one long line, sent once');

$played->serve(Played::ok($long));
is(length((ask())[0]->{result}), 300_000, 'a long answer');
my $whole = Played::ok(1);
$played->serve(substr($whole, 0, 5), 0.1, substr($whole, 5));
is((ask())[0]->{result}, 1, 'an answer in two pieces');
$played->serve(Played::refused('it is open', 'EBUSY'));
($reply, $error) = ask();
is_deeply([$error, @{$reply}{qw(error code)}], ['', 'it is open', 'EBUSY'], 'an answer that refuses');

$played->requests();
for my $case (
    ['none', qr/it ended without an answer/],
    ['half of one', qr/its answer ends in the middle/, '{"ok":true,'],
    ['one without its end of line', qr/its answer ends in the middle/, '{"ok":true,"result":1}'],
    ['no JSON', qr/not one line of JSON/, "hello\n"],
    ['another value', qr/not one line of JSON/, "[1]\n"],
    ['two lines', qr/not one line of JSON/, "{\"ok\":true,\n\"result\":1}\n"],
    ['two answers', qr/not one line of JSON/, Played::ok(1) . Played::ok(2)],
    ['no verdict', qr/not one line of JSON/, "{\"result\":1}\n"],
    ['no result', qr/neither a result nor an error/, "{\"ok\":true}\n"],
    ['no error', qr/neither a result nor an error/, "{\"ok\":false}\n"],
    ['an empty line', qr/not one line of JSON/, "\n"],
) {
    my ($text, $expected, @pieces) = @$case;
    $played->program('echo "{\"ok\":true,\"result\":\"twice\"}"; echo sent >>$SELF/requests');
    $played->serve(@pieces);
    ($reply, $error) = ask();
    like($error, $expected, "arrayd's answer is $text");
    like($error, qr/[^\n]\n\z/, '... said on one line');
    is(scalar($played->requests()), 1, '... and nothing is sent again');
}

# ---- time ----
$played->serve(0.3, Played::ok(1));
is((ask())[0]->{result}, 1, 'a slow answer');
for my $case (['hangs', 'hang'], ['hangs in the middle', '{"ok"', 'hang'], ['never reads', 'deaf', 'hang']) {
    my ($text, @pieces) = @$case;
    $played->serve(@pieces);
    my $begun = $now->();
    ($reply, $error) = ask(0.4, { text => $long x 4 });
    my $took = $now->() - $begun;
    like($error, $no_answer, "arrayd $text");
    like($error, qr/did not answer in time.*may have been done/, '... which is not the same as not done');
    ok($took > 0.35 && $took < 2, "... after the time it has ($took s)");
    $played->requests();
}
{
    my $bell = 0;
    local $SIG{ALRM} = sub { $bell++ };
    $played->serve(0.4, Played::ok(1));
    alarm(0.15);
    is((ask())[0]->{result}, 1, "the caller's alarm rings while we wait");
    is($bell, 1, '... and is heard');
    alarm(30);
    ask();
    my $left = alarm(0);
    ok($left > 25 && $left < 30, "an alarm that has not rung goes on ($left s)");
    $played->serve('hang');
    local $SIG{ALRM} = sub { die "cut\n" };
    alarm(0.15);
    is((ask())[1], "cut\n", 'and Proxmox can cut us with it');
    $played->requests();
}

# ---- what it leaves alone ----
$played->serve(Played::ok(1));
{
    local $? = 3 << 8;
    $! = 2;
    local $@ = 'kept';
    PVEWarden::ArrayCall::call({ method => 'x' }, 5);
    is_deeply([$?, $! + 0, $@], [3 << 8, 2, 'kept'], '$?, $! and $@');
    local $SIG{PIPE} = 'DEFAULT';
    PVEWarden::ArrayCall::call({ method => 'x' }, 5);
    is($SIG{PIPE}, 'DEFAULT', 'SIGPIPE');
}

# ---- the log ----
my @warned;
local $SIG{__WARN__} = sub { push @warned, @_ };
@PVE::SafeSyslog::LINES = ();
$played->serve(Played::ok(1, ['debug', 'GET volumes'], ['info', 'session is new'],
    ['warning', "check_ssl is\nnot given"], ['error', "\x{263a} 100%s"], ['loud', 'x'], 'x', ['info']));
ask();
is_deeply(
    \@PVE::SafeSyslog::LINES,
    [
        'debug Debug :: GET volumes', 'info Info :: session is new',
        'warning Warning :: check_ssl is not given', "err Error :: \xe2\x98\xba 100%s",
    ],
    'lines for the log, with the words that people filter for',
);
is_deeply(\@warned, ["Warning :: check_ssl is not given\n"], 'warnings are in the task, too');
@PVE::SafeSyslog::LINES = @warned = ();
$played->serve(Played::refused('no', 'EIO', ['warning', 'fa2 is down']));
ask();
is_deeply([@warned, @PVE::SafeSyslog::LINES],
    ["Warning :: fa2 is down\n", 'warning Warning :: fa2 is down'], 'those of a refusal as well');

# ---- without arrayd ----
$played->requests();
$played->stop();
my $good = 'cat >$SELF/requests; grep SigIgn /proc/$$/status >$SELF/ignored; env >$SELF/env; echo "$@" >$SELF/argv; echo "{\"ok\":true,\"result\":\"by itself\"}"';
sub by_itself {
    my ($text) = @_;
    local $ENV{BASH_ENV} = '/nowhere';
    $played->program($good);
    ($reply, $error) = ask(5, { method => 'y', text => $long });
    is($error, '', "$text: the program is started");
    is($reply->{result}, 'by itself', '... and answers');
    is_deeply([$played->requests()], [{ method => 'y', text => $long }], '... the same request');
    is($played->file('argv'), "array call\n", '... given on stdin');
    unlike($played->file('env'), qr/BASH_ENV|PURESTORAGE/, '... in a clean environment');
    my ($ignored) = $played->file('ignored') =~ m/([0-9a-f]+)$/;
    is(hex($ignored) & (1 << 12 | 1 << 13 | 1 << 16), 0, '... with signals that mean what they say');
}
by_itself('no socket');
IO::Socket::UNIX->new(Local => $PVEWarden::ArrayCall::SOCKET, Listen => 1); # and closed
by_itself('a socket that nobody listens at');
unlink($PVEWarden::ArrayCall::SOCKET);
{
    my $busy = IO::Socket::UNIX->new(Local => $PVEWarden::ArrayCall::SOCKET, Listen => 1);
    my @queue;
    while (@queue < 64) {
        socket(my $s, PF_UNIX, SOCK_STREAM, 0);
        $s->blocking(0);
        connect($s, pack_sockaddr_un($PVEWarden::ArrayCall::SOCKET)) or last;
        push @queue, $s;
    }
    ok(@queue < 64, 'a queue that is full');
    my $begun = $now->();
    by_itself('a socket where nobody is let in');
    my $took = $now->() - $begun;
    ok($took > 1.9 && $took < 4, "... after 2 s ($took s)");
}
unlink($PVEWarden::ArrayCall::SOCKET);
{
    local $SIG{CHLD} = 'IGNORE';
    by_itself('a caller that reaps by itself');
}
{
    # As in a daemon that has closed what it does not need.
    open(my $in, '<&', \*STDIN);
    open(my $out, '>&', \*STDOUT);
    close(STDIN);
    by_itself('a caller without stdin');
    close(STDOUT);
    by_itself('a caller without stdin and stdout');
    open(STDIN, '<&', $in);
    by_itself('a caller without stdout');
    open(STDOUT, '>&', $out);
}
for my $case (
    ['is silent', qr/'pvewarden array call': it ended without an answer/, 'cat >$SELF/requests; exit 3'],
    ['does not read', qr/it ended without an answer/, 'exit 3'],
    ['answers half', qr/ends in the middle/, 'cat >$SELF/requests; printf "{"'],
    ['cannot be run', qr/it ended without an answer/, ''],
) {
    my ($text, $expected, $script) = @$case;
    $played->program($script);
    like((ask(5, { text => $long }))[1], $expected, "the program $text");
}
$played->program('echo $$ >$SELF/pid; exec sleep 1000');
my $begun = $now->();
like((ask(0.5))[1], qr/did not answer in time/, 'a program that hangs');
ok($now->() - $begun < 2, '... is not waited for');
my ($pid) = $played->file('pid') =~ m/\A([0-9]+)\n/;
ok(!kill(0, $pid), '... and ended');
$played->program('trap "" TERM; echo $$ >$SELF/pid; while :; do sleep 0.1; done');
like((ask(0.5))[1], qr/did not answer in time/, 'one that does not want to end');
($pid) = $played->file('pid') =~ m/\A([0-9]+)\n/;
ok(!kill(0, $pid), '... is ended, too');
$played->no_program();
like((ask())[1], qr/neither arrayd .* nor .* is the package pvewarden installed\?\n\z/, 'neither of them');

# ---- a whole method ----
$played->requests();
$played->serve(Played::ok('vm-100-disk-0'));
is($plugin->alloc_image('pure', { type => 'purestorage' }, '100', 'raw', undef, '1024'),
    'vm-100-disk-0', 'a method through the socket');
my ($request) = $played->requests();
is_deeply($request->{args}, { vmid => 100, size_kib => 1024 }, '... its request');
$played->stop();
$played->serve('hang');
open(my $fh, '<', '/dev/null');
my $fds = () = glob('/proc/self/fd/*');
ask(0.1);
ask(0.1);
is(scalar(() = glob('/proc/self/fd/*')), $fds, 'no descriptor is left open');
$played->stop();

is(-s $stdout_name, 0, 'not a byte went to stdout');
# ---- a script that nobody guards ----
# Perl takes the exit status of one that dies from $? and $!, which are kept as they were.
for my $case (['nobody there', "$played->{dir}/none"], ['no answer', $PVEWarden::ArrayCall::SOCKET]) {
    my ($what, $socket) = ($case->[0], $case->[1] =~ m/(.*)/s);
    my ($perl) = $^X =~ m/(.*)/s;
    $played->serve();
    my $pid = fork() // die "fork: $!";
    if (!$pid) {
        open(STDERR, '>', '/dev/null');
        %ENV = (PATH => '/usr/bin:/bin');
        exec($perl, '-T', '-Itest/perl/lib', '-Iperl', '-e', 'use PVEWarden::ArrayCall;'
            . ' $PVEWarden::ArrayCall::SOCKET = $PVEWarden::ArrayCall::PROGRAM = shift;'
            . ' PVEWarden::ArrayCall::call({}, 5)', $socket);
    }
    waitpid($pid, 0);
    is($? >> 8, 255, "$what: a script that does not catch it fails");
}

done_testing();
