# SPDX-License-Identifier: AGPL-3.0-or-later
"""The old world against our hub: the guide's curl examples, its error bodies, the real agent's objects
and its way to register."""
import html.parser
import json
import re
import subprocess
import urllib.parse

import guestconf
import random
from fleetlib import scenario
from hubs import ENV, old_items
from seed_examples import EXAMPLES

ORDER = ("node", "cluster", "lxc", "qemu")
MESSAGES = {"cluster": "Cluster ingested successfully", "node": "Node ingested successfully",
            "lxc": "LXC ingested successfully", "qemu": "QEMU VM ingested successfully"}
OLD_AGENT_FATAL = ("invalid", "expired", "not found")  # beside "token": it erases its refresh token


def shell(text):
    done = subprocess.run(["bash", "-c", text + " -s -S -w '\n%{http_code}'"], capture_output=True, text=True,
                          env=ENV, check=False, timeout=20)
    body, _, status = done.stdout.rpartition("\n")
    return int(status or 0), body, done.stderr


def example(kind, hub, token):
    full = json.dumps(guestconf.lxc(random.Random(1), 100, "web-prod-01", True))[1:-1]
    return EXAMPLES[kind].replace("https://api.nannyai.dev", hub.url).replace("<token>", token).replace(
        "...full config...", full)


@scenario(60)
def seed_examples(t):
    rig = t.rig()
    hub = rig.local_hub()
    token = hub.token()
    ids = {}
    for kind in ORDER:
        status, body, err = shell(example(kind, hub, token))
        t.ok(f"{kind}: curl as in the guide: 200", status == 200, f"{status} {body} {err}")
        doc = json.loads(body) if body.startswith("{") else {}
        t.ok(f"{kind}: success and message", doc.get("success") is True and doc.get("message") == MESSAGES[kind] and
             isinstance(doc.get("id"), str) and doc["id"], body)
    # A node and its guests are known by their cluster as soon as the agent has named it.
    for kind in ORDER:
        ids[kind] = json.loads(shell(example(kind, hub, token))[1])["id"]
    for kind in ORDER:
        status, body, _ = shell(example(kind, hub, token))
        t.ok(f"{kind}: once more is the same record", status == 200 and json.loads(body)["id"] == ids[kind], body)
    rows = {r["vmid"]: r for what in ("lxc", "qemu") for r in old_items(hub, what)}
    t.same("two guests are kept", sorted(rows), [100, 200])
    t.ok("with their names, nodes and states", all(
        rows[v]["name"] == n and rows[v]["node"] == "pve-node-01" and rows[v]["status"] == "running"
        for v, n in ((100, "web-prod-01"), (200, "db-prod-01"))), rows)
    sent = json.loads(example("lxc", hub, token).partition("-d '")[2].rstrip("'"))
    kept = next(r for r in old_items(hub, "lxc") if r["vmid"] == 100)
    t.same("the container comes back whole", {k: kept.get(k) for k in sent}, sent)
    _, _, text = hub.ask("GET", "/api/v1/clusters/name:production-cluster/guests/100", token=hub.token(kind="read"))
    config = json.loads(text).get("config") or {}
    same = [k for k in sent if k not in ("lxc_id", "status", "uptime", "node", "cpu_cores", "tags")]
    t.same("its config too", {k: config.get(k) for k in same}, {k: sent[k] for k in same})
    nodes = old_items(hub, "nodes")
    t.ok("the node is kept with its version", len(nodes) == 1 and nodes[0]["name"] == "pve-node-01" and
         nodes[0]["pve_version"] == "pve-manager/7.4-3/9002ab8a", nodes)
    rows = {r["vmid"]: r for r in hub.items("guests")}
    t.ok("the read API has both, of that cluster", {v: (r["cluster"], r["type"], r["name"], r["node"], r["status"])
         for v, r in rows.items()} == {
             100: ("name:production-cluster", "lxc", "web-prod-01", "pve-node-01", "running"),
             200: ("name:production-cluster", "qemu", "db-prod-01", "pve-node-01", "running")}, rows)
    t.ok("with their age", all(0 <= r["age"] < 60 and r["closed_at"] is None for r in rows.values()), rows)
    t.ok("with tags that can be looked for", [r["vmid"] for r in hub.items("guests", tag="web")] == [100], rows)
    clusters = hub.items("clusters")
    t.ok("one cluster, under its name", [(c["cluster"], c["name"], c["quorate"], c["nodes"], c["guests"])
         for c in clusters] == [("name:production-cluster", "production-cluster", True, 1, 2)], clusters)
    found = hub.items("nodes")
    t.ok("one node, online, with its version", [(n["cluster"], n["name"], n["online"], n["version"]) for n in found] ==
         [("name:production-cluster", "pve-node-01", True, "pve-manager/7.4-3/9002ab8a")], found)
    for path, count in (("clusters", 1), ("nodes", 1), ("lxc", 1), ("qemu", 1)):
        status, _, text = hub.ask("GET", f"/api/proxmox/{path}", token=hub.token(kind="read"))
        page = json.loads(text)
        t.ok(f"GET /api/proxmox/{path}: a page as the old server's", status == 200 and page["totalItems"] == count and
             page["page"] == 1 and page["perPage"] == 20 and len(page["items"]) == count, text[:500])


@scenario(60)
def seed_errors(t):
    rig = t.rig()
    hub = rig.local_hub(address_rate="1000 1000/s")
    for what, token in (("none", None), ("a wrong one", "ey1234"), ("one of nobody", "pvw1." + "0" * 32 + "." + "A" * 43)):
        for path in ("/api/proxmox/node", "/api/v1/documents"):
            status, headers, text = hub.ask("POST", path, {}, token)
            doc = json.loads(text)
            t.ok(f"{path}, token: {what}: 401 unauthorized", status == 401 and doc["success"] is False and
                 doc["error"] == "unauthorized" and doc["error_description"], text)
            low = text.lower()
            t.ok(f"{path}, token: {what}: no word that makes an old agent give up",
                 "token" not in low or not any(w in low for w in OLD_AGENT_FATAL), text)
            t.ok(f"{path}, token: {what}: says how", "Bearer" in (headers.get("WWW-Authenticate") or ""), dict(headers))
    token = hub.token()
    cases = (("no JSON", "POST", "/api/proxmox/node", "{nonsense", 400, None),
             ("no JSON as a document", "POST", "/api/v1/documents", '{"schema": ', 400, None),
             ("a guest of no node", "POST", "/api/proxmox/lxc",
              {"name": "a", "lxc_id": "lxc/9", "vmid": 109, "node": "nowhere", "status": "running", "ostype": "debian"},
              400, "Node not found: nowhere"),
             ("a node with a name that no URL may have", "POST", "/api/proxmox/node", {"name": "a\nb"}, 422, "$.name"),
             ("too deep", "POST", "/api/v1/documents", '{"a":' * 40 + "1" + "}" * 40, 422, None),
             ("no such path", "POST", "/api/proxmox/nothing", {}, 404, None),
             ("no such method", "PUT", "/api/proxmox/node", {}, 405, None))
    for what, method, path, body, expected, word in cases:
        status, _, text = hub.ask(method, path, body, token)
        doc = json.loads(text) if text.startswith("{") else {}
        t.ok(f"{what}: {expected} with a sentence", status == expected and doc.get("success") is False and
             doc.get("error") and doc.get("error_description") and (word is None or word in text), f"{status} {text}")
    big = f"{rig.scratch}/big"
    with open(big, "wb") as file:
        file.write(b" " * (8 * 1024 * 1024 + 1))
    done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"Authorization: Bearer {token}",
                           "--data-binary", f"@{big}", f"{hub.url}/api/v1/documents"], capture_output=True, text=True,
                          env=ENV, check=False, timeout=20)
    t.same("a body over the limit: 413", done.stdout, "413")
    listed = hub.must("token", "list", "--org", "main", "--format", "json")
    rows = json.loads(listed)
    rows = rows if isinstance(rows, list) else rows["tokens"]
    t.ok("token list shows no secret", token not in listed, listed)
    agent = next(r for r in rows if r["kind"] == "agent")
    hub.must("token", "revoke", agent["id"], "--org", "main")
    t.comes("a revoked token: 403", lambda: hub.post({}, token)[0] == 403, 4)
    status, body = hub.post({}, token)
    t.ok("in the word revoked", body.get("error") == "revoked", body)


OLD = {
    "node": {"agent_id": "", "ip": "10.0.1.10", "level": "", "local": 1, "name": "pve1", "nodeid": 1, "online": 1,
             "pveversion": "pve-manager/8.2.4/faa83925c9641325"},
    "cluster": {"name": "prod", "nodes": 3, "quorate": 0, "version": 3, "px_cluster_id": "cluster"},
    "lxc": {"agent_id": "", "node_id": "", "name": "ct", "lxc_id": "lxc/101", "status": "stopped", "ostype": "",
            "uptime": 0, "vmid": 101, "node": "pve1"},
    "qemu": {"agent_id": "", "node_id": "", "name": "vm", "qemu_id": "qemu/100", "status": "running", "ostype": "l26",
             "uptime": 77, "vmid": 100, "node": "pve1", "vmgenid": "abc", "kvm": 1, "boot": "order=scsi0",
             "cpu": "host"},
}


@scenario(60)
def seed_old_agent_objects(t):
    rig = t.rig()
    hub = rig.local_hub()
    token = hub.token()
    for kind in ORDER:
        status, _, text = hub.ask("POST", f"/api/proxmox/{kind}", OLD[kind], token)
        t.ok(f"{kind} in the real agent's spelling: 200", status == 200 and MESSAGES[kind] in text, text)
    clusters = old_items(hub, "clusters")
    t.ok("quorate 0 is kept as what it is", len(clusters) == 1 and clusters[0]["cluster_name"] == "prod" and
         clusters[0]["quorate"] in (False, 0), clusters)
    other = hub.token(org="other")
    for kind in ORDER:
        hub.ask("POST", f"/api/proxmox/{kind}", OLD[kind], other)
    t.same("the same of another org is another's", [len(old_items(hub, w, o)) for o in ("main", "other")
                                                               for w in ("lxc", "qemu")], [1, 1, 1, 1])
    hub.ask("POST", "/api/proxmox/qemu", {**OLD["qemu"], "status": "stopped"}, token)
    states = [old_items(hub, "qemu", o)[0]["status"] for o in ("main", "other")]
    t.same("and neither sees the other's news", states, ["stopped", "running"])
    moved = {**OLD["node"], "name": "pve2", "nodeid": 2, "ip": "10.0.1.11"}
    hub.ask("POST", "/api/proxmox/node", moved, token)
    hub.ask("POST", "/api/proxmox/qemu", {**OLD["qemu"], "node": "pve2"}, token)
    rows = old_items(hub, "qemu")
    t.ok("a guest that migrates is one record", len(rows) == 1 and rows[0]["node"] == "pve2", rows)
    rows = hub.items("guests", vmid=100)
    t.ok("in the read API too", [(r["cluster"], r["node"], r["status"]) for r in rows] ==
         [("name:prod", "pve2", "running")], rows)
    t.same("which says that it stopped, moved and started", sorted(e["kind"] for e in hub.items("events", vmid=100)),
           ["guest.moved", "guest.started", "guest.stopped"])
    t.same("and nothing of that to the other org", [hub.items("events", "other"), [
        (r["node"], r["status"]) for r in hub.items("guests", "other", vmid=100)]], [[], [("pve1", "running")]])


# --- registration ----------------------------------------------------------------------------------------

class Page(html.parser.HTMLParser):
    """The forms of a page: what each has to send, and its buttons."""

    def __init__(self, text):
        super().__init__()
        self.forms = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        if tag == "form":
            self.forms.append({"action": a.get("action"), "fields": {}, "buttons": {}})
        elif self.forms and tag == "input" and a.get("name"):
            self.forms[-1]["fields"][a["name"]] = a.get("value", "")
        elif self.forms and tag == "button":
            self.forms[-1]["buttons"][a.get("value")] = a.get("name")

    def form(self, button):
        return next((f for f in self.forms if button in f["buttons"]), {"action": None, "fields": {}, "buttons": {}})


class Browser:
    """curl with cookies; a person's, where the hub is."""

    def __init__(self, hub, jar):
        self.hub, self.jar = hub, jar

    def curl(self, *args):
        argv = ["curl", "-s", "-S", "-i", "-m", "10", "-b", self.jar, "-c", self.jar, *args]
        if self.hub.place:
            return self.hub.place.run(*argv)[1]
        return subprocess.run(argv, capture_output=True, text=True, env=ENV, check=False).stdout

    def get(self, path, *more):
        """(status, text, headers)"""
        head, _, body = self.curl(*more, self.hub.url + path).replace("\r", "").partition("\n\n")
        if head.startswith("HTTP/1.1 100"):
            head, _, body = body.partition("\n\n")
        found = re.match(r"HTTP/\S+ (\d+)", head)
        return int(found.group(1)) if found else 0, body, head

    def press(self, page, at, button, **fields):
        form = Page(page).form(button)
        values = {**form["fields"], **fields}
        if form["buttons"].get(button):
            values[form["buttons"][button]] = button
        return self.get(form["action"] or at, "--data", urllib.parse.urlencode(values), "-H",
                        f"Origin: {self.hub.url}")

    def login(self, name, password, to="/login"):
        status, page, head = self.get(to)
        if status in (302, 303):
            to = re.search(r"(?im)^location: *(\S+)", head).group(1)
            status, page, head = self.get(to)
        fields = Page(page).form("login")["fields"]
        user = next((f for f in fields if f in ("user", "name", "username")), "name")
        return self.press(page, to, "login", **{user: name, "password": password},
                          **({"org": "main"} if "org" in fields else {}))


def approve(t, hub, rig, code, name="anna", password="correct horse battery"):
    """A person approves a code through the page."""
    browser = Browser(hub, f"{rig.scratch}/cookies")
    where = f"/agent/authorize?user_code={code}"
    status, page, head = browser.get(where)
    t.ok("without a login there is nothing to approve", status in (302, 303, 401) or "password" in page, head + page[:300])
    status, page, head = browser.login(name, "wrong " + password, where)
    t.ok("a wrong password is no login", "session" not in head.lower() or status in (401, 403), head)
    status, page, head = browser.login(name, password, where)
    t.ok("the login gives a cookie that scripts do not see", re.search(r"(?im)^set-cookie: .*httponly", head), head)
    status, page, head = browser.get(where)
    t.ok("the page shows the code and asks", status == 200 and code in page and "<form" in page, f"{status} {page[:500]}")
    t.ok("the page allows nothing from elsewhere", "content-security-policy" in head.lower(), head)
    form = Page(page).form("approve")
    blank = {k: "" if len(v) >= 16 else v for k, v in form["fields"].items()}
    status, _, _ = browser.get(where.partition("?")[0], "--data", urllib.parse.urlencode(
        {**blank, form["buttons"].get("approve") or "answer": "approve"}), "-H", "Origin: https://evil.example")
    t.ok("a form from elsewhere is refused", status in (400, 403), status)
    return browser.press(page, where, "approve")


@scenario(60)
def seed_old_agent_registers(t):
    rig = t.rig()
    hub = rig.local_hub()
    hub.must("user", "add", "anna", "--org", "main", text="correct horse battery\n")
    call = lambda body: (lambda s, _, x: (s, json.loads(x)))(*hub.ask("POST", "/api/agent", body))  # noqa: E731
    status, start = call({"action": "device-auth-start"})
    t.ok("device-auth-start: codes, page, lifetime", status == 200 and start["device_code"] and
         re.fullmatch("[A-HJ-NP-Z2-9]{8}", start["user_code"]) and start["expires_in"] == 600 and
         start["user_code"] in start["verification_uri"], start)
    ask = {"action": "register", "device_code": start["device_code"], "hostname": "pve1", "os_type": "linux",
           "platform_family": "debian", "version": "1.0.0", "platform": "", "primary_ip": "", "kernel_version": "",
           "all_ips": None}
    status, body = call(ask)
    t.ok("the old agent waits while it reads: device not authorized", status == 400 and
         "device not authorized" in json.dumps(body), body)
    status, page, head = approve(t, hub, rig, start["user_code"])
    t.ok("the person approves", status in (200, 303), f"{status} {head} {page[:300]}")
    status, pair = call(ask)
    t.ok("register gives both tokens", status == 200 and pair["access_token"] and pair["refresh_token"] and
         pair["expires_in"] == 3600 and pair["agent_id"], pair)
    status, again = call(ask)
    t.ok("the reply was lost: the same code gives another pair of the same agent", status == 200 and
         again["agent_id"] == pair["agent_id"] and again["refresh_token"] != pair["refresh_token"], again)
    status, lost = call({"action": "refresh", "refresh_token": pair["refresh_token"]})
    t.ok("and the lost one is revoked", status == 403 and "access_token" not in lost, lost)
    pair = again
    for kind in ORDER:
        status, _, text = hub.ask("POST", f"/api/proxmox/{kind}", OLD[kind], pair["access_token"])
        t.ok(f"{kind} with that token: 200", status == 200, text)
    t.same("the guests are the org's of the person", [len(old_items(hub, w)) for w in ("lxc", "qemu")], [1, 1])
    status, new = call({"action": "refresh", "refresh_token": pair["refresh_token"]})
    t.ok("refresh gives an access token", status == 200 and new["access_token"] != pair["access_token"] and
         new["agent_id"] == pair["agent_id"], new)
    t.ok("and it is good", hub.ask("POST", "/api/proxmox/node", OLD["node"], new["access_token"])[0] == 200)
    status, again = call(ask)
    t.ok("a code whose tokens are in use is over", status == 400 and "access_token" not in again, again)
    status, new = call({"action": "renew-refresh-token", "refresh_token": pair["refresh_token"]})
    t.ok("renewal gives a pair", status == 200 and new["refresh_token"] != pair["refresh_token"], new)
    status, body = call({"action": "refresh", "refresh_token": "nonsense"})
    t.ok("a wrong refresh token: 401 that no old agent takes as the end", status == 401 and not (
        "token" in str(body).lower() and any(w in str(body).lower() for w in OLD_AGENT_FATAL)), body)
    t.ok("an access token cannot be refreshed with", call({"action": "refresh", "refresh_token": pair["access_token"]})[0]
         == 401)
    t.ok("unknown action: 400", call({"action": "nothing"})[0] == 400)
