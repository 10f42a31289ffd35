/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as a configuration file: no crash, and a diagnostic names a line that is there. */

#include "util/ini.h"

#include "fuzz_diags.h"
#include "fuzz_pve.h"

struct settings {
	const char *text;
	uint32_t port;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct ini_key keys[] = {
		{ "mail", "to", ini_take_text, offsetof(struct settings, text) },
		{ "mail", "smtp_port", ini_take_port, offsetof(struct settings, port) },
	};
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(arena_done) struct arena a = {};
	struct diags diags = { .arena = &a };
	struct settings s = {};

	ini_read((struct slice){ copy, n }, "file", keys, ARRAY_SIZE(keys), &s, &a, &diags);
	check_lines(&diags, (struct slice){ copy, n });
	CHECK(s.port <= 65535 && (!s.text || *s.text));
	diags_done(&diags);
	return 0;
}
