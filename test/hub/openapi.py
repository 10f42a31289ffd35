# SPDX-License-Identifier: AGPL-3.0-or-later
"""docs/openapi.yaml against the running hub: the same routes, and every operation answers as it says."""
import json
import re
import subprocess
import time

import yaml

from lib import PROGRAM, Hub, check, document, done

METHODS = ("get", "post", "put", "delete", "patch")
SPEC = yaml.safe_load(open("docs/openapi.yaml", encoding="utf-8"))
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
         "null": type(None)}
KNOWN = {"type", "properties", "required", "items", "enum", "minimum", "maximum", "description", "$ref",
         "additionalProperties"}


def resolve(part):
    while "$ref" in part:
        at = SPEC
        for key in part["$ref"].removeprefix("#/").split("/"):
            at = at[key]
        part = at
    return part


def faults(value, schema, path="$"):
    """What of @value is not as @schema says. A keyword that this does not know is a fault as well."""
    schema = resolve(schema)
    if unknown := set(schema) - KNOWN:
        return [f"{path}: the schema has {unknown}"]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(isinstance(value, TYPES[k]) and not (k in ("integer", "number") and
                                                             isinstance(value, bool)) for k in kinds):
        return [f"{path}: {value!r} is no {kinds}"]
    out = []
    if "enum" in schema and value not in schema["enum"]:
        out.append(f"{path}: {value!r} is none of {schema['enum']}")
    if isinstance(value, dict):
        out += [f"{path}: {k} is missing" for k in schema.get("required", []) if k not in value]
        if schema.get("additionalProperties") is False:
            out += [f"{path}: {k} is not documented" for k in value if k not in schema["properties"]]
        for key, sub in schema.get("properties", {}).items():
            if key in value:
                out += faults(value[key], sub, f"{path}.{key}")
    if isinstance(value, list) and "items" in schema:
        for i, v in enumerate(value):
            out += faults(v, schema["items"], f"{path}[{i}]")
    return out


def operations():
    for path, item in SPEC["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def compare(what, operation, answer, wanted):
    responses = operation["responses"]
    if not check(f"{what}: {wanted}", answer.status == wanted, answer):
        return
    response = responses.get(str(answer.status)) or responses.get("default")
    if not check(f"{what}: {answer.status} is documented", response is not None):
        return
    content = resolve(response).get("content", {})
    kind = (answer.headers["Content-Type"] or "").split(";")[0]
    if not content or answer.status == 304:
        check(f"{what}: no body", not answer.body, answer)
        return
    if not check(f"{what}: {kind} is documented", kind in content, answer):
        return
    if kind == "application/json":
        found = faults(json.loads(answer.body), content[kind]["schema"])
        check(f"{what}: the body is as documented", not found, found[:3])


def same_routes():
    out = subprocess.run([PROGRAM, "hub", "serve", "--routes"], capture_output=True, text=True, check=True).stdout
    served = set(out.split("\n")) - {""}
    documented = {f"{m} {p}" for m, p, _ in operations()}
    check("every route is documented", served <= documented, served - documented)
    check("every documented operation is a route", documented <= served, documented - served)


def fill(path, record):
    values = {"cluster": "uuid-c1", "node": "pve1", "vmid": "100", "storage": "local", "id": record}
    return re.sub(r"{(\w+)}", lambda m: values[m[1]], path)


NANNY = {
    "/api/proxmox/node": {"name": "old1", "node_id": 1, "ip": "10.0.0.1", "online": 1, "local": 1, "level": "",
                          "pve_version": "8.2.4"},
    "/api/proxmox/cluster": {"cluster_name": "oldies", "cluster_id": "cluster", "nodes": 1, "quorate": 1,
                             "version": 3},
    "/api/proxmox/lxc": {"name": "ct", "lxc_id": "lxc/201", "status": "running", "uptime": 86400, "vmid": 201,
                         "node": "old1", "ostype": "debian"},
    "/api/proxmox/qemu": {"name": "vm", "qemu_id": "qemu/202", "status": "running", "uptime": 86400, "vmid": 202,
                          "node": "old1"},
}
LISTS = ("clusters", "nodes", "guests", "storages", "findings", "events")
FILTERS = {"cluster": "uuid-c1", "name": "pve1", "quorate": "true", "online": "true", "node": "pve1", "type": "qemu",
           "status": "running", "vmid": "100", "tag": "b", "state": "all", "backup": "true", "lock": "backup",
           "template": "false", "q": "VM10", "part": "dm", "class": "ghost", "severity": "critical",
           "kind": "guest.destroyed", "since": "2026-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"}

OTHERS = {("storages", "type"): "dir", ("events", "vmid"): "103"}


def rich_documents():
    """Two cycles of one node with something in every list: a guest goes, a lock, a config, findings, HA."""
    out = []
    for sequence, guests, at in ((1, 4, time.time() - 120), (2, 3, time.time() - 60)):
        d = document(sequence=sequence, guests=guests, at=at)
        d["guests"][1].update(lock="backup", oldest_snapshot=d["collected_at"], memhost=5, backup=False,
                              ha={"wanted": "started", "state": "started", "node": "pve1"},
                              pressure={"cpu_some": 0.1})
        d["guests"][2].update(template=True, tags=None, snapshots=None)
        d["configs"] = [{"vmid": 100, "digest": "d100", "name": "vm100", "type": "qemu", "cores": 2,
                         "config": {"cores": "2"}}]
        d["ha"] = {"master": "pve1", "at": d["collected_at"], "master_alive": True}
        d["nodes"].append({"name": "pve2", "id": 2, "ip": "10.0.1.11", "online": False})
        d["storages"].append({"name": "nfs", "type": "nfs", "shared": True, "enabled": True, "content": "images",
                              "active": None, "total": None, "used": None, "sampled_at": None})
        d["parts"] = {"dm": {"schema": "x", "findings": [{"class": "ghost", "severity": "critical", "vmid": 100}]},
                      "watch": {"schema": "x", "guests": [{"vmid": 101, "state": "exhausted"}]}}
        out.append(d)
    return out


KINDS = {"clusters": "clusters", "nodes": "nodes", "lxc": "lxc", "qemu": "qemu"}


def all_operations(hub):
    org = hub.org("main")
    agent, reader = hub.tokens(org), hub.tokens(org, "read")
    table = {(m, p): op for m, p, op in operations()}
    used = set()

    def ask(method, path, wanted, token=None, body=None, record="", query="", headers=None):
        used.add((method, path))
        answer = hub.ask(method, fill(path, record) + query, token, body, headers)
        compare(f"{method} {path}{query}", table[method, path], answer, wanted)
        return answer

    for d in rich_documents():
        ask("POST", "/api/v1/documents", 200, agent, d)
    ask("POST", "/api/v1/documents", 200, agent, rich_documents()[1])
    ask("POST", "/api/v1/documents", 422, agent, {"schema": "pvewarden.node/1"})
    for path, body in NANNY.items():
        ask("POST", path, 200, agent, body)
        ask("POST", path, 401, None, body)
    for path in sorted({p for m, p in table if m == "GET"}):
        if path.startswith("/api/v1/") and path != "/api/v1/openapi.yaml":
            ask("GET", path, 401)
            answer = ask("GET", path, 200, reader)
            ask("GET", path, 304, reader, headers={"If-None-Match": answer.headers["ETag"] or "none"})
            ask("GET", path, 400 if "{" not in path or "history" in path else 200, reader,
                query="?from=yesterday&limit=0")
        elif path in ("/healthz", "/metrics", "/api/v1/openapi.yaml"):
            ask("GET", path, 200)
    for kind in KINDS:
        path = "/api/proxmox/" + kind
        page = ask("GET", path, 200, reader, query="?page=1&perPage=1").json
        check(f"GET {path}: one of its page", len(page["items"]) == 1 and page["perPage"] == 1, page)
        record = page["items"][0]["id"] if page["items"] else "none"
        ask("GET", path + "/{id}", 200, reader, record=record)
        ask("GET", path + "/{id}", 404, reader, record="nothing")
        ask("DELETE", path + "/{id}", 403, agent, record=record)
    ask("POST", "/api/agent", 400, None, {"action": "dance"})
    ask("POST", "/api/agent", 200, None, {"action": "device-auth-start"})
    ask("GET", "/login", 200)
    ask("GET", "/agent/authorize", hub.get("/agent/authorize").status)
    for path in ("/login", "/logout", "/agent/authorize"):
        ask("POST", path, hub.post(path, None, b"a=b", headers={
            "Content-Type": "application/x-www-form-urlencoded"}).status, None, b"a=b",
            headers={"Content-Type": "application/x-www-form-urlencoded"})
    lists(hub, reader, ask, table)
    check("every operation was called", used == set(table), set(table) - used)


def named(answer):
    """The words of "expected one of a, b"."""
    return set(answer.json["error_description"].partition("expected one of ")[2].split(", "))


def walk(hub, reader, path, query):
    """Every item, one a page."""
    items, cursor = [], ""
    while True:
        page = hub.get(f"{path}?limit=1{query}{cursor}", reader).json
        items += page["items"]
        if not page["next"] or len(items) > 100:
            return items
        cursor = "&cursor=" + page["next"]


def without_age(items):
    return [{k: v for k, v in item.items() if k != "age"} for item in items]


def lists(hub, reader, ask, table):
    tags = {}
    for name in LISTS:
        path = "/api/v1/" + name
        parameters = {p["name"]: p for p in map(resolve, table["GET", path]["parameters"])}
        sorts = parameters.pop("sort")["schema"]["enum"]
        filters = set(parameters) - {"limit", "cursor"}
        served = named(ask("GET", path, 400, reader, query="?nonsense=1"))
        check(f"{path}: the filters are the documented ones", served == filters, served ^ filters)
        served = named(ask("GET", path, 400, reader, query="?sort=nonsense"))
        check(f"{path}: the orders are the documented ones", served | {"-" + x for x in served} == set(sorts), served)
        answer = ask("GET", path, 200, reader)
        tags[path] = answer.headers["ETag"]
        whole = answer.json["items"]
        check(f"{path}: there is something", len(whole) > 0)
        for key in sorted(filters):
            value = OTHERS.get((name, key), FILTERS[key])
            answer = ask("GET", path, 200, reader, query=f"?{key}={value}")
            if key in whole[0] and key not in ("lock", "name"):
                wrong = [i for i in answer.json["items"] if str(i[key]).lower() != value]
                check(f"{path}?{key}: only what was asked for, and something",
                      answer.json["items"] and not wrong, answer)
        for word in sorts:
            both = walk(hub, reader, path, "&sort=" + word)
            other = walk(hub, reader, path, "&sort=" + (word[1:] if word[0] == "-" else "-" + word))
            check(f"{path}?sort={word}: page by page everything, once, and backwards the other way",
                  len(both) == len(whole) and without_age(both) == without_age(other)[::-1], (len(both), len(whole)))
    time.sleep(1.1)
    for path, tag in tags.items():
        ask("GET", path, 304, reader, headers={"If-None-Match": tag})


def tenants(hub):
    """Another org sees nothing of what the first has."""
    stranger = hub.tokens(hub.org("stranger"), "read")
    for _, path, _ in operations():
        if path.startswith("/api/v1/") and "openapi" not in path and path != "/api/v1/documents":
            answer = hub.get(fill(path, ""), stranger)
            nothing = answer.status == 404 or answer.status == 200 and not answer.json.get("items", ["one"])
            check(f"another org sees nothing at {path}", nothing, answer)
    metrics = hub.get("/metrics", stranger)
    check("another org's metrics are empty", metrics.status == 200 and hub.org("main") not in metrics.body.decode() and
          "pvewarden_hub_stored" not in metrics.body.decode(), metrics)


same_routes()
with Hub(config="read_rate = off\norg_read_rate = off\n") as main_hub:
    all_operations(main_hub)
    tenants(main_hub)
done()
