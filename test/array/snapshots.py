#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Snapshots of a guest's disks, all at one moment: taken, claimed, cut, kept by SafeMode, removed.
snapshots.py [PATTERN...]"""
import json
import os
import time

import lib
from lib import MIB, begin, check, end, refused

CONFIG = ("scsi0: pure:vm-100-disk-0,size=1M\nscsi1: pure:vm-100-disk-1,size=1M\n"
          "ide2: pure:vm-100-cloudinit,media=cdrom\nunused0: pure:vm-100-disk-3\n"
          "efidisk0: pure:vm-100-disk-2,size=1M\n")
DISKS = ["vm-100-disk-0", "vm-100-disk-1", "vm-100-disk-2"]


def three_disks():
    arrays, node = begin()
    for _ in range(4):
        node.call("alloc", vmid=100, size_kib=1024)
    node.call("alloc", vmid=100, name="vm-100-cloudinit", size_kib=4096)
    node.guest(100, CONFIG)
    return arrays, node


def snapped(arrays, suffix):
    """Volumes that have a live snapshot of that suffix, and how many moments they are of."""
    names, moments = [], set()
    for v in arrays.state()["volumes"]:
        for s in v["snapshots"]:
            if s["suffix"] == suffix and not s["destroyed"]:
                names.append(v["name"].split("/")[-1])
                moments.add(s["created"])
    return sorted(names), len(moments)


def snapshots():
    arrays, node = three_disks()
    arrays.zero()
    for disk in DISKS:
        node.call("snapshot", volname=disk, snap="before_it")
    check("snapshot: one request for the guest", arrays.calls() == {"POST volume-snapshots": 1}, arrays.calls())
    check("snapshot: its disks, at one moment", snapped(arrays, "snap--before-uit") == (DISKS, 1) or
          snapped(arrays, "snap-before--uit--e") == (DISKS, 1), arrays.state()["volumes"])
    check("snapshot: nothing is left to claim", not os.listdir(node.path("run/pvewarden/array/snapshots")))
    r = node.ask("snapshot", volname=DISKS[0], snap="before_it")
    check("snapshot: a second time", refused(r, "EEXIST"), r)
    info = node.call("snapshot_info", volname=DISKS[0])
    check("snapshot_info: the name as it was", list(info) == ["before_it"] and
          info["before_it"]["virtual-size"] == MIB and info["before_it"]["id"] and
          abs(info["before_it"]["timestamp"] - time.time()) < 60, info)
    arrays.zero()
    node.call("snapshot_delete", volname=DISKS[0], snap="before_it")
    check("snapshot_delete: two requests", arrays.calls() ==
          {"PATCH volume-snapshots": 1, "DELETE volume-snapshots": 1}, arrays.calls())
    check("snapshot_delete: that one", not node.call("snapshot_info", volname=DISKS[0]) and
          "before_it" in node.call("snapshot_info", volname=DISKS[1]))
    check("snapshot_delete: again", node.call("snapshot_delete", volname=DISKS[0], snap="before_it") is None)
    end(arrays, node)


def unclaimed():
    arrays, node = three_disks()
    node.call("snapshot", volname=DISKS[0], snap="s")
    node.call("snapshot", volname=DISKS[1], snap="s")
    node.call("snapshot_delete", volname=DISKS[0], snap="s")
    check("snapshot_delete: with it what nobody claimed, not what somebody did",
          snapped(arrays, "snap-s") == ([DISKS[1]], 1), snapped(arrays, "snap-s"))
    node.call("snapshot_delete", volname=DISKS[1], snap="s")
    node.call("snapshot", volname=DISKS[0], snap="s")
    node.restart()
    arrays.zero()
    node.call("snapshot", volname=DISKS[1], snap="s")
    check("snapshot: another process claims as well", not arrays.calls(), arrays.calls())
    node.guest(100, CONFIG.replace("efidisk0: pure", "efidisk0: other"))
    node.call("snapshot", volname="vm-100-disk-3", snap="s")
    check("snapshot: a disk that is none of the set", snapped(arrays, "snap-s")[0] == sorted(DISKS + ["vm-100-disk-3"]))
    end(arrays, node)


def cut_snapshots():
    """The call is killed after the array has done it; Proxmox was told of a failure."""
    arrays, node = three_disks()
    arrays.fault("hang-after", "POST", "volume-snapshots", ms=20000)
    node.send(node.request("snapshot", volname=DISKS[0], snap="s"))
    until = time.monotonic() + 10
    while snapped(arrays, "snap-s")[1] == 0 and time.monotonic() < until:
        time.sleep(0.05)
    node.kill()
    check("snapshot, killed: the array has made it", snapped(arrays, "snap-s") == (DISKS, 1))
    arrays.no_faults()
    old = [s["created"] for v in arrays.state()["volumes"] for s in v["snapshots"]]
    node.start()
    time.sleep(0.05)
    r = node.ask("snapshot", volname=DISKS[0], snap="s")
    new = [s["created"] for v in arrays.state()["volumes"] for s in v["snapshots"] if not s["destroyed"]]
    check("snapshot, killed: the next takes a moment of its own", r["ok"] and min(new) > max(old) and
          snapped(arrays, "snap-s") == (DISKS, 1), (r, old, new))
    for disk in DISKS[1:]:
        node.call("snapshot", volname=disk, snap="s")
    # One that somebody else made is never taken for that of a call that was cut.
    with open(node.path("run/pvewarden/array/snapshots/pure,100,old.json"), "w", encoding="utf-8") as f:
        json.dump({"schema": "pvewarden.array.snapset/1", "since": int(time.time()) - 7200, "taken": False,
                   "members": [{"volname": d, "claimed": False} for d in DISKS]}, f)
    arrays.rest("POST", "volume-snapshots", {"source_names": ",".join("vg/" + d for d in DISKS)},
                {"suffix": "snap-old"})
    r = node.ask("snapshot", volname=DISKS[0], snap="old")
    check("snapshot: what is not shown to be ours stays", refused(r, "EEXIST", "purevol destroy") and
          snapped(arrays, "snap-old") == (DISKS, 1), r)
    node.call("snapshot_delete", volname=DISKS[0], snap="old")
    check("snapshot_delete: only the one asked for", snapped(arrays, "snap-old") == (DISKS[1:], 1))
    end(arrays, node)


def snapshot_faults():
    arrays, node = three_disks()
    for number, kind in enumerate(("drop-after", "reset-after", "drop", "reset", "half-closed", "truncated")):
        arrays.fault(kind, "POST", "volume-snapshots")
        for disk in DISKS:
            r = node.ask("snapshot", volname=disk, snap=f"s{number}")
            check(f"snapshot, {kind}: {disk}", r["ok"], r)
        check(f"snapshot, {kind}: all at one moment", snapped(arrays, f"snap-s{number}") == (DISKS, 1))
        arrays.fault(kind, "PATCH", "volume-snapshots")
        r = node.ask("snapshot_delete", volname=DISKS[0], snap=f"s{number}")
        check(f"snapshot_delete, {kind}", r["ok"] and snapped(arrays, f"snap-s{number}") == (DISKS[1:], 1), r)
    arrays.fault("status", "POST", "volume-snapshots", status=403, count=-1)
    r = node.ask("snapshot", volname=DISKS[0], snap="no")
    check("snapshot, refused: nothing is made, nothing is kept", not r["ok"] and
          snapped(arrays, "snap-no")[1] == 0 and not os.listdir(node.path("run/pvewarden/array/snapshots")), r)
    end(arrays, node)


def kept(arrays, disk):
    """Destroyed snapshots of it, whatever they are called: {id: suffix}."""
    return {s["id"]: s["suffix"] for s in arrays.volume(f"vg/{disk}")["snapshots"] if s["destroyed"]}


def night(arrays, node, what, snap="vzdump"):
    """Every disk is snapshotted once more: all at one moment, and nothing older under that name."""
    replies = [node.ask("snapshot", volname=d, snap=snap) for d in DISKS]
    good = check(f"snapshot, SafeMode: {what}", all(r["ok"] for r in replies) and
                 snapped(arrays, f"snap-{snap}") == (DISKS, 1), (replies, snapped(arrays, f"snap-{snap}")))
    return good and {s["id"] for v in arrays.state()["volumes"] for s in v["snapshots"]
                     if not s["destroyed"] and s["suffix"] == f"snap-{snap}"}


def remove(node, snap="vzdump"):
    for disk in DISKS:
        node.call("snapshot_delete", volname=disk, snap=snap)


def safemode_snapshots():
    """The name of a snapshot that SafeMode keeps is used again, as often as one likes."""
    arrays, node = three_disks()
    arrays.make(config={"safemode": True})
    arrays.zero()
    night(arrays, node, "the first night")
    check("snapshot, SafeMode: one request where nothing is in the way", arrays.calls() == {"POST volume-snapshots": 1})
    seen = set()
    for i in range(3):
        remove(node)
        seen |= night(arrays, node, f"night {i + 2}")
    for disk in DISKS:
        old = kept(arrays, disk)
        check(f"snapshot, SafeMode: all of {disk}'s are kept, destroyed, under names of their own",
              len(old) == 3 and all(suffix == f"del-{i}" for i, suffix in old.items()), old)
        info = node.call("snapshot_info", volname=disk)
        check("snapshot_info, SafeMode: the last one alone", list(info) == ["vzdump"] and
              info["vzdump"]["id"] in seen, info)
        check("snapshot, SafeMode: no tag is left", not arrays.volume(f"vg/{disk}")["tags"])
    # A disk that is none of the set, and one whose name somebody else has taken.
    for _ in range(2):
        r = node.ask("snapshot", volname="vm-100-disk-3", snap="alone")
        check("snapshot, SafeMode: a disk alone", r["ok"], r)
        node.call("snapshot_delete", volname="vm-100-disk-3", snap="alone")
    remove(node)
    arrays.rest("POST", "volume-snapshots", {"source_names": "vg/vm-100-disk-1"}, {"suffix": "snap-vzdump2"})
    arrays.rest("POST", "volume-snapshots", {"source_names": "vg/vm-100-disk-0"}, {"suffix": "snap-vzdump2"})
    arrays.rest("PATCH", "volume-snapshots", {"names": "vg/vm-100-disk-0.snap-vzdump2"}, {"destroyed": True})
    before = [(s["name"], s["destroyed"]) for v in arrays.state()["volumes"] for s in v["snapshots"]]
    r = node.ask("snapshot", volname=DISKS[0], snap="vzdump2")
    after = [(s["name"], s["destroyed"]) for v in arrays.state()["volumes"] for s in v["snapshots"]]
    check("snapshot, SafeMode: somebody's is in the way: nothing is changed", refused(r, "EEXIST") and
          before == after, (r, before, after))
    end(arrays, node)


def safemode_snapshot_faults():
    """Every request on the way fails, or gets no answer: the next call finds its way."""
    arrays, node = three_disks()
    arrays.make(config={"safemode": True})
    night(arrays, node, "before the faults")
    for kind in ("drop-after", "reset-after", "drop", "truncated", "status"):
        for method, path, count in (("GET", "volume-snapshots", 2), ("PUT", "volumes/tags/batch", 1),
                                    ("PATCH", "volume-snapshots", 3), ("DELETE", "volumes/tags", 1)):
            for skip in range(count):
                remove(node)
                more = {"status": 403} if kind == "status" else {}
                arrays.fault(kind, method, path, skip=skip, **more)
                r = node.ask("snapshot", volname=DISKS[0], snap="vzdump")
                arrays.no_faults()
                if kind != "status" or method == "DELETE":
                    check(f"snapshot, SafeMode, {kind} at {method} {path} {skip}", r["ok"], r)
                live = [s["suffix"] for v in arrays.state()["volumes"] for s in v["snapshots"] if not s["destroyed"]]
                check("snapshot, SafeMode: no old one is left under the name", r["ok"] or "snap-vzdump" not in live, live)
                if not r["ok"]:
                    node.call("snapshot", volname=DISKS[0], snap="vzdump")
                night_rest = [node.ask("snapshot", volname=d, snap="vzdump") for d in DISKS[1:]]
                check("snapshot, SafeMode: all at one moment after it", all(r["ok"] for r in night_rest) and
                      snapped(arrays, "snap-vzdump") == (DISKS, 1), night_rest)
    end(arrays, node)


def safemode_snapshot_killed():
    """At any moment: what was recovered for its new name is not taken for the guest's, and goes."""
    arrays, node = three_disks()
    arrays.make(config={"safemode": True})
    known = node.path("run/pvewarden/array/snapshots/pure,100,vzdump.json")
    last = night(arrays, node, "before the kills")
    for i in range(24):
        remove(node)
        arrays.fault("latency", ms=8, count=-1)
        node.send(node.request("snapshot", volname=DISKS[0], snap="vzdump"))
        time.sleep(0.01 * i)
        node.kill()
        time.sleep(0.1)  # what was sent arrives
        arrays.no_faults()
        node.start()
        if snapped(arrays, "snap-vzdump") == (DISKS, 1):
            continue  # it was done before
        taken = any(s["suffix"] == "snap-vzdump" for v in arrays.state()["volumes"] for s in v["snapshots"])
        if i % 2 and taken and os.path.exists(known):
            os.unlink(known)  # another node, or after a boot
        now = night(arrays, node, f"killed after {10 * i} ms")
        check("snapshot, SafeMode: none of the old ones", now and not last & now, (last, now))
        last = now or last
    remove(node)
    night(arrays, node, "after the kills")
    live = [s["suffix"] for v in arrays.state()["volumes"] for s in v["snapshots"] if not s["destroyed"]]
    check("snapshot, SafeMode: nothing is left that is not destroyed", live == ["snap-vzdump"] * 3, live)
    end(arrays, node)


def containers():
    arrays, node = begin()
    for _ in range(3):
        node.call("alloc", vmid=200, size_kib=1024)
    node.guest(200, "rootfs: pure:vm-200-disk-0,size=1M\nmp0: pure:vm-200-disk-1,mp=/a,backup=1\n"
                    "mp1: pure:vm-200-disk-2,mp=/b\n", kind="lxc")
    node.call("snapshot", volname="vm-200-disk-0", snap="vzdump")
    node.call("snapshot", volname="vm-200-disk-1", snap="vzdump")
    check("snapshot: vzdump's of a container has what is backed up",
          snapped(arrays, "snap-vzdump") == (["vm-200-disk-0", "vm-200-disk-1"], 1), snapped(arrays, "snap-vzdump"))
    end(arrays, node)


def names_of_two():
    """A guest that has a disk which is named as another guest's, whichever is asked for first, whether
    that guest is there or not."""
    for disks in (["vm-100-disk-0", "vm-200-disk-0"], ["vm-200-disk-0", "vm-100-disk-0"]):
        for other in ("", "scsi0: pure:vm-100-disk-1,size=1M\n"):
            arrays, node = begin()
            for name in ["vm-100-disk-1", *disks, "vm-200-disk-1"]:
                node.call("alloc", vmid=int(name.split("-")[1]), name=name, size_kib=1024)
            node.guest(200, "".join(f"scsi{i}: pure:{d},size=1M\n" for i, d in enumerate([*disks, "vm-200-disk-1"])))
            if other:
                node.guest(100, other)
            for disk in [*disks, "vm-200-disk-1"]:
                r = node.ask("snapshot", volname=disk, snap="s")
                check(f"snapshot of a guest with {disks}: {disk}", r["ok"], r)
            check("snapshot: each of them, and no more", snapped(arrays, "snap-s")[0] ==
                  ["vm-100-disk-0", "vm-200-disk-0", "vm-200-disk-1"], snapped(arrays, "snap-s"))
            for disk in [*disks, "vm-200-disk-1"]:
                check(f"rollback_possible: {disk}", node.ask("rollback_possible", volname=disk, snap="s")["ok"])
                r = node.ask("snapshot_delete", volname=disk, snap="s")
                check(f"snapshot_delete: {disk}", r["ok"], r)
            check("snapshot_delete: all are gone", snapped(arrays, "snap-s")[0] == [], snapped(arrays, "snap-s"))
            end(arrays, node)


def shared_disks():
    """A disk of two guests, named as the first one's: the second one's snapshot is none of the first's."""
    arrays, node = begin()
    for name in ("vm-900-disk-0", "vm-900-disk-1", "vm-901-disk-0"):
        node.call("alloc", vmid=int(name.split("-")[1]), name=name, size_kib=1024)
    mine = "scsi0: pure:vm-900-disk-0,size=1M,shared=1\nscsi1: pure:vm-900-disk-1,size=1M\n"
    theirs = "scsi0: pure:vm-900-disk-0,size=1M,shared=1\nscsi1: pure:vm-901-disk-0,size=1M\n"

    def prepared(disks, snap):
        return f"lock: snapshot\n{disks}\n[{snap}]\n{disks}snapstate: prepare\nsnaptime: {int(time.time())}\n"

    def take(text900, text901, snap, disks):
        node.guest(900, text900)
        node.guest(901, text901)
        for disk in disks:
            node.call("snapshot", volname=disk, snap=snap)
        return snapped(arrays, f"snap-{snap}")[0]

    of901 = ["vm-900-disk-0", "vm-901-disk-0"]
    for at, text in enumerate((prepared(theirs, "s0"), theirs)):
        seen = take(mine, text, f"s{at}", of901)
        check("snapshot of a guest that shares a disk: no other disk of whom it is named after", seen == of901, seen)
        for disk in of901:
            node.call("snapshot_delete", volname=disk, snap=f"s{at}")
        check("snapshot_delete: and all are gone", not snapped(arrays, f"snap-s{at}")[0])
    arrays.zero()
    seen = take(prepared(mine, "own"), theirs, "own", ["vm-900-disk-0", "vm-900-disk-1"])
    check("snapshot of the guest whose name the shared disk has: its disks, in one request",
          seen == ["vm-900-disk-0", "vm-900-disk-1"] and arrays.calls() == {"POST volume-snapshots": 1},
          (seen, arrays.calls()))
    # Being snapshotted under another name says nothing of this one.
    seen = take(prepared(mine, "one"), prepared(theirs, "two"), "two", of901)
    check("snapshot of both at once, by two names", seen == of901, seen)
    end(arrays, node)


def names_by_case():
    """Proxmox' names of snapshots differ by case, the array's do not: a section [s1] beside [S1], of a task
    that was ended when the array had refused it, has no snapshot."""
    arrays, node = three_disks()
    node.guest(100, CONFIG)
    for disk in DISKS[:2]:
        node.call("snapshot", volname=disk, snap="S1")
    before = snapped(arrays, "snap-S1")
    r = node.ask("snapshot", volname=DISKS[0], snap="s1")
    check("snapshot: a name that differs by case is taken", refused(r, "EEXIST"), r)
    node.guest(100, f"{CONFIG}\n[S1]\n{CONFIG}\n[s1]\n{CONFIG}snapstate: prepare\n")
    for disk in DISKS[:2]:
        node.call("snapshot_delete", volname=disk, snap="s1")
    check("snapshot_delete: the one that differs by case stays", snapped(arrays, "snap-S1") == before, snapped(arrays, "snap-S1"))
    for disk in DISKS[:2]:
        node.call("snapshot_delete", volname=disk, snap="S1")
    check("snapshot_delete: and goes by its own name", not snapped(arrays, "snap-S1")[0])
    end(arrays, node)


def set_that_is_over():
    """Its snapshots have gone without this node: removed on another one, or by hand. The guest's next
    snapshot of that name claims nothing of it, whichever disk is asked for first."""
    arrays, node = three_disks()
    node.call("alloc", vmid=100, size_kib=1024)
    began = int(time.time())

    def prepared(snaptime, disks=CONFIG):
        node.guest(100, f"lock: snapshot\n{disks}\n[s1]\n{disks}snapstate: prepare\nsnaptime: {snaptime}\n")

    prepared(began)
    for disk in DISKS[:2]:
        node.call("snapshot", volname=disk, snap="s1")
    new = "vm-100-disk-4"
    for later, config, disks, asked in (
            (1, CONFIG, DISKS, DISKS[::2]),
            (2, CONFIG + f"ide0: pure:{new},size=1M\n", [*DISKS, new], [new, DISKS[0]])):
        names = ",".join(f"vg/{d}.snap-s1" for d in snapped(arrays, "snap-s1")[0])
        arrays.rest("PATCH", "volume-snapshots", {"names": names}, {"destroyed": True})
        arrays.rest("DELETE", "volume-snapshots", {"names": names})
        prepared(began + later, config)
        replies = [node.ask("snapshot", volname=d, snap="s1") for d in asked]
        check("snapshot: of a set that is over nothing is claimed", all(r["ok"] for r in replies) and
              snapped(arrays, "snap-s1") == (disks, 1), (replies, snapped(arrays, "snap-s1")))
    prepared(began + 3)
    r = node.ask("snapshot", volname=DISKS[1], snap="s1")
    check("snapshot: what such a set has left is in the way", refused(r, "EEXIST"), r)
    end(arrays, node)


def delete_beside_a_set():
    """Of a disk that is named as this guest's and is none of its set: that stays, its call still runs."""
    arrays, node = three_disks()
    arrays.rest("POST", "volume-snapshots", {"source_names": "vg/vm-100-disk-3"}, {"suffix": "snap-s"})
    node.call("snapshot", volname=DISKS[0], snap="s")
    node.call("snapshot_delete", volname="vm-100-disk-3", snap="s")
    check("snapshot_delete: beside a set", snapped(arrays, "snap-s")[0] == DISKS, snapped(arrays, "snap-s"))
    for disk in DISKS[1:]:
        r = node.ask("snapshot", volname=disk, snap="s")
        check("snapshot: the set is claimed as if nothing had been", r["ok"], r)
    end(arrays, node)


TESTS = (snapshots, unclaimed, cut_snapshots, snapshot_faults, safemode_snapshots, safemode_snapshot_faults,
         safemode_snapshot_killed, containers, names_of_two, shared_disks, names_by_case, set_that_is_over,
         delete_beside_a_set)

if __name__ == "__main__":
    lib.run(TESTS)
