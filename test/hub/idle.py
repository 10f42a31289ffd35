# SPDX-License-Identifier: AGPL-3.0-or-later
"""10,000 idle connections: held, and at most 64 MiB."""
import resource
import time

from lib import Hub, check, done

N, MAX_KIB = 10000, 64 * 1024

resource.setrlimit(resource.RLIMIT_NOFILE, (min(20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
with Hub(config="connections_per_address = 0\nsilent_timeout = 120\n") as hub:
    before = hub.status("VmRSS")
    connections = [hub.socket() for _ in range(N)]
    for s in connections[::10]:  # one in ten has spoken
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        s.recv(4096)
    time.sleep(1)
    kib = hub.status("VmRSS")
    print(f"# {before} KiB before, {kib} KiB with {N} connections")
    check(f"{N} idle connections take at most {MAX_KIB} KiB", kib <= MAX_KIB, kib)
    check("beside them it answers", hub.get("/healthz").status == 200)
    alive = 0
    for s in connections:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        alive += s.recv(4096).startswith(b"HTTP/1.1 200")
    check("all of them are served", alive == N, alive)
    for s in connections:
        s.close()
done()
