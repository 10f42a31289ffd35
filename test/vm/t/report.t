# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# The report of a live node: the host's figures come from this kernel, no program is
# started for them, and what was found is published where other programs look for it.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

published=/run/pvewarden/dm/dm.json

is_published() { # WHAT
	would "$1 is published" && return
	check "$1 is published: root and a group may read it" same "$(stat -c '%a %U' $published)" "640 root"
	check "$1 is published as it was printed" same "$(jq -S 'del(.time, .host)' $published)" \
		"$(jq -S 'del(.time, .host)' $JSON)"
}

programs() { # how many a report started beside itself
	strace -f --seccomp-bpf -qq -e trace=execve -e signal=none -o $V/strace \
		"$PVEWARDEN" dm report --html=$V/report.html --prometheus=$V/report.prom
	echo $(($(grep -Ec 'execve(\(| resumed).* = 0$' $V/strace) - 1))
}

mk_pve pve1
storage_cfg <<-END
	lvm: thick
		vgname vg_report
END
mk_vg vg_report "$(mk_disk report 64m)"
conf_disk 401 scsi0=thick:vm-401-disk-0
lv_create vg_report vm-401-disk-0
lv_create vg_report vm-402-disk-0
behind_back lvremove -f vg_report/vm-402-disk-0
fake_running_vm 401 /dev/vg_report/vm-401-disk-0

json_from "dm report" "$PVEWARDEN" dm report --format json
expect_exit 1
expect_class vg_report-vm--402--disk--0 ghost warning
expect "memory, load and uptime are this machine's" \
	'.host.memory.total > 1e8 and .host.memory.used > 0 and .host.cpu.load1 != null and .host.uptime > 0'
expect "processor use was measured" '.host.cpu.percent >= 0 and .host.cpu.percent <= 100'
expect "the host is graded" '.host_grade != null and .host_score > 0'
expect "the root file system" '.host.root.total > 0 and .host.var.total > 0'
expect "the volume group's room" \
	'.host.volume_groups[] | select(.name == "vg_report") | .size == 62914560 and .free == 54525952' ||
	jq -c .host.volume_groups $JSON | diag
is_published "the report"

json_from "dm check" "$PVEWARDEN" dm check --format json
is_published "a check"
[ -n "$STATES_ONLY" ] || check "a report starts lvm, twice with findings, and nothing else" same "$(programs)" 2
[ -n "$STATES_ONLY" ] || check "and leaves its files" test -s $V/report.html -a -s $V/report.prom

# --- as a mail, to a server on this machine -----------------------------------
if [ -z "$STATES_ONLY" ]; then
	/usr/bin/python3 -m aiosmtpd -n -c aiosmtpd.handlers.Debugging -l 127.0.0.1:2525 >$V/mails 2>&1 &
	echo $! >>$V/pids
	disown
	for _ in $(seq 100); do (: </dev/tcp/127.0.0.1/2525) 2>/dev/null && break; sleep 0.2; done
	mkdir -p /etc/pvewarden
	printf '[mail]\nto = ops@example.com\nfrom = pve1@example.com\nsmtp_server = 127.0.0.1\nsmtp_port = 2525\nsmtp_security = none\n' \
		>/etc/pvewarden/pvewarden.conf
	check "the report is sent" "$PVEWARDEN" dm report --mail
	check "its subject says host, answer, grades and counts" grep -Eq \
		'^Subject: \[pve1\] WARNING: .*1 orphan.*grade' $V/mails
	check "with text, page and document" same \
		"$(grep -cE '^Content-Type: (text/plain|text/html|application/json)' $V/mails)" 3
	sed -i 's/2525/2526/' /etc/pvewarden/pvewarden.conf
	"$PVEWARDEN" dm report --mail 2>$V/mail.err
	check "not sent: exit status 75" same $? 75
	check "it says where the report is kept" grep -q 'kept in /var/lib/pvewarden/dm/outbox/' $V/mail.err
	check "with the page in it" test -s /var/lib/pvewarden/dm/outbox/*/report.html
	rm /etc/pvewarden/pvewarden.conf
	"$PVEWARDEN" dm report --mail 2>$V/mail.err
	check "no recipient: it says where to write what" grep -q 'to = in \[mail\]' $V/mail.err
fi

done_testing
