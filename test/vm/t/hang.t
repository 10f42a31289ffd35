# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# A LUN that lost all its paths while multipath queues: whoever touches it waits in
# the kernel for ever, unkillable. A check must still answer in time, with that VG
# unknown and the rest judged, and must leave nothing stuck behind.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

serial=0123456789abcdef00011001
mk_pve pve1 pve2
storage_cfg <<-END
	lvmthin: dead-thin
		vgname vg_dead
		thinpool data

	lvm: dead
		vgname vg_dead

	lvm: alive
		vgname vg_alive
END
conf_disk 601 scsi0=dead-thin:vm-601-disk-0 scsi1=dead:vm-601-disk-1
conf_disk 602 scsi0=alive:vm-602-disk-0
mk_array
mk_lun $serial 512m
mk_multipath $serial "$sda" "$sdb"
map=/dev/mapper/3624a9370$serial
mk_vg vg_dead "$map"
thin_pool vg_dead data 20
thin_create vg_dead/data vm-601-disk-0
must lvcreate -q -W n -Z n -aly -l 2 -n vm-601-disk-1 vg_dead
mk_vg vg_alive "$(mk_disk alive 128m)"
for id in 602 603; do
	lv_create vg_alive vm-$id-disk-0
done
behind_back lvremove -f vg_alive/vm-603-disk-0
ghost_uuid=$(dm_uuid vg_alive-vm--603--disk--0)
ghost_table=$(dmsetup table vg_alive-vm--603--disk--0)
# For cleaning: a stopped guest's, one of a guest that has a disk in the dead group too, and a ghost there.
lv_create vg_alive vm-604-disk-0
conf_disk 604 scsi0=alive:vm-604-disk-0
lv_create vg_alive vm-606-disk-0
conf_disk 606 scsi0=alive:vm-606-disk-0 scsi1=dead:vm-606-disk-1
must lvcreate -q -W n -Z n -aly -l 2 -n vm-607-disk-0 vg_dead
behind_back lvremove -f vg_dead/vm-607-disk-0
fake_running_vm 601
fake_running_vm 602
check_json --all
expect_exit 1
expect_no_finding vg_dead-vm--601--disk--0
expect_no_finding vg_dead-vm--601--disk--1
expect_class vg_alive-vm--603--disk--0 ghost warning

udevadm control --exit # its rules would touch the dead disk
udevadm() { :; }
paths offline "$sda" "$sdb"
check "no path is left" grep -q ' F .* F ' <(dmsetup status "${map##*/}")
echo 'blocked for more than|INFO: task' >>$V/dmesg-allowed

within() { # SECONDS COMMAND...: not waited for longer, dead or not
	local seconds=$1 pid
	shift
	"$@" >$V/within.out 2>&1 </dev/null &
	pid=$!
	disown
	for _ in $(seq $((seconds * 10))); do
		[ -d /proc/$pid ] || return 0
		sleep 0.1
	done
	echo $pid >$V/within.pid
	return 1
}

# The guest goes on writing: the pool's commit waits for the disk and holds the
# pool's metadata, for which a status waits too.
refuse "the guest's write waits" within 2 \
	dd if=/dev/zero of=/dev/vg_dead/vm-601-disk-0 bs=64k count=4 oflag=direct,dsync
check "list, info, deps and table of all answer" within 5 sh -c 'dmsetup ls; dmsetup info -c; dmsetup deps; dmsetup table'
refuse "status of the thin pool does not" within 3 dmsetup status --noflush vg_dead-data-tpool
check "and hangs in the kernel" grep '^State:.D' "/proc/$(cat $V/within.pid)/status"

answered() { # SECONDS: the check itself, and what it said of the dead and of the rest
	start=$(date +%s)
	check_json --all
	took=$(($(date +%s) - start))
	expect "answered within its deadline ($took s)" "$took <= $1"
	expect_exit 3
	expect_class vg_dead-vm--601--disk--0 unknown unknown
	expect_class vg_dead-vm--601--disk--1 unknown unknown
	expect_class vg_alive-vm--603--disk--0 ghost warning
	expect_no_finding vg_alive-vm--602--disk--0
	expect "not graded" '.grade == null'
	check "nothing of ours is stuck" same "$(pgrep -x 'pvewarden|lvm')" ""
}

answered 8

# What it asks the kernel. A request is in the first 312 bytes; table of a thin
# pool only with the flags STATUS_TABLE and NOFLUSH.
if [ -z "$STATES_ONLY" ]; then
	strace -f -qq -v -e trace=ioctl,open,openat,openat2 -e signal=none -o $V/strace \
		"$PVEWARDEN" dm check >/dev/null 2>&1
	grep -E 'DM_(TABLE_STATUS|DEV_|TARGET_|TABLE_LOAD|TABLE_CLEAR|REMOVE|DEV_SUSPEND)' $V/strace >$V/asked
	refuse "no status without the table flag" \
		grep 'DM_TABLE_STATUS' <(grep -v 'DM_STATUS_TABLE_FLAG' $V/asked | grep -v mpath-)
	refuse "no table without noflush" grep 'DM_TABLE_STATUS' <(grep -v DM_NOFLUSH_FLAG $V/asked)
	check "tables are asked for at all" grep -q 'DM_TABLE_STATUS.*DM_STATUS_TABLE_FLAG' $V/asked
	refuse "no message, nothing changed" grep -E 'DM_(TARGET_MSG|DEV_CREATE|DEV_REMOVE|DEV_SUSPEND|DEV_RENAME|TABLE_LOAD|TABLE_CLEAR|REMOVE_ALL|DEV_SET_GEOMETRY)' $V/asked
	self=$(head -n1 $V/strace | cut -d' ' -f1)
	refuse "pvewarden opens no block device" \
		grep -E "^$self .*open.*\"/dev/(dm-|sd|loop|mapper/[^c]|vg_|disk/)[^\"]*\".* = [0-9]" $V/strace
	refuse "lvm opens nothing of the dead LUN" \
		grep -E "open.*\"/dev/($sda|$sdb|mapper/3624a|mapper/vg_dead)[^\"]*\".* = [0-9]" $V/strace
else
	would "by strace: only table requests with noflush, no open of a block device"
fi

# Cleaning goes on where it can: not in the dead group, nor for a guest that uses it.
if [ -z "$STATES_ONLY" ]; then
	timeout 100 "$PVEWARDEN" dm clean --yes --policy running --lock-time 15000 \
		>$V/clean.out 2>&1 </dev/null
	status=$?
	diag <$V/clean.out | grep -E 'skip|done|FAILED|cleaned'
	check "clean of the other group ends, with something skipped" same $status 1
	refuse "the ghost of the living group is gone" dm_has vg_alive-vm--603--disk--0
	refuse "and LVM has deactivated the stopped guest's volume" dm_has vg_alive-vm--604--disk--0
	check "the guest that uses the dead group was left alone" dm_has vg_alive-vm--606--disk--0
	check "and it is said why" grep -q 'vg_dead, which guest 606 uses, is not whole' $V/clean.out
	check "so was the dead group's ghost" dm_has vg_dead-vm--607--disk--0
	check "nothing of ours is stuck" same "$(pgrep -x 'pvewarden|lvm')" ""
	check "no guest's lock is held" flock -n "$(vm_lock 604)" true
	check "nor the run's" flock -n /run/pvewarden/dm/clean.lock true
	DM_DISABLE_UDEV=1 must dmsetup create vg_alive-vm--603--disk--0 --uuid "$ghost_uuid" --table "$ghost_table"
fi

# Somebody else's lvs, already stuck with LVM's global lock, must not take us along.
refuse "a plain lvs never answers" within 5 lvs
answered 12

# The paths come back: so does everything.
paths running "$sda" "$sdb"
check "lvs answers again" within 20 lvs
unset -f udevadm
/usr/lib/systemd/systemd-udevd --daemon
udevadm settle
check_json --all
expect_exit 1
expect_no_finding vg_dead-vm--601--disk--0

done_testing
