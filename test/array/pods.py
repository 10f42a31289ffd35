#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A pod over two arrays of which one is down, in resync or refuses: what is asked of which, and what is
said. pods.py [PATTERN...]"""
import time

import lib
from lib import GIB
from stage import Stage, of_volumes, pod_is


def test_outage():
    """An array of the pod is down: a warning, an entry that says so, and repaired by the next."""
    s = Stage(2)
    serial = s.disk("vm-100-disk-0")
    s.sim.down("fa2")
    reply = s.node.ask("activate", s.config, volname="vm-100-disk-0")
    assert reply["ok"], reply
    assert any("fa2" in line or "not connected" in line for level, line in reply["log"]
               if level == "warning"), reply
    assert s.node.registry()[0]["partial"]
    s.sim.well()
    s.node.open(serial)
    s.act("activate", "vm-100-disk-0")
    assert len(s.sim.connections()) == 2 and not s.node.registry()[0]["partial"]
    # A connection that somebody took away is not missed by an activation, and is by heal.
    s.sim.rest("DELETE", "connections", {"host_names": "pve1", "volume_names": "pod::vm-100-disk-0"},
               array="fa2")
    s.act("activate", "vm-100-disk-0", heal=1, put=s.node.registry()[0]["put"])
    assert len(s.sim.connections()) == 2
    s.node.release(serial)
    # Down while it leaves: the device is gone, the entry stays until the array is asked again.
    s.sim.down("fa2")
    s.act("deactivate", "vm-100-disk-0")
    assert not s.node.mapped() and s.node.registry()[0]["leaving"]
    s.sim.well()
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
    s.close()


def test_no_host():
    """A node whose host object is missing: nothing heals that, and what to do is said."""
    s = Stage(2)
    s.disk("vm-100-disk-0")
    s.sim.rest("DELETE", "hosts", {"names": "pve1"}, array="fa2")
    reply = s.node.ask("activate", s.config, volname="vm-100-disk-0")
    assert reply["ok"] and lib.warned(reply, "array status --diagnose pure"), reply
    assert not lib.warned(reply, "array heal"), reply
    s.act("deactivate", "vm-100-disk-0")
    s.sim.rest("DELETE", "hosts", {"names": "pve1"}, array="fa1")
    assert "array status --diagnose pure" in s.fails("ENOENT", "activate", "vm-100-disk-0")
    s.close()


def test_first_array_down():
    """State is asked of the other array, which says that the pod is online there."""
    s = Stage(2)
    s.disk("vm-100-disk-0")
    s.sim.down("fa1")
    assert s.act("size", "vm-100-disk-0", timeout=10)["size"] == GIB
    s.act("activate", "vm-100-disk-0")
    # An array on which the pod is not online says nothing that counts.
    s.sim.ask("POST", "/set", {"pod": "pod", "array": "fa2", "status": "offline"})
    reply = s.node.ask("size", s.config, volname="vm-100-disk-9", timeout=10)
    assert not reply["ok"] and reply["code"] != "ENOENT", reply
    s.close()


def test_remade_in_an_outage():
    """What is made again under its name, as each backup's fleecing image is, while the pod is not online on
    an array that is down: the old one is gone, so that nobody has to be told there that it left this node."""
    for away, safemode in (("fa1", False), ("fa2", True)):
        s = Stage(2)
        for array in s.sim.names:
            s.sim.make(array, config={"safemode": safemode})
        s.sim.down(away)
        pod_is(s, "offline", away)
        for backup in (True, True, False):
            s.node.call("alloc", vmid=100, name="vm-100-fleece-0", size_kib=65536)
            if backup:
                s.act("activate", "vm-100-fleece-0")
                s.act("deactivate", "vm-100-fleece-0")
                assert s.node.registry()[0]["leaving"]
            s.act("free", "vm-100-fleece-0")
        assert not s.node.registry()
        s.close()


def test_renamed_in_an_outage():
    """One that is not gone keeps its entry, and its name from another one, until the array answers."""
    s = Stage(2)
    s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    s.sim.down("fa2")
    pod_is(s, "offline", "fa2")
    s.act("rename", "vm-100-disk-0", vmid=101)
    s.disk("vm-100-disk-0")
    assert "does not say" in s.fails("EAGAIN", "activate", "vm-100-disk-0")
    entry, = s.node.registry()
    assert entry["volname"] == "vm-100-disk-0" and entry["leaving"] and s.sim.connections(), entry
    s.sim.well()
    pod_is(s, "online", "fa2")
    s.act("activate", "vm-100-disk-0")
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
    s.close()


def test_first_array_in_resync():
    """It is back, and tells of before the outage: nothing is read of it and nothing changed there until
    the pod is online. That it is, is asked once, not with each call."""
    s = Stage(2)
    s.disk("vm-100-disk-0")
    s.node.guest(100, "scsi0: pure:vm-100-disk-0,size=1G\n")
    s.act("size", "vm-100-disk-0")
    s.sim.counted()
    for _ in range(3):
        s.act("size", "vm-100-disk-0")
    assert s.sim.counted() == {"fa1 GET volumes": 3}
    s.sim.down("fa1")
    s.act("size", "vm-100-disk-0")
    s.sim.up("fa1")
    pod_is(s, "resyncing", "fa1")
    s.sim.counted()
    for method, args in (("size", {"volname": "vm-100-disk-0"}), ("list", {}), ("path", {"volname": "vm-100-disk-0"}),
                         ("alloc", {"vmid": 101, "size_kib": 1024}),
                         ("resize", {"volname": "vm-100-disk-0", "size": 2 * GIB, "running": 0}),
                         ("snapshot", {"volname": "vm-100-disk-0", "snap": "a"}),
                         ("rollback_possible", {"volname": "vm-100-disk-0", "snap": "a"}),
                         ("rollback", {"volname": "vm-100-disk-0", "snap": "a"}),
                         ("snapshot_delete", {"volname": "vm-100-disk-0", "snap": "a"}),
                         ("rename", {"volname": "vm-101-disk-0", "vmid": 102}),
                         ("free", {"volname": "vm-102-disk-0"}), ("status", {}), ("check_connection", {})):
        reply = s.node.ask(method, s.config, **args)
        assert reply["ok"] and reply.get("result") is not False, (method, reply)
        asked = of_volumes(s, "fa1")
        assert not asked, (method, asked)
    pod_is(s, "online", "fa1")
    time.sleep(5.1)
    s.act("size", "vm-100-disk-0")
    assert of_volumes(s, "fa1") == ["fa1 GET volumes"]
    s.close()


def test_first_array_loses_the_pod():
    """It answers all the time: what was asked for the status says that it is no more online there. Where
    it is online nowhere nothing is known, and nothing changed."""
    s = Stage(2)
    s.disk("vm-100-disk-0")
    s.node.guest(100, "scsi0: pure:vm-100-disk-0,size=1G\n")
    s.act("size", "vm-100-disk-0")
    pod_is(s, "offline", "fa1")
    s.sim.counted()
    assert s.node.call("status", s.config)["total"]
    found = s.sim.counted()
    assert "fa2 GET arrays/space" in found and "fa1 GET arrays/space" not in found, found
    s.act("size", "vm-100-disk-0")
    assert not of_volumes(s, "fa1")
    pod_is(s, "resyncing", "fa2")
    for method, args in (("size", {}), ("path", {}), ("free", {}), ("rename", {"vmid": 102}),
                         ("resize", {"size": 2 * GIB, "running": 0}), ("activate", {})):
        why = s.fails("EHOSTUNREACH", method, "vm-100-disk-0", **args)
        assert "not online" in why, (method, why)
    assert not s.node.ask("alloc", s.config, vmid=100, size_kib=1024)["ok"]
    assert list(s.sim.volumes()) == ["pod::vm-100-disk-0"] and not s.sim.connections()
    s.close()


def test_login_refused():
    """The first array does not know its token, the other one's is good: that is asked, told to change each
    thing once, and what is wrong is said."""
    s = Stage(2)
    s.disk("vm-100-disk-0")
    s.config = {**s.config, "token": "wrong,wrong"}
    assert "login refused" in s.fails("EKEYREJECTED", "size", "vm-100-disk-0")
    s.config = {**s.config, "token": "wrong,fa2-token"}
    s.node.restart()
    reply = s.node.ask("check_connection", s.config)
    assert reply["ok"] and reply["result"] is True, reply
    assert any("login refused" in line for level, line in reply["log"] if level == "warning"), reply
    assert s.act("size", "vm-100-disk-0")["size"] == GIB
    s.sim.counted()
    s.act("resize", "vm-100-disk-0", size=2 * GIB, running=0)
    found = s.sim.counted()
    assert found.get("fa2 PATCH volumes") == 1 and not of_volumes(s, "fa1"), found
    reply = s.node.ask("activate", s.config, volname="vm-100-disk-0")
    assert reply["ok"] and s.node.registry()[0]["partial"], reply
    # Who is connected there is not known.
    assert "is not known" in s.fails("EKEYREJECTED", "free", "vm-100-disk-0")
    s.close()


TESTS = [f for n, f in globals().items() if n.startswith("test_")]

if __name__ == "__main__":
    lib.run(TESTS)
