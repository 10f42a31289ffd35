/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/vpd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* A FlashArray's page: a T10 text, then the NAA name; the target port's name behind. */
static const uint8_t page[] = {
	0x00, 0x83, 0x00, 0x2c, /* head: 44 bytes follow */
	0x02, 0x01, 0x00, 0x08, 'P',  'U',  'R',  'E',	' ',  ' ',  ' ',  ' ',	/* T10 vendor */
	0x01, 0x03, 0x00, 0x10, 0x62, 0x4a, 0x93, 0x70, 0x01, 0x23, 0x45, 0x67, /* NAA, of the unit
										 */
	0x89, 0xab, 0xcd, 0xef, 0x00, 0x01, 0x10, 0x01, 0x01, 0x13, 0x00, 0x08, 0x52,
	0x4a, 0x93, 0x70, 0x00, 0x00, 0x00, 0x01, /* NAA, of the port */
};

static void the_name_of_the_unit(void **state)
{
	char id[VPD_ID_MAX];

	(void)state;
	assert_true(vpd_naa(page, sizeof(page), id));
	assert_string_equal(id, "624a93700123456789abcdef00011001");
}

static void a_page_that_is_cut_off_says_nothing(void **state)
{
	char id[VPD_ID_MAX] = "untouched";

	(void)state;
	for (size_t n = 0; n < sizeof(page); n++)
		assert_false(vpd_naa(page, n, id));
	assert_string_equal(id, "untouched");
}

static void other_pages_and_names_do_not_count(void **state)
{
	uint8_t changed[sizeof(page)];
	char id[VPD_ID_MAX];

	(void)state;
	memcpy(changed, page, sizeof(page));
	changed[1] = 0x80;
	assert_false(vpd_naa(changed, sizeof(changed), id));
	changed[1] = 0x83;
	changed[17] = 0x13; /* of the port as well */
	assert_false(vpd_naa(changed, sizeof(changed), id));
	changed[17] = 0x02; /* EUI-64 */
	assert_false(vpd_naa(changed, sizeof(changed), id));
	changed[17] = 0x03;
	changed[19] = 0xff; /* longer than the page */
	assert_false(vpd_naa(changed, sizeof(changed), id));
}

static void only_the_disk_that_is_meant_is_asked(void **state)
{
	char id[VPD_ID_MAX];
	struct err e;

	(void)state;
	assert_true(vpd_ask("null", (struct devno){ 1, 3 }, id, &e) == -ENXIO);
	assert_true(vpd_ask("no-such-disk", (struct devno){ 8, 0 }, id, &e) == -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_of_the_unit),
		cmocka_unit_test(a_page_that_is_cut_off_says_nothing),
		cmocka_unit_test(other_pages_and_names_do_not_count),
		cmocka_unit_test(only_the_disk_that_is_meant_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
