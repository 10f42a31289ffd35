# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every scenario uses: how it is named, what it says, and the usual node with one guest."""
import re
import time

from node import Failed, Rig, wait_for

SCENARIOS = {}


def scenario(seconds=60, daemon=True):
    """A scenario of this name; one that takes longer than @seconds has failed."""
    def keep(function):
        name = function.__name__.replace("_", "-")
        SCENARIOS[name] = (function, seconds, daemon)
        return function
    return keep


class Test:
    """One scenario that runs."""

    def __init__(self, name):
        self.name, self.results, self.rigs = name, [], []
        self.begun = time.time()

    def ok(self, what, good, why=""):
        self.results.append(bool(good))
        if good:
            print(f"ok - {self.name}: {what}", flush=True)
        else:
            print(f"not ok - {self.name}: {what}", flush=True)
            for line in (why if isinstance(why, str) else repr(why)).splitlines():
                print(f"# {line}", flush=True)
        return good

    def comes(self, what, condition, seconds=10):
        """A true answer within that time is what is expected."""
        try:
            return self.ok(what, wait_for(what, condition, seconds))
        except Failed as e:
            return self.ok(what, False, str(e))

    def never(self, what, condition, seconds):
        """No true answer for that long is what is expected."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = condition()
            if found:
                return self.ok(what, False, repr(found))
            time.sleep(0.05)
        return self.ok(what, True)

    def rig(self, **options):
        rig = Rig(self.name, **options)
        self.rigs.append(rig)
        return rig

    def one(self, vmid=100, kind="VM", watch=None, daemon=(), start=True, serving=True, keys=None,
            conf=None, settings=None, **knobs):
        """A node with one guest on port 8100 that is watched and serves."""
        rig = self.rig()
        node = rig.node("pve1")
        rig.watch_all(**(keys or {}))
        if settings:
            rig.settings(**settings)
        add(rig, node, vmid, kind=kind, watch=watch, conf=conf, start=start, **knobs)
        if daemon is not None:
            node.start_daemon(*daemon)
            if start and serving:
                node.wait_state(vmid, "serving")
        return rig, node

    def restarted(self, rig, node, vmid, verbs=("start", "shutdown", "start"), seconds=20, since=0.0):
        """The guest was stopped and started in that way, and serves again."""
        self.comes(f"guest {vmid}: {', '.join(verbs)}",
                   lambda: rig.verbs(vmid, since) == list(verbs) or
                   len(rig.verbs(vmid, since)) > len(verbs), seconds)
        self.comes(f"guest {vmid} runs again", lambda: node.running(vmid), 5)
        self.comes(f"guest {vmid} serves again", lambda: node.state(vmid) == "serving", 15)
        self.ok(f"guest {vmid}: nothing else was called", rig.verbs(vmid, since) == list(verbs),
                said(rig, node, vmid))

    def line(self, node, pattern, what=None, after=0, seconds=3):
        """The daemon's log has such a line."""
        return self.comes(what or f"a line like '{pattern}'",
                          lambda: re.search(pattern, node.text()[after:], re.M | re.I), seconds)


def add(rig, node, vmid, kind="VM", watch=None, conf=None, start=True, **knobs):
    """One more guest on its own port (8000 + VMID), watched."""
    port = 8000 + vmid
    rig.guest(vmid, node.name, kind, conf, **{"ports": [port], **knobs})
    if watch is not False:
        keys = {"ip": "127.0.0.1", "portsall": port, **(watch or {})}
        rig.watch_conf(vmid, **{k: v for k, v in keys.items() if v is not None})
    if start:
        code, _, err = (node.qm if kind == "VM" else node.pct)("start", vmid)
        if code:
            raise Failed(f"guest {vmid} does not start: {err}")


def said(rig, node, vmid=None):
    """What helps to understand a failure."""
    calls = "\n".join(f"{c['time']:.1f} {c['node']} {' '.join(c['argv'])}: {c.get('rc')} "
                      f"{c.get('said') or ''}" for c in rig.calls(vmid))
    return f"calls:\n{calls}\nwatch.json: {node.seen(vmid) if vmid else node.watch()}\n" \
           f"log:\n{node.text()[-3000:]}"
