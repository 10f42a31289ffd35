# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Every class made for real and cleaned: what may go is gone, everything else is
# there byte for byte, and the file systems on the volumes are unharmed. What
# changes meanwhile, and what is left after a kill, have scripts of their own.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

LOCK="--lock-time 15000" # under emulation LVM takes longer than Proxmox waits

mk_pve pve1 pve2
storage_cfg <<-END
	lvm: san
		vgname vg_san
		shared 1
		snapshot-as-volume-chain 1

	lvm: pve
		vgname pve

	lvmthin: local-lvm
		thinpool data
		vgname pve
END
mk_vg vg_san "$(mk_disk san 1g)"
mk_vg pve "$(mk_disk pve 512m)"
spare=$(mk_disk spare 64m)
san() { dm_name vg_san "vm-$1-disk-0"; }
elsewhere() { mv "/etc/pve/qemu-server/$1.conf" /etc/pve/nodes/pve2/qemu-server/; }

# A file system with data, and what it must still be in the end.
mk_fs() { # DEVICE
	must mkfs.ext4 -q -F "$1"
	mkdir -p /mnt/vmtest-fs
	must mount "$1" /mnt/vmtest-fs
	must dd if=/dev/urandom of=/mnt/vmtest-fs/data bs=64k count=16 status=none
	must umount /mnt/vmtest-fs
}
fs_sum() { # DEVICE: checked read-only, and every byte of it
	e2fsck -fn "$1" >/dev/null 2>&1 && sha256sum <"$1"
}

# --- what must stay ----------------------------------------------------------
lv_create vg_san vm-101-disk-0 4 # a running guest's
mk_fs /dev/vg_san/vm-101-disk-0
conf_disk 101 scsi0=san:vm-101-disk-0
fake_running_vm 101 "/dev/mapper/$(san 101)"
lv_create pve root 4
lv_create pve swap 4
must mkswap /dev/pve/swap
must swapon /dev/pve/swap
thin_pool pve data 20
thin_create pve/data vm-102-disk-0 # thin, its guest stopped
conf_disk 102 scsi0=local-lvm:vm-102-disk-0
lv_create vg_san vm-103-disk-0 # locked
conf_disk 103 scsi0=san:vm-103-disk-0
sed -i '1i lock: backup' /etc/pve/qemu-server/103.conf
elsewhere 103
lv_create vg_san vm-104-disk-0 # foreign, and mounted
mk_fs /dev/vg_san/vm-104-disk-0
conf_disk 104 scsi0=san:vm-104-disk-0
elsewhere 104
mkdir -p /mnt/vmtest-104
must mount -o ro /dev/vg_san/vm-104-disk-0 /mnt/vmtest-104
lv_create vg_san vm-105-disk-0 4 # moved: only ever told
conf_disk 105 scsi0=san:vm-105-disk-0
next_extents vg_san 4
behind_back lvremove -f vg_san/vm-105-disk-0
behind_back lvcreate -an -W n -Z n -l 4 -n vm-105-disk-0 vg_san "$extents"
uuid_105=$(lv_dm_uuid vg_san/vm-105-disk-0)
must dmsetup remove "$(san 105)"
must dmsetup create "$(san 105)" --uuid "$uuid_105" --table "0 32768 linear $(pv_of vg_san) 2048"
must dmsetup create keys --table "0 2048 crypt aes-xts-plain64 $(printf '0%.0s' {1..128}) 0 $spare 0"
must dmsetup create plain --table "0 2048 linear $spare 2048"

# --- what may go -------------------------------------------------------------
lv_create vg_san vm-110-disk-0 # ghost
behind_back lvremove -f vg_san/vm-110-disk-0
lv_create vg_san vm-111-disk-0 # ghost with a namesake
conf_disk 111 scsi0=san:vm-111-disk-0
behind_back lvremove -f vg_san/vm-111-disk-0
lv_create_behind vg_san vm-111-disk-0
lv_create vg_san vm-112-disk-0 # ghost, its extents given to another
taken=$extents
behind_back lvremove -f vg_san/vm-112-disk-0
behind_back lvcreate -an -W n -Z n -l 2 -n vm-212-disk-0 vg_san "$taken"
conf_disk 212 scsi0=san:vm-212-disk-0
lv_create vg_san vm-113-disk-0 # ghost with a partition on it
mk_partition "$(san 113)"
behind_back lvremove -f vg_san/vm-113-disk-0
lv_create vg_san vm-114-disk-0 4 # ghost with a guest's own VG, of the host's name, active on it
inside=(--config 'devices { scan_lvs = 1 }' --devices "/dev/mapper/$(san 114)")
must vgcreate -q -s 1m "${inside[@]}" inner "/dev/mapper/$(san 114)"
must lvcreate -q -W n -Z n "${inside[@]}" -l 2 -n vm-100-disk-0 inner
behind_back lvremove -f vg_san/vm-114-disk-0
lv_create vg_san vm-115-disk-0 # renamed
conf_disk 115 scsi0=san:vm-115-disk-9
behind_back lvrename vg_san vm-115-disk-0 vm-115-disk-9
lv_create vg_san vm-116-disk-0 4 # grown, with data on it
mk_fs /dev/vg_san/vm-116-disk-0
conf_disk 116 scsi0=san:vm-116-disk-0
next_extents vg_san 1
behind_back lvextend -l +1 vg_san/vm-116-disk-0 "$extents"
lv_create vg_san vm-117-disk-0 4 # foreign, with data on it
mk_fs /dev/vg_san/vm-117-disk-0
conf_disk 117 scsi0=san:vm-117-disk-0
elsewhere 117
must dmsetup create "$(san 101)-copy" --table "$(dmsetup table "$(san 101)")" # duplicate
must dmsetup create test--vm--999--disk--0 --table "0 2048 linear $spare 4096"  # manual
must dmsetup create test--vm--998--disk--0 --uuid by-hand-1 --table "0 2048 linear $spare 6144"
lv_create vg_san vm-118-disk-0 # unreferenced
lv_create vg_san vm-119-disk-0 # left over
conf_disk 119 scsi0=san:vm-119-disk-0
pve_index
udevadm settle

gone=("$(san 110)" "$(san 111)" "$(san 112)" "$(san 113)" "$(san 113)p1" "$(san 114)"
	inner-vm--100--disk--0 "$(san 115)" "$(san 116)" "$(san 117)" "$(san 101)-copy"
	test--vm--999--disk--0 test--vm--998--disk--0)
kept_tables() { # everything that is not for cleaning, with its UUID and how often it is open
	local names
	names=$(printf '^%s:\n' "${gone[@]}" "$(san 118)" "$(san 119)")
	{
		dmsetup table --showkeys
		dmsetup info -c --noheadings --separator : -o name,uuid,open,events
	} | grep -v "$names" | sort
}
metadata() { lvs -a --readonly --noheadings -o vg_name,lv_name,lv_uuid,lv_size,seg_pe_ranges,vg_seqno 2>/dev/null | sort; }
run() { # ARGS...: dm clean; its output in $V/clean.out, its status in $STATUS
	timeout 300 "$PVEWARDEN" dm clean "$@" >$V/clean.out 2>$V/clean.err </dev/null
	STATUS=$?
	cp $V/clean.out "/out/$NAME.$((++runs)).txt"
}
runs=0
status_is() { # STATUS TEXT
	check "$2: exit status $1" same "$STATUS" "$1"
	[ "$STATUS" = "$1" ] || cat $V/clean.err $V/clean.out | diag
}

kept_tables >$V/kept.before
metadata >$V/lvs.before
everything() { dmsetup table --showkeys; dmsetup info -c; metadata; find /var/lib/pvewarden /sys/block -maxdepth 1 2>/dev/null | sort; }

refuse "the namesake cannot be activated" lvchange -q -ay vg_san/vm-111-disk-0
check "and LVM says why" grep -q "resource busy" <(lvchange -ay vg_san/vm-111-disk-0 2>&1)

# --- nothing without being told ----------------------------------------------
everything >$V/all.before
run $LOCK
status_is 1 "no terminal, no --yes"
check "and says so" grep -q "no terminal" $V/clean.out
run --dry-run
status_is 0 "--dry-run"
check "prints a removal by UUID" grep -q "dmsetup remove --uuid 'LVM-" $V/clean.out
check "prints a deactivation by UUID" grep -q "lvchange -aln --devices .* --select 'vg_uuid=" $V/clean.out
check "shows which one is kept" grep -q "KEEP vg_san/vm-111-disk-0" $V/clean.out
everything >$V/all.after
check "neither changed anything" cmp $V/all.before $V/all.after

# --- cleaning ----------------------------------------------------------------
sum_116=$(fs_sum "/dev/mapper/$(san 116)")
sum_117=$(fs_sum "/dev/mapper/$(san 117)")
# What journald would be sent: a record of each act, with its fields.
mkdir -p /run/systemd/journal
python3 - <<-END &
	import os, socket
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind("/run/systemd/journal/socket")
	open("$V/journal.ready", "w").close()
	with open("$V/journal", "wb", buffering=0) as f:
	    while True:
	        f.write(s.recv(1 << 20) + b"\n--\n")
END
echo $! >>$V/pids
disown
for _ in $(seq 100); do [ -e $V/journal.ready ] && break; sleep 0.1; done
table_110=$(dmsetup table "$(san 110)")
uuid_110=$(dm_uuid "$(san 110)")
run --yes $LOCK --vmid 110
status_is 0 "--vmid 110"
for field in "MESSAGE=dm clean: cleaned $(san 110) (ghost)" "PVEWARDEN_NAME=$(san 110)" \
	"PVEWARDEN_UUID=$uuid_110" "PVEWARDEN_TABLE=$table_110" PVEWARDEN_RESULT=cleaned \
	PVEWARDEN_STEP=remove PVEWARDEN_VMID=110 SYSLOG_IDENTIFIER=pvewarden \
	MESSAGE_ID=67fca167e568495cb662e4cd1ea13f16 "PVEWARDEN_UNDO=$(basename "$(ls /var/lib/pvewarden/dm/undo/*.jsonl | tail -n1)" .jsonl)"; do
	check "the journal has $field" grep -qaxF "$field" $V/journal
done
check "who did it" grep -qa '^PVEWARDEN_WHO=' $V/journal
check "and one line for the run" grep -qaxF 'MESSAGE=dm clean: 1 cleaned, 0 skipped, 0 failed, 0 left' $V/journal
rm -f /run/systemd/journal/socket
refuse "110 is gone" dm_has "$(san 110)"
check "111 is not" dm_has "$(san 111)"
run --yes $LOCK --only manual
status_is 0 "--only manual"
refuse "the hand-made one is gone" dm_has test--vm--999--disk--0
refuse "and the one with a UUID" dm_has test--vm--998--disk--0
run --yes $LOCK
status_is 1 "everything, some of it is open or only told"
for name in "${gone[@]}"; do
	refuse "$name is gone" dm_has "$name"
done
check "what is open is said to be" grep -q "OPEN/IN USE" $V/clean.out
check "by whom" grep -q "mounted on /mnt/vmtest-104" $V/clean.out
check "what moved is only told" grep -q "compare the data" $V/clean.out
check "unreferenced: only on demand" grep -q "only on demand\|somebody works on" $V/clean.out

kept_tables >$V/kept.after
check "everything else is there byte for byte" diff $V/kept.before $V/kept.after
metadata >$V/lvs.after
check "no metadata was written" diff $V/lvs.before $V/lvs.after
check "the namesake can be activated now" lvchange -q -ay vg_san/vm-111-disk-0
must lvchange -q -an vg_san/vm-111-disk-0
check "an undo journal was kept, for root alone" same "$(stat -c %a /var/lib/pvewarden/dm/undo/*.jsonl | sort -u)" 600

# --- leftovers and unreferenced ones on demand --------------------------------
run --yes $LOCK --only leftover
status_is 64 "--only leftover without the policy"
run --yes $LOCK --policy running --only leftover
status_is 0 "--policy running"
refuse "119 is gone" dm_has "$(san 119)"
run --yes $LOCK --only unreferenced
check "118 is too young" dm_has "$(san 118)"
# As if it had been made yesterday: LVM's own time cannot be set, so the age is not asked for.
python3 - <<-END
	import json
	p = "/run/pvewarden/dm/seen.json"
	d = json.load(open(p))
	assert any("$(dm_uuid "$(san 118)")" == u["uuid"] for u in d["unreferenced"]), d
END
check "it was seen" test $? = 0
run --yes $LOCK --only unreferenced --min-age 1s
check "seen for the first time less than ten minutes ago: it stays" dm_has "$(san 118)"
check "and that is said" grep -q "without a reference" $V/clean.out
status_is 1 "skipped"
sed -i 's/"since": [0-9]*/"since": -1/' /run/pvewarden/dm/seen.json
run --yes $LOCK --only unreferenced --min-age 1s
check "a time that cannot be is no proof" dm_has "$(san 118)"
run --yes $LOCK --only unreferenced --min-age 0
status_is 0 "--min-age 0"
refuse "118 is gone" dm_has "$(san 118)"
check "its volume is not" lv_field vg_san/vm-118-disk-0 lv_name

# --- the data ----------------------------------------------------------------
must lvchange -q -ay vg_san/vm-116-disk-0
check "116 has the new size now" same "$(dm_size "$(san 116)")" 40960
check "its file system is well, and its bytes are the same" \
	same "$(head -c $((32768 * 512)) "/dev/mapper/$(san 116)" | sha256sum)" "$sum_116"
check "e2fsck finds nothing" e2fsck -fn "/dev/mapper/$(san 116)"
must lvchange -q -ay vg_san/vm-117-disk-0
check "117's bytes are the same" same "$(fs_sum "/dev/mapper/$(san 117)")" "$sum_117"
check "the running guest's file system is well" e2fsck -fn "/dev/mapper/$(san 101)"
must lvchange -q -an vg_san/vm-116-disk-0 vg_san/vm-117-disk-0

# --- what is left is what cannot be cleaned -----------------------------------
check_json --all
expect "only what was told and not touched is found" \
	'[.findings[] | .class] | sort == ["busy", "foreign", "stale-table"]'
expect_class "$(san 105)" stale-table critical
must umount /mnt/vmtest-104
run --yes $LOCK
refuse "104 went once it was closed" dm_has "$(san 104)"

# --- JSON, and two runs at once ----------------------------------------------
must dmsetup create test--vm--997--disk--0 --table "0 2048 linear $spare 4096"
run --yes $LOCK --only manual --format json
check "the JSON says what was done" jq -e \
	'.schema == "pvewarden.dm-clean/1" and .cleaned == 1 and .items[0].result == "cleaned" and
	 .items[0].commands == ["dmsetup remove '"'test--vm--997--disk--0'"'"]' $V/clean.out
hold_flock /run/pvewarden/dm/clean.lock
other=$actor_pid
run --yes $LOCK
status_is 1 "another run is at work"
check "it is said" grep -q "another run is at work" $V/clean.err
(sleep 2; stop_actor $other) &
run --yes $LOCK --wait 60s
check "--wait waits for it" same "$STATUS" 1

# --- the dialogue --------------------------------------------------------------
# Answers come one at a time, as a person types them, over a pseudo-terminal.
dialogue() { # ANSWER...: an empty one is a bare return, EOF is the end of the input
	timeout 300 python3 "$TREE/test/vm/dialogue.py" "$PVEWARDEN" dm clean $LOCK --only manual -- "$@" >$V/clean.out
	STATUS=$?
	cp $V/clean.out "/out/$NAME.dialogue$((++runs)).txt"
}
hand_made() { dmsetup info -c --noheadings -o name | grep -c '^test--vm--98'; }
for n in 0 1 2 3 4 5; do
	must dmsetup create test--vm--98$n--disk--0 --table "0 8 linear $spare $((n * 8))"
done
dialogue ""
check "an empty answer to the first question is no" same "$(hand_made)" 6
dialogue EOF
check "so is the end of the input" same "$(hand_made)" 6
dialogue y "" EOF
check "an empty answer keeps the entry, the end of the input stops" same "$(hand_made)" 6
dialogue y n y nonsense q
check "y takes one, n and nonsense take none, q stops" same "$(hand_made)" 5
refuse "it was the one that was asked about" dm_has test--vm--981--disk--0
check "the closing line counts them" grep -q "1 cleaned, 0 skipped, 0 failed, 5 left" $V/clean.out
dialogue y n a
check "a takes all the rest" same "$(hand_made)" 1

done_testing
