# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# What a check costs: one process started on a clean node, two when there is
# something to report, however many mappings there are.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

# VG of COUNT LVs made by writing its metadata, and their mappings in one process.
big_vg() { # VG COUNT
	local vg=$1 i vg_id id
	vg_id=$(vgs --noheadings -o vg_uuid "$vg" | tr -d ' ')
	must vgcfgbackup -q -f $V/metadata "$vg"
	sed -i '$d' $V/metadata # the VG's closing brace
	while [ "$(tail -n1 $V/metadata)" != "	}" ]; do sed -i '$d' $V/metadata; done
	{
		cat $V/metadata
		echo "logical_volumes {"
		for ((i = 0; i < $2; i++)); do
			id=$(printf 'aaaaaa-bbbb-cccc-dddd-eeee-%04d-%06d' $i "$2")
			cat <<-END
				vm-501-disk-$i {
				id = "$id"
				status = ["READ", "WRITE", "VISIBLE"]
				flags = []
				segment_count = 1
				segment1 {
				start_extent = 0
				extent_count = 1
				type = "striped"
				stripe_count = 1
				stripes = ["pv0", $i]
				}
				}
			END
			printf '%s-vm--501--disk--%d,LVM-%s%s,,rw,0 8192 linear %s %d\n' "$vg" $i "${vg_id//-/}" \
				"${id//-/}" "$disk" $((2048 + i * 8192)) >&3
		done
		echo "} }"
	} >$V/metadata.big 3>$V/concise
	behind_back vgcfgrestore --force --yes -f $V/metadata.big "$vg"
	must dmsetup create --concise "$(paste -sd';' $V/concise)"
	check "$2 mappings" same "$(dmsetup ls | grep -c "^$vg-vm--501")" "$2"
	check "and LVM knows them by these uuids" same "$(lv_field "$vg/vm-501-disk-7" lv_uuid)" \
		"$(printf 'aaaaaa-bbbb-cccc-dddd-eeee-0007-%06d' "$2")"
}

programs() { # TEXT COUNT: programs started by a check
	if [ -n "$STATES_ONLY" ]; then
		would "$1: $2 started"
		return
	fi
	pve_index
	strace -f --seccomp-bpf -qq -e trace=execve,fork,vfork,clone,clone3 -e signal=none -o $V/strace \
		"$PVEWARDEN" dm check --min-age 0 --format json >$JSON 2>$V/check.err
	STATUS=$? label=$1
	cp $V/strace "/out/$NAME.strace"
	# the first is pvewarden itself
	check "$1: $2 program(s) started" same \
		"$(grep -Ec 'execve(\(| resumed).* = 0$' $V/strace)" $(($2 + 1))
	check "$1: $2 process(es)" same \
		"$(grep -E '(fork|clone3?)(\(| resumed).* = [0-9]+$' $V/strace | grep -vc CLONE_THREAD)" "$2"
}

# 300 devices keep udev's rules busy for a minute, and nobody here wants the links.
udevadm control --exit
export DM_DISABLE_UDEV=1
udevadm() { :; }

for count in 10 300; do
	mk_pve pve1 # alone: .members says nothing of a cluster
	storage_cfg <<-END
		lvm: thick
			vgname vg_big
	END
	disk=$(mk_disk big 2g)
	mk_vg vg_big "$disk"
	big_vg vg_big $count
	for ((i = 0; i < count; i++)); do # a guest has at most 256 of these
		[ $((i % 200)) -ne 0 ] || echo "name: big" >"/etc/pve/qemu-server/$((501 + i / 200)).conf"
		echo "unused$((i % 200)): thick:vm-501-disk-$i" >>"/etc/pve/qemu-server/$((501 + i / 200)).conf"
	done
	fake_running_vm 501
	fake_running_vm 502
	programs "clean, $count mappings" 1
	expect_exit 0
	expect "a standalone node" '.environment | tostring | test("standalone")'
	expect "clean" '.summary.guest_mappings == $n and .findings == []' --argjson n $count
	must dmsetup create "vg_big-vm--555--disk--0" -u "$(dm_uuid vg_big-vm--501--disk--0 | sed 's/......$/zzzzzz/')" \
		--table "0 8192 linear $disk $((2048 + 400 * 8192))"
	programs "one ghost among $count mappings" 2
	expect_exit 1
	expect_class vg_big-vm--555--disk--0 ghost warning
	teardown_all
done

unset -f udevadm
unset DM_DISABLE_UDEV
/usr/lib/systemd/systemd-udevd --daemon
done_testing
