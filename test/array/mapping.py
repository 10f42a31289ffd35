#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The mapping calls against the simulator, with played devices: what each does, what each costs, what
an outage or a kill leaves. mapping.py [PATTERN...]"""
import json
import os
import threading
import time

import lib
from lib import GIB
from stage import Stage, add_session, aged, guest_with_state, told, until


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
    s.clean()
    s.close()


def test_opened_for_a_moment():
    """As LVM does with all disks of a node: it is waited for, and who stays is refused."""
    s = Stage()
    serial = s.disk("vm-100-disk-0")
    s.act("snapshot", "vm-100-disk-0", snap="a")
    for method, args in (("deactivate", {}), ("rollback", {"snap": "a"}), ("rename", {"target": "base-100-disk-0"}),
                         ("rename", {"target": "vm-100-disk-0"}), ("free", {})):
        name = "base-100-disk-0" if args.get("target") == "vm-100-disk-0" else "vm-100-disk-0"
        s.act("activate", name)
        s.node.open(serial)
        begun = time.monotonic()
        s.fails("EBUSY", method, name, **args)
        assert 1.9 < time.monotonic() - begun < 8, method
        closing = threading.Timer(0.7, s.node.release, [serial])
        closing.start()
        s.act(method, name, **args)
        closing.join()
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
    s.act("deactivate", name)
    s.close()


def test_gone():
    """Proxmox wants to hear the owner of a disk that is gone, to remove its guest or to restore over it; no device is there."""
    s = Stage()
    names = ("vm-100-disk-0", "vm-100-cloudinit-2", "base-100-cloudinit", "base-100-disk-1", "vm-100-state-a")
    serials = {n: s.disk(n) for n in names}
    s.act("activate", names[0])
    s.sim.rest("DELETE", "connections", {"host_names": "pve1", "volume_names": f"vg/{names[0]}"})
    for n in names:
        s.sim.rest("PATCH", "volumes", {"names": f"vg/{n}"}, {"destroyed": True})
    aged(s.node)
    s.node.restart()
    for again in (False, True):
        for n in names:
            found = s.act("path", n)
            assert found == {"path": f"/run/pvewarden/array/absent/pure/{n}", "vmid": 100}, (again, n, found)
            s.fails("ENOENT" if again else "ESTALE", "activate", n)
            s.act("free", n)
        assert not os.path.exists(s.node.path("run/pvewarden/array/absent"))
        for n in names if not again else ():
            if s.sim.volume(f"vg/{n}"):
                s.sim.rest("DELETE", "volumes", {"names": f"vg/{n}"})
    s.clean()
    # What is there again is what it says, and so is a snapshot that is not activated.
    serial = s.disk(names[0])
    assert serial != serials[names[0]] and told(s.node, names[0]) == serial
    s.act("snapshot", names[0], snap="a")
    s.fails("ENOENT", "path", names[0], snap="a")
    s.fails("ENOENT", "path", names[3], snap="a")
    # Nothing is guessed of an array that does not answer.
    s.sim.down("fa1")
    s.node.restart()
    for n in (*names, "vm-100-cloudinit"):
        assert not s.node.ask("path", s.config, volname=n)["ok"], n
    s.sim.well()
    s.close()


def test_resize_without_room():
    """Array and device have grown, so Proxmox may tell QEMU, whether the registry can be written or not."""
    s = Stage()
    serial = s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    in_the_way = s.node.path(f"var/lib/pvewarden/array/registry.json.{s.node.process.pid}.tmp")
    os.mkdir(in_the_way)
    reply = s.node.ask("resize", volname="vm-100-disk-0", size=2 * GIB, running=1)
    assert reply["ok"] and any("registry.json" in l for _, l in reply["log"]), reply
    assert s.node.size(serial) == 2 * GIB
    os.rmdir(in_the_way)
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
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
    # A path of it is away: not made larger either, as Proxmox adds to what it finds when it asks again.
    deaf = f"{s.node.devices}/{serial}.deaf"
    with open(deaf, "w", encoding="ascii"):
        assert "are away" in s.fails("EAGAIN", "resize", "vm-100-disk-0", size=4 * GIB, running=1)
    assert s.act("size", "vm-100-disk-0")["size"] == 3 * GIB
    os.unlink(deaf)
    # Another node has grown it.
    s.sim.rest("PATCH", "volumes", {"names": "vg/vm-100-disk-0"}, {"provisioned": 4 * GIB})
    s.node.events()
    time.sleep(5.1)
    s.act("activate", "vm-100-disk-0")
    assert s.node.events() == [f"resize {serial}"]
    s.close()


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
