#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The hub's figures: documents of 40 guests through HTTP, with token check and history. Load and hub
share this machine's processors.

	bench/fleet.py [--postgres] [--seconds N] [--nodes N]

Documents are made by test/fleet/documents.py and sent by wrk (package wrk), each with its own sequence
and time. Then: the time of an answer at a quarter of that load, 10,000 idle connections, and a list of
50 guests out of 40,000.
"""
import argparse
import http.client
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TREE, "test/fleet"), os.path.join(TREE, "test/watch")]

import documents  # noqa: E402
from hubs import Hub, Postgres  # noqa: E402
from tree import stamp  # noqa: E402

LUA = r"""
-- Each thread has its own nodes and sends their documents in turn, a minute apart.
local threads = 0
function setup(thread) thread:set("number", threads); threads = threads + 1 end
function init(args)
  parts, n, cycle, at = {}, 0, 0, 0
  local i = 0
  for line in io.lines(args[1]) do
    if i % tonumber(args[3]) == number then
      local a, b, c = line:match("^(.-)\t(.-)\t(.*)$")
      n = n + 1
      parts[n] = {a, b, c}
    end
    i = i + 1
  end
  start = tonumber(args[2])
  base = tonumber(args[5])
  headers = {["Authorization"] = "Bearer " .. args[4], ["Content-Type"] = "application/json"}
end
function request()
  at = at + 1
  if at > n then at = 1; cycle = cycle + 1 end
  local p = parts[at]
  local when = os.date("!%Y-%m-%dT%H:%M:%SZ", start + (base + cycle) * 60)
  return wrk.format("POST", "/api/v1/documents", headers, p[1] .. (base + cycle) .. p[2] .. when .. p[3])
end
bad = 0
function response(status, headers, body)
  if status ~= 200 then bad = bad + 1; if bad < 3 then io.stderr:write(status .. " " .. body .. "\n") end end
end
function done(summary, latency, requests)
  io.write(string.format("FIGURES %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(99), summary.errors.status + summary.errors.connect + summary.errors.read +
    summary.errors.write + summary.errors.timeout))
end
"""


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
    """A document of 40 guests for each node, cut where sequence and time stand; without configs, as in a
    steady state."""
    start = time.time() - 86400
    sizes = []
    with open(f"{rig.scratch}/templates", "w", encoding="ascii") as file:
        for i in range(-(-nodes // 4)):
            c = documents.Cluster(f"bench/{i}", f"c{i}", 4, 160, now=start, rich=0.3)
            homes = list(c.nodes)
            for n, guest in enumerate(c.guests.values()):
                guest.node = homes[n % 4]
            for name in homes:
                a = documents.Agent(c, name)
                a.document()
                text = json.dumps(a.document(sequence="@SEQ", collected_at="@AT"))
                first, _, rest = text.partition('"@SEQ"')
                second, _, third = rest.partition("@AT")
                file.write(f"{first}\t{second}\t{third}\n")
                sizes.append(len(text))
    return int(start), sum(sizes) // len(sizes)


def load(rig, hub, token, start, seconds, connections, base, threads=2):
    script = f"{rig.scratch}/load.lua"
    with open(script, "w", encoding="ascii") as file:
        file.write(LUA)
    done = subprocess.run(["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", script,
                           hub.url, "--", f"{rig.scratch}/templates", str(start), str(threads), token, str(base)],
                          capture_output=True, text=True, check=False)
    found = re.search(r"FIGURES (\d+) (\d+) (\d+) (\d+)", done.stdout)
    if not found:
        sys.exit(f"wrk: {done.stdout}{done.stderr}")
    requests, us, p99, errors = map(int, found.groups())
    if errors:
        print(f"# {errors} errors: {done.stderr[:500]}", file=sys.stderr)
    return requests / (us / 1e6), p99 / 1000, errors, requests


def send(rig, hub, token, start, base, count, per_second=None):
    """Times in seconds of the answers to @count documents over 8 connections, at a steady rate if there is
    one."""
    lines = open(f"{rig.scratch}/templates", encoding="ascii").read().splitlines()
    times, lock, index = [], threading.Lock(), [0]
    begun = time.monotonic()

    def one():
        connection = http.client.HTTPConnection(hub.address, hub.port, timeout=20)
        while True:
            with lock:
                i = index[0]
                index[0] += 1
            if i >= count:
                return
            due = begun + i / per_second if per_second else 0
            a, b, c = lines[i % len(lines)].split("\t")
            turn = i // len(lines)
            body = f"{a}{base + turn}{b}{stamp(start + (base + turn) * 60)}{c}"
            time.sleep(max(0, due - time.monotonic()))
            at = time.monotonic()
            connection.request("POST", "/api/v1/documents", body, {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                times.append(time.monotonic() - at)
    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def paced(rig, hub, token, start, per_second, seconds, base):
    """The 99th percentile in ms of answers at a steady rate."""
    count = int(per_second * seconds)
    times = sorted(send(rig, hub, token, start, base, count, per_second))
    return times[int(count * 0.99)] * 1000 if len(times) == count else 1e9


def first(rig, hub, token, start, nodes):
    """Seconds until each node was heard once: a fleet's first minute, of which there is one."""
    begun = time.monotonic()
    if len(send(rig, hub, token, start, 1, nodes)) != nodes:
        sys.exit("not every first document was taken")
    return time.monotonic() - begun


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
        start, size = templates(rig, args.nodes)
        name, bar = ("PostgreSQL", 500) if server else ("SQLite", 1500)
        print(f"| {'the hub on %s, documents of 40 guests, %d bytes' % (name, size):<58} | {'measured':>12} | "
              f"{'bar':>9} | met |")
        print(f"|{'-' * 60}|{'-' * 13}:|{'-' * 10}:|-----|")
        row(f"first documents of {args.nodes} nodes", f"{first(rig, hub, token, start, args.nodes):.1f} s")
        rate, p99, errors, sent = load(rig, hub, token, start, args.seconds, 64, 2)
        good = row("documents per second", f"{rate:.0f}", f"{bar}", rate >= bar and not errors)
        row("99th percentile under that load", f"{p99:.0f} ms")
        base = sent // args.nodes + 10
        p99 = paced(rig, hub, token, start, rate / 4, args.seconds, base)
        good &= row("99th percentile at a quarter of it", f"{p99:.1f} ms", "25 ms", p99 <= 25)
        row("memory", f"{hub.memory():.0f} MiB")
        ms = listing(hub, hub.token(kind="read"))
        good &= row(f"a list of 50 guests out of {args.nodes * 40:,}", f"{ms:.1f} ms", "10 ms", ms <= 10)
        used = idle(hub, 10000)
        good &= row("10,000 idle connections", f"{used:.1f} MiB", "64 MiB", used <= 64)
        size = server.sql("SELECT pg_database_size('hub')") if server else \
            sum(os.path.getsize(f"{hub.state}/{f}") for f in os.listdir(hub.state))
        row("bytes in the database per document", f"{int(size) // (sent + args.nodes)}")
        hub.end()
        return not good
    finally:
        if server:
            server.stop()
        shutil.rmtree(rig.scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
