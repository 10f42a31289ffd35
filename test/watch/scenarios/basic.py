# SPDX-License-Identifier: AGPL-3.0-or-later
"""A guest that stops serving serves again, and what does not concern us is left alone."""
import re
import signal
import time

from lib import add, said, scenario

ALONE = {"correlate": 1000, "correlate_percent": 100, "actions": 100}


@scenario(60)
def failing(t):
    rig, node = t.one()
    seen = node.seen(100)
    t.ok("it serves, and watch.json says so", seen["state"] == "serving" and
         seen["budget"] == {"left": 3, "of": 3, "window": 21600}, seen)
    begun = time.time()
    node.ports(100, "closed")
    t.comes("failing", lambda: node.state(100) == "failing", 4)
    t.restarted(rig, node, 100, ("start", "shutdown", "start"))
    calls = rig.calls(100)
    t.ok("first qm start was the test's", calls[0]["argv"] == ["qm", "start", "100"])
    t.ok("with these words", [c["argv"] for c in calls[1:]] ==
         [["qm", "shutdown", "100", "--timeout", "3"], ["qm", "start", "100"]], said(rig, node))
    t.ok("not before the threshold", calls[1]["time"] - begun >= 3, calls[1]["time"] - begun)
    t.ok("and soon after it", calls[1]["time"] - begun < 6.5, calls[1]["time"] - begun)
    t.ok("one after the other", calls[2]["time"] >= calls[1]["ended"])
    text = node.text()
    for line in (r"\[guest100\] VM 100 is running, uptime \d+s, starting monitor",
                 r"\[guest100\] Failed health check; reboot in \d+s",
                 r"\[guest100\] VM unhealthy for \d+s, uptime \d+s - rebooting now!",
                 r"\[guest100\] Online after \d+s, uptime \d+s"):
        t.ok(f"log: {line}", re.search(line, text), text)
    t.ok("one failure is told once", text.count("Failed health check") == 1, text)
    seen = node.seen(100)
    t.ok("one restart is used up", seen["budget"]["left"] == 2 and
         seen["stats"]["restarts"] == 1, seen)
    t.ok("and counted as a failure of checks", seen["stats"]["failed"] >= 3 and
         seen["stats"]["longest_outage"] >= 3, seen["stats"])


@scenario(60)
def recovers(t):
    rig, node = t.one()
    for _ in range(2):
        node.ports(100, "closed")
        time.sleep(1.7)
        node.ports(100, "ok")
        t.comes("serves again", lambda: node.state(100) == "serving", 4)
    t.never("nothing is done to it", lambda: rig.verbs(100) != ["start"], 5)
    t.ok("and it is told", len(re.findall(r"Online after", node.text())) >= 2, node.text())


@scenario(60)
def deaf(t):
    rig, node = t.one(deaf=True)
    node.ports(100, "closed")
    t.restarted(rig, node, 100, ("start", "shutdown", "stop", "start"), 25)
    calls = rig.calls(100)[1:]
    t.ok("shutdown was given its time and no more", len(calls) == 3 and
         3 <= calls[0]["ended"] - calls[0]["time"] < 4.5 and calls[0]["rc"] == 255, calls)
    t.ok("stop came when it had ended, start when that had", len(calls) == 3 and
         0 <= calls[1]["time"] - calls[0]["ended"] < 5 and
         0 <= calls[2]["time"] - calls[1]["ended"] < 5, calls)
    t.ok("stop has a time-out as well", calls[1]["argv"] == ["qm", "stop", "100", "--timeout", "3"],
         calls[1]["argv"])


@scenario(70)
def slow_to_end(t):
    rig, node = t.one(slow_shutdown=2.5)
    node.ports(100, "closed")
    t.restarted(rig, node, 100, ("start", "shutdown", "start"), 25)


@scenario(90)
def kinds_of_failure(t):
    """Each probe for itself: what counts as failing, and that it is mended."""
    rig, node = t.one(settings=ALONE)
    add(rig, node, 101)
    add(rig, node, 102, http=[8502], watch={"portsall": None, "http": "8502/health"})
    add(rig, node, 103, http=[8503], watch={"portsall": None, "http": "8503/"})
    add(rig, node, 104, agent="ok", watch={"ip": None, "portsall": None, "agent": "yes"})
    add(rig, node, 105, watch={"ip": "::1"})
    add(rig, node, 106, http=[8506], watch={
        "portsall": None, "http": "http://127.0.0.1:8506/", "http_status": "200-399"})
    add(rig, node, 107, ports=[8107, 8307], watch={"portsall": None, "portsany": "8107 8307"})
    add(rig, node, 199)
    for vmid in range(101, 108):
        node.wait_state(vmid, "serving")
    node.ports(101, "backlog")
    node.control(102, **{"http:8502": "503"})
    node.control(103, **{"http:8503": "hang"})
    node.control(104, agent="hang")
    node.ports(105, "closed")
    node.control(106, **{"http:8506": "reset"})
    node.ports(107, "closed")
    for vmid, what in ((101, "full backlog"), (102, "HTTP 503"), (103, "HTTP hangs"),
                       (104, "agent hangs"), (105, "IPv6 port closed"), (106, "HTTP resets"),
                       (107, "none of portsany")):
        t.comes(f"{what}: restarted", lambda v=vmid: rig.verbs(v) == ["start", "shutdown", "start"],
                25)
    for vmid in range(101, 108):
        t.comes(f"{vmid} serves again", lambda v=vmid: node.state(v) == "serving", 12)
    t.ok("the others were left alone", rig.verbs(100) == rig.verbs(199) == ["start"])


@scenario(70)
def kinds_of_health(t):
    """What is no failure: M of N, any of some, a name that does not resolve, a redirect."""
    rig, node = t.one(settings=ALONE)
    add(rig, node, 101, ports=[8101, 8301, 8401],
        watch={"portsall": "8101 8301 8401", "need": "2 of 3"})
    add(rig, node, 102, ports=[8102, 8302], watch={"portsall": None, "portsany": "8102 8302"})
    add(rig, node, 103, watch={"ip": "no-such-host.invalid"})
    add(rig, node, 104, http=[8504], watch={"portsall": None, "http": "8504/"})
    add(rig, node, 105, watch={"ip": "localhost"})
    add(rig, node, 106, agent="ok", watch={"ip": None, "portsall": None, "agent": "yes"})
    for vmid in (100, 101, 102, 104, 105, 106):
        node.wait_state(vmid, "serving")
    node.control(101, **{"ports:8301": "closed"})
    node.control(102, **{"ports:8102": "closed"})
    node.ports(103, "closed")
    node.control(104, **{"http:8504": "302"})
    node.control(106, agent="frozen")
    time.sleep(8)
    for vmid, what in ((101, "2 of 3"), (102, "one of two"), (103, "a name that does not resolve"),
                       (104, "a redirect"), (105, "a name that resolves"),
                       (106, "an agent with a frozen file system")):
        t.ok(f"{what}: left alone", rig.verbs(vmid) == ["start"], said(rig, node, vmid))
    for vmid in (101, 102, 104, 105):
        t.ok(f"{vmid} serves", node.state(vmid) == "serving", node.seen(vmid))
    t.ok("unknown is not serving and not failing", node.state(103) not in ("serving", "failing"),
         node.seen(103))
    t.line(node, r"no-such-host\.invalid does not resolve")
    node.control(101, **{"ports:8401": "closed"})
    t.comes("1 of 3: restarted", lambda: rig.verbs(101) == ["start", "shutdown", "start"], 20)


@scenario(70)
def qemu_says(t):
    """What QEMU's own state leads to, when the service is away as well."""
    rig, node = t.one(settings=ALONE)
    for vmid, state in ((101, "io-error"), (102, "internal-error"), (103, "guest-panicked"),
                        (104, "suspended"), (105, "watchdog")):
        add(rig, node, vmid, qmp=state)
    add(rig, node, 106)
    add(rig, node, 107, prelaunch=True)
    for vmid in range(101, 108):
        node.wait_state(vmid, "serving")
    rig.knob(102, qmp="running")
    rig.knob(103, qmp="running")
    node.control(106, monitor="stop")
    for vmid in range(101, 108):
        node.ports(vmid, "closed")
    for vmid in (102, 103):
        t.comes(f"{vmid}: acted on", lambda v=vmid: rig.verbs(v)[-1] == "start" and
                len(rig.verbs(v)) >= 3, 25)
    time.sleep(5)
    for vmid, what in ((101, "io-error"), (104, "suspended"), (105, "watchdog"), (106, "paused"),
                       (107, "prelaunch")):
        t.ok(f"{what}: never acted on", rig.verbs(vmid) == ["start"], said(rig, node, vmid))
        t.ok(f"{what}: held, with the reason", node.state(vmid) == "held" and
             node.seen(vmid)["held"], node.seen(vmid))
    t.line(node, r"\[guest101\].*I/O error.*storage")
    t.line(node, r"\[guest102\].*crashed.*rebooting now")
    t.ok("its QMP state is shown", node.seen(101)["qmp"] == "io-error" and
         node.seen(106)["qmp"] == "paused", (node.seen(101), node.seen(106)))
    node.control(106, monitor="cont")
    t.comes("once it is resumed and still fails: acted on",
            lambda: rig.verbs(106) == ["start", "shutdown", "start"], 15)


@scenario(70)
def hung(t):
    """A QEMU whose main loop stands still takes no connection to QMP, or does not answer on it."""
    rig, node = t.one()
    old = node.qemu_pid(100)
    node.kill(old, signal.SIGSTOP)
    node.ports(100, "hang")
    time.sleep(3)
    t.ok("while its ports answer, it is left alone", rig.verbs(100) == ["start"])
    node.ports(100, "backlog")
    t.restarted(rig, node, 100, ("start", "shutdown", "stop", "start"), 35)
    t.ok("it is another process", node.qemu_pid(100) not in (None, old))
    t.line(node, r"hung")


@scenario(60)
def container(t):
    rig, node = t.one(kind="CT", conf={"memory": 512})
    t.ok("type lxc", node.seen(100)["type"] == "lxc", node.seen(100))
    node.ports(100, "closed")
    t.restarted(rig, node, 100, ("start", "shutdown", "start"))
    t.ok("by pct, with these words", [c["argv"] for c in rig.calls(100)[1:]] ==
         [["pct", "shutdown", "100", "--timeout", "3"], ["pct", "start", "100"]], rig.calls(100))
    t.ok("its uptime is that of the container", node.seen(100)["uptime"] is None or
         node.seen(100)["uptime"] < 20, node.seen(100))


@scenario(60)
def deaf_container(t):
    rig, node = t.one(kind="CT", deaf=True)
    node.ports(100, "closed")
    t.restarted(rig, node, 100, ("start", "shutdown", "stop", "start"), 25)
    t.ok("pct stop has no time-out to give", rig.calls(100)[2]["argv"] == ["pct", "stop", "100"],
         rig.calls(100)[2]["argv"])


@scenario(90)
def budget(t):
    """A service that stays away: two restarts, each later than the one before, and an alert."""
    rig, node = t.one(watch={"budget": "2/1h"}, keys={"boot_time": 2})
    rig.knob(100, modes={"ports:8100": "closed"})
    node.ports(100, "closed")
    t.comes("exhausted", lambda: node.state(100) == "exhausted", 50)
    t.ok("two restarts", rig.verbs(100) == ["start"] + ["shutdown", "start"] * 2,
         said(rig, node, 100))
    shutdowns = [c["time"] for c in rig.calls(100) if c["argv"][1] == "shutdown"]
    t.ok("the second one not before twice boot_time", shutdowns[1] - shutdowns[0] >= 4, shutdowns)
    t.line(node, r"still does not serve after 2 restarts")
    t.ok("none is left", node.seen(100)["budget"]["left"] == 0, node.seen(100))
    t.never("no further one", lambda: len(rig.verbs(100)) > 5, 6)
    t.ok("one alert", node.text().count("still does not serve") == 1)
    t.ok("status says so: 2", node.run("true")[0] == 0 and
         node.run(*status())[0] == 2, node.run(*status()))
    node.ports(100, "ok")
    t.comes("it serves by itself", lambda: node.state(100) == "serving", 5)
    rig2 = node.stop_daemon()
    t.ok("the daemon ends", rig2 == 0, rig2)
    node.ports(100, "closed")
    node.start_daemon()
    t.comes("also after a restart of ours: exhausted", lambda: node.state(100) == "exhausted", 15)
    t.ok("the budget survives us", len(rig.verbs(100)) == 5, rig.verbs(100))


def status(*args):
    from node import PVEWARDEN
    return (PVEWARDEN, "watch", "status", *args)
