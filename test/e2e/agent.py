#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The agent and what lies between it and its servers: a real HTTPS server of our own that refuses,
delays, lies and goes away; crashes at any moment; a disk that is full; an /etc/pve that hangs."""
import contextlib
import glob
import grp
import http.server
import io
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import traceback

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
PROGRAM = os.environ.get("PVEWARDEN", f"{TREE}/build-gcc/pvewarden")
EXAMPLE = os.environ.get("EXAMPLE", f"{TREE}/test/fixtures/example")
KILLS = int(os.environ.get("AGENT_KILLS", "30"))
STATE = "var/lib/pvewarden/agent"
passed = failed = 0


def ok(what, truth, *show):
    global passed, failed
    passed, failed = passed + bool(truth), failed + (not truth)
    print(f"{'ok' if truth else 'not ok'} - agent: {what}" + ("" if truth else f": {show}"),
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


def certificates(folder):
    """A CA, a server's certificate of it, and one that has ended."""
    def run(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test ca",
        "-keyout", "ca.key", "-out", "ca.pem")
    write(folder, "ext", "subjectAltName=IP:127.0.0.1\n")
    write(folder, "index.txt", "")
    write(folder, "serial", "01\n")
    write(folder, "ca.cnf", "[ca]\ndefault_ca=d\n[d]\ndir=.\ndatabase=index.txt\nserial=serial\n"
          "new_certs_dir=.\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
        "/CN=Proxmox Virtual Environment/OU=0d8a54ab-1111-4222-8333-1234567890ab/O=PVE Cluster "
        "Manager CA", "-keyout", "pve.key", "-out", "pve-root-ca.pem")
    run("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", "key.pem",
        "-out", "csr.pem")
    for name, begin, end in (("good", "20200101000000Z", "20400101000000Z"),
                             ("ended", "20200101000000Z", "20210101000000Z")):
        run("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in",
            "csr.pem", "-out", f"{name}.pem", "-extfile", "ext", "-startdate", begin, "-enddate",
            end, "-notext")
        write(folder, "index.txt", "")


class Server:
    """What it answers is decided by self.answer(path, body, bearer); it keeps all that came."""

    def __init__(self, folder, certificate="good", port=0):
        self.folder, self.port, self.seen, self.lock = folder, port, [], threading.Lock()
        self.answer, self.http = None, None
        self.connections, self.open = 0, []
        self.begin(certificate)

    def begin(self, certificate="good"):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                outer.connections += 1
                outer.open.append(self.connection)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
                try:
                    parsed = json.loads(body)
                except ValueError:
                    parsed = None
                with outer.lock:
                    status, answer, headers = outer.answer(self.path, parsed, bearer)
                    outer.seen.append((time.time(), self.path, parsed, bearer, status,
                                       dict(self.headers)))
                if status == 0:
                    self.close_connection = True
                    return
                data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
                self.send_response(status)
                headers.setdefault("Content-Type", "text/html" if isinstance(answer, str)
                                   else "application/json")
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        class Https(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args):
                pass

        self.http = Https(("127.0.0.1", self.port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{self.folder}/{certificate}.pem", f"{self.folder}/key.pem")
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True,
                                               do_handshake_on_connect=False)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def end(self):
        self.http.shutdown()
        self.http.server_close()
        for connection in self.open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open.clear()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def of(self, path):
        with self.lock:
            return [s for s in self.seen if s[1] == path]


class Hub:
    """Documents by (instance, sequence), tokens that end, and whatever fails."""

    def __init__(self):
        self.documents, self.duplicates, self.order = {}, 0, []
        self.valid, self.refresh_token, self.made, self.renewable = {"t1"}, "r1", 1, True
        self.lifetime, self.refresh_lifetime = 3600, 30 * 86400
        self.fail = None  # what to answer instead: a function of (path, body)

    def tokens(self, both):
        self.made += 1
        self.valid = {f"t{self.made}"}
        answer = {"access_token": f"t{self.made}", "expires_in": self.lifetime,
                  "agent_id": "agent0000000001",
                  "refresh_token_expires_in": self.refresh_lifetime}
        if both:
            self.refresh_token = f"r{self.made}"
            self.refresh_lifetime = 30 * 86400
            answer.update(refresh_token=self.refresh_token,
                          refresh_token_expires_in=self.refresh_lifetime)
        return 200, answer, {}

    def agent(self, body):
        action = body.get("action")
        if action == "refresh":
            if body["refresh_token"] != self.refresh_token:
                return 401, {"error": "invalid refresh token"}, {}
            return self.tokens(False)
        if action == "renew-refresh-token" and self.renewable:
            return self.tokens(True)
        return 400, {"error": "unknown action"}, {}

    def __call__(self, path, body, bearer):
        failure = self.fail(path, body) if self.fail else None
        if failure:
            return failure
        if path == "/api/agent":
            return self.agent(body)
        if bearer not in self.valid:
            return 401, {"success": False, "error": "unauthorized",
                         "error_description": "not authorized"}, {}
        if path == "/api/v1/documents":
            key = body["instance"], body["sequence"]
            self.duplicates += key in self.documents
            self.documents.setdefault(key, body)
            self.order.append(body["sequence"])
            return 200, {"success": True, "message": "Data ingested successfully", "id": "1",
                         "duplicate": False, "reporter": "pve1", "unheard": []}, {}
        return 200, {"success": True, "message": "ingested", "id": "1"}, {}


class Agent:
    all = []

    def __init__(self, work, server, conf="", hub=True, nanny=False, interval=1):
        self.root = tempfile.mkdtemp(dir=work)
        shutil.copytree(EXAMPLE, self.root, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(f"{self.root}/{STATE}", ignore_errors=True)
        shutil.copy(f"{server.folder}/pve-root-ca.pem", f"{self.root}/etc/pve/")
        Agent.all.append(self)
        text = f"[agent]\ninterval = {interval}\nproxmox_interval = 5\n{conf}"
        if hub:
            text += f"hub_url = {server.url}\nhub_ca = {server.folder}/ca.pem\n"
        if nanny:
            text += f"nannyapi_url = {server.url}\nnannyapi_ca = {server.folder}/ca.pem\n"
        write(self.root, "etc/pvewarden/pvewarden.conf", text)
        self.program = PROGRAM
        self.process, self.log = None, open(f"{self.root}/log", "w+", encoding="utf-8")

    def token(self, name="hub", **more):
        token = {"access_token": "t1", "refresh_token": "r1", "token_type": "Bearer",
                 "expires_at": "2039-01-01T00:00:00Z", "got_at": now(), "given_up": False,
                 **more}
        write(self.root, f"{STATE}/{name}-token.json", json.dumps(token), 0o600)

    def read_token(self, name="hub"):
        with open(f"{self.root}/{STATE}/{name}-token.json", encoding="utf-8") as f:
            return json.load(f)

    def begin(self, **more):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("JOURNAL")}
        self.process = subprocess.Popen([self.program, "agent", "run", "--root", self.root],
                                        stderr=self.log, env=environment, **more)
        return self

    def end(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait(timeout=20)
        status, self.process = self.process.returncode, None
        return status

    def said(self, pattern):
        with open(f"{self.root}/log", encoding="utf-8") as f:
            return re.search(pattern, f.read())

    def times_said(self, pattern):
        with open(f"{self.root}/log", encoding="utf-8") as f:
            return len(re.findall(pattern, f.read()))

    def spool(self):
        return sorted(glob.glob(f"{self.root}/{STATE}/spool/*-*.json"))

    def status(self, *args):
        p = subprocess.run([PROGRAM, "agent", "status", "--root", self.root, *args],
                           capture_output=True, text=True, timeout=30)
        return p.returncode, p.stdout


def now(shift=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + shift))


def setting(work, certs, **more):
    server = Server(certs)
    hub = server.answer = Hub()
    return server, hub, Agent(work, server, **more)


def plain(work, certs):
    server, hub, agent = setting(work, certs, nanny=True)
    agent.token()
    agent.token("nanny")
    agent.begin()
    ok("documents arrive", until(lambda: len(hub.documents) >= 3))
    ok("NannyAPI's objects arrive", until(lambda: server.of("/api/proxmox/qemu")))
    order = [s[1].rsplit("/", 1)[1] for s in server.seen if s[1].startswith("/api/proxmox/")]
    first = [k for i, k in enumerate(order) if i == 0 or order[i - 1] != k][:4]
    ok("in the order node, cluster, lxc, qemu", first == ["node", "cluster", "lxc", "qemu"], order)
    ok("with the token", {s[3] for s in server.seen} == {"t1"})
    ok("as JSON", all(s[5]["Content-Type"] == "application/json" for s in server.seen))
    ok("over one connection for each server", server.connections <= 2, server.connections)
    ok("in order", hub.order == sorted(hub.order))
    ok("the log says what it found", agent.said("Proxmox VE detected, starting collector") and
       agent.said("Node is part of cluster: |Node is not part of a cluster"))
    until(lambda: agent.status()[0] == 0, 5)
    status, text = agent.status()
    ok("status is good", status == 0 and text.startswith("OK - "), text)
    document = json.loads(agent.status("--format", "json")[1])
    ok("status as a document", document["schema"] == "pvewarden.agent/1" and
       document["reporter"] == "pve1" and document["servers"][0]["delivered"] >= 1, document)
    ok("status as metrics", "pvewarden_agent_answer 0" in
       agent.status("--format", "prometheus")[1])
    kilobytes = 0
    pids = [agent.process.pid] + [int(p) for p in subprocess.run(
        ["pgrep", "-P", str(agent.process.pid)], capture_output=True, text=True).stdout.split()]
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as f:
            kilobytes += int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M)[1])
    print(f"# memory of {len(pids)} processes: {kilobytes} KiB (Pss)")
    ok("all of it in 16 MiB", kilobytes <= 16 * 1024, kilobytes)
    second = subprocess.run([PROGRAM, "agent", "run", "--root", agent.root], capture_output=True,
                            text=True, timeout=10)
    ok("a second one does not begin", second.returncode == 2 and "another agent" in second.stderr,
       second)
    ok("SIGTERM ends it", agent.end() == 0)
    ok("status then: not known", agent.status()[0] == 3)
    server.end()


def tokens(work, certs):
    server, hub, agent = setting(work, certs)
    hub.valid = {"t9"}
    agent.token()
    agent.begin()
    ok("401: refreshed, and sent again", until(lambda: len(hub.documents) >= 2))
    ok("with one refresh", len(server.of("/api/agent")) == 1, server.of("/api/agent"))
    ok("the new token is on disk, the refresh token is the old one",
       until(lambda: agent.read_token()["access_token"] == "t2", 3) and
       agent.read_token()["refresh_token"] == "r1", agent.read_token())
    mode = os.stat(f"{agent.root}/{STATE}/hub-token.json").st_mode & 0o777
    ok("for nobody else to read", mode == 0o600, oct(mode))
    agent.end()

    hub.refresh_lifetime = 3 * 86400
    agent.token(access_token="t2", expires_at=now(60))
    agent.begin()
    ok("a token that ends soon is refreshed, and a short refresh token renewed",
       until(lambda: agent.read_token()["refresh_token"] not in ("r1", "")), agent.read_token())
    actions = [s[2]["action"] for s in server.of("/api/agent")][1:]
    ok("in this order", actions[:2] == ["refresh", "renew-refresh-token"], actions)
    agent.end()

    hub.renewable, hub.refresh_lifetime = False, 86400
    agent.token(access_token=sorted(hub.valid)[0], refresh_token=hub.refresh_token,
                refresh_expires_at=now(86400))
    count = len(hub.documents)
    agent.begin()
    ok("a server without renewal is no harm", until(lambda: len(hub.documents) > count + 1) and
       agent.said("does not renew") and agent.read_token()["refresh_token"] == hub.refresh_token)
    agent.end()
    server.end()


def trust(work, certs):
    """Authorities as a folder of hashed names; the system's do not count beside what is given."""
    server, hub, agent = setting(work, certs)
    full, empty = tempfile.mkdtemp(dir=work), tempfile.mkdtemp(dir=work)
    shutil.copy(f"{server.folder}/ca.pem", full)
    subprocess.run(["openssl", "rehash", full], check=True, capture_output=True)

    def trusting(folder):
        write(agent.root, "etc/pvewarden/pvewarden.conf",
              f"[agent]\ninterval = 1\nhub_url = {server.url}\nhub_ca = {folder}\n")
        agent.token()
        agent.begin()
    trusting(full)
    ok("a folder of authorities is trusted", until(lambda: hub.documents, 20), open(f"{agent.root}/log").read())
    agent.end()
    hub.documents.clear()
    trusting(empty)
    ok("an empty one trusts nobody", until(lambda: agent.said("certificate|SSL|verif"), 20) and not hub.documents)
    agent.end()
    server.end()


def traps(work, certs):
    """What made the old agent throw its token away."""
    server, hub, agent = setting(work, certs)
    hub.valid = set()
    answers = [(404, "404 page not found: token invalid", {}), (200, {"success": True, "message": "hello"}, {}),
               (403, "<html>token expired</html>", {}),
               (401, "<html>token not found</html>", {}),
               (403, {"error": "your token is invalid or expired"}, {}),
               (502, "token expired", {}), (200, "<html>log in to this network</html>", {}), (0, "", {})]
    asked = []

    def lie(path, _):
        if path != "/api/agent":
            return None
        asked.append(1)
        return answers[(len(asked) - 1) % len(answers)]
    hub.fail = lie
    agent.token()
    agent.begin()
    ok("lies about the token are asked again", until(lambda: len(asked) >= 3, 30), len(asked))
    agent.end()
    ok("nobody is sent to register for them", not agent.said("re-registration") and
       agent.said("the token cannot be refreshed: 404, and the answer is not the server's own"))
    ok("an answer without a token is named", agent.said("the token cannot be refreshed: 200, without a token"))
    ok("and cost nothing", agent.read_token()["refresh_token"] == "r1" and
       not agent.read_token()["given_up"])
    server.end()
    server.begin("ended")
    hub.fail = None
    agent.begin()
    ok("a certificate that has ended: named", until(
        lambda: agent.said("certificate|SSL|verif"), 20))
    agent.end()
    ok("and costs nothing", agent.read_token()["refresh_token"] == "r1" and
       not agent.read_token()["given_up"])
    ok("and no token went there", all(s[3] != "t1" or s[4] == 401 for s in server.seen))
    server.end()
    server.begin()
    agent.begin()
    ok("all is well afterwards", until(lambda: len(hub.documents) >= 2, 30))
    agent.end()
    hub.valid, hub.refresh_token = set(), "another"
    agent.begin()
    ok("a refresh token that the server refuses is kept as well", until(
        lambda: [s for s in server.of("/api/agent") if s[4] == 401], 20) and
       agent.read_token()["refresh_token"] == "r1")
    agent.end()
    server.end()


def refusals(work, certs):
    server, hub, agent = setting(work, certs, nanny=True)
    said = []

    def often(path, body):
        if path == "/api/v1/documents" and len(said) == 0:
            said.append(time.time())
            return 429, {"error": "too many"}, {"Retry-After": "3"}
        if path == "/api/v1/documents" and len(said) == 1:
            said.append(time.time())
            return 413, "<html>Request Entity Too Large</html>", {}
        if path.endswith("/cluster"):
            return 400, {"error": "Failed", "message": "quorate: cannot be blank"}, {}
        return None
    hub.fail = often
    agent.token()
    agent.token("nanny")
    agent.begin()
    ok("429: comes back", until(lambda: len(said) >= 2))
    ok("not before Retry-After", said[1] - said[0] >= 2.9, said)
    ok("413 is put aside, the rest goes on", until(lambda: len(hub.documents) >= 3))
    aside = glob.glob(f"{agent.root}/{STATE}/spool/parked/*.why")
    ok("with the reason", len(aside) == 1 and "413" in open(aside[0], encoding="utf-8").read())
    ok("an object that NannyAPI refuses does not hold up the others",
       until(lambda: len(server.of("/api/proxmox/qemu")) > 0 and
             len(server.of("/api/proxmox/cluster")) >= 2, 25))
    ok("and is named once", agent.times_said("NannyAPI refuses") == 1)
    until(lambda: all(x in agent.status()[1] for x in ("cannot be blank", "413")), 5)
    status, text = agent.status()
    ok("status shows both", status == 1 and "413" in text and "cannot be blank" in text, text)
    agent.end()
    server.end()


def clocks(work, certs):
    """A hub that began with a wrong clock says of the truth that it lies ahead."""
    server, hub, agent = setting(work, certs)
    late = [True]

    def ahead(path, body):
        if path == "/api/v1/documents" and (late[0] or body["collected_at"] > now(2 * 86400)):
            return 422, {"success": False, "error": "invalid_document", "path": "$.collected_at",
                         "error_description": "more than a day ahead of this clock"}, {}
        return None
    hub.fail = ahead
    agent.token()
    agent.begin()
    ok("a hub whose clock is behind costs no document", until(lambda: len(agent.spool()) >= 4) and
       not glob.glob(f"{agent.root}/{STATE}/spool/parked/*"), agent.spool())
    ok("and is named", agent.said("ahead of this clock, and this node's clock says otherwise"))
    agent.end()
    last = agent.spool()[-1]
    with open(last, encoding="utf-8") as f:
        text = f.read()
    said = json.loads(text)["collected_at"]
    with open(last, "w", encoding="utf-8") as f:
        f.write(text.replace(said, now(3 * 86400)))
    late[0] = False
    agent.begin()
    ok("when it is right all of them arrive", until(lambda: not agent.spool() and len(hub.documents) >= 5, 60))
    aside = glob.glob(f"{agent.root}/{STATE}/spool/parked/*.json")
    ok("what really lies ahead is put aside", len(aside) == 1 and
       json.loads(open(aside[0], encoding="utf-8").read())["collected_at"] > now(2 * 86400), aside)
    agent.end()
    server.end()


def newest_only(work, certs):
    server, hub, agent = setting(work, certs, hub=False, nanny=True)
    away = [True]

    def fail(path, body):
        return (503, {"error": "away"}, {"Retry-After": "1"}) if away[0] else None
    hub.fail = fail
    agent.token("nanny")
    agent.begin()
    until(lambda: len(server.seen) >= 1)
    path = f"{agent.root}/etc/pve/nodes/pve1/qemu-server/100.conf"
    with open(path, encoding="utf-8") as f:
        text = f.read()
    write(agent.root, "etc/pve/nodes/pve1/qemu-server/100.conf.new",
          text.replace("name: web01", "name: newest"))
    os.rename(f"{path}.new", path)
    time.sleep(11)
    away[0] = False

    def taken(kind):
        return [s[2] for s in server.of(f"/api/proxmox/{kind}") if s[4] == 200]
    # After eleven seconds of refusals the next attempt may be a minute away.
    ok("NannyAPI comes back", until(lambda: taken("qemu"), 150))
    first = [b for b in taken("qemu") if b["vmid"] == 100][:1]
    ok("with the newest state alone", len(taken("node")) <= 2 and first and
       first[0]["name"] == "newest", first)
    agent.end()
    server.end()


def outage(work, certs):
    server, hub, agent = setting(work, certs)
    agent.token()
    agent.begin()
    until(lambda: len(hub.documents) >= 2)
    server.end()
    ok("an outage fills the spool", until(lambda: len(agent.spool()) >= 5))
    server.begin()
    ok("and is made up for", until(lambda: not agent.spool() and len(hub.documents) >= 7, 60))
    agent.end()
    numbers = sorted(n for _, n in hub.documents)
    ok("nothing is lost", numbers == list(range(numbers[0], numbers[0] + len(numbers))), numbers)
    ok("in order", hub.order == sorted(hub.order), hub.order)
    server.end()


def killed(work, certs):
    server, hub, agent = setting(work, certs)
    agent.token()
    kept, rng = set(), random.Random(5)

    def shaky(path, _):
        return (503, {"error": "busy"}, {}) if rng.random() < 0.3 else None
    hub.fail = shaky
    for i in range(KILLS):
        agent.begin()
        time.sleep(rng.uniform(0.2, 2.2))
        agent.end(signal.SIGKILL)
        kept |= {int(os.path.basename(f).split("-")[0]) for f in agent.spool()}
        if i % 10 == 4 and agent.spool():
            cut = agent.spool()[-1]
            kept.discard(int(os.path.basename(cut).split("-")[0]))
            with open(cut, "r+b") as f:
                f.truncate(rng.randrange(0, os.path.getsize(cut)))
    hub.fail = None
    agent.begin()
    ok(f"killed {KILLS} times: the spool empties", until(lambda: not agent.spool() and
                                                         len(hub.documents) > 2, 60))
    agent.end()
    taken = {n for _, n in hub.documents}
    ok("every document that was kept has arrived", kept <= taken, sorted(kept - taken))
    ok("under one instance", len({i for i, _ in hub.documents}) == 1)
    bodies = {json.dumps(d, sort_keys=True) for d in hub.documents.values()}
    ok("no number was used twice", len(bodies) == len(hub.documents))
    server.end()


def full_disk(work, certs):
    server, hub, agent = setting(work, certs)
    agent.token()

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, resource.RLIM_INFINITY))
    write(agent.root, f"{STATE}/instance", "0123456789abcdef0123456789abcdef")
    os.chmod(f"{agent.root}/log", 0o644)
    # The log goes through a pipe: it too would be too large.
    agent.process = subprocess.Popen([PROGRAM, "agent", "run", "--root", agent.root],
                                     stderr=subprocess.PIPE, text=True, preexec_fn=limit)
    lines = []
    threading.Thread(target=lambda: lines.extend(agent.process.stderr), daemon=True).start()
    ok("a disk that takes nothing: the newest document is sent all the same",
       until(lambda: len(hub.documents) >= 3))
    ok("it is said once", sum("could not be kept" in line for line in lines) == 1, lines)
    resource.prlimit(agent.process.pid, resource.RLIMIT_FSIZE,
                     (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    ok("and when it is over", until(lambda: any("kept on disk again" in x for x in lines)))
    count = len(hub.documents)
    ok("then all goes on", until(lambda: len(hub.documents) >= count + 2))
    ok("no number twice", hub.duplicates == 0, hub.duplicates)
    agent.end()
    server.end()


def hanging(work, certs):
    server, hub, agent = setting(work, certs)
    agent.token()
    agent.begin()
    until(lambda: len(hub.documents) >= 2)
    for pid in subprocess.run(["pgrep", "-P", str(agent.process.pid)], capture_output=True,
                              text=True).stdout.split():
        with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
            if f.read().strip() == "agent-collector":
                os.kill(int(pid), signal.SIGSTOP)  # as a reader that waits for pmxcfs
    ok("an /etc/pve that hangs is told to the hub", until(
        lambda: any(d["pmxcfs"]["state"] == "hung" for d in hub.documents.values()), 25))
    ok("and to people", agent.said("pmxcfs hangs") and agent.said("does not answer"))
    count = len(hub.documents)
    ok("and another reader goes on", until(
        lambda: len(hub.documents) >= count + 2 and
        list(hub.documents.values())[-1]["pmxcfs"]["state"] != "hung", 25))
    agent.end()
    server.end()


def from_a_backup(work, certs):
    """A state directory of yesterday: its numbers were all used since."""
    server, hub, agent = setting(work, certs)
    agent.token()
    agent.begin()
    until(lambda: len(hub.documents) >= 2)
    agent.end()
    kept = shutil.copytree(f"{agent.root}/{STATE}", f"{agent.root}/kept")
    agent.begin()
    until(lambda: len(hub.documents) >= 5)
    agent.end()
    shutil.rmtree(f"{agent.root}/{STATE}")
    shutil.copytree(kept, f"{agent.root}/{STATE}")
    count, early = len(hub.documents), time.time() - 60

    def reply(path, body):
        known = path == "/api/v1/documents" and (body["instance"], body["sequence"]) in hub.documents
        return (200, {"success": True, "id": "1", "duplicate": True}, {}) if known else None
    hub.fail = reply
    agent.begin()
    ok("numbers that went back are noticed", until(lambda: len(hub.documents) >= count + 3, 10) and
       agent.said("from a backup"))
    ok("and go on from the clock", hub.order[-1] > early, hub.order[-4:])
    ok("with all configs again", any(d["configs"] for (_, n), d in hub.documents.items()
                                     if n > early))
    agent.end()
    server.end()


def reload(work, certs):
    server, hub, agent = setting(work, certs)
    agent.token()
    agent.begin()
    until(lambda: len(hub.documents) >= 1)
    conf = "etc/pvewarden/pvewarden.conf"
    with open(f"{agent.root}/{conf}", encoding="utf-8") as f:
        text = f.read()
    write(agent.root, conf, text.replace(server.url, "ftp://nowhere"))
    agent.process.send_signal(signal.SIGHUP)
    ok("a mistake in the configuration is named", until(
        lambda: agent.said(r"pvewarden\.conf:\d+: .*https") and agent.said("stays as it was")))
    count = len(hub.documents)
    ok("and the old one stays", until(lambda: len(hub.documents) >= count + 2))
    write(agent.root, conf, text.replace("interval = 1\n", "interval = 7\n", 1))
    agent.process.send_signal(signal.SIGHUP)
    ok("a good one is taken", until(lambda: list(hub.documents.values())[-1]["interval"] == 7))
    agent.end()
    server.end()


def proxmox_later(work, certs):
    server, hub, agent = setting(work, certs)
    agent.token()
    os.rename(f"{agent.root}/etc/pve", f"{agent.root}/pve")
    agent.begin()
    ok("an /etc/pve that is not mounted makes no cluster of its own", until(
        lambda: agent.said("which cluster this is cannot be read")) and not hub.documents)
    agent.end()
    os.rename(f"{agent.root}/usr/share/perl5/PVE/pvecfg.pm", f"{agent.root}/pvecfg.pm")
    agent.begin()
    ok("without Proxmox the agent waits", until(
        lambda: agent.said("Proxmox VE not detected, skipping Proxmox collector")))
    until(lambda: agent.status()[1].startswith("UNKNOWN"), 5)
    ok("status says so", agent.status()[0] == 3 and "not installed" in agent.status()[1],
       agent.status())
    ok("and sends nothing", not hub.documents)
    os.rename(f"{agent.root}/pve", f"{agent.root}/etc/pve")
    ok("it is looked for in each cycle", until(lambda: len(hub.documents) >= 1))
    ok("each is said once", agent.times_said("not detected") == 1 and
       agent.times_said("detected, starting") == 1)
    agent.end()
    server.end()


def conf_later(work, certs):
    """All that it should know stands in /etc/pve, which comes after it: pmxcfs did not begin, or hung."""
    server, hub, agent = setting(work, certs)
    agent.token()
    with open(f"{agent.root}/etc/pvewarden/pvewarden.conf", encoding="utf-8") as f:
        write(agent.root, "etc/pve/pvewarden/pvewarden.conf", f.read())
    os.remove(f"{agent.root}/etc/pvewarden/pvewarden.conf")
    os.rename(f"{agent.root}/etc/pve", f"{agent.root}/etc/later")
    os.mkdir(f"{agent.root}/etc/pve")
    agent.begin()
    ok("without /etc/pve it knows no server", until(lambda: agent.said("no server is set")))
    time.sleep(1)
    os.rmdir(f"{agent.root}/etc/pve")
    os.rename(f"{agent.root}/etc/later", f"{agent.root}/etc/pve")
    ok("when /etc/pve is there it finds it by itself", until(lambda: len(hub.documents) >= 2, 25),
       open(f"{agent.root}/log").read())
    ok("and says so once", agent.times_said("no server is set") == 1 and
       agent.times_said("it was not there before") == 1)
    agent.end()
    server.end()


def state_gone(work, certs):
    server, hub, agent = setting(work, certs)
    agent.token()
    agent.begin()
    until(lambda: len(hub.documents) >= 1)
    while os.path.exists(f"{agent.root}/{STATE}"):  # the agent writes meanwhile
        shutil.rmtree(f"{agent.root}/{STATE}", ignore_errors=True)
    ok("a state directory that vanishes is said", until(lambda: agent.said("could not be kept")))
    count = len(hub.documents)
    ok("and the newest document is sent all the same", until(
        lambda: len(hub.documents) >= count + 3))
    ok("no number twice", hub.duplicates == 0, hub.duplicates)
    agent.end()
    server.end()


def as_itself(root):
    """The agent's user: nobody else's, in the group that pmxcfs lets read."""
    group = grp.getgrnam("www-data").gr_gid
    for base, folders, files in os.walk(f"{root}/etc/pve"):
        for path in [base] + [os.path.join(base, f) for f in files]:
            if not os.path.islink(path):
                os.chown(path, 0, group)
                os.chmod(path, 0o750 if path == base else 0o640)
    for path in ("var/lib/pvewarden", "run/pvewarden"):
        os.makedirs(f"{root}/{path}/agent", exist_ok=True)
        for base, _, files in os.walk(f"{root}/{path}"):
            for name in [base] + [os.path.join(base, f) for f in files]:
                os.chown(name, 65534, group)
    return {"user": 65534, "group": group, "extra_groups": []}


def unprivileged(work, certs):
    if os.geteuid() != 0:
        print("# unprivileged: needs root to begin as somebody else")
        return
    server, hub, agent = setting(work, certs)
    os.chmod(work, 0o711)
    # The tree may lie where others may not look.
    agent.program = shutil.copy(PROGRAM, f"{agent.root}/pvewarden")
    os.chmod(agent.root, 0o755)
    me = as_itself(agent.root)
    p = subprocess.run([PROGRAM, "agent", "register", "--root", agent.root, "--token-file", "-"],
                       input="t1\n", capture_output=True, text=True, timeout=30)
    kept = os.stat(f"{agent.root}/{STATE}/hub-token.json")
    ok("root registers for the agent's user", p.returncode == 0 and
       (kept.st_uid, kept.st_mode & 0o777) == (me["user"], 0o600), p, kept)
    agent.begin(**me)
    ok("as its own user: documents arrive", until(lambda: len(hub.documents) >= 2))
    first = next(iter(hub.documents.values()), {"configs": [], "blind": ["nothing came"]})
    ok("it reads all that it has to", first["blind"] == [] and len(first["configs"]) > 10 and
       len(first["storages"]) > 1 and first["complete"], first["blind"])
    until(lambda: agent.status()[0] == 0, 5)
    reader = {"user": 65533, "group": me["group"], "extra_groups": []}
    p = subprocess.run([agent.program, "agent", "status", "--root", agent.root], capture_output=True,
                       text=True, timeout=30, **reader)
    ok("group www-data may ask how it is", p.returncode == 0, p)
    reader["group"] = 65533
    p = subprocess.run([agent.program, "agent", "status", "--root", agent.root], capture_output=True,
                       text=True, timeout=30, **reader)
    ok("others are told who may", p.returncode == 3 and "group www-data" in p.stdout, p)
    agent.end()
    for verb in ("status", "once"):
        p = subprocess.run([agent.program, "agent", verb], capture_output=True, text=True, timeout=30,
                           **me)
        ok(f"{verb} of this machine needs no root", p.returncode == 3 and
           "root" not in p.stdout + p.stderr, p)
    server.end()


def registration(work, certs):
    server, hub, agent = setting(work, certs)
    asked = []

    def device(path, body):
        if path != "/api/agent" or body["action"] not in ("device-auth-start", "register"):
            return None
        if body["action"] == "device-auth-start":
            return 200, {"device_code": "d" * 40, "user_code": "ABCD2345", "expires_in": 600,
                         "interval": 1, "verification_uri": f"{server.url}/agent/authorize?"
                         "user_code=ABCD2345"}, {}
        asked.append(body)
        if len(asked) < 3:
            return 400, {"error": "device not authorized yet"}, {}
        return 200, {"access_token": "t1", "refresh_token": "r1", "expires_in": 3600,
                     "agent_id": "a1"}, {}
    hub.fail = device
    p = subprocess.run([PROGRAM, "agent", "register", "--root", agent.root], capture_output=True,
                       text=True, timeout=30)
    ok("a device is registered", p.returncode == 0 and "ABCD2345" in p.stdout and
       "/agent/authorize" in p.stdout, p)
    ok("the token is not shown", "t1" not in p.stdout + p.stderr and "r1" not in p.stdout, p)
    ok("with what the server wants to know", asked and {"device_code", "hostname", "os_type",
       "platform_family", "version", "primary_ip", "kernel_version", "all_ips"} <= set(asked[0]))
    agent.begin()
    ok("and the agent uses it", until(lambda: len(hub.documents) >= 1))
    agent.end()
    p = subprocess.run([PROGRAM, "agent", "register", "--root", agent.root, "--token-file", "-"],
                       input="pvw1.x.y\n", capture_output=True, text=True, timeout=30)
    ok("a ready token from stdin", p.returncode == 0 and agent.read_token()["ready"] and
       agent.read_token()["access_token"] == "pvw1.x.y", p)
    p = subprocess.run([PROGRAM, "agent", "register", "--root", agent.root, "--hub-url",
                        "http://192.0.2.1"], capture_output=True, text=True, timeout=30)
    ok("no token over http to another machine", "expected https" in p.stderr, p)
    server.end()


def ready_token(work, certs):
    """A token's file that the configuration names: a pipe that nobody writes, then a good one."""
    server, hub, agent = setting(work, certs, conf=f"hub_token_file = {work}/ready\n")
    os.mkfifo(f"{work}/ready")
    agent.begin()
    ok("a token's file that is a pipe is named, and waited for by nobody", until(
        lambda: agent.said("ready: ") and agent.said("there is no token"), 15))
    os.unlink(f"{work}/ready")
    write(work, "ready", "t1\n", 0o600)
    agent.process.send_signal(signal.SIGHUP)
    ok("and is read again", until(lambda: len(hub.documents) >= 1))
    agent.end()
    server.end()


def old_agent(work, certs):
    server, hub, agent = setting(work, certs, hub=False, nanny=True)
    write(agent.root, "etc/nannyagent/config.yaml",
          "nannyapi_url: http://127.0.0.1:1 # overridden\nproxmox_interval: 5\nmetrics: 3\n"
          "http_transport:\n  max_idle_conns: 10\n  max_idle: 1\n")
    write(agent.root, "var/lib/nannyagent/token.json", json.dumps(
        {"access_token": "t1", "refresh_token": "r1", "token_type": "Bearer",
         "expires_at": "2039-11-21T15:04:05.123456789+01:00", "agent_id": "abc"}), 0o600)
    agent.begin()
    ok("the old agent's token is taken over", until(lambda: server.of("/api/proxmox/node")) and
       agent.read_token("nanny")["refresh_token"] == "r1")
    ok("its unknown keys are named", agent.said(r"config\.yaml:3: unknown key 'metrics'") and
       agent.said(r"config\.yaml:6: unknown key 'http_transport\.max_idle'"))
    agent.end()
    server.end()


def nul_in_notes(work, certs):
    """Who may write a guest's notes must not end what is told of its whole node."""
    server, hub, agent = setting(work, certs)
    with open(f"{agent.root}/etc/pve/nodes/pve1/qemu-server/100.conf", "a", encoding="utf-8") as f:
        f.write("description: before%00after\n")
    p = subprocess.run([PROGRAM, "agent", "once", "--root", agent.root, "--format", "json"],
                       capture_output=True, text=True, timeout=30)
    texts = [c["config"].get("description", "") for c in json.loads(p.stdout)["configs"] if c["vmid"] == 100]
    ok("no document has a NUL in it", "\\u0000" not in p.stdout and len(texts) == 1 and
       texts[0].endswith("before\ufffdafter"), texts)
    server.end()


def once(work, certs):
    p = subprocess.run([PROGRAM, "agent", "once", "--root", EXAMPLE, "--format", "json"],
                       capture_output=True, text=True, timeout=30)
    document = json.loads(p.stdout) if p.returncode == 0 else {}
    ok("once prints the document", document.get("schema") == "pvewarden.node/1", p)
    p = subprocess.run([PROGRAM, "agent", "once", "--root", EXAMPLE], capture_output=True,
                       text=True, timeout=30)
    ok("and a table", p.returncode == 0 and "collected in" in p.stdout, p)
    p = subprocess.run([PROGRAM, "agent", "once", "--root", work], capture_output=True, text=True,
                       timeout=30)
    ok("not on a machine without Proxmox", p.returncode == 3 and "not detected" in p.stdout, p)


def on_disk_first(work, certs):
    """In the order of its system calls: no kill shows what a power cut would."""
    if not shutil.which("strace"):
        print("# on_disk_first: no strace")
        return
    server, hub, agent = setting(work, certs)
    agent.token()
    hub.valid = set()  # so that a token is written as well
    trace = f"{agent.root}/trace"
    p = subprocess.Popen(["strace", "-D", "-f", "-qq", "-y", "-e", "signal=none", "-e", "trace=fsync,renameat,sendto", "-o",
                          trace, PROGRAM, "agent", "run", "--root", agent.root], stderr=agent.log)
    until(lambda: len(hub.documents) >= 2)
    p.terminate()
    p.wait(timeout=20)
    with open(trace, encoding="utf-8", errors="replace") as f:
        lines = f.read().splitlines()
    synced, whole, sent, early = set(), set(), [], []
    for line in lines:
        if m := re.search(r" fsync\(\d+<([^>]*)>\) += 0", line):
            synced.add(os.path.realpath(m[1]))
            whole |= {path for path in sent if os.path.dirname(path) == os.path.realpath(m[1])}
        elif m := re.search(r' renameat\(\d+<([^>]*)>, "([^"]*)", \d+<[^>]*>, "([^"]*)"\)', line):
            folder = os.path.realpath(m[1])
            if f"{folder}/{m[2]}" not in synced:
                early.append(line)
            synced.discard(f"{folder}/{m[2]}")
            sent.append(f"{folder}/{m[3]}")
        elif "/api/v1/documents" in line and not [w for w in whole if "/spool/" in w]:
            early.append(line)
    ok("each file is synced before it has its name, its folder afterwards, and then it is sent", not early and
       len([w for w in whole if re.search(r"/spool/\d+-\d+\.json$", w)]) >= 2 and
       any(w.endswith("/hub-token.json") for w in whole), early, sorted(whole))
    server.end()


def in_the_way(work, certs):
    server, _, agent = setting(work, certs)
    write(agent.root, f"{STATE}/spool", "not a folder")
    p = subprocess.run(["timeout", "10", PROGRAM, "agent", "run", "--root", agent.root], capture_output=True,
                       text=True, timeout=30)
    ok("what is in the way is named with its path", p.returncode == 2 and f"/{STATE}/spool: Not a directory" in p.stderr,
       p)
    server.end()


def wrong_options(work, certs):
    server, _, agent = setting(work, certs)
    for option in ("--interval=0", "--proxmox-interval=4", "--hub-url=http://hub.example.com", "--api-url=nowhere"):
        p = subprocess.run(["timeout", "10", PROGRAM, "agent", "run", "--root", agent.root, option],
                           capture_output=True, text=True, timeout=30)
        ok(f"run {option} is wrong usage and begins nothing", p.returncode == 64 and
           f"{option.split('=')[0]}: expected" in p.stderr and "started" not in p.stderr and
           not os.path.exists(f"{agent.root}/{STATE}"), p)
    for option in ("--hub-url=http://hub.example.com", "--api-url=nowhere"):
        p = subprocess.run([PROGRAM, "agent", "register", "--root", agent.root, "--token-file=-", option],
                           input="t1\n", capture_output=True, text=True, timeout=30)
        ok(f"register {option} takes no token for another server", p.returncode == 64 and
           f"{option.split('=')[0]}: expected" in p.stderr and not os.path.exists(f"{agent.root}/{STATE}"), p)
    server.end()


def unit(work, certs):
    del work, certs
    if not shutil.which("systemd-analyze"):
        print("# unit: no systemd-analyze")
        return
    p = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=30",
                        f"{TREE}/units/pvewarden-agent.service"], capture_output=True, text=True,
                       timeout=30)
    ok("the unit is exposed to at most 3.0", p.returncode == 0, p.stdout[-200:], p.stderr)


ALONE = (plain,)  # memory that is shared with another agent would not count
BESIDE = (killed, newest_only, tokens, trust, traps, refusals, clocks, outage, full_disk, hanging, from_a_backup,
          reload, proxmox_later, conf_later, state_gone, unprivileged, registration, ready_token, old_agent, once, nul_in_notes,
          on_disk_first, in_the_way, wrong_options, unit)


def one(test, work, certs):
    """Runs in a process of its own. Passed, failed, and what was said."""
    said = io.StringIO()
    begun = time.monotonic()
    try:
        with contextlib.redirect_stdout(said):
            test(work, certs)
    except Exception:  # whatever it is, the others have their say
        with contextlib.redirect_stdout(said):
            ok(f"{test.__name__} comes to its end", False, traceback.format_exc())
    finally:
        for agent in Agent.all:
            if agent.process:
                agent.process.kill()
                agent.process.wait()
    return passed, failed, f"{said.getvalue()}# {test.__name__}: {time.monotonic() - begun:.0f} s"


def run(tests, work, certs):
    """They mostly wait for something."""
    with multiprocessing.get_context("fork").Pool(6, maxtasksperchild=1) as pool:
        results = [pool.apply_async(one, (test, work, certs)) for test in tests]
        for result in results:
            *counts, said = result.get()
            print(said, flush=True)
            yield counts


def main():
    work = tempfile.mkdtemp(prefix="agent-e2e-")
    certs = os.path.join(work, "certs")
    os.mkdir(certs)
    certificates(certs)
    chosen = os.environ.get("AGENT_TESTS", "").split()
    counts = []
    try:
        for tests in (ALONE, BESIDE):
            counts += run([t for t in tests if not chosen or t.__name__ in chosen], work, certs)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    good, bad = sum(c[0] for c in counts), sum(c[1] for c in counts)
    print(f"agent: {good} passed, {bad} failed")
    return bad != 0 or not good


if __name__ == "__main__":
    raise SystemExit(main())
