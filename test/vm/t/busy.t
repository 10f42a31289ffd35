# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Everything that says "somebody is at work here": each mapping would be a finding
# of another class, and becomes it when the work is over.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

mk_pve pve1 pve2
storage_cfg <<-END
	lvm: san
		vgname vg_san
		shared 1

	lvm: moving
		vgname vg_move
		shared 1
END
mk_vg vg_san "$(mk_disk san 512m)"
san() { dm_name vg_san "vm-$1-disk-0"; }

on_pve2() { mv "/etc/pve/qemu-server/$1.conf" /etc/pve/nodes/pve2/qemu-server/; }

for id in 201 202 203 204 205 206 207 208 209 210 211 212; do
	lv_create vg_san vm-$id-disk-0
	case $id in
	206 | 207 | 209) ;; # nobody refers to these
	210) conf_ct 210 <<<"rootfs: san:vm-210-disk-0,size=8M" ;;
	*) conf_disk $id scsi0=san:vm-$id-disk-0 ;;
	esac
done

# A lock in the config, where the disk would be foreign, and where it would be left over.
echo "lock: migrate" >>/etc/pve/qemu-server/201.conf
on_pve2 201
sed -i '1i lock: backup' /etc/pve/qemu-server/202.conf
# Proxmox's own lock is held; so is a container's.
on_pve2 203
hold_flock "$(vm_lock 203)"
flock_vm=$actor_pid
hold_flock "$(ct_lock 210)"
flock_ct=$actor_pid
check "the lock is in /proc/locks" grep ":$(stat -c %i "$(vm_lock 203)") " /proc/locks
# A running task of Proxmox.
on_pve2 204
fake_task qmigrate 204
task=$actor_pid
# The target of a migration: QEMU runs here, the config is still there.
on_pve2 205
fake_incoming_vm 205 "/dev/mapper/$(san 205)"
incoming=$actor_pid
check "the incoming QEMU has its disk open" same "$(dm_open "$(san 205)")" 1
# 206 is young and unreferenced: `qm disk import` writes the config last.
# saferemove renames before it wipes; 207 here, 208 on another node.
must lvrename -q vg_san vm-207-disk-0 del-vm-207-disk-0
behind_back lvrename vg_san vm-208-disk-0 del-vm-208-disk-0
rm /etc/pve/qemu-server/208.conf
check "207 is being wiped under its new name" dm_has "$(dm_name vg_san del-vm-207-disk-0)"
# By the digits: guest 209 exists, is locked and does not refer to the disk.
conf_vm 209 <<<"lock: clone"
# The kernel says that somebody is changing it.
must dmsetup suspend "$(san 211)"
check "211 is suspended" same "$(dmsetup info -c --noheadings -o suspended "$(san 211)")" Suspended
must dmsetup load "$(san 212)" --table "$(dmsetup table "$(san 212)")"
check "212 has an inactive table" grep -q yes <(dmsetup info -c --noheadings -o tables_loaded "$(san 212)" | sed 's/.*Inactive.*\|Both.*/yes/; s/.*Both.*/yes/')
# Its extents are being moved, to a disk that takes a second for each write.
must modprobe -a dm-mirror dm-delay
from=$(mk_disk from 64m)
to=$(mk_disk to 64m)
must dmsetup create slow --table "0 131072 delay $to 0 0"
echo "devices { global_filter = [ \"r|^$to\$|\" ] }" >>/etc/lvm/lvmlocal.conf
mk_vg vg_move "$from" /dev/mapper/slow
next_extents vg_move 8
must lvcreate -q -W n -Z n -aly -l 8 -n vm-213-disk-0 vg_move "$from"
conf_disk 213 scsi0=moving:vm-213-disk-0
on_pve2 213
must dmsetup reload slow --table "0 131072 delay $to 0 0 $to 0 1000"
must dmsetup resume slow
pvmove -q -i 60 "$from" >$V/pvmove 2>&1 </dev/null &
echo $! >>$V/pids
disown
for _ in $(seq 200); do dm_has vg_move-pvmove0 >/dev/null 2>&1 && break; sleep 0.1; done
sleep 1
check "213 stands on a pvmove" grep pvmove0 <(dmsetup deps -o devname vg_move-vm--213--disk--0; lvs -a -o+devices vg_move; cat $V/pvmove)

check_json --all
expect_class vg_move-vm--213--disk--0 busy notice
expect_no_finding vg_move-pvmove0 infrastructure
for id in 201 202 203 204 205 206 209 210 211 212; do
	expect_class "$(san $id)" busy notice
done
expect_class "$(dm_name vg_san del-vm-207-disk-0)" busy notice
expect_class "$(san 208)" busy notice # the mapping's name is old, the LV's says del-
expect_exit 0                  # notices change nothing
expect "busy is counted" '.summary.busy == 13 and .answer == "ok" and .grade == "A+"'

stop_actor $flock_vm
stop_actor $flock_ct
stop_actor $task
stop_actor $incoming
sed -i '/^lock:/d' /etc/pve/qemu-server/*.conf /etc/pve/nodes/pve2/qemu-server/*.conf
must dmsetup resume "$(san 211)"
must dmsetup clear "$(san 212)"

check_json --all --min-age 0
for id in 201 203 204 205; do
	expect_class "$(san $id)" foreign warning
done
for id in 202 210 211 212; do
	expect_class "$(san $id)" leftover notice
done
expect_class "$(san 206)" unreferenced warning
expect_class "$(san 209)" unreferenced warning
expect_class "$(dm_name vg_san del-vm-207-disk-0)" busy notice
expect_exit 1

done_testing
