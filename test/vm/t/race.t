# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Cleaning, over and over, while guests arrive, start, run, stop and leave under
# Proxmox' own locks, while disks are opened and closed and entries are made anew:
# no wanted mapping is ever removed. 15 times; VM_FULL=1 in the environment of
# test/vm/run for 200, which takes a quarter of an hour.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"

mk_pve pve1 pve2
storage_cfg <<-END
	lvm: san
		vgname vg_san
		shared 1
END
mk_vg vg_san "$(mk_disk san 256m)"
spare=$(mk_disk spare 16m)
for id in 201 202 203; do
	lv_create vg_san vm-$id-disk-0
	conf_disk $id scsi0=san:vm-$id-disk-0
done
for id in 201 203; do
	mv /etc/pve/qemu-server/$id.conf /etc/pve/nodes/pve2/qemu-server/
done
install -m 755 "$ACTOR" /usr/bin/kvm
pve_index

# In memory, as /etc/pve is: a config is in one folder or in the other at any moment.
python3 "$TREE/test/vm/race.py" $V/race.stop $V/race.out "$spare" &
race=$!
echo $race >>$V/pids
cleaned=0 skipped=0 failed=0 bad=0 untold=0 late=0
runs=${RACE_RUNS:-$([ -n "${VM_FULL:-}" ] && echo 200 || echo 15)}
each=("--vmid 201" "--vmid 202" "--only manual" "")
for n in $(seq "$runs"); do
	# shellcheck disable=SC2086
	timeout 60 "$PVEWARDEN" dm clean --yes --policy running --format json --lock-time 5000 \
		${each[n % 4]} >$V/race.json 2>$V/race.err </dev/null
	status=$?
	# 3: a config moved just while it was read, and so nothing was done.
	[ $status -ne 3 ] || untold=$((untold + 1))
	# 2: LVM was held up by another LVM command for longer than the lock may be held.
	[ $status -ne 2 ] || ! jq -e '[.items[] | select(.result == "failed")] | all(.reason | test("in time"))' $V/race.json >/dev/null || {
		late=$((late + 1))
		status=0
	}
	[ $status -le 1 ] || [ $status -eq 3 ] || { bad=$((bad + 1)); { echo "run $n: $status"; cat $V/race.err; jq -c '.items[] | select(.result == "failed")' $V/race.json; } | diag; }
	read -r c s f < <(jq -r '"\(.cleaned) \(.skipped) \(.failed)"' $V/race.json)
	cleaned=$((cleaned + ${c:-0})) skipped=$((skipped + ${s:-0})) failed=$((failed + ${f:-0}))
done
touch $V/race.stop
wait $race
sed -i "/^$race\$/d" $V/pids
echo "# $runs runs: $cleaned cleaned, $skipped skipped, $failed failed, $untold times it could not tell, $late times LVM was late; $(head -n1 $V/race.out)"
check "no run ended badly" test $bad -eq 0
check "nothing that was wanted went away" same "$(grep -c '^harm' $V/race.out)" 0
grep '^harm' $V/race.out | head -n 20 | diag
check "much was cleaned meanwhile" test $cleaned -ge $((runs / 5))
check "guests started, and some found their volume deactivated" \
	grep -Eq 'starts=[1-9][0-9]* .*gone_at_start=[1-9]' $V/race.out
check "nearly always it could tell" test $untold -le $((runs / 5))

done_testing
