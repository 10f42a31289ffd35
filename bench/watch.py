#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The watch's figures with many guests on one node.

	bench/watch.py [--guests N] [--seconds N] [--interval N]

First each guest has one TCP probe (processor time), then a TCP, an HTTP and a guest agent probe
(memory). The node is test/watch's: namespaces, a pmxcfs by FUSE. A guest is a process with a QEMU's
command line; ports and agents are one process' (watch_guests.c). Processor time and memory are those
of the supervisor and all of its children.
"""
import argparse
import os
import signal
import statistics
import subprocess
import sys
import time

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TREE, "test/watch"))

from node import PVEWARDEN, Rig, wait_for  # noqa: E402

FIRST, PORT = 1000, 10000


def conf(port, all_probes):
    text = f"ip = 127.0.0.1\nportsall = {port}\n"
    return text + f"http = {port}/health\nagent = yes\n" if all_probes else text


def write_confs(rig, guests, all_probes):
    for i in range(guests):
        rig.pve_write(f"mvmm/{FIRST + i}.conf", conf(PORT + i, all_probes))


def make_node(rig, guests, interval):
    node = rig.node("pve1")
    rig.watch_all(check_interval=interval)
    for i in range(guests):
        rig.pve_write(f"nodes/pve1/qemu-server/{FIRST + i}.conf",
                      f"agent: 1\nname: guest{i}\nmemory: 512\nonboot: 1\n")
    write_confs(rig, guests, False)
    program = f"{rig.scratch}/watch_guests"
    subprocess.run(["cc", "-O2", "-o", program, os.path.join(TREE, "bench/watch_guests.c")],
                   check=True)
    out = f"{rig.scratch}/guests.log"
    node.spawn([program, str(FIRST), str(guests), str(PORT)], out, out)
    wait_for("the guests run", lambda: os.path.exists(out) and
             "ready" in open(out, encoding="utf8").read(), 60)
    return node


def pids(node):
    text = node.read(f"/proc/{node.daemon}/task/{node.daemon}/children") or ""
    return [int(p) for p in text.split()]


def cpu(node, processes):
    """Seconds of processor time. /proc/PID/stat counts ticks: too coarse for a thousand of them."""
    return sum(int((node.read(f"/proc/{pid}/schedstat") or "0").split()[0])
               for pid in processes) / 1e9


def private(node, pid):
    """KiB that are this process' alone."""
    rows = [line.split() for line in (node.read(f"/proc/{pid}/smaps_rollup") or "").splitlines()]
    return sum(int(r[1]) for r in rows if r and r[0] in ("Private_Clean:", "Private_Dirty:"))


def next_pid(node):
    return node.spawn(["/usr/bin/true"])


def replaced(node):
    """Seconds until a killed prober has its successor."""
    before = set(pids(node))
    victim = node.prober(FIRST + 7)
    begun = time.monotonic()
    node.kill(victim, signal.SIGKILL)
    wait_for("another child", lambda: set(pids(node)) - before, 10, 0.002)
    return time.monotonic() - begun


def changed(rig, node, vmid):
    """Seconds until another port has led to another prober, which is bound to its ports."""
    before = set(pids(node))
    begun = time.monotonic()
    rig.pve_write(f"mvmm/{vmid}.conf", conf(PORT + vmid - FIRST, True) + "portsany = 9\n")
    wait_for("another child", lambda: set(pids(node)) - before, 10, 0.002)
    return time.monotonic() - begun


def row(what, value, bar, good):
    print(f"| {what:<58} | {value:>12} | {bar:>9} | {'yes' if good else 'NO':<3} |")
    return good


def spent(node, seconds):
    """Share of one core: of the supervisor, its helpers, its probers."""
    kinds = [[node.daemon], [], []]
    for pid, name in node.children().items():
        kinds[2 if name.startswith("pvewarden: guest") else 1].append(pid)
    before, begun = [cpu(node, k) for k in kinds], time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - begun
    return [100 * (cpu(node, k) - b) / passed for k, b in zip(kinds, before)]


def say_spent(what, shares):
    print(f"{what}: {sum(shares):.2f} % of one core (supervisor {shares[0]:.2f}, helpers "
          f"{shares[1]:.2f}, probers {shares[2]:.2f})", flush=True)


def measure(rig, args):
    node = make_node(rig, args.guests, args.interval)
    begun = time.monotonic()
    node.start_daemon()
    wait_for("all serve", lambda: (node.watch() or {"totals": {"serving": 0}})["totals"]["serving"]
             == args.guests, 120, 0.2)
    print(f"{args.guests} guests, every {args.interval} s; all served after "
          f"{time.monotonic() - begun:.1f} s")
    time.sleep(args.interval)  # past the beginning, in which all are asked at once
    first = next_pid(node)
    shares = spent(node, args.seconds)
    say_spent("TCP", shares)
    started = next_pid(node) - first - 1

    write_confs(rig, args.guests, True)
    wait_for("all have three probes", lambda: all(len(g["probes"]) == 3 for g in
             node.watch()["guests"]), 60, 0.5)
    time.sleep(2 * args.interval)
    say_spent("TCP, HTTP and agent", spent(node, args.seconds))
    probers = [p for p, name in node.children().items() if name.startswith("pvewarden: guest")]
    memory = [private(node, p) for p in probers]
    whole = sum(private(node, p) for p in [node.daemon, *pids(node)]) / 1024
    times = [replaced(node) for _ in range(5)]
    changes = [changed(rig, node, FIRST + 11 + i) for i in range(5)]

    print(f"| {'figure':<58} | {'measured':>12} | {'bar':>9} | met |")
    print(f"|{'-' * 60}|{'-' * 13}:|{'-' * 10}:|-----|")
    good = row("private memory of a child, median", f"{statistics.median(memory)} kB", "64 kB",
               statistics.median(memory) <= 64)
    good &= row("private memory of a child, largest", f"{max(memory)} kB", "64 kB",
                max(memory) <= 64)
    good &= row("private memory of all processes", f"{whole:.1f} MiB", "96 MiB", whole <= 96)
    good &= row("one core, all processes, TCP", f"{sum(shares):.2f} %", "3 %", sum(shares) < 3)
    good &= row("processes started meanwhile", started, "0", started == 0)
    good &= row("a killed child is replaced after (longest of 5)",
                f"{1000 * max(times):.0f} ms", "1000 ms", max(times) < 1)
    good &= row("a changed file acts after (longest of 5)", f"{1000 * max(changes):.0f} ms",
                "2000 ms", max(changes) < 2)
    return good and len(probers) >= args.guests


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--guests", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--interval", type=int, default=10)
    args = parser.parse_args()
    if not os.path.exists(PVEWARDEN):
        sys.exit(f"{PVEWARDEN} is not there: meson setup -Dtest_power=true build-watch-test")
    rig = Rig("bench")
    try:
        return 0 if measure(rig, args) else 1
    finally:
        rig.end()


sys.exit(main())
