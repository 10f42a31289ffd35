/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/guestcheck.h"

#include <stdio.h>

#include "util/str.h"

/* Proxmox writes nothing near as long, but for comments. */
#define LINE_BYTES_MAX 65536

/* Nearly every config is plain ASCII; one loop over it is all the time that this costs then. */
static bool is_plain(struct slice text)
{
	unsigned int odd = 0;

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		odd |= (unsigned int)(c >= 0x80) | (c == 0) | (c == '\r');
	}
	return !odd;
}

static void check_line(const char *file, unsigned int number, struct slice line,
		       struct diags *diags, bool *crlf_said)
{
	if (line.n && memchr(line.p, '\0', line.n))
		diag_add(diags, file, number,
			 "a NUL byte: expected text; what stands behind it may be lost to Proxmox");
	if (!str_utf8_valid(line))
		diag_add(diags, file, number, "bytes that are not UTF-8: expected UTF-8 text");
	if (!*crlf_said && line.n && line.p[line.n - 1] == '\r') {
		diag_add(diags, file, number, "a line ends in CR LF: expected LF alone");
		*crlf_said = true;
	}
	if (line.n > LINE_BYTES_MAX && line.p[0] != '#')
		diag_add(diags, file, number, "a line of %zu bytes: expected at most %d", line.n,
			 LINE_BYTES_MAX);
}

void guest_check_text(const char *file, struct slice text, struct diags *diags)
{
	unsigned int number = 0;
	bool crlf_said = false;
	struct slice rest = text, line;

	if (slice_empty(text)) {
		diag_add(diags, file, 0, "the file is empty: expected \"key: value\" lines");
		return;
	}
	if (text.p[text.n - 1] != '\n')
		diag_add(diags, file, 0,
			 "the last line has no newline: expected one; the line may be cut short");
	if (text.n <= LINE_BYTES_MAX && is_plain(text))
		return;
	while (slice_split(&rest, '\n', &line))
		check_line(file, ++number, line, diags, &crlf_said);
}

static int cmp_option(const void *a, const void *b)
{
	const struct guest_option *const *x = a, *const *y = b;
	int r = strcmp((*x)->key, (*y)->key);

	if (r)
		return r;
	return (*x)->line < (*y)->line ? -1 : (*x)->line > (*y)->line;
}

/* As Proxmox writes them. */
static bool keys_ascend(const struct guest_section *s)
{
	for (size_t i = 1; i < s->n_options; i++)
		if (strcmp(s->options[i - 1].key, s->options[i].key) >= 0)
			return false;
	return true;
}

static bool may_repeat(const struct guest_option *o)
{
	return strncmp(o->key, "lxc.", 4) == 0;
}

static void check_keys(const struct guest *g, const struct guest_section *s, struct diags *diags)
{
	CLEANUP_FREE const struct guest_option **sorted = NULL;

	if (keys_ascend(s))
		return;
	sorted = xcalloc(s->n_options, sizeof(*sorted));
	for (size_t i = 0; i < s->n_options; i++)
		sorted[i] = &s->options[i];
	qsort(sorted, s->n_options, sizeof(*sorted), cmp_option);
	for (size_t i = 1; i < s->n_options; i++)
		if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0 && !may_repeat(sorted[i]))
			diag_add(diags, g->file, sorted[i]->line,
				 "key '%s' stands in line %u already: expected once; the last one "
				 "counts",
				 sorted[i]->key, sorted[i - 1]->line);
}

/* A section that has a name, and where it stands. */
struct named {
	const struct guest_section *section;
	size_t index; /* into guest.sections */
};

static int cmp_named(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int r = strcmp(x->section->name, y->section->name);

	if (!r)
		r = (int)x->section->kind - (int)y->section->kind;
	if (r)
		return r;
	return x->index < y->index ? -1 : x->index > y->index;
}

struct tree {
	const struct guest *guest;
	struct diags *diags;
	struct named *sorted; /* sections by name, the main one left out */
	size_t n;
	size_t *parent; /* per section the index of its parent; 0: none */
	size_t *seen;	/* per section the walk that came by, counted from 1 */
};

static void check_duplicates(const struct tree *t)
{
	for (size_t i = 1; i < t->n; i++) {
		const struct guest_section *a = t->sorted[i - 1].section;
		const struct guest_section *b = t->sorted[i].section;

		if (a->kind == b->kind && strcmp(a->name, b->name) == 0)
			diag_add(t->diags, t->guest->file, 0,
				 "section [%s] stands here twice: expected once; Proxmox takes "
				 "the later one",
				 b->name);
	}
}

/* Of several snapshots of one name the last one, as Proxmox takes it; 0: there is none. */
static size_t find_snapshot(const struct tree *t, const char *name)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(t->sorted[mid].section->name, name) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low > 0 && strcmp(t->sorted[low - 1].section->name, name) == 0; low--)
		if (t->sorted[low - 1].section->kind == GUEST_SECTION_SNAPSHOT)
			return t->sorted[low - 1].index;
	return 0;
}

static const struct guest_option *parent_of(const struct guest_section *s)
{
	for (size_t i = s->n_options; i > 0; i--)
		if (strcmp(s->options[i - 1].key, "parent") == 0)
			return &s->options[i - 1];
	return NULL;
}

static void link_parents(struct tree *t)
{
	for (size_t i = 0; i < t->guest->n_sections; i++) {
		const struct guest_section *s = &t->guest->sections[i];
		const struct guest_option *o = parent_of(s);

		if (!o || (s->kind != GUEST_SECTION_SNAPSHOT && i > 0))
			continue;
		t->parent[i] = find_snapshot(t, o->value);
		if (!t->parent[i])
			diag_add(t->diags, t->guest->file, o->line,
				 "parent '%.100s': expected the name of a snapshot of this guest",
				 o->value);
	}
}

static unsigned int parent_line(const struct guest_section *s)
{
	const struct guest_option *o = parent_of(s);

	return o ? o->line : 0;
}

/* Follows each section to its root; who meets the track of his own walk goes in a circle. */
static void check_cycles(struct tree *t)
{
	for (size_t i = 0; i < t->guest->n_sections; i++) {
		size_t at = i;

		while (!t->seen[at]) {
			t->seen[at] = i + 1;
			if (!t->parent[at])
				break;
			at = t->parent[at];
			if (t->seen[at] == i + 1)
				diag_add(t->diags, t->guest->file,
					 parent_line(&t->guest->sections[at]),
					 "snapshot '%s' is its own ancestor: expected a tree",
					 t->guest->sections[at].name);
		}
	}
}

static void check_tree(const struct guest *g, struct diags *diags)
{
	CLEANUP_FREE struct named *sorted = xcalloc(g->n_sections, sizeof(*sorted));
	CLEANUP_FREE size_t *parent = xcalloc(g->n_sections, sizeof(*parent));
	CLEANUP_FREE size_t *seen = xcalloc(g->n_sections, sizeof(*seen));
	struct tree t = { g, diags, sorted, g->n_sections - 1, parent, seen };

	for (size_t i = 1; i < g->n_sections; i++)
		sorted[i - 1] = (struct named){ &g->sections[i], i };
	if (t.n > 1)
		qsort(sorted, t.n, sizeof(*sorted), cmp_named);
	check_duplicates(&t);
	link_parents(&t);
	check_cycles(&t);
}

void guest_check_sections(const struct guest *g, struct diags *diags)
{
	for (size_t i = 0; i < g->n_sections; i++)
		check_keys(g, &g->sections[i], diags);
	if (g->n_sections > 1 || parent_of(&g->sections[0]))
		check_tree(g, diags);
}
