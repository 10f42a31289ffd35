# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# In the virtual machine: 1,000 real mappings, the whole check (LVM's report and Proxmox' files read
# from a recorded node) against the bare program that only asks for list, info, deps and table.
# shellcheck source=../test/vm/lib.sh
. "$TREE/test/vm/lib.sh"
bench=$(dirname "$PVEWARDEN")/bench

# A thousand devices keep udev's rules busy for minutes, and nobody here wants the links.
udevadm control --exit
export DM_DISABLE_UDEV=1
udevadm() { :; }

mappings=1000
disk=$(mk_disk bench 8g)
device=$(printf '%d:%d' 0x"$(stat -c %t "$disk")" 0x"$(stat -c %T "$disk")")
must python3 "$TREE/bench/mknode" $mappings $V/node --thick --extents 1 --device "$device"
awk '$1 == "name" { name = $2 } $1 == "uuid" { uuid = $2 }
	$1 == "target" { sub(/^target /, ""); printf "%s%s,%s,,rw,%s", sep, name, uuid, $0; sep = ";" }' \
	$V/node/capture/dm.txt >$V/concise
must dmsetup create --concise "$(cat $V/concise)"
check "$mappings real mappings" same "$(dmsetup ls | grep -c vm--)" $mappings
check "all of them well" same "$("$bench/bench_live" $V/node)" "$mappings devices, $mappings ok"

best() { # COMMAND...: the best of ten, in microseconds
	local least=999999999 from to
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		from=${EPOCHREALTIME/./}
		"$@" >/dev/null
		to=${EPOCHREALTIME/./}
		[ $((to - from)) -ge $least ] || least=$((to - from))
	done
	echo $least
}

bare=$(best "$bench/bench_bare")
ours=$(best "$bench/bench_live" $V/node)
echo "# bench: bare $bare us, whole check $ours us, ratio $((ours * 100 / bare)) %"
check "at most 1.5 times the bare program" [ $((ours * 2)) -le $((bare * 3)) ]
done_testing
