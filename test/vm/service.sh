# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Sourced behind array.sh: the simulated arrays with LIO or nvmet behind them, storages on them, and
# Proxmox' adapter under perl -T, which asks the array service.

# --- the arrays --------------------------------------------------------------

sections() { # PROTOCOL: a volume group on the first array, a pod over both
	local fa1=http://127.0.0.1:7001 fa2=http://127.0.0.1:7002
	storage_cfg <<-END
		purestorage: vg
		address $fa1
		token fa1-token
		vgname vg
		protocol $1
		check_ssl 0
		content images

		purestorage: pod
		address $fa1,$fa2
		token fa1-token,fa2-token
		podname pod
		protocol $1
		check_ssl 0
		content images
	END
	SECTIONS="vg address=$fa1 token=fa1-token vgname=vg protocol=$1;"
	SECTIONS+="pod address=$fa1,$fa2 token=fa1-token,fa2-token podname=pod protocol=$1"
	export SECTIONS
}
control() { curl -sS -f "http://127.0.0.1:7000/$1" ${2:+-d "$2"} >$V/control; }
rest() { # ARRAY METHOD PATH ARGS [BODY]
	control rest "{\"array\":\"$1\",\"method\":\"$2\",\"path\":\"$3\",\"args\":{$4},\"body\":${5:-null}}" &&
		grep -q '^{"status":200' $V/control
}
simulator() { # OPTION...
	"$ARRAYSIM" --array fa1=7001 --array fa2=7002 --control 7000 "$@" >$V/sim.out 2>$V/sim.err &
	sim=$!
	until_true 20 grep -q ^ready $V/sim.out || result "not ok" "prepare: the simulator"
}
simulator_end() {
	kill $sim && wait $sim && same "$(cat $V/sim.err)" ""
}
hosts() { # KIND NAME
	local host="\"hosts\":[{\"name\":\"pve1\",\"$1\":[\"$2\"]}]"
	must control make "{\"array\":\"fa1\",$host,\"volume_groups\":[\"vg\"],\"pods\":[{\"name\":\"pod\",\"arrays\":[\"fa2\"]}]}"
	must control make "{\"array\":\"fa2\",$host}"
}

store_of() { echo "$V/volumes/$1.img"; } # SERIAL: what the array has of it

# --- the program -------------------------------------------------------------

array() { # what it says is shown when a check fails
	local status
	timeout 100 "$PVEWARDEN" array "$@" >$V/text 2>&1
	status=$?
	cat $V/text
	return $status
}
reads() { grep -q -- "$1" $V/text || { cat $V/text; return 1; }; }
exits() { # STATUS COMMAND...
	local status=$1
	shift
	"$@"
	same $? "$status"
}
registered() { jq -r '.entries[].volname' /var/lib/pvewarden/array/registry.json 2>/dev/null | tr '\n' ' '; }

# --- Proxmox -----------------------------------------------------------------

adapter_start() {
	rm -f $V/ask $V/told
	mkfifo $V/ask $V/told
	(cd "$TREE" && exec perl -T test/vm/adapter.pl $V/ask $V/told) 2>>$V/adapter.err &
	adapter=$!
	exec 8>$V/ask 9<$V/told
}
adapter_end() {
	exec 8>&- 9<&-
	wait $adapter
}
pve() { # STORAGE METHOD ARG...: what comes back is in $reply
	local line
	echo "$*" >&8
	read -r -t 120 line <&9 || line="no answer of the adapter"
	reply=${line#* }
	echo "$line"
	[ "${line%% *}" = ok ]
}
returns() { # TEXT COMMAND...
	local text=$1
	shift
	"$@" && same "$reply" "$text"
}
refused_with() { # WORDS COMMAND...
	local words=$1
	shift
	"$@" && return 1
	[[ $reply == *$words* ]]
}

where() { # STORAGE VOLUME [SNAP]: its link
	pve "$1" path "$2" "${3:--}" >/dev/null && echo "$reply"
}
serial_of() { # LINK
	sed 's/.*624a9370//' <<<"$1" | tr a-f A-F
}
write_word() { printf '%-4096s' "$2" | dd "of=$1" bs=4096 seek=1 oflag=direct conv=notrunc; }
# A read that waits for ever is told with all that the kernel and the daemons say of its device.
has_word() {
	local said
	timeout -k 5 60 dd "if=$1" of=$V/read bs=4096 count=1 skip=1 2>/dev/null
	[ $? -lt 124 ] || waiting_for "$1" 2>&1 | diag >/dev/console
	said=$(head -c "${#2}" $V/read)
	rm -f $V/read
	same "$said" "$2"
}
sized() { same "$(blockdev --getsize64 "$1")" "$2"; }
