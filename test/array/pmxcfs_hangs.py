#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""An /etc/pve that does not answer: what needs nothing of it goes on. pmxcfs_hangs.py [PATTERN...]"""
import time

import lib
from stage import Stage, storages, timed, until


def hung_stage(**more):
    """Its token is in a file of /etc/pve."""
    s = Stage(nodes=("pve1", "pve2"), **more)
    storages(s, 1)
    s.node.write("etc/pve/priv/storage/pure.purestorage-token", s.config["token"])
    for node in s.nodes:
        node.config = {k: v for k, v in node.config.items() if k != "token" or node != s.node}
    s.config = s.node.config
    s.node.behind_pmxcfs()
    return s


def test_pmxcfs_hangs():
    """What needs nothing of it goes on; what does is refused within its time, with the reason; and all of
    it is well when it is back."""
    s = hung_stage()
    disks = [f"vm-100-disk-{i}" for i in range(3)]
    serials = [s.disk(d) for d in disks]
    s.act("activate", disks[0])
    s.nodes[1].call("activate", volname=disks[2])
    s.act("status", disks[0])
    s.node.hang(True)
    for limit in (4, 1.2):
        for method, args, good in (
                ("path", {"volname": disks[0]}, True),
                ("activate", {"volname": disks[0]}, True),
                ("status", {}, True),
                ("size", {"volname": disks[0]}, True),
                ("activate", {"volname": disks[1]}, True),
                ("deactivate", {"volname": disks[1]}, True),
                ("list", {}, True),
                ("free", {"volname": disks[2]}, False),
                ("rollback", {"volname": disks[2], "snap": "a"}, False),
                ("on_delete", {}, False)):
            reply, took = timed(lambda: s.node.ask(method, s.config, **args))
            assert reply["ok"] == good and took < limit, (method, took, reply)
            assert good or "pmxcfs hangs" in reply["error"], (method, reply)
            limit = 1.2
    assert not s.sim.volume("vg/" + disks[2])["destroyed"]
    # Asked for by many at once: one thread hangs, not each.
    replies, took = timed(lambda: s.node.many(60, "path", volname=disks[0]))
    assert all(r["ok"] for r in replies) and took < 3, took
    s.node.hang(False)
    until(lambda: s.node.ask("snapshot", s.config, volname=disks[0], snap="b")["ok"], 5)
    s.nodes[1].call("deactivate", volname=disks[2])
    until(lambda: s.node.ask("free", s.config, volname=disks[2])["ok"], 5)
    assert s.node.mapped() == {serials[0]}
    s.act("deactivate", disks[0])
    s.clean()
    s.close()


def test_pmxcfs_hangs_from_the_start():
    """Nothing is known of it: that is no storage without a token."""
    s = hung_stage()
    s.disk("vm-100-disk-0")
    s.node.hang(True)
    for limit in (5, 1.2):
        reply, took = timed(lambda: s.node.ask("activate", s.config, volname="vm-100-disk-0"))
        assert reply["code"] == "ETIMEDOUT" and "pmxcfs hangs" in reply["error"], reply
        assert took < limit, took
    s.node.hang(False)
    until(lambda: s.node.ask("activate", s.config, volname="vm-100-disk-0")["ok"], 5)
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
    s.close()


def test_pmxcfs_hangs_unasked():
    """The document is written, says so, and calls nothing gone."""
    s = hung_stage()
    s.disk("vm-100-disk-0")
    s.act("activate", "vm-100-disk-0")
    s.node.publish()
    first, _ = until(s.node.document, 10)
    assert not first["blind"] and [r["id"] for r in first["storages"]] == ["pure"], first
    begun = time.time()
    s.node.hang(True)
    doc, _ = until(lambda: s.node.document(begun), 40)
    assert any("pmxcfs hangs" in b for b in doc["blind"]) and not doc["drift"], doc
    assert [m["state"] for m in doc["maps"]] == ["unknown"], doc
    begun = time.time()
    s.node.hang(False)
    doc, _ = until(lambda: s.node.document(begun), 40)
    if doc["blind"]:  # the answer came a moment too late for it
        begun = time.time()
        doc, _ = until(lambda: s.node.document(begun), 40)
    assert not doc["blind"] and [m["state"] for m in doc["maps"]] == ["connected"], doc
    s.act("deactivate", "vm-100-disk-0")
    s.clean()
    s.close()


TESTS = [f for n, f in globals().items() if n.startswith("test_")]

if __name__ == "__main__":
    lib.run(TESTS)
