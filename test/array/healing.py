#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is done unasked: paths, connections and entries that are mended, and what is left alone.
healing.py [PATTERN...]"""
import errno
import json
import os
import time

import lib
from stage import Stage, add_session, aged, pod_is, storages, told, until


def test_heal_in_resync():
    """What an array in resync lacks is left until its pod is online there, which needs no new process to be
    seen; what it says of volumes decides nothing, and its paths are named as what they are."""
    s = Stage(2)
    storages(s, 1)
    s.disk("vm-100-disk-0")
    s.sim.down("fa2")
    s.act("activate", "vm-100-disk-0")
    s.sim.up("fa2")
    pod_is(s, "resyncing", "fa2")
    s.node.publish()
    doc, _ = until(s.node.document, 10)
    drift = [(d["kind"], d["level"], d["volume"], d["what"]) for d in doc["drift"] if d["kind"] != "paths"]
    assert [d[:3] for d in drift] == [("pod", "warning", "pod")], drift
    assert f"resyncing on http://127.0.0.1:{s.sim.ports['fa2']}" in drift[0][3], drift
    assert [m["state"] for m in doc["maps"]] == ["connected"], doc["maps"]
    time.sleep(2)
    assert len(s.sim.connections()) == 1, "healed too early"
    pod_is(s, "online", "fa2")
    until(lambda: len(s.sim.connections()) == 2, 50)
    # The first one is away: its word is none, the other one's is.
    pod_is(s, "resyncing", "fa1")
    s.node.restart()
    doc, _ = until(s.node.document, 10)
    s.sim.rest("DELETE", "connections", {"host_names": "pve1", "volume_names": "pod::vm-100-disk-0"})
    found = s.node.heal()["found"]
    assert not any("not connected" in what for what in found) and any("resyncing" in what for what in found), found
    s.close()


def test_heal_of_many():
    """More than one round has: they follow each other without waiting for a document. The array
    that is back knows no session of before."""
    s = Stage(2)
    storages(s, 1)
    names = [f"vm-100-disk-{i}" for i in range(20)]
    for name in names:
        s.disk(name)
    s.act("activate", names[0])
    s.sim.down("fa2")
    for name in names[1:]:
        s.act("activate", name)
    assert len(s.sim.connections()) == 21
    s.sim.up("fa2", forget_sessions=True)
    s.node.publish()
    # Less than the twenty seconds from one document to the next.
    until(lambda: len(s.sim.connections()) == 40, 15)
    until(lambda: not any(e["partial"] for e in s.node.registry()), 5)
    s.close()


def test_heal_that_is_refused():
    """The volume is active, and an array still does not connect it: nothing was healed."""
    s = Stage(2)
    storages(s, 1)
    s.disk("vm-100-disk-0")
    s.sim.down("fa2")
    s.act("activate", "vm-100-disk-0")
    s.sim.up("fa2")
    s.sim.fault(kind="status", status=400, array="fa2", method="POST", path="connections", count=-1)
    s.node.publish()
    first, _ = until(s.node.document, 10)
    assert first["healed"] == 0
    begun = time.time()
    doc, _ = until(lambda: s.node.document(begun), 30)
    assert doc["healed"] == 0 and s.node.registry()[0]["partial"], doc
    s.close()


def test_sessions_without_a_path():
    """A session that came after the activation: seen, and looked at for this volume, at each array;
    the arrays are asked for their ports only then."""
    s = Stage(2)
    s.node.write("etc/pve/storage.cfg", "purestorage: pure\n"
                 + "".join(f"\t{k} {v}\n" for k, v in s.config.items() if k != "type"))
    serial = s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    with open(f"{s.node.devices}/{serial}.want", encoding="ascii") as f:
        ports = [p.split()[1:] for p in json.load(f)["ports"]]
    assert len(ports) == 4, ports
    for host, (iqn, portal) in enumerate(ports):
        add_session(s.node, host, iqn, portal)
    add_session(s.node, 4, "iqn.2000-01.other:target", "10.9.9.9:3260")
    ways = f"devices/{serial}.ways"
    s.node.write(ways, "0\n1\n2\n3\n4\n")
    s.node.restart()
    s.sim.zero()
    s.node.events()
    assert s.node.heal() == {"found": [], "mended": []}
    assert not any("ports" in call for call in s.sim.counted()), s.sim.counted()
    s.node.write(ways, "0\n1\n2\n")
    found = s.node.heal()
    assert found["mended"] == [0] and len(found["found"]) == 1, found
    assert found["found"][0] == f"no path over {ports[3][1]} (host3), which it is logged in to", found
    counted = s.sim.counted()
    assert counted["fa1 GET ports"] == counted["fa2 GET ports"] == 1, counted
    assert s.node.events() == [f"attach {serial}"]
    # Its answer is kept; what is not logged in is not missed, nor what the array does not show.
    add_session(s.node, 3, *ports[3], state="FAILED")
    assert s.node.heal() == {"found": [], "mended": []} and not s.node.events()
    assert not any("ports" in call for call in s.sim.counted())
    add_session(s.node, 3, *ports[3])
    # Of a map that the registry does not know the same is said, and nothing done.
    s.node.kill()
    os.unlink(s.node.path("var/lib/pvewarden/array/registry.json"))
    s.node.start()
    found = s.node.heal()
    assert found["mended"] == [] and found["found"][0].startswith("no path over"), found
    assert not s.node.events() and len(s.sim.connections()) == 2
    s.act("activate", "vm-100-disk-0")
    s.node.write(ways, "0\n1\n2\n3\n")
    assert s.node.heal() == {"found": [], "mended": []}
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
    s.close()


def lost_on_fa2():
    """A guest runs, and the second array has forgotten that its disk is connected."""
    s = Stage(2)
    storages(s, 1)
    serial = s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    s.node.use(serial, "open")
    s.sim.rest("DELETE", "connections", {"host_names": "pve1", "volume_names": "pod::vm-100-disk-0"}, array="fa2")
    return s, serial


def make_foreign(s, serial):
    """A path of it says that it is another volume, until this file goes."""
    ret = os.path.join(s.node.devices, serial + ".foreign")
    with open(ret, "w", encoding="utf-8"):
        pass
    return ret


def test_heal_after_a_foreign_path():
    """What was another volume's has left the map: its guest does not wait for minutes for paths of its own."""
    s, serial = lost_on_fa2()
    foreign = make_foreign(s, serial)
    s.node.events()
    s.node.publish()
    until(lambda: any("prune" in event for event in s.node.events()), 30)
    os.unlink(foreign)
    until(lambda: len(s.sim.connections()) == 2, 60)
    s.node.use(serial, "free")
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
    s.close()


def test_heal_of_what_is_cut_off():
    """Who ends a guest's connections may have done so on purpose: its paths are asked who they are, and
    nothing is connected."""
    s = Stage()
    serial = s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    s.node.use(serial, "open")
    s.sim.rest("DELETE", "connections", {"host_names": "pve1", "volume_names": "vg/vm-100-disk-0"})
    put, = (e["put"] for e in s.node.registry())
    s.node.events()
    s.act("activate", "vm-100-disk-0", heal=True, ask=True, put=put)
    foreign = make_foreign(s, serial)
    s.fails("EUCLEAN", "activate", "vm-100-disk-0", heal=True, ask=True, put=put)
    s.fails("ECANCELED", "activate", "vm-100-disk-0", heal=True, ask=True, put=put + 1)
    assert not s.sim.connections() and not s.node.events()
    assert [(e["verified"], e["put"]) for e in s.node.registry()] == [(True, put)]
    os.unlink(foreign)
    s.node.use(serial, "free")
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
    s.close()


def test_heal_that_fails():
    """What it has connected itself it takes back, and what came of it; the map of the guest stays."""
    s, serial = lost_on_fa2()
    assert len(s.sim.connections()) == 1
    foreign = make_foreign(s, serial)
    s.node.events()
    found = s.node.heal()
    assert found["mended"] == [-errno.EUCLEAN], found
    assert len(s.sim.connections()) == 1, s.sim.connections()
    assert s.node.events() == [f"attach {serial}", f"prune {serial} 1"], "nobody asks twice whose paths these are"
    os.unlink(foreign)
    assert s.node.heal()["mended"] == [0] and len(s.sim.connections()) == 2
    s.node.use(serial, "free")
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
    s.close()


def test_heal_of_what_left():
    """A guest is moved away between healing's look and its deed: nothing comes back."""
    s = Stage()
    s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    seen = s.node.registry()[0]["put"]
    s.act("activate", "vm-100-disk-0", heal=True, put=seen)
    s.act("deactivate", "vm-100-disk-0")
    assert "no longer mapped" in s.fails("ECANCELED", "activate", "vm-100-disk-0", heal=True, put=seen)
    s.act("activate", "vm-100-disk-0")
    assert "anew" in s.fails("ECANCELED", "activate", "vm-100-disk-0", heal=True, put=seen)
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
    s.close()


def test_failed_activation_of_what_is_open():
    """No array connects it, so nothing was changed: it stays verified, and its path needs nobody."""
    for fault in ("down", "refused"):
        s = Stage(2)
        storages(s, 1)
        serial = s.disk("vm-100-disk-0")
        s.act("activate", "vm-100-disk-0")
        s.node.open(serial)
        before, = s.node.registry()
        if fault == "refused":
            s.sim.fault("status", status=403, method="POST", path="connections", count=-1)
        else:
            s.sim.down("fa1")
            s.sim.down("fa2")
        for _ in range(2):
            reply = s.node.ask("activate", volname="vm-100-disk-0", heal=True, put=s.node.registry()[0]["put"])
            assert not reply["ok"], (fault, reply)
        now, = s.node.registry()
        assert {**now, "put": 0} == {**before, "put": 0}, now
        if fault == "refused":
            s.sim.down("fa1")
            s.sim.down("fa2")
        aged(s.node)
        assert told(s.node, "vm-100-disk-0") == serial
        s.sim.well()
        s.act("activate", "vm-100-disk-0", heal=True, put=now["put"])
        assert s.node.registry()[0]["verified"] and len(s.sim.connections()) == 2
        s.close()


def test_cut_activation_of_what_is_open():
    """Killed between its entry and its end: the service asks the disk, and it is verified again. One
    that says it is another volume's is not."""
    for foreign in (False, True):
        s = Stage(2, delay_ms=20)
        storages(s, 1)
        serial = s.disk("vm-100-disk-0")
        s.act("activate", "vm-100-disk-0")
        s.node.open(serial)
        for i in range(100):
            s.node.send(s.node.request("activate", volname="vm-100-disk-0", heal=True,
                                       put=s.node.registry()[0]["put"]))
            time.sleep(0.002 * i)
            s.node.restart()
            if not s.node.registry()[0]["verified"]:
                break
            s.act("activate", "vm-100-disk-0")
        assert not s.node.registry()[0]["verified"]
        if foreign:
            s.node.write(f"devices/{serial}.foreign", "")
        s.node.publish()
        if foreign:
            until(s.node.document, 15)
            time.sleep(2)
            assert not s.node.registry()[0]["verified"]
        else:
            until(lambda: s.node.registry()[0]["verified"], 15)
            assert s.node.registry()[0]["partial"], "until an activation has connected it everywhere"
            s.node.stop()
            s.node.publishes = False
            s.node.start()
            s.act("activate", "vm-100-disk-0")
            assert not s.node.registry()[0]["partial"] and len(s.sim.connections()) == 2
        s.close()


def test_idle_entries_are_not_verified_unasked():
    """Of before a restart of the node, or cut: only what somebody has open is looked at."""
    s = Stage()
    storages(s, 1)
    s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    path = "var/lib/pvewarden/array/registry.json"
    with open(s.node.path(path), encoding="ascii") as f:
        doc = json.load(f)
    doc["entries"][0]["verified"] = False
    s.node.stop()
    s.node.write(path, json.dumps(doc))
    s.node.start()
    s.node.publish()
    until(s.node.document, 15)
    time.sleep(1)
    assert not s.node.registry()[0]["verified"]
    s.close()


TESTS = [f for n, f in globals().items() if n.startswith("test_")]

if __name__ == "__main__":
    lib.run(TESTS)
