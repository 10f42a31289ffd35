#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The mapping calls against the simulator, with played devices: what each does, what each costs,
what an outage or a kill leaves. calls.py BUILD [PATTERN]"""
import os
import signal
import sys
import time

import lib
from lib import Node, Sim

GIB = 1 << 30


class Stage:
    def __init__(self, build, names=("fa1",), nodes=("pve1",), delay_ms=0):
        self.sim = Sim(build, names, nodes)
        self.nodes = [Node(build, self.sim, n, delay_ms) for n in nodes]
        self.node = self.nodes[0]
        self.config = self.sim.pod_config() if len(names) > 1 else self.sim.config()
        self.prefix = "pod::" if len(names) > 1 else "vg/"

    def disk(self, name, size=GIB):
        self.sim.rest("POST", "volumes", {"names": self.prefix + name}, {"provisioned": size})
        return self.sim.volumes()[self.prefix + name]["serial"]

    def act(self, method, name, **args):
        return self.node.call(method, self.config, volname=name, **args)

    def fails(self, code, method, name, **args):
        reply = self.node.ask(method, self.config, volname=name, **args)
        assert not reply["ok"] and reply["code"] == code, reply
        return reply["error"]

    def clean(self):
        """Nothing is left: no device, no connection, no entry."""
        for node in self.nodes:
            assert not node.mapped(), node.mapped()
            assert not node.registry(), node.registry()
        assert not self.sim.connections(), self.sim.connections()

    def close(self):
        for node in self.nodes:
            node.close()
        self.sim.close()


def test_life(build):
    s = Stage(build)
    serial = s.disk("vm-100-disk-0")
    path = f"/dev/disk/by-id/dm-uuid-mpath-3624a9370{serial.lower()}"
    assert s.act("path", "vm-100-disk-0") == {"path": path, "vmid": 100}
    assert s.act("activate", "vm-100-disk-0") == {"path": path}
    entry, = s.node.registry()
    assert entry["verified"] and entry["serial"] == serial and not entry["leaving"]
    assert s.node.mapped() == {serial}
    s.node.open(serial)
    assert "open on this node" in s.fails("EBUSY", "deactivate", "vm-100-disk-0")
    assert s.node.registry()[0]["verified"] and s.sim.connections()
    s.node.release(serial)
    s.node.events()
    s.act("deactivate", "vm-100-disk-0")
    assert s.node.events() == [f"detach {serial}", f"forget {serial}"], "disconnected in between"
    s.clean()
    s.act("deactivate", "vm-100-disk-0")
    s.act("deactivate", "vm-100-disk-7")
    s.fails("ENOENT", "activate", "vm-100-disk-7")
    s.fails("ENOENT", "path", "vm-100-disk-7")
    s.clean()
    s.close()


def test_cost(build):
    """Table E: 1 GET for the guest's disks and 1 POST a disk and array; none for what is active."""
    for names in (("fa1",), ("fa1", "fa2")):
        s = Stage(build, names)
        disks = [f"vm-100-disk-{i}" for i in range(4)]
        for d in disks + ["vm-101-disk-0"]:
            s.disk(d)
        s.act("activate", "vm-101-disk-0")  # login, ports
        s.sim.counted()
        for d in disks:
            s.act("activate", d)
        first = names[0]
        want = {f"{first} GET volumes": 1, **{f"{n} POST connections": 4 for n in names}}
        found = s.sim.counted()
        assert found == want, found
        for d in disks:
            s.act("path", d)
        assert s.sim.counted() == {}, "path() of a verified volume asks nobody"
        for d in disks:
            s.act("activate", d)
        assert s.sim.counted() == {}, "within five seconds, and all is there"
        for d in disks:
            s.act("deactivate", d)
        found = s.sim.counted()
        assert found == {f"{n} DELETE connections": 4 for n in names}, found
        s.close()


def test_resize(build):
    s = Stage(build)
    serial = s.disk("vm-100-disk-0")
    s.act("resize", "vm-100-disk-0", size=2 * GIB, running=0)
    assert s.act("size", "vm-100-disk-0")["size"] == 2 * GIB
    assert s.node.events() == []
    s.act("activate", "vm-100-disk-0")
    s.node.open(serial)
    s.act("resize", "vm-100-disk-0", size=3 * GIB, running=1)
    assert f"resize {serial}" in s.node.events()
    assert s.node.registry()[0]["size"] == 3 * GIB
    assert "not made smaller" in s.fails("EINVAL", "resize", "vm-100-disk-0", size=GIB, running=1)
    # Another node has grown it.
    s.sim.rest("PATCH", "volumes", {"names": "vg/vm-100-disk-0"}, {"provisioned": 4 * GIB})
    time.sleep(5.1)
    s.act("activate", "vm-100-disk-0")
    assert s.node.events() == [f"resize {serial}"]
    s.close()


def test_snapshot(build):
    s = Stage(build)
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


def test_snapshot_safemode(build):
    """The temporary volume cannot be eradicated: its name is taken, and is used again."""
    s = Stage(build)
    s.disk("vm-100-disk-0")
    s.sim.ask("POST", "/make", {"array": "fa1", "config": {"safemode": True}})
    s.sim.rest("POST", "volume-snapshots", {"source_names": "vg/vm-100-disk-0"},
               {"suffix": "snap-a"})
    for _ in range(2):
        s.act("activate", "vm-100-disk-0", snap="a")
        s.act("deactivate", "vm-100-disk-0", snap="a")
        s.clean()
    s.close()


def test_outage(build):
    """An array of the pod is down: a warning, an entry that says so, and repaired by the next."""
    s = Stage(build, ("fa1", "fa2"))
    serial = s.disk("vm-100-disk-0")
    s.sim.ask("POST", "/down", {"array": "fa2"})
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
    s.act("activate", "vm-100-disk-0", heal=1)
    assert len(s.sim.connections()) == 2
    s.node.release(serial)
    # Down while it leaves: the device is gone, the entry stays until the array is asked again.
    s.sim.ask("POST", "/down", {"array": "fa2"})
    s.act("deactivate", "vm-100-disk-0")
    assert not s.node.mapped() and s.node.registry()[0]["leaving"]
    s.sim.well()
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
    s.close()


def test_first_array_down(build):
    """State is asked of the other array, which says that the pod is online there."""
    s = Stage(build, ("fa1", "fa2"))
    s.disk("vm-100-disk-0")
    s.sim.ask("POST", "/down", {"array": "fa1"})
    assert s.act("size", "vm-100-disk-0", timeout=10)["size"] == GIB
    s.act("activate", "vm-100-disk-0")
    # An array on which the pod is not online says nothing that counts.
    s.sim.ask("POST", "/set", {"pod": "pod", "array": "fa2", "status": "offline"})
    reply = s.node.ask("size", s.config, volname="vm-100-disk-9", timeout=10)
    assert not reply["ok"] and reply["code"] != "ENOENT", reply
    s.close()


def test_all_down(build):
    s = Stage(build)
    s.disk("vm-100-disk-0")
    s.act("size", "vm-100-disk-0")
    s.sim.ask("POST", "/down", {"array": "fa1"})
    for method in ("path", "activate", "deactivate", "size"):
        s.fails("EHOSTUNREACH", method, "vm-100-disk-0")
    assert not s.node.registry()
    s.sim.well()
    s.act("activate", "vm-100-disk-0")
    s.sim.ask("POST", "/down", {"array": "fa1"})
    s.act("path", "vm-100-disk-0")
    s.close()


def test_vgroup_on_two(build):
    """The old documentation's example: a volume group and two addresses."""
    s = Stage(build, ("fa1", "fa2"))
    s.config, s.prefix = s.sim.config(), "vg/"
    s.disk("vm-100-disk-0")
    reply = s.node.ask("activate", s.config, volname="vm-100-disk-0")
    assert reply["ok"] and any("without a pod" in l for _, l in reply["log"]), reply
    assert s.sim.connections() == {("fa1", "pve1", "vg/vm-100-disk-0")}
    s.sim.ask("POST", "/down", {"array": "fa1"})
    # The second array does not have the group: that is no answer.
    s.fails("EHOSTUNREACH", "size", "vm-100-disk-0")
    s.close()


def test_unanswered(build):
    """A request that was done, whose answer was lost."""
    for kind in ("drop-after", "reset-after", "truncated"):
        for method, path in (("POST", "connections"), ("DELETE", "connections")):
            s = Stage(build)
            s.disk("vm-100-disk-0")
            s.sim.fault(kind=kind, array="fa1", method=method, path=path, count=1)
            s.act("activate", "vm-100-disk-0")
            s.act("deactivate", "vm-100-disk-0")
            s.clean()
            s.close()


def test_no_device(build):
    """The array connects and nothing appears here: what was connected is taken back."""
    s = Stage(build)
    s.disk("vm-100-disk-0")
    s.node.host = "other"
    s.node.stop()
    s.node.start()
    s.node.send(s.node.request("activate", s.config, volname="vm-100-disk-0"))
    reply = s.node.receive()
    assert not reply["ok"] and reply["code"] == "ETIMEDOUT", reply
    s.clean()
    s.close()


def test_reused_name(build):
    """The name is another volume's by now: the old device makes way, or stops it if it is open."""
    s = Stage(build)
    old = s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    s.sim.rest("PATCH", "volumes", {"names": "vg/vm-100-disk-0"}, {"name": "vg/gone"})
    new = s.disk("vm-100-disk-0")
    time.sleep(5.1)
    s.node.open(old)
    assert "another volume" in s.fails("EBUSY", "activate", "vm-100-disk-0")
    s.node.release(old)
    s.act("activate", "vm-100-disk-0")
    assert s.node.mapped() == {new} and s.node.registry()[0]["serial"] == new
    s.close()


def test_registry_damaged(build):
    s = Stage(build)
    serial = s.disk("vm-100-disk-0")
    s.disk("vm-100-disk-1")
    s.act("activate", "vm-100-disk-0")
    path = f"{s.node.root}/var/lib/pvewarden/array/registry.json"
    with open(path, "w", encoding="ascii") as f:
        f.write("{")
    assert s.act("path", "vm-100-disk-0")["path"].endswith(serial.lower())
    reply = s.node.ask("activate", s.config, volname="vm-100-disk-1")
    assert reply["ok"] and any("registry.json.bad" in l for _, l in reply["log"]), reply
    assert os.path.exists(path + ".bad")
    s.act("deactivate", "vm-100-disk-0")
    s.act("deactivate", "vm-100-disk-1")
    s.clean()
    s.close()


def test_reboot(build):
    """Entries of before are verified again by an activation, and taken away by a deactivation."""
    s = Stage(build)
    s.disk("vm-100-disk-0")
    s.disk("vm-100-disk-1")
    s.act("activate", "vm-100-disk-0")
    s.act("activate", "vm-100-disk-1")
    s.node.boot()
    s.sim.counted()
    s.act("path", "vm-100-disk-0")
    assert "fa1 GET volumes" in s.sim.counted()
    s.act("activate", "vm-100-disk-0")
    assert [e["verified"] for e in s.node.registry()].count(True) == 1
    s.act("deactivate", "vm-100-disk-1")
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
    s.close()


def test_still(build):
    """What was looked at some time ago is taken away only while its entry is the same: between the
    look and the lock a guest may have been started, whose disks are not open yet."""
    s = Stage(build)
    serial = s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    name = s.node.registry()[0]["array_volume"]
    seen = s.node.registry()[0]["put"]

    def cut():
        s.sim.rest("DELETE", "connections", {"host_names": "pve1", "volume_names": name})

    cut()
    s.act("activate", "vm-100-disk-0")
    assert "since it was looked at" in s.fails("ECANCELED", "deactivate", "vm-100-disk-0", put=seen)
    seen = s.node.registry()[0]["put"]
    cut()
    s.sim.rest("POST", "connections", {"host_names": "pve1", "volume_names": name})
    s.act("activate", "vm-100-disk-0")
    assert s.node.registry()[0]["put"] == seen, "all was in order: the entry stays as it was"
    assert "paths work" in s.fails("ECANCELED", "deactivate", "vm-100-disk-0", put=seen)
    assert s.node.mapped() == {serial}
    cut()
    s.act("deactivate", "vm-100-disk-0", put=seen)
    s.clean()
    assert "somebody else" in s.fails("ECANCELED", "deactivate", "vm-100-disk-0", put=seen)
    s.close()


def test_migration(build):
    """Both nodes have it for a while; each leaves alone what is the other's."""
    s = Stage(build, nodes=("pve1", "pve2"))
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


def test_at_once(build):
    """Threads of one process and another process, on the same disks: no call is lost."""
    s = Stage(build)
    for i in range(6):
        s.disk(f"vm-100-disk-{i}")
    ask = s.node.request
    names = [f"vm-100-disk-{i}" for i in range(6)] * 3
    replies = s.node.at_once([ask("activate", s.config, volname=n) for n in names])
    assert all(r["ok"] for r in replies), replies
    found = s.sim.counted()
    assert found["fa1 GET volumes"] == 1 and found["fa1 POST connections"] == 6, found
    replies = s.node.at_once([ask("deactivate", s.config, volname=n) for n in names])
    assert all(r["ok"] for r in replies), replies
    s.clean()
    s.close()


def test_killed(build):
    """Killed in the middle of an activation or a removal, again and again: the same call, made
    again, ends where it would have."""
    s = Stage(build, delay_ms=20)
    s.disk("vm-100-disk-0")
    for i in range(30):
        s.node.send(s.node.request("activate", s.config, volname="vm-100-disk-0"))
        time.sleep(0.002 * i)
        s.node.kill()
        entries = s.node.registry()
        if s.sim.connections() or s.node.mapped():
            assert entries, "nothing is connected or mapped without an entry"
        if i % 2:
            s.act("activate", "vm-100-disk-0")
            assert s.node.registry()[0]["verified"] and len(s.node.mapped()) == 1
            s.node.send(s.node.request("deactivate", s.config, volname="vm-100-disk-0"))
            time.sleep(0.002 * i)
            s.node.kill()
            if s.sim.connections() or s.node.mapped():
                assert s.node.registry(), "what is not gone has an entry"
        s.act("deactivate", "vm-100-disk-0")
        s.clean()
    s.close()


def test_snapshot_killed(build):
    """What stands for a snapshot on the array is never there without an entry, and goes."""
    s = Stage(build, delay_ms=5)
    s.disk("vm-100-disk-0")
    s.sim.rest("POST", "volume-snapshots", {"source_names": "vg/vm-100-disk-0"},
               {"suffix": "snap-a"})

    def made():
        return [n for n in s.sim.volumes() if n.startswith("vg/tmp-")]

    early = 0
    for i in range(40):
        s.node.send(s.node.request("activate", s.config, volname="vm-100-disk-0", snap="a"))
        time.sleep(0.001 * i)
        s.node.kill()
        if made():
            entry, = s.node.registry()
            assert entry["snap"] == "a" and entry["array_volume"] == made()[0]
            early += not entry["serial"]
        if i % 2:
            s.act("activate", "vm-100-disk-0", snap="a")
            s.node.send(s.node.request("deactivate", s.config, volname="vm-100-disk-0", snap="a"))
            time.sleep(0.001 * i)
            s.node.kill()
            assert not made() or s.node.registry()
        s.act("deactivate", "vm-100-disk-0", snap="a")
        assert not made(), made()
        s.clean()
    print(f"# {early} times before its serial was known")
    s.close()


def test_snapshot_unreached(build):
    """An array that does not take the destroy: known until it does."""
    s = Stage(build)
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


def test_bad_requests(build):
    s = Stage(build)
    good = s.node.request("path", s.config, volname="vm-100-disk-0")
    for change, code in (({"schema": "x"}, "EINVAL"), ({"method": "x"}, "ENOSYS"),
                         ({"storage": "../x"}, "EINVAL"), ({"args": []}, "EINVAL"),
                         ({"args": {}}, "EINVAL"), ({"config": None}, "EINVAL"),
                         ({"args": {"volname": "vm-1-a/../b"}}, "EINVAL")):
        s.node.send({**good, **change})
        reply = s.node.receive()
        assert not reply["ok"] and reply["code"] == code and reply["error"], (change, reply)
    no_token = {**s.config}
    del no_token["token"]
    reply = s.node.ask("size", no_token, volname="vm-100-disk-0")
    assert "no token" in reply["error"], reply
    with open(f"{s.node.root}/etc/pve/priv/storage/pure.purestorage-token", "w",
              encoding="ascii") as f:
        f.write("fa1-token\n")
    s.disk("vm-100-disk-0")
    assert s.node.call("size", no_token, volname="vm-100-disk-0")["size"] == GIB
    # It goes before the section's.
    assert s.node.call("size", {**s.config, "token": "wrong"}, volname="vm-100-disk-0")
    s.close()


def late(_signal, _frame):
    raise TimeoutError("not done after 120 s")


def main():
    build, pattern = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    tests = [(n, f) for n, f in globals().items() if n.startswith("test_") and pattern in n]
    failed = 0
    signal.signal(signal.SIGALRM, late)
    for name, test in tests:
        begun = time.monotonic()
        signal.alarm(120)
        try:
            test(build)
            print(f"ok - {name} ({time.monotonic() - begun:.1f} s)", flush=True)
        except Exception as e:  # each test is told of, whatever it ran into
            failed += 1
            print(f"not ok - {name}: {type(e).__name__}: {e}", flush=True)
            if os.environ.get("TRACE"):
                raise
        finally:
            signal.alarm(0)
            lib.end_all()
    print(f"{len(tests) - failed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
