#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mails on their way: a real SMTP server with TLS, a stand-in for Mailjet that refuses what the real
one refuses, sendmail and Proxmox' notifications; and what becomes of a mail that nobody takes."""
import base64
import email
import email.policy
import glob
import http.server
import json
import os
import shutil
import socket
import ssl
import stat
import subprocess
import tempfile
import threading
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
DRIVER = os.environ.get("MAIL_DRIVER", f"{TREE}/build-gcc/test/mail_driver")
OUTBOX = "var/lib/pvewarden/dm/outbox"
SECRET = "s3cret'with\"quotes$and`ticks"
SUBJECT = "[pve1] KRITISCH: 3 Fälle, Note F \N{BALLOT X}\r\nBcc: everybody@example.com"
TEXT = "Umlaute äöü\nund eine Zeile mit einem Punkt:\n.\nEnde\n"
HTML = "<html><body><p>&lt;script&gt; äöü</p></body></html>\n"
DOCUMENT = json.dumps({"schema": "pvewarden.dm/1", "rows": list(range(2000))}).encode()
HOST = socket.gethostname().split(".")[0]
passed = failed = 0


def ok(what, truth, *show):
    global passed, failed
    passed, failed = passed + bool(truth), failed + (not truth)
    print(f"{'ok' if truth else 'not ok'} - mail: {what}" + ("" if truth else f": {show}"))


def write(root, path, text, mode=0o644):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as f:
        f.write(text.encode() if isinstance(text, str) else text)
    os.chmod(full, mode)


def node(folder, conf="", env=None, mode=0o600):
    """A node's root with one mail to send."""
    root = tempfile.mkdtemp(dir=folder)
    write(root, "etc/pve/.members", '{"nodename": "pve1", "version": 3}\n')
    write(root, "etc/pve/nodes/pve1/qemu-server/.keep", "")
    os.symlink("nodes/pve1", f"{root}/etc/pve/local")
    write(root, "usr/share/perl5/PVE/pvecfg.pm", "")
    write(root, "mail/subject", SUBJECT)
    write(root, "mail/text", TEXT)
    write(root, "mail/html", HTML)
    write(root, "mail/document", DOCUMENT)
    if conf:
        write(root, "etc/pvewarden/pvewarden.conf", "[mail]\n" + conf)
    if env:
        write(root, "etc/pvewarden/mail.env", env, mode)
    return root


def drive(root, *args, wrap=()):
    p = subprocess.run([*wrap, DRIVER, root, *args], capture_output=True, text=True, timeout=60)
    if SECRET in p.stdout + p.stderr:
        ok("the secret is not shown", False, p.stdout, p.stderr)
    return p.returncode, p.stdout, p.stderr


def kept(root):
    return sorted(glob.glob(f"{root}/{OUTBOX}/*"))


def certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", f"{folder}/key.pem", "-out", f"{folder}/ca.pem"],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/ca.pem", f"{folder}/key.pem")
    return context


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Post:
    """What the SMTP server was given, and how it is to behave."""

    def __init__(self):
        self.mails, self.logins, self.mode = [], [], "take"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.mode == "later":
            return "451 come back later"
        if self.mode == "no such user" and address.startswith("nobody"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.mails.append((session.ssl is not None, envelope.mail_from, envelope.rcpt_tos,
                           envelope.content))
        return "250 taken"

    def authenticate(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login, data.password))
        good = (data.login, data.password) == (b"pve1", SECRET.encode())
        return AuthResult(success=good, handled=good)


def check_message(label, raw, sender="pve1@example.com"):
    m = email.message_from_bytes(raw, policy=email.policy.default)
    ok(f"{label}: the subject is whole, and is one header",
       m["Subject"].replace("\r", "").replace("\n", " ").split() == SUBJECT.split() and m["Bcc"] is None
       and not m.defects, m["Subject"], m.defects)
    ok(f"{label}: sender and recipients", sender in m["From"] and "ops@example.com" in m["To"],
       m["From"], m["To"])
    ok(f"{label}: automatic, dated, with an id", m["Auto-Submitted"] == "auto-generated" and
       m["Message-ID"] and m["Date"].datetime, m.items())
    ok(f"{label}: the text", m.get_body(("plain",)).get_content() == TEXT)
    ok(f"{label}: the page", m.get_body(("html",)).get_content() == HTML)
    files = list(m.iter_attachments())
    ok(f"{label}: the document", [f.get_filename() for f in files] == ["pvewarden-pve1.json"] and
       files[0].get_content() == DOCUMENT, files)
    lines = raw.replace(b"\r\n", b"\n").split(b"\n")
    ok(f"{label}: no line is too long", max(map(len, lines)) <= 998)
    return m


def smtp_tests(folder, context):
    post = Post()
    start = Controller(post, hostname="127.0.0.1", port=free_port(), tls_context=context,
                       require_starttls=True, auth_required=True, authenticator=post.authenticate)
    tls = Controller(post, hostname="127.0.0.1", port=free_port(), ssl_context=context,
                     authenticator=post.authenticate, auth_require_tls=False)
    plain = Controller(post, hostname="127.0.0.1", port=free_port())
    for server in (start, tls, plain):
        server.start()
    base = f"to = ops@example.com, oncall@example.com\nfrom = pve1@example.com\n" \
           f"from_name = Prüfung \"pve1\"\nsmtp_server = localhost\nca_file = {folder}/ca.pem\ntimeout = 5\n"
    password = f"SMTP_PASSWORD='{SECRET.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}'\n"
    login = base + "smtp_user = pve1\n"

    root = node(folder, login + f"smtp_port = {start.port}\n", password)
    status, _, err = drive(root, "send")
    ok("STARTTLS with a password", status == 0 and len(post.mails) == 1, status, err)
    if post.mails:
        secure, sender, to, raw = post.mails[-1]
        ok("it went over TLS", secure)
        ok("envelope", sender == "pve1@example.com" and to == ["ops@example.com", "oncall@example.com"])
        m = check_message("STARTTLS", raw)
        ok("the sender's name", m["From"].addresses[0].display_name == 'Prüfung "pve1"', m["From"])
    ok("nothing is kept", not kept(root))

    root = node(folder, login + f"smtp_port = {tls.port}\nsmtp_security = tls\n", password)
    status, _, err = drive(root, "send")
    ok("TLS from the first byte", status == 0 and len(post.mails) == 2, status, err)

    count = len(post.mails)
    root = node(folder, base + f"smtp_port = {plain.port}\nsmtp_security = starttls\n")
    status, _, err = drive(root, "send")
    ok("a server without TLS is refused", status == 75 and len(post.mails) == count, status, err)
    root = node(folder, base + f"smtp_port = {plain.port}\nsmtp_security = none\n")
    status, _, err = drive(root, "send")
    ok("unless that is what is wanted", status == 0 and len(post.mails) == count + 1, err)
    root = node(folder, base.replace("localhost", "mail.example.com") +
                "smtp_user = pve1\nsmtp_security = none\n", password)
    status, _, err = drive(root, "send")
    ok("no password without TLS to another machine", status == 75 and "without TLS" in err, err)

    root = node(folder, login.replace("ca_file", "# ca_file") + f"smtp_port = {start.port}\n", password)
    count = len(post.mails), len(post.logins)
    status, _, err = drive(root, "send")
    ok("a certificate nobody vouches for: nothing is sent, no password either",
       status == 75 and count == (len(post.mails), len(post.logins)), status, err)
    root = node(folder, login + f"smtp_port = {start.port}\n", "SMTP_PASSWORD=wrong\n")
    status, _, err = drive(root, "send")
    ok("a wrong password: said, kept, and that trying again does not help",
       status == 75 and "will not help" in err and len(kept(root)) == 1, status, err)

    post.mode = "no such user"
    root = node(folder, base.replace("oncall", "nobody") + f"smtp_port = {plain.port}\nsmtp_security = none\n")
    status, _, err = drive(root, "send")
    ok("a refused recipient is a failure", status == 75 and "550" in err, status, err)
    post.mode = "later"
    root = node(folder, base + f"smtp_port = {plain.port}\nsmtp_security = none\n")
    status, _, err = drive(root, "send")
    ok("a server that is busy: kept, to be tried again", status == 75 and "451" in err and
       "--retry" in err and len(kept(root)) == 1, status, err)
    outbox_tests(root, post)

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        root = node(folder, base.replace("timeout = 5", "timeout = 2") +
                    f"smtp_port = {silent.getsockname()[1]}\n")
        began = time.monotonic()
        status, _, err = drive(root, "send")
        ok("a server that never answers: the deadline holds",
           status == 75 and time.monotonic() - began < 6, status, err)
    for server in (start, tls, plain):
        server.stop()


def set_next(root, seconds):
    path = kept(root)[0] + "/state.json"
    state = json.load(open(path))
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    json.dump(dict(state, next=when), open(path, "w"))
    return state


def outbox_tests(root, post):
    folder = kept(root)[0]
    modes = {stat.S_IMODE(os.stat(p).st_mode) for p in glob.glob(folder + "/*")}
    ok("what is kept is root's alone", modes == {0o600} and stat.S_IMODE(os.stat(folder).st_mode) == 0o700,
       modes)
    everything = b"".join(open(p, "rb").read() for p in glob.glob(folder + "/*"))
    ok("and holds no secret", SECRET.encode() not in everything)
    ok("text, page and document", open(folder + "/report.txt").read() == TEXT and
       open(folder + "/report.html").read() == HTML and
       open(folder + "/pvewarden-pve1.json", "rb").read() == DOCUMENT)
    count = len(post.mails)
    state = json.load(open(folder + "/state.json"))
    ok("its first pause is five minutes, more or less", 250 <= pause_of(state) <= 350, state)
    status, _, err = drive(root, "retry")
    ok("before its time nothing is tried", status == 0 and len(post.mails) == count, err)
    set_next(root, -1)
    status, _, err = drive(root, "retry")
    state = json.load(open(folder + "/state.json"))
    ok("still refused: the pause doubles", status == 75 and state["attempts"] == 2 and
       500 <= pause_of(state) <= 700, state, err)
    post.mode = "take"
    set_next(root, -1)
    status, _, err = drive(root, "retry")
    ok("taken at last", status == 0 and len(post.mails) == count + 1 and not kept(root), err)
    check_message("sent again", post.mails[-1][3])
    status, _, err = drive(root, "retry")
    ok("and only once", status == 0 and len(post.mails) == count + 1)

    post.mode = "later"
    drive(root, "send")
    path = kept(root)[0] + "/state.json"
    state = set_next(root, -1)
    json.dump(dict(json.load(open(path)), first="2026-01-01T00:00:00Z"), open(path, "w"))
    status, _, err = drive(root, "retry")
    ok("after three days it is put aside", status == 75 and not kept(root) and
       len(glob.glob(f"{root}/{OUTBOX}-failed/*/report.html")) == 1, err)
    for _ in range(3):
        drive(root, "send")
    write(root, f"{OUTBOX}/.20200101T000000Z-1.new/report.txt", "half")
    open(kept(root)[0] + "/state.json", "w").write('{"schema": "pvewarden.outb')
    post.mode = "take"
    for folder in kept(root):
        if os.path.getsize(folder + "/state.json") > 100:
            state = json.load(open(folder + "/state.json"))
            json.dump(dict(state, next="2026-01-01T00:00:00Z"), open(folder + "/state.json", "w"))
    count = len(post.mails)
    status, _, err = drive(root, "retry")
    ok("one that cannot be read is put aside, a half made one is none, the others go",
       len(post.mails) == count + 2 and not kept(root), err, kept(root))


def pause_of(state):
    parse = lambda text: time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
    return parse(state["next"]) - time.mktime(time.gmtime())


class Mailjet(http.server.BaseHTTPRequestHandler):
    """Answers as the send API v3.1 does, and refuses what it refuses."""
    seen, mode = [], "take"

    def log_message(self, *args):
        pass

    def answer(self, status, document):
        body = json.dumps(document).encode() if isinstance(document, dict) else document
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def error(self, status, message, related=""):
        self.answer(status, {"Messages": [{"Status": "error", "Errors": [
            {"ErrorCode": "mj-0013", "StatusCode": status, "ErrorMessage": message,
             "ErrorRelatedTo": [related]}]}]})

    def complaint(self, m):
        if not m.get("From", {}).get("Email"):
            return "\"From.Email\" is mandatory"
        if not 1 <= len(m.get("To", [])) <= 50:
            return "\"To\" holds 1 to 50 recipients"
        if any("@" not in to.get("Email", "") for to in m["To"]):
            return "\"" + str(m["To"]) + "\" is an invalid email address"
        if not m.get("TextPart") and not m.get("HTMLPart"):
            return "one of TextPart, HTMLPart is mandatory"
        if "\n" in m.get("From", {}).get("Name", ""):
            return "\"From.Name\" is invalid"
        for a in m.get("Attachments", []):
            if set(a) != {"ContentType", "Filename", "Base64Content"}:
                return "an attachment has ContentType, Filename and Base64Content"
            base64.b64decode(a["Base64Content"], validate=True)
        unknown = set(m) - {"From", "To", "Subject", "TextPart", "HTMLPart", "Attachments", "CustomID"}
        return f"unknown: {unknown}" if unknown else None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        login = base64.b64decode(self.headers.get("Authorization", "Basic ").split()[1]).decode()
        if self.path != "/v3.1/send":
            return self.answer(404, {"ErrorMessage": "no such resource"})
        if login != f"key:{SECRET}":
            return self.answer(401, {"ErrorIdentifier": "1", "ErrorCode": "mj-0002", "StatusCode": 401,
                                     "ErrorMessage": "API key authentication/authorization failure."})
        if self.headers["Content-Type"] != "application/json" or len(body) > 15_000_000:
            return self.answer(400, {"ErrorMessage": "Malformed or too large"})
        message, = json.loads(body)["Messages"]
        Mailjet.seen.append(message)
        if Mailjet.mode == "other":
            return self.answer(200, b"<html>a proxy's page</html>")
        if Mailjet.mode == "busy":
            return self.answer(429, {"ErrorMessage": "too many requests"})
        if Mailjet.mode == "error in 200":
            return self.error(200, "the sender is not validated\x1b[31m")
        complaint = self.complaint(message)
        if complaint:
            return self.error(400, complaint)
        self.answer(200, {"Messages": [{"Status": "success", "CustomID": message["CustomID"], "To": [
            {"Email": to["Email"], "MessageID": 1} for to in message["To"]]}]})


def mailjet_tests(folder, context):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mailjet)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    conf = f"mailjet_url = https://localhost:{server.server_port}/v3.1/send\nca_file = {folder}/ca.pem\ntimeout = 5\n"
    quoted = SECRET.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
    env = f'MAILJET_API_KEY="key"\nMAILJET_API_SECRET="{quoted}"\nFROM_EMAIL="a@example.com"\n' \
          'FROM_NAME="ProxMox DMSetup Health Check"\nTO_EMAIL="ops@example.com"\n'

    root = node(folder, conf, env)
    status, _, err = drive(root, "send")
    ok("Mailjet by the five old settings alone", status == 0 and len(Mailjet.seen) == 1, status, err)
    m = Mailjet.seen[-1] if Mailjet.seen else {}
    ok("its payload", m.get("From") == {"Email": "a@example.com", "Name": "ProxMox DMSetup Health Check"}
       and m.get("TextPart") == TEXT and m.get("HTMLPart") == HTML and m.get("To") == [
           {"Email": "ops@example.com"}], m.keys())
    ok("its document", m and base64.b64decode(m["Attachments"][0]["Base64Content"]) == DOCUMENT)
    for text, mode, conf2, env2, words in (
            ("a wrong secret", "take", conf, env.replace("s3cret", "other"), "refuses the API key"),
            ("an error behind status 200", "error in 200", conf, env, "not validated"),
            ("a proxy's page", "other", conf, env, "not Mailjet"),
            ("busy", "busy", conf, env, "too many requests"),
            ("http to another machine", "take", conf.replace("https://localhost", "http://192.0.2.1"), env,
             "expected https"),
            ("http to a name that only begins like ours", "take",
             conf.replace("https://localhost", "http://localhost.example.com"), env, "expected https"),
            ("a recipient that is no address", "take", conf, env.replace("ops@", "ops at "), "no mail address"),
            ("51 recipients", "take", conf + "to = " + ",".join(f"u{i}@example.com" for i in range(51)) + "\n",
             env, "more than 50")):
        Mailjet.mode = mode
        root = node(folder, conf2, env2)
        status, _, err = drive(root, "send")
        ok(f"{text}: said and kept", status == 75 and words in err and len(kept(root)) == 1 and
           "\x1b" not in err, status, err)
    Mailjet.mode = "take"
    root = node(folder, conf + "to = " + ",".join(f"u{i}@example.com" for i in range(50)) + "\n", env)
    status, _, err = drive(root, "send")
    ok("50 recipients", status == 0 and len(Mailjet.seen[-1]["To"]) == 50, err)
    root = node(folder, conf, env, mode=0o644)
    status, _, err = drive(root, "send")
    ok("a file of secrets that all may read is not used", status == 75 and "0600" in err, err)
    root = node(folder, conf, env)
    write(root, "mail/document", b"x" * 12_000_000)
    status, _, err = drive(root, "send")
    ok("a document beyond Mailjet's limit is left out", status == 0 and
       "Attachments" not in Mailjet.seen[-1], err)
    watch_arguments(folder, conf, env)
    server.shutdown()


def watch_arguments(folder, conf, env):
    """Nobody who lists processes sees the secret."""
    root = node(folder, conf, env)
    p = subprocess.run(["strace", "-f", "-e", "trace=execve", "-s", "4096", "-v", "-o", f"{folder}/strace",
                        DRIVER, root, "send"], capture_output=True, text=True, timeout=60)
    ok("the secret is in no argument and in no environment",
       p.returncode == 0 and SECRET not in open(f"{folder}/strace").read().replace("\\", ""), p.stderr)


def in_own_usr(folder, files):
    """The words that run a command with @files laid over /usr, in a mount namespace of its own."""
    upper = tempfile.mkdtemp(dir=folder)
    for path, text in files.items():
        write(upper, path, text, 0o755)
    script = f"mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w && cp -a {upper}/. /mnt/u/ && " \
             "mount -t overlay overlay -o lowerdir=/usr,upperdir=/mnt/u,workdir=/mnt/w /usr && exec \"$@\""
    return ("unshare", "-m", "sh", "-c", script, "sh")


def local_tests(folder):
    sendmail = f"#!/bin/sh\ncat >{folder}/sent\nprintf '%s ' \"$@\" >{folder}/sent.args\nexit ${{SENDMAIL_EXIT-0}}\n"
    root = node(folder, "to = ops@example.com\n")
    status, _, err = drive(root, "send", wrap=in_own_usr(folder, {"sbin/sendmail": sendmail}))
    ok("sendmail, with nothing but a recipient", status == 0, status, err)
    if status == 0:
        raw = open(f"{folder}/sent", "rb").read()
        ok("local line ends", b"\r" not in raw)
        check_message("sendmail", raw, sender=f"root@{HOST}")
        ok("recipients are in the mail, not among the arguments",
           open(f"{folder}/sent.args").read() == f"-t -oi -f root@{HOST} ")
    status, _, err = drive(root, "send", wrap=in_own_usr(
        folder, {"sbin/sendmail": "#!/bin/sh\necho queue is full >&2\nexit 75\n"}))
    ok("its own words when it fails", status == 75 and "queue is full" in err, err)

    perl = f"package PVE::Notify; use JSON::PP; sub notify {{ open my $f, '>', '{folder}/notified';" \
           " print $f JSON::PP->new->encode([@_]); } 1;"
    over = {"share/perl5/PVE/Notify.pm": perl, "libexec/pvewarden/notify": open(f"{TREE}/perl/notify").read(),
            "share/perl5/PVE/Cluster.pm": "package PVE::Cluster; sub cfs_update {} 1;",
            "share/perl5/PVE/INotify.pm": "package PVE::INotify; sub nodename { 'pve1' } 1;"}
    root = node(folder, "transport = proxmox\n")
    status, _, err = drive(root, "send", wrap=in_own_usr(folder, over))
    ok("Proxmox' notifications", status == 0, status, err)
    if status == 0:
        severity, template, data, fields = json.load(open(f"{folder}/notified"))
        ok("severity, template, fields", (severity, template) == ("warning", "pvewarden-report") and
           fields == {"type": "pvewarden-report", "hostname": "pve1"}, severity, fields)
        ok("the report is in it", data["text"] == TEXT and data["html"] == HTML and data["hostname"] == "pve1")
    over = {"libexec/pvewarden/notify": over["libexec/pvewarden/notify"]}
    status, _, err = drive(root, "send", wrap=in_own_usr(folder, over))
    ok("a node without them says which version has them", status == 75 and "8.1" in err and
       "will not help" in err, err)
    for name in ("subject.txt", "body.txt", "body.html"):
        ok(f"there is a template for {name}", os.path.exists(
            f"{TREE}/perl/templates/pvewarden-report-{name}.hbs"))


OLD_SCRIPT = '''#!/bin/bash
# Proxmox DM Health Check
MAILJET_API_KEY="abc123"
MAILJET_API_SECRET='%s'
FROM_EMAIL="automation@example.com"
FROM_NAME="ProxMox DM Issue Detector"   # shown in the mail
TO_EMAIL="recipient@example.com"
VMLIST=$(qm list | grep -v VMID)
'''


def config_tests(folder):
    root = node(folder)
    status, _, err = drive(root, "send")
    ok("nothing configured: it says where to write what, and keeps the report",
       status == 75 and "to = in [mail]" in err and "--import-mail" in err and len(kept(root)) == 1, err)
    root = node(folder, "to = a@b.c\ncolour = red\nsmtp_port = 99999\nnonsense\n[other]\nx = y\n")
    _, _, err = drive(root, "send")
    for words in ("line 3: unknown key 'colour'", "line 4: smtp_port: expected a port", "line 5: expected key"):
        ok(f"named: {words}", words in err, err)
    root = node(folder, "to = node@example.com\n")
    write(root, "etc/pve/pvewarden/pvewarden.conf", "[mail]\nto = cluster@example.com\nfrom = c@example.com\n")
    status, _, err = drive(root, "send", wrap=in_own_usr(
        folder, {"sbin/sendmail": f"#!/bin/sh\ncat >{folder}/sent\n"}))
    raw = open(f"{folder}/sent", "rb").read()
    ok("the node's file is on top of the cluster's", b"To: node@example.com" in raw and
       b"From: <c@example.com>" in raw, raw[:300])

    script = f"{folder}/Proxmox_DM_Cleanup_v37.sh"
    open(script, "w").write(OLD_SCRIPT % "topsecret")
    root = node(folder)
    status, out, err = drive(root, "import", script)
    path = f"{root}/etc/pvewarden/mail.env"
    ok("the old script's settings are taken", status == 0 and "recipient@example.com" in out, out, err)
    ok("into a file of mode 0600", status == 0 and stat.S_IMODE(os.stat(path).st_mode) == 0o600)
    ok("the secret is not shown", "topsecret" not in out + err and "topsecret" in open(path).read())
    before = open(path).read()
    status, _, err = drive(root, "import", script)
    ok("what is there is not overwritten", status == 64 and open(path).read() == before, err)
    for text, change, words in (
            ("a placeholder", lambda s: s.replace("abc123", "<your-mailjet-api-key>"), "line 3: MAILJET_API_KEY still"),
            ("one is missing", lambda s: s.replace("TO_EMAIL", "TO_MAIL"), "sets no TO_EMAIL"),
            ("one is computed", lambda s: s.replace('"abc123"', '"$(cat /etc/key)"'), "line 3"),
            ("a quote is open", lambda s: s.replace("'topsecret'", "'topsecret"), "line 4")):
        open(script, "w").write(change(OLD_SCRIPT % "topsecret"))
        root = node(folder)
        status, out, err = drive(root, "import", script)
        ok(f"{text}: refused, nothing written", status == 64 and words in err and "topsecret" not in err and
           not os.path.exists(f"{root}/etc/pvewarden/mail.env"), status, err)
    root = node(folder, "", 'MAILJET_API_KEY=$(touch /tmp/pvewarden-was-run)\nEVIL="x"\n')
    status, _, err = drive(root, "send")
    ok("a file of settings is never run", "line 1: MAILJET_API_KEY: expected it holds" in err or
       "a shell would have to compute" in err, err)
    ok("and strange lines are named", "line 2" in err and not os.path.exists("/tmp/pvewarden-was-run"), err)


def main():
    folder = tempfile.mkdtemp(prefix="pvewarden-mail-")
    try:
        context = certificate(folder)
        smtp_tests(folder, context)
        mailjet_tests(folder, context)
        local_tests(folder)
        config_tests(folder)
    finally:
        shutil.rmtree(folder)
    print(f"{passed} passed, {failed} failed")
    raise SystemExit(failed > 0)


main()
