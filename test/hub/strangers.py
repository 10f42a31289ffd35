# SPDX-License-Identifier: AGPL-3.0-or-later
"""Those who have no token, and those who speak through a proxy: what they get, and what of others they reach."""
import socket
import threading
import time

from lib import Hub, check, document, done, read_answer


def forwarded():
    with Hub() as hub:
        org = hub.org("shown")
        token = hub.tokens(org, "read")
        check("this machine has all of /metrics", hub.get("/metrics").status == 200)
        for what, lines in (("the proxy's line is the last one", ["127.0.0.1", "192.0.2.7"]),
                            ("a proxy forwards for itself", ["127.0.0.1"]),
                            ("an empty line is the last one", ["127.0.0.1", ""])):
            s = hub.connect()
            s.putrequest("GET", "/metrics")
            for line in lines:
                s.putheader("X-Forwarded-For", line)
            s.putheader("X-Forwarded-Proto", "https")
            s.endheaders()
            a = s.getresponse()
            check(f"{what}: no metrics without a token", a.status == 401, (a.status, a.read()))
            s.close()
        s = hub.connect()
        s.putrequest("GET", "/api/v1/guests")
        for name, value in (("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "192.0.2.7"),
                            ("X-Forwarded-Proto", "http"), ("Authorization", "Bearer " + token)):
            s.putheader(name, value)
        s.endheaders()
        a = s.getresponse()
        check("what the proxy says last of https counts", a.status == 403, (a.status, a.read()))
        s.close()
        a = hub.get("/api/v1/guests", token, headers={"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"})
        check("a token through a proxy with https", a.status == 200, a)


def through(address):
    return {"X-Forwarded-For": address, "X-Forwarded-Proto": "https"}


def start(hub, address):
    return hub.post("/api/agent", body={"action": "device-auth-start"}, headers=through(address))


def rates():
    with Hub() as hub:
        seen = [hub.get("/api/v1/openapi.yaml", headers=through(f"2001:db8:0:1::{n:x}")).status for n in range(90)]
        check("one IPv6 network has one rate", 200 in seen and 429 in seen, seen)
        check("another one has its own",
              hub.get("/api/v1/openapi.yaml", headers=through("2001:db8:0:2::1")).status == 200)
        # A moment later the rate has room for one more, which the hub then waits for: tried anew.
        for _ in range(10):
            while hub.get("/api/v1/openapi.yaml", headers=through("2001:db8:0:1::ffff")).status != 429:
                pass
            s = hub.socket(b"POST /login HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 2001:db8:0:1::ffff\r\n"
                           b"X-Forwarded-Proto: https\r\nExpect: 100-continue\r\nContent-Length: 60000\r\n\r\n")
            got = read_answer(s)
            if got.startswith(b"HTTP/1.1 429"):
                break
        check("a rate counts before the body", got.startswith(b"HTTP/1.1 429"), got)
        s.close()
        token = hub.tokens(hub.org("objects"))
        a = hub.post("/api/proxmox/node", token, b'{"a": "' + b"x" * (1 << 20) + b'"}')
        check("an object of more than 1 MiB: 413", a.status == 413, a)


def bodies():
    """Bodies of strangers that never end, of more bytes than all strangers may have."""
    with Hub() as hub:
        token = hub.tokens(hub.org("bodies"))
        held = [hub.socket(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n" + b"a" * 65535)
                for _ in range(600)]
        time.sleep(1)
        check("beside bodies of a stranger others register", start(hub, "192.0.2.1").status == 200)
        check("and agents send", hub.post("/api/v1/documents", token, document()).status == 200)
        a = hub.post("/api/agent", body={"action": "device-auth-start"})
        check("the stranger himself waits: 503 with Retry-After", a.status == 503 and a.headers["Retry-After"], a)
        for s in held:
            s.close()
        time.sleep(1)
        check("until they are gone", hub.post("/api/agent", body={"action": "device-auth-start"}).status == 200)


def replies():
    """Large answers that nobody reads."""
    with Hub(config="read_rate = off\norg_read_rate = off\n") as hub:
        token, other = hub.tokens(hub.org("large")), hub.tokens(hub.org("other"))
        large = document(guests=1)
        large["configs"] = [{"vmid": 100, "type": "qemu", "digest": "d100", "options": ["#" * 250_000] * 30}]
        a = hub.post("/api/v1/documents", token, large)
        path = "/api/v1/clusters/uuid-c1/guests/100"
        size = len(hub.get(path, token).body)
        check("a guest with a large config", a.status == 200 and size > 7_000_000, (a, size))
        held = []
        for _ in range(100):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", hub.port))
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            held.append(s)
        time.sleep(4)
        kib = hub.status("VmRSS")
        check("a hundred unread answers take little memory", kib < 250 * 1024, kib)
        a = hub.get(path, token)
        check("the org has no more of them for now", a.status == 503 and a.headers["Retry-After"], a)
        check("the others have", hub.post("/api/v1/documents", other, document()).status == 200 and
              hub.get("/api/v1/guests", other).status == 200)
        for s in held:
            s.close()
        time.sleep(1)
        check("and it has again when they are gone", hub.get(path, token).status == 200)


def ends(s, seconds):
    s.settimeout(seconds)
    try:
        return s.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def silent():
    with Hub(config="connections_per_address = 40\nsilent_timeout = 2\n") as hub:
        token = hub.tokens(hub.org("silent"))
        ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
        proxied = []
        for _ in range(60):
            s = hub.socket(ask + b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\r\n")
            proxied.append((s, s.recv(4096)))
        check("what a proxy forwards is not counted", all(b" 200 " in got for _, got in proxied[:50]), proxied[-1])
        known, spoken = hub.connect(), hub.connect()
        check("with a token", hub.get("/api/v1/guests", token, connection=known).status == 200)
        check("and without", hub.get("/healthz", connection=spoken).status == 200)
        begun = time.monotonic()
        quiet = [hub.socket() for _ in range(60)]
        time.sleep(0.5)
        gone = sum(ends(s, 0.01) for s in quiet)
        check("an address has so many connections, and no more", 20 <= gone <= 30, gone)
        check("who says nothing is not there for long", all(ends(s, 5) for s in quiet) and
              time.monotonic() - begun < 6, time.monotonic() - begun)
        check("nor who shows no token", ends(spoken.sock, 3))
        check("who has one stays", hub.get("/api/v1/guests", token, connection=known).status == 200)
        check("so does a proxy", not ends(proxied[0][0], 0.1))
        s = hub.socket(b"GET /hea")
        check("half a line is not enough", ends(s, 4))


def refused():
    """What is refused, for a database that somebody else holds, takes nothing from the others."""
    with Hub() as hub:
        token = hub.tokens(hub.org("refused"))
        check("a reader reads", hub.get("/api/v1/guests", token).status == 200)
        db = hub.db()
        db.isolation_level = None
        db.execute("BEGIN IMMEDIATE")
        answers = []
        threads = [threading.Thread(target=lambda n=n: answers.append(start(hub, f"192.0.2.{n}").status))
                   for n in range(3)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        seen = [hub.get("/api/v1/guests", token).status for _ in range(40)]
        check("a locked database: 503 for who writes", answers == [503] * 3, answers)
        check("and at once after that nothing is refused to others", seen == [200] * 40, seen)
        check("nobody thinks that the database is away", "is away" not in hub.said(), hub.said())
        db.execute("ROLLBACK")
        db.close()


forwarded()
rates()
bodies()
replies()
silent()
refused()
done()
