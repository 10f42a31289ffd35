# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Blind is not clean: whatever cannot be seen is "unknown" with the reason and exit
# status 3, nothing of what it concerns is called an orphan, and only that.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

node_files() {
	mk_pve pve1 pve2 pve3
	storage_cfg <<-END
		lvm: san
			vgname vg_san
			shared 1

		lvm: two
			vgname vg_two
	END
	conf_disk 401 scsi0=san:vm-401-disk-0
	conf_disk 402 scsi0=san:vm-402-disk-0
	conf_disk 411 scsi0=two:vm-411-disk-0
}

blind() { # TEXT: the last check was blind as a whole
	expect_exit 3
	expect "$1: says so" '.answer == "unknown" and (.blind | length) > 0 and .score == null and .grade == null' ||
		jq -c '{answer, blind, score, grade}' $JSON | diag
	expect "$1: nothing is called an orphan" '[.findings[] | select(.class != "unknown" and .class != "busy")] == []' ||
		jq -c '[.findings[] | {name, class}]' $JSON | diag
}

mk_vg vg_san "$(mk_disk san 256m)"
first=$(mk_disk two-a 64m)
second=$(mk_disk two-b 64m)
mk_vg vg_two "$first" "$second"
node_files
for id in 401 402 403; do
	lv_create vg_san vm-$id-disk-0
done
lv_create vg_two vm-411-disk-0
lv_create vg_two vm-412-disk-0
behind_back lvremove -f vg_san/vm-402-disk-0 # a ghost, when it can be seen
fake_running_vm 401
fake_running_vm 411

check_json --all --min-age 0
expect_exit 1
expect_class vg_san-vm--402--disk--0 ghost warning
expect_class vg_san-vm--403--disk--0 unreferenced warning

# --- /etc/pve ----------------------------------------------------------------
set_noquorum
check "no quorum: nothing may write" same "$(stat -c %A /etc/pve/local | tr -d rxdl-)" ""
check_json --all --min-age 0
blind "no quorum"
set_quorum

chmod 0 /etc/pve/storage.cfg
mv /etc/pve/storage.cfg $V/
check_json --all --min-age 0
blind "storage.cfg missing"
mkdir /etc/pve/storage.cfg
check_json --all --min-age 0
blind "storage.cfg cannot be read"
rmdir /etc/pve/storage.cfg
mv $V/storage.cfg /etc/pve/
chmod 640 /etc/pve/storage.cfg

# pmxcfs not mounted: the directory is there and empty
mv /etc/pve $V/pve
mkdir /etc/pve
NO_INDEX=1
check_json --all --min-age 0
blind "/etc/pve is empty"
rmdir /etc/pve
mv /usr/share/perl5/PVE/pvecfg.pm $V/
check_json --all --min-age 0 2>/dev/null
expect_exit 3
rm -rf /etc/pve
mv $V/pve /etc/pve
NO_INDEX=
mv $V/pvecfg.pm /usr/share/perl5/PVE/

# --- lvm ---------------------------------------------------------------------
echo 'global { unbalanced = ' >/etc/lvm/lvmlocal.conf
refuse "lvm fails" lvs
check_json --all --min-age 0
blind "lvm fails"
cp $V/lvmlocal.conf /etc/lvm/

lvm=$(readlink -f "$(command -v lvm)")
cp "$lvm" $V/lvm
printf '#!/bin/sh\nexec sleep 100\n' >$V/slow
install -m 755 $V/slow "$lvm"
start=$(date +%s)
check_json --all --min-age 0
blind "lvm does not answer"
expect "answered after $(($(date +%s) - start)) s" "$(($(date +%s) - start)) < 20"
printf '#!/bin/sh\necho "{\\"report\\": [ {\\"vg\\": [ {\\"vg_name\\":\\"vg_s"\n' >$V/torn
install -m 755 $V/torn "$lvm"
check_json --all --min-age 0
blind "lvm's answer is torn"
install -m 755 $V/lvm "$lvm"
check "lvm is back" lvs

# --- not root, not Proxmox ---------------------------------------------------
if [ -n "$STATES_ONLY" ]; then
	would "exit 77 as nobody"
else
	setpriv --reuid 65534 --regid 65534 --clear-groups "$PVEWARDEN" dm check >$V/out 2>$V/err
	STATUS=$? label="as nobody"
	expect_exit 77
	check "and a sentence" grep -q 'root' $V/err
	check "but no answer" same "$(cat $V/out)" ""
fi

# --- a VG with a missing PV: only that VG ------------------------------------
check "a running guest's mapping is on the first disk only" same \
	"$(dmsetup deps -o devname vg_two-vm--411--disk--0)" "1 dependencies	: (${first#/dev/})"
must losetup -d "$second"
check "PV is missing" same "$(lvs --readonly --noheadings -o vg_missing_pv_count vg_two/vm-411-disk-0 2>/dev/null | tr -d ' ')" 1
check_json --all --min-age 0
expect_exit 3
expect_class vg_two-vm--411--disk--0 unknown unknown
expect_class vg_two-vm--412--disk--0 unknown unknown
expect_class vg_san-vm--402--disk--0 ghost warning
expect_no_finding vg_san-vm--401--disk--0
expect "not graded" '.score == null and .grade == null'

# a critical beats it
lv_create_behind vg_san vm-402-disk-0
check_json --all --min-age 0
expect_class vg_san-vm--402--disk--0 ghost critical
expect_exit 2
behind_back lvremove -f vg_san/vm-402-disk-0

# --- the missing PV's VG is no storage's: nobody's business ------------------
storage_cfg <<-END
	lvm: san
		vgname vg_san
		shared 1
END
rm /etc/pve/qemu-server/411.conf
check_json --all --min-age 0
expect_exit 1

# --- two VGs of one name -----------------------------------------------------
twin=$(mk_disk twin 64m)
must vgcreate -q -s 4m --devices "$twin" vg_twin "$twin"
must lvcreate -q -W n -Z n -aly -l 2 --devices "$twin" -n vm-401-disk-9 vg_twin
must dmsetup rename vg_twin-vm--401--disk--9 vg_san-vm--401--disk--9
without_dev vg_san behind_back vgrename --devices "$twin" vg_twin vg_san
check "two VGs are called vg_san" same "$(vgs --readonly --noheadings -o vg_name 2>/dev/null | grep -c vg_san)" 2
check_json --all --min-age 0
expect_exit 3
expect_class vg_san-vm--401--disk--9 unknown unknown

done_testing
