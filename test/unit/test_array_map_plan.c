/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/map_plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define SERIAL "0123456789ABCDEF00011001"
#define UUID   "mpath-3624a93700123456789abcdef00011001"

static void add_port(struct scsi_ports *ports, uint32_t host, const char *id, bool usable)
{
	struct scsi_port *p = vec_push(ports);

	p->host = host;
	p->usable = usable;
	(void)snprintf(p->id, sizeof(p->id), "%s", id);
}

static struct map_array *add_array(struct map_want *want, unsigned int lun, const char *id)
{
	struct map_array *a = &want->arrays[want->n_arrays++];

	a->lun = lun;
	a->connected = true;
	a->n_ports = 1;
	(void)snprintf(a->ports[0].id, sizeof(a->ports[0].id), "%s", id);
	(void)snprintf(a->ports[0].portal, sizeof(a->ports[0].portal), "10.0.0.1:3260");
	return a;
}

static void places_are_those_of_the_arrays_alone(void **state)
{
	struct map_want want = { .protocol = ARRAY_ISCSI };
	struct scsi_ports ports = {};
	struct map_places places = {};

	(void)state;
	add_array(&want, 3, "iqn.a");
	add_array(&want, 9, "iqn.b");
	add_port(&ports, 1, "iqn.a", true);
	add_port(&ports, 2, "iqn.a", true);
	add_port(&ports, 3, "iqn.a.other", true);
	add_port(&ports, 4, "iqn.b", true);
	add_port(&ports, 5, "iqn.b", false);
	add_port(&ports, 1, "iqn.a", true); /* the same way twice */
	assert_int_equal(map_plan_places(&want, &ports, &places, NULL), 0);
	assert_int_equal(places.n, 3);
	assert_int_equal(places.items[0].host, 1);
	assert_int_equal(places.items[0].lun, 3);
	assert_int_equal(places.items[1].host, 2);
	assert_int_equal(places.items[2].host, 4);
	assert_int_equal(places.items[2].lun, 9);
	vec_free(&places);
	scsi_ports_done(&ports);
}

/* In the kernel's number a LUN over 255 carries its addressing method. */
static void large_luns_are_addressed_flat(void **state)
{
	static const struct {
		unsigned int said;
		uint64_t at;
	} luns[] = { { 1, 1 }, { 255, 255 }, { 256, 16640 }, { 300, 16684 }, { 4095, 20479 } };
	struct scsi_ports ports = {};

	(void)state;
	add_port(&ports, 1, "iqn.a", true);
	for (size_t i = 0; i < ARRAY_SIZE(luns); i++) {
		struct map_want want = { .protocol = ARRAY_ISCSI };
		struct map_places places = {};

		add_array(&want, luns[i].said, "iqn.a");
		assert_int_equal(map_plan_places(&want, &ports, &places, NULL), 0);
		assert_int_equal(places.n, 1);
		assert_int_equal(places.items[0].lun, luns[i].at);
		vec_free(&places);
	}
	scsi_ports_done(&ports);
}

static void without_a_way_it_says_what_to_do(void **state)
{
	struct map_want want = { .protocol = ARRAY_ISCSI };
	struct scsi_ports ports = {};
	struct map_places places = {};
	struct err e;

	(void)state;
	assert_int_equal(map_plan_places(&want, &ports, &places, &e), -ENODEV);
	add_array(&want, 3, "iqn.a");
	assert_int_equal(map_plan_places(&want, &ports, &places, &e), -ENODEV);
	assert_non_null(strstr(e.text, "iscsiadm"));
	assert_non_null(strstr(e.text, "10.0.0.1:3260"));
	add_port(&ports, 1, "iqn.a", false);
	assert_int_equal(map_plan_places(&want, &ports, &places, &e), -ENODEV);
	assert_non_null(strstr(e.text, "network"));
	/* An array that is known to be out of reach is not looked for. */
	ports.items[0].usable = true;
	want.arrays[0].connected = false;
	assert_int_equal(map_plan_places(&want, &ports, &places, &e), -ENODEV);
	assert_int_equal(places.n, 0);
	scsi_ports_done(&ports);
}

static void wwpns_agree_however_they_are_written(void **state)
{
	static const char *const forms[] = { "524A937000000001", "52:4A:93:70:00:00:00:01",
					     "0x524a937000000001", "52:4a:93:70:00:00:00:01" };
	struct scsi_ports ports = {};

	(void)state;
	add_port(&ports, 5, "524a937000000001", true);
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct map_want want = { .protocol = ARRAY_FC };
		struct map_places places = {};

		add_array(&want, 1, forms[i]);
		assert_int_equal(map_plan_places(&want, &ports, &places, NULL), 0);
		vec_free(&places);
	}
	scsi_ports_done(&ports);
}

/* Every state of an address there can be: nothing in use is ever deleted, nothing is taken that
 * has not said who it is. */
static void what_is_done_at_an_address(void **state)
{
	(void)state;
	for (unsigned int bits = 0; bits < 16 * 3; bits++) {
		struct map_seen s = { .present = bits & 1,
				      .ours = bits & 2,
				      .in_map = bits & 4,
				      .held = bits & 8,
				      .asked = (enum tri)(bits / 16) };
		enum map_deed deed = map_plan_place(&s);

		if (!s.present) {
			assert_int_equal(deed, MAP_SCAN);
			continue;
		}
		if (deed == MAP_REPLACE)
			assert_false(s.held || s.in_map || s.asked == TRI_NO);
		if (deed == MAP_TAKE)
			assert_true(s.in_map ? s.asked != TRI_NO
					     : s.ours && !s.held && s.asked == TRI_YES);
		assert_true((deed == MAP_FOREIGN) == (s.asked == TRI_NO));
		assert_true(deed != MAP_SCAN);
	}
	/* The LUN was another volume's; the disk says now that it is ours. */
	assert_int_equal(map_plan_place(&(struct map_seen){ .present = true, .asked = TRI_YES }),
			 MAP_REPLACE);
	/* A disk that was set offline and left behind. */
	assert_int_equal(map_plan_place(&(struct map_seen){
				 .present = true, .ours = true, .asked = TRI_UNKNOWN }),
			 MAP_REPLACE);
}

static void who_counts_as_a_user(void **state)
{
	struct map_holder part = { .name = "dm-9", .dm_name = "x-part1", .dm_uuid = "part1-" UUID };
	struct map_holder lvm = { .name = "dm-8",
				  .dm_name = "vg--inner-lv",
				  .dm_uuid = "LVM-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
					     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" };
	struct map_holder stranger = { .name = "md0" };
	struct map_holder other = { .name = "dm-7",
				    .dm_name = "y-part1",
				    .dm_uuid = "part1-mpath-3624a9370ffff" };
	char why[256];

	(void)state;
	assert_int_equal(map_plan_use(UUID, 0, NULL, 0, NULL, why, sizeof(why)), MAP_FREE);
	assert_int_equal(map_plan_use(UUID, 1, NULL, 0, NULL, why, sizeof(why)), MAP_OPEN);
	assert_non_null(strstr(why, "1 times"));
	assert_int_equal(map_plan_use(UUID, 1, &part, 1, NULL, why, sizeof(why)), MAP_FREE);
	assert_int_equal(map_plan_use(UUID, 2, &part, 1, NULL, why, sizeof(why)), MAP_OPEN);
	part.open_count = 1;
	assert_int_equal(map_plan_use(UUID, 1, &part, 1, NULL, why, sizeof(why)), MAP_OPEN);
	part.open_count = 0;
	part.held = true;
	assert_int_equal(map_plan_use(UUID, 1, &part, 1, NULL, why, sizeof(why)), MAP_OPEN);
	part.held = false;
	part.open_count = -1;
	assert_int_equal(map_plan_use(UUID, 1, &part, 1, NULL, why, sizeof(why)), MAP_UNKNOWN);
	assert_int_equal(map_plan_use(UUID, 1, &lvm, 1, NULL, why, sizeof(why)), MAP_OPEN);
	assert_string_equal(why,
			    "LVM volume group vg-inner is active on it: vgchange -an vg-inner; "
			    "keep LVM away from guests' disks (global_filter in "
			    "/etc/lvm/lvm.conf)");
	part.open_count = 1;
	(void)snprintf(part.above_name, sizeof(part.above_name), "%s", lvm.dm_name);
	(void)snprintf(part.above_uuid, sizeof(part.above_uuid), "%s", lvm.dm_uuid);
	assert_int_equal(map_plan_use(UUID, 1, &part, 1, NULL, why, sizeof(why)), MAP_OPEN);
	assert_non_null(strstr(why, "vgchange -an vg-inner;"));
	assert_int_equal(map_plan_use(UUID, 1, &stranger, 1, NULL, why, sizeof(why)), MAP_OPEN);
	assert_non_null(strstr(why, "md0"));
	assert_int_equal(map_plan_use(UUID, 1, &other, 1, NULL, why, sizeof(why)), MAP_OPEN);
}

/* The map of a volume that went away is held by the probe that udev sent: nobody's use. One open
 * file more than we can name may be a guest's. */
static void a_probe_is_no_user(void **state)
{
	struct map_holder part = { .name = "dm-9", .dm_name = "x-part1", .dm_uuid = "part1-" UUID };
	struct map_openers seen = { .probes = 1 };
	char why[128];

	(void)state;
	assert_int_equal(map_plan_use(UUID, 1, NULL, 0, &seen, why, sizeof(why)), MAP_PASSING);
	assert_int_equal(map_plan_use(UUID, 2, NULL, 0, &seen, why, sizeof(why)), MAP_OPEN);
	assert_non_null(strstr(why, "2 times"));
	assert_int_equal(map_plan_use(UUID, 2, &part, 1, &seen, why, sizeof(why)), MAP_PASSING);
	part.open_count = 1;
	assert_int_equal(map_plan_use(UUID, 2, &part, 1, &seen, why, sizeof(why)), MAP_OPEN);
	part.open_count = -1;
	assert_int_equal(map_plan_use(UUID, 2, &part, 1, &seen, why, sizeof(why)), MAP_UNKNOWN);
	seen.user = true;
	(void)snprintf(seen.who, sizeof(seen.who), "process 7 (kvm) holds it");
	assert_int_equal(map_plan_use(UUID, 1, NULL, 0, &seen, why, sizeof(why)), MAP_OPEN);
	assert_string_equal(why, "process 7 (kvm) holds it");
	seen = (struct map_openers){};
	assert_int_equal(map_plan_use(UUID, 1, NULL, 0, &seen, why, sizeof(why)), MAP_OPEN);
	assert_int_equal(map_plan_use(UUID, 0, NULL, 0, &seen, why, sizeof(why)), MAP_FREE);
}

/* I/O is made to fail only where none can get through and nobody but a probe waits. */
static void whose_waiting_io_may_fail(void **state)
{
	(void)state;
	for (int use = MAP_FREE; use <= MAP_PASSING; use++)
		for (unsigned int ok = 0; ok < 3; ok++) {
			struct map_state s = { .present = true,
					       .in_use = (enum map_in_use)use,
					       .paths = 2,
					       .paths_ok = ok };

			assert_true(map_plan_may_fail(&s) ==
				    (ok == 0 && use != MAP_OPEN && use != MAP_UNKNOWN));
		}
	assert_false(map_plan_may_fail(&(struct map_state){}));
	assert_true(map_plan_may_fail(&(struct map_state){
		.present = true, .in_use = MAP_OPEN, .lvm_only = true, .paths = 2 }));
}

static void who_is_a_probe(void **state)
{
	static const struct map_process nobody = { "", "" };
	static const struct map_process worker = { "(udev-worker)", "/usr/bin/udevadm" };
	static const struct {
		struct map_process p;
		bool alone, below; /* a probe by itself, and as a child of udev's worker */
	} rows[] = {
		{ { "(udev-worker)", "/usr/bin/udevadm" }, true, true },
		{ { "systemd-udevd", "/usr/lib/systemd/systemd-udevd" }, true, true },
		{ { "systemd-udevd", "/usr/bin/udevadm (deleted)" }, true, true },
		{ { "blkid", "/usr/sbin/blkid" }, false, true },
		{ { "kpartx", "/usr/sbin/kpartx" }, false, true },
		/* `udevadm lock` waits with the device open */
		{ { "udevadm", "/usr/bin/udevadm" }, false, false },
		/* only the name */
		{ { "(udev-worker)", "/usr/bin/qemu-system-x86_64" }, false, false },
		{ { "(udev-worker)", "" }, false, false },
		{ { "blkid", "/usr/bin/qemu-system-x86_64" }, false, false },
		{ { "systemd-udevd", "/tmp/udevadm2" }, false, false },
		{ { "kvm", "/usr/bin/qemu-system-x86_64" }, false, false },
		{ { "lvm", "/usr/sbin/lvm" }, false, false },
		{ { "dd", "/usr/bin/dd" }, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (map_plan_is_probe(&rows[i].p, &nobody) != rows[i].alone ||
		    map_plan_is_probe(&rows[i].p, &worker) != rows[i].below)
			fail_msg("row %zu: %s %s", i, rows[i].p.command, rows[i].p.exe);
	}
}

static void serials_come_back_from_what_the_host_says(void **state)
{
	char serial[ARRAY_SERIAL_LEN + 1] = "untouched", nguid[ARRAY_NGUID_LEN + 1];

	(void)state;
	assert_false(map_plan_serial_of_wwid("naa.600140500000000000000000000000001", serial));
	assert_false(map_plan_serial_of_wwid("naa.624a93700123", serial));
	assert_false(map_plan_serial_of_wwid("", serial));
	assert_false(map_plan_serial_of_uuid("mpath-3600140500123456789abcdef00011001", serial));
	assert_false(map_plan_serial_of_nguid("00112233445566778899aabbccddeeff", serial));
	assert_string_equal(serial, "untouched");
	assert_true(map_plan_serial_of_wwid("naa.624a93700123456789abcdef00011001", serial));
	assert_string_equal(serial, SERIAL);
	assert_true(map_plan_serial_of_uuid(UUID, serial));
	assert_string_equal(serial, SERIAL);
	array_nguid_of(SERIAL, nguid);
	assert_true(map_plan_serial_of_nguid(nguid, serial));
	assert_string_equal(serial, SERIAL);
}

static void only_ports_without_a_controller_are_connected(void **state)
{
	struct map_missing missing[MAP_ARRAYS_MAX * MAP_PORTS_MAX];
	struct map_want want = { .protocol = ARRAY_NVME_TCP };
	struct nvme_ctrls have = {};
	struct map_array *a = add_array(&want, 0, "nqn.a");

	(void)state;
	a->n_ports = 2;
	a->ports[1] = a->ports[0];
	(void)snprintf(a->ports[1].portal, sizeof(a->ports[1].portal), "10.0.0.2:4420");
	assert_int_equal(map_plan_missing(&want, &have, missing), 2);
	*vec_push(&have) = (struct nvme_ctrl){ .nqn = "nqn.a", .address = "10.0.0.1:3260" };
	*vec_push(&have) = (struct nvme_ctrl){ .nqn = "nqn.b", .address = "10.0.0.2:4420" };
	assert_int_equal(map_plan_missing(&want, &have, missing), 1);
	assert_int_equal(missing[0].port, 1);
	a->connected = false;
	assert_int_equal(map_plan_missing(&want, &have, missing), 0);
	nvme_ctrls_done(&have);
}

/* Only where the array is known to show it elsewhere. */
static void paths_at_another_lun_are_of_the_past(void **state)
{
	static const struct {
		struct scsi_address at;
		bool outdated;
	} rows[] = {
		{ { 1, 0, 0, 3 }, false },
		{ { 1, 0, 0, 9 }, true },
		{ { 2, 0, 0, 0x4000 + 300 }, false },
		{ { 2, 0, 0, 300 }, true },
		{ { 3, 0, 0, 9 }, false }, /* of nobody's port */
		{ { 1, 0, 1, 9 }, false },
	};
	struct map_want want = { .protocol = ARRAY_ISCSI };
	struct scsi_ports ports = {};

	(void)state;
	add_array(&want, 3, "iqn.a");
	add_array(&want, 300, "iqn.b");
	add_port(&ports, 1, "iqn.a", true);
	add_port(&ports, 2, "iqn.b", false);
	add_port(&ports, 3, "iqn.c", true);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(map_plan_is_outdated(&want, &ports, &rows[i].at),
				 rows[i].outdated);
	/* One array by two addresses. */
	add_array(&want, 9, "iqn.a");
	assert_false(map_plan_is_outdated(&want, &ports, &rows[1].at));
	/* Connected no more: there is no right place. */
	want.n_arrays = 1;
	want.arrays[0].connected = false;
	assert_true(map_plan_is_outdated(&want, &ports, &rows[0].at));
	assert_int_equal(map_plan_lun_of(255), 255);
	assert_int_equal(map_plan_lun_of(0x4000 + 256), 256);
	scsi_ports_done(&ports);
}

/* Two disks of one NGUID: what to do about it depends on whose they are. */
static void twins(void **state)
{
	struct nvme_ns a = { .name = "nvme0n1", .nqn = "nqn.a" };
	struct nvme_ns b = { .name = "nvme1n1", .nqn = "nqn.b" };
	struct err e = {};

	(void)state;
	assert_int_equal(map_plan_twins(&a, &b, &e), -EUCLEAN);
	assert_non_null(strstr(e.text, "two NVMe subsystems (nqn.a, nqn.b)"));
	assert_null(strstr(e.text, "multipath"));
	b = (struct nvme_ns){ .name = "nvme1n1", .nqn = "nqn.a" };
	assert_int_equal(map_plan_twins(&a, &b, &e), -EUCLEAN);
	assert_non_null(strstr(e.text, "multipathing is off"));
	b.nqn[0] = '\0';
	assert_int_equal(map_plan_twins(&a, &b, &e), -EUCLEAN);
	assert_non_null(strstr(e.text, "multipathing is off"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_those_of_the_arrays_alone),
		cmocka_unit_test(large_luns_are_addressed_flat),
		cmocka_unit_test(without_a_way_it_says_what_to_do),
		cmocka_unit_test(wwpns_agree_however_they_are_written),
		cmocka_unit_test(what_is_done_at_an_address),
		cmocka_unit_test(who_counts_as_a_user),
		cmocka_unit_test(a_probe_is_no_user),
		cmocka_unit_test(whose_waiting_io_may_fail),
		cmocka_unit_test(who_is_a_probe),
		cmocka_unit_test(serials_come_back_from_what_the_host_says),
		cmocka_unit_test(only_ports_without_a_controller_are_connected),
		cmocka_unit_test(paths_at_another_lun_are_of_the_past),
		cmocka_unit_test(twins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
