# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# What stands on top of a guest's mapping: partitions, a nested VG of the same
# name, and everything that can hold a device open.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

mk_pve pve1 pve2
storage_cfg <<-END
	lvm: thick
		vgname pve
END
mk_vg pve "$(mk_disk pve 1g)"
pve() { dm_name pve "vm-$1-disk-0"; }

partitions() { # ID: one partition on its disk, mapped
	mk_partition "$(pve "$1")"
	check "partition of $1" dm_has "$(pve "$1")p1"
	check "and its uuid" same "$(dm_uuid "$(pve "$1")p1")" "part1-$(dm_uuid "$(pve "$1")")"
}

for id in 301 302 303 304 310 311 312 313 314; do
	lv_create pve vm-$id-disk-0 4
done
conf_disk 301 scsi0=thick:vm-301-disk-0
conf_disk 303 scsi0=thick:vm-303-disk-0
partitions 301
partitions 302

# A nested Proxmox guest: its own VG is called pve too, and the host activated it.
for id in 303 304; do
	inner="/dev/mapper/$(pve $id)"
	without_dev pve must vgcreate -q -s 1m --config 'devices { scan_lvs = 1 }' --devices "$inner" pve "$inner"
	[ $id = 303 ] && lv=vm-900-disk-0 || lv=vm-901-disk-0
	must lvcreate -q -W n -Z n --config 'devices { scan_lvs = 1 }' --devices "$inner" -l 2 -n $lv pve
	check "LV of the inner VG on $id" dm_has "$(dm_name pve $lv)"
done
check "two VGs called pve" differ "$(dm_uuid "$(pve 900)" | cut -c1-36)" "$(dm_uuid "$(pve 301)" | cut -c1-36)"
fake_running_vm 301
fake_running_vm 303

# Held open, each in another way.
actor_open() { ACTOR_OPEN=$1 actor /usr/local/bin/actor; }
actor_open "/dev/mapper/$(pve 310)"
holder=$actor_pid
must mkfs.ext4 -q "/dev/mapper/$(pve 311)"
mkdir -p "/mnt/vmtest 311"
must mount "/dev/mapper/$(pve 311)" "/mnt/vmtest 311"
must mkswap "/dev/mapper/$(pve 312)"
must swapon "/dev/mapper/$(pve 312)"
loop=$(losetup -f --show "/dev/mapper/$(pve 313)")
must dmsetup create stacked --table "0 2048 linear /dev/mapper/$(pve 314) 0"
for id in 310 311 312 313 314; do
	check "$id is open" differ "$(dm_open "$(pve $id)")" 0
done

# Everything except 301 and 303 is removed by another node.
for id in 302 304 310 311 312 313 314; do
	behind_back lvremove -f pve/vm-$id-disk-0
done

check_json --all
expect_exit 1
expect_no_finding "$(pve 301)"
expect_no_finding "$(pve 303)"
for id in 302 304 310 311 312 313 314; do
	expect_class "$(pve $id)" ghost warning '.open_count > 0'
done
# Children have no finding of their own: they go with their parent or stay with it.
for name in "$(pve 301)p1" "$(pve 302)p1" "$(pve 900)" "$(pve 901)" stacked; do
	expect "$name is no finding of its own" '[.findings[] | select(.name == $n)] == []' --arg n "$name"
done
expect "only ghosts" '([.findings[].class] | unique == ["ghost"]) and .summary.ghosts == 7 and .summary.in_use == 7'
users() { # ID TEXT CONDITION on a user
	expect "$1 is held by $2" '.findings[] | select(.name == $n) | .users | any('"$3"')' --arg n "$(pve "$1")" ||
		jq -c --arg n "$(pve "$1")" '.findings[] | select(.name == $n) | .users' $JSON | diag
}
users 310 "a process" ".pid == $holder and .command == \"actor\""
users 311 "a mount" '.via | tostring | test("mount")'
users 312 "swap" '.via | tostring | test("swap")'
users 313 "a loop device" ".via | tostring | test(\"${loop#/dev/}\")"
users 314 "a mapping" '.via | tostring | test("stacked|holder|dm-")'
users 302 "its partition" '.via | tostring | test("p1|holder|dm-|partition")'

done_testing
