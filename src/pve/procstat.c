/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/procstat.h"

#include <stdio.h>

#include "util/str.h"

/* Fields are counted from 1; the state follows the command, field 2. */
enum { FIELD_STATE = 3, FIELD_START = 22 };

#define STAT_MAX ((size_t)4 * 1024 * 1024)

bool procstat_parse(struct slice text, struct procstat *ret)
{
	struct procstat found = {};
	struct slice rest, field = {};
	size_t paren = text.n;

	/* The command stands in parentheses and may itself hold blanks and parentheses. */
	while (paren > 0 && text.p[paren - 1] != ')')
		paren--;
	if (paren == 0)
		return false;
	rest = slice_trim(slice_from(text, paren));
	for (int i = FIELD_STATE; i <= FIELD_START; i++) {
		if (!slice_split(&rest, ' ', &field) || slice_empty(field))
			return false;
		if (i == FIELD_STATE)
			found.state = field.p[0];
	}
	if (found.state < 'A' || found.state > 'z' || !str_to_u64(field, &found.start))
		return false;
	*ret = found;
	return true;
}

bool procstat_read(const struct root *r, pid_t pid, struct procstat *ret)
{
	CLEANUP(buf_done) struct buf text = {};
	char path[40];

	(void)snprintf(path, sizeof(path), "proc/%ld/stat", (long)pid);
	if (root_read(r, path, 4096, &text) < 0)
		return false;
	return procstat_parse(buf_slice(&text), ret);
}

int64_t procstat_boot_time(const struct root *r)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice rest, line;
	uint64_t seconds;

	if (root_read(r, "proc/stat", STAT_MAX, &text) < 0)
		return 0;
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line))
		if (slice_starts(line, "btime ") &&
		    str_to_u64(slice_trim(slice_from(line, 6)), &seconds) && seconds <= INT64_MAX)
			return (int64_t)seconds;
	return 0;
}
