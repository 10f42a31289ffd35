/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/guestconf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/buf.h"
#include "util/str.h"

/* One letter per line: S section, D description, O option, L lxc, B bad; then what section. */
static void describe(struct buf *out, enum guest_type type, struct slice text)
{
	static const char kinds[] = "SDOLB", sections[] = "mpsxu";
	struct guest_reader r;
	struct guest_line l;

	guest_reader_init(&r, type, text);
	while (guest_reader_next(&r, &l))
		buf_addf(out, "%u%c%c " SLICE_FMT "=" SLICE_FMT "\n", l.number, kinds[l.kind],
			 sections[l.section], SLICE_ARG(l.key), SLICE_ARG(l.value));
}

struct line_case {
	const char *text, *expected;
};

static void check(enum guest_type type, const struct line_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_done) struct buf got = {};

		describe(&got, type, slice_of(cases[i].text));
		assert_string_equal(buf_str(&got), cases[i].expected);
	}
}

static void reads_lines_of_vms(void **state)
{
	static const struct line_case cases[] = {
		{ "", "" },
		{ "\n \n\t\nname: x", "4Om name=x\n" },
		{ "name:   web 1 \t\r\n", "1Om name=web 1\n" },
		{ "#a%3Ab\n", "1Dm #=a%3Ab\n" },
		{ "description: d%20e \n", "1Dm description=d%20e\n" },
		{ "description:\n", "1Bm =description:\n" },
		{ "scsi0:a:b\n", "1Om scsi0=a:b\n" },
		{ "fleecing-images: a:b\n", "1Om fleecing-images=a:b\n" },
		{ " name: x\n", "1Bm = name: x\n" },
		{ "Name: x\n", "1Bm =Name: x\n" },
		{ "a1b: x\n", "1Bm =a1b: x\n" },
		{ "name : x\n", "1Bm =name : x\n" },
		{ "name:\n", "1Bm =name:\n" },
		{ "name:  \n", "1Bm =name:  \n" },
		{ "lxc.x: y\n", "1Bm =lxc.x: y\n" },
		{ "delete: net0\n", "1Bm =delete: net0\n" },
		{ "[PENDING]\ndelete: net0\n", "1Sp PENDING=\n2Op delete=net0\n" },
		{ "[pending]  \r\nname: a\n", "1Sp pending=\n2Op name=a\n" },
		{ "[special:fleecing]\na: b\n", "1Sx special:fleecing=\n2Ox a=b\n" },
		{ "[Special:CloudInit]\n", "1Sx Special:CloudInit=\n" },
		{ "[special:other]\na: b\n", "1Su special:other=\n2Ou a=b\n" },
		{ "[snap_1-A]\na: b\n", "1Ss snap_1-A=\n2Os a=b\n" },
		{ "[a]\nb: c\n[ab]\nd: e\n", "1Su a=\n2Ou b=c\n3Ss ab=\n4Os d=e\n" },
		{ "[1a]\n[a@b]\n[]\n", "1Su 1a=\n2Su a@b=\n3Su =\n" },
		{ " [snap]\n", "1Bm = [snap]\n" },
		{ "[snap\n[a]b]\n", "1Bm =[snap\n2Bm =[a]b]\n" },
		{ "snapstate: delete\n", "1Om snapstate=delete\n" },
	};

	(void)state;
	check(GUEST_QEMU, cases, ARRAY_SIZE(cases));
}

static void reads_lines_of_containers(void **state)
{
	static const struct line_case cases[] = {
		{ "rootfs: a:b\n", "1Om rootfs=a:b\n" },
		{ "lxc.cap.drop: x\n", "1Lm lxc.cap.drop=x\n" },
		{ "lxc.a_b-c = \n", "1Lm lxc.a_b-c=\n" },
		{ "lxc.a=b=c\n", "1Lm lxc.a=b=c\n" },
		{ "lxc.a : b\n", "1Bm =lxc.a : b\n" },
		{ "lxc.: b\n", "1Bm =lxc.: b\n" },
		{ "lxc.A: b\n", "1Bm =lxc.A: b\n" },
		{ "[pve:pending]\ndelete: mp0\n", "1Sp pve:pending=\n2Op delete=mp0\n" },
		{ "[pending]\na: b\n", "1Ss pending=\n2Os a=b\n" },
		{ "[snap]\n[special:x]\na: b\n", "1Ss snap=\n2Bs =[special:x]\n3Os a=b\n" },
		{ "a-b: c\n", "1Bm =a-b: c\n" },
	};

	(void)state;
	check(GUEST_LXC, cases, ARRAY_SIZE(cases));
}

static void takes_any_bytes(void **state)
{
	static const char text[] = "name: a\0b\nx\0: y\n\xff\xfe: z";
	struct guest_reader r;
	struct guest_line l;

	(void)state;
	guest_reader_init(&r, GUEST_QEMU, (struct slice){ text, sizeof(text) - 1 });
	assert_true(guest_reader_next(&r, &l));
	assert_int_equal(l.kind, GUEST_LINE_OPTION);
	assert_int_equal(l.value.n, 3);
	assert_memory_equal(l.value.p, "a\0b", 3);
	assert_true(guest_reader_next(&r, &l));
	assert_int_equal(l.kind, GUEST_LINE_BAD);
	assert_true(guest_reader_next(&r, &l));
	assert_int_equal(l.kind, GUEST_LINE_BAD);
	assert_int_equal(l.number, 3);
	assert_false(guest_reader_next(&r, &l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_lines_of_vms),
		cmocka_unit_test(reads_lines_of_containers),
		cmocka_unit_test(takes_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
