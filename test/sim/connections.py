# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hosts, groups of them, and what they see at which LUN."""
from lib import Sim, check, done, names

IQN = "iqn.1993-08.org.debian:01:"


def refused(what, answer, context, message):
    check(what, answer.status == 400 and answer.errors[:1] == [(context, message)], answer)


def connect(sim, volumes, host=None, group=None, method="POST", body=None, array=None):
    args = {"volume_names": volumes, **({"host_names": host} if host else {"host_group_names": group})}
    return sim.ask(method, "connections", args, body, array)


def hosts(sim):
    a = sim.post("hosts", {"iqns": [IQN + "1"], "nqns": ["nqn.2014-08.org.nvmexpress:uuid:1"],
                           "wwns": ["52:4A:93:7A:BC:DE:F0:01"]}, names="pve1")
    check("a host", a.item["iqns"] == [IQN + "1"] and a.item["host_group"] == {"name": None} and
          a.item["connection_count"] == 0 and a.item["is_local"] is True, a)
    sim.post("hosts", {"iqns": [IQN + "2"]}, names="pve2")
    refused("once only", sim.post("hosts", {}, names="PVE1"), "PVE1", "Host already exists.")
    refused("an initiator of another host", sim.post("hosts", {"iqns": [IQN + "1"]}, names="pve3"), "pve3",
            "The specified iqn is already in use.")
    refused("no initiator at all", sim.post("hosts", {"iqns": ["nonsense"]}, names="pve3"), "pve3",
            "Invalid initiator: nonsense.")
    a = sim.patch("hosts", {"add_iqns": [IQN + "1b"]}, names="pve1")
    check("one more", a.item["iqns"] == [IQN + "1", IQN + "1b"], a)
    a = sim.patch("hosts", {"remove_iqns": [IQN + "1b"]}, names="pve1")
    check("one less", a.item["iqns"] == [IQN + "1"], a)
    a = sim.patch("hosts", {"iqns": [IQN + "new"]}, names="pve1")
    check("iqns takes the place of all", a.item["iqns"] == [IQN + "new"], a)
    a = sim.patch("hosts", {"name": "pve1x"}, names="pve1")
    check("another name", a.item["name"] == "pve1x", a)
    sim.patch("hosts", {"name": "pve1", "preferred_arrays": [{"name": "fa1"}]}, names="pve1x")
    a = sim.get("hosts", names="pve1,pve2")
    check("two by name", names(a) == ["pve1", "pve2"] and
          a.item["preferred_arrays"][0]["name"] == "fa1", a)
    refused("one of them is not there", sim.get("hosts", names="pve1,nope"), "nope", "Host does not exist.")
    check("by initiator", names(sim.get("hosts", filter=f"iqns='{IQN}2'")) == ["pve2"])


def private(sim):
    for i in range(4):
        sim.volume(f"v{i}")
    a = connect(sim, "v0", "pve1")
    check("the first LUN is 1", a.status == 200 and a.item["lun"] == 1 and a.item["host"]["name"] == "pve1" and
          a.item["volume"]["name"] == "v0" and a.item["host_group"] == {"name": None}, a)
    a = connect(sim, "v1,v2", "pve1")
    check("two volumes to one host", [c["lun"] for c in a.items] == [2, 3], a)
    refused("once more", connect(sim, "v0", "pve1"), "v0", "Connection already exists.")
    refused("one of them is there: none is made", connect(sim, "v3,v0", "pve1"), "v0", "Connection already exists.")
    check("really none", sim.get("connections", volume_names="v3").items == [])
    a = connect(sim, "v0", "pve2")
    check("the other host counts for itself", a.item["lun"] == 1, a)
    a = connect(sim, "v0,v1", "pve1,pve2", method="DELETE")
    check("many on both sides", a.status == 400 and "mix of multiple objects" in a.error, a)
    a = connect(sim, "v1", "pve1", method="DELETE")
    check("disconnected: not a byte", a.status == 200 and a.text == "", a)
    refused("again", connect(sim, "v1", "pve1", method="DELETE"), "v1", "Connection does not exist.")
    check("the lowest free LUN", connect(sim, "v3", "pve1").item["lun"] == 2)
    check("one that is asked for", connect(sim, "v1", "pve1", body={"lun": 9}).item["lun"] == 9)
    refused("one that is taken", connect(sim, "v2", "pve2", body={"lun": 1}), "v2", "LUN is already in use.")
    refused("no host", connect(sim, "v0", "nope"), "nope", "Host does not exist.")
    refused("no volume", connect(sim, "nope", "pve1"), "nope", "Volume does not exist.")
    a = sim.get("connections", host_names="pve1")
    check("listed by host", [(c["volume"]["name"], c["lun"]) for c in a.items] ==
          [("v0", 1), ("v2", 3), ("v3", 2), ("v1", 9)], a)
    a = sim.get("connections", volume_names="v0")
    check("by volume", [c["host"]["name"] for c in a.items] == ["pve1", "pve2"], a)
    a = sim.get("connections", volume_names="v0", host_names="pve2")
    check("by both", len(a.items) == 1, a)
    vid = sim.get("volumes", names="v0").item["id"]
    check("by id", len(sim.get("connections", volume_ids=vid).items) == 2)
    refused("of what is not there", sim.get("connections", volume_names="nope"), "nope", "Volume does not exist.")
    check("the volume counts", sim.get("volumes", names="v0").item["connection_count"] == 2)
    refused("destroyed while connected", sim.destroy("v0"), "v0",
            "Volume cannot be destroyed due to existing connections.")
    refused("a host in use", sim.delete("hosts", names="pve1"), "pve1",
            "Host cannot be deleted due to existing connections.")
    connect(sim, "v0", "pve1,pve2", method="DELETE")
    check("many hosts from one volume", sim.get("connections", volume_names="v0").items == [])
    sim.destroy("v0")
    refused("a destroyed one does not connect", connect(sim, "v0", "pve1"), "v0", "Volume has been destroyed.")
    refused("nor disconnect", connect(sim, "v0", "pve1", method="DELETE"), "v0", "Volume has been destroyed.")
    sim.make(config={"destroys_connected": True})
    check("an array that destroys what is connected", sim.destroy("v1").status == 200)
    check("drops the connections", sim.get("connections", volume_names="v1").items == [])


def groups(sim):
    sim.post("host-groups", names="cluster")
    refused("a group once", sim.post("host-groups", names="cluster"), "cluster", "Host group already exists.")
    sim.post("hosts", {"iqns": [IQN + "g1"]}, names="g1")
    sim.post("hosts", {"iqns": [IQN + "g2"]}, names="g2")
    for i in range(4):
        sim.volume(f"w{i}")
    a = connect(sim, "w0", group="cluster")
    check("shared LUNs begin at 254", a.item["lun"] == 254 and a.item["host_group"]["name"] == "cluster", a)
    check("go down", connect(sim, "w1", group="cluster").item["lun"] == 253)
    a = sim.get("connections", host_group_names="cluster")
    check("a group without hosts is told by itself", [c["host"]["name"] for c in a.items] == [None, None], a)
    a = sim.post("host-groups/hosts", group_names="cluster", member_names="g1,g2")
    check("hosts join", a.status == 200 and len(a.items) == 2, a)
    refused("once", sim.post("host-groups/hosts", group_names="cluster", member_names="g1"), "g1",
            "Host already belongs to a host group.")
    a = sim.get("connections", volume_names="w0")
    check("each host has it", [(c["host"]["name"], c["host_group"]["name"], c["lun"]) for c in a.items] ==
          [("g1", "cluster", 254), ("g2", "cluster", 254)], a)
    a = sim.get("connections", host_names="g1", limit=1)
    b = sim.get("connections", host_names="g1", limit=1, continuation_token=a.json["continuation_token"])
    check("paged", [a.item["volume"]["name"], b.item["volume"]["name"]] == ["w0", "w1"], (a, b))
    refused("not privately as well", connect(sim, "w0", "g1"), "w0", "Connection already exists.")
    check("a private one beside", connect(sim, "w2", "g1").item["lun"] == 1)
    refused("not shared as well", connect(sim, "w2", group="cluster"), "w2", "Connection already exists.")
    check("the host says its group", sim.get("hosts", names="g1").item["host_group"]["name"] == "cluster")
    a = sim.get("host-groups", names="cluster")
    check("the group counts", (a.item["host_count"], a.item["connection_count"]) == (2, 2), a)
    check("members", len(sim.get("host-groups/hosts", group_names="cluster").items) == 2)
    refused("a group in use", sim.delete("host-groups", names="cluster"), "cluster",
            "Host group cannot be deleted due to existing connections.")
    connect(sim, "w0", group="cluster", method="DELETE")
    check("disconnected from all", sim.get("connections", volume_names="w0").items == [])
    sim.delete("host-groups/hosts", group_names="cluster", member_names="g1")
    check("a host leaves", sim.get("hosts", names="g1").item["host_group"]["name"] is None)


def many_luns(sim):
    sim.post("host-groups", names="big")
    sim.post("hosts", {}, names="many")
    volumes = [f"m{i}" for i in range(300)]
    for i in range(0, 300, 100):
        sim.post("volumes", {"provisioned": 1 << 20}, names=",".join(volumes[i:i + 100]))
        last = connect(sim, ",".join(volumes[i:i + 100]), group="big")
    luns = [c["lun"] for c in sim.get("connections", host_group_names="big").items]
    check("shared ones: 254 to 1, then 255 up", luns == [*range(254, 0, -1), *range(255, 301)], (last, luns))
    luns = [c["lun"] for c in connect(sim, ",".join(volumes[:100]), "many").items]
    check("private ones: 1 up", luns == [*range(1, 101)], luns)


with Sim() as sim:
    hosts(sim)
    private(sim)
    groups(sim)
    many_luns(sim)
done()
