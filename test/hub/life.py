# SPDX-License-Identifier: AGPL-3.0-or-later
"""The hub's life: what was acknowledged survives a stop and a kill, certificates change, tenants share."""
import os
import shutil
import signal
import sqlite3
import ssl
import subprocess
import tempfile
import threading
import time
import warnings

from lib import PROGRAM, Hub, check, document, done


class Posters:
    """Threads that post documents of their own nodes, and remember what was acknowledged."""

    def __init__(self, hub, tokens, guests=5):
        self.hub, self.guests = hub, guests
        self.kept, self.refused, self.over = {}, 0, threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(f"n{i}", t)) for i, t in enumerate(tokens)]
        for t in self.threads:
            t.start()

    def run(self, node, token):
        sequence = 0
        while not self.over.is_set():
            sequence += 1
            try:
                a = self.hub.post("/api/v1/documents", token, document(node, sequence=sequence, guests=self.guests))
            except OSError:
                return
            if a.status == 200:
                self.kept[node] = sequence
            else:
                self.refused += 1
            time.sleep(0.11)

    def stop(self):
        self.over.set()
        for t in self.threads:
            t.join()


def stored(hub):
    """Highest sequence of each node in the database."""
    with hub.db() as db:
        return dict(db.execute("SELECT node, max(seq) FROM docs GROUP BY node"))


def survives(hub, sig, what):
    tokens = hub.tokens(hub.org(what), n=8)
    posters = Posters(hub, tokens)
    time.sleep(2)
    status, took = hub.stop(sig)
    posters.stop()
    hub.start()
    there = stored(hub)
    lost = {n: s for n, s in posters.kept.items() if there.get(n, 0) < s}
    check(f"{what}: nothing acknowledged is lost", len(posters.kept) == 8 and not lost, (posters.kept, there))
    if sig == signal.SIGTERM:
        check(f"{what}: it ends well, within ten seconds", status == 0 and took < 10, (status, took))


def synced_first():
    """In the order of its system calls: no kill shows what a power cut would."""
    if not shutil.which("strace"):
        print("# synced_first: no strace")
        return
    with Hub() as hub:
        token = hub.tokens(hub.org("synced"))
        hub.post("/api/v1/documents", token, document(sequence=1))
        trace = os.path.join(hub.dir, "trace")
        with subprocess.Popen(["strace", "-f", "-qq", "-y", "-e", "signal=none", "-e",
                               "trace=fdatasync,fsync,pwrite64,sendmsg,sendto,writev", "-o", trace, "-p",
                               str(hub.process.pid)]) as p:
            time.sleep(1)
            answers = [hub.post("/api/v1/documents", token, document(sequence=n)).status for n in range(2, 6)]
            time.sleep(0.5)
            p.terminate()
        early, replies, dirty = [], 0, False
        with open(trace, encoding="utf-8", errors="replace") as f:
            for line in f:
                if "pwrite64(" in line and "hub.db-wal>" in line:
                    dirty = True
                elif ("fdatasync(" in line or "fsync(" in line) and "hub.db-wal>" in line:
                    dirty = False
                elif "Data ingested" in line or "200 OK" in line:
                    replies += 1
                    if dirty:
                        early.append(line)
        check("what is acknowledged is on disk by then", answers == [200] * 4 and replies >= 4 and not early,
              (answers, replies, early))


def shares():
    """One tenant floods with twenty connections; the other posts now and then."""
    with Hub(config="token_rate = off\norg_rate = off\n") as hub:
        calm, flood = hub.tokens(hub.org("calm")), hub.tokens(hub.org("flood"), n=20)
        waits = []

        def look(n):
            conn = hub.connect()
            for _ in range(n):
                begun = time.monotonic()
                a = hub.post("/api/v1/documents", calm, document("calm", sequence=len(waits) + 1), connection=conn)
                waits.append(time.monotonic() - begun if a.status == 200 else 9)
                time.sleep(0.02)
            conn.close()

        look(50)
        alone = sorted(waits)[45]
        waits_alone = len(waits)
        over = threading.Event()

        def drown(i, token):
            body, conn, sequence = document(f"f{i}", guests=200), hub.connect(), 0
            while not over.is_set():
                sequence += 1
                body["sequence"] = sequence
                hub.post("/api/v1/documents", token, body, connection=conn)

        threads = [threading.Thread(target=drown, args=x) for x in enumerate(flood)]
        for t in threads:
            t.start()
        time.sleep(1)
        look(50)
        over.set()
        for t in threads:
            t.join()
        beside = sorted(waits[waits_alone:])[45]
        print(f"# p90 alone {alone * 1000:.1f} ms, beside a flood {beside * 1000:.1f} ms")
        check("a tenant that floods does not starve the other", beside < 0.5, beside)


def copied_and_locked():
    """A backup beside the writers, and a database that somebody else holds."""
    with Hub() as hub:
        tokens = hub.tokens(hub.org("copied"), n=2)
        posters = Posters(hub, tokens[:1], guests=50)
        time.sleep(1)
        copy = os.path.join(hub.dir, "copy.db")
        out = hub.command("backup", copy)
        posters.stop()
        check("a backup while documents come", out.returncode == 0 and posters.kept and not posters.refused,
              (out, posters.kept, posters.refused))
        with sqlite3.connect(copy) as db:
            whole = db.execute("PRAGMA integrity_check").fetchone()[0]
            n = db.execute("SELECT count(*) FROM docs").fetchone()[0]
        check("is whole, and has what came before", whole == "ok" and n > 0, (whole, n))
        check("and is for its owner alone", os.stat(copy).st_mode & 0o077 == 0, oct(os.stat(copy).st_mode))
        db = hub.db()
        db.isolation_level = None
        db.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        a = hub.post("/api/v1/documents", tokens[1], document("locked"))
        took = time.monotonic() - begun
        check("a database that stays locked: 503 with Retry-After, in time",
              a.status == 503 and int(a.headers["Retry-After"]) > 0 and took < 15, (took, a))
        check("reading goes on meanwhile", hub.get("/api/v1/guests", tokens[1]).status == 200)
        db.execute("ROLLBACK")
        db.close()
        a = hub.post("/api/v1/documents", tokens[1], document("locked"))
        check("and then writing", a.status == 200, a)


def start_fails():
    """What stands in the way is said, in one sentence, with the documented status."""
    with Hub() as hub, tempfile.TemporaryDirectory() as folder:
        broken = os.path.join(folder, "broken.pem")
        with open(broken, "w", encoding="ascii") as f:
            f.write("broken")
        for what, status, words, options in (
                ("an address in use", 2, "in use", ["--listen", f"127.0.0.1:{hub.port}"]),
                ("an address of another machine", 2, "assign", ["--listen", "192.0.2.1:8480"]),
                ("no address", 64, "ADDRESS:PORT", ["--listen", "here"]),
                ("a certificate that is not there", 2, "/nowhere", ["--tls-cert", "/nowhere", "--tls-key", "/nowhere"]),
                ("a certificate that is none", 2, broken, ["--tls-cert", broken, "--tls-key", broken]),
                ("a certificate without its key", 64, "together", ["--tls-cert", broken]),
                ("a database out of reach", 2, "refused", ["--db", "postgresql://x@127.0.0.1:1/x"])):
            options = [*options] if "--listen" in options else [*options, "--listen", "127.0.0.1:0"]
            out = subprocess.run([PROGRAM, "hub", "serve", "--state-dir", folder, *options], capture_output=True,
                                 text=True, timeout=30, check=False)
            check(f"{what}: {status} and why", out.returncode == status and words in out.stderr, out)
        hub.execute("INSERT INTO schema_version VALUES (9999, 'later');")
        out = subprocess.run([PROGRAM, "hub", "serve", "--state-dir", hub.dir, "--listen", "127.0.0.1:0"],
                             capture_output=True, text=True, timeout=30, check=False)
        check("a newer database: 2, and it says so", out.returncode == 2 and "9999" in out.stderr, out)
        out = hub.command("migrate")
        check("migrate refuses it as well", out.returncode == 2 and "9999" in out.stderr, out)


def make_certificate(folder, name):
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-keyout", key + ".new", "-out", cert + ".new"],
                   check=True, capture_output=True)
    os.rename(key + ".new", key)
    os.rename(cert + ".new", cert)
    return cert, key


def shown_name(hub, **versions):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that old versions are old is the test
        for key, value in versions.items():
            setattr(context, key, value)
    with hub.socket() as s, context.wrap_socket(s) as t:
        der = t.getpeercert(True)
    text = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-subject"], input=der,
                          capture_output=True, check=True).stdout.decode()
    return text.strip().split("=")[-1].strip()


def certificates():
    with tempfile.TemporaryDirectory() as folder:
        cert, key = make_certificate(folder, "first")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with Hub("--tls-cert", cert, "--tls-key", key, tls=context) as hub:
            check("it shows its certificate", shown_name(hub) == "first")
            token = hub.tokens(hub.org("tls"))
            kept = hub.connect()
            a = hub.post("/api/v1/documents", token, document(guests=300), connection=kept)
            check("documents come over TLS", a.status == 200, a)
            make_certificate(folder, "second")
            hub.process.send_signal(signal.SIGHUP)
            time.sleep(0.5)
            check("SIGHUP: the new certificate", shown_name(hub) == "second")
            a = hub.post("/api/v1/documents", token, document(sequence=2), connection=kept)
            check("old connections go on", a.status == 200, a)
            make_certificate(folder, "third")
            time.sleep(6)
            check("a changed file is noticed", shown_name(hub) == "third")
            with open(cert, "w", encoding="ascii") as f:
                f.write("broken")
            hub.process.send_signal(signal.SIGHUP)
            time.sleep(0.5)
            check("a broken one: the old stays", shown_name(hub) == "third")
            try:
                shown_name(hub, maximum_version=ssl.TLSVersion.TLSv1_1, minimum_version=ssl.TLSVersion.TLSv1)
                check("TLS 1.1 is refused", False)
            except (ssl.SSLError, OSError):
                check("TLS 1.1 is refused", True)


with Hub() as main_hub:
    survives(main_hub, signal.SIGTERM, "SIGTERM")
    survives(main_hub, signal.SIGKILL, "kill -9")
synced_first()
shares()
copied_and_locked()
start_fails()
certificates()
done()
