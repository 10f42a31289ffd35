/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as the old agent's config.yaml: no crash, and a diagnostic names a line that is there.
 */

#include "agent/oldconf.h"
#include "util/ini.h"

#include "fuzz_diags.h"
#include "fuzz_pve.h"

struct settings {
	const char *url, *conns;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct oldconf_key keys[] = {
		{ NULL, "nannyapi_url", ini_take_text, offsetof(struct settings, url) },
		{ "http_transport", "max_idle_conns", ini_take_text,
		  offsetof(struct settings, conns) },
	};
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(arena_done) struct arena a = {};
	struct diags diags = { .arena = &a };
	struct settings s = {};

	oldconf_read((struct slice){ copy, n }, "file", keys, ARRAY_SIZE(keys), &s, &a, &diags);
	check_lines(&diags, (struct slice){ copy, n });
	CHECK((!s.url || *s.url) && (!s.conns || *s.conns));
	diags_done(&diags);
	return 0;
}
