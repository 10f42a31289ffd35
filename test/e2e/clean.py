#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""dm clean and dm restore on recorded nodes: what they would do and say, and that they write nothing."""
import hashlib
import json
import os
import re
import shutil
import tempfile

from lib import EXAMPLE, end, node, ok, run

UNDO = "var/lib/pvewarden/dm/undo"
GHOST = "vg_san-vm--117--disk--0"
GOOD, TORN, BROKEN = "20261120T080000Z-7", "20261120T090000Z-8", "20261120T100000Z-9"


def tree(root):
    """Everything below a folder that a write would change."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            st, data = os.lstat(path), b""
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as file:
                    data = file.read()
            found[path] = (st.st_mode, st.st_size, st.st_mtime_ns, hashlib.sha256(data).digest())
    return found


# --- dm clean ----------------------------------------------------------------------------------

def wrong_options():
    for args, word in ((["--only", "nonsense"], "nonsense"), (["--only", "ok"], "ok"),
                       (["--only", "infrastructure"], "infrastructure"), (["--only", ""], "--only"),
                       (["--only", "ghost,"], "--only"), (["--only", ",ghost"], "--only"),
                       (["--only", "leftover"], "--policy running"), (["--only", "GHOST"], "GHOST"),
                       (["--lock-time", "5"], "5"), (["--lock-time", "60001"], "60001"),
                       (["--lock-time", "800ms"], "800ms"), (["--vmid", "7"], "7"),
                       (["--vmid", "1000000000"], "1000000000"), (["--policy", "all"], "all"),
                       (["--min-age", "soon"], "soon"), (["--wait", "x"], "x"), (["extra"], "extra"),
                       (["--force"], "--force")):
        status, out, err = node("dm", "clean", "--dry-run", *args)
        ok(f"dm clean {' '.join(args)}: 64, nothing on stdout, '{word}' named",
           status == 64 and not out and word in err, (status, out[:200], err))
    status, out, err = node("dm", "clean", "--format", "json")
    ok("dm clean --format json: needs --yes or --dry-run", status == 64 and not out and
       "--dry-run" in err, (status, out, err))


def not_here():
    for args in ([], ["--yes"], ["--yes", "--format", "json"], ["--only", "ghost"]):
        status, out, err = node("dm", "clean", *args)
        ok(f"dm clean {' '.join(args)} on a recorded node: 64, nothing on stdout",
           status == 64 and not out and "a recorded node cannot be cleaned" in err, (status, out, err))
    if os.geteuid() == 0:
        for verb in ("clean", "restore"):
            status, out, err = run("dm", verb, "--yes", user=65534, group=65534, extra_groups=[])
            ok(f"dm {verb}, not root: 77 and a sentence", status == 77 and not out and "root" in err,
               (status, out, err))


def plan(*args, root=EXAMPLE):
    status, out, err = run("--root", root, "dm", "clean", "--dry-run", "--format", "json", *args)
    try:
        return status, json.loads(out)
    except ValueError:
        return status, {"items": [], "error": (out[:200], err)}


def expected_command(item):
    if item["step"] == "remove" and item["uuid"]:
        return f"dmsetup remove --uuid '{item['uuid']}'"
    if item["step"] == "remove":
        return f"dmsetup remove '{item['name']}'"
    vg, lv = item["uuid"][4:36], item["uuid"][36:]
    return f'--select \'vg_uuid="{dashed(vg)}" && lv_uuid="{dashed(lv)}"\''


def dashed(uuid):
    return "-".join(uuid[a:b] for a, b in ((0, 6), (6, 10), (10, 14), (14, 18), (18, 22), (22, 26),
                                           (26, 32)))


def example():
    status, doc = plan()
    items = doc["items"]
    ok("the plan is a document", doc.get("schema") == "pvewarden.dm-clean/1" and
       doc["node"] == "pve1" and doc["dry_run"] is True and doc["policy"] == "configured", doc)
    ok("--dry-run: 0, although not everything could be told", status == 0 and doc["blind"], status)
    ok("one item of each class that is for cleaning",
       {i["class"] for i in items} == {"stale-table", "ghost", "renamed", "duplicate", "unknown",
                                       "array-gone", "foreign", "unreferenced", "manual"},
       {i["class"] for i in items})
    ok("what may be done has a step and its command, what may not has a reason", items and all(
        (i["step"] in ("remove", "deactivate") and i["result"] == "left" and not i["reason"] and
         expected_command(i) in i["commands"][-1]) if i["commands"] else
        (i["step"] == "none" and i["result"] == "skipped" and i["reason"]) for i in items), items)
    order = ["critical", "unknown", "warning"]
    ok("worst first", [i["severity"] for i in items] ==
       sorted((i["severity"] for i in items), key=order.index))
    ok("the counts are those of the items",
       (doc["cleaned"], doc["failed"]) == (0, 0) and
       doc["left"] == sum(i["result"] == "left" for i in items) and
       doc["skipped"] == sum(i["result"] == "skipped" for i in items) and doc["undo"] is None, doc)
    open_ones = {i["name"] for i in items if "vm--103" in i["name"]}
    ok("what a running guest uses is refused", open_ones and all(
        "runs here" in i["reason"] for i in items if i["name"] in open_ones))


def narrowed():
    for args, classes in ((["--only", "ghost"], {"ghost"}),
                          (["--only", "ghost,manual"], {"ghost", "manual"}),
                          (["--only", "busy"], {"busy"}), (["--only", "copy"], set()),
                          (["--only", "leftover", "--policy", "running"], {"leftover"})):
        _, doc = plan(*args)
        ok(f"{' '.join(args)}: nothing else", {i["class"] for i in doc["items"]} == classes, doc)
    _, doc = plan("--vmid", "107")
    ok("--vmid: one guest's", [i["vmid"] for i in doc["items"]] == [107], doc["items"])
    _, doc = plan("--vmid", "5000")
    ok("--vmid of nobody: nothing", doc["items"] == [], doc["items"])
    _, doc = plan("--policy", "running")
    ok("--policy running: leftovers as well, but no notice", "leftover" in
       {i["class"] for i in doc["items"]} and doc["policy"] == "running", doc)
    _, doc = plan("--only", "unreferenced")
    ok("unreferenced: only what was seen before", [i["commands"] for i in doc["items"]] == [[]] and
       "first time" in doc["items"][0]["reason"], doc["items"])
    _, doc = plan("--only", "unreferenced", "--min-age", "0")
    ok("unreferenced, --min-age 0: deactivated", "deactivate" in {i["step"] for i in doc["items"]},
       doc["items"])


def text():
    _, doc = plan()
    status, out, err = node("dm", "clean", "--dry-run")
    ok("as text: 0, nothing on stderr", status == 0 and not err, (status, err))
    ok("the headline has grade and counts", re.match(r"pve1: not graded, \d+ critical, \d+ orphans",
                                                     out), out[:200])
    ok("every command of the document is there", all(c in out for i in doc["items"]
                                                      for c in i["commands"]))
    ok("every name is there", all(i["name"] in out for i in doc["items"]))
    ok("a step for each that may be done, a reason for each other",
       out.count("\n    step    ") == doc["left"] and out.count("\n    skip    ") == doc["skipped"], out)
    ok("it ends with the counts", out.endswith(
        f"\n{doc['left']} would be cleaned, {doc['skipped']} skipped.\n"), out[-200:])
    ok("no colour without a terminal, no trailing blanks", "\x1b" not in out and
       not any(line.endswith(" ") for line in out.splitlines()))
    status, out, _ = node("dm", "clean", "--dry-run", "--vmid", "5000")
    ok("nothing to clean", status == 0 and out.endswith("\nNothing to clean.\n"), (status, out))


def copy_of_example(folder):
    root = os.path.join(folder, "node")
    shutil.copytree(EXAMPLE, root, symlinks=True)
    write(root, "proc/sys/kernel/random/boot_id", "b1\n")
    return root


def write(root, path, content):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)


def edit(root, path, change):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        content = file.read()
    write(root, path, change(content))


def blind():
    with tempfile.TemporaryDirectory() as folder:
        root = copy_of_example(folder)
        os.unlink(os.path.join(root, "etc/pve/storage.cfg"))
        status, doc = plan(root=root)
        ok("a node without storage.cfg: 3, nothing may be done", status == 3 and doc["left"] == 0 and
           doc["items"] and all(not i["commands"] and i["step"] == "none" for i in doc["items"]),
           (status, doc))
        status, out, _ = run("--root", root, "dm", "clean", "--dry-run")
        ok("the same as text", status == 3 and "nothing is touched" in re.sub(r"\s+", " ", out) and
           "    step " not in out, (status, out))


# --- dm restore --------------------------------------------------------------------------------

HEADER = {"schema": "pvewarden.dm-undo/1", "node": "pve1", "boot_id": "b1",
          "time": "2026-11-20T08:00:00Z", "pid": 7}


def take_away(root, name):
    """Removes a mapping from the record and returns it as the undo journal has it."""
    found = {}

    def without(content):
        head, *devices = re.split(r"^(?=device )", content, flags=re.M)
        for device in devices:
            if f"\nname {name}\n" in device:
                found["text"] = device
        return head + "".join(d for d in devices if d != found["text"])
    edit(root, "capture/dm.txt", without)
    block = found["text"]
    field = {w: re.findall(rf"^{w} (.*)$", block, re.M) for w in ("device", "uuid", "deps", "target")}
    table = [dict(zip(("start", "length", "type", "params"),
                      (int(t.split()[0]), int(t.split()[1]), t.split()[2], t.split(" ", 3)[3])))
             for t in field["target"]]
    return {"record": "intent", "n": 1, "of": 0, "time": "2026-11-20T08:00:01Z", "step": "remove",
            "class": "ghost", "vmid": 117, "name": name, "uuid": field["uuid"][0],
            "device": field["device"][0].split()[0], "read_only": False, "vg_name": "vg_san",
            "vg_uuid": field["uuid"][0][4:36], "vg_seqno": 7, "lv_name": None, "lv_uuid": None,
            "table": table, "parents": [{"device": d, "dm_uuid": disk_uuid(root, d), "wwid": None,
                                         "pv_uuid": None} for d in field["deps"][0].split()]}


def disk_uuid(root, device):
    with open(os.path.join(root, "capture/dm.txt"), encoding="utf-8") as file:
        return re.search(rf"^device {device} .*\nname .*\nuuid (.*)$", file.read(), re.M)[1]


def mark(record, n, **more):
    return {"record": record, "n": n, "time": "2026-11-20T08:00:02Z", **more}


def journal(root, name, *lines, tail=""):
    write(root, f"{UNDO}/{name}.jsonl", "".join(json.dumps(line) + "\n" for line in lines) + tail)


def other_numbers(intent):
    """The same when the disk had another number."""
    as_text = json.dumps(intent)
    for parent in intent["parents"]:
        as_text = as_text.replace(f'"{parent["device"]}"', '"253:99"')
        as_text = as_text.replace(f'"params": "{parent["device"]} ', '"params": "253:99 ')
    return json.loads(as_text)


def with_journals(folder):
    root = copy_of_example(folder)
    intent = other_numbers(take_away(root, GHOST))
    second = dict(intent, n=2, name="was-skipped", uuid="LVM-skipped")
    journal(root, GOOD, HEADER, intent, second, mark("skipped", 2, text="why"), mark("done", 1))
    journal(root, TORN, HEADER, intent, mark("done", 1), tail='{"record": "inte')
    journal(root, BROKEN, HEADER, dict(intent, n=0))
    return root, intent


def restore(root, *args):
    return run("--root", root, "dm", "restore", *args)


def restored(root, *args):
    status, out, err = restore(root, *args, "--dry-run", "--format", "json")
    try:
        return status, json.loads(out)
    except ValueError:
        return status, {"entries": [], "error": (out[:200], err)}


def lists():
    status, out, err = node("dm", "restore")
    ok("dm restore, nothing cleaned yet: 0", status == 0 and "Nothing was cleaned" in out and not err,
       (status, out, err))
    with tempfile.TemporaryDirectory() as folder:
        root, _ = with_journals(folder)
        status, out, err = restore(root)
        rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line[:2] == "20"}
        ok("dm restore lists all runs", status == 0 and list(rows) == [GOOD, TORN, BROKEN], out)
        ok("a good one", rows[GOOD] == ["2026-11-20T08:00:00Z", "1", "0", "0"], rows)
        ok("one whose end is torn, and says so",
           rows[TORN] == ["2026-11-20T08:00:00Z", "1", "1", "0"], rows)
        ok("a broken one is named, with file and line", "cannot be read" in out and
           f"{BROKEN}.jsonl, line 2" in err, (out, err))
        _, out, _ = restore(root, "--format", "json")
        runs = json.loads(out)["runs"]
        ok("the same as a document", [r["run"] for r in runs] == [GOOD, TORN, BROKEN], runs)
        ok("with counts", runs[0].get("done") == 1 and runs[0].get("skipped") == 1, runs[0])
        ok("with the error of the broken one", "line 2" in runs[-1].get("error", ""), runs[-1])
        write(root, f"{UNDO}/zz\x1b[31m.jsonl", "")
        _, out, err = restore(root)
        ok("a strange name does not reach the terminal", "\x1b" not in out + err, repr(out))
        ok("the next step is that of the last run", f"dm restore {BROKEN} --dry-run" in out, out)


def one_run():
    with tempfile.TemporaryDirectory() as folder:
        root, intent = with_journals(folder)
        for name in (GOOD, TORN):
            status, doc = restored(root, name)
            entries = doc["entries"]
            ok(f"{name}: a ghost is refused without permission", status == 0 and
               [(e["name"], e["result"]) for e in entries] == [(GHOST, "skipped")] and
               "--yes-restore-ghost" in entries[0]["reason"], (status, doc))
            _, doc = restored(root, name, "--yes-restore-ghost")
            ok(f"{name}: with permission it would come back", doc["schema"] ==
               "pvewarden.dm-restore/1" and [e["result"] for e in doc["entries"]] == ["possible"], doc)
        status, out, err = restore(root, GOOD, "--dry-run", "--yes-restore-ghost")
        params = intent["table"][0]["params"]
        ok("as text, with its table", status == 0 and not err and GHOST in out and params in out and
           "\n1 would be restored, 0 refused.\n" in out and "was-skipped" not in out, (out, err))
        _, doc = restored(root, GOOD, "--only", "something-else")
        ok("--only another name: nothing", doc["entries"] == [], doc)
        for args, code, word in (([BROKEN, "--dry-run"], 3, "line 2"), ([GOOD], 64, "recorded node"),
                                 ([GOOD, "--yes"], 64, "recorded node"),
                                 ([GOOD, "--format", "json"], 64, "--dry-run"),
                                 ([GOOD, "--lock-time", "5"], 64, "5"),
                                 (["20200101T000000Z-1", "--dry-run"], 64, "there is no run")):
            status, out, err = restore(root, *args)
            ok(f"dm restore {' '.join(args)}: {code}", status == code and word in out + err,
               (status, out, err))


def no_way_out():
    with tempfile.TemporaryDirectory() as folder:
        root, _ = with_journals(folder)
        write(root, "etc/passwd.jsonl", json.dumps(HEADER) + "\n")
        for name in ("../../etc/passwd", "../../../../../etc/passwd", "/etc/passwd", "..", "", ".",
                     f"../undo/{GOOD}", f"{GOOD}.jsonl", GOOD + "\n"):
            for more in ([], ["--dry-run"]):
                status, out, err = restore(root, name, *more)
                ok(f"dm restore {name!r} {' '.join(more)}: 64", status == 64 and not out and err,
                   (status, out, err))


def other_cases():
    with tempfile.TemporaryDirectory() as folder:
        root, intent = with_journals(folder)
        child = dict(intent, of=2, name="inner-root", uuid="LVM-inner", vg_uuid=None, vg_name=None,
                     parents=[{"device": "253:99", "dm_uuid": intent["uuid"]}])
        disk = dict(intent, n=2)
        journal(root, GOOD, HEADER, child, disk, mark("done", 1), mark("done", 2))
        _, doc = restored(root, GOOD, "--yes-restore-ghost")
        ok("what stood on it comes after it", [(e["name"], e["result"], e["reason"])
                                               for e in doc["entries"]][1:] ==
           [("inner-root", "possible", "after its disk")], doc)
        _, doc = restored(root, GOOD)
        ok("a disk that is refused takes along what stood on it",
           [e["result"] for e in doc["entries"]] == ["skipped", "skipped"], doc)
        _, doc = restored(root, GOOD, "--yes-restore-ghost", "--only", "inner-root")
        ok("without its disk it is refused", [e["result"] for e in doc["entries"]] == ["skipped"], doc)
        journal(root, GOOD, dict(HEADER, boot_id="b0"), child, disk, mark("done", 1), mark("done", 2))
        _, doc = restored(root, GOOD, "--yes-restore-ghost")
        ok("another boot: all refused, what stood on it as well",
           [e["result"] for e in doc["entries"]] == ["skipped", "skipped"] and
           all("rebooted" in e["reason"] for e in doc["entries"]), doc)
        journal(root, GOOD, HEADER, intent, mark("done", 1), mark("restored", 1))
        status, out, _ = restore(root, GOOD, "--dry-run")
        ok("all restored: nothing is left", status == 0 and "left to restore" in out, (status, out))
        escape = "\x1b[2J"
        journal(root, GOOD, HEADER, dict(intent, name=f"n{escape}", uuid=f"u{escape}",
                                         **{"class": f"ghost{escape}"}), mark("done", 1))
        _, out, err = restore(root, GOOD, "--dry-run")
        ok("what stands in a journal does not reach the terminal", "\x1b" not in out + err, repr(out))


def writes_nothing():
    with tempfile.TemporaryDirectory() as folder:
        root, _ = with_journals(folder)
        before = tree(root)
        for args in (["clean", "--dry-run"], ["clean", "--dry-run", "--format", "json"], ["clean"],
                     ["clean", "--yes"], ["clean", "--dry-run", "--only", "unreferenced"],
                     ["restore"], ["restore", GOOD], ["restore", GOOD, "--dry-run"],
                     ["restore", TORN, "--dry-run"], ["restore", TORN, "--yes"],
                     ["restore", BROKEN, "--dry-run"], ["restore", "--format", "json"]):
            run("--root", root, "dm", *args)
            after = tree(root)
            ok(f"dm {' '.join(args)} writes nothing below --root", before == after,
               [p for p in before.keys() | after.keys() if before.get(p) != after.get(p)])


for part in (wrong_options, not_here, example, narrowed, text, blind, lists, one_run, no_way_out,
             other_cases, writes_nothing):
    part()
end()
