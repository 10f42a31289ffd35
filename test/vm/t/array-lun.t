# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# LUNs that are given away while this node still has disks there: no block of one running guest may
# come into another guest's volume, whoever connects what in which order.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"
# shellcheck source=../array.sh
. "$TREE/test/vm/array.sh"
# shellcheck source=../service.sh
. "$TREE/test/vm/service.sh"

lun() { # VMID: where fa2 shows its disk to this host
	control state
	jq -r --arg v "pod::vm-$1-disk-0" '.arrays.fa2.connections[] | select(.volume.name == $v) | .lun' $V/control
}
at_lun() { same "$(lun "$1")" "$2"; }
is_connected() { differ "$(lun "$1")" ""; }
forget_connection() { # VMID: as when the host object of fa2 is made anew
	must rest fa2 DELETE connections "\"host_names\":\"pve1\",\"volume_names\":\"pod::vm-$1-disk-0\""
}
ready() { # SERIAL: all of its paths work
	same "$(multipathd show paths raw format '%w %T %t' | grep -ci "$1 .*ready")" 4
}
# Every disk that answers says itself who it is, and is in the map of that volume.
paths_agree() {
	local disk uuid is
	for disk in /sys/block/sd*; do
		uuid=$(cat "$disk"/holders/*/dm/uuid 2>/dev/null)
		is=$(/lib/udev/scsi_id -g -u --device="/dev/${disk##*/}" 2>/dev/null)
		[ -z "$uuid" ] || [ -z "$is" ] || same "$uuid" "mpath-$is" || return
	done
}
blocks() { grep -ao "GUEST-$1-" "$(store_of "$2")" | wc -l; }
writes() { # WORD DEVICE: on all paths in turn
	local i
	for i in $(seq 0 255); do printf 'GUEST-%s-%-4088s' "$1" "$i"; done |
		timeout 60 dd of="$2" bs=4096 seek=1024 oflag=direct conv=notrunc
}
rechecks() { multipathd show config local >$V/config && grep -q 'recheck_wwid "*yes' $V/config; }
is_forgotten() { ! registered | grep -q "vm-$1-"; }

mk_pve pve1 pve2
echo 'devices { global_filter = [ "r|/dev/loop.*|" ] }' >>/etc/lvm/lvmlocal.conf
ln -sf "$(readlink -f "$PVEWARDEN")" /usr/sbin/pvewarden
mkdir -p $V/volumes /run/pvewarden/array /etc/pve/priv /etc/multipath/conf.d
for n in 1 2 3 4; do must ip addr add 10.9.0.$n/32 dev lo; done
lio_start
simulator --portal fa1=10.9.0.1:3260 --portal fa1=10.9.0.2:3260 \
	--portal fa2=10.9.0.3:3260 --portal fa2=10.9.0.4:3260 --backend lio $V/volumes
hosts iqns $initiator
iscsi_start 10.9.0.1 10.9.0.3
# What is shipped asks disks again who they are; that alone is too late.
cp "$TREE/units/multipath-purestorage.conf" /etc/multipath/conf.d/pvewarden-array.conf
multipathd_start
sections iscsi
conf_disk 202 scsi0=pod:vm-202-disk-0
pve_index
systemd-socket-activate -l /run/pvewarden/array/arrayd.sock \
	"$PVEWARDEN" array serve >>$V/arrayd.log 2>&1 7<&- 8<&- 9<&- 6<&- &
service=$!
until_true 10 test -S /run/pvewarden/array/arrayd.sock
adapter_start
for vmid in 201 202 203 204 205; do pve pod alloc $vmid vm-$vmid-disk-0 65536; done

# --- a leftover, which takes its time -----------------------------------------------------

# Its guest went to another node, which freed it: nobody tells this one.
check "a volume at LUN 1" pve pod activate vm-205-disk-0
check "one at LUN 2" pve pod activate vm-201-disk-0
for fa in fa1 fa2; do
	must rest $fa DELETE connections '"host_names":"pve1","volume_names":"pod::vm-205-disk-0"'
done
must rest fa1 PATCH volumes '"names":"pod::vm-205-disk-0"' '{"destroyed":true}'
check "the next one is not kept by what is left at LUN 1" pve pod activate vm-202-disk-0
check "and has a LUN of its own" at_lun 202 3
check "one goes" pve pod deactivate vm-201-disk-0
check "its LUN is free on both sides, and given again" pve pod activate vm-203-disk-0
check "to the next" at_lun 203 2

# --- both run, and the array forgets them ------------------------------------------------------

b=$(where pod vm-202-disk-0) c=$(where pod vm-203-disk-0)
bs=$(serial_of "$b") cs=$(serial_of "$c")
exec 7<>"$b" 6<>"$c"
forget_connection 202
forget_connection 203
check "the service connects the one" until_true 90 is_connected 202
check "and the other" until_true 60 is_connected 203
check "where its own paths wait" at_lun 202 3
check "each" at_lun 203 2
check "all paths are back" until_true 60 ready "$bs"
check "of both" until_true 60 ready "$cs"
check "each leads to its volume" paths_agree
check "one guest writes" writes C "$c"
sync
check "into its own volume" same "$(blocks C "$cs") $(blocks C "$bs")" "256 0"
check "another volume is activated meanwhile" pve pod activate vm-201-disk-0
check "and given back" pve pod deactivate vm-201-disk-0

check "what nobody needs any more the service has taken away" until_true 100 is_forgotten 205

# --- its LUN has become another volume's ------------------------------------------------------

# Nobody mends it meanwhile: the adapter asks the program itself.
kill -TERM $service
wait $service
rm -f /run/pvewarden/array/arrayd.sock
given_away() { must rest fa2 POST connections '"host_names":"pve1","volume_names":"pod::vm-204-disk-0"' '{"lun":3}'; }
check "multipathd asks disks again who they are" rechecks
# What multipathd finds when it asks again has to be found without it.
sed -i 's/\(recheck_wwid *\)"*yes"*/\1no/' /etc/multipath/conf.d/pvewarden-array.conf
must multipathd reconfigure
check "and does so no more" same "$(rechecks; echo $?)" 1
forget_connection 202
given_away
check "who has it is not mapped over disks of another one's map" \
	refused_with "is pod:vm-202-disk-0)" pve pod activate vm-204-disk-0
given_away
check "it is seen" exits 1 array heal --dry-run pod
check "as what it is" reads "a path at LUN 3 (host.*) that is not this volume's"
check "an error, because somebody has to compare the two" exits 2 array heal pod
check "of a path that was taken out" reads "it was taken out of the map now"
# The other one is nobody's yet: it is not touched where it has a disk here.
array heal pod
check "then it is mended" reads "^1 done, .* 0 failed"
check "at another LUN" differ "$(lun 202)" 3
check "with all paths" until_true 60 ready "$bs"
check "that lead to it" paths_agree
check "it writes" writes B "$b"
sync
check "nothing into who has its LUN" same "$(blocks B "$bs") $(blocks B "$(serial_of "$(where pod vm-204-disk-0)")")" "256 0"
check "who has it is activated" pve pod activate vm-204-disk-0
check "there" at_lun 204 3
check "each path leads to its volume" paths_agree
exec 7<&- 6<&-

# --- no array connects it, and its LUN has become another volume's ----------------------------

vg_lun() { # VMID: where fa1 shows its disk of the one array's storage
	control state
	jq -r --arg v "vg/vm-$1-disk-0" '.arrays.fa1.connections[] | select(.volume.name == $v) | .lun' $V/control
}
for vmid in 301 302; do pve vg alloc $vmid vm-$vmid-disk-0 65536; done
check "one on one array runs" pve vg activate vm-301-disk-0
b=$(where vg vm-301-disk-0) c=$(where vg vm-302-disk-0)
bs=$(serial_of "$b") cs=$(serial_of "$c")
exec 7<>"$b"
lun=$(vg_lun 301)
must rest fa1 DELETE connections '"host_names":"pve1","volume_names":"vg/vm-301-disk-0"'
must rest fa1 POST connections '"host_names":"pve1","volume_names":"vg/vm-302-disk-0"' "{\"lun\":$lun}"
check "that its paths are another one's is seen" exits 1 array heal --dry-run vg
check "and what is left to do" reads "connect nothing"
check "an error as before" exits 2 array heal vg
check "although they were all that it had" reads "it was taken out of the map now"
check "who has cut it off may have meant it" same "$(vg_lun 301)" ""
must multipathd disablequeueing map "3624a9370${bs,,}"
check "it cannot write" exits 1 writes D "$b"
check "into the other one" same "$(blocks D "$cs")" 0
check "who has its LUN is activated" pve vg activate vm-302-disk-0
check "there" same "$(vg_lun 302)" "$lun"
check "each path leads to its volume" paths_agree
exec 7<&-
check "both end" pve vg deactivate vm-301-disk-0
check "each for itself" pve vg deactivate vm-302-disk-0

# --- in the end ---------------------------------------------------------------------------------

for vmid in 202 203 204; do check "given back" pve pod deactivate vm-$vmid-disk-0; done
check "not a disk is left" same "$(grep -sl '^naa.624a9370' /sys/block/sd*/device/wwid)" ""
adapter_end
done_testing
