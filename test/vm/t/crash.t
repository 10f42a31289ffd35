# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Killed with SIGKILL at every step: whatever the moment, each mapping is there just
# as it was or gone, what is gone stands in the undo journal, nobody holds a lock,
# and a second run finishes. strace delivers the signal at the N-th call of a kind:
# here and there, or at every one of them with VM_FULL=1 (ten minutes).
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

LOCK="--lock-time 15000"
UNDO=/var/lib/pvewarden/dm/undo

mk_pve pve1 pve2
storage_cfg <<-END
	lvm: san
		vgname vg_san
		shared 1
END
mk_vg vg_san "$(mk_disk san 512m)"
san() { dm_name vg_san "vm-$1-disk-0"; }

lv_create vg_san vm-101-disk-0
conf_disk 101 scsi0=san:vm-101-disk-0
fake_running_vm 101 "/dev/mapper/$(san 101)"
# One of each way to act: a ghost with a partition, and one that LVM deactivates.
lv_create vg_san vm-110-disk-0
mk_partition "$(san 110)"
ghost_uuid=$(dm_uuid "$(san 110)")
ghost_table=$(dmsetup table "$(san 110)")
part_uuid=$(dm_uuid "$(san 110)p1")
behind_back lvremove -f vg_san/vm-110-disk-0
lv_create vg_san vm-111-disk-0
conf_disk 111 scsi0=san:vm-111-disk-0
mv /etc/pve/qemu-server/111.conf /etc/pve/nodes/pve2/qemu-server/
pve_index
udevadm settle

# Back to where every run begins.
reset() {
	dm_has "$(san 110)" >/dev/null 2>&1 ||
		must dmsetup create "$(san 110)" --uuid "$ghost_uuid" --table "$ghost_table"
	dm_has "$(san 110)p1" >/dev/null 2>&1 ||
		must dmsetup create "$(san 110)p1" --uuid "$part_uuid" \
			--table "0 4096 linear /dev/mapper/$(san 110) 2048"
	must lvchange -q -aly vg_san/vm-111-disk-0
	rm -rf $UNDO
	udevadm settle
}

state() { # NAME -> its whole state but for the number of its device
	dmsetup info -c --noheadings --separator ' ' -o name,uuid,attr "$1" 2>/dev/null || echo gone
	dmsetup table "$1" 2>/dev/null | sed 's/254:[0-9]*/DM/'
}
declare -A whole
reset
names=("$(san 110)" "$(san 110)p1" "$(san 111)")
for name in "${names[@]}"; do
	whole[$name]=$(state "$name")
done
running=$(state "$(san 101)")

# Everything that must hold after a kill; says what does not.
holds() {
	local name now
	for name in "${names[@]}"; do
		now=$(state "$name")
		[ "$now" = "${whole[$name]}" ] && continue
		[ "$now" = gone ] || { echo "$name is half done: $now"; return 1; }
		cat $UNDO/*.jsonl 2>/dev/null | grep '"record": "intent"' | grep -q "\"name\": \"$name\"" ||
			{ echo "$name is gone, and the undo journal does not have it"; return 1; }
	done
	[ "$(state "$(san 101)")" = "$running" ] || { echo "the running guest's mapping has changed"; return 1; }
	local file
	for file in "$(vm_lock 110)" "$(vm_lock 111)" /run/pvewarden/dm/clean.lock; do
		[ ! -e "$file" ] || flock -n "$file" true || { echo "$file is still locked"; return 1; }
	done
}

# The run itself is traced, not what it starts: when=N counts the calls of one process.
strace_run() { # STRACE-OPTION... -- COMMAND...
	local options=()
	while [ "$1" != -- ]; do options+=("$1") && shift; done
	shift
	(timeout 120 strace -o $V/strace "${options[@]}" "$@" >$V/run.out 2>&1 </dev/null) 2>/dev/null
}

wait_for_children() { # a worker or an lvchange that was under way ends by itself
	for _ in $(seq 100); do
		pgrep -f 'pvewarden dm |lvm lvchange' >/dev/null || break
		sleep 0.1
	done
	udevadm settle
}

look_after_kill() { # LABEL: says what does not hold; false then
	wait_for_children
	if ! holds >$V/holds; then
		echo "$1:" && cat $V/holds $V/run.out
		return 1
	fi
	if ! finish >$V/finish 2>&1 || ! done_right; then
		echo "$1, the second run:" && cat $V/finish
		return 1
	fi
}

kill_at_each() { # LABEL SYSCALL STEP COMMAND...: at the 1st, 1+STEPth, ... call, until there are no more
	local label=$1 call=$2 step=$3 n bad=0 killed=0
	shift 3
	for ((n = 1; n < 1000; n += step)); do
		reset_for
		strace_run -e "trace=$call" -e "inject=$call:signal=KILL:when=$n" -- "$@"
		grep -q 'killed by SIGKILL' $V/strace || break
		killed=$((killed + 1))
		look_after_kill "killed at $call $n" >$V/look || { bad=$((bad + 1)) && diag <$V/look; }
	done
	check "$label: killed at $call, $killed times up to its end: nothing is half done, a second run finishes" \
		test "$bad" -eq 0 -a "$killed" -gt 0
}

kill_workers() { # LABEL COMMAND...: each worker dies before it acts (only workers call dup2)
	local label=$1
	shift
	reset_for
	strace_run -f -e trace=dup2 -e inject=dup2:signal=KILL:when=1 -- "$@"
	check "$label: workers were killed" grep -q 'killed by SIGKILL' $V/strace
	check "$label: and a second run finishes" look_after_kill "killed workers"
}

step() { [ -n "${VM_FULL:-}" ] && echo 1 || echo "$1"; }

# --- clean ---------------------------------------------------------------------
reset_for() { reset; }
finish() { "$PVEWARDEN" dm clean --yes $LOCK </dev/null; }
done_right() {
	! dm_has "$(san 110)" && ! dm_has "$(san 110)p1" && ! dm_has "$(san 111)"
} >/dev/null 2>&1
clean=("$PVEWARDEN" dm clean --yes $LOCK)
kill_at_each clean fsync "$(step 5)" "${clean[@]}"
kill_at_each clean flock "$(step 6)" "${clean[@]}"
kill_at_each clean ioctl "$(step 40)" "${clean[@]}"
kill_at_each clean wait4 "$(step 15)" "${clean[@]}"
kill_workers clean "${clean[@]}"

# --- restore -------------------------------------------------------------------
reset
"$PVEWARDEN" dm clean --yes $LOCK >/dev/null </dev/null
run=$(basename "$(ls $UNDO/*.jsonl)" .jsonl)
cp -a $UNDO $V/undo.kept
reset_for() { # all of it gone, the journal as cleaning left it
	"$PVEWARDEN" dm clean --yes $LOCK >/dev/null </dev/null
	rm -rf $UNDO
	cp -a $V/undo.kept $UNDO
	udevadm settle
}
finish() { "$PVEWARDEN" dm restore "$run" --yes --yes-restore-ghost $LOCK </dev/null; }
done_right() {
	local name
	for name in "${names[@]}"; do
		[ "$(state "$name")" = "${whole[$name]}" ] || return 1
	done
}
# A mapping that is being made may stand there without its table for a moment: the second run has to
# make it whole.
holds() {
	[ "$(state "$(san 101)")" = "$running" ]
}
restore=("$PVEWARDEN" dm restore "$run" --yes --yes-restore-ghost $LOCK)
kill_at_each restore fsync "$(step 4)" "${restore[@]}"
kill_at_each restore ioctl "$(step 40)" "${restore[@]}"
kill_at_each restore wait4 "$(step 11)" "${restore[@]}"
kill_workers restore "${restore[@]}"

done_testing
