#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""behind_pmxcfs.py FOLDER STEER NODE COMMAND...: runs the command where FOLDER is a FUSE file system over
itself, as /etc/pve is; nothing there is answered while STEER/NODE.hang exists."""
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "watch"))
from node import LIBC, MS_PRIVATE, MS_REC, NEWNS, check, die_with_parent  # noqa: E402
from pmxcfs import Pmxcfs  # noqa: E402

folder, steer, node, *command = sys.argv[1:]
fuse, parent = os.open("/dev/fuse", os.O_RDWR), os.getpid()
pid = os.fork()
if pid == 0:
    die_with_parent(parent)
    check(LIBC.unshare(NEWNS))
    check(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    check(LIBC.mount(b"/dev/fuse", folder.encode(), b"fuse", 0,
                     f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other".encode()))
    os.close(fuse)
    os.execv(command[0], command)
os.close(0)
os.close(1)
Pmxcfs(fuse, folder, node, steer, lambda: [("pve1", "10.0.0.1"), ("pve2", "10.0.0.2")]).serve()
status = os.waitpid(pid, 0)[1]
sys.exit(os.waitstatus_to_exitcode(status) & 255)
