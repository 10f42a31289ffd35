#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every method that speaks with the array, against the simulator: what it does, what it costs, and
what is left when a request fails, is cut, or gets no answer. PVEWARDEN_BUILD names the build."""
import json
import os
import stat
import time

from stage import Arrays, Node, check, done

MIB = 1 << 20
GIB = 1 << 30
HOSTS = [{"name": "pve1", "iqns": ["iqn.2004-10.com.ubuntu:01:pve1"]},
         {"name": "pve2", "iqns": ["iqn.2004-10.com.ubuntu:01:pve2"]}, {"name": "backup"}]


def refused(reply, code, text=""):
    return not reply["ok"] and reply["code"] == code and text in reply["error"]


def warned(reply, text):
    return any(level == "warning" and text in line for level, line in reply["log"])


def stage(n=1, **config):
    arrays = Arrays(n)
    place = config or {"vgname": "vg"}
    for i, a in enumerate(arrays.names):
        arrays.make(a, hosts=HOSTS)
        if "vgname" in place and i == 0:
            arrays.make(a, volume_groups=[place["vgname"]])
    if "podname" in place:
        arrays.make("fa1", pods=[{"name": place["podname"], "arrays": arrays.names[1:]}])
    return arrays, Node(arrays, **place)


def end(arrays, node):
    node.end()
    arrays.end()


# ---- alloc, list, clone ----

def alloc():
    arrays, node = stage()
    check("alloc: the lowest number", node.do("alloc", vmid=100, size_kib=4 << 20) == "vm-100-disk-0")
    v = arrays.volume("vg/vm-100-disk-0")
    check("alloc: its size", v and v["provisioned"] == 4 * GIB, v)
    arrays.zero()
    check("alloc: the next", node.do("alloc", vmid=100, size_kib=1024) == "vm-100-disk-1")
    check("alloc: one POST", arrays.calls() == {"POST volumes": 1}, arrays.calls())
    node.do("alloc", vmid=100, size_kib=528)
    check("alloc: at least 1 MiB", arrays.volume("vg/vm-100-disk-2")["provisioned"] == MIB)
    for name in ("vm-100-cloudinit", "vm-100-state-before_it", "vm-100-fleece-0", "vm-100-whatever"):
        check(f"alloc: {name} as asked for", node.do("alloc", vmid=100, name=name, size_kib=4096) == name)
    for name in ("vm-101-disk-0", "base-100-disk-0", "disk", "vm-100-a.b"):
        r = node.call("alloc", vmid=100, name=name, size_kib=4096)
        check(f"alloc: {name} is refused with the form", refused(r, "EINVAL", "vm-100-NAME"), r)
    r = node.call("alloc", vmid=100, name="vm-100-disk-0", size_kib=4096)
    check("alloc: a name that is there is not taken over", refused(r, "EEXIST"), r)
    check("alloc: and stays as it was",
          arrays.volume("vg/vm-100-disk-0")["serial"] == v["serial"])
    r = node.call("alloc", vmid=100, size_kib=5 << 40)
    check("alloc: larger than any volume", refused(r, "EINVAL"), r)
    end(arrays, node)


def names_of_others():
    arrays, node = stage()
    arrays.make(volumes=[{"name": "vg/vm-100-disk-0", "provisioned": MIB},
                         {"name": "vg/base-100-disk-1", "provisioned": MIB},
                         {"name": "vg/vm-100-disk-2", "provisioned": MIB}])
    arrays.rest("PATCH", "volumes", {"names": "vg/vm-100-disk-2"}, {"destroyed": True})
    check("alloc: neither a base's nor a destroyed one's number",
          node.do("alloc", vmid=100, size_kib=1024) == "vm-100-disk-3")
    # Another node takes the next one; the list in memory does not know it.
    arrays.make(volumes=[{"name": "vg/vm-100-disk-4", "provisioned": MIB}])
    arrays.zero()
    check("alloc: a name that is taken meanwhile",
          node.do("alloc", vmid=100, size_kib=1024) == "vm-100-disk-5")
    check("alloc: costs a list and a second POST",
          arrays.calls() == {"POST volumes": 2, "GET volumes": 2}, arrays.calls())
    end(arrays, node)


def alloc_at_once():
    arrays, node = stage()
    replies = node.many(12, "alloc", vmid=100, size_kib=1024) + node.many(12, "clone", volname="vm-100-disk-0", vmid=100)
    names = [r.get("result") for r in replies]
    check("alloc and clone: 24 at once have 24 volumes", sorted(f"vg/{n}" for n in names) ==
          sorted(v["name"] for v in arrays.state()["volumes"]) and len(set(names)) == 24, replies)
    end(arrays, node)


def alloc_faults():
    for kind in ("drop-after", "reset-after", "half-closed", "truncated", "garbage"):
        arrays, node = stage()
        node.do("alloc", vmid=100, size_kib=1024)
        arrays.fault(kind, "POST", "volumes")
        r = node.call("alloc", vmid=100, size_kib=2048)
        names = [v["name"] for v in arrays.state()["volumes"]]
        check(f"alloc, {kind}: one volume, and its name", r["ok"] and sorted(names) == [
            "vg/vm-100-disk-0", "vg/" + r["result"]], (r, names))
        end(arrays, node)
    arrays, node = stage()
    for status in (403, 500):
        arrays.fault("status", "POST", "volumes", status=status, count=-1)
        r = node.call("alloc", vmid=100, size_kib=1024)
        check(f"alloc, {status}: refused, nothing made", not r["ok"] and not arrays.state()["volumes"], r)
        arrays.no_faults()
    arrays.fault("status", "GET", "volumes", status=500, count=-1)
    r = node.call("alloc", vmid=200, size_kib=1024)
    check("alloc: a list that failed is not an empty one",
          not r["ok"] and not arrays.state()["volumes"], r)
    end(arrays, node)


def safemode_names():
    arrays, node = stage()
    arrays.make(config={"safemode": True})
    name = "vm-100-cloudinit"
    node.do("alloc", vmid=100, name=name, size_kib=4096)
    first = arrays.volume("vg/" + name)["serial"]
    check("free, SafeMode: success", node.do("free", volname=name) is None)
    check("free, SafeMode: destroyed, not eradicated", arrays.volume("vg/" + name)["destroyed"])
    check("alloc, SafeMode: the name again", node.do("alloc", vmid=100, name=name, size_kib=4096) == name)
    moved = arrays.volume("vg/del-" + first)
    check("alloc, SafeMode: the old one is kept under its serial",
          moved and moved["destroyed"] and moved["serial"] == first, moved)
    node.do("alloc", vmid=100, size_kib=1024)
    node.do("free", volname="vm-100-disk-0")
    r = node.call("alloc", vmid=100, name="vm-100-disk-0", size_kib=1024)
    check("alloc: a destroyed disk keeps its name", refused(r, "EEXIST", "purevol recover"), r)
    end(arrays, node)


def limits():
    arrays, node = stage(**{"vgname": "vg", "purestorage-quota": "10G", "purestorage-iops": "1000",
                            "purestorage-bandwidth": str(8 * MIB)})
    node.do("alloc", vmid=100, size_kib=6 << 20)
    v = arrays.volume("vg/vm-100-disk-0")
    check("alloc: limits of new volumes", v["qos"] == {"iops_limit": 1000, "bandwidth_limit": 8 * MIB}, v["qos"])
    r = node.call("alloc", vmid=100, size_kib=5 << 20)
    check("alloc: over the quota", refused(r, "EDQUOT", "10.0 GiB"), r)
    r = node.call("clone", volname="vm-100-disk-0", vmid=101)
    check("clone: over the quota", refused(r, "EDQUOT"), r)
    check("alloc: up to the quota", node.do("alloc", vmid=100, size_kib=4 << 20) == "vm-100-disk-1")
    s = node.do("status")
    check("status: quota and what is provisioned",
          s == {"total": 10 * GIB, "used": 10 * GIB, "avail": 0, "active": 1}, s)
    end(arrays, node)


def lists():
    arrays, node = stage()
    arrays.make(volumes=[{"name": n, "provisioned": GIB, "used": 4096} for n in
                         ("vg/vm-100-disk-0", "vg/base-100-disk-1", "vg/vm-100-cloudinit", "vg/vm-1000-disk-0",
                          "vg/tmp-100-x", "vg/other", "vm-100-disk-9", "vg/vm-100-disk-7")])
    arrays.rest("PATCH", "volumes", {"names": "vg/vm-100-disk-7"}, {"destroyed": True})

    def names(**args):
        return sorted(v["volname"] for v in node.do("list", **args))
    check("list: all of this prefix",
          names() == ["base-100-disk-1", "vm-100-cloudinit", "vm-100-disk-0", "vm-1000-disk-0"], names())
    check("list: of a guest", names(vmid=100) == ["base-100-disk-1", "vm-100-cloudinit", "vm-100-disk-0"])
    check("list: by name", names(volumes=["vm-1000-disk-0", "vm-100-disk-7", "x/y", "vm-5-disk-0"]) ==
          ["vm-1000-disk-0"])
    check("list: none asked for", names(volumes=[]) == [])
    v = node.do("list", volumes=["vm-100-disk-0"])[0]
    check("list: what is said", v["vmid"] == 100 and v["size"] == GIB and v["used"] == 4096 and
          abs(v["ctime"] - time.time()) < 60, v)
    arrays.make(volumes=[{"name": f"vg/vm-{i}-disk-0", "provisioned": MIB} for i in range(2000, 3100)])
    arrays.zero()
    check("list: more than a page", len(names()) == 1104)
    check("list: a request a thousand", arrays.calls() == {"GET volumes": 2}, arrays.calls())
    arrays.fault("status", "GET", "volumes", status=500, count=-1)
    r = node.call("list")
    check("list: a failure is no empty list", not r["ok"], r)
    end(arrays, node)


def clones():
    arrays, node = stage()
    node.do("alloc", vmid=100, size_kib=2 << 20)
    node.do("snapshot", volname="vm-100-disk-0", snap="golden")
    check("clone: of the volume", node.do("clone", volname="vm-100-disk-0", vmid=200) == "vm-200-disk-0")
    arrays.zero()
    check("clone: of a snapshot",
          node.do("clone", volname="vm-100-disk-0", snap="golden", vmid=200) == "vm-200-disk-1")
    check("clone: one POST", arrays.calls() == {"POST volumes": 1}, arrays.calls())
    check("clone: its source", "vg/vm-100-disk-0" in arrays.volume("vg/vm-200-disk-1")["source"]["name"])
    check("create_base: its name", node.do("create_base", volname="vm-100-disk-0") == "base-100-disk-0")
    check("clone: of a base", node.do("clone", volname="base-100-disk-0", vmid=200) == "vm-200-disk-2")
    r = node.call("create_base", volname="base-100-disk-0")
    check("create_base: of a base", refused(r, "EINVAL"), r)
    r = node.call("clone", volname="vm-9-disk-0", vmid=200)
    check("clone: of nothing", refused(r, "ENOENT"), r)
    check("clone: and nothing is made", not arrays.volume("vg/vm-200-disk-3"))
    end(arrays, node)


# ---- rename ----

def renames():
    arrays, node = stage()
    for _ in range(3):
        node.do("alloc", vmid=100, size_kib=1024)
    serial = arrays.volume("vg/vm-100-disk-0")["serial"]
    r = node.call("rename", volname="vm-100-disk-0", target="vm-100-disk-1")
    check("rename: onto a name that is there", refused(r, "EEXIST"), r)
    check("rename: to another guest", node.do("rename", volname="vm-100-disk-0", vmid=7000) == "vm-7000-disk-0")
    check("rename: the same volume", arrays.volume("vg/vm-7000-disk-0")["serial"] == serial)
    check("rename: the free name of its own guest",
          node.do("rename", volname="vm-100-disk-2") == "vm-100-disk-3")
    check("rename: a given name", node.do("rename", volname="vm-100-disk-3", target="vm-100-disk-9") == "vm-100-disk-9")
    for bad in ("disk", "../x", "vm-1-a b"):
        check(f"rename: not to {bad}", not node.call("rename", volname="vm-100-disk-1", target=bad)["ok"])
    node.do("activate", volname="vm-100-disk-1")
    serial = arrays.volume("vg/vm-100-disk-1")["serial"]
    node.device(serial, MIB, "open")
    r = node.call("rename", volname="vm-100-disk-1", vmid=300)
    check("rename: not while it is open", refused(r, "EBUSY"), r)
    node.device(serial, MIB, "free")
    check("rename: leaves the node first", node.do("rename", volname="vm-100-disk-1", vmid=300) == "vm-300-disk-0"
          and node.device(serial) is None and not arrays.connections("vg/vm-300-disk-0"))
    for kind in ("drop-after", "reset-after", "drop", "reset"):
        arrays.fault(kind, "PATCH", "volumes")
        r = node.call("rename", volname="vm-300-disk-0", target="vm-300-disk-1")
        check(f"rename, {kind}: done once", r["ok"] and arrays.volume("vg/vm-300-disk-1")["serial"] == serial, r)
        node.do("rename", volname="vm-300-disk-1", target="vm-300-disk-0")
    end(arrays, node)


# ---- free ----

def frees():
    arrays, node = stage()
    node.do("alloc", vmid=100, size_kib=1024)
    arrays.zero()
    check("free: success", node.do("free", volname="vm-100-disk-0") is None)
    check("free: destroyed, not eradicated", arrays.volume("vg/vm-100-disk-0")["destroyed"])
    check("free: its requests", arrays.calls() ==
          {"GET volumes": 1, "GET volumes/tags": 1, "PATCH volumes": 1}, arrays.calls())
    check("free: again", node.do("free", volname="vm-100-disk-0") is None)
    check("free: what never was", node.do("free", volname="vm-100-disk-55") is None)
    node.do("alloc", vmid=100, name="vm-100-state-x", size_kib=1024)
    node.do("free", volname="vm-100-state-x")
    check("free: a state is eradicated", arrays.volume("vg/vm-100-state-x") is None)
    end(arrays, node)


def free_in_use():
    arrays, node = stage()
    name = node.do("alloc", vmid=100, size_kib=1024)
    full = "vg/" + name
    node.guest(100, f"scsi0: pure:{name},size=1M\n")
    serial = arrays.volume(full)["serial"]
    node.do("activate", volname=name)
    for state in ("open", "unknown"):
        node.device(serial, MIB, state)
        r = node.call("free", volname=name)
        check(f"free: refused while it is {state} here", refused(r, "EBUSY"), r)
        check("free: and nothing is changed", not arrays.volume(full)["destroyed"] and
              arrays.connections(full) == ["pve1"] and node.device(serial))
    node.device(serial, MIB, "free")
    arrays.rest("POST", "connections", {"host_names": "backup", "volume_names": full})
    r = node.call("free", volname=name)
    check("free: a host that is no node", refused(r, "EBUSY", "purevol disconnect --host backup"), r)
    arrays.rest("DELETE", "connections", {"host_names": "backup", "volume_names": full})
    arrays.rest("POST", "connections", {"host_names": "pve2", "volume_names": full})
    node.guest(100, f"scsi0: pure:{name},size=1M\n", node="pve2")
    r = node.call("free", volname=name)
    check("free: a guest of the other node", refused(r, "EBUSY", "guest 100 on node pve2"), r)
    node.guest(100, f"lock: migrate\nscsi0: pure:{name},size=1M\n")
    r = node.call("free", volname=name)
    check("free: while it migrates", refused(r, "EBUSY", "migrated"), r)
    check("free: nothing of it was touched", not arrays.volume(full)["destroyed"] and
          arrays.connections(full) == ["pve1", "pve2"] and node.device(serial))
    node.guest(100, f"scsi0: pure:{name},size=1M\n")
    node.do("attribute_set", volname=name, name="protected", value=1)
    r = node.call("free", volname=name)
    check("free: protected", refused(r, "EPERM", "protected"), r)
    node.do("attribute_set", volname=name, name="protected", value=0)
    r = node.call("free", volname=name)
    check("free: a connection that the other node forgot goes, and is named",
          r["ok"] and warned(r, "pve2") and not arrays.connections(full), r)
    check("free: destroyed and off the node", arrays.volume(full)["destroyed"] and node.device(serial) is None)
    end(arrays, node)


def free_faults():
    requests = [("GET", "volumes"), ("GET", "volumes/tags"), ("GET", "connections"),
                ("DELETE", "connections"), ("PATCH", "volumes")]
    for method, path in requests:
        arrays, node = stage()
        name = node.do("alloc", vmid=100, size_kib=1024)
        node.do("activate", volname=name)
        serial = arrays.volume("vg/" + name)["serial"]
        arrays.fault("status", method, path, status=403, count=-1)
        r = node.call("free", volname=name)
        gone = arrays.volume("vg/" + name)["destroyed"]
        check(f"free, {method} {path} refused: an error, nothing destroyed", not r["ok"] and not gone, r)
        arrays.no_faults()
        check(f"free, {method} {path} refused: asked again, done", node.do("free", volname=name) is None and
              arrays.volume("vg/" + name)["destroyed"] and node.device(serial) is None)
        for kind in ("drop-after", "reset"):
            name = node.do("alloc", vmid=100, size_kib=1024)
            node.do("activate", volname=name)
            arrays.fault(kind, method, path)
            r = node.call("free", volname=name)
            check(f"free, {method} {path} {kind}: done", r["ok"] and arrays.volume("vg/" + name)["destroyed"] and
                  not arrays.connections("vg/" + name), r)
        end(arrays, node)


def free_two_arrays():
    arrays, node = stage(2, podname="pod")
    name = node.do("alloc", vmid=100, size_kib=1024)
    full = "pod::" + name
    node.do("activate", volname=name)
    check("pod: connected on both", arrays.connections(full) == ["pve1"] ==
          arrays.connections(full, "fa2"))
    node.do("free", volname=name)
    check("free: disconnected on both, destroyed", not arrays.connections(full) and
          not arrays.connections(full, "fa2") and arrays.volume(full)["destroyed"])
    name = node.do("alloc", vmid=100, size_kib=1024)
    full = "pod::" + name
    node.do("activate", volname=name)
    arrays.fault("status", array="fa2", status=503, count=-1)
    r = node.call("free", volname=name)
    check("free: an array is silent and the pod online there: refused, and nothing is touched", not r["ok"] and
          "is not known" in r["error"] and arrays.connections(full) == ["pve1"], r)
    arrays.no_faults()
    arrays.down("fa2")
    r = node.call("free", volname=name)
    check("free: the pod is not online there, and the array destroys nothing connected: refused",
          not r["ok"] and "existing connections" in r["error"] and not arrays.volume(full)["destroyed"], r)
    arrays.ask("POST", "/set", {"array": "fa1", "config": {"destroys_connected": True}})
    r = node.call("free", volname=name)
    check("free: the pod is not online there, and the array does: done, and said", r["ok"] and
          warned(r, "not online") and arrays.volume(full)["destroyed"], r)
    end(arrays, node)


# ---- snapshots ----

CONFIG = ("scsi0: pure:vm-100-disk-0,size=1M\nscsi1: pure:vm-100-disk-1,size=1M\n"
          "ide2: pure:vm-100-cloudinit,media=cdrom\nunused0: pure:vm-100-disk-3\n"
          "efidisk0: pure:vm-100-disk-2,size=1M\n")
DISKS = ["vm-100-disk-0", "vm-100-disk-1", "vm-100-disk-2"]


def three_disks():
    arrays, node = stage()
    for _ in range(4):
        node.do("alloc", vmid=100, size_kib=1024)
    node.do("alloc", vmid=100, name="vm-100-cloudinit", size_kib=4096)
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
        node.do("snapshot", volname=disk, snap="before_it")
    check("snapshot: one request for the guest", arrays.calls() == {"POST volume-snapshots": 1}, arrays.calls())
    check("snapshot: its disks, at one moment", snapped(arrays, "snap--before-uit") == (DISKS, 1) or
          snapped(arrays, "snap-before--uit--e") == (DISKS, 1), arrays.state()["volumes"])
    check("snapshot: nothing is left to claim", not os.listdir(node.path("run/snapshots")))
    r = node.call("snapshot", volname=DISKS[0], snap="before_it")
    check("snapshot: a second time", refused(r, "EEXIST"), r)
    info = node.do("snapshot_info", volname=DISKS[0])
    check("snapshot_info: the name as it was", list(info) == ["before_it"] and
          info["before_it"]["virtual-size"] == MIB and info["before_it"]["id"] and
          abs(info["before_it"]["timestamp"] - time.time()) < 60, info)
    arrays.zero()
    node.do("snapshot_delete", volname=DISKS[0], snap="before_it")
    check("snapshot_delete: two requests", arrays.calls() ==
          {"PATCH volume-snapshots": 1, "DELETE volume-snapshots": 1}, arrays.calls())
    check("snapshot_delete: that one", not node.do("snapshot_info", volname=DISKS[0]) and
          "before_it" in node.do("snapshot_info", volname=DISKS[1]))
    check("snapshot_delete: again", node.do("snapshot_delete", volname=DISKS[0], snap="before_it") is None)
    end(arrays, node)


def unclaimed():
    arrays, node = three_disks()
    node.do("snapshot", volname=DISKS[0], snap="s")
    node.do("snapshot", volname=DISKS[1], snap="s")
    node.do("snapshot_delete", volname=DISKS[0], snap="s")
    check("snapshot_delete: with it what nobody claimed, not what somebody did",
          snapped(arrays, "snap-s") == ([DISKS[1]], 1), snapped(arrays, "snap-s"))
    node.do("snapshot_delete", volname=DISKS[1], snap="s")
    node.do("snapshot", volname=DISKS[0], snap="s")
    node.restart()
    arrays.zero()
    node.do("snapshot", volname=DISKS[1], snap="s")
    check("snapshot: another process claims as well", not arrays.calls(), arrays.calls())
    node.guest(100, CONFIG.replace("efidisk0: pure", "efidisk0: other"))
    node.do("snapshot", volname="vm-100-disk-3", snap="s")
    check("snapshot: a disk that is none of the set", snapped(arrays, "snap-s")[0] == sorted(DISKS + ["vm-100-disk-3"]))
    end(arrays, node)


def cut_snapshots():
    """The call is killed after the array has done it; Proxmox was told of a failure."""
    arrays, node = three_disks()
    arrays.fault("hang-after", "POST", "volume-snapshots", ms=20000)
    node.send(node.line("snapshot", volname=DISKS[0], snap="s"))
    until = time.monotonic() + 10
    while snapped(arrays, "snap-s")[1] == 0 and time.monotonic() < until:
        time.sleep(0.05)
    node.kill()
    check("snapshot, killed: the array has made it", snapped(arrays, "snap-s") == (DISKS, 1))
    arrays.no_faults()
    old = [s["created"] for v in arrays.state()["volumes"] for s in v["snapshots"]]
    node.start()
    time.sleep(0.05)
    r = node.call("snapshot", volname=DISKS[0], snap="s")
    new = [s["created"] for v in arrays.state()["volumes"] for s in v["snapshots"] if not s["destroyed"]]
    check("snapshot, killed: the next takes a moment of its own", r["ok"] and min(new) > max(old) and
          snapped(arrays, "snap-s") == (DISKS, 1), (r, old, new))
    for disk in DISKS[1:]:
        node.do("snapshot", volname=disk, snap="s")
    # One that somebody else made is never taken for that of a call that was cut.
    with open(node.path("run/snapshots/pure,100,old.json"), "w", encoding="utf-8") as f:
        json.dump({"schema": "pvewarden.array.snapset/1", "since": int(time.time()) - 7200, "taken": False,
                   "members": [{"volname": d, "claimed": False} for d in DISKS]}, f)
    arrays.rest("POST", "volume-snapshots", {"source_names": ",".join("vg/" + d for d in DISKS)},
                {"suffix": "snap-old"})
    r = node.call("snapshot", volname=DISKS[0], snap="old")
    check("snapshot: what is not shown to be ours stays", refused(r, "EEXIST", "purevol destroy") and
          snapped(arrays, "snap-old") == (DISKS, 1), r)
    node.do("snapshot_delete", volname=DISKS[0], snap="old")
    check("snapshot_delete: only the one asked for", snapped(arrays, "snap-old") == (DISKS[1:], 1))
    end(arrays, node)


def snapshot_faults():
    arrays, node = three_disks()
    for number, kind in enumerate(("drop-after", "reset-after", "drop", "reset", "half-closed", "truncated")):
        arrays.fault(kind, "POST", "volume-snapshots")
        for disk in DISKS:
            r = node.call("snapshot", volname=disk, snap=f"s{number}")
            check(f"snapshot, {kind}: {disk}", r["ok"], r)
        check(f"snapshot, {kind}: all at one moment", snapped(arrays, f"snap-s{number}") == (DISKS, 1))
        arrays.fault(kind, "PATCH", "volume-snapshots")
        r = node.call("snapshot_delete", volname=DISKS[0], snap=f"s{number}")
        check(f"snapshot_delete, {kind}", r["ok"] and snapped(arrays, f"snap-s{number}") == (DISKS[1:], 1), r)
    arrays.fault("status", "POST", "volume-snapshots", status=403, count=-1)
    r = node.call("snapshot", volname=DISKS[0], snap="no")
    check("snapshot, refused: nothing is made, nothing is kept", not r["ok"] and
          snapped(arrays, "snap-no")[1] == 0 and not os.listdir(node.path("run/snapshots")), r)
    end(arrays, node)


def containers():
    arrays, node = stage()
    for _ in range(3):
        node.do("alloc", vmid=200, size_kib=1024)
    node.guest(200, "rootfs: pure:vm-200-disk-0,size=1M\nmp0: pure:vm-200-disk-1,mp=/a,backup=1\n"
                    "mp1: pure:vm-200-disk-2,mp=/b\n", kind="lxc")
    node.do("snapshot", volname="vm-200-disk-0", snap="vzdump")
    node.do("snapshot", volname="vm-200-disk-1", snap="vzdump")
    check("snapshot: vzdump's of a container has what is backed up",
          snapped(arrays, "snap-vzdump") == (["vm-200-disk-0", "vm-200-disk-1"], 1), snapped(arrays, "snap-vzdump"))
    end(arrays, node)


# ---- rollback ----

def rollbacks():
    arrays, node = stage()
    name = node.do("alloc", vmid=100, size_kib=1 << 20)
    full = "vg/" + name
    node.guest(100, f"scsi0: pure:{name},size=1G\n")
    node.do("snapshot", volname=name, snap="s")
    node.do("resize", volname=name, size=2 * GIB, running=0)
    serial = arrays.volume(full)["serial"]
    arrays.zero()
    for _ in range(2):
        check("rollback_possible", node.call("rollback_possible", volname=name, snap="s")["ok"])
    check("rollback_possible: asked once", arrays.calls() == {"GET volume-snapshots": 1, "GET volumes": 1},
          arrays.calls())
    arrays.zero()
    check("rollback: done", node.do("rollback", volname=name, snap="s") is None)
    check("rollback: two requests", arrays.calls() == {"GET volumes": 1, "POST volumes": 1}, arrays.calls())
    v = arrays.volume(full)
    check("rollback: the snapshot's size, the same volume", v["provisioned"] == GIB and v["serial"] == serial, v)
    r = node.call("rollback_possible", volname=name, snap="no")
    check("rollback_possible: no such snapshot", refused(r, "ENOENT"), r)
    r = node.call("rollback", volname=name, snap="no")
    check("rollback: no such snapshot", refused(r, "ENOENT"), r)
    node.do("resize", volname=name, size=3 * GIB, running=0)
    node.do("activate", volname=name)
    check("activate: its size here", node.device(serial) == [str(3 * GIB), "free"], node.device(serial))
    for state in ("open", "unknown"):
        node.device(serial, 3 * GIB, state)
        for method in ("rollback_possible", "rollback"):
            r = node.call(method, volname=name, snap="s")
            check(f"{method}: refused while it is {state} here", refused(r, "EBUSY"), r)
    check("rollback: nothing was overwritten", arrays.volume(full)["provisioned"] == 3 * GIB)
    node.device(serial, 3 * GIB, "free")
    arrays.rest("POST", "connections", {"host_names": "pve2", "volume_names": full})
    node.guest(100, f"scsi0: pure:{name},size=1G\n", node="pve2")
    r = node.call("rollback", volname=name, snap="s")
    check("rollback: refused while a guest of another node has it", refused(r, "EBUSY", "pve2"), r)
    node.guest(100, f"scsi0: pure:{name},size=1G\n")
    check("rollback: mapped here, done", node.do("rollback", volname=name, snap="s") is None)
    check("rollback: the device follows", node.device(serial) == [str(GIB), "free"], node.device(serial))
    for kind in ("drop-after", "reset-after", "drop", "reset", "truncated"):
        arrays.fault(kind, "POST", "volumes")
        r = node.call("rollback", volname=name, snap="s")
        check(f"rollback, {kind}: done", r["ok"], r)
    end(arrays, node)


# ---- attributes ----

def attributes():
    arrays, node = stage()
    name = node.do("alloc", vmid=100, size_kib=1024)
    check("attribute: none", node.do("attribute_get", volname=name, name="notes") is None)
    text = "two\nlines \u00e4 'quoted'"
    node.do("attribute_set", volname=name, name="notes", value=text)
    check("attribute: as it was given", node.do("attribute_get", volname=name, name="notes") == text)
    node.do("attribute_set", volname=name, name="notes", value="")
    check("attribute: taken away", node.do("attribute_get", volname=name, name="notes") is None)
    node.do("attribute_set", volname=name, name="protected", value=True)
    check("attribute: protected", node.do("attribute_get", volname=name, name="protected") == "1")
    r = node.call("attribute_get", volname=name, name="colour")
    check("attribute: another", refused(r, "EINVAL"), r)
    end(arrays, node)


# ---- status and the storage itself ----

def status():
    arrays, node = stage()
    arrays.zero()
    replies = node.many(40, "status") + node.many(10, "check_connection") + node.many(10, "status")
    check("status: all have an answer", all(r["ok"] for r in replies), replies)
    check("status: one request for 60 callers", sum(arrays.calls().values()) == 1, arrays.calls())
    s = replies[0]["result"]
    check("status: whole numbers that agree", s["active"] == 1 and s["avail"] == s["total"] - s["used"] and
          all(isinstance(x, int) and x >= 0 for x in s.values()), s)
    node.restart()
    arrays.fault("latency", "GET", "", ms=300, count=-1)
    arrays.zero()
    replies = node.many(40, "status")
    check("status: who asks meanwhile waits for the same answer", all(r["ok"] for r in replies) and
          sum(arrays.calls().values()) == 1, arrays.calls())
    arrays.no_faults()
    ident = node.do("identity")
    arrays.zero()
    check("identity: the same, without a request", node.do("identity") == ident and ident and not arrays.calls())
    arrays.down("fa1")
    node.restart()
    began = time.monotonic()
    r = node.call("status")
    check("status: unknown is a failure", not r["ok"], r)
    r = node.call("check_connection")
    check("check_connection: out of reach", r["ok"] and r["result"] is False and r["log"], r)
    check("status: in its time", time.monotonic() - began < 6)
    arrays.up("fa1")
    time.sleep(2.1)
    check("check_connection: back", node.do("check_connection") is True)
    end(arrays, node)


def pod_status():
    arrays = Arrays(1)
    arrays.make(hosts=HOSTS, pods=[{"name": "pod", "quota_limit": 10 * GIB}])
    node = Node(arrays, podname="pod")
    node.do("alloc", vmid=100, size_kib=4 << 20)
    s = node.do("status")
    check("status: a pod's quota", s == {"total": 10 * GIB, "used": 4 * GIB, "avail": 6 * GIB, "active": 1}, s)
    end(arrays, node)


def token_file(node):
    path = node.path("etc/pve/priv/storage/pure.purestorage-token")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as f:
        return f.read(), stat.S_IMODE(os.stat(path).st_mode)


def adding():
    arrays, node = stage()
    bare = {k: v for k, v in node.config.items() if k != "token"}
    secret = {"token": "fa1-token"}
    r = node.call("on_add", config=bare, secrets=secret)
    check("on_add: done, nothing to warn of", r["ok"] and r["result"] == {} and
          not any("host" in t for _, t in r["log"]), r)
    check("on_add: the token is kept", token_file(node) == ("fa1-token\n", 0o600), token_file(node))
    check("alloc: with the kept token", node.do("alloc", config=bare, vmid=1, size_kib=1024))
    r = node.call("on_add", config={k: v for k, v in bare.items() if k != "check_ssl"}, secrets=secret)
    check("on_add: certificates are verified by default", r["ok"] and r["result"] == {"config": {"check_ssl": 1}}, r)
    node.call("on_delete", config=bare)
    check("on_delete: the token is gone", token_file(node) is None)
    for what, config, secrets, text in (
            ("a wrong token", bare, {"token": "wrong"}, ""),
            ("two tokens too few", {**bare, "address": bare["address"] + ",http://127.0.0.1:1"}, secret, "tokens"),
            ("an address twice", {**bare, "address": bare["address"] + "," + bare["address"] + "/"},
             {"token": "fa1-token,fa1-token"}, "twice"),
            ("no token", bare, None, "token"),
            ("no volume group", {**bare, "vgname": "nope"}, secret, "purevgroup create nope"),
            ("no pod", {**{k: v for k, v in bare.items() if k != "vgname"}, "podname": "nope"}, secret,
             "purepod create nope"),
            ("an array that is not there", {**bare, "address": "http://127.0.0.1:1"}, secret, "")):
        r = node.call("on_add", config=config, secrets=secrets)
        check(f"on_add: {what} is refused", not r["ok"] and text in r["error"], r)
        check(f"on_add: {what}: no token is kept", token_file(node) is None)
    r = node.call("on_add", config={**bare, "hgsuffix": "new"}, secrets=secret)
    check("on_add: no host object: a warning with the command", r["ok"] and warned(
        r, "purehost create --iqnlist iqn.2004-10.com.ubuntu:01:pve1 pve1-new"), r)
    check("on_add: the array has no host more", len(arrays.state()["arrays"]["fa1"]["hosts"]) == len(HOSTS))
    end(arrays, node)


def adding_two():
    arrays, node = stage(2, podname="pod")
    bare = {k: v for k, v in node.config.items() if k != "token"}
    secret = {"token": "fa1-token,fa2-token"}
    r = node.call("on_add", config=bare, secrets=secret)
    check("on_add, two arrays: done", r["ok"] and token_file(node)[0] == "fa1-token,fa2-token\n", r)
    ident = node.do("identity")
    check("identity: of both", len(ident.split(",")) == 2 and len(set(ident.split(","))) == 2, ident)
    arrays.down("fa2")
    r = node.call("on_add", config=bare, secrets=secret)
    check("on_add: the second out of reach is a warning", r["ok"] and warned(r, str(arrays.ports["fa2"])), r)
    node.restart()
    r = node.call("identity")
    check("identity: not without one of them", not r["ok"], r)
    arrays.up("fa2")
    arrays.down("fa1")
    r = node.call("on_add", config=bare, secrets=secret)
    check("on_add: the first out of reach is refused", not r["ok"], r)
    end(arrays, node)


def changing():
    arrays, node = stage()
    bare = {k: v for k, v in node.config.items() if k != "token"}
    node.call("on_add", config=bare, secrets={"token": "fa1-token"})
    arrays.down("fa1")
    r = node.call("on_update", config=bare, update={"disable": 1, "content": "images"}, delete=[])
    check("on_update: what is not the array's needs no array", r["ok"] and r["result"] == {}, r)
    r = node.call("on_update", config=bare, update={"hgsuffix": "x"}, delete=[])
    check("on_update: what is, does", not r["ok"], r)
    arrays.up("fa1")
    r = node.call("on_update", config=bare, update={"purestorage-quota": "lots"}, delete=[])
    check("on_update: a bad value", refused(r, "EINVAL", "purestorage-quota"), r)
    r = node.call("on_update", config=bare, update={}, delete=[], secrets={"token": "wrong"})
    check("on_update: a wrong token is not kept", not r["ok"] and token_file(node)[0] == "fa1-token\n", r)
    arrays.make(config={"api_token": "rotated"})
    r = node.call("on_update", config=bare, update={}, delete=[], secrets={"token": "rotated"})
    check("on_update: a new token is kept", r["ok"] and token_file(node) == ("rotated\n", 0o600), r)
    r = node.call("on_update", config=bare, update={}, delete=[], secrets={"token": None})
    check("on_update: the last token stays", not r["ok"] and token_file(node)[0] == "rotated\n", r)
    r = node.call("on_update", config={**bare, "token": "rotated"}, update={}, delete=[], secrets={"token": None})
    check("on_update: to the section's token", r["ok"] and token_file(node) is None, r)
    name = node.do("alloc", config={**bare, "token": "rotated"}, vmid=100, size_kib=1024)
    node.do("activate", config={**bare, "token": "rotated"}, volname=name)
    r = node.call("on_delete", config=bare)
    check("on_delete: names what is mapped", r["ok"] and warned(r, name), r)
    left = [f for d, _, files in os.walk(node.dir) for f in files if f.endswith(".json") and "_array" in f]
    check("on_delete: no session is left", not left, left)
    end(arrays, node)


TESTS = (alloc, names_of_others, alloc_at_once, alloc_faults, safemode_names, limits, lists, clones, renames, frees,
         free_in_use, free_faults, free_two_arrays, snapshots, unclaimed, cut_snapshots, snapshot_faults,
         containers, rollbacks, attributes, status, pod_status, adding, adding_two, changing)

if __name__ == "__main__":
    import sys
    for test in TESTS:
        if len(sys.argv) < 2 or test.__name__ in sys.argv[1:]:
            try:
                test()
            except Exception as e:  # one subject's failure must not hide the others'
                check(f"{test.__name__}: came to its end", False, repr(e))
    done()
