#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command line as a person and a monitoring system use it, on the example node."""
import json
import os
import shutil
import tempfile

from lib import EXAMPLE, end, node, ok, run

CLASSES = {"unknown", "busy", "ghost", "renamed", "stale-table", "duplicate", "manual", "foreign",
           "copy", "unreferenced", "leftover", "array-gone", "ok", "infrastructure"}


def usage_errors():
    for args, word in ((["dm", "chek"], "chek"), (["nothing"], "nothing"),
                       (["dm", "check", "--format", "xml"], "xml"),
                       (["dm", "check", "--vmid", "99"], "99"),
                       (["dm", "check", "--policy", "all"], "all"),
                       (["dm", "check", "--min-age", "soon"], "soon"),
                       (["dm", "check", "--bogus"], "--bogus"),
                       (["dm", "check", "extra"], "extra"),
                       (["watch", "maintenance", "maybe"], "maybe"),
                       (["watch", "maintenance", "on", "99"], "99"),
                       (["watch", "maintenance", "off", "--for", "1h"], "--for"),
                       (["watch", "maintenance", "on", "--for", "0"], "--for"),
                       (["watch", "maintenance", "--cluster"], "--cluster"),
                       (["--root", EXAMPLE, "watch", "maintenance", "on"], "recorded"), (["dm", "blockers"], "VMID"),
                       (["dm", "blockers", "abc"], "abc"), (["capture"], "DIR"),
                       (["--root", "/does/not/exist", "dm", "check"], "/does/not/exist")):
        status, out, err = run(*args)
        ok(f"{' '.join(args)}: 64, nothing on stdout, '{word}' named",
           status == 64 and not out and word in err, (status, out, err))


def help_and_version():
    for args in (["--help"], ["dm", "--help"], ["dm", "check", "--help"], ["capture", "-h"],
                 ["--version"]):
        status, out, err = run(*args)
        ok(f"{' '.join(args)}: 0", status == 0 and out and not err, (status, err))
    status, out, _ = run("--complete", "dm", "check")
    ok("completion knows the options of dm check", status == 0 and "--vmid=" in out.split(), out)
    for args, formats in ((("dm", "report"), ["text", "json", "prometheus"]),
                          (("facts", "node"), ["text", "json"]), ((), ["text", "json"])):
        _, out, _ = run("--complete", *args, "--format")
        ok(f"completion knows the formats of '{' '.join(args)}'", out.split() == formats, out)
    out = run("--help")[1]
    ok("help names the hub and its package", any(line.split()[:1] == ["hub"] and "pvewarden-hub" in line
                                                for line in out.splitlines()), out)
    ok("options before the hub's verb are refused with a sentence",
       run("--verbose", "hub", "serve")[0] == 64 and "behind" in run("--verbose", "hub", "serve")[2])
    out = run("--complete", "watch", "maintenance")[1].split()
    ok("completion knows the words that an operand may be", {"on", "off"} <= set(out), out)
    ok("help says which formats a verb has", "prometheus" in run("dm", "report", "--help")[1] and
       "text|json|prometheus" not in run("facts", "node", "--help")[1])


def example():
    status, out, err = node("dm", "check", "--format", "json", "--all")
    doc = json.loads(out)
    with open(os.path.join(os.path.dirname(EXAMPLE), "example.classes"), encoding="utf-8") as file:
        expected = [line.split() for line in file if line.strip() and line[0] != "#"]
    found = [[m["name"], m["class"], m["severity"]] for m in doc["mappings"]]
    ok("the example's verdicts are the expected ones", sorted(expected) == sorted(found),
       [x for x in expected + found if (x in expected) != (x in found)])
    ok("a mapping of every class", {m[1] for m in found} == CLASSES, CLASSES - {m[1] for m in found})
    ok("exit status and answer: critical", status == 2 and doc["answer"] == "critical" and not err)
    ok("at least 12 VMs and 6 CTs", guests() >= (12, 6), guests())
    summary = doc["summary"]
    ok("ok + findings = guest_mappings",
       summary["ok"] + len(doc["findings"]) == summary["guest_mappings"], summary)
    ok("an unknown guest mapping: not graded", doc["score"] is None and doc["grade"] is None)
    ok("every finding has a reason", all(f["reason"] for f in doc["findings"]))
    ok("every warning and every critical one has a remedy",
       all(f["remedy"] for f in doc["findings"] if f["severity"] in ("warning", "critical")))


def guests():
    doc = json.loads(node("facts", "guests", "--format", "json")[1])
    types = [g["type"] for g in doc["guests"]]
    return types.count("qemu"), types.count("lxc")


def text():
    status, out, _ = node("dm", "check")
    first = out.splitlines()[0]
    ok("the first line is what a monitoring system shows", status == 2 and
       first.startswith("CRITICAL - pve1: ") and " | critical=" in first, first)
    ok("no colour without a terminal", "\x1b" not in out)
    ok("colour on demand", "\x1b[" in node("dm", "check", "--color", "always")[1])
    ok("no trailing blanks", not any(line.endswith(" ") for line in out.splitlines()))
    ok("options may stand before the part", run("--format", "json", "--root", EXAMPLE, "dm",
                                               "check")[1].startswith("{"))


def narrow():
    _, out, _ = node("dm", "check", "--format", "json")
    finding = next(f for f in json.loads(out)["findings"] if f["class"] == "leftover")
    status, out, _ = node("dm", "check", "--vmid", str(finding["vmid"]), "--format", "json")
    doc = json.loads(out)
    ok("--vmid narrows findings, answer and exit status", status == 0 and doc["answer"] == "ok" and
       {f["vmid"] for f in doc["findings"]} == {finding["vmid"]}, (status, doc["answer"]))
    status, out, _ = node("dm", "check", "--vmid", str(finding["vmid"]), "--policy", "running")
    ok("--policy running makes a leftover a warning", status == 1, status)


def schemas():
    for args in (["dm", "check"], ["dm", "blockers", "100"], ["dm", "blockers", "--next"],
                 ["facts", "guests"], ["facts", "storages"], ["facts", "volumes"],
                 ["facts", "node"], ["facts", "cluster"], ["watch", "status"], ["watch", "stats"],
                 ["watch", "maintenance"]):
        _, out, _ = node(*args, "--format", "json")
        try:
            good = json.loads(out)["schema"].startswith("pvewarden.")
        except (ValueError, KeyError):
            good = False
        ok(f"{' '.join(args)} --format json is a document", good, out[:100])
        ok(f"{' '.join(args)} as text", node(*args)[1])


def capture_again():
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "copy")
        status, _, err = node("capture", copy)
        ok("a recorded node can be recorded", status == 0, err)
        ok("and is judged as the first", run("--root", copy, "dm", "check", "--format", "json")[1] ==
           node("dm", "check", "--format", "json")[1])
        ok("and reported as the first, its host too", run("--root", copy, "dm", "report", "--format",
           "json")[1] == node("dm", "report", "--format", "json")[1])
        ok("capture does not write into a folder that is in use", node("capture", copy)[0] == 2)


def blockers():
    # 5000: nothing is in its way, but one volume group of the example node cannot be seen whole.
    for vmid, expected in (("117", 2), ("100", 2), ("5000", 3)):
        status, out, _ = node("dm", "blockers", vmid)
        ok(f"dm blockers {vmid}: {expected}", status == expected, (status, out))


def watch():
    status, out, _ = node("watch", "status")
    ok("the example's watch: a guest is given up, so 2", status == 2 and "exhausted" in out, out)
    ok("its metrics", "pvewarden_watch_answer 2\n" in
       node("watch", "status", "--format", "prometheus")[1])
    with tempfile.TemporaryDirectory() as folder:
        without = os.path.join(folder, "node")
        shutil.copytree(EXAMPLE, without, symlinks=True)
        shutil.rmtree(os.path.join(without, "run/pvewarden/watch"))
        watch_without(without)
    status, out, _ = node("watch", "maintenance")
    ok("nothing is in maintenance", status == 0 and "Nothing is in maintenance" in out, out)


def watch_without(root):
    status, out, _ = run("--root", root, "watch", "status")
    ok("without the watch its status is 3, and it is said how to start it",
       status == 3 and "systemctl start pvewarden-watch" in out, (status, out))
    ok("and the same as metrics", "pvewarden_watch_answer 3\n" in
       run("--root", root, "watch", "status", "--format", "prometheus")[1])


def unprivileged():
    if os.geteuid() != 0:
        return
    status, out, err = run("dm", "check", user=65534, group=65534, extra_groups=[])
    ok("not root: 77 and a sentence", status == 77 and not out and "root" in err, (status, out, err))


for part in (usage_errors, help_and_version, example, text, narrow, schemas, capture_again, blockers,
             watch, unprivileged):
    part()
end()
