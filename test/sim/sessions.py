# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may speak with an array: versions, login, idle sessions, TLS."""
import os
import subprocess
import tempfile

from lib import Sim, check, done


def versions():
    with Sim(api="2.4,2.26") as sim:
        a = sim.raw("GET", "/api/api_version")
        check("versions are told without a session", a.json == {"version": ["2.4", "2.26"]}, a)
        check("an older version speaks", sim.ask("GET", "volumes", api="2.4").status == 200)
        a = sim.ask("GET", "volumes", api="2.5")
        check("a version between is not there", a.status == 404, a)
        sim.volume("v1")
        a = sim.ask("GET", "connections", {"volume_ids": "x"}, api="2.4")
        check("volume_ids came with 2.9", a.status == 400 and "volume_ids" in a.error, a)
        a = sim.ask("POST", "pods", {"names": "p"}, {"quota_limit": 1 << 30}, api="2.4")
        check("quotas of pods came with 2.23", a.status == 400, a)
        old, new = (sim.ask("GET", "arrays", api=v).item for v in ("2.4", "2.26"))
        check("total_used came with 2.26", "total_used" in new["space"] and "total_used" not in old["space"] and
              "total_physical" in old["space"], old)
        check("SafeMode with 2.6", "eradication_config" in new and "eradication_config" not in old, old)
        a = sim.ask("GET", "nothing")
        check("what is not there is 404 with a message", a.status == 404 and a.error, a)
        a = sim.ask("PUT", "volumes")
        check("a method that it has not is refused", a.status == 405, a)


def logins():
    with Sim() as sim:
        a = sim.login(token="wrong")
        check("a wrong API token is 401", a.status == 401 and a.error == "API token is invalid.", a)
        a = sim.login()
        check("login answers with the user and a token in a header",
              a.status == 200 and a.json == {"items": [{"username": "pureuser"}]} and
              len(a.headers["x-auth-token"]) == 36, a)
        first = sim.sessions["fa1"]
        sim.login()
        check("each login is a session of its own", sim.sessions["fa1"] != first)
        for token in ("", "nonsense"):
            a = sim.raw("GET", "/api/2.26/volumes", {"x-auth-token": token})
            check(f"session \"{token}\" is none", a.status == 401 and a.error == "Invalid session.", a)
        check("it says where", a.json["errors"][0]["location_context"]["name"] == "fa1", a)
        a = sim.raw("GET", "/api/2.26/volumes", {"x-auth-token": first, "X-Request-ID": "abc"})
        check("a request's id comes back", a.headers.get("x-request-id") == "abc", a.headers)
        sim.post("logout")
        check("after logout it is over", sim.get("volumes").status == 401)
        a = sim.raw("GET", "/api/2.26/volumes", {"x-auth-token": ""})
        check("nor does an empty token stand for it", a.status == 401, a)
        check("the other session is not", sim.raw("GET", "/api/2.26/volumes",
                                                  {"x-auth-token": first}).status == 200)
        a = sim.ask("POST", "volumes", {"names": "v"}, "{not json")
        check("401 goes before the body", a.status == 401 or "JSON" in a.error, a)


def idle():
    with Sim() as sim:
        sim.login()
        sim.forward(1799)
        check("a session lives while it is used", sim.get("volumes").status == 200)
        sim.forward(1799)
        check("each use begins its idle time anew", sim.get("volumes").status == 200)
        sim.forward(1801)
        check("idle for longer it is over", sim.get("volumes").status == 401)
        sim.make(config={"idle_timeout": 0})
        sim.login()
        sim.forward(1e6)
        check("idle_timeout 0 is never", sim.get("volumes").status == 200)
        sim.control("POST", "/expire", {})
        check("all sessions can be forgotten", sim.get("volumes").status == 401)
        n = sim.counters()
        check("logins and refusals are counted", n["logins"] == 2 and n["refused"] == 2, n)
        check("so are calls", n["calls"] == {"POST login": 2, "GET volumes": 5}, n)
        sim.control("DELETE", "/counters")
        check("counters go back to 0", sim.counters()["requests"] == 0)


def restart():
    with Sim() as sim:
        sim.login()
        for forgets, status in ((False, 200), (True, 401)):
            sim.control("POST", "/down", {"array": "fa1"})
            sim.control("POST", "/up", {"array": "fa1", "forget_sessions": forgets})
            a = sim.get("volumes")
            check(f"back {'without' if forgets else 'with'} its sessions", a.status == status, a)


def certificate(folder):
    pair = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-out", pair[0], "-keyout", pair[1]],
                   check=True, capture_output=True)
    return pair


def tls():
    with tempfile.TemporaryDirectory() as folder:
        pair = certificate(folder)
        with Sim(tls=pair) as sim:
            line = sim.connect()
            sim.login()
            a = [sim.ask("GET", "arrays", line=line).status for _ in range(3)]
            check("TLS, several requests on one connection", a == [200] * 3, a)
            line.close()


versions()
logins()
idle()
restart()
tls()
done()
