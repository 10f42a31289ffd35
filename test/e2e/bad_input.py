#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Broken input: the example node with one file spoilt at a time. The program must not crash, must name
the file (and the line where there is one), and must not call anything an orphan that was none."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

PROGRAM, EXAMPLE = os.environ["PVEWARDEN"], os.environ["EXAMPLE"]
ORPHANS = {"ghost", "foreign", "unreferenced", "manual", "stale-table", "duplicate", "renamed"}


def check(root):
    run = subprocess.run([PROGRAM, "--root", root, "dm", "check", "--format", "json"],
                         capture_output=True, timeout=60, check=False)
    return run.returncode, run.stdout, run.stderr.decode(errors="replace")


def orphans(doc):
    return {(f["name"], f["class"]) for f in doc["findings"] if f["class"] in ORPHANS}


def first_conf(root, kind, with_text):
    for folder, _, files in sorted(os.walk(os.path.join(root, "etc/pve/nodes"))):
        for name in sorted(files):
            path = os.path.join(folder, name)
            if f"/{kind}/" in path and with_text in open(path, encoding="utf-8").read():
                return path
    sys.exit(f"the example node has no {kind} config with {with_text}")


def edit(change):
    def spoil(path):
        with open(path, "rb") as file:
            data = file.read()
        with open(path, "wb") as file:
            file.write(change(data))
    return spoil


def vm(root):
    return first_conf(root, "qemu-server", "scsi0:")


def ct(root):
    return first_conf(root, "lxc", "rootfs:")


def below(path):
    return lambda root: os.path.join(root, path)


STORAGE, MEMBERS, VMLIST = (below("etc/pve/" + f) for f in ("storage.cfg", ".members", ".vmlist"))
RRD, LVM, DM = below("etc/pve/.rrd"), below("capture/lvm.json"), below("capture/dm.txt")


def also_on(node):
    def spoil(path):
        copy = os.path.join(os.path.dirname(path), "../../", node, "qemu-server",
                            os.path.basename(path))
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        shutil.copy(path, copy)
    return spoil


def replace_with(make):
    def spoil(path):
        os.unlink(path)
        make(path)
    return spoil


CYCLE = b"\n[one]\nparent: two\nsnaptime: 1\n\n[two]\nparent: one\nsnaptime: 2\n"
# what is wrong, which file, how, what must be said about it (None: it is harmless), sentence's place
CASES = [
    ("broken UTF-8 in a VM's config", vm, edit(lambda d: b"name: \xff\xfe\xc3(\n" + d), ".conf"),
    ("NUL bytes in a VM's config", vm, edit(lambda d: b"cores: 1\0\0\n" + d), ".conf"),
    ("an endless line", vm, edit(lambda d: d + b"args: " + b"x" * 500000 + b"\n"), None),
    ("a line without a colon", vm, edit(lambda d: b"what is this\n" + d), ".conf"),
    ("a config of 1 MiB", vm, edit(lambda d: d + b"# " + b"y" * 1048000 + b"\n"), None),
    ("a config of more than 1 MiB", vm, edit(lambda d: d + b"#" + b"z" * 2000000), ".conf"),
    ("a config without final newline", vm, edit(lambda d: d.rstrip(b"\n")), None),
    ("CR LF line ends", vm, edit(lambda d: d.replace(b"\n", b"\r\n")), None),
    ("an empty config", vm, edit(lambda d: b"lock: create\n"), None),
    ("snapshots that are each other's parents", vm, edit(lambda d: d + CYCLE), ".conf"),
    ("an unknown section", vm, edit(lambda d: d + b"\n[who:knows]\nscsi9: x:vm-1-disk-1\n"), None),
    ("a key that only a newer Proxmox knows", vm, edit(lambda d: b"novelty7: 3\n" + d), None),
    ("an undefined storage", vm, edit(lambda d: b"scsi29: nowhere:vm-1-disk-77\n" + d), None),
    ("the same id on two nodes", vm, also_on("pve2"), ".conf"),
    ("a folder instead of a config", vm, replace_with(os.mkdir), ".conf"),
    ("a FIFO instead of a config", vm, replace_with(os.mkfifo), ".conf"),
    ("a link out of the node", vm, replace_with(lambda p: os.symlink("/etc/passwd", p)), ".conf"),
    ("a CT's config with an unknown header", ct, edit(lambda d: d + b"\n[x:y]\nmp9: a:b\n"), ".conf"),
    ("storage.cfg without final newline", STORAGE, edit(lambda d: d.rstrip(b"\n")), None),
    ("storage.cfg without empty lines", STORAGE, edit(lambda d: d.replace(b"\n\n", b"\n")),
     "storage.cfg"),
    ("storage.cfg with a duplicate key", STORAGE,
     edit(lambda d: d.replace(b"\tvgname", b"\tnodes pve1\n\tnodes pve2\n\tvgname", 1)), "storage.cfg"),
    ("storage.cfg with NUL bytes", STORAGE, edit(lambda d: b"\0\0\0\n" + d), "storage.cfg"),
    ("storage.cfg missing", STORAGE, os.unlink, "storage.cfg"),
    ("storage.cfg empty", STORAGE, edit(lambda d: b""), None),
    (".members cut", MEMBERS, edit(lambda d: d[:len(d) // 2]), ".members"),
    (".members of another node", MEMBERS, edit(lambda d: d.replace(b'"nodename": "pve1"',
                                                                  b'"nodename": "pve9"')), "pve9"),
    (".vmlist cut", VMLIST, edit(lambda d: d[:len(d) - 20]), ".vmlist"),
    (".vmlist of nonsense", VMLIST, edit(lambda d: b'{"version": -1, "ids": {"abc": 7}}'), ".vmlist"),
    (".vmlist with a guest that has no config", VMLIST,
     edit(lambda d: d.replace(b'"ids": {', b'"ids": {"99999": {"node": "pve1", "type": "qemu", '
                              b'"version": 1},', 1)), "99999"),
    (".rrd cut in the middle of a line", RRD, edit(lambda d: d[:-10]), None),
    ("LVM's report cut", LVM, edit(lambda d: d[:len(d) // 2]), "lvm.json"),
    ("LVM's report of nonsense", LVM, edit(lambda d: b'{"report": [{"vg": [{"vg_uuid": 7}]}]}'), None),
    ("LVM's report missing", LVM, os.unlink, "lvm.json"),
    ("the record of device-mapper cut", DM, edit(lambda d: d[:len(d) // 2]), None),
    ("the record of device-mapper of nonsense", DM, edit(lambda d: d.replace(b"target", b"tar")),
     "dm.txt, line"),
]


def judge(doc, before, must_say, status, err):
    text = json.dumps(doc) + err
    new = orphans(doc) - orphans(before)
    if status not in (0, 1, 2, 3):
        return f"exit status {status}"
    if new:
        return f"called an orphan: {sorted(new)}"
    if must_say and text.count(must_say) <= json.dumps(before).count(must_say):
        return f"'{must_say}' is not named"
    return None


def main():
    status, out, _ = check(EXAMPLE)
    before, failed = json.loads(out), 0
    for what, where, spoil, must_say in CASES:
        with tempfile.TemporaryDirectory() as folder:
            root = os.path.join(folder, "node")
            shutil.copytree(EXAMPLE, root, symlinks=True)
            path = where(root)
            spoil(path)
            status, out, err = check(root)
            if must_say == ".conf":
                must_say = os.path.basename(path)
            try:
                doc = json.loads(out)
                doc.setdefault("findings", [])
                why = judge(doc, before, must_say, status, err)
            except ValueError:
                why = f"no JSON, exit status {status}: {out[:200]!r} {err[:200]}"
        failed += why is not None
        print(f"not ok - {what}: {why}" if why else f"ok - {what}")
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
