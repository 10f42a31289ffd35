# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Needs systemd as process 1.
#
# The array service as its units run it: started by its socket, with what the sandbox leaves it of
# capabilities and system calls: a volume becomes a device, is seen to be open, grows, and goes.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"
# shellcheck source=../array.sh
. "$TREE/test/vm/array.sh"
# shellcheck source=../service.sh
. "$TREE/test/vm/service.sh"

M=1048576
disk=vm-100-disk-0
shows() { systemctl show -p "$1" --value pvewarden-array.service; }

mk_pve pve1
echo 'devices { global_filter = [ "r|/dev/loop.*|" ] }' >>/etc/lvm/lvmlocal.conf
mkdir -p $V/volumes /etc/pve/priv
for n in 1 2; do must ip addr add 10.9.0.$n/32 dev lo; done
lio_start
simulator --portal fa1=10.9.0.1:3260 --portal fa1=10.9.0.2:3260 --backend lio $V/volumes
hosts iqns $initiator
iscsi_start 10.9.0.1
multipathd_start
sections iscsi
conf_disk 100 scsi0=vg:vm-100-disk-0
pve_index

# --- as the package installs it --------------------------------------------------
install -m 755 "$PVEWARDEN" /usr/sbin/pvewarden
install -m 644 "$TREE"/units/pvewarden-array.service "$TREE"/units/pvewarden-array.socket /etc/systemd/system/
systemctl daemon-reload
check "the socket is there" systemctl start pvewarden-array.socket
check "the service is not" same "$(shows ActiveState)" inactive
adapter_start

check "a volume" returns $disk pve vg alloc 100 $disk 65536
check "the first call has started it" same "$(shows ActiveState)" active
check "it leaves no core file, which would hold tokens" same "$(shows LimitCORE)" 0
check "active" pve vg activate $disk
dev=$(where vg $disk)
check "there it is" test -b "$dev"
check "written" write_word "$dev" before
check "a snapshot" pve vg snapshot $disk s1
exec 7<"$dev"
check "resized while it is open" pve vg resize $disk $((96 * M))
check "the device has grown" sized "$dev" $((96 * M))
check "who has it open is seen" refused_with "process $$" pve vg deactivate $disk
exec 7<&-
check "rollback" pve vg rollback $disk s1
check "the content is back" has_word "$dev" before
check "its document is for www-data" same "$(stat -c '%a %G' /run/pvewarden/array/array.json)" "640 www-data"
# --- as vzdump reads a container ------------------------------------------------------
root=vm-100-disk-1
conf_disk 100 "scsi0=vg:$disk" "scsi1=vg:$root"
pve_index
check "a volume with a file system" returns $root pve vg alloc 100 $root 65536
check "active too" pve vg activate $root
must mkfs.ext4 -q "$(where vg $root)"
check "a snapshot of it" pve vg snapshot $root vzdump
check "its copy" pve vg activate $root vzdump
mkdir -p /mnt/vzsnap0
check "mounted" mount -o ro,noload "$(where vg $root vzdump)" /mnt/vzsnap0
exec 7</mnt/vzsnap0
umount -l /mnt/vzsnap0
check "unmounted, it is read still: by whom" refused_with "process $$" pve vg unsnapshot $root vzdump
echo "$reply" | diag
check "and what to do" refused_with "pct unlock 100" pve vg unsnapshot $root vzdump
exec 7<&-
check "read no more, it goes" pve vg unsnapshot $root vzdump
check "free of it" pve vg free $root
# --- begun anew while the kernel keeps one of its processes ---------------------------
exec 7<"$dev"
dmsetup suspend --noflush --nolockfs "$(readlink -f "$dev")"
dd if=/dev/zero of="$dev" bs=4096 count=1 oflag=direct 2>/dev/null 7<&- &
waits=$!
keeps() { [[ $(</proc/$waits/stat) == *") D "* ]]; }
check "the kernel keeps a process" until_true 20 keeps
echo $waits >"/sys/fs/cgroup$(shows ControlGroup)/cgroup.procs"
began=$SECONDS
check "begun anew" systemctl restart pvewarden-array.service
took=$((SECONDS - began))
check "without it" keeps
check "at once" test $took -lt 30
echo "$took s" | diag
check "and answers again" pve vg size $disk
dmsetup resume "$(readlink -f "$dev")"
wait $waits
exec 7<&-
check "killed, it comes back" systemctl kill -s KILL pvewarden-array.service
check "and answers" pve vg activate $disk
check "free of what is mapped" pve vg free $disk
check "nothing is left" same "$(grep -sl 624a9370 /sys/block/dm-*/dm/uuid /sys/block/sd*/device/wwid)" ""
check "it ends in peace" systemctl stop pvewarden-array.service pvewarden-array.socket
check "nothing was denied" same "$(journalctl -q -u pvewarden-array.service | grep -ciE 'operation not permitted|permission denied')" 0

adapter_end
iscsiadm -m node -u >/dev/null 2>&1
iscsiadm -k 0
kill "$(pgrep -x multipathd)"
check "the simulator ends" simulator_end
rm -rf /var/lib/pvewarden/array
done_testing
