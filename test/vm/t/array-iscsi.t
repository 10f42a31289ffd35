# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Volumes over real iSCSI with real multipathd, iscsid and udev: two arrays, the
# first with two portals. What an array does on POST and DELETE connections is
# played by vol_connect and vol_disconnect.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"
# shellcheck source=../array.sh
. "$TREE/test/vm/array.sh"

one=0123456789ABCDEF00011001 two=0123456789ABCDEF00011002 three=0123456789ABCDEF00011003
four=0123456789ABCDEF00011004
size=$(bytes 64M)
# The volumes' own stores are disks of this machine too, which a node does not have.
echo 'devices { global_filter = [ "r|/dev/loop.*|" ] }' >>/etc/lvm/lvmlocal.conf
lio_start
array_make a 10.9.0.1 10.9.0.2
array_make b 10.9.0.3
vol_make $one 64M
vol_make $two 64M
vol_make $three 64M
vol_make $four 64M
iscsi_start 10.9.0.1 10.9.0.3
multipathd_start
a="$(iqn a)@10.9.0.1:3260,$(iqn a)@10.9.0.2:3260"
b="$(iqn b)@10.9.0.3:3260"
check "three sessions" same "$(ls /sys/class/iscsi_session | wc -l)" 3

# --- attach ------------------------------------------------------------------

check "nothing there yet" mapped look iscsi $one
check "and it says so" says present=0
check "a volume of another array is refused" refused ENODEV attach iscsi $one $size 5000 "1=$(iqn x)@10.9.0.9:3260"
check "what is not connected does not appear" refused ETIMEDOUT attach iscsi $one $size 3000 "1=$a"

vol_connect a $one 1
check "attach over both portals" mapped attach iscsi $one $size 60000 "1=$a"
took | diag
check "as a map with two paths" same "$(answer paths) $(answer paths_ok) $(answer mismatched)" "2 2 0"
check "of its size" same "$(answer size)" "$size"
check "under the link of its WWID" same "$(readlink -f "$(by_id $one)")" "/dev/$(dm_of $one)"
check "no disk on the sessions of the other array" same "$(sds $one | wc -l)" 2
check "known to multipath from now on" grep -q "/3624a9370${one,,}/" /etc/multipath/wwids
check "it can be written" dd if=/dev/urandom "of=$(by_id $one)" bs=1M count=4 oflag=direct conv=fsync

cat >$V/lines <<-END
	attach iscsi $one $size 60000 1=$a
END
strace -f -qq -e trace=execve,openat -e signal=none -o $V/strace \
	sh -c "cd $V && exec $MAPPER - <$V/lines >$V/answer"
check "attached again: nothing to do" says "rc=0"
check "no process is started" same "$(grep -c 'execve(.*= 0' $V/strace)" 2
check "each path is asked who it is, nothing else is opened" \
	same "$(grep -cE 'openat\(.*"/dev/(sd|dm-)' $V/strace) $(grep -cE 'openat\(.*"/dev/sd' $V/strace)" "2 2"
refuse "nor is anything scanned" grep -E '/scan"' $V/strace

# --- resize while it is open --------------------------------------------------

exec 7<"$(by_id $one)"
vol_grow $one 96M
check "resize while open" mapped resize iscsi $one "$(bytes 96M)" 30000
check "the map has grown" same "$(blockdev --getsize64 "$(by_id $one)")" "$(bytes 96M)"
check "and all paths with it" same "$(answer mismatched)" 0
check "detach while open is refused" refused EBUSY detach iscsi $one 20000
check "with who it is" says "process $$"
check "refresh while open is refused" refused EBUSY refresh iscsi $one "$(bytes 96M)" 10000
check "nothing has changed" same "$(cat /sys/block/"$(dm_of $one)"/slaves/*/device/state | sort -u)" running
exec 7<&-

# --- a path goes and comes back ------------------------------------------------

cable out 10.9.0.2
path_count() { mapper look iscsi "${2-$one}" && same "$(answer paths_ok)" "$1"; } # PATHS [SERIAL]
check "a path that is lost is seen" until_true 40 path_count 1
check "the rest works" dd if=/dev/urandom "of=$(by_id $one)" bs=1M count=1 oflag=direct
vol_connect a $two 2
check "a volume is attached over the path that is left" mapped attach iscsi $two $size 60000 "2=$a"
check "with one path" same "$(answer paths)" 1
cable in 10.9.0.2
check "it comes back" until_true 60 path_count 2
both() { mapper attach iscsi $two $size 20000 "2=$a" && same "$(answer paths) $(answer paths_ok)" "2 2"; }
check "attach again adds the path that lacked" until_true 40 both

vol_grow $two 80M
check "what another node has grown is brought to size" mapped attach iscsi $two "$(bytes 80M)" 30000 "2=$a"
check "the map too" same "$(blockdev --getsize64 "$(by_id $two)") $(answer mismatched)" "$(bytes 80M) 0"

# --- two arrays -----------------------------------------------------------------

vol_connect b $one 7
check "the second array's paths join the same map" mapped attach iscsi $one "$(bytes 96M)" 60000 "1=$a" "7=$b"
check "three paths now" same "$(answer paths) $(answer paths_ok)" "3 3"
took | diag
check "one map" same "$(dm_of $one | wc -l)" 1

# --- in use by what stands on it -------------------------------------------------

# One entry of type Linux: sector 2048, 16384 sectors.
{
	head -c 446 /dev/zero
	printf '\0\0\0\0\203\0\0\0\0\010\0\0\0\100\0\0'
	head -c 48 /dev/zero
	printf '\125\252'
} >$V/mbr
must dd if=$V/mbr "of=$(by_id $one)" bs=512 count=1 conv=fsync
udevadm settle
kpartx -a -s "/dev/mapper/3624a9370${one,,}"
part() { ls /dev/mapper/3624a9370"${one,,}"*1; }
check "a partition map stands on it" test -b "$(part)"
check "partitions that nobody uses do not count" mapped look iscsi $one
check "so it is free" same "$(answer in_use)" free
must mkfs.ext4 -q "$(part)"
mkdir -p /mnt/vmtest1 && must mount "$(part)" /mnt/vmtest1
check "a mounted partition does" mapped look iscsi $one
check "so it is open" same "$(answer in_use)" open
check "and detach is refused" refused EBUSY detach iscsi $one 10000
umount /mnt/vmtest1
# What this node's LVM finds in a guest's disk it activates by itself.
mk_vg vg_inner "$(by_id $two)"
must lvcreate -q -W n -Z n -aly -l 2 -n inner vg_inner
must lvcreate -q -W n -Z n -aly -l 2 -n other vg_inner
exec 7</dev/vg_inner/inner
check "an active volume group on it, of which one is open: in use" refused EBUSY detach iscsi $two 10000
check "with its name" says "vg_inner"
check "both are still there" test -b /dev/vg_inner/inner -a -b /dev/vg_inner/other
exec 7<&-
udevadm settle
check "no refresh under what LVM has in memory" refused EBUSY refresh iscsi $two "$(bytes 80M)" 10000
check "nobody has it open: detach takes it along" mapped detach iscsi $two 30000
check "all of it" same "$(dmsetup ls | grep -c vg_inner) $(dm_of $two)" "0 "
check "attached again" mapped attach iscsi $two "$(bytes 80M)" 60000 "2=$a"
check "with both paths" same "$(answer paths) $(answer paths_ok)" "2 2"
check "the volume group is whole" same "$(lvs --noheadings -o lv_name vg_inner | xargs)" "inner other"

# --- detach, while iscsid rescans -------------------------------------------------

(while [ ! -e $V/stop ]; do iscsiadm -m session -R; sleep 0.2; done) >/dev/null 2>&1 &
echo $! >>$V/pids
# As LVM has it open while it looks for volume groups.
sleep 1 8<"$(by_id $one)" &
until_true 10 test -e /proc/$!/fd/8
check "detach while others rescan, and somebody looks at it" mapped detach iscsi $one 30000
took | diag
check "no map" same "$(dm_of $one)" ""
check "its disks are offline" same "$(cat /sys/block/"$(sds $one | head -n1)"/device/state)" offline
sleep 1
check "a rescan does not bring the map back" same "$(dm_of $one)" ""
vol_disconnect a 1
vol_disconnect b 7
check "forget after the disconnect" mapped forget 30000
sleep 1
check "no disk of it is left, nor comes back" same "$(sds $one)" ""
touch $V/stop

# Disks that were left offline, because the disconnect failed, do not keep it from being used again.
vol_connect a $three 3
check "another one" mapped attach iscsi $three $size 60000 "3=$a"
check "detached" mapped detach iscsi $three 30000
check "and attached again, without a disconnect" mapped attach iscsi $three $size 60000 "3=$a"
check "with both paths" same "$(answer paths) $(answer paths_ok)" "2 2"

# The array still shows it: it comes back, and goes for good after the disconnect.
check "detached" mapped detach iscsi $three 30000
for sd in $(sds $three); do echo 1 >"/sys/block/$sd/device/delete"; done
iscsiadm -m session -R >/dev/null 2>&1
check "disks that a rescan has brought back" until_true 20 differ "$(sds $three)" ""
udevadm settle
vol_disconnect a 3
check "are forgotten as well, and their map" mapped forget 30000
check "no disk" same "$(sds $three)" ""
check "no map" same "$(dm_of $three)" ""

# --- a LUN of the past --------------------------------------------------------------

vol_connect a $three 5
check "a volume at LUN 5" mapped attach iscsi $three $size 60000 "5=$a"
vol_disconnect a 5
vol_connect a $one 5
check "another volume there, the old map still stands: refused" refused EUCLEAN attach iscsi $three $size 10000 "5=$a"
refused EBUSY attach iscsi $one "$(bytes 96M)" 10000 "5=$a" >$V/reuse.out 2>&1
reused=$?
check "and not taken from it for the other one" same $reused 0
# udev may still look at it.
map_gone() { multipathd del map "3624a9370${three,,}"; [ -z "$(dm_of $three)" ]; }
check "the old map goes" until_true 20 map_gone
check "disks of the past are replaced" mapped attach iscsi $one "$(bytes 96M)" 60000 "5=$a"
check "by its own" same "$(sds $one | wc -l) $(sds $three | wc -l)" "2 0"
check "what the array says is elsewhere is not taken" refused EUCLEAN attach iscsi $three $size 10000 "5=$a"

# Connected anew it has another LUN, and the old one is another volume's: what its map still has there
# would write into that.
vol_connect a $three 9
check "a volume at LUN 9" mapped attach iscsi $three $size 60000 "9=$a"
check "its paths say who they are" mapped ask iscsi $three 10000
vol_disconnect a 9
vol_connect a $four 9
vol_connect a $three 10
check "its map with paths to another one: refused" refused EUCLEAN attach iscsi $three $size 20000 "10=$a"
check "with which" says "is a path of this volume here"
check "it has left the map, which has no other" until_true 10 path_count 0 $three
check "so nobody says it any more" mapped ask iscsi $three 10000
check "it can be taken away" mapped detach iscsi $three 30000
vol_disconnect a 9
vol_disconnect a 10
check "and forgotten" mapped forget 30000
check "all of it" same "$(dm_of $three)$(sds $three)" ""

# --- without multipath -----------------------------------------------------------

vol_connect b $four 8
check "one path without a map" mapped attach iscsi $four $size 60000 "8=$b" single
check "is the disk itself" same "$(answer device) $(answer in_use)" "$(sds $four) free"
check "under its link" same "$(readlink -f "/dev/disk/by-id/wwn-0x624a9370${four,,}")" "/dev/$(sds $four)"
exec 7<"/dev/$(sds $four)"
check "open: refused" refused EBUSY detach iscsi $four 10000
check "with who it is" says "process $$"
exec 7<&-
mk_vg vg_bare "/dev/$(sds $four)"
must lvcreate -q -W n -Z n -aly -l 2 -n inner vg_bare
exec 7</dev/vg_bare/inner
check "something stands on it, and is open: refused" refused EBUSY detach iscsi $four 10000
check "with its name" says "vg_bare"
exec 7<"/dev/$(sds $four)"
check "so it is while a guest has the disk" refused EBUSY detach iscsi $four 10000
check "with who it is" says "process $$"
check "it is still there" test -b /dev/vg_bare/inner
exec 7<&-
udevadm settle
check "nobody has it open: detach takes LVM along" mapped detach iscsi $four 20000
check "all of it" same "$(dmsetup ls | grep -c vg_bare)" 0
vol_disconnect b 8
check "forget" mapped forget 20000
check "no disk" same "$(sds $four)" ""

# --- what there is ---------------------------------------------------------------

check "list has both maps" mapped list
check "each with its serial" same "$(grep -c '^0123456789ABCDEF0001100' $V/answer)" 2
check "the one nobody asked for among them" says "^$two present=1"

# --- all paths dead, queueing -----------------------------------------------------

for address in 10.9.0.1 10.9.0.2 10.9.0.3; do cable out $address; done
check "all paths are lost" until_true 60 path_count 0
echo 'blocked for more than|INFO: task' >>$V/dmesg-allowed
# A probe of udev's that began before the last path was lost, and waits for one in the kernel.
mkdir -p /run/udev/rules.d
echo "ACTION==\"change\", KERNEL==\"$(dm_of $two)\", IMPORT{builtin}=\"blkid\"" >/run/udev/rules.d/99-late.rules
udevadm control --reload
udevadm trigger -c change "/dev/$(dm_of $two)"
probed() { mapper look iscsi $two && same "$(answer in_use) $(answer paths_ok)" "passing 0"; }
check "a probe that hangs is told from a user" until_true 20 probed || diag <$V/answer
dd if=/dev/zero "of=$(by_id $one)" bs=4k count=1 oflag=direct >/dev/null 2>&1 </dev/null &
echo $! >>$V/pids
disown
sleep 1
check "a write hangs" grep -q '^State:.D' "/proc/$!/status"
check "look answers" mapped look iscsi $one
check "at once ($(took) ms)" test "$(took)" -lt 2000
check "open, no path" same "$(answer in_use) $(answer paths_ok)" "open 0"
check "list answers" mapped list
check "detach of what is open is refused" refused EBUSY detach iscsi $one 10000
check "at once ($(took) ms)" test "$(took)" -lt 6000
queues() { dmsetup table "3624a9370${1,,}" | grep -q " queue_if_no_path "; }
check "and what it waits for is not failed" queues $one
check "nor has its write ended" grep -q '^State:.D' "/proc/$!/status"
check "attach says why not" refused ENODEV attach iscsi $three $size 10000 "6=$a"
check "so does the other map's queue" queues $two
# Opened after the probe: nothing may be changed for it either.
sleep 300 7<"$(by_id $two)" &
user=$!
check "with a user beside the probe: refused" refused EBUSY detach iscsi $two 10000
check "with who it is" says "process $user"
check "and it queues on" queues $two
kill $user
check "detach of what only the probe has open ends" mapped detach iscsi $two 30000
took | diag
check "its map is gone" same "$(dm_of $two)" ""
check "no call is stuck" mapped stuck
check "none" says "stuck calls: 0"
rm /run/udev/rules.d/99-late.rules
udevadm control --reload
for address in 10.9.0.1 10.9.0.2 10.9.0.3; do cable in $address; done
check "the paths come back" until_true 60 path_count 2
vol_disconnect a 2
check "what was detached without a path is forgotten" mapped forget 40000
check "no disk" same "$(sds $two)" ""

# --- a rollback ---------------------------------------------------------------------

head -c 1M /dev/zero >"$V/zero"
check "read through the cache" cmp -n 4096 "$(by_id $one)" "$(by_id $one)"
dd if=/dev/urandom "of=$(vol_loop $one)" bs=4k count=1 conv=fsync 2>/dev/null
check "refresh after a rollback" mapped refresh iscsi $one "$(bytes 96M)" 20000
check "what is read is what the array has" cmp -n 4096 "$(by_id $one)" "$(vol_loop $one)"
udevadm settle
# Smaller than it was, and udev looks at the old end when the disks are small and the map is being
# changed: what waits in the map then fails on each path in turn, and must not be tried for ever.
vol_grow $one 64M
map=3624a9370${one,,} disks=$(sds $one) mp=$(pgrep -x multipathd)
disks_are_small() {
	local sd now
	for sd in $disks; do
		read -r now <"/sys/block/$sd/size"
		[ "$now" -eq 131072 ] || return 1
	done
}
read_between() {
	until disks_are_small; do :; done
	kill -STOP "$mp"
	dmsetup suspend --noflush --nolockfs "$map"
	dd if="$(by_id $one)" of=/dev/null bs=4096 count=1 skip=24575 iflag=direct &
	sleep 1
	kill -CONT "$mp"
	wait $!
	echo $? >$V/between
}
read_between >/dev/null 2>&1 &
echo $! >>$V/pids
check "smaller, while its end is looked at" mapped refresh iscsi $one "$(bytes 64M)" 30000
check "the map too" same "$(blockdev --getsize64 "$(by_id $one)")" "$(bytes 64M)"
check "who looked there got an error" until_true 20 grep -qx 1 $V/between
check "of the disks" grep -q "access beyond end" <(dmesg)
check "both paths are well again" until_true 30 path_count 2
check "and queue what is written" grep -q queue_if_no_path <(dmsetup table "$map")
udevadm settle
kill "$(pgrep -x multipathd)"
until_true 20 test -z "$(pgrep -x multipathd)"
check "no attach without multipathd" refused ECONNREFUSED attach iscsi 0123456789ABCDEF00011009 $size 20000 "6=$a"
check "but detach" mapped detach iscsi $one 30000
check "no map, no partition's" same "$(dm_of $one)$(ls /sys/block | grep dm-)" ""
vol_disconnect a 5
check "forget" mapped forget 30000
check "nothing of ours is stuck" same "$(pgrep -x mapper; pgrep -x array-workers)" ""

iscsiadm -m node -u >/dev/null 2>&1
kill $(pgrep -x iscsid)
rm -rf "$(tpg a)/acls/$initiator" 2>/dev/null
for name in a b; do
	echo 0 >"$(tpg $name)/enable"
	rmdir "$(tpg $name)"/acls/* "$(tpg $name)"/np/* "$(tpg $name)" "$(dirname "$(tpg $name)")"
done 2>/dev/null
rmdir $lio/core/fileio_0/v* 2>/dev/null
done_testing
