#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The array service from outside, against arrays of the simulator: its socket under load, slow and
broken requests, killed and drained, started by its socket; array.json; status, diagnosis, heal, reap,
export and import. No device is made here: that is the virtual machine's."""
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
# It acts below any --root (meson setup -Dtest_power=true build-watch-test); the program itself does not.
PROGRAM = os.environ.get("PVEWARDEN_TEST", f"{TREE}/build-watch-test/pvewarden")
ITSELF = os.environ.get("PVEWARDEN", f"{TREE}/build-gcc/pvewarden")
SIMULATOR = os.environ.get("ARRAYSIM", "")
KILLS = int(os.environ.get("ARRAY_KILLS", "12"))
ENV = {"PATH": os.environ["PATH"], "NO_COLOR": "1", "LC_ALL": "C.UTF-8", **{
    k: v for k, v in os.environ.items() if k.startswith(("ASAN", "UBSAN", "LSAN"))}}
passed = failed = 0


def find_simulator():
    for build in (os.path.dirname(PROGRAM), f"{TREE}/build-gcc", f"{TREE}/build-clang"):
        if os.access(f"{build}/test/arraysim", os.X_OK):
            return f"{build}/test/arraysim"
    raise SystemExit("not ok - array: no simulator is built (ninja test/arraysim)")


def ok(what, truth, *show):
    global passed, failed
    passed, failed = passed + bool(truth), failed + (not truth)
    print(f"{'ok' if truth else 'not ok'} - array: {what}" + ("" if truth else f": {show}"),
          flush=True)


def write(root, path, text, mode=0o644):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(full, mode)


def until(what, seconds=20.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


class Simulator:
    """Two arrays with one pod over both, and a volume group on the first."""
    def __init__(self):
        self.process = subprocess.Popen(
            [SIMULATOR or find_simulator(), "--array", "fa1=0", "--array", "fa2=0", "--control", "0",
             "--portal", "fa1=10.9.9.1:3260", "--portal", "fa2=10.9.9.2:3260"],
            stdout=subprocess.PIPE, text=True)
        words = dict(w.split("=") for w in self.process.stdout.readline().split()[1:])
        self.urls = [f"http://127.0.0.1:{words['fa1']}", f"http://127.0.0.1:{words['fa2']}"]
        self.base = f"http://127.0.0.1:{words['control']}"
        hosts = [{"name": "pve1", "iqns": ["iqn.1993-08.org.debian:01:pve1"]}]
        self.ask("POST", "make", {"array": "fa1", "hosts": hosts, "volume_groups": ["vg"],
                                  "pods": [{"name": "pod", "arrays": ["fa2"]}]})
        self.ask("POST", "make", {"array": "fa2", "hosts": hosts})

    def ask(self, method, path, body=None):
        request = urllib.request.Request(f"{self.base}/{path}", method=method,
                                         data=json.dumps(body).encode() if body else None)
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.loads(reply.read() or b"null")

    def rest(self, array, method, path, args, body=None):
        return self.ask("POST", "rest", {"array": array, "method": method, "path": path,
                                         "args": args, "body": body or {}})

    def end(self):
        self.process.terminate()
        self.process.wait()


class Node:
    def __init__(self, sim):
        self.sim = sim
        self.root = tempfile.mkdtemp(prefix="pvewarden-array-")
        self.socket = f"{self.root}/s"
        self.process = None
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
            write(self.root, "proc/sys/kernel/random/boot_id", f.read())
        os.makedirs(f"{self.root}/run/pvewarden/array")
        write(self.root, "proc/net/unix", "")
        self.configure()

    def configure(self, extra=""):
        write(self.root, "etc/pve/storage.cfg",
              f"purestorage: pure\n\taddress {self.sim.urls[0]}\n\ttoken fa1-token\n"
              "\tvgname vg\n\tcontent images\n\n"
              f"purestorage: podded\n\taddress {','.join(self.sim.urls)}\n"
              "\ttoken fa1-token,fa2-token\n\tpodname pod\n\tcontent images\n\n" + extra)

    def config(self, storage="pure"):
        if storage == "pure":
            return {"type": "purestorage", "address": self.sim.urls[0], "token": "fa1-token",
                    "vgname": "vg"}
        return {"type": "purestorage", "address": ",".join(self.sim.urls),
                "token": "fa1-token,fa2-token", "podname": "pod"}

    def request(self, method, storage="pure", **args):
        return json.dumps({"schema": "pvewarden.array.call/1", "method": method,
                           "storage": storage, "node": "pve1",
                           "config": self.config(storage), "args": args}).encode() + b"\n"

    def start(self):
        self.process = subprocess.Popen(
            [PROGRAM, "array", "serve", "--root", self.root, "--node", "pve1", "--socket",
             self.socket], env=ENV, stderr=open(f"{self.root}/log", "ab"))
        return until(self.listens)

    def listens(self):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(self.socket)
            return True
        except OSError:
            return False

    def stop(self, signal_number=signal.SIGTERM):
        self.process.send_signal(signal_number)
        return self.process.wait(timeout=100)

    def run(self, *args, **kwargs):
        return subprocess.run([PROGRAM, "array", *args, "--root", self.root], env=ENV,
                              capture_output=True, timeout=100, **kwargs)

    def document(self):
        with open(f"{self.root}/run/pvewarden/array/array.json", encoding="utf-8") as f:
            return json.load(f)

    def log(self):
        with open(f"{self.root}/log", encoding="utf-8") as f:
            return f.read()

    def put_registry(self, **entry):
        """An entry in the file's own form, as an activation of an earlier boot left it."""
        row = {"storage": "podded", "snap": "", "protocol": "iscsi", "volume_id": "",
               "size": 1 << 30, "since": int(time.time()) - 86400, "verified": True,
               "partial": False, "leaving": False, "boot": "an earlier one", **entry}
        write(self.root, "var/lib/pvewarden/array/registry.json", json.dumps(
            {"schema": "pvewarden.array.registry/1", "entries": [row]}), 0o600)


def say(path, data, timeout=30.0):
    """One connection: what is sent, and all that comes."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(path)
        try:
            s.sendall(data)
        except BrokenPipeError:
            pass
        out = b""
        while True:
            try:
                more = s.recv(65536)
            except ConnectionResetError:
                break
            if not more:
                return out
            out += more
        return out


def answer(path, data, **kwargs):
    text = say(path, data, **kwargs)
    assert text.endswith(b"\n") and text.count(b"\n") == 1, text
    return json.loads(text)


def test_requests(node):
    reply = answer(node.socket, node.request("status"))
    ok("a request is answered on one line", reply["ok"] and reply["result"]["total"] > 0, reply)
    reply = answer(node.socket, b"this is no json\n")
    ok("garbage is refused with a sentence", not reply["ok"] and reply["error"], reply)
    reply = answer(node.socket, bytes(range(11, 256)) * 40 + b"\n")
    ok("and so are bytes that are no text", not reply["ok"], reply)
    reply = answer(node.socket, b"{" + b" " * (2 << 20) + b"}\n")
    ok("more than a megabyte is refused", not reply["ok"] and reply["code"] == "E2BIG", reply)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(node.socket)
        s.sendall(node.request("alloc", vmid=100, size_kib=1024).rstrip(b"\n"))
        s.shutdown(socket.SHUT_WR)
        reply = json.loads(s.recv(65536))
    listed = answer(node.socket, node.request("list"))["result"]
    ok("a request that was cut before its newline is not run",
       not reply["ok"] and listed == [], reply, listed)
    started = time.monotonic()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(node.socket)
        s.sendall(b'{"schema":')
        reply = json.loads(s.recv(65536))
    took = time.monotonic() - started
    ok("who writes too slowly is told, after 5 s",
       reply["code"] == "ETIMEDOUT" and 4 < took < 8, reply, took)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(node.socket)
        s.shutdown(socket.SHUT_WR)
        ok("who only looks whether somebody listens gets nothing", s.recv(100) == b"")
    reply = answer(node.socket, node.request("status"))
    ok("and nothing of that does harm", reply["ok"], reply)


def test_many(node):
    replies, lock = [], threading.Lock()

    def one(i):
        reply = answer(node.socket, node.request(("list", "status", "identity")[i % 3]))
        with lock:
            replies.append(reply)
    slow = []
    for _ in range(70):  # more than are served at once: they hold their places for 5 s
        s = socket.socket(socket.AF_UNIX)
        s.connect(node.socket)
        s.sendall(b"{")
        slow.append(s)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(200)]
    started = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    took = time.monotonic() - started
    for s in slow:
        s.close()
    ok("200 requests behind 70 slow writers are all answered",
       len(replies) == 200 and all(r["ok"] for r in replies), len(replies),
       [r for r in replies if not r["ok"]][:2])
    ok("and wait no longer than those do", took < 14, took)


def test_strangers(node):
    if os.geteuid() != 0:
        return
    os.chmod(node.socket, 0o666)
    os.chmod(node.root, 0o755)
    code = ("import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
            "try:\n s.sendall(b'{}\\n')\n print(len(s.recv(100)))\n"
            "except OSError: print(0)\n")
    got = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                          "/usr/bin/python3", "-c", code, node.socket], capture_output=True,
                         text=True, check=False)
    ok("a user that is not root is turned away", got.stdout.strip() == "0", got)
    os.chmod(node.socket, 0o600)


def test_call(node):
    got = node.run("call", "--node", "pve1", input=node.request("status"))
    ok("array call answers the same, and 0", got.returncode == 0 and json.loads(got.stdout)["ok"],
       got)
    ok("nothing but the answer is on stdout", got.stdout.count(b"\n") == 1, got.stdout)
    got = node.run("call", "--node", "pve1", input=b"{}")
    ok("what is refused is 2", got.returncode == 2 and not json.loads(got.stdout)["ok"], got)
    got = node.run("call", "--node", "pve1", input=b"[" * (3 << 20))
    ok("too much is refused there as well",
       got.returncode == 2 and json.loads(got.stdout)["code"] == "E2BIG", got.returncode)


def test_document(node):
    ok("array.json is there a moment after the start", until(
        lambda: os.path.exists(f"{node.root}/run/pvewarden/array/array.json"), 15))
    d = node.document()
    ok("it names both storages with their space",
       [(s["id"], s["problem"]) for s in d["storages"]] == [("pure", None), ("podded", None)],
       d["storages"])
    ok("and both arrays", sorted(a["name"] for a in d["arrays"]) == ["fa1", "fa2"] and
       all(a["answer"] == "ok" for a in d["arrays"]), d["arrays"])
    mode = os.stat(f"{node.root}/run/pvewarden/array/array.json").st_mode & 0o777
    ok("it is 0640", mode == 0o640, oct(mode))
    text = node.run("status")
    ok("status shows it", text.returncode == 0 and b"2 of 2 arrays answer" in text.stdout, text)
    text = node.run("status", "--format", "json")
    ok("as JSON it is that document", json.loads(text.stdout)["schema"] == "pvewarden.array/1")
    text = node.run("status", "--format", "prometheus")
    ok("and as metrics", b"\npvewarden_array_answer 0\n" in text.stdout, text.stdout[:300])


def test_outage(node, sim):
    """One array down: the pod's storage lives on the other, and status and journal say so."""
    sim.ask("POST", "down", {"array": "fa2"})
    node.stop()
    before = len(node.log())
    node.start()
    ok("an array that is down is a warning", until(
        lambda: node.run("status").returncode == 1, 45), node.run("status"))
    d = node.document()
    ok("with a reason, and the storage lives",
       any(a["answer"] != "ok" and a["why"] for a in d["arrays"]) and
       all(s["problem"] is None for s in d["storages"]), d["arrays"], d["storages"])
    said = node.log()[before:]
    ok("the service has said it, once", said.count(f"{sim.urls[1]}: not reached") == 1, said)
    sim.ask("POST", "up", {"array": "fa2"})
    ok("when it is back, all is well", until(lambda: node.run("status").returncode == 0, 45),
       node.run("status"))
    ok("which is said too", f"{sim.urls[1]} answers again" in node.log()[before:], node.log())


def test_kills(node, sim):
    """Killed at any moment while volumes are made: each that was answered is there, none twice."""
    made, lost = set(), 0
    rng = random.Random(6)
    for i in range(KILLS):
        killer = threading.Timer(rng.uniform(0.0, 0.15), lambda: node.process.kill())
        killer.start()
        for disk in range(8):
            name = f"vm-{200 + i}-disk-{disk}"
            try:
                reply = answer(node.socket, node.request("alloc", vmid=200 + i, size_kib=1024,
                                                         name=name))
                if reply["ok"]:
                    made.add(reply["result"])
            except (OSError, AssertionError):
                lost += 1
                break
        killer.join()
        node.process.wait()
        node.start()
    listed = {row["volname"] for row in answer(node.socket, node.request("list"))["result"]}
    ok(f"killed {KILLS} times: {len(made)} volumes were promised and are there", made <= listed,
       made - listed)
    ok("and no more than one a request was made besides", len(listed - made) <= lost,
       listed - made, lost)
    for name in listed:
        answer(node.socket, node.request("free", volname=name))
    ok("all of them can be removed", answer(node.socket, node.request("list"))["result"] == [])


def test_drain(node, sim):
    sim.ask("POST", "fault", {"kind": "latency", "ms": 1500, "path": "volumes"})
    replies = []
    worker = threading.Thread(target=lambda: replies.append(answer(
        node.socket, node.request("list", vmid=424242))))
    worker.start()
    time.sleep(0.3)
    status = node.stop()
    worker.join()
    sim.ask("DELETE", "fault")
    ok("SIGTERM lets a request finish", status == 0 and replies and replies[0]["ok"], status,
       replies)
    ok("and takes the socket away", not os.path.exists(node.socket))


LAUNCHER = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(64)
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
print("listening", flush=True)
sys.stdin.readline()
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_activation(node):
    path = f"{node.root}/activated"
    launcher = subprocess.Popen(
        ["/usr/bin/python3", "-c", LAUNCHER, path, PROGRAM, "array", "serve", "--root", node.root,
         "--node", "pve1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENV)
    launcher.stdout.readline()
    replies = []
    early = threading.Thread(target=lambda: replies.append(answer(path, node.request("status"))))
    early.start()  # connects before anybody serves
    time.sleep(0.3)
    launcher.stdin.write("go\n")
    launcher.stdin.flush()
    early.join()
    ok("a request that came before the service is answered by it", replies[0]["ok"], replies)
    launcher.terminate()
    ok("and ended by SIGTERM with 0", launcher.wait(timeout=30) == 0)
    ok("whose socket it was keeps it", os.path.exists(path))
    got = node.run("serve")
    ok("without a socket it says what starts it", got.returncode == 70 and
       b"pvewarden-array.socket" in got.stderr, got)


def children_of(pid):
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as f:
                if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                    found.append(int(name))
        except (OSError, ValueError, IndexError):
            pass
    return found


def test_workers(node):
    node.start()
    for child in children_of(node.process.pid):
        os.kill(child, signal.SIGKILL)
    status = node.process.wait(timeout=30)
    ok("without its workers it ends, for systemd to start it again", status == 70, status)
    ok("and the next one takes the socket over", node.start() and
       answer(node.socket, node.request("status"))["ok"])


def test_leftovers(node, sim):
    """What a node's crash leaves: connections, and an entry of an earlier boot."""
    name = "pod::vm-500-disk-0"
    ok("a volume on two arrays", answer(node.socket, node.request(
        "alloc", "podded", vmid=500, size_kib=1 << 20, name="vm-500-disk-0"))["ok"])
    for array in ("fa1", "fa2"):
        sim.rest(array, "POST", "connections", {"host_names": "pve1", "volume_names": name})
    serial = sim.rest("fa1", "GET", "volumes", {"names": name})["reply"]["items"][0]["serial"]
    entry = {"volname": "vm-500-disk-0", "array_volume": name, "serial": serial}

    def connections():
        return sum(len(sim.rest(a, "GET", "connections", {"volume_names": name})["reply"]["items"])
                   for a in ("fa1", "fa2"))
    ok("is connected on both", connections() == 2, connections())

    node.put_registry(**entry, since=int(time.time()) - 5)
    got = node.run("reap", "--yes", "--node", "pve1")
    ok("what is five seconds old may be at work: nothing to reap",
       got.returncode == 0 and b"Nothing to take away" in got.stdout and connections() == 2, got)
    node.put_registry(**entry, storage="gone")
    got = node.run("reap", "--yes", "--node", "pve1")
    ok("an entry of a storage that is not there stays, which is said", connections() == 2 and
       got.returncode == 1 and b"add or enable it again" in got.stdout, got)
    reply = json.loads(node.run("call", "--node", "pve1", input=json.dumps({
        "schema": "pvewarden.array.call/1", "method": "on_delete", "storage": "gone", "node": "pve1",
        "config": node.config(), "args": {}}).encode()).stdout)
    ok("whoever removes the storage is told what helps then",
       any("add it again" in text for _, text in reply["log"]), reply)
    node.put_registry(**entry)
    sim.ask("POST", "down", {"array": "fa1"})
    sim.ask("POST", "down", {"array": "fa2"})
    got = node.run("reap", "--node", "pve1")
    ok("while no array answers it says so: 3", got.returncode == 3 and b"no answer" in got.stdout,
       got)
    got = node.run("reap", "--yes", "--node", "pve1")
    ok("what no array was told of is not done", got.returncode == 3 and b"0 done, 1 skipped" in got.stdout,
       got)
    sim.ask("POST", "up", {"array": "fa1"})
    sim.ask("POST", "up", {"array": "fa2"})
    node.put_registry(**entry)
    for flags in ((), ("--dry-run",), ("--dry-run", "--yes")):
        got = node.run("reap", *flags, "--node", "pve1")
        ok(f"reap {' '.join(flags)} shows what it would do and does nothing",
           got.returncode == 1 and b"vm-500-disk-0" in got.stdout and connections() == 2, got)
    got = subprocess.run([ITSELF, "array", "reap", "--yes", "--node", "pve1", "--root", node.root], env=ENV,
                         capture_output=True, timeout=100)
    ok("the program itself refuses another root", got.returncode != 0 and b"--root" in got.stderr and
       connections() == 2, got)
    got = node.run("reap", "--yes", "--node", "pve1")
    ok("reap --yes takes the connections away", got.returncode == 0 and connections() == 0, got,
       connections())
    left = sim.rest("fa1", "GET", "volumes", {"names": name})["reply"]["items"]
    ok("and the volume stays", len(left) == 1 and not left[0]["destroyed"], left)
    with open(f"{node.root}/var/lib/pvewarden/array/registry.json", encoding="utf-8") as f:
        ok("the registry has forgotten it", json.load(f)["entries"] == [])
    got = node.run("reap", "--yes", "--node", "pve1")
    ok("a second time there is nothing to do", got.returncode == 0, got)
    for verb in ("heal", "reap"):
        got = node.run(verb, "--format", "json", "--node", "pve1")
        ok(f"{verb} answers in words alone", got.returncode == 64 and got.stdout == b"", got)
    got = node.run("heal", "nosuch", "--node", "pve1")
    ok("a storage that is not there is a mistake", got.returncode == 64, got)


def test_diagnose(node, sim):
    write(node.root, "etc/iscsi/initiatorname.iscsi",
          "InitiatorName=iqn.1993-08.org.debian:01:pve1\n")
    write(node.root, "etc/multipath.conf",
          "defaults {\n\tfind_multipaths smart\n}\nblacklist {\n\tdevnode \"^sd[a-z]\"\n}\n")
    write(node.root, "etc/lvm/lvm.conf", "devices {\n\tglobal_filter=[\"r|/dev/zd.*|\"]\n}\n")
    got = node.run("status", "--diagnose", "pure", "--node", "pve1")
    text = got.stdout.decode()
    ok("the diagnosis grades what it finds", got.returncode == 2 and "BAD" in text, got)
    for words in ("fa1", "the token may make changes", "volume group vg", "host pve1",
                  "has this node's initiator", "0 of 1 ports", "multipathd does not run",
                  "find_multipaths is smart", "keeps our volumes away", "global_filter"):
        ok(f"it says: {words}", words in " ".join(text.split()), text)
    sim.rest("fa1", "PATCH", "hosts", {"names": "pve1"}, {"preferred_arrays": [{"name": "fa1"}]})
    got = node.run("status", "--diagnose", "podded", "--node", "pve1")
    text = " ".join(got.stdout.decode().split())
    ok("of a pod's arrays it says which one the paths prefer", "prefers paths of fa1" in text and
       f"{sim.urls[1]}: host pve1 prefers no array" in text, text)
    sim.rest("fa1", "PATCH", "hosts", {"names": "pve1"}, {"preferred_arrays": []})
    sim.ask("POST", "fault", {"kind": "hang", "array": "fa1", "count": -1, "ms": 120000})
    got = node.run("status", "--diagnose", "podded", "--node", "pve1")
    sim.ask("DELETE", "fault")
    text = " ".join(got.stdout.decode().split())
    ok("an array that is silent takes no other one's time", f"BAD array {sim.urls[0]}: no answer" in text and
       f"{sim.urls[1]} is fa2" in text and f"{sim.urls[1]}: host pve1" in text, text)
    got = node.run("status", "--diagnose", "pure", "--node", "pve9")
    ok("without a host object it says how to make it", "purehost create --iqnlist "
       "iqn.1993-08.org.debian:01:pve1 pve9" in " ".join(got.stdout.decode().split()), got)
    got = node.run("status", "--diagnose", "nosuch", "--node", "pve1")
    ok("a storage that is not there is said", got.returncode == 3 and b"nosuch" in got.stdout, got)
    got = node.run("status", "--diagnose", "pure", "--node", "pve1", "--format", "prometheus")
    ok("the diagnosis has no metrics", got.returncode == 64 and got.stdout == b"", got)
    got = node.run("status", "--diagnose", "pure", "--node", "pve1", "--format", "json")
    rows = json.loads(got.stdout)["checks"]
    ok("as a document each bad line has a remedy",
       all(r["remedy"] for r in rows if r["level"] == "bad"), rows)


def test_stream(folder):
    size = 5 * (1 << 20) + 4096
    content = bytearray(os.urandom(size))
    content[1 << 20:3 << 20] = bytes(2 << 20)
    src, dst = f"{folder}/src", f"{folder}/dst"
    with open(src, "wb") as f:
        f.write(content)
    got = subprocess.run([PROGRAM, "array", "export", src, str(size)], capture_output=True,
                         env=ENV, check=False)
    ok("export: the header, then the content",
       got.returncode == 0 and got.stdout == struct.pack("<Q", size) + content, got.returncode)
    stream = got.stdout

    def load(data, *args, room=size):
        with open(dst, "wb") as f:
            f.truncate(room)
        r = subprocess.run([PROGRAM, "array", "import", dst, *args], input=data, env=ENV,
                           capture_output=True, check=False)
        with open(dst, "rb") as f:
            return r, f.read()
    r, back = load(stream, "--sparse")
    ok("import brings it back", r.returncode == 0 and back == content and r.stdout == b"", r)
    ok("and leaves the zeros out", os.stat(dst).st_blocks * 512 < size - (1 << 20))
    r, back = load(stream)
    ok("without --sparse they are written", r.returncode == 0 and back == content and
       os.stat(dst).st_blocks * 512 >= size, r)
    r, back = load(stream[8:], "--size", str(size))
    ok("a header that was read already", r.returncode == 0 and back == content, r)
    for what, data, room in (("a short stream", stream[:-1], size),
                             ("a long one", stream + b"x", size), ("no header", b"abc", size),
                             ("a header of nonsense", b"\xff" * 16, size),
                             ("a volume too small", stream, size - 512)):
        r, _ = load(data, room=room)
        ok(f"{what} is refused", r.returncode == 2 and r.stderr, r)
    r = subprocess.run([PROGRAM, "array", "export", src, str(size + 1)], capture_output=True,
                       env=ENV, check=False)
    ok("more than there is: refused, and nothing on stdout",
       r.returncode == 2 and r.stdout == b"", r)


def main():
    sim = Simulator()
    node = Node(sim)
    try:
        ok("the service starts", node.start())
        test_document(node)
        test_requests(node)
        test_many(node)
        test_strangers(node)
        test_call(node)
        test_kills(node, sim)
        test_leftovers(node, sim)
        test_outage(node, sim)
        test_diagnose(node, sim)
        test_drain(node, sim)
        test_activation(node)
        test_workers(node)
        test_stream(node.root)
        node.stop()
    finally:
        if node.process and node.process.poll() is None:
            node.process.kill()
        sim.end()
        if failed:
            with open(f"{node.root}/log", encoding="utf-8", errors="replace") as f:
                print("# " + "# ".join(f.readlines()[-40:]))
        shutil.rmtree(node.root, ignore_errors=True)
    print(f"array: {passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    raise SystemExit(main())
