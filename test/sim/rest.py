#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""array/fa.h against the simulator: each operation, and what goes wrong on the way: answers that do
not come, sessions that end, arrays that are busy, down, or not the one that was meant."""
import atexit
import functools
import http.client
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.environ.get("BUILD", f"{TREE}/build-gcc")
ARRAYSIM = os.environ.get("ARRAYSIM", f"{BUILD}/test/arraysim")
DRIVER = os.environ.get("FA_DRIVER", f"{BUILD}/test/fa_driver")
MIB = 1 << 20
passed = failed = 0


def ok(what, truth, *show):
    global passed, failed
    passed, failed = passed + bool(truth), failed + (not truth)
    print(f"{'ok' if truth else 'not ok'} {passed + failed} - fa: {what}", flush=True)
    if not truth:
        print("#", *show, flush=True)


class Sim:
    """Arrays on free ports, and the control port's requests."""

    def __init__(self, *names, args=(), tls=None):
        command = [ARRAYSIM, "--control", "0", *args]
        for name in names or ("fa1",):
            command += ["--array", f"{name}=0"]
        if tls:
            command += ["--tls", *tls]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)
        ready = dict(word.split("=") for word in self.process.stdout.readline().split()[1:])
        self.control = int(ready.pop("control"))
        scheme = "https" if tls else "http"
        self.urls = {name: f"{scheme}://127.0.0.1:{port}" for name, port in ready.items()}

    def ask(self, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.control, timeout=30)
        c.request(method, path, json.dumps(body) if body is not None else None)
        answer = c.getresponse()
        text = answer.read()
        assert answer.status < 300, (path, body, answer.status, text)
        return json.loads(text) if text else None

    def make(self, **what):
        self.ask("POST", "/make", {"array": "fa1", **what})

    def fault(self, kind, **what):
        self.ask("POST", "/fault", {"kind": kind, **what})

    def counters(self, array="fa1"):
        return self.ask("GET", "/counters")[array]

    def calls(self, what, array="fa1"):
        return self.counters(array)["calls"].get(what, 0)

    def reset(self):
        self.ask("DELETE", "/fault")
        self.ask("DELETE", "/counters")

    def rest(self, method, path, args=None, body=None):
        r = self.ask("POST", "/rest", {"array": "fa1", "method": method, "path": path,
                                       "args": args or {}, **({"body": body} if body else {})})
        return r["reply"]

    def items(self, path, **args):
        return self.rest("GET", path, args)["items"]

    def volume(self, name):
        found = [v for v in self.items("volumes") if v["name"] == name]
        return found[0] if found else None

    def end(self):
        self.process.terminate()
        self.process.wait(30)


class Driver:
    """One process that uses fa.h; its answers are dicts."""

    def __init__(self, sim, arrays=("fa1",), directory=None, token_dir=None, check=0, ttl=3600,
                 tokens=None, ca=None, storage="pure", urls=None):
        self.directory = directory or tempfile.mkdtemp(prefix="pvewarden-fa-")
        self.tokens = token_dir or f"{self.directory}/shared"
        self.private = f"{self.directory}/private"
        self.log = open(f"{self.directory}/log", "a+", encoding="utf-8")
        command = [DRIVER, storage, self.tokens, self.private, str(check), str(ttl)]
        for i, name in enumerate(arrays):
            command += [(urls or sim.urls)[name], tokens[i] if tokens else f"{name}-token"]
        env = {**os.environ, **({"CA_FILE": ca} if ca else {})}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, env=env)
        atexit.register(self.process.kill)

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self, n=1):
        answers = []
        for _ in range(n):
            signal.alarm(90)
            answer = json.loads(self.process.stdout.readline())
            answers.append({**answer, "result": answer["result"]["items"]})
        signal.alarm(0)
        return answers

    def __call__(self, line):
        self.tell(line)
        return self.hear()[0]

    def many(self, n, line):
        self.tell(f"threads {n} {line}")
        return self.hear(n)

    def set(self, line):
        self.tell(line)

    def logged(self):
        self.log.flush()
        return open(self.log.name, encoding="utf-8").read()

    def end(self):
        self.process.stdin.close()
        code = self.process.wait(30)
        shutil.rmtree(self.directory, ignore_errors=True)
        return code


def is_ok(answer):
    return answer["code"] == ""


def is_off(answer):
    """Disconnected; 1 says that it was not connected, or that the answer got lost."""
    return answer["code"] in ("", "1")


def operations():
    """The ordinary case of everything."""
    sim = Sim()
    sim.make(hosts=[{"name": "pve1", "iqns": ["iqn.1993-08.org.debian:01:a"]}, {"name": "pve2"}],
             volume_groups=["vg"], pods=[{"name": "pod1", "quota_limit": 10 << 30}],
             host_groups=["cluster"])
    d = Driver(sim)
    r = d("create vg/vm-100-disk-0 1073741824 5000")
    ok("a volume is made", is_ok(r) and r["result"][0]["size"] == 1 << 30
       and len(r["result"][0]["serial"]) == 24, r)
    r = d("create vg/vm-100-disk-0 1073741824")
    ok("not twice", r["code"] == "EEXIST" and "already exists" in r["error"], r)
    r = d("get vg/vm-100-disk-0")
    ok("and read", is_ok(r) and r["result"][0]["name"] == "vg/vm-100-disk-0", r)
    ok("one that is not there", d("get vg/vm-100-disk-9")["code"] == "ENOENT")
    ok("a comma is in no name", d("destroy vg/a,vg/b")["code"] == "EINVAL")
    ok("it grows", is_ok(d("resize vg/vm-100-disk-0 2147483648"))
       and sim.volume("vg/vm-100-disk-0")["provisioned"] == 2 << 30)
    ok("and does not shrink", d("resize vg/vm-100-disk-0 1073741824")["code"] == "EINVAL")
    r = d("copy vg/vm-101-disk-0 vg/vm-100-disk-0")
    ok("a copy", is_ok(r) and r["result"][0]["source"] == "vg/vm-100-disk-0", r)
    r = d("list vg/vm-10 0")
    ok("a list by prefix", sorted(v["name"] for v in r["result"]) ==
       ["vg/vm-100-disk-0", "vg/vm-101-disk-0"], r)
    r = d("named vg/vm-101-disk-0 vg/vm-999-disk-0")
    ok("and by names", [v["name"] for v in r["result"]] == ["vg/vm-101-disk-0"], r)
    ok("another name", is_ok(d("rename vg/vm-101-disk-0 vg/vm-102-disk-0"))
       and sim.volume("vg/vm-102-disk-0") and not sim.volume("vg/vm-101-disk-0"))
    ok("that is taken", d("rename vg/vm-102-disk-0 vg/vm-100-disk-0")["code"] == "EEXIST")
    ok("of nothing", d("rename vg/vm-777-disk-0 vg/vm-778-disk-0")["code"] == "ENOENT")

    r = d("snapshot snap-a vg/vm-100-disk-0 vg/vm-102-disk-0")
    ok("snapshots of two at one moment", is_ok(r) and len(r["result"]) == 2
       and r["result"][0]["created"] == r["result"][1]["created"]
       and sim.calls("POST volume-snapshots") == 1, r)
    r = d("snapshot snap-a vg/vm-102-disk-0")
    ok("the same suffix again", r["code"] == "EEXIST", r)
    r = d("snapshots 0 vg/vm-100-disk-0 vg/vm-102-disk-0")
    ok("are listed", sorted(s["name"] for s in r["result"]) ==
       ["vg/vm-100-disk-0.snap-a", "vg/vm-102-disk-0.snap-a"], r)
    ok("renamed", is_ok(d("snaprename vg/vm-102-disk-0.snap-a snap-b"))
       and sim.items("volume-snapshots", filter="suffix='snap-b'"))
    ok("content put back", is_ok(d("overwrite vg/vm-100-disk-0 vg/vm-100-disk-0.snap-a")))
    sim.reset()
    r = d("snapdel vg/vm-100-disk-0.snap-a vg/vm-102-disk-0.snap-b vg/vm-102-disk-0.snap-c")
    ok("removed, also those that are gone", is_ok(r)
       and not sim.items("volume-snapshots", filter="destroyed='false'")
       and not sim.items("volume-snapshots", filter="name='*.snap-*'"), r)
    ok("again", is_ok(d("snapdel vg/vm-100-disk-0.snap-a")))
    r = d("snapshot snap-b vg/vm-102-disk-0")
    sim.reset()
    r = d("snapdel vg/vm-102-disk-0.snap-b")
    ok("two requests for one that is there", is_ok(r) and sim.counters()["requests"] == 2,
       sim.counters())

    r = d("connect pve1 vg/vm-100-disk-0 vg/vm-102-disk-0")
    ok("two volumes to a host", is_ok(r) and [c["lun"] for c in r["result"]] == [1, 2]
       and sim.calls("POST connections") == 1, r)
    r = d("connect pve1 vg/vm-100-disk-0")
    ok("connected already", is_ok(r) and r["result"][0]["lun"] == 1, r)
    d("create vg/vm-103-disk-0 1073741824")
    r = d("connect pve1 vg/vm-100-disk-0 vg/vm-103-disk-0 vg/vm-102-disk-0")
    ok("one of three lacks", is_ok(r) and [c["lun"] for c in r["result"]] == [1, 3, 2], r)
    ok("a second host", is_ok(d("connect pve2 vg/vm-100-disk-0")))
    r = d("connections vg/vm-100-disk-0 -")
    ok("by volume", sorted(c["host"] for c in r["result"]) == ["pve1", "pve2"] and
       {c["volume_id"] for c in r["result"]} == {d("get vg/vm-100-disk-0")["result"][0]["id"]}, r)
    r = d("connections - pve1")
    ok("by host", len(r["result"]) == 3, r)
    ok("to no such host", d("connect pve9 vg/vm-100-disk-0")["code"] == "ENOENT")
    ok("both hosts at once", is_ok(d("disconnect vg/vm-100-disk-0 pve1 pve2"))
       and not d("connections vg/vm-100-disk-0 -")["result"])
    ok("again", d("disconnect vg/vm-100-disk-0 pve1 pve2")["code"] == "1")
    ok("one of two is connected", is_ok(d("disconnect vg/vm-102-disk-0 pve2 pve1"))
       and not d("connections vg/vm-102-disk-0 -")["result"])
    ok("of no volume", d("disconnect vg/vm-777-disk-0 pve1")["code"] == "1")
    r = d("connect-at pve1 7 vg/vm-100-disk-0")
    ok("at the LUN that is asked for", is_ok(r) and r["result"][0]["lun"] == 7, r)
    r = d("connect-at pve1 7 vg/vm-102-disk-0")
    ok("which no other gets", r["code"] == "EADDRINUSE" and not d("connections vg/vm-102-disk-0 -")["result"], r)
    r = d("connect-at pve1 8 vg/vm-100-disk-0")
    ok("connected already, at another one", is_ok(r) and r["result"][0]["lun"] == 7, r)
    ok("and back", is_ok(d("disconnect vg/vm-100-disk-0 pve1")))
    r = d("gconnect cluster vg/vm-102-disk-0")
    ok("a host group", is_ok(r) and r["result"][0]["lun"] == 254, r)
    ok("and back", is_ok(d("gdisconnect vg/vm-102-disk-0 cluster"))
       and not d("connections vg/vm-102-disk-0 -")["result"])

    ok("no tag", d("tag-get vg/vm-100-disk-0 notes")["code"] == "ENODATA")
    ok("a tag", is_ok(d("tag-set vg/vm-100-disk-0 notes hello"))
       and d("tag-get vg/vm-100-disk-0 notes")["result"] == ["hello"])
    ok("changed", is_ok(d("tag-set vg/vm-100-disk-0 notes again"))
       and d("tag-get vg/vm-100-disk-0 notes")["result"] == ["again"])
    ok("removed, twice", is_ok(d("tag-set vg/vm-100-disk-0 notes -"))
       and is_ok(d("tag-set vg/vm-100-disk-0 notes -"))
       and d("tag-get vg/vm-100-disk-0 notes")["code"] == "ENODATA")

    ok("destroyed, twice", is_ok(d("destroy vg/vm-100-disk-0")) and is_ok(d("destroy vg/vm-100-disk-0"))
       and sim.volume("vg/vm-100-disk-0")["destroyed"])
    ok("which is said", d("get vg/vm-100-disk-0")["code"] == "ESTALE")
    ok("and keeps the name", d("create vg/vm-100-disk-0 1073741824")["code"] == "EEXIST"
       and d("copy vg/vm-100-disk-0 vg/vm-102-disk-0")["code"] == "EEXIST")
    ok("a copy of it", d("copy vg/vm-200-disk-0 vg/vm-100-disk-0")["code"] == "ESTALE")
    ok("disconnected as well", is_off(d("disconnect vg/vm-100-disk-0 pve1")))
    ok("recovered", is_ok(d("recover vg/vm-100-disk-0")) and is_ok(d("get vg/vm-100-disk-0")))
    ok("eradicating what lives", d("eradicate vg/vm-100-disk-0")["code"] == "EINVAL")
    sim.ask("POST", "/set", {"array": "fa1", "config": {"safemode": True}})
    d("destroy vg/vm-100-disk-0")
    ok("SafeMode", d("eradicate vg/vm-100-disk-0")["code"] == "1")
    sim.ask("POST", "/set", {"array": "fa1", "config": {"safemode": False}})
    ok("eradicated", is_ok(d("eradicate vg/vm-100-disk-0")) and not sim.volume("vg/vm-100-disk-0"))
    ok("destroying nothing", d("destroy vg/vm-100-disk-0")["code"] == "ENOENT")

    r = d("about")
    ok("what it is", is_ok(r) and r["result"][0] == "fa1" and r["result"][2] == "2.26", r)
    r = d("host pve1")
    ok("a host", r["result"] == ["pve1", None, "iqn.1993-08.org.debian:01:a"], r)
    ok("no such host", d("host pve9")["code"] == "ENOENT")
    r = d("space - -")
    ok("space", is_ok(r) and r["result"][0] > 0, r)
    d("create pod1::vm-1-disk-0 1073741824")
    r = d("space pod1 -")
    ok("a pod's, by its quota", r["result"] == [10 << 30, 1 << 30], r)
    ok("over it", d("create pod1::vm-1-disk-1 107374182400")["code"] == "EDQUOT")
    r = d("space - vg")
    ok("a group's, provisioned", r["result"] == [0, 3 << 30] or is_ok(r) and r["result"][0] == 0, r)
    ok("a pod", d("pod pod1")["result"][:3] == ["pod1", True, "fa1"] and d("pod no")["code"] == "ENOENT")
    ok("a group", is_ok(d("vgroup vg")) and d("vgroup no")["code"] == "ENOENT")
    sim.reset()
    sim.fault("garbage", path="ports", text='{"items":[]}')
    ok("that there are no ports is not kept", not d("ports")["result"] and d("ports")["result"])
    sim.reset()
    ok("ports are kept", is_ok(d("ports")) and is_ok(d("ports")) and sim.calls("GET ports") <= 1)
    r = d("list pod1::vm- 0")
    ok("a pod's by prefix", [v["name"] for v in r["result"]] == ["pod1::vm-1-disk-0"], r)
    ok("no secret in any log line", "fa1-token" not in d.logged() and token_of(d)["auth_token"]
       not in d.logged())
    ok("all ends well", d.end() == 0)
    sim.ask("POST", "/set", {"array": "fa1", "config": {"no_pod_patterns": True}})
    d = Driver(sim)
    r = d("list pod1::vm- 0")
    ok("where such patterns find nothing", [v["name"] for v in r["result"]] == ["pod1::vm-1-disk-0"], r)
    d.end()
    sim.end()


def token_of(d, index=0, storage="pure", where=None):
    with open(f"{where or d.tokens}/{storage}_array{index}.json", encoding="utf-8") as f:
        return json.load(f)


# --- a change whose answer does not come ---------------------------------------------------------

def live(sim, name):
    return [v for v in sim.items("volumes") if v["name"] == name and not v["destroyed"]]


CHANGES = [  # name, before, operation, method and path, what must be in the end
    ("create", [], "create vg/vm-N-disk-0 1073741824", ("POST", "volumes"),
     lambda s, n: len(live(s, f"vg/vm-{n}-disk-0")) == 1),
    ("copy", ["create vg/vm-N-disk-0 1073741824"], "copy vg/vm-N-disk-1 vg/vm-N-disk-0",
     ("POST", "volumes"), lambda s, n: len(live(s, f"vg/vm-{n}-disk-1")) == 1),
    ("resize", ["create vg/vm-N-disk-0 1073741824"], "resize vg/vm-N-disk-0 2147483648",
     ("PATCH", "volumes"), lambda s, n: s.volume(f"vg/vm-{n}-disk-0")["provisioned"] == 2 << 30),
    ("rename", ["create vg/vm-N-disk-0 1073741824"], "rename vg/vm-N-disk-0 vg/vm-N-disk-1",
     ("PATCH", "volumes"), lambda s, n: live(s, f"vg/vm-{n}-disk-1") and not live(s, f"vg/vm-{n}-disk-0")),
    ("destroy", ["create vg/vm-N-disk-0 1073741824"], "destroy vg/vm-N-disk-0",
     ("PATCH", "volumes"), lambda s, n: s.volume(f"vg/vm-{n}-disk-0")["destroyed"]),
    ("recover", ["create vg/vm-N-disk-0 1073741824", "destroy vg/vm-N-disk-0"], "recover vg/vm-N-disk-0",
     ("PATCH", "volumes"), lambda s, n: live(s, f"vg/vm-{n}-disk-0")),
    ("eradicate", ["create vg/vm-N-disk-0 1073741824", "destroy vg/vm-N-disk-0"],
     "eradicate vg/vm-N-disk-0", ("DELETE", "volumes"), lambda s, n: not s.volume(f"vg/vm-{n}-disk-0")),
    ("overwrite", ["create vg/vm-N-disk-0 1073741824", "snapshot snap-a vg/vm-N-disk-0",
                   "resize vg/vm-N-disk-0 2147483648"],
     "overwrite vg/vm-N-disk-0 vg/vm-N-disk-0.snap-a", ("POST", "volumes"),
     lambda s, n: s.volume(f"vg/vm-{n}-disk-0")["provisioned"] == 1 << 30),
    ("snapshot", ["create vg/vm-N-disk-0 1073741824", "create vg/vm-N-disk-1 1073741824"],
     "snapshot snap-a vg/vm-N-disk-0 vg/vm-N-disk-1", ("POST", "volume-snapshots"),
     lambda s, n: len(s.items("volume-snapshots", filter=f"name='vg/vm-{n}-disk-*.snap-a'")) == 2),
    ("snapdel, destroying", ["create vg/vm-N-disk-0 1073741824", "snapshot snap-a vg/vm-N-disk-0"],
     "snapdel vg/vm-N-disk-0.snap-a", ("PATCH", "volume-snapshots"),
     lambda s, n: not s.items("volume-snapshots", filter=f"name='vg/vm-{n}-disk-*.snap-a'")),
    ("snapdel, eradicating", ["create vg/vm-N-disk-0 1073741824", "snapshot snap-a vg/vm-N-disk-0"],
     "snapdel vg/vm-N-disk-0.snap-a", ("DELETE", "volume-snapshots"),
     lambda s, n: not s.items("volume-snapshots", filter=f"name='vg/vm-{n}-disk-*.snap-a'")),
    ("snaprename", ["create vg/vm-N-disk-0 1073741824", "snapshot snap-a vg/vm-N-disk-0"],
     "snaprename vg/vm-N-disk-0.snap-a snap-b", ("PATCH", "volume-snapshots"),
     lambda s, n: s.items("volume-snapshots", filter=f"name='vg/vm-{n}-disk-0.snap-b'")),
    ("connect", ["create vg/vm-N-disk-0 1073741824", "create vg/vm-N-disk-1 1073741824"],
     "connect pve1 vg/vm-N-disk-0 vg/vm-N-disk-1", ("POST", "connections"),
     lambda s, n: len([c for c in s.items("connections") if f"vg/vm-{n}-" in c["volume"]["name"]]) == 2),
    ("disconnect", ["create vg/vm-N-disk-0 1073741824", "connect pve1 vg/vm-N-disk-0"],
     "disconnect vg/vm-N-disk-0 pve1", ("DELETE", "connections"),
     lambda s, n: not [c for c in s.items("connections") if f"vg/vm-{n}-" in c["volume"]["name"]]),
    ("tag", ["create vg/vm-N-disk-0 1073741824"], "tag-set vg/vm-N-disk-0 notes x",
     ("PUT", "volumes/tags/batch"),
     lambda s, n: s.items("volumes/tags", resource_names=f"vg/vm-{n}-disk-0", namespaces="pvewarden")),
    ("no tag", ["create vg/vm-N-disk-0 1073741824", "tag-set vg/vm-N-disk-0 notes x"],
     "tag-set vg/vm-N-disk-0 notes -", ("DELETE", "volumes/tags"),
     lambda s, n: not s.items("volumes/tags", resource_names=f"vg/vm-{n}-disk-0",
                              namespaces="pvewarden")),
]
# Each answer that does not come, or says nothing: executed or not. 503 is the sort that may be both.
FAULTS = ["drop", "drop-after", "reset", "reset-after", "truncated", "garbage", "stale", "half-closed",
          "hang-after", "hang", "500", "503", "429", "401"]


def set_fault(sim, kind, method, path):
    if kind.isdigit():
        sim.fault("status", status=int(kind), method=method, path=path, count=1)
    else:
        sim.fault(kind, method=method, path=path, count=1, ms=30000)


def changes(kind):
    sim = Sim()
    sim.make(hosts=["pve1"], volume_groups=["vg"])
    d = Driver(sim)
    # A request that hangs is given two thirds of what time there is.
    d.set("deadline 3000" if kind.startswith("hang") else "deadline 20000")
    for number, (name, before, operation, request, end) in enumerate(CHANGES, 1000):
        for line in before:
            r = d(line.replace("N", str(number)))
            assert is_ok(r), (line, r)
        set_fault(sim, kind, *request)
        r = d(operation.replace("N", str(number)))
        sim.reset()
        if name == "overwrite" and kind.startswith("hang"):
            ok(f"{name} and {kind} is not done twice", r["code"] == "EINPROGRESS", r)
            continue
        good = is_off(r) if name == "disconnect" else is_ok(r)
        ok(f"{name} and {kind}", good and end(sim, number), r, d.logged()[-1500:])
    d.end()
    sim.end()


def refusals():
    """After an answer that did not come: what is somebody else's is not taken for ours."""
    sim = Sim()
    sim.make(hosts=["pve1"], volume_groups=["vg"])
    d = Driver(sim)
    d("create vg/vm-1-disk-0 1073741824")
    d("snapshot snap-a vg/vm-1-disk-0")
    time.sleep(2.1)  # dates are in seconds
    for kind in ("drop", "drop-after"):
        for line, request in (("create vg/vm-1-disk-0 1073741824", ("POST", "volumes")),
                              ("snapshot snap-a vg/vm-1-disk-0", ("POST", "volume-snapshots")),
                              ("copy vg/vm-1-disk-0 vg/vm-1-disk-0.snap-a", ("POST", "volumes"))):
            set_fault(sim, kind, *request)
            r = d(line)
            ok(f"{line.split()[0]} of what was there, and {kind}", r["code"] == "EEXIST", r)
    d("create vg/vm-2-disk-0 1073741824")
    set_fault(sim, "drop-after", "POST", "volumes")
    r = d("overwrite vg/vm-2-disk-0 vg/vm-1-disk-0")
    ok("content of a volume is not put in twice", r["code"] == "EINPROGRESS"
       and "not known" in r["error"], r)
    sim.reset()
    d.set("deadline 3000")
    sim.fault("drop-after", method="PATCH", path="volumes", count=1)
    sim.fault("drop", method="GET", path="volumes", count=-1)
    r = d("destroy vg/vm-2-disk-0")
    ok("what cannot be read again is not known", r["code"] == "EINPROGRESS" and r["ms"] < 3300, r)
    sim.reset()
    sim.ask("POST", "/down", {"array": "fa1"})
    r = d("destroy vg/vm-1-disk-0")
    ok("an array that is down was not reached", r["code"] == "EHOSTUNREACH", r)
    r = d("list vg/ 0")
    ok("and has no empty list", r["code"] == "EHOSTUNREACH" and r["result"] == [], r)
    sim.ask("POST", "/up", {"array": "fa1"})
    ok("and is back", is_ok(d("destroy vg/vm-1-disk-0")))
    d.end()
    sim.end()


def repeated():
    """How often an array was asked: changing requests are never sent twice by the library."""
    sim = Sim()
    sim.make(volume_groups=["vg"])
    d = Driver(sim)
    for kind in ("stale", "reset-after", "drop-after", "half-closed"):
        d(f"create vg/vm-1-{kind} 1073741824")
        d(f"get vg/vm-1-{kind}")  # keeps a connection
        sim.reset()
        sim.fault(kind, method="GET" if kind in ("stale", "half-closed") else "POST", path="volumes",
                  count=1)
        d(f"get vg/vm-1-{kind}")
        r = d(f"copy vg/vm-2-{kind} vg/vm-1-{kind}")
        n = sim.calls("POST volumes")
        ok(f"one POST, with {kind}", is_ok(r) and n == 1, r, n)
    d.end()
    sim.end()


def together():
    """Threads that want the same."""
    sim = Sim()
    sim.make(hosts=["pve1"], volume_groups=["vg"])
    d = Driver(sim)
    codes = sorted(r["code"] for r in d.many(16, "create vg/vm-1-disk-0 1073741824"))
    ok("of 16 one makes the volume", codes == [""] + ["EEXIST"] * 15, codes)
    answers = d.many(16, "connect pve1 vg/vm-1-disk-0")
    ok("all have it connected, once", all(is_ok(r) and r["result"][0]["lun"] == 1 for r in answers)
       and len(sim.items("connections")) == 1, answers[0])
    ok("and gone", all(is_off(r) for r in d.many(16, "disconnect vg/vm-1-disk-0 pve1"))
       and not sim.items("connections"))
    ok("destroyed", all(is_ok(r) for r in d.many(16, "destroy vg/vm-1-disk-0")))
    d.end()
    sim.reset()
    d = Driver(sim)
    began, n = time.time(), 300
    for _ in range(n):
        d("about")
    c = sim.counters()
    ok(f"{n} calls need one connection", c["lines"] in (1, 2), c)
    ok("and ask for the version once", c["calls"]["GET api_version"] == 1, c)
    print(f"# {(time.time() - began) / n * 1000:.2f} ms a request, driver and simulator included")
    sim.fault("reset", count=20)
    answers = d.many(16, "list vg/ 0")
    ok("connections that are cut under 16 threads", sum(is_ok(r) for r in answers) >= 1
       and {r["code"] for r in answers} <= {"", "EHOSTUNREACH"}, answers)
    d.end()
    sim.end()


# --- sessions --------------------------------------------------------------------------------------

def sessions():
    sim = Sim()
    sim.make(volume_groups=["vg"])
    d = Driver(sim)
    ok("eight threads", all(is_ok(r) for r in d.many(8, "list vg/ 0")))
    ok("log in once", sim.counters()["logins"] == 1, sim.counters())
    ok("ask for the version once", sim.calls("GET api_version") == 1, sim.counters())
    ok("and share few connections", 1 <= sim.counters()["lines"] <= 4, sim.counters())
    t = token_of(d)
    ok("the token's file has its form", sorted(t) == ["auth_token", "created_at", "expires_at",
                                                      "request_id", "ttl"]
       and t["expires_at"] == t["created_at"] + 3600 and abs(t["created_at"] - time.time()) < 60, t)
    ok("for root alone", stat.S_IMODE(os.stat(f"{d.tokens}/pure_array0.json").st_mode) == 0o600
       and stat.S_IMODE(os.stat(d.tokens).st_mode) == 0o700)
    ok("nothing else lies there", os.listdir(d.tokens) == ["pure_array0.json"], os.listdir(d.tokens))
    time.sleep(5.1)  # a younger file is another's login
    sim.ask("POST", "/expire", {"array": "fa1"})
    sim.reset()
    answers = d.many(8, "list vg/ 0")
    ok("a storm of 401 to eight threads", all(is_ok(r) for r in answers), answers)
    ok("is one login", sim.counters()["logins"] == 1, sim.counters())
    ok("whose token is in the file", token_of(d)["auth_token"] != t["auth_token"])
    time.sleep(5.1)
    sim.ask("POST", "/expire", {"array": "fa1"})
    ok("a POST that met a 401 is sent again", is_ok(d("create vg/vm-1-disk-0 1073741824"))
       and len(live(sim, "vg/vm-1-disk-0")) == 1)

    sim.reset()
    other = Driver(sim, directory=tempfile.mkdtemp(prefix="pvewarden-fa-"), token_dir=d.tokens)
    ok("another process", is_ok(other("list vg/ 0")))
    ok("takes the file's token", sim.counters()["logins"] == 0)
    other.end()
    d.end()

    sim.reset()
    directory = tempfile.mkdtemp(prefix="pvewarden-fa-")
    both = [Driver(sim, directory=directory) for _ in range(2)]
    for one in both:
        one.tell("list vg/ 0")
    ok("two processes at once", all(is_ok(one.hear()[0]) for one in both))
    ok("log in once in all", sim.counters()["logins"] == 1, sim.counters())
    text = json.dumps({**token_of(both[0]), "created_at": int(time.time()) - 3000})
    for one in both:
        one.end()

    for what, content in (("too old", text), ("cut", '{"auth_token": "x'), ("of another kind", "[]"),
                          ("with a line break in it", '{"auth_token":"a\\nb","created_at":1,"ttl":1}'),
                          ("empty", "")):
        d = Driver(sim)
        os.mkdir(d.tokens, 0o700)
        with open(f"{d.tokens}/pure_array0.json", "w", encoding="utf-8") as f:
            f.write(content)
        sim.reset()
        ok(f"a file that is {what}", is_ok(d("list vg/ 0")) and sim.counters()["logins"] == 1)
        ok("is replaced", time.time() - token_of(d)["created_at"] < 60)
        d.end()
    sim.end()


def file_of_401():
    """401: the file is read again before anybody logs in again."""
    sim = Sim()
    a = Driver(sim)
    a("about")
    b = Driver(sim, token_dir=a.tokens)
    b("about")
    old = token_of(a)
    time.sleep(5.1)
    sim.ask("POST", "/expire", {"array": "fa1"})
    a("about")  # logs in, writes
    ok("one has logged in", token_of(a)["auth_token"] != old["auth_token"])
    sim.reset()
    ok("the other reads it from the file", is_ok(b("about")) and sim.counters()["logins"] == 0
       and sim.counters()["refused"] == 1, sim.counters())
    b.end()
    a.end()
    sim.end()


def token_folders():
    """A folder that takes nothing, and one that does not answer at all."""
    sim = Sim()
    d = Driver(sim, token_dir="/proc/self/nothing")
    ok("a folder that cannot be written", is_ok(d("about")))
    ok("the private one serves", token_of(d, where=d.private)["auth_token"])
    d2 = Driver(sim, directory=d.directory, token_dir="/proc/self/nothing")
    sim.reset()
    ok("and is read", is_ok(d2("about")) and sim.counters()["logins"] == 0)
    d2.end()
    d.end()
    if os.geteuid() == 0 and os.path.exists("/dev/fuse"):
        hanging(sim)
    sim.end()


def hanging(sim):
    """A FUSE file system whose requests nobody answers."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    at = tempfile.mkdtemp(prefix="pvewarden-fuse-")
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0"
    if libc.mount(b"pvewarden-test", at.encode(), b"fuse", 0, options.encode()) != 0:
        print("# no FUSE mount here:", os.strerror(ctypes.get_errno()))
        os.close(fd)
        os.rmdir(at)
        return
    d = Driver(sim, token_dir=at)
    r = d("about")
    ok("a folder that hangs", is_ok(r) and r["ms"] < 5000, r)
    r = d("about")
    ok("costs nothing later", is_ok(r) and r["ms"] < 500, r)
    sim.ask("POST", "/expire", {"array": "fa1"})
    r = d("about")
    ok("nor at the next login", is_ok(r) and r["ms"] < 1000, r)
    libc.umount2(at.encode(), 2)
    os.close(fd)
    d.end()
    os.rmdir(at)


def rejected():
    sim = Sim()
    d = Driver(sim, tokens=["wrong-secret"])
    r = d("about")
    ok("a wrong API token", r["code"] == "EKEYREJECTED" and "wrong-secret" not in r["error"], r)
    for _ in range(5):
        d("about")
    ok("is not tried all the time", sim.counters()["logins"] == 1, sim.counters())
    d.end()
    d = Driver(sim)
    sim.fault("status", status=403, method="GET", path="arrays", count=1)
    ok("403", d("about")["code"] == "EPERM")
    sim.fault("garbage", method="GET", path="arrays", count=-1)
    ok("what no FlashArray says", d("about")["code"] == "EPROTO")
    sim.reset()
    d.end()
    sim.end()
    for versions, good in (("2.2", "EOPNOTSUPP"), ("2.4,2.17,2.26", ""), ("2.26,2.42,2.99", "")):
        sim = Sim(args=["--api", versions])
        d = Driver(sim)
        r = d("about")
        ok(f"versions {versions}", r["code"] == good and (good or r["result"][2] in ("2.26", "2.42")), r)
        d.end()
        sim.end()


# --- busy, slow, down ------------------------------------------------------------------------------

def busy():
    sim = Sim()
    sim.make(volume_groups=["vg"])
    d = Driver(sim)
    d("about")
    sim.fault("status", status=429, path="volumes", count=1, retry_after="2")
    r = d("create vg/vm-1-disk-0 1073741824")
    ok("429 waits as it is told", is_ok(r) and 1900 < r["ms"] < 4000, r)
    sim.fault("status", status=503, path="volumes", count=2)
    r = d("list vg/ 0")
    ok("503 twice", is_ok(r) and r["ms"] > 1000, r)
    for path in ("api_version", "login"):
        other = Driver(sim)
        sim.fault("status", status=429, path=path, count=1, retry_after="2")
        r = other("list vg/ 0")
        ok(f"so does {path}", is_ok(r) and 1900 < r["ms"] < 4000, r)
        other.end()
        other = Driver(sim)
        sim.fault("status", status=503, path=path, count=2)
        r = other("list vg/ 0")
        ok(f"{path}: 503 twice", is_ok(r) and r["ms"] > 1000, r)
        other.end()
    d.set("deadline 2500")
    sim.fault("status", status=429, path="volumes", count=-1)
    r = d("create vg/vm-2-disk-0 1073741824")
    ok("429 until the deadline", r["code"] == "EAGAIN" and r["ms"] < 2700
       and not sim.volume("vg/vm-2-disk-0"), r)
    sim.reset()
    d.end()
    d = Driver(sim)
    sim.fault("status", status=429, path="volumes", count=1, retry_after="500")
    r = d("list vg/ 0")
    ok("and not when that is further off", r["code"] == "EAGAIN" and r["ms"] < 500, r)
    d.end()
    d = Driver(sim)
    d.set("deadline 2000")
    sim.fault("hang", method="GET", path="volumes", count=-1, ms=20000)
    r = d("list vg/ 0")
    ok("a deadline is one", r["code"] == "EHOSTUNREACH" and 1500 < r["ms"] < 2300, r)
    sim.reset()
    sim.fault("drop", method="GET", path="volumes", count=2)
    d.set("deadline 10000")
    ok("a question is asked again", is_ok(d("list vg/ 0")))
    sim.fault("latency", path="volumes", count=-1, ms=150)
    answers = d.many(16, "list vg/ 0")
    ok("16 threads on four connections", all(is_ok(r) for r in answers)
       and 500 < answers[0]["ms"] < 3000, answers[0])
    sim.fault("status", status=429, path="volumes", count=1, retry_after="2")
    before = sim.calls("GET volumes")
    d.tell("threads 16 list vg/ 0")
    time.sleep(1.5)
    n = sim.calls("GET volumes") - before
    ok("429 holds up those that wait for their turn as well", all(is_ok(r) for r in d.hear(16)) and n <= 8, n)
    d.end()
    sim.end()


def pages():
    sim = Sim()
    sim.make(volume_groups=["vg"])
    sim.make(volumes=[{"name": f"vg/vm-{i}-disk-0", "provisioned": MIB} for i in range(2500)])
    d = Driver(sim)
    r = d("list vg/vm- 0")
    ok("2,500 volumes in three pages", len({v["name"] for v in r["result"]}) == 2500
       and sim.calls("GET volumes") == 3, len(r["result"]))
    names = " ".join(f"vg/vm-{i}-disk-0" for i in range(120))
    sim.reset()
    r = d(f"named {names}")
    ok("120 names in three requests", len(r["result"]) == 120 and sim.calls("GET volumes") == 3)
    sim.fault("drop", method="GET", path="volumes", count=1)
    ok("a page that is lost is asked again", len(d("list vg/vm- 0")["result"]) == 2500)
    d.end()
    sim.end()


def two_arrays():
    sim = Sim("fa1", "fa2")
    d = Driver(sim, arrays=("fa1", "fa2"))
    sim.fault("latency", path="arrays", count=-1, ms=2000)
    d.tell("each about")
    answers = d.hear(2)
    ok("two arrays at the same time", [r["result"][0] for r in answers] == ["fa1", "fa2"]
       and answers[0]["ms"] < 3500, answers)
    ok("a token each", token_of(d, 0)["auth_token"] != token_of(d, 1)["auth_token"])
    sim.reset()
    sim.ask("POST", "/down", {"array": "fa2"})
    d.tell("each about")
    answers = d.hear(2)
    ok("one that is down", is_ok(answers[0]) and answers[1]["code"] == "EHOSTUNREACH", answers)
    d.end()
    sim.end()


def certificates():
    at = tempfile.mkdtemp(prefix="pvewarden-tls-")
    for name, subject in (("good", "IP:127.0.0.1"), ("bad", "DNS:other.example.com")):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=array", "-addext", f"subjectAltName={subject}",
                        "-keyout", f"{at}/{name}.key", "-out", f"{at}/{name}.pem"],
                       check=True, capture_output=True)
    sim = Sim(tls=(f"{at}/good.pem", f"{at}/good.key"))
    for what, options, good in (("that nobody knows", {"check": 1}, False),
                                ("that is known", {"check": 1, "ca": f"{at}/good.pem"}, True),
                                ("that is not asked for", {"check": 0}, True)):
        d = Driver(sim, **options)
        r = d("about")
        ok(f"a certificate {what}", r["code"] == ("" if good else "EHOSTUNREACH"), r)
        ok("is said", good or "certificate" in r["error"], r)
        d.end()
    ok("nothing was asked without it", sim.counters()["logins"] == 2, sim.counters())
    sim.end()
    sim = Sim(tls=(f"{at}/bad.pem", f"{at}/bad.key"))
    d = Driver(sim, check=1, ca=f"{at}/bad.pem")
    ok("another's certificate", d("about")["code"] == "EHOSTUNREACH")
    d.end()
    sim.end()
    shutil.rmtree(at)


SUBJECTS = {f"changes-{kind}": functools.partial(changes, kind) for kind in FAULTS} | {
    s.__name__: s for s in (busy, sessions, refusals, file_of_401, operations, repeated, together, token_folders,
                            rejected, pages, two_arrays, certificates)}
if sys.argv[1:] == ["--list"]:  # for test/sim/run, the longest first
    print("\n".join(sorted(SUBJECTS, key=lambda s: not s.startswith("changes-hang"))))
    sys.exit(0)
for subject in sys.argv[1:] or SUBJECTS:
    SUBJECTS[subject]()
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)
