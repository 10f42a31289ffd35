#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Volumes are made, listed, cloned, renamed and noted on: what each call does, what it costs, and what is
left when a request fails, is cut, or gets no answer. volumes.py [PATTERN...]"""
import time

import lib
from lib import CUTS, GIB, MIB, begin, check, end, refused


# ---- alloc, list, clone ----

def alloc():
    arrays, node = begin()
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
    arrays, node = begin()
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
    arrays, node = begin()
    replies = node.many(12, "alloc", vmid=100, size_kib=1024) + node.many(12, "clone", volname="vm-100-disk-0", vmid=100)
    names = [r.get("result") for r in replies]
    check("alloc and clone: 24 at once have 24 volumes", sorted(f"vg/{n}" for n in names) ==
          sorted(v["name"] for v in arrays.state()["volumes"]) and len(set(names)) == 24, replies)
    end(arrays, node)


def alloc_faults():
    for kind in ("drop-after", "reset-after", "half-closed", "truncated", "garbage"):
        arrays, node = begin()
        node.call("alloc", vmid=100, size_kib=1024)
        arrays.fault(kind, "POST", "volumes")
        r = node.ask("alloc", vmid=100, size_kib=2048)
        names = [v["name"] for v in arrays.state()["volumes"]]
        check(f"alloc, {kind}: one volume, and its name", r["ok"] and sorted(names) == [
            "vg/vm-100-disk-0", "vg/" + r["result"]], (r, names))
        end(arrays, node)
    arrays, node = begin()
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
    arrays, node = begin()
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
    arrays, node = begin(**{"vgname": "vg", "purestorage-quota": "10G", "purestorage-iops": "1000",
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
    arrays, node = begin()
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
    arrays, node = begin()
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
    check("rescan: one that this node has destroyed since is not there", r["ok"] and "/absent/" in r["result"]["path"], r)
    node.call("list")
    arrays.rest("PATCH", "volumes", {"names": "vg/" + names[2]}, {"destroyed": True})
    time.sleep(5.1)
    r = node.ask("path", volname=names[2])
    check("rescan: one that another node has destroyed is not there after some seconds",
          r["ok"] and "/absent/" in r["result"]["path"], r)
    before = len(node.call("list"))
    arrays.make(volumes=[{"name": "vg/vm-100-disk-2", "provisioned": GIB}])
    check("list: never from memory", len(node.call("list")) == before + 1)
    replies = node.many(8, "list")
    check("list: several at once", all(len(r["result"]) == before + 1 for r in replies), replies)
    arrays.fault("status", "GET", "volumes", status=403, count=-1)
    check("list: a refusal is none of an empty list", not node.ask("list")["ok"])
    end(arrays, node)


def clones():
    arrays, node = begin()
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
    arrays, node = begin(**{"vgname": "vg", "purestorage-quota": "1T"})
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
    arrays, node = begin()
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
    arrays, node = begin(n, **place)

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
                check(f"kept: after {how} by {mine}, {storage} has no device of it",
                      r["ok"] and "/absent/" in r["result"]["path"], r)
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


# ---- attributes ----

def attributes():
    arrays, node = begin()
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
    arrays, node = begin()
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


TESTS = (alloc, names_of_others, alloc_at_once, alloc_faults, safemode_names, limits, lists, rescans, clones,
         clone_faults, renames, kept_answers, attributes, attribute_faults)

if __name__ == "__main__":
    lib.run(TESTS)
