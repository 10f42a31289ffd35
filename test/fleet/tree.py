# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a node of cluster.py has on its file system, below a folder: /etc/pve as pmxcfs shows it, the
files of /proc and /sys that an agent reads, what other parts have published. write() again after
something happened changes only what is different, each file at once."""
import contextlib
import functools
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time

import guestconf
from cluster import VERSIONS

GENERATED = (".members", ".vmlist", ".version", ".rrd", ".clusterlog")
WATCHED = ("storage.cfg", "datacenter.cfg", "user.cfg", "corosync.conf", "ha/manager_status",
           "ha/resources.cfg", "ha/rules.cfg", "ha/groups.cfg", "jobs.cfg", "replication.cfg")
STORAGES = (("dir", "local", "path /var/lib/vz", "iso,vztmpl,backup", False),
            ("lvmthin", "local-lvm", "vgname pve\n\tthinpool data", "images,rootdir", False),
            ("rbd", "ceph-vm", "pool vm\n\tmonhost 10.0.9.1", "images", True),
            ("nfs", "nfs1", "server 10.0.9.9\n\texport /srv\n\tpath /mnt/pve/nfs1", "images,backup", True),
            ("dir", "broken", "path /mnt/none", "images", False),
            ("zfspool", "local-zfs", "pool rpool/data", "images,rootdir", False))
INACTIVE = ("broken",)  # enabled, and never sampled


@functools.lru_cache(maxsize=None)
def certificate(uuid):
    """/etc/pve/pve-root-ca.pem as PVE::Cluster::Setup::gen_pve_root_ca_cert makes it."""
    subject = f"/CN=Proxmox Virtual Environment/OU={uuid}/O=PVE Cluster Manager CA/"
    with tempfile.TemporaryDirectory(prefix="fleet-ca-") as folder:
        subprocess.run(["openssl", "req", "-batch", "-days", "3650", "-new", "-x509", "-nodes", "-newkey",
                        "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", f"{folder}/key", "-out",
                        f"{folder}/pem", "-subj", subject], check=True, stderr=subprocess.DEVNULL)
        with open(f"{folder}/pem", encoding="ascii") as file:
            return file.read()


class Tree:
    def __init__(self, cluster, name, folder):
        self.cluster, self.name, self.folder = cluster, name, folder
        self.there, self.seen, self.texts = {}, {}, {}

    def write(self):
        view = self.cluster.view(self.name)
        files = {f"etc/pve/{p}": t for p, t in self.pve(view).items()}
        files.update(self.system(view))
        for path, text in files.items():
            if self.there.get(path) != text:
                self.put(path, text)
        for path in set(self.there) - set(files):
            self.remove(path)
        self.there = files
        self.links()

    def put(self, path, text):
        full = f"{self.folder}/{path}"
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full + ".tmp~", "w", encoding="utf8") as file:
            file.write(text)
        os.rename(full + ".tmp~", full)

    def remove(self, path):
        full = f"{self.folder}/{path}"
        with contextlib.suppress(FileNotFoundError):  # it went with its folder
            os.unlink(full)
        if path.startswith(("proc/", "sys/")):  # a process or a cgroup that is gone
            shutil.rmtree(os.path.dirname(full), ignore_errors=True)

    def links(self):
        base = f"{self.folder}/etc/pve"
        for name, target in (("local", f"nodes/{self.name}"), ("qemu-server", f"nodes/{self.name}/qemu-server"),
                             ("lxc", f"nodes/{self.name}/lxc")):
            if not os.path.islink(f"{base}/{name}"):
                os.symlink(target, f"{base}/{name}")
        for node in self.cluster.nodes:
            for kind in ("qemu-server", "lxc", "priv"):
                os.makedirs(f"{base}/nodes/{node}/{kind}", exist_ok=True)

    # --- /etc/pve -------------------------------------------------------------------------------

    def pve(self, view):
        c = self.cluster
        files = {"storage.cfg": storage_cfg(), "datacenter.cfg": "keyboard: de\n# ein Büro\n"
                 "migration: secure,network=10.0.1.0/24\ntag-style: shape=full\n",
                 "user.cfg": "user:root@pam:1:0:::root@example.com:::\n"
                 f"pool:inside:all containers:{','.join(str(g.vmid) for g in view.guests.values() if g.kind == 'lxc')}::\n",
                 "jobs.cfg": jobs_cfg(view), "pve-root-ca.pem": certificate(c.uuid)}
        if c.clustered:
            files["corosync.conf"] = corosync_conf(c)
            files["ha/resources.cfg"] = ha_resources(c, view)
            files["ha/manager_status"] = ha_status(c, view, self.there.get("etc/pve/ha/manager_status"))
            for name in c.nodes:
                files[f"nodes/{name}/lrm_status"] = json.dumps(
                    {"mode": "active", "state": "active", "timestamp": int(c.now), "results": {}})
        for guest in view.guests.values():
            folder = "qemu-server" if guest.kind == "qemu" else "lxc"
            files[f"nodes/{guest.node}/{folder}/{guest.vmid}.conf"] = self.config(guest)
        files[".members"] = members(c, view)
        files[".vmlist"] = vmlist(c, view)
        files[".rrd"] = rrd(c, view)
        files[".clusterlog"] = '{"data": []}\n'
        files[".version"] = self.versions(view, files)
        return files

    def config(self, guest):
        """Templates, locks and pending changes of the start do not raise the version."""
        known = self.texts.get(guest.vmid)
        if known is None or known[0] is not guest or known[1] != guest.version:
            self.texts[guest.vmid] = known = (guest, guest.version, guestconf.text(guest))
        return known[2]

    def versions(self, view, files):
        c = self.cluster
        doc = {"starttime": view.me.boot + 20, "clinfo": c.config_version + len(view.online),
               "vmlist": c.counter}
        for name in WATCHED:
            mark = hashlib.md5(files[name].encode()).digest() if name in files else None
            old = self.seen.get(name, (None, 0))
            if old[0] != mark:
                self.seen[name] = (mark, old[1] + 1)
            doc[name] = self.seen.get(name, (None, 0))[1]
        doc["kvstore"] = {n: {"tasklist": int(c.now) // 10, "nodeip": 1} for n in sorted(view.online)}
        return json.dumps(doc) + "\n"

    # --- the machine ----------------------------------------------------------------------------

    def system(self, view):
        c, me = self.cluster, view.me
        release, repoid, kernel = VERSIONS[me.pve]
        up = int(c.now) - me.boot
        files = {
            "usr/share/perl5/PVE/pvecfg.pm":
                "package PVE::pvecfg;\n\nuse strict;\nuse vars qw(@ISA);\nuse Carp;\n\nsub package {\n"
                f"    return 'pve-manager';\n}}\n\nsub version {{\n    return '{release}';\n}}\n\n"
                f"sub release {{\n    return '{release.rpartition('.')[0] or release[:3]}';\n}}\n\n"
                f"sub repoid {{\n    return '{repoid}';\n}}\n\n# this is a constant\n1;\n",
            "proc/stat": f"cpu  {up * 100} 0 {up * 30} {up * 1400} {up * 3} 0 {up} 0 0 0\n"
                         f"ctxt 1\nbtime {me.boot}\nprocesses 100\n",
            "proc/uptime": f"{up}.50 {up * 15}.00\n",
            "proc/loadavg": f"{me.load:.2f} 0.30 0.20 1/300 4000\n",
            "proc/meminfo": "".join(f"{k}:{v // 1024:>15} kB\n" for k, v in (
                ("MemTotal", me.memory), ("MemFree", (me.memory - me.used) // 2),
                ("MemAvailable", me.memory - me.used), ("Buffers", 1 << 28), ("Cached", 1 << 31),
                ("SwapTotal", 8 << 30), ("SwapFree", 7 << 30))),
            "proc/cpuinfo": "".join(
                f"processor\t: {i}\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) CPU E5-2670 v3 @ "
                f"2.30GHz\ncpu MHz\t\t: 2300.000\nphysical id\t: {i // 8}\nsiblings\t: 8\ncore id\t\t: "
                f"{i % 4}\ncpu cores\t: 4\nflags\t\t: fpu vme de vmx sse\n\n" for i in range(16)),
            "proc/sys/kernel/osrelease": kernel + "\n",
            "proc/pressure/cpu": "some avg10=1.50 avg60=1.00 avg300=0.50 total=1000\n"
                                 "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
            "proc/pressure/io": "some avg10=0.70 avg60=0.50 avg300=0.10 total=1000\n"
                                "full avg10=0.20 avg60=0.10 avg300=0.00 total=100\n",
            "proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
                                    "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
            "proc/net/unix": "Num       RefCount Protocol Flags    Type St Inode Path\n" + "".join(
                f"0000000000000000: 00000002 00000000 00010000 0001 01 {20000 + g.vmid} "
                f"@/var/lib/lxc/{g.vmid}/command\n" for g in view.own() if g.kind == "lxc" and g.running()),
            "etc/hostname": self.name + "\n",
            "etc/hosts": f"127.0.0.1 localhost\n{me.ip} {self.name}.example.com {self.name}\n",
            "run/pvewarden/dm/dm.json": json.dumps({"schema": "pvewarden.dm/1", "time": stamp(c.now),
                                                    "state": "ok", "findings": []}),
            "run/pvewarden/watch/watch.json": json.dumps({"schema": "pvewarden.watch/1", "pid": 1,
                                                          "time": stamp(c.now), "guests": []}),
            "capture.json": json.dumps({
                "schema": "pvewarden.capture/1", "pvewarden": "0.1.0", "node": self.name,
                "time": stamp(c.now), "boot_time": stamp(me.boot), "kernel": kernel,
                "quorate": view.quorate, "dm_driver": "4.47.0", "dm_library": "1.02.185 (2022-05-18)",
                "lvm_error": None, "disks": [], "flocks": [], "host": {
                    "cpu_percent": round(me.cpu * 100, 2),
                    "filesystems": [{"path": "/", "total": 234567890000, "used": 111111101000}],
                    "processes": []}}, indent=1) + "\n",
        }
        for guest in view.own():
            if guest.kind == "qemu" and guest.running():
                files.update(qemu_files(c, guest, me))
            elif guest.running():
                files[f"sys/fs/cgroup/lxc/{guest.vmid}/cgroup.procs"] = ""
                files[f"sys/fs/cgroup/lxc.monitor/{guest.vmid}/cgroup.procs"] = f"{200000 + guest.vmid}\n"
        return files


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def qemu_files(cluster, guest, node):
    pid = 100000 + guest.vmid
    argv = ["/usr/bin/kvm", "-id", str(guest.vmid), "-name", f"{guest.name},debug-threads=on",
            "-pidfile", f"/var/run/qemu-server/{guest.vmid}.pid", "-daemonize"]
    ticks = int(max(guest.started - node.boot, 1) * 100)
    return {f"sys/fs/cgroup/qemu.slice/{guest.vmid}.scope/cgroup.procs": f"{pid}\n",
            f"proc/{pid}/cmdline": "\0".join(argv) + "\0",
            f"proc/{pid}/stat": f"{pid} (kvm) S 1 {pid} {pid} 0 -1 0 0 0 0 0 500 200 0 0 20 0 4 0 {ticks} "
                                "4000000000 300000 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
            f"run/qemu-server/{guest.vmid}.pid": f"{pid}\n"}


def members(cluster, view):
    if not cluster.clustered:
        return f'{{\n"nodename": "{view.me.name}",\n"version": 0\n}}\n'
    rows = ",\n".join(f'  "{n.name}": {{ "id": {n.id}, "online": {int(n.name in view.online)}, "ip": "{n.ip}"}}'
                      for n in cluster.nodes.values())
    return (f'{{\n"nodename": "{view.me.name}",\n"version": {cluster.config_version + 4},\n"cluster": {{ "name": '
            f'"{cluster.name}", "version": {cluster.config_version}, "nodes": {len(cluster.nodes)}, "quorate": '
            f'{int(view.quorate)} }},\n"nodelist": {{\n{rows}\n  }}\n}}\n')


def vmlist(cluster, view):
    if not view.guests:
        return f'{{\n"version": {cluster.counter}\n}}\n'
    rows = ",\n".join(f'"{g.vmid}": {{ "node": "{g.node}", "type": "{g.kind}", "version": {g.version} }}'
                      for g in view.guests.values())
    return f'{{\n"version": {cluster.counter},\n"ids": {{\n{rows}}}\n}}\n'


def rrd(cluster, view):
    """Samples of the nodes that are seen; pvestatd sends one every ten seconds."""
    at, lines = int(cluster.now) // 10 * 10, []
    for name in sorted(view.online):
        node = cluster.nodes[name]
        new = node.pve >= 9
        fields = [int(cluster.now) - node.boot, "", at, node.load, 16, round(node.cpu, 4), round(node.iowait, 4),
                  node.memory, node.used, 8 << 30, 1 << 30, 234567890000, 111111101000, *node.net]
        fields += [node.memory - node.used, 0, 1.5, 0.7, 0.2, 0.0, 0.0] if new else []
        lines.append(line(f"pve-node-9.0/{name}" if new else f"pve2-node/{name}", fields))
        for storage in STORAGES:
            if storage[1] not in INACTIVE:
                lines.append(line(("pve-storage-9.0" if new else "pve2-storage") + f"/{name}/{storage[1]}",
                                  [at, 31044079616, 17571426304]))
    for g in view.guests.values():
        node = cluster.nodes[g.node]
        if g.node not in view.online:
            continue
        new, on = node.pve >= 9, g.running()
        live = [g.cpu and round(g.cpu, 4), g.memory_mb << 20, g.mem] if on else ["U", g.memory_mb << 20, "U"]
        fields = [g.uptime(cluster.now), g.name, g.status, int(g.template), at, g.cpus, *live, g.disk,
                  0 if g.kind == "qemu" else 4294967296, *(g.traffic if on else ["U"] * 4)]
        fields += [g.mem if g.kind == "qemu" and on else "U"] + ([0.1, 0.0, 0.2, 0.0, 0.0, 0.0] if on else
                                                                 ["U"] * 6) if new else []
        lines.append(line(f"pve-vm-9.0/{g.vmid}" if new else f"pve2.3-vm/{g.vmid}", fields))
    return "".join(lines)


def line(key, fields):
    return f"{key}:{':'.join(str(f).replace(':', '_') for f in fields)}\n"


def storage_cfg():
    blocks = [f"{kind}: {name}\n\t{body}\n\tcontent {content}\n" + ("\tshared 1\n" if shared else "")
              for kind, name, body, content, shared in STORAGES]
    blocks.append("purestorage: array1\n\taddress 10.0.9.2\n\tcontent images\n\tdisable\n")
    return "\n".join(blocks)


def jobs_cfg(view):
    listed = ",".join(str(v) for v in sorted(view.guests) if v % 2 == 0 and v % 10)
    unlisted = ",".join(str(v) for v in sorted(view.guests) if v % 10 == 0)
    return (f"vzdump: backup-night\n\tschedule 21:00\n\tenabled 1\n\tvmid {listed or 100}\n\tstorage nfs1\n\t"
            "mode snapshot\n\n"
            f"vzdump: backup-off\n\tschedule sun 01:00\n\tenabled 0\n\tvmid {unlisted or 100}\n\tstorage nfs1\n\n")


def corosync_conf(cluster):
    nodes = "".join(f"  node {{\n    name: {n.name}\n    nodeid: {n.id}\n    quorum_votes: 1\n    ring0_addr: {n.ip}\n"
                    "  }\n" for n in cluster.nodes.values())
    return (f"logging {{\n  debug: off\n}}\n\nnodelist {{\n{nodes}}}\n\nquorum {{\n  provider: corosync_votequorum\n}}\n\n"
            f"totem {{\n  cluster_name: {cluster.name}\n  config_version: {cluster.config_version}\n  interface {{\n"
            "    linknumber: 0\n  }\n  ip_version: ipv4-6\n  secauth: on\n  version: 2\n}\n")


def managed(cluster, view):
    return [g for g in view.guests.values() if cluster.ha_managed(g)]


def sid(guest):
    return f"{'vm' if guest.kind == 'qemu' else 'ct'}:{guest.vmid}"


def ha_resources(cluster, view):
    return "\n".join(f"{sid(g).replace(':', ': ')}\n\tstate started\n\tmax_restart 2\n" for g in managed(cluster, view))


def ha_status(cluster, view, old):
    """Written by the master only: without quorum the last one stands still."""
    if not view.quorate and old:
        return old
    return json.dumps({
        "master_node": cluster.master(), "timestamp": int(cluster.now),
        "node_status": {n.name: "online" if n.name in view.online else "unknown" for n in cluster.nodes.values()},
        "service_status": {sid(g): {"node": g.node, "state": "started", "uid": f"u{g.vmid}", "running": 1}
                           for g in managed(cluster, view)}})
