#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`pvewarden array token`: a token leaves storage.cfg only when every node of the cluster has said that
it finds it elsewhere. The nodes are played by an ssh below --root."""
import json
import os
import shutil
import subprocess
import tempfile

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
PROGRAM = os.environ.get("PVEWARDEN", f"{TREE}/build-gcc/pvewarden")
ENV = {"PATH": os.environ["PATH"], "NO_COLOR": "1", "LC_ALL": "C.UTF-8", **{
    k: v for k, v in os.environ.items() if k.startswith(("ASAN", "UBSAN", "LSAN"))}}
BASE = "usr/share/perl5/PVE/Storage/Plugin.pm"
PLUGIN = "usr/share/perl5/PVE/Storage/Custom/PureStoragePlugin.pm"
KEPT = "etc/pve/priv/storage/pure.purestorage-token"
LOCK = "etc/pve/priv/lock/file-storage_cfg"
BEFORE = ("dir: local\n\tpath /var/lib/vz\n\n# by hand\npurestorage: pure\n"
          "\taddress https://fa1,https://fa2\n\tpodname pod\n")
TOKEN = "\ttoken one-token,two-token\n"
BEHIND = "\tcontent images\n\npurestorage: old\n\taddress https://fa3\n\ttoken three-token\n"
SSH = """#!/bin/sh
echo "$@" >> {root}/asked
for word; do
	case $word in -oHostKeyAlias=*) node=${{word#*=}} ;; esac
done
[ ! -e {root}/meanwhile ] || sh {root}/meanwhile
[ ! -e {root}/say-$node ] || cat {root}/say-$node >&2
exit "$(cat {root}/exit-$node)"
"""
passed = failed = 0


def ok(what, truth, *show):
    global passed, failed
    passed, failed = passed + bool(truth), failed + (not truth)
    print(f"{'ok' if truth else 'not ok'} - token: {what}" + ("" if truth else f": {show}"), flush=True)


class Node:
    """pve1 of three, all of them ready."""
    def __init__(self, nodes="", ours=True):
        self.root = tempfile.mkdtemp(prefix="pvewarden-token-")
        self.nodes = nodes
        shutil.copy(f"{TREE}/perl/PVE/Storage/Custom/PureStoragePlugin.pm", self.put(PLUGIN, ""))
        self.put(BASE, "if (my $sensitive_properties = $data->{'sensitive-properties'}) {\n")
        if not ours:
            self.put(PLUGIN, "package PVE::Storage::Custom::PureStoragePlugin;\n")
        self.put("etc/pve/storage.cfg", BEFORE + nodes + TOKEN + BEHIND)
        self.members()
        for node in ("pve2", "pve3"):
            self.answers(node, 0)
        os.chmod(self.put("usr/bin/ssh", SSH.format(root=self.root)), 0o755)

    def put(self, path, text):
        full = f"{self.root}/{path}"
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
        return full

    def get(self, path):
        try:
            with open(f"{self.root}/{path}", encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return None

    def members(self, off=(), quorate=1, alone=False):
        names = ("pve1", "pve2", "pve3")
        what = {"nodename": "pve1", "version": 3}
        if not alone:
            what["cluster"] = {"name": "c", "version": 3, "nodes": 3, "quorate": quorate}
            what["nodelist"] = {n: {"id": i, "online": int(n not in off), "ip": f"10.0.0.{i}"}
                                for i, n in enumerate(names, 1)}
        self.put("etc/pve/.members", json.dumps(what))

    def answers(self, node, status, say=None):
        self.put(f"exit-{node}", str(status))
        if say:
            self.put(f"say-{node}", say)

    def run(self, *args):
        return subprocess.run([PROGRAM, "array", "token", *args, "--root", self.root], env=ENV,
                              capture_output=True, text=True, timeout=60, check=False)

    def untouched(self):
        return self.get("etc/pve/storage.cfg") == BEFORE + self.nodes + TOKEN + BEHIND and \
            self.get(KEPT) is None and not os.path.exists(f"{self.root}/{LOCK}")

    def end(self):
        shutil.rmtree(self.root)


def test_move():
    node = Node()
    got = node.run("pure")
    ok("without --move it only looks, and says what comes next", got.returncode == 1 and
       "line 8 of /etc/pve/storage.cfg" in got.stdout and node.untouched() and
       "Next: pvewarden array token pure --move" in got.stdout, got)
    ok("no word of it is the token", "one-token" not in got.stdout + got.stderr, got)
    got = node.run("pure", "--move")
    ok("with every node ready it moves", got.returncode == 0 and "moved" in got.stdout, got)
    ok("only its line has gone", node.get("etc/pve/storage.cfg") == BEFORE + BEHIND,
       node.get("etc/pve/storage.cfg"))
    ok("it is where the secrets are", node.get(KEPT) == "one-token,two-token\n" and
       os.stat(f"{node.root}/{KEPT}").st_mode & 0o777 == 0o600, node.get(KEPT))
    ok("Proxmox' lock is let go", not os.path.exists(f"{node.root}/{LOCK}"))
    asked = node.get("asked").splitlines()
    ok("each other node was asked both times, by Proxmox' ssh",
       [a.split("root@")[1].split()[0] for a in asked] == ["10.0.0.2", "10.0.0.3"] * 2 and
       all("array token --here pure" in a and "BatchMode=yes" in a for a in asked), asked)
    got = node.run("pure", "--move")
    ok("a second time there is nothing to do", got.returncode == 0 and
       node.get("etc/pve/storage.cfg") == BEFORE + BEHIND, got)
    node.end()


def test_refused():
    for what, status, say, words in (
            ("another plugin", 2, "token: another plugin's: install pvewarden-array\n",
             "install pvewarden-array"),
            ("no pvewarden", 127, None, "not installed there"),
            ("an older pvewarden", 64, None, "upgrade it first"),
            ("no plugin although the storage is for it", 99, None, "no plugin for type"),
            ("ssh that fails", 255, "Host key verification failed.\n", "Host key verification")):
        node = Node()
        node.answers("pve3", status, say)
        got = node.run("pure", "--move")
        ok(f"{what} on one node keeps it where it is", got.returncode == 2 and node.untouched() and
           words in got.stdout and "pve3" in got.stdout and "every node" in got.stderr, got)
        node.end()
    node = Node()
    node.members(off=("pve2",))
    got = node.run("pure", "--move")
    ok("so does a node that is off", got.returncode == 2 and node.untouched() and
       "pve2: is off" in got.stdout, got)
    node.members(quorate=0)
    got = node.run("pure", "--move")
    ok("so does a cluster without quorum", got.returncode == 2 and node.untouched(), got)
    node.end()
    node = Node(ours=False)
    got = node.run("pure", "--move")
    ok("so does another plugin on this node", got.returncode == 2 and node.untouched() and
       "another plugin's" in got.stdout, got)
    node.end()
    node = Node()
    os.makedirs(f"{node.root}/{LOCK}")
    got = node.run("pure", "--move")
    ok("so does somebody who holds Proxmox' lock, and nothing is left behind", got.returncode == 2 and
       node.get(KEPT) is None and os.path.isdir(f"{node.root}/{LOCK}") and
       node.get("etc/pve/storage.cfg") == BEFORE + TOKEN + BEHIND and "locked" in got.stderr, got)
    node.end()


def test_others():
    node = Node(nodes="\tnodes pve1,pve2\n")
    node.answers("pve3", 99)
    got = node.run("pure", "--move")
    ok("a node that the storage is not for may have no plugin at all", got.returncode == 0 and
       node.get("etc/pve/storage.cfg") == BEFORE + node.nodes + BEHIND, got)
    node.end()
    node = Node(nodes="\tnodes pve1,pve2\n")
    node.answers("pve3", 2, "another plugin\n")
    got = node.run("pure", "--move")
    ok("but no other one, which would drop the section", got.returncode == 2 and node.untouched(), got)
    node.end()
    node = Node()
    node.members(alone=True)
    got = node.run("pure", "--move")
    ok("a node of its own asks nobody else", got.returncode == 0 and node.get("asked") is None, got)
    node.end()
    node = Node()
    node.put(KEPT, "newer-one,newer-two\n")
    got = node.run("pure", "--move")
    ok("a token that was rotated already is not overwritten by the old one", got.returncode == 0 and
       node.get(KEPT) == "newer-one,newer-two\n" and
       node.get("etc/pve/storage.cfg") == BEFORE + BEHIND, got, node.get(KEPT))
    node.end()


def test_meanwhile():
    node = Node()
    os.makedirs(os.path.dirname(f"{node.root}/{KEPT}"))
    node.put("meanwhile", f"echo newer-one,newer-two > {node.root}/{KEPT}\n")
    got = node.run("pure", "--move")
    ok("a token that is rotated while the nodes are asked is not overwritten", got.returncode == 2 and
       node.get(KEPT) == "newer-one,newer-two\n" and
       node.get("etc/pve/storage.cfg") == BEFORE + TOKEN + BEHIND and "meanwhile" in got.stderr, got,
       node.get(KEPT))
    node.end()
    node = Node()
    node.put("meanwhile", f"sed -i s/one-token/new-token/ {node.root}/etc/pve/storage.cfg\n")
    got = node.run("pure", "--move")
    ok("nor one that is changed in storage.cfg lost", got.returncode == 2 and node.get(KEPT) is None and
       "new-token" in node.get("etc/pve/storage.cfg") and "meanwhile" in got.stderr, got)
    node.end()


def test_here():
    node = Node()
    got = node.run("pure", "--here")
    ok("a node with our plugin says yes, silently", (got.returncode, got.stdout) == (0, ""), got)
    node.put(PLUGIN, "package PVE::Storage::Custom::PureStoragePlugin;\n")
    got = node.run("pure", "--here")
    ok("with another one it says which", got.returncode == 2 and "another plugin's" in got.stderr, got)
    shutil.copy(f"{TREE}/perl/PVE/Storage/Custom/PureStoragePlugin.pm", node.put(PLUGIN, ""))
    node.put(BASE, "sub sensitive_properties;\n")
    got = node.run("pure", "--here")
    ok("a Proxmox that would write the next token into storage.cfg is none for it", got.returncode == 2 and
       "Proxmox VE 8.4" in got.stderr, got)
    got = node.run("nosuch")
    ok("a storage that is not there is named", got.returncode == 2 and "nosuch" in got.stderr, got)
    got = node.run("local")
    ok("one of another type too", got.returncode == 2 and "type dir" in got.stderr, got)
    got = node.run("a;b")
    ok("what is no id is wrong usage", got.returncode == 64, got)
    node.end()


test_move()
test_refused()
test_others()
test_meanwhile()
test_here()
print(f"{passed} passed, {failed} failed")
raise SystemExit(bool(failed))
