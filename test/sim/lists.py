# SPDX-License-Identifier: AGPL-3.0-or-later
"""What all lists have in common: filters, pages, order, sums."""
import random

from lib import Sim, check, done, names


def filters(sim):
    sim.make(volume_groups=["vg"], pods=["p1"])
    for name in ("vg/vm-100-disk-0", "vg/vm-100-disk-1", "vg/vm-100-cloudinit", "vg/vm-1001-disk-0",
                 "vg/vm-101-disk-0", "p1::vm-100-disk-0", "plain"):
        sim.volume(name, 1 << 30 if "100" in name else 1 << 20)
    sim.destroy("vg/vm-100-disk-1")
    sim.post("volumes", {"source": {"name": "plain"}}, names="copy")
    vm100 = ["vg/vm-100-disk-0", "vg/vm-100-disk-1"]
    for text, found in (
            ("name='vg/vm-100-disk-*'", vm100),
            ("name='vg/vm-100-disk-*' and destroyed='false'", vm100[:1]),
            ("(name='vg/vm-100-disk-*' or name='vg/vm-100-cloudinit' or name='vg/vm-100-state-*') and "
             "destroyed='false'", ["vg/vm-100-disk-0", "vg/vm-100-cloudinit"]),
            ("name='VG/VM-100-DISK-0'", vm100[:1]),
            ("name='vg/vm-100-disk-0'", vm100[:1]),
            ("name='nope'", []),
            ("name=('plain','copy')", ["plain", "copy"]),
            ("name!='vg/*' and name!='p1::*'", ["plain", "copy"]),
            ("not name='vg/*' and not name='p1::*'", ["plain", "copy"]),
            ("not (name='vg/*' or name='p1::*')", ["plain", "copy"]),
            ("NOT (name=\"vg/*\" OR name=\"p1::*\")", ["plain", "copy"]),
            ("pod.name='p1'", ["p1::vm-100-disk-0"]),
            ("name='p1::vm-*'", ["p1::vm-100-disk-0"]),
            ("volume_group.name='vg' and name='*-101-*'", ["vg/vm-101-disk-0"]),
            ("source.name='plain'", ["copy"]),
            ("name='*1-disk-0' and not name='*01-*'", []),
            ("destroyed='true'", vm100[1:]),
            ("destroyed=true", vm100[1:]),
            ("provisioned>1048576 and volume_group.name='vg' and destroyed='false' and name='*cloud*'",
             ["vg/vm-100-cloudinit"]),
            ("provisioned<=1048576", ["vg/vm-101-disk-0", "plain", "copy"]),
            ("provisioned=1048576 and name='p*'", ["plain"]),
            ("name='plain' or name='copy' and name='nope'", ["plain"]),
            ("name='a**b' or name='p*l*a*i*n'", ["plain"])):
        a = sim.get("volumes", filter=text)
        check(f"filter {text}", a.status == 200 and names(a) == found, a)
    for text in ("name=", "name", "name='x", "(name='x'", "name='x')", "and", "name='x' name='y'", "name~'x'",
                 "='x'", "name=()", "(" * 100 + "name='x'" + ")" * 100, "not"):
        a = sim.get("volumes", filter=text)
        check(f"no filter: {text[:20]}", a.status == 400 and a.error.startswith("Invalid filter"), a)
    a = sim.get("volumes", filter="nonsense='x'")
    check("a field that there is not", a.status == 400 and "nonsense" in a.error, a)
    a = sim.get("volumes", names="vg/vm-100-disk-*")
    check("names= knows no patterns", a.status == 400 and a.error == "Volume does not exist.", a)
    a = sim.get("volumes", names="plain,nope,nada")
    check("each that is missing is named", [c for c, _ in a.errors] == ["nope", "nada"], a)
    sim.make(config={"no_pod_patterns": True})
    check("an array that knows no patterns in pods", sim.get("volumes", filter="name='p1::vm-*'").items == [])
    check("finds the exact name", len(sim.get("volumes", filter="name='p1::vm-100-disk-0'").items) == 1)
    sim.make(config={"no_pod_patterns": False})


def all_pages(sim, limit, **args):
    found, pages, token = [], 0, {}
    while True:
        a = sim.get("volumes", limit=limit, **args, **token)
        if a.status != 200:
            return found, pages, a
        found += names(a)
        pages += 1
        token = {"continuation_token": a.json["continuation_token"]}
        if not token["continuation_token"]:
            return found, pages, a
        if a.headers.get("x-next-token") != token["continuation_token"]:
            return found, pages, "header and body differ"


def pages(sim):
    every = [f"n{i}" for i in range(2500)]
    random.Random(5).shuffle(every)
    for i in range(0, 2500, 250):
        sim.post("volumes", {"provisioned": 1 << 20}, names=",".join(every[i:i + 250]))
    a = sim.get("volumes")
    check("a page has 1000 at most", len(a.items) == 1000 and a.json["more_items_remaining"] is True and
          a.json["continuation_token"] and a.json["total_item_count"] is None, a)
    check("whatever is asked", len(sim.get("volumes", limit=5000).items) == 1000)
    found, n, a = all_pages(sim, 1000, filter="name='n*'")
    check("all pages", n == 3 and found == every and a.json["more_items_remaining"] is False and
          "x-next-token" not in a.headers, (n, len(found)))
    found, n, _ = all_pages(sim, 23, filter="name='n1*'")
    check("small pages, filtered", found == [v for v in every if v.startswith("n1")] and n > 40, n)
    a = sim.get("volumes", limit=3, filter="name='n*'")
    sim.destroy(every[2])
    sim.delete("volumes", names=every[2])
    sim.volume("n-new")
    b = sim.get("volumes", limit=3, filter="name='n*'", continuation_token=a.json["continuation_token"])
    check("a token is good though the last one told is gone", names(b) == every[3:6], b)
    del every[2]
    a = sim.get("volumes", limit=4, offset=2, filter="name='n*'")
    check("offset", names(a) == every[2:6], a)
    a = sim.get("volumes", sort="name", limit=5, filter="name='n*'")
    check("sorted: no token", names(a) == sorted(every + ["n-new"])[:5] and a.json["continuation_token"] is None and
          a.json["more_items_remaining"] is True and "x-next-token" not in a.headers, a)
    a = sim.get("volumes", sort="name-", limit=5, filter="name='n*'")
    check("downwards", names(a) == sorted(every, reverse=True)[:5], a)
    a = sim.get("volumes", sort="provisioned-,name", limit=2)
    check("by two", names(a) == ["p1::vm-100-disk-0", "vg/vm-100-cloudinit"], a)
    a = sim.get("volumes", total_item_count="true", limit=1, filter="name='n*'")
    check("counted when asked", a.json["total_item_count"] == 2500 and len(a.items) == 1, a.json["total_item_count"])
    a = sim.get("volumes", total_only="true", filter="name='vg/vm-100-*'")
    check("sums only", a.items == [] and a.json["total"][0]["provisioned"] == 3 << 30, a)
    for args in ({"limit": 0}, {"limit": "x"}, {"limit": -1}, {"offset": "x"}, {"continuation_token": "nonsense"}):
        a = sim.get("volumes", **args)
        check(f"refused: {args}", a.status == 400, a)


def arrays(sim):
    a = sim.get("arrays").item
    check("the array", a["name"] == "fa1" and a["os"] == "Purity//FA" and a["idle_timeout"] == 1800000 and
          a["eradication_config"]["manual_eradication"] == "all-enabled" and a["capacity"] == 20 << 40, a)
    sim.control("POST", "/set", {"array": "fa1", "volume": "plain", "used": 12345678})
    a = sim.get("arrays/space").item
    check("its space", a["space"]["total_used"] == 12345678 and a["capacity"] == 20 << 40 and
          a["space"]["total_provisioned"] > 4 << 30, a)
    a = sim.get("volumes/space", filter="name='plain'")
    check("a volume's space", a.item["space"]["total_used"] == 12345678, a)
    check("in the list as well", sim.get("volumes", names="plain").item["space"]["total_used"] == 12345678)
    sim.make(config={"portals": ["127.0.0.1:3260", "127.0.0.2:3260"], "nvme_portals": ["127.0.0.1:4420"],
                     "wwns": ["52:4A:93:7A:BC:DE:F0:00"]})
    a = sim.get("ports")
    check("one iqn on all ports", len({p["iqn"] for p in a.items if p["iqn"]}) == 1 and
          [p["portal"] for p in a.items] == ["127.0.0.1:3260", "127.0.0.2:3260", None, "127.0.0.1:4420"] and
          a.items[2]["wwn"] and a.items[3]["nqn"] and a.items[0]["name"] == "CT0.ETH4", a)
    check("a port by name", len(sim.get("ports", names="CT1.ETH4").items) == 1)
    check("two controllers", names(sim.get("controllers")) == ["CT0", "CT1"])


with Sim() as sim:
    filters(sim)
    pages(sim)
    arrays(sim)
done()
