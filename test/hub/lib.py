# SPDX-License-Identifier: AGPL-3.0-or-later
"""A hub of one's own: the real program on a free port of loopback, with a database that goes again."""
import base64
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

PROGRAM = os.environ.get("PVEWARDEN_HUB", "build/pvewarden-hub")
KINDS = {"agent": 0, "access": 1, "refresh": 2, "read": 3, "session": 4}
_number = 0
_failed = 0


def check(what, good, seen=""):
    """One line of the protocol; a failure says what was seen instead."""
    global _number, _failed
    _number += 1
    print(f"{'ok' if good else 'not ok'} {_number} - hub: {what}", flush=True)
    if not good:
        _failed += 1
        print(f"# seen: {str(seen)[:600]}", flush=True)
    return good


def done():
    print(f"{_number - _failed} passed, {_failed} failed")
    sys.exit(1 if _failed or not _number else 0)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:300]!r}"


class Hub:
    def __init__(self, *options, config="", tls=None, postgres=None):
        self.dir = tempfile.mkdtemp(prefix="test-hub-")
        self.config = os.path.join(self.dir, "pvewarden.conf")
        self.write_config(config)
        self.options, self.tls, self.postgres = options, tls, postgres
        self.port, self.process = 0, None
        self.start()

    def write_config(self, text):
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("[hub]\n" + text)

    def start(self):
        self.log = open(os.path.join(self.dir, "log"), "a+", encoding="utf-8")
        self.log.seek(0, 2)
        at = self.log.tell()
        env = {k: v for k, v in os.environ.items() if k not in ("JOURNAL_STREAM", "NOTIFY_SOCKET")}
        if self.postgres:
            env["PVEWARDEN_DB"] = self.postgres
        self.process = subprocess.Popen(
            [PROGRAM, "hub", "serve", "--config", self.config, "--state-dir", self.dir, "--listen",
             f"127.0.0.1:{self.port}", *self.options], stderr=self.log, stdin=subprocess.DEVNULL, env=env)
        until = time.monotonic() + 20
        while time.monotonic() < until and self.process.poll() is None:
            found = re.search(r"serving https?://127[.]0[.]0[.]1:(\d+)", self.said(at))
            if found:
                self.port = int(found[1])
                return
            time.sleep(0.02)
        raise RuntimeError("the hub does not start: " + self.said(at))

    def said(self, at=0):
        with open(self.log.name, encoding="utf-8", errors="replace") as f:
            f.seek(at)
            return f.read()

    def stop(self, sig=signal.SIGTERM):
        """Its exit status and how long it took."""
        begun = time.monotonic()
        self.process.send_signal(sig)
        return self.process.wait(30), time.monotonic() - begun

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- who may speak ---

    def db(self):
        return sqlite3.connect(os.path.join(self.dir, "hub.db"), timeout=10)

    def execute(self, statements):
        """Statements of ours, without anything from outside, in either database."""
        if self.postgres:
            subprocess.run(["psql", "-q", "-d", self.postgres], input=statements, text=True, check=True)
        else:
            with self.db() as db:
                db.executescript(statements)

    def org(self, name):
        org = hashlib.md5(name.encode()).hexdigest()
        self.execute(f"INSERT INTO orgs VALUES ('{org}', '{name}') ON CONFLICT DO NOTHING;")
        return org

    def tokens(self, org, kind="agent", n=1):
        """As `hub token add` makes them, many at once."""
        texts, rows = [], []
        for _ in range(n):
            text = f"pvw1.{org}.{base64.urlsafe_b64encode(os.urandom(32)).rstrip(b'=').decode()}"
            name = os.urandom(16).hex()
            texts.append(text)
            agent = "" if kind == "read" else "agent-" + name
            rows.append(f"('{org}', '{hashlib.sha256(text.encode()).hexdigest()}', '{name}', {KINDS[kind]}, "
                        f"'{agent}', '', 'test', {int(time.time())}, 0, 0, 0)")
        self.execute(f"INSERT INTO tokens (org, hash, id, kind, agent, person, label, created_at, expires_at, "
                     f"revoked_at, used_at) VALUES {', '.join(rows)};")
        return texts if n > 1 else texts[0]

    def token_id(self, text):
        """As `hub token list` has it."""
        with self.db() as db:
            return db.execute("SELECT id FROM tokens WHERE hash = ?",
                              (hashlib.sha256(text.encode()).hexdigest(),)).fetchone()[0]

    def command(self, verb, *arguments, stdin=""):
        """Another process of the same program on the same database."""
        env = dict(os.environ, **({"PVEWARDEN_DB": self.postgres} if self.postgres else {}))
        return subprocess.run([PROGRAM, "hub", verb, *arguments, "--config", self.config, "--state-dir", self.dir],
                              capture_output=True, text=True, input=stdin, env=env, timeout=60, check=False)

    # --- asking ---

    def connect(self, timeout=20):
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method, path, token=None, body=None, headers=None, connection=None):
        conn = connection or self.connect()
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = "Bearer " + token
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        conn.request(method, path, body, headers)
        answer = conn.getresponse()
        out = Answer(answer.status, answer.headers, answer.read())
        if not connection:
            conn.close()
        return out

    def get(self, path, token=None, **more):
        return self.ask("GET", path, token, **more)

    def post(self, path, token=None, body=None, **more):
        return self.ask("POST", path, token, body, **more)

    def socket(self, data=b"", timeout=40):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        s.sendall(data)
        return s

    def status(self, key):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(rf"^{key}:\s+(\d+)", f.read(), re.M)[1])


def read_answer(s):
    """All that comes until the other side closes or falls silent."""
    data = b""
    try:
        while part := s.recv(65536):
            data += part
            head, _, body = data.partition(b"\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", head)
            if length and len(body) >= int(length[1]):
                break
    except ConnectionResetError:
        pass
    return data


def rfc3339(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def document(node="pve1", cluster="c1", sequence=1, at=None, guests=2, first=100, instance=None):
    """One cycle of one node, as docs/wire.md has it."""
    now = rfc3339(at or time.time())
    vmids = range(first, first + guests)
    return {
        "schema": "pvewarden.node/1",
        "cluster": {"uuid": f"uuid-{cluster}", "name": cluster, "config_version": 3, "clustered": True},
        "node": node, "instance": instance or hashlib.md5(node.encode()).hexdigest(), "sequence": sequence,
        "collected_at": now, "interval": 60, "quorate": True, "complete": True, "reporter": True, "blind": [],
        "pmxcfs": {"state": "ok", "ms": 4},
        "nodes": [{"name": node, "id": 1, "ip": "10.0.1.10", "online": True}],
        "vmids": [[v, "qemu", node] for v in vmids],
        "host": {"uptime": 1000, "boot_time": rfc3339(time.time() - 1000), "loadavg": [0.4, 0.3, 0.2],
                 "cpu": 0.1, "iowait": 0.01, "kversion": "6.8", "pveversion": "pve-manager/8.2.4/faa83925c9641325",
                 "memory": {"total": 64 << 30, "used": 20 << 30, "available": 40 << 30},
                 "swap": {"total": 0, "used": 0},
                 "rootfs": {"total": 90 << 30, "used": 9 << 30, "avail": 81 << 30}, "netin": 1, "netout": 2,
                 "sampled_at": now},
        "guests": [{"vmid": v, "type": "qemu", "node": node, "name": f"vm{v}", "status": "running",
                    "uptime": 5000, "template": False, "lock": None, "tags": "a;b", "cpus": 4, "cpu": 0.25,
                    "maxmem": 8 << 30, "mem": 3 << 30, "maxdisk": 32 << 30, "disk": 0, "netin": 123456,
                    "netout": 654321, "diskread": 1000, "diskwrite": 2000, "sampled_at": now, "backup": True,
                    "snapshots": 1, "pending": False, "identity": f"1677654321/{v}", "digest": f"d{v}"}
                   for v in vmids],
        "configs": [], "storages": [{"name": "local", "type": "dir", "shared": False, "enabled": True,
                                     "content": "iso", "active": True, "total": 100 << 30, "used": 10 << 30,
                                     "sampled_at": now}],
        "parts": {}}
