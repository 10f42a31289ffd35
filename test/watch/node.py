# SPDX-License-Identifier: AGPL-3.0-or-later
"""Nodes of the tests: each its own mount, network, host name and process namespaces, in which the
real paths of a Proxmox node are used. All that a node is ends with the process that made it.

	rig = Rig("name")
	node = rig.node("pve1")
	rig.guest(100, "pve1", ports=[8100])
	node.qm("start", "100")
	node.start_daemon()
"""
import ctypes
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from pmxcfs import Pmxcfs

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PVEWARDEN = os.environ.get("PVEWARDEN") or f"{TOP}/build-watch-test/pvewarden"
LIBC = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWUTS, NEWIPC, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x20000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
QUICK = {"check_interval": 1, "fail_interval": 1, "fail_threshold": 3, "wait_interval": 3,
         "boot_time": 3}


class Failed(Exception):
    """Something that a scenario expected did not come."""


def check(code):
    if code < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(source, target, kind=None, flags=0, data=None):
    os.makedirs(target, exist_ok=True)
    check(LIBC.mount(source.encode(), target.encode(), kind and kind.encode(), flags,
                     data and data.encode()))


def hide_own():
    """What a program of ours left on this machine is not this node's."""
    for path in ("/etc/pvewarden", "/var/lib/pvewarden"):
        mount("own", path, "tmpfs", data="mode=755")


def own_root(base, shared, host):
    """From here on this process has a host name, /etc, /usr, /var, /proc and /run of its own, which lie
    below @base; @shared is /run/rig."""
    check(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    check(LIBC.sethostname(host.encode(), len(host)))
    mount("rig", base, "tmpfs", data="mode=755")
    for name in ("etc", "usr", "var"):
        os.makedirs(f"{base}/{name}.up")
        os.makedirs(f"{base}/{name}.work")
        mount("overlay", f"/{name}", "overlay",
              data=f"lowerdir=/{name},upperdir={base}/{name}.up,workdir={base}/{name}.work")
    hide_own()
    mount("proc", "/proc", "proc")
    mount("rig", f"{base}/run", "tmpfs", data="mode=755")
    mount(shared, f"{base}/run/rig", flags=MS_BIND)
    mount(f"{base}/run", "/run", flags=MS_BIND | MS_REC)


def mount_pmxcfs(fuse):
    """/etc/pve, which whoever has the other side of @fuse answers for."""
    mount("/dev/fuse", "/etc/pve", "fuse",
          data=f"fd={fuse},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other")


def die_with_parent(parent):
    """Killed as soon as the process that made this one ends, however that comes."""
    LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def wait_for(what, condition, seconds=10, step=0.05):
    """The first true answer of condition(), or Failed."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(step)


# --- process 1 of a node ---------------------------------------------------------------------------

class Init:
    """Starts what it is told to, reaps all, never blocks. One JSON object a message each way."""

    def __init__(self, sock):
        self.sock, self.ended, self.ours = sock, {}, set()

    def run(self):
        wake, signals = socket.socketpair()
        wake.setblocking(False)
        signals.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(signals.fileno(), warn_on_full_buffer=False)
        import select
        while True:
            ready, _, _ = select.select([self.sock, wake], [], [])
            if wake in ready:
                wake.recv(4096)
                self.reap()
            if self.sock in ready:
                data = self.sock.recv(1 << 20)
                if not data:
                    os._exit(0)
                request = json.loads(data)
                try:
                    answer = getattr(self, "do_" + request.pop("do"))(**request)
                except OSError as e:
                    answer = {"error": str(e)}
                self.sock.send(json.dumps(answer).encode())

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.ours:
                self.ended[pid] = os.waitstatus_to_exitcode(status)

    def do_spawn(self, argv, out, err, env, program=None):
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
                os.dup2(os.open("/dev/null", os.O_RDWR), 0)
                os.dup2(os.open(out, flags, 0o644), 1)
                os.dup2(os.open(err, flags, 0o644), 2)
                os.closerange(3, 256)
                os.execvpe(program or argv[0], argv, env)
            except BaseException as e:
                os.write(2, f"{argv[0]}: {e}\n".encode())
            os._exit(127)
        self.ours.add(pid)
        return {"pid": pid}

    def do_poll(self, pid):
        self.reap()
        return {"code": self.ended.get(pid)}

    def do_kill(self, pid, how):
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            return {"gone": True}
        return {}


# --- a node ------------------------------------------------------------------------------------------

class Node:
    def __init__(self, rig, name):
        self.rig, self.name = rig, name
        self.log = f"{rig.scratch}/{name}.log"  # what the daemon writes to stderr
        self.daemon = None
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fuse = os.open("/dev/fuse", os.O_RDWR)
        self.files = self.serve_pmxcfs(fuse)
        read, write = os.pipe()
        parent = os.getpid()
        self.outer = os.fork()
        if self.outer == 0:
            self.between(parent, theirs, fuse, write)
        for fd in (fuse, write):
            os.close(fd)
        theirs.close()
        told = os.read(read, 16)
        os.close(read)
        self.init = int(told)  # process 1 of the node as it is known out here
        self.root = f"/proc/{self.init}/root"
        self.sock.settimeout(30)
        said = self.ask_raw()
        if "error" in said:
            raise Failed(f"node {name}: {said['error']}")

    def serve_pmxcfs(self, fuse):
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            die_with_parent(parent)
            try:
                Pmxcfs(fuse, self.rig.pve, self.name, self.rig.scratch, self.rig.members).serve()
            except KeyboardInterrupt:
                pass
            except BaseException:
                with open(f"{self.rig.scratch}/pmxcfs.err", "a", encoding="utf8") as file:
                    import traceback
                    traceback.print_exc(file=file)
            os._exit(0)
        return pid

    def between(self, parent, theirs, fuse, write):
        """Between the test and process 1, because a pid namespace begins with the next child."""
        die_with_parent(parent)
        try:
            check(LIBC.unshare(NEWNS | NEWUTS | NEWIPC | NEWPID | NEWNET))
        except OSError as e:
            theirs.send(json.dumps({"error": f"unshare: {e}"}).encode())
            os.write(write, b"0")
            os._exit(1)
        mine, pid = os.getpid(), os.fork()
        if pid == 0:
            # The parent is of another namespace: it looks like 0 from here.
            LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)
            try:
                self.set_up(fuse)
                theirs.send(b"{}")
                Init(theirs).run()
            except BaseException as e:
                theirs.send(json.dumps({"error": repr(e)}).encode())
            os._exit(1)
        del mine
        os.write(write, str(pid).encode())
        os.closerange(3, 256)
        os.waitpid(pid, 0)
        os._exit(0)

    def set_up(self, fuse):
        own_root(f"{self.rig.scratch}/{self.name}", self.rig.shared, self.name)
        for path in ("/run/rignode", "/run/lock/lxc", "/run/lock/qemu-server", "/run/qemu-server",
                     "/run/pvewarden/dm", "/run/pvewarden/watch", "/var/lib/pvewarden/dm",
                     "/var/lib/pvewarden/watch", "/var/log/pve/tasks", "/usr/share/perl5/PVE",
                     "/etc/pvewarden"):
            os.makedirs(path, exist_ok=True)
        mount_pmxcfs(fuse)
        os.close(fuse)
        for name in ("qm", "pct", "ha-manager"):
            shutil.copy(f"{HERE}/standin.py", f"/usr/sbin/{name}")
            os.chmod(f"/usr/sbin/{name}", 0o755)
        with open("/usr/share/perl5/PVE/pvecfg.pm", "w", encoding="utf8") as file:
            file.write("package PVE::pvecfg;\n\nsub version {\n    return '8.2.4';\n}\n\n"
                       "sub release {\n    return '8.2';\n}\n")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

    # --- processes -------------------------------------------------------------------------------

    def ask_raw(self):
        return json.loads(self.sock.recv(1 << 20))

    def ask(self, **request):
        self.sock.send(json.dumps(request).encode())
        answer = self.ask_raw()
        if "error" in answer:
            raise Failed(f"{self.name}: {request}: {answer['error']}")
        return answer

    def spawn(self, argv, out="/dev/null", err="/dev/null", env=None, program=None):
        """Starts it and returns its number as the node sees it."""
        env = env or {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                      "TZ": os.environ.get("TZ", "UTC")}
        return self.ask(do="spawn", argv=argv, out=out, err=err, env=env, program=program)["pid"]

    def code(self, pid):
        """Its exit status (negative: a signal), None while it runs."""
        return self.ask(do="poll", pid=pid)["code"]

    def kill(self, pid, how=signal.SIGTERM):
        return not self.ask(do="kill", pid=pid, how=int(how)).get("gone")

    def run(self, *argv, seconds=60):
        """(exit status, stdout, stderr)"""
        self.rig.serial += 1
        files = [f"{self.rig.scratch}/{self.name}.{self.rig.serial}.{end}" for end in ("o", "e")]
        pid = self.spawn(list(argv), *files)
        end = time.monotonic() + seconds
        while (code := self.code(pid)) is None:
            if time.monotonic() > end:
                raise Failed(f"{self.name}: {' '.join(argv)} takes longer than {seconds} s")
            time.sleep(0.01)
        texts = []
        for file in files:
            with open(file, encoding="utf8", errors="replace") as f:
                texts.append(f.read())
            os.unlink(file)
        return code, *texts

    def must(self, *argv, **options):
        code, out, err = self.run(*argv, **options)
        if code:
            raise Failed(f"{self.name}: {' '.join(argv)}: {code}: {err or out}")
        return out

    def qm(self, *args):
        return self.run("/usr/sbin/qm", *map(str, args))

    def pct(self, *args):
        return self.run("/usr/sbin/pct", *map(str, args))

    # --- files and guests --------------------------------------------------------------------------

    def path(self, path):
        """Out here what is @path in there; not through /var/run and /var/lock."""
        return self.root + path

    def read(self, path, default=None):
        try:
            with open(self.path(path), encoding="utf8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return default

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path) + ".tmp", "w", encoding="utf8") as file:
            file.write(text)
        os.rename(self.path(path) + ".tmp", self.path(path))

    def control(self, vmid, **request):
        """Tells what is inside of a guest; see guest.py."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.path(f"/run/rignode/{vmid}.ctl"))
            s.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(s.makefile().readline())

    def qmp_status(self, vmid):
        """query-status, asked as Proxmox asks."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(self.path(f"/run/qemu-server/{vmid}.qmp"))
            with s.makefile("rw") as file:
                file.readline()
                for name in ("qmp_capabilities", "query-status"):
                    file.write(json.dumps({"execute": name}) + "\n")
                    file.flush()
                    while "return" not in (answer := json.loads(file.readline())):
                        pass
        return answer["return"]["status"]

    def ports(self, vmid, mode):
        return self.control(vmid, ports=mode)

    def qemu_pid(self, vmid):
        """Of a QEMU that lives, else None."""
        text = (self.read(f"/run/qemu-server/{vmid}.pid") or "").strip()
        if not text.isdigit():
            return None
        stat = self.read(f"/proc/{text}/stat") if self.read(f"/proc/{text}/cmdline") else None
        return int(text) if stat and stat.rpartition(")")[2].split()[0] != "Z" else None

    def running(self, vmid):
        if self.rig.kinds.get(vmid) == "CT":
            try:
                self.control(vmid, query=1)
                return True
            except OSError:
                return False
        return self.qemu_pid(vmid) is not None

    def hold(self, vmid, seconds=600):
        """Somebody else holds the guest's flock; returns who, to be killed."""
        lock = f"/run/lock/lxc/pve-config-{vmid}.lock" if self.rig.kinds.get(vmid) == "CT" else \
            f"/run/lock/qemu-server/lock-{vmid}.conf"
        code = ("import fcntl,sys,time\nf=open(sys.argv[1],'a')\nfcntl.flock(f,fcntl.LOCK_EX)\n"
                "open(sys.argv[2],'w').close()\ntime.sleep(float(sys.argv[3]))")
        mark = f"/run/rignode/held.{vmid}"
        pid = self.spawn(["/usr/bin/python3", "-c", code, lock, mark, str(seconds)])
        wait_for("the lock is held", lambda: os.path.exists(self.path(mark)))
        os.unlink(self.path(mark))
        return pid

    def task(self, kind, ident, seconds=600):
        """A task of Proxmox' that runs; returns its process."""
        pid = self.spawn(["/usr/bin/sleep", str(seconds)])
        start = self.read(f"/proc/{pid}/stat").rpartition(")")[2].split()[19]
        upid = f"UPID:{self.name}:{pid:08X}:{int(start):08X}:{int(time.time()):08X}:{kind}:" \
               f"{ident}:root@pam:"
        old = self.read("/var/log/pve/tasks/active", "")
        self.write("/var/log/pve/tasks/active", f"{upid} 0\n{old}")
        return pid

    # --- the daemon --------------------------------------------------------------------------------

    def start_daemon(self, *args, wait=True):
        before = self.watch()
        self.daemon = self.spawn([PVEWARDEN, "watch", "run", *args], self.log, self.log)
        if wait:
            wait_for("watch.json is written", lambda: self.code(self.daemon) is not None or
                     self.watch() and self.watch()["pid"] != (before or {}).get("pid"), 15)
            if self.code(self.daemon) is not None:
                raise Failed(f"the daemon ended with {self.code(self.daemon)}: "
                             f"{self.text()[-2000:]}")
        return self.daemon

    def stop_daemon(self, how=signal.SIGTERM, seconds=10):
        """Its exit status."""
        self.kill(self.daemon, how)
        wait_for("the daemon ends", lambda: self.code(self.daemon) is not None, seconds)
        return self.code(self.daemon)

    def text(self):
        try:
            with open(self.log, encoding="utf8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def watch(self):
        """watch.json, None while there is none that is whole."""
        try:
            return json.loads(self.read("/run/pvewarden/watch/watch.json") or "")
        except ValueError:
            return None

    def seen(self, vmid):
        """What watch.json says of one guest, {} without."""
        doc = self.watch() or {}
        return next((g for g in doc.get("guests", []) if g["vmid"] == vmid), {})

    def state(self, vmid):
        return self.seen(vmid).get("state")

    def wait_state(self, vmid, *states, seconds=15):
        return wait_for(f"{self.name}: guest {vmid} is {' or '.join(states)} (last: "
                        f"{self.state(vmid)})", lambda: self.state(vmid) in states and
                        self.seen(vmid), seconds)

    def wait_log(self, pattern, seconds=15, after=0):
        import re
        return wait_for(f"{self.name}: a line like '{pattern}'",
                        lambda: re.search(pattern, self.text()[after:], re.M), seconds)

    def children(self, pid=None):
        """The processes that the daemon forked: {pid: name}, numbers of the node."""
        pid = pid or self.daemon
        found = {}
        for child in (self.read(f"/proc/{pid}/task/{pid}/children") or "").split():
            name = (self.read(f"/proc/{child}/cmdline") or "").replace("\0", " ").strip()
            found[int(child)] = name
        return found

    def prober(self, vmid):
        """The child that speaks with that guest, None without."""
        import re
        return next((p for p, n in self.children().items() if re.search(rf"\b{vmid}\b", n)), None)

    def quorum(self, yes):
        file = f"{self.rig.scratch}/{self.name}.noquorum"
        if yes and os.path.exists(file):
            os.unlink(file)
        elif not yes:
            open(file, "w", encoding="utf8").close()
        time.sleep(1.1)  # as long as the kernel keeps what it knew

    def end(self):
        """All of the node at once."""
        for pid in (self.outer, self.files):
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass


class Rig:
    """What the nodes of one scenario share."""

    def __init__(self, name, correlate=True):
        self.scratch = tempfile.mkdtemp(prefix=f"wrig-{name}-")
        self.pve, self.shared = f"{self.scratch}/pve", f"{self.scratch}/shared"
        for path in (self.pve, self.shared, f"{self.pve}/mvmm", f"{self.pve}/ha",
                     f"{self.pve}/priv", f"{self.pve}/pvewarden"):
            os.makedirs(path)
        self.nodes, self.kinds, self.serial, self.addresses = {}, {}, 0, []
        self.knobs = {"all": {"term_wait": 1, "qmp_timeout": 1, "kill_wait": 0.3, "lock_wait": 10,
                              "perl": 0.2}}
        self.save_knobs()
        for file in ("guest.py", "standin.py", "ha.py"):
            if os.path.exists(f"{HERE}/{file}"):
                shutil.copy(f"{HERE}/{file}", self.shared)
        self.pve_write("storage.cfg", "dir: local\n\tpath /var/lib/vz\n\tcontent iso,backup\n")
        self.pve_write("datacenter.cfg", "keyboard: de\n")
        if not correlate:
            self.settings(correlate=1000, correlate_percent=100)

    def members(self):
        """Asked by the file systems, which were forked before the last node was there."""
        try:
            with open(f"{self.scratch}/members", encoding="utf8") as file:
                return json.load(file)
        except FileNotFoundError:
            return []

    def cluster(self, **addresses):
        """Makes one cluster of the nodes: NAME=ADDRESS."""
        with open(f"{self.scratch}/members.tmp", "w", encoding="utf8") as file:
            json.dump(list(addresses.items()), file)
        os.rename(f"{self.scratch}/members.tmp", f"{self.scratch}/members")

    def node(self, name):
        for folder in ("qemu-server", "lxc", "priv"):
            os.makedirs(f"{self.pve}/nodes/{name}/{folder}", exist_ok=True)
        self.nodes[name] = Node(self, name)
        return self.nodes[name]

    def join(self, a, b, net="10.77.0", dev="rig0"):
        """A cable between two nodes: NET.1 and NET.2."""
        subprocess.run(["ip", "link", "add", "name", dev, "netns", str(a.init), "type", "veth",
                        "peer", "name", dev, "netns", str(b.init)], check=True)
        for i, node in enumerate((a, b), 1):
            node.must("ip", "addr", "add", f"{net}.{i}/24", "dev", dev)
            node.must("ip", "link", "set", dev, "up")

    def pve_write(self, path, text):
        """As another node would write it: through the database, not through the mount."""
        full = f"{self.pve}/{path}"
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full + ".tmp", "w", encoding="utf8") as file:
            file.write(text)
        os.rename(full + ".tmp", full)

    def pve_read(self, path):
        with open(f"{self.pve}/{path}", encoding="utf8") as file:
            return file.read()

    def save_knobs(self):
        with open(f"{self.shared}/knobs.tmp", "w", encoding="utf8") as file:
            json.dump(self.knobs, file)
        os.rename(f"{self.shared}/knobs.tmp", f"{self.shared}/knobs.json")

    def knob(self, vmid, **values):
        self.knobs.setdefault(str(vmid), {}).update(values)
        self.save_knobs()

    def guest(self, vmid, node, kind="VM", conf=None, **values):
        """A guest's config in Proxmox, and its knobs."""
        self.kinds[vmid] = kind
        lines = {"name": f"guest{vmid}", "memory": 512, "onboot": 1} if kind == "VM" else \
            {"hostname": f"guest{vmid}", "memory": 512, "onboot": 1, "ostype": "debian"}
        lines.update(conf or {})
        folder = "qemu-server" if kind == "VM" else "lxc"
        self.pve_write(f"nodes/{node}/{folder}/{vmid}.conf",
                       "".join(f"{k}: {v}\n" for k, v in lines.items() if v is not None))
        self.knob(vmid, **values)

    def conf(self, vmid, node):
        folder = "qemu-server" if self.kinds[vmid] == "VM" else "lxc"
        return f"nodes/{node}/{folder}/{vmid}.conf"

    def watch_conf(self, vmid, **keys):
        """/etc/pve/mvmm/VMID.conf; a list is several lines of one key."""
        lines = []
        for key, value in keys.items():
            for one in value if isinstance(value, list) else [value]:
                lines.append(f"{key} = {one}\n")
        self.pve_write(f"mvmm/{vmid}.conf", "".join(lines))

    def watch_all(self, **keys):
        """/etc/pve/mvmm/mvmm.conf with the quick times."""
        self.pve_write("mvmm/mvmm.conf",
                       "".join(f"{k} = {v}\n" for k, v in {**QUICK, **keys}.items()))

    def settings(self, **keys):
        """[watch] of pvewarden.conf, for all nodes."""
        self.pve_write("pvewarden/pvewarden.conf",
                       "[watch]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()))

    def calls(self, vmid=None):
        """What was called, in order: dicts of node, argv, time, ended, rc, said."""
        found = {}
        try:
            with open(f"{self.shared}/calls.jsonl", encoding="utf8") as file:
                for line in file:
                    doc = json.loads(line)
                    found.setdefault(doc["call"], {}).update(doc)
        except FileNotFoundError:
            pass
        calls = sorted((c for c in found.values() if "argv" in c), key=lambda c: c["time"])
        return [c for c in calls if vmid is None or
                any(str(vmid) == a or a.endswith(f":{vmid}") for a in c["argv"])]

    def verbs(self, vmid, since=0.0, ha=False):
        """Only what a guest was told to do: ["shutdown", "start"]; not by HA itself."""
        found = []
        for call in self.calls(vmid):
            if call["time"] < since or not ha and "--rig-as-ha" in call["argv"]:
                continue
            argv = call["argv"]
            verb = argv[1] if argv[0] != "ha-manager" else " ".join(argv[1:3]) \
                if argv[1] == "crm-command" else argv[1]
            if verb != "status":
                found.append(verb)
        return found

    def end(self, keep=False):
        for node in self.nodes.values():
            node.end()
        if keep:
            print(f"# kept: {self.scratch}", file=sys.stderr)
        else:
            shutil.rmtree(self.scratch, ignore_errors=True)
