# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bad clients: what each gets, and that the others do not notice."""
import json
import re
import socket
import time

from lib import Hub, check, document, done, read_answer

MIB = 1024 * 1024


def posts(token, length, extra=""):
    return (f"POST /api/v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Length: {length}\r\n{extra}\r\n").encode()


def refused_documents(hub, token):
    good = hub.post("/api/v1/documents", token, document())
    check("a document is kept", good.status == 200 and good.json["success"] is True, good)
    a = hub.post("/api/v1/documents", token, b"{no json")
    check("no JSON: 400", a.status == 400 and a.json["success"] is False, a)
    wrong = document(sequence=2)
    wrong["guests"][1]["vmid"] = "one"
    a = hub.post("/api/v1/documents", token, wrong)
    check("a wrong type: 422 with its path", a.status == 422 and a.json["path"] == "$.guests[1].vmid", a)
    a = hub.post("/api/v1/documents", token, b'{"a":' * 100 + b"1" + b"}" * 100)
    check("too deep: 422", a.status in (400, 422), a)
    a = hub.post("/api/v1/documents", None, document())
    check("no token: 401 and a challenge", a.status == 401 and a.headers["WWW-Authenticate"] == "Bearer", a)
    check("the text of 401 lets old agents keep their tokens",
          not re.search(rb"token.*(expired|invalid|not found)|(expired|invalid|not found).*token", a.body, re.I), a)
    a = hub.post("/api/v1/documents", token, document(), headers={"Content-Encoding": "gzip"})
    check("compressed: 415", a.status == 415, a)


def too_large(hub, token):
    s = hub.socket(posts(token, 9 * MIB))
    head = read_answer(s)
    check("Content-Length over 8 MiB: 413 before a byte of it", b" 413 " in head.split(b"\r\n")[0], head)
    s.close()
    s = hub.socket(posts(token, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"))
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    sent = 0
    try:
        while sent < 12 * MIB:
            s.sendall(chunk)
            sent += 65536
    except OSError:
        pass
    head = read_answer(s)
    check("more than 8 MiB in pieces: 413", b" 413 " in head.split(b"\r\n")[0], (sent, head))
    s.close()
    a = hub.post("/api/agent", None, b" " * (MIB))
    check("a large body where small ones belong: 413", a.status == 413, a)


def odd_requests(hub, token):
    for method, path, expected in (("GET", "/nope", 404), ("PUT", "/healthz", 405), ("DELETE", "/login", 405),
                                   ("GET", "/api/v1/documents", 405), ("OPTIONS", "/api/v1/guests", 204),
                                   ("HEAD", "/healthz", 200), ("GET", "/%00", 400), ("GET", "/%ff", 400),
                                   ("GET", "/..%2f..%2fetc/passwd", 404), ("GET", "//healthz", 404),
                                   ("GET", "/" + "a" * 2000, 404)):
        a = hub.ask(method, path, token)
        check(f"{method} {path[:20]}: {expected}", a.status == expected, a)
        if expected in (405, 204):
            check(f"{method} {path[:20]} has Allow", bool(a.headers["Allow"]), a)
    a = hub.get("/login")
    policy = a.headers["Content-Security-Policy"] or ""
    check("a page allows nothing from elsewhere", "default-src 'none'" in policy and
          "frame-ancestors 'none'" in policy and a.headers["X-Content-Type-Options"] == "nosniff", a)
    smuggled = posts(token, 5, "Transfer-Encoding: chunked\r\n")
    s = hub.socket(smuggled + b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    got = s.recv(65536)
    check("two lengths: 400", b" 400 " in got.split(b"\r\n")[0], got)
    s.close()
    s = hub.socket(posts(token, 5, "Content-Length: 6\r\n") + b"abcdef")
    got = s.recv(65536)
    check("two different Content-Lengths: 400", b" 400 " in got.split(b"\r\n")[0], got)
    s.close()

    for what, lines in (("no Host", b""), ("a blank before the colon", b"Host : x\r\n")):
        s = hub.socket(b"GET /healthz HTTP/1.1\r\n" + lines + b"\r\n")
        got = read_answer(s)
        check(f"{what}: 400", got.startswith(b"HTTP/1.1 400"), got)
        s.close()


def garbage(hub):
    s = hub.socket(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + b"\x00\xff\x01 garbage\r\n\r\n" * 50)
    time.sleep(0.5)
    s.settimeout(5)
    got = b""
    try:
        while part := s.recv(65536):
            got += part
    except OSError:
        pass
    check("pipelined requests are answered, garbage behind them is not", got.count(b"HTTP/1.1 200") == 3, got)
    s.close()
    for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200, b"A" * 100000, b"\r\n" * 5000,
                 b"GET / HTTP/9.9\r\n\r\n", b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n"):
        s = hub.socket()
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            read_answer(s)
        except OSError:
            pass
        s.close()
    check("it serves after garbage", hub.get("/healthz").status == 200)


def slow(hub, token):
    begun = time.monotonic()
    s = hub.socket(posts(token, 1000) + b"{")
    trickle = hub.socket(posts(token, 1000) + b"{")
    trickle.settimeout(0.1)
    got = b""
    while time.monotonic() - begun < 8 and not got:
        try:
            trickle.sendall(b" ")
            got = trickle.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            break
    check("a body that trickles is cut with 408", got.startswith(b"HTTP/1.1 408"), got)
    stalled = read_answer(s)
    took = time.monotonic() - begun
    check("a body that stalls as well, at its time", stalled.startswith(b"HTTP/1.1 408") and took < 5, (took, stalled))
    json.loads(stalled.partition(b"\r\n\r\n")[2])
    body = json.dumps(document(node="slow")).encode()
    body += b" " * (MIB - len(body))
    begun = time.monotonic()
    s = hub.socket(posts(token, len(body)))
    for at in range(0, MIB, MIB // 32):
        s.sendall(body[at:at + MIB // 32])
        time.sleep(0.125)
    got = read_answer(s)
    took = time.monotonic() - begun
    check("a large body that comes steadily may take longer", b" 200 " in got.split(b"\r\n")[0] and took > 3,
          (took, got))
    begun = time.monotonic()
    s = hub.socket(posts(token, MIB) + body[:MIB // 2])
    got = read_answer(s)
    took = time.monotonic() - begun
    check("one that stalls in the middle is cut", got.startswith(b"HTTP/1.1 408") and took < 12, (took, got))
    begun = time.monotonic()
    s = hub.socket(b"GET /healthz HTTP/1.1\r\nHo")
    got = read_answer(s)
    took = time.monotonic() - begun
    check("headers that stall are cut", 8 < took < 13, (took, got))


def rates(hub):
    org = hub.org("rates")
    token, other = hub.tokens(org, n=2)
    conn = hub.connect()
    seen = [hub.post("/api/v1/documents", token, document(node="r", sequence=i), connection=conn)
            for i in range(1, 60)]
    limited = [a for a in seen if a.status == 429]
    check("too many of one token: 429 with Retry-After",
          20 < len(limited) < 40 and all(int(a.headers["Retry-After"]) >= 1 for a in limited), len(limited))
    check("another token of the org is not held up",
          hub.post("/api/v1/documents", other, document(node="r2")).status == 200)
    time.sleep(int(limited[-1].headers["Retry-After"]))
    check("after Retry-After it goes on",
          hub.post("/api/v1/documents", token, document(node="r", sequence=100)).status == 200)


def revoked(hub):
    org = hub.org("revoked")
    token = hub.tokens(org)
    check("a token works", hub.post("/api/v1/documents", token, document(node="v")).status == 200)
    name = hub.token_id(token)
    kept = hub.connect()
    check("it works on a connection that stays",
          hub.post("/api/v1/documents", token, document(node="v", sequence=2), connection=kept).status == 200)
    out = hub.command("token", "revoke", name)
    a = hub.post("/api/v1/documents", token, document(node="v", sequence=3), connection=kept)
    check("revoked by another process: the very next request is 403",
          out.returncode == 0 and a.status == 403 and a.json["error"] == "revoked", (out, a))
    check("and for reading", hub.get("/api/v1/guests", token).status == 403)
    out = hub.command("token", "revoke", "nobody")
    check("an id that is none: 2 and a sentence", out.returncode == 2 and "nobody" in out.stderr, out)
    reader, other = hub.tokens(org, "read"), hub.tokens(hub.org("used"), "read")
    check("a reader reads", hub.get("/api/v1/guests", reader).status == 200)
    hub.stop()
    hub.start()
    rows = {t["id"]: t for t in json.loads(hub.command("token", "list", "--format", "json").stdout)["tokens"]}
    day = time.strftime("%Y-%m-%d", time.gmtime())
    used = rows[hub.token_id(reader)]["used_at"]
    check("the list has when a token was used", used and used.startswith(day[:8]), used)
    check("and null for one that was not", rows[hub.token_id(other)]["used_at"] is None, rows[hub.token_id(other)])
    text = hub.command("token", "list").stdout
    check("with several organisations the list has them", " ORG " in text and "used" in text and " USED " in text, text)
    text = hub.command("token", "list", "--org", "used").stdout
    check("with one it has not", " ORG " not in text and "never" in text, text)


with Hub(config="body_timeout = 2\nbody_rate = 131072\n") as main_hub:
    main_token = main_hub.tokens(main_hub.org("main"))
    refused_documents(main_hub, main_token)
    too_large(main_hub, main_token)
    odd_requests(main_hub, main_token)
    garbage(main_hub)
    slow(main_hub, main_token)
    rates(main_hub)
    revoked(main_hub)
    check("nothing of it ended the hub", main_hub.process.poll() is None)
    check("a stop is quick", main_hub.stop()[0] == 0)
done()
