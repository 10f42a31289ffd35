# SPDX-License-Identifier: AGPL-3.0-or-later
"""What tests of mapping stand on: nodes, arrays and volumes; what is waited for, and what goes wrong
with an array."""
import json
import os
import time

from lib import GIB, Node, Sim

NQN = "nqn.2014-08.org.nvmexpress:uuid:pve1"


class Stage:
    def __init__(self, arrays=1, nodes=("pve1",), delay_ms=0, initiator=None, content=False, **config):
        self.sim = Sim(arrays, content=content)
        self.sim.furnish(nodes, initiator)
        place = {"podname": "pod"} if arrays > 1 else {}
        self.nodes = [Node(self.sim, n, delay_ms, **{**place, **config}) for n in nodes]
        self.node = self.nodes[0]
        self.config = self.node.config
        self.prefix = "pod::" if arrays > 1 else "vg/"

    def disk(self, name, size=GIB):
        self.sim.rest("POST", "volumes", {"names": self.prefix + name}, {"provisioned": size})
        return self.sim.volumes()[self.prefix + name]["serial"]

    def act(self, method, name, **args):
        return self.node.call(method, self.config, volname=name, **args)

    def fails(self, code, method, name, **args):
        reply = self.node.ask(method, self.config, volname=name, **args)
        assert not reply["ok"] and reply["code"] == code, reply
        return reply["error"]

    def clean(self):
        """Nothing is left: no device, no connection, no entry."""
        for node in self.nodes:
            assert not node.mapped(), node.mapped()
            assert not node.registry(), node.registry()
        assert not self.sim.connections(), self.sim.connections()

    def close(self):
        for node in self.nodes:
            node.close()
        self.sim.close()


def nvme_stage(**more):
    return Stage(initiator=NQN, protocol="nvme", **more)


def two():
    s = Stage(nodes=("pve1", "pve2"))
    return s, *s.nodes


def storages(s, n):
    """The storage `pure`, and others like it, in storage.cfg."""
    s.node.write("etc/pve/storage.cfg", "".join(
        f"purestorage: {name}\n" + "".join(f"\t{k} {v}\n" for k, v in s.config.items() if k != "type")
        + "\n" for name in ["pure"] + [f"p{i}" for i in range(1, n)]))


def two_with_storages():
    s = Stage(nodes=("pve1", "pve2"))
    storages(s, 1)
    with open(s.node.path("etc/pve/storage.cfg"), encoding="utf-8") as f:
        s.nodes[1].write("etc/pve/storage.cfg", f.read())
    return s, *s.nodes


def guest_with_state(s):
    """Two disks, and what else Proxmox hands over when the guest ends: an unused disk, two RAM snapshots."""
    mapped = [f"vm-100-disk-{i}" for i in range(2)]
    others = ["vm-100-disk-2", "vm-100-state-a", "vm-100-state-b"]
    for d in mapped + others:
        s.disk(d)
    return mapped, others


# ---- what is waited for ----

def until(what, limit):
    """What is said in the end, and how long that took."""
    begun = time.monotonic()
    while not (found := what()):
        assert time.monotonic() - begun < limit, f"not within {limit} s"
        time.sleep(0.1)
    return found, time.monotonic() - begun


def timed(call):
    begun = time.monotonic()
    return call(), time.monotonic() - begun


# ---- what becomes of an array, and what it was asked ----

def silence(s, array):
    s.sim.fault(kind="hang", array=array, count=-1, ms=120000)


def pod_is(s, status, *arrays):
    for array in arrays:
        s.sim.ask("POST", "/set", {"pod": "pod", "array": array, "status": status})


def of_volumes(s, array):
    """What that array was asked of volumes, and told to change, but for whom it connects."""
    return [call for call in s.sim.counted() if call.startswith(array + " ")
            and call.split(" ", 2)[2] not in ("pods", "arrays", "connections", "ports")]


# ---- what a node has, and says ----

def add_session(node, host, iqn, portal, state="LOGGED_IN"):
    """A session of iSCSI as /sys has it, on a SCSI host of its own."""
    at = f"sys/devices/platform/host{host}/session{host}/iscsi_session/session{host}"
    link = node.path(f"sys/class/iscsi_session/session{host}")
    for name, text in (("targetname", iqn), ("state", state), ("target_id", "0")):
        node.write(f"{at}/{name}", text + "\n")
    address, port = portal.split(":")
    node.write(f"sys/class/iscsi_connection/connection{host}:0/persistent_address", address + "\n")
    node.write(f"sys/class/iscsi_connection/connection{host}:0/persistent_port", port + "\n")
    os.makedirs(os.path.dirname(link), exist_ok=True)
    if not os.path.lexists(link):
        os.symlink(f"../../../{at}", link)


def aged(node):
    """As if all was activated an hour ago."""
    path = "var/lib/pvewarden/array/registry.json"
    with open(node.path(path), encoding="ascii") as f:
        doc = json.load(f)
    for entry in doc["entries"]:
        entry["checked"] -= 3600 * 1000
    node.write(path + ".new", json.dumps(doc))
    os.rename(node.path(path + ".new"), node.path(path))


def told(node, name):
    """The serial that path() says."""
    return node.call("path", volname=name)["path"][-24:].upper()
