#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The documents that agents would send of a cluster of cluster.py (docs/wire.md), without agents.

	test/fleet/documents.py --clusters 10 --nodes 3 --guests 40 --cycles 2    one JSON object a line
"""
import argparse
import hashlib
import json
import sys

import guestconf
from cluster import VERSIONS, Cluster
from tree import INACTIVE, STORAGES, stamp

SCHEMA = "pvewarden.node/1"
MASKED = "********"
SECRETS = ("cipassword",)


class Agent:
    """One node's: its instance, its sequence, what it has sent."""

    def __init__(self, cluster, name, interval=60):
        self.cluster, self.name, self.interval = cluster, name, interval
        self.instance = hashlib.md5(f"{cluster.uuid}/{name}".encode()).hexdigest()
        self.sequence, self.sent, self.reporter = 0, {}, None

    def document(self, all_configs=False, **changes):
        c, view = self.cluster, self.cluster.view(self.name)
        self.sequence += 1
        own = view.own()
        new = own if all_configs or self.sequence == 1 else \
            [g for g in own if self.sent.get(g.vmid) != digest(g)]
        self.sent = {g.vmid: digest(g) for g in own}
        lowest = min((c.nodes[n] for n in view.online), key=lambda n: n.id).name
        doc = {
            "schema": SCHEMA,
            "cluster": {"uuid": c.uuid, "name": c.name,
                        "config_version": c.config_version if c.clustered else None,
                        "clustered": c.clustered},
            "node": self.name, "instance": self.instance, "sequence": self.sequence,
            "collected_at": stamp(c.now), "interval": self.interval,
            "quorate": view.quorate, "complete": view.quorate,
            "reporter": view.quorate and (self.reporter or lowest) == self.name, "blind": [],
            "pmxcfs": {"state": "ok", "ms": 4},
            "nodes": [{"name": n.name, "id": n.id, "ip": n.ip, "online": n.name in view.online}
                      for n in c.nodes.values()],
            "vmids": [[g.vmid, g.kind, g.node] for g in view.guests.values()],
            "host": host(c, view.me),
            "guests": [guest(c, g) for g in own],
            "configs": [config(g) for g in new],
            "storages": [storage(c, *s) for s in STORAGES],
            "ha": {"master": c.master(), "at": stamp(c.now), "master_alive": True} if c.clustered else None,
            "parts": {"dm": {"schema": "pvewarden.dm/1", "time": stamp(c.now), "state": "ok", "findings": []}},
        }
        doc.update(changes)
        return doc


def host(c, node):
    up = int(c.now) - node.boot
    return {"uptime": up, "boot_time": stamp(node.boot), "loadavg": [node.load, 0.3, 0.2],
            "cpu": round(node.cpu, 4), "iowait": round(node.iowait, 4),
            "cpuinfo": {"model": "Intel(R) Xeon(R) CPU E5-2670 v3 @ 2.30GHz", "sockets": 2, "cores": 8,
                        "cpus": 16, "mhz": 2300.0, "hvm": True},
            "kversion": f"Linux {VERSIONS[node.pve][2]} #1 SMP PREEMPT_DYNAMIC PMX",
            "pveversion": node.pveversion, "level": "",
            "memory": {"total": node.memory, "used": node.used, "available": node.memory - node.used},
            "swap": {"total": 8 << 30, "used": 1 << 30},
            "rootfs": {"total": 234567890000, "used": 111111101000, "avail": 111111101000},
            "netin": node.net[0], "netout": node.net[1],
            "pressure": {"cpu_some": 1.5, "io_some": 0.7, "io_full": 0.2, "memory_some": 0.0,
                         "memory_full": 0.0},
            "sampled_at": stamp(int(c.now) // 10 * 10)}


def digest(g):
    return hashlib.sha256(f"{g.kind}{g.vmid}{guestconf.text(g)}".encode()).hexdigest()


def guest(c, g):
    on = g.running()
    return {"vmid": g.vmid, "type": g.kind, "node": g.node, "name": g.name, "status": g.status,
            "uptime": g.uptime(c.now), "template": g.template, "lock": g.lock,
            "tags": g.options.get("tags"), "cpus": g.cpus, "cpu": round(g.cpu, 4) if on else None,
            "maxmem": g.memory_mb << 20, "mem": g.mem if on else None, "maxdisk": g.disk, "disk": None,
            "netin": g.traffic[0] if on else None, "netout": g.traffic[1] if on else None,
            "diskread": g.traffic[2] if on else None, "diskwrite": g.traffic[3] if on else None,
            "memhost": None, "pressure": None, "sampled_at": stamp(int(c.now) // 10 * 10),
            "ha": {"wanted": "started", "state": "started", "node": g.node} if c.ha_managed(g) else None,
            "backup": c.backed_up(g), "snapshots": len(g.snapshots),
            "oldest_snapshot": stamp(min(s["at"] for s in g.snapshots)) if g.snapshots else None,
            "pending": bool(g.pending or g.removals), "identity": g.identity, "digest": digest(g)}


def config(g):
    o = g.options
    raw = {k: MASKED if k in SECRETS else v for k, v in o.items()}
    row = {"vmid": g.vmid, "digest": digest(g), "name": g.name, "type": g.kind,
           "cores": int(o["cores"]) if "cores" in o else 1 if g.kind == "qemu" else None, "sockets": int(o.get("sockets", 1)),
           "memory_mb": g.memory_mb, "ostype": o.get("ostype", "other"), "onboot": o.get("onboot") == "1",
           "protection": o.get("protection") == "1", "template": g.template, "tags": o.get("tags"),
           "snapshots": [{"name": s["name"], "at": stamp(s["at"]), "parent": s["parent"],
                          "vmstate": s["vmstate"], "description": s["description"]} for s in g.snapshots],
           "pending": [{"key": k, "now": o.get(k), "new": v} for k, v in g.pending.items()] +
                      [{"key": k, "now": o.get(k), "new": None} for k in g.removals],
           "nets": [net(k, v) for k, v in o.items() if k.startswith("net")], "config": raw}
    if g.kind == "qemu":
        row |= {"vmgenid": o["vmgenid"], "created_at": stamp(g.created), "cpu_type": o.get("cpu"),
                "boot": {"order": o.get("boot", "").removeprefix("order=").split(";")},
                "drives": [volume(k, v) for k, v in o.items() if k.startswith(("scsi", "ide", "efi", "tpm"))
                           and k != "scsihw"]}
    else:
        row |= {"swap_mb": int(o.get("swap", 512)), "rootfs": o["rootfs"], "arch": o["arch"],
                "hostname": g.name, "features": dict(p.split("=") for p in o["features"].split(","))
                if "features" in o else {}, "unprivileged": o.get("unprivileged") == "1",
                "mountpoints": [volume(k, v) for k, v in o.items() if k.startswith("mp")]}
    return row


def volume(key, text):
    first, *rest = text.split(",")
    store, _, name = first.partition(":")
    options = dict(p.partition("=")[::2] for p in rest)
    return {"key": key, "storage": store if name else None, "volume": name or first, "size": None,
            "media": options.get("media", "disk"), "options": options}


def net(key, text):
    options = dict(p.partition("=")[::2] for p in text.split(","))
    return {"key": key, "bridge": options.get("bridge"), "ip": options.get("ip"),
            "tag": int(options["tag"]) if "tag" in options else None, "firewall": options.get("firewall") == "1"}


def storage(c, kind, name, _, content, shared):
    active = name not in INACTIVE
    return {"name": name, "type": kind, "shared": shared, "enabled": True, "content": content, "nodes": None,
            "active": active or None, "total": 31044079616 if active else None,
            "used": 17571426304 if active else None,
            "sampled_at": stamp(int(c.now) // 10 * 10) if active else None}


def fleet(clusters, nodes, guests, seed=1, now=None, pve=8):
    """[Cluster], each with @nodes nodes and @guests guests; names of clusters and nodes are not unique."""
    return [Cluster(f"{seed}/{i}", f"prod{i % 7}" if nodes > 1 else None, nodes, guests, now=now, pve=pve,
                    rich=0.2) for i in range(clusters)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--clusters", type=int, default=1)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--guests", type=int, default=40, help="of each cluster")
    parser.add_argument("--cycles", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    made = fleet(args.clusters, args.nodes, args.guests, args.seed)
    agents = [Agent(c, n) for c in made for n in c.nodes]
    for _ in range(args.cycles):
        for agent in agents:
            print(json.dumps(agent.document()))
        for c in made:
            c.tick(c.now + 60)
            c.churn()
    return 0


if __name__ == "__main__":
    sys.exit(main())
