# SPDX-License-Identifier: AGPL-3.0-or-later
"""The supervisor itself: its children, its files, its signals, its words."""
import json
import os
import re
import signal
import socket
import time

from basic import ALONE
from brakes import DONE, LEFT
from lib import add, said, scenario
from node import PVEWARDEN, wait_for


@scenario(60)
def conf_changes(t):
    """Picked up within two seconds, without touching the others."""
    rig, node = t.one(keys={"check_interval": 5})
    add(rig, node, 101)
    node.wait_state(101, "serving")
    other = node.prober(101)

    def within(what, condition, change, *args, **keys):
        begun = time.monotonic()
        change(*args, **keys)
        t.comes(f"within 2 s: {what}", condition, 2)
        print(f"# {what}: {time.monotonic() - begun:.2f} s", flush=True)
        mark[0] = len(node.text())

    def line(pattern):
        return lambda: re.search(pattern, node.text()[mark[0]:])

    def conf(**keys):
        rig.watch_conf(102, ip="127.0.0.1", **keys)

    mark = [0]
    add(rig, node, 102, watch=False)
    t.ok("without a file: not watched", not node.seen(102), node.seen(102))
    within("a new file", line(r"\[guest102\] Online"), conf, portsall=8102)
    within("enabled = no", line("102.*is disabled"), conf, portsall=8102, enabled="no")
    t.comes("a disabled one has no child", lambda: node.prober(102) is None, 1)
    t.comes("and is shown so", lambda: node.state(102) == "disabled", 1.5)
    within("enabled = yes", lambda: node.prober(102), conf, portsall=8102, enabled="yes")
    old = node.prober(102)
    within("another port: another child", lambda: node.prober(102) not in (None, old), conf,
           portsall="8102 8302")
    t.comes("which is asked", lambda: [p["port"] for p in node.seen(102)["probes"]] == [8102, 8302],
            2)
    within("no probe at all", line("102 is not watched: no probe"), conf)
    t.comes("misconfigured, and why", lambda: node.state(102) == "misconfigured" and
            "no probe" in node.seen(102)["held"], 1.5)
    within("a probe again", line("102|web one"), conf, portsall=8102, name="web one")
    t.comes("and another name", lambda: node.seen(102).get("name") == "web one", 2)
    within("the file is gone", lambda: node.prober(102) is None, os.unlink,
           f"{rig.pve}/mvmm/102.conf")
    t.comes("it is not shown any more", lambda: not node.seen(102), 2)
    rig.watch_all(check_interval=5, budget="7/2h")
    t.comes("the common file", lambda: node.seen(100)["budget"]["of"] == 7, 3)
    t.ok("guest 101 kept its child through all of that", node.prober(101) == other)
    t.ok("nothing was called", rig.verbs(100) + rig.verbs(101) + rig.verbs(102) == LEFT * 3)


@scenario(60)
def odd_files(t):
    """Named with file and line; the rest of the file counts, and the old file otherwise."""
    rig, node = t.one(daemon=None)
    rig.pve_write("mvmm/100.conf", "ip = 127.0.0.1\nportsall = 8100\nchek_interval = 5\n"
                                   "probe_timeout = soon\n")
    rig.pve_write("mvmm/mvmm.conf", rig.pve_read("mvmm/mvmm.conf") + "Enabled = true\n")
    rig.settings(correlate="many", gatewy="none")
    rig.pve_write("mvmm/902.conf", "enabled=false\nname=test2\nip=192.168.0.107\nportsall=80\n")
    node.start_daemon()
    t.comes("the rest counts: it serves", lambda: node.state(100) == "serving", 6)
    text = node.text()
    for line in (r"mvmm/100\.conf line 3: unknown key 'chek_interval', did you mean 'check_interval'",
                 r"mvmm/100\.conf line 4: probe_timeout 'soon': expected",
                 r"mvmm/mvmm\.conf line 6: unknown key 'Enabled', did you mean 'enabled'",
                 r"pvewarden\.conf line 2: .*correlate",
                 r"pvewarden\.conf line 3: .*gatewy"):
        t.ok(f"log: {line}", re.search(line, text), text)
    t.ok("each is told once", text.count("chek_interval") == 1, text)
    rig.pve_write("mvmm/100.conf", "ip = 127.0.0.1\nportsall = 8100\n")
    time.sleep(2)
    rig.pve_write("mvmm/100.conf", b"\xff\xfe\x00garbage\n".decode("latin1") * 10)
    t.comes("nonsense: misconfigured", lambda: node.state(100) == "misconfigured", 4)
    t.ok("and nothing was called", rig.verbs(100) == LEFT)
    code, out, err = node.run(PVEWARDEN, "watch", "check-config")
    t.ok("check-config: not 0, and which file", code != 0 and "100.conf" in out + err,
         (code, out, err))


@scenario(60)
def children(t):
    rig, node = t.one()
    for vmid in (101, 102):
        add(rig, node, vmid)
    for vmid in (101, 102):
        node.wait_state(vmid, "serving")
    pids = {v: node.prober(v) for v in (100, 101, 102)}
    t.ok("one child a guest", all(pids.values()) and len(set(pids.values())) == 3, node.children())
    inside = {}
    for line in node.read(f"/proc/{pids[100]}/status").splitlines():
        key, _, value = line.partition(":")
        inside[key] = value.split()
    t.ok("not root", "0" not in inside["Uid"] + inside["Gid"], (inside["Uid"], inside["Gid"]))
    t.ok("no other groups", inside["Groups"] == [], inside["Groups"])
    t.ok("no capabilities", all(int(inside[k][0], 16) == 0 for k in
         ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")), inside)
    t.ok("no new privileges, a filter", inside["NoNewPrivs"] == ["1"] and
         inside["Seccomp"] == ["2"], (inside["NoNewPrivs"], inside["Seccomp"]))
    fds = {}
    for name in os.listdir(node.path(f"/proc/{pids[100]}/fd")):
        fds[int(name)] = os.readlink(node.path(f"/proc/{pids[100]}/fd/{name}"))
    t.ok("no descriptors but its own", len(fds) <= 4 and all(
        v == "/dev/null" or v.startswith("socket:") for v in fds.values()), fds)
    begun = time.monotonic()
    node.kill(pids[101], signal.SIGKILL)
    t.comes("a killed one is replaced within a second",
            lambda: node.prober(101) not in (None, pids[101]), 1)
    t.ok(f"after {1000 * (time.monotonic() - begun):.0f} ms", True)
    t.ok("the others are left alone", node.prober(100) == pids[100] and
         node.prober(102) == pids[102])
    node.kill(pids[102], signal.SIGSTOP)
    t.comes("one that hangs is replaced as well",
            lambda: node.prober(102) not in (None, pids[102]), 12)
    time.sleep(2)
    t.ok("all serve", all(node.state(v) == "serving" for v in pids), node.watch())
    t.ok("a child's end is no failure of the guest", all(rig.verbs(v) == LEFT for v in pids))
    t.ok("no zombies", not any("Z (zombie)" in (node.read(f"/proc/{p}/status") or "")
                               for p in node.children()))


@scenario(60)
def helpers(t):
    """The processes that may block: killed or stopped, another one takes over."""
    rig, node = t.one()
    for _ in range(2):
        helpers_now = [p for p in node.children() if p != node.prober(100)]
        t.ok("there are some", helpers_now, node.children())
        for pid in helpers_now:
            node.kill(pid, signal.SIGKILL)
        t.comes("as many again", lambda: len(node.children()) == len(helpers_now) + 1 and
                not set(helpers_now) & set(node.children()), 12)
        time.sleep(1)
    t.comes("it serves", lambda: node.state(100) == "serving", 5)
    node.ports(100, "closed")
    t.comes("and is restarted when it fails", lambda: rig.verbs(100) == DONE, 25)


@scenario(60)
def signals(t):
    rig, node = t.one()
    add(rig, node, 101)
    node.wait_state(101, "serving")
    before = node.children()
    mark = len(node.text())
    node.kill(node.daemon, signal.SIGHUP)
    t.line(node, "configuration read again", after=mark)
    time.sleep(1.5)
    t.ok("SIGHUP: healthy children are kept", node.children() == before,
         (before, node.children()))
    mark = len(node.text())
    node.kill(node.daemon, signal.SIGUSR1)
    for line in ("Supervisor - maintenance mode: 0", "Supervisor - monitoring 2 VMs",
                 r"\[guest100\] Monitoring - online for \d+s",
                 r"\[guest101\] Monitoring - online for \d+s"):
        t.line(node, line, f"SIGUSR1: {line}", after=mark)
    for value in (1, 0):
        mark = len(node.text())
        node.kill(node.daemon, signal.SIGUSR2)
        t.line(node, f"Supervisor maintenance mode toggled to {value}", after=mark)
    code, _, err = node.run(PVEWARDEN, "watch", "run")
    t.ok("a second one: 10, and why", code == 10 and "another watch" in err, (code, err))
    t.ok("and the first one goes on", node.code(node.daemon) is None)
    t.ok("the pid file is mvmm's", os.path.islink(node.path("/run/mvmm.pid")) and
         node.must("cat", "/run/mvmm.pid").strip() == str(node.daemon))
    before = set(node.children())
    mark = len(node.text())
    begun = time.monotonic()
    code = node.stop_daemon(signal.SIGTERM, 5)
    t.ok("SIGTERM: 0, within a second", code == 0 and time.monotonic() - begun < 1.5,
         (code, time.monotonic() - begun))
    t.line(node, "Supervisor about to exit, killing children", after=mark)
    t.line(node, "Supervisor exiting", after=mark)
    t.ok("no child is left", not any(node.read(f"/proc/{p}/cmdline") for p in before), before)
    t.ok("nor pid file", node.run("cat", "/run/mvmm.pid")[0] != 0)
    t.ok("the guests run", node.running(100) and node.running(101))


@scenario(60)
def killed(t):
    """SIGKILL takes the children along; the next one finds all as it was."""
    rig, node = t.one()
    before = set(node.children())
    t.ok("there are children", len(before) >= 2, before)
    checks = node.seen(100)["stats"]["checks"]
    node.kill(node.daemon, signal.SIGKILL)
    t.comes("no child is left", lambda: not any(node.read(f"/proc/{p}/cmdline") for p in before), 2)
    node.start_daemon()
    node.wait_state(100, "serving")
    t.ok("nothing was called", rig.verbs(100) == LEFT)
    t.ok("a clean end keeps the totals", checks >= 0 and node.stop_daemon() == 0)
    total = json.loads(node.read("/var/lib/pvewarden/watch/stats.json") or "{}") \
        if node.read("/var/lib/pvewarden/watch/stats.json") else True
    t.ok("totals are on disk", total, os.listdir(node.path("/var/lib/pvewarden/watch")))


@scenario(60)
def opt_in_by_tag(t):
    rig, node = t.one(settings={**ALONE})
    add(rig, node, 101, agent="ok", watch=False, conf={"tags": "prod;mon-restart", "agent": 1})
    add(rig, node, 102, agent="ok", watch=False, conf={"tags": "mon-restarts", "agent": 1})
    add(rig, node, 103, agent="ok", watch=False, conf={"tags": "mon-restart", "agent": 1,
                                                       "onboot": 0})
    add(rig, node, 104, watch=False, conf={"tags": "mon-restart"})
    t.comes("tag and agent: watched", lambda: node.state(101) == "serving", 5)
    time.sleep(1.5)
    t.ok("another tag: not", not node.seen(102), node.seen(102))
    t.ok("onboot: 0: not", not node.seen(103), node.seen(103))
    t.comes("a tag without anything to ask: misconfigured",
            lambda: node.state(104) == "misconfigured", 3)
    node.control(101, agent="hang")
    t.comes("restarted when it fails", lambda: rig.verbs(101) == DONE, 25)


@scenario(60)
def opt_in_by_own_tag(t):
    rig, node = t.one(settings={**ALONE, "tag": "watch-me"})
    add(rig, node, 101, agent="ok", watch=False, conf={"tags": "watch-me", "agent": 1})
    add(rig, node, 102, agent="ok", watch=False, conf={"tags": "mon-restart", "agent": 1})
    t.comes("the tag of the settings", lambda: node.state(101) == "serving", 5)
    t.ok("not the usual one", not node.seen(102), node.seen(102))


@scenario(60)
def check_config_agrees(t):
    """What check-config says of a guest is what the daemon does with it."""
    rig, node = t.one(settings={**ALONE})
    add(rig, node, 101, kind="CT", watch={"ip": None, "portsall": None, "agent": "yes"})
    add(rig, node, 102, agent="ok", watch=False, conf={"tags": "mon-restart", "agent": 1,
                                                       "onboot": 0})
    add(rig, node, 103, agent="ok", watch=False, conf={"tags": "mon-restart", "agent": "enabled=1"})
    t.comes("a container with nothing but an agent: misconfigured",
            lambda: node.state(101) == "misconfigured", 5)
    t.comes("tagged: serving", lambda: node.state(103) == "serving", 5)
    code, out, err = node.run(PVEWARDEN, "watch", "check-config", "--format", "json")
    means = {g["vmid"]: g["means"] for g in json.loads(out)["guests"]}
    t.ok("check-config: the container has no probe", "no probe" in means.get(101, ""), (code, out, err))
    t.ok("onboot: 0 with a tag: not listed", 102 not in means and not node.seen(102), means)
    t.ok("the tagged one: watched", means.get(103) == "watched", means)


@scenario(60)
def documents(t):
    """watch.json and what reads it."""
    rig, node = t.one()
    add(rig, node, 101, kind="CT")
    add(rig, node, 102, start=False)
    node.wait_state(101, "serving")
    wait_for("102 is in watch.json", lambda: node.seen(102), 7)
    doc = node.watch()
    t.ok("schema, node, mode", doc["schema"] == "pvewarden.watch/1" and doc["node"] == "pve1" and
         doc["mode"] == "run" and doc["mvmm"] is False and doc["maintenance"] == [] and
         doc["pid"] == node.daemon, doc)
    wanted = {"vmid", "type", "name", "state", "since", "uptime", "held", "last_probe",
              "next_check", "probes", "qmp", "budget", "stats"}
    t.ok("each guest has all of its fields", all(wanted <= set(g) for g in doc["guests"]),
         doc["guests"])
    t.ok("one that does not run is absent", next(
        (g["state"] for g in doc["guests"] if g["vmid"] == 102), None) == "absent", doc["guests"])
    st = os.stat(node.path("/run/pvewarden/watch/watch.json"))
    t.ok("0640 root:www-data", st.st_mode & 0o777 == 0o640 and (st.st_uid, st.st_gid) == (0, 33),
         (oct(st.st_mode), st.st_uid, st.st_gid))
    code, out, err = node.run(PVEWARDEN, "watch", "status", "--format", "json")
    t.ok("status --format json: 0, the same", code == 0 and
         json.loads(out)["guests"][0]["vmid"] == 100, (code, out, err))
    code, out, err = node.run(PVEWARDEN, "watch", "status")
    t.ok("status: a table", code == 0 and re.search(r"100\b.*guest100.*serving", out), out)
    code, out, err = node.run(PVEWARDEN, "watch", "status", "--format", "prometheus")
    t.ok("status --format prometheus", code == 0 and "pvewarden_watch" in out, (code, out, err))
    code, out, err = node.run(PVEWARDEN, "watch", "stats")
    t.ok("stats", code == 0 and "100" in out, (code, out, err))
    code, out, err = node.run(PVEWARDEN, "watch", "check-config")
    t.ok("check-config: every probe once, enabled by default is said",
         re.search(r"8100", out) and re.search("file says nothing", out), (code, out, err))
    node.stop_daemon()
    code, out, err = node.run(PVEWARDEN, "watch", "status")
    t.ok("without a daemon: 3", code == 3, (code, out, err))


@scenario(60)
def mvmm_command(t):
    """mvmm's users signal by its own name."""
    rig, node = t.one()
    os.symlink(PVEWARDEN, node.path("/usr/sbin/mvmm"))
    mark = len(node.text())
    code, out, err = node.run("/usr/sbin/mvmm", "--usr1")
    t.line(node, "Supervisor - monitoring 1 VMs", f"mvmm --usr1 ({code} {out} {err})", after=mark)
    code, out, err = node.run("/usr/sbin/mvmm", "--usr2")
    t.line(node, "maintenance mode toggled to 1", f"mvmm --usr2 ({code} {out} {err})", after=mark)
    del rig


@scenario(60)
def qmp_is_proxmox(t):
    """While a guest fails and is held, Proxmox' own QMP clients hardly wait."""
    rig, node = t.one()
    node.must(PVEWARDEN, "watch", "maintenance", "on")
    node.ports(100, "closed")
    node.wait_state(100, "held")
    longest = 0
    for _ in range(40):
        begun = time.monotonic()
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(node.path("/run/qemu-server/100.qmp"))
            with s.makefile("rw") as file:
                file.readline()
                file.write('{"execute": "qmp_capabilities"}\n')
                file.flush()
                file.readline()
        longest = max(longest, time.monotonic() - begun)
        time.sleep(0.1)
    t.ok(f"at most 350 ms: {1000 * longest:.0f}", longest < 0.35)
    # And the other way round: somebody holds QMP for long.
    s = socket.socket(socket.AF_UNIX)
    begun = time.monotonic()
    s.connect(node.path("/run/qemu-server/100.qmp"))
    s.recv(1000)
    node.must(PVEWARDEN, "watch", "maintenance", "off")
    # From when it was held: on a busy machine the command above takes its time.
    t.never("QMP is somebody else's: that alone is not 'hung' at once",
            lambda: rig.verbs(100) != LEFT and time.monotonic() < begun + 1.5, 1.5)
    s.close()
    t.comes("then it is restarted", lambda: rig.verbs(100) == DONE, 20)


@scenario(60)
def guest_sends_garbage(t):
    """What comes out of a guest harms its own child at most."""
    rig, node = t.one(agent="ok", http=[8500], watch={"agent": "yes", "http": "8500/"})
    pids = node.children()
    node.control(100, agent="nonsense")
    t.comes("nonsense from the agent is a failure", lambda: node.state(100) == "failing", 6)
    node.control(100, agent="ok")
    t.comes("serves again", lambda: node.state(100) == "serving", 6)
    t.ok("by the same processes", node.children() == pids, (pids, node.children()))
    wait_for("still up", lambda: node.code(node.daemon) is None)
    t.ok("nothing was called", rig.verbs(100) == LEFT, said(rig, node, 100))
