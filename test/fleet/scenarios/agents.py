# SPDX-License-Identifier: AGPL-3.0-or-later
"""Agents on nodes with their own networks, a hub behind cables, and what comes between them."""
import json
import os
import re
import signal
import subprocess
import time

import documents
import guestconf
import tree
from cluster import Cluster
from fleetlib import scenario, wait_for
from hubs import ENV, Nanny, differences
from places import AGENT, PVEWARDEN
from seed import approve

SAME = ("type", "node", "name", "status", "template", "lock", "tags", "snapshots", "pending", "identity", "backup",
        "maxmem", "cpus", "netin", "diskwrite", "sampled_at", "oldest_snapshot")


def ask_hub(node, hub, org="main", **keys):
    node.configure(hub.token(org), hub_url=hub.url, hub_token_file="/etc/pvewarden/hub-token", interval=1,
                   **({"hub_ca": "/run/rig/tls/ca.pem"} if hub.tls else {}), **keys)


def events(hub, cluster, org="main"):
    return hub.items("events", org, cluster=cluster.uuid)


def has(found, kind, **what):
    return [e for e in found if e["kind"] == kind and all(e.get(k) == v for k, v in what.items())]


def pick(cluster, node=None, kind=None, status=None, n=0, plain=True):
    """A guest of that sort."""
    return [g for g in cluster.guests.values() if node in (None, g.node) and kind in (None, g.kind) and
            status in (None, g.status) and not (plain and (g.lock or g.template))][n]


# --- what one agent says -----------------------------------------------------------------------------

def compare(t, what, doc, expected):
    if not expected["cluster"]["clustered"]:  # .members has no address of a standalone node
        expected["nodes"][0]["ip"] = None
    for key in ("schema", "node", "quorate", "complete", "nodes"):
        t.same(f"{what}: {key}", doc.get(key), expected[key])
    for key in ("uuid", "name", "config_version", "clustered"):
        t.same(f"{what}: cluster.{key}", doc["cluster"].get(key), expected["cluster"][key])
    t.same(f"{what}: every guest of the cluster", sorted(map(tuple, doc["vmids"])), sorted(map(tuple, expected["vmids"])))
    rows, wanted = ({g["vmid"]: g for g in d["guests"]} for d in (doc, expected))
    t.same(f"{what}: a row for each guest of this node", sorted(rows), sorted(wanted))
    for key in SAME:
        wrong = [(v, rows[v].get(key), wanted[v][key]) for v in wanted if v in rows and
                 (rows[v].get(key) or None) != (wanted[v][key] or None)]
        t.ok(f"{what}: guests' {key}", not wrong, "vmid, found, expected: " + str(wrong[:4]))
    configs = {c["vmid"]: c for c in doc["configs"]}
    t.same(f"{what}: a config for each at the start", sorted(configs), sorted(wanted))
    for key in ("memory_mb", "cores", "ostype", "vmgenid", "unprivileged", "swap_mb", "arch"):
        wrong = [(c["vmid"], configs[c["vmid"]].get(key), c[key]) for c in expected["configs"] if key in c and
                 c["vmid"] in configs and (configs[c["vmid"]].get(key) or None) != (c[key] or None)]
        t.ok(f"{what}: configs' {key}", not wrong, str(wrong[:4]))
    stores = {s["name"]: s for s in doc["storages"]}
    t.ok(f"{what}: storages with and without a sample", stores["local"]["active"] is True and
         stores["broken"]["active"] is None and stores["nfs1"]["shared"] is True, stores)
    t.ok(f"{what}: no secret leaves the node", guestconf.SECRET not in json.dumps(doc))


@scenario(60)
def once_says_the_model(t):
    """`agent once --root` on written trees of three generations, standalone, and without quorum."""
    rig = t.rig()
    cases = [(f"PVE {v}", dict(seed=v, nodes=3, guests=40, pve=v), {}) for v in (7, 8, 9)]
    cases += [("standalone", dict(seed=4, name=None, nodes=1, guests=8), {}),
              ("no guests", dict(seed=5, nodes=2, guests=0), {}),
              ("no quorum", dict(seed=6, nodes=3, guests=10), {"split": "pve1"})]
    for what, options, then in cases:
        c = Cluster(rich=0.6, **options)
        if "split" in then:
            c.split(then["split"])
        folder = rig.folder(what.replace(" ", ""))
        tree.Tree(c, "pve1", folder).write()
        done = subprocess.run([PVEWARDEN, "--root", folder, "agent", "once", "--format", "json"], capture_output=True,
                              text=True, env=ENV, check=False, timeout=20)
        try:
            doc = json.loads(done.stdout)
        except ValueError:
            t.ok(f"{what}: agent once prints JSON", False, f"{done.returncode} {done.stdout[:300]} {done.stderr}")
            continue
        compare(t, what, doc, documents.Agent(c, "pve1").document())


# --- agents and a hub ----------------------------------------------------------------------------------

@scenario(170)
def outage(t):
    """Two clusters of two orgs and a standalone node; the cables of one cluster are pulled while much
    happens to it."""
    rig = t.rig()
    hub = rig.wired_hub()
    a = Cluster("a", "prod", 3, 24)
    b = Cluster("b", "prod", 2, 8, net="10.0.2")
    alone = Cluster("c", None, 1, 5)
    rows = [(a, n, "main") for n in a.nodes] + [(b, n, "other") for n in b.nodes] + [(alone, "pve1", "main")]
    for c, name, org in rows:
        ask_hub(rig.agent(c, name), hub, org)
    rig.heart(a, b, alone)
    for place in rig.places(a) + rig.places(b) + rig.places(alone):
        place.start_agent()
    for c, org in ((a, "main"), (b, "other"), (alone, "main")):
        t.agrees(f"{c.name or 'the standalone node'} of {org}: all is as the model says",
                 lambda c=c, org=org: differences(c, hub, org), 40)
    t.same("the second cluster of the same name is the other org's alone",
           sorted({n["cluster"] for n in hub.items("nodes", "other")}), [b.uuid])
    first = rig.places(a)[0]
    t.comes("the lowest node speaks for the cluster", lambda: first.status().get("reporter") == "pve1", 20)
    moved, gone = pick(a, "pve1", status="running"), pick(a, "pve2", kind="qemu")
    again, halted = pick(a, "pve3", kind="qemu"), pick(a, "pve2", status="running", n=1)
    unplugged = time.time()
    for place in rig.places(a):
        place.plug(False)
    time.sleep(2)
    with rig.beat:
        a.migrate(moved.vmid, "pve3")
        a.destroy(gone.vmid)
    time.sleep(2.5)
    with rig.beat:
        a.reuse(again.vmid)
        a.halt(halted.vmid)
        made = a.create(node="pve1")
    time.sleep(2.5)
    with rig.beat:
        a.split("pve3")
    time.sleep(3)
    with rig.beat:
        a.heal()
    time.sleep(2.5)
    t.ok("documents wait on the nodes", all(p.status().get("spool", {}).get("documents", 0) >= 5
                                            for p in rig.places(a)), [p.status().get("spool") for p in rig.places(a)])
    t.ok("nothing of it has come", not has(events(hub, a), "guest.destroyed", vmid=gone.vmid))
    t.agrees("the other cluster is not touched by it", lambda: differences(b, hub, "other"), 5)
    plugged = time.time()
    for place in rig.places(a):
        place.plug(True)
    t.agrees("afterwards all is as the model says", lambda: differences(a, hub), 45)
    t.comes("every spool is empty", lambda: all(p.status().get("spool", {}).get("documents", 9) <= 1
                                                for p in rig.places(a)), 30)
    after_outage(t, hub, a, (unplugged, plugged), moved=moved.vmid, gone=gone.vmid, again=again.vmid,
                 halted=halted.vmid, made=made.vmid)
    reporter_dies(t, rig, hub, a)
    t.ok("every agent lives", all(p.alive() for p in rig.places(a) + rig.places(b) + rig.places(alone)))
    t.ok("the rig's clock went on", rig.beat.failed is None, repr(rig.beat.failed))


def after_outage(t, hub, a, during, moved, gone, again, halted, made):
    found = events(hub, a)
    wanted = (("guest.moved", {"vmid": moved}), ("guest.destroyed", {"vmid": gone}), ("guest.stopped", {"vmid": halted}),
              ("guest.created", {"vmid": made}), ("guest.created", {"vmid": again}), ("quorum.lost", {"node": "pve3"}),
              ("quorum.regained", {"node": "pve3"}))
    for kind, what in wanted:
        rows = has(found, kind, **what)
        t.ok(f"{kind} {what}: once, at its true time", len(rows) == 1 and
             during[0] - 2 <= stamp(rows[0]["at"]) <= during[1] + 1, f"{rows} expected within {during}")
    order = [e["kind"] for e in sorted(found, key=lambda e: stamp(e["at"])) if e["kind"] in (
        "guest.moved", "guest.created", "quorum.lost", "quorum.regained") and stamp(e["at"]) >= during[0]]
    t.ok("in the order in which it happened", order and order[0] == "guest.moved" and
         order.index("quorum.lost") > order.index("guest.created"), order)
    closed = [g for g in hub.items("guests", cluster=a.uuid, state="closed") if g["vmid"] == gone]
    t.ok("the destroyed guest is closed with its time", len(closed) == 1 and
         during[0] - 2 <= stamp(closed[0]["closed_at"]) <= during[1] + 1, closed)
    t.ok("the number that was used again is another guest", len(
        [g for g in hub.items("guests", cluster=a.uuid, state="closed") if g["vmid"] == again]) == 1)


def reporter_dies(t, rig, hub, a):
    first, second = rig.places(a)[:2]
    first.stop_agent(signal.SIGKILL)
    t.comes("the reporter has died: the next node speaks", lambda: second.status().get("reporter") == "pve2", 20)
    with rig.beat:
        victim = pick(a, "pve1", status="running")
        a.halt(victim.vmid)
    t.comes("and tells of the silent node's guests", lambda: {
        g["vmid"]: g["status"] for g in hub.items("guests", cluster=a.uuid)}[victim.vmid] == "stopped", 15)
    with rig.beat:
        a.power_off("pve1")
    t.comes("the node is off: an event", lambda: has(events(hub, a), "node.offline", node="pve1"), 15)
    with rig.beat:
        a.power_on("pve1")
    first.start_agent()
    t.comes("it comes back, and speaks again", lambda: second.status().get("reporter") == "pve1", 25)
    t.agrees("all is as the model says", lambda: differences(a, hub), 25)


def stamp(value):
    """Unix seconds of what the API says."""
    if isinstance(value, (int, float)):
        return value
    import calendar
    return calendar.timegm(time.strptime(value, "%Y-%m-%dT%H:%M:%SZ"))


@scenario(90)
def agent_killed_at_random(t):
    """kill -9 while the hub is away: no document is lost, none comes twice."""
    rig = t.rig()
    c = Cluster("k", "prod", 1, 6)
    node = rig.agent(c, "pve1", wired=False)
    hub = rig.local_hub(place=node, state=rig.folder("hub"))
    ask_hub(node, hub)
    rig.heart(c)
    hub.kill(signal.SIGTERM)
    kept = set()
    pauses = (2.3, 1.1, 3.2, 0.4, 1.7)
    # Where the machine is busy a document takes longer than some of these lives.
    for life in range(4 * len(pauses)):
        if life >= len(pauses) and len(kept) >= 4:
            break
        node.start_agent()
        time.sleep(pauses[life % len(pauses)])
        node.stop_agent(signal.SIGKILL)
        kept |= set(waiting(node))
    t.ok("documents wait", len(kept) >= 4, kept)
    t.same("and none has gone", kept - set(waiting(node)), set())
    hub.start()
    node.start_agent()
    t.comes("all of them are delivered", lambda: not kept & set(waiting(node)), 40)
    t.agrees("the hub knows what the model says", lambda: differences(c, hub), 10)
    sequences = sorted(int(name.split("-")[0]) for name in kept)
    t.ok("no sequence was used twice", len(set(sequences)) == len(sequences), sequences)


def waiting(node):
    """Names of the documents in the spool."""
    try:
        return [n for n in os.listdir(node.path("/var/lib/pvewarden/agent/spool")) if re.fullmatch(r"\d+-\d+\.json", n)]
    except FileNotFoundError:
        return []


@scenario(90)
def agent_full_disk(t):
    rig = t.rig()
    c = Cluster("d", "prod", 1, 30)
    node = rig.agent(c, "pve1", wired=False)
    hub = rig.local_hub(place=node, state=rig.folder("hub"))
    node.must("mount", "-t", "tmpfs", "-o", f"size=3m,uid={AGENT},gid=33,mode=700", "tmpfs", "/var/lib/pvewarden/agent")
    ask_hub(node, hub, spool_size="2M")
    rig.heart(c)
    node.start_agent()
    t.agrees("the hub knows the node", lambda: differences(c, hub), 20)
    hub.kill(signal.SIGTERM)
    node.run("dd", "if=/dev/zero", "of=/var/lib/pvewarden/agent/filler", "bs=4k")
    t.comes("a full disk is said in its status", lambda: node.status().get("spool", {}).get("problem"), 20)
    t.ok("and in its log", re.search("no space|full", node.text(), re.I), node.text()[-1500:])
    t.ok("it lives", node.alive())
    with rig.beat:
        c.create(vmid=777, node="pve1")
    time.sleep(2)
    hub.start()
    t.agrees("the newest document comes all the same", lambda: differences(c, hub), 40)
    node.must("rm", "/var/lib/pvewarden/agent/filler")
    t.comes("with room again it keeps documents on disk", lambda: node.status().get("spool", {}) and
            not node.status()["spool"]["problem"], 20)
    t.ok("it is the same process", node.alive())


@scenario(90)
def pmxcfs_hangs(t):
    rig = t.rig()
    c = Cluster("h", "prod", 1, 6)
    node = rig.agent(c, "pve1", wired=False)
    hub = rig.local_hub(place=node, state=rig.folder("hub"))
    ask_hub(node, hub)
    rig.heart(c)
    node.start_agent()
    t.agrees("the hub knows the node", lambda: differences(c, hub), 20)
    node.hang(True)
    t.comes("a pmxcfs that hangs is said in its status", lambda: node.status().get("collection", {}).get("pmxcfs_hangs"),
            30)
    t.comes("and reported to the hub", lambda: "hung" in json.dumps(hub.items("nodes")), 15)
    t.ok("no guest is closed because of it", not hub.items("guests", state="closed"))
    t.ok("it lives", node.alive())
    stuck = node.status()["collection"]["stuck"]
    t.ok("few readers are stuck there", stuck <= 2, stuck)
    node.hang(False)
    with rig.beat:
        c.create(vmid=888, node="pve1")
    t.comes("it recovers", lambda: node.status().get("collection", {}).get("pmxcfs_hangs") is False, 30)
    t.agrees("and all is as the model says", lambda: differences(c, hub), 15)


@scenario(90)
def registers(t):
    """`agent register`, approved by a person on the page; the running agent takes the token."""
    rig = t.rig()
    c = Cluster("r", "prod", 1, 4)
    node = rig.agent(c, "pve1", wired=False)
    hub = rig.local_hub(place=node, state=rig.folder("hub"))
    node.must("bash", "-c", f"echo 'correct horse battery' | {' '.join(hub.argv('user', 'add', 'anna', '--org', 'main'))}")
    node.configure(hub_url=hub.url, interval=1)
    rig.heart(c)
    node.start_agent()
    time.sleep(1.5)
    out = f"{rig.scratch}/register.out"
    pid = node.spawn([PVEWARDEN, "agent", "register"], out, out)

    def code():
        with open(out, encoding="utf8") as file:
            return re.search(r"^\s+([A-HJ-NP-Z2-9]{8})\s*$", file.read(), re.M)
    found = wait_for("a code is shown", lambda: os.path.exists(out) and code(), 10)
    status, page, head = approve(t, hub, rig, found.group(1))
    t.ok("the person approves", status in (200, 303), f"{status} {head} {page[:300]}")
    t.comes("agent register ends well", lambda: node.code(pid) == 0, 20)
    with open(out, encoding="utf8") as file:
        t.ok("and shows no secret", "pvw1." not in file.read())
    mode = node.must("stat", "-c", "%a %u", "/var/lib/pvewarden/agent/hub-token.json").split()
    t.same("the token is the agent's alone", mode, ["600", str(AGENT)])
    t.agrees("the running agent has taken it", lambda: differences(c, hub), 30)


@scenario(60)
def imports(t):
    """The old agent's config.yaml and token.json."""
    rig = t.rig()
    c = Cluster("i", "prod", 1, 4)
    node = rig.agent(c, "pve1", wired=False)
    nanny = Nanny(rig, "--static", "old-access", place=node)
    node.write("/etc/nannyagent/config.yaml", f"""# NannyAgent
nannyapi_url: "http://127.0.0.1:{nanny.port}"
portal_url: 'https://nannyai.dev'
metrics_interval: 30
proxmox_interval: 5
nonsense_key: 7
http_transport:
  max_idle_conns: 10
  initial_retry_delay_sec: 30
""")
    node.write("/var/lib/nannyagent/token.json", json.dumps({
        "access_token": "old-access", "refresh_token": "old-refresh", "token_type": "Bearer", "agent_id": "abc",
        "expires_at": tree.stamp(time.time() + 3600)}))
    os.chmod(node.path("/var/lib/nannyagent/token.json"), 0o600)
    rig.heart(c)
    code, out, err = node.run(PVEWARDEN, "agent", "register", "--import")
    t.ok("register --import: 0", code == 0, out + err)
    t.ok("the key that means nothing is named", "nonsense_key" in out + err, out + err)
    t.ok("the known ones are not", "max_idle_conns" not in out + err, out + err)
    t.ok("the old file stays", node.read("/var/lib/nannyagent/token.json"))
    node.start_agent()
    t.comes("objects are posted with the old token", lambda: [r for r in nanny.requests() if r.get("status") == 200 and
                                                              r["token"] == "Bearer old-access"], 30)


# --- a NannyAPI server ---------------------------------------------------------------------------------

REQUIRED = {"node": ("name", "node_id", "nodeid", "ip", "pve_version", "pveversion"),
            "cluster": ("name", "cluster_name", "px_cluster_id", "cluster_id", "nodes", "quorate", "version"),
            "lxc": ("name", "lxc_id", "status", "vmid", "node", "ostype", "cpu_cores", "memory_mb", "rootfs", "config"),
            "qemu": ("name", "qemu_id", "status", "vmid", "node", "ostype", "boot", "cpu", "cpu_cores", "memory_mb",
                     "config")}


def kinds(requests):
    return [r["path"].rpartition("/")[2] for r in requests if r["path"].startswith("/api/proxmox/")]


@scenario(150)
def nannyapi(t):
    rig = t.rig()
    c = Cluster("n", "prod", 2, 14, rich=0.5)
    node = rig.agent(c, "pve1", wired=False)
    nanny = Nanny(rig, "--access-lifetime", "345", place=node)
    node.configure(nannyapi_url=f"http://127.0.0.1:{nanny.port}", proxmox_interval=5, interval=1)
    rig.heart(c)
    out = f"{rig.scratch}/register.out"
    pid = node.spawn([PVEWARDEN, "agent", "register"], out, out)
    found = wait_for("a code is shown", lambda: os.path.exists(out) and
                     re.search(r"^\s+([A-HJ-NP-Z2-9]{8})\s*$", open(out, encoding="utf8").read(), re.M), 10)
    nanny.approve(found.group(1))
    t.comes("registered at a NannyAPI server", lambda: node.code(pid) == 0, 20)
    node.start_agent()
    own = c.on("pve1")
    t.comes("a round is complete", lambda: len(kinds(nanny.requests())) >= 2 + len(own), 30)
    round_one = [r for r in nanny.requests() if r["path"].startswith("/api/proxmox/")][:2 + len(own)]
    order = kinds(round_one)
    t.ok("node, cluster, containers, VMs, in this order", order == sorted(order, key=[
        "node", "cluster", "lxc", "qemu"].index) and order.count("node") == 1 and order.count("cluster") == 1, order)
    t.same("every guest of this node, and no other's", sorted(r["body"]["vmid"] for r in round_one[2:]),
           sorted(g.vmid for g in own))
    bad = [(r["path"], r["answer"]) for r in round_one if r["status"] != 200]
    t.ok("the real server's rules take all of it", not bad, bad[:4])
    for kind, fields in REQUIRED.items():
        missing = {f for r in round_one if r["path"].endswith(kind) for f in fields if f not in r["body"]}
        t.ok(f"{kind}: both spellings, and what only the guide has", not missing, missing)
    t.ok("no secret is posted", guestconf.SECRET not in json.dumps(round_one))
    nannyapi_faults(t, nanny, node)
    nannyapi_quorum(t, rig, nanny, node, c)


def nannyapi_faults(t, nanny, node):
    refresh = json.loads(node.read("/var/lib/pvewarden/agent/nanny-token.json"))["refresh_token"]
    # One 401 is the token's end; another with the next token is a server that is not itself.
    for fault, count in (("expired401", 1), ("500", 2), ("429", 2), ("proxy404", 2), ("half", 1), ("close", 2)):
        mark = len(nanny.requests())
        nanny.faults([{"kind": fault, "count": count, "path": "/api/proxmox/node"}])
        t.comes(f"{fault}, {count} times: a whole round is taken afterwards",
                lambda m=mark, n=count: goes_on(nanny.requests()[m:], n), 30)
    nanny.faults([{"kind": k, "count": 1, "path": "/api/agent"} for k in ("proxy404", "waf403", "500")])
    t.comes("the access token is refreshed before its end", lambda: [
        r for r in nanny.requests() if r["path"] == "/api/agent" and (r.get("body") or {}).get("action") == "refresh" and
        r["status"] == 200], 60)
    kept = json.loads(node.read("/var/lib/pvewarden/agent/nanny-token.json"))
    t.same("the refresh token is never given up for what a proxy says", kept["refresh_token"], refresh)
    t.ok("it lives", node.alive())


def parked(node):
    return node.status().get("parked", {}).get("objects", 0) >= 1


def goes_on(requests, count):
    """So many faults, and behind them a node and a VM that are taken."""
    faults = [i for i, r in enumerate(requests) if r.get("fault")]
    after = [r["path"].rpartition("/")[2] for r in requests[faults[-1]:] if r.get("status") == 200] if faults else []
    return len(faults) == count and "node" in after and "qemu" in after


def nannyapi_quorum(t, rig, nanny, node, c):
    with rig.beat:
        c.split("pve1")
    mark = len(nanny.requests())
    t.comes("quorum is lost: sent as quorate 0", lambda: [
        r for r in nanny.requests()[mark:] if r["path"].endswith("cluster") and (r.get("body") or {}).get("quorate") == 0],
        30)
    t.comes("what the old server refuses is put aside", lambda: parked(node), 20)
    t.comes("and holds up nothing", lambda: [r for r in nanny.requests()[mark:] if r["path"].endswith("qemu") and
                                             r.get("status") == 200], 20)
    said = len(re.findall("refuses cluster", node.text()))
    t.ok("it is logged once", said == 1, f"{said} times: {node.text()[-1500:]}")
