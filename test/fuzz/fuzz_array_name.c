/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * Two names, each a line: their suffixes never meet, each reads back as it was, what the old plugin
 * could make is what it made, and any bytes as a suffix or a volume are read exactly or not at all.
 */

#include <ctype.h>
#include <errno.h>

#include "array/name.h"
#include "util/str.h"

#include "fuzz_pve.h"

/* What the old plugin sent for @snap, if the array took it. */
static bool old_suffix(const char *snap, char ret[128])
{
	bool veeam = strncmp(snap, "veeam_", 6) == 0;
	size_t n;

	if (!isalpha((unsigned char)*snap) || strlen(snap) > 40)
		return false;
	(void)snprintf(ret, 128, "%s%s", veeam ? "veeam-" : "snap-", snap + (veeam ? 6 : 0));
	n = strlen(ret);
	return isalnum((unsigned char)ret[n - 1]) &&
	       strspn(ret, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == n;
}

/* The array's rule (facts C5). */
static void check_suffix(const char *suffix)
{
	size_t n = strlen(suffix);

	CHECK(n <= ARRAY_NAME_MAX);
	CHECK(isalnum((unsigned char)suffix[0]) && isalnum((unsigned char)suffix[n - 1]));
	for (size_t i = 0; i < n; i++)
		CHECK(isalnum((unsigned char)suffix[i]) || suffix[i] == '-');
}

static bool check_name(const char *snap, char suffix[80], struct arena *a)
{
	struct err e = {};
	char old[128];
	int ret = array_suffix_of(snap, suffix, &e);

	CHECK(ret == 0 || ((ret == -EINVAL || ret == -ENAMETOOLONG) && *e.text));
	if (old_suffix(snap, old))
		CHECK(ret == 0 && strcmp(old, suffix) == 0);
	if (ret)
		return false;
	check_suffix(suffix);
	CHECK(array_snap_of(suffix, a));
	CHECK(strcmp(array_snap_of(suffix, a), snap) == 0);
	return true;
}

static void check_read(const char *text, struct arena *a)
{
	const char *snap = array_snap_of(text, a);
	char again[80];

	if (snap)
		CHECK(array_suffix_of(snap, again, NULL) == 0 && strcmp(again, text) == 0);
}

static void check_volume(const char *text)
{
	static const char *const prefixes[] = { "", "vg/", "pod::", "vg/pve-" };
	struct array_volname v;
	char full[256];

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		struct array_conf c = { .storage = "pure", .prefix = prefixes[i], .host = "n1" };
		const char *back;

		(void)array_volname_of(&c, text);
		if (array_name_of(&c, text, full, NULL))
			continue;
		CHECK(array_volname_parse(text, &v));
		back = array_volname_of(&c, full);
		CHECK(back && strcmp(back, text) == 0);
		CHECK(array_tmp_name_of(&c, text, "s", full, NULL) == 0);
		CHECK(!array_volname_of(&c, full));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(arena_done) struct arena a = {};
	struct slice rest = { (const char *)data, n }, line = {};
	const char *first, *second;
	char one[80], two[80];

	(void)slice_split(&rest, '\n', &line);
	first = arena_str(&a, line);
	second = arena_str(&a, rest);
	if (check_name(first, one, &a) && check_name(second, two, &a))
		CHECK((strcmp(first, second) == 0) == (strcmp(one, two) == 0));
	check_read(first, &a);
	check_read(second, &a);
	check_volume(first);
	return 0;
}
