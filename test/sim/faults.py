# SPDX-License-Identifier: AGPL-3.0-or-later
"""What goes wrong on purpose does, as often and where it was asked for, and nothing else does."""
import http.client
import threading
import time

from lib import Sim, check, done, elapsed


def exists(sim, name):
    return bool(sim.get("volumes", filter=f"name='{name}'").items)


def attempt(call):
    """Name of the error that a call ended with, or its answer."""
    try:
        return call()
    except (http.client.HTTPException, OSError) as e:
        return type(e).__name__


def statuses(sim):
    sim.fault("status", status=429, retry_after="2", count=2)
    a = sim.get("volumes")
    check("429 with Retry-After", a.status == 429 and a.headers["retry-after"] == "2" and a.error, a)
    a = sim.post("volumes", {"provisioned": 1 << 20}, names="f1")
    check("for two requests", a.status == 429, a)
    check("then no more, and nothing was done", not exists(sim, "f1"))
    sim.fault("status", status=503, method="POST", path="volumes")
    check("another method is left alone", sim.get("volumes").status == 200)
    check("another path too", sim.post("hosts", {}, names="h1").status == 200)
    check("that method and path are not", sim.post("volumes", {"provisioned": 1 << 20}, names="f1").status == 503)
    sim.fault("status", status=500, text="Out of memory.")
    a = sim.get("hosts")
    check("500 with its own words", a.status == 500 and a.error == "Out of memory.", a)
    sim.fault("status", status=401)
    a = sim.get("hosts")
    check("401 once", a.status == 401 and a.error == "Invalid session.", a)
    sim.fault("status", status=403)
    check("403", sim.get("hosts").status == 403)
    sim.fault("status", status=503, path="login")
    check("login can fail too", sim.login().status == 503)
    sim.fault("status", status=503, count=-1)
    check("for ever", all(sim.get("arrays").status == 503 for _ in range(5)))
    sim.control("DELETE", "/fault")
    check("until told otherwise", sim.get("arrays").status == 200)


def cut_off(sim):
    post = lambda name: attempt(lambda: sim.post("volumes", {"provisioned": 1 << 20}, names=name))
    for kind, error in (("drop", "RemoteDisconnected"), ("reset", "ConnectionResetError")):
        sim.fault(kind)
        got = post(f"{kind}1")
        check(f"{kind}: {error}", got == error, got)
        check(f"{kind}: nothing was done", not exists(sim, f"{kind}1"))
        sim.fault(f"{kind}-after")
        got = post(f"{kind}2")
        check(f"{kind}-after: {error}", got == error, got)
        check(f"{kind}-after: it was done", exists(sim, f"{kind}2"))
    sim.fault("truncated")
    got = post("truncated")
    check("truncated: the half of an answer", got in ("IncompleteRead", "ConnectionResetError"), got)
    check("truncated: it was done", exists(sim, "truncated"))
    sim.fault("garbage")
    a = post("garbage")
    check("garbage: 200 and no JSON", a.status == 200 and a.json is None and "<html>" in a.text, a)
    check("garbage: it was done", exists(sim, "garbage"))
    sim.fault("garbage", text="{\"items\": 5}")
    check("garbage of one's own", sim.get("volumes").json == {"items": 5})


def slow(sim):
    sim.fault("latency", ms=200, count=2)
    took, _ = elapsed(lambda: sim.get("arrays"))
    check("latency", 0.2 <= took < 2, took)
    sim.fault("status", status=503)
    took, a = elapsed(lambda: sim.get("arrays"))
    check("latency and another fault", a.status == 503 and took >= 0.2, (took, a))
    took, a = elapsed(lambda: sim.get("arrays"))
    check("then as before", took < 0.2 and a.status == 200, took)
    sim.fault("hang", ms=300, method="POST")
    took, got = elapsed(lambda: attempt(lambda: sim.post("volumes", {"provisioned": 1 << 20}, names="h1")))
    check("hang: silence, then the end", took >= 0.3 and got == "RemoteDisconnected", (took, got))
    check("hang: nothing was done", not exists(sim, "h1"))
    sim.fault("hang-after", ms=300, method="POST")
    took, got = elapsed(lambda: attempt(lambda: sim.post("volumes", {"provisioned": 1 << 20}, names="h2")))
    check("hang-after: silence, then the end", took >= 0.3 and got == "RemoteDisconnected", (took, got))
    check("hang-after: it was done", exists(sim, "h2"))
    sim.fault("hang", ms=2000, method="PATCH")
    line = threading.Thread(target=attempt, args=(lambda: sim.patch("volumes", {"provisioned": 1 << 21}, names="h2"),))
    line.start()
    time.sleep(0.1)
    took, a = elapsed(lambda: sim.get("arrays"))
    check("who hangs holds up nobody", a.status == 200 and took < 1, took)
    line.join()


def keep_alive(sim):
    for kind in ("half-closed", "stale"):
        sim.fault(kind)
        line = sim.connect()
        a = sim.ask("GET", "arrays", line=line)
        check(f"{kind}: the answer is whole", a.status == 200, a)
        sock = line.sock
        if kind == "half-closed":
            sock.settimeout(5)
            check("half-closed: then the end of the stream", sock.recv(1) == b"")
        before = sim.counters()["requests"]
        got = attempt(lambda: sim.ask("POST", "volumes", {"names": f"k-{kind}"}, {"provisioned": 1 << 20}, line=line))
        check(f"{kind}: the next request has no answer", got == "RemoteDisconnected", got)
        check(f"{kind}: and is not done", sim.counters()["requests"] == before and not exists(sim, f"k-{kind}"))
        line.close()


def down(sim):
    got = []
    line = threading.Thread(target=lambda: got.append(elapsed(lambda: attempt(lambda: sim.get("arrays", array="fa2")))))
    sim.login("fa2")
    sim.fault("hang", ms=30000, array="fa2")
    line.start()
    time.sleep(0.2)
    sim.control("POST", "/down", {"array": "fa2"})
    line.join()
    check("who waits is cut off when an array goes down", got[0][0] < 5 and isinstance(got[0][1], str), got)
    check("refused", attempt(lambda: sim.get("arrays", array="fa2")) == "ConnectionRefusedError")
    check("the other one answers", sim.get("arrays").status == 200)
    sim.control("POST", "/up", {"array": "fa2"})
    check("back on the same port, sessions alive", sim.get("arrays", array="fa2").status == 200)
    sim.fault("status", status=500, array="fa2", count=-1)
    check("a fault of one array is not the other's", sim.get("arrays").status == 200 and
          sim.get("arrays", array="fa2").status == 500)


def control(sim):
    for body, words in (({"kind": "nonsense"}, "no such kind"), ({"kind": "drop", "array": "fa9"}, "no array")):
        try:
            sim.control("POST", "/fault", body)
            said = ""
        except ValueError as e:
            said = str(e)
        check(f"refused: {body}", words in said, said)
    try:
        sim.make(hosts=["h9", "h9"])
        said = ""
    except ValueError as e:
        said = str(e)
    check("what cannot be made is said", "Host already exists." in said, said)
    state = sim.control("GET", "/state")
    check("the state has all", set(state) == {"now", "arrays", "volumes", "pods", "volume_groups", "faults"} and
          any(v["name"] == "h2" for v in state["volumes"]) and
          [h["name"] for h in state["arrays"]["fa1"]["hosts"]] == ["h1", "h9"], list(state))
    a = sim.control("POST", "/rest", {"array": "fa1", "method": "GET", "path": "volumes", "args": {"names": "h2"}})
    check("a request without a session", a["status"] == 200 and a["reply"]["items"][0]["name"] == "h2", a)


with Sim("fa1", "fa2") as sim:
    sim.login()
    statuses(sim)
    cut_off(sim)
    slow(sim)
    keep_alive(sim)
    down(sim)
    sim.control("DELETE", "/fault")
    control(sim)
    status, said = sim.close()
    check("it ends when told, without a word", (status, said) == (0, ""), (status, said))
done()
