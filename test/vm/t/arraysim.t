# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# The simulated arrays' backends: what is connected by REST appears at a real
# initiator, over iSCSI from LIO and over NVMe/TCP from nvmet.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

out=$V/sim.out

rest() { # ARRAY METHOD PATH ARGS [BODY]: $V/reply; only 200 is fine
	curl -sf "http://127.0.0.1:$control/rest" \
		-d "{\"array\":\"$1\",\"method\":\"$2\",\"path\":\"$3\",\"args\":{$4},\"body\":${5:-null}}" >$V/reply
	cat $V/reply
	grep -q '^{"status":200' $V/reply
}
member() { # KEY: the first such text of the last reply
	grep -o "\"$1\":\"[^\"]*\"" $V/reply | head -n1 | cut -d'"' -f4
}

start() { # OPTION...
	"$ARRAYSIM" --array fa1=0 --array fa2=0 --control 0 "$@" >$out 2>$V/sim.err &
	sim=$!
	until_true 10 grep -q control= $out
	control=$(sed 's/.*control=//' $out)
}
stop() {
	kill "$sim" && wait "$sim"
}

until_true() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	while [ $SECONDS -lt $end ]; do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	"$@"
}
is() { [ "$1" = "$2" ] || { echo "\"$1\", not \"$2\""; return 1; }; }
bytes_of() { blockdev --getsize64 "$1"; }
word() { dd "if=$1" bs=4096 count=1 skip=1 iflag=direct 2>/dev/null | head -c 3; }
write_word() { printf '%-4096s' "$2" | dd "of=$1" bs=4096 seek=1 oflag=direct conv=notrunc; }

volumes() { # make a pod over both arrays, a host on each, two volumes
	must curl -sf "http://127.0.0.1:$control/make" -d "[
		{\"array\":\"fa1\",\"pods\":[{\"name\":\"p\",\"arrays\":[\"fa1\",\"fa2\"]}],
		 \"volumes\":[{\"name\":\"own\",\"provisioned\":67108864},{\"name\":\"p::both\",\"provisioned\":67108864}],
		 \"hosts\":[{\"name\":\"pve1\",\"$1\":[\"$2\"]}]},
		{\"array\":\"fa2\",\"hosts\":[{\"name\":\"pve1\",\"$1\":[\"$2\"]}]}]"
}
connect() { rest "$1" POST connections "\"host_names\":\"pve1\",\"volume_names\":\"$2\""; }
disconnect() { rest "$1" DELETE connections "\"host_names\":\"pve1\",\"volume_names\":\"$2\""; }

# --- iSCSI -------------------------------------------------------------------

initiator=iqn.1993-08.org.debian:01:pve1
sds() { # SERIAL: disks with its wwid
	local wwid
	for wwid in /sys/block/sd*/device/wwid; do
		grep -qs "^naa.624a9370${1,,}$" "$wwid" && echo "/dev/$(echo "$wwid" | cut -d/ -f4)"
	done
}
count() { is "$(sds "$1" | wc -l)" "$2"; }
scan() {
	local host
	for host in /sys/class/iscsi_host/host*; do
		echo "- - -" >"/sys/class/scsi_host/$(basename "$host")/scan"
	done
}
drop() { # DISK
	echo 1 >"/sys/block/$(basename "$1")/device/delete"
}

must modprobe -a target_core_mod target_core_file iscsi_target_mod iscsi_tcp sd_mod nvmet nvmet_tcp nvme_tcp
mountpoint -q /sys/kernel/config || must mount -t configfs configfs /sys/kernel/config
start --backend lio $V/img --portal fa1=127.0.0.1:3260 --portal fa1=127.0.0.2:3260 --portal fa2=127.0.0.3:3260
volumes iqns $initiator
mkdir -p /etc/iscsi /run/lock/iscsi
echo "InitiatorName=$initiator" >/etc/iscsi/initiatorname.iscsi
echo "node.session.scan = manual" >/etc/iscsi/iscsid.conf
rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets
iscsid >$V/iscsid.out 2>&1
for address in 127.0.0.1 127.0.0.3; do
	must iscsiadm -m discovery -t sendtargets -p $address
done
check "a host logs in before anything is connected" iscsiadm -m node -l
check "to all portals" is "$(ls /sys/class/iscsi_session | wc -l)" 3

must connect fa1 own
must connect fa1 p::both
must rest fa1 GET volumes '"names":"own"'
own=$(member serial)
must rest fa1 GET volumes '"names":"p::both"'
both=$(member serial)
scan
check "a connected volume is a disk on each path" until_true 10 count "$own" 2
disk=$(sds "$own" | head -n1)
check "with the array's name" grep -q PURE "/sys/block/$(basename "$disk")/device/vendor"
check "at the LUN that was told" is "$(readlink "/sys/block/$(basename "$disk")/device" | sed 's/.*://')" 1
check "of its size" is "$(bytes_of "$disk")" 67108864
check "what is connected to one array has its paths only" count "$both" 2
must connect fa2 p::both
scan
check "the other array's are one more" until_true 10 count "$both" 3

check "it can be written" write_word "$disk" one
must rest fa1 POST volume-snapshots '"source_names":"own"' '{"suffix":"s"}'
check "and written again" write_word "$disk" two
check "which is read" is "$(word "$disk")" two
must rest fa1 POST volumes '"names":"own","overwrite":"true"' '{"source":{"name":"own.s"}}'
check "after a rollback the old content is read" is "$(word "$disk")" one

must rest fa1 PATCH volumes '"names":"own"' '{"provisioned":134217728}'
echo 1 >"/sys/block/$(basename "$disk")/device/rescan"
check "a resize is seen by a rescan" is "$(bytes_of "$disk")" 134217728

for disk in $(sds "$own"); do
	drop "$disk"
done
must disconnect fa1 own
scan
check "disconnected it does not come back" count "$own" 0
must disconnect fa1 p::both
for disk in $(sds "$both"); do
	drop "$disk"
done
scan
check "the other array still shows its own" until_true 10 count "$both" 1
for disk in $(sds "$both"); do
	drop "$disk"
done
iscsiadm -m node -u >/dev/null 2>&1
iscsiadm -k 0
check "the simulator ends" stop
check "without a complaint" is "$(cat $V/sim.err)" ""
check "and takes its targets with it" is "$(ls /sys/kernel/config/target/iscsi /sys/kernel/config/target/core/fileio_0 | grep -cE '^(iqn|v[0-9A-F])')" 0

# --- NVMe over TCP -----------------------------------------------------------

nqn=nqn.2014-08.org.nvmexpress:uuid:11111111-2222-3333-4444-555555555555
spaces() { # SERIAL: namespaces with its NGUID; nvme0c1n1 is one path to nvme0n1
	local nguid=00${1:0:14}24a937${1:14:10} file
	nguid=${nguid,,}
	for file in $(grep -lE "^${nguid:0:8}-?${nguid:8:4}-?${nguid:12:4}-?${nguid:16:4}-?${nguid:20}" \
		/sys/block/nvme*/nguid 2>/dev/null); do
		[[ $file =~ nvme[0-9]+n[0-9]+/ ]] && echo "/dev/$(basename "$(dirname "$file")")"
	done
}
some() { is "$(spaces "$1" | wc -l)" "$2"; }
sized() { is "$(bytes_of "$1")" "$2"; }

start --backend nvmet $V/img --nvme fa1=127.0.0.1:4420 --nvme fa1=127.0.0.2:4420
volumes nqns $nqn
for address in 127.0.0.1 127.0.0.2; do
	must sh -c "echo 'transport=tcp,traddr=$address,trsvcid=4420,nqn=nqn.2010-06.com.purestorage:flasharray.fa1,hostnqn=$nqn,hostid=11111111-2222-3333-4444-555555555555' >/dev/nvme-fabrics"
done
check "a host connects before there is anything" is "$(ls /sys/class/nvme | wc -l)" 2
must connect fa1 own
must rest fa1 GET volumes '"names":"own"'
own=$(member serial)
check "a connected volume is one namespace over both ports" until_true 10 some "$own" 1
disk=$(spaces "$own")
check "of its size" is "$(bytes_of "$disk")" 67108864
check "it can be written" write_word "$disk" one
must rest fa1 PATCH volumes '"names":"own"' '{"provisioned":134217728}'
check "a resize is seen by itself" until_true 10 sized "$disk" 134217728
must disconnect fa1 own
check "disconnected it goes by itself" until_true 10 some "$own" 0
for controller in /sys/class/nvme/nvme*; do
	echo 1 >"$controller/delete_controller"
done
check "the simulator ends" stop
check "without a complaint" is "$(cat $V/sim.err)" ""
check "and takes its subsystem with it" is "$(ls /sys/kernel/config/nvmet/subsystems /sys/kernel/config/nvmet/ports | grep -cE 'nqn|^[0-9]')" 0
done_testing
