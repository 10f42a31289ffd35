#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two nodes, one array or a pod over two, random calls with faults and kills, against a model:
no volume is lost, none is destroyed, renamed or taken away while somebody has it open, none is
mapped under two names, nothing is mapped or connected that no registry knows, and when all is well
again everything can be taken away. random_life.py BUILD [SEED [STEPS]]"""
import random
import sys
import time

import lib
from lib import Node, Sim

MIB = 1 << 20
KINDS = ("drop", "drop-after", "reset", "reset-after", "truncated", "stale", "half-closed")
PATHS = ("volumes", "connections", "")


class Life:
    def __init__(self, build, seed, names):
        self.rng = random.Random(seed)
        self.sim = Sim(build, names, ("pve1", "pve2"))
        self.nodes = [Node(build, self.sim, n, delay_ms=5) for n in ("pve1", "pve2")]
        self.config = self.sim.pod_config() if len(names) > 1 else self.sim.config()
        self.prefix = "pod::" if len(names) > 1 else "vg/"
        self.known = {}  # volname: serial; what was made and nobody asked to free
        self.doubtful = set()  # asked to free or rename, without an answer
        self.opened = {}  # (node index, serial): volname
        self.trail = []
        self.done = {"ok": 0, "refused": 0, "killed": 0}

    def serials(self):
        return {n[len(self.prefix):]: v["serial"] for n, v in self.sim.volumes().items()
                if n.startswith(self.prefix + "vm-")}

    def ask(self, i, method, **args):
        """The reply, or None when the process was killed meanwhile."""
        node = self.nodes[i]
        self.trail.append((node.name, method, args))
        node.send(node.request(method, self.config, **args))
        if self.rng.random() < 0.08:
            time.sleep(self.rng.random() * 0.05)
            node.kill()
            self.done["killed"] += 1
            return None
        reply = node.receive()
        assert reply, "the process ended by itself"
        self.trail[-1] += (reply["ok"] or reply["error"],)
        self.done["ok" if reply["ok"] else "refused"] += 1
        return reply

    def some(self):
        return self.rng.choice(sorted(self.known)) if self.known else None

    # ---- operations ----

    def alloc(self, i):
        vmid = self.rng.choice((100, 101))
        reply = self.ask(i, "alloc", vmid=vmid, size_kib=self.rng.choice((1024, 4096)))
        if reply and reply["ok"]:
            self.known[reply["result"]] = self.serials()[reply["result"]]

    def activate(self, i):
        name = self.some()
        if not name:
            return
        reply = self.ask(i, "activate", volname=name)
        if reply and reply["ok"]:
            serial = self.known[name]
            assert reply["result"]["path"].endswith(serial.lower()), reply
            assert serial in self.nodes[i].mapped()
            if self.rng.random() < 0.4:
                self.nodes[i].open(serial)
                self.opened[i, serial] = name

    def deactivate(self, i):
        name = self.some()
        if not name:
            return
        reply = self.ask(i, "deactivate", volname=name)
        if (i, self.known[name]) in self.opened:
            assert not reply or not reply["ok"], "taken away while it is open"
        elif reply and reply["ok"]:
            assert self.known[name] not in self.nodes[i].mapped()

    def close(self, i):
        mine = [s for n, s in self.opened if n == i]
        if mine:
            serial = self.rng.choice(mine)
            self.nodes[i].release(serial)
            del self.opened[i, serial]

    def path(self, i):
        name = self.some()
        reply = self.ask(i, "path", volname=name) if name else None
        if reply and reply["ok"]:
            assert reply["result"]["path"].endswith(self.known[name].lower()), reply

    def resize(self, i):
        name = self.some()
        if name:
            self.ask(i, "resize", volname=name, size=self.rng.randint(5, 9) * MIB, running=0)

    def is_open(self, serial):
        return any(s == serial for _, s in self.opened)

    def free(self, i):
        name = self.some()
        if not name:
            return
        serial = self.known[name]
        reply = self.ask(i, "free", volname=name)
        if self.is_open(serial):
            assert not reply or not reply["ok"], "destroyed while it is open"
            return
        del self.known[name]
        if not reply or not reply["ok"]:
            self.doubtful.add(name)
        else:
            assert serial not in self.serials().values()

    def rename(self, i):
        name = self.some()
        if not name:
            return
        serial = self.known[name]
        # Proxmox renames disks of guests that run nowhere, on the node that they are on.
        if any(e["serial"] == serial for e in self.nodes[1 - i].registry()):
            return
        reply = self.ask(i, "rename", volname=name, vmid=self.rng.choice((102, 103)))
        if (i, serial) in self.opened:
            assert not reply or not reply["ok"], "renamed while it is open here"
            return
        now = [n for n, s in self.serials().items() if s == serial]
        assert len(now) == 1, "a rename loses nothing"
        del self.known[name]
        self.known[now[0]] = serial
        for key, old in list(self.opened.items()):
            if old == name:
                self.opened[key] = now[0]

    def fault(self, _):
        self.sim.fault(kind=self.rng.choice(KINDS), array=self.rng.choice(self.sim.names),
                       method=self.rng.choice(("GET", "POST", "DELETE", "PATCH", "")),
                       path=self.rng.choice(PATHS), count=self.rng.randint(1, 2))

    def outage(self, _):
        name = self.sim.names[-1]
        if len(self.sim.names) > 1 and not self.sim.state()["arrays"][name]["down"]:
            self.sim.ask("POST", "/down", {"array": name})

    def well(self, _):
        self.sim.well()

    # ---- what always holds ----

    def check(self):
        there = self.serials()
        for name, serial in self.known.items():
            assert there.get(name) == serial, f"{name} is lost"
        connected = self.sim.connections()
        for i, node in enumerate(self.nodes):
            entries = node.registry()
            by_serial = {}
            for e in entries:
                by_serial.setdefault(e["serial"], []).append(e)
            for serial in node.mapped():
                assert serial in by_serial, f"{serial} is mapped on {node.name} without an entry"
                active = [e for e in by_serial[serial] if e["verified"]]
                assert len(active) <= 1, f"mapped under two names: {active}"
            of = {e["array_volume"] for e in entries}
            for _, host, volume in connected:
                assert host != node.name or volume in of, f"{volume} is connected unknown to {host}"
            for (n, serial), name in self.opened.items():
                if n == i:
                    assert serial in node.mapped() and serial in there.values(), f"{name}: open, gone"
                    assert any(h == node.name and v == self.prefix + name for _, h, v in connected)

    # ---- the end ----

    def finish(self):
        self.sim.well()
        for (i, serial) in list(self.opened):
            self.nodes[i].release(serial)
        self.opened.clear()
        for node in self.nodes:
            for e in node.registry():
                node.call("deactivate", self.config, volname=e["volname"],
                          **({"snap": e["snap"]} if e["snap"] else {}))
            assert not node.mapped() and not node.registry(), (node.mapped(), node.registry())
        assert not self.sim.connections(), self.sim.connections()
        for v in self.nodes[0].call("list", self.config):
            self.nodes[0].call("free", self.config, volname=v["volname"])
        assert not self.serials(), self.serials()

    def run(self, steps):
        ops = [self.alloc] * 4 + [self.activate] * 6 + [self.deactivate] * 5 + [self.close] * 4 + \
              [self.path] * 2 + [self.resize, self.free, self.free, self.rename, self.fault,
                                 self.fault, self.outage, self.well, self.well]
        for _ in range(steps):
            self.rng.choice(ops)(self.rng.randrange(2))
            self.check()
        self.finish()

    def end(self):
        for node in self.nodes:
            try:
                node.close()
            except OSError:
                pass


def main():
    build = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 150
    failed = False
    for names in (("fa1",), ("fa1", "fa2")):
        life = Life(build, seed, names)
        try:
            life.run(steps)
            print(f"ok - {len(names)} arrays, seed {seed}, {steps} steps: {life.done}", flush=True)
        except Exception as e:  # told with the way there
            failed = True
            print(f"not ok - {len(names)} arrays, seed {seed}: {type(e).__name__}: {e}")
            for step in life.trail[-8:]:
                print("#", *step, flush=True)
        life.end()
        lib.end_all()
    sys.exit(failed)


if __name__ == "__main__":
    main()
