# SPDX-License-Identifier: AGPL-3.0-or-later
"""The simulator and nodes with played devices, for tests of the array part. PVEWARDEN_BUILD names the
build."""
import glob
import http.client
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

BUILD = os.environ.get("PVEWARDEN_BUILD", "build-gcc")
SCHEMA = "pvewarden.array.call/1"
NODES = ("pve1", "pve2")
MIB = 1 << 20
GIB = 1 << 30
LATE_S = 180
BEGUN_FIRST = ("snapshot_copies", "random_life", "silent")  # they take longest
STARTED = []
_number = 0
_failed = 0


# ---- one test after the other, or several at a time ----

def check(what, good, seen=""):
    """One line of the protocol; a failure says what was seen instead."""
    global _number, _failed
    _number += 1
    print(f"{'ok' if good else 'not ok'} - {what}", flush=True)
    if not good:
        _failed += 1
        print(f"# seen: {str(seen)[:4000]}", flush=True)
    return good


def late(_signal, _frame):
    raise TimeoutError(f"not done after {LATE_S} s")


def run_here(test):
    """One test in this process: whatever it runs into is its own failure."""
    begun = time.monotonic()
    signal.signal(signal.SIGALRM, late)
    signal.alarm(LATE_S)
    try:
        test()
        check(f"{test.__name__} came to its end ({time.monotonic() - begun:.1f} s)", True)
    except Exception as e:  # each test is told of
        check(f"{test.__name__} came to its end", False, f"{type(e).__name__}: {e}")
        if os.environ.get("TRACE"):
            traceback.print_exc()
    finally:
        signal.alarm(0)
        end_all()
    return _failed


def run_apart(test):
    """In a process of its own: it and the file that its words go to."""
    words = tempfile.TemporaryFile("w+")
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.dup2(words.fileno(), 1)
        os.dup2(words.fileno(), 2)
        os._exit(1 if run_here(test) else 0)
    return pid, words


def run(tests, jobs=None):
    """Those that are named on the command line, or all; JOBS of them at a time. Does not return."""
    jobs = jobs or int(os.environ.get("JOBS", "6"))
    waiting = [t for t in tests if len(sys.argv) < 2 or any(a in t.__name__ for a in sys.argv[1:])]
    running, good, bad = {}, 0, 0
    while waiting or running:
        while waiting and len(running) < jobs:
            pid, words = run_apart(waiting.pop(0))
            running[pid] = words
        pid, status = os.wait()
        words = running.pop(pid)
        words.seek(0)
        text = words.read()
        print(text, end="", flush=True)
        failed = len(re.findall("^not ok", text, re.M))
        good += len(re.findall("^ok", text, re.M))
        bad += failed if failed or status == 0 else 1
    print(f"{good} passed, {bad} failed")
    sys.exit(1 if bad or not good else 0)


def has_tests(path):
    with open(path, encoding="utf-8") as f:
        return "\n    lib.run(" in f.read()


def run_all():
    """The tests of every file here, as if they were of one. Does not return."""
    files = glob.glob(os.path.join(os.path.dirname(os.path.realpath(__file__)), "*.py"))
    names = sorted(os.path.basename(f)[:-3] for f in files if has_tests(f))
    others = [n for n in names if n not in BEGUN_FIRST]
    run([test for name in (*BEGUN_FIRST, *others) for test in importlib.import_module(name).TESTS])


def start(*args, **more):
    """A process that ends with its test, whatever comes of that."""
    STARTED.append(subprocess.Popen(*args, **more))
    return STARTED[-1]


def end_all():
    for p in STARTED:
        if p.poll() is None:
            p.kill()
            p.wait()
    STARTED.clear()


# ---- the arrays ----

class Sim:
    """arraysim with @n arrays, fa1, fa2, ...: each with two portals of iSCSI, two of NVMe, two ports of
    Fibre Channel, and nothing else. With @content volumes are files."""

    def __init__(self, n=1, api="2.26", content=False):
        self.names = tuple(f"fa{i + 1}" for i in range(n))
        args = [f"{BUILD}/test/arraysim", "--control", "0", "--api", api]
        self.files = tempfile.TemporaryDirectory(prefix="array-content-") if content else None
        if content:
            args += ["--backend", "files", self.files.name]
        for i, name in enumerate(self.names):
            args += ["--array", f"{name}=0"]
            for port in (1, 2):
                args += ["--portal", f"{name}=10.0.{i}.{port}:3260",
                         "--nvme", f"{name}=10.1.{i}.{port}:4420",
                         "--wwn", f"{name}=52:4A:93:7{i}:00:00:00:0{port}"]
        self.process = start(args, stdout=subprocess.PIPE, text=True)
        ready = re.findall(r"(\w+)=(\d+)", self.process.stdout.readline())
        self.ports = {k: int(v) for k, v in ready}
        self.control = self.ports.pop("control")

    def ask(self, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.control, timeout=20)
        c.request(method, path, body=json.dumps(body) if body is not None else None)
        r = c.getresponse()
        text = r.read()
        c.close()
        if r.status >= 300:
            raise RuntimeError(f"{method} {path} {body}: {r.status} {text}")
        return json.loads(text) if text else None

    def make(self, array="fa1", **what):
        self.ask("POST", "/make", {"array": array, **what})

    def furnish(self, hosts=NODES, initiator=None):
        """A pod over all of them; a volume group and hosts on each, of iSCSI or with that initiator."""
        kind = "iqns" if not initiator else "nqns" if initiator.startswith("nqn") else "wwns"
        self.make(pods=[{"name": "pod", "arrays": list(self.names)}])
        for name in self.names:
            self.make(name, volume_groups=["vg"],
                      hosts=[{"name": h, kind: [initiator or f"iqn.2026-01.test:{h}"]} for h in hosts])

    def rest(self, method, path, args, body=None, array="fa1"):
        return self.ask("POST", "/rest", {"array": array, "method": method, "path": path,
                                          "args": args, "body": body})

    def state(self):
        return self.ask("GET", "/state")

    def volumes(self):
        """Those that are not destroyed, by name."""
        return {v["name"]: v for v in self.state()["volumes"] if not v["destroyed"]}

    def volume(self, name):
        """The volume of that name, destroyed or not; None without one."""
        return next((v for v in self.state()["volumes"] if v["name"] == name), None)

    def write(self, serial, text):
        """Where a volume begins."""
        with open(f"{self.files.name}/{serial}.img", "r+b") as f:
            f.write(text.ljust(64).encode())

    def read(self, serial):
        with open(f"{self.files.name}/{serial.upper()}.img", "rb") as f:
            return f.read(64).decode().strip(" \0")

    def connections(self):
        """(array, host or host group, volume) of all."""
        return {(name, (c.get("host") or {}).get("name") or c["host_group"]["name"], c["volume"]["name"])
                for name, a in self.state()["arrays"].items() for c in a["connections"]}

    def connected(self, volume, array="fa1"):
        """Hosts and host groups that the volume is connected to."""
        return sorted(h for a, h, v in self.connections() if a == array and v == volume)

    def zero(self):
        self.ask("DELETE", "/counters")

    def calls(self, array="fa1"):
        """Requests but logins and what finds out the version: {"GET volumes": n}."""
        return {call: n for call, n in self.ask("GET", "/counters")[array]["calls"].items()
                if "login" not in call and "api_version" not in call}

    def counted(self):
        """Of all arrays since the last time, {"fa1 GET volumes": n}."""
        found = {f"{name} {call}": n for name in self.names for call, n in self.calls(name).items()}
        self.zero()
        return found

    def fault(self, kind, method="", path="", **more):
        self.ask("POST", "/fault", {"kind": kind, "method": method, "path": path, **more})

    def no_faults(self):
        self.ask("DELETE", "/fault")

    def down(self, array):
        self.ask("POST", "/down", {"array": array})

    def up(self, array, forget_sessions=False):
        self.ask("POST", "/up", {"array": array, "forget_sessions": forget_sessions})

    def well(self):
        self.no_faults()
        for name, array in self.state()["arrays"].items():
            if array["down"]:
                self.up(name)

    def config(self, **more):
        """The section of storage.cfg; a volume group's without more."""
        place = {} if "podname" in more else {"vgname": "vg"}
        return {"type": "purestorage", "check_ssl": "0",
                "address": ",".join(f"http://127.0.0.1:{self.ports[n]}" for n in self.names),
                "token": ",".join(f"{n}-token" for n in self.names), **place, **more}

    def pod_config(self, **more):
        return self.config(podname="pod", **more)

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        if self.files:
            self.files.cleanup()


# ---- a node ----

class Node:
    """A folder that is a node of a cluster of pve1 and pve2 with the storage `pure`, and a process that
    answers calls."""

    def __init__(self, sim, name="pve1", delay_ms=0, **config):
        self.sim, self.name, self.host, self.delay_ms = sim, name, name, delay_ms
        self.config = sim.config(**config)
        self.root = tempfile.mkdtemp(prefix="array-calls-")
        self.devices = self.path("devices")
        os.makedirs(self.devices)
        self.boots, self.process, self.guests, self.publishes = 0, None, {}, False
        self.behind = []  # what the process is started by
        self.write("etc/hostname", name + "\n")
        self.write("etc/iscsi/initiatorname.iscsi", f"InitiatorName=iqn.2004-10.com.ubuntu:01:{name}\n")
        self.write("etc/nvme/hostnqn", f"nqn.2014-08.org.nvmexpress:uuid:{name}\n")
        self.write("etc/nvme/hostid", f"{name}-id\n")
        self.write_pve(config)
        self.boot()

    def write_pve(self, config):
        self.write("etc/pve/corosync.conf", "totem {}\n")
        self.write("etc/pve/.members", json.dumps(
            {"nodename": self.name, "version": 2,
             "cluster": {"name": "c", "version": 2, "nodes": 2, "quorate": 1},
             "nodelist": {"pve1": {"id": 1, "online": 1, "ip": "10.0.0.1"},
                          "pve2": {"id": 2, "online": 1, "ip": "10.0.0.2"}}}))
        place = {k: v for k, v in self.config.items() if k in ("vgname", "podname")}
        self.write("etc/pve/storage.cfg", "purestorage: pure\n\taddress x\n"
                   + "".join(f"\t{k} {v}\n" for k, v in place.items()))
        os.makedirs(self.path("etc/pve/priv/storage"))
        for node in NODES:
            self.write(f"etc/pve/nodes/{node}/lrm_status", "x")
            for kind in ("qemu-server", "lxc"):
                os.makedirs(self.path(f"etc/pve/nodes/{node}/{kind}"))
        self.guest(None)
        os.symlink(f"nodes/{self.name}", self.path("etc/pve/local"))

    def path(self, path):
        return os.path.join(self.root, path)

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w", encoding="utf-8") as f:
            f.write(text)

    def guest(self, vmid, text="", node=None, kind="qemu"):
        """The config of a guest, and the list of all."""
        if vmid is not None:
            for n in NODES:
                for folder in ("qemu-server", "lxc"):
                    old = self.path(f"etc/pve/nodes/{n}/{folder}/{vmid}.conf")
                    if os.path.exists(old):
                        os.unlink(old)
            node = node or self.name
            folder = "qemu-server" if kind == "qemu" else "lxc"
            self.write(f"etc/pve/nodes/{node}/{folder}/{vmid}.conf", text)
            self.guests[str(vmid)] = {"node": node, "type": kind, "version": 1}
        self.write("etc/pve/.vmlist", json.dumps({"version": 1, "ids": self.guests}))

    # ---- its process ----

    def boot(self):
        """After a crash: no device, no file in /run, another boot id."""
        self.stop()
        self.boots += 1
        self.write("proc/sys/kernel/random/boot_id", f"00000000-0000-4000-8000-{self.boots:012}\n")
        shutil.rmtree(self.devices)
        os.makedirs(self.devices)
        shutil.rmtree(self.path("run"), ignore_errors=True)
        self.start()

    def start(self):
        env = dict(os.environ, PLAYED_DIR=self.devices, PLAYED_HOST=self.host,
                   PLAYED_CONTROL=str(self.sim.control), PLAYED_DELAY_MS=str(self.delay_ms),
                   PLAYED_WAIT_MS="1500", **({"PLAYED_PUBLISHER": "1"} if self.publishes else {}))
        driver = os.path.realpath(f"{BUILD}/test/calls_driver")
        self.process = start(self.behind + [driver, self.root, self.name], env=env,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def stop(self):
        """By itself, when nobody asks any more: its end."""
        if not self.process:
            return 0
        self.process.stdin.close()
        end = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.process = None
        return end

    def kill(self):
        """As by the kernel, between any two instructions."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process = None

    def restart(self):
        self.kill()
        self.start()

    def behind_pmxcfs(self):
        """From now on /etc/pve is a file system of its own, which can hang."""
        self.stop()
        here = os.path.dirname(os.path.realpath(__file__))
        self.behind = [f"{here}/behind_pmxcfs.py", self.path("etc/pve"), self.root, self.name]
        self.start()

    def behind_silent_resolver(self):
        """From now on it reaches nobody, and no name server answers it."""
        self.stop()
        here = os.path.dirname(os.path.realpath(__file__))
        self.write("resolv.conf", "nameserver 127.0.0.1\n")
        self.behind = [f"{here}/behind_silent_resolver.py", self.path("resolv.conf")]
        self.start()

    def hang(self, hangs):
        path = self.path(f"{self.name}.hang")
        if hangs:
            with open(path, "w", encoding="ascii"):
                pass
        else:
            os.unlink(path)

    def publish(self):
        """From now on its process does unasked what the service does."""
        self.stop()
        self.publishes = True
        self.start()

    def document(self, since=0):
        """array.json, if it was written after that; else None."""
        path = self.path("run/pvewarden/array/array.json")
        if not os.path.exists(path) or os.stat(path).st_mtime <= since:
            return None
        with open(path, encoding="utf-8") as f:
            return json.load(f)

    # ---- calls ----

    def request(self, method, config=None, secrets=None, **args):
        request = {"schema": SCHEMA, "method": method, "storage": "pure", "node": self.name,
                   "config": config or self.config, "debug": 0, "args": args}
        return request if secrets is None else {**request, "secrets": secrets}

    def send(self, what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def receive(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def ask(self, method, config=None, secrets=None, **args):
        """The whole reply."""
        self.send(self.request(method, config, secrets, **args))
        return self.receive()

    def call(self, method, config=None, secrets=None, **args):
        """The result of what has to succeed."""
        reply = self.ask(method, config, secrets, **args)
        if not reply["ok"]:
            raise RuntimeError(f"{method} {args}: {reply}")
        return reply.get("result")

    def at_once(self, requests):
        self.send(requests)
        return self.receive()

    def heal(self):
        """What a survey finds; all that can be is mended."""
        self.send("heal")
        return self.receive()

    def many(self, times, method, **args):
        return self.at_once([self.request(method, **args)] * times)

    # ---- what it has ----

    def registry(self):
        try:
            with open(self.path("var/lib/pvewarden/array/registry.json"), encoding="ascii") as f:
                return json.load(f)["entries"]
        except FileNotFoundError:
            return []

    def mapped(self):
        return {n for n in os.listdir(self.devices) if len(n) == 24}

    def events(self):
        """Since the last time."""
        path = f"{self.devices}/events"
        if not os.path.exists(path):
            return []
        with open(path, encoding="ascii") as f:
            found = f.read().split("\n")[:-1]
        os.unlink(path)
        return found

    def use(self, serial, how):
        """What is said of who has it open: free, open or unknown."""
        for state in ("open", "unknown"):
            path = f"{self.devices}/{serial}.{state}"
            if state == how:
                with open(path, "w", encoding="ascii"):
                    pass
            elif os.path.exists(path):
                os.unlink(path)

    def open(self, serial):
        self.use(serial, "open")

    def release(self, serial):
        self.use(serial, "free")

    def size(self, serial):
        """Of the device, as this node knows it; None without one."""
        if serial not in self.mapped():
            return None
        with open(f"{self.devices}/{serial}", encoding="ascii") as f:
            return int(f.read())

    def close(self):
        """Its folder too; it must have ended in peace."""
        end = self.stop()
        shutil.rmtree(self.root)
        if end:
            raise RuntimeError(f"the process that answers ended with {end}")


# ---- an array or a pod, and a node, for what tells of every step ----

HOSTS = [{"name": "pve1", "iqns": ["iqn.2004-10.com.ubuntu:01:pve1"]},
         {"name": "pve2", "iqns": ["iqn.2004-10.com.ubuntu:01:pve2"]}, {"name": "backup"}]
CUTS = ("drop", "reset", "drop-after", "reset-after", "half-closed", "truncated")


def begin(n=1, **config):
    arrays = Sim(n)
    place = config or {"vgname": "vg"}
    for i, a in enumerate(arrays.names):
        arrays.make(a, hosts=HOSTS)
        if "vgname" in place and i == 0:
            arrays.make(a, volume_groups=[place["vgname"]])
    if "podname" in place:
        arrays.make("fa1", pods=[{"name": place["podname"], "arrays": arrays.names[1:]}])
    return arrays, Node(arrays, **place)


def end(arrays, node):
    node.close()
    arrays.close()


def connect(arrays, array, host, volume):
    arrays.rest("POST", "connections", {"host_names": host, "volume_names": volume}, array=array)


def refused(reply, code, text=""):
    return not reply["ok"] and reply["code"] == code and text in reply["error"]


def warned(reply, text):
    return any(level == "warning" and text in line for level, line in reply["log"])
