#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A Proxmox cluster that exists only as a model: nodes, guests and all that happens to them, the
same for one seed. tree.py writes what its nodes would see below a folder, documents.py what its
agents would send, and the model itself says what a hub must have understood in the end.

	test/fleet/cluster.py --nodes 3 --guests 1000 --seed 1 DIR    trees DIR/NODE for `--root`
"""
import argparse
import copy
import random
import sys
import time

import guestconf

VERSIONS = {7: ("7.4-18", "b1f94095", "5.15.158-2-pve"), 8: ("8.2.4", "faa83925c9641325", "6.8.12-4-pve"),
            9: ("9.0.3", "025864202ebb6109", "6.14.8-2-pve")}
GIB = 1 << 30


class Guest:
    def __init__(self, rng, vmid, kind, node, now, rich, name=None):
        self.vmid, self.kind, self.node = vmid, kind, node
        self.name = name or f"{rng.choice(guestconf.NAMES)}{vmid}"
        self.created, self.version = int(now), 0
        self.options = guestconf.qemu(rng, vmid, self.name, self.created, rich) \
            if kind == "qemu" else guestconf.lxc(rng, vmid, self.name, rich)
        self.title = rng.choice(guestconf.TITLES) if rich else ""
        self.lock, self.template = None, False
        self.snapshots, self.pending, self.removals = [], {}, []
        self.status, self.started = "stopped", None
        self.destroyed = None
        self.traffic = [0, 0, 0, 0]  # in, out, read, written
        self.cpu = self.mem = 0

    @property
    def id(self):
        return f"{self.kind}/{self.vmid}"

    @property
    def identity(self):
        if self.kind == "lxc":
            return "/"
        return f"{self.created}/{self.options['vmgenid']}"

    @property
    def cpus(self):
        return int(self.options.get("cores", 1)) * int(self.options.get("sockets", 1))

    @property
    def memory_mb(self):
        return int(self.options.get("memory", "512").removeprefix("current="))

    @property
    def disk(self):
        volume = self.options.get("scsi0") or self.options["rootfs"]
        return int(volume.rpartition("size=")[2][:-1]) * GIB

    def running(self):
        return self.status in ("running", "paused")

    def uptime(self, now):
        return int(now - self.started) if self.running() else 0


class Node:
    def __init__(self, name, number, ip, boot, pve):
        self.name, self.id, self.ip = name, number, ip
        self.online, self.boot, self.pve = True, int(boot), pve
        self.cpu, self.iowait, self.load = 0.05, 0.002, 0.4
        self.net = [123456789, 987654321]
        self.memory, self.used = 64 * GIB, 12 * GIB

    @property
    def pveversion(self):
        release, repoid, _ = VERSIONS[self.pve]
        return f"pve-manager/{release}/{repoid}"

    @property
    def kernel(self):
        return VERSIONS[self.pve][2]


class Cluster:
    """@name None: a standalone node. @rich: the share of guests that have every kind of key."""

    def __init__(self, seed=1, name="prod", nodes=3, guests=30, now=None, rich=0.4, pve=8, prefix="pve",
                 net="10.0.1"):
        self.rng = rng = random.Random(f"{seed}/{name}/{nodes}/{guests}")
        self.name, self.now = name, float(now or int(time.time()))
        self.uuid = guestconf.uuid(rng)
        self.config_version, self.counter, self.rich = max(nodes, 1), 0, rich
        self.start = self.now - 40000
        # A standalone node has no number.
        self.nodes = {f"{prefix}{i}": Node(f"{prefix}{i}", i if name else 0, f"{net}.{10 + i}", self.now - 400000 - i, pve)
                      for i in range(1, nodes + 1)}
        self.guests, self.gone, self.events = {}, [], []
        self.minority, self.frozen = set(), None
        self.reported = None
        for i in range(guests):
            self.add(100 + i)
        self.events.clear()
        self.tick(self.now)

    @property
    def clustered(self):
        return self.name is not None

    # --- what happens ---------------------------------------------------------------------------

    def happened(self, kind, **what):
        self.events.append({"at": self.now, "kind": kind, **what})

    def touch(self, guest):
        self.counter += 1
        guest.version = self.counter

    def add(self, vmid, kind=None, node=None, name=None):
        rng = self.rng
        node = node or rng.choice([n.name for n in self.nodes.values()])
        kind = kind or rng.choice(("qemu", "qemu", "lxc"))
        guest = Guest(rng, vmid, kind, node, self.now - rng.randrange(1000), rng.random() < self.rich,
                      name)
        self.guests[vmid] = guest
        self.touch(guest)
        self.happened("guest.created", vmid=vmid, node=node)
        shape = rng.random()
        if shape < 0.7:
            guest.status, guest.started = "running", self.now - rng.randrange(10, 300000)
        elif shape < 0.73:
            guest.template = True
        elif shape < 0.76 and kind == "qemu":
            guest.status, guest.started = "paused", self.now - 5000
        if rng.random() < 0.15:
            for i in range(rng.randrange(1, 4)):
                self.snapshot(vmid, f"snap{i}", at=int(self.now) - 86400 * (30 - i), tell=False)
        if rng.random() < 0.1:
            guest.pending["memory"] = "1024"
        if rng.random() < 0.04:
            guest.removals.append("tags")
        if rng.random() < 0.05:
            guest.lock = rng.choice(("backup", "migrate", "snapshot"))
        return guest

    def create(self, vmid=None, **options):
        vmid = vmid or max(self.guests, default=99) + 1
        return self.add(vmid, **options)

    def destroy(self, vmid):
        guest = self.guests.pop(vmid)
        guest.destroyed = self.now
        self.gone.append(guest)
        self.counter += 1
        self.happened("guest.destroyed", vmid=vmid, node=guest.node)
        return guest

    def reuse(self, vmid):
        """The same number, another guest, while nobody looked."""
        old = self.destroy(vmid)
        return self.add(vmid, kind="qemu", node=old.node)

    def migrate(self, vmid, to):
        guest = self.guests[vmid]
        old, guest.node = guest.node, to
        self.touch(guest)
        self.happened("guest.moved", vmid=vmid, node=to, old=old)

    def begin(self, vmid):
        guest = self.guests[vmid]
        guest.status, guest.started = "running", self.now
        self.happened("guest.started", vmid=vmid, node=guest.node)

    def halt(self, vmid):
        guest = self.guests[vmid]
        guest.status, guest.started = "stopped", None
        self.happened("guest.stopped", vmid=vmid, node=guest.node)

    def change(self, vmid, **options):
        guest = self.guests[vmid]
        guest.options.update(options or {"cores": str(self.rng.choice((1, 2, 3, 4, 6, 12)))})
        self.touch(guest)
        self.happened("guest.changed", vmid=vmid, node=guest.node)

    def snapshot(self, vmid, name=None, at=None, tell=True):
        guest = self.guests[vmid]
        parent = guest.snapshots[-1]["name"] if guest.snapshots else None
        guest.snapshots.append({
            "name": name or f"s{len(guest.snapshots)}_{int(self.now)}", "at": at or int(self.now),
            "parent": parent, "description": self.rng.choice(guestconf.TITLES),
            "options": dict(guest.options),
            "vmstate": f"local-lvm:vm-{vmid}-state-{name}" if guest.kind == "qemu" and
            self.rng.random() < 0.3 else None})
        self.touch(guest)
        if tell:
            self.happened("guest.changed", vmid=vmid, node=guest.node)

    def split(self, *minority):
        """These lose sight of the others; what they show of /etc/pve stands still."""
        self.frozen = copy.deepcopy(self.guests)
        self.minority = set(minority)
        self.happened("quorum.lost", nodes=sorted(minority))

    def heal(self):
        self.happened("quorum.regained", nodes=sorted(self.minority))
        self.minority, self.frozen = set(), None

    def power_off(self, name):
        self.nodes[name].online = False
        self.happened("node.offline", node=name)
        for guest in self.on(name):
            guest.status, guest.started = "unknown", None

    def power_on(self, name):
        node = self.nodes[name]
        node.online, node.boot = True, int(self.now)
        self.happened("node.online", node=name)
        for guest in self.on(name):
            guest.status = "stopped"

    def reboot(self, name):
        self.nodes[name].boot = int(self.now)
        self.happened("node.rebooted", node=name)
        for guest in self.on(name):
            if guest.running():
                guest.started = self.now

    def upgrade(self, name):
        """To the next major version, with the reboot that this takes."""
        self.nodes[name].pve += 1
        self.happened("node.version", node=name)
        self.reboot(name)

    def join(self, name):
        number = max(n.id for n in self.nodes.values()) + 1
        prefix = next(iter(self.nodes.values())).ip.rpartition(".")[0]
        pve = next(iter(self.nodes.values())).pve
        self.nodes[name] = Node(name, number, f"{prefix}.{10 + number}", self.now - 60, pve)
        self.config_version += 1
        self.happened("node.added", node=name)
        self.happened("config.version")

    def on(self, name):
        return [g for g in self.guests.values() if g.node == name]

    # --- time -----------------------------------------------------------------------------------

    def tick(self, now):
        """Live numbers of that time."""
        rng, dt = self.rng, max(now - self.now, 1)
        self.now = now
        for node in self.nodes.values():
            node.cpu = min(1.0, max(0.001, node.cpu + rng.uniform(-0.05, 0.05)))
            node.iowait = rng.uniform(0, 0.02)
            node.load = round(node.cpu * 16, 2)
            node.used = int(node.memory * rng.uniform(0.2, 0.8))
            node.net = [n + int(dt * rng.randrange(1000, 1000000)) for n in node.net]
        for guest in self.guests.values():
            if guest.running():
                guest.cpu = rng.uniform(0, 1)
                guest.mem = int(guest.memory_mb * 1048576 * rng.uniform(0.1, 0.95))
                guest.traffic = [n + int(dt * rng.randrange(100000)) for n in guest.traffic]

    def churn(self, quorum=True):
        """One of all that may happen; returns what did."""
        rng = self.rng
        up = [n.name for n in self.nodes.values() if n.online and n.name not in self.minority]
        vmids = [v for v, g in self.guests.items() if g.node in up]
        choices = ["create", "start", "stop", "change", "snapshot", "destroy", "reuse", "tick"]
        choices += ["migrate"] * 3 if len(up) > 1 else []
        choices += ["split"] if quorum and len(up) > 2 and not self.minority else []
        choices += ["heal"] * 2 if self.minority else []
        choices += ["reboot", "upgrade"]
        what = rng.choice(choices)
        if what == "create":
            self.create(node=rng.choice(up))
        elif what == "split":
            self.split(rng.choice(up))
        elif what == "heal":
            self.heal()
        elif what in ("reboot", "upgrade"):
            name = rng.choice(up)
            if what == "upgrade" and self.nodes[name].pve < 9:
                self.upgrade(name)
            else:
                self.reboot(name)
        elif vmids and what != "tick":
            self.churn_guest(what, rng.choice(vmids), up)
        return what

    def churn_guest(self, what, vmid, up):
        guest = self.guests[vmid]
        if what == "migrate":
            self.migrate(vmid, self.rng.choice([n for n in up if n != guest.node] or [guest.node]))
        elif what == "start" and guest.status == "stopped" and not guest.template:
            self.begin(vmid)
        elif what == "stop" and guest.running():
            self.halt(vmid)
        elif what == "change":
            self.change(vmid)
        elif what == "snapshot" and len(guest.snapshots) < 5:
            self.snapshot(vmid)
        elif what == "destroy" and len(self.guests) > 3:
            self.destroy(vmid)
        elif what == "reuse":
            self.reuse(vmid)

    # --- what a node sees -----------------------------------------------------------------------

    def view(self, name):
        return View(self, name)

    def backed_up(self, guest):
        """jobs.cfg as tree.py writes it: even numbers that do not end with 0; the other job is off."""
        return guest.vmid % 2 == 0 and guest.vmid % 10 != 0

    def ha_managed(self, guest):
        return self.clustered and guest.vmid % 7 == 0 and not guest.template

    def master(self):
        return next((n.name for n in self.nodes.values() if n.online and n.name not in self.minority),
                    None)


class View:
    """What one node sees of its cluster now."""

    def __init__(self, cluster, name):
        self.cluster, self.me = cluster, cluster.nodes[name]
        inside = name in cluster.minority
        self.online = {n.name for n in cluster.nodes.values()
                       if n.online and (n.name in cluster.minority) == inside}
        self.quorate = not cluster.clustered or 2 * len(self.online) > len(cluster.nodes)
        self.guests = cluster.guests if self.quorate or cluster.frozen is None else \
            self.frozen(cluster, name)

    @staticmethod
    def frozen(cluster, name):
        """The configs stand still; what runs here still tells its numbers."""
        seen = dict(cluster.frozen)
        for vmid, guest in cluster.guests.items():
            old = seen.get(vmid)
            if old and old.node == name == guest.node and old.version == guest.version:
                seen[vmid] = guest
        return seen

    def own(self):
        return [g for g in self.guests.values() if g.node == self.me.name]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--guests", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="prod", help="of the cluster; '' for a standalone node")
    parser.add_argument("--pve", type=int, default=8, choices=(7, 8, 9))
    parser.add_argument("--rich", type=float, default=0.4)
    parser.add_argument("--churn", type=int, default=0, help="this many things happen first")
    parser.add_argument("dir")
    args = parser.parse_args()
    import tree
    made = Cluster(args.seed, args.name or None, args.nodes, args.guests, pve=args.pve, rich=args.rich)
    for _ in range(args.churn):
        made.churn()
        made.tick(made.now + 10)
    for name in made.nodes:
        tree.Tree(made, name, f"{args.dir}/{name}").write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
