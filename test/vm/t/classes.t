# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# One node with every class of mapping made for real, and one look at it. The
# busy, layered and blind states have scripts of their own.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

mk_pve pve1 pve2 pve3
storage_cfg <<-END
	dir: local
		path /var/lib/vz
		content iso,vztmpl,backup

	lvm: san-lun1
		vgname vg_san
		content images,rootdir
		shared 1
		snapshot-as-volume-chain 1

	lvm: san-alias
		vgname vg_san
		content images
		shared 1

	lvmthin: local-lvm
		thinpool data
		vgname pve
		content rootdir,images

	lvm: Upper
		vgname VG_Upper
		content images

	lvm: dashed
		vgname vg-with--dashes
		content images

	lvm: striped
		vgname vg_two
		content images

	lvm: copy-here
		vgname vg_copy
		content images
		nodes pve1

	lvm: copy-there
		vgname vg_copy
		content images
		nodes pve2,pve3

	lvm: off
		vgname vg_off
		content images
		disable 1

	lvm: elsewhere
		vgname vg_else
		content images
		nodes pve2

	lvm: tagged
		vgname vg_tag
		content images
		tagged_only 1
END

mk_vg vg_san "$(mk_disk san 1g)"
mk_vg pve "$(mk_disk pve 512m)"
mk_vg VG_Upper "$(mk_disk upper 128m)"
mk_vg vg-with--dashes "$(mk_disk dashes 128m)"
mk_vg vg_two "$(mk_disk two-a 128m)" "$(mk_disk two-b 128m)"
mk_vg vg_copy "$(mk_disk copy 128m)"
mk_vg vg_off "$(mk_disk off 128m)"
mk_vg vg_else "$(mk_disk else 128m)"
mk_vg vg_tag "$(mk_disk tag 128m)"
san() { dm_name vg_san "$1"; }

# --- ok: a running guest with every kind of volume ---------------------------
for lv in vm-101-disk-0 vm-101-disk-1 vm-101-disk-2 vm-101-disk-3 vm-101-disk-5 vm-101-disk-5.qcow2 \
	vm-101-disk-8 vm-101-disk-9 vm-101-cloudinit vm-101-state-s1 vm-101-fleece-0 \
	vm-9999-pvc-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9; do
	lv_create vg_san $lv 1
done
conf_vm 101 <<-END
	#web front end%3A do not touch
	agent: 1
	boot: order=scsi0;ide2
	efidisk0: san-lun1:vm-101-disk-1,efitype=4m,pre-enrolled-keys=1,size=4M
	ide2: san-lun1:vm-101-cloudinit,media=cdrom,size=4M
	memory: 2048
	name: web1
	net0: virtio=BC:24:11:00:01:01,bridge=vmbr0
	parent: s1
	scsi0: san-lun1:vm-101-disk-0,iothread=1,size=4M
	scsi1: san-lun1:vm-9999-pvc-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9,size=4M
	scsi2: san-lun1:vm-101-disk-5,size=4M
	scsi3: file=san-lun1:vm-101-disk-5.qcow2,size=4M
	tpmstate0: san-lun1:vm-101-disk-2,size=4M,version=v2.0
	unused0: san-lun1:vm-101-disk-3

	[PENDING]
	scsi5: san-lun1:vm-101-disk-8,size=4M

	[s1]
	#before the upgrade
	memory: 2048
	scsi0: san-lun1:vm-101-disk-0,size=4M
	scsi4: san-lun1:vm-101-disk-9,size=4M
	snaptime: 1714000000
	vmstate: san-lun1:vm-101-state-s1

	[special:fleecing]
	fleecing-images: san-lun1:vm-101-fleece-0
END
fake_running_vm 101 "/dev/mapper/$(san vm-101-disk-0)"
check "the running guest holds its disk" same "$(dm_open "$(san vm-101-disk-0)")" 1

lv_create vg_san vm-150-disk-0 # through the other storage of the same VG
conf_disk 150 scsi0=san-alias:vm-150-disk-0
lv_create VG_Upper vm-151-disk-0
conf_disk 151 scsi0=Upper:vm-151-disk-0
lv_create vg-with--dashes vm-152-disk-0
conf_disk 152 scsi0=dashed:vm-152-disk-0
next_extents vg_two 2
must lvcreate -q -W n -Z n -aly -i 2 -I 64k -l 4 -n vm-153-disk-0 vg_two
conf_disk 153 scsi0=striped:vm-153-disk-0
check "striped table" grep -q striped <(dmsetup table vg_two-vm--153--disk--0)
must lvcreate -q -W n -Z n -aly -l 2 -n vm-154-disk-0 vg_two /dev/loop4:10-10 /dev/loop5:10-10
conf_disk 154 scsi0=striped:vm-154-disk-0
check "two segments on two disks" same "$(dmsetup table vg_two-vm--154--disk--0 | wc -l)" 2
for id in 150 151 152 153 154; do
	fake_running_vm $id
done

# --- thin: a stopped guest, a template, its linked clone, snapshots ----------
lv_create pve root 4
lv_create pve swap 4
must mkswap /dev/pve/swap
must swapon /dev/pve/swap
thin_pool pve data 40
for lv in vm-105-disk-0 vm-132-disk-0 base-160-disk-0 vm-141-disk-0; do
	thin_create pve/data $lv
done
must lvcreate -q -s -n snap_vm-132-disk-0_before_it pve/vm-132-disk-0
must lvchange -q -ay -K pve/snap_vm-132-disk-0_before_it
must lvcreate -q -s -kn -n vm-161-disk-0 pve/base-160-disk-0
must lvchange -q -pr pve/base-160-disk-0
check "thin snapshot is active" dm_has pve-snap_vm--132--disk--0_before_it
conf_disk 105 scsi0=local-lvm:vm-105-disk-0
conf_vm 132 <<-END
	name: thin
	parent: before_it
	scsi0: local-lvm:vm-132-disk-0,size=8M

	[before_it]
	scsi0: local-lvm:vm-132-disk-0,size=8M
	snaptime: 1714000000
END
conf_vm 160 <<-END
	name: template
	scsi0: local-lvm:base-160-disk-0,size=8M
	template: 1
END
conf_disk 161 scsi0=local-lvm:vm-161-disk-0

# --- containers --------------------------------------------------------------
for lv in vm-140-disk-0 vm-140-disk-1 vm-142-disk-0; do
	lv_create vg_san $lv
done
conf_ct 140 <<-END
	arch: amd64
	hostname: ct140
	mp0: san-lun1:vm-140-disk-1,mp=/srv,backup=1,size=8M
	ostype: debian
	rootfs: san-lun1:vm-140-disk-0,size=8M
END
conf_ct 141 <<-END
	hostname: ct141
	rootfs: volume=local-lvm:vm-141-disk-0,size=8M
END
conf_ct 142 <<-END
	hostname: ct142
	rootfs: san-lun1:vm-142-disk-0,size=8M
END
fake_running_ct 140 "/dev/mapper/$(san vm-140-disk-0)"

# --- ghosts ------------------------------------------------------------------
# 102: its extents are free. 103: they belong to another LV now, 113: to one that
# is active here. 104: a namesake exists.
for id in 102 103 104 113; do
	lv_create vg_san vm-$id-disk-0
	taken=$extents
	behind_back lvremove -f vg_san/vm-$id-disk-0
	conf_disk $id scsi0=san-lun1:vm-$id-disk-0
	case $id in
	103 | 113) # the same extents again
		behind_back lvcreate -an -W n -Z n -l 2 -n vm-2${id#1}-disk-0 vg_san "$taken"
		conf_disk 2${id#1} scsi0=san-lun1:vm-2${id#1}-disk-0
		;;
	104) lv_create_behind vg_san vm-104-disk-0 ;;
	esac
done
rm /etc/pve/qemu-server/102.conf
must lvchange -q -aly vg_san/vm-213-disk-0
fake_running_vm 213
check "ghost stays" dm_has "$(san vm-102-disk-0)"
check "its LV is gone" same "$(lv_field vg_san/vm-102-disk-0 lv_name)" ""
check "ghost 103 and LV vm-203-disk-0 share extents" same "$(lv_field vg_san/vm-203-disk-0 seg_pe_ranges | sed 's/.*://')" \
	"$(dmsetup table "$(san vm-103-disk-0)" | awk '{print ($5 - 2048) / 8192 "-" ($5 - 2048) / 8192 + 1}')"
check "ghost 113 and vm-213-disk-0 have one table" same "$(dmsetup table "$(san vm-113-disk-0)")" \
	"$(dmsetup table "$(san vm-213-disk-0)")"
check "namesake has another uuid" differ "$(dm_uuid "$(san vm-104-disk-0)")" "$(lv_dm_uuid vg_san/vm-104-disk-0)"
refuse "namesake cannot be activated" lvchange -ay vg_san/vm-104-disk-0
cp $V/check.out $V/activation
check "and that is the well-known error" grep 'create ioctl on vg_san-vm--104--disk--0 .*Device or resource busy' $V/activation
thin_remove_behind pve/vm-105-disk-0
check "thin ghost stays" dm_has pve-vm--105--disk--0

# --- live table and metadata differ ------------------------------------------
# 106 grown and stopped, 107 grown and open, 108 moved in part, 109 moved as a
# whole, 115 smaller than the live table.
for id in 106 107 108 109 115; do
	lv_create vg_san vm-$id-disk-0
	conf_disk $id scsi0=san-lun1:vm-$id-disk-0
done
fake_running_vm 107 "/dev/mapper/$(san vm-107-disk-0)"
for id in 106 107; do
	next_extents vg_san 2
	behind_back lvextend -l +2 vg_san/vm-$id-disk-0 "$extents"
done
behind_back lvreduce -f -l -1 vg_san/vm-108-disk-0
next_extents vg_san 3
behind_back lvextend -l +2 vg_san/vm-108-disk-0 "$extents"
behind_back lvreduce -f -l -1 vg_san/vm-115-disk-0
next_extents vg_san 2
first=${extents#*:}
edit_metadata_behind vg_san '/vm-109-disk-0 \{/,/^\t\t\}/ s/("pv0", )[0-9]+$/\1'"${first%-*}"'/'
for id in 106 107 108 109 115; do
	check "table of $id: uuid is the LV's" same "$(dm_uuid "$(san vm-$id-disk-0)")" "$(lv_dm_uuid vg_san/vm-$id-disk-0)"
done
check "106 is shorter than its LV" same "$(dm_size "$(san vm-106-disk-0)") $(lv_field vg_san/vm-106-disk-0 lv_size)" "16384 32768"
check "109 lies elsewhere" same "$(lv_field vg_san/vm-109-disk-0 seg_pe_ranges | sed 's/.*://')" "${first}"

# --- renamed: volume chains rename the LV and take its old name --------------
for id in 110 111; do
	lv_create vg_san vm-$id-disk-0.qcow2
	conf_vm $id <<-END
		name: chain$id
		parent: before
		scsi0: san-lun1:vm-$id-disk-0.qcow2,size=8M

		[before]
		scsi0: san-lun1:vm-$id-disk-0.qcow2,size=8M
		snaptime: 1714000000
	END
done
fake_running_vm 111 "/dev/mapper/$(san vm-111-disk-0.qcow2)"
for id in 110 111; do
	behind_back lvrename vg_san vm-$id-disk-0.qcow2 snap_vm-$id-disk-0_before.qcow2
	lv_create_behind vg_san vm-$id-disk-0.qcow2
	check "$id: the mapping is the renamed LV's" same "$(dm_uuid "$(san vm-$id-disk-0.qcow2)")" \
		"$(lv_dm_uuid vg_san/snap_vm-$id-disk-0_before.qcow2)"
done

# --- hand-made ---------------------------------------------------------------
lv_create vg_san vm-112-disk-0
lv_create vg_san vm-112-disk-1
conf_disk 112 scsi0=san-lun1:vm-112-disk-0 scsi1=san-lun1:vm-112-disk-1
fake_running_vm 112
lv_create_behind vg_san vm-114-disk-0
conf_disk 114 scsi0=san-lun1:vm-114-disk-0
hand=$(mk_disk hand 64m)
must dmsetup create "$(san vm-112-disk-0)-copy" --table "$(dmsetup table "$(san vm-112-disk-0)")"
must dmsetup create test--vm--112--disk--1 --table "$(dmsetup table "$(san vm-112-disk-1)")"
must dmsetup create "$(san vm-114-disk-0)" --table "0 16384 linear $hand 0"
must dmsetup create test--vm--999--disk--0 --table "0 2048 linear $hand 20480"
must dmsetup create "$(san vm-998-disk-0)" --table "0 2048 linear $hand 24576"
must dmsetup create vm--996--disk--0 --table "0 2048 zero"
must dmsetup create scratch --table "0 2048 linear $hand 28672"
check "no uuid on a hand-made entry" same "$(dm_uuid test--vm--999--disk--0)" ""

# --- whose is it -------------------------------------------------------------
lv_create vg_san vm-120-disk-0
conf_disk 120 scsi0=san-lun1:vm-120-disk-0
mv /etc/pve/qemu-server/120.conf /etc/pve/nodes/pve2/qemu-server/
lv_create vg_copy vm-121-disk-0
conf_disk 121 scsi0=copy-there:vm-121-disk-0
mv /etc/pve/qemu-server/121.conf /etc/pve/nodes/pve2/qemu-server/
lv_create vg_copy vm-122-disk-0 # the same name is used through our own storage
conf_disk 122 scsi0=copy-here:vm-122-disk-0
fake_running_vm 122
lv_create vg_san vm-130-disk-0 # nobody's
lv_create vg_san vm-101-disk-77 # guest 101 exists and does not refer to it
lv_create vg_san vm-131-disk-0 # thick and stopped
conf_disk 131 scsi0=san-lun1:vm-131-disk-0
lv_create vg_san lvol0 # no Proxmox name
lv_create vg_off vm-133-disk-0
lv_create vg_else vm-134-disk-0
lv_create vg_tag vm-135-disk-0 2 --addtag pve-vm-135
lv_create vg_tag vm-136-disk-0
conf_disk 135 scsi0=tagged:vm-135-disk-0
fake_running_vm 135

# --- a thick snapshot's layers -----------------------------------------------
lv_create vg_san vm-137-disk-0
conf_disk 137 scsi0=san-lun1:vm-137-disk-0
fake_running_vm 137
must lvcreate -q -s -l 2 -n handsnap vg_san/vm-137-disk-0
check "snapshot layers" dm_has "$(san vm-137-disk-0)-real"

# =============================================================================
kernel_and_lvm() { dmsetup table; dmsetup info -c --noheadings -o name,uuid,suspended,open,events; vgs --readonly --noheadings -o vg_uuid,vg_seqno; }
kernel_and_lvm >$V/before
check_json --all --min-age 0
kernel_and_lvm >$V/after
check "a look changes nothing" cmp $V/before $V/after
expect_exit 2
expect "answer" '.answer == "critical" and .node == "pve1" and .policy == "configured" and .blind == []'
expect "time is RFC 3339 UTC" '.time | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$")'
expect "every mapping is listed" '(.mappings | length) == .summary.mappings and .summary.mappings == $n' \
	--argjson n "$(dmsetup ls | wc -l)"

for lv in disk-0 disk-1 disk-2 disk-3 disk-5 disk-5.qcow2 disk-8 disk-9 cloudinit state-s1 fleece-0; do
	expect_no_finding "$(san vm-101-$lv)"
done
expect_no_finding "$(san vm-9999-pvc-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9)"
expect_no_finding "$(san vm-150-disk-0)"
expect_no_finding VG_Upper-vm--151--disk--0
expect_no_finding vg--with----dashes-vm--152--disk--0
expect_no_finding vg_two-vm--153--disk--0
expect_no_finding vg_two-vm--154--disk--0
expect_no_finding pve-vm--132--disk--0
expect_no_finding pve-snap_vm--132--disk--0_before_it
expect_no_finding pve-base--160--disk--0
expect_no_finding pve-vm--161--disk--0
expect_no_finding "$(san vm-140-disk-0)"
expect_no_finding "$(san vm-140-disk-1)"
expect_no_finding pve-vm--141--disk--0
expect_no_finding "$(san vm-213-disk-0)"
expect_no_finding "$(san vm-112-disk-0)"
expect_no_finding "$(san vm-112-disk-1)"
expect_no_finding "$(san vm-137-disk-0)"
expect_no_finding vg_copy-vm--122--disk--0
expect_no_finding vg_tag-vm--135--disk--0
for name in pve-root pve-swap pve-data pve-data-tpool pve-data_tdata pve-data_tmeta scratch "$(san lvol0)" \
	vg_off-vm--133--disk--0 vg_else-vm--134--disk--0 vg_tag-vm--136--disk--0 \
	"$(san vm-137-disk-0)-real" "$(san handsnap)" "$(san handsnap)-cow"; do
	expect_no_finding "$name" infrastructure
done

expect_class "$(san vm-102-disk-0)" ghost warning '.vmid == 102 and .vg == "vg_san" and .lv == "vm-102-disk-0" and .open_count == 0'
expect_class "$(san vm-103-disk-0)" ghost critical
expect_class "$(san vm-104-disk-0)" ghost critical
expect_class "$(san vm-113-disk-0)" ghost critical '(.duplicate_of | index("vg_san-vm--213--disk--0"))'
expect_class pve-vm--105--disk--0 ghost warning
expect_class "$(san vm-106-disk-0)" stale-table warning '(.remedy | test("lvchange"))'
expect_class "$(san vm-107-disk-0)" stale-table critical '(.remedy | test("--refresh")) and .open_count == 1'
for id in 108 109 115; do
	expect_class "$(san vm-$id-disk-0)" stale-table critical '([.reason, .impact, .remedy] | tostring | test("--refresh") | not)'
done
expect_class "$(san vm-110-disk-0.qcow2)" renamed critical '.open_count == 0'
expect_class "$(san vm-111-disk-0.qcow2)" renamed critical '.open_count == 1 and (.remedy | test("--select"))'
expect_class "$(san vm-112-disk-0)-copy" duplicate critical '(.duplicate_of | index("vg_san-vm--112--disk--0"))'
expect_class test--vm--112--disk--1 duplicate critical '(.duplicate_of | index("vg_san-vm--112--disk--1"))'
expect_class "$(san vm-114-disk-0)" duplicate critical
expect_class test--vm--999--disk--0 manual warning
expect_class "$(san vm-998-disk-0)" manual warning
expect_class vm--996--disk--0 manual warning
expect_class "$(san vm-120-disk-0)" foreign warning '.guest.node == "pve2" and .volid == "san-lun1:vm-120-disk-0"'
expect_class vg_copy-vm--121--disk--0 copy notice
expect_class "$(san vm-130-disk-0)" unreferenced warning '.vmid == 130'
expect_class "$(san vm-101-disk-77)" unreferenced warning
expect_class "$(san vm-131-disk-0)" leftover notice '.guest.status == "stopped"'
expect_class "$(san vm-142-disk-0)" leftover notice '.guest.type == "lxc"'

expect_field "$(san vm-102-disk-0)" .uuid "\"$(dm_uuid "$(san vm-102-disk-0)")\""
expect_field "$(san vm-102-disk-0)" .device "\"$(dmsetup info -c --noheadings -o devno "$(san vm-102-disk-0)" | tr -d ' ')\""
expect "107 says who holds it" '.findings[] | select(.name == "vg_san-vm--107--disk--0") | .users | any(.command == "kvm" and .pid == $p)' \
	--argjson p "$(cat /run/qemu-server/107.pid 2>/dev/null || echo 0)"
expect "nothing else is a finding" '(.findings | length) == 24' ||
	jq -r '.findings[].name' $JSON | diag
expect "sums" '.summary.guest_mappings == .summary.ok + (.findings | length) and .summary.ghosts == 5 and
	.summary.stale_tables == 5 and .summary.renamed == 2 and .summary.manual == 3 and .summary.foreign == 1 and
	.summary.copies == 1 and .summary.unreferenced == 2 and .summary.leftovers == 2 and
	.summary.in_use == 2 and .summary.cts == 3 and .summary.cts_running == 1' ||
	jq -c .summary $JSON | diag
expect "grade" '.grade == "F" and .score == 100 - 60 - 40'
expect "ids of orphans whose guests are nowhere" '[.orphan_vmids[].vmid] | index(102) and index(130) and (index(120) | not)'
expect "health of guests" '(.guests | any(.vmid == 101 and .name == "web1" and .status == "running")) and
	(.guests | any(.vmid == 120) | not)'

check_json --all --min-age 0 --policy running
expect_class "$(san vm-131-disk-0)" leftover warning
expect_no_finding pve-vm--132--disk--0

check_json --min-age 0 --vmid 104
expect "one guest only" '[.findings[].vmid] | unique == [104]'
expect_exit 2

check_json
expect_class "$(san vm-130-disk-0)" busy notice # younger than a day

done_testing
