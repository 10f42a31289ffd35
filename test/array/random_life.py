#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two nodes, one array or a pod over two, and guests that live on them: random calls with faults, kills,
crashes and migrations, as Proxmox makes them and as it never would, against a model. No volume is lost;
none is destroyed, renamed, overwritten or taken away while somebody has it open, on either node; a
snapshot is read with the content that its volume had when it was taken; none is mapped under two names;
nothing is mapped or connected that no registry knows; and when all is well again everything can be taken
away. random_life.py [SEED...], each with one array and with two, the first also over NVMe and with a host
group, on arrays that keep what is destroyed (SafeMode); STEPS=200."""
import os
import random
import sys
import time

import lib
from lib import NODES, Node, Sim

MIB = 1 << 20
SEEDS = (1, 2, 4)
STEPS = int(os.environ.get("STEPS", "120"))
KINDS = ("drop", "drop-after", "reset", "reset-after", "truncated", "stale", "half-closed")
PATHS = ("volumes", "connections", "volume-snapshots", "")
GUESTS = (100, 101, 102, 103)
KILLED = 0.06


class Life:
    def __init__(self, seed, arrays, nvme, group):
        self.rng, self.nvme, self.group = random.Random(seed), nvme, group
        self.sim = Sim(arrays, content=True)
        self.sim.furnish()
        place = {"podname": "pod"} if arrays > 1 else {}
        if group:
            place["purestorage-hostgroup"] = group
            for name in self.sim.names:
                self.sim.make(name, config={"safemode": True},
                              host_groups=[{"name": group, "hosts": list(NODES)}])
        if nvme:
            place["protocol"] = "nvme"
            for name in self.sim.names:  # of two subsystems no pod is possible
                self.sim.make(name, config={"nqn": "nqn.2010-06.com.purestorage:flasharray"})
        self.nodes = [Node(self.sim, n, delay_ms=2, **place) for n in NODES]
        self.prefix = "pod::" if arrays > 1 else "vg/"
        self.at = {g: i % 2 for i, g in enumerate(GUESTS)}  # guest: the node that its config is on
        self.running = {}  # guest: nodes that it runs on; two while it migrates
        self.disks = {}  # serial: [name, guest]; what was made and nobody asked to free
        self.opened = set()  # (node index, serial)
        self.snaps = {}  # serial: {snapshot that was taken: content}
        self.reading = {}  # (node index, serial of what stands for a snapshot): content
        self.writes = 0
        self.made = {}  # guest: node and time of its last alloc
        self.is_down = False
        self.trail = []
        self.done = {"ok": 0, "refused": 0, "killed": 0, "migrations": 0, "crashes": 0}
        self.write_guests()

    # ---- what is known ----

    def there(self):
        """{name: serial} of the volumes that are there."""
        return {n[len(self.prefix):]: v["serial"] for n, v in self.sim.volumes().items()
                if n.startswith((self.prefix + "vm-", self.prefix + "base-"))}

    def of(self, guest):
        return sorted(s for s, (_, g) in self.disks.items() if g == guest)

    def name(self, serial):
        return self.disks[serial][0]

    def is_open(self, serial):
        return any(s == serial for _, s in self.opened)

    def end_of_path(self, serial):
        return (serial[:14] + "24a937" + serial[14:] if self.nvme else serial).lower()

    def is_off(self, i, serial):
        """A namespace goes by itself, some time after no array shows it."""
        return self.nvme or serial not in self.nodes[i].mapped()

    def write_guests(self):
        for guest, i in self.at.items():
            text = "lock: migrate\n" if len(self.running.get(guest, ())) > 1 else ""
            text += "".join(f"scsi{k}: pure:{self.name(s)},size=1M\n" for k, s in enumerate(self.of(guest)))
            for node in self.nodes:
                node.guest(guest, text, node=NODES[i])

    def ask(self, i, method, killed=KILLED, **args):
        """The reply, or None when the process was killed meanwhile."""
        node = self.nodes[i]
        self.trail.append((node.name, method, args))
        node.send(node.request(method, **args))
        if self.rng.random() < killed:
            time.sleep(self.rng.random() * 0.03)
            node.restart()
            self.settle()
            self.done["killed"] += 1
            self.trail[-1] += ("killed",)
            return None
        reply = node.receive()
        assert reply, "the process ended by itself"
        self.trail[-1] += (reply["ok"] or reply["error"],)
        self.done["ok" if reply["ok"] else "refused"] += 1
        return reply

    def settle(self):
        """What a killed process had sent may reach the array after its end."""
        seen = None
        while seen != (now := self.sim.ask("GET", "/counters")):
            seen = now
            time.sleep(0.05)

    def good(self, *args, **more):
        reply = self.ask(*args, **more)
        return reply is not None and reply["ok"]

    def some_disk(self):
        return self.rng.choice(sorted(self.disks)) if self.disks else None

    def some_guest(self, running):
        found = [g for g in GUESTS if (g in self.running) == running]
        return self.rng.choice(found) if found else None

    # ---- as Proxmox does ----

    def alloc(self, _):
        guest = self.rng.choice(GUESTS)
        if len(self.of(guest)) >= 4:
            return
        # A guest does not get a disk on two nodes within two seconds: docs/array.md, 4, of `alloc`.
        node, when = self.made.get(guest, (self.at[guest], 0))
        if node != self.at[guest]:
            time.sleep(max(0, when + 2 - time.monotonic()))
        self.made[guest] = self.at[guest], time.monotonic()
        reply = self.ask(self.at[guest], "alloc", vmid=guest, size_kib=self.rng.choice((1024, 4096)))
        if reply and reply["ok"]:
            serial = self.there()[reply["result"]]
            assert serial not in self.disks, "a volume that somebody has was given away"
            self.disks[serial] = [reply["result"], guest]
            self.write_guests()

    def use(self, i, serials):
        """Activated and opened, all or none."""
        for serial in serials:
            reply = self.ask(i, "activate", volname=self.name(serial))
            if not reply or not reply["ok"]:
                return False
            assert reply["result"]["path"].endswith(self.end_of_path(serial)), reply
            assert serial in self.nodes[i].mapped()
        for serial in serials:
            self.nodes[i].open(serial)
            self.opened.add((i, serial))
        return True

    def leave(self, i, serials):
        for serial in serials:
            if (i, serial) in self.opened:
                self.nodes[i].release(serial)
                self.opened.discard((i, serial))
        if self.rng.random() < 0.2:
            return  # forgotten
        for serial in serials:
            if self.good(i, "deactivate", volname=self.name(serial)):
                assert self.is_off(i, serial)

    def power_on(self, _):
        guest = self.some_guest(running=False)
        if guest and self.of(guest) and self.use(self.at[guest], self.of(guest)):
            self.running[guest] = {self.at[guest]}

    def power_off(self, _):
        guest = self.some_guest(running=True)
        if guest:
            nodes = self.running.pop(guest)
            self.write_guests()
            for i in sorted(nodes):
                self.leave(i, self.of(guest))

    def migrate(self, _):
        """Begun, or the one that was begun is ended: both nodes have it open in between."""
        guest = self.some_guest(running=True)
        if not guest:
            return
        source = self.at[guest]
        if len(self.running[guest]) == 1:
            self.running[guest].add(1 - source)
            self.write_guests()
            if not self.use(1 - source, self.of(guest)):
                self.running[guest].discard(1 - source)
                self.write_guests()
            return
        self.at[guest] = 1 - source
        self.running[guest] = {1 - source}
        self.write_guests()
        self.leave(source, self.of(guest))
        self.done["migrations"] += 1

    def move(self, _):
        """Of a guest that is off: its config alone."""
        guest = self.some_guest(running=False)
        if guest:
            self.at[guest] = 1 - self.at[guest]
            self.write_guests()

    def snapshot(self, _):
        guest = self.rng.choice(GUESTS)
        name = f"s{self.rng.randrange(2)}"
        for serial in self.of(guest):
            self.writes += 1
            self.sim.write(serial, f"write {self.writes}")
        for serial in self.of(guest):
            if self.good(self.at[guest], "snapshot", volname=self.name(serial), snap=name):
                self.snaps.setdefault(serial, {})[name] = self.content_of(serial, name)

    def content_of(self, serial, name):
        """Of the snapshot that the array has; None without one."""
        volume = next(v for v in self.sim.state()["volumes"] if v["serial"] == serial)
        found = [s for s in volume["snapshots"] if s["suffix"] == f"snap-{name}" and not s["destroyed"]]
        return self.sim.read(found[0]["serial"]) if found else None

    def some_snapshot(self):
        found = [(s, n) for s in sorted(self.snaps) if s in self.disks for n in sorted(self.snaps[s])]
        return self.rng.choice(found) if found else (None, None)

    def read_snapshot(self, i):
        """A backup or a clone: what stands for the snapshot, mapped for a while; mostly forgotten."""
        serial, snap = self.some_snapshot()
        if not serial:
            return
        reply = self.ask(i, "activate", volname=self.name(serial), snap=snap)
        if reply and reply["ok"]:
            tmp, = (v["serial"] for v in self.sim.state()["volumes"]
                    if reply["result"]["path"].endswith(self.end_of_path(v["serial"])))
            content = self.content_of(serial, snap)
            assert tmp in self.nodes[i].mapped() and content is not None, "of a snapshot that is not there"
            assert self.sim.read(tmp) == content, f"{snap}: {self.sim.read(tmp)} instead of {content}"
            if self.rng.random() < 0.3 and (i, tmp) not in self.reading:
                self.nodes[i].open(tmp)
                self.reading[i, tmp] = content
                return
        if self.rng.random() < 0.3:
            self.ask(i, "deactivate", volname=self.name(serial), snap=snap)

    def end_reading(self, _):
        for i, tmp in list(self.reading):
            self.nodes[i].release(tmp)
            del self.reading[i, tmp]

    def delete_snapshot(self, i):
        """And mostly taken anew, of another content, on whatever node."""
        serial, snap = self.some_snapshot()
        if not serial:
            return
        name = self.name(serial)
        here = [e["serial"] for e in self.nodes[i].registry() if e["volname"] == name and e["snap"] == snap]
        done = self.good(i, "snapshot_delete", volname=name, snap=snap)
        assert not (done and any((i, t) in self.reading for t in here)), "removed while it is read here"
        if not done:
            return
        assert self.content_of(serial, snap) is None
        self.snaps[serial].pop(snap)
        if self.rng.random() < 0.8:
            self.writes += 1
            self.sim.write(serial, f"write {self.writes}")
            if self.good(1 - i if self.rng.random() < 0.5 else i, "snapshot", volname=name, snap=snap):
                self.snaps[serial][snap] = f"write {self.writes}"

    # ---- whatever state it is in, on whatever node ----

    def path(self, i):
        serial = self.some_disk()
        reply = self.ask(i, "path", volname=self.name(serial)) if serial else None
        if reply and reply["ok"] and i == self.at[self.disks[serial][1]]:
            assert reply["result"]["path"].endswith(self.end_of_path(serial)), reply

    def activate(self, i):
        serial = self.some_disk()
        if serial and self.good(i, "activate", volname=self.name(serial)):
            assert serial in self.nodes[i].mapped()

    def deactivate(self, i):
        serial = self.some_disk()
        if not serial:
            return
        done = self.good(i, "deactivate", volname=self.name(serial))
        assert not (done and (i, serial) in self.opened), "taken away while it is open"
        assert not done or self.is_off(i, serial)

    def resize(self, i):
        serial = self.some_disk()
        if serial:
            self.ask(i, "resize", volname=self.name(serial), size=self.rng.randint(5, 9) * MIB, running=0)

    def rollback(self, i):
        serial = self.some_disk()
        if serial:
            done = self.good(i, "rollback", volname=self.name(serial), snap="s0")
            assert not (done and self.is_open(serial)), "overwritten while it is open"

    def free(self, i):
        serial = self.some_disk()
        if not serial:
            return
        done = self.good(i, "free", volname=self.name(serial))
        if self.is_open(serial):
            assert not done, "destroyed while it is open"
            return
        if done:
            assert serial not in self.there().values()
        if done or serial not in self.there().values():
            del self.disks[serial]
            self.write_guests()

    def rename(self, i):
        serial = self.some_disk()
        if not serial:
            return
        guest = self.rng.choice(GUESTS)
        done = self.good(i, "rename", volname=self.name(serial), vmid=guest)
        assert not (done and self.is_open(serial)), "renamed while it is open"
        now = [n for n, s in self.there().items() if s == serial]
        assert len(now) == 1, "a rename loses nothing"
        if now[0] != self.name(serial):
            assert not self.is_open(serial), "renamed while it is open"
            self.disks[serial] = [now[0], guest]
            self.write_guests()

    # ---- what goes wrong ----

    def fault(self, _):
        self.sim.fault(self.rng.choice(KINDS), self.rng.choice(("GET", "POST", "DELETE", "PATCH", "")),
                       self.rng.choice(PATHS), array=self.rng.choice(self.sim.names),
                       count=self.rng.randint(1, 2))

    def outage(self, _):
        if len(self.sim.names) > 1 and not self.is_down:
            self.is_down = True
            self.sim.down(self.sim.names[-1])

    def well(self, _):
        self.is_down = False
        self.sim.well()

    def crash(self, i):
        """The node is off and on again; its guests do not run any more."""
        if self.rng.random() < 0.5:
            return
        self.done["crashes"] += 1
        self.trail.append((NODES[i], "crash"))
        self.nodes[i].kill()
        self.nodes[i].boot()
        self.opened = {(n, s) for n, s in self.opened if n != i}
        self.reading = {key: text for key, text in self.reading.items() if key[0] != i}
        for guest in list(self.running):
            self.running[guest].discard(i)
            if self.at[guest] == i and self.running[guest]:
                self.leave_all(1 - i, guest)
            if not self.running[guest]:
                del self.running[guest]
        self.write_guests()

    def leave_all(self, i, guest):
        """A migration that lost its source: the half that came in is ended as well."""
        for serial in self.of(guest):
            if (i, serial) in self.opened:
                self.nodes[i].release(serial)
                self.opened.discard((i, serial))
        self.running[guest].clear()

    # ---- what always holds ----

    def check(self):
        state = self.sim.state()
        serial_of = {v["name"]: v["serial"] for v in state["volumes"]}
        alive = {v["serial"] for v in state["volumes"] if not v["destroyed"]}
        there = self.there()
        for serial, (name, _) in self.disks.items():
            assert there.get(name) == serial, f"{name} is lost"
        connected = {((c.get("host") or {}).get("name") or c["host_group"]["name"],
                      serial_of[c["volume"]["name"]])
                     for a in state["arrays"].values() for c in a["connections"]}
        for i, node in enumerate(self.nodes):
            entries = node.registry()
            known = [e["serial"] for e in entries]
            for serial in node.mapped():
                assert self.nvme or serial in known, f"{serial} is mapped on {node.name} without an entry"
                active = [e for e in entries if e["serial"] == serial and e["verified"]]
                assert len(active) <= 1, f"mapped under two names: {active}"
            for host, serial in connected:
                assert host != node.name or serial in known, f"{serial} is connected unknown to {host}"
            for serial in (s for n, s in self.opened if n == i):
                assert serial in node.mapped() and serial in alive, f"{serial}: open, gone"
                assert (self.group or node.name, serial) in connected, f"{serial}: open, not connected"
            for n, serial in self.reading:
                if n == i:
                    assert serial in node.mapped() and serial in alive, f"{serial}: read, gone"
                    assert self.sim.read(serial) == self.reading[n, serial], f"{serial}: changed while it is read"
        stands = {v["name"] for v in state["volumes"] if not v["destroyed"] and "tmp-" in v["name"]}
        known = {e["array_volume"] for node in self.nodes for e in node.registry()}
        assert stands <= known, f"nobody knows of {stands - known}"

    # ---- the end ----

    def finish(self):
        self.sim.well()
        for i, serial in self.opened:
            self.nodes[i].release(serial)
        self.opened.clear()
        self.end_reading(0)
        self.running.clear()
        self.write_guests()
        for node in self.nodes:
            for e in node.registry():
                node.call("deactivate", volname=e["volname"], **({"snap": e["snap"]} if e["snap"] else {}))
            assert self.nvme or not node.mapped(), node.mapped()
            assert not node.registry(), node.registry()
        assert self.group or not self.sim.connections(), self.sim.connections()
        for v in self.nodes[0].call("list"):
            self.nodes[self.at[v["vmid"]]].call("free", volname=v["volname"])
        assert not self.there(), self.there()
        assert not self.sim.connections(), self.sim.connections()

    def run(self):
        ops = [self.alloc] * 4 + [self.power_on] * 6 + [self.power_off] * 3 + [self.migrate] * 5 + \
              [self.activate] * 2 + [self.deactivate] * 3 + [self.free] * 2 + [self.rename] * 3 + \
              [self.fault] * 2 + [self.well] * 2 + \
              [self.snapshot] * 2 + [self.read_snapshot, self.delete_snapshot] * 3 + \
              [self.end_reading] * 2 + \
              [self.move, self.path, self.resize, self.rollback, self.outage, self.crash]
        for _ in range(STEPS):
            self.rng.choice(ops)(self.rng.randrange(2))
            self.check()
            # Each call waits a second for an array that is down: it is not so for long.
            if self.is_down and self.rng.random() < 0.3:
                self.is_down = False
                self.sim.up(self.sim.names[-1], forget_sessions=True)
        self.finish()

    def close(self):
        for node in self.nodes:
            node.close()


def life_of(seed, arrays, nvme=False, group=None):
    def test():
        life = Life(seed, arrays, nvme, group)
        try:
            life.run()
        except Exception as e:  # told with the way there
            words = "\n".join("# " + " ".join(map(str, step)) for step in life.trail[-14:])
            raise RuntimeError(f"{type(e).__name__}: {e}\n{words}") from e
        print(f"# seed {seed}, {arrays} array{'s' * (arrays > 1)}, {STEPS} steps: {life.done}")
        life.close()
    test.__name__ = f"seed_{seed}_with_{arrays}" + "_nvme" * nvme + "_group" * bool(group)
    return test


def lives(seeds):
    return [life_of(seed, n) for seed in seeds for n in (1, 2)] + \
        [life_of(seeds[0], n, nvme=True) for n in (1, 2)] + \
        [life_of(seeds[0], n, group="cluster") for n in (1, 2)]


TESTS = lives(SEEDS)

if __name__ == "__main__":
    if len(sys.argv) > 1:
        TESTS = lives([int(a) for a in sys.argv[1:]])
    del sys.argv[1:]
    lib.run(TESTS)
