# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documents by the thousand, hubs that are killed, disks that are full: what was acknowledged is there,
once."""
import json
import os
import random
import signal
import sqlite3
import time

import documents
from fleetlib import scenario, wait_for
from hubs import Sender, differences, free_port, send_all

GOOD = (0, 143, -signal.SIGTERM)


def cycles(clusters, n, step=60, churn=True):
    """All documents of n cycles in the order in which they would be sent: [(key, body)] for each agent."""
    agents = [documents.Agent(c, name) for c in clusters for name in c.nodes]
    lists = {id(a): [] for a in agents}
    for _ in range(n):
        for a in agents:
            doc = a.document()
            key = (a.cluster.uuid, a.name, a.instance, a.sequence)
            lists[id(a)].append((key, json.dumps(doc)))
        for c in clusters:
            c.tick(c.now + step)
            if churn:
                c.churn(quorum=False)
    # The last documents say what the model says in the end.
    for a in agents:
        doc = a.document()
        lists[id(a)].append(((a.cluster.uuid, a.name, a.instance, a.sequence), json.dumps(doc)))
    return list(lists.values())


def start_of(n, step=60):
    """So that the last of n cycles is now: a document of the future would be refused."""
    return time.time() - (n + 1) * step


def shares(lists, n):
    """The agents' documents for n senders; each agent's own stay in order."""
    out = [[] for _ in range(n)]
    for i, one in enumerate(lists):
        out[i % n] += one
    return out


def taken_once(t, hub, lists, what, sample=400):
    """Each acknowledged document is known; no event is there twice."""
    rng = random.Random(5)
    everything = [item for one in lists for item in one]
    some = everything if len(everything) <= sample else rng.sample(everything, sample)
    lost = [key for key, body in some if not hub.post(body)[1].get("duplicate")]
    t.ok(f"{what}: every acknowledged document is known ({len(some)} asked)", not lost, lost[:5])
    events = hub.items("events")
    keys = [json.dumps({k: v for k, v in e.items() if k not in ("id", "age")}, sort_keys=True) for e in events]
    twice = sorted({k for k in keys if keys.count(k) > 1}) if len(keys) < 5000 else \
        [k for k, n in counted(keys).items() if n > 1]
    t.ok(f"{what}: no event is there twice (of {len(keys)})", not twice, twice[:5])


def counted(keys):
    counts = {}
    for k in keys:
        counts[k] = counts.get(k, 0) + 1
    return counts


@scenario(120)
def thousand_agents(t):
    rig = t.rig()
    hub = rig.local_hub()
    clusters = documents.fleet(334, 3, 12, now=start_of(2))[:333] + \
        [documents.Cluster("alone", None, 1, 5, now=start_of(2))]
    lists = cycles(clusters, 2)
    t.same("a thousand agents", len(lists), 1000)
    hub.token()
    before, begun = hub.memory(), time.monotonic()
    send_all([hub], shares(lists, 16), hub.token(), 90)
    seconds = time.monotonic() - begun
    print(f"# 3,000 documents in {seconds:.1f} s; memory {before:.0f} -> {hub.memory():.0f} MiB")
    t.ok("the hub's memory stays below 160 MiB", hub.memory() < 160, f"{hub.memory():.0f} MiB")
    nodes, guests = hub.items("nodes"), [g for g in hub.items("guests") if not g.get("closed_at")]
    t.same("1,000 nodes", len(nodes), 1000)
    t.same("as many guests as the clusters have", len(guests), sum(len(c.guests) for c in clusters))
    t.same("334 clusters, though many have one name", len(hub.items("clusters")), 334)
    for c in random.Random(1).sample(clusters[:-1], 10) + clusters[-1:]:
        t.agrees(f"cluster {c.uuid[:8]} is as the model says", lambda c=c: differences(c, hub), 1)
    taken_once(t, hub, lists, "a thousand agents", 100)


@scenario(120)
def two_hubs_one_killed(t):
    rig = t.rig()
    db = rig.postgres().database()
    first = rig.local_hub(db=db)
    second = rig.local_hub(db=db)
    token = first.token()
    clusters = documents.fleet(10, 3, 15, seed=2, now=start_of(12))
    lists = cycles(clusters, 12)
    senders = [Sender([(first, second)[i % 2], (second, first)[i % 2]], bodies, token)
               for i, bodies in enumerate(shares(lists, 8))]
    total = sum(len(s.bodies) for s in senders)
    for s in senders:
        s.start()
    wait_for("a third is taken", lambda: sum(len(s.acked) for s in senders) > total / 3, 60, 0.01)
    first.kill(signal.SIGKILL)
    at = sum(len(s.acked) for s in senders)
    t.ok("one is killed amid it", at < total * 0.9, f"{at} of {total}")
    for s in senders:
        s.join(60)
    t.ok("the other takes all the rest", not any(s.is_alive() for s in senders), second.text()[-2000:])
    t.same("nothing is refused", [r for s in senders for r in s.refused], [])
    t.same("everything is acknowledged", sum(len(s.acked) for s in senders), total)
    second.tokens = first.tokens
    for c in clusters:
        t.agrees(f"cluster {c.uuid[:8]} is as the model says", lambda c=c: differences(c, second), 5)
    taken_once(t, second, lists, "two hubs")


@scenario(120)
def hub_killed_at_random(t):
    rig = t.rig()
    hub = rig.local_hub()
    token, rng = hub.token(), random.Random(3)
    clusters = documents.fleet(5, 3, 15, seed=3, now=start_of(30))
    lists = cycles(clusters, 30)
    senders = [Sender([hub], bodies, token) for bodies in shares(lists, 6)]
    total = sum(len(s.bodies) for s in senders)
    for s in senders:
        s.start()
    kills = 0
    while kills < 8 and any(s.is_alive() for s in senders):
        time.sleep(rng.uniform(0.02, 0.25))
        if not any(s.is_alive() for s in senders):
            break
        hub.kill(signal.SIGKILL)
        kills += 1
        hub.start()
    for s in senders:
        s.join(60)
    t.ok(f"killed {kills} times amid it", kills >= 3, kills)
    t.same("everything is acknowledged in the end", sum(len(s.acked) for s in senders), total)
    for c in clusters:
        t.agrees(f"cluster {c.uuid[:8]} is as the model says", lambda c=c: differences(c, hub), 5)
    taken_once(t, hub, lists, "killed at random")
    t.ok("SIGTERM ends it in order", hub.kill(signal.SIGTERM) in GOOD, hub.code())
    files = [f for f in os.listdir(hub.state) if f.endswith(".db")]
    check = sqlite3.connect(f"{hub.state}/{files[0]}").execute("PRAGMA integrity_check").fetchone()[0]
    t.same("the database is whole", check, "ok")


@scenario(90)
def any_order(t):
    """Any interleaving, duplication and loss with retry of documents ends in the same stored state."""
    rig = t.rig()
    states = []
    clusters = documents.fleet(2, 3, 12, seed=4, now=start_of(15))
    lists = cycles(clusters, 15)
    everything = [item for one in lists for item in one]
    for turn in range(3):
        hub = rig.local_hub()
        items, rng = list(everything), random.Random(turn)
        if turn:
            rng.shuffle(items)
            items += rng.sample(items, len(items) // 3)
        if turn == 2:
            items.reverse()
        senders = send_all([hub], [items[i::4] for i in range(4)] if turn else [items], hub.token(), 60)
        t.same(f"order {turn}: nothing is refused", [r for s in senders for r in s.refused][:3], [])
        states.append(state(hub))
        if turn == 0:
            for c in clusters:
                t.agrees(f"cluster {c.uuid[:8]} is as the model says", lambda c=c: differences(c, hub), 2)
    for turn in (1, 2):
        for what in states[0]:
            same = states[turn][what] == states[0][what]
            why = "" if same else "\n".join(
                [f"only in order 0: {r}" for r in states[0][what] if r not in states[turn][what]][:4] +
                [f"only in order {turn}: {r}" for r in states[turn][what] if r not in states[0][what]][:4])
            t.ok(f"order {turn}: the same {what}", same, why)


# Those say when the hub heard of it, which is another time each run, or count its own rows.
UNEQUAL = ("heard_at", "age", "agent")


def state(hub):
    return {what: sorted(json.dumps({k: v for k, v in row.items() if k not in UNEQUAL}, sort_keys=True)
                         for row in hub.items(what, **({"state": "all"} if what == "guests" else {})))
            for what in ("clusters", "nodes", "guests", "storages", "events")}


@scenario(60)
def hub_full_disk(t):
    rig = t.rig()
    place = rig.place("small")
    place.must("mkdir", "-p", "/run/small")
    place.must("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", "/run/small")
    hub = rig.local_hub(place=place, state="/run/small")
    hub.token(kind="read")
    c = documents.Cluster("full", "prod", 3, 20, now=start_of(3))
    lists = cycles([c], 3)
    for key, body in lists[0][:2]:
        t.ok(f"document {key[3]}: taken", hub.post(body)[0] == 200)
    place.run("dd", "if=/dev/zero", "of=/run/small/filler", "bs=4k")
    key, body = lists[0][2]
    answers = [hub.post(body)]
    for i in range(200):
        if answers[-1][0] != 200:
            break
        more = documents.Agent(documents.Cluster(f"more{i}", "more", 1, 40), "pve1")
        answers.append(hub.post(more.document()))
    status, said = answers[-1]
    t.ok("a full disk: 503 with a sentence", status == 503 and said.get("success") is False and
         said.get("error_description"), (status, said))
    t.ok("the log says what is wrong", any(w in hub.text().lower() for w in ("full", "no space")), hub.text()[-1500:])
    t.ok("it answers questions meanwhile", hub.items("guests"))
    t.ok("and lives", hub.code() is None)
    place.must("rm", "/run/small/filler")
    t.comes("with room again, the same document is taken", lambda: hub.post(body)[0] == 200, 15)
    for one in lists:
        for key, body in one:
            hub.post(body)
    t.agrees("and the cluster is as the model says", lambda: differences(c, hub), 5)


@scenario(60)
def schema_versions(t):
    rig = t.rig()
    hub = rig.local_hub()
    c = documents.Cluster("schema", "prod", 1, 5, now=start_of(1))
    for one in cycles([c], 1):
        for _, body in one:
            hub.post(body)
    hub.token(kind="read")
    code, out, err = hub.run("backup", f"{hub.state}/copy.db")
    t.ok("a backup while it serves", code == 0 and os.path.getsize(f"{hub.state}/copy.db") > 10000, err + out)
    copy = sqlite3.connect(f"{hub.state}/copy.db")
    t.same("the copy is whole", copy.execute("PRAGMA integrity_check").fetchone()[0], "ok")
    copy.close()
    restored = rig.local_hub(db=f"{hub.state}/copy.db")
    restored.tokens = hub.tokens
    t.agrees("a hub on the copy knows the same", lambda: differences(c, restored), 2)
    restored.kill(signal.SIGTERM)
    t.ok("SIGTERM ends it in order", hub.kill(signal.SIGTERM) in GOOD, hub.code())
    base = sqlite3.connect(f"{hub.state}/hub.db")
    newest = base.execute("SELECT max(version) FROM schema_version").fetchone()[0]
    base.execute("INSERT INTO schema_version VALUES (?, 'of the future')", (newest + 1,))
    base.commit()
    base.close()
    hub.start(wait=False)
    t.comes("a newer schema: it refuses to start", lambda: hub.code() not in (None, 0), 10)
    t.ok("and says so", "older than the database" in hub.text(), hub.text()[-800:])
    code, out, err = hub.run("migrate")
    t.ok("migrate refuses as well", code != 0 and "older than the database" in out + err, f"{code} {out} {err}")
    base = sqlite3.connect(f"{hub.state}/hub.db")
    base.execute("DELETE FROM schema_version WHERE version > ?", (newest,))
    base.commit()
    base.close()
    hub.start()
    t.agrees("back to its own: all is there", lambda: differences(c, hub), 2)
    old = f"{hub.state}/old.db"
    base = sqlite3.connect(old)
    base.close()
    code, out, err = hub.run("migrate", "--db", old)
    t.ok("migrate brings an empty database to the newest schema", code == 0 and str(newest) in out + err,
         f"{code} {out} {err}")
    code, out, err = hub.run("migrate", "--db", old)
    t.ok("and again does nothing", code == 0, f"{code} {out} {err}")


@scenario(60)
def tenants_and_rates(t):
    rig = t.rig()
    hub = rig.local_hub(token_rate="5 1/s")
    c = documents.Cluster("rates", "prod", 1, 3, now=time.time())
    a = documents.Agent(c, "pve1")
    codes = []
    for _ in range(12):
        c.now += 1
        status, headers, _ = hub.ask("POST", "/api/v1/documents", a.document(), hub.token())
        codes.append((status, headers.get("Retry-After")))
    t.ok("too many of one token: 429 with Retry-After", [s for s, _ in codes[:5]] == [200] * 5 and
         codes[-1][0] == 429 and int(codes[-1][1] or 0) >= 1, codes)
    status, body = hub.post(a.document(), hub.token("other"))
    t.ok("another token is not held up, and another org takes the same cluster", status == 200 and
         not body["duplicate"], body)
    t.same("each org has its own", [len(hub.items("clusters", o)) for o in ("main", "other")], [1, 1])
    key = hub.items("guests", "main")[0]
    status, _, _ = hub.ask("GET", f"/api/v1/clusters/{c.uuid}/guests/{key['vmid']}", token=hub.token("third", "read"))
    t.same("a third org does not see it by its name either", status, 404)


@scenario(60)
def tls_is_asked_for(t):
    """No bearer token over plain http, except on this machine."""
    rig = t.rig()
    place, other = rig.place("a"), rig.place("b")
    rig.join(place, other, "10.88.0")
    hub = rig.local_hub(place=place, address="0.0.0.0", port=free_port(), state=rig.folder("tls"))
    token = hub.token()
    curl = ("curl", "-s", "-m", "5", "-w", "%{http_code}", "-H", f"Authorization: Bearer {token}", "-d", "{}")
    code, out, err = other.run(*curl, f"http://10.88.0.1:{hub.port}/api/v1/documents")
    t.ok("from another machine: 403 with a sentence", code == 0 and out.endswith("403") and "http" in out, out + err)
    code, out, err = place.run(*curl, f"http://127.0.0.1:{hub.port}/api/v1/documents")
    t.ok("from this one the token is looked at", code == 0 and out[-3:] in ("400", "422"), out + err)
