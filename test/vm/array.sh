# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Sourced by t/array-*.t behind lib.sh: a FlashArray's look-alikes whose volumes
# reach this machine over a real network: LIO with iSCSI, nvmet with TCP.

# --- common ------------------------------------------------------------------

mapper() { # ARG...: the last answer is in $V/answer
	(cd $V && timeout 120 "$MAPPER" "$@" >$V/answer 2>&1)
}
answer() { # WORD: its value in the last answer
	sed -n "s/.*\<$1=\([^ ]*\).*/\1/p" $V/answer | head -n1
}
took() { sed -n 's/.* took \([0-9]*\) ms/\1/p' $V/answer | tail -n1; }
says() { grep -q -- "$1" $V/answer || { cat $V/answer; return 1; }; }

# The answer is shown when a call fails that should not.
mapped() { mapper "$@" || { cat $V/answer; return 1; }; }

refused() { # ERRNO ARG...
	local error=$1
	shift
	if mapper "$@"; then
		cat $V/answer
		return 1
	fi
	says "^rc=$error:"
}

until_true() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	while [ $SECONDS -lt $end ]; do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	"$@"
}

vol_make() { # SERIAL(upper case) SIZE: its store
	truncate -s "$2" "$V/img/$1" && losetup -f --show "$V/img/$1" >$V/vol.$1
}
vol_loop() { cat $V/vol.$1; }
bytes() { numfmt --from=iec "$1"; }

# --- iSCSI -------------------------------------------------------------------

initiator=iqn.1993-08.org.debian:01:pve1
iqn() { echo "iqn.2010-06.com.purestorage:flasharray.$1"; }
tpg() { echo "$lio/iscsi/$(iqn "$1")/tpgt_1"; }

lio_start() {
	must modprobe -a target_core_mod target_core_file iscsi_target_mod iscsi_tcp sd_mod \
		scsi_dh_alua dm-multipath dm-service-time dm-queue-length dm-round-robin
	mountpoint -q /sys/kernel/config || must mount -t configfs configfs /sys/kernel/config
	mkdir -p $lio
	modprobe target_core_mod
}

array_make() { # NAME ADDRESS...: an array with these portals, which all say one IQN
	local name=$1 address
	shift
	must mkdir -p "$(tpg "$name")"
	echo 0 >"$(tpg "$name")/attrib/authentication"
	echo 0 >"$(tpg "$name")/attrib/generate_node_acls"
	must mkdir -p "$(tpg "$name")/acls/$initiator"
	for address; do
		ip addr add "$address/32" dev lo 2>/dev/null
		must mkdir "$(tpg "$name")/np/$address:3260"
	done
	echo 1 >"$(tpg "$name")/enable"
}

vol_store() { # SERIAL: what LIO shows of it
	local store=$lio/core/fileio_0/v$1
	[ -d "$store" ] && return
	must mkdir -p "$store"
	echo "fd_dev_name=$(vol_loop "$1")" >"$store/control"
	echo 0x24a937 >"$store/wwn/company_id"
	echo PURE >"$store/wwn/vendor_id"
	echo FlashArray >"$store/wwn/product_id"
	echo "0${1,,}" >"$store/wwn/vpd_unit_serial"
	echo 1 >"$store/enable"
}

vol_connect() { # ARRAY SERIAL LUN
	local lun
	lun=$(tpg "$1")/lun/lun_$3
	vol_store "$2"
	must mkdir -p "$lun"
	must ln -s "$lio/core/fileio_0/v$2" "$lun/port"
	must mkdir -p "$(tpg "$1")/acls/$initiator/lun_$3"
	must ln -s "$lun" "$(tpg "$1")/acls/$initiator/lun_$3/lun"
}

vol_disconnect() { # ARRAY LUN
	rm "$(tpg "$1")/acls/$initiator/lun_$2/lun"
	rmdir "$(tpg "$1")/acls/$initiator/lun_$2"
	rm "$(tpg "$1")/lun/lun_$2/port"
	rmdir "$(tpg "$1")/lun/lun_$2"
}

vol_grow() { # SERIAL SIZE
	truncate -s "$2" "$V/img/$1" && losetup -c "$(vol_loop "$1")"
}

iscsi_start() { # ADDRESS...: logged in to all of them
	local address
	mkdir -p /etc/iscsi /run/lock/iscsi /run/lock
	echo "InitiatorName=$initiator" >/etc/iscsi/initiatorname.iscsi
	rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets
	cat >/etc/iscsi/iscsid.conf <<-END
		node.startup = manual
		node.session.timeo.replacement_timeout = 2
		node.conn[0].timeo.login_timeout = 5
		node.conn[0].timeo.noop_out_interval = 1
		node.conn[0].timeo.noop_out_timeout = 3
		node.session.initial_login_retry_max = 1
		node.session.err_timeo.abort_timeout = 3
		node.session.err_timeo.lu_reset_timeout = 3
		node.session.scan = ${SCAN:-manual}
	END
	iscsid >$V/iscsid.out 2>&1
	for address; do
		must iscsiadm -m discovery -t sendtargets -p "$address"
	done
	must iscsiadm -m node -l
}

multipathd_start() { # nothing in multipath.conf makes a new disk a map by itself
	mkdir -p /etc/multipath
	rm -f /etc/multipath/wwids /etc/multipath/bindings
	cat >/etc/multipath.conf <<-END
		defaults {
			polling_interval 1
			max_polling_interval 1
			find_multipaths strict
		}
		overrides {
			no_path_retry queue
		}
	END
	must multipathd
	until_true 10 multipathd show daemon || result "not ok" "prepare: multipathd"
}

cable() { # out|in ADDRESS: nothing reaches that portal; it is back
	if [ "$1" = out ]; then
		ip addr del "$2/32" dev lo
	else
		ip addr add "$2/32" dev lo
	fi
}

waiting_for() { # DEVICE: why a read of it may wait
	local pid sd
	multipath -ll
	multipathd show paths
	multipathd show maps
	dmsetup table
	dmsetup info
	dmsetup status --noflush
	for sd in /sys/block/sd*/device; do
		echo "$sd $(cat "$sd/state" "$sd/wwid" "$sd/../../../state" 2>/dev/null | xargs)" \
			"size $(cat "${sd%/device}/size") inflight $(xargs <"${sd%/device}/inflight")"
	done
	grep -s . /sys/class/iscsi_session/*/state /sys/class/iscsi_connection/*/state \
		/sys/class/scsi_host/*/state
	timeout 20 iscsiadm -m session -P 3
	for pid in $(pgrep -x 'dd|multipathd|iscsid|(udev-worker)|systemd-udevd|pvewarden') $(pgrep -r D); do
		echo "$pid $(xargs -0 <"/proc/$pid/cmdline") $(cat "/proc/$pid/wchan")"
		grep State "/proc/$pid/status"
		cat "/proc/$pid/stack"
	done
	journalctl -q --no-pager -o short-monotonic -n 150
	dmesg | tail -n 60
	echo "reads again: $(timeout 5 dd "if=$1" of=/dev/null bs=4096 count=1 skip=1 2>&1 | xargs)"
}
sds() { # SERIAL: names of its disks
	grep -l "^naa.624a9370${1,,}$" /sys/block/sd*/device/wwid 2>/dev/null | cut -d/ -f4
}
dm_of() { # SERIAL: dm-N
	local uuid
	for uuid in /sys/block/dm-*/dm/uuid; do
		[ "$(cat "$uuid" 2>/dev/null)" = "mpath-3624a9370${1,,}" ] && echo "$uuid" | cut -d/ -f4
	done
}
by_id() { echo "/dev/disk/by-id/dm-uuid-mpath-3624a9370${1,,}"; }

# --- NVMe over TCP -----------------------------------------------------------

nvmet=/sys/kernel/config/nvmet
nqn=nqn.2010-06.com.purestorage:flasharray.nvme
subsystem=$nvmet/subsystems/$nqn

nguid_of() { # SERIAL
	local s=${1,,}
	echo "00${s:0:14}24a937${s:14}"
}

nvmet_start() { # ADDRESS...
	local address n=0
	must modprobe -a nvme_core nvme_fabrics nvme_tcp nvmet nvmet_tcp
	mountpoint -q /sys/kernel/config || must mount -t configfs configfs /sys/kernel/config
	must mkdir "$subsystem"
	echo 1 >"$subsystem/attr_allow_any_host"
	echo "Pure Storage FlashArray" >"$subsystem/attr_model"
	for address; do
		n=$((n + 1))
		ip addr add "$address/32" dev lo 2>/dev/null
		must mkdir "$nvmet/ports/$n"
		echo tcp >"$nvmet/ports/$n/addr_trtype"
		echo ipv4 >"$nvmet/ports/$n/addr_adrfam"
		echo "$address" >"$nvmet/ports/$n/addr_traddr"
		echo 4420 >"$nvmet/ports/$n/addr_trsvcid"
		must ln -s "$subsystem" "$nvmet/ports/$n/subsystems/$nqn"
	done
}

ns_connect() { # SERIAL NSID
	local ns=$subsystem/namespaces/$2
	must mkdir "$ns"
	vol_loop "$1" >"$ns/device_path"
	nguid_of "$1" >"$ns/device_nguid"
	echo 00000000-0000-0000-0000-000000000000 >"$ns/device_uuid"
	echo 1 >"$ns/enable"
}

access() { # PORT STATE: what the array says of its namespaces there (ANA)
	echo "$2" >"$nvmet/ports/$1/ana_groups/1/ana_state"
}

ns_disconnect() { # NSID
	echo 0 >"$subsystem/namespaces/$1/enable"
	rmdir "$subsystem/namespaces/$1"
}
