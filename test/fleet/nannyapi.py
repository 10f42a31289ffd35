#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A stand-in of the NannyAPI server, as its public source behaves (PocketBase 0.35 underneath): what
it takes, what it refuses and in which words, how agents register. Faults of servers and of what
stands before them are played on top.

	test/fleet/nannyapi.py --listen 127.0.0.1:8090 --dir DIR [--tls CERT KEY] [--old]

DIR/requests.jsonl gets a line for each request: {"at", "path", "body", "status", "token", "answer"}.
DIR/faults.json steers: a list of {"kind", "count", "path"}; a fault is played for the next count
requests whose path begins with path ("" for all). Kinds: "500", "429" (Retry-After: 2), "proxy404",
"waf403", "expired401", "hang" (no answer), "half" (half of an answer, then closed), "close".
DIR/approve: user codes, one a line, that a person has approved.
--zero-refused (the default) refuses 0 for a required number, as PocketBase does; --zero-taken not.
"""
import argparse
import json
import os
import random
import secrets
import ssl
import string
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# collection: required fields; "number" ones must not be 0.
REQUIRED = {
    "cluster": {"cluster_name": str, "nodes": int, "quorate": int, "version": int, "px_cluster_id": str},
    "node": {"ip": str, "name": str, "pve_version": str},
    "lxc": {"name": str, "lxc_id": str, "status": str, "ostype": str},
    "qemu": {"name": str, "qemu_id": str, "status": str, "ostype": str, "host_cpu": str, "boot": str},
}
# What the handlers read from the body -> field of the collection.
FIELDS = {
    "cluster": {"name": "cluster_name", "nodes": "nodes", "quorate": "quorate", "version": "version",
                "px_cluster_id": "px_cluster_id"},
    "node": {"name": "name", "ip": "ip", "level": "level", "local": "local", "online": "online",
             "pveversion": "pve_version", "nodeid": "px_node_id"},
    "lxc": {"name": "name", "lxc_id": "lxc_id", "status": "status", "ostype": "ostype", "uptime": "uptime",
            "vmid": "vmid"},
    "qemu": {"name": "name", "qemu_id": "qemu_id", "status": "status", "ostype": "ostype",
             "uptime": "uptime", "vmid": "vmid", "kvm": "kvm", "cpu": "host_cpu", "boot": "boot",
             "vmgenid": "vmgenid"},
}
TITLES = {"cluster": "Cluster", "node": "Node", "lxc": "LXC", "qemu": "QEMU VM"}
CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def record_id():
    return "".join(random.choices(string.ascii_lowercase + string.digits, k=15))


class Server:
    """What it keeps. One lock, as PocketBase has one writer."""

    def __init__(self, folder, old=False, zero_refused=True, access_lifetime=3600, static=()):
        self.folder, self.old, self.zero_refused = folder, old, zero_refused
        self.lifetime, self.lock = access_lifetime, threading.Lock()
        self.access = {t: ("static", time.time() + 10**9) for t in static}
        self.refresh, self.devices = {}, {}
        self.records = {kind: {} for kind in FIELDS}
        self.log = open(f"{folder}/requests.jsonl", "a", buffering=1, encoding="utf8")

    # --- faults ---------------------------------------------------------------------------------

    def fault(self, path):
        file = f"{self.folder}/faults.json"
        with self.lock:
            try:
                with open(file, encoding="utf8") as f:
                    faults = json.load(f)
            except (FileNotFoundError, ValueError):
                return None
            for fault in faults:
                if fault["count"] > 0 and path.startswith(fault.get("path", "")):
                    fault["count"] -= 1
                    with open(file + ".tmp", "w", encoding="utf8") as f:
                        json.dump(faults, f)
                    os.rename(file + ".tmp", file)
                    return fault["kind"]
        return None

    def wrote(self, **what):
        with self.lock:
            self.log.write(json.dumps({"at": time.time(), **what}) + "\n")

    # --- agents ---------------------------------------------------------------------------------

    def who(self, authorization):
        """The agent's id, None if nobody."""
        token = (authorization or "").removeprefix("Bearer ")
        agent, until = self.access.get(token, (None, 0))
        return agent if until > time.time() else None

    def give(self, agent):
        token = "ey" + secrets.token_hex(24)
        self.access[token] = (agent, time.time() + self.lifetime)
        return {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime, "agent_id": agent}

    def agent(self, body):
        """POST /api/agent: (status, answer)."""
        known = {"device-auth-start": self.device_start, "register": self.register,
                 "refresh": self.refresh_access}
        if not self.old:
            known["renew-refresh-token"] = self.renew
        action = body.get("action")
        if action not in known:
            return 400, {"error": "invalid action"}
        return known[action](body)

    def device_start(self, _):
        device = secrets.token_hex(16)
        user = "".join(secrets.choice(CODE_LETTERS) for _ in range(8))
        self.devices[device] = (user, time.time() + 600)
        return 200, {"device_code": device, "user_code": user, "expires_in": 600,
                     "verification_uri": f"https://portal.example/agent/authorize?user_code={user}"}

    def register(self, body):
        user, until = self.devices.get(body.get("device_code"), (None, 0))
        if until < time.time():
            return 400, {"error": "invalid or expired device code"}
        try:
            with open(f"{self.folder}/approve", encoding="ascii") as file:
                approved = file.read().split()
        except FileNotFoundError:
            approved = []
        if user not in approved:
            return 400, {"error": "device not authorized"}
        if not body.get("hostname"):
            return 400, {"error": "hostname is required"}
        del self.devices[body["device_code"]]
        agent = record_id()
        return 200, self.pair(agent)

    def pair(self, agent):
        token = secrets.token_hex(32)
        self.refresh[token] = (agent, time.time() + 30 * 86400)
        answer = {**self.give(agent), "refresh_token": token}
        if not self.old:
            answer["refresh_token_expires_in"] = 30 * 86400
        return answer

    def refresh_access(self, body):
        agent, until = self.refresh.get(body.get("refresh_token"), (None, 0))
        if until < time.time():
            return 401, {"error": "invalid refresh token" if not agent else "refresh token expired"}
        answer = self.give(agent)
        if not self.old:
            answer["refresh_token_expires_in"] = int(until - time.time())
        return 200, answer

    def renew(self, body):
        agent, until = self.refresh.pop(body.get("refresh_token"), (None, 0))
        if until < time.time():
            return 401, {"error": "invalid refresh token"}
        return 200, self.pair(agent)

    # --- inventory ------------------------------------------------------------------------------

    def ingest(self, kind, agent, body):
        fields = {to: body[key] for key, to in FIELDS[kind].items() if key in body}
        if kind in ("lxc", "qemu"):
            node = self.records["node"].get((body.get("node"), agent))
            if not node:
                return 400, {"error": f"Node not found: {body.get('node', '')}"}
            fields["node_id"] = node["id"]
        faults = self.missing(kind, fields)
        if faults:
            return 400, {"status": 400, "message": "Failed to create record.", "data": faults}
        key = {"cluster": (fields.get("cluster_name"), "user"), "node": (fields.get("name"), agent)}.get(
            kind) or (fields.get("vmid"), fields["node_id"])
        with self.lock:
            old = self.records[kind].get(key)
            self.records[kind][key] = {**(old or {"id": record_id()}), **fields}
        return 200, {"message": f"{TITLES[kind]} ingested successfully", "id": self.records[kind][key]["id"]}

    def missing(self, kind, fields):
        faults = {}
        for field, sort in REQUIRED[kind].items():
            value = fields.get(field)
            if isinstance(value, bool) or value is not None and not isinstance(value, (sort, float)):
                return {field: {"code": "validation_invalid", "message": "Invalid type."}}
            if value is None or value == "" or sort is int and value == 0 and self.zero_refused:
                faults[field] = {"code": "validation_required", "message": "Cannot be blank."}
        return faults


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "PocketBase"

    def log_message(self, *_):
        pass

    def do_POST(self):
        api = self.server.api
        size = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(size)
        fault = api.fault(self.path)
        if fault:
            api.wrote(path=self.path, fault=fault)
            return self.play(fault)
        try:
            body = json.loads(raw)
            if not isinstance(body, dict):
                raise ValueError
        except ValueError:
            return self.answer(400, {"error": "Invalid request body"}, None)
        status, answer = self.handle_post(api, body)
        return self.answer(status, answer, body)

    def handle_post(self, api, body):
        if self.path == "/api/agent":
            return api.agent(body)
        kind = self.path.removeprefix("/api/proxmox/")
        if kind not in FIELDS:
            return 404, {"status": 404, "message": "The requested resource wasn't found.", "data": {}}
        agent = api.who(self.headers.get("Authorization"))
        if not agent:
            return 401, {"error": "unauthorized"}
        return api.ingest(kind, agent, body)

    def answer(self, status, body, request):
        self.server.api.wrote(path=self.path, body=request, status=status, answer=body,
                              token=self.headers.get("Authorization"))
        self.send(status, json.dumps(body).encode(), "application/json")

    def send(self, status, raw, kind, **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(raw)

    def play(self, fault):
        if fault == "500":
            return self.send(500, b'{"status":500,"message":"Something went wrong."}', "application/json")
        if fault == "429":
            return self.send(429, b'{"message":"Too Many Requests."}', "application/json", Retry_After="2")
        if fault == "proxy404":
            return self.send(404, b"<html><h1>404 page not found</h1>token invalid or expired</html>",
                             "text/html")
        if fault == "waf403":
            return self.send(403, b"<html>Forbidden: token not found</html>", "text/html")
        if fault == "expired401":
            return self.send(401, b'{"error":"unauthorized"}', "application/json")
        if fault == "hang":
            time.sleep(600)
        elif fault == "half":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"mess")
        self.close_connection = True
        self.connection.close()
        return None


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--dir", required=True)
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--old", action="store_true", help="no renewal, no expires_in of it")
    parser.add_argument("--zero-taken", dest="zero_refused", action="store_false")
    parser.add_argument("--access-lifetime", type=int, default=3600)
    parser.add_argument("--static", action="append", default=[], help="a bearer token that is good")
    args = parser.parse_args()
    host, _, port = args.listen.rpartition(":")
    listener = Listener((host, int(port)), Handler)
    listener.api = Server(args.dir, args.old, args.zero_refused, args.access_lifetime, args.static)
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*args.tls)
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
    with open(f"{args.dir}/port.tmp", "w", encoding="ascii") as file:
        file.write(str(listener.socket.getsockname()[1]))
    os.rename(f"{args.dir}/port.tmp", f"{args.dir}/port")
    listener.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
