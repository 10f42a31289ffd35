#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A volume is freed: who has it is asked first, and what cannot be known refuses. free.py [PATTERN...]"""
import time

import lib
from lib import MIB, Node, begin, check, connect, end, refused, warned


def frees():
    arrays, node = begin()
    node.call("alloc", vmid=100, size_kib=1024)
    arrays.zero()
    check("free: success", node.call("free", volname="vm-100-disk-0") is None)
    check("free: destroyed, not eradicated", arrays.volume("vg/vm-100-disk-0")["destroyed"])
    check("free: its requests", arrays.calls() ==
          {"GET volumes": 1, "GET volumes/tags": 1, "PATCH volumes": 1}, arrays.calls())
    check("free: again", node.call("free", volname="vm-100-disk-0") is None)
    check("free: what never was", node.call("free", volname="vm-100-disk-55") is None)
    node.call("alloc", vmid=100, name="vm-100-state-x", size_kib=1024)
    arrays.zero()
    node.call("free", volname="vm-100-state-x")
    check("free: of a state nobody asks whether it is protected", arrays.calls() ==
          {"GET volumes": 1, "PATCH volumes": 1, "DELETE volumes": 1}, arrays.calls())
    check("free: a state is eradicated", arrays.volume("vg/vm-100-state-x") is None)
    end(arrays, node)


def free_in_use():
    arrays, node = begin()
    name = node.call("alloc", vmid=100, size_kib=1024)
    full = "vg/" + name
    node.guest(100, f"scsi0: pure:{name},size=1M\n")
    serial = arrays.volume(full)["serial"]
    node.call("activate", volname=name)
    for state in ("open", "unknown"):
        node.use(serial, state)
        r = node.ask("free", volname=name)
        check(f"free: refused while it is {state} here", refused(r, "EBUSY"), r)
        check("free: and nothing is changed", not arrays.volume(full)["destroyed"] and
              arrays.connected(full) == ["pve1"] and node.size(serial))
    node.use(serial, "free")
    arrays.rest("POST", "connections", {"host_names": "backup", "volume_names": full})
    r = node.ask("free", volname=name)
    check("free: a host that is no node", refused(r, "EBUSY", "purevol disconnect --host backup"), r)
    arrays.rest("DELETE", "connections", {"host_names": "backup", "volume_names": full})
    arrays.rest("POST", "connections", {"host_names": "pve2", "volume_names": full})
    node.guest(100, f"scsi0: pure:{name},size=1M\n", node="pve2")
    r = node.ask("free", volname=name)
    check("free: a guest of the other node", refused(r, "EBUSY", "guest 100 on node pve2"), r)
    node.guest(100, f"lock: migrate\nscsi0: pure:{name},size=1M\n")
    r = node.ask("free", volname=name)
    check("free: while it migrates", refused(r, "EBUSY", "migrated"), r)
    check("free: nothing of it was touched", not arrays.volume(full)["destroyed"] and
          arrays.connected(full) == ["pve1", "pve2"] and node.size(serial))
    node.guest(100, f"scsi0: pure:{name},size=1M\n")
    node.call("attribute_set", volname=name, name="protected", value=1)
    r = node.ask("free", volname=name)
    check("free: protected", refused(r, "EPERM", "protected"), r)
    node.call("attribute_set", volname=name, name="protected", value=0)
    r = node.ask("free", volname=name)
    check("free: a connection that the other node forgot goes, and is named",
          r["ok"] and warned(r, "pve2") and not arrays.connected(full), r)
    check("free: destroyed and off the node", arrays.volume(full)["destroyed"] and node.size(serial) is None)
    end(arrays, node)


def free_faults():
    requests = [("GET", "volumes"), ("GET", "volumes/tags"), ("GET", "connections"),
                ("DELETE", "connections"), ("PATCH", "volumes")]

    def make(node, path):
        """A volume that is mapped here says by its connections that it is itself."""
        name = node.call("alloc", vmid=100, size_kib=1024)
        if path != "volumes" or method == "PATCH":
            node.call("activate", volname=name)
        return name
    for method, path in requests:
        arrays, node = begin()
        name = make(node, path)
        serial = arrays.volume("vg/" + name)["serial"]
        arrays.fault("status", method, path, status=403, count=-1)
        r = node.ask("free", volname=name)
        gone = arrays.volume("vg/" + name)["destroyed"]
        check(f"free, {method} {path} refused: an error, nothing destroyed", not r["ok"] and not gone, r)
        arrays.no_faults()
        check(f"free, {method} {path} refused: asked again, done", node.call("free", volname=name) is None and
              arrays.volume("vg/" + name)["destroyed"] and node.size(serial) is None)
        for kind in ("drop-after", "reset"):
            name = make(node, path)
            arrays.fault(kind, method, path)
            r = node.ask("free", volname=name)
            check(f"free, {method} {path} {kind}: done", r["ok"] and arrays.volume("vg/" + name)["destroyed"] and
                  not arrays.connected("vg/" + name), r)
        end(arrays, node)


def free_two_arrays():
    arrays, node = begin(2, podname="pod")
    name = node.call("alloc", vmid=100, size_kib=1024)
    full = "pod::" + name
    node.call("activate", volname=name)
    check("pod: connected on both", arrays.connected(full) == ["pve1"] ==
          arrays.connected(full, "fa2"))
    node.call("free", volname=name)
    check("free: disconnected on both, destroyed", not arrays.connected(full) and
          not arrays.connected(full, "fa2") and arrays.volume(full)["destroyed"])
    name = node.call("alloc", vmid=100, size_kib=1024)
    full = "pod::" + name
    node.call("activate", volname=name)
    arrays.fault("status", array="fa2", status=503, count=-1)
    r = node.ask("free", volname=name)
    check("free: an array is silent and the pod online there: refused, and nothing is touched", not r["ok"] and
          "is not known" in r["error"] and arrays.connected(full) == ["pve1"], r)
    for here, there in (("resyncing", "online"), ("offline", "unknown"), ("online", "suspended")):
        arrays.ask("POST", "/set", {"pod": "pod", "array": "fa1", "status": here})
        arrays.ask("POST", "/set", {"pod": "pod", "array": "fa2", "status": there})
        r = node.ask("free", volname=name)
        check(f"free: who answers is {here}, the silent one {there}: refused, and nothing is touched",
              not r["ok"] and ("is not known" in r["error"] or "is not online" in r["error"]) and
              arrays.connected(full) == ["pve1"] and not arrays.volume(full)["destroyed"], r)
    arrays.ask("POST", "/set", {"pod": "pod", "array": "fa1", "status": "online"})
    arrays.ask("POST", "/set", {"pod": "pod", "array": "fa2", "status": "online"})
    arrays.no_faults()
    arrays.down("fa2")
    r = node.ask("free", volname=name)
    check("free: the pod is not online there, and the array destroys nothing connected: refused",
          not r["ok"] and "existing connections" in r["error"] and not arrays.volume(full)["destroyed"], r)
    arrays.ask("POST", "/set", {"array": "fa1", "config": {"destroys_connected": True}})
    r = node.ask("free", volname=name)
    check("free: the pod is not online there, and the array does: done, and said", r["ok"] and
          warned(r, "not online") and arrays.volume(full)["destroyed"], r)
    check("free: and how its connections there end", warned(r, "purevol disconnect --host HOST " + full) and
          not warned(r, "array heal"), r)
    end(arrays, node)


def free_costs():
    """One request to each array says who is connected there; to the first one, that it is this volume as well."""
    arrays, node = begin(2, podname="pod")
    for name in ("vm-100-disk-0", "vm-100-disk-1"):
        node.call("alloc", vmid=100, size_kib=1024, name=name)
    node.call("activate", volname="vm-100-disk-1")
    arrays.counted()
    node.call("free", volname="vm-100-disk-0")
    found = arrays.counted()
    check("free, connected nowhere: its requests", found ==
          {"fa1 GET volumes": 1, "fa2 GET connections": 1, "fa1 GET volumes/tags": 1, "fa1 PATCH volumes": 1}, found)
    node.call("free", volname="vm-100-disk-1")
    found = arrays.counted()
    check("free, mapped here: its requests", found ==
          {"fa1 GET connections": 1, "fa2 GET connections": 1, "fa1 GET volumes/tags": 1,
           "fa1 DELETE connections": 1, "fa2 DELETE connections": 1, "fa1 PATCH volumes": 1}, found)
    end(arrays, node)


def free_left_connected():
    """What this node has forgotten on one array alone ends there."""
    for array in ("fa1", "fa2"):
        arrays, node = begin(2, podname="pod")
        name = node.call("alloc", vmid=100, size_kib=1024)
        connect(arrays, array, "pve1", "pod::" + name)
        r = node.ask("free", volname=name)
        check(f"free: a connection of this node that is left on {array} ends", r["ok"] and
              not arrays.connections() and arrays.volume("pod::" + name)["destroyed"], r)
        end(arrays, node)


def free_renamed():
    """A volume that this node has mapped went to another name, and its own is another volume's by now."""
    arrays, node = begin(2, podname="pod")
    name = node.call("alloc", vmid=100, size_kib=1024)
    full = "pod::" + name
    node.call("activate", volname=name)
    old = arrays.volume(full)["serial"]
    arrays.rest("PATCH", "volumes", {"names": full}, {"name": "pod::kept"})
    arrays.rest("POST", "volumes", {"names": full}, {"provisioned": MIB})
    for array in arrays.names:
        connect(arrays, array, "pve1", full)
    node.open(old)
    r = node.ask("free", volname=name)
    check("free: what had the name before is open here: nothing is destroyed", refused(r, "EBUSY") and
          not arrays.volume(full)["destroyed"] and not arrays.volume("pod::kept")["destroyed"], r)
    node.release(old)
    r = node.ask("free", volname=name)
    check("free: the new volume is destroyed, the other one stays and leaves the node", r["ok"] and
          arrays.volume(full)["destroyed"] and not arrays.volume("pod::kept")["destroyed"] and
          not node.mapped() and not arrays.connections(), (r, arrays.connections()))
    end(arrays, node)


def while_it_waits(arrays, node, call, then):
    """The reply to a call, during whose first half second something else is done."""
    node.send(call)
    time.sleep(0.5)
    then()
    return node.receive()


def free_connected_meanwhile():
    """Who is connected was read before something that took long: it is read again."""
    for array in ("fa1", "fa2"):
        arrays, node = begin(2, podname="pod")
        arrays.ask("POST", "/set", {"array": "fa1", "config": {"destroys_connected": True}})
        name = node.call("alloc", vmid=100, size_kib=1024)
        arrays.fault("latency", "GET", "volumes/tags", ms=2000)
        r = while_it_waits(arrays, node, node.request("free", volname=name),
                           lambda: connect(arrays, array, "backup", "pod::" + name))
        check(f"free: connected on {array} while the protection was asked for: refused",
              refused(r, "EBUSY", "purevol disconnect --host backup") and
              not arrays.volume("pod::" + name)["destroyed"], r)
        end(arrays, node)


def free_connected_while_it_leaves():
    """Taking the device away waits for its paths: who is connected was read before."""
    arrays, first = begin(2, podname="pod")
    first.close()
    node = Node(arrays, delay_ms=1500, podname="pod")
    arrays.ask("POST", "/set", {"array": "fa1", "config": {"destroys_connected": True}})
    name = node.call("alloc", vmid=100, size_kib=1024)
    full = "pod::" + name
    node.call("activate", volname=name)
    node.events()
    r = while_it_waits(arrays, node, node.request("free", volname=name), lambda: connect(arrays, "fa2", "backup", full))
    check("free: connected by another host while this node's device goes: refused",
          refused(r, "EBUSY", "purevol disconnect --host backup") and not arrays.volume(full)["destroyed"], r)
    check("free: this node's device was taken away", not node.mapped() and not arrays.connected(full), node.events())
    arrays.rest("DELETE", "connections", {"host_names": "backup", "volume_names": full}, array="fa2")
    check("free: asked again, done", node.call("free", volname=name) is None and arrays.volume(full)["destroyed"])
    end(arrays, node)


TESTS = (frees, free_in_use, free_faults, free_two_arrays, free_costs, free_left_connected, free_renamed,
         free_connected_meanwhile, free_connected_while_it_leaves)

if __name__ == "__main__":
    lib.run(TESTS)
