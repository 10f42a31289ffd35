#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A guest of the tests: a real QEMU process without a machine, and what would run inside of it.

	guest.py boot VMID VM|CT	starts it, returns when QEMU has its pid file and its sockets
	guest.py serve VMID VM|CT	what is inside: comes after the boot delay, goes with QEMU

Inside are the service's ports (TCP and HTTP), the guest agent's socket, and how the guest takes a
shutdown. knobs.json says what it is like; VMID.ctl in /run/rignode takes changes, a JSON object a
line. A container is the same without QEMU, with LXC's abstract command socket.
"""
import asyncio
import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time

RIG, OWN, RUN = "/run/rig", "/run/rignode", "/var/run/qemu-server"
PORT_MODES = ("ok", "closed", "backlog", "503", "hang", "reset")


def knob(vmid, key, default=None):
    with open(f"{RIG}/knobs.json", encoding="utf8") as file:
        doc = json.load(file)
    return doc.get(vmid, {}).get(key, doc.get("all", {}).get(key, default))


# --- starting ------------------------------------------------------------------------------------

def boot(vmid, kind):
    if kind == "VM":
        start_qemu(vmid)
    else:
        take_command_socket(vmid)  # dies when it runs already
    # Not a child of whoever called: as qm's QEMU, it lives on.
    if os.fork():
        await_inside(vmid)
        return
    os.setsid()
    if kind == "CT":
        os.set_inheritable(COMMAND.fileno(), True)
    log = os.open(f"{OWN}/{vmid}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(os.open("/dev/null", os.O_RDWR), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.execv("/usr/bin/python3", ["/usr/bin/python3", f"{RIG}/guest.py", "serve", vmid, kind,
                                  *([str(COMMAND.fileno())] if kind == "CT" else [])])


def await_inside(vmid):
    """Until it can be spoken with."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(f"{OWN}/{vmid}.ctl")
                return
            except OSError:
                time.sleep(0.01)
    sys.exit("nothing is inside")


def start_qemu(vmid):
    """As Proxmox starts it: the /var/run spelling, QMP and agent sockets, daemonized."""
    fake = knob(vmid, "qmp")  # a state that a QEMU without a machine cannot have: see fake_qmp()
    qmp = f"{OWN}/{vmid}.qmp" if fake else f"{RUN}/{vmid}.qmp"
    args = ["/usr/bin/kvm", "-machine", "none", "-nodefaults", "-display", "none", "-name",
            f"{vmid},debug-threads=on", "-no-shutdown",
            "-chardev", f"socket,id=qmp,path={qmp},server=on,wait=off",
            "-mon", "chardev=qmp,mode=control",
            "-chardev", f"socket,id=rig,path={OWN}/{vmid}.mon,server=on,wait=off",
            "-mon", "chardev=rig,mode=control",
            "-pidfile", f"{RUN}/{vmid}.pid", "-daemonize", "-m", "16"]
    if knob(vmid, "prelaunch"):
        args.append("-S")
    if knob(vmid, "incoming"):
        args += ["-incoming", knob(vmid, "incoming")]
    for path in (f"{RUN}/{vmid}.qmp", f"{RUN}/{vmid}.qga"):
        if os.path.exists(path):
            os.unlink(path)
    done = subprocess.run(args, executable="/usr/bin/qemu-system-x86_64", check=False,
                          stdin=subprocess.DEVNULL, close_fds=True)
    if done.returncode:
        sys.exit(done.returncode)


COMMAND = None


def take_command_socket(vmid):
    global COMMAND
    COMMAND = socket.socket(socket.AF_UNIX)
    COMMAND.bind(f"\0/var/lib/lxc/{vmid}/command")
    COMMAND.listen(16)


# --- inside ----------------------------------------------------------------------------------------

class Inside:
    def __init__(self, vmid, kind, command):
        self.vmid, self.kind, self.command = vmid, kind, command
        self.monitor = None  # (reader, writer) of the rig's own monitor
        self.servers, self.modes, self.full, self.begun = {}, {}, {}, False
        self.agent_mode = knob(vmid, "agent")  # None: no agent in this guest
        self.agent_server = None
        self.pings = 0
        self.addresses = []
        self.ending = False

    async def run(self):
        self.control = await self.unix(f"{OWN}/{self.vmid}.ctl", self.on_control)
        with open(f"{OWN}/{self.vmid}.guest.pid", "w", encoding="utf8") as file:
            file.write(str(os.getpid()))
        if self.kind == "VM":
            self.monitor = await asyncio.open_unix_connection(f"{OWN}/{self.vmid}.mon")
            await self.tell("qmp_capabilities")
            watcher = self.events()
            if knob(self.vmid, "qmp"):
                self.fake_qmp = knob(self.vmid, "qmp")
                self.qmp_server = await self.unix(f"{RUN}/{self.vmid}.qmp", self.on_fake_qmp)
            if self.agent_mode:
                await self.agent_listen()
        else:
            self.command_server = await asyncio.start_unix_server(self.on_lxc, sock=self.command)
            watcher = asyncio.Event().wait()
        bringup = asyncio.create_task(self.boot())
        await watcher
        bringup.cancel()

    async def unix(self, path, handler):
        if os.path.exists(path):
            os.unlink(path)
        return await asyncio.start_unix_server(handler, path)

    async def down(self):
        """What ran here runs elsewhere now."""
        for name in list(self.servers):
            for server in self.servers.pop(name):
                server.close()
        for address in self.addresses:
            self.address("del", address)
        self.addresses, self.begun = [], False

    def address(self, verb, address):
        six = ":" in address
        subprocess.run(["ip", "addr", verb, address + ("/128" if six else "/32"), "dev",
                        knob(self.vmid, "dev", "lo"),
                        *(["nodad"] if six and verb == "add" else [])], check=False)

    async def tell(self, execute, **arguments):
        self.monitor[1].write(json.dumps({"execute": execute, "arguments": arguments}).encode() +
                              b"\n")
        await self.monitor[1].drain()

    async def events(self):
        """Until QEMU is gone."""
        while True:
            line = await self.monitor[0].readline()
            if not line:
                return
            event = json.loads(line).get("event")
            if event == "POWERDOWN":
                asyncio.create_task(self.powerdown())
            elif event == "SHUTDOWN":
                # -no-shutdown keeps it, as Proxmox does; its quit ends it nevertheless.
                pass

    async def boot(self):
        if knob(self.vmid, "incoming"):
            return  # until it has come, nothing of it runs here: {"up": true}
        await asyncio.sleep(knob(self.vmid, "boot_delay", 0))
        await self.up()

    async def up(self):
        for address in knob(self.vmid, "own_addresses", []):
            self.address("add", address)
            self.addresses.append(address)
        self.begun = True
        for port, mode in self.wanted().items():
            await self.set_port(port, mode)

    def wanted(self):
        """{port: mode}: knobs `ports` and `http`, with the mode that each begins with."""
        ports = {}
        for key in ("ports", "http"):
            for port in knob(self.vmid, key, []):
                ports[f"{key}:{port}"] = "ok"
        for port, mode in knob(self.vmid, "modes", {}).items():
            ports[port] = mode
        ports.update(self.modes)
        return ports

    async def powerdown(self):
        """A guest that is asked to end."""
        if knob(self.vmid, "deaf") or self.ending:
            return
        self.ending = True
        if knob(self.vmid, "closes_first", True):
            for port in list(self.servers):
                await self.set_port(port, "closed")
        await asyncio.sleep(knob(self.vmid, "slow_shutdown", 0.1))
        if self.kind == "VM":
            await self.tell("quit")
        else:
            os.kill(os.getpid(), signal.SIGKILL)

    # --- ports ---------------------------------------------------------------------------------

    async def set_port(self, name, mode):
        """name: "ports:80" or "http:8080"."""
        kind, _, port = name.partition(":")
        self.modes[name] = mode
        if not self.begun:
            return
        for server in self.servers.pop(name, []):
            server.close()
        for one in self.full.pop(name, []):
            one.close()
        if mode == "closed":
            return
        for address in knob(self.vmid, "listen", ["127.0.0.1", "::1"]) + self.addresses:
            s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((address, int(port)))
            if mode == "backlog":
                self.fill(name, s)
                continue
            s.listen(64)
            s.setblocking(False)
            self.servers.setdefault(name, []).append(await asyncio.start_server(
                lambda r, w, n=name, k=kind: self.on_client(r, w, n, k), sock=s))

    def fill(self, name, s):
        """Nobody accepts, and the queue is full: a SYN gets no answer."""
        s.listen(0)
        kept = [s]
        for _ in range(3):
            c = socket.socket(s.family)
            c.setblocking(False)
            try:
                c.connect(s.getsockname()[:2])
            except BlockingIOError:
                pass
            kept.append(c)
        self.full.setdefault(name, []).extend(kept)

    async def on_client(self, reader, writer, name, kind):
        mode = self.modes.get(name, "ok")
        try:
            if mode == "reset":
                writer.transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return
            if mode == "hang":
                await asyncio.sleep(60)
            elif kind == "http":
                await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
                status = mode if mode.isdigit() else "200"
                writer.write(f"HTTP/1.1 {status} Rig\r\nContent-Length: 3\r\n"
                             "Connection: close\r\n\r\nrig".encode())
                await writer.drain()
        except (ConnectionError, asyncio.TimeoutError, asyncio.IncompleteReadError,
                asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    # --- the guest agent -------------------------------------------------------------------------

    async def agent_listen(self):
        """Like QEMU's character device: one client at a time, the others wait."""
        path = f"{RUN}/{self.vmid}.qga"
        if os.path.exists(path):
            os.unlink(path)
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
        s.listen(1)
        s.setblocking(False)
        self.agent_server = asyncio.create_task(self.agent_loop(s))

    async def agent_loop(self, s):
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(s)
            reader, writer = await asyncio.open_unix_connection(sock=client)
            try:
                await self.agent_talk(reader, writer)
            except (ConnectionError, ValueError):
                pass
            writer.close()

    async def agent_talk(self, reader, writer):
        while True:
            line = await reader.readline()
            if not line:
                return
            line = line.lstrip(b"\xff \n")
            if not line:
                continue
            request = json.loads(line)
            name, mode = request.get("execute"), self.agent_mode
            if mode == "hang":
                continue
            if mode == "nonsense":
                writer.write(b"\xff\x00\xfe{{{{\n")
            elif name == "guest-sync-delimited":
                writer.write(b"\xff" + json.dumps({"return": request["arguments"]["id"]}).encode()
                             + b"\n")
            elif name == "guest-sync":
                writer.write(json.dumps({"return": request["arguments"]["id"]}).encode() + b"\n")
            elif mode == "frozen" and name != "guest-fsfreeze-status":
                writer.write(json.dumps({"error": {"class": "GenericError", "desc":
                             "Command %s has been disabled: the command is not allowed" % name}})
                             .encode() + b"\n")
            elif name == "guest-ping":
                self.pings += 1
                writer.write(b'{"return": {}}\n')
            elif name == "guest-fsfreeze-status":
                state = "frozen" if mode == "frozen" else "thawed"
                writer.write(json.dumps({"return": state}).encode() + b"\n")
            else:
                writer.write(b'{"error": {"class": "CommandNotFound", "desc": "no"}}\n')
            await writer.drain()

    # --- QMP in states that a QEMU without a machine cannot have ------------------------------

    async def on_fake_qmp(self, reader, writer):
        writer.write(json.dumps({"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 9},
                                                     "package": "rig"},
                                         "capabilities": ["oob"]}}).encode() + b"\r\n")
        while True:
            line = await reader.readline()
            if not line:
                break
            request = json.loads(line)
            name, answer = request.get("execute"), {"return": {}}
            if name == "query-status":
                answer["return"] = {"status": self.fake_qmp, "singlestep": False,
                                    "running": self.fake_qmp == "running"}
            elif name == "quit":
                await self.tell("quit")
            elif name == "system_powerdown":
                await self.tell("system_powerdown")
            elif name != "qmp_capabilities":
                answer = {"error": {"class": "CommandNotFound", "desc": "no"}}
            if "id" in request:
                answer["id"] = request["id"]
            writer.write(json.dumps({"timestamp": {"seconds": 1, "microseconds": 2},
                                     "event": "RTC_CHANGE", "data": {"offset": 0}}).encode() +
                         b"\r\n" + json.dumps(answer).encode() + b"\r\n")
            await writer.drain()
        writer.close()

    # --- LXC's command socket ------------------------------------------------------------------

    async def on_lxc(self, reader, writer):
        """struct lxc_cmd_req {int cmd; int datalen; void *data} and lxc_cmd_rsp {int, int, void *}"""
        try:
            while True:
                cmd, size, _ = struct.unpack("<iiQ", await reader.readexactly(16))
                if size:
                    await reader.readexactly(size)
                value = {3: 2, 4: os.getpid()}.get(cmd)
                writer.write(struct.pack("<iiQ", 0 if value is not None else -22, 0, value or 0))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    # --- what the test says ----------------------------------------------------------------------

    async def on_control(self, reader, writer):
        while True:
            line = await reader.readline()
            if not line:
                break
            request = json.loads(line)
            answer = {}
            for key, value in request.items():
                if key == "powerdown":
                    asyncio.create_task(self.powerdown())
                elif key == "agent":
                    self.agent_mode = value
                elif key == "qmp":
                    self.fake_qmp = value
                elif key == "monitor":  # a command of QMP, with its arguments
                    if isinstance(value, str):
                        value = {"execute": value}
                    await self.tell(value["execute"], **value.get("arguments", {}))
                elif key == "up":
                    await self.up()
                elif key == "down":
                    await self.down()
                elif key == "ports":  # all of them
                    for name in self.wanted():
                        await self.set_port(name, value)
                elif key == "query":
                    answer = {"pings": self.pings, "modes": self.modes, "begun": self.begun,
                              "pid": os.getpid(), "time": time.time()}
                else:
                    await self.set_port(key, value)
            writer.write(json.dumps(answer or {"ok": True}).encode() + b"\n")
            await writer.drain()
        writer.close()


def die_with(vmid):
    """SIGKILLed together with QEMU's pid 1, so nothing to do; a name for ps is enough."""
    try:
        ctypes.CDLL(None).prctl(15, f"rig-guest-{vmid}".encode(), 0, 0, 0)
    except OSError:
        pass


def main():
    verb, vmid, kind = sys.argv[1:4]
    if verb == "boot":
        boot(vmid, kind)
        return
    die_with(vmid)
    command = socket.socket(fileno=int(sys.argv[4])) if kind == "CT" else None
    inside = Inside(vmid, kind, command)
    try:
        asyncio.run(inside.run())
    finally:
        for address in inside.addresses:
            inside.address("del", address)
        for end in ("ctl", "guest.pid"):
            try:
                os.unlink(f"{OWN}/{vmid}.{end}")
            except FileNotFoundError:
                pass


main()
