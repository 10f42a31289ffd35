#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a status of a pod costs at its arrays: one request in 10 s, also where two answers belong together."""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

import array_service
from array_service import PROGRAM, Simulator, ok, until, write

GIB = 1 << 30


class Service:
    def __init__(self, sim):
        self.root = tempfile.mkdtemp(prefix="pvewarden-space-")
        self.path = f"{self.root}/s"
        self.config = {"type": "purestorage", "address": ",".join(sim.urls), "token": "fa1-token,fa2-token",
                       "podname": "pod", "check_ssl": "0"}
        write(self.root, "proc/sys/kernel/random/boot_id", "6f1c0f2e-0000-4000-8000-000000000001\n")
        write(self.root, "etc/pve/storage.cfg", "")
        os.makedirs(f"{self.root}/run/pvewarden/array")
        self.process = subprocess.Popen([PROGRAM, "--root", self.root, "array", "serve", "--socket", self.path,
                                         "--node", "pve1"], stderr=subprocess.DEVNULL)

    def status(self):
        request = {"schema": "pvewarden.array.call/1", "method": "status", "storage": "pure", "node": "pve1",
                   "config": self.config, "args": {}}
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(self.path)
            s.sendall(json.dumps(request).encode() + b"\n")
            reply = json.loads(s.makefile("rb").read())
        return reply.get("result") or reply

    def end(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.root)


def asked(sim):
    """Since the last time, by all arrays."""
    counters = sim.ask("GET", "counters")
    sim.ask("DELETE", "counters")
    return {call: n for a in counters.values() for call, n in a["calls"].items()
            if "login" not in call and "api_version" not in call}


def later(sim, service):
    """A status when the one before it is too old."""
    time.sleep(10.1)
    asked(sim)
    return service.status(), asked(sim)


def main():
    sim = Simulator()
    service = Service(sim)
    try:
        until(lambda: os.path.exists(service.path))
        first = service.status()
        ok("status: without a quota the array's", first.get("total", 0) > 0 and
           asked(sim) == {"GET pods": 1, "GET arrays/space": 1}, first)
        for want in ("GET pods", "GET arrays/space"):
            s, calls = later(sim, service)
            ok(f"status: then one request each time, the older answer's: {want}",
               s.get("total") == first["total"] and calls == {want: 1}, s, calls)
        sim.rest("fa1", "PATCH", "pods", {"names": "pod"}, {"quota_limit": 10 * GIB})
        for _ in range(2):
            s, calls = later(sim, service)
            ok("status: a quota is seen, and asked for from then on", s.get("total") == 10 * GIB and
               calls == {"GET pods": 1}, s, calls)
        sim.rest("fa1", "PATCH", "pods", {"names": "pod"}, {"quota_limit": 0})
        s, calls = later(sim, service)
        ok("status: and that it was taken away", s.get("total") == first["total"], s, calls)
        sim.ask("POST", "down", {"array": "fa1"})
        sim.ask("POST", "down", {"array": "fa2"})
        s, calls = later(sim, service)
        ok("status: kept answers are none when no array answers", "total" not in s, s)
    finally:
        service.end()
        sim.end()
    print(f"{array_service.passed} passed, {array_service.failed} failed")
    return array_service.failed != 0


if __name__ == "__main__":
    raise SystemExit(main())
