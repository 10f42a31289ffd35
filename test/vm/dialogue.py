#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""dialogue.py COMMAND... -- ANSWER...: runs the command on a pseudo-terminal and types one answer
for each question that it asks ("... [n] "). EOF types the end of the input. Prints what the terminal
showed; the exit status is the command's."""
import os
import pty
import sys

split = sys.argv.index("--")
command, answers = sys.argv[1:split], sys.argv[split + 1:]
pid, fd = pty.fork()
if pid == 0:
    os.environ["NO_COLOR"] = "1"
    os.execv(command[0], command)
seen = b""
asked = 0
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data
    sys.stdout.buffer.write(data.replace(b"\r\n", b"\n"))
    if seen.endswith(b"[n] "):
        answer = answers[asked] if asked < len(answers) else "EOF"
        asked += 1
        os.write(fd, b"\x04" if answer == "EOF" else answer.encode() + b"\n")
        seen = b""
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
