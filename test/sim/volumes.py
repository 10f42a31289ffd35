# SPDX-License-Identifier: AGPL-3.0-or-later
"""Volumes, snapshots, tags: what may be done with them, and what an array says when it may not."""
import re

from lib import Sim, check, done, names

GIB = 1 << 30
GONE = ("Volume snapshot has been destroyed. It can be recovered by purevol recover and "
        "eradicated by purevol eradicate.")


def refused(what, answer, context, message, status=400):
    check(what, answer.status == status and answer.errors[:1] == [(context, message)], answer)


def creating(sim):
    v = sim.volume("vg/vm-1-disk-0", GIB)
    check("a volume has what one has",
          v["name"] == "vg/vm-1-disk-0" and v["provisioned"] == GIB and not v["destroyed"] and
          re.fullmatch("[0-9A-F]{24}", v["serial"]) and v["volume_group"]["name"] == "vg" and
          v["source"] == {"id": None, "name": None} and v["created"] > 1e12 and
          v["connection_count"] == 0 and v["subtype"] == "regular", v)
    other = sim.volume("other", GIB)
    check("serials and ids differ", other["serial"] != v["serial"] and other["id"] != v["id"])
    a = sim.post("volumes", {"provisioned": GIB}, names="a1,a2")
    check("two in one call", a.status == 200 and names(a) == ["a1", "a2"], a)
    refused("a name that is there", sim.post("volumes", {"provisioned": GIB}, names="OTHER"),
            "OTHER", "Volume already exists.")
    refused("of two that one is there makes none", sim.post("volumes", {"provisioned": GIB}, names="a3,a1"),
            "a1", "Volume already exists.")
    check("really none", sim.get("volumes", filter="name='a3'").items == [])
    refused("no size", sim.post("volumes", {}, names="b"), "b", "No attribute specified.")
    refused("no name", sim.post("volumes", {"provisioned": GIB}), None, "Missing required parameter: names.")
    for size in (512, GIB + 1, 1 << 53, -1):
        a = sim.post("volumes", {"provisioned": size}, names="b")
        check(f"size {size} is refused", a.status == 400, a)
    refused("a group that is not there", sim.post("volumes", {"provisioned": GIB}, names="nope/b"),
            "nope/b", "Volume group does not exist.")
    refused("a pod that is not there", sim.post("volumes", {"provisioned": GIB}, names="nope::b"),
            "nope::b", "Pod does not exist.")
    for name in ("-a", "a-", "a.b", "a b", "1", "x" * 64, "a*"):
        refused(f"name \"{name[:9]}\"", sim.post("volumes", {"provisioned": GIB}, names=name),
                name, "Volume name is invalid.")
    check("63 characters are a name", sim.post("volumes", {"provisioned": GIB}, names="x" * 63).status == 200)
    a = sim.post("volumes", {"provisioned": GIB, "qos": {"iops_limit": 100, "bandwidth_limit": 1 << 20}}, names="q")
    check("limits", a.item["qos"] == {"iops_limit": 100, "bandwidth_limit": 1 << 20}, a)
    a = sim.post("volumes", {"provisioned": GIB, "qos": {"iops_limit": 99}}, names="q2")
    check("limits have limits", a.status == 400 and "iops_limit" in a.error, a)


def changing(sim):
    sim.volume("c", GIB)
    a = sim.patch("volumes", {"provisioned": 2 * GIB}, names="c")
    check("it grows", a.item["provisioned"] == 2 * GIB, a)
    a = sim.patch("volumes", {"provisioned": GIB}, names="c")
    check("it does not shrink by itself", a.status == 400, a)
    check("but when told so", sim.patch("volumes", {"provisioned": GIB}, names="c", truncate="true").status == 200)
    a = sim.patch("volumes", {"name": "vg/c"}, names="c")
    check("another name, and group", a.item["name"] == "vg/c" and a.item["volume_group"]["name"] == "vg", a)
    refused("the old name is gone", sim.patch("volumes", {"name": "x"}, names="c"), "c", "Volume does not exist.")
    refused("a name that is taken", sim.patch("volumes", {"name": "other"}, names="vg/c"), "other",
            "Volume already exists.")
    a = sim.patch("volumes", {"name": "VG/C"}, names="vg/c")
    check("letters may change their case", a.status == 200 and a.item["name"] == "VG/C", a)
    refused("nothing to change", sim.patch("volumes", {}, names="vg/c"), None, "No attribute specified.")
    a = sim.patch("volumes", {"provisioned": 4 * GIB, "name": "z"}, names="vg/c")
    check("two kinds of change in one call", a.status == 400, a)
    before = sim.get("volumes", names="vg/c").item
    a = sim.patch("volumes", {"source": {"name": "other"}}, names="vg/c")
    check("PATCH with a source says yes and does nothing", a.status == 200 and a.item == before, a)
    a = sim.patch("volumes", {"volume_group": {"name": ""}}, names="vg/c")
    check("out of its group", a.item["name"] == "C" and a.item["volume_group"]["name"] is None, a)
    a = sim.patch("volumes", {"qos": {"iops_limit": 500}}, names="C")
    check("limits change", a.item["qos"] == {"iops_limit": 500}, a)
    a = sim.ask("PATCH", "volumes", {"ids": before["id"]}, {"provisioned": 3 * GIB})
    check("by id", a.item["name"] == "C" and a.item["provisioned"] == 3 * GIB, a)
    a = sim.get("volumes", names="C", ids=before["id"])
    check("names and ids together are refused", a.status == 400, a)


def ending(sim):
    sim.volume("e", GIB)
    sim.post("volume-snapshots", {"suffix": "s1"}, source_names="e")
    refused("eradicate before destroy", sim.delete("volumes", names="e"), "e", "Volume is not destroyed.")
    a = sim.destroy("e")
    check("destroyed, for a day", a.item["destroyed"] and 86300000 < a.item["time_remaining"] <= 86400000, a)
    refused("destroyed twice", sim.destroy("e"), "e", "Volume has been destroyed.")
    a = sim.get("volume-snapshots", source_names="e")
    check("its snapshots go with it", a.item["destroyed"], a)
    a = sim.post("volumes", {"provisioned": GIB}, names="e")
    check("its name is kept", a.status == 400 and "has been destroyed" in a.error, a)
    refused("it does not grow", sim.patch("volumes", {"provisioned": 2 * GIB}, names="e"), "e",
            "Volume has been destroyed.")
    refused("no snapshot of it", sim.post("volume-snapshots", {"suffix": "s2"}, source_names="e"), "e",
            "Volume has been destroyed.")
    refused("it is no source", sim.post("volumes", {"source": {"name": "e"}}, names="e2"), "e",
            "Volume has been destroyed.")
    check("listed with the live ones", "e" in names(sim.get("volumes")))
    check("not with destroyed=false", "e" not in names(sim.get("volumes", destroyed="false")))
    check("only such with destroyed=true", names(sim.get("volumes", destroyed="true")) == ["e"])
    a = sim.patch("volumes", {"destroyed": False}, names="e")
    check("it comes back", not a.item["destroyed"] and "time_remaining" not in a.item, a)
    check("and its snapshots", not sim.get("volume-snapshots", names="e.s1").item["destroyed"])
    sim.destroy("e")
    a = sim.delete("volumes", names="e")
    check("eradicated: 200 and not a byte", a.status == 200 and a.text == "" and
          "content-type" not in a.headers, (a, a.headers))
    refused("then it is not there", sim.get("volumes", names="e"), "e", "Volume does not exist.")
    check("and its name is free", sim.post("volumes", {"provisioned": GIB}, names="e").status == 200)
    sim.destroy("e")
    sim.forward(86390)
    sim.login()
    check("shortly before a day it is there", sim.get("volumes", names="e").status == 200)
    sim.forward(11)
    check("then it went by itself", sim.get("volumes", names="e").status == 400)


def safemode(sim):
    sim.make(config={"safemode": True, "disabled_delay": 14 * 86400000})
    sim.volume("safe", GIB)
    sim.post("volume-snapshots", {"suffix": "s"}, source_names="safe")
    sim.patch("volume-snapshots", {"destroyed": True}, names="safe.s")
    refused("SafeMode keeps snapshots", sim.delete("volume-snapshots", names="safe.s"), "safe.s",
            "Eradication is disabled.")
    a = sim.destroy("safe")
    check("and volumes for longer", a.item["time_remaining"] > 13 * 86400000, a)
    refused("whatever is asked", sim.delete("volumes", names="safe"), "safe", "Eradication is disabled.")
    a = sim.get("arrays").item["eradication_config"]
    check("it says so", a["manual_eradication"] == "all-disabled", a)
    sim.make(config={"safemode": False})


def snapshots(sim):
    sim.volume("s1", GIB)
    sim.volume("s2", 2 * GIB)
    a = sim.post("volume-snapshots", {"suffix": "snap-a"}, source_names="s1,s2")
    check("two at one moment", names(a) == ["s1.snap-a", "s2.snap-a"] and
          a.items[0]["created"] == a.items[1]["created"] and a.items[1]["provisioned"] == 2 * GIB and
          a.item["source"]["name"] == "s1" and a.item["suffix"] == "snap-a", a)
    a = sim.post("volume-snapshots", source_names="s1", suffix="snap-b")
    check("the suffix in the query", a.item["name"] == "s1.snap-b", a)
    a = sim.post("volume-snapshots", source_names="s1")
    check("no suffix: a number", re.fullmatch(r"s1\.\d+", a.item["name"]), a)
    refused("a suffix that is there", sim.post("volume-snapshots", {"suffix": "snap-a"}, source_names="s2,s1"),
            "s2", "Volume snapshot already exists.")
    sim.volume("s3", GIB)
    a = sim.post("volume-snapshots", {"suffix": "snap-a"}, source_names="s3,s1")
    check("one of two is there: none is made",
          a.status == 400 and sim.get("volume-snapshots", source_names="s3").items == [], a)
    for suffix in ("a_b", "a.b", "-a", "a-", "x" * 64):
        refused(f"suffix \"{suffix[:5]}\"", sim.post("volume-snapshots", {"suffix": suffix}, source_names="s1"),
                suffix, "Snapshot suffix is invalid.")
    refused("of no volume", sim.post("volume-snapshots", {"suffix": "x"}, source_names="nope"), "nope",
            "Volume does not exist.")
    refused("no such snapshot", sim.get("volume-snapshots", names="s1.nope"), "s1.nope",
            "No such volume or snapshot.")
    a = sim.patch("volume-snapshots", {"name": "snap-c"}, names="s1.snap-b")
    check("another suffix", a.item["name"] == "s1.snap-c", a)
    refused("eradicate before destroy", sim.delete("volume-snapshots", names="s1.snap-c"), "s1.snap-c",
            "Volume snapshot is not destroyed.")
    a = sim.patch("volume-snapshots", {"destroyed": True}, names="s1.snap-c")
    check("destroyed", a.item["destroyed"] and a.item["time_remaining"], a)
    refused("twice", sim.patch("volume-snapshots", {"destroyed": True}, names="s1.snap-c"), "s1.snap-c", GONE)
    refused("its suffix is kept", sim.post("volume-snapshots", {"suffix": "snap-c"}, source_names="s1"), "s1", GONE)
    refused("it is no source", sim.post("volumes", {"source": {"name": "s1.snap-c"}}, names="n"), "s1.snap-c", GONE)
    a = sim.ask("DELETE", "volume-snapshots", {"names": "s1.snap-c"}, {"replication_snapshot": True})
    check("eradicated, with the body that an old plugin sends", a.status == 200 and not a.text, a)
    check("by id of the source", len(sim.ask("GET", "volume-snapshots", {
        "source_ids": sim.get("volumes", names="s1").item["id"]}).items) == 2)


def copying(sim):
    a = sim.post("volumes", {"source": {"name": "s1"}}, names="vg/copy")
    check("a copy", a.item["source"]["name"] == "s1" and a.item["provisioned"] == GIB, a)
    a = sim.post("volumes", {"source": {"name": "s2.snap-a"}}, names="copy2")
    check("of a snapshot", a.item["source"]["name"] == "s2" and a.item["provisioned"] == 2 * GIB, a)
    refused("of nothing", sim.post("volumes", {"source": {"name": "s2.no"}}, names="copy3"), "s2.no",
            "No such volume or snapshot.")
    refused("onto a volume", sim.post("volumes", {"source": {"name": "s2"}}, names="copy2"), "copy2",
            "Volume already exists.")
    before = sim.get("volumes", names="s2").item
    sim.patch("volumes", {"provisioned": 5 * GIB}, names="s2")
    a = sim.post("volumes", {"source": {"name": "s2.snap-a"}}, names="s2", overwrite="true")
    check("rollback: serial and id stay, size is the snapshot's",
          a.item["serial"] == before["serial"] and a.item["id"] == before["id"] and
          a.item["provisioned"] == 2 * GIB, a)
    a = sim.get("volume-snapshots", source_names="s2", destroyed="true")
    check("what was there is a destroyed snapshot, of its old size",
          [s["provisioned"] for s in a.items] == [5 * GIB], a)
    a = sim.post("volumes", {"source": {"name": "s1"}}, names="s2", overwrite="true",
                 with_default_protection="false")
    check("overwrite takes no protection", a.status == 400, a)
    a = sim.post("volumes", {"provisioned": GIB}, names="s2", overwrite="true")
    check("nor goes without a source", a.status == 400, a)
    a = sim.post("volumes", {"source": {"name": "s1"}}, names="s1", overwrite="true")
    check("nor onto itself", a.status == 400, a)
    a = sim.post("volumes", {"source": {"name": "s1"}}, names="n9", with_default_protection="false")
    check("a new one does", a.status == 200, a)


def tags(sim):
    vid = sim.volume("t")["id"]
    a = sim.ask("PUT", "volumes/tags/batch", {"resource_names": "t,s1"},
                [{"namespace": "ns", "key": "k", "value": "v"}, {"key": "d", "value": ""}])
    check("tags on two volumes", a.status == 200 and len(a.items) == 4, a)
    a = sim.get("volumes/tags", resource_names="t", namespaces="ns")
    check("read by namespace", [(t["key"], t["value"], t["resource"]["id"]) for t in a.items] ==
          [("k", "v", vid)], a)
    check("the default one without", [t["key"] for t in sim.get("volumes/tags", resource_names="t").items] == ["d"])
    sim.ask("PUT", "volumes/tags/batch", {"resource_names": "t"}, [{"namespace": "ns", "key": "k", "value": "w"}])
    a = sim.get("volumes/tags", resource_ids=vid, namespaces="ns", filter="key='k'")
    check("another value", [t["value"] for t in a.items] == ["w"], a)
    refused("no volume", sim.get("volumes/tags", resource_names="nope"), "nope", "Volume does not exist.")
    a = sim.ask("PUT", "volumes/tags/batch", {"resource_names": "t"}, [{"key": "x" * 65, "value": "v"}])
    check("a key has 64 characters at most", a.status == 400, a)
    a = sim.delete("volumes/tags", resource_names="t", keys="k", namespaces="ns")
    check("removed", a.status == 200 and sim.get("volumes/tags", resource_names="t", namespaces="ns").items == [], a)
    check("of that volume only", len(sim.get("volumes/tags", namespaces="ns").items) == 1)


with Sim() as sim:
    sim.make(volume_groups=["vg"])
    creating(sim)
    changing(sim)
    ending(sim)
    safemode(sim)
    snapshots(sim)
    copying(sim)
    tags(sim)
done()
