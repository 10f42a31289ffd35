# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Volumes over real NVMe/TCP with the kernel's own multipathing: one array, two
# portals.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"
# shellcheck source=../array.sh
. "$TREE/test/vm/array.sh"

one=0123456789ABCDEF00022001 two=0123456789ABCDEF00022002
size=$(bytes 64M)
export HOST_NQN=nqn.2014-08.org.nvmexpress:uuid:6d3a3a43-7a4c-4a05-9e3f-0b1f2f3d4c5e
export HOST_ID=6d3a3a43-7a4c-4a05-9e3f-0b1f2f3d4c5e
# The volumes' own stores are disks of this machine too, which a node does not have.
echo 'devices { global_filter = [ "r|/dev/loop.*|" ] }' >>/etc/lvm/lvmlocal.conf
vol_make $one 64M
vol_make $two 64M
nvmet_start 10.9.1.1 10.9.1.2
ports="$nqn@10.9.1.1:4420,$nqn@10.9.1.2:4420"
link() { echo "/dev/disk/by-id/nvme-eui.$(nguid_of "$1")"; }
disk() { basename "$(readlink -f "$(link "$1")")"; }


nameless() { (unset HOST_NQN HOST_ID; refused "$@"); }
check "without a name for this host no controller is made" \
	nameless ENODEV attach nvme $one $size 5000 "1=$ports"
check "a port that nobody listens on" refused ENODEV attach nvme $one $size 5000 "1=$nqn@10.9.1.9:4420"
check "what is not connected does not appear" refused ETIMEDOUT attach nvme $one $size 4000 "1=$ports"
check "but the controllers are there" same "$(cat /sys/class/nvme/nvme*/state | sort -u)" live
check "one a portal" same "$(ls /sys/class/nvme | wc -l)" 2

ns_connect $one 1
check "attach" mapped attach nvme $one $size 30000 "1=$ports"
took | diag
check "as one disk with two paths" same "$(answer paths) $(answer paths_ok)" "2 2"
check "of its size" same "$(answer size)" "$size"
check "under the link of its NGUID" same "$(disk $one)" "$(answer device)"
check "nobody has it" same "$(answer in_use)" free
check "no further controller" same "$(ls /sys/class/nvme | wc -l)" 2
check "it can be written" dd if=/dev/urandom "of=$(link $one)" bs=1M count=4 oflag=direct conv=fsync
check "attached again" mapped attach nvme $one $size 10000 "1=$ports"
ns_connect $two 2
check "a second volume" mapped attach nvme $two $size 30000 "1=$ports"
check "list has both" mapped list
check "by their serials" same "$(grep -cE "^($one|$two) present=1" $V/answer)" 2

# --- in use -----------------------------------------------------------------------

exec 7<"$(link $one)"
vol_grow $one 96M
echo 1 >"$subsystem/namespaces/1/revalidate_size"
check "resize while open" mapped resize nvme $one "$(bytes 96M)" 20000
check "the disk has grown" same "$(blockdev --getsize64 "$(link $one)")" "$(bytes 96M)"
check "detach while open is refused" refused EBUSY detach nvme $one 10000
check "with who it is" says "process $$"
check "so is refresh" refused EBUSY refresh nvme $one "$(bytes 96M)" 10000
exec 7<&-
udevadm settle
must mkfs.ext4 -q "$(link $two)"
mkdir -p /mnt/vmtest1 && must mount "$(link $two)" /mnt/vmtest1
check "a mounted volume is in use" refused EBUSY detach nvme $two 10000
check "and it is said where" says "mounted on /mnt/vmtest1"
umount /mnt/vmtest1
loop=$(losetup -f --show "$(link $two)")
check "under a loop device too" refused EBUSY detach nvme $two 10000
losetup -d "$loop"

# --- LVM of a guest, in a partition --------------------------------------------------

# The kernel finds the partition by itself, and this node's LVM activates what is in it.
{
	head -c 446 /dev/zero
	printf '\0\0\0\0\216\0\0\0\0\010\0\0\0\0\1\0'
	head -c 48 /dev/zero
	printf '\125\252'
} >$V/mbr
must dd if=$V/mbr "of=$(link $two)" bs=512 count=1 conv=fsync
udevadm settle
must blockdev --rereadpt "$(link $two)"
part=/dev/$(disk $two)p1
check "a partition" until_true 10 test -b "$part"
check "which nobody uses: free" mapped look nvme $two
check "of LVM nothing" same "$(answer in_use) $(answer lvm_only)" "free 0"
mk_vg vg_inner "$part"
must lvcreate -q -W n -Z n -aly -l 2 -n inner vg_inner
must lvcreate -q -W n -Z n -aly -l 2 -n other vg_inner
state() { mapper look nvme $two && same "$(answer in_use) $(answer lvm_only)" "$1"; }
both() { test -b /dev/vg_inner/inner -a -b /dev/vg_inner/other; }
check "active, and nobody has it open" until_true 20 state "open 1"
must mkfs.ext4 -q /dev/vg_inner/inner
must mount /dev/vg_inner/inner /mnt/vmtest1
check "mounted: in use" refused EBUSY detach nvme $two 10000
check "with its name" says "vg_inner"
check "not only LVM's" state "open 0"
check "both are still there" both
umount /mnt/vmtest1
udevadm settle
check "unmounted" until_true 20 state "open 1"
exec 7<>"$(link $two)"
check "a guest runs with the disk: in use" refused EBUSY detach nvme $two 10000
check "with who it is" says "process $$"
check "not only LVM's" state "open 0"
check "both are still there" both
exec 7<&-
udevadm settle
exec 7<"$part"
check "a guest has the partition: in use" refused EBUSY detach nvme $two 10000
check "not only LVM's" state "open 0"
check "both are still there" both
exec 7<&-
udevadm settle
check "no refresh under what LVM has in memory" refused EBUSY refresh nvme $two $size 10000
check "nobody has it open: detach takes it along" mapped detach nvme $two 20000
check "all of it" same "$(dmsetup ls | grep -c vg_inner)" 0
check "so that it is free" state "free 0"
check "the volume group is whole" same "$(lvs --noheadings -o lv_name vg_inner | xargs)" "inner other"

# --- a path goes and comes back -----------------------------------------------------

cable out 10.9.1.2
path_count() { mapper look nvme $one && same "$(answer paths_ok)" "$1"; }
check "a path that is lost is seen" until_true 60 path_count 1
check "the rest works" dd if=/dev/urandom "of=$(link $one)" bs=1M count=1 oflag=direct
cable in 10.9.1.2
check "it comes back" until_true 90 path_count 2

# --- the array closes ways (ANA) ------------------------------------------------------

access 2 inaccessible
check "a way that is closed is no path that works" until_true 20 path_count 1
check "the rest works" dd if=/dev/urandom "of=$(link $one)" bs=1M count=1 oflag=direct
access 1 inaccessible
check "nor are two" until_true 20 path_count 0
check "nothing is flushed where nothing gets through" mapped detach nvme $one 20000
check "at once ($(took) ms)" test "$(took)" -lt 4000
access 1 optimized
access 2 optimized
check "open again" until_true 20 path_count 2

# --- a rollback, and the end ----------------------------------------------------------

dd if="$(link $one)" of=/dev/null bs=4k count=1 2>/dev/null
dd if=/dev/urandom "of=$(vol_loop $one)" bs=4k count=1 conv=fsync 2>/dev/null
check "refresh" mapped refresh nvme $one "$(bytes 96M)" 20000
check "what is read is what the array has" cmp -n 4096 "$(link $one)" "$(vol_loop $one)"
check "detach" mapped detach nvme $one 20000
check "forget before the disconnect does not claim success" refused ETIMEDOUT forget 3000
ns_disconnect 1
check "forget" mapped forget 20000
check "it is gone" mapped look nvme $one
check "for good" says present=0
check "the other one is not" test -b "$(link $two)"

# --- all paths dead -----------------------------------------------------------------

must lvchange -q -aly vg_inner/inner
udevadm settle
check "LVM's once more" until_true 20 state "open 1"
cable out 10.9.1.1
cable out 10.9.1.2
dead() { mapper look nvme $two && same "$(answer paths_ok)" 0; }
check "all paths are lost" until_true 60 dead
check "without a path LVM keeps it: nothing ends what would wait" refused EBUSY detach nvme $two 10000
check "of LVM nothing has gone" dm_has vg_inner-inner
must dmsetup remove vg_inner-inner
check "detach of what nobody has open ends" mapped detach nvme $two 20000
check "at once ($(took) ms)" test "$(took)" -lt 4000
check "nothing is said to have gone" mapped look nvme $two
check "it is there" says present=1
check "forget: no path of it is left, which is as good" mapped forget 20000
ns_disconnect 2
cable in 10.9.1.1
cable in 10.9.1.2
gone() { mapper look nvme $two && says present=0; }
check "it goes when they are back" until_true 90 gone
check "nothing of ours is stuck" same "$(pgrep -x mapper; pgrep -x array-workers)" ""

# --- the same volume in a second subsystem --------------------------------------------
# Why a pod of two subsystems is refused (array/subsystem.h): its paths would be one array's.

other=$nqn.other first=$subsystem
must mkdir "$nvmet/subsystems/$other" "$nvmet/ports/3"
echo 1 >"$nvmet/subsystems/$other/attr_allow_any_host"
ip addr add 10.9.2.1/32 dev lo
for what in trtype=tcp adrfam=ipv4 traddr=10.9.2.1 trsvcid=4420; do
	echo "${what#*=}" >"$nvmet/ports/3/addr_${what%=*}"
done
must ln -s "$nvmet/subsystems/$other" "$nvmet/ports/3/subsystems/$other"
ns_connect $one 1
subsystem=$nvmet/subsystems/$other
ns_connect $one 1
check "mapped by the first" mapped attach nvme $one "$(bytes 96M)" 30000 "1=$ports"
must mapper attach nvme $one "$(bytes 96M)" 30000 "1=$ports" "1=$other@10.9.2.1:4420"
connected_to() { cat /sys/class/nvme/nvme*/subsysnqn | grep -qxF "$1"; }
check "a controller of the second is there" until_true 20 connected_to $other
refused_by_kernel() { dmesg | grep -q "nvme.*duplicate IDs\|nvme.*duplicate ID"; }
check "and the kernel keeps its namespace away" until_true 20 refused_by_kernel
check "so that the paths are the first one's alone" mapped look nvme $one
check "two of three" same "$(answer paths) $(ls -d /sys/class/nvme/nvme* | wc -l)" "2 3"
ns_disconnect 1
subsystem=$first
ns_disconnect 1

for ctrl in /sys/class/nvme/nvme*; do echo 1 >"$ctrl/delete_controller"; done
rm "$nvmet/ports/3/subsystems/$other"
rmdir "$nvmet/ports/3" "$nvmet/subsystems/$other"
for n in 1 2; do rm "$nvmet/ports/$n/subsystems/$nqn"; rmdir "$nvmet/ports/$n"; done
rmdir "$subsystem"
done_testing
