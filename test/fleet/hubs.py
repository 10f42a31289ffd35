# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hubs under test, their database servers, and those who ask and send."""
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

from node import Failed, die_with_parent, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
HUB = os.environ.get("PVEWARDEN_HUB") or f"{TOP}/build/pvewarden-hub"
ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}
UNLIMITED = {"token_rate": "off", "org_rate": "off", "address_rate": "off", "read_rate": "off",
             "org_read_rate": "off", "connections_per_address": "0"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Hub:
    """One hub. Without @place it runs here and listens on loopback."""

    def __init__(self, rig, number, place=None, address="127.0.0.1", port=None, tls=None, db=None, state=None,
                 **keys):
        self.rig, self.number, self.place, self.tls, self.db = rig, number, place, tls, db
        self.address, self.port = address, port or free_port()
        self.state = state or rig.folder(f"hub{number}")
        self.log, self.config = f"{rig.scratch}/hub{number}.log", f"{rig.scratch}/hub{number}.conf"
        self.pid, self.process, self.tokens = None, None, {}
        keys = {"listen": f"{address}:{self.port}", "state_dir": self.state, **UNLIMITED, **keys}
        if tls:
            keys |= {"tls_cert": tls[0], "tls_key": tls[1]}
        if db:
            keys["db"] = db
        with open(self.config, "w", encoding="utf8") as file:
            file.write("[hub]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()))

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.address}:{self.port}"

    # --- the program ------------------------------------------------------------------------------

    def argv(self, *verb):
        return [HUB, "hub", *verb, "--config", self.config]

    def run(self, *verb, text=None, seconds=30):
        """(exit status, stdout, stderr) of another verb."""
        if self.place:
            return self.place.run(*self.argv(*verb), seconds=seconds)
        done = subprocess.run(self.argv(*verb), capture_output=True, text=True, input=text, timeout=seconds,
                              env=ENV, check=False)
        return done.returncode, done.stdout, done.stderr

    def must(self, *verb, text=None):
        code, out, err = self.run(*verb, text=text)
        if code:
            raise Failed(f"hub {' '.join(verb)}: {code}: {err or out}")
        return out

    def start(self, wait=True):
        if self.place:
            self.pid = self.place.spawn(self.argv("serve"), self.log, self.log)
        else:
            parent = os.getpid()
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(self.argv("serve"), stdin=subprocess.DEVNULL, stdout=log,
                                                stderr=log, env=ENV, preexec_fn=lambda: die_with_parent(parent))
            self.pid = self.process.pid
        if wait:
            self.ready()
        return self

    def ready(self, seconds=20):
        def is_ready():
            if self.code() is not None:
                raise Failed(f"hub {self.number} ended with {self.code()}: {self.text()[-2000:]}")
            return self.healthy()
        wait_for(f"hub {self.number} answers", is_ready, seconds)

    def healthy(self):
        try:
            return self.ask("GET", "/healthz", timeout=2)[0] == 200
        except OSError:
            return False

    def code(self):
        return self.place.code(self.pid) if self.place else self.process.poll()

    def kill(self, how=signal.SIGKILL, seconds=15):
        if self.place:
            self.place.kill(self.pid, how)
        else:
            self.process.send_signal(how)
        wait_for(f"hub {self.number} ends", lambda: self.code() is not None, seconds)
        return self.code()

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def text(self):
        try:
            with open(self.log, encoding="utf8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def memory(self):
        """Resident MiB."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

    # --- who may ------------------------------------------------------------------------------------

    def token(self, org="main", kind="agent"):
        """Made once for each."""
        if (org, kind) not in self.tokens:
            out = self.must("token", "add", "--org", org, *(["--kind", "read"] if kind == "read" else []))
            words = [w for w in out.split() if w.startswith("pvw1.")]
            if not words:
                raise Failed(f"no token in what hub token add says: {out}")
            self.tokens[org, kind] = words[0]
        return self.tokens[org, kind]

    # --- asking -------------------------------------------------------------------------------------

    def connect(self, timeout=10):
        """A connection; into a place through its own network namespace."""
        if self.place:
            return Inside(self.place, self.address, self.port, self.tls, timeout)
        return http.client.HTTPConnection(self.address, self.port, timeout=timeout)

    def ask(self, method, path, body=None, token=None, timeout=10, headers=None):
        """(status, headers, text)"""
        connection = self.connect(timeout)
        try:
            headers = dict(headers or {})
            if token:
                headers["Authorization"] = f"Bearer {token}"
            if body is not None:
                headers.setdefault("Content-Type", "application/json")
                body = body if isinstance(body, (bytes, str)) else json.dumps(body)
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode(errors="replace")
        except http.client.HTTPException as e:
            raise ConnectionError(repr(e)) from e
        finally:
            connection.close()

    def post(self, document, token=None):
        status, _, text = self.ask("POST", "/api/v1/documents", document, token or self.token())
        try:
            return status, json.loads(text)
        except ValueError:
            return status, {"text": text}

    def items(self, what, org="main", **filters):
        """All rows of a list, page by page."""
        rows, cursor = [], None
        while True:
            query = {**filters, "limit": 500, **({"cursor": cursor} if cursor else {})}
            status, _, text = self.ask("GET", f"/api/v1/{what}?{urllib.parse.urlencode(query)}",
                                       token=self.token(org, "read"))
            if status != 200:
                raise Failed(f"GET {what} {query}: {status}: {text[:500]}")
            page = json.loads(text)
            rows += page["items"]
            cursor = page.get("cursor") or page.get("next")
            if not cursor:
                return rows


def old_items(hub, what, org="main"):
    """All of GET /api/proxmox/WHAT, the old server's list."""
    status, _, text = hub.ask("GET", f"/api/proxmox/{what}?perPage=100", token=hub.token(org, "read"))
    if status != 200:
        raise Failed(f"GET /api/proxmox/{what}: {status}: {text[:300]}")
    return json.loads(text)["items"]


class Inside(http.client.HTTPConnection):
    """A connection from inside of a place."""

    def __init__(self, place, address, port, tls, timeout):
        super().__init__(address, port, timeout=timeout)
        self.place, self.tls = place, tls

    def connect(self):
        made = {}

        def enter():
            try:
                with open(f"/proc/{self.place.init}/ns/net", "rb") as ns:
                    os_setns(ns.fileno())
                    made["socket"] = socket.create_connection((self.host, self.port), self.timeout)
            except OSError as e:
                made["error"] = e
        # A thread of its own: it is the thread that changes its namespace.
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if "error" in made:
            raise made["error"]
        self.sock = made["socket"]
        if self.tls:
            self.sock = ssl.create_default_context(cafile=self.tls[2]).wrap_socket(
                self.sock, server_hostname=self.host)


def os_setns(fd):
    from node import LIBC, check
    check(LIBC.setns(fd, 0x40000000))


# --- what the hub must know ---------------------------------------------------------------------------

def differences(cluster, hub, org="main", status=True):
    """What the hub's API says otherwise than the model; an empty list when all is right."""
    found = []
    nodes = {n["name"]: n for n in hub.items("nodes", org, cluster=cluster.uuid)}
    for name, node in cluster.nodes.items():
        row = nodes.pop(name, None)
        if not row:
            found.append(f"node {name} is missing")
        elif row["online"] is not None and bool(row["online"]) != node.online:
            found.append(f"node {name}: online {row['online']}, expected {node.online}")
        elif node.online and row.get("version") != node.pveversion:
            found.append(f"node {name}: {row.get('version')}, expected {node.pveversion}")
    found += [f"node {n} should not be there" for n in nodes]
    rows = hub.items("guests", org, cluster=cluster.uuid)
    there = {}
    for row in rows:
        if row.get("closed_at"):
            continue
        if row["vmid"] in there:
            found.append(f"guest {row['vmid']} is there twice")
        there[row["vmid"]] = row
    for vmid, guest in cluster.guests.items():
        found += differs(guest, there.pop(vmid, None), cluster, status)
    found += [f"guest {v} should not be there" for v in there]
    return found


def differs(guest, row, cluster, status):
    if not row:
        return [f"guest {guest.vmid} is missing"]
    expected = {"node": guest.node, "type": guest.kind, "name": guest.name}
    if status and cluster.nodes[guest.node].online:
        expected["status"] = guest.status
    return [f"guest {guest.vmid}: {key} is {row.get(key)!r}, expected {value!r}"
            for key, value in expected.items() if row.get(key) != value]


# --- PostgreSQL ---------------------------------------------------------------------------------------

class Postgres:
    """A server of its own in a folder, on a socket only."""

    def __init__(self, folder):
        self.folder = folder
        base = "/usr/lib/postgresql"
        newest = max(os.listdir(base), key=int)
        self.bin = f"{base}/{newest}/bin"
        shutil.chown(folder, "postgres", "postgres")
        self.run("initdb", "-D", f"{folder}/data", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        parent = os.getpid()
        self.log = open(f"{folder}/log", "wb")
        self.process = subprocess.Popen(
            [*self.user(), f"{self.bin}/postgres", "-D", f"{folder}/data", "-k", folder, "-c",
             "listen_addresses=", "-c", "max_connections=60", "-c", "shared_buffers=64MB"],
            stdout=self.log, stderr=self.log, env=ENV, preexec_fn=lambda: die_with_parent(parent))
        wait_for("PostgreSQL answers", lambda: os.path.exists(f"{folder}/.s.PGSQL.5432") and
                 self.sql("SELECT 1", "postgres", check=False) == "1", 20)

    @staticmethod
    def user():
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]

    def run(self, program, *args):
        done = subprocess.run([*self.user(), f"{self.bin}/{program}", *args], capture_output=True, text=True,
                              env=ENV, check=False, cwd="/")
        if done.returncode:
            raise Failed(f"{program}: {done.stderr}")
        return done.stdout

    def sql(self, text, db="hub", check=True):
        done = subprocess.run([*self.user(), f"{self.bin}/psql", "-h", self.folder, "-d", db, "-AtX", "-c", text],
                              capture_output=True, text=True, env=ENV, check=False, cwd="/")
        if done.returncode and check:
            raise Failed(f"{text}: {done.stderr}")
        return done.stdout.strip()

    def database(self, name="hub"):
        self.sql(f"CREATE DATABASE {name}", "postgres")
        return f"postgresql://postgres@/{name}?host={urllib.parse.quote(self.folder, safe='')}"

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


# --- NannyAPI -----------------------------------------------------------------------------------------

class Nanny:
    """A NannyAPI server of its own, on loopback or in a place."""

    def __init__(self, rig, *options, place=None, listen="127.0.0.1:0"):
        self.folder = rig.folder(f"nanny{len(rig.ends)}")
        argv = ["/usr/bin/python3", f"{HERE}/nannyapi.py", "--listen", listen, "--dir", self.folder, *options]
        if place:
            log = f"{self.folder}/log"
            place.spawn(argv, log, log)
        else:
            process = subprocess.Popen(argv, stdout=sys.stderr)
            rig.ends.append(process.kill)
        wait_for("NannyAPI listens", lambda: os.path.exists(f"{self.folder}/port"), 10)
        with open(f"{self.folder}/port", encoding="ascii") as file:
            self.port = int(file.read())

    def call(self, path, body, token=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", path, json.dumps(body), {"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def approve(self, code):
        with open(f"{self.folder}/approve", "a", encoding="ascii") as file:
            file.write(code + "\n")

    def faults(self, faults):
        with open(f"{self.folder}/faults.tmp", "w", encoding="ascii") as file:
            json.dump(faults, file)
        os.rename(f"{self.folder}/faults.tmp", f"{self.folder}/faults.json")

    def requests(self):
        try:
            with open(f"{self.folder}/requests.jsonl", encoding="utf8") as file:
                return [json.loads(line) for line in file if line.endswith("\n")]
        except FileNotFoundError:
            return []


# --- senders ------------------------------------------------------------------------------------------

class Sender(threading.Thread):
    """Posts bodies in order, each until it is taken, to one hub of several; a connection that breaks or
    a 5xx or 429 means again, to the next one."""

    def __init__(self, hubs, bodies, token, on_answer=None):
        super().__init__(daemon=True)
        self.hubs, self.bodies, self.token, self.on_answer = hubs, bodies, token, on_answer
        self.acked, self.refused, self.tries, self.duplicates = [], [], 0, 0
        self.over = False

    def run(self):
        connection, which = None, 0
        for key, body in self.bodies:
            while not self.over:
                self.tries += 1
                hub = self.hubs[which % len(self.hubs)]
                try:
                    connection = connection or hub.connect(30)
                    connection.request("POST", "/api/v1/documents", body, {
                        "Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
                    answer = connection.getresponse()
                    text = answer.read()
                except (OSError, http.client.HTTPException):
                    if connection:
                        connection.close()
                    connection, which = None, which + 1
                    time.sleep(0.05)
                    continue
                if answer.will_close:
                    connection.close()
                    connection = None
                if answer.status in (408, 429) or answer.status >= 500:
                    time.sleep(min(float(answer.headers.get("Retry-After") or 0.05), 1))
                    which += answer.status >= 500
                    continue
                if answer.status == 200:
                    self.acked.append(key)
                    self.duplicates += json.loads(text).get("duplicate", False)
                else:
                    self.refused.append((key, answer.status, text[:300]))
                if self.on_answer:
                    self.on_answer(key, answer.status)
                break


def send_all(hubs, bodies_by_sender, token, seconds=60):
    """[Sender], all of which have ended."""
    senders = [Sender(hubs[i % len(hubs):] + hubs[:i % len(hubs)], bodies, token)
               for i, bodies in enumerate(bodies_by_sender)]
    for s in senders:
        s.start()
    end = time.monotonic() + seconds
    for s in senders:
        s.join(max(0.1, end - time.monotonic()))
        if s.is_alive():
            s.over = True
            raise Failed(f"not all was taken within {seconds} s: {len(s.acked)} of {len(s.bodies)}")
    return senders
