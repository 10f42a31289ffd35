# SPDX-License-Identifier: AGPL-3.0-or-later
"""A small pmxcfs: /etc/pve as a FUSE file system over a folder that several nodes share.

Keeps what programs notice of the real one (pve-cluster src/pmxcfs): the generated .members, .vmlist
and .version, the links local, qemu-server and lxc, whose owner's write bit says whether there is
quorum, modes and owners that cannot be chosen, EACCES for every write without quorum, no hard links,
no extended attributes, no RENAME flags, direct I/O, and attributes that the kernel keeps for a second.

Files beside the shared folder steer it: NODE.noquorum, NODE.hang (nothing is answered while it is
there).
"""
import errno
import json
import os
import stat
import struct
import time

(LOOKUP, FORGET, GETATTR, SETATTR, READLINK, SYMLINK, MKNOD, MKDIR, UNLINK, RMDIR, RENAME,
 LINK) = (1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13)
(OPEN, READ, WRITE, STATFS, RELEASE, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, CREATE, INTERRUPT,
 DESTROY, BATCH_FORGET) = (14, 15, 16, 17, 18, 25, 26, 27, 28, 29, 35, 36, 38, 42)

WWW_DATA = 33
FOPEN_DIRECT_IO = 1
FATTR_MODE, FATTR_UID, FATTR_GID, FATTR_SIZE = 1, 2, 4, 8
LINKS = ("local", "qemu-server", "lxc", "openvz")
GENERATED = (".members", ".vmlist", ".version")
WATCHED = ("storage.cfg", "datacenter.cfg", "user.cfg", "corosync.conf", "ha/manager_status",
           "ha/resources.cfg", "ha/rules.cfg", "ha/groups.cfg", "jobs.cfg")
FILE_MAX = 1024 * 1024


class Answer(Exception):
    """An errno as the answer."""

    def __init__(self, code):
        super().__init__(os.strerror(code))
        self.code = code


class Pmxcfs:
    def __init__(self, fd, shared, node, steer, members):
        self.fd, self.shared, self.node, self.steer = fd, shared, node, steer
        self.members_of = members  # () -> [(name, ip)]; empty on a standalone node
        self.started = int(time.time())
        self.paths, self.ids = {1: ""}, {"": 1}
        self.open, self.next_fh = {}, 1
        self.versions, self.counter = {}, 0
        self.seen, self.counts = {}, {}

    # --- what is there ---------------------------------------------------------------------

    def quorate(self):
        return not os.path.exists(os.path.join(self.steer, self.node + ".noquorum"))

    def real(self, path):
        first, _, rest = path.partition("/")
        if first in ("qemu-server", "lxc", "openvz", "local") and rest:
            raise Answer(errno.ENOENT)
        return os.path.join(self.shared, path) if path else self.shared

    def link(self, path):
        return {"local": f"nodes/{self.node}", "qemu-server": "local/qemu-server",
                "lxc": "local/lxc", "openvz": "local/openvz"}[path]

    def guests(self):
        """Every config of every node, each with a version that rises when it is written."""
        found = {}
        for node in sorted(os.listdir(os.path.join(self.shared, "nodes"))):
            for folder, kind in (("qemu-server", "qemu"), ("lxc", "lxc")):
                base = os.path.join(self.shared, "nodes", node, folder)
                for name in os.listdir(base) if os.path.isdir(base) else ():
                    if not name.endswith(".conf") or not name[:-5].isdigit():
                        continue
                    try:
                        st = os.stat(os.path.join(base, name))
                    except FileNotFoundError:
                        continue
                    mark = (node, st.st_ino, st.st_mtime_ns, st.st_size)
                    if self.versions.get(name, (None,))[0] != mark:
                        self.counter += 1
                        self.versions[name] = (mark, self.counter)
                    found[int(name[:-5])] = (node, kind, self.versions[name][1])
        if set(found) != set(self.counts):
            self.counter += 1
            self.counts = found
        return found

    def generated(self, path):
        if path == ".members":
            return self.text_members()
        guests = self.guests()
        if path == ".vmlist":
            if not guests:
                return f'{{\n"version": {self.counter}\n}}\n'
            rows = ",\n".join(f'"{vmid}": {{ "node": "{n}", "type": "{k}", "version": {v} }}'
                              for vmid, (n, k, v) in sorted(guests.items()))
            return f'{{\n"version": {self.counter},\n"ids": {{\n{rows}}}\n}}\n'
        return self.text_version()

    def text_members(self):
        nodes = self.members_of()
        if not nodes:
            return f'{{\n"nodename": "{self.node}",\n"version": 0\n}}\n'
        good = self.quorate()
        rows = ",\n".join(
            f'  "{name}": {{ "id": {i}, "online": {int(good or name == self.node)}, '
            f'"ip": "{ip}"}}' for i, (name, ip) in enumerate(nodes, 1))
        return (f'{{\n"nodename": "{self.node}",\n"version": 3,\n"cluster": {{ "name": "rig", '
                f'"version": 2, "nodes": {len(nodes)}, "quorate": {int(good)} }},\n'
                f'"nodelist": {{\n{rows}\n  }}\n}}\n')

    def text_version(self):
        doc = {"starttime": self.started, "clinfo": 2 + (not self.quorate()),
               "vmlist": self.counter}
        for name in WATCHED:
            try:
                st = os.stat(os.path.join(self.shared, name))
                mark = (st.st_ino, st.st_mtime_ns, st.st_size)
            except FileNotFoundError:
                mark = None
            if self.seen.get(name, (None, 0))[0] != mark:
                self.seen[name] = (mark, self.seen.get(name, (None, 0))[1] + 1)
            doc[name] = self.seen.get(name, (None, 0))[1]
        doc["kvstore"] = {}
        return json.dumps(doc)

    def attributes(self, path):
        writable = 0o222 if self.quorate() else 0
        priv = path == "priv" or path.startswith("priv/") or "/priv/" in path
        if path in LINKS:
            return self.pack(path, stat.S_IFLNK | 0o555 | writable & 0o200, 0, time.time())
        if path in GENERATED:
            return self.pack(path, stat.S_IFREG | 0o440, len(self.generated(path)), time.time())
        try:
            st = os.lstat(self.real(path))
        except OSError as e:
            raise Answer(e.errno) from e
        if stat.S_ISDIR(st.st_mode):
            mode = stat.S_IFDIR | (0o500 | writable & 0o200 if priv else 0o555 | writable & 0o200)
        else:
            mode = stat.S_IFREG | (0o400 if priv else 0o440) | writable & 0o200
        return self.pack(path, mode, st.st_size if stat.S_ISREG(st.st_mode) else 0, st.st_mtime)

    def pack(self, path, mode, size, mtime):
        whole = int(mtime)
        nano = int((mtime - whole) * 1e9)
        # As pmxcfs: the inode is a number of the entry, no more.
        return struct.pack("<6Q10I", self.number(path), size, (size + 511) // 512, whole, whole,
                           whole, nano, nano, nano, mode, 1, 0, WWW_DATA, 0, 4096, 0)

    # --- names and numbers -----------------------------------------------------------------

    def number(self, path):
        if path not in self.ids:
            n = len(self.paths) + 1
            self.ids[path], self.paths[n] = n, path
        return self.ids[path]

    def child(self, node, name):
        base = self.paths[node]
        return f"{base}/{name}" if base else name

    def entry(self, path):
        attr = self.attributes(path)
        return struct.pack("<4Q2I", self.number(path), 0, 1, 1, 0, 0) + attr

    def moved(self, old, new):
        """Numbers follow what they stand for."""
        for path in [p for p in self.ids if p == new or p.startswith(new + "/")]:
            del self.ids[path]
        for path in [p for p in self.ids if p == old or p.startswith(old + "/")]:
            n = self.ids.pop(path)
            self.paths[n] = new + path[len(old):]
            self.ids[self.paths[n]] = n

    def may_write(self, path):
        if not self.quorate():
            raise Answer(errno.EACCES)
        if path in LINKS or path in GENERATED:
            raise Answer(errno.EACCES)

    # --- what is asked ---------------------------------------------------------------------

    def lookup(self, node, data):
        return self.entry(self.child(node, data[:-1].decode()))

    def getattr(self, node, data):
        return struct.pack("<QII", 1, 0, 0) + self.attributes(self.paths[node])

    def setattr(self, node, data):
        path = self.paths[node]
        valid, _, _, size = struct.unpack_from("<IIQQ", data)
        mode, _, uid, gid = struct.unpack_from("<4I", data, 68)
        self.may_write(path)
        if valid & FATTR_MODE and mode & 0o7777 != (0o600 if path.startswith("priv") else 0o640):
            raise Answer(errno.EPERM)
        if valid & FATTR_UID and uid != 0 or valid & FATTR_GID and gid != WWW_DATA:
            raise Answer(errno.EPERM)
        if valid & FATTR_SIZE:
            os.truncate(self.real(path), size)
        return self.getattr(node, b"")

    def readlink(self, node, data):
        if self.paths[node] not in LINKS:
            raise Answer(errno.EINVAL)
        return self.link(self.paths[node]).encode()

    def mkdir(self, node, data):
        path = self.child(node, data[8:-1].decode())
        self.may_write(path)
        os.mkdir(self.real(path), 0o755)
        return self.entry(path)

    def unlink(self, node, data):
        path = self.child(node, data[:-1].decode())
        self.may_write(path)
        os.unlink(self.real(path))
        return b""

    def rmdir(self, node, data):
        path = self.child(node, data[:-1].decode())
        self.may_write(path)
        os.rmdir(self.real(path))
        return b""

    def rename(self, node, data):
        old, new = data[8:-1].decode().split("\0")
        old = self.child(node, old)
        new = self.child(struct.unpack_from("<Q", data)[0], new)
        self.may_write(old)
        self.may_write(new)
        os.rename(self.real(old), self.real(new))
        self.moved(old, new)
        return b""

    def handle(self, path, flags):
        fh, self.next_fh = self.next_fh, self.next_fh + 1
        if path in GENERATED:
            self.open[fh] = self.generated(path).encode()
        else:
            self.open[fh] = os.open(self.real(path), flags & (os.O_ACCMODE | os.O_TRUNC) |
                                    os.O_CLOEXEC)
        return struct.pack("<QII", fh, FOPEN_DIRECT_IO, 0)

    def open_file(self, node, data):
        path, flags = self.paths[node], struct.unpack_from("<I", data)[0]
        if flags & os.O_ACCMODE != os.O_RDONLY:
            self.may_write(path)
        return self.handle(path, flags)

    def create(self, node, data):
        path = self.child(node, data[16:-1].decode())
        self.may_write(path)
        os.close(os.open(self.real(path), os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))
        return self.entry(path) + self.handle(path, struct.unpack_from("<I", data)[0])

    def read(self, node, data):
        fh, offset, size = struct.unpack_from("<QQI", data)
        if isinstance(self.open[fh], bytes):
            return self.open[fh][offset:offset + size]
        return os.pread(self.open[fh], size, offset)

    def write(self, node, data):
        fh, offset, size = struct.unpack_from("<QQI", data)
        if not self.quorate():
            raise Answer(errno.EACCES)
        if offset + size > FILE_MAX:
            raise Answer(errno.EFBIG)
        return struct.pack("<II", os.pwrite(self.open[fh], data[40:40 + size], offset), 0)

    def release(self, node, data):
        file = self.open.pop(struct.unpack_from("<Q", data)[0], None)
        if isinstance(file, int):
            os.close(file)
        return b""

    def opendir(self, node, data):
        path = self.paths[node]
        names = [(n, stat.S_IFDIR if os.path.isdir(self.real(f"{path}/{n}" if path else n))
                  else stat.S_IFREG) for n in sorted(os.listdir(self.real(path)))]
        if not path:
            names += [(n, stat.S_IFLNK) for n in LINKS] + [(n, stat.S_IFREG) for n in GENERATED]
        fh, self.next_fh = self.next_fh, self.next_fh + 1
        self.open[fh] = [(".", stat.S_IFDIR), ("..", stat.S_IFDIR)] + names
        return struct.pack("<QII", fh, 0, 0)

    def readdir(self, node, data):
        fh, offset, size = struct.unpack_from("<QQI", data)
        out = b""
        for i, (name, mode) in list(enumerate(self.open[fh], 1))[offset:]:
            raw = name.encode()
            row = struct.pack("<QQII", 2**40 + i, i, len(raw), mode >> 12) + raw
            row += b"\0" * (-len(row) % 8)
            if len(out) + len(row) > size:
                break
            out += row
        return out

    def statfs(self, node, data):
        return struct.pack("<5Q4I6I", 32768, 32000, 32000, 10000, 9000, 4096, 255, 4096, *[0] * 7)

    def init(self, node, data):
        return struct.pack("<4I2H2I2H2I", 7, 31, 65536, 0, 12, 9, 131072, 1, 32, 0, 0, 0) + \
            b"\0" * 24

    def nothing(self, node, data):
        return b""

    def serve(self):
        """Until the mount is gone."""
        calls = {LOOKUP: self.lookup, GETATTR: self.getattr, SETATTR: self.setattr,
                 READLINK: self.readlink, MKDIR: self.mkdir, UNLINK: self.unlink,
                 RMDIR: self.rmdir, RENAME: self.rename, OPEN: self.open_file, READ: self.read,
                 WRITE: self.write, RELEASE: self.release, RELEASEDIR: self.release,
                 OPENDIR: self.opendir, READDIR: self.readdir, CREATE: self.create,
                 STATFS: self.statfs, INIT: self.init, FLUSH: self.nothing, DESTROY: self.nothing}
        hang = os.path.join(self.steer, self.node + ".hang")
        while True:
            try:
                request = os.read(self.fd, 1024 * 1024)
            except OSError as e:
                if e.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                    continue
                if e.errno == errno.EPERM:  # not mounted yet
                    time.sleep(0.002)
                    continue
                return
            _, code, unique, node = struct.unpack_from("<IIQQ", request)
            while os.path.exists(hang):
                time.sleep(0.05)
            if code in (FORGET, BATCH_FORGET, INTERRUPT):
                continue
            error, answer = 0, b""
            try:
                if code not in calls:
                    raise Answer(errno.ENOSYS)
                answer = calls[code](node, request[40:])
            except Answer as e:
                error = e.code
            except OSError as e:
                error = e.errno
            except KeyError:
                error = errno.ESTALE
            head = struct.pack("<IiQ", 16 + (0 if error else len(answer)), -error, unique)
            try:
                os.write(self.fd, head if error else head + answer)
            except OSError as e:
                if e.errno != errno.ENOENT:  # interrupted meanwhile
                    raise
