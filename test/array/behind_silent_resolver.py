#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""behind_silent_resolver.py RESOLV COMMAND...: runs the command where RESOLV is /etc/resolv.conf, on a network
of its own with a name server that takes questions and never answers."""
import os
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "watch"))
from node import LIBC, MS_BIND, MS_PRIVATE, MS_REC, NEWNET, NEWNS, check  # noqa: E402

resolv, *command = sys.argv[1:]
check(LIBC.unshare(NEWNS | NEWNET))
check(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
check(LIBC.mount(resolv.encode(), b"/etc/resolv.conf", None, MS_BIND, None))
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
os.set_inheritable(server.fileno(), True)
os.execv(command[0], command)
