# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# The example node: pve1 of the cluster "prod", with the guests a small company has
# and at least one mapping of every class. It is recorded by `pvewarden capture`
# into OUT/node, and the recording must give the same answers as the live node.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

mk_pve pve1 pve2 pve3
storage_cfg <<-END
	dir: local
		path /var/lib/vz
		content images,iso,vztmpl,backup,snippets

	lvmthin: local-lvm
		thinpool data
		vgname pve
		content rootdir,images

	lvm: san-lun1
		vgname vg_san
		content rootdir,images
		shared 1
		snapshot-as-volume-chain 1

	lvm: fast-pve1
		vgname vg_fast
		content images
		nodes pve1

	lvm: fast-pve2
		vgname vg_fast
		content images
		nodes pve2

	lvm: archive
		vgname vg_archive
		content images
		nodes pve1

	nfs: backup
		export /srv/backup
		path /mnt/pve/backup
		server 10.0.1.50
		content backup
		prune-backups keep-daily=7,keep-weekly=4

	pbs: pbs1
		datastore main
		server 10.0.1.51
		content backup
		fingerprint 64:d3:ff:3a:50:38:53:5a:9b:f7:50:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55
		username backup@pbs

	purestorage: flash1
		address https://10.0.1.60
		token 11111111-2222-3333-4444-secretsecret
		content images
		vgname pve-vg
END

# --- the disks: two array volumes by multipath, the rest local ---------------
mk_array
lun_a=9f2c4a7be1d04c3300011a40 lun_b=9f2c4a7be1d04c3300011a77
mk_lun $lun_a 2g
mk_multipath $lun_a "$sda" "$sdb"
mk_lun $lun_b 64m
mk_multipath $lun_b "$sda" "$sdb"
mk_vg vg_san /dev/mapper/3624a9370$lun_a
mk_vg pve "$(mk_disk pve 1g)"
mk_vg vg_fast "$(mk_disk fast 256m)"
archive_a=$(mk_disk archive-a 64m)
archive_b=$(mk_disk archive-b 64m)
mk_vg vg_archive "$archive_a" "$archive_b"
lv_create pve root 8
lv_create pve swap 4
thin_pool pve data 120
san() { dm_name vg_san "$1"; }

net() { echo "virtio=BC:24:11:$1,bridge=vmbr0,tag=${2:-20}"; }

# --- virtual machines --------------------------------------------------------
thin_create pve/data vm-100-disk-0
conf_vm 100 <<-END
	#Public web front end.%0A%0AOwner%3A web team
	agent: 1
	boot: order=scsi0;net0
	cores: 4
	memory: 4096
	name: web01
	net0: $(net 4A:10:01)
	onboot: 1
	ostype: l26
	scsi0: local-lvm:vm-100-disk-0,discard=on,iothread=1,size=8M,ssd=1
	scsihw: virtio-scsi-single
	tags: prod;web
END
fake_running_vm 100 /dev/mapper/pve-vm--100--disk--0

for lv in vm-101-disk-0 vm-101-disk-1 vm-101-disk-2 vm-101-cloudinit vm-101-state-before-upgrade; do
	lv_create vg_san $lv 1
done
conf_vm 101 <<-END
	#Main PostgreSQL
	agent: enabled=1,fstrim_cloned_disks=1
	bios: ovmf
	boot: order=scsi0
	cipassword: \$5\$secret\$hash
	ciuser: admin
	cores: 8
	efidisk0: san-lun1:vm-101-disk-1,efitype=4m,pre-enrolled-keys=1,size=4M
	ide2: san-lun1:vm-101-cloudinit,media=cdrom,size=4M
	ipconfig0: ip=10.0.20.11/24,gw=10.0.20.1
	memory: 16384
	name: db01
	net0: $(net 4A:10:02)
	parent: before-upgrade
	scsi0: san-lun1:vm-101-disk-0,iothread=1,size=4M
	sshkeys: ssh-ed25519%20AAAAsecret%20admin
	tags: db;prod
	tpmstate0: san-lun1:vm-101-disk-2,size=4M,version=v2.0

	[before-upgrade]
	#PostgreSQL 15
	cores: 8
	memory: 16384
	name: db01
	scsi0: san-lun1:vm-101-disk-0,iothread=1,size=4M
	snaptime: 1762000000
	vmstate: san-lun1:vm-101-state-before-upgrade
END
fake_running_vm 101 "/dev/mapper/$(san vm-101-disk-0)" "/dev/mapper/$(san vm-101-disk-1)"

small_vm() { # ID NAME TAGS KEY=VOLID...
	local id=$1 name=$2 tags=$3 pair
	shift 3
	{
		printf 'agent: 1\nboot: order=scsi0\ncores: 2\nmemory: 2048\nname: %s\nnet0: %s\nonboot: 1\nostype: l26\n' \
			"$name" "$(net "4A:20:${id#1}" 30)"
		for pair; do echo "${pair%%=*}: ${pair#*=},size=8M"; done
		echo "tags: $tags"
	} | conf_vm "$id"
}
to_node() { mv "/etc/pve/qemu-server/$1.conf" "/etc/pve/nodes/$2/qemu-server/"; }

for id in 102 103 104 105 107 108 109 110 116 117 118 121; do
	lv=vm-$id-disk-0
	[ $id = 110 ] && lv+=.qcow2
	lv_create vg_san $lv
done
small_vm 102 mail01 prod scsi0=san-lun1:vm-102-disk-0   # leftover: stopped, still active
small_vm 103 gitlab prod,dev scsi0=san-lun1:vm-103-disk-0 # grown elsewhere while it runs here
small_vm 104 build01 dev scsi0=san-lun1:vm-104-disk-0   # grown elsewhere, stopped
small_vm 105 erp01 prod scsi0=san-lun1:vm-105-disk-0    # moved elsewhere
small_vm 107 win-rds prod scsi0=san-lun1:vm-107-disk-0  # deleted and made anew elsewhere
small_vm 108 monitoring prod scsi0=san-lun1:vm-108-disk-0
small_vm 109 dns01 prod scsi0=san-lun1:vm-109-disk-0
small_vm 110 legacy-app old scsi0=san-lun1:vm-110-disk-0.qcow2
small_vm 121 intranet prod scsi0=san-lun1:vm-121-disk-0
sed -i '/^ostype/a parent: v2' /etc/pve/qemu-server/110.conf
cat >>/etc/pve/qemu-server/110.conf <<-END

	[v2]
	scsi0: san-lun1:vm-110-disk-0.qcow2,size=8M
	snaptime: 1762000000
END
fake_running_vm 103 "/dev/mapper/$(san vm-103-disk-0)"
fake_running_vm 121 "/dev/mapper/$(san vm-121-disk-0)"
to_node 108 pve2
sed -i '1i lock: migrate' /etc/pve/qemu-server/109.conf
to_node 109 pve3
fake_incoming_vm 109 "/dev/mapper/$(san vm-109-disk-0)"

for lv in vm-106-disk-0 vm-106-disk-1 vm-106-disk-2; do thin_create pve/data $lv; done
small_vm 106 win-dc01 prod,windows scsi0=local-lvm:vm-106-disk-0 efidisk0=local-lvm:vm-106-disk-1 \
	tpmstate0=local-lvm:vm-106-disk-2
fake_running_vm 106 /dev/mapper/pve-vm--106--disk--0
thin_create pve/data base-111-disk-0
small_vm 111 debian-12-template template scsi0=local-lvm:base-111-disk-0
echo "template: 1" >>/etc/pve/qemu-server/111.conf
must lvcreate -q -s -kn -n vm-112-disk-0 pve/base-111-disk-0
small_vm 112 test-clone dev scsi0=local-lvm:vm-112-disk-0
lv_create vg_san vm-113-disk-0
lv_create vg_san vm-9999-pvc-6f1d1b8e-52a2-4c1f-9a3e-0d9f5b6c7a81
small_vm 113 k8s-worker01 k8s scsi0=san-lun1:vm-113-disk-0 \
	scsi1=san-lun1:vm-9999-pvc-6f1d1b8e-52a2-4c1f-9a3e-0d9f5b6c7a81
fake_running_vm 113 "/dev/mapper/$(san vm-113-disk-0)"
lv_create vg_fast vm-114-disk-0 # pve2 has a local disk of these names
small_vm 114 nextcloud prod scsi0=fast-pve2:vm-114-disk-0
to_node 114 pve2
mkdir -p /var/lib/vz/images/115
truncate -s 1m /var/lib/vz/images/115/vm-115-disk-0.qcow2
small_vm 115 fileserver prod scsi0=local:115/vm-115-disk-0.qcow2
fake_running_vm 115
lv_create vg_archive vm-119-disk-0
small_vm 119 archive01 old scsi0=archive:vm-119-disk-0
must losetup -d "$archive_b"

# --- containers --------------------------------------------------------------
small_ct() { # ID NAME ROOTFS [MP0]
	{
		printf 'arch: amd64\ncores: 1\nfeatures: nesting=1\nhostname: %s\nmemory: 512\n' "$2"
		[ -z "${4:-}" ] || echo "mp0: $4,mp=/srv,backup=1,size=8M"
		printf 'net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:5C:00:%s,ip=dhcp,type=veth\n' "${1#2}"
		printf 'ostype: debian\nrootfs: %s,size=8M\nswap: 512\nunprivileged: 1\n' "$3"
	} | conf_ct "$1"
}
for lv in vm-200-disk-0 vm-201-disk-0 vm-201-disk-1 vm-203-disk-0; do thin_create pve/data $lv; done
for lv in vm-202-disk-0 vm-202-disk-1 vm-206-disk-0; do lv_create vg_san $lv; done
small_ct 200 proxy01 local-lvm:vm-200-disk-0
small_ct 201 pihole local-lvm:vm-201-disk-0 local-lvm:vm-201-disk-1
small_ct 202 postgres-test san-lun1:vm-202-disk-0 san-lun1:vm-202-disk-1
small_ct 203 gitlab-runner local-lvm:vm-203-disk-0
small_ct 204 wiki local:204/vm-204-disk-0.raw
mv /etc/pve/lxc/204.conf /etc/pve/nodes/pve2/lxc/
small_ct 205 vaultwarden local-lvm:vm-205-disk-0
mv /etc/pve/lxc/205.conf /etc/pve/nodes/pve3/lxc/
small_ct 206 unifi san-lun1:vm-206-disk-0
fake_running_ct 200 /dev/mapper/pve-vm--200--disk--0
fake_running_ct 201 /dev/mapper/pve-vm--201--disk--0
fake_running_ct 202 "/dev/mapper/$(san vm-202-disk-0)"

# --- what other nodes did ----------------------------------------------------
behind_back lvremove -f vg_san/vm-117-disk-0 # a guest that is gone
behind_back lvremove -f vg_san/vm-107-disk-0
lv_create_behind vg_san vm-107-disk-0
for id in 103 104; do
	next_extents vg_san 2
	behind_back lvextend -l +2 vg_san/vm-$id-disk-0 "$extents"
done
behind_back lvreduce -f -l -1 vg_san/vm-105-disk-0
next_extents vg_san 1
behind_back lvextend -l +1 vg_san/vm-105-disk-0 "$extents"
behind_back lvrename vg_san vm-110-disk-0.qcow2 snap_vm-110-disk-0_v2.qcow2
lv_create_behind vg_san vm-110-disk-0.qcow2
# 116 and 118: volumes nobody refers to; 118 is older than a day
edit_metadata_behind vg_san '/vm-118-disk-0 \{/,/^\t\t\}/ s/(creation_time = )[0-9]+/\11760000000/'

# --- by hand -----------------------------------------------------------------
hand=$(mk_disk hand 16m)
must dmsetup create test--vm--999--disk--0 --table "0 2048 linear $hand 0"
must dmsetup create "$(san vm-121-disk-0)-copy" --table "$(dmsetup table "$(san vm-121-disk-0)")"
mk_partition "$(san vm-113-disk-0)"

# --- what the array says -----------------------------------------------------
array_says() {
	mkdir -p /run/pvewarden/array
	cat >/run/pvewarden/array/array.json <<-END
		{"schema": "pvewarden.array/1", "time": "$(date -u +%Y-%m-%dT%H:%M:%SZ)", "node": "pve1",
		 "maps": [
		  {"wwid": "3624a9370$lun_a", "volume": "san-lun1", "state": "connected"},
		  {"wwid": "3624a9370$lun_b", "volume": "pve-vg/vm-120-disk-0", "state": "gone"}]}
	END
	chmod 640 /run/pvewarden/array/array.json
	chgrp www-data /run/pvewarden/array/array.json
}

check "12 VMs or more" test "$(find /etc/pve/nodes -path '*qemu-server/*.conf' | wc -l)" -ge 12
check "6 CTs or more" test "$(find /etc/pve/nodes -path '*lxc/*.conf' | wc -l)" -ge 6
check "array volume by its WWID" same "$(dm_uuid 3624a9370$lun_b)" mpath-3624a9370$lun_b
check "vg_archive misses a disk" same \
	"$(lvs --readonly --noheadings -o vg_missing_pv_count vg_archive/vm-119-disk-0 2>/dev/null | tr -d ' ')" 1

# --- the live answer ---------------------------------------------------------
array_says
check_json --all
cp $JSON /out/live.json 2>/dev/null
expect_exit 2
for class in ok ghost stale-table renamed duplicate manual foreign copy unreferenced leftover array-gone busy \
	unknown infrastructure; do
	expect "there is one of class $class" '[.findings[], .mappings[] | select(.class == $c)] != []' --arg c $class
done
expect_class "$(san vm-117-disk-0)" ghost warning
expect_class "$(san vm-107-disk-0)" ghost critical
expect_class "$(san vm-103-disk-0)" stale-table critical
expect_class "$(san vm-104-disk-0)" stale-table warning
expect_class "$(san vm-105-disk-0)" stale-table critical
expect_class "$(san vm-110-disk-0.qcow2)" renamed critical
expect_class "$(san vm-121-disk-0)-copy" duplicate critical
expect_class test--vm--999--disk--0 manual warning
expect_class "$(san vm-108-disk-0)" foreign warning
expect_class "$(san vm-109-disk-0)" busy notice
expect_class "$(san vm-116-disk-0)" busy notice
expect_class "$(san vm-118-disk-0)" unreferenced warning
expect_class "$(san vm-102-disk-0)" leftover notice
expect_class "$(san vm-206-disk-0)" leftover notice
expect_class vg_fast-vm--114--disk--0 copy notice
expect_class vg_archive-vm--119--disk--0 unknown unknown
expect_class 3624a9370$lun_b array-gone warning '(.remedy | test("array reap"))'
expect_no_finding 3624a9370$lun_a infrastructure
expect_no_finding "$(san vm-9999-pvc-6f1d1b8e-52a2-4c1f-9a3e-0d9f5b6c7a81)"

# --- recorded, and looked at again -------------------------------------------
if [ -n "$STATES_ONLY" ]; then
	would "the recording answers as the live node"
	done_testing
	exit 0
fi
same_json() { # TEXT FILE FILE: all but the time, and ages counted from it
	local f=$V/diff but='del(.time, .recorded) | walk(if type == "string" then sub("only [0-9dhms]+ old"; "young") else . end)'
	jq -S "$but" "$2" >$f.a
	jq -S "$but" "$3" >$f.b
	if diff -u $f.a $f.b >$f && [ -s $f.a ]; then
		result ok "$1"
	else
		result "not ok" "$1"
		head -n 40 $f | diag
	fi
}
"$PVEWARDEN" dm check --color never >/out/check.txt 2>&1 # for people to read
rm -rf /out/node
array_says
check "capture" "$PVEWARDEN" capture /out/node
if [ -d /out/node ]; then
	label="the recording"
	"$PVEWARDEN" --root /out/node dm check --all --format json >$V/recorded.json 2>$V/check.err
	STATUS=$?
	expect_exit 2
	same_json "the recording gives the live answer" /out/live.json $V/recorded.json
	"$PVEWARDEN" dm check --min-age 0 --policy running --format json >$V/live.json 2>/dev/null
	"$PVEWARDEN" --root /out/node dm check --min-age 0 --policy running --format json >$V/recorded.json 2>/dev/null
	same_json "and so with other options" $V/live.json $V/recorded.json
	for what in guests storages volumes node cluster; do
		"$PVEWARDEN" facts $what --format json >$V/live.json 2>/dev/null
		"$PVEWARDEN" --root /out/node facts $what --format json >$V/recorded.json 2>/dev/null
		same_json "facts $what too" $V/live.json $V/recorded.json
	done
	refuse "no secret is in it" grep -rlE 'secret' /out/node
	check "small enough for a tree ($(du -sk /out/node | cut -f1) KiB)" test "$(du -sk /out/node | cut -f1)" -lt 2048
	chmod -R u+rwX,go+rX /out/node
fi

done_testing
