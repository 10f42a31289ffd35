#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The storage itself: its status, and how it is added, changed and removed. storages.py [PATTERN...]"""
import os
import stat
import time

import lib
from lib import GIB, HOSTS, MIB, Node, Sim, begin, check, end, refused, warned


def status():
    arrays, node = begin()
    arrays.zero()
    replies = node.many(40, "status") + node.many(10, "check_connection") + node.many(10, "status")
    check("status: all have an answer", all(r["ok"] for r in replies), replies)
    check("status: one request for 60 callers", sum(arrays.calls().values()) == 1, arrays.calls())
    s = replies[0]["result"]
    check("status: whole numbers that agree", s["active"] == 1 and s["avail"] == s["total"] - s["used"] and
          all(isinstance(x, int) and x >= 0 for x in s.values()), s)
    node.restart()
    arrays.fault("latency", "GET", "", ms=300, count=-1)
    arrays.zero()
    replies = node.many(40, "status")
    check("status: who asks meanwhile waits for the same answer", all(r["ok"] for r in replies) and
          sum(arrays.calls().values()) == 1, arrays.calls())
    arrays.no_faults()
    ident = node.call("identity")
    arrays.zero()
    check("identity: the same, without a request", node.call("identity") == ident and ident and not arrays.calls())
    arrays.down("fa1")
    node.restart()
    began = time.monotonic()
    r = node.ask("status")
    check("status: unknown is a failure", not r["ok"], r)
    r = node.ask("check_connection")
    check("check_connection: out of reach", r["ok"] and r["result"] is False and r["log"], r)
    check("status: in its time", time.monotonic() - began < 6)
    arrays.up("fa1")
    time.sleep(2.1)
    check("check_connection: back", node.call("check_connection") is True)
    end(arrays, node)


def pod_status():
    arrays = Sim(1)
    arrays.make(hosts=HOSTS, pods=[{"name": "pod", "quota_limit": 10 * GIB}])
    node = Node(arrays, podname="pod")
    node.call("alloc", vmid=100, size_kib=4 << 20)
    s = node.call("status")
    check("status: a pod's quota", s == {"total": 10 * GIB, "used": 4 * GIB, "avail": 6 * GIB, "active": 1}, s)
    end(arrays, node)


def token_file(node):
    path = node.path("etc/pve/priv/storage/pure.purestorage-token")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as f:
        return f.read(), stat.S_IMODE(os.stat(path).st_mode)


def adding():
    arrays, node = begin()
    bare = {k: v for k, v in node.config.items() if k != "token"}
    secret = {"token": "fa1-token"}
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add: done, nothing to warn of", r["ok"] and r["result"] == {} and
          not any("host" in t for _, t in r["log"]), r)
    check("on_add: the token is kept", token_file(node) == ("fa1-token\n", 0o600), token_file(node))
    check("alloc: with the kept token", node.call("alloc", config=bare, vmid=1, size_kib=1024))
    r = node.ask("on_add", config={k: v for k, v in bare.items() if k != "check_ssl"}, secrets=secret)
    check("on_add: certificates are verified by default", r["ok"] and r["result"] == {"config": {"check_ssl": 1}}, r)
    node.ask("on_delete", config=bare)
    check("on_delete: the token is gone", token_file(node) is None)
    for what, config, secrets, text in (
            ("a wrong token", bare, {"token": "wrong"}, ""),
            ("two tokens too few", {**bare, "address": bare["address"] + ",http://127.0.0.1:1"}, secret, "tokens"),
            ("an address twice", {**bare, "address": bare["address"] + "," + bare["address"] + "/"},
             {"token": "fa1-token,fa1-token"}, "twice"),
            ("no token", bare, None, "token"),
            ("no volume group", {**bare, "vgname": "nope"}, secret, "purevgroup create nope"),
            ("no pod", {**{k: v for k, v in bare.items() if k != "vgname"}, "podname": "nope"}, secret,
             "purepod create nope"),
            ("an array that is not there", {**bare, "address": "http://127.0.0.1:1"}, secret, "")):
        r = node.ask("on_add", config=config, secrets=secrets)
        check(f"on_add: {what} is refused", not r["ok"] and text in r["error"], r)
        check(f"on_add: {what}: no token is kept", token_file(node) is None)
    node.restart()  # nothing was warned about yet
    unsaid = {k: v for k, v in bare.items() if k != "check_ssl"}
    r = node.ask("on_add", config=unsaid, secrets=secret)
    check("on_add: that it will verify certificates is not warned about as if it did not", r["ok"] and
          r["result"] == {"config": {"check_ssl": 1}} and not warned(r, "check_ssl"), r)
    r = node.ask("on_add", config={**bare, "hgsuffix": "new"}, secrets=secret)
    check("on_add: no host object: a warning with the command", r["ok"] and warned(
        r, "purehost create --iqnlist iqn.2004-10.com.ubuntu:01:pve1 pve1-new"), r)
    arrays.rest("POST", "volumes", {"names": "vg/vm-7-disk-0"}, {"provisioned": MIB})
    for host in ("pve1", "pve2"):
        arrays.rest("POST", "connections", {"volume_names": "vg/vm-7-disk-0", "host_names": host})
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add: volumes of this cluster's nodes are no reason to warn", r["ok"] and not any(
        level == "warning" for level, _ in r["log"]), r)
    arrays.rest("POST", "connections", {"volume_names": "vg/vm-7-disk-0", "host_names": "backup"})
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add: what is connected to other hosts may be another cluster's: a warning", r["ok"] and warned(
        r, "backup") and warned(r, "vnprefix"), r)
    check("on_add: the array has no host more", len(arrays.state()["arrays"]["fa1"]["hosts"]) == len(HOSTS))
    end(arrays, node)


def hook_faults():
    """on_add and on_update with each of their requests cut or refused: done, or nothing is kept."""
    arrays, node = begin()
    bare = {k: v for k, v in node.config.items() if k != "token"}
    old, new = {"token": "fa1-token"}, {"token": "new"}
    for method, path in (("GET", "volume-groups"), ("GET", "hosts"), ("GET", "arrays"), ("POST", "login")):
        for kind in ("drop", "drop-after", "half-closed", "truncated"):
            node.restart()
            arrays.fault(kind, method, path)
            r = node.ask("on_add", config=bare, secrets=old)
            arrays.no_faults()
            check(f"on_add, {method} {path} {kind}: done", r["ok"] and token_file(node), r)
            node.ask("on_delete", config=bare)
        node.restart()
        arrays.fault("status", method, path, status=500, count=-1)
        r = node.ask("on_add", config=bare, secrets=old)
        arrays.no_faults()
        check(f"on_add, {method} {path} refused: kept only when done", bool(token_file(node)) == r["ok"], r)
        node.ask("on_delete", config=bare)
        node.call("on_add", config=bare, secrets=old)
        node.restart()
        arrays.make(config={"api_token": "new"})
        arrays.fault("status", method, path, status=500, count=-1)
        r = node.ask("on_update", config=bare, update={}, delete=[], secrets=new)
        arrays.no_faults()
        check(f"on_update, {method} {path} refused: the new token is kept only when done",
              token_file(node)[0] == (new if r["ok"] else old)["token"] + "\n", (r, token_file(node)))
        node.ask("on_delete", config=bare)
        check(f"on_delete after that, {method} {path}: no token is left", token_file(node) is None)
        arrays.make(config={"api_token": "fa1-token"})
    end(arrays, node)


def adding_two():
    arrays, node = begin(2, podname="pod")
    bare = {k: v for k, v in node.config.items() if k != "token"}
    secret = {"token": "fa1-token,fa2-token"}
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add, two arrays: done", r["ok"] and token_file(node)[0] == "fa1-token,fa2-token\n", r)
    ident = node.call("identity")
    check("identity: of both", len(ident.split(",")) == 2 and len(set(ident.split(","))) == 2, ident)
    arrays.down("fa2")
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add: the second out of reach is a warning", r["ok"] and warned(r, str(arrays.ports["fa2"])), r)
    node.restart()
    r = node.ask("identity")
    check("identity: not without one of them", not r["ok"], r)
    arrays.up("fa2")
    arrays.down("fa1")
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add: the first out of reach is refused", not r["ok"], r)
    end(arrays, node)


def adding_nvme():
    arrays, node = begin(2, podname="pod", protocol="nvme")
    bare = {k: v for k, v in node.config.items() if k != "token"}
    secret = {"token": "fa1-token,fa2-token"}
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add: a pod of two NVMe subsystems is refused", refused(r, "EOPNOTSUPP", "two NVMe subsystems"), r)
    check("on_add: and leaves no token", token_file(node) is None)
    r = node.ask("on_add", config={**bare, "protocol": "iscsi"}, secrets=secret)
    check("on_add: by iSCSI it is not", r["ok"], r)
    r = node.ask("on_update", config={**bare, "protocol": "iscsi"}, update={"protocol": "nvme"}, delete=[])
    check("on_update: nor is it changed to NVMe", refused(r, "EOPNOTSUPP", "two NVMe subsystems"), r)
    one = {**bare, "address": bare["address"].split(",")[0]}
    r = node.ask("on_add", config=one, secrets={"token": "fa1-token"})
    check("on_add: one array of it alone", r["ok"], r)
    arrays.down("fa2")
    r = node.ask("on_add", config=bare, secrets=secret)
    check("on_add: what is not known of one is no reason", r["ok"] and warned(r, str(arrays.ports["fa2"])), r)
    end(arrays, node)


def changing():
    arrays, node = begin()
    bare = {k: v for k, v in node.config.items() if k != "token"}
    node.ask("on_add", config=bare, secrets={"token": "fa1-token"})
    arrays.down("fa1")
    r = node.ask("on_update", config=bare, update={"disable": 1, "content": "images"}, delete=[])
    check("on_update: what is not the array's needs no array", r["ok"] and r["result"] == {}, r)
    r = node.ask("on_update", config=bare, update={"hgsuffix": "x"}, delete=[])
    check("on_update: what is, does", not r["ok"], r)
    arrays.up("fa1")
    r = node.ask("on_update", config=bare, update={"purestorage-quota": "lots"}, delete=[])
    check("on_update: a bad value", refused(r, "EINVAL", "purestorage-quota"), r)
    for key, value in (("iops", "99"), ("iops", "100000001"), ("bandwidth", "1000"), ("bandwidth", "1T")):
        r = node.ask("on_update", config=bare, update={f"purestorage-{key}": value}, delete=[])
        check(f"on_update: {key} {value} is no limit that an array takes",
              refused(r, "EINVAL", f"purestorage-{key}"), r)
        r = node.ask("on_add", config={**bare, f"purestorage-{key}": value}, secrets={"token": "fa1-token"})
        check(f"on_add: {key} {value}: nor there", refused(r, "EINVAL", f"purestorage-{key}"), r)
    r = node.ask("on_update", config=bare, update={"purestorage-iops": "100", "purestorage-bandwidth": "1M"}, delete=[])
    check("on_update: the least limits", r["ok"], r)
    r = node.ask("list", config={**bare, "purestorage-iops": "5"})
    check("a limit that no array takes is in nobody's way but a new volume's", r["ok"], r)
    r = node.ask("on_update", config=bare, update={}, delete=[], secrets={"token": "wrong"})
    check("on_update: a wrong token is not kept", not r["ok"] and token_file(node)[0] == "fa1-token\n", r)
    arrays.make(config={"api_token": "rotated"})
    r = node.ask("on_update", config=bare, update={}, delete=[], secrets={"token": "rotated"})
    check("on_update: a new token is kept", r["ok"] and token_file(node) == ("rotated\n", 0o600), r)
    two = {**bare, "address": bare["address"] + ",http://127.0.0.1:1", "token": "rotated,other"}
    r = node.ask("list", config=two)
    check("too few tokens in the file, which goes before storage.cfg: it is named", refused(
        r, "EINVAL", "but 1 tokens in /etc/pve/priv/storage/pure.purestorage-token"), r)
    given = {**bare, "token": "section's"}  # from a Proxmox that knows no sensitive properties
    r = node.ask("on_update", config=given, update={"token": "wrong"}, delete=[])
    check("on_update: a wrong token among the values is refused, whatever is kept", not r["ok"] and
          token_file(node)[0] == "rotated\n", r)
    arrays.make(config={"api_token": "again"})
    r = node.ask("on_update", config=given, update={"token": "again"}, delete=[])
    check("on_update: one among the values goes where the kept one is, which goes before it", r["ok"] and
          token_file(node) == ("again\n", 0o600), r)
    arrays.make(config={"api_token": "rotated"})
    node.ask("on_update", config=bare, update={}, delete=[], secrets={"token": "rotated"})
    r = node.ask("on_update", config=bare, update={}, delete=[], secrets={"token": None})
    check("on_update: the last token stays", not r["ok"] and token_file(node)[0] == "rotated\n", r)
    r = node.ask("on_update", config={**bare, "token": "rotated"}, update={}, delete=[], secrets={"token": None})
    check("on_update: to the section's token", r["ok"] and token_file(node) is None, r)
    r = node.ask("on_update", config={**bare, "token": "rotated"}, update={"token": "rotated"}, delete=[])
    check("on_update: where none is kept, none is made of one among the values", r["ok"] and
          token_file(node) is None, r)
    name = node.call("alloc", config={**bare, "token": "rotated"}, vmid=100, size_kib=1024)
    node.call("activate", config={**bare, "token": "rotated"}, volname=name)
    r = node.ask("on_delete", config=bare)
    check("on_delete: names what is mapped", r["ok"] and warned(r, name), r)
    left = [f for d, _, files in os.walk(node.root) for f in files if f.endswith(".json") and "_array" in f]
    check("on_delete: no session is left", not left, left)
    end(arrays, node)


def debug_lines():
    """What level 1 is for: which method was asked for which volume."""
    arrays, node = begin()
    node.call("alloc", vmid=100, size_kib=1024, name="vm-100-disk-0")
    loud = {**node.config, "debug": "1"}

    def lines(method, **args):
        return [text for level, text in node.ask(method, config=loud, **args)["log"] if level == "debug"]
    for want, method, args in (
            ("list (pure, vmid=100)", "list", {"vmid": 100}),
            ("list (pure)", "list", {}),
            ("size (pure, volname=vm-100-disk-0)", "size", {"volname": "vm-100-disk-0"}),
            ("snapshot (pure, volname=vm-100-disk-0, snap=s1)", "snapshot",
             {"volname": "vm-100-disk-0", "snap": "s1"}),
            ("resize (pure, volname=vm-100-disk-0, size=2097152, running=false)", "resize",
             {"volname": "vm-100-disk-0", "size": 2 << 20, "running": False}),
            ("attribute_set (pure, volname=vm-100-disk-0, name=notes)", "attribute_set",
             {"volname": "vm-100-disk-0", "name": "notes", "value": "long and private"}),
            ("free (pure, volname=vm-100-disk-0)", "free", {"volname": "vm-100-disk-0"})):
        seen = lines(method, **args)
        check(f"debug 1: {want}", want in seen, seen)
    log = node.ask("alloc", vmid=100, size_kib=1024, name="vm-100-disk-1")["log"]
    check("debug 0: what changes the array is told when it is done", log == [
        ["info", "alloc (pure, vmid=100, name=vm-100-disk-1, size_kib=1024): done"]], log)
    log = node.ask("alloc", vmid=100, size_kib=1024, name="vm-100-disk-1")["log"]
    check("debug 0: what failed, as an error", [x for x, t in log if "vm-100-disk-1" in t] == ["error"], log)
    log = node.ask("size", volname="vm-100-disk-7")["log"]
    check("debug 0: that a volume is not there is none", log == [], log)
    seen = lines("size", volname="vm-100-disk-0\n\x1b[31m" + "x" * 5000)
    check("debug 1: what is no name is shown safely", seen and "\x1b" not in seen[0] and "\n" not in seen[0] and
          len(seen[0]) < 1000, seen)
    seen = lines("on_update", update={"token": "secret-word"}, delete=[])
    check("debug 1: no value of the configuration", seen and "secret-word" not in str(seen), seen)
    end(arrays, node)


TESTS = (status, pod_status, adding, hook_faults, adding_two, adding_nvme, changing, debug_lines)

if __name__ == "__main__":
    lib.run(TESTS)
