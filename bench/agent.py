#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The agent's figures on a node of a synthetic cluster (test/fleet/cluster.py).

	bench/agent.py [--guests N] [--ticks N] [--ca bundle|folder]

Cold: `agent once` against `cat` of the files that it reads, both whole processes, the best of several
runs, processor time. The server speaks TLS with a certificate of an authority of its own, which stands
among the system's. Steady: an agent at work, nothing changed: what its collector says of itself.
Memory: all of its processes, shared pages counted once (PSS), the largest of all ticks.
"""
import argparse
import http.server
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TREE, "test/fleet"))

import tree  # noqa: E402
from cluster import Cluster  # noqa: E402

PROGRAM = os.environ.get("PVEWARDEN", os.path.join(TREE, "build/pvewarden"))


def cpu_of(argv):
    """(seconds of processor time, seconds, exit status)"""
    begun = time.monotonic()
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status, usage = os.wait4(pid, 0)
    return usage.ru_utime + usage.ru_stime, time.monotonic() - begun, os.waitstatus_to_exitcode(status)


def best(argv, runs=8):
    return min(cpu_of(argv) for _ in range(runs))


class Sink(http.server.BaseHTTPRequestHandler):
    """Takes every document."""
    protocol_version = "HTTP/1.1"
    taken = 0

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Sink.taken += 1
        body = b'{"success": true, "message": "", "id": "1", "duplicate": false, "reporter": "pve1", "unheard": []}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def family(pid):
    found = [pid]
    for p in found:
        with open(f"/proc/{p}/task/{p}/children", encoding="ascii") as file:
            found += [int(c) for c in file.read().split()]
    return found


def pss(pids):
    total = 0
    for p in pids:
        with open(f"/proc/{p}/smaps_rollup", encoding="ascii") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total / 1024


def ticks_of(pids):
    total = 0
    for p in pids:
        with open(f"/proc/{p}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def row(what, value, bar, good):
    print(f"| {what:<58} | {value:>12} | {bar:>9} | {'yes' if good else 'NO':<3} |", flush=True)
    return good


def cold(folder):
    files = [os.path.join(base, name) for base, _, names in os.walk(f"{folder}/etc/pve") for name in names]
    files = [f for f in files if os.path.isfile(f) and not os.path.islink(f)]
    cat = best(["/bin/cat", *files])
    once = best([PROGRAM, "--root", folder, "agent", "once", "--format", "json"])
    if once[2]:
        sys.exit(f"agent once: exit status {once[2]}, expected 0")
    good = row("cold collection", f"{once[0] * 1000:.1f} ms", "", True)
    good &= row(f"cat of the same {len(files)} files", f"{cat[0] * 1000:.1f} ms", "", True)
    ratio = once[1] / cat[1]
    return good & row("cold collection / cat, time on the clock", f"{ratio:.2f}", "2.50", ratio <= 2.5)


def certificates(folder, kind):
    """(certificate, key, whom to trust): the system's authorities, as one file or as a folder, and ours."""
    key, cert, trust = f"{folder}/key.pem", f"{folder}/cert.pem", f"{folder}/trust"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=bench", "-addext",
                    "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    if kind == "bundle":
        with open(trust, "wb") as file:
            for part in ("/etc/ssl/certs/ca-certificates.crt", cert):
                file.write(open(part, "rb").read())
    else:
        shutil.copytree("/etc/ssl/certs", trust)
        shutil.copy(cert, f"{trust}/bench.pem")
        subprocess.run(["openssl", "rehash", trust], check=True, capture_output=True)
    return cert, key, trust


def steady(folder, ticks, kind):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    cert, key, trust = certificates(folder, kind)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"https://127.0.0.1:{server.server_address[1]}"
    os.makedirs(f"{folder}/run/pvewarden/agent", exist_ok=True)
    subprocess.run([PROGRAM, "--root", folder, "agent", "register", "--hub-url", url, "--hub-ca", trust,
                    "--token-file", "-"],
                   input="pvw1.bench.token\n", text=True, check=True, stdout=subprocess.DEVNULL)
    log = open(f"{folder}/log", "w+", encoding="utf8")
    process = subprocess.Popen([PROGRAM, "--root", folder, "agent", "run", "--hub-url", url, "--hub-ca", trust,
                                "--interval", "1"], stdout=log, stderr=log)
    try:
        while Sink.taken < 3:
            time.sleep(0.2)
            if process.poll() is not None:
                log.seek(0)
                sys.exit(f"the agent ended with {process.returncode}: {log.read()}")
        seen, sizes, pids, taken, cpu = [], [], family(process.pid), Sink.taken, ticks_of(family(process.pid))
        for _ in range(ticks):
            time.sleep(1)
            with open(f"{folder}/run/pvewarden/agent/agent.json", encoding="utf8") as file:
                seen.append(json.load(file)["collection"]["cpu_us"])
            sizes.append(pss(pids))
        whole = (ticks_of(pids) - cpu) / (Sink.taken - taken) * 1000
        same = family(process.pid) == pids
        good = row("steady tick, collection, processor time", f"{sorted(seen)[len(seen) // 2] / 1000:.2f} ms",
                   "5 ms", sorted(seen)[len(seen) // 2] <= 5000)
        row("the same with spool and delivery", f"{whole:.1f} ms", "", True)
        good &= row("processes started meanwhile", "0" if same else "some", "0", same)
        return good & row(f"memory of its {len(pids)} processes, the largest of {ticks}", f"{max(sizes):.1f} MiB",
                          "16 MiB", max(sizes) <= 16)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        server.shutdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--guests", type=int, default=1000)
    parser.add_argument("--ticks", type=int, default=10)
    parser.add_argument("--ca", choices=("folder", "bundle"), default="folder",
                        help="how the authorities are given: as the system has them, or in one file")
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="bench-agent-")
    try:
        c = Cluster(1, "prod", 1, args.guests, rich=0.4)
        tree.Tree(c, "pve1", folder).write()
        print(f"| {'the agent, %s guests' % format(args.guests, ','):<58} | {'measured':>12} | {'bar':>9} | met |")
        print(f"|{'-' * 60}|{'-' * 13}:|{'-' * 10}:|-----|")
        good = cold(folder)
        return not good & steady(folder, args.ticks, args.ca)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
