# SPDX-License-Identifier: AGPL-3.0-or-later
"""arraysim started and asked: what the tests of the simulator, and those with it, have in common."""
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.parse

PROGRAM = os.environ.get("ARRAYSIM", "build-gcc/test/arraysim")
_number = _failed = 0
_subject = os.path.basename(sys.argv[0]).removesuffix(".py")


def check(what, good, seen=""):
    """One line of TAP; a dict, list or text that was seen is told when it is not ok."""
    global _number, _failed
    _number += 1
    print(f"{'ok' if good else 'not ok'} {_number} - {_subject}: {what}", flush=True)
    if not good:
        _failed += 1
        if seen != "":
            print(f"# seen: {str(seen)[:600]}", flush=True)
    return bool(good)


def done():
    print(f"{_number - _failed} passed, {_failed} failed")
    raise SystemExit(bool(_failed))


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text
        try:
            self.json = json.loads(text) if text else None
        except ValueError:
            self.json = None

    @property
    def items(self):
        return self.json["items"]

    @property
    def item(self):
        return self.json["items"][0]

    @property
    def errors(self):
        """[(context, message)...] of an answer that refuses."""
        return [(e.get("context"), e["message"]) for e in (self.json or {}).get("errors", [])]

    @property
    def error(self):
        return self.errors[0][1] if self.errors else None

    def __repr__(self):
        return f"{self.status} {self.text[:500]}"


class Sim:
    """One arraysim; `with Sim("fa1", "fa2") as sim: sim.get("volumes")`."""

    def __init__(self, *arrays, options=(), api="2.26", tls=None):
        self.api, self.tls = api.split(",")[-1], tls
        command = [PROGRAM, "--control", "0", "--api", api]
        for name in arrays or ("fa1",):
            command += ["--array", f"{name}=0"]
        if tls:
            command += ["--tls", *tls]
        self.process = subprocess.Popen(command + list(options), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        if words[:1] != ["ready"]:
            raise OSError(self.process.stderr.read() or "arraysim did not start")
        self.ports = {name: int(port) for name, port in (w.split("=") for w in words[1:])}
        self.first = next(iter(self.ports))
        self.sessions, self.ended = {}, False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.ended:
            status, said = self.close()
            check("arraysim ends when told, without a word", (status, said) == (0, ""), said)

    def close(self):
        """Ends it; its exit status comes back, and what it said on stderr."""
        self.ended = True
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        said = self.process.communicate(timeout=20)[1]
        return self.process.returncode, said

    def connect(self, array=None, timeout=10):
        port = self.ports[array or self.first]
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        context = ssl.create_default_context(cafile=self.tls[0])
        return http.client.HTTPSConnection("localhost", port, timeout=timeout, context=context)

    def control(self, method, path, body=None):
        line = http.client.HTTPConnection("127.0.0.1", self.ports["control"], timeout=30)
        line.request(method, path, None if body is None else json.dumps(body))
        answer = line.getresponse()
        ret = json.loads(answer.read())
        line.close()
        if answer.status != 200:
            raise ValueError(ret["error"])
        return ret

    def make(self, **objects):
        self.control("POST", "/make", objects)

    def fault(self, kind, **more):
        self.control("POST", "/fault", {"kind": kind, **more})

    def raw(self, method, url, headers=None, body=None, line=None, array=None):
        own = line is None
        line = line or self.connect(array)
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        try:
            line.request(method, url, body, headers or {})
            answer = line.getresponse()
            return Answer(answer.status, dict((k.lower(), v) for k, v in answer.getheaders()),
                          answer.read().decode())
        finally:
            if own:
                line.close()

    def login(self, array=None, token=None):
        name = array or self.first
        answer = self.raw("POST", f"/api/{self.api}/login", {"api-token": token or f"{name}-token"},
                          array=name)
        if answer.status == 200:
            self.sessions[name] = answer.headers["x-auth-token"]
        return answer

    def ask(self, method, path, args=None, body=None, array=None, line=None, api=None):
        """With a session, made when there is none."""
        name = array or self.first
        if name not in self.sessions:
            self.login(name)
        query = "?" + urllib.parse.urlencode(args, safe=",/:") if args else ""
        return self.raw(method, f"/api/{api or self.api}/{path}{query}",
                        {"x-auth-token": self.sessions[name]}, body, line, name)

    def get(self, path, array=None, **args):
        return self.ask("GET", path, args, array=array)

    def post(self, path, body=None, array=None, **args):
        return self.ask("POST", path, args, body, array)

    def patch(self, path, body=None, array=None, **args):
        return self.ask("PATCH", path, args, body, array)

    def delete(self, path, array=None, **args):
        return self.ask("DELETE", path, args, array=array)

    def counters(self, array=None):
        return self.control("GET", "/counters")[array or self.first]

    def forward(self, seconds):
        self.control("POST", "/clock", {"forward_ms": int(seconds * 1000)})

    def volume(self, name, size=1 << 20, **more):
        answer = self.post("volumes", {"provisioned": size}, names=name, **more)
        if answer.status != 200:
            raise ValueError(answer)
        return answer.item

    def destroy(self, name):
        return self.patch("volumes", {"destroyed": True}, names=name)


def elapsed(call):
    start = time.monotonic()
    ret = call()
    return time.monotonic() - start, ret


def names(answer):
    return [i["name"] for i in answer.items]
