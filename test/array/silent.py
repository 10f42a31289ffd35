#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""An array that takes connections and says nothing, or is slow: what each call may take of its time.
silent.py [PATTERN...]"""
import socket
import time

import lib
from lib import GIB
from stage import Stage, guest_with_state, nvme_stage, pod_is, silence, storages, timed, two_with_storages, until

# What each call may take of its time, and then of the next: docs/array.md, 4.
SILENT = (("check_connection", {}, 4), ("status", {}, 4), ("size", {"volname": "vm-100-disk-0"}, 3),
          ("path", {"volname": "vm-100-disk-0"}, 10), ("list", {}, 30),
          ("alloc", {"vmid": 100, "size_kib": 1024}, 50),
          ("snapshot", {"volname": "vm-100-disk-0", "snap": "a"}, 50),
          ("resize", {"volname": "vm-100-disk-0", "size": 2 * GIB, "running": 0}, 50),
          ("activate", {"volname": "vm-100-disk-0"}, 60))


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


def test_slow_is_not_silent():
    """What was cut because another answer had taken most of the time: who has answered a moment ago is
    there, and has the whole time of the next call. (The status needs two answers, and has time for one.)"""
    s = Stage(2)
    s.disk("vm-100-disk-0")
    s.node.call("list", s.config)
    s.sim.fault("latency", ms=2000, count=-1)
    s.node.ask("status", s.config)
    replies = [s.node.ask("free", s.config, volname="vm-100-disk-0") for _ in range(2)]
    assert any(r["ok"] for r in replies), replies
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


def busy_first_array(status):
    s = Stage(2)
    s.disk("vm-100-disk-0")
    s.node.call("list", s.config)
    s.sim.fault("status", array="fa1", status=status, count=-1)
    reply, took = timed(lambda: s.node.ask("alloc", s.config, vmid=101, size_kib=1024))
    assert reply["ok"] and took < 8, (status, took, reply)
    for method, args, _ in SILENT[2:]:
        reply, took = timed(lambda: s.node.ask(method, s.config, **args))
        assert reply["ok"] and reply["result"] is not False, (status, method, reply)
        assert took < (6 if method == "activate" else 2), (status, method, took)
    s.sim.well()
    # When the pause is over that it has asked for.
    until(lambda: s.act("activate", "vm-100-disk-0") and len(s.sim.connections()) == 2, 10)
    s.close()


def test_busy_first_array():
    """One that is always busy is left as soon as a silent one, and is asked last from then on."""
    for status in (503, 429):
        busy_first_array(status)


def test_refusing_first_array():
    """Nobody listens there: found out once, and not by each question of a call under Proxmox' lock."""
    s = Stage(2)
    s.disk("vm-100-disk-0")
    s.node.call("list", s.config)
    s.sim.down("fa1")
    s.node.call("alloc", s.config, vmid=101, size_kib=1024)
    for method, args, _ in SILENT[2:]:
        reply, took = timed(lambda: s.node.ask(method, s.config, **args))
        assert reply["ok"] and took < (6 if method == "activate" else 1), (method, took, reply)
    for method, name, args in (("rollback", "vm-100-disk-0", {"snap": "a"}), ("create_base", "vm-100-disk-0", {}),
                               ("free", "base-100-disk-0", {})):
        s.act("activate", name)
        reply, took = timed(lambda: s.node.ask(method, s.config, volname=name, **args))
        assert reply["ok"] and took < 6, (method, took, reply)
    s.sim.well()
    # It is asked again as soon as it has answered anything.
    s.disk("vm-100-disk-1")
    s.act("activate", "vm-100-disk-1")
    s.sim.counted()
    s.act("size", "vm-100-disk-1")
    assert "fa1 GET volumes" in s.sim.counted()
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


def test_many_with_silent_array():
    """A node's guests all start at once: each has its turn at the array that answers."""
    s = Stage(2)
    disks = [f"vm-{100 + i}-disk-0" for i in range(64)]
    for d in disks:
        s.disk(d)
    s.act("activate", disks[0])  # the arrays' ports are known
    s.sim.fault("latency", array="fa2", ms=450, count=-1)
    silence(s, "fa1")
    replies = s.node.at_once([s.node.request("activate", s.config, volname=d) for d in disks])
    assert all(r["ok"] for r in replies), [r for r in replies if not r["ok"]][:3]
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


def test_silent_resolver():
    """An array's name that no name server says: each call ends in its own time, and not in the resolver's."""
    s = Stage()
    s.node.behind_silent_resolver()
    config = {**s.config, "address": "https://array.example"}
    for method, args, limit in SILENT[:4]:
        reply, took = timed(lambda: s.node.ask(method, config, **args))
        assert took < limit + 0.5, (method, took)
        assert not reply["ok"] or reply["result"] is False, (method, reply)
    s.close()


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


TESTS = [f for n, f in globals().items() if n.startswith("test_")]

if __name__ == "__main__":
    lib.run(TESTS)
