# SPDX-License-Identifier: AGPL-3.0-or-later
"""Supervisor and children are killed at random, over and over: no guest stays off, no child is lost."""
import os
import random
import signal
import time

from basic import ALONE
from lib import add, said, scenario
from node import wait_for

FULL = os.environ.get("WATCH_FULL") == "1"
ROUNDS = 100 if FULL else 20
VMIDS = (100, 101, 102)


def fits(verbs):
    """Every stop has its start behind it."""
    owed = False
    for verb in verbs:
        if verb in ("shutdown", "stop"):
            owed = True
        elif verb == "start":
            owed = False
    return not owed


@scenario(400 if FULL else 150)
def killed_at_random(t):
    seed = int(os.environ.get("WATCH_SEED", random.randrange(10**6)))
    dice = random.Random(seed)
    print(f"# WATCH_SEED={seed}")
    # Restarted by age again and again: there is always something under way.
    rig, node = t.one(keys={"boot_time": 1, "restart_after": 4}, settings=ALONE, watch={"budget": "100/1h"},
                      slow_shutdown=0.7)
    add(rig, node, 101, deaf=True, watch={"wait_interval": 1, "budget": "100/1h"})
    add(rig, node, 102, kind="CT", slow_shutdown=0.3, watch={"budget": "100/1h"})
    for vmid in VMIDS:
        node.wait_state(vmid, "serving")
    kills = {"supervisor": 0, "child": 0}
    for _ in range(ROUNDS):
        # Mostly in quick succession, sometimes with the time to bring something to its end.
        time.sleep(dice.uniform(0.05, 1.2) if dice.random() < 0.88 else dice.uniform(3, 8))
        if dice.random() < 0.1 and node.running(102):
            node.ports(102, "closed")  # a container has no age to be restarted by
        if dice.random() < 0.6:
            node.kill(node.daemon, signal.SIGKILL)
            wait_for("dead", lambda: node.code(node.daemon) is not None, 2)
            time.sleep(dice.choice((0, 0.1, 0.5)))
            node.start_daemon(wait=False)
            kills["supervisor"] += 1
        else:
            children = list(node.children())
            if children:
                node.kill(dice.choice(children), signal.SIGKILL)
                kills["child"] += 1
    t.ok(f"killed {kills}", sum(kills.values()) >= ROUNDS * 3 // 4)
    rig.watch_all(boot_time=1)  # no more restarts by age
    restarts = {v: rig.verbs(v).count("start") - 1 for v in VMIDS}
    t.ok(f"restarts meanwhile: {restarts}", sum(restarts.values()) >= ROUNDS // 10, restarts)
    time.sleep(3)  # until the daemon knows, too
    for vmid in VMIDS:
        t.comes(f"{vmid} runs and serves, and nothing is under way",
                lambda v=vmid: node.running(v) and node.state(v) == "serving" and
                fits(rig.verbs(v)) and all("ended" in c for c in rig.calls(v)[-1:]), 60)
    time.sleep(2)
    for vmid in VMIDS:
        t.ok(f"{vmid}: every stop has its start", fits(rig.verbs(vmid)), said(rig, node, vmid))
        t.ok(f"{vmid} has its child", node.prober(vmid), node.children())
    left = {}
    for pid in os.listdir(node.path("/proc")):
        if pid.isdigit() and "pvewarden" in (node.read(f"/proc/{pid}/cmdline") or "") and \
                int(pid) != node.daemon and int(pid) not in node.children():
            left[pid] = node.read(f"/proc/{pid}/cmdline")
    t.ok("no child of an earlier one is left", not left, left)
