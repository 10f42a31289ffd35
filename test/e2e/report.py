#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`dm report` from outside: the page as a mail program's parser sees it, with names that want to break
it and with 2,000 guests; the text, the document, the metrics; and what is written where."""
import html.parser
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile

from lib import EXAMPLE, end, node, ok, run

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VOID = {"br", "meta", "img", "hr", "link"}
HOSTILE = ("<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "a'b\"c&d<e>",
           "\u202eevil\u2066", "x\x1b[31mred\x07", "</td></table></body>", "&lt;already&gt;")
SECTIONS = ("Critical issues", "Could not be told", "Warnings", "Notices", "Findings in use",
            "Ids of guests that do not exist", "What to do", "Guests of this node",
            "Running guests and their disks", "Environment", "Host", "Advice",
            "Before anything is changed", "How the grades come about")
FACTS = ("Uptime", "Booted", "Load", "Processor", "Processor use", "Temperature", "Memory", "Swap",
         "Proxmox VE", "Kernel", "Guests", "ZFS pools", "Volume groups", "Disk /", "Disk /var",
         "Network since boot", "Top processes", "Hardware", "Address")


def report(root, *args, **options):
    return run("--root", root, "dm", "report", *args, **options)


class Page(html.parser.HTMLParser):
    """Nesting must be exact; nothing may be there that a mail must not have."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.wrong, self.tags, self.text, self.headings = [], [], set(), [], []
        self.feed(text)
        self.close()
        if self.open:
            self.wrong.append(f"never closed: {self.open}")

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name in ("src", "href") or "javascript" in (value or ""):
                self.wrong.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "title"):
            self.text.append(data)
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def page_of(root):
    status, out, err = report(root, "--html=-")
    page = Page(out)
    ok(f"{os.path.basename(root)}: well-formed HTML, nothing on stderr",
       not page.wrong and not err and out.startswith("<!DOCTYPE html>"), (page.wrong[:5], err))
    ok(f"{os.path.basename(root)}: only elements of a mail",
       not page.tags & {"script", "img", "iframe", "form", "link", "svg"}, page.tags)
    return status, out, page


def sections():
    status, out, page = page_of(EXAMPLE)
    text = " ".join(page.text)
    for section in SECTIONS:
        ok(f"section '{section}'", any(h.startswith(section) for h in page.headings), page.headings)
    for fact in FACTS:
        ok(f"the host's '{fact}'", fact in page.text)
    ok("exit status as dm check", status == 2)
    for word in ("CRITICAL", "[IN USE]", "pvewarden dm clean --dry-run", "ssh root@pve1",
                 "dmsetup remove --uuid", "not graded", "Host grade A+", "kvm (pid 680)"):
        ok(f"the page says '{word}'", word in text)
    ok("dark and narrow screens, Outlook", all(word in out for word in (
        "prefers-color-scheme:dark", "max-width:620px", "<!--[if mso]>", "color-scheme")))
    ok("below what Gmail cuts", len(out.encode()) < 100000, len(out.encode()))


def text():
    status, out, _ = report(EXAMPLE)
    lines = out.splitlines()
    ok("--text is the default", status == 2 and out == report(EXAMPLE, "--text")[1])
    for section in SECTIONS:
        ok(f"text: '{section}'", any(line.startswith(section) for line in lines))
    # Commands stay on one line: they are there to be copied.
    wide = [line for line in lines if len(line) > 78 and not line.startswith("      ")]
    ok("text: no line over 78 columns but commands", not wide, wide)
    ok("text: no trailing blanks", not any(line.endswith(" ") for line in lines))


def document():
    status, out, _ = report(EXAMPLE, "--format", "json")
    doc = json.loads(out)
    check = json.loads(node("dm", "check", "--format", "json")[1])
    ok("JSON: schema and answer", doc["schema"] == "pvewarden.dm/1" and doc["answer"] == "critical"
       and status == 2)
    ok("JSON: the host and its grade", doc["host_grade"] == "A+" and doc["host_score"] == 100 and
       doc["host"]["cpu"]["percent"] == 4.56 and doc["host"]["memory"]["total"] > 6e10, doc["host"])
    ok("JSON: all of dm check", all(doc[key] == value for key, value in check.items()
                                    if key != "host_grade"))
    ok("dm check itself has no host grade", check["host_grade"] is None and "host" not in check)


SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|'
                    r'\\"|\\n)*",?)*)\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?)$')


def parse_metrics(out):
    """The rules of the exposition format and of promtool: HELP and TYPE before the samples, one block a
    metric, no series twice. Returns {series: value}."""
    series, described, closed, current = {}, {}, set(), None
    assert out.endswith("\n")
    for line in out.splitlines():
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in described, f"{name} is described twice"
            assert len(line.split(" ", 3)) == 4, line
            described[name] = ["help"]
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert described[name] == ["help"] and kind == "gauge", line
            described[name].append(kind)
            if current:
                closed.add(current)
            assert name not in closed
            current = name
        else:
            match = SAMPLE.match(line)
            assert match, line
            assert match[1] == current, f"{match[1]} stands under {current}"
            key = match[1] + "{" + (match[2] or "") + "}"
            assert key not in series, f"{key} twice"
            series[key] = float(match[3])
    assert all(len(d) == 2 for d in described.values())
    return series


def metrics():
    for verb in ("check", "report"):
        status, out, _ = node("dm", verb, "--format", "prometheus")
        try:
            series = parse_metrics(out)
        except (AssertionError, KeyError) as e:
            ok(f"dm {verb} --format prometheus is valid", False, e)
            continue
        ok(f"dm {verb} --format prometheus is valid", status == 2)
        ok(f"dm {verb}: the figures", series["pvewarden_dm_answer{}"] == 2 and
           series["pvewarden_dm_mappings{}"] == 45 and series["pvewarden_dm_orphans{}"] == 5 and
           series['pvewarden_dm_findings{class="ghost",severity="critical"}'] == 1 and
           series["pvewarden_dm_last_check_timestamp_seconds{}"] > 1.7e9)
        ok(f"dm {verb}: no score while not graded", "pvewarden_dm_score{}" not in series)
        ok(f"dm {verb}: the host's grade only in the report",
           ('pvewarden_host_grade{grade="A+"}' in series) == (verb == "report"))
    status, _, _ = node("facts", "node", "--format", "prometheus")
    ok("other verbs have no metrics: 64", status == 64, status)
    status, out, _ = run("--root", "/tmp", "dm", "check", "--format", "prometheus")
    ok("no node at all: 3, as a metric", status == 3 and out.endswith("pvewarden_dm_answer 3\n"), out)


def files():
    with tempfile.TemporaryDirectory() as folder:
        page, prom = os.path.join(folder, "r.html"), os.path.join(folder, "pvewarden.prom")
        status, out, err = report(EXAMPLE, f"--html={page}", f"--prometheus={prom}")
        ok("files only: nothing on stdout", status == 2 and not out and not err, (out, err))
        ok("both are there", Page(open(page, encoding="utf-8").read()).text and
           parse_metrics(open(prom, encoding="utf-8").read()))
        ok("the collector may read the metrics", stat.S_IMODE(os.stat(prom).st_mode) == 0o644)
        status, out, _ = report(EXAMPLE, f"--html={page}", "--format", "json")
        ok("a file and a document in one run", status == 2 and json.loads(out))
        ok("nothing else is left", sorted(os.listdir(folder)) == ["pvewarden.prom", "r.html"])
        status, _, err = report(EXAMPLE, f"--html={folder}/no/such/place.html")
        ok("a file that cannot be written: 70, named", status == 70 and "place.html" in err, err)
        status, _, err = report(EXAMPLE, "--prometheus=/dev/null")
        ok("a device is never replaced", status == 70 and stat.S_ISCHR(os.stat("/dev/null").st_mode),
           err)
        gone = os.path.join(folder, "none")
        os.mkdir(gone)
        status, _, _ = report(gone, f"--prometheus={prom}")
        ok("could not tell: the metrics say so", status == 3 and
           parse_metrics("".join(open(prom, encoding="utf-8").readlines()[1:])) ==
           {"pvewarden_dm_answer{}": 3})
    ok("a recorded node publishes nothing",
       not os.path.exists(os.path.join(EXAMPLE, "run/pvewarden/dm")))
    for args in (["--html=-", "--text"], ["--text", "--format", "json"], ["--retry", "--mail"],
                 ["--retry", "--import-mail=x"], ["--html="], ["--policy=all"], ["extra"]):
        status, out, err = report(EXAMPLE, *args)
        ok(f"dm report {' '.join(args)}: 64", status == 64 and not out and err, (status, err))


def hostile(folder):
    root = os.path.join(folder, "hostile")
    shutil.copytree(EXAMPLE, root, symlinks=True)
    configs = os.path.join(root, "etc/pve/nodes/pve1/qemu-server")
    names = sorted(os.listdir(configs))
    for name, evil in zip(names, HOSTILE):
        path = os.path.join(configs, name)
        conf = open(path, encoding="utf-8").read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(r"^name: .*$", lambda _: f"name: {evil}", conf, flags=re.M))
    with open(os.path.join(root, "etc/pve/storage.cfg"), "a", encoding="utf-8") as file:
        file.write("\ndir: <b>x</b>\n\tpath /x\n")
    with open(os.path.join(root, "sys/class/dmi/id/product_name"), "w", encoding="utf-8") as file:
        file.write("<img src=x>\n")
    _, out, page = page_of(root)
    shown = "".join(page.text)
    ok("hostile names are text", "<script>alert(1)</script>" in shown and "<script" not in out and
       "<img" not in out and "&lt;img src=x&gt;" in out)
    ok("no control and no direction-changing character", not re.search(
        "[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", out))
    ok("what is escaped already is escaped again", "&lt;already&gt;" in shown)
    _, text_out, _ = report(root)
    ok("the text too", not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\u2066]", text_out))


def large(folder):
    root = os.path.join(folder, "large")
    subprocess.run([os.path.join(TREE, "bench/mknode"), "8000", root], check=True)
    path = os.path.join(root, "capture/lvm.json")
    with open(path, encoding="utf-8") as file:
        lvm = json.load(file)
    thick = lvm["report"][0]
    gone = {lv["lv_uuid"] for lv in thick["lv"][:4000:8]}
    for part in ("lv", "seg"):
        thick[part] = [row for row in thick[part] if row["lv_uuid"] not in gone]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(lvm, file)
    # Names as long as they can be, of what grows most when it is escaped.
    configs = os.path.join(root, "etc/pve/nodes/pve1/qemu-server")
    for name in os.listdir(configs):
        with open(os.path.join(configs, name), "r+", encoding="utf-8") as file:
            conf = file.read()
            file.seek(0)
            file.write(re.sub(r"^name: .*$", "name: " + "\"" * 200, conf, flags=re.M))
    _, out, page = page_of(root)
    size, shown = len(out.encode()), " ".join(page.text)
    ok(f"2,000 guests, 500 findings, bad names: {size} bytes, below 100,000", size < 100000, size)
    for what in ("more guests", "more warnings", "more running guests"):
        ok(f"'{what}' with a count", re.search(r"and [0-9,]+ " + what, shown), shown[-500:])
    status, out, _ = report(root, "--format", "json")
    doc = json.loads(out)
    ok("the document is complete", status == 1 and len(doc["findings"]) == 500 and
       len(doc["guests"]) == 2000)


def no_entries(folder):
    root = os.path.join(folder, "empty")
    shutil.copytree(EXAMPLE, root, symlinks=True)
    with open(os.path.join(root, "capture/dm.txt"), "w", encoding="utf-8") as file:
        file.write("# pvewarden.dm-record/1\n")
    for path in ("proc/meminfo", "proc/loadavg", "proc/cpuinfo", "proc/net/dev"):
        os.remove(os.path.join(root, path))
    _, _, page = page_of(root)
    ok("a node without entries still reports", "not known" in page.text and
       any("0 device-mapper entries" in t for t in page.text))


for part in (sections, text, document, metrics, files):
    part()
with tempfile.TemporaryDirectory() as temporary:
    for part in (hostile, large, no_entries):
        part(temporary)
end()
