#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Proxmox' CRM and LRM for the tests, one process a node; the first node of the alphabet is master.

	ha.py DELAY	looks every DELAY seconds

The master takes what was queued (crm_commands) and what resources.cfg asks for into manager_status;
each node does to its own guests what stands there, through qm and pct as HA does: a stop with its
timeout and forceStop, a start, and a start again of what fell over (pve-ha-manager: Manager.pm,
LRM.pm, Resources/PVEVM.pm).
"""
import fcntl
import json
import os
import subprocess
import sys
import time

RIG, HA = "/run/rig", "/etc/pve/ha"
NODE = os.uname().nodename


def resources():
    found, section = {}, None
    try:
        with open(f"{HA}/resources.cfg", encoding="utf8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return found
    for line in lines:
        if line and not line[0].isspace():
            kind, _, name = line.partition(":")
            section = found.setdefault(f"{kind}:{name.strip()}", {"state": "started"})
        elif section is not None and line.strip():
            key, _, value = line.strip().partition(" ")
            section[key] = value.strip()
    return found


def save_resources(found):
    with open(f"{HA}/resources.cfg.ha", "w", encoding="utf8") as file:
        for sid, keys in found.items():
            file.write(sid.replace(":", ": ") + "\n" +
                       "".join(f"\t{k} {v}\n" for k, v in keys.items()) + "\n")
    os.rename(f"{HA}/resources.cfg.ha", f"{HA}/resources.cfg")


def status():
    try:
        with open(f"{HA}/manager_status", encoding="utf8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {"service_status": {}}


def save_status(doc):
    doc.update(timestamp=int(time.time()), master_node=sorted(os.listdir("/etc/pve/nodes"))[0],
               node_status={n: "online" for n in os.listdir("/etc/pve/nodes")})
    with open(f"{HA}/manager_status.{NODE}", "w", encoding="utf8") as file:
        json.dump(doc, file)
    os.rename(f"{HA}/manager_status.{NODE}", f"{HA}/manager_status")


def node_of(sid):
    kind, _, vmid = sid.partition(":")
    folder = "qemu-server" if kind == "vm" else "lxc"
    for node in os.listdir("/etc/pve/nodes"):
        if os.path.exists(f"/etc/pve/nodes/{node}/{folder}/{vmid}.conf"):
            return node
    return None


def tool(sid, *args):
    kind, _, vmid = sid.partition(":")
    program = "/usr/sbin/qm" if kind == "vm" else "/usr/sbin/pct"
    return subprocess.run([program, args[0], vmid, *args[1:], "--rig-as-ha"], check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


def commands():
    with open(f"{RIG}/crm_commands", "a+", encoding="utf8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        lines = file.read().splitlines()
        file.truncate(0)
    return [line.split() for line in lines]


def manage(doc):
    """The master's round."""
    wanted, services = resources(), doc.setdefault("service_status", {})
    for _, sid, timeout in commands():
        if sid in wanted:
            wanted[sid]["state"] = "stopped"
            save_resources(wanted)
            services.setdefault(sid, {})["timeout"] = int(timeout)
    for sid, keys in wanted.items():
        service = services.setdefault(sid, {"state": "started"})
        service["node"] = node_of(sid)
        state = service.get("state", "started")
        if keys["state"] in ("stopped", "disabled") and state == "started":
            service["state"] = "request_stop"
        elif keys["state"] == "started" and state in ("stopped", "request_stop"):
            service["state"] = "started"
    for sid in [s for s in services if s not in wanted]:
        del services[sid]


def serve(doc):
    """The round of this node."""
    for sid, service in doc.get("service_status", {}).items():
        if service.get("node") != NODE or service.get("state") in ("error", "freeze"):
            continue
        running = "running" in tool(sid, "status").stdout
        if service["state"] == "request_stop":
            if running:
                timeout = service.pop("timeout", 60)
                if timeout:
                    tool(sid, "shutdown", "--timeout", str(timeout), "--forceStop", "1")
                else:
                    tool(sid, "stop")
            service["state"] = "stopped"
        elif service["state"] == "started" and not running:
            if tool(sid, "start").returncode:
                service["state"] = "error"


def main():
    delay = float(sys.argv[1])
    while True:
        time.sleep(delay)
        with open(f"{RIG}/ha.lock", "a", encoding="utf8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.lstat("/etc/pve/local").st_mode & 0o200:
                continue
            doc = status()
            before = json.dumps(doc.get("service_status"))
            if NODE == sorted(os.listdir("/etc/pve/nodes"))[0]:
                manage(doc)
                save_status(doc)
            serve(doc)
            if json.dumps(doc.get("service_status")) != before:
                save_status(doc)


main()
