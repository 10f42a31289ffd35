#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The snapshot of a container's backup, which Proxmox forgets when it could not be removed.
vzdump.py [PATTERN...]"""
import time

import lib
from stage import Stage


class Backups:
    """Container 100 with two volumes, which vzdump snapshots night after night."""

    DISKS = ("vm-100-disk-0", "vm-100-disk-1")

    def __init__(self):
        self.s = Stage()
        for d in self.DISKS:
            self.s.disk(d)
        self.config()

    def config(self, lock="snapshot", kind="lxc", name="vzdump", **section):
        """As Proxmox has written it when it asks for the snapshots; without a section when it has
        forgotten them. Time has passed since the last night."""
        disks = ("rootfs: pure:vm-100-disk-0,size=1G\nmp0: pure:vm-100-disk-1,mp=/data,backup=1,size=1G\n"
                 if kind == "lxc" else
                 "scsi0: pure:vm-100-disk-0,size=1G\nscsi1: pure:vm-100-disk-1,size=1G\n")
        text = f"lock: {lock}\n{disks}" if lock else disks
        if section:
            text += f"\n[{name}]\n{disks}" + "".join(f"{k}: {v}\n" for k, v in section.items())
        self.s.node.guest(100, text, kind=kind)

    def begins(self, **more):
        self.config(**{"snapstate": "prepare", "snaptime": int(time.time()) + 120, **more})

    def take(self, snap="vzdump"):
        return [self.s.node.ask("snapshot", volname=d, snap=snap) for d in self.DISKS]

    def remove(self, snap="vzdump"):
        return [self.s.node.ask("snapshot_delete", volname=d, snap=snap) for d in self.DISKS]

    def ids(self):
        return [[x["id"] for x in self.s.sim.volume(f"vg/{d}")["snapshots"] if not x["destroyed"]]
                for d in self.DISKS]

    def copy(self, disk, snap="vzdump"):
        return self.s.act("activate", self.DISKS[disk], snap=snap)["path"][-24:].upper()

    def refused(self, replies, code):
        assert [r.get("code") for r in replies] == [code] * 2, replies

    def close(self):
        assert all(r["ok"] for r in self.remove())
        self.s.clean()
        self.s.close()


def test_vzdump_forgotten():
    """Proxmox forgets a backup's snapshot that could not be removed; the next backup's takes its place."""
    b = Backups()
    b.begins()
    assert all(r["ok"] for r in b.take())
    copy = b.copy(1)
    b.s.node.open(copy)
    first, second = b.remove()
    assert first["ok"] and second["code"] == "EBUSY", (first, second)
    assert "open on this node" in second["error"] and "pct unlock 100" in second["error"], second
    # Open still: nothing is replaced, and it says so.
    b.begins()
    old = b.ids()
    assert old[0] == [] and len(old[1]) == 1
    b.refused(b.take(), "EBUSY")
    assert b.ids() == old and copy in b.s.node.mapped()
    b.s.node.release(copy)
    assert all(r["ok"] for r in b.take())
    new = b.ids()
    assert [len(x) for x in new] == [1, 1] and new[1] != old[1], (old, new)
    assert not b.s.node.mapped()
    # The next night, and the service knows nothing of the last one; a disk that is asked for alone too.
    b.begins()
    assert all(r["ok"] for r in b.take())
    assert all(x != y for x, y in zip(new, b.ids()))
    b.close()


def test_vzdump_forgotten_killed():
    """At any moment of taking its place: the backup after that finds its way."""
    b = Backups()
    b.s.node.delay_ms = 5
    b.s.node.restart()
    for i in range(20):
        b.begins()
        b.s.node.send(b.s.node.request("snapshot", volname=b.DISKS[0], snap="vzdump"))
        time.sleep(0.003 * i)
        b.s.node.restart()
        old = b.ids()
        b.begins(snaptime=int(time.time()) + 240)
        replies = b.take()
        assert all(r["ok"] for r in replies), (i, replies)
        assert [len(x) for x in b.ids()] == [1, 1] and all(x != y for x, y in zip(old, b.ids())), i
    b.close()


def test_vzdump_not_forgotten():
    """Whatever may be somebody's stays, and is "already exists"."""
    b = Backups()
    b.begins()
    assert all(r["ok"] for r in b.take())
    old, now = b.ids(), int(time.time())
    for more in (
            {"snaptime": now + 10},  # it may be this call's own, which was cut
            {"snaptime": "x"},
            {"snapstate": "delete"},
            {"lock": "backup"},
            {"lock": None},
            {"name": "another"},
            {"kind": "qemu"}):
        b.begins(**more)
        b.refused(b.take(), "EEXIST")
    b.config()
    b.refused(b.take(), "EEXIST")
    b.s.node.guest(100, "not one", kind="lxc")
    b.refused(b.take(), "EEXIST")
    # Of another name a person may know.
    b.begins(name="a")
    assert all(r["ok"] for r in b.take("a"))
    b.begins(name="a")
    b.refused(b.take("a"), "EEXIST")
    assert all(r["ok"] for r in b.remove("a"))
    assert b.ids() == old
    # A volume that is not in the guest's config.
    b.s.disk("vm-100-disk-2")
    b.s.sim.rest("POST", "volume-snapshots", {"source_names": "vg/vm-100-disk-2"}, {"suffix": "snap-vzdump"})
    b.begins()
    b.s.fails("EEXIST", "snapshot", "vm-100-disk-2", snap="vzdump")
    b.close()


TESTS = [f for n, f in globals().items() if n.startswith("test_")]

if __name__ == "__main__":
    lib.run(TESTS)
