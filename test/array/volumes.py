#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every method that speaks with the array, against the simulator: what it does, what it costs, and
what is left when a request fails, is cut, or gets no answer."""
import json
import os
import stat
import time

import lib
from lib import Node, Sim, check

MIB = 1 << 20
GIB = 1 << 30
HOSTS = [{"name": "pve1", "iqns": ["iqn.2004-10.com.ubuntu:01:pve1"]},
         {"name": "pve2", "iqns": ["iqn.2004-10.com.ubuntu:01:pve2"]}, {"name": "backup"}]


def refused(reply, code, text=""):
    return not reply["ok"] and reply["code"] == code and text in reply["error"]


def warned(reply, text):
    return any(level == "warning" and text in line for level, line in reply["log"])


def stage(n=1, **config):
    arrays = Sim(n)
    place = config or {"vgname": "vg"}
    for i, a in enumerate(arrays.names):
        arrays.make(a, hosts=HOSTS)
        if "vgname" in place and i == 0:
            arrays.make(a, volume_groups=[place["vgname"]])
    if "podname" in place:
        arrays.make("fa1", pods=[{"name": place["podname"], "arrays": arrays.names[1:]}])
    return arrays, Node(arrays, **place)


def end(arrays, node):
    node.close()
    arrays.close()


CUTS = ("drop", "reset", "drop-after", "reset-after", "half-closed", "truncated")


# ---- alloc, list, clone ----

def alloc():
    arrays, node = stage()
    check("alloc: the lowest number", node.call("alloc", vmid=100, size_kib=4 << 20) == "vm-100-disk-0")
    v = arrays.volume("vg/vm-100-disk-0")
    check("alloc: its size", v and v["provisioned"] == 4 * GIB, v)
    arrays.zero()
    check("alloc: the next", node.call("alloc", vmid=100, size_kib=1024) == "vm-100-disk-1")
    check("alloc: one POST", arrays.calls() == {"POST volumes": 1}, arrays.calls())
    node.call("alloc", vmid=100, size_kib=528)
    check("alloc: at least 1 MiB", arrays.volume("vg/vm-100-disk-2")["provisioned"] == MIB)
    for name in ("vm-100-cloudinit", "vm-100-state-before_it", "vm-100-fleece-0", "vm-100-whatever"):
        check(f"alloc: {name} as asked for", node.call("alloc", vmid=100, name=name, size_kib=4096) == name)
    for name in ("vm-101-disk-0", "base-100-disk-0", "disk", "vm-100-a.b"):
        r = node.ask("alloc", vmid=100, name=name, size_kib=4096)
        check(f"alloc: {name} is refused with the form", refused(r, "EINVAL", "vm-100-NAME"), r)
    r = node.ask("alloc", vmid=100, name="vm-100-disk-0", size_kib=4096)
    check("alloc: a name that is there is not taken over", refused(r, "EEXIST"), r)
    check("alloc: and stays as it was",
          arrays.volume("vg/vm-100-disk-0")["serial"] == v["serial"])
    r = node.ask("alloc", vmid=100, size_kib=5 << 40)
    check("alloc: larger than any volume", refused(r, "EINVAL"), r)
    end(arrays, node)


def names_of_others():
    arrays, node = stage()
    arrays.make(volumes=[{"name": "vg/vm-100-disk-0", "provisioned": MIB},
                         {"name": "vg/base-100-disk-1", "provisioned": MIB},
                         {"name": "vg/vm-100-disk-2", "provisioned": MIB}])
    arrays.rest("PATCH", "volumes", {"names": "vg/vm-100-disk-2"}, {"destroyed": True})
    check("alloc: neither a base's nor a destroyed one's number",
          node.call("alloc", vmid=100, size_kib=1024) == "vm-100-disk-3")
    # Another node takes the next one; the list in memory does not know it.
    arrays.make(volumes=[{"name": "vg/vm-100-disk-4", "provisioned": MIB}])
    arrays.zero()
    check("alloc: a name that is taken meanwhile",
          node.call("alloc", vmid=100, size_kib=1024) == "vm-100-disk-5")
    check("alloc: costs a list and a second POST",
          arrays.calls() == {"POST volumes": 2, "GET volumes": 1}, arrays.calls())
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
        node.call("alloc", vmid=100, size_kib=1024)
        arrays.fault(kind, "POST", "volumes")
        r = node.ask("alloc", vmid=100, size_kib=2048)
        names = [v["name"] for v in arrays.state()["volumes"]]
        check(f"alloc, {kind}: one volume, and its name", r["ok"] and sorted(names) == [
            "vg/vm-100-disk-0", "vg/" + r["result"]], (r, names))
        end(arrays, node)
    arrays, node = stage()
    arrays.fault("status", "POST", "volumes", status=403, count=-1)
    r = node.ask("alloc", vmid=100, size_kib=1024)
    check("alloc, 403: refused, nothing made", not r["ok"] and not arrays.state()["volumes"], r)
    arrays.no_faults()
    arrays.fault("status", "GET", "volumes", status=403, count=-1)
    r = node.ask("alloc", vmid=200, size_kib=1024)
    check("alloc: a list that failed is not an empty one",
          not r["ok"] and not arrays.state()["volumes"], r)
    end(arrays, node)


def safemode_names():
    arrays, node = stage()
    arrays.make(config={"safemode": True})
    name = "vm-100-cloudinit"
    node.call("alloc", vmid=100, name=name, size_kib=4096)
    first = arrays.volume("vg/" + name)["serial"]
    check("free, SafeMode: success", node.call("free", volname=name) is None)
    check("free, SafeMode: destroyed, not eradicated", arrays.volume("vg/" + name)["destroyed"])
    check("alloc, SafeMode: the name again", node.call("alloc", vmid=100, name=name, size_kib=4096) == name)
    moved = arrays.volume("vg/del-" + first)
    check("alloc, SafeMode: the old one is kept under its serial",
          moved and moved["destroyed"] and moved["serial"] == first, moved)
    node.call("alloc", vmid=100, size_kib=1024)
    node.call("free", volname="vm-100-disk-0")
    r = node.ask("alloc", vmid=100, name="vm-100-disk-0", size_kib=1024)
    check("alloc: a destroyed disk keeps its name", refused(r, "EEXIST", "purevol recover"), r)
    end(arrays, node)


def limits():
    arrays, node = stage(**{"vgname": "vg", "purestorage-quota": "10G", "purestorage-iops": "1000",
                            "purestorage-bandwidth": str(8 * MIB)})
    node.call("alloc", vmid=100, size_kib=6 << 20)
    v = arrays.volume("vg/vm-100-disk-0")
    check("alloc: limits of new volumes", v["qos"] == {"iops_limit": 1000, "bandwidth_limit": 8 * MIB}, v["qos"])
    r = node.ask("alloc", vmid=100, size_kib=5 << 20)
    check("alloc: over the quota", refused(r, "EDQUOT", "10.0 GiB"), r)
    r = node.ask("clone", volname="vm-100-disk-0", vmid=101)
    check("clone: over the quota", refused(r, "EDQUOT"), r)
    r = node.ask("resize", volname="vm-100-disk-0", size=11 * GIB, running=False)
    check("resize: over the quota", refused(r, "EDQUOT", "10.0 GiB") and
          arrays.volume("vg/vm-100-disk-0")["provisioned"] == 6 * GIB, r)
    check("alloc: up to the quota", node.call("alloc", vmid=100, size_kib=4 << 20) == "vm-100-disk-1")
    s = node.call("status")
    check("status: quota and what is provisioned",
          s == {"total": 10 * GIB, "used": 10 * GIB, "avail": 0, "active": 1}, s)
    r = node.ask("resize", volname="vm-100-disk-1", size=4 * GIB, running=False)
    check("resize: to what it is, with the quota full", r["ok"], r)
    end(arrays, node)


def lists():
    arrays, node = stage()
    arrays.make(volumes=[{"name": n, "provisioned": GIB, "used": 4096} for n in
                         ("vg/vm-100-disk-0", "vg/base-100-disk-1", "vg/vm-100-cloudinit", "vg/vm-1000-disk-0",
                          "vg/tmp-100-x", "vg/other", "vm-100-disk-9", "vg/vm-100-disk-7")])
    arrays.rest("PATCH", "volumes", {"names": "vg/vm-100-disk-7"}, {"destroyed": True})

    def names(**args):
        return sorted(v["volname"] for v in node.call("list", **args))
    check("list: all of this prefix",
          names() == ["base-100-disk-1", "vm-100-cloudinit", "vm-100-disk-0", "vm-1000-disk-0"], names())
    arrays.zero()
    check("list: of a guest", names(vmid=100) == ["base-100-disk-1", "vm-100-cloudinit", "vm-100-disk-0"])
    check("list: of a guest is one request", arrays.calls() == {"GET volumes": 1}, arrays.calls())
    check("list: by name", names(volumes=["vm-1000-disk-0", "vm-100-disk-7", "x/y", "vm-5-disk-0"]) ==
          ["vm-1000-disk-0"])
    check("list: none asked for", names(volumes=[]) == [])
    v = node.call("list", volumes=["vm-100-disk-0"])[0]
    check("list: what is said", v["vmid"] == 100 and v["size"] == GIB and v["used"] == 4096 and
          abs(v["ctime"] - time.time()) < 60, v)
    arrays.make(volumes=[{"name": f"vg/vm-{i}-disk-0", "provisioned": MIB} for i in range(2000, 3100)])
    arrays.zero()
    check("list: more than a page", len(names()) == 1104)
    check("list: a request a thousand", arrays.calls() == {"GET volumes": 2}, arrays.calls())
    arrays.fault("status", "GET", "volumes", status=500, count=-1)
    r = node.ask("list")
    check("list: a failure is no empty list", not r["ok"], r)
    end(arrays, node)


def rescans():
    """Proxmox lists the storage and asks for the path of every volume, one guest after the other."""
    arrays, node = stage()
    names = [f"vm-{100 + i}-disk-0" for i in range(40)] + ["base-100-disk-1", "vm-100-disk-10"]
    arrays.make(volumes=[{"name": f"vg/{n}", "provisioned": GIB} for n in names])
    serials = {n: arrays.volume(f"vg/{n}")["serial"].lower() for n in names}
    node.call("status")
    arrays.zero()
    node.call("list")
    paths = {n: node.call("path", volname=n)["path"] for n in names}
    check("rescan: one request", arrays.calls() == {"GET volumes": 1}, arrays.calls())
    check("rescan: the path of each", all(paths[n].endswith(serials[n]) for n in names), paths)
    # What was made since by another node is found, what this node changed is asked anew, as what is old.
    arrays.make(volumes=[{"name": "vg/vm-100-disk-1", "provisioned": GIB}])
    r = node.ask("path", volname="vm-100-disk-1")
    check("rescan: one that was made since", r["ok"] and
          r["result"]["path"].endswith(arrays.volume("vg/vm-100-disk-1")["serial"].lower()), r)
    node.call("free", volname=names[1])
    r = node.ask("path", volname=names[1])
    check("rescan: one that this node has destroyed since is not there", refused(r, "ESTALE"), r)
    node.call("list")
    arrays.rest("PATCH", "volumes", {"names": "vg/" + names[2]}, {"destroyed": True})
    time.sleep(5.1)
    r = node.ask("path", volname=names[2])
    check("rescan: one that another node has destroyed is not there after some seconds", refused(r, "ESTALE"), r)
    before = len(node.call("list"))
    arrays.make(volumes=[{"name": "vg/vm-100-disk-2", "provisioned": GIB}])
    check("list: never from memory", len(node.call("list")) == before + 1)
    replies = node.many(8, "list")
    check("list: several at once", all(len(r["result"]) == before + 1 for r in replies), replies)
    arrays.fault("status", "GET", "volumes", status=403, count=-1)
    check("list: a refusal is none of an empty list", not node.ask("list")["ok"])
    end(arrays, node)


def clones():
    arrays, node = stage()
    node.call("alloc", vmid=100, size_kib=2 << 20)
    node.call("snapshot", volname="vm-100-disk-0", snap="golden")
    check("clone: of the volume", node.call("clone", volname="vm-100-disk-0", vmid=200) == "vm-200-disk-0")
    arrays.zero()
    check("clone: of a snapshot",
          node.call("clone", volname="vm-100-disk-0", snap="golden", vmid=200) == "vm-200-disk-1")
    check("clone: one POST", arrays.calls() == {"POST volumes": 1}, arrays.calls())
    check("clone: its source", "vg/vm-100-disk-0" in arrays.volume("vg/vm-200-disk-1")["source"]["name"])
    check("create_base: its name", node.call("create_base", volname="vm-100-disk-0") == "base-100-disk-0")
    check("clone: of a base", node.call("clone", volname="base-100-disk-0", vmid=200) == "vm-200-disk-2")
    r = node.ask("create_base", volname="base-100-disk-0")
    check("create_base: of a base", refused(r, "EINVAL"), r)
    r = node.ask("clone", volname="vm-9-disk-0", vmid=200)
    check("clone: of nothing", refused(r, "ENOENT"), r)
    check("clone: and nothing is made", not arrays.volume("vg/vm-200-disk-3"))
    end(arrays, node)


def clone_faults():
    arrays, node = stage(**{"vgname": "vg", "purestorage-quota": "1T"})
    node.call("alloc", vmid=100, size_kib=1024)
    node.call("snapshot", volname="vm-100-disk-0", snap="s")
    number = 0
    for snap in ({}, {"snap": "s"}):
        of = "clone of a snapshot" if snap else "clone"
        for method, path in (("POST", "volumes"), ("GET", "volumes"), ("GET", "volume-snapshots")):
            for kind in CUTS:
                arrays.fault(kind, method, path)
                r = node.ask("clone", volname="vm-100-disk-0", vmid=200, **snap)
                arrays.no_faults()
                number += 1
                mine = [n for n in arrays.volumes() if "vm-200-" in n]
                check(f"{of}, {method} {path} {kind}: one volume", r["ok"] and len(mine) == number, (r, mine))
            node.restart()
            arrays.fault("status", method, path, status=403, count=-1)
            r = node.ask("clone", volname="vm-100-disk-0", vmid=201, **snap)
            made = [n for n in arrays.volumes() if "vm-201-" in n]
            arrays.no_faults()
            check(f"{of}, {method} {path} refused: made or refused", bool(made) == r["ok"], (r, made))
            if r["ok"]:
                node.call("free", volname=r["result"])
                arrays.rest("DELETE", "volumes", {"names": "vg/" + r["result"]})
    end(arrays, node)


# ---- rename ----

def renames():
    arrays, node = stage()
    for _ in range(3):
        node.call("alloc", vmid=100, size_kib=1024)
    serial = arrays.volume("vg/vm-100-disk-0")["serial"]
    r = node.ask("rename", volname="vm-100-disk-0", target="vm-100-disk-1")
    check("rename: onto a name that is there", refused(r, "EEXIST"), r)
    check("rename: to another guest", node.call("rename", volname="vm-100-disk-0", vmid=7000) == "vm-7000-disk-0")
    check("rename: the same volume", arrays.volume("vg/vm-7000-disk-0")["serial"] == serial)
    check("rename: the free name of its own guest",
          node.call("rename", volname="vm-100-disk-2") == "vm-100-disk-3")
    check("rename: a given name", node.call("rename", volname="vm-100-disk-3", target="vm-100-disk-9") == "vm-100-disk-9")
    for bad in ("disk", "../x", "vm-1-a b"):
        check(f"rename: not to {bad}", not node.ask("rename", volname="vm-100-disk-1", target=bad)["ok"])
    node.call("activate", volname="vm-100-disk-1")
    serial = arrays.volume("vg/vm-100-disk-1")["serial"]
    node.use(serial, "open")
    r = node.ask("rename", volname="vm-100-disk-1", vmid=300)
    check("rename: not while it is open", refused(r, "EBUSY"), r)
    node.use(serial, "free")
    check("rename: leaves the node first", node.call("rename", volname="vm-100-disk-1", vmid=300) == "vm-300-disk-0"
          and node.size(serial) is None and not arrays.connected("vg/vm-300-disk-0"))
    for kind in ("drop-after", "reset-after", "drop", "reset"):
        arrays.fault(kind, "PATCH", "volumes")
        r = node.ask("rename", volname="vm-300-disk-0", target="vm-300-disk-1")
        check(f"rename, {kind}: done once", r["ok"] and arrays.volume("vg/vm-300-disk-1")["serial"] == serial, r)
        node.call("rename", volname="vm-300-disk-1", target="vm-300-disk-0")
    end(arrays, node)


def turned(config):
    """The same arrays in the other order."""
    return {**config, **{k: ",".join(reversed(config[k].split(","))) for k in ("address", "token")}}


def kept_answers_of(n, prefix, **place):
    arrays, node = stage(n, **place)

    def by(storage, method, **args):
        config = node.config if storage == "pure" else turned(node.config)
        node.send({**node.request(method, config, **args), "storage": storage})
        return node.receive()

    for mine, other in (("pure", "pure"), ("pure", "second"), ("second", "pure")):
        for how in ("free", "rename"):
            name = by(mine, "alloc", vmid=100, size_kib=1024)["result"]
            full = prefix + name
            node.guest(100, f"scsi0: pure:{name},size=1M\n")
            arrays.rest("POST", "volume-snapshots", {"source_names": full}, {"suffix": "snap-s"})
            old = arrays.volume(full)["serial"].lower()
            for storage in (mine, other):
                r = by(storage, "path", volname=name)
                check(f"kept: {storage} knows where it is", r["ok"] and old in r["result"]["path"], r)
                check(f"kept: {storage} knows its snapshot",
                      by(storage, "rollback_possible", volname=name, snap="s")["ok"])
            moved = by(mine, how, volname=name, **({"vmid": 7100} if how == "rename" else {}))["result"]
            for storage in (mine, other):
                r = by(storage, "path", volname=name)
                check(f"kept: after {how} by {mine}, {storage} has no path of it",
                      not r["ok"] and r["code"] in ("ENOENT", "ESTALE"), r)
                r = by(storage, "list", vmid=100)
                check(f"kept: after {how} by {mine}, {storage} does not list it", r["result"] == [], r)
                r = by(storage, "rollback_possible", volname=name, snap="s")
                check(f"kept: after {how} by {mine}, {storage} has no snapshot of it", refused(r, "ENOENT"), r)
            if moved:
                r = by(other, "path", volname=moved)
                check("kept: under its new name it is the same", r["ok"] and old in r["result"]["path"], r)
                by(mine, "alloc", vmid=100, name=name, size_kib=1024)
                new = arrays.volume(full)["serial"].lower()
                r = by(other, "path", volname=name)
                check("kept: another one of its name is that one", new in r["result"]["path"] and new != old, r)
                by(mine, "free", volname=name)
    end(arrays, node)


def kept_answers():
    """What was answered a moment ago is not told of a volume that was freed or renamed since, whichever
    section of storage.cfg is asked and changed."""
    kept_answers_of(1, "vg/")
    kept_answers_of(2, "pod::", podname="pod")


# ---- free ----

def frees():
    arrays, node = stage()
    node.call("alloc", vmid=100, size_kib=1024)
    arrays.zero()
    check("free: success", node.call("free", volname="vm-100-disk-0") is None)
    check("free: destroyed, not eradicated", arrays.volume("vg/vm-100-disk-0")["destroyed"])
    check("free: its requests", arrays.calls() ==
          {"GET volumes": 1, "GET volumes/tags": 1, "PATCH volumes": 1}, arrays.calls())
    check("free: again", node.call("free", volname="vm-100-disk-0") is None)
    check("free: what never was", node.call("free", volname="vm-100-disk-55") is None)
    node.call("alloc", vmid=100, name="vm-100-state-x", size_kib=1024)
    arrays.zero()
    node.call("free", volname="vm-100-state-x")
    check("free: of a state nobody asks whether it is protected", arrays.calls() ==
          {"GET volumes": 1, "PATCH volumes": 1, "DELETE volumes": 1}, arrays.calls())
    check("free: a state is eradicated", arrays.volume("vg/vm-100-state-x") is None)
    end(arrays, node)


def free_in_use():
    arrays, node = stage()
    name = node.call("alloc", vmid=100, size_kib=1024)
    full = "vg/" + name
    node.guest(100, f"scsi0: pure:{name},size=1M\n")
    serial = arrays.volume(full)["serial"]
    node.call("activate", volname=name)
    for state in ("open", "unknown"):
        node.use(serial, state)
        r = node.ask("free", volname=name)
        check(f"free: refused while it is {state} here", refused(r, "EBUSY"), r)
        check("free: and nothing is changed", not arrays.volume(full)["destroyed"] and
              arrays.connected(full) == ["pve1"] and node.size(serial))
    node.use(serial, "free")
    arrays.rest("POST", "connections", {"host_names": "backup", "volume_names": full})
    r = node.ask("free", volname=name)
    check("free: a host that is no node", refused(r, "EBUSY", "purevol disconnect --host backup"), r)
    arrays.rest("DELETE", "connections", {"host_names": "backup", "volume_names": full})
    arrays.rest("POST", "connections", {"host_names": "pve2", "volume_names": full})
    node.guest(100, f"scsi0: pure:{name},size=1M\n", node="pve2")
    r = node.ask("free", volname=name)
    check("free: a guest of the other node", refused(r, "EBUSY", "guest 100 on node pve2"), r)
    node.guest(100, f"lock: migrate\nscsi0: pure:{name},size=1M\n")
    r = node.ask("free", volname=name)
    check("free: while it migrates", refused(r, "EBUSY", "migrated"), r)
    check("free: nothing of it was touched", not arrays.volume(full)["destroyed"] and
          arrays.connected(full) == ["pve1", "pve2"] and node.size(serial))
    node.guest(100, f"scsi0: pure:{name},size=1M\n")
    node.call("attribute_set", volname=name, name="protected", value=1)
    r = node.ask("free", volname=name)
    check("free: protected", refused(r, "EPERM", "protected"), r)
    node.call("attribute_set", volname=name, name="protected", value=0)
    r = node.ask("free", volname=name)
    check("free: a connection that the other node forgot goes, and is named",
          r["ok"] and warned(r, "pve2") and not arrays.connected(full), r)
    check("free: destroyed and off the node", arrays.volume(full)["destroyed"] and node.size(serial) is None)
    end(arrays, node)


def free_faults():
    requests = [("GET", "volumes"), ("GET", "volumes/tags"), ("GET", "connections"),
                ("DELETE", "connections"), ("PATCH", "volumes")]

    def make(node, path):
        """A volume that is mapped here says by its connections that it is itself."""
        name = node.call("alloc", vmid=100, size_kib=1024)
        if path != "volumes" or method == "PATCH":
            node.call("activate", volname=name)
        return name
    for method, path in requests:
        arrays, node = stage()
        name = make(node, path)
        serial = arrays.volume("vg/" + name)["serial"]
        arrays.fault("status", method, path, status=403, count=-1)
        r = node.ask("free", volname=name)
        gone = arrays.volume("vg/" + name)["destroyed"]
        check(f"free, {method} {path} refused: an error, nothing destroyed", not r["ok"] and not gone, r)
        arrays.no_faults()
        check(f"free, {method} {path} refused: asked again, done", node.call("free", volname=name) is None and
              arrays.volume("vg/" + name)["destroyed"] and node.size(serial) is None)
        for kind in ("drop-after", "reset"):
            name = make(node, path)
            arrays.fault(kind, method, path)
            r = node.ask("free", volname=name)
            check(f"free, {method} {path} {kind}: done", r["ok"] and arrays.volume("vg/" + name)["destroyed"] and
                  not arrays.connected("vg/" + name), r)
        end(arrays, node)


def free_two_arrays():
    arrays, node = stage(2, podname="pod")
    name = node.call("alloc", vmid=100, size_kib=1024)
    full = "pod::" + name
    node.call("activate", volname=name)
    check("pod: connected on both", arrays.connected(full) == ["pve1"] ==
          arrays.connected(full, "fa2"))
    node.call("free", volname=name)
    check("free: disconnected on both, destroyed", not arrays.connected(full) and
          not arrays.connected(full, "fa2") and arrays.volume(full)["destroyed"])
    name = node.call("alloc", vmid=100, size_kib=1024)
    full = "pod::" + name
    node.call("activate", volname=name)
    arrays.fault("status", array="fa2", status=503, count=-1)
    r = node.ask("free", volname=name)
    check("free: an array is silent and the pod online there: refused, and nothing is touched", not r["ok"] and
          "is not known" in r["error"] and arrays.connected(full) == ["pve1"], r)
    for here, there in (("resyncing", "online"), ("offline", "unknown"), ("online", "suspended")):
        arrays.ask("POST", "/set", {"pod": "pod", "array": "fa1", "status": here})
        arrays.ask("POST", "/set", {"pod": "pod", "array": "fa2", "status": there})
        r = node.ask("free", volname=name)
        check(f"free: who answers is {here}, the silent one {there}: refused, and nothing is touched",
              not r["ok"] and ("is not known" in r["error"] or "is not online" in r["error"]) and
              arrays.connected(full) == ["pve1"] and not arrays.volume(full)["destroyed"], r)
    arrays.ask("POST", "/set", {"pod": "pod", "array": "fa1", "status": "online"})
    arrays.ask("POST", "/set", {"pod": "pod", "array": "fa2", "status": "online"})
    arrays.no_faults()
    arrays.down("fa2")
    r = node.ask("free", volname=name)
    check("free: the pod is not online there, and the array destroys nothing connected: refused",
          not r["ok"] and "existing connections" in r["error"] and not arrays.volume(full)["destroyed"], r)
    arrays.ask("POST", "/set", {"array": "fa1", "config": {"destroys_connected": True}})
    r = node.ask("free", volname=name)
    check("free: the pod is not online there, and the array does: done, and said", r["ok"] and
          warned(r, "not online") and arrays.volume(full)["destroyed"], r)
    check("free: and how its connections there end", warned(r, "purevol disconnect --host HOST " + full) and
          not warned(r, "array heal"), r)
    end(arrays, node)


def connect(arrays, array, host, volume):
    arrays.rest("POST", "connections", {"host_names": host, "volume_names": volume}, array=array)


def free_costs():
    """One request to each array says who is connected there; to the first one, that it is this volume as well."""
    arrays, node = stage(2, podname="pod")
    for name in ("vm-100-disk-0", "vm-100-disk-1"):
        node.call("alloc", vmid=100, size_kib=1024, name=name)
    node.call("activate", volname="vm-100-disk-1")
    arrays.counted()
    node.call("free", volname="vm-100-disk-0")
    found = arrays.counted()
    check("free, connected nowhere: its requests", found ==
          {"fa1 GET volumes": 1, "fa2 GET connections": 1, "fa1 GET volumes/tags": 1, "fa1 PATCH volumes": 1}, found)
    node.call("free", volname="vm-100-disk-1")
    found = arrays.counted()
    check("free, mapped here: its requests", found ==
          {"fa1 GET connections": 1, "fa2 GET connections": 1, "fa1 GET volumes/tags": 1,
           "fa1 DELETE connections": 1, "fa2 DELETE connections": 1, "fa1 PATCH volumes": 1}, found)
    end(arrays, node)


def free_left_connected():
    """What this node has forgotten on one array alone ends there."""
    for array in ("fa1", "fa2"):
        arrays, node = stage(2, podname="pod")
        name = node.call("alloc", vmid=100, size_kib=1024)
        connect(arrays, array, "pve1", "pod::" + name)
        r = node.ask("free", volname=name)
        check(f"free: a connection of this node that is left on {array} ends", r["ok"] and
              not arrays.connections() and arrays.volume("pod::" + name)["destroyed"], r)
        end(arrays, node)


def free_renamed():
    """A volume that this node has mapped went to another name, and its own is another volume's by now."""
    arrays, node = stage(2, podname="pod")
    name = node.call("alloc", vmid=100, size_kib=1024)
    full = "pod::" + name
    node.call("activate", volname=name)
    old = arrays.volume(full)["serial"]
    arrays.rest("PATCH", "volumes", {"names": full}, {"name": "pod::kept"})
    arrays.rest("POST", "volumes", {"names": full}, {"provisioned": MIB})
    for array in arrays.names:
        connect(arrays, array, "pve1", full)
    node.open(old)
    r = node.ask("free", volname=name)
    check("free: what had the name before is open here: nothing is destroyed", refused(r, "EBUSY") and
          not arrays.volume(full)["destroyed"] and not arrays.volume("pod::kept")["destroyed"], r)
    node.release(old)
    r = node.ask("free", volname=name)
    check("free: the new volume is destroyed, the other one stays and leaves the node", r["ok"] and
          arrays.volume(full)["destroyed"] and not arrays.volume("pod::kept")["destroyed"] and
          not node.mapped() and not arrays.connections(), (r, arrays.connections()))
    end(arrays, node)


def while_it_waits(arrays, node, call, then):
    """The reply to a call, during whose first half second something else is done."""
    node.send(call)
    time.sleep(0.5)
    then()
    return node.receive()


def free_connected_meanwhile():
    """Who is connected was read before something that took long: it is read again."""
    for array in ("fa1", "fa2"):
        arrays, node = stage(2, podname="pod")
        arrays.ask("POST", "/set", {"array": "fa1", "config": {"destroys_connected": True}})
        name = node.call("alloc", vmid=100, size_kib=1024)
        arrays.fault("latency", "GET", "volumes/tags", ms=2000)
        r = while_it_waits(arrays, node, node.request("free", volname=name),
                           lambda: connect(arrays, array, "backup", "pod::" + name))
        check(f"free: connected on {array} while the protection was asked for: refused",
              refused(r, "EBUSY", "purevol disconnect --host backup") and
              not arrays.volume("pod::" + name)["destroyed"], r)
        end(arrays, node)


def free_connected_while_it_leaves():
    """Taking the device away waits for its paths: who is connected was read before."""
    arrays, first = stage(2, podname="pod")
    first.close()
    node = Node(arrays, delay_ms=1500, podname="pod")
    arrays.ask("POST", "/set", {"array": "fa1", "config": {"destroys_connected": True}})
    name = node.call("alloc", vmid=100, size_kib=1024)
    full = "pod::" + name
    node.call("activate", volname=name)
    node.events()
    r = while_it_waits(arrays, node, node.request("free", volname=name), lambda: connect(arrays, "fa2", "backup", full))
    check("free: connected by another host while this node's device goes: refused",
          refused(r, "EBUSY", "purevol disconnect --host backup") and not arrays.volume(full)["destroyed"], r)
    check("free: this node's device was taken away", not node.mapped() and not arrays.connected(full), node.events())
    arrays.rest("DELETE", "connections", {"host_names": "backup", "volume_names": full}, array="fa2")
    check("free: asked again, done", node.call("free", volname=name) is None and arrays.volume(full)["destroyed"])
    end(arrays, node)


# ---- snapshots ----

CONFIG = ("scsi0: pure:vm-100-disk-0,size=1M\nscsi1: pure:vm-100-disk-1,size=1M\n"
          "ide2: pure:vm-100-cloudinit,media=cdrom\nunused0: pure:vm-100-disk-3\n"
          "efidisk0: pure:vm-100-disk-2,size=1M\n")
DISKS = ["vm-100-disk-0", "vm-100-disk-1", "vm-100-disk-2"]


def three_disks():
    arrays, node = stage()
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
    arrays, node = stage()
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
            arrays, node = stage()
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
    arrays, node = stage()
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


# ---- rollback ----

def rollbacks():
    arrays, node = stage()
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
    arrays, node = stage(2, podname="pod")
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


# ---- attributes ----

def attributes():
    arrays, node = stage()
    name = node.call("alloc", vmid=100, size_kib=1024)
    check("attribute: none", node.call("attribute_get", volname=name, name="notes") is None)
    text = "two\nlines \u00e4 'quoted'"
    node.call("attribute_set", volname=name, name="notes", value=text)
    check("attribute: as it was given", node.call("attribute_get", volname=name, name="notes") == text)
    for length in (256, 257):
        text = "\u00e4\u20ac\U0001f600x" * 64 + "y" * (length - 256)
        arrays.zero()
        r = node.ask("attribute_set", volname=name, name="notes", value=text)
        check(f"attribute: {length} characters", r["ok"] if length == 256 else
              refused(r, "EINVAL", "notes of 257 characters") and "takes 256" in r["error"] and not arrays.calls(), r)
        check("attribute: and it is whole", node.call("attribute_get", volname=name, name="notes") == text[:256])
    node.call("attribute_set", volname=name, name="notes", value="")
    check("attribute: taken away", node.call("attribute_get", volname=name, name="notes") is None)
    node.call("attribute_set", volname=name, name="protected", value=True)
    check("attribute: protected", node.call("attribute_get", volname=name, name="protected") == "1")
    r = node.ask("attribute_get", volname=name, name="colour")
    check("attribute: another", refused(r, "EINVAL"), r)
    for remade in ("vm-100-cloudinit", "vm-100-state-x", "vm-100-fleece-0"):
        node.call("alloc", vmid=100, name=remade, size_kib=1024)
        r = node.ask("attribute_set", volname=remade, name="protected", value=True)
        check(f"attribute: {remade} cannot be protected", refused(r, "EINVAL", "by itself"), r)
        node.call("attribute_set", volname=remade, name="notes", value="x")
        node.call("attribute_set", volname=remade, name="protected", value=False)
    end(arrays, node)


def attribute_faults():
    arrays, node = stage()
    name = node.call("alloc", vmid=100, size_kib=1024)
    for number, kind in enumerate(CUTS):
        for method, path in (("PUT", "volumes/tags/batch"), ("GET", "volumes/tags")):
            arrays.fault(kind, method, path)
            node.call("attribute_set", volname=name, name="notes", value=f"{kind} {number}")
            seen = node.call("attribute_get", volname=name, name="notes")
            check(f"attribute, {kind}, {method}: set and read", seen == f"{kind} {number}", seen)
            arrays.no_faults()
        for method in ("GET", "DELETE"):
            node.call("attribute_set", volname=name, name="protected", value=True)
            arrays.fault(kind, method, "volumes/tags")
            node.call("attribute_set", volname=name, name="protected", value=False)
            arrays.no_faults()
            check(f"attribute, {kind}, {method}: taken away",
                  node.call("attribute_get", volname=name, name="protected") is None)
    node.call("attribute_set", volname=name, name="protected", value=True)
    for method, path in (("PUT", "volumes/tags/batch"), ("GET", "volumes/tags"), ("DELETE", "volumes/tags")):
        arrays.fault("status", method, path, status=403, count=-1)
        r = node.ask("attribute_set", volname=name, name="protected", value=method == "PUT")
        check(f"attribute, {method} refused: an error", not r["ok"], r)
        arrays.no_faults()
        check("attribute: protection stays", node.call("attribute_get", volname=name, name="protected") == "1")
    arrays.fault("status", "GET", "volumes/tags", status=403, count=-1)
    r = node.ask("attribute_get", volname=name, name="protected")
    check("attribute: what is not known is not none", not r["ok"], r)
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
    ident = node.call("identity")
    arrays.zero()
    check("identity: the same, without a request", node.call("identity") == ident and ident and not arrays.calls())
    arrays.down("fa1")
    node.restart()
    began = time.monotonic()
    r = node.ask("status")
    check("status: unknown is a failure", not r["ok"], r)
    r = node.ask("check_connection")
    check("check_connection: out of reach", r["ok"] and r["result"] is False and r["log"], r)
    check("status: in its time", time.monotonic() - began < 6)
    arrays.up("fa1")
    time.sleep(2.1)
    check("check_connection: back", node.call("check_connection") is True)
    end(arrays, node)


def pod_status():
    arrays = Sim(1)
    arrays.make(hosts=HOSTS, pods=[{"name": "pod", "quota_limit": 10 * GIB}])
    node = Node(arrays, podname="pod")
    node.call("alloc", vmid=100, size_kib=4 << 20)
    s = node.call("status")
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
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add: done, nothing to warn of", r["ok"] and r["result"] == {} and
          not any("host" in t for _, t in r["log"]), r)
    check("on_add: the token is kept", token_file(node) == ("fa1-token\n", 0o600), token_file(node))
    check("alloc: with the kept token", node.call("alloc", config=bare, vmid=1, size_kib=1024))
    r = node.ask("on_add", config={k: v for k, v in bare.items() if k != "check_ssl"}, secrets=secret)
    check("on_add: certificates are verified by default", r["ok"] and r["result"] == {"config": {"check_ssl": 1}}, r)
    node.ask("on_delete", config=bare)
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
        r = node.ask("on_add", config=config, secrets=secrets)
        check(f"on_add: {what} is refused", not r["ok"] and text in r["error"], r)
        check(f"on_add: {what}: no token is kept", token_file(node) is None)
    node.restart()  # nothing was warned about yet
    unsaid = {k: v for k, v in bare.items() if k != "check_ssl"}
    r = node.ask("on_add", config=unsaid, secrets=secret)
    check("on_add: that it will verify certificates is not warned about as if it did not", r["ok"] and
          r["result"] == {"config": {"check_ssl": 1}} and not warned(r, "check_ssl"), r)
    r = node.ask("on_add", config={**bare, "hgsuffix": "new"}, secrets=secret)
    check("on_add: no host object: a warning with the command", r["ok"] and warned(
        r, "purehost create --iqnlist iqn.2004-10.com.ubuntu:01:pve1 pve1-new"), r)
    arrays.rest("POST", "volumes", {"names": "vg/vm-7-disk-0"}, {"provisioned": MIB})
    for host in ("pve1", "pve2"):
        arrays.rest("POST", "connections", {"volume_names": "vg/vm-7-disk-0", "host_names": host})
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add: volumes of this cluster's nodes are no reason to warn", r["ok"] and not any(
        level == "warning" for level, _ in r["log"]), r)
    arrays.rest("POST", "connections", {"volume_names": "vg/vm-7-disk-0", "host_names": "backup"})
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add: what is connected to other hosts may be another cluster's: a warning", r["ok"] and warned(
        r, "backup") and warned(r, "vnprefix"), r)
    check("on_add: the array has no host more", len(arrays.state()["arrays"]["fa1"]["hosts"]) == len(HOSTS))
    end(arrays, node)


def hook_faults():
    """on_add and on_update with each of their requests cut or refused: done, or nothing is kept."""
    arrays, node = stage()
    bare = {k: v for k, v in node.config.items() if k != "token"}
    old, new = {"token": "fa1-token"}, {"token": "new"}
    for method, path in (("GET", "volume-groups"), ("GET", "hosts"), ("GET", "arrays"), ("POST", "login")):
        for kind in ("drop", "drop-after", "half-closed", "truncated"):
            node.restart()
            arrays.fault(kind, method, path)
            r = node.ask("on_add", config=bare, secrets=old)
            arrays.no_faults()
            check(f"on_add, {method} {path} {kind}: done", r["ok"] and token_file(node), r)
            node.ask("on_delete", config=bare)
        node.restart()
        arrays.fault("status", method, path, status=500, count=-1)
        r = node.ask("on_add", config=bare, secrets=old)
        arrays.no_faults()
        check(f"on_add, {method} {path} refused: kept only when done", bool(token_file(node)) == r["ok"], r)
        node.ask("on_delete", config=bare)
        node.call("on_add", config=bare, secrets=old)
        node.restart()
        arrays.make(config={"api_token": "new"})
        arrays.fault("status", method, path, status=500, count=-1)
        r = node.ask("on_update", config=bare, update={}, delete=[], secrets=new)
        arrays.no_faults()
        check(f"on_update, {method} {path} refused: the new token is kept only when done",
              token_file(node)[0] == (new if r["ok"] else old)["token"] + "\n", (r, token_file(node)))
        node.ask("on_delete", config=bare)
        check(f"on_delete after that, {method} {path}: no token is left", token_file(node) is None)
        arrays.make(config={"api_token": "fa1-token"})
    end(arrays, node)


def adding_two():
    arrays, node = stage(2, podname="pod")
    bare = {k: v for k, v in node.config.items() if k != "token"}
    secret = {"token": "fa1-token,fa2-token"}
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add, two arrays: done", r["ok"] and token_file(node)[0] == "fa1-token,fa2-token\n", r)
    ident = node.call("identity")
    check("identity: of both", len(ident.split(",")) == 2 and len(set(ident.split(","))) == 2, ident)
    arrays.down("fa2")
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add: the second out of reach is a warning", r["ok"] and warned(r, str(arrays.ports["fa2"])), r)
    node.restart()
    r = node.ask("identity")
    check("identity: not without one of them", not r["ok"], r)
    arrays.up("fa2")
    arrays.down("fa1")
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add: the first out of reach is refused", not r["ok"], r)
    end(arrays, node)


def adding_nvme():
    arrays, node = stage(2, podname="pod", protocol="nvme")
    bare = {k: v for k, v in node.config.items() if k != "token"}
    secret = {"token": "fa1-token,fa2-token"}
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add: a pod of two NVMe subsystems is refused", refused(r, "EOPNOTSUPP", "two NVMe subsystems"), r)
    check("on_add: and leaves no token", token_file(node) is None)
    r = node.ask("on_add", config={**bare, "protocol": "iscsi"}, secrets=secret)
    check("on_add: by iSCSI it is not", r["ok"], r)
    r = node.ask("on_update", config={**bare, "protocol": "iscsi"}, update={"protocol": "nvme"}, delete=[])
    check("on_update: nor is it changed to NVMe", refused(r, "EOPNOTSUPP", "two NVMe subsystems"), r)
    one = {**bare, "address": bare["address"].split(",")[0]}
    r = node.ask("on_add", config=one, secrets={"token": "fa1-token"})
    check("on_add: one array of it alone", r["ok"], r)
    arrays.down("fa2")
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add: what is not known of one is no reason", r["ok"] and warned(r, str(arrays.ports["fa2"])), r)
    end(arrays, node)


def changing():
    arrays, node = stage()
    bare = {k: v for k, v in node.config.items() if k != "token"}
    node.ask("on_add", config=bare, secrets={"token": "fa1-token"})
    arrays.down("fa1")
    r = node.ask("on_update", config=bare, update={"disable": 1, "content": "images"}, delete=[])
    check("on_update: what is not the array's needs no array", r["ok"] and r["result"] == {}, r)
    r = node.ask("on_update", config=bare, update={"hgsuffix": "x"}, delete=[])
    check("on_update: what is, does", not r["ok"], r)
    arrays.up("fa1")
    r = node.ask("on_update", config=bare, update={"purestorage-quota": "lots"}, delete=[])
    check("on_update: a bad value", refused(r, "EINVAL", "purestorage-quota"), r)
    for key, value in (("iops", "99"), ("iops", "100000001"), ("bandwidth", "1000"), ("bandwidth", "1T")):
        r = node.ask("on_update", config=bare, update={f"purestorage-{key}": value}, delete=[])
        check(f"on_update: {key} {value} is no limit that an array takes",
              refused(r, "EINVAL", f"purestorage-{key}"), r)
        r = node.ask("on_add", config={**bare, f"purestorage-{key}": value}, secrets={"token": "fa1-token"})
        check(f"on_add: {key} {value}: nor there", refused(r, "EINVAL", f"purestorage-{key}"), r)
    r = node.ask("on_update", config=bare, update={"purestorage-iops": "100", "purestorage-bandwidth": "1M"}, delete=[])
    check("on_update: the least limits", r["ok"], r)
    r = node.ask("list", config={**bare, "purestorage-iops": "5"})
    check("a limit that no array takes is in nobody's way but a new volume's", r["ok"], r)
    r = node.ask("on_update", config=bare, update={}, delete=[], secrets={"token": "wrong"})
    check("on_update: a wrong token is not kept", not r["ok"] and token_file(node)[0] == "fa1-token\n", r)
    arrays.make(config={"api_token": "rotated"})
    r = node.ask("on_update", config=bare, update={}, delete=[], secrets={"token": "rotated"})
    check("on_update: a new token is kept", r["ok"] and token_file(node) == ("rotated\n", 0o600), r)
    two = {**bare, "address": bare["address"] + ",http://127.0.0.1:1", "token": "rotated,other"}
    r = node.ask("list", config=two)
    check("too few tokens in the file, which goes before storage.cfg: it is named", refused(
        r, "EINVAL", "but 1 tokens in /etc/pve/priv/storage/pure.purestorage-token"), r)
    given = {**bare, "token": "section's"}  # from a Proxmox that knows no sensitive properties
    r = node.ask("on_update", config=given, update={"token": "wrong"}, delete=[])
    check("on_update: a wrong token among the values is refused, whatever is kept", not r["ok"] and
          token_file(node)[0] == "rotated\n", r)
    arrays.make(config={"api_token": "again"})
    r = node.ask("on_update", config=given, update={"token": "again"}, delete=[])
    check("on_update: one among the values goes where the kept one is, which goes before it", r["ok"] and
          token_file(node) == ("again\n", 0o600), r)
    arrays.make(config={"api_token": "rotated"})
    node.ask("on_update", config=bare, update={}, delete=[], secrets={"token": "rotated"})
    r = node.ask("on_update", config=bare, update={}, delete=[], secrets={"token": None})
    check("on_update: the last token stays", not r["ok"] and token_file(node)[0] == "rotated\n", r)
    r = node.ask("on_update", config={**bare, "token": "rotated"}, update={}, delete=[], secrets={"token": None})
    check("on_update: to the section's token", r["ok"] and token_file(node) is None, r)
    r = node.ask("on_update", config={**bare, "token": "rotated"}, update={"token": "rotated"}, delete=[])
    check("on_update: where none is kept, none is made of one among the values", r["ok"] and
          token_file(node) is None, r)
    name = node.call("alloc", config={**bare, "token": "rotated"}, vmid=100, size_kib=1024)
    node.call("activate", config={**bare, "token": "rotated"}, volname=name)
    r = node.ask("on_delete", config=bare)
    check("on_delete: names what is mapped", r["ok"] and warned(r, name), r)
    left = [f for d, _, files in os.walk(node.root) for f in files if f.endswith(".json") and "_array" in f]
    check("on_delete: no session is left", not left, left)
    end(arrays, node)


def debug_lines():
    """What level 1 is for: which method was asked for which volume."""
    arrays, node = stage()
    node.call("alloc", vmid=100, size_kib=1024, name="vm-100-disk-0")
    loud = {**node.config, "debug": "1"}

    def lines(method, **args):
        return [text for level, text in node.ask(method, config=loud, **args)["log"] if level == "debug"]
    for want, method, args in (
            ("list (pure, vmid=100)", "list", {"vmid": 100}),
            ("list (pure)", "list", {}),
            ("size (pure, volname=vm-100-disk-0)", "size", {"volname": "vm-100-disk-0"}),
            ("snapshot (pure, volname=vm-100-disk-0, snap=s1)", "snapshot",
             {"volname": "vm-100-disk-0", "snap": "s1"}),
            ("resize (pure, volname=vm-100-disk-0, size=2097152, running=false)", "resize",
             {"volname": "vm-100-disk-0", "size": 2 << 20, "running": False}),
            ("attribute_set (pure, volname=vm-100-disk-0, name=notes)", "attribute_set",
             {"volname": "vm-100-disk-0", "name": "notes", "value": "long and private"}),
            ("free (pure, volname=vm-100-disk-0)", "free", {"volname": "vm-100-disk-0"})):
        seen = lines(method, **args)
        check(f"debug 1: {want}", want in seen, seen)
    log = node.ask("alloc", vmid=100, size_kib=1024, name="vm-100-disk-1")["log"]
    check("debug 0: what changes the array is told when it is done", log == [
        ["info", "alloc (pure, vmid=100, name=vm-100-disk-1, size_kib=1024): done"]], log)
    log = node.ask("alloc", vmid=100, size_kib=1024, name="vm-100-disk-1")["log"]
    check("debug 0: what failed, as an error", [x for x, t in log if "vm-100-disk-1" in t] == ["error"], log)
    log = node.ask("size", volname="vm-100-disk-7")["log"]
    check("debug 0: that a volume is not there is none", log == [], log)
    seen = lines("size", volname="vm-100-disk-0\n\x1b[31m" + "x" * 5000)
    check("debug 1: what is no name is shown safely", seen and "\x1b" not in seen[0] and "\n" not in seen[0] and
          len(seen[0]) < 1000, seen)
    seen = lines("on_update", update={"token": "secret-word"}, delete=[])
    check("debug 1: no value of the configuration", seen and "secret-word" not in str(seen), seen)
    end(arrays, node)


TESTS = (alloc, names_of_others, alloc_at_once, alloc_faults, safemode_names, limits, lists, rescans, clones, clone_faults, renames,
         kept_answers, frees, free_in_use, free_faults, free_two_arrays, free_costs, free_left_connected, free_renamed,
         free_connected_meanwhile, free_connected_while_it_leaves, snapshots, unclaimed, cut_snapshots, snapshot_faults,
         safemode_snapshots, safemode_snapshot_faults, safemode_snapshot_killed, containers, names_of_two, shared_disks, delete_beside_a_set, rollbacks, rollback_costs, rollback_connected_between,
         rollback_one_array, attributes, attribute_faults, status, pod_status, adding, hook_faults, adding_two, adding_nvme,
         changing, debug_lines)

if __name__ == "__main__":
    lib.run(TESTS)
