# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where the programs under test run: a hub's place, and a place for each node of a cluster.py, with
namespaces of their own, the node's tree behind a pmxcfs at /etc/pve, and cables that can be pulled.

	rig = Fleet("name")
	hub = rig.hub()                      # in its own place with TLS; rig.local_hub() on loopback
	node = rig.agent(cluster, "pve1")    # tree written, not started
	node.start_agent()
"""
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "watch"))

import node as watch_node  # noqa: E402
from node import Failed, mount_pmxcfs, own_root, wait_for  # noqa: E402
import pmxcfs  # noqa: E402
import tree  # noqa: E402
from hubs import HUB, Hub, Postgres, free_port  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PVEWARDEN = os.environ.get("PVEWARDEN") or f"{TOP}/build/pvewarden"
AGENT, WWW_DATA = 990, 33
WIRE = "10.99.0"


class TreeFs(pmxcfs.Pmxcfs):
    """pmxcfs over a tree that tree.py writes: the generated files are there already."""

    def quorate(self):
        return not os.path.exists(os.path.join(self.steer, self.node + ".noquorum"))

    def generated(self, path):
        try:
            with open(os.path.join(self.shared, path), encoding="utf8") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def opendir(self, node, data):
        answer = super().opendir(node, data)
        rows = self.open[self.next_fh - 1]
        seen = {}
        for name, mode in rows:
            if not name.endswith("~"):
                seen[name] = stat.S_IFLNK if name in pmxcfs.LINKS else mode
        self.open[self.next_fh - 1] = list(seen.items())
        return answer


pmxcfs.GENERATED = tree.GENERATED


class Place(watch_node.Node):
    """A place with its own network; with @pve a folder that is shown at /etc/pve."""

    def __init__(self, rig, name, host=None, pve=None, root=None):
        self.pve, self.host, self.tree_root = pve, host or name, root
        super().__init__(rig, name)

    def serve_pmxcfs(self, fuse):
        if not self.pve:
            return None
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            watch_node.die_with_parent(parent)
            try:
                TreeFs(fuse, self.pve, self.host, os.path.dirname(self.pve), list).serve()
            except BaseException:
                import traceback
                with open(f"{self.rig.scratch}/pmxcfs.err", "a", encoding="utf8") as file:
                    traceback.print_exc(file=file)
            os._exit(0)
        return pid

    def set_up(self, fuse):
        own_root(f"{self.rig.scratch}/{self.name}", self.rig.shared, self.host)
        if self.pve:
            self.set_up_node(fuse)
        os.close(fuse)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

    def set_up_node(self, fuse):
        with open("/etc/passwd", "a", encoding="ascii") as file:
            file.write(f"pvewarden-agent:x:{AGENT}:{WWW_DATA}::/nonexistent:/usr/sbin/nologin\n")
        for path in ("/usr/share/perl5/PVE", "/run/pvewarden"):
            os.makedirs(path, exist_ok=True)
        for path in ("/var/lib/pvewarden/agent", "/run/pvewarden/agent"):
            os.makedirs(path, exist_ok=True)
            os.chown(path, AGENT, WWW_DATA)
        mount_pmxcfs(fuse)

    def end(self):
        for pid in filter(None, (self.outer, self.files)):
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass


class AgentPlace(Place):
    """A node of a model with its agent."""

    def __init__(self, rig, cluster, name, key):
        self.cluster, self.folder = cluster, f"{rig.scratch}/tree-{key}"
        self.tree = tree.Tree(cluster, name, self.folder)
        self.tree.write()
        self.agent, self.number = None, None
        super().__init__(rig, key, host=name, pve=f"{self.folder}/etc/pve")
        self.copy_system()

    def refresh(self):
        """What the node sees now."""
        self.tree.write()
        self.quorum(self.cluster.view(self.host).quorate, wait=False)
        self.copy_system()

    def copy_system(self):
        """What is outside of /etc/pve and does not change the machine that the tests run on."""
        for path, text in self.tree.there.items():
            if path.startswith(("usr/", "run/pvewarden/")) and self.read("/" + path) != text:
                self.write("/" + path, text)

    def quorum(self, yes, wait=True):
        file = f"{self.folder}/etc/{self.host}.noquorum"
        if yes and os.path.exists(file):
            os.unlink(file)
        elif not yes:
            open(file, "w", encoding="utf8").close()
        if wait:
            time.sleep(1.1)

    def hang(self, yes):
        file = f"{self.folder}/etc/{self.host}.hang"
        if yes:
            open(file, "w", encoding="utf8").close()
        elif os.path.exists(file):
            os.unlink(file)

    def plug(self, yes=True):
        """The cable to the hub."""
        self.rig.wire.must("ip", "link", "set", f"v{self.number}", "up" if yes else "down")

    def configure(self, token=None, **keys):
        text = "[agent]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())
        self.write("/etc/pvewarden/pvewarden.conf", text)
        if token:
            self.write("/etc/pvewarden/hub-token", token + "\n")
            os.chmod(self.path("/etc/pvewarden/hub-token"), 0o640)
            os.chown(self.path("/etc/pvewarden/hub-token"), 0, WWW_DATA)

    def as_agent(self, *args):
        return ["/usr/bin/setpriv", f"--reuid={AGENT}", f"--regid={WWW_DATA}", "--clear-groups", "--no-new-privs",
                PVEWARDEN, "agent", *args]

    def start_agent(self, *args):
        self.agent = self.spawn(self.as_agent("run", *args), self.log, self.log)
        return self.agent

    def stop_agent(self, how=signal.SIGTERM, seconds=15):
        self.kill(self.agent, how)
        wait_for("the agent ends", lambda: self.code(self.agent) is not None, seconds)
        return self.code(self.agent)

    def alive(self):
        return self.agent is not None and self.code(self.agent) is None

    def status(self):
        """What `agent status` says, as JSON."""
        _, out, _ = self.run(PVEWARDEN, "agent", "status", "--format", "json")
        try:
            return json.loads(out)
        except ValueError:
            return {}

    def once(self):
        code, out, err = self.run(PVEWARDEN, "agent", "once", "--format", "json")
        if not out.strip():
            raise Failed(f"agent once: {code}: {err}")
        return json.loads(out)


class Fleet:
    """What the places of one scenario share, and what ends with it."""

    def __init__(self, name):
        self.scratch = tempfile.mkdtemp(prefix=f"fleet-{name}-")
        os.chmod(self.scratch, 0o755)
        self.shared = f"{self.scratch}/shared"
        os.makedirs(self.shared)
        self.pve, self.serial = None, 0
        self.nodes, self.hubs, self.ends = {}, [], []
        self.wire, self.numbers = None, 1
        self.beat = None

    def members(self):
        return []

    def folder(self, name):
        path = f"{self.scratch}/{name}"
        os.makedirs(path, exist_ok=True)
        return path

    # --- hubs -------------------------------------------------------------------------------------

    def certificate(self, *names):
        """A CA and a certificate for these addresses in the shared folder; its paths."""
        base = f"{self.shared}/tls"
        os.makedirs(base, exist_ok=True)
        sans = ",".join(f"IP:{n}" for n in names)
        run = lambda *argv: subprocess.run(argv, check=True, capture_output=True)  # noqa: E731
        ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        run("openssl", "req", "-x509", *ec, "-days", "30", "-keyout", f"{base}/ca.key", "-out", f"{base}/ca.pem",
            "-subj", "/CN=fleet CA")
        run("openssl", "req", *ec, "-keyout", f"{base}/hub.key", "-out", f"{base}/hub.csr", "-subj", "/CN=hub")
        with open(f"{base}/ext", "w", encoding="ascii") as file:
            file.write(f"subjectAltName={sans}\n")
        run("openssl", "x509", "-req", "-in", f"{base}/hub.csr", "-CA", f"{base}/ca.pem", "-CAkey",
            f"{base}/ca.key", "-CAcreateserial", "-days", "30", "-extfile", f"{base}/ext", "-out", f"{base}/hub.pem")
        return f"{base}/hub.pem", f"{base}/hub.key", f"{base}/ca.pem"

    def local_hub(self, start=True, **options):
        """On loopback, without TLS."""
        hub = Hub(self, len(self.hubs) + 1, **options)
        self.hubs.append(hub)
        if start:
            hub.start()
        return hub

    def wired_hub(self, **options):
        """In a place of its own with TLS, at WIRE.1; agents have a cable to it."""
        self.wire = self.place("wire")
        for argv in (("link", "add", "br0", "type", "bridge"), ("addr", "add", f"{WIRE}.1/24", "dev", "br0"),
                     ("link", "set", "br0", "up")):
            self.wire.must("ip", *argv)
        cert, key, self.ca = self.certificate(f"{WIRE}.1", "127.0.0.1")
        hub = Hub(self, 1, place=self.wire, address=f"{WIRE}.1", port=8443, tls=(cert, key, self.ca), **options)
        self.hubs.append(hub)
        hub.start()
        return hub

    def postgres(self):
        server = Postgres(self.folder("pg"))
        self.ends.append(server.stop)
        return server

    def place(self, name):
        self.nodes[name] = Place(self, name)
        return self.nodes[name]

    @staticmethod
    def join(a, b, net, dev="rig0"):
        """A cable between two places: NET.1 and NET.2."""
        subprocess.run(["ip", "link", "add", "name", dev, "netns", str(a.init), "type", "veth", "peer", "name", dev,
                        "netns", str(b.init)], check=True)
        for i, place in enumerate((a, b), 1):
            place.must("ip", "addr", "add", f"{net}.{i}/24", "dev", dev)
            place.must("ip", "link", "set", dev, "up")

    # --- agents -----------------------------------------------------------------------------------

    def agent(self, cluster, name, wired=True):
        self.numbers += 1
        place = AgentPlace(self, cluster, name, f"{cluster.name or 'alone'}-{self.numbers}-{name}")
        self.nodes[place.name], place.number = place, self.numbers
        if wired:
            n = self.numbers
            subprocess.run(["ip", "link", "add", "name", f"v{n}", "netns", str(self.wire.init), "type", "veth",
                            "peer", "name", "eth0", "netns", str(place.init)], check=True)
            self.wire.must("ip", "link", "set", f"v{n}", "master", "br0", "up")
            place.must("ip", "addr", "add", f"{WIRE}.{n}/24", "dev", "eth0")
            place.must("ip", "link", "set", "eth0", "up")
        return place

    def heart(self, *clusters, step=1.0):
        """From now on the clusters' time passes, and their trees follow."""
        self.beat = Heart(self, clusters, step)

    def places(self, cluster):
        return [p for p in self.nodes.values() if getattr(p, "cluster", None) is cluster]

    def end(self, keep=False):
        if self.beat:
            self.beat.stop()
        for hub in self.hubs:
            hub.end()
        for end in self.ends:
            end()
        for place in self.nodes.values():
            place.end()
        if keep:
            print(f"# kept: {self.scratch}", file=sys.stderr)
        else:
            shutil.rmtree(self.scratch, ignore_errors=True)


class Heart(threading.Thread):
    """Time: the trees of all places are written anew every step. with rig.beat: holds it still."""

    def __init__(self, rig, clusters, step):
        super().__init__(daemon=True)
        self.rig, self.clusters, self.step = rig, clusters, step
        self.lock, self.over, self.failed = threading.RLock(), threading.Event(), None
        self.start()

    def __enter__(self):
        self.lock.acquire()
        for cluster in self.clusters:
            cluster.tick(time.time())

    def __exit__(self, *_):
        self.write()
        self.lock.release()

    def write(self):
        for place in list(self.rig.nodes.values()):
            if getattr(place, "cluster", None) in self.clusters and place.cluster.nodes[place.host].online:
                place.refresh()

    def run(self):
        while not self.over.wait(self.step):
            try:
                with self:
                    pass
            except BaseException as e:
                self.failed = e
                return

    def stop(self):
        self.over.set()
        self.join(5)


def said(rig):
    """What helps to understand a failure."""
    texts = []
    for hub in rig.hubs:
        texts.append(f"--- hub {hub.number} ---\n{hub.text()[-3000:]}")
    for place in rig.nodes.values():
        if isinstance(place, AgentPlace):
            texts.append(f"--- {place.name} ---\n{place.text()[-1500:]}")
    if rig.beat and rig.beat.failed:
        texts.append(f"the rig's own clock: {rig.beat.failed!r}")
    return "\n".join(texts)


__all__ = ["AGENT", "AgentPlace", "Failed", "Fleet", "HUB", "PVEWARDEN", "free_port", "said", "wait_for"]
