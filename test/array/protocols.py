#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Other ways to a disk than iSCSI, multipath and a host of its own: NVMe, Fibre Channel, a single path, a
host group. protocols.py [PATTERN...]"""
import json
import time

import lib
from stage import NQN, Stage, nvme_stage, storages, until


def wanted(node, serial):
    with open(f"{node.devices}/{serial}.want", encoding="ascii") as f:
        return json.load(f)


def round_trip(s, want):
    """Activated, opened, refused, deactivated: what was asked of the map is returned."""
    serial = s.disk("vm-100-disk-0")
    path = s.act("activate", "vm-100-disk-0")["path"]
    assert path == want(serial), path
    assert s.act("path", "vm-100-disk-0")["path"] == path
    found = wanted(s.node, serial)
    s.node.open(serial)
    s.fails("EBUSY", "deactivate", "vm-100-disk-0")
    assert s.sim.connections()
    s.node.release(serial)
    s.act("deactivate", "vm-100-disk-0")
    return found


def test_nvme():
    for arrays in (1, 2):
        s = Stage(arrays, initiator=NQN, protocol="nvme")
        for name in s.sim.names:
            s.sim.make(name, config={"nqn": "nqn.2010-06.com.purestorage:flasharray"})
        found = round_trip(s, lambda x: "/dev/disk/by-id/nvme-eui.00" + x[:14].lower() + "24a937" + x[14:].lower())
        assert found["protocol"] == 2 and found["host_nqn"].endswith("uuid:pve1"), found
        assert found["host_id"] == "pve1-id" and len(found["ports"]) == 2 * arrays, found
        assert all(" nqn." in p and p.endswith(":4420") for p in found["ports"]), found
        s.clean()
        s.close()


def test_fc():
    s = Stage(initiator="10:00:00:00:00:00:00:A1", protocol="fc")
    found = round_trip(s, lambda x: f"/dev/disk/by-id/dm-uuid-mpath-3624a9370{x.lower()}")
    assert found["protocol"] == 1 and found["multipath"] and found["ports"] == [
        f"{p.split()[0]} 524a93700000000{i + 1} " for i, p in enumerate(found["ports"])], found
    assert len(found["ports"]) == 2, found
    s.clean()
    s.close()


def test_single_path():
    s = Stage(**{"purestorage-multipath": "0"})
    found = round_trip(s, lambda x: f"/dev/disk/by-id/wwn-0x624a9370{x.lower()}")
    assert found["protocol"] == 0 and not found["multipath"], found
    assert all(p.endswith(":3260") for p in found["ports"]), found
    s.clean()
    s.close()


def test_host_group():
    """Connected once for all nodes, and stays so when one has done with it."""
    s = Stage(nodes=("pve1", "pve2"), **{"purestorage-hostgroup": "cluster"})
    s.sim.make(host_groups=[{"name": "cluster", "hosts": ["pve1", "pve2"]}])
    round_trip(s, lambda x: f"/dev/disk/by-id/dm-uuid-mpath-3624a9370{x.lower()}")
    full = "vg/vm-100-disk-0"
    assert s.sim.connections() == {("fa1", "cluster", full)}, s.sim.connections()
    assert not s.node.mapped() and not s.node.registry()
    for node in s.nodes:
        node.call("activate", volname="vm-100-disk-0")
    s.node.call("deactivate", volname="vm-100-disk-0")
    assert s.sim.connections() == {("fa1", "cluster", full)} and s.nodes[1].mapped()
    for node in s.nodes:
        node.guest(100, "scsi0: pure:vm-100-disk-0,size=1G\n", node="pve2")
    s.fails("EBUSY", "free", "vm-100-disk-0")
    s.nodes[1].call("deactivate", volname="vm-100-disk-0")
    for node in s.nodes:
        node.guest(100, "scsi0: pure:vm-100-disk-0,size=1G\n", node="pve1")
    s.act("free", "vm-100-disk-0")
    s.clean()
    s.close()


def test_nvme_host_group():
    """A namespace stays while its group's connection does: the volume is off this node when nobody has
    it open."""
    full = "vg/vm-100-disk-0"
    for config in ({"purestorage-hostgroup": "cluster"}, {}):
        s = nvme_stage(**config)
        s.sim.make(host_groups=[{"name": "cluster", "hosts": ["pve1"]}])
        serial = s.disk("vm-100-disk-0")
        # Without the option an administrator has connected the group by hand.
        s.sim.rest("POST", "connections", {"host_group_names": "cluster", "volume_names": full})
        for _ in range(2):
            s.act("activate", "vm-100-disk-0")
            assert s.node.registry()[0]["verified"]
            s.node.open(serial)
            s.fails("EBUSY", "deactivate", "vm-100-disk-0")
            s.node.release(serial)
            s.act("deactivate", "vm-100-disk-0")
            assert s.node.mapped() == {serial} and not s.node.registry(), s.node.registry()
            assert s.sim.connections() == {("fa1", "cluster", full)}, s.sim.connections()
        s.act("activate", "vm-100-disk-0")
        s.node.guest(100, "scsi0: pure:vm-100-disk-0,size=1G\n")
        s.act("free", "vm-100-disk-0")
        assert not s.sim.volumes() and not s.sim.connections() and not s.node.registry()
        s.close()


def test_nvme_unreached():
    """The array does not end the connection when a guest stops: its namespace stays, and is taken as it
    is when the guest starts again; a later removal ends it."""
    s = nvme_stage()
    serial = s.disk("vm-100-disk-0")
    for after in ("activate", "deactivate", "free"):
        s.act("activate", "vm-100-disk-0")
        s.sim.fault("status", "DELETE", "connections", status=403, count=-1)
        reply = s.node.ask("deactivate", volname="vm-100-disk-0")
        assert reply["ok"] and any("reap" in text for _, text in reply["log"]), reply
        entry, = s.node.registry()
        assert entry["leaving"] and s.node.mapped() == {serial}, entry
        s.sim.no_faults()
        s.node.events()
        s.act(after, "vm-100-disk-0")
        if after == "activate":
            assert s.node.events() == [f"attach {serial}"] and s.node.registry()[0]["verified"]
            s.act("deactivate", "vm-100-disk-0")
        s.clean()
    s.close()


def document_now(s):
    """What the service says of this moment, its drift as (kind, level, what)."""
    begun = time.time()
    s.node.publish()
    doc, _ = until(lambda: s.node.document(begun), 20)
    s.node.stop()
    s.node.publishes = False
    s.node.start()
    return doc, [(d["kind"], d["level"], d["what"]) for d in doc["drift"]]


def test_nvme_left_on_purpose():
    """What an array shows to a host group is on all of its nodes, whoever has it: that is no drift. What
    somebody has open is said, and what an array did not end."""
    s = nvme_stage(**{"purestorage-hostgroup": "cluster"})
    s.sim.make(host_groups=[{"name": "cluster", "hosts": ["pve1"]}])
    storages(s, 1)
    serial = s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    s.act("deactivate", "vm-100-disk-0")
    doc, drift = document_now(s)
    m, = doc["maps"]
    assert drift == [] and not m["registered"] and m["state"] == "connected" and m["open"] is False, doc
    s.node.open(serial)
    _, drift = document_now(s)
    assert [d[:2] for d in drift if d[0] == "unregistered"] == [("unregistered", "notice")], drift
    assert "opened by something else" in str(drift), drift
    s.close()
    s = nvme_stage()
    storages(s, 1)
    s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    s.sim.fault("status", "DELETE", "connections", status=403, count=-1)
    s.act("deactivate", "vm-100-disk-0")
    _, drift = document_now(s)
    assert [d[0] for d in drift] == ["leaving"] and "while an array shows it" in drift[0][2], drift
    s.close()


def test_nvme_pod():
    """The kernel joins paths of one subsystem: a pod whose arrays are two of them is refused with that
    reason, before a guest stands on one array alone."""
    s = nvme_stage(arrays=2)
    serial = s.disk("vm-100-disk-0")
    for method in ("activate", "activate"):
        why = s.fails("EOPNOTSUPP", method, "vm-100-disk-0")
        assert "two NVMe subsystems" in why and "flasharray.fa1" in why and "flasharray.fa2" in why, why
        assert "protocol iscsi or fc" in why and "multipath" not in why, why
        s.clean()
    s.sim.make("fa2", config={"nqn": "nqn.2010-06.com.purestorage:flasharray.fa1"})
    s.node.restart()  # an array's ports are kept for ten minutes
    s.act("activate", "vm-100-disk-0")
    assert s.node.mapped() == {serial} and len(s.sim.connections()) == 2
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
    s.close()


def test_nvme_name_reused():
    """The name is another volume's by now: the old one's namespace goes with its connection."""
    s = nvme_stage()
    old = s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    s.sim.rest("PATCH", "volumes", {"names": "vg/vm-100-disk-0"}, {"name": "vg/elsewhere"})
    new = s.disk("vm-100-disk-0")
    s.node.open(old)
    s.node.restart()
    assert "another volume" in s.fails("EBUSY", "activate", "vm-100-disk-0")
    s.node.release(old)
    s.act("activate", "vm-100-disk-0")
    entry, = s.node.registry()
    assert entry["serial"] == new and new in s.node.mapped()
    assert s.sim.connected("vg/vm-100-disk-0") == ["pve1"] and not s.sim.connected("vg/elsewhere")
    s.close()


def test_fault_at_each_connect():
    """Other protocols and the group lose nothing by a request that is cut or refused."""
    for more in ({"protocol": "nvme", "initiator": NQN},
                 {"protocol": "fc", "initiator": "10:00:00:00:00:00:00:A1"}, {"purestorage-multipath": "0"}):
        s = Stage(**more)
        s.disk("vm-100-disk-0")
        for method, path in (("POST", "connections"), ("DELETE", "connections"), ("GET", "ports")):
            for kind in ("drop-after", "reset"):
                s.sim.fault(kind, method, path)
                s.act("activate", "vm-100-disk-0")
                s.act("deactivate", "vm-100-disk-0")
                s.clean()
                s.sim.no_faults()
            s.sim.fault("status", method, path, status=403, count=-1)
            one = s.node.ask("activate", volname="vm-100-disk-0")
            other = s.node.ask("deactivate", volname="vm-100-disk-0")
            assert other["ok"] or one["ok"], (one, other)
            s.sim.no_faults()
            s.act("deactivate", "vm-100-disk-0")
            s.clean()
        s.close()


TESTS = [f for n, f in globals().items() if n.startswith("test_")]

if __name__ == "__main__":
    lib.run(TESTS)
