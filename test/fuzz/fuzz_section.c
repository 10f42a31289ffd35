/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/storagecfg.h"

#include "fuzz_pve.h"
#include "util/str.h"

static void check_sections(struct slice text)
{
	struct arena a = {};
	struct diags diags = { .arena = &a };
	struct section_file f;
	unsigned int last = 0;

	section_file_parse(&f, "storage.cfg", text, &a, &diags);
	for (size_t i = 0; i < f.n_sections; i++) {
		const struct section *s = &f.sections[i];

		CHECK(s->type && s->id && s->line > last);
		last = s->line;
		for (size_t k = 0; k < s->n_options; k++) {
			CHECK(s->options[k].line > last);
			last = s->options[k].line;
			CHECK(section_get(s, s->options[k].key));
		}
	}
	diags_done(&diags);
	arena_done(&a);
}

static void check_storages(struct slice text)
{
	struct arena a = {};
	struct diags diags = { .arena = &a };
	struct storage_cfg cfg;

	storage_cfg_parse(&cfg, "storage.cfg", text, &a, &diags);
	CHECK(storage_find(&cfg, SLICE("local")));
	CHECK(storage_on_node(storage_find(&cfg, SLICE("local")), "anywhere"));
	for (size_t i = 0; i < cfg.n; i++) {
		const struct storage *s = &cfg.storages[i];

		/* No id stands there twice. */
		CHECK(storage_find(&cfg, slice_of(s->id)) == s);
		CHECK(!s->vgname || strcmp(s->type, "lvm") == 0 || strcmp(s->type, "lvmthin") == 0);
		CHECK(s->nodes || storage_on_node(s, "anywhere"));
	}
	diags_done(&diags);
	arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct slice text = { copy, n };

	check_sections(text);
	check_storages(text);
	return 0;
}
