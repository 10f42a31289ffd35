# SPDX-License-Identifier: AGPL-3.0-or-later
"""Alerts reach a person: by SMTP, gathered, once; and are kept while nobody takes them."""
import os

from lib import add, scenario
from node import PVEWARDEN

SERVER = """
import sys, time
from aiosmtpd.controller import Controller

class Keep:
    async def handle_DATA(self, server, session, envelope):
        with open(sys.argv[1], "ab") as f:
            f.write(b"TO " + ",".join(envelope.rcpt_tos).encode() + b"\\n" + envelope.content + b"\\nEND\\n")
        return "250 kept"

Controller(Keep(), hostname="127.0.0.1", port=2525).start()
print("ready", flush=True)
time.sleep(600)
"""
CONF = "[mail]\ntransport = smtp\nfrom = watch@example.com\nto = admin@example.com\n" \
       "smtp_server = 127.0.0.1\nsmtp_port = 2525\nsmtp_security = none\n"


def alerts(node):
    folder = node.path("/var/lib/pvewarden/watch/alerts")
    return os.listdir(folder) if os.path.isdir(folder) else []


@scenario(60)
def alerts_are_mailed(t):
    rig, node = t.one(100, watch={"budget": "1/1h"})
    add(rig, node, 101)
    node.write("/etc/pvewarden/pvewarden.conf", CONF)
    mails = f"{rig.scratch}/mails"
    node.ports(100, "closed")
    t.comes("guest 100 is restarted", lambda: "shutdown" in rig.verbs(100), 15)
    t.comes("its alert waits: nobody takes mails", lambda: len(alerts(node)) == 1, 5)
    t.line(node, "alerts could not be mailed", seconds=15)
    t.ok("and is kept", len(alerts(node)) == 1, alerts(node))
    program = f"{rig.scratch}/server.py"
    with open(program, "w", encoding="utf8") as f:
        f.write(SERVER)
    out = f"{rig.scratch}/server.out"
    node.spawn(["/usr/bin/python3", program, mails], out, out)
    t.comes("a server comes", lambda: os.path.exists(out) and "ready" in open(out).read(), 10)
    code, _, err = node.run(PVEWARDEN, "watch", "mail")
    t.ok("watch mail: 0, and nothing is left", code == 0 and not alerts(node), (code, err))
    text = open(mails, encoding="utf8", errors="replace").read() if os.path.exists(mails) else ""
    t.ok("to whom, about what", text.startswith("TO admin@example.com") and
         "Subject: pvewarden: pve1: VM 100" in text, text[:800])
    t.ok("one mail", text.count("\nEND\n") == 1, text.count("\nEND\n"))
    code, _, err = node.run(PVEWARDEN, "watch", "mail")
    t.ok("nothing to say, nothing sent", code == 0 and
         open(mails, encoding="utf8", errors="replace").read().count("\nEND\n") == 1, (code, err))
