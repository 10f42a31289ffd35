# SPDX-License-Identifier: AGPL-3.0-or-later
"""Simulated arrays, a node made of files, and calls as Proxmox' adapter would make them."""
import atexit
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

BUILD = os.environ.get("PVEWARDEN_BUILD", "build-gcc")
_number = 0
_failed = 0


def check(what, good, seen=""):
    """One line of the protocol; a failure says what was seen instead."""
    global _number, _failed
    _number += 1
    print(f"{'ok' if good else 'not ok'} {_number} - {what}", flush=True)
    if not good:
        _failed += 1
        print(f"# seen: {str(seen)[:1500]}", flush=True)
    return good


def done():
    print(f"{_number - _failed} passed, {_failed} failed")
    sys.exit(1 if _failed or not _number else 0)


class Arrays:
    """arraysim with arrays fa1, fa2, ..."""

    def __init__(self, n=1, *options):
        names = [f"fa{i + 1}" for i in range(n)]
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "test/arraysim"), *sum((["--array", f"{x}=0"] for x in names), []),
             "--control", "0", *options], stdout=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)
        line = self.process.stdout.readline()
        self.ports = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)}
        self.names = names

    def ask(self, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.ports["control"], timeout=20)
        c.request(method, path, json.dumps(body) if body is not None else None)
        r = c.getresponse()
        text = r.read()
        c.close()
        if r.status != 200:
            raise RuntimeError(f"{method} {path} {body}: {text}")
        return json.loads(text)

    def make(self, array="fa1", **what):
        self.ask("POST", "/make", {"array": array, **what})

    def fault(self, kind, method="", path="", **more):
        self.ask("POST", "/fault", {"kind": kind, "method": method, "path": path, **more})

    def no_faults(self):
        self.ask("DELETE", "/fault")

    def rest(self, method, path, args, body=None, array="fa1"):
        return self.ask("POST", "/rest", {"array": array, "method": method, "path": path,
                                          "args": args, "body": body})

    def state(self):
        return self.ask("GET", "/state")

    def volume(self, name):
        """The volume of that name, None without one."""
        return next((v for v in self.state()["volumes"] if v["name"] == name), None)

    def connections(self, name, array="fa1"):
        """Hosts and host groups that the volume is connected to."""
        ret = []
        for c in self.state()["arrays"][array]["connections"]:
            if c["volume"]["name"] == name:
                ret.append((c.get("host") or {}).get("name") or (c.get("host_group") or {}).get("name"))
        return sorted(ret)

    def zero(self):
        self.ask("DELETE", "/counters")

    def calls(self, array="fa1"):
        """Requests but logins and what finds out the version: {"GET volumes": n}."""
        ours = self.ask("GET", "/counters")[array]["calls"]
        return {k: v for k, v in ours.items() if "login" not in k and "api_version" not in k}

    def down(self, array):
        self.ask("POST", "/down", {"array": array})

    def up(self, array):
        self.ask("POST", "/up", {"array": array})

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=20)


class Node:
    """A node of a cluster of pve1 and pve2, with the storage `pure`."""

    def __init__(self, arrays, name="pve1", **config):
        self.dir = tempfile.mkdtemp(prefix="test-calls-")
        self.name = name
        self.arrays = arrays
        self.config = {
            "type": "purestorage",
            "address": ",".join(f"http://127.0.0.1:{arrays.ports[a]}" for a in arrays.names),
            "token": ",".join(f"{a}-token" for a in arrays.names),
            "check_ssl": 0, **config}
        os.makedirs(os.path.join(self.dir, "devices"))
        self.write("proc/sys/kernel/random/boot_id", "6f1c0f2e-0000-4000-8000-000000000001\n")
        self.write("etc/hostname", name + "\n")
        self.write("etc/iscsi/initiatorname.iscsi", f"InitiatorName=iqn.2004-10.com.ubuntu:01:{name}\n")
        self.write("etc/pve/corosync.conf", "totem {}\n")
        self.write("etc/pve/.members", json.dumps(
            {"nodename": name, "version": 2,
             "cluster": {"name": "c", "version": 2, "nodes": 2, "quorate": 1},
             "nodelist": {"pve1": {"id": 1, "online": 1, "ip": "10.0.0.1"},
                          "pve2": {"id": 2, "online": 1, "ip": "10.0.0.2"}}}))
        self.write("etc/pve/storage.cfg", "purestorage: pure\n\taddress x\n"
                   + "".join(f"\t{k} {v}\n" for k, v in config.items() if k in ("vgname", "podname")))
        for node in ("pve1", "pve2"):
            self.write(f"etc/pve/nodes/{node}/lrm_status", "x")
            os.makedirs(os.path.join(self.dir, f"etc/pve/nodes/{node}/qemu-server"))
            os.makedirs(os.path.join(self.dir, f"etc/pve/nodes/{node}/lxc"))
        self.guests = {}
        self.guest(None)
        os.symlink(f"nodes/{name}", os.path.join(self.dir, "etc/pve/local"))
        self.start()

    def path(self, path):
        return os.path.join(self.dir, path)

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w", encoding="utf-8") as f:
            f.write(text)

    def guest(self, vmid, text="", node=None, kind="qemu"):
        """The config of a guest, and the list of all."""
        if vmid is not None:
            for n in ("pve1", "pve2"):
                for folder in ("qemu-server", "lxc"):
                    old = self.path(f"etc/pve/nodes/{n}/{folder}/{vmid}.conf")
                    if os.path.exists(old):
                        os.unlink(old)
            node = node or self.name
            folder = "qemu-server" if kind == "qemu" else "lxc"
            self.write(f"etc/pve/nodes/{node}/{folder}/{vmid}.conf", text)
            self.guests[str(vmid)] = {"node": node, "type": kind, "version": 1}
        self.write("etc/pve/.vmlist", json.dumps({"version": 1, "ids": self.guests}))

    def start(self):
        env = {**os.environ, "DEVICES": self.path("devices")}
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "test/volumes_driver"), self.dir, self.name], env=env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)

    def restart(self):
        self.kill()
        self.start()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def line(self, method, secrets=None, config=None, **args):
        request = {"schema": "pvewarden.array.call/1", "method": method, "storage": "pure",
                   "node": self.name, "config": config or self.config, "debug": 0, "args": args}
        if secrets is not None:
            request["secrets"] = secrets
        return json.dumps(request)

    def send(self, line, times=1):
        self.process.stdin.write(f"{times} {line}\n")
        self.process.stdin.flush()

    def replies(self, times=1):
        return [json.loads(self.process.stdout.readline()) for _ in range(times)]

    def call(self, method, **args):
        """The whole reply."""
        self.send(self.line(method, **args))
        return self.replies()[0]

    def many(self, times, method, **args):
        self.send(self.line(method, **args), times)
        return self.replies(times)

    def do(self, method, **args):
        """The result of a call that must succeed."""
        r = self.call(method, **args)
        if not r["ok"]:
            raise RuntimeError(f"{method} {args}: {r}")
        return r.get("result")

    def device(self, serial, size=None, state="free"):
        """What this node has of a volume; without @size: what it is now, None without one."""
        path = self.path(f"devices/{serial}")
        if size is not None:
            self.write(f"devices/{serial}", f"{size} {state}\n")
            return None
        if not os.path.exists(path):
            return None
        with open(path, encoding="utf-8") as f:
            return f.read().split()

    def end(self):
        self.process.stdin.close()
        check("the caller ends by itself", self.process.wait(timeout=30) == 0, self.process.returncode)
        shutil.rmtree(self.dir)
