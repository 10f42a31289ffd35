# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs scenarios, each in a process of its own, several at a time (test/watch/run, test/fleet/run)."""
import argparse
import ctypes
import importlib
import os
import select
import signal
import sys
import time
import traceback

import lib
from node import Failed


def load(folder):
    sys.path.insert(0, folder)
    for file in sorted(os.listdir(folder)):
        if file.endswith(".py"):
            importlib.import_module(file[:-3])


def one(name, keep, kind, said):
    """In a process of its own: everything it made ends with it."""
    function = lib.SCENARIOS[name][0]
    test = kind(name)
    try:
        function(test)
    except Failed as e:
        test.ok("runs to its end", False, "\n".join([str(e), *(said(r) for r in test.rigs)]))
    except BaseException:
        test.ok("runs to its end", False, traceback.format_exc())
    bad = not test.results or not all(test.results)
    for rig in test.rigs:
        rig.end(keep=keep and bad)
    sys.stdout.flush()
    os._exit(bad)


class Running:
    def __init__(self, name, keep, kind, said):
        self.name, self.text, self.begun = name, b"", time.monotonic()
        read, write = os.pipe()
        parent = os.getpid()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.close(read)
            os.dup2(write, 1)
            os.dup2(write, 2)
            one(name, keep, kind, said)
        os.close(write)
        self.fd = read

    def late(self):
        return time.monotonic() - self.begun > lib.SCENARIOS[self.name][1]

    def end(self):
        """Its lines, and whether it took too long."""
        late = self.late()
        if late:
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)
        text = self.text.decode(errors="replace")
        if late:
            text += f"not ok - {self.name}: ends within {lib.SCENARIOS[self.name][1]} s\n"
        elif not text.strip():
            text = f"not ok - {self.name}: says anything\n"
        return text


def loop(names, jobs, keep, kind, said):
    """Prints what each has said when it has ended. (passed, failed)"""
    running, passed, failed = [], 0, 0
    waiting = sorted(names, key=lambda n: -lib.SCENARIOS[n][1])  # the long ones first
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(Running(waiting.pop(0), keep, kind, said))
        ready, _, _ = select.select([r.fd for r in running], [], [], 0.5)
        for r in list(running):
            data = os.read(r.fd, 65536) if r.fd in ready else None
            r.text += data or b""
            if data == b"" or r.late():
                text = r.end()
                running.remove(r)
                sys.stdout.write(text)
                sys.stdout.flush()
                lines = text.splitlines()
                passed += sum(line.startswith("ok - ") for line in lines)
                failed += sum(line.startswith("not ok - ") for line in lines)
    return passed, failed


def main(folder, programs, how, kind, said, jobs=8):
    """All of @folder, or those whose names begin with one of the operands. @programs: paths that have
    to be there, @how: how to make them. @kind makes a test of a name, @said(rig) helps to understand
    a failure. Returns an exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=jobs)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    load(folder)
    names = [n for n in lib.SCENARIOS if not args.names or any(n.startswith(a) for a in args.names)]
    if args.list:
        print("\n".join(names))
        return 0
    if not names:
        print(f"no scenario begins with {' or '.join(args.names)}", file=sys.stderr)
        return 64
    if os.geteuid() != 0:
        print("needs root: it makes namespaces", file=sys.stderr)
        return 77
    for program in programs:
        if not os.path.exists(program) and any(lib.SCENARIOS[n][2] for n in names):
            print(f"{program} is not there: {how}", file=sys.stderr)
            return 69
    passed, failed = loop(names, args.jobs, args.keep, kind, said)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0
