# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rig itself: is what it plays what it claims to be?"""
import documents
import guestconf
from cluster import Cluster
from fleetlib import scenario, wait_for
from hubs import Nanny


@scenario(40, daemon=False)
def self_model(t):
    for seed in range(20):
        a, b = Cluster(seed, now=1_795_000_000), Cluster(seed, now=1_795_000_000)
        for c in (a, b):
            for _ in range(60):
                c.churn()
                c.tick(c.now + 30)
        agents = [[documents.Agent(c, n).document() for n in c.nodes] for c in (a, b)]
        if agents[0] != agents[1]:
            return t.ok("a seed gives the same cluster every time", False, str(seed))
        ghosts = [g for g in a.guests.values() if g.node not in a.nodes]
        if ghosts:
            return t.ok("every guest is on a node", False, str(ghosts))
    t.ok("a seed gives the same cluster every time, after 60 steps, 20 seeds", True)
    c = Cluster(1, now=1_795_000_000, guests=9)
    c.split("pve2")
    c.destroy(100)
    views = [c.view(n) for n in c.nodes]
    t.same("a minority of one has no quorum, two of three have", [v.quorate for v in views], [True, False, True])
    t.same("and still shows the guest that is gone", [100 in v.guests for v in views], [False, True, False])
    return None


@scenario(60, daemon=False)
def self_place(t):
    rig = t.rig()
    c = Cluster(1, guests=12)
    node = rig.agent(c, "pve2", wired=False)
    code, out, err = node.run("/usr/bin/setpriv", "--reuid=65534", "--regid=33", "--clear-groups", "cat",
                              "/etc/pve/.members", "/etc/pve/.rrd", "/etc/pve/.vmlist", "/etc/pve/pve-root-ca.pem")
    t.ok("group www-data reads /etc/pve", code == 0 and '"nodename": "pve2"' in out and "BEGIN CERT" in out, err)
    code, out, _ = node.run("stat", "-c", "%a %N", "/etc/pve/local")
    t.same("local leads to the node, writable with quorum", out.strip(), "755 '/etc/pve/local' -> 'nodes/pve2'")
    c.split("pve2")
    node.refresh()
    wait_for("the bit goes", lambda: node.run("stat", "-c", "%a", "/etc/pve/local")[1].strip() == "555", 5)
    t.ok("without quorum its write bit is gone", True)
    names = node.must("ls", "-A", "/etc/pve").split()
    t.ok("every name is there once", len(names) == len(set(names)) and {"local", ".rrd", "nodes"} <= set(names), names)
    guest = node.cluster.view("pve2").own()[0]
    folder = "qemu-server" if guest.kind == "qemu" else "lxc"
    t.same("a config is what the model says", node.must("cat", f"/etc/pve/{folder}/{guest.vmid}.conf"),
           guestconf.text(guest))
    t.same("the host name", node.must("uname", "-n").strip(), "pve2")
    node.hang(True)
    pid = node.spawn(["/usr/bin/cat", "/etc/pve/.version"])
    t.never("a pmxcfs that hangs gives no answer", lambda: node.code(pid) is not None, 1)
    node.hang(False)
    t.comes("and goes on afterwards", lambda: node.code(pid) == 0, 5)


@scenario(40, daemon=False)
def self_nannyapi(t):
    rig = t.rig()
    api = Nanny(rig, "--static", "good")
    call = api.call
    t.same("no token", call("/api/proxmox/node", {})[:2], (401, {"error": "unauthorized"}))
    t.same("an unknown node", call("/api/proxmox/lxc", {"node": "x", "vmid": 1}, "good"),
           (400, {"error": "Node not found: x"}))
    node = {"name": "pve1", "ip": "10.0.0.1", "pveversion": "pve-manager/8.2.4/x", "nodeid": 0, "online": 1}
    t.same("a node", call("/api/proxmox/node", node, "good")[1]["message"], "Node ingested successfully")
    cluster = {"name": "prod", "nodes": 3, "quorate": 0, "version": 3, "px_cluster_id": "cluster"}
    status, body = call("/api/proxmox/cluster", cluster, "good")
    t.ok("quorate 0 is refused", status == 400 and "quorate" in body["data"], body)
    status, body = call("/api/proxmox/cluster", {**cluster, "quorate": 1}, "good")
    t.ok("quorate 1 is taken", status == 200, body)
    first = call("/api/proxmox/qemu", QEMU, "good")
    second = call("/api/proxmox/qemu", {**QEMU, "status": "stopped"}, "good")
    t.ok("the same guest again is the same record", first[0] == 200 and first == second, [first, second])
    t.ok("a VM without cpu is refused", call("/api/proxmox/qemu", {**QEMU, "cpu": ""}, "good")[0] == 400)
    started = call("/api/agent", {"action": "device-auth-start"})[1]
    ask = {"action": "register", "device_code": started["device_code"], "hostname": "h"}
    t.same("a code waits for a person", call("/api/agent", ask), (400, {"error": "device not authorized"}))
    api.approve(started["user_code"])
    pair = call("/api/agent", ask)[1]
    t.ok("then there are tokens", {"access_token", "refresh_token"} <= set(pair), pair)
    t.ok("and they are good", call("/api/proxmox/node", node, pair["access_token"])[0] == 200)
    t.ok("refresh", call("/api/agent", {"action": "refresh", "refresh_token": pair["refresh_token"]})[0] == 200)
    api.faults([{"kind": "500", "count": 1, "path": ""}, {"kind": "429", "count": 1, "path": ""}])
    t.same("faults are played, each as often as told", [call("/api/proxmox/node", node, "good")[0]
                                                        for _ in range(3)], [500, 429, 200])


QEMU = {"name": "a", "qemu_id": "qemu/100", "status": "running", "ostype": "l26", "uptime": 5, "vmid": 100,
        "node": "pve1", "cpu": "host", "boot": "order=scsi0"}
