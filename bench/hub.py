#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The hub's figures: documents of 40 guests through HTTP, with token check and history. Load and hub
share this machine's processors.

	bench/hub.py [--postgres] [--seconds N] [--nodes N]

Documents are made by test/fleet/documents.py and sent by bench/hubload.c, each node in turn and a minute
after its last. Then: the time of an answer at a quarter of that load, 10,000 idle connections, and a list of
50 guests out of 40,000.
"""
import argparse
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TREE, "test/fleet"), os.path.join(TREE, "test/watch")]

import documents  # noqa: E402
from hubs import Hub, Postgres  # noqa: E402

HUBLOAD = os.environ.get("HUBLOAD", os.path.join(TREE, "build/bench/hubload"))


class Rig:
    """As much of a rig as a Hub needs."""

    def __init__(self):
        self.scratch = tempfile.mkdtemp(prefix="bench-hub-")
        os.chmod(self.scratch, 0o755)

    def folder(self, name):
        os.makedirs(f"{self.scratch}/{name}", exist_ok=True)
        return f"{self.scratch}/{name}"


def row(what, value, bar="", good=True):
    print(f"| {what:<58} | {value:>12} | {bar:>9} | {'yes' if good else 'NO':<3} |", flush=True)
    return good


def templates(rig, nodes):
    """A document of 40 guests for each node, as an agent sends it in a steady state: without configs."""
    sizes = []
    with open(f"{rig.scratch}/templates", "w", encoding="ascii") as file:
        for i in range(-(-nodes // 4)):
            c = documents.Cluster(f"bench/{i}", f"c{i}", 4, 160, now=time.time() - 86400, rich=0.3)
            homes = list(c.nodes)
            for n, guest in enumerate(c.guests.values()):
                guest.node = homes[n % 4]
            for name in homes:
                a = documents.Agent(c, name)
                a.document()
                text = json.dumps(a.document(sequence=1000000000, collected_at="TIME" + "@" * 16),
                                  separators=(",", ":"))
                file.write(text + "\n")
                sizes.append(len(text))
    return sum(sizes) // len(sizes)


class Load:
    """What was sent so far, so that the fleet's clock goes on."""

    def __init__(self, rig, hub, token, nodes):
        self.rig, self.hub, self.token, self.nodes = rig, hub, token, nodes
        self.at, self.sent = int(time.time()) - 86400, 0

    def send(self, connections, seconds, rate=0):
        """(documents a second, 99th percentile in ms); seconds 0: each node once."""
        done = subprocess.run([HUBLOAD, str(self.hub.port), f"{self.rig.scratch}/templates", str(connections),
                               str(seconds), str(rate), str(self.at)], capture_output=True, text=True, check=False,
                              env={"HUBLOAD_TOKEN": self.token})
        found = re.match(r"(\d+) documents/s, (\d+) kept, (\d+) failed.*p99 ([0-9.]+) ms", done.stdout)
        if not found or found[3] != "0":
            sys.exit(f"hubload: {done.stdout}{done.stderr}")
        self.sent += int(found[2])
        self.at += 60 * (int(found[2]) // self.nodes + 2)
        return int(found[1]), float(found[4])


def idle(hub, count):
    """MiB that so many silent connections cost."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 1000, max(count + 1000, resource.getrlimit(
        resource.RLIMIT_NOFILE)[1])))
    before, sockets = hub.memory(), []
    for _ in range(count):
        s = socket.socket()
        s.connect((hub.address, hub.port))
        sockets.append(s)
    time.sleep(1)
    alive = hub.ask("GET", "/healthz")[0] == 200
    used = hub.memory() - before
    for s in sockets:
        s.close()
    return used if alive else 1e9


def listing(hub, token):
    """Best time in ms of a page of 50 guests."""
    times = []
    for _ in range(20):
        at = time.monotonic()
        status, _, text = hub.ask("GET", "/api/v1/guests?limit=50", token=token)
        times.append(time.monotonic() - at)
        if status != 200 or len(json.loads(text)["items"]) != 50:
            sys.exit(f"GET /api/v1/guests: {status} {text[:300]}")
    return sorted(times)[len(times) // 2] * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--nodes", type=int, default=1000)
    args = parser.parse_args()
    rig, server = Rig(), None
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    try:
        if args.postgres:
            server = Postgres(rig.folder("pg"))
        hub = Hub(rig, 1, db=server.database() if server else None).start()
        token = hub.token()
        size = templates(rig, args.nodes)
        load = Load(rig, hub, token, args.nodes)
        name, bar = ("PostgreSQL", 500) if server else ("SQLite", 1500)
        print(f"| {'the hub on %s, documents of 40 guests, %d bytes' % (name, size):<58} | {'measured':>12} | "
              f"{'bar':>9} | met |")
        print(f"|{'-' * 60}|{'-' * 13}:|{'-' * 10}:|-----|")
        rate, _ = load.send(64, 0)
        row(f"documents per second, {args.nodes} nodes never heard before", f"{rate}")
        rate, p99 = load.send(256, args.seconds)
        good = row("documents per second", f"{rate}", f"{bar}", rate >= bar)
        row("99th percentile under that load", f"{p99:.0f} ms")
        if server:
            # One that has run for a while has segments for its log; a new one fills each with zeros first.
            server.sql("CHECKPOINT")
        time.sleep(2)
        _, p99 = load.send(256, args.seconds, rate / 4)
        good &= row("99th percentile at a quarter of it", f"{p99:.1f} ms", "25 ms", p99 <= 25)
        row("memory", f"{hub.memory():.0f} MiB")
        ms = listing(hub, hub.token(kind="read"))
        good &= row(f"a list of 50 guests out of {args.nodes * 40:,}", f"{ms:.1f} ms", "10 ms", ms <= 10)
        used = idle(hub, 10000)
        good &= row("10,000 idle connections", f"{used:.1f} MiB", "64 MiB", used <= 64)
        size = server.sql("SELECT pg_database_size('hub')") if server else \
            sum(os.path.getsize(f"{hub.state}/{f}") for f in os.listdir(hub.state))
        row("bytes in the database per document", f"{int(size) // load.sent}")
        hub.end()
        return not good
    finally:
        if server:
            server.stop()
        shutil.rmtree(rig.scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
