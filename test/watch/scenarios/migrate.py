# SPDX-License-Identifier: AGPL-3.0-or-later
"""A guest that moves: the new node takes it up within one interval, nobody acts twice."""
import os
import time

from brakes import rewrite
from lib import add, said, scenario
from node import wait_for


def cluster(t, **knobs):
    """Two nodes, both watching; guest 100 runs on pve1 and takes its address along."""
    rig = t.rig()
    a, b = rig.node("pve1"), rig.node("pve2")
    rig.join(a, b)
    rig.cluster(pve1="10.77.0.1", pve2="10.77.0.2")
    rig.watch_all()
    add(rig, a, 100, listen=[], own_addresses=["10.77.0.100", "fd77::100"], dev="rig0",
        watch={"ip": "10.77.0.100"}, **knobs)
    for node in (a, b):
        node.must("ip", "-6", "route", "add", "fd77::/64", "dev", "rig0")
        node.start_daemon()
    a.wait_state(100, "serving")
    return rig, a, b


def move_config(rig):
    os.rename(f"{rig.pve}/nodes/pve1/qemu-server/100.conf",
              f"{rig.pve}/nodes/pve2/qemu-server/100.conf")


def begin(t, rig, a, b):
    """What qm migrate does first: the lock, the task, a QEMU over there that waits."""
    rewrite(rig, a, 100, lock="migrate")
    task = a.task("qmigrate", 100)
    rig.knob(100, incoming="unix:/run/rig/migration")
    b.must("/usr/bin/python3", "/run/rig/guest.py", "boot", "100", "VM")
    t.ok("a QEMU waits on the other node", b.running(100) and a.running(100))
    return task


def hand_over(rig, a, b):
    """The memory goes over, the guest stops here and runs there, its config moves."""
    a.control(100, monitor={"execute": "migrate",
                            "arguments": {"uri": "unix:/run/rig/migration"}})
    wait_for("it has gone over", lambda: b.qmp_status(100) == "running", 5)
    a.control(100, down=1)
    b.control(100, up=1)
    move_config(rig)
    path = f"{rig.pve}/nodes/pve2/qemu-server/100.conf"
    with open(path, encoding="utf8") as file:
        text = file.read().replace("lock: migrate\n", "")
    rig.pve_write("nodes/pve2/qemu-server/100.conf", text)
    a.control(100, monitor="quit")


@scenario(60)
def migration(t):
    rig, a, b = cluster(t)
    task = begin(t, rig, a, b)
    time.sleep(3)
    t.ok("while it comes, only the old node watches", a.state(100) == "serving" and
         b.state(100) in (None, "absent"), (a.seen(100), b.seen(100)))
    begun = time.monotonic()
    hand_over(rig, a, b)
    a.kill(task)
    t.comes("the new node takes it up within two seconds", lambda: b.state(100) == "serving", 2.5)
    t.ok(f"after {time.monotonic() - begun:.1f} s", True)
    t.comes("the old one lets go", lambda: a.state(100) in (None, "absent"), 2.5)
    t.ok("and keeps no child", a.prober(100) is None, a.children())
    t.never("nobody acts", lambda: rig.verbs(100) != ["start"], 6)
    t.ok("it still serves there", b.state(100) == "serving")
    b.ports(100, "closed")
    t.comes("it fails: the new node restarts it", lambda: rig.verbs(100) ==
            ["start", "shutdown", "start"], 20)
    t.ok("and only that", {c["node"] for c in rig.calls(100)[1:]} == {"pve2"}, said(rig, a, 100))


@scenario(60)
def migration_while_failing(t):
    """Its service is away when it moves: held by the lock here, counted anew there."""
    rig, a, b = cluster(t)
    task = begin(t, rig, a, b)
    a.ports(100, "closed")
    t.comes("held here", lambda: a.state(100) == "held", 10)
    t.ok("because of the migration", "migrate" in (a.seen(100)["held"] or ""), a.seen(100))
    rig.knob(100, modes={"ports:8100": "closed"})
    moved = time.time()
    hand_over(rig, a, b)
    a.kill(task)
    t.comes("restarted by the new node", lambda: rig.verbs(100) == ["start", "shutdown", "start"],
            25)
    calls = rig.calls(100)[1:]
    t.ok("only by that", {c["node"] for c in calls} == {"pve2"}, said(rig, b, 100))
    t.ok("not before its own threshold", calls[0]["time"] - moved >= 3, calls[0]["time"] - moved)


@scenario(60)
def migration_fails(t):
    """The QEMU over there goes away again: nothing has happened."""
    rig, a, b = cluster(t)
    task = begin(t, rig, a, b)
    time.sleep(2)
    b.control(100, monitor="quit")
    wait_for("it is gone there", lambda: not b.running(100))
    rewrite(rig, a, 100, lock=None)
    a.kill(task)
    t.never("nobody acts", lambda: rig.verbs(100) != ["start"], 5)
    t.ok("it serves here", a.state(100) == "serving" and b.state(100) in (None, "absent"))


@scenario(60)
def moved_while_off(t):
    """Stopped by us, then moved by HA or a person before our start: it is not ours any more."""
    rig, a, b = cluster(t, slow_shutdown=2)
    a.ports(100, "closed")
    t.comes("qm shutdown is at work", lambda: ":qmshutdown:100:" in
            a.read("/var/log/pve/tasks/active"), 15)
    time.sleep(0.3)
    move_config(rig)
    t.comes("the guest ends", lambda: not a.running(100), 8)
    t.never("neither node starts it", lambda: rig.verbs(100) != ["start", "shutdown"], 7)
    t.line(a, "given up|not this node's any more")
    t.ok("that is an alert", a.watch()["totals"]["alerts"] >= 1, a.watch()["totals"])
    t.ok("a person starts it there", b.qm("start", 100)[0] == 0)
    t.comes("it is taken up there", lambda: b.state(100) == "serving", 6)


@scenario(60)
def ipv6_from_another_node(t):
    rig, a, b = cluster(t)
    rig.watch_conf(100, ip="fd77::100", portsall=8100)
    time.sleep(2)
    t.comes("serves over IPv6", lambda: a.state(100) == "serving", 6)
    a.ports(100, "closed")
    t.comes("and is restarted", lambda: rig.verbs(100) == ["start", "shutdown", "start"], 20)
    del b
