# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# What hangs must not hang us: a pmxcfs that never answers (a real FUSE mount that nobody serves), and
# an lvm process of an earlier check that still sits in the kernel.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

mk_pve pve1 pve2
storage_cfg <<-END
	lvm: san
		vgname vg_san
END
conf_disk 401 scsi0=san:vm-401-disk-0
mk_vg vg_san "$(mk_disk san 64m)"
lv_create vg_san vm-401-disk-0
fake_running_vm 401

# --- an lvm process that an earlier check left behind ------------------------
sleep 1000 &
stuck=$!
mkdir -p /run/pvewarden/dm
echo "$stuck $(awk '{print $22}' /proc/$stuck/stat)" >/run/pvewarden/dm/lvm-hangs
check_json --all
expect_exit 3
expect "says which process hangs" '.blind | any(contains("pid '$stuck'"))'
expect "nothing is called an orphan" '[.findings[] | select(.class != "unknown")] == []'
kill $stuck
wait $stuck 2>/dev/null
check_json --all
expect_exit 0
expect "all is well once it has ended" '.findings == []'
rm -r /run/pvewarden

# --- a pmxcfs that hangs -----------------------------------------------------
must modprobe fuse
mkdir -p $V/pve-kept
cp -a /etc/pve/. $V/pve-kept/
python3 - <<-'END' &
	import ctypes, os, time
	fd = os.open("/dev/fuse", os.O_RDWR)
	libc = ctypes.CDLL(None, use_errno=True)
	options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
	if libc.mount(b"frozen", b"/etc/pve", b"fuse", 0, options.encode()) != 0:
	    raise OSError(ctypes.get_errno(), "mount")
	time.sleep(1000)
END
server=$!
for _ in $(seq 100); do
	grep -q ' /etc/pve fuse' /proc/mounts && break
	sleep 0.1
done
check "/etc/pve hangs" grep -q ' /etc/pve fuse' /proc/mounts
if [ -z "$STATES_ONLY" ]; then
	begin=$SECONDS
	timeout -s KILL 120 "$PVEWARDEN" dm check --format json >$JSON 2>/dev/null </dev/null
	STATUS=$? label="a frozen /etc/pve"
	check "ended by itself within 45 s" [ $((SECONDS - begin)) -le 45 ]
	expect_exit 3
	expect "says that it could not tell, and why" \
		'.schema == "pvewarden.dm/1" and .answer == "unknown" and (.blind | any(contains("/etc/pve")))'
	timeout -s KILL 120 "$PVEWARDEN" dm check >$V/text 2>/dev/null </dev/null
	check "as text too" [ $? -eq 3 ]
	check "in one line for monitoring" grep -q '^UNKNOWN - could not tell: ' $V/text
fi
kill $server
wait $server 2>/dev/null
umount -l /etc/pve
check "and /etc/pve is back" test -e /etc/pve/storage.cfg
done_testing
