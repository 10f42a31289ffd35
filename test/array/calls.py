#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The mapping calls against the simulator, with played devices: what each does, what each costs,
what an outage or a kill leaves. calls.py [PATTERN...]"""
import errno
import json
import os
import socket
import time

import lib
from lib import Node, Sim

GIB = 1 << 30
NQN = "nqn.2014-08.org.nvmexpress:uuid:pve1"


class Stage:
    def __init__(self, arrays=1, nodes=("pve1",), delay_ms=0, initiator=None, content=False, **config):
        self.sim = Sim(arrays, content=content)
        self.sim.furnish(nodes, initiator)
        place = {"podname": "pod"} if arrays > 1 else {}
        self.nodes = [Node(self.sim, n, delay_ms, **{**place, **config}) for n in nodes]
        self.node = self.nodes[0]
        self.config = self.node.config
        self.prefix = "pod::" if arrays > 1 else "vg/"

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


def test_life():
    s = Stage()
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


def test_cost():
    """Table E: 1 GET for the guest's disks and 1 POST a disk and array; none for what is active."""
    for names in (("fa1",), ("fa1", "fa2")):
        s = Stage(len(names))
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


def test_cloudinit():
    """Proxmox asks for a path, then looks whether the drive is there, makes it, activates it, and writes to that path."""
    s = Stage()
    name = "vm-100-cloudinit"
    named = f"/run/pvewarden/array/named/pure/{name}"
    link = s.node.path(named[1:])
    for safemode in (False, False, True, True):
        s.sim.ask("POST", "/make", {"array": "fa1", "config": {"safemode": safemode}})
        assert s.act("path", name) == {"path": named, "vmid": 100}
        assert not os.path.lexists(link)
        s.fails("ENOENT" if not safemode or not s.sim.volume(f"vg/{name}") else "ESTALE", "activate", name)
        assert not s.node.ask("size", s.config, volname=name)["ok"]
        assert s.node.call("alloc", s.config, vmid=100, name=name, size_kib=4096) == name
        path = s.act("activate", name)["path"]
        serial = s.sim.volumes()[f"vg/{name}"]["serial"]
        assert path.endswith(serial.lower()) and os.readlink(link) == path
        assert os.stat(os.path.dirname(link)).st_mode & 0o777 == 0o700
        assert s.act("path", name) == {"path": path, "vmid": 100}
        s.act("activate", name)
        assert os.readlink(link) == path
        s.act("deactivate", name)
        assert not os.path.lexists(link)
        s.act("activate", name)
        s.act("free", name)
        assert not os.path.lexists(link)
        s.clean()
    # One that is left over never stands for another volume.
    os.symlink("/dev/disk/by-id/wrong", link)
    s.node.call("alloc", s.config, vmid=100, name=name, size_kib=4096)
    path = s.act("activate", name)["path"]
    assert os.readlink(link) == path == s.act("path", name)["path"]
    # Nothing is guessed of an array that does not answer, nor of other volumes.
    s.act("deactivate", name)
    s.fails("ENOENT", "path", "vm-100-disk-0")
    s.fails("ENOENT", "path", "vm-100-cloudinit-2")
    s.fails("ENOENT", "path", "base-100-cloudinit")
    s.sim.down("fa1")
    s.node.restart()
    assert not s.node.ask("path", s.config, volname=name)["ok"]
    s.sim.well()
    s.close()


def test_resize():
    s = Stage()
    serial = s.disk("vm-100-disk-0")
    s.act("resize", "vm-100-disk-0", size=2 * GIB, running=0)
    assert s.act("size", "vm-100-disk-0")["size"] == 2 * GIB
    assert s.node.events() == []
    s.act("activate", "vm-100-disk-0")
    s.node.open(serial)
    s.sim.counted()
    s.act("resize", "vm-100-disk-0", size=3 * GIB, running=1)
    assert s.sim.counted() == {"fa1 PATCH volumes": 1}
    assert f"resize {serial}" in s.node.events()
    assert s.node.registry()[0]["size"] == 3 * GIB
    assert "not made smaller" in s.fails("EINVAL", "resize", "vm-100-disk-0", size=GIB, running=1)
    # Another node has grown it.
    s.sim.rest("PATCH", "volumes", {"names": "vg/vm-100-disk-0"}, {"provisioned": 4 * GIB})
    time.sleep(5.1)
    s.act("activate", "vm-100-disk-0")
    assert s.node.events() == [f"resize {serial}"]
    s.close()


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


def pod_is(s, status, *arrays):
    for array in arrays:
        s.sim.ask("POST", "/set", {"pod": "pod", "array": array, "status": status})


def of_volumes(s, array):
    """What that array was asked of volumes, and told to change, but for whom it connects."""
    return [call for call in s.sim.counted() if call.startswith(array + " ")
            and call.split(" ", 2)[2] not in ("pods", "arrays", "connections", "ports")]


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


# ---- an array that takes connections and says nothing ----

# What each call may take of its time, and then of the next: docs/array.md, 4.
SILENT = (("check_connection", {}, 4), ("status", {}, 4), ("size", {"volname": "vm-100-disk-0"}, 3),
          ("path", {"volname": "vm-100-disk-0"}, 10), ("list", {}, 30),
          ("alloc", {"vmid": 100, "size_kib": 1024}, 50),
          ("snapshot", {"volname": "vm-100-disk-0", "snap": "a"}, 50),
          ("resize", {"volname": "vm-100-disk-0", "size": 2 * GIB, "running": 0}, 50),
          ("activate", {"volname": "vm-100-disk-0"}, 60))


def timed(call):
    begun = time.monotonic()
    return call(), time.monotonic() - begun


def silence(s, array):
    s.sim.fault(kind="hang", array=array, count=-1, ms=120000)


def silent_first_array(method, args, limit, warm):
    s = Stage(2)
    s.disk("vm-100-disk-0")
    if warm:
        s.node.call("list", s.config)
        time.sleep(5.1)
    silence(s, "fa1")
    reply, took = timed(lambda: s.node.ask(method, s.config, **args))
    assert reply["ok"] and reply["result"] is not False, (method, reply)
    assert took < min(limit - 1, 14), (method, took)
    s.sim.counted()
    # Its silence is remembered, by all calls: the other one is asked first.
    reply, took = timed(lambda: s.node.ask("size", s.config, volname="vm-100-disk-0"))
    assert reply["ok"] and took < 0.8, (method, took)
    found = s.sim.counted()
    assert found == {"fa2 GET pods": 1, "fa2 GET volumes": 1}, found
    s.close()


def test_silent_first_array():
    """A site without power: each call has its answer from the other array, in time."""
    for method, args, limit in SILENT[:5]:
        silent_first_array(method, args, limit, warm=False)


def test_silent_first_array_kept_connection():
    for method, args, limit in SILENT[:5]:
        silent_first_array(method, args, limit, warm=True)


def test_silent_first_array_changes():
    for method, args, limit in SILENT[5:]:
        silent_first_array(method, args, limit, warm=True)


def test_silent_at_once():
    """The second call of each kind asks the silent array no more, or not for long."""
    s = Stage(2)
    s.disk("vm-100-disk-0")
    s.disk("vm-100-disk-1")
    silence(s, "fa1")
    assert s.node.call("check_connection", s.config) is True
    for method, args, _ in SILENT:
        reply, took = timed(lambda: s.node.ask(method, s.config, **args))
        assert reply["ok"], (method, reply)
        assert took < (6 if method == "activate" else 1), (method, took)
    s.sim.well()
    s.close()


def test_deaf_port():
    """It accepts, and nobody is behind it: as a host does that has stopped."""
    s = Stage(2)
    s.disk("vm-100-disk-0")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        addresses = [f"http://127.0.0.1:{deaf.getsockname()[1]}", s.config["address"].split(",")[1]]
        s.config = {**s.config, "address": ",".join(addresses)}
        for n, (method, args, limit) in enumerate(SILENT):
            reply, took = timed(lambda: s.node.ask(method, s.config, **args))
            assert reply["ok"] and reply["result"] is not False, (method, reply)
            assert took < (limit - 1 if n == 0 else 6 if method == "activate" else 1), (method, took)
        entry, = s.node.registry()
        assert entry["partial"] and s.sim.connections() == {("fa2", "pve1", "pod::vm-100-disk-0")}
    s.close()


def test_silent_then_well():
    """One answer, and it is asked first again."""
    s = Stage(2)
    s.disk("vm-100-disk-0")
    silence(s, "fa1")
    s.act("activate", "vm-100-disk-0")
    assert s.node.registry()[0]["partial"]
    s.sim.well()
    s.act("activate", "vm-100-disk-0")
    assert not s.node.registry()[0]["partial"] and len(s.sim.connections()) == 2
    s.sim.counted()
    s.act("size", "vm-100-disk-0")
    assert s.sim.counted() == {"fa1 GET pods": 1, "fa1 GET volumes": 1}, "is it in step again?"
    s.act("size", "vm-100-disk-0")
    assert s.sim.counted() == {"fa1 GET volumes": 1}
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
    s.close()


def test_silent_second_array():
    """It takes part of the time that the first connection has, and less of the next."""
    s = Stage(2)
    s.disk("vm-100-disk-2")
    s.disk("vm-100-disk-0")
    s.disk("vm-100-disk-1")
    s.act("activate", "vm-100-disk-2")
    time.sleep(5.1)
    silence(s, "fa2")
    for name, limit in (("vm-100-disk-0", 9), ("vm-100-disk-1", 5)):
        reply, took = timed(lambda: s.node.ask("activate", s.config, volname=name))
        assert reply["ok"] and took < limit, (reply, took)
        assert any("is not connected on" in l for _, l in reply["log"]), reply
    _, took = timed(lambda: s.act("deactivate", "vm-100-disk-0"))
    assert took < 6, took
    s.close()


def test_silent_unknown_change():
    """A change that the first array took and did not answer is not sent to the other one."""
    s = Stage(2)
    s.disk("vm-100-disk-0")
    s.sim.fault(kind="hang-after", array="fa1", method="PATCH", path="volumes", count=-1, ms=120000)
    s.sim.counted()
    reply, took = timed(lambda: s.node.ask("resize", s.config, volname="vm-100-disk-0", size=2 * GIB,
                                           running=0))
    assert reply["ok"] and took < 20, (reply, took)  # it was read again
    assert "fa2 PATCH volumes" not in s.sim.counted()
    s.close()


def test_silent_and_offline():
    """The pod is not online on the array that answers: it is asked for nothing and told nothing, also
    when it comes first because the other one is known to be silent."""
    s = Stage(2)
    s.disk("vm-100-disk-0")
    s.sim.ask("POST", "/set", {"pod": "pod", "array": "fa2", "status": "offline"})
    silence(s, "fa1")
    s.sim.counted()
    for _ in range(2):
        reply, took = timed(lambda: s.node.ask("size", s.config, volname="vm-100-disk-9"))
        assert not reply["ok"] and reply["code"] == "EHOSTUNREACH" and took < 3.5, (reply, took)
    assert set(s.sim.counted()) <= {"fa1 GET volumes", "fa2 GET arrays", "fa2 GET pods"}
    reply = s.node.ask("resize", s.config, volname="vm-100-disk-0", size=2 * GIB, running=0)
    assert not reply["ok"] and "fa2 PATCH volumes" not in s.sim.counted(), reply
    s.close()


def test_all_silent():
    """Each call ends within its own time, and says who did not answer."""
    s = Stage(2)
    s.disk("vm-100-disk-0")
    silence(s, "fa1")
    silence(s, "fa2")
    for _ in range(2):
        for method, args, limit in SILENT[:4]:
            reply, took = timed(lambda: s.node.ask(method, s.config, **args))
            assert took < limit + 0.5, (method, took)
            said = " ".join(l for _, l in reply["log"]) + reply.get("error", "")
            assert not reply["ok"] or reply["result"] is False, (method, reply)
            assert "127.0.0.1" in said and "no answer" in said, (method, reply)
    s.close()


def test_slow():
    """Both take long and answer in time: whatever one array alone could do, its pod can. (The first status
    of a pod without a quota takes two answers.)"""
    for ms in (1200, 1600):
        s = Stage(2)
        disks = [f"vm-100-disk-{i}" for i in range(2)]
        for d in disks:
            s.disk(d)
        s.node.call("list", s.config)
        s.sim.fault("latency", ms=ms, count=-1)
        for method, args in (("size", {"volname": disks[0]}), ("status", {}), ("check_connection", {}),
                             ("size", {"volname": disks[1]}), ("path", {"volname": disks[0]}),
                             ("activate", {"volname": disks[1]})):
            reply = s.node.ask(method, s.config, **args)
            assert reply["ok"] and reply["result"] is not False, (ms, method, reply)
        entry, = s.node.registry()
        assert not entry["partial"] and len(s.sim.connections()) == 2, (ms, entry)
        s.close()


def test_slow_first_array():
    """Slower than there is time: the other one's word serves, which is asked meanwhile."""
    s = Stage(2)
    s.disk("vm-100-disk-0")
    s.node.call("list", s.config)
    s.sim.fault("latency", array="fa1", ms=4000, count=-1)
    reply, took = timed(lambda: s.node.ask("size", s.config, volname="vm-100-disk-0"))
    assert reply["ok"] and took < 2, (reply, took)
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


def test_silent_array_and_another_twice():
    """Two addresses of one array are one array: what the silent one says of who uses the volume is lacking."""
    s = Stage(2, nodes=("pve1", "pve2"), content=True)
    serial = s.disk("vm-100-disk-0")
    s.sim.write(serial, "old")
    s.act("snapshot", "vm-100-disk-0", snap="s1")
    s.sim.write(serial, "used by a stranger")
    s.sim.make("fa2", hosts=[{"name": "stranger", "iqns": ["iqn.2026-01.test:stranger"]}])
    s.sim.rest("POST", "connections", {"host_names": "stranger", "volume_names": "pod::vm-100-disk-0"}, array="fa2")
    one, other = s.config["address"].split(",")
    s.config = {**s.config, "address": f"{one},{one.replace('127.0.0.1', 'localhost')},{other}",
                "token": "fa1-token,fa1-token,fa2-token"}
    silence(s, "fa2")
    reply = s.node.ask("rollback", s.config, volname="vm-100-disk-0", snap="s1")
    assert not reply["ok"] and "is not known" in reply["error"], reply
    assert s.sim.read(serial) == "used by a stranger"
    # It is known to be out: what is connected there does not count.
    pod_is(s, "offline", "fa2")
    reply = s.node.ask("rollback", s.config, volname="vm-100-disk-0", snap="s1")
    assert reply["ok"] and s.sim.read(serial) == "old", reply
    s.close()


def guest_with_state(s):
    """Two disks, and what else Proxmox hands over when the guest ends: an unused disk, two RAM snapshots."""
    mapped = [f"vm-100-disk-{i}" for i in range(2)]
    others = ["vm-100-disk-2", "vm-100-state-a", "vm-100-state-b"]
    for d in mapped + others:
        s.disk(d)
    return mapped, others


def test_stop_cost():
    """What was never mapped costs one look at the guest's volumes."""
    s = Stage()
    mapped, others = guest_with_state(s)
    for d in mapped:
        s.act("activate", d)
    time.sleep(5.1)
    s.sim.counted()
    for d in mapped + others:
        s.act("deactivate", d)
    found = s.sim.counted()
    assert found == {"fa1 DELETE connections": 2, "fa1 GET volumes": 1}, found
    s.clean()
    s.close()


def test_stop_with_silent_array():
    """The guest ends in seconds: its disks are off this node, and the array is told later. What has never
    been here is not here, and nobody need be asked for that."""
    stop_with_silent_array(Stage(), stays=False)
    stop_with_silent_array(nvme_stage(), stays=True)


def stop_with_silent_array(s, stays):
    mapped, others = guest_with_state(s)
    busy = s.disk("vm-101-disk-0")
    for d in (*mapped, "vm-101-disk-0"):
        s.act("activate", d)
    s.node.open(busy)
    time.sleep(5.1)
    silence(s, "fa1")
    for n, d in enumerate(mapped + others):
        reply, took = timed(lambda: s.node.ask("deactivate", s.config, volname=d))
        assert reply["ok"] and took < (7 if n == 0 else 4 if d in mapped else 1), (d, took, reply)
    assert len(s.node.mapped()) == (3 if stays else 1), "a namespace stays as long as its array shows it"
    assert {e["volname"] for e in s.node.registry() if e["leaving"]} == set(mapped)
    # One that nobody has open may have been given that name elsewhere: not known, soon.
    s.node.release(busy)
    reply, took = timed(lambda: s.node.ask("deactivate", s.config, volname=others[0]))
    assert not reply["ok"] and reply["code"] == "EHOSTUNREACH" and took < 4, (took, reply)
    s.sim.well()
    for d in [*mapped, "vm-101-disk-0"]:
        s.act("deactivate", d)
    s.clean()
    s.close()


def test_connected_without_device():
    """Connected, and no device came of it: known by the entry after a kill, by the array where this node has
    no entry. Its deactivation disconnects it."""
    for lost in (False, True):
        s = Stage(delay_ms=1500)
        s.disk("vm-100-disk-0")
        s.node.call("list", s.config)
        s.node.send(s.node.request("activate", s.config, volname="vm-100-disk-0"))
        until(s.sim.connections, 10)
        s.node.kill()
        if lost:
            os.unlink(s.node.path("var/lib/pvewarden/array/registry.json"))
        for name in list(s.node.mapped()):
            os.unlink(os.path.join(s.node.devices, name))
        s.node.start()
        s.disk("vm-100-disk-1")
        s.act("deactivate", "vm-100-disk-1")  # the guest's volumes are known from here on
        s.act("deactivate", "vm-100-disk-0")
        s.clean()
        s.close()


def test_status_of_silent_array():
    """Storages of one array share its answer; that it is silent costs its storages a second, together."""
    s = Stage()

    def ask(method, storage):
        s.node.send({**s.node.request(method, s.config), "storage": storage})
        return s.node.receive()

    for storage in ("p0", "p1", "p2"):
        assert ask("status", storage)["ok"]
    assert s.sim.counted() == {"fa1 GET arrays/space": 1}
    silence(s, "fa1")
    time.sleep(10.1)
    for turn, limit in enumerate((6, 1.5, 1.5)):
        answers, took = timed(lambda: [ask("check_connection", f"p{i}") for i in range(5)])
        assert took < limit, (turn, took)
        assert all(a["ok"] and a["result"] is False for a in answers), answers
        assert all("127.0.0.1" in " ".join(l for _, l in a["log"]) for a in answers), answers
        time.sleep(2.5)
    assert ask("status", "p0")["code"] == "EHOSTUNREACH"
    s.sim.well()
    time.sleep(2.5)
    assert ask("check_connection", "p1")["result"] is True
    s.close()


# ---- an /etc/pve that does not answer ----

def hung_stage(**more):
    """Its token is in a file of /etc/pve."""
    s = Stage(nodes=("pve1", "pve2"), **more)
    storages(s, 1)
    s.node.write("etc/pve/priv/storage/pure.purestorage-token", s.config["token"])
    for node in s.nodes:
        node.config = {k: v for k, v in node.config.items() if k != "token" or node != s.node}
    s.config = s.node.config
    s.node.behind_pmxcfs()
    return s


def test_pmxcfs_hangs():
    """What needs nothing of it goes on; what does is refused within its time, with the reason; and all of
    it is well when it is back."""
    s = hung_stage()
    disks = [f"vm-100-disk-{i}" for i in range(3)]
    serials = [s.disk(d) for d in disks]
    s.act("activate", disks[0])
    s.nodes[1].call("activate", volname=disks[2])
    s.act("status", disks[0])
    s.node.hang(True)
    for limit in (4, 1.2):
        for method, args, good in (
                ("path", {"volname": disks[0]}, True),
                ("activate", {"volname": disks[0]}, True),
                ("status", {}, True),
                ("size", {"volname": disks[0]}, True),
                ("activate", {"volname": disks[1]}, True),
                ("deactivate", {"volname": disks[1]}, True),
                ("list", {}, True),
                ("free", {"volname": disks[2]}, False),
                ("rollback", {"volname": disks[2], "snap": "a"}, False),
                ("on_delete", {}, False)):
            reply, took = timed(lambda: s.node.ask(method, s.config, **args))
            assert reply["ok"] == good and took < limit, (method, took, reply)
            assert good or "pmxcfs hangs" in reply["error"], (method, reply)
            limit = 1.2
    assert not s.sim.volume("vg/" + disks[2])["destroyed"]
    # Asked for by many at once: one thread hangs, not each.
    replies, took = timed(lambda: s.node.many(60, "path", volname=disks[0]))
    assert all(r["ok"] for r in replies) and took < 3, took
    s.node.hang(False)
    until(lambda: s.node.ask("snapshot", s.config, volname=disks[0], snap="b")["ok"], 5)
    s.nodes[1].call("deactivate", volname=disks[2])
    until(lambda: s.node.ask("free", s.config, volname=disks[2])["ok"], 5)
    assert s.node.mapped() == {serials[0]}
    s.act("deactivate", disks[0])
    s.clean()
    s.close()


def test_pmxcfs_hangs_from_the_start():
    """Nothing is known of it: that is no storage without a token."""
    s = hung_stage()
    s.disk("vm-100-disk-0")
    s.node.hang(True)
    for limit in (5, 1.2):
        reply, took = timed(lambda: s.node.ask("activate", s.config, volname="vm-100-disk-0"))
        assert reply["code"] == "ETIMEDOUT" and "pmxcfs hangs" in reply["error"], reply
        assert took < limit, took
    s.node.hang(False)
    until(lambda: s.node.ask("activate", s.config, volname="vm-100-disk-0")["ok"], 5)
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
    s.close()


def test_pmxcfs_hangs_unasked():
    """The document is written, says so, and calls nothing gone."""
    s = hung_stage()
    s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    s.node.publish()
    first, _ = until(s.node.document, 10)
    assert not first["blind"] and [r["id"] for r in first["storages"]] == ["pure"], first
    begun = time.time()
    s.node.hang(True)
    doc, _ = until(lambda: s.node.document(begun), 40)
    assert any("pmxcfs hangs" in b for b in doc["blind"]) and not doc["drift"], doc
    assert [m["state"] for m in doc["maps"]] == ["unknown"], doc
    begun = time.time()
    s.node.hang(False)
    doc, _ = until(lambda: s.node.document(begun), 40)
    if doc["blind"]:  # the answer came a moment too late for it
        begun = time.time()
        doc, _ = until(lambda: s.node.document(begun), 40)
    assert not doc["blind"] and [m["state"] for m in doc["maps"]] == ["connected"], doc
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
    s.close()


# ---- what is done unasked ----

def until(what, limit):
    """What is said in the end, and how long that took."""
    begun = time.monotonic()
    while not (found := what()):
        assert time.monotonic() - begun < limit, f"not within {limit} s"
        time.sleep(0.1)
    return found, time.monotonic() - begun


def storages(s, n):
    """The storage `pure`, and others like it, in storage.cfg."""
    s.node.write("etc/pve/storage.cfg", "".join(
        f"purestorage: {name}\n" + "".join(f"\t{k} {v}\n" for k, v in s.config.items() if k != "type")
        + "\n" for name in ["pure"] + [f"p{i}" for i in range(1, n)]))


def test_document_with_silent_array():
    """Many storages on an array that says nothing: the document does not wait for each."""
    s = Stage()
    storages(s, 9)
    silence(s, "fa1")
    s.node.publish()
    doc, took = until(s.node.document, 60)
    assert took < 14, took
    assert len(doc["storages"]) == 9 and all(r["problem"] for r in doc["storages"]), doc["storages"]
    assert doc["arrays"][0]["answer"] == "EHOSTUNREACH", doc["arrays"]
    s.sim.well()
    s.close()


def test_document_with_silent_first_array():
    """The other array serves: no storage is out of reach."""
    s = Stage(2)
    storages(s, 9)
    silence(s, "fa1")
    s.node.publish()
    doc, took = until(s.node.document, 60)
    assert took < 14, took
    assert not any(r.get("problem") for r in doc["storages"]), doc["storages"]
    assert [a["answer"] for a in doc["arrays"]] == ["EHOSTUNREACH", "ok"], doc["arrays"]
    s.sim.well()
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


def test_all_down():
    s = Stage()
    s.disk("vm-100-disk-0")
    s.act("size", "vm-100-disk-0")
    s.sim.down("fa1")
    for method in ("path", "activate", "size"):
        s.fails("EHOSTUNREACH", method, "vm-100-disk-0")
    assert not s.node.registry()
    s.act("deactivate", "vm-100-disk-0")  # this node has no device of any array
    s.sim.well()
    s.act("activate", "vm-100-disk-0")
    s.sim.down("fa1")
    s.act("path", "vm-100-disk-0")
    s.close()


def test_vgroup_on_two():
    """The old documentation's example: a volume group and two addresses."""
    s = Stage(2)
    s.config, s.prefix = s.sim.config(), "vg/"
    s.disk("vm-100-disk-0")
    reply = s.node.ask("activate", s.config, volname="vm-100-disk-0")
    assert reply["ok"] and any("without a pod" in l for _, l in reply["log"]), reply
    assert s.sim.connections() == {("fa1", "pve1", "vg/vm-100-disk-0")}
    s.sim.down("fa1")
    # The second array does not have the group: that is no answer.
    s.fails("EHOSTUNREACH", "size", "vm-100-disk-0")
    s.close()


def test_unanswered():
    """A request that was done, whose answer was lost."""
    for kind in ("drop-after", "reset-after", "truncated"):
        for method, path in (("POST", "connections"), ("DELETE", "connections")):
            s = Stage()
            s.disk("vm-100-disk-0")
            s.sim.fault(kind=kind, array="fa1", method=method, path=path, count=1)
            s.act("activate", "vm-100-disk-0")
            s.act("deactivate", "vm-100-disk-0")
            s.clean()
            s.close()


def test_no_device():
    """The array connects and nothing appears here: what was connected is taken back."""
    s = Stage()
    s.disk("vm-100-disk-0")
    s.node.host = "other"
    s.node.stop()
    s.node.start()
    s.node.send(s.node.request("activate", s.config, volname="vm-100-disk-0"))
    reply = s.node.receive()
    assert not reply["ok"] and reply["code"] == "ETIMEDOUT", reply
    s.clean()
    s.close()


def test_reused_name():
    """The name is another volume's by now: the old device makes way, or stops it if it is open."""
    s = Stage()
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


def test_registry_damaged():
    s = Stage()
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


def add_session(node, host, iqn, portal, state="LOGGED_IN"):
    """A session of iSCSI as /sys has it, on a SCSI host of its own."""
    at = f"sys/devices/platform/host{host}/session{host}/iscsi_session/session{host}"
    link = node.path(f"sys/class/iscsi_session/session{host}")
    for name, text in (("targetname", iqn), ("state", state), ("target_id", "0")):
        node.write(f"{at}/{name}", text + "\n")
    address, port = portal.split(":")
    node.write(f"sys/class/iscsi_connection/connection{host}:0/persistent_address", address + "\n")
    node.write(f"sys/class/iscsi_connection/connection{host}:0/persistent_port", port + "\n")
    os.makedirs(os.path.dirname(link), exist_ok=True)
    if not os.path.lexists(link):
        os.symlink(f"../../../{at}", link)


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


def add_unit(node, host, lun):
    """A unit of SCSI, of whatever volume."""
    os.makedirs(node.path(f"sys/class/scsi_device/{host}:0:0:{lun}/device"))


def test_luns_that_are_free_here():
    """A connection asks for a LUN at which this node has nothing; for one more only when the array has given
    that away to a volume that is not here."""
    s = Stage()
    disks = [f"vm-100-disk-{i}" for i in range(5)]
    serials = [s.disk(d) for d in disks]
    s.sim.rest("POST", "hosts", {"names": "pve9"}, {"iqns": ["iqn.pve9"]})

    def lun(serial):
        with open(f"{s.node.devices}/{serial}.want", encoding="ascii") as f:
            return int(json.load(f)["ports"][0].split()[0])

    s.act("activate", disks[0])
    with open(f"{s.node.devices}/{serials[0]}.want", encoding="ascii") as f:
        ports = [p.split()[1:] for p in json.load(f)["ports"]]
    assert lun(serials[0]) == 1
    for host, (iqn, portal) in enumerate(ports):
        add_session(s.node, host, iqn, portal)
    add_session(s.node, 7, "iqn.2000-01.other:target", "10.9.9.9:3260")
    # LUN 2 is free on the array, and something is here.
    for host, n in ((0, 1), (1, 1), (1, 2), (7, 3)):
        add_unit(s.node, host, n)
    s.sim.zero()
    s.act("activate", disks[1])
    assert lun(serials[1]) == 3, lun(serials[1])
    assert s.sim.counted() == {"fa1 POST connections": 1}, s.sim.counted()
    # 3 and 4 are given away, and nothing of that is here.
    s.sim.rest("POST", "connections", {"host_names": "pve1", "volume_names": "vg/" + disks[2]}, {"lun": 4})
    s.sim.zero()
    s.act("activate", disks[3])
    assert lun(serials[3]) == 5, lun(serials[3])
    assert s.sim.counted() == {"fa1 POST connections": 2, "fa1 GET connections": 1}, s.sim.counted()
    # Connected by somebody else: there.
    s.act("activate", disks[2])
    assert lun(serials[2]) == 4
    for d in disks[:4]:
        s.act("deactivate", d)
    # An answer that was lost is read before anything is repeated.
    s.sim.fault(kind="drop-after", method="POST", path="connections", count=1)
    s.act("activate", disks[4])
    assert lun(serials[4]) == 3 and len(s.sim.connections()) == 1, s.sim.connections()
    s.act("deactivate", disks[4])
    s.clean()
    s.close()


def test_heal_that_fails():
    """What it has connected itself it takes back, and what came of it; the map of the guest stays."""
    s = Stage(2)
    storages(s, 1)
    serial = s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    s.node.use(serial, "open")
    s.sim.rest("DELETE", "connections", {"host_names": "pve1", "volume_names": "pod::vm-100-disk-0"}, array="fa2")
    assert len(s.sim.connections()) == 1
    foreign = os.path.join(s.node.devices, serial + ".foreign")
    with open(foreign, "w", encoding="utf-8"):
        pass
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


def test_reused_lun():
    """A map that works is no proof: since it was made its LUN may have become another volume's."""
    s = Stage()
    serial = s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    with open(os.path.join(s.node.devices, serial + ".foreign"), "w", encoding="utf-8"):
        pass
    assert "another volume" in s.fails("EUCLEAN", "activate", "vm-100-disk-0")
    assert len(s.node.registry()) == 1, "for reap and deactivate"
    s.act("deactivate", "vm-100-disk-0")
    s.close()


def test_reboot():
    """Entries of before are verified again by an activation, and taken away by a deactivation."""
    s = Stage()
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


def test_still():
    """What was looked at some time ago is taken away only while its entry is the same: between the
    look and the lock a guest may have been started, whose disks are not open yet."""
    s = Stage()
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


# ---- renamed, resized, made anew by the other node ----

def two():
    s = Stage(nodes=("pve1", "pve2"))
    return s, *s.nodes


def two_with_storages():
    s = Stage(nodes=("pve1", "pve2"))
    storages(s, 1)
    with open(s.node.path("etc/pve/storage.cfg"), encoding="utf-8") as f:
        s.nodes[1].write("etc/pve/storage.cfg", f.read())
    return s, *s.nodes


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
        two_.call(method, volname="vm-100-disk-0")
        left = {v for _, h, v in s.sim.connections() if h == "pve2"}
        assert two_.mapped() == ({new} if method == "activate" else set()), (method, two_.mapped())
        assert left == ({"vg/vm-100-disk-0"} if method == "activate" else set()), (method, left)
        assert old not in [e["serial"] for e in two_.registry()], (method, two_.registry())
        if method in ("activate", "deactivate"):
            one.call("deactivate", volname="vm-100-disk-0")
        two_.call("deactivate", volname="vm-100-disk-0")
        s.clean()
        s.close()


def aged(node):
    """As if all was activated an hour ago."""
    path = "var/lib/pvewarden/array/registry.json"
    with open(node.path(path), encoding="ascii") as f:
        doc = json.load(f)
    for entry in doc["entries"]:
        entry["checked"] -= 3600 * 1000
    node.write(path + ".new", json.dumps(doc))
    os.rename(node.path(path + ".new"), node.path(path))


def told(node, name):
    """The serial that path() says."""
    return node.call("path", volname=name)["path"][-24:].upper()


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
    reply = two_.ask("path", volname="vm-100-disk-0")
    assert not reply["ok"] and reply["code"] in ("ENOENT", "ESTALE"), reply
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
            assert two_.ask("path", volname="vm-100-disk-0")["code"] == "ENOENT"
        assert told(two_, "vm-101-disk-0") == old
        assert told(two_, "vm-100-disk-1") == kept and told(two_, "vm-100-disk-2") == used
        two_.call("activate", volname="vm-101-disk-0")
        two_.open(old)
        if again:
            two_.call("activate", volname="vm-100-disk-0")
            assert told(two_, "vm-100-disk-0") == new
        assert told(two_, "vm-101-disk-0") == old
        s.close()


def test_silent_array_tells_of_no_rename():
    s, one, two_ = two_with_storages()
    s.disk("vm-100-disk-0")
    two_.call("activate", volname="vm-100-disk-0")
    one.call("rename", volname="vm-100-disk-0", vmid=101)
    s.sim.down("fa1")
    two_.publish()
    until(two_.document, 15)
    time.sleep(1)
    assert two_.registry()[0]["verified"]
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


def test_snapshot_goes_with_the_name():
    """A name that is another volume's has nothing of the old one's snapshots."""
    for method in ("rename", "free", "create_base"):
        s = Stage()
        s.disk("vm-100-disk-0")
        s.sim.rest("POST", "volume-snapshots", {"source_names": "vg/vm-100-disk-0"}, {"suffix": "snap-a"})
        s.act("activate", "vm-100-disk-0", snap="a")
        tmp, = [e["serial"] for e in s.node.registry()]
        s.node.open(tmp)
        s.fails("EBUSY", method, "vm-100-disk-0")
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


class Backups:
    """Container 100 with two volumes, which vzdump snapshots night after night."""

    DISKS = ("vm-100-disk-0", "vm-100-disk-1")

    def __init__(self):
        self.s = Stage()
        for d in self.DISKS:
            self.s.disk(d)
        self.config()

    def config(self, lock="snapshot", kind="lxc", name="vzdump", **section):
        """As Proxmox has written it when it asks for the snapshots; without a section when it has
        forgotten them. Time has passed since the last night."""
        disks = ("rootfs: pure:vm-100-disk-0,size=1G\nmp0: pure:vm-100-disk-1,mp=/data,backup=1,size=1G\n"
                 if kind == "lxc" else
                 "scsi0: pure:vm-100-disk-0,size=1G\nscsi1: pure:vm-100-disk-1,size=1G\n")
        text = f"lock: {lock}\n{disks}" if lock else disks
        if section:
            text += f"\n[{name}]\n{disks}" + "".join(f"{k}: {v}\n" for k, v in section.items())
        self.s.node.guest(100, text, kind=kind)

    def begins(self, **more):
        self.config(**{"snapstate": "prepare", "snaptime": int(time.time()) + 120, **more})

    def take(self, snap="vzdump"):
        return [self.s.node.ask("snapshot", volname=d, snap=snap) for d in self.DISKS]

    def remove(self, snap="vzdump"):
        return [self.s.node.ask("snapshot_delete", volname=d, snap=snap) for d in self.DISKS]

    def ids(self):
        return [[x["id"] for x in self.s.sim.volume(f"vg/{d}")["snapshots"] if not x["destroyed"]]
                for d in self.DISKS]

    def copy(self, disk, snap="vzdump"):
        return self.s.act("activate", self.DISKS[disk], snap=snap)["path"][-24:].upper()

    def refused(self, replies, code):
        assert [r.get("code") for r in replies] == [code] * 2, replies

    def close(self):
        assert all(r["ok"] for r in self.remove())
        self.s.clean()
        self.s.close()


def test_vzdump_forgotten():
    """Proxmox forgets a backup's snapshot that could not be removed; the next backup's takes its place."""
    b = Backups()
    b.begins()
    assert all(r["ok"] for r in b.take())
    copy = b.copy(1)
    b.s.node.open(copy)
    first, second = b.remove()
    assert first["ok"] and second["code"] == "EBUSY", (first, second)
    assert "open on this node" in second["error"] and "pct unlock 100" in second["error"], second
    # Open still: nothing is replaced, and it says so.
    b.begins()
    old = b.ids()
    assert old[0] == [] and len(old[1]) == 1
    b.refused(b.take(), "EBUSY")
    assert b.ids() == old and copy in b.s.node.mapped()
    b.s.node.release(copy)
    assert all(r["ok"] for r in b.take())
    new = b.ids()
    assert [len(x) for x in new] == [1, 1] and new[1] != old[1], (old, new)
    assert not b.s.node.mapped()
    # The next night, and the service knows nothing of the last one; a disk that is asked for alone too.
    b.begins()
    assert all(r["ok"] for r in b.take())
    assert all(x != y for x, y in zip(new, b.ids()))
    b.close()


def test_vzdump_forgotten_killed():
    """At any moment of taking its place: the backup after that finds its way."""
    b = Backups()
    b.s.node.delay_ms = 5
    b.s.node.restart()
    for i in range(20):
        b.begins()
        b.s.node.send(b.s.node.request("snapshot", volname=b.DISKS[0], snap="vzdump"))
        time.sleep(0.003 * i)
        b.s.node.restart()
        old = b.ids()
        b.begins(snaptime=int(time.time()) + 240)
        replies = b.take()
        assert all(r["ok"] for r in replies), (i, replies)
        assert [len(x) for x in b.ids()] == [1, 1] and all(x != y for x, y in zip(old, b.ids())), i
    b.close()


def test_vzdump_not_forgotten():
    """Whatever may be somebody's stays, and is "already exists"."""
    b = Backups()
    b.begins()
    assert all(r["ok"] for r in b.take())
    old, now = b.ids(), int(time.time())
    for more in (
            {"snaptime": now + 10},  # it may be this call's own, which was cut
            {"snaptime": "x"},
            {"snapstate": "delete"},
            {"lock": "backup"},
            {"lock": None},
            {"name": "another"},
            {"kind": "qemu"}):
        b.begins(**more)
        b.refused(b.take(), "EEXIST")
    b.config()
    b.refused(b.take(), "EEXIST")
    b.s.node.guest(100, "not one", kind="lxc")
    b.refused(b.take(), "EEXIST")
    # Of another name a person may know.
    b.begins(name="a")
    assert all(r["ok"] for r in b.take("a"))
    b.begins(name="a")
    b.refused(b.take("a"), "EEXIST")
    assert all(r["ok"] for r in b.remove("a"))
    assert b.ids() == old
    # A volume that is not in the guest's config.
    b.s.disk("vm-100-disk-2")
    b.s.sim.rest("POST", "volume-snapshots", {"source_names": "vg/vm-100-disk-2"}, {"suffix": "snap-vzdump"})
    b.begins()
    b.s.fails("EEXIST", "snapshot", "vm-100-disk-2", snap="vzdump")
    b.close()


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


# ---- other ways to a disk ----

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


def nvme_stage(**more):
    return Stage(initiator=NQN, protocol="nvme", **more)


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


def test_at_once():
    """Threads of one process and another process, on the same disks: no call is lost."""
    s = Stage()
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


def test_killed():
    """Killed in the middle of an activation or a removal, again and again: the same call, made
    again, ends where it would have."""
    s = Stage(delay_ms=20)
    s.disk("vm-100-disk-0")
    for i in range(30):
        s.node.send(s.node.request("activate", s.config, volname="vm-100-disk-0"))
        time.sleep(0.002 * i)
        s.node.restart()
        entries = s.node.registry()
        if s.sim.connections() or s.node.mapped():
            assert entries, "nothing is connected or mapped without an entry"
        if i % 2:
            s.act("activate", "vm-100-disk-0")
            assert s.node.registry()[0]["verified"] and len(s.node.mapped()) == 1
            s.node.send(s.node.request("deactivate", s.config, volname="vm-100-disk-0"))
            time.sleep(0.002 * i)
            s.node.restart()
            if s.sim.connections() or s.node.mapped():
                assert s.node.registry(), "what is not gone has an entry"
        s.act("deactivate", "vm-100-disk-0")
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


def test_bad_requests():
    s = Stage()
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


TESTS = [f for n, f in globals().items() if n.startswith("test_")]

if __name__ == "__main__":
    lib.run(TESTS)
