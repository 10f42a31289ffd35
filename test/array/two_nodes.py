#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Migrated, renamed, resized, made anew by the other node: what this one makes of what it has.
two_nodes.py [PATTERN...]"""
import time

import lib
from lib import GIB
from stage import Stage, aged, told, two, two_with_storages, until


def test_migration():
    """Both nodes have it for a while; each leaves alone what is the other's."""
    s = Stage(nodes=("pve1", "pve2"))
    serial = s.disk("vm-100-disk-0")
    one, two = s.nodes
    one.call("activate", s.config, volname="vm-100-disk-0")
    one.open(serial)
    two.call("activate", s.config, volname="vm-100-disk-0")
    two.open(serial)
    one.release(serial)
    one.call("deactivate", s.config, volname="vm-100-disk-0")
    assert two.mapped() == {serial} and not one.mapped()
    assert s.sim.connections() == {("fa1", "pve2", "vg/vm-100-disk-0")}
    s.close()


def test_renamed_elsewhere():
    """A node that forgot a volume has it under its old name: it goes by its serial."""
    for name in ("vm-100-disk-0", "vm-101-disk-0"):
        s, one, two_ = two()
        serial = s.disk("vm-100-disk-0")
        two_.call("activate", volname="vm-100-disk-0")
        assert one.call("rename", volname="vm-100-disk-0", vmid=101) == "vm-101-disk-0"
        assert s.sim.connections() == {("fa1", "pve2", "vg/vm-101-disk-0")}
        two_.open(serial)
        reply = two_.ask("deactivate", volname=name)
        assert not reply["ok"] and reply["code"] == "EBUSY", reply
        two_.release(serial)
        two_.call("deactivate", volname=name)
        s.clean()
        s.close()


def test_renamed_and_used():
    """Active on the other node under its new name: one entry, and nothing is connected anew."""
    s, one, two_ = two()
    serial = s.disk("vm-100-disk-0")
    two_.call("activate", volname="vm-100-disk-0")
    one.call("rename", volname="vm-100-disk-0", vmid=101)
    two_.call("activate", volname="vm-101-disk-0")
    assert [(e["volname"], e["serial"], e["verified"]) for e in two_.registry()] == [
        ("vm-101-disk-0", serial, True)], two_.registry()
    assert two_.mapped() == {serial}
    two_.call("deactivate", volname="vm-101-disk-0")
    s.clean()
    s.close()


def test_renamed_and_reused():
    """Its old name is another volume's by now: each is what its serial says."""
    for method in ("activate", "deactivate", "free", "rename"):
        s, one, two_ = two()
        old = s.disk("vm-100-disk-0")
        two_.call("activate", volname="vm-100-disk-0")
        one.call("rename", volname="vm-100-disk-0", vmid=101)
        new = s.disk("vm-100-disk-0")
        one.call("activate", volname="vm-100-disk-0")
        two_.restart()  # what it asked some seconds ago is forgotten
        if method in ("free", "rename"):
            one.call("deactivate", volname="vm-100-disk-0")
        two_.events()
        two_.call(method, volname="vm-100-disk-0")
        assert f"forget {old}" in two_.events(), "its disks are deleted when no array shows them any more"
        left = {v for _, h, v in s.sim.connections() if h == "pve2"}
        assert two_.mapped() == ({new} if method == "activate" else set()), (method, two_.mapped())
        assert left == ({"vg/vm-100-disk-0"} if method == "activate" else set()), (method, left)
        assert old not in [e["serial"] for e in two_.registry()], (method, two_.registry())
        if method in ("activate", "deactivate"):
            one.call("deactivate", volname="vm-100-disk-0")
        two_.call("deactivate", volname="vm-100-disk-0")
        s.clean()
        s.close()


def test_path_of_what_was_renamed():
    """Proxmox VE 8 asks for the path before it activates. What was left mapped is another's disk by
    now; path() asks an array for what is neither open here nor just activated."""
    s, one, two_ = two()
    old = s.disk("vm-100-disk-0")
    two_.call("activate", volname="vm-100-disk-0")
    aged(two_)
    two_.restart()  # what it asked some seconds ago is forgotten
    two_.call("identity")
    s.sim.counted()
    assert told(two_, "vm-100-disk-0") == old and s.sim.counted() == {"fa1 GET volumes": 1}
    assert told(two_, "vm-100-disk-0") == old and s.sim.counted() == {}, "its guest's, for five seconds"
    one.call("rename", volname="vm-100-disk-0", vmid=101)
    new = s.disk("vm-100-disk-0")
    two_.restart()
    assert told(two_, "vm-100-disk-0") == new
    s.sim.rest("PATCH", "volumes", {"names": "vg/vm-100-disk-0"}, {"destroyed": True})
    two_.restart()
    assert "/absent/" in two_.call("path", volname="vm-100-disk-0")["path"]
    s.sim.down("fa1")
    assert not two_.ask("path", volname="vm-100-disk-0")["ok"], "nobody knows what it stands for"
    s.close()


def test_path_told_before_a_rename():
    """Between the path and the activation the name becomes another volume's, whose old one another
    guest has opened meanwhile: the start is refused, and the next one has the right disk. The name
    of what this node has made itself is no such case."""
    for first in ("101", "100"):
        s, one, two_ = two()
        old = s.disk("vm-100-disk-0")
        two_.call("activate", volname="vm-100-disk-0")
        time.sleep(5.1)
        assert told(two_, "vm-100-disk-0") == old
        one.call("rename", volname="vm-100-disk-0", vmid=101)
        new = s.disk("vm-100-disk-0")
        if first == "101":
            two_.call("activate", volname="vm-101-disk-0")
            two_.open(old)
        reply = two_.ask("activate", volname="vm-100-disk-0")
        assert not reply["ok"] and reply["code"] == "EAGAIN" and old in reply["error"], reply
        assert new not in two_.mapped()
        assert told(two_, "vm-100-disk-0") == new
        assert two_.call("activate", volname="vm-100-disk-0")["path"].endswith(new.lower())
        assert told(two_, "vm-100-disk-0") == new
        s.close()
    s = Stage()
    s.disk("vm-100-disk-0")
    s.disk("vm-100-disk-1")
    for way in ("alloc", "rename", "clone"):
        old = told(s.node, "vm-100-disk-0")
        s.act("free", "vm-100-disk-0")
        s.sim.rest("DELETE", "volumes", {"names": "vg/vm-100-disk-0"})
        if way == "alloc":
            s.node.call("alloc", vmid=100, name="vm-100-disk-0", size_kib=65536)
        elif way == "rename":
            s.act("rename", "vm-100-disk-1", vmid=100, target="vm-100-disk-0")
        else:
            other = s.node.call("alloc", vmid=101, size_kib=65536)
            assert s.act("clone", other, vmid=100) == "vm-100-disk-0"
        assert s.act("activate", "vm-100-disk-0")["path"][-24:].upper() != old
        s.act("deactivate", "vm-100-disk-0")
    s.close()


def test_path_of_what_is_in_use():
    """It is asked for of no array, nor does it need one: what is open here, and what was activated a
    moment ago, whether or not the activation had anything to do."""
    for arrays in (1, 2):
        s = Stage(arrays)
        serial = s.disk("vm-100-disk-0")
        s.act("activate", "vm-100-disk-0")
        aged(s.node)
        s.node.open(serial)
        s.node.restart()
        s.sim.counted()
        assert told(s.node, "vm-100-disk-0") == serial and s.sim.counted() == {}
        for name in s.sim.names:
            s.sim.down(name)
        assert told(s.node, "vm-100-disk-0") == serial
        s.node.use(serial, "unknown")
        assert told(s.node, "vm-100-disk-0") == serial, "seen open a moment ago"
        aged(s.node)
        s.node.restart()
        assert not s.node.ask("path", volname="vm-100-disk-0")["ok"]
        s.sim.well()
        s.node.release(serial)
        put = s.node.registry()[0]["put"]
        s.act("activate", "vm-100-disk-0")
        assert s.node.registry()[0]["put"] == put, "all was in order"
        s.node.restart()
        for name in s.sim.names:
            s.sim.down(name)
        assert told(s.node, "vm-100-disk-0") == serial
        s.close()


def test_service_sees_a_rename():
    """An entry whose name is another volume's, or no volume's, by now is not believed any more; it
    stays for `array reap`. What is open, and what keeps its name, is not touched."""
    for again in (True, False):
        s, one, two_ = two_with_storages()
        old, kept, used = (s.disk(f"vm-100-disk-{i}") for i in range(3))
        for i in range(3):
            two_.call("activate", volname=f"vm-100-disk-{i}")
        one.call("rename", volname="vm-100-disk-0", vmid=101)
        s.sim.rest("PATCH", "volumes", {"names": "vg/vm-100-disk-2"}, {"name": "vg/elsewhere"})
        two_.open(used)
        new = s.disk("vm-100-disk-0") if again else None
        two_.publish()
        until(lambda: {e["serial"]: e["verified"] for e in two_.registry()}
              == {old: False, kept: True, used: True}, 15)
        assert two_.mapped() == {old, kept, used}
        if again:
            assert told(two_, "vm-100-disk-0") == new
        else:
            assert "/absent/" in two_.call("path", volname="vm-100-disk-0")["path"]
        assert told(two_, "vm-101-disk-0") == old
        assert told(two_, "vm-100-disk-1") == kept and told(two_, "vm-100-disk-2") == used
        two_.call("activate", volname="vm-101-disk-0")
        two_.open(old)
        if again:
            two_.call("activate", volname="vm-100-disk-0")
            assert told(two_, "vm-100-disk-0") == new
        assert told(two_, "vm-101-disk-0") == old
        s.close()


def test_renamed_in_use():
    """What a guest of the other node refers to, or has open, keeps its name."""
    s, one, two_ = two()
    serial = s.disk("vm-100-disk-0")
    two_.call("activate", volname="vm-100-disk-0")
    two_.open(serial)
    for node in s.nodes:
        node.guest(100, "scsi0: pure:vm-100-disk-0,size=1G\n", node="pve2")
    for method, args in (("rename", {"vmid": 101}), ("create_base", {})):
        reply = one.ask(method, volname="vm-100-disk-0", **args)
        assert not reply["ok"] and reply["code"] == "EBUSY" and "pve2" in reply["error"], reply
    assert list(s.sim.volumes()) == ["vg/vm-100-disk-0"]
    s.sim.rest("POST", "hosts", {"names": "backup"}, {})
    s.sim.rest("POST", "connections", {"host_names": "backup", "volume_names": "vg/vm-100-disk-0"})
    two_.release(serial)
    two_.call("deactivate", volname="vm-100-disk-0")
    reply = one.ask("rename", volname="vm-100-disk-0", vmid=101)
    assert not reply["ok"] and "no node of this cluster" in reply["error"], reply
    s.close()


def test_resized_elsewhere():
    """Within the seconds for which this node keeps what the array said."""
    s, one, two_ = two()
    for disk in ("vm-100-disk-0", "vm-100-disk-1"):
        s.disk(disk)
    two_.call("activate", volname="vm-100-disk-1")
    one.call("resize", volname="vm-100-disk-0", size=2 * GIB, running=0)
    two_.call("activate", volname="vm-100-disk-0")
    entry, = [e for e in two_.registry() if e["volname"] == "vm-100-disk-0"]
    assert entry["size"] == 2 * GIB and two_.size(entry["serial"]) == 2 * GIB, entry
    # Mapped, and the kernel has noticed that it has grown, which the kept answer does not say.
    two_.call("path", volname="vm-100-disk-0")
    one.call("resize", volname="vm-100-disk-0", size=3 * GIB, running=0)
    two_.write(f"devices/{entry['serial']}", f"{3 * GIB}\n")
    two_.call("activate", volname="vm-100-disk-0")
    assert two_.size(entry["serial"]) == 3 * GIB
    # Made anew by the other node: not taken for the one that is remembered.
    two_.call("deactivate", volname="vm-100-disk-0")
    two_.call("activate", volname="vm-100-disk-1")
    one.call("free", volname="vm-100-disk-0")
    s.sim.rest("DELETE", "volumes", {"names": "vg/vm-100-disk-0"})
    new = s.disk("vm-100-disk-0")
    two_.ask("activate", volname="vm-100-disk-0")
    two_.call("activate", volname="vm-100-disk-0")
    assert new in two_.mapped() and entry["serial"] not in two_.mapped()
    s.close()


TESTS = [f for n, f in globals().items() if n.startswith("test_")]

if __name__ == "__main__":
    lib.run(TESTS)
