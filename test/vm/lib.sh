# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Sourced by the scripts in t/: makes disks, volume groups, a Proxmox VE node's
# files and guests' processes, breaks them as other nodes would, runs pvewarden
# and compares its JSON. With STATES_ONLY=1 only the states are made and checked.
# Uses /run/vmtest for everything of its own; teardown_all puts all back.
set -u

V=/run/vmtest
JSON=$V/check.json
mkdir -p $V/img

# --- results -----------------------------------------------------------------

result() { # ok|"not ok" TEXT
	local number
	number=$(($(cat $V/number) + 1))
	echo $number >$V/number
	echo "$1 $number - $NAME: $2"
	[ "$1" = ok ] || echo "$number $2" >>$V/failed
}

diag() { sed 's/^/# /'; }

check() { # TEXT COMMAND...: the command must succeed
	local text=$1
	shift
	if "$@" >$V/check.out 2>&1; then
		result ok "$text"
	else
		result "not ok" "$text"
		{ echo "$*"; tail -n 20 $V/check.out; } | diag
	fi
}

refuse() { # TEXT COMMAND...: the command must fail
	local text=$1
	shift
	if "$@" >$V/check.out 2>&1; then
		result "not ok" "$text"
		{ echo "should have failed: $*"; tail -n 20 $V/check.out; } | diag
	else
		result ok "$text"
	fi
}

must() { # COMMAND...: without it the rest is pointless
	if ! "$@" >$V/must.out 2>&1; then
		result "not ok" "prepare: $*"
		tail -n 20 $V/must.out | diag
		teardown_all
		exit 1
	fi
}

done_testing() {
	teardown_all
	touch $V/done
}

# --- disks and LVM -----------------------------------------------------------

mk_disk() { # NAME SIZE -> device
	truncate -s "$2" "$V/img/$1" && losetup -f --show "$V/img/$1"
}

declare -A cursor=()

mk_vg() { # VG DISK...: extents of 4 MiB
	must vgcreate -q -s 4m "$@"
	cursor[$1]=0
}

pv_of() { # VG -> its first disk
	pvs --noheadings -o pv_name -S "vg_name=\"$1\"" 2>/dev/null | awk '{print $1; exit}'
}

next_extents() { # VG N: sets $extents to N extents nobody had before
	extents=$(pv_of "$1"):${cursor[$1]}-$((${cursor[$1]} + $2 - 1))
	cursor[$1]=$((${cursor[$1]} + $2))
}

# Every LV gets extents of its own, in order, so that what a removed one had is
# not given to the next by chance.
lv_create() { # VG LV [EXTENTS [OPTION...]]: active here, as pvesm alloc does
	local vg=$1 lv=$2 n=${3:-2}
	shift $(($# < 3 ? $# : 3))
	next_extents "$vg" "$n"
	must lvcreate -q -W n -Z n -aly -l "$n" -n "$lv" "$@" "$vg" "$extents"
}

thin_pool() { # VG POOL EXTENTS
	must lvcreate -q -T -Z n -l "$3" --poolmetadatasize 4m "$1/$2"
	cursor[$1]=$((${cursor[$1]} + $3 + 2))
}

# The message to the pool cannot be sent, so lvremove says "failed"; the metadata
# is changed all the same.
thin_remove_behind() { # VG/LV
	lvremove -q -f --driverloaded n "$1" >/dev/null 2>&1
	[ -z "$(lv_field "$1" lv_name)" ] || result "not ok" "prepare: $1 removed behind the back"
}

thin_create() { # VG/POOL LV [SIZE]
	must lvcreate -q -T "$1" -V "${3:-8m}" -n "$2"
}

# LVM that changes metadata and leaves the kernel alone is what "another node did
# it" looks like from here.
behind_back() { # LVM-COMMAND ARGS...
	must "$@" -q --driverloaded n
}

lv_create_behind() { # VG LV [EXTENTS]
	next_extents "$1" "${3:-2}"
	behind_back lvcreate -an -W n -Z n -l "${3:-2}" -n "$2" "$1" "$extents"
}

# A VG of a name that is taken: LVM looks whether the folder in /dev exists.
without_dev() { # VG COMMAND...
	mv "/dev/$1" "/dev/.$1"
	"${@:2}"
	mv "/dev/.$1" "/dev/$1"
}

edit_metadata_behind() { # VG SED-SCRIPT
	must vgcfgbackup -q -f $V/metadata "$1"
	sed -i -E "$2" $V/metadata
	behind_back vgcfgrestore --force --yes -f $V/metadata "$1"
}

mk_partition() { # MAPPING: an MBR with 4096 sectors of type 83 from sector 2048, mapped by kpartx
	printf '\0\0\0\0\203\0\0\0\0\010\0\0\0\020\0\0' |
		must dd of="/dev/mapper/$1" bs=1 seek=446 conv=notrunc status=none
	printf '\125\252' | must dd of="/dev/mapper/$1" bs=1 seek=510 conv=notrunc,fsync status=none
	must kpartx -a -s "/dev/mapper/$1"
}

dm_name() { # VG LV -> mapping's name
	echo "${1//-/--}-${2//-/--}"
}

dm_has() { dmsetup info -c --noheadings -o name "$1"; }
dm_uuid() { dmsetup info -c --noheadings -o uuid "$1"; }
dm_open() { dmsetup info -c --noheadings -o open "$1" | tr -d ' '; }
dm_size() { blockdev --getsz "/dev/mapper/$1"; }
lv_field() { # VG/LV FIELD, without looking at the kernel
	lvs --readonly --noheadings --nosuffix --units s -a -o "$2" "$1" 2>/dev/null | tr -d ' '
}
lv_dm_uuid() { # VG/LV -> the dm uuid LVM would give it
	echo "LVM-$(lv_field "$1" vg_uuid)$(lv_field "$1" lv_uuid)" | sed 's/-//g; s/^LVM/LVM-/'
}
same() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }
differ() { [ "$1" != "$2" ] || { echo "both '$1'"; return 1; }; }

# --- a FlashArray look-alike -------------------------------------------------

lio=/sys/kernel/config/target

mk_array() { # the target in the kernel, once
	must modprobe -a target_core_mod target_core_file tcm_loop sd_mod scsi_dh_alua
	mountpoint -q /sys/kernel/config || must mount -t configfs configfs /sys/kernel/config
	luns=0
}

# A volume, connected here over two paths; sets $sda and $sdb to their kernel names.
mk_lun() { # SERIAL(24 hex digits) SIZE
	local store=$lio/core/fileio_0/v$1 path tpg disk n
	luns=$((luns + 1))
	must mkdir -p "$store"
	truncate -s "$2" "$V/img/$1"
	echo "fd_dev_name=$V/img/$1,fd_dev_size=$(stat -c %s "$V/img/$1")" >"$store/control"
	echo 0x24a937 >"$store/wwn/company_id"
	echo PURE >"$store/wwn/vendor_id"
	echo FlashArray >"$store/wwn/product_id"
	echo "0$1" >"$store/wwn/vpd_unit_serial"
	echo 1 >"$store/enable"
	n=0
	for path in a b; do
		tpg=$lio/loopback/naa.600140500000$(printf '%03d' $luns)$path/tpgt_1
		must mkdir -p "$tpg"
		echo "naa.600140510000$(printf '%03d' $luns)$path" >"$tpg/nexus"
		must mkdir -p "$tpg/lun/lun_0"
		must ln -s "$store" "$tpg/lun/lun_0/port"
	done
	udevadm settle
	sda='' sdb=''
	for _ in $(seq 50); do
		for disk in /sys/block/sd*; do
			[ "$(cat "$disk/device/wwid" 2>/dev/null)" = "naa.624a9370${1,,}" ] || continue
			[ -n "$sda" ] && [ "$sda" != "${disk##*/}" ] && sdb=${disk##*/} || sda=${disk##*/}
		done
		[ -n "$sdb" ] && break
		sleep 0.2
	done
	[ -n "$sdb" ] || result "not ok" "prepare: two paths to volume $1"
}

# The map multipathd would make, with its uuid; no_path_retry is "queue".
mk_multipath() { # SERIAL SDA SDB
	must dmsetup create "3624a9370${1,,}" -u "mpath-3624a9370${1,,}" --table \
		"0 $(blockdev --getsz "/dev/$2") multipath 1 queue_if_no_path 0 1 1 service-time 0 2 1 $(cat "/sys/block/$2/dev") 1 $(cat "/sys/block/$3/dev") 1"
}

paths() { # offline|running SD...
	local state=$1 map sd
	shift
	for sd; do
		echo "$state" >"/sys/block/$sd/device/state"
		for map in "/sys/block/$sd/holders"/dm-*; do
			map=$(cat "$map/dm/name")
			if [ "$state" = offline ]; then
				dmsetup message "$map" 0 "fail_path $(cat "/sys/block/$sd/dev")"
			else
				dmsetup message "$map" 0 "reinstate_path $(cat "/sys/block/$sd/dev")"
			fi
		done
	done
}

teardown_array() {
	local tpg
	[ -d $lio/loopback ] || return
	for tpg in $lio/loopback/naa.*/tpgt_1; do
		rm "$tpg/lun/lun_0/port"
		rmdir "$tpg/lun/lun_0" "$tpg" "${tpg%/*}"
	done
	rmdir $lio/core/fileio_0/v*
} 2>/dev/null

# --- a Proxmox VE node's files -----------------------------------------------

mk_pve() { # NODE [NODE...]: /etc/pve as pmxcfs shows it on the first; one alone: no cluster
	node=$1
	local n i=0 list=
	rm -rf /etc/pve
	mkdir -p /etc/pve/nodes /etc/pve/priv /etc/pve/ha /var/log/pve/tasks /var/run/qemu-server \
		/run/lock/qemu-server /run/lock/lxc /usr/share/perl5/PVE /var/lib/vz/images
	for n; do
		i=$((i + 1))
		mkdir -p "/etc/pve/nodes/$n/qemu-server" "/etc/pve/nodes/$n/lxc"
		list+="${list:+,}
  \"$n\": { \"id\": $i, \"online\": 1, \"ip\": \"10.0.1.1$i\"}"
	done
	ln -s "nodes/$node" /etc/pve/local
	ln -s "nodes/$node/qemu-server" /etc/pve/qemu-server
	ln -s "nodes/$node/lxc" /etc/pve/lxc
	if [ $# -eq 1 ]; then
		printf '{\n"nodename": "%s",\n"version": 0\n}\n' "$node"
	else
		printf '{\n"nodename": "%s",\n"version": 7,\n' "$node"
		printf '"cluster": { "name": "prod", "version": 3, "nodes": %d, "quorate": 1 },\n' $#
		printf '"nodelist": {%s\n  }\n}\n' "$list"
	fi >/etc/pve/.members
	cat >/etc/pve/datacenter.cfg <<-END
		keyboard: en-us
		next-id: lower=100,upper=999
		tag-style: color-map=prod:2e7d32:ffffff
	END
	cat >/usr/share/perl5/PVE/pvecfg.pm <<-'END'
		package PVE::pvecfg;

		use strict;
		use warnings;

		sub package { return 'pve-manager'; }
		sub version { return '8.2.4'; }
		sub release { return '8.2'; }
		sub repoid { return 'faa83925c9641325'; }

		1;
	END
	storage_cfg <<-END
		dir: local
			path /var/lib/vz
			content iso,vztmpl,backup
	END
	[ "$(hostname)" = "$node" ] || hostname "$node"
	pve_index
}

storage_cfg() { # <<-EOF takes the indentation away, which belongs to the format
	sed '/^[a-z]*: /!s/^./\t&/' >/etc/pve/storage.cfg
	chmod 640 /etc/pve/storage.cfg
}

# .vmlist and .version follow from the files, .rrd from what runs.
pve_index() {
	[ -z "${NO_INDEX:-}" ] || return 0
	local f n id type list='' v=0 now
	now=$(date +%s)
	rm -f /etc/pve/.rrd
	for f in /etc/pve/nodes/*/{qemu-server,lxc}/*.conf; do
		[ -e "$f" ] || continue
		n=${f#/etc/pve/nodes/} id=$(basename "$f" .conf) type=qemu v=$((v + 1))
		case $f in */lxc/*) type=lxc ;; esac
		list+="${list:+,}
\"$id\": { \"node\": \"${n%%/*}\", \"type\": \"$type\", \"version\": $((v + 4)) }"
	done
	if [ -n "$list" ]; then
		printf '{\n"version": %d,\n"ids": {%s}\n\n}\n' $((v + 4)) "$list"
	else
		printf '{\n"version": 1\n}\n'
	fi >/etc/pve/.vmlist
	cat >/etc/pve/.version <<-END
		{
		"starttime": 1700000000,
		"clinfo": 7,
		"vmlist": $((v + 4)),
		"storage.cfg": 2,
		"datacenter.cfg": 1,
		"kvstore": {
		"$node": {"tasklist": 3}}
		}
	END
	for n in /etc/pve/nodes/*; do
		n=${n##*/}
		echo "pve2-node/$n:315069::$now:0.45:16:0.0456:0.002:67108864000:12787765235:8589934592:0:234567890000:111111101000:123:456"
		echo "pve2-storage/$n/local:$now:31044079616:17571426304"
	done >/etc/pve/.rrd
	for f in /etc/pve/nodes/*/{qemu-server,lxc}/*.conf; do
		[ ! -e "$f" ] || rrd_guest "$f" "$now"
	done >>/etc/pve/.rrd
	chmod 440 /etc/pve/.members /etc/pve/.vmlist /etc/pve/.version /etc/pve/.rrd
	chgrp -R www-data /etc/pve
}

# pvestatd's line of one guest; those of other nodes run.
rrd_guest() { # CONF NOW
	local id=${1##*/} line='' name='' template=0 state=running pid
	id=${id%.conf}
	while read -r line; do
		case $line in
		name:* | hostname:*) name=${name:-${line#*: }} ;;
		template:*) template=1 state=stopped ;;
		\[*) break ;;
		esac
	done <"$1"
	case $1 in
	*/nodes/$node/qemu-server/*)
		pid=
		[ ! -e /run/qemu-server/$id.pid ] || read -r pid </run/qemu-server/$id.pid
		[ -n "$pid" ] && [ -d "/proc/$pid" ] || state=stopped
		;;
	*/nodes/$node/lxc/*) grep -q "@/var/lib/lxc/$id/command" /proc/net/unix || state=stopped ;;
	esac
	if [ $state = running ]; then
		echo "pve2.3-vm/$id:86400:$name:running:$template:$2:2:0.0105:2147483648:1294967296:8388608:0:1529756162:7750708280:7473739264:15004812"
	else
		echo "pve2.3-vm/$id:0:$name:stopped:$template:$2:2:U:2147483648:U:8388608:0:U:U:U:U"
	fi
}

conf_vm() { # ID [NODE] <<EOF
	cat >"/etc/pve/nodes/${2:-$node}/qemu-server/$1.conf"
	chmod 640 "/etc/pve/nodes/${2:-$node}/qemu-server/$1.conf"
}

conf_ct() { # ID [NODE] <<EOF
	cat >"/etc/pve/nodes/${2:-$node}/lxc/$1.conf"
	chmod 640 "/etc/pve/nodes/${2:-$node}/lxc/$1.conf"
}

# Short form: conf_disk ID KEY=VOLID...
conf_disk() {
	local id=$1 pair
	shift
	{
		printf 'boot: order=scsi0\ncores: 2\nmemory: 2048\nname: vm%s\n' "$id"
		for pair; do
			echo "${pair%%=*}: ${pair#*=},size=8M"
		done
	} | conf_vm "$id"
}

# Without quorum pmxcfs shows everything read-only; what PVE looks at is the mode
# of the link /etc/pve/local, and a real link has always 0777: so a directory.
set_noquorum() {
	rm /etc/pve/local
	mkdir -m 555 /etc/pve/local
	ln -s "../nodes/$node/qemu-server" "../nodes/$node/lxc" /etc/pve/local/
	sed -i 's/"quorate": 1/"quorate": 0/; s/"online": 1/"online": 0/2g' /etc/pve/.members
}

set_quorum() {
	rm -rf /etc/pve/local
	ln -s "nodes/$node" /etc/pve/local
	sed -i 's/"quorate": 0/"quorate": 1/; s/"online": 0/"online": 1/g' /etc/pve/.members
}

# --- processes ---------------------------------------------------------------

actor() { # PROGRAM ARGS...: installs the actor under that name and starts it; sets $actor_pid
	local program=$1 ready=$V/ready.$RANDOM
	cmp -s "$ACTOR" "$program" || install -m 755 "$ACTOR" "$program"
	ACTOR_READY=$ready "$@" </dev/null >$V/actor.out 2>&1 &
	actor_pid=$!
	echo $actor_pid >>$V/pids
	disown
	for _ in $(seq 100); do
		[ -e "$ready" ] && return
		sleep 0.1
	done
	result "not ok" "prepare: $* did not start"
	diag <$V/actor.out
}

paths_of() { # DEVICE... -> the form ACTOR_OPEN wants
	local IFS=:
	echo "$*"
}

fake_running_vm() { # ID [DEVICE...] (INCOMING=tcp:[::]:60000 for a migration's target)
	local id=$1
	shift
	ACTOR_OPEN=$(paths_of "$@") actor /usr/bin/kvm -id "$id" -name "vm$id,debug-threads=on" \
		-chardev "socket,id=qmp,path=/var/run/qemu-server/$id.qmp,server=on,wait=off" \
		-pidfile "/var/run/qemu-server/$id.pid" -daemonize -m 2048 ${INCOMING:+-incoming "$INCOMING" -S}
	echo "$actor_pid" >"/var/run/qemu-server/$id.pid"
}

fake_incoming_vm() { # ID [DEVICE...]
	INCOMING=unix:/run/qemu-server/$1.migrate fake_running_vm "$@"
}

fake_running_ct() { # ID [DEVICE...]
	local id=$1
	shift
	ACTOR_OPEN=$(paths_of "$@") ACTOR_LISTEN=/var/lib/lxc/$id/command \
		actor /usr/bin/lxc-start -F -n "$id"
}

hold_flock() { # FILE
	ACTOR_FLOCK=$1 actor /usr/local/bin/actor
}

vm_lock() { echo "/run/lock/qemu-server/lock-$1.conf"; }
ct_lock() { echo "/run/lock/lxc/pve-config-$1.lock"; }

fake_task() { # TYPE ID: a live worker in Proxmox's list of active tasks
	actor /usr/local/bin/actor
	local start
	start=$(sed 's/.*) //' "/proc/$actor_pid/stat" | cut -d' ' -f20)
	printf 'UPID:%s:%08X:%08X:%08X:%s:%s:root@pam: 0\n' "$node" "$actor_pid" "$start" \
		"$(date +%s)" "$1" "$2" >>/var/log/pve/tasks/active
}

stop_actor() { # PID
	kill -9 "$1" 2>/dev/null
	while [ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; do sleep 0.05; done
	sed -i "/^$1\$/d" $V/pids
}

# --- taking all down ---------------------------------------------------------

teardown_all() {
	local pid m
	while read -r pid; do
		kill -9 "$pid"
	done 2>/dev/null <$V/pids
	sleep 0.2
	swapoff -a 2>/dev/null
	for m in /mnt/vmtest*; do
		[ ! -e "$m" ] || { umount "$m"; rmdir "$m"; }
	done 2>/dev/null
	for m in $(dmsetup info -c --noheadings -S suspended=1 -o name 2>/dev/null); do
		[ "$m" = No ] || dmsetup resume "$m" 2>/dev/null
	done
	for _ in 1 2 3 4 5; do # loops stand on mappings and mappings on loops
		losetup -D
		dmsetup remove_all
		udevadm settle
		[ -z "$(dmsetup ls 2>/dev/null | grep -v 'No devices')" ] && break
		sleep 0.3
	done
	losetup -D
	teardown_array
	rm -rf $V/img $V/pids /etc/pve /run/pvewarden /var/log/pve /run/qemu-server /run/lock/qemu-server \
		/run/lock/lxc /etc/lvm/backup /etc/lvm/archive /var/lib/vz/images /usr/share/perl5/PVE/pvecfg.pm
	cp $V/lvmlocal.conf /etc/lvm/lvmlocal.conf
	for m in "${!cursor[@]}"; do # links of VGs whose folder was put aside
		rm -rf "/dev/$m"
	done
	mkdir -p $V/img
	cursor=()
	m=$(dmsetup ls 2>/dev/null | grep -v 'No devices'; losetup -nl)
	[ -z "$m" ] || { echo "left behind:"; echo "$m"; } | diag
}

# --- pvewarden ---------------------------------------------------------------

# check_json [OPTION...]: one run of `pvewarden dm check`, its JSON in $JSON and
# its exit status in $STATUS, for the expect_ functions below.
check_json() {
	json_from "dm check $*" "$PVEWARDEN" dm check --format json "$@"
}

json_from() { # LABEL COMMAND...
	label=$1
	shift
	pve_index
	udevadm settle
	[ -z "$STATES_ONLY" ] || { echo "# would run: $label"; return; }
	timeout 60 "$@" >$JSON 2>$V/check.err </dev/null
	STATUS=$?
	if ! jq -e '.schema == "pvewarden.dm/1"' $JSON >/dev/null 2>&1; then
		result "not ok" "$label gives a pvewarden.dm/1 document (exit $STATUS)"
		{ head -c 1000 $JSON; head -n 20 $V/check.err; } | diag
		echo '{}' >$JSON
	fi
	cp $JSON "/out/$NAME.$((++checks)).json"
}
checks=0

would() { # in states-only mode: say it and leave
	[ -n "$STATES_ONLY" ] && echo "# would expect: $*"
}

expect() { # TEXT JQ-FILTER [JQ-ARG...]: the filter must give something true
	local text=$1 filter=$2
	shift 2
	would "$text" && return
	if jq -e "$@" "$filter" $JSON >/dev/null 2>$V/jq.err; then
		result ok "$text"
	else
		result "not ok" "$text"
		{ echo "in '$label': $filter $*"; cat $V/jq.err; } | diag
		return 1
	fi
}

expect_exit() { # STATUS
	would "exit status $1" && return
	if [ "$STATUS" -eq "$1" ]; then
		result ok "$label: exit status $1"
	else
		result "not ok" "$label: exit status $STATUS, not $1"
		{ jq -c '{answer, blind, summary}' $JSON; cat $V/check.err; } 2>&1 | diag
	fi
}

expect_class() { # NAME CLASS SEVERITY [JQ-CONDITION on the finding]
	expect "$1 is $2, $3${4:+, $4}" \
		"[.findings[]? | select(.name == \$n)] | length == 1 and (.[0] | .class == \$c and .severity == \$s and (${4:-true}))" \
		--arg n "$1" --arg c "$2" --arg s "$3" ||
		jq -c --arg n "$1" '[.findings[]?, .mappings[]? | select(.name == $n)]' $JSON | diag
}

expect_no_finding() { # NAME [CLASS, default ok; needs --all]
	expect "$1 is ${2:-ok}, no finding" \
		'([.findings[]? | select(.name == $n)] | length == 0) and ([.mappings[]? | select(.name == $n)] | length == 1 and .[0].class == $c)' \
		--arg n "$1" --arg c "${2:-ok}" ||
		jq -c --arg n "$1" '[.findings[]?, .mappings[]? | select(.name == $n)]' $JSON | diag
}

expect_field() { # NAME JQ-PATH JSON-VALUE, of the finding
	expect "$1: $2 is $3" \
		".findings[]? | select(.name == \$n) | $2 == \$v" --arg n "$1" --argjson v "$3" ||
		jq -c --arg n "$1" '.findings[]? | select(.name == $n)' $JSON | diag
}

rm -f $V/failed $V/done
trap 'exit 1' TERM
