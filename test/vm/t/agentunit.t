# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Needs systemd as process 1.
#
# The agent as its unit runs it: its own user, no capability, an /etc/pve that only root
# and www-data may read; nothing that it has to see is hidden by its sandbox.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

mk_pve pve1
conf_vm 100 <<-END
	name: web01
	memory: 512
END
conf_vm 101 <<-END
	name: off01
	memory: 512
END
conf_ct 200 <<-END
	hostname: dns
	memory: 512
	ostype: debian
	rootfs: local:200/vm-200-disk-0.raw,size=8G
END
pve_index
rm -f /etc/pve/.rrd # what runs is to be seen without pvestatd
printf '[agent]\ninterval = 1\nhub_url = http://127.0.0.1:8480\n' >/run/vmtest/agent.conf
mkdir -p /etc/pvewarden
cp /run/vmtest/agent.conf /etc/pvewarden/pvewarden.conf
chgrp -R www-data /etc/pve
find /etc/pve -type d -exec chmod 0755 {} + -o -type f -exec chmod 0640 {} +
chmod 0700 /etc/pve/priv

# A hub as far as this test goes: it keeps the last document.
cat >/run/vmtest/hub.py <<-'END'
	import http.server, os
	class Hub(http.server.BaseHTTPRequestHandler):
	    protocol_version = "HTTP/1.1"
	    def do_POST(self):
	        body = self.rfile.read(int(self.headers["Content-Length"]))
	        open("/run/vmtest/document.new", "wb").write(body)
	        os.rename("/run/vmtest/document.new", "/run/vmtest/document")
	        answer = b'{"success": true, "id": "1", "duplicate": false, "reporter": "pve1", "unheard": []}'
	        self.send_response(200)
	        self.send_header("Content-Type", "application/json")
	        self.send_header("Content-Length", str(len(answer)))
	        self.end_headers()
	        self.wfile.write(answer)
	    def log_message(self, *args): pass
	http.server.ThreadingHTTPServer(("127.0.0.1", 8480), Hub).serve_forever()
END
systemd-run -q --unit=hub python3 /run/vmtest/hub.py

# A process that is taken for QEMU, in the scope where Proxmox would have it.
install -m 755 "$ACTOR" /usr/bin/kvm
systemd-run -q --scope --slice=qemu.slice --unit=100 /usr/bin/kvm -id 100 -daemonize </dev/null >/dev/null 2>&1 &

# --- as the package installs it --------------------------------------------------
install -m 755 "$PVEWARDEN" /usr/sbin/pvewarden
cp "$TREE/units/pvewarden-agent.service" /etc/systemd/system/
check "its user" systemd-sysusers "$TREE/units/pvewarden.sysusers"
check "its folders" systemd-tmpfiles --create "$TREE/units/pvewarden.tmpfiles"
systemctl daemon-reload
soon() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	while [ $SECONDS -lt $end ]; do
		"$@" && return 0
		sleep 0.25
	done
	echo "not soon: $*"
	journalctl -q -o cat -n 25 --no-pager -u pvewarden-agent
	return 1
}
says() { jq -e "$1" /run/vmtest/document >/dev/null 2>&1; }
check "a token from stdin, by root" /usr/sbin/pvewarden agent register --token-file - <<<"pvw1.vm.token"
token=/var/lib/pvewarden/agent/hub-token.json
check "is the agent's alone" same "$(stat -c '%U %a' $token)" "pvewarden-agent 600"

check "the unit starts and says that it is ready" timeout 60 systemctl start pvewarden-agent
main=$(systemctl show -P MainPID pvewarden-agent)
field() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$main/status"; }
check "as its own user" same "$(stat -c '%U %G' "/proc/$main")" "pvewarden-agent www-data"
check "without any capability" same "$(field CapBnd) $(field CapEff)" "0000000000000000 0000000000000000"
check "in a sandbox" same "$(field Seccomp) $(field NoNewPrivs)" "2 1"
check "a document arrives" soon 60 says '.schema == "pvewarden.node/1"'
check "in which nothing is missing but the cluster's authority" says '.blind | length <= 1'
check "it is whole" says '.complete and .quorate'
check "with every guest" says '[.guests[].name] == ["web01", "off01", "dns"]'
check "a VM runs whose process the sandbox does not hide" soon 20 says \
	'.guests[] | select(.vmid == 100) | .status == "running"'
check "the others do not" says '[.guests[] | select(.vmid != 100) | .status] == ["stopped", "stopped"]'
check "the host's figures" says '.host | .uptime > 0 and .rootfs.avail > 0 and .memory.total > 0'

# --- who asks --------------------------------------------------------------------
as() { setpriv --reuid="$1" --regid="$2" --clear-groups "${@:3}"; }
status() { as nobody www-data /usr/sbin/pvewarden agent status --format json >/dev/null; }
check "monitoring as group www-data" soon 20 status
as nobody nogroup /usr/sbin/pvewarden agent status >/run/vmtest/said 2>&1
check "others do not know" same $? 3
check "and are told why" grep -q 'group www-data' /run/vmtest/said
check "agent once as the agent's user" as pvewarden-agent www-data /usr/sbin/pvewarden agent once
refuse "the token is nobody else's" as nobody www-data cat $token

# --- orders ----------------------------------------------------------------------
check "reload" systemctl reload pvewarden-agent
check "clean stop" timeout 20 systemctl stop pvewarden-agent
check "without a failure" same "$(systemctl show -P Result pvewarden-agent)" success
systemctl stop 100.scope hub

done_testing
