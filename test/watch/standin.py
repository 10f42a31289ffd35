#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""qm, pct and ha-manager for the tests, by the name it is called with.

Keeps what Proxmox' own do (qemu-server: API2/Qemu.pm, QemuServer.pm; pve-container; pve-ha-manager):
the guest's flock and for how long it is held, `lock:` in its config, quorum before a start, templates,
tasks with UPIDs in active and index, QMP with one connection, quit - SIGTERM - SIGKILL, requests
that only queue where HA manages the guest, 0 and 255 as exit codes. Times that are ten seconds and
more there come from knobs.json here. Every call leaves two lines in calls.jsonl.
"""
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

RIG, OWN = "/run/rig", "/run/rignode"
TASKS = "/var/log/pve/tasks"
ROLE = os.path.basename(sys.argv[0])
NODE = os.uname().nodename.split(".")[0]


class Die(Exception):
    """What Perl's die would say."""


def knobs():
    with open(f"{RIG}/knobs.json", encoding="utf8") as file:
        return json.load(file)


def knob(vmid, key, default=None):
    """A guest's knob, else the one for all."""
    doc = knobs()
    return doc.get(str(vmid), {}).get(key, doc.get("all", {}).get(key, default))


def append(path, line):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    os.write(fd, line.encode())
    os.close(fd)


def record(**fields):
    append(f"{RIG}/calls.jsonl", json.dumps(fields) + "\n")


# --- tasks -------------------------------------------------------------------------------------

def own_start():
    with open("/proc/self/stat", encoding="utf8") as file:
        return int(file.read().rpartition(")")[2].split()[19])


class Task:
    """One task, as RESTEnvironment's fork_worker keeps it: here in this process itself."""

    def __init__(self, kind, vmid):
        start = int(time.time())
        self.upid = f"UPID:{NODE}:{os.getpid():08X}:{own_start():08X}:{start:08X}:{kind}:{vmid}:" \
                    "root@pam:"
        folder = f"{TASKS}/{start & 15:X}"
        os.makedirs(folder, exist_ok=True)
        self.log = f"{folder}/{self.upid}"

    def rewrite(self, change):
        os.makedirs(TASKS, exist_ok=True)
        with open(f"{TASKS}/.active.lock", "a", encoding="utf8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                with open(f"{TASKS}/active", encoding="utf8") as file:
                    lines = file.read().splitlines()
            except FileNotFoundError:
                lines = []
            lines = change(lines)
            with open(f"{TASKS}/active.tmp", "w", encoding="utf8") as file:
                file.write("".join(line + "\n" for line in lines[:25]))
            os.rename(f"{TASKS}/active.tmp", f"{TASKS}/active")

    def __enter__(self):
        append(self.log, "")
        self.rewrite(lambda lines: [f"{self.upid} 0"] + lines)
        return self

    def __exit__(self, kind, error, trace):
        status = "OK" if error is None else str(error)
        append(self.log, "TASK OK\n" if error is None else f"TASK ERROR: {status}\n")
        end = f"{int(time.time()):08X}"
        self.rewrite(lambda lines: [f"{self.upid} 1 {end} {status}"] +
                     [line for line in lines if not line.startswith(self.upid)])
        append(f"{TASKS}/index", f"{self.upid} {end} {status}\n")


# --- the guest's config and locks ----------------------------------------------------------------

class Guest:
    def __init__(self, vmid, folder):
        self.vmid, self.folder = vmid, folder
        self.kind = "VM" if folder == "qemu-server" else "CT"
        if not re.fullmatch("[1-9][0-9]{2,8}", vmid):
            raise Die(f"400 Parameter verification failed.\nvmid: type check ('integer') failed")
        self.lockfile = f"/var/lock/qemu-server/lock-{vmid}.conf" if self.kind == "VM" else \
            f"/run/lock/lxc/pve-config-{vmid}.lock"

    def config(self):
        path = f"nodes/{NODE}/{self.folder}/{self.vmid}.conf"
        try:
            with open(f"/etc/pve/{path}", encoding="utf8") as file:
                text = file.read()
        except FileNotFoundError as e:
            raise Die(f"Configuration file '{path}' does not exist") from e
        main = re.split(r"^\[", text, flags=re.M)[0]
        return dict(re.findall(r"^([a-z][a-z_]*\d*):\s*(.+?)\s*$", main, re.M))

    def lock(self):
        """lock_config: ten seconds, and held as long as the caller keeps what comes back."""
        os.makedirs(os.path.dirname(self.lockfile), exist_ok=True)
        fd = os.open(self.lockfile, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        end = time.monotonic() + knob(self.vmid, "lock_wait", 10)
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return fd
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Die(f"can't lock file '{self.lockfile}' - got timeout") from None
                time.sleep(0.05)

    def check_lock(self, config):
        if config.get("lock"):
            raise Die(f"{self.kind} is locked ({config['lock']})")

    # --- running or not ------------------------------------------------------------------------

    def pid(self):
        """vm_running_locally, find_lxc_pid."""
        if self.kind == "CT":
            return self.container_pid()
        try:
            with open(f"/var/run/qemu-server/{self.vmid}.pid", encoding="utf8") as file:
                pid = int(file.readline())
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                args = file.read().split(b"\0")
            with open(f"/proc/{pid}/stat", encoding="utf8") as file:
                state = file.read().rpartition(")")[2].split()[0]
        except (OSError, ValueError):
            return None
        wanted = f"/var/run/qemu-server/{self.vmid}.pid".encode()
        mine = any(a.lstrip(b"-") == b"pidfile" and b == wanted for a, b in zip(args, args[1:]))
        return pid if args[0].endswith(b"kvm") and mine and state != "Z" else None

    def container_pid(self):
        with open("/proc/net/unix", encoding="utf8", errors="replace") as file:
            if not any(line.rstrip().endswith(f" @/var/lib/lxc/{self.vmid}/command")
                       for line in file):
                return None
        try:
            with open(f"{OWN}/{self.vmid}.guest.pid", encoding="utf8") as file:
                return int(file.read())
        except (OSError, ValueError):
            return None

    def wait_gone(self, seconds):
        end = time.monotonic() + seconds
        while self.pid():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def qmp(self, command):
        """One connection, one command, the timeout of QMPClient."""
        limit = knob(self.vmid, "qmp_timeout", 5)
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(limit)
            try:
                s.connect(f"/var/run/qemu-server/{self.vmid}.qmp")
                file = s.makefile("rw")
                file.readline()
                for name in ("qmp_capabilities", command):
                    file.write(json.dumps({"execute": name, "id": name}) + "\n")
                    file.flush()
                    while True:
                        line = file.readline()
                        if not line:
                            if command == "quit":
                                return {}
                            raise Die(f"VM {self.vmid} qmp command '{command}' failed - "
                                      "client closed connection")
                        answer = json.loads(line)
                        if answer.get("id") == name:
                            break
                if "error" in answer:
                    raise Die(f"VM {self.vmid} qmp command '{command}' failed - "
                              f"{answer['error']['desc']}")
                return answer["return"]
            except (TimeoutError, socket.timeout):
                raise Die(f"VM {self.vmid} qmp command '{command}' failed - got timeout") from None
            except OSError as e:
                raise Die(f"VM {self.vmid} qmp command '{command}' failed - unable to connect to "
                          f"VM {self.vmid} qmp socket - {e.strerror}") from None


def check_quorum():
    """PVE::Cluster::check_cfs_quorum."""
    try:
        good = os.lstat("/etc/pve/local").st_mode & 0o200
    except OSError:
        good = False
    if not good:
        raise Die("cluster not ready - no quorum?")


# --- the verbs -------------------------------------------------------------------------------------

def launch(guest):
    """QEMU and its guest, or the container. Knows nothing of who called."""
    with open(f"{OWN}/{guest.vmid}.log", "ab") as log:
        done = subprocess.run(["/usr/bin/python3", f"{RIG}/guest.py", "boot", guest.vmid,
                               guest.kind], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                              timeout=60, check=False)
    if done.returncode:
        raise Die(f"start failed: QEMU exited with code {done.returncode}")


def start(guest):
    config = guest.config()
    check_quorum()
    with Task("qmstart" if guest.kind == "VM" else "vzstart", guest.vmid):
        fd = guest.lock()
        config = guest.config()
        if config.get("template") == "1":
            raise Die("you can't start a vm if it's a template" if guest.kind == "VM" else
                      f"you can't start a CT if it's a template")
        guest.check_lock(config)
        if guest.pid():
            raise Die(f"{guest.kind} {guest.vmid} already running")
        fails = knob(guest.vmid, "start_fails")
        if fails:
            raise Die(fails if isinstance(fails, str) else "start failed: QEMU exited with code 1")
        time.sleep(knob(guest.vmid, "slow_start", 0))
        launch(guest)
        os.close(fd)


def stop_vm(guest, shutdown, timeout, force):
    """QemuServer::vm_stop. The lock is held all the time."""
    guest.check_lock(guest.config())
    pid = guest.pid()
    if not pid:
        return
    failed = None
    try:
        if guest.kind == "CT":
            stop_container(guest, shutdown)
        else:
            guest.qmp("system_powerdown" if shutdown else "quit")
    except Die as e:
        failed = e
        print(e, file=sys.stderr)
    if not failed:
        if guest.wait_gone(timeout):
            return
        if not force:
            raise Die("VM quit/powerdown failed - got timeout")
    elif not force:
        raise Die("VM quit/powerdown failed")
    print("VM still running - terminating now with SIGTERM", file=sys.stderr)
    kill(guest, pid, signal.SIGTERM)
    if guest.wait_gone(knob(guest.vmid, "term_wait", 10)):
        return
    print("VM still running - terminating now with SIGKILL", file=sys.stderr)
    kill(guest, pid, signal.SIGKILL)
    time.sleep(knob(guest.vmid, "kill_wait", 1))


def kill(guest, pid, how):
    if not knob(guest.vmid, "stop_survives"):
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            pass


def stop_container(guest, shutdown):
    """lxc-stop: asks init, or kills all."""
    if knob(guest.vmid, "stop_survives"):
        return
    if not shutdown:
        kill(guest, guest.pid(), signal.SIGKILL)
        return
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        try:
            s.connect(f"{OWN}/{guest.vmid}.ctl")
            s.sendall(b'{"powerdown": true}\n')
            s.recv(100)
        except OSError:
            pass


def shutdown(guest, options):
    config = guest.config()
    timeout = int(options.get("timeout", 60))
    with Task("qmshutdown" if guest.kind == "VM" else "vzshutdown", guest.vmid):
        if guest.kind == "CT" and not guest.pid():
            raise Die(f"CT {guest.vmid} not running")
        force = options.get("forceStop") in ("1", True)
        ask = True
        if guest.kind == "VM" and guest.pid():
            try:
                state = guest.qmp("query-status")["status"]
            except Die as e:
                print(e, file=sys.stderr)
                state = None
            if state in ("paused", "prelaunch", "suspended"):
                if not force:
                    raise Die("VM is paused - cannot shutdown")
                ask = False
        fd = guest.lock()
        stop_vm(guest, ask, timeout, force)
        os.close(fd)
    return config


def stop(guest, options):
    guest.config()
    with Task("qmstop" if guest.kind == "VM" else "vzstop", guest.vmid):
        if guest.kind == "CT" and not guest.pid():
            raise Die(f"CT {guest.vmid} not running")
        fd = guest.lock()
        survives = knob(guest.vmid, "stop_survives")
        stop_vm(guest, False, 0.5 if survives else int(options.get("timeout", 60)), True)
        os.close(fd)


# --- HA ----------------------------------------------------------------------------------------

HA = "/etc/pve/ha"


def ha_resources():
    """{sid: {key: value}} of resources.cfg."""
    found, section = {}, None
    try:
        with open(f"{HA}/resources.cfg", encoding="utf8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return found
    for line in lines:
        head = re.fullmatch(r"(\S+):\s*(\S+)\s*", line)
        if head:
            section = found.setdefault(f"{head[1]}:{head[2]}", {})
        elif section is not None and line.strip():
            key, _, value = line.strip().partition(" ")
            section[key] = value.strip()
    return found


def ha_write(resources):
    text = "".join(f"{sid.replace(':', ': ')}\n" +
                   "".join(f"\t{k} {v}\n" for k, v in keys.items()) + "\n"
                   for sid, keys in resources.items())
    with open(f"{HA}/resources.cfg.tmp.{os.getpid()}", "w", encoding="utf8") as file:
        file.write(text)
    os.rename(file.name, f"{HA}/resources.cfg")


def ha_sid(guest):
    return f"{guest.kind.lower()}:{guest.vmid}"


def ha_managed(guest):
    keys = ha_resources().get(ha_sid(guest))
    return keys is not None and keys.get("state", "started") != "ignored"


def ha_state(sid):
    try:
        with open(f"{HA}/manager_status", encoding="utf8") as file:
            return json.load(file)["service_status"].get(sid, {}).get("state")
    except (OSError, ValueError, KeyError):
        return None


def ha_set(sid, state):
    """ha-manager set SID --state STATE"""
    check_quorum()
    resources = ha_resources()
    if sid not in resources:
        raise Die(f"no such resource '{sid}'")
    if ha_state(sid) == "error" and state != "disabled":
        raise Die(f"service '{sid}' in error state, must be disabled and fixed first")
    resources[sid]["state"] = state
    ha_write(resources)


def ha_crm_stop(sid, timeout):
    """ha-manager crm-command stop SID TIMEOUT"""
    check_quorum()
    if sid not in ha_resources():
        raise Die(f"no such resource '{sid}'")
    if ha_state(sid) == "error":
        raise Die(f"service '{sid}' in error state, must be disabled and fixed first")
    with open(f"{RIG}/crm_commands", "a", encoding="utf8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(f"stop {sid} {timeout}\n")


def ha_manager(args):
    args, options = split(args)
    if args[:1] == ["set"] and len(args) == 2:
        ha_set(args[1], options.get("state", "started"))
    elif args[:2] == ["crm-command", "stop"] and len(args) == 4:
        ha_crm_stop(args[2], int(args[3]))
    elif args[:1] == ["status"]:
        for sid in ha_resources():
            print(f"service {sid} ({NODE}, {ha_state(sid)})")
    else:
        raise Die("ERROR: unknown command")


def ha_instead(guest, verb, options):
    """What qm and pct do for a guest that HA manages: a request, and the task is over."""
    kind = {"start": "hastart", "stop": "hastop", "shutdown": "hashutdown"}[verb]
    if verb == "start":
        check_quorum()
    guest.config()
    with Task("hastop" if kind == "hashutdown" else kind, guest.vmid):
        if verb == "start":
            print(f"Requesting HA start for {guest.kind} {guest.vmid}")
            ha_set(ha_sid(guest), "started")
        else:
            print(f"Requesting HA stop for {guest.kind} {guest.vmid}")
            ha_crm_stop(ha_sid(guest), 0 if verb == "stop" else int(options.get("timeout", 60)))


# --- the command line ----------------------------------------------------------------------------

def split(args):
    """Operands and --options; a --key may have a value behind it or after '='."""
    operands, options, i = [], {}, 0
    while i < len(args):
        arg = args[i]
        if arg == "--":
            operands += args[i + 1:]
            break
        if not arg.startswith("--") and not re.fullmatch("-[a-zA-Z]+", arg):
            operands.append(arg)
        elif "=" in arg:
            key, _, value = arg.lstrip("-").partition("=")
            options[key] = value
        elif i + 1 < len(args) and not args[i + 1].startswith("-") and \
                arg.lstrip("-") not in ("skiplock",):
            options[arg.lstrip("-")] = args[i + 1]
            i += 1
        else:
            options[arg.lstrip("-")] = True
        i += 1
    return operands, options


def guest_command(args):
    operands, options = split(args)
    if len(operands) != 2:
        raise Die("400 wrong number of arguments")
    verb, vmid = operands
    guest = Guest(vmid, "qemu-server" if ROLE == "qm" else "lxc")
    if options.pop("rig-as-ha", None) is None and verb in ("start", "stop", "shutdown") and \
            ha_managed(guest):
        ha_instead(guest, verb, options)
    elif verb == "start":
        start(guest)
    elif verb == "stop":
        stop(guest, options)
    elif verb == "shutdown":
        shutdown(guest, options)
    elif verb == "status":
        guest.config()
        print("status: " + ("running" if guest.pid() else "stopped"))
    else:
        raise Die(f"ERROR: unknown command '{ROLE} {verb}'")


def main():
    begun = time.time()
    key = f"{NODE}.{os.getpid()}.{begun}"
    record(call=key, time=begun, node=NODE, argv=[ROLE, *sys.argv[1:]], pid=os.getpid(),
           boot=time.clock_gettime(time.CLOCK_BOOTTIME))
    code, said = 0, None
    time.sleep(knobs()["all"].get("perl", 0))  # Perl takes most of a second to load
    try:
        if ROLE == "ha-manager":
            ha_manager(sys.argv[1:])
        else:
            guest_command(sys.argv[1:])
    except Die as e:
        code, said = 255, str(e)
        print(said, file=sys.stderr)
    record(call=key, ended=time.time(), rc=code, said=said)
    sys.exit(code)


main()
