# SPDX-License-Identifier: AGPL-3.0-or-later
"""Those who have no token, and those who speak through a proxy: what they get, and what of others they reach."""
from lib import Hub, check, done


def forwarded():
    with Hub() as hub:
        org = hub.org("shown")
        token = hub.tokens(org, "read")
        check("this machine has all of /metrics", hub.get("/metrics").status == 200)
        for what, lines in (("the proxy's line is the last one", ["127.0.0.1", "192.0.2.7"]),
                            ("a proxy forwards for itself", ["127.0.0.1"]),
                            ("an empty line is the last one", ["127.0.0.1", ""])):
            s = hub.connect()
            s.putrequest("GET", "/metrics")
            for line in lines:
                s.putheader("X-Forwarded-For", line)
            s.putheader("X-Forwarded-Proto", "https")
            s.endheaders()
            a = s.getresponse()
            check(f"{what}: no metrics without a token", a.status == 401, (a.status, a.read()))
            s.close()
        s = hub.connect()
        s.putrequest("GET", "/api/v1/guests")
        for name, value in (("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "192.0.2.7"),
                            ("X-Forwarded-Proto", "http"), ("Authorization", "Bearer " + token)):
            s.putheader(name, value)
        s.endheaders()
        a = s.getresponse()
        check("what the proxy says last of https counts", a.status == 403, (a.status, a.read()))
        s.close()
        a = hub.get("/api/v1/guests", token, headers={"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"})
        check("a token through a proxy with https", a.status == 200, a)


forwarded()
done()
