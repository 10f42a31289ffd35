#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A volume is rolled back to a snapshot: only what nobody has. rollback.py [PATTERN...]"""
import lib
from lib import GIB, begin, check, connect, end, refused


def rollbacks():
    arrays, node = begin()
    name = node.call("alloc", vmid=100, size_kib=1 << 20)
    full = "vg/" + name
    node.guest(100, f"scsi0: pure:{name},size=1G\n")
    node.call("snapshot", volname=name, snap="s")
    node.call("resize", volname=name, size=2 * GIB, running=0)
    serial = arrays.volume(full)["serial"]
    arrays.zero()
    for _ in range(2):
        check("rollback_possible", node.ask("rollback_possible", volname=name, snap="s")["ok"])
    check("rollback_possible: asked once", arrays.calls() == {"GET volume-snapshots": 1}, arrays.calls())
    guest = [node.call("alloc", vmid=101, size_kib=1 << 20) for _ in range(3)]
    node.guest(101, "".join(f"scsi{i}: pure:{d},size=1G\n" for i, d in enumerate(guest[:2])) + f"unused0: pure:{guest[2]}\n")
    for disk in guest[:2]:
        node.call("snapshot", volname=disk, snap="s")
    arrays.zero()
    for disk in guest[:2]:
        check("rollback_possible", node.ask("rollback_possible", volname=disk, snap="s")["ok"])
    check("rollback_possible: asked once for all of a guest", arrays.calls() == {"GET volume-snapshots": 1}, arrays.calls())
    r = node.ask("rollback_possible", volname=guest[2], snap="s")
    check("rollback_possible: of these one has none", refused(r, "ENOENT"), r)
    arrays.rest("POST", "volume-snapshots", {"source_names": "vg/" + guest[2]}, {"suffix": "snap-s"})
    check("rollback_possible: a disk that the guest's config uses no more",
          node.ask("rollback_possible", volname=guest[2], snap="s")["ok"])
    for disk in guest:
        node.call("snapshot_delete", volname=disk, snap="s")
        r = node.ask("rollback_possible", volname=disk, snap="s")
        check("rollback_possible: not of a snapshot that was removed a moment ago", refused(r, "ENOENT"), r)
    arrays.zero()
    check("rollback: done", node.call("rollback", volname=name, snap="s") is None)
    check("rollback: two requests", arrays.calls() == {"GET volumes": 1, "POST volumes": 1}, arrays.calls())
    v = arrays.volume(full)
    check("rollback: the snapshot's size, the same volume", v["provisioned"] == GIB and v["serial"] == serial, v)
    r = node.ask("rollback_possible", volname=name, snap="no")
    check("rollback_possible: no such snapshot", refused(r, "ENOENT"), r)
    r = node.ask("rollback", volname=name, snap="no")
    check("rollback: no such snapshot", refused(r, "ENOENT"), r)
    node.call("resize", volname=name, size=3 * GIB, running=0)
    node.call("activate", volname=name)
    check("activate: its size here", node.size(serial) == 3 * GIB, node.size(serial))
    for state in ("open", "unknown"):
        node.use(serial, state)
        check(f"rollback_possible: {state} here is no reason, Proxmox stops the guest afterwards",
              node.ask("rollback_possible", volname=name, snap="s")["ok"])
        r = node.ask("rollback", volname=name, snap="s")
        check(f"rollback: refused while it is {state} here", refused(r, "EBUSY"), r)
    check("rollback: nothing was overwritten", arrays.volume(full)["provisioned"] == 3 * GIB)
    node.use(serial, "free")
    arrays.rest("POST", "connections", {"host_names": "pve2", "volume_names": full})
    node.guest(100, f"scsi0: pure:{name},size=1G\n", node="pve2")
    r = node.ask("rollback", volname=name, snap="s")
    check("rollback: refused while a guest of another node has it", refused(r, "EBUSY", "pve2"), r)
    node.guest(100, f"scsi0: pure:{name},size=1G\n")
    check("rollback: mapped here, done", node.call("rollback", volname=name, snap="s") is None)
    check("rollback: the device follows", node.size(serial) == GIB, node.size(serial))
    for kind in ("drop-after", "reset-after", "drop", "reset", "truncated"):
        arrays.fault(kind, "POST", "volumes")
        r = node.ask("rollback", volname=name, snap="s")
        check(f"rollback, {kind}: done", r["ok"], r)
    end(arrays, node)


def guest_on_pod(snap):
    """Two disks of guest 100 on a pod over two arrays, smaller when they had that snapshot."""
    arrays, node = begin(2, podname="pod")
    disks = [node.call("alloc", vmid=100, size_kib=1 << 20) for _ in range(2)]
    node.guest(100, "".join(f"scsi{i}: pure:{d},size=1G\n" for i, d in enumerate(disks)))
    for disk in disks:
        node.call("snapshot", volname=disk, snap=snap)
    for disk in disks:
        node.call("resize", volname=disk, size=2 * GIB, running=0)
    return arrays, node, disks


def is_rolled_back(arrays, disk):
    return arrays.volume("pod::" + disk)["provisioned"] == GIB


def rollback_costs():
    """One request to each array says who is connected there; to the first one, that it is this volume as well."""
    arrays, node, disks = guest_on_pod("s")
    node.call("activate", volname=disks[1])
    arrays.counted()
    node.call("rollback", volname=disks[0], snap="s")
    found = arrays.counted()
    check("rollback, connected nowhere: its requests", found ==
          {"fa1 GET volumes": 1, "fa2 GET connections": 1, "fa1 POST volumes": 1}, found)
    node.call("rollback", volname=disks[1], snap="s")
    found = arrays.counted()
    check("rollback, mapped here: its requests", found ==
          {"fa1 GET connections": 1, "fa2 GET connections": 1, "fa1 POST volumes": 1}, found)
    check("rollback: both are", all(is_rolled_back(arrays, d) for d in disks))
    end(arrays, node)


def rollback_connected_between():
    """Why each disk's connections are asked for, and not all disks' at once: another node connects the second one
    after the first was rolled back."""
    for array in ("fa1", "fa2"):
        for host in ("backup", "pve2"):
            arrays, node, disks = guest_on_pod("s")
            for disk in disks:
                node.call("rollback_possible", volname=disk, snap="s")
            node.call("rollback", volname=disks[0], snap="s")
            connect(arrays, array, host, "pod::" + disks[1])
            if host == "pve2":
                node.guest(101, f"scsi0: pure:{disks[1]},size=1G\n", node="pve2")
            r = node.ask("rollback", volname=disks[1], snap="s")
            check(f"rollback: {host} has it connected on {array} since the disk before: refused",
                  refused(r, "EBUSY", host) and not is_rolled_back(arrays, disks[1]), r)
            end(arrays, node)


def rollback_one_array():
    """Neither array's silence is nobody."""
    for away in ("fa1", "fa2"):
        arrays, node, disks = guest_on_pod("s")
        arrays.fault("status", array=away, status=503, count=-1)
        r = node.ask("rollback", volname=disks[0], snap="s")
        check(f"rollback: {away} does not answer and the pod is online there: refused", not r["ok"] and
              "is not known" in r["error"] and not is_rolled_back(arrays, disks[0]), r)
        arrays.ask("POST", "/set", {"pod": "pod", "array": away, "status": "offline"})
        arrays.no_faults()
        arrays.down(away)
        r = node.ask("rollback", volname=disks[0], snap="s")
        check(f"rollback: {away} does not answer and the pod is not online there: done", r["ok"] and
              is_rolled_back(arrays, disks[0]), r)
        end(arrays, node)


TESTS = (rollbacks, rollback_costs, rollback_connected_between, rollback_one_array)

if __name__ == "__main__":
    lib.run(TESTS)
