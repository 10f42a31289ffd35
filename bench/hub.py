#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""hub.py [--postgres URL] [--seconds N] [--connections N]: what the hub takes in of documents of 40 guests, from a load
generator on the same processors: as fast as it goes, then at a quarter of that. With PostgreSQL:
test/hub/postgres sh -c 'bench/hub.py --postgres "$PVEWARDEN_TEST_PG"'"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../test/hub"))
from lib import Hub, document  # noqa: E402

HUBLOAD = os.environ.get("HUBLOAD", "build/bench/hubload")


def template(path, guests):
    body = document("NODE@@@@", "bench", 1000000000, guests=guests)
    text = json.dumps(body).replace(f'"collected_at": "{body["collected_at"]}"',
                                    '"collected_at": "TIME@@@@@@@@@@@@@@@@"')
    # Each node is a cluster of its own, so that no guest is another node's.
    text = text.replace('"uuid-bench"', '"uuid-NODE@@@@"')
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return len(text)


def load(hub, connections, seconds, rate):
    out = subprocess.run([HUBLOAD, str(hub.port), os.path.join(hub.dir, "tokens"), os.path.join(hub.dir, "body"),
                          str(connections), str(seconds), str(rate)], capture_output=True, text=True)
    sys.stderr.write(out.stderr)
    return out.stdout.strip()


def counter(hub, name):
    return float(re.search(rf"^{name} (\S+)", hub.get("/metrics").body.decode(), re.M)[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--guests", type=int, default=40)
    parser.add_argument("--postgres")
    args = parser.parse_args()
    rates = "".join(f"{rate} = off\n" for rate in ("token_rate", "org_rate", "read_rate", "org_read_rate"))
    with Hub(postgres=args.postgres, config=rates) as hub:
        tokens = []
        for i in range(4):
            tokens += hub.tokens(hub.org(f"bench{i}"), n=args.connections // 4)
        with open(os.path.join(hub.dir, "tokens"), "w", encoding="ascii") as f:
            f.write("\n".join(tokens) + "\n")
        size = template(os.path.join(hub.dir, "body"), args.guests)
        print(f"document: {args.guests} guests, {size} bytes; {args.connections} connections", flush=True)
        load(hub, args.connections, 3, 0)  # the rows are there, what follows is the steady state
        before = counter(hub, "pvewarden_hub_documents_total"), counter(hub, "pvewarden_hub_commits_total")
        full = load(hub, args.connections, args.seconds, 0)
        after = counter(hub, "pvewarden_hub_documents_total"), counter(hub, "pvewarden_hub_commits_total")
        print("full:    ", full)
        print(f"          {(after[0] - before[0]) / max(1, after[1] - before[1]):.1f} documents a commit", flush=True)
        rate = float(full.split()[0]) / 4
        time.sleep(1)
        print("quarter: ", load(hub, args.connections, args.seconds, rate), flush=True)
        reader = hub.tokens(hub.org("bench0"), "read")
        conn, took = hub.connect(), []
        for _ in range(50):
            begun = time.monotonic()
            answer = hub.get("/api/v1/guests?limit=50", reader, connection=conn)
            took.append(time.monotonic() - begun)
        items = len(answer.json["items"])
        print(f"list:     {items} guests, p50 {sorted(took)[25] * 1e3:.1f} ms, p90 {sorted(took)[45] * 1e3:.1f} ms")
        print(f"memory:   {hub.status('VmHWM') // 1024} MiB at most, {hub.status('VmRSS') // 1024} MiB at the end")


if __name__ == "__main__":
    main()
