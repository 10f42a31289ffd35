#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""race.py STOP-FILE OUT: what Proxmox does with guests while somebody cleans, over and over until
STOP-FILE is there: guests arrive, start, run with their disk open, stop and leave again, each step
under Proxmox' own lock of the guest; disks are opened and closed; entries are made by hand. Whatever
is wanted must be there while it is wanted. OUT gets one line of counts, and one for each harm done."""
import fcntl
import itertools
import os
import random
import subprocess
import sys
import threading
import time

stop, out = sys.argv[1:3]
PVE = "/etc/pve/nodes"
counts = {"starts": 0, "stops": 0, "reactivated": 0, "opened": 0, "made": 0, "gone_at_start": 0}
harm = []
versions = itertools.count(100)
where = {201: "pve2", 202: "pve1", 203: "pve2"}


def going():
    return not os.path.exists(stop)


class Lock:
    """As PVE::Tools::lock_file_full takes it."""

    def __init__(self, vmid):
        self.path = f"/run/lock/qemu-server/lock-{vmid}.conf"

    def __enter__(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self.file = open(self.path, "a")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *why):
        self.file.close()


def move(source, target, vmid, node):
    """pmxcfs moves a config and says so in .vmlist in one step, as seen from here."""
    os.rename(source, target)
    where[vmid] = node
    ids = ",\n".join(f'"{i}": {{ "node": "{n}", "type": "qemu", "version": {next(versions)} }}'
                     for i, n in sorted(where.items()))
    with open(f"/etc/pve/.vmlist.{vmid}", "w") as f:
        f.write(f'{{\n"version": {next(versions)},\n"ids": {{\n{ids}}}\n\n}}\n')
    os.rename(f"/etc/pve/.vmlist.{vmid}", "/etc/pve/.vmlist")


def lvm(*args):
    return subprocess.run(["lvchange", "-q", *args], capture_output=True).returncode


def identity(name):
    try:
        return os.stat(f"/dev/mapper/{name}").st_rdev
    except FileNotFoundError:
        return None


def start_qemu(vmid, device):
    """A process that Proxmox would take for this guest's, with its disk open."""
    env = dict(os.environ, ACTOR_OPEN=device, ACTOR_READY=f"/run/vmtest/race.{vmid}")
    if os.path.exists(env["ACTOR_READY"]):
        os.unlink(env["ACTOR_READY"])
    p = subprocess.Popen(["/usr/bin/kvm", "-id", str(vmid), "-pidfile",
                          f"/var/run/qemu-server/{vmid}.pid", "-daemonize"], env=env,
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(f"/var/run/qemu-server/{vmid}.pid", "w") as f:
        f.write(f"{p.pid}\n")
    for _ in range(200):
        if os.path.exists(env["ACTOR_READY"]) or p.poll() is not None:
            break
        time.sleep(0.02)
    return p


def guest(vmid, moves):
    """Comes from the other node (@moves) or was stopped here; its volume is active or not, as before."""
    here, there = (f"{PVE}/{n}/qemu-server/{vmid}.conf" for n in ("pve1", "pve2"))
    name = f"vg_san-vm--{vmid}--disk--0"
    while going():
        with Lock(vmid):
            if moves:
                move(there, here, vmid, "pve1")
            if lvm("-aly", f"vg_san/vm-{vmid}-disk-0"):
                harm.append(f"{vmid}: could not be activated")
            wanted = identity(name)
            qemu = start_qemu(vmid, f"/dev/mapper/{name}")
            if qemu.poll() is not None or wanted is None:
                harm.append(f"{vmid}: its disk went away while it was being started")
        counts["starts"] += 1
        for _ in range(random.randint(1, 5)):
            time.sleep(0.1)
            if identity(name) != wanted:
                harm.append(f"{vmid}: its mapping went away while it ran")
        with Lock(vmid):
            qemu.kill()
            qemu.wait()
            os.unlink(f"/var/run/qemu-server/{vmid}.pid")
            if moves:
                move(here, there, vmid, "pve2")
            counts["stops"] += 1
        # What was left active here is what clean is for: now it has a chance.
        time.sleep(random.choice((0.5, 1, 3, 8, 15)))
        counts["gone_at_start"] += identity(name) is None


def opener(name, lv):
    """Somebody who looks into a disk that no guest of this node has, and activates it for that."""
    while going():
        try:
            fd = os.open(f"/dev/mapper/{name}", os.O_RDONLY)
        except OSError:  # not there: ENOENT, or ENXIO when it goes just now
            time.sleep(1 + random.random() * 4)
            counts["reactivated"] += lvm("-aly", lv) == 0
            continue
        before = identity(name)
        time.sleep(random.random() * 0.4)
        if identity(name) != before:
            harm.append(f"{name}: went away while it was open")
        os.close(fd)
        counts["opened"] += 1
        time.sleep(random.random() * 0.8)


def maker(name, device):
    """A person at a shell, who makes the same entry again and again; each is for cleaning."""
    while going():
        if identity(name) is None:
            r = subprocess.run(["dmsetup", "create", name, "--table", f"0 8 linear {device} 0"],
                               capture_output=True).returncode
            counts["made"] += r == 0
        time.sleep(random.random() * 0.7)


threads = [threading.Thread(target=guest, args=(201, True)),
           threading.Thread(target=guest, args=(202, False)),
           threading.Thread(target=opener, args=("vg_san-vm--203--disk--0", "vg_san/vm-203-disk-0")),
           threading.Thread(target=maker, args=("test--vm--999--disk--0", sys.argv[3]))]
for t in threads:
    t.start()
for t in threads:
    t.join()
with open(out, "w") as f:
    print(" ".join(f"{k}={v}" for k, v in counts.items()), file=f)
    for line in harm:
        print("harm:", line, file=f)
