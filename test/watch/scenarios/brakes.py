# SPDX-License-Identifier: AGPL-3.0-or-later
"""What keeps a guest from being acted on: checked before anything is stopped, told, and let go."""
import os
import re
import signal
import time

from basic import ALONE, status
from lib import add, said, scenario
from node import PVEWARDEN, wait_for

LEFT = ["start"]  # what the test itself called
DONE = ["start", "shutdown", "start"]


def rewrite(rig, node, vmid, **keys):
    """Changes lines of a guest's config; None takes one out."""
    path = rig.conf(vmid, node.name)
    lines = dict(line.split(": ", 1) for line in rig.pve_read(path).splitlines())
    lines.update({k: str(v) for k, v in keys.items() if v is not None})
    rig.pve_write(path, "".join(f"{k}: {v}\n" for k, v in lines.items()
                                if keys.get(k, "") is not None))


@scenario(90)
def guest_brakes(t):
    """One node, one guest for each brake; 100 has none and is restarted, 199 is well."""
    rig, node = t.one(settings=ALONE)
    for vmid in (101, 102, 103, 104, 105, 106, 199):
        add(rig, node, vmid)
    for vmid in (101, 102, 103, 104, 105, 106, 199):
        node.wait_state(vmid, "serving")
    rewrite(rig, node, 101, lock="backup")
    task = node.task("vzdump", 102)
    holder = node.hold(103)
    rewrite(rig, node, 104, template=1)
    rewrite(rig, node, 105, onboot=0)
    node.must(PVEWARDEN, "watch", "maintenance", "on", "106")
    for vmid in (100, 101, 102, 103, 104, 105, 106):
        node.ports(vmid, "closed")
    t.comes("without a brake: restarted", lambda: rig.verbs(100) == DONE, 20)
    time.sleep(4)
    words = {101: r"locked \(backup\)", 102: r"task is running on it \(vzdump\)", 103: r"lock|task|work",
             104: "template", 105: "onboot", 106: "maintenance"}
    for vmid, word in words.items():
        t.ok(f"{vmid}: left alone", rig.verbs(vmid) == LEFT, said(rig, node, vmid))
        seen = node.seen(vmid)
        t.ok(f"{vmid}: held because of '{word}'", seen.get("state") == "held" and
             re.search(word, seen["held"] or ""), seen)
        t.ok(f"{vmid}: and the log says so", re.search(rf"\[guest{vmid}\].*({word})", node.text()),
             node.text()[-3000:])
    rewrite(rig, node, 101, lock=None)
    node.kill(task, signal.SIGKILL)
    node.kill(holder, signal.SIGKILL)
    rewrite(rig, node, 104, template=None)
    rewrite(rig, node, 105, onboot=1)
    node.must(PVEWARDEN, "watch", "maintenance", "off", "106")
    for vmid in words:
        t.comes(f"{vmid}: restarted once the brake is gone", lambda v=vmid: rig.verbs(v) == DONE, 15)
    t.ok("199 was left alone", rig.verbs(199) == LEFT)


def two(t, **options):
    """A guest that will fail and one that will not."""
    rig, node = t.one(**options)
    add(rig, node, 199)
    node.wait_state(199, "serving")
    return rig, node


def held(t, rig, node, word, vmid=100, seconds=12):
    """It fails, and that brake holds before anything was stopped."""
    node.ports(vmid, "closed")
    t.comes(f"held because of '{word}'", lambda: node.state(vmid) == "held" and
            re.search(word, node.seen(vmid)["held"] or ""), seconds)
    t.never("left alone", lambda: rig.verbs(vmid) != LEFT, 3)
    t.line(node, rf"\[guest{vmid}\].*{word}")


def let_go(t, rig, node, vmid=100, seconds=20):
    t.comes("restarted once the brake is gone", lambda: rig.verbs(vmid) == DONE, seconds)
    t.ok("the other guest was left alone", rig.verbs(199) == LEFT, said(rig, node, 199))


@scenario(60)
def no_quorum(t):
    rig, node = two(t)
    node.quorum(False)
    held(t, rig, node, "quorum")
    t.ok("and it runs", node.running(100))
    node.quorum(True)
    let_go(t, rig, node)


@scenario(60)
def maintenance_by_signal(t):
    rig, node = two(t)
    node.kill(node.daemon, signal.SIGUSR2)
    t.line(node, "maintenance mode toggled to 1")
    held(t, rig, node, "maintenance")
    t.ok("watch.json says so", node.watch()["maintenance"], node.watch())
    node.stop_daemon()
    node.start_daemon()
    t.comes("kept across a restart", lambda: node.state(100) == "held", 12)
    t.ok("nothing was done", rig.verbs(100) == LEFT)
    node.kill(node.daemon, signal.SIGUSR2)
    t.line(node, "maintenance mode toggled to 0")
    let_go(t, rig, node)


@scenario(60)
def maintenance_of_node(t):
    rig, node = two(t)
    code, out, err = node.run(PVEWARDEN, "watch", "maintenance", "on", "--for", "15s")
    t.ok("maintenance on --for 15s: 0", code == 0, (out, err))
    held(t, rig, node, "maintenance")
    let_go(t, rig, node)  # it ends by itself


@scenario(70)
def maintenance_of_cluster(t):
    rig = t.rig()
    a, b = rig.node("pve1"), rig.node("pve2")
    rig.join(a, b)
    rig.cluster(pve1="10.77.0.1", pve2="10.77.0.2")
    rig.watch_all()
    for vmid in (100, 199):
        add(rig, a, vmid)
    a.start_daemon()
    a.wait_state(199, "serving")
    b.quorum(False)
    code, _, err = b.run(PVEWARDEN, "watch", "maintenance", "on", "--cluster")
    t.ok("without quorum: refused with the reason", code != 0 and "quorum" in err, (code, err))
    b.quorum(True)
    code, _, err = b.run(PVEWARDEN, "watch", "maintenance", "on", "--cluster")
    t.ok("switched on from the other node", code == 0, err)
    held(t, rig, a, "maintenance")
    b.must(PVEWARDEN, "watch", "maintenance", "off", "--cluster")
    let_go(t, rig, a)


@scenario(60)
def node_task(t):
    rig, node = two(t)
    task = node.task("stopall", "")
    held(t, rig, node, "stops|starts|migrates")
    node.kill(task, signal.SIGKILL)
    let_go(t, rig, node)


@scenario(60)
def mvmm_lives(t):
    rig, node = two(t)
    mvmm = node.spawn(["mvmm supervisor", "600"], program="/usr/bin/sleep")
    held(t, rig, node, "mvmm")
    t.comes("watch.json says so", lambda: node.watch()["mvmm"], 12)
    node.kill(mvmm, signal.SIGKILL)
    let_go(t, rig, node)


@scenario(90)
def pmxcfs_hangs(t):
    """Nothing of ours waits for it, nothing is done meanwhile, and all goes on afterwards."""
    rig, node = two(t)
    open(f"{rig.scratch}/pve1.hang", "w", encoding="utf8").close()
    time.sleep(1)
    node.ports(100, "closed")
    t.comes("it is told", lambda: re.search("/etc/pve does not answer", node.text()), 15)
    t.comes("watch.json is written nevertheless", lambda: node.watch().get("blind"), 8)
    t.ok("nothing is done", rig.verbs(100) == LEFT)
    node.kill(node.daemon, signal.SIGUSR1)
    t.comes("signals are answered", lambda: "monitoring 2 VMs" in node.text()[-1500:], 3)
    os.unlink(f"{rig.scratch}/pve1.hang")
    t.comes("it is told that it answers again", lambda: "answers again" in node.text(), 20)
    let_go(t, rig, node, seconds=45)


@scenario(60)
def boot_grace(t):
    rig, node = t.one(watch={"boot_time": 14}, serving=False, boot_delay=9)
    add(rig, node, 199)
    t.comes("booting", lambda: node.state(100) == "booting", 3)
    time.sleep(6)
    t.ok("still booting", node.state(100) == "booting", node.seen(100))
    t.comes("serving", lambda: node.state(100) == "serving", 6)
    t.ok("left alone", rig.verbs(100) == LEFT)
    t.ok("no failure was told", "Failed" not in node.text(), node.text())


@scenario(60)
def boot_grace_ends(t):
    """It is counted from QEMU's start: one that has been up for long has none."""
    rig, node = t.one(daemon=None, keys={"boot_time": 6}, modes={"ports:8100": "closed"})
    add(rig, node, 199)
    time.sleep(6)
    begun = time.time()
    rig.knob(100, modes={})
    node.start_daemon()
    t.comes("restarted", lambda: rig.verbs(100) == DONE, 15)
    shutdown = rig.calls(100)[1]["time"] - begun
    t.ok("after the threshold, not after another boot time", 3 <= shutdown < 8, shutdown)


@scenario(90)
def correlation(t):
    """Three of ten at once are held, one alert; the one that is left then is restarted."""
    rig, node = t.one(settings={"correlate": 3, "correlate_percent": 100})
    vmids = list(range(100, 107))
    for vmid in vmids[1:]:
        add(rig, node, vmid)
    for vmid in vmids:
        node.wait_state(vmid, "serving")
    for vmid in (100, 101, 102):
        node.ports(vmid, "closed")
    for vmid in (100, 101, 102):
        t.comes(f"{vmid}: held", lambda v=vmid: node.state(v) == "held", 12)
    time.sleep(4)
    for vmid in (100, 101, 102):
        t.ok(f"{vmid}: left alone", rig.verbs(vmid) == LEFT, said(rig, node, vmid))
    t.ok("the number of them is told", re.search(r"3 .*guests", node.seen(100)["held"] or ""),
         node.seen(100))
    alerts = node.watch()["totals"]["alerts"]
    t.ok("one alert for all", alerts == 1, alerts)
    node.ports(101, "ok")
    node.ports(102, "ok")
    t.comes("the last one is restarted", lambda: rig.verbs(100) == DONE, 20)
    t.ok("the others are left alone", all(rig.verbs(v) == LEFT for v in vmids[1:]))


@scenario(60)
def correlation_by_share(t):
    """30 % is the default: two of five are held; one of five is not."""
    rig, node = t.one()
    for vmid in (101, 102, 103, 104):
        add(rig, node, vmid)
    for vmid in range(100, 105):
        node.wait_state(vmid, "serving")
    node.ports(100, "closed")
    node.ports(101, "closed")
    for vmid in (100, 101):
        t.comes(f"{vmid}: held", lambda v=vmid: node.state(v) == "held", 12)
    t.never("left alone", lambda: rig.verbs(100) != LEFT or rig.verbs(101) != LEFT, 4)
    node.ports(101, "ok")
    t.comes("one of five: restarted", lambda: rig.verbs(100) == DONE, 20)


@scenario(60)
def correlation_long_interval(t):
    """Others whose next check is far away are asked before one is restarted."""
    rig, node = t.one(keys={"check_interval": 60})
    for vmid in (101, 102, 103):
        add(rig, node, vmid)
    rig.watch_conf(100, ip="127.0.0.1", portsall=8100, check_interval=1)
    for vmid in range(100, 104):
        node.wait_state(vmid, "serving")
    time.sleep(2)
    for vmid in range(100, 104):
        node.ports(vmid, "closed")
    t.comes("held, although the others were not due yet", lambda: node.state(100) == "held", 15)
    t.never("none is acted on", lambda: any(rig.verbs(v) != LEFT for v in range(100, 104)), 6)


def with_gateway(t, **settings):
    """Two nodes, the second one the gateway of the first."""
    rig = t.rig()
    a, b = rig.node("pve1"), rig.node("pve2")
    rig.join(a, b)
    a.must("sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")  # as Debian sets it
    if settings:
        rig.settings(**settings)
    else:
        a.must("ip", "route", "add", "default", "via", "10.77.0.2")
    # Longer than it takes to see that the gateway has gone.
    rig.watch_all(fail_threshold=15)
    for vmid in (100, 199):
        add(rig, a, vmid)
    a.start_daemon()
    a.wait_state(199, "serving")
    time.sleep(6)
    b.must("ip", "link", "set", "rig0", "down")
    held(t, rig, a, "gateway", seconds=25)
    b.must("ip", "link", "set", "rig0", "up")
    let_go(t, rig, a)


@scenario(90)
def gateway(t):
    with_gateway(t)


@scenario(90)
def gateway_by_setting(t):
    with_gateway(t, gateway="10.77.0.2")


@scenario(60)
def dry_run(t):
    rig, node = two(t, daemon=("--dry-run",))
    t.ok("watch.json says so", node.watch()["mode"] == "dry-run", node.watch())
    node.ports(100, "closed")
    t.comes("held", lambda: node.state(100) == "held", 12)
    t.never("left alone", lambda: rig.verbs(100) != LEFT, 5)
    t.line(node, "dry run")
    code, out, _ = node.run(*status())
    t.ok("status: 1, and not serving", code == 1 and "held" in out, (code, out))


@scenario(90)
def few_at_once(t):
    """At most so many guests are acted on at the same time."""
    rig, node = t.one(settings={"correlate": 1000, "correlate_percent": 100, "actions": 2},
                      slow_shutdown=2)
    for vmid in (101, 102, 103):
        add(rig, node, vmid, slow_shutdown=2)
    add(rig, node, 199)
    for vmid in (100, 101, 102, 103):
        node.wait_state(vmid, "serving")
    for vmid in (100, 101, 102, 103):
        node.ports(vmid, "closed")
    for vmid in (100, 101, 102, 103):
        t.comes(f"{vmid}: restarted", lambda v=vmid: rig.verbs(v) == DONE and
                all("ended" in c for c in rig.calls(v)), 40)
    spans = [(rig.calls(v)[1]["time"], rig.calls(v)[2]["ended"]) for v in (100, 101, 102, 103)]
    most = max(sum(a <= x < b for a, b in spans) for x, _ in spans)
    t.ok("two at once, and no more", most == 2, (most, spans))


def ha_node(t, watch=None, delay=0.5):
    rig, node = t.one(daemon=None, watch=watch)
    add(rig, node, 199)
    rig.pve_write("ha/resources.cfg", "vm: 100\n\tstate started\n\tmax_restart 1\n\n")
    ha = node.spawn(["/usr/bin/python3", "/run/rig/ha.py", str(delay)])
    wait_for("HA", lambda: "vm:100" in (node.read("/etc/pve/ha/manager_status") or ""))
    node.start_daemon()
    node.wait_state(100, "serving")
    node.wait_state(199, "serving")
    return rig, node, ha


@scenario(90)
def ha_commands(t):
    rig, node, _ = ha_node(t)
    node.ports(100, "closed")
    t.comes("by HA's own commands", lambda: rig.verbs(100) == ["start", "crm-command stop", "set"],
            25)
    t.ok("with these words", [c["argv"] for c in rig.calls(100) if c["argv"][0] == "ha-manager"] ==
         [["ha-manager", "crm-command", "stop", "vm:100", "3"],
          ["ha-manager", "set", "vm:100", "--state", "started"]], rig.calls(100))
    t.comes("it runs and serves again", lambda: node.state(100) == "serving", 20)
    t.ok("nothing else was called", rig.verbs(100) == ["start", "crm-command stop", "set"],
         rig.verbs(100))
    t.ok("HA wants it started", "state started" in rig.pve_read("ha/resources.cfg"))


@scenario(60)
def ha_left_alone(t):
    rig, node, _ = ha_node(t, watch={"ha": "leave"})
    held(t, rig, node, "HA")


@scenario(90)
def ha_states(t):
    """While HA itself is at work on it, or is not awake, hands off."""
    rig, node, ha = ha_node(t)
    node.kill(ha, signal.SIGKILL)
    status_file = rig.pve_read("ha/manager_status")

    def say(state, age=0):
        import json
        doc = json.loads(status_file)
        doc["timestamp"] = int(time.time()) - age
        doc["service_status"]["vm:100"]["state"] = state
        rig.pve_write("ha/manager_status", json.dumps(doc))

    say("migrate")
    node.ports(100, "closed")
    t.comes("held", lambda: node.state(100) == "held", 12)
    for state in ("migrate", "relocate", "fence", "error", "freeze", "recovery", "request_stop"):
        say(state)
        t.never(f"{state}: left alone", lambda: rig.verbs(100) != LEFT, 2)
    t.ok("held because of HA", "HA" in (node.seen(100)["held"] or ""), node.seen(100))
    say("started", age=300)
    t.never("a manager that sleeps: left alone", lambda: rig.verbs(100) != LEFT, 3)
    say("started")
    t.comes("started and awake: asked to stop", lambda: rig.verbs(100)[1:2] == ["crm-command stop"],
            6)
