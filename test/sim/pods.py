# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pods over two arrays, quotas, volume groups."""
from lib import Sim, check, done, names

GIB = 1 << 30


def refused(what, answer, context, message):
    check(what, answer.status == 400 and answer.errors[:1] == [(context, message)], answer)


def stretched(sim):
    sim.make(array="fa1", pods=[{"name": "p1", "arrays": ["fa1", "fa2"]}])
    for name in ("fa1", "fa2"):
        a = sim.get("pods", array=name, names="p1").item
        check(f"{name} has the pod", a["array_count"] == 2 and
              [(m["name"], m["status"]) for m in a["arrays"]] == [("fa1", "online"), ("fa2", "online")], a)
        sim.post("hosts", {"iqns": ["iqn.1993-08.org.debian:01:1"]}, array=name, names="pve1")
    sim.volume("p1::v", GIB)
    sim.volume("own", GIB)
    one, two = (sim.get("volumes", array=n, names="p1::v").item for n in ("fa1", "fa2"))
    check("one volume: the same name, id and serial", (one["serial"], one["id"]) == (two["serial"], two["id"]), two)
    refused("a volume in no pod is on its array only", sim.get("volumes", array="fa2", names="own"), "own",
            "Volume does not exist.")
    check("its name is free there", sim.post("volumes", {"provisioned": GIB}, array="fa2", names="own").status == 200)
    refused("in the pod it is not", sim.post("volumes", {"provisioned": GIB}, array="fa2", names="p1::v"), "p1::v",
            "Volume already exists.")
    args = {"volume_names": "p1::v", "host_names": "pve1"}
    sim.ask("POST", "connections", args)
    check("connections are each array's own", sim.get("connections", array="fa2").items == [] and
          sim.get("volumes", array="fa2", names="p1::v").item["connection_count"] == 0)
    check("so are LUNs", sim.ask("POST", "connections", args, array="fa2").item["lun"] == 1)
    sim.post("volume-snapshots", {"suffix": "s"}, array="fa2", source_names="p1::v")
    check("a snapshot is seen by both", names(sim.get("volume-snapshots", source_names="p1::v")) == ["p1::v.s"])
    sim.ask("DELETE", "connections", args)
    a = sim.destroy("p1::v")
    check("connected to the other array it is not destroyed", a.status == 400, a)
    sim.ask("DELETE", "connections", args, array="fa2")
    sim.destroy("p1::v")
    check("destroyed on both", sim.get("volumes", array="fa2", names="p1::v").item["destroyed"])
    sim.control("POST", "/set", {"array": "fa2", "pod": "p1", "status": "resyncing"})
    check("a status is told by both", [m["status"] for m in sim.get("pods", names="p1").item["arrays"]] ==
          ["online", "resyncing"])
    sim.control("POST", "/down", {"array": "fa2"})
    check("an array that is down is offline to the other",
          [m["status"] for m in sim.get("pods", names="p1").item["arrays"]] == ["online", "offline"])
    sim.control("POST", "/up", {"array": "fa2"})
    refused("over two arrays it is not destroyed", sim.patch("pods", {"destroyed": True}, names="p1",
                                                             destroy_contents="true"),
            "p1", "Cannot destroy a stretched pod.")
    a = sim.delete("pods/arrays", group_names="p1", member_names="fa2")
    check("one array leaves", a.status == 200 and sim.get("pods", array="fa2", filter="name='p1'").items == [], a)
    check("pods/arrays says who is left", [m["member"]["name"] for m in sim.get("pods/arrays").items] == ["fa1"])


def quotas(sim):
    a = sim.post("pods", {"quota_limit": 3 * GIB}, names="q")
    check("a quota", a.item["quota_limit"] == 3 * GIB, a)
    sim.volume("q::a", 2 * GIB)
    refused("over it", sim.post("volumes", {"provisioned": 2 * GIB}, names="q::b"), "q::b",
            "Pod quota limit exceeded.")
    refused("two that are over it together", sim.post("volumes", {"provisioned": 600 << 20}, names="q::b,q::c"),
            "q::c", "Pod quota limit exceeded.")
    check("neither was made", len(sim.get("volumes", filter="pod.name='q'").items) == 1)
    refused("grown over it", sim.patch("volumes", {"provisioned": 4 * GIB}, names="q::a"), "q::a",
            "Pod quota limit exceeded.")
    sim.volume("q::b", GIB)
    a = sim.get("pods", names="q").item["space"]
    check("what it counts", a["used_provisioned"] == 3 * GIB, a)
    a = sim.patch("pods", {"quota_limit": GIB}, names="q")
    check("a quota below what is used", a.status == 400, a)
    check("unless told so", sim.patch("pods", {"quota_limit": GIB}, names="q", ignore_usage="true").status == 200)


def life_of_pods(sim):
    refused("a pod once", sim.post("pods", {}, names="Q"), "Q", "Pod already exists.")
    refused("a name that is none", sim.post("pods", {}, names="a.b"), "a.b", "Pod name is invalid.")
    refused("not there", sim.get("pods", names="nope"), "nope", "Pod does not exist.")
    sim.patch("pods", {"name": "qq"}, names="q")
    check("another name, and its volumes'", names(sim.get("volumes", filter="pod.name='qq'")) == ["qq::a", "qq::b"])
    refused("not empty", sim.patch("pods", {"destroyed": True}, names="qq"), "qq", "Pod is not empty.")
    refused("a volume does not leave by a name", sim.patch("volumes", {"name": "a"}, names="qq::a"), "a",
            "Cannot rename a volume into or out of a pod.")
    sim.patch("pods", {"requested_promotion_state": "demoted"}, names="qq")
    a = sim.post("volumes", {"provisioned": 1 << 20}, names="qq::x")
    check("a demoted pod takes nothing", a.status == 400 and a.error == "Pod is demoted.", a)
    sim.patch("pods", {"destroyed": True}, names="qq", destroy_contents="true")
    check("destroyed with all in it", all(v["destroyed"] for v in sim.get("volumes", filter="name='qq::*'").items))
    sim.control("POST", "/set", {"array": "fa1", "pod": "qq", "safemode": True})
    refused("SafeMode of a pod", sim.delete("pods", names="qq", eradicate_contents="true"), "qq", "Cannot eradicate pod")
    refused("and of what is in it", sim.delete("volumes", names="qq::a"), "qq::a", "Eradication is disabled.")
    sim.control("POST", "/set", {"array": "fa1", "pod": "qq", "safemode": False})
    refused("not empty", sim.delete("pods", names="qq"), "qq", "Pod is not empty.")
    check("eradicated", sim.delete("pods", names="qq", eradicate_contents="true").status == 200 and
          sim.get("volumes", filter="name='qq::*'").items == [])


def groups(sim):
    a = sim.post("volume-groups", {"qos": {"iops_limit": 1000}}, names="vg")
    check("a volume group", a.item["volume_count"] == 0 and a.item["qos"]["iops_limit"] == 1000, a)
    refused("once", sim.post("volume-groups", {}, names="VG"), "VG", "Volume group already exists.")
    refused("not there", sim.get("volume-groups", names="nope"), "nope", "Volume group does not exist.")
    sim.volume("vg/a", GIB)
    sim.volume("vg/b", GIB)
    a = sim.get("volume-groups", names="vg").item
    check("what is in it", a["volume_count"] == 2 and a["space"]["total_provisioned"] == 2 * GIB, a)
    a = sim.get("volume-groups/volumes", group_names="vg")
    check("its members", [m["member"]["name"] for m in a.items] == ["vg/a", "vg/b"], a)
    sim.post("volume-groups", {}, names="p1::vg")
    sim.volume("p1::vg/x")
    a = sim.get("volumes", names="p1::vg/x").item
    check("a group in a pod", (a["pod"]["name"], a["volume_group"]["name"]) == ("p1", "p1::vg"), a)
    sim.patch("volume-groups", {"name": "vg2"}, names="vg")
    check("another name, and its volumes'", names(sim.get("volumes", filter="volume_group.name='vg2'")) ==
          ["vg2/a", "vg2/b"])
    refused("not empty", sim.patch("volume-groups", {"destroyed": True}, names="vg2"), "vg2",
            "Volume group is not empty.")
    sim.patch("volume-groups", {"destroyed": True}, names="vg2", destroy_contents="true")
    refused("takes nothing any more", sim.post("volumes", {"provisioned": GIB}, names="vg2/c"), "vg2/c",
            "Volume group does not exist.")
    check("eradicated", sim.delete("volume-groups", names="vg2", eradicate_contents="true").status == 200 and
          sim.get("volumes", filter="name='vg2/*'").items == [])


with Sim("fa1", "fa2") as sim:
    stretched(sim)
    quotas(sim)
    life_of_pods(sim)
    groups(sim)
done()
