# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Needs systemd as process 1.
#
# The watch as its unit runs it: sandboxed itself, while the guests that it starts
# inherit nothing of that; a stop of the service does not cut a restart in half, and
# the next start finishes it; the journal has fields; a hanging supervisor is replaced.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

mk_pve pve1
conf_vm 100 <<-END
	name: web01
	memory: 512
END
pve_index
mkdir -p /etc/pve/mvmm /var/lib/pvewarden /var/log/pve/tasks
cat >/etc/pve/mvmm/mvmm.conf <<-END
	check_interval=1
	fail_interval=1
	fail_threshold=3
	wait_interval=5
	boot_time=5
	budget=20/1h
END
printf 'name=web\nip=127.0.0.1\nportsall=8100\n' >/etc/pve/mvmm/100.conf
install -m 755 "$ACTOR" /usr/bin/kvm

# Proxmox' command as far as this test goes: it starts and ends a process that is taken for QEMU.
cat >/usr/sbin/qm <<-'END'
	#!/bin/bash
	echo "$(cut -d' ' -f1 /proc/uptime) $*" >>/run/vmtest/calls
	pid=$(cat /var/run/qemu-server/$2.pid 2>/dev/null)
	case $1 in
	start)
		ACTOR_READY=/run/vmtest/ready /usr/bin/kvm -id $2 -pidfile /var/run/qemu-server/$2.pid -daemonize \
			</dev/null >/dev/null 2>&1 &
		echo $! >/var/run/qemu-server/$2.pid
		;;
	shutdown)
		sleep "$(cat /run/vmtest/slow 2>/dev/null || echo 0)"
		kill -9 $pid
		rm -f /var/run/qemu-server/$2.pid
		;;
	stop) kill -9 $pid; rm -f /var/run/qemu-server/$2.pid ;;
	esac
END
chmod 755 /usr/sbin/qm
mkdir -p /run/qemu-server
[ -e /var/run ] || ln -s /run /var/run

# QMP of a QEMU that says that it runs.
cat >/run/vmtest/qmp.py <<-'END'
	import os, socket
	path = "/run/qemu-server/100.qmp"
	s = socket.socket(socket.AF_UNIX)
	s.bind(path)
	s.listen(1)
	while True:
	    c = s.accept()[0]
	    try:
	        c.sendall(b'{"QMP": {"version": {}, "capabilities": []}}\r\n')
	        while data := c.recv(4096):
	            for line in data.splitlines():
	                import json
	                q = json.loads(line)
	                r = {"status": "running", "running": True} if q["execute"] == "query-status" else {}
	                c.sendall(json.dumps({"return": r, "id": q.get("id")}).encode() + b"\r\n")
	    except OSError:
	        pass
	    c.close()
END
systemd-run -q --unit=qmp python3 /run/vmtest/qmp.py

# --- as the package installs it --------------------------------------------------
install -m 755 "$PVEWARDEN" /usr/sbin/pvewarden
mkdir -p /etc/systemd/system/pvewarden-watch.service.d
cp "$TREE/units/pvewarden-watch.service" /etc/systemd/system/
printf '[Service]\nWatchdogSec=10\n' >/etc/systemd/system/pvewarden-watch.service.d/test.conf
check "its user" systemd-sysusers "$TREE/units/pvewarden.sysusers"
systemctl daemon-reload
conf_get() { systemctl show -P "$1" pvewarden-watch.service; }
guest_pid() { cat /run/qemu-server/100.pid 2>/dev/null; }
state_of() { jq -r '.guests[] | select(.vmid == 100) | .state' /run/pvewarden/watch/watch.json 2>/dev/null; }
soon() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	while [ $SECONDS -lt $end ]; do
		"$@" && return 0
		sleep 0.25
	done
	echo "not soon: $*; state '$(state_of)'; calls: $(cat /run/vmtest/calls 2>/dev/null)"
	journalctl -q -o cat -n 25 --no-pager
	return 1
}
calls() { [ "$(grep -c " $1 " /run/vmtest/calls 2>/dev/null)" -ge "$2" ]; }

systemd-run -q --unit=listener python3 -m http.server -b 127.0.0.1 8100
systemd-run -q --unit=first --property=Type=oneshot --property=KillMode=process /usr/sbin/qm start 100
first=$(guest_pid)
check "the unit starts and says that it is ready" timeout 60 systemctl start pvewarden-watch
check "active" same "$(conf_get ActiveState)" active
is() { [ "$(state_of)" = "$1" ]; }
check "the guest serves" soon 60 is serving
main=$(conf_get MainPID)
field() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
check "the supervisor is sandboxed" same "$(field "$main" Seccomp) $(field "$main" NoNewPrivs)" "2 1"
prober=$(pgrep -P "$main" -u pvewarden-watch | head -n1)
check "a monitor runs as pvewarden-watch" test -n "$prober"
check "without any capability" same "$(field "$prober" CapBnd) $(field "$prober" CapEff)" \
	"0000000000000000 0000000000000000"

# --- a guest that fails ----------------------------------------------------------
systemctl stop listener
check "shut down and started again" soon 60 calls start 2
refuse "the first one is gone" test -e "/proc/$first"
check "another one runs" soon 20 test -e "/proc/$(guest_pid)"
new=$(guest_pid)
for what in Seccomp NoNewPrivs CapBnd CapEff CapInh; do
	check "its $what is init's" same "$(field "$new" $what)" "$(field 1 $what)"
done
for ns in mnt net pid ipc uts user cgroup; do
	check "its $ns namespace is init's" same "$(readlink "/proc/$new/ns/$ns")" "$(readlink /proc/1/ns/$ns)"
done
check "the journal knows it by its id" grep -q web <(journalctl -q --no-pager PVEWARDEN_VMID=100 -o cat)

# --- the service is stopped in the middle of a restart -----------------------------
echo 6 >/run/vmtest/slow
n=$(grep -c ' shutdown ' /run/vmtest/calls)
check "the next shutdown begins" soon 120 calls shutdown $((n + 1))
starts=$(grep -c ' start ' /run/vmtest/calls)
check "it ends within its minute" timeout 80 systemctl stop pvewarden-watch
check "not before the guest was started" same "$(grep -c ' start ' /run/vmtest/calls)" $((starts + 1))

# --- and killed there, with all of its processes -----------------------------------
check "the service comes back" timeout 60 systemctl start pvewarden-watch
n=$(grep -c ' shutdown ' /run/vmtest/calls)
check "another shutdown begins" soon 200 calls shutdown $((n + 1))
starts=$(grep -c ' start ' /run/vmtest/calls)
systemctl kill -s KILL --kill-whom=all pvewarden-watch
check "the shutdown goes on" test -e "/proc/$(guest_pid)"
rm -f /run/vmtest/slow
check "and the guest is started" soon 90 calls start $((starts + 1))
check "once" same "$(grep -c ' start ' /run/vmtest/calls)" $((starts + 1))

# --- a supervisor that hangs -----------------------------------------------------
main=$(conf_get MainPID)
kill -STOP "$main"
another() { [ "$(conf_get MainPID)" != "$main" ] && [ "$(conf_get ActiveState)" = active ]; }
check "is replaced by systemd's watchdog" soon 60 another
check "reload" systemctl reload pvewarden-watch
check "clean stop" timeout 10 systemctl stop pvewarden-watch
check "without a failure" same "$(conf_get Result)" success
refuse "no monitor is left" pgrep -u pvewarden-watch
kill -9 "$(guest_pid)" 2>/dev/null

done_testing
