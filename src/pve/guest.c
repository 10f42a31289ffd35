/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/guest.h"

#include "pve/guestcheck.h"
#include "pve/guestvolume.h"
#include "pve/prop.h"
#include "util/str.h"

/* One walk over the lines, with room counted beforehand: pointers into the arrays stay good. */
struct builder {
	struct guest *guest;
	struct arena *arena;
	struct diags *diags;
	struct guest_section *section;
	struct guest_option *options; /* the next free one */
	struct buf description;
	bool described;
	struct volume_scan scan;
};

static bool is_option(const struct guest_line *line)
{
	return line->kind == GUEST_LINE_OPTION || line->kind == GUEST_LINE_RAW_LXC;
}

static void make_room(struct builder *b, struct slice text)
{
	size_t sections = 1, options = 0;
	struct guest_reader r;
	struct guest_line line;

	guest_reader_init(&r, b->guest->type, text);
	while (guest_reader_next(&r, &line)) {
		sections += line.kind == GUEST_LINE_SECTION;
		options += is_option(&line);
	}
	b->guest->sections = arena_alloc(b->arena, sections * sizeof(*b->guest->sections));
	b->options = arena_alloc(b->arena, options * sizeof(*b->options));
}

/* A VM's description loses its trailing white space, a container's keeps it. */
static void end_section(struct builder *b)
{
	struct slice text = buf_slice(&b->description);

	if (!b->described)
		return;
	if (b->guest->type == GUEST_QEMU)
		text = slice_rtrim(text);
	b->section->description = arena_str(b->arena, text);
	b->described = false;
	buf_reset(&b->description);
}

static void begin_section(struct builder *b, enum guest_section_kind kind, const char *name)
{
	b->section = &b->guest->sections[b->guest->n_sections++];
	b->section->kind = kind;
	b->section->name = name;
	b->section->options = b->options;
	b->scan.section = b->section;
}

static void describe(struct builder *b, const struct guest_line *line)
{
	b->described = true;
	percent_decode(line->value, &b->description);
	/* Only lines that begin with '#' are lines of the description. */
	if (slice_eq(line->key, "#"))
		buf_addc(&b->description, '\n');
}

static void add_option(struct builder *b, const struct guest_line *line)
{
	struct guest_option *o = b->options++;
	bool cdrom = b->guest->type == GUEST_QEMU && slice_eq(line->key, "cdrom");

	o->key = cdrom ? "ide2" : arena_str(b->arena, line->key);
	o->value = arena_str(b->arena, line->value);
	o->line = line->number;
	b->section->n_options++;
}

static void say_bad(struct builder *b, const struct guest_line *line)
{
	char shown[96];

	str_printable(shown, sizeof(shown), slice_rtrim(line->value));
	diag_add(b->diags, b->guest->file, line->number,
		 "\"%s\": expected \"key: value\" or a section header; Proxmox drops this line",
		 shown);
}

static void take_line(struct builder *b, const struct guest_line *line)
{
	switch (line->kind) {
	case GUEST_LINE_SECTION:
		end_section(b);
		begin_section(b, line->section, arena_str(b->arena, line->key));
		if (line->section == GUEST_SECTION_UNKNOWN)
			diag_add(b->diags, b->guest->file, line->number,
				 "[%.80s]: expected [PENDING], [special:...] or a snapshot's name",
				 b->section->name);
		return;
	case GUEST_LINE_DESCRIPTION:
		describe(b, line);
		return;
	case GUEST_LINE_OPTION:
	case GUEST_LINE_RAW_LXC:
		add_option(b, line);
		break;
	case GUEST_LINE_BAD:
		say_bad(b, line);
		break;
	}
	volume_scan_line(&b->scan, line);
}

static void take_volumes(struct builder *b)
{
	struct guest *g = b->guest;

	g->n_volumes = b->scan.found.n;
	g->volumes = arena_alloc(b->arena, g->n_volumes * sizeof(*g->volumes));
	if (g->n_volumes)
		memcpy(g->volumes, b->scan.found.items, g->n_volumes * sizeof(*g->volumes));
	vec_free(&b->scan.found);
}

static const char *shown_name(const struct guest *g, struct arena *a)
{
	const char *name =
		guest_option(&g->sections[0], g->type == GUEST_QEMU ? "name" : "hostname");

	if (name)
		return name;
	return arena_fmt(a, g->type == GUEST_QEMU ? "VM %u" : "CT%u", g->vmid);
}

void guest_parse(struct guest *ret, struct slice text, struct arena *a, struct diags *diags)
{
	struct builder b = { .guest = ret, .arena = a, .diags = diags };
	struct guest_reader r;
	struct guest_line line;
	const char *template;

	ret->n_sections = 0;
	b.scan = (struct volume_scan){ .guest = ret, .arena = a, .diags = diags };
	guest_check_text(ret->file, text, diags);
	make_room(&b, text);
	begin_section(&b, GUEST_SECTION_MAIN, NULL);
	guest_reader_init(&r, ret->type, text);
	while (guest_reader_next(&r, &line))
		take_line(&b, &line);
	end_section(&b);
	buf_done(&b.description);
	take_volumes(&b);

	ret->name = shown_name(ret, a);
	ret->lock = guest_option(&ret->sections[0], "lock");
	ret->template = false;
	template = guest_option(&ret->sections[0], "template");
	if (template)
		(void)prop_bool(slice_of(template), &ret->template);
	guest_check_sections(ret, diags);
}

const char *guest_option(const struct guest_section *section, const char *key)
{
	for (size_t i = section->n_options; i > 0; i--)
		if (strcmp(section->options[i - 1].key, key) == 0)
			return section->options[i - 1].value;
	return NULL;
}

const struct guest_section *guest_snapshot(const struct guest *g, struct slice name)
{
	for (size_t i = g->n_sections; i > 0; i--) {
		const struct guest_section *s = &g->sections[i - 1];

		if (s->kind == GUEST_SECTION_SNAPSHOT && slice_eq(name, s->name))
			return s;
	}
	return NULL;
}
