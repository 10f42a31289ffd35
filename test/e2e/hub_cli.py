#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The verbs of the hub that need no server: tokens, people, migrations, backups."""
import json
import os
import pty
import re
import subprocess
import tempfile
import time

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
HUB = os.environ.get("PVEWARDEN_HUB", f"{TREE}/build-gcc/pvewarden-hub")
passed = failed = 0


def ok(what, truth, *show):
    global passed, failed
    passed, failed = passed + bool(truth), failed + (not truth)
    print(f"{'ok' if truth else 'not ok'} - hub: {what}" + ("" if truth else f": {show}"))


def hub(db, *args, given=""):
    env = {**os.environ, "PVEWARDEN_DB": db, "NO_COLOR": "1"}
    return subprocess.run([HUB, "hub", *args], input=given, env=env, text=True, capture_output=True,
                          timeout=60)


def at_terminal(db, *args, lines):
    """Types @lines, each after a prompt; what the terminal showed and the status."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["PVEWARDEN_DB"] = db
        os.execv(HUB, [HUB, "hub", *args])
    shown, waiting = b"", list(lines)
    while True:
        try:
            piece = os.read(fd, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if waiting and shown.rstrip(b" ").endswith(b":"):
            time.sleep(0.1)
            os.write(fd, waiting.pop(0).encode() + b"\n")
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def completion():
    for words, expected in ((("hub",), {"serve", "migrate", "backup", "token", "user"}),
                            (("hub", "token"), {"add", "list", "revoke", "--kind=", "--label="}),
                            (("hub", "user"), {"add", "passwd", "remove", "list", "--org="}),
                            (("hub", "serve"), {"--listen=", "--tls-cert=", "--config="})):
        out = subprocess.run([HUB, "--complete", *words], text=True, capture_output=True, check=True).stdout.split()
        ok(f"completion after {' '.join(words)}", expected <= set(out), out)
        node = os.path.join(os.path.dirname(HUB), "pvewarden")
        if os.path.exists(node):
            there = subprocess.run([node, "--complete", *words], text=True, capture_output=True, check=True).stdout
            ok("the node's program asks the hub's", there.split() == out, there)
    for name, line, expected in (("pvewarden-hub", "pvewarden-hub ser", "serve"),
                                 ("pvewarden-hub", "pvewarden-hub token re", "revoke"),
                                 ("pvewarden-hub", "pvewarden-hub hub token add --kind re", "read")):
        words = line.split()
        script = (f'PATH={os.path.dirname(HUB)}:$PATH; . {TREE}/completion/{name}.bash; '
                  f'COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _{name.replace("-", "_")}; echo "${{COMPREPLY[*]}}"')
        out = subprocess.run(["bash", "-c", script], text=True, capture_output=True, check=True).stdout.split()
        ok(f"bash completes {line}", out == [expected], out)


completion()
with tempfile.TemporaryDirectory() as folder:
    db = f"{folder}/hub.db"
    r = hub(db, "migrate", "--format", "json")
    ok("a new database is migrated", r.returncode == 0 and json.loads(r.stdout)["from"] == 0, r)
    r = hub(db, "migrate", "--format", "json")
    newest = json.loads(r.stdout)
    ok("once", newest["from"] == newest["to"], r)

    r = subprocess.run([HUB, "migrate", "--db", db], text=True, capture_output=True)
    ok("the program's own name stands for the part", r.returncode == 0 and "newest" in r.stdout, r)

    r = hub(db, "token", "add", "--label", "cluster", "--for", "30d")
    ok("a token is shown once", re.fullmatch(r"pvw1\.[0-9a-f]{32}\.[\w-]{43}\n", r.stdout), r)
    ok("an organisation is made by its first use", "Made the organisation default" in r.stderr, r)
    secret = r.stdout.strip().split(".")[2]
    r = hub(db, "token", "add", "--org", "acme", "--kind", "read", "--format", "json")
    reader = json.loads(r.stdout)
    ok("a reader's token", reader["kind"] == "read" and reader["expires_at"] is None, r)
    r = hub(db, "token", "list", "--format", "json")
    ok("both are listed, without secrets",
       len(json.loads(r.stdout)["tokens"]) == 2 and secret not in r.stdout, r)
    ok("no secret is in the database",
       secret.encode() not in b"".join(open(f"{folder}/{f}", "rb").read() for f in os.listdir(folder)))
    r = hub(db, "token", "list", "--org", "acme", "--format", "json")
    ok("by organisation", [t["id"] for t in json.loads(r.stdout)["tokens"]] == [reader["id"]], r)
    r = hub(db, "token", "revoke", reader["id"])
    ok("a token is revoked", r.returncode == 0, r)
    r = hub(db, "token", "list", "--all", "--format", "json")
    ok("and says so", {t["id"]: t["state"] for t in json.loads(r.stdout)["tokens"]}[reader["id"]]
       == "revoked", r)
    ok("an unknown one is not", hub(db, "token", "revoke", "nope").returncode == 2)
    for wrong in (["token", "add", "--kind", "x"], ["token", "revoke"], ["token", "fly"],
                  ["token", "add", "--for", "soon"], ["token", "add", "--for", "0d"],
                  ["user", "add"], ["user", "fly"]):
        ok(f"usage: {' '.join(wrong)}", hub(db, *wrong).returncode == 64)

    ok("a user, password from stdin",
       hub(db, "user", "add", "alice", given="a long password\n").returncode == 0)
    ok("not twice", hub(db, "user", "add", "alice", given="a long password\n").returncode == 2)
    ok("not with a short one", hub(db, "user", "add", "bob", given="short\n").returncode == 2)
    ok("not without one", hub(db, "user", "add", "bob").returncode == 2)
    ok("no password of nobody", hub(db, "user", "passwd", "bob", given="a long one\n").returncode == 2)
    shown, status = at_terminal(db, "user", "add", "carol", lines=["typed at night", "typed at night"])
    ok("a password from the terminal is not echoed", status == 0 and "typed" not in shown, shown)
    shown, status = at_terminal(db, "user", "passwd", "carol", lines=["typed at night", "typed wrong"])
    ok("and typed twice", status == 2 and "not the same" in shown, shown)
    r = hub(db, "user", "list", "--format", "json")
    ok("people are listed", sorted(u["name"] for u in json.loads(r.stdout)["users"])
       == ["alice", "carol"], r)

    ok("nobody is removed", hub(db, "user", "remove", "bob").returncode == 2)
    ok("usage: user remove", hub(db, "user", "remove").returncode == 64)
    hub(db, "user", "add", "dave", given="a long password\n")
    ok("somebody is removed", hub(db, "user", "remove", "dave").returncode == 0)
    ok("and can be made again", hub(db, "user", "add", "dave", given="a long password\n").returncode == 0
       and hub(db, "user", "remove", "dave", "--format", "json").stdout.startswith("{"))
    ok("not of an organisation that is not there",
       hub(db, "user", "remove", "alice", "--org", "nowhere").returncode == 2)

    copy = f"{folder}/copy.db"
    ok("a backup", hub(db, "backup", copy).returncode == 0)
    r = hub(copy, "user", "list", "--format", "json")
    ok("has everything", len(json.loads(r.stdout)["users"]) == 2, r)
    ok("only the owner reads it", os.stat(copy).st_mode & 0o777 == 0o600, oct(os.stat(copy).st_mode))
    os.symlink(db, f"{folder}/link.db")
    for path in (db, f"{folder}/link.db"):
        inode = os.stat(db).st_ino
        r = hub(db, "backup", path)
        ok("no backup takes the place of the database", r.returncode == 2 and "the database itself" in r.stderr and
           os.stat(db).st_ino == inode, r)
    r = hub(f"{folder}/nothing.db", "backup", f"{folder}/copy2.db")
    ok("no backup of a database that is not there", r.returncode == 2 and "nothing.db" in r.stderr and
       not os.path.exists(f"{folder}/nothing.db") and not os.path.exists(f"{folder}/copy2.db"), r)
    ok("a backup that cannot be", hub(db, "backup", "/nonexistent/x").returncode == 2)

    # Root may make a token before the service has ever run.
    if os.geteuid() == 0:
        theirs = f"{folder}/service"
        os.mkdir(theirs)
        os.chown(theirs, 65534, 65534)
        hub(f"{theirs}/hub.db", "token", "add", "--label", "early")
        owners = {os.stat(f"{theirs}/{name}").st_uid for name in os.listdir(theirs)}
        ok("a database that root makes belongs to whom its folder belongs", owners == {65534}, owners)
    new = f"{folder}/not/yet"
    serve = subprocess.Popen([HUB, "hub", "serve", f"--state-dir={new}", "--listen=127.0.0.1:0"],
                             stderr=subprocess.PIPE, text=True)
    said = [serve.stderr.readline() for _ in range(2)]
    serve.terminate()
    serve.wait(20)
    ok("serve makes its folder", "serving" in said[-1] and os.stat(new).st_mode & 0o777 == 0o700, said)

print(f"{passed} passed, {failed} failed")
raise SystemExit(bool(failed))
