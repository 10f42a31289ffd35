# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rig itself: do the stand-ins keep what Proxmox' own would do?"""
import json
import os
import signal
import socket
import time

from lib import add, scenario
from node import wait_for


def connects(node, port, address="127.0.0.1"):
    code, _, _ = node.run("/usr/bin/python3", "-c", "import socket,sys\n"
                          "socket.create_connection((sys.argv[1],int(sys.argv[2])),1).close()",
                          address, str(port))
    return code == 0


def http(node, port):
    code, out, _ = node.run("curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}",
                            f"http://127.0.0.1:{port}/")
    return out if code == 0 else code


def pair(t):
    rig = t.rig()
    node = rig.node("pve1")
    return rig, node


@scenario(40, daemon=False)
def self_start_and_stop(t):
    rig, node = pair(t)
    add(rig, node, 100, start=False, boot_delay=1)
    code, _, err = node.qm("start", 100)
    t.ok("qm start: 0, and a QEMU lives", code == 0 and node.qemu_pid(100), err)
    t.ok("its service is not there yet", not connects(node, 8100))
    cmdline = node.read(f"/proc/{node.qemu_pid(100)}/cmdline").split("\0")
    t.ok("its command line is Proxmox'", cmdline[0].endswith("kvm") and
         cmdline[cmdline.index("-pidfile") + 1] == "/var/run/qemu-server/100.pid", cmdline)
    t.comes("its service comes", lambda: connects(node, 8100), 4)
    t.ok("over IPv6 as well", connects(node, 8100, "::1"))
    code, _, err = node.qm("start", 100)
    t.ok("qm start again: 255, already running", code == 255 and "already running" in err, err)
    code, _, err = node.qm("shutdown", 100, "--timeout", 5)
    t.ok("qm shutdown: 0, and no QEMU lives", code == 0 and not node.qemu_pid(100), err)
    t.ok("its service is gone", not connects(node, 8100))
    t.ok("qm stop of one that is off: 0", node.qm("stop", 100)[0] == 0)
    code, _, err = node.qm("start", 999)
    t.ok("no such guest: 255 and which file", code == 255 and "999.conf' does not exist" in err, err)
    rig.knob(100, deaf=True)
    node.must("/usr/sbin/qm", "start", "100")
    begun = time.monotonic()
    code, _, err = node.qm("shutdown", 100, "--timeout", 1)
    t.ok("a deaf guest: qm shutdown ends with 255 after its timeout",
         code == 255 and "got timeout" in err and 1 <= time.monotonic() - begun < 3 and
         node.qemu_pid(100), err)
    t.ok("qm stop ends it", node.qm("stop", 100)[0] == 0 and not node.qemu_pid(100))
    node.must("/usr/sbin/qm", "start", "100")
    node.kill(node.qemu_pid(100), signal.SIGSTOP)
    code, _, err = node.qm("stop", 100)
    t.ok("qm stop of a hung one: SIGTERM, SIGKILL", code == 0 and not node.qemu_pid(100) and
         "SIGKILL" in err, err)
    rig.knob(100, stop_survives=True)
    node.must("/usr/sbin/qm", "start", "100")
    node.kill(node.qemu_pid(100), signal.SIGSTOP)
    t.ok("one that survives qm stop", node.qm("stop", 100)[0] == 0 and node.qemu_pid(100))


@scenario(40, daemon=False)
def self_refusals(t):
    rig, node = pair(t)
    add(rig, node, 100, start=False)
    add(rig, node, 101, start=False, conf={"lock": "backup"})
    add(rig, node, 102, start=False, conf={"template": 1})
    add(rig, node, 103, start=False, start_fails="start failed: no such disk")
    for vmid, word in ((101, "VM is locked (backup)"), (102, "template"), (103, "no such disk")):
        code, _, err = node.qm("start", vmid)
        t.ok(f"qm start {vmid}: 255, {word}", code == 255 and word in err, err)
    node.quorum(False)
    code, _, err = node.qm("start", 100)
    t.ok("no quorum: 255", code == 255 and "no quorum" in err, err)
    t.ok("no quorum: nothing may be written", node.run("touch", "/etc/pve/x")[0] != 0)
    node.quorum(True)
    t.ok("quorum again", node.qm("start", 100)[0] == 0)
    rig.knob(100, lock_wait=1)
    pid = node.hold(100)
    code, _, err = node.qm("shutdown", 100)
    t.ok("the lock is held: 255, got timeout", code == 255 and "can't lock file" in err, err)
    node.kill(pid, signal.SIGKILL)
    rig.knob(100, slow_shutdown=1.5, lock_wait=10)
    slow = node.spawn(["/usr/sbin/qm", "shutdown", "100"])
    t.comes("a shutdown is a task", lambda: ":qmshutdown:100:root@pam: 0\n" in
            node.read("/var/log/pve/tasks/active"))
    begun = time.monotonic()
    t.ok("qm stop waits for the lock that a shutdown holds", node.qm("stop", 100)[0] == 0 and
         time.monotonic() - begun > 0.5)
    t.comes("the shutdown ends with 0", lambda: node.code(slow) == 0)
    active = node.read("/var/log/pve/tasks/active")
    t.ok("then active has its end", ":qmshutdown:100:root@pam: 1 " in active and
         active.count(" OK\n") >= 2, active)
    t.ok("and index as well", "no such disk\n" in node.read("/var/log/pve/tasks/index"))


@scenario(40, daemon=False)
def self_states(t):
    rig, node = pair(t)
    for vmid, knobs, wanted in ((100, {}, "running"), (101, {"prelaunch": True}, "prelaunch"),
                                (102, {"incoming": "defer"}, "inmigrate"),
                                (103, {"qmp": "io-error"}, "io-error")):
        add(rig, node, vmid, **knobs)
        t.ok(f"query-status says {wanted}", node.qmp_status(vmid) == wanted)
    node.control(100, monitor="stop")
    t.ok("and paused", node.qmp_status(100) == "paused")
    code, _, err = node.qm("shutdown", 100)
    t.ok("a paused VM: qm shutdown refuses", code == 255 and "paused" in err, err)
    t.ok("a fake one can be stopped", node.qm("stop", 103)[0] == 0 and not node.qemu_pid(103))


@scenario(40, daemon=False)
def self_ports_and_agent(t):
    rig, node = pair(t)
    add(rig, node, 100, http=[8500], agent="ok")
    wait_for("http", lambda: http(node, 8500) == "200")
    for mode, port, status in (("closed", False, 7), ("backlog", False, 28), ("hang", True, 28),
                               ("503", True, "503"), ("ok", True, "200")):
        node.ports(100, mode)
        t.ok(f"{mode}: TCP {port}, HTTP {status}", connects(node, 8100) == port and
             http(node, 8500) == status, (connects(node, 8100), http(node, 8500)))

    def agent(*requests):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(1)
            s.connect(node.path("/run/qemu-server/100.qga"))
            file = s.makefile("rwb")
            for request in requests:
                file.write(b"\xff" + json.dumps(request).encode() + b"\n")
                file.flush()
                answer = file.readline()
            return answer

    ping = {"execute": "guest-ping"}
    sync = {"execute": "guest-sync-delimited", "arguments": {"id": 4711}}
    t.ok("the agent answers", agent(sync) == b'\xff{"return": 4711}\n' and
         agent(ping) == b'{"return": {}}\n')
    node.control(100, agent="frozen")
    t.ok("frozen: refuses a ping", b"disabled" in agent(ping))
    node.control(100, agent="hang")
    try:
        agent(ping)
        t.ok("hang: no answer", False)
    except TimeoutError:
        t.ok("hang: no answer", True)


@scenario(60, daemon=False)
def self_containers_and_ha(t):
    rig, node = pair(t)
    add(rig, node, 200, kind="CT")
    t.ok("a CT's command socket is listed", "@/var/lib/lxc/200/command" in
         node.run("cat", "/proc/net/unix")[1])
    t.ok("pct start again: 255", node.pct("start", 200)[0] == 255)
    t.ok("pct shutdown: 0", node.pct("shutdown", 200)[0] == 0 and not node.running(200))
    t.ok("pct stop of one that is off: 255", node.pct("stop", 200)[0] == 255)
    add(rig, node, 100)
    rig.pve_write("ha/resources.cfg", "vm: 100\n\tstate started\n\n")
    node.spawn(["/usr/bin/python3", "/run/rig/ha.py", "0.5"], "/tmp/ha", "/tmp/ha")
    wait_for("HA", lambda: "vm:100" in (node.read("/etc/pve/ha/manager_status") or ""))
    code, out, _ = node.qm("shutdown", 100)
    t.ok("HA: qm shutdown only asks", code == 0 and "Requesting HA stop" in out and
         node.running(100), out)
    t.comes("HA: the CRM stops it", lambda: not node.running(100), 5)
    t.ok("HA: and keeps that", "state stopped" in rig.pve_read("ha/resources.cfg"))
    code, _, err = node.run("/usr/sbin/ha-manager", "set", "vm:100", "--state", "started")
    t.ok("HA: ha-manager set --state started", code == 0, err)
    t.comes("HA: it runs again", lambda: node.running(100), 5)
    code, _, err = node.run("/usr/sbin/ha-manager", "crm-command", "stop", "vm:100", "5")
    t.comes("HA: crm-command stop", lambda: not node.running(100), 5)
    node.qm("start", 100)
    t.comes("HA: qm start asks as well", lambda: node.running(100), 5)
    t.ok("what was called: all of it", rig.verbs(100) == [
        "start", "shutdown", "set", "crm-command stop", "start"], rig.verbs(100))


@scenario(40, daemon=False)
def self_two_nodes(t):
    rig = t.rig()
    a, b = rig.node("pve1"), rig.node("pve2")
    rig.join(a, b)
    rig.cluster(pve1="10.77.0.1", pve2="10.77.0.2")
    add(rig, a, 100, listen=[], own_addresses=["10.77.0.100"], dev="rig0")
    t.ok("both see one /etc/pve", b.run("cat", "/etc/pve/nodes/pve1/qemu-server/100.conf")[0] == 0
         and b.run("ls", "/etc/pve/qemu-server/100.conf")[0] != 0)
    t.ok("and each itself", '"nodename": "pve2"' in b.read("/etc/pve/.members") and
         os.readlink(b.path("/etc/pve/local")) == "nodes/pve2")
    t.comes("the guest's address answers on its node", lambda: connects(a, 8100, "10.77.0.100"))
    t.ok("and from the other one", connects(b, 8100, "10.77.0.100"))
    t.ok("each has its own processes", b.qemu_pid(100) is None)
    a.must("/usr/sbin/qm", "shutdown", "100")
    a.must("mv", "/etc/pve/nodes/pve1/qemu-server/100.conf", "/etc/pve/nodes/pve2/qemu-server/")
    t.ok("a moved config: the old node does not know it", a.qm("start", 100)[0] == 255)
    t.ok("the new one starts it", b.qm("start", 100)[0] == 0)
    t.comes("and it answers", lambda: connects(a, 8100, "10.77.0.100"), 4)
    a.quorum(False)
    text = a.read("/etc/pve/.members")
    t.ok("no quorum: alone", '"quorate": 0' in text and text.count('"online": 1') == 1, text)
