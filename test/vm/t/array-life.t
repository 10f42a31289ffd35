# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# The life of volumes from Proxmox' adapter to the device: the simulator's arrays
# as LIO and nvmet show them, real multipathd, iscsid and udev, the service on its
# socket, the adapter under perl -T. What one layer does alone is in the others.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"
# shellcheck source=../array.sh
. "$TREE/test/vm/array.sh"
# shellcheck source=../service.sh
. "$TREE/test/vm/service.sh"

# --- the stage -------------------------------------------------------------------

# As on a node: the first call starts it.
serve() {
	systemd-socket-activate -l /run/pvewarden/array/arrayd.sock \
		"$PVEWARDEN" array serve >>$V/arrayd.log 2>&1 7<&- 8<&- 9<&- &
	service=$!
	until_true 10 test -S /run/pvewarden/array/arrayd.sock
}
# With all that it has started, as when a node loses power, but for the kernel.
crash() {
	kill -KILL $service $(pgrep -x array-workers)
	wait $service 2>/dev/null
	rm -f /run/pvewarden/array/arrayd.sock
}
stop_service() {
	kill -TERM $service
	wait $service
	rm -f /run/pvewarden/array/arrayd.sock
}

path_count() { same "$(multipathd show paths raw format '%w %T %t' | grep -ci "$1 .*ready")" "$2"; }
ours() { # every map and disk of an array that this machine has
	grep -sl '^mpath-3624a9370' /sys/block/dm-*/dm/uuid
	grep -sl '^naa.624a9370' /sys/block/sd*/device/wwid
	grep -sl PURE /sys/block/sd*/device/vendor
	ls /dev/disk/by-id | grep -i 624a9370
}
nothing_left() { udevadm settle; same "$(ours)" ""; }
of_volume() { grep -sil "624a9370$1" /sys/block/dm-*/dm/uuid /sys/block/sd*/device/wwid; }
connected() { # VOLUME: the array's hosts
	control state
	jq -r --arg v "$1" '[.arrays[].connections[] | select(.volume.name == $v)] | length' $V/control
}
M=1048576

mk_pve pve1 pve2
echo 'devices { global_filter = [ "r|/dev/loop.*|" ] }' >>/etc/lvm/lvmlocal.conf
ln -sf "$(readlink -f "$PVEWARDEN")" /usr/sbin/pvewarden
mkdir -p $V/volumes /run/pvewarden/array /etc/pve/priv
for n in 1 2 3 4; do must ip addr add 10.9.0.$n/32 dev lo; done
lio_start
simulator --portal fa1=10.9.0.1:3260 --portal fa1=10.9.0.2:3260 \
	--portal fa2=10.9.0.3:3260 --portal fa2=10.9.0.4:3260 --backend lio $V/volumes
hosts iqns $initiator
iscsi_start 10.9.0.1 10.9.0.3
multipathd_start
sections iscsi
conf_disk 100 scsi0=vg:vm-100-disk-0
pve_index
serve
adapter_start

# --- one volume, two paths --------------------------------------------------------

disk=vm-100-disk-0
check "a volume" returns $disk pve vg alloc 100 $disk 65536
check "its path, before there is a device" pve vg path $disk -
dev=$reply serial=$(serial_of "$reply")
check "the service has started on its socket" grep -q . /run/pvewarden/array/array.json
check "active" pve vg activate $disk
check "there it is" test -b "$dev"
check "on two paths" same "$(of_volume "$serial" | wc -l)" 3
check "written" write_word "$dev" before
check "a snapshot" pve vg snapshot $disk s1
check "written again" write_word "$dev" after
check "and read through the cache" has_word "$dev" after

exec 7<"$dev" # a guest runs with it
check "resized while it is open" pve vg resize $disk $((96 * M))
check "the device has grown" sized "$dev" $((96 * M))
check "rollback while it is open is refused" refused_with "it is open on this node" pve vg rollback $disk s1
check "so is deactivation, with who has it" refused_with "process $$" pve vg deactivate $disk
check "and free" refused_with "process $$" pve vg free $disk
check "nothing was changed" has_word "$dev" after
exec 7<&-
check "rollback of what nobody uses" pve vg rollback $disk s1
check "the content is back" has_word "$dev" before
check "the size too" sized "$dev" $((64 * M))
check "a person takes all maps away that nobody uses" multipath -F
check "its device is gone" until_true 10 test ! -e "$dev"
check "it is activated again" pve vg activate $disk
check "with a map" has_word "$dev" before
check "taken away once more" multipath -F
check "it is gone again" until_true 10 test ! -e "$dev"
check "heal sees that" exits 0 array heal vg
check "and makes one" has_word "$dev" before

check "written" write_word "$dev" later
check "the snapshot beside it" pve vg activate $disk s1
snapshot=$(where vg $disk s1)
check "under a device of its own" differ "$snapshot" "$dev"
check "has what was there then" has_word "$snapshot" before
check "the volume has not changed" has_word "$dev" later
check "given back" pve vg deactivate $disk s1
check "its device is gone" same "$(of_volume "$(serial_of "$snapshot")")" ""
check "and nobody sees what stood for it" returns "vg:$disk" pve vg list

# A backup of a container, twice: nothing is given back but the snapshot.
for word in later between; do
	check "written" write_word "$dev" $word
	check "a snapshot for a backup" pve vg snapshot $disk vzdump
	check "activated" pve vg activate $disk vzdump
	snapshot=$(where vg $disk vzdump)
	check "has what is there now" has_word "$snapshot" $word
	exec 7<"$snapshot"
	check "while it is read it stays" refused_with "process $$" pve vg unsnapshot $disk vzdump
	exec 7<&-
	check "removed" pve vg unsnapshot $disk vzdump
	check "with its device" same "$(of_volume "$(serial_of "$snapshot")")" ""
done
check "written" write_word "$dev" later

# --- away, while iscsid rescans ----------------------------------------------------

(while [ ! -e $V/stop ]; do iscsiadm -m session -R; sleep 0.2; done) >/dev/null 2>&1 7<&- 8<&- 9<&- &
echo $! >>$V/pids
rescans=$!
check "deactivated while others rescan" pve vg deactivate $disk
sleep 1
check "no map, no path, not later either" nothing_left
touch $V/stop
wait $rescans
check "the array has no connection" same "$(connected vg/$disk)" 0
check "the registry nothing" same "$(registered)" ""
check "once more is success" pve vg deactivate $disk

# --- names --------------------------------------------------------------------------

check "active again" pve vg activate $disk
check "renamed while it is mapped" returns vg:vm-101-disk-5 pve vg rename $disk 101 vm-101-disk-5
check "it is off this node" nothing_left
check "a template of it" returns base-101-disk-5 pve vg base vm-101-disk-5
check "a clone of that" returns vm-102-disk-0 pve vg clone base-101-disk-5 102 -
check "and a clone of its snapshot" returns vm-102-disk-1 pve vg clone base-101-disk-5 102 s1
check "active" pve vg activate vm-102-disk-0
check "active" pve vg activate vm-102-disk-1
check "a clone has the content" has_word "$(where vg vm-102-disk-0)" later
check "the other one that of the snapshot" has_word "$(where vg vm-102-disk-1)" before

# --- from one storage to another ------------------------------------------------------

check "export" pve vg export vm-102-disk-0 $V/stream
check "import to the pod" returns pod:vm-103-disk-0 pve pod import vm-103-disk-0 $V/stream
both=$(where pod vm-103-disk-0)
check "zeros were not written" test "$(du -k "$(store_of "$(serial_of "$both")")" | cut -f1)" -lt 1024
other=$(where vg vm-102-disk-1)
exec 7<"$other" # as QEMU has it: nothing that O_EXCL would see
check "no import over what is open" exits 2 array import "$other" <$V/stream
check "with who has it" reads "process $$"
exec 7<&-
check "its content is still there" has_word "$other" before
truncate -s 64M $V/foreign
foreign=$(losetup -f --show $V/foreign)
check "nor over what is no volume" exits 2 array import "$foreign" <$V/stream
check "in words" reads "no volume of a FlashArray"
check "it is untouched" same "$(du -k $V/foreign | cut -f1)" 0
losetup -d "$foreign"
check "free of a volume that is mapped" pve vg free vm-102-disk-1
check "it is gone from this node" same "$(of_volume "$(serial_of "$other")")" ""

# --- two arrays ------------------------------------------------------------------------

check "active on both arrays" pve pod activate vm-103-disk-0
check "four paths" path_count "$(serial_of "$both")" 4
check "the content is equal" cmp "$both" "$(where vg vm-102-disk-0)"
both_well() { array status && reads "^OK - pve1: 2 of 2 arrays answer, 2 volumes mapped"; }
check "status says that all is well, with both volumes" until_true 45 both_well
cable out 10.9.0.4
check "a path is lost" until_true 40 path_count "$(serial_of "$both")" 3
check "the rest works" write_word "$both" three
three_paths() { exits 1 array status && reads "3 of 4"; }
check "status counts them, in words" until_true 60 three_paths
check "no resize that a path would not hear of" refused_with "are away" pve pod resize vm-103-disk-0 $((96 * M))
check "nor on the array" returns $((64 * M)) pve pod size vm-103-disk-0
cable in 10.9.0.4
check "it comes back" until_true 60 path_count "$(serial_of "$both")" 4
check "free of what is mapped on both" pve pod free vm-103-disk-0
check "no path of either array" same "$(of_volume "$(serial_of "$both")")" ""
check "free of the clone" pve vg free vm-102-disk-0
check "nothing left" nothing_left

# --- a node that dies --------------------------------------------------------------------

check "a volume of the pod" pve pod alloc 104 vm-104-disk-0 65536
check "and one to take away" pve vg alloc 104 vm-104-disk-1 65536
check "which is active" pve vg activate vm-104-disk-1
hanging() { # METHOD: the array does it, and is not heard of any more
	control fault "{\"array\":\"fa1\",\"kind\":\"hang-after\",\"method\":\"$1\",\"path\":\"connections\",\"ms\":30000}"
}
in_background() { pve "$@" >/dev/null; }
must hanging POST
in_background pod activate vm-104-disk-0 &
asking=$!
check "killed while it connects" until_true 20 same "$(registered)" "vm-104-disk-1 vm-104-disk-0 "
is_connected() { differ "$(connected "pod::vm-104-disk-0")" 0; }
check "the array has done it" until_true 20 is_connected
crash
wait $asking
check "the adapter says that it does not know" same $? 1
serve
must hanging DELETE
in_background vg deactivate vm-104-disk-1 &
asking=$!
not_connected() { same "$(connected "vg/vm-104-disk-1")" 0; }
check "killed while it disconnects" until_true 30 not_connected
crash
wait $asking
curl -sS -f -X DELETE http://127.0.0.1:7000/fault >/dev/null
date -s "+1000 seconds" >/dev/null # what has begun just now may still be at work
serve
check "reap says what it would do" exits 1 array reap --dry-run
check "with the connection that was left" reads "vm-104-disk-0"
check "and the removal that was not finished" reads "vm-104-disk-1"
check "without a terminal and without --yes it only says" exits 1 array reap
check "it has done nothing" same "$(registered | wc -w)" 2
check "reap" array reap --yes
check "nothing left" nothing_left
check "no connection" same "$(connected pod::vm-104-disk-0) $(connected vg/vm-104-disk-1)" "0 0"
check "the registry has nothing" same "$(registered)" ""

# --- one array down and back ------------------------------------------------------------------

must control down '{"array":"fa2"}'
check "active with one array down" pve pod activate vm-104-disk-0
both=$(where pod vm-104-disk-0)
check "on two paths" path_count "$(serial_of "$both")" 2
must control up '{"array":"fa2"}'
check "it is back: the service connects it" until_true 60 grep -q "it is connected again" $V/arrayd.log
check "four paths" until_true 30 path_count "$(serial_of "$both")" 4
stop_service
must rest fa2 DELETE connections '"host_names":"pve1","volume_names":"pod::vm-104-disk-0"'
check "without the service, a connection taken away: heal says what it would do" exits 1 array heal --dry-run
check "the adapter still has an answer" returns "$both" pve pod path vm-104-disk-0
check "heal does it" array heal

# --- a session that comes after the activation --------------------------------------------------

session() { must iscsiadm -m node -p 10.9.0.4:3260 "$1"; } # -l, -u; nobody scans by himself
check "four paths again" until_true 30 path_count "$(serial_of "$both")" 4
check "given back" pve pod deactivate vm-104-disk-0
session -u
check "active over the sessions that there are" pve pod activate vm-104-disk-0
check "three paths" path_count "$(serial_of "$both")" 3
check "nothing lacks" exits 0 array heal
session -l
check "a portal's session comes: it is seen that its path lacks" exits 1 array heal --dry-run
check "with its portal" reads "no path over 10.9.0.4:3260"
check "the adapter finds all in order" pve pod activate vm-104-disk-0
check "and three paths" path_count "$(serial_of "$both")" 3
check "heal looks for it there" array heal
check "four paths" until_true 30 path_count "$(serial_of "$both")" 4
check "and then nothing lacks" exits 0 array heal
check "in words" reads "Nothing to heal"
exec 7<"$both" # a guest runs with it
session -u
check "a session ends under a guest" until_true 30 path_count "$(serial_of "$both")" 3
session -l
serve
check "it is back: a call that starts the service finds all in order" pve pod activate vm-104-disk-0
check "the service looks for the path" until_true 150 path_count "$(serial_of "$both")" 4
check "and says so" grep -q "no path over 10.9.0.4:3260" $V/arrayd.log
must iscsiadm -m node -u
check "all sessions end under it: the map stays, without a path" until_true 60 exits 2 array status
check "which is said" reads "it has no path left"
must iscsiadm -m node -l
check "the service looks for its paths" until_true 150 path_count "$(serial_of "$both")" 4
exec 7<&-

# --- destroyed behind our back --------------------------------------------------------------------

check "active" pve vg activate vm-104-disk-1
lost=$(where vg vm-104-disk-1)
must rest fa1 DELETE connections '"host_names":"pve1","volume_names":"vg/vm-104-disk-1"'
must rest fa1 PATCH volumes '"names":"vg/vm-104-disk-1"' '{"destroyed":true}'
is_gone() {
	jq -e '[.maps[] | select(.state == "gone")] | length == 1' /run/pvewarden/array/array.json
}
check "the service sees that it is gone" until_true 60 is_gone
map=$(dmsetup info -c --noheadings -o name "$lost" 2>/dev/null)
label="dm check" # without json_from, whose settle would wait for a read that queues
timeout 60 "$PVEWARDEN" dm check --format json >$JSON 2>$V/check.err </dev/null
expect_class "$map" array-gone warning
expect "dm check names the way out" '[.findings[] | select(.class == "array-gone") | .remedy | contains("pvewarden array reap")] | all'
check "status says so too" exits 1 array status
check "in words" reads "the volume is destroyed on the array"
check "reap takes it" array reap --yes
check "its device is gone" same "$(of_volume "$(serial_of "$lost")")" ""
check "the other volume is not" has_word "$both" ""
check "free" pve pod free vm-104-disk-0
check "free of the template" pve vg free base-101-disk-5

# --- the end of it ------------------------------------------------------------------------------------

check "nothing left mapped" nothing_left
check "the registry is empty" same "$(registered)" ""
check "no call is stuck" same "$(pgrep -x array-workers | wc -l)" 1
check "the adapter itself has warned of nothing" same "$(grep -v '^Warning :: ' $V/adapter.err)" ""
stop_service
check "the service ends" same "$(pgrep -x array-workers)" ""
iscsiadm -m node -u >/dev/null 2>&1
iscsiadm -k 0
kill "$(pgrep -x multipathd)"
adapter_end
check "and the simulator" simulator_end
check "with its targets" same "$(ls $lio/iscsi $lio/core/fileio_0 | grep -cE '^(iqn|v[0-9A-F])')" 0

# --- NVMe over TCP ---------------------------------------------------------------------------------------

nqn=nqn.2014-08.org.nvmexpress:uuid:6d3a3a43-7a4c-4a05-9e3f-0b1f2f3d4c5e
mkdir -p /etc/nvme
echo $nqn >/etc/nvme/hostnqn
echo 6d3a3a43-7a4c-4a05-9e3f-0b1f2f3d4c5e >/etc/nvme/hostid
rm -rf /var/lib/pvewarden/array $V/volumes /etc/pve/priv/purestorage
mkdir -p $V/volumes
must modprobe -a nvme_core nvme_fabrics nvme_tcp nvmet nvmet_tcp
for n in 1 2 3; do must ip addr add 10.9.1.$n/32 dev lo; done
simulator --nvme fa1=10.9.1.1:4420 --nvme fa1=10.9.1.2:4420 --nvme fa2=10.9.1.3:4420 --backend nvmet $V/volumes
hosts nqns $nqn
sections nvme
serve
adapter_start
check "NVMe: a volume" returns $disk pve vg alloc 100 $disk 65536
check "active" pve vg activate $disk
dev=$(where vg $disk)
check "under the link of its NGUID" test -b "$dev"
check "both controllers are there" same "$(cat /sys/class/nvme/nvme*/state | sort | uniq -c | tr -s ' ')" " 2 live"
check "written" write_word "$dev" before
check "a snapshot" pve vg snapshot $disk s1
check "written again" write_word "$dev" after
check "read" has_word "$dev" after
exec 7<"$dev"
check "resized while it is open" pve vg resize $disk $((96 * M))
check "the device has grown" sized "$dev" $((96 * M))
check "open: not given back" refused_with "process $$" pve vg deactivate $disk
exec 7<&-
check "rollback" pve vg rollback $disk s1
check "the content is back" has_word "$dev" before
check "the size too" sized "$dev" $((64 * M))
check "the snapshot beside it" pve vg activate $disk s1
check "has the content" has_word "$(where vg $disk s1)" before
check "given back" pve vg deactivate $disk s1
check "status says that all is well" until_true 45 array status
check "free while it is mapped" pve vg free $disk
check "no namespace is left" same "$(ls /sys/block | grep nvme)" ""
stop_service
adapter_end
for controller in /sys/class/nvme/nvme*; do echo 1 >"$controller/delete_controller"; done
check "the simulator ends" simulator_end
check "with its subsystems" same "$(ls $nvmet/subsystems $nvmet/ports | grep -cE 'nqn|^[0-9]')" 0
rm -rf /var/lib/pvewarden/array
done_testing
