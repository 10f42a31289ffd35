/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/guest.h"

#include "fuzz_pve.h"
#include "util/str.h"

static void check_lines(enum guest_type type, struct slice text)
{
	struct guest_reader r;
	struct guest_line l;
	unsigned int last = 0;

	guest_reader_init(&r, type, text);
	while (guest_reader_next(&r, &l)) {
		CHECK(l.number > last);
		last = l.number;
		CHECK(lies_in(l.key, text));
		CHECK(lies_in(l.value, text));
		CHECK(l.kind <= GUEST_LINE_BAD && l.section <= GUEST_SECTION_UNKNOWN);
		CHECK(l.kind != GUEST_LINE_OPTION || (l.key.n && l.value.n));
		CHECK(!memchr(l.value.p, '\n', l.value.n));
	}
}

static void check_volumes(const struct guest *g)
{
	for (size_t i = 0; i < g->n_volumes; i++) {
		const struct guest_volume *v = &g->volumes[i];

		CHECK(v->section >= g->sections && v->section < g->sections + g->n_sections);
		CHECK(v->volname && v->key);
		CHECK(v->storage || v->volname[0] == '/');
		CHECK(!v->storage || strlen(v->storage) >= 2);
		CHECK(v->line > 0);
	}
}

static void check_sections(const struct guest *g)
{
	CHECK(g->n_sections >= 1);
	CHECK(g->sections[0].kind == GUEST_SECTION_MAIN && !g->sections[0].name);
	for (size_t i = 0; i < g->n_sections; i++) {
		const struct guest_section *s = &g->sections[i];

		CHECK(i == 0 || s->name);
		for (size_t k = 0; k < s->n_options; k++)
			CHECK(guest_option(s, s->options[k].key) && s->options[k].line > 0);
	}
}

/* The first byte chooses the type; the rest is the config. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = NULL;
	struct arena a = {};
	struct diags diags = { .arena = &a };
	struct guest g = { .vmid = 100, .node = "pve1", .file = "100.conf" };
	struct slice text;

	if (n < 1)
		return 0;
	g.type = data[0] == 'L' ? GUEST_LXC : GUEST_QEMU;
	copy = exact_copy(data + 1, n - 1);
	text = (struct slice){ copy, n - 1 };
	check_lines(g.type, text);
	guest_parse(&g, text, &a, &diags);
	CHECK(g.name);
	check_sections(&g);
	check_volumes(&g);
	for (size_t i = 0; i < diags.n; i++)
		CHECK(str_utf8_valid(slice_of(diags.items[i].file)));
	diags_done(&diags);
	arena_done(&a);
	return 0;
}
