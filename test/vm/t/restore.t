# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# What cleaning took away comes back byte for byte, or is refused for a reason.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

LOCK="--lock-time 15000"
UNDO=/var/lib/pvewarden/dm/undo

mk_pve pve1 pve2
storage_cfg <<-END
	lvm: san
		vgname vg_san
		shared 1

	lvm: other
		vgname vg_other
		shared 1

	lvmthin: local-lvm
		thinpool data
		vgname vg_san
END
mk_vg vg_san "$(mk_disk san 512m)"
mk_vg vg_other "$(mk_disk other 128m)" "$(mk_disk other-b 128m)"
san() { dm_name vg_san "vm-$1-disk-0"; }

ghost() { # ID [VG]
	lv_create "${2:-vg_san}" "vm-$1-disk-0"
	behind_back lvremove -f "${2:-vg_san}/vm-$1-disk-0"
}
foreign() { # ID
	lv_create vg_san "vm-$1-disk-0"
	conf_disk "$1" "scsi0=san:vm-$1-disk-0"
	mv "/etc/pve/qemu-server/$1.conf" /etc/pve/nodes/pve2/qemu-server/
}
clean() { # ARGS...; sets $run to the run's id
	pve_index
	udevadm settle
	check "cleaned: $*" "$PVEWARDEN" dm clean --yes $LOCK "$@"
	run=$(basename "$(ls $UNDO/*.jsonl | tail -n1)" .jsonl)
	udevadm settle
}
restore() { # ARGS...: of the last run; output in $V/restore.out, status in $STATUS
	udevadm settle
	timeout 120 "$PVEWARDEN" dm restore "$run" --yes $LOCK "$@" >$V/restore.out 2>&1 </dev/null
	STATUS=$?
	cp $V/restore.out "/out/$NAME.$((++restores)).txt"
}
restores=0
refused() { # TEXT PATTERN NAME: it says so, exits 1, and NAME is not there
	check "$1: refused" grep -qE -- "$2" $V/restore.out
	check "$1: exit status 1" same "$STATUS" 1
	refuse "$1: it is not there" dm_has "$3"
	grep -qE -- "$2" $V/restore.out || diag <$V/restore.out
}
tables() { dmsetup table | sort; dmsetup info -c --noheadings --separator : -o name,uuid,attr | sort; }

# --- byte for byte ------------------------------------------------------------
ghost 110
ghost 111
mk_partition "$(san 111)"
foreign 112
must dmsetup create test--vm--999--disk--0 --readonly --table "0 2048 linear $(pv_of vg_other) 0"
lv_create vg_san vm-113-disk-0
conf_disk 113 scsi0=san:vm-113-disk-0
next_extents vg_other 2
must lvcreate -q -W n -Z n -aly -i 2 -I 64k -l 4 -n vm-114-disk-0 vg_other
behind_back lvremove -f vg_other/vm-114-disk-0 # a striped ghost
tables >$V/before
clean --policy running
for name in "$(san 110)" "$(san 111)" "$(san 112)" "$(san 113)" test--vm--999--disk--0 vg_other-vm--114--disk--0; do
	refuse "$name is gone" dm_has "$name"
done
restore --dry-run
check "the dry run restores nothing" same "$(dmsetup ls | grep -c 'vm--')" 0
restore
check "ghosts need to be asked for" same "$STATUS" 1
refuse "and stay away" dm_has "$(san 110)"
check "the others are back" dm_has "$(san 112)"
restore --yes-restore-ghost
check "the rest: exit status 0" same "$STATUS" 0
[ $STATUS -eq 0 ] || diag <$V/restore.out
tables >$V/after
# A partition's table names its disk by number, and numbers are given anew.
check "everything is as it was, byte for byte" diff \
	<(grep -v 'disk--0p1: ' $V/before) <(grep -v 'disk--0p1: ' $V/after)
check "the partition stands on its disk again" \
	same "$(dmsetup deps -o devname "$(san 111)p1")" "1 dependencies	: ($(san 111))"
check "the same sectors of it" same "$(dmsetup table "$(san 111)p1" | cut -d' ' -f1-3,5)" "0 4096 linear 2048"
restore --yes-restore-ghost
check "once more has nothing to do" grep -q "Nothing of run" $V/restore.out
check "the list says that they were restored" \
	"$PVEWARDEN" dm restore --format json
check "all of them" jq -e '.runs[-1] | .restored == 7 and .done == 0' <("$PVEWARDEN" dm restore --format json)
clean --policy running

# --- refused -------------------------------------------------------------------
foreign 120
clean --vmid 120
must dmsetup create "$(san 120)" --table "0 8 zero"
restore
check "name taken: refused" grep -q "name is taken" $V/restore.out
must dmsetup remove "$(san 120)"
must lvchange -q -aly vg_san/vm-120-disk-0
restore
check "it is there already: nothing is done" same "$STATUS" 0
must lvchange -q -an vg_san/vm-120-disk-0

foreign 121
clean --vmid 121
next_extents vg_san 1
behind_back lvextend -l +1 vg_san/vm-121-disk-0 "$extents"
restore
refused "made larger meanwhile" "LVM would map" "$(san 121)"

foreign 122
clean --vmid 122
behind_back lvrename vg_san vm-122-disk-0 vm-122-disk-7
restore
refused "renamed meanwhile" "would come back as that" "$(san 122)"

foreign 123
clean --vmid 123
behind_back lvremove -f vg_san/vm-123-disk-0
restore
refused "deleted meanwhile" "does not exist any more" "$(san 123)"

lv_create vg_san vm-124-disk-0
taken=$extents
behind_back lvremove -f vg_san/vm-124-disk-0
clean --vmid 124
behind_back lvcreate -an -W n -Z n -l 2 -n vm-224-disk-0 vg_san "$taken"
restore --yes-restore-ghost
refused "the sectors were given away" "belong to vg_san/vm-224-disk-0 now" "$(san 124)"

ghost 125
clean --vmid 125
sed -i '1s/"boot_id": "[^"]*"/"boot_id": "00000000-0000-0000-0000-000000000000"/' "$UNDO/$run.jsonl"
restore --yes-restore-ghost
refused "another boot" "rebooted" "$(san 125)"

thin_pool vg_san data 8
thin_create vg_san/data vm-126-disk-0
thin_remove_behind vg_san/vm-126-disk-0
clean --vmid 126
restore --yes-restore-ghost
refused "a thin ghost" "cannot be brought back exactly" "$(dm_name vg_san vm-126-disk-0)"

ghost 127
clean --vmid 127
hold_flock "$(vm_lock 127)"
holder=$actor_pid
restore --yes-restore-ghost
refused "somebody works on that id" "lock is held" "$(san 127)"
stop_actor $holder
printf '{"record": "done", "n": 1, "ti' >>"$UNDO/$run.jsonl"
restore --yes-restore-ghost
check "a torn last line does not matter" dm_has "$(san 127)"
check "and the line after it is whole" jq -e '.state // .record == "restored"' <(tail -n1 "$UNDO/$run.jsonl")
clean --vmid 127

# --- minors are re-used --------------------------------------------------------
# The disk below gets another number, and its old number gets another disk: the number
# alone would bring the ghost back over somebody else's sectors.
old=$(mk_disk moves 64m)
mk_vg vg_moves "$old"
cat >>/etc/pve/storage.cfg <<-END

	lvm: moves
	$(printf '\t')vgname vg_moves
END
ghost 130 vg_moves
before=$(dmsetup table vg_moves-vm--130--disk--0)
clean --vmid 130
must losetup -d "$old"
truncate -s 64m $V/img/stranger
must losetup "$old" $V/img/stranger
new=$(losetup -f --show $V/img/moves)
udevadm settle
check "the old number is another disk now" differ "$old" "$new"
restore --yes-restore-ghost
check "it comes back over its own disk" same "$(dmsetup table vg_moves-vm--130--disk--0)" \
	"${before/$(lsblk -dno MAJ:MIN "$old" | tr -d ' ')/$(lsblk -dno MAJ:MIN "$new" | tr -d ' ')}"
clean --vmid 130
must losetup -d "$new"
udevadm settle
restore --yes-restore-ghost
refused "its disk is gone, the number is another's" "cannot be told for certain|cannot be seen" \
	vg_moves-vm--130--disk--0

# --- a group that is not whole ---------------------------------------------------
ghost 131 vg_other
clean --vmid 131
must losetup -d "$(losetup -nO NAME -j $V/img/other-b)"
udevadm settle
restore --yes-restore-ghost
refused "its group lost a disk" "missing|cannot be seen" vg_other-vm--131--disk--0

check "an unknown run is named" grep -q "there is no run" <("$PVEWARDEN" dm restore 20000101T000000Z-1 --yes 2>&1)
check "nothing leads out of the folder" grep -q "there is no run" <("$PVEWARDEN" dm restore ../../../../etc/passwd --yes 2>&1)

done_testing
