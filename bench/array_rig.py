# SPDX-License-Identifier: AGPL-3.0-or-later
"""A node with an array service whose devices are files, and simulated arrays behind it."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("PVEWARDEN_BUILD", os.path.join(TREE, "build-gcc"))
PROGRAM = f"{BUILD}/bench/array_played"
SCHEMA = "pvewarden.array.call/1"
PROCESS = re.compile(r"^\d+ +(\d+\.\d+) (execve|fork|vfork|clone3?)\(")
STARTED = []


def start(*args, **more):
    """A process that ends with this one, whatever comes of that."""
    STARTED.append(subprocess.Popen(*args, **more))
    return STARTED[-1]


def end_all():
    for p in STARTED:
        if p.poll() is None:
            p.kill()
            p.wait()


class Sim:
    """arraysim with a pod over two arrays, each with a host and two ports."""
    names = ("fa1", "fa2")

    def __init__(self):
        args = [f"{BUILD}/test/arraysim", "--control", "0"]
        for i, name in enumerate(self.names):
            args += ["--array", f"{name}=0", "--portal", f"{name}=10.0.{i}.1:3260", "--portal", f"{name}=10.0.{i}.2:3260"]
        self.process = start(args, stdout=subprocess.PIPE, text=True)
        self.ports = dict(re.findall(r"(\w+)=(\d+)", self.process.stdout.readline()))
        self.control = int(self.ports.pop("control"))
        self.ask("POST", "/make", {"array": "fa1", "pods": [{"name": "pod", "arrays": list(self.names)}]})
        for name in self.names:
            self.ask("POST", "/make", {"array": name, "hosts": [{"name": "pve1", "iqns": ["iqn.2026-01.test:pve1"]}]})

    def ask(self, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.control, timeout=60)
        c.request(method, path, body=json.dumps(body) if body is not None else None)
        r = c.getresponse()
        text = r.read()
        c.close()
        if r.status >= 300:
            raise RuntimeError(f"{method} {path} {body}: {r.status} {text}")
        return json.loads(text) if text else None

    def rest(self, method, path, args, body=None, array="fa1"):
        return self.ask("POST", "/rest", {"array": array, "method": method, "path": path, "args": args, "body": body})

    def connect(self, volumes):
        """To this node, on both arrays."""
        for name in self.names:
            for i in range(0, len(volumes), 50):
                self.rest("POST", "connections", {"host_names": "pve1", "volume_names": ",".join(volumes[i:i + 50])},
                          array=name)

    def volumes(self):
        """Those that are not destroyed, by name."""
        return {v["name"]: v for v in self.ask("GET", "/state")["volumes"] if not v["destroyed"]}

    def requests(self):
        """{array: so many}, logins and what comes before them apart."""
        return {name: sum(n for call, n in a["calls"].items() if "login" not in call and "api_version" not in call)
                for name, a in self.ask("GET", "/counters").items()}

    def logins(self):
        """At the array that has most."""
        return max(a["logins"] for a in self.ask("GET", "/counters").values())

    def zero(self):
        self.ask("DELETE", "/counters")

    def config(self):
        return {"type": "purestorage", "check_ssl": "0", "podname": "pod",
                "address": ",".join(f"http://127.0.0.1:{self.ports[n]}" for n in self.names),
                "token": ",".join(f"{n}-token" for n in self.names)}

    def close(self):
        self.process.terminate()
        self.process.wait()


class Node:
    """The folder, and what a call says of it."""

    def __init__(self, sim, name="pve1"):
        self.sim, self.name, self.config = sim, name, sim.config()
        # In memory where that is possible: who else writes to this machine's disk is not measured.
        self.root = tempfile.mkdtemp(prefix="bench-array-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.guests = {}
        os.makedirs(f"{self.root}/devices")
        os.makedirs(f"{self.root}/etc/pve/priv/storage")
        self.write("proc/sys/kernel/random/boot_id", "6f1c0f2e-0000-4000-8000-000000000001\n")
        self.write("etc/hostname", name + "\n")
        self.write("etc/iscsi/initiatorname.iscsi", f"InitiatorName=iqn.2026-01.test:{name}\n")
        self.write("etc/pve/corosync.conf", "totem {}\n")
        self.write("etc/pve/.members", json.dumps(
            {"nodename": name, "version": 2, "cluster": {"name": "c", "version": 2, "nodes": 1, "quorate": 1},
             "nodelist": {name: {"id": 1, "online": 1, "ip": "10.0.0.1"}}}))
        self.write(f"etc/pve/nodes/{name}/lrm_status", "x")
        os.makedirs(f"{self.root}/etc/pve/nodes/{name}/lxc")
        os.symlink(f"nodes/{name}", f"{self.root}/etc/pve/local")
        self.guest(None, 0)

    def write(self, path, text):
        os.makedirs(os.path.dirname(f"{self.root}/{path}"), exist_ok=True)
        with open(f"{self.root}/{path}", "w", encoding="ascii") as file:
            file.write(text)

    def guest(self, vmid, disks, preparing=None):
        """The config of a guest, and the list of all. @preparing: a snapshot, as Proxmox notes it before it asks."""
        if vmid is not None:
            text = "".join(f"scsi{i}: pure:vm-{vmid}-disk-{i},size=1G\n" for i in range(disks))
            if preparing:
                text = f"lock: snapshot\n{text}\n[{preparing}]\n{text}snapstate: prepare\nsnaptime: {int(time.time())}\n"
            self.write(f"etc/pve/nodes/{self.name}/qemu-server/{vmid}.conf", text)
            self.guests[str(vmid)] = {"node": self.name, "type": "qemu", "version": 1}
        self.write("etc/pve/.vmlist", json.dumps({"version": 1, "ids": self.guests}))

    def storage_cfg(self):
        """From now on the service looks after the storage by itself as well."""
        self.write("etc/pve/storage.cfg", "purestorage: pure\n" + "".join(
            f"\t{k} {v}\n" for k, v in self.config.items() if k != "type"))

    def line(self, method, **args):
        return json.dumps({"schema": SCHEMA, "method": method, "storage": "pure", "node": self.name,
                           "config": self.config, "args": args}).encode() + b"\n"

    def close(self):
        shutil.rmtree(self.root)


class Service:
    """`array serve` of a node; traced: what it starts is counted."""

    def __init__(self, node, traced=False, control=None, name="arrayd"):
        self.node, self.socket = node, f"{node.root}/{name}.sock"
        self.trace = f"{node.root}/{name}.strace" if traced else None
        argv = [PROGRAM, "--root", node.root, "array", "serve", "--node", node.name, "--socket", self.socket]
        if traced:
            argv = ["strace", "-f", "-qq", "-ttt", "-e", "trace=execve,fork,vfork,clone,clone3", "-e",
                    "signal=none", "-o", self.trace, *argv]
        self.log = open(f"{node.root}/{name}.log", "w+", encoding="utf8")
        self.env = dict(os.environ, PLAYED_DIR=f"{node.root}/devices", PLAYED_HOST=node.name, PLAYED_DELAY_MS="0",
                        PLAYED_WAIT_MS="1500", PLAYED_CONTROL=str(node.sim.control if control is None else control))
        begun = time.monotonic()
        self.process = start(argv, env=self.env, stdout=self.log, stderr=self.log)
        while not self._listens():
            if self.process.poll() is not None:
                self.log.seek(0)
                sys.exit(f"the service ended with {self.process.returncode}: {self.log.read()}")
            time.sleep(0.0005)
        self.start_ms = (time.monotonic() - begun) * 1000

    def _listens(self):
        try:
            self.ask("unknown")
            return True
        except OSError:
            return False

    def ask(self, method, **args):
        """The whole reply."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(120)
            s.connect(self.socket)
            s.sendall(self.node.line(method, **args))
            parts = []
            while True:
                part = s.recv(1 << 18)
                if not part:
                    return json.loads(b"".join(parts))
                parts.append(part)

    def call(self, method, **args):
        """The result of what has to succeed."""
        reply = self.ask(method, **args)
        if not reply["ok"]:
            raise RuntimeError(f"{method} {args}: {reply}")
        return reply.get("result")

    def beside(self, method, **args):
        """The same call by a process of its own, as the adapter makes it without a service."""
        done = subprocess.run([PROGRAM, "--root", self.node.root, "array", "call", "--node", self.node.name],
                              input=self.node.line(method, **args), env=self.env, capture_output=True, check=False)
        reply = json.loads(done.stdout)
        if not reply["ok"]:
            raise RuntimeError(f"array call, {method} {args}: {reply}")

    def at_once(self, callers, job):
        """job(i) in as many threads: the seconds that each took."""
        took, failed, gate = [0.0] * callers, [], threading.Barrier(callers)

        def run(i):
            gate.wait()
            begun = time.monotonic()
            try:
                job(i)
            except (OSError, RuntimeError) as e:
                failed.append(e)
            took[i] = time.monotonic() - begun

        threads = [threading.Thread(target=run, args=(i,)) for i in range(callers)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if failed:
            raise failed[0]
        return sorted(took)

    def pids(self):
        """The service and what it has forked, without strace."""
        found = [self.process.pid]
        for pid in found:
            try:
                with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                    found += [int(c) for c in file.read().split()]
            except (ProcessLookupError, FileNotFoundError):
                pass
        return found[1:] if self.trace else found

    def cpu_ms(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def pss(self):
        """MiB of all; what a call forks may end meanwhile."""
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                    total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
            except (ProcessLookupError, FileNotFoundError):
                pass
        return total / 1024

    def started(self, begun, ended):
        """(programs, forked processes) between two times; only when the service has ended."""
        programs = forks = 0
        with open(self.trace, encoding="utf8", errors="replace") as file:
            for line in file:
                found = PROCESS.match(line)
                if not found or not begun <= float(found[1]) <= ended:
                    continue
                if found[2] == "execve":
                    programs += 1
                elif "CLONE_THREAD" not in line:
                    forks += 1
        return programs, forks

    def stop(self):
        os.kill(self.pids()[0], signal.SIGTERM)
        self.process.wait(20)
        self.log.close()
