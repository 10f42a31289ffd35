#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A snapshot is read from a temporary volume that stands for it: when that is made, is used again, goes,
and stays. snapshot_copies.py [PATTERN...]"""
import json
import time

import lib
from stage import Stage, storages, two, until


def test_snapshot():
    s = Stage()
    s.disk("vm-100-disk-0")
    s.fails("ENOENT", "activate", "vm-100-disk-0", snap="s_1")
    assert list(s.sim.volumes()) == ["vg/vm-100-disk-0"]
    s.sim.rest("POST", "volume-snapshots", {"source_names": "vg/vm-100-disk-0"},
               {"suffix": "snap--s-u1"})
    assert "not activated" in s.fails("ENOENT", "path", "vm-100-disk-0", snap="s_1")
    path = s.act("activate", "vm-100-disk-0", snap="s_1")["path"]
    tmp, = [v for n, v in s.sim.volumes().items() if n.startswith("vg/tmp-100-")]
    assert path.endswith(tmp["serial"].lower())
    assert [t["value"] for t in tmp["tags"]] == ["pve1 vm-100-disk-0 s_1"]
    s.sim.counted()
    assert s.act("path", "vm-100-disk-0", snap="s_1")["path"] == path
    assert s.sim.counted() == {}
    assert s.act("activate", "vm-100-disk-0", snap="s_1")["path"] == path
    s.act("activate", "vm-100-disk-0")
    s.act("deactivate", "vm-100-disk-0", snap="s_1")
    assert list(s.sim.volumes()) == ["vg/vm-100-disk-0"]
    assert len(s.node.registry()) == 1
    s.act("deactivate", "vm-100-disk-0")
    s.act("deactivate", "vm-100-disk-0", snap="s_1")
    s.clean()
    s.close()


def test_snapshot_safemode():
    """The temporary volume cannot be eradicated: its name is taken, and is used again."""
    s = Stage()
    s.disk("vm-100-disk-0")
    s.sim.ask("POST", "/make", {"array": "fa1", "config": {"safemode": True}})
    s.sim.rest("POST", "volume-snapshots", {"source_names": "vg/vm-100-disk-0"},
               {"suffix": "snap-a"})
    for _ in range(2):
        s.act("activate", "vm-100-disk-0", snap="a")
        s.act("deactivate", "vm-100-disk-0", snap="a")
        s.clean()
    s.close()


def test_snapshot_goes_with_the_name():
    """A name that is another volume's has nothing of the old one's snapshots."""
    for method in ("rename", "free", "create_base"):
        s = Stage()
        s.disk("vm-100-disk-0")
        s.sim.rest("POST", "volume-snapshots", {"source_names": "vg/vm-100-disk-0"}, {"suffix": "snap-a"})
        s.act("activate", "vm-100-disk-0", snap="a")
        tmp, = [e["serial"] for e in s.node.registry()]
        s.node.open(tmp)
        error = s.fails("EBUSY", method, "vm-100-disk-0")
        assert "snapshot a of vm-100-disk-0: it is open" in error, error
        assert not s.sim.volume("vg/vm-100-disk-0")["destroyed"]
        s.node.release(tmp)
        s.act(method, "vm-100-disk-0")
        assert not [n for n in s.sim.volumes() if "tmp-" in n]
        s.clean()
        s.close()


class Snapped:
    """A volume with content, and its snapshot a, of which each write makes another one."""

    def __init__(self, **more):
        self.s = Stage(nodes=("pve1", "pve2"), content=True, **more)
        self.one, self.two = self.s.nodes
        self.serial = self.s.disk("vm-100-disk-0")

    def take(self, text, node=None, again=False):
        node = node or self.one
        if again:
            node.call("snapshot_delete", volname="vm-100-disk-0", snap="a")
        self.s.sim.write(self.serial, text)
        node.call("snapshot", volname="vm-100-disk-0", snap="a")
        self.s.sim.write(self.serial, "later than " + text)

    def ask(self, method, node=None, **args):
        return (node or self.one).ask(method, volname="vm-100-disk-0", snap="a", **args)

    def read(self, node=None):
        """What is read of the snapshot, after its activation."""
        reply = self.ask("activate", node)
        assert reply["ok"], reply
        serial = reply["result"]["path"][-24:].upper()
        assert serial in (node or self.one).mapped() and serial != self.serial
        return self.s.sim.read(serial)

    def stands(self, node=None):
        """Serial of what stands for it there."""
        serial, = [e["serial"] for e in (node or self.one).registry() if e["snap"]]
        return serial

    def temporary(self):
        return [n for n in self.s.sim.volumes() if "tmp-" in n]

    def refused(self, reply, *words):
        assert not reply["ok"] and reply["code"] == "EBUSY", reply
        assert all(w in reply["error"] for w in words), reply

    def close(self):
        self.s.clean()
        assert not self.temporary()
        self.s.close()


def test_snapshot_taken_anew():
    """As vzdump does night after night, which gives nothing back but the snapshot."""
    for arrays in (1, 2):
        t = Snapped(arrays=arrays)
        for night in ("first", "second", "third"):
            t.take(night)
            assert t.read() == night
            assert t.ask("snapshot_delete")["ok"]
            assert not t.temporary()
            t.s.clean()
        t.close()


def test_copy_beside_host_group():
    """One node's alone: no other of the group is shown it, and nothing of it stays."""
    for arrays in (1, 2):
        t = Snapped(arrays=arrays, **{"purestorage-hostgroup": "cluster"})
        for array in t.s.sim.names:
            t.s.sim.make(array, host_groups=[{"name": "cluster", "hosts": ["pve1", "pve2"]}])
        t.take("first")
        assert t.read() == "first"
        assert {host for _, host, _ in t.s.sim.connections()} == {"pve1"}, t.s.sim.connections()
        assert t.ask("deactivate")["ok"]
        t.s.clean()
        assert t.read() == "first"
        assert t.ask("snapshot_delete")["ok"]
        t.close()


def test_snapshot_taken_anew_elsewhere():
    """This node is not told that what it has mapped stands for a snapshot that is no more."""
    t = Snapped()
    t.take("first")
    assert t.read() == "first"
    tmp = t.stands()
    assert t.read() == "first"
    assert t.one.events().count(f"detach {tmp}") == 0, "used as it is"
    t.take("second", t.two, again=True)
    t.one.open(tmp)
    t.refused(t.ask("activate"), "open on this node")
    assert t.s.sim.read(tmp) == "first" and tmp in t.one.mapped(), "what is read is not changed"
    t.one.release(tmp)
    assert t.read() == "second"
    assert f"detach {tmp}" in t.one.events(), "nothing of the old one in a cache"
    # A host that is none of this program's has it: what it reads is not changed.
    name, = t.temporary()
    t.s.sim.rest("POST", "connections", {"host_names": "pve2", "volume_names": name})
    t.take("third", t.two, again=True)
    t.refused(t.ask("activate"), "pve2", name)
    assert t.s.sim.read(tmp) == "second"
    t.s.sim.rest("DELETE", "connections", {"host_names": "pve2", "volume_names": name})
    assert t.read() == "third"
    # Removed there, and not taken again; the array keeps it for who erred, or does not.
    for safemode, code in ((False, "ENOENT"), (True, "ESTALE")):
        t.s.sim.ask("POST", "/make", {"array": "fa1", "config": {"safemode": safemode}})
        assert t.ask("snapshot_delete", t.two)["ok"]
        t.one.open(tmp)
        for state in ("read", "free"):
            reply = t.ask("activate")
            assert not reply["ok"] and reply["code"] == code, reply
            assert (tmp in t.one.mapped()) == (state == "read")
            t.one.release(tmp)
        t.s.clean()
        assert not t.temporary()
        if not safemode:
            t.take("fourth")
            assert t.read() == "fourth"
            tmp = t.stands()
    t.close()


def test_copy_goes_by_itself():
    """Its snapshot was removed on another node, and Proxmox never asks for it here again."""
    t = Snapped(arrays=2)
    storages(t.s, 1)
    t.take("first")
    t.read()
    tmp = t.stands()
    t.one.open(tmp)
    t.one.publish()
    until(t.one.document, 10)
    assert t.ask("snapshot_delete", t.two)["ok"]

    def copies():
        return [d for d in t.one.document()["drift"] if d["kind"] == "copy"]

    (drift,), _ = until(copies, 50)
    assert "snapshot a of vm-100-disk-0" in drift["what"] and "it is open" in drift["what"], drift
    time.sleep(25)
    assert t.s.sim.read(tmp) == "first" and tmp in t.one.mapped() and len(t.s.sim.connections()) == 2
    t.one.release(tmp)
    _, took = until(lambda: not t.one.registry(), 120)
    assert took > 40, took
    t.close()


def test_copy_is_kept():
    """An array of the pod does not answer; somebody else is connected to it; or its snapshot is there
    after all when its turn has come: it stays."""
    t = Snapped(arrays=2)
    t.take("first")
    t.read()
    entry, = t.one.registry()
    tmp = t.stands()

    def reap():
        return t.ask("deactivate", put=entry["put"], orphan=1)

    reply = reap()
    assert not reply["ok"] and reply["code"] == "ECANCELED" and "is there" in reply["error"], reply
    assert t.ask("snapshot_delete", t.two)["ok"]
    t.s.sim.down("fa2")
    reply = reap()
    assert not reply["ok"] and reply["code"] == "EHOSTUNREACH", reply
    t.s.sim.up("fa2")
    name, = t.temporary()
    t.s.sim.rest("POST", "connections", {"host_names": "pve2", "volume_names": name})
    t.refused(reap(), "pve2", name)
    t.s.sim.rest("DELETE", "connections", {"host_names": "pve2", "volume_names": name})
    t.one.open(tmp)
    t.refused(reap(), "open on this node")
    t.one.release(tmp)
    assert t.s.sim.read(tmp) == "first" and tmp in t.one.mapped()
    reply = t.ask("deactivate", put=entry["put"] - 1, orphan=1)
    assert not reply["ok"] and reply["code"] == "ECANCELED", reply
    # Another one of the name, which this node has not read.
    t.take("second", t.two)
    assert reap()["ok"]
    assert t.read() == "second"
    assert t.ask("snapshot_delete")["ok"]
    t.close()


def test_snapshots_of_protection_groups():
    """The newest old plugin wrote them into guests' configs: forgotten there they stay on the array, and
    nothing is rolled back to another one."""
    s = Stage(pgroup_sync="1", pgroup_sync_interval="60")
    s.disk("vm-100-disk-0")
    s.sim.rest("POST", "volume-snapshots", {"source_names": "vg/vm-100-disk-0"}, {"suffix": "277"})
    assert not s.act("snapshot_info", "vm-100-disk-0")
    for method in ("rollback_possible", "rollback", "activate"):
        s.fails("ENOENT", method, "vm-100-disk-0", snap="pgroup-auto-277")
    s.act("snapshot_delete", "vm-100-disk-0", snap="pgroup-auto-277")
    kept, = s.sim.volume("vg/vm-100-disk-0")["snapshots"]
    assert kept["suffix"] == "277" and not kept["destroyed"], kept
    s.clean()
    s.close()


def test_snapshot_left_and_used():
    """What could not be destroyed, and somebody was connected to since, is neither made anew nor
    destroyed."""
    t = Snapped()
    t.take("first")
    t.read()
    t.s.sim.fault(kind="status", status=400, array="fa1", method="PATCH", path="volumes", count=9)
    assert t.ask("deactivate")["ok"] and t.stands() == ""
    t.s.sim.well()
    name, = t.temporary()
    t.s.sim.ask("POST", "/set", {"array": "fa1", "config": {"destroys_connected": True}})
    t.s.sim.rest("POST", "connections", {"host_names": "pve2", "volume_names": name})
    t.refused(t.ask("activate"), "pve2", name)
    assert t.temporary() == [name]
    t.s.sim.rest("DELETE", "connections", {"host_names": "pve2", "volume_names": name})
    assert t.read() == "first"
    assert t.ask("snapshot_delete")["ok"]
    t.close()


def test_snapshot_taken_anew_unknown():
    """An entry that does not say of which snapshot: of an older version, or cut before it was."""
    t = Snapped()
    t.take("first")
    assert t.read() == "first"
    t.take("second", t.two, again=True)
    t.one.stop()
    entries = t.one.registry()
    for e in entries:
        del e["origin"]
    t.one.write("var/lib/pvewarden/array/registry.json",
                json.dumps({"schema": "pvewarden.array.registry/1", "entries": entries}))
    t.one.start()
    assert t.read() == "second"
    assert t.ask("snapshot_delete")["ok"]
    t.close()


def test_snapshot_deleted_while_read():
    t = Snapped()
    t.take("first")
    t.read()
    tmp = t.stands()
    t.one.open(tmp)
    t.refused(t.ask("snapshot_delete"), "open on this node", "snapshot a")
    assert list(t.one.call("snapshot_info", volname="vm-100-disk-0")) == ["a"]
    assert t.read() == "first" and t.s.sim.connections()
    # A lazy unmount that is still under way.
    t.one.send(t.one.request("snapshot_delete", volname="vm-100-disk-0", snap="a"))
    time.sleep(0.7)
    assert list(t.two.call("snapshot_info", volname="vm-100-disk-0")) == ["a"]
    t.one.release(tmp)
    assert t.one.receive()["ok"]
    assert not t.one.call("snapshot_info", volname="vm-100-disk-0")
    t.close()


def test_snapshot_deleted_with_others():
    """The set's unclaimed go with it, and what stands for them."""
    s = Stage()
    for i in range(2):
        s.disk(f"vm-100-disk-{i}")
    s.node.guest(100, "".join(f"scsi{i}: pure:vm-100-disk-{i},size=1G\n" for i in range(2)))
    s.act("snapshot", "vm-100-disk-0", snap="a")
    for i in range(2):
        s.act("activate", f"vm-100-disk-{i}", snap="a")
    other, = [e["serial"] for e in s.node.registry() if e["volname"] == "vm-100-disk-1"]
    s.node.open(other)
    assert "vm-100-disk-1" in s.fails("EBUSY", "snapshot_delete", "vm-100-disk-0", snap="a")
    for i in range(2):
        assert list(s.act("snapshot_info", f"vm-100-disk-{i}")) == ["a"]
    s.node.release(other)
    s.act("snapshot_delete", "vm-100-disk-0", snap="a")
    assert not [n for n in s.sim.volumes() if "tmp-" in n]
    for i in range(2):
        assert not s.act("snapshot_info", f"vm-100-disk-{i}")
    s.clean()
    s.close()


def test_snapshot_deleted_blind():
    """The registry cannot be read: array and kernel are asked."""
    t = Snapped()
    t.take("first")
    t.read()
    tmp = t.stands()
    t.one.open(tmp)
    t.one.write("var/lib/pvewarden/array/registry.json", "not one")
    t.refused(t.ask("snapshot_delete"), "open on this node")
    t.one.release(tmp)
    assert t.ask("snapshot_delete")["ok"]
    t.close()


def test_snapshot_delete_killed():
    """At any moment: the snapshot is there or nothing of it is, and no temporary volume is unknown."""
    t = Snapped(delay_ms=5)
    t.take("0")
    for i in range(25):
        assert t.read() == str(i)
        t.one.send(t.one.request("snapshot_delete", volname="vm-100-disk-0", snap="a"))
        time.sleep(0.002 * i)
        t.one.restart()
        assert not t.temporary() or t.one.registry()
        t.take(str(i + 1), t.two if i % 2 else t.one, again=True)
    assert t.ask("deactivate")["ok"]
    t.close()


def test_snapshot_healed():
    """What is open is connected again, whatever has become of the snapshot; and is as little trusted as
    before."""
    t = Snapped(arrays=2)
    t.take("first")
    t.s.sim.down("fa2")
    t.read()
    t.s.sim.up("fa2")
    tmp = t.stands()
    t.one.open(tmp)
    t.take("second", t.two, again=True)
    entry, = t.one.registry()
    assert entry["partial"]
    reply = t.ask("activate", heal=1, put=entry["put"])
    assert reply["ok"], reply
    assert len(t.s.sim.connections()) == 2 and t.s.sim.read(tmp) == "first"
    t.refused(t.ask("activate"), "open on this node")
    t.one.release(tmp)
    assert t.read() == "second"
    assert t.ask("snapshot_delete")["ok"]
    t.close()


def test_snapshot_cost():
    t = Snapped()
    t.take("first")
    t.read()
    t.s.sim.counted()
    t.read()
    assert t.s.sim.counted() == {"fa1 GET volumes": 1, "fa1 GET volume-snapshots": 1}
    assert t.ask("deactivate")["ok"]
    t.s.sim.counted()
    assert t.ask("snapshot_delete")["ok"]
    found = t.s.sim.counted()
    assert found == {"fa1 PATCH volume-snapshots": 1, "fa1 DELETE volume-snapshots": 1}, found
    t.close()


def test_snapshot_of_another():
    """What this node has mapped is of the volume that had the name before."""
    s, one, two_ = two()
    for reused in (False, True):
        s.disk("vm-100-disk-0")
        s.sim.rest("POST", "volume-snapshots", {"source_names": "vg/vm-100-disk-0"}, {"suffix": "snap-a"})
        path = two_.call("activate", volname="vm-100-disk-0", snap="a")["path"]
        tmp, = [v for n, v in s.sim.volumes().items() if "tmp-" in n]
        assert path.endswith(tmp["serial"].lower())
        assert tmp["source"]["id"] == s.sim.volume("vg/vm-100-disk-0")["id"], (reused, tmp)
        one.call("rename", volname="vm-100-disk-0", vmid=101)
    two_.call("deactivate", volname="vm-100-disk-0", snap="a")
    s.clean()
    s.close()


def test_snapshot_killed():
    """What stands for a snapshot on the array is never there without an entry, and goes."""
    s = Stage(delay_ms=5)
    s.disk("vm-100-disk-0")
    s.sim.rest("POST", "volume-snapshots", {"source_names": "vg/vm-100-disk-0"},
               {"suffix": "snap-a"})

    def made():
        return [n for n in s.sim.volumes() if n.startswith("vg/tmp-")]

    early = 0
    for i in range(40):
        s.node.send(s.node.request("activate", s.config, volname="vm-100-disk-0", snap="a"))
        time.sleep(0.001 * i)
        s.node.restart()
        if made():
            entry, = s.node.registry()
            assert entry["snap"] == "a" and entry["array_volume"] == made()[0]
            early += not entry["serial"]
        if i % 2:
            s.act("activate", "vm-100-disk-0", snap="a")
            s.node.send(s.node.request("deactivate", s.config, volname="vm-100-disk-0", snap="a"))
            time.sleep(0.001 * i)
            s.node.restart()
            assert not made() or s.node.registry()
        s.act("deactivate", "vm-100-disk-0", snap="a")
        assert not made(), made()
        s.clean()
    print(f"# {early} times before its serial was known")
    s.close()


def test_snapshot_unreached():
    """An array that does not take the destroy: known until it does."""
    s = Stage()
    s.disk("vm-100-disk-0")
    s.sim.rest("POST", "volume-snapshots", {"source_names": "vg/vm-100-disk-0"},
               {"suffix": "snap-a"})
    s.act("activate", "vm-100-disk-0", snap="a")
    s.sim.fault(kind="status", status=400, array="fa1", method="PATCH", path="volumes", count=9)
    reply = s.node.ask("deactivate", s.config, volname="vm-100-disk-0", snap="a")
    assert reply["ok"] and any("stays on the array" in l for _, l in reply["log"]), reply
    assert len(s.sim.volumes()) == 2 and not s.node.mapped() and not s.sim.connections()
    entry, = s.node.registry()
    assert entry["snap"] == "a" and entry["serial"] == "" and not entry["verified"]
    s.sim.well()
    s.act("deactivate", "vm-100-disk-0", snap="a", put=entry["put"])
    assert list(s.sim.volumes()) == ["vg/vm-100-disk-0"]
    s.clean()
    s.close()


TESTS = [f for n, f in globals().items() if n.startswith("test_")]

if __name__ == "__main__":
    lib.run(TESTS)
