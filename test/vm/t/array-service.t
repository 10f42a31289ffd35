# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# The array's service on real devices: two arrays of the simulator whose volumes
# LIO shows, with one pod over both; an array that is away and comes back, a
# service that is killed, connections that somebody takes away.
# shellcheck source=../lib.sh
. "$TREE/test/vm/lib.sh"
# shellcheck source=../array.sh
. "$TREE/test/vm/array.sh"

echo 'devices { global_filter = [ "r|/dev/loop.*|" ] }' >>/etc/lvm/lvmlocal.conf
node=$V/node socket=$V/arrayd.sock
mkdir -p $V/volumes $node/etc/pve/priv $node/proc/sys/kernel/random $node/run/pvewarden/array
cp /proc/sys/kernel/random/boot_id $node/proc/sys/kernel/random/
ip link set lo up
ip addr add 10.9.0.1/32 dev lo
ip addr add 10.9.0.3/32 dev lo
lio_start
for simulator in "$(dirname "$PVEWARDEN")/test/arraysim" "$TREE/build-gcc/test/arraysim"; do
	[ -x "$simulator" ] && break
done
"$simulator" --array fa1=7001 --array fa2=7002 --control 7000 \
	--portal fa1=10.9.0.1:3260 --portal fa2=10.9.0.3:3260 --backend lio $V/volumes \
	>$V/sim.out 2>&1 &
until_true 20 grep -q ^ready $V/sim.out || result "not ok" "prepare: the simulator"

control() { curl -sS -f "http://127.0.0.1:7000/$1" ${2:+-d "$2"} >$V/control; }
host='"hosts":[{"name":"pve1","iqns":["iqn.1993-08.org.debian:01:pve1"]}]'
must control make "{\"array\":\"fa1\",$host,\"pods\":[{\"name\":\"pod\",\"arrays\":[\"fa2\"]}]}"
must control make "{\"array\":\"fa2\",$host}"
iscsi_start 10.9.0.1 10.9.0.3
multipathd_start

config='"type":"purestorage","address":"http://127.0.0.1:7001,http://127.0.0.1:7002","token":"fa1-token,fa2-token","podname":"pod"'
cat >$node/etc/pve/storage.cfg <<-END
	purestorage: pure
	 address http://127.0.0.1:7001,http://127.0.0.1:7002
	 token fa1-token,fa2-token
	 podname pod
END
call() { # METHOD ARGS: the reply is in $V/reply; true when it says ok
	printf '{"schema":"pvewarden.array.call/1","method":"%s","storage":"pure","node":"pve1","config":{%s},"args":{%s}}\n' \
		"$1" "$config" "$2" | timeout 100 python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.stdin.buffer.read())
while (b := s.recv(65536)):
    sys.stdout.buffer.write(b)' $socket >$V/reply
	grep -q '^{"ok": true' $V/reply || { cat $V/reply; return 1; }
}
serve() {
	"$PVEWARDEN" array serve --root $node --node pve1 --socket $socket 2>>$V/log 7<&- &
	service=$!
	until_true 20 call status ""
}
array() { timeout 100 "$PVEWARDEN" array "$@" --root $node --node pve1 >$V/text 2>&1; }
status() { array status --format json; }
paths() { status; jq -r '.maps[] | "\(.state) \(.paths_ok) of \(.paths)"' $V/text; }
lost() { paths | grep -q ^not-connected; }
paths_are() { [ "$(paths)" = "$1" ]; }
volume='"volname":"vm-100-disk-0"'

check "the service starts" serve
check "a volume" call alloc '"vmid":100,"size_kib":65536,"name":"vm-100-disk-0"'

# --- an array is away while a volume is activated -----------------------------------------------

must control down '{"array":"fa2"}'
check "activated with one array away" call activate "$volume"
device=$(sed -n 's/.*"path": "\([^"]*\)".*/\1/p' $V/reply)
check "there is a device" test -b "$device"
check "it can be written" dd if=/dev/urandom "of=$device" bs=1M count=2 oflag=direct conv=fsync
exec 7<"$device" # a guest runs with it
must control up '{"array":"fa2"}'
check "the array is back: the service connects it" until_true 90 grep -q "it is connected again" $V/log
check "and both paths are there" until_true 60 paths_are "connected 2 of 2" ||
	{ paths; cat $V/log; } | diag
check "all is well" until_true 60 array status || diag <$V/text

# --- killed --------------------------------------------------------------------------------------

kill -KILL $service
check "killed and started again" serve
check "the volume is still known" call path "$volume"
refuse "what is open is not given back" call deactivate "$volume"
exec 7<&-

# --- somebody takes the connections away ----------------------------------------------------------

for array in fa1 fa2; do
	control rest "{\"array\":\"$array\",\"method\":\"DELETE\",\"path\":\"connections\",\"args\":{\"host_names\":\"pve1\",\"volume_names\":\"pod::vm-100-disk-0\"}}"
done
check "seen as not connected" until_true 60 lost ||
	{ paths; cat $V/log; } | diag
array reap
check "reap says what it would do" grep -q "vm-100-disk-0" $V/text
check "and without a terminal does nothing" test -b "$device"
check "reap --yes takes the map away" array reap --yes || diag <$V/text
refuse "there is no device any more" test -b "$device"
check "and nothing of it in the registry" jq -e '.entries == []' $node/var/lib/pvewarden/array/registry.json
check "it can be activated again" call activate "$volume"
check "and given back" call deactivate "$volume"
kill -TERM $service
check "the service ends" wait $service
done_testing
