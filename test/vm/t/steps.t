# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# How cleaning goes about it: the order of journal, locks and acts, what exactly is
# asked of the kernel and of LVM, who waits for whom, and the talk with a person.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

mk_pve pve1 pve2
storage_cfg <<-END
	lvm: san
		vgname vg_san
		shared 1
END
mk_vg vg_san "$(mk_disk san 256m)"
lvs_at_once vg_san vm-{101,102,103,104,120,121}-disk-0
hand=$(pv_of vg_san) # with an identity, so that it can be restored
san() { dm_name vg_san "vm-$1-disk-0"; }
conf_disk 101 scsi0=san:vm-101-disk-0
fake_running_vm 101 "/dev/mapper/$(san 101)"
mk_partition "$(san 102)"
for id in 102 103 104; do
	behind_back lvremove -f vg_san/vm-$id-disk-0
done
for id in 120 121; do
	conf_disk $id scsi0=san:vm-$id-disk-0
	mv /etc/pve/qemu-server/$id.conf /etc/pve/nodes/pve2/qemu-server/
done
by_hand() { # N: three entries made by hand
	local n
	for n; do
		must dmsetup create "test--vm--999--disk--$n" --table "0 2048 linear $hand $((409600 + n * 2048))"
	done
}
by_hand 1
must dmsetup create test--vm--998--disk--0 -u by-hand --table "0 2048 linear $hand 450560"
udevadm settle
pve_index
would "the order of things, who waits, the dialogue" && { done_testing; exit 0; }

# =============================================================================
# One run under strace, with a journal daemon and an lvm that looks who has a
# guest's lock file open.
lvm=$(readlink -f "$(command -v lvm)")
install -m 755 "$lvm" $V/lvm
cat >$V/looking <<-END
	#!/bin/bash
	[ "\$1" != lvchange ] || ls -l /proc/[0-9]*/fd 2>/dev/null |
		awk '/^\/proc/ {p = \$1} /lock-|pve-config-|clean.lock/ {print p, \$NF}' >>$V/open-locks
	exec -a lvm $V/lvm "\$@"
END
install -m 755 $V/looking "$lvm"
"$TREE/test/vm/journald" $V/journald &
echo $! >>$V/pids
disown
for _ in $(seq 50); do [ -S /run/systemd/journal/socket ] && break; sleep 0.1; done

declare -A uuid=() table=()
for name in "$(san 102)" "$(san 102)p1" "$(san 103)" "$(san 104)" "$(san 120)" "$(san 121)"; do
	uuid[$name]=$(dm_uuid "$name")
	table[$name]=$(dmsetup table "$name")
done
strace -f --seccomp-bpf -qq -ttt -y -v -s 400 -e signal=none -o $V/strace \
	-e trace=ioctl,flock,fsync,execve,clone,clone3,fork,vfork \
	"$PVEWARDEN" dm clean --yes --lock-time 30000 --format json >$JSON 2>$V/check.err </dev/null
STATUS=$? label="dm clean --yes under strace"
install -m 755 $V/lvm "$lvm"
cp $V/strace "/out/$NAME.strace"
"$TREE/test/vm/acts" $V/strace >$V/acts
cp $V/acts "/out/$NAME.acts"
expect_exit 0
expect "seven are cleaned" '.cleaned == 7'

removes() { grep -E '^[0-9.]+ [0-9]+ remove' $V/acts; }
check "six removals" same "$(removes | wc -l)" 6
refuse "none is deferred" grep DM_DEFERRED_REMOVE $V/acts
refuse "none by device number" grep -E 'remove ioctl\(.*DM_DEV_REMOVE, \{[^}]*dev=' $V/acts
for name in "$(san 102)" "$(san 102)p1" "$(san 103)" "$(san 104)"; do
	check "$name goes by its UUID" grep -q "uuid=\"${uuid[$name]}\"" <(removes)
done
check "only the one without a UUID goes by its name" same \
	"$(removes | grep -o ' name="[^"]*"')" ' name="test--vm--999--disk--1"'
refuse "and no request has both" grep -E 'DM_DEV_REMOVE, \{[^}]*name="[^"]+"[^}]*uuid="[^"]+"' $V/acts
check "the partition goes before its disk" same \
	"$(removes | grep -o 'uuid="[^"]*'"${uuid[$(san 102)]#LVM-}" | cut -c7-10 | tr '\n' ' ')" "part LVM- "

# Between the locks: nothing but the acts. Before them: the journal is on disk.
awk -v locks=0 '
	$3 == "journal" || $3 == "folder" { if (locks) bad("the disk is waited for under a lock"); synced = 1 }
	$3 == "lock" { locks++; if (!synced) bad("no journal before " $4); began = locks == 1 ? $1 : began }
	$3 == "unlock" { locks--; if (!locks) { print "held " int(($1 - began) * 1000); synced = 0 } }
	$3 == "remove" { if (locks != 2) bad("remove under " locks " locks") }
	/start .usr.sbin.lvm lvchange/ { if (locks != 2) bad("lvchange under " locks " locks") }
	/fullreport/ { if (locks) bad("a report under a lock") }
	function bad(text) { print "bad line " NR ": " text }
	END { if (locks) print "bad: a lock is left" }' $V/acts >$V/order
refuse "journal, locks, act, locks: in that order" grep bad $V/order
check "seven times" same "$(grep -c held $V/order)" 7
echo "# locks held under strace, ms: $(sed -n 's/held //p' $V/order | tr '\n' ' ')"
echo "# processes: $(grep -c "^[0-9.]* $(awk 'NR == 1 {print $2}' $V/acts) fork " $V/acts) for 7 mappings and a partition, of these lvm: $(grep -c ' start /usr/sbin/lvm' $V/acts)"
check "each lvchange on the disks of the group alone" same \
	"$(grep ' start /usr/sbin/lvm lvchange' $V/acts | grep -v -- "--devices $(pv_of vg_san) --select vg_uuid=")" ""
check "two volumes are deactivated by their UUID" same \
	"$(grep ' start /usr/sbin/lvm lvchange' $V/acts | grep -o 'lv_uuid=.*' | tr -d '\\"-' | sort)" \
	"$(for id in 120 121; do echo "lv_uuid=$(lv_field vg_san/vm-$id-disk-0 lv_uuid | tr -d -)"; done | sort)"
check "no child has a guest's lock file open while lvchange runs" same \
	"$(cut -d' ' -f1 $V/open-locks | sort -u | wc -l)" 1
check "the locks are Proxmox' own" same "$(grep -o '/run/lock/.*' $V/open-locks | sort -u | head -n2 | tr '\n' ' ')" \
	"$(ct_lock 120) $(ct_lock 121) "
check "the lock files stay, with Proxmox' mode" same "$(stat -c %a "$(vm_lock 120)" "$(ct_lock 120)" | tr '\n' ' ')" "644 644 "

# --- the system's journal ----------------------------------------------------
record() { # TEXT CONDITION NAME
	check "journald: $1" jq -es --arg n "$3" "[.[] | select(.PVEWARDEN_NAME == \$n)] | length == 1 and (.[0] | $2)" $V/journald
}
record "a removal" '.PVEWARDEN_RESULT == "cleaned" and .PVEWARDEN_CLASS == "ghost" and .PVEWARDEN_VMID == "103" and
	.PVEWARDEN_STEP == "remove" and .PVEWARDEN_WHO != null and .SYSLOG_IDENTIFIER == "pvewarden" and
	.PVEWARDEN_UUID == "'"${uuid[$(san 103)]}"'" and .PVEWARDEN_TABLE == "'"${table[$(san 103)]}"'" and
	.PVEWARDEN_UNDO == "'"$(last_run)"'"' "$(san 103)"
record "a deactivation" '.PVEWARDEN_RESULT == "cleaned" and .PVEWARDEN_STEP == "deactivate"' "$(san 120)"
check "and the whole run" jq -es 'any(.MESSAGE == "dm clean: 7 cleaned, 0 skipped, 0 failed, 0 left")' $V/journald

# --- others at work ----------------------------------------------------------
# Proxmox takes the guest's lock after our look and before us: what syncs the
# journal is held up for two seconds, in which that happens.
must lvchange -q -aly vg_san/vm-120-disk-0
held_up() { # SECONDS: a run whose fifth fsync, that of the intent, takes that long
	rm -rf $UNDO
	strace -f --seccomp-bpf -qq -o /dev/null -e trace=fsync -e signal=none \
		-e inject=fsync:delay_enter=${1}000000:when=5 \
		"$PVEWARDEN" dm clean --yes --vmid 120 $SLOW --format json >$JSON 2>$V/check.err </dev/null &
	runner=$!
	for _ in $(seq 200); do
		grep -q '"intent"' $UNDO/* 2>/dev/null && return
		sleep 0.1
	done
	result "not ok" "prepare: the run did not come to its intent"
}
held_up 6
hold_flock "$(vm_lock 120)"
begin=$(date +%s)
wait $runner
STATUS=$? label="a lock that stays"
expect_exit 1
expect_item "$(san 120)" skipped '.reason == "somebody works on VM 120 (its lock is held)"'
check "it was waited for as Proxmox does" [ $(($(date +%s) - begin)) -ge 9 ]
check "the mapping is there" dm_has "$(san 120)"
check "the undo journal says that nothing was done" same "$(jq -r .record $UNDO/*.jsonl | tail -n1)" skipped
stop_actor "$actor_pid"
held_up 6
hold_flock "$(ct_lock 120)"
sleep 8
stop_actor "$actor_pid"
wait $runner
STATUS=$? label="a lock that is given back"
expect_exit 0
expect_item "$(san 120)" cleaned

# Two runs at once.
must lvchange -q -aly vg_san/vm-120-disk-0
held_up 12
first=$(pgrep -x pvewarden)
"$PVEWARDEN" dm clean --yes >$V/text 2>&1 </dev/null
STATUS=$? label="a second run"
expect_exit 1
check "it says who is at work" grep -q "another run is at work: pid $first, since " $V/text
"$PVEWARDEN" dm clean --yes --wait 60s $SLOW >$V/text 2>&1 </dev/null
STATUS=$? label="a second run with --wait"
check "the first one has ended" [ ! -d "/proc/$first" ]
expect_exit 0
check "and left nothing" grep -q "Nothing to clean" $V/text
wait $runner

# --- the dialogue ------------------------------------------------------------
by_hand 2 3 4
talk() { # REPLIES OPTION...
	local replies=$1
	shift
	label="dialogue '$replies'"
	# shellcheck disable=SC2086
	"$TREE/test/vm/answer" "$replies" "$PVEWARDEN" dm clean $SLOW "$@" >$V/text 2>&1
	STATUS=$?
	checks=$((checks + 1))
	tr -d "\r" <$V/text >"/out/$NAME.$checks.txt"
	refuse "$label: every question had an answer and every answer a question" grep -E 'UNEXPECTED|REPLIES LEFT' $V/text
}
there() { dmsetup ls | sed -n 's/^test--vm--999--disk--\([0-9]\).*/\1/p' | sort | tr -d '\n'; }
talk ""
expect_exit 1
check "an empty answer to 'begin?' is no" grep -q "No changes made" $V/text
talk EOF
expect_exit 1
check "so is the end of the input" same "$(there)" 234
talk "y||n|"
expect_exit 0
check "an empty answer is no, for each" same "$(there)" 234
check "the closing line counts them" grep -q "0 cleaned, 0 skipped, 0 failed, 3 left" $V/text
talk "y|n|y|EOF"
check "only what was said yes to is gone, EOF quits" same "$(there)" 24
talk "y|q"
check "q quits" same "$(there)" 24
by_hand 1
talk "y|n|a"
check "a: this and all that follow" same "$(there)" 1
talk "y|yes"
check "yes is yes" same "$(there)" ""
check "a fresh check at the end" grep -q "OK.* - pve1: grade A" $V/text
"$TREE/test/vm/answer" y "$PVEWARDEN" dm restore "$(last_run)" >"/out/$NAME.restore.txt" 2>&1
check "restore asks as well" same "$(there)" 1
by_hand 2
"$PVEWARDEN" dm clean --format json >$V/text 2>&1
check "JSON and questions do not go together" [ $? -eq 64 ]

done_testing
