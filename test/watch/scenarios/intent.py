# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was begun is brought to its end by whoever runs next, unless a person came in between."""
import signal
import time

from basic import ALONE
from brakes import DONE, LEFT, rewrite
from lib import add, said, scenario
from node import PVEWARDEN

KILL = signal.SIGKILL


def verb_seen(rig, vmid, verb, ended=None):
    """The last call of that kind since the test's own start, begun or ended."""
    for call in reversed(rig.calls(vmid)[1:]):
        if call["argv"][1] == verb and (ended is None or ("ended" in call) == ended):
            return call
    return None


def killed_in(t, verb, ended=False, **knobs):
    """A node whose daemon was killed when it had called that verb."""
    rig, node = t.one(**knobs)
    node.ports(100, "closed")
    t.comes(f"qm {verb} is called", lambda: verb_seen(rig, 100, verb, ended or None), 20)
    node.kill(node.daemon, KILL)
    t.comes("the daemon is dead", lambda: node.code(node.daemon) is not None, 2)
    return rig, node


@scenario(70)
def killed_in_shutdown(t):
    """The usual case: the shutdown goes on without us, the guest ends, and nobody is there."""
    rig, node = killed_in(t, "shutdown", slow_shutdown=1.5)
    t.comes("the guest ends", lambda: not node.running(100), 6)
    time.sleep(1)
    t.ok("and is off", not node.running(100) and rig.verbs(100) == LEFT + ["shutdown"])
    node.start_daemon()
    t.comes("the next one starts it", lambda: rig.verbs(100) == DONE, 15)
    t.comes("it serves", lambda: node.state(100) == "serving", 10)
    t.line(node, "going on with a restart that was begun")


@scenario(70)
def killed_in_shutdown_and_back_at_once(t):
    """As systemd restarts us, while qm still loads its Perl: its task must not look like a person's."""
    rig, node = t.one(slow_shutdown=1)
    rig.knob("all", perl=1.5)
    node.ports(100, "closed")
    t.comes("qm shutdown is called", lambda: verb_seen(rig, 100, "shutdown"), 20)
    node.kill(node.daemon, KILL)
    time.sleep(0.2)
    node.start_daemon()
    t.comes("the guest runs and serves again", lambda: node.running(100) and
            verb_seen(rig, 100, "start") and node.state(100) == "serving", 35)
    t.ok("it was started once", rig.verbs(100).count("start") == 2, said(rig, node, 100))


@scenario(70)
def killed_before_qm_came_far(t):
    """Killed together with its qm, before that did anything: the guest was never stopped."""
    rig, node = t.one()
    rig.knob("all", perl=2)
    node.ports(100, "closed")
    call = t.comes("qm shutdown is called", lambda: verb_seen(rig, 100, "shutdown"), 20) and \
        verb_seen(rig, 100, "shutdown")
    node.kill(call["pid"], KILL)
    node.kill(node.daemon, KILL)
    rig.knob("all", perl=0.2)
    time.sleep(0.5)
    t.ok("it runs", node.running(100))
    node.start_daemon()
    t.comes("restarted nevertheless", lambda: verb_seen(rig, 100, "start") and
            node.state(100) == "serving", 30)
    t.ok("and once", rig.verbs(100).count("start") == 2, said(rig, node, 100))


@scenario(70)
def killed_in_stop(t):
    rig, node = killed_in(t, "stop", deaf=True)
    t.comes("the guest ends", lambda: not node.running(100), 6)
    time.sleep(1)
    node.start_daemon()
    t.comes("the next one starts it", lambda: rig.verbs(100) == ["start", "shutdown", "stop",
                                                                 "start"], 15)


@scenario(70)
def killed_in_start(t):
    rig, node = killed_in(t, "start", slow_start=2)
    node.start_daemon()
    t.comes("it runs and serves", lambda: node.state(100) == "serving", 20)
    t.ok("nothing is done twice", rig.verbs(100) in (DONE, DONE + ["start"]) and
         not any(c["rc"] == 0 for c in rig.calls(100)[3:]), said(rig, node, 100))


@scenario(70)
def person_stops_in_between(t):
    """Killed, and a person stops the guest for good: it stays off."""
    rig, node = killed_in(t, "shutdown", ended=True, deaf=True)
    t.ok("still runs: it is deaf", node.running(100))
    time.sleep(1.2)
    t.ok("a person stops it", node.qm("stop", 100)[0] == 0 and not node.running(100))
    before = rig.verbs(100)
    node.start_daemon()
    t.never("it stays off", lambda: node.running(100), 8)
    t.ok("nothing is called", rig.verbs(100) == before, said(rig, node, 100))
    t.line(node, "given up|somebody")


@scenario(70)
def person_stops_while_we_do(t):
    """The same with the daemon alive: the person's stop comes while our shutdown still waits."""
    rig, node = t.one(deaf=True)
    node.ports(100, "closed")
    t.comes("qm shutdown is called", lambda: verb_seen(rig, 100, "shutdown"), 20)
    time.sleep(1)
    person = node.spawn(["/usr/sbin/qm", "stop", "100"])
    t.comes("the person's stop is done", lambda: node.code(person) == 0, 15)
    t.never("it stays off", lambda: node.running(100), 10)
    t.ok("nobody starts it", rig.verbs(100).count("start") == 1, said(rig, node, 100))


@scenario(70)
def person_starts_in_between(t):
    rig, node = killed_in(t, "shutdown", slow_shutdown=1)
    t.comes("the guest ends", lambda: not node.running(100), 6)
    t.ok("a person starts it", node.qm("start", 100)[0] == 0)
    before = rig.verbs(100)
    node.start_daemon()
    t.comes("it serves", lambda: node.state(100) == "serving", 10)
    t.never("nothing is called", lambda: rig.verbs(100) != before, 5)


@scenario(70)
def config_changed_in_between(t):
    """Somebody works on it: the start that we owe is given up, with an alert."""
    rig, node = killed_in(t, "shutdown", slow_shutdown=1)
    t.comes("the guest ends", lambda: not node.running(100), 6)
    rewrite(rig, node, 100, memory=1024)
    node.start_daemon()
    t.never("it stays off", lambda: node.running(100), 7)
    t.line(node, "given up")
    t.ok("that is an alert", node.watch()["totals"]["alerts"] >= 1, node.watch()["totals"])


@scenario(70)
def person_shuts_down(t):
    """A slow shutdown by a person closes the ports first, and lasts longer than the threshold."""
    rig, node = t.one(slow_shutdown=8)
    add(rig, node, 199)
    person = node.spawn(["/usr/sbin/qm", "shutdown", "100", "--timeout", "20"])
    t.comes("held by the person's task", lambda: node.state(100) == "held", 10)
    t.comes("the shutdown ends", lambda: node.code(person) == 0, 15)
    t.never("it stays off", lambda: node.running(100), 6)
    t.ok("we called nothing", rig.verbs(100) == ["start", "shutdown"], said(rig, node, 100))
    t.ok("it is not shown as failing", node.state(100) in (None, "absent"), node.seen(100))


@scenario(90)
def persons_shut_down(t):
    """The same at all moments of our rounds: a guest that has just ended and whose task has just
    gone is not one that has failed."""
    vmids = range(100, 112)
    rig, node = t.one(settings=ALONE, slow_shutdown=4)
    for vmid in vmids[1:]:
        add(rig, node, vmid, slow_shutdown=4 + (vmid - 100) * 0.17)
    add(rig, node, 199)
    for vmid in vmids:
        node.wait_state(vmid, "serving")
    persons = [node.spawn(["/usr/sbin/qm", "shutdown", str(v), "--timeout", "30"]) for v in vmids]
    t.comes("all have ended", lambda: all(node.code(p) == 0 for p in persons), 30)
    t.never("all stay off", lambda: [v for v in vmids if rig.verbs(v) != ["start", "shutdown"]], 8)
    ours = [v for v in vmids if rig.verbs(v) != ["start", "shutdown"]]
    t.ok("we called nothing", not ours, "\n".join(said(rig, node, v) for v in ours))
    t.ok("they are absent", all(node.state(v) in (None, "absent") for v in vmids), node.watch())


@scenario(70)
def ends_by_itself(t):
    """A QEMU that goes away without us is a guest that was switched off."""
    rig, node = t.one()
    node.kill(node.qemu_pid(100), signal.SIGTERM)
    t.comes("absent", lambda: node.state(100) in (None, "absent"), 5)
    t.never("it stays off", lambda: node.running(100), 6)
    t.line(node, "VMID 100 is no longer available or not running")
    t.ok("no child is kept for it", node.prober(100) is None, node.children())


@scenario(70)
def survives_its_stop(t):
    rig, node = t.one(deaf=True, stop_survives=True)
    node.kill(node.qemu_pid(100), signal.SIGSTOP)
    node.ports(100, "closed")
    t.comes("stuck", lambda: node.state(100) == "stuck", 35)
    t.line(node, "does not end")
    before = rig.verbs(100)
    t.ok("a shutdown and a stop were tried, no start", before == ["start", "shutdown", "stop"],
         before)
    t.never("nothing more is done", lambda: rig.verbs(100) != before, 8)


@scenario(90)
def start_fails(t):
    rig, node = t.one()
    rig.knob(100, start_fails="start failed: no such disk")
    node.ports(100, "closed")
    t.comes("the start is tried", lambda: verb_seen(rig, 100, "start", True), 20)
    t.line(node, "off, and its start failed", seconds=8)
    t.comes("and again", lambda: rig.verbs(100).count("start") >= 3, 20)
    rig.knob(100, start_fails=None)
    t.comes("once it can be: it serves", lambda: node.state(100) == "serving", 40)


@scenario(90)
def quorum_lost_in_between(t):
    rig, node = t.one(slow_shutdown=1.5)
    node.ports(100, "closed")
    t.comes("qm shutdown is called", lambda: verb_seen(rig, 100, "shutdown"), 20)
    node.quorum(False)
    t.comes("the guest ends", lambda: not node.running(100), 6)
    t.line(node, "off, and its start is held back.*quorum", seconds=10)
    t.ok("no start is tried", rig.verbs(100) == ["start", "shutdown"], rig.verbs(100))
    node.quorum(True)
    t.comes("with quorum: started", lambda: rig.verbs(100) == DONE, 25)


@scenario(100)
def restart_at(t):
    """The next time that the clock shows it: not the one that has passed."""
    now = time.time()
    past = time.strftime("%H:%M", time.gmtime(now - 60))
    rig, node = t.one(watch={"restart_at": past})
    if time.gmtime().tm_sec > 45:
        time.sleep(16)
    soon = time.strftime("%H:%M", time.gmtime(time.time() + 60))
    add(rig, node, 101, watch={"restart_at": soon})
    node.wait_state(101, "serving")
    t.ok("not on start-up", rig.verbs(100) == LEFT)
    t.comes(f"at {soon}", lambda: rig.verbs(101) == DONE, 70)
    shutdown = rig.calls(101)[1]["time"]
    t.ok("in the first seconds of that minute", shutdown % 60 < 5, shutdown % 60)
    t.line(node, rf"\[guest101\] Scheduled restart at {soon} triggered")
    t.comes("serves again", lambda: node.state(101) == "serving", 10)
    t.never("once", lambda: rig.verbs(101) != DONE, 5)
    t.ok("the other one was left alone", rig.verbs(100) == LEFT)
    t.ok("it takes nothing of the budget", node.seen(101)["budget"]["left"] == 3 and
         node.seen(101)["stats"]["scheduled_restarts"] == 1, node.seen(101))


@scenario(90)
def restart_after(t):
    """Seconds of QEMU's age; maintenance holds it back."""
    rig, node = t.one(watch={"restart_after": 8})
    t.comes("restarted", lambda: rig.verbs(100) == DONE, 20)
    age = rig.calls(100)[1]["time"] - rig.calls(100)[0]["time"]
    t.ok("when it was old enough", 8 <= age < 11, age)
    node.must(PVEWARDEN, "watch", "maintenance", "on")
    t.never("held by maintenance", lambda: len(rig.verbs(100)) > 3, 12)
    node.must(PVEWARDEN, "watch", "maintenance", "off")
    t.comes("then again", lambda: len(rig.verbs(100)) == 5, 10)
