# SPDX-License-Identifier: AGPL-3.0-or-later
"""The simulator and nodes with played devices, for tests of the array part."""
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile

SCHEMA = "pvewarden.array.call/1"
STARTED = []


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


class Sim:
    """arraysim with some arrays, a pod over all of them, a volume group and hosts on each."""

    def __init__(self, build, names=("fa1",), hosts=("pve1",), pod="pod", api="2.26"):
        args = [f"{build}/test/arraysim", "--control", "0", "--api", api]
        for i, name in enumerate(names):
            args += ["--array", f"{name}=0", "--portal", f"{name}=10.0.{i}.1:3260",
                     "--portal", f"{name}=10.0.{i}.2:3260"]
        self.process = start(args, stdout=subprocess.PIPE, text=True)
        ready = dict(word.split("=") for word in self.process.stdout.readline().split()[1:])
        self.control = int(ready.pop("control"))
        self.ports, self.names = ready, names
        if pod:
            self.ask("POST", "/make", {"array": names[0],
                                       "pods": [{"name": pod, "arrays": list(names)}]})
        for name in names:
            self.ask("POST", "/make", {
                "array": name, "volume_groups": ["vg"],
                "hosts": [{"name": h, "iqns": [f"iqn.2026-01.test:{h}"]} for h in hosts]})

    def ask(self, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.control, timeout=20)
        c.request(method, path, body=json.dumps(body) if body is not None else None)
        r = c.getresponse()
        text = r.read()
        if r.status >= 300:
            raise RuntimeError(f"{method} {path} {body}: {r.status} {text}")
        return json.loads(text) if text else None

    def rest(self, method, path, args, body=None, array=None):
        return self.ask("POST", "/rest", {"array": array or self.names[0], "method": method,
                                          "path": path, "args": args, "body": body})

    def state(self):
        return self.ask("GET", "/state")

    def volumes(self):
        """Those that are not destroyed, by name."""
        return {v["name"]: v for v in self.state()["volumes"] if not v["destroyed"]}

    def connections(self):
        """(array, host, volume) of all."""
        return {(name, c["host"]["name"], c["volume"]["name"])
                for name, a in self.state()["arrays"].items() for c in a["connections"]}

    def counted(self):
        """Calls since the last time, {"fa1 GET volumes": n}, logins apart."""
        found = {f"{name} {call}": n for name, a in self.ask("GET", "/counters").items()
                 for call, n in a["calls"].items()
                 if "login" not in call and "api_version" not in call}
        self.ask("DELETE", "/counters")
        return found

    def fault(self, **what):
        self.ask("POST", "/fault", what)

    def well(self):
        self.ask("DELETE", "/fault")
        for name, array in self.state()["arrays"].items():
            if array["down"]:
                self.ask("POST", "/up", {"array": name})

    def config(self, **more):
        return {"type": "purestorage", "check_ssl": "0", "vgname": "vg",
                "address": ",".join(f"http://127.0.0.1:{self.ports[n]}" for n in self.names),
                "token": ",".join(f"{n}-token" for n in self.names), **more}

    def pod_config(self, **more):
        config = self.config(podname="pod", **more)
        del config["vgname"]
        return config

    def close(self):
        self.process.terminate()
        self.process.wait()


class Node:
    """A folder that is a node, and a process that answers calls."""

    def __init__(self, build, sim, name="pve1", delay_ms=0):
        self.build, self.sim, self.name, self.delay_ms = build, sim, name, delay_ms
        self.root = tempfile.mkdtemp(prefix="array-calls-")
        self.devices = f"{self.root}/devices"
        os.makedirs(self.devices)
        os.makedirs(f"{self.root}/proc/sys/kernel/random")
        os.makedirs(f"{self.root}/etc/pve/priv/storage")
        for other in ("pve1", "pve2"):
            for kind in ("qemu-server", "lxc"):
                os.makedirs(f"{self.root}/etc/pve/nodes/{other}/{kind}")
        self.host = name
        self.boots = 0
        self.process = None
        self.boot()

    def boot(self):
        """After a crash: no device, no file in /run, another boot id."""
        self.stop()
        self.boots += 1
        with open(f"{self.root}/proc/sys/kernel/random/boot_id", "w", encoding="ascii") as f:
            f.write(f"00000000-0000-4000-8000-{self.boots:012}\n")
        shutil.rmtree(self.devices)
        os.makedirs(self.devices)
        shutil.rmtree(f"{self.root}/run", ignore_errors=True)
        self.start()

    def start(self):
        env = dict(os.environ, PLAYED_DIR=self.devices, PLAYED_HOST=self.host,
                   PLAYED_CONTROL=str(self.sim.control), PLAYED_DELAY_MS=str(self.delay_ms), PLAYED_WAIT_MS="1500")
        self.process = start([f"{self.build}/test/calls_driver", self.root, self.name],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=env)

    def stop(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def kill(self):
        """As by the kernel, between any two instructions."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.start()

    def request(self, method, config, **args):
        return {"schema": SCHEMA, "method": method, "storage": "pure", "node": self.name,
                "config": config, "args": args}

    def send(self, what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def receive(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def ask(self, method, config, **args):
        """The whole reply."""
        self.send(self.request(method, config, **args))
        return self.receive()

    def call(self, method, config, **args):
        """The result of what has to succeed."""
        reply = self.ask(method, config, **args)
        if not reply["ok"]:
            raise RuntimeError(f"{method} {args}: {reply}")
        return reply["result"]

    def at_once(self, requests):
        self.send(requests)
        return self.receive()

    def registry(self):
        try:
            with open(f"{self.root}/var/lib/pvewarden/array/registry.json", encoding="ascii") as f:
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

    def open(self, serial):
        with open(f"{self.devices}/{serial}.open", "w", encoding="ascii"):
            pass

    def release(self, serial):
        os.unlink(f"{self.devices}/{serial}.open")

    def close(self):
        self.stop()
        shutil.rmtree(self.root)
